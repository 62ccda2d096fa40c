"""One signature request: send → wait → follow up → settle → hand off (README.md, How a request lives)."""

from datetime import datetime

from temporalio import workflow
from temporalio.exceptions import FailureError, is_cancelled_exception

with workflow.unsafe.imports_passed_through():
    import workflows.follow_up.options as options
    import workflows.signature.recipients as recipients
    from workflows.follow_up.agenda import (
        AskAgain,
        Escalate,
        Expire,
        GoOn,
        Nudge,
        Step,
        Wait,
        is_used_up,
        next_step,
        was_away,
    )
    from workflows.follow_up.ledger import LINES_AT_MOST
    from workflows.follow_up.patience import Condition, Wake, despite_cancellation, nothing
    from workflows.follow_up.trouble import trouble_of
    from workflows.model.entries import Reassignment
    from workflows.model.planning import Agenda, Moment
    from workflows.model.provider import CancelOrder, CreateOrder, ForwardOrder, Observation
    from workflows.model.records import HandoffBatch, SettledRecord
    from workflows.model.request import Code, Status
    from workflows.model.settlement import Settled
    from workflows.model.wishes import StopKind
    from workflows.names import SIGNATURE_REQUEST
    from workflows.ports import Handoff, Planner, SignatureService
    from workflows.signature.delivery import Telling
    from workflows.signature.inputs import SignatureRequest
    from workflows.signature.progress import Progress
    from workflows.signature.record import settled_record


@workflow.defn(name=SIGNATURE_REQUEST)
class SignatureRequestWorkflow(Telling):
    """Sends one document for signature and runs until everyone concerned has been told how it ended."""

    @workflow.init
    def __init__(self, request: SignatureRequest) -> None:
        super().__init__(request)

    @workflow.run
    @despite_cancellation
    async def run(self, request: SignatureRequest) -> Settled:
        """Run the request to its end; a cancellation of the run is treated like the update `cancel`."""
        await self._send()
        while not self._progress.status.ended:
            await self._follow_up()
            self.continue_as_new_if_suggested()
        await self._hand_off()
        return recipients.settled(self._brief, self._progress)

    async def _send(self) -> None:
        """Create the document and its request, unless an earlier run of this workflow did."""
        if self._progress.document or self._progress.status.ended:
            return
        order = CreateOrder(brief=self._brief, now=workflow.now())
        seen = await self.call(
            SignatureService.create, order, options.CREATE, "create at Core Signature", unless=self._unwanted
        )
        if seen is not None:
            self._progress = self._progress.observe(seen, workflow.now())

    async def _follow_up(self) -> None:
        """Take one step: first act on what is known already, then on what the agenda says."""
        progress = self._progress
        if progress.unread and progress.document:
            await self._observe()
        elif progress.ending:
            await self._end()
        elif progress.status is Status.CONVERTING:
            await self._await_conversion()
        elif progress.reassigning:
            await self._reassign(progress.reassigning[0])
        elif progress.agenda is None or is_used_up(progress.agenda, progress):
            await self._plan()
        elif stop := progress.stop(StopKind.PAUSE):
            await self._wait(None, f"paused by {stop.who}")
        elif announcement := recipients.announcement(self._brief, progress):
            await self._tell(announcement)
        elif progress.reminder:
            await self._remind_now()
        else:
            await self._take(next_step(progress.agenda, progress, workflow.now()))

    async def _take(self, step: Step) -> None:
        match step:
            case Nudge(due) | Escalate(due) | AskAgain(due) if was_away(due, self._progress, workflow.now()):
                self._progress = self._progress.replan()
            case Nudge(moments, caught_up, too_soon):
                self._progress = self._progress.left_out(caught_up, too_soon, workflow.now())
                if moments:
                    await self._tell(recipients.nudges(self._brief, moments), planned=moments)
            case Escalate(moments):
                await self._escalate(moments)
            case AskAgain(moments):
                await self._tell(recipients.asked_again(self._brief, moments), planned=moments)
            case GoOn(moment):
                known = self._progress.go_on(StopKind.QUESTION, workflow.now())
                self._progress = known.note(workflow.now(), "the clocks go on", None, moment.why)
            case Expire(moment):
                self._progress = self._progress.expire(moment)
            case Wait(moment):
                await self._wait_for(moment)

    async def _wait_for(self, moment: Moment | None) -> None:
        """Wait for the moment; a plan that is in doubt is made anew before."""
        doubt = self._progress.probe_at
        if doubt is None or (moment and moment.at < doubt):
            await self._wait(moment.at if moment else None, _wait_words(moment))
        elif await self._wait(doubt, "the people file is faulty: plan anew") is Wake.DEADLINE:
            self._progress = self._progress.replan()

    async def _wait(self, deadline: datetime | None, words: str) -> Wake:
        """Wait for the deadline (None: for ever) or for news; a week later much may be unknown: look again.

        That it is overdue is news of its own: a query knows the time of the last task, not its own.
        """
        look_at = (self._progress.read_at or workflow.now()) + options.LOOK_AGAIN
        late_at = self._progress.late_at(workflow.now())
        first = min(at for at in (deadline, look_at, late_at) if at is not None)
        wake = await self.until(first, words)
        if first == deadline:
            return wake
        if wake is Wake.DEADLINE and first == look_at:
            self._progress = self._progress.replan().replace(unread=True)
        return Wake.NEWS

    async def _observe(self) -> None:
        """Read the document and believe it."""
        self._progress = self._progress.replace(unread=False)
        asked_at = workflow.now()
        observation = Observation(roster=self._brief.roster, document=self._progress.document or "")
        seen = await self.call(SignatureService.observe, observation, options.OBSERVE, "read the document")
        if seen is not None:
            self._progress = self._progress.observe(seen, workflow.now(), asked_at)

    async def _end(self) -> None:
        """Cancel at the provider; what it says afterwards decides, for a signature may have been faster."""
        order = CancelOrder(brief=self._brief.in_short, document=self._progress.document)
        seen = await self.call(SignatureService.cancel, order, options.CANCEL, "cancel at Core Signature")
        if seen is not None:
            self._progress = self._progress.replace(document=seen.document, unread=True)
        elif not self._progress.status.ended:
            self._progress = self._progress.end_unseen(workflow.now())

    async def _await_conversion(self) -> None:
        """Wait for the callback that says it was sent, and look now and then in case it was lost."""
        probe_at = workflow.now() + options.probe_pause(self._progress.probes)
        self._progress = self._progress.replace(probes=self._progress.probes + 1, probe_at=probe_at)
        if await self.until(probe_at, "Core Signature converts the document") is Wake.DEADLINE:
            self._progress = self._progress.replace(unread=True)

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
            self.troubled(trouble_of(failure, Code.PLANNING), probe_at=workflow.now())
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

    def _adopt(self, agenda: Agenda, planned_for: datetime, before: Progress) -> None:
        """Follow the agenda, unless something has changed since `before`: a change is not in this plan."""
        if self._progress is before:
            self._progress = before.planned(agenda, planned_for)

    async def _escalate(self, moments: tuple[Moment, ...]) -> None:
        """Hand over the places that the policy wants handed over, and alert somebody about the others."""
        stay = self._progress.not_handed_over
        handed = tuple(moment for moment in moments if moment.hands_over and moment.person not in stay)
        alerted = tuple(moment for moment in moments if moment not in handed)
        wanted = [Reassignment(from_=m.person, to=m.to, reason=m.reason, who="countersign") for m in handed]
        self._progress = self._progress.to_reassign(*wanted)
        if alerted:
            await self._tell(recipients.alerts(self._brief, alerted), planned=alerted)
            self._progress = self._progress.escalated(recipients.alerted(self._progress, alerted), workflow.now())

    async def _reassign(self, wanted: Reassignment) -> None:
        """Hand a place over at Core Signature; what it says afterwards decides, for a signature may be faster."""
        order = ForwardOrder(
            brief=self._brief.in_short,
            document=self._progress.document or "",
            from_=wanted.from_,
            to=wanted.to,
            reason=wanted.reason,
            present_at=workflow.now() if wanted.by_hand and not wanted.force else None,
        )
        report = await self.call(
            SignatureService.forward, order, options.FORWARD, f"hand over to {wanted.to}", unless=self._unwanted
        )
        if report is None:
            return
        if report.refused is not None:
            self._progress = self._progress.not_reassigned(wanted, report.refused, workflow.now())
        else:
            self._progress = self._progress.reassigned(wanted, workflow.now())
        if report.seen is not None:
            self._heed(report.seen)

    async def _hand_off(self) -> None:
        """Tell every target until each is done or dead; retries are timers of ours, so the ledger knows every try.

        The first batch brings the settled record with it: nobody hears of an ending that is not on record.
        """
        self._progress = recipients.open_hand_off(self._request, self._progress)
        await self._empty_the_memory()
        while (due_at := self._progress.handoff.next_at) is not None:
            await self.until(due_at, "hand-off again", unless=nothing)
            now = workflow.now()
            batch = recipients.hand_off_batch(self._brief, self._progress, now).replace(record=self._record())
            report = await self.call(Handoff.hand_off, batch, options.HAND_OFF, _targets_words(batch))
            if report is not None:
                # The instant that the amendment of the record says as well.
                known = recipients.handed_off(self._brief, self._progress, report.results, now)
                self._progress = known.replace(recorded=True).paged(batch.page)
            self.continue_as_new_if_suggested()
        self.publish()

    async def _empty_the_memory(self) -> None:
        """Of the largest requests: what the batch with the record could not take along as well."""
        while len(self._progress.ledger.leaving) > LINES_AT_MOST:
            batch = recipients.page_batch(self._brief, self._progress)
            if await self.call(Handoff.hand_off, batch, options.HAND_OFF, "keep the ledger") is not None:
                self._progress = self._progress.paged(batch.page)

    def _record(self) -> SettledRecord | None:
        settled_at = self._progress.settled_at
        if self._progress.recorded or settled_at is None:
            return None
        request = self._request.replace(brief=self._brief)
        return settled_record(
            request, self._progress.paged(self._progress.page), workflow.info().first_execution_run_id, settled_at
        )

    def continue_as_new_if_suggested(self) -> None:
        """Go on in a fresh history; nobody waits in this one, for every update was answered when it was recorded."""
        info = workflow.info()
        if info.is_continue_as_new_suggested() or info.get_current_history_size() > options.RUN_AT_MOST:
            unread = self._progress.document is not None and not self._progress.recorded
            workflow.continue_as_new(self._request.replace(carried=self._progress.replan().replace(unread=unread)))

    def _unwanted(self) -> Condition:
        return lambda: self._progress.ending is not None


def _wait_words(moment: Moment | None) -> str:
    return f"{moment.stage} for {moment.person}: {moment.why}"[:200] if moment else "for a signature"


def _targets_words(batch: HandoffBatch) -> str:
    return "tell " + ", ".join(call.target.target for call in batch.calls)[:190]
