"""The request file in full, its fingerprint, and the one start path on the real server."""

import asyncio
import hashlib
import json
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any
from unicodedata import normalize

import pytest
from temporalio.client import Client
from temporalio.worker import Worker

from activities.errors import DocumentMissing
from activities.files.reading import FileFaults, FileText
from activities.launch.doors import CheckContext
from activities.launch.launch import REFUSED_KEPT, ForeignPartId, IdTaken, forget_refused, start
from activities.launch.request_file import prepare_request
from activities.people.directory import DirectoryFailure
from activities.records.evidence import file_part
from activities.records.schema import PEOPLE_IN_FULL
from activities.records.store import Store
from activities.records.texts import Reference
from tests.activities.documents.test_files import read_in_pieces
from tests.activities.launch.papers import NOW, PDF, REQUEST, Desk, faults, in_full, make_request
from tests.activities.launch.waiting_request import WaitingRequest
from tests.servers import own_namespace
from workflows import names
from workflows.kinds import Kind
from workflows.model.policy import Reminders
from workflows.model.signature import Document
from workflows.model.subject import Participant, Role
from workflows.signature.state import SignatureInput

IN_FULL = {"name": "Buyer", "email": "buyer@example.org", "zone": "Asia/Tokyo", "locale": "ja"}


async def test_a_file_becomes_the_workflows_input(desk: Desk) -> None:
    prepared = await desk.prepare(message="Please sign.", subscribers=["customer-onboarding:acme"])
    request, brief = prepared.request, prepared.request.brief
    assert brief.document == Document(
        sha256=hashlib.sha256(PDF).hexdigest(),
        size=len(PDF),
        file_name="msa.pdf",
    )
    assert brief.people == (
        Participant(person="customer-signer", order=1),
        Participant(person="chief-executive", order=2),
    )
    assert (brief.id, brief.requester, brief.message) == ("msa-0042", "legal-desk", "Please sign.")
    assert (request.due, request.policy.window) == (date(2026, 12, 11), "90d")
    assert request.subscribers == ("customer-onboarding:acme",)
    assert (prepared.document, prepared.signers) == (PDF, None)


async def test_defaults(desk: Desk) -> None:
    document = {"file": "msa.pdf"}
    signers = [
        {"person": "chair", "role": "approve"},
        {"person": "chief-executive"},
        {"person": "customer-signer", "role": "copy", "order": 1},
    ]
    prepared = await desk.prepare(id=None, due=None, document=document, signers=signers)
    brief = prepared.request.brief
    assert [(signer.order, signer.role) for signer in brief.people] == [
        (1, Role.APPROVE),
        (2, Role.SIGN),
        (1, Role.COPY),
    ]
    assert brief.title == "msa"
    assert prepared.id == f"customer-contract-{prepared.request.fingerprint[:12]}"


async def test_signers_in_full_are_kept_out_of_the_input(desk: Desk) -> None:
    prepared = await desk.prepare(signers=[{"person": "chief-executive"}, IN_FULL])
    assert prepared.request.brief.people[1].person == in_full("buyer@example.org")
    assert "buyer@example.org" not in prepared.request.model_dump_json()
    assert prepared.signers is not None
    await desk.store.people.keep(Kind.REQUEST.workflow_id(prepared.id), prepared.request.fingerprint, prepared.signers)
    buyer = await desk.directory.person(in_full("buyer@example.org"), prepared.request.brief.workflow_id)
    assert (buyer.email, buyer.zone, buyer.locale) == ("buyer@example.org", "Asia/Tokyo", "ja")


async def test_a_template_needs_no_bytes(desk: Desk) -> None:
    template = "https://sign.example/api/v1/templates/1/"
    prepared = await desk.prepare(document={"template": template, "name": "Offer"})
    assert prepared.document is None
    assert prepared.request.brief.document == Document(template=template)


async def test_an_override_travels_resolved(desk: Desk) -> None:
    prepared = await desk.prepare(policy={"escalation": {"after": "2d", "alternates": ["chair"]}})
    escalation = prepared.request.policy.escalation
    assert escalation is not None
    assert (escalation.after, escalation.or_, escalation.alternates) == ("2d", "60%", ("chair",))


async def test_a_near_due_date_only_leaves_late_reminders_out(desk: Desk) -> None:
    prepared = await desk.prepare(due="2026-11-10")
    assert prepared.request.policy.reminders == Reminders()
    assert prepared.resolved.layer("reminders.most") == "default"


@pytest.mark.parametrize(
    ("changes", "fault"),
    [
        ({"id": "a b"}, "request.yaml:1: id: must be 1-100 characters"),
        (
            {"kind": "customer-contrct"},
            'kind: "customer-contrct" is not a kind of catalogue.yaml, did you mean customer-contract?',
        ),
        ({"kind": None}, "kind: is missing"),
        ({"requester": "legal-dsk"}, 'requester: "legal-dsk" is not in people.yaml, did you mean legal-desk?'),
        ({"signers": []}, "signers: needs at least 1"),
        ({"signers": [{"person": "nobody"}]}, 'signers[0].person: "nobody" is not in people.yaml'),
        (
            {"signers": [{"person": "chair"}, {"person": "chair"}]},
            "signers[1].person: chair is a signer of this request already",
        ),
        ({"signers": [{"person": "chair", "role": "copy"}]}, "signers: needs at least one who signs or approves"),
        ({"signers": [{"person": "chair", "ordr": 2}]}, "signers[0].ordr: unknown, did you mean order?"),
        ({"signers": [{"person": "chair", "order": 0}]}, "signers[0].order: must be at least 1"),
        ({"signers": [{"person": "chair", "role": "witness"}]}, "signers[0].role: must be one of"),
        ({"signers": [{"person": "chair", "name": "C"}]}, "signers[0]: has person and name: either group, person"),
        ({"signers": [{"name": "C"}]}, "signers[0]: needs group, person, or somebody in full (email, zone missing)"),
        ({"signers": [IN_FULL, IN_FULL]}, "signers[1].email: has the e-mail address of another signer"),
        (
            {"signers": [{"person": "chair"}, {**IN_FULL, "email": "Chair@Example.com"}]},
            "signers[1].email: has the e-mail address of another signer",
        ),
        ({"signers": [{**IN_FULL, "zone": "Asia/Tokio"}]}, "signers[0].zone: 'Asia/Tokio' is no time zone"),
        ({"due": "2026-13-01"}, "due: must be a date such as 2026-12-11"),
        ({"due": "2026-12-11T09:00:00"}, "due: must be a date such as 2026-12-11"),
        ({"due": "0001-01-01T00:00:00+14:00"}, "due: "),
        ({"due": "9999-12-31"}, "due: is more than two years away"),
        ({"due": "2028-12-01"}, "due: is more than two years away"),
        ({"message": "m" * 10_000}, "message: is 10,000 characters long, at most 4,000 are allowed"),
        ({"prefill": {"order": "m" * 10_000}}, "prefill.order: is 10,000 characters long, at most 4,000 are allowed"),
        ({"prefill": {"order": 4711}}, "prefill.order: must be a text"),
        ({"prefill": {str(tag): "" for tag in range(1_000)}}, "prefill: has more than 100 entries"),
        ({"subscribers": ["a b"]}, "subscribers[0]: must be a workflow id"),
        ({"document": {"name": "N"}}, "document: needs either file or template"),
        (
            {"document": {"file": "msa.pdf", "template": "https://x.example/1"}},
            "document: has file and template, but only one of them can be given",
        ),
        ({"document": {"file": "msa.pdf", "name": "\u200b"}}, "document.name: has nothing but characters that cannot"),
        ({"signers": [{"person": "chair", "order": 1.5}]}, "order: must be a whole number"),
        ({"document": {"template": "https://x.example/1"}}, "document: needs a name"),
        ({"document": {"template": "http://x.example/1", "name": "N"}}, "document.template: must be an https URL"),
        (
            {"document": {"file": "https://x.example/a.pdf"}},
            "document.file: is a URL, a file beside this one is expected",
        ),
        ({"document": {"file": "other.pdf"}}, "document.file: other.pdf is not a file in the folder"),
        ({"document": {"file": "."}}, "document.file: . is not a file in the folder"),
        ({"document": {"file": "a" * 300 + ".pdf"}}, "document.file: "),
        ({"document": {"file": "../msa.pdf"}}, "document.file: leads out of the folder of this file"),
        ({"document": {"file": "/etc/hostname"}}, "document.file: must be a path relative to this file"),
        ({"document": {"file": "outside.pdf"}}, "document.file: leads out of the folder of this file"),
        ({"document": {"file": "empty.pdf"}}, "document.file: is an empty file"),
        ({"document": {"file": "text.pdf"}}, "document.file: is not a PDF file"),
        ({"document": {"file": "large.pdf"}}, "document.file: is 1.0 MB large, at most 1 MB can be sent"),
    ],
)
async def test_refused(desk: Desk, changes: dict[str, Any], fault: str) -> None:
    (desk.folder / "empty.pdf").write_bytes(b"")
    (desk.folder / "text.pdf").write_bytes(b"Dear customer")
    (desk.folder / "large.pdf").write_bytes(PDF.ljust(1024 * 1024 + 1))
    (desk.folder / "outside.pdf").symlink_to(Path(__file__))
    messages = await faults(desk, **changes)
    assert len(messages) == 1
    assert fault in messages[0]


async def test_all_faults_come_at_once_with_their_lines(desk: Desk) -> None:
    text = """\
id: msa-0042
knd: customer-contract
document:
  file: https://x.example/msa.pdf
requester: nobody
signers:
  - person: chair
  - person: somebody
    ordr: 2
  - person: chair
due: 2020-01-01
message: "a\\u202eb"
policy: {hours: always}
"""
    assert await faults(desk, text) == [
        "request.yaml:1: kind: is missing",
        "request.yaml:2: knd: unknown, did you mean kind?",
        "request.yaml:4: document.file: is a URL, a file beside this one is expected "
        "(a template of Core Signature stands under template)",
        'request.yaml:5: requester: "nobody" is not in people.yaml',
        'request.yaml:8: signers[1].person: "somebody" is not in people.yaml',
        "request.yaml:9: signers[1].ordr: unknown, did you mean order?",
        "request.yaml:10: signers[2].person: chair is a signer of this request already",
        "request.yaml:11: due: lies in the past",
        "request.yaml:12: message: contains U+202E RIGHT-TO-LEFT OVERRIDE, which is not allowed",
        'request.yaml:13: policy.hours: must be working, any or hours such as "09:00-18:00"',
    ]


@pytest.mark.parametrize("due", ["2026-11-01", "2026-11-02T09:00:00Z", "0001-01-01"])
async def test_a_due_date_in_the_past_cannot_be_started(desk: Desk, due: str) -> None:
    overdue = (await desk.prepare(due=due)).overdue
    assert overdue is not None
    assert str(overdue).endswith("request.yaml:11: due: lies in the past")


async def test_a_bare_due_date_lasts_until_the_latest_signers_evening(desk: Desk) -> None:
    written = FileText("r.json", desk.folder, json.dumps(make_request(due="2026-11-02")))

    async def overdue(now: datetime) -> bool:
        prepared = await prepare_request(written, CheckContext(desk.catalogue, desk.directory, now))
        return prepared.overdue is not None

    assert not await overdue(datetime(2026, 11, 2, 22, 59, tzinfo=UTC))
    assert await overdue(datetime(2026, 11, 2, 23, 0, tzinfo=UTC))


async def test_a_directory_that_does_not_answer_is_not_a_fault_of_the_request(desk: Desk) -> None:
    (desk.folder / "people.yaml").write_text("people: []", "utf-8")
    with pytest.raises(DirectoryFailure, match="people: needs at least 1"):
        await desk.prepare()


@pytest.mark.parametrize("written", ["Verträge/Müller.pdf", normalize("NFD", "Verträge/Müller.pdf")])
async def test_a_document_is_found_however_the_disk_spells_its_name(desk: Desk, written: str) -> None:
    folder = desk.folder / normalize("NFD", "Verträge")
    folder.mkdir()
    (folder / normalize("NFD", "Müller.pdf")).write_bytes(PDF)
    (folder / normalize("NFD", "Düsseldorf.pdf")).symlink_to(Path(__file__))
    prepared = await desk.prepare(document={**REQUEST["document"], "file": written})
    assert prepared.document == PDF
    with pytest.raises(FileFaults, match=r"document\.file: leads out of the folder of this file"):
        await desk.prepare(document={**REQUEST["document"], "file": "Verträge/Düsseldorf.pdf"})


async def test_the_fingerprint_is_of_what_the_file_says(desk: Desk, tmp_path: Path) -> None:
    first = (await desk.prepare()).request.fingerprint
    as_json = FileText("stdin", desk.folder, json.dumps({name: REQUEST[name] for name in reversed(list(REQUEST))}))
    reordered = await prepare_request(as_json, CheckContext(desk.catalogue, desk.directory, NOW))
    assert reordered.request.fingerprint == first
    assert (await desk.prepare(id="other")).request.fingerprint == first
    (desk.folder / "renamed.pdf").write_bytes(PDF)
    renamed = {**REQUEST["document"], "file": "renamed.pdf"}
    assert (await desk.prepare(document=renamed)).request.fingerprint == first


async def test_the_fingerprint_is_pinned(desk: Desk) -> None:
    # Written into memos and records: another one for the same file would refuse every request that lives.
    assert (await desk.prepare()).request.fingerprint == (
        "1e736dfe94863f182dc94f5ce6d12745ea789e9e91edc8b67a35673c5fe6de88"
    )


@pytest.mark.parametrize(
    "changes", [{"message": "m"}, {"due": "2026-12-12"}, {"requester": "chair"}, {"policy": {"window": "90d"}}]
)
async def test_another_content_has_another_fingerprint(desk: Desk, changes: dict[str, Any]) -> None:
    assert (await desk.prepare(**changes)).request.fingerprint != (await desk.prepare()).request.fingerprint


async def test_another_document_has_another_fingerprint(desk: Desk) -> None:
    first = (await desk.prepare()).request.fingerprint
    (desk.folder / "msa.pdf").write_bytes(PDF + b"changed")
    assert (await desk.prepare()).request.fingerprint != first


# --- the start, on the real server -------------------------------------------------------------------------------


async def close(client: Client, id: str) -> str:
    async with Worker(client, task_queue=names.WORKFLOW_QUEUE, workflows=[WaitingRequest]):
        handle = client.get_workflow_handle(Kind.REQUEST.workflow_id(id), result_type=str)
        await handle.signal(WaitingRequest.end)
        result: str = await handle.result()
        return result


@pytest.fixture
async def temporal(dev_server: str) -> Client:
    return await own_namespace(dev_server)


@pytest.mark.long
@pytest.mark.real_server
async def test_the_same_file_is_the_same_request_while_it_runs_and_after(desk: Desk, temporal: Client) -> None:
    prepared = await desk.prepare()
    starts = await asyncio.gather(*(start(temporal, desk.store, prepared) for _ in range(50)))
    assert sum(started.created for started in starts) == 1
    assert len({(started.workflow_id, started.run_id) for started in starts}) == 1
    assert starts[0].workflow_id == "signature-request:msa-0042"
    assert await read_in_pieces(desk.store.files, prepared.request.brief.document.sha256 or "") == PDF

    other_content = await desk.prepare(message="other")
    with pytest.raises(IdTaken, match="msa-0042 is the id of another request") as caught:
        await start(temporal, desk.store, other_content)
    assert "\n" not in str(caught.value)

    assert await close(temporal, "msa-0042") == "msa-0042"
    repeated = await start(temporal, desk.store, prepared)
    assert (repeated.created, repeated.run_id) == (False, starts[0].run_id)
    with pytest.raises(IdTaken):
        await start(temporal, desk.store, other_content)


@pytest.mark.real_server
async def test_what_lists_and_the_web_ui_see_from_the_first_moment(desk: Desk, temporal: Client) -> None:
    prepared = await desk.prepare(id="acme.1.1", of_parent=True)
    await start(temporal, desk.store, prepared, parent="customer-onboarding:acme")
    description = await temporal.get_workflow_handle("signature-request:acme.1.1").describe()
    assert {pair.key.name: pair.value for pair in description.typed_search_attributes.search_attributes} == {
        "CsStatus": "converting",
        "CsKind": "customer-contract",
        "CsStage": "sending",
        "CsParent": "customer-onboarding:acme",
        "CsRequester": "legal-desk",
    }
    assert await description.memo() == {
        "fingerprint": prepared.request.fingerprint,
        "document": "Master services agreement",
    }
    assert await description.static_summary() == "customer-contract: Master services agreement"


@pytest.mark.real_server
async def test_everybody_s_place_in_temporal_s_queues_is_said_at_the_start(desk: Desk, temporal: Client) -> None:
    prepared_and_parents = [
        (await desk.prepare(id="ordinary"), None),
        (await desk.prepare(id="acme.1.1", of_parent=True, policy={"urgent": True}), "customer-onboarding:acme"),
        (
            await desk.prepare(id="conduct-2026.chair", of_parent=True, policy={"urgent": True}),
            "acknowledgement-campaign:conduct-2026",
        ),
    ]
    places = {}
    for prepared, parent in prepared_and_parents:
        id = (await start(temporal, desk.store, prepared, parent=parent)).workflow_id
        described = await temporal.get_workflow_handle(id).describe()
        priority = described.raw_description.workflow_execution_info.priority
        places[prepared.id] = (priority.priority_key, priority.fairness_key)
    assert places == {
        "ordinary": (3, hashlib.sha256(b"customer-contract").hexdigest()[:32]),
        "acme.1.1": (1, hashlib.sha256(b"acme").hexdigest()[:32]),
        "conduct-2026.chair": (5, hashlib.sha256(b"conduct-2026").hexdigest()[:32]),
    }


@pytest.mark.real_server
async def test_a_very_long_document_name_can_be_started(desk: Desk, temporal: Client) -> None:
    prepared = await desk.prepare(document={"file": "msa.pdf", "name": "契約" * 100})
    assert (await start(temporal, desk.store, prepared)).created


@pytest.mark.real_server
async def test_signers_in_full_and_the_message_are_those_of_the_start_that_lives(desk: Desk, temporal: Client) -> None:
    """Whatever a start that failed has left, or one that was slower has written."""
    wrong = await desk.prepare(signers=[{**IN_FULL, "email": "byer@example.org"}], message="Dear Byer")
    right = await desk.prepare(signers=[IN_FULL], message="Dear Buyer", prefill={"buyer": "Buyer Ltd", "new": True})
    home = Kind.REQUEST.workflow_id(right.id)
    assert wrong.signers is not None
    await desk.store.people.keep(home, wrong.request.fingerprint, wrong.signers)
    started = await start(temporal, desk.store, right)
    with pytest.raises(IdTaken):
        await start(temporal, desk.store, wrong)
    assert not (await start(temporal, desk.store, right)).created
    history = await temporal.get_workflow_handle(started.workflow_id).fetch_history()
    [payload] = history.events[0].workflow_execution_started_event_attributes.input.payloads
    assert b"Buyer" not in payload.data
    request = SignatureInput.model_validate_json(payload.data)
    message = Reference.read(request.brief.message or "")
    assert message is not None
    assert await desk.store.texts.read(home, message) == "Dear Buyer"
    values = Reference.read(request.brief.prefill or "")
    assert values is not None
    assert await desk.store.texts.read(home, values) == '{"buyer": "Buyer Ltd", "new": "true"}'
    await desk.store.people.choose(home, request.fingerprint)
    assert (await desk.directory.person(in_full("buyer@example.org"), started.workflow_id)).email == "buyer@example.org"


@pytest.mark.real_server
async def test_a_refused_start_leaves_nothing_beside_the_request_that_runs(desk: Desk, temporal: Client) -> None:
    right = await desk.prepare()
    wrong = await desk.prepare(id=right.id, signers=[IN_FULL], message="Dear Buyer")
    started = await start(temporal, desk.store, right)
    with pytest.raises(IdTaken):
        await start(temporal, desk.store, wrong)
    assert await _stored(desk.store, started.workflow_id) == ((file_part(right.request.fingerprint),), None, [])


@pytest.mark.real_server
async def test_the_document_of_a_refused_start_is_not_stored(desk: Desk, temporal: Client) -> None:
    right = await desk.prepare()
    (desk.folder / "msa.pdf").write_bytes(PDF + b"% another\n")
    wrong = await desk.prepare(id=right.id)
    await start(temporal, desk.store, right)
    with pytest.raises(IdTaken):
        await start(temporal, desk.store, wrong)
    assert not (await start(temporal, desk.store, right)).created
    assert right.document is not None and wrong.document is not None
    assert await desk.store.files.read(hashlib.sha256(right.document).hexdigest()) == right.document
    with pytest.raises(DocumentMissing):
        await desk.store.files.read(hashlib.sha256(wrong.document).hexdigest())


@pytest.mark.real_server
async def test_what_a_crash_left_of_a_start_that_never_ran_goes_after_a_day(desk: Desk, temporal: Client) -> None:
    right = await desk.prepare(message="Dear Buyer")
    wrong = await desk.prepare(id=right.id, signers=[IN_FULL], message="Dear Byer")
    lost = await desk.prepare(id="lost", signers=[IN_FULL])
    started, now = await start(temporal, desk.store, right), datetime.now(UTC)
    await desk.store.database.change(PEOPLE_IN_FULL.update().values(chosen=False))
    for prepared in (wrong, lost):
        await prepared.store_input(desk.store)
    assert await forget_refused(temporal, desk.store, now) == 0
    assert await desk.store.people.refused(started.workflow_id) == ()
    assert await forget_refused(temporal, desk.store, now + 2 * REFUSED_KEPT) == 2
    file = file_part(right.request.fingerprint)
    assert await _stored(desk.store, started.workflow_id) == ((file,), None, ["Dear Buyer"])
    assert await _stored(desk.store, Kind.REQUEST.workflow_id("lost")) == ((), None, [])
    await wrong.store_input(desk.store)
    assert len(await desk.store.people.refused(started.workflow_id)) == 1


async def _stored(store: Store, workflow_id: str) -> tuple[tuple[str, ...], bytes | None, list[str]]:
    """Its files, people in full, and texts."""
    texts = [text.text for text in await store.texts.all(workflow_id)]
    return await store.evidence.parts(workflow_id), await store.people.read(workflow_id), texts


async def test_what_belongs_to_an_onboarding_or_a_campaign_is_named_after_it(desk: Desk) -> None:
    nowhere = await Client.connect("127.0.0.1:1", lazy=True)
    for parent in ("customer-onboarding:acme", "acknowledgement-campaign:acme.1"):
        with pytest.raises(ForeignPartId, match=f"acme.1.1 cannot belong to {parent}" if "." in parent else "cannot"):
            id = "acme.1.1" if "." in parent else "msa-0042"
            await start(nowhere, desk.store, await desk.prepare(id=id, of_parent=True), parent=parent)


@pytest.mark.real_server
async def test_a_file_whose_due_date_is_over_is_recognised_but_never_started(desk: Desk, temporal: Client) -> None:
    in_time = await desk.prepare()
    late = await prepare_request(
        FileText.read(desk.folder / "request.yaml"),
        CheckContext(desk.catalogue, desk.directory, datetime(2027, 1, 1, tzinfo=UTC)),
    )
    with pytest.raises(FileFaults, match="due: lies in the past"):
        await start(temporal, desk.store, late)
    first = await start(temporal, desk.store, in_time)
    repeated = await start(temporal, desk.store, late)
    assert (repeated.created, repeated.run_id) == (False, first.run_id)


@pytest.mark.parametrize("is_same_content", [True, False])
async def test_a_settled_request_is_known_by_its_record_alone(desk: Desk, is_same_content: bool) -> None:
    prepared = await desk.prepare()
    fingerprint = prepared.request.fingerprint if is_same_content else "0" * 64
    record = {"version": 1, "fingerprint": fingerprint, "run_id": "run-1", "show": {}}
    await desk.store.records.write(Kind.REQUEST.workflow_id(prepared.id), json.dumps(record).encode())
    nowhere = await Client.connect("127.0.0.1:1", lazy=True)
    if is_same_content:
        started = await start(nowhere, desk.store, prepared)
        assert (started.created, started.run_id) == (False, "run-1")
    else:
        with pytest.raises(IdTaken):
            await start(nowhere, desk.store, prepared)


@pytest.mark.parametrize(
    "id", ["acme.1.1", "acme.eu.1.12.r2.decide", "small4.chair", "small4.chair.r2", "small4.p-0123456789ab"]
)
async def test_an_id_that_only_a_parent_gives_is_refused(desk: Desk, id: str) -> None:
    message = f"{id} is an id that only an onboarding or campaign gives; choose another one"
    assert await faults(desk, id=id) == [f"request.yaml:1: id: {message}"]


@pytest.mark.parametrize("id", ["acme.1", "acme.account", "acme.1.account", "acme.nobody", "chair", "1.1"])
async def test_another_id_with_dots_may_be_chosen(desk: Desk, id: str) -> None:
    assert (await desk.prepare(id=id)).id == id
