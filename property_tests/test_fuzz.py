"""Each fuzz target for a moment, without a tool: the vectors, and what random alterations make of them."""

from __future__ import annotations

import os

import pytest

from objstream import cbor
from objstream.frames import FrameReader
from objstream_conformance.frames import split
from objstream_conformance.vectors import load

from . import ends
from .fuzz import targets
from .fuzz.bounds import timed
from .fuzz.plain import Found, fuzz
from .fuzz.scripts import Writer, noted
from .fuzz.seeds import seeds
from .fuzz.targets import TARGETS
from .planted import Leaky, Negligent

INPUTS = {"quick": 8_000, "ci": 30_000, "thorough": 300_000, "nightly": 3_000_000}
SEED = int(os.environ.get("FUZZ_SEED", "0"))


@pytest.mark.parametrize("name", TARGETS)
def test_nothing_is_found(name: str) -> None:
    inputs = INPUTS[os.environ.get("HYPOTHESIS_PROFILE", "quick")]
    try:
        count, kept = fuzz(timed(TARGETS[name]), seeds(name), inputs=inputs, seed=SEED)
    except Found as found:
        pytest.fail(f"FUZZ_SEED={SEED}: {found.data.hex()}: {found.__cause__!r}")
    assert count == inputs
    assert len(kept) > len(seeds(name)) > 50


@pytest.mark.parametrize("name", ["values", "receiver", "sender"])
def test_every_seed_is_judged_by_its_log_and_in_other_portions(
    name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(targets, "SAMPLE", 1)
    for data in seeds(name):
        TARGETS[name](data)


def lenient_text(data: bytes) -> str:
    return data.decode()


def lenient_header(reader: FrameReader, head: bytes) -> tuple[int, int, int, int]:
    """Takes any flag."""
    type_, _, *rest = cbor.struct.unpack(">BBHIQII", head)
    reader._seq += 1
    return type_, rest[0], rest[1], rest[3]


def test_a_decoder_that_lets_an_error_out_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cbor, "decode_text", lenient_text)
    assert isinstance(found("values"), UnicodeDecodeError)


def test_a_lenient_parser_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(FrameReader, "_header", lenient_header)
    assert "was read from other bytes" in str(found("frames"))


def test_a_receiver_that_leaks_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ends, "Receiver", Leaky)
    assert "a store was finished 0, discarded 0 times" in str(found("receiver"))


def test_a_sender_that_leaks_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ends, "Sender", Negligent)
    assert "a source was closed 0 times" in str(found("sender"))


def found(name: str) -> BaseException | None:
    """What the target raises for the first input that it does not hold for."""
    with pytest.raises(Found) as caught:
        fuzz(TARGETS[name], seeds(name), inputs=8_000, seed=SEED)
    return caught.value.__cause__


def test_scripts_stand_for_the_frames_of_the_vectors() -> None:
    number = 0
    for vector in load().values():
        if not vector.good:
            continue
        writer = Writer()
        for line in vector.lines[1:]:
            (frame,), _ = split(line)
            record = noted(line)
            written = writer.write(record, frame.get("chain"))
            assert written == line, vector.path
            number += 1
    assert number > 300
