"""`start` says whose first notification will wait because their budget is used up."""

from collections.abc import AsyncIterator
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest_asyncio
from temporalio.client import Client

from activities.records.budgets import Limit, SlotRequest
from activities.records.store import Store
from starter.cli.start import list_used_up_budgets
from starter.config.settings import load
from starter.temporal.connection import Context


@pytest_asyncio.fixture
async def context(tmp_path: Path) -> AsyncIterator[Context]:
    with closing(Store(str(tmp_path / "store"))) as store:
        yield Context(await Client.connect("127.0.0.1:1", lazy=True), store)


def make_start(*people: str, urgent: bool = False) -> Any:
    return SimpleNamespace(workflow_input=SimpleNamespace(policy=SimpleNamespace(urgent=urgent), first_turn=people))


async def test_start_says_who_has_had_as_many_notices_as_they_may(context: Context, tmp_path: Path) -> None:
    settings, now = load(environment={"COUNTERSIGN_DATA_DIR": str(tmp_path)}), datetime.now(UTC)
    assert await list_used_up_budgets(settings, context, make_start("ada", "ben")) == []
    limit = Limit(5, now + timedelta(hours=1))
    for number in range(5):
        await context.store.budgets.ask(SlotRequest("ada", f"task:t{number}", f"t{number}/ready/ada", now), limit)
    [note] = await list_used_up_budgets(settings, context, make_start("ada", "ben"))
    assert note.startswith("ada had 5 notices in 1 hour, so the next waits until ")
    assert await list_used_up_budgets(settings, context, make_start("ada", urgent=True)) == []
    unlimited = load(environment={"COUNTERSIGN_DATA_DIR": str(tmp_path), "COUNTERSIGN_NOTICES_MOST": "0"})
    assert await list_used_up_budgets(unlimited, context, make_start("ada")) == []
