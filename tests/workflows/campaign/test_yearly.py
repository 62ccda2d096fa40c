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
from activities.launch.doors import Sources
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
from tests.starter.plan.test_campaign import given
from tests.starter.terminal import type_
from tests.workflows import corpus
from tests.workflows.campaign.stage import OWNER, Company, Work, at_work, staff
from tests.workflows.onboarding.stage import PDF
from tests.workflows.onboarding.test_words import address_of
from tests.workflows.stage import is_at_work
from workflows.campaign.opening import CONTENT_MISSING
from workflows.kinds import Kind
from workflows.model.campaign import AHEAD, LATE_DAYS_AT_MOST, YearSeen, YearToOpen
from workflows.names import CAMPAIGN_OPENING, CAMPAIGN_QUEUE, STAGE

AMSTERDAM = ZoneInfo("Europe/Amsterdam")


def a_yearly_file(on: datetime, **more: Any) -> dict[str, Any]:
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
        **more,
    }


@dataclass
class Years:
    """A campaign of each year on the stage."""

    company: Company
    file: Yearly

    @classmethod
    async def of(cls, company: Company, file: dict[str, Any]) -> "Years":
        (company.folder / "yearly.yaml").write_text(json.dumps(file))
        plain = FileText.read(company.folder / "yearly.yaml").parse()
        return cls(company, await Yearly.of(plain, company.directory))

    async def give(self, client: Client, year: int, now: datetime, content: bytes = PDF) -> bool:
        """Give the content of a year as the command does."""
        (self.company.folder / f"conduct-{year}.pdf").write_bytes(content + f"% {year}\n".encode())
        catalogue = Catalogue.read(self.company.folder / "catalogue.yaml")
        return await scheduling.give(
            self.file,
            year,
            Context(client, self.company.store),
            partial(prepare_campaign, sources=Sources(catalogue, self.company.directory, now)),
            now,
        )


@dataclass
class Looks:
    """The daily looks of a schedule, by cron on a clock of their own; each is handed the result of the one before."""

    there: Work
    years: Years
    year: int
    opens_at: datetime
    handle: WorkflowHandle[Any, YearSeen]

    @property
    def told(self) -> list[str]:
        """What the owner heard."""
        return [one.stage for one in self.there.push.sent if one.person == OWNER]

    async def last(self) -> tuple[str, YearSeen]:
        """The run of the last look, and what it saw."""
        [first, *_] = (await self.handle.fetch_history()).events
        began = first.workflow_execution_started_event_attributes
        [seen] = await self.there.client.data_converter.decode(began.last_completion_result.payloads, [YearSeen])
        return began.continued_execution_run_id, seen

    async def stage(self) -> str | None:
        run, _ = await self.last()
        looked = await self.there.client.get_workflow_handle(self.handle.id, run_id=run).describe()
        return looked.typed_search_attributes.get(STAGE)

    async def campaign(self) -> runs.Run | None:
        """The campaign of the year, None while it was not started."""
        try:
            return await runs.described(self.there.client, Kind.CAMPAIGN.workflow_id(f"conduct-{self.year}"))
        except RPCError:
            return None

    async def days_pass(self, days: int) -> None:
        """Move the clock between moments of rest, a day at a time."""
        for _ in range(days):
            await self.at_rest()
            await self.there.env.sleep(timedelta(days=1))
        await self.at_rest()

    async def at_rest(self) -> None:
        """Until no look is at work any more; time stands meanwhile."""
        for pause in glances():
            if not await is_at_work(self.there.client, self.handle.id):
                return
            await asyncio.sleep(pause)


@asynccontextmanager
async def looks(folder: Path, *, ahead: int = 30, given: bool = False) -> AsyncIterator[Looks]:
    """Looks of a series whose day is so many days ahead, each day at noon in London."""
    async with at_work(folder, staff("ada")) as there:
        now = await there.env.get_current_time()
        day = (now + timedelta(days=ahead)).astimezone(AMSTERDAM)
        years = await Years.of(there.company, a_yearly_file(day))
        if given:
            await years.give(there.client, day.year, now)
        handle: WorkflowHandle[Any, YearSeen] = await there.client.start_workflow(
            CAMPAIGN_OPENING,
            years.file.series,
            id=years.file.series.schedule_id,
            task_queue=CAMPAIGN_QUEUE,
            cron_schedule="0 12 * * *",
            result_type=YearSeen,
        )
        yield Looks(there, years, day.year, years.file.opens_at(day.year), handle)
        await handle.terminate()


@pytest.fixture
def few_days(monkeypatch: pytest.MonkeyPatch) -> int:
    """The days after which a year is given up, instead of half a year, of which each day has its look."""
    days = 10
    for module in (activities_yearly, models):
        monkeypatch.setattr(module, "LATE_DAYS_AT_MOST", days)
    return days


async def test_content_that_is_there_opens_on_the_day_by_the_owner_s_clock(tmp_path: Path) -> None:
    async with looks(tmp_path, given=True) as it:
        await it.days_pass(28)
        assert await it.campaign() is None
        await it.days_pass(2)
        _, seen = await it.last()
        campaign = await it.campaign()
        handle = it.there.client.get_workflow_handle(f"acknowledgement-campaign:conduct-{it.year}")
        shown = await handle.query("show")
    assert seen.campaign == f"acknowledgement-campaign:conduct-{it.year}"
    assert campaign is not None
    assert datetime.fromisoformat(shown["opens_at"]) == it.opens_at
    assert it.opens_at.astimezone(AMSTERDAM).hour == 9
    assert it.told == []


async def test_missing_content_is_told_once_a_month_before_and_opens_as_soon_as_it_is_given(tmp_path: Path) -> None:
    async with looks(tmp_path, ahead=33) as it:
        await it.days_pass(2)
        assert (it.told, await it.stage()) == ([], "scheduled")
        await it.days_pass(2)
        assert it.told == ["content"]
        await it.days_pass(35)
        assert (it.told, await it.stage()) == (["content"], CONTENT_MISSING)
        assert await it.campaign() is None
        assert await it.years.give(it.there.client, it.year, datetime.now(UTC))
        await it.days_pass(1)
        _, seen = await it.last()
        campaign = await it.campaign()
        assert await it.stage() == "settled"
    assert seen.campaign == f"acknowledgement-campaign:conduct-{it.year}"
    assert campaign is not None
    assert it.told == ["content"]


async def test_it_gives_up_once_the_next_year_is_nearer_and_says_so(tmp_path: Path, few_days: int) -> None:
    async with looks(tmp_path, ahead=3) as it:
        await it.days_pass(2 + few_days)
        assert it.told == ["content"]
        await it.days_pass(3)
        _, seen = await it.last()
        assert await it.campaign() is None
    assert (seen.year, seen.campaign) == (it.year + 1, None)
    assert it.told == ["content", "unopened"]


async def test_what_cannot_be_started_on_the_day_is_told_and_waits_for_other_content(tmp_path: Path) -> None:
    async with looks(tmp_path, ahead=5, given=True) as it:
        it.there.company.loses("ada")
        await it.days_pass(6)
        assert it.told == ["content-refused"]
        assert "all-staff" in (await it.last())[1].refused
        it.there.company.hires(*staff("bo")[2:])
        await it.days_pass(1)
        assert await it.campaign() is not None


async def test_a_notification_that_failed_is_repeated_by_the_next_look(tmp_path: Path) -> None:
    async with looks(tmp_path, ahead=5) as it:
        it.there.push.failures += [ApplicationError("no", non_retryable=True)]
        await it.days_pass(1)
        assert it.told == []
        await it.days_pass(2)
        assert it.told == ["content"]


async def test_an_owner_who_has_left_is_no_reason_to_try_for_ever_in_silence(tmp_path: Path) -> None:
    """It stands among those that need somebody, with the reason, and opens once its owner is there again."""
    async with looks(tmp_path, ahead=5, given=True) as it:
        await it.days_pass(2)
        it.there.company.loses(OWNER)
        await it.days_pass(5)
        assert "is not in people.yaml" in (await it.last())[1].refused
        assert await it.stage() == CONTENT_MISSING
        assert it.told == ["content-refused"]
        it.there.company.hires(*staff()[:1])
        await it.days_pass(2)
        assert await it.campaign() is not None


@pytest.mark.parametrize("wrong", ["catalogue", "owner"])
async def test_what_is_wrong_from_the_day_on_is_told_and_given_up_with_all_that_was_given(
    tmp_path: Path, wrong: str, few_days: int
) -> None:
    async with looks(tmp_path, ahead=3, given=True) as it:
        await it.days_pass(1)
        if wrong == "owner":
            it.there.company.loses(OWNER)
        else:
            (it.there.company.folder / "catalogue.yaml").write_text("kinds: [")
        await it.days_pass(6 + few_days)
        assert await YearContent.read(it.there.company.store, it.years.file.series, it.year) is None
        assert await it.campaign() is None
    assert it.told == ["content-refused", "unopened"]


@dataclass
class Desk:
    """Somebody who schedules a campaign of each year, beside a real server."""

    there: Work
    file: dict[str, Any]

    @property
    def client(self) -> Client:
        return self.there.client

    async def years(self) -> Years:
        return await Years.of(self.there.company, self.file)

    async def typed(self, *words: str, code: int = 0) -> Any:
        """The answer of `campaign schedule` as JSON; what is refused as text."""
        folder = self.there.company.folder
        await self.years()
        there = {**given(folder), **address_of(self.client)}
        file = str(folder / "yearly.yaml")
        answered = await asyncio.to_thread(type_, "campaign", "schedule", file, *words, "--json", **there)
        assert answered.returncode == code, answered.stderr
        return json.loads(answered.stdout) if code == 0 else answered.stderr

    def document(self, year: int) -> None:
        """Put the document of a year beside the file."""
        (self.there.company.folder / f"conduct-{year}.pdf").write_bytes(PDF + f"% {year}\n".encode())


@asynccontextmanager
async def desk(folder: Path, ahead: int, address: str) -> AsyncIterator[Desk]:
    async with at_work(folder, staff("ada", "bo"), server=own_part(address)) as there:
        day = datetime.now(AMSTERDAM) + timedelta(days=ahead)
        yield Desk(there, a_yearly_file(day))


@pytest.mark.real_server
async def test_a_schedule_is_made_once_and_brought_up_to_date_as_it_is(tmp_path: Path, dev_server: str) -> None:
    async with desk(tmp_path, 100, dev_server) as it:
        made, again = await it.typed(), await it.typed()
        assert (made["schedule"], made["created"], again["created"]) == ("campaign-opening:conduct", True, False)
        handle = it.client.get_schedule_handle("campaign-opening:conduct")
        await rests(handle, True)
        found = (await handle.describe()).schedule
        [when] = found.spec.calendars
        assert (when.hour[0].start, when.minute[0].start) == (9, 0)
        assert found.spec.time_zone_name == "Europe/Amsterdam"
        assert (found.policy.overlap, found.policy.catchup_window) == (
            ScheduleOverlapPolicy.BUFFER_ONE,
            timedelta(days=1),
        )
        await looked(handle, 2)
        it.file["yearly"] = "06-01"
        await it.typed()
        moved = await handle.describe()
        assert moved.schedule.action != found.action
        assert moved.schedule.state.paused
        assert moved.info.num_actions == 2


@pytest.mark.real_server
async def test_an_opening_that_is_near_is_told_at_once_and_opens_with_what_is_given(
    tmp_path: Path, dev_server: str
) -> None:
    async with desk(tmp_path, 1, dev_server) as it:
        year = (datetime.now(AMSTERDAM) + timedelta(days=1)).year
        await it.typed()
        handle = it.client.get_schedule_handle("campaign-opening:conduct")
        missing = it.client.get_workflow_handle(await looked(handle, 1))
        assert missing.id.startswith("campaign-opening:conduct-20")
        shown = await missing.query("__temporal_workflow_metadata", result_type=dict)
        assert f"waits for the content of {year}" in str(shown)
        await corpus.record("campaign-opening-missing", missing)
        await it.typed("--year", str(year), code=1)
        assert await noted(it, "campaign-opening:conduct waits for its content: countersign campaign schedule FILE")
        it.document(year)
        told = await it.typed("--year", str(year))
        assert (told["given"], told["years"][0]["given"], told["years"][0]["version"]) == (year, True, f"{year}.1")
        opened = it.client.get_workflow_handle(await looked(handle, 2), result_type=YearSeen)
        assert (await opened.result()).given
        assert (await it.typed("--year", str(year)))["created"] is False
    assert [one.stage for one in it.there.push.sent if one.person == OWNER][:1] == ["content"]


@pytest.mark.real_server
async def test_doctor_says_of_which_series_somebody_has_deleted_the_schedule(tmp_path: Path, dev_server: str) -> None:
    async with desk(tmp_path, 100, dev_server) as it:
        store = Store(str(tmp_path / "store"))
        assert await yearly_campaigns(it.client, store) is None
        await scheduled(it, datetime.now(AMSTERDAM) + timedelta(days=100))
        await store.audiences.keep_year("campaign-opening:conduct", 2027, b"{}")
        there = await yearly_campaigns(it.client, store)
        assert there == fine("yearly campaigns", "1 of which something was given, each with its schedule")
        await it.client.get_schedule_handle("campaign-opening:conduct").delete()
        gone = await yearly_campaigns(it.client, store)
        slow = await yearly_campaigns(it.client, store, seconds=0)
    assert gone is not None and gone.state is PartHealth.WARNING
    assert gone.says.startswith("no schedule at Temporal, so it opens no more: campaign-opening:conduct;")
    assert (
        slow is not None and slow.says == "the store, or the server, is too slow to say whether each has its schedule"
    )


async def scheduled(it: Desk, opens: datetime) -> bool:
    """Whether a schedule was made, for a campaign that opens on that day."""
    it.file["yearly"] = f"{opens:%m-%d}"
    return await scheduling.schedule_years((await it.years()).file, it.client, None)


@pytest.mark.real_server
async def test_a_year_whose_start_was_missed_opens_late_once_its_content_is_given(
    tmp_path: Path, dev_server: str
) -> None:
    """Unless its schedule rests: somebody may have left this year out."""
    async with desk(tmp_path, -10, dev_server) as it:
        now = datetime.now(AMSTERDAM)
        day = now - timedelta(days=10)
        it.document(day.year)
        await it.typed()
        handle = it.client.get_schedule_handle("campaign-opening:conduct")
        await looked(handle, 1)
        await rests(handle, True)
        refused = await it.typed("--year", str(day.year), code=1)
        assert refused.startswith(f"campaign-opening:conduct rests: {day.year} does not open before it goes on")
        await rests(handle, False)
        told = await it.typed("--year", str(day.year))
        assert [(one["year"], one["given"]) for one in told["years"]][:2] == [(day.year, True), (day.year + 1, False)]
        opening = it.client.get_workflow_handle(await looked(handle, 2), result_type=YearSeen)
        assert (await opening.result()).campaign == f"acknowledgement-campaign:conduct-{day.year}"
        await corpus.record("campaign-opening-late", opening)
        shown = await it.client.get_workflow_handle(f"acknowledgement-campaign:conduct-{day.year}").query("show")
        assert shown["opens_at"][:10] >= f"{datetime.now(AMSTERDAM) - timedelta(days=1):%Y-%m-%d}"
    assert OWNER not in {one.person for one in it.there.push.sent}


async def noted(it: Desk, says: str) -> bool:
    """Whether the list of campaigns says so beside its rows, as soon as Temporal's index knows it."""
    there = {**given(it.there.company.folder), **address_of(it.client)}
    while says not in (await asyncio.to_thread(type_, "campaign", "list", **there)).stderr:
        pass
    return True


async def rests(handle: ScheduleHandle, paused: bool) -> None:
    """Pause a schedule, or have it go on, until its description says so."""
    await (handle.pause() if paused else handle.unpause())
    for pause in glances():
        if (await handle.describe()).schedule.state.paused is paused:
            return
        await asyncio.sleep(pause)


async def looked(handle: ScheduleHandle, times: int) -> str:
    """The workflow of the last look, once a schedule has begun so many."""
    for pause in glances():
        found = await handle.describe()
        if len(found.info.recent_actions) >= times and not found.info.running_actions:
            break
        await asyncio.sleep(pause)
    action = found.info.recent_actions[-1].action
    assert isinstance(action, ScheduleActionExecutionStartWorkflow)
    return action.workflow_id


async def test_a_year_opens_with_nothing_of_the_year_before(tmp_path: Path) -> None:
    async with at_work(tmp_path, staff("ada")) as there:
        file = a_yearly_file(datetime.now(UTC) + timedelta(days=60))
        years = await Years.of(there.company, file)
        now = datetime.now(UTC)
        year = years.file.first_year(now)
        assert await years.give(there.client, year, now)
        assert not await years.give(there.client, year, now)
        file["document"] |= {"version": f"{year}.1", "effective": f"{year}-01-01", "file": f"conduct-{year}.pdf"}
        lazy = await Years.of(there.company, file)
        with pytest.raises(FileFaults) as faults:
            await lazy.give(there.client, year + 1, now)
        assert [fault.path for fault in faults.value.faults] == [
            "document.version",
            "document.effective",
            "document.file",
        ]
        assert f"{year}.1 is that of last year" in str(faults.value)
        del file["document"]["effective"]
        with pytest.raises(FileFaults, match=r"document\.effective: is missing: each year names its own"):
            await (await Years.of(there.company, file)).give(there.client, year, now)


async def test_other_content_takes_the_place_of_what_was_given_until_it_has_opened(tmp_path: Path) -> None:
    async with at_work(tmp_path, staff("ada")) as there:
        now = datetime.now(UTC)
        years = await Years.of(there.company, a_yearly_file(now + timedelta(days=60)))
        year = years.file.first_year(now)
        await years.give(there.client, year, now)
        assert await years.give(there.client, year, now, b"%PDF-1.5" + PDF[8:])


async def test_content_may_come_late_but_not_once_the_next_year_is_nearer(tmp_path: Path) -> None:
    async with at_work(tmp_path, staff("ada")) as there:
        years = await Years.of(there.company, a_yearly_file(datetime.now(UTC)))
        year = years.file.first_year(datetime.now(UTC))
        late = years.file.opens_at(year) + timedelta(days=LATE_DAYS_AT_MOST)
        assert await years.give(there.client, year, late)
        with pytest.raises(Refusal, match=f"{year} is over: what opens next is {year + 1}"):
            await years.give(there.client, year, late + timedelta(days=1))


async def test_a_table_is_kept_until_its_year_has_opened(tmp_path: Path) -> None:
    """Whom it names is kept with the campaign then, and erased with it; of the table there is its hash."""
    async with at_work(tmp_path, staff("ada")) as there:
        now = datetime.now(UTC)
        table = tmp_path / "staff.csv"
        rows = "name,email,zone\nBo,bo@us.example,UTC\n"
        table.write_text(rows)
        years = await Years.of(there.company, a_yearly_file(now + timedelta(days=3), audience={"file": "staff.csv"}))
        year = years.file.first_year(now)
        await years.give(there.client, year, now)
        table.unlink()
        kept = await Store(str(there.company.folder / "store")).audiences.year(years.file.series.schedule_id, year)
        assert kept is not None and base64.b64encode(rows.encode()) in kept
        order = YearToOpen(series=years.file.series, now=years.file.opens_at(year))
        opener = activities_of_years(there)
        opened = await opener.open(order)
        assert opened.campaign == f"acknowledgement-campaign:conduct-{year}"
        kept = await Store(str(there.company.folder / "store")).audiences.year(years.file.series.schedule_id, year)
        assert kept is not None and base64.b64encode(rows.encode()) not in kept
        assert await opener.open(order) == opened
        table.write_text(rows)
        assert not await years.give(there.client, year, now)
        table.write_text(rows.replace("Bo", "Di"))
        with pytest.raises(Refusal, match=f"conduct-{year} has opened already: what it opened with stays"):
            await years.give(there.client, year, now)
        [planned, *_] = await scheduling.preview(years.file, there.company.store, there.company.directory, now)
        assert planned.people == 1


async def test_the_table_of_a_year_whose_opening_was_cancelled_is_gone_with_the_first_look_of_the_next(
    tmp_path: Path,
) -> None:
    """Also when nobody owns it any more by then."""
    async with at_work(tmp_path, staff("ada")) as there:
        now = datetime.now(UTC)
        (tmp_path / "staff.csv").write_text("name,email,zone\nBo,bo@us.example,UTC\n")
        years = await Years.of(there.company, a_yearly_file(now + timedelta(days=3), audience={"file": "staff.csv"}))
        series, year = years.file.series, years.file.first_year(now)
        await years.give(there.client, year, now)
        there.company.loses(OWNER)
        later = years.file.opens_at(year) + timedelta(days=335)
        with pytest.raises(ApplicationError, match=f'"{OWNER}" is not in people.yaml'):
            await activities_of_years(there).open(YearToOpen(series=series, now=later))
        assert await YearContent.read(there.company.store, series, year) is None


def activities_of_years(there: Work) -> activities_yearly.CampaignYearsService:
    company = there.company
    catalogue = company.folder / "catalogue.yaml"
    return activities_yearly.CampaignYearsService(there.client, company.store, company.directory, catalogue)


@pytest.mark.parametrize(
    ("wrong", "says"),
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
    tmp_path: Path, wrong: dict[str, str], says: str
) -> None:
    company = Company(tmp_path, staff("ada"))
    with pytest.raises(FileFaults) as faults:
        await Years.of(company, a_yearly_file(datetime.now(UTC), **wrong))
    assert str(faults.value).endswith(says)


async def test_it_is_no_campaign_that_is_started_by_hand(tmp_path: Path) -> None:
    company = Company(tmp_path, staff("ada"))
    now = datetime(2026, 11, 28, tzinfo=UTC)
    (tmp_path / "conduct-2026.pdf").write_bytes(PDF)
    file = a_yearly_file(now + timedelta(days=3))
    with pytest.raises(FileFaults, match=r"yearly: is opened by its schedule: `countersign campaign schedule FILE`"):
        await company.prepared(file, now)
    opened = await company.prepared({**file, "opens": "2026-12-01"}, now)
    assert opened.given.campaign.opens_at.astimezone(AMSTERDAM).date() == (now + timedelta(days=3)).date()


def test_three_openings_are_previewed_without_a_server(tmp_path: Path) -> None:
    company = Company(tmp_path, staff("ada", "bo"))
    (company.folder / "yearly.yaml").write_text(json.dumps(a_yearly_file(datetime(2027, 3, 1, tzinfo=UTC))))
    typed = ("campaign", "schedule", str(tmp_path / "yearly.yaml"), "--plan")
    table, told = type_(*typed, **given(tmp_path)), json.loads(type_(*typed, "--json", **given(tmp_path)).stdout)
    assert (table.returncode, table.stderr) == (0, "")
    assert "The schedule campaign-opening:conduct would be" in table.stdout
    first = told["years"][0]["year"]
    assert [one["campaign"] for one in told["years"]] == [f"conduct-{first + ahead}" for ahead in range(3)]
    assert [(one["opens"][4:16], one["given"], one["people"]) for one in told["years"]] == [
        ("-03-01T09:00", False, 2)
    ] * 3
    both = type_(*typed, "--year", "2027", **given(tmp_path))
    assert both.returncode == 2
    assert "give --plan, which only shows, or --year, which gives content" in both.stderr


@pytest.mark.parametrize(
    ("instant", "after", "missing", "given_up"),
    [
        ("tells_at", -1, False, False),
        ("tells_at", 0, True, False),
        ("given_up_at", -1, True, False),
        ("given_up_at", 0, False, True),
    ],
)
def test_a_year_without_content_is_missed_from_one_very_instant_and_given_up_from_another(
    instant: str, after: int, missing: bool, given_up: bool
) -> None:
    opens = datetime(2027, 1, 15, 8, tzinfo=UTC)
    instants = {"tells_at": opens - AHEAD, "given_up_at": opens + timedelta(days=LATE_DAYS_AT_MOST)}
    year, now = YearSeen(year=2027, opens_at=opens), instants[instant] + timedelta(microseconds=after)
    assert (year.is_missing(now), year.is_given_up(now)) == (missing, given_up)


@pytest.mark.parametrize(("days", "opens_in"), [(-1, 0), (0, 0), (1, 1)])
async def test_the_first_year_is_that_whose_day_is_not_over(tmp_path: Path, days: int, opens_in: int) -> None:
    company, opens = Company(tmp_path, staff("ada")), datetime(2027, 5, 15, 12, tzinfo=AMSTERDAM)
    years = await Years.of(company, a_yearly_file(opens))
    assert years.file.first_year(opens + timedelta(days=days)) == 2027 + opens_in
