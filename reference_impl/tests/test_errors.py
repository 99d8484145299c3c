"""The codes, the one exception, and the limits."""

from __future__ import annotations

import copy
import os
import pickle

import pytest

from objstream import Code, Limits, TransferError, limits
from objstream.errors import MEANING


def test_every_code_has_a_meaning_for_people() -> None:
    assert set(MEANING) == set(Code)
    assert len(set(MEANING.values())) == len(Code)


def test_the_numbers_are_those_of_the_wire_for_ever() -> None:
    names = """PROTOCOL VERSION DIGEST NOT_FOUND REFUSED UNSUPPORTED TOO_LARGE CORRUPT SOURCE_CHANGED SOURCE_FAILED
        STORE_FAILED CANCELLED STALLED LOST UNCONFIRMED MISMATCH BUSY"""
    assert {code.name: int(code) for code in Code} == dict(zip(names.split(), range(1, 18), strict=True))


def test_an_error_without_message_says_what_its_code_means() -> None:
    assert TransferError(Code.BUSY).message == "the site has too many sessions"


@pytest.mark.parametrize(
    ("problem", "text"),
    [
        (TransferError(Code.CORRUPT, "m: altered"), "CORRUPT: m: altered"),
        (TransferError(Code.LOST, "m: gone", local="errno 104"), "LOST: m: gone (errno 104)"),
        (TransferError(Code.REFUSED, "not you", from_peer=True), "REFUSED: peer: not you"),
        (TransferError(Code.REFUSED, "no", local="x", from_peer=True), "REFUSED: peer: no (x)"),
    ],
)
def test_the_text_of_an_error_joins_its_parts(problem: TransferError, text: str) -> None:
    assert str(problem) == text


def test_an_error_shows_code_and_message_to_those_who_look_at_its_arguments() -> None:
    assert TransferError(Code.REFUSED, "no", local="secret").args == (Code.REFUSED, "no")


@pytest.mark.parametrize("again", [lambda e: pickle.loads(pickle.dumps(e)), copy.copy, copy.deepcopy])
def test_an_error_survives_being_carried_to_another_process(again: object) -> None:
    problem = TransferError(Code.STORE_FAILED, "m: not stored", local="/disk: full", from_peer=True)
    same = again(problem)  # type: ignore[operator]
    assert type(same) is TransferError
    assert type(same.code) is Code
    assert vars(same) == vars(problem)
    assert str(same) == str(problem)


def test_the_default_limit_on_an_object_is_the_physical_memory() -> None:
    assert Limits().max_bytes == os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")


def test_where_the_system_does_not_know_its_memory_a_tebibyte_is_taken(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def unknown(name: str) -> int:
        raise ValueError(name)

    monkeypatch.setattr(limits.os, "sysconf", unknown)
    assert Limits().max_bytes == 1 << 40
