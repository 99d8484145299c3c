"""Digests and the chain, held against values computed another way."""

from __future__ import annotations

import hashlib
import importlib.util
import sys
from types import ModuleType

import pytest

from objstream import Code, digests
from objstream.digests import Chain, choose
from objstream.meta import CHAIN_BYTES

from .helpers import failure

ABC = {
    "sha-256": "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad",
    "blake3": "6437b3ac38465133ffb63b75273a8db548c558465d79db03fd359c6cd5bd9d85",
    "xxh3-128": "06b05ab6733a618578af5f94892f3950",
    "none": "",
}


@pytest.mark.parametrize("name", ABC)
def test_each_algorithm_gives_the_published_digest_of_abc(name: str) -> None:
    hasher = digests.ALGORITHMS[name]()
    hasher.update(memoryview(b"a"))
    hasher.update(memoryview(b"bc"))
    assert hasher.digest().hex() == ABC[name]


def test_no_digest_is_never_offered_by_default() -> None:
    assert digests.DEFAULT == ("blake3", "xxh3-128", "sha-256")


def test_without_the_fast_libraries_sha_256_is_left(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "blake3", None)
    monkeypatch.setitem(sys.modules, "xxhash", None)
    alone = _another_copy(digests)
    assert alone.DEFAULT == ("sha-256",)
    assert set(alone.ALGORITHMS) == {"sha-256", "none"}


def _another_copy(module: ModuleType) -> ModuleType:
    spec = importlib.util.spec_from_file_location("objstream._copy", module.__file__)
    assert spec is not None
    assert spec.loader is not None
    copy = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(copy)
    return copy


@pytest.mark.parametrize(
    ("offered", "accepted", "chosen"),
    [
        (["sha-256"], ["sha-256"], "sha-256"),
        (["blake3", "sha-256"], ["sha-256", "blake3"], "blake3"),
        (["sha-256", "blake3"], ["blake3", "sha-256"], "sha-256"),
        (["md5", "of-tomorrow", "sha-256"], ["sha-256"], "sha-256"),
        (["of-tomorrow", "sha-256"], ["of-tomorrow", "sha-256"], "sha-256"),
        (["none", "sha-256"], ["sha-256"], "sha-256"),
        (["none", "sha-256"], ["sha-256", "none"], "none"),
    ],
)
def test_the_first_of_the_receivers_list_that_the_sender_has_is_chosen(
    offered: list[str], accepted: list[str], chosen: str
) -> None:
    assert choose(offered, accepted) == chosen


@pytest.mark.parametrize(
    ("offered", "accepted"), [(["md5"], ["sha-256"]), (["none"], ["sha-256"]), (["SHA-256"], ["sha-256"])]
)
def test_nothing_in_common_is_an_error_that_says_what_there_was(
    offered: list[str], accepted: list[str]
) -> None:
    problem = failure(lambda: choose(offered, accepted))
    assert problem.code is Code.DIGEST
    assert offered[0] in problem.message
    assert accepted[0] in problem.message


def test_the_chain_is_what_the_specification_computes() -> None:
    chain = Chain("dict")
    expected = hashlib.sha256(b"dict").digest()
    assert chain.value == expected
    for type_, length, digest in ((4, 14, b"\x01" * 32), (5, 2**32 - 1, b"\x02" * 16), (5, 1, b"")):
        chain.add(type_, length, digest)
        expected = hashlib.sha256(expected + bytes([type_]) + length.to_bytes(4, "big") + digest).digest()
        assert chain.value == expected
    assert len(chain.value) == CHAIN_BYTES


def test_kind_type_length_digest_and_order_all_count() -> None:
    def chained(kind: str, *frames: tuple[int, int, bytes]) -> bytes:
        chain = Chain(kind)
        for frame in frames:
            chain.add(*frame)
        return chain.value

    values = {
        chained("dict"),
        chained("list"),
        chained("dict", (4, 1, b"a")),
        chained("dict", (5, 1, b"a")),
        chained("dict", (4, 2, b"a")),
        chained("dict", (4, 1, b"b")),
        chained("dict", (4, 1, b"a"), (5, 1, b"b")),
        chained("dict", (5, 1, b"b"), (4, 1, b"a")),
    }
    assert len(values) == 8
