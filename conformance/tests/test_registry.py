"""The registry: generated from the chapters, complete, and strict about their format."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from objstream_conformance import registry

GOOD = """# 1. Title

### OSP-CTR-001 A title: with punctuation
`MUST` · role: both · layer: core · capability: container · since: 1.0

A thing MUST NOT
happen.

> Intent: because
> of reasons.

Prose that belongs to no requirement.

### A plain heading
"""


def chapters(tmp_path: Path, text: str, name: str = "01-one.md") -> Path:
    tmp_path.joinpath(name).write_text(text, "utf-8")
    return tmp_path


def test_the_committed_registry_is_what_the_chapters_say() -> None:
    assert registry.main(["--check"]) == 0


def test_enough_is_required() -> None:
    requirements = registry.load()
    assert len(requirements) >= 130
    assert sum(r.level == "MUST" for r in requirements.values()) >= 110
    assert {r.area for r in requirements.values()} == set(registry.AREAS)


def test_the_anchors_lead_to_the_headings() -> None:
    for requirement in registry.load().values():
        chapter = registry.spec_path().joinpath(requirement.chapter).read_text("utf-8")
        assert f"### {requirement.id} {requirement.title}\n" in chapter
        assert requirement.anchor.startswith(requirement.id.lower())


def test_resume_is_asked_only_of_those_who_declare_it() -> None:
    asked = [r for r in registry.load().values() if r.area == "RES" and r.capability != "resume"]
    assert [r.id for r in asked] == ["OSP-RES-008"]


if sys.version_info >= (3, 11):  # the first with a TOML reader
    import tomllib

    def test_the_file_is_toml() -> None:
        text = registry.spec_path().joinpath(registry.FILE).read_text("utf-8")
        tables = tomllib.loads(text)
        assert {id_: registry.Requirement(id_, **table) for id_, table in tables.items()} == registry.load()


def test_one_requirement_is_read_whole(tmp_path: Path) -> None:
    assert registry.parse_chapters(chapters(tmp_path, GOOD)) == {
        "OSP-CTR-001": registry.Requirement(
            id="OSP-CTR-001",
            title="A title: with punctuation",
            level="MUST",
            role="both",
            layer="core",
            capability="container",
            since="1.0",
            area="CTR",
            text="A thing MUST NOT happen.",
            intent="because of reasons.",
            chapter="01-one.md",
            anchor="osp-ctr-001-a-title-with-punctuation",
        )
    }


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("OSP-CTR-001 A", "OSP-CTR-1 A", "not a requirement heading"),
        ("### OSP", "## OSP", "not a requirement heading"),
        ("OSP-CTR", "OSP-XYZ", "not a requirement heading"),
        ("role: both", "role: all", "not an attribute line"),
        (" · since: 1.0", "", "not an attribute line"),
        ("capability: container", "capability: contaner", "not an attribute line"),
        ("MUST NOT", "must not", "expected exactly one keyword, found none"),
        ("happen.", "happen and MAY not.", "expected exactly one keyword, found MUST NOT, MAY"),
        ("`MUST`", "`SHOULD`", "the level is SHOULD and the text says MUST NOT"),
        ("> Intent: because", "because", "Intent"),
        ("because", "it MUST", "not normative"),
    ],
)
def test_a_malformed_requirement_is_named_with_its_place(
    tmp_path: Path, old: str, new: str, message: str
) -> None:
    assert old in GOOD
    with pytest.raises(registry.RegistryError, match=message) as caught:
        registry.parse_chapters(chapters(tmp_path, GOOD.replace(old, new, 1)))
    assert str(caught.value).startswith("01-one.md:3: ")


def test_an_id_is_used_once(tmp_path: Path) -> None:
    chapters(tmp_path, GOOD, "02-two.md")
    with pytest.raises(registry.RegistryError, match=r"02-two.md:3: OSP-CTR-001 is used twice"):
        registry.parse_chapters(chapters(tmp_path, GOOD))


def test_drift_is_found_and_mended(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    arguments = ["--spec", str(chapters(tmp_path, GOOD))]
    assert registry.main(["--check", *arguments]) == 1
    assert registry.main(["--write", *arguments]) == 0
    assert registry.main(["--check", *arguments]) == 0
    chapters(tmp_path, GOOD.replace("reasons", "other reasons"))
    assert registry.main(["--check", *arguments]) == 1
    assert "--write" in capsys.readouterr().err


def test_a_damaged_registry_is_an_error_and_no_crash(tmp_path: Path) -> None:
    for text in ("[OSP-CTR-001]\ntitle = 'x'\n", "[OSP-CTR-001]\n", 'title = "x"\n[OSP-CTR-001]\nt = "y"\n'):
        tmp_path.joinpath(registry.FILE).write_text(text, "utf-8")
        with pytest.raises(registry.RegistryError, match="cannot be read"):
            registry.load(tmp_path)
