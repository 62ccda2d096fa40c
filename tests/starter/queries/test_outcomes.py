"""What became of a command: watched for a while, told as it is, and never told as done or undone when nobody knows."""

import asyncio
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta

import pytest
from temporalio.client import Client
from temporalio.contrib.pydantic import pydantic_data_converter
from temporalio.service import RetryConfig

from starter.errors import Refusal
from starter.queries import commands
from starter.queries.commands import CommandRefused, NotAdmitted
from starter.temporal.connection import Context
from tests.starter.queries.living import MSA, begin, wait_for_view, wait_until_signer_told
from tests.workflows.fakes import World, refusal
from tests.workflows.stage import workers
from workflows.model.commands import Cancellation, Command, Delegation, Extension, PauseCommand, ReminderCommand
from workflows.model.receipts import OTHER_CONTENT, OperationState
from workflows.model.subject import Code

pytestmark = pytest.mark.real_server

LEGAL, SIGNER = "legal-desk", "customer-signer"
DELEGATION = Delegation(actor=LEGAL, signer=SIGNER, to="customer-deputy", op="op-1")
AT_ONCE = timedelta()
IN_FLIGHT = 10
"""Updates of one workflow that the server admits while nobody answers them."""


@pytest.fixture
async def world(context: Context) -> AsyncIterator[World]:
    """Where the first signer was asked."""
    new_world = World()
    async with workers(context.client, new_world):
        await begin(context)
        await wait_until_signer_told(context)
        yield new_world


@pytest.mark.long
async def test_what_cannot_be_done_yet_was_asked_for_and_is_done_later(context: Context, world: World) -> None:
    world.signatures.failures = [refusal(Code.UNAUTHORISED) for _ in range(100)]
    first = await commands.make(context, MSA, DELEGATION, wait=AT_ONCE)
    await wait_for_view(context, lambda view: view.problem)
    repeated = await commands.make(context, MSA, DELEGATION, wait=timedelta(seconds=0.3))
    assert (first.state, repeated.state) == (OperationState.OPEN, OperationState.OPEN)
    assert repeated.detail == "hand over from customer-signer to customer-deputy"
    assert [operation.what for operation in repeated.outstanding] == ["delegate"]
    assert repeated.says.startswith("Problem unauthorised since")


async def test_one_who_waits_long_enough_hears_what_was_done(context: Context, world: World) -> None:
    receipt = await commands.make(context, MSA, DELEGATION)
    assert (receipt.state, receipt.detail, receipt.outstanding) == (
        OperationState.DONE,
        "handed over to customer-deputy",
        (),
    )
    assert receipt.says.startswith("Waiting for customer-deputy")


async def test_an_op_names_one_content_of_its_caller(context: Context, world: World) -> None:
    await commands.make(context, MSA, PauseCommand(actor=LEGAL, reason="prices", op="op-1"))
    repeated = await commands.make(context, MSA, PauseCommand(actor=LEGAL, reason="prices", op="op-1"))
    assert (repeated.op, repeated.state) == ("op-1", OperationState.DONE)
    with pytest.raises(CommandRefused, match="paused by legal-desk already"):
        await commands.make(context, MSA, PauseCommand(actor="someone@else", reason="prices", op="op-1"))
    with pytest.raises(CommandRefused, match=f"^{MSA}: {OTHER_CONTENT.english}$"):
        await commands.make(context, MSA, PauseCommand(actor=LEGAL, reason="holidays", op="op-1"))


@pytest.mark.long
async def test_more_than_ten_pending_changes_lock_nobody_out(context: Context, world: World) -> None:
    """While Core Signature, directory and phones are in trouble, each command is taken at once all the same."""
    for service in (world.signatures, world.planner, world.push):
        service.failures = [refusal(Code.UNAUTHORISED) for _ in range(1_000)]
    due = datetime.now(UTC) + timedelta(days=50)
    operators: list[Command] = [Extension(actor=LEGAL, due=due + timedelta(days=day)) for day in range(IN_FLIGHT + 2)]
    operators += [DELEGATION, ReminderCommand(actor=LEGAL, force=True), Cancellation(actor=LEGAL, reason="not needed")]
    receipts = [await commands.make(context, MSA, command, wait=AT_ONCE) for command in operators]
    assert {receipt.state for receipt in receipts} == {OperationState.OPEN}
    assert receipts[-1].further == len(operators) - 3


async def test_what_the_server_does_not_admit_was_not_done_and_what_it_holds_may_be(context: Context) -> None:
    await begin(context)
    impatient = await Client.connect(
        context.client.service_client.config.target_host,
        namespace=context.client.namespace,
        data_converter=pydantic_data_converter,
        retry_config=RetryConfig(max_elapsed_time_millis=1, max_retries=1),
    )

    async def send(number: int) -> None:
        pause = PauseCommand(actor=LEGAL)
        await commands.send(impatient, MSA, pause, f"op-{number}", time_limit=timedelta(seconds=1))

    outcomes = await asyncio.gather(*map(send, range(IN_FLIGHT)), return_exceptions=True)
    assert [str(outcome).partition(":")[0] for outcome in outcomes] == ["not confirmed, may still apply"] * IN_FLIGHT
    with pytest.raises(NotAdmitted, match=r"^nothing was changed: too many changes of this request wait"):
        await send(IN_FLIGHT)


@pytest.mark.parametrize(
    ("command", "message"),
    [
        (PauseCommand(actor="legal\ndesk"), "--as has the character U+000A, which people cannot see"),
        (PauseCommand(actor="legal\x1b[2J"), "--as has the character U+001B, which people cannot see"),
        (PauseCommand(actor=LEGAL, op="a\nb"), "--op has the character U+000A, which people cannot see"),
        (PauseCommand(actor=LEGAL, op="x" * 60), "--op is longer than 52 characters"),
    ],
)
async def test_a_name_that_cannot_be_shown_is_refused_before_anything_is_sent(
    context: Context, command: Command, message: str
) -> None:
    with pytest.raises(Refusal) as refused:
        await commands.make(context, "nowhere", command)
    assert str(refused.value) == message
