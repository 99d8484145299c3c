"""What is made of measurements: verdicts, reports, pictures; and measurements that go wrong say so."""

from __future__ import annotations

import json
import mmap
import time
from pathlib import Path
from xml.etree import ElementTree

import pytest
from click.testing import CliRunner, Result

from objstream_conformance import registry
from objstream_conformance.profile import profile
from objstream_conformance.profile.bounds import BASE, judge, slope
from objstream_conformance.profile.chart import draw
from objstream_conformance.profile.contents import CONTENTS, MIB, container, file_difference, write_file
from objstream_conformance.profile.measure import Measurement, measure
from objstream_conformance.profile.meters import HeapMeter, Reading, ResidentMeter, footprint
from objstream_conformance.profile.process import MeasurementError
from objstream_conformance.profile.scenarios import SCENARIOS

ODD = Path(__file__).with_name("odd_subjects.py")
HUGE = SCENARIOS["huge-entry"]


def receiver(size: int, extra: int, resident: int = 0, left: int = 0) -> Measurement:
    timeline = ((1000.0, 0), (1000.1, size + extra))
    return Measurement(
        "receiver", size, size, size, Reading(size + extra, left, timeline), Reading(size + resident, 0)
    )


def test_growth_is_the_slope_over_all_sizes() -> None:
    assert slope([1, 4, 16], [7, 7, 7]) == 0
    assert slope([1, 4, 16], [3, 9, 33]) == pytest.approx(2)
    assert slope([4, 4], [1, 2]) is None


def test_a_bound_that_holds() -> None:
    (bound,) = judge(HUGE, [receiver(size * MIB, 3 * MIB, 5 * MIB) for size in (4, 16, 64)])
    assert bound.holds
    assert bound.reason == ""
    assert bound.slope == pytest.approx(0)


@pytest.mark.parametrize(
    ("extras", "residents"), [([0, 1, 4], [0, 0, 0]), ([0, 0, 0], [0, 1, 4])], ids=["heap", "resident"]
)
def test_a_sixteenth_of_the_object_is_growth(extras: list[int], residents: list[int]) -> None:
    sizes = zip((4, 16, 64), extras, residents, strict=True)
    (bound,) = judge(HUGE, [receiver(size * MIB, extra * MIB, rest * MIB) for size, extra, rest in sizes])
    assert bound.holds is False
    assert "grows" in bound.reason


def test_what_is_left_counts_as_needed() -> None:
    (bound,) = judge(HUGE, [receiver(size * MIB, 0, left=size * MIB) for size in (4, 16)])
    assert bound.holds is False


def test_entries_may_cost_64_bytes_each() -> None:
    small = SCENARIOS["small-entries"]
    for each, holds in ((60, True), (70, False)):
        rows = [receiver(size * MIB, each * small.quantity(size * MIB)) for size in (4, 16, 64)]
        assert [bound.holds for bound in judge(small, rows)] == [holds]


def test_a_bound_is_no_bound_when_it_is_huge() -> None:
    (bound,) = judge(HUGE, [receiver(size * MIB, BASE + 2 * MIB) for size in (4, 16)])
    assert bound.holds is False
    assert "at any size" in bound.reason


def test_what_varies_more_than_it_may_grow_is_inconclusive() -> None:
    rows = [receiver(size * MIB, extra * MIB) for size in (4, 16) for extra in (0, 1)]
    (bound,) = judge(HUGE, rows)
    assert bound.holds is None
    assert "varies" in bound.reason


def test_one_size_says_nothing_about_growth() -> None:
    (bound,) = judge(HUGE, [receiver(MIB, 0)])
    assert bound.holds is None


def test_every_requirement_on_memory_has_a_scenario() -> None:
    measured = {one for scenario in SCENARIOS.values() for one in scenario.requirements}
    assert measured == {one for one in registry.load() if one.startswith("OSP-MEM-")}


@pytest.mark.parametrize("name", CONTENTS)
def test_contents_have_the_size_that_is_asked_for(name: str, tmp_path: Path) -> None:
    if name.startswith("gpt"):
        pytest.importorskip("torch")
    built, taken = footprint(lambda: container(name, 16 * MIB), HeapMeter(tmp_path / "record"))
    assert built
    assert taken == pytest.approx(16 * MIB, rel=0.15)


def test_files_are_compared(tmp_path: Path) -> None:
    path = tmp_path / "file"
    write_file(path, 3 * MIB + 5)
    assert path.stat().st_size == 3 * MIB + 5
    assert file_difference(path, 3 * MIB + 5) == ""
    assert file_difference(path, 3 * MIB + 4) != ""
    assert file_difference(path, 3 * MIB + 6) != ""
    content = bytearray(path.read_bytes())
    content[2 * MIB] ^= 1
    path.write_bytes(content)
    assert "at 2097152" in file_difference(path, 3 * MIB + 5)


def test_the_resident_set_is_sampled_where_the_kernel_keeps_no_peak(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object) -> int:
        raise OSError

    monkeypatch.setattr(Path, "write_text", refuse)
    meter = ResidentMeter()
    meter.start()
    with mmap.mmap(-1, 32 * MIB) as block:
        block.write(bytes([1]) * (32 * MIB))
        time.sleep(0.1)
    reading = meter.stop()
    assert reading.peak >= 31 * MIB
    assert reading.left < 16 * MIB


def test_the_picture_is_a_drawing_of_both_sides() -> None:
    sender = Measurement("sender", 4 * MIB, 0, 0, Reading(MIB, 0), Reading(MIB, 0))
    root = ElementTree.fromstring(draw(HUGE, [sender, receiver(4 * MIB, MIB)]))
    texts = " ".join("".join(element.itertext()) for element in root)
    assert "sender: 1.0 MiB" in texts
    assert "receiver: 1.0 MiB" in texts
    points = [element.get("points", "") for element in root if element.tag.endswith("polyline")]
    assert any(one.count(",") == 2 for one in points)


def run(*arguments: object) -> Result:
    return CliRunner().invoke(profile, [str(one) for one in arguments], catch_exceptions=False)


def test_the_command_measures_and_reports(tmp_path: Path) -> None:
    report = tmp_path / "report.json"
    result = run("--scenario", "file", "--sizes", "16MiB,4MiB", "--json", report, "--html", tmp_path / "html")
    assert result.exit_code == 0, result.output
    assert "file" in result.output
    record = json.loads(report.read_text("utf-8"))
    assert [(row["side"], row["size_bytes"]) for row in record["profiles"]] == [
        ("sender", 4 * MIB),
        ("sender", 16 * MIB),
        ("receiver", 4 * MIB),
        ("receiver", 16 * MIB),
    ]
    for row in record["profiles"]:
        assert row["implementation"] == "reference"
        assert row["level"] == "Bounded-chunk"
        assert row["unit_bytes"] == MIB
        assert 0 < row["peak_extra_bytes"] < 4 * MIB
        assert row["holds"] is True
    written = {path.name for path in (tmp_path / "html").iterdir()}
    assert written == {"file.svg", "file-sender.html", "file-receiver.html"}


def test_one_size_is_inconclusive() -> None:
    assert run("--scenario", "huge-entry", "--sizes", "1MiB").exit_code == 3


def test_what_is_not_offered_is_not_measured() -> None:
    result = run(f"{ODD}:Sparse", "--scenario", "push-2", "--sizes", "1MiB")
    assert result.exit_code == 3
    assert "not applicable" in result.stderr


@pytest.mark.parametrize(
    ("subject", "complaint"),
    [
        ("nonsense", "neither"),
        (f"{ODD}:Deaf", "no method listen"),
        (f"{ODD}:Dead", "nobody at home"),
        (f"{ODD}:Failing", "the transfer failed: RuntimeError: not today"),
        (f"{ODD}:Vanishing", "ended with status 7"),
        (f"{ODD}:Lying", "element 0 differs"),
    ],
)
def test_what_cannot_be_measured_is_an_error(subject: str, complaint: str) -> None:
    result = run(subject, "--scenario", "huge-entry", "--sizes", "1MiB")
    assert result.exit_code == 2
    assert complaint in result.stderr


def test_a_fault_that_has_no_effect_is_an_error() -> None:
    with pytest.raises(MeasurementError, match="ended well"):
        measure(f"{ODD}:Careless", SCENARIOS["cut"], MIB)
