"""What several rooms of tests share: one laptop stack, one PostgreSQL, and a line about what did not run."""

import asyncio
import fcntl
import gc
import os
import sys
from collections.abc import AsyncIterator, Generator, Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Final

import pytest
import pytest_asyncio
from hypothesis import HealthCheck, settings

from activities.records.database import Database
from deploy.demo.chromium import HOW_TO_HAVE_THEM, executable
from tests.lanes import is_long, lay_out
from tests.postgresql import HOW_TO_HAVE_IT, PostgreSQL
from tests.postgresql import postgresql as started
from tests.servers import real_server
from tests.stack.laptop import BUILD, Laptop, running

_ALLOCATED: Final = 20_000
"""Objects more, after which garbage is looked for; at Python's 700 that takes a tenth of the tests' processor time."""

# No example has to be quick: where much else runs, that says nothing of what is tested.
settings.register_profile("here", deadline=None, suppress_health_check=[HealthCheck.too_slow])
# On CI the same cases every time: new ones are looked for where somebody is there to look at what they find.
settings.register_profile("ci", settings.get_profile("here"), derandomize=True, database=None)
settings.load_profile("ci" if os.environ.get("CI") else "here")


@pytest.fixture(scope="session")
def laptop(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Laptop]:
    """One laptop stack, with a versioned worker, for all stories that leave it as they found it; it ends when told."""
    # All stories ask the same few people.
    shared = {
        "TEMPORAL_WORKER_BUILD_ID": BUILD,
        "COUNTERSIGN_NOTICES_MOST": "1000",
        "COUNTERSIGN_SIGNATURE_RELAY": "*@relay.example",
    }
    with running(tmp_path_factory.mktemp("laptop") / "data", **shared) as stack:
        yield stack
        stack.ends_in_order()


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def dev_server() -> AsyncIterator[str]:
    """Address of one real server for all tests that need nothing but a namespace of their own on it."""
    async with real_server() as env:
        yield env.client.service_client.config.target_host


@pytest.fixture(scope="session")
def postgresql() -> Iterator[PostgreSQL]:
    """One PostgreSQL for all tests that need nothing but a database of their own on it."""
    with started() as server:
        yield server


@pytest.fixture(scope="session")
def upgraded(postgresql: PostgreSQL) -> str:
    """A database with the newest schema, for copies."""
    name = postgresql.create()
    with closing(Database(postgresql.url(name))) as database:
        asyncio.run(database.upgrade())
    return name


@pytest.fixture(params=["sqlite", "postgresql"])
def database_url(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    """A database with the newest schema and no row, of each engine."""
    if request.param == "sqlite":
        yield f"sqlite:///{tmp_path}/countersign.sqlite3"
        return
    server: PostgreSQL = request.getfixturevalue("postgresql")
    name = server.create(template=request.getfixturevalue("upgraded"))
    yield server.url(name)
    server.drop(name)


def pytest_runtest_setup(item: pytest.Item) -> None:
    """Without a browser the stories are skipped; where one is required, they fail."""
    if item.get_closest_marker("browser") and executable() is None:
        if os.environ.get("REQUIRE_BROWSER") == "1":
            pytest.fail(f"REQUIRE_BROWSER=1. {HOW_TO_HAVE_THEM}", pytrace=False)
        pytest.skip(HOW_TO_HAVE_THEM)


def pytest_itemcollected(item: pytest.Item) -> None:
    """Leave to `make stories` what starts a stack."""
    if is_long(item):
        item.add_marker("long")


@contextmanager
def compiled_once() -> Iterator[None]:
    """Where the test modules were never compiled, one worker does so, and the others read what it has written."""
    with Path(__file__).open() as turn:
        fcntl.flock(turn, fcntl.LOCK_EX)
        if sys.dont_write_bytecode or any(Path(__file__).parent.glob("workflows/__pycache__/test_wire.*-pytest-*.pyc")):
            fcntl.flock(turn, fcntl.LOCK_UN)
        yield


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Lay out what was shuffled."""
    items[:] = lay_out(items, getattr(config, "workerinput", {}).get("workercount", 1))


@pytest.hookimpl(wrapper=True)
def pytest_collection() -> Generator[None, object, object]:
    """Thousands of tests are made, and live until the end: no collection of garbage looks at each of them again."""
    gc.disable()
    try:
        with compiled_once():
            return (yield)
    finally:
        gc.freeze()
        gc.enable()
        gc.set_threshold(_ALLOCATED, 20, 10)


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Say what was not seen: a skipped test is easily overlooked."""
    reasons = {str(report.longrepr) for report in terminalreporter.stats.get("skipped", ())}
    if any(HOW_TO_HAVE_IT in reason for reason in reasons):
        terminalreporter.write_line(HOW_TO_HAVE_IT, yellow=True)
    skipped = [report for report in terminalreporter.stats.get("skipped", ()) if "browser" in report.keywords]
    if skipped and executable() is None:
        terminalreporter.write_line(HOW_TO_HAVE_THEM, yellow=True)
