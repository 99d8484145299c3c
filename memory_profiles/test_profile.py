"""What is made of measurements: verdicts, reports, pictures; and measurements that go wrong say so."""

from __future__ import annotations

import json
import mmap
import re
import time
from collections.abc import Callable
from pathlib import Path
from xml.etree import ElementTree

import jsonschema
import pytest
from click.testing import CliRunner, Result

from objstream_conformance import registry
from objstream_conformance.profile import bounds as bounds
from objstream_conformance.profile import profile
from objstream_conformance.profile.bounds import A, K, judge, slope, whole
from objstream_conformance.profile.chart import POINTS, Curve, Mark, draw, thinned
from objstream_conformance.profile.contents import CONTENTS, MIB, container, file_difference, write_file
from objstream_conformance.profile.measure import measure
from objstream_conformance.profile.meters import (
    HeapMeter,
    Measurement,
    MeasurementError,
    Reading,
    ResidentMeter,
    footprint,
)
from objstream_conformance.profile.page import Section, render
from objstream_conformance.profile.scenarios import FIXED, SCENARIOS

SCHEMA = json.loads(Path(bounds.__file__).with_name("report.schema.json").read_text("utf-8"))
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
    (bound,) = judge(HUGE, [receiver(size * MIB, A + (K + 1) * MIB) for size in (4, 16)])
    assert bound.holds is False
    assert "beside an object of 4 MiB" in bound.reason


@pytest.mark.parametrize(
    ("extra", "level", "unit"),
    [
        (lambda size: 2 * MIB, "Bounded-chunk", lambda size: MIB),
        (lambda size: 2 * size, "Bounded-entry", lambda size: size),
        (lambda size: 5 * size, "unbounded", lambda size: MIB),
    ],
)
def test_the_level_is_the_best_that_is_shown(
    extra: Callable[[int], int], level: str, unit: Callable[[int], int]
) -> None:
    sizes = [size * MIB for size in (4, 16, 64)]
    (bound,) = judge(HUGE, [receiver(size, extra(size)) for size in sizes])
    assert bound.level == level
    assert bound.holds is (level == "Bounded-chunk")
    assert [bound.unit(size) for size in sizes] == [unit(size) for size in sizes]


@pytest.mark.parametrize(("extra", "level"), [(2 * MIB, "Bounded-chunk"), (6 * MIB, "Bounded-entry")])
def test_entries_that_do_not_grow_show_a_chunk_only_to_who_needs_less_than_one(
    extra: int, level: str
) -> None:
    (bound,) = judge(SCENARIOS["equal-entries"], [receiver(size * MIB, extra) for size in (4, 16, 64)])
    assert bound.level == level
    assert bound.holds


def test_the_bound_is_the_one_of_the_specification() -> None:
    text = registry.spec_path().joinpath("13-memory.md").read_text("utf-8")
    found = re.search(r"A = (\d+) MiB, k = (\d+)", text)
    assert found is not None
    assert (int(found[1]) * MIB, int(found[2])) == (A, K)


def test_little_of_a_large_model_is_little() -> None:
    small = container("gpt-neo", 64 * 1024)
    assert sum(array.nbytes for array in small.values()) < 2 * MIB


def test_two_processes_may_have_two_objects_and_a_little() -> None:
    scenario = FIXED["gpt-neo-1.3b"]
    assert scenario.fixed == 5_262_303_232
    for little, holds in ((150_000_000, True), (151_000_000, False)):
        rows = [
            Measurement("sender", scenario.fixed, 0, 0, None, Reading(0, 0, before=scenario.fixed + little)),
            Measurement(
                "receiver",
                scenario.fixed,
                0,
                scenario.fixed,
                None,
                Reading(scenario.fixed, 0, before=150_000_000),
            ),
        ]
        bounds = judge(scenario, rows)
        assert [bound.level for bound in bounds] == ["Bounded-chunk", "Bounded-chunk"]
        assert whole(bounds).holds is holds


def test_what_varies_more_than_it_may_grow_is_inconclusive() -> None:
    rows = [receiver(size * MIB, extra * MIB) for size in (4, 16) for extra in (0, 1)]
    (bound,) = judge(HUGE, rows)
    assert bound.holds is None
    assert "varies" in bound.reason


def test_a_chunk_for_each_target_may_be_chance_and_not_growth() -> None:
    for targets, name in ((1, "push-1"), (2, "push-2")):
        for sizes, extra, level in (
            ((4, 16), targets, None),
            ((4, 16), targets + 0.5, "unbounded"),
            ((4, 64), targets, "Bounded-chunk"),
        ):
            rows = [receiver(sizes[0] * MIB, 0), receiver(sizes[1] * MIB, round(extra * MIB))]
            (bound,) = judge(SCENARIOS[name], rows)
            assert bound.level == level
            assert ("further apart" in bound.reason) is (level is None)


def test_one_size_says_nothing_about_growth() -> None:
    (bound,) = judge(HUGE, [receiver(MIB, 0)])
    assert bound.holds is None


def test_every_requirement_on_memory_has_a_scenario() -> None:
    measured = {one for scenario in SCENARIOS.values() for one in scenario.requirements}
    assert measured == {one for one in registry.load() if one.startswith("OSP-MEM-")}


@pytest.mark.parametrize("name", [name for name in CONTENTS if name != "gpt-neo"])
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


def test_the_picture_has_curves_marks_and_a_legend() -> None:
    curves = [
        Curve("one & two", [(0, 0), (0.5, MIB), (2, 0)]),
        Curve("three", [(0, 4 * MIB)]),
        Curve("none", []),
    ]
    root = ElementTree.fromstring(draw("a <title>", curves, [Mark("the object", 2 * MIB)]))
    texts = ["".join(element.itertext()) for element in root if element.tag.endswith("text")]
    assert {"a <title>", "one & two", "three", "the object", "4.0 MiB", "2 s"} <= set(texts)
    assert "none" not in texts
    points = [element.get("points", "") for element in root if element.tag.endswith("polyline")]
    assert sum(one.count(",") == 3 for one in points) == 1
    assert len({one.get("stroke") for one in root if one.tag.endswith("line") and one.get("x1")}) == 2


def test_pictures_can_have_one_scale() -> None:
    small = draw("small", [Curve("", [(0, 0), (1, MIB)])], seconds=10, most=8 * MIB)
    assert "10 s" in small
    assert "8.0 MiB" in small


def test_a_long_curve_keeps_its_peaks() -> None:
    points = [(index / 1000, 1 + index % 7) for index in range(100_000)]
    points[54_321] = (54.321, 99)
    few = thinned(points)
    assert len(few) <= POINTS
    assert max(few, key=lambda point: point[1]) == (54.321, 99)
    assert (few[0], few[-1]) == (points[0], points[-1])
    assert thinned(points[:10]) == points[:10]


def test_the_page_needs_nothing_else() -> None:
    section = Section(
        "<one>", "text", ("a", "b"), [["holds", "<b>"]], [draw("p", [])], [("flame", "flame.html")]
    )
    page = render("title", "about", [section])
    assert "&lt;one&gt;" in page
    assert "<svg" in page
    assert '<td class="good">holds</td><td>&lt;b&gt;</td>' in page
    assert not re.search(r"(src|href)=\"(https?:)?//", page)


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
    jsonschema.validate(record, SCHEMA)
    for row in record["profiles"]:
        assert row["implementation"] == "reference"
        assert row["level"] == "Bounded-chunk"
        assert row["unit_bytes"] == MIB
        assert 0 < row["peak_extra_bytes"] < 4 * MIB
        assert row["holds"] is True
    written = {path.name for path in (tmp_path / "html").iterdir()}
    assert written == {"index.html", "reference-file-sender.html", "reference-file-receiver.html"}
    page = (tmp_path / "html" / "index.html").read_text("utf-8")
    assert page.count("<svg") == 1
    assert 'href="reference-file-sender.html"' in page


def test_what_was_measured_before_an_interrupt_is_kept(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def measured(selector: str, scenario: object, *rest: object) -> list[bounds.Bound]:
        if scenario is not HUGE:
            raise KeyboardInterrupt
        return judge(HUGE, [receiver(size * MIB, 3 * MIB, 5 * MIB) for size in (4, 16, 64)])

    monkeypatch.setattr("objstream_conformance.profile.command._measured", measured)
    report = tmp_path / "report.json"
    assert run("--scenario", HUGE.name, "--scenario", "file", "--json", report).exit_code == 1
    record = json.loads(report.read_text("utf-8"))
    jsonschema.validate(record, SCHEMA)
    assert {row["scenario"] for row in record["profiles"]} == {HUGE.name}


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
        (f"{ODD}:Deaf", "neither a method listen"),
        (f"{ODD}:Dead", "nobody at home"),
        (f"{ODD}:Failing", "the transfer failed: RuntimeError: not today"),
        (f"{ODD}:Vanishing", "ended with status 7"),
        (f"{ODD}:Lying", "element 0 differs"),
        ("testee:no-such-program", "no-such-program"),
    ],
)
def test_what_cannot_be_measured_is_an_error(subject: str, complaint: str) -> None:
    result = run(subject, "--scenario", "huge-entry", "--sizes", "1MiB")
    assert result.exit_code == 2
    assert complaint in result.stderr


def test_a_fault_that_has_no_effect_is_an_error() -> None:
    with pytest.raises(MeasurementError, match="ended well"):
        measure(f"{ODD}:Careless", SCENARIOS["cut"], MIB)


def test_a_transfer_that_a_fault_hangs_is_not_waited_for_without_end(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("objstream_conformance.profile.measure.AFTER_A_FAULT", 1.0)
    with pytest.raises(MeasurementError, match=r"corrupt: after the fault .* did not end within 1 s"):
        measure(f"{ODD}:Patient", SCENARIOS["corrupt"], MIB)
