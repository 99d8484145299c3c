"""A job changes its import and nothing else: names, arguments and returns are FLARE's."""

from __future__ import annotations

import inspect
import os
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("nvflare", reason="the binding needs objstream[flare]")

from nvflare.apis.fl_component import FLComponent
from nvflare.apis.fl_constant import ReturnCode
from nvflare.apis.fl_context import FLContext
from nvflare.apis.shareable import Shareable
from nvflare.apis.streaming import StreamContextKey
from nvflare.app_common.streamers import (
    container_retriever,
    container_streamer,
    file_retriever,
    file_streamer,
)
from nvflare.app_common.streamers.object_retriever import ObjectRetriever
from nvflare.app_common.streamers.streamer_base import StreamerBase

from objstream import flare

PAIRS: list[tuple[type, type]] = [
    (container_streamer.ContainerStreamer, flare.ContainerStreamer),
    (file_streamer.FileStreamer, flare.FileStreamer),
    (container_retriever.ContainerRetriever, flare.ContainerRetriever),
    (file_retriever.FileRetriever, flare.FileRetriever),
]
IDS = [theirs.__name__ for theirs, _ in PAIRS]


def public(cls: type) -> list[str]:
    """What FLARE's class defines for applications, beside what every component has."""
    own = {
        name for base in cls.__mro__ if base not in (FLComponent, *FLComponent.__mro__) for name in vars(base)
    }
    return sorted(name for name in own if not name.startswith("_") and callable(getattr(cls, name)))


@pytest.mark.parametrize(("theirs", "ours"), PAIRS, ids=IDS)
def test_every_method_takes_what_flares_takes(theirs: type, ours: type) -> None:
    for name in ["__init__", *public(theirs)]:
        if name == "__init__" and "__init__" not in vars(theirs):
            continue
        expected = inspect.signature(getattr(theirs, name)).parameters
        found = list(inspect.signature(getattr(ours, name)).parameters.values())
        for position, parameter in enumerate(expected.values()):
            if parameter.kind in (parameter.VAR_KEYWORD, parameter.VAR_POSITIONAL):
                assert found[-1].kind is parameter.kind, (name, parameter)
                continue
            assert found[position].name == parameter.name, (name, parameter)
            assert found[position].default == parameter.default, (name, parameter)
        extra = found[len(expected) :]
        assert all(one.default is not one.empty or one.kind is one.VAR_KEYWORD for one in extra), name


@pytest.mark.parametrize(("theirs", "ours"), PAIRS, ids=IDS)
def test_what_is_static_at_flares_is_static_here(theirs: type, ours: type) -> None:
    for name in public(theirs):
        static = isinstance(inspect.getattr_static(theirs, name), staticmethod)
        assert isinstance(inspect.getattr_static(ours, name), staticmethod) is static, name


def test_the_classes_are_what_flare_expects_of_them() -> None:
    for retriever in (flare.ContainerRetriever, flare.FileRetriever):
        assert issubclass(retriever, ObjectRetriever)
    for streamer in (flare.ContainerStreamer, flare.FileStreamer):
        assert issubclass(streamer, StreamerBase)


@pytest.mark.parametrize(
    ("cls", "arguments"),
    [
        (
            flare.ContainerRetriever,
            {"topic": "t", "stream_msg_optional": True, "stream_msg_secure": True, "entry_timeout": 3.0},
        ),
        (
            flare.FileRetriever,
            {
                "source_dir": "s",
                "topic": "t",
                "stream_msg_optional": True,
                "stream_msg_secure": True,
                "dest_dir": "d",
                "chunk_size": 5,
                "chunk_timeout": 3.0,
            },
        ),
    ],
    ids=["container", "file"],
)
def test_a_job_can_be_written_down_with_the_component(cls: Any, arguments: dict[str, Any]) -> None:
    """FLARE reads the arguments of a component from its attributes when it exports a job."""
    component = cls(**arguments, window=1 << 20)
    assert {name: getattr(component, name) for name in arguments} == arguments
    assert component.window == 1 << 20
    default = flare.ContainerRetriever()
    assert (default.topic, default.stream_channel) == ("ContainerRetriever", "ContainerRetriever")


def test_keys_of_the_stream_context_are_flares() -> None:
    ctx = {
        "FileStreamer.file_location": "/there",
        "FileStreamer.file_size": 5,
        "Streamer.file_name": "name",
        "ContainerStreamer.result": [1],
        StreamContextKey.RC: ReturnCode.OK,
        StreamContextKey.CHANNEL: "c",
        StreamContextKey.TOPIC: "t",
    }
    for theirs, ours in PAIRS[:2]:
        for name in public(theirs):
            if name.startswith("get_"):
                assert getattr(ours, name)(ctx) == getattr(theirs, name)(ctx) is not None, name


@pytest.fixture
def source(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A directory with files, and something outside of it; it is also the working directory."""
    root = tmp_path / "source"
    (root / "below").mkdir(parents=True)
    (root / "here.txt").write_text("here")
    (root / "below" / "there.txt").write_text("there")
    (tmp_path / "outside.txt").write_text("outside")
    (root / "link.txt").symlink_to(tmp_path / "outside.txt")
    os.mkfifo(root / "pipe")
    monkeypatch.chdir(root)
    return root


@pytest.mark.parametrize("source_dir", ["absolute", "../source", "."])
@pytest.mark.parametrize("name", ["here.txt", "below/there.txt", "below/../here.txt"])
def test_a_file_below_the_directory_may_be_asked_for(source: Path, source_dir: str, name: str) -> None:
    retriever = flare.FileRetriever(str(source) if source_dir == "absolute" else source_dir)
    rc, path = retriever.validate_request(Shareable({"file_name": name}), FLContext())
    assert rc == ReturnCode.OK
    assert Path(path).read_text() == Path(name).stem


@pytest.mark.parametrize("source_dir", ["absolute", "../source", "."])
@pytest.mark.parametrize(
    "name",
    [
        *(None, "", "..", "../outside.txt", "../../../etc/passwd", "below/../../outside.txt"),
        *("/../etc/passwd", "/etc/passwd", "missing.txt", "below", "link.txt", "pipe", "here.txt\0"),
        *(7, ["here.txt"]),
    ],
)
def test_nothing_else_may_be_asked_for(source: Path, source_dir: str, name: object) -> None:
    retriever = flare.FileRetriever(str(source) if source_dir == "absolute" else source_dir)
    request = Shareable() if name is None else Shareable({"file_name": name})
    assert retriever.validate_request(request, FLContext()) == (ReturnCode.BAD_REQUEST_DATA, None)


@pytest.mark.parametrize("source_dir", ["", "missing"])
def test_without_a_directory_there_are_no_files(source: Path, source_dir: str) -> None:
    request = Shareable({"file_name": "here.txt"})
    rc, _ = flare.FileRetriever(source_dir).validate_request(request, FLContext())
    assert rc == ReturnCode.BAD_REQUEST_DATA


def test_a_container_may_be_asked_for_by_its_name() -> None:
    retriever = flare.ContainerRetriever()
    empty: dict[str, int] = {}
    retriever.add_container("empty", empty)
    rc, found = retriever.validate_request(Shareable({"name": "empty"}), FLContext())
    assert rc == ReturnCode.OK
    assert found is empty
    for request in (Shareable({"name": "other"}), Shareable()):
        assert retriever.validate_request(request, FLContext()) == (ReturnCode.BAD_REQUEST_DATA, None)
    retriever.remove_container("empty")
    with pytest.raises(KeyError):
        retriever.remove_container("empty")
