"""A campaign that opens each year: with content that was given for that year, or not at all, and its owner hears it."""

import asyncio
import base64
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from temporalio.client import (
    Client,
    ScheduleActionExecutionStartWorkflow,
    ScheduleHandle,
    ScheduleOverlapPolicy,
    WorkflowHandle,
)
from temporalio.exceptions import ApplicationError
from temporalio.service import RPCError

import activities.campaign.yearly as activities_yearly
import workflows.model.campaign as models
from activities.campaign.intake import prepare_campaign
from activities.campaign.yearly import YearContent
from activities.files.reading import FileFaults, FileText
from activities.launch.doors import CheckContext
from activities.policies.catalogue import Catalogue
from activities.records.store import Store
from activities.temporal import executions as runs
from starter.cli import campaign as scheduling
from starter.cli.campaign import Yearly
from starter.cli.doctor.health import PartHealth, fine
from starter.cli.doctor.temporal import yearly_campaigns
from starter.errors import Refusal
from starter.temporal.connection import Context
from tests.glances import glances
from tests.servers import own_part
from tests.starter.plan.test_campaign import make_environment
from tests.starter.terminal import type_
from tests.workflows import corpus
from tests.workflows.campaign.stage import OWNER, CampaignStage, Company, staff, start_stage
from tests.workflows.onboarding.stage import PDF
from tests.workflows.onboarding.test_words import address_variables
from tests.workflows.stage import is_at_work
from workflows.campaign.opening import CONTENT_MISSING
from workflows.kinds import Kind
from workflows.model.campaign import AHEAD, LATE_DAYS_AT_MOST, YearCheck, YearToOpen
from workflows.names import CAMPAIGN_OPENING, CAMPAIGN_QUEUE, STAGE

AMSTERDAM = ZoneInfo("Europe/Amsterdam")


def a_yearly_file(on: datetime, **fields: Any) -> dict[str, Any]:
    """The code of conduct, each year on that day."""
    on += timedelta(days=(on.month, on.day) == (2, 29))
    return {
        "id": "conduct-{year}",
        "document": {
            "file": "conduct-{year}.pdf",
            "name": "Code of conduct {year}",
            "version": "{year}.1",
            "effective": "{year}-01-01",
        },
        "audience": {"group": "all-staff"},
        "owner": OWNER,
        "yearly": f"{on:%m-%d}",
        **fields,
    }


@dataclass
class Years:
    """A campaign of each year on the stage."""

    company: Company
    file: Yearly

    @classmethod
    async def from_file(cls, company: Company, file: dict[str, Any]) -> "Years":
        (company.folder / "yearly.yaml").write_text(json.dumps(file))
        plain = FileText.read(company.folder / "yearly.yaml").parse()
        return cls(company, await Yearly.read(plain, company.directory))

    async def give(self, client: Client, year: int, now: datetime, content: bytes = PDF) -> bool:
        """Give the content of a year as the command does."""
        (self.company.folder / f"conduct-{year}.pdf").write_bytes(content + f"% {year}\n".encode())
        catalogue = Catalogue.read(self.company.folder / "catalogue.yaml")
        return await scheduling.give(
            self.file,
            year,
            Context(client, self.company.store),
            partial(prepare_campaign, sources=CheckContext(catalogue, self.company.directory, now)),
            now,
        )


@dataclass
class YearlyOpening:
    """The daily looks of a schedule, by cron on a clock of their own; each is handed the result of the one before."""

    stage: CampaignStage
    years: Years
    year: int
    opens_at: datetime
    handle: WorkflowHandle[Any, YearCheck]

    @property
    def stages_sent_to_owner(self) -> list[str]:
        """What the owner heard."""
        return [notice.stage for notice in self.stage.push.sent if notice.person == OWNER]

    async def read_last_look(self) -> tuple[str, YearCheck]:
        """The run of the last look, and what it saw."""
        [first, *_] = (await self.handle.fetch_history()).events
        began = first.workflow_execution_started_event_attributes
        [year_seen] = await self.stage.client.data_converter.decode(began.last_completion_result.payloads, [YearCheck])
        return began.continued_execution_run_id, year_seen

    async def read_stage(self) -> str | None:
        run, _ = await self.read_last_look()
        looked = await self.stage.client.get_workflow_handle(self.handle.id, run_id=run).describe()
        return looked.typed_search_attributes.get(STAGE)

    async def find_campaign(self) -> runs.Run | None:
        """The campaign of the year, None while it was not started."""
        try:
            return await runs.described(self.stage.client, Kind.CAMPAIGN.workflow_id(f"conduct-{self.year}"))
        except RPCError:
            return None

    async def days_pass(self, days: int) -> None:
        """Move the clock between moments of rest, a day at a time."""
        for _ in range(days):
            await self.at_rest()
            await self.stage.env.sleep(timedelta(days=1))
        await self.at_rest()

    async def at_rest(self) -> None:
        """Until no look is at work any more; time stands meanwhile."""
        for pause in glances():
            if not await is_at_work(self.stage.client, self.handle.id):
                return
            await asyncio.sleep(pause)


@asynccontextmanager
async def start_yearly_opening(
    folder: Path, *, ahead: int = 30, has_content: bool = False
) -> AsyncIterator[YearlyOpening]:
    """Looks of a series whose day is so many days ahead, each day at noon in London."""
    async with start_stage(folder, staff("ada")) as stage:
        now = await stage.env.get_current_time()
        day = (now + timedelta(days=ahead)).astimezone(AMSTERDAM)
        years = await Years.from_file(stage.company, a_yearly_file(day))
        if has_content:
            await years.give(stage.client, day.year, now)
        handle: WorkflowHandle[Any, YearCheck] = await stage.client.start_workflow(
            CAMPAIGN_OPENING,
            years.file.series,
            id=years.file.series.schedule_id,
            task_queue=CAMPAIGN_QUEUE,
            cron_schedule="0 12 * * *",
            result_type=YearCheck,
        )
        yield YearlyOpening(stage, years, day.year, years.file.opens_at(day.year), handle)
        await handle.terminate()


@pytest.fixture
def few_days(monkeypatch: pytest.MonkeyPatch) -> int:
    """The days after which a year is given up, instead of half a year, of which each day has its look."""
    days = 10
    for module in (activities_yearly, models):
        monkeypatch.setattr(module, "LATE_DAYS_AT_MOST", days)
    return days


@pytest.mark.long
async def test_content_that_is_there_opens_on_the_day_by_the_owner_s_clock(tmp_path: Path) -> None:
    async with start_yearly_opening(tmp_path, has_content=True) as opening:
        await opening.days_pass(28)
        assert await opening.find_campaign() is None
        await opening.days_pass(2)
        _, year_seen = await opening.read_last_look()
        campaign = await opening.find_campaign()
        handle = opening.stage.client.get_workflow_handle(f"acknowledgement-campaign:conduct-{opening.year}")
        campaign_view = await handle.query("show")
    assert year_seen.campaign == f"acknowledgement-campaign:conduct-{opening.year}"
    assert campaign is not None
    assert datetime.fromisoformat(campaign_view["opens_at"]) == opening.opens_at
    assert opening.opens_at.astimezone(AMSTERDAM).hour == 9
    assert opening.stages_sent_to_owner == []


@pytest.mark.long
async def test_missing_content_is_told_once_a_month_before_and_opens_as_soon_as_it_is_given(tmp_path: Path) -> None:
    async with start_yearly_opening(tmp_path, ahead=33) as opening:
        await opening.days_pass(2)
        assert (opening.stages_sent_to_owner, await opening.read_stage()) == ([], "scheduled")
        await opening.days_pass(2)
        assert opening.stages_sent_to_owner == ["content"]
        await opening.days_pass(35)
        assert (opening.stages_sent_to_owner, await opening.read_stage()) == (["content"], CONTENT_MISSING)
        assert await opening.find_campaign() is None
        assert await opening.years.give(opening.stage.client, opening.year, datetime.now(UTC))
        await opening.days_pass(1)
        _, year_seen = await opening.read_last_look()
        campaign = await opening.find_campaign()
        assert await opening.read_stage() == "settled"
    assert year_seen.campaign == f"acknowledgement-campaign:conduct-{opening.year}"
    assert campaign is not None
    assert opening.stages_sent_to_owner == ["content"]


@pytest.mark.long
async def test_it_gives_up_once_the_next_year_is_nearer_and_says_so(tmp_path: Path, few_days: int) -> None:
    async with start_yearly_opening(tmp_path, ahead=3) as opening:
        await opening.days_pass(2 + few_days)
        assert opening.stages_sent_to_owner == ["content"]
        await opening.days_pass(3)
        _, year_seen = await opening.read_last_look()
        assert await opening.find_campaign() is None
    assert (year_seen.year, year_seen.campaign) == (opening.year + 1, None)
    assert opening.stages_sent_to_owner == ["content", "unopened"]


@pytest.mark.long
async def test_what_cannot_be_started_on_the_day_is_told_and_waits_for_other_content(tmp_path: Path) -> None:
    async with start_yearly_opening(tmp_path, ahead=5, has_content=True) as opening:
        opening.stage.company.loses("ada")
        await opening.days_pass(6)
        assert opening.stages_sent_to_owner == ["content-refused"]
        assert "all-staff" in (await opening.read_last_look())[1].refused
        opening.stage.company.hires(*staff("bo")[2:])
        await opening.days_pass(1)
        assert await opening.find_campaign() is not None


async def test_a_notification_that_failed_is_repeated_by_the_next_look(tmp_path: Path) -> None:
    async with start_yearly_opening(tmp_path, ahead=5) as opening:
        opening.stage.push.failures += [ApplicationError("no", non_retryable=True)]
        await opening.days_pass(1)
        assert opening.stages_sent_to_owner == []
        await opening.days_pass(2)
        assert opening.stages_sent_to_owner == ["content"]


@pytest.mark.long
async def test_an_owner_who_has_left_is_no_reason_to_try_for_ever_in_silence(tmp_path: Path) -> None:
    """It stands among those that need somebody, with the reason, and opens once its owner is there again."""
    async with start_yearly_opening(tmp_path, ahead=5, has_content=True) as opening:
        await opening.days_pass(2)
        opening.stage.company.loses(OWNER)
        await opening.days_pass(5)
        assert "is not in people.yaml" in (await opening.read_last_look())[1].refused
        assert await opening.read_stage() == CONTENT_MISSING
        assert opening.stages_sent_to_owner == ["content-refused"]
        opening.stage.company.hires(*staff()[:1])
        await opening.days_pass(2)
        assert await opening.find_campaign() is not None


@pytest.mark.long
@pytest.mark.parametrize("wrong", ["catalogue", "owner"])
async def test_what_is_wrong_from_the_day_on_is_told_and_given_up_with_all_that_was_given(
    tmp_path: Path, wrong: str, few_days: int
) -> None:
    async with start_yearly_opening(tmp_path, ahead=3, has_content=True) as opening:
        await opening.days_pass(1)
        if wrong == "owner":
            opening.stage.company.loses(OWNER)
        else:
            (opening.stage.company.folder / "catalogue.yaml").write_text("kinds: [")
        await opening.days_pass(6 + few_days)
        assert await YearContent.read(opening.stage.company.store, opening.years.file.series, opening.year) is None
        assert await opening.find_campaign() is None
    assert opening.stages_sent_to_owner == ["content-refused", "unopened"]


@dataclass
class Desk:
    """Somebody who schedules a campaign of each year, beside a real server."""

    stage: CampaignStage
    file: dict[str, Any]

    @property
    def client(self) -> Client:
        return self.stage.client

    async def years(self) -> Years:
        return await Years.from_file(self.stage.company, self.file)

    async def type_schedule(self, *arguments: str, code: int = 0) -> Any:
        """The answer of `campaign schedule` as JSON; what is refused as text."""
        folder = self.stage.company.folder
        await self.years()
        environment = {**make_environment(folder), **address_variables(self.client)}
        file = str(folder / "yearly.yaml")
        answered = await asyncio.to_thread(type_, "campaign", "schedule", file, *arguments, "--json", **environment)
        assert answered.returncode == code, answered.stderr
        return json.loads(answered.stdout) if code == 0 else answered.stderr

    def document(self, year: int) -> None:
        """Put the document of a year beside the file."""
        (self.stage.company.folder / f"conduct-{year}.pdf").write_bytes(PDF + f"% {year}\n".encode())


@asynccontextmanager
async def open_desk(folder: Path, ahead: int, address: str) -> AsyncIterator[Desk]:
    async with start_stage(folder, staff("ada", "bo"), server=own_part(address)) as stage:
        day = datetime.now(AMSTERDAM) + timedelta(days=ahead)
        yield Desk(stage, a_yearly_file(day))


@pytest.mark.long
@pytest.mark.real_server
async def test_a_schedule_is_made_once_and_brought_up_to_date_as_it_is(tmp_path: Path, dev_server: str) -> None:
    async with open_desk(tmp_path, 100, dev_server) as desk:
        created_schedule, repeated_schedule = await desk.type_schedule(), await desk.type_schedule()
        assert (created_schedule["schedule"], created_schedule["created"], repeated_schedule["created"]) == (
            "campaign-opening:conduct",
            True,
            False,
        )
        handle = desk.client.get_schedule_handle("campaign-opening:conduct")
        await set_paused(handle, True)
        schedule = (await handle.describe()).schedule
        [calendar_spec] = schedule.spec.calendars
        assert (calendar_spec.hour[0].start, calendar_spec.minute[0].start) == (9, 0)
        assert schedule.spec.time_zone_name == "Europe/Amsterdam"
        assert (schedule.policy.overlap, schedule.policy.catchup_window) == (
            ScheduleOverlapPolicy.BUFFER_ONE,
            timedelta(days=1),
        )
        await wait_for_looks(handle, 2)
        desk.file["yearly"] = "06-01"
        await desk.type_schedule()
        changed_schedule = await handle.describe()
        assert changed_schedule.schedule.action != schedule.action
        assert changed_schedule.schedule.state.paused
        assert changed_schedule.info.num_actions == 2


@pytest.mark.long
@pytest.mark.real_server
async def test_an_opening_that_is_near_is_told_at_once_and_opens_with_what_is_given(
    tmp_path: Path, dev_server: str
) -> None:
    async with open_desk(tmp_path, 1, dev_server) as desk:
        year = (datetime.now(AMSTERDAM) + timedelta(days=1)).year
        await desk.type_schedule()
        handle = desk.client.get_schedule_handle("campaign-opening:conduct")
        missing = desk.client.get_workflow_handle(await wait_for_looks(handle, 1))
        assert missing.id.startswith("campaign-opening:conduct-20")
        metadata = await missing.query("__temporal_workflow_metadata", result_type=dict)
        assert f"waits for the content of {year}" in str(metadata)
        await corpus.record("campaign-opening-missing", missing)
        await desk.type_schedule("--year", str(year), code=1)
        assert await is_noted(
            desk, "campaign-opening:conduct waits for its content: countersign campaign schedule FILE"
        )
        desk.document(year)
        schedule_answer = await desk.type_schedule("--year", str(year))
        assert (
            schedule_answer["given"],
            schedule_answer["years"][0]["given"],
            schedule_answer["years"][0]["version"],
        ) == (year, True, f"{year}.1")
        opened = desk.client.get_workflow_handle(await wait_for_looks(handle, 2), result_type=YearCheck)
        assert (await opened.result()).given
        assert (await desk.type_schedule("--year", str(year)))["created"] is False
    assert [notice.stage for notice in desk.stage.push.sent if notice.person == OWNER][:1] == ["content"]


@pytest.mark.real_server
async def test_doctor_says_of_which_series_somebody_has_deleted_the_schedule(tmp_path: Path, dev_server: str) -> None:
    async with open_desk(tmp_path, 100, dev_server) as desk:
        store = Store(str(tmp_path / "store"))
        assert await yearly_campaigns(desk.client, store) is None
        await schedule_campaign(desk, datetime.now(AMSTERDAM) + timedelta(days=100))
        await store.audiences.keep_year("campaign-opening:conduct", 2027, b"{}")
        healthy = await yearly_campaigns(desk.client, store)
        assert healthy == fine("yearly campaigns", "1 of which something was given, each with its schedule")
        await desk.client.get_schedule_handle("campaign-opening:conduct").delete()
        broken = await yearly_campaigns(desk.client, store)
        slow = await yearly_campaigns(desk.client, store, seconds=0)
    assert broken is not None and broken.state is PartHealth.WARNING
    assert broken.says.startswith("no schedule at Temporal, so it opens no more: campaign-opening:conduct;")
    assert (
        slow is not None and slow.says == "the store, or the server, is too slow to say whether each has its schedule"
    )


async def schedule_campaign(desk: Desk, opens: datetime) -> bool:
    """Whether a schedule was made, for a campaign that opens on that day."""
    desk.file["yearly"] = f"{opens:%m-%d}"
    return await scheduling.schedule_years((await desk.years()).file, desk.client, None)


@pytest.mark.long
@pytest.mark.real_server
async def test_a_year_whose_start_was_missed_opens_late_once_its_content_is_given(
    tmp_path: Path, dev_server: str
) -> None:
    """Unless its schedule rests: somebody may have left this year out."""
    async with open_desk(tmp_path, -10, dev_server) as desk:
        now = datetime.now(AMSTERDAM)
        day = now - timedelta(days=10)
        desk.document(day.year)
        await desk.type_schedule()
        handle = desk.client.get_schedule_handle("campaign-opening:conduct")
        await wait_for_looks(handle, 1)
        await set_paused(handle, True)
        refused = await desk.type_schedule("--year", str(day.year), code=1)
        assert refused.startswith(f"campaign-opening:conduct rests: {day.year} does not open before it goes on")
        await set_paused(handle, False)
        schedule_answer = await desk.type_schedule("--year", str(day.year))
        assert [(year_line["year"], year_line["given"]) for year_line in schedule_answer["years"]][:2] == [
            (day.year, True),
            (day.year + 1, False),
        ]
        opening = desk.client.get_workflow_handle(await wait_for_looks(handle, 2), result_type=YearCheck)
        assert (await opening.result()).campaign == f"acknowledgement-campaign:conduct-{day.year}"
        await corpus.record("campaign-opening-late", opening)
        campaign_view = await desk.client.get_workflow_handle(f"acknowledgement-campaign:conduct-{day.year}").query(
            "show"
        )
        assert campaign_view["opens_at"][:10] >= f"{datetime.now(AMSTERDAM) - timedelta(days=1):%Y-%m-%d}"
    assert OWNER not in {notice.person for notice in desk.stage.push.sent}


async def is_noted(desk: Desk, note: str) -> bool:
    """Whether the list of campaigns says so beside its rows, as soon as Temporal's index knows it."""
    environment = {**make_environment(desk.stage.company.folder), **address_variables(desk.client)}
    while note not in (await asyncio.to_thread(type_, "campaign", "list", **environment)).stderr:
        pass
    return True


async def set_paused(handle: ScheduleHandle, paused: bool) -> None:
    """Pause a schedule, or have it go on, until its description says so."""
    await (handle.pause() if paused else handle.unpause())
    for pause in glances():
        if (await handle.describe()).schedule.state.paused is paused:
            return
        await asyncio.sleep(pause)


async def wait_for_looks(handle: ScheduleHandle, times: int) -> str:
    """The workflow of the last look, once a schedule has begun so many."""
    for pause in glances():
        description = await handle.describe()
        if len(description.info.recent_actions) >= times and not description.info.running_actions:
            break
        await asyncio.sleep(pause)
    action = description.info.recent_actions[-1].action
    assert isinstance(action, ScheduleActionExecutionStartWorkflow)
    return action.workflow_id


async def test_a_year_opens_with_nothing_of_the_year_before(tmp_path: Path) -> None:
    async with start_stage(tmp_path, staff("ada")) as stage:
        file = a_yearly_file(datetime.now(UTC) + timedelta(days=60))
        years = await Years.from_file(stage.company, file)
        now = datetime.now(UTC)
        year = years.file.first_year(now)
        assert await years.give(stage.client, year, now)
        assert not await years.give(stage.client, year, now)
        file["document"] |= {"version": f"{year}.1", "effective": f"{year}-01-01", "file": f"conduct-{year}.pdf"}
        lazy = await Years.from_file(stage.company, file)
        with pytest.raises(FileFaults) as faults:
            await lazy.give(stage.client, year + 1, now)
        assert [fault.path for fault in faults.value.faults] == [
            "document.version",
            "document.effective",
            "document.file",
        ]
        assert f"{year}.1 is that of last year" in str(faults.value)
        del file["document"]["effective"]
        with pytest.raises(FileFaults, match=r"document\.effective: is missing: each year names its own"):
            await (await Years.from_file(stage.company, file)).give(stage.client, year, now)


async def test_other_content_takes_the_place_of_what_was_given_until_it_has_opened(tmp_path: Path) -> None:
    async with start_stage(tmp_path, staff("ada")) as stage:
        now = datetime.now(UTC)
        years = await Years.from_file(stage.company, a_yearly_file(now + timedelta(days=60)))
        year = years.file.first_year(now)
        await years.give(stage.client, year, now)
        assert await years.give(stage.client, year, now, b"%PDF-1.5" + PDF[8:])


async def test_content_may_come_late_but_not_once_the_next_year_is_nearer(tmp_path: Path) -> None:
    async with start_stage(tmp_path, staff("ada")) as stage:
        years = await Years.from_file(stage.company, a_yearly_file(datetime.now(UTC)))
        year = years.file.first_year(datetime.now(UTC))
        late = years.file.opens_at(year) + timedelta(days=LATE_DAYS_AT_MOST)
        assert await years.give(stage.client, year, late)
        with pytest.raises(Refusal, match=f"{year} is over: what opens next is {year + 1}"):
            await years.give(stage.client, year, late + timedelta(days=1))


async def test_a_table_is_kept_until_its_year_has_opened(tmp_path: Path) -> None:
    """Whom it names is kept with the campaign then, and erased with it; of the table there is its hash."""
    async with start_stage(tmp_path, staff("ada")) as stage:
        now = datetime.now(UTC)
        table = tmp_path / "staff.csv"
        rows = "name,email,zone\nBo,bo@us.example,UTC\n"
        table.write_text(rows)
        years = await Years.from_file(
            stage.company, a_yearly_file(now + timedelta(days=3), audience={"file": "staff.csv"})
        )
        year = years.file.first_year(now)
        await years.give(stage.client, year, now)
        table.unlink()
        content = await Store(str(stage.company.folder / "store")).audiences.year(years.file.series.schedule_id, year)
        assert content is not None and base64.b64encode(rows.encode()) in content
        order = YearToOpen(series=years.file.series, now=years.file.opens_at(year))
        opener = activities_of_years(stage)
        opened = await opener.open(order)
        assert opened.campaign == f"acknowledgement-campaign:conduct-{year}"
        content = await Store(str(stage.company.folder / "store")).audiences.year(years.file.series.schedule_id, year)
        assert content is not None and base64.b64encode(rows.encode()) not in content
        assert await opener.open(order) == opened
        table.write_text(rows)
        assert not await years.give(stage.client, year, now)
        table.write_text(rows.replace("Bo", "Di"))
        with pytest.raises(Refusal, match=f"conduct-{year} has opened already: what it opened with stays"):
            await years.give(stage.client, year, now)
        [planned, *_] = await scheduling.preview(years.file, stage.company.store, stage.company.directory, now)
        assert planned.people == 1


async def test_the_table_of_a_year_whose_opening_was_cancelled_is_gone_with_the_first_look_of_the_next(
    tmp_path: Path,
) -> None:
    """Also when nobody owns it any more by then."""
    async with start_stage(tmp_path, staff("ada")) as stage:
        now = datetime.now(UTC)
        (tmp_path / "staff.csv").write_text("name,email,zone\nBo,bo@us.example,UTC\n")
        years = await Years.from_file(
            stage.company, a_yearly_file(now + timedelta(days=3), audience={"file": "staff.csv"})
        )
        series, year = years.file.series, years.file.first_year(now)
        await years.give(stage.client, year, now)
        stage.company.loses(OWNER)
        later = years.file.opens_at(year) + timedelta(days=335)
        with pytest.raises(ApplicationError, match=f'"{OWNER}" is not in people.yaml'):
            await activities_of_years(stage).open(YearToOpen(series=series, now=later))
        assert await YearContent.read(stage.company.store, series, year) is None


def activities_of_years(stage: CampaignStage) -> activities_yearly.CampaignYearsService:
    company = stage.company
    catalogue = company.folder / "catalogue.yaml"
    return activities_yearly.CampaignYearsService(stage.client, company.store, company.directory, catalogue)


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"id": "conduct"}, "id: needs {year}, so that each year has its own: code-of-conduct-{year}"),
        ({"id": "../{year}"}, "id: must be 1-48 characters of A-Z a-z 0-9 _ - beside the year"),
        ({"id": "{year}"}, "id: must be 1-48 characters of A-Z a-z 0-9 _ - beside the year"),
        ({"yearly": "02-29"}, "yearly: must be a day that each year has, as month and day: 12-01"),
        ({"yearly": "1 December"}, "yearly: must be a day that each year has, as month and day: 12-01"),
        ({"opens": "2026-12-01"}, "opens: follows from yearly: leave it out"),
        ({"owner": "complaince-desk"}, 'owner: "complaince-desk" is not in people.yaml, did you mean compliance-desk?'),
    ],
)
async def test_what_cannot_open_each_year_is_refused_by_its_field(
    tmp_path: Path, wrong: dict[str, str], message: str
) -> None:
    company = Company(tmp_path, staff("ada"))
    with pytest.raises(FileFaults) as faults:
        await Years.from_file(company, a_yearly_file(datetime.now(UTC), **wrong))
    assert str(faults.value).endswith(message)


async def test_it_is_no_campaign_that_is_started_by_hand(tmp_path: Path) -> None:
    company = Company(tmp_path, staff("ada"))
    now = datetime(2026, 11, 28, tzinfo=UTC)
    (tmp_path / "conduct-2026.pdf").write_bytes(PDF)
    file = a_yearly_file(now + timedelta(days=3))
    with pytest.raises(FileFaults, match=r"yearly: is opened by its schedule: `countersign campaign schedule FILE`"):
        await company.prepared(file, now)
    opened = await company.prepared({**file, "opens": "2026-12-01"}, now)
    assert opened.workflow_input.campaign.opens_at.astimezone(AMSTERDAM).date() == (now + timedelta(days=3)).date()


def test_three_openings_are_previewed_without_a_server(tmp_path: Path) -> None:
    company = Company(tmp_path, staff("ada", "bo"))
    (company.folder / "yearly.yaml").write_text(json.dumps(a_yearly_file(datetime(2027, 3, 1, tzinfo=UTC))))
    typed = ("campaign", "schedule", str(tmp_path / "yearly.yaml"), "--plan")
    table, plan = (
        type_(*typed, **make_environment(tmp_path)),
        json.loads(type_(*typed, "--json", **make_environment(tmp_path)).stdout),
    )
    assert (table.returncode, table.stderr) == (0, "")
    assert "The schedule campaign-opening:conduct would be" in table.stdout
    first = plan["years"][0]["year"]
    assert [year_line["campaign"] for year_line in plan["years"]] == [f"conduct-{first + ahead}" for ahead in range(3)]
    assert [(year_line["opens"][4:16], year_line["given"], year_line["people"]) for year_line in plan["years"]] == [
        ("-03-01T09:00", False, 2)
    ] * 3
    contradictory = type_(*typed, "--year", "2027", **make_environment(tmp_path))
    assert contradictory.returncode == 2
    assert "give --plan, which only shows, or --year, which gives content" in contradictory.stderr


@pytest.mark.parametrize(
    ("instant", "offset_microseconds", "missing", "given_up"),
    [
        ("tells_at", -1, False, False),
        ("tells_at", 0, True, False),
        ("given_up_at", -1, True, False),
        ("given_up_at", 0, False, True),
    ],
)
def test_a_year_without_content_is_missed_from_one_very_instant_and_given_up_from_another(
    instant: str, offset_microseconds: int, missing: bool, given_up: bool
) -> None:
    opens = datetime(2027, 1, 15, 8, tzinfo=UTC)
    instants = {"tells_at": opens - AHEAD, "given_up_at": opens + timedelta(days=LATE_DAYS_AT_MOST)}
    year, now = YearCheck(year=2027, opens_at=opens), instants[instant] + timedelta(microseconds=offset_microseconds)
    assert (year.is_missing(now), year.is_given_up(now)) == (missing, given_up)


@pytest.mark.parametrize(("days", "opens_in"), [(-1, 0), (0, 0), (1, 1)])
async def test_the_first_year_is_that_whose_day_is_not_over(tmp_path: Path, days: int, opens_in: int) -> None:
    company, opens = Company(tmp_path, staff("ada")), datetime(2027, 5, 15, 12, tzinfo=AMSTERDAM)
    years = await Years.from_file(company, a_yearly_file(opens))
    assert years.file.first_year(opens + timedelta(days=days)) == 2027 + opens_in
