"""Packs that were forged without a key: each has all genuine parts, and more, or reads differently elsewhere."""

import struct
import zlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

FORGED: Final = b"<h1>Nobody signed</h1>"
CERTIFICATE: Final = "certificate.html"


@dataclass
class Layout:
    """A zip, laid out as ours are but for what a forgery changes."""

    parts: Sequence[tuple[str, bytes]]
    prefix: bytes = b""
    is_prefix_counted: bool = True
    """Whether offsets are from the first byte of the file, else from the end of the prefix."""
    between: bytes = b""
    """Behind the first part."""
    before_list: bytes = b""
    before_end: bytes = b""
    behind: bytes = b""
    comment: bytes = b""
    part_comment: bytes = b""
    local_extra: bytes = b""
    local_names: Mapping[str, str] = field(default_factory=dict)
    """The names of parts in their own headers."""
    counts: tuple[int, int] | None = None
    """In the end record: of this disk, and in all."""

    def to_bytes(self) -> bytes:
        content, entries = bytearray(self.prefix), bytearray()
        shift = 0 if self.is_prefix_counted else len(self.prefix)
        for number, (name, part) in enumerate(self.parts):
            # Version, flags, method, time, date, CRC, sizes.
            facts = struct.pack("<5H3L", 20, 0, 0, 0, 33, zlib.crc32(part), len(part), len(part))
            local, listed = self.local_names.get(name, name).encode(), name.encode()
            location = struct.pack("<4H2L", 0, len(self.part_comment), 0, 0, 0o100600 << 16, len(content) - shift)
            entries += b"PK\1\2" + struct.pack("<2B", 20, 3) + facts + struct.pack("<H", len(listed)) + location
            entries += listed + self.part_comment
            content += b"PK\3\4" + facts + struct.pack("<2H", len(local), len(self.local_extra)) + local
            content += self.local_extra + part + (self.between if number == 0 else b"")
        content += self.before_list
        counts = self.counts or (len(self.parts), len(self.parts))
        ends = (len(entries), len(content) - shift, len(self.comment))
        end = b"PK\5\6" + struct.pack("<4H2LH", 0, 0, *counts, *ends) + self.comment
        return bytes(content + entries + self.before_end + end + self.behind)


def genuine(parts: Mapping[str, bytes]) -> bytes:
    return Layout(list(parts.items())).to_bytes()


def _layout(**changes: object) -> Callable[[Mapping[str, bytes]], bytes]:
    return lambda parts: Layout(list(parts.items()), **changes).to_bytes()  # type: ignore[arg-type]


def _with_part(name: str, **changes: object) -> Callable[[Mapping[str, bytes]], bytes]:
    """With a forged part behind the genuine ones, and the genuine count unless changed."""

    def forge(parts: Mapping[str, bytes]) -> bytes:
        count = len(parts)
        layout = {"counts": (count, count), **changes}
        return Layout([*parts.items(), (name, FORGED)], **layout).to_bytes()  # type: ignore[arg-type]

    return forge


def _with_counts(count: Callable[[int], int], of_disk: Callable[[int], int] | None = None) -> Callable[..., bytes]:
    def forge(parts: Mapping[str, bytes]) -> bytes:
        counts = (of_disk or count)(len(parts)), count(len(parts))
        return Layout(list(parts.items()), counts=counts).to_bytes()

    return forge


def _with_renamed_part(parts: Mapping[str, bytes]) -> bytes:
    """A name that some readers cut off at the NUL."""
    return Layout([(f"{name}\0" if name == CERTIFICATE else name, part) for name, part in parts.items()]).to_bytes()


FORGERIES: Final[Mapping[str, Callable[[Mapping[str, bytes]], bytes]]] = {
    "a second entry of a name, not counted": _with_part(CERTIFICATE),
    "a second entry of a name, counted": _with_part(CERTIFICATE, counts=None),
    "an added part, not counted": _with_part("zz.html"),
    "an added part, counted": _with_part("zz.html", counts=None),
    "an added part with a NUL in its name": _with_part(f"{CERTIFICATE}\0.txt"),
    "an added part with a NUL in its name, counted": _with_part(f"{CERTIFICATE}\0.txt", counts=None),
    "a part with a NUL in its name": _with_renamed_part,
    "bytes between entries": _layout(between=bytes(1000)),
    "bytes before the list": _layout(before_list=bytes(1000)),
    "bytes before the end record": _layout(before_end=bytes(1000)),
    "bytes behind the end record": _layout(behind=bytes(1000)),
    "a second end record": _layout(behind=b"PK\5\6" + bytes(18)),
    "a prefix": _layout(prefix=b"#!/bin/sh\n"),
    "a prefix that offsets leave out": _layout(prefix=b"#!/bin/sh\n", is_prefix_counted=False),
    "a comment": _layout(comment=b"signed by nobody"),
    "a comment of each part": _layout(part_comment=b"signed by nobody"),
    "another name in the part's own header": _layout(local_names={CERTIFICATE: "certificate.exe."}),
    "a longer name in the part's own header": _layout(local_names={CERTIFICATE: f"{CERTIFICATE}.exe"}),
    "an addition to the part's own header": _layout(local_extra=struct.pack("<2H", 0x7075, 0)),
    "a count less than the parts": _with_counts(lambda count: count - 1),
    "a count more than the parts": _with_counts(lambda count: count + 1),
    "a count of 65,535": _with_counts(lambda count: 0xFFFF),
    "a count of this disk that differs": _with_counts(lambda count: count, lambda count: count - 1),
    "a count of nothing": _with_counts(lambda count: 0),
}
