"""The folders of demos, with secrets and contracts in them: the newest stays to look at, the others are removed."""

import os
import tempfile
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from stat import S_ISDIR
from typing import Final

from deploy.folder import DataFolder

_PREFIX: Final = "countersign-demo-"


def fresh() -> Path:
    """A new folder for its owner only; earlier ones of ours are gone, but for those on which a stack runs."""
    for earlier in _ours():
        DataFolder(earlier).discard()
    return Path(tempfile.mkdtemp(prefix=_PREFIX))


def _ours() -> Iterator[Path]:
    for folder in Path(tempfile.gettempdir()).glob(f"{_PREFIX}*"):
        with suppress(FileNotFoundError):
            known = folder.lstat()
            if S_ISDIR(known.st_mode) and known.st_uid == os.getuid():
                yield folder
