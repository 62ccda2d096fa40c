"""The documents that request files name: each is read once, however many requests name it."""

from pathlib import Path
from typing import Final

from activities.files.pdf import MEGABYTE, read_pdf

MEGABYTES_AT_ONCE: Final = 256
"""All documents of one start together, kept until the last request is started."""


class LocalDocuments:
    """The bytes of PDFs, beside the file that names them or, where `below` is given, anywhere below that folder."""

    def __init__(self, max_megabytes: int, below: Path | None = None) -> None:
        self._max_megabytes = max_megabytes
        self._below = below
        self._read: dict[tuple[Path, str], bytes] = {}
        self._size = 0

    def read(self, folder: Path, file: str) -> bytes:
        """The bytes of a document that is named in a file of `folder`; `ValueError` says why it cannot be sent."""
        if (folder, file) not in self._read:
            content = read_pdf(folder, file, self._max_megabytes, self._below)
            if self._size + len(content) > MEGABYTES_AT_ONCE * MEGABYTE:
                raise ValueError(
                    f"is more than one start takes: its documents may be {MEGABYTES_AT_ONCE} MB together; divide it"
                )
            self._size += len(content)
            self._read[folder, file] = content
        return self._read[folder, file]
