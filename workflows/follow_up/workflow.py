"""The follow-up workflow: update handlers, sending notifications, background hand-off of escalations, the main loop."""

import asyncio
from abc import abstractmethod
from datetime import datetime, timedelta
from typing import Final

from temporalio import workflow
from temporalio.exceptions import ActivityError, FailureError, is_cancelled_exception

with workflow.unsafe.imports_passed_through():
    import workflows.follow_up.commands as commands
    import workflows.follow_up.options as options
    from workflows.follow_up.calls import Condition, Wake, call_failure_of
    from workflows.follow_up.input import FollowUpInput, planning_of
    from workflows.follow_up.lifecycle import LifecycleWorkflow
    from workflows.follow_up.next_step import (
        Announce,
        AskAgain,
        Escalate,
        Expire,
        GoOn,
        Paused,
        PlanSchedule,
        ReassignSlot,
        Remind,
        RemindNow,
        RetryDevices,
        Step,
        Wait,
        is_overtaken,
        next_action,
        was_away,
    )
    from workflows.follow_up.notification_log import PendingDevice, key_of, left_open
    from workflows.follow_up.notifications import (
        alerted,
        alerts,
        announcement,
        asked_again,
        asked_for,
        by_hand,
        explained,
        nudges,
        open_escalations,
        reminded_words,
    )
    from workflows.follow_up.pause_clock import WakeUpKind
    from workflows.follow_up.record import hand_off_batch, handed_off, remembered, targets_in_words, unreached
    from workflows.follow_up.state import Precondition, State
    from workflows.follow_up.turn_signal import is_as_expected, onboarding_of, turn_of
    from workflows.model.commands import (
        Answer,
        Delegation,
        Extension,
        NotNow,
        PauseCommand,
        Question,
        ReminderNow,
        Resumption,
        StopKind,
    )
    from workflows.model.hand_off import HandoffReport
    from workflows.model.notifications import Delivery, DeliveryReport, NotificationOrder
    from workflows.model.receipts import Receipt
    from workflows.model.records import HandoffBatch
    from workflows.model.schedule import PlanningInput, Reason, Schedule, ScheduledAction
    from workflows.model.signature import DocumentSeen
    from workflows.model.subject import Code
    from workflows.model.timeline import EventType, Reassignment
    from workflows.model.views import PartTurn, Shown
    from workflows.names import ANSWER, ASK, DELEGATE, EXTEND, PART_TURN, PAUSE, PLANNING, REMIND, RESUME, SNOOZE
    from workflows.ports import Handoff, Planner, PushService


class FollowUpMessages(LifecycleWorkflow[State]):
    """Updates from participants and requester; the query `planning`."""

    @workflow.query(name=PLANNING, description="What the agenda is made from, for `request plan --against`")
    def planning(self) -> PlanningInput:
        """The planner's input now."""
        return planning_of(self._request, self.subject, self._progress, workflow.now())

    @workflow.update(name=REMIND, description="Tell everyone whose turn it is")
    def remind(self, command: ReminderNow) -> Receipt:
        """Remind everyone whose turn it is."""
        return self._accept(commands.remind, command)

    @remind.validator
    def _may_remind(self, command: ReminderNow) -> None:
        self.allow(command, commands.refuse_remind(self._progress, command, workflow.now()))

    @workflow.update(
        name=DELEGATE,
        description="Ask somebody else instead of a signer, unless whoever decides has something against it",
    )
    def delegate(self, command: Delegation) -> Receipt:
        """Ask somebody else instead of a pending person, unless the provider or kind refuses."""
        return self._accept(commands.delegate, command)

    @delegate.validator
    def _may_delegate(self, command: Delegation) -> None:
        self.allow(command, self.refuse_delegate(command))

    def refuse_delegate(self, command: Delegation) -> str | None:
        """Why a slot cannot be reassigned; kinds may add reasons."""
        return commands.refuse_delegate(self._progress, command, self.subject.requester)

    @workflow.update(name=EXTEND, description="Move the due date, and plan everything anew")
    def extend(self, command: Extension) -> Receipt:
        return self._accept(commands.extend, command)

    @extend.validator
    def _may_extend(self, command: Extension) -> None:
        self.allow(command, commands.refuse_extend(self._progress, command, workflow.now()))

    @workflow.update(name=PAUSE, description="Pause it: no reminders, and nobody is told anything, until it is resumed")
    def pause(self, command: PauseCommand) -> Receipt:
        return self._accept(commands.pause, command)

    @pause.validator
    def _may_pause(self, command: PauseCommand) -> None:
        self.allow(command, commands.refuse_pause(self._progress, command))

    @workflow.update(name=RESUME, description="Resume it: the clocks go on")
    def resume(self, command: Resumption) -> Receipt:
        return self._accept(commands.resume, command)

    @resume.validator
    def _may_resume(self, command: Resumption) -> None:
        self.allow(command, commands.refuse_resume(self._progress, command))

    @workflow.update(name=SNOOZE, description="Remind a signer at a time of their own")
    def snooze(self, command: NotNow) -> Receipt:
        """Remind a person at a time of their own."""
        return self._accept(commands.snooze, command)

    @snooze.validator
    def _may_snooze(self, command: NotNow) -> None:
        self.allow(command, commands.refuse_snooze(self._progress, self._request.policy, command, workflow.now()))

    @workflow.update(name=ASK, description="Ask the requester something; reminders are paused until it is answered")
    def ask(self, command: Question) -> Receipt:
        """Ask the requester; the clocks stop until the answer."""
        return self._accept(commands.ask, command)

    @ask.validator
    def _may_ask(self, command: Question) -> None:
        self.allow(command, commands.refuse_ask(self._progress, command))

    @workflow.update(name=ANSWER, description="Answer the open question")
    def answer(self, command: Answer) -> Receipt:
        return self._accept(commands.answer, command)

    @answer.validator
    def _may_answer(self, command: Answer) -> None:
        self.allow(command, commands.refuse_answer(self._progress, command))


AT_MOST: Final = 100
"""Recipients of one call: with 20 devices each the report stays below 256 KB.

All signers of an ordinary request are in one call, because Core Signature's mail goes to all of them at once.
"""


def told_by(report: DeliveryReport) -> DeliveryReport:
    """The final lines of a delivery; open notifications have none yet."""
    return report.replace(delivered=tuple(line for line in report.delivered if line.key not in report.open_notices))


def left_of(notices: tuple[NotificationOrder, ...], report: DeliveryReport) -> tuple[NotificationOrder, ...]:
    """Notifications beyond the first `AT_MOST`; they are sent in the next call at once."""
    return tuple(n for n in notices[:AT_MOST] if n.key in report.open_notices) + notices[AT_MOST:]


def again(delivery: Delivery, stragglers: tuple[PendingDevice, ...]) -> Delivery:
    """The delivery of these retries: their devices alone."""
    devices = dict.fromkeys(device for one in stragglers for device in one.devices)
    return delivery.replace(notices=tuple(one.notice for one in stragglers), devices=tuple(devices))


def in_words(delivery: Delivery) -> str:
    """Who gets what, for the Web UI; at most 200 characters."""
    stages = dict.fromkeys(notice.stage for notice in delivery.notices)
    told = {stage: [notice.person for notice in delivery.notices if notice.stage == stage] for stage in stages}
    return "; ".join(f"{stage} → {', '.join(people)}" for stage, people in told.items())[:200]


class NotificationSender(LifecycleWorkflow[State]):
    """Sends notifications; each kind says what interrupts a delivery."""

    def comes_first(self) -> Condition:
        """The watch that interrupts a delivery: by default any news."""
        return self.news()

    def heed(self, seen: DocumentSeen, asked_at: datetime | None = None) -> bool:
        """Whether the document read before the delivery, at `asked_at`, has news."""
        return False

    async def tell(self, notices: tuple[NotificationOrder, ...], planned: tuple[ScheduledAction, ...] = ()) -> bool:
        """Deliver one stage; False when interrupted: recipients without a line are planned again.

        Devices left open are recorded for a retry.
        """
        moments = {key_of(self._progress.request, moment): moment for moment in planned}
        rest, others_told = notices, False
        while rest:
            comes_first = self.comes_first()
            part = rest[:AT_MOST]
            delivery = self._delivery(part, planned).replace(others_told=others_told)
            report = await self._deliver(delivery, planned)
            interrupted = report is None or comes_first() or bool(_closed(planned))
            if report is not None:
                others_told = others_told or any(line.key not in report.open_notices for line in report.delivered)
                rest = left_of(rest, report)
                now = workflow.now()
                tried = tuple(PendingDevice(notice=one, moment=moments.get(one.key), at=now) for one in part)
                self._heard(delivery, report, tried)
                if report.seen is not None and self.heed(report.seen, delivery.now):
                    return False
            if interrupted and rest:
                self._put_off(_closed(planned))
                return False
        return True

    async def tell_again(self, stragglers: tuple[PendingDevice, ...]) -> None:
        """Retry devices left open; a failure is no problem, for the next retry has its time."""
        over = tuple(one for one in stragglers if one.is_over(workflow.now()))
        if over:
            self._give_up(over)
            return
        planned = tuple(one.moment for one in stragglers if one.moment)
        delivery = again(self._delivery((), planned), stragglers)
        takes_priority = self._priority(planned)
        how = options.at_once(options.NUDGE if delivery.document else options.NOTIFY)
        summary = f"again: {in_words(delivery)}"[:200]
        report = await self.once(PushService.deliver, delivery, how, summary, unless=lambda: takes_priority)
        if report is not None:
            self._heard(delivery, report, stragglers)
            if report.seen is not None:
                self.heed(report.seen, delivery.now)
        elif not takes_priority():
            self._progress = self._progress.tried(stragglers, (), tuple(left_open(stragglers, None, workflow.now())))

    def _delivery(self, notices: tuple[NotificationOrder, ...], planned: tuple[ScheduledAction, ...]) -> Delivery:
        return Delivery(
            subject=self.subject,
            notices=notices,
            due_at=self._progress.due_at,
            document=self._progress.document if planned else None,
            now=workflow.now(),
            page=self._progress.page,
            quiet=self._request.quiet,
            life=self.life,
        )

    async def _deliver(self, delivery: Delivery, planned: tuple[ScheduledAction, ...]) -> DeliveryReport | None:
        how = options.NUDGE if delivery.document else options.NOTIFY
        # Absence, hours and budget of a recipient may have changed since the first try.
        return await self.call(
            PushService.deliver,
            delivery,
            how,
            in_words(delivery),
            unless=lambda: self._priority(planned),
            anew=_at_this_instant,
            resumes=tuple(notice.key for notice in delivery.notices),
        )

    def _priority(self, planned: tuple[ScheduledAction, ...]) -> Condition:
        """A condition: something interrupts, or the recipients' hours end."""
        comes_first = self.comes_first()
        return lambda: comes_first() or bool(_closed(planned))

    def _heard(self, delivery: Delivery, report: DeliveryReport, tried: tuple[PendingDevice, ...]) -> None:
        """Record the results of a delivery, its open devices, and escalations that reached somebody."""
        now, planned = workflow.now(), tuple(one.moment for one in tried if one.moment)
        done = told_by(report)
        updated = self._progress.untold(frozenset(one.key for one in done.put_off))
        updated = updated.paged(delivery.page).put_off(done.put_off, now)
        updated = updated.told(explained(done.delivered, planned), now).held_back(done.held, now)
        updated = updated.tried(tried, done.delivered, tuple(left_open(tried, report, now)))
        self._progress = updated.escalated(alerted(updated, planned), now)

    def _give_up(self, over: tuple[PendingDevice, ...]) -> None:
        """The recipients' hours have ended: those not reached are planned for the next."""
        self._progress = self._progress.untold(frozenset(one.key for one in over))
        self._put_off(tuple(one.moment for one in over if one.moment))

    def _put_off(self, closed: tuple[ScheduledAction, ...]) -> None:
        """Plan again what could not be sent in the recipient's hours: an outage that ends at night wakes nobody."""
        told = {line.key for line in self._progress.notifications}
        for moment in closed:
            if key_of(self._progress.request, moment) in told:
                continue
            known, why = self._progress.replan(), Reason.QUIET_HOURS
            self._progress = known.note(workflow.now(), EventType.PUT_OFF, moment.to, why, about=moment.stage)


def _at_this_instant(delivery: Delivery) -> Delivery:
    return delivery.replace(now=workflow.now())


def _closed(planned: tuple[ScheduledAction, ...]) -> tuple[ScheduledAction, ...]:
    return tuple(moment for moment in planned if moment.open_until and moment.open_until <= workflow.now())


ASIDE = "aside"
"""The task that tells targets of escalations."""


class BackgroundNotifier(LifecycleWorkflow[State]):
    """Hands escalations off to targets in one background task."""

    def __init__(self, request: FollowUpInput, state: State) -> None:
        """`at_rest` is set while the main loop waits for any news: only then are results of targets news to it."""
        super().__init__(request, state)
        self.at_rest = False

    def tell_aside(self, aside: asyncio.Task[None] | None) -> asyncio.Task[None] | None:
        """Start the background task for due targets, unless it runs."""
        self._progress = open_escalations(self._request, self._progress, workflow.now())
        if aside is not None and aside.done():
            aside.result()
            aside = None
        if aside is None and self._progress.handoff.next_at is not None:
            return asyncio.create_task(self._tell_of_escalations(), name=ASIDE)
        return aside

    def break_off(self, aside: asyncio.Task[None] | None) -> None:
        """Stop it at the end: open targets of escalations are called with the ending."""
        if aside is not None:
            aside.cancel()
            self._progress = self._progress.replace(handoff=self._progress.handoff.skipping())

    async def _tell_of_escalations(self) -> None:
        """Until each target is done or dead. The next history, or the ending, continues an interrupted one."""
        while (due_at := self._progress.handoff.next_at) is not None:
            if (pause := due_at - workflow.now()) > timedelta():
                await self._sooner(pause)
                continue
            now = workflow.now()
            batch = hand_off_batch(self.subject, None, self._progress, now).replace(page=None, life=self.life)
            try:
                report = await self._handed_off_aside(batch)
            except ActivityError as failure:
                if is_cancelled_exception(failure):
                    return
                report = unreached(batch, call_failure_of(failure).says)
            # During a call of the main loop, or its pause, this would be news that interrupts it.
            await workflow.wait_condition(lambda: self.at_rest)
            updated = handed_off(self.subject, self._progress, report.results, now)
            self._progress = updated.replace(handoff=remembered(updated.handoff, batch, report, now))

    async def _sooner(self, pause: timedelta) -> None:
        """Wait so long, or until something is due sooner."""
        try:
            summary = "tell of an escalation again"
            await workflow.wait_condition(self.due_sooner(), timeout=pause, timeout_summary=summary)
        except TimeoutError:
            pass

    async def _handed_off_aside(self, batch: HandoffBatch) -> HandoffReport:
        return await workflow.start_activity_method(
            Handoff.hand_off,
            batch,
            summary=targets_in_words(batch),
            priority=workflow.info().priority,
            **options.HAND_OFF_ASIDE,
        )


_ALARM_WORDS: Final = {WakeUpKind.BUDGET: "the budget of notices", WakeUpKind.STRAGGLERS: "the phones left open"}


class FollowUpWorkflow(FollowUpMessages[State], BackgroundNotifier[State], NotificationSender[State]):
    """Follows up until the end, then hands off. Contains the moves.

    Inherited:

    - `FollowUpMessages`: updates of participants and requester; the query `planning`
    - `NotificationSender`: deliveries; `BackgroundNotifier`: targets of escalations
    - `LifecycleWorkflow`: `cancel`, `subscribe`, `replay`; end, hand-off, record, search attributes
    - `AcceptsCommands`: updates accepted once, answered by receipts; the query `operation`
    - `RetryingWorkflow`: calls with retries, waits, continue-as-new
    """

    @abstractmethod
    async def act_first(self, first: Precondition) -> None:
        """Carry out a precondition of this kind."""

    @abstractmethod
    async def hand_over(self, wanted: Reassignment) -> None:
        """Reassign a slot, or record why it cannot be done."""

    def __init__(self, request: FollowUpInput, state: State) -> None:
        """The turn signal is sent anew in each history: the last one may not have left the previous one."""
        super().__init__(request, state)
        self._turn_told: PartTurn | None = None
        self._telling: list[asyncio.Task[None]] = []

    async def follow_up(self) -> None:
        """The main loop: move by move, until the end."""
        aside: asyncio.Task[None] | None = None
        while not self._progress.status.ended:
            aside = self.tell_aside(aside)
            await self._make_next_move()
            self.continue_as_new_if_suggested()
        self.break_off(aside)

    async def _make_next_move(self) -> None:
        match next_action(self._progress, announcement(self._request, self.subject, self._progress), workflow.now()):
            case Precondition() as first:
                await self.act_first(first)
            case ReassignSlot(wanted):
                await self.hand_over(wanted)
            case PlanSchedule():
                await self._plan()
            case Paused(stop):
                await self._wait(None, f"paused by {stop.who}")
            case Announce(told):
                await self.tell(told)
            case RemindNow():
                await self._remind_now()
            case RetryDevices(stragglers):
                await self.tell_again(stragglers)
            case move:
                await self._take(move)

    async def _take(self, step: Step) -> None:
        match step:
            case Remind(due) | Escalate(due) | AskAgain(due) if was_away(due, self._progress, workflow.now()):
                self._progress = self._progress.replan()
            case _ if is_overtaken(step, self._progress, workflow.now()):
                self._progress = self._progress.replan()
            case Remind(moments, caught_up, too_soon):
                self._progress = self._progress.left_out(caught_up, too_soon, workflow.now())
                if moments:
                    await self.tell(nudges(self._progress, moments), planned=moments)
            case Escalate(moments):
                await self._escalate(moments)
            case AskAgain(moments):
                await self.tell(asked_again(self._progress, moments), planned=moments)
            case GoOn(moment):
                updated = self._progress.go_on(StopKind.QUESTION, workflow.now())
                self._progress = updated.note(workflow.now(), EventType.WENT_ON, None, moment.why)
            case Expire(moment):
                self._progress = self._progress.expire(moment, workflow.now())
            case Wait(moment):
                await self._wait_for(moment)

    async def _wait_for(self, moment: ScheduledAction | None) -> None:
        """Wait for the action's instant; replan first if the plan is in doubt."""
        doubt = self._progress.probe_at
        if doubt is None or (moment and moment.at < doubt):
            await self._wait(moment.at if moment else None, _wait_words(moment, self._progress.words.wanted))
        elif await self._wait(doubt, "the people file is faulty: plan anew") is WakeUpKind.DEADLINE:
            self._progress = self._progress.replan()

    async def _wait(self, deadline: datetime | None, words: str) -> WakeUpKind | None:
        """Wait for the deadline (None: for ever) or an earlier wake-up of the state; None for news."""
        alarm = self._progress.alarm(workflow.now(), deadline)
        words = _ALARM_WORDS.get(alarm.rings_for, words) if alarm else words
        self.at_rest = True
        wake = await self.until(alarm.at if alarm else None, words)
        self.at_rest = False
        rang = alarm.rings_for if alarm and wake is Wake.DEADLINE else None
        match rang:
            case WakeUpKind.BUDGET:
                # By then the hours of held-back recipients may have ended.
                self._progress = self._progress.replan()
            case WakeUpKind.LOOK:
                self._progress = self._progress.to_look()
        return rang

    async def _plan(self) -> None:
        """Plan in a local activity, with durable retries when that fails."""
        before, planning = self._progress, self.planning()
        try:
            agenda = await workflow.execute_local_activity_method(
                Planner.plan, planning, summary="plan the next steps", **options.PLAN_LOCALLY
            )
        except FailureError as failure:
            if is_cancelled_exception(failure):
                raise
            self.troubled(call_failure_of(failure, Code.PLANNING), probe_at=workflow.now())
            await self._plan_durably()
        else:
            self._adopt(agenda, planning.now, before)

    async def _plan_durably(self) -> None:
        """Retry until planning succeeds, then plan once more from the present clocks."""
        how, summary = options.PLAN, "plan the next steps"
        if await self.call(Planner.plan, self.planning(), how, summary, unless=self.news) is None:
            return
        before, planning = self._progress, self.planning()
        agenda = await self.call(Planner.plan, planning, how, summary, unless=self.news)
        if agenda is not None:
            self._adopt(agenda, planning.now, before)

    def _adopt(self, agenda: Schedule, planned_for: datetime, before: State) -> None:
        """Adopt the schedule, unless the state has changed since `before`."""
        if self._progress is before:
            self._progress = before.planned(agenda, planned_for)

    async def _escalate(self, moments: tuple[ScheduledAction, ...]) -> None:
        """Queue the reassignments that the policy wants, and alert alternates about the others."""
        handed = tuple(filter(self._progress.hands_over, moments))
        staying = tuple(moment for moment in moments if moment not in handed)
        wanted = [Reassignment(from_=m.person, to=m.to, reason=m.reason, who="countersign") for m in handed]
        self._progress = self._progress.to_reassign(*wanted)
        if staying:
            await self.tell(alerts(self._progress, staying), planned=staying)

    async def _remind_now(self) -> None:
        """Send the requested reminder to people without it; when none is left it is done."""
        if moments := asked_for(self._progress, workflow.now()):
            await self.tell(by_hand(self._progress, moments), planned=moments)
        if not asked_for(self._progress, workflow.now()):
            self._progress = self._progress.reminded(reminded_words(self._progress))

    def published(self, shown: Shown) -> None:
        """Send `part_turn` to the onboarding, once per turn; it hears of the end by the hand-off."""
        onboarding = onboarding_of(self._request, self._progress)
        if onboarding is None or self._progress.status.ended:
            return
        turn, first_run = turn_of(shown, workflow.now()), workflow.info().continued_run_id is None
        if self._turn_told is None and first_run and is_as_expected(self._request, self._progress, turn):
            return
        if self._turn_told is None or not turn.is_as(self._turn_told):
            self._turn_told = turn
            # Keep a reference: an unreferenced task may be garbage-collected.
            self._telling = [task for task in self._telling if not task.done()]
            self._telling.append(asyncio.create_task(_tell_of_turn(onboarding, turn), name="turn"))


async def _tell_of_turn(onboarding: str, turn: PartTurn) -> None:
    """Signal the onboarding; a closed one is ignored."""
    try:
        await workflow.get_external_workflow_handle(onboarding).signal(PART_TURN, turn)
    except FailureError as failure:
        if is_cancelled_exception(failure):
            raise


def _wait_words(moment: ScheduledAction | None, wanted: str) -> str:
    return f"{moment.stage} for {moment.person}: {moment.why}"[:200] if moment else f"for {wanted}"
