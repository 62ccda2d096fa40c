"""The answer of `stats`: periods, what stands beside them, what is told of few, and its files."""

import csv
import io
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from xml.etree.ElementTree import fromstring

import pytest

from activities.metrics import Brought, Holder
from activities.people.devices import Devices
from activities.people.directory import PersonReach
from activities.people.file_directory import FileDirectory
from activities.people.language import Language
from activities.people.person import PushDevice
from activities.records.app_pushes import AppPush, ReportedEvent
from activities.records.facts import OutcomeFacts
from activities.records.figures import GroupBy, Scope
from activities.records.store import Store
from starter.cli.stats import figures_view
from starter.errors import Refusal
from starter.queries.charts import durations_chart
from starter.queries.figures import COLUMNS, UNREACHED_AT_MOST, FigureQuery, Figures, gather_figures, spreadsheet
from tests.activities.records.test_figures import EndedFacts, write
from tests.starter.cli.test_tables import render
from workflows.kinds import Kind
from workflows.model.notifications import AppEventType
from workflows.model.subject import Status

NOW = datetime(2026, 11, 30, 9, tzinfo=UTC)
DAY = 86_400.0
_PHONES = "devices: [{{token: {}, platform: android}}]"
PEOPLE = f"""
people:
  - {{id: ada, name: A, email: a@x.test, zone: UTC, department: Legal, {_PHONES.format("a-1")}}}
  - {{id: bo, name: B, email: b@x.test, zone: UTC, department: Legal, {_PHONES.format("b-1")}}}
  - {{id: cy, name: C, email: c@x.test, zone: UTC}}
  - {{id: di, name: D, email: d@x.test, zone: UTC, department: Sales}}
"""


def make_facts(ago: float, days: float = 1, *, status: Status = Status.SIGNED, **overrides: object) -> OutcomeFacts:
    plain = {"type": Kind.REQUEST.spec.prefix, "kind": "nda", "late": False, "turn_seconds": days * DAY / 2}
    return OutcomeFacts(status=status, ended_at=NOW - timedelta(days=ago), seconds=days * DAY, **{**plain, **overrides})  # type: ignore[arg-type]


async def figures(
    folder: Path, *ended_facts: OutcomeFacts, directory: FileDirectory | None = None, **options: object
) -> Figures:
    store = Store(str(folder))
    for number, request_facts in enumerate(ended_facts):
        await write(store, number, EndedFacts(request_facts, "ada", "bo"))
    scope = options.pop("scope", None)
    gathered_figures = await gather_figures(store, directory, FigureQuery(**options), NOW, scope=scope)  # type: ignore[arg-type]
    store.close()
    return gathered_figures


async def test_ninety_days_stand_beside_those_before(tmp_path: Path) -> None:
    counted_figures = await figures(
        tmp_path, make_facts(0, 2), make_facts(89, 4), make_facts(90, 8), make_facts(179, 8), make_facts(180, 100)
    )
    assert (counted_figures.since, counted_figures.until) == (date(2026, 9, 2), date(2026, 11, 30))
    assert (counted_figures.before_since, counted_figures.before_until) == (date(2026, 6, 4), date(2026, 9, 1))
    [requests] = counted_figures.types
    assert (requests.total.now.ended, requests.total.now.median_seconds) == (2, 3 * DAY)
    assert (requests.total.before.ended, requests.total.before.median_seconds) == (2, 8 * DAY)
    assert [line.group for line in requests.groups] == ["nda"]


async def test_a_month_stands_beside_that_of_the_year_before(tmp_path: Path) -> None:
    counted_figures = await figures(tmp_path, make_facts(1, 2), make_facts(366, 6), by=GroupBy.MONTH)
    assert (counted_figures.since, counted_figures.before_since, counted_figures.before_until) == (
        date(2025, 12, 1),
        date(2024, 12, 1),
        date(2025, 11, 30),
    )
    [line] = counted_figures.types[0].groups
    assert (line.group, line.now.median_seconds, line.before.median_seconds) == ("2026-11", 2 * DAY, 6 * DAY)


async def test_of_fewer_than_three_of_a_department_no_time_is_told(tmp_path: Path) -> None:
    ended_facts = [make_facts(number, 4, department="Legal") for number in range(3)]
    ended_facts += [make_facts(number, 4, department="Sales", waited={Holder.US: 9.0}) for number in range(2)]
    counted_figures = await figures(tmp_path, *ended_facts, by=GroupBy.DEPARTMENT)
    lines = {line.group: line.now for line in counted_figures.types[0].groups}
    assert lines["Legal"].median_seconds == 2 * DAY, "from the turn of its people"
    assert (lines["Sales"].ended, lines["Sales"].median_seconds, lines["Sales"].lost) == (2, None, ())
    assert lines["Sales"].few and not lines["Legal"].few
    assert "fewer than 3" in render(200, figures_view(counted_figures))


async def test_neither_if_only_that_department_is_asked_for(tmp_path: Path) -> None:
    counted_figures = await figures(tmp_path, make_facts(1, 4, department="Sales"), department="Sales")
    [requests] = counted_figures.types
    assert requests.total.now.median_seconds is None and requests.groups[0].now.few


async def test_a_scope_sees_its_own(tmp_path: Path) -> None:
    assert (await figures(tmp_path / "1", make_facts(1), scope=Scope(("ada",)))).types
    assert not (await figures(tmp_path / "2", make_facts(1), scope=Scope(("bo",)))).types
    assert (await figures(tmp_path / "3", make_facts(1), scope=Scope((), ("bo",)))).types


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"since": date(2026, 2, 2), "until": date(2026, 2, 1)}, "before it begins"),
        ({"since": date(1990, 1, 1)}, "more than 3,660 days"),
        ({"until": date(1, 1, 5)}, "too early"),
        ({"until": date(1, 1, 5), "by": GroupBy.MONTH}, "too early"),
        ({"since": date(9999, 12, 1), "until": date(9999, 12, 31)}, "too late"),
    ],
)
def test_a_period_that_cannot_be_counted_is_refused(options: dict[str, object], message: str) -> None:
    with pytest.raises(Refusal, match=message):
        FigureQuery(**options).period(NOW.date())  # type: ignore[arg-type]


def test_the_leap_day_stands_beside_the_day_before_it() -> None:
    figures_wanted = FigureQuery(by=GroupBy.MONTH, since=date(2028, 2, 29), until=date(2028, 2, 29))
    assert figures_wanted.find_period_before(date(2028, 2, 29), date(2028, 2, 29)) == (
        date(2027, 2, 28),
        date(2027, 2, 28),
    )


async def test_the_reach_counts_living_devices_by_department(tmp_path: Path) -> None:
    (tmp_path / "people.yaml").write_text(PEOPLE)
    store = Store(str(tmp_path))
    directory, devices = FileDirectory(tmp_path / "people.yaml", store), Devices(store)
    await devices.withdraw(await directory.person("bo"), "b-1", NOW)
    for person, token in (("cy", "c-1"), ("di", "d-1")):
        await devices.register(person, PushDevice(token=token, platform="android"), NOW)
    await devices.withdraw(await directory.person("di"), "d-1", NOW + timedelta(hours=1))
    assert await directory.list_reach() == [
        PersonReach("ada", "Legal", has_device=True),
        PersonReach("bo", "Legal", has_device=False),
        PersonReach("cy", "", has_device=True),
        PersonReach("di", "Sales", has_device=False),
    ]
    assert await directory.list_reach(("di", "nobody")) == [PersonReach("di", "Sales", has_device=False)]
    await devices.register("di", PushDevice(token="d-1", platform="android"), NOW + timedelta(hours=2))
    await devices.register("ada", PushDevice(token="c-1", platform="android"), NOW)
    reach = await directory.list_reach(("di", "cy"))
    assert [person.has_device for person in reach] == [True, False], "a phone has one owner"
    counted_figures = await figures(tmp_path, make_facts(1), directory=directory)
    lines = [(line.department, line.people, line.living) for line in counted_figures.reach]
    assert lines == [("Legal", 2, 1), ("", 1, 0), ("Sales", 1, 1)]
    unreached = [(person.person, person.invalid_since) for person in counted_figures.unreached]
    assert unreached == [("bo", NOW), ("cy", None)]
    rendered = render(200, figures_view(counted_figures))
    assert "invalid since" in rendered and "none yet" in rendered
    store.close()


async def push(
    store: Store, person: str, at: datetime, department: str = "Legal", *, is_reported: bool = False
) -> None:
    await store.app_pushes.note(AppPush(person, "k" * 22, str(at), "signature-request:r", department), ["d" * 12], at)
    if is_reported:
        event = ReportedEvent(AppEventType.TAPPED, "k" * 22, str(at), "d" * 12, at)
        assert (await store.app_pushes.report(person, [event], at)).noted == 1


async def test_who_was_reached_is_counted_by_week_and_department_once_a_person(tmp_path: Path) -> None:
    store = Store(str(tmp_path))
    for hours in (1, 2):
        await push(store, "ada", NOW - timedelta(hours=hours), is_reported=hours == 1)
    await push(store, "bo", NOW)
    await push(store, "di", NOW - timedelta(days=7), "Sales", is_reported=True)
    await push(store, "di", NOW - timedelta(days=200), "Sales")
    counted_figures = await figures(tmp_path, by=GroupBy.DEPARTMENT)
    assert [tuple(line.model_dump().values()) for line in counted_figures.reach_by_week] == [
        (date(2026, 11, 30), "Legal", 2, 1),
        (date(2026, 11, 23), "Sales", 1, 1),
    ]
    assert "50 %" in render(200, figures_view(counted_figures))
    assert "people,week,2026-11-30 Legal,push_reached,1," in spreadsheet(counted_figures)
    [line] = (await figures(tmp_path, department="Sales")).reach_by_week
    assert (line.department, line.accepted) == ("Sales", 1)
    assert [line.department for line in (await figures(tmp_path)).list_weeks()] == ["", ""]
    narrowed = await gather_figures(store, None, FigureQuery(), NOW, reach_of=("bo",))
    assert [(line.accepted, line.reached) for line in narrowed.reach_by_week] == [(1, 0)]
    store.close()


async def test_of_ten_times_as_many_without_a_device_as_are_listed_the_others_are_counted(tmp_path: Path) -> None:
    entries = [
        f"  - {{id: p{number}, name: P, email: p{number}@x.test, zone: UTC}}\n"
        for number in range(10 * UNREACHED_AT_MOST)
    ]
    (tmp_path / "people.yaml").write_text("people:\n" + "".join(entries))
    directory = FileDirectory(tmp_path / "people.yaml", Store(str(tmp_path)))
    counted_figures = await figures(tmp_path, directory=directory)
    assert (len(counted_figures.unreached), counted_figures.more_unreached) == (
        UNREACHED_AT_MOST,
        9 * UNREACHED_AT_MOST,
    )


def make_full_facts(department: str = "Legal") -> list[OutcomeFacts]:
    return [
        make_facts(
            number,
            number + 1,
            department=department,
            notice="reminder-1",
            brought=Brought.ALTERNATE,
            brought_seconds=DAY,
            waited={Holder.SIGNER: 3.0, Holder.US: 1.0},
        )
        for number in range(5)
    ]


async def test_a_spreadsheet_has_all_of_it_and_no_formula(tmp_path: Path) -> None:
    counted_figures = await figures(tmp_path, *make_full_facts("=cmd()"), by=GroupBy.DEPARTMENT)
    rows = list(csv.reader(io.StringIO(spreadsheet(counted_figures))))
    assert rows[0] == list(COLUMNS)
    cells_by_row = {tuple(row[:4]): tuple(row[4:]) for row in rows[1:]}
    assert cells_by_row["period", "", "", "since"] == ("2026-09-02", "2026-06-04")
    assert cells_by_row["request", "", "", "median_seconds"] == (str(1.5 * DAY), "")
    assert cells_by_row["request", "department", "'=cmd()", "in_time"] == ("5", "0")
    assert cells_by_row["request", "", "", "lost_signer_seconds"] == ("15.0", "")
    assert cells_by_row["request", "notice", "reminder-1", "last_before_act"] == ("5", "0")
    assert cells_by_row["request", "", "", "escalations_alternate"] == ("5", "0")


async def test_the_terminal_tells_each_type_and_what_helped(tmp_path: Path) -> None:
    output = render(
        200, figures_view(await figures(tmp_path, *make_full_facts(), make_facts(2, status=Status.DECLINED)))
    )
    for phrase in (
        "requests",
        "83 %",
        "17 %",
        "signer 75 %",
        "reminder-1 5 (0)",
        "escalated 5 (0): the alternate acted in 5",
    ):
        assert phrase in output, output
    assert "Nothing has ended" in render(200, figures_view(await figures(tmp_path / "none")))


async def test_the_chart_of_durations_says_what_it_draws(tmp_path: Path) -> None:
    counted = await figures(tmp_path, *make_full_facts())
    chart = durations_chart(counted, lambda _, line: line.group or "Alle", Language.from_tag("de"))
    svg = fromstring(chart)  # noqa: S314  our own chart
    assert "nda: 3 Tage (zuvor: –)" in {element.text for element in svg.iter()}
    assert "nda: 3 Tage (zuvor: –)" in svg.get("aria-label", "")
    assert "style=" not in chart
    assert durations_chart(await figures(tmp_path / "none"), lambda _, line: "", Language.english()) == ""
