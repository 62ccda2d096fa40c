"""PDF files made of lines of text."""

import textwrap

LINES_PER_PAGE = 44
WIDTH = 88
FONT = b"<< /Type /Font /Subtype /Type1 /BaseFont /Helvetica /Encoding /WinAnsiEncoding >>"


def is_pdf(content: bytes) -> bool:
    return content.lstrip()[:5] == b"%PDF-"


def render_pdf(lines: list[str]) -> bytes:
    """A PDF of these lines, wrapped, on as many A4 pages as needed."""
    wrapped = [part for line in lines for part in (textwrap.wrap(line, WIDTH) or [""])]
    pages = [wrapped[start : start + LINES_PER_PAGE] for start in range(0, len(wrapped), LINES_PER_PAGE)] or [[""]]
    kids = " ".join(f"{4 + 2 * number} 0 R" for number in range(len(pages)))
    objects = [
        b"<< /Type /Catalog /Pages 2 0 R >>",
        f"<< /Type /Pages /Kids [{kids}] /Count {len(pages)} >>".encode(),
        FONT,
    ]
    for number, page in enumerate(pages):
        objects += [_page(5 + 2 * number), _text(page)]
    return _file(objects)


def append_notes(content: bytes, notes: list[str]) -> bytes:
    """The document with notes appended, where readers ignore them: another file, the same pages."""
    return content + b"\n" + b"".join(b"% " + note.encode() + b"\n" for note in notes)


def _page(contents: int) -> bytes:
    return (
        f"<< /Type /Page /Parent 2 0 R /MediaBox [0 0 595 842] /Contents {contents} 0 R "
        "/Resources << /Font << /F1 3 0 R >> >> >>"
    ).encode()


def _text(lines: list[str]) -> bytes:
    text_operators = b"\n".join(b"(" + _escaped(line) + b") Tj T*" for line in lines)
    stream = b"BT /F1 11 Tf 16 TL 56 780 Td\n" + text_operators + b"\nET"
    return f"<< /Length {len(stream)} >>\nstream\n".encode() + stream + b"\nendstream"


def _escaped(line: str) -> bytes:
    raw = line.encode("cp1252", errors="replace")
    return raw.replace(b"\\", rb"\\").replace(b"(", rb"\(").replace(b")", rb"\)")


def _file(objects: list[bytes]) -> bytes:
    content = bytearray(b"%PDF-1.4\n")
    offsets = []
    for number, body in enumerate(objects, start=1):
        offsets.append(len(content))
        content += f"{number} 0 obj\n".encode() + body + b"\nendobj\n"
    start, size = len(content), len(objects) + 1
    table = "".join(f"{offset:010d} 00000 n \n" for offset in offsets)
    content += f"xref\n0 {size}\n0000000000 65535 f \n{table}trailer << /Size {size} /Root 1 0 R >>\n".encode()
    return bytes(content + f"startxref\n{start}\n%%EOF\n".encode())
