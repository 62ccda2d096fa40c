"""The example files of the laptop stack: people, contract, onboarding, campaign; with this stack's addresses."""

import re
import shutil
from pathlib import Path
from string import Template
from typing import Final

REQUEST: Final = Path("example", "msa.yaml")
"""The request to start first, in the data folder."""
_SOURCE: Final = Path(__file__).with_name("examples")
_SANDBOX: Final = re.compile(r"https?://[^/\s\"']+(?=/_sandbox/)")


def lay_out(data: Path, sandbox: str) -> None:
    """Write what is not there yet. What is there may have been edited: only the sandbox's address in it changes."""
    folder = (data / REQUEST).parent
    folder.mkdir(parents=True, exist_ok=True)
    for source in _SOURCE.iterdir():
        target = folder / source.name
        if not target.exists():
            _write(source, target, sandbox)
        elif source.suffix == ".yaml":
            _readdress(target, sandbox)


def _write(source: Path, target: Path, sandbox: str) -> None:
    if source.suffix == ".yaml":
        target.write_text(Template(source.read_text()).substitute(SANDBOX=sandbox))
    else:
        shutil.copyfile(source, target)


def _readdress(file: Path, sandbox: str) -> None:
    """The ports of a stack may differ from those of its last start."""
    before = file.read_bytes().decode(errors="surrogateescape")
    after = _SANDBOX.sub(lambda _: sandbox, before)
    if after != before:
        file.write_bytes(after.encode(errors="surrogateescape"))
