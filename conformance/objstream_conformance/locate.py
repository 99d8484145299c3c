"""From what a user types to an adapter.

A built-in name, `module:Class`, `path/to/file.py:Class`, or one of the :data:`WAYS` to do without an adapter: its name,
a colon, and what it takes.
"""

from __future__ import annotations

import importlib
import importlib.util
import sys
from importlib import metadata
from pathlib import Path
from types import ModuleType
from typing import Any, Final

from .contract import Adapter

BUILT_IN: Final[dict[str, str]] = {
    "reference": "objstream_conformance.adapters.reference:ReferenceAdapter",
    "reference-socket": "objstream_conformance.adapters.reference:SocketAdapter",
    "reference-ends": "objstream_conformance.adapters.wire:EndsOfReference",
    "objstream-flare": "objstream_conformance.adapters.objstream_flare:ObjstreamFlareAdapter",
    "nvflare": "objstream_conformance.adapters.nvflare:NVFlareAdapter",
}
WAYS: Final[dict[str, str]] = {
    "testee": "objstream_conformance.adapters.testee:TesteeAdapter",
    "blackbox": "objstream_conformance.adapters.blackbox:BlackboxAdapter",
    "streamer": "objstream_conformance.adapters.streamer:StreamerAdapter",
    "flare-pair": "objstream_conformance.adapters.nvflare_pair:PairAdapter",
}
"""Adapters of the suite's own for what is given after the name and a colon, of which each says what it is."""


def load_adapter(selector: str) -> Adapter:
    """Import and instantiate an adapter: without arguments, or one of :data:`WAYS` with what stands after the colon.

    Raises:
        LookupError: there is no such module, file or class, or what a way has been given is none of its own.
    """
    way, colon, given = selector.partition(":")
    if colon and way in WAYS:
        return find(WAYS[way])(given)  # type: ignore[no-any-return]
    if ":" not in BUILT_IN.get(selector, selector):
        known = ", ".join(BUILT_IN)
        ways = ", ".join(f"{name}:..." for name in WAYS)
        raise LookupError(
            f"{selector!r} is neither one of {known} nor of the form module:Class or one of {ways}"
        )
    return find(BUILT_IN.get(selector, selector))()  # type: ignore[no-any-return]


def find(selector: str) -> Any:
    """What `module:name` or `path/to/file.py:name` is; the name may lead into a class (`Class.method`).

    Raises:
        LookupError: there is no such module, file or name.
    """
    target, _, name = selector.rpartition(":")
    if not target:
        raise LookupError(f"{selector!r} is not of the form module:name or path/to/file.py:name")
    found: Any = _from_file(Path(target)) if target.endswith(".py") else _from_name(target)
    for part in name.split("."):
        try:
            found = getattr(found, part)
        except AttributeError:
            raise LookupError(f"{target} has no {name}") from None
    return found


def version_of(module: str) -> str:
    """The version of what a module belongs to, as far as it says one."""
    own = getattr(sys.modules.get(module), "__version__", None)
    if own is not None:
        return str(own)
    for distribution in metadata.packages_distributions().get(module.partition(".")[0], ()):
        return metadata.version(distribution)
    return "unversioned"


def _from_name(name: str) -> ModuleType:
    try:
        return importlib.import_module(name)
    except ModuleNotFoundError as error:
        raise LookupError(f"cannot import {name}: {error}") from error


def _from_file(path: Path) -> ModuleType:
    if not path.is_file():
        raise LookupError(f"there is no file {path}")
    sys.path.insert(0, str(path.resolve().parent))
    spec = importlib.util.spec_from_file_location(path.stem, path)
    if spec is None or spec.loader is None:
        raise LookupError(f"{path} is not a Python module")
    module = importlib.util.module_from_spec(spec)
    sys.modules[path.stem] = module
    spec.loader.exec_module(module)
    return module
