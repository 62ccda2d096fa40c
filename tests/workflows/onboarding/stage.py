"""An onboarding on the time-skipping server: real planner, parts, hand-off and store; a provider of many documents."""

import asyncio
import json
import uuid
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from temporalio.client import Client, WorkflowHandle
from temporalio.testing import WorkflowEnvironment
from temporalio.worker import Worker

from activities.files.reading import FileText
from activities.hand_off.http_call import HttpTargets, HttpTargetsConfig
from activities.hand_off.service import HandOffService
from activities.http.transport import Guard
from activities.launch import launch
from activities.launch.doors import CheckContext
from activities.onboarding.intake import PreparedOnboarding, prepare_onboarding
from activities.onboarding.service import OnboardingPartsService
from activities.people.file_directory import FileDirectory
from activities.policies.catalogue import Catalogue
from activities.records.store import Store
from activities.records.user_texts import words_of
from activities.schedule.planner import PolicyPlanner
from activities.temporal import executions as runs
from tests.activities.launch.papers import SECRET
from tests.glances import glances
from tests.plain_http import plain_client
from tests.servers import time_skipping
from tests.workflows import corpus
from tests.workflows.command_story import CommandStory
from tests.workflows.fakes import FakeEvidence, FakePushService, FakeSignatureService, refusal
from tests.workflows.stage import TriesOnce, is_at_work
from workflows.kinds import named
from workflows.model.commands import UPDATES, AnyCommand, TaskCompletion
from workflows.model.hand_off import SettledOnboarding
from workflows.model.receipts import Receipt
from workflows.model.records import SettledRecord
from workflows.model.signature import (
    CancelOrder,
    CreateOrder,
    ProviderEvent,
    ReportedDocument,
    ReportedSigner,
    SignerState,
)
from workflows.model.subject import Code, Roster, Status
from workflows.model.views import OnboardingShow, PartLine, Shown, TaskShow
from workflows.names import EVIDENCE_QUEUE, PROVIDER_EVENT, SHOW, SIGNATURE_QUEUE, WORKFLOW_QUEUE
from workflows.onboarding.state import OnboardingInput
from workflows.onboarding.workflow import CustomerOnboardingWorkflow
from workflows.signature.workflow import SignatureRequestWorkflow
from workflows.task.workflow import TaskWorkflow

PDF = b"%PDF-1.4\n1 0 obj\n<< /Type /Catalog /Pages 2 0 R >>\nendobj\n%%EOF\n"
_DAYS_AT_MOST = 100
OWNER, CUSTOMER = "account-executive", "customer-signer"
ZONE = {"zone": "Europe/Amsterdam", "hours": "00:00-23:59", "days": "mon-sun"}
PEOPLE = [
    {"id": CUSTOMER, "name": "Ada Ng", "email": "ada@customer.example", **ZONE},
    {"id": "customer-colleague", "name": "Bo Li", "email": "bo@customer.example", **ZONE},
    {"id": OWNER, "name": "Cas Vos", "email": "cas@us.example", "manager": "chair", **ZONE},
    {"id": "chair", "name": "Dee Roy", "email": "dee@us.example", "manager": "board", **ZONE},
    {"id": "board", "name": "Ina Lo", "email": "ina@us.example", **ZONE},
    {"id": "chief-executive", "name": "Eva Kok", "email": "eva@us.example", "manager": "chair", **ZONE},
    {"id": "operations-desk", "name": "Fay Bos", "email": "fay@us.example", "manager": "chair", **ZONE},
    {"id": "success-desk", "name": "Gus Pot", "email": "gus@us.example", "manager": "chair", **ZONE},
]
KINDS = {
    "contract": {"window": "30d", "reminders": {"first": "3d", "every": "3d", "most": 3}, "hours": "any"},
    "short": {"window": "5d", "reminders": None, "warnings": ["1d"], "hours": "any", "escalation": None},
}


def an_agreement(name: str = "Master services agreement", kind: str = "contract", **fields: Any) -> dict[str, Any]:
    """An agreement that the customer signs."""
    return {"kind": kind, "document": {"file": "msa.pdf", "name": name}, "signers": [{"person": "customer"}], **fields}


def a_file(*stages: dict[str, Any], **fields: Any) -> dict[str, Any]:
    """An onboarding of Acme."""
    return {
        "id": "acme",
        "customer": {"name": "Acme", "person": CUSTOMER, "colleagues": [{"person": "customer-colleague"}]},
        "owner": OWNER,
        "teams": {"operations": "operations-desk", "success": "success-desk"},
        "stages": list(stages),
        **fields,
    }


AGREEMENTS = {"name": "agreements", "agreements": [an_agreement(), an_agreement("Data processing agreement")]}
SET_UP = {
    "name": "account set-up",
    "tasks": [{"id": "account", "title": "Create the account", "team": "operations", "tell_customer": True}],
}
DETAILS = {"name": "your details", "steps": [{"id": "billing", "title": "Where do the invoices go?", "delegate": True}]}
LIVE = {"name": "live", "notices": [{"to": "customer", "text": "Welcome, your service is active."}]}
WHOLE = (AGREEMENTS, SET_UP, DETAILS, LIVE)


@dataclass
class Clock:
    """What time the activities think it is."""

    at: datetime = field(default_factory=lambda: datetime.now(UTC))

    def __call__(self) -> datetime:
        return self.at


@dataclass
class ManyDocuments(FakeSignatureService):
    """A provider that knows each request by its own document."""

    statuses: dict[str, Status] = field(default_factory=dict)
    acted: dict[str, list[ReportedSigner]] = field(default_factory=dict)
    refused: set[str] = field(default_factory=set)
    """The requests that it makes no document of."""
    gate: asyncio.Event | None = None
    """Nothing is made until it is set."""

    def sees(self, roster: Roster) -> ReportedDocument:
        """The document of one request."""
        status = self.statuses.setdefault(roster.id, Status.SENT)
        return ReportedDocument(
            document=f"document-of-{roster.id}",
            status=status,
            raw=status[:2],
            signers=tuple(self.acted.get(roster.id, ())),
            mails_endings=True,
        )

    async def create(self, order: CreateOrder) -> ReportedDocument:
        if self.gate:
            await self.gate.wait()
        if order.brief.id in self.refused:
            raise refusal(Code.REFUSED)
        self.created.append(order)
        return self.sees(order.brief)

    async def cancel(self, order: CancelOrder) -> ReportedDocument | None:
        self.cancelled.append(order)
        if order.subject.id not in self.statuses:
            return None
        if not self.statuses[order.subject.id].has_ended:
            self.statuses[order.subject.id] = Status.CANCELLED
        return self.sees(order.subject)


@dataclass
class OnboardingStory(CommandStory):
    """One onboarding on the stage, with all that it starts."""

    env: WorkflowEnvironment
    store: Store
    clock: "Clock"
    provider: ManyDocuments
    push: FakePushService
    parts: OnboardingPartsService
    workflow_input: OnboardingInput
    handle: WorkflowHandle[CustomerOnboardingWorkflow, SettledOnboarding]

    @property
    def client(self) -> Client:
        """Of the server."""
        return self.env.client

    async def read_view(self) -> OnboardingShow:
        """What the onboarding itself says."""
        view: OnboardingShow = await self.handle.query(SHOW, result_type=OnboardingShow)
        return view

    async def part(self, id: str) -> PartLine:
        """How it sees one of its parts."""
        return next(part for stage in (await self.read_view()).stages for part in stage.parts if part.id == id)

    async def wait_until(self, holds: Callable[[OnboardingShow], Any]) -> OnboardingShow:
        """What it says once this holds; time stands meanwhile, and something is always at work."""
        for pause in glances():
            if holds(view := await self.read_view()):
                return view
            await asyncio.sleep(pause)
        raise AssertionError(view.model_dump_json(indent=1))

    async def wait_for_workflow(self, part: str) -> str:
        """The workflow of a part, once it was begun."""
        return (await self.wait_for_part(part)).workflow or ""

    async def wait_for_part(self, id: str) -> PartLine:
        """A part once it was begun."""
        await self.wait_until(lambda view: any(part.id == id and part.state == "open" for part in _parts(view)))
        return await self.part(id)

    async def end_agreement(self, part: str, outcome: Status = Status.SIGNED, reason: str | None = None) -> None:
        """Let an agreement end at the provider, and tell its workflow."""
        workflow_id = await self.wait_for_workflow(part)
        await self.at_rest()
        id = workflow_id.partition(":")[2]
        self.provider.statuses[id] = outcome
        if reason is not None:
            declined = ReportedSigner(person=CUSTOMER, state=SignerState.DECLINED, reason=reason)
            self.provider.acted[id] = [declined]
        await self.callback(workflow_id)

    def provider_saw(self, person: str, state: SignerState) -> ReportedSigner:
        """What the provider says of a signer."""
        return ReportedSigner(person=person, state=state)

    async def callback(self, workflow_id: str) -> None:
        """What the receiver would signal."""
        event = ProviderEvent(id=uuid.uuid4().hex, type="signed", at=datetime.now(UTC))
        handle = self.client.get_workflow_handle(workflow_id)
        await handle.query(SHOW)  # the time-skipping server mixes up a signal with a task that is being completed
        await handle.signal(PROVIDER_EVENT, event)

    async def complete_task(self, part: str, actor: str) -> None:
        """Let a task be done."""
        await self.send_command_to(await self.wait_for_workflow(part), TaskCompletion(actor=actor))

    async def send_command_to(self, workflow_id: str, command: AnyCommand) -> Receipt:
        """Have a command taken by one of the workflows."""
        await self.at_rest()
        handle = self.client.get_workflow_handle(workflow_id)
        receipt: Receipt = await handle.execute_update(UPDATES[type(command)], command, result_type=Receipt)
        return receipt

    async def days_pass(self, days: float) -> None:
        """Move the clock between moments of rest, a day at a time: what begins while it moves has its first task with
        the next move."""
        while days > 0:
            step = timedelta(days=min(days, 1))
            await self.at_rest()
            await self.env.sleep(step)
            self.clock.at += step
            days -= 1
        await self.at_rest()

    async def wait_for_end(self) -> SettledOnboarding:
        """How it ended; a wait for the result itself would have a skipping clock run on while something begins."""
        if not self.env.supports_time_skipping:
            return await self.handle.result()
        await self.at_rest()
        for _ in range(_DAYS_AT_MOST):
            if not (await runs.described(self.client, self.handle.id)).status.open:
                return await self.handle.result()
            await self.days_pass(1)
        raise AssertionError((await self.read_view()).model_dump_json(indent=1))

    async def at_rest(self) -> None:
        """Until neither the onboarding nor anything it has started is at work."""
        for pause in glances():
            view = await self.read_view()
            ids = [self.handle.id, *(id for part in _parts(view) for id in (part.workflow, part.decision) if id)]
            if not [id for id in ids if await is_at_work(self.client, id)]:
                return
            await asyncio.sleep(pause)

    async def record_of(self, workflow_id: str) -> Shown:
        """The settled record of one of the workflows."""
        content = await self.store.records.read(workflow_id)
        assert content is not None
        return SettledRecord.model_validate_json(content).show

    async def text_of(self, task: str) -> str:
        """What a task says."""
        view = await self.record_of(task)
        assert isinstance(view, TaskShow)
        return await words_of(self.store, task, view.text)

    async def history(self) -> str:
        """All that its history holds, as text."""
        return (await self.handle.fetch_history()).to_json()

    async def runs(self) -> int:
        """How many runs it took so far."""
        count, run_id = 0, (await self.handle.describe()).run_id
        while run_id:
            events = self.client.get_workflow_handle(self.handle.id, run_id=run_id).fetch_history_events()
            began = (await anext(aiter(events))).workflow_execution_started_event_attributes
            count, run_id = count + 1, began.continued_execution_run_id
        return count

    def stages_sent_to(self, person: str) -> list[str]:
        """The stages of all notices to somebody."""
        return [notice.stage for notice in self.push.sent if notice.person == person]

    async def wait_until_notified(self, workflow_id: str, stage: str, person: str) -> None:
        """Until somebody was told something by one of the workflows."""
        for pause in glances():
            if (stage, person) in self.notices_of(workflow_id):
                return await self.at_rest()
            await asyncio.sleep(pause)
        raise AssertionError(self.notices_of(workflow_id))

    def notices_of(self, id: str) -> list[tuple[str, str]]:
        """The notices of one subject, each with its person."""
        return [
            (notice.stage, notice.person)
            for delivery in self.push.deliveries
            if delivery.subject.reference == named_reference(id)
            for notice in delivery.notices
        ]


def named_reference(workflow_id: str) -> str:
    """What notices call a workflow."""
    reference = named(workflow_id)
    assert reference is not None
    return reference.reference


def _parts(view: OnboardingShow) -> list[PartLine]:
    return [part for stage in view.stages for part in stage.parts]


@dataclass
class House:
    """The files of somebody who onboards customers."""

    folder: Path

    def __post_init__(self) -> None:
        self.folder.mkdir(parents=True, exist_ok=True)
        (self.folder / "msa.pdf").write_bytes(PDF)
        (self.folder / "people.yaml").write_text(json.dumps({"people": PEOPLE}))
        (self.folder / "catalogue.yaml").write_text(json.dumps({"kinds": KINDS}))
        self.store = Store(str(self.folder / "store"))
        self.directory = FileDirectory(self.folder / "people.yaml", self.store, SECRET)

    async def prepared(self, file: dict[str, Any] | str, now: datetime | None = None) -> PreparedOnboarding:
        """An onboarding of a file that was checked."""
        text = file if isinstance(file, str) else json.dumps(file)
        (self.folder / "acme.yaml").write_text(text)
        return await prepare_onboarding(
            FileText.read(self.folder / "acme.yaml"),
            CheckContext(
                Catalogue.read(self.folder / "catalogue.yaml"),
                self.directory,
                now or datetime.now(UTC),
                templates_folder=self.folder,
            ),
        )


def set_locale(folder: Path, person: str, locale: str) -> None:
    """From now on somebody of the directory reads another language."""
    people = [
        {**person_fields, "locale": locale} if person_fields["id"] == person else person_fields
        for person_fields in PEOPLE
    ]
    (folder / "people.yaml").write_text(json.dumps({"people": people}))


@asynccontextmanager
async def start_onboarding(
    folder: Path,
    file: dict[str, Any],
    record: str = "",
    server: AbstractAsyncContextManager[WorkflowEnvironment] | None = None,
    deaf: tuple[str, ...] = (),
    depth: int = 0,
    service: type[OnboardingPartsService] = OnboardingPartsService,
) -> AsyncIterator[OnboardingStory]:
    """An onboarding that has just been started, on a fresh clock unless it is on a `server`.

    `record` names its history in the replay corpus; the phones of the `deaf` do not take the first notice of all.
    """
    house = House(folder)
    provider = ManyDocuments()
    push = FakePushService(provider, deaf_once=list(deaf))
    async with server or time_skipping() as env, plain_client() as calls:
        client = env.client
        clock = Clock()
        parts = service(client, house.store, house.directory, folder / "catalogue.yaml", clock)
        handoff = HandOffService(
            push=push,
            downstream=HttpTargets(calls, HttpTargetsConfig(), Guard(())),
            directory=house.directory,
            temporal=client,
            store=house.store,
            document_url=str,
            policies=folder / "catalogue.yaml",
        )
        ports = (PolicyPlanner(house.directory), push, handoff, parts)
        worker = Worker(
            client,
            task_queue=WORKFLOW_QUEUE,
            workflows=[CustomerOnboardingWorkflow, SignatureRequestWorkflow, TaskWorkflow],
            activities=[activity for port in ports for activity in port.activities()],
            workflow_runner=TriesOnce(),
        )
        signing = Worker(client, task_queue=SIGNATURE_QUEUE, activities=[*provider.activities(), *push.activities()])
        keeping = Worker(client, task_queue=EVIDENCE_QUEUE, activities=FakeEvidence().activities())
        async with worker, signing, keeping:
            prepared = await house.prepared(file, await env.get_current_time())
            onboarding_input = prepared.workflow_input
            prepared = replace(
                prepared,
                workflow_input=onboarding_input.replace(onboarding=onboarding_input.onboarding.replace(depth=depth)),
            )
            started = await launch.start(client, house.store, prepared)
            handle: WorkflowHandle[CustomerOnboardingWorkflow, SettledOnboarding]
            handle = client.get_workflow_handle(started.workflow_id, result_type=SettledOnboarding)
            onboarding_input = await prepared.store_input(house.store)
            yield OnboardingStory(env, house.store, clock, provider, push, parts, onboarding_input, handle)
            await corpus.record(record, handle)
