"""npz files: a zip archive of npy members, one for each array."""

from __future__ import annotations

import mmap
import os
import struct
import zipfile
from typing import Any, BinaryIO

import numpy as np

from ..values import arrays
from .formats import Metadata, ModelError, Writer, entry, map_file, unsupported

SUFFIX = ".npy"

_LOCAL_HEADER = 30
_LENGTHS = struct.Struct("<HH")
_LENGTHS_AT = 26


def read(path: str | os.PathLike[str]) -> dict[str, Any]:
    """The arrays: mapped from the file, or read into memory where they are compressed.

    Raises:
        ModelError: the file is no npz file of plain arrays.
        OSError: it cannot be read.
    """
    mapped = map_file(path)
    try:
        with zipfile.ZipFile(path) as archive:
            return {
                info.filename.removesuffix(SUFFIX): _member(archive, info, mapped)
                for info in archive.infolist()
            }
    except (
        ValueError,
        EOFError,
        RuntimeError,
        NotImplementedError,
        zipfile.BadZipFile,
        struct.error,
    ) as problem:
        raise ModelError(f"{os.fspath(path)}: not an npz file of plain arrays: {problem}") from problem


def _member(archive: zipfile.ZipFile, info: zipfile.ZipInfo, mapped: mmap.mmap) -> Any:
    if not info.filename.endswith(SUFFIX):
        raise ValueError(f"its member {info.filename!r} is not an array")
    with archive.open(info) as member:
        if info.compress_type != zipfile.ZIP_STORED:
            return np.lib.format.read_array(member, allow_pickle=False)
        version = np.lib.format.read_magic(member)
        parse = (
            np.lib.format.read_array_header_1_0 if version == (1, 0) else np.lib.format.read_array_header_2_0
        )
        shape, fortran, dtype = parse(member)
        if dtype.hasobject:
            raise ValueError(f"its member {info.filename!r} holds Python objects")
        name_length, extra_length = _LENGTHS.unpack_from(mapped, info.header_offset + _LENGTHS_AT)
        offset = info.header_offset + _LOCAL_HEADER + name_length + extra_length + member.tell()
    if 0 in shape:
        return np.empty(shape, dtype)
    try:
        return np.ndarray(shape, dtype, mapped, offset, order="F" if fortran else "C")
    except TypeError as problem:
        raise ValueError(f"its member {info.filename!r} is cut short") from problem


class NpzWriter(Writer):
    """Writes each array as a member of its own, uncompressed, so that it can be mapped when it is read."""

    def __init__(self, file: BinaryIO, *, count: int | None, metadata: Metadata) -> None:
        super().__init__(file, count=count, metadata=metadata)
        self._archive: zipfile.ZipFile | None = zipfile.ZipFile(file, "w", zipfile.ZIP_STORED)

    def add(self, key: object, value: object) -> None:
        assert self._archive is not None
        array = entry(key, value, "npz")
        dtype = arrays.DTYPES.get(array.dtype)
        if dtype is None:
            raise unsupported(f"npz does not hold {array.dtype}")
        if "\0" in array.name or f"{array.name}{SUFFIX}" in self._archive.NameToInfo:
            raise unsupported("npz holds a name once, and none with a NUL")
        with self._archive.open(zipfile.ZipInfo(f"{array.name}{SUFFIX}"), "w", force_zip64=True) as member:
            described = {
                "descr": np.lib.format.dtype_to_descr(dtype),
                "fortran_order": False,
                "shape": array.shape,
            }
            np.lib.format.write_array_header_1_0(member, described)
            for view in array.source.pieces(1 << 20):
                member.write(view)

    def finish(self) -> None:
        assert self._archive is not None
        self._archive.close()
        self._archive = None

    def abandon(self) -> None:
        archive, self._archive = self._archive, None
        if archive is not None:
            archive.fp = None  # an archive that is collected writes its directory
