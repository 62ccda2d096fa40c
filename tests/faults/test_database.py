"""What becomes of the database's file, its disk and its machine: nothing that was acknowledged is lost."""

import multiprocessing
import os
import random
import resource
import shutil
import signal
import subprocess
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, closing, contextmanager, suppress
from pathlib import Path
from typing import Final

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from sqlalchemy import Connection

from activities.errors import DatabaseAway
from activities.records import schema
from activities.records.database import insert_new
from activities.records.store import DATABASE_FILE, Store
from tests.faults import writers
from tests.storage import connected

KILLS: Final = {"sqlite": 200, "postgresql": 40}
KILLS_AT_BIRTH: Final = 20
"""While the schema of a new file is made."""
_ROOM: Final = 1 << 20
"""Bytes of the largest file under a quota."""
_SOON: Final = 0.03
"""Seconds within which a process that writes is killed."""


class Killed:
    """What processes wrote that were each killed while writing."""

    def __init__(self, folder: Path, url: str) -> None:
        self._folder, self._url = str(folder), url
        self._nursery = multiprocessing.get_context("forkserver")
        # Each process begins with everything loaded.
        self._nursery.set_forkserver_preload(["tests.faults.writers"])
        self.writes: list[writers.Done] = []
        self.files: list[str] = []
        self.amid: set[str] = set()
        """Tables that a kill interrupted a write of."""

    def kill_one_writer(self, seed: int, *, at_birth: bool = False) -> None:
        """Run one process, and kill it at a random instant: while it writes, or before its first write is done."""
        own_end, theirs = self._nursery.Pipe(duplex=False)
        process = self._nursery.Process(target=writers.write, args=(self._folder, self._url, seed, theirs))
        process.start()
        theirs.close()
        messages = [own_end.recv() for _ in range(1 if at_birth else 2)]
        process.join(random.uniform(0, _SOON))  # noqa: S311  no secret
        assert process.pid
        os.kill(process.pid, signal.SIGKILL)
        process.join()
        assert process.exitcode == -signal.SIGKILL
        with suppress(EOFError):
            while True:
                messages.append(own_end.recv())
        self.files += [message for message in messages if isinstance(message, str)]
        self.writes += [message for message in messages if not isinstance(message, str)]
        self.amid.add(self.writes[-1][0].table)


def _differences(connection: Connection) -> Sequence[object]:
    return list(compare_metadata(MigrationContext.configure(connection), schema.METADATA))


async def _assert_is_whole(store: Store, writes: Sequence[writers.Done], files: Sequence[str]) -> None:
    assert await store.database.read(_differences) == []
    assert await store.database.read(lambda connection: writers.wrong(connection, writes)) == []
    if store.database.local:
        with connected(store) as (connection, _):
            assert connection.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
            assert connection.execute("PRAGMA foreign_key_check").fetchall() == []
    for sha256 in files:
        await store.files.read(sha256)


@pytest.mark.long
async def test_of_writes_that_a_kill_interrupts_each_is_whole_or_nothing(tmp_path: Path, database_url: str) -> None:
    killed, checked_count = Killed(tmp_path, database_url), 0
    kills = KILLS[database_url.partition(":")[0]]
    tables = {table.name for table in writers.TABLES}
    for seed in range(2 * kills):
        if seed >= kills and (kills < KILLS["sqlite"] or killed.amid == tables):
            break  # Which table a kill meets is chance: some more, until each was met.
        killed.kill_one_writer(seed)
        if seed % 20 == 19:
            with closing(Store(str(tmp_path), database_url)) as store:
                await _assert_is_whole(store, killed.writes[checked_count:], killed.files)
            checked_count = len(killed.writes)
    with closing(Store(str(tmp_path), database_url)) as store:
        await _assert_is_whole(store, killed.writes, killed.files)
    assert kills < KILLS["sqlite"] or killed.amid == tables


@pytest.mark.long
async def test_a_process_that_is_killed_while_it_makes_the_schema_leaves_all_of_it_or_none(tmp_path: Path) -> None:
    for seed in range(KILLS_AT_BIRTH):
        url = f"sqlite:///{tmp_path}/{seed}.sqlite3"
        killed = Killed(tmp_path, url)
        killed.kill_one_writer(seed, at_birth=True)
        with closing(Store(str(tmp_path), url)) as store:
            await _assert_is_whole(store, killed.writes, killed.files)


@contextmanager
def _quota(folder: Path) -> Iterator[None]:
    """No file grows beyond a bound: the system refuses as at the end of a disk."""
    limit_before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (_ROOM, limit_before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limit_before)


@contextmanager
def _full(folder: Path) -> Iterator[None]:
    """The rest of a small disk is taken."""
    ballast = folder / "ballast"
    with ballast.open("wb", buffering=0) as ballast_file, suppress(OSError):
        while True:
            ballast_file.write(bytes(4096))
    try:
        yield
    finally:
        ballast.unlink()


@pytest.mark.parametrize(("refusing", "mounted"), [(_quota, ()), (_full, ("-t", "tmpfs", "-o", "size=4m", "none"))])
async def test_on_a_full_disk_nothing_is_acknowledged_and_all_that_was_is_read(
    tmp_path: Path, refusing: Callable[[Path], AbstractContextManager[None]], mounted: Sequence[str]
) -> None:
    with _mount_folder(tmp_path, *mounted), closing(Store(str(tmp_path))) as store:
        await store.records.write("task:before", b"{}")
        with refusing(tmp_path):
            for number in range(3):
                with pytest.raises(DatabaseAway, match=r"cannot be used: (database or disk is full|disk I/O error)$"):
                    await store.records.write(f"task:{number}", b" " * 2 * _ROOM + b"{}")
            assert await store.records.read("task:before") == b"{}"
        assert await store.records.read_many(("task:0", "task:1", "task:2")) == [None] * 3
        assert await store.records.write("task:0", b"{}")
        await _assert_is_whole(store, (), ())


async def test_a_disk_that_became_read_only_is_away_until_it_is_mended(tmp_path: Path) -> None:
    with closing(Store(str(tmp_path))) as store:
        await store.records.write("task:before", b"{}")
    with _read_only(tmp_path), closing(Store(str(tmp_path))) as store, pytest.raises(DatabaseAway):
        await store.records.write("task:meanwhile", b"{}")
    with closing(Store(str(tmp_path))) as store:
        assert await store.records.read_many(("task:before", "task:meanwhile")) == [b"{}", None]
        assert await store.records.write("task:meanwhile", b"{}")


@contextmanager
def _read_only(folder: Path) -> Iterator[None]:
    if os.geteuid() == 0:  # which may write whatever the mode says
        with _mount_folder(folder, "--bind", str(folder)):
            _mount("-o", "remount,bind,ro", str(folder))
            yield
        return
    (folder / DATABASE_FILE).chmod(0o400)
    folder.chmod(0o500)
    try:
        yield
    finally:
        folder.chmod(0o700)
        (folder / DATABASE_FILE).chmod(0o600)


@contextmanager
def _mount_folder(folder: Path, *mount_arguments: str) -> Iterator[None]:
    """Something is mounted at a folder; the test is skipped where that is not permitted."""
    if mount_arguments:
        _mount(*mount_arguments, str(folder))
    try:
        yield
    finally:
        if mount_arguments:
            subprocess.run(["umount", "--lazy", str(folder)], check=True)  # noqa: S603, S607  a program of the system


def _mount(*mount_arguments: str) -> None:
    if os.geteuid() or subprocess.run(["mount", *mount_arguments], check=False, capture_output=True).returncode:  # noqa: S603, S607
        pytest.skip("this user may mount nothing here")


async def test_a_file_that_is_deleted_under_a_running_process_is_missed_and_no_other_made(tmp_path: Path) -> None:
    file, aside = tmp_path / DATABASE_FILE, tmp_path / "aside"
    with closing(Store(str(tmp_path))) as store, closing(Store(str(tmp_path))) as another:
        await store.records.write("task:before", b"{}")
        file.rename(aside)
        for _ in range(2):
            with pytest.raises(DatabaseAway, match="was removed or replaced"):
                await store.records.write("task:meanwhile", b"{}")
        with pytest.raises(DatabaseAway, match="was removed or replaced"):
            await store.records.read("task:before")
        with pytest.raises(DatabaseAway, match=r"is missing, \S+-wal is not"):
            await another.check()
        assert not file.exists()
        aside.rename(file)
        assert await store.records.read_many(("task:before", "task:meanwhile")) == [b"{}", None]
        assert await store.records.write("task:meanwhile", b"{}")
        shutil.copy(file, aside)
        aside.rename(file)
        with pytest.raises(DatabaseAway, match="was removed or replaced"):
            await store.records.read("task:before")


async def test_what_is_written_while_the_file_is_deleted_is_not_acknowledged(tmp_path: Path) -> None:
    with closing(Store(str(tmp_path))) as store:
        await store.check()

        def written_too_late(connection: Connection) -> None:
            (tmp_path / DATABASE_FILE).unlink()
            insert_new(connection, schema.SERIALS, of="it", serial="1")

        with pytest.raises(DatabaseAway, match="was removed"):
            await store.database.write(written_too_late)
