"""A process that draws the first page of a PDF: document on standard input, PNG on standard output.

The document is untrusted: the process has limited memory and time, and may die.
"""

import resource
import struct
import sys
import zlib
from typing import Final

MEMORY_AT_MOST: Final = 768 * 1024 * 1024
"""Address space in bytes."""
SECONDS_AT_MOST: Final = 10
WIDTH: Final = 800
"""Pixels, twice a phone's width."""
_TALLEST: Final = 3 * WIDTH
_POINTS_MOST: Final = 14_400.0
"""Of PDF."""


def draw(pdf: bytes) -> bytes:
    """The PNG, at most `WIDTH` wide; raises whatever the library raises."""
    import pypdfium2  # noqa: PLC0415 (only after the limits stand)

    document = pypdfium2.PdfDocument(pdf)
    page = document[0]
    width, height = (min(max(side, 1.0), _POINTS_MOST) for side in page.get_size())
    scale = min(WIDTH / width, _TALLEST / height)
    bitmap = page.render(scale=scale, rev_byteorder=True, force_bitmap_format=2)
    return _png(bytes(bitmap.buffer), bitmap.width, bitmap.height, bitmap.stride)


def _png(pixels: bytes, width: int, height: int, stride: int) -> bytes:
    rows = b"".join(b"\0" + pixels[y * stride : y * stride + 3 * width] for y in range(height))
    head = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    parts = ((b"IHDR", head), (b"IDAT", zlib.compress(rows, 9)), (b"IEND", b""))
    return b"\x89PNG\r\n\x1a\n" + b"".join(map(_chunk, parts))


def _chunk(part: tuple[bytes, bytes]) -> bytes:
    kind, data = part
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


if __name__ == "__main__":
    resource.setrlimit(resource.RLIMIT_AS, (MEMORY_AT_MOST, MEMORY_AT_MOST))
    resource.setrlimit(resource.RLIMIT_CPU, (SECONDS_AT_MOST, SECONDS_AT_MOST))
    sys.stdout.buffer.write(draw(sys.stdin.buffer.read()))
