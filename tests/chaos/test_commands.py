"""Processes that are started and ended many times."""

from collections import Counter
from pathlib import Path

import pytest

from tests.chaos.conftest import Note
from tests.faults.population import colleague
from tests.faults.town import WORKER, start_town

pytestmark = [pytest.mark.real_server, pytest.mark.timeout(900)]


async def test_a_hundred_runs_of_request_show_end_with_0(tmp_path: Path, note: Note) -> None:
    """D18: the client's known crash at exit never shows in the exit code."""
    async with start_town(tmp_path / "data") as town:
        await town.ask("looked-at", colleague(1))
        await town.until_shown("looked-at", lambda view: view.notifications)
        codes = Counter([(await town.fresh_command("request", "show", "looked-at", "--json"))[0] for _ in range(100)])
    note(f"request show: exit codes {dict(codes)}")
    assert codes == {0: 100}


async def test_twenty_workers_told_to_stop_end_with_0(tmp_path: Path, note: Note) -> None:
    """D4: with a request under way each time; nothing is tried twice."""
    codes, slowest = Counter[int | None](), 0.0
    async with start_town(tmp_path / "data") as town:
        for number in range(20):
            await town.ask(f"drained-{number}", colleague(number))
            code, seconds = await town.end(WORKER)
            codes[code] += 1
            slowest = max(slowest, seconds)
            await town.start(WORKER)
        for number in range(20):
            await town.until_shown(f"drained-{number}", lambda view: view.notifications, timeout_seconds=60)
        documents = await town.vendor.ledger("document_created")
    note(f"SIGTERM: exit codes {dict(codes)}, the slowest took {slowest:.1f} s, {len(documents)} of 20 documents")
    assert codes == {0: 20}
    assert len(documents) == 20
