"""The largest requests: whatever their files allow, no payload and no run grows too big, and nothing is forgotten."""

import sys
from collections.abc import AsyncIterator, Callable
from datetime import UTC, datetime, timedelta

import pytest
from temporalio.api.history.v1 import HistoryEvent
from temporalio.client import WorkflowHistory

from activities.schedule.planner import AT_LEAST, REMINDERS_AT_ONCE, nearest
from tests.workflows.fakes import ManyReminders, World
from tests.workflows.stage import Story, a_request, story
from workflows.follow_up.input import planning_of
from workflows.follow_up.next_step import Remind, Wait, is_used_up, next_step
from workflows.follow_up.notification_log import LINES_AT_MOST
from workflows.follow_up.record import completed
from workflows.model.notifications import Channel, Delivered, LogPage, NotificationOutcome
from workflows.model.policy import Policy
from workflows.model.schedule import ActionType, LastReminder, PlanningInput, Reason, Schedule, ScheduledAction, Turn
from workflows.model.signature import DocumentSeen, SignerSeen, SignerState
from workflows.model.subject import Code, Participant, Status
from workflows.model.timeline import EventType
from workflows.names import notice_key
from workflows.signature.state import SignatureState, show

PAYLOAD_AT_MOST = 1024 * 1024
RUN_AT_MOST = 4 * 1024 * 1024
DAYS = 50


def world() -> World:
    """Fifty daily reminders each, and a window that lets all of them come."""
    made = World()
    every_day = tuple(timedelta(days=day) for day in range(1, DAYS + 1))
    made.planner = ManyReminders(reminders=every_day, escalate_after=timedelta(days=60), window=timedelta(days=70))
    return made


async def runs_of(it: Story) -> AsyncIterator[WorkflowHistory]:
    """The histories of all runs of the request, one after the other."""
    run_id: str | None = it.handle.first_execution_run_id
    while run_id:
        history = await it.env.client.get_workflow_handle(it.handle.id, run_id=run_id).fetch_history()
        yield history
        run_id = history.events[-1].workflow_execution_continued_as_new_event_attributes.new_execution_run_id


def payloads(event: HistoryEvent) -> int:
    """The bytes of an event, of which all but a few hundred are its payloads."""
    return event.ByteSize()


@pytest.mark.parametrize("signers", [12])
async def test_many_signers_with_many_reminders_live_whole(signers: int) -> None:
    people = tuple(Participant(person=f"signer-{number:03}", order=1) for number in range(signers))
    town = world()
    async with story(town, a_request(*people)) as it:
        for _ in range(DAYS // 5 + 1):
            await it.days_pass(5)
        shown = await it.shown()
        town.signatures.status = Status.SIGNED
        await it.callback("signed")
        assert (await it.handle.result()).outcome is Status.SIGNED
        histories = [history async for history in runs_of(it)]
    reminded = [one for one in town.push.sent if one.stage.startswith("reminder-")]
    assert len(reminded) == len({(one.stage, one.person) for one in reminded}) == signers * DAYS
    pages = [delivery.page for delivery in town.push.deliveries if delivery.page]
    pages += [batch.page for batch in town.handoff.batches if batch.page]
    kept = {line.key for page in pages for line in page.lines}
    [record] = [batch.record for batch in town.handoff.batches if batch.record]
    remembered = {line.key for line in record.show.notifications}
    assert {f"msa-0042/{one.stage}/{one.person}" for one in reminded} <= kept | remembered
    assert shown.earlier > 0
    assert record.show.earlier == len([line for page in pages for line in page.lines])
    assert [page.number for page in pages] == list(range(1, len(pages) + 1))
    events = [event for history in histories for event in history.events]
    assert max(map(payloads, events)) < PAYLOAD_AT_MOST
    assert max(sum(event.ByteSize() for event in history.events) for history in histories) < RUN_AT_MOST


LINE = Delivered(key="", stage="", person="", channel=Channel.PUSH, outcome=NotificationOutcome.ACCEPTED)
AT = datetime(2026, 11, 2, 9, tzinfo=UTC)


def told(progress: SignatureState, person: str, stage: str) -> SignatureState:
    line = LINE.replace(key=notice_key("msa-0042", stage, person), stage=stage, person=person)
    return progress.told((line,), AT)


def test_ten_times_the_lines_are_remembered_by_their_last_and_all_leave_in_order() -> None:
    progress = SignatureState.begin(a_request().brief, AT)
    kept: list[str] = []
    for number in range(1, 5 * LINES_AT_MOST + 1):
        for person in ("customer-signer", "chief-executive"):
            progress = told(progress, person, f"reminder-{number}")
        if number % 50 == 0:
            page = progress.page
            kept += [line.key for line in page.lines] if page else []
            progress = progress.paged(page)
            assert len(progress.notifications.lines) <= LINES_AT_MOST
            assert len(progress.notifications.marks) <= 2
    kept += [line.key for line in progress.notifications.leaving + progress.notifications.lines]
    assert kept == [
        f"msa-0042/reminder-{number}/{person}"
        for number in range(1, 5 * LINES_AT_MOST + 1)
        for person in ("customer-signer", "chief-executive")
    ]
    assert all(key in progress.notifications.known for key in kept)
    assert f"msa-0042/reminder-{5 * LINES_AT_MOST + 1}/customer-signer" not in progress.notifications.known


def test_a_time_that_somebody_chose_before_another_keeps_its_own_line_also_when_the_later_one_was_first() -> None:
    progress = told(SignatureState.begin(a_request().brief, AT), "customer-signer", "snooze-2")
    for number in range(1, LINES_AT_MOST + 1):
        progress = told(progress, "customer-signer", f"reminder-{number}")
    assert [mark.stage for mark in progress.notifications.marks] == ["snooze-2", f"reminder-{LINES_AT_MOST // 2}"]
    snoozes = [f"msa-0042/snooze-{number}/customer-signer" for number in (1, 2, 3)]
    assert [key in progress.notifications.known for key in snoozes] == [False, True, False]


def work(doing: Callable[[], object]) -> int:
    """How many calls of functions something takes, ours and those of what we use: the same on every machine."""
    made = 0

    def count(_: object, event: str, __: object) -> None:
        nonlocal made
        made += event in ("call", "c_call")

    before = sys.getprofile()
    sys.setprofile(count)
    try:
        doing()
    finally:
        sys.setprofile(before)
    return made


def decisions(people: int) -> int:
    """What it takes to know what is next, when each of so many has a mark, some lines and three moments."""
    names = [f"signer-{number}" for number in range(people)]
    signers = tuple(Participant(person=name, order=1) for name in names)
    progress = SignatureState.begin(a_request(*signers).brief, AT)
    progress = progress.observe(DocumentSeen(document="d", status=Status.SENT, raw="se"), AT)
    for number in range(1, 2 + 2 * LINES_AT_MOST // people):
        for name in names:
            progress = told(progress, name, f"reminder-{number}")
    moments = tuple(
        ScheduledAction(at=AT, kind=ActionType.REMIND, stage=f"reminder-{number}", person=name, to=name)
        for name in names
        for number in (1, 2, 3)
    )
    agenda = Schedule(due_at=AT + timedelta(days=30), actions=moments)
    return work(lambda: next_step(agenda, progress, AT))


def test_what_is_next_costs_each_signer_the_same_however_many_there_are() -> None:
    few, many = decisions(25), decisions(100)
    assert many <= 4 * few


def shown(people: int) -> int:
    """What an answer takes, when each of so many has ten warnings ahead."""
    names = [f"signer-{number}" for number in range(people)]
    request = a_request(*(Participant(person=name, order=1) for name in names))
    progress = SignatureState.begin(request.brief, AT)
    progress = progress.observe(DocumentSeen(document="d", status=Status.SENT, raw="se"), AT)
    due = AT + timedelta(days=30)
    moments = tuple(
        ScheduledAction(
            at=due - timedelta(days=days), kind=ActionType.WARN, stage=f"warning-{days}d", person=name, to=name
        )
        for name in names
        for days in range(1, 11)
    )
    progress = progress.planned(Schedule(due_at=due, actions=moments), AT)
    answer = show(request, progress, AT)
    assert {one.snooze_until for one in answer.choices} == {due - timedelta(days=1)}
    return work(lambda: show(request, progress, AT))


def test_what_is_shown_costs_each_signer_the_same_however_many_there_are() -> None:
    few, many = shown(25), shown(100)
    assert many <= 4 * few


def test_a_page_that_was_not_kept_comes_again_under_another_name_once_it_has_more() -> None:
    progress = SignatureState.begin(a_request().brief, AT)
    for number in range(1, LINES_AT_MOST + 2):
        progress = told(progress, "customer-signer", f"reminder-{number}")
    first = progress.page
    for number in range(LINES_AT_MOST + 2, LINES_AT_MOST + 103):
        progress = told(progress, "customer-signer", f"reminder-{number}")
    again = progress.page
    assert first is not None
    assert again is not None
    assert (first.number, first.lines) == (again.number, again.lines[: len(first.lines)])
    assert first.name != again.name


def test_what_was_forgotten_is_shown_in_its_place_and_once() -> None:
    progress, pages = SignatureState.begin(a_request().brief, AT), list[LogPage]()
    for number in range(1, 3 * LINES_AT_MOST):
        progress = told(progress, "customer-signer", f"reminder-{number}")
        if page := progress.page:
            pages.append(page)
            progress = progress.paged(page)
    shown = show(a_request(), progress, AT)
    whole = completed(shown, [*pages, pages[-1]])
    assert len(shown.notifications) <= LINES_AT_MOST
    assert [line.stage for line in whole.notifications] == [f"reminder-{n}" for n in range(1, 3 * LINES_AT_MOST)]
    assert (shown.earlier, whole.earlier) == (3 * LINES_AT_MOST - 1 - len(shown.notifications), 0)


def test_ten_times_the_timeline_stays_within_its_bound() -> None:
    progress = SignatureState.begin(a_request().brief, AT)
    for number in range(10 * LINES_AT_MOST):
        progress = progress.note(AT, EventType.PROBLEM, None, None, about=number).paged(progress.page)
        assert len(progress.timeline.entries) <= LINES_AT_MOST
        assert len(progress.timeline.leaving) <= LINES_AT_MOST


def test_an_outage_that_alternates_between_codes_is_told_once_of_each() -> None:
    progress = SignatureState.begin(a_request().brief, AT)
    for hour in range(300):
        code = Code.UNREACHABLE if hour % 2 else Code.UNAUTHORISED
        now = AT + timedelta(hours=hour)
        progress = progress.report_problem(code, "away", now, now + timedelta(hours=1))
    assert [entry.what for entry in progress.timeline.entries] == [
        "started",
        "problem unauthorised",
        "problem unreachable",
    ]


def test_what_the_calendar_forbids_leaves_no_line_before_it_was_due() -> None:
    dropped = ScheduledAction(
        at=AT + timedelta(days=3),
        kind=ActionType.REMIND,
        stage="reminder-1",
        person="customer-signer",
        to="customer-signer",
        suppressed=Reason.TOO_SOON,
    )
    sent = DocumentSeen(document="d", status=Status.SENT, raw="se")
    signer = SignerSeen(person="customer-signer", state=SignerState.SIGNED)
    waiting = SignatureState.begin(a_request().brief, AT).observe(sent, AT)
    waiting = waiting.planned(Schedule(due_at=AT + timedelta(days=30), dropped=(dropped,)), AT)
    seen = sent.replace(signers=(signer,))
    assert waiting.observe(seen, AT + timedelta(days=1)).notifications.remembered == ()
    [line] = waiting.observe(seen, AT + timedelta(days=4)).notifications.remembered
    assert line.why == Reason.TOO_SOON


@pytest.mark.parametrize(
    ("people", "reminders", "told", "forbidden"),
    [
        (1, 50, 0, 0),
        (2, 50, 7, 20),
        (100, 50, 0, 0),
        (100, 50, 30, 50),
        (100, 50, 49, 5),
        (100, 50, 50, 0),
        (90, 2, 1, 9),
    ],
)
def test_an_agenda_has_the_next_reminders_of_everyone_and_counts_the_rest(
    people: int, reminders: int, told: int, forbidden: int
) -> None:
    names = [f"signer-{number}" for number in range(people)]
    moments = tuple(
        ScheduledAction(at=AT, kind=ActionType.REMIND, stage=f"reminder-{number}", person=name, to=name)
        for name in names
        for number in range(1, reminders + 1)
    )
    dropped = tuple(
        one.replace(stage=f"reminder-{reminders + number}", suppressed=Reason.ABSENT)
        for one in moments[:: reminders or 1]
        for number in range(1, forbidden + 1)
    )
    planning = PlanningInput(
        subject=a_request().brief,
        policy=Policy(),
        due=None,
        window_from=AT,
        turns=tuple(Turn(person=name, since=AT) for name in names),
        now=AT,
        reminded=tuple(LastReminder(person=name, number=told) for name in names if told),
    )
    agenda = nearest(Schedule(due_at=AT, actions=moments, dropped=dropped), planning)
    few = max(AT_LEAST, REMINDERS_AT_ONCE // people)
    assert len(agenda.actions) + len(agenda.dropped) <= 3 * few * people
    if reminders > few:
        for name in names:
            mine = [one.stage for one in agenda.actions if one.person == name]
            assert mine == [f"reminder-{number}" for number in range(told + 1, min(told + few, reminders) + 1)]
        assert sum(one.reminders for one in agenda.more) == people * max(0, reminders - told - few)


@pytest.mark.parametrize(("people", "reminders"), [(1, 250), (3, 140), (120, 7)])
def test_a_plan_that_is_used_up_is_followed_by_one_that_has_something_to_do(people: int, reminders: int) -> None:
    """Nobody plans for ever: right after a plan somebody is due, or there is time to wait."""
    names = [f"signer-{number}" for number in range(people)]
    request = a_request(*(Participant(person=name, order=1) for name in names))
    signers = tuple(SignerSeen(person=name, state=SignerState.TURN) for name in names)
    seen = DocumentSeen(document="d", status=Status.SENT, raw="se", signers=signers)
    progress = SignatureState.begin(request.brief, AT).observe(seen, AT)
    whole = Schedule(due_at=AT + timedelta(days=reminders + 1), actions=_every_day(names, reminders))
    now, plans, told_of = AT, 0, 0
    while told_of < people * reminders:
        if progress.plan.schedule is None or is_used_up(progress.plan.schedule, progress):
            progress = progress.planned(nearest(whole, planning_of(request, request.subject, progress, now)), now)
            assert progress.plan.schedule is not None
            assert not is_used_up(progress.plan.schedule, progress)
            plans += 1
        match next_step(progress.plan.schedule, progress, now):
            case Remind(moments) if moments:
                lines = tuple(_line(one) for one in moments)
                progress = progress.paged(progress.page).told(lines, now)
                told_of += len(lines)
            case Wait(moment) if moment:
                assert moment.at > now
                now = moment.at
            case other:
                raise AssertionError(f"{other} at {now}")
    assert plans <= 1 + reminders // max(AT_LEAST, REMINDERS_AT_ONCE // people)


def _every_day(names: list[str], reminders: int) -> tuple[ScheduledAction, ...]:
    return tuple(
        ScheduledAction(
            at=AT + timedelta(days=number),
            kind=ActionType.REMIND,
            stage=f"reminder-{number}",
            person=name,
            to=name,
        )
        for number in range(1, reminders + 1)
        for name in names
    )


def _line(moment: ScheduledAction) -> Delivered:
    key = notice_key("msa-0042", moment.stage, moment.to)
    return LINE.replace(key=key, stage=moment.stage, person=moment.to)
