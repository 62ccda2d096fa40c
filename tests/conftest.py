"""What several rooms of tests share: one laptop stack, and a line about the browser stories when they did not run."""

import os
from collections.abc import Iterator

import pytest
from hypothesis import settings

from tests.browser.chromium import HOW_TO_HAVE_THEM, executable
from tests.lanes import laid_out
from tests.stack.laptop import BUILD, Laptop, running

# On CI the same cases every time: new ones are looked for where somebody is there to look at what they find.
settings.register_profile("ci", derandomize=True, database=None)
if os.environ.get("CI"):
    settings.load_profile("ci")


@pytest.fixture(scope="session")
def laptop(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Laptop]:
    """One laptop stack, with a versioned worker, for all stories that leave it as they found it."""
    with running(tmp_path_factory.mktemp("laptop") / "data", TEMPORAL_WORKER_BUILD_ID=BUILD) as stack:
        yield stack


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Lay out what was shuffled."""
    items[:] = laid_out(items)


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Say what was not seen: a skipped test is easily overlooked."""
    skipped = [report for report in terminalreporter.stats.get("skipped", ()) if "browser" in report.keywords]
    if skipped and executable() is None:
        terminalreporter.write_line(HOW_TO_HAVE_THEM, yellow=True)
