"""What ends a wait although nothing was heard, and that of two at the same instant the more pressing counts."""

from datetime import UTC, datetime, timedelta

import pytest

from tests.workflows.stage import a_request
from workflows.follow_up.notification_log import PendingDevice, PendingDevices
from workflows.follow_up.plan import WakeUp, WakeUpKind
from workflows.model.notifications import HeldBack, NotificationOrder
from workflows.model.subject import Task
from workflows.signature.state import SignatureState
from workflows.task.state import TaskState

NOW = datetime(2026, 11, 2, 9, tzinfo=UTC)


def make_state(
    *, due_in: int | None = None, held_for: int | None = None, again_in: int | None = None
) -> SignatureState:
    """A request that was read now, is due in so many days, holds a notice back, and tries a phone again."""
    progress = SignatureState.begin(a_request().brief, NOW).update_part("document", read_at=NOW)
    if due_in:
        progress = progress.update_part("plan", due_at=NOW + timedelta(days=due_in), closes_at=NOW + timedelta(days=60))
    if held_for:
        held_until = NOW + timedelta(days=held_for)
        held_notice = HeldBack(
            key="a/reminder-1/chair", stage="reminder-1", person="chair", at=NOW, until=held_until, says="x"
        )
        progress = progress.held_back((held_notice,), NOW)
    if again_in:
        notice = NotificationOrder(key="a/ready/chair", stage="ready", person="chair")
        pending_device = PendingDevice(notice=notice, devices=("phone",), at=NOW + timedelta(days=again_in))
        progress = progress.update_part(
            "notifications", devices=PendingDevices(entries=(pending_device, pending_device.replace(at=NOW)))
        )
    return progress


@pytest.mark.parametrize(
    ("progress", "deadline_in", "rings"),
    [
        (make_state(), None, (7, WakeUpKind.LOOK)),
        (make_state(), 3, (3, WakeUpKind.DEADLINE)),
        (make_state(), 7, (7, WakeUpKind.DEADLINE)),
        (make_state(due_in=5), 6, (5, WakeUpKind.LATE)),
        (make_state(due_in=7), None, (7, WakeUpKind.LOOK)),
        (make_state(held_for=2), 3, (2, WakeUpKind.BUDGET)),
        (make_state(held_for=3), 3, (3, WakeUpKind.BUDGET)),
        (make_state(again_in=2), 3, (2, WakeUpKind.DEVICES)),
        (make_state(again_in=3), 3, (3, WakeUpKind.DEADLINE)),
    ],
)
def test_the_first_alarm_rings_and_of_two_at_once_the_more_pressing(
    progress: SignatureState, deadline_in: int | None, rings: tuple[int, WakeUpKind]
) -> None:
    deadline = NOW + timedelta(days=deadline_in) if deadline_in else None
    days, alarm = rings
    assert progress.wake_up(NOW, deadline) == WakeUp(NOW + timedelta(days=days), alarm)


def test_where_nobody_knows_better_and_nothing_is_due_no_alarm_is_set() -> None:
    task = Task(id="laptop", kind="it", title="A laptop", requester="head", people=())
    assert TaskState.begin(task, NOW).wake_up(NOW, None) is None
