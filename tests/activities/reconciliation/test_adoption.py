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
from activities.launch.doors import Sources
from activities.launch.request_file import prepare_request
from activities.people.file_directory import FileDirectory
from activities.people.ids import stands_in_full
from activities.policies.catalogue import Catalogue
from activities.reconciliation.adoption import Adoption
from activities.reconciliation.service import ADOPTED_AT_MOST, GIVEN_UP_AFTER, WAITING_AT_MOST, UnmanagedDocuments
from deploy.sandbox.state.faults import ArmedFault, FaultKind
from tests.activities.core_signature.conftest import arm, calls
from tests.activities.core_signature.requests import PDF
from tests.activities.reconciliation.test_reconciliation import MINUTE, Office, office
from tests.servers import time_skipping
from workflows.kinds import Kind
from workflows.model.reconciliation import NotAdopted
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
POLICIES: Final = "kinds:\n  contract: {window: 10d, reminders: {first: 2d, every: 2d, most: 2}}\n"


class Torn(Adoption):
    """Temporal is away by the time that something is to be adopted."""

    async def adopt(self, document: str, now: datetime) -> str | NotAdopted | None:
        """As it fails then."""
        raise RPCError("away", RPCStatusCode.UNAVAILABLE, b"")


class Lost(Interceptor):
    """What is asked of Temporal is lost, or what it answers when a workflow has `begun`."""

    def __init__(self, *, begun: bool) -> None:
        self._begun = begun

    def intercept_client(self, next: OutboundInterceptor) -> OutboundInterceptor:
        """See `Interceptor`."""
        return _Losing(next, begun=self._begun)


class _Losing(OutboundInterceptor):
    def __init__(self, next: OutboundInterceptor, *, begun: bool) -> None:
        super().__init__(next)
        self._begun = begun

    async def start_workflow(self, input: StartWorkflowInput) -> WorkflowHandle[Any, Any]:
        if self._begun:
            await super().start_workflow(input)
        raise RPCError("away", RPCStatusCode.UNAVAILABLE, b"")


@asynccontextmanager
async def adopting(folder: Path, **settings: Any) -> AsyncIterator[Office]:
    """An office whose sweeps adopt; what happened, happened by the machine's clock."""
    async with office(folder / "store", **settings) as it:
        (folder / "people.yaml").write_text(PEOPLE)
        (folder / "policies.yaml").write_text(POLICIES)
        it.now = datetime.now(UTC) + MINUTE
        it.adoption = Adoption(
            signature=it.signature,
            temporal=it.temporal,
            store=it.store,
            directory=FileDirectory(folder / "people.yaml", it.store),
            policies=folder / "policies.yaml",
            kind="contract",
            requester="legal-desk",
        )
        yield it


async def sent_by_hand(it: Office, *signers: dict[str, Any], sender: str = SENDER, **document: Any) -> WireDocument:
    """Somebody sends a document in Core Signature's own pages: nothing of it is ours."""
    body = {"name": "Lease", "file_from_content_name": "lease.pdf", **document}
    made = await it.signature.create_document({**body, "file_from_content": base64.b64encode(PDF).decode()})
    asked = [dict(signer) for signer in signers or ({"email": CHIEF, "order": 1},)]
    request = {"document": it.signature.document_url(made.uuid), "from_email": sender, "signers": asked}
    await it.signature.create_request(request)
    return await it.signature.document(made.uuid)


def id_of(document: WireDocument) -> str:
    """The id of the request that it becomes."""
    return adopted_id(document.uuid) or ""


async def given(it: Office, document: WireDocument) -> SignatureInput:
    """What the workflow of an adopted document was started with."""
    handle = it.temporal.get_workflow_handle(Kind.REQUEST.workflow_id(id_of(document)))
    [first, *_] = (await handle.fetch_history()).events
    started = first.workflow_execution_started_event_attributes
    assert started.workflow_type.name == SIGNATURE_REQUEST
    [request] = await it.temporal.data_converter.decode(list(started.input.payloads), [SignatureInput])
    return SignatureInput.model_validate(request.model_dump())


def of_service(it: Office) -> CoreSignatureService:
    """What the workflow asks of Core Signature."""
    assert it.adoption
    return CoreSignatureService(it.signature, it.adoption.directory, it.store)


async def test_a_document_that_was_sent_by_hand_is_a_request_from_the_next_sweep_on(tmp_path: Path) -> None:
    async with adopting(tmp_path) as it:
        guest = {"email": GUEST, "full_name": "Gast\u202e Eins", "order": 2, "language": "de", "approve_only": True}
        document = await sent_by_hand(it, {"email": CHIEF.upper(), "order": 1}, guest, external_id="PO 7/2026")
        swept = await it.sweeps()
        assert (swept.adopted, swept.adoptions, swept.unnamed) == ((id_of(document),), 1, 0)
        assert id_of(document) in swept.details
        started = await given(it, document)
        brief = started.brief
        assert (brief.title, brief.kind, brief.requester) == ("Lease", "contract", "legal-desk")
        assert [(one.person, one.order, one.role) for one in brief.people] == [
            ("chief-executive", 1, Role.SIGN),
            (brief.people[1].person, 2, Role.APPROVE),
        ]
        assert it.adoption
        await it.store.people.choose(Kind.REQUEST.workflow_id(brief.id), started.fingerprint)
        stranger = await it.adoption.directory.person(brief.people[1].person, brief.workflow_id)
        assert (stranger.name, stranger.locale, stranger.zone) == ("Gast Eins", "de", "Europe/Amsterdam")
        stored = await SignerSnapshots(it.store).of(brief.id)
        page = await signing_page(it.signature, brief.id, "chief-executive", lambda _: stored)
        assert (page.state, page.document) == (SigningState.BY_MAIL, "Lease")


async def test_the_request_takes_its_document_over_and_makes_none(tmp_path: Path) -> None:
    async with adopting(tmp_path) as it:
        document = await sent_by_hand(it)
        await it.sweeps()
        started, service = await given(it, document), of_service(it)
        environment = ActivityEnvironment()
        order = CreateOrder(brief=started.brief, now=it.now, fingerprint=started.fingerprint)
        made = len(it.sandbox.state.database.documents)
        seen = await environment.run(service.create, order)
        assert (seen.document, seen.status) == (document.uuid, Status.SENT)
        observation = Observation(roster=started.brief.roster, document=document.uuid)
        assert (await environment.run(service.observe, observation)).signers[0].state is SignerState.WAITING
        cancelled = await environment.run(service.cancel, CancelOrder(subject=started.brief.subject, document=None))
        assert cancelled and cancelled.status is Status.CANCELLED
        assert len(it.sandbox.state.database.documents) == made
        assert it.sandbox.state.database.documents.get(document.uuid).external_id is None  # type: ignore[union-attr]


async def test_a_document_that_is_gone_before_it_was_taken_over_is_not_made_again(tmp_path: Path) -> None:
    async with adopting(tmp_path) as it:
        document = await sent_by_hand(it)
        await it.sweeps()
        started = await given(it, document)
        await it.signature.delete_document(document.uuid)
        order = CreateOrder(brief=started.brief, now=it.now, fingerprint=started.fingerprint)
        with pytest.raises(Exception, match="adopted is not there any more"):
            await ActivityEnvironment().run(of_service(it).create, order)
        assert len(it.sandbox.state.database.documents) == 0


async def test_everything_404_is_a_wrong_address_and_not_the_end_of_what_was_adopted(tmp_path: Path) -> None:
    async with adopting(tmp_path) as it:
        document = await sent_by_hand(it)
        await it.sweeps()
        started, service, environment = await given(it, document), of_service(it), ActivityEnvironment()
        create = CreateOrder(brief=started.brief, now=it.now, fingerprint=started.fingerprint)
        cancel = CancelOrder(subject=started.brief.subject, document=document.uuid)
        observation = Observation(roster=started.brief.roster, document=document.uuid)
        arm(it.sandbox, path="/api/v1/*", fault="404", times=None)
        attempts: list[tuple[Any, object]] = [
            (service.create, create),
            (service.observe, observation),
            (service.cancel, cancel),
        ]
        for asked, order in attempts:
            with pytest.raises(ApplicationError) as caught:
                await environment.run(asked, order)
            assert caught.value.type == Code.REFUSED
        it.sandbox.state.faults.clear()
        arm(it.sandbox, path=f"/api/v1/documents/{document.uuid}/", fault="404", times=2)
        with pytest.raises(ApplicationError) as caught:
            await environment.run(service.observe, observation)
        assert caught.value.type == Code.UNREACHABLE
        await it.signature.delete_document(document.uuid)
        with pytest.raises(ApplicationError) as caught:
            await environment.run(service.observe, observation)
        assert caught.value.type == Code.DOCUMENT_DELETED


async def test_two_sweeps_adopt_it_once_and_its_events_are_told_to_what_it_became(tmp_path: Path) -> None:
    async with adopting(tmp_path) as it:
        document = await sent_by_hand(it, external_id="PO 7/2026")
        assert (await it.sweeps()).adoptions == 1
        await it.store.notes.note_sweep_mark(b"lost")
        again = await it.sweeps()  # Visibility lags: it does not know the request yet.
        assert (again.adoptions, again.waiting) == (0, 0)
        await it.temporal.get_workflow_handle(Kind.REQUEST.workflow_id(id_of(document))).terminate()
        await it.store.notes.note_sweep_mark(b"lost")
        assert (await it.sweeps()).adoptions == 0  # An operator broke it off.


async def test_what_was_broken_off_and_forgotten_by_temporal_is_not_adopted_again(tmp_path: Path) -> None:
    async with adopting(tmp_path) as it:
        document = await sent_by_hand(it)
        assert (await it.sweeps()).adopted == (id_of(document),)
        async with time_skipping() as another:  # Temporal, once its retention is over.
            assert it.adoption
            it.adoption = replace(it.adoption, temporal=another.client)
            await it.store.notes.note_sweep_mark(b"lost")
            assert (await it.sweeps()).adoptions == 0
            with pytest.raises(RPCError):
                await another.client.get_workflow_handle(Kind.REQUEST.workflow_id(id_of(document))).describe()


async def test_an_attempt_that_died_before_the_request_was_known_to_live_is_made_up_for(tmp_path: Path) -> None:
    async with adopting(tmp_path) as it:
        document = await sent_by_hand(it)
        await it.store.starts.claim(Kind.REQUEST.workflow_id(id_of(document)))
        assert (await it.sweeps()).adopted == (id_of(document),)


async def dies_half_way(it: Office, *, begun: bool) -> None:
    """A sweep adopts, and dies once it has kept what it knows, or once the request was `begun`."""
    assert it.adoption
    whole, there = it.adoption, it.temporal
    lost = Client(
        there.service_client,
        namespace=there.namespace,
        data_converter=there.data_converter,
        interceptors=[Lost(begun=begun)],
    )
    it.adoption = replace(whole, temporal=lost)
    with pytest.raises(ApplicationError, match="UNAVAILABLE"):
        await it.sweeps()
    it.adoption = whole


async def test_who_was_replaced_after_an_attempt_that_died_is_not_asked(tmp_path: Path) -> None:
    async with adopting(tmp_path) as it:
        document = await sent_by_hand(it, {"email": GUEST, "full_name": "Gast Eins", "order": 1})
        await dies_half_way(it, begun=False)
        assert document.request
        await it.signature.forward(document.request.uuid, GUEST, "second@customer.test")
        assert (await it.sweeps()).adopted == (id_of(document),)
        started, service, environment = await given(it, document), of_service(it), ActivityEnvironment()
        order = CreateOrder(brief=started.brief, now=it.now, fingerprint=started.fingerprint)
        [signer] = (await environment.run(service.create, order)).signers
        guest = started.brief.people[0].person
        assert stands_in_full(guest)
        assert (signer.person, signer.state) == (guest, SignerState.WAITING)
        assert it.adoption
        assert (await it.adoption.directory.person(guest, started.brief.workflow_id)).email == "second@customer.test"
        stored = await SignerSnapshots(it.store).of(started.brief.id)
        page = await signing_page(it.signature, started.brief.id, guest, lambda _: stored)
        assert page.state is SigningState.BY_MAIL


async def test_a_request_that_an_attempt_began_before_it_died_is_known_also_when_its_signers_have_changed(
    tmp_path: Path,
) -> None:
    async with adopting(tmp_path) as it:
        document = await sent_by_hand(it, {"email": GUEST, "order": 1})
        await dies_half_way(it, begun=True)
        assert document.request
        await it.signature.forward(document.request.uuid, GUEST, "second@customer.test")
        for _ in range(2):
            swept = await it.sweeps()
            assert (swept.refusals, swept.waiting) == (0, 0)
            assert await it.store.starts.cover(Kind.REQUEST.workflow_id(id_of(document))) is not None
            await it.store.notes.note_sweep_mark(b"lost")
        assert stands_in_full((await given(it, document)).brief.people[0].person)


async def test_the_document_of_another_countersign_is_left_alone(tmp_path: Path) -> None:
    async with adopting(tmp_path) as it:
        address = "https://other.example/hooks/callbacks/core-signature/their-segment"
        await sent_by_hand(it, external_id="msa-0042", events_callback_url=address)
        fine = await sent_by_hand(it, events_callback_url="https://other.example/of-a-crm")
        ours = "https://ours.example/callbacks/core-signature/our-segment"
        it.signature.config = replace(it.signature.config, callback_url=ours)
        called = await sent_by_hand(it, events_callback_url=ours)
        assert set((await it.sweeps()).adopted) == {id_of(fine), id_of(called)}


async def test_an_id_that_a_countersign_may_have_given_is_left_to_it_unless_another_program_is_called(
    tmp_path: Path,
) -> None:
    """Of one that subscribes to events nothing else on its documents says that it follows them up."""
    async with adopting(tmp_path) as it:
        await sent_by_hand(it, external_id="msa-0042")
        of_a_crm = await sent_by_hand(it, external_id="4711", events_callback_url="https://crm.example/events")
        by_a_form = await sent_by_hand(it, external_id="Lease of 7 May")
        swept = await it.sweeps()
        assert (set(swept.adopted), swept.refusals) == ({id_of(of_a_crm), id_of(by_a_form)}, 0)


async def test_what_happens_to_it_later_is_told_under_the_id_of_the_request(tmp_path: Path) -> None:
    async with adopting(tmp_path) as it:
        document = await sent_by_hand(it, external_id="PO-7")
        await it.begins(id_of(document))
        it.now = datetime.now(UTC) + MINUTE
        it.happens("PO-7", "signed", document=document.uuid)
        swept = await it.sweeps()
        assert ([one.request for one in swept.mended], swept.adoptions) == ([id_of(document)], 0)
        assert await it.heard(id_of(document)) == ["signed"]


async def test_its_events_are_told_also_when_its_own_id_is_that_of_an_old_request(tmp_path: Path) -> None:
    async with adopting(tmp_path) as it:
        document = await sent_by_hand(it, external_id="msa-0042")
        it.known.status["msa-0042"] = Status.SIGNED
        await it.begins(id_of(document))
        it.now = datetime.now(UTC) + MINUTE
        it.happens("msa-0042", "signer_viewed", document=document.uuid)
        swept = await it.sweeps()
        assert ([one.request for one in swept.mended], swept.adoptions) == ([id_of(document)], 0)


async def test_what_is_ours_was_ended_or_was_sent_by_others_is_left_alone(tmp_path: Path) -> None:
    async with adopting(tmp_path) as it:
        await it.store.starts.claim(Kind.REQUEST.workflow_id("ours-long-ago"))
        await sent_by_hand(it, external_id="ours-long-ago")
        await sent_by_hand(it, sender="somebody@else.test")
        ended = await sent_by_hand(it)
        assert ended.request
        await it.signature.cancel(ended.request.uuid)
        it.known.status["closed"] = Status.SIGNED
        await sent_by_hand(it, external_id="closed")
        swept = await it.sweeps()
        assert (swept.adoptions, swept.refusals, swept.waiting, swept.over) == (0, 0, 0, True)
        looked = calls(it.sandbox, "/documents/", "GET")
        assert (await it.sweeps()).adoptions == 0
        assert calls(it.sandbox, "/documents/", "GET") == looked, "nothing is looked at again"


async def test_what_cannot_be_adopted_is_said_once_and_again_when_something_happens_to_it(tmp_path: Path) -> None:
    async with adopting(tmp_path) as it:
        crowd = [{"email": f"signer-{number}@customer.test", "order": 1} for number in range(101)]
        document = await sent_by_hand(it, *crowd)
        swept = await it.sweeps()
        [refused] = swept.not_adopted
        assert (refused.document, swept.refusals, swept.waiting) == (document.uuid, 1, 0)
        assert "100" in refused.why and refused.why in swept.details
        assert (await it.sweeps()).refusals == 0
        it.now = datetime.now(UTC) + MINUTE
        it.happens(None, "viewed", document=document.uuid)
        assert (await it.sweeps()).refusals == 1


@pytest.mark.parametrize(
    ("file", "lacks", "says"),
    [
        ("policies.yaml", "kinds: {other: {window: 10d}}", '"contract" is not a kind of policies.yaml'),
        ("people.yaml", PEOPLE.replace("legal-desk", "contract-desk"), '"legal-desk" is not in people.yaml'),
    ],
)
async def test_without_their_kind_or_requester_all_wait_however_long_and_the_reason_is_said(
    file: str, lacks: str, says: str, tmp_path: Path
) -> None:
    async with adopting(tmp_path) as it:
        made = [await sent_by_hand(it, name=f"Lease {number}") for number in range(3)]
        right = (tmp_path / file).read_text()
        (tmp_path / file).write_text(lacks)
        for _ in range(2):
            looked = len(calls(it.sandbox, "/documents/", "GET"))
            swept = await it.sweeps()
            assert (swept.adoptions, swept.refusals, swept.waiting) == (0, 0, 3)
            [reason] = swept.not_yet
            assert says in reason.why and reason.why in swept.details
            assert len(calls(it.sandbox, "/documents/", "GET")) == looked + 1, "one has asked for all"
            it.now += 10 * GIVEN_UP_AFTER
        (tmp_path / file).write_text(right)
        swept = await it.sweeps()
        assert (set(swept.adopted), swept.waiting, swept.not_yet) == (set(map(id_of, made)), 0, ())


@pytest.mark.parametrize(("fault", "times"), [("401", 2), ("403", 1), ("404", 1), ("400", 1)])
async def test_what_a_gateway_answers_for_once_is_no_word_about_the_document(
    fault: str, times: int, tmp_path: Path
) -> None:
    async with adopting(tmp_path) as it:
        document = await sent_by_hand(it)
        it.sandbox.state.faults.arm(ArmedFault(fault=fault, path=f"*/documents/{document.uuid}/", times=times))
        swept = await it.sweeps()
        [reason] = swept.not_yet
        assert (swept.adoptions, swept.refusals, swept.waiting, reason.document) == (0, 0, 1, document.uuid)
        assert reason.why == f"Core Signature answered {fault}"
        it.now += MINUTE
        assert (await it.sweeps()).adopted == (id_of(document),)


async def test_a_document_that_is_not_shown_is_asked_for_less_and_less_and_given_up_in_words(tmp_path: Path) -> None:
    async with adopting(tmp_path) as it:
        document = await sent_by_hand(it)
        it.sandbox.state.faults.arm(ArmedFault(fault="404", path=f"*/documents/{document.uuid}/", times=None))
        looked = len(calls(it.sandbox, "/documents/", "GET"))
        sweeps = [await it.sweeps()]
        while sweeps[-1].waiting:
            assert [one.why for one in sweeps[-1].not_yet] == ["Core Signature answered 404"]
            it.now += 5 * MINUTE
            sweeps.append(await it.sweeps())
        assert GIVEN_UP_AFTER <= 5 * MINUTE * (len(sweeps) - 1) <= 2 * GIVEN_UP_AFTER
        assert len(calls(it.sandbox, "/documents/", "GET")) - looked <= 12
        [refused] = sweeps[-1].not_adopted
        assert refused == NotAdopted(document=document.uuid, why="Core Signature answered 404, for a day")
        assert (await it.sweeps()).refusals == 0


@pytest.mark.parametrize("faulty", ["people.yaml", "policies.yaml"])
async def test_a_faulty_file_of_ours_has_it_wait(faulty: str, tmp_path: Path) -> None:
    async with adopting(tmp_path) as it:
        await sent_by_hand(it)
        right = (tmp_path / faulty).read_text()
        (tmp_path / faulty).write_text("kinds: [")
        assert ((await it.sweeps()).adoptions, (await it.sweeps()).waiting) == (0, 1)
        (tmp_path / faulty).write_text(right)
        swept = await it.sweeps()
        assert (swept.adoptions, swept.waiting) == (1, 0)


async def test_one_that_core_signature_does_not_show_waits_and_holds_up_no_other(tmp_path: Path) -> None:
    async with adopting(tmp_path) as it:
        stuck = await sent_by_hand(it)
        fine = await sent_by_hand(it, name="Another")
        it.sandbox.state.faults.arm(
            ArmedFault(fault=FaultKind.UNAVAILABLE, path=f"*/documents/{stuck.uuid}/", times=None)
        )
        swept = await it.sweeps()
        assert (swept.adopted, swept.waiting) == ((id_of(fine),), 1)


async def test_when_core_signature_gives_no_answer_all_wait_and_one_has_asked(tmp_path: Path) -> None:
    async with adopting(tmp_path) as it:
        made = [await sent_by_hand(it, name=f"Lease {number}") for number in range(3)]
        looked = len(calls(it.sandbox, "/documents/", "GET"))
        fault = ArmedFault(fault=FaultKind.REFUSE, path="*/documents/*", method="GET", times=None)
        it.sandbox.state.faults.arm(fault)
        for sweep in (1, 2):
            swept = await it.sweeps()
            assert (swept.adoptions, swept.waiting, swept.over) == (0, 3, True)
            assert len(calls(it.sandbox, "/documents/", "GET")) == looked + sweep
        it.sandbox.state.faults.clear()
        assert set((await it.sweeps()).adopted) == set(map(id_of, made))


async def test_a_part_whose_time_is_over_adopts_nothing_and_the_next_does(tmp_path: Path) -> None:
    async with adopting(tmp_path) as it:
        for number in range(3):
            await sent_by_hand(it, name=f"Lease {number}")
        looked = len(calls(it.sandbox, "/documents/", "GET"))
        swept = await it.sweeps(seconds=0.0)
        assert (swept.adoptions, swept.waiting, len(calls(it.sandbox, "/documents/", "GET"))) == (0, 3, looked)
        assert (await it.sweeps()).adoptions == 3


async def test_an_attempt_that_dies_while_it_adopts_has_kept_whom_it_told(tmp_path: Path) -> None:
    async with adopting(tmp_path) as it:
        await sent_by_hand(it)
        await it.begins("msa-0042")
        it.happens("msa-0042", "signer_viewed")
        assert it.adoption
        whole = it.adoption
        it.adoption = Torn(**{one.name: getattr(whole, one.name) for one in fields(whole)})
        with pytest.raises(ApplicationError, match="UNAVAILABLE"):
            await it.sweeps()
        it.adoption = whole
        swept = await it.sweeps()
        assert (swept.told, swept.adoptions) == (0, 1)


async def test_ten_times_as_many_as_a_part_looks_at_are_adopted_part_by_part() -> None:
    met = UnmanagedDocuments().met({f"{number}": datetime.now(UTC) for number in range(10 * WAITING_AT_MOST)})
    assert len(met.waiting) == WAITING_AT_MOST
    assert ADOPTED_AT_MOST * 20 == WAITING_AT_MOST
    first = next(iter(met.waiting))
    assert list(met.postpone(first).waiting)[-1] == first
    judged = met.judge(first)
    assert first not in judged.met({first: judged.judged[first]}).waiting


async def test_without_the_setting_nothing_changes(tmp_path: Path) -> None:
    async with adopting(tmp_path) as it:
        await sent_by_hand(it)
        it.adoption, looked = None, calls(it.sandbox, "/documents/", "GET")
        swept = await it.sweeps()
        assert (swept.adoptions, swept.waiting, calls(it.sandbox, "/documents/", "GET")) == (0, 0, looked)
        assert swept.unnamed > 0


async def test_a_file_cannot_have_the_id_of_an_adopted_document(tmp_path: Path) -> None:
    async with adopting(tmp_path) as it:
        assert it.adoption
        id = id_of(await sent_by_hand(it))
        document = {"template": "https://core.test/t/", "name": "Lease"}
        asked = {"kind": "contract", "requester": "legal-desk", "signers": [{"person": "chief-executive"}]}
        text = FileText("again.yaml", tmp_path, json.dumps({"id": id, "document": document, **asked}))
        catalogue = Catalogue.read(tmp_path / "policies.yaml")
        with pytest.raises(FileFaults, match="was sent at Core Signature by hand and is followed up from there"):
            await prepare_request(text, Sources(catalogue, it.adoption.directory, it.now))
