"""`make slow`: the processor time that each test takes, in its own process and in those it started."""

import os
import resource
from collections.abc import Generator, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Final

import pytest

LISTED: Final = 50
_PROPERTY: Final = "processor_seconds"
_TICKS_PER_SECOND: Final = os.sysconf("SC_CLK_TCK")


def list_descendants(process_id: int) -> Iterator[int]:
    """The processes below one, each before those below it; none once it is gone."""
    for children in Path(f"/proc/{process_id}/task").glob("*/children"):
        with suppress(OSError):
            for child in map(int, children.read_text().split()):
                yield child
                yield from list_descendants(child)


def read_seconds(process_id: int) -> float:
    """User and system time of a process and of those of its children that have ended; 0 once it is gone."""
    try:
        fields = Path(f"/proc/{process_id}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return 0
    return sum(map(int, fields[11:15])) / _TICKS_PER_SECOND


def measure_processor_seconds() -> float:
    """Of this process, of its children that have ended, and of all processes below it that live."""
    usages = (resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN))
    own = sum(usage.ru_utime + usage.ru_stime for usage in usages)
    return own + sum(map(read_seconds, list_descendants(os.getpid())))


class ProcessorTime:
    """Adds what a test took to the report of its teardown, and lists the dearest tests at the end.

    What a fixture of the session starts is counted for the test that first asked for it; what it does later, for the
    test that runs meanwhile.
    """

    def __init__(self) -> None:
        self._seconds_by_test: dict[str, float] = {}
        self._began_at = measure_processor_seconds()

    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_makereport(
        self, call: pytest.CallInfo[None]
    ) -> Generator[None, pytest.TestReport, pytest.TestReport]:
        """Attach the seconds since the last report."""
        report = yield
        if call.when == "teardown":
            measured = measure_processor_seconds()
            report.user_properties.append((_PROPERTY, measured - self._began_at))
            self._began_at = measured
        return report

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """Collect them, also from the workers of pytest-xdist."""
        for name, seconds in report.user_properties:
            if name == _PROPERTY and isinstance(seconds, float) and report.when == "teardown":
                self._seconds_by_test[report.nodeid] = seconds

    def pytest_terminal_summary(self, terminalreporter: pytest.TerminalReporter) -> None:
        """Print the sum and the dearest."""
        by_cost = sorted(self._seconds_by_test.items(), key=lambda entry: -entry[1])
        terminalreporter.section(f"{sum(self._seconds_by_test.values()):.0f} s of processor time, the dearest tests")
        for test, seconds in by_cost[:LISTED]:
            terminalreporter.write_line(f"{seconds:7.2f} s  {test}")


def pytest_configure(config: pytest.Config) -> None:
    """Measure where `-p tests.processor_time` asks for it."""
    config.pluginmanager.register(ProcessorTime())
