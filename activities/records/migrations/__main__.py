"""Writes the migration from the newest one to `schema.py`: `make migration NAME="devices have a language"`. The version
newest can use what it makes, unless it is written with CONTRACT=1.
"""

import re
import sys
from tempfile import TemporaryDirectory
from typing import Final

from alembic import command
from sqlalchemy import create_engine

from activities.records.migrations import HERE, config, upgrade

_CONTRACT: Final = "--contract"

if __name__ == "__main__":
    versions = sorted(path.stem for path in (HERE / "versions").glob("[0-9]*.py"))
    newest = re.match(r"(\d{4})(?:_(\d{4}))?", versions[-1]) if versions else None
    rev_id = f"{len(versions) + 1:04}"
    if newest and _CONTRACT not in sys.argv:
        rev_id += f"_{newest[2] or newest[1]}"
    with TemporaryDirectory() as folder, create_engine(f"sqlite:///{folder}/it.sqlite3").connect() as connection:
        upgrade(connection)
        command.revision(
            config(connection),
            " ".join(argument for argument in sys.argv[1:] if argument != _CONTRACT),
            autogenerate=True,
            rev_id=rev_id,
        )
