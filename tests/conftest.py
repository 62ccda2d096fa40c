"""What several rooms of tests share: one laptop stack, and a line about the browser stories when they did not run."""

import gc
import os
from collections.abc import AsyncIterator, Generator, Iterator

import pytest
import pytest_asyncio
from hypothesis import HealthCheck, settings

from tests.browser.chromium import HOW_TO_HAVE_THEM, executable
from tests.lanes import laid_out
from tests.servers import real_server
from tests.stack.laptop import BUILD, Laptop, running

# No example has to be quick: where much else runs, that says nothing of what is tested.
settings.register_profile("here", deadline=None, suppress_health_check=[HealthCheck.too_slow])
# On CI the same cases every time: new ones are looked for where somebody is there to look at what they find.
settings.register_profile("ci", settings.get_profile("here"), derandomize=True, database=None)
settings.load_profile("ci" if os.environ.get("CI") else "here")


@pytest.fixture(scope="session")
def laptop(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Laptop]:
    """One laptop stack, with a versioned worker, for all stories that leave it as they found it; it ends when told."""
    with running(tmp_path_factory.mktemp("laptop") / "data", TEMPORAL_WORKER_BUILD_ID=BUILD) as stack:
        yield stack
        stack.ends_in_order()


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def dev_server() -> AsyncIterator[str]:
    """Address of one real server for all tests that need nothing but a namespace of their own on it."""
    async with real_server() as env:
        yield env.client.service_client.config.target_host


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Lay out what was shuffled."""
    items[:] = laid_out(items, getattr(config, "workerinput", {}).get("workercount", 1))


@pytest.hookimpl(wrapper=True)
def pytest_collection() -> Generator[None, object, object]:
    """Thousands of tests are made, and live until the end: no collection of garbage looks at each of them again."""
    gc.disable()
    try:
        return (yield)
    finally:
        gc.collect()
        gc.freeze()
        gc.enable()


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Say what was not seen: a skipped test is easily overlooked."""
    skipped = [report for report in terminalreporter.stats.get("skipped", ()) if "browser" in report.keywords]
    if skipped and executable() is None:
        terminalreporter.write_line(HOW_TO_HAVE_THEM, yellow=True)
