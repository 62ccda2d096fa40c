"""What `make chaos` shows of hundreds, with as many as a story has time for: many at once, and a death among them."""

import asyncio
from pathlib import Path

import pytest

from tests.faults.campaigning import OWNER, Watch, begin, calls_ahead, cancel_campaign, crowd
from tests.faults.crowds import kill_the_worker, sends_to_each, slow_crowd, until_sent
from tests.faults.evidence import gather, gather_campaign
from tests.faults.oracle import judge, judge_campaign, most_sends
from tests.faults.population import PATIENT, colleague
from tests.faults.town import Conditions, Town, eventually, ids, start_town
from workflows.model.commands import Cancellation

pytestmark = [pytest.mark.real_server, pytest.mark.long, pytest.mark.asyncio(loop_scope="session")]

CROWD = list(ids("one-of-many", 30))
FEW, URGENT = 12, 8
OF_URGENT = {**PATIENT, "urgent": True}
WRONG = Cancellation(actor=OWNER, reason="the wrong version")


async def test_a_worker_that_dies_in_the_middle_of_thirty_forgets_nobody_and_tells_each_twice_at_most(
    tmp_path: Path,
) -> None:
    """C21: what it had sent and not reported is sent once more, under the same key."""
    async with slow_crowd(tmp_path / "data", CROWD) as crowd_town:
        await crowd_town.ask("mortal", *CROWD, at_once=True)
        await until_sent(crowd_town, "mortal", "ready", 10, timeout_seconds=120)
        await kill_the_worker(crowd_town, "mortal", "ready")
        await crowd_town.until_shown("mortal", lambda view: len(view.notifications) >= len(CROWD), timeout_seconds=180)
        sends = await sends_to_each(crowd_town, "mortal", "ready")
        findings = judge(await gather(crowd_town, {}, "mortal"))
    assert sends.keys() == set(CROWD)
    assert max(sends.values()) <= 2
    assert findings == []


async def test_two_campaigns_and_urgent_requests_at_once_are_all_told_once(shared: Town) -> None:
    """G12: nobody is forgotten, and nobody is told twice."""
    everybody, names, watch = crowd(shared, FEW, "one-of-two", "both"), list(ids("at-once", URGENT)), Watch(shared)
    await asyncio.gather(*(begin(shared, id, {"group": "both"}) for id in ("first-of-two", "second-of-two")))
    await asyncio.gather(*(shared.ask(name, colleague(number), policy=OF_URGENT) for number, name in enumerate(names)))
    for name in names:
        await watch.until_told(name)
    campaigns = []
    for id in ("first-of-two", "second-of-two"):
        await watch.until_told(id, len(everybody))
        await cancel_campaign(shared, id, WRONG)
        campaigns.append(await gather_campaign(shared, id))
    assert [judge_campaign(campaign) for campaign in campaigns] == [[], []]
    assert [most_sends(campaign) for campaign in campaigns] == [1, 1]


async def test_at_one_call_a_second_what_is_urgent_overtakes_a_campaign(tmp_path: Path) -> None:
    """G5: at most six calls of others go before the four of its own."""
    async with start_town(tmp_path / "data", Conditions(own_programs={"COUNTERSIGN_SIGNATURE_MAX_RPS": "1"})) as town:
        crowd(town, 5 * FEW)
        await begin(town, "conduct")
        await eventually(lambda: town.vendor.ledger("request_created"))
        await town.ask("urgent", colleague(1), policy=OF_URGENT)
        await Watch(town).until_told("urgent")
        assert await calls_ahead(town, "urgent") <= 6
        assert len(await town.vendor.ledger("request_created")) < 5 * FEW / 2
