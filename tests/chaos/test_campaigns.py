"""Campaigns of a thousand under deaths, cancelled half-way, two at once, and at a provider of one call a second."""

import asyncio
import random
import time
from collections import Counter
from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from activities.records.outcomes import MemberStatus
from tests.chaos.conftest import Note
from tests.faults.campaigning import (
    OWNER,
    Watch,
    act,
    begin,
    calls_ahead,
    cancel_campaign,
    crowd,
    die_in_turn,
    read_record,
)
from tests.faults.evidence import gather_campaign
from tests.faults.joining import deaths
from tests.faults.oracle import judge_campaign, most_sends
from tests.faults.population import PATIENT, colleague
from tests.faults.town import Conditions, Town, eventually, ids, start_town
from tests.faults.vendor import instant
from tests.workflows.campaign.test_faults import count_events
from workflows.model.commands import Cancellation
from workflows.model.subject import Status

pytestmark = [pytest.mark.real_server, pytest.mark.timeout(3600)]

THOUSAND, WORKERS, SERVERS = 1_000, 20, 2
FIFTY_THOUSAND = 50_000
BUSY, URGENT = 300, 200
SIX_HUNDRED = 600
QUICK = Conditions(sandbox={"SANDBOX_RETRY_UNIT": "1"})
SOON = timedelta(seconds=5)
OF_URGENT = {**PATIENT, "urgent": True}
WRONG = Cancellation(actor=OWNER, reason="the wrong version")
_AT_ONCE = 10


async def test_a_thousand_people_are_told_once_while_twenty_workers_and_two_servers_die(
    tmp_path: Path, seed: int, note: Note
) -> None:
    """G2: killed at random points of the opening; then they sign or decline, and the window passes."""
    dice, began = random.Random(seed), time.monotonic()  # noqa: S311  chaos that can be repeated, no secret
    async with start_town(tmp_path / "data", QUICK) as town:
        everybody = crowd(town, THOUSAND)
        await begin(town, "conduct")
        await die_in_turn(town, deaths(WORKERS, SERVERS, dice), dice, pause_at_most=8)
        await Watch(town).until_told("conduct", THOUSAND, timeout_seconds=1_800)
        told_seconds = time.monotonic() - began
        await act(town, "conduct", everybody[: THOUSAND // 2], decline=everybody[THOUSAND // 2 :])
        await read_record(town, "conduct")
        campaign = await gather_campaign(town, "conduct", kills=WORKERS + SERVERS)
    findings, raw = judge_campaign(campaign), most_sends(campaign)
    note(
        f"a campaign of {THOUSAND}: {WORKERS} workers and {SERVERS} servers killed, {len(campaign.runs)} asked, "
        f"at most {raw} sends of one notice, {len(findings)} violations, told after {told_seconds:.0f} s, "
        f"{time.monotonic() - began:.0f} s"
    )
    assert findings == []
    assert campaign.view.status is Status.DONE
    assert Counter(line.status for line in campaign.lines) == {
        MemberStatus.ACKNOWLEDGED: 500,
        MemberStatus.DECLINED: 500,
    }
    assert len(campaign.runs) == THOUSAND
    assert raw <= 1 + WORKERS + SERVERS


async def test_a_campaign_that_is_cancelled_half_way_starts_nobody_any_more(tmp_path: Path, note: Note) -> None:
    """G4: nothing is started later than five seconds after; what runs is ended, and the others stand as not started."""
    async with start_town(tmp_path / "data", QUICK) as town:
        crowd(town, SIX_HUNDRED)
        await begin(town, "conduct")
        await Watch(town).until_told("conduct", SIX_HUNDRED // 2)
        view = await cancel_campaign(town, "conduct", WRONG)
        campaign = await gather_campaign(town, "conduct")
    cancelled = next(entry.at for entry in view.timeline if entry.what == "cancellation asked for")
    late = [run.workflow for run in campaign.runs if run.started > cancelled + SOON]
    seconds = ((campaign.ended_at or cancelled) - cancelled).total_seconds()
    note(
        f"a campaign of {SIX_HUNDRED}, cancelled at half: {len(campaign.runs)} started, "
        f"{len(late)} of them later than 5 s after, {view.counts.not_started} never, its record after {seconds:.0f} s"
    )
    assert judge_campaign(campaign) == []
    assert late == []
    assert view.counts.not_started == SIX_HUNDRED - len(campaign.runs) > 0


async def test_a_campaign_of_fifty_thousand_has_no_event_for_each_person(tmp_path: Path, note: Note) -> None:
    """G6."""
    began = time.monotonic()
    events = await count_events(tmp_path, FIFTY_THOUSAND)
    note(f"a campaign of {FIFTY_THOUSAND}: one run of {events} events, {time.monotonic() - began:.0f} s")
    assert events < 4_096


async def test_two_campaigns_and_two_hundred_urgent_requests_at_once_are_all_told_once(
    tmp_path: Path, note: Note
) -> None:
    """Nobody is forgotten, and nobody is told twice; how soon the urgent ones are is what the bench says."""
    async with start_town(tmp_path / "data", QUICK) as town:
        everybody, names, watch = crowd(town, BUSY), list(ids("at-once", URGENT)), Watch(town)
        began = time.monotonic()
        await asyncio.gather(begin(town, "first"), begin(town, "second"))
        await _ask(town, names)
        for name in names:
            await watch.until_told(name)
        urgent = time.monotonic() - began
        for id in ("first", "second"):
            await watch.until_told(id, len(everybody))
        told_seconds = time.monotonic() - began
        campaigns = []
        for id in ("first", "second"):
            await cancel_campaign(town, id, WRONG)
            campaigns.append(await gather_campaign(town, id))
    note(
        f"two campaigns of {BUSY} and {URGENT} urgent requests: "
        f"all urgent told after {urgent:.0f} s, all {told_seconds:.0f} s"
    )
    assert [judge_campaign(campaign) for campaign in campaigns] == [[], []]
    assert [most_sends(campaign) for campaign in campaigns] == [1, 1]


async def _ask(town: Town, names: Iterable[str]) -> None:
    room = asyncio.Semaphore(_AT_ONCE)

    async def ask_signer(number: int, name: str) -> None:
        async with room:
            await town.ask(name, colleague(number), policy=OF_URGENT)

    await asyncio.gather(*(ask_signer(number, name) for number, name in enumerate(names)))


async def test_at_one_call_a_second_urgent_requests_are_told_within_seconds(tmp_path: Path, note: Note) -> None:
    """G5: five of them, one after the other, while a campaign waits; a call is a second."""
    slow = Conditions(own_programs={"COUNTERSIGN_SIGNATURE_MAX_RPS": "1"})
    async with start_town(tmp_path / "data", slow) as town:
        crowd(town, BUSY)
        await begin(town, "conduct")
        await eventually(lambda: town.vendor.ledger("request_created"))
        watch, took, ahead = Watch(town), [], []
        for number, name in enumerate(ids("urgent", 5)):
            began = datetime.now(UTC)
            await town.ask(name, colleague(number), policy=OF_URGENT)
            took.append(((await watch.until_told(name))[name] - began).total_seconds())
            ahead.append(await calls_ahead(town, name))
        made_at = [instant(entry) for entry in await town.vendor.ledger("request_created")]
    note(
        f"one call a second: {len(made_at)} requests made, "
        f"urgent ones told after {min(took):.0f} to {max(took):.0f} s, "
        f"{min(ahead)} to {max(ahead)} calls of others ahead of them"
    )
    assert max(ahead) <= 6
    assert len(made_at) < BUSY / 2
