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
    Done,
    Ending,
    Extension,
    NotNow,
    PauseCommand,
    Question,
    ReminderNow,
    Resumption,
    Unblock,
    Waiver,
)
from workflows.model.hand_off import SettledTask
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
    asked = tuple(Participant(person=person, role=Role.DO) for person in people or (ADA, BEN))
    task = Task(id="acme.account", kind="team-task", title="Create the account", requester=OWNER, people=asked)
    return TaskInput(task=task, policy=policy, fingerprint="f" * 64, subscribers=subscribers)


class TaskStory(Story):
    """One task on the stage."""

    handle: WorkflowHandle[TaskWorkflow, SettledTask]  # type: ignore[assignment]

    async def task(self) -> TaskShow:
        """What `task show` would say now."""
        shown: TaskShow = await self.handle.query(SHOW, result_type=TaskShow)
        return shown

    async def refused(self, wish: AnyCommand) -> str:
        """Why a wish is not taken."""
        with pytest.raises(WorkflowUpdateFailedError) as refusal:
            await self.wish(wish)
        return str(refusal.value.cause).removeprefix("refused: ")

    async def hears(self, stage: str, person: str) -> None:
        """Until somebody was told something, and that is written down."""
        for _ in range(_NO_GATES):
            if any((line.stage, line.person) == (stage, person) for line in (await self.task()).notifications):
                return await self.at_rest()
            await asyncio.sleep(_GLANCE)
        raise AssertionError(f"{person} was never told: {stage}")


@asynccontextmanager
async def task(world: World, given: TaskInput | None = None, record: str = "") -> AsyncIterator[TaskStory]:
    """A task that has just been started on a fresh clock."""
    given = given or a_task()
    async with time_skipping() as env, workers(env.client, world):
        handle = await env.client.start_workflow(
            TaskWorkflow.run, given, id=Kind.TASK.workflow_id(given.task.id), task_queue=WORKFLOW_QUEUE
        )
        it = TaskStory(env, world, handle, glances=_NO_GATES)  # type: ignore[arg-type]
        for one in given.task.people:
            await it.hears("ready", one.person)
        yield it
        await corpus.record(record, handle)


def told(world: World) -> list[tuple[str, str]]:
    """What was sent to whom, in order."""
    return world.push.stages()


async def test_all_are_asked_and_the_first_to_do_it_ends_it_for_all() -> None:
    world = World()
    async with task(world, record="task-done") as it:
        assert sorted(told(world)) == [("ready", ADA), ("ready", BEN)]
        assert (await it.task()).status is Status.OPEN
        receipt = await it.wish(Done(actor=BEN, note="It was there already."))
        assert (receipt.status, receipt.state, receipt.detail) == (Status.DONE, OperationState.DONE, "done")
        ended = await it.handle.result()
        assert (ended.outcome, ended.by, ended.late) == (Status.DONE, BEN, False)
        assert {one.person: one.state for one in ended.people} == {ADA: "spared", BEN: "done"}
        shown = await it.task()
        assert shown.done_by == BEN
        assert ("done", BEN, "It was there already.") in [(one.what, one.who, one.why) for one in shown.timeline]
    (batch, *_) = world.handoff.batches
    taken_off = {call.notice.person for call in batch.calls if call.notice and call.notice.action == "withdraw"}
    assert taken_off == {ADA, BEN}
    assert {call.target.target for call in batch.calls} >= {"crm", f"notice:{OWNER}"}


async def test_a_task_of_a_group_waits_for_the_group_as_well_as_for_its_people() -> None:
    given = a_task()
    async with task(World(), given.replace(task=given.task.replace(group="operations"))) as it:
        waiting = (await it.handle.describe()).typed_search_attributes.get(WAITING_FOR)
        assert list(waiting or ()) == ["group:operations", ADA, BEN]
        shown = await it.task()
        assert (shown.group, [one.person for one in shown.waiting_for]) == ("operations", [ADA, BEN])
        await it.wish(Done(actor=BEN))
        await it.handle.result()
        assert not (await it.handle.describe()).typed_search_attributes.get(WAITING_FOR)


async def test_a_task_stays_open_after_its_due_date_and_is_followed_up() -> None:
    world = World()
    world.planner.overdue = timedelta(days=2)
    async with task(world, a_task(ADA), record="task-overdue") as it:
        await it.days_pass(37)
        shown = await it.task()
        assert (shown.status, shown.overdue, shown.closes_at) == (Status.OPEN, True, None)
        assert [stage for stage, _ in told(world) if stage.startswith("overdue")] == [
            "overdue-1",
            "overdue-2",
            "overdue-3",
        ]
        await it.wish(Done(actor=ADA))
        assert (await it.handle.result()).late


@pytest.mark.parametrize(("after", "late"), [(-1, False), (0, False), (1, True)])
def test_a_task_that_is_done_in_the_very_instant_of_the_due_date_is_done_in_time(after: int, late: bool) -> None:
    due = NOW + timedelta(days=30)
    known = TaskState.begin(a_task().task, NOW).planned(Schedule(due_at=due, over_at=due + timedelta(days=9)), NOW)
    ended = known.close(Ending(outcome=Status.DONE, who=ADA, why=""), due + timedelta(microseconds=after))
    place = ended.slots.of(ADA)
    assert place is not None and ended.acted_late(place) is late


def test_whoever_did_it_late_was_late_and_nobody_else_who_was_asked() -> None:
    due = NOW + timedelta(days=30)
    known = TaskState.begin(a_task().task, NOW).planned(Schedule(due_at=due, over_at=due + timedelta(days=9)), NOW)
    ended = known.close(Ending(outcome=Status.DONE, who=ADA, why=""), due + timedelta(days=1))
    assert {one.person: ended.acted_late(one) for one in ended.slots.people} == {ADA: True, BEN: False}


@pytest.mark.parametrize(("actor", "refused"), [(ADA, True), (OWNER, False)])
def test_whoever_is_asked_hands_over_to_a_colleague_alone_and_the_owner_to_anybody(actor: str, refused: bool) -> None:
    asked = a_task(ADA).task.replace(colleagues=("carl",))
    assert (refuse_stranger(asked, Delegation(actor=actor, signer=ADA, to="dora")) is not None) is refused
    assert refuse_stranger(asked, Delegation(actor=actor, signer=ADA, to="carl")) is None


async def test_a_task_expires_only_where_its_policy_says_so() -> None:
    async with task(World(), a_task(ADA, policy=Policy())) as it:
        await it.days_pass(31)
        assert (await it.handle.result()).outcome is Status.EXPIRED


async def test_who_cannot_go_on_is_heard_and_the_clocks_stand_until_the_way_is_clear() -> None:
    world = World()
    async with task(world, a_task(ADA), record="task-blocked") as it:
        await it.days_pass(1)
        await it.wish(Block(person=ADA, because="There is no order form."))
        await it.hears("blocked-1", OWNER)
        shown = await it.task()
        assert [one.code for one in shown.attention] == [AttentionCode.BLOCKED]
        assert f"blocked by {ADA}" in shown.says
        assert shown.question is not None and shown.question.text == "There is no order form."
        assert await it.refused(Block(person=ADA, because="Still none.")) == "it is blocked already"
        due_before = shown.due_at
        await it.days_pass(2)
        assert [stage for stage, _ in told(world) if stage.startswith("reminder")] == []
        await it.wish(Unblock(actor=OWNER, text="It is in the folder now."))
        await it.hears("answer-1", ADA)
        after = await it.task()
        assert due_before is not None and after.due_at is not None
        at = {entry.happened: entry.at for entry in after.timeline}
        assert after.due_at - due_before == at[EventType.UNBLOCKED] - at[EventType.BLOCKED]
        assert await it.refused(Unblock(actor=OWNER, text="")) == "the task is not blocked"


async def test_who_is_not_asked_any_more_or_never_was_can_neither_block_nor_ask_nor_put_off() -> None:
    """Refused by the workflow, whatever page or command let it through."""
    async with task(World(), a_task(ADA)) as it:
        await it.wish(Delegation(actor=ADA, signer=ADA, to="dora"))
        for person in (ADA, OWNER, "stranger"):
            for wish in (
                Block(person=person, because="There is no order form."),
                Question(person=person, text="Which plan?"),
                NotNow(person=person, until=NOW + timedelta(days=1)),
            ):
                assert await it.refused(wish) == f"it is not {person}'s turn"
        shown = await it.task()
        assert (shown.question, shown.attention) == (None, ())
        assert [entry.happened for entry in shown.timeline if entry.happened is EventType.BLOCKED] == []


async def test_a_question_is_answered_and_is_no_block() -> None:
    world = World()
    async with task(world, a_task(ADA)) as it:
        await it.wish(Question(person=ADA, text="Which plan?"))
        await it.hears("question-1", OWNER)
        assert await it.refused(Unblock(actor=OWNER, text="")) == "the task is not blocked"
        await it.wish(Answer(actor=OWNER, text="The large one."))
        await it.hears("answer-1", ADA)
        assert (await it.task()).question is None


def test_ten_times_as_many_questions_and_blocks_as_are_remembered() -> None:
    known = TaskState.begin(a_task().task, NOW)
    asked, blocked = Question(person=ADA, text="Which plan?"), Block(person=ADA, because="No order form.")
    for _ in range(5 * questions.QUESTIONS_AT_MOST):
        if questions.refuse_ask(known, asked) is None:
            known = questions.answer(questions.ask(known, asked, NOW), Answer(actor=OWNER, text="The large one."), NOW)
        if refuse_block(known, blocked) is None:
            known = questions.answer(block(known, blocked, NOW), Unblock(actor=OWNER, text=""), NOW)
    assert len(known.questions.entries) == questions.QUESTIONS_AT_MOST
    says = f"{questions.QUESTIONS_AT_MOST} questions were asked already, and there can be no more"
    assert {english_of(questions.refuse_ask(known, asked)), english_of(refuse_block(known, blocked))} == {says}


async def test_what_is_waived_or_cancelled_is_over_at_once() -> None:
    for wish, outcome, record in (
        (Waiver(actor=OWNER, reason="not needed"), Status.WAIVED, "task-waived"),
        (Cancellation(actor=OWNER, reason="the deal is off"), Status.CANCELLED, ""),
    ):
        world = World()
        async with task(world, record=record) as it:
            receipt = await it.wish(wish)
            assert receipt.state is OperationState.DONE
            assert (await it.handle.result()).outcome is outcome
        heard = {call.notice.person for batch in world.handoff.batches for call in batch.calls if call.notice}
        assert heard == {OWNER, ADA, BEN}


async def test_what_asks_for_an_answer_is_not_done_without_it_and_the_answer_is_in_the_record() -> None:
    world = World()
    asking = a_task(ADA)
    asking = asking.replace(task=asking.task.replace(answer=AnswerField(label="Address", lines=4)))
    async with task(world, asking, record="task-answered") as it:
        with pytest.raises(WorkflowUpdateFailedError) as refused:
            await it.wish(Done(actor=ADA, note="  "))
        assert "an answer is needed: Address" in str(refused.value.cause)
        await it.wish(Done(actor=ADA, note="1 Rue du Port"))
        await it.handle.result()
        shown = await it.handle.query(SHOW, result_type=TaskShow)
    assert shown.answer == GivenAnswer(label="Address", lines=4, text="1 Rue du Port")
    records = [batch.record for batch in world.handoff.batches if batch.record]
    assert isinstance(records[0].show, TaskShow) and records[0].show.answer == shown.answer
    assert [(one.what, one.said) for one in shown.timeline if one.why == "1 Rue du Port"] == [("done", True)]


async def test_a_place_is_handed_over_to_who_is_there() -> None:
    world = World()
    world.planner.away = {"carl"}
    async with task(world, a_task(ADA), record="task-handed-over") as it:
        refused = await it.wish(Delegation(actor=ADA, signer=ADA, to="carl"))
        assert (refused.state, refused.detail) == (OperationState.REFUSED, "carl is away: insist with --force")
        taken = await it.wish(Delegation(actor=ADA, signer=ADA, to="dora"))
        assert (taken.state, taken.detail) == (OperationState.DONE, "handed over to dora")
        await it.hears("ready", "dora")
        await it.hears("reassigned", ADA)
        await it.wish(Done(actor="dora"))
        ended = await it.handle.result()
        assert {one.person: one.state for one in ended.people} == {ADA: "reassigned", "dora": "done"}


def test_to_hand_over_what_blocked_somebody_is_the_answer_and_what_they_said_is_kept() -> None:
    known = TaskState.begin(a_task(ADA).task, NOW)
    known = block(known, Block(person=ADA, because="no access"), NOW)
    wish = Delegation(actor=OWNER, signer=ADA, to="carl")
    known = receipts.recorded(operations.delegate(known, wish, NOW), "op-1", wish, NOW)
    known = known.handed_over(known.escalations.wanted[0], None, NOW)
    assert (known.questions.open(known.slots), known.clock.stops, known.phase) == (None, (), "open")
    assert [(one.text, one.answer) for one in known.questions.entries] == [("no access", "")]
    assert (known.timeline.entries[-1].what, known.timeline.entries[-1].who) == ("unblocked", OWNER)


@pytest.mark.parametrize(
    ("giver", "taker", "says"),
    [
        (ADA, "dora", f"{ADA} has handed their place over already"),
        (BEN, "carl", "carl is already one of the assignees"),
    ],
)
def test_of_two_hand_overs_at_once_that_exclude_each_other_the_second_is_refused(
    giver: str, taker: str, says: str
) -> None:
    wished = (Delegation(actor=OWNER, signer=ADA, to="carl"), Delegation(actor=OWNER, signer=giver, to=taker))
    known = TaskState.begin(a_task().task, NOW)
    for number, wish in enumerate(wished):
        known = receipts.recorded(operations.delegate(known, wish, NOW), f"op-{number}", wish, NOW)
    for wanted in known.escalations.wanted:
        known = known.handed_over(wanted, known.obstacle(wanted), NOW)
    became = [(one.state, one.detail) for one in known.commands.entries]
    assert became == [(OperationState.DONE, "handed over to carl"), (OperationState.REFUSED, says)]
    assert {one.person: one.state for one in known.slots.people} == {
        ADA: "reassigned",
        "carl": "asked",
        BEN: "asked",
    }
    assert (known.escalations.wanted, [entry.to for entry in known.escalations.entries]) == ((), ["carl"])


async def test_a_silent_assignee_is_escalated_as_a_signer_is() -> None:
    world = World()
    async with task(world, a_task(ADA)) as it:
        await it.days_pass(13)
        assert ("escalation", "chair") in told(world)
        assert ("reminder-1", ADA) in told(world)


async def test_it_can_be_paused_extended_reminded_and_put_off() -> None:
    world = World()
    async with task(world, a_task(ADA), record="task-wishes") as it:
        await it.wish(PauseCommand(actor=OWNER, reason="holidays"))
        assert "paused" in (await it.task()).says
        await it.wish(Resumption(actor=OWNER))
        await it.wish(ReminderNow(actor=OWNER, force=True))
        await it.hears("reminder-manual-1", ADA)
        later = datetime.now(UTC) + timedelta(days=60)
        await it.wish(Extension(actor=OWNER, due=later))
        await it.at_rest()
        assert (await it.task()).due_at == later
        await it.wish(NotNow(person=ADA, until=datetime.now(UTC) + timedelta(days=2)))
        await it.at_rest()
        assert (await it.task()).choices[0].snoozes_left == 1


@pytest.mark.parametrize(
    "until", [NOW + HORIZON + timedelta(seconds=1), *map(datetime.fromisoformat, ("9999-12-31T23:50Z", _LAST_OF_ALL))]
)
def test_what_never_closes_is_not_put_off_for_longer_than_anything_is_planned(until: datetime) -> None:
    """No later instant can be planned, and the last ones of all cannot even be said in UTC."""
    known = TaskState.begin(a_task(ADA).task, NOW - timedelta(days=9)).within("plan", due_at=NOW - timedelta(days=2))
    assert known.is_overdue(NOW) and known.closes_at is None
    policy = Policy(expires=False, snooze=2)
    refusal = operations.refuse_snooze(known, policy, NotNow(person=ADA, until=until), NOW)
    assert english_of(refusal) == f"{until.isoformat()} is more than two years away"
    assert operations.refuse_snooze(known, policy, NotNow(person=ADA, until=NOW + HORIZON), NOW) is None


async def test_who_cancels_the_run_itself_cancels_the_task() -> None:
    async with task(World()) as it:
        await it.handle.cancel()
        assert (await it.handle.result()).outcome is Status.CANCELLED
