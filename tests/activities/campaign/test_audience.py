"""An audience and its changes, and what may be wished of it: pure."""

import json
from datetime import date, timedelta
from pathlib import Path
from typing import Self, cast

import pytest
from temporalio.client import Client
from temporalio.exceptions import ApplicationError
from temporalio.service import RPCError, RPCStatusCode

from activities.campaign import population as rows
from activities.campaign.audience import Audience, AudienceAmendment, Audiences, Member, MemberRow
from activities.campaign.member_status import MemberOutcome, MemberStatuses, OpenMembers, lines_of
from activities.campaign.service import CampaignPeopleService
from activities.records.store import Store
from starter.queries.campaign import ManagedMembers
from tests.starter.queries.test_campaign_curve import some_show
from tests.workflows.campaign.stage import SECRET, Company, a_file, staff
from tests.workflows.campaign.test_bounds import NOW, Ahead, a_course
from workflows.campaign import state as wishes
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
from workflows.ports import PushService

OWNER = "compliance-desk"
LATER = date(2027, 1, 15)


def change(what: ChangeKind, number: int = 1, **more: object) -> AudienceChange:
    return AudienceChange(number=number, what=what, by=OWNER, at=NOW + timedelta(days=number)).replace(**more)


async def an_audience(folder: Path) -> Audience:
    given = (await Company(folder, staff("p0")).prepared(a_file(), NOW)).given
    return Audience.of((MemberRow(number, f"p{number}") for number in range(10)), given.campaign)


async def test_a_walk_that_extends_goes_on_behind_the_same_person_though_another_left_meanwhile(tmp_path: Path) -> None:
    audience = await an_audience(tmp_path)
    extended = audience.after([AudienceAmendment(change(ChangeKind.EXTENDED, due=LATER))])
    before = [member.person for member in extended.about(1)]
    exempt = extended.after([AudienceAmendment(change(ChangeKind.EXEMPT, 2, person="p2"), (MemberRow(2, "p2"),))])
    assert [member.person for member in exempt.about(1)] == before
    assert [member.person for member in exempt.members if not member.asked] == ["p2"]


async def test_a_day_that_was_moved_for_one_counts_for_nobody_else_and_from_when_it_was_moved(tmp_path: Path) -> None:
    audience = await an_audience(tmp_path)
    moved = change(ChangeKind.EXTENDED, person="p2", due=LATER)
    extended = audience.after([AudienceAmendment(moved, (MemberRow(2, "p2"),))])
    assert [member.person for member in extended.about(1)] == ["p2"]
    assert {member.person for member in extended.members if member.due == LATER} == {"p2"}
    member = extended.members[2]
    assert [member.due_at(moved.at - timedelta(seconds=1)), member.due_at(moved.at)] == [audience.members[2].due, LATER]


async def test_a_day_that_was_moved_counts_from_when_it_was_moved(tmp_path: Path) -> None:
    audience = await an_audience(tmp_path)
    last = LATER + timedelta(days=9)
    moves = [AudienceAmendment(change(ChangeKind.EXTENDED, number, due=due)) for number, due in ((1, LATER), (4, last))]
    [member, *_] = audience.after(moves).members
    moved_at = NOW + timedelta(days=1)
    assert member.due_at(moved_at - timedelta(seconds=1)) == audience.members[0].due
    assert member.due_at(moved_at) == member.due_at(moved_at + timedelta(days=2)) == LATER
    assert member.due_at(moved_at + timedelta(days=3)) == member.due_at(None) == last


async def test_who_came_later_or_came_back_has_the_day_that_they_were_given_until_it_is_moved(tmp_path: Path) -> None:
    audience = await an_audience(tmp_path)
    soon, last = LATER - timedelta(days=5), LATER + timedelta(days=9)
    changes = (
        (change(ChangeKind.EXTENDED, 1, due=LATER), ()),
        (change(ChangeKind.EXTENDED, 2, due=soon), ()),
        (change(ChangeKind.LEFT, 3), (MemberRow(0, "p1"),)),
        (change(ChangeKind.JOINED, 4, due=soon), (MemberRow(0, "p1"), MemberRow(0, "new"))),
        (change(ChangeKind.JOINED, 5, due=last + timedelta(days=1)), (MemberRow(0, "newer"),)),
        (change(ChangeKind.EXTENDED, 6, due=last), ()),
    )
    known = audience.after([AudienceAmendment(*one) for one in changes])
    for person, since, days in (
        ("p0", 0, [audience.members[0].due, LATER, LATER, last]),
        ("p1", 4, [soon, last]),
        ("new", 4, [soon, last]),
        ("newer", 5, [last + timedelta(days=1)] * 2),
    ):
        member = known.person(person)
        assert member is not None
        then = [NOW + timedelta(days=day) for day in sorted({since, 1, 2, 6}) if day >= since]
        assert [member.due_at(instant) for instant in then] == days, person
        assert member.due == days[-1]
    # As the walk of a change before reads it, and when the changes are read one after the other.
    assert audience.after([AudienceAmendment(*changes[0])]).members[0].due == LATER
    for one in changes:
        audience = audience.after([AudienceAmendment(*one)])
    assert audience == known


async def test_ten_times_a_day_more_each_day_for_two_years_is_held_once_for_everybody(tmp_path: Path) -> None:
    audience, began = await an_audience(tmp_path), date(2027, 1, 1)
    days = 7_300
    extensions = [
        AudienceAmendment(change(ChangeKind.EXTENDED, day, due=began + timedelta(days=day)))
        for day in range(1, days + 1)
    ]
    members = audience.after(extensions[:-1]).after(extensions[-1:]).members
    assert {len(one.extended) for one in members} == {days}
    assert len({id(one.extended) for one in members}) == 1
    assert members[0].due == began + timedelta(days=days)
    assert members[0].due_at(NOW + timedelta(days=days - 1)) == members[0].due - timedelta(days=1)


@pytest.mark.parametrize("status", ["declined", "expired", "cancelled"])
async def test_whose_request_has_ended_had_until_the_day_that_counted_then(tmp_path: Path, status: str) -> None:
    audience, store = await an_audience(tmp_path), Store(str(tmp_path / "store"))
    given = (await Company(tmp_path, staff("p0")).prepared(a_file(), NOW)).given
    show = {"status": status, "signers": [{"state": "declined"}], "notifications": [], "timeline": []}
    fingerprint = audience.members[0].fingerprint(given.fingerprint)
    record = {"fingerprint": fingerprint, "show": show, "settled": {"at": NOW.isoformat()}}
    await store.records.write(Kind.REQUEST.workflow_id("conduct.p0"), json.dumps(record).encode())
    moved = audience.after([AudienceAmendment(change(ChangeKind.EXTENDED, due=LATER))])
    order = CampaignOrder(campaign=given.campaign, fingerprint=given.fingerprint, now=NOW)
    ended, waiting, *_ = await lines_of(store, order, moved)
    assert (ended.status, ended.due, waiting.due) == (status, given.campaign.due.isoformat(), LATER.isoformat())


async def test_the_report_counts_every_reminder_that_arrived_before_and_after_the_due_date(tmp_path: Path) -> None:
    audience, store = await an_audience(tmp_path), Store(str(tmp_path / "store"))
    given = (await Company(tmp_path, staff("p0")).prepared(a_file(), NOW)).given
    arrived = ("ready", "reminder-1", "warning-2d", "overdue-1", "overdue-2", "settled")
    told = [{"stage": stage, "outcome": "accepted", "at": NOW.isoformat()} for stage in arrived]
    told.append({"stage": "reminder-2", "outcome": "failed", "at": NOW.isoformat()})
    show = {"status": "expired", "signers": [{"state": "turn"}], "notifications": told, "timeline": []}
    fingerprint = audience.members[0].fingerprint(given.fingerprint)
    record = {"fingerprint": fingerprint, "show": show, "settled": {"at": NOW.isoformat()}}
    await store.records.write(Kind.REQUEST.workflow_id("conduct.p0"), json.dumps(record).encode())
    order = CampaignOrder(campaign=given.campaign, fingerprint=given.fingerprint, now=NOW)
    ended, *_ = await lines_of(store, order, audience)
    assert (ended.status, ended.sent_at, ended.reminders) == ("expired", NOW.isoformat(), 4)


async def test_who_left_and_came_back_has_the_request_ended_that_they_had_when_they_left(tmp_path: Path) -> None:
    """Their end may wait for what goes before it; what is asked of them by then is another request."""
    company = Company(tmp_path, staff("p0"))
    given = (await company.prepared(a_file(), NOW)).given
    audiences = Audiences(company.store)
    sha256 = await audiences.freeze([MemberRow(1, "ada"), MemberRow(2, "bo")])
    left = await audiences.write(AudienceAmendment(change(ChangeKind.LEFT), (MemberRow(0, "ada"),)))
    back = AudienceAmendment(change(ChangeKind.JOINED, 2, due=LATER), (MemberRow(0, "ada"),), before=left)
    order = CampaignOrder(
        campaign=given.campaign,
        fingerprint=given.fingerprint,
        frozen=FrozenAudience(sha256=sha256, rows=2, errors=0, at=NOW),
        changed=await audiences.write(back),
        changes=2,
        now=NOW,
    )
    ended = await audiences.members_of(Batch(order=order, work=BatchWork.END, change=1))
    asked = await audiences.members_of(Batch(order=order, work=BatchWork.START, change=2))
    assert [member.request("conduct") for member in ended] == ["conduct.ada"]
    assert [member.request("conduct") for member in asked] == ["conduct.ada.r2"]


async def test_nobody_waits_to_be_ended_or_extended_until_others_are_asked(tmp_path: Path) -> None:
    """The first walk may wait for as long as Core Signature is away; an end and a later day need Temporal alone."""
    _, course = await a_course(tmp_path)
    for number, what in enumerate((ChangeKind.JOINED, ChangeKind.EXEMPT, ChangeKind.EXTENDED, ChangeKind.LEFT), 1):
        course = course.changed(ChangeResult(change=change(what, number), people=1), NOW)
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
    company = Company(tmp_path, staff("p0"))
    given = (await company.prepared(a_file(), NOW)).given
    audiences = Audiences(company.store)
    sha256 = await audiences.freeze(MemberRow(number, f"p{number}", manager="lead") for number in range(4))
    joined = AudienceAmendment(change(ChangeKind.JOINED, due=LATER), (MemberRow(0, "new", manager="lead"),))
    later = change(ChangeKind.JOINED, 2, due=LATER)
    last = AudienceAmendment(later, (MemberRow(0, "newer", manager="lead"),), before=await audiences.write(joined))
    shown = some_show().replace(
        campaign=given.campaign,
        fingerprint=given.fingerprint,
        frozen=FrozenAudience(sha256=sha256, rows=4, errors=0, at=NOW),
        changed=await audiences.write(last),
        asked=1,
        changes_asked=1,
    )
    found = await ManagedMembers(company.store).of(shown, "lead", ())
    assert found is not None
    assert {line.person: line.status for line in found.lines} == {
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
    assert row == MemberRow(2, "", says=f"{column} is no id")


async def test_lines_that_were_read_a_moment_ago_are_not_read_again(tmp_path: Path) -> None:
    """Of 10,000 people each reading is that of 10,000 records: there is no store to read them from."""
    audience = await an_audience(tmp_path)
    given = (await Company(tmp_path, staff("p0")).prepared(a_file(), NOW)).given
    order = CampaignOrder(campaign=given.campaign, fingerprint=given.fingerprint, now=NOW)
    lines = [
        MemberOutcome(one.row.number, one.person, one.request(given.campaign.id), "told") for one in audience.members
    ]
    known = OpenMembers({line.request: "sent" for line in lines})
    standings = MemberStatuses(cast(Client, None), cast(Store, None), Ahead([]))
    assert await standings.look_up(order, audience, known, lines) == (lines, known)


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
    company = Company(tmp_path, staff("p0"))
    given = (await company.prepared(a_file(), NOW)).given
    joined = AudienceAmendment(change(ChangeKind.JOINED, 1, due=LATER), (MemberRow(0, "new"),))
    again = AudienceAmendment(change(ChangeKind.AGAIN, 2), (MemberRow(2, "p2"),))
    audience = Audience.of([MemberRow(1, "p1"), MemberRow(2, "p2")], given.campaign, [joined, again])
    standings = MemberStatuses(cast(Client, NoWorkflows()), company.store, Ahead([]))
    order = CampaignOrder(campaign=given.campaign, fingerprint=given.fingerprint, now=NOW, asked=2)

    async def stand(asked: int, *, unseen: bool) -> list[str]:
        lines, _ = await standings.look_up(order.replace(changes_asked=asked), audience, OpenMembers(), unseen=unseen)
        return [line.status for line in lines]

    assert await stand(0, unseen=False) == ["failed", "not_told", "not_told"]
    assert await stand(0, unseen=True) == ["failed", "not_started", "not_started"]
    assert await stand(1, unseen=True) == ["failed", "not_started", "failed"]
    assert await stand(2, unseen=True) == ["failed", "failed", "failed"]


async def test_a_campaign_knows_of_which_changes_everybody_was_asked(tmp_path: Path) -> None:
    _, course = await a_course(tmp_path)
    for number, what in enumerate((ChangeKind.JOINED, ChangeKind.LEFT, ChangeKind.AGAIN), 1):
        course = course.changed(ChangeResult(change=change(what, number), people=1), NOW)
    asked = []
    for after in (1, 1, 1):  # Who left is ended, all others are asked, then who joined.
        course = course.batch_done(BatchResult(after=after, over=True), NOW)
        asked.append(course.audience.changes_asked)
    assert asked == [0, 0, 1]
    assert course.end_everybody().audience.changes_asked == 1


@pytest.mark.parametrize(
    ("days", "late", "weekly"), [(4, 2, True), (4, 1, False), (5, 2, True), (6, 8, True), (7, 5, False)]
)
async def test_the_owner_hears_each_week_though_the_look_of_its_last_day_was_missed(
    tmp_path: Path, days: int, late: int, weekly: bool
) -> None:
    _, course = await a_course(tmp_path)
    course = course.within("daily", days=days)
    course = course.missed_looks(course.look_due_at + timedelta(days=late, hours=1))
    assert (course.daily.days, course.weekly) == (days + late, weekly)
    after = course.looked(DailyCheckResult(counts=Counts()), NOW)
    assert after.weekly is ((days + late + 2) % 7 == 0)


async def test_counts_are_as_of_the_instant_at_which_the_lines_were_read(tmp_path: Path) -> None:
    """Whoever acknowledges while managers are told comes to them: `so far` adds those who ended since."""
    _, course = await a_course(tmp_path)
    told = timedelta(minutes=4)
    assert course.looked(DailyCheckResult(counts=Counts(), ago=told), NOW).tally.counted_at == NOW - told


async def test_nothing_is_taken_once_the_record_is_being_made(tmp_path: Path) -> None:
    _, course = await a_course(tmp_path)
    assert course.closes_at is not None
    for known, now in ((course, course.closes_at), (course.waited(), NOW), (course.end_everybody(), NOW)):
        says = "too late: the campaign is being closed"
        assert wishes.refuse_retry(known, Retry(actor=OWNER), now) == says
        assert wishes.refuse_exempt(known, Exemption(actor=OWNER, person="ada", reason="leave"), now) == says
        assert wishes.refuse_later(known, Extension(actor=OWNER, due=LATER), now) == says


async def test_an_audience_is_changed_so_often_and_by_ids_alone(tmp_path: Path) -> None:
    _, course = await a_course(tmp_path)
    often = course.within("audience", changes=CHANGES_AT_MOST)
    assert wishes.refuse_retry(often, Retry(actor=OWNER), NOW) == "the audience was changed 1,000 times already"
    somebody = Exemption(actor=OWNER, person="Ada Ng <ada@us.example>", reason="leave")
    says = "the person is no id of the audience: the report has them"
    assert wishes.refuse_exempt(course, somebody, NOW) == says


async def test_an_audience_of_another_size_than_the_campaign_knows_of_is_no_record(tmp_path: Path) -> None:
    company = Company(tmp_path, staff("ada", "bo"))
    given = (await company.prepared(a_file(), NOW)).given
    people = CampaignPeopleService(
        cast(Client, None), company.store, company.directory, cast(PushService, None), visibility=Ahead([])
    )
    order = CampaignOrder(campaign=given.campaign, fingerprint=given.fingerprint, now=NOW)
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
