"""Campaigns on the real processes: wrong rows, deaths, revoked credentials; a slow provider and many at once: chaos."""

import asyncio
import random
from collections import Counter
from datetime import timedelta

import pytest

from activities.launch.launch import IdTaken
from activities.records.outcomes import MemberStatus
from tests.faults.campaigning import (
    OWNER,
    Watch,
    act,
    begin,
    cancel_campaign,
    crowd,
    die_in_turn,
    picture,
    read_record,
    table,
    wait_until,
)
from tests.faults.evidence import gather_campaign
from tests.faults.oracle import judge_campaign, most_sends
from tests.faults.town import TEMPORAL, WORKER, Town, eventually
from tests.faults.vendor import REQUESTS, SENDS
from workflows.model.commands import Cancellation
from workflows.model.subject import Status

pytestmark = [pytest.mark.real_server, pytest.mark.asyncio(loop_scope="session")]

HOUR = timedelta(hours=1)
WRONG = Cancellation(actor=OWNER, reason="the wrong version")


@pytest.mark.long
async def test_a_dozen_people_are_told_once_whoever_dies_while_they_are_asked(shared: Town) -> None:
    """G2: the server and a worker; then half of them sign, and the record says what the provider has seen."""
    everybody, dice = crowd(shared, 12, "mortal", "mortals"), random.Random(11)  # noqa: S311  no secret
    deaths = (TEMPORAL, WORKER)
    await begin(shared, "deaths", {"group": "mortals"})
    await die_in_turn(shared, deaths, dice, pause_at_most=1)
    await Watch(shared).until_told("deaths", len(everybody), timeout_seconds=120)
    await act(shared, "deaths", everybody[::2])
    await cancel_campaign(shared, "deaths", WRONG)
    campaign = await gather_campaign(shared, "deaths", kills=len(deaths))
    assert judge_campaign(campaign) == []
    assert Counter(line.status for line in campaign.lines) == {MemberStatus.ACKNOWLEDGED: 6, MemberStatus.CANCELLED: 6}
    assert most_sends(campaign) <= 1 + len(deaths)


@pytest.mark.long
async def test_rows_that_are_wrong_and_one_that_the_provider_refuses_hold_up_nobody(shared: Town) -> None:
    """G1: the campaign is done with errors; each has its line and its reason, with nothing in it of what they wrote."""
    rows = [
        "person,name,email,zone",
        "colleague-20,,,",
        ",Ann,no address,Europe/Amsterdam",
        ",,bea@us.example,Europe/Amsterdam",
        "colleague-20,,,",
        f",{'x' * 5_000_000},cem@us.example,Europe/Amsterdam",
        "nobody-at-all,,,",
        "colleague-21,Dot,,",
        ",Eva,eva@us.example,Europe/Amsterdam",
        ",Fay,fay@us.example,Europe/Amsterdam",
        "colleague-22,,,",
    ]
    audience = table(shared, "rude.csv", "\n".join(rows))
    await shared.vendor.arm("400", REQUESTS, method="POST", contains="fay@us.example", times=None)
    await begin(shared, "rude", audience)
    await wait_until(shared, "rude", lambda view: view.frozen and not view.next.why.startswith("start"))
    await eventually(lambda: has_counts(shared, "rude", failed=1, told=3))
    line_file = (await picture(shared, "rude")).lines
    lines = await line_file.read() if line_file else []
    reasons = {line.row: str(line.fault) for line in lines if line.fault}
    assert list(reasons) == [3, 4, 5, 6, 7, 8]
    assert "address" in reasons[3]
    assert reasons[4] == "needs person, or name, email, zone (name missing)"
    assert reasons[5] == "is in row 2 already"
    assert reasons[6] == "name: is longer than 10,000 characters"
    assert reasons[7] == '"nobody-at-all" is not in the directory'
    assert reasons[8] == "has person and name: either person, or somebody in full"
    await shared.vendor.disarm()
    [refused] = [line for line in lines if line.status == MemberStatus.FAILED]
    await shared.forward(refused.request, HOUR)
    await act(shared, "rude", [line.person for line in lines if line.request and line.status != MemberStatus.ERROR])
    await read_record(shared, "rude")
    rude = await gather_campaign(shared, "rude")
    assert judge_campaign(rude) == []
    assert rude.view.status is Status.DONE_WITH_ERRORS
    assert Counter(line.status for line in rude.lines) == {MemberStatus.ACKNOWLEDGED: 4, MemberStatus.ERROR: 6}


async def has_counts(town: Town, id: str, **counts: int) -> bool:
    """Whether so many stand so."""
    actual_counts = (await picture(town, id)).view.counts
    return {name: getattr(actual_counts, name) for name in counts} == counts


async def test_the_same_file_again_asks_nobody_twice_and_another_audience_is_refused(shared: Town) -> None:
    """G3: 0 duplicates; under the same id nobody else can be asked."""
    audience = table(shared, "twice.csv", "person\ncolleague-30\ncolleague-31\n")
    first = await begin(shared, "twice", audience)
    await Watch(shared).until_told("twice", 2)
    repeated = await begin(shared, "twice", audience)
    assert (first.created, repeated.created, repeated.run_id) == (True, False, first.run_id)
    with pytest.raises(IdTaken, match="twice is the id of another campaign with other content"):
        await begin(shared, "twice", table(shared, "twice.csv", "person\ncolleague-30\ncolleague-32\n"))
    await cancel_campaign(shared, "twice", WRONG)
    third = await begin(shared, "twice", table(shared, "twice.csv", "person\ncolleague-30\ncolleague-31\n"))
    assert not third.created
    campaign = await gather_campaign(shared, "twice")
    assert judge_campaign(campaign) == []
    assert (len(campaign.runs), most_sends(campaign)) == (2, 1)


async def test_push_credentials_that_are_revoked_for_an_hour_at_the_opening_cost_nobody_a_notice(shared: Town) -> None:
    """Everybody is told once, once the credentials are good again; nobody's document is made twice."""
    everybody = crowd(shared, 4, "unheard", "unheard")
    await shared.vendor.arm("401", SENDS, contains="revoked.", times=None)
    await begin(shared, "revoked", {"group": "unheard"})
    requests = [f"revoked.{person}" for person in everybody]
    for request in requests:
        await shared.until_shown(request, lambda view: view.problem, timeout_seconds=60)
    assert await Watch(shared).read_first_pushes("revoked") == {}
    await shared.vendor.disarm()
    await asyncio.gather(*(shared.forward(request, HOUR) for request in requests))
    await Watch(shared).until_told("revoked", len(everybody), timeout_seconds=60)
    await cancel_campaign(shared, "revoked", WRONG)
    campaign = await gather_campaign(shared, "revoked")
    assert judge_campaign(campaign) == []
    assert most_sends(campaign) == 1


@pytest.mark.long
async def test_a_people_file_that_is_edited_during_the_opening_changes_nothing_of_whom_it_asks(shared: Town) -> None:
    """Frozen is frozen: newcomers wait for the daily look, and a faulty file for its last good state."""
    everybody = crowd(shared, 6, "frozen", "frozen")
    original_text = shared.people.read_text()
    await begin(shared, "edited", {"group": "frozen"})
    await wait_until(shared, "edited", lambda view: view.frozen)
    crowd(shared, 2, "newcomer", "frozen")
    shared.people.write_text(shared.people.read_text().replace("Europe/Amsterdam", "Europe/Amstredam", 1))
    first_pushes = await Watch(shared).until_told("edited", len(everybody), timeout_seconds=60)
    shared.people.write_text(original_text)
    assert set(first_pushes) == {f"edited.{person}" for person in everybody}
    await cancel_campaign(shared, "edited", WRONG)
    campaign = await gather_campaign(shared, "edited")
    assert judge_campaign(campaign) == []
    assert campaign.view.status is Status.CANCELLED
