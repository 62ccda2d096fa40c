"""What is asked of a living request, on a real server: taken once for each `op`, refused in words, in the timeline."""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, date, datetime, timedelta

import pytest
from temporalio.api.enums.v1 import WorkflowTaskFailedCause
from temporalio.api.taskqueue.v1 import TaskQueue
from temporalio.api.workflowservice.v1 import (
    PollWorkflowTaskQueueRequest,
    RespondWorkflowTaskCompletedRequest,
    RespondWorkflowTaskFailedRequest,
)
from temporalio.client import Client
from temporalio.contrib.pydantic import pydantic_data_converter

from activities.temporal import executions as runs
from activities.temporal.commands import send_command
from activities.temporal.updates import answered
from starter.cli import start_files
from starter.errors import Refusal
from starter.queries import commands
from starter.queries.commands import CommandRefused, NotConfirmed, NotRunning
from starter.temporal.connection import Context, TemporalRefusal
from tests.servers import own_namespace
from tests.starter.queries.living import MSA, begin, wait_for_status, wait_until_signer_told
from tests.storage import take_table_away
from tests.workflows.fakes import World, refusal
from tests.workflows.stage import workers
from workflows import names
from workflows.kinds import Kind
from workflows.model.commands import (
    UPDATES,
    Answer,
    Cancellation,
    Command,
    Delegation,
    Extension,
    PauseCommand,
    Question,
    ReminderCommand,
    Resumption,
    SnoozeCommand,
)
from workflows.model.receipts import OTHER_CONTENT, OperationState
from workflows.model.rejections import Rejection
from workflows.model.signature import SignerState
from workflows.model.subject import Code, Status

pytestmark = pytest.mark.real_server

LEGAL, SIGNER = "legal-desk", "customer-signer"
CANCELLATION = Cancellation(reason="not needed", actor=LEGAL)
AT_ONCE = timedelta(seconds=0.3)


@asynccontextmanager
async def sent_request(context: Context, world: World | None = None) -> AsyncIterator[World]:
    """A request whose first signer was asked."""
    world = world or World()
    async with workers(context.client, world):
        await begin(context)
        await wait_until_signer_told(context)
        yield world


def in_days(days: int) -> datetime:
    return datetime.now(UTC) + timedelta(days=days)


@pytest.mark.long
async def test_every_command_is_taken_and_says_who_had_it(context: Context) -> None:
    due = in_days(20)
    operators: list[Command] = [
        ReminderCommand(actor=LEGAL, force=True),
        Extension(actor=LEGAL, due=due),
        PauseCommand(actor=LEGAL, reason="a question of price"),
        Resumption(actor=LEGAL),
        Delegation(actor=LEGAL, signer=SIGNER, to="customer-deputy"),
    ]
    async with sent_request(context):
        await commands.send(context.client, MSA, SnoozeCommand(person=SIGNER, until=in_days(1)), "page-1")
        await commands.send(context.client, MSA, Question(person=SIGNER, text="Which annex?"), "page-2")
        await commands.make(context, MSA, Answer(actor=LEGAL, text="Annex B."))
        changed = [await commands.make(context, MSA, command) for command in operators]
        view = await start_files.show(context, MSA)
    entries = [(entry.what.partition(" ")[0], entry.who, entry.because or None) for entry in view.timeline]
    assert ("not", SIGNER, None) in entries
    assert ("question", SIGNER, None) in entries
    assert ("question", LEGAL, None) in entries
    assert ("reminder", LEGAL, None) in entries
    assert ("due", LEGAL, None) in entries
    assert ("paused", LEGAL, "a question of price") in entries
    assert ("resumed", LEGAL, None) in entries
    assert ("handed", SIGNER, f"by hand, by {LEGAL}") in entries
    assert view.due_at == due
    assert [waiting.person for waiting in view.waiting_for] == ["customer-deputy"]
    assert [(question.text, question.answer) for question in view.answered] == [("Which annex?", "Annex B.")]
    assert {receipt.id for receipt in changed} == {MSA}
    assert changed[-1].says.startswith("Waiting for customer-deputy until")


async def test_the_same_op_is_one_change_and_each_word_makes_its_own(context: Context) -> None:
    async with sent_request(context) as world:
        first = await commands.make(context, MSA, ReminderCommand(actor=LEGAL, force=True, op="op-1"))
        repeated = await commands.make(context, MSA, ReminderCommand(actor=LEGAL, force=True, op="op-1"))
        second = await commands.make(context, MSA, ReminderCommand(actor=LEGAL, force=True))
    assert (first.op, repeated.op) == ("op-1", "op-1")
    assert second.op not in ("", "op-1")
    assert [stage for stage, _ in world.push.stages()] == ["ready", "reminder-manual-1", "reminder-manual-2"]


@pytest.mark.long
async def test_an_op_names_one_command_of_its_caller(context: Context) -> None:
    async with sent_request(context):
        paused = await commands.make(context, MSA, PauseCommand(actor=LEGAL, op="T-12"))
        with pytest.raises(CommandRefused, match="another change has this name already"):
            await commands.make(context, MSA, Resumption(actor=LEGAL, op="T-12"))
        resumed = await commands.make(context, MSA, Resumption(actor="chair", op="T-12"))
    assert (paused.op, resumed.op) == ("T-12", "T-12")
    assert "reminders are paused" in paused.says
    assert "reminders are paused" not in resumed.says


@pytest.mark.parametrize(
    ("command", "message"),
    [
        (Resumption(actor=LEGAL), "it is not paused"),
        (ReminderCommand(actor=LEGAL), "insist with --force"),
        (Answer(actor=LEGAL, text="Annex B."), "no question is open"),
        (Extension(actor=LEGAL, due=datetime(2020, 1, 1, tzinfo=UTC)), "has passed"),
        (Extension(actor=LEGAL, due=date(2020, 1, 1)), "2020-01-01 has passed"),
        (Delegation(actor=LEGAL, signer="nobody", to="chair"), "nobody is not one of the signers of this request"),
        (Cancellation(actor=LEGAL, reason=" "), "a cancellation needs a reason"),
    ],
)
async def test_what_makes_no_sense_is_one_line_and_changes_nothing(
    context: Context, command: Command, message: str
) -> None:
    async with sent_request(context):
        view_before = await start_files.show(context, MSA)
        with pytest.raises(CommandRefused, match=f"^{MSA}: .*{message}$"):
            await commands.make(context, MSA, command)
        assert await start_files.show(context, MSA) == view_before


async def test_what_core_signature_refuses_is_one_line_too(context: Context) -> None:
    async with sent_request(context) as world:
        world.signatures.forward_refusals.append(
            Rejection.NOT_IN_DIRECTORY.to_message(person="ghost", where="the directory", hint="")
        )
        with pytest.raises(CommandRefused, match=f'^{MSA}: "ghost" is not in the directory$'):
            await commands.make(context, MSA, Delegation(actor=LEGAL, signer=SIGNER, to="ghost"))


async def test_cancelling_ends_it_and_repeating_changes_nothing(context: Context) -> None:
    async with sent_request(context) as world:
        first = await commands.make(context, MSA, CANCELLATION.replace(op="op-1"))
        repeated = await commands.make(context, MSA, CANCELLATION.replace(op="op-1"))
        second = await commands.make(context, MSA, CANCELLATION.replace(op="op-2"))
    assert {first.status, repeated.status, second.status} == {Status.CANCELLED}
    assert (first.op, repeated.op) == ("op-1", "op-1")
    assert len(world.signatures.cancelled) == 1


async def test_cancelling_what_is_signed_comes_too_late(context: Context) -> None:
    world = World()
    world.signatures.status = Status.SIGNED
    world.signatures.sign(SIGNER)
    world.signatures.sign("chief-executive", SignerState.SIGNED)
    async with workers(context.client, world):
        await begin(context)
        await wait_for_status(context, Status.SIGNED)
        with pytest.raises(Refusal, match=f"{MSA}: too late"):
            await commands.make(context, MSA, CANCELLATION)


@pytest.mark.long
async def test_a_command_for_what_has_ended_comes_too_late(context: Context) -> None:
    async with sent_request(context):
        await commands.make(context, MSA, CANCELLATION)
        await context.client.get_workflow_handle(f"signature-request:{MSA}").result()
        with pytest.raises(NotRunning, match=f"^{MSA}: too late, the request is cancelled$"):
            await commands.make(context, MSA, PauseCommand(actor=LEGAL))


async def test_a_command_that_was_taken_is_confirmed_even_after_the_end(context: Context) -> None:
    pause = PauseCommand(actor=LEGAL, op="op-7")
    async with sent_request(context):
        await commands.make(context, MSA, pause)
        await commands.make(context, MSA, CANCELLATION)
        await context.client.get_workflow_handle(f"signature-request:{MSA}").result()
        assert (await commands.make(context, MSA, pause)).op == "op-7"


@pytest.mark.long
async def test_a_command_is_answered_as_before_for_thirty_days_also_when_its_request_was_forgotten(
    context: Context, dev_server: str
) -> None:
    pause = PauseCommand(actor=LEGAL, reason="prices", op="op-7")
    async with sent_request(context) as world:
        first = await commands.make(context, MSA, pause)
        world.signatures.failures = [refusal(Code.UNAUTHORISED) for _ in range(100)]
        handed_over = Delegation(actor=LEGAL, signer=SIGNER, to="customer-deputy", op="op-8")
        asked_for = await commands.make(context, MSA, handed_over, wait=AT_ONCE)
        world.signatures.failures = []
        await commands.make(context, MSA, CANCELLATION.replace(op="op-9"))
        await context.client.get_workflow_handle(f"signature-request:{MSA}").result()
    context = Context(await own_namespace(dev_server), context.store)
    assert await commands.make(context, MSA, pause) == first
    assert (await commands.make(context, MSA, CANCELLATION.replace(op="op-9"))).status is Status.CANCELLED
    assert asked_for.state is OperationState.OPEN
    assert await commands.make(context, MSA, handed_over) == asked_for
    with pytest.raises(CommandRefused, match=f"^{MSA}: {OTHER_CONTENT}$"):
        await commands.make(context, MSA, pause.replace(reason="holidays"))
    with pytest.raises(Refusal, match="no request"):
        await commands.make(context, MSA, pause.replace(op="op-10"))
    with take_table_away(context.store, "receipts"), pytest.raises(Refusal, match="no request"):
        await commands.make(context, MSA, pause)
    assert await context.store.receipts.drop(datetime.now(UTC) + timedelta(days=29)) == 0
    assert await context.store.receipts.drop(datetime.now(UTC) + timedelta(days=31)) == 3


async def test_a_command_for_what_somebody_terminated_says_so(context: Context) -> None:
    async with sent_request(context):
        await context.client.get_workflow_handle(f"signature-request:{MSA}").terminate("by hand")
        with pytest.raises(NotRunning, match=f"^{MSA}: The workflow was terminated"):
            await commands.make(context, MSA, PauseCommand(actor=LEGAL))


@pytest.mark.parametrize(
    "command", [CANCELLATION, ReminderCommand(actor=LEGAL), Extension(actor=LEGAL, due=in_days(9))]
)
async def test_a_command_nobody_confirms_says_how_to_repeat_it(context: Context, command: Command) -> None:
    await begin(context)
    with pytest.raises(NotConfirmed, match="not confirmed, may still apply: repeat with --op op-7"):
        await commands.make(context, MSA, command.replace(op="op-7"), time_limit=AT_ONCE)


async def test_a_command_nobody_confirmed_is_made_once_when_it_is_repeated(context: Context) -> None:
    await begin(context)
    pause = PauseCommand(actor=LEGAL, op="op-7")
    with pytest.raises(NotConfirmed):
        await commands.make(context, MSA, pause, time_limit=AT_ONCE)
    async with workers(context.client, World()):
        changed = await commands.make(context, MSA, pause)
        view = await start_files.show(context, MSA)
    assert changed.op == "op-7"
    assert [entry.what for entry in view.timeline].count("paused") == 1


@pytest.mark.long
async def test_many_who_send_the_same_command_at_once_all_get_an_answer(context: Context) -> None:
    due = in_days(20)
    async with sent_request(context):
        await asyncio.gather(*(commands.make(context, MSA, Extension(actor=LEGAL, due=due)) for _ in range(20)))
        view = await start_files.show(context, MSA)
    assert [entry.what.startswith("due date moved") for entry in view.timeline].count(True) == 1


@pytest.mark.long
async def test_of_two_operators_in_conflict_the_last_word_holds_and_both_stand_in_the_timeline(
    context: Context,
) -> None:
    """As many at once as Temporal has under way: none is lost."""
    of_legal = [Extension(actor=LEGAL, due=in_days(20 + number)) for number in range(5)]
    of_sales = [Extension(actor="sales-desk", due=in_days(50 + number)) for number in range(5)]
    extensions = [command for pair in zip(of_legal, of_sales, strict=True) for command in pair]
    async with sent_request(context):
        await asyncio.gather(*(commands.make(context, MSA, command) for command in extensions))
        view = await start_files.show(context, MSA)
    due_moves = [entry for entry in view.timeline if entry.what.startswith("due date moved")]
    assert Counter(entry.who for entry in due_moves) == {LEGAL: 5, "sales-desk": 5}
    assert view.due_at in {command.due for command in extensions if command.actor == due_moves[-1].who}


async def test_an_unknown_request_is_refused(context: Context) -> None:
    with pytest.raises(Refusal, match="no request nowhere"):
        await commands.make(context, "nowhere", CANCELLATION)


async def test_a_request_whose_workflow_task_fails_confirms_nothing_and_says_why(context: Context) -> None:
    """Every deploy of code that does not fit: after some failures the server answers instead of the worker."""
    await begin(context)
    for _ in range(4):
        await fail_a_task(context)
    with pytest.raises(NotConfirmed, match=r"repeat with --op op-7 \(Temporal: .*Workflow Task in failed state"):
        await commands.make(context, MSA, PauseCommand(actor=LEGAL, op="op-7"))


async def test_of_a_request_whose_workflow_task_fails_an_activity_hears_at_once_and_its_end_is_remembered(
    context: Context,
) -> None:
    """One such request holds up no walk over an audience, and no end of an onboarding's parts."""
    await begin(context)
    for _ in range(4):
        await fail_a_task(context)
    workflow_id = Kind.REQUEST.workflow_id(MSA)
    later = Extension(actor=LEGAL, due=in_days(20))
    assert await send_command(context.client, workflow_id, later, "campaign-1") == "its workflow task fails"
    assert await send_command(context.client, workflow_id, CANCELLATION, "campaign-2") is None
    raw = (await runs.described(context.client, workflow_id)).raw
    assert raw.workflow_extended_info.cancel_requested


async def test_a_command_that_a_worker_passes_over_is_sent_again(context: Context) -> None:
    """The server calls it rejected; the workflow has said nothing."""
    await begin(context)
    pending = [
        asyncio.create_task(commands.make(context, MSA, PauseCommand(actor=LEGAL, op="op-7"))),
        asyncio.create_task(
            send_command(context.client, Kind.REQUEST.workflow_id(MSA), ReminderCommand(actor=LEGAL), "look-1")
        ),
    ]
    await pass_over(context, updates=2)
    async with workers(context.client, World()):
        await asyncio.gather(*pending)
        view = await start_files.show(context, MSA)
    assert [entry.what for entry in view.timeline].count("paused") == 1


async def test_a_command_that_every_worker_passes_over_is_not_confirmed(context: Context) -> None:
    await begin(context)
    over_and_over = asyncio.create_task(pass_over(context, updates=1_000))
    with pytest.raises(NotConfirmed, match="repeat with --op op-7"):
        await commands.make(context, MSA, PauseCommand(actor=LEGAL, op="op-7"), time_limit=timedelta(seconds=1))
    over_and_over.cancel()


async def test_who_is_cancelled_while_they_ask_is_cancelled_and_not_told_that_nobody_answers(context: Context) -> None:
    """Else a worker that is to end would go on with its walk, and have runs cancelled for which others work."""
    await begin(context)
    asking, handle = asyncio.Event(), context.client.get_workflow_handle(Kind.REQUEST.workflow_id(MSA))

    async def ask() -> object:
        asking.set()
        return await handle.execute_update(UPDATES[Cancellation], CANCELLATION, id="cancel-1")

    walk = asyncio.create_task(answered(ask, timedelta(seconds=20)))
    await asking.wait()
    walk.cancel()
    with pytest.raises(asyncio.CancelledError):
        await walk


async def test_what_temporal_does_not_take_is_said_in_its_words(context: Context) -> None:
    async with sent_request(context):
        with pytest.raises(TemporalRefusal, match=r"^Temporal answered invalid argument: .*length"):
            await commands.send(context.client, MSA, PauseCommand(actor=LEGAL), "x" * 2_000)
        assert "reminders are paused" not in (await start_files.show(context, MSA)).says


async def fail_a_task(context: Context) -> None:
    """Do as a worker does whose code does not fit; the SDK's own would leave later attempts to their time-outs."""
    service, namespace = context.client.workflow_service, context.client.namespace
    queue = TaskQueue(name=names.WORKFLOW_QUEUE)
    task = await service.poll_workflow_task_queue(PollWorkflowTaskQueueRequest(namespace=namespace, task_queue=queue))
    cause = WorkflowTaskFailedCause.WORKFLOW_TASK_FAILED_CAUSE_NON_DETERMINISTIC_ERROR
    await service.respond_workflow_task_failed(
        RespondWorkflowTaskFailedRequest(namespace=namespace, task_token=task.task_token, cause=cause)
    )


async def pass_over(context: Context, updates: int) -> None:
    """Do as a worker does that finishes its tasks without a word about that many updates that came with them."""
    service, namespace = context.client.workflow_service, context.client.namespace
    queue = TaskQueue(name=names.WORKFLOW_QUEUE)
    while updates > 0:
        task = await service.poll_workflow_task_queue(
            PollWorkflowTaskQueueRequest(namespace=namespace, task_queue=queue)
        )
        await service.respond_workflow_task_completed(
            RespondWorkflowTaskCompletedRequest(namespace=namespace, task_token=task.task_token)
        )
        updates -= len(task.messages)


async def test_without_a_server_nothing_is_confirmed() -> None:
    client = await Client.connect("127.0.0.1:1", lazy=True, data_converter=pydantic_data_converter)
    with pytest.raises(NotConfirmed):
        await commands.send(client, MSA, Question(person=SIGNER, text="Which annex?"), "page-1", time_limit=AT_ONCE)
