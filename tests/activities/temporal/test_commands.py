"""What activities ask of workflows that nobody works on, that stand still, or that close meanwhile."""

from collections.abc import Awaitable, Callable
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from temporalio.api.workflowservice.v1 import PauseWorkflowExecutionRequest
from temporalio.client import (
    CancelWorkflowInput,
    Client,
    Interceptor,
    OutboundInterceptor,
    TerminateWorkflowInput,
)
from temporalio.converter import PayloadCodec
from temporalio.exceptions import ApplicationError
from temporalio.service import RPCError, RPCStatusCode

from activities.temporal.commands import send_command, try_command
from starter.temporal.connection import Context
from tests.starter.queries.living import MSA, begin, desk_at
from workflows.kinds import Kind
from workflows.model.commands import AnyCommand, Cancellation, ReminderCommand, TaskCompletion
from workflows.model.subject import Code

pytestmark = pytest.mark.real_server

ID = Kind.REQUEST.workflow_id(MSA)
AT_ONCE = timedelta(seconds=0.5)
CANCELLATION = Cancellation(actor="legal-desk", reason="They went elsewhere.")
REMINDER = ReminderCommand(actor="legal-desk")


@pytest.fixture
async def client(dev_server: str, tmp_path: Path) -> Client:
    """Of a server where a request waits that nobody works on."""
    context: Context = await desk_at(dev_server, tmp_path)
    await begin(context)
    return context.client


async def cancelled_with(client: Client) -> list[str]:
    """What the run was cancelled with, each time that the server took it."""
    events = (await client.get_workflow_handle(ID).fetch_history()).events
    return [
        event.workflow_execution_cancel_requested_event_attributes.cause
        for event in events
        if event.HasField("workflow_execution_cancel_requested_event_attributes")
    ]


async def test_a_cancellation_that_nobody_answers_keeps_who_wants_it_and_why(client: Client) -> None:
    for _ in range(2):
        assert await send_command(client, ID, CANCELLATION, "op", time_limit=AT_ONCE) is None
    (cancellation_reason,) = await cancelled_with(client)
    assert Cancellation.read(cancellation_reason) == CANCELLATION


async def test_no_words_that_are_encrypted_elsewhere_are_told_to_the_server(client: Client) -> None:
    config = client.config()
    config["data_converter"] = replace(config["data_converter"], payload_codec=Untouched())
    assert await send_command(Client(**config), ID, CANCELLATION, "op", time_limit=AT_ONCE) is None
    (cancellation_reason,) = await cancelled_with(client)
    assert Cancellation.read(cancellation_reason) == CANCELLATION.replace(reason="")


@pytest.mark.parametrize("command", [TaskCompletion(actor="legal-desk"), REMINDER])
async def test_what_else_nobody_answers_may_pass_and_cancels_nothing(client: Client, command: AnyCommand) -> None:
    with pytest.raises(ApplicationError, match="no worker answers") as failure:
        await send_command(client, ID, command, "op", time_limit=AT_ONCE)
    assert (failure.value.type, failure.value.non_retryable) == (Code.UNREACHABLE, False)
    assert await cancelled_with(client) == []


async def test_of_a_pause_is_told_in_words_and_what_was_done_waits_for_its_end(client: Client) -> None:
    await client.workflow_service.pause_workflow_execution(
        PauseWorkflowExecutionRequest(namespace=client.namespace, workflow_id=ID, identity="i", request_id="pause")
    )
    assert (
        await send_command(client, ID, REMINDER, "op")
        == await try_command(client, ID, REMINDER, "op")
        == "it is paused in Temporal"
    )
    with pytest.raises(ApplicationError, match="it is paused in Temporal"):
        await send_command(client, ID, TaskCompletion(actor="legal-desk"), "op")
    assert await cancelled_with(client) == []
    assert await send_command(client, ID, CANCELLATION, "op") is None
    assert len(await cancelled_with(client)) == 1


async def test_an_offer_that_nobody_answers_is_told_in_words(client: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("activities.temporal.commands.ANSWERS_WITHIN", AT_ONCE)
    assert await try_command(client, ID, REMINDER, "op") == "no worker answers"


async def test_what_closes_before_it_is_cancelled_is_ended(client: Client) -> None:
    async def closes(next: OutboundInterceptor) -> None:
        await next.terminate_workflow(TerminateWorkflowInput(ID, None, None, (), "", {}, None))

    assert await send_command(before_a_cancellation(client, closes), ID, CANCELLATION, "op", time_limit=AT_ONCE) is None


async def test_its_cancellation_takes_no_longer_than_it_may_take_to_answer(client: Client) -> None:
    """Who asks by Nexus waits ten seconds for both."""
    timeouts: list[timedelta | None] = []
    patched_client = before_a_cancellation(client, no_time, timeouts)
    assert await send_command(patched_client, ID, CANCELLATION, "op", time_limit=AT_ONCE) is None
    assert timeouts == [AT_ONCE]


async def no_time(_: OutboundInterceptor) -> None:
    """Nothing happens."""


async def test_a_server_that_is_away_when_it_is_to_cancel_is_a_failure_of_its_own_kind(client: Client) -> None:
    async def fail_unavailable(_: OutboundInterceptor) -> None:
        raise RPCError("canary", RPCStatusCode.UNAVAILABLE, b"")

    with pytest.raises(ApplicationError, match="Temporal: UNAVAILABLE") as failure:
        await send_command(before_a_cancellation(client, fail_unavailable), ID, CANCELLATION, "op", time_limit=AT_ONCE)
    assert (failure.value.type, failure.value.non_retryable) == (Code.UNREACHABLE, False)


def before_a_cancellation(
    client: Client,
    happens: Callable[[OutboundInterceptor], Awaitable[None]],
    timeouts: list[timedelta | None] | None = None,
) -> Client:
    """The same client, to whose cancellations something happens first; how long each may take is `seen`."""

    class First(OutboundInterceptor):
        async def cancel_workflow(self, input: CancelWorkflowInput) -> None:
            if timeouts is not None:
                timeouts.append(input.rpc_timeout)
            await happens(self.next)
            await super().cancel_workflow(input)

    class Firsts(Interceptor):
        def intercept_client(self, next: OutboundInterceptor) -> OutboundInterceptor:
            return First(next)

    config = client.config()
    config["interceptors"] = [Firsts()]
    return Client(**config)


class Untouched(PayloadCodec):
    """As one that encrypts, for a worker that has no keys."""

    async def encode(self, payloads: Any) -> list[Any]:
        """As they are."""
        return list(payloads)

    async def decode(self, payloads: Any) -> list[Any]:
        """As they are."""
        return list(payloads)
