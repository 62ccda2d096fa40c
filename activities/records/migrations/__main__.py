"""Writes the migration from the newest one to `schema.py`: `make migration NAME="devices have a language"`."""

import sys
from tempfile import TemporaryDirectory

from alembic import command
from sqlalchemy import create_engine

from activities.records.migrations import HERE, config, upgrade

if __name__ == "__main__":
    number = len(list((HERE / "versions").glob("[0-9]*.py"))) + 1
    with TemporaryDirectory() as folder, create_engine(f"sqlite:///{folder}/it.sqlite3").connect() as connection:
        upgrade(connection)
        command.revision(config(connection), " ".join(sys.argv[1:]), autogenerate=True, rev_id=f"{number:04}")
