"""Creation: one document per request, whatever becomes of the answers."""

import asyncio
from typing import Any

import pytest
from temporalio.exceptions import ApplicationError
from temporalio.testing import ActivityEnvironment

from activities.core_signature import orders
from activities.core_signature.client import MOST_PAGES, CoreSignatureClient
from activities.core_signature.service import CoreSignatureService
from activities.people.file_directory import FileDirectory
from activities.records.cover_sheet import CoverSheet
from activities.records.store import Store
from deploy.sandbox.server import RunningSandbox, running
from deploy.sandbox.state.settings import SandboxSettings
from tests.activities.core_signature.conftest import Acting, arm, calls, config_for, entries
from tests.activities.core_signature.requests import PDF, brief, build_upload_body
from tests.storage import writes
from workflows.kinds import Kind
from workflows.model.signature import CancelOrder, CreateOrder, Document, ReportedDocument, SignatureBrief, SignerState
from workflows.model.subject import Code, Identity, Participant, Role, Status


async def failure_of(act: Acting, service: CoreSignatureService, request: SignatureBrief) -> ApplicationError:
    """The failure a creation must end with."""
    with pytest.raises(ApplicationError) as caught:
        await act(service.create, CreateOrder(brief=request))
    return caught.value


async def test_a_document_and_its_request_are_made(
    sandbox: RunningSandbox, service: CoreSignatureService, request_brief: SignatureBrief, act: Acting
) -> None:
    document_state: ReportedDocument = await act(service.create, CreateOrder(brief=request_brief))
    assert document_state.status is Status.CONVERTING
    assert [(signer.person, signer.state) for signer in document_state.signers] == [
        ("customer-signer", SignerState.WAITING),
        ("chief-executive", SignerState.WAITING),
    ]
    [created] = entries(sandbox, "document_created")
    assert (created["document"], created["external_id"]) == (document_state.document, "msa-0042")
    [request_entry] = entries(sandbox, "request_created")
    assert request_entry["signers"] == ["customer@acme.test", "ceo@example.test"]
    assert [(call["method"], call["path"]) for call in calls(sandbox, "/api/v1/")] == [
        ("GET", "/api/v1/documents/"),
        ("POST", "/api/v1/documents/"),
        ("POST", "/api/v1/signature-requests/"),
    ]


async def test_the_values_for_its_tags_reach_core_signature_from_where_they_are_kept(
    sandbox: RunningSandbox, service: CoreSignatureService, request_brief: SignatureBrief, act: Acting, store: Store
) -> None:
    workflow_id = Kind.REQUEST.workflow_id(request_brief.id)
    stored_input = await store.keep_input(workflow_id, "f" * 64, None, {"prefill": '{"order-number": "4711"}'})
    await act(service.create, CreateOrder(brief=request_brief.replace(prefill=stored_input["prefill"])))
    [call] = calls(sandbox, "/api/v1/documents/", "POST")
    assert call["body"]["prefill_tags"] == [{"external_id": "order-number", "text": "4711"}]


async def test_the_request_says_what_is_asked_of_each(
    sandbox: RunningSandbox, service: CoreSignatureService, request_brief: SignatureBrief, act: Acting
) -> None:
    copy = Participant(person="archive", order=3, role=Role.COPY)
    await act(service.create, CreateOrder(brief=request_brief.replace(people=(*request_brief.people, copy))))
    [call] = calls(sandbox, "/signature-requests/", "POST")
    body: dict[str, Any] = call["body"]
    assert body["who"] == "o"
    assert body["send_reminders"] is False
    customer, executive, archive = body["signers"]
    assert customer == {
        "email": "customer@acme.test",
        "full_name": "Customer Signer",
        "order": 1,
        "needs_to_sign": True,
        "language": "de",
    }
    assert executive["approve_only"] is True
    assert executive["embed_url_user_id"] == orders.embed_user("msa-0042", "chief-executive")
    assert "chief" not in executive["embed_url_user_id"]
    assert archive["needs_to_sign"] is False
    assert "embed_url_user_id" not in customer
    assert "embed_url_user_id" not in archive


async def test_a_device_that_died_gets_the_provider_s_mail(
    sandbox: RunningSandbox,
    service: CoreSignatureService,
    directory: FileDirectory,
    request_brief: SignatureBrief,
    act: Acting,
) -> None:
    chief = await directory.person("chief-executive")
    await directory.mark_gone(chief, chief.devices[0], "UNREGISTERED")
    await act(service.create, CreateOrder(brief=request_brief))
    [call] = calls(sandbox, "/signature-requests/", "POST")
    assert all("embed_url_user_id" not in signer for signer in call["body"]["signers"])


async def test_every_signer_of_a_kind_that_asks_who_they_are_gets_a_page_and_no_mail_of_core_signature(
    sandbox: RunningSandbox, service: CoreSignatureService, request_brief: SignatureBrief, store: Store, act: Acting
) -> None:
    await act(service.create, CreateOrder(brief=request_brief.replace(identity=Identity.CODE)))
    [call] = calls(sandbox, "/signature-requests/", "POST")
    assert all(signer["embed_url_user_id"] for signer in call["body"]["signers"])
    assert entries(sandbox, "mail") == []
    cover = await CoverSheet.read(store, request_brief.id)
    assert cover is not None and cover.identity is Identity.CODE


async def test_a_group_has_one_place_with_a_page_and_no_mail_of_core_signature(
    sandbox: RunningSandbox, service: CoreSignatureService, request_brief: SignatureBrief, act: Acting
) -> None:
    """The customer has no phone; the chief executive is of the group beside them, so not asked there."""
    group = tuple(
        Participant(person=signer.person, order=1, team="board", beside=number > 0)
        for number, signer in enumerate(request_brief.people)
    )
    await act(service.create, CreateOrder(brief=request_brief.replace(people=group).at_core))
    [call] = calls(sandbox, "/signature-requests/", "POST")
    [signer] = call["body"]["signers"]
    assert (signer["email"], bool(signer["embed_url_user_id"])) == ("customer@acme.test", True)
    assert entries(sandbox, "mail") == []


async def test_a_signer_who_has_to_prove_who_they_are_is_not_left_to_core_signatures_mail(
    directory: FileDirectory, store: Store, request_brief: SignatureBrief, act: Acting
) -> None:
    async with running(SandboxSettings(conversion_delay=0, embed_urls=False)) as sandbox:
        client = CoreSignatureClient(config_for(sandbox))
        service = CoreSignatureService(client, directory, store)
        for _ in range(2):
            failure = await failure_of(act, service, request_brief.replace(identity=Identity.CODE))
            assert (failure.type, failure.non_retryable) == (Code.REFUSED, False)
            assert "gives no signing page" in str(failure)
        assert len(entries(sandbox, "request_created")) == 1
        await client.aclose()


async def test_what_a_page_says_while_nobody_can_be_asked_is_kept_at_creation(
    service: CoreSignatureService, store: Store, request_brief: SignatureBrief, act: Acting
) -> None:
    assert await CoverSheet.read(store, request_brief.id) is None
    with writes(store) as store_writes:
        await act(service.create, CreateOrder(brief=request_brief))
    assert len(store_writes) == 1, "with who is asked and that the id is ours"
    cover = await CoverSheet.read(store, request_brief.id)
    assert cover is not None
    assert (cover.document, cover.requester) == (request_brief.title, request_brief.requester)
    assert cover.signers == request_brief.people


async def test_a_template_needs_no_bytes(sandbox: RunningSandbox, service: CoreSignatureService, act: Acting) -> None:
    template = f"{sandbox.url}/api/v1/templates/contract/"
    await act(service.create, CreateOrder(brief=brief(title="NDA", document=Document(template=template))))
    [call] = calls(sandbox, "/documents/", "POST")
    assert call["body"]["template"] == template
    assert "file_from_content" not in call["body"]


async def test_events_are_called_back_where_the_configuration_says(
    sandbox: RunningSandbox, directory: FileDirectory, store: Store, request_brief: SignatureBrief, act: Acting
) -> None:
    address = "https://app.example/callbacks/core-signature/segment"
    client = CoreSignatureClient(config_for(sandbox, callback_url=address))
    await act(CoreSignatureService(client, directory, store).create, CreateOrder(brief=request_brief))
    await client.aclose()
    [call] = calls(sandbox, "/documents/", "POST")
    assert call["body"]["events_callback_url"] == address


@pytest.mark.parametrize("path", ["/api/v1/documents/", "/api/v1/signature-requests/"])
async def test_a_lost_answer_is_taken_over(
    sandbox: RunningSandbox, service: CoreSignatureService, request_brief: SignatureBrief, act: Acting, path: str
) -> None:
    arm(sandbox, method="POST", path=path, fault="cut")
    failure = await failure_of(act, service, request_brief)
    assert (failure.type, failure.non_retryable) == (Code.UNREACHABLE, False)
    document_state = await act(service.create, CreateOrder(brief=request_brief))
    [created] = entries(sandbox, "document_created")
    assert created["document"] == document_state.document
    assert len(entries(sandbox, "request_created")) == 1


@pytest.mark.long
async def test_thirty_lost_answers_and_a_lagging_list_make_thirty_documents(
    tmp_path_factory: pytest.TempPathFactory, directory: FileDirectory, store: Store
) -> None:
    sha256 = await store.files.put(PDF)
    now = 1_800_000_000.0
    settings = SandboxSettings(list_lag=5, clock=lambda: now)
    async with running(settings) as sandbox:
        client = CoreSignatureClient(config_for(sandbox))
        service = CoreSignatureService(client, directory, store)
        briefs = [brief(sha256, id=f"request-{number}") for number in range(30)]
        arm(sandbox, method="POST", path="/api/v1/documents/", fault="cut", times=20)
        arm(sandbox, method="POST", path="/api/v1/signature-requests/", fault="cut", times=10)

        async def attempt(request: SignatureBrief) -> ReportedDocument | BaseException:
            return await ActivityEnvironment().run(service.create, CreateOrder(brief=request))

        first = await asyncio.gather(*map(attempt, briefs), return_exceptions=True)
        assert len([result for result in first if isinstance(result, ApplicationError)]) == 30
        now += 11
        second = await asyncio.gather(*map(attempt, briefs))
        await client.aclose()
        assert len({result.document for result in second if isinstance(result, ReportedDocument)}) == 30
        assert len(entries(sandbox, "document_created")) == 30
        assert len(entries(sandbox, "request_created")) == 30


async def test_an_attempt_whose_worker_died_after_the_request_is_taken_over(
    sandbox: RunningSandbox, service: CoreSignatureService, request_brief: SignatureBrief, act: Acting
) -> None:
    first = await act(service.create, CreateOrder(brief=request_brief))
    second = await act(service.create, CreateOrder(brief=request_brief))
    assert second.document == first.document
    assert len(entries(sandbox, "document_created")) == 1


async def test_a_request_made_meanwhile_is_taken_over(
    sandbox: RunningSandbox, service: CoreSignatureService, request_brief: SignatureBrief, act: Acting
) -> None:
    arm(sandbox, method="POST", path="/api/v1/signature-requests/", fault="400", commit=True)
    document_state = await act(service.create, CreateOrder(brief=request_brief))
    assert len(document_state.signers) == 2
    assert len(entries(sandbox, "request_created")) == 1


async def test_a_foreign_document_with_our_id_ends_it(
    sandbox: RunningSandbox, client: CoreSignatureClient, service: CoreSignatureService, act: Acting, store: Store
) -> None:
    await client.create_document(build_upload_body(brief(), client.config))
    other_request = brief(
        await store.files.put(PDF), title="Another contract", document=Document(template="https://t.test")
    )
    failure = await failure_of(act, service, other_request)
    assert (failure.type, failure.non_retryable) == (Code.ID_USED_BEFORE, True)
    assert len(entries(sandbox, "document_created")) == 1


@pytest.mark.parametrize("still_there", [True, False])
async def test_an_id_that_temporal_has_forgotten_stays_that_of_the_content_it_was_used_for(
    client: CoreSignatureClient,
    service: CoreSignatureService,
    request_brief: SignatureBrief,
    act: Acting,
    still_there: bool,
) -> None:
    """Else whoever signed the first content had signed the other."""
    order = CreateOrder(brief=request_brief, fingerprint="a" * 64)
    first = await act(service.create, order)
    assert (await act(service.create, order)).document == first.document
    if not still_there:
        await client.delete_document(first.document)
    other_order = CreateOrder(brief=request_brief.replace(message="Other content"), fingerprint="b" * 64)
    with pytest.raises(ApplicationError) as caught:
        await act(service.create, other_order)
    assert (caught.value.type, caught.value.non_retryable) == (Code.ID_USED_BEFORE, True)
    cancel = CancelOrder(subject=request_brief, document=None, fingerprint=other_order.fingerprint)
    assert await act(service.cancel, cancel) is None
    assert [document.status for document in await client.documents_of(request_brief.id)] == ["se"] * still_there


async def test_an_ended_document_of_somebody_else_s_with_our_id_ends_it(
    sandbox: RunningSandbox,
    client: CoreSignatureClient,
    service: CoreSignatureService,
    request_brief: SignatureBrief,
    act: Acting,
) -> None:
    document = await client.create_document(build_upload_body(request_brief, client.config))
    stored_document = sandbox.state.database.documents.get(document.uuid)
    assert stored_document is not None
    assert sandbox.core_signature.expire(stored_document)
    failure = await failure_of(act, service, request_brief)
    assert (failure.type, failure.non_retryable) == (Code.ID_USED_BEFORE, True)


async def test_one_of_ours_that_ended_before_we_heard_of_it_is_told_as_it_is(
    sandbox: RunningSandbox,
    client: CoreSignatureClient,
    service: CoreSignatureService,
    request_brief: SignatureBrief,
    act: Acting,
) -> None:
    arm(sandbox, method="POST", path="/api/v1/signature-requests/", fault="cut")
    await failure_of(act, service, request_brief)
    [document] = await client.documents_of("msa-0042")
    assert document.request is not None
    await client.cancel(document.request.uuid)
    document_state = await act(service.create, CreateOrder(brief=request_brief))
    assert (document_state.document, document_state.status) == (document.uuid, Status.CANCELLED)


async def test_two_documents_of_ours_need_a_person(
    client: CoreSignatureClient, service: CoreSignatureService, request_brief: SignatureBrief, act: Acting
) -> None:
    for _ in range(2):
        await client.create_document(build_upload_body(request_brief, client.config))
    failure = await failure_of(act, service, request_brief)
    assert (failure.type, failure.non_retryable) == (Code.PROVIDER_UNSURE, True)


async def test_a_document_that_cannot_be_converted_is_told_as_it_is(
    sandbox: RunningSandbox, service: CoreSignatureService, store: Store, act: Acting
) -> None:
    document = Document(sha256=await store.files.put(PDF), file_name="convert-error.pdf")
    arm(sandbox, method="POST", path="/api/v1/signature-requests/", fault="500")
    await failure_of(act, service, brief(document=document))
    document_state = await act(service.create, CreateOrder(brief=brief(document=document)))
    assert (document_state.status, document_state.code) == (Status.FAILED, Code.CONVERT_ERROR)


async def test_missing_bytes_say_what_would_help(service: CoreSignatureService, act: Acting) -> None:
    failure = await failure_of(act, service, brief("0" * 64))
    assert failure.non_retryable
    assert "COUNTERSIGN_STORE" in failure.message


async def test_an_unknown_signer_is_a_problem_of_the_directory(
    sandbox: RunningSandbox, service: CoreSignatureService, act: Acting
) -> None:
    failure = await failure_of(act, service, brief(people=(Participant(person="nobody", order=1),)))
    assert (failure.type, failure.non_retryable) == (Code.DIRECTORY, True)
    assert calls(sandbox, "/api/v1/", "POST") == []


async def test_a_refusal_is_final(
    sandbox: RunningSandbox, service: CoreSignatureService, request_brief: SignatureBrief, act: Acting
) -> None:
    arm(sandbox, method="POST", path="/api/v1/signature-requests/", fault="400")
    failure = await failure_of(act, service, request_brief)
    assert (failure.type, failure.non_retryable) == (Code.REFUSED, True)
    assert failure.cause is None
    assert "Bad request." in failure.message


async def test_nothing_is_made_while_the_list_under_our_id_has_no_end(
    sandbox: RunningSandbox,
    client: CoreSignatureClient,
    directory: FileDirectory,
    store: Store,
    request_brief: SignatureBrief,
) -> None:
    """Ours may stand behind what can be read; on the last page that is read it is still found."""
    await store.starts.claim(Kind.REQUEST.workflow_id(request_brief.id))
    narrow = CoreSignatureClient(config_for(sandbox, page_size=1))
    service = CoreSignatureService(narrow, directory, store)
    stranger = {"name": "Other", "external_id": request_brief.id, "template": f"{sandbox.url}/t/"}
    for _ in range(MOST_PAGES):
        await client.create_document(stranger)
    with pytest.raises(ApplicationError, match=f"{MOST_PAGES} documents"):
        await ActivityEnvironment().run(service.create, CreateOrder(brief=request_brief))
    await client.create_document(stranger)
    with pytest.raises(ApplicationError, match="more than") as caught:
        await ActivityEnvironment().run(service.create, CreateOrder(brief=request_brief))
    await narrow.aclose()
    assert (caught.value.type, caught.value.non_retryable) == (Code.PROVIDER_UNSURE, True)
    assert len(entries(sandbox, "document_created")) == MOST_PAGES + 1
