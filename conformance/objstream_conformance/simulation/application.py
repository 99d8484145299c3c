"""What the applications of a simulated session do: sources and stores that fail where the plan says so.

Each accounts for its use, so that the oracle can tell what was left open, used too late or finished twice.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

from objstream import (
    Code,
    ContainerAssembler,
    ContainerStreamer,
    Description,
    Limits,
    ObjectAssembler,
    ObjectStreamer,
    TransferError,
)
from objstream.values import Label, Piece

from .objects import Subject
from .plan import Fault, Plan


class Trouble:
    """The faults of a source, a store or an observer, which strike at its n-th use."""

    def __init__(self, faults: list[Fault]) -> None:
        self._at = {fault.at: fault for fault in faults}
        self.uses = 0
        self.struck = False

    def use(self) -> None:
        if not self._at:
            return
        fault = self._at.get(self.uses)
        self.uses += 1
        if fault is not None:
            self.struck = True
            raise _errors(fault)


def _errors(fault: Fault) -> Exception:
    choice = int(fault.amount) % 4
    if choice == 0:
        return OSError(28, "No space left on device", "/secret/local/path")
    if choice == 1:
        return TransferError(
            Code.STORE_FAILED if fault.side == "receiver" else Code.SOURCE_FAILED, "as announced"
        )
    return ValueError("a mistake of the application") if choice == 2 else MemoryError()


class Account:
    """What has been done to a source or a store; see the checks of the oracle."""

    def __init__(self) -> None:
        self.opened = 0
        self.closed = 0
        self.finished = 0
        self.discarded = 0
        self.late: str = ""
        """The first use after the end, if there was one."""

    def working(self, what: str) -> None:
        if (self.closed or self.discarded or self.finished) and not self.late:
            self.late = what


class ContainerSource(ContainerStreamer):
    """A container in memory."""

    def __init__(self, subject: Subject, plan: Plan, trouble: Trouble) -> None:
        super().__init__(subject.value, name="object", chunk=plan.chunk, limits=plan.sender_limits)
        self.account = Account()
        self._trouble = trouble

    def describe(self) -> Description:
        self.account.opened += 1
        return super().describe()

    def entries(self) -> Iterator[tuple[Label, object]]:
        for entry in super().entries():
            self.account.working("entries")
            self._trouble.use()
            yield entry

    def close(self) -> None:
        self.account.closed += 1


class FileSource(ObjectStreamer):
    """A file on the simulated disk: it can grow and shrink while it is read."""

    kind = "file"

    def __init__(self, subject: Subject, plan: Plan, trouble: Trouble) -> None:
        super().__init__(name="object", chunk=plan.chunk)
        self.account = Account()
        self._subject = subject
        self._trouble = trouble
        self._size = 0
        self._before = b""

    def entries(self) -> Iterator[tuple[Label, object]]:
        return iter(())

    def describe(self) -> Description:
        self.account.opened += 1
        self._trouble.use()
        self._before = self._subject.value
        return Description(self.kind, len(self._before), 0)

    def pieces(self, chunk: int) -> Iterator[Piece]:
        scratch = memoryview(bytearray(chunk if chunk < 4096 else max(1, len(self._before))))
        for start in range(0, len(self._before), len(scratch)):
            self.account.working("pieces")
            self._trouble.use()
            data = self._subject.value[start : min(len(self._before), start + len(scratch))]
            if not data:
                raise TransferError(Code.SOURCE_CHANGED, "object: the file shrank")
            scratch[: len(data)] = data
            yield Piece(Piece.DATA, scratch[: len(data)])

    def confirm(self) -> None:
        if self._subject.value != self._before:
            raise TransferError(Code.SOURCE_CHANGED, "object: the file changed")

    def close(self) -> None:
        self.account.closed += 1


class EntriesSource(ObjectStreamer):
    """An object of an application's own kind, produced as it is sent."""

    kind = "x-sim"

    def __init__(self, subject: Subject, plan: Plan, trouble: Trouble) -> None:
        super().__init__(name="object", chunk=plan.chunk, limits=plan.sender_limits)
        self.account = Account()
        self._entries = list(subject.states[0])
        self._trouble = trouble

    def describe(self) -> Description:
        self.account.opened += 1
        return Description(self.kind, attributes={"made": "as it is sent"})

    def entries(self) -> Iterator[tuple[Label, object]]:
        for index, entry in enumerate(self._entries):
            self.account.working("entries")
            self._trouble.use()
            yield (self.name, index), entry

    def close(self) -> None:
        self.account.closed += 1


class ContainerStore(ContainerAssembler):
    """The receiver's memory."""

    def __init__(self, trouble: Trouble) -> None:
        super().__init__()
        self.account = Account()
        self._trouble = trouble

    def begin(self, description: Description, limits: Limits) -> None:
        self.account.opened += 1
        self._trouble.use()
        super().begin(description, limits)

    def entry(self, value: object) -> None:
        self.account.working("entry")
        self._trouble.use()
        super().entry(value)

    def result(self) -> object:
        self._trouble.use()
        self.account.finished += 1
        return super().result()

    def discard(self) -> None:
        self.account.discarded += 1
        super().discard()


class EntriesStore(ObjectAssembler):
    """The receiving application's own assembler."""

    def __init__(self, trouble: Trouble) -> None:
        super().__init__()
        self.account = Account()
        self._trouble = trouble
        self._items: list[object] = []

    def accepts(self, kind: str) -> bool:
        return kind == "x-sim"

    def begin(self, description: Description, limits: Limits) -> None:
        self.account.opened += 1
        self._trouble.use()
        super().begin(description, limits)

    def entry(self, value: object) -> None:
        self.account.working("entry")
        self._trouble.use()
        self._items.append(value)

    def result(self) -> object:
        self._trouble.use()
        self.account.finished += 1
        return self._items

    def discard(self) -> None:
        self.account.discarded += 1
        self._items = []


class Disk:
    """The receiver's disk: finished files, and the temporary ones that have not become any."""

    def __init__(self) -> None:
        self.files: dict[str, bytes] = {}
        self.temporary: dict[str, bytearray] = {}


class FileStore(ObjectAssembler):
    """A file on its way to the disk; the disk may be full, also when the file is closed."""

    def __init__(self, disk: Disk, name: str, trouble: Trouble) -> None:
        super().__init__()
        self.account = Account()
        self._disk = disk
        self._name = name
        self._trouble = trouble
        self._limit = 0
        self._scratch = memoryview(bytearray(64))

    def accepts(self, kind: str) -> bool:
        return kind == "file"

    def entry(self, value: object) -> None:
        raise TransferError(Code.PROTOCOL, "a file has no entries")

    def begin(self, description: Description, limits: Limits) -> None:
        self.account.opened += 1
        self._trouble.use()
        self._limit = limits.max_bytes if description.size is None else description.size
        self._disk.temporary[self._name] = bytearray()

    def room(self) -> int:
        return self._limit - len(self._disk.temporary[self._name])

    def feed(self, skeleton: memoryview) -> None:
        raise TransferError(Code.PROTOCOL, "a file has no entries")

    def buffer(self) -> memoryview:
        self.account.working("buffer")
        return self._scratch

    def filled(self, count: int) -> None:
        self.account.working("filled")
        self._trouble.use()
        self._disk.temporary[self._name] += self._scratch[:count]

    def check_complete(self) -> None:
        pass

    def result(self) -> object:
        self._trouble.use()
        self.account.finished += 1
        content = bytes(self._disk.temporary.pop(self._name))
        self._disk.files[self._name] = content
        return content

    def discard(self) -> None:
        self.account.discarded += 1
        self._disk.temporary.pop(self._name, None)


Source = ContainerSource | FileSource | EntriesSource
SOURCES: dict[str, Callable[[Subject, Plan, Trouble], Source]] = {
    "container": ContainerSource,
    "file": FileSource,
    "x-sim": EntriesSource,
}
