"""The command: `python -m property_tests.fuzz [TARGET]...`; see the README of `property_tests`."""

from __future__ import annotations

import hashlib
import importlib.util
import os
import re
import subprocess
import sys
import time
import traceback
from pathlib import Path

import click

from .bounds import bounded_memory, timed
from .plain import LONGEST, Found, fuzz
from .seeds import seeds
from .targets import TARGETS

GUIDED = importlib.util.find_spec("atheris") is not None
_MODULE = __package__ or "property_tests.fuzz"


@click.command()
@click.argument("targets", nargs=-1, type=click.Choice(list(TARGETS)))
@click.option("--inputs", type=int, default=100_000, show_default=True, help="How many, for each target.")
@click.option("--seconds", type=float, default=3600.0, show_default=True, help="The most for each target.")
@click.option("--seed", type=int, default=0, show_default=True)
@click.option(
    "--driver",
    type=click.Choice(["guided", "plain"]),
    default="guided" if GUIDED else "plain",
    show_default=True,
    help="By atheris, where it is installed, or without any tool.",
)
@click.option(
    "--kept",
    type=click.Path(path_type=Path, file_okay=False),
    default=".fuzz",
    show_default=True,
    help="Where inputs that lead to something new are kept, for the next time too, and those that fail.",
)
@click.option(
    "--replay", type=click.Path(path_type=Path, exists=True), help="Only this input, or those in a directory."
)
def main(
    targets: tuple[str, ...],
    inputs: int,
    seconds: float,
    seed: int,
    driver: str,
    kept: Path,
    replay: Path | None,
) -> None:
    """Fuzz TARGETS, all of them unless some are named. Exit status: 0 nothing was found; 1 something was."""
    chosen = targets or tuple(TARGETS)
    if replay is not None:
        held = [_replayed(name, replay) for name in chosen]
        sys.exit(0 if all(held) else 1)
    found = False
    for name in chosen:
        for folder in ("corpus", "failing"):
            (kept / name / folder).mkdir(parents=True, exist_ok=True)
        run = _guided if driver == "guided" else _plain
        found |= not run(name, kept / name, inputs, seconds, seed)
        _covered(name, kept / name)
    sys.exit(1 if found else 0)


def _plain(name: str, kept: Path, inputs: int, seconds: float, seed: int) -> bool:
    started = time.process_time()
    pool = [*seeds(name), *(path.read_bytes() for path in sorted((kept / "corpus").iterdir()))]
    bounded_memory()
    try:
        count, pool = fuzz(timed(TARGETS[name]), pool, inputs=inputs, seed=seed, seconds=seconds)
    except Found as found:
        _keep(kept / "failing", found.data)
        return _failed(name, kept)
    for data in pool:
        _keep(kept / "corpus", data)
    taken = time.process_time() - started
    click.echo(f"{name}: {count} inputs, {taken:.0f} s of CPU time, {len(pool)} kept (plain, seed {seed})")
    return True


def _guided(name: str, kept: Path, inputs: int, seconds: float, seed: int) -> bool:
    for data in seeds(name):
        _keep(kept / "corpus", data)
    options = [
        *(f"-runs={inputs}", f"-max_total_time={max(1, round(seconds))}", f"-seed={seed + 1}"),
        *(
            f"-max_len={LONGEST}",
            "-timeout=60",
            "-report_slow_units=60",
            f"-artifact_prefix={kept / 'failing'}/",
        ),
        *("-print_final_stats=1", "-len_control=20", str(kept / "corpus")),
    ]
    started = os.times()
    with (kept / "log").open("w") as log:
        done = subprocess.run(
            [sys.executable, "-m", f"{_MODULE}.guided", name, *options],
            stdout=log,
            stderr=subprocess.STDOUT,
            env={**os.environ, "PYTHONHASHSEED": "0"},
            check=False,
        )
    ended = os.times()
    taken = ended.children_user + ended.children_system - started.children_user - started.children_system
    text = (kept / "log").read_text("utf-8", "replace")
    if done.returncode:
        click.echo(text[-3000:])
        return _failed(name, kept)
    count = re.search(r"number_of_executed_units: (\d+)", text)
    reached = re.findall(r"cov: (\d+) ft: (\d+) corp: (\d+)", text)[-1]
    click.echo(
        f"{name}: {count[1] if count else '?'} inputs, {taken:.0f} s of CPU time, {reached[0]} branches reached, "
        f"{reached[2]} kept (atheris, seed {seed})"
    )
    return True


def _keep(folder: Path, data: bytes) -> None:
    (folder / hashlib.sha1(data).hexdigest()).write_bytes(data)


def _failed(name: str, kept: Path) -> bool:
    click.echo(f"{name}: something does not hold")
    for path in sorted((kept / "failing").iterdir()):
        click.echo(f"  again: python -m {_MODULE} {name} --replay {path}")
    return False


def _replayed(name: str, path: Path) -> bool:
    target = timed(TARGETS[name])
    paths = sorted(path.iterdir()) if path.is_dir() else [path]
    good = True
    for one in paths:
        try:
            outcome = target(one.read_bytes())
            if not path.is_dir():
                click.echo(f"{name}: {outcome}")
        except Exception:
            good = False
            click.echo(f"{name}: {one}\n{traceback.format_exc()}")
    click.echo(f"{name}: {len(paths)} inputs {'hold' if good else 'were tried'}")
    return good


def _covered(name: str, kept: Path) -> None:
    """Print how much of each module the inputs that were kept reach, where coverage is installed."""
    if importlib.util.find_spec("coverage") is None:
        return
    data = kept / "coverage"
    coverage = [sys.executable, "-m", "coverage"]
    replay = ["-m", _MODULE, name, "--replay", str(kept / "corpus")]
    subprocess.run(
        [*coverage, "run", f"--data-file={data}", "--branch", "--source=objstream", *replay],
        check=False,
        stdout=subprocess.DEVNULL,
    )
    report = subprocess.run(
        [*coverage, "report", f"--data-file={data}", f"--include={','.join(_MODULES[name])}"],
        check=False,
        capture_output=True,
        text=True,
    )
    click.echo(report.stdout)


_MODULES: dict[str, tuple[str, ...]] = {
    "frames": ("*/objstream/frames.py", "*/objstream/meta.py", "*/objstream/cbor.py"),
    "values": ("*/objstream/values/*", "*/objstream/cbor.py", "*/objstream/tensors.py"),
    "receiver": ("*/objstream/session/*", "*/objstream/frames.py", "*/objstream/meta.py"),
    "kept": ("*/objstream/session/kept.py",),
    "sender": ("*/objstream/session/*", "*/objstream/frames.py", "*/objstream/meta.py"),
}
"""What each target is about."""


if __name__ == "__main__":
    main()
