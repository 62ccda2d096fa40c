"""The database: what has ended, and what is counted or looked up across many. SQLite in a local file, or PostgreSQL.
Statements are in this folder only; each has a time limit.
"""

import asyncio
import errno
import math
import os
import random
import re
import sqlite3
import time
from collections import deque
from collections.abc import Awaitable, Callable, Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from enum import StrEnum
from functools import cache, partial
from pathlib import Path
from typing import Any, Final, TypeVar

from sqlalchemy import (
    Column,
    Connection,
    Engine,
    Executable,
    Select,
    Table,
    create_engine,
    create_mock_engine,
    event,
    func,
    inspect,
    make_url,
    select,
    tuple_,
)
from sqlalchemy.dialects import sqlite
from sqlalchemy.engine import URL
from sqlalchemy.exc import ArgumentError, DBAPIError, NoSuchModuleError
from sqlalchemy.exc import TimeoutError as PoolTimeout
from sqlalchemy.pool import QueuePool

from activities.documents.files import make_private
from activities.errors import DatabaseAway, SchemaMismatch, StoreFailure
from activities.metrics import DATABASE_AWAY, STATEMENT, STATEMENTS
from activities.records import schema

R = TypeVar("R")
Key = Mapping[Column[Any], Any]
"""Values of the columns of a key."""
STATEMENT_SECONDS: Final = 5.0
"""Longest run of a statement, of a wait for a lock or a connection, and of a connection attempt."""
CALL_SECONDS: Final = 4 * STATEMENT_SECONDS
"""Longest wait for a database elsewhere, whatever has become of it."""
CONNECTIONS_AT_MOST: Final = 8
"""Connections of one process, and threads that use them. SQLite has one writer beside them."""
TOGETHER_AT_MOST: Final = 100
"""Changes of a local file that are written in one transaction."""
_STEPS_BETWEEN_LOOKS: Final = 10_000
"""Steps of SQLite after which the time limit is looked at."""
_POSTGRESQL: Final = "postgresql+psycopg"
_EXTRA: Final = "COUNTERSIGN_DATABASE: postgresql:// needs pip install 'countersign[postgres]'"
_TO_SERVER: Final = {
    "connect_timeout": 5,
    # A machine that is gone answers no packet: the system alone would wait for a quarter of an hour.
    "keepalives_idle": 5,
    "keepalives_interval": 2,
    "keepalives_count": 3,
    "tcp_user_timeout": 10_000,
}
_ALONE: Final = (
    "SET LOCAL statement_timeout = 0",
    "SET LOCAL lock_timeout = 0",
    "SELECT pg_advisory_xact_lock(7270427904523)",  # any number that nobody else takes
    # Whoever waits for a table has all others wait behind it.
    f"SET LOCAL lock_timeout = {STATEMENT_SECONDS * 1000:.0f}",
)
"""What an upgrade on PostgreSQL begins with: two processes that upgrade do it one after the other."""
_CAME_BETWEEN: Final = ("40001", "40P01")
"""What PostgreSQL calls it when two changes cannot both be as if alone; one of them is to be tried again."""
_PAUSE_SECONDS: Final = 0.1
_GLANCE: Final = 0.01
"""Seconds between two looks whether calls are under way."""
_WRITES: Final = "writes"
_COUNTED: Final = {"preserve_rowcount": True}
"""Without it SQLAlchemy asks PostgreSQL's driver only for changed and deleted rows, not for inserted ones."""
_BEGAN: Final = "began"
_CONNECTING: Final = re.compile(r"[^\n]*failed: (?:FATAL: *)?([^\n]+)")
_QUOTED: Final = re.compile(r"\"[^\"]*\"")
_UNSAID: Final = {
    PoolTimeout: "all connections are in use",
    TimeoutError: f"no answer within {CALL_SECONDS:.0f} s",
}


class _Isolation(StrEnum):
    """Of a transaction, as PostgreSQL names it. SQLite has one writer, and its readers a snapshot."""

    SNAPSHOT = "REPEATABLE READ"
    ALONE = "SERIALIZABLE"
    STATEMENT = "READ COMMITTED"


@dataclass(frozen=True)
class _Change:
    """Of a local file; waits for its writer."""

    make: Callable[[Connection], Any]
    future: Future[Any] = field(default_factory=Future)


class Database:
    """One database by its SQLAlchemy URL, used in threads. Calls raise `DatabaseAway`, and `SchemaMismatch` for a
    schema of another version; the constructor raises `StoreFailure`.
    """

    def __init__(self, url: str) -> None:
        self._url = _read(url)
        self.local: Final = self._url.get_backend_name() == "sqlite"
        """Whether it is a local file, which has one writer at a time."""
        self._engine = _engine(self._url)
        _count_statements(self._engine)
        self._readers = ThreadPoolExecutor(CONNECTIONS_AT_MOST, "database")
        self._writers = ThreadPoolExecutor(1, "database-writer") if self.local else self._readers
        self._waiting: deque[_Change] = deque()
        self._usable = False
        self._file: tuple[int, int] | None = None
        """Device and inode of the local file with our schema."""

    @property
    def is_unmade(self) -> bool:
        """Whether it is a local file that nobody has made yet: reading it would make it."""
        return self.local and self._file is None and _identity(self._path) is None

    @property
    def address(self) -> str:
        """The URL without user and password."""
        return self._url._replace(username=None, password=None).render_as_string()

    async def read(self, ask: Callable[[Connection], R]) -> R:
        """The answer of some statements, in a transaction of their own."""
        return await self._in_thread(self._readers, partial(self._run, ask, _Isolation.SNAPSHOT))

    def read_blocking(self, ask: Callable[[Connection], R]) -> R:
        """The same for whoever is in a thread already. Raises `DatabaseAway`."""
        try:
            return self._run(ask, _Isolation.SNAPSHOT)
        except (DBAPIError, PoolTimeout, OSError) as error:
            raise DatabaseAway(_describe_error(error)) from error

    async def write(self, change: Callable[[Connection], R]) -> R:
        """The result of a change of some statements, once it is on disk: as if nobody else were there, for which it is
        called again when somebody came between. Idempotent changes may be repeated after `DatabaseAway`.
        """
        return await self._written(change, _Isolation.ALONE)

    async def rows(self, statement: Executable) -> Sequence[Any]:
        """All rows of a statement that reads and bounds its result."""
        return await self.read(lambda connection: connection.execute(statement).all())

    async def first(self, statement: Executable) -> Any | None:
        """The first row, None if there is none."""
        return await self.read(lambda connection: connection.execute(statement).first())

    async def insert(self, table: Table, **values: Any) -> bool:
        """Insert a row unless its key exists; whether it was inserted."""
        return await self.write_rows(lambda connection: insert_new(connection, table, **values))

    async def replace(self, table: Table, key: Key, **values: Any) -> None:
        """Insert a row, or replace the values of the one with this key."""
        await self.write_rows(lambda connection: replace(connection, table, key, **values))

    async def change(self, statement: Executable) -> int:
        """Change or delete rows; how many."""
        return await self.write_rows(lambda connection: connection.execute(statement).rowcount)

    async def drop(self, table: Table, keys: Select[Any]) -> int:
        """Delete the rows whose primary keys are selected; how many."""
        return await self.change(table.delete().where(tuple_(*table.primary_key.columns).in_(keys.correlate(None))))

    async def empty_log(self) -> None:
        """Write a local file's log into it and cut it off: what was deleted stands in the log until then. Waits for
        those who read or write; raises `DatabaseAway` if they leave no gap.
        """
        if self.local:
            await self._in_thread(self._writers, self._empty_log)

    def _empty_log(self) -> None:
        with closing(self._engine.raw_connection()) as connection:
            deadline = time.monotonic() + CALL_SECONDS
            # Its own patience is the connection's; a reader that began meanwhile lets it answer at once.
            while connection.cursor().execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()[0]:
                if time.monotonic() > deadline:
                    raise OSError(errno.EBUSY, "its log cannot be emptied while others read")
                time.sleep(_GLANCE)

    async def check(self) -> None:
        """Connect, and compare the schema."""
        await self.read(lambda connection: None)

    async def upgrade(self) -> str | None:
        """Bring the schema up to this version, by migrations: all in one transaction, without a time limit. The version
        that was there; raises `SchemaMismatch` for a newer one.
        """
        return await self._in_thread(self._writers, self._upgrade, limited=False)

    def close(self) -> None:
        """Close its connections, once the calls that are under way have ended; a later call opens new ones."""
        deadline = time.monotonic() + STATEMENT_SECONDS
        while self._busy() and time.monotonic() < deadline:
            time.sleep(_GLANCE)
        pool = self._engine.pool
        self._engine.dispose()
        # A call that still goes on gives its connection back to a pool that nobody has any more.
        event.listen(pool, "checkin", _close)

    def _busy(self) -> bool:
        pool = self._engine.pool
        return isinstance(pool, QueuePool) and pool.checkedout() > 0

    async def _in_thread(self, threads: ThreadPoolExecutor, call: Callable[[], R], *, limited: bool = True) -> R:
        in_thread = asyncio.get_running_loop().run_in_executor(threads, call)
        return await self._answer(in_thread, CALL_SECONDS if limited and not self.local else None)

    async def _answer(self, call: Awaitable[R], seconds: float | None = None) -> R:
        try:
            async with asyncio.timeout(seconds):
                return await call
        except (DBAPIError, PoolTimeout, OSError) as error:
            DATABASE_AWAY.add()
            raise DatabaseAway(_describe_error(error)) from error

    async def write_rows(self, change: Callable[[Connection], R]) -> R:
        """The result of a change that its locks keep apart from others: of one statement, of some about one row and
        what belongs to it, or of some that begin with `in_turn`. Unlike `write` it is not begun anew when others change
        rows beside it.
        """
        return await self._written(change, _Isolation.STATEMENT)

    async def _written(self, change: Callable[[Connection], R], isolation: _Isolation) -> R:
        if not self.local:
            return await self._in_thread(self._writers, partial(self._run, change, isolation))
        waiting = _Change(change)
        self._waiting.append(waiting)
        # Not at once: changes that are gathered are then written together.
        asyncio.get_running_loop().call_soon(self._writers.submit, self._write_waiting)
        return await self._answer(asyncio.wrap_future(waiting.future))

    def _write_waiting(self) -> None:
        """Whatever waits for the writer, up to a limit."""
        changes = [self._waiting.popleft() for _ in range(min(len(self._waiting), TOGETHER_AT_MOST))]
        self._write([change for change in changes if change.future.set_running_or_notify_cancel()])

    def _write(self, changes: Sequence[_Change]) -> None:
        """In one transaction; if one of several fails, each in its own."""
        try:
            results = self._run(partial(_make, changes), _Isolation.ALONE) if changes else []
        except _OneOfSeveral:
            for change in changes:
                self._write([change])
        except Exception as error:
            for change in changes:
                change.future.set_exception(error)
        else:
            for change, result in zip(changes, results, strict=True):
                change.future.set_result(result)

    def _run(self, call: Callable[[Connection], R], isolation: _Isolation) -> R:
        if not self._usable:
            self._make_usable()
        ends = time.monotonic() + STATEMENT_SECONDS
        while True:
            try:
                with self._begin(isolation) as connection:
                    return call(connection)
            except DBAPIError as error:
                if getattr(error.orig, "sqlstate", None) not in _CAME_BETWEEN or time.monotonic() > ends:
                    raise
            # Not at once, and not together with those who came between.
            time.sleep(random.uniform(0, _PAUSE_SECONDS))  # noqa: S311  no secret

    @contextmanager
    def _begin(self, isolation: _Isolation) -> Iterator[Connection]:
        options = {_WRITES: isolation is not _Isolation.SNAPSHOT} if self.local else {"isolation_level": isolation}
        self._check_file()
        with self._engine.connect().execution_options(**options) as connection, connection.begin():
            yield connection
        # What was committed to a deleted file is not kept.
        self._check_file()

    def _check_file(self) -> None:
        if self._file not in (None, _identity(self._path)):
            raise DatabaseAway(f"{self._path} was removed or replaced: docs/operating.md says how to restore it")

    @property
    def _path(self) -> str:
        return self._url.database or ""

    def _make_usable(self) -> None:
        """Create the schema of a new local file; compare any other."""
        self._make_private()
        identity = _identity(self._path) if self.local else None
        with self._begin(_Isolation.STATEMENT) as connection:
            version = _version(connection)
            if version is None and self.local:
                for statement in _creation():
                    connection.exec_driver_sql(statement)
                connection.execute(schema.VERSION.insert().values(version_num=schema.NEWEST))
            elif not schema.usable(version):
                raise SchemaMismatch(version, schema.NEWEST)
        self._file, self._usable = identity, True

    def _make_private(self) -> None:
        """Names and addresses are for the user of the processes only; a local file that is there keeps its mode. Who
        has used a file makes no new one.
        """
        if not self.local or self._file:
            return
        if _identity(f"{self._path}-wal") and not _identity(self._path):
            # Others still use what was removed, and SQLite would delete what only this has of it.
            raise DatabaseAway(f"{self._path} is missing, {self._path}-wal is not: restore both, or remove it")
        make_private(Path(self._path).parent)
        os.close(os.open(self._path, os.O_RDWR | os.O_CREAT, 0o600))

    def _upgrade(self) -> str | None:
        from activities.records.migrations import upgrade  # noqa: PLC0415  Alembic is what only this needs

        self._make_private()
        with self._begin(_Isolation.STATEMENT) as connection:
            connection.info["until"] = math.inf
            for statement in () if self.local else _ALONE:
                connection.exec_driver_sql(statement)
            version = _version(connection)
            if version and version > schema.NEWEST:  # its migrations are not known here
                raise SchemaMismatch(version, schema.NEWEST)
            upgrade(connection)
        self._usable = False
        return version


def in_turn(connection: Connection, name: str) -> None:
    """Let transactions of this name run one after the other, as all that write to a local file do."""
    if connection.dialect.name == "postgresql":
        connection.execute(select(func.pg_advisory_xact_lock(func.hashtextextended(name, 0))))


def chunks(elements: Sequence[R], size: int) -> Iterator[Sequence[R]]:
    """Parts of at most `size`, for statements that name each of many."""
    return (elements[first : first + size] for first in range(0, len(elements), size))


def insert_new(connection: Connection, table: Table, **values: Any) -> bool:
    """Insert a row unless its key exists; whether it was inserted."""
    return connection.execute(_make_insert_new(connection.dialect.name, table), values).rowcount == 1


def replace(connection: Connection, table: Table, key: Key, **values: Any) -> None:
    """Insert a row, or replace the values of the one with this key; one statement."""
    named = {column.name: value for column, value in key.items()}
    statement = insert_into(connection, table).values(**named, **values)
    connection.execute(statement.on_conflict_do_update(index_elements=list(key), set_=values))


def insert_into(connection: Connection, table: Table) -> Any:
    """An insert that may say what to do on conflict."""
    return _make_insert(connection.dialect.name, table)


def _make_insert(dialect: str, table: Table) -> Any:
    if dialect == "sqlite":
        return sqlite.insert(table)
    from sqlalchemy.dialects import postgresql  # noqa: PLC0415  takes a command on a local file 40 ms

    return postgresql.insert(table)


@cache
def _make_insert_new(dialect: str, table: Table) -> Any:
    """Once for each table: SQLAlchemy would derive its cache's key from every new statement."""
    return _make_insert(dialect, table).on_conflict_do_nothing()


class _OneOfSeveral(Exception):
    """A change failed that others were to be written with."""


def _make(changes: Sequence[_Change], connection: Connection) -> list[Any]:
    if len(changes) == 1:
        return [changes[0].make(connection)]
    try:
        return [change.make(connection) for change in changes]
    except Exception as error:
        raise _OneOfSeveral from error


def _identity(file: str) -> tuple[int, int] | None:
    """Device and inode of a file, None if there is none."""
    try:
        file_stat = Path(file).stat()
    except FileNotFoundError:
        return None
    return file_stat.st_dev, file_stat.st_ino


@cache
def _creation() -> Sequence[str]:
    """What makes the schema in an empty local file; compiled once, for whoever makes many files."""
    statements: list[Any] = []
    nowhere = create_mock_engine("sqlite://", lambda ddl, *_: statements.append(ddl))
    schema.METADATA.create_all(nowhere, checkfirst=False)
    return [str(ddl.compile(dialect=nowhere.dialect)) for ddl in statements]


def _version(connection: Connection) -> str | None:
    """The schema's version; None for a database without one."""
    if not inspect(connection).has_table(schema.VERSION.name):
        return None
    return str(connection.execute(schema.VERSION.select()).scalar())


def _read(url: str) -> URL:
    try:
        read = make_url(url)
    except ArgumentError:
        raise StoreFailure("COUNTERSIGN_DATABASE: must be a URL such as postgresql://user@host/countersign") from None
    if read.get_backend_name() == "postgresql":
        return read.set(drivername=_POSTGRESQL)
    if read.get_backend_name() == "sqlite":
        return read
    raise StoreFailure("COUNTERSIGN_DATABASE: must begin with sqlite:/// or postgresql://")


def _engine(url: URL) -> Engine:
    try:
        if url.get_backend_name() == "sqlite":
            return _of_sqlite(url)
        limit = f"{STATEMENT_SECONDS * 1000:.0f}"
        return create_engine(
            url,
            hide_parameters=True,
            execution_options=_COUNTED,
            pool_size=CONNECTIONS_AT_MOST,
            max_overflow=0,
            pool_timeout=STATEMENT_SECONDS,
            pool_pre_ping=True,
            connect_args={
                **_TO_SERVER,
                # A statement that takes milliseconds is not worth compiling, whatever the planner expects of it.
                "options": f"-c statement_timeout={limit} -c lock_timeout={limit} -c timezone=UTC -c jit=off",
            },
        )
    except (ImportError, NoSuchModuleError) as error:
        raise StoreFailure(_EXTRA) from error


def _of_sqlite(url: URL) -> Engine:
    engine = create_engine(
        url,
        hide_parameters=True,
        execution_options=_COUNTED,
        pool_size=CONNECTIONS_AT_MOST + 1,
        max_overflow=0,
        pool_timeout=STATEMENT_SECONDS,
        connect_args={"timeout": STATEMENT_SECONDS, "isolation_level": None},
    )
    event.listen(engine, "connect", _set_up)
    event.listen(engine, "begin", _begin)
    return engine


def _set_up(connection: Any, record: Any) -> None:
    _to_wal(connection)
    for pragma in ("synchronous=FULL", "foreign_keys=ON", "secure_delete=ON"):
        connection.execute(f"PRAGMA {pragma}")

    def is_over() -> bool:
        return time.monotonic() > float(record.info.get("until", math.inf))

    connection.set_progress_handler(is_over, _STEPS_BETWEEN_LOOKS)


def _close(connection: Any, record: Any) -> None:
    if connection is not None:  # it was closed already
        connection.close()


def _to_wal(connection: Any) -> None:
    """SQLite itself does not wait for another process that does the same to a new file."""
    deadline = time.monotonic() + STATEMENT_SECONDS
    while True:
        try:
            connection.execute("PRAGMA journal_mode=WAL")
        except sqlite3.OperationalError as error:
            if error.sqlite_errorcode != sqlite3.SQLITE_BUSY or time.monotonic() > deadline:
                raise
            time.sleep(_GLANCE)
        else:
            return


def _begin(connection: Connection) -> None:
    connection.info["until"] = time.monotonic() + STATEMENT_SECONDS
    # A transaction that reads first and then writes would not wait for another writer, but fail.
    writes = connection.get_execution_options().get(_WRITES)
    connection.exec_driver_sql("BEGIN IMMEDIATE" if writes else "BEGIN")


def _count_statements(engine: Engine) -> None:
    """Count what is executed, and for how long; by the pool's own thread."""

    def begin(connection: Connection, *_: Any) -> None:
        connection.info[_BEGAN] = time.monotonic()

    def finish(connection: Connection, *_: Any) -> None:
        STATEMENTS.add(outcome="done")
        STATEMENT.record(time.monotonic() - connection.info[_BEGAN])

    def failed(context: Any) -> None:
        if context.statement is not None:
            STATEMENTS.add(outcome="failed")

    event.listen(engine, "before_cursor_execute", begin)
    event.listen(engine, "after_cursor_execute", finish)
    event.listen(engine, "handle_error", failed)


def _describe_error(error: Exception) -> str:
    """What is wrong, without statement and values."""
    if not isinstance(error, DBAPIError):
        return (isinstance(error, OSError) and error.strerror) or _UNSAID.get(type(error), type(error).__name__)
    original = error.orig
    # SQLite's texts are fixed.
    if type(original).__module__ == "sqlite3" and original is not None and original.args:
        return str(original.args[0])
    # PostgreSQL's may quote values, but for those of an attempt to connect.
    connecting = None if getattr(original, "sqlstate", None) else _CONNECTING.search(str(original))
    return _QUOTED.sub("…", connecting[1]) if connecting else type(original).__name__
