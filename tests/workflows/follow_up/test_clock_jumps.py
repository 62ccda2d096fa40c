"""A server whose clock is set, hours or days ahead or back, while requests live: nothing comes early, nothing twice.

The clock is that of virtual time: nothing sets the clock of a real server's process, which asks the kernel.
"""

from datetime import datetime, timedelta
from random import Random

import pytest

from activities.people.person import Person
from tests.activities.book import AMSTERDAM, make_person
from tests.workflows.follow_up.test_lives import (
    NUDGES,
    TO_SEND,
    assert_it_ended,
    assert_nothing_is_said_twice,
    nudges,
    planned,
)
from tests.workflows.lives.jumping_time import JumpingTime
from tests.workflows.lives.life import Life
from workflows.model.policy import Policy, Reminders
from workflows.model.subject import Status

MINUTE, HOUR, DAY = timedelta(minutes=1), timedelta(hours=1), timedelta(days=1)
JUMPS = [shift for size in (10 * MINUTE, 3 * HOUR, 2 * DAY, 5 * DAY) for shift in (size, -size)]


class Calm(Life):
    """One signer who is silent, and nothing that is away: whatever is late is so by the clock."""

    def _spans(self, days: float) -> list[tuple[float, float]]:
        return []

    def _let_things_happen(self) -> None:
        """Nothing happens."""

    def _policy(self) -> Policy:
        reminders = Reminders(first="2d", every="2d", most=3)
        return Policy(window="10d", hours="any", reminders=reminders, warnings=("1d",), escalation=None)

    def _with_grace(self, policy: Policy, chance: Random) -> Policy:
        return policy

    def _person(self, id: str) -> Person:
        return make_person(id, AMSTERDAM, devices=({"token": f"{id}~0", "platform": "ios"},))


@pytest.mark.parametrize("shift", JUMPS, ids=str)
@pytest.mark.parametrize("jump_after", [1 * HOUR, 47 * HOUR, 5 * DAY], ids=str)
@pytest.mark.parametrize("behind_timer", [False, True])
def test_a_clock_that_is_set_makes_nothing_early_and_late_by_the_jump_at_most(
    jump_after: timedelta, shift: timedelta, behind_timer: bool
) -> None:
    life = Calm(1, JumpingTime(jump_after, shift, behind_timer=behind_timer))
    settled = life.live()
    assert settled.outcome is Status.EXPIRED
    planned_at = {(action.stage, action.person): action.at for action in planned(life)}
    for sent in nudges(life, *NUDGES):
        late = sent.at - planned_at[sent.stage, sent.person]
        assert timedelta() <= late <= max(shift, timedelta()) + TO_SEND, sent
    everything = {line.stage for line in life.history[-1][1].notifications.remembered}
    assert everything >= {"ready", "reminder-1", "reminder-2", "reminder-3", "warning-1d"}, "sent, or caught up"
    assert_nothing_is_said_twice(life)
    assert_it_ended(life, settled)


@pytest.mark.parametrize("seed", range(20))
def test_lives_with_outages_end_as_they_should_although_the_clock_is_set(seed: int) -> None:
    chance = Random(f"jump {seed}")  # noqa: S311 - the same again for the same seed
    shift = chance.choice(JUMPS)
    life = Life(seed, JumpingTime(chance.random() * 20 * DAY, shift, behind_timer=chance.random() < 0.5))
    settled = life.live()
    assert_it_ended(life, settled)
    assert_nothing_is_said_twice(life)
    first: dict[tuple[str, str], datetime] = {}
    for action in planned(life):
        first[action.stage, action.person] = min(action.at, first.get((action.stage, action.person), action.at))
    for sent in nudges(life, "reminder", "warning", "overdue"):
        assert sent.at >= first[sent.stage, sent.person], sent
