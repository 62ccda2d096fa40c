"""Stories of what people do to a living request: operators, and signers on their phones."""

import asyncio
from collections.abc import Sequence
from datetime import date, timedelta
from typing import cast

import pytest
from temporalio.api.history.v1 import HistoryEvent
from temporalio.client import WorkflowUpdateFailedError
from temporalio.exceptions import ApplicationError

from tests.faults.evidence import open_timers
from tests.workflows.fakes import World, refusal
from tests.workflows.stage import PARALLEL, Story, a_request, story
from workflows.follow_up import options
from workflows.model.commands import (
    Answer,
    AnyCommand,
    Cancellation,
    Delegation,
    Extension,
    NotNow,
    PauseCommand,
    Question,
    ReminderNow,
    Resumption,
)
from workflows.model.notifications import NotificationOutcome
from workflows.model.policy import EscalationAction
from workflows.model.receipts import OperationState
from workflows.model.rejections import Rejection
from workflows.model.signature import SignerState
from workflows.model.subject import Code, Status


async def refused(it: Story, wish: AnyCommand) -> str:
    """The sentence an update was refused with, at once or once somebody outside was asked."""
    try:
        taken = await it.wish(wish)
    except WorkflowUpdateFailedError as failure:
        return failure.cause.message if isinstance(failure.cause, ApplicationError) else str(failure.cause)
    assert taken.state is OperationState.REFUSED
    return taken.detail


async def test_delegated_by_hand_the_old_signer_is_told_and_the_new_one_is_asked() -> None:
    world = World()
    async with story(world, record="delegated-open") as it:
        await it.days_pass(1)
        wish = Delegation(signer="customer-signer", to="customer-deputy", actor="legal-desk")
        assert (await it.wish(wish, op="op-1")).detail == "handed over to customer-deputy"
        shown = await it.shown()
        assert [(s.person, s.state) for s in shown.signers] == [
            ("customer-signer", SignerState.REASSIGNED),
            ("customer-deputy", SignerState.TURN),
            ("chief-executive", SignerState.WAITING),
        ]
        await it.days_pass(3.5)
        assert set(world.push.stages()[1:3]) == {("ready", "customer-deputy"), ("reassigned", "customer-signer")}
        assert world.push.stages()[3:] == [("reminder-1", "customer-deputy")]
        world.signatures.sign("customer-deputy")
        await it.callback()
        await it.days_pass(0.1)
        shown = await it.shown()
        assert [one.person for one in shown.waiting_for] == ["chief-executive"]
        assert [(e.from_, e.to, e.reason) for e in shown.escalations] == [
            ("customer-signer", "customer-deputy", "manual")
        ]
    assert len(world.signatures.forwarded) == 1


async def test_a_delegation_that_makes_no_sense_is_refused_in_words_and_changes_nothing() -> None:
    world = World()
    world.signatures.forward_refusals = [
        Rejection.NOT_IN_DIRECTORY.to_message(person="stranger", where="the directory", hint="")
    ]
    async with story(world) as it:
        await it.days_pass(1)
        before = await it.shown()

        async def says(signer: str, to: str) -> str:
            return await refused(it, Delegation(signer=signer, to=to, actor="x"))

        assert await says("nobody", "chair") == "nobody is not one of the signers of this request"
        assert await says("chief-executive", "chair") == "it is not chief-executive's turn yet"
        assert await says("customer-signer", "chief-executive") == "chief-executive is already one of the signers"
        assert await says("customer-signer", "legal-desk") == "legal-desk asked for the signature and cannot give it"
        assert await says("customer-signer", "stranger") == '"stranger" is not in the directory'
        after = await it.shown()
        assert after.signers == before.signers
        wish = Delegation(signer="customer-signer", to="deputy", actor="x")
        await it.wish(wish)
        assert await says("deputy", "customer-signer") == "customer-signer was asked before"
        assert await says("customer-signer", "chair") == "customer-signer has handed their place over already"


async def test_only_who_wants_a_hand_over_by_hand_asks_whether_the_new_one_is_away() -> None:
    """What the policy hands over was planned with everybody's calendar in hand."""
    world = World()
    world.planner.action = EscalationAction.REASSIGN
    world.signatures.forward_refusals = [Rejection.AWAY_UNLESS_FORCED.to_message(person="customer-deputy")]
    wish = Delegation(signer="customer-signer", to="customer-deputy", actor="legal-desk")
    async with story(world) as it:
        await it.days_pass(1)
        assert await refused(it, wish) == "customer-deputy is away: insist with --force"
        assert (await it.wish(wish.replace(force=True))).detail == "handed over to customer-deputy"
        await it.days_pass(12.1)
    assert [order.present_at is not None for order in world.signatures.forwarded] == [True, False, False]
    assert [order.reason for order in world.signatures.forwarded] == ["manual", "manual", "escalation"]


async def test_an_escalation_that_reassigns_gives_the_place_to_the_alternate_who_signs() -> None:
    world = World()
    world.planner.action = EscalationAction.REASSIGN
    async with story(world, record="reassigned-and-signed") as it:
        await it.days_pass(12.1)
        shown = await it.shown()
        assert [(e.from_, e.to, e.reason) for e in shown.escalations] == [("customer-signer", "chair", "escalation")]
        assert ("ready", "chair") in world.push.stages()
        assert ("reassigned", "customer-signer") in world.push.stages()
        assert [one.person for one in shown.waiting_for] == ["chair"]
        assert shown.next is not None
        assert (shown.next.what, shown.next.at) == ("remind", shown.waiting_for[0].since + timedelta(days=3))
        superseded = [n.stage for n in shown.notifications if n.why == "superseded"]
        assert superseded == ["warning-2d", "warning-1d"]
        world.signatures.sign("chair")
        world.signatures.sign("chief-executive")
        world.signatures.status = Status.SIGNED
        await it.callback()
        assert (await it.handle.result()).outcome is Status.SIGNED
        assert "chair" in [one.person for one in world.signatures.observations[-1].roster.people]


async def test_when_the_alternate_and_the_first_signer_both_sign_it_ends_once() -> None:
    """F2: whom Core Signature took first ends it, however many callbacks tell of it, and in whatever order."""
    world = World()
    world.planner.action = EscalationAction.REASSIGN
    async with story(world) as it:
        await it.days_pass(12.1)
        for person in ("customer-signer", "chair", "chief-executive"):
            world.signatures.sign(person)
        world.signatures.status = Status.SIGNED
        kinds = ("signer_signed", "signed", "signer_signed", "signed")
        await asyncio.gather(*(it.callback(kind) for kind in kinds), return_exceptions=True)
        assert (await it.handle.result()).outcome is Status.SIGNED
        shown = await it.shown()
    signed = [entry.who for entry in shown.timeline if entry.what == "signed"]
    assert len(signed) == len(set(signed))
    assert set(world.handoff.calls.values()) == {1}


async def test_an_escalation_core_signature_refuses_is_still_an_alert() -> None:
    world = World()
    world.planner.action = EscalationAction.REASSIGN
    world.signatures.forward_refusals = [Rejection.REFUSED_THERE.to_message(says="forwarding is switched off")]
    async with story(world) as it:
        await it.days_pass(12.1)
        shown = await it.shown()
    assert len(world.signatures.forwarded) == 1
    assert ("escalation", "chair") in world.push.stages()
    assert [one.person for one in shown.waiting_for] == ["customer-signer"]
    assert "Core Signature refuses it: forwarding is switched off" in [entry.why for entry in shown.timeline]


async def test_signed_in_the_instant_of_a_reassignment_stays_signed() -> None:
    world = World()
    world.planner.action = EscalationAction.REASSIGN
    async with story(world) as it:
        await it.days_pass(11.9)
        world.signatures.sign("customer-signer")
        world.signatures.sign("chief-executive")
        world.signatures.status = Status.SIGNED
        await it.days_pass(0.2)
        assert (await it.handle.result()).outcome is Status.SIGNED


async def test_a_pause_over_a_weekend_moves_everything_by_its_length() -> None:
    world = World()
    async with story(world, record="paused-and-resumed-open") as it:
        await it.days_pass(1)
        before = await it.shown()
        assert before.next is not None
        assert before.due_at is not None
        await it.wish(PauseCommand(actor="legal-desk", reason="new draft"))
        assert await refused(it, PauseCommand(actor="x")) == "it was paused by legal-desk already"
        assert await refused(it, ReminderNow(actor="x")) == "the request is paused: resume it first"
        await it.days_pass(5)
        paused = await it.shown()
        assert paused.next is not None
        assert paused.next.why == "paused by legal-desk: new draft"
        assert world.push.stages() == [("ready", "customer-signer")]
        await it.wish(Resumption(actor="legal-desk"))
        await it.days_pass(0.01)
        after = await it.shown()
        assert after.next is not None
        assert after.next.at is not None
        assert before.next.at is not None
        assert after.due_at is not None
        assert abs(after.next.at - before.next.at - timedelta(days=5)) < timedelta(minutes=1)
        assert abs(after.due_at - before.due_at - timedelta(days=5)) < timedelta(minutes=1)
        assert await refused(it, Resumption(actor="x")) == "it is not paused"


async def test_fifty_concurrent_extensions_leave_one_due_date_and_one_timer() -> None:
    """F8: the last of them that was taken is the one that counts."""
    world = World()
    async with story(world, record="extended-open") as it:
        await it.days_pass(1)
        due = (await it.shown()).due_at
        assert due is not None
        wishes = [Extension(due=due + timedelta(days=day), actor="legal-desk") for day in range(50)]
        for start in range(0, 50, 10):
            await asyncio.gather(*(it.wish(wish) for wish in wishes[start : start + 10]))
        await it.days_pass(0.001)
        taken = [event async for event in it.handle.fetch_history_events()]
        assert open_timers(taken) == 1
        assert (await it.shown()).due_at == await _last_due(it, taken)
        await it.days_pass(40)
        stages = [stage for stage, _ in world.push.stages()]
        assert stages.count("reminder-1") == 1
        past = Extension(due=due - timedelta(days=60), actor="x")
        assert (await refused(it, past)).endswith("has passed")


async def _last_due(it: Story, events: Sequence[HistoryEvent]) -> date | None:
    """Of the extension that was taken last."""
    *_, last = (one for one in events if one.HasField("workflow_execution_update_accepted_event_attributes"))
    wish = last.workflow_execution_update_accepted_event_attributes.accepted_request.input.args.payloads
    [extension] = await it.env.client.data_converter.decode(wish, [Extension])
    return cast(Extension, extension).due


async def test_a_reminder_by_hand_is_sent_at_once_but_not_twice_within_the_hour() -> None:
    world = World()
    async with story(world, record="reminded-open") as it:
        await it.days_pass(1)
        await it.wish(ReminderNow(actor="legal-desk"))
        assert world.push.stages()[-1] == ("reminder-manual-1", "customer-signer")
        assert "insist with --force" in await refused(it, ReminderNow(actor="legal-desk"))
        await it.wish(ReminderNow(actor="legal-desk", force=True))
        assert world.push.stages()[-1] == ("reminder-manual-2", "customer-signer")


async def test_not_now_is_bounded_and_reminds_when_asked_to() -> None:
    world = World()
    async with story(world, record="snoozed-open") as it:
        await it.days_pass(1)
        sent = (await it.shown()).waiting_for[0].since

        async def not_now(days: float) -> object:
            until = sent + timedelta(days=days)
            return await it.wish(NotNow(person="customer-signer", until=until))

        await not_now(5)
        shown = await it.shown()
        assert shown.choices[0].snoozes_left == 1
        await it.days_pass(4.5)
        assert world.push.stages()[1:] == [("snooze-1", "customer-signer")]
        with pytest.raises(WorkflowUpdateFailedError, match="Workflow update failed"):
            await not_now(29.9)
        await not_now(10)
        with pytest.raises(WorkflowUpdateFailedError):
            await not_now(11)
        shown = await it.shown()
        assert shown.choices[0].snoozes_left == 0


async def test_a_question_stops_the_clocks_until_the_requester_answers() -> None:
    world = World()
    async with story(world, record="question-open") as it:
        await it.days_pass(1)
        await it.wish(Question(person="customer-signer", text="Which annex?"))
        # Not to the very instant of a weekly look at the document, which the answer would take back as it falls due.
        await it.days_pass(18)
        shown = await it.shown()
        assert world.push.stages()[1:] == [("question-1", "legal-desk")]
        assert shown.question is not None
        assert shown.question.text == "Which annex?"
        again = Question(person="customer-signer", text="And when?")
        assert await refused(it, again) == "a question is open already"
        await it.wish(Answer(actor="legal-desk", text="Annex B"))
        await it.days_pass(0.01)
        assert world.push.stages()[2:] == [("answer-1", "customer-signer"), ("withdrawal-question-1", "legal-desk")]
        await it.days_pass(2.1)
        assert world.push.stages()[4:] == [("reminder-1", "customer-signer")]
        assert await refused(it, Answer(actor="x", text="?")) == "no question is open"


async def test_every_planned_notice_ends_in_exactly_one_line() -> None:
    world = World()
    async with story(world) as it:
        await it.days_pass(4)
        world.signatures.sign("customer-signer")
        await it.callback("signer_signed")
        await it.days_pass(4)
        world.signatures.sign("chief-executive")
        world.signatures.status = Status.SIGNED
        await it.callback()
        await it.handle.result()
        shown = await it.shown()
    keys = [n.key for n in shown.notifications]
    assert len(keys) == len(set(keys))
    stages = {"reminder-1", "reminder-2", "reminder-3", "warning-2d", "warning-1d"}
    for person in ("customer-signer", "chief-executive"):
        lines = {n.stage: (n.outcome, n.why) for n in shown.notifications if n.person == person}
        assert stages <= set(lines)
        assert lines["reminder-1"][0] is NotificationOutcome.ACCEPTED
        assert {lines[stage] for stage in stages - {"reminder-1"}} == {(NotificationOutcome.SUPPRESSED, "signed")}
    alerts = [n for n in shown.notifications if n.stage == "escalation"]
    assert [(n.outcome, n.why) for n in alerts] == [(NotificationOutcome.SUPPRESSED, "signed")] * 2


async def test_absent_at_sending_the_delegate_is_asked_from_the_start() -> None:
    world = World()
    world.signatures.substituted = {"customer-signer": "customer-deputy"}
    async with story(world, a_request()) as it:
        await it.days_pass(0.1)
        shown = await it.shown()
    assert world.push.stages() == [("ready", "customer-deputy")]
    assert [(e.from_, e.to, e.reason) for e in shown.escalations] == [("customer-signer", "customer-deputy", "absence")]


async def test_a_cancellation_during_an_attempt_that_fails_is_heard_at_once() -> None:
    world = World()
    world.push.gate = asyncio.Event()
    world.push.failures = [refusal(Code.UNAUTHORISED) for _ in range(50)]
    async with story(world) as it:
        await world.push.delivering.wait()
        wish = Cancellation(reason="mistake", actor="x")
        cancelling = asyncio.create_task(it.wish(wish))
        while not (await it.shown()).timeline[-1].what.startswith("cancellation"):
            pass
        world.push.gate.set()
        assert (await cancelling).status is Status.CANCELLED
        await it.handle.result()


async def test_a_problem_that_news_interrupted_leaves_no_clock_standing() -> None:
    world = World()
    async with story(world) as it:
        await it.days_pass(1)
        sent = (await it.shown()).waiting_for[0].since
        world.push.failures = [refusal(Code.UNAUTHORISED) for _ in range(8)]
        await it.days_pass(2.01)
        problem = (await it.shown()).problem
        assert problem is not None
        until = sent + timedelta(days=5)
        await it.wish(NotNow(person="customer-signer", until=until))
        world.push.failures = []
        await it.days_pass(8)
        shown = await it.shown()
        assert shown.problem is None
        assert "reminders are paused" not in shown.says
        assert ("snooze-1", "customer-signer") in world.push.stages()


async def test_a_turn_that_came_during_a_pause_is_not_moved_by_what_was_before_it() -> None:
    world = World()
    async with story(world) as it:
        await it.days_pass(1)
        await it.wish(PauseCommand(actor="legal-desk"))
        await it.days_pass(9)
        world.signatures.sign("customer-signer")
        await it.callback("signer_signed")
        await it.days_pass(1)
        await it.wish(Resumption(actor="legal-desk"))
        await it.days_pass(0.01)
        shown = await it.shown()
        resumed = next(entry.at for entry in shown.timeline if entry.what == "resumed")
        assert shown.next is not None
        assert shown.next.at is not None
        assert abs(shown.next.at - resumed - timedelta(days=3)) < timedelta(minutes=1)


async def test_a_question_of_somebody_who_has_signed_holds_nobody_up() -> None:
    world = World()
    async with story(world) as it:
        await it.days_pass(1)
        await it.wish(Question(person="customer-signer", text="Which annex?"))
        # The time-skipping server hangs now and then when an activity is cancelled as it ends; the real one does not.
        await it.days_pass(0.01)
        world.signatures.sign("customer-signer")
        await it.callback("signer_signed")
        await it.days_pass(3.1)
        shown = await it.shown()
    assert shown.question is None
    assert ("reminder-1", "chief-executive") in world.push.stages()


async def test_a_reminder_by_hand_leaves_out_the_planned_one_within_the_hour() -> None:
    world = World()
    async with story(world) as it:
        await it.days_pass(3 - 0.5 / 24)
        await it.wish(ReminderNow(actor="legal-desk"))
        await it.days_pass(1)
        shown = await it.shown()
    assert [stage for stage, _ in world.push.stages()] == ["ready", "reminder-manual-1"]
    [line] = [n for n in shown.notifications if n.stage == "reminder-1"]
    assert (line.outcome, line.why) == (NotificationOutcome.SUPPRESSED, "too_soon")
    assert shown.next is not None
    assert shown.next.why == "planned as reminder-2"


async def test_months_of_refused_credentials_do_not_fill_the_history(monkeypatch: pytest.MonkeyPatch) -> None:
    """A day of them, in runs a thirtieth as long as they are."""
    monkeypatch.setattr(options, "RUN_AT_MOST", options.RUN_AT_MOST // 30)
    world = World()
    world.signatures.failures = [refusal(Code.UNAUTHORISED) for _ in range(1_000)]
    async with story(world) as it:
        await it.days_pass(1)
        description = await it.env.client.get_workflow_handle(it.handle.id).describe()
        assert description.history_length < 330
        assert description.run_id != it.handle.first_execution_run_id
        world.signatures.failures = []
        await it.days_pass(0.02)
        assert world.push.stages() == [("ready", "customer-signer")]


async def test_a_reminder_by_hand_comes_once_though_the_document_has_news() -> None:
    world = World()
    async with story(world, a_request(*PARALLEL)) as it:
        await it.days_pass(1)
        world.signatures.sign("customer-signer", SignerState.VIEWED)
        await it.wish(ReminderNow(actor="legal-desk"))
        await it.days_pass(0.01)
    assert world.push.stages()[2:] == [
        ("reminder-manual-1", "customer-signer"),
        ("reminder-manual-1", "chief-executive"),
    ]


async def test_a_reminder_by_hand_that_a_pause_interrupts_reaches_who_it_has_not_reached_yet() -> None:
    world = World()
    async with story(world, a_request(*PARALLEL)) as it:
        await it.days_pass(1)
        world.push.deaf_once = ["chief-executive"]
        reminded = await it.wish(ReminderNow(actor="legal-desk"))
        assert reminded.detail == "told customer-signer; not yet chief-executive"
        await it.wish(PauseCommand(actor="legal-desk"))
        await it.days_pass(0.01)
        assert world.push.stages()[2:] == [("reminder-manual-1", "customer-signer")]
        await it.wish(Resumption(actor="legal-desk"))
        await it.at_rest()
        shown = await it.shown()
    assert world.push.stages()[2:] == [
        ("reminder-manual-1", "customer-signer"),
        ("reminder-manual-1", "chief-executive"),
    ]
    assert {n.outcome for n in shown.notifications} == {NotificationOutcome.ACCEPTED}


async def test_an_answer_is_of_no_use_to_somebody_who_has_signed() -> None:
    world = World()
    async with story(world) as it:
        await it.days_pass(1)
        await it.wish(Question(person="customer-signer", text="Which annex?"))
        await it.days_pass(0.01)
        await it.wish(PauseCommand(actor="legal-desk"))
        await it.wish(Answer(actor="legal-desk", text="Annex B."))
        world.signatures.sign("customer-signer")
        await it.callback("signer_signed")
        await it.days_pass(0.01)
        await it.wish(Resumption(actor="legal-desk"))
        await it.days_pass(0.01)
    stages = [stage for stage, _ in world.push.stages()]
    assert stages == ["ready", "question-1", "ready", "withdrawal", "withdrawal-question-1"]


@pytest.mark.parametrize(
    ("wish", "says"),
    [
        (PauseCommand(actor="a", reason="x" * 1_001), "the reason is longer than 1000 characters"),
        (Cancellation(actor="a", reason="x" * 1_001), "the reason is longer than 1000 characters"),
        (ReminderNow(actor="x" * 201), "the name of who wants it is longer than 200 characters"),
        (
            PauseCommand(actor="a", reason="a\x1b[31mred"),
            "the reason has the character U+001B, which people cannot see",
        ),
        (
            ReminderNow(actor="x\u202ey"),
            "the name of who wants it has the character U+202E, which people cannot see",
        ),
        (Extension(actor="a", due=date(9999, 12, 31)), "9999-12-31 is more than two years away"),
    ],
)
async def test_what_is_too_much_to_remember_is_refused(wish: AnyCommand, says: str) -> None:
    async with story(World()) as it:
        await it.days_pass(0.01)
        assert await refused(it, wish) == says


async def test_an_extension_of_a_document_that_is_still_converted_is_answered_at_once() -> None:
    world = World()
    world.signatures.status = Status.CONVERTING
    async with story(world) as it:
        await it.days_pass(0.01)
        due = await it.env.get_current_time() + timedelta(days=50)
        await it.wish(Extension(due=due, actor="legal-desk"))
        assert (await it.shown()).status is Status.CONVERTING
