"""The files that logrotate makes of a log: found by their names, read whatever they are compressed with.

What is passed over is never passed over silently.
"""

from __future__ import annotations

import bz2
import gzip
import importlib
import io
import lzma
import re
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import IO, Any

from eximacl.records.errors import reading

# What logrotate makes: `.1`, `.2.gz`; with dateext `-20261231`, `-20261231.gz`, hourly `-2026123109`, with a dateformat
# of the admin's own `-20261231090405`, `-2026-12-31`, `-20261231-1798675200`.
_NUMBER_OR_DATE = r"(?:\.(\d{1,6})|[-._](\d{4}-?\d\d-?\d\d(?:[-_.T:]?\d+)*))"
_COMPRESSION = r"(?:\.[A-Za-z][A-Za-z0-9]{0,4})?"
_ROTATED = re.compile(_NUMBER_OR_DATE + _COMPRESSION, re.ASCII)


class NotReadable(ValueError):
    """A file is compressed with something that is not read here; the text says what to do."""


class _Zstd(io.RawIOBase):
    """The plain bytes of a zstd file; damage in it is an OSError, as with the others."""

    def __init__(self, reader: Any, error: type[Exception]) -> None:
        self._reader = reader
        self._error = error

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        try:
            data = self._reader.read(len(buffer))
        except self._error as error:
            raise OSError(None, str(error)) from None
        buffer[: len(data)] = data
        return len(data)


def _zstd(file: IO[bytes]) -> Any:
    """Read zstd with Python 3.14's own module, or with Debian's python3-zstandard."""
    try:
        module = importlib.import_module("compression.zstd")
        reader = module.ZstdFile(file)
    except ImportError:
        try:
            module = importlib.import_module("zstandard")
        except ImportError:
            raise NotReadable("it is compressed with zstd: apt install python3-zstandard") from None
        reader = module.ZstdDecompressor().stream_reader(file, read_across_frames=True)
    return io.BufferedReader(_Zstd(reader, module.ZstdError))


# By the first bytes of a file.
_COMPRESSED: Mapping[bytes, Callable[[IO[bytes]], Any]] = {
    b"\x1f\x8b": lambda file: gzip.GzipFile(fileobj=file),
    b"BZh": bz2.BZ2File,
    b"\xfd7zXZ\0": lzma.LZMAFile,
    b"]\0\0": lzma.LZMAFile,  # lzma's older format
    b"\x28\xb5\x2f\xfd": _zstd,
}
# What else a `compresscmd` makes.
_NOT_READ = frozenset((".7z", ".br", ".lz", ".lz4", ".lzo", ".sz", ".zip", ".Z"))
_MAGIC_BYTES = max(map(len, _COMPRESSED))


def log_files(path: Path) -> list[Path]:
    """Return the files of a log, the oldest first: those that a rotation has renamed, then `path`.

    They are looked for beside `path` and in the directories there, where logrotate's `olddir` may have put them. With
    `extension .jsonl`, the ending of `path` stands behind what logrotate adds. Raises RecordsError.
    """
    found = []
    with reading(path.parent):
        for directory in _directories(path.parent):
            for each in directory.iterdir():
                order = _order(path, each.name)
                if order is not None:
                    found.append((order, each))
    return [each for _, each in sorted(found)] + ([path] if path.exists() else [])


def _directories(parent: Path) -> Iterator[Path]:
    """Yield a log's directory, and those in it that we may read."""
    if not parent.is_dir():
        return
    yield parent
    for each in parent.iterdir():
        if each.is_dir() and not each.is_symlink():
            try:
                next(each.iterdir(), None)
            except OSError:
                continue
            yield each


def _order(path: Path, name: str) -> tuple[int, int, str] | None:
    """Return what sorts a rotated file of the log at `path`; None for another file."""
    match = _ROTATED.fullmatch(name.removeprefix(path.name)) if name.startswith(path.name) else None
    if match is None and path.suffix and name.startswith(path.stem):
        plain = re.sub(rf"{re.escape(path.suffix)}(?=$|{_COMPRESSION}$)", "", name.removeprefix(path.stem), count=1)
        match = _ROTATED.fullmatch(plain) if len(plain) < len(name) - len(path.stem) else None
    if match is None:
        return None
    number, date = match.groups()
    return (1, -int(number), "") if number else (0, 0, re.sub(r"\D", "", date))


def plain_lines(path: Path, file: IO[bytes]) -> Any:
    """Return what reads the lines of an open log, compressed or not. Raises NotReadable."""
    magic = file.read(_MAGIC_BYTES)
    file.seek(0)
    unpack = next((unpack for start, unpack in _COMPRESSED.items() if magic.startswith(start)), None)
    if unpack is not None:
        return unpack(file)
    if path.suffix in _NOT_READ:
        raise NotReadable(f"{path.suffix} is not read: use gzip, bzip2, xz or zstd")
    return file
