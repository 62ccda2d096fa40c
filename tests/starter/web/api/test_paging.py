"""Pages of a list that changes between them."""

import asyncio
import itertools
import json
from collections import Counter
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Final

import pytest
from temporalio.client import Client

from activities.records.ended import ListFilter
from starter.queries import lists
from starter.temporal.connection import Context
from tests.faults.town import eventually, ids
from tests.servers import own_namespace
from tests.starter.queries.test_listing import open_request
from tests.starter.web.api.program import Program, program
from workflows.kinds import Kind
from workflows.model.subject import Status

pytestmark = [pytest.mark.real_server, pytest.mark.long]
NOW: Final = datetime.now(UTC)
AT_ONCE: Final = 25
PAGE_SIZE: Final = 37


@pytest.fixture
async def crm(dev_server: str, tmp_path: Path) -> AsyncIterator[Program]:
    client: Client = await own_namespace(dev_server)
    async with program(tmp_path, client) as crm:
        yield crm


def compute_due_date(id: str) -> datetime:
    """A third of them is overdue; four each have the same due date."""
    return NOW + timedelta(hours=int(id.rpartition("-")[2]) // 4 - 25)


async def begin(context: Context, names: list[str], **attributes: Any) -> None:
    for number in range(0, len(names), AT_ONCE):
        batch = names[number : number + AT_ONCE]
        await asyncio.gather(
            *(open_request(context, name, due=compute_due_date(name), person=("bob",), **attributes) for name in batch)
        )


async def end(context: Context, name: str, *, is_telling: bool) -> None:
    """Write its record; it runs on if it still tells its targets."""
    workflow_id = Kind.REQUEST.workflow_id(name)
    await context.client.get_workflow_handle(workflow_id).terminate()
    show = {"kind": "nda", "document": name, "requester": "ada", "status": "signed", "signers": [{"person": "bob"}]}
    content = {"show": show, "settled": {"at": datetime.now(UTC).isoformat()}}
    await context.store.records.write(workflow_id, json.dumps(content).encode())
    if is_telling:
        await begin(context, [name], status=Status.SIGNED, stage="settled")


async def test_what_stands_still_is_on_one_page_and_anything_else_on_two_at_most(crm: Program) -> None:
    names = list(ids("r", 300))
    await begin(crm.context, names)

    async def all_seen() -> bool:
        return (await lists.page(crm.context, ListFilter(), size=1)).total == len(names)

    assert await eventually(all_seen)
    ending, beginning = iter(names[3::6]), iter([*ids("s", 300)][7::30])
    pages, begun_names, ended_names, cursor = list[list[str]](), list[str](), list[str](), ""
    for number in itertools.count():
        query = {"limit": PAGE_SIZE} | ({"cursor": cursor} if cursor else {})
        status, page = await crm.calls("GET", "/requests", params=query)
        assert status == 200, page
        pages.append([line["id"] for line in page["lines"]])
        if not (cursor := page["cursor"]):
            break
        for name in itertools.islice(ending, 8):
            await end(crm.context, name, is_telling=len(ended_names) % 2 == 0)
            ended_names.append(name)
        for name in itertools.islice(beginning, 2):
            await begin(crm.context, [name])
            begun_names.append(name)
        if number == 5:  # some that ended have told all their targets
            for name in ended_names[:20:2]:
                await crm.context.client.get_workflow_handle(Kind.REQUEST.workflow_id(name)).terminate()
    counts = Counter(name for page in pages for name in set(page))
    assert (len(ended_names), len(begun_names)) == (50, 10)
    still = set(names) - set(ended_names)
    assert {name: counts[name] for name in still if counts[name] != 1} == {}
    assert {name: counts[name] for name in counts if counts[name] > 2} == {}
    assert all(counts[name] for name in ended_names), "what ended is listed by its record, if not before"
