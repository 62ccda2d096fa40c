"""What holds for every life: with outages, pauses, questions, hand-overs and continue-as-new, all by chance.

The lives are always the same ones, so that a red one tells of a change. Ten times as many: `tests/chaos/test_lives.py`.
"""

from collections import Counter
from collections.abc import Iterator
from datetime import datetime, timedelta
from itertools import pairwise
from typing import Final

import pytest

from activities.schedule.open_hours import OpenHours
from tests.workflows.lives.life import Life
from tests.workflows.lives.world import Sent
from workflows.follow_up.notification_log import key_of
from workflows.model.commands import StopKind
from workflows.model.hand_off import HandoffState, SettledRequest
from workflows.model.notifications import NotificationOutcome
from workflows.model.schedule import ActionType, EscalationReason, Schedule, ScheduledAction
from workflows.model.signature import SignerState
from workflows.model.subject import Status
from workflows.signature.state import SignatureState

NUDGES: Final = ("reminder", "snooze", "warning", "overdue", "escalated")
PHONES: Final = 2
"""Of one person at most."""
TO_SEND: Final = timedelta(minutes=3)
"""From the decision to the last try at the phone that did not answer."""
HOUR: Final = timedelta(hours=1)
PAUSE: Final = timedelta(days=3, hours=1)
OUTAGES_AND_PAUSES: Final = timedelta(days=14)
LIVES: Final = 60


@pytest.mark.parametrize("seed", range(LIVES))
def test_every_life_ends_and_keeps_what_is_promised(seed: int) -> None:
    assert_it_keeps_what_is_promised(seed)


def assert_it_keeps_what_is_promised(seed: int) -> None:
    """The life of this seed, lived and looked at from every side."""
    life = Life(seed)
    settled = life.live()
    assert_it_ended(life, settled)
    assert_nobody_is_woken(life)
    assert_nobody_is_nudged_in_vain(life)
    assert_nothing_is_said_twice(life)
    assert_nothing_disappears(life)
    assert_the_last_word_is_heeded(life)
    assert_the_clocks_stand(life)
    assert_no_question_holds_up_for_long(life)
    assert_overdue_is_what_comes_after_the_due_date(life)
    assert_systems_hear_of_every_escalation(life)


def assert_systems_hear_of_every_escalation(life: Life) -> None:
    """Each has a line that came to its end, by a call at least, whatever else happened meanwhile."""
    end = life.history[-1][1]
    expected_targets = [
        f"erp/escalated-{number}"
        for number, entry in enumerate(end.escalations.entries, 1)
        if life.policy.handoff and entry.reason is not EscalationReason.MANUAL
    ]
    lines = {line.target: line for line in end.outbox.lines}
    assert [target for target in lines if "escalated" in target] == expected_targets
    for target in expected_targets:
        assert lines[target].state in (HandoffState.DONE, HandoffState.DEAD)
        assert 1 <= lines[target].attempts <= life.world.told_systems.count(target)


def assert_it_ended(life: Life, settled: SettledRequest) -> None:
    """As the provider says, and everybody who must know was told."""
    end = life.history[-1][1]
    cancelled = (Status.CANCELLED, Status.EXPIRED)
    assert settled.outcome is end.status
    assert life.world.status in (None, settled.outcome) or {life.world.status, settled.outcome} == {*cancelled}
    assert end.outbox.next_at is None
    if settled.outcome is not Status.SIGNED:
        notified_people = {
            line.person for line in end.notifications.remembered if line.stage in ("settled", "reassigned")
        }
        assert {entry.to for entry in end.escalations.entries} <= notified_people
    assert end.commands.open == ()


def assert_nobody_is_woken(life: Life) -> None:
    """Reminders, alerts and what the signer hears of them come in the recipient's hours, never while paused."""
    for sent in nudges(life, "reminder-", "overdue-", "escalat", "unanswered"):
        hours = OpenHours.for_person(life.people[sent.person], life.policy)
        assert hours.open_at(sent.at) or hours.open_at(sent.at - TO_SEND), sent
    for sent in nudges(life, *NUDGES, "escalation"):
        stops = state_at(life, sent.at - TO_SEND).clock.stops
        assert all(stop.kind is StopKind.PROBLEM for stop in stops) or not state_at(life, sent.at).clock.stops, sent


def assert_nobody_is_nudged_in_vain(life: Life) -> None:
    """Not after they acted, and no reminder within the hour of another nudge."""
    for sent in nudges(life, *NUDGES, "escalation"):
        acted_at = life.world.acted_at.get(sent.about_person or sent.person)
        assert acted_at is None or sent.at <= acted_at, sent
    heard: dict[str, dict[str, datetime]] = {}
    for sent in nudges(life, *NUDGES):
        heard.setdefault(sent.person, {}).setdefault(sent.stage, sent.at)
    for stages in heard.values():
        for (_, earlier_at), (stage, sent_at) in pairwise(
            sorted(stages.items(), key=lambda stage_and_instant: stage_and_instant[1])
        ):
            if stage.startswith(("reminder", "snooze", "overdue")):
                assert sent_at - earlier_at >= HOUR - TO_SEND, (stage, sent_at)


def assert_nothing_is_said_twice(life: Life) -> None:
    """No phone is told a stage twice, nobody is escalated twice, no notice has two lines."""
    end = life.history[-1][1]
    notice_counts = Counter(
        (notice.stage, notice.person, notice.about_person, notice.device) for notice in life.world.sent
    )
    assert not [key for key, times in notice_counts.items() if times > 1]
    escalated = Counter(entry.from_ for entry in end.escalations.entries if entry.reason != "manual")
    assert not [key for key, times in escalated.items() if times > 1]
    assert len({line.key for line in end.notifications.remembered}) == len(end.notifications.remembered)


def assert_nothing_disappears(life: Life) -> None:
    """Whatever a plan had in mind has its line; an escalation at least one for its signer, or it happened.

    What the calendar forbade, and what was not due by the end of its signer's part, needs none. Older lines are in the
    store.
    """
    end = life.history[-1][1]
    lines = (
        line for _, state in life.history for line in (*state.notifications.leaving, *state.notifications.remembered)
    )
    keys = {line.key for line in lines}
    replaced_people = {entry.from_ for entry in end.escalations.entries}
    replaced_people |= {signer.person for signer in end.slots.signers if signer.state is SignerState.REASSIGNED}
    replaced_people |= {
        line.key.rpartition("/")[2] for line in end.notifications.remembered if line.stage == "escalation"
    }
    stages = {line.stage for line in end.notifications.remembered}
    turn_ends = {signer.person: signer.at if signer.acted else end.lifecycle.settled_at for signer in end.slots.signers}
    latest = {(action.stage, action.person): action for action in planned(life)}
    for action in latest.values():
        turn_end = turn_ends.get(action.person) or end.lifecycle.settled_at
        if action.suppressed and turn_end and action.at > turn_end:
            continue
        happened = action.person in replaced_people and action.kind in (ActionType.ESCALATE, ActionType.ESCALATED)
        # Of an open question somebody else may have heard by then.
        happened |= action.kind is ActionType.QUESTION and action.stage in stages
        assert key_of(end.id, action) in keys or happened, action


def assert_the_last_word_is_heeded(life: Life) -> None:
    """Nothing expires before its grace is over, while the clocks stand, or soon after a last word that failed."""
    expired = [
        (changed_at, state)
        for changed_at, state in life.history
        if state.lifecycle.ending and state.lifecycle.ending.outcome is Status.EXPIRED
    ]
    if not expired:
        return
    expired_at, progress = expired[0]
    assert not progress.clock.stops
    assert expired_at >= agenda_at(life, expired_at).over_at
    if isinstance(progress.plan.due, datetime):
        assert expired_at >= progress.plan.due
    pending = {signer.person for signer in progress.slots.pending}
    for line in progress.notifications.remembered:
        if (
            line.stage.startswith(("warning", "overdue"))
            and line.person in pending
            and line.outcome is NotificationOutcome.FAILED
        ):
            assert expired_at - line.at >= timedelta(hours=24), line
    warned = {line.person for line in progress.notifications.remembered if line.stage.startswith("warning")}
    warnings = progress.plan.schedule.actions if progress.plan.schedule else ()
    assert {m.person for m in warnings if m.kind is ActionType.WARN and m.person in pending} <= warned


def assert_the_clocks_stand(life: Life) -> None:
    """No clock runs ahead of the time or back before the turn, and the window moves by the time that it stood."""
    stood, standing_since = timedelta(), None
    for changed_at, progress in life.history:
        for signer in progress.slots.signers:
            if signer.clock_from and signer.turn_at:
                assert signer.turn_at <= signer.clock_from <= changed_at
        assert bool(progress.clock.stops) is (progress.clock.stopped_at is not None)
        if progress.document.sent_at is None or progress.plan.window_from is None or progress.status.has_ended:
            continue
        if progress.clock.stops:
            standing_since = standing_since or max(
                progress.document.sent_at, min(stop.since for stop in progress.clock.stops)
            )
        elif standing_since is not None:
            stood, standing_since = stood + (changed_at - standing_since), None
        if standing_since is None:
            assert abs(progress.plan.window_from - progress.document.sent_at - stood) < timedelta(minutes=1)


def assert_no_question_holds_up_for_long(life: Life) -> None:
    """The clocks stand for an unanswered question for the policy's time, and what outages and pauses add to it."""
    for changed_at, progress in life.history:
        question = progress.clock.stop(StopKind.QUESTION)
        assert question is None or changed_at - question.since <= PAUSE + OUTAGES_AND_PAUSES


def assert_overdue_is_what_comes_after_the_due_date(life: Life) -> None:
    """In the phase after the due date, not before, and no more than the policy says of one due date."""
    notice_counts = Counter(
        notice.person + notice.stage.partition(".")[2]
        for notice in life.world.sent
        if notice.stage.startswith("overdue")
    )
    for sent in nudges(life, "overdue"):
        due_at = state_at(life, sent.at).due_at
        assert due_at is not None
        assert sent.at >= due_at
    overdue = life.policy.overdue
    times_at_most = overdue.most if overdue else 0
    assert times_at_most is None or all(times <= times_at_most * PHONES for times in notice_counts.values())


def nudges(life: Life, *stages: str) -> Iterator[Sent]:
    """What phones took of these stages, without what an operator insisted on."""
    by_hand = "reminder-manual"
    return (
        notice for notice in life.world.sent if notice.stage.startswith(stages) and not notice.stage.startswith(by_hand)
    )


def planned(life: Life) -> Iterator[ScheduledAction]:
    """Every moment that was ever in a plan which the request followed."""
    for _, progress in life.history:
        if agenda := progress.plan.schedule:
            yield from (action for action in (*agenda.actions, *agenda.dropped) if action.kind.tells)


def state_at(life: Life, instant: datetime) -> SignatureState:
    """What the request knew at an instant."""
    return next(
        (progress for changed_at, progress in reversed(life.history) if changed_at <= instant), life.history[0][1]
    )


def agenda_at(life: Life, instant: datetime) -> Schedule:
    """The plan of that instant."""
    return next(agenda for changed_at, agenda in reversed(life.world.agendas) if changed_at <= instant)
