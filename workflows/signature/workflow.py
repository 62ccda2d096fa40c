"""The signature request workflow: create and send the document, follow up, end, hand off (docs/architecture.md)."""

from datetime import datetime

from temporalio import workflow

with workflow.unsafe.imports_passed_through():
    from workflows.follow_up.calls import despite_cancellation
    from workflows.follow_up.hand_off import hand_off
    from workflows.follow_up.notifier import Notifier
    from workflows.follow_up.state import Precondition
    from workflows.follow_up.workflow import FollowUpWorkflow
    from workflows.model.hand_off import Settled
    from workflows.model.signature import DocumentSeen, ProviderEvent
    from workflows.model.subject import Subject
    from workflows.model.timeline import Reassignment
    from workflows.model.views import RequestShow
    from workflows.names import PROVIDER_EVENT, SHOW, SIGNATURE_REQUEST
    from workflows.signature.document import ProviderDocument
    from workflows.signature.state import SignatureInput, SignatureState, settled, show


@workflow.defn(name=SIGNATURE_REQUEST)
class SignatureRequestWorkflow(FollowUpWorkflow[SignatureState]):
    """Sends one document for signature, follows up, and hands off the ending."""

    request: SignatureInput

    @workflow.init
    def __init__(self, request: SignatureInput) -> None:
        super().__init__(request, request.carried or SignatureState.begin(request.brief, workflow.now()))
        self.notifier = Notifier(self, merge=self.merge_observation)
        self.document = ProviderDocument(self, request)

    @workflow.run
    @despite_cancellation
    async def run(self, request: SignatureInput) -> Settled:
        """Run to the end; a cancellation of the run is handled like the update `cancel`."""
        await self.document.send()
        await self.follow_up()
        await hand_off(self)
        return self.settled()

    @workflow.signal(name=PROVIDER_EVENT, description="Core Signature says that something happened; it is then read")
    def provider_event(self, event: ProviderEvent) -> None:
        """Record the hint; the document is read later."""
        self.state = self.state.notify_of(event)

    @workflow.query(name=SHOW, description="Waiting for whom, until when, what happens next, and all that was done")
    def show(self) -> RequestShow:
        return self.shown(self.state, workflow.now())

    async def prepare(self, precondition: Precondition) -> None:
        """Read the document, cancel at the provider, or await the conversion."""
        match precondition:
            case Precondition.LOOK:
                await self.document.read()
            case Precondition.BEGIN:
                self.state = self.state.begun(workflow.now())
            case Precondition.CLOSE:
                await self.document.cancel()
            case Precondition.PREPARE:
                await self.document.await_conversion()

    async def reassign(self, wanted: Reassignment) -> None:
        """Forward a slot at Core Signature; the document read afterwards decides."""
        report = await self.document.forward(wanted)
        if report is not None:
            self.state = self.state.handed_over(wanted, report.refused, workflow.now())
            if report.seen is not None:
                self.merge_observation(report.seen)

    def merge_observation(self, seen: DocumentSeen, asked_at: datetime | None = None) -> bool:
        """Whether a document that another call has read has news; it is then read again, for the record."""
        news = self.state.would_change(seen)
        since = self.state.document.known_since if news else asked_at or self.state.document.known_since
        self.state = self.state.within(
            "document", read_at=workflow.now(), known_since=since, unread=self.state.document.unread or news
        )
        return news

    @property
    def subject(self) -> Subject:
        return self.document.brief.subject

    def settled(self) -> Settled:
        return settled(self.document.brief, self.state)

    def shown(self, state: SignatureState, now: datetime) -> RequestShow:
        return show(self.request.replace(brief=self.document.brief), state, now)
