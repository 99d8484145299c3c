"""Files: sent chunk by chunk, there only when they are complete, and never anything left of them otherwise."""

from __future__ import annotations

import errno
import os
import socket
import stat
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from objstream import (
    Code,
    Description,
    FileAssembler,
    FileStreamer,
    Limits,
    MemoryNetwork,
    MemorySite,
    Options,
    Progress,
    TransferError,
)
from objstream.session import Receiver
from objstream.streamers import file as files

from .helpers import Talk, failure, frame, meta, names, opened, put

KIB = 1024
CONTENT = bytes(range(256)) * 256 + b"\r\n\x00\x1a"


@pytest.fixture
def source(tmp_path: Path) -> Path:
    """A file that has been there for a while."""
    path = tmp_path / "source" / "model.bin"
    path.parent.mkdir()
    path.write_bytes(CONTENT)
    os.utime(path, (1, 1))
    return path


@pytest.fixture
def target(tmp_path: Path) -> Path:
    """Where the file shall be; its directory is empty."""
    path = tmp_path / "target" / "got.bin"
    path.parent.mkdir()
    return path


class Two:
    """An owner with one file, and a receiver; what each reports of a transfer."""

    def __init__(self, streamer: FileStreamer) -> None:
        network = MemoryNetwork()
        self.owner: MemorySite = network.site("owner")
        self.asker: MemorySite = network.site("asker")
        self.owner.provide(lambda asked: streamer)
        self.reported: list[TransferError | None] = []
        self.owner.watch(lambda asked, outcome: self.reported.append(outcome.error))

    def pull(self, assembler: FileAssembler, **options: Any) -> object:
        return self.asker.pull("owner", "file", "model.bin", assembler, Options(**options))

    def fail(self, assembler: FileAssembler, **options: Any) -> TransferError:
        """The error of a pull that must fail; the owner must have failed with the same code."""
        problem = failure(lambda: self.pull(assembler, **options))
        (told,) = self.reported
        assert told is not None
        assert told.code is problem.code
        return problem


@pytest.mark.parametrize("size", [0, 1, 999, 1000, 1001, 2000, 5001, len(CONTENT)])
@pytest.mark.parametrize("sync", [False, True])
def test_a_file_of_any_size_arrives_byte_for_byte(source: Path, target: Path, size: int, sync: bool) -> None:
    source.write_bytes(CONTENT[:size])
    two = Two(FileStreamer(source, chunk=1000))
    assert two.pull(FileAssembler(target, sync=sync, chunk=700)) == target
    assert target.read_bytes() == CONTENT[:size]
    assert os.listdir(target.parent) == [target.name]
    assert two.reported == [None]
    assert source.read_bytes() == CONTENT[:size]


def test_no_frame_is_larger_than_the_chunk(source: Path) -> None:
    streamer = FileStreamer(source, chunk=1000)
    described = streamer.describe()
    assert (described.kind, described.size, described.count) == ("file", len(CONTENT), 0)
    sizes = [len(piece.view) for piece in streamer.pieces(1000)]
    assert sizes == [1000] * (len(CONTENT) // 1000) + [len(CONTENT) % 1000]
    streamer.close()
    streamer.close()
    assert FileStreamer(source).chunk == 1 << 20


def test_a_link_to_a_file_is_followed_and_so_is_one_at_the_target(source: Path, target: Path) -> None:
    link = source.with_name("link")
    link.symlink_to(source)
    Two(FileStreamer(link)).pull(FileAssembler(target))
    assert target.read_bytes() == CONTENT


def test_a_file_that_was_there_is_replaced_in_one_step(source: Path, target: Path) -> None:
    target.write_bytes(b"old")
    seen: list[bytes] = []

    def look(now: Progress) -> None:
        seen.append(target.read_bytes())

    Two(FileStreamer(source, chunk=1000)).pull(FileAssembler(target), progress=look)
    assert set(seen) == {b"old"}
    assert len(seen) > 10
    assert target.read_bytes() == CONTENT


def test_the_final_name_appears_last(source: Path, target: Path) -> None:
    seen: list[bool] = []
    options = {"progress": lambda now: seen.append(target.exists())}
    Two(FileStreamer(source, chunk=1000)).pull(FileAssembler(target), **options)
    assert set(seen) == {False}
    assert target.exists()


def test_the_mode_of_a_received_file_follows_the_umask(source: Path, target: Path) -> None:
    before = os.umask(0o027)
    try:
        Two(FileStreamer(source)).pull(FileAssembler(target))
    finally:
        os.umask(before)
    assert stat.S_IMODE(target.stat().st_mode) == 0o640


@pytest.mark.parametrize("name", ["ü" * 127, "x" * 255, ".hidden", " ", "a\nb", "-rf"])
def test_any_name_that_the_file_system_takes_is_taken(source: Path, target: Path, name: str) -> None:
    path = target.parent / name
    Two(FileStreamer(source)).pull(FileAssembler(path))
    assert os.listdir(target.parent) == [name]


def test_files_received_at_the_same_time_under_one_name_do_not_meet(target: Path) -> None:
    one, two = FileAssembler(target), FileAssembler(target)
    for assembler, data in ((one, b"1"), (two, b"2")):
        assembler.begin(Description("file", 10, 0), Limits())
        for _ in range(10):
            assembler.buffer()[:1] = data
            assembler.filled(1)
    one.finish()
    assert target.read_bytes() == b"1" * 10
    two.finish()
    assert target.read_bytes() == b"2" * 10
    assert os.listdir(target.parent) == [target.name]


def during(streamer: FileStreamer, change: Callable[[], object], target: Path) -> TransferError:
    """The error of a transfer during which the file is changed; nothing may be left at the target."""
    changes = iter([change])

    def progress(now: Progress) -> None:
        for change in changes:
            change()

    problem = Two(streamer).fail(FileAssembler(target), progress=progress, window=2000)
    assert os.listdir(target.parent) == []
    return problem


def append(path: Path, data: bytes) -> None:
    with path.open("ab") as stream:
        stream.write(data)


def overwrite(path: Path) -> None:
    with path.open("r+b") as stream:
        stream.write(b"!")


def test_a_file_that_grows_is_an_error(source: Path, target: Path) -> None:
    problem = during(FileStreamer(source, chunk=1000), lambda: append(source, b"more"), target)
    assert problem.code is Code.SOURCE_CHANGED
    size = len(CONTENT)
    assert f"({size} bytes before, {size + 4} after)" in problem.message


@pytest.mark.parametrize("left", [0, 500, 3000, len(CONTENT) - 1])
def test_a_file_that_shrinks_is_an_error(source: Path, target: Path, left: int) -> None:
    problem = during(FileStreamer(source, chunk=1000), lambda: os.truncate(source, left), target)
    assert problem.code is Code.SOURCE_CHANGED
    assert f"shrank from {len(CONTENT)} to" in problem.message


def test_a_file_that_changes_in_place_is_an_error(source: Path, target: Path) -> None:
    problem = during(FileStreamer(source, chunk=1000), lambda: overwrite(source), target)
    assert problem.code is Code.SOURCE_CHANGED


def test_a_change_right_after_the_file_was_written_is_noticed_too(source: Path, target: Path) -> None:
    source.write_bytes(CONTENT)
    problem = during(FileStreamer(source, chunk=1000), lambda: overwrite(source), target)
    assert problem.code is Code.SOURCE_CHANGED


def test_a_file_written_just_now_is_described_when_a_later_change_must_show(source: Path) -> None:
    source.write_bytes(CONTENT)
    streamer = FileStreamer(source)
    streamer.describe()
    assert time.time_ns() - source.stat().st_mtime_ns >= 20_000_000
    streamer.close()


def test_a_file_from_the_future_is_not_waited_for(source: Path) -> None:
    os.utime(source, (2**33, 2**33))
    streamer = FileStreamer(source)
    assert streamer.describe().size == len(CONTENT)
    streamer.close()


def test_a_change_whose_time_is_set_back_is_noticed_too(source: Path, target: Path) -> None:
    def forge() -> None:
        state = source.stat()
        overwrite(source)
        os.utime(source, ns=(state.st_atime_ns, state.st_mtime_ns))

    assert during(FileStreamer(source, chunk=1000), forge, target).code is Code.SOURCE_CHANGED


def test_a_file_that_is_replaced_is_sent_as_it_was_opened_or_not_at_all(source: Path, target: Path) -> None:
    def replace() -> None:
        other = source.with_name("other")
        other.write_bytes(b"another file")
        os.replace(other, source)

    problem = during(FileStreamer(source, chunk=1000), replace, target)
    assert problem.code is Code.SOURCE_CHANGED


def test_an_empty_file_that_grows_is_an_error(source: Path) -> None:
    source.write_bytes(b"")
    streamer = FileStreamer(source)
    streamer.describe()
    assert list(streamer.pieces(1000)) == []
    streamer.confirm()
    append(source, b"x")
    assert failure(streamer.confirm).code is Code.SOURCE_CHANGED
    streamer.close()


def test_a_missing_file_is_not_found_and_the_peer_does_not_learn_its_path(source: Path, target: Path) -> None:
    two = Two(FileStreamer(source.with_name("secret"), name="model.bin"))
    problem = two.fail(FileAssembler(target))
    assert problem.code is Code.NOT_FOUND
    assert problem.message == "model.bin: there is no such file"
    assert problem.local == ""
    assert two.reported[0] is not None
    assert "secret" in two.reported[0].local


@pytest.mark.parametrize("kind", ["directory", "fifo", "device", "socket"])
def test_only_regular_files_are_sent_and_nothing_else_blocks(tmp_path: Path, target: Path, kind: str) -> None:
    path = tmp_path / "special"
    if kind == "directory":
        path.mkdir()
    elif kind == "fifo":
        os.mkfifo(path)
    elif kind == "device":
        path = Path("/dev/zero")
    else:
        with socket.socket(socket.AF_UNIX) as listening:
            listening.bind(str(path))
    problem = Two(FileStreamer(path)).fail(FileAssembler(target))
    assert problem.code in (Code.UNSUPPORTED, Code.SOURCE_FAILED)
    assert str(tmp_path) not in str(problem)
    assert os.listdir(target.parent) == []


class System:
    """The system calls of the module under test, some of them with another behaviour."""

    def __init__(self, **calls: Callable[..., Any]) -> None:
        vars(self).update(calls)

    def __getattr__(self, name: str) -> Any:
        return getattr(os, name)


def raising(number: int) -> Callable[..., Any]:
    """A system call that fails."""

    def call(*arguments: Any, **options: Any) -> Any:
        raise OSError(number, os.strerror(number))

    return call


@pytest.mark.parametrize("at", ["open", "preadv", "fstat"])
def test_an_error_of_reading_is_told_to_both_sides(
    source: Path, target: Path, monkeypatch: pytest.MonkeyPatch, at: str
) -> None:
    monkeypatch.setattr(files, "os", System(**{at: raising(errno.EIO)}))
    two = Two(FileStreamer(source))
    problem = two.fail(FileAssembler(target))
    assert problem.code is Code.SOURCE_FAILED
    assert problem.local == ""
    assert two.reported[0] is not None
    assert "Input/output error" in two.reported[0].local
    assert list(target.parent.iterdir()) == []


@pytest.mark.parametrize(
    ("call", "error"),
    [("write", errno.ENOSPC), ("close", errno.EDQUOT), ("replace", errno.EACCES), ("fsync", errno.EIO)],
)
def test_an_error_of_writing_fails_both_sides_and_leaves_nothing(
    source: Path, target: Path, monkeypatch: pytest.MonkeyPatch, call: str, error: int
) -> None:
    target.write_bytes(b"old")
    real = getattr(os, call)
    opened: set[int] = set()

    def fail(*arguments: Any, **options: Any) -> Any:
        if call == "close":
            real(*arguments)
            if arguments[0] not in opened:
                return None
        raise OSError(error, os.strerror(error))

    def open_(path: Any, *arguments: Any) -> int:
        fd = os.open(path, *arguments)
        if str(path).endswith(".part"):
            opened.add(fd)
        return fd

    monkeypatch.setattr(files, "os", System(open=open_, **{call: fail}))
    two = Two(FileStreamer(source))
    problem = two.fail(FileAssembler(target, sync=call == "fsync"))
    monkeypatch.undo()
    assert problem.code is Code.STORE_FAILED
    assert os.strerror(error) in problem.local
    assert two.reported[0] is not None
    assert os.strerror(error) not in str(two.reported[0])
    assert str(target) not in str(two.reported[0])
    assert os.listdir(target.parent) == [target.name]
    assert target.read_bytes() == b"old"


def test_a_write_that_takes_only_a_part_is_continued(
    source: Path, target: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(files, "os", System(write=lambda fd, data: os.write(fd, data[:100])))
    Two(FileStreamer(source)).pull(FileAssembler(target))
    assert target.read_bytes() == CONTENT


def test_too_little_room_on_the_disk_is_found_out_before_anything_is_written(
    source: Path, target: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(files, "_free_space", lambda directory: len(CONTENT) - 1)
    problem = Two(FileStreamer(source)).fail(FileAssembler(target))
    assert problem.code is Code.STORE_FAILED
    assert f"{len(CONTENT)} bytes announced" in problem.message
    assert problem.local == str(target.parent)
    monkeypatch.setattr(files, "_free_space", lambda directory: len(CONTENT))
    assert Two(FileStreamer(source)).pull(FileAssembler(target)) == target


def test_a_directory_that_is_not_there_is_an_error_of_the_store(source: Path, target: Path) -> None:
    problem = Two(FileStreamer(source)).fail(FileAssembler(target.parent / "missing" / "f"))
    assert problem.code is Code.STORE_FAILED
    assert "missing" in problem.local
    assert "missing" not in problem.message


def test_a_directory_in_the_place_of_the_file_is_an_error_of_the_store(source: Path, target: Path) -> None:
    target.mkdir()
    problem = Two(FileStreamer(source)).fail(FileAssembler(target))
    assert problem.code is Code.STORE_FAILED
    assert os.listdir(target.parent) == [target.name]
    assert os.listdir(target) == []


def test_sync_brings_data_and_name_to_the_disk_and_otherwise_nothing_waits(
    source: Path, target: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    synced: list[str] = []

    def fsync(fd: int) -> None:
        synced.append(os.readlink(f"/proc/self/fd/{fd}"))

    monkeypatch.setattr(files, "os", System(fsync=fsync))
    Two(FileStreamer(source)).pull(FileAssembler(target))
    assert synced == []
    monkeypatch.setattr(files, "_SYNC_EVERY", 30_000)
    Two(FileStreamer(source, chunk=10_000)).pull(FileAssembler(target, sync=True))
    assert [name.endswith(".part") for name in synced] == [True, True, True, False]
    assert synced[-1] == str(target.parent)


@pytest.mark.parametrize("sender_ends", [True, False])
def test_a_cancel_in_the_middle_leaves_nothing(source: Path, target: Path, sender_ends: bool) -> None:
    two = Two(FileStreamer(source, chunk=1000))
    site = two.owner if sender_ends else two.asker
    problem = two.fail(FileAssembler(target), window=2000, progress=lambda now: site.cancel())
    assert problem.code is Code.CANCELLED
    assert os.listdir(target.parent) == []


def test_a_file_never_takes_more_than_was_announced(target: Path) -> None:
    receiver = Receiver(FileAssembler(target), name="m", offered=["none"])
    receiver.ask("file")
    talk = Talk(receiver)
    talk.hear()
    talk.say(3, opened(kind="file", digests="none", size=10, count=0))
    talk.say(5, meta(), b"x" * 10)
    put(talk.connection, frame(5, meta(), b"x", seq=2))
    (reset,) = talk.hear()
    assert reset.code == Code.PROTOCOL
    assert os.listdir(target.parent) == []


def test_a_file_of_unknown_size_is_taken_up_to_the_limit(target: Path) -> None:
    for size, answer in ((1000, "DONE"), (1001, "RESET")):
        limits = Limits(max_bytes=1000)
        receiver = Receiver(FileAssembler(target, chunk=64), name="m", offered=["none"], limits=limits)
        receiver.ask("file")
        talk = Talk(receiver, limits=limits)
        talk.hear()
        talk.say(3, opened(kind="file", digests="none"))
        heard = talk.say(5, meta(), b"x" * size)
        if answer == "DONE":
            heard = talk.say(6, meta(size=size, count=0, chain=receiver._chain.value))
        assert names(heard) == [answer]
    assert target.read_bytes() == b"x" * 1000
    assert os.listdir(target.parent) == [target.name]


def test_a_file_awaits_what_is_missing_of_it(target: Path) -> None:
    assembler = FileAssembler(target, chunk=4)
    assembler.begin(Description("file", 10, 0), Limits())
    for missing in (10, 7, 4, 1):
        assert assembler.room() == missing
        assembler.filled(3 if missing > 1 else 1)
    assert assembler.room() == 0
    assembler.discard()


def test_a_file_has_no_entries(target: Path) -> None:
    assembler = FileAssembler(target)
    assert failure(lambda: assembler.entry(1)).code is Code.PROTOCOL
    assert failure(lambda: assembler.feed(memoryview(b"\x01"))).code is Code.PROTOCOL
    assert list(FileStreamer(target).entries()) == []


def test_an_assembler_can_be_discarded_at_any_moment_and_more_than_once(target: Path) -> None:
    assembler = FileAssembler(target)
    assembler.discard()
    assembler.begin(Description("file", 10, 0), Limits())
    assert len(os.listdir(target.parent)) == 1
    assembler.discard()
    assembler.discard()
    assert os.listdir(target.parent) == []


def test_a_push_of_a_file_keeps_to_the_frame_size_of_its_receiver(source: Path, target: Path) -> None:
    network = MemoryNetwork()
    sender = network.site("sender")
    receiver = network.site("receiver", Options(limits=Limits(max_frame=10_000)))
    receiver.accept(lambda offer: FileAssembler(target))
    (outcome,) = sender.push(["receiver"], FileStreamer(source, name="model.bin")).values()
    assert outcome.delivered
    assert target.read_bytes() == CONTENT


def test_one_streamer_serves_several_targets(source: Path, target: Path) -> None:
    network = MemoryNetwork()
    sender = network.site("sender")
    peers = [f"receiver{number}" for number in range(4)]
    for number, peer in enumerate(peers):
        network.site(peer).accept(
            lambda offer, number=number: FileAssembler(target.with_suffix(f".{number}"))
        )
    outcomes = sender.push(peers, FileStreamer(source, name="m", chunk=1000))
    assert all(outcome.delivered for outcome in outcomes.values())
    assert {path.read_bytes() for path in target.parent.iterdir()} == {CONTENT}
    assert len(os.listdir(target.parent)) == 4


def test_no_descriptor_is_left_open(source: Path, target: Path) -> None:
    before = len(os.listdir("/proc/self/fd"))
    for _ in range(3):
        Two(FileStreamer(source)).pull(FileAssembler(target))
        Two(FileStreamer(source.parent)).fail(FileAssembler(target))
        two = Two(FileStreamer(source, chunk=1000))
        two.fail(FileAssembler(target), window=2000, progress=lambda now, two=two: two.asker.cancel())
    assert len(os.listdir("/proc/self/fd")) == before
