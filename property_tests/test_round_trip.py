"""Whole transfers over the engines: what is delivered is what was sent, bit for bit, whatever the sizes."""

from __future__ import annotations

import copy
import itertools
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from objstream import (
    ContainerAssembler,
    ContainerRetriever,
    ContainerStreamer,
    FileAssembler,
    FileRetriever,
    FileStreamer,
    MemoryNetwork,
    MemorySite,
    Options,
    Outcome,
    Request,
    SocketSite,
)
from objstream_conformance import strategies
from objstream_conformance.compare import difference

SMALL = st.tuples(strategies.containers(large=False), strategies.chunk_sizes(), strategies.windows())
LARGE = st.tuples(strategies.containers(), strategies.chunk_sizes(least=500), strategies.windows(least=500))
TRANSFERS = SMALL | LARGE
"""Container, chunk and window: both from one byte on where the container is small."""

DIGESTS = st.sampled_from([("sha-256",), ("blake3",), ("xxh3-128",), ("none",)])


@dataclass
class Pair:
    """Two sites, and what pushes have delivered at the second."""

    owner: MemorySite
    requester: MemorySite
    received: list[Any]


def pair(*targets: str, options: Options | None = None) -> Pair:
    network = MemoryNetwork()
    received: list[Any] = []
    owner = network.site("owner", options)
    sites = [network.site(name, options) for name in targets or ("requester",)]
    for site in sites:
        site.accept(lambda request: ContainerAssembler())
        site.watch(lambda request, outcome: received.append(outcome))
    return Pair(owner, sites[0], received)


@given(TRANSFERS, DIGESTS)
def test_pull(transfer: tuple[Any, int, int], digests: tuple[str, ...]) -> None:
    container, chunk, window = transfer
    sites = pair(options=Options(digests=digests))
    ContainerRetriever(sites.owner, chunk=chunk).add_container("it", container)
    got = ContainerRetriever(sites.requester).retrieve_container(
        "owner", "it", options=Options(digests=digests, window=window)
    )
    assert difference(container, got) == ""


@given(TRANSFERS)
def test_push(transfer: tuple[Any, int, int]) -> None:
    container, chunk, window = transfer
    sites = pair(options=Options(window=window))
    outcomes = sites.owner.push(["requester"], ContainerStreamer(container, chunk=chunk))
    assert outcomes["requester"].delivered
    (outcome,) = sites.received
    assert difference(container, outcome.result) == ""


@given(SMALL, st.integers(2, 4))
def test_several_receivers(transfer: tuple[Any, int, int], number: int) -> None:
    container, chunk, window = transfer
    names = [f"target {index}" for index in range(number)]
    sites = pair(*names, options=Options(window=window))
    outcomes = sites.owner.push(names, ContainerStreamer(container, chunk=chunk))
    assert [outcome.delivered for outcome in outcomes.values()] == [True] * number
    assert [difference(container, outcome.result) for outcome in sites.received] == [""] * number


@given(TRANSFERS)
def test_observers_are_told_of_each_entry_once(transfer: tuple[Any, int, int]) -> None:
    container, chunk, window = transfer
    sites = pair()
    ContainerRetriever(sites.owner, chunk=chunk).add_container("it", container)
    seen: list[Any] = []
    ContainerRetriever(sites.requester).retrieve_container(
        "owner", "it", observe=seen.append, options=Options(window=window)
    )
    entries = list(container.items()) if type(container) is dict else list(container)
    assert difference(entries, seen) == ""


ARRAYS = strategies.arrays() | strategies.large_arrays() | strategies.tensors()
MODELS = st.recursive(
    ARRAYS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=6,
).filter(lambda model: type(model) in (list, dict))


@given(MODELS, strategies.chunk_sizes(least=100), strategies.windows(least=100))
def test_a_destination_is_filled_in_place(model: Any, chunk: int, window: int) -> None:
    sites = pair()
    ContainerRetriever(sites.owner, chunk=chunk).add_container("it", model)
    destination = empty_like(model)
    places = list(leaves(destination))
    got = ContainerRetriever(sites.requester).retrieve_container(
        "owner", "it", into=destination, options=Options(window=window)
    )
    assert got is destination
    assert [id(leaf) for leaf in leaves(got)] == [id(place) for place in places]
    assert difference(bare(model), bare(got)) == ""


@given(SMALL)
def test_what_is_delivered_shares_nothing_with_the_source(transfer: tuple[Any, int, int]) -> None:
    container, chunk, window = transfer
    sites = pair(options=Options(window=window))
    sites.owner.push(["requester"], ContainerStreamer(container, chunk=chunk))
    (outcome,) = sites.received
    before = copy.deepcopy(outcome.result)
    for part in mutable(container):
        spoil(part)
    assert difference(before, outcome.result) == ""


@given(SMALL)
def test_occurrences_of_one_value_share_nothing_when_they_arrive(transfer: tuple[Any, int, int]) -> None:
    value, chunk, window = transfer
    sites = pair(options=Options(window=window))
    sites.owner.push(["requester"], ContainerStreamer([value, value], chunk=chunk))
    (outcome,) = sites.received
    first, second = outcome.result
    assert not {id(part) for part in mutable(first)} & {id(part) for part in mutable(second)}
    for part in mutable(first):
        spoil(part)
    assert difference(value, second) == ""


@given(strategies.files(1000), st.sampled_from([100, 999, 1000, 1001, 1 << 20]), strategies.windows(least=50))
@settings(max_examples=20)
def test_files(tmp_path_factory: pytest.TempPathFactory, content: bytes, chunk: int, window: int) -> None:
    directory = tmp_path_factory.mktemp("files")
    source = directory / "source"
    source.write_bytes(content)
    sites = pair(options=Options(window=window))
    FileRetriever(sites.owner, chunk=chunk).add_file("it", source)
    path = FileRetriever(sites.requester, chunk=chunk).retrieve_file("owner", "it", to=directory / "pulled")
    assert path.read_bytes() == content
    sites.requester._acceptors[:] = [lambda request: FileAssembler(directory / "pushed")]
    outcomes = sites.owner.push(["requester"], FileStreamer(source, chunk=chunk))
    assert outcomes["requester"].delivered
    assert (directory / "pushed").read_bytes() == content
    assert sorted(path.name for path in directory.iterdir()) == ["pulled", "pushed", "source"]


class Sockets:
    """Two sites with real sockets between them, kept over all examples of a test."""

    def __init__(self, url: str) -> None:
        self.owner = SocketSite(url)
        self.client = SocketSite()
        self.taker = SocketSite(url.replace("owner", "taker"))
        self.other = SocketSite(url.replace("owner", "other"))
        self.files = FileRetriever(self.owner, chunk=1000)
        self.objects: dict[str, tuple[Any, int]] = {}
        self.outcomes: list[Outcome] = []
        self.numbers = itertools.count()
        self.owner.provide(self._provide)
        for site in (self.taker, self.other):
            site.accept(lambda request: ContainerAssembler())
            site.watch(lambda request, outcome: self.outcomes.append(outcome))

    def _provide(self, request: Request) -> ContainerStreamer | None:
        if request.name not in self.objects:
            return None
        container, chunk = self.objects[request.name]
        return ContainerStreamer(container, name=request.name, chunk=chunk)

    def close(self) -> None:
        for site in (self.owner, self.client, self.taker, self.other):
            site.close()


@pytest.fixture(scope="module", params=["tcp", "unix"])
def sockets(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Sockets]:
    directory: Path = tmp_path_factory.mktemp("sockets")
    sites = Sockets("tcp://127.0.0.1:0" if request.param == "tcp" else f"unix://{directory}/owner")
    yield sites
    sites.close()


@given(TRANSFERS)
@settings(max_examples=30)
def test_sockets(sockets: Sockets, transfer: tuple[Any, int, int]) -> None:
    container, chunk, window = transfer
    name = f"object {next(sockets.numbers)}"
    sockets.objects[name] = container, chunk
    options = Options(window=window, deadline=20.0)
    got = ContainerRetriever(sockets.client).retrieve_container(sockets.owner.address, name, options=options)
    assert difference(container, got) == ""
    sockets.outcomes.clear()
    outcomes = sockets.client.push(
        [sockets.taker.address], ContainerStreamer(container, chunk=chunk), options
    )
    assert outcomes[sockets.taker.address].delivered
    (outcome,) = sockets.outcomes
    assert difference(container, outcome.result) == ""


@given(MODELS, strategies.chunk_sizes(least=500), strategies.windows(least=500))
@settings(max_examples=20)
def test_sockets_fill_a_destination_in_place(sockets: Sockets, model: Any, chunk: int, window: int) -> None:
    name = f"object {next(sockets.numbers)}"
    sockets.objects[name] = model, chunk
    destination = empty_like(model)
    places = [id(leaf) for leaf in leaves(destination)]
    got = ContainerRetriever(sockets.client).retrieve_container(
        sockets.owner.address, name, into=destination, options=Options(window=window, deadline=20.0)
    )
    assert got is destination
    assert [id(leaf) for leaf in leaves(got)] == places
    assert difference(bare(model), bare(got)) == ""


@given(SMALL)
@settings(max_examples=15)
def test_sockets_reach_several_receivers(sockets: Sockets, transfer: tuple[Any, int, int]) -> None:
    container, chunk, window = transfer
    sockets.outcomes.clear()
    targets = [sockets.taker.address, sockets.other.address]
    outcomes = sockets.client.push(
        targets, ContainerStreamer(container, chunk=chunk), Options(window=window, deadline=20.0)
    )
    assert [outcomes[target].delivered for target in targets] == [True, True]
    assert [difference(container, outcome.result) for outcome in sockets.outcomes] == ["", ""]


@given(strategies.files(1000), st.sampled_from([100, 1000, 1 << 20]), strategies.windows(least=50))
@settings(max_examples=15)
def test_sockets_carry_files(
    sockets: Sockets, tmp_path_factory: pytest.TempPathFactory, content: bytes, chunk: int, window: int
) -> None:
    directory = tmp_path_factory.mktemp("files")
    source, name = directory / "source", f"file {next(sockets.numbers)}"
    source.write_bytes(content)
    sockets.files.add_file(name, source)
    path = FileRetriever(sockets.client, chunk=chunk).retrieve_file(
        sockets.owner.address, name, to=directory / "pulled", options=Options(window=window, deadline=20.0)
    )
    assert path.read_bytes() == content
    assert sorted(path.name for path in directory.iterdir()) == ["pulled", "source"]


def leaves(model: Any) -> Iterator[Any]:
    if isinstance(model, (list, dict)):
        for part in model.values() if isinstance(model, dict) else model:
            yield from leaves(part)
    else:
        yield model


def empty_like(model: Any) -> Any:
    """The same structure with fresh arrays and tensors of the same shapes and dtypes."""
    if isinstance(model, dict):
        return {key: empty_like(part) for key, part in model.items()}
    if isinstance(model, list):
        return [empty_like(part) for part in model]
    if isinstance(model, np.ndarray):
        return np.zeros(model.shape, model.dtype.newbyteorder("<"))
    import torch

    return torch.zeros(model.shape, dtype=model.dtype)


def bare(model: Any) -> Any:
    """The model without gradient flags and Parameters: a destination keeps its own."""
    if isinstance(model, dict):
        return {key: bare(part) for key, part in model.items()}
    if isinstance(model, list):
        return [bare(part) for part in model]
    return model if isinstance(model, np.ndarray) else model.detach().as_subclass(type(model.data))


def mutable(value: Any) -> Iterator[Any]:
    """Every part of a value that can be changed."""
    if type(value) is dict:
        for part in value.values():
            yield from mutable(part)
        yield value
    elif type(value) in (list, tuple):
        for part in value:
            yield from mutable(part)
        if type(value) is list:
            yield value
    elif type(value) in (set, bytearray, np.ndarray) or hasattr(value, "requires_grad"):
        yield value


def spoil(part: Any) -> None:
    """Change it in place."""
    if isinstance(part, (dict, set)):
        part.clear()
    elif isinstance(part, (list, bytearray)):
        part[:] = []
    elif isinstance(part, np.ndarray):
        if part.flags.writeable and part.size:
            part.view(part.dtype)[...] = 0
    else:
        part.detach().untyped_storage().fill_(0)
