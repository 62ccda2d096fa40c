"""The workflow of a signature request, and its document at Core Signature: created, read, forwarded, cancelled."""

from datetime import datetime
from functools import partial

from temporalio import workflow

with workflow.unsafe.imports_passed_through():
    import workflows.follow_up.options as options
    import workflows.signature.group_place as group_place
    import workflows.signature.handed_links as handed_links
    import workflows.signature.review as reviews
    from workflows.follow_up.calls import Condition, Wake, despite_cancellation
    from workflows.follow_up.hand_off import hand_off
    from workflows.follow_up.lifecycle import command_update
    from workflows.follow_up.notifier import Notifier
    from workflows.follow_up.state import Precondition
    from workflows.follow_up.workflow import FollowUpWorkflow
    from workflows.model import signature
    from workflows.model.commands import (
        AnyCommand,
        Delegation,
        Exemption,
        LinkHandover,
        PlaceTaking,
        ReviewAnswer,
        Revision,
        StopKind,
    )
    from workflows.model.hand_off import SettledRequest
    from workflows.model.messages import Message
    from workflows.model.receipts import Receipt
    from workflows.model.subject import Subject
    from workflows.model.timeline import Reassignment
    from workflows.model.views import FollowUpShow, RequestShow
    from workflows.names import EXEMPT, LINK, PROVIDER_EVENT, REVIEW, REVISE, SHOW, SIGNATURE_REQUEST, TAKE_PLACE
    from workflows.ports import SignatureService
    from workflows.signature.evidence import RequestEvidence
    from workflows.signature.state import (
        SignatureInput,
        SignatureState,
        UnconfirmedSignature,
        kept_in_words,
        settled,
        show,
    )


class ProviderDocument:
    """The document at the provider, and the calls about it."""

    def __init__(self, owner: FollowUpWorkflow[SignatureState], request: SignatureInput) -> None:
        self._owner = owner
        self._request = request

    @property
    def brief(self) -> signature.SignatureBrief:
        """The request for Core Signature, with the present signers, and the version that the reviewers approved."""
        state, first = self._owner.state, self._request.brief
        document = state.review.versions[-1].document if state.review.versions else first.document
        return first.replace(people=first.people if state.round else state.slots.places, document=document)

    async def send(self) -> None:
        """Create document and request, unless an earlier run did, it is paused, or it has expired."""
        owner = self._owner
        while owner.state.is_to_be_made:
            if stop := owner.state.clock.stop(StopKind.PAUSE):
                await owner.calls.wait_until(None, f"paused by {stop.who}")
            elif self._is_to_be_planned_first():
                await owner.steps.plan()
            elif expiry := owner.state.expiry_by(workflow.now()):
                owner.state = owner.state.expire(expiry, workflow.now())
            else:
                await self._create()

    async def _create(self) -> None:
        document = await self._owner.calls.call(
            SignatureService.create,
            signature.CreateOrder(brief=self.brief.at_core, now=workflow.now(), fingerprint=self._request.fingerprint),
            options.CREATE,
            "create at Core Signature",
            unless=self._not_now,
            anew=lambda first: first.replace(now=workflow.now()),
            first=options.CREATE_FIRST,
        )
        if document is not None:
            self._owner.state = self._owner.state.observe(document, workflow.now())

    async def read(self) -> None:
        owner, had_callbacks, asked_at = self._owner, self._owner.state.document.unconfirmed.told, workflow.now()
        owner.state = owner.state.update_part(
            "document", unread=False, said_sent=False, unconfirmed=UnconfirmedSignature()
        )
        observation = signature.Observation(roster=self.brief.at_core.roster, document=owner.state.document.id or "")
        document = await owner.calls.call(SignatureService.observe, observation, options.OBSERVE, "read the document")
        if document is not None:
            former_state, merged = owner.state, owner.state.observe(document, workflow.now(), asked_at)
            shows = merged.status.has_ended or merged.slots.acted != former_state.slots.acted
            owner.state = merged.update_part(
                "document", unconfirmed=merged.document.unconfirmed.read(had_callbacks=had_callbacks, shows=shows)
            )

    async def cancel(self) -> None:
        """Cancel at the provider; the document read afterwards decides, for a signature may be faster."""
        owner = self._owner
        order = signature.CancelOrder(
            subject=owner.subject.at_core, document=owner.state.document.id, fingerprint=self._request.fingerprint
        )
        document = await owner.calls.call(SignatureService.cancel, order, options.CANCEL, "cancel at Core Signature")
        if document is not None:
            owner.state = owner.state.update_part("document", id=document.document, unread=True)
        elif not owner.state.status.has_ended:
            owner.state = owner.state.end_unseen(workflow.now())

    async def await_conversion(self) -> None:
        """Wait for the `sent` callback; read at intervals in case it was lost."""
        owner = self._owner
        probe_at = workflow.now() + options.probe_pause(owner.state.problems.probes)
        owner.state = owner.state.update_part("problems", probe_at=probe_at)
        if await owner.calls.wait_until(probe_at, "Core Signature converts the document") is Wake.DEADLINE:
            owner.state = owner.state.update_part("problems", probes=owner.state.problems.probes + 1).update_part(
                "document", unread=True
            )

    async def forward(self, reassignment: Reassignment) -> signature.ForwardReport | None:
        """Give a slot to another person; None when interrupted."""
        present_at = workflow.now() if reassignment.by_hand and not reassignment.force else None
        return await self._forward(
            reassignment.from_, reassignment.to, reassignment.reason, present_at=present_at, resumes=reassignment
        )

    async def pass_place(self, person: str) -> signature.ReportedDocument | None:
        """Have a member of a group asked instead of the one whom Core Signature asks, which may refuse it; the document
        as seen afterwards.
        """
        report = await self._forward(person, person, signature.FOR_THE_GROUP, resumes=person)
        owner = self._owner
        if report is None or not owner.state.awaits_place(person):
            return None
        now, refused = workflow.now(), report.refused
        owner.state = owner.state.not_placed(person, refused, now) if refused else owner.state.placed(person, now)
        return report.seen

    async def _forward(
        self, person: str, successor: str, reason: str, *, resumes: object, present_at: datetime | None = None
    ) -> signature.ForwardReport | None:
        """In the place of this person, also where Core Signature asks another of their group."""
        holder = self._owner.state.slots.holder_of(person)
        order = signature.ForwardOrder(
            subject=self._owner.subject.at_core,
            document=self._owner.state.document.id or "",
            from_=holder.person if holder else person,
            to=successor,
            reason=reason,
            present_at=present_at,
        )
        return await self._owner.calls.call(
            SignatureService.forward,
            order,
            options.FORWARD,
            f"hand over to {successor}",
            unless=self._is_overtaken,
            # The person may be away by the time of a retry.
            anew=lambda first: first.replace(present_at=workflow.now()) if first.present_at else first,
            resumes=resumes,
        )

    def _not_now(self) -> Condition:
        # A pause holds back only the next attempt: the result of an interrupted one would stay unknown.
        def holds() -> bool:
            state = self._owner.state
            has_reason = state.clock.stop(StopKind.PAUSE) is not None or self._is_to_be_planned_first()
            return has_reason and state.waits_to_probe(workflow.now())

        def is_over() -> bool:
            state = self._owner.state
            return state.lifecycle.ending is not None or state.expiry_by(workflow.now()) is not None

        return lambda: is_over() or holds()

    def _is_to_be_planned_first(self) -> bool:
        """Whether a fixed due date may pass before the document is created: planning tells."""
        state = self._owner.state
        fixed = state.plan.due or self._request.due
        return fixed is not None and state.plan.schedule is None and state.is_late_to_be_made(workflow.now())

    def _is_overtaken(self) -> Condition:
        # Forwarding causes callbacks of its own: they must not interrupt it.
        def hinted() -> bool:
            return self._owner.state.document.unread and self._owner.state.waits_to_probe(workflow.now())

        return lambda: self._owner.state.lifecycle.ending is not None or hinted()


@workflow.defn(name=SIGNATURE_REQUEST)
class SignatureRequestWorkflow(FollowUpWorkflow[SignatureState]):
    """Sends one document for signature, follows up, and hands off the ending."""

    request: SignatureInput

    @workflow.init
    def __init__(self, request: SignatureInput) -> None:
        super().__init__(request, request.carried or SignatureState.begin(request.brief, workflow.now()))
        self.notifier = Notifier(self, merge=self.merge_observation)
        self.document = ProviderDocument(self, request)
        self.evidence = RequestEvidence(self)

    @workflow.run
    @despite_cancellation
    async def run(self, request: SignatureInput) -> SettledRequest:
        """Run to the end; a cancellation of the run is handled like the update `cancel`."""
        if self.state.round:
            await self.follow_up(is_over=lambda: not self.state.round)
        await self.document.send()
        await self.follow_up()
        await self.evidence.keep()
        await hand_off(self, is_over=self.evidence.is_over)
        return self.settled()

    @workflow.signal(name=PROVIDER_EVENT, description="Core Signature says that something happened; it is then read")
    def provider_event(self, event: signature.ProviderEvent) -> None:
        """Record the hint; the document is read later."""
        self.state = self.state.notify_of(event, workflow.now())

    @workflow.query(name=SHOW, description="Waiting for whom, until when, what happens next, and all that was done")
    def show(self) -> RequestShow:
        return self.build_view(self.state, workflow.now())

    @command_update(name=REVIEW, description="A reviewer approves the document, or asks for changes")
    def review(self, command: ReviewAnswer) -> Receipt:
        return self.accept(partial(reviews.review, self.request), command)

    @command_update(name=REVISE, description="A new version for the reviewers, who have asked for changes")
    def revise(self, command: Revision) -> Receipt:
        return self.accept(reviews.revise, command)

    @command_update(name=EXEMPT, description="A reviewer need not review it")
    def exempt(self, command: Exemption) -> Receipt:
        return self.accept(partial(reviews.exempt, self.request), command)

    @command_update(name=TAKE_PLACE, description="One of a group signs for it, and nobody else of the group")
    def take_place(self, command: PlaceTaking) -> Receipt:
        return self.accept(group_place.take_place, command)

    @command_update(name=LINK, description="A link by which a signer signs once is handed over")
    def link(self, command: LinkHandover) -> Receipt:
        return self.accept(handed_links.hand_over, command)

    def refusal(self, command: AnyCommand) -> Message | None:
        match command:
            case Delegation():
                identity = self.request.brief.identity
                refusal = self.state.hand_over_refusal(command.signer, identity) or super().refusal(command)
            case LinkHandover():
                refusal = handed_links.refuse_hand_over(self.state, command)
            case PlaceTaking():
                refusal = group_place.refuse_take_place(self.state, command)
            case ReviewAnswer():
                refusal = reviews.refuse_review(self.state, command, self.subject.requester)
            case Revision():
                refusal = reviews.refuse_revise(self.state, command)
            case Exemption():
                refusal = reviews.refuse_exempt(self.state, command, self.subject.requester)
            case _:
                refusal = super().refusal(command)
        return refusal

    async def prepare(self, precondition: Precondition) -> None:
        """Read the document, cancel at the provider, or await the conversion."""
        match precondition:
            case Precondition.LOOK:
                await self.document.read()
            case Precondition.BEGIN:
                self.state = self.state.begin_review(workflow.now())
            case Precondition.CLOSE if self.state.round:
                self.state = self.state.end_unseen(workflow.now())
            case Precondition.CLOSE:
                await self.document.cancel()
            case Precondition.PREPARE:
                await self.document.await_conversion()
            case Precondition.PLACE:
                if seen := await self.document.pass_place(self.state.to_be_placed[0]):
                    self.merge_observation(seen)

    async def reassign(self, reassignment: Reassignment) -> None:
        """Forward a slot at Core Signature; the document read afterwards decides. Reviewers are ours alone."""
        if self.state.round:
            await self.steps.reassign(reassignment)
            return
        if refusal := self.state.hand_over_refusal(reassignment.from_, self.request.brief.identity):
            self.state = self.state.handed_over(reassignment, refusal, workflow.now())
            return
        report = await self.document.forward(reassignment)
        if report is not None:
            self.state = self.state.handed_over(reassignment, report.refused, workflow.now())
            if report.seen is not None:
                self.merge_observation(report.seen)

    def merge_observation(self, document: signature.ReportedDocument, asked_at: datetime | None = None) -> bool:
        """Whether a document that another call has read has news; it is then read again, for the record."""
        news = self.state.would_change(document)
        known_since = self.state.document.known_since if news else asked_at or self.state.document.known_since
        self.state = self.state.update_part(
            "document", read_at=workflow.now(), known_since=known_since, unread=self.state.document.unread or news
        )
        return news

    @property
    def subject(self) -> Subject:
        state = self.state
        return self.heard(self.request.brief.subject.replace(people=state.slots.places, round=state.round))

    def details(self, view: FollowUpShow) -> str:
        return super().details(view) + kept_in_words(self.state.document.evidence.files)

    def settled(self) -> SettledRequest:
        return settled(self.document.brief, self.state)

    def build_view(self, state: SignatureState, now: datetime) -> RequestShow:
        return show(self.request.replace(brief=self.document.brief), state, now)
