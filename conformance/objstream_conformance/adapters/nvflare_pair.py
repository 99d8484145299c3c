"""An `ObjectProducer` and an `ObjectConsumer` of somebody's own, given as two factories, on FLARE's real streaming.

`[CAPABILITIES=]PRODUCER,CONSUMER[,RESULT]`, the last three each `module:name` or `path/to/file.py:name`:

- `PRODUCER(value, stream_ctx)` returns the `ObjectProducer` for a container, or for the file at a `pathlib.Path`.
  `stream_ctx` is the dict that goes to the receiver with the first message; put in it what the consumer has to know. A
  ValueError or RuntimeError, here or from the producer, is a refusal.
- `CONSUMER` returns the `ConsumerFactory` of one site. If it takes an argument, that is the directory for files.
- `RESULT(stream_ctx)` returns what a stream has delivered once it has ended well: a container, or the path of a file.
  Where it is not given, the object is where FLARE's own streamers leave it, under the keys of
  `ContainerStreamer.get_result` or `FileStreamer.get_file_location`.

CAPABILITIES are what the pair offers, with `+` between them: `container`, `file`, and what else it is to be asked for.
Where nothing is said, it streams containers (:data:`DEFAULT`). A pair can push; retrieval is not asked about.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any, Final

from nvflare.apis.fl_constant import ReturnCode
from nvflare.apis.streaming import ConsumerFactory, StreamContextKey
from nvflare.app_common.streamers.container_streamer import ContainerStreamer
from nvflare.app_common.streamers.file_streamer import FileStreamer

from ..contract import Description, Network, Role, Unsupported
from ..locate import find, version_of
from ..outcomes import AdapterError
from .nvflare import CHANNEL, Federation, Federations, JobSite, tensors, verdicts

OBJECTS: Final = "objects"
DEFAULT: Final = frozenset({"container", "multi-target", "memory", "numpy"})
OFFERED: Final = DEFAULT | {"file", "tensors"}
ROLES_OF_A_PUSH: Final[frozenset[Role]] = frozenset({"sender", "receiver"})

StreamContext = dict[str, Any]


class PairAdapter:
    """See the module for what `given` is."""

    def __init__(self, given: str) -> None:
        declared, _, factories = given.rpartition("=")
        parts = factories.split(",")
        if len(parts) not in (2, 3):
            raise LookupError(
                f"{given!r}: a pair is given as [CAPABILITIES=]PRODUCER,CONSUMER[,RESULT], each module:name"
            )
        self._capabilities = frozenset(declared.split("+")) if declared else DEFAULT | tensors()
        if not self._capabilities <= OFFERED or not self._capabilities & {"container", "file"}:
            raise LookupError(
                f"{declared}: a pair offers container, file, or more of {', '.join(sorted(OFFERED))}"
            )
        producer, consumer = map(find, parts[:2])
        self._module = producer.__module__
        self._name = f"{self._module.rpartition('.')[2]}.{producer.__qualname__}"
        self._pair = Pair(producer, consumer, find(parts[2]) if len(parts) == 3 else None)
        self._federations = Federations()

    def describe(self) -> Description:
        capabilities = self._capabilities | {"push"}
        return Description(self._name, version_of(self._module), ROLES_OF_A_PUSH, capabilities)

    def site(self, name: str, network: Network, directory: Path) -> PairSite:
        return PairSite(
            name, network, directory, *self._federations.on(network), self._pair, self._capabilities
        )


class Pair:
    """The factories, and where what a stream has delivered is found."""

    def __init__(
        self,
        producer: Callable[[object, StreamContext], Any],
        consumer: Callable[..., Any],
        result: Callable[[StreamContext], object] | None,
    ) -> None:
        self.producer = producer
        self._consumer = consumer
        self._result = result
        self._found = result is not None

    def consumers(self, directory: Path) -> ConsumerFactory:
        """The factory of consumers for a site whose files land in `directory`."""
        if inspect.signature(self._consumer).parameters:
            return self._consumer(str(directory))
        return self._consumer()

    def delivered(self, stream_ctx: StreamContext) -> Iterable[object]:
        """What a stream has delivered that ended well: one object, or none.

        Raises:
            AdapterError: it does not say, and never has.
        """
        if self._result is not None:
            found = self._result(stream_ctx)
        else:
            location = FileStreamer.get_file_location(stream_ctx)
            found = Path(location) if location else ContainerStreamer.get_result(stream_ctx)
        self._found |= found is not None
        if not self._found:
            raise AdapterError(
                "to be told where the consumer leaves what it has received",
                f"nothing in {sorted(map(str, stream_ctx))}",
                "give a third factory, RESULT(stream_ctx), or use the keys of FLARE's own streamers",
            )
        return [] if found is None else [Path(found) if isinstance(found, str) else found]


class PairSite(JobSite):
    """A job whose streams are those of the pair."""

    def __init__(
        self,
        name: str,
        network: Network,
        directory: Path,
        federation: Federation,
        closed: Callable[[], None],
        pair: Pair,
        capabilities: frozenset[str],
    ) -> None:
        super().__init__(name, network, federation, closed)
        self._pair = pair
        self._capabilities = capabilities
        self._problem: Exception | None = None
        self._engine.register_stream_processing(
            channel=CHANNEL,
            topic=OBJECTS,
            factory=pair.consumers(directory),
            stream_done_cb=self._done,
        )
        self.enter()

    def send_container(
        self, targets: list[str], container: object, *, timeout: float
    ) -> dict[str, Exception | None]:
        return self._send("container", targets, container)

    def send_file(self, targets: list[str], path: Path, *, timeout: float) -> dict[str, Exception | None]:
        return self._send("file", targets, path)

    def received(self) -> list[object]:
        if self._problem is not None:
            raise self._problem
        return super().received()

    def add_container(self, name: str, container: object) -> None:
        raise Unsupported("a pair can push, and nothing can be retrieved from it")

    def add_file(self, name: str, path: Path) -> None:
        raise Unsupported("a pair can push, and nothing can be retrieved from it")

    def retrieve_container(self, peer: str, name: str, *, timeout: float) -> object:
        raise Unsupported("a pair can push, and cannot retrieve")

    def retrieve_file(self, peer: str, name: str, *, timeout: float) -> str:
        raise Unsupported("a pair can push, and cannot retrieve")

    def _send(self, kind: str, targets: list[str], value: object) -> dict[str, Exception | None]:
        if kind not in self._capabilities:
            raise Unsupported(f"this pair was not said to stream a {kind}")

        def stream() -> Any:
            stream_ctx: StreamContext = {}
            producer = self._pair.producer(value, stream_ctx)
            context = self._engine.new_context()
            return self._engine.stream_objects(CHANNEL, OBJECTS, stream_ctx, targets, producer, context)

        return verdicts(targets, stream)

    def _done(self, stream_ctx: StreamContext, fl_ctx: object) -> None:
        if stream_ctx.get(StreamContextKey.RC) != ReturnCode.OK:
            return
        try:
            self._received.extend(self._pair.delivered(stream_ctx))
        except Exception as problem:  # FLARE would only log it
            self._problem = problem
