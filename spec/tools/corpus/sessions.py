"""Sessions: frames in their places, versions, digests, sizes, names, the end (chapters 7, 10, 11, 16, 17)."""

from __future__ import annotations

import hashlib
from dataclasses import replace

from objstream_conformance.frames import Type, linked

from . import accept, received, reject
from .talks import BUFFERED, CHAIN_WITHOUT_DIGEST, FILE, LIST, ONE, PULL, PUSH, PUSHED, STRAY

# -- frames out of place

BEGINNINGS = {Type.OFFER, Type.REQUEST}

for type_, stray in STRAY.items():
    name = type_.name
    if type_ not in BEGINNINGS:
        reject(
            "OSP-SES-030",
            f"{name} as the first frame",
            "only OFFER and REQUEST begin a session",
            PULL,
            0,
            stray,
            cut="" if type_ not in (Type.ENTRIES, Type.DATA) else "meta",
        )
    for state, good, at, code in (
        ("while OFFERED", PUSH, 0, "PROTOCOL"),
        ("while STREAMING", PULL, 1, "PROTOCOL"),
        ("while ENDED", PULL, 2, "UNCONFIRMED"),
    ):
        allowed = {"while OFFERED": (Type.REQUEST,)}.get(state, (Type.CREDIT,)) + (Type.DONE,) * (at == 2)
        if type_ not in allowed:
            reject(
                "OSP-SES-031",
                f"{name} {state}",
                "the sender's table has no such event in that state",
                good,
                at,
                stray,
                code,
                cut="" if type_ not in (Type.ENTRIES, Type.DATA) else "meta",
            )
    for state, at, allowed in (
        ("while REQUESTED", 0, (Type.OPEN,)),
        ("while RECEIVING", 1, (Type.ENTRIES, Type.DATA, Type.END)),
    ):
        if type_ not in allowed:
            reject(
                "OSP-SES-032",
                f"{name} {state}",
                "the receiver's table has no such event in that state",
                LIST,
                at,
                stray,
                cut="" if type_ not in (Type.ENTRIES, Type.DATA) else "meta",
            )
reject("OSP-SES-032", "OFFER after an offer", "a session has one beginning", PUSHED, 1, STRAY[Type.OFFER])

# -- kinds and names

reject(
    "OSP-SES-040",
    "a file where a container was asked for",
    "it would be written",
    LIST,
    Type.OPEN,
    {"kind": "file"},
)
reject("OSP-SES-040", "an application kind", "nobody asked for it", LIST, Type.OPEN, {"kind": "x-table"})
reject(
    "OSP-SES-040",
    "a namespace in OPEN",
    "OPEN says what the object is",
    LIST,
    Type.OPEN,
    {"kind": "container"},
    schema="meta",
)
reject(
    "OSP-SES-040",
    "a kind in other letters",
    "kinds are compared exactly",
    LIST,
    Type.OPEN,
    {"kind": "List"},
    schema="meta",
)
reject(
    "OSP-SES-040",
    "another container than was offered",
    "the offer said list",
    PUSHED,
    Type.OPEN,
    {"kind": "tuple"},
)
reject(
    "OSP-SES-040",
    "a container where a file was asked for",
    "it has no bytes to write",
    FILE,
    Type.OPEN,
    {"kind": "list"},
)
reject(
    "OSP-SES-041",
    "a request for another name",
    "an offer is no door to others",
    PUSH,
    Type.REQUEST,
    {"name": "other"},
)
reject(
    "OSP-SES-041", "a request for another kind", "a list was offered", PUSH, Type.REQUEST, {"kind": "dict"}
)
reject(
    "OSP-SES-041",
    "a namespace in answer to an offer",
    "it repeats the kind",
    PUSH,
    Type.REQUEST,
    {"kind": "container"},
)

LONG = "n" * 1024
for role, good, type_ in (("receiver", PUSHED, Type.OFFER), ("owner", PULL, Type.REQUEST)):
    talk = replace(good.talk.changed(0, name=LONG), name=LONG)
    named = accept("OSP-SEC-009", f"{role}: a name of 1024 bytes", "the longest that is taken", talk)
    reject(
        "OSP-SEC-009",
        f"{role}: a name of 1025 bytes",
        "names end up where there are limits too",
        named,
        type_,
        {"name": LONG + "n"},
        "TOO_LARGE",
        schema="meta",
    )
    reject(
        "OSP-SEC-009",
        f"{role}: a name of 1025 bytes in 513 characters",
        "bytes are counted, of UTF-8",
        named,
        type_,
        {"name": "é" * 512 + "n"},
        "TOO_LARGE",
        schema="meta",
    )

# -- what is negotiated

reject(
    "OSP-VER-002",
    "only versions of the future",
    "nothing in common",
    PULL,
    Type.REQUEST,
    {"versions": [2, 3]},
    "VERSION",
)
reject("OSP-VER-004", "a version that was not offered", "unknown rules", LIST, Type.OPEN, {"versions": 2})
reject("OSP-VER-004", "version 0", "it was not offered either", LIST, Type.OPEN, {"versions": 0})
reject(
    "OSP-INT-029",
    "only digests that nobody has",
    "no fallback",
    PULL,
    Type.REQUEST,
    {"digests": ["md5", "crc"]},
    "DIGEST",
)
PLAIN = accept(
    "OSP-INT-030",
    "only sha-256 is offered",
    "the digest that everyone has",
    LIST.talk.having(digests=["sha-256"]),
)
reject(
    "OSP-INT-030",
    "none where it was not offered",
    "turns the check off",
    PLAIN,
    Type.OPEN,
    {"digests": "none"},
)
reject("OSP-INT-030", "another digest", "it was not offered", PLAIN, Type.OPEN, {"digests": "xxh3-128"})
reject(
    "OSP-INT-030", "a digest that nobody knows", "it was not offered", PLAIN, Type.OPEN, {"digests": "md5"}
)
BARE = accept(
    "OSP-INT-031",
    "a session without digests",
    "the application of the receiver has asked for it",
    received("list", 1, options={"digests": ["none"]}).changed(0, digests="none"),
)
reject(
    "OSP-FRM-019",
    "a digest in a session without digests",
    "the key has no place there",
    BARE,
    Type.ENTRIES,
    {"digest": bytes(32)},
    cut="meta",
)
UNPROVEN = accept(
    "OSP-RES-008",
    "a validator is asked for in a session without digests",
    "there is none, and the session goes on without",
    replace(
        PULL.talk.changed(0, digests=["none"], validator=b"").changed(2, chain=CHAIN_WITHOUT_DIGEST),
        options={"digests": ["none"]},
    ),
)
reject(
    "OSP-RES-008",
    "a request to resume without digests",
    "no chain can prove what was in the frames, and starting again would be a silent restart",
    UNPROVEN,
    Type.REQUEST,
    {"resume": [0, 0, hashlib.sha256(b"list").digest()]},
    "UNSUPPORTED",
)

# -- sizes

SIZED = accept(
    "OSP-INT-032",
    "as much as announced",
    "size and count of OPEN are kept",
    LIST.talk.changed(0, size=1).changed(0, count=1),
)
reject(
    "OSP-INT-032",
    "more than announced",
    "refused before its data is read",
    SIZED,
    Type.ENTRIES,
    {"data": b"\x18\x20"},
    cut="meta",
)
LIMITED = accept(
    "OSP-FLW-008", "a size within the limit", "the twin of one above", SIZED.talk.having(max_bytes=1000)
)
OFFERED = accept(
    "OSP-FLW-008",
    "an offer within the limit",
    "the twin of one above",
    PUSHED.talk.having(max_bytes=1000).changed(0, size=1000).changed(1, size=1),
)
reject(
    "OSP-FLW-008",
    "a size above the limit",
    "the announcement is enough",
    LIMITED,
    Type.OPEN,
    {"size": 1001},
    "TOO_LARGE",
)
reject(
    "OSP-FLW-008",
    "an offer above the limit",
    "the announcement is enough",
    OFFERED,
    Type.OFFER,
    {"size": 1001},
    "TOO_LARGE",
)

# -- digests, chain, size, count

DIGEST = "a digest that nobody compares protects nothing"
reject(
    "OSP-INT-021", "another digest of ENTRIES", DIGEST, LIST, Type.ENTRIES, {"digest": bytes(32)}, "CORRUPT"
)
reject("OSP-INT-021", "another digest of DATA", DIGEST, BUFFERED, Type.DATA, {"digest": bytes(32)}, "CORRUPT")
reject("OSP-INT-021", "another digest of a file", DIGEST, FILE, 2, {"digest": bytes(32)}, "CORRUPT")
reject("OSP-INT-021", "a digest cut short", "it differs", LIST, Type.ENTRIES, {"digest": ONE[:16]}, "CORRUPT")
reject(
    "OSP-INT-021",
    "an empty digest",
    "it differs",
    LIST,
    Type.ENTRIES,
    {"digest": b""},
    "CORRUPT",
    schema="meta",
)
reject("OSP-INT-023", "another chain", "the last check", LIST, Type.END, {"chain": bytes(32)}, "CORRUPT")
reject(
    "OSP-INT-023",
    "the chain of another kind",
    "the kind is part of it",
    LIST,
    Type.END,
    {"chain": linked(hashlib.sha256(b"tuple").digest(), Type.ENTRIES, 1, ONE)},
    "CORRUPT",
)
reject(
    "OSP-INT-025",
    "a confirmation of something else",
    "whatever that is",
    PULL,
    Type.DONE,
    {"chain": bytes(32)},
    "UNCONFIRMED",
)
reject(
    "OSP-INT-026", "a size too high", "a sender that counts wrongly", LIST, Type.END, {"size": 2}, "CORRUPT"
)
reject(
    "OSP-INT-026", "a size too low", "a sender that counts wrongly", LIST, Type.END, {"size": 0}, "CORRUPT"
)
reject(
    "OSP-INT-026",
    "less than announced",
    "OPEN binds",
    SIZED,
    Type.OPEN,
    {"size": 2},
    "CORRUPT",
    until=Type.END,
)
reject("OSP-INT-027", "a count too high", "an entry was forgotten", LIST, Type.END, {"count": 2}, "CORRUPT")
reject("OSP-INT-027", "a count too low", "an entry too many", LIST, Type.END, {"count": 0}, "CORRUPT")
reject(
    "OSP-INT-027",
    "another count than announced",
    "OPEN binds",
    SIZED,
    Type.OPEN,
    {"count": 2},
    "CORRUPT",
    until=Type.END,
)
reject("OSP-INT-027", "the count of a file", "a file has no entries", FILE, Type.END, {"count": 1}, "CORRUPT")
