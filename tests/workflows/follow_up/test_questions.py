"""A question is something that somebody must do by then: who is reminded, and when the clocks go on."""

from datetime import datetime, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest

from activities.people.person import Absence, Person
from activities.policies.catalogue import Catalogue
from activities.schedule.planner import PolicyPlanner
from tests.activities.book import Book, make_person
from tests.workflows.fakes import World
from tests.workflows.stage import NO_OFFER, Story, a_request, start_story
from workflows.model.commands import Answer, Delegation, PauseCommand, Question, Resumption
from workflows.model.notifications import NoticeAction, NotificationOutcome
from workflows.model.policy import Policy, QuestionPause, Reminders
from workflows.model.subject import Participant, Status
from workflows.model.views import AttentionCode, NextStep, RequestShow
from workflows.signature.state import SignatureInput
from workflows.signature.workflow import SignatureRequestWorkflow as Request

HOUR, DAY = timedelta(hours=1), timedelta(days=1)
HERE = ZoneInfo("Europe/Amsterdam")
SIGNER, DESK, CHIEF, CHAIR = "customer-signer", "legal-desk", "chief-executive", "chair"
ONE = Participant(person=SIGNER, order=1)
CATALOGUE = Catalogue.read(Path(__file__).parents[3] / "starter/policies.yaml")
CALM = Policy(
    tell_requester=NO_OFFER, hours="working", reminders=Reminders(first="5d", every="5d", most=4), escalation=None
)


def people(desk: Person | None = None, *further_people: Person) -> Book:
    phone = ({"token": "t", "platform": "ios"},)
    other_people = [make_person(id, devices=({"token": id, "platform": "ios"},)) for id in (SIGNER, CHIEF, CHAIR)]
    return Book(desk or make_person(DESK, manager=CHIEF, devices=phone), *other_people, *further_people)


def world_of(book: Book) -> World:
    world = World()
    world.planner = PolicyPlanner(book)  # type: ignore[assignment]
    return world


def urgent() -> SignatureInput:
    policy = CATALOGUE.resolve("emergency-procurement").policy
    request = a_request(ONE, handoff=()).replace(policy=policy)
    return request.replace(brief=request.brief.replace(kind="emergency-procurement", urgent=True))


def calm() -> SignatureInput:
    return a_request(ONE, handoff=()).replace(policy=CALM)


def monday(hour: int) -> datetime:
    soon = datetime.now(HERE) + 14 * DAY
    day = (soon + (7 - soon.weekday()) * DAY).date()
    return datetime(day.year, day.month, day.day, hour, tzinfo=HERE)


async def ask_question(story: Story) -> datetime:
    await story.days_pass(0.001)
    await story.handle.execute_update(Request.ask, Question(person=SIGNER, text="Which annex?"))
    await story.at_rest()
    question = (await story.read_view()).question
    assert question is not None
    return question.at


def accepted_since(view: RequestShow, asked_at: datetime) -> list[tuple[str, str, float]]:
    """What was accepted after the question: stage, person, hours."""
    accepted = [
        line for line in view.notifications if line.outcome is NotificationOutcome.ACCEPTED and line.at >= asked_at
    ]
    return [(line.stage, line.person, round((line.at - asked_at) / HOUR, 1)) for line in accepted]


@pytest.mark.long
async def test_an_urgent_request_goes_on_although_nobody_answers() -> None:
    world = world_of(people())
    async with start_story(world, urgent(), begins=monday(22), record="question-never-answered") as story:
        asked_at = await ask_question(story)
        question_view = await story.read_view()
        assert question_view.next is not None and question_view.next.at is not None
        assert (question_view.next.what, question_view.next.at - asked_at) == (NextStep.QUESTION, HOUR)
        assert question_view.next.to == "legal-desk"
        assert "question 1" in question_view.next.why
        assert question_view.says.startswith(f"Waiting for {SIGNER}; reminders are paused")
        await story.move_clock_to(asked_at + 3 * HOUR)
        goes_on = await story.read_view()
        assert (await story.handle.result()).outcome is Status.EXPIRED
        view = await story.read_view()
    assert [attention.code for attention in goes_on.attention] == [AttentionCode.QUESTION_OPEN]
    assert goes_on.next is not None and goes_on.next.what is not NextStep.WAIT
    assert "reminders are paused" not in goes_on.says
    question = [
        notice for notice in accepted_since(view, asked_at) if "question" in notice[0] or "unanswered" in notice[0]
    ]
    assert question == [("question-1", DESK, 0.0), ("unanswered-1", DESK, 1.0), ("unanswered-1.2", CHIEF, 2.0)]
    [escalation] = [line for line in view.notifications if line.stage == "escalation"]
    assert round((escalation.at - asked_at) / HOUR, 1) == 6.0
    [went_on] = [entry for entry in view.timeline if entry.what == "the clocks go on"]
    assert timedelta() <= went_on.at - asked_at - 2 * HOUR < timedelta(minutes=1)
    assert went_on.why == "question 1 was not answered within 2 hours"
    [expired] = [entry.at for entry in view.timeline if entry.what == "expired"]
    # The window of 12 hours has moved by the two hours for which the clocks stood, and not by more.
    assert timedelta() <= expired - view.timeline[1].at - 14 * HOUR < timedelta(minutes=2)


async def test_the_requester_is_reminded_in_their_hours_then_their_manager_and_the_days_are_theirs() -> None:
    world = world_of(people())
    async with start_story(world, calm(), begins=monday(16)) as story:
        await story.move_clock_to(monday(22))
        asked_at = await ask_question(story)
        await story.move_clock_to(asked_at + 4 * DAY)
        view = await story.read_view()
    clock = [f"{line.at.astimezone(HERE):%a %H} {line.stage} {line.person}" for line in view.notifications]
    assert clock[1:] == [
        f"Mon 22 question-1 {DESK}",
        f"Wed 09 unanswered-1 {DESK}",
        f"Thu 09 unanswered-1.2 {CHIEF}",
    ]
    [went_on] = [entry.at for entry in view.timeline if entry.what == "the clocks go on"]
    assert f"{went_on.astimezone(HERE):%a %H}" == "Thu 22"


async def test_after_the_answer_nobody_is_reminded_and_the_question_leaves_the_phones() -> None:
    world = world_of(people())
    async with start_story(world, calm(), begins=monday(16), record="question-answered-open") as story:
        asked_at = await ask_question(story)
        await story.move_clock_to(asked_at + 2 * DAY + HOUR)
        await story.handle.execute_update(Request.answer, Answer(actor=CHIEF, text="Annex B"))
        await story.days_pass(3)
        view = await story.read_view()
    assert view.attention == ()
    withdrawals = [
        (notice.stage, notice.person) for notice in world.push.sent if notice.action is NoticeAction.WITHDRAW
    ]
    assert withdrawals == [("withdrawal-question-1", DESK), ("withdrawal-question-1", CHIEF)]
    assert ("answer-1", SIGNER) in world.push.stages()


async def test_an_answer_in_time_leaves_a_line_for_each_reminder_that_was_not_needed() -> None:
    world = world_of(people())
    async with start_story(world, calm(), begins=monday(16)) as story:
        await ask_question(story)
        await story.handle.execute_update(Request.answer, Answer(actor=DESK, text="Annex B"))
        await story.days_pass(5)
        view = await story.read_view()
    left_out = {line.stage: line.why for line in view.notifications if line.outcome is NotificationOutcome.SUPPRESSED}
    assert left_out == {"unanswered-1": "answered", "unanswered-1.2": "answered"}
    assert [notice.stage for notice in world.push.sent if notice.person == DESK] == [
        "question-1",
        "withdrawal-question-1",
    ]


async def test_of_an_absent_requester_the_manager_hears_instead_of_the_reminder() -> None:
    absence = Absence.model_validate(
        {"from": monday(0).date().isoformat(), "until": (monday(0) + 6 * DAY).date().isoformat()}
    )
    desk = make_person(DESK, manager=CHIEF, absent=(absence,), devices=({"token": "t", "platform": "ios"},))
    world = world_of(people(desk))
    async with start_story(world, calm(), begins=monday(10)) as story:
        asked_at = await ask_question(story)
        await story.move_clock_to(asked_at + 2 * DAY)
        view = await story.read_view()
    assert ("unanswered-1.2", CHIEF) in [(stage, person) for stage, person, _ in accepted_since(view, asked_at)]
    assert "absent" in next(line.why or "" for line in view.notifications if line.stage == "unanswered-1.2")


async def test_while_it_is_paused_nobody_is_reminded_of_the_question() -> None:
    world = world_of(people())
    async with start_story(world, calm(), begins=monday(10)) as story:
        asked_at = await ask_question(story)
        await story.handle.execute_update(Request.pause, PauseCommand(actor="operator", reason="holidays"))
        await story.move_clock_to(asked_at + 10 * DAY)
        assert [
            stage for stage, person, _ in accepted_since(await story.read_view(), asked_at) if person != SIGNER
        ] == ["question-1"]
        await story.handle.execute_update(Request.resume, Resumption(actor="operator"))
        await story.days_pass(3)
        view = await story.read_view()
    assert {"unanswered-1", "unanswered-1.2"} <= {stage for stage, _, _ in accepted_since(view, asked_at)}
    assert not view.says.count("reminders are paused")


async def test_a_catalogue_may_let_the_clocks_stand_longer() -> None:
    world = world_of(people())
    request = calm().replace(policy=CALM.replace(question=QuestionPause(pause="1w")))
    async with start_story(world, request, begins=monday(10)) as story:
        asked_at = await ask_question(story)
        await story.move_clock_to(asked_at + 6 * DAY)
        assert "reminders are paused" in (await story.read_view()).says
        await story.move_clock_to(asked_at + 7 * DAY + HOUR)
        assert "reminders are paused" not in (await story.read_view()).says


async def test_who_was_told_of_an_unanswered_question_hears_of_the_end() -> None:
    world = world_of(people())
    async with start_story(world, urgent(), begins=monday(22)) as story:
        await ask_question(story)
        assert (await story.handle.result()).outcome is Status.EXPIRED
    notified_people = {call.target.person for batch in world.handoff.batches for call in batch.calls}
    assert {DESK, CHIEF, SIGNER} <= notified_people


async def test_a_question_that_is_open_goes_with_the_place_and_both_hear_the_answer() -> None:
    world = world_of(people(None, make_person("dora", devices=({"token": "d", "platform": "ios"},))))
    async with start_story(world, calm(), begins=monday(10), record="question-handed-over") as story:
        asked_at = await ask_question(story)
        await story.handle.execute_update(Request.delegate, Delegation(actor=SIGNER, signer=SIGNER, to="dora"))
        await story.move_clock_to(asked_at + DAY + HOUR)
        handed = await story.read_view()
        assert handed.question is not None
        assert (handed.question.person, handed.question.to) == (SIGNER, "dora")
        assert [waiting.person for waiting in handed.waiting_for] == ["dora"]
        assert "reminders are paused" in handed.says
        await story.handle.execute_update(Request.answer, Answer(actor=DESK, text="Annex B"))
        await story.days_pass(1)
        view = await story.read_view()
    assert [(question.answer, question.person) for question in view.answered] == [("Annex B", SIGNER)]
    assert ("unanswered-1", DESK) in [(stage, person) for stage, person, _ in accepted_since(view, asked_at)]
    heard = {(notice.person, notice.action) for notice in world.push.sent if notice.stage == "answer-1"}
    assert heard == {("dora", NoticeAction.SIGN), (SIGNER, NoticeAction.OPEN)}
