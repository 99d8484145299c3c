"""Arrays that are received into arrays of the application, and types of the application."""

from __future__ import annotations

from fractions import Fraction
from typing import Any

import numpy as np
import pytest

from objstream import Code, Limits, TransferError, cbor
from objstream.values import Piece, Registry, encode

from .codec import decode_all, encode_all, refused, roundtrip


class Places:
    """A destination callback over a dict of paths; it notes what it was asked for."""

    def __init__(self, places: dict[tuple[Any, ...], object]) -> None:
        self.places = places
        self.asked: list[tuple[Any, ...]] = []

    def __call__(self, path: tuple[Any, ...]) -> object:
        self.asked.append(path)
        return self.places.get(path)


@pytest.mark.parametrize("size", [3, 50_000])
def test_an_array_is_filled_in_place(size: int) -> None:
    target = np.zeros(size)
    places = Places({("w", "a", 1, 0): target})
    values = ["b", np.arange(4), "w", {"x": 1, "a": [0, (np.arange(float(size)),)]}, (1, "k"), [np.zeros(0)]]
    result = dict(decode_all(encode_all(values, pairs=True), pairs=True, destination=places))
    assert result["w"]["a"][1][0] is target
    assert np.array_equal(target, np.arange(float(size)))
    assert places.asked == [("b",), ("w", "a", 1, 0), ((1, "k"), 0)]


def test_paths_begin_with_the_index_where_there_are_no_keys() -> None:
    places = Places({})
    decode_all(encode_all([1, np.arange(2), [{2: np.arange(2)}]]), destination=places)
    assert places.asked == [(1,), (2, 0, 2)]


def test_a_memory_map_can_be_filled(tmp_path: Any) -> None:
    target = np.memmap(tmp_path / "array", np.float32, "w+", shape=(7, 5))
    value = np.arange(35, dtype=np.float32).reshape(7, 5)
    (result,) = decode_all(encode_all([value]), destination=lambda _: target)
    assert result is target
    assert np.array_equal(np.fromfile(tmp_path / "array", np.float32), value.ravel())


UNFIT: dict[str, Any] = {
    "other dtype": np.zeros((2, 3), np.float32),
    "other shape": np.zeros((3, 2)),
    "other number of dimensions": np.zeros(6),
    "big-endian": np.zeros((2, 3), ">f8"),
    "Fortran order": np.zeros((2, 3), order="F"),
    "strided": np.zeros((2, 6))[:, ::2],
    "read-only": np.broadcast_to(0.0, (2, 3)),
    "list": [[0.0] * 3] * 2,
    "number": 5,
}


@pytest.mark.parametrize("name", UNFIT)
def test_a_destination_that_does_not_fit_is_refused(name: str) -> None:
    values = ["w", [np.ones((2, 3))]]
    error = refused(
        lambda: decode_all(encode_all(values, pairs=True), pairs=True, destination=lambda _: UNFIT[name])
    )
    assert error.code is Code.MISMATCH
    assert error.message.startswith("['w'][0]: ")
    assert "float64" in error.message
    if isinstance(UNFIT[name], np.ndarray):
        assert not np.any(UNFIT[name])


def test_the_refusal_names_both_sides() -> None:
    error = refused(
        lambda: decode_all(encode_all([np.ones((2, 3))]), destination=lambda _: UNFIT["other dtype"])
    )
    assert error.message == "[0]: float64 (2, 3) arrives, the destination is float32 (2, 3)"


def test_a_destination_callback_that_fails_is_a_failure_of_the_store() -> None:
    def fail(_: tuple[Any, ...]) -> object:
        raise KeyError("no such place")

    def refuse(_: tuple[Any, ...]) -> object:
        raise TransferError(Code.MISMATCH, "no such place")

    parts = encode_all([np.arange(3)])
    assert refused(lambda: decode_all(parts, destination=fail)).code is Code.STORE_FAILED
    assert refused(lambda: decode_all(parts, destination=refuse)).code is Code.MISMATCH


def fractions() -> Registry:
    registry = Registry()
    registry.register(
        Fraction, "fraction@1", lambda f: (f.numerator, f.denominator), lambda pair: Fraction(*pair)
    )
    return registry


@pytest.mark.parametrize("step", [1, 1 << 20])
def test_registered_types_arrive(step: int) -> None:
    value = [Fraction(1, 3), {"a": (Fraction(5),)}]
    assert roundtrip(value, registry=fractions(), step=step) == value


def test_the_name_and_the_value_are_what_travels() -> None:
    ((_, data),) = encode_all([Fraction(1, 3)], registry=fractions())
    assert (
        data == cbor.extension("app", 2) + cbor.text("fraction@1") + cbor.extension("tuple", 2) + b"\x01\x03"
    )


def test_a_registered_type_may_hold_large_values_but_no_destination_is_asked_for() -> None:
    class Layer:
        def __init__(self, weights: Any) -> None:
            self.weights = weights

    registry = Registry()
    registry.register(Layer, "layer@1", lambda layer: {"w": layer.weights}, lambda state: Layer(state["w"]))
    places = Places({})
    value = Layer(np.arange(100_000))
    (result,) = decode_all(encode_all([value], registry=registry), registry=registry, destination=places)
    assert np.array_equal(result.weights, value.weights)
    assert places.asked == []


def test_types_are_refused_without_registration_and_as_keys() -> None:
    assert refused(lambda: encode_all([Fraction(1)])).code is Code.UNSUPPORTED
    assert refused(lambda: encode_all([{Fraction(1): 1}], registry=fractions())).code is Code.UNSUPPORTED
    assert refused(lambda: encode_all([{Fraction(1)}], registry=fractions())).code is Code.UNSUPPORTED
    parts = encode_all([Fraction(1)], registry=fractions())
    error = refused(lambda: decode_all(parts))
    assert error.code is Code.UNSUPPORTED
    assert "fraction@1" in error.message
    ((_, data),) = parts
    for opening in (b"\xa1", b"\xd9\x01\x02\x81"):
        hashed = [(Piece.ENTRIES, opening + data + b"\xf6")]
        assert refused(lambda hashed=hashed: decode_all(hashed, registry=fractions())).code is Code.PROTOCOL


def test_subclasses_of_a_registered_type_are_refused() -> None:
    class Half(Fraction):
        pass

    assert refused(lambda: encode_all([Half(1, 2)], registry=fractions())).code is Code.UNSUPPORTED


def test_failing_callbacks_are_failures_of_the_site_that_has_them() -> None:
    def fail(_: Any) -> Any:
        raise OSError("/secret")

    registry = Registry()
    registry.register(Fraction, "fraction@1", fail, fail)
    error = refused(lambda: encode_all([[Fraction(1)]], registry=registry))
    assert error.code is Code.SOURCE_FAILED
    assert error.message.startswith("m[0][0]: ")
    assert "secret" not in error.message
    assert isinstance(error.__cause__, OSError)
    parts = encode_all([[Fraction(1)]], registry=fractions())
    error = refused(lambda: decode_all(parts, registry=registry))
    assert error.code is Code.STORE_FAILED
    assert "secret" not in error.message
    assert isinstance(error.__cause__, OSError)


def test_an_encoder_must_give_a_value_and_a_decoder_an_instance() -> None:
    registry = Registry()
    registry.register(Fraction, "fraction@1", lambda _: object(), lambda _: 1)
    assert refused(lambda: encode_all([Fraction(1)], registry=registry)).code is Code.UNSUPPORTED
    parts = encode_all([Fraction(1)], registry=fractions())
    assert refused(lambda: decode_all(parts, registry=registry)).code is Code.STORE_FAILED


def test_encoders_that_go_round_in_circles_are_stopped() -> None:
    class Node:
        def __init__(self) -> None:
            self.next: Any = self

    registry = Registry()
    registry.register(Node, "node@1", lambda node: [node.next], lambda _: Node())
    assert refused(lambda: encode_all([Node()], registry=registry)).code is Code.UNSUPPORTED
    registry = Registry()
    registry.register(Node, "node@1", lambda _: [Node()], lambda _: Node())
    assert refused(lambda: encode_all([Node()], registry=registry)).code is Code.TOO_LARGE


@pytest.mark.parametrize(
    "name", ["fraction", "@1", "fraction@", "fraction@one", "a b@1", "x" * 255 + "@1", "é@1", "a@1\n"]
)
def test_malformed_names_cannot_be_registered(name: str) -> None:
    with pytest.raises(ValueError, match="name@version"):
        Registry().register(Fraction, name, str, Fraction)


def test_a_registration_is_made_once() -> None:
    registry = fractions()
    with pytest.raises(ValueError, match="already"):
        registry.register(Fraction, "fraction@2", str, Fraction)
    with pytest.raises(ValueError, match="already"):
        registry.register(range, "fraction@1", str, range)
    for cls in (int, list, dict, np.ndarray, np.float32):
        with pytest.raises(ValueError, match="already"):
            registry.register(cls, "x@1", str, cls)


def test_an_error_of_the_callback_reaches_the_generator() -> None:
    def refuse(_: Any) -> Any:
        raise TransferError(Code.REFUSED, "not this one")

    registry = Registry()
    registry.register(Fraction, "fraction@1", refuse, refuse)
    pieces = encode([("m", Fraction(1))], limits=Limits(), registry=registry)
    assert refused(lambda: next(pieces)).code is Code.REFUSED
    parts = encode_all([Fraction(1)], registry=fractions())
    assert refused(lambda: decode_all(parts, registry=registry)).code is Code.REFUSED
