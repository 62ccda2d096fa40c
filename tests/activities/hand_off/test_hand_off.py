"""The fan-out of a settled request: every target told in its own way, each with its own result."""

import json
from collections.abc import AsyncIterator
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from pydantic import SecretStr
from standardwebhooks import Webhook
from temporalio import workflow
from temporalio.client import Client
from temporalio.contrib.pydantic import pydantic_data_converter
from temporalio.exceptions import ApplicationError
from temporalio.worker import UnsandboxedWorkflowRunner, Worker

from activities.hand_off import service as handoff
from activities.hand_off.http_call import HttpTargets, HttpTargetsConfig
from activities.hand_off.service import HandOffService
from activities.hand_off.target_health import TargetState, becoming, enable, find_topic, state_of
from activities.http.client import make_client
from activities.http.transport import Guard
from activities.notifications.service import NotificationService
from activities.people.file_directory import FileDirectory
from activities.records.ended import ListFilter
from activities.records.erasures import Erasure
from activities.records.evidence import FIELDS
from activities.records.settled import AMENDMENTS_AT_ONCE
from activities.records.store import Store
from deploy.sandbox.server import RunningSandbox
from starter.queries.lookup import recorded
from tests.activities.notifications.conftest import (
    a_worker,
    core,
    directory,
    fcm,
    links,
    notices,
    sandbox,
    signatures,
    store,
)
from tests.activities.notifications.stage import arm, brief, entries, mark, pushes, sends
from tests.golden import schemas
from tests.golden.schemas import FOLDER, validator
from tests.servers import time_skipping
from tests.storage import altered, take_table_away, writes
from workflows.follow_up.outbox import REPLAYS_AT_MOST, subscriber
from workflows.follow_up.record import amendment
from workflows.kinds import Kind, referred
from workflows.model.campaign import Counts
from workflows.model.evidence import KeptFile
from workflows.model.hand_off import (
    AnyEnded,
    EscalatedRequest,
    HandoffCall,
    HandoffLine,
    HandoffReport,
    HandoffResult,
    HandoffState,
    SettledCampaign,
    SettledOnboarding,
    SettledPerson,
    SettledRequest,
    SettledSigner,
    SettledTask,
)
from workflows.model.notifications import NotificationOutcome
from workflows.model.policy import Format, Target
from workflows.model.records import (
    Amendment,
    HandoffBatch,
    HandOffOrder,
    RecordedHandOff,
    ReplayOrder,
    SettledRecord,
)
from workflows.model.schedule import EscalationReason, Reason
from workflows.model.signature import SignerState
from workflows.model.subject import Role, Status
from workflows.model.timeline import EventType, TimelineEntry
from workflows.model.views import GivenAnswer, RequestShow, SignerLine, TaskShow
from workflows.names import SIGNATURE_SETTLED, webhook_id

__all__ = ["a_worker", "core", "directory", "fcm", "links", "notices", "sandbox", "signatures", "store"]

AT = datetime(2026, 12, 4, 9, 30, tzinfo=UTC)
SECRET = "whsec_c2VjcmV0IG9mIGZpbmFuY2U="
SETTLED = SettledRequest(
    request="msa-0042",
    kind="customer-contract",
    outcome=Status.SIGNED,
    at=AT,
    external_id="msa-0042",
    document_sha256="ab" * 32,
    signers=(SettledSigner(person="chief-executive", state=SignerState.SIGNED, at=AT),),
)

AT_TASK = SettledPerson(person="chair", state="done", at=AT)


@workflow.defn
class Subscriber:
    """Ends with the first `signature_settled` it gets."""

    def __init__(self) -> None:
        self._settled: SettledRequest | None = None

    @workflow.run
    async def run(self) -> SettledRequest | None:
        """Wait for the news."""
        await workflow.wait_condition(lambda: self._settled is not None)
        return self._settled

    @workflow.signal(name=SIGNATURE_SETTLED)
    def settled(self, settled: SettledRequest) -> None:
        """The news."""
        self._settled = settled


async def nowhere() -> Client:
    """A client whose server is not there; it connects when first used."""
    return await Client.connect("127.0.0.1:9", lazy=True, data_converter=pydantic_data_converter)


@dataclass(frozen=True)
class House:
    """The activity with all it needs, over the sandbox."""

    push: NotificationService
    directory: FileDirectory
    downstream: HttpTargets
    url: str
    store: Store
    policies: Path

    async def tell(
        self, *targets: Target, temporal: Client | None = None, oncall: str = "", **batch: Any
    ) -> tuple[HandoffResult, ...]:
        """The results of one hand-off to these targets."""
        return (await self.hand_off(*targets, temporal=temporal, oncall=oncall, **batch)).results

    async def hand_off(
        self, *targets: Target, temporal: Client | None = None, oncall: str = "", **batch: Any
    ) -> HandoffReport:
        """All that it reports."""
        return await self._fanout(temporal or await nowhere(), oncall).hand_off(self.batch(*targets, **batch))

    def batch(self, *targets: Target, **batch: Any) -> HandoffBatch:
        """What is handed off to these targets."""
        calls = tuple(HandoffCall(target=target) for target in targets)
        return HandoffBatch(**{"subject": brief(), "settled": SETTLED, "calls": calls, "document": "D", **batch})

    async def amendments(self) -> list[Amendment]:
        """All that came after the record."""
        contents = [
            content
            async for page in self.store.records.amendments(Kind.REQUEST.workflow_id("msa-0042"))
            for content in page
        ]
        return [Amendment.model_validate_json(content) for content in contents]

    async def dead(self) -> list[str]:
        """The targets that were given up, once it has ended."""
        return [dead_target.target async for dead_target in self.store.hand_offs.dead()]

    async def recall(self, id: str) -> RecordedHandOff:
        """What is known of an ending's hand-off."""
        return await self._fanout(await nowhere()).read(ReplayOrder(id=id))

    def _fanout(self, temporal: Client, oncall: str = "") -> HandOffService:
        return HandOffService(
            push=self.push,
            downstream=self.downstream,
            directory=self.directory,
            temporal=temporal,
            store=self.store,
            document_url=lambda uuid: f"https://sign.example/api/v1/documents/{uuid}/",
            policies=self.policies,
            oncall=oncall,
        )

    def hook(self, name: str, **fields: Any) -> Target:
        """A target that is called over HTTP."""
        return Target(target=name, url=f"{self.url}/_sandbox/targets/{name}", **fields)


@pytest.fixture
async def house(
    sandbox: RunningSandbox,
    notices: NotificationService,
    directory: FileDirectory,
    tmp_path: Path,
) -> AsyncIterator[House]:
    """Everything but Temporal."""
    config = HttpTargetsConfig(secrets={"finance": (SecretStr(SECRET),)})
    guard = Guard((sandbox.url.removeprefix("http://"),))
    async with make_client() as client:
        store, downstream = Store(f"{tmp_path}/kept"), HttpTargets(client, config, guard)
        yield House(notices, directory, downstream, sandbox.url, store, tmp_path / "catalogue.yaml")


def called(sandbox: RunningSandbox, name: str) -> dict[str, Any]:
    """The one call a downstream target got."""
    (call,) = (entry for entry in entries(sandbox, "downstream") if entry["target"] == name)
    return call


async def test_a_system_gets_the_contracts_body_signed(house: House, sandbox: RunningSandbox) -> None:
    (result,) = await house.tell(house.hook("finance"))
    assert result == HandoffResult(target="finance", ok=True)
    call = called(sandbox, "finance")
    assert call["body"] == {
        "type": "signature.settled",
        "timestamp": "2026-12-04T09:30:00Z",
        "data": {
            "version": 1,
            "request": "msa-0042",
            "kind": "customer-contract",
            "outcome": "signed",
            "at": "2026-12-04T09:30:00Z",
            "external_id": "msa-0042",
            "document_sha256": "ab" * 32,
            "document": None,
            "signing_log": None,
            "signed_sha256": None,
            "signers": [{"person": "chief-executive", "state": "signed", "at": "2026-12-04T09:30:00Z"}],
            "link": "https://sign.example/api/v1/documents/D/",
            "late": False,
        },
    }
    assert call["headers"]["webhook-id"] == webhook_id("msa-0042/handoff/finance")
    Webhook(SECRET).verify(call["raw"], call["headers"])


async def test_names_and_addresses_go_only_where_they_are_asked_for(
    house: House,
    sandbox: RunningSandbox,
) -> None:
    former_signer = SettledSigner(person="left-the-company", state=SignerState.SIGNED, at=AT)
    await house.tell(
        house.hook("finance"),
        house.hook("archive", personal=True),
        settled=SETTLED.replace(signers=(*SETTLED.signers, former_signer)),
    )
    assert "ceo@example.test" not in called(sandbox, "finance")["raw"]
    data = called(sandbox, "archive")["body"]["data"]
    known_signer, unknown = data["signers"]
    assert (data["title"], brief().title in called(sandbox, "finance")["raw"]) == (brief().title, False)
    assert (known_signer["name"], known_signer["email"]) == ("Chief Executive", "ceo@example.test")
    assert unknown.keys() == {"person", "state", "at"}


async def test_what_signers_filled_in_is_for_targets_that_want_personal_data_with_the_document_that_has_it(
    house: House, sandbox: RunningSandbox
) -> None:
    fields = [{"id": "order-number", "value": "4711"}, {"id": "newsletter", "value": False}]
    workflow_id, personal = Kind.REQUEST.workflow_id("msa-0042"), house.hook("archive", personal=True)
    with_document = SETTLED.replace(document=KeptFile(sha256="cd" * 32, bytes=20))
    await house.store.evidence.keep_part(workflow_id, FIELDS, json.dumps(fields).encode())
    await house.tell(house.hook("finance"), personal, settled=with_document)
    await house.tell(personal, settled=with_document, number=2)
    first, second = (call for call in entries(sandbox, "downstream") if call["target"] == "archive")
    assert first["body"]["data"]["fields"] == fields
    assert first["raw"] == second["raw"], "an attempt says what the one before it said"
    assert "fields" not in called(sandbox, "finance")["body"]["data"]
    validator(schemas.schema("signature.settled")).validate(first["body"]["data"])
    await house.tell(house.hook("crm", personal=True), settled=SETTLED)
    assert "fields" not in called(sandbox, "crm")["body"]["data"], "its first event went out before they were kept"
    erased_at = datetime(2027, 1, 4, tzinfo=UTC)
    await house.store.erasures.carry_out(
        Erasure(workflow_id, "chief-executive", "desk", "asked", erased_at, erased_at), ()
    )
    await house.tell(house.hook("audit", personal=True), settled=with_document)
    assert "fields" not in called(sandbox, "audit")["body"]["data"]


async def test_a_system_gets_a_cloud_event_if_it_wants_one_signed_and_named_as_every_call(
    house: House, sandbox: RunningSandbox
) -> None:
    await house.tell(house.hook("finance", format=Format.CLOUDEVENTS), house.hook("archive"))
    call = called(sandbox, "finance")
    assert call["body"] == {
        "specversion": "1.0",
        "id": call["headers"]["webhook-id"],
        "source": "/countersign",
        "type": "signature.settled",
        "subject": "msa-0042",
        "time": "2026-12-04T09:30:00Z",
        "datacontenttype": "application/json",
        "data": called(sandbox, "archive")["body"]["data"],
    }
    Webhook(SECRET).verify(call["raw"], call["headers"])


@pytest.mark.long
@pytest.mark.parametrize("personal", [False, True])
async def test_the_data_is_what_the_schema_of_its_event_says(
    house: House, sandbox: RunningSandbox, personal: bool
) -> None:
    endings: tuple[AnyEnded, ...] = (
        SETTLED,
        SettledTask(task="t", kind="team-task", outcome=Status.DONE, at=AT, by="chair", people=(AT_TASK,)),
        SettledOnboarding(onboarding="acme", kind="customer-onboarding", outcome=Status.DONE, at=AT),
        SettledCampaign(campaign="c", kind="policy", outcome=Status.DONE_WITH_ERRORS, at=AT, counts=Counts(told=1)),
    )
    for settled in endings:
        kind = settled.of
        await house.tell(
            house.hook(f"of-{kind}", personal=personal), settled=settled, subject=brief().replace(type=kind)
        )
        body = called(sandbox, f"of-{kind}")["body"]
        schema_validator = validator(json.loads((FOLDER / f"{body['type']}.json").read_text()))
        schema_validator.validate(body["data"])
        assert not schema_validator.is_valid({**body["data"], "version": 2})
        assert not schema_validator.is_valid({name: value for name, value in body["data"].items() if name != "at"})


@pytest.mark.long
async def test_what_a_task_was_answered_is_for_targets_that_want_personal_data_and_can_be_erased(
    house: House, sandbox: RunningSandbox, tmp_path: Path
) -> None:
    settled_task = SettledTask(
        task="msa-0042", kind="team-task", outcome=Status.DONE, at=AT, by="chair", people=(AT_TASK,)
    )
    answer = GivenAnswer(label="Address for invoices", text="1 Rue du Port")
    show = TaskShow(id="msa-0042", kind="team-task", status=Status.DONE, title="t", people=(), answer=answer)
    arguments: dict[str, Any] = {"settled": settled_task, "subject": brief().replace(type=Kind.TASK)}
    settled_record = SettledRecord(fingerprint="f" * 64, run_id="run-1", show=show)
    await house.tell(house.hook("finance"), house.hook("archive", personal=True), record=settled_record, **arguments)
    assert b"Rue" not in (await house.store.records.read("task:msa-0042") or b"")
    assert "Rue" not in called(sandbox, "finance")["raw"]
    data = called(sandbox, "archive")["body"]["data"]
    assert data["answer"] == {"label": "Address for invoices", "text": "1 Rue du Port"}
    validator(json.loads((FOLDER / "task.settled.json").read_text())).validate(data)
    altered(house.store, "DELETE FROM texts")
    await house.tell(house.hook("audit", personal=True), **arguments)
    assert "answer" not in called(sandbox, "audit")["body"]["data"]


ESCALATED_NOW = EscalatedRequest(
    request="msa-0042",
    external_id="msa-0042",
    kind="customer-contract",
    at=AT,
    number=2,
    person="chief-executive",
    to="chair",
    reason=EscalationReason.ESCALATION,
)


def escalation_to(*targets: Target) -> dict[str, Any]:
    """A batch before anything has ended."""
    calls = (HandoffCall(target=target.of_escalation(2), escalated=ESCALATED_NOW) for target in targets)
    return {"settled": None, "calls": tuple(calls), "at": AT}


async def test_a_system_hears_of_an_escalation_signed_by_its_own_secret_and_under_a_key_of_its_own(
    house: House, sandbox: RunningSandbox
) -> None:
    personal = house.hook("finance", personal=True)
    (result,) = await house.tell(**escalation_to(personal))
    assert result == HandoffResult(target="finance/escalated-2", ok=True)
    call = called(sandbox, "finance")
    body = call["body"]
    assert call["headers"]["webhook-id"] == webhook_id("msa-0042/handoff/finance/escalated-2")
    Webhook(SECRET).verify(call["raw"], call["headers"])
    assert (body["type"], body["timestamp"]) == ("signature.escalated", "2026-12-04T09:30:00Z")
    assert body["data"] == {
        "version": 1,
        "kind": "customer-contract",
        "at": "2026-12-04T09:30:00Z",
        "link": "https://sign.example/api/v1/documents/D/",
        "number": 2,
        "person": "chief-executive",
        "to": "chair",
        "reason": "escalation",
        "request": "msa-0042",
        "external_id": "msa-0042",
        "title": brief().title,
    }
    validator(schemas.schema("signature.escalated")).validate(body["data"])
    validator(schemas.schema("task.escalated")).validate({**body["data"], "task": "t"})
    [changed] = await house.amendments()
    assert changed.handoffs[0].target == "finance/escalated-2"
    assert await house.dead() == []


async def test_people_hear_of_an_escalation_in_words_that_ask_nothing_of_them(
    house: House, sandbox: RunningSandbox
) -> None:
    board = Target(target="board", group="directors")
    results = await house.tell(**escalation_to(board, Target(target="fin", person="finance-chief")))
    assert [result.ok for result in results] == [True, True]
    assert {push["title"] for push in pushes(sandbox)} == {"Escalated: Master services agreement"}
    assert {line.stage for result in results for line in result.delivered} == {"news-2"}


@pytest.mark.parametrize("event", schemas.EVENTS)
def test_the_schemas_are_those_of_the_models(event: str) -> None:
    assert json.loads(schemas.path_of(event).read_text()) == schemas.schema(event), "run: python -m tests.golden"


async def test_why_somebody_declined_goes_only_where_it_is_asked_for_and_no_more_once_it_is_erased(
    house: House, sandbox: RunningSandbox, tmp_path: Path
) -> None:
    line = SignerLine(
        person="chief-executive", order=1, role=Role.SIGN, state=SignerState.DECLINED, reason="We have no such annex."
    )
    view = record(Status.DECLINED).show
    assert isinstance(view, RequestShow)
    declined = record(Status.DECLINED).replace(show=view.replace(signers=(line,)))
    await house.tell(house.hook("finance"), house.hook("archive", personal=True), record=declined)
    stored_record = await house.store.records.read(Kind.REQUEST.workflow_id("msa-0042"))
    assert b"annex" not in (stored_record or b"")
    assert "annex" not in called(sandbox, "finance")["raw"]
    assert called(sandbox, "archive")["body"]["data"]["signers"][0]["reason"] == "We have no such annex."
    altered(house.store, "DELETE FROM texts")
    await house.tell(house.hook("audit", personal=True))
    assert "reason" not in called(sandbox, "audit")["body"]["data"]["signers"][0]


async def test_who_declined_hears_that_they_did_and_others_that_a_signer_did(
    house: House, sandbox: RunningSandbox
) -> None:
    [signer] = SETTLED.signers
    declined = SETTLED.replace(
        outcome=Status.DECLINED, signers=(signer.replace(person="finance-chief", state=SignerState.DECLINED),)
    )
    targets = [Target(target=person, person=person) for person in ("finance-chief", "legal-desk")]
    await house.tell(*targets, settled=declined)
    assert sorted(push["text"] for push in pushes(sandbox)) == [
        "It was declined by a signer.",
        "Nothing is left for you to do.",
    ]


async def test_a_person_is_told_of_the_ending(house: House, sandbox: RunningSandbox) -> None:
    (result,) = await house.tell(Target(target="finance", person="finance-chief"))
    assert result.ok
    (push,) = pushes(sandbox)
    assert push["text"] == "It has been signed.", "one person alone was asked"
    (line,) = result.delivered
    assert (line.key, line.stage, line.person) == ("msa-0042/settled/finance-chief", "settled", "finance-chief")


async def test_a_dead_target_is_listed_with_those_that_were_dead_before_once_it_has_ended(house: House) -> None:
    nobody = Target(target="board", group="no-such-group")
    await house.tell(**escalation_to(nobody))
    assert await house.dead() == []
    for _ in range(2):
        await house.tell(house.hook("hr"), nobody, number=2, record=record(), at=AT)
    assert await house.dead() == ["board", "board/escalated-2"]
    dead = ListFilter((Kind.REQUEST.spec.prefix,), (Status.SIGNED,), "customer-contract", attention=True)
    assert [row.workflow_id for row in await house.store.ended_follow_ups.page(dead, 2)] == [
        "signature-request:msa-0042"
    ]


async def test_whoever_is_told_by_a_replay_under_the_same_key_is_dead_no_more(
    house: House, sandbox: RunningSandbox
) -> None:
    hook = house.hook("finance")
    await house.tell(Target(target="finance", group="no-such-group"), record=record(), at=AT)
    assert await house.dead() == ["finance"]
    call = HandoffCall(target=hook, replay=1, by="ops")
    await house.tell(calls=(call,), number=2, at=AT)
    assert await house.dead() == []
    (called,) = entries(sandbox, "downstream")
    assert called["headers"]["webhook-id"] == webhook_id("msa-0042/handoff/finance")
    lines = [line for amendment in await house.amendments() for line in amendment.handoffs]
    assert [(line.state, line.replay) for line in lines] == [("dead", 0), ("done", 1)]


async def test_what_was_told_is_not_among_the_dead(house: House) -> None:
    await house.tell(house.hook("finance"), record=record())
    assert await house.dead() == []


async def test_the_requester_and_whoever_is_on_call_hear_of_a_dead_target(
    house: House, sandbox: RunningSandbox
) -> None:
    target = Target(target="alert:chief-executive", person="chief-executive")
    call = HandoffCall(target=target, stage="undelivered", listed=False)
    (result,) = await house.tell(oncall="finance-chief", calls=(call,))
    assert result.ok
    assert {line.key for line in result.delivered} == {
        "msa-0042/undelivered/chief-executive",
        "msa-0042/undelivered/finance-chief",
    }
    assert {push["person"] for push in pushes(sandbox)} == {"chief-executive", "finance-chief"}
    assert {push["title"] for push in pushes(sandbox)} >= {"Not everyone was told: Master services agreement"}
    reached = call.replace(reached=tuple(line.person for line in result.delivered))
    (second_result,) = await house.tell(oncall="finance-chief", calls=(reached,))
    assert second_result.ok and not second_result.delivered


async def test_every_member_of_a_group_is_told(house: House, sandbox: RunningSandbox) -> None:
    (result,) = await house.tell(Target(target="board", group="directors"))
    assert result.ok
    assert {line.person for line in result.delivered} == {"chief-executive", "finance-chief"}
    assert {push["person"] for push in pushes(sandbox)} == {"chief-executive", "finance-chief"}


@pytest.mark.parametrize(
    ("target", "reason"),
    [
        (Target(target="archive", person="archive"), "no_device"),
        (Target(target="nobody", person="nobody"), "unknown_person"),
        (Target(target="phoneless", group="phoneless"), "no_device"),
        (Target(target="unknown", group="no-such-group"), 'the group "no-such-group" is not in people.yaml'),
    ],
)
async def test_who_cannot_be_told_is_a_dead_target_with_its_reason(house: House, target: Target, reason: str) -> None:
    (result,) = await house.tell(target)
    assert (result.ok, result.gone, result.why) == (False, True, reason)


async def test_a_withdrawal_is_done_also_where_there_is_no_phone(house: House) -> None:
    target = Target(target="notice:archive", person="archive")
    (result,) = await house.tell(calls=(HandoffCall(target=target, stage="withdrawal"),))
    assert result.ok
    assert [line.outcome for line in result.delivered] == [NotificationOutcome.SUPPRESSED]


async def test_a_push_service_that_is_away_costs_only_those_on_phones(
    house: House,
    sandbox: RunningSandbox,
) -> None:
    arm(sandbox, fault="429", times=None, retry_after=120)
    person, hook = await house.tell(Target(target="hr", person="legal-desk"), house.hook("finance"))
    assert (person.ok, person.gone, hook.ok) == (False, False, True)
    assert 120 <= person.retry_after < 130


async def test_a_phone_of_another_project_is_tried_again_and_told_once_ours_is_the_right_one(
    house: House, sandbox: RunningSandbox
) -> None:
    target = Target(target="finance", person="finance-chief")
    mark(sandbox, "finance-chief~1", "other_sender")
    (result,) = await house.tell(target)
    assert (result.ok, result.gone, result.why) == (False, False, Reason.PUSH_MISMATCH)
    mark(sandbox, "finance-chief~1", "valid")
    (result,) = await house.tell(target)
    assert result.ok


async def test_a_system_that_is_away_or_whose_address_is_refused_is_tried_again(
    house: House,
    sandbox: RunningSandbox,
) -> None:
    for name, fault in (("moved", "404"), ("broken", "500"), ("cut", "cut")):
        arm(sandbox, path=f"/_sandbox/targets/{name}", fault=fault)
    results = await house.tell(
        *(house.hook(name) for name in ("moved", "broken", "cut")), Target(target="inside", url="https://10.0.0.1/")
    )
    assert [(result.ok, result.gone) for result in results] == [(False, False)] * 4
    assert results[0].why == "HTTP 404"


@pytest.mark.long
async def test_a_waiting_workflow_is_signalled_with_the_data_and_a_closed_one_is_dead(house: House) -> None:
    target = Target(target="customer-onboarding:acme", workflow="customer-onboarding:acme")
    async with time_skipping() as env:
        handle = await env.client.start_workflow(Subscriber.run, id=target.workflow or "", task_queue="subscribers")
        async with Worker(
            env.client,
            task_queue="subscribers",
            workflows=[Subscriber],
            workflow_runner=UnsandboxedWorkflowRunner(),
        ):
            (signalled,) = await house.tell(target, temporal=env.client)
            link = "https://sign.example/api/v1/documents/D/"
            assert (signalled.ok, await handle.result()) == (True, SETTLED.replace(link=link))
            closed, missing = await house.tell(
                target, Target(target="x", workflow="no-such-workflow"), temporal=env.client
            )
            part = brief().replace(id="acme.1.1")
            (own_result,) = await house.tell(target, temporal=env.client, subject=part)
    for result in (closed, missing):
        assert (result.ok, result.gone, result.why) == (False, True, "workflow_closed")
    assert (own_result.ok, own_result.gone) == (True, False), "what an onboarding has ended itself alarms nobody"


async def test_a_temporal_that_does_not_answer_is_tried_again(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(handoff, "SIGNAL_DEADLINE", handoff.SIGNAL_DEADLINE / 100)
    (result,) = await house.tell(Target(target="x", workflow="customer-onboarding:acme"))
    assert (result.ok, result.gone) == (False, False)


async def test_our_own_fault_costs_only_its_target(house: House, sandbox: RunningSandbox) -> None:
    broken = brief().replace(title="\ud800")
    person, hook = await house.tell(Target(target="hr", person="legal-desk"), house.hook("finance"), subject=broken)
    assert (person.ok, person.gone, person.why) == (False, False, "our fault: UnicodeEncodeError")
    assert hook.ok
    assert not sends(sandbox)


async def test_what_became_of_a_batch_is_kept_as_an_amendment_of_the_record(
    house: House, sandbox: RunningSandbox
) -> None:
    await house.tell(house.hook("finance"), Target(target="gone", workflow="no-such-workflow"), number=1, at=AT)
    [changed] = await house.amendments()
    finance, gone_line = changed.handoffs
    assert (finance.target, finance.state, finance.attempts, finance.at) == ("finance", HandoffState.DONE, 1, AT)
    assert (gone_line.target, gone_line.state) == ("gone", HandoffState.PENDING)
    await house.tell(house.hook("finance"), number=2, at=AT)
    assert len(await house.amendments()) == 2


async def test_what_the_store_does_not_take_is_reported_and_comes_before_anybody_else_is_told(
    house: House, sandbox: RunningSandbox
) -> None:
    finance, board = house.hook("finance"), Target(target="board", group="no-such-group")
    await house.tell(record=record())
    with take_table_away(house.store, "hand_offs"):
        report = await house.hand_off(finance, board, at=AT)
        assert ([result.ok for result in report.results], report.recorded) == ([True, False], False)
        lost = amendment(house.batch(finance, board, at=AT), report, AT)
        arguments: dict[str, Any] = {"unrecorded": lost, "number": 2, "at": AT}
        with pytest.raises(ApplicationError, match="the database cannot be used"):
            await house.hand_off(house.hook("crm"), **arguments)
    assert len(entries(sandbox, "downstream")) == 1
    assert (await house.hand_off(**arguments)).recorded
    assert await house.amendments() == [lost]
    assert await house.dead() == ["board"]


def record(outcome: Status = Status.SIGNED) -> SettledRecord:
    """The settled record as a workflow hands it over."""
    view = RequestShow(id="msa-0042", kind="customer-contract", status=outcome, says="It has ended")
    return SettledRecord(fingerprint="f" * 64, run_id="run-1", show=view)


async def test_the_settled_record_is_written_before_anybody_hears_and_a_repetition_is_equal_to_the_byte(
    house: House, sandbox: RunningSandbox
) -> None:
    await house.tell(house.hook("finance"), record=record())
    first = await house.store.records.read(Kind.REQUEST.workflow_id("msa-0042"))
    settled_record = SettledRecord.model_validate_json(first or b"")
    order = HandOffOrder(subject=brief().subject, settled=SETTLED, document="D", targets=(house.hook("finance"),))
    assert settled_record == record().replace(settled=SETTLED, hand_off=order)
    await house.tell(house.hook("finance"), record=record())
    assert await house.store.records.read(Kind.REQUEST.workflow_id("msa-0042")) == first


async def test_whom_to_hand_off_to_once_more_is_in_the_record_with_all_that_became_of_it(house: House) -> None:
    acme = subscriber("customer-onboarding:acme")
    finance, board = house.hook("finance"), Target(target="board", group="no-such-group")
    order = HandOffOrder(subject=brief().subject, settled=SETTLED, document="D", targets=(finance, board))
    await house.tell(finance, board, acme, record=record(), targets=order.targets, at=AT)
    await house.tell(calls=(HandoffCall(target=board, replay=1, by="ops"),), number=2, at=AT)
    await house.tell(subscriber("came-later"), number=3, at=AT)
    hand_off = await house.recall("msa-0042")
    assert hand_off.order == order.replace(targets=(finance, board, acme, subscriber("came-later")))
    assert [(line.target, line.state, line.replay) for line in hand_off.lines] == [
        ("finance", HandoffState.DONE, 0),
        ("board", HandoffState.DEAD, 0),
        ("customer-onboarding:acme", HandoffState.PENDING, 0),
        ("board", HandoffState.DEAD, 1),
        ("came-later", HandoffState.PENDING, 0),
    ]
    assert hand_off.batches == 3
    assert await house.recall("nobody") == RecordedHandOff()


async def test_a_target_that_wants_no_calls_gets_none_and_loses_nothing(house: House, sandbox: RunningSandbox) -> None:
    incidents, target_key = house.store.incidents, find_topic(house.hook("finance"))
    await incidents.change(target_key, lambda incident: becoming(incident, TargetState.DISABLED, AT, "HTTP 410"))
    finance_result, archive_result = await house.tell(house.hook("finance"), house.hook("archive"), at=AT)
    assert (finance_result.ok, finance_result.held, archive_result.ok) == (False, True, True)
    assert [call["target"] for call in entries(sandbox, "downstream")] == ["archive"]
    await enable(incidents, "finance", AT)
    (called,) = await house.tell(house.hook("finance"), number=2, at=AT)
    assert called.ok
    assert state_of(await incidents.read(target_key)) is TargetState.WORKING


async def test_however_often_it_was_replayed_a_replay_goes_by_the_original_and_the_last(house: House) -> None:
    board = Target(target="board", group="no-such-group")
    await house.tell(board, record=record(), at=AT)
    for number in range(1, 11):
        await house.tell(calls=(HandoffCall(target=board, replay=number, by="ops"),), number=number + 1, at=AT)
    hand_off = await house.recall("msa-0042")
    assert ([line.replay for line in hand_off.lines], hand_off.batches) == ([0, 10], 11)


@pytest.mark.long
async def test_of_ten_times_as_many_replays_as_are_shown_the_record_shows_the_original_and_the_newest(
    house: House, tmp_path: Path
) -> None:
    """The batches are ten times as many as are read at once."""
    replay_count = max(10 * REPLAYS_AT_MOST, 10 * AMENDMENTS_AT_ONCE)
    store, home = Store(str(tmp_path)), Kind.REQUEST.workflow_id("msa-0042")
    await store.records.write(home, record().model_dump_json(by_alias=True).encode())
    for number in range(replay_count):
        line = HandoffLine(target="board", state=HandoffState.DEAD, attempts=1, at=AT, replay=number)
        batch_amendment = Amendment(number=number + 1, handoffs=(line,), subscribers=("acme",))
        await store.records.amend(home, number + 1, batch_amendment.model_dump_json(by_alias=True).encode())
    view = await recorded(store, referred("msa-0042"))
    assert view is not None
    assert [line.replay for line in view.handoffs] == [0, *range(replay_count - REPLAYS_AT_MOST, replay_count)]
    hand_off = await replace(house, store=store).recall("msa-0042")
    assert ([line.replay for line in hand_off.lines], hand_off.batches) == ([0, replay_count - 1], replay_count)


async def test_no_words_of_people_are_in_a_record_that_is_never_changed(house: House) -> None:
    timeline_entry = TimelineEntry(
        at=AT, happened=EventType.DECLINED, who="chair", why="I am getting divorced", said=True
    )
    also = timeline_entry.replace(why="I am divorced")
    settled = record().replace(show=record().show.replace(timeline=(timeline_entry, also)))
    with writes(house.store) as store_writes:
        await house.tell(house.hook("finance"), record=settled)
    assert len(store_writes) == 3, "words, record, what became of it"
    await house.tell(house.hook("finance"), record=settled)
    assert b"divorced" not in (await house.store.records.read(Kind.REQUEST.workflow_id("msa-0042")) or b"")
    assert (await recorded(house.store, referred("msa-0042")) or record().show).timeline[0] == timeline_entry


async def test_nobody_hears_of_an_ending_that_could_not_be_recorded(house: House, sandbox: RunningSandbox) -> None:
    with take_table_away(house.store, "records"), pytest.raises(ApplicationError, match="the database cannot be used"):
        await house.tell(house.hook("finance"), record=record())
    assert entries(sandbox, "downstream") == []


async def test_an_ending_that_is_told_again_goes_to_those_who_never_heard_and_as_the_record_has_it(
    house: House, sandbox: RunningSandbox
) -> None:
    """As of a reset: the batches begin at 1 again, and it has ended otherwise this time."""
    finance, crm, gone_target = (
        house.hook("finance"),
        house.hook("crm"),
        Target(target="gone", workflow="no-such-workflow"),
    )
    declined = SETTLED.replace(outcome=Status.DECLINED)
    settled = record(Status.DECLINED).replace(settled=declined)
    await house.tell(finance, gone_target, settled=declined, record=settled, at=AT)
    await house.tell(Target(target="board", group="no-such-group"), settled=declined, number=2, at=AT)
    amendments_before = await house.amendments()
    report = await house.hand_off(finance, crm, record=record(), at=AT)
    assert report.results == (
        HandoffResult(target="finance", ok=True, told_before=True),
        HandoffResult(target="crm", ok=True),
    )
    assert [call["target"] for call in entries(sandbox, "downstream")] == ["finance", "crm"]
    assert called(sandbox, "crm")["body"]["data"]["outcome"] == "declined"
    *earlier_amendments, added = await house.amendments()
    assert (earlier_amendments, report.number) == (amendments_before, 3)
    assert [line.target for line in added.handoffs] == ["crm"]


async def test_a_batch_before_the_end_writes_over_nothing_that_became_of_an_earlier_end(house: House) -> None:
    """A reset goes on for days, and somebody is alerted before it ends a second time."""
    news = EscalatedRequest(
        request="msa-0042",
        kind="customer-contract",
        at=AT,
        external_id="msa-0042",
        number=1,
        person="chair",
        to="board",
        reason=EscalationReason.ESCALATION,
    )
    await house.tell(house.hook("finance"), record=record(), at=AT)
    amendments_before = await house.amendments()
    call = HandoffCall(target=house.hook("finance").of_escalation(1), escalated=news)
    report = await house.hand_off(calls=(call,), settled=None, at=AT)
    *earlier_amendments, _ = await house.amendments()
    assert (earlier_amendments, report.number) == (amendments_before, 2)


async def test_another_record_under_the_id_stays_and_stops_nobody(
    house: House, sandbox: RunningSandbox, caplog: pytest.LogCaptureFixture
) -> None:
    await house.store.records.write(Kind.REQUEST.workflow_id("msa-0042"), b"{}")
    (result,) = await house.tell(house.hook("finance"), record=record())
    assert result.ok
    assert await house.store.records.read(Kind.REQUEST.workflow_id("msa-0042")) == b"{}"
    assert "settled record conflicts" in caplog.text
