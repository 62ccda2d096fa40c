"""PDFs that files name, checked before anything is started; the title of a PDF."""

import re
from pathlib import Path, PurePosixPath
from typing import Final
from unicodedata import normalize

from workflows.model.file_faults import FileFault
from workflows.model.rejections import name_told

MEGABYTE: Final = 1024 * 1024
_MAGIC: Final = b"%PDF-"
_ENCRYPTED: Final = re.compile(rb"/Encrypt\s*(?:<<|[0-9]+\s+[0-9]+\s+R\b)")
"""In the trailer, which is never compressed or encrypted itself."""
_INFORMATION: Final = re.compile(rb"/Info\s+([0-9]{1,10})\s+([0-9]{1,5})\s+R\b")
_TITLE: Final = re.compile(rb"/Title\s*(?:\(((?:[^()\\]|\\.)*)\)|<([0-9A-Fa-f\s]*)>)", re.DOTALL)
_ESCAPE: Final = re.compile(rb"\\(?:([0-7]{1,3})|(\r\n|.))", re.DOTALL)
_ESCAPED: Final = {b"n": b"\n", b"r": b"\r", b"t": b"\t", b"b": b"", b"f": b"", b"\n": b"", b"\r": b"", b"\r\n": b""}
_INFORMATION_AT_MOST: Final = 16 * 1024
_NAME_OF_A_FILE: Final = re.compile(r"\.\w{2,4}$|^untitled", re.IGNORECASE)
MEGABYTES_AT_ONCE: Final = 256
"""All documents of one start together, in memory until its last request is started."""


def name_of(file: str, content: bytes | None) -> str:
    """What people call a document that its file gives no name: the PDF's own title, else the file's name without its
    ending.
    """
    return (content and _title(content)) or PurePosixPath(file).stem


def read_pdf(folder: Path, file: str, max_megabytes: int, working_folder: Path | None = None) -> bytes:
    """The bytes of a PDF inside `folder`, else inside `working_folder`; `ValueError` says why it cannot be sent."""
    try:
        content = _content(_resolve(folder, file, working_folder), file, max_megabytes)
    except OSError as error:
        raise FileFault.UNREADABLE.error(why=error.strerror) from None
    check_pdf(content, max_megabytes)
    return content


def check_pdf(content: bytes, max_megabytes: int) -> None:
    """`ValueError` if these bytes cannot be sent."""
    if not content:
        raise FileFault.EMPTY_FILE.error()
    if not content.startswith(_MAGIC):
        raise FileFault.NO_PDF.error()
    if _ENCRYPTED.search(content):
        raise FileFault.PDF_WITH_PASSWORD.error()
    _check_size(len(content), max_megabytes)


class LocalDocuments:
    """Reads PDFs beside the file that names them, or anywhere below `fallback_folder`."""

    def __init__(self, max_megabytes: int, fallback_folder: Path | None = None) -> None:
        self._max_megabytes = max_megabytes
        self._fallback_folder = fallback_folder
        self._read: dict[tuple[Path, str], bytes] = {}
        self._size = 0

    def read(self, folder: Path, file: str) -> bytes:
        """The bytes of a document named in a file of `folder`; errors as `read_pdf`."""
        if (folder, file) not in self._read:
            content = read_pdf(folder, file, self._max_megabytes, self._fallback_folder)
            if self._size + len(content) > MEGABYTES_AT_ONCE * MEGABYTE:
                raise FileFault.DOCUMENTS_TOO_LARGE.error(most=MEGABYTES_AT_ONCE)
            self._size += len(content)
            self._read[folder, file] = content
        return self._read[folder, file]


def _title(content: bytes) -> str:
    """Of the document information; empty without one that can be read, or that is only the name of a file."""
    places = _INFORMATION.findall(content)
    title = _title_in(content, *places[-1]) if places else ""
    return "" if _NAME_OF_A_FILE.search(title) else title


def _title_in(content: bytes, number: bytes, generation: bytes) -> str:
    objects = [*re.finditer(rb"\b%s\s+%s\s+obj\b" % (number, generation), content)]
    begin = objects[-1].end() if objects else len(content)
    match = _TITLE.search(content[begin : begin + _INFORMATION_AT_MOST].partition(b"endobj")[0])
    if match is None:
        return ""
    literal, digits = match.groups()
    written = _ESCAPE.sub(_unescape, literal) if digits is None else _from_digits(digits)
    encoding = "utf-16" if written.startswith((b"\xfe\xff", b"\xff\xfe")) else "utf-8-sig"
    try:
        return name_told(written.decode(encoding))
    except UnicodeDecodeError:
        return name_told(written.decode("latin-1"))


def _unescape(match: re.Match[bytes]) -> bytes:
    octal, char = match.groups()
    return bytes([int(octal, 8) % 256]) if octal else _ESCAPED.get(char, char)


def _from_digits(digits: bytes) -> bytes:
    plain = b"".join(digits.split())
    return bytes.fromhex((plain + b"0" * (len(plain) % 2)).decode())


def _content(path: Path, file: str, max_megabytes: int) -> bytes:
    if not path.is_file():
        raise FileFault.NO_DOCUMENT.error(file=file)
    _check_size(path.stat().st_size, max_megabytes)
    return path.read_bytes()


def _check_size(size: int, max_megabytes: int) -> None:
    if size > max_megabytes * MEGABYTE:
        raise FileFault.PDF_TOO_LARGE.error(size=f"{size / MEGABYTE:.1f}", most=max_megabytes)


def _path_on_disk(folder: Path, file: Path) -> Path:
    """The path as the disk spells it: names in files are NFC, a Mac may have written NFD."""
    path = Path()
    for part in file.parts:
        path /= part if (folder / path / part).exists() else _name_on_disk(folder / path, part)
    return path


def _name_on_disk(folder: Path, name: str) -> str:
    composed_name = normalize("NFC", name)
    entries = folder.iterdir() if folder.is_dir() else ()
    return next((entry.name for entry in entries if normalize("NFC", entry.name) == composed_name), name)


def _resolve(folder: Path, file: str, working_folder: Path | None) -> Path:
    if "://" in file:
        raise FileFault.FILE_IS_URL.error()
    if Path(file).is_absolute():
        raise FileFault.ABSOLUTE_PATH.error()
    roots = [root.resolve() for root in (folder, working_folder) if root is not None]
    paths = [(root / _path_on_disk(root, Path(file))).resolve() for root in roots]
    inside = [path for path in paths if any(map(path.is_relative_to, roots))]
    existing = next(filter(Path.is_file, inside), None)
    if existing is None and len(inside) < len(paths):
        raise FileFault.OUTSIDE_FOLDER.error()
    return existing or paths[0]
