"""The plan before anything is sent is what then happens: every notice, to the same person, at the same time.

The lives are always the same ones. In others (2 of 1,000) two things fall due in one instant, and the seconds that a
real call takes decide which of them is first.
"""

import asyncio
from datetime import datetime, timedelta
from typing import TypeAlias

import pytest

from starter.plan.rehearsal import SIGNED, Rehearsal, RehearsedEvent
from tests.workflows.lives.undisturbed import Undisturbed
from workflows.follow_up.notification_types import NotificationType
from workflows.model.notifications import NotificationOutcome

Notices: TypeAlias = dict[tuple[str, str, str], datetime]
"""When somebody hears of what, about whom."""
TO_SEND = timedelta(minutes=3)
LATE = (234, 685, 730)
"""Lives in which a hand-over makes an escalation due that a first plan would have had long before."""


@pytest.mark.parametrize("seed", [*range(60), *LATE])
def test_what_was_planned_is_what_an_undisturbed_life_does(seed: int) -> None:
    life = Undisturbed(seed)
    settled = life.live()
    sent_at = next(state.document.sent_at for _, state in life.history if state.document.sent_at)
    outcome, happenings = asyncio.run(Rehearsal(life.request, sent_at, life.world.book, life.signing).play())
    assert outcome is settled.outcome
    planned, lived = collect_planned_times(happenings), collect_lived_times(life)
    assert planned.keys() == lived.keys()
    assert all(abs(planned[notice] - lived[notice]) <= TO_SEND for notice in planned), (planned, lived)
    left_out = {
        (happening.stage, happening.to)
        for happening in happenings
        if happening.suppressed and happening.at <= settled.at - TO_SEND
    }
    assert left_out <= list_suppressed(life)


def collect_planned_times(happenings: tuple[RehearsedEvent, ...]) -> Notices:
    """What a plan says, without what only a plan speaks of and without the endings, which the hand-off tells."""
    spoken_of = (SIGNED, NotificationType.SETTLED, "expiry")
    sent = [happening for happening in happenings if not happening.suppressed and happening.stage not in spoken_of]
    return {(happening.stage, happening.to, happening.person): happening.at for happening in sent}


def collect_lived_times(life: Undisturbed) -> Notices:
    """What was accepted, and the places that were handed over."""
    end = life.history[-1][1]
    lines = [line for line in end.notifications.remembered if line.outcome is NotificationOutcome.ACCEPTED]
    lines = [line for line in lines if line.stage not in (NotificationType.SETTLED, NotificationType.WITHDRAWAL)]
    times_by_notice = {
        (line.stage, line.person, line.person): line.at for line in lines if line.stage != NotificationType.ESCALATION
    }
    return times_by_notice | {(NotificationType.ESCALATION, entry.to, entry.from_): entry.at for entry in end.escalated}


def list_suppressed(life: Undisturbed) -> set[tuple[str, str]]:
    """What the ledger says was left out."""
    lines = life.history[-1][1].notifications.remembered
    return {(line.stage, line.person) for line in lines if line.outcome is NotificationOutcome.SUPPRESSED}
