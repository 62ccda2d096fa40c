"""Creation when answers are lost: one document and one request each, whatever the retries did."""

import pytest

from tests.faults.creates import Counted, count_creations, cut_one_answer_each, start_all, until_made, until_sent
from tests.faults.evidence import gather
from tests.faults.oracle import judge
from tests.faults.population import colleague
from tests.faults.town import WORKER, Town, ids
from tests.faults.vendor import DOCUMENTS, REQUESTS

pytestmark = [pytest.mark.real_server, pytest.mark.asyncio(loop_scope="session")]


@pytest.mark.long
async def test_creates_that_lose_their_answer_or_their_worker_make_one_document_each(shared: Town) -> None:
    """B1, B2, B3, D1: four answers are cut after the commit, two creations lose their worker to kill -9 meanwhile.

    Lists do not show a new document for some seconds; `make chaos` cuts three hundred answers.
    """
    cut, orphaned = list(ids("cut", 4)), list(ids("orphaned", 2))
    await cut_one_answer_each(shared, cut)
    for name in orphaned:
        await shared.vendor.arm("slow", DOCUMENTS, method="POST", contains=f'"{name}"', delay=4)
    await start_all(shared, cut + orphaned)
    await until_made(shared, cut + orphaned)
    await shared.kill(WORKER)
    await shared.start(WORKER)
    await until_sent(shared, cut + orphaned, timeout_seconds=60)
    assert await count_creations(shared, cut) == Counted(documents=4, requests=4, cut=4)
    assert await count_creations(shared, orphaned) == Counted(documents=2, requests=2, cut=0)
    assert judge(await gather(shared, {}, "cut-")) == []
    assert judge(await gather(shared, {}, "orphaned-")) == []


async def test_a_callback_faster_than_the_answer_of_the_creation_is_read_at_once(shared: Town) -> None:
    """A9: `sent` is told while the answer is still on its way; nobody waits for the next look at the document."""
    await shared.vendor.arm("slow", REQUESTS, method="POST", contains='"Overtaken"', delay=1)
    await shared.ask("overtaken", colleague(30), name="Overtaken")
    view = await shared.until_shown("overtaken", lambda view: view.notifications, timeout_seconds=6)
    assert [line.stage for line in view.notifications if line.person == colleague(30)] == ["ready"]
    assert judge(await gather(shared, {}, "overtaken")) == []
