"""A group that asks: who of it hears of questions and news, and who takes it on."""

from datetime import datetime, timedelta

import pytest

from activities.schedule.planner import PolicyPlanner
from tests.activities.book import Book, somebody
from tests.messages import english_of
from tests.workflows.fakes import World
from tests.workflows.follow_up.test_questions import calm, monday
from tests.workflows.stage import story
from workflows.follow_up.commands import TAKEN_AT_MOST, refuse_take, take
from workflows.model.commands import Answer, Question, Take
from workflows.model.notifications import NoticeAction
from workflows.signature.state import SignatureInput, SignatureState
from workflows.signature.workflow import SignatureRequestWorkflow as Request

SIGNER, DESK, CHIEF = "customer-signer", "legal-desk", "chief-executive"
LEGAL = "group:legal"
DAY = timedelta(days=1)


def of_legal(*members: str) -> Book:
    """The signer, and two of whom these are in the group."""
    people = (somebody(one, groups=("legal",) if one in members else ()) for one in (DESK, CHIEF))
    return Book(somebody(SIGNER), *people)


def world_of(book: Book) -> World:
    world = World()
    world.planner = PolicyPlanner(book)  # type: ignore[assignment]
    world.push.directory = book
    return world


def asked_by_legal(*, notify_all: bool = False) -> SignatureInput:
    given = calm()
    return given.replace(brief=given.brief.replace(requester=LEGAL, notify_all=notify_all))


def sent(world: World, stage: str) -> list[tuple[str, NoticeAction]]:
    return [(one.person, one.action) for one in world.push.sent if one.stage.startswith(stage)]


async def test_whoever_takes_it_on_hears_alone_until_they_leave_the_group() -> None:
    book = of_legal(DESK, CHIEF)
    world = world_of(book)
    async with story(world, asked_by_legal(), begins=monday(9), record="team-takes-it-on") as it:
        await it.days_pass(0.001)
        await it.handle.execute_update(Request.ask, Question(person=SIGNER, text="Which annex?"))
        await it.at_rest()
        assert sent(world, "question-1") == [(DESK, NoticeAction.OPEN), (CHIEF, NoticeAction.OPEN)]
        asked = await it.shown()
        await it.handle.execute_update(Request.take, Take(actor=CHIEF, person=CHIEF))
        await it.at_rest()
        assert sent(world, "withdrawal-taken-1") == [(DESK, NoticeAction.WITHDRAW)]
        taken = await it.shown()
        await it.days_pass(1)
        assert sent(world, "unanswered-1") == [(CHIEF, NoticeAction.OPEN)]
        book.now(somebody(CHIEF))
        await it.days_pass(1)
        assert sent(world, "unanswered-1.2") == [(DESK, NoticeAction.OPEN)]
        await it.handle.execute_update(Request.answer, Answer(actor=DESK, text="Annex B"))
        await it.at_rest()
        gone = {person for person, _ in sent(world, "withdrawal-question-1")}
        world.signatures.sign(SIGNER)
        await it.days_pass(1)
        shown = await it.shown()
    assert (asked.requester, asked.answers, taken.taken_by, taken.answers) == (LEGAL, LEGAL, CHIEF, CHIEF)
    assert gone == {DESK, CHIEF}, "of whoever has left as well"
    assert [entry.who for entry in shown.timeline if entry.happened == "taken"] == [CHIEF]
    lines = [line.person for line in shown.notifications if line.stage == "question-1"]
    assert sorted(lines) == sorted([LEGAL, DESK, CHIEF])


async def test_a_group_that_became_empty_holds_nothing_up() -> None:
    book = of_legal(DESK)
    world = world_of(book)
    async with story(world, asked_by_legal(), begins=monday(9)) as it:
        await it.days_pass(0.001)
        book.now(somebody(DESK))
        await it.handle.execute_update(Request.ask, Question(person=SIGNER, text="Which annex?"))
        await it.days_pass(4)
        assert sent(world, "question-1") == []
        shown = await it.shown()
    [line] = [line for line in shown.notifications if line.stage == "question-1"]
    assert (line.person, line.outcome, line.why) == (LEGAL, "failed", "unknown_person")
    assert any(entry.happened == "went_on" for entry in shown.timeline), "the clocks go on in the asker's days"


def state_of(given: SignatureInput) -> SignatureState:
    return SignatureState.begin(given.brief, datetime.fromisoformat("2026-11-02T08:00Z"))


@pytest.mark.parametrize(
    ("given", "says"),
    [
        (calm(), "no group asked for it, so there is nobody to take it on from"),
        (asked_by_legal(notify_all=True), "all of the group hear of it, whoever sees to it"),
        (asked_by_legal(), None),
    ],
)
def test_only_what_a_group_asked_for_is_taken_on(given: SignatureInput, says: str | None) -> None:
    assert english_of(refuse_take(state_of(given), Take(actor=DESK, person=DESK), given.subject)) == says


def test_it_cannot_be_taken_on_for_ever() -> None:
    given, now = asked_by_legal(), datetime.fromisoformat("2026-11-02T08:00Z")
    state = state_of(given)
    for number in range(TAKEN_AT_MOST):
        wish = Take(actor=DESK, person=(DESK, CHIEF)[number % 2])
        assert refuse_take(state, wish, given.subject) is None
        state = take(state, wish, now)
        assert english_of(refuse_take(state, wish, given.subject)) in (
            f"{wish.person} has taken it on already",
            "the request was taken on too often already",
        )
    assert english_of(refuse_take(state, Take(actor=DESK, person=DESK), given.subject)) == (
        "the request was taken on too often already"
    )
