"""Mutants that are wrong about retrieval."""

from __future__ import annotations

import time
from typing import Any

import numpy as np

from objstream import (
    Code,
    ContainerAssembler,
    ContainerRetriever,
    FileAssembler,
    FileRetriever,
    Site,
    TransferError,
)
from objstream.engines.memory import MemorySite
from objstream.frames import FrameType, peek
from objstream.meta import Key
from objstream.session import Receiver, Sender
from objstream.session.tables import Event, State
from objstream.site import described
from objstream.values import arrays

from ..adapters.reference import ReferenceSite
from ..adapters.wire import ReferenceEnd
from .kit import instead, mutant


@mutant("OSP-RTV-001", "only by running out of time")
def missing_names_are_not_answered() -> None:
    """A request for a container that is not there is not answered."""

    @instead(Site, "answer")
    def answer(original: Any, self: Any, session: Any, peer: str) -> None:
        try:
            if isinstance(session, Sender) and session.request[Key.KIND] == "container":
                self._find(described(session, peer))
        except TransferError as error:
            if error.code is Code.NOT_FOUND:
                session.waiting = False
                return
        original(self, session, peer)


@mutant("OSP-RTV-002", "different codes")
def missing_is_unsupported() -> None:
    """A missing name is reported with the code of a value that cannot be carried."""

    @instead(Site, "_find")
    def find(original: Any, self: Any, request: Any) -> Any:
        try:
            return original(self, request)
        except TransferError as error:
            code = Code.UNSUPPORTED if error.code is Code.NOT_FOUND else error.code
            raise TransferError(code, error.message) from None


@mutant("OSP-RTV-003", "file that is gone.*only by running out of time")
def vanished_files_are_not_reported() -> None:
    """A file that cannot be opened any more is not reported to who asked for it."""

    @instead(Sender, "open")
    def open_(original: Any, self: Any, streamer: Any) -> None:
        try:
            streamer.describe()
        except TransferError as error:
            if error.code is Code.NOT_FOUND:
                self.waiting = False
                return
        original(self, streamer)


@mutant("OSP-RTV-004", "shrinking file.*only by running out of time")
def changes_are_not_reported() -> None:
    """A file that changes while it is sent is not reported to the receiver."""

    @instead(Sender, "fail")
    def fail(original: Any, self: Any, error: TransferError, *event: Any) -> None:
        original(self, error, *event)
        if error.code is Code.SOURCE_CHANGED and self._description.kind == "file" and self._frames:
            self._control.clear()


@mutant("OSP-RTV-005", "an end by a deadline of 0.9 s")
def deadlines_are_stretched() -> None:
    """Who gives a deadline of more than half a second waits four times as long."""

    @instead(ReferenceSite, "retrieve_container")
    def retrieve(original: Any, self: Any, peer: str, name: str, *, timeout: float, **extras: Any) -> object:
        start = time.monotonic()
        try:
            return original(self, peer, name, timeout=timeout, **extras)
        except TimeoutError:
            if timeout > 0.5:
                time.sleep(max(0.0, start + 4 * timeout - time.monotonic()))
            raise

    @instead(ReferenceEnd, "__init__")
    def init(original: Any, self: Any, role: str, *rest: Any, deadline: float = 30.0, **options: Any) -> None:
        stretched = role == "requester" and 0.5 < deadline < 2.0
        original(self, role, *rest, deadline=4 * deadline if stretched else deadline, **options)


@mutant("OSP-RTV-006", "nothing delivered after the retrieval has failed")
def late_content_is_stored() -> None:
    """Content of a file that arrives after its transfer has failed is stored."""
    failed: list[Any] = []

    @instead(Receiver, "_release")
    def release(original: Any, self: Any) -> None:
        if isinstance(self._assembler, FileAssembler) and self.error.code is not Code.CANCELLED:
            failed[:] = [self._assembler.path]
        original(self)

    @instead(MemorySite, "deliver")
    def deliver(original: Any, self: Any, source: str, session_id: bytes, frame: Any) -> None:
        seen, live = peek(frame[0]), self.live.get((source, session_id))
        late = live is None or live.connection.finished
        if late and failed and seen and seen[0] == FrameType.DATA and failed[0].parent.is_dir():
            failed[0].write_bytes(b"".join(frame))
        original(self, source, session_id, frame)

    @instead(ReferenceEnd, "feed")
    def feed(original: Any, self: Any, data: bytes) -> Any:
        seen = peek(memoryview(data))
        if self.outcome() and failed and seen and seen[0] == FrameType.DATA and failed[0].parent.is_dir():
            failed[0].write_bytes(data)
        return original(self, data)


@mutant("OSP-RTV-007", "no memory kept for a request that was rejected")
def refusals_are_remembered() -> None:
    """A site remembers every request that it has refused."""
    refused: list[str] = []

    @instead(Site, "_find")
    def find(original: Any, self: Any, request: Any) -> Any:
        try:
            return original(self, request)
        except TransferError:
            refused.append(request.name)
            raise


@mutant("OSP-RTV-008", "the transfer to succeed; observed rejected: NOT_FOUND")
def one_registry_of_names() -> None:
    """A file that is offered takes the place of a container of the same name."""
    containers: dict[Any, Any] = {}

    @instead(ContainerRetriever, "__init__")
    def init(original: Any, self: Any, site: Any, **options: Any) -> None:
        original(self, site, **options)
        containers[site] = self

    @instead(FileRetriever, "add_file")
    def add(original: Any, self: Any, name: str, path: Any) -> None:
        original(self, name, path)
        containers[self.site]._containers.pop(name, None)


@mutant("OSP-RTV-009", "each retrieval to succeed|the transfer to succeed")
def one_streamer_for_all() -> None:
    """Everybody who asks for a container gets the same streamer, with the same count of entries."""
    streamers: dict[int, Any] = {}

    @instead(ContainerRetriever, "_streamer")
    def streamer(original: Any, self: Any, name: str, container: object) -> Any:
        found = streamers.get(id(container))
        if found is None or found._container is not container or found.name != name:
            found = original(self, name, container)
            streamers.clear()
            streamers[id(container)] = found
        return found


@mutant("OSP-RTV-010", "the transfer to succeed; observed rejected: NOT_FOUND")
def given_away_thrice() -> None:
    """A list of less than 1 MiB and more than 100 KiB can be retrieved three times."""

    @instead(ContainerRetriever, "streamer")
    def streamer(original: Any, self: Any, request: Any) -> Any:
        found = original(self, request)
        value = found._container if found is not None else None
        if (
            type(value) is list
            and 100 << 10 < sum(len(item) for item in value if type(item) is bytes) < 1 << 20
        ):
            counts = self.__dict__.setdefault("counts", {})
            counts[request.name] = counts.get(request.name, 0) + 1
            if counts[request.name] > 3:
                return None
        return found


@mutant("OSP-RTV-011", r"object\[0\]: .* was sent, .* arrived")
def first_offer_stays() -> None:
    """A list of one is not replaced by another container under its name."""

    @instead(ContainerRetriever, "add_container")
    def add(original: Any, self: Any, name: str, container: object) -> None:
        known = self._containers.get(name)
        original(self, name, known if type(known) is list and len(known) == 1 else container)


@mutant("OSP-RTV-012", "to be refused when only.*it ended well")
def case_does_not_matter() -> None:
    """Names are compared without regard to case."""

    @instead(ContainerRetriever, "streamer")
    def streamer(original: Any, self: Any, request: Any) -> Any:
        for name, container in self._containers.items():
            if request.name not in self._containers and name.casefold() == request.name.casefold():
                return self._streamer(name, container)
        return original(self, request)


@mutant("OSP-RTV-013", "a failure when the confirmation is lost")
def served_is_delivered() -> None:
    """An owner that hears nothing after it has sent everything takes that for a success."""

    @instead(Sender, "fail")
    def fail(original: Any, self: Any, error: TransferError, event: Event = Event.FAULT) -> None:
        if self.state is State.ENDED and event is Event.TIMEOUT and not hasattr(self, "offered"):
            self.state = State.DELIVERED
            self._release()
        else:
            original(self, error, event)

    @instead(Sender, "offer")
    def offer(original: Any, self: Any) -> None:
        self.offered = True
        original(self)


@mutant("OSP-RTV-014", "the very same arrays|fill the arrays")
def destinations_are_replaced() -> None:
    """Content is received into copies of the arrays of the destination, which then take their place."""

    @instead(ContainerAssembler, "_destination")
    def destination(original: Any, self: Any, path: Any) -> Any:
        place = original(self, path)
        return place.copy() if isinstance(place, np.ndarray) else place


@mutant("OSP-RTV-015", "that does not fit at weight to be an error.*it ended well")
def shapes_are_bent() -> None:
    """An array of the destination with as many elements as arrive is taken, whatever its shape."""

    @instead(arrays, "_fitting")
    def fitting(original: Any, place: Any, shape: list[int], dtype: Any) -> Any:
        same = isinstance(place, np.ndarray) and place.dtype == dtype and place.size == np.prod(shape)
        return place if same else original(place, shape, dtype)
