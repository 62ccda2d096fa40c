"""Handing a signer's place over: what the document says before and after decides."""

from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest
from temporalio.exceptions import ApplicationError

from activities.core_signature.client import CoreSignatureClient
from activities.core_signature.service import CoreSignatureService
from activities.core_signature.signers import SignerSnapshots, insert_successors
from activities.core_signature.signing_page import SigningState, signing_page
from activities.people.file_directory import FileDirectory
from activities.records.store import Store
from deploy.sandbox.server import RunningSandbox
from tests.activities.core_signature.conftest import Acting, arm, calls, config_for, entries
from tests.activities.core_signature.requests import act_as_signer, answering
from tests.messages import english_of
from tests.plain_http import plain_client
from workflows.model.signature import (
    CancelOrder,
    CreateOrder,
    ForwardOrder,
    ForwardReport,
    ReportedDocument,
    SignatureBrief,
    SignerState,
)
from workflows.model.subject import Code, Participant, Role, Status

CUSTOMER, EXECUTIVE, REVIEWER = "customer@acme.test", "ceo@example.test", "reviewer@example.test"


@pytest.fixture
async def order(service: CoreSignatureService, request_brief: SignatureBrief, act: Acting) -> ForwardOrder:
    """A document that has been sent, and the command that the reviewer signs instead of the customer."""
    copy = Participant(person="archive", order=3, role=Role.COPY)
    brief = request_brief.replace(people=(*request_brief.people, copy))
    document_state: ReportedDocument = await act(service.create, CreateOrder(brief=brief))
    return ForwardOrder(
        subject=brief, document=document_state.document, from_="customer-signer", to="reviewer", reason="escalation"
    )


def states(report: ForwardReport) -> Mapping[str, SignerState]:
    """Person → state, of a report with a document."""
    assert report.seen is not None
    return {signer.person: signer.state for signer in report.seen.signers}


def count_forwards(sandbox: RunningSandbox) -> int:
    """How often Core Signature was asked to forward."""
    return len(calls(sandbox, "/forward_signer/"))


async def failure_of(act: Acting, service: CoreSignatureService, order: ForwardOrder) -> ApplicationError:
    """The failure an order must end with."""
    with pytest.raises(ApplicationError) as caught:
        await act(service.forward, order)
    return caught.value


async def test_the_place_and_the_turn_are_the_new_signer_s(
    sandbox: RunningSandbox,
    client: CoreSignatureClient,
    service: CoreSignatureService,
    order: ForwardOrder,
    act: Acting,
    store: Store,
) -> None:
    report: ForwardReport = await act(service.forward, order)
    assert report.refused is None
    assert report.seen is not None
    assert [(signer.person, signer.state, signer.reason) for signer in report.seen.signers] == [
        ("customer-signer", SignerState.REASSIGNED, "escalation"),
        ("reviewer", SignerState.WAITING, None),
        ("chief-executive", SignerState.WAITING, None),
        ("archive", SignerState.WAITING, None),
    ]
    assert report.seen.turn == 1
    [call] = calls(sandbox, "/forward_signer/")
    assert call["body"] == {
        "signer_email_to_forward": CUSTOMER,
        "signer_email_to_forward_to": REVIEWER,
        "forwarded_reason": "escalation",
    }
    places = await SignerSnapshots(store).read_snapshots("msa-0042")
    assert (
        await signing_page(client, "msa-0042", "customer-signer", lambda _: places)
    ).state is SigningState.HANDED_OVER
    assert (await signing_page(client, "msa-0042", "reviewer", lambda _: places)).state is SigningState.BY_MAIL
    workflow_ids = [workflow_id async for page in store.erasures.running("reviewer") for workflow_id in page]
    assert workflow_ids == ["signature-request:msa-0042"], "whoever is erased meanwhile is erased here as well"


async def test_somebody_who_is_away_is_asked_only_by_who_insists(
    sandbox: RunningSandbox, service: CoreSignatureService, order: ForwardOrder, act: Acting, tmp_path: Path
) -> None:
    people = tmp_path / "people.yaml"
    reviewer = "id: reviewer,"
    assert reviewer in people.read_text()
    people.write_text(
        people.read_text().replace(reviewer, f"{reviewer} absent: [{{from: 2026-12-01, until: 2026-12-20}}],")
    )
    during_absence, after_absence = datetime(2026, 12, 4, 10, tzinfo=UTC), datetime(2026, 12, 24, 10, tzinfo=UTC)
    refused: ForwardReport = await act(service.forward, order.replace(present_at=during_absence))
    assert english_of(refused.refused) == "reviewer is away: insist with --force"
    assert count_forwards(sandbox) == 0
    assert (await act(service.forward, order.replace(present_at=after_absence))).refused is None
    # What was done is not undone by a calendar: the answer of an earlier attempt may have been lost.
    assert (await act(service.forward, order.replace(present_at=during_absence))).refused is None
    assert count_forwards(sandbox) == 1


async def test_the_new_signer_signs_and_may_be_replaced_as_well(
    sandbox: RunningSandbox, service: CoreSignatureService, order: ForwardOrder, act: Acting
) -> None:
    await act(service.forward, order)
    replaced_subject = insert_successors(order.subject, {"customer-signer": "reviewer"})
    second_order = order.replace(subject=replaced_subject, from_="reviewer", to="bouncing", reason="manual")
    assert states(await act(service.forward, second_order))["reviewer"] is SignerState.REASSIGNED
    await act_as_signer(sandbox, "bounce-here@example.test", "sign")
    await act_as_signer(sandbox, EXECUTIVE, "sign")
    document_state: ReportedDocument = await act(
        service.read, insert_successors(replaced_subject, {"reviewer": "bouncing"}), order.document
    )
    assert document_state.status is Status.SIGNED
    assert [(signer.person, signer.state) for signer in document_state.signers[:3]] == [
        ("customer-signer", SignerState.REASSIGNED),
        ("reviewer", SignerState.REASSIGNED),
        ("bouncing", SignerState.SIGNED),
    ]


async def test_somebody_is_replaced_before_their_turn(
    sandbox: RunningSandbox, service: CoreSignatureService, order: ForwardOrder, act: Acting
) -> None:
    later = order.replace(from_="chief-executive")
    report: ForwardReport = await act(service.forward, later)
    assert states(report)["chief-executive"] is SignerState.REASSIGNED
    assert [mail["to"] for mail in entries(sandbox, "mail") if mail["to"] == REVIEWER] == []
    await act_as_signer(sandbox, CUSTOMER, "sign")
    await act_as_signer(sandbox, REVIEWER, "sign")
    document_state: ReportedDocument = await act(
        service.read, insert_successors(order.subject, {"chief-executive": "reviewer"}), order.document
    )
    assert [signer.state for signer in document_state.signers] == [
        SignerState.SIGNED,
        SignerState.REASSIGNED,
        SignerState.APPROVED,
        SignerState.COPIED,
    ]


@pytest.mark.parametrize("knows_both", [False, True])
async def test_twice_is_once(
    sandbox: RunningSandbox, service: CoreSignatureService, order: ForwardOrder, act: Acting, knows_both: bool
) -> None:
    first = await act(service.forward, order)
    brief = insert_successors(order.subject, {"customer-signer": "reviewer"}) if knows_both else order.subject
    assert await act(service.forward, order.replace(subject=brief)) == first
    assert count_forwards(sandbox) == 1


async def test_a_repetition_after_the_new_signer_has_signed_is_content(
    sandbox: RunningSandbox, service: CoreSignatureService, order: ForwardOrder, act: Acting
) -> None:
    await act(service.forward, order)
    await act_as_signer(sandbox, REVIEWER, "sign")
    report: ForwardReport = await act(service.forward, order)
    assert (report.refused, states(report)["reviewer"]) == (None, SignerState.SIGNED)


@pytest.mark.parametrize("fault", ["409", "400", "cut"])
async def test_an_effect_behind_a_bad_answer_counts(
    sandbox: RunningSandbox, service: CoreSignatureService, order: ForwardOrder, act: Acting, fault: str
) -> None:
    arm(sandbox, path="*/forward_signer/", fault=fault, commit=True)
    if fault == "cut":
        assert not (await failure_of(act, service, order)).non_retryable
    report: ForwardReport = await act(service.forward, order)
    assert (report.refused, states(report)["customer-signer"]) == (None, SignerState.REASSIGNED)
    assert len(entries(sandbox, "signer_forwarded")) == 1


async def test_a_conflict_that_the_document_does_not_explain_is_tried_again(
    sandbox: RunningSandbox, service: CoreSignatureService, order: ForwardOrder, act: Acting
) -> None:
    arm(sandbox, path="*/forward_signer/", fault="409")
    failure = await failure_of(act, service, order)
    assert (failure.type, failure.non_retryable) == (Code.UNREACHABLE, False)
    assert (await act(service.forward, order)).refused is None


async def test_a_refusal_of_the_provider_comes_back_in_its_words(
    sandbox: RunningSandbox, service: CoreSignatureService, order: ForwardOrder, act: Acting
) -> None:
    arm(sandbox, path="*/forward_signer/", fault="400")
    report: ForwardReport = await act(service.forward, order)
    assert english_of(report.refused) == "Core Signature refuses it: Bad request."
    assert states(report)["customer-signer"] is SignerState.WAITING
    assert "reviewer" not in states(report)


async def test_a_tenant_that_cannot_forward_says_so(
    sandbox: RunningSandbox, directory: FileDirectory, store: Store, order: ForwardOrder, act: Acting
) -> None:
    client = CoreSignatureClient(replace(config_for(sandbox), forward_paths=("pass_on",)))
    report: ForwardReport = await act(CoreSignatureService(client, directory, store).forward, order)
    await client.aclose()
    assert english_of(report.refused) == "Core Signature refuses it: no path to forward is known"


async def test_missing_rights_are_ours_to_mend(
    sandbox: RunningSandbox, service: CoreSignatureService, order: ForwardOrder, act: Acting
) -> None:
    arm(sandbox, path="*/forward_signer/", fault="403")
    assert (await failure_of(act, service, order)).type == Code.UNAUTHORISED


@pytest.mark.parametrize(
    ("from_person", "to_person", "refused"),
    [
        ("reviewer", "chief-executive", "reviewer is not one of the signers of this request"),
        ("archive", "reviewer", "archive only gets a copy, there is nothing to hand over"),
        ("customer-signer", "legal-desk", "legal-desk asked for this request and cannot sign it for somebody else"),
        ("customer-signer", "reviewers", '"reviewers" is not in people.yaml, did you mean reviewer?'),
        ("customer-signer", "signer-7", '"signer-7" is not in the directory'),
        ("customer-signer", "chief-executive", "chief-executive is already one of the signers"),
        ("customer-signer", "archive", "archive is already one of the signers"),
        ("customer-signer", "customer-signer", "customer-signer is already one of the signers"),
    ],
)
async def test_what_makes_no_sense_is_refused_in_words(
    sandbox: RunningSandbox,
    service: CoreSignatureService,
    order: ForwardOrder,
    act: Acting,
    from_person: str,
    to_person: str,
    refused: str,
) -> None:
    report: ForwardReport = await act(service.forward, order.replace(from_=from_person, to=to_person))
    assert english_of(report.refused) == refused
    assert count_forwards(sandbox) == 0


async def test_who_has_signed_keeps_their_place(
    sandbox: RunningSandbox, service: CoreSignatureService, order: ForwardOrder, act: Acting
) -> None:
    await act_as_signer(sandbox, CUSTOMER, "sign")
    report: ForwardReport = await act(service.forward, order)
    assert english_of(report.refused) == "customer-signer has signed already"
    assert states(report)["customer-signer"] is SignerState.SIGNED
    assert count_forwards(sandbox) == 0


async def test_who_signs_in_the_same_instant_has_signed(
    sandbox: RunningSandbox, directory: FileDirectory, store: Store, order: ForwardOrder, act: Acting
) -> None:
    class Overtaken(CoreSignatureClient):
        """The customer signs between our look and our call."""

        async def forward(self, request: str, from_email: str, to_email: str, reason: str | None = None) -> None:
            await act_as_signer(sandbox, CUSTOMER, "sign")
            await super().forward(request, from_email, to_email, reason)

    client = Overtaken(config_for(sandbox))
    report: ForwardReport = await act(CoreSignatureService(client, directory, store).forward, order)
    await client.aclose()
    assert english_of(report.refused) == "customer-signer has signed already"
    assert states(report)["customer-signer"] is SignerState.SIGNED


async def test_an_accepted_order_that_does_not_show_yet_is_looked_at_again(
    sandbox: RunningSandbox, directory: FileDirectory, store: Store, order: ForwardOrder, act: Acting
) -> None:
    class Lagging(CoreSignatureClient):
        """Accepts, and does it later than we look."""

        async def forward(self, request: str, from_email: str, to_email: str, reason: str | None = None) -> None:
            """Accepted."""

    client = Lagging(config_for(sandbox))
    failure = await failure_of(act, CoreSignatureService(client, directory, store), order)
    await client.aclose()
    assert (failure.type, failure.non_retryable) == (Code.UNREACHABLE, False)


@pytest.mark.parametrize(
    ("ends", "refused"),
    [
        ("decline", "customer-signer has declined already"),
        ("cancel", "the request has ended already (cancelled)"),
    ],
)
async def test_an_ended_request_has_no_places(
    sandbox: RunningSandbox, service: CoreSignatureService, order: ForwardOrder, act: Acting, ends: str, refused: str
) -> None:
    if ends == "decline":
        await act_as_signer(sandbox, CUSTOMER, "decline")
    else:
        await act(service.cancel, CancelOrder(subject=order.subject, document=order.document))
    report: ForwardReport = await act(service.forward, order)
    assert english_of(report.refused) == refused
    assert report.seen is not None
    assert report.seen.status is not None
    assert report.seen.status.has_ended
    assert count_forwards(sandbox) == 0


async def test_a_place_that_was_forwarded_at_the_provider_is_no_longer_theirs_to_give(
    sandbox: RunningSandbox,
    client: CoreSignatureClient,
    service: CoreSignatureService,
    order: ForwardOrder,
    act: Acting,
) -> None:
    document = await client.document(order.document)
    assert document.request is not None
    await client.forward(document.request.uuid, CUSTOMER, "partner@acme.test")
    report: ForwardReport = await act(service.forward, order)
    assert english_of(report.refused) == "customer-signer has handed their place over already"
    assert report.seen is not None
    assert (report.seen.signers[0].reason, report.seen.turn) == ("forwarded", 1)


async def test_an_address_that_has_a_place_already_gets_no_second_one(
    client: CoreSignatureClient, service: CoreSignatureService, order: ForwardOrder, act: Acting
) -> None:
    document = await client.document(order.document)
    assert document.request is not None
    await client.forward(document.request.uuid, EXECUTIVE, REVIEWER)
    report: ForwardReport = await act(service.forward, order)
    assert english_of(report.refused) == "reviewer is already one of the signers"
    assert states(report)["customer-signer"] is SignerState.WAITING


async def test_who_has_left_the_company_can_be_replaced(
    service: CoreSignatureService, order: ForwardOrder, act: Acting, tmp_path: Path
) -> None:
    people = tmp_path / "people.yaml"
    people.write_text(people.read_text().replace("id: customer-signer", "id: somebody-else"))
    report: ForwardReport = await act(service.forward, order)
    assert states(report)["customer-signer"] is SignerState.REASSIGNED
    assert await act(service.forward, order) == report


async def test_a_signer_the_provider_does_not_list_cannot_be_replaced(
    directory: FileDirectory, store: Store, order: ForwardOrder, act: Acting
) -> None:
    listed = {"uuid": "r1", "signers": [{"email": EXECUTIVE, "order": 2}]}
    client = answering({"uuid": order.document, "external_id": "msa-0042", "status": "se", "signrequest": listed})
    report: ForwardReport = await act(CoreSignatureService(client, directory, store).forward, order)
    assert english_of(report.refused) == "Core Signature does not know customer-signer as a signer of this request"


async def test_a_provider_that_forgets_who_was_replaced_is_believed_about_the_new_signer(
    directory: FileDirectory, store: Store, order: ForwardOrder, act: Acting
) -> None:
    listed = {"uuid": "r1", "signers": [{"email": REVIEWER, "order": 1}, {"email": EXECUTIVE, "order": 2}]}
    client = answering({"uuid": order.document, "external_id": "msa-0042", "status": "se", "signrequest": listed})
    report: ForwardReport = await act(CoreSignatureService(client, directory, store).forward, order)
    assert (report.refused, states(report)["customer-signer"]) == (None, SignerState.REASSIGNED)


async def test_a_deleted_document_ends_the_request(
    sandbox: RunningSandbox, service: CoreSignatureService, order: ForwardOrder, act: Acting
) -> None:
    async with plain_client(sandbox.url) as operator:
        await operator.post(f"/_sandbox/documents/{order.document}/delete")
    assert (await failure_of(act, service, order)).type == Code.DOCUMENT_DELETED
