"""What is on record of a request, a task, an onboarding and a campaign, as their ends would have left it."""

from datetime import UTC, date, datetime, timedelta
from pathlib import Path

from activities.documents.files import SIGNED
from activities.evidence.pack import Packer
from activities.evidence.signing import EvidenceKey, canonical, sha256_of
from activities.records.audiences import AudienceAmendment, MemberRow
from activities.records.evidence import SignedDocument, SignedFile
from activities.records.outcomes import MemberOutcome
from activities.records.store import Store
from activities.records.user_texts import apart, keep_page
from tests.lines import counted, some_at_a_time
from workflows.kinds import Kind, WorkflowName
from workflows.model.campaign import AudienceChange, AudienceSource, Campaign, CampaignOrder, ChangeKind, FrozenAudience
from workflows.model.evidence import KeptFile
from workflows.model.hand_off import HandoffLine, HandoffState, SettledRequest, SettledSigner
from workflows.model.notifications import LogPage, Notification
from workflows.model.policy import Policy
from workflows.model.records import Amendment, SettledRecord
from workflows.model.schedule import EscalationReason
from workflows.model.signature import Document, SignerState
from workflows.model.subject import Role, Status
from workflows.model.timeline import AskedQuestion, EscalationEntry, EventType, TimelineEntry
from workflows.model.views import CampaignShow, OnboardingShow, PartLine, RequestShow, Shown, SignerLine, StageLine

AT = datetime(2026, 12, 4, 9, 30, tzinfo=UTC)
MSA = WorkflowName(Kind.REQUEST, "msa-0042")
ACME = WorkflowName(Kind.ONBOARDING, "acme")
CONDUCT = WorkflowName(Kind.CAMPAIGN, "conduct")
SIGNED_PDF = b"%PDF-1.7 signed"


def key_in(folder: Path) -> EvidenceKey:
    EvidenceKey.ensure(folder / "evidence.pem")
    return EvidenceKey.read(folder / "evidence.pem")


def packer(store: Store, folder: Path) -> Packer:
    return Packer(store, key_in(folder))


def request(id: str = MSA.id) -> RequestShow:
    reminder = Notification(key=f"{id}/reminder-1/chief-executive", stage="reminder-1", person="chief-executive", at=AT)
    return RequestShow(
        id=id,
        kind="customer-contract",
        document="Master services agreement",
        requester="legal-desk",
        status=Status.SIGNED,
        signers=(
            SignerLine(person="customer-signer", order=1, role=Role.SIGN, state=SignerState.SIGNED, at=AT),
            SignerLine(person="chief-executive", order=2, role=Role.SIGN, state=SignerState.SIGNED, at=AT),
        ),
        notifications=(reminder, reminder.replace(key=f"{id}/ready/chief-executive", stage="ready")),
        earlier=1,
        escalations=(EscalationEntry(from_="chief-executive", to="chair", reason=EscalationReason.ESCALATION, at=AT),),
        answered=(AskedQuestion(number=1, person="chair", text="Which annex?", at=AT, answer="Annex B"),),
        timeline=(TimelineEntry(at=AT, happened=EventType.SIGNED, who="chief-executive"),),
    )


def make_request_of_signers(id: str, signer_count: int) -> RequestShow:
    """A request that all of them have signed, each reminded once."""
    people = [f"signer-of-{order}" for order in range(1, signer_count + 1)]
    return request(id).replace(
        signers=tuple(
            SignerLine(person=person, order=order, role=Role.SIGN, state=SignerState.SIGNED, at=AT)
            for order, person in enumerate(people, 1)
        ),
        notifications=tuple(
            Notification(key=f"{id}/{stage}/{person}", stage=stage, person=person, at=AT)
            for stage in ("ready", "reminder-1")
            for person in people
        ),
    )


async def settle(store: Store, show: Shown, settled: SettledRequest | None = None) -> None:
    """As `activities/hand_off/recording.py` writes it."""
    workflow_id = show.type.workflow_id(show.id)
    record = SettledRecord(fingerprint="f" * 64, run_id="run", show=await apart(store, workflow_id, show))
    content = record.replace(settled=settled).model_dump_json(by_alias=True).encode()
    await store.records.write(workflow_id, content)


async def told_later(store: Store, workflow_id: str, number: int = 1) -> None:
    line = HandoffLine(target=f"finance-{number}", state=HandoffState.DONE, attempts=1, at=AT, key=f"k{number}")
    content = Amendment(number=number, handoffs=(line,)).model_dump_json(by_alias=True).encode()
    await store.records.amend(workflow_id, number, content, (line,))


async def keep_signed_request(store: Store, id: str = MSA.id) -> WorkflowName:
    """A request that was asked about, answered, reminded of, escalated, signed and handed off."""
    workflow_name = WorkflowName(Kind.REQUEST, id)
    page = LogPage(
        number=1,
        lines=(Notification(key=f"{id}/ready/customer-signer", stage="ready", person="customer-signer", at=AT),),
    )
    await keep_page(store, workflow_name.workflow_id, page)
    await store.people.add_asked(
        workflow_name.workflow_id, b'{"customer-signer":{"email":"ada@example.com","name":"Ada"}}'
    )
    signer = SettledSigner(person="chief-executive", state=SignerState.SIGNED, at=AT)
    settled = SettledRequest(
        request=id,
        kind="customer-contract",
        outcome=Status.SIGNED,
        at=AT,
        external_id=id,
        document_sha256="ab" * 32,
        document=KeptFile(sha256=sha256_of(SIGNED_PDF), bytes=len(SIGNED_PDF)),
        signers=(signer,),
    )
    await settle(store, request(id), settled)
    await told_later(store, workflow_name.workflow_id)
    return workflow_name


async def keep_evidence(store: Store, workflow_name: WorkflowName = MSA) -> None:
    """As the activity that keeps evidence writes it: histories, identities, and what the provider gave."""
    random, text = "00" * 16, '{"input":1}'
    hashed = sha256_of(bytes(16) + text.encode())
    history = canonical({"id": 1, "type": "WORKFLOW_EXECUTION_STARTED", "payloads": {"input": hashed}}) + b"\n"
    payloads = canonical({"event": 1, "place": "input", "random": random, "text": text}) + b"\n"
    ada = canonical({"person": "customer-signer", "random": random, "name": "Ada"})
    content = {
        "request": {"policy": {"window": "90d"}},
        "people": [{"person": "customer-signer", "sha256": sha256_of(ada)}],
        "runs": [{"run_id": "r", "history": "history-1", "sha256": sha256_of(history), "payloads": "payloads-1"}],
    }
    parts = {
        "history-1": history,
        "payloads-1": payloads,
        "people": ada + b"\n",
        "file-f": b'{"kind":"customer-contract"}',
    }
    await store.evidence.keep(workflow_name.workflow_id, canonical(content), parts, AT)
    file = SignedFile(await store.files.put(SIGNED_PDF, SIGNED), len(SIGNED_PDF))
    signed_document = SignedDocument(
        file, None, {"document": "uuid", "request": "uuid", "signers": []}, AT, "it is not ready"
    )
    await store.evidence.keep_signed(workflow_name.workflow_id, signed_document, AT)


async def onboarded(store: Store) -> WorkflowName:
    """An onboarding with one agreement."""
    await keep_signed_request(store, "acme.1.1")
    part = PartLine(id="acme.1.1", title="MSA", state="done", workflow=Kind.REQUEST.workflow_id("acme.1.1"))
    stage = StageLine(name="agreements", state="done", agreements=(part,))
    await settle(
        store, OnboardingShow(id=ACME.id, kind="customer-onboarding", title="Acme", status=Status.DONE, stages=(stage,))
    )
    return ACME


def make_outcomes(member_count: int) -> list[MemberOutcome]:
    signed_at = "2026-12-02T08:00:00Z"
    return [
        MemberOutcome(
            row=n,
            person=f"person-{n}",
            request=f"{CONDUCT.id}.person-{n}",
            status="acknowledged" if n % 10 else "expired",
            sent_at="2026-12-01T08:00:00Z",
            signed_at=signed_at if n % 10 else "",
            reminders=n % 3,
            due="2026-12-15",
        )
        for n in range(1, member_count + 1)
    ]


async def keep_campaign(store: Store, member_count: int = 25, id: str = CONDUCT.id) -> WorkflowName:
    """A campaign with an audience, one of whom was exempt later."""
    workflow_name = WorkflowName(Kind.CAMPAIGN, id)
    frozen = await store.audiences.freeze(MemberRow(n, f"person-{n}") for n in range(1, member_count + 1))
    lines = make_outcomes(member_count)
    head = {
        "version": 1,
        "campaign": id,
        "audience": frozen,
        "population": {"opening": member_count, "close": member_count},
        "changes": [],
    }
    sha256 = await store.outcomes.write(workflow_name.workflow_id, head, some_at_a_time(lines))
    show = CampaignShow(
        id=id,
        kind="policy-acknowledgement",
        title="Code of conduct 2026",
        status=Status.DONE,
        version="2026.1",
        effective=date(2026, 12, 1),
        approver="chair",
        opens_at=AT - timedelta(days=30),
        due=date(2026, 12, 15),
        frozen=FrozenAudience(sha256=frozen, rows=member_count, errors=0, at=AT - timedelta(days=30)),
        counts=counted(lines),
        outcomes=sha256,
    )
    campaign = Campaign(
        id=id,
        kind=show.kind,
        title=show.title,
        requester="compliance-desk",
        people=(),
        document=Document(),
        source=AudienceSource(group="all-staff"),
        opens_at=show.opens_at,
        due=show.due,
        asking=Policy(),
    )
    order = CampaignOrder(campaign=campaign, frozen=show.frozen, fingerprint="f" * 64, now=AT)
    changed = await exempt(store, order)
    await settle(store, show.replace(changes=changed.changes, changed=changed.changed))
    return workflow_name


async def exempt(store: Store, order: CampaignOrder) -> CampaignOrder:
    """The order after two changes, one behind the other."""
    for number in (1, 2):
        change = AudienceChange(number=number, what=ChangeKind.EXEMPT, by="desk", at=AT, person=f"person-{number}")
        amendment = AudienceAmendment(change, (MemberRow(number, f"person-{number}"),), order.changed)
        order = order.replace(changes=number, changed=await store.audiences.write(order, amendment))
    return order
