"""Expand, deploy, contract: two versions of the code on one database, and an upgrade that does not come to its end."""

import os
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import IO, Final

import pytest

import activities
from activities.records import schema
from activities.records.database import Database
from activities.records.store import Store
from tests.activities.records.test_database import differences
from tests.glances import glances
from tests.markdown import ROOT
from tests.servers import mortal
from workflows.kinds import Kind

_OURS: Final = schema.NEWEST.partition("_")[0]
_NEXT: Final = f"{int(_OURS) + 1:04}"
EXPANDS, CONTRACTS = f"{_NEXT}_{_OURS}", _NEXT
_MIGRATION: Final = """
import os, time
from pathlib import Path
import sqlalchemy as sa
from alembic import op
revision, down_revision = {version!r}, {before!r}
def upgrade():
    op.create_table("more", sa.Column("it", sa.Text(), primary_key=True), comment="what only the new version knows")
    op.add_column("records", sa.Column("more", sa.Text()))
    if gate := os.environ.get("GATE"):
        Path(gate).touch()
        time.sleep(60)
"""
_WRITES: Final = """
import asyncio, sys
from activities.errors import DatabaseAway
from activities.records.store import Store
async def main():
    store = Store(sys.argv[1], sys.argv[2])
    await store.database.check()
    for number, line in enumerate(sys.stdin):
        id = f"request:{line.strip()}"
        while True:
            try:
                await store.records.write(id, b"{}")
                break
            except DatabaseAway:
                await asyncio.sleep(0.05)
        assert await store.records.read(id) == b"{}"
        print(line.strip(), flush=True)
asyncio.run(main())
"""
_UPGRADES: Final = """
import asyncio, sys
from activities.records.database import Database
asyncio.run(Database(sys.argv[2]).upgrade())
"""


pytestmark = pytest.mark.long


class Code:
    """One version of the code, and processes of it."""

    def __init__(self, folder: Path, files: Path, url: str) -> None:
        self._folder = folder
        self._arguments = (str(files), url)

    @contextmanager
    def running(self, script: str, **environment: str) -> Iterator["subprocess.Popen[str]"]:
        """A process that ends with the block."""
        with subprocess.Popen(  # noqa: S603  our own interpreter
            mortal(sys.executable, "-c", script, *self._arguments),
            cwd=self._folder,
            env={**os.environ, "PYTHONPATH": f"{self._folder}{os.pathsep}{ROOT}", **environment},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        ) as process:
            try:
                yield process
            finally:
                process.kill()

    def upgrade(self) -> None:
        with self.running(_UPGRADES) as process:
            _, output = process.communicate()
            assert process.returncode == 0, output


@pytest.fixture
def current_code(tmp_path: Path, database_url: str) -> Code:
    """This version, on a database that has its schema."""
    code = Code(ROOT, tmp_path, database_url)
    code.upgrade()
    return code


def new(version: str, tmp_path: Path, url: str) -> Code:
    """The version after this one: it has one more table, and one more column."""
    home = tmp_path / version / "activities"
    shutil.copytree(Path(str(activities.__file__)).parent, home, ignore=shutil.ignore_patterns("__pycache__"))
    migration = _MIGRATION.format(version=version, before=schema.NEWEST)
    (home / "records" / "migrations" / "versions" / f"{version}_more.py").write_text(migration)
    module = home / "records" / "schema.py"
    module.write_text(module.read_text().replace(f'NEWEST: Final = "{schema.NEWEST}"', f'NEWEST: Final = "{version}"'))
    return Code(home.parent, tmp_path, url)


def _write_and_read(process: "subprocess.Popen[str]", *ids: str) -> None:
    """Have a process write and read these records."""
    for id in ids:
        _pipe(process.stdin).write(f"{id}\n")
        _pipe(process.stdin).flush()
        assert _pipe(process.stdout).readline() == f"{id}\n", _pipe(process.stderr).read()


def _pipe(stream: IO[str] | None) -> IO[str]:
    assert stream
    return stream


async def test_the_version_before_goes_on_beside_the_one_that_expanded_the_schema(
    current_code: Code, tmp_path: Path, database_url: str
) -> None:
    next_code = new(EXPANDS, tmp_path, database_url)
    with current_code.running(_WRITES) as old_process:
        _write_and_read(old_process, *(f"before-{number}" for number in range(10)))
        with next_code.running(_UPGRADES, GATE=str(tmp_path / "gate")) as half:
            _wait_for_gate(tmp_path / "gate", half)
            _pipe(old_process.stdin).write("meanwhile\n")
            _pipe(old_process.stdin).flush()
        assert _pipe(old_process.stdout).readline() == "meanwhile\n", "it was waited for, and written"
        next_code.upgrade()
        with next_code.running(_WRITES) as young, current_code.running(_WRITES) as restarted:
            for process, ids in (
                (old_process, "old"),
                (young, "new"),
                (restarted, "restarted"),
                (old_process, "old-again"),
            ):
                _write_and_read(process, ids)
    with closing(Store(str(tmp_path), database_url)) as store:
        expected = ("before-9", "meanwhile", "old", "new", "restarted", "old-again")
        records = await store.records.read_many([Kind.REQUEST.workflow_id(id) for id in expected])
    assert len(records) == len(expected)


@pytest.mark.parametrize("version", [EXPANDS, CONTRACTS])
async def test_an_upgrade_that_is_killed_half_way_leaves_the_schema_of_before(
    version: str, current_code: Code, tmp_path: Path, database_url: str
) -> None:
    next_code = new(version, tmp_path, database_url)
    with next_code.running(_UPGRADES, GATE=str(tmp_path / "gate")) as half:
        _wait_for_gate(tmp_path / "gate", half)
    with closing(Database(database_url)) as database:
        assert await database.read(differences) == []
    with current_code.running(_WRITES) as process:
        _write_and_read(process, "afterwards")
    with next_code.running(_WRITES) as early:
        _, output = early.communicate()
        assert f"has schema {schema.NEWEST}, this needs {version}: `countersign database upgrade`" in output
    next_code.upgrade()
    with next_code.running(_WRITES) as process:
        _write_and_read(process, "now")


async def test_a_schema_that_was_contracted_is_refused_by_the_version_before(
    current_code: Code, tmp_path: Path, database_url: str
) -> None:
    new(CONTRACTS, tmp_path, database_url).upgrade()
    for script in (_WRITES, _UPGRADES):
        with current_code.running(script) as process:
            _, output = process.communicate()
        assert f"has schema {CONTRACTS}, this needs {schema.NEWEST}: start the version that upgraded it" in output


def _wait_for_gate(gate: Path, process: "subprocess.Popen[str]") -> None:
    for pause in glances():
        if gate.exists():
            return
        assert process.poll() is None, _pipe(process.stderr).read()
        time.sleep(pause)
    raise AssertionError("the gate was not reached")
