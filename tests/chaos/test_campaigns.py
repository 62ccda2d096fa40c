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
    closed,
    crowd,
    die_in_turn,
    ended,
)
from tests.faults.evidence import gather_campaign
from tests.faults.joining import deaths
from tests.faults.oracle import judge_campaign, most_sends
from tests.faults.population import PATIENT, colleague
from tests.faults.town import Conditions, Town, eventually, ids, town
from tests.faults.vendor import instant
from tests.workflows.campaign.test_faults import has_no_event_for_each
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
    async with town(tmp_path / "data", QUICK) as it:
        everybody = crowd(it, THOUSAND)
        await begin(it, "conduct")
        await die_in_turn(it, deaths(WORKERS, SERVERS, dice), dice, most=8)
        await Watch(it).until_told("conduct", THOUSAND, within=1_800)
        told = time.monotonic() - began
        await act(it, "conduct", everybody[: THOUSAND // 2], decline=everybody[THOUSAND // 2 :])
        await closed(it, "conduct")
        asked = await gather_campaign(it, "conduct", kills=WORKERS + SERVERS)
    findings, raw = judge_campaign(asked), most_sends(asked)
    note(
        f"a campaign of {THOUSAND}: {WORKERS} workers and {SERVERS} servers killed, {len(asked.begun)} asked, "
        f"at most {raw} sends of one notice, {len(findings)} violations, told after {told:.0f} s, "
        f"{time.monotonic() - began:.0f} s"
    )
    assert findings == []
    assert asked.shown.status is Status.DONE
    assert Counter(line.status for line in asked.lines) == {MemberStatus.ACKNOWLEDGED: 500, MemberStatus.DECLINED: 500}
    assert len(asked.begun) == THOUSAND
    assert raw <= 1 + WORKERS + SERVERS


async def test_a_campaign_that_is_cancelled_half_way_starts_nobody_any_more(tmp_path: Path, note: Note) -> None:
    """G4: nothing is started later than five seconds after; what runs is ended, and the others stand as not started."""
    async with town(tmp_path / "data", QUICK) as it:
        crowd(it, SIX_HUNDRED)
        await begin(it, "conduct")
        await Watch(it).until_told("conduct", SIX_HUNDRED // 2)
        shown = await ended(it, "conduct", WRONG)
        asked = await gather_campaign(it, "conduct")
    cancelled = next(entry.at for entry in shown.timeline if entry.what == "cancellation asked for")
    late = [one.workflow for one in asked.begun if one.started > cancelled + SOON]
    seconds = ((asked.ended or cancelled) - cancelled).total_seconds()
    note(
        f"a campaign of {SIX_HUNDRED}, cancelled at half: {len(asked.begun)} started, "
        f"{len(late)} of them later than 5 s after, {shown.counts.not_started} never, its record after {seconds:.0f} s"
    )
    assert judge_campaign(asked) == []
    assert late == []
    assert shown.counts.not_started == SIX_HUNDRED - len(asked.begun) > 0


async def test_a_campaign_of_fifty_thousand_has_no_event_for_each_person(tmp_path: Path, note: Note) -> None:
    """G6."""
    began = time.monotonic()
    events = await has_no_event_for_each(tmp_path, FIFTY_THOUSAND)
    note(f"a campaign of {FIFTY_THOUSAND}: one run of {events} events, {time.monotonic() - began:.0f} s")
    assert events < 4_096


async def test_two_campaigns_and_two_hundred_urgent_requests_at_once_are_all_told_once(
    tmp_path: Path, note: Note
) -> None:
    """Nobody is forgotten, and nobody is told twice; how soon the urgent ones are is what the bench says."""
    async with town(tmp_path / "data", QUICK) as it:
        everybody, names, watch = crowd(it, BUSY), list(ids("at-once", URGENT)), Watch(it)
        began = time.monotonic()
        await asyncio.gather(begin(it, "first"), begin(it, "second"))
        await _ask(it, names)
        for name in names:
            await watch.until_told(name)
        urgent = time.monotonic() - began
        for id in ("first", "second"):
            await watch.until_told(id, len(everybody))
        told = time.monotonic() - began
        found = []
        for id in ("first", "second"):
            await ended(it, id, WRONG)
            found.append(await gather_campaign(it, id))
    note(
        f"two campaigns of {BUSY} and {URGENT} urgent requests: all urgent told after {urgent:.0f} s, all {told:.0f} s"
    )
    assert [judge_campaign(asked) for asked in found] == [[], []]
    assert [most_sends(asked) for asked in found] == [1, 1]


async def _ask(it: Town, names: Iterable[str]) -> None:
    room = asyncio.Semaphore(_AT_ONCE)

    async def one(number: int, name: str) -> None:
        async with room:
            await it.ask(name, colleague(number), policy=OF_URGENT)

    await asyncio.gather(*(one(number, name) for number, name in enumerate(names)))


async def test_at_one_call_a_second_urgent_requests_are_told_within_seconds(tmp_path: Path, note: Note) -> None:
    """G5: five of them, one after the other, while a campaign waits; a call is a second."""
    slow = Conditions(ours={"COUNTERSIGN_SIGNATURE_MAX_RPS": "1"})
    async with town(tmp_path / "data", slow) as it:
        crowd(it, BUSY)
        await begin(it, "conduct")
        await eventually(lambda: it.vendor.ledger("request_created"))
        watch, took, ahead = Watch(it), [], []
        for number, name in enumerate(ids("urgent", 5)):
            began = datetime.now(UTC)
            await it.ask(name, colleague(number), policy=OF_URGENT)
            took.append(((await watch.until_told(name))[name] - began).total_seconds())
            ahead.append(await calls_ahead(it, name))
        made = [instant(one) for one in await it.vendor.ledger("request_created")]
    note(
        f"one call a second: {len(made)} requests made, urgent ones told after {min(took):.0f} to {max(took):.0f} s, "
        f"{min(ahead)} to {max(ahead)} calls of others ahead of them"
    )
    assert max(ahead) <= 6
    assert len(made) < BUSY / 2
