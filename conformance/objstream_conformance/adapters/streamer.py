"""A streamer and an assembler of somebody's own, on the reference's sessions; see `objstream.ObjectStreamer.sample`."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any, Final

from objstream import ObjectStreamer

from ..contract import ROLES, Description, Network, Unsupported
from ..locate import find, version_of
from .reference import ReferenceAdapter, ReferenceSite

CAPABILITIES: Final = frozenset(
    {"own", "push", "pull", "multi-target", "owner-verdict", "cancel", "deadline", "memory"}
)
_KIND = re.compile(r"x-[a-z0-9.-]{1,64}")


class StreamerAdapter(ReferenceAdapter):
    """`given` is the streamer's class, `module:Class` or `path/to/file.py:Class`."""

    def __init__(self, given: str) -> None:
        super().__init__()
        own = find(given)
        if not (isinstance(own, type) and issubclass(own, ObjectStreamer)):
            raise LookupError(f"{given} is no subclass of objstream.ObjectStreamer")
        if own.sample.__func__ is ObjectStreamer.sample.__func__:  # type: ignore[attr-defined]
            raise LookupError(f"{given} has no sample(): it says what the streamer is tried with")
        if not _KIND.fullmatch(getattr(own, "kind", "")):
            raise LookupError(f"{given}.kind has to be x- and 1 to 64 characters of a-z, 0-9, - and .")
        self.own = own

    def describe(self) -> Description:
        name = f"{self.own.__module__.rpartition('.')[2]}.{self.own.__qualname__}"
        return Description(name, version_of(self.own.__module__), ROLES, CAPABILITIES)

    def site(self, name: str, network: Network, directory: Path) -> ReferenceSite:
        site: Any = super().site(name, network, directory)
        for what in ("container", "file"):
            for operation in ("add", "retrieve", "send"):
                setattr(site, f"{operation}_{what}", _refuse)
        return site  # type: ignore[no-any-return]


def _refuse(*_: object, **__: object) -> Any:
    raise Unsupported("a streamer of one's own kind streams objects of that kind alone")
