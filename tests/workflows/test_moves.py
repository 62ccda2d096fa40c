"""The one order of everything that can be next: the workflow, the dry run and what is shown match on it alone."""

from datetime import timedelta

import pytest

from tests.workflows.stage import PARALLEL, a_request
from tests.workflows.test_agenda import EXPIRY, SENT, START
from workflows.follow_up.next_step import (
    Announce,
    Expire,
    Move,
    Paused,
    PlanSchedule,
    ReassignSlot,
    RemindNow,
    RetryDevices,
    Wait,
    moves,
    next_action,
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
EVERYTHING = SENT.replace(
    document="d",
    unread=True,
    ending=Ending(outcome=Status.CANCELLED, who="legal-desk", why="superseded"),
    status=Status.CONVERTING,
    reassigning=(WANTED,),
    agenda=Schedule(due_at=EXPIRY.at, moments=(EXPIRY,)),
    stops=(PAUSE,),
    reminder=AskedReminder(number=1, who="legal-desk"),
    stragglers=PendingDevices(entries=(LEFT_OPEN,)),
)
IN_ORDER: tuple[tuple[Move, dict[str, object]], ...] = (
    (Precondition.LOOK, {"unread": False}),
    (Precondition.CLOSE, {"ending": None}),
    (Precondition.PREPARE, {"status": Status.SENT}),
    (ReassignSlot(WANTED), {"reassigning": ()}),
    (Paused(PAUSE), {"stops": ()}),
    (Announce(NEWS), {}),
    (RemindNow(), {"reminder": None}),
    (RetryDevices((LEFT_OPEN,)), {"stragglers": PendingDevices()}),
    (Wait(EXPIRY), {}),
)
"""What is next while all that comes after it wants to be done as well, and what takes it away."""


def test_everything_that_wants_to_be_done_comes_in_the_one_order() -> None:
    assert list(moves(EVERYTHING, NEWS, START)) == [move for move, _ in IN_ORDER]


@pytest.mark.parametrize("done", range(len(IN_ORDER)))
def test_once_it_is_done_what_comes_after_it_is_next(done: int) -> None:
    memory, news = EVERYTHING, NEWS
    for move, taken_away in IN_ORDER[:done]:
        assert next_action(memory, news, START) == move
        memory, news = memory.replace(**taken_away), () if isinstance(move, Announce) else news
    assert next_action(memory, news, START) == IN_ORDER[done][0]


def test_what_is_planned_waits_for_no_phone_that_was_left_open() -> None:
    memory = EVERYTHING.replace(unread=False, ending=None, status=Status.SENT, reassigning=(), stops=(), reminder=None)
    assert next_action(memory, (), START) == RetryDevices((LEFT_OPEN,))
    assert next_action(memory, (), EXPIRY.at) == Expire(EXPIRY)
    assert next_action(memory, (), START - timedelta(seconds=1)) == Wait(EXPIRY)


def test_without_a_plan_it_is_planned_before_anybody_is_told() -> None:
    unplanned = EVERYTHING.replace(unread=False, ending=None, status=Status.SENT, reassigning=(), agenda=None)
    assert [type(move) for move in moves(unplanned, NEWS, START)] == [PlanSchedule, Paused, Announce, RemindNow]


@pytest.mark.parametrize("memory", [EVERYTHING, SENT, SignatureState.begin(a_request().brief, START)])
def test_there_is_always_a_next_move(memory: SignatureState) -> None:
    assert next_action(memory, (), START + timedelta(days=400)) is not None
