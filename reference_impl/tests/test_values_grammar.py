"""The decoder takes exactly the grammar: one form for each value, and nothing beside it."""

from __future__ import annotations

import struct
from typing import Any

import pytest

from objstream import Code, Limits, TransferError, cbor
from objstream.values import Decoder, Piece, Registry

from .codec import decode_all, decode_refusal, fill, refused, roundtrip, skeleton


def ext(name: str, *arguments: bytes) -> bytes:
    return cbor.extension(name, len(arguments)) + b"".join(arguments)


def h(text: str) -> bytes:
    return bytes.fromhex(text)


def f(value: float) -> bytes:
    return b"\xfb" + struct.pack(">d", value)


def t(text: str) -> bytes:
    return cbor.text(text)


def b(data: bytes) -> bytes:
    return cbor.head(cbor.BYTES, len(data)) + data


I = cbor.integer  # noqa: E741

TRUE, FALSE, NULL = b"\xf5", b"\xf4", b"\xf6"
NOON = [I(2024), I(2), I(29), I(12), I(0), I(0), I(0)]

NOT_IN_THE_GRAMMAR = {
    "indefinite list": h("9fff"),
    "indefinite map": h("bfff"),
    "indefinite bytes": h("5f4100ff"),
    "indefinite text": h("7f6161ff"),
    "break": h("ff"),
    "long head": h("1817"),
    "long head of a list": h("980100"),
    "long head of a text": h("78016161"),
    "long head of a tag": h("da0000001b81657475706c65"),
    "float16": h("f93c00"),
    "float32": h("fa3f800000"),
    "undefined": h("f7"),
    "simple 16": h("f0"),
    "simple in a byte": h("f820"),
    "simple 0": h("e0"),
    "reserved 28": h("1c"),
    "tag 0": h("c06161"),
    "tag 1": h("c11a00000000"),
    "tag 24": h("d8184100"),
    "self-described": h("d9d9f700"),
    "bignum within 64 bits": h("c248ffffffffffffffff"),
    "bignum with a leading zero": h("c249000000000000000001"),
    "bignum with a leading zero and enough bytes": h("c24a0001000000000000000000"),
    "empty bignum": h("c240"),
    "negative bignum within 64 bits": h("c348ffffffffffffffff"),
    "bignum on a text": h("c26161"),
    "bignum on an integer": h("c201"),
    "tag 258 on a map": h("d90102a0"),
    "tag 258 on an integer": h("d9010201"),
    "tag 27 on a text": h("d81b657475706c65"),
    "extension without a name": h("d81b80"),
    "extension without a name before a text": h("d81b80657475706c65"),
    "extension with a name that is a number": h("d81b8101"),
    "extension with a name that is bytes": h("d81b81457475706c65"),
    "invalid UTF-8": h("62c328"),
    "overlong UTF-8": h("62c080"),
    "surrogate in UTF-8": h("63eda080"),
    "text that ends inside a character": h("61c3"),
    "invalid UTF-8 in a longer text": h("7818") + b"a" * 23 + b"\xff",
    "invalid UTF-8 in the name of an extension": h("d81b8161ff"),
    "two equal keys": h("a2616101616102"),
    "keys that are equal numbers": h("a20101f502"),
    "integer and float keys that are equal": h("a20101") + f(1.0) + h("02"),
    "list as a key": h("a18001"),
    "map as a key": h("a1a001"),
    "set as a key": h("a1d9010280") + h("01"),
    "bytearray as a key": h("a1") + ext("bytearray", b(b"")) + h("01"),
    "datetime as a key": h("a1") + ext("date", I(1), I(1), I(1)) + h("01"),
    "numpy scalar as a key": h("a1") + ext("scalar", t("U8"), b(b"a")) + h("01"),
    "array as a key": h("a1") + ext("ndarray", t("U8"), h("80"), b(b"a")) + h("01"),
    "tuple with a list as a key": h("a1") + ext("tuple", h("80")) + h("01"),
    "tuple with a date as a key": h("a1") + ext("tuple", ext("date", I(1), I(1), I(1))) + h("01"),
    "frozenset with a date as a key": h("a1") + ext("frozenset", ext("date", I(1), I(1), I(1))) + h("01"),
    "two equal elements": h("d90102820101"),
    "two equal elements of a frozenset": ext("frozenset", I(1), I(1)),
    "list in a set": h("d901028180"),
    "map in a frozenset": ext("frozenset", h("a0")),
    "set in a set": h("d9010281d9010280"),
    "tuple with a list in a set": h("d9010281") + ext("tuple", h("80")),
    "array in a set": h("d9010281") + ext("ndarray", t("U8"), h("80"), b(b"a")),
    "decimal without a hash in a set": h("d9010281") + ext("decimal", t("sNaN")),
    "elements that cannot be compared": h("d9010282")
    + ext("decimal", t("5"))
    + ext("scalar", t("U8"), b(b"\x05")),
    "elements of a frozenset that cannot be compared": ext(
        "frozenset", ext("scalar", t("U8"), b(b"\x05")), ext("decimal", t("5"))
    ),
    "complex of integers": ext("complex", I(1), I(2)),
    "complex with one part": ext("complex", f(1)),
    "complex with three parts": ext("complex", f(1), f(1), f(1)),
    "date of month 13": ext("date", I(2024), I(13), I(1)),
    "date of 30 February": ext("date", I(2024), I(2), I(30)),
    "date of year 0": ext("date", I(0), I(1), I(1)),
    "date of a huge year": ext("date", I(2**64 - 1), I(1), I(1)),
    "date of floats": ext("date", f(2024), I(1), I(1)),
    "date with a bool": ext("date", I(2024), TRUE, I(1)),
    "date with a negative day": ext("date", I(2024), I(1), I(-1)),
    "date with a bignum": ext("date", h("c249010000000000000000"), I(1), I(1)),
    "datetime of fold 2": ext("datetime", *NOON, I(2), NULL),
    "datetime of fold True": ext("datetime", *NOON, TRUE, NULL),
    "datetime with an offset of a day": ext("datetime", *NOON, I(0), I(86_400_000_000)),
    "datetime with a huge offset": ext("datetime", *NOON, I(0), I(-(2**64))),
    "datetime with a zone of text": ext("datetime", *NOON, I(0), t("UTC")),
    "datetime with a zone of one argument": ext("datetime", *NOON, I(0), h("8100")),
    "datetime with a zone without offset": ext("datetime", *NOON, I(0), h("82f66161")),
    "datetime with a zone named by bytes": ext("datetime", *NOON, I(0), h("82004161")),
    "datetime with a zone of a long name": ext("datetime", *NOON, I(0), h("8200") + t("x" * 256)),
    "datetime with a nested zone": ext("datetime", *NOON, I(0), h("820080")),
    "datetime without zone": ext("datetime", *NOON, I(0)),
    "time of hour 24": ext("time", I(24), I(0), I(0), I(0), I(0), NULL),
    "time of a million microseconds": ext("time", I(0), I(0), I(0), I(1_000_000), I(0), NULL),
    "timedelta that is not normalized": ext("timedelta", I(0), I(86_400), I(0)),
    "timedelta of negative seconds": ext("timedelta", I(0), I(-1), I(0)),
    "timedelta beyond its range": ext("timedelta", I(1_000_000_000), I(0), I(0)),
    "timedelta of floats": ext("timedelta", I(0), I(0), f(0)),
    "decimal that is none": ext("decimal", t("abc")),
    "decimal that is empty": ext("decimal", t("")),
    "decimal with a space": ext("decimal", t(" 1")),
    "decimal with a plus": ext("decimal", t("+1")),
    "decimal with an underscore": ext("decimal", t("1_0")),
    "decimal with a small e": ext("decimal", t("1e+10")),
    "decimal with foreign digits": ext("decimal", t("١")),
    "decimal with a leading zero": ext("decimal", t("01")),
    "decimal with an exponent beyond all": ext("decimal", t("1E+9999999999999999999")),
    "decimal with an exponent below the range": ext("decimal", t("1E-1000000000000000000")),
    "zero with an exponent below the range": ext("decimal", t("0E-1000000000000000000")),
    "decimal with zeros in front of a payload": ext("decimal", t("NaN007")),
    "decimal by its other name for infinity": ext("decimal", t("inf")),
    "decimal of an integer": ext("decimal", I(1)),
    "decimal of bytes": ext("decimal", b(b"1")),
    "uuid of 15 bytes": ext("uuid", b(bytes(15))),
    "uuid of 17 bytes": ext("uuid", b(bytes(17))),
    "uuid of text": ext("uuid", t("x" * 16)),
    "bytes inline in an extension": ext("bytes", b(b"a")),
    "text inline in an extension": ext("str", t("a")),
    "bytes of no length": ext("bytes", I(0)),
    "text of no length": ext("str", I(0)),
    "bytes of negative length": ext("bytes", I(-1)),
    "bytes without length": ext("bytes"),
    "bytearray of text": ext("bytearray", t("a")),
    "bytearray of no length": ext("bytearray", I(0)),
    "bytearray of a list": ext("bytearray", h("80")),
    "array of an unknown dtype": ext("ndarray", t("F128"), h("8101"), b(bytes(16))),
    "array of a torch dtype": ext("ndarray", t("BF16"), h("8101"), b(bytes(2))),
    "array whose dtype is bytes": ext("ndarray", b(b"U8"), h("8101"), b(b"a")),
    "array whose shape is a number": ext("ndarray", t("U8"), I(1), b(b"a")),
    "array whose shape is a tuple": ext("ndarray", t("U8"), ext("tuple", I(1)), b(b"a")),
    "array of negative length": ext("ndarray", t("U8"), h("8120"), b(b"a")),
    "array of a float length": ext("ndarray", t("U8"), h("81") + f(1.0), b(b"a")),
    "array of a bool length": ext("ndarray", t("U8"), h("81f5"), b(b"a")),
    "array with too few bytes": ext("ndarray", t("F64"), h("8102"), b(bytes(15))),
    "array with too many bytes": ext("ndarray", t("F64"), h("8102"), b(bytes(17))),
    "array of nothing with bytes": ext("ndarray", t("F64"), h("8100"), b(bytes(8))),
    "array of nothing with a reference": ext("ndarray", t("F64"), h("8100"), I(0)),
    "array with a reference that is too short": ext("ndarray", t("F64"), h("8102"), I(15)),
    "array of 65 dimensions": ext("ndarray", t("U8"), h("9841") + b"\x01" * 65, b(b"a")),
    "array of 2**63 elements": ext("ndarray", t("U8"), h("811b8000000000000000"), I(1)),
    "array whose size overflows": ext("ndarray", t("F64"), h("821b10000000000000001b1000000000000000"), I(1)),
    "array whose size overflows to nothing": ext("ndarray", t("F64"), h("82001b4000000000000000"), b(b"")),
    "array with text as data": ext("ndarray", t("U8"), h("8101"), t("a")),
    "array of bools that are none": ext("ndarray", t("BOOL"), h("8102"), b(b"\x01\x02")),
    "shape that announces too many dimensions": cbor.extension("ndarray", 3) + t("U8") + h("9841"),
    "array in array": ext("ndarray", t("U8"), h("818101"), b(b"a")),
    "scalar of two elements": ext("scalar", t("U8"), b(b"ab")),
    "scalar of an unknown dtype": ext("scalar", t("X"), b(b"a")),
    "scalar of a torch dtype": ext("scalar", t("F8_E4M3"), b(b"a")),
    "scalar by reference": ext("scalar", t("U8"), I(1)),
    "scalar that is no bool": ext("scalar", t("BOOL"), b(b"\x02")),
    "argument by reference": ext("ndarray", ext("str", I(2)), h("80"), b(b"a")),
    "argument with a tag": ext("uuid", ext("bytes", I(16))),
    "argument that is a map": ext("uuid", h("a0")),
    "tensor with a flag that is a number": ext("tensor", t("F32"), h("80"), I(1), b(bytes(4))),
    "tensor of integers with gradients": ext("tensor", t("I32"), h("80"), TRUE, b(bytes(4))),
    "tensor without flag": ext("tensor", t("F32"), h("80"), b(bytes(4))),
    "application type without version": ext("app", t("name"), NULL),
    "application type without value": ext("app", t("name@1")),
    "application type with two values": ext("app", t("name@1"), NULL, NULL),
    "application type named by bytes": ext("app", b(b"name@1"), NULL),
    "application type with a path for a name": ext("app", t("os.system; @1"), NULL),
}
TORCH = {name for name in NOT_IN_THE_GRAMMAR if name.startswith("tensor")}


@pytest.mark.parametrize("name", sorted(NOT_IN_THE_GRAMMAR.keys() - TORCH))
def test_what_is_not_in_the_grammar_is_refused(name: str) -> None:
    assert decode_refusal(NOT_IN_THE_GRAMMAR[name]) is Code.PROTOCOL


@pytest.mark.parametrize("name", sorted(TORCH))
def test_tensors_that_are_not_in_the_grammar_are_refused(name: str) -> None:
    pytest.importorskip("torch")
    assert decode_refusal(NOT_IN_THE_GRAMMAR[name]) is Code.PROTOCOL


UNSUPPORTED = {
    "unknown extension": ext("unknown", I(1)),
    "extension with a long name": ext("x" * 3000, I(1)),
    "extension without name": ext("", I(1)),
    "name in capitals": ext("Tuple", I(1)),
    "pickle": ext("pickle", b(b"cos\nsystem\n(S'true'\ntR.")),
    "unregistered application type": ext("app", t("name@1"), NULL),
}


@pytest.mark.parametrize("name", UNSUPPORTED)
def test_what_this_side_lacks_is_refused_as_such(name: str) -> None:
    assert decode_refusal(UNSUPPORTED[name]) is Code.UNSUPPORTED


def test_another_version_of_an_application_type_is_refused() -> None:
    registry = Registry()
    registry.register(range, "range@1", lambda value: value.stop, range)
    assert decode_refusal(ext("app", t("range@2"), I(1)), registry=registry) is Code.UNSUPPORTED


@pytest.mark.parametrize(
    "data",
    [
        h("5a00010001"),
        h("7a00010001"),
        h("5bffffffffffffffff"),
        h("c25a00010001"),
        h("d81b817a00010001"),
        h("9bffffffffffffffff"),
        h("bbffffffffffffffff"),
        h("d901029bffffffffffffffff"),
        h("d81b9bffffffffffffffff657475706c65"),
        ext("bytes", I(2**63)),
        ext("str", I(2**63)),
        ext("bytearray", I(2**63)),
        ext("ndarray", t("U8"), h("811b7fffffffffffffff"), I(2**63 - 1)),
        h("a19bffffffffffffffff"),
        h("a1d901029bffffffffffffffff"),
        h("c27a00010001"),
        h("d81b815a00010001"),
        h("d81b84" + "6464617465" + "7a00010001"),
    ],
    ids=bytes.hex,
)
def test_announced_sizes_beyond_the_limits_are_refused_on_their_head(data: bytes) -> None:
    assert decode_refusal(data, limits=Limits(max_bytes=1 << 40)) is Code.TOO_LARGE


def test_the_limit_of_bytes_counts_skeleton_and_buffers() -> None:
    data = ext("bytes", I(100))
    limits = Limits(max_bytes=len(data) + 100)
    assert decode_all([(Piece.ENTRIES, data), (Piece.DATA, bytes(100))], limits=limits) == [bytes(100)]
    limits = Limits(max_bytes=len(data) + 99)
    assert decode_refusal(data, limits=limits) is Code.TOO_LARGE
    parts = [(Piece.ENTRIES, data), (Piece.DATA, bytes(100)), (Piece.ENTRIES, NULL)]
    limits = Limits(max_bytes=len(data) + 100)
    assert refused(lambda: decode_all(parts, limits=limits)).code is Code.TOO_LARGE


@pytest.mark.parametrize("opening", [h("81"), h("a101"), ext("tuple", b"")])
def test_depth_is_limited(opening: bytes) -> None:
    assert decode_refusal(opening * 200) is Code.TOO_LARGE
    limits = Limits(max_depth=1)
    assert decode_refusal(opening * 2 + NULL, limits=limits) is Code.TOO_LARGE


def test_depth_up_to_the_limit_is_taken() -> None:
    for opening, leaf in ((h("81"), []), (ext("tuple", b""), ())):
        (value,) = decode_all([(Piece.ENTRIES, opening * 127 + (h("80") if leaf == [] else ext("tuple")))])
        for _ in range(127):
            (value,) = value
        assert value == leaf


def test_items_are_limited_wherever_they_are() -> None:
    limits = Limits(max_items=10)
    for data, count in ((NULL, 10), (h("82f6f6"), 3), (h("a101f6"), 3), (ext("tuple", NULL), 5)):
        assert len(decode_all([(Piece.ENTRIES, data * count)], limits=limits)) == count
        assert decode_refusal(data * (count + 1), limits=limits) is Code.TOO_LARGE
    (pair,) = decode_all([(Piece.ENTRIES, NULL * 2)], limits=Limits(max_items=2), pairs=True)
    assert pair == (None, None)
    assert decode_refusal(NULL + h("01"), limits=Limits(max_items=1), pairs=True) is Code.TOO_LARGE


def test_content_that_ends_early_is_refused() -> None:
    whole = skeleton([1, "abc", {"k": (1.5, 2**70)}, b"xy", {3}])
    for end in range(1, len(whole)):
        assert refused(lambda end=end: decode_all([(Piece.ENTRIES, whole[:end])])).code is Code.PROTOCOL
    assert refused(lambda: decode_all([(Piece.ENTRIES, h("01"))], pairs=True)).code is Code.PROTOCOL


def test_a_buffer_that_ends_early_is_refused() -> None:
    for done in (0, 5):
        decoder = Decoder(print, limits=Limits())
        decoder.feed(ext("bytes", I(10)))
        fill(decoder, bytes(done))
        assert refused(decoder.finish).code is Code.PROTOCOL


def test_skeleton_bytes_inside_a_buffer_are_refused() -> None:
    for data in (ext("bytes", I(10)) + NULL, h("82") + ext("bytearray", I(10)) + NULL):
        assert decode_refusal(data) is Code.PROTOCOL
    decoder = Decoder(print, limits=Limits())
    decoder.feed(ext("bytes", I(10)))
    assert decoder.remaining == 10
    decoder.feed(b"")
    assert refused(lambda: decoder.feed(NULL)).code is Code.PROTOCOL


@pytest.mark.parametrize("data", [h("ff"), h("c3"), "é".encode()[:1] + b"x"])
def test_text_in_a_buffer_is_checked(data: bytes) -> None:
    parts = [(Piece.ENTRIES, ext("str", I(len(data)))), (Piece.DATA, data)]
    assert refused(lambda: decode_all(parts)).code is Code.PROTOCOL
    assert refused(lambda: decode_all(parts, step=1)).code is Code.PROTOCOL


def test_text_in_a_buffer_is_judged_when_it_is_complete() -> None:
    decoder = Decoder(lambda _: None, limits=Limits())
    decoder.feed(ext("str", I(600_000)))
    fill(decoder, b"\xff" * 599_999)
    assert refused(lambda: fill(decoder, b"a")).code is Code.PROTOCOL


def test_bools_in_a_buffer_are_checked() -> None:
    parts = [(Piece.ENTRIES, ext("ndarray", t("BOOL"), h("8103"), I(3))), (Piece.DATA, h("010003"))]
    assert refused(lambda: decode_all(parts)).code is Code.PROTOCOL


def test_short_buffers_are_as_good_as_inline_bytes() -> None:
    for name in ("bytes", "bytearray", "str"):
        parts = [(Piece.ENTRIES, ext(name, I(1))), (Piece.DATA, b"a")]
        assert decode_all(parts) in ([b"a"], ["a"])


def test_duplicates_among_top_level_keys_and_elements_of_the_wrong_type() -> None:
    assert decode_refusal(h("8001"), pairs=True) is Code.PROTOCOL
    assert decode_refusal(h("80"), elements=True) is Code.PROTOCOL
    assert decode_refusal(ext("date", I(1), I(1), I(1)), pairs=True) is Code.PROTOCOL
    assert decode_all([(Piece.ENTRIES, ext("date", I(1), I(1), I(1)))], elements=True)


def test_nothing_landed_is_nothing_done() -> None:
    decoder = Decoder(print, limits=Limits())
    decoder.filled(0)
    decoder.feed(ext("bytes", I(10)))
    decoder.filled(0)
    assert decoder.remaining == 10


def test_after_an_error_nothing_more_is_taken() -> None:
    decoder = Decoder(print, limits=Limits())
    first = refused(lambda: decoder.feed(h("ff")))
    assert first.code is Code.PROTOCOL
    for action in (lambda: decoder.feed(NULL), lambda: decoder.feed(b""), decoder.finish):
        again = refused(action)
        assert (again.code, again.message) == (first.code, first.message)
    assert decoder.buffer() is None


def test_more_bytes_than_are_missing_are_a_mistake_of_the_caller() -> None:
    decoder = Decoder(print, limits=Limits())
    with pytest.raises(ValueError, match="missing"):
        decoder.filled(1)


def test_the_error_names_the_place() -> None:
    data = skeleton({"layers": [0, (1, 2)]})
    bad = data[:-1] + h("f7")
    assert refused(lambda: decode_all([(Piece.ENTRIES, bad)])).message.startswith("[0]['layers'][1][1]: ")
    parts = [(Piece.ENTRIES, t("w") + h("81f7"))]
    assert refused(lambda: decode_all(parts, pairs=True)).message.startswith("['w'][0]: ")


def test_what_on_item_raises_is_a_failure_of_the_store() -> None:
    def fail(_: Any) -> None:
        raise OSError("disk full: /secret")

    decoder = Decoder(fail, limits=Limits())
    error = refused(lambda: decoder.feed(NULL))
    assert error.code is Code.STORE_FAILED
    assert "secret" not in error.message
    assert "secret" in error.local
    assert isinstance(error.__cause__, OSError)

    def refuse(_: Any) -> None:
        raise TransferError(Code.REFUSED, "no")

    assert refused(lambda: Decoder(refuse, limits=Limits()).feed(NULL)).code is Code.REFUSED


def test_a_hash_that_is_not_a_number_is_its_own() -> None:
    value = {float("nan"): 1, (float("nan"),): 2}
    assert len(roundtrip(value)) == 2
