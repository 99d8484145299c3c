"""What an implementation gives the suite: an adapter that opens sites on a network which the suite owns.

Outcomes are told apart strictly. Returning is success, :class:`Rejected` a clear refusal or failure,
:class:`TimeoutError` a deadline that ran out, :class:`Unsupported` an operation not on offer. Any other
exception that leaves an operation is a crash of the implementation, never a rejection.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Literal, Protocol, runtime_checkable

Role = Literal["owner", "requester", "sender", "receiver"]

ROLES: Final[frozenset[Role]] = frozenset({"owner", "requester", "sender", "receiver"})

CAPABILITIES: Final[Mapping[str, str]] = {
    "container": "containers are streamed",
    "file": "files are streamed",
    "push": "a site sends without being asked: send_container, send_file, received",
    "pull": "a site asks for a named object: add_*, retrieve_*",
    "multi-target": "one push goes to several sites",
    "owner-verdict": "the owner learns how a retrieval ended",
    "cancel": "a transfer can be cancelled from either side",
    "into": "a container is received into arrays that exist",
    "observer": "progress is reported per entry",
    "deadline": "the deadline is about progress",
    "chunk-size": "the size of a file's chunks can be set",
    "resume": "an interrupted transfer can be continued",
    "tensors": "torch tensors are values",
    "numpy": "numpy arrays and scalars are values",
    "memory": "memory is bounded by the largest entry at least, and is measured",
    "registry": "application types travel under registered names",
    "root": "the files below a directory can be retrieved: add_directory",
    "retrievers": "a site can have several retrievers of containers: another_retriever",
    "own": "objects of a kind of the application's own are streamed: Adapter.sample",
    "served": "the implementation is a server elsewhere, whose objects are its own",
    "wire": "sessions are opened with their bytes in the suite's hands: Adapter.wire",
    "sites": "sites are the implementation's own: names, peers, sessions and objects are in its hands alone",
    "disk": "files are read from the suite's directories, and written to them",
    "unlisted": "values that cannot be carried can be given to it",
}
"""The capabilities the suite knows, and what each one offers; what a site then has besides is in :mod:`.extras`.

Others may be declared; nothing tests them.
"""

OF_SITES: Final = frozenset({"sites", "disk", "unlisted"})
"""What sites of the implementation's own have of themselves; see :class:`Description`."""


class Rejected(Exception):
    """The implementation said no, clearly: it refused the operation, or reported that it failed.

    `code` is the implementation's own name for the reason, empty when it has none.
    """

    def __init__(self, message: str, code: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.code = code

    def __reduce__(self) -> tuple[type[Rejected], tuple[str, str]]:
        return type(self), (self.message, self.code)


class Unsupported(Exception):
    """The implementation does not offer this operation."""


class Cut(ConnectionError):
    """The link over which a message was to be carried is cut, and stays so."""


@dataclass(frozen=True)
class Description:
    """Who the implementation is and what it offers: requirements are asked of what is declared, no more.

    Attributes:
        built: its sites are built by the suite, out of ends of sessions. Others have the capabilities `OF_SITES`
            without a declaration.
    """

    name: str
    version: str
    roles: frozenset[Role]
    capabilities: frozenset[str]
    built: bool = False

    def __post_init__(self) -> None:
        if not self.built:
            object.__setattr__(self, "capabilities", self.capabilities | OF_SITES)


class Network(Protocol):
    """The suite's network between sites. It may drop, duplicate, reorder, corrupt, delay, measure and cut."""

    def carry(self, source: str, target: str, message: bytes) -> list[bytes]:
        """Put `message` on the link from `source` to `target` and return what arrives there now, in order.

        The list is empty when the message was lost; it has several elements when messages were duplicated or
        held back before. Sites are named as in :meth:`Adapter.site`. Safe to call from any thread.

        Raises:
            Cut: the link is cut.
        """
        ...


class Site(Protocol):
    """One site of a federation. Operations block until they have ended; `timeout` is the deadline in seconds.

    Every operation may raise :class:`Rejected` or :class:`Unsupported`, and one with a `timeout` may raise
    :class:`TimeoutError`.
    """

    def add_container(self, name: str, container: object) -> None:
        """Offer a container under a name for others to retrieve."""
        ...

    def add_file(self, name: str, path: Path) -> None:
        """Offer the file at `path` under a name for others to retrieve."""
        ...

    def retrieve_container(self, peer: str, name: str, *, timeout: float) -> object:
        """Retrieve a container from `peer` and return it."""
        ...

    def retrieve_file(self, peer: str, name: str, *, timeout: float) -> str:
        """Retrieve a file from `peer` and return the path where it now is, inside the site's directory."""
        ...

    def send_container(
        self, targets: list[str], container: object, *, timeout: float
    ) -> dict[str, Exception | None]:
        """Send a container to each of the targets and return a verdict for each: None means delivered."""
        ...

    def send_file(self, targets: list[str], path: Path, *, timeout: float) -> dict[str, Exception | None]:
        """Send a file to each of the targets and return a verdict for each: None means delivered."""
        ...

    def received(self) -> list[object]:
        """What pushes have delivered here, in order: containers, and a :class:`pathlib.Path` per file."""
        ...

    def close(self) -> None:
        """Release all that the site holds. Idempotent."""
        ...


class Adapter(Protocol):
    """The implementation under test. With the capability "wire" it is a :class:`WireAdapter` as well."""

    def describe(self) -> Description:
        """Say who the implementation is and what it offers."""
        ...

    def site(self, name: str, network: Network, directory: Path) -> Site:
        """Open a site. Received files land in `directory`, which exists and is empty."""
        ...


class WireEnd(Protocol):
    """One end of one session, without I/O or a clock: bytes in, bytes out.

    `feed`, `eof` and `advance` return what the end now puts on the wire. They do not raise for what the peer
    did; :meth:`outcome` tells that.
    """

    def start(self) -> bytes:
        """Begin, and return the first bytes of this end."""
        ...

    def feed(self, data: bytes) -> bytes:
        """Take bytes of the peer, cut anywhere."""
        ...

    def eof(self) -> bytes:
        """Take the end of the peer's bytes."""
        ...

    def advance(self, seconds: float) -> bytes:
        """Let time pass."""
        ...

    def outcome(self) -> tuple[Literal["delivered"], object] | tuple[Literal["failed"], str] | None:
        """None while the session goes on, else `("delivered", value)` or `("failed", code name)`."""
        ...


@runtime_checkable
class WireAdapter(Protocol):
    """The optional half of an adapter, for implementations that speak the frames of the specification."""

    def wire(self, role: Role, name: str, value: object = None, **options: object) -> WireEnd:
        """Open one end of a session about the object `name`.

        `owner` and `requester` are the two ends of a pull, `sender` and `receiver` those of a push. `value`
        is what an owner or a sender streams: a container, or a :class:`pathlib.Path` for a file.

        The options to know are those that `spec/vectors/README.md` lists (the limits, `digests`, `kind`, `types`), and
        `window` and `chunk` in bytes and `deadline` in seconds; with the capability `disk` also `directory`, where a
        receiving end puts a file. An `owner` or a `receiver` goes on with further
        sessions on its connection: `outcome` is then that of the latest one.

        Raises:
            Unsupported: the role or an option is not on offer.
        """
        ...
