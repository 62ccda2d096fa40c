"""Whoever was asked stays who was asked, whatever becomes of the people file and of names and addresses since."""

import unicodedata
from pathlib import Path

import pytest
from temporalio.exceptions import ApplicationError

from activities.core_signature.client import CoreSignatureClient
from activities.core_signature.service import CoreSignatureService
from activities.core_signature.signers import SignerSnapshot, SignerSnapshots
from activities.core_signature.signing_page import SigningState, signing_page
from activities.people.file_directory import FileDirectory
from activities.records.store import Store
from deploy.sandbox.server import RunningSandbox
from tests.activities.core_signature.conftest import PEOPLE, Acting, arm, entries
from tests.activities.core_signature.requests import act_as_signer
from tests.activities.core_signature.test_observe import observation, states
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

CUSTOMER, REVIEWER = "customer@acme.test", "reviewer@example.test"
RENAMED = PEOPLE.replace(CUSTOMER, "c.signer@acme.test").replace(REVIEWER, "re.viewer@example.test")


@pytest.fixture
def two(request_brief: SignatureBrief) -> SignatureBrief:
    """Two who sign in parallel, neither with a phone."""
    signers = (Participant(person="customer-signer", order=1), Participant(person="reviewer", order=1))
    return request_brief.replace(people=signers)


@pytest.fixture
async def document(service: CoreSignatureService, two: SignatureBrief, act: Acting) -> str:
    """Their document, sent."""
    document_state: ReportedDocument = await act(service.create, CreateOrder(brief=two))
    return document_state.document


def provider_renames(sandbox: RunningSandbox, document: str, **addresses: str) -> None:
    """Let addresses be others at the provider."""
    stored_document = sandbox.state.database.documents.get(document)
    assert stored_document is not None
    request = sandbox.state.database.request_of(stored_document)
    assert request is not None
    for signer in request.signers:
        signer.email = addresses.get(signer.email.partition("@")[0], signer.email)


async def test_of_two_who_were_renamed_the_one_who_signs_has_signed(
    sandbox: RunningSandbox,
    service: CoreSignatureService,
    two: SignatureBrief,
    document: str,
    act: Acting,
    tmp_path: Path,
) -> None:
    (tmp_path / "people.yaml").write_text(RENAMED)
    await act_as_signer(sandbox, REVIEWER, "sign")
    document_state = await act(service.observe, observation(two, document))
    assert states(document_state) == {"customer-signer": SignerState.WAITING, "reviewer": SignerState.SIGNED}


async def test_who_was_renamed_can_hand_their_place_over_and_the_new_one_may_be_renamed_as_well(
    sandbox: RunningSandbox,
    service: CoreSignatureService,
    two: SignatureBrief,
    document: str,
    act: Acting,
    tmp_path: Path,
) -> None:
    (tmp_path / "people.yaml").write_text(RENAMED)
    order = ForwardOrder(subject=two, document=document, from_="reviewer", to="archive", reason="manual")
    report: ForwardReport = await act(service.forward, order)
    assert report.refused is None
    (tmp_path / "people.yaml").write_text(RENAMED.replace("archive@example.test", "attic@example.test"))
    three = two.replace(people=(*two.people, Participant(person="archive", order=1)))
    await act_as_signer(sandbox, "archive@example.test", "sign")
    await act_as_signer(sandbox, CUSTOMER, "sign")
    document_state = await act(service.observe, observation(three, document))
    assert states(document_state) == {
        "customer-signer": SignerState.SIGNED,
        "reviewer": SignerState.REASSIGNED,
        "archive": SignerState.SIGNED,
    }


async def test_the_page_of_a_renamed_signer_is_open(
    client: CoreSignatureClient, store: Store, document: str, tmp_path: Path
) -> None:
    (tmp_path / "people.yaml").write_text(RENAMED)
    places = await SignerSnapshots(store).read_snapshots("msa-0042")
    assert (await signing_page(client, "msa-0042", "customer-signer", lambda _: places)).state is SigningState.BY_MAIL
    assert (await signing_page(client, "msa-0042", "archive", lambda _: places)).state is SigningState.STRANGER


async def test_both_sign_while_a_restarted_worker_finds_a_faulty_people_file(
    sandbox: RunningSandbox,
    client: CoreSignatureClient,
    store: Store,
    two: SignatureBrief,
    document: str,
    act: Acting,
    tmp_path: Path,
) -> None:
    faulty = tmp_path / "faulty.yaml"
    faulty.write_text("people: [{id: a}]")
    restarted = CoreSignatureService(client, FileDirectory(faulty, store), store)
    await act_as_signer(sandbox, CUSTOMER, "sign")
    await act_as_signer(sandbox, REVIEWER, "sign")
    document_state = await act(restarted.observe, observation(two, document))
    assert (document_state.status, set(states(document_state).values())) == (Status.SIGNED, {SignerState.SIGNED})


async def test_what_was_sent_is_taken_over_over_a_faulty_people_file(
    client: CoreSignatureClient, store: Store, two: SignatureBrief, document: str, act: Acting, tmp_path: Path
) -> None:
    faulty = tmp_path / "faulty.yaml"
    faulty.write_text("people: [{id: a}]")
    restarted = CoreSignatureService(client, FileDirectory(faulty, store), store)
    document_state: ReportedDocument = await act(restarted.create, CreateOrder(brief=two))
    assert (document_state.document, len(document_state.signers)) == (document, 2)


async def test_nothing_is_settled_until_the_document_tells_who_has_acted(
    sandbox: RunningSandbox, service: CoreSignatureService, two: SignatureBrief, document: str, act: Acting
) -> None:
    await act_as_signer(sandbox, CUSTOMER, "sign")
    await act_as_signer(sandbox, REVIEWER, "sign")
    provider_renames(sandbox, document, customer="a@provider.test", reviewer="b@provider.test")
    with pytest.raises(ApplicationError) as caught:
        await act(service.observe, observation(two, document))
    assert (caught.value.type, caught.value.non_retryable) == (Code.PROVIDER_UNSURE, True)
    assert "customer-signer, reviewer" in caught.value.message
    assert "@" not in caught.value.message
    provider_renames(sandbox, document, a=CUSTOMER, b=REVIEWER)
    document_state = await act(service.observe, observation(two, document))
    assert (document_state.status, set(states(document_state).values())) == (Status.SIGNED, {SignerState.SIGNED})


async def test_an_address_that_was_corrected_between_two_attempts_is_known_in_both_forms(
    sandbox: RunningSandbox, service: CoreSignatureService, two: SignatureBrief, act: Acting, tmp_path: Path
) -> None:
    arm(sandbox, method="POST", path="/api/v1/signature-requests/", fault="400", times=1)
    with pytest.raises(ApplicationError):
        await act(service.create, CreateOrder(brief=two))
    (tmp_path / "people.yaml").write_text(RENAMED)
    document_state: ReportedDocument = await act(service.create, CreateOrder(brief=two))
    [request_entry] = entries(sandbox, "request_created")
    assert request_entry["signers"] == ["c.signer@acme.test", "re.viewer@example.test"]
    await act_as_signer(sandbox, "c.signer@acme.test", "sign")
    document_state = await act(service.observe, observation(two, document_state.document))
    assert states(document_state)["customer-signer"] is SignerState.SIGNED


@pytest.mark.parametrize(
    "name", ["  Vertrag über  Dienste \u00a0", unicodedata.normalize("NFD", "Vertrag über Dienste")]
)
async def test_a_name_that_the_provider_changes_leaves_the_document_ours(
    sandbox: RunningSandbox, service: CoreSignatureService, two: SignatureBrief, act: Acting, name: str
) -> None:
    renamed_request = two.replace(title=name)
    arm(sandbox, method="POST", path="/api/v1/signature-requests/", fault="cut")
    with pytest.raises(ApplicationError):
        await act(service.create, CreateOrder(brief=renamed_request))
    [stored_document] = sandbox.state.database.documents.where("msa-0042")
    stored_document.name = unicodedata.normalize("NFC", " ".join(name.split()))
    document_state: ReportedDocument = await act(service.create, CreateOrder(brief=renamed_request))
    assert len(entries(sandbox, "document_created")) == 1
    cancelled = await act(service.cancel, CancelOrder(subject=renamed_request, document=None))
    assert (cancelled.document, cancelled.status) == (document_state.document, Status.CANCELLED)


async def test_our_claim_comes_before_a_name_that_is_quite_another(
    sandbox: RunningSandbox, service: CoreSignatureService, two: SignatureBrief, document: str, act: Acting
) -> None:
    [stored_document] = sandbox.state.database.documents.where("msa-0042")
    stored_document.name = "Vertrag"
    assert (await act(service.create, CreateOrder(brief=two))).document == document
    cancelled = await act(service.cancel, CancelOrder(subject=two, document=None))
    assert cancelled.status is Status.CANCELLED


async def test_between_ours_and_a_stranger_s_under_our_id_the_name_decides(
    sandbox: RunningSandbox,
    client: CoreSignatureClient,
    service: CoreSignatureService,
    two: SignatureBrief,
    act: Acting,
) -> None:
    document_state: ReportedDocument = await act(service.create, CreateOrder(brief=two))
    await client.create_document({"name": "Other", "external_id": "msa-0042", "template": f"{sandbox.url}/t/"})
    assert (await act(service.create, CreateOrder(brief=two))).document == document_state.document
    cancelled = await act(service.cancel, CancelOrder(subject=two, document=None))
    assert (cancelled.document, cancelled.status) == (document_state.document, Status.CANCELLED)


async def test_a_hundred_hand_overs_are_all_known(store: Store) -> None:
    snapshots = SignerSnapshots(store)
    for number in range(100):
        snapshot = SignerSnapshot(
            person=f"p{number + 1}", order=1, role=Role.SIGN, email=f"{number}@x.test", instead_of=f"p{number}"
        )
        await snapshots.keep("msa-0042", [snapshot])
        await snapshots.keep("msa-0042", [snapshot])
    assert {snapshot.instead_of for snapshot in await snapshots.read_snapshots("msa-0042")} == {
        f"p{number}" for number in range(100)
    }
