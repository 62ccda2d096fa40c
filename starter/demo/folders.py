"""The folders of demos, with secrets and contracts in them: the newest stays to look at, the others are removed."""

import fcntl
import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack, suppress
from pathlib import Path
from stat import S_ISDIR
from typing import Final

_PREFIX: Final = "countersign-demo-"
_LOCK: Final = "lock"
"""The file that a stack has locked for as long as it runs."""


def fresh() -> Path:
    """A new folder for its owner only; earlier ones of ours are gone, but for those on which a stack runs."""
    for earlier in _ours():
        _remove(earlier)
    return Path(tempfile.mkdtemp(prefix=_PREFIX))


def _ours() -> Iterator[Path]:
    for folder in Path(tempfile.gettempdir()).glob(f"{_PREFIX}*"):
        with suppress(FileNotFoundError):
            known = folder.lstat()
            if S_ISDIR(known.st_mode) and known.st_uid == os.getuid():
                yield folder


def _remove(folder: Path) -> None:
    """Nothing happens to a folder that has no lock yet: its stack is about to start."""
    with ExitStack() as closing, suppress(OSError):
        lock = os.open(folder / _LOCK, os.O_RDWR | os.O_CLOEXEC | os.O_NOFOLLOW)
        closing.callback(os.close, lock)
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        shutil.rmtree(folder, ignore_errors=True)
