"""The life of a task: everybody is asked at once, and the first to do it ends it for all."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta

import pytest
from temporalio.client import WorkflowHandle, WorkflowUpdateFailedError

from tests.messages import english_of
from tests.servers import time_skipping
from tests.workflows import corpus
from tests.workflows.fakes import World
from tests.workflows.stage import NO_OFFER, Story, workers
from workflows.follow_up import commands as operations
from workflows.follow_up import commands as questions
from workflows.follow_up import commands as receipts
from workflows.follow_up.next_step import HORIZON
from workflows.kinds import Kind
from workflows.model.commands import (
    Answer,
    AnyCommand,
    Block,
    Cancellation,
    Delegation,
    Ending,
    Extension,
    PauseCommand,
    Question,
    ReminderCommand,
    Resumption,
    SnoozeCommand,
    TaskCompletion,
    Unblock,
    Waiver,
)
from workflows.model.hand_off import SettledTask
from workflows.model.notifications import NoticeAction
from workflows.model.policy import Policy, Target
from workflows.model.receipts import OperationState
from workflows.model.schedule import Schedule
from workflows.model.subject import AnswerField, Participant, Role, Status, Task
from workflows.model.timeline import EventType
from workflows.model.views import AttentionCode, GivenAnswer, TaskShow
from workflows.names import SHOW, WAITING_FOR, WORKFLOW_QUEUE
from workflows.task.state import TaskInput, TaskState, block, refuse_block, refuse_stranger
from workflows.task.workflow import TaskWorkflow

ADA, BEN, OWNER = "ada", "ben", "account-executive"
_GLANCE = 0.005
_NO_GATES = 5_000
"""Nothing holds a task up here, so it is waited for however slow the machine is."""
CRM = Target(target="crm", url="https://crm.example/hooks")
NOW = datetime(2026, 11, 26, 14, 0, tzinfo=UTC)
_LAST_OF_ALL = "9999-12-31T23:59:59-14:00"
OPEN_END = Policy(expires=False, handoff=(CRM,), tell_requester=NO_OFFER)


def a_task(*people: str, policy: Policy = OPEN_END, subscribers: tuple[str, ...] = ()) -> TaskInput:
    """Creating an account, for a team of two unless others are given."""
    assignees = tuple(Participant(person=person, role=Role.DO) for person in people or (ADA, BEN))
    task = Task(id="acme.account", kind="team-task", title="Create the account", requester=OWNER, people=assignees)
    return TaskInput(task=task, policy=policy, fingerprint="f" * 64, subscribers=subscribers)


class TaskStory(Story):
    """One task on the stage."""

    handle: WorkflowHandle[TaskWorkflow, SettledTask]  # type: ignore[assignment]

    async def read_task(self) -> TaskShow:
        """What `task show` would say now."""
        view: TaskShow = await self.handle.query(SHOW, result_type=TaskShow)
        return view

    async def read_refusal(self, command: AnyCommand) -> str:
        """Why a command is not taken."""
        with pytest.raises(WorkflowUpdateFailedError) as refusal:
            await self.send_command(command)
        return str(refusal.value.cause).removeprefix("refused: ")

    async def wait_until_notified(self, stage: str, person: str) -> None:
        """Until somebody was told something, and that is written down."""
        for _ in range(_NO_GATES):
            if any((line.stage, line.person) == (stage, person) for line in (await self.read_task()).notifications):
                return await self.at_rest()
            await asyncio.sleep(_GLANCE)
        raise AssertionError(f"{person} was never told: {stage}")


@asynccontextmanager
async def start_task(world: World, task_input: TaskInput | None = None, record: str = "") -> AsyncIterator[TaskStory]:
    """A task that has just been started on a fresh clock."""
    task_input = task_input or a_task()
    async with time_skipping() as env, workers(env.client, world):
        handle = await env.client.start_workflow(
            TaskWorkflow.run, task_input, id=Kind.TASK.workflow_id(task_input.task.id), task_queue=WORKFLOW_QUEUE
        )
        task = TaskStory(env, world, handle, glances=_NO_GATES)  # type: ignore[arg-type]
        for person in task_input.task.people:
            await task.wait_until_notified("ready", person.person)
        yield task
        await corpus.record(record, handle)


def sent_stages(world: World) -> list[tuple[str, str]]:
    """What was sent to whom, in order."""
    return world.push.stages()


async def test_all_are_asked_and_the_first_to_do_it_ends_it_for_all() -> None:
    world = World()
    async with start_task(world, record="task-done") as task:
        assert sorted(sent_stages(world)) == [("ready", ADA), ("ready", BEN)]
        assert (await task.read_task()).status is Status.OPEN
        receipt = await task.send_command(TaskCompletion(actor=BEN, note="It was there already."))
        assert (receipt.status, receipt.state, receipt.detail) == (Status.DONE, OperationState.DONE, "done")
        settlement = await task.handle.result()
        assert (settlement.outcome, settlement.by, settlement.late) == (Status.DONE, BEN, False)
        assert {person.person: person.state for person in settlement.people} == {ADA: "spared", BEN: "done"}
        view = await task.read_task()
        assert view.done_by == BEN
        assert ("done", BEN, "It was there already.") in [(entry.what, entry.who, entry.why) for entry in view.timeline]
    (batch, *_) = world.handoff.batches
    taken_off = {notice.person for notice in world.handoff.notices if notice.action is NoticeAction.WITHDRAW}
    assert taken_off == {ADA, BEN}
    assert {call.target.target for call in batch.calls} >= {"crm", f"notice:{OWNER}"}


async def test_a_task_of_a_group_waits_for_the_group_as_well_as_for_its_people() -> None:
    task_input = a_task()
    async with start_task(World(), task_input.replace(task=task_input.task.replace(group="operations"))) as task:
        waiting = (await task.handle.describe()).typed_search_attributes.get(WAITING_FOR)
        assert list(waiting or ()) == ["group:operations", ADA, BEN]
        view = await task.read_task()
        assert (view.group, [waiting.person for waiting in view.waiting_for]) == ("operations", [ADA, BEN])
        await task.send_command(TaskCompletion(actor=BEN))
        await task.handle.result()
        assert not (await task.handle.describe()).typed_search_attributes.get(WAITING_FOR)


async def test_a_task_stays_open_after_its_due_date_and_is_followed_up() -> None:
    world = World()
    world.planner.overdue = timedelta(days=2)
    async with start_task(world, a_task(ADA), record="task-overdue") as task:
        await task.days_pass(37)
        view = await task.read_task()
        assert (view.status, view.overdue, view.closes_at) == (Status.OPEN, True, None)
        assert [stage for stage, _ in sent_stages(world) if stage.startswith("overdue")] == [
            "overdue-1",
            "overdue-2",
            "overdue-3",
        ]
        await task.send_command(TaskCompletion(actor=ADA))
        assert (await task.handle.result()).late


@pytest.mark.parametrize(("offset_microseconds", "late"), [(-1, False), (0, False), (1, True)])
def test_a_task_that_is_done_in_the_very_instant_of_the_due_date_is_done_in_time(
    offset_microseconds: int, late: bool
) -> None:
    due = NOW + timedelta(days=30)
    state = TaskState.begin(a_task().task, NOW).planned(Schedule(due_at=due, closes_at=due + timedelta(days=9)), NOW)
    closed = state.close(
        Ending(outcome=Status.DONE, who=ADA, why=""), due + timedelta(microseconds=offset_microseconds)
    )
    slot = closed.slots.find(ADA)
    assert slot is not None and closed.acted_late(slot) is late


def test_whoever_did_it_late_was_late_and_nobody_else_who_was_asked() -> None:
    due = NOW + timedelta(days=30)
    state = TaskState.begin(a_task().task, NOW).planned(Schedule(due_at=due, closes_at=due + timedelta(days=9)), NOW)
    closed = state.close(Ending(outcome=Status.DONE, who=ADA, why=""), due + timedelta(days=1))
    assert {person.person: closed.acted_late(person) for person in closed.slots.people} == {ADA: True, BEN: False}


@pytest.mark.parametrize(("actor", "refused"), [(ADA, True), (OWNER, False)])
def test_whoever_is_asked_hands_over_to_a_colleague_alone_and_the_owner_to_anybody(actor: str, refused: bool) -> None:
    team_task = a_task(ADA).task.replace(colleagues=("carl",))
    assert (refuse_stranger(team_task, Delegation(actor=actor, signer=ADA, to="dora")) is not None) is refused
    assert refuse_stranger(team_task, Delegation(actor=actor, signer=ADA, to="carl")) is None


async def test_a_task_expires_only_where_its_policy_says_so() -> None:
    async with start_task(World(), a_task(ADA, policy=Policy())) as task:
        await task.days_pass(31)
        assert (await task.handle.result()).outcome is Status.EXPIRED


async def test_who_cannot_go_on_is_heard_and_the_clocks_stand_until_the_way_is_clear() -> None:
    world = World()
    async with start_task(world, a_task(ADA), record="task-blocked") as task:
        await task.days_pass(1)
        await task.send_command(Block(person=ADA, because="There is no order form."))
        await task.wait_until_notified("blocked-1", OWNER)
        view = await task.read_task()
        assert [attention.code for attention in view.attention] == [AttentionCode.BLOCKED]
        assert f"blocked by {ADA}" in view.says
        assert view.question is not None and view.question.text == "There is no order form."
        assert await task.read_refusal(Block(person=ADA, because="Still none.")) == "it is blocked already"
        due_before = view.due_at
        await task.days_pass(2)
        assert [stage for stage, _ in sent_stages(world) if stage.startswith("reminder")] == []
        await task.send_command(Unblock(actor=OWNER, text="It is in the folder now."))
        await task.wait_until_notified("answer-1", ADA)
        view_after = await task.read_task()
        assert due_before is not None and view_after.due_at is not None
        at_by_event = {entry.happened: entry.at for entry in view_after.timeline}
        assert view_after.due_at - due_before == at_by_event[EventType.UNBLOCKED] - at_by_event[EventType.BLOCKED]
        assert await task.read_refusal(Unblock(actor=OWNER, text="")) == "the task is not blocked"


async def test_who_is_not_asked_any_more_or_never_was_can_neither_block_nor_ask_nor_put_off() -> None:
    """Refused by the workflow, whatever page or command let it through."""
    async with start_task(World(), a_task(ADA)) as task:
        await task.send_command(Delegation(actor=ADA, signer=ADA, to="dora"))
        for person in (ADA, OWNER, "stranger"):
            for command in (
                Block(person=person, because="There is no order form."),
                Question(person=person, text="Which plan?"),
                SnoozeCommand(person=person, until=NOW + timedelta(days=1)),
            ):
                assert await task.read_refusal(command) == f"it is not {person}'s turn"
        view = await task.read_task()
        assert (view.question, view.attention) == (None, ())
        assert [entry.happened for entry in view.timeline if entry.happened is EventType.BLOCKED] == []


async def test_a_question_is_answered_and_is_no_block() -> None:
    world = World()
    async with start_task(world, a_task(ADA)) as task:
        await task.send_command(Question(person=ADA, text="Which plan?"))
        await task.wait_until_notified("question-1", OWNER)
        assert await task.read_refusal(Unblock(actor=OWNER, text="")) == "the task is not blocked"
        await task.send_command(Answer(actor=OWNER, text="The large one."))
        await task.wait_until_notified("answer-1", ADA)
        assert (await task.read_task()).question is None


def test_ten_times_as_many_questions_and_blocks_as_are_remembered() -> None:
    state = TaskState.begin(a_task().task, NOW)
    question, blocked = Question(person=ADA, text="Which plan?"), Block(person=ADA, because="No order form.")
    for _ in range(5 * questions.QUESTIONS_AT_MOST):
        if questions.refuse_ask(state, question) is None:
            state = questions.answer(
                questions.ask(state, question, NOW), Answer(actor=OWNER, text="The large one."), NOW
            )
        if refuse_block(state, blocked) is None:
            state = questions.answer(block(state, blocked, NOW), Unblock(actor=OWNER, text=""), NOW)
    assert len(state.questions.entries) == questions.QUESTIONS_AT_MOST
    message = f"{questions.QUESTIONS_AT_MOST} questions were asked already, and there can be no more"
    assert {english_of(questions.refuse_ask(state, question)), english_of(refuse_block(state, blocked))} == {message}


async def test_what_is_waived_or_cancelled_is_over_at_once() -> None:
    for command, outcome, record in (
        (Waiver(actor=OWNER, reason="not needed"), Status.WAIVED, "task-waived"),
        (Cancellation(actor=OWNER, reason="the deal is off"), Status.CANCELLED, ""),
    ):
        world = World()
        async with start_task(world, record=record) as task:
            receipt = await task.send_command(command)
            assert receipt.state is OperationState.DONE
            assert (await task.handle.result()).outcome is outcome
        heard = {notice.person for notice in world.handoff.notices}
        assert heard == {OWNER, ADA, BEN}


async def test_what_asks_for_an_answer_is_not_done_without_it_and_the_answer_is_in_the_record() -> None:
    world = World()
    asking = a_task(ADA)
    asking = asking.replace(task=asking.task.replace(answer=AnswerField(label="Address", lines=4)))
    async with start_task(world, asking, record="task-answered") as task:
        with pytest.raises(WorkflowUpdateFailedError) as refused:
            await task.send_command(TaskCompletion(actor=ADA, note="  "))
        assert "an answer is needed: Address" in str(refused.value.cause)
        await task.send_command(TaskCompletion(actor=ADA, note="1 Rue du Port"))
        await task.handle.result()
        view = await task.handle.query(SHOW, result_type=TaskShow)
    assert view.answer == GivenAnswer(label="Address", lines=4, text="1 Rue du Port")
    records = [batch.record for batch in world.handoff.batches if batch.record]
    assert isinstance(records[0].show, TaskShow) and records[0].show.answer == view.answer
    assert [(entry.what, entry.said) for entry in view.timeline if entry.why == "1 Rue du Port"] == [("done", True)]


async def test_a_place_is_handed_over_to_who_is_there() -> None:
    world = World()
    world.planner.absent_people = {"carl"}
    async with start_task(world, a_task(ADA), record="task-handed-over") as task:
        refused = await task.send_command(Delegation(actor=ADA, signer=ADA, to="carl"))
        assert (refused.state, refused.detail) == (OperationState.REFUSED, "carl is away: insist with --force")
        receipt = await task.send_command(Delegation(actor=ADA, signer=ADA, to="dora"))
        assert (receipt.state, receipt.detail) == (OperationState.DONE, "handed over to dora")
        await task.wait_until_notified("ready", "dora")
        await task.wait_until_notified("reassigned", ADA)
        await task.send_command(TaskCompletion(actor="dora"))
        settlement = await task.handle.result()
        assert {person.person: person.state for person in settlement.people} == {ADA: "reassigned", "dora": "done"}


def test_to_hand_over_what_blocked_somebody_is_the_answer_and_what_they_said_is_kept() -> None:
    state = TaskState.begin(a_task(ADA).task, NOW)
    state = block(state, Block(person=ADA, because="no access"), NOW)
    command = Delegation(actor=OWNER, signer=ADA, to="carl")
    state = receipts.recorded(operations.delegate(state, command, NOW), "op-1", command, NOW)
    state = state.handed_over(state.escalations.wanted[0], None, NOW)
    assert (state.questions.open(state.slots), state.clock.stops, state.phase) == (None, (), "open")
    assert [(entry.text, entry.answer) for entry in state.questions.entries] == [("no access", "")]
    assert (state.timeline.entries[-1].what, state.timeline.entries[-1].who) == ("unblocked", OWNER)


@pytest.mark.parametrize(
    ("giver", "taker", "message"),
    [
        (ADA, "dora", f"{ADA} has handed their place over already"),
        (BEN, "carl", "carl is already one of the assignees"),
    ],
)
def test_of_two_hand_overs_at_once_that_exclude_each_other_the_second_is_refused(
    giver: str, taker: str, message: str
) -> None:
    delegations = (Delegation(actor=OWNER, signer=ADA, to="carl"), Delegation(actor=OWNER, signer=giver, to=taker))
    state = TaskState.begin(a_task().task, NOW)
    for number, command in enumerate(delegations):
        state = receipts.recorded(operations.delegate(state, command, NOW), f"op-{number}", command, NOW)
    for hand_over in state.escalations.wanted:
        state = state.handed_over(hand_over, state.obstacle(hand_over), NOW)
    became = [(entry.state, entry.detail) for entry in state.commands.entries]
    assert became == [(OperationState.DONE, "handed over to carl"), (OperationState.REFUSED, message)]
    assert {person.person: person.state for person in state.slots.people} == {
        ADA: "reassigned",
        "carl": "asked",
        BEN: "asked",
    }
    assert (state.escalations.wanted, [entry.to for entry in state.escalations.entries]) == ((), ["carl"])


async def test_a_silent_assignee_is_escalated_as_a_signer_is() -> None:
    world = World()
    async with start_task(world, a_task(ADA)) as task:
        await task.days_pass(13)
        assert ("escalation", "chair") in sent_stages(world)
        assert ("reminder-1", ADA) in sent_stages(world)


async def test_it_can_be_paused_extended_reminded_and_put_off() -> None:
    world = World()
    async with start_task(world, a_task(ADA), record="task-wishes") as task:
        await task.send_command(PauseCommand(actor=OWNER, reason="holidays"))
        assert "paused" in (await task.read_task()).says
        await task.send_command(Resumption(actor=OWNER))
        await task.send_command(ReminderCommand(actor=OWNER, force=True))
        await task.wait_until_notified("reminder-manual-1", ADA)
        later = datetime.now(UTC) + timedelta(days=60)
        await task.send_command(Extension(actor=OWNER, due=later))
        await task.at_rest()
        assert (await task.read_task()).due_at == later
        await task.send_command(SnoozeCommand(person=ADA, until=datetime.now(UTC) + timedelta(days=2)))
        await task.at_rest()
        assert (await task.read_task()).choices[0].snoozes_left == 1


@pytest.mark.parametrize(
    "until_at",
    [NOW + HORIZON + timedelta(seconds=1), *map(datetime.fromisoformat, ("9999-12-31T23:50Z", _LAST_OF_ALL))],
)
def test_what_never_closes_is_not_put_off_for_longer_than_anything_is_planned(until_at: datetime) -> None:
    """No later instant can be planned, and the last ones of all cannot even be said in UTC."""
    state = TaskState.begin(a_task(ADA).task, NOW - timedelta(days=9)).update_part(
        "plan", due_at=NOW - timedelta(days=2)
    )
    assert state.is_overdue(NOW) and state.closes_at is None
    policy = Policy(expires=False, snooze=2)
    refusal = operations.refuse_snooze(state, policy, SnoozeCommand(person=ADA, until=until_at), NOW)
    assert english_of(refusal) == f"{until_at.isoformat()} is more than two years away"
    assert operations.refuse_snooze(state, policy, SnoozeCommand(person=ADA, until=NOW + HORIZON), NOW) is None


async def test_who_cancels_the_run_itself_cancels_the_task() -> None:
    async with start_task(World()) as task:
        await task.handle.cancel()
        assert (await task.handle.result()).outcome is Status.CANCELLED
