"""Containers, `OrderedDict` among them, and files as FLARE's streamers carry them: with attributes."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

from ..limits import MIB, Limits
from ..streamers import ContainerAssembler, ContainerStreamer, Description, FileAssembler, FileStreamer

TYPE = "type"
ORDERED = "OrderedDict"
"""The one type beside the protocol's containers, as torch's `state_dict()` returns it: a dict with that attribute."""

CHUNK = 2 * MIB
"""Bytes in a message: each costs FLARE a tenth of a millisecond and more on either side, whatever it holds."""

Consumed = Callable[[bool], None]


class Container(ContainerStreamer):
    """A container with attributes, in chunks of 2 MiB unless another size is given."""

    def __init__(
        self,
        container: object,
        attributes: Mapping[str, object],
        *,
        chunk: int | None = None,
        **options: Any,
    ) -> None:
        self._attributes = dict(attributes)
        if type(container) is OrderedDict:
            container = dict(container)
            self._attributes[TYPE] = ORDERED
        super().__init__(container, chunk=chunk or CHUNK, **options)

    def describe(self) -> Description:
        return replace(super().describe(), attributes=self._attributes)


class ReceivedContainer(ContainerAssembler):
    """Receives a `Container`.

    Args:
        consumed: called after each entry, with whether more will come.
        stored: called with the container when it is complete and verified, before the sender is told.
    """

    def __init__(
        self,
        *,
        consumed: Consumed | None = None,
        stored: Callable[[object], None] = lambda container: None,
        **options: Any,
    ) -> None:
        super().__init__(**options)
        self._consumed = consumed
        self._stored = stored
        self._ordered = False
        self._announced: int | None = None

    def begin(self, description: Description, limits: Limits) -> None:
        self._ordered = description.attributes.get(TYPE) == ORDERED
        self._announced = description.count
        super().begin(description, limits)

    def entry(self, value: object) -> None:
        super().entry(value)
        if self._consumed is not None:
            self._consumed(self.count != self._announced)

    def finish(self) -> object:
        container: Any = super().finish()
        if self._ordered and self._into is None:
            container = OrderedDict(container)
        self._stored(container)
        return container


class File(FileStreamer):
    """A file with attributes, in chunks of 2 MiB unless another size is given."""

    def __init__(
        self, path: str, attributes: Mapping[str, object], *, chunk: int | None = None, **options: Any
    ) -> None:
        self._attributes = dict(attributes)
        super().__init__(path, chunk=chunk or CHUNK, **options)

    def describe(self) -> Description:
        return replace(super().describe(), attributes=self._attributes)


class ReceivedFile(FileAssembler):
    """Receives a file; `consumed` and `stored` as in `ReceivedContainer`, by chunk."""

    def __init__(
        self,
        path: str,
        *,
        consumed: Consumed | None = None,
        stored: Callable[[object], None] = lambda path: None,
        **options: Any,
    ) -> None:
        super().__init__(path, **options)
        self._consumed = consumed
        self._stored = stored

    def filled(self, count: int) -> None:
        super().filled(count)
        if self._consumed is not None:
            self._consumed(self.room() > 0)

    def finish(self) -> object:
        if self._consumed is not None and not self._written:
            self._consumed(False)
        path = str(super().finish())
        self._stored(path)
        return path
