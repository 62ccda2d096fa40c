"""Where a signer signs right now, read live."""

from collections.abc import Sequence

import pytest

from activities.core_signature.client import CoreSignatureClient
from activities.core_signature.service import CoreSignatureService
from activities.core_signature.signers import SignerSnapshot
from activities.core_signature.signing_page import SigningPage, SigningState, signing_page
from activities.core_signature.wire import WireSigner
from deploy.sandbox.server import RunningSandbox
from tests.activities.core_signature.conftest import Acting
from tests.activities.core_signature.requests import act_as_signer, answering, build_upload_body
from workflows.model.signature import CancelOrder, CreateOrder, SignatureBrief
from workflows.model.subject import Participant, Role, Status

CEO = "ceo@example.test"
CHIEF, CUSTOMER = "chief-executive", "customer-signer"
PLACES = (
    SignerSnapshot(person=CHIEF, order=1, role=Role.SIGN, email=CEO),
    SignerSnapshot(person=CUSTOMER, order=1, role=Role.SIGN, email="customer@acme.test"),
    SignerSnapshot(person="deputy", order=1, role=Role.SIGN, email="deputy@example.test", instead_of=CHIEF),
)


def places(_: Sequence[WireSigner]) -> Sequence[SignerSnapshot]:
    return PLACES


@pytest.fixture
async def document(service: CoreSignatureService, request_brief: SignatureBrief, act: Acting) -> str:
    """A document for the executive, who has a device, and the customer, who has none."""
    signers = (Participant(person="chief-executive", order=1), Participant(person="customer-signer", order=1))
    document_state = await act(service.create, CreateOrder(brief=request_brief.replace(people=signers)))
    return str(document_state.document)


async def test_the_page_is_open_until_the_signer_has_acted(
    sandbox: RunningSandbox, client: CoreSignatureClient, document: str
) -> None:
    page = await signing_page(client, "msa-0042", CHIEF, places)
    assert (page.state, page.document) == (SigningState.OPEN, "Master services agreement")
    assert page.url is not None
    assert page.url.startswith(f"{sandbox.url}/sign/")
    await act_as_signer(sandbox, CEO, "sign")
    acted = await signing_page(client, "msa-0042", CHIEF, places)
    assert (acted.state, acted.url) == (SigningState.ACTED, None)


async def test_nobody_signs_before_their_turn(
    client: CoreSignatureClient, service: CoreSignatureService, request_brief: SignatureBrief, act: Acting
) -> None:
    await act(service.create, CreateOrder(brief=request_brief))
    assert (await signing_page(client, "msa-0042", CHIEF, places)).state is SigningState.EARLY


async def test_who_has_the_provider_s_mail_is_told_so_and_alone_may_have_it_again(
    sandbox: RunningSandbox, client: CoreSignatureClient, document: str
) -> None:
    page = await signing_page(client, "msa-0042", CUSTOMER, places)
    assert (page.state, page.url, page.request) == (SigningState.BY_MAIL, None, None)
    await act_as_signer(sandbox, CEO, "sign")
    alone = await signing_page(client, "msa-0042", CUSTOMER, places)
    assert alone.state is SigningState.BY_MAIL
    assert alone.request is not None


async def test_a_replaced_signer_has_nothing_to_do_and_the_new_one_a_mail(
    client: CoreSignatureClient, document: str
) -> None:
    read = await client.document(document)
    assert read.request is not None
    await client.forward(read.request.uuid, CEO, "deputy@example.test")
    assert (await signing_page(client, "msa-0042", CHIEF, places)).state is SigningState.HANDED_OVER
    assert (await signing_page(client, "msa-0042", "deputy", places)).state is SigningState.BY_MAIL


async def test_an_ended_request_says_so(
    client: CoreSignatureClient,
    service: CoreSignatureService,
    request_brief: SignatureBrief,
    document: str,
    act: Acting,
) -> None:
    await act(service.cancel, CancelOrder(subject=request_brief, document=document))
    page = await signing_page(client, "msa-0042", CHIEF, places)
    assert page == SigningPage(SigningState.ENDED, "Master services agreement", outcome=Status.CANCELLED)


async def test_who_is_not_asked_is_a_stranger(client: CoreSignatureClient, document: str) -> None:
    assert (await signing_page(client, "msa-0042", "nobody", places)).state is SigningState.STRANGER


async def test_a_request_nobody_made_is_unknown(client: CoreSignatureClient, document: str) -> None:
    assert (await signing_page(client, "other", CHIEF, places)).state is SigningState.UNKNOWN


async def test_two_documents_of_one_id_are_not_chosen_from(
    client: CoreSignatureClient, request_brief: SignatureBrief, document: str
) -> None:
    await client.create_document(build_upload_body(request_brief, client.config))
    assert (await signing_page(client, "msa-0042", CHIEF, places)).state is SigningState.UNKNOWN


@pytest.mark.parametrize(
    ("url", "state"),
    [
        ("https://sign.test/embed/1", SigningState.OPEN),
        ("https://eu.sign.test/embed/1", SigningState.OPEN),
        ("https://evil.test/embed/1", SigningState.BY_MAIL),
        ("https://sign.test@evil.test/embed/1", SigningState.BY_MAIL),
        ("https://evil-sign.test/embed/1", SigningState.BY_MAIL),
        ("http://127.0.0.1:8000/sign/1", SigningState.BY_MAIL),
        ("http://sign.test/embed/1", SigningState.BY_MAIL),
        ("javascript:alert(1)", SigningState.BY_MAIL),
        ("//evil.test", SigningState.BY_MAIL),
        ("http://[::1", SigningState.BY_MAIL),
        ("https://evil.test\\.sign.test/embed/1", SigningState.BY_MAIL),
        ("https://evil.test\\@sign.test/embed/1", SigningState.BY_MAIL),
        ("https://sign.test\\@evil.test/embed/1", SigningState.BY_MAIL),
        ("https:\\\\evil.test\\.sign.test/embed/1", SigningState.BY_MAIL),
        ("https://evil.test%2f.sign.test/embed/1", SigningState.BY_MAIL),
        ("https://evil.test%00.sign.test/embed/1", SigningState.BY_MAIL),
        ("https://evil.test;.sign.test/embed/1", SigningState.BY_MAIL),
        ("https://evil.test&.sign.test/embed/1", SigningState.BY_MAIL),
        ("https://evil.test .sign.test/embed/1", SigningState.BY_MAIL),
        ("https://evil.test／.sign.test/embed/1", SigningState.BY_MAIL),
        ("https://evil.test。.sign.test/embed/1", SigningState.BY_MAIL),
        ("https://evil.test\t/.sign.test/embed/1", SigningState.BY_MAIL),
        ("ht\ntps://sign.test/embed/1", SigningState.BY_MAIL),
        (" https://sign.test/embed/1", SigningState.BY_MAIL),
        ("https://sign.test/embed/1\r\nSet-Cookie: a=b", SigningState.BY_MAIL),
        ("https://[sign.test/embed/1", SigningState.BY_MAIL),
        ("https://ſign.test/embed/1", SigningState.BY_MAIL),
        ("https:/sign.test/embed/1", SigningState.BY_MAIL),
        ("HTTPS://EU.Sign.Test:8443/embed/1?a=b&c=%5C#top", SigningState.OPEN),
        ("https://sign.test", SigningState.OPEN),
        ("", SigningState.BY_MAIL),
        (None, SigningState.BY_MAIL),
    ],
)
async def test_a_browser_is_sent_only_where_it_is_safe(url: str | None, state: SigningState) -> None:
    request = {"uuid": "r1", "signers": [{"email": CEO, "embed_url": url}]}
    document = {"uuid": "d1", "external_id": "msa-0042", "status": "se", "signrequest": request}
    page = await signing_page(answering({"next": None, "results": [document]}), "msa-0042", CHIEF, places)
    assert (page.state, page.url) == (state, url if state is SigningState.OPEN else None)
