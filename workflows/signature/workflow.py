"""The signature request workflow: create and send the document, follow up, end, hand off (docs/life.md)."""

from datetime import datetime

from temporalio import workflow

with workflow.unsafe.imports_passed_through():
    import workflows.follow_up.options as options
    from workflows.follow_up.calls import Condition, Wake, despite_cancellation
    from workflows.follow_up.state import Precondition
    from workflows.follow_up.workflow import FollowUpWorkflow
    from workflows.model.commands import StopKind
    from workflows.model.hand_off import Settled
    from workflows.model.signature import (
        CancelOrder,
        CreateOrder,
        DocumentSeen,
        ForwardOrder,
        Observation,
        ProviderEvent,
        SignatureBrief,
    )
    from workflows.model.subject import Subject
    from workflows.model.timeline import Reassignment
    from workflows.model.views import RequestShow
    from workflows.names import PROVIDER_EVENT, SHOW, SIGNATURE_REQUEST
    from workflows.ports import SignatureService
    from workflows.signature.state import SignatureInput, SignatureState, UnconfirmedSignature
    from workflows.signature.view import settled, show


@workflow.defn(name=SIGNATURE_REQUEST)
class SignatureRequestWorkflow(FollowUpWorkflow[SignatureState]):
    """Sends one document for signature, follows up, and hands off the ending."""

    _request: SignatureInput

    @workflow.init
    def __init__(self, request: SignatureInput) -> None:
        super().__init__(request, request.carried or SignatureState.begin(request.brief, workflow.now()))

    @workflow.run
    @despite_cancellation
    async def run(self, request: SignatureInput) -> Settled:
        """Run to the end; a cancellation of the run is handled like the update `cancel`."""
        await self._send()
        await self.follow_up()
        await self.hand_off()
        return self.settled()

    @workflow.signal(name=PROVIDER_EVENT, description="Core Signature says that something happened; it is then read")
    def provider_event(self, event: ProviderEvent) -> None:
        """Record the hint; the document is read later."""
        self._progress = self._progress.notify_of(event)

    @workflow.query(name=SHOW, description="Waiting for whom, until when, what happens next, and all that was done")
    def show(self) -> RequestShow:
        return self.shown(self._progress, workflow.now())

    async def _send(self) -> None:
        """Create document and request, unless an earlier run did, it is paused, or it has expired."""
        while self._progress.is_to_be_made:
            if stop := self._progress.stop(StopKind.PAUSE):
                await self.until(None, f"paused by {stop.who}")
            elif self._is_to_be_planned_first():
                await self._plan()
            elif expiry := self._progress.expiry_by(workflow.now()):
                self._progress = self._progress.expire(expiry, workflow.now())
            else:
                await self._create()

    async def _create(self) -> None:
        order = CreateOrder(brief=self.brief, now=workflow.now(), fingerprint=self._request.fingerprint)
        seen = await self.call(
            SignatureService.create,
            order,
            options.CREATE,
            "create at Core Signature",
            unless=self._not_now,
            anew=lambda first: first.replace(now=workflow.now()),
            first=options.CREATE_FIRST,
        )
        if seen is not None:
            self._progress = self._progress.observe(seen, workflow.now())

    async def act_first(self, first: Precondition) -> None:
        """Read the document, cancel at the provider, or await the conversion."""
        match first:
            case Precondition.LOOK:
                await self._observe()
            case Precondition.BEGIN:
                self._progress = self._progress.begun(workflow.now())
            case Precondition.CLOSE:
                await self._end()
            case Precondition.PREPARE:
                await self._await_conversion()

    async def _observe(self) -> None:
        """Read the document and merge it."""
        told = self._progress.early.told
        self._progress = self._progress.replace(unread=False, said_sent=False, early=UnconfirmedSignature())
        asked_at = workflow.now()
        observation = Observation(roster=self.brief.roster, document=self._progress.document or "")
        seen = await self.call(SignatureService.observe, observation, options.OBSERVE, "read the document")
        if seen is not None:
            before, known = self._progress, self._progress.observe(seen, workflow.now(), asked_at)
            shows = known.status.ended or known.signatures.acted != before.signatures.acted
            self._progress = known.replace(early=known.early.read(told=told, shows=shows))

    async def _end(self) -> None:
        """Cancel at the provider; the document read afterwards decides, for a signature may be faster."""
        fingerprint = self._request.fingerprint
        order = CancelOrder(subject=self.subject, document=self._progress.document, fingerprint=fingerprint)
        seen = await self.call(SignatureService.cancel, order, options.CANCEL, "cancel at Core Signature")
        if seen is not None:
            self._progress = self._progress.replace(document=seen.document, unread=True)
        elif not self._progress.status.ended:
            self._progress = self._progress.end_unseen(workflow.now())

    async def _await_conversion(self) -> None:
        """Wait for the `sent` callback; read at intervals in case it was lost."""
        probe_at = workflow.now() + options.probe_pause(self._progress.probes)
        self._progress = self._progress.replace(probe_at=probe_at)
        if await self.until(probe_at, "Core Signature converts the document") is Wake.DEADLINE:
            self._progress = self._progress.replace(probes=self._progress.probes + 1, unread=True)

    async def hand_over(self, wanted: Reassignment) -> None:
        """Forward a slot at Core Signature; the document read afterwards decides."""
        order = ForwardOrder(
            subject=self.subject,
            document=self._progress.document or "",
            from_=wanted.from_,
            to=wanted.to,
            reason=wanted.reason,
            present_at=workflow.now() if wanted.by_hand and not wanted.force else None,
        )
        report = await self.call(
            SignatureService.forward,
            order,
            options.FORWARD,
            f"hand over to {wanted.to}",
            unless=self._overtaken,
            anew=_at_this_instant,
            resumes=wanted,
        )
        if report is None:
            return
        self._progress = self._progress.handed_over(wanted, report.refused, workflow.now())
        if report.seen is not None:
            self.heed(report.seen)

    def heed(self, seen: DocumentSeen, asked_at: datetime | None = None) -> bool:
        """Whether the document read by the delivery has news; it is then read again, for the record."""
        news = self._progress.would_change(seen)
        since = self._progress.known_since if news else asked_at or self._progress.known_since
        self._progress = self._progress.replace(
            read_at=workflow.now(), known_since=since, unread=self._progress.unread or news
        )
        return news

    @property
    def brief(self) -> SignatureBrief:
        """The request for Core Signature, with the present signers."""
        return self._request.brief.replace(people=self._progress.signatures.places)

    @property
    def subject(self) -> Subject:
        return self.brief.subject

    def settled(self) -> Settled:
        return settled(self.brief, self._progress)

    def shown(self, state: SignatureState, now: datetime) -> RequestShow:
        return show(self._request.replace(brief=self.brief), state, now)

    def _not_now(self) -> Condition:
        # A pause holds back only the next attempt: the result of an interrupted one would stay unknown.
        def holds() -> bool:
            wanted = self._progress.stop(StopKind.PAUSE) is not None or self._is_to_be_planned_first()
            return wanted and self._progress.waits_to_probe(workflow.now())

        def is_over() -> bool:
            return self._progress.ending is not None or self._progress.expiry_by(workflow.now()) is not None

        return lambda: is_over() or holds()

    def _is_to_be_planned_first(self) -> bool:
        """Whether a fixed due date may pass before the document is created: planning tells."""
        fixed = self._progress.due or self._request.due
        return fixed is not None and self._progress.agenda is None and self._progress.is_late_to_be_made(workflow.now())

    def _overtaken(self) -> Condition:
        # Forwarding causes callbacks of its own: they must not interrupt it.
        def hinted() -> bool:
            return self._progress.unread and self._progress.waits_to_probe(workflow.now())

        return lambda: self._progress.ending is not None or hinted()


def _at_this_instant(order: ForwardOrder) -> ForwardOrder:
    # The person may be away by the time of a retry.
    return order.replace(present_at=workflow.now()) if order.present_at else order
