"""Documents that were sent at Core Signature by hand, and the requests that a sweep makes of them."""

import base64
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import fields, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

import pytest
from temporalio.client import Client, Interceptor, OutboundInterceptor, StartWorkflowInput, WorkflowHandle
from temporalio.exceptions import ApplicationError
from temporalio.service import RPCError, RPCStatusCode
from temporalio.testing import ActivityEnvironment

from activities.core_signature.service import CoreSignatureService
from activities.core_signature.signers import SignerSnapshots
from activities.core_signature.signing_page import SigningState, signing_page
from activities.core_signature.wire import WireDocument
from activities.files.reading import FileFaults, FileText
from activities.launch.doors import OWN_WORKFLOW_CALLER, CheckContext, StartCaller
from activities.launch.request_file import prepare_request
from activities.people.file_directory import FileDirectory
from activities.people.ids import stands_in_full
from activities.policies.catalogue import Catalogue
from activities.reconciliation.adoption import Adoption
from activities.reconciliation.adoption_rules import AdoptionConfig, AdoptionRule
from activities.reconciliation.service import ADOPTED_AT_MOST, GIVEN_UP_AFTER, WAITING_AT_MOST, UnmanagedDocuments
from deploy.sandbox.state.faults import ArmedFault, FaultKind
from tests.activities.core_signature.conftest import arm, calls
from tests.activities.core_signature.requests import PDF
from tests.activities.reconciliation.test_reconciliation import MINUTE, Office, office
from tests.servers import time_skipping
from workflows.kinds import Kind
from workflows.model.reconciliation import AdoptionRefusal
from workflows.model.signature import CancelOrder, CreateOrder, Observation, SignerState
from workflows.model.subject import Code, Role, Status
from workflows.names import SIGNATURE_REQUEST, adopted_id
from workflows.signature.state import SignatureInput

SENDER: Final = "legal@example.test"
CHIEF: Final = "ceo@example.test"
GUEST: Final = "guest@customer.test"
PEOPLE: Final = f"""
people:
  - {{id: legal-desk, name: Legal Desk, email: {SENDER}, zone: Europe/Amsterdam, locale: nl}}
  - {{id: chief-executive, name: Chief Executive, email: {CHIEF}, zone: Europe/Amsterdam, manager: legal-desk}}
"""
OTHERS: Final = PEOPLE.replace("legal-desk", "contract-desk").replace(SENDER, "contracts@example.test")
POLICIES: Final = "kinds:\n  contract: {window: 10d, reminders: {first: 2d, every: 2d, most: 2}}\n"


class Torn(Adoption):
    """Temporal is away by the time that something is to be adopted."""

    async def adopt(
        self,
        document: str,
        now: datetime,
        chosen: AdoptionRule | None = None,
        caller: StartCaller = OWN_WORKFLOW_CALLER,
    ) -> str | AdoptionRefusal | None:
        """As it fails then."""
        raise RPCError("away", RPCStatusCode.UNAVAILABLE, b"")


class Lost(Interceptor):
    """What is asked of Temporal is lost, or what it answers when a workflow has `begun`."""

    def __init__(self, *, has_begun: bool) -> None:
        self._has_begun = has_begun

    def intercept_client(self, next: OutboundInterceptor) -> OutboundInterceptor:
        """See `Interceptor`."""
        return _Losing(next, has_begun=self._has_begun)


class _Losing(OutboundInterceptor):
    def __init__(self, next: OutboundInterceptor, *, has_begun: bool) -> None:
        super().__init__(next)
        self._has_begun = has_begun

    async def start_workflow(self, input: StartWorkflowInput) -> WorkflowHandle[Any, Any]:
        if self._has_begun:
            await super().start_workflow(input)
        raise RPCError("away", RPCStatusCode.UNAVAILABLE, b"")


@asynccontextmanager
async def adopting(folder: Path, **settings: Any) -> AsyncIterator[Office]:
    """An office whose sweeps adopt; what happened, happened by the machine's clock."""
    async with office(folder / "store", **settings) as back_office:
        (folder / "people.yaml").write_text(PEOPLE)
        (folder / "policies.yaml").write_text(POLICIES)
        back_office.now = datetime.now(UTC) + MINUTE
        back_office.adoption = Adoption(
            signature=back_office.signature,
            temporal=back_office.temporal,
            store=back_office.store,
            directory=FileDirectory(folder / "people.yaml", back_office.store),
            policies=folder / "policies.yaml",
            config=AdoptionConfig(otherwise=AdoptionRule(kind="contract", owner="legal-desk")),
        )
        yield back_office


async def send_by_hand(
    back_office: Office, *signers: dict[str, Any], sender: str = SENDER, **document: Any
) -> WireDocument:
    """Somebody sends a document in Core Signature's own pages: nothing of it is ours."""
    body = {"name": "Lease", "file_from_content_name": "lease.pdf", **document}
    file = {"file_from_content": base64.b64encode(PDF).decode()}
    if "template" in document:
        body, file = {"name": "Lease", **document}, {}
    document_made = await back_office.signature.create_document({**body, **file})
    signer_fields = [dict(signer) for signer in signers or ({"email": CHIEF, "order": 1},)]
    request = {
        "document": back_office.signature.document_url(document_made.uuid),
        "from_email": sender,
        "signers": signer_fields,
    }
    await back_office.signature.create_request(request)
    return await back_office.signature.document(document_made.uuid)


def id_of(document: WireDocument) -> str:
    """The id of the request that it becomes."""
    return adopted_id(document.uuid) or ""


async def read_start_input(back_office: Office, document: WireDocument) -> SignatureInput:
    """What the workflow of an adopted document was started with."""
    handle = back_office.temporal.get_workflow_handle(Kind.REQUEST.workflow_id(id_of(document)))
    [first, *_] = (await handle.fetch_history()).events
    started = first.workflow_execution_started_event_attributes
    assert started.workflow_type.name == SIGNATURE_REQUEST
    [request] = await back_office.temporal.data_converter.decode(list(started.input.payloads), [SignatureInput])
    return SignatureInput.model_validate(request.model_dump())


def make_service(back_office: Office) -> CoreSignatureService:
    """What the workflow asks of Core Signature."""
    assert back_office.adoption
    return CoreSignatureService(back_office.signature, back_office.adoption.directory, back_office.store)


async def test_a_document_that_was_sent_by_hand_is_a_request_from_the_next_sweep_on(tmp_path: Path) -> None:
    async with adopting(tmp_path) as back_office:
        guest = {"email": GUEST, "full_name": "Gast\u202e Eins", "order": 2, "language": "de", "approve_only": True}
        document = await send_by_hand(back_office, {"email": CHIEF.upper(), "order": 1}, guest, external_id="PO 7/2026")
        swept = await back_office.sweeps()
        assert (swept.adopted, swept.adoptions, swept.unnamed) == ((id_of(document),), 1, 0)
        assert id_of(document) in swept.details
        started = await read_start_input(back_office, document)
        brief = started.brief
        assert (brief.title, brief.kind, brief.requester) == ("Lease", "contract", "legal-desk")
        assert [(participant.person, participant.order, participant.role) for participant in brief.people] == [
            ("chief-executive", 1, Role.SIGN),
            (brief.people[1].person, 2, Role.APPROVE),
        ]
        assert back_office.adoption
        await back_office.store.people.choose(Kind.REQUEST.workflow_id(brief.id), started.fingerprint)
        stranger = await back_office.adoption.directory.person(brief.people[1].person, brief.workflow_id)
        assert (stranger.name, stranger.locale, stranger.zone) == ("Gast Eins", "de", "Europe/Amsterdam")
        stored = await SignerSnapshots(back_office.store).read_snapshots(brief.id)
        page = await signing_page(back_office.signature, brief.id, "chief-executive", lambda _: stored)
        assert (page.state, page.document) == (SigningState.BY_MAIL, "Lease")


async def test_the_request_takes_its_document_over_and_makes_none(tmp_path: Path) -> None:
    async with adopting(tmp_path) as back_office:
        document = await send_by_hand(back_office)
        await back_office.sweeps()
        started, service = await read_start_input(back_office, document), make_service(back_office)
        environment = ActivityEnvironment()
        order = CreateOrder(brief=started.brief, now=back_office.now, fingerprint=started.fingerprint)
        document_count = len(back_office.sandbox.state.database.documents)
        document_state = await environment.run(service.create, order)
        assert (document_state.document, document_state.status) == (document.uuid, Status.SENT)
        observation = Observation(roster=started.brief.roster, document=document.uuid)
        assert (await environment.run(service.observe, observation)).signers[0].state is SignerState.WAITING
        cancelled = await environment.run(service.cancel, CancelOrder(subject=started.brief.subject, document=None))
        assert cancelled and cancelled.status is Status.CANCELLED
        assert len(back_office.sandbox.state.database.documents) == document_count
        assert back_office.sandbox.state.database.documents.get(document.uuid).external_id is None  # type: ignore[union-attr]


async def test_a_document_that_is_gone_before_it_was_taken_over_is_not_made_again(tmp_path: Path) -> None:
    async with adopting(tmp_path) as back_office:
        document = await send_by_hand(back_office)
        await back_office.sweeps()
        started = await read_start_input(back_office, document)
        await back_office.signature.delete_document(document.uuid)
        order = CreateOrder(brief=started.brief, now=back_office.now, fingerprint=started.fingerprint)
        with pytest.raises(Exception, match="adopted is not there any more"):
            await ActivityEnvironment().run(make_service(back_office).create, order)
        assert len(back_office.sandbox.state.database.documents) == 0


async def test_everything_404_is_a_wrong_address_and_not_the_end_of_what_was_adopted(tmp_path: Path) -> None:
    async with adopting(tmp_path) as back_office:
        document = await send_by_hand(back_office)
        await back_office.sweeps()
        started, service, environment = (
            await read_start_input(back_office, document),
            make_service(back_office),
            ActivityEnvironment(),
        )
        create = CreateOrder(brief=started.brief, now=back_office.now, fingerprint=started.fingerprint)
        cancel = CancelOrder(subject=started.brief.subject, document=document.uuid)
        observation = Observation(roster=started.brief.roster, document=document.uuid)
        arm(back_office.sandbox, path="/api/v1/*", fault="404", times=None)
        attempts: list[tuple[Any, object]] = [
            (service.create, create),
            (service.observe, observation),
            (service.cancel, cancel),
        ]
        for activity, order in attempts:
            with pytest.raises(ApplicationError) as caught:
                await environment.run(activity, order)
            assert caught.value.type == Code.REFUSED
        back_office.sandbox.state.faults.clear()
        arm(back_office.sandbox, path=f"/api/v1/documents/{document.uuid}/", fault="404", times=2)
        with pytest.raises(ApplicationError) as caught:
            await environment.run(service.observe, observation)
        assert caught.value.type == Code.UNREACHABLE
        await back_office.signature.delete_document(document.uuid)
        with pytest.raises(ApplicationError) as caught:
            await environment.run(service.observe, observation)
        assert caught.value.type == Code.DOCUMENT_DELETED


async def test_two_sweeps_adopt_it_once_and_its_events_are_told_to_what_it_became(tmp_path: Path) -> None:
    async with adopting(tmp_path) as back_office:
        document = await send_by_hand(back_office, external_id="PO 7/2026")
        assert (await back_office.sweeps()).adoptions == 1
        await back_office.store.notes.note_sweep_mark(b"lost")
        second_sweep = await back_office.sweeps()  # Visibility lags: it does not know the request yet.
        assert (second_sweep.adoptions, second_sweep.waiting) == (0, 0)
        await back_office.temporal.get_workflow_handle(Kind.REQUEST.workflow_id(id_of(document))).terminate()
        await back_office.store.notes.note_sweep_mark(b"lost")
        assert (await back_office.sweeps()).adoptions == 0  # An operator broke it off.


async def test_what_was_broken_off_and_forgotten_by_temporal_is_not_adopted_again(tmp_path: Path) -> None:
    async with adopting(tmp_path) as back_office:
        document = await send_by_hand(back_office)
        assert (await back_office.sweeps()).adopted == (id_of(document),)
        async with time_skipping() as another:  # Temporal, once its retention is over.
            assert back_office.adoption
            back_office.adoption = replace(back_office.adoption, temporal=another.client)
            await back_office.store.notes.note_sweep_mark(b"lost")
            assert (await back_office.sweeps()).adoptions == 0
            with pytest.raises(RPCError):
                await another.client.get_workflow_handle(Kind.REQUEST.workflow_id(id_of(document))).describe()


async def test_an_attempt_that_died_before_the_request_was_known_to_live_is_made_up_for(tmp_path: Path) -> None:
    async with adopting(tmp_path) as back_office:
        document = await send_by_hand(back_office)
        await back_office.store.starts.claim(Kind.REQUEST.workflow_id(id_of(document)))
        assert (await back_office.sweeps()).adopted == (id_of(document),)


async def die_half_way(back_office: Office, *, has_begun: bool) -> None:
    """A sweep adopts, and dies once it has kept what it knows, or once the request was `begun`."""
    assert back_office.adoption
    adoption, temporal = back_office.adoption, back_office.temporal
    lost = Client(
        temporal.service_client,
        namespace=temporal.namespace,
        data_converter=temporal.data_converter,
        interceptors=[Lost(has_begun=has_begun)],
    )
    back_office.adoption = replace(adoption, temporal=lost)
    with pytest.raises(ApplicationError, match="UNAVAILABLE"):
        await back_office.sweeps()
    back_office.adoption = adoption


async def test_who_was_replaced_after_an_attempt_that_died_is_not_asked(tmp_path: Path) -> None:
    async with adopting(tmp_path) as back_office:
        document = await send_by_hand(back_office, {"email": GUEST, "full_name": "Gast Eins", "order": 1})
        await die_half_way(back_office, has_begun=False)
        assert document.request
        await back_office.signature.forward(document.request.uuid, GUEST, "second@customer.test")
        assert (await back_office.sweeps()).adopted == (id_of(document),)
        started, service, environment = (
            await read_start_input(back_office, document),
            make_service(back_office),
            ActivityEnvironment(),
        )
        order = CreateOrder(brief=started.brief, now=back_office.now, fingerprint=started.fingerprint)
        [signer] = (await environment.run(service.create, order)).signers
        guest = started.brief.people[0].person
        assert stands_in_full(guest)
        assert (signer.person, signer.state) == (guest, SignerState.WAITING)
        assert back_office.adoption
        assert (
            await back_office.adoption.directory.person(guest, started.brief.workflow_id)
        ).email == "second@customer.test"
        stored = await SignerSnapshots(back_office.store).read_snapshots(started.brief.id)
        page = await signing_page(back_office.signature, started.brief.id, guest, lambda _: stored)
        assert page.state is SigningState.BY_MAIL


async def test_a_request_that_an_attempt_began_before_it_died_is_known_also_when_its_signers_have_changed(
    tmp_path: Path,
) -> None:
    async with adopting(tmp_path) as back_office:
        document = await send_by_hand(back_office, {"email": GUEST, "order": 1})
        await die_half_way(back_office, has_begun=True)
        assert document.request
        await back_office.signature.forward(document.request.uuid, GUEST, "second@customer.test")
        for _ in range(2):
            swept = await back_office.sweeps()
            assert (swept.refusals, swept.waiting) == (0, 0)
            assert await back_office.store.starts.cover(Kind.REQUEST.workflow_id(id_of(document))) is not None
            await back_office.store.notes.note_sweep_mark(b"lost")
        assert stands_in_full((await read_start_input(back_office, document)).brief.people[0].person)


async def test_the_document_of_another_countersign_is_left_alone(tmp_path: Path) -> None:
    async with adopting(tmp_path) as back_office:
        address = "https://other.example/hooks/callbacks/core-signature/their-segment"
        await send_by_hand(back_office, external_id="msa-0042", events_callback_url=address)
        fine = await send_by_hand(back_office, events_callback_url="https://other.example/of-a-crm")
        our_address = "https://ours.example/callbacks/core-signature/our-segment"
        back_office.signature.config = replace(back_office.signature.config, callback_url=our_address)
        called = await send_by_hand(back_office, events_callback_url=our_address)
        assert set((await back_office.sweeps()).adopted) == {id_of(fine), id_of(called)}


async def test_an_id_that_a_countersign_may_have_given_is_left_to_it_unless_another_program_is_called(
    tmp_path: Path,
) -> None:
    """Of one that subscribes to events nothing else on its documents says that it follows them up."""
    async with adopting(tmp_path) as back_office:
        await send_by_hand(back_office, external_id="msa-0042")
        of_a_crm = await send_by_hand(back_office, external_id="4711", events_callback_url="https://crm.example/events")
        by_a_form = await send_by_hand(back_office, external_id="Lease of 7 May")
        swept = await back_office.sweeps()
        assert (set(swept.adopted), swept.refusals) == ({id_of(of_a_crm), id_of(by_a_form)}, 0)


async def test_what_happens_to_it_later_is_told_under_the_id_of_the_request(tmp_path: Path) -> None:
    async with adopting(tmp_path) as back_office:
        document = await send_by_hand(back_office, external_id="PO-7")
        await back_office.begins(id_of(document))
        back_office.now = datetime.now(UTC) + MINUTE
        back_office.happens("PO-7", "signed", document=document.uuid)
        swept = await back_office.sweeps()
        assert ([mended_request.request for mended_request in swept.mended], swept.adoptions) == ([id_of(document)], 0)
        assert await back_office.heard(id_of(document)) == ["signed"]


async def test_its_events_are_told_also_when_its_own_id_is_that_of_an_old_request(tmp_path: Path) -> None:
    async with adopting(tmp_path) as back_office:
        document = await send_by_hand(back_office, external_id="msa-0042")
        back_office.known.status["msa-0042"] = Status.SIGNED
        await back_office.begins(id_of(document))
        back_office.now = datetime.now(UTC) + MINUTE
        back_office.happens("msa-0042", "signer_viewed", document=document.uuid)
        swept = await back_office.sweeps()
        assert ([mended_request.request for mended_request in swept.mended], swept.adoptions) == ([id_of(document)], 0)


async def test_what_is_ours_was_ended_or_was_sent_by_others_is_left_alone(tmp_path: Path) -> None:
    async with adopting(tmp_path) as back_office:
        await back_office.store.starts.claim(Kind.REQUEST.workflow_id("ours-long-ago"))
        await send_by_hand(back_office, external_id="ours-long-ago")
        await send_by_hand(back_office, sender="somebody@else.test")
        ended_document = await send_by_hand(back_office)
        assert ended_document.request
        await back_office.signature.cancel(ended_document.request.uuid)
        back_office.known.status["closed"] = Status.SIGNED
        await send_by_hand(back_office, external_id="closed")
        swept = await back_office.sweeps()
        assert (swept.adoptions, swept.refusals, swept.waiting, swept.over) == (0, 0, 0, True)
        looked = calls(back_office.sandbox, "/documents/", "GET")
        assert (await back_office.sweeps()).adoptions == 0
        assert calls(back_office.sandbox, "/documents/", "GET") == looked, "nothing is looked at again"


async def test_what_cannot_be_adopted_is_said_once_and_again_when_something_happens_to_it(tmp_path: Path) -> None:
    async with adopting(tmp_path) as back_office:
        crowd = [{"email": f"signer-{number}@customer.test", "order": 1} for number in range(101)]
        document = await send_by_hand(back_office, *crowd)
        swept = await back_office.sweeps()
        [refused] = swept.not_adopted
        assert (refused.document, swept.refusals, swept.waiting) == (document.uuid, 1, 0)
        assert "100" in refused.why and refused.why in swept.details
        assert (await back_office.sweeps()).refusals == 0
        back_office.now = datetime.now(UTC) + MINUTE
        back_office.happens(None, "viewed", document=document.uuid)
        assert (await back_office.sweeps()).refusals == 1


@pytest.mark.parametrize(
    ("file", "lacks", "message"),
    [
        ("policies.yaml", "kinds: {other: {window: 10d}}", '"contract" is not a kind of policies.yaml'),
        ("people.yaml", OTHERS, '"legal-desk" is not in people.yaml'),
    ],
)
async def test_without_their_kind_or_requester_all_wait_however_long_and_the_reason_is_said(
    file: str, lacks: str, message: str, tmp_path: Path
) -> None:
    async with adopting(tmp_path) as back_office:
        back_office.signature.config = replace(back_office.signature.config, from_email=SENDER)
        documents = [await send_by_hand(back_office, name=f"Lease {number}") for number in range(3)]
        right = (tmp_path / file).read_text()
        (tmp_path / file).write_text(lacks)
        for _ in range(2):
            looked = len(calls(back_office.sandbox, "/documents/", "GET"))
            swept = await back_office.sweeps()
            assert (swept.adoptions, swept.refusals, swept.waiting) == (0, 0, 3)
            [reason] = swept.not_yet
            assert message in reason.why and reason.why in swept.details
            assert len(calls(back_office.sandbox, "/documents/", "GET")) == looked + 1, "one has asked for all"
            back_office.now += 10 * GIVEN_UP_AFTER
        (tmp_path / file).write_text(right)
        swept = await back_office.sweeps()
        assert (set(swept.adopted), swept.waiting, swept.not_yet) == (set(map(id_of, documents)), 0, ())


@pytest.mark.parametrize(("fault", "times"), [("401", 2), ("403", 1), ("404", 1), ("400", 1)])
async def test_what_a_gateway_answers_for_once_is_no_word_about_the_document(
    fault: str, times: int, tmp_path: Path
) -> None:
    async with adopting(tmp_path) as back_office:
        document = await send_by_hand(back_office)
        back_office.sandbox.state.faults.arm(ArmedFault(fault=fault, path=f"*/documents/{document.uuid}/", times=times))
        swept = await back_office.sweeps()
        [reason] = swept.not_yet
        assert (swept.adoptions, swept.refusals, swept.waiting, reason.document) == (0, 0, 1, document.uuid)
        assert reason.why == f"Core Signature answered {fault}"
        back_office.now += MINUTE
        assert (await back_office.sweeps()).adopted == (id_of(document),)


@pytest.mark.long
async def test_a_document_that_is_not_shown_is_asked_for_less_and_less_and_given_up_in_words(tmp_path: Path) -> None:
    async with adopting(tmp_path) as back_office:
        document = await send_by_hand(back_office)
        back_office.sandbox.state.faults.arm(ArmedFault(fault="404", path=f"*/documents/{document.uuid}/", times=None))
        looked = len(calls(back_office.sandbox, "/documents/", "GET"))
        sweeps = [await back_office.sweeps()]
        while sweeps[-1].waiting:
            assert [reason.why for reason in sweeps[-1].not_yet] == ["Core Signature answered 404"]
            back_office.now += 5 * MINUTE
            sweeps.append(await back_office.sweeps())
        assert GIVEN_UP_AFTER <= 5 * MINUTE * (len(sweeps) - 1) <= 2 * GIVEN_UP_AFTER
        assert len(calls(back_office.sandbox, "/documents/", "GET")) - looked <= 12
        [refused] = sweeps[-1].not_adopted
        assert refused == AdoptionRefusal(document=document.uuid, why="Core Signature answered 404, for a day")
        assert (await back_office.sweeps()).refusals == 0


@pytest.mark.parametrize("faulty", ["people.yaml", "policies.yaml"])
async def test_a_faulty_file_of_ours_has_it_wait(faulty: str, tmp_path: Path) -> None:
    async with adopting(tmp_path) as back_office:
        await send_by_hand(back_office)
        right = (tmp_path / faulty).read_text()
        (tmp_path / faulty).write_text("kinds: [")
        assert ((await back_office.sweeps()).adoptions, (await back_office.sweeps()).waiting) == (0, 1)
        (tmp_path / faulty).write_text(right)
        swept = await back_office.sweeps()
        assert (swept.adoptions, swept.waiting) == (1, 0)


async def test_one_that_core_signature_does_not_show_waits_and_holds_up_no_other(tmp_path: Path) -> None:
    async with adopting(tmp_path) as back_office:
        stuck = await send_by_hand(back_office)
        fine = await send_by_hand(back_office, name="Another")
        back_office.sandbox.state.faults.arm(
            ArmedFault(fault=FaultKind.UNAVAILABLE, path=f"*/documents/{stuck.uuid}/", times=None)
        )
        swept = await back_office.sweeps()
        assert (swept.adopted, swept.waiting) == ((id_of(fine),), 1)


async def test_when_core_signature_gives_no_answer_all_wait_and_one_has_asked(tmp_path: Path) -> None:
    async with adopting(tmp_path) as back_office:
        documents = [await send_by_hand(back_office, name=f"Lease {number}") for number in range(3)]
        looked = len(calls(back_office.sandbox, "/documents/", "GET"))
        fault = ArmedFault(fault=FaultKind.REFUSE, path="*/documents/*", method="GET", times=None)
        back_office.sandbox.state.faults.arm(fault)
        for sweep in (1, 2):
            swept = await back_office.sweeps()
            assert (swept.adoptions, swept.waiting, swept.over) == (0, 3, True)
            assert len(calls(back_office.sandbox, "/documents/", "GET")) == looked + sweep
        back_office.sandbox.state.faults.clear()
        assert set((await back_office.sweeps()).adopted) == set(map(id_of, documents))


async def test_a_part_whose_time_is_over_adopts_nothing_and_the_next_does(tmp_path: Path) -> None:
    async with adopting(tmp_path) as back_office:
        for number in range(3):
            await send_by_hand(back_office, name=f"Lease {number}")
        looked = len(calls(back_office.sandbox, "/documents/", "GET"))
        swept = await back_office.sweeps(seconds=0.0)
        assert (swept.adoptions, swept.waiting, len(calls(back_office.sandbox, "/documents/", "GET"))) == (0, 3, looked)
        assert (await back_office.sweeps()).adoptions == 3


async def test_an_attempt_that_dies_while_it_adopts_has_kept_whom_it_told(tmp_path: Path) -> None:
    async with adopting(tmp_path) as back_office:
        await send_by_hand(back_office)
        await back_office.begins("msa-0042")
        back_office.happens("msa-0042", "signer_viewed")
        assert back_office.adoption
        adoption = back_office.adoption
        back_office.adoption = Torn(**{field.name: getattr(adoption, field.name) for field in fields(adoption)})
        with pytest.raises(ApplicationError, match="UNAVAILABLE"):
            await back_office.sweeps()
        back_office.adoption = adoption
        swept = await back_office.sweeps()
        assert (swept.told, swept.adoptions) == (0, 1)


async def test_ten_times_as_many_as_a_part_looks_at_are_adopted_part_by_part() -> None:
    waiting_documents = UnmanagedDocuments().add_documents(
        {f"{number}": datetime.now(UTC) for number in range(10 * WAITING_AT_MOST)}
    )
    assert len(waiting_documents.waiting) == WAITING_AT_MOST
    assert ADOPTED_AT_MOST * 20 == WAITING_AT_MOST
    first = next(iter(waiting_documents.waiting))
    assert list(waiting_documents.postpone(first).waiting)[-1] == first
    judged = waiting_documents.judge(first)
    assert first not in judged.add_documents({first: judged.judged[first]}).waiting


async def test_without_the_setting_nothing_changes(tmp_path: Path) -> None:
    async with adopting(tmp_path) as back_office:
        await send_by_hand(back_office)
        back_office.adoption, looked = None, calls(back_office.sandbox, "/documents/", "GET")
        swept = await back_office.sweeps()
        assert (swept.adoptions, swept.waiting, calls(back_office.sandbox, "/documents/", "GET")) == (0, 0, looked)
        assert swept.unnamed > 0


async def test_a_file_cannot_have_the_id_of_an_adopted_document(tmp_path: Path) -> None:
    async with adopting(tmp_path) as back_office:
        assert back_office.adoption
        id = id_of(await send_by_hand(back_office))
        document = {"template": "https://core.test/t/", "name": "Lease"}
        request_fields = {"kind": "contract", "requester": "legal-desk", "signers": [{"person": "chief-executive"}]}
        text = FileText("again.yaml", tmp_path, json.dumps({"id": id, "document": document, **request_fields}))
        catalogue = Catalogue.read(tmp_path / "policies.yaml")
        with pytest.raises(FileFaults, match="was sent at Core Signature by hand and is followed up from there"):
            await prepare_request(text, CheckContext(catalogue, back_office.adoption.directory, back_office.now))
