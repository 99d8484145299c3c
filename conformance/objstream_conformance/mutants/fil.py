"""Mutants that are wrong about files."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

from objstream import Code, FileAssembler, FileRetriever, FileStreamer, TransferError, retrievers
from objstream.limits import MIB
from objstream.streamers import file
from objstream.values import Piece

from ..adapters.reference import ReferenceSite
from ..adapters.wire import ReferenceEnd
from .kit import assign, instead, mutant


@mutant("OSP-FIL-001", "to arrive byte for byte")
def last_byte_is_lost() -> None:
    """The one byte that a file has beyond three or more full chunks is sent as zero."""

    @instead(FileStreamer, "pieces")
    def pieces(original: Any, self: Any, chunk: int) -> Iterator[Piece]:
        for piece in original(self, chunk):
            lost = len(piece.view) == 1 and self._before[0] > 3 * chunk
            yield Piece(piece.kind, memoryview(b"\0")) if lost else piece


@mutant("OSP-FIL-002", "rejected: SOURCE_FAILED.*no data")
def empty_files_are_failures() -> None:
    """An empty file is taken for one that could not be read."""

    @instead(FileStreamer, "describe")
    def describe(original: Any, self: Any) -> Any:
        description = original(self)
        if not description.size:
            raise TransferError(Code.SOURCE_FAILED, "no data")
        return description


@mutant("OSP-FIL-003", "to arrive byte for byte")
def files_are_text() -> None:
    """Line ends of a file that begins with a byte-order mark are translated."""

    @instead(FileStreamer, "pieces")
    def pieces(original: Any, self: Any, chunk: int) -> Iterator[Piece]:
        for piece in original(self, chunk):
            text = piece.view[:3] == b"\xef\xbb\xbf"
            yield Piece(piece.kind, memoryview(bytes(piece.view).replace(b"\r", b"\n"))) if text else piece


@mutant("OSP-FIL-004", "at most 16384 bytes of the file")
def chunk_size_is_ignored() -> None:
    """Files are sent in chunks of 1 MiB whatever the application says."""

    @instead(FileStreamer, "__init__")
    def init(original: Any, self: Any, path: Any, **options: Any) -> None:
        original(self, path, **{**options, "chunk": MIB})


@mutant("OSP-FIL-005", "at most 1048576 bytes of the file")
def default_chunks_are_large() -> None:
    """Files are sent in chunks of 1.25 MiB unless the application says otherwise."""

    @instead(FileStreamer, "__init__")
    def init(original: Any, self: Any, path: Any, *, chunk: int = MIB, **options: Any) -> None:
        original(self, path, **options, chunk=5 * MIB // 4 if chunk == MIB else chunk)


@mutant("OSP-FIL-006", "file that grows to fail.*it ended well")
def growth_goes_unnoticed() -> None:
    """A file that has become longer counts as unchanged."""

    @instead(FileStreamer, "confirm")
    def confirm(original: Any, self: Any) -> None:
        if os.fstat(self._fd).st_size <= self._before[0]:
            original(self)


@mutant("OSP-FIL-007", "file that shrinks to fail.*it ended well")
def shrinking_is_padded() -> None:
    """What a file of some MiB has lost at its end is sent as zeros."""

    @instead(FileStreamer, "pieces")
    def pieces(original: Any, self: Any, chunk: int) -> Iterator[Piece]:
        try:
            done = 0
            for piece in original(self, chunk):
                done += len(piece.view)
                yield piece
        except TransferError:
            if done < 4 * MIB:
                raise
            for start in range(done, self._before[0], chunk):
                yield Piece(Piece.DATA, memoryview(bytes(min(chunk, self._before[0] - start))))

    @instead(FileStreamer, "confirm")
    def confirm(original: Any, self: Any) -> None:
        if not 4 * MIB <= os.fstat(self._fd).st_size < self._before[0]:
            original(self)


@mutant("OSP-FIL-008", "file that is rewritten to fail.*it ended well")
def only_sizes_are_compared() -> None:
    """A file of the same length counts as unchanged."""

    @instead(FileStreamer, "confirm")
    def confirm(original: Any, self: Any) -> None:
        if os.fstat(self._fd).st_size != self._before[0]:
            original(self)


@mutant("OSP-FIL-009", "it was there while content was still on its way")
def written_in_place() -> None:
    """A file is written under its final name."""

    @instead(FileAssembler, "begin")
    def begin(original: Any, self: Any, *arguments: Any) -> None:
        original(self, *arguments)
        if self._adopted is None:
            os.rename(self._temporary, self.path)
            self._temporary = self.path


@mutant("OSP-FIL-010", "files? left", {"OSP-SES-009": "no file left behind by the cancelled transfer"})
def large_leftovers() -> None:
    """When a transfer fails after 5/2 MiB, what has been received stays there."""

    @instead(FileAssembler, "discard")
    def discard(original: Any, self: Any) -> None:
        if self._written > 5 * MIB // 2:
            self._temporary = None
        original(self)


@mutant("OSP-FIL-011", "it is gone or altered")
def too_much_is_tidied() -> None:
    """Files are received under the name they have at their owner, and removed when a transfer fails.

    Between ends that know no owner, only one file of a name is so at a time.
    """
    running: dict[Path, Any] = {}

    @instead(ReferenceSite, "retrieve_file")
    def retrieve(original: Any, self: Any, peer: str, name: str, **options: Any) -> Any:
        part = name.replace("/", "_").replace("\0", "_")
        self._numbers = iter([f"{peer}-{part}"])
        return original(self, peer, name, **options)

    @instead(ReferenceEnd, "_receiver")
    def receiver(original: Any, self: Any, name: str, kind: str) -> Any:
        made = original(self, name, kind)
        if kind == "file" and self._directory:
            path = Path(self._directory, name.replace("/", "_").replace("\0", "_"))
            if path not in running or running[path].finished:
                running[path], made._assembler.path = made, path
        return made

    @instead(FileAssembler, "discard")
    def discard(original: Any, self: Any) -> None:
        original(self)
        self.path.unlink(missing_ok=True)


@mutant("OSP-FIL-012", "both sides to fail when only 1572864")
def write_errors_are_ignored() -> None:
    """After the first MiB nobody looks whether writing succeeds."""

    @instead(FileAssembler, "filled")
    def filled(original: Any, self: Any, count: int) -> None:
        try:
            original(self, count)
        except OSError:
            if self._written < MIB:
                raise
            self._written += count


@mutant("OSP-FIL-013", "both sides to fail when only 1000")
def last_write_error_is_ignored() -> None:
    """Small files are written at the very end, and nobody looks whether that succeeds."""

    @instead(FileAssembler, "filled")
    def filled(original: Any, self: Any, count: int) -> None:
        try:
            original(self, count)
        except OSError:
            if self._size is None or self._size >= MIB:
                raise
            self._written += count


@mutant("OSP-FIL-014", "outside")
def absolute_names_are_places() -> None:
    """A file that is retrieved by an absolute name is put there."""

    @instead(ReferenceSite, "retrieve_file")
    def retrieve(original: Any, self: Any, peer: str, name: str, **options: Any) -> Any:
        if not name.startswith("/"):
            return original(self, peer, name, **options)
        directory, self._directory = self._directory, Path(name).parent
        try:
            return original(self, peer, name, **options)
        finally:
            self._directory = directory

    @instead(ReferenceEnd, "_receiver")
    def receiver(original: Any, self: Any, name: str, kind: str) -> Any:
        made = original(self, name, kind)
        if kind == "file" and name.startswith("/"):
            made._assembler.path = Path(name)
        return made


@mutant("OSP-FIL-015", "which was not offered, to be refused.*it ended well")
def neighbours_are_served() -> None:
    """A name that was not offered is looked up beside a file that was."""

    @instead(FileRetriever, "streamer")
    def streamer(original: Any, self: Any, request: Any) -> Any:
        for path in self._files.values():
            beside = Path(path).parent / request.name.replace("\0", "")
            if request.name not in self._files and beside.is_file():
                return FileStreamer(beside, name=request.name)
        return original(self, request)


@mutant("OSP-FIL-016", "which leads out of the root, to be refused.*it ended well")
def links_are_followed() -> None:
    """Of a name below a root only the text is checked."""

    @instead(retrievers, "below")
    def below(original: Any, root: Path, name: str) -> str:
        return str(root / name) if (root / name).exists() and ".." not in name else original(root, name)


@mutant("OSP-FIL-017", "'(pipe|device)' to be refused.*it ended well")
def anything_is_a_file() -> None:
    """Pipes and devices are served, as files of no length."""
    assign(file, "stat", SimpleNamespace(S_ISREG=lambda mode: True))


@mutant("OSP-FIL-018", "the overlapping retrieval to succeed|each file with its own content")
def one_temporary_name() -> None:
    """The temporary name is the same for all files."""
    assign(file, "secrets", SimpleNamespace(token_hex=lambda length: "temporary"))


@mutant("OSP-FIL-019", "the source to be unchanged")
def sources_are_touched() -> None:
    """The time of modification of a file is set when it has been sent."""

    @instead(FileStreamer, "confirm")
    def confirm(original: Any, self: Any) -> None:
        original(self)
        os.utime(self._fd)
