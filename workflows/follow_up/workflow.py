"""The follow-up workflow: updates of participants and requester, the main loop, and the steps of the schedule."""

from abc import abstractmethod
from datetime import datetime
from typing import Final, Generic

from temporalio import workflow
from temporalio.exceptions import FailureError, is_cancelled_exception

with workflow.unsafe.imports_passed_through():
    import workflows.follow_up.commands as commands
    import workflows.follow_up.options as options
    from workflows.follow_up import next_step, notifications
    from workflows.follow_up.calls import Condition, Wake, call_failure_of
    from workflows.follow_up.hand_off import BackgroundHandOff
    from workflows.follow_up.input import FollowUpInput, planning_of
    from workflows.follow_up.lifecycle import LifecycleWorkflow, command_update
    from workflows.follow_up.notifier import Notifier
    from workflows.follow_up.plan import WakeUpKind
    from workflows.follow_up.state import Following, Precondition
    from workflows.follow_up.turn_signal import TurnSignal
    from workflows.follow_up.view import publish
    from workflows.model.absence import AbsenceNews
    from workflows.model.commands import (
        Answer,
        AnyCommand,
        Delegation,
        Extension,
        PauseCommand,
        Question,
        ReminderCommand,
        Resumption,
        SnoozeCommand,
        StopKind,
    )
    from workflows.model.messages import Message
    from workflows.model.receipts import Receipt
    from workflows.model.schedule import PlanningInput, Schedule, ScheduledAction, StandIn
    from workflows.model.subject import Code
    from workflows.model.timeline import EventType, Reassignment
    from workflows.names import ABSENCE, ANSWER, ASK, DELEGATE, EXTEND, PAUSE, PLANNING, REMIND, RESUME, SNOOZE
    from workflows.ports import Planner, StandInFinder

_WAKE_UP_WORDS: Final = {WakeUpKind.BUDGET: "the budget of notices", WakeUpKind.DEVICES: "the phones left open"}


class FollowUpWorkflow(LifecycleWorkflow[Following]):
    """Follows people up until the end, move by move."""

    def __init__(self, request: FollowUpInput, state: Following) -> None:
        super().__init__(request, state)
        self.notifier = Notifier(self)
        self.background = BackgroundHandOff(self)
        self.steps = Steps(self)
        self.turn_signal = TurnSignal()

    @abstractmethod
    async def prepare(self, precondition: Precondition) -> None:
        """Carry out a precondition of this kind."""

    @abstractmethod
    async def reassign(self, reassignment: Reassignment) -> None:
        """Reassign a slot, or record why it cannot be done."""

    async def follow_up(self, is_over: Condition = lambda: False) -> None:
        """The main loop: move by move, until the end, or until it is `over` with these slots."""
        while not (self.state.status.has_ended or is_over()):
            self.background.start()
            notices = notifications.announcement(self.request, self.subject, self.state)
            match next_step.find_next_move(self.state, notices, workflow.now()):
                case Precondition() as precondition:
                    await self.prepare(precondition)
                case next_step.ReassignSlot(reassignment):
                    await self.reassign(reassignment)
                case next_step.PlanSchedule():
                    await self.steps.plan()
                case next_step.Pause(stop):
                    await self.steps.wait(None, f"paused by {stop.who}")
                case next_step.Announce(notices):
                    await self.notifier.notify(notices)
                case next_step.ImmediateReminder():
                    await self.steps.remind_now()
                case next_step.RetryDevices(devices):
                    await self.notifier.retry(devices)
                case step:
                    await self.steps.take(step)
            self.calls.continue_as_new_if_suggested()
        if self.state.status.has_ended:
            self.background.stop()

    def publish(self) -> None:
        """Bring search attributes and details up to date; tell the onboarding that it is a part of of a new turn."""
        view = self.build_view(self.state, workflow.now())
        publish(self.state, view, self.details(view))
        self.turn_signal.send(self.request, self.state, view)

    @workflow.query(name=PLANNING, description="What the schedule is made from, for `request plan --against`")
    def planning(self) -> PlanningInput:
        return planning_of(self.request, self.subject, self.state, workflow.now())

    @command_update(name=REMIND, description="Tell everyone whose turn it is")
    def remind(self, command: ReminderCommand) -> Receipt:
        return self.accept(commands.remind, command)

    @command_update(
        name=DELEGATE,
        description="Ask somebody else instead of a signer, unless whoever decides has something against it",
    )
    def delegate(self, command: Delegation) -> Receipt:
        return self.accept(commands.delegate, command)

    @workflow.signal(name=ABSENCE, description="Somebody is away, or back; what concerns them is planned anew")
    def absence(self, news: AbsenceNews) -> None:
        if news.is_of(self.subject.kind):
            self.state = self.state.heard_of(news, self.subject.requester, workflow.now())

    def refusal(self, command: AnyCommand) -> Message | None:
        state, now = self.state, workflow.now()
        match command:
            case ReminderCommand():
                refusal = commands.refuse_remind(state, command, now)
            case Delegation():
                refusal = commands.refuse_delegate(state, command, self.subject.requester)
            case Extension():
                refusal = commands.refuse_extend(state, command, now)
            case PauseCommand():
                refusal = commands.refuse_pause(state, command)
            case Resumption():
                refusal = commands.refuse_resume(state, command)
            case SnoozeCommand():
                refusal = commands.refuse_snooze(state, self.request.policy, command, now)
            case Question():
                refusal = commands.refuse_ask(state, command)
            case Answer():
                refusal = commands.refuse_answer(state, command)
            case _:
                refusal = super().refusal(command)
        return refusal

    @command_update(name=EXTEND, description="Move the due date, and plan everything anew")
    def extend(self, command: Extension) -> Receipt:
        return self.accept(commands.extend, command)

    @command_update(name=PAUSE, description="Pause it: no reminders, and nobody is told anything, until it is resumed")
    def pause(self, command: PauseCommand) -> Receipt:
        return self.accept(commands.pause, command)

    @command_update(name=RESUME, description="Resume it: the clocks go on")
    def resume(self, command: Resumption) -> Receipt:
        return self.accept(commands.resume, command)

    @command_update(name=SNOOZE, description="Remind a signer at a time of their own")
    def snooze(self, command: SnoozeCommand) -> Receipt:
        return self.accept(commands.snooze, command)

    @command_update(name=ASK, description="Ask the requester something; reminders are paused until it is answered")
    def ask(self, command: Question) -> Receipt:
        return self.accept(commands.ask, command)

    @command_update(name=ANSWER, description="Answer the open question")
    def answer(self, command: Answer) -> Receipt:
        return self.accept(commands.answer, command)


class Steps(Generic[Following]):
    """Plans, takes the steps of the schedule, and waits for the next one."""

    def __init__(self, owner: FollowUpWorkflow[Following]) -> None:
        self._owner = owner

    async def take(self, step: next_step.Step) -> None:
        owner, now = self._owner, workflow.now()
        match step:
            case next_step.Remind(due) | next_step.Escalate(due) | next_step.AskAgain(due) if next_step.spans_outage(
                due, owner.state, now
            ):
                owner.state = owner.state.replan()
            case _ if next_step.is_overtaken(step, owner.state, now):
                owner.state = owner.state.replan()
            case next_step.Remind(moments, caught_up, too_soon):
                owner.state = owner.state.left_out(caught_up, too_soon, now)
                if moments:
                    await owner.notifier.notify(notifications.nudges(owner.state, moments), planned=moments)
            case next_step.Escalate(moments):
                await self._escalate(moments)
            case next_step.AskAgain(moments):
                await owner.notifier.notify(notifications.asked_again(owner.state, moments), planned=moments)
            case next_step.ResumeClocks(action):
                updated = owner.state.go_on(StopKind.QUESTION, now)
                owner.state = updated.note(now, EventType.WENT_ON, None, action.reason_text)
            case next_step.Expire(action):
                owner.state = owner.state.expire(action, now)
            case next_step.Wait(action):
                await self._wait_for(action)

    async def _escalate(self, moments: tuple[ScheduledAction, ...]) -> None:
        """Queue the reassignments that the policy wants, and alert alternates about the others."""
        handed = tuple(filter(self._owner.state.hands_over, moments))
        staying = tuple(action for action in moments if action not in handed)
        reassignments = [Reassignment(from_=m.person, to=m.to, reason=m.reason, who="countersign") for m in handed]
        self._owner.state = self._owner.state.to_reassign(*reassignments)
        if staying:
            await self._owner.notifier.notify(notifications.alerts(self._owner.state, staying), planned=staying)

    async def reassign(self, reassignment: Reassignment) -> None:
        """Reassign a slot that no outside system knows to a person who is not away."""
        owner, subject = self._owner, self._owner.subject
        force = not reassignment.by_hand or reassignment.force
        report = await owner.calls.call(
            StandInFinder.check,
            StandIn(
                person=reassignment.to,
                at=workflow.now(),
                force=force,
                beside=subject.workflow_id,
                kind=subject.kind,
                reviewed_for=subject.requester if subject.round else "",
            ),
            options.PLAN,
            f"hand over to {reassignment.to}",
            unless=lambda: lambda: reassignment not in owner.state.escalations.wanted,
            anew=lambda first: first.replace(at=workflow.now()),
        )
        if report is not None and reassignment in owner.state.escalations.wanted:
            refused = report.refused or owner.state.obstacle(reassignment)
            owner.state = owner.state.handed_over(reassignment, refused, workflow.now())

    async def remind_now(self) -> None:
        """Send the requested reminder to people without it; when none is left it is done."""
        if moments := next_step.select_sendable_reminders(self._owner.state, workflow.now()):
            await self._owner.notifier.notify(notifications.by_hand(self._owner.state, moments), planned=moments)
        if not next_step.list_requested_reminders(self._owner.state, workflow.now()):
            self._owner.state = self._owner.state.reminded(notifications.reminded_words(self._owner.state))

    async def _wait_for(self, action: ScheduledAction | None) -> None:
        """Wait for the action's instant; replan first if the plan is in doubt."""
        doubt = self._owner.state.problems.probe_at
        if doubt is None or (action and action.at < doubt):
            await self.wait(
                action.at if action else None, _wait_words(action, self._owner.state.vocabulary.awaited_action)
            )
        elif await self.wait(doubt, "the people file is faulty: plan anew") is WakeUpKind.DEADLINE:
            self._owner.state = self._owner.state.replan()

    async def wait(self, deadline: datetime | None, summary: str) -> WakeUpKind | None:
        """Wait for the deadline (None: for ever) or an earlier wake-up of the state; None for news."""
        owner = self._owner
        wake_up = owner.state.wake_up(workflow.now(), deadline)
        summary = _WAKE_UP_WORDS.get(wake_up.rings_for, summary) if wake_up else summary
        owner.background.at_rest = True
        wake = await owner.calls.wait_until(wake_up.at if wake_up else None, summary)
        owner.background.at_rest = False
        reason = wake_up.rings_for if wake_up and wake is Wake.DEADLINE else None
        match reason:
            case WakeUpKind.BUDGET:
                # By then the hours of held-back recipients may have ended.
                owner.state = owner.state.replan()
            case WakeUpKind.LOOK:
                owner.state = owner.state.to_look()
        return reason

    async def plan(self) -> None:
        """Plan in a local activity, with durable retries when that fails."""
        former_state, planning = self._owner.state, self._owner.planning()
        try:
            schedule = await workflow.execute_local_activity_method(
                Planner.plan, planning, summary="plan the next steps", **options.PLAN_LOCALLY
            )
        except FailureError as failure:
            if is_cancelled_exception(failure):
                raise
            self._owner.calls.report(call_failure_of(failure, Code.PLANNING), probe_at=workflow.now())
            await self._plan_durably()
        else:
            self._adopt(schedule, planning.now, former_state)

    async def _plan_durably(self) -> None:
        """Retry until planning succeeds, then plan once more from the present clocks."""
        calls, activity_options, summary = self._owner.calls, options.PLAN, "plan the next steps"
        if await calls.call(Planner.plan, self._owner.planning(), activity_options, summary, unless=calls.news) is None:
            return
        former_state, planning = self._owner.state, self._owner.planning()
        schedule = await calls.call(Planner.plan, planning, activity_options, summary, unless=calls.news)
        if schedule is not None:
            self._adopt(schedule, planning.now, former_state)

    def _adopt(self, schedule: Schedule, planned_for: datetime, former_state: Following) -> None:
        """Adopt the schedule, unless the state has changed since `former_state`."""
        if self._owner.state is former_state:
            self._owner.state = former_state.planned(schedule, planned_for)


def _wait_words(action: ScheduledAction | None, awaited: str) -> str:
    return f"{action.stage} for {action.person}: {action.reason_text}"[:200] if action else f"for {awaited}"
