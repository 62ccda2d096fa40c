"""The campaign workflow: freeze the audience, ask everybody, follow the window, make the record (docs/campaigns.md)."""

from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any, Final

from temporalio import workflow

with workflow.unsafe.imports_passed_through():
    import workflows.campaign.state as wishes
    import workflows.campaign.view as views
    import workflows.follow_up.options as options
    from workflows.campaign.state import TOO_LATE, CampaignInput, CampaignState
    from workflows.follow_up.calls import CallFailure, Condition, despite_cancellation, nothing
    from workflows.follow_up.lifecycle import LifecycleWorkflow
    from workflows.kinds import Kind
    from workflows.model.campaign import (
        CLOSED,
        AudienceChange,
        Batch,
        BatchWork,
        CampaignOrder,
        ChangeOrder,
        ChangeResult,
        DailyCheck,
        OutcomeCounts,
        SettleOrder,
    )
    from workflows.model.commands import Exemption, Extension, Retry
    from workflows.model.hand_off import SettledCampaign
    from workflows.model.receipts import Receipt
    from workflows.model.subject import Code, Status, Subject
    from workflows.model.views import CampaignShow
    from workflows.names import CAMPAIGN, EXEMPT, EXTEND, RETRY, SHOW
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

    _request: CampaignInput

    @workflow.init
    def __init__(self, given: CampaignInput) -> None:
        super().__init__(given, given.carried or CampaignState.begin(given.campaign, workflow.now()))

    @workflow.run
    @despite_cancellation
    async def run(self, given: CampaignInput) -> SettledCampaign:
        """Open, follow, close; a cancellation of the run is handled like the update `cancel`."""
        await self.open()
        await self.follow()
        await self.close()
        await self.hand_off()
        return self.settled()

    async def open(self) -> None:
        """Freeze the audience at the opening hour."""
        while self._progress.frozen is None and self._goes_on:
            await self.until(self._progress.opens_at, "the opening", unless=self._ending)
            frozen = None
            if workflow.now() >= self._progress.opens_at and not self._is_over:
                how = options.WALK
                frozen = await self.call(CampaignPeople.freeze, self._order, how, "freeze", unless=self._ending)
            if self._is_over and self._goes_on:
                self.failed(CallFailure(Code.NOT_OPENED, "its window was over"))
            elif frozen is not None:
                self._progress = self._progress.froze(frozen, workflow.now())

    async def follow(self) -> None:
        """Until the closing: ask everybody, carry out changes, check daily who joined, left, or is missing."""
        while self._goes_on and not self._progress.closing and (self._progress.unfinished or not self._is_over):
            news = self.news()
            await self._write_changes()
            await self._walk_on()
            if workflow.now() >= self._progress.look_due_at and not self._is_over:
                await self._look()
            if not news():
                await self.until(self._next_at, "the daily look, or the end")
            self.continue_as_new_if_suggested()

    async def close(self) -> None:
        """Count the outcomes and write the list, once; waits for open requests within a bound."""
        while not self._progress.status.ended:
            await self._end_everybody()
            tally = await self._settle()
            if tally.outcomes or self._progress.frozen is None:
                self._progress = self._progress.end(self._outcome(tally), workflow.now(), by="countersign")
                return
            pause = WAITS[self._progress.waits]
            self._progress = self._progress.waited()
            unless = nothing if self._progress.ending else self._ending
            await self.until(workflow.now() + pause, "requests that should have ended", unless=unless, midway=True)
            self.continue_as_new_if_suggested()

    async def _end_everybody(self) -> None:
        """End all open requests, once: after `cancel`, or after the waits."""
        ending = self._progress.ending
        if ending is None and self._progress.waits < len(WAITS):
            return
        self._progress = self._progress.end_everybody()
        while self._progress.walks:
            who, why = (ending.who, f"the campaign was cancelled: {ending.why}") if ending else ("countersign", CLOSED)
            await self._walk_on(actor=who, reason=why[:_WHY_AT_MOST])
            self.continue_as_new_if_suggested()

    @property
    def _goes_on(self) -> bool:
        return self._progress.ending is None and not self._progress.status.ended

    @property
    def _is_over(self) -> bool:
        closes_at = self._progress.closes_at
        return closes_at is not None and workflow.now() >= closes_at

    @property
    def _next_at(self) -> datetime:
        again_at = self._progress.walks[0].again_at if self._progress.walks else None
        instants = (self._progress.closes_at, self._progress.look_due_at, again_at)
        return min(instant for instant in instants if instant)

    def judged(self, trouble: CallFailure) -> CallFailure:
        """See `RetryingWorkflow`; a failing freeze is final after the closing date."""
        unopened = self._progress.frozen is None and self._goes_on and self._is_over
        return replace(trouble, code=Code.NOT_OPENED) if unopened else trouble

    def _ending(self) -> Condition:
        return lambda: not self._goes_on

    def _too_late(self) -> Condition:
        """The watch that also ends failing calls at the closing: the record does not wait."""
        closing = self._progress.closing
        return lambda: not self._goes_on or (self._is_over and not closing and self._progress.problem is not None)

    @property
    def _order(self) -> CampaignOrder:
        state = self._progress
        return CampaignOrder(
            campaign=self._request.campaign,
            frozen=state.frozen,
            changed=state.head,
            changes=state.changes,
            asked=state.asked,
            changes_asked=state.changes_asked,
            fingerprint=self._request.fingerprint,
            now=workflow.now(),
        )

    async def _write_changes(self) -> None:
        """Store the queued changes, one by one."""
        while self._goes_on and (change := self._progress.to_write) is not None:
            changed = await self.call(
                CampaignPeople.change,
                ChangeOrder(order=self._order, change=change),
                options.WALK,
                f"write down: {change.what}",
                unless=self._too_late,
            )
            if changed is None and self._goes_on:
                changed = ChangeResult(refused=TOO_LATE)
            if changed is not None:
                self._progress = self._progress.wrote(changed, workflow.now())

    async def _walk_on(self, actor: str = "countersign", reason: str = "") -> None:
        """Continue the first batch job for some minutes, or to its end; nobody is asked after the closing."""
        if not self._progress.walks:
            return
        walk = self._progress.walks[0]
        asks = walk.work is BatchWork.START
        if asks and self._is_over:
            self._progress = self._progress.left(workflow.now())
            return
        if walk.again_at and workflow.now() < walk.again_at:
            return
        change = walk.change
        order = Batch(
            order=self._order,
            work=walk.work,
            after=walk.after,
            change=change and change.number,
            actor=change.by if change else actor,
            reason=_because(change) if change else reason,
            until=self._progress.closes_at if asks else None,
        )
        unless = nothing if self._progress.ending else self._too_late
        summary = f"{walk.work} behind {walk.after}"
        walked = await self.call(CampaignPeople.walk, order, options.WALK, summary, unless=unless)
        if walked is not None:
            self._progress = self._progress.walked(walked, workflow.now())
        elif self._goes_on:
            self._progress = self._progress.left(workflow.now())

    async def _look(self) -> None:
        """The daily check; a late one replaces the missed ones."""
        state = self._progress = self._progress.missed_looks(workflow.now())
        order = DailyCheck(
            order=self._order,
            day=state.days + 1,
            due=state.everybodys_due,
            after=state.told_to,
            digest=state.digest_due,
            weekly=state.weekly,
        )
        looked = await self.call(CampaignPeople.look, order, options.WALK, "the daily look", unless=self._too_late)
        if looked is not None:
            self._progress = self._progress.looked(looked, workflow.now())

    async def _settle(self) -> OutcomeCounts:
        """Count the outcomes; the list is written once nobody is open, or the waits are over."""
        if self._progress.frozen is None:
            return OutcomeCounts(counts=self._progress.counts)
        order = SettleOrder(
            order=self._order,
            expected=self._progress.members,
            final=self._progress.waits >= len(WAITS),
        )
        tally = await self.call(CampaignPeople.settle, order, options.WALK, "how everybody stands")
        if tally is None:
            raise RuntimeError("nothing but an answer ends this call")
        self._progress = self._progress.tallied(tally, workflow.now())
        return tally

    def _outcome(self, tally: OutcomeCounts) -> Status:
        if self._progress.ending:
            return self._progress.ending.outcome
        return Status.DONE_WITH_ERRORS if tally.counts.amiss else Status.DONE

    @workflow.query(name=SHOW, description="How far it has come: counts, the window, what was done")
    def show(self) -> CampaignShow:
        """The view from the state alone."""
        return self.shown(self._progress, workflow.now())

    @workflow.update(name=EXEMPT, description="Somebody of the audience need not acknowledge, and why")
    def exempt(self, command: Exemption) -> Receipt:
        """Record that a member need not acknowledge, and end their request."""
        return self._accept(wishes.exempt, command)

    @exempt.validator
    def _may_exempt(self, command: Exemption) -> None:
        self.allow(command, wishes.refuse_exempt(self._progress, command, workflow.now()))

    @workflow.update(name=EXTEND, description="Keep it open longer, for everybody")
    def extend(self, command: Extension) -> Receipt:
        """Extend the window of all open members."""
        return self._accept(wishes.later, command)

    @extend.validator
    def _may_extend(self, command: Extension) -> None:
        self.allow(command, wishes.refuse_later(self._progress, command, workflow.now()))

    @workflow.update(name=RETRY, description="Ask those once more who could not be asked")
    def retry(self, command: Retry) -> Receipt:
        """Ask again the members who could not be asked: wrong rows, failed requests."""
        return self._accept(wishes.retry, command)

    @retry.validator
    def _may_retry(self, command: Retry) -> None:
        self.allow(command, wishes.refuse_retry(self._progress, command, workflow.now()))

    @property
    def subject(self) -> Subject:
        return self._request.subject

    def settled(self) -> SettledCampaign:
        return views.settled(self._request, self._progress)

    def shown(self, state: CampaignState, now: datetime) -> CampaignShow:
        return views.show(self._request, state, now)

    def details(self, shown: Any) -> str:
        return views.details(shown, workflow.info().namespace, Kind.CAMPAIGN.workflow_id(shown.id))


def _because(change: AudienceChange) -> str:
    return f"{change.what} in the campaign"
