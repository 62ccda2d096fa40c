"""`make bench BENCH=audience [N=100000]`: a campaign ten times past what one is run with, without its requests.

Each step in a process of its own, with its seconds and the most memory it had: the campaign's file with its table is
checked, the audience frozen, its status read as `campaign show` and the daily look do, the record made, the report
written. The records of the requests are written by a script: what is measured is the way over them.
"""

import asyncio
import json
import tempfile
import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from functools import partial
from multiprocessing import get_context
from pathlib import Path
from typing import Any, Final, NamedTuple, cast

from pydantic import SecretStr
from rich.text import Text
from sqlalchemy import Connection
from temporalio.client import Client

from activities.campaign.intake import PreparedCampaign, prepare_campaign
from activities.campaign.member_status import OpenMembers
from activities.campaign.service import CampaignPeopleService
from activities.files.reading import FileText
from activities.launch.doors import CheckContext
from activities.people.file_directory import FileDirectory
from activities.policies.catalogue import Catalogue
from activities.records.database import chunks
from activities.records.settled import write_record
from activities.records.store import Store
from starter.cli.campaign import FORMS, write
from starter.queries.campaign import CampaignPicture, overview
from starter.queries.campaign_report import DEFAULT, build_report, names_of
from tests.bench import memory
from tests.bench.table import machine
from workflows.campaign.state import last_instant
from workflows.kinds import Kind
from workflows.model.campaign import CampaignOrder, Counts, DailyCheck, FrozenAudience, SettleOrder
from workflows.model.records import SettledRecord
from workflows.model.subject import Status
from workflows.model.timeline import EventType, TimelineEntry
from workflows.model.views import CampaignShow, RequestShow
from workflows.ports import PushService

NAME: Final = "audience"
PEOPLE: Final = 100_000
MEGABYTES: Final = 500.0
SECONDS: Final = 60.0
_REPORT: Final = (5.0, 350.0)
AIMS: Final[Mapping[str, tuple[float, float]]] = {
    "status": (0.15, MEGABYTES),
    "look": (3.0, MEGABYTES),
    **dict.fromkeys(("report.csv", "report.json", "report.html"), _REPORT),
}
"""Seconds and megabytes of steps that have aims of their own, for as many people as `PEOPLE`."""
_BEGAN: Final = datetime(2026, 12, 1, 9, tzinfo=UTC)
_PDF: Final = b"%PDF-1.4\n1 0 obj<</Type/Catalog>>endobj\ntrailer<</Root 1 0 R>>\n%%EOF\n"


Step = Callable[[str, Path], Awaitable["StepCost"]]


class StepCost(NamedTuple):
    """Seconds of a step, and the megabytes its process had at most."""

    seconds: float
    megabytes: float


@dataclass(frozen=True)
class AudienceFigures:
    """All steps, in their order."""

    people: int
    steps: Mapping[str, StepCost]

    def as_json(self) -> dict[str, dict[str, float]]:
        """The shape of BENCH_JSON."""
        return {
            f"{NAME}.{name}": {"seconds": round(took.seconds, 2), "mb": round(took.megabytes), "people": self.people}
            for name, took in self.steps.items()
        }

    def in_words(self) -> Text:
        """A line a step, green within the aims."""
        lines = Text(f"{self.people:,} people\n")
        for name, took in self.steps.items():
            seconds, megabytes = AIMS.get(name, (SECONDS, MEGABYTES))
            is_met = took.seconds <= seconds and took.megabytes <= megabytes
            aim = f"(aims ≤ {seconds:g} s, ≤ {megabytes:g} MB)"
            line = f"{NAME}.{name}: {took.seconds:,.2f} s, {took.megabytes:,.0f} MB {aim}\n"
            lines.append(line, style="green" if is_met else "red")
        return lines.append(machine(), style="dim")


class _Nobody:
    """Visibility that knows of no request: all have ended."""

    async def open_of(self, campaign: str) -> OpenMembers:
        """See `Visibility`."""
        return OpenMembers()

    async def unusual_of(self, campaign: str) -> OpenMembers:
        """See `Visibility`."""
        return OpenMembers()

    async def going_on(self, campaign: str) -> int:
        """See `Visibility`."""
        return 0

    async def waiting(self, campaign: str) -> int:
        """See `Visibility`."""
        return 0


@dataclass(frozen=True)
class AudienceWorkspace:
    """The files of the campaign, and its store."""

    folder: Path

    @property
    def store(self) -> Store:
        """Of all its processes."""
        return Store(str(self.folder / "store"))

    @property
    def people(self) -> CampaignPeopleService:
        """What walks over the audience; nobody is told anything."""
        store = self.store
        directory = FileDirectory(self.folder / "people.yaml", store)
        nobody = cast(Any, None)
        return CampaignPeopleService(
            cast(Client, nobody), store, directory, cast(PushService, nobody), visibility=_Nobody()
        )

    def lay_out(self, people: int) -> None:
        """The files that people write."""
        owner = {"id": "desk", "name": "Desk", "email": "desk@us.example", "zone": "Europe/Amsterdam"}
        (self.folder / "people.yaml").write_text(json.dumps({"people": [owner]}))
        (self.folder / "conduct.pdf").write_bytes(_PDF)
        (self.folder / "catalogue.yaml").write_text(
            json.dumps({"kinds": {"policy-acknowledgement": {"window": "14d", "grace": "0d"}}})
        )
        campaign = {
            "id": "conduct",
            "document": {"file": "conduct.pdf", "name": "Code of conduct"},
            "audience": {"file": "staff.csv"},
            "owner": "desk",
        }
        (self.folder / "conduct.json").write_text(json.dumps(campaign))
        with (self.folder / "staff.csv").open("w") as table:
            table.write("name,email,zone,department,manager\n")
            for number in range(people):
                address = f"Europe/Amsterdam,Department {number % 40},boss-{number % 900}"
                table.write(f"Person {number},person-{number}@us.example,{address}\n")

    async def prepared(self) -> PreparedCampaign:
        """The file, checked in full."""
        secret = SecretStr("a secret of the bench, long enough for links")
        directory = FileDirectory(self.folder / "people.yaml", self.store, secret)
        return await prepare_campaign(
            FileText.read(self.folder / "conduct.json"),
            CheckContext(Catalogue.read(self.folder / "catalogue.yaml"), directory, _BEGAN),
        )

    def note(self, name: str, model: Any) -> None:
        """Keep what one step gives to the next."""
        (self.folder / name).write_text(model.model_dump_json())

    def order(self) -> CampaignOrder:
        """What an activity is told."""
        return CampaignOrder.model_validate_json((self.folder / "order.json").read_text())


async def _plan(workspace: AudienceWorkspace) -> None:
    """The campaign's file with its table, checked in full and kept."""
    ready = await workspace.prepared()
    campaign_input = await ready.store_input(workspace.store)
    await ready.store_for_pages(workspace.store, campaign_input)
    workspace.note(
        "order.json",
        CampaignOrder(campaign=campaign_input.campaign, fingerprint=campaign_input.fingerprint, now=_BEGAN),
    )


async def _freeze(workspace: AudienceWorkspace) -> None:
    order = workspace.order()
    frozen = await workspace.people.freeze(order)
    workspace.note("order.json", order.replace(frozen=frozen))


async def acknowledge(folder: Path, order: CampaignOrder) -> None:
    """By a script: everybody has signed, as the store in this folder has it."""
    view = RequestShow.model_validate(_SIGNED)
    record = SettledRecord(fingerprint="@", run_id="01a21e21-a774-7d98-bf2b-d7bfd7a2708c", show=view)
    template, store = record.model_dump_json(by_alias=True), Store(str(folder / "store"))
    await store.audiences.up_to_date(order)
    async for members in store.audiences.members(order.workflow_id):
        signed = {
            Kind.REQUEST.workflow_id(member.request(order.campaign.id)): member.fingerprint(order.fingerprint)
            for member in members
        }
        for few in chunks([*signed.items()], 200):
            await store.database.write(partial(_settled, template=template, signed=few))


def _settled(connection: Connection, template: str, signed: Sequence[tuple[str, str]]) -> None:
    """As `Records` writes one, many in a transaction."""
    for workflow_id, fingerprint in signed:
        content = template.replace('"@"', f'"{fingerprint}"', 1).encode()
        write_record(connection, workflow_id, content)


async def _records(workspace: AudienceWorkspace) -> None:
    await acknowledge(workspace.folder, workspace.order())


async def _status(workspace: AudienceWorkspace) -> None:
    order = workspace.order().replace(asked=PEOPLE * 10)
    lines = workspace.store.outcomes.running(order)
    view = _make_view(order, Status.OPEN, (await lines.tally()).counts)
    picture = CampaignPicture(view, lines)
    overview(view, await picture.tally(), await picture.curve(_BEGAN + timedelta(days=7)))


async def _look(workspace: AudienceWorkspace) -> None:
    order = workspace.order().replace(asked=PEOPLE * 10)
    await workspace.people.check(DailyCheck(order=order, day=7, due=order.campaign.due))


async def _settle(workspace: AudienceWorkspace) -> None:
    order = workspace.order()
    frozen = cast(FrozenAudience, order.frozen)
    tally = await workspace.people.settle(SettleOrder(order=order, expected=frozen.rows))
    assert tally.outcomes, tally
    assert tally.counts.acknowledged == frozen.rows, tally
    (workspace.folder / "outcomes").write_text(tally.outcomes)


def _report(form: str) -> Callable[[AudienceWorkspace], Any]:
    """The report of the campaign that has ended, in one of its forms."""

    async def write_report(workspace: AudienceWorkspace) -> None:
        order, sha256 = workspace.order(), (workspace.folder / "outcomes").read_text()
        await workspace.store.outcomes.verify(sha256)
        lines, population, changes, *_ = await workspace.store.outcomes.record(sha256)
        view = _make_view(order, Status.DONE, (await lines.tally()).counts).replace(outcomes=sha256)
        report = await build_report(workspace.store, CampaignPicture(view, lines, population, changes))
        await write(
            workspace.folder / f"report{form}", replace(report, names=await names_of(workspace.store, view.id, DEFAULT))
        )

    return write_report


def _make_view(order: CampaignOrder, status: Status, counts: Counts) -> CampaignShow:
    campaign = order.campaign
    return CampaignShow(
        id=campaign.id,
        kind=campaign.kind,
        title=campaign.title,
        requester=campaign.requester,
        status=status,
        opens_at=campaign.opens_at,
        due=campaign.due,
        due_at=last_instant(campaign.due),
        closes_at=last_instant(campaign.due),
        timeline=(
            TimelineEntry(at=_BEGAN, happened=EventType.STARTED),
            TimelineEntry(at=last_instant(campaign.due), happened=EventType.DONE),
        ),
        campaign=campaign,
        frozen=order.frozen,
        counts=counts,
    )


_STEPS: Final[Mapping[str, Callable[[AudienceWorkspace], Any]]] = {
    "plan": _plan,
    "freeze": _freeze,
    "records": _records,
    "status": _status,
    "look": _look,
    "settle": _settle,
    **{f"report{form}": _report(form) for form in FORMS},
}
_NOT_OURS: Final = ("records",)
_SIGNED: Final = {
    "id": "conduct.p-0123456789ab",
    "kind": "policy-acknowledgement",
    "title": "Code of conduct",
    "status": "signed",
    "signers": [
        {"person": "signer-1", "order": 1, "role": "sign", "state": "signed", "at": _BEGAN + timedelta(days=2)}
    ],
    "notifications": [
        {
            "key": f"conduct.p-0123456789ab/{stage}/signer-1",
            "stage": stage,
            "person": "signer-1",
            "channel": "push",
            "outcome": "accepted",
            "at": _BEGAN + timedelta(hours=hours),
            "devices": [{"device": "5f1c09ab37de", "outcome": "accepted"}],
        }
        for stage, hours in (("ready", 0), ("reminder-1", 24))
    ],
    "timeline": [
        {"at": _BEGAN + timedelta(minutes=n), "happened": event, "about": ""}
        for n, event in enumerate(("started", "sent"))
    ],
}


async def run_in_process(name: str, folder: Path) -> StepCost:
    """A step in this process."""
    began = time.monotonic()
    await _STEPS[name](AudienceWorkspace(folder))
    return StepCost(time.monotonic() - began, memory.peak_mb())


async def _alone(name: str, folder: Path) -> StepCost:
    """In a process of its own: the most memory that one ever had becomes no less."""
    with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as alone:
        return await asyncio.get_running_loop().run_in_executor(alone, _run_step, name, folder)


def _run_step(name: str, folder: Path) -> StepCost:
    return asyncio.run(run_in_process(name, folder))


async def measure(people: int = PEOPLE, step: Step = _alone) -> AudienceFigures:
    """Step by step."""
    with tempfile.TemporaryDirectory() as folder:
        AudienceWorkspace(Path(folder)).lay_out(people)
        took = {name: await step(name, Path(folder)) for name in _STEPS}
    return AudienceFigures(people, {name: cost for name, cost in took.items() if name not in _NOT_OURS})
