"""The client's methods over HTTP, and the shapes in which a tenant may answer."""

from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import httpx
import pytest

from activities.core_signature.client import CoreSignatureClient, Dialect
from activities.core_signature.wire import WireDocument
from activities.http.client import Cause, ServiceFailure
from deploy.sandbox.server import RunningSandbox, running
from deploy.sandbox.state.settings import SandboxSettings
from tests.activities.core_signature.conftest import calls, config_for
from tests.activities.core_signature.requests import answering, brief, build_upload_body, mock_config


async def create_two_signer_document(client: CoreSignatureClient, id: str = "msa-0042") -> WireDocument:
    """A document with two signers."""
    document = await client.create_document(build_upload_body(brief(id=id), client.config))
    signers = [{"email": "a@x.test", "full_name": "A", "order": 1}, {"email": "b@x.test", "full_name": "B", "order": 2}]
    body = {"document": client.document_url(document.uuid), "who": "o", "signers": signers}
    request = await client.create_request(body)
    return document.model_copy(update={"request": request})


@pytest.mark.parametrize(
    "settings",
    [
        SandboxSettings(absolute_urls=False),
        SandboxSettings(absolute_urls=True),
        SandboxSettings(alternate_urls=True, embedded_key="signature_request"),
    ],
)
async def test_every_form_of_a_document_is_read(settings: SandboxSettings) -> None:
    async with running(settings) as sandbox:
        client = CoreSignatureClient(config_for(sandbox))
        document = await create_two_signer_document(client)
        [listed] = await client.documents_of("msa-0042")
        read = await client.document(document.uuid)
        await client.aclose()
    assert read == listed
    assert (read.name, read.external_id) == ("Master services agreement", "msa-0042")
    assert read.request is not None
    assert [signer.email for signer in read.request.signers] == ["legal-desk@supplier.test", "a@x.test", "b@x.test"]


async def test_all_pages_are_read_and_no_address_of_a_page_is_followed(sandbox: RunningSandbox) -> None:
    client = CoreSignatureClient(config_for(sandbox, page_size=2))
    for _ in range(5):
        await create_two_signer_document(client)
    assert len(await client.documents_of("msa-0042")) == 5
    await client.aclose()
    pages = [call["query"] for call in calls(sandbox, "/api/v1/documents/", "GET")]
    assert pages == [f"external_id=msa-0042&page={number}&limit=2" for number in (1, 2, 3)]


async def test_a_list_without_an_end_is_a_failure_and_not_the_end_of_the_list() -> None:
    with pytest.raises(ServiceFailure) as caught:
        await answering({"results": [{"uuid": "d1", "status": "se"}], "next": "more"}).documents_of("msa-0042")
    assert caught.value.cause is Cause.ENDLESS
    assert not caught.value.may_have_acted


async def test_events_come_by_pages(client: CoreSignatureClient) -> None:
    document = await create_two_signer_document(client)
    listed = await client.events(document__uuid=document.uuid)
    events = listed.resources
    assert not listed.has_more
    assert {"converted", "sent"} <= {event.event_type for event in events}
    assert {event.document for event in events} == {document.uuid}
    assert {event.external_id for event in events} == {"msa-0042"}


async def test_a_signer_is_replaced(client: CoreSignatureClient) -> None:
    document = await create_two_signer_document(client)
    assert document.request is not None
    await client.forward(document.request.uuid, "a@x.test", "c@x.test", "absence")
    signers = {signer.email: signer for signer in (await client.request(document.request.uuid)).signers}
    assert (signers["a@x.test"].forwarded, signers["a@x.test"].forwarded_to_email) == (True, "c@x.test")
    assert signers["c@x.test"].order == signers["a@x.test"].order


async def test_a_deleted_document_is_not_found(client: CoreSignatureClient) -> None:
    document = await create_two_signer_document(client)
    await client.delete_document(document.uuid)
    with pytest.raises(ServiceFailure) as caught:
        await client.document(document.uuid)
    assert caught.value.status == 404


async def test_the_token_can_be_checked(client: CoreSignatureClient, sandbox: RunningSandbox) -> None:
    await client.check_token()
    await client.check_token()
    assert len(calls(sandbox, "/oauth2/token")) == 2


async def test_odd_values_of_what_we_do_not_need_are_absent() -> None:
    client = answering(
        {
            "uuid": "d1",
            "status": "zz",
            "name": 7,
            "external_id": [],
            "signrequest": None,
            "signature_request": {
                "uuid": "r1",
                "signers": [
                    {"email": None, "order": "first", "viewed": None, "signed_on": "yesterday", "signed": "yes"},
                    "nobody",
                ],
            },
        }
    )
    document = await client.document("d1")
    assert (document.status, document.name, document.external_id) == ("zz", None, None)
    assert document.request is not None
    [signer] = document.request.signers
    assert (signer.email, signer.order, signer.viewed, signer.signed, signer.signed_on) == ("", 0, False, False, None)


@pytest.mark.parametrize(
    "body", [[], "text", {}, {"uuid": "d1"}, {"uuid": "../../x", "status": "se"}, {"uuid": "d1", "status": 5}]
)
async def test_an_answer_without_what_we_need_is_unreadable_and_quotes_nothing(body: Any) -> None:
    with pytest.raises(ServiceFailure) as caught:
        await answering(body).document("d1")
    assert caught.value.cause is Cause.UNREADABLE
    assert "../" not in str(caught.value)


async def test_signrequest_has_its_own_path() -> None:
    paths: list[str] = []

    def answer(request: httpx.Request) -> httpx.Response:
        paths.append(request.url.path)
        return httpx.Response(200, json={"access_token": "t", "uuid": "r1"})

    config = replace(mock_config(), dialect=Dialect.SIGNREQUEST)
    await CoreSignatureClient(config, transport=httpx.MockTransport(answer)).request("r1")
    assert paths == ["/token", "/api/v1/signrequests/r1/"]


async def test_instants_are_in_utc_whatever_the_offset_they_were_said_in() -> None:
    instants = ("2026-11-26T12:00:00+02:00", "2026-11-26T10:00:00", "0001-01-01T00:00:00+14:00")
    people = [{"email": "x", "signed_on": instant} for instant in instants]
    document = await answering(
        {"uuid": "d1", "status": "se", "signrequest": {"uuid": "r1", "signers": people}}
    ).document("d1")
    assert document.request is not None
    ten = datetime(2026, 11, 26, 10, tzinfo=UTC)
    signed = [signer.signed_on for signer in document.request.signers]
    assert signed == [ten, ten, None]
    assert signed[0] is not None
    assert signed[0].isoformat() == "2026-11-26T10:00:00+00:00"
