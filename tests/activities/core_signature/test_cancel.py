"""Cancellation: whatever the answers say, the document read afterwards decides."""

from dataclasses import replace

import pytest
from temporalio.exceptions import ApplicationError

from activities.core_signature.client import CoreSignatureClient
from activities.core_signature.service import CoreSignatureService
from activities.people.file_directory import FileDirectory
from activities.records.store import Store
from deploy.sandbox.server import RunningSandbox, running
from deploy.sandbox.state.settings import SandboxSettings
from tests.activities.core_signature.conftest import Acting, arm, calls, config_for, entries
from tests.activities.core_signature.requests import PDF, act_as_signer, brief, build_upload_body
from tests.plain_http import plain_client
from workflows.model.signature import CancelOrder, CreateOrder, ReportedDocument, SignatureBrief
from workflows.model.subject import Code, Status


async def failure_of(act: Acting, service: CoreSignatureService, order: CancelOrder) -> ApplicationError:
    """The failure a cancellation must end with."""
    with pytest.raises(ApplicationError) as caught:
        await act(service.cancel, order)
    return caught.value


@pytest.fixture
async def order(service: CoreSignatureService, request_brief: SignatureBrief, act: Acting) -> CancelOrder:
    """The command to cancel a document that has been sent."""
    document_state: ReportedDocument = await act(service.create, CreateOrder(brief=request_brief))
    return CancelOrder(subject=request_brief, document=document_state.document)


async def test_cancelled_is_read_again(service: CoreSignatureService, order: CancelOrder, act: Acting) -> None:
    assert (await act(service.cancel, order)).status is Status.CANCELLED


async def test_cancelling_twice_is_cancelling_once(
    sandbox: RunningSandbox, service: CoreSignatureService, order: CancelOrder, act: Acting
) -> None:
    await act(service.cancel, order)
    assert (await act(service.cancel, order)).status is Status.CANCELLED
    assert len(calls(sandbox, "/cancel_signature_request/")) == 1


@pytest.mark.parametrize("fault", ["409", "400", "cut"])
async def test_an_effect_behind_a_bad_answer_counts(
    sandbox: RunningSandbox, service: CoreSignatureService, order: CancelOrder, act: Acting, fault: str
) -> None:
    arm(sandbox, path="*/cancel_signature_request/", fault=fault, commit=True)
    if fault == "cut":
        assert not (await failure_of(act, service, order)).non_retryable
    assert (await act(service.cancel, order)).status is Status.CANCELLED


async def test_a_conflict_without_an_end_is_tried_again(
    sandbox: RunningSandbox, service: CoreSignatureService, order: CancelOrder, act: Acting
) -> None:
    arm(sandbox, path="*/cancel_signature_request/", fault="409")
    failure = await failure_of(act, service, order)
    assert (failure.type, failure.non_retryable) == (Code.UNREACHABLE, False)


async def test_signed_stays_signed(
    sandbox: RunningSandbox, service: CoreSignatureService, order: CancelOrder, act: Acting
) -> None:
    await act_as_signer(sandbox, "customer@acme.test", "sign")
    await act_as_signer(sandbox, "ceo@example.test", "sign")
    assert (await act(service.cancel, order)).status is Status.SIGNED


async def test_what_was_deleted_need_not_be_cancelled(
    sandbox: RunningSandbox, service: CoreSignatureService, order: CancelOrder, act: Acting
) -> None:
    async with plain_client(sandbox.url) as operator:
        await operator.post(f"/_sandbox/documents/{order.document}/delete")
    assert await act(service.cancel, order) is None


@pytest.mark.parametrize("path, code", [("/api/v1/documents/*/", Code.UNREACHABLE), ("/api/v1/*", Code.REFUSED)])
async def test_a_404_of_a_document_that_is_still_there_is_not_believed(
    sandbox: RunningSandbox, service: CoreSignatureService, order: CancelOrder, act: Acting, path: str, code: Code
) -> None:
    arm(sandbox, path=path, fault="404", times=2)
    assert (await failure_of(act, service, order)).type == code
    sandbox.state.faults.clear()
    assert (await act(service.cancel, order)).status is Status.CANCELLED


async def test_a_creation_in_doubt_is_looked_up(service: CoreSignatureService, order: CancelOrder, act: Acting) -> None:
    document_state = await act(service.cancel, order.replace(document=None))
    assert (document_state.document, document_state.status) == (order.document, Status.CANCELLED)


async def test_a_creation_in_doubt_that_the_list_does_not_show_yet_is_waited_for(
    directory: FileDirectory, store: Store, act: Acting
) -> None:
    request = brief(await store.files.put(PDF))
    async with running(SandboxSettings(list_lag=0.2)) as sandbox:
        client = CoreSignatureClient(config_for(sandbox, list_lag=0.3))
        service = CoreSignatureService(client, directory, store)
        arm(sandbox, method="POST", path="/api/v1/signature-requests/", fault="cut")
        with pytest.raises(ApplicationError):
            await act(service.create, CreateOrder(brief=request))
        document_state = await act(service.cancel, CancelOrder(subject=request, document=None))
        await client.aclose()
    assert document_state.status is Status.CANCELLED


async def test_what_the_provider_never_had_is_none(
    sandbox: RunningSandbox, service: CoreSignatureService, request_brief: SignatureBrief, act: Acting
) -> None:
    assert await act(service.cancel, CancelOrder(subject=request_brief, document=None)) is None
    assert len(calls(sandbox, "/documents/")) == 1


async def test_a_document_nobody_was_asked_to_sign_is_deleted(
    sandbox: RunningSandbox,
    client: CoreSignatureClient,
    service: CoreSignatureService,
    request_brief: SignatureBrief,
    act: Acting,
) -> None:
    await client.create_document(build_upload_body(request_brief, client.config))
    assert await act(service.cancel, CancelOrder(subject=request_brief, document=None)) is None
    assert len(entries(sandbox, "document_deleted")) == 1


async def test_the_next_path_is_tried_and_remembered(directory: FileDirectory, store: Store, act: Acting) -> None:
    async with running(SandboxSettings(conversion_delay=0, action_names="signrequest")) as sandbox:
        client = CoreSignatureClient(config_for(sandbox))
        service = CoreSignatureService(client, directory, store)
        for id in ("one", "two"):
            request = brief(await store.files.put(PDF), id=id)
            document_state = await act(service.create, CreateOrder(brief=request))
            order = CancelOrder(subject=request, document=document_state.document)
            assert (await act(service.cancel, order)).status is Status.CANCELLED
        await client.aclose()
        assert len(calls(sandbox, "/cancel_signature_request/")) == 1
        assert len(calls(sandbox, "/cancel_signrequest/")) == 2


async def test_no_path_known_says_so(
    sandbox: RunningSandbox, directory: FileDirectory, store: Store, order: CancelOrder, act: Acting
) -> None:
    client = CoreSignatureClient(replace(config_for(sandbox), cancel_paths=("revoke/",)))
    failure = await failure_of(act, CoreSignatureService(client, directory, store), order)
    await client.aclose()
    assert (failure.type, failure.non_retryable) == (Code.REFUSED, True)
    assert "no path to cancel is known" in failure.message
