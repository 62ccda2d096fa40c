"""A campaign on the time-skipping server: real audience, walks, planner, hand-off and store; many documents."""

import asyncio
import json
import uuid
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any, NamedTuple, Self

from pydantic import SecretStr
from temporalio.client import Client, WorkflowHandle
from temporalio.service import RPCError, RPCStatusCode
from temporalio.testing import WorkflowEnvironment
from temporalio.worker import Worker

from activities.campaign.batch import AHEAD_AT_MOST, BatchLimits
from activities.campaign.intake import PreparedCampaign, prepare_campaign
from activities.campaign.member_status import (
    MemberVisibility,
    OpenMembers,
    TemporalMemberVisibility,
)
from activities.campaign.service import CampaignPeopleService
from activities.campaign.yearly import CampaignYearsService
from activities.files.reading import FileText
from activities.hand_off.http_call import HttpTargets, HttpTargetsConfig
from activities.hand_off.service import HandOffService
from activities.http.transport import Guard
from activities.launch import launch
from activities.launch.doors import CheckContext
from activities.people.file_directory import FileDirectory
from activities.policies.catalogue import Catalogue
from activities.records.audiences import Member
from activities.records.outcomes import MemberOutcome
from activities.records.store import Store
from activities.schedule.planner import PolicyPlanner
from activities.temporal import executions as runs
from activities.temporal.interceptors import HeartbeatInterceptor
from tests.glances import glances
from tests.plain_http import plain_client
from tests.servers import time_skipping
from tests.workflows import corpus
from tests.workflows.command_story import CommandStory
from tests.workflows.fakes import FakeEvidence, FakePushService
from tests.workflows.onboarding.stage import PDF, ManyDocuments
from tests.workflows.stage import TriesOnce, is_at_work
from workflows import names
from workflows.campaign.opening import CampaignOpeningWorkflow
from workflows.campaign.state import CampaignInput
from workflows.campaign.workflow import AcknowledgementCampaignWorkflow
from workflows.kinds import Kind
from workflows.model.hand_off import SettledCampaign
from workflows.model.signature import ProviderEvent, ReportedSigner, SignerState
from workflows.model.subject import Code, Status
from workflows.model.views import CampaignShow, RequestShow
from workflows.names import (
    BATCH_QUEUE,
    CAMPAIGN_QUEUE,
    EVIDENCE_QUEUE,
    PROVIDER_EVENT,
    SHOW,
    SIGNATURE_QUEUE,
    WORKFLOW_QUEUE,
)
from workflows.signature.workflow import SignatureRequestWorkflow

SECRET = SecretStr("a secret of the campaigns, long enough for links")
OWNER = "compliance-desk"
ZONE = {"zone": "Europe/Amsterdam", "hours": "09:00-18:00", "days": "mon-sun"}


def a_person(
    id: str, manager: str | None = "chair", groups: tuple[str, ...] = ("all-staff",), **fields: Any
) -> dict[str, Any]:
    """Somebody of the company."""
    named = {"id": id, "name": id.title(), "email": f"{id}@us.example", "groups": list(groups), **ZONE, **fields}
    return {**named, "manager": manager} if manager else named


def staff(*names: str, **fields: Any) -> list[dict[str, Any]]:
    """The owner, a chair above everybody, and these."""
    above = [a_person(OWNER, groups=()), a_person("chair", manager=None, groups=())]
    return [*above, *(a_person(name, department="sales", **fields) for name in names)]


KINDS = {
    "policy-acknowledgement": {
        "window": "14d",
        "reminders": {"first": "3d", "every": "3d", "most": 3},
        "warnings": ["2d", "1d", "0d"],
        "overdue": {"every": "3d", "most": None, "escalate": True},
        "grace": "7d",
        "hours": "working",
    }
}


def a_file(**fields: Any) -> dict[str, Any]:
    """The code of conduct for everybody."""
    return {
        "id": "conduct",
        "document": {"file": "conduct.pdf", "name": "Code of conduct", "version": "2026.1", "effective": "2026-12-01"},
        "audience": {"group": "all-staff"},
        "owner": OWNER,
        **fields,
    }


@dataclass
class PolledVisibility:
    """Visibility on a server that has none: whoever may have a request is looked at, unless it `is_away`.

    `is_full` when as many as may wait for Core Signature, and go on waiting.
    """

    client: Client
    store: Store
    people: tuple[str, ...]
    is_away: bool = False
    is_full: bool = False

    async def open_of(self, campaign: str) -> OpenMembers:
        """See `MemberVisibility`."""
        status, broken, refused = {}, {}, set()
        for id in [f"{campaign}.{person}{suffix}" for person in self.people for suffix in ("", ".r2")]:
            try:
                run = await runs.described(self.client, Kind.REQUEST.workflow_id(id))
            except RPCError:
                continue
            if run.status.broken_off:
                broken[id] = str(run.status)
            elif run.status.open:
                status[id] = run.search_attributes.get(names.STATUS) or ""
                refused |= {id} if run.search_attributes.get(names.PROBLEM) == Code.REFUSED else set()
        return OpenMembers(status, broken, frozenset(refused))

    async def unusual_of(self, campaign: str) -> OpenMembers:
        """See `MemberVisibility`."""
        open_members = await self.open_of(campaign)
        return replace(
            open_members, status={id: state for id, state in open_members.status.items() if state != Status.SENT}
        )

    async def going_on(self, campaign: str) -> int:
        """See `MemberVisibility`."""
        return len((await self.open_of(campaign)).status)

    async def waiting(self, campaign: str) -> int:
        """See `MemberVisibility`."""
        if self.is_away:
            raise RPCError("away", RPCStatusCode.UNAVAILABLE, b"")
        if self.is_full:
            return AHEAD_AT_MOST
        open_members = await self.open_of(campaign)
        return sum(
            state == Status.CONVERTING and id not in open_members.refused for id, state in open_members.status.items()
        )


@dataclass
class Company:
    """The files of somebody who runs campaigns."""

    folder: Path
    people: list[dict[str, Any]]

    def __post_init__(self) -> None:
        self.folder.mkdir(parents=True, exist_ok=True)
        (self.folder / "conduct.pdf").write_bytes(PDF)
        (self.folder / "catalogue.yaml").write_text(json.dumps({"kinds": KINDS}))
        self.store = Store(str(self.folder / "store"))
        self.hires()
        self.directory = FileDirectory(self.folder / "people.yaml", self.store, SECRET)

    def hires(self, *people: dict[str, Any]) -> None:
        """Write the people file with these as well."""
        self.people += people
        (self.folder / "people.yaml").write_text(json.dumps({"people": self.people}))

    def loses(self, id: str) -> None:
        """Write the people file without somebody."""
        self.people = [person for person in self.people if person["id"] != id]
        self.hires()

    async def prepared(
        self,
        file: dict[str, Any],
        now: datetime | None = None,
        table: bytes | None = None,
    ) -> PreparedCampaign:
        """A campaign of a file that was checked."""
        (self.folder / "campaign.yaml").write_text(json.dumps(file))
        return await prepare_campaign(
            FileText.read(self.folder / "campaign.yaml"),
            CheckContext(Catalogue.read(self.folder / "catalogue.yaml"), self.directory, now or datetime.now(UTC)),
            table=table,
        )


class CampaignOutcomes(NamedTuple):
    """The record of a campaign, verified."""

    lines: list[MemberOutcome]
    population: dict[str, Any] | None
    changes: list[dict[str, Any]]

    @classmethod
    async def read(cls, store: Store, sha256: str) -> Self:
        await store.outcomes.verify(sha256)
        record = await store.outcomes.record(sha256)
        return cls(await record.lines.read(), record.population, record.changes)


@dataclass
class CampaignStory(CommandStory):
    """One campaign on the stage, with all that it starts."""

    env: WorkflowEnvironment
    company: Company
    provider: ManyDocuments
    push: FakePushService
    visibility: MemberVisibility
    workflow_input: CampaignInput
    handle: WorkflowHandle[AcknowledgementCampaignWorkflow, SettledCampaign]
    started: list[launch.StartResult] = field(default_factory=list)

    @property
    def client(self) -> Client:
        """Of the server."""
        return self.env.client

    @property
    def id(self) -> str:
        """The campaign's."""
        return self.workflow_input.campaign.id

    async def read_view(self) -> CampaignShow:
        """What the campaign itself says."""
        view: CampaignShow = await self.handle.query(SHOW, result_type=CampaignShow)
        return view

    async def wait_until(self, holds: Callable[[CampaignShow], Any]) -> CampaignShow:
        """What it says once this holds; time stands meanwhile, and something is always at work."""
        for pause in glances():
            if holds(view := await self.read_view()):
                return view
            await asyncio.sleep(pause)
        raise AssertionError(view.model_dump_json(indent=1))

    async def wait_until_opened(self) -> CampaignShow:
        """Once everybody was seen to, and told."""
        view = await self.wait_until(lambda view: view.frozen and view.asked >= view.frozen.rows)
        for member in await self.members():
            if member.is_asked:
                await self.wait_until_notified(member.person)
        await self.at_rest()
        return view

    async def wait_until_notified(self, person: str, times: int = 1) -> None:
        """Until somebody was asked so many times."""
        for pause in glances():
            if self.stages_sent_to(person).count("ready") >= times:
                return await self.at_rest()
            await asyncio.sleep(pause)
        raise AssertionError(self.push.stages())

    def request(self, person: str) -> str:
        """The workflow of somebody's request."""
        return Kind.REQUEST.workflow_id(f"{self.id}.{person}")

    async def end_request(self, person: str, outcome: Status = Status.SIGNED) -> None:
        """Let somebody's request end at the provider, and tell its workflow."""
        await self.at_rest()
        state = SignerState.SIGNED if outcome is Status.SIGNED else SignerState.DECLINED
        acted_at = await self.now()
        reason = None if outcome is Status.SIGNED else "I do not agree"
        self.provider.statuses[f"{self.id}.{person}"] = outcome
        self.provider.acted[f"{self.id}.{person}"] = [
            ReportedSigner(person=person, state=state, at=acted_at, reason=reason)
        ]
        event = ProviderEvent(id=uuid.uuid4().hex, type="signed", at=datetime.now(UTC))
        handle = self.client.get_workflow_handle(self.request(person))
        await handle.query(SHOW)  # the time-skipping server mixes up a signal with a task that is being completed
        await handle.signal(PROVIDER_EVENT, event)
        await handle.result()

    async def now(self) -> datetime:
        """What time it is there."""
        return await self.env.get_current_time()

    async def days_pass(self, days: float) -> None:
        """Move the clock between moments of rest, a day at a time: each day has its look."""
        while days > 0:
            await self.at_rest()
            await self.env.sleep(timedelta(days=min(days, 1)))
            days -= 1
        await self.at_rest()

    async def at_rest(self) -> None:
        """Until neither the campaign nor any request of it is at work."""
        ids = [self.handle.id, *(self.request(person["id"]) for person in self.company.people if person["groups"])]
        for pause in glances():
            if not [id for id in ids if await self._is_at_work(id)]:
                return
            await asyncio.sleep(pause)

    async def _is_at_work(self, id: str) -> bool:
        try:
            return await is_at_work(self.client, id)
        except RPCError:
            return False

    async def members(self) -> list[Member]:
        """The audience with its changes, as the store has it."""
        pages = self.company.store.audiences.members(self.handle.id)
        return [member async for page in pages for member in page]

    async def lines(self) -> dict[str, MemberOutcome]:
        """The line of each person in the record of a campaign that has ended."""
        outcomes = await self.outcomes()
        return {line.person: line for line in outcomes.lines}

    async def outcomes(self) -> CampaignOutcomes:
        """What it has come to."""
        sha256 = (await self.read_view()).outcomes
        assert sha256 is not None
        return await CampaignOutcomes.read(self.company.store, sha256)

    def stages_sent_to(self, person: str) -> list[str]:
        """The stages of all notices to somebody, in order."""
        return [notice.stage for notice in self.push.sent if notice.person == person]

    async def events(self, run_id: str) -> int:
        """How many events a run of the campaign has."""
        handle = self.client.get_workflow_handle(self.handle.id, run_id=run_id)
        return len([event async for event in handle.fetch_history_events()])

    async def has_request(self, person: str) -> bool:
        """Whether somebody has a request."""
        try:
            return bool(await runs.described(self.client, self.request(person)))
        except RPCError:
            return False

    async def is_asked_to_end(self, person: str) -> bool:
        """Whether somebody's request knows that it is to be cancelled."""
        handle = self.client.get_workflow_handle(self.request(person))
        view: RequestShow = await handle.query(SHOW, result_type=RequestShow)
        return any(entry.what == "cancellation asked for" for entry in view.timeline)

    async def history(self) -> list[Any]:
        """The events of its present run."""
        return list((await self.handle.fetch_history()).events)


@dataclass
class CampaignStage:
    """A company whose workers are at work on a server."""

    env: WorkflowEnvironment
    company: Company
    provider: ManyDocuments
    push: FakePushService
    visibility: MemberVisibility

    @property
    def client(self) -> Client:
        """Of the server."""
        return self.env.client


@asynccontextmanager
async def start_stage(
    folder: Path,
    people: list[dict[str, Any]],
    *,
    limits: BatchLimits | None = None,
    server: AbstractAsyncContextManager[WorkflowEnvironment] | None = None,
    requests_too: bool = False,
) -> AsyncIterator[CampaignStage]:
    """Real audience, walks, years, planner, hand-off and store, on a fresh clock unless it is on a `server`.

    Unless `requests_too`, nobody works on requests: a campaign and its members need nobody there.
    """
    company, provider = Company(folder, people), ManyDocuments()
    push = FakePushService(provider)
    async with server or time_skipping() as env, plain_client() as calls:
        client = env.client
        ids = (*(person["id"] for person in people), "newcomer", "latecomer")
        visibility = TemporalMemberVisibility(client) if server else PolledVisibility(client, company.store, ids)
        people_service = CampaignPeopleService(
            client, company.store, company.directory, push, limits=limits or BatchLimits(), visibility=visibility
        )
        years = CampaignYearsService(client, company.store, company.directory, company.folder / "catalogue.yaml")
        handoff = HandOffService(
            push=push,
            downstream=HttpTargets(calls, HttpTargetsConfig(), Guard(())),
            directory=company.directory,
            temporal=client,
            store=company.store,
            document_url=str,
            policies=company.folder / "catalogue.yaml",
        )
        ports = (PolicyPlanner(company.directory), push, handoff)
        walks = [
            Worker(
                client,
                task_queue=queue,
                workflows=[AcknowledgementCampaignWorkflow, CampaignOpeningWorkflow, SignatureRequestWorkflow],
                activities=[activity for port in ports for activity in port.activities()],
                workflow_runner=TriesOnce(),
            )
            for queue in (CAMPAIGN_QUEUE, *([WORKFLOW_QUEUE] if requests_too else []))
        ]
        batches = Worker(
            client,
            task_queue=BATCH_QUEUE,
            activities=[*people_service.activities(), *years.activities()],
            interceptors=[HeartbeatInterceptor()],
            max_heartbeat_throttle_interval=timedelta(seconds=2),
        )
        signing = Worker(client, task_queue=SIGNATURE_QUEUE, activities=[*provider.activities(), *push.activities()])
        keeping = Worker(client, task_queue=EVIDENCE_QUEUE, activities=FakeEvidence().activities())
        async with AsyncExitStack() as working:
            for worker in (*walks, batches, signing, keeping):
                await working.enter_async_context(worker)
            yield CampaignStage(env, company, provider, push, visibility)


@asynccontextmanager
async def start_campaign(
    folder: Path,
    file: dict[str, Any],
    people: list[dict[str, Any]],
    *,
    record: str = "",
    limits: BatchLimits | None = None,
    server: AbstractAsyncContextManager[WorkflowEnvironment] | None = None,
    requests_too: bool = False,
) -> AsyncIterator[CampaignStory]:
    """A campaign that has just been started, on a fresh clock unless it is on a `server`.

    `record` names its history in the replay corpus.
    """
    async with start_stage(folder, people, limits=limits, server=server, requests_too=requests_too) as stage:
        client, company = stage.client, stage.company
        prepared = await company.prepared(file, await stage.env.get_current_time())
        started = await launch.start(client, company.store, prepared)
        handle: WorkflowHandle[AcknowledgementCampaignWorkflow, SettledCampaign]
        handle = client.get_workflow_handle(started.workflow_id, result_type=SettledCampaign)
        campaign_input = await prepared.store_input(company.store)
        yield CampaignStory(
            stage.env, company, stage.provider, stage.push, stage.visibility, campaign_input, handle, [started]
        )
        await corpus.record(record, handle)


def in_days(now: datetime, days: int) -> date:
    """That many days from an instant."""
    return (now + timedelta(days=days)).date()
