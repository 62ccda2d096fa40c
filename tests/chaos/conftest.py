"""The seed of a run, and the figures it comes to: both are printed, so that a finding can be had again."""

import os
import random
from collections.abc import Callable

import pytest

_SEED = pytest.StashKey[int]()
_FIGURES = pytest.StashKey[list[str]]()

Note = Callable[[str], None]


def pytest_configure(config: pytest.Config) -> None:
    """Take `CHAOS_SEED`, else any."""
    config.stash[_SEED] = int(os.environ.get("CHAOS_SEED") or random.randrange(1_000_000))  # noqa: S311  no secret
    config.stash[_FIGURES] = []


def pytest_report_header(config: pytest.Config) -> str:
    """Say the seed before anything can hang."""
    return f"chaos: seed {config.stash[_SEED]} (again: make chaos SEED={config.stash[_SEED]})"


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter, config: pytest.Config) -> None:
    """Say what was counted."""
    terminalreporter.section(f"chaos, seed {config.stash[_SEED]}")
    for line in config.stash[_FIGURES]:
        terminalreporter.write_line(line)


@pytest.fixture
def seed(pytestconfig: pytest.Config) -> int:
    return pytestconfig.stash[_SEED]


@pytest.fixture
def note(pytestconfig: pytest.Config) -> Note:
    return pytestconfig.stash[_FIGURES].append
