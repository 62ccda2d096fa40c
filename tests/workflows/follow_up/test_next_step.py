"""The one order of everything that can be next: the workflow, the dry run and what is shown match on it alone."""

from datetime import timedelta

import pytest

from tests.workflows.follow_up.test_schedule import EXPIRY, SENT, START
from tests.workflows.stage import PARALLEL, a_request
from workflows.follow_up.next_step import (
    Announce,
    Expire,
    ImmediateReminder,
    Move,
    Pause,
    PlanSchedule,
    ReassignSlot,
    RetryDevices,
    Wait,
    find_next_move,
    list_requested_reminders,
    moves,
)
from workflows.follow_up.notification_log import PendingDevice, PendingDevices
from workflows.follow_up.notifications import notice_to
from workflows.follow_up.state import Precondition
from workflows.model.commands import Ending, Stop, StopKind
from workflows.model.notifications import NoticeAction, NotificationOrder
from workflows.model.schedule import EscalationReason, Schedule
from workflows.model.subject import Status
from workflows.model.timeline import AskedReminder, Reassignment
from workflows.signature.state import SignatureState

WANTED = Reassignment(from_="customer-signer", to="deputy", reason=EscalationReason.MANUAL, who="legal-desk")
PAUSE = Stop(kind=StopKind.PAUSE, since=START, who="legal-desk")
NEWS: tuple[NotificationOrder, ...] = (
    notice_to(a_request(*PARALLEL).subject, "ready", "customer-signer", NoticeAction.SIGN),
)
LEFT_OPEN = PendingDevice(notice=NEWS[0], devices=("phone",), tries=1, at=START)
ENDING = Ending(outcome=Status.CANCELLED, who="legal-desk", why="superseded")
PLAN = SENT.plan.replace(
    schedule=Schedule(due_at=EXPIRY.at, actions=(EXPIRY,)), reminder=AskedReminder(number=1, who="legal-desk")
)
EVERYTHING = SENT.replace(
    document=SENT.document.replace(id="d", unread=True),
    lifecycle=SENT.lifecycle.replace(ending=ENDING, status=Status.CONVERTING),
    escalations=SENT.escalations.replace(wanted=(WANTED,)),
    plan=PLAN,
    clock=SENT.clock.replace(stops=(PAUSE,)),
    notifications=SENT.notifications.replace(devices=PendingDevices(entries=(LEFT_OPEN,))),
)
OPEN = EVERYTHING.replace(
    document=EVERYTHING.document.replace(unread=False),
    lifecycle=EVERYTHING.lifecycle.replace(ending=None, status=Status.SENT),
    escalations=SENT.escalations,
)
IN_ORDER: tuple[tuple[Move, tuple[str, dict[str, object]] | None], ...] = (
    (Precondition.LOOK, ("document", {"unread": False})),
    (Precondition.CLOSE, ("lifecycle", {"ending": None})),
    (Precondition.PREPARE, ("lifecycle", {"status": Status.SENT})),
    (ReassignSlot(WANTED), ("escalations", {"wanted": ()})),
    (Pause(PAUSE), ("clock", {"stops": ()})),
    (Announce(NEWS), None),
    (ImmediateReminder(), ("plan", {"reminder": None})),
    (RetryDevices((LEFT_OPEN,)), ("notifications", {"devices": PendingDevices()})),
    (Wait(EXPIRY), None),
)
"""What is next while all that comes after it wants to be done as well, and what takes it away."""


def test_everything_that_wants_to_be_done_comes_in_the_one_order() -> None:
    assert list(moves(EVERYTHING, NEWS, START)) == [move for move, _ in IN_ORDER]


@pytest.mark.parametrize("done_count", range(len(IN_ORDER)))
def test_once_it_is_done_what_comes_after_it_is_next(done_count: int) -> None:
    memory, news = EVERYTHING, NEWS
    for move, taken_away in IN_ORDER[:done_count]:
        assert find_next_move(memory, news, START) == move
        news = () if isinstance(move, Announce) else news
        if taken_away:
            part, changes = taken_away
            memory = memory.update_part(part, **changes)
    assert find_next_move(memory, news, START) == IN_ORDER[done_count][0]


def test_what_is_planned_waits_for_no_phone_that_was_left_open() -> None:
    memory = OPEN.update_part("clock", stops=()).update_part("plan", reminder=None)
    assert find_next_move(memory, (), START) == RetryDevices((LEFT_OPEN,))
    assert find_next_move(memory, (), EXPIRY.at) == Expire(EXPIRY)
    assert find_next_move(memory, (), START - timedelta(seconds=1)) == Wait(EXPIRY)


def test_without_a_plan_it_is_planned_before_anybody_is_told() -> None:
    unplanned = OPEN.update_part("plan", schedule=None)
    assert [type(move) for move in moves(unplanned, NEWS, START)] == [PlanSchedule, Pause, Announce, ImmediateReminder]


@pytest.mark.parametrize("memory", [EVERYTHING, SENT, SignatureState.begin(a_request().brief, START)])
def test_there_is_always_a_next_move(memory: SignatureState) -> None:
    assert find_next_move(memory, (), START + timedelta(days=400)) is not None


def test_a_reminder_by_hand_says_who_asked_for_it() -> None:
    actions = list_requested_reminders(EVERYTHING, START)
    assert {action.reason_text for action in actions} == {"asked for by legal-desk"}
