"""Compute the worked example of chapter 19, from the text of the specification alone: no code of any implementation.

`--write` puts the listings into the chapter, `--check` fails when the chapter has others, `--bytes owner` and
`--bytes requester` write what that side sends, preface included, to standard output.
"""

from __future__ import annotations

import argparse
import hashlib
import re
import struct
import sys
import zlib
from pathlib import Path

Part = tuple[bytes, str]

CHAPTER = Path(__file__).resolve().parent.parent / "19-example.md"
PREFACE = b"\x89OSP\r\n\x1a\n"
TYPES = {
    1: "OFFER",
    2: "REQUEST",
    3: "OPEN",
    4: "ENTRIES",
    5: "DATA",
    6: "END",
    7: "DONE",
    8: "CREDIT",
    9: "RESET",
}


def text(value: str) -> bytes:
    """A CBOR text of less than 24 bytes."""
    return bytes([0x60 + len(value)]) + value.encode()


def frame(number: int, seq: int, meta: list[Part], data: list[Part]) -> list[Part]:
    meta_bytes = b"".join(part for part, _ in meta)
    length = sum(len(part) for part, _ in data)
    fields: list[Part] = [
        (struct.pack(">B", number), f"type {number}, {TYPES[number]}"),
        (b"\0", "flags: none"),
        (struct.pack(">H", len(meta_bytes)), f"meta_len {len(meta_bytes)}"),
        (struct.pack(">I", length), f"data_len {length}"),
        (struct.pack(">Q", seq), f"seq {seq}"),
        (struct.pack(">I", zlib.crc32(meta_bytes)), "meta_crc"),
    ]
    head = b"".join(part for part, _ in fields)
    fields.append((struct.pack(">I", zlib.crc32(head)), "header_crc"))
    return fields + meta + data


def content(number: int, seq: int, data: list[Part]) -> list[Part]:
    digest = hashlib.sha256(b"".join(part for part, _ in data)).digest()
    meta = [
        (b"\xa1", "map of 1"),
        (b"\x0b\x58\x20", "key 11, digest: 32 bytes"),
        (digest, "SHA-256 of the data"),
    ]
    return frame(number, seq, meta, data)


ENTRIES: list[Part] = [
    (text("a"), 'first key: "a"'),
    (b"\x01", "its value: 1"),
    (text("w"), 'second key: "w"'),
    (b"\xd8\x1b\x84", "its value: tag 27 on an array of 4"),
    (text("ndarray"), "extension name"),
    (text("F32"), "dtype"),
    (b"\x82\x02\x02", "shape [2, 2]"),
    (b"\x10", "reference: a buffer of 16 bytes follows"),
]
BUFFER: list[Part] = [(struct.pack("<f", x), f"{x}, little-endian") for x in (1.0, 2.0, 3.0, -0.5)]


def chain() -> bytes:
    value = hashlib.sha256(b"dict").digest()
    for number, parts in ((4, ENTRIES), (5, BUFFER)):
        data = b"".join(part for part, _ in parts)
        digest = hashlib.sha256(data).digest()
        value = hashlib.sha256(value + struct.pack(">BI", number, len(data)) + digest).digest()
    return value


SIZE = sum(len(part) for part, _ in ENTRIES + BUFFER)

REQUESTER: dict[str, list[Part]] = {
    "REQUEST": frame(
        2,
        0,
        [
            (b"\xa7", "map of 7"),
            (b"\x00\x81\x01", "key 0, versions: [1]"),
            (b"\x01\x81" + text("sha-256"), 'key 1, digests: ["sha-256"]'),
            (b"\x02" + text("model"), 'key 2, name: "model"'),
            (b"\x03" + text("container"), 'key 3, kind: "container"'),
            (b"\x06\x1a\x00\x10\x00\x00", "key 6, max_bytes: 1048576"),
            (b"\x07\x19\x40\x00", "key 7, credit: 16384"),
            (b"\x08\x1a\x00\x01\x00\x00", "key 8, max_frame: 65536"),
        ],
        [],
    ),
    "DONE": frame(
        7, 1, [(b"\xa1", "map of 1"), (b"\x0c\x58\x20", "key 12, chain: 32 bytes"), (chain(), "c_2")], []
    ),
}
OWNER: dict[str, list[Part]] = {
    "OPEN": frame(
        3,
        0,
        [
            (b"\xa5", "map of 5"),
            (b"\x00\x01", "key 0, version: 1"),
            (b"\x01" + text("sha-256"), 'key 1, digest: "sha-256"'),
            (b"\x03" + text("dict"), 'key 3, kind: "dict"'),
            (b"\x04\x18" + bytes([SIZE]), f"key 4, size: {SIZE}"),
            (b"\x05\x02", "key 5, count: 2"),
        ],
        [],
    ),
    "ENTRIES": content(4, 1, ENTRIES),
    "DATA": content(5, 2, BUFFER),
    "END": frame(
        6,
        3,
        [
            (b"\xa3", "map of 3"),
            (b"\x04\x18" + bytes([SIZE]), f"key 4, size: {SIZE}"),
            (b"\x05\x02", "key 5, count: 2"),
            (b"\x0c\x58\x20", "key 12, chain: 32 bytes"),
            (chain(), "c_2"),
        ],
        [],
    ),
}


def sent(side: str) -> bytes:
    frames = OWNER if side == "owner" else REQUESTER
    return PREFACE + b"".join(part for parts in frames.values() for part, _ in parts)


def listing(parts: list[Part]) -> str:
    lines, offset = [], 0
    for part, meaning in parts:
        for start in range(0, len(part), 16):
            note = meaning if start == 0 else ""
            lines.append(f"{offset + start:4d}  {part[start : start + 16].hex(' '):<47}  {note}".rstrip())
        offset += len(part)
    return "\n".join(lines)


def chapter(old: str) -> str:
    """The chapter with the listing of each frame in the block that bears its name."""
    for name, parts in {**REQUESTER, **OWNER}.items():
        new = f"```osp {name}\n{listing(parts)}\n```"
        old, count = re.subn(rf"```osp {name}\n.*?```", lambda _, new=new: new, old, flags=re.DOTALL)
        if count != 1:
            raise SystemExit(f"{CHAPTER.name} has {count} blocks for {name}, not one")
    return old


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    action = parser.add_mutually_exclusive_group(required=True)
    action.add_argument("--write", action="store_true")
    action.add_argument("--check", action="store_true")
    action.add_argument("--bytes", choices=("owner", "requester"))
    options = parser.parse_args()
    if options.bytes:
        sys.stdout.buffer.write(sent(options.bytes))
        return 0
    old = CHAPTER.read_text("utf-8")
    new = chapter(old)
    if options.write:
        CHAPTER.write_text(new, "utf-8")
    elif new != old:
        print(f"{CHAPTER.name} is not what this script computes: run it with --write", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
