"""Containers, and objects of an application's own, taken apart and put together."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest

from objstream import (
    Code,
    ContainerAssembler,
    ContainerRetriever,
    ContainerStreamer,
    Description,
    FileAssembler,
    Limits,
    MemoryNetwork,
    ObjectAssembler,
    ObjectStreamer,
    Options,
    Registry,
    Request,
    Site,
    SocketSite,
    TransferError,
)
from objstream.values import Label

from .helpers import code_of, failure, joined_pull


def carried(value: object, assembler: ObjectAssembler | None = None, **options: Any) -> Any:
    """A container sent from one site to another."""
    network = MemoryNetwork()
    owner, asker = network.site("owner"), network.site("asker")
    owner.provide(lambda asked: ContainerStreamer(value, name="m", **options))
    return asker.pull("owner", "container", "m", assembler or ContainerAssembler())


@pytest.mark.parametrize(
    "value",
    [{"a": 1, 2: [3]}, [1, "2"], (1, (2,)), {1, "2"}, frozenset({1, (2, 3)}), {}, [], (), set(), frozenset()],
)
def test_each_container_arrives_as_itself(value: object) -> None:
    got = carried(value)
    assert type(got) is type(value)
    assert got == value


def test_the_order_of_a_dict_is_kept() -> None:
    value = {str(number * 7919 % 1000): number for number in range(1000)}
    assert list(carried(value).items()) == list(value.items())


@pytest.mark.parametrize("value", [1, "text", None, b"x", object(), np.zeros(3), range(3)])
def test_anything_else_is_no_container(value: object) -> None:
    problem = failure(lambda: ContainerStreamer(value, name="m"))
    assert problem.code is Code.UNSUPPORTED
    assert problem.message.startswith(f"m: {type(value).__name__} is no container")


def test_a_subclass_is_no_container_of_the_model() -> None:
    class Mine(dict[str, int]):
        pass

    assert failure(lambda: ContainerStreamer(Mine(a=1))).code is Code.UNSUPPORTED


@pytest.mark.parametrize("chunk", [0, -1])
def test_a_chunk_has_at_least_one_byte(chunk: int) -> None:
    with pytest.raises(ValueError, match="chunk"):
        ContainerStreamer([], chunk=chunk)


def test_pieces_are_at_most_a_chunk_and_count_the_entries() -> None:
    streamer = ContainerStreamer({"a": b"x" * 100_000, "b": list(range(1000))}, chunk=500)
    for _ in range(2):
        pieces = [len(piece.view) for piece in streamer.pieces(500)]
        assert max(pieces) <= 500
        assert sum(pieces) > 100_000
        assert streamer.count == 2


def test_an_observer_sees_each_entry_once_in_order() -> None:
    for value in ({"a": 1, "b": [2]}, [1, [2], "x"], (1, 2)):
        seen: list[object] = []
        got = carried(value, ContainerAssembler(observe=seen.append))
        assert got == value
        assert seen == (list(value.items()) if isinstance(value, dict) else list(value))


def test_an_observer_may_be_the_only_one_who_wants_the_entries() -> None:
    seen: list[object] = []
    assert carried([1, 2, 3], ContainerAssembler(observe=seen.append, keep=False)) is None
    assert seen == [1, 2, 3]


def test_an_observer_that_raises_ends_the_transfer_as_not_stored() -> None:
    def observe(entry: object) -> None:
        raise ZeroDivisionError("secret")

    problem = failure(lambda: carried([1], ContainerAssembler(observe=observe)))
    assert problem.code is Code.STORE_FAILED
    assert "secret" not in problem.message


def destination() -> dict[str, Any]:
    return {"w": np.zeros((2, 3)), "deep": [np.zeros(5000, np.int32)], "n": 0}


SOURCE = {"w": np.arange(6.0).reshape(2, 3), "deep": [np.arange(5000, dtype=np.int32)], "n": 7}


def test_a_destination_is_filled_in_place() -> None:
    into = destination()
    w, deep = into["w"], into["deep"][0]
    assert carried(SOURCE, ContainerAssembler(into=into)) is into
    assert into["w"] is w
    assert into["deep"][0] is deep
    assert (w == SOURCE["w"]).all()
    assert (deep == np.arange(5000)).all()
    assert into["n"] == 7
    values = [np.zeros(3), 0]
    array = values[0]
    assert carried([np.ones(3), 1], ContainerAssembler(into=values)) is values
    assert values[0] is array
    assert array.tolist() == [1, 1, 1]  # type: ignore[union-attr]


def test_a_state_dict_is_a_destination_and_said_how_to_be_a_source() -> None:
    into = OrderedDict(destination())
    w = into["w"]
    assert carried(SOURCE, ContainerAssembler(into=into)) is into
    assert into["w"] is w
    assert (w == SOURCE["w"]).all()
    with pytest.raises(
        TransferError, match=r"OrderedDict is no container of the model .*; send dict\(...\) of it"
    ):
        ContainerStreamer(into)
    with pytest.raises(TransferError, match=r"int is no container of the model [^;]*$"):
        ContainerStreamer(7)


@pytest.mark.parametrize(
    ("change", "where"),
    [
        (lambda into: into.update(w=np.zeros((3, 2))), "'w'"),
        (lambda into: into.update(w=np.zeros((2, 3), np.float32)), "'w'"),
        (lambda into: into.update(deep=[np.zeros(4999, np.int32)]), "'deep'"),
        (lambda into: into.update(deep=[]), "'deep'"),
        (lambda into: into.update(deep=None), "'deep'"),
        (lambda into: into.update(other=into.pop("w")), "'w'"),
        (lambda into: into.update(other=into.pop("n")), "'n'"),
        (lambda into: into.pop("n"), "'n'"),
        (lambda into: into.update(more=1), "'more'"),
    ],
)
def test_a_destination_that_does_not_fit_is_an_error_that_names_the_place(change: Any, where: str) -> None:
    into = destination()
    change(into)
    problem = failure(lambda: carried(SOURCE, ContainerAssembler(into=into)))
    assert problem.code is Code.MISMATCH
    assert where in problem.message


def test_a_destination_of_another_kind_is_refused_at_once() -> None:
    problem = failure(lambda: carried([1], ContainerAssembler(into={"a": 1})))
    assert problem.code is Code.MISMATCH
    assert "a list arrives, the destination is a dict" in problem.message


def test_a_list_of_another_length_is_refused_at_once() -> None:
    for into in ([0], [0, 0, 0]):
        problem = failure(lambda into=into: carried([1, 2], ContainerAssembler(into=into)))
        assert problem.code is Code.MISMATCH
        assert f"2 entries arrive, the destination has {len(into)}" in problem.message


def test_a_destination_is_a_dict_or_a_list() -> None:
    for into in ((1,), {1}, np.zeros(3), "text"):
        with pytest.raises(TypeError, match=type(into).__name__):
            ContainerAssembler(into=into)  # type: ignore[arg-type]


def test_an_entry_that_disappears_while_it_is_sent_is_noticed_by_the_streamer_itself() -> None:
    value: dict[str, object] = {"a": b"x" * 50_000, "b": 1}
    pieces = ContainerStreamer(value, name="m", chunk=1000).pieces(1000)
    next(pieces)
    del value["b"]
    assert failure(lambda: list(pieces)).code is Code.SOURCE_CHANGED
    entries: list[object] = [b"x" * 50_000, 1]
    pieces = ContainerStreamer(entries, name="m", chunk=1000).pieces(1000)
    next(pieces)
    entries.pop()
    assert failure(lambda: list(pieces)).message == "m: its length changed while it was sent"


class Point:
    def __init__(self, x: int) -> None:
        self.x = x


def registry() -> Registry:
    known = Registry()
    known.register(Point, "point@1", lambda point: point.x, Point)
    return known


def test_application_types_travel_where_both_know_them() -> None:
    got = carried([Point(7)], ContainerAssembler(registry=registry()), registry=registry())
    assert got[0].x == 7
    problem = failure(lambda: carried([Point(7)], registry=registry()))
    assert problem.code is Code.UNSUPPORTED
    assert failure(lambda: carried([Point(7)])).code is Code.UNSUPPORTED


def test_an_assembler_takes_content_only_after_the_object_was_announced() -> None:
    for use in (
        lambda: ContainerAssembler().feed(memoryview(b"\x01")),
        lambda: ContainerAssembler().room(),
        lambda: ContainerAssembler().check_complete(),
    ):
        assert failure(use).code is Code.PROTOCOL


def test_an_assembler_takes_its_kinds_only() -> None:
    assert all(map(ContainerAssembler().accepts, ["dict", "list", "tuple", "set", "frozenset"]))
    assert not any(map(ContainerAssembler().accepts, ["file", "container", "x-table", ""]))
    assert FileAssembler("f").accepts("file")
    assert not FileAssembler("f").accepts("dict")


def test_an_element_that_arrives_twice_is_refused_even_when_it_was_kept_by_the_assembler() -> None:
    for kind, twice in (("dict", [("a", 1), ("a", 2)]), ("set", [1, 1]), ("frozenset", [1, True])):
        assembler = ContainerAssembler()
        assembler.begin(Description(kind), Limits())
        assembler.entry(twice[0])
        assert failure(lambda a=assembler, t=twice: a.entry(t[1])).code is Code.PROTOCOL


def test_elements_that_do_not_compare_are_the_peers_fault() -> None:
    class Awkward:
        def __hash__(self) -> int:
            return 7

        def __eq__(self, other: object) -> bool:
            raise ArithmeticError("no order")

    assembler = ContainerAssembler()
    assembler.begin(Description("set"), Limits())
    assembler.entry(Awkward())
    assert failure(lambda: assembler.entry(Awkward())).code is Code.PROTOCOL


class Table(list[dict[str, int]]):
    """An object of an application: rows."""


class TableStreamer(ObjectStreamer):
    kind = "x-table"

    def __init__(self, table: Table, **options: Any) -> None:
        super().__init__(**options)
        self.table = table
        self.closed = 0

    def describe(self) -> Description:
        return Description(self.kind, count=len(self.table), attributes={"columns": ["a", "b"]})

    def entries(self) -> Iterator[tuple[Label, object]]:
        for number, row in enumerate(self.table):
            yield (self.name, number), row

    def close(self) -> None:
        self.closed += 1


class TableAssembler(ObjectAssembler):
    def __init__(self) -> None:
        super().__init__()
        self.columns: object = None
        self.table = Table()
        self.discarded = 0

    def accepts(self, kind: str) -> bool:
        return kind == "x-table"

    def begin(self, description: Description, limits: Limits) -> None:
        super().begin(description, limits)
        self.columns = description.attributes["columns"]

    def entry(self, value: Any) -> None:
        self.table.append(value)

    def result(self) -> Table:
        return self.table

    def discard(self) -> None:
        self.table = Table()
        self.discarded += 1


TABLE = Table({"a": number, "b": -number} for number in range(5000))


def give_and_take(owner: Site, address: str, asker: Site) -> None:
    """A table retrieved and pushed."""
    owner.provide(lambda asked: TableStreamer(TABLE, chunk=1000) if asked.kind == "x-table" else None)
    assembler = TableAssembler()
    got = asker.pull(address, "x-table", "numbers", assembler)
    assert type(got) is Table
    assert got == TABLE
    assert assembler.columns == ["a", "b"]
    assert assembler.discarded == 0
    problem = failure(lambda: asker.pull(address, "x-tree", "numbers", TableAssembler()))
    assert problem.code is Code.NOT_FOUND
    offers: list[Request] = []

    def accept(offer: Request) -> ObjectAssembler:
        offers.append(offer)
        return TableAssembler()

    results: list[object] = []
    owner.accept(accept)
    owner.watch(lambda request, outcome: results.append(outcome.result))
    (outcome,) = asker.push([address], TableStreamer(TABLE, name="table")).values()
    assert outcome.delivered
    assert results[-1] == TABLE
    (offer,) = offers
    assert (offer.kind, offer.name, offer.offered, offer.count, offer.size) == (
        "x-table",
        "table",
        True,
        5000,
        None,
    )
    assert offer.attributes == {"columns": ["a", "b"]}


def test_an_object_of_the_applications_own_is_streamed_in_memory() -> None:
    network = MemoryNetwork()
    give_and_take(network.site("owner"), "owner", network.site("asker"))


def test_an_object_of_the_applications_own_is_streamed_over_tcp() -> None:
    with SocketSite("tcp://127.0.0.1:0") as owner, SocketSite() as asker:
        give_and_take(owner, owner.address, asker)


def test_an_object_whose_count_was_announced_wrongly_is_not_delivered() -> None:
    class Wrong(TableStreamer):
        def describe(self) -> Description:
            return Description(self.kind, count=len(self.table) + 1, attributes={"columns": []})

    network = MemoryNetwork()
    owner, asker = network.site("owner"), network.site("asker")
    owner.provide(lambda asked: Wrong(TABLE))
    assembler = TableAssembler()
    problem = failure(lambda: asker.pull("owner", "x-table", "m", assembler))
    assert problem.code is Code.CORRUPT
    assert assembler.discarded == 1


def test_attributes_of_2048_bytes_are_carried() -> None:
    attributes = {"a": "x" * 2042}
    told: list[Description] = []

    class Noted(ContainerStreamer):
        def describe(self) -> Description:
            return Description(self.kind, attributes=attributes)

    class Told(ContainerAssembler):
        def begin(self, description: Description, limits: Limits) -> None:
            told.append(description)
            super().begin(description, limits)

    network = MemoryNetwork()
    owner, asker = network.site("owner"), network.site("asker")
    owner.provide(lambda asked: Noted([1], name="m"))
    assert asker.pull("owner", "container", "m", Told()) == [1]
    assert told[0].attributes == attributes
    attributes["a"] += "x"
    problem = failure(lambda: asker.pull("owner", "container", "m", Told()))
    assert problem.code is Code.TOO_LARGE


@pytest.mark.parametrize(
    "attributes", [{"a": 1.5}, {"a": object()}, {"a": "x" * 5000}, {"a": "\ud800"}, {"a": {1, 2}}]
)
def test_attributes_that_do_not_fit_into_a_frame_are_refused(attributes: dict[str, object]) -> None:
    class Noted(ContainerStreamer):
        def describe(self) -> Description:
            return Description(self.kind, attributes=attributes)

    network = MemoryNetwork()
    owner, asker = network.site("owner"), network.site("asker")
    owner.provide(lambda asked: Noted([1], name="m"))
    problem = failure(lambda: asker.pull("owner", "container", "m", ContainerAssembler()))
    assert problem.code is (Code.TOO_LARGE if attributes == {"a": "x" * 5000} else Code.UNSUPPORTED)
    assert problem.from_peer


def test_a_value_at_fault_is_named_by_its_path_to_both_sides() -> None:
    network = MemoryNetwork()
    owner, asker = network.site("owner"), network.site("asker")
    seen: list[Any] = []
    owner.watch(lambda asked, outcome: seen.append(outcome.error))
    ContainerRetriever(owner).add_container("model", {"head": {"scale": np.zeros(2, object)}})
    problem = failure(lambda: ContainerRetriever(asker).retrieve_container("owner", "model"))
    for error in (problem, seen[0]):
        assert error.code is Code.UNSUPPORTED
        assert error.message.startswith("model['head']['scale']: ")


def test_limits_of_the_receiver_bound_what_is_decoded() -> None:
    network = MemoryNetwork()
    owner, asker = network.site("owner"), network.site("asker")
    ContainerRetriever(owner).add_container("m", [[[[[[1]]]]], *range(100)])
    for limits in (Limits(max_items=50), Limits(max_depth=3), Limits(max_bytes=50)):
        options = Options(limits=limits)
        problem = failure(
            lambda options=options: ContainerRetriever(asker).retrieve_container(
                "owner", "m", options=options
            )
        )
        assert problem.code is Code.TOO_LARGE


def test_progress_is_told_to_the_end() -> None:
    told: list[Any] = []
    network = MemoryNetwork()
    owner, asker = network.site("owner"), network.site("asker")
    ContainerRetriever(owner, chunk=1000).add_container("m", {"a": b"x" * 20_000, "b": 1})
    ContainerRetriever(asker).retrieve_container("owner", "m", options=Options(progress=told.append))
    assert [now.bytes for now in told] == sorted(now.bytes for now in told)
    assert told[-1].bytes == told[-1].size
    assert told[-1].entries == told[-1].count == 2


def test_a_transfer_error_can_be_raised_by_an_observer_with_a_code_of_its_own() -> None:
    def observe(entry: object) -> None:
        raise TransferError(Code.REFUSED, "enough", local="secret")

    receiver, sender, joined = joined_pull([1])
    receiver._assembler = ContainerAssembler(observe=observe)
    joined.run()
    assert code_of(receiver.error) is code_of(sender.error) is Code.REFUSED
    assert "secret" not in str(sender.error)
