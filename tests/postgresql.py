"""A PostgreSQL of our own in a temporary folder, for as long as somebody needs one."""

import os
import pwd
import shutil
import signal
import subprocess
import tempfile
import time
import uuid
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, Final

import psycopg
import pytest

from tests.glances import glances
from tests.servers import free_ports, mortal

HOW_TO_HAVE_IT: Final = (
    "There is no PostgreSQL here: nothing was tested on it. To have that, install it "
    "(Debian and Ubuntu: apt-get install postgresql) and type the command again."
)
_PLACES: Final = Path("/usr/lib/postgresql")
"""Where Debian has each version's programs, none of which is on the path."""
_READY_WITHIN: Final = 60.0
_GLANCE: Final = 0.05
ADMINISTRATOR: Final = "countersign"
_QUICK: Final = ("fsync=off", "full_page_writes=off")
"""Nobody needs the data of a test after a loss of power."""


def program(name: str) -> str | None:
    """One of PostgreSQL's programs, of the newest version there is."""
    newest_first = sorted(_PLACES.glob("[0-9]*/bin"), key=lambda folder: -int(folder.parent.name))
    paths = (shutil.which(name, path=str(folder)) for folder in newest_first)
    return next(filter(None, paths), None) or shutil.which(name)


def required() -> str:
    """The server's program; where it is missing the test is skipped, and fails where it must not be."""
    path = program("postgres")
    if path is None and os.environ.get("REQUIRE_POSTGRESQL") == "1":
        pytest.fail(f"REQUIRE_POSTGRESQL=1. {HOW_TO_HAVE_IT}", pytrace=False)
    return path or pytest.skip(HOW_TO_HAVE_IT)


class PostgreSQL:
    """One server on loopback, in a folder of its own."""

    def __init__(self, folder: Path, settings: Sequence[str] = _QUICK) -> None:
        self._folder = folder
        [self._port] = free_ports(1)
        self._settings = settings
        self._process: subprocess.Popen[bytes] | None = None
        self._template: str | None = None

    @property
    def pid(self) -> int | None:
        """Of the process that the others are children of; None before the first start."""
        return self._process.pid if self._process else None

    def url(self, database: str, user: str = ADMINISTRATOR) -> str:
        """What `COUNTERSIGN_DATABASE` is set to for one of its databases."""
        return f"postgresql://{user}@127.0.0.1:{self._port}/{database}"

    def create(self, template: str | None = None) -> str:
        """The name of a new database, a copy of another or empty."""
        name = f"t{uuid.uuid4().hex}"
        self.run(f"CREATE DATABASE {name}" + (f" TEMPLATE {template}" if template else ""))
        return name

    def drop(self, name: str) -> None:
        """Whoever is still connected is hung up on."""
        self.run(f"DROP DATABASE {name} WITH (FORCE)")

    def run(self, statement: str) -> list[Any]:
        """Run a statement as the administrator; its rows, if it has any."""
        with psycopg.connect(self.url("postgres"), autocommit=True) as connection:
            cursor = connection.execute(statement.encode())
            return cursor.fetchall() if cursor.description else []

    def start(self) -> None:
        """Start it, again after its death too, and wait until it answers."""
        settings = [f"-c{setting}" for setting in (*self._settings, "listen_addresses=127.0.0.1", f"port={self._port}")]
        with (self._folder / "log").open("ab") as log:
            self._process = subprocess.Popen(  # noqa: S603  a program of this machine
                _as_nobody(_program("postgres"), "-D", self._data, f"-k{self._folder}", *settings),
                stdout=log,
                stderr=log,
                cwd=self._folder,
            )
        self._until_it_answers()

    def kill(self) -> None:
        """kill -9, as a machine does that is gone: of all its processes."""
        assert self._process
        self._signal(signal.SIGKILL)
        self._process.wait()

    @contextmanager
    def stopped(self) -> Iterator[None]:
        """It stands still, as one does whose disk gives no answer."""
        self._signal(signal.SIGSTOP)
        try:
            yield
        finally:
            self._signal(signal.SIGCONT)

    def lay_out(self) -> None:
        """Make the folder's files. Its language sorts unlike bytes do, as most databases'."""
        initdb = _program("initdb")
        help_text = subprocess.run([initdb, "--help"], check=True, capture_output=True, text=True).stdout  # noqa: S603
        language = ["--locale=C.UTF-8", "--encoding=UTF8"]
        if "--icu-locale" in help_text:  # from version 15 on
            language += ["--locale-provider=icu", "--icu-locale=en-US"]
        subprocess.run(  # noqa: S603  as above
            _as_nobody(initdb, "-D", self._data, "-U", ADMINISTRATOR, "-A", "trust", "--no-sync", *language),
            check=True,
            capture_output=True,
            cwd=self._folder,
        )

    def _signal(self, number: signal.Signals) -> None:
        assert self._process
        for pid in [*_children(self._process.pid), self._process.pid]:
            with suppress(ProcessLookupError):
                os.kill(pid, number)

    @property
    def _data(self) -> str:
        return str(self._folder / "data")

    def _until_it_answers(self) -> None:
        for pause in glances(_GLANCE, _READY_WITHIN):
            with suppress(psycopg.OperationalError):
                self.run("SELECT 1")
                return
            assert self._process and self._process.poll() is None, (self._folder / "log").read_text()
            time.sleep(pause)
        raise AssertionError((self._folder / "log").read_text())


@contextmanager
def postgresql(*settings: str) -> Iterator[PostgreSQL]:
    """A server that runs; its folder is gone afterwards. Further settings are `name=value`."""
    required()
    with tempfile.TemporaryDirectory(prefix="countersign-postgresql-") as name:
        if account := _account():
            os.chown(name, account.pw_uid, account.pw_gid)
        server = PostgreSQL(Path(name), (*_QUICK, *settings))
        server.lay_out()
        server.start()
        try:
            yield server
        finally:
            server.kill()


def _program(name: str) -> str:
    path = program(name)
    assert path, HOW_TO_HAVE_IT
    return path


def _account() -> pwd.struct_passwd | None:
    """Whom the server runs as, which refuses root."""
    if os.getuid():
        return None
    named = {account.pw_name: account for account in pwd.getpwall()}
    return named.get("postgres") or named["nobody"]


def _as_nobody(*command: str) -> Sequence[str]:
    account = _account()
    return mortal(*command, user=account.pw_uid if account else None)


def _children(pid: int) -> list[int]:
    """Of a process of Linux; elsewhere they end when they see that it is gone."""
    with suppress(FileNotFoundError):
        return [int(child_pid) for child_pid in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]
    return []
