"""Content: references and buffers, where frames are cut, the limits on sizes and depth (sections 8.5, 9.4, 9.5)."""

from __future__ import annotations

from dataclasses import replace

from objstream_conformance.cbor import ARRAY, BYTES, MAP, TAG, TEXT, UINT, Raw, Ref, cbor, ext, head, set_of
from objstream_conformance.frames import Type, step

from . import Talk, accept, file, received, reject
from .talks import BUFFERED, FILE, LIST


def framed(talk: Talk, *data: tuple[Type, bytes]) -> Talk:
    """The talk with its content in other frames."""
    steps = (talk.steps[0], *(step(type_, data=part) for type_, part in data), talk.steps[-1])
    return replace(talk, steps=steps, says=((),) * (len(steps) - 1) + talk.says[-1:])


# -- references and buffers

TWO = accept(
    "OSP-BUF-001",
    "two buffers in one list",
    "each reference ends its frame, and its buffer comes next",
    received("list", [ext("bytes", Ref(b"abcd")), ext("str", Ref("é".encode()))], 5),
)
FIRST = TWO.talk.steps[1].fields["data"]
reject(
    "OSP-BUF-001", "bytes after a reference", "skeleton that runs ahead", TWO, 1, {"data": FIRST + b"\x05"}
)
reject(
    "OSP-BUF-002",
    "DATA without a reference",
    "bytes that belong to nothing",
    LIST,
    1,
    step(Type.DATA, data=b"a"),
    cut="meta",
)
reject(
    "OSP-BUF-002",
    "DATA after a buffer",
    "the buffer is complete",
    BUFFERED,
    3,
    step(Type.DATA, data=b"a"),
    cut="meta",
)
PARTS = accept(
    "OSP-BUF-004",
    "a buffer in three frames",
    "as many frames as the sender likes",
    framed(
        BUFFERED.talk,
        (Type.ENTRIES, BUFFERED.talk.steps[1].fields["data"]),
        *((Type.DATA, part) for part in (b"a", b"bc", b"d")),
    ),
)
reject(
    "OSP-BUF-003",
    "ENTRIES inside a buffer",
    "the rest of it would stay what the memory held",
    PARTS,
    3,
    step(Type.ENTRIES, data=b"\x01"),
    cut="meta",
)
reject(
    "OSP-BUF-003",
    "ENTRIES in place of a buffer",
    "nothing of it has come",
    BUFFERED,
    2,
    step(Type.ENTRIES, data=b"\x01"),
    cut="meta",
)
reject(
    "OSP-BUF-004",
    "DATA longer than its buffer",
    "a write past the end",
    BUFFERED,
    Type.DATA,
    {"data": b"abcde"},
    cut="meta",
)
reject(
    "OSP-BUF-004",
    "DATA longer than the rest of its buffer",
    "a write past the end",
    PARTS,
    4,
    {"data": b"de"},
    cut="meta",
)
reject("OSP-BUF-007", "END after a part of a buffer", "the sender forgot the rest", PARTS, 4, None)
reject("OSP-BUF-007", "END in place of a buffer", "the sender forgot it", BUFFERED, Type.DATA, None)
reject(
    "OSP-BUF-008",
    "a reference of length 0",
    "no DATA frame can follow it",
    BUFFERED,
    1,
    {"data": BUFFERED.talk.steps[1].fields["data"][:-1] + b"\x00"},
    schema="value",
)
reject(
    "OSP-BUF-010",
    "ENTRIES in a file",
    "a file is bytes and nothing else",
    FILE,
    1,
    step(Type.ENTRIES, data=b"\x01"),
    cut="meta",
)
accept("OSP-BUF-010", "an empty file", "no content frame at all", file())

SMALL = {"max_bytes": 1000}
LARGE = accept(
    "OSP-BUF-011",
    "a buffer that fits",
    "with the 16 bytes of skeleton before it, it is max_bytes",
    received("list", ext("bytearray", Ref(bytes(984))), options=SMALL),
)
for length in (985, 1 << 40):
    reject(
        "OSP-BUF-011",
        f"a buffer of {length} bytes",
        "it is refused at its reference, before memory is taken",
        LARGE,
        1,
        {"data": cbor(ext("bytearray", Raw(head(UINT, length))))},
        "TOO_LARGE",
    )

# -- arrays: shape and length

MATRIX = accept(
    "OSP-BUF-005",
    "an array of 2 x 2",
    "4 times 4 bytes, beside the skeleton",
    received("list", ext("ndarray", "F32", [2, 2], Ref(bytes(range(16)))), needs=("numpy",)),
)
WITHIN = accept(
    "OSP-BUF-005",
    "an array of 2 x 2 inline",
    "the same within the skeleton",
    received("list", ext("ndarray", "F32", [2, 2], bytes(range(16))), needs=("numpy",)),
)
for title, good, item in (
    ("a shape of more than the buffer", MATRIX, ext("ndarray", "F32", [2, 3], Raw(b"\x10"))),
    ("a shape of less than the buffer", MATRIX, ext("ndarray", "F32", [2], Raw(b"\x10"))),
    ("a dtype of more than the buffer", MATRIX, ext("ndarray", "F64", [2, 2], Raw(b"\x10"))),
    ("a buffer of more than the shape", MATRIX, ext("ndarray", "F32", [2, 2], Raw(b"\x11"))),
    ("a shape of more than the bytes", WITHIN, ext("ndarray", "F32", [2, 3], bytes(range(16)))),
    ("an empty shape with many bytes", WITHIN, ext("ndarray", "F32", [], bytes(range(16)))),
    ("a dimension of 0 with bytes", WITHIN, ext("ndarray", "F32", [2, 2, 0], bytes(range(16)))),
):
    reject("OSP-BUF-005", title, "the two are stated apart", good, 1, {"data": cbor(item)})
NOTHING = accept(
    "OSP-BUF-006",
    "an array without elements",
    "no bytes, whatever the other dimensions are",
    received("list", ext("ndarray", "U8", [3, 0, 5], b""), needs=("numpy",)),
)
for title, shape in (
    ("a product of 2 to the 64", [1 << 32, 1 << 32]),
    ("a product that is 0 in 64 bits", [1 << 62, 1 << 62, 16]),
    ("a dimension of 2 to the 63", [1 << 63, 0]),
    ("more than 2 to the 63 beside a 0", [1 << 40, 0, 1 << 40]),
):
    item = ext("ndarray", "U8", shape, b"")
    schema = "value" if max(shape) >= 1 << 63 else ""
    reject(
        "OSP-BUF-006",
        title,
        "2^32 times 2^32 is 0 in 64 bits",
        NOTHING,
        1,
        {"data": cbor(item)},
        schema=schema,
    )
reject(
    "OSP-BUF-006",
    "65 dimensions",
    "64 are allowed",
    NOTHING,
    1,
    {"data": cbor(ext("ndarray", "U8", [0] * 65, b""))},
)

BOOLS = accept(
    "OSP-BUF-012",
    "an array of booleans",
    "0 and 1",
    received("list", ext("ndarray", "BOOL", [2], b"\0\1"), needs=("numpy",)),
)
FLAGS = accept(
    "OSP-BUF-012",
    "a buffer of booleans",
    "0 and 1, beside the skeleton",
    received("list", ext("ndarray", "BOOL", [4], Ref(b"\0\1\1\0")), needs=("numpy",)),
)
FLAG = accept(
    "OSP-BUF-012",
    "a boolean scalar",
    "a numpy bool",
    received("list", ext("scalar", "BOOL", b"\1"), needs=("numpy",)),
)
MASK = accept(
    "OSP-BUF-012",
    "a tensor of booleans",
    "0 and 1",
    received("list", ext("tensor", "BOOL", [2], False, b"\0\1"), needs=("tensors",)),
)
WHY = "any third value is two different ones"
reject("OSP-BUF-012", "2 in an array", WHY, BOOLS, 1, {"data": cbor(ext("ndarray", "BOOL", [2], b"\0\2"))})
reject("OSP-BUF-012", "255 in a buffer", WHY, FLAGS, Type.DATA, {"data": b"\0\1\xff\0"})
reject("OSP-BUF-012", "2 in a scalar", WHY, FLAG, 1, {"data": cbor(ext("scalar", "BOOL", b"\2"))})
reject(
    "OSP-BUF-012", "3 in a tensor", WHY, MASK, 1, {"data": cbor(ext("tensor", "BOOL", [2], False, b"\3\0"))}
)

# -- where frames are cut

WHOLE = received("dict", "key", [1.5, "é😀"], ext("tuple", "t", 2), 1 << 40)
SKELETON = WHOLE.steps[1].fields["data"]
accept(
    "OSP-ENC-017",
    "every byte in a frame of its own",
    "cut inside heads, floats and characters",
    framed(WHOLE, *((Type.ENTRIES, SKELETON[at : at + 1]) for at in range(len(SKELETON)))),
)
CUT = "aé😀b".encode()
TEXT_PARTS = accept(
    "OSP-ENC-007",
    "a character cut between two frames",
    "text in a buffer is UTF-8 as a whole",
    framed(
        received("list", ext("str", Ref(CUT))),
        (Type.ENTRIES, cbor(ext("str", Raw(head(UINT, len(CUT)))))),
        (Type.DATA, CUT[:2]),
        (Type.DATA, CUT[2:5]),
        (Type.DATA, CUT[5:]),
    ),
)
reject(
    "OSP-ENC-007",
    "a buffer that ends inside a character",
    "it is not valid as a whole",
    TEXT_PARTS,
    4,
    {"data": CUT[5:7] + b"\xc3"},
)
reject(
    "OSP-ENC-007",
    "a buffer with a lone byte",
    "found when the buffer is complete at the latest",
    TEXT_PARTS,
    3,
    {"data": CUT[2:3] + b"\xff" + CUT[4:5]},
    until=4,
)

# -- limits


def nested(levels: int) -> object:
    """Lists around each other."""
    item: list[object] = []
    for _ in range(levels - 1):
        item = [item]
    return item


DEEP = accept("OSP-ENC-013", "128 levels", "as deep as everyone reads", received("list", nested(128)))
OPENING = {
    "lists": b"\x81",
    "dicts": b"\xa1\x01",
    "tuples": cbor(ext("tuple", Raw(b""))),
    "frozensets": cbor(ext("frozenset", Raw(b""))),
}
for what, opening in OPENING.items():
    reject(
        "OSP-ENC-013",
        f"129 levels of {what}",
        "one too many, refused on its head",
        DEEP,
        1,
        {"data": opening * 129},
        "TOO_LARGE",
    )
reject(
    "OSP-ENC-013",
    "4000 levels",
    "some kilobytes of opening brackets must not overflow a stack",
    DEEP,
    1,
    {"data": b"\x81" * 4000},
    "TOO_LARGE",
)

for what, good, opening in (
    ("a list", [1], head(ARRAY, 1 << 60)),
    ("a dict", {1: 1}, head(MAP, 1 << 60)),
    ("a set", set_of(1), head(TAG, 258) + head(ARRAY, 1 << 60)),
    ("a tuple", ext("tuple", 1), head(TAG, 27) + head(ARRAY, 1 << 60) + cbor("tuple")),
):
    one = accept("OSP-ENC-015", f"{what} of one item", "the twin of one of 2^60", received("list", good))
    reject(
        "OSP-ENC-015",
        f"{what} of 2 to the 60 items",
        "refused by its head",
        one,
        1,
        {"data": opening},
        "TOO_LARGE",
    )

for what, good, major in (("bytes", b"a", BYTES), ("text", "a", TEXT)):
    short = accept("OSP-ENC-016", f"inline {what}", "the twin of longer ones", received("list", good))
    for length in (65537, 1 << 60):
        reject(
            "OSP-ENC-016",
            f"{length} {'bytes' if what == 'bytes' else 'bytes of text'} inline",
            "longer ones travel as buffers; refused on its head alone",
            short,
            1,
            {"data": head(major, length)},
            "TOO_LARGE",
        )
BIG = accept(
    "OSP-SEC-010", "bignums", "beyond 64 bits, of either sign", received("list", 2**64, -(2**64) - 1, 2**4000)
)
reject(
    "OSP-SEC-010",
    "a bignum of 65537 bytes",
    "refused on its head: text of it would cost quadratic time",
    BIG,
    1,
    {"data": head(TAG, 2) + head(BYTES, 65537)},
    "TOO_LARGE",
)
