"""Observation: the document read from the API is the only truth."""

from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from temporalio.exceptions import ApplicationError

from activities.core_signature.client import CoreSignatureClient
from activities.core_signature.service import CoreSignatureService
from activities.people.file_directory import FileDirectory
from activities.records.store import Store
from deploy.sandbox.server import RunningSandbox, running
from deploy.sandbox.state.records import CoreEvent
from deploy.sandbox.state.settings import SandboxSettings
from tests.activities.core_signature.conftest import Acting, arm, calls, config_for
from tests.activities.core_signature.requests import act_as_signer
from tests.plain_http import plain_client
from workflows.kinds import Kind
from workflows.model.signature import (
    CancelOrder,
    CreateOrder,
    Observation,
    ReportedDocument,
    SignatureBrief,
    SignerState,
)
from workflows.model.subject import Code, Participant, Role, Status

NOW = datetime(2026, 11, 25, 9, 0, tzinfo=UTC)


def observation(brief: SignatureBrief, document: str) -> Observation:
    """What a workflow asks for."""
    return Observation(roster=brief.roster, document=document)


def states(document_state: ReportedDocument) -> Mapping[str, SignerState]:
    """Person → state."""
    return {signer.person: signer.state for signer in document_state.signers}


async def failure_of(act: Acting, service: CoreSignatureService, order: Observation) -> ApplicationError:
    """The failure an observation must end with."""
    with pytest.raises(ApplicationError) as caught:
        await act(service.observe, order)
    return caught.value


@pytest.fixture
async def document(service: CoreSignatureService, request_brief: SignatureBrief, act: Acting) -> str:
    """A document that has been sent."""
    document_state: ReportedDocument = await act(service.create, CreateOrder(brief=request_brief))
    return document_state.document


async def test_signers_are_seen_as_they_act(
    sandbox: RunningSandbox, service: CoreSignatureService, request_brief: SignatureBrief, document: str, act: Acting
) -> None:
    order = observation(request_brief, document)
    sent = await act(service.observe, order)
    assert (sent.status, states(sent)["customer-signer"]) == (Status.SENT, SignerState.WAITING)
    await act_as_signer(sandbox, "customer@acme.test", "view")
    viewed = await act(service.observe, order)
    assert (viewed.status, states(viewed)["customer-signer"]) == (Status.VIEWED, SignerState.VIEWED)
    await act_as_signer(sandbox, "customer@acme.test", "sign")
    await act_as_signer(sandbox, "ceo@example.test", "sign")
    signed = await act(service.observe, order)
    assert signed.status is Status.SIGNED
    assert states(signed) == {"customer-signer": SignerState.SIGNED, "chief-executive": SignerState.APPROVED}
    assert all(signer.at is not None for signer in signed.signers)


async def test_an_ending_is_read_and_nothing_is_recorded_of_it(
    sandbox: RunningSandbox,
    service: CoreSignatureService,
    store: Store,
    request_brief: SignatureBrief,
    document: str,
    act: Acting,
) -> None:
    await act_as_signer(sandbox, "customer@acme.test", "decline", reason="Wrong\nversion\u202e \x07of the contract")
    document_state = await act(service.observe, observation(request_brief, document))
    assert document_state.status is Status.DECLINED
    assert document_state.signers[0].reason == "Wrong version of the contract"
    assert await store.records.read(Kind.REQUEST.workflow_id("msa-0042")) is None


async def test_a_document_deleted_at_the_provider_is_final(
    sandbox: RunningSandbox, service: CoreSignatureService, request_brief: SignatureBrief, document: str, act: Acting
) -> None:
    async with plain_client(sandbox.url) as operator:
        await operator.post(f"/_sandbox/documents/{document}/delete")
    failure = await failure_of(act, service, observation(request_brief, document))
    assert (failure.type, failure.non_retryable) == (Code.DOCUMENT_DELETED, True)


async def test_a_404_of_a_document_that_is_still_listed_is_not_believed(
    sandbox: RunningSandbox, service: CoreSignatureService, request_brief: SignatureBrief, document: str, act: Acting
) -> None:
    arm(sandbox, method="GET", path=f"/api/v1/documents/{document}/", fault="404")
    failure = await failure_of(act, service, observation(request_brief, document))
    assert (failure.type, failure.non_retryable) == (Code.UNREACHABLE, False)


@pytest.mark.parametrize("looks", ["observe", "cancel"])
async def test_a_404_of_a_new_document_that_is_not_listed_yet_is_not_believed(
    directory: FileDirectory, store: Store, request_brief: SignatureBrief, act: Acting, looks: str
) -> None:
    async with running(SandboxSettings(conversion_delay=0, list_lag=0.5)) as sandbox:
        client = CoreSignatureClient(config_for(sandbox, list_lag=0.6))
        service = CoreSignatureService(client, directory, store)
        document_state: ReportedDocument = await act(service.create, CreateOrder(brief=request_brief))
        arm(sandbox, method="GET", path=f"/api/v1/documents/{document_state.document}/", fault="404")
        with pytest.raises(ApplicationError) as caught:
            if looks == "observe":
                await act(service.observe, observation(request_brief, document_state.document))
            else:
                await act(service.cancel, CancelOrder(subject=request_brief, document=document_state.document))
        await client.aclose()
    assert (caught.value.type, caught.value.non_retryable) == (Code.UNREACHABLE, False)


async def test_everything_404_is_a_wrong_address_not_the_end_of_all_requests(
    sandbox: RunningSandbox, service: CoreSignatureService, request_brief: SignatureBrief, document: str, act: Acting
) -> None:
    arm(sandbox, path="/api/v1/*", fault="404", times=None)
    failure = await failure_of(act, service, observation(request_brief, document))
    assert (failure.type, failure.non_retryable) == (Code.REFUSED, True)


async def test_a_document_of_somebody_else_is_not_believed(
    service: CoreSignatureService, request_brief: SignatureBrief, document: str, act: Acting
) -> None:
    failure = await failure_of(act, service, observation(request_brief.replace(id="other"), document))
    assert (failure.type, failure.non_retryable) == (Code.PROVIDER_UNSURE, True)


async def test_a_bounced_mail_is_seen(
    service: CoreSignatureService, request_brief: SignatureBrief, act: Acting, sandbox: RunningSandbox
) -> None:
    brief = request_brief.replace(people=(Participant(person="bouncing", order=1),))
    document_state = await act(service.create, CreateOrder(brief=brief))
    observed_state = await act(service.observe, observation(brief, document_state.document))
    assert states(observed_state) == {"bouncing": SignerState.BOUNCED}
    assert observed_state.status is Status.SENT


@pytest.mark.parametrize(
    ("event_type", "document_of_event", "state"),
    [
        ("signer_email_bounced", None, SignerState.BOUNCED),
        ("signer_email_bounced", "e" * 32, SignerState.WAITING),
        ("signer_viewed_email", None, SignerState.WAITING),
    ],
)
async def test_of_a_tenant_that_ignores_filters_only_bounces_of_the_own_document_count(
    event_type: str,
    document_of_event: str | None,
    state: SignerState,
    directory: FileDirectory,
    store: Store,
    request_brief: SignatureBrief,
    act: Acting,
) -> None:
    """The same person has other documents, of which a mail may have come back long ago."""
    brief = request_brief.replace(people=(Participant(person="reviewer", order=1),))
    async with running(SandboxSettings(conversion_delay=0, ignores_filters=True)) as sandbox:
        client = CoreSignatureClient(config_for(sandbox))
        service = CoreSignatureService(client, directory, store)
        document_state = await act(service.create, CreateOrder(brief=brief))
        memory = sandbox.state.database
        [signer] = [
            signer for request in memory.requests for signer in request.signers if signer.email.startswith("reviewer")
        ]
        memory.events.save(
            CoreEvent(
                event_type=event_type,
                timestamp=datetime.now(UTC).timestamp(),
                document=document_of_event or document_state.document,
                signer=signer.uuid,
            )
        )
        observed_state = await act(service.observe, observation(brief, document_state.document))
        await client.aclose()
    assert states(observed_state) == {"reviewer": state}


async def test_a_look_up_of_a_tenant_that_ignores_filters_says_so_and_takes_no_document_of_others(
    directory: FileDirectory, store: Store, request_brief: SignatureBrief, act: Acting
) -> None:
    async with running(SandboxSettings(conversion_delay=0, ignores_filters=True)) as sandbox:
        client = CoreSignatureClient(config_for(sandbox))
        service = CoreSignatureService(client, directory, store)
        await act(service.create, CreateOrder(brief=request_brief))
        with pytest.raises(ApplicationError, match="ignores the filter external_id") as refused:
            await act(service.create, CreateOrder(brief=request_brief.replace(id="nda-0043")))
        await client.aclose()
    assert (refused.value.type, refused.value.non_retryable) == (Code.PROVIDER_UNSURE, True)


async def test_events_are_not_read_for_signers_with_a_device(
    service: CoreSignatureService, request_brief: SignatureBrief, act: Acting, sandbox: RunningSandbox
) -> None:
    brief = request_brief.replace(people=(Participant(person="chief-executive", order=1),))
    document_state = await act(service.create, CreateOrder(brief=brief))
    await act(service.observe, observation(brief, document_state.document))
    assert calls(sandbox, "/events/") == []


async def test_a_bounce_that_cannot_be_read_hides_nothing_else(
    service: CoreSignatureService, request_brief: SignatureBrief, document: str, act: Acting, sandbox: RunningSandbox
) -> None:
    arm(sandbox, path="/api/v1/events/", fault="503")
    document_state = await act(service.observe, observation(request_brief, document))
    assert document_state.status is Status.SENT


async def test_a_signer_who_left_the_directory_is_found_by_order(
    service: CoreSignatureService,
    request_brief: SignatureBrief,
    document: str,
    act: Acting,
    sandbox: RunningSandbox,
    tmp_path: Path,
) -> None:
    people = tmp_path / "people.yaml"
    people.write_text(people.read_text().replace("id: customer-signer", "id: somebody-else"))
    await act_as_signer(sandbox, "customer@acme.test", "sign")
    document_state = await act(service.observe, observation(request_brief, document))
    assert states(document_state)["customer-signer"] is SignerState.SIGNED


async def test_a_copy_is_never_waited_for_and_copied_at_the_end(
    service: CoreSignatureService, request_brief: SignatureBrief, act: Acting, sandbox: RunningSandbox
) -> None:
    signers = (Participant(person="customer-signer", order=1), Participant(person="archive", order=2, role=Role.COPY))
    brief = request_brief.replace(people=signers)
    document_state = await act(service.create, CreateOrder(brief=brief))
    order = observation(brief, document_state.document)
    assert states(await act(service.observe, order))["archive"] is SignerState.WAITING
    await act_as_signer(sandbox, "customer@acme.test", "sign")
    observed_state: Any = await act(service.observe, order)
    assert (observed_state.status, states(observed_state)["archive"]) == (Status.SIGNED, SignerState.COPIED)
