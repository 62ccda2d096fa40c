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
from tests.activities.book import AMSTERDAM, Book, somebody
from tests.faults.town import eventually
from tests.workflows.fakes import FakePlanner, FakeSignatureService, World, refusal
from tests.workflows.stage import NO_OFFER, Story, a_request, story
from tests.workflows.task.test_tasks import ADA, a_task, task
from workflows.model.commands import Answer, Delegation, Done, PauseCommand, Question, Resumption
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
PEOPLE = Book(*(somebody(person) for person in ("legal-desk", "customer-signer", "chief-executive")))
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

    asked: int = 0

    async def check(self, stand_in: StandIn) -> StandInReport:
        self.asked += 1
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


def told(shown: RequestShow) -> list[str]:
    """`Thu 09h reminder-1 accepted`: what became of each notice so far, and when it was there."""
    became = [
        (line, line.why if line.outcome is NotificationOutcome.SUPPRESSED else line.outcome)
        for line in shown.notifications
    ]
    return [f"{line.at.astimezone(HERE):%a %Hh} {line.stage} {what}" for line, what in became]


async def until(it: Story, day: datetime, clock: int, minute: int = 0) -> None:
    """Move the clock to an instant in Amsterdam."""
    await it.until(day.replace(hour=clock, minute=minute))


async def push_goes_away(it: Story, world: World, day: datetime, clock: int, minute: int = 0) -> None:
    """From an instant in Amsterdam on it answers nobody."""
    await until(it, day, clock, minute)
    world.push.failures = [refusal(Code.UNREACHABLE) for _ in range(1_000)]


async def test_push_is_away_for_six_hours_of_a_day_and_the_reminder_comes_once_when_it_is_back() -> None:
    world, start = a_world(), monday(10)
    async with story(world, one_signer(), begins=start) as it:
        wednesday = start + 2 * DAY
        await push_goes_away(it, world, wednesday, 9, 30)
        await until(it, wednesday, 15, 29)
        away = await it.shown()
        assert away.problem is not None
        assert away.problem.code is Code.UNREACHABLE
        assert told(away) == ["Mon 10h ready accepted"]
        world.push.failures = []
        await until(it, wednesday, 15, 50)
        back = await it.shown()
        asked = [one.now for one in world.push.deliveries if one.document]
        assert len(set(asked)) == len(asked) > 20
        await it.days_pass(1)
    assert back.problem is None
    assert told(back) == ["Mon 10h ready accepted", "Wed 15h reminder-1 accepted"]
    assert world.push.stages() == [("ready", "customer-signer"), ("reminder-1", "customer-signer")]


async def test_callbacks_in_an_outage_neither_hide_it_nor_have_it_begin_anew() -> None:
    world, start = a_world(), monday(10)
    async with story(world, one_signer(), begins=start) as it:
        wednesday = start + 2 * DAY
        await push_goes_away(it, world, wednesday, 9, 30)
        await until(it, wednesday, 12)
        away = (await it.shown()).problem
        assert away is not None
        for _ in range(5):
            await it.callback("viewed")
            await it.at_rest()
            shown = await it.shown()
            assert (shown.problem, "Problem unreachable since" in shown.says) == (away, True)
            await it.days_pass(0.002)
        world.push.failures = []
        await it.callback("viewed")
        await it.days_pass(0.02)
        back = await it.shown()
        codes = [change async for change in changes_of(it, PROBLEM)]
    assert back.problem is None
    about_it = [one.happened for one in back.timeline if one.happened in (EventType.PROBLEM, EventType.MENDED)]
    assert about_it == [EventType.PROBLEM, EventType.MENDED]
    assert codes == ["unreachable", None]


async def push_wants_to_be_left_alone(it: Story, start: datetime) -> datetime:
    """The day on which a reminder was due, twenty minutes into the fifty that the push service named."""
    wednesday = start + 2 * DAY
    await until(it, wednesday, 9, 30)
    it.world.push.failures = [refusal(Code.UNREACHABLE, wait=timedelta(minutes=50))]
    await until(it, wednesday, 10, 20)
    return wednesday


async def test_the_bound_of_a_phone_is_waited_for_without_a_problem() -> None:
    """Hundreds wanted the same phone in one minute: nothing is wrong with the requests that come later."""
    world, start = a_world(), monday(10)
    async with story(world, one_signer(), begins=start) as it:
        wednesday = start + 2 * DAY
        await until(it, wednesday, 9, 30)
        world.push.failures = [refusal(Code.UNREACHABLE, wait=timedelta(minutes=12), bound=True) for _ in range(2)]
        await until(it, wednesday, 10, 20)
        assert len(world.push.failures) == 1
        assert not await it.has_a_problem()
        await until(it, wednesday, 10, 50)
        shown = await it.shown()
        codes = [change async for change in changes_of(it, PROBLEM)]
    assert told(shown) == ["Mon 10h ready accepted", "Wed 10h reminder-1 accepted"]
    assert codes == []
    assert not [one for one in shown.timeline if one.happened in (EventType.PROBLEM, EventType.MENDED)]


async def test_callbacks_do_not_have_a_push_service_asked_before_the_time_that_it_named() -> None:
    world, start = a_world(), monday(10)
    async with story(world, one_signer(), begins=start) as it:
        wednesday = await push_wants_to_be_left_alone(it, start)
        tried = len(world.push.deliveries)
        assert (tried, world.push.failures) == (2, [])
        for _ in range(5):
            await it.callback("viewed")
            await it.at_rest()
            await it.days_pass(0.001)
        assert (await it.has_a_problem(), len(world.push.deliveries)) == (True, tried)
        await until(it, wednesday, 11, 20)
        assert (await it.has_a_problem(), len(world.push.deliveries)) == (False, tried + 1)
    assert world.push.stages() == [("ready", "customer-signer"), ("reminder-1", "customer-signer")]


async def test_what_was_broken_off_and_is_called_days_later_is_no_problem_before_it_fails() -> None:
    world, start = a_world(), monday(10)
    async with story(world, one_signer(), begins=start) as it:
        wednesday = await push_wants_to_be_left_alone(it, start)
        assert await it.has_a_problem()
        await it.wish(PauseCommand(actor="legal-desk"))
        await it.days_pass(1)
        await it.wish(Resumption(actor="legal-desk"))
        await it.days_pass(0.2)
        shown = await it.shown()
    problems = [one.at for one in shown.timeline if one.happened is EventType.PROBLEM]
    assert (shown.problem, [at < wednesday + DAY / 2 for at in problems]) == (None, [True])


async def changes_of(it: Story, key: SearchAttributeKey[str]) -> AsyncIterator[str | None]:
    """What lists came to know of it, one after the other."""
    async for event in it.handle.fetch_history_events():
        fields = event.upsert_workflow_search_attributes_event_attributes.search_attributes.indexed_fields
        if key.name in fields:
            yield decode_typed_search_attributes(SearchAttributes(indexed_fields=fields)).get(key)


async def test_push_comes_back_at_night_and_the_reminder_waits_for_the_morning() -> None:
    world, start = a_world(), monday(16)
    async with story(world, one_signer(), begins=start) as it:
        wednesday = start + 2 * DAY
        await push_goes_away(it, world, wednesday, 14)
        await until(it, wednesday, 17, 59)
        assert "Problem unreachable since" in (await it.shown()).says
        await until(it, wednesday, 20)
        world.push.failures = []
        await until(it, wednesday + DAY, 8, 59)
        night = await it.shown()
        assert told(night) == ["Mon 16h ready accepted"]
        assert ("reminder-1 put off", "customer-signer") in [(one.what, one.who) for one in night.timeline]
        await until(it, wednesday + DAY, 9, 20)
        morning = await it.shown()
    assert told(morning) == ["Mon 16h ready accepted", "Thu 09h reminder-1 accepted"]
    assert morning.problem is None


async def test_push_comes_back_at_night_and_the_alternate_hears_of_the_silent_signer_in_the_morning() -> None:
    world, start = a_world(), monday(16)
    async with story(world, one_signer(ALERTED), begins=start) as it:
        wednesday = start + 2 * DAY
        await push_goes_away(it, world, wednesday, 14)
        await until(it, wednesday, 20)
        world.push.failures = []
        await until(it, wednesday + DAY, 8, 59)
        night = await it.shown()
        assert (told(night), night.escalations) == (["Mon 16h ready accepted"], ())
        await until(it, wednesday + DAY, 9, 20)
        morning = await it.shown()
    assert told(morning)[1:] == ["Thu 09h escalation accepted", "Thu 09h escalated accepted"]
    assert [(one.from_, one.to) for one in morning.escalations] == [("customer-signer", "chief-executive")]


async def test_the_worker_is_away_for_five_days_and_comes_back_at_night() -> None:
    world, start = a_world(), monday(10)
    async with story(world, one_signer(), begins=start) as it:
        thursday = start + 3 * DAY
        await until(it, thursday, 20)
        async with it.nobody_works(5):
            pass
        await until(it, thursday + 6 * DAY, 8, 59)
        assert told(await it.shown()) == ["Mon 10h ready accepted", "Wed 10h reminder-1 accepted"]
        await until(it, thursday + 6 * DAY, 9, 1)
        shown = await it.shown()
        assert told(shown)[2:] == [
            "Wed 09h reminder-2 caught_up",
            "Wed 09h reminder-3 caught_up",
            "Wed 09h warning-2d accepted",
        ]
        assert world.push.stages()[2:] == [("warning-2d", "customer-signer")]
        assert (await it.handle.result()).outcome is Status.EXPIRED
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
    async with story(world, a_request().replace(policy=POLICY), begins=start) as it:
        thursday = start + 3 * DAY
        await until(it, thursday, 20)
        async with it.nobody_works(5, callback):
            world.signatures.sign("customer-signer")
        await until(it, thursday + 6 * DAY, 9, 30)
        shown = await it.shown()
    assert [one.person for one in shown.waiting_for] == ["chief-executive"]
    assert world.push.stages()[2:] == [("ready", "chief-executive"), ("withdrawal", "customer-signer")]
    lines = {line.stage: line.why for line in shown.notifications if line.outcome is NotificationOutcome.SUPPRESSED}
    assert lines == {"reminder-2": reminders, "reminder-3": reminders, "warning-2d": "signed"}


async def test_a_question_that_is_answered_after_the_due_date_leaves_a_day_after_the_last_warning() -> None:
    world, start = a_world(), monday(10)
    due = start + 9 * DAY
    policy = POLICY.replace(question=QuestionPause(pause="2w"))
    async with story(world, one_signer(policy).replace(due=due), begins=start) as it:
        await until(it, start + DAY, 10)
        await it.wish(Question(person="customer-signer", text="Which annex?"))
        await until(it, due + DAY, 11)
        await it.wish(Answer(actor="legal-desk", text="Annex B."))
        settled = await it.handle.result()
        shown = await it.shown()
    accepted = [line for line in told(shown) if line.endswith("accepted") and "unanswered" not in line]
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
    async with story(world, request, begins=start) as it:
        await until(it, start + DAY, 10)
        await it.wish(PauseCommand(actor="legal-desk"))
        await until(it, start + 9 * DAY, 9, 15)
        await it.wish(Resumption(actor="legal-desk"))
        await it.days_pass(0.02)
        shown = await it.shown()
    assert told(shown)[1:] == ["Wed 09h warning-2d paused", "Wed 09h warning-1d accepted"]


async def test_a_push_service_that_asks_for_years_is_asked_again_within_hours() -> None:
    world = World()
    world.push.open_once, world.push.asks_to_wait = ["0123456789ab"], 999_999_999_999
    async with story(world) as it:
        await it.days_pass(0.1)
    assert [delivery.devices for delivery in world.push.deliveries] == [None, ("0123456789ab",)]


async def test_an_alternate_without_a_phone_is_tried_once_and_whoever_is_next_hears_of_it_instead() -> None:
    world = a_world()
    world.push.without_phone = ["chief-executive"]
    async with story(world, one_signer(ALERTED), begins=monday(10)) as it:
        settled = await it.handle.result()
        shown = await it.shown()
    assert settled.outcome is Status.EXPIRED
    alerts = [(line.person, line.outcome) for line in shown.notifications if line.stage == "escalation"]
    assert alerts == [("chief-executive", NotificationOutcome.SUPPRESSED), ("legal-desk", NotificationOutcome.ACCEPTED)]
    assert [(one.from_, one.to) for one in shown.escalations] == [("customer-signer", "legal-desk")]
    assert [one.stage for one in shown.notifications].count("escalated") == 1


async def test_the_turn_that_comes_while_core_signature_is_away_begins_when_it_is_back() -> None:
    world, start = a_world(), monday(10)
    async with story(world, a_request().replace(policy=POLICY), begins=start) as it:
        await until(it, start + DAY, 10)
        world.signatures.sign("customer-signer")
        world.signatures.failures = [refusal(Code.UNREACHABLE, wait=timedelta(hours=1)) for _ in range(1_000)]
        await it.callback()
        await until(it, start + 2 * DAY, 9, 30)
        world.signatures.failures = []
        await until(it, start + 2 * DAY, 10, 30)
        [waiting] = (await it.shown()).waiting_for
        planned = await it.handle.query(Request.planning)
    assert waiting.person == "chief-executive"
    assert [turn.since >= start + 2 * DAY - timedelta(minutes=30) for turn in planned.turns] == [True]


async def test_core_signature_is_away_for_a_day_and_what_was_due_is_done_once_it_is_back() -> None:
    """B16: no reminder without having read the document; it is asked every quarter of an hour, no more."""
    world, start = a_world(), monday(10)
    async with story(world, one_signer(), begins=start) as it:
        wednesday = start + 2 * DAY
        await push_goes_away(it, world, wednesday, 8, 30)
        await until(it, wednesday + DAY, 10, 30)
        away, left = await it.shown(), len(world.push.failures)
        world.push.failures = []
        await until(it, wednesday + DAY, 10, 55)
        back = await it.shown()
    assert away.problem and away.problem.code is Code.UNREACHABLE
    assert told(away) == ["Mon 10h ready accepted"]
    assert 1_000 - left <= 24 * 4 * 3 + 10, "two more attempts a probe"
    assert back.problem is None
    assert told(back) == ["Mon 10h ready accepted", "Thu 10h reminder-1 accepted"]


async def test_core_signature_is_away_for_a_day_when_a_request_is_to_be_made_and_it_is_made_once() -> None:
    """B16."""
    world, start = a_world(), monday(10)
    world.signatures.failures = [refusal(Code.UNREACHABLE) for _ in range(1_000)]
    async with story(world, one_signer(), begins=start) as it:
        await until(it, start + DAY, 10)
        away = await it.shown()
        world.signatures.failures = []
        await until(it, start + DAY, 10, 30)
        back = await it.shown()
    assert away.problem and away.problem.code is Code.UNREACHABLE
    assert (back.problem, back.status) == (None, Status.SENT)
    assert told(back) == ["Tue 10h ready accepted"]
    assert 1 < len(world.signatures.created) <= 24 * 4 * 3 + 10


async def test_core_signature_is_away_until_a_request_is_over_that_was_to_be_made_and_nobody_is_asked() -> None:
    """B16: no mail that is withdrawn at once; the first answer is that of the look whether it has anything of it."""
    world, start = a_world(), monday(10)
    world.signatures.failures = [refusal(Code.UNREACHABLE) for _ in range(1_000)]
    async with story(world, one_signer().replace(due=start + timedelta(hours=7)), begins=start) as it:
        await until(it, start, 16, 30)
        away = await it.shown()
        await until(it, start + DAY, 9)
        made_by_then = len(world.signatures.created)
        world.signatures.failures = []
        await until(it, start + DAY, 10)
        back = await it.shown()
    assert away.problem and away.problem.code is Code.UNREACHABLE
    assert away.due_at == start + timedelta(hours=7)
    assert back.status is Status.EXPIRED
    assert told(back) == []
    [ended] = [entry for entry in back.timeline if entry.happened == EventType.EXPIRED]
    assert ended.why == "the due date has passed; it was never made at Core Signature"
    assert len(world.signatures.created) == made_by_then


async def test_a_request_that_was_paused_until_it_is_over_before_it_was_made_is_not_made() -> None:
    world, start = a_world(), monday(10)
    world.signatures.failures = [refusal(Code.UNREACHABLE) for _ in range(1_000)]
    async with story(world, one_signer().replace(due=start + timedelta(hours=7)), begins=start) as it:
        await it.wish(PauseCommand(actor="legal-desk", reason="The annex is missing."))
        await until(it, start, 11)
        world.signatures.failures = []
        await until(it, start + DAY, 10)
        made_by_then = len(world.signatures.created)
        await it.wish(Resumption(actor="legal-desk"))
        await until(it, start + DAY, 10, 30)
        resumed = await it.shown()
    assert resumed.status is Status.EXPIRED
    assert (told(resumed), len(world.signatures.created)) == ([], made_by_then)


async def test_what_ends_while_a_hand_over_cannot_be_looked_up_has_ended() -> None:
    planner = LostPeople()
    world = World(planner=planner)
    async with task(world, a_task(ADA)) as it:
        over = Delegation(actor=ADA, signer=ADA, to="carl")
        await it.handle.execute_update(TaskWorkflow.delegate, over, id="over")
        await eventually(it.has_a_problem)
        await it.wish(Done(actor=ADA))
        await it.handle.result()
        shown = await it.task()
        assert (shown.problem, [one.state for one in shown.people]) == (None, ["done"])
        taken = await it.handle.query(TaskWorkflow.operation, "over")
        assert taken and (taken.state, taken.detail) == (OperationState.REFUSED, "too late: the task is done")
    assert (planner.asked, len(world.handoff.batches)) == (1, 1)


async def test_what_is_signed_while_a_hand_over_is_tried_again_is_read_at_once() -> None:
    world = World(NeverForwards())
    async with story(world) as it:
        await it.days_pass(0.1)
        over = Delegation(actor="legal-desk", signer="customer-signer", to="customer-deputy")
        await it.handle.execute_update(Request.delegate, over)
        await eventually(it.has_a_problem)
        await it.days_pass(1 / 24 / 60)
        tried = [order.present_at for order in world.signatures.forwarded]
        world.signatures.status = Status.SIGNED
        await it.callback()
        await it.handle.result()
    assert len(world.signatures.forwarded) == len(tried)
    assert len({at for at in tried if at}) == len(tried) == 2, "who is away is seen by the day of each attempt"


async def test_callbacks_while_a_hand_over_is_tried_again_bring_no_attempt_forward() -> None:
    world = World(NeverForwards())
    tried, read = world.signatures.forwarded, world.signatures.observations
    async with story(world) as it:
        await it.days_pass(0.1)
        over = Delegation(actor="legal-desk", signer="customer-signer", to="customer-deputy")
        await it.handle.execute_update(Request.delegate, over)
        await eventually(it.has_a_problem)
        for _ in range(5):
            before = len(read)
            await it.callback()
            await eventually(partial(_longer_than, before, read))
            await eventually(it.has_a_problem)
        assert len(tried) == 1, "attempts come when they are due"
        await it.days_pass(1 / 24 / 60)
        await it.callback()
        await it.days_pass(15 / 86_400)
        assert len(tried) == 2, "the second pause is longer than the first"
        await it.days_pass(1 / 24 / 60)
        assert len(tried) == 3
        world.signatures.status = Status.SIGNED
        await it.callback()
        await it.handle.result()


async def _longer_than(before: int, read: Sequence[object]) -> bool:
    return len(read) > before
