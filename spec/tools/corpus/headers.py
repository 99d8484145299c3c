"""Headers: checksums, flags, types, numbers, lengths, and where a stream begins and ends (chapter 8)."""

from __future__ import annotations

from dataclasses import replace

from objstream_conformance.cbor import BYTES, cbor, head
from objstream_conformance.frames import HEADER, IGNORABLE, PREFACE, SIGN_OF_LIFE, Author, Step, Type, step

from . import Talk, Vector, accept, reject, reject_stream
from .talks import BUFFERED, EACH, FILE, LIST, PULL, PUSHED, after_end

# -- the preface

for role, good in (("requester", LIST), ("owner", PULL)):
    for title, preface in (
        ("another protocol", b"HTTP/1.1"),
        ("line ends converted", b"\x89OSP\n\x1a\n" + b"\x02"),
        ("the high bit lost", b"\x09OSP\r\n\x1a\n"),
        ("the last byte altered", b"\x89OSP\r\n\x1a\x0b"),
    ):
        assert len(preface) == len(PREFACE)
        reject_stream(
            "OSP-FRM-002",
            f"{role}: {title}",
            "eight bytes tell that this is no peer, or no clean channel",
            good,
            replace(good.talk, preface=preface, steps=(), says=()),
            "PROTOCOL",
            "preface",
            ("RESET",),
        )

# -- checksums, flags, numbers of each type of frame

for type_, good in EACH.items():
    name = type_.name
    faults = (
        ("OSP-FRM-004", "with a damaged header", "CORRUPT", {"header_crc": 0x0BADC0DE}, "header"),
        ("OSP-FRM-005", "with damaged meta", "CORRUPT", {"meta_crc": 0x0BADC0DE}, "meta"),
        ("OSP-FRM-009", "with an undefined flag", "PROTOCOL", {"flags": 2}, "header"),
        ("OSP-FRM-012", "marked ignorable", "PROTOCOL", {"flags": IGNORABLE}, "header"),
        ("OSP-FRM-015", "after a gap in the numbers", "PROTOCOL", {"seq": good.talk.of(type_) + 1}, "header"),
    )
    whys = (
        "no length can be believed",
        "no digest covers meta",
        "a bit that is ignored today can never get a meaning",
        "a known frame that may be skipped gives two objects for one stream",
        "a frame may be lost",
    )
    for (id_, what, code, change, cut), why in zip(faults, whys, strict=True):
        reject(id_, f"{name} {what}", why, good, type_, change, after_end(type_, code), cut=cut)

reject("OSP-FRM-009", "the highest flag", "as any other", LIST, Type.OPEN, {"flags": 0x80}, cut="header")
reject(
    "OSP-FRM-015",
    "a number repeated",
    "the frame may be a copy",
    LIST,
    Type.ENTRIES,
    {"seq": 0},
    cut="header",
)
reject(
    "OSP-FRM-015",
    "a number that is right in 32 bits",
    "numbers have 64 bits",
    LIST,
    Type.END,
    {"seq": (1 << 32) + 2},
    cut="header",
)

# -- lengths

for type_ in (Type.OFFER, Type.REQUEST, Type.OPEN, Type.END, Type.DONE, Type.CREDIT, Type.RESET):
    reject(
        "OSP-FRM-016",
        f"{type_.name} with data",
        "data outside of content is in no chain and under no credit",
        EACH[type_],
        type_,
        {"data_len": 1},
        after_end(type_, "PROTOCOL"),
        cut="header",
    )
for type_ in (Type.ENTRIES, Type.DATA):
    reject(
        "OSP-FRM-017",
        f"{type_.name} without data",
        "an empty frame costs nothing to send and something to handle",
        EACH[type_],
        type_,
        {"data_len": 0},
        cut="header",
    )


def _padded(frame: Step) -> Step:
    """The frame with as much meta as every reader takes."""
    usual = len(Author().write(frame)) - HEADER.size
    return frame.but(extra={77: bytes(4096 - usual - len(cbor(77) + head(BYTES, 4096)))})


for role, good, type_ in (("requester", LIST, Type.OPEN), ("owner", PULL, Type.REQUEST)):
    talk = good.talk.having(max_meta=4096)
    most = accept(
        "OSP-FRM-006",
        f"{role}: meta of 4096 bytes",
        "so much is taken by everyone",
        replace(talk, steps=(_padded(talk.steps[0]), *talk.steps[1:])),
    )
    reject(
        "OSP-FRM-006",
        f"{role}: meta of 4097 bytes",
        "refused on its header, before any of it has come",
        most,
        type_,
        {"meta_len": 4097},
        "TOO_LARGE",
        cut="header",
    )

# -- ignorable frames

HINT = step(77, flags=IGNORABLE, meta=b"\xff not CBOR", data=b"a hint of a later version")
ALIVE = step(SIGN_OF_LIFE, flags=IGNORABLE, meta=b"")

for role, good, places in (
    ("requester", BUFFERED, {"first": 0, "before content": 1, "inside a buffer": 2, "before END": 3}),
    ("receiver", PUSHED, {"before the offer": 0}),
    ("owner", PULL, {"first": 0, "before credit": 1, "before DONE": 2}),
):
    for title, at in places.items():
        hinted = accept(
            "OSP-FRM-010",
            f"{role}: an unknown frame {title}",
            "skipped with its meta, which is not parsed, and its data, and numbered",
            good.talk.with_step(at, HINT),
        )
accept(
    "OSP-FRM-010",
    "signs of life",
    "type 255, empty and ignorable, is skipped like any other",
    LIST.talk.with_step(2, ALIVE).with_step(1, ALIVE).with_step(0, ALIVE),
)
for role, good, at in (("requester", LIST, 1), ("owner", PULL, 1)):
    hinted = accept(
        "OSP-FRM-011",
        f"{role}: an unknown frame that may be skipped",
        "its sender says that it does not matter",
        good.talk.having(max_frame=1 << 16).with_step(at, HINT),
    )
    why = "its sender believes that it matters"
    reject("OSP-FRM-011", f"{role}: an unknown frame", why, hinted, at, {"flags": 0}, cut="header")
    reject(
        "OSP-FRM-009",
        f"{role}: an unknown frame with another flag",
        "as any other",
        hinted,
        at,
        {"flags": 3},
        cut="header",
    )
    reject(
        "OSP-FRM-005",
        f"{role}: damaged meta of an unknown frame",
        "checked before it is skipped",
        hinted,
        at,
        {"meta_crc": 0x0BADC0DE},
        "CORRUPT",
        cut="meta",
    )
    reject(
        "OSP-FRM-007",
        f"{role}: an unknown frame that is too long",
        "skipping has limits too",
        hinted,
        at,
        {"data_len": (1 << 16) + 1},
        "TOO_LARGE",
        cut="header",
    )
for type_ in (0, 10):
    reject(
        "OSP-FRM-011",
        f"type {type_}",
        "next to the types that are known",
        LIST,
        Type.OPEN,
        {"type": type_},
        cut="header",
    )
reject(
    "OSP-FRM-011", "type 255 not ignorable", "no sign of life", LIST, Type.OPEN, {"type": 255}, cut="header"
)

LIMITED = accept(
    "OSP-FRM-007",
    "a frame within max_frame",
    "the twin of one that is not",
    LIST.talk.having(max_frame=1 << 16),
)
reject(
    "OSP-FRM-007",
    "a frame above max_frame",
    "refused on its header, before any of its data has come",
    LIMITED,
    Type.ENTRIES,
    {"data_len": (1 << 16) + 1},
    "TOO_LARGE",
    cut="header",
)

# -- the end of input


def _ends(good: Vector, title: str, why: str, code: str, frames: int, cut: str = "") -> None:
    talk: Talk = good.talk
    steps = talk.steps[:frames]
    if cut:
        steps = (*steps[:-1], steps[-1].but(cut=cut))
    reply = () if cut or not frames else talk.says[frames - 1]
    says = (*talk.says[: frames - 1], reply) if frames else ()
    talk = replace(talk, steps=steps, says=says, eof=True)
    reject_stream("OSP-FRM-013", title, why, good, talk, code, "end", reply)


_ends(LIST, "the end before OPEN", "nothing has come of what was asked for", "LOST", 0)
_ends(LIST, "the end before END", "all content is there, and it looks complete", "LOST", 2)
_ends(LIST, "the end inside a header", "half a frame is none", "LOST", 3, "header")
_ends(FILE, "the end of a file without END", "a file cut short looks like a file", "LOST", 3)
_ends(PULL, "the end before credit", "the requester is gone", "LOST", 1)
_ends(PULL, "the end before DONE", "the requester may have the object or not", "UNCONFIRMED", 2)
