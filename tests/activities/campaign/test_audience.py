"""An audience and its changes, how its members stand, and what may be asked of it."""

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, time, timedelta
from pathlib import Path
from typing import Any, Self, cast

import pytest
from sqlalchemy import literal, select
from temporalio.client import Client
from temporalio.exceptions import ApplicationError
from temporalio.service import RPCError, RPCStatusCode

from activities.campaign import population as rows
from activities.campaign.member_status import MemberStatuses, OpenMembers
from activities.campaign.service import CampaignPeopleService
from activities.errors import DocumentDamaged, DocumentMissing
from activities.records.audiences import AudienceAmendment, Member, MemberRow, due_by
from activities.records.outcomes import MemberOutcome, MemberState, MemberStatus
from activities.records.schema import MEMBERS, InstantType
from activities.records.store import Store
from starter.queries.campaign import managed
from tests.lines import counted, some_at_a_time, tally
from tests.messages import english_of
from tests.starter.queries.test_campaign_curve import some_show
from tests.storage import altered, count
from tests.workflows.campaign.stage import SECRET, Company, a_file, staff
from tests.workflows.campaign.test_bounds import NOW, Ahead, make_course
from workflows.campaign import state as campaign_state
from workflows.campaign.state import CHANGES_AT_MOST
from workflows.kinds import Kind
from workflows.model.campaign import (
    AudienceChange,
    Batch,
    BatchResult,
    BatchWork,
    CampaignOrder,
    ChangeKind,
    ChangeResult,
    Counts,
    DailyCheckResult,
    FrozenAudience,
    SettleOrder,
)
from workflows.model.commands import Exemption, Extension, Retry
from workflows.model.file_faults import FileFault
from workflows.ports import PushService

OWNER = "compliance-desk"
LATER = date(2027, 1, 15)
HEAD: dict[str, Any] = {"population": None, "changes": []}


def change(kind: ChangeKind, number: int = 1, **overrides: object) -> AudienceChange:
    return AudienceChange(number=number, what=kind, by=OWNER, at=NOW + timedelta(days=number)).replace(**overrides)


@dataclass
class Frozen:
    """An audience of the store, and what an activity is told of it."""

    store: Store
    order: CampaignOrder

    @classmethod
    async def create(cls, folder: Path, rows: Iterable[MemberRow] | None = None, url: str | None = None) -> Self:
        company = Company(folder, staff("p0"))
        company.store = Store(str(folder / "store"), url)
        campaign_input = (await company.prepared(a_file(), NOW)).workflow_input
        rows = [MemberRow(number, f"p{number}") for number in range(10)] if rows is None else list(rows)
        frozen = FrozenAudience(sha256=await company.store.audiences.freeze(rows), rows=len(rows), errors=0, at=NOW)
        order = CampaignOrder(
            campaign=campaign_input.campaign, frozen=frozen, fingerprint=campaign_input.fingerprint, now=NOW
        )
        await company.store.audiences.up_to_date(order)
        return cls(company.store, order)

    async def with_change(self, change: AudienceChange, *rows: MemberRow) -> Self:
        """The same audience after one more change."""
        amendment = AudienceAmendment(change, rows, self.order.changed)
        sha256 = await self.store.audiences.write(self.order, amendment)
        return replace(self, order=self.order.replace(changed=sha256, changes=change.number))

    async def members(self) -> list[Member]:
        await self.store.audiences.up_to_date(self.order)
        return [member async for page in self.store.audiences.members(self.order.workflow_id) for member in page]

    async def due_at(self, person: str, instant: datetime) -> date:
        """Somebody's last day as of an instant."""
        query = (
            select(due_by(instant=literal(instant, InstantType())))
            .select_from(MEMBERS)
            .where(MEMBERS.c.person == person)
        )
        row = await self.store.database.first(query)
        assert row is not None
        return date.fromisoformat(str(row[0]))

    async def list_batch_requests(
        self, work: BatchWork, change: int, after_row: int = 0, limit: int = 100
    ) -> list[str]:
        """The requests that a batch is about."""
        batch = Batch(order=self.order, work=work, change=change, after=after_row)
        members, _ = await self.store.audiences.members_of(batch, limit)
        return [member.request("conduct") for member in members]

    async def settle(self, person: str, signer: Mapping[str, str] | None = None, **show: object) -> None:
        """Write somebody's record."""
        member = await self.store.audiences.of_person(self.order.workflow_id, person)
        assert member is not None
        signer = {"person": "signer-1", "state": "declined", **dict(signer or {})}
        view = {"signers": [signer], "notifications": [], "timeline": [], **show}
        record = {"fingerprint": member.fingerprint(self.order.fingerprint), "show": view}
        content = json.dumps({**record, "settled": {"at": NOW.isoformat()}})
        await self.store.records.write(Kind.REQUEST.workflow_id(member.request("conduct")), content.encode())

    async def lines(self) -> list[MemberOutcome]:
        return await self.store.outcomes.running(self.order).read()


async def test_a_walk_that_extends_goes_on_behind_the_same_person_though_another_left_meanwhile(tmp_path: Path) -> None:
    extended = await (await Frozen.create(tmp_path)).with_change(change(ChangeKind.EXTENDED, due=LATER))
    requests_before = await extended.list_batch_requests(BatchWork.EXTEND, 1)
    exempt = await extended.with_change(change(ChangeKind.EXEMPT, 2, person="p2"), MemberRow(2, "p2"))
    assert await exempt.list_batch_requests(BatchWork.EXTEND, 1) == requests_before
    assert await exempt.list_batch_requests(BatchWork.EXTEND, 1, after_row=3, limit=2) == ["conduct.p3", "conduct.p4"]
    assert [member.person for member in await exempt.members() if not member.is_asked] == ["p2"]


async def test_a_day_that_was_moved_for_one_counts_for_nobody_else_and_from_when_it_was_moved(tmp_path: Path) -> None:
    extension = change(ChangeKind.EXTENDED, person="p2", due=LATER)
    extended = await (await Frozen.create(tmp_path)).with_change(extension, MemberRow(2, "p2"))
    assert await extended.list_batch_requests(BatchWork.EXTEND, 1) == ["conduct.p2"]
    assert {member.person for member in await extended.members() if member.due == LATER} == {"p2"}
    due = extended.order.campaign.due
    assert await extended.due_at("p2", extension.at - timedelta(seconds=1)) == due
    assert await extended.due_at("p2", extension.at) == LATER
    assert await extended.due_at("p3", extension.at) == due


async def test_a_day_that_was_moved_counts_from_when_it_was_moved(tmp_path: Path) -> None:
    audience, last = await Frozen.create(tmp_path), LATER + timedelta(days=9)
    for number, due in ((1, LATER), (4, last)):
        audience = await audience.with_change(change(ChangeKind.EXTENDED, number, due=due))
    moved_at = NOW + timedelta(days=1)
    days = (-0.1, 0, 2, 3)
    due_dates = [await audience.due_at("p0", moved_at + timedelta(days=day)) for day in days]
    assert due_dates == [audience.order.campaign.due, LATER, LATER, last]
    assert (await audience.members())[0].due == last


async def test_who_came_later_or_came_back_has_the_day_that_they_were_given_until_it_is_moved(
    tmp_path: Path, database_url: str
) -> None:
    audience = await Frozen.create(tmp_path, url=database_url)
    soon, last = LATER - timedelta(days=5), LATER + timedelta(days=9)
    first = audience.order.campaign.due
    for audience_change, *member_rows in (
        (change(ChangeKind.EXTENDED, 1, due=LATER),),
        (change(ChangeKind.EXTENDED, 2, due=soon),),
        (change(ChangeKind.LEFT, 3), MemberRow(0, "p1")),
        (change(ChangeKind.JOINED, 4, due=soon), MemberRow(0, "p1"), MemberRow(0, "new")),
        (change(ChangeKind.JOINED, 5, due=last + timedelta(days=1)), MemberRow(0, "newer")),
        (change(ChangeKind.EXTENDED, 6, due=last),),
    ):
        audience = await audience.with_change(audience_change, *member_rows)
    members = await audience.members()
    due = {member.person: member.due for member in members}
    for person, joined_day, days in (
        ("p0", 0, [first, LATER, LATER, last]),
        ("p1", 4, [soon, last]),
        ("new", 4, [soon, last]),
        ("newer", 5, [last + timedelta(days=1)] * 2),
    ):
        instants = [NOW + timedelta(days=day) for day in sorted({joined_day, 1, 2, 6}) if day >= joined_day]
        assert [await audience.due_at(person, instant) for instant in instants] == days, person
        assert due[person] == days[-1]
    # As when they are read from what was frozen.
    await audience.store.audiences.write_members(audience.order)
    assert await audience.members() == members
    audience.store.close()


@pytest.mark.long
async def test_a_day_more_each_day_for_half_a_year_is_held_once_for_everybody(tmp_path: Path) -> None:
    audience, began, days = await Frozen.create(tmp_path), date(2027, 1, 1), 180
    for day in range(1, days + 1):
        audience = await audience.with_change(change(ChangeKind.EXTENDED, day, due=began + timedelta(days=day)))
    assert count(audience.store, "changed_members") == 0
    for _ in range(2):
        member = (await audience.members())[0]
        assert (member.due_on_joining, member.due) == (audience.order.campaign.due, began + timedelta(days=days))
        assert await audience.due_at("p0", NOW + timedelta(days=days - 1)) == member.due - timedelta(days=1)
        await audience.store.audiences.write_members(audience.order)


async def test_members_are_those_of_the_changes_that_a_run_knows_whatever_another_has_written(tmp_path: Path) -> None:
    """A run that was reset, or gave a change up, goes on without it; another one takes its number."""
    frozen = await Frozen.create(tmp_path)
    exempt = await frozen.with_change(change(ChangeKind.EXEMPT, person="p1"), MemberRow(1, "p1"))
    assert [member.removal for member in (await exempt.members())[:3]] == [None, ChangeKind.EXEMPT, None]
    assert [member.removal for member in (await frozen.members())[:3]] == [None, None, None]
    another = await frozen.with_change(change(ChangeKind.EXEMPT, person="p2"), MemberRow(2, "p2"))
    assert [member.removal for member in (await another.members())[:3]] == [None, None, ChangeKind.EXEMPT]
    with pytest.raises(DocumentDamaged):
        await exempt.members()


async def test_a_change_that_is_written_twice_is_one_as_the_first_attempt_wrote_it(tmp_path: Path) -> None:
    frozen = await Frozen.create(tmp_path)
    audience = await frozen.with_change(change(ChangeKind.LEFT), MemberRow(0, "p1"))
    repeated_members = await (await frozen.with_change(change(ChangeKind.LEFT), MemberRow(0, "p2"))).members()
    assert [member.person for member in repeated_members if member.removal] == ["p1"]
    assert await audience.members() == repeated_members


async def test_what_an_audience_is_made_of_is_verified(tmp_path: Path) -> None:
    frozen = await Frozen.create(tmp_path)
    exempt = await frozen.with_change(change(ChangeKind.EXEMPT, person="p1"), MemberRow(1, "p1"))
    await exempt.store.audiences.verify(exempt.order)
    assert altered(exempt.store, "UPDATE members SET department = 'x', out = NULL, says = 'x'") == 10
    await exempt.store.audiences.write_members(exempt.order)
    members = [
        (member.person, member.removal, member.row.says)
        for member in await exempt.members()
        if member.removal or member.row.says
    ]
    assert members == [("p1", ChangeKind.EXEMPT, "")]
    statement = "UPDATE audience_changes SET content = CAST(replace(content, 'p1', 'p2') AS BLOB)"
    assert altered(exempt.store, statement) == 1
    with pytest.raises(DocumentDamaged):
        await exempt.store.audiences.verify(exempt.order)
    assert altered(exempt.store, "DELETE FROM audience_changes") == 1
    with pytest.raises(DocumentMissing):
        await exempt.store.audiences.verify(exempt.order)


@pytest.mark.parametrize("status", ["declined", "expired", "cancelled"])
async def test_whose_request_has_ended_had_until_the_day_that_counted_then(tmp_path: Path, status: str) -> None:
    audience = await Frozen.create(tmp_path)
    await audience.settle("p0", status=status)
    extended = await audience.with_change(change(ChangeKind.EXTENDED, due=LATER))
    ended_line, waiting, *_ = await extended.lines()
    due = audience.order.campaign.due
    assert (ended_line.status, ended_line.due, waiting.due) == (status, due.isoformat(), LATER.isoformat())


async def test_the_day_of_each_is_that_of_when_they_ended_themselves(tmp_path: Path, database_url: str) -> None:
    audience = await Frozen.create(tmp_path, url=database_url)
    due, extension = audience.order.campaign.due, change(ChangeKind.EXTENDED, due=LATER)
    extended = await audience.with_change(extension)
    for number in range(2):
        signed_at = extension.at + timedelta(hours=number, seconds=-1)
        await extended.settle(f"p{number}", {"state": "signed", "at": signed_at.isoformat()}, status="signed")
    lines = await extended.lines()
    assert [line.due for line in lines[:3]] == [due.isoformat(), LATER.isoformat(), LATER.isoformat()]
    for days, recent in ((1, 2), (7, 1), (8, 0)):
        order = extended.order.replace(now=extension.at + timedelta(days=days))
        assert (await extended.store.outcomes.running(order).tally()).lately == recent
    audience.store.close()


@pytest.mark.parametrize(("days", "status"), [(0, "acknowledged"), (2, "late")])
async def test_who_signs_what_was_only_taken_up_to_be_ended_is_late_after_their_day(
    tmp_path: Path, days: int, status: str
) -> None:
    """No due date was planned in it, so that its record cannot say so."""
    audience = await Frozen.create(tmp_path)
    signed_at = datetime.combine(audience.order.campaign.due, time(13), UTC) + timedelta(days=days)
    timeline = [{"happened": "terminated", "about": "", "why": ""}, {"happened": "sent", "about": "", "why": ""}]
    signer = {"state": "signed", "at": signed_at.isoformat()}
    await audience.settle("p0", signer, status="signed", timeline=timeline)
    line, *_ = await audience.lines()
    assert (line.status, line.late) == (status, status == "late")
    extended = await audience.with_change(change(ChangeKind.EXTENDED, due=LATER))
    assert (await extended.lines())[0].status == "acknowledged"


async def test_the_report_counts_every_reminder_that_arrived_before_and_after_the_due_date(tmp_path: Path) -> None:
    audience = await Frozen.create(tmp_path)
    arrived = ("ready", "reminder-1", "warning-2d", "overdue-1", "overdue-2", "settled")
    notifications = [{"stage": stage, "outcome": "accepted", "at": NOW.isoformat()} for stage in arrived]
    notifications.append({"stage": "reminder-2", "outcome": "failed", "at": NOW.isoformat()})
    await audience.settle("p0", status="expired", notifications=notifications)
    line, *_ = await audience.lines()
    assert (line.status, line.sent_at, line.reminders) == ("expired", "2026-12-01T09:00:00Z", 4)


async def test_who_left_and_came_back_has_the_request_ended_that_they_had_when_they_left(tmp_path: Path) -> None:
    """Their end may wait for what goes before it; what is asked of them by then is another request."""
    frozen = await Frozen.create(tmp_path, [MemberRow(1, "ada"), MemberRow(2, "bo")])
    after_leaving = await frozen.with_change(change(ChangeKind.LEFT), MemberRow(0, "ada"))
    back = await after_leaving.with_change(change(ChangeKind.JOINED, 2, due=LATER), MemberRow(0, "ada"))
    assert await back.list_batch_requests(BatchWork.END, 1) == ["conduct.ada"]
    assert await back.list_batch_requests(BatchWork.START, 2) == ["conduct.ada.r2"]


async def test_members_are_counted_as_their_lines_are(tmp_path: Path, database_url: str) -> None:
    """Also those of whom only Temporal knows something; a record counts before what is known of a request."""
    rows = [MemberRow(number, f"p{number}", f"d{number % 2}", f"m{number % 3}") for number in range(9)]
    repeated = FileFault.ROW_TWICE.to_message(row=8)
    audience = await Frozen.create(tmp_path, [*rows, MemberRow(9, "p8", says=repeated.model_dump_json())], database_url)
    for person, status in (("p0", "declined"), ("p1", "signed")):
        await audience.settle(person, {"state": status, "at": NOW.isoformat()}, status=status)
    states = {
        "conduct.p1": MemberState(MemberStatus.FAILED, "was broken off"),
        "conduct.p2": MemberState(MemberStatus.OPENED),
        "conduct.p3": MemberState(MemberStatus.FAILED, "was broken off"),
        "conduct.p7": MemberState(MemberStatus.TOLD),
    }
    order = audience.order.replace(asked=5)
    lines = audience.store.outcomes.running(order).knowing(states)
    read = await lines.read()
    statuses = {line.row: line.status for line in read}
    assert list(statuses.values()) == [
        *("declined", "acknowledged", "opened", "failed", "told", "not_told", "not_told", "told", "not_told", "errors")
    ]
    assert (await lines.tally()) == tally(read)
    assert (await lines.tally()).counts == counted(read)
    assert [line.row for line in await lines.still_open(1, 3)] == [4, 5, 6]
    assert await lines.done_among(["p0", "p1", "p2"]) == {"p1"}
    missing = await lines.missing()
    assert sum(missing.values()) == 6
    assert {manager for _, manager, _ in missing} == {"m0", "m1", "m2"}
    audience.store.close()


async def test_a_record_of_a_campaign_that_was_altered_is_noticed(tmp_path: Path, database_url: str) -> None:
    store = (await Frozen.create(tmp_path, url=database_url)).store
    lines = [MemberOutcome(n, f"p{n}", f"conduct.p{n}", "expired", sent_at="2026-12-01T09:00:00Z") for n in range(3)]

    async def write_record() -> str:
        return await store.outcomes.write("acknowledgement-campaign:conduct", HEAD, some_at_a_time(lines))

    sha256 = await write_record()
    assert await write_record() == sha256, "equal lines are one record"
    await store.outcomes.verify(sha256)
    assert await (await store.outcomes.record(sha256)).lines.read() == lines
    assert altered(store, "UPDATE outcome_lines SET status = 'acknowledged' WHERE person = 'p1'") == 1
    with pytest.raises(DocumentDamaged):
        await store.outcomes.verify(sha256)
    with pytest.raises(DocumentMissing):
        await store.outcomes.verify("0" * 64)
    store.close()


async def test_nobody_waits_to_be_ended_or_extended_until_others_are_asked(tmp_path: Path) -> None:
    """The first walk may wait for as long as Core Signature is away; an end and a later day need Temporal alone."""
    _, course = await make_course(tmp_path)
    for number, kind in enumerate((ChangeKind.JOINED, ChangeKind.EXEMPT, ChangeKind.EXTENDED, ChangeKind.LEFT), 1):
        course = course.changed(ChangeResult(change=change(kind, number), people=1), NOW)
    walks = [(walk.work, walk.change and walk.change.number) for walk in course.jobs.running]
    assert walks == [
        (BatchWork.END, 2),
        (BatchWork.EXTEND, 3),
        (BatchWork.END, 4),
        (BatchWork.START, None),
        (BatchWork.START, 1),
    ]


async def test_a_manager_reads_of_nobody_as_told_who_was_not_asked_yet(tmp_path: Path) -> None:
    """However many joined or are asked again: they say nothing of the others."""
    rows = [MemberRow(number, f"p{number}", manager="lead") for number in range(4)]
    frozen = await Frozen.create(tmp_path, rows)
    joined = await frozen.with_change(change(ChangeKind.JOINED, due=LATER), MemberRow(0, "new", manager="lead"))
    last = await joined.with_change(change(ChangeKind.JOINED, 2, due=LATER), MemberRow(0, "newer", manager="lead"))
    view = some_show().replace(
        campaign=last.order.campaign,
        fingerprint=last.order.fingerprint,
        frozen=last.order.frozen,
        changed=last.order.changed,
        changes=2,
        asked=1,
        changes_asked=1,
    )
    report = await managed(last.store, view, "lead", ())
    assert report is not None and report.lines is not None
    assert {line.person: line.status for line in await report.lines.read()} == {
        "p0": "told",
        **dict.fromkeys(("p1", "p2", "p3"), "not_told"),
        "new": "told",
        "newer": "not_told",
    }


@pytest.mark.parametrize("column", ["person", "manager"])
def test_a_cell_that_is_no_id_is_not_repeated(column: str, tmp_path: Path) -> None:
    table = tmp_path / "staff.csv"
    table.write_text("person,manager\n" + ("ada@corp.example," if column == "person" else "ada,Jane Doe") + "\n")
    [row] = rows.read(table, secret=SECRET).rows
    assert (row.number, row.person, str(row.fault)) == (2, "", f"{column} is no id")


class NoWorkflows:
    """A server that knows of none."""

    namespace = "default"

    @property
    def workflow_service(self) -> Self:
        """See `Client`."""
        return self

    async def describe_workflow_execution(self, *_: object, **__: object) -> None:
        """See `Client`."""
        raise RPCError("none of this id", RPCStatusCode.NOT_FOUND, b"")


async def test_whom_a_change_asks_has_not_failed_before_its_walk_has_come_to_them(tmp_path: Path) -> None:
    frozen = await Frozen.create(tmp_path, [MemberRow(1, "p1"), MemberRow(2, "p2")])
    joined = await frozen.with_change(change(ChangeKind.JOINED, 1, due=LATER), MemberRow(0, "new"))
    audience = await joined.with_change(change(ChangeKind.AGAIN, 2), MemberRow(2, "p2"))
    standings = MemberStatuses(cast(Client, NoWorkflows()), audience.store, Ahead([]))

    async def list_statuses(changes_asked: int, *, unseen: bool) -> list[str]:
        order = audience.order.replace(asked=2, changes_asked=changes_asked)
        lines = await standings.look_closely(order, OpenMembers(), unseen=unseen)
        return [line.status for line in await lines.read()]

    assert await list_statuses(0, unseen=False) == ["failed", "not_told", "not_told"]
    assert await list_statuses(0, unseen=True) == ["failed", "not_started", "not_started"]
    assert await list_statuses(1, unseen=True) == ["failed", "not_started", "failed"]
    assert await list_statuses(2, unseen=True) == ["failed", "failed", "failed"]


async def test_a_campaign_knows_of_which_changes_everybody_was_asked(tmp_path: Path) -> None:
    _, course = await make_course(tmp_path)
    for number, kind in enumerate((ChangeKind.JOINED, ChangeKind.LEFT, ChangeKind.AGAIN), 1):
        course = course.changed(ChangeResult(change=change(kind, number), people=1), NOW)
    changes_asked = []
    for after_row in (1, 1, 1):  # Who left is ended, all others are asked, then who joined.
        course = course.batch_done(BatchResult(after=after_row, over=True), NOW)
        changes_asked.append(course.audience.changes_asked)
    assert changes_asked == [0, 0, 1]
    assert course.end_everybody().audience.changes_asked == 1


@pytest.mark.parametrize(
    ("days", "late", "weekly"), [(4, 2, True), (4, 1, False), (5, 2, True), (6, 8, True), (7, 5, False)]
)
async def test_the_owner_hears_each_week_though_the_look_of_its_last_day_was_missed(
    tmp_path: Path, days: int, late: int, weekly: bool
) -> None:
    _, course = await make_course(tmp_path)
    course = course.update_part("daily", days=days)
    course = course.missed_looks(course.look_due_at + timedelta(days=late, hours=1))
    assert (course.daily.days, course.weekly) == (days + late, weekly)
    next_course = course.looked(DailyCheckResult(counts=Counts()), NOW)
    assert next_course.weekly is ((days + late + 2) % 7 == 0)


async def test_counts_are_as_of_the_instant_at_which_the_lines_were_read(tmp_path: Path) -> None:
    """Whoever acknowledges while managers are told comes to them: `so far` adds those who ended since."""
    _, course = await make_course(tmp_path)
    age = timedelta(minutes=4)
    assert course.looked(DailyCheckResult(counts=Counts(), ago=age), NOW).tally.counted_at == NOW - age


async def test_nothing_is_taken_once_the_record_is_being_made(tmp_path: Path) -> None:
    _, course = await make_course(tmp_path)
    assert course.closes_at is not None
    for closing_course, now in ((course, course.closes_at), (course.waited(), NOW), (course.end_everybody(), NOW)):
        refusal = "too late: the campaign is being closed"
        assert english_of(campaign_state.refuse_retry(closing_course, Retry(actor=OWNER), now)) == refusal
        assert (
            english_of(
                campaign_state.refuse_exempt(closing_course, Exemption(actor=OWNER, person="ada", reason="leave"), now)
            )
            == refusal
        )
        assert (
            english_of(campaign_state.refuse_later(closing_course, Extension(actor=OWNER, due=LATER), now)) == refusal
        )


async def test_an_audience_is_changed_so_often_and_by_ids_alone(tmp_path: Path) -> None:
    _, course = await make_course(tmp_path)
    often = course.update_part("audience", changes=CHANGES_AT_MOST)
    assert (
        english_of(campaign_state.refuse_retry(often, Retry(actor=OWNER), NOW))
        == "the audience was changed 1,000 times already"
    )
    exemption = Exemption(actor=OWNER, person="Ada Ng <ada@us.example>", reason="leave")
    refusal = "the person is no id of the audience: the report has them"
    assert english_of(campaign_state.refuse_exempt(course, exemption, NOW)) == refusal


async def test_an_audience_of_another_size_than_the_campaign_knows_of_is_no_record(tmp_path: Path) -> None:
    company = Company(tmp_path, staff("ada", "bo"))
    campaign_input = (await company.prepared(a_file(), NOW)).workflow_input
    people = CampaignPeopleService(
        cast(Client, None), company.store, company.directory, cast(PushService, None), visibility=Ahead([])
    )
    order = CampaignOrder(campaign=campaign_input.campaign, fingerprint=campaign_input.fingerprint, now=NOW)
    frozen = await people.freeze(order)
    with pytest.raises(ApplicationError, match="unbalanced: the audience has 2 people and should have 3"):
        await people.settle(SettleOrder(order=order.replace(frozen=frozen), expected=3))


def test_no_attempt_of_anybody_meets_the_request_of_somebody_else() -> None:
    people = ("ada", "ada.r2", "ada.r2.r1", "ada.r1", "ada.r", "ada.rx", "r2", ".r2")
    ids = [
        Member(MemberRow(number, person), LATER, attempt=attempt).request("conduct")
        for number, person in enumerate(people)
        for attempt in (1, 2, 3, 12)
    ]
    assert len(set(ids)) == len(ids)
    assert ids[:2] == ["conduct.ada", "conduct.ada.r2"]
