"""Resume: whatever was verified is not sent again, whatever happens to either side or to what is kept."""

from __future__ import annotations

import logging
import os
import tracemalloc
from collections.abc import Callable, Iterator
from pathlib import Path
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
    FileStreamer,
    Limits,
    MemoryNetwork,
    ObjectStreamer,
    Options,
    TransferError,
)
from objstream.digests import Chain, hash_of
from objstream.models import ModelAssembler, load_model
from objstream.session import Receiver, Sender
from objstream.session.kept import Kept
from objstream.streamers import kept_beside

from .helpers import REQUEST, Heard, Joined, Talk, asked, code_of, failure, meta, names, opened, request

CHUNK = 600
MIB = 1 << 20
VALUE: dict[object, Any] = {
    "a": [1, 2.5, "three", None],
    "w": np.arange(300, dtype=np.int32).reshape(3, 100),
    ("k", 1): {"text": "é" * 300, "nested": [b"x" * 20] * 3},
    "b": b"0123456789" * 200,
    "z": [float(number) for number in range(200)],
}
DATA = bytes(range(256)) * 20 + b"end"


def content_of(joined: Joined) -> int:
    return sum(len(frame.data) for frame in heard(joined) if frame.name in ("ENTRIES", "DATA"))


def heard(joined: Joined) -> list[Heard]:
    return joined.heard_from("sender")


def equal(one: Any, other: Any) -> bool:
    if isinstance(one, np.ndarray):
        return type(other) is np.ndarray and one.dtype == other.dtype and np.array_equal(one, other)
    if isinstance(one, dict):
        return list(one) == list(other) and all(equal(one[key], other[key]) for key in one)
    return type(one) is type(other) and one == other


class Transfer:
    """One object that is pulled again and again into the same place.

    Attributes:
        source: makes the streamer of the object as it is now.
        target: makes the assembler for the next try.
    """

    def __init__(self, kind: str, source: Callable[[], ObjectStreamer], target: Callable[[], Any]) -> None:
        self.kind = kind
        self.source = source
        self.target = target

    def pull(
        self, cut: int | None = None, *, window: int = 1 << 20, **options: Any
    ) -> tuple[Receiver, Joined]:
        """Pull; the connection is cut after so many bytes of the sender."""
        receiver = Receiver(self.target(), name="m", window=window, **options)
        receiver.ask(self.kind)
        accepted = ("xxh3-128", "sha-256", "none")
        left = [cut]

        def between(who: str, said: bytes) -> bytes:
            if who == "receiver" or left[0] is None:
                return said
            arrives, left[0] = said[: left[0]], left[0] - min(left[0], len(said))
            return arrives

        joined = Joined(
            receiver,
            None,
            incoming=lambda _: Sender(accepted=accepted),
            answer=lambda session: session.open(self.source()),
            between=between,
        )
        joined.run()
        if not receiver.finished:
            joined.eof()
            joined.run()
        return receiver, joined

    def stream(self) -> int:
        """How many bytes the sender says when nothing is cut."""
        receiver, joined = self.pull()
        assert receiver.error is None
        if isinstance(receiver.result, Path):
            receiver.result.unlink()
        return len(joined.said["sender"])


@pytest.fixture
def container(tmp_path: Path) -> Transfer:
    return Transfer(
        "container",
        lambda: ContainerStreamer(VALUE, name="m", chunk=CHUNK),
        lambda: ContainerAssembler(resume=tmp_path / "kept"),
    )


@pytest.fixture
def source(tmp_path: Path) -> Path:
    path = tmp_path / "source"
    path.write_bytes(DATA)
    os.utime(path, (1, 1))
    return path


@pytest.fixture
def file(tmp_path: Path, source: Path) -> Transfer:
    (tmp_path / "there").mkdir()
    return Transfer(
        "file",
        lambda: FileStreamer(source, name="m", chunk=CHUNK),
        lambda: FileAssembler(tmp_path / "there" / "got", resume=True),
    )


def kept(tmp_path: Path) -> list[Path]:
    return sorted(path for path in tmp_path.rglob("*") if path.suffix in (".content", ".frames"))


# -- a cut anywhere


def test_a_container_that_is_cut_anywhere_goes_on_from_its_last_entry(
    container: Transfer, tmp_path: Path
) -> None:
    resumed = 0
    for cut in range(8, container.stream(), 37):
        receiver, joined = container.pull(cut)
        assert code_of(receiver.error) is Code.LOST, cut
        before = sum(len(frame.data) for frame in heard_whole(joined, cut))
        receiver, joined = container.pull()
        assert receiver.error is None, cut
        assert equal(VALUE, receiver.result), cut
        total = content_of(joined)
        (point,) = [frame.meta.get(9) for frame in heard(joined) if frame.name == "OPEN"]
        assert (point[1] if point else 0) <= before
        resumed += point is not None
        assert total + (point[1] if point else 0) == size_of(VALUE)
        assert kept(tmp_path) == []
    assert resumed > 50


def heard_whole(joined: Joined, cut: int) -> list[Heard]:
    """The content frames of the sender that were whole when its bytes ended."""
    found, at = [], len(b"\x89OSP\r\n\x1a\n")
    for frame in heard(joined):
        at += 24 + len_of_meta(joined.said["sender"], at) + len(frame.data)
        if at <= cut and frame.name in ("ENTRIES", "DATA"):
            found.append(frame)
    return found


def len_of_meta(stream: bytes, at: int) -> int:
    return int.from_bytes(stream[at + 2 : at + 4], "big")


def size_of(value: Any) -> int:
    return sum(len(piece.view) for piece in ContainerStreamer(value, chunk=CHUNK).pieces(CHUNK))


def test_a_file_that_is_cut_anywhere_goes_on_from_its_last_frame(file: Transfer, tmp_path: Path) -> None:
    for cut in range(8, file.stream(), 37):
        receiver, joined = file.pull(cut)
        assert code_of(receiver.error) is Code.LOST, cut
        before = sum(len(frame.data) for frame in heard_whole(joined, cut))
        assert not (tmp_path / "there" / "got").exists()
        receiver, joined = file.pull()
        assert receiver.error is None, cut
        assert (tmp_path / "there" / "got").read_bytes() == DATA
        assert content_of(joined) == len(DATA) - before
        (tmp_path / "there" / "got").unlink()
        assert list((tmp_path / "there").iterdir()) == []


def test_a_transfer_that_is_cut_again_and_again_arrives(container: Transfer, file: Transfer) -> None:
    for transfer, cut in ((container, 3200), (file, 2500)):
        tries = 0
        while (receiver := transfer.pull(cut)[0]).error is not None:
            assert receiver.error.code is Code.LOST
            tries += 1
            assert tries < 10
        assert tries >= 2, transfer.kind


def test_kept_entries_are_observed_again_and_destinations_filled(tmp_path: Path) -> None:
    value = {name: np.full(400, number, dtype=np.float64) for number, name in enumerate("abcd")}
    into = {name: np.zeros(400) for name in value}
    seen: list[Any] = []
    transfer = Transfer(
        "container",
        lambda: ContainerStreamer(value, name="m", chunk=CHUNK),
        lambda: ContainerAssembler(
            into=into, observe=lambda entry: seen.append(entry[0]), resume=tmp_path / "kept"
        ),
    )
    assert code_of(transfer.pull(8000)[0].error) is Code.LOST
    first = list(seen)
    assert 0 < len(first) < 4
    for array in into.values():
        array[:] = -1
    receiver, joined = transfer.pull()
    assert receiver.result is into
    assert equal(value, into)
    assert seen == [*first, *value]
    assert content_of(joined) < 4 * 400 * 8


def test_a_push_is_resumed_too(tmp_path: Path) -> None:
    network = MemoryNetwork(Cutting(8).carry)
    a, b = network.site("a"), network.site("b")
    results: list[Any] = []
    b.accept(lambda offer: ContainerAssembler(resume=tmp_path / "kept"))
    b.watch(lambda offer, outcome: results.append(outcome.result))
    streamer = ContainerStreamer(VALUE, name="m", chunk=CHUNK)
    outcome = a.push(["b"], streamer)["b"]
    assert code_of(outcome.error) is Code.LOST
    assert len(kept(tmp_path)) == 2
    assert a.push(["b"], streamer)["b"].delivered
    assert equal(VALUE, results[-1])
    assert not (tmp_path / "kept").exists()


class Cutting:
    """A network that is cut at the n-th message from site `a`, once."""

    def __init__(self, at: int) -> None:
        self.left = at

    def carry(self, source: str, target: str, message: bytes) -> list[bytes]:
        if source == "a":
            self.left -= 1
            if self.left == 0:
                raise ConnectionError("cut")
        return [message]


# -- the source has changed


def _rewrite(path: Path) -> None:
    with path.open("r+b") as stream:
        stream.seek(len(DATA) - 5)
        stream.write(b"other")
    os.utime(path, (1, 1))


def _replace(path: Path) -> None:
    path.with_suffix(".new").write_bytes(DATA)
    os.utime(path.with_suffix(".new"), (1, 1))
    path.with_suffix(".new").replace(path)


@pytest.mark.parametrize("change", [_rewrite, _replace, lambda path: os.truncate(path, 100)])
def test_a_file_that_has_changed_is_said_and_comes_anew_only_then(
    change: Callable[[Path], None], file: Transfer, source: Path, tmp_path: Path
) -> None:
    assert code_of(file.pull(4000)[0].error) is Code.LOST
    change(source)
    receiver, joined = file.pull()
    assert receiver.error is not None
    assert receiver.error.code is Code.SOURCE_CHANGED
    assert "has changed since" in str(receiver.error)
    assert "what was kept is removed: ask again to start from the beginning" in str(receiver.error)
    assert names(heard(joined)) == ["RESET"]
    assert kept(tmp_path) == []
    receiver, joined = file.pull()
    assert receiver.error is None
    assert (tmp_path / "there" / "got").read_bytes() == source.read_bytes()


@pytest.mark.parametrize("key", ["a", "z"])
def test_a_container_that_has_changed_anywhere_is_said(key: str, container: Transfer, tmp_path: Path) -> None:
    assert code_of(container.pull(5000)[0].error) is Code.LOST
    container.source = lambda: ContainerStreamer({**VALUE, key: [0]}, name="m", chunk=CHUNK)
    receiver, joined = container.pull()
    assert code_of(receiver.error) is Code.SOURCE_CHANGED
    assert names(heard(joined)) == ["RESET"]
    assert kept(tmp_path) == []


def test_other_frames_of_the_same_source_are_no_continuation(container: Transfer) -> None:
    assert code_of(container.pull(5000)[0].error) is Code.LOST
    container.source = lambda: ContainerStreamer(VALUE, name="m", chunk=CHUNK - 1)
    assert code_of(container.pull()[0].error) is Code.SOURCE_CHANGED


# -- what is kept is not trusted


def damaged(tmp_path: Path) -> Iterator[tuple[str, Callable[[], None]]]:
    """Ways to damage what is kept, each to be undone by writing the files anew."""
    for path in kept(tmp_path):
        data = path.read_bytes()
        for at in range(0, len(data), 1 + len(data) // 80):
            for how, changed in (
                ("cut", data[:at]),
                ("flipped", data[:at] + bytes([data[at] ^ 0x40]) + data[at + 1 :]),
                ("longer", data + bytes(at % 97 + 1)),
            ):
                yield (
                    f"{path.suffix} {how} at {at}",
                    lambda path=path, changed=changed: path.write_bytes(changed),
                )  # type: ignore[misc]


@pytest.mark.parametrize("what", ["container", "file"])
def test_damaged_files_are_never_believed(
    what: str, tmp_path: Path, request: pytest.FixtureRequest, caplog: pytest.LogCaptureFixture
) -> None:
    transfer: Transfer = request.getfixturevalue(what)
    transfer.pull(4000)
    before = {path: path.read_bytes() for path in kept(tmp_path)}
    assert len(before) == 2
    for how, damage in list(damaged(tmp_path)):
        for path, data in before.items():
            path.parent.mkdir(exist_ok=True)
            path.write_bytes(data)
        damage()
        caplog.clear()
        receiver, joined = transfer.pull()
        assert receiver.error is None, how
        result = receiver.result
        good = Path(result).read_bytes() == DATA if isinstance(result, Path) else equal(VALUE, result)
        assert good, how
        if "OPEN" in names(heard(joined)) and heard(joined)[0].meta.get(9) is None:
            assert "what was kept" in caplog.text, how
        assert kept(tmp_path) == [], how


def test_what_is_kept_of_another_object_is_left_alone(container: Transfer, tmp_path: Path) -> None:
    container.pull(4000)
    other = Receiver(ContainerAssembler(resume=tmp_path / "kept"), name="other")
    other.ask("container")
    other.cancel()
    assert len(kept(tmp_path)) == 2
    receiver, joined = container.pull()
    assert equal(VALUE, receiver.result)
    assert content_of(joined) < size_of(VALUE)


def test_two_transfers_do_not_keep_in_the_same_place(container: Transfer, tmp_path: Path) -> None:
    one = Receiver(container.target(), name="m")
    one.ask("container")
    two = Receiver(container.target(), name="m")
    two.ask("container")
    assert code_of(two.error) is Code.BUSY
    assert "another transfer" in str(two.error)
    one.cancel()
    assert container.pull()[0].error is None


@pytest.mark.parametrize("what", ["link", "directory", "pipe"])
def test_what_is_no_file_is_refused(what: str, container: Transfer, tmp_path: Path) -> None:
    container.pull(4000)
    for path in kept(tmp_path):
        path.unlink()
        victim = tmp_path / "victim"
        victim.write_bytes(b"mine")
        if what == "link":
            path.symlink_to(victim)
        elif what == "directory":
            path.mkdir()
        else:
            os.mkfifo(path)
        receiver, _ = container.pull()
        assert code_of(receiver.error) is Code.STORE_FAILED
        assert victim.read_bytes() == b"mine"
        path.rmdir() if what == "directory" else path.unlink()


def test_a_directory_that_cannot_be_made_is_an_error_of_the_transfer(tmp_path: Path) -> None:
    receiver = Receiver(ContainerAssembler(resume=tmp_path / "missing" / "kept"), name="m")
    receiver.ask("container")
    assert code_of(receiver.error) is Code.STORE_FAILED
    assert "missing" in str(receiver.error)


def test_content_that_changes_while_it_is_taken_up_is_noticed(container: Transfer, tmp_path: Path) -> None:
    container.pull(4000)
    content, _ = kept(tmp_path)

    def change() -> ContainerStreamer:
        content.write_bytes(bytes(content.stat().st_size))
        return ContainerStreamer(VALUE, name="m", chunk=CHUNK)

    container.source = change
    assert code_of(container.pull()[0].error) is Code.STORE_FAILED


def test_another_digest_than_is_offered_now_is_not_resumed(
    container: Transfer, caplog: pytest.LogCaptureFixture
) -> None:
    container.pull(4000, offered=["xxh3-128", "sha-256"])
    with caplog.at_level(logging.WARNING):
        receiver, joined = container.pull(offered=["sha-256"])
    assert "xxh3-128" in caplog.text
    assert content_of(joined) == size_of(VALUE)
    assert equal(VALUE, receiver.result)


# -- what stays, and what does not


def test_an_error_that_may_pass_keeps_and_says_so(container: Transfer, tmp_path: Path) -> None:
    error = container.pull(4000)[0].error
    assert "bytes are kept in" in str(error)
    assert "ask again with resume to go on" in str(error)
    receiver = Receiver(container.target(), name="m")
    receiver.ask("container")
    Joined(
        receiver, None, incoming=lambda _: Sender(),
        answer=lambda session: session.fail(TransferError(Code.NOT_FOUND, "not yet")),
    ).run()  # fmt: skip
    assert code_of(receiver.error) is Code.NOT_FOUND
    assert len(kept(tmp_path)) == 2


def test_what_would_fail_again_is_not_kept(container: Transfer, tmp_path: Path) -> None:
    receiver, _ = container.pull(limits=Limits(max_items=12))
    assert code_of(receiver.error) is Code.TOO_LARGE
    assert kept(tmp_path) == []
    assert not (tmp_path / "kept").exists()


def test_a_failure_before_the_first_entry_leaves_nothing(container: Transfer, tmp_path: Path) -> None:
    assert code_of(container.pull(200)[0].error) is Code.LOST
    assert not (tmp_path / "kept").exists()


def test_without_resume_nothing_is_kept_and_nothing_asked_for(file: Transfer, tmp_path: Path) -> None:
    file.target = lambda: FileAssembler(tmp_path / "there" / "got")
    receiver, joined = file.pull(4000)
    assert code_of(receiver.error) is Code.LOST
    assert list((tmp_path / "there").iterdir()) == []
    assert 10 not in joined.heard_from("receiver")[0].meta
    assert 10 not in heard(joined)[0].meta


class Rows(ObjectStreamer):
    kind = "x-rows"

    def entries(self) -> Iterator[tuple[str, object]]:
        return iter([("row", b"x" * 300)] * 20)


def test_a_source_that_cannot_be_resumed_is_not_kept(
    container: Transfer, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    class Taker(ContainerAssembler):
        def accepts(self, kind: str) -> bool:
            return True

    transfer = Transfer("x-rows", lambda: Rows(chunk=CHUNK), lambda: Taker(resume=tmp_path / "kept"))
    assert code_of(transfer.pull(3000)[0].error) is Code.LOST
    assert "the sender cannot resume it" in caplog.text
    assert not (tmp_path / "kept").exists()


def test_without_digests_nothing_is_kept(file: Transfer, tmp_path: Path) -> None:
    receiver, joined = file.pull(4000, offered=["none"])
    assert code_of(receiver.error) is Code.LOST
    assert kept(tmp_path) == []
    assert 10 not in heard(joined)[0].meta


# -- the sender, frame by frame


def resumable(**changed: Any) -> tuple[Talk, Sender, list[Heard]]:
    return asked(ContainerStreamer(VALUE, name="m", chunk=CHUNK), validator=b"", **changed)


def test_a_piece_is_never_cut() -> None:
    talk, _, sent = resumable(credit=1)
    assert names(sent) == ["OPEN"]
    for credit in range(1, size_of(VALUE) + CHUNK, 7):
        sent += talk.say(8, meta(credit=credit))
    whole = [(frame.name, frame.data) for frame in resumable()[2]]
    assert [(frame.name, frame.data) for frame in sent] == whole


def test_pieces_are_as_small_as_the_receiver_wants() -> None:
    _, sender, sent = resumable(max_frame=100)
    assert max(len(frame.data) for frame in sent) == 100
    assert sender.error is None


def test_an_offer_that_was_surveyed_in_larger_pieces_is_not_resumable() -> None:
    sender = Sender(ContainerStreamer(VALUE, name="m", chunk=CHUNK), name="m", accepted=("sha-256",))
    sender.offer()
    talk = Talk(sender)
    talk.hear()
    sent = talk.say(REQUEST, request(kind="dict", validator=b"", max_frame=CHUNK - 1))
    assert 10 not in sent[0].meta
    assert names(sent)[-1] == "END"


def test_every_point_of_a_sender_leads_to_the_rest() -> None:
    _, _, whole = resumable()
    validator = whole[0].validator
    assert 1 <= len(validator) <= 64
    chains = points(whole)
    for point in chains:
        _, _, sent = resumable() if point is None else asked(
            ContainerStreamer(VALUE, name="m", chunk=CHUNK), validator=validator, resume=point
        )  # fmt: skip
        assert sent[0].resume == point
        assert [frame.data for frame in sent[1:]] == [frame.data for frame in whole[1 + point[0] :]]
        assert sent[-1].meta == whole[-1].meta


def points(whole: list[Heard]) -> list[list[Any]]:
    chain, frames, size = Chain("dict"), 0, 0
    found: list[list[Any]] = [[0, 0, chain.value]]
    for frame in whole:
        if frame.name in ("ENTRIES", "DATA"):
            chain.add(frame.type, len(frame.data), hash_of("sha-256", memoryview(frame.data)))
            frames, size = frames + 1, size + len(frame.data)
            found.append([frames, size, chain.value])
    return found


def test_a_point_beyond_the_end_is_another_source() -> None:
    _, _, whole = resumable()
    _, size, chain = points(whole)[-1]
    _, sender, sent = asked(
        ContainerStreamer(VALUE, name="m", chunk=CHUNK),
        validator=whole[0].validator,
        resume=[2**62, size, chain],
    )
    assert code_of(sender.error) is Code.SOURCE_CHANGED
    assert names(sent) == ["RESET"]


# -- the receiver, frame by frame


@pytest.mark.parametrize("change", [{"size": 1}, {"count": 1}, {"validator": b"w"}, {"kind": "list"}])
def test_an_open_that_describes_another_object_is_refused(
    change: dict[str, Any], container: Transfer, tmp_path: Path
) -> None:
    _, joined = container.pull(4000)
    first = heard(joined)[0]
    receiver = Receiver(container.target(), name="m")
    receiver.ask("container")
    talk = Talk(receiver)
    (asking,) = talk.hear()
    told = {"size": first.size, "count": first.count, "validator": first.validator, "kind": "dict"}
    talk.say(3, opened(**{**told, "digests": first.digests, "resume": asking.resume, **change}))
    assert code_of(receiver.error) is Code.PROTOCOL
    assert len(kept(tmp_path)) == 2


# -- retrievers


def test_retrievers_resume(tmp_path: Path, source: Path) -> None:
    cutting = Cutting(5)
    network = MemoryNetwork(cutting.carry)
    a, b = network.site("a"), network.site("b")
    ContainerRetriever(a, chunk=CHUNK).add_container("m", VALUE)
    FileRetriever(a, chunk=CHUNK).add_file("m", source)
    place = tmp_path / "got"
    containers, files = ContainerRetriever(b), FileRetriever(b)
    for retrieve in (
        lambda: containers.retrieve_container("a", "m", resume=tmp_path / "kept"),
        lambda: files.retrieve_file("a", "m", to=place, resume=True),
    ):
        cutting.left = 5
        assert failure(retrieve).code in (Code.LOST, Code.STALLED)
        assert len(kept(tmp_path)) == 2
        found: Any = retrieve()
        assert equal(VALUE, found) if type(found) is dict else found.read_bytes() == DATA
        assert kept(tmp_path) == []
    assert not kept_beside(place).exists()
    assert not (tmp_path / "kept").exists()


def test_a_model_is_written_beside_what_is_kept_and_nothing_stays(tmp_path: Path) -> None:
    value = {name: np.full(400, number, np.float64) for number, name in enumerate("abcd")}
    place = tmp_path / "m.npz"
    transfer = Transfer(
        "container",
        lambda: ContainerStreamer(value, name="m", chunk=CHUNK),
        lambda: ModelAssembler(place, resume=True),
    )
    transfer.pull(8000)
    content, _ = kept(tmp_path)
    content.with_suffix(".part").write_bytes(b"what a kill has left")
    seen: list[list[str]] = []
    receiver, _ = transfer.pull(progress=lambda now: seen.append(sorted(os.listdir(tmp_path))))
    assert receiver.error is None
    assert {tuple(names) for names in seen} == {(".m.npz.resume",)}
    assert os.listdir(tmp_path) == ["m.npz"]
    assert equal(value, load_model(place).container)


@pytest.mark.parametrize("length", [0, 65])
def test_a_validator_of_another_length_is_none(length: int, container: Transfer, tmp_path: Path) -> None:
    receiver = Receiver(container.target(), name="m")
    receiver.ask("container")
    talk = Talk(receiver)
    talk.hear()
    talk.say(3, opened(kind="list", digests=receiver._offered[0], validator=bytes(length)))
    assert receiver.error is None
    assert not (tmp_path / "kept").exists()


def test_progress_begins_at_the_point(tmp_path: Path, source: Path) -> None:
    cutting = Cutting(5)
    network = MemoryNetwork(cutting.carry)
    a, b = network.site("a"), network.site("b")
    FileRetriever(a, chunk=CHUNK).add_file("m", source)
    files = FileRetriever(b)
    place = tmp_path / "got"
    failure(lambda: files.retrieve_file("a", "m", to=place, resume=True))
    seen: list[int] = []
    options = Options(progress=lambda now: seen.append(now.bytes))
    files.retrieve_file("a", "m", to=place, resume=True, options=options)
    assert seen[0] == 3 * CHUNK
    assert seen[-1] == len(DATA)


def test_kept_is_closed_and_can_be_taken_up(container: Transfer, tmp_path: Path) -> None:
    container.pull(4000)
    before = len(os.listdir("/proc/self/fd"))
    for _ in range(5):
        taken = Kept(tmp_path / "kept", "container", "m", Limits())
        assert taken.point is not None
        assert "kept" in taken.end(TransferError(Code.LOST))
    assert len(os.listdir("/proc/self/fd")) == before


@pytest.mark.parametrize("entries", [8, 32])
def test_taking_up_what_is_kept_needs_a_chunk_of_memory(entries: int, tmp_path: Path) -> None:
    value = [np.full(MIB, number, np.uint8) for number in range(entries)]
    into = [np.zeros(MIB, np.uint8) for _ in value]
    place = tmp_path / "source"
    place.write_bytes(b"".join(memoryview(part) for part in value))

    def retrievers(network: MemoryNetwork) -> tuple[Callable[[], object], Callable[[], object]]:
        a, b = network.site("a"), network.site("b")
        ContainerRetriever(a).add_container("m", value)
        FileRetriever(a).add_file("m", place)
        containers, files = ContainerRetriever(b), FileRetriever(b)
        return (
            lambda: containers.retrieve_container("a", "m", into=into, resume=tmp_path / "kept"),
            lambda: files.retrieve_file("a", "m", to=tmp_path / "got", resume=True),
        )

    for what, cut in enumerate((2 * entries, entries)):
        failure(retrievers(MemoryNetwork(Cutting(cut).carry))[what])
        assert sum(path.stat().st_size for path in kept(tmp_path)) > (entries - 3) * MIB
        retrieve = retrievers(MemoryNetwork())[what]
        tracemalloc.start()
        try:
            retrieve()
            assert tracemalloc.get_traced_memory()[1] < 2.5 * MIB, what
        finally:
            tracemalloc.stop()
    assert equal_lists(value, into)
    assert (tmp_path / "got").read_bytes() == place.read_bytes()


def equal_lists(one: list[Any], other: list[Any]) -> bool:
    return all(map(equal, one, other))
