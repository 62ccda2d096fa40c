"""Histories that would grow for ever."""

from collections import Counter
from datetime import timedelta

import pytest

from tests.chaos.conftest import Note
from tests.faults.floods import flood, runs_of
from tests.workflows.fakes import World
from tests.workflows.stage import a_request, start_story
from workflows.model.signature import SignerState
from workflows.model.subject import Participant, Status

pytestmark = pytest.mark.timeout(900)
MOST_EVENTS = 4_400
"""The server suggests a fresh run at 4,096 events; a step that has begun is still finished."""


@pytest.mark.real_server
async def test_nine_thousand_events_of_one_request_are_all_in_its_histories(note: Note) -> None:
    """D12: sent while runs end and begin; none is lost, and the request ends as if they had not been."""
    flooded = await flood(9_000)
    note(f"flood: {len(flooded.events)} of 9001 events in {flooded.runs} runs, the longest of {flooded.longest} events")
    assert flooded.outcome is Status.SIGNED
    assert flooded.events == flooded.sent
    assert flooded.runs > 1
    assert flooded.readies == 1


async def test_a_request_of_two_years_reminded_daily_forgets_nothing(note: Note) -> None:
    """D12: 750 reminders, an event each month and its repetition; every reminder once, every event read once.

    A fresh run reads the document once as well, for what may have come between two runs.
    """
    world = World()
    world.planner.reminders = tuple(timedelta(days=number) for number in range(1, 751))
    world.planner.warnings, world.planner.escalate_after = (), None
    world.planner.window = timedelta(days=800)
    lengths = []
    async with start_story(world, a_request(Participant(person="customer-signer", order=1))) as story:
        await story.days_pass(0.5)  # Then no event comes in the instant of a reminder, whose timer it would take back.
        for month in range(25):
            for event in (month, month - 1):
                await story.callback("viewed", event=f"event-{event}")
                await story.read_view()  # this server mixes up a signal with a task that is being completed
            await story.days_pass(30)
            lengths.append((await story.env.client.get_workflow_handle(story.handle.id).describe()).history_length)
        world.signatures.sign("customer-signer", SignerState.SIGNED)
        world.signatures.status = Status.SIGNED
        await story.callback("signed")
        assert (await story.handle.result()).outcome is Status.SIGNED
        reads, runs = len(world.signatures.observations), len(await runs_of(story.env.client, story))
    reminder_counts = Counter(stage for stage, _ in world.push.stages() if stage.startswith("reminder"))
    note(
        f"two years: {len(reminder_counts)} reminders, {reads} reads for 27 events, "
        f"{runs} runs of at most {max(lengths)} events"
    )
    assert reminder_counts == Counter({f"reminder-{number}": 1 for number in range(1, 751)})
    assert runs > 1
    assert reads == 27 + runs - 1
    assert max(lengths) < MOST_EVENTS
