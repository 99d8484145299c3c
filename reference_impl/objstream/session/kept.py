"""What a receiver keeps of a transfer, so that a later session can go on with it (spec chapter "Resume").

Two files for an object: CONTENT holds the data of its content frames, one after another; FRAMES begins with the OPEN of
the first session and then has a record of each frame that was verified. A record is written after the content that it
describes, and is believed only as far as that content matches it: whatever a kill or a power failure leaves of the
two, and whatever else has been done to them, at worst less is taken up.
"""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
import os
import stat
import struct
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

from .. import meta as metas
from ..digests import ALGORITHMS, NONE, Chain
from ..errors import Code, TransferError
from ..frames import FrameType
from ..limits import Limits
from ..meta import Key, Meta
from ..streamers.base import ObjectAssembler
from .base import LOGGER

FORGOTTEN = frozenset({Code.SOURCE_CHANGED, Code.UNSUPPORTED, Code.TOO_LARGE, Code.MISMATCH})
"""Errors that would come again: nothing is kept after them."""

MAGIC = b"OSPKEPT\x01"
_HEAD = struct.Struct(">8sI32s")
_RECORD = struct.Struct(">BBI")
_MOST_HEAD = 16 << 10
_WINDOW = 256 << 10


class Point(NamedTuple):
    """A place in the content of an object: frames and bytes before it, and the chain over them."""

    frames: int
    size: int
    chain: bytes


class Record(NamedTuple):
    """A content frame that was verified; `between` says that an entry ends with it."""

    type: FrameType
    between: bool
    length: int
    digest: bytes


class Kept:
    """What is kept of the object that is asked for by this kind and name.

    It is locked while it is open, and its content has been read and verified when it is.

    Attributes:
        content: the file of all content.
        opened: the meta of the first session's OPEN, with the largest frame that was asked for (max_frame); empty when
            nothing is kept.
        point: up to where everything is there.

    Raises:
        TransferError: BUSY, when another transfer has it open.
        OSError: from every method: the files cannot be read or written.
    """

    def __init__(self, directory: Path, kind: str, name: str, limits: Limits) -> None:
        stem = hashlib.sha256(f"{kind}\0{name}".encode()).hexdigest()[:16]
        self.content = directory / f"{stem}.content"
        self.opened: Meta = {}
        self.point: Point | None = None
        self._name = name
        self._limits = limits
        self._place = directory / f"{stem}.frames"
        self._frames = _locked(self._place, name)
        self._content = -1
        try:
            self._content = _open(self.content)
            self._take_up()
        except BaseException:
            self._close()
            raise

    def wishes(self, offered: Sequence[str], window: int) -> Meta:
        """What a REQUEST says of it: from where on the object is wanted, or that it may be resumed one day.

        In half of the window there is room for the largest frame at any time, so that the sender need not cut one; for
        what is behind the point there is credit when everything before it is in its place.
        """
        if self.point is not None and self._digest not in offered:
            self.doubt(f"has the digest {self._digest}, which is not offered now")
        if self.point is None:
            largest = min(self._limits.max_frame, max(1, window // 2))
            return {Key.CREDIT: window, Key.MAX_FRAME: largest, Key.VALIDATOR: b""}
        return {
            Key.DIGESTS: [self._digest],
            Key.CREDIT: self.point.size,
            Key.MAX_FRAME: self.opened[Key.MAX_FRAME],
            Key.RESUME: list(self.point),
            Key.VALIDATOR: self.opened[Key.VALIDATOR],
        }

    def compare(self, opened: Meta) -> None:
        """Raises TransferError: PROTOCOL, when an OPEN that resumes describes another object than the first one."""
        told = {Key.VALIDATOR: self.opened[Key.VALIDATOR], **opened}
        for key in (Key.KIND, Key.SIZE, Key.COUNT, Key.VALIDATOR):
            if told.get(key) != self.opened.get(key):
                message = f"{self._name}: OPEN resumes an object of another {key.name.lower()} than before"
                raise TransferError(Code.PROTOCOL, message)

    def doubt(self, what: str) -> None:
        """Nothing of what is kept can be used, and why: the transfer starts anew."""
        LOGGER.warning("%s: what was kept in %s %s; it starts anew", self._name, self._place.parent, what)
        self.opened, self.point = {}, None

    def begin(self, opened: Meta) -> None:
        """A first session begins: whatever was kept is of no use."""
        self.opened, self.point = opened, None
        head = metas.encode(opened)
        os.ftruncate(self._content, 0)
        os.ftruncate(self._frames, 0)
        for fd in (self._content, self._frames):
            os.lseek(fd, 0, os.SEEK_SET)
        _write(self._frames, _HEAD.pack(MAGIC, len(head), hashlib.sha256(head).digest()) + head)

    def write(self, view: memoryview) -> None:
        """The next bytes of the content; `add` follows when their frame is verified."""
        _write(self._content, view)

    def add(self, record: Record, point: Point) -> None:
        """A frame is verified and its content written; it leads to `point`."""
        _write(self._frames, _RECORD.pack(record.type, record.between, record.length) + record.digest)
        if record.between:
            self.point = point

    def replay(self, assembler: ObjectAssembler) -> Iterator[None]:
        """Give the assembler the content up to the point, verified once more, pausing after each frame.

        Raises:
            TransferError: STORE_FAILED, when it is not what it was; and whatever the assembler raises.
        """
        scratch = memoryview(b"")
        for fd in (self._content, self._frames):
            os.lseek(fd, 0, os.SEEK_SET)
        self._read_head()
        for record in self._records():
            hasher = ALGORITHMS[self._digest]()
            if record.type is FrameType.ENTRIES:
                if record.length > len(scratch):
                    scratch = memoryview(bytearray(record.length))
                view = scratch[: record.length]
                hasher.update(view[: self._read(view)])
                self._expect(hasher.digest() == record.digest)
                assembler.feed(view)
            else:
                left, landed = record.length, 0
                self._expect(left <= assembler.room())
                while left:
                    if landed:
                        assembler.filled(landed)
                    view = assembler.buffer()[:left]
                    landed = len(view)
                    hasher.update(view[: self._read(view)])
                    left -= landed
                self._expect(hasher.digest() == record.digest)
                assembler.filled(landed)
            yield

    def end(self, error: TransferError | None) -> str:
        """The transfer has ended: remove what is of no use any more; returns in words what was done."""
        point = self.point
        if error is None or error.code in FORGOTTEN or point is None:
            for path in (self.content, self._place):
                with contextlib.suppress(OSError):
                    path.unlink()
            with contextlib.suppress(OSError):
                self._place.parent.rmdir()
            note = "what was kept is removed: ask again to start from the beginning" if point else ""
        else:
            note = f"{point.size} bytes are kept in {self._place.parent}: ask again with resume to go on"
        self._close()
        return note

    @property
    def _digest(self) -> str:
        return str(self.opened[Key.DIGESTS])

    def _close(self) -> None:
        for fd in (self._content, self._frames):
            if fd >= 0:
                os.close(fd)
        self._content = self._frames = -1

    def _take_up(self) -> None:
        """Read what was kept, believe what is verified, and cut off the rest."""
        if not os.fstat(self._frames).st_size and not os.fstat(self._content).st_size:
            return
        self.opened = self._read_head()
        if not self.opened:
            self.doubt("is no record of a transfer")
            return
        chain = Chain(self.opened[Key.KIND])
        at = start = os.lseek(self._frames, 0, os.SEEK_CUR)
        frames = done = 0
        width = ALGORITHMS[self._digest]().digest_size
        scratch = memoryview(bytearray(_WINDOW))
        for record in self._records():
            if record.digest != self._hash(record.length, scratch):
                LOGGER.warning(
                    "%s: what was kept in %s is altered after %d bytes, and used up to there at most",
                    self._name,
                    self._place.parent,
                    done,
                )
                break
            chain.add(record.type, record.length, record.digest)
            frames, done = frames + 1, done + record.length
            if record.between:
                self.point = Point(frames, done, chain.value)
                at = start + frames * (_RECORD.size + width)
        if self.point is None:
            self.doubt("holds no whole entry")
            return
        os.ftruncate(self._frames, at)
        os.ftruncate(self._content, self.point.size)
        for fd in (self._content, self._frames):
            os.lseek(fd, 0, os.SEEK_END)

    def _read_head(self) -> Meta:
        """The OPEN of the first session; empty when it is not whole, or of no use here."""
        head = os.read(self._frames, _HEAD.size)
        if len(head) < _HEAD.size:
            return {}
        magic, length, digest = _HEAD.unpack(head)
        encoded = os.read(self._frames, min(length, _MOST_HEAD))
        if magic != MAGIC or hashlib.sha256(encoded).digest() != digest:
            return {}
        try:
            opened = metas.decode("OPEN", encoded)
        except TransferError:
            return {}
        usable = opened[Key.DIGESTS] in ALGORITHMS and opened[Key.DIGESTS] != NONE
        return opened if usable and {Key.VALIDATOR, Key.MAX_FRAME} <= opened.keys() else {}

    def _records(self) -> Iterator[Record]:
        """The records from here on, up to the end or to one that is none."""
        width = ALGORITHMS[self._digest]().digest_size
        while len(found := os.read(self._frames, _RECORD.size + width)) == _RECORD.size + width:
            type_, between, length = _RECORD.unpack_from(found)
            if type_ not in (FrameType.ENTRIES, FrameType.DATA) or not 0 < length <= self._limits.max_frame:
                return
            yield Record(FrameType(type_), bool(between), length, found[_RECORD.size :])

    def _hash(self, length: int, scratch: memoryview) -> bytes:
        """The digest of the next bytes of the content, none where it ends before."""
        hasher = ALGORITHMS[self._digest]()
        while length:
            count = self._read(scratch[:length])
            if not count:
                return b""
            hasher.update(scratch[:count])
            length -= count
        return hasher.digest()

    def _read(self, view: memoryview) -> int:
        """Fill the view; returns how much there was."""
        done = 0
        while done < len(view) and (count := os.readv(self._content, [view[done:]])):
            done += count
        return done

    def _expect(self, unchanged: bool) -> None:
        if not unchanged:
            raise TransferError(
                Code.STORE_FAILED,
                f"{self._name}: the content that was kept changed while it was read",
                local=str(self.content),
            )


def _locked(path: Path, name: str) -> int:
    """The file, locked against every other transfer. (Until the lock is ours, its last owner may remove it.)"""
    while True:
        path.parent.mkdir(exist_ok=True)
        with contextlib.suppress(FileNotFoundError):
            fd = _open(path)
            try:
                fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
                if os.path.samestat(os.fstat(fd), os.lstat(path)):
                    return fd
            except BlockingIOError as problem:
                os.close(fd)
                message = f"{name}: another transfer of it keeps its content in the same place"
                raise TransferError(Code.BUSY, message, local=str(path.parent)) from problem
            except BaseException:
                os.close(fd)
                raise
            os.close(fd)


def _open(path: Path) -> int:
    """A regular file for reading and writing, made when it is missing."""
    fd = os.open(path, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC, 0o666)
    if not stat.S_ISREG(os.fstat(fd).st_mode):
        os.close(fd)
        raise TransferError(Code.STORE_FAILED, "what is kept is no regular file", local=str(path))
    return fd


def _write(fd: int, data: memoryview | bytes) -> None:
    view = memoryview(data)
    while len(view):
        view = view[os.write(fd, view) :]
