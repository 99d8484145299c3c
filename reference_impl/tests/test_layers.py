"""Imports lead downwards only, and nothing heavy is imported before it is needed."""

from __future__ import annotations

import ast
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

import objstream

ROOT = Path(objstream.__file__).parent
LAYERS = (
    ("errors", "limits"),
    ("cbor",),
    ("values", "tensors"),
    ("digests", "meta", "frames"),
    ("streamers",),
    ("session",),
    ("site",),
    ("retrievers", "engines"),
    ("models", "bench"),
    ("cli",),
)
LEVEL = {name: level for level, names in enumerate(LAYERS) for name in names}
BINDINGS = ("flare",)
"""Beside the layers: they may use everything but the command line."""
NUMPY = {"values", "tensors", "models", "bench", "flare"}
TORCH_LAZILY = {"values", "models", "cli", "bench"}
MODULES = sorted(path.relative_to(ROOT) for path in ROOT.rglob("*.py"))


def part_of(module: Path) -> str:
    """The part of the package to which a module belongs: the first component of its name."""
    return module.parts[0].removesuffix(".py")


def imports(module: Path) -> Iterator[tuple[str, bool]]:
    """What a module imports, by absolute name, and whether it does so only when a function is called."""
    package = ["objstream", *module.parts[:-1]]

    def walk(node: ast.AST, lazily: bool) -> Iterator[tuple[str, bool]]:
        for child in ast.iter_child_nodes(node):
            if isinstance(child, ast.Import):
                yield from ((name.name, lazily) for name in child.names)
            elif isinstance(child, ast.ImportFrom):
                base = package[: len(package) - child.level + 1] if child.level else []
                start = ".".join([*base, *filter(None, [child.module])])
                for name in child.names:
                    yield f"{start}.{name.name}" if start == "objstream" else start, lazily
            elif isinstance(child, (ast.FunctionDef, ast.AsyncFunctionDef, ast.Lambda)):
                yield from walk(child, True)
            else:
                yield from walk(child, lazily)

    return walk(ast.parse(ROOT.joinpath(module).read_text("utf-8")), False)


def own(imported: str) -> str | None:
    """The part of the package that is imported, None for what comes from outside."""
    names = imported.split(".")
    return names[1] if names[0] == "objstream" and len(names) > 1 else None


def test_every_part_has_its_layer() -> None:
    parts = {part_of(module) for module in MODULES} - {"__init__", "__main__", *BINDINGS}
    assert {part for part in parts if not part.startswith("flare")} <= set(LEVEL)
    assert set(LEVEL) - parts <= {"bench"}


@pytest.mark.parametrize("module", MODULES, ids=str)
def test_imports_lead_downwards(module: Path) -> None:
    part = part_of(module)
    if part in ("__init__", "__main__") or part.startswith(BINDINGS):
        return
    for imported, _ in imports(module):
        target = own(imported)
        if target is None or target == part or target in ("__version__",):
            continue
        assert LEVEL[target] <= LEVEL[part], f"{module} imports {imported}"
        if LEVEL[target] == LEVEL[part]:
            assert (part, target) in {
                ("limits", "errors"),
                ("frames", "meta"),
                ("tensors", "values"),
                ("values", "tensors"),
            }, f"{module} imports {imported}"


@pytest.mark.parametrize("module", MODULES, ids=str)
def test_what_is_heavy_or_optional_is_imported_where_it_belongs(module: Path) -> None:
    part = part_of(module)
    for imported, lazily in imports(module):
        match imported.split(".")[0]:
            case "torch":
                assert part == "tensors" or (lazily and part in TORCH_LAZILY), module
            case "numpy":
                assert part in NUMPY or (lazily and part == "cli"), module
            case "nvflare":
                assert part.startswith("flare"), module
            case "objstream_conformance":
                assert part == "cli", module
                assert lazily, module
            case "click" | "rich":
                assert part == "cli", module
        if own(imported) == "tensors":
            assert part == "tensors" or lazily, f"{module} imports torch with it"


def test_importing_the_package_imports_nothing_that_is_optional() -> None:
    code = "import objstream, sys; print(*sorted(sys.modules))"
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=60
    )
    loaded = set(done.stdout.split())
    assert "objstream.engines.socket" in loaded
    assert not loaded & {"torch", "nvflare", "click", "rich", "safetensors", "hypothesis", "psutil", "memray"}
    assert not any(
        name.startswith(("objstream.cli", "objstream.models", "objstream_conf")) for name in loaded
    )


def test_everything_in_all_is_there() -> None:
    assert sorted(objstream.__all__) == objstream.__all__
    assert all(hasattr(objstream, name) for name in objstream.__all__)
