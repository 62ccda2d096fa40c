"""An onboarding and all its open parts are moved to one instant, and a part that begins later begins there."""

from datetime import timedelta
from pathlib import Path

import pytest
from temporalio.testing import TimeSkipper

from starter.errors import Refusal
from starter.queries.fast_forward import _FollowUpGroup, forward, forward_to_next
from starter.queries.filters import followed_up
from tests.servers import PUNCTUAL_TIMERS, real_server
from tests.workflows.onboarding.stage import (
    CUSTOMER,
    DETAILS,
    OWNER,
    OnboardingStory,
    a_file,
    an_agreement,
    start_onboarding,
)
from workflows.model.subject import Status

pytestmark = pytest.mark.real_server
AGREEMENT = {"name": "agreements", "agreements": [an_agreement()]}


async def clocks(journey: OnboardingStory) -> list[float]:
    """How far each clock is from the onboarding's, in seconds."""
    skipper, onboarding_clock = (
        TimeSkipper(journey.client),
        await TimeSkipper(journey.client).get_current_time(journey.handle),
    )
    ids = [
        part.workflow
        for stage in (await journey.read_view()).stages
        for part in stage.parts
        if part.workflow and not part.at
    ]
    return [
        abs((await skipper.get_current_time(journey.client.get_workflow_handle(id)) - onboarding_clock).total_seconds())
        for id in ids
    ]


@pytest.mark.long
async def test_days_pass_for_all_of_it_and_what_begins_later_begins_there(tmp_path: Path) -> None:
    async with start_onboarding(tmp_path, a_file(AGREEMENT, DETAILS), server=real_server(*PUNCTUAL_TIMERS)) as journey:
        agreement = await journey.wait_for_workflow("agreement-1")
        await journey.at_rest()
        clock_before = await TimeSkipper(journey.client).get_current_time(journey.handle)
        to_next = await forward_to_next(journey.client, journey.handle.id)
        assert to_next.reached and timedelta(days=1) < to_next.now - clock_before < timedelta(days=4)
        forwarded = await forward(journey.client, journey.handle.id, timedelta(days=10) - (to_next.now - clock_before))
        assert forwarded.reached
        assert max(await clocks(journey)) < 60
        reminders = [stage for stage, person in journey.notices_of(agreement) if person == CUSTOMER]
        assert reminders == ["ready", "reminder-1", "reminder-2", "reminder-3"]

        await journey.end_agreement("agreement-1")
        billing = await journey.wait_for_workflow("billing")
        await forward(journey.client, journey.handle.id, timedelta(hours=1))
        assert max(await clocks(journey)) < 60
        assert [notice for notice in journey.notices_of(billing) if notice[1] == CUSTOMER] == [("ready", CUSTOMER)]
        await journey.complete_task("billing", CUSTOMER)
        assert (await journey.handle.result()).outcome is Status.DONE
    assert ("settled", OWNER) in journey.notices_of(journey.handle.id)


@pytest.mark.long
async def test_what_ends_just_before_its_clock_is_moved_has_ended_on_the_way(tmp_path: Path) -> None:
    """A campaign that writes its record takes seconds for that, in which its clock is looked at once more."""
    async with start_onboarding(tmp_path, a_file(DETAILS), server=real_server(*PUNCTUAL_TIMERS)) as journey:
        together = _FollowUpGroup(TimeSkipper(journey.client), followed_up(journey.handle.id), timedelta(seconds=20))
        await journey.handle.terminate("the test wants it so")
        later = await together.skipper.get_current_time(journey.handle) + timedelta(days=1)
        assert await together._move(together.what, later) is False
        with pytest.raises(Refusal, match="no such onboarding is open, so there is no clock to move"):
            await forward(journey.client, journey.handle.id, timedelta(days=1))
