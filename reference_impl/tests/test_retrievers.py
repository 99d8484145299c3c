"""One site asks another for a named object."""

from __future__ import annotations

import os
from pathlib import Path, PosixPath
from typing import Any

import numpy as np
import pytest

from objstream import (
    Code,
    ContainerAssembler,
    ContainerRetriever,
    ContainerStreamer,
    FileAssembler,
    FileRetriever,
    MemoryNetwork,
    MemorySite,
    ObjectRetriever,
    ObjectStreamer,
    Options,
    Progress,
    Registry,
    Request,
    TransferError,
)

from .helpers import failure


@pytest.fixture
def sites() -> tuple[MemorySite, MemorySite]:
    """An owner and an asker."""
    network = MemoryNetwork()
    return network.site("owner"), network.site("asker")


Sites = tuple[MemorySite, MemorySite]


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """A directory with files to be served, beside others that are not."""
    path = tmp_path / "root"
    path.joinpath("sub").mkdir(parents=True)
    path.joinpath("f").write_bytes(b"in the root")
    path.joinpath("sub", "g").write_bytes(b"below")
    tmp_path.joinpath("secret").write_bytes(b"outside")
    return path


def test_a_container_is_retrieved_by_its_name(sites: Sites) -> None:
    owner, asker = sites
    ContainerRetriever(owner).add_container("model", {"w": 1})
    retriever = ContainerRetriever(asker)
    for _ in range(2):
        assert retriever.retrieve_container("owner", "model") == {"w": 1}


def test_a_missing_name_is_not_found_and_named(sites: Sites) -> None:
    owner, asker = sites
    ContainerRetriever(owner)
    problem = failure(lambda: ContainerRetriever(asker).retrieve_container("owner", "model"))
    assert problem.code is Code.NOT_FOUND
    assert problem.from_peer
    assert problem.message == "no container is called 'model' here"


def test_a_site_without_retrievers_has_nothing(sites: Sites) -> None:
    problem = failure(lambda: ContainerRetriever(sites[1]).retrieve_container("owner", "model"))
    assert problem.code is Code.NOT_FOUND


@pytest.mark.parametrize("name", ["Model", "model ", " model", "mode", "model\n", "mo\u0308del"])
def test_names_are_compared_exactly(sites: Sites, name: str) -> None:
    owner, asker = sites
    for known in ("model", "m\u00f6del"):
        ContainerRetriever(owner).add_container(known, [1])
    problem = failure(lambda: ContainerRetriever(asker).retrieve_container("owner", name))
    assert problem.code is Code.NOT_FOUND


@pytest.mark.parametrize("name", ["", "x" * 1024, "a/b", "ü", "\x00", "\N{PILE OF POO}"])
def test_any_text_can_be_a_name(sites: Sites, name: str) -> None:
    owner, asker = sites
    ContainerRetriever(owner).add_container(name, [1])
    assert ContainerRetriever(asker).retrieve_container("owner", name) == [1]


@pytest.mark.parametrize(
    ("name", "code"),
    [("x" * 1025, Code.TOO_LARGE), ("x" * 70_000, Code.TOO_LARGE), ("\udc80", Code.UNSUPPORTED)],
)
def test_what_cannot_be_a_name_is_refused_before_it_is_sent(sites: Sites, name: str, code: Code) -> None:
    _, asker = sites
    problem = failure(lambda: ContainerRetriever(asker).retrieve_container("owner", name))
    assert problem.code is code
    assert not problem.from_peer
    (outcome,) = asker.push(["owner"], ContainerStreamer([1], name=name)).values()
    assert outcome.error is not None
    assert outcome.error.code is code


def test_an_object_can_be_replaced_and_taken_back(sites: Sites) -> None:
    owner, asker = sites
    mine, theirs = ContainerRetriever(owner), ContainerRetriever(asker)
    mine.add_container("model", [1])
    mine.add_container("model", [2])
    assert theirs.retrieve_container("owner", "model") == [2]
    mine.remove_container("model")
    assert failure(lambda: theirs.retrieve_container("owner", "model")).code is Code.NOT_FOUND
    with pytest.raises(KeyError):
        mine.remove_container("model")


def test_a_request_that_has_begun_keeps_its_object(sites: Sites) -> None:
    owner, asker = sites
    mine = ContainerRetriever(owner, chunk=1000)
    old = [b"old" * 10_000]
    mine.add_container("model", old)

    def replace(now: Progress) -> None:
        mine.add_container("model", ["new"])

    options = Options(progress=replace, window=2000)
    theirs = ContainerRetriever(asker)
    assert theirs.retrieve_container("owner", "model", options=options) == old
    assert theirs.retrieve_container("owner", "model") == ["new"]


def test_only_containers_can_be_added(sites: Sites) -> None:
    assert failure(lambda: ContainerRetriever(sites[0]).add_container("m", 1)).code is Code.UNSUPPORTED


def test_a_destination_and_an_observer_can_be_given(sites: Sites) -> None:
    owner, asker = sites
    ContainerRetriever(owner).add_container("m", {"w": np.ones(3)})
    into = {"w": np.zeros(3)}
    w = into["w"]
    seen: list[Any] = []
    got = ContainerRetriever(asker).retrieve_container("owner", "m", into=into, observe=seen.append)
    assert got is into
    assert got["w"] is w
    assert w.tolist() == [1, 1, 1]
    assert [key for key, _ in seen] == ["w"]


def test_chunk_and_registry_are_those_of_the_retriever(sites: Sites) -> None:
    owner, asker = sites
    registry = Registry()
    registry.register(PosixPath, "path@1", str, PosixPath)
    ContainerRetriever(owner, chunk=10, registry=registry).add_container("m", [PosixPath("/a/b"), "x" * 100])
    sizes: list[int] = []
    options = Options(progress=lambda now: sizes.append(now.bytes))
    got = ContainerRetriever(asker, registry=registry).retrieve_container("owner", "m", options=options)
    assert got == [PosixPath("/a/b"), "x" * 100]
    assert max(b - a for a, b in zip([0, *sizes], sizes, strict=False)) <= 10


def test_a_file_is_retrieved_by_its_name(sites: Sites, root: Path, tmp_path: Path) -> None:
    owner, asker = sites
    FileRetriever(owner).add_file("weights", root / "f")
    retriever = FileRetriever(asker, directory=tmp_path)
    assert retriever.retrieve_file("owner", "weights") == tmp_path / "weights"
    assert retriever.retrieve_file("owner", "weights", to=tmp_path / "w") == tmp_path / "w"
    assert tmp_path.joinpath("weights").read_bytes() == tmp_path.joinpath("w").read_bytes() == b"in the root"


def test_a_file_can_be_taken_back_and_must_be_there_when_it_is_added(sites: Sites, root: Path) -> None:
    owner, asker = sites
    mine = FileRetriever(owner)
    with pytest.raises(FileNotFoundError):
        mine.add_file("w", root / "missing")
    mine.add_file("w", root / "f")
    mine.remove_file("w")
    theirs = FileRetriever(asker)
    assert failure(lambda: theirs.retrieve_file("owner", "w", to="x")).code is Code.NOT_FOUND
    with pytest.raises(KeyError):
        mine.remove_file("w")
    mine.add_file("w", root / "f")
    root.joinpath("f").unlink()
    assert failure(lambda: theirs.retrieve_file("owner", "w", to=root / "x")).code is Code.NOT_FOUND


def test_a_relative_path_means_what_it_meant_when_it_was_added(
    sites: Sites, root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    owner, asker = sites
    monkeypatch.chdir(root)
    FileRetriever(owner).add_file("w", "f")
    monkeypatch.chdir(root.parent)
    got = FileRetriever(asker).retrieve_file("owner", "w", to=root / "got")
    assert got.read_bytes() == b"in the root"


@pytest.mark.parametrize("name", ["f", "sub/g", "./f", "sub/./g", "link", "sub/inner"])
def test_a_file_below_the_root_is_served(sites: Sites, root: Path, tmp_path: Path, name: str) -> None:
    root.joinpath("link").symlink_to("sub/g")
    root.joinpath("sub", "inner").symlink_to(root / "f")
    owner, asker = sites
    FileRetriever(owner, root=root)
    got = FileRetriever(asker).retrieve_file("owner", name, to=tmp_path / "got")
    assert got.read_bytes() == (b"below" if name in ("sub/g", "sub/./g", "link") else b"in the root")


@pytest.mark.parametrize(
    "name",
    [
        "missing",
        "",
        ".",
        "..",
        "sub",
        "sub/",
        "../secret",
        "sub/../../secret",
        "sub/../f",
        "f/..",
        "ABSOLUTE",
        "/f",
        "//f",
        "f\0",
        "\0",
        "out",
        "outdir/secret",
        "dangling",
        "loop",
        "fifo",
        "null",
        "f/x",
        "x" * 300,
        "\N{PILE OF POO}",
    ],
)
def test_nothing_else_is_served_and_the_peer_does_not_learn_why(
    sites: Sites, root: Path, tmp_path: Path, name: str
) -> None:
    root.joinpath("out").symlink_to(tmp_path / "secret")
    root.joinpath("outdir").symlink_to(tmp_path)
    root.joinpath("dangling").symlink_to(tmp_path / "nowhere")
    root.joinpath("loop").symlink_to("loop")
    root.joinpath("null").symlink_to("/dev/null")
    os.mkfifo(root / "fifo")
    if name == "ABSOLUTE":
        name = str(root / "f")
    owner, asker = sites
    FileRetriever(owner, root=root)
    target = tmp_path / "got"
    problem = failure(lambda: FileRetriever(asker).retrieve_file("owner", name, to=target))
    assert problem.code is Code.NOT_FOUND
    assert problem.message == f"no file is called {name!r} here"
    assert problem.local == ""
    assert not target.exists()


def test_a_root_that_is_a_link_is_resolved_once(sites: Sites, root: Path, tmp_path: Path) -> None:
    link = tmp_path / "link"
    link.symlink_to(root)
    owner, asker = sites
    FileRetriever(owner, root=link)
    assert FileRetriever(asker).retrieve_file("owner", "f", to=tmp_path / "got").exists()
    with pytest.raises(FileNotFoundError):
        FileRetriever(owner, root=tmp_path / "missing")


def test_an_added_file_may_lie_outside_of_the_root(sites: Sites, root: Path, tmp_path: Path) -> None:
    owner, asker = sites
    mine = FileRetriever(owner, root=root)
    mine.add_file("s", tmp_path / "secret")
    assert FileRetriever(asker).retrieve_file("owner", "s", to=tmp_path / "got").read_bytes() == b"outside"


@pytest.mark.parametrize("name", ["", ".", "..", "a/..", "a/", "a\0", "/"])
def test_a_name_that_is_no_file_name_needs_a_place(sites: Sites, name: str) -> None:
    with pytest.raises(ValueError, match="say where to put the file"):
        FileRetriever(sites[1]).retrieve_file("owner", name)


def test_a_name_with_directories_is_put_under_its_last_part(sites: Sites, root: Path, tmp_path: Path) -> None:
    owner, asker = sites
    FileRetriever(owner, root=root)
    into = tmp_path / "into"
    into.mkdir()
    assert FileRetriever(asker, directory=into).retrieve_file("owner", "sub/g") == into / "g"
    assert os.listdir(into) == ["g"]


def test_containers_and_files_of_one_name_live_side_by_side(sites: Sites, root: Path, tmp_path: Path) -> None:
    owner, asker = sites
    ContainerRetriever(owner).add_container("f", [1])
    FileRetriever(owner, root=root)
    assert ContainerRetriever(asker).retrieve_container("owner", "f") == [1]
    assert (
        FileRetriever(asker).retrieve_file("owner", "f", to=tmp_path / "got").read_bytes() == b"in the root"
    )


def test_a_request_goes_to_the_first_retriever_that_knows_the_name(sites: Sites) -> None:
    owner, asker = sites
    first, second = ContainerRetriever(owner), ContainerRetriever(owner)
    first.add_container("a", [1])
    second.add_container("a", [2])
    second.add_container("b", [3])
    theirs = ContainerRetriever(asker)
    assert theirs.retrieve_container("owner", "a") == [1]
    assert theirs.retrieve_container("owner", "b") == [3]


def test_a_retriever_with_a_root_leaves_other_names_to_those_after_it(
    sites: Sites, root: Path, tmp_path: Path
) -> None:
    owner, asker = sites
    FileRetriever(owner, root=root)
    FileRetriever(owner, root=tmp_path).add_file("other", tmp_path / "secret")
    theirs = FileRetriever(asker)
    for name, content in (("f", b"in the root"), ("secret", b"outside"), ("other", b"outside")):
        assert theirs.retrieve_file("owner", name, to=tmp_path / "got").read_bytes() == content


def test_a_file_where_a_container_was_asked_for_is_not_found(sites: Sites, root: Path) -> None:
    owner, asker = sites
    FileRetriever(owner, root=root)
    assert failure(lambda: ContainerRetriever(asker).retrieve_container("owner", "f")).code is Code.NOT_FOUND


class Rounds(ObjectRetriever):
    """Objects that are made on request."""

    kind = "container"

    def streamer(self, request: Request) -> ObjectStreamer | None:
        if request.name == "secret":
            raise TransferError(Code.REFUSED, f"not for {request.peer}")
        if request.name == "broken":
            raise ZeroDivisionError("/srv/secret")
        if not request.name.isdigit():
            return None
        return ContainerStreamer({"round": int(request.name)}, name=request.name)


def test_a_retriever_of_an_applications_own_answers_as_it_likes(sites: Sites) -> None:
    owner, asker = sites
    seen: list[Any] = []
    Rounds(owner)
    owner.watch(lambda asked, outcome: seen.append((asked.name, outcome.error and outcome.error.local)))
    theirs = Rounds(asker)
    assert theirs.retrieve("owner", "7", ContainerAssembler()) == {"round": 7}
    problems = [
        failure(lambda n=n: theirs.retrieve("owner", n, ContainerAssembler()))
        for n in ("secret", "broken", "x")
    ]
    assert [problem.code for problem in problems] == [Code.REFUSED, Code.SOURCE_FAILED, Code.NOT_FOUND]
    assert problems[0].message == "not for asker"
    assert "secret" not in str(problems[1])
    assert ("broken", "ZeroDivisionError: /srv/secret") in seen


def test_a_directory_that_was_added_is_refused_promptly(sites: Sites, root: Path, tmp_path: Path) -> None:
    owner, asker = sites
    FileRetriever(owner).add_file("d", root)
    problem = failure(lambda: asker.pull("owner", "file", "d", FileAssembler(tmp_path / "got")))
    assert problem.code is Code.UNSUPPORTED
    assert problem.message == "d: not a regular file"
