"""An outage of thousands of events, and one with a campaign on its way."""

from pathlib import Path

import pytest

from activities.campaign.batch import AHEAD_AT_MOST
from tests.chaos.conftest import Note
from tests.chaos.test_pace import RATE, read_provider_calls, shares
from tests.faults.campaigning import Watch, begin, crowd
from tests.faults.outages import outage
from tests.faults.test_outages import assert_nothing_was_lost
from tests.faults.town import Conditions, Town, eventually, start_town
from tests.faults.vendor import PROVIDER
from workflows.kinds import Kind
from workflows.model.subject import Code
from workflows.names import PARENT, PROBLEM

pytestmark = [pytest.mark.real_server, pytest.mark.timeout(900)]
PEOPLE = 120
OF_THE_CAMPAIGN = f"{PARENT.name} = '{Kind.CAMPAIGN.workflow_id('conduct')}'"


async def test_three_thousand_events_of_trouble_with_every_kind_of_update_pending(note: Note) -> None:
    """D25: both limits of a history lowered to 100 and 700 events; nothing may hold a request in one run."""
    survived = await outage(events=3_000)
    note(f"outage: {survived.events} events in {len(survived.endings)} runs, the longest of {survived.longest}")
    assert survived.events >= 3_000
    assert_nothing_was_lost(survived)


async def test_a_campaign_pauses_while_core_signature_is_away_and_what_waits_drains_at_the_rate(
    tmp_path: Path, note: Note
) -> None:
    """B16: no more of it are begun than may wait; all are told afterwards, and at no time faster than the rate."""
    slow = Conditions(own_programs={"COUNTERSIGN_SIGNATURE_MAX_RPS": str(RATE)})
    async with start_town(tmp_path / "data", slow) as town:
        crowd(town, PEOPLE)
        await town.vendor.arm("503", f"{PROVIDER}*", times=None)
        await begin(town, "conduct")
        await eventually(lambda: are_in_trouble(town), timeout_seconds=300)
        paused = await count_requests(town)
        await town.vendor.disarm()
        back = await town.vendor.last()
        await Watch(town).until_told("conduct", PEOPLE)
        rate_shares, request_entries = (
            shares(await read_provider_calls(town, back)),
            await town.vendor.ledger("request_created"),
        )
    note(
        f"Core Signature away: of a campaign of {PEOPLE} {paused} were begun, then {min(rate_shares) * RATE:.2f} to "
        f"{max(rate_shares) * RATE:.2f} of {RATE} calls a second"
    )
    assert 0 < paused <= AHEAD_AT_MOST
    assert len(request_entries) == PEOPLE
    assert max(rate_shares) <= 1.1


async def are_in_trouble(town: Town) -> bool:
    """Whether all that were begun say that Core Signature is away."""
    query = f"{OF_THE_CAMPAIGN} AND {PROBLEM.name} = '{Code.UNREACHABLE}'"
    return 0 < (await town.context.client.count_workflows(query)).count == await count_requests(town)


async def count_requests(town: Town) -> int:
    """How many of the campaign's requests there are."""
    return (await town.context.client.count_workflows(OF_THE_CAMPAIGN)).count
