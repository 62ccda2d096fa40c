"""The example files of the laptop stack: people, a contract and its request, with this stack's addresses filled in."""

import shutil
from pathlib import Path
from string import Template

_SOURCE = Path(__file__).with_name("demo")


def lay_out(folder: Path, sandbox: str) -> None:
    """Write `folder`; the people file is kept when it is there, for it may have been edited."""
    folder.mkdir(parents=True, exist_ok=True)
    for source in _SOURCE.iterdir():
        target = folder / source.name
        if source.suffix == ".yaml" and source.stem != "people":
            target.write_text(Template(source.read_text()).substitute(SANDBOX=sandbox))
        elif not target.exists():
            shutil.copyfile(source, target)
