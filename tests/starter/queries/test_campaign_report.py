"""The report of a campaign and an auditor's sample: everybody once, the same bytes for ever, and nothing that runs."""

import csv
import io
import json
import random
import shutil
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from activities.files.reading import FileFaults
from activities.files.table import Table
from activities.records.outcomes import MemberOutcome, MemberStatus
from starter.cli.arguments import failed_or_person
from starter.cli.campaign import write
from starter.errors import Refusal
from starter.queries import campaign_page as page
from starter.queries import campaign_report as report
from starter.queries import campaign_report as sample
from starter.queries.campaign_report import COLUMNS, CampaignReport, member_of
from starter.temporal.connection import Context
from tests.lines import make_report, some_at_a_time
from tests.servers import time_skipping
from tests.starter.queries.test_campaign_curve import some_show
from tests.storage import altered
from tests.workflows.campaign.stage import OWNER, CampaignStory, Company, a_file, staff, start_campaign
from workflows.model.commands import Exemption
from workflows.model.subject import Status

ON_LEAVE = '=HYPERLINK("http://evil.example") on leave'
FORMS = (".csv", ".json", ".html")


async def write_report_forms(context: Context, folder: Path) -> dict[str, bytes]:
    """The report in each of its forms."""
    campaign_report = await report.load_report(context, "conduct")
    for form in FORMS:
        await write(folder / f"report{form}", campaign_report)
    return {form: (folder / f"report{form}").read_bytes() for form in FORMS}


@asynccontextmanager
async def ended_campaign(folder: Path) -> AsyncIterator[CampaignStory]:
    """A campaign in which everything has happened, and that is over."""
    file = a_file(audience={"people": ["ada", "bo", "cas", "dee", "nobody"]})
    async with start_campaign(folder, file, staff("ada", "bo", "cas", "dee")) as running_campaign:
        await running_campaign.wait_until_opened()
        await running_campaign.end_request("ada")
        await running_campaign.end_request("bo", Status.DECLINED)
        await running_campaign.send_command(Exemption(actor=OWNER, person="cas", reason=ON_LEAVE))
        await running_campaign.wait_until(lambda view: view.changes == 1)
        await running_campaign.days_pass(30)
        await running_campaign.handle.result()
        yield running_campaign


async def test_a_member_is_named_by_id_or_address_and_a_mistyped_one_is_refused_before_it_is_sent(
    tmp_path: Path,
) -> None:
    async with start_campaign(tmp_path, a_file(**A_WEEK), staff("ada", "cas")) as running_campaign:
        view, store, directory = (
            await running_campaign.wait_until_opened(),
            running_campaign.company.store,
            running_campaign.company.directory,
        )
        assert await member_of(store, view, "ada", directory) == "ada"
        assert await member_of(store, view, "Cas@us.example", directory) == "cas"
        for typed, hint in (("adda", ", did you mean ada?"), ("x@us.example", "")):
            with pytest.raises(Refusal) as refused:
                await member_of(store, view, typed, directory)
            assert str(refused.value) == f"nothing was changed: {typed} is not in the audience{hint}"
        assert await member_of(store, view.replace(frozen=None), "adda", directory) == "adda", "it has not opened yet"


@pytest.mark.parametrize("typed", [{"failed": False, "person": ""}, {"failed": True, "person": "ada"}])
def test_a_retry_is_of_all_who_failed_or_of_one(typed: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match="--failed, or --person"):
        failed_or_person(**typed)


@pytest.mark.long
async def test_a_report_is_the_same_bytes_for_ever_whatever_was_deleted_since(tmp_path: Path) -> None:
    async with ended_campaign(tmp_path / "it") as closed_campaign:
        store = closed_campaign.company.store
        first = await write_report_forms(Context(closed_campaign.client, store), tmp_path)
        repeated = await write_report_forms(Context(closed_campaign.client, store), tmp_path)
    altered(store, "DELETE FROM record_lists WHERE workflow_id LIKE 'signature-request:%'")
    assert altered(store, "DELETE FROM records WHERE workflow_id LIKE 'signature-request:%'") == 4
    assert [altered(store, f"DELETE FROM {table}") for table in ("outcomes", "members")] == [4, 5]  # noqa: S608
    # What docs/deploying.md calls erasable, whoever signed it.
    shutil.rmtree(tmp_path / "it" / "store" / "documents")
    async with time_skipping() as forgotten:
        forgotten_report = await write_report_forms(Context(forgotten.client, store), tmp_path)
    assert first == repeated == forgotten_report
    rows = {row["person"]: row for row in csv.DictReader(io.StringIO(first[".csv"].decode()))}
    assert {person: row["status"] for person, row in rows.items()} == {
        "ada": "acknowledged",
        "bo": "declined",
        "cas": "exempt",
        "dee": "expired",
        "nobody": "errors",
    }
    assert rows["bo"]["reason"] == "I do not agree"
    assert rows["cas"]["reason"] == f"'{ON_LEAVE}"
    assert rows["ada"]["sent_at"] < rows["ada"]["signed_at"]
    assert (rows["ada"]["late"], rows["ada"]["department"], rows["ada"]["manager"]) == ("false", "sales", "chair")
    report_json = json.loads(first[".json"])
    assert (report_json["campaign"]["status"], report_json["campaign"]["as_of"]) == ("done_with_errors", None)
    assert report_json["campaign"]["owner"] == OWNER
    assert len(report_json["campaign"]["outcomes_sha256"]) == len(report_json["campaign"]["audience_sha256"]) == 64
    assert sum(report_json["counts"].values()) == len(report_json["lines"]) == 5
    assert [(change["what"], change["reason"]) for change in report_json["changes"]] == [("exempt", ON_LEAVE)]


@pytest.mark.long
async def test_the_words_of_somebody_are_erased_from_the_report_when_they_are_erased(tmp_path: Path) -> None:
    async with ended_campaign(tmp_path / "it") as closed_campaign:
        assert altered(closed_campaign.company.store, "DELETE FROM texts WHERE name LIKE 'reason-%'")
        report_json = json.loads(
            (await write_report_forms(Context(closed_campaign.client, closed_campaign.company.store), tmp_path))[
                ".json"
            ]
        )
    assert {line["person"]: line["reason"] for line in report_json["lines"]}["bo"] == "(erased)"


A_WEEK = {"window": "4d", "grace": "2d"}
TABLE = "name,email,zone,phone\nZoë Ek,zoe@elsewhere.example,UTC,+31201234567\nBo Li,bo@elsewhere.example,UTC,\n"


@pytest.mark.long
@pytest.mark.parametrize(
    ("report_columns", "columns"),
    [(None, ("name", "email")), (["phone", "name"], ("phone", "name"))],
    ids=["default", "own"],
)
async def test_whoever_stands_in_a_table_has_a_name_in_each_form_until_they_are_erased(
    tmp_path: Path, report_columns: list[str] | None, columns: tuple[str, ...]
) -> None:
    (tmp_path / "it").mkdir()
    (tmp_path / "it" / "staff.csv").write_text(TABLE)
    file_fields = {"report_columns": report_columns} if report_columns else {}
    file = a_file(**A_WEEK, audience={"file": "staff.csv"}, **file_fields)
    async with start_campaign(tmp_path / "it", file, staff("ada")) as running_campaign:
        await running_campaign.days_pass(8)
        await running_campaign.handle.result()
        context = Context(running_campaign.client, running_campaign.company.store)
        named = await write_report_forms(context, tmp_path)
        nameless = await read_json(await report.load_report(context, "conduct", names=False))
        view = await running_campaign.read_view()
        zoe = await member_of(context.store, view, "Zoe@elsewhere.example ", None)
        assert altered(context.store, "DELETE FROM people_in_full")
        erased = await write_report_forms(context, tmp_path)
    rows = list(csv.DictReader(io.StringIO(named[".csv"].decode("utf-8-sig"))))
    assert tuple(rows[0])[:4] == ("person", *columns, "request")
    assert [row["name"] for row in rows] == ["Zoë Ek", "Bo Li"]
    assert rows[0]["person"] == zoe
    lines = json.loads(named[".json"])["lines"]
    assert [[line[name] for name in columns] for line in lines] == [
        [row[name].lstrip("'") for name in columns] for row in rows
    ]
    assert "Zoë Ek" in named[".html"].decode() and "elsewhere" not in json.dumps(nameless)
    assert not {*columns} & nameless["lines"][0].keys()
    for form in FORMS:
        assert "Zoë Ek" not in erased[form].decode() and "(erased)" in erased[form].decode()


@pytest.mark.long
async def test_whoever_is_in_the_directory_is_named_as_the_people_file_knows_them(tmp_path: Path) -> None:
    async with start_campaign(
        tmp_path, a_file(**A_WEEK, audience={"people": ["ada", "nobody"]}), staff("ada")
    ) as running_campaign:
        await running_campaign.days_pass(8)
        await running_campaign.handle.result()
        campaign_report = await report.load_report(
            Context(running_campaign.client, running_campaign.company.store),
            "conduct",
            directory=running_campaign.company.directory,
        )
    assert [(line["person"], line["name"], line["email"]) for line in (await read_json(campaign_report))["lines"]] == [
        ("ada", "Ada", "ada@us.example"),
        ("nobody", "", ""),
    ]


async def test_a_column_that_nobody_keeps_cannot_be_in_the_report(tmp_path: Path) -> None:
    with pytest.raises(FileFaults, match=r"report_columns\[0\]: must be one of 'name', 'email', 'zone', 'locale' or"):
        await Company(tmp_path, staff("ada")).prepared(a_file(report_columns=["shoe size"]))


def some_report(*lines: MemberOutcome, **overrides: Any) -> CampaignReport:
    """A report of these, of a campaign that has ended."""
    return make_report(some_show().replace(status=Status.DONE, **overrides), lines)


async def read_json(campaign_report: CampaignReport) -> Any:
    return json.loads("".join([piece async for piece in campaign_report.json()]))


def make_outcomes_of_all_kinds(count: int) -> Iterator[MemberOutcome]:
    """People who stand in every way there is, the same at each call."""
    chance = random.Random(7)  # noqa: S311  a sample, no secret
    opens, standings = datetime(2026, 12, 1, 8, tzinfo=UTC), list(MemberStatus)
    for row in range(1, count + 1):
        status = chance.choice(standings)
        signed_at = (opens + timedelta(hours=chance.randrange(1, 400))).isoformat()
        has_acknowledged = status in (MemberStatus.ACKNOWLEDGED, MemberStatus.LATE)
        yield MemberOutcome(
            row,
            f"person-{row}",
            f"conduct.person-{row}",
            status,
            sent_at=opens.isoformat(),
            signed_at=signed_at if has_acknowledged else "",
            late=status is MemberStatus.LATE,
            reminders=chance.randrange(5),
            department=f"department {row % 12}",
            manager=f"manager-{row % 300}",
            due="2026-12-15",
        )


async def html(campaign_report: CampaignReport) -> str:
    return "".join([piece async for piece in page.pieces(campaign_report)])


async def test_the_columns_are_those_that_programs_read_by_name_and_more_follow_them(tmp_path: Path) -> None:
    await write(tmp_path / "some.csv", some_report(*make_outcomes_of_all_kinds(3)))
    head = (tmp_path / "some.csv").read_text().splitlines()[0]
    assert head == "person,request,status,sent_at,signed_at,late,reminders,reason,row,department,manager,due"


@pytest.mark.parametrize("cell", ["=1+1", "+1", "-1", "@x", "\tx", "\rx"])
async def test_no_cell_of_a_table_is_a_formula(tmp_path: Path, cell: str) -> None:
    line = MemberOutcome(1, "ada", "conduct.ada", MemberStatus.DECLINED, reason=cell, department=cell, manager=cell)
    await write(tmp_path / "some.csv", some_report(line))
    [row] = csv.DictReader(io.StringIO(read(tmp_path), newline=""))
    assert {row["reason"], row["department"], row["manager"]} == {f"'{cell}"}


def list_files(folder: Path) -> list[str]:
    return [path.name for path in folder.iterdir()]


def read(folder: Path) -> str:
    return (folder / "some.csv").read_bytes().decode()


@pytest.mark.parametrize(("department", "marked"), [("Sales", False), ("Développement", True)])
async def test_a_table_has_a_mark_where_a_spreadsheet_needs_it(tmp_path: Path, department: str, marked: bool) -> None:
    await write(
        tmp_path / "some.csv", some_report(MemberOutcome(1, "ada", "", MemberStatus.TOLD, department=department))
    )
    assert (tmp_path / "some.csv").read_bytes().startswith("\ufeff".encode()) is marked
    assert Table.read(tmp_path / "some.csv").rows[0].cells["department"] == department


async def test_a_file_is_there_whole_or_as_it_was_before(tmp_path: Path) -> None:
    """A surrogate cannot be written: half-way through the rows it fails."""
    (tmp_path / "some.csv").write_text("before")
    lines = [*make_outcomes_of_all_kinds(1_000), MemberOutcome(1, "\ud800", "", MemberStatus.TOLD)]
    with pytest.raises(UnicodeEncodeError):
        await write(tmp_path / "some.csv", some_report(*lines))
    assert list_files(tmp_path) == ["some.csv"]
    assert read(tmp_path) == "before"


async def test_no_file_is_written_over_something_that_is_none(tmp_path: Path) -> None:
    (tmp_path / "some.csv").mkdir()
    with pytest.raises(OSError, match="is no file"):
        await write(tmp_path / "some.csv", some_report())


async def test_the_page_says_which_document_who_approved_it_and_by_which_hashes_it_is_known() -> None:
    page_html = await html(
        some_report(
            *make_outcomes_of_all_kinds(40),
            version="2026.1",
            effective=date(2026, 12, 1),
            approver="chair",
            requester=OWNER,
            outcomes="ab" * 32,
        )
    )
    for phrase in ("Code of conduct", "2026.1", "2026-12-01", "chair", OWNER, "ab" * 32, "2026-12-15", "<svg"):
        assert phrase in page_html
    assert "<dt>in force from</dt><dd>2026-12-01</dd>" in page_html
    assert "By department" in page_html and "By manager" in page_html
    assert page_html.count('<td class="id">conduct.person-') == 40


async def test_the_page_names_the_pack_that_proves_what_one_member_did() -> None:
    page = await html(some_report(*make_outcomes_of_all_kinds(1)))
    assert "countersign audit export conduct.&lt;person&gt;" in page


async def test_whoever_need_not_or_cannot_keeps_nobody_from_a_hundred_percent() -> None:
    statuses = (MemberStatus.ACKNOWLEDGED, MemberStatus.EXEMPT, MemberStatus.DROPPED, MemberStatus.ERROR)
    lines = [MemberOutcome(row, f"p{row}", "", status, department=f"{row // 3}") for row, status in enumerate(statuses)]
    page_html = await html(some_report(*lines))
    assert "<strong>1 of 1</strong> people has acknowledged it (100.0 %)." in page_html
    assert '<td class="n">1</td><td class="n">100.0 %</td>' in page_html, "the department with somebody who is to"
    assert '<td class="n">0</td><td class="n">–</td>' in page_html, "the one of whom nobody is"
    assert "acknowledgements over time: 0 of 1" in page_html, "in the picture as well"


async def test_nothing_that_somebody_wrote_runs_on_the_page() -> None:
    evil = "<script>alert(1)</script><img src=x onerror=alert(1)>"
    line = MemberOutcome(1, evil, evil, MemberStatus.DECLINED, reason=evil, department=evil, manager=evil)
    view = some_show().replace(title=evil, version=evil, approver=evil, requester=evil)
    changes = [dict.fromkeys(("number", "what", "at", "by", "person", "due", "reason"), evil)]
    population = {"opening": 1, "close": 2, "came": [{"person": evil, "decided": evil}], "left": []}
    page_html = await html(make_report(view, [line], population, changes))
    assert "<img" not in page_html
    assert page_html.count("<script>") == 1
    assert page_html.count("&lt;script&gt;alert(1)") > 10


async def test_the_page_needs_nothing_beside_it_and_may_run_its_own_script_alone() -> None:
    page_html = await html(some_report(*make_outcomes_of_all_kinds(10)))
    for outside in ("src=", "<link", "@import", "url(", "fetch(", "XMLHttpRequest"):
        assert outside not in page_html
    assert page_html.replace("http://www.w3.org/", "").count("http") == page_html.count("http-equiv")
    assert "default-src 'none'; style-src 'sha256-" in page_html.replace("&#39;", "'")
    assert "@page { size: A4" in page_html


async def test_what_goes_on_is_marked_as_no_record() -> None:
    lines = tuple(make_outcomes_of_all_kinds(10))
    view = some_show().replace(counted_at=datetime(2026, 12, 9, 12, tzinfo=UTC))
    page_html = await html(make_report(view, lines))
    assert "It goes on: this is how everybody stood at 2026-12-09 12:00 UTC, and no record yet." in page_html
    assert "is known once their request has ended" in page_html
    assert "It goes on" not in await html(some_report(*lines))


async def test_what_is_not_known_of_whoever_is_open_is_no_figure(tmp_path: Path) -> None:
    lines = [
        MemberOutcome(1, "ada", "conduct.ada", MemberStatus.TOLD),
        MemberOutcome(2, "bo", "conduct.bo", MemberStatus.EXPIRED),
    ]
    await write(tmp_path / "report.csv", some_report(*lines))
    with (tmp_path / "report.csv").open() as file:
        assert [(row["sent_at"], row["reminders"]) for row in csv.DictReader(file)] == [("", ""), ("", "0")]
    assert [some_report().plain_line(line)["reminders"] for line in lines] == [None, 0]


async def test_what_was_broken_off_in_temporal_is_not_said_to_go_on() -> None:
    view = some_show().replace(counted_at=datetime(2026, 12, 9, 12, tzinfo=UTC), trouble="terminated")
    page_html = await html(make_report(view, []))
    assert "Its workflow was terminated: this is how everybody stood at" in page_html


async def test_a_page_of_nobody_is_a_page() -> None:
    assert "Nobody was asked." in await html(some_report())


@pytest.mark.long
async def test_ten_times_ten_thousand_people_stand_once_in_each_form(tmp_path: Path) -> None:
    campaign_report = some_report(*make_outcomes_of_all_kinds(100_000))
    for form in FORMS:
        await write(tmp_path / f"report{form}", campaign_report)
    with (tmp_path / "report.csv").open() as file:
        assert len({person for person, *_ in csv.reader(file)} - {"person"}) == 100_000
    assert len(json.loads((tmp_path / "report.json").read_text())["lines"]) == 100_000
    assert (tmp_path / "report.html").read_text().count("conduct.person-") == 100_000


async def test_the_same_seed_draws_the_same_people_whatever_their_order() -> None:
    lines = list(make_outcomes_of_all_kinds(1_000))
    first = await sample.audit_sample(some_at_a_time(lines), 25, "auditor")
    random.shuffle(lines)
    assert await sample.audit_sample(some_at_a_time(lines), 25, "auditor") == first
    assert await sample.audit_sample(some_at_a_time(lines), 10, "auditor") == first[:10]
    assert await sample.audit_sample(some_at_a_time(lines), 25, "another") != first
    assert len({line.person for line in first}) == 25


async def test_a_sample_is_by_the_hash_that_is_told_so_that_anybody_can_draw_it_again() -> None:
    """By hand: `printf auditor/3/person-3 | sha256sum`, and sort."""
    sampled_lines = await sample.audit_sample(some_at_a_time([*make_outcomes_of_all_kinds(6)]), 3, "auditor")
    assert [line.person for line in sampled_lines] == ["person-6", "person-3", "person-1"]


async def test_who_wants_more_than_there_are_gets_all() -> None:
    assert {
        line.row for line in await sample.audit_sample(some_at_a_time([*make_outcomes_of_all_kinds(6)]), 25, "auditor")
    } == {
        1,
        2,
        3,
        4,
        5,
        6,
    }


async def test_each_person_is_drawn_about_equally_often() -> None:
    lines = list(make_outcomes_of_all_kinds(20))
    drawn = [
        line.row
        for number in range(2_000)
        for line in await sample.audit_sample(some_at_a_time(lines), 5, f"seed {number}")
    ]
    assert all(400 < drawn.count(row) < 600 for row in range(1, 21))


def test_every_column_is_of_a_line() -> None:
    assert set(COLUMNS) == set(MemberOutcome._fields)
