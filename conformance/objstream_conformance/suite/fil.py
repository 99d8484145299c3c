"""Files (chapter 5)."""

from __future__ import annotations

import os
import resource
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path

from ..case import DEADLINE, Case
from ..cases import requirement
from ..contract import Rejected
from ..network import Message
from ..outcomes import Unexercised, Violation

CHUNK = 1 << 20
LONG_AGO = 1_600_000_000
PROMPT = 1.2
"""What is said at once is said within so many seconds."""


@requirement("OSP-FIL-001", needs=["file"])
def sizes(t: Case) -> None:
    """Files of 1 byte to 3 MiB, around every multiple of the chunk size, arrive byte for byte."""
    around = [count * CHUNK + step for count in (1, 2, 3) for step in (-1, 0, 1)]
    for size in (1, 2, 4095, 65_536, *around):
        arrives(t, t.random.randbytes(size))


def arrives(t: Case, data: bytes) -> Path:
    """A file of these bytes is transferred and arrives so."""
    path = t.file(data)
    got = t.succeeds(lambda: t.transfer_file(path))
    received = got.read_bytes()
    if received != data:
        at = next(
            (place for place, (one, other) in enumerate(zip(data, received, strict=False)) if one != other),
            "the end",
        )
        raise Violation(
            f"a file of {len(data)} bytes to arrive byte for byte",
            f"{len(received)} bytes arrived, equal up to {at}",
        )
    return Path(got)


@requirement("OSP-FIL-002", needs=["file"])
def empty_file(t: Case) -> None:
    """A file of zero bytes arrives as a file of zero bytes."""
    arrives(t, b"")


@requirement("OSP-FIL-003", needs=["file"])
def binary_content(t: Case) -> None:
    """Every byte value, line ends, NUL, a byte-order mark and an end-of-file character arrive unchanged."""
    arrives(t, b"\xef\xbb\xbf" + bytes(range(256)) + b"\r\n\n\r\x1a\x00" * 40 + b"\n")


@requirement("OSP-FIL-004", needs=["file", "chunk-size"])
def chunk_size(t: Case) -> None:
    """With a chunk size of 16 KiB no message carries more than that, and some overhead."""
    t.rebuild(chunk_size=16 << 10)
    _chunks(t, 16 << 10, 4 << 10)


@requirement("OSP-FIL-005", needs=["file"])
def default_chunk_size(t: Case) -> None:
    """Without a chunk size no message carries more than 1 MiB, and some overhead."""
    _chunks(t, CHUNK, 64 << 10)


def _chunks(t: Case, chunk: int, overhead: int) -> None:
    path = t.file(t.random.randbytes(3 * chunk + 7))
    largest = t.rehearse(lambda: t.transfer_file(path)).largest().size
    t.expect(
        largest <= chunk + overhead,
        f"at most {chunk} bytes of the file in a message",
        f"a message of {largest}",
    )


def _while_sent(t: Case, change: Callable[[Path], None], expected: str) -> None:
    """Change the source when the first or the second message with content is carried: the transfer fails."""
    data = bytes(range(256)) * (8 * CHUNK // 256)
    clean = t.file(data)
    trace = t.rehearse(lambda: t.transfer_file(clean)).way(source=t.sites()[0].name).content()
    for message in trace.messages[:2]:
        path = t.file(data)
        os.utime(path, (LONG_AGO, LONG_AGO))
        t.network.hook(lambda _, p=path: change(p), source=message.source, nth=message.nth)  # type: ignore[misc]
        t.rejected(
            lambda p=path: t.transfer_file(p, timeout=DEADLINE),  # type: ignore[misc]
            expected,
            "compare size, times and inode of the source before the end is declared",
        )


@requirement("OSP-FIL-006", needs=["file", "disk"])
def growing_file(t: Case) -> None:
    """The source grows during the transfer: the transfer fails."""

    def grow(path: Path) -> None:
        with path.open("ab") as stream:
            stream.write(b"more")

    _while_sent(t, grow, "the transfer of a file that grows to fail")


@requirement("OSP-FIL-007", needs=["file", "disk"])
def shrinking_file(t: Case) -> None:
    """The source is cut to half its length during the transfer: the transfer fails."""
    _while_sent(t, lambda path: os.truncate(path, 4 * CHUNK), "the transfer of a file that shrinks to fail")


@requirement("OSP-FIL-008", needs=["file", "disk"])
def rewritten_file(t: Case) -> None:
    """Bytes at both ends of the source are rewritten in place during the transfer: the transfer fails."""

    def rewrite(path: Path) -> None:
        with path.open("r+b") as stream:
            stream.write(b"new")
            stream.seek(-3, os.SEEK_END)
            stream.write(b"new")

    _while_sent(t, rewrite, "the transfer of a file that is rewritten to fail")


@requirement("OSP-FIL-009", needs=["file", "disk"])
def final_name_last(t: Case) -> None:
    """The receiver's directory is watched at every message: the final name is not there before the last content."""
    data = t.random.randbytes(3 * CHUNK)
    path = t.file(data)
    receiver = t.sites()[1]
    last = t.rehearse(lambda: t.transfer_file(path)).way(source=t.sites()[0].name).content().last()
    seen: set[str] = set()

    def watch(message: Message) -> None:
        if message.nth <= start + last.nth:
            seen.update(receiver.files())

    start = len(t.network.since(0).way(last.source, last.target))
    before = set(receiver.files())
    t.network.hook(watch, source=last.source, target=last.target, times=0)
    got = t.succeeds(lambda: t.transfer_file(path))
    name = str(got.relative_to(receiver.directory))
    t.expect(
        name not in seen - before,
        "the final name to appear when the file is complete and verified",
        "it was there while content was still on its way",
        "write to a temporary name and rename",
    )


def _failing(t: Case, path: Path) -> Iterator[tuple[str, Callable[[], object]]]:
    """Transfers of this file that fail in different ways."""
    sender = t.sites()[0].name
    trace = t.rehearse(lambda: t.transfer_file(path)).way(source=sender).content()
    middle = trace.messages[len(trace) // 2]
    t.hit("drop", middle, times=0)
    yield "content lost", lambda: t.transfer_file(path, timeout=DEADLINE)
    t.network.heal()
    t.hit("cut", middle)
    yield "link cut", lambda: t.transfer_file(path, timeout=DEADLINE)
    t.network.heal()
    t.network.hook(lambda _: os.truncate(path, 10), source=sender, nth=trace.messages[0].nth)
    yield "source truncated", lambda: t.transfer_file(path, timeout=DEADLINE)
    t.network.heal()


@requirement("OSP-FIL-010", needs=["file", "disk"])
def nothing_left_behind(t: Case) -> None:
    """Content is lost, the link is cut, the source fails: no file is left at the receiver, under any name."""
    receiver = t.sites()[1]
    path = t.file(t.random.randbytes(6 * CHUNK))
    for what, operation in _failing(t, path):
        before = receiver.files()
        t.rejected(operation, f"the transfer to fail: {what}")
        t.no_leftovers(receiver, before)


@requirement("OSP-FIL-011", needs=["file", "pull", "disk"])
def existing_file_survives(t: Case) -> None:
    """A file was received; a second transfer of the same name fails: the first file is unchanged."""
    owner, requester = t.sites()
    old, new = t.random.randbytes(2 * CHUNK), t.random.randbytes(2 * CHUNK)
    owner.add_file("model.bin", t.file(old))
    kept = t.succeeds(lambda: requester.retrieve_file(owner.name, "model.bin"))
    owner.add_file("model.bin", t.file(new))
    trace = t.network.since(0).way(source=owner.name).content()
    t.hit("drop", trace.last(), times=0)
    t.rejected(
        lambda: requester.retrieve_file(owner.name, "model.bin", timeout=DEADLINE),
        "the second transfer to fail",
    )
    t.expect(
        kept.is_file() and kept.read_bytes() == old,
        "the file received before, unchanged",
        "it is gone or altered",
    )


@contextmanager
def _disk_of(size: int, process: int) -> Iterator[None]:
    """No file of the process can grow beyond `size` bytes: writes fail with an OSError."""
    old = resource.prlimit(process, resource.RLIMIT_FSIZE)
    resource.prlimit(process, resource.RLIMIT_FSIZE, (size, old[1]))
    try:
        yield
    finally:
        resource.prlimit(process, resource.RLIMIT_FSIZE, old)


def _store_fails(t: Case, size: int, room: int) -> None:
    sender, receiver = t.sites()
    path = t.file(t.random.randbytes(size))
    with _disk_of(room, receiver.process):
        verdict = sender.send_file([receiver.name], path, timeout=DEADLINE)[receiver.name]
    arrived = receiver.received()
    if verdict is None and any(
        isinstance(got, Path) and got.is_file() and got.stat().st_size == size for got in arrived
    ):
        raise Unexercised(
            "the write of the received file to fail", "it did not: the receiver has another disk"
        )
    expected = f"both sides to fail when only {room} of {size} bytes can be stored"
    t.expect(
        verdict is not None, expected, "the sender reports success", "look at every write, flush and close"
    )
    t.expect(not arrived, expected, "the receiver delivered a file")


@requirement("OSP-FIL-012", needs=["file", "push", "disk"])
def full_disk(t: Case) -> None:
    """The receiver's disk is full in the middle of a file of 3 MiB: both sides fail."""
    _store_fails(t, 3 * CHUNK, 3 * CHUNK // 2)


@requirement("OSP-FIL-013", needs=["file", "push", "disk"])
def failure_of_the_last_step(t: Case) -> None:
    """A small file, still in the writer's buffer at the end, cannot be stored: both sides fail."""
    _store_fails(t, 3000, 1000)


OUTSIDE = ("../escape.bin", "a/../../escape.bin", "..", "sub/../../../escape.bin", "..\\escape.bin")


@requirement("OSP-FIL-014", needs=["file", "pull", "disk"])
def receiver_chooses_the_place(t: Case) -> None:
    """Files are offered under names with .., / and absolute ones: none lands outside the receiver's directory."""
    owner, requester = t.sites()
    source = t.file(b"payload")
    for name in (*OUTSIDE, str(t.directory / "escape.bin")):
        around = {path for path in t.directory.rglob("*") if requester.directory not in path.parents}
        try:
            owner.add_file(name, source)
            requester.retrieve_file(owner.name, name, timeout=DEADLINE)
        except (Rejected, TimeoutError):
            pass  # refusing is fine too
        new = {path for path in t.directory.rglob("*") if requester.directory not in path.parents} - around
        strange = [path for path in new if owner.directory not in path.parents]
        t.expect(
            not strange, "no file outside the receiver's directory", f"{len(strange)} for the name {name!r}"
        )


@requirement("OSP-FIL-015", needs=["file", "pull", "disk"])
def root_cannot_be_left(t: Case) -> None:
    """One file is offered; its neighbours are asked for by .., by absolute path and by detours: all refused."""
    owner, requester = t.sites()
    offered = t.file(b"offered", "offered.bin")
    secret = t.file(b"secret", "secret.bin")
    owner.add_file("offered.bin", offered)
    t.succeeds(lambda: requester.retrieve_file(owner.name, "offered.bin"))
    names = [str(secret), str(offered), "secret.bin", "../secret.bin", "../sources/secret.bin"]
    names += ["offered.bin/../secret.bin", "", ".", "..", "/", "/etc/passwd", "../../../../../../etc/passwd"]
    for name in names:
        t.rejected(
            lambda n=name: requester.retrieve_file(owner.name, n, timeout=DEADLINE),  # type: ignore[misc]
            f"the name {Path(name).name!r}, which was not offered, to be refused",
        )


@requirement("OSP-FIL-016", needs=["file", "pull", "root"], any_of=())
def root_cannot_be_left_by_link(t: Case) -> None:
    """In a directory that is served, links to a file and to a directory outside lead nowhere."""
    owner, requester = t.sites()
    root = t.directory / "served"
    root.mkdir()
    (root / "inside.bin").write_bytes(b"inside")
    secret = t.file(b"secret", "secret.bin")
    (root / "link.bin").symlink_to(secret)
    (root / "folder").symlink_to(secret.parent)
    owner.extra("add_directory", root)
    t.succeeds(lambda: requester.retrieve_file(owner.name, "inside.bin"))
    for name in ("link.bin", "folder/secret.bin"):
        t.rejected(
            lambda n=name: requester.retrieve_file(owner.name, n, timeout=DEADLINE),  # type: ignore[misc]
            f"{name}, which leads out of the root, to be refused",
        )


@requirement("OSP-FIL-017", needs=["file", "pull", "disk"])
def only_regular_files(t: Case) -> None:
    """A directory, a pipe, a device and a name with NUL are offered or asked for: each is refused at once."""
    owner, requester = t.sites()
    folder = t.file(b"x").parent
    pipe = folder / "pipe"
    os.mkfifo(pipe)
    odd = {"directory": folder, "pipe": pipe, "device": Path("/dev/zero"), "nul\0name": folder / "nothing"}
    for name, path in odd.items():

        def attempt(name: str = name, path: Path = path) -> object:
            if "\0" not in name:
                owner.add_file(name, path)
            return requester.retrieve_file(owner.name, name, timeout=2.0)

        expected = f"a {name!r} to be refused"
        refusal = t.within(PROMPT, partial(t.rejected, attempt, expected), "a refusal")
        t.expect(isinstance(refusal, Rejected), f"a refusal of the {name!r}", "it ran out of time")


@requirement("OSP-FIL-018", needs=["file", "pull", "disk"])
def files_at_the_same_time(t: Case) -> None:
    """Two owners offer files of one name; both are retrieved at the same time, each arrives with its own bytes."""
    one, requester, other = t.sites(3)
    data = {site.name: t.random.randbytes(2 * CHUNK + index) for index, site in enumerate((one, other))}
    for site in (one, other):
        site.add_file("model.bin", t.file(data[site.name]))
    inner: list[object] = []
    trace = t.rehearse(lambda: requester.retrieve_file(one.name, "model.bin")).way(source=one.name)
    t.overlap(
        lambda: inner.append(requester.retrieve_file(other.name, "model.bin")),
        source=one.name,
        nth=trace.content().messages[0].nth,
    )
    first = t.succeeds(lambda: requester.retrieve_file(one.name, "model.bin"))
    t.soon(lambda: bool(inner), 2.0)
    t.expect(inner and isinstance(inner[0], Path), "the overlapping retrieval to succeed", f"{inner}")
    for site, path in ((one, first), (other, inner[0])):
        t.expect(
            Path(str(path)).read_bytes() == data[site.name],
            "each file with its own content",
            "another content",
        )


@requirement("OSP-FIL-019", needs=["file", "disk"])
def source_file_is_left_alone(t: Case) -> None:
    """After a transfer the source is the same file with the same content and time of modification."""
    data = t.random.randbytes(CHUNK + 5)
    path = t.file(data)
    before = path.stat()
    t.succeeds(lambda: t.transfer_file(path))
    t.expect(path.is_file(), "the source to be where it was", "it is gone")
    after = path.stat()
    same = (before.st_ino, before.st_mtime_ns, before.st_mode) == (
        after.st_ino,
        after.st_mtime_ns,
        after.st_mode,
    )
    t.expect(same and path.read_bytes() == data, "the source to be unchanged", "it was altered")
