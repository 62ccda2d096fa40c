"""The one order of everything that can be next: the workflow, the dry run and what is shown match on it alone."""

from datetime import timedelta

import pytest

from tests.workflows.stage import PARALLEL, a_request
from tests.workflows.test_agenda import EXPIRY, SENT, START
from workflows.follow_up.agenda import Expire, Wait
from workflows.follow_up.moves import Again, Announce, HandOver, Move, Plan, RemindNow, Stand, moves, next_move
from workflows.follow_up.notices import notice_to
from workflows.follow_up.stragglers import Straggler, Stragglers
from workflows.follow_up.words import First
from workflows.model.entries import AskedReminder, Reassignment
from workflows.model.notices import Notice, NoticeAction
from workflows.model.planning import Agenda, EscalationReason
from workflows.model.subject import Status
from workflows.model.wishes import Ending, Stop, StopKind
from workflows.signature.progress import Progress

WANTED = Reassignment(from_="customer-signer", to="deputy", reason=EscalationReason.MANUAL, who="legal-desk")
PAUSE = Stop(kind=StopKind.PAUSE, since=START, who="legal-desk")
NEWS: tuple[Notice, ...] = (notice_to(a_request(*PARALLEL).subject, "ready", "customer-signer", NoticeAction.SIGN),)
LEFT_OPEN = Straggler(notice=NEWS[0], devices=("phone",), tries=1, at=START)
EVERYTHING = SENT.replace(
    document="d",
    unread=True,
    ending=Ending(outcome=Status.CANCELLED, who="legal-desk", why="superseded"),
    status=Status.CONVERTING,
    reassigning=(WANTED,),
    agenda=Agenda(due_at=EXPIRY.at, moments=(EXPIRY,)),
    stops=(PAUSE,),
    reminder=AskedReminder(number=1, who="legal-desk"),
    stragglers=Stragglers(entries=(LEFT_OPEN,)),
)
IN_ORDER: tuple[tuple[Move, dict[str, object]], ...] = (
    (First.LOOK, {"unread": False}),
    (First.CLOSE, {"ending": None}),
    (First.PREPARE, {"status": Status.SENT}),
    (HandOver(WANTED), {"reassigning": ()}),
    (Stand(PAUSE), {"stops": ()}),
    (Announce(NEWS), {}),
    (RemindNow(), {"reminder": None}),
    (Again((LEFT_OPEN,)), {"stragglers": Stragglers()}),
    (Wait(EXPIRY), {}),
)
"""What is next while all that comes after it wants to be done as well, and what takes it away."""


def test_everything_that_wants_to_be_done_comes_in_the_one_order() -> None:
    assert list(moves(EVERYTHING, NEWS, START)) == [move for move, _ in IN_ORDER]


@pytest.mark.parametrize("done", range(len(IN_ORDER)))
def test_once_it_is_done_what_comes_after_it_is_next(done: int) -> None:
    memory, news = EVERYTHING, NEWS
    for move, taken_away in IN_ORDER[:done]:
        assert next_move(memory, news, START) == move
        memory, news = memory.replace(**taken_away), () if isinstance(move, Announce) else news
    assert next_move(memory, news, START) == IN_ORDER[done][0]


def test_what_is_planned_waits_for_no_phone_that_was_left_open() -> None:
    memory = EVERYTHING.replace(unread=False, ending=None, status=Status.SENT, reassigning=(), stops=(), reminder=None)
    assert next_move(memory, (), START) == Again((LEFT_OPEN,))
    assert next_move(memory, (), EXPIRY.at) == Expire(EXPIRY)
    assert next_move(memory, (), START - timedelta(seconds=1)) == Wait(EXPIRY)


def test_without_a_plan_it_is_planned_before_anybody_is_told() -> None:
    unplanned = EVERYTHING.replace(unread=False, ending=None, status=Status.SENT, reassigning=(), agenda=None)
    assert [type(move) for move in moves(unplanned, NEWS, START)] == [Plan, Stand, Announce, RemindNow]


@pytest.mark.parametrize("memory", [EVERYTHING, SENT, Progress.begin(a_request().brief, START)])
def test_there_is_always_a_next_move(memory: Progress) -> None:
    assert next_move(memory, (), START + timedelta(days=400)) is not None
