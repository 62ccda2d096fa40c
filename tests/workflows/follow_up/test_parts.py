"""The parts of the state, each by itself: clock, timeline, plan, escalations, questions, log, document."""

from datetime import UTC, datetime, timedelta

from workflows.follow_up.notification_log import LINES_AT_MOST, NotificationLog
from workflows.follow_up.pause_clock import PauseClock, Timeline
from workflows.follow_up.plan import LOOKED_AT_AGAIN, Plan
from workflows.follow_up.slots import Escalations, Questions
from workflows.model.commands import Stop, StopKind
from workflows.model.messages import Message
from workflows.model.notifications import DeliveryResult, NotificationOutcome
from workflows.model.schedule import ActionType, EscalationReason, Reason, Schedule, ScheduledAction
from workflows.model.signature import SENT, SIGNER_SIGNED, ProviderEvent, ReportedDocument
from workflows.model.subject import Status
from workflows.model.timeline import AskedQuestion, EventType, Reassignment, TimelineEntry
from workflows.onboarding.state import Stages, WorkflowsToEnd
from workflows.signature.state import EVENTS_REMEMBERED, DocumentState
from workflows.task.state import AssigneeSlots

NOW = datetime(2026, 11, 2, 9, tzinfo=UTC)
DAY = timedelta(days=1)


def test_the_clocks_stop_for_the_first_reason_and_run_after_the_last() -> None:
    paused = PauseClock().with_stop(Stop(kind=StopKind.PAUSE, since=NOW, who="ann"))
    stopped_twice = paused.with_stop(Stop(kind=StopKind.PROBLEM, since=NOW + DAY, who="countersign"))
    assert stopped_twice.stopped_at == NOW
    still_stopped = stopped_twice.without_stop(StopKind.PAUSE, NOW + 2 * DAY)
    assert (still_stopped.stopped_at, [stop.kind for stop in still_stopped.stops]) == (NOW, [StopKind.PROBLEM])
    runs = still_stopped.without_stop(StopKind.PROBLEM, NOW + 3 * DAY)
    assert (runs.stopped_at, runs.stops) == (None, ())
    assert runs.was_paused(NOW + DAY)
    assert not runs.was_paused(NOW + 3 * DAY)


def test_of_a_long_timeline_the_older_half_leaves_and_is_forgotten_once_it_is_stored() -> None:
    timeline = Timeline()
    for number in range(LINES_AT_MOST + 1):
        entry = TimelineEntry(at=NOW + number * DAY, happened=EventType.PAUSED)
        timeline = timeline.with_entry(entry)
    assert (len(timeline.leaving), len(timeline.entries)) == (LINES_AT_MOST // 2 + 1, LINES_AT_MOST // 2)
    assert timeline.leaving[-1].at < timeline.entries[0].at
    assert len(timeline.stored(100).leaving) == len(timeline.leaving) - 100


def test_the_latest_schedule_counts_of_what_was_planned_twice_and_what_tells_nobody_is_left_out() -> None:
    old_action = ScheduledAction(
        at=NOW, kind=ActionType.REMIND, stage="reminder-1", person="ann", to="ann", reasons=(Message(code="old"),)
    )
    new = old_action.replace(reasons=(Message(code="new"),))
    expiry = old_action.replace(kind=ActionType.EXPIRE, stage="expiry")
    plan = Plan(planned_once=(old_action,), schedule=Schedule(due_at=NOW, actions=(new, expiry)))
    assert plan.ever_planned == (new,)


def test_the_window_moves_by_a_stop_but_not_by_what_of_it_was_before_its_beginning() -> None:
    plan = Plan(window_from=NOW)
    assert plan.shifted(NOW + DAY, NOW + 3 * DAY).window_from == NOW + 2 * DAY
    assert plan.shifted(NOW - DAY, NOW + DAY).window_from == NOW + DAY
    assert Plan().shifted(NOW, NOW + DAY) == Plan()


def test_it_is_late_from_its_due_date_unless_it_closes_then() -> None:
    plan = Plan(due_at=NOW, closes_at=NOW + DAY)
    assert plan.late_at(NOW - DAY) == NOW
    assert plan.late_at(NOW) is None
    assert plan.replace(closes_at=NOW).late_at(NOW - DAY) is None


def test_whoever_was_not_as_planned_is_postponed_once_and_forgotten_after_a_while() -> None:
    plan = Plan().with_postponed("ann", NOW).with_postponed("ann", NOW + timedelta(minutes=1))
    assert [postponed.person for postponed in plan.postponed] == ["ann"]
    assert plan.without_old_postponed(NOW + LOOKED_AT_AGAIN).postponed == plan.postponed
    assert plan.without_old_postponed(NOW + DAY).postponed == ()


def test_a_reassignment_makes_others_of_the_slot_and_escalations_to_the_same_person_obsolete() -> None:
    reassignment = Reassignment(from_="ann", to="bob", reason=EscalationReason.ESCALATION, who="countersign")
    to_bob = reassignment.replace(from_="carl")
    by_hand = to_bob.replace(reason=EscalationReason.MANUAL)
    escalations = Escalations(wanted=(reassignment, to_bob, by_hand)).reassigned(reassignment, NOW)
    assert escalations.wanted == (by_hand,)
    assert [(entry.from_, entry.to) for entry in escalations.entries] == [("ann", "bob")]
    assert escalations.drop(by_hand).wanted == ()


def test_a_question_is_open_until_it_is_answered_or_its_holder_has_acted() -> None:
    slots = AssigneeSlots.ask(("ann", "bob"), NOW)
    question = AskedQuestion(number=1, person="ann", text="Which?", at=NOW)
    questions = Questions().add_question(question)
    assert questions.open(slots) == question
    assert questions.next_number == 2
    assert questions.answered(1, "This one").open(slots) is None
    assert questions.open(slots.end("ann", NOW)) is None
    assert questions.move_to("ann", "bob").waiting_of("bob")[0].person == "ann"
    obstacle = Questions().add_question(question.replace(blocks=True)).move_to("ann", "bob")
    assert [entry.answer for entry in obstacle.entries] == [""]


def test_what_a_phone_shows_is_the_last_notice_that_was_not_taken_off() -> None:
    ready = DeliveryResult(key="a/ready/ann", stage="ready", person="ann")
    reminder = DeliveryResult(key="a/reminder-1/ann", stage="reminder-1", person="ann")
    withdrawal = DeliveryResult(
        key="a/withdrawal/ann", stage="withdrawal", person="ann", outcome=NotificationOutcome.WITHDRAWN
    )
    log = NotificationLog().with_lines((ready, reminder), NOW)
    assert [line.stage for line in log.last_shown] == ["reminder-1"]
    assert log.with_lines((withdrawal,), NOW).last_shown == ()
    assert log.stages == {("ready", "ann"), ("reminder-1", "ann")}


def test_an_alert_that_reached_nobody_has_failed() -> None:
    alert = DeliveryResult(
        key="a/escalation/chair/ann",
        stage="escalation",
        person="chair",
        outcome=NotificationOutcome.SUPPRESSED,
        why=Reason.NO_DEVICE,
    )
    assert NotificationLog().with_lines((alert,), NOW).failed_alerts == (alert.key,)
    assert NotificationLog().with_lines((alert.replace(why=Reason.SIGNED),), NOW).failed_alerts == ()


def test_a_callback_is_a_hint_once_and_of_many_the_last_are_known() -> None:
    signed = ProviderEvent(id="e-1", type=SIGNER_SIGNED, at=NOW)
    document = DocumentState().told_by(signed, sent=False)
    assert (document.unread, document.unconfirmed.told) == (True, True)
    assert document.told_by(signed, sent=False) is document
    sent = DocumentState().told_by(signed.replace(id="e-2", type=SENT), sent=True)
    assert (sent.unread, sent.said_sent) == (False, True)
    for number in range(EVENTS_REMEMBERED):
        document = document.told_by(signed.replace(id=f"f-{number}"), sent=False)
    assert "e-1" not in document.events_seen


def test_a_document_was_made_when_it_was_read_first() -> None:
    seen_document = ReportedDocument(document="d", status=Status.SENT, raw="se")
    document = DocumentState().merge_document(seen_document, NOW, None).merge_document(seen_document, NOW + DAY, NOW)
    assert (document.made_at, document.read_at, document.known_since) == (NOW, NOW + DAY, NOW)
    assert document.unsent_for == DAY


def test_open_parts_are_looked_at_less_and_less_often_until_a_stage_begins() -> None:
    stages = Stages(names=("sign", "set up"), looked_at=NOW)
    pauses = []
    for _ in range(5):
        pauses.append((stages.next_look - stages.looked_at).days)
        stages = stages.looked(stages.next_look)
    assert pauses == [1, 2, 4, 7, 7]
    assert stages.enter(NOW).next_look == NOW + DAY
    assert stages.replace(current=2).name == "set up"


def test_a_task_that_could_not_be_ended_lingers_until_the_next_look() -> None:
    decided = WorkflowsToEnd().with_decided("a", "b")
    assert decided.record_attempt(("a",), is_ended=True).tasks == ("task:b",)
    lingering = decided.record_attempt(("a",), is_ended=False)
    assert (lingering.decided, lingering.lingering) == (("b",), ("a",))
    assert lingering.to_retry() == WorkflowsToEnd(decided=("b", "a"))
