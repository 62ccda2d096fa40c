"""The budget of an onboarding's notices in the life of its parts: three in a day, the others when it frees."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from temporalio.testing import WorkflowEnvironment

from activities.notifications.budget import BudgetSlot, NotificationBudgets
from activities.people.file_directory import FileDirectory
from activities.people.person import Person
from activities.records.budgets import JoinedNotice
from activities.records.store import Store
from activities.schedule.planner import PolicyPlanner
from tests.servers import time_skipping
from tests.workflows import corpus
from tests.workflows.fakes import FakePushService, World
from tests.workflows.stage import NO_OFFER, workers
from tests.workflows.task.test_tasks import TaskStory
from workflows.kinds import Kind
from workflows.model.commands import Delegation, ReminderCommand, TaskCompletion
from workflows.model.notifications import (
    Delivery,
    DeliveryReport,
    DeliveryResult,
    HeldBack,
    NotificationBudget,
    NotificationOutcome,
)
from workflows.model.policy import Policy, Reminders
from workflows.model.schedule import Reason, joined_into
from workflows.model.subject import Participant, Role, Status, Task
from workflows.model.views import TaskShow
from workflows.names import WORKFLOW_QUEUE
from workflows.task.state import TaskInput, TaskState
from workflows.task.workflow import TaskWorkflow

CUSTOMER, OWNER = "customer-signer", "account-executive"
DAY = timedelta(days=1)
PEOPLE = """
people:
  - {id: customer-signer, name: Customer, email: customer@example.test, zone: UTC}
  - {id: account-executive, name: Account Executive, email: owner@example.test, zone: UTC}
"""
STEP = Policy(expires=False, handoff=(), tell_requester=NO_OFFER)


@dataclass
class SparingPush(FakePushService):
    """Phones that take everything which the budget allows; the budget is the real one, on a real store."""

    budget: NotificationBudgets = field(kw_only=True)
    joined: list[tuple[str, int]] = field(default_factory=list)
    dies_after_counting: int = 0

    async def deliver(self, delivery: Delivery) -> DeliveryReport:
        """Only what has its place goes on."""
        held_notices, stopped, sent, places = [], [], [], []
        for notice in delivery.notices:
            person = Person(id=notice.person, name="N", email="n@example.test", zone="UTC")
            answer = await self.budget.ask(delivery, notice, person, alone=False, is_told=False)
            match answer:
                case BudgetSlot(other_count=other_count):
                    sent.append(notice)
                    places.append(answer)
                    self.joined += [(notice.key, other_count)] if other_count else []
                case HeldBack():
                    held_notices.append(answer)
                case JoinedNotice() | Reason():
                    reason = answer if isinstance(answer, Reason) else joined_into(answer.into)
                    line = DeliveryResult(key=notice.key, stage=notice.stage, person=notice.person, why=reason)
                    stopped.append(line.replace(outcome=NotificationOutcome.SUPPRESSED))
        if sent and self.dies_after_counting:
            self.dies_after_counting -= 1
            raise RuntimeError("the worker died")
        report = await super().deliver(delivery.replace(notices=tuple(sent)))
        for slot in places:
            await self.budget.accepted(slot)
        return report.replace(delivered=(*report.delivered, *stopped), held=tuple(held_notices))


@dataclass
class Onboarding:
    """Steps of a customer, side by side on one clock."""

    env: WorkflowEnvironment
    world: World
    push: SparingPush

    async def step(
        self, number: int, policy: Policy = STEP, quiet: NotificationBudget | None = None, urgent: bool = False
    ) -> TaskStory:
        """Another step, and what becomes of its first notice."""
        people = (Participant(person=CUSTOMER, role=Role.DO),)
        task = Task(
            id=f"acme.1.{number}", kind="step", title=f"Step {number}", requester=OWNER, people=people, urgent=urgent
        )
        task_input = TaskInput(
            task=task,
            policy=policy,
            quiet=quiet or NotificationBudget(people=(CUSTOMER,)),
        )
        handle = await self.env.client.start_workflow(
            TaskWorkflow.run, task_input, id=Kind.TASK.workflow_id(task.id), task_queue=WORKFLOW_QUEUE
        )
        started_task = TaskStory(self.env, self.world, handle, glances=2_000)  # type: ignore[arg-type]
        await started_task.wait_until_notified("ready", CUSTOMER)
        return started_task

    def rung(self) -> list[str]:
        """The keys that reached the customer's phone, in order."""
        return [f"{key.split('/')[0][-1]} {key.split('/')[1]}" for key in self._keys()]

    def _keys(self) -> list[str]:
        notices = [notice for delivery in self.push.deliveries for notice in delivery.notices]
        return [notice.key for notice in notices if notice.person == CUSTOMER]


@asynccontextmanager
async def start_onboarding(
    tmp_path: Path, planner: PolicyPlanner | None = None, hourly_limit: int = 0
) -> AsyncIterator[Onboarding]:
    """Nobody has been told anything yet; it is noon of a Monday. At most so many notices an hour to one person."""
    world = World()
    push = SparingPush(world.signatures, budget=NotificationBudgets(Store((tmp_path / "store").as_uri()), hourly_limit))
    world.push = push
    world.planner.warnings, world.planner.escalate_after = (), None
    if planner is not None:
        world.planner = planner  # type: ignore[assignment]
    async with time_skipping() as env, workers(env.client, world):
        yield Onboarding(env, world, push)


def ready(view: TaskShow) -> str:
    """What became of the first notice."""
    (line,) = [line for line in view.notifications if line.stage == "ready"]
    return f"{line.outcome} {line.why or ''}".strip()


async def wait_until_not_held(step: TaskStory) -> None:
    """Until the first notice is held back no more."""
    for _ in range(2_000):
        if ready(await step.read_task()) != "suppressed quiet":
            return
        await asyncio.sleep(0.005)
    raise AssertionError("it was never told")


async def test_of_five_steps_three_ring_and_the_others_are_one_notice_when_the_budget_frees(tmp_path: Path) -> None:
    async with start_onboarding(tmp_path) as onboarding:
        steps = [await onboarding.step(number) for number in range(1, 6)]
        assert onboarding.rung() == ["1 ready", "2 ready", "3 ready"]
        view = [await step.read_task() for step in steps]
        assert [ready(view) for view in view] == ["accepted"] * 3 + ["suppressed quiet"] * 2
        held_view = view[3]
        assert held_view.next is not None and held_view.next.at is not None
        assert held_view.next.what == "held"
        assert held_view.next.why == f"ready for {CUSTOMER} is held: 3 notices in 1 day"
        held_until = f"{held_view.next.at:%a %d %b %Y %H:%M} UTC"
        assert held_view.says.endswith(f"; ready for {CUSTOMER} is held until {held_until}: 3 notices in 1 day")
        (line,) = [entry for entry in held_view.timeline if entry.what == "ready delayed"]
        assert (line.who, line.why) == (CUSTOMER, "3 notices in 1 day")
        await steps[4].days_pass(1.01)
        for step in steps[3:]:
            await wait_until_not_held(step)
        now = [await step.read_task() for step in steps]
        assert sorted(ready(view) for view in now[3:]) == [
            "accepted",
            f"suppressed joined into acme.1.4/ready/{CUSTOMER}",
        ]
        assert len(onboarding.rung()) == 4
        ((_, other_count),) = onboarding.push.joined
        assert other_count == 1
        assert all(view.next and view.next.why == "planned as reminder-1" for view in now)


@pytest.mark.long
async def test_whoever_is_asked_for_too_much_in_an_hour_hears_of_the_rest_once(tmp_path: Path) -> None:
    """Eight tasks of no common onboarding: five are told, three are one notice when the hour is over."""
    apart = NotificationBudget()
    async with start_onboarding(tmp_path, hourly_limit=5) as onboarding:
        steps = [await onboarding.step(number, quiet=apart) for number in range(1, 9)]
        view = [await step.read_task() for step in steps]
        assert [ready(view) for view in view] == ["accepted"] * 5 + ["suppressed quiet"] * 3
        assert view[5].next is not None
        assert view[5].next.why == f"ready for {CUSTOMER} is held: 5 notices in 1 hour"
        await steps[7].days_pass(1.1 / 24)
        for step in steps[5:]:
            await wait_until_not_held(step)
        now = [await step.read_task() for step in steps[5:]]
        joined = f"suppressed joined into acme.1.6/ready/{CUSTOMER}"
        assert [ready(view) for view in now] == ["accepted", joined, joined]
        assert onboarding.push.joined == [(f"acme.1.6/ready/{CUSTOMER}", 2)]
        assert onboarding.rung()[5:] == ["6 ready"]
        happened = [(entry.what, entry.because) for entry in now[2].timeline if entry.who == CUSTOMER]
        assert ("ready delayed", "5 notices in 1 hour") in happened
        assert happened[-1][1] == joined.removeprefix("suppressed ")


async def test_what_is_urgent_rings_whatever_was_told(tmp_path: Path) -> None:
    async with start_onboarding(tmp_path) as onboarding:
        for number in range(1, 4):
            await onboarding.step(number)
        urgent = await onboarding.step(4, urgent=True)
        assert ready(await urgent.read_task()) == "accepted"


async def test_only_the_newest_of_what_was_held_is_told(tmp_path: Path) -> None:
    """A budget of a week: the first notice and two reminders fall due while it is used up."""
    week = NotificationBudget(most=1, per="1w", people=(CUSTOMER,))
    async with start_onboarding(tmp_path) as onboarding:
        first = await onboarding.step(1, quiet=week)
        await first.send_command(TaskCompletion(actor=CUSTOMER))
        second = await onboarding.step(2, quiet=week)
        await second.days_pass(6.9)
        assert onboarding.rung() == ["1 ready"]
        await second.days_pass(0.2)
        await second.wait_until_notified("reminder-2", CUSTOMER)
        view = await second.read_task()
        lines = {line.stage: (line.outcome.value, line.why) for line in view.notifications if line.person == CUSTOMER}
        assert lines["ready"] == ("accepted", None)
        assert lines["reminder-1"] == ("suppressed", "caught_up")
        assert lines["reminder-2"] == ("suppressed", "too_soon")
        assert onboarding.rung()[-1] == "2 ready"


@pytest.mark.long
async def test_a_worker_that_dies_between_counting_and_telling_takes_one_place(tmp_path: Path) -> None:
    async with start_onboarding(tmp_path) as onboarding:
        onboarding.push.dies_after_counting = 3
        steps = [await onboarding.step(number) for number in range(1, 5)]
        view = [ready(await step.read_task()) for step in steps]
        assert view == ["accepted"] * 3 + ["suppressed quiet"]


async def test_a_step_that_is_done_while_its_notice_is_held_rings_no_more(tmp_path: Path) -> None:
    async with start_onboarding(tmp_path) as onboarding:
        steps = [await onboarding.step(number) for number in range(1, 5)]
        await steps[3].send_command(TaskCompletion(actor=CUSTOMER))
        assert (await steps[3].handle.result()).outcome is Status.DONE
        await steps[0].days_pass(1.5)
        assert len([notification for notification in onboarding.rung() if notification.endswith("ready")]) == 3
        view = await steps[3].read_task()
        assert view.next is None
        assert not [line for line in view.notifications if line.why == Reason.QUIET]


async def test_a_last_warning_that_is_held_keeps_it_from_expiring(tmp_path: Path) -> None:
    """It is due in 1.5 days; the warning a day before falls into a budget of two days."""
    two_days = NotificationBudget(most=1, per="2d", people=(CUSTOMER,))
    async with start_onboarding(tmp_path) as onboarding:
        onboarding.world.planner.reminders, onboarding.world.planner.warnings = (), (DAY,)
        onboarding.world.planner.window = timedelta(days=1.5)
        step = await onboarding.step(1, policy=STEP.replace(expires=True), quiet=two_days)
        began = datetime.now(UTC)
        await step.days_pass(1.9)
        assert (await step.read_task()).status is Status.OPEN
        await step.days_pass(0.2)
        await step.wait_until_notified("warning-1d", CUSTOMER)
        view = await step.read_task()
        assert onboarding.rung() == ["1 ready", "1 warning-1d"]
        assert view.status is Status.OPEN
        settlement = await step.handle.result()
        assert settlement.outcome is Status.EXPIRED
        assert settlement.at - began > timedelta(days=2.4)


def test_an_alert_that_is_held_is_forgotten_with_the_end() -> None:
    now = datetime(2026, 11, 2, tzinfo=UTC)
    task = Task(id="acme.1.1", kind="step", title="Step", requester=OWNER, people=())
    key = f"acme.1.1/escalation/{CUSTOMER}/ada"
    alert = HeldBack(key=key, stage="escalation", person=CUSTOMER, at=now, until=now + DAY, says="1 notice in 1 day")
    held_state = TaskState.begin(task, now).held_back((alert,), now)
    assert held_state.notifications.next_held(now) == now + DAY
    assert held_state.end(Status.DONE, now, decided_by=OWNER).notifications.next_held(now) is None


async def test_whoever_is_asked_instead_is_spared_nothing_and_the_first_rings_no_more(tmp_path: Path) -> None:
    async with start_onboarding(tmp_path) as onboarding:
        steps = [await onboarding.step(number) for number in range(1, 5)]
        await steps[3].send_command(Delegation(actor=OWNER, signer=CUSTOMER, to="a-colleague"))
        await steps[3].wait_until_notified("ready", "a-colleague")
        await steps[3].days_pass(1.5)
        assert onboarding.rung() == ["1 ready", "2 ready", "3 ready"]


async def test_a_budget_that_frees_at_night_rings_in_the_morning(tmp_path: Path) -> None:
    """With the real calendar: the reminder is due at 17:00, another step takes the place, which frees at 22:30."""
    people = tmp_path / "people.yaml"
    people.write_text(PEOPLE)
    spare = NotificationBudget(most=1, per="6h", people=(CUSTOMER,))
    policy = STEP.replace(reminders=Reminders(first="29h", every="9w"), hours="09:00-18:00", escalation=None)
    noon = datetime.now(UTC).replace(hour=12, minute=0, second=0, microsecond=0)
    noon += timedelta(days=7 - noon.weekday())
    planner = PolicyPlanner(FileDirectory(people, Store((tmp_path / "store").as_uri())))
    async with start_onboarding(tmp_path, planner) as onboarding:
        await onboarding.env.sleep(noon - await onboarding.env.get_current_time())
        first = await onboarding.step(1, policy, spare)
        await first.move_clock_to(noon + timedelta(hours=28.5))
        second = await onboarding.step(2, policy, spare)
        assert ready(await second.read_task()) == "accepted"
        await first.move_clock_to(noon + timedelta(hours=29.5))
        held_step = (await first.read_task()).next
        assert held_step is not None and held_step.at is not None
        assert abs(held_step.at - (noon + timedelta(hours=34.5))) < timedelta(minutes=5)
        await first.move_clock_to(noon + timedelta(hours=40))
        morning = (await first.read_task()).next
        assert morning is not None
        assert (morning.what, morning.at) == ("remind", noon + timedelta(hours=45))
        await first.move_clock_to(noon + timedelta(hours=45.1))
        await first.wait_until_notified("reminder-1", CUSTOMER)
        assert onboarding.rung()[-1] == "1 reminder-1"
        happened = [entry.what for entry in (await first.read_task()).timeline]
        assert "reminder-1 delayed" in happened
        assert "reminder-1 put off" not in happened


async def test_a_reminder_by_hand_says_that_it_was_not_told(tmp_path: Path) -> None:
    async with start_onboarding(tmp_path) as onboarding:
        steps = [await onboarding.step(number) for number in range(1, 4)]
        await steps[0].days_pass(0.2)
        receipt = await steps[0].send_command(ReminderCommand(actor=OWNER))
        assert receipt.detail == f"told nobody; not {CUSTOMER} (quiet)"


async def test_a_held_notice_is_told_when_the_budget_frees(tmp_path: Path) -> None:
    single_budget = NotificationBudget(most=1, people=(CUSTOMER,))
    async with start_onboarding(tmp_path) as onboarding:
        await onboarding.step(1, quiet=single_budget)
        held_task = await onboarding.step(2, quiet=single_budget)
        assert ready(await held_task.read_task()) == "suppressed quiet"
        await held_task.days_pass(1.01)
        await wait_until_not_held(held_task)
        assert ready(await held_task.read_task()) == "accepted"
        await held_task.send_command(TaskCompletion(actor=CUSTOMER))
        await held_task.handle.result()
        await corpus.record("task-held-back", held_task.handle)
