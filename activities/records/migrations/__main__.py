"""Writes the migration from the newest one to `schema.py`: `make migration NAME="devices have a language"`. The version
before can use what it makes, unless it is written with CONTRACT=1.
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
    versions = sorted(one.stem for one in (HERE / "versions").glob("[0-9]*.py"))
    before = re.match(r"(\d{4})(?:_(\d{4}))?", versions[-1]) if versions else None
    rev_id = f"{len(versions) + 1:04}"
    if before and _CONTRACT not in sys.argv:
        rev_id += f"_{before[2] or before[1]}"
    with TemporaryDirectory() as folder, create_engine(f"sqlite:///{folder}/it.sqlite3").connect() as connection:
        upgrade(connection)
        command.revision(
            config(connection),
            " ".join(word for word in sys.argv[1:] if word != _CONTRACT),
            autogenerate=True,
            rev_id=rev_id,
        )
