"""The campaign workflow: freeze the audience, ask everybody, follow the window, make the record (docs/campaigns.md)."""

from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any, Final

from temporalio import workflow

with workflow.unsafe.imports_passed_through():
    import workflows.campaign.state as changes
    import workflows.campaign.view as views
    import workflows.follow_up.options as options
    from workflows.campaign.state import CLOSING, CampaignInput, CampaignState
    from workflows.follow_up.calls import CallFailure, Condition, despite_cancellation, nothing
    from workflows.follow_up.hand_off import hand_off
    from workflows.follow_up.lifecycle import LifecycleWorkflow, command_update
    from workflows.kinds import Kind
    from workflows.model import campaign
    from workflows.model.commands import AnyCommand, Exemption, Extension, ReminderCommand, Retry
    from workflows.model.hand_off import SettledCampaign
    from workflows.model.messages import Message
    from workflows.model.receipts import Receipt
    from workflows.model.subject import Code, Status, Subject
    from workflows.model.views import CampaignShow
    from workflows.names import CAMPAIGN, EXEMPT, EXTEND, REMIND, RETRY, SHOW
    from workflows.ports import CampaignPeople

WAITS: Final = tuple(timedelta(seconds=5) * 2**power for power in range(14)) + (timedelta(days=1),) * 7
"""How long it is waited, time after time, for requests that should have ended; then the record says that they have not.

Together eight days: an outage of the provider's, and what people do about it. Who cancels a small campaign sees its
record within seconds.
"""
_WHY_AT_MOST: Final = 900
"""Characters of the reason for which a request is ended."""


@workflow.defn(name=CAMPAIGN)
class AcknowledgementCampaignWorkflow(LifecycleWorkflow[CampaignState]):
    """Asks everybody of a frozen audience, and closes with a list of one outcome per member."""

    request: CampaignInput

    @workflow.init
    def __init__(self, request: CampaignInput) -> None:
        super().__init__(request, request.carried or CampaignState.begin(request.campaign, workflow.now()))

    @workflow.run
    @despite_cancellation
    async def run(self, request: CampaignInput) -> SettledCampaign:
        """Open, follow, close; a cancellation of the run is handled like the update `cancel`."""
        await self.open()
        await self.follow()
        await self.close()
        await hand_off(self)
        return self.settled()

    async def open(self) -> None:
        """Freeze the audience at the opening hour."""
        while self.state.audience.frozen is None and self._goes_on:
            await self.calls.wait_until(self.state.window.opens_at, "the opening", unless=self._make_end_condition)
            frozen = None
            if workflow.now() >= self.state.window.opens_at and not self._is_over:
                frozen = await self.calls.call(
                    CampaignPeople.freeze,
                    self._order,
                    options.BATCH,
                    "freeze",
                    unless=self._make_end_condition,
                    judged=self._judged,
                )
            if self._is_over and self._goes_on:
                self.failed(CallFailure(Code.NOT_OPENED, "its window was over"))
            elif frozen is not None:
                self.state = self.state.froze(frozen, workflow.now())

    async def follow(self) -> None:
        """Until the closing: ask everybody, carry out changes, check daily who joined, left, or is missing."""
        while self._goes_on and not self.state.closing and (self.state.unfinished or not self._is_over):
            news = self.calls.news()
            await self._write_changes()
            await self._run_batch()
            if workflow.now() >= self.state.look_due_at and not self._is_over:
                await self._look()
            if not news():
                await self.calls.wait_until(self._next_at, "the daily look, or the end")
            self.calls.continue_as_new_if_suggested()

    async def close(self) -> None:
        """Count the outcomes and write the list, once; waits for open requests within a bound."""
        while not self.state.status.has_ended:
            await self._end_everybody()
            tally = await self._settle()
            if tally.outcomes or self.state.audience.frozen is None:
                self.state = self.state.end(self._outcome(tally), workflow.now(), decided_by="countersign")
                return
            pause = WAITS[self.state.tally.waits]
            self.state = self.state.waited()
            unless = nothing if self.state.lifecycle.ending else self._make_end_condition
            await self.calls.wait_until(
                workflow.now() + pause, "requests that should have ended", unless=unless, midway=True
            )
            self.calls.continue_as_new_if_suggested()

    async def _end_everybody(self) -> None:
        """End all open requests, once: after `cancel`, or after the waits."""
        ending = self.state.lifecycle.ending
        if ending is None and self.state.tally.waits < len(WAITS):
            return
        self.state = self.state.end_everybody()
        while self.state.jobs.running:
            actor, reason = (
                (ending.who, f"the campaign was cancelled: {ending.why}")
                if ending
                else ("countersign", campaign.CLOSED)
            )
            await self._run_batch(actor=actor, reason=reason[:_WHY_AT_MOST])
            self.calls.continue_as_new_if_suggested()

    @property
    def _goes_on(self) -> bool:
        return self.state.lifecycle.ending is None and not self.state.status.has_ended

    @property
    def _is_over(self) -> bool:
        closes_at = self.state.closes_at
        return closes_at is not None and workflow.now() >= closes_at

    @property
    def _next_at(self) -> datetime:
        again_at = self.state.jobs.running[0].again_at if self.state.jobs.running else None
        instants = (self.state.closes_at, self.state.look_due_at, again_at)
        return min(instant for instant in instants if instant)

    def _judged(self, failure: CallFailure) -> CallFailure:
        """A failing freeze is final after the closing date."""
        return replace(failure, code=Code.NOT_OPENED) if self._goes_on and self._is_over else failure

    def _make_end_condition(self) -> Condition:
        return lambda: not self._goes_on

    def _too_late(self) -> Condition:
        """The watch that also ends failing calls at the closing: the record does not wait."""
        closing = self.state.closing
        return lambda: not self._goes_on or (self._is_over and not closing and self.state.problems.current is not None)

    @property
    def _order(self) -> campaign.CampaignOrder:
        state = self.state
        return campaign.CampaignOrder(
            campaign=self.heard(self.request.campaign),
            frozen=state.audience.frozen,
            changed=state.audience.head,
            changes=state.audience.changes,
            asked=state.audience.asked,
            changes_asked=state.audience.changes_asked,
            fingerprint=self.request.fingerprint,
            now=workflow.now(),
        )

    async def _write_changes(self) -> None:
        """Store the queued changes, one by one."""
        while self._goes_on and (change := self.state.to_write) is not None:
            changed = await self.calls.call(
                CampaignPeople.change,
                campaign.ChangeOrder(order=self._order, change=change),
                options.BATCH,
                f"write down: {change.what}",
                unless=self._too_late,
            )
            if changed is None and self._goes_on:
                changed = campaign.ChangeResult(refused=CLOSING)
            if changed is not None:
                self.state = self.state.wrote(changed, workflow.now())

    async def _run_batch(self, actor: str = "countersign", reason: str = "") -> None:
        """Continue the first batch job for some minutes, or to its end; nobody is asked after the closing."""
        if not self.state.jobs.running:
            return
        batch = self.state.jobs.running[0]
        asks = batch.work is campaign.BatchWork.START
        if asks and self._is_over:
            self.state = self.state.drop_interrupted_job(workflow.now())
            return
        if batch.again_at and workflow.now() < batch.again_at:
            return
        change, reminder = batch.change, batch.reminder
        order = campaign.Batch(
            order=self._order,
            work=batch.work,
            after=batch.after,
            change=change and change.number,
            reminder=reminder.number if reminder else 0,
            force=bool(reminder and reminder.force),
            actor=change.by if change else reminder.by if reminder else actor,
            reason=_because(change) if change else reason,
            until=self.state.closes_at if asks else None,
        )
        unless = nothing if self.state.lifecycle.ending else self._too_late
        summary = f"{batch.work} behind {batch.after}"
        result = await self.calls.call(CampaignPeople.run_batch, order, options.BATCH, summary, unless=unless)
        if result is not None:
            self.state = self.state.batch_done(result, workflow.now())
        elif self._goes_on:
            self.state = self.state.drop_interrupted_job(workflow.now())

    async def _look(self) -> None:
        """The daily check; a late one replaces the missed ones."""
        state = self.state = self.state.missed_looks(workflow.now())
        order = campaign.DailyCheck(
            order=self._order,
            day=state.daily.days + 1,
            due=state.window.everybodys_due,
            after=state.daily.told_to,
            weekly=state.weekly,
        )
        looked = await self.calls.call(
            CampaignPeople.check, order, options.BATCH, "the daily check", unless=self._too_late
        )
        if looked is not None:
            self.state = self.state.looked(looked, workflow.now())

    async def _settle(self) -> campaign.OutcomeCounts:
        """Count the outcomes; the list is written once nobody is open, or the waits are over."""
        if self.state.audience.frozen is None:
            return campaign.OutcomeCounts(counts=self.state.tally.counts)
        order = campaign.SettleOrder(
            order=self._order,
            expected=self.state.audience.members,
            final=self.state.tally.waits >= len(WAITS),
        )
        tally = await self.calls.call(CampaignPeople.settle, order, options.BATCH, "how everybody stands")
        if tally is None:
            raise RuntimeError("nothing but an answer ends this call")
        self.state = self.state.tallied(tally, workflow.now())
        return tally

    def _outcome(self, tally: campaign.OutcomeCounts) -> Status:
        if self.state.lifecycle.ending:
            return self.state.lifecycle.ending.outcome
        return Status.DONE_WITH_ERRORS if tally.counts.amiss else Status.DONE

    @workflow.query(name=SHOW, description="How far it has come: counts, the window, what was done")
    def show(self) -> CampaignShow:
        """The view from the state alone."""
        return self.build_view(self.state, workflow.now())

    @command_update(name=EXEMPT, description="Somebody of the audience need not acknowledge, and why")
    def exempt(self, command: Exemption) -> Receipt:
        """Record that a member need not acknowledge, and end their request."""
        return self.accept(changes.exempt, command)

    @command_update(name=EXTEND, description="Keep it open longer, for everybody")
    def extend(self, command: Extension) -> Receipt:
        """Extend the window of all open members."""
        return self.accept(changes.later, command)

    @command_update(name=RETRY, description="Ask those once more who could not be asked")
    def retry(self, command: Retry) -> Receipt:
        """Ask again the members who could not be asked: wrong rows, failed requests."""
        return self.accept(changes.retry, command)

    @command_update(name=REMIND, description="Remind everybody who has not acknowledged, now")
    def remind(self, command: ReminderCommand) -> Receipt:
        """Remind the members whose requests are open."""
        return self.accept(changes.remind, command)

    def refusal(self, command: AnyCommand) -> Message | None:
        now = workflow.now()
        match command:
            case Exemption():
                return changes.refuse_exempt(self.state, command, now)
            case Extension():
                return changes.refuse_later(self.state, command, now)
            case Retry():
                return changes.refuse_retry(self.state, command, now)
            case ReminderCommand():
                return changes.refuse_remind(self.state, command, now)
        return super().refusal(command)

    @property
    def subject(self) -> Subject:
        return self.heard(self.request.subject)

    def settled(self) -> SettledCampaign:
        return views.settled(self.request, self.state)

    def build_view(self, state: CampaignState, now: datetime) -> CampaignShow:
        return views.show(self.request, state, now)

    def details(self, view: Any) -> str:
        return views.details(view, workflow.info().namespace, Kind.CAMPAIGN.workflow_id(view.id))


def _because(change: campaign.AudienceChange) -> str:
    return f"{change.what} in the campaign"
