"""The onboarding workflow: stage after stage, each of parallel signature requests and tasks (docs/onboarding.md)."""

import asyncio
from collections.abc import Iterable, Iterator
from datetime import datetime, timedelta
from typing import Any, Final

from temporalio import workflow
from temporalio.exceptions import FailureError

with workflow.unsafe.imports_passed_through():
    import workflows.follow_up.options as options
    import workflows.names as names
    import workflows.onboarding.view as views
    from workflows.follow_up.calls import Condition, despite_cancellation
    from workflows.follow_up.commands import living_refusal
    from workflows.follow_up.hand_off import hand_off
    from workflows.follow_up.lifecycle import LifecycleWorkflow, command_update
    from workflows.follow_up.notification_types import NotificationType
    from workflows.follow_up.notifier import Notifier
    from workflows.kinds import Kind
    from workflows.model.commands import AnyCommand, Decision, Ending, NewLink, PartOutcome
    from workflows.model.hand_off import SettledOnboarding, SettledRequest, SettledTask
    from workflows.model.messages import Message
    from workflows.model.notifications import NoticeAction, NotificationOrder
    from workflows.model.onboarding import (
        Onboarding,
        PartKind,
        PartPlan,
        PartSnapshot,
        PartsToEnd,
        PartsToLookAt,
        PartsToStart,
        PartToStart,
        StagePlan,
        StartedPart,
    )
    from workflows.model.receipts import Receipt
    from workflows.model.rejections import Rejection, clipped, name_fault, reason_fault, text_fault
    from workflows.model.subject import Status, Subject
    from workflows.model.timeline import EventType
    from workflows.model.views import OnboardingShow, PartTurn
    from workflows.onboarding.state import OnboardingInput, OnboardingState, PartNews, PartProgress, PartState, tasks
    from workflows.ports import OnboardingParts


TRIES_AT_MOST: Final = 20
"""How often a part is started."""
AT_ONCE: Final = 20
"""Parts that one activity starts, looks at or ends."""
_WHY_AT_MOST: Final = 900
"""Bytes of the reason for which a part is ended."""
_DECIDED: Final = "decided"
"""The reason for which a task to decide is ended."""
_ABANDONED_REASON: Final = "the onboarding goes on without it"
"""The reason for which a part is ended that was terminated and that nobody takes up."""


def to_start(journey: OnboardingState, stage: StagePlan) -> tuple[PartToStart, ...]:
    """Parts to start, and decision tasks for failed ones."""
    parts = [(plan, part) for plan, part in journey.parts_of_stage(stage) if plan.what is not PartKind.NOTICE]
    begin = [
        PartToStart(part=part.id, id=part.run, what=plan.what, content=part.content, again=part.resumable)
        for plan, part in parts
        if part.state is PartState.COMING
    ]
    ask = [
        PartToStart(
            part=part.id,
            id=part.next_decision,
            what=plan.what,
            after=part.run,
            status=part.status,
            says=part.says if part.since is None else "",
        )
        for plan, part in parts
        if part.to_ask
    ]
    return (*begin, *ask)


def record_start(
    journey: OnboardingState, started: PartToStart, *, refused: bool, now: datetime, first_people: tuple[str, ...] = ()
) -> OnboardingState:
    """The state after starts: started or refused; meanwhile a part may have ended or been decided about.

    `asked` are people asked first where they differ from the plan.
    """
    part = journey.part(started.part)
    if part is None:
        return journey
    if started.after is None:
        # A part may report before its start is answered: then it has ended already.
        lives = part.state is PartState.COMING and part.run == started.id and not refused
        return journey.begin_part(part, now, first_people) if lives else journey
    if part.state is PartState.UNDECIDED and part.run == started.after:
        return journey.asked_about(part)
    if refused or started.id in journey.to_end.decided:
        return journey
    return journey.update_part("to_end", decided=(*journey.to_end.decided, started.id))


def find_changed_people(
    stage: StagePlan, started: PartToStart, begun_parts: tuple[StartedPart, ...]
) -> tuple[str, ...]:
    """People asked first where they differ from the plan: a replaced signer, new team members."""
    if started.after is not None:
        return ()
    planned = next((plan.asked for plan in stage.parts if plan.id == started.part), ())
    first_people = next((part.asked for part in begun_parts if part.id == started.id), planned)
    return first_people if first_people != planned else ()


def may_have_begun(journey: OnboardingState, stages: tuple[StagePlan, ...]) -> tuple[str, ...]:
    """Workflow ids of unanswered starts at the end: they may exist."""
    if len(journey.stages.entered) <= journey.stages.current:
        return ()
    starting = to_start(journey, stages[journey.stages.current])
    kinds = ((Kind.TASK if start.after else start.what.runs_as, start.id) for start in starting)
    return tuple(kind.workflow_id(id) for kind, id in kinds if kind)


def is_over(journey: OnboardingState, stage: StagePlan) -> bool:
    """Whether a stage waits for nothing."""
    return all(part.state.is_over for _, part in journey.parts_of_stage(stage))


def refuse_decide(journey: OnboardingState, command: Decision) -> Message | None:
    part = journey.part(command.part)
    if refusal := living_refusal(journey) or name_fault(command.actor):
        return refusal
    if part is None:
        return Rejection.NO_PART.to_message(
            part=command.part[:100], parts=", ".join(part.id for part in journey.parts[:20])
        )
    if part.state is not PartState.UNDECIDED:
        return Rejection.NOTHING_TO_DECIDE.to_message(part=part.id, state=_describe_state(part))
    if not command.choice.is_restart:
        return text_fault(command.reason, "the reason")
    return _refuse_restart(part, command) or reason_fault(command.reason, "the reason")


def refuse_send_link(journey: OnboardingState, command: NewLink, customers: tuple[str, ...]) -> Message | None:
    if refusal := living_refusal(journey) or name_fault(command.actor):
        return refusal
    return None if command.actor in customers else Rejection.NOT_OF_CUSTOMER.to_message(person=command.actor)


def request_link(journey: OnboardingState, command: NewLink, now: datetime) -> OnboardingState:
    """Request the actor's link; a pending one serves as well."""
    if command.actor in journey.links.wanted:
        return journey
    return journey.update_part("links", wanted=(*journey.links.wanted, command.actor)).note(
        now, EventType.LINK_ASKED, command.actor, None
    )


def decide(journey: OnboardingState, command: Decision, now: datetime) -> OnboardingState:
    decided = EventType(f"decided_{command.choice}")
    updated = journey.note(now, decided, command.actor, command.reason or None, about_id=command.part, is_quote=True)
    if command.choice is PartOutcome.STOP:
        return updated.close(Ending(outcome=Status.CANCELLED, who=command.actor, why=command.reason), now)
    return updated.decide(command, now)


def news_of(journey: OnboardingState, stage: StagePlan) -> Iterator[tuple[PartPlan, PartProgress, PartNews]]:
    """Unannounced events of a stage's parts, in order."""
    for plan, part in journey.parts_of_stage(stage):
        for news in _news(plan, part):
            if news not in part.told:
                yield plan, part, news


def notices_of(onboarding: Onboarding, plan: PartPlan, part_news: PartNews) -> Iterator[NotificationOrder]:
    """Notifications of one event: of news to the file's recipients, else to the customer."""
    is_notice = part_news is PartNews.NOTICE
    for person in plan.asked if is_notice else (onboarding.customer,):
        notice = _notice(onboarding, f"{part_news}-{plan.id}", person)
        if not is_notice:
            yield notice.replace(title=plan.title)
        else:
            named = None if plan.team == views.CUSTOMER else onboarding.title
            yield notice.replace(title=named, text=plan.text)


def link_notices(onboarding: Onboarding, journey: OnboardingState) -> tuple[NotificationOrder, ...]:
    notice_type = f"{NotificationType.LINK}-{journey.links.sent + 1}"
    return tuple(_notice(onboarding, notice_type, person) for person in journey.links.wanted)


@workflow.defn(name=names.CUSTOMER_ONBOARDING)
class CustomerOnboardingWorkflow(LifecycleWorkflow[OnboardingState]):
    """Joins signature requests and tasks, stage by stage, then hands off."""

    request: OnboardingInput

    @workflow.init
    def __init__(self, request: OnboardingInput) -> None:
        super().__init__(
            request, request.carried or OnboardingState.begin(request.onboarding, request.stages, workflow.now())
        )
        self.notifier = Notifier(self, interrupted_by=self._make_end_condition)
        self._look_timer: asyncio.Future[None] | None = None

    @workflow.run
    @despite_cancellation
    async def run(self, request: OnboardingInput) -> SettledOnboarding:
        """Pass stage after stage; a cancellation of the run is handled like the update `cancel`."""
        for stage in request.stages[self.state.stages.current :]:
            await self.enter(stage)
            await self.join(stage)
        await self.complete()
        await hand_off(self)
        return self.settled()

    async def enter(self, stage: StagePlan) -> None:
        if self._goes_on:
            self.state = self.state.enter(workflow.now())
            self._cancel_look_timer()
            await self._start(stage)

    async def join(self, stage: StagePlan) -> None:
        """Wait until all parts are done; notify of events, and ask the owner about failed parts."""
        while self._goes_on:
            has_news = self.calls.news()
            await self._end_decided()
            await self._end_abandoned()
            await self._start(stage)
            await self._tell(stage)
            await self._send_links()
            if device_retries := self.state.retries(workflow.now()):
                await self.notifier.retry(device_retries)
            if not has_news():
                if is_over(self.state, stage) and not self._has_open_last_devices:
                    self.state = self.state.leave(workflow.now())
                    return
                await self._look_or_wait()
            self.calls.continue_as_new_if_suggested()

    async def complete(self) -> None:
        """End it: as requested, after ending the open parts, or because every stage is done."""
        self._cancel_look_timer()
        if self.state.status.has_ended:
            return
        if ending := self.state.lifecycle.ending:
            # The reason, clipped to what each part accepts.
            reason = f"the onboarding was {ending.outcome}: {clipped(ending.why, _WHY_AT_MOST)}"
            # The owner, and whoever has several open parts, are notified once of the end, not of each part.
            owner, lingering = self.request.onboarding.requester, self.state.left_behind
            together = self.state.waiting_for_several(self.request.stages)
            together = tuple(person for person in together if person != owner)
            self.state = self.state.update_part("to_end", told_together=together)
            notified_people = (owner, *together)
            await self._end(
                (*self.state.open_workflows, *lingering), ending.who, reason, notified_people=notified_people
            )
            unanswered = may_have_begun(self.state, self.request.stages)
            await self._end(
                (*self.state.to_end.tasks, *unanswered),
                ending.who,
                reason,
                if_ours=True,
                notified_people=notified_people,
            )
            self.state = self.state.end(ending.outcome, workflow.now(), decided_by=ending.who)
        else:
            await self._end(self.state.to_end.tasks, self.request.onboarding.requester, _DECIDED, if_ours=True)
            self.state = self.state.end(Status.DONE, workflow.now(), decided_by="countersign")

    @property
    def _goes_on(self) -> bool:
        return self.state.lifecycle.ending is None and not self.state.status.has_ended

    @property
    def _has_open_last_devices(self) -> bool:
        """Whether devices are open for the last stage's notifications: after the end they are not retried."""
        last = self.state.stages.current == len(self.request.stages) - 1
        return last and bool(self.state.notifications.devices.entries)

    def _make_end_condition(self) -> Condition:
        return lambda: not self._goes_on

    async def _start(self, stage: StagePlan) -> None:
        """Start what is to be started, recomputed for each call."""
        while batch := to_start(self.state, stage)[:AT_ONCE]:
            order = self._build_start_order(batch).replace(now=workflow.now())
            report = await self.calls.call(
                OnboardingParts.start,
                order,
                options.HAND_OFF,
                f"start {_join_ids(batch)}",
                unless=self._make_end_condition,
            )
            if report is None:
                return
            refused, now = {part.id for part in report.parts if part.says}, workflow.now()
            for start in (start for start in batch if start.id not in report.away):
                first_people = find_changed_people(stage, start, report.begun)
                self.state = record_start(
                    self.state, start, refused=start.id in refused, now=now, first_people=first_people
                )
            self._saw(report.parts)

    def _build_start_order(self, parts: tuple[PartToStart, ...]) -> PartsToStart:
        """The order to start parts, with their common content."""
        onboarding = self.request.onboarding
        return PartsToStart(
            onboarding=onboarding.id,
            content=onboarding.content,
            told=onboarding.told,
            quiet=onboarding.quiet,
            depth=onboarding.depth,
            parts=parts,
        )

    def _saw(self, parts: Iterable[PartSnapshot]) -> None:
        for report in parts:
            self.state = self.state.merge_report(report, workflow.now())

    async def _end_decided(self) -> None:
        """One attempt: a task that Temporal does not end holds up nothing else."""
        for batch in _in_batches(self.state.to_end.decided):
            order = PartsToEnd(
                parts=tasks(batch),
                actor=self.request.onboarding.requester,
                reason=_DECIDED,
                done=True,
                begun_by=workflow.info().workflow_id,
            )
            try:
                await self.calls.attempt(
                    OnboardingParts.end, order, options.HAND_OFF, _describe_ending(batch), self._make_end_condition()
                )
                is_ended = True
            except FailureError:
                self._cancel_look_timer()
                is_ended = False
            if not self._goes_on:
                return  # Cancelled: `complete` ends them with the parts.
            self.state = self.state.tried_to_end(batch, is_ended=is_ended, now=workflow.now())

    async def _end_abandoned(self) -> None:
        """Before a new start, for people would have two documents to sign."""
        if abandoned := self.state.to_end.abandoned:
            await self._end(abandoned, self.request.onboarding.requester, _ABANDONED_REASON)
            self.state = self.state.update_part("to_end", abandoned=self.state.to_end.abandoned[len(abandoned) :])

    async def _end(
        self,
        workflow_ids: Iterable[str],
        actor: str,
        reason: str,
        *,
        if_ours: bool = False,
        notified_people: tuple[str, ...] = (),
    ) -> None:
        begun_by = workflow.info().workflow_id if if_ours else None
        for batch in _in_batches(tuple(workflow_ids)):
            # Do not start a part only to end it.
            agreements = () if if_ours else self.state.begun_as(batch)
            order = PartsToEnd(
                parts=batch,
                actor=actor,
                reason=reason,
                begun_by=begun_by,
                told=notified_people,
                begun=self._build_start_order(agreements) if agreements else None,
            )
            await self.calls.call(OnboardingParts.end, order, options.HAND_OFF, _describe_ending(batch))

    def _cancel_look_timer(self) -> None:
        if self._look_timer is not None:
            self._look_timer.cancel()
            self._look_timer = None

    async def _tell(self, stage: StagePlan) -> None:
        """Notify of events of a stage's parts, once each."""
        onboarding = self.request.onboarding
        while news := tuple(news_of(self.state, stage))[:AT_ONCE]:
            notices = (notice for plan, _, part_news in news for notice in notices_of(onboarding, plan, part_news))
            if not await self.notifier.notify(tuple(notices)):
                return
            for _, part, part_news in news:
                self.state = self.state.told_of(part, part_news, workflow.now())

    async def _send_links(self) -> None:
        people, links = self.state.links.wanted, link_notices(self.request.onboarding, self.state)
        if people and await self.notifier.notify(links):
            self.state = self.state.sent_links(people)

    async def _look_or_wait(self) -> None:
        """Wait for news; without any for long, check open parts, one of which may have been terminated.

        One timer serves all waits up to the check: one for each would cost as much as a part's news.
        """
        has_news = self.calls.news()
        if self._look_timer is None:
            pause = max(self.state.stages.next_look - workflow.now(), timedelta())
            self._look_timer = asyncio.ensure_future(workflow.sleep(pause, summary="look at the open parts"))
        again_at = self.state.notifications.devices.next_at(workflow.now())
        await self.calls.wait_until(
            again_at,
            "the phones left open",
            lambda: lambda: has_news() or self._look_timer is None or self._look_timer.done(),
        )
        if has_news() or self._look_timer is None or not self._look_timer.done():
            return
        self._look_timer = None
        for batch in _in_batches(self.state.open_workflows):
            report = await self.calls.call(
                OnboardingParts.read,
                PartsToLookAt(parts=batch),
                options.HAND_OFF,
                "look at parts",
                unless=self._make_end_condition,
            )
            if report is not None:
                self._saw(report.parts)
        self.state = self.state.looked(workflow.now())

    @workflow.query(name=names.SHOW, description="The stages, who is waited for, and all that was done")
    def show(self) -> OnboardingShow:
        return self.build_view(self.state, workflow.now())

    @workflow.signal(name=names.SIGNATURE_SETTLED, description="A signature request of it has ended")
    def signature_settled(self, settled: SettledRequest) -> None:
        """An agreement has ended."""
        self._saw((PartSnapshot(id=settled.request, status=settled.outcome, at=settled.at, by=settled.declined_by),))

    @workflow.signal(name=names.TASK_SETTLED, description="A task of it has ended")
    def task_settled(self, settled: SettledTask) -> None:
        """A task, a step of the customer's or a decision task has ended."""
        self._saw((PartSnapshot(id=settled.task, status=settled.outcome, at=settled.at),))

    @workflow.signal(name=names.PART_TURN, description="Somebody else is waited for in a part of it")
    def part_turn(self, turn: PartTurn) -> None:
        """Record for whom a part waits now."""
        self.state = self.state.heard(turn)

    @command_update(
        name=names.DECIDE, description="What is to become of a part that was declined, expired or broken off"
    )
    def decide(self, command: Decision) -> Receipt:
        """Send it again, replace it, go on without it, or stop."""
        return self.accept(decide, command)

    @command_update(
        name=names.SEND_LINK, description="Send somebody of the customer's the link to their page once more"
    )
    def send_link(self, command: NewLink) -> Receipt:
        """Send the actor's link to their devices, or by mail."""
        return self.accept(request_link, command)

    def refusal(self, command: AnyCommand) -> Message | None:
        match command:
            case Decision():
                return refuse_decide(self.state, command)
            case NewLink():
                customers = tuple(participant.person for participant in self.request.onboarding.people)
                return refuse_send_link(self.state, command, customers)
        return super().refusal(command)

    @property
    def subject(self) -> Subject:
        return self.heard(self.request.subject)

    def settled(self) -> SettledOnboarding:
        return views.settled(self.request, self.state)

    def build_view(self, state: OnboardingState, now: datetime) -> OnboardingShow:
        return views.show(self.request, state, now)

    def details(self, view: Any) -> str:
        return views.details(view, workflow.info().namespace)


def _describe_state(part: PartProgress) -> str:
    if part.state is PartState.COMING and part.tries > 1:
        return "to be started again by a decision that was made already"
    return str(part.state if part.state is PartState.WAIVED else part.status or part.state)


def _refuse_restart(part: PartProgress, command: Decision) -> Message | None:
    if command.choice is PartOutcome.REPLACE and command.content is None:
        return Rejection.NO_FILE.to_message()
    often = part.tries >= TRIES_AT_MOST
    return Rejection.STARTED_TOO_OFTEN.to_message(part=part.id, count=part.tries) if often else None


def _news(plan: PartPlan, part: PartProgress) -> Iterator[PartNews]:
    if plan.what is PartKind.NOTICE:
        yield PartNews.NOTICE
    if plan.tell_customer and part.since is not None:
        yield PartNews.BEGUN
        if part.state is PartState.DONE:
            yield PartNews.FINISHED


def _notice(onboarding: Onboarding, notice_type: str, person: str) -> NotificationOrder:
    return NotificationOrder(
        key=names.notice_key(onboarding.id, notice_type, person),
        stage=notice_type,
        person=person,
        action=NoticeAction.OPEN,
    )


def _in_batches(parts: tuple[str, ...]) -> Iterable[tuple[str, ...]]:
    return (parts[begin : begin + AT_ONCE] for begin in range(0, len(parts), AT_ONCE))


def _join_ids(parts: Iterable[PartToStart]) -> str:
    return ", ".join(start.id for start in parts)[:190]


def _describe_ending(parts: tuple[str, ...]) -> str:
    return f"end {len(parts)} open parts"
