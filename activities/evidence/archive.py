"""The file of a pack: a zip that is stored, sorted and without dates, so that equal parts give equal bytes. Reading one
takes nothing else: no compression, no folders or links, no gaps, no name outside.
"""

import os
import re
import secrets
import stat
import struct
from collections.abc import AsyncGenerator, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Final
from zipfile import ZIP_FILECOUNT_LIMIT, ZIP_STORED, BadZipFile, ZipFile, ZipInfo

from activities.documents.files import StoredFile
from activities.evidence.signing import sha256_of

PIECE: Final = 1 << 18
"""Bytes of a part in memory."""
PARTS_AT_MOST: Final = 250_000
"""Parts of one pack: one for each document of the largest campaign, and the rest."""
DIRECTORY_BYTES_AT_MOST: Final = 64 << 20
"""Bytes of the list at the end of a zip."""
_WITHOUT_DATE: Final = (1980, 1, 1, 0, 0, 0)
_DATE: Final = 1 << 5 | 1
"""1980-01-01 of a zip."""
_MODE: Final = stat.S_IFREG | 0o600
_NAME: Final = re.compile(r"(?!.*(?:^|/)\.\.?(?:/|$))[A-Za-z0-9._-]{1,120}(?:/[A-Za-z0-9._-]{1,120}){0,3}")
_ENTRY: Final = struct.Struct("<4s4B4HL2L5H2L")
_HEADER: Final = struct.Struct("<4s5H3L2H")
_END: Final = struct.Struct("<4s4H2LH")
_END64_LOCATOR: Final = struct.Struct("<4sLQL")
_END64: Final = struct.Struct("<4sQ2H2L4Q")
_LIMIT_64: Final = (1 << 31) - 1
"""The largest number of bytes that is not written as one of 64 bits."""
_MORE: Final = 0xFFFFFFFF
"""Stands for a number of 64 bits."""


class NoPack(Exception):
    """Not as a pack is written: in which part, what was expected, what was found."""

    def __init__(self, part: str, expected: str, actual: str) -> None:
        super().__init__(f"{part}: expected {expected}, found {actual}")
        self.part, self.expected, self.actual = part, expected, actual


@dataclass(frozen=True)
class PackPart:
    """A part with its content: in memory, in the store, or in a file that is there until the pack is written."""

    name: str
    media_type: str
    size: int
    sha256: str
    content: bytes | StoredFile | Path

    @classmethod
    def from_content(cls, name: str, content: bytes, media_type: str = "application/json") -> "PackPart":
        return cls(name, media_type, len(content), sha256_of(content), content)

    @classmethod
    def stored(cls, name: str, file: StoredFile, media_type: str) -> "PackPart":
        return cls(name, media_type, file.size, file.sha256, file)

    async def pieces(self) -> AsyncGenerator[bytes, None]:
        match self.content:
            case bytes() as content:
                yield content
            case StoredFile() as file:
                async for piece in file.pieces(PIECE):
                    yield piece
            case Path() as path:
                with path.open("rb") as opened:
                    while piece := opened.read(PIECE):
                        yield piece


async def write_archive(target: Path, parts: Sequence[PackPart]) -> int:
    """Write the parts; how many bytes. The file is there whole, or not at all. For its user only: it may have names and
    addresses.
    """
    aside = target.with_name(f".{target.name}.{secrets.token_hex(4)}")
    try:
        with os.fdopen(os.open(aside, os.O_RDWR | os.O_CREAT | os.O_EXCL, 0o600), "w+b") as opened:
            with ZipFile(opened, "w", ZIP_STORED) as archive:
                for part in sorted(parts, key=lambda part: part.name):
                    with archive.open(_info(part), "w") as entry:
                        async for piece in part.pieces():
                            entry.write(piece)
            opened.flush()
            size = opened.tell()
            os.fsync(opened.fileno())
        aside.replace(target)
    finally:
        aside.unlink(missing_ok=True)
    return size


class PackReader:
    """The parts of a pack by name. What is read of one is bounded by the caller."""

    def __init__(self, archive: ZipFile, entries: dict[str, ZipInfo]) -> None:
        self._archive = archive
        self.entries: Final = entries

    def size(self, name: str) -> int:
        return self.entries[name].file_size

    def pieces(self, name: str) -> Iterator[bytes]:
        """Raises `NoPack`."""
        remaining = self.size(name)
        try:
            with self._archive.open(self.entries[name]) as opened:
                while remaining and (piece := opened.read(min(PIECE, remaining))):
                    remaining -= len(piece)
                    yield piece
        except (BadZipFile, OSError, ValueError, EOFError, NotImplementedError) as error:
            raise NoPack(name, "its content", f"what cannot be read: {type(error).__name__}") from error
        if remaining:
            raise NoPack(name, f"{self.size(name):,} bytes", f"{self.size(name) - remaining:,}")

    def read(self, name: str, at_most: int) -> bytes:
        """A whole part, for small ones; raises `NoPack`."""
        if name not in self.entries:
            raise NoPack(name, "the part", "nothing")
        if self.size(name) > at_most:
            raise NoPack(name, f"at most {at_most:,} bytes", f"{self.size(name):,}")
        return b"".join(self.pieces(name))

    def open(self, name: str) -> IO[bytes]:
        """A part that is a file of its own."""
        return self._archive.open(self.entries[name])


@contextmanager
def reading(file: IO[bytes]) -> Iterator[PackReader]:
    """A pack in a seekable file; nothing is read but its list. Raises `NoPack`."""
    length = file.seek(0, os.SEEK_END)
    _check_end(file, length)
    try:
        archive = ZipFile(file)
    except (BadZipFile, OSError, ValueError, EOFError, struct.error, NotImplementedError) as error:
        raise NoPack("the file", "a zip", f"none: {type(error).__name__}") from error
    with archive:
        yield PackReader(archive, _checked(archive, file))


def is_name(name: str) -> bool:
    """Whether a part may have it: nothing outside of the pack, and nothing that a terminal would obey."""
    return _NAME.fullmatch(name) is not None


def _info(part: PackPart) -> ZipInfo:
    info = ZipInfo(part.name, _WITHOUT_DATE)
    info.compress_type, info.create_system, info.file_size = ZIP_STORED, 3, part.size
    info.external_attr = _MODE << 16
    return info


def _check_end(file: IO[bytes], length: int) -> None:
    """Refuse a list that would fill the memory, before it is read. Ours has no comment, so its end has its place."""
    file.seek(max(0, length - _END.size - _END64_LOCATOR.size))
    end = file.read(_END64_LOCATOR.size + _END.size)
    if len(end) < _END.size or end[-_END.size :][:4] != b"PK\5\6":
        raise NoPack("the file", "a zip without a comment", "something else")
    _, disk, first, entries_here, count, size, offset, comment = _END.unpack(end[-_END.size :])
    if (disk, first, comment) != (0, 0, 0) or entries_here != count:
        raise NoPack("the file", "a zip in one piece", "a part of one")
    if end[:4] == b"PK\6\7" and len(end) == _END.size + _END64_LOCATOR.size:
        begins = _END64_LOCATOR.unpack(end[: _END64_LOCATOR.size])[2]
        file.seek(min(begins, length))
        if len(end := file.read(_END64.size)) < _END64.size:
            raise NoPack("the file", "a whole zip", "one that is cut off")
        *_, count, size, offset = _END64.unpack(end)
    if count > PARTS_AT_MOST or size > min(DIRECTORY_BYTES_AT_MOST, length):
        raise NoPack("the file", f"at most {PARTS_AT_MOST:,} parts", f"{count:,} in a list of {size:,} bytes")
    if offset + size > length:
        raise NoPack("the file", f"{offset + size:,} bytes at least", f"{length:,}")


def _checked(archive: ZipFile, file: IO[bytes]) -> dict[str, ZipInfo]:
    entries: dict[str, ZipInfo] = {}
    begins, previous_name = 0, ""
    for info in archive.infolist():
        name = info.orig_filename[:200]
        _check_entry(info, name)
        if name in entries:
            raise NoPack(name, "the part once", "twice")
        if name < previous_name:
            raise NoPack(name, "parts sorted by name", f"it behind {previous_name}")
        if info.header_offset != begins:
            raise NoPack(name, f"to begin at {begins:,}", f"{info.header_offset:,}")
        header = _header(info)
        file.seek(begins)
        if file.read(len(header)) != header:
            raise NoPack(name, "a header as its entry in the list", "another")
        begins, previous_name = begins + len(header) + info.file_size, name
        entries[name] = info
    if archive.start_dir != begins:
        raise NoPack("the file", f"its list at {begins:,}", f"{archive.start_dir:,}")
    listed = b"".join(map(_list_entry, entries.values()))
    directory = listed + _end(len(entries), len(listed), begins)
    file.seek(begins)
    if file.read(len(directory) + 1) != directory:
        raise NoPack("the file", "its list and end as they are written", "others")
    return entries


def _header(info: ZipInfo) -> bytes:
    """A part's own header; `zipfile` leaves room for what a part might grow by."""
    name, size = info.orig_filename.encode(), info.file_size
    extra = struct.pack("<2H2Q", 1, 16, size, size) if _has_wide_header(info) else b""
    shown_size = _MORE if extra else size
    facts = 0, ZIP_STORED, 0, _DATE, info.CRC, shown_size, shown_size, len(name), len(extra)
    return _HEADER.pack(b"PK\3\4", 45 if extra else 20, *facts) + name + extra


def _list_entry(info: ZipInfo) -> bytes:
    """A part's entry in the list."""
    name, size, begins = info.orig_filename.encode(), info.file_size, info.header_offset
    wide = [*([size, size] if size > _LIMIT_64 else []), *([begins] if begins > _LIMIT_64 else [])]
    extra = struct.pack(f"<2H{len(wide)}Q", 1, 8 * len(wide), *wide) if wide else b""
    version, shown_size = 45 if wide or _has_wide_header(info) else 20, _MORE if size > _LIMIT_64 else size
    facts = version, 3, version, 0, 0, ZIP_STORED, 0, _DATE, info.CRC, shown_size, shown_size, len(name), len(extra)
    return _ENTRY.pack(b"PK\1\2", *facts, 0, 0, 0, _MODE << 16, _MORE if begins > _LIMIT_64 else begins) + name + extra


def _has_wide_header(info: ZipInfo) -> bool:
    return info.file_size * 1.05 > _LIMIT_64


def _end(count: int, size: int, offset: int) -> bytes:
    """What stands behind a list."""
    end64 = b""
    if count > ZIP_FILECOUNT_LIMIT or max(size, offset) > _LIMIT_64:
        end64 = _END64.pack(b"PK\6\6", 44, 45, 45, 0, 0, count, count, size, offset)
        end64 += _END64_LOCATOR.pack(b"PK\6\7", 0, offset + size, 1)
    short = min(count, 0xFFFF)
    return end64 + _END.pack(b"PK\5\6", 0, 0, short, short, min(size, _MORE), min(offset, _MORE), 0)


def _check_entry(info: ZipInfo, name: str) -> None:
    if not is_name(name):
        raise NoPack(name.encode("ascii", "backslashreplace").decode(), "a name inside of the pack", "another")
    kind = info.external_attr >> 16
    if stat.S_ISLNK(kind):
        raise NoPack(name, "a file", "a symbolic link")
    if info.compress_type != ZIP_STORED or info.compress_size != info.file_size:
        raise NoPack(name, "a part that is stored", "one that is compressed")
    marks = info.flag_bits, info.date_time, info.external_attr, info.internal_attr, info.comment, info.volume
    if marks != (0, _WITHOUT_DATE, _MODE << 16, 0, b"", 0) or (info.create_system, info.reserved) != (3, 0):
        raise NoPack(name, "an entry as it is written", "other marks")
