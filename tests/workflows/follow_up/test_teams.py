"""A group that asks: who of it hears of questions and news, and who takes it on."""

from datetime import datetime, timedelta

import pytest

from activities.schedule.planner import PolicyPlanner
from tests.activities.book import Book, make_person
from tests.messages import english_of
from tests.workflows.fakes import World
from tests.workflows.follow_up.test_questions import calm, monday
from tests.workflows.stage import start_story
from workflows.follow_up.commands import TAKEN_AT_MOST, refuse_take, take
from workflows.model.commands import Answer, Question, Take
from workflows.model.notifications import NoticeAction
from workflows.signature.state import SignatureInput, SignatureState
from workflows.signature.workflow import SignatureRequestWorkflow as Request

SIGNER, DESK, CHIEF = "customer-signer", "legal-desk", "chief-executive"
LEGAL = "group:legal"
DAY = timedelta(days=1)


def make_legal_team(*members: str) -> Book:
    """The signer, and two of whom these are in the group."""
    people = (make_person(person_id, groups=("legal",) if person_id in members else ()) for person_id in (DESK, CHIEF))
    return Book(make_person(SIGNER), *people)


def world_of(book: Book) -> World:
    world = World()
    world.planner = PolicyPlanner(book)  # type: ignore[assignment]
    world.push.directory = book
    return world


def make_team_request(*, notify_all: bool = False) -> SignatureInput:
    request = calm()
    return request.replace(brief=request.brief.replace(requester=LEGAL, notify_all=notify_all))


def sent_notices(world: World, stage: str) -> list[tuple[str, NoticeAction]]:
    return [(notice.person, notice.action) for notice in world.push.sent if notice.stage.startswith(stage)]


async def test_whoever_takes_it_on_hears_alone_until_they_leave_the_group() -> None:
    book = make_legal_team(DESK, CHIEF)
    world = world_of(book)
    async with start_story(world, make_team_request(), begins=monday(9), record="team-takes-it-on") as story:
        await story.days_pass(0.001)
        await story.handle.execute_update(Request.ask, Question(person=SIGNER, text="Which annex?"))
        await story.at_rest()
        assert sent_notices(world, "question-1") == [(DESK, NoticeAction.OPEN), (CHIEF, NoticeAction.OPEN)]
        asked_view = await story.read_view()
        await story.handle.execute_update(Request.take, Take(actor=CHIEF, person=CHIEF))
        await story.at_rest()
        assert sent_notices(world, "withdrawal-taken-1") == [(DESK, NoticeAction.WITHDRAW)]
        taken_view = await story.read_view()
        await story.days_pass(1)
        assert sent_notices(world, "unanswered-1") == [(CHIEF, NoticeAction.OPEN)]
        book.now(make_person(CHIEF))
        await story.days_pass(1)
        assert sent_notices(world, "unanswered-1.2") == [(DESK, NoticeAction.OPEN)]
        await story.handle.execute_update(Request.answer, Answer(actor=DESK, text="Annex B"))
        await story.at_rest()
        withdrawn_from = {person for person, _ in sent_notices(world, "withdrawal-question-1")}
        world.signatures.sign(SIGNER)
        await story.days_pass(1)
        view = await story.read_view()
    assert (asked_view.requester, asked_view.answers, taken_view.taken_by, taken_view.answers) == (
        LEGAL,
        LEGAL,
        CHIEF,
        CHIEF,
    )
    assert withdrawn_from == {DESK, CHIEF}, "of whoever has left as well"
    assert [entry.who for entry in view.timeline if entry.happened == "taken"] == [CHIEF]
    lines = [line.person for line in view.notifications if line.stage == "question-1"]
    assert sorted(lines) == sorted([LEGAL, DESK, CHIEF])


@pytest.mark.long
async def test_a_group_that_became_empty_holds_nothing_up() -> None:
    book = make_legal_team(DESK)
    world = world_of(book)
    async with start_story(world, make_team_request(), begins=monday(9)) as story:
        await story.days_pass(0.001)
        book.now(make_person(DESK))
        await story.handle.execute_update(Request.ask, Question(person=SIGNER, text="Which annex?"))
        await story.days_pass(4)
        assert sent_notices(world, "question-1") == []
        view = await story.read_view()
    [line] = [line for line in view.notifications if line.stage == "question-1"]
    assert (line.person, line.outcome, line.why) == (LEGAL, "failed", "unknown_person")
    assert any(entry.happened == "went_on" for entry in view.timeline), "the clocks go on in the asker's days"


def state_of(request: SignatureInput) -> SignatureState:
    return SignatureState.begin(request.brief, datetime.fromisoformat("2026-11-02T08:00Z"))


@pytest.mark.parametrize(
    ("signature_input", "message"),
    [
        (calm(), "no group asked for it, so there is nobody to take it on from"),
        (make_team_request(notify_all=True), "all of the group hear of it, whoever sees to it"),
        (make_team_request(), None),
    ],
)
def test_only_what_a_group_asked_for_is_taken_on(signature_input: SignatureInput, message: str | None) -> None:
    assert (
        english_of(refuse_take(state_of(signature_input), Take(actor=DESK, person=DESK), signature_input.subject))
        == message
    )


def test_it_cannot_be_taken_on_for_ever() -> None:
    request, now = make_team_request(), datetime.fromisoformat("2026-11-02T08:00Z")
    state = state_of(request)
    for number in range(TAKEN_AT_MOST):
        command = Take(actor=DESK, person=(DESK, CHIEF)[number % 2])
        assert refuse_take(state, command, request.subject) is None
        state = take(state, command, now)
        assert english_of(refuse_take(state, command, request.subject)) in (
            f"{command.person} has taken it on already",
            "the request was taken on too often already",
        )
    assert english_of(refuse_take(state, Take(actor=DESK, person=DESK), request.subject)) == (
        "the request was taken on too often already"
    )
