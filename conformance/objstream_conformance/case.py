"""What a test case works with: sites, the network between them, and the assertions of the suite."""

from __future__ import annotations

import random
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from .assertions import Assertions, Operation
from .compare import difference, show
from .contract import Adapter, Description, Rejected, WireAdapter, WireEnd
from .extras import Sample, Sampling, Serving
from .network import Fault, Kind, Message, Network, Trace, aimed
from .outcomes import AdapterError, Ending, NotApplicable, Unexercised, Violation
from .sites import PATIENCE, Party, Verdicts, describe
from .witness import Witness

NAMES = ("alpha", "beta", "gamma", "delta", "epsilon", "zeta")
DEADLINE = 0.4
"""Deadline in seconds for what should fail: an implementation without notice of failures waits it out."""
KEPT_LINES = 24
"""Frames of a session that are evidence, the last ones."""
GRACE = 3.0
"""How long after its deadline an operation may still be ending, in seconds."""


@dataclass(frozen=True)
class Load:
    """An object to transfer, and how: `move(timeout)` returns what arrived, to be compared with `sent`."""

    sent: object
    move: Callable[[float], object]


@dataclass(frozen=True)
class Goods:
    """An object of a kind that is on offer, and the operations for its kind.

    Attributes:
        given: what a site takes.
        sent: what has to come of it.
        kind: which operations move it.
        read: makes what was sent of what a site has received.
    """

    given: Any
    sent: object
    kind: Literal["container", "file", "object"] = "container"
    read: Callable[[Any], object] = lambda got: got

    def offer(self, site: Party, name: str) -> None:
        getattr(site, f"add_{self.kind}")(name, self.given)

    def get(self, site: Party, peer: str, name: str, *, timeout: float = PATIENCE) -> Any:
        """What a site retrieves, as it is."""
        return getattr(site, f"retrieve_{self.kind}")(peer, name, timeout=timeout)

    def retrieve(self, site: Party, peer: str, name: str, *, timeout: float = PATIENCE) -> object:
        return self.read(self.get(site, peer, name, timeout=timeout))

    def send(self, site: Party, targets: list[str], *, timeout: float = PATIENCE) -> Verdicts:
        send: Callable[..., Verdicts] = getattr(site, f"send_{self.kind}")
        return send(targets, self.given, timeout=timeout)

    def is_held(self, got: Any) -> bool:
        """Whether this is what a site has received."""
        return not difference(self.sent, self.read(got))


class Case(Assertions):
    """One run of one test case: fresh sites in a fresh directory on a fresh network."""

    def __init__(self, adapter: Adapter, description: Description, directory: Path, seed: str) -> None:
        super().__init__()
        self.adapter = adapter
        self.description = description
        self.directory = directory
        self.random = random.Random(seed)
        self.network = Network(self.random.getrandbits(32))
        self._parties: list[Party] = []
        self._names = 0
        self._beside: list[BaseException] = []
        self._doubts: list[str] = []
        self._witness: Witness | None = None

    # -- sites and transfers

    def sites(self, count: int = 2) -> list[Party]:
        """The first `count` sites of this case, opened when first asked for."""
        while len(self._parties) < count:
            self._parties.append(self.open(NAMES[len(self._parties)], self.network))
        return self._parties[:count]

    def open(self, name: str, network: Network) -> Party:
        """Open a site on a network, the case's own or another one."""
        directory = self.directory / f"{name}-{len(list(self.directory.iterdir()))}"
        directory.mkdir()
        network.sites.add(name)
        try:
            return Party(name, self.adapter.site(name, network, directory), directory)
        except Exception as error:
            raise AdapterError("a site to open", f"{type(error).__name__}: {error}") from error

    @contextmanager
    def elsewhere(self) -> Iterator[Case]:
        """Another case with sites of the same names on a network of its own, which ends with the block."""
        directory = self.directory / f"elsewhere-{len(list(self.directory.iterdir()))}"
        directory.mkdir()
        other = Case(self.adapter, self.description, directory, f"{self.random.getrandbits(32)}")
        try:
            yield other
            other.finish()
        except Violation:
            self._doubts += other.doubts()
            raise
        finally:
            other.close()

    def rebuild(self, **options: object) -> None:
        """Go on with an adapter built with options, before any site is open."""
        factory: Any = getattr(self.adapter, "again", type(self.adapter))
        self.adapter = factory(**options)

    def finish(self) -> None:
        """See that all that was planned came about, and that nothing went wrong on the side.

        Raises:
            Unexercised: a fault or a hook has struck nothing.
        """
        for error in self._beside:
            raise error
        self.network.settle()
        unfired = self.network.unfired()
        if unfired:
            raise Unexercised(
                "every planned fault to strike a message", f"struck nothing: {'; '.join(unfired)}"
            )

    def doubts(self) -> list[str]:
        """What was planned and did not come about: a violation that was seen without it may be none."""
        return self._doubts + self.network.unfired()

    def evidence(self) -> dict[str, object]:
        """What went over the wire and what was noted, for a report."""
        found: dict[str, object] = {}
        if self.network.log or self._witness is None:
            found = self.network.evidence()
        if self._witness is not None:
            found["wire"] = self._witness.lines()[-KEPT_LINES:]
        return {**found, "notes": self.notes[-8:]}

    def close(self) -> None:
        """Close all sites.

        Raises:
            AdapterError: one of them raised something.
        """
        self.network.heal(0.0)
        while self._parties:
            try:
                self._parties.pop().close()
            except (Ending, Rejected, TimeoutError) as error:
                raise AdapterError("a site to close", str(error)) from error

    def has(self, capability: str) -> bool:
        return capability in self.description.capabilities

    def need(self, *capabilities: str) -> None:
        """End the case as not applicable unless one of the capabilities is declared."""
        if not any(map(self.has, capabilities)):
            raise NotApplicable(f"the capability {' or '.join(capabilities)}", "it is not declared")

    def transfer(self, container: object, *, timeout: float = PATIENCE) -> object:
        """Move a container from the first site to the second, by pull where that is on offer."""
        return (self.pull if self.has("pull") else self.push)(container, timeout=timeout)

    def carries(self, value: object, *, timeout: float = PATIENCE, check: str = "") -> Any:
        """A container of the value model is transferred and arrives as it was sent; what arrived."""
        got = self.succeeds(
            lambda: self.transfer(value, timeout=timeout), "a value of the model to be carried"
        )
        self.same(value, got, check)
        return got

    def refuses(self, container: object, expected: str, check: str = "") -> Rejected:
        """The sender says no and nothing is delivered; asked by push where that is on offer."""
        if not self.has("push"):
            return self.refused(lambda: self.pull(container, timeout=DEADLINE), expected, check)
        sender, receiver = self.sites()
        before = len(receiver.received())

        def send() -> object:
            verdict = sender.send_container([receiver.name], container, timeout=DEADLINE)[receiver.name]
            if verdict is not None:
                raise verdict
            new = receiver.received()[before:]
            return f"success; delivered was {show(new[0]) if new else 'nothing'}"

        refusal = self.refused(send, expected, check)
        new = receiver.received()[before:]
        self.expect(not new, "nothing delivered of what the sender refused", f"it received {show(new)}")
        return refusal

    def pull(self, container: object, *, timeout: float = PATIENCE) -> object:
        return self._pull(Goods(container, container), timeout)

    def push(self, container: object, *, timeout: float = PATIENCE) -> object:
        return self._push(Goods(container, container), timeout)

    def transfer_file(self, path: Path, *, timeout: float = PATIENCE) -> Path:
        """As :meth:`transfer`, for a file; returns the path of the received one."""
        return (self.pull_file if self.has("pull") else self.push_file)(path, timeout=timeout)

    def pull_file(self, path: Path, *, timeout: float = PATIENCE) -> Path:
        return Path(self._pull(Goods(path, path, "file"), timeout))  # type: ignore[arg-type]

    def push_file(self, path: Path, *, timeout: float = PATIENCE) -> Path:
        arrived = self._push(Goods(path, path, "file"), timeout)
        if not isinstance(arrived, Path):
            raise AdapterError("received() to hold a pathlib.Path for a file", f"it holds {show(arrived)}")
        return self.sites()[1].inside(arrived)

    def _pull(self, goods: Goods, timeout: float) -> object:
        owner, requester = self.sites()
        name = self.fresh_name()
        goods.offer(owner, name)
        return goods.get(requester, owner.name, name, timeout=timeout)

    def _push(self, goods: Goods, timeout: float) -> object:
        sender, receiver = self.sites()
        before = len(receiver.received())
        verdict = goods.send(sender, [receiver.name], timeout=timeout)[receiver.name]
        if verdict is not None:
            raise verdict
        after = receiver.received()
        if len(after) != before + 1:
            raise Violation(
                "exactly one more object received when the sender reports success",
                f"{len(after) - before} more",
                "the receiver's verdict must precede the sender's success",
            )
        return after[-1]

    def goods(self, size: int, pieces: int = 1) -> Goods:
        """A random object of about `size` bytes: a container where containers are on offer, else one of the
        implementation's own kind, else a file.
        """
        if self.has("container"):
            value = [self.random.randbytes(size // pieces) for _ in range(pieces)]
            return Goods(value, value)
        if self.has("own"):
            return self.own(size)
        if self.has("file"):
            return self.file_goods(size)
        raise NotApplicable("an object to transfer: container, file or own", "none is declared")

    def own(self, size: int) -> Goods:
        """An object of the implementation's own kind."""
        if not isinstance(self.adapter, Sampling):
            raise AdapterError("an adapter with the capability own to have sample()", "it has no such method")
        return _goods(self.adapter.sample(size))

    def served(self) -> list[Goods]:
        """All objects of a server elsewhere."""
        if not isinstance(self.adapter, Serving):
            raise AdapterError(
                "an adapter with the capability served to have samples()", "it has no such method"
            )
        return [_goods(sample) for sample in self.adapter.samples()]

    def file_goods(self, size: int) -> Goods:
        """A file of random bytes."""
        data = self.random.randbytes(size)
        return Goods(self.file(data), data, "file", lambda path: Path(path).read_bytes())

    def load(self, way: str = "", *, pieces: int = 5, size: int = 300 << 10) -> Load:
        """A random object of several pieces, see :meth:`goods`, by pull or by push."""
        return self.loaded(self.goods(pieces * size, pieces), way)

    def file_load(self, size: int, way: str = "") -> Load:
        """A file of random bytes."""
        return self.loaded(self.file_goods(size), way)

    def loaded(self, goods: Goods, way: str = "") -> Load:
        """How this object is moved from the first site to the second."""
        way = way or ("pull" if self.has("pull") else "push")
        self.need(way)
        carry = self._pull if way == "pull" else self._push
        return Load(goods.sent, lambda timeout: goods.read(carry(goods, timeout)))

    def move(self, goods: Goods, timeout: float) -> object:
        """What the second site receives of the first, as it is."""
        return (self._pull if self.has("pull") else self._push)(goods, timeout)

    def fresh_name(self) -> str:
        self._names += 1
        return f"object-{self._names}"

    def file(self, data: bytes, name: str = "") -> Path:
        """A source file with the given bytes, outside every site's directory."""
        folder = self.directory / "sources"
        folder.mkdir(exist_ok=True)
        path = folder / (name or f"source-{len(list(folder.iterdir()))}.bin")
        path.write_bytes(data)
        return path

    def wire(self, role: Any, name: str, value: object = None, **options: object) -> WireEnd:
        """One end of a session with its bytes in our hands; needs the capability `wire`."""
        self.need("wire")
        if not isinstance(self.adapter, WireAdapter):
            raise AdapterError("an adapter with the capability wire to offer wire()", "it has no such method")
        title = f"the end is a {role} of {name!r}" + (f" with {options}" if options else "")
        self._witness = Witness(self.adapter.wire(role, name, value, **options), title)
        return self._witness

    # -- faults

    def fault(self, kind: Kind, **details: Any) -> None:
        self.network.plan(Fault(kind, **details))

    def hit(self, kind: Kind, message: Message, **details: Any) -> None:
        """Plan a fault at the message that stands where this one stood in a rehearsal."""
        self.network.plan(aimed(kind, message, **details))

    def rehearse(self, operation: Operation) -> Trace:
        """Run an operation undisturbed and return what it put on the wire, to aim faults at it."""
        start = len(self.network.log)
        self.succeeds(operation)
        trace = self.network.since(start)
        if not len(trace):
            raise AdapterError("the operation to use the network it was given", "nothing was carried")
        return trace

    def overlap(self, operation: Operation, *, wait: float = 2.0, **selector: Any) -> threading.Thread:
        """Run an operation in a thread of its own while a message that is selected is on its way.

        That message waits for the operation, though not for ever: one that has to wait in turn for the
        transfer that was interrupted goes on beside it.
        """

        def run() -> None:
            try:
                operation()
            except (Rejected, TimeoutError) as refusal:
                self.notes.append(f"beside it: {describe(refusal)}")
            except BaseException as error:
                self._beside.append(error)

        thread = threading.Thread(target=run, daemon=True)

        def strike(_: Message) -> None:
            thread.start()
            thread.join(wait)

        self.network.hook(strike, **selector)
        return thread

    def works(self) -> None:
        """The sites still do their work: a fresh transfer over the healed network succeeds."""
        self.network.heal()
        load = self.load(pieces=1, size=100)
        got = self.succeeds(
            lambda: load.move(PATIENCE), "the next transfer between the same sites to succeed"
        )
        self.same(load.sent, got, "a failed transfer must leave nothing behind that disturbs the next one")

    def no_leftovers(self, site: Party, before: dict[str, int]) -> None:
        """Nothing is in the site's directory that was not there before; tidying up is waited for."""
        self.soon(lambda: site.files() == before, 1.0)
        new = {name: size for name, size in site.files().items() if before.get(name) != size}
        self.expect(
            not new,
            "nothing left behind by the failed transfer",
            f"{len(new)} files left: {new}",
            "remove the temporary file on every failing path",
        )


def _goods(sample: Sample) -> Goods:
    return Goods(sample.given, sample.content, "object", sample.read)
