"""From what a user types to an adapter.

A built-in name, `module:Class`, `path/to/file.py:Class`, or `testee:` and the command line of a program.
"""

from __future__ import annotations

import importlib
import importlib.util
import sys
from pathlib import Path
from types import ModuleType
from typing import Final

from .contract import Adapter

BUILT_IN: Final[dict[str, str]] = {
    "reference": "objstream_conformance.adapters.reference:ReferenceAdapter",
    "reference-socket": "objstream_conformance.adapters.reference:SocketAdapter",
    "nvflare": "objstream_conformance.adapters.nvflare:NVFlareAdapter",
}
TESTEE: Final = "testee:"
"""Begins the selector of a program that speaks the protocol of `testees/README.md`."""


def load_adapter(selector: str) -> Adapter:
    """Import and instantiate an adapter, without arguments; after `testee:` stands the command line of a program.

    Raises:
        LookupError: there is no such module, file or class, or no command line.
    """
    if selector.startswith(TESTEE):
        from .adapters.testee import TesteeAdapter

        return TesteeAdapter(selector[len(TESTEE) :])
    target, _, name = BUILT_IN.get(selector, selector).rpartition(":")
    if not target:
        raise LookupError(
            f"{selector!r} is neither one of {', '.join(BUILT_IN)} nor of the form module:Class or testee:COMMAND"
        )
    module = _from_file(Path(target)) if target.endswith(".py") else _from_name(target)
    try:
        factory = getattr(module, name)
    except AttributeError:
        raise LookupError(f"{target} has no {name}") from None
    adapter: Adapter = factory()
    return adapter


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
