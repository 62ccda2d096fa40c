"""One signature request: send → wait → follow up → settle → hand off (design.md, "How a request lives")."""

import asyncio
from datetime import datetime, timedelta

from temporalio import workflow
from temporalio.exceptions import ApplicationError, FailureError, is_cancelled_exception

with workflow.unsafe.imports_passed_through():
    from workflows import options, recipients
    from workflows.agenda import Escalate, Expire, Nudge, Step, Wait, next_step
    from workflows.glance import RequestShow, show
    from workflows.legibility import publish
    from workflows.model import (
        Cancellation,
        CancelOrder,
        Code,
        CreateOrder,
        Delivery,
        DeliveryReport,
        HandoffBatch,
        Moment,
        Notice,
        Planning,
        ProviderEvent,
        Settled,
        Status,
    )
    from workflows.names import PROVIDER_EVENT, SHOW, SIGNATURE_REQUEST
    from workflows.patience import PatientWorkflow, Wake, never
    from workflows.ports import Handoff, Planner, PushService, SignatureService
    from workflows.progress import Observation, Progress, SignatureRequest
    from workflows.trouble import Trouble, trouble_of


@workflow.defn(name=SIGNATURE_REQUEST)
class SignatureRequestWorkflow(PatientWorkflow):
    """Sends one document for signature and does not rest until everyone who must know has been told of its end."""

    @workflow.init
    def __init__(self, request: SignatureRequest) -> None:
        self._request = request
        self._brief = request.brief
        self._progress = request.carried or Progress.begin(request.brief, workflow.now())

    @workflow.run
    async def run(self, request: SignatureRequest) -> Settled:
        """Live the request's life; a cancellation from outside is a wish like any other, so every ending is orderly."""
        life = asyncio.create_task(self._live())
        while True:
            try:
                return await asyncio.shield(life)
            except asyncio.CancelledError:
                if life.cancelled():
                    raise
                self._wish_to_cancel(Cancellation(reason=workflow.cancellation_reason() or "", actor="temporal"))

    async def _live(self) -> Settled:
        await self._send()
        while not self._progress.status.ended:
            await self._follow_up()
            self._continue_as_new_if_suggested()
        await self._settle()
        await self._hand_off()
        await workflow.wait_condition(workflow.all_handlers_finished)
        return recipients.settled(self._brief, self._progress)

    # Messages: handlers record, the story acts.

    @workflow.signal(name=PROVIDER_EVENT, description="Core Signature says that something happened; it is then read")
    def provider_event(self, event: ProviderEvent) -> None:
        """Remember the hint; what really happened is read from the document."""
        self._progress = self._progress.notify_of(event)

    @workflow.query(name=SHOW, description="Waiting for whom, until when, what happens next, and all that was done")
    def show(self) -> RequestShow:
        """The answer of `request show`."""
        return show(self._brief, self._progress, workflow.now())

    @workflow.update
    async def cancel(self, wish: Cancellation) -> RequestShow:
        """End the request; answers when it has ended. What is signed by then stays signed."""
        self._wish_to_cancel(wish)
        await workflow.wait_condition(lambda: self._progress.recorded)
        return self.show()

    @cancel.validator
    def _refuse_senseless_cancel(self, wish: Cancellation) -> None:
        if self._progress.status.ended and self._progress.status is not Status.CANCELLED:
            raise ApplicationError(f"too late: the request is {self._progress.status}", type="too_late")
        if not wish.reason.strip():
            raise ApplicationError("a cancellation needs a reason", type="invalid")

    def _wish_to_cancel(self, wish: Cancellation) -> None:
        self._progress = self._progress.wish_to_cancel(wish, workflow.now())

    # The verbs of the story.

    async def _send(self) -> None:
        """Have the document and its request made, unless an earlier run of this workflow has."""
        if self._progress.document or self._progress.status.ended:
            return
        order = CreateOrder(brief=self._brief)
        seen = await self.ask(
            SignatureService.create, order, options.CREATE, "create at Core Signature", unless=self._unwanted
        )
        if seen is not None:
            self._progress = self._progress.observe(seen, workflow.now())

    async def _follow_up(self) -> None:
        """One step: read what is unread, end what is to end, plan, tell who was not told, else what the agenda says."""
        progress = self._progress
        if progress.unread and progress.document:
            await self._observe()
        elif progress.ending:
            await self._end()
        elif progress.status is Status.CONVERTING:
            await self._await_conversion()
        elif progress.agenda is None:
            await self._plan()
        elif announcement := recipients.announcement(self._brief, progress):
            await self._tell(announcement)
        else:
            await self._take(next_step(progress.agenda, progress, workflow.now()))

    async def _take(self, step: Step) -> None:
        match step:
            case Nudge(moments, caught_up):
                self._progress = self._progress.suppress(self._brief.id, caught_up, "caught_up", workflow.now())
                await self._tell(recipients.nudges(self._brief, moments), planned=moments)
            case Escalate(moments):
                if await self._tell(recipients.alerts(self._brief, moments), planned=moments):
                    self._progress = self._progress.escalated(moments, workflow.now())
            case Expire(moment):
                self._progress = self._progress.expire(moment)
            case Wait(moment):
                await self.until(moment.at if moment else None, _wait_words(moment))

    async def _observe(self) -> None:
        """Read the document; the activity writes the settled record when it has ended."""
        self._progress = self._progress.having(unread=False)
        observation = self._observation(self._progress.document)
        seen = await self.ask(SignatureService.observe, observation, options.OBSERVE, "read the document")
        if seen is not None:
            observed = self._progress.observe(seen, observation.now)
            self._progress = observed.having(unread=self._progress.unread, recorded=observed.status.ended)

    async def _end(self) -> None:
        """Cancel at the provider; what it says afterwards decides, for a signature may have been faster."""
        order = CancelOrder(brief=self._brief, document=self._progress.document)
        seen = await self.ask(SignatureService.cancel, order, options.CANCEL, "cancel at Core Signature")
        if seen is not None:
            self._progress = self._progress.having(document=seen.document, unread=True)
        elif not self._progress.status.ended:
            self._progress = self._progress.end_unseen(workflow.now())

    async def _await_conversion(self) -> None:
        """Wait for the callback that says it was sent; a lost one costs a look now and then."""
        probe_at = workflow.now() + options.probe_pause(self._progress.probes)
        self._progress = self._progress.having(probes=self._progress.probes + 1, probe_at=probe_at)
        if await self.until(probe_at, "Core Signature converts the document") is Wake.DEADLINE:
            self._progress = self._progress.having(unread=True)

    async def _plan(self) -> None:
        """Turn policy, people and now into instants: locally, and durably retried when that fails."""
        try:
            agenda = await workflow.execute_local_activity_method(
                Planner.plan, self._planning(), summary="plan the next steps", **options.PLAN_LOCALLY
            )
        except FailureError as failure:
            if is_cancelled_exception(failure):
                raise
            self.troubled(trouble_of(failure, Code.PLANNING), probe_at=workflow.now())
            await self._plan_durably()
        else:
            self._progress = self._progress.planned(agenda)

    async def _plan_durably(self) -> None:
        agenda = await self.ask(
            Planner.plan, self._planning(), options.PLAN, "plan the next steps", unless=self.has_news
        )
        # The clocks moved while planning was impossible, so what was just planned is already out of date.
        if agenda is not None and self._progress.problem is None:
            self._progress = self._progress.having(agenda=None)

    async def _tell(self, notices: tuple[Notice, ...], planned: tuple[Moment, ...] = ()) -> bool:
        """Deliver one stage until no phone is left open; False when there was news that goes before."""
        delivery = Delivery(
            brief=self._brief,
            notices=notices,
            due_at=self._progress.due_at,
            document=self._progress.document if planned else None,
        )
        for pause in (*options.STRAGGLER_PAUSES, None):
            report = await self._deliver(delivery)
            if report is None:
                return False
            self._progress = self._progress.told(recipients.explained(report.delivered, planned), workflow.now())
            if report.seen is not None and self._progress.would_change(report.seen):
                self._progress = self._progress.having(unread=True)
                return False
            if not report.open_devices or pause is None:
                break
            at = workflow.now() + max(pause, timedelta(seconds=report.retry_after))
            if await self.until(at, "the phones left open") is Wake.NEWS:
                break
            delivery = delivery.having(devices=report.open_devices)
        return True

    async def _settle(self) -> None:
        """Write the record of a request that ended without the provider's word; open the fan-out."""
        if not self._progress.recorded:
            observation = self._observation(None)
            await self.ask(SignatureService.observe, observation, options.OBSERVE, "write the settled record")
            self._progress = self._progress.having(recorded=True)
        self._progress = recipients.open_hand_off(self._request, self._progress)

    async def _hand_off(self) -> None:
        """Tell every target until each is done or dead; retries are timers of ours, so the ledger knows every try."""
        while (due_at := self._progress.handoff.next_at) is not None:
            await self.until(due_at, "hand-off again", unless=never)
            batch = recipients.hand_off_batch(self._brief, self._progress, workflow.now())
            report = await self.ask(Handoff.hand_off, batch, options.HAND_OFF, _targets_words(batch))
            if report is not None:
                self._progress = self._progress.handed_off(report.results, workflow.now())
            self._continue_as_new_if_suggested()
        self.publish()

    def _continue_as_new_if_suggested(self) -> None:
        """Go on in a fresh history; not while somebody's update still waits for its answer in this one."""
        if workflow.info().is_continue_as_new_suggested() and workflow.all_handlers_finished():
            workflow.continue_as_new(self._request.having(carried=self._progress))

    # What the calls carry.

    def _observation(self, document: str | None) -> Observation:
        # The record is made before the fan-out opens and without an agenda: neither belongs to what was settled.
        return Observation(
            request=self._request.having(carried=None),
            progress=self._progress.having(agenda=None),
            document=document,
            run_id=workflow.info().first_execution_run_id,
            now=workflow.now(),
        )

    def _planning(self) -> Planning:
        return Planning(
            brief=self._brief,
            policy=self._request.policy,
            due=self._request.due,
            window_from=self._progress.window_from or workflow.now(),
            turns=self._progress.signatures.turns,
            now=workflow.now(),
        )

    async def _deliver(self, delivery: Delivery) -> DeliveryReport | None:
        how = options.NUDGE if delivery.document else options.NOTIFY
        return await self.ask(PushService.deliver, delivery, how, _stage_words(delivery), unless=self.has_news)

    # What patience asks of us.

    def has_news(self) -> bool:
        """A callback to read, or a wish to end the request that has not been acted on."""
        return self._progress.unread or self._unwanted()

    def publish(self) -> None:
        """Search attributes and the Web UI's details."""
        publish(self._progress, self.show())

    def troubled(self, trouble: Trouble, probe_at: datetime) -> None:
        """Stop the clocks and say what is wrong."""
        self._progress = self._progress.trouble(trouble.code, trouble.says, workflow.now(), probe_at)

    def mended(self) -> None:
        """Start the clocks again."""
        self._progress = self._progress.mended(workflow.now())

    def failed(self, trouble: Trouble) -> None:
        """End the request; nobody can mend this."""
        self._progress = self._progress.fail(trouble.code, trouble.says, workflow.now())

    def _unwanted(self) -> bool:
        return self._progress.ending is not None


def _wait_words(moment: Moment | None) -> str:
    return f"{moment.stage} for {moment.person}: {moment.why}"[:200] if moment else "for a signature"


def _stage_words(delivery: Delivery) -> str:
    return ", ".join(f"{notice.stage} → {notice.person}" for notice in delivery.notices)[:200]


def _targets_words(batch: HandoffBatch) -> str:
    return "tell " + ", ".join(call.target.target for call in batch.calls)[:190]
