"""What ends a wait although nothing was heard, and that of two at the same instant the more pressing counts."""

from datetime import UTC, datetime, timedelta

import pytest

from tests.workflows.stage import a_request
from workflows.follow_up.clocks import Alarm, RingsFor
from workflows.follow_up.stragglers import Straggler, Stragglers
from workflows.model.notices import HeldBack, Notice
from workflows.model.task import Task
from workflows.signature.progress import Progress
from workflows.task.progress import TaskProgress

NOW = datetime(2026, 11, 2, 9, tzinfo=UTC)


def known(*, due_in: int | None = None, held_for: int | None = None, again_in: int | None = None) -> Progress:
    """A request that was read now, is due in so many days, holds a notice back, and tries a phone again."""
    progress = Progress.begin(a_request().brief, NOW).replace(read_at=NOW)
    if due_in:
        progress = progress.replace(due_at=NOW + timedelta(days=due_in), closes_at=NOW + timedelta(days=60))
    if held_for:
        until = NOW + timedelta(days=held_for)
        held = HeldBack(key="a/reminder-1/chair", stage="reminder-1", person="chair", at=NOW, until=until, says="x")
        progress = progress.held_back((held,), NOW)
    if again_in:
        notice = Notice(key="a/ready/chair", stage="ready", person="chair")
        left = Straggler(notice=notice, devices=("phone",), at=NOW + timedelta(days=again_in))
        progress = progress.replace(stragglers=Stragglers(entries=(left, left.replace(at=NOW))))
    return progress


@pytest.mark.parametrize(
    ("progress", "deadline_in", "rings"),
    [
        (known(), None, (7, RingsFor.LOOK)),
        (known(), 3, (3, RingsFor.DEADLINE)),
        (known(), 7, (7, RingsFor.DEADLINE)),
        (known(due_in=5), 6, (5, RingsFor.LATE)),
        (known(due_in=7), None, (7, RingsFor.LOOK)),
        (known(held_for=2), 3, (2, RingsFor.BUDGET)),
        (known(held_for=3), 3, (3, RingsFor.BUDGET)),
        (known(again_in=2), 3, (2, RingsFor.STRAGGLERS)),
        (known(again_in=3), 3, (3, RingsFor.DEADLINE)),
    ],
)
def test_the_first_alarm_rings_and_of_two_at_once_the_more_pressing(
    progress: Progress, deadline_in: int | None, rings: tuple[int, RingsFor]
) -> None:
    deadline = NOW + timedelta(days=deadline_in) if deadline_in else None
    days, what = rings
    assert progress.alarm(NOW, deadline) == Alarm(NOW + timedelta(days=days), what)


def test_where_nobody_knows_better_and_nothing_is_due_no_alarm_is_set() -> None:
    task = Task(id="laptop", kind="it", title="A laptop", requester="head", people=())
    assert TaskProgress.begin(task, NOW).alarm(NOW, None) is None
