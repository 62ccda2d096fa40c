"""The largest requests: whatever their files allow, no payload and no run grows too big, and nothing is forgotten."""

import sys
from collections.abc import AsyncIterator, Callable
from datetime import UTC, datetime, timedelta

import pytest
from temporalio.api.history.v1 import HistoryEvent
from temporalio.client import WorkflowHistory

from activities.schedule.planner import AT_LEAST, REMINDERS_AT_ONCE, nearest
from tests.workflows.fakes import ManyReminders, World
from tests.workflows.stage import Story, a_request, start_story
from workflows.follow_up.input import planning_of
from workflows.follow_up.next_step import Remind, Wait, needs_more_reminders, next_step
from workflows.follow_up.notification_log import LINES_AT_MOST
from workflows.follow_up.record import completed
from workflows.model.notifications import Channel, DeliveryResult, LogPage, NotificationOutcome
from workflows.model.policy import Policy
from workflows.model.schedule import ActionType, LastReminder, PlanningInput, Reason, Schedule, ScheduledAction, Turn
from workflows.model.signature import ReportedDocument, ReportedSigner, SignerState
from workflows.model.subject import Code, Participant, Status
from workflows.model.timeline import EventType
from workflows.names import notice_key
from workflows.signature.state import SignatureState, show

PAYLOAD_AT_MOST = 1024 * 1024
RUN_AT_MOST = 4 * 1024 * 1024
DAYS = 50


def make_world() -> World:
    """Fifty daily reminders each, and a window that lets all of them come."""
    fake_world = World()
    every_day = tuple(timedelta(days=day) for day in range(1, DAYS + 1))
    fake_world.planner = ManyReminders(
        reminders=every_day, escalate_after=timedelta(days=60), window=timedelta(days=70)
    )
    return fake_world


async def runs_of(story: Story) -> AsyncIterator[WorkflowHistory]:
    """The histories of all runs of the request, one after the other."""
    run_id: str | None = story.handle.first_execution_run_id
    while run_id:
        history = await story.env.client.get_workflow_handle(story.handle.id, run_id=run_id).fetch_history()
        yield history
        run_id = history.events[-1].workflow_execution_continued_as_new_event_attributes.new_execution_run_id


def payloads(event: HistoryEvent) -> int:
    """The bytes of an event, of which all but a few hundred are its payloads."""
    return event.ByteSize()


@pytest.mark.long
@pytest.mark.parametrize("signers", [12])
async def test_many_signers_with_many_reminders_live_whole(signers: int) -> None:
    people = tuple(Participant(person=f"signer-{number:03}", order=1) for number in range(signers))
    town = make_world()
    async with start_story(town, a_request(*people)) as story:
        for _ in range(DAYS // 5 + 1):
            await story.days_pass(5)
        view = await story.read_view()
        town.signatures.status = Status.SIGNED
        await story.callback("signed")
        assert (await story.handle.result()).outcome is Status.SIGNED
        histories = [history async for history in runs_of(story)]
    reminded = [notice for notice in town.push.sent if notice.stage.startswith("reminder-")]
    assert len(reminded) == len({(line.stage, line.person) for line in reminded}) == signers * DAYS
    pages = [delivery.page for delivery in town.push.deliveries if delivery.page]
    pages += [batch.page for batch in town.handoff.batches if batch.page]
    kept_keys = {line.key for page in pages for line in page.lines}
    [record] = [batch.record for batch in town.handoff.batches if batch.record]
    remembered = {line.key for line in record.show.notifications}
    assert {f"msa-0042/{line.stage}/{line.person}" for line in reminded} <= kept_keys | remembered
    assert view.earlier > 0
    assert record.show.earlier == len([line for page in pages for line in page.lines])
    assert [page.number for page in pages] == list(range(1, len(pages) + 1))
    events = [event for history in histories for event in history.events]
    assert max(map(payloads, events)) < PAYLOAD_AT_MOST
    assert max(sum(event.ByteSize() for event in history.events) for history in histories) < RUN_AT_MOST


LINE = DeliveryResult(key="", stage="", person="", channel=Channel.PUSH, outcome=NotificationOutcome.ACCEPTED)
AT = datetime(2026, 11, 2, 9, tzinfo=UTC)


def add_notification(progress: SignatureState, person: str, stage: str) -> SignatureState:
    line = LINE.replace(key=notice_key("msa-0042", stage, person), stage=stage, person=person)
    return progress.record_results((line,), AT)


def test_ten_times_the_lines_are_remembered_by_their_last_and_all_leave_in_order() -> None:
    progress = SignatureState.begin(a_request().brief, AT)
    kept_keys: list[str] = []
    for number in range(1, 5 * LINES_AT_MOST + 1):
        for person in ("customer-signer", "chief-executive"):
            progress = add_notification(progress, person, f"reminder-{number}")
        if number % 50 == 0:
            page = progress.page
            kept_keys += [line.key for line in page.lines] if page else []
            progress = progress.paged(page)
            assert len(progress.notifications.lines) <= LINES_AT_MOST
            assert len(progress.notifications.marks) <= 2
    kept_keys += [line.key for line in progress.notifications.leaving + progress.notifications.lines]
    assert kept_keys == [
        f"msa-0042/reminder-{number}/{person}"
        for number in range(1, 5 * LINES_AT_MOST + 1)
        for person in ("customer-signer", "chief-executive")
    ]
    assert all(key in progress.notifications.logged_keys for key in kept_keys)
    assert f"msa-0042/reminder-{5 * LINES_AT_MOST + 1}/customer-signer" not in progress.notifications.logged_keys


def test_a_time_that_somebody_chose_before_another_keeps_its_own_line_also_when_the_later_one_was_first() -> None:
    progress = add_notification(SignatureState.begin(a_request().brief, AT), "customer-signer", "snooze-2")
    for number in range(1, LINES_AT_MOST + 1):
        progress = add_notification(progress, "customer-signer", f"reminder-{number}")
    assert [mark.stage for mark in progress.notifications.marks] == ["snooze-2", f"reminder-{LINES_AT_MOST // 2}"]
    snoozes = [f"msa-0042/snooze-{number}/customer-signer" for number in (1, 2, 3)]
    assert [key in progress.notifications.logged_keys for key in snoozes] == [False, True, False]


def count_calls(doing: Callable[[], object]) -> int:
    """How many calls of functions something takes, ours and those of what we use: the same on every machine."""
    call_count = 0

    def count(_: object, event: str, __: object) -> None:
        nonlocal call_count
        call_count += event in ("call", "c_call")

    earlier_profiler = sys.getprofile()
    sys.setprofile(count)
    try:
        doing()
    finally:
        sys.setprofile(earlier_profiler)
    return call_count


def decisions(people: int) -> int:
    """What it takes to know what is next, when each of so many has a mark, some lines and three moments."""
    names = [f"signer-{number}" for number in range(people)]
    signers = tuple(Participant(person=name, order=1) for name in names)
    progress = SignatureState.begin(a_request(*signers).brief, AT)
    progress = progress.observe(ReportedDocument(document="d", status=Status.SENT, raw="se"), AT)
    for number in range(1, 2 + 2 * LINES_AT_MOST // people):
        for name in names:
            progress = add_notification(progress, name, f"reminder-{number}")
    moments = tuple(
        ScheduledAction(at=AT, kind=ActionType.REMIND, stage=f"reminder-{number}", person=name, to=name)
        for name in names
        for number in (1, 2, 3)
    )
    agenda = Schedule(due_at=AT + timedelta(days=30), actions=moments)
    return count_calls(lambda: next_step(agenda, progress, AT))


def test_what_is_next_costs_each_signer_the_same_however_many_there_are() -> None:
    few, decisions_of_many = decisions(25), decisions(100)
    assert decisions_of_many <= 4 * few


def view_bytes(people: int) -> int:
    """What an answer takes, when each of so many has ten warnings ahead."""
    names = [f"signer-{number}" for number in range(people)]
    request = a_request(*(Participant(person=name, order=1) for name in names))
    progress = SignatureState.begin(request.brief, AT)
    progress = progress.observe(ReportedDocument(document="d", status=Status.SENT, raw="se"), AT)
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
    assert {choice.snooze_until for choice in answer.choices} == {due - timedelta(days=1)}
    return count_calls(lambda: show(request, progress, AT))


def test_what_is_shown_costs_each_signer_the_same_however_many_there_are() -> None:
    few, bytes_of_many = view_bytes(25), view_bytes(100)
    assert bytes_of_many <= 4 * few


def test_a_page_that_was_not_kept_comes_again_under_another_name_once_it_has_more() -> None:
    progress = SignatureState.begin(a_request().brief, AT)
    for number in range(1, LINES_AT_MOST + 2):
        progress = add_notification(progress, "customer-signer", f"reminder-{number}")
    first = progress.page
    for number in range(LINES_AT_MOST + 2, LINES_AT_MOST + 103):
        progress = add_notification(progress, "customer-signer", f"reminder-{number}")
    repeated_page = progress.page
    assert first is not None
    assert repeated_page is not None
    assert (first.number, first.lines) == (repeated_page.number, repeated_page.lines[: len(first.lines)])
    assert first.name != repeated_page.name


def test_what_was_forgotten_is_shown_in_its_place_and_once() -> None:
    progress, pages = SignatureState.begin(a_request().brief, AT), list[LogPage]()
    for number in range(1, 3 * LINES_AT_MOST):
        progress = add_notification(progress, "customer-signer", f"reminder-{number}")
        if page := progress.page:
            pages.append(page)
            progress = progress.paged(page)
    view = show(a_request(), progress, AT)
    whole_view = completed(view, [*pages, pages[-1]])
    assert len(view.notifications) <= LINES_AT_MOST
    assert [line.stage for line in whole_view.notifications] == [f"reminder-{n}" for n in range(1, 3 * LINES_AT_MOST)]
    assert (view.earlier, whole_view.earlier) == (3 * LINES_AT_MOST - 1 - len(view.notifications), 0)


def test_ten_times_the_timeline_stays_within_its_bound() -> None:
    progress = SignatureState.begin(a_request().brief, AT)
    for number in range(10 * LINES_AT_MOST):
        progress = progress.note(AT, EventType.PROBLEM, None, None, about_id=number).paged(progress.page)
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
    sent = ReportedDocument(document="d", status=Status.SENT, raw="se")
    signer = ReportedSigner(person="customer-signer", state=SignerState.SIGNED)
    waiting = SignatureState.begin(a_request().brief, AT).observe(sent, AT)
    waiting = waiting.planned(Schedule(due_at=AT + timedelta(days=30), dropped=(dropped,)), AT)
    document = sent.replace(signers=(signer,))
    assert waiting.observe(document, AT + timedelta(days=1)).notifications.remembered == ()
    [line] = waiting.observe(document, AT + timedelta(days=4)).notifications.remembered
    assert line.why == Reason.TOO_SOON


@pytest.mark.parametrize(
    ("people", "reminders", "told_count", "forbidden"),
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
    people: int, reminders: int, told_count: int, forbidden: int
) -> None:
    names = [f"signer-{number}" for number in range(people)]
    moments = tuple(
        ScheduledAction(at=AT, kind=ActionType.REMIND, stage=f"reminder-{number}", person=name, to=name)
        for name in names
        for number in range(1, reminders + 1)
    )
    dropped = tuple(
        action.replace(stage=f"reminder-{reminders + number}", suppressed=Reason.ABSENT)
        for action in moments[:: reminders or 1]
        for number in range(1, forbidden + 1)
    )
    planning = PlanningInput(
        subject=a_request().brief,
        policy=Policy(),
        due=None,
        window_from=AT,
        turns=tuple(Turn(person=name, since=AT) for name in names),
        now=AT,
        reminded=tuple(LastReminder(person=name, number=told_count) for name in names if told_count),
    )
    agenda = nearest(Schedule(due_at=AT, actions=moments, dropped=dropped), planning)
    few = max(AT_LEAST, REMINDERS_AT_ONCE // people)
    assert len(agenda.actions) + len(agenda.dropped) <= 3 * few * people
    if reminders > few:
        for name in names:
            own_stages = [action.stage for action in agenda.actions if action.person == name]
            assert own_stages == [
                f"reminder-{number}" for number in range(told_count + 1, min(told_count + few, reminders) + 1)
            ]
        assert sum(series.reminders for series in agenda.more) == people * max(0, reminders - told_count - few)


@pytest.mark.parametrize(("people", "reminders"), [(1, 250), (3, 140), (120, 7)])
def test_a_plan_that_is_used_up_is_followed_by_one_that_has_something_to_do(people: int, reminders: int) -> None:
    """Nobody plans for ever: right after a plan somebody is due, or there is time to wait."""
    names = [f"signer-{number}" for number in range(people)]
    request = a_request(*(Participant(person=name, order=1) for name in names))
    signers = tuple(ReportedSigner(person=name, state=SignerState.TURN) for name in names)
    document = ReportedDocument(document="d", status=Status.SENT, raw="se", signers=signers)
    progress = SignatureState.begin(request.brief, AT).observe(document, AT)
    whole_agenda = Schedule(due_at=AT + timedelta(days=reminders + 1), actions=_every_day(names, reminders))
    now, plans, told_of = AT, 0, 0
    while told_of < people * reminders:
        if progress.plan.schedule is None or needs_more_reminders(progress.plan.schedule, progress):
            progress = progress.planned(
                nearest(whole_agenda, planning_of(request, request.subject, progress, now)), now
            )
            assert progress.plan.schedule is not None
            assert not needs_more_reminders(progress.plan.schedule, progress)
            plans += 1
        match next_step(progress.plan.schedule, progress, now):
            case Remind(moments) if moments:
                lines = tuple(_line(action) for action in moments)
                progress = progress.paged(progress.page).record_results(lines, now)
                told_of += len(lines)
            case Wait(next_action) if next_action:
                assert next_action.at > now
                now = next_action.at
            case step:
                raise AssertionError(f"{step} at {now}")
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


def _line(action: ScheduledAction) -> DeliveryResult:
    key = notice_key("msa-0042", action.stage, action.to)
    return LINE.replace(key=key, stage=action.stage, person=action.to)
