"""Whoever has acknowledged in one campaign is reminded of the other that waits for them, once."""

import asyncio
from pathlib import Path
from typing import Any

import pytest

from activities.campaign.population import PERSON_AT_MOST
from activities.hand_off.next_acknowledgement import op_of
from activities.launch import launch
from tests.faults.town import eventually
from tests.servers import own_part
from tests.workflows.campaign.stage import CampaignStory, a_file, staff, start_campaign
from workflows import names
from workflows.follow_up.command_log import CommandLog
from workflows.follow_up.commands import refused
from workflows.model.commands import ReminderCommand
from workflows.model.subject import Status

pytestmark = [pytest.mark.long, pytest.mark.real_server]
_GLANCE = 0.2


async def start_second_campaign(campaign_story: CampaignStory) -> None:
    """Start another campaign of the same people, and wait until it waits for ada."""
    prepared = await campaign_story.company.prepared(a_file(id="security"), await campaign_story.now())
    await launch.start(campaign_story.client, campaign_story.company.store, prepared)
    waits = f"{names.WAITING_FOR.name} = 'ada' AND {names.PARENT.name} STARTS_WITH 'acknowledgement-campaign:'"

    async def waiting() -> bool:
        return (await campaign_story.client.count_workflows(waits)).count == 2

    assert await eventually(waiting)


def list_manual_reminders(campaign_story: CampaignStory) -> list[tuple[str, str]]:
    """The reminders that somebody asked for: of which request, and to whom."""
    return [
        (delivery.subject.id, notice.person)
        for delivery in campaign_story.push.deliveries
        for notice in delivery.notices
        if notice.stage.startswith("reminder-manual")
    ]


async def test_the_other_campaign_reminds_whoever_has_acknowledged_once_and_nobody_else(
    tmp_path: Path, dev_server: str
) -> None:
    async with start_campaign(tmp_path, a_file(), staff("ada", "bo"), server=own_part(dev_server)) as campaign_story:
        await campaign_story.wait_until_opened()
        # Of the second one she did not hear: within the hour nobody is reminded.
        campaign_story.push.without_phone.append("ada")
        await start_second_campaign(campaign_story)
        campaign_story.push.without_phone.clear()
        await campaign_story.end_request("ada")
        assert await eventually(lambda: _wait_and_list_reminders(campaign_story))
        await campaign_story.end_request("bo")
        await campaign_story.at_rest()
        assert list_manual_reminders(campaign_story) == [("security.ada", "ada")], (
            "bo had heard of both within the hour"
        )


def test_also_an_acknowledgement_of_the_longest_id_has_a_reminder_that_is_taken() -> None:
    first, second = (op_of(f"{'campaign'.ljust(48, 'c')}.{'person'.ljust(PERSON_AT_MOST - 1, 'p')}{n}") for n in "12")
    reminder = ReminderCommand(actor="countersign")
    assert refused(CommandLog(), f"{names.REMIND}-{first}", reminder, None) is None
    assert first != second


def test_a_reminder_of_the_next_one_has_the_same_name_at_each_attempt() -> None:
    assert op_of("security.ada") == "next-d658b193f0f36e63"


async def test_whoever_declines_is_reminded_of_nothing(tmp_path: Path, dev_server: str) -> None:
    async with start_campaign(tmp_path, a_file(), staff("ada"), server=own_part(dev_server)) as campaign_story:
        await campaign_story.wait_until_opened()
        campaign_story.push.without_phone.append("ada")
        await start_second_campaign(campaign_story)
        campaign_story.push.without_phone.clear()
        await campaign_story.end_request("ada", Status.DECLINED)
        await campaign_story.at_rest()
        assert list_manual_reminders(campaign_story) == []


async def _wait_and_list_reminders(campaign_story: CampaignStory) -> Any:
    await asyncio.sleep(_GLANCE)
    return list_manual_reminders(campaign_story)
