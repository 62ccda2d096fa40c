"""The largest request that its file allows, on the real server."""

import time
from datetime import timedelta

import pytest

from starter.queries.fast_forward import forward
from starter.temporal.codec import data_converter
from tests.chaos.conftest import Note
from tests.faults.floods import runs_of
from tests.faults.town import eventually
from tests.servers import PUNCTUAL_TIMERS, real_server
from tests.workflows.fakes import World
from tests.workflows.follow_up.test_largest import DAYS, PAYLOAD_AT_MOST, RUN_AT_MOST, make_world, payloads
from tests.workflows.stage import a_request, begin, workers
from workflows.model.subject import Participant, Status

pytestmark = [pytest.mark.real_server, pytest.mark.timeout(900)]
MANY = 100
PATIENCE = timedelta(minutes=3)


def reminded(town: World) -> list[tuple[str, str]]:
    """The reminders that were sent."""
    return [(notice.stage, notice.person) for notice in town.push.sent if notice.stage.startswith("reminder-")]


async def test_a_hundred_signers_with_fifty_reminders_each_live_whole(note: Note) -> None:
    """Before, the first read of the document was 3.3 MB, which no server takes: the request stood still for ever."""
    began, town = time.monotonic(), make_world()
    people = tuple(Participant(person=f"signer-{number:03}", order=1) for number in range(MANY))
    async with real_server(*PUNCTUAL_TIMERS, converter=data_converter(())) as env, workers(env.client, town):
        story = await begin(env, town, a_request(*people))

        async def all_told() -> bool:
            return len(town.push.sent) == MANY

        async def only_waits() -> bool:
            raw = (await story.handle.describe()).raw_description
            return not raw.pending_activities and not raw.HasField("pending_workflow_task")

        await eventually(all_told)
        await eventually(only_waits)
        for _ in range(3 * DAYS):
            if len(reminded(town)) == MANY * DAYS:
                break
            await forward(env.client, story.handle.id, timedelta(days=1), time_limit=PATIENCE)
            await eventually(only_waits, timeout_seconds=60)
        town.signatures.status = Status.SIGNED
        await story.callback("signed")
        assert (await story.handle.result()).outcome is Status.SIGNED
        view = await story.read_view()
        runs = await runs_of(env.client, story)
        handles = [env.client.get_workflow_handle(story.handle.id, run_id=run) for run in runs]
        histories = [[payloads(event) async for event in handle.fetch_history_events()] for handle in handles]
    longest, largest = max(map(sum, histories)), max(max(events) for events in histories)
    note(
        f"largest request: {len(set(reminded(town)))} reminders to {MANY} signers, {len(runs)} runs of at most "
        f"{longest / 1024:.0f} KB, the largest event {largest / 1024:.0f} KB, {time.monotonic() - began:.0f} s"
    )
    assert view.earlier > 0
    assert len(reminded(town)) == len(set(reminded(town))) == MANY * DAYS
    assert largest < PAYLOAD_AT_MOST
    assert longest < RUN_AT_MOST
