"""A file that is there whole, or not: what fails half-way leaves the one that was there before."""

import errno
import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TextIO


@contextmanager
def whole(path: Path, *, encoding: str = "utf-8") -> Iterator[TextIO]:
    """Write a text file, its lines as they are; its folder must be there. Raises `OSError`."""
    if path.exists() and not path.is_file():
        raise OSError(errno.EINVAL, "is no file")
    handle, unfinished = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    try:
        with os.fdopen(handle, "w", encoding=encoding, newline="") as stream:
            yield stream
        Path(unfinished).replace(path)
    except BaseException:
        Path(unfinished).unlink(missing_ok=True)
        raise
