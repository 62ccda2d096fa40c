"""Outages in the middle of a life: of the push service for hours, of every worker for days, with the real planner."""

from collections.abc import AsyncIterator, Sequence
from datetime import datetime, timedelta
from functools import partial
from zoneinfo import ZoneInfo

import pytest
from temporalio.api.common.v1 import SearchAttributes
from temporalio.common import SearchAttributeKey
from temporalio.converter import decode_typed_search_attributes

from activities.schedule.planner import PolicyPlanner
from tests.activities.book import AMSTERDAM, Book, make_person
from tests.faults.town import eventually
from tests.workflows.fakes import FakePlanner, FakeSignatureService, World, refusal
from tests.workflows.stage import NO_OFFER, Story, a_request, start_story
from tests.workflows.task.test_tasks import ADA, a_task, start_task
from workflows.model.commands import Answer, Delegation, PauseCommand, Question, Resumption, TaskCompletion
from workflows.model.notifications import NotificationOutcome
from workflows.model.policy import Escalation, Policy, QuestionPause, Reminders
from workflows.model.receipts import OperationState
from workflows.model.schedule import StandIn, StandInReport
from workflows.model.signature import ForwardOrder, ForwardReport
from workflows.model.subject import Code, Participant, Status
from workflows.model.timeline import EventType
from workflows.model.views import RequestShow
from workflows.names import PROBLEM
from workflows.signature.state import SignatureInput
from workflows.signature.workflow import SignatureRequestWorkflow as Request
from workflows.task.workflow import TaskWorkflow

HERE = ZoneInfo(AMSTERDAM)
PEOPLE = Book(*(make_person(person) for person in ("legal-desk", "customer-signer", "chief-executive")))
POLICY = Policy(
    tell_requester=NO_OFFER,
    window="10d",
    hours="working",
    reminders=Reminders(first="2d", every="2d", most=3),
    warnings=("2d",),
    escalation=None,
)
ALERTED = POLICY.replace(
    reminders=None,
    warnings=(),
    escalation=Escalation(after="2d", or_=None, to=("alternates",), alternates=("chief-executive",)),
)
DAY = timedelta(days=1)


class LostPeople(FakePlanner):
    """Nobody can be looked up."""

    check_count: int = 0

    async def check(self, stand_in: StandIn) -> StandInReport:
        self.check_count += 1
        raise refusal(Code.DIRECTORY)


class NeverForwards(FakeSignatureService):
    """Whoever is to be asked instead cannot be looked up."""

    async def forward(self, order: ForwardOrder) -> ForwardReport:
        await super().forward(order)
        raise refusal(Code.DIRECTORY)


def monday(clock: int) -> datetime:
    """This hour in Amsterdam on the Monday after the next one."""
    today = datetime.now(HERE).replace(hour=clock, minute=0, second=0, microsecond=0)
    return today + timedelta(days=14 - today.weekday())


def a_world() -> World:
    """One whose planner is the real one."""
    world = World()
    world.planner = PolicyPlanner(PEOPLE)  # type: ignore[assignment]
    return world


def one_signer(policy: Policy = POLICY) -> SignatureInput:
    """A request that waits for one person."""
    return a_request(Participant(person="customer-signer", order=1)).replace(policy=policy)


def describe_notifications(view: RequestShow) -> list[str]:
    """`Thu 09h reminder-1 accepted`: what became of each notice so far, and when it was there."""
    became = [
        (line, line.why if line.outcome is NotificationOutcome.SUPPRESSED else line.outcome)
        for line in view.notifications
    ]
    return [f"{line.at.astimezone(HERE):%a %Hh} {line.stage} {outcome}" for line, outcome in became]


async def move_clock_to(story: Story, day: datetime, clock: int, minute: int = 0) -> None:
    """Move the clock to an instant in Amsterdam."""
    await story.move_clock_to(day.replace(hour=clock, minute=minute))


async def push_goes_away(story: Story, world: World, day: datetime, clock: int, minute: int = 0) -> None:
    """From an instant in Amsterdam on it answers nobody."""
    await move_clock_to(story, day, clock, minute)
    world.push.failures = [refusal(Code.UNREACHABLE) for _ in range(1_000)]


@pytest.mark.long
async def test_push_is_away_for_six_hours_of_a_day_and_the_reminder_comes_once_when_it_is_back() -> None:
    world, start = a_world(), monday(10)
    async with start_story(world, one_signer(), begins=start) as story:
        wednesday = start + 2 * DAY
        await push_goes_away(story, world, wednesday, 9, 30)
        await move_clock_to(story, wednesday, 15, 29)
        outage_view = await story.read_view()
        assert outage_view.problem is not None
        assert outage_view.problem.code is Code.UNREACHABLE
        assert describe_notifications(outage_view) == ["Mon 10h ready accepted"]
        world.push.failures = []
        await move_clock_to(story, wednesday, 15, 50)
        back = await story.read_view()
        called_at = [delivery.now for delivery in world.push.deliveries if delivery.document]
        assert len(set(called_at)) == len(called_at) > 20
        await story.days_pass(1)
    assert back.problem is None
    assert describe_notifications(back) == ["Mon 10h ready accepted", "Wed 15h reminder-1 accepted"]
    assert world.push.stages() == [("ready", "customer-signer"), ("reminder-1", "customer-signer")]


@pytest.mark.long
async def test_callbacks_in_an_outage_neither_hide_it_nor_have_it_begin_anew() -> None:
    world, start = a_world(), monday(10)
    async with start_story(world, one_signer(), begins=start) as story:
        wednesday = start + 2 * DAY
        await push_goes_away(story, world, wednesday, 9, 30)
        await move_clock_to(story, wednesday, 12)
        outage_problem = (await story.read_view()).problem
        assert outage_problem is not None
        for _ in range(5):
            await story.callback("viewed")
            await story.at_rest()
            view = await story.read_view()
            assert (view.problem, "Problem unreachable since" in view.says) == (outage_problem, True)
            await story.days_pass(0.002)
        world.push.failures = []
        await story.callback("viewed")
        await story.days_pass(0.02)
        back = await story.read_view()
        codes = [change async for change in changes_of(story, PROBLEM)]
    assert back.problem is None
    about_it = [entry.happened for entry in back.timeline if entry.happened in (EventType.PROBLEM, EventType.MENDED)]
    assert about_it == [EventType.PROBLEM, EventType.MENDED]
    assert codes == ["unreachable", None]


async def push_wants_to_be_left_alone(story: Story, start: datetime) -> datetime:
    """The day on which a reminder was due, twenty minutes into the fifty that the push service named."""
    wednesday = start + 2 * DAY
    await move_clock_to(story, wednesday, 9, 30)
    story.world.push.failures = [refusal(Code.UNREACHABLE, wait=timedelta(minutes=50))]
    await move_clock_to(story, wednesday, 10, 20)
    return wednesday


async def test_the_bound_of_a_phone_is_waited_for_without_a_problem() -> None:
    """Hundreds wanted the same phone in one minute: nothing is wrong with the requests that come later."""
    world, start = a_world(), monday(10)
    async with start_story(world, one_signer(), begins=start) as story:
        wednesday = start + 2 * DAY
        await move_clock_to(story, wednesday, 9, 30)
        world.push.failures = [refusal(Code.UNREACHABLE, wait=timedelta(minutes=12), bound=True) for _ in range(2)]
        await move_clock_to(story, wednesday, 10, 20)
        assert len(world.push.failures) == 1
        assert not await story.has_a_problem()
        await move_clock_to(story, wednesday, 10, 50)
        view = await story.read_view()
        codes = [change async for change in changes_of(story, PROBLEM)]
    assert describe_notifications(view) == ["Mon 10h ready accepted", "Wed 10h reminder-1 accepted"]
    assert codes == []
    assert not [entry for entry in view.timeline if entry.happened in (EventType.PROBLEM, EventType.MENDED)]


@pytest.mark.long
async def test_callbacks_do_not_have_a_push_service_asked_before_the_time_that_it_named() -> None:
    world, start = a_world(), monday(10)
    async with start_story(world, one_signer(), begins=start) as story:
        wednesday = await push_wants_to_be_left_alone(story, start)
        attempt_count = len(world.push.deliveries)
        assert (attempt_count, world.push.failures) == (2, [])
        for _ in range(5):
            await story.callback("viewed")
            await story.at_rest()
            await story.days_pass(0.001)
        assert (await story.has_a_problem(), len(world.push.deliveries)) == (True, attempt_count)
        await move_clock_to(story, wednesday, 11, 20)
        assert (await story.has_a_problem(), len(world.push.deliveries)) == (False, attempt_count + 1)
    assert world.push.stages() == [("ready", "customer-signer"), ("reminder-1", "customer-signer")]


async def test_what_was_broken_off_and_is_called_days_later_is_no_problem_before_it_fails() -> None:
    world, start = a_world(), monday(10)
    async with start_story(world, one_signer(), begins=start) as story:
        wednesday = await push_wants_to_be_left_alone(story, start)
        assert await story.has_a_problem()
        await story.send_command(PauseCommand(actor="legal-desk"))
        await story.days_pass(1)
        await story.send_command(Resumption(actor="legal-desk"))
        await story.days_pass(0.2)
        view = await story.read_view()
    problems = [entry.at for entry in view.timeline if entry.happened is EventType.PROBLEM]
    assert (view.problem, [began_at < wednesday + DAY / 2 for began_at in problems]) == (None, [True])


async def changes_of(story: Story, key: SearchAttributeKey[str]) -> AsyncIterator[str | None]:
    """What lists came to know of it, one after the other."""
    async for event in story.handle.fetch_history_events():
        fields = event.upsert_workflow_search_attributes_event_attributes.search_attributes.indexed_fields
        if key.name in fields:
            yield decode_typed_search_attributes(SearchAttributes(indexed_fields=fields)).get(key)


async def test_push_comes_back_at_night_and_the_reminder_waits_for_the_morning() -> None:
    world, start = a_world(), monday(16)
    async with start_story(world, one_signer(), begins=start) as story:
        wednesday = start + 2 * DAY
        await push_goes_away(story, world, wednesday, 14)
        await move_clock_to(story, wednesday, 17, 59)
        assert "Problem unreachable since" in (await story.read_view()).says
        await move_clock_to(story, wednesday, 20)
        world.push.failures = []
        await move_clock_to(story, wednesday + DAY, 8, 59)
        night = await story.read_view()
        assert describe_notifications(night) == ["Mon 16h ready accepted"]
        assert ("reminder-1 put off", "customer-signer") in [(entry.what, entry.who) for entry in night.timeline]
        await move_clock_to(story, wednesday + DAY, 9, 20)
        morning = await story.read_view()
    assert describe_notifications(morning) == ["Mon 16h ready accepted", "Thu 09h reminder-1 accepted"]
    assert morning.problem is None


async def test_push_comes_back_at_night_and_the_alternate_hears_of_the_silent_signer_in_the_morning() -> None:
    world, start = a_world(), monday(16)
    async with start_story(world, one_signer(ALERTED), begins=start) as story:
        wednesday = start + 2 * DAY
        await push_goes_away(story, world, wednesday, 14)
        await move_clock_to(story, wednesday, 20)
        world.push.failures = []
        await move_clock_to(story, wednesday + DAY, 8, 59)
        night = await story.read_view()
        assert (describe_notifications(night), night.escalations) == (["Mon 16h ready accepted"], ())
        await move_clock_to(story, wednesday + DAY, 9, 20)
        morning = await story.read_view()
    assert describe_notifications(morning)[1:] == ["Thu 09h escalation accepted", "Thu 09h escalated accepted"]
    assert [(escalation.from_, escalation.to) for escalation in morning.escalations] == [
        ("customer-signer", "chief-executive")
    ]


async def test_the_worker_is_away_for_five_days_and_comes_back_at_night() -> None:
    world, start = a_world(), monday(10)
    async with start_story(world, one_signer(), begins=start) as story:
        thursday = start + 3 * DAY
        await move_clock_to(story, thursday, 20)
        async with story.nobody_works(5):
            pass
        await move_clock_to(story, thursday + 6 * DAY, 8, 59)
        assert describe_notifications(await story.read_view()) == [
            "Mon 10h ready accepted",
            "Wed 10h reminder-1 accepted",
        ]
        await move_clock_to(story, thursday + 6 * DAY, 9, 1)
        view = await story.read_view()
        assert describe_notifications(view)[2:] == [
            "Wed 09h reminder-2 caught_up",
            "Wed 09h reminder-3 caught_up",
            "Wed 09h warning-2d accepted",
        ]
        assert world.push.stages()[2:] == [("warning-2d", "customer-signer")]
        assert (await story.handle.result()).outcome is Status.EXPIRED
    assert world.push.stages()[3:] == []


@pytest.mark.parametrize(
    ("callback", "reminders"),
    [("signer_signed", "signed"), (None, "caught_up")],
    ids=["and-the-callback-waits", "and-no-callback-came"],
)
async def test_whoever_signs_while_the_worker_is_away_is_not_nudged_by_its_return(
    callback: str | None, reminders: str
) -> None:
    world, start = a_world(), monday(10)
    async with start_story(world, a_request().replace(policy=POLICY), begins=start) as story:
        thursday = start + 3 * DAY
        await move_clock_to(story, thursday, 20)
        async with story.nobody_works(5, callback):
            world.signatures.sign("customer-signer")
        await move_clock_to(story, thursday + 6 * DAY, 9, 30)
        view = await story.read_view()
    assert [waiting.person for waiting in view.waiting_for] == ["chief-executive"]
    assert world.push.stages()[2:] == [("ready", "chief-executive"), ("withdrawal", "customer-signer")]
    lines = {line.stage: line.why for line in view.notifications if line.outcome is NotificationOutcome.SUPPRESSED}
    assert lines == {"reminder-2": reminders, "reminder-3": reminders, "warning-2d": "signed"}


async def test_a_question_that_is_answered_after_the_due_date_leaves_a_day_after_the_last_warning() -> None:
    world, start = a_world(), monday(10)
    due = start + 9 * DAY
    policy = POLICY.replace(question=QuestionPause(pause="2w"))
    async with start_story(world, one_signer(policy).replace(due=due), begins=start) as story:
        await move_clock_to(story, start + DAY, 10)
        await story.send_command(Question(person="customer-signer", text="Which annex?"))
        await move_clock_to(story, due + DAY, 11)
        await story.send_command(Answer(actor="legal-desk", text="Annex B."))
        settled = await story.handle.result()
        view = await story.read_view()
    accepted = [line for line in describe_notifications(view) if line.endswith("accepted") and "unanswered" not in line]
    assert accepted[2:] == [
        "Thu 11h answer-1 accepted",
        "Thu 11h warning-2d accepted",
    ]
    assert settled.outcome is Status.EXPIRED
    # A whole day is left after the last warning, which came with the answer.
    assert round((settled.at - (due + DAY)) / timedelta(hours=1), 1) == 25.0


async def test_of_the_warnings_that_a_pause_kept_back_the_last_one_comes_and_the_others_say_why() -> None:
    world, start = a_world(), monday(10)
    request = one_signer(POLICY.replace(warnings=("2d", "1d"))).replace(due=start + 9 * DAY)
    async with start_story(world, request, begins=start) as story:
        await move_clock_to(story, start + DAY, 10)
        await story.send_command(PauseCommand(actor="legal-desk"))
        await move_clock_to(story, start + 9 * DAY, 9, 15)
        await story.send_command(Resumption(actor="legal-desk"))
        await story.days_pass(0.02)
        view = await story.read_view()
    assert describe_notifications(view)[1:] == ["Wed 09h warning-2d paused", "Wed 09h warning-1d accepted"]


async def test_a_push_service_that_asks_for_years_is_asked_again_within_hours() -> None:
    world = World()
    world.push.open_once, world.push.asks_to_wait = ["0123456789ab"], 999_999_999_999
    async with start_story(world) as story:
        await story.days_pass(0.1)
    assert [delivery.devices for delivery in world.push.deliveries] == [None, ("0123456789ab",)]


async def test_an_alternate_without_a_phone_is_tried_once_and_whoever_is_next_hears_of_it_instead() -> None:
    world = a_world()
    world.push.without_phone = ["chief-executive"]
    async with start_story(world, one_signer(ALERTED), begins=monday(10)) as story:
        settled = await story.handle.result()
        view = await story.read_view()
    assert settled.outcome is Status.EXPIRED
    alerts = [(line.person, line.outcome) for line in view.notifications if line.stage == "escalation"]
    assert alerts == [("chief-executive", NotificationOutcome.SUPPRESSED), ("legal-desk", NotificationOutcome.ACCEPTED)]
    assert [(escalation.from_, escalation.to) for escalation in view.escalations] == [("customer-signer", "legal-desk")]
    assert [line.stage for line in view.notifications].count("escalated") == 1


@pytest.mark.long
async def test_the_turn_that_comes_while_core_signature_is_away_begins_when_it_is_back() -> None:
    world, start = a_world(), monday(10)
    async with start_story(world, a_request().replace(policy=POLICY), begins=start) as story:
        await move_clock_to(story, start + DAY, 10)
        world.signatures.sign("customer-signer")
        world.signatures.failures = [refusal(Code.UNREACHABLE, wait=timedelta(hours=1)) for _ in range(1_000)]
        await story.callback()
        await move_clock_to(story, start + 2 * DAY, 9, 30)
        world.signatures.failures = []
        await move_clock_to(story, start + 2 * DAY, 10, 30)
        [waiting] = (await story.read_view()).waiting_for
        planned = await story.handle.query(Request.planning)
    assert waiting.person == "chief-executive"
    assert [turn.since >= start + 2 * DAY - timedelta(minutes=30) for turn in planned.turns] == [True]


@pytest.mark.long
async def test_core_signature_is_away_for_a_day_and_what_was_due_is_done_once_it_is_back() -> None:
    """B16: no reminder without having read the document; it is asked every quarter of an hour, no more."""
    world, start = a_world(), monday(10)
    async with start_story(world, one_signer(), begins=start) as story:
        wednesday = start + 2 * DAY
        await push_goes_away(story, world, wednesday, 8, 30)
        await move_clock_to(story, wednesday + DAY, 10, 30)
        outage_view, failures_left = await story.read_view(), len(world.push.failures)
        world.push.failures = []
        await move_clock_to(story, wednesday + DAY, 10, 55)
        back = await story.read_view()
    assert outage_view.problem and outage_view.problem.code is Code.UNREACHABLE
    assert describe_notifications(outage_view) == ["Mon 10h ready accepted"]
    assert 1_000 - failures_left <= 24 * 4 * 3 + 10, "two more attempts a probe"
    assert back.problem is None
    assert describe_notifications(back) == ["Mon 10h ready accepted", "Thu 10h reminder-1 accepted"]


@pytest.mark.long
async def test_core_signature_is_away_for_a_day_when_a_request_is_to_be_made_and_it_is_made_once() -> None:
    """B16."""
    world, start = a_world(), monday(10)
    world.signatures.failures = [refusal(Code.UNREACHABLE) for _ in range(1_000)]
    async with start_story(world, one_signer(), begins=start) as story:
        await move_clock_to(story, start + DAY, 10)
        outage_view = await story.read_view()
        world.signatures.failures = []
        await move_clock_to(story, start + DAY, 10, 30)
        back = await story.read_view()
    assert outage_view.problem and outage_view.problem.code is Code.UNREACHABLE
    assert (back.problem, back.status) == (None, Status.SENT)
    assert describe_notifications(back) == ["Tue 10h ready accepted"]
    assert 1 < len(world.signatures.created) <= 24 * 4 * 3 + 10


@pytest.mark.long
async def test_core_signature_is_away_until_a_request_is_over_that_was_to_be_made_and_nobody_is_asked() -> None:
    """B16: no mail that is withdrawn at once; the first answer is that of the look whether it has anything of it."""
    world, start = a_world(), monday(10)
    world.signatures.failures = [refusal(Code.UNREACHABLE) for _ in range(1_000)]
    async with start_story(world, one_signer().replace(due=start + timedelta(hours=7)), begins=start) as story:
        await move_clock_to(story, start, 16, 30)
        outage_view = await story.read_view()
        await move_clock_to(story, start + DAY, 9)
        made_by_then = len(world.signatures.created)
        world.signatures.failures = []
        await move_clock_to(story, start + DAY, 10)
        back = await story.read_view()
    assert outage_view.problem and outage_view.problem.code is Code.UNREACHABLE
    assert outage_view.due_at == start + timedelta(hours=7)
    assert back.status is Status.EXPIRED
    assert describe_notifications(back) == []
    [expiry_entry] = [entry for entry in back.timeline if entry.happened == EventType.EXPIRED]
    assert expiry_entry.why == "the due date has passed; it was never made at Core Signature"
    assert len(world.signatures.created) == made_by_then


async def test_a_request_that_was_paused_until_it_is_over_before_it_was_made_is_not_made() -> None:
    world, start = a_world(), monday(10)
    world.signatures.failures = [refusal(Code.UNREACHABLE) for _ in range(1_000)]
    async with start_story(world, one_signer().replace(due=start + timedelta(hours=7)), begins=start) as story:
        await story.send_command(PauseCommand(actor="legal-desk", reason="The annex is missing."))
        await move_clock_to(story, start, 11)
        world.signatures.failures = []
        await move_clock_to(story, start + DAY, 10)
        made_by_then = len(world.signatures.created)
        await story.send_command(Resumption(actor="legal-desk"))
        await move_clock_to(story, start + DAY, 10, 30)
        resumed = await story.read_view()
    assert resumed.status is Status.EXPIRED
    assert (describe_notifications(resumed), len(world.signatures.created)) == ([], made_by_then)


async def test_what_ends_while_a_hand_over_cannot_be_looked_up_has_ended() -> None:
    planner = LostPeople()
    world = World(planner=planner)
    async with start_task(world, a_task(ADA)) as task:
        hand_over = Delegation(actor=ADA, signer=ADA, to="carl")
        await task.handle.execute_update(TaskWorkflow.delegate, hand_over, id="over")
        await eventually(task.has_a_problem)
        await task.send_command(TaskCompletion(actor=ADA))
        await task.handle.result()
        view = await task.read_task()
        assert (view.problem, [person.state for person in view.people]) == (None, ["done"])
        receipt = await task.handle.query(TaskWorkflow.operation, "over")
        assert receipt and (receipt.state, receipt.detail) == (OperationState.REFUSED, "too late: the task is done")
    assert (planner.check_count, len(world.handoff.batches)) == (1, 1)


async def test_what_is_signed_while_a_hand_over_is_tried_again_is_read_at_once() -> None:
    world = World(NeverForwards())
    async with start_story(world) as story:
        await story.days_pass(0.1)
        hand_over = Delegation(actor="legal-desk", signer="customer-signer", to="customer-deputy")
        await story.handle.execute_update(Request.delegate, hand_over)
        await eventually(story.has_a_problem)
        await story.days_pass(1 / 24 / 60)
        present_at = [order.present_at for order in world.signatures.forwarded]
        world.signatures.status = Status.SIGNED
        await story.callback()
        await story.handle.result()
    assert len(world.signatures.forwarded) == len(present_at)
    assert len({instant for instant in present_at if instant}) == len(present_at) == 2, (
        "who is away is seen by the day of each attempt"
    )


async def test_callbacks_while_a_hand_over_is_tried_again_bring_no_attempt_forward() -> None:
    world = World(NeverForwards())
    attempts, read = world.signatures.forwarded, world.signatures.observations
    async with start_story(world) as story:
        await story.days_pass(0.1)
        hand_over = Delegation(actor="legal-desk", signer="customer-signer", to="customer-deputy")
        await story.handle.execute_update(Request.delegate, hand_over)
        await eventually(story.has_a_problem)
        for _ in range(5):
            count_before = len(read)
            await story.callback()
            await eventually(partial(_longer_than, count_before, read))
            await eventually(story.has_a_problem)
        assert len(attempts) == 1, "attempts come when they are due"
        await story.days_pass(1 / 24 / 60)
        await story.callback()
        await story.days_pass(15 / 86_400)
        assert len(attempts) == 2, "the second pause is longer than the first"
        await story.days_pass(1 / 24 / 60)
        assert len(attempts) == 3
        world.signatures.status = Status.SIGNED
        await story.callback()
        await story.handle.result()


async def _longer_than(count_before: int, read: Sequence[object]) -> bool:
    return len(read) > count_before
