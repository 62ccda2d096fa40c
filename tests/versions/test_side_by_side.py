"""Two workers of two versions at once, as between the two restarts of any deploy: both have each history in turn."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress

import pytest
from temporalio.api.enums.v1 import EventType
from temporalio.client import Client
from temporalio.contrib.pydantic import pydantic_data_converter
from temporalio.service import RPCError

from tests.servers import own_namespace
from tests.versions.changed import Unchanged, WithMoreInItsQuestions, WorkflowCode
from tests.versions.stage import Living, Surroundings, deploy_workers, eventually, start_request
from tests.workflows.fakes import FakePlanner, refusal
from tests.workflows.stage import a_request
from workflows.model.hand_off import SettledRequest
from workflows.model.subject import Code, Status

pytestmark = pytest.mark.real_server


@asynccontextmanager
async def start_worker(
    client: Client, surroundings: Surroundings, name: str, code: WorkflowCode
) -> AsyncIterator[None]:
    """A worker of this name that keeps no history: each task of any of them may come to it."""
    own_client = await Client.connect(
        client.service_client.config.target_host,
        namespace=client.namespace,
        identity=name,
        data_converter=pydantic_data_converter,
    )
    async with deploy_workers(own_client, surroundings, code=code, max_cached_workflows=0):
        yield


async def task_identities(request: Living, kind: "EventType.ValueType") -> list[str]:
    """Whose hands did what of this request."""
    events = (await request.handle.fetch_history()).events
    if kind is EventType.EVENT_TYPE_WORKFLOW_TASK_COMPLETED:
        return [event.workflow_task_completed_event_attributes.identity for event in events if event.event_type == kind]
    return [event.workflow_task_failed_event_attributes.identity for event in events if event.event_type == kind]


async def through_both(request: Living) -> None:
    """It is called back until both have had a task of it."""

    async def has_both() -> bool:
        await request.callback()
        return set(await task_identities(request, EventType.EVENT_TYPE_WORKFLOW_TASK_COMPLETED)) == {"old", "new"}

    await eventually(has_both)


async def sign_all(surroundings: Surroundings, requests: list[Living]) -> list[SettledRequest]:
    """Everybody signs what all of these requests read: they share one document."""
    for signer in a_request().brief.people:
        surroundings.signatures.sign(signer.person)
    surroundings.signatures.status = Status.SIGNED
    for request in requests:
        with suppress(RPCError):  # It has read that already, for an earlier callback.
            await request.callback()
    return [await request.handle.result() for request in requests]


@pytest.mark.long
async def test_old_and_new_histories_go_on_under_both_and_nobody_is_told_twice(dev_server: str) -> None:
    """One was begun by the old version alone, two by either while both are there, and all go through both."""
    client = await own_namespace(dev_server)
    surroundings = Surroundings(planner=FakePlanner(failures=[refusal(Code.DIRECTORY, retryable=True)]))
    async with start_worker(client, surroundings, "old", Unchanged):
        requests = [await start_request(client, surroundings, "before")]
        await eventually(lambda: _is_notified(surroundings, 1))
        async with start_worker(client, surroundings, "new", WithMoreInItsQuestions):
            requests += [await start_request(client, surroundings, name) for name in ("while-1", "while-2")]
            await eventually(lambda: _is_notified(surroundings, 3))
            for request in requests:
                await through_both(request)
            assert [settlement.outcome for settlement in await sign_all(surroundings, requests)] == [Status.SIGNED] * 3
    assert [await task_identities(request, EventType.EVENT_TYPE_WORKFLOW_TASK_FAILED) for request in requests] == [
        []
    ] * 3
    assert surroundings.count_notices("ready", "customer-signer") == 3


async def _is_notified(surroundings: Surroundings, times: int) -> bool:
    return surroundings.count_notices("ready", "customer-signer") >= times
