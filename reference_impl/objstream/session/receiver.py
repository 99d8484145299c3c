"""The receiver's session: asks for an object, or takes an offered one, and assembles it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from .. import digests
from ..digests import ALGORITHMS, NONE, Chain, Hasher
from ..errors import Code, TransferError
from ..frames import Frame, FrameType
from ..limits import MIB, Limits
from ..meta import MAX_UINT, MAX_VALIDATOR, Key, Meta
from ..streamers.base import Description, ObjectAssembler
from ..streamers.container import CONTAINERS
from .base import DEADLINE, LOGGER, SLOWEST, VERSIONS, Buffers, Observer, Progress, Session
from .kept import Kept, Point, Record
from .tables import RECEIVER, Event

WINDOW = 16 * MIB


class Receiver(Session):
    """Receives one object from one peer.

    For a pull, construct it with the assembler and call `ask`. For a push, construct it without and hand it the
    OFFER; `waiting` is then set until the application calls `accept` with an assembler, or `fail`.

    Args:
        assembler: makes the object of the content; discarded by the session unless the object is delivered. Where it
            has a directory for `resume`, the session goes on from what is kept there, and keeps what arrives.
        offered: names of the digests to offer, the best first.
        window: bytes of content that the sender may be ahead of what has landed here.
        deadline: seconds without progress after which the session fails.

    Attributes:
        result: the object, once `state` is DELIVERED.
        offer: the OFFER's meta, in a push.
    """

    table = RECEIVER

    def __init__(
        self,
        assembler: ObjectAssembler | None = None,
        *,
        name: str = "object",
        limits: Limits | None = None,
        offered: Sequence[str] = digests.DEFAULT,
        window: int = WINDOW,
        deadline: float = DEADLINE,
        progress: Observer | None = None,
    ) -> None:
        super().__init__(name, limits=limits or Limits(), deadline=deadline, progress=progress)
        if window < 1:
            raise ValueError(f"the window must be at least 1 byte, not {window}")
        self.result: object = None
        self.offer: Meta = {}
        self._assembler = assembler
        self._offered = tuple(offered)
        self._window = window
        self._granted = 0
        self._bytes = 0
        self._frames = 0
        self._unmoved = 0
        self._landed = 0
        self._asked: Meta = {}
        self._description = Description("")
        self._digest = NONE
        self._chain = Chain("")
        self._hasher: Hasher = ALGORITHMS[NONE]()
        self._scratch = bytearray()
        self._kept: Kept | None = None
        self._point: Point | None = None
        self._adopted = False
        self._replaying: Iterator[None] | None = None

    def ask(self, kind: str) -> None:
        """Request the object of this name; `kind` is "container", "file" or an application kind."""
        try:
            self.check_name(self.name)
            self._request(kind)
        except TransferError as problem:
            self.fail(problem)

    def accept(self, assembler: ObjectAssembler) -> None:
        """Take the offered object."""
        self.waiting = False
        self._assembler = assembler
        if not self._takes(self.offer[Key.KIND]):
            self.fail(
                TransferError(
                    Code.UNSUPPORTED, f"{self.name}: objects of kind {self.offer[Key.KIND]!r} are not taken"
                )
            )
            return
        try:
            self._request(self.offer[Key.KIND])
        except TransferError as problem:
            self.fail(problem)

    def output(self) -> Buffers | None:
        if self._replaying is None:
            return super().output()
        try:
            self._replay(self._replaying)
        except TransferError as problem:
            self.fail(problem)
        return self._sign_of_life()

    def where(self) -> str:
        total = self._description.size
        entries = f", {self._assembler.count} entries" if self._assembler and self._assembler.count else ""
        return f"{self._bytes} of {total if total is not None else 'unknown'} bytes received{entries}"

    def on_frame(self, frame: Frame) -> None:
        """A frame of the peer; raises TransferError when the peer broke the protocol."""
        if frame.type in (FrameType.ENTRIES, FrameType.DATA):
            self._on_content(frame)
        elif frame.type is FrameType.OPEN:
            self._on_open(frame)
        elif frame.type is FrameType.END:
            self._on_end(frame)
        elif frame.type is FrameType.OFFER:
            self._on_offer(frame)
        elif frame.type is FrameType.RESET:
            self._on_reset(frame)
        else:
            raise TransferError(Code.PROTOCOL, f"{self.name}: a receiver does not take {frame.type.name}")

    def landing(self, frame: Frame, left: int) -> memoryview:
        """Where the next bytes of a content frame must land."""
        if frame.type is FrameType.ENTRIES:
            if len(self._scratch) < frame.length:
                self._scratch = bytearray(frame.length)
            return memoryview(self._scratch)[: frame.length]
        self._fill()
        assert self._assembler is not None
        with self._application(Code.STORE_FAILED):
            return self._assembler.buffer()[:left]

    def landed(self, frame: Frame, view: memoryview) -> None:
        """That view is full. What ends a frame reaches the assembler only when the frame is verified."""
        self._hasher.update(view)
        if self._kept is not None and not self._adopted:
            with self._application(Code.STORE_FAILED):
                self._kept.write(view)
        if frame.type is FrameType.DATA:
            self._landed = len(view)

    def data_moved(self, count: int) -> None:
        self._unmoved += count
        if self._unmoved >= SLOWEST:
            self._unmoved = 0
            self.moved()

    def on_data(self, frame: Frame) -> None:
        """All data of a content frame has landed: verify it, then use it."""
        digest = self._hasher.digest()
        if digest != frame.meta.get(Key.DIGEST, b""):
            raise TransferError(
                Code.CORRUPT,
                f"{self.name}: {frame.type.name} of {frame.length} bytes does not match its digest; {self.where()}",
            )
        self._chain.add(frame.type, frame.length, digest)
        self._bytes += frame.length
        self._frames += 1
        assert self._assembler is not None
        if frame.type is FrameType.ENTRIES:
            with self._application(Code.STORE_FAILED):
                self._assembler.feed(memoryview(self._scratch)[: frame.length])
        else:
            self._fill()
        if self._kept is not None:
            with self._application(Code.STORE_FAILED):
                record = Record(frame.type, self._assembler.between(), frame.length, digest)
                self._kept.add(record, Point(self._frames, self._bytes, self._chain.value))
        self._unmoved = 0
        self.moved()
        self._grant()
        self._report()

    def _fill(self) -> None:
        count, self._landed = self._landed, 0
        if count:
            assert self._assembler is not None
            with self._application(Code.STORE_FAILED):
                self._assembler.filled(count)

    def _report(self) -> None:
        if self._progress is not None:
            assert self._assembler is not None
            announced = self._description
            with self._application(Code.CANCELLED):
                self._progress(Progress(self._bytes, announced.size, self._assembler.count, announced.count))

    def _request(self, kind: str) -> None:
        self._granted = self._window
        request: Meta = {
            Key.VERSIONS: list(VERSIONS),
            Key.DIGESTS: list(self._offered),
            Key.NAME: self.name,
            Key.KIND: kind,
            Key.MAX_BYTES: min(self.limits.max_bytes, MAX_UINT),
            Key.CREDIT: self._granted,
            Key.MAX_FRAME: self.limits.max_frame,
        }
        assert self._assembler is not None
        if self._assembler.resume is not None:
            with self._application(Code.STORE_FAILED):
                self._kept = Kept(self._assembler.resume, kind, self.name, self.limits)
            request |= self._kept.wishes(self._offered, self._window)
            self._point = self._kept.point
            self._granted = request[Key.CREDIT]
        self._asked = request
        self._step(Event.SEND_REQUEST)
        self._send(FrameType.REQUEST, request)

    def _on_offer(self, frame: Frame) -> None:
        self._receive(Event.RECV_OFFER, frame)
        self.check_name(frame.meta[Key.NAME])
        self.offer = frame.meta
        self.name = frame.meta[Key.NAME]
        self._check_size(frame.meta.get(Key.SIZE))
        self.waiting = True

    def _on_open(self, frame: Frame) -> None:
        self._receive(Event.RECV_OPEN, frame)
        meta = frame.meta
        kind = meta[Key.KIND]
        assert self._assembler is not None
        expected = self._fits(kind) and (bool(self.offer) or self._takes(kind))
        for fits, what in (
            (meta[Key.VERSIONS] in VERSIONS, f"version {meta[Key.VERSIONS]}"),
            (meta.get(Key.RESUME) == self._asked.get(Key.RESUME), "another resume point or none"),
            (meta[Key.DIGESTS] in self._asked[Key.DIGESTS], f"digest {meta[Key.DIGESTS]!r}"),
            (expected, f"kind {kind!r}"),
        ):
            if not fits:
                raise TransferError(Code.PROTOCOL, f"{self.name}: OPEN has {what}, which was not asked for")
        self._check_size(meta.get(Key.SIZE))
        self._digest = meta[Key.DIGESTS]
        self._chain = Chain(kind)
        self._description = Description(
            kind, meta.get(Key.SIZE), meta.get(Key.COUNT), meta.get(Key.ATTRIBUTES, {})
        )
        with self._application(Code.STORE_FAILED):
            if self._kept is not None:
                self._keep(self._kept, meta)
            self._assembler.begin(self._description, self.limits)
        if self._kept is not None and self._point is not None:
            self._replaying = iter(()) if self._adopted else self._kept.replay(self._assembler)

    def _keep(self, kept: Kept, opened: Meta) -> None:
        """From now on what arrives is kept, behind what is there."""
        assert self._assembler is not None
        if self._point is not None:
            self._frames, self._bytes, self._chain.value = self._point
            kept.compare(opened)
        elif 0 < len(opened.get(Key.VALIDATOR, b"")) <= MAX_VALIDATOR:
            kept.begin({**opened, Key.MAX_FRAME: self._asked[Key.MAX_FRAME]})
        else:
            LOGGER.warning("%s: nothing is kept of it, the sender cannot resume it", self.name)
            self._let_go(kept)
            return
        self._adopted = self._assembler.adopt(kept.content, self._bytes)

    def _replay(self, replaying: Iterator[None]) -> None:
        """Put a frame of what was kept in its place; credit is granted after the last."""
        with self._application(Code.STORE_FAILED):
            unfinished = next(replaying, self) is not self
        self.moved()
        if not unfinished:
            self._replaying = None
            self._grant()
            self._report()

    def _fits(self, kind: str) -> bool:
        """Whether this is the kind that was asked for, or in a pull one of those that "container" stands for."""
        asked = self._asked[Key.KIND]
        return kind == asked or (not self.offer and asked == "container" and kind in CONTAINERS)

    def _takes(self, kind: str) -> bool:
        assert self._assembler is not None
        with self._application(Code.STORE_FAILED):
            return self._assembler.accepts(kind)

    def _check_size(self, size: int | None) -> None:
        if size is not None and size > self.limits.max_bytes:
            raise TransferError(
                Code.TOO_LARGE,
                f"{self.name}: {size} bytes announced, at most {self.limits.max_bytes} are taken",
            )

    def _on_content(self, frame: Frame) -> None:
        self._receive(Event.RECV_CONTENT, frame)
        after = self._bytes + frame.length
        most = self.limits.max_bytes if self._description.size is None else self._description.size
        if after > most:
            raise TransferError(
                Code.PROTOCOL if self._description.size is not None else Code.TOO_LARGE,
                f"{self.name}: content up to byte {after}, but {most} were announced or are taken at most",
            )
        if after > self._granted:
            raise TransferError(
                Code.PROTOCOL, f"{self.name}: content up to byte {after}, credit ends at {self._granted}"
            )
        assert self._assembler is not None
        with self._application(Code.STORE_FAILED):
            room = self._assembler.room()
        if frame.type is FrameType.ENTRIES and room:
            raise TransferError(
                Code.PROTOCOL, f"{self.name}: ENTRIES while {room} bytes of a buffer are missing"
            )
        if frame.type is FrameType.DATA and frame.length > room:
            raise TransferError(
                Code.PROTOCOL, f"{self.name}: DATA of {frame.length} bytes where {room} are awaited"
            )
        if (Key.DIGEST in frame.meta) != (self._digest != NONE):
            raise TransferError(
                Code.PROTOCOL,
                f"{self.name}: {frame.type.name} must have a digest unless the session's is none",
            )
        self._hasher = ALGORITHMS[self._digest]()

    def _grant(self) -> None:
        """Renew the sender's credit when half of the window is used up."""
        if self._granted - self._bytes <= self._window // 2 and self._bytes != self._description.size:
            self._granted = min(self._bytes + self._window, MAX_UINT)
            self._send(FrameType.CREDIT, {Key.CREDIT: self._granted})

    def _on_end(self, frame: Frame) -> None:
        self._receive(Event.RECV_END, frame)
        while self._replaying is not None:
            self._replay(self._replaying)
        assembler, announced, meta = self._assembler, self._description, frame.meta
        assert assembler is not None
        with self._application(Code.STORE_FAILED):
            assembler.check_complete()
        for what, key, here, told in (
            ("bytes", Key.SIZE, self._bytes, announced.size),
            ("entries", Key.COUNT, assembler.count, announced.count),
        ):
            if meta[key] != here or told not in (None, here):
                raise TransferError(
                    Code.CORRUPT,
                    f"{self.name}: {here} {what} arrived, END says {meta[key]}, "
                    f"OPEN said {told if told is not None else 'nothing'}",
                )
        if meta[Key.CHAIN] != self._chain.value:
            raise TransferError(
                Code.CORRUPT, f"{self.name}: the chain of the content differs from the sender's"
            )
        with self._application(Code.STORE_FAILED):
            self.result = assembler.finish()
        self._assembler = None
        self._step(Event.STORED)
        self._send(FrameType.DONE, {Key.CHAIN: self._chain.value})
        self._release()

    def _release(self) -> None:
        assembler, self._assembler = self._assembler, None
        self._scratch = bytearray()
        self._replaying = None
        if assembler is not None:
            with self._last_call():
                assembler.discard()
        if self._kept is not None:
            with self._last_call():
                self._let_go(self._kept)

    def _let_go(self, kept: Kept) -> None:
        note, self._kept = kept.end(self.error), None
        if self.error is not None:
            self.error.local = "; ".join(filter(None, (self.error.local, note)))
