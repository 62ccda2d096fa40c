"""The life of whatever is followed up: its moves, how people are told, the hand-off; each kind has the hooks."""

import asyncio
from abc import abstractmethod
from datetime import datetime
from typing import Final

from temporalio import workflow
from temporalio.exceptions import FailureError, is_cancelled_exception

with workflow.unsafe.imports_passed_through():
    import workflows.follow_up.options as options
    from workflows.follow_up.agenda import AskAgain, Escalate, Expire, GoOn, Remind, Step, Wait, is_overtaken, was_away
    from workflows.follow_up.aside import BackgroundNotifier
    from workflows.follow_up.clocks import WakeUpKind
    from workflows.follow_up.inputs import FollowUpInput
    from workflows.follow_up.memory import State
    from workflows.follow_up.messages import FollowUpMessages
    from workflows.follow_up.moves import (
        Announce,
        Paused,
        PlanSchedule,
        ReassignSlot,
        RemindNow,
        RetryDevices,
        next_action,
    )
    from workflows.follow_up.notices import (
        alerts,
        asked_again,
        asked_for,
        by_hand,
        nudges,
        reminded_words,
    )
    from workflows.follow_up.patience import Wake
    from workflows.follow_up.recipients import announcement
    from workflows.follow_up.telling import NotificationSender
    from workflows.follow_up.trouble import call_failure_of
    from workflows.follow_up.turn_told import is_as_expected, onboarding_of, turn_of
    from workflows.follow_up.words import Precondition
    from workflows.model.entries import Reassignment
    from workflows.model.happened import EventType
    from workflows.model.planning import Schedule, ScheduledAction
    from workflows.model.subject import Code
    from workflows.model.views import PartTurn, Shown
    from workflows.model.wishes import StopKind
    from workflows.names import PART_TURN
    from workflows.ports import Planner

_ALARM_WORDS: Final = {WakeUpKind.BUDGET: "the budget of notices", WakeUpKind.STRAGGLERS: "the phones left open"}


class FollowUpWorkflow(FollowUpMessages[State], BackgroundNotifier[State], NotificationSender[State]):
    """Follows up until it has ended, and then until everyone concerned has been told how.

    Here are its moves. What comes from where:
    - `FollowUpMessages`: what whoever is asked, and whoever asked, may wish; the query `planning`
    - `NotificationSender`: how people are told, a stage at a time; `BackgroundNotifier`: how systems are told of
      escalations meanwhile
    - `LivingWorkflow`: `cancel`, `subscribe`, `replay`; the end, the hand-off and the record; what the Web UI shows
    - `AcceptsWishes`: each update is accepted once and answered with a receipt; the query `operation`
    - `PatientWorkflow`: calls that are repeated until somebody has fixed what is wrong, waits, fresh histories
    """

    @abstractmethod
    async def act_first(self, first: Precondition) -> None:
        """Do what comes before anybody is told anything."""

    @abstractmethod
    async def hand_over(self, wanted: Reassignment) -> None:
        """Give somebody's place to somebody else, or remember why it cannot be done."""

    def __init__(self, request: FollowUpInput, memory: State) -> None:
        """A fresh history tells its onboarding anew: what the one before has told last may not have left it."""
        super().__init__(request, memory)
        self._turn_told: PartTurn | None = None
        self._telling: list[asyncio.Task[None]] = []

    async def follow_up(self) -> None:
        """Move by move, until it has ended."""
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
                known = self._progress.go_on(StopKind.QUESTION, workflow.now())
                self._progress = known.note(workflow.now(), EventType.WENT_ON, None, moment.why)
            case Expire(moment):
                self._progress = self._progress.expire(moment, workflow.now())
            case Wait(moment):
                await self._wait_for(moment)

    async def _wait_for(self, moment: ScheduledAction | None) -> None:
        """Wait for the moment; a plan that is in doubt is made anew before."""
        doubt = self._progress.probe_at
        if doubt is None or (moment and moment.at < doubt):
            await self._wait(moment.at if moment else None, _wait_words(moment, self._progress.words.wanted))
        elif await self._wait(doubt, "the people file is faulty: plan anew") is WakeUpKind.DEADLINE:
            self._progress = self._progress.replan()

    async def _wait(self, deadline: datetime | None, words: str) -> WakeUpKind | None:
        """Wait for the deadline (None: for ever), or until the memory itself has something to do; None for news."""
        alarm = self._progress.alarm(workflow.now(), deadline)
        words = _ALARM_WORDS.get(alarm.rings_for, words) if alarm else words
        self.at_rest = True
        wake = await self.until(alarm.at if alarm else None, words)
        self.at_rest = False
        rang = alarm.rings_for if alarm and wake is Wake.DEADLINE else None
        match rang:
            case WakeUpKind.BUDGET:
                # By then the hours of whoever was held back may have closed.
                self._progress = self._progress.replan()
            case WakeUpKind.LOOK:
                self._progress = self._progress.to_look()
        return rang

    async def _plan(self) -> None:
        """Turn policy, people and now into instants: locally, and durably retried when that fails."""
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
        """Retry until planning succeeds at all, then plan once more from where the clocks are by then."""
        how, summary = options.PLAN, "plan the next steps"
        if await self.call(Planner.plan, self.planning(), how, summary, unless=self.news) is None:
            return
        before, planning = self._progress, self.planning()
        agenda = await self.call(Planner.plan, planning, how, summary, unless=self.news)
        if agenda is not None:
            self._adopt(agenda, planning.now, before)

    def _adopt(self, agenda: Schedule, planned_for: datetime, before: State) -> None:
        """Follow the agenda, unless something has changed since `before`: a change is not in this plan."""
        if self._progress is before:
            self._progress = before.planned(agenda, planned_for)

    async def _escalate(self, moments: tuple[ScheduledAction, ...]) -> None:
        """Hand over the places that the policy wants handed over, and alert somebody about the others."""
        handed = tuple(filter(self._progress.hands_over, moments))
        staying = tuple(moment for moment in moments if moment not in handed)
        wanted = [Reassignment(from_=m.person, to=m.to, reason=m.reason, who="countersign") for m in handed]
        self._progress = self._progress.to_reassign(*wanted)
        if staying:
            await self.tell(alerts(self._progress, staying), planned=staying)

    async def _remind_now(self) -> None:
        """Send the reminder that was asked for to everyone who has not had it; with nobody left it is done."""
        if moments := asked_for(self._progress, workflow.now()):
            await self.tell(by_hand(self._progress, moments), planned=moments)
        if not asked_for(self._progress, workflow.now()):
            self._progress = self._progress.reminded(reminded_words(self._progress))

    def published(self, shown: Shown) -> None:
        """Tell its onboarding for whom it waits, once for each turn; of its end that hears by the hand-off."""
        onboarding = onboarding_of(self._request, self._progress)
        if onboarding is None or self._progress.status.ended:
            return
        turn, first_run = turn_of(shown, workflow.now()), workflow.info().continued_run_id is None
        if self._turn_told is None and first_run and is_as_expected(self._request, self._progress, turn):
            return
        if self._turn_told is None or not turn.is_as(self._turn_told):
            self._turn_told = turn
            # Kept, for a task that nothing refers to may be collected before it is done.
            self._telling = [task for task in self._telling if not task.done()]
            self._telling.append(asyncio.create_task(_tell_of_turn(onboarding, turn), name="turn"))


async def _tell_of_turn(onboarding: str, turn: PartTurn) -> None:
    """An onboarding that has ended needs no word of it."""
    try:
        await workflow.get_external_workflow_handle(onboarding).signal(PART_TURN, turn)
    except FailureError as failure:
        if is_cancelled_exception(failure):
            raise


def _wait_words(moment: ScheduledAction | None, wanted: str) -> str:
    return f"{moment.stage} for {moment.person}: {moment.why}"[:200] if moment else f"for {wanted}"
