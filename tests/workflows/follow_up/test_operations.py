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
from tests.workflows.stage import PARALLEL, Story, a_request, start_story
from workflows.follow_up import options
from workflows.model.commands import (
    Answer,
    AnyCommand,
    Cancellation,
    Delegation,
    Extension,
    PauseCommand,
    Question,
    ReminderCommand,
    Resumption,
    SnoozeCommand,
)
from workflows.model.notifications import NotificationOutcome
from workflows.model.policy import EscalationAction
from workflows.model.receipts import OperationState
from workflows.model.rejections import Rejection
from workflows.model.signature import SignerState
from workflows.model.subject import Code, Identity, Participant, Status, Verify


async def read_refusal(story: Story, command: AnyCommand) -> str:
    """The sentence an update was refused with, at once or once somebody outside was asked."""
    try:
        receipt = await story.send_command(command)
    except WorkflowUpdateFailedError as failure:
        return failure.cause.message if isinstance(failure.cause, ApplicationError) else str(failure.cause)
    assert receipt.state is OperationState.REFUSED
    return receipt.detail


async def test_delegated_by_hand_the_old_signer_is_told_and_the_new_one_is_asked() -> None:
    world = World()
    async with start_story(world, record="delegated-open") as story:
        await story.days_pass(1)
        command = Delegation(signer="customer-signer", to="customer-deputy", actor="legal-desk")
        assert (await story.send_command(command, op="op-1")).detail == "handed over to customer-deputy"
        view = await story.read_view()
        assert [(s.person, s.state) for s in view.signers] == [
            ("customer-signer", SignerState.REASSIGNED),
            ("customer-deputy", SignerState.TURN),
            ("chief-executive", SignerState.WAITING),
        ]
        await story.days_pass(3.5)
        assert set(world.push.stages()[1:3]) == {("ready", "customer-deputy"), ("reassigned", "customer-signer")}
        assert world.push.stages()[3:] == [("reminder-1", "customer-deputy")]
        world.signatures.sign("customer-deputy")
        await story.callback()
        await story.days_pass(0.1)
        view = await story.read_view()
        assert [waiting.person for waiting in view.waiting_for] == ["chief-executive"]
        assert [(e.from_, e.to, e.reason) for e in view.escalations] == [
            ("customer-signer", "customer-deputy", "manual")
        ]
    assert len(world.signatures.forwarded) == 1


async def test_a_delegation_that_makes_no_sense_is_refused_in_words_and_changes_nothing() -> None:
    world = World()
    world.signatures.forward_refusals = [
        Rejection.NOT_IN_DIRECTORY.to_message(person="stranger", where="the directory", hint="")
    ]
    async with start_story(world) as story:
        await story.days_pass(1)
        view_before = await story.read_view()

        async def refusal_of(signer: str, recipient: str) -> str:
            return await read_refusal(story, Delegation(signer=signer, to=recipient, actor="x"))

        assert await refusal_of("nobody", "chair") == "nobody is not one of the signers of this request"
        assert await refusal_of("chief-executive", "chair") == "it is not chief-executive's turn yet"
        assert await refusal_of("customer-signer", "chief-executive") == "chief-executive is already one of the signers"
        assert (
            await refusal_of("customer-signer", "legal-desk") == "legal-desk asked for the signature and cannot give it"
        )
        assert await refusal_of("customer-signer", "stranger") == '"stranger" is not in the directory'
        view_after = await story.read_view()
        assert view_after.signers == view_before.signers
        command = Delegation(signer="customer-signer", to="deputy", actor="x")
        await story.send_command(command)
        assert await refusal_of("deputy", "customer-signer") == "customer-signer was asked before"
        assert await refusal_of("customer-signer", "chair") == "customer-signer has handed their place over already"


async def test_only_who_wants_a_hand_over_by_hand_asks_whether_the_new_one_is_away() -> None:
    """What the policy hands over was planned with everybody's calendar in hand."""
    world = World()
    world.planner.action = EscalationAction.REASSIGN
    world.signatures.forward_refusals = [Rejection.AWAY_UNLESS_FORCED.to_message(person="customer-deputy")]
    command = Delegation(signer="customer-signer", to="customer-deputy", actor="legal-desk")
    async with start_story(world) as story:
        await story.days_pass(1)
        assert await read_refusal(story, command) == "customer-deputy is away: insist with --force"
        assert (await story.send_command(command.replace(force=True))).detail == "handed over to customer-deputy"
        await story.days_pass(12.1)
    assert [order.present_at is not None for order in world.signatures.forwarded] == [True, False, False]
    assert [order.reason for order in world.signatures.forwarded] == ["manual", "manual", "escalation"]


async def test_an_escalation_that_reassigns_gives_the_place_to_the_alternate_who_signs() -> None:
    world = World()
    world.planner.action = EscalationAction.REASSIGN
    async with start_story(world, record="reassigned-and-signed") as story:
        await story.days_pass(12.1)
        view = await story.read_view()
        assert [(e.from_, e.to, e.reason) for e in view.escalations] == [("customer-signer", "chair", "escalation")]
        assert ("ready", "chair") in world.push.stages()
        assert ("reassigned", "customer-signer") in world.push.stages()
        assert [waiting.person for waiting in view.waiting_for] == ["chair"]
        assert view.next is not None
        assert (view.next.what, view.next.at) == ("remind", view.waiting_for[0].since + timedelta(days=3))
        superseded = [n.stage for n in view.notifications if n.why == "superseded"]
        assert superseded == ["warning-2d", "warning-1d"]
        world.signatures.sign("chair")
        world.signatures.sign("chief-executive")
        world.signatures.status = Status.SIGNED
        await story.callback()
        assert (await story.handle.result()).outcome is Status.SIGNED
        assert "chair" in [person.person for person in world.signatures.observations[-1].roster.people]


async def test_when_the_alternate_and_the_first_signer_both_sign_it_ends_once() -> None:
    """F2: whom Core Signature took first ends it, however many callbacks tell of it, and in whatever order."""
    world = World()
    world.planner.action = EscalationAction.REASSIGN
    async with start_story(world) as story:
        await story.days_pass(12.1)
        for person in ("customer-signer", "chair", "chief-executive"):
            world.signatures.sign(person)
        world.signatures.status = Status.SIGNED
        kinds = ("signer_signed", "signed", "signer_signed", "signed")
        await asyncio.gather(*(story.callback(kind) for kind in kinds), return_exceptions=True)
        assert (await story.handle.result()).outcome is Status.SIGNED
        view = await story.read_view()
    signed = [entry.who for entry in view.timeline if entry.what == "signed"]
    assert len(signed) == len(set(signed))
    assert set(world.handoff.calls.values()) == {1}


async def test_a_place_that_core_signature_verifies_is_never_forwarded_but_alerted_about() -> None:
    """A forwarded signer would not be verified."""
    world = World()
    world.planner.action = EscalationAction.REASSIGN
    verified = Participant(person="customer-signer", verify=Verify.PASSWORD)
    async with start_story(world, a_request(verified)) as story:
        await story.days_pass(1)
        command = Delegation(signer="customer-signer", to="customer-deputy", actor="legal-desk")
        assert "has to prove who they are" in await read_refusal(story, command)
        await story.days_pass(12.1)
        view = await story.read_view()
    assert (world.signatures.forwarded, view.signers[0].verify) == ([], Verify.PASSWORD)
    assert ("escalation", "chair") in world.push.stages()


async def test_a_place_behind_a_code_is_never_forwarded_either() -> None:
    request = a_request(Participant(person="customer-signer"))
    request, world = request.replace(brief=request.brief.replace(identity=Identity.CODE)), World()
    async with start_story(world, request) as story:
        await story.days_pass(1)
        command = Delegation(signer="customer-signer", to="customer-deputy", actor="legal-desk")
        assert "has to prove who they are" in await read_refusal(story, command)
        assert (await story.read_view()).identity is Identity.CODE
    assert world.signatures.forwarded == []


async def test_an_escalation_core_signature_refuses_is_still_an_alert() -> None:
    world = World()
    world.planner.action = EscalationAction.REASSIGN
    world.signatures.forward_refusals = [Rejection.REFUSED_THERE.to_message(says="forwarding is switched off")]
    async with start_story(world) as story:
        await story.days_pass(12.1)
        view = await story.read_view()
    assert len(world.signatures.forwarded) == 1
    assert ("escalation", "chair") in world.push.stages()
    assert [waiting.person for waiting in view.waiting_for] == ["customer-signer"]
    assert "Core Signature refuses it: forwarding is switched off" in [entry.why for entry in view.timeline]


async def test_signed_in_the_instant_of_a_reassignment_stays_signed() -> None:
    world = World()
    world.planner.action = EscalationAction.REASSIGN
    async with start_story(world) as story:
        await story.days_pass(11.9)
        world.signatures.sign("customer-signer")
        world.signatures.sign("chief-executive")
        world.signatures.status = Status.SIGNED
        await story.days_pass(0.2)
        assert (await story.handle.result()).outcome is Status.SIGNED


async def test_a_pause_over_a_weekend_moves_everything_by_its_length() -> None:
    world = World()
    async with start_story(world, record="paused-and-resumed-open") as story:
        await story.days_pass(1)
        view_before = await story.read_view()
        assert view_before.next is not None
        assert view_before.due_at is not None
        await story.send_command(PauseCommand(actor="legal-desk", reason="new draft"))
        assert await read_refusal(story, PauseCommand(actor="x")) == "it was paused by legal-desk already"
        assert await read_refusal(story, ReminderCommand(actor="x")) == "the request is paused: resume it first"
        await story.days_pass(5)
        paused = await story.read_view()
        assert paused.next is not None
        assert paused.next.why == "paused by legal-desk: new draft"
        assert world.push.stages() == [("ready", "customer-signer")]
        await story.send_command(Resumption(actor="legal-desk"))
        await story.days_pass(0.01)
        view_after = await story.read_view()
        assert view_after.next is not None
        assert view_after.next.at is not None
        assert view_before.next.at is not None
        assert view_after.due_at is not None
        assert abs(view_after.next.at - view_before.next.at - timedelta(days=5)) < timedelta(minutes=1)
        assert abs(view_after.due_at - view_before.due_at - timedelta(days=5)) < timedelta(minutes=1)
        assert await read_refusal(story, Resumption(actor="x")) == "it is not paused"


@pytest.mark.long
async def test_fifty_concurrent_extensions_leave_one_due_date_and_one_timer() -> None:
    """F8: the last of them that was taken is the one that counts."""
    world = World()
    async with start_story(world, record="extended-open") as story:
        await story.days_pass(1)
        due = (await story.read_view()).due_at
        assert due is not None
        commands = [Extension(due=due + timedelta(days=day), actor="legal-desk") for day in range(50)]
        for start in range(0, 50, 10):
            await asyncio.gather(*(story.send_command(command) for command in commands[start : start + 10]))
        await story.days_pass(0.001)
        events = [event async for event in story.handle.fetch_history_events()]
        assert open_timers(events) == 1
        assert (await story.read_view()).due_at == await _last_due(story, events)
        await story.days_pass(40)
        stages = [stage for stage, _ in world.push.stages()]
        assert stages.count("reminder-1") == 1
        past_extension = Extension(due=due - timedelta(days=60), actor="x")
        assert (await read_refusal(story, past_extension)).endswith("has passed")


async def _last_due(story: Story, events: Sequence[HistoryEvent]) -> date | None:
    """Of the extension that was taken last."""
    *_, last = (event for event in events if event.HasField("workflow_execution_update_accepted_event_attributes"))
    command = last.workflow_execution_update_accepted_event_attributes.accepted_request.input.args.payloads
    [extension] = await story.env.client.data_converter.decode(command, [Extension])
    return cast(Extension, extension).due


async def test_a_reminder_by_hand_is_sent_at_once_but_not_twice_within_the_hour() -> None:
    world = World()
    async with start_story(world, record="reminded-open") as story:
        await story.days_pass(1)
        await story.send_command(ReminderCommand(actor="legal-desk"))
        assert world.push.stages()[-1] == ("reminder-manual-1", "customer-signer")
        assert "insist with --force" in await read_refusal(story, ReminderCommand(actor="legal-desk"))
        await story.send_command(ReminderCommand(actor="legal-desk", force=True))
        assert world.push.stages()[-1] == ("reminder-manual-2", "customer-signer")


async def test_not_now_is_bounded_and_reminds_when_asked_to() -> None:
    world = World()
    async with start_story(world, record="snoozed-open") as story:
        await story.days_pass(1)
        sent = (await story.read_view()).waiting_for[0].since

        async def not_now(days: float) -> object:
            snooze_until = sent + timedelta(days=days)
            return await story.send_command(SnoozeCommand(person="customer-signer", until=snooze_until))

        await not_now(5)
        view = await story.read_view()
        assert view.choices[0].snoozes_left == 1
        await story.days_pass(4.5)
        assert world.push.stages()[1:] == [("snooze-1", "customer-signer")]
        with pytest.raises(WorkflowUpdateFailedError, match="Workflow update failed"):
            await not_now(29.9)
        await not_now(10)
        with pytest.raises(WorkflowUpdateFailedError):
            await not_now(11)
        view = await story.read_view()
        assert view.choices[0].snoozes_left == 0


async def test_a_question_stops_the_clocks_until_the_requester_answers() -> None:
    world = World()
    async with start_story(world, record="question-open") as story:
        await story.days_pass(1)
        await story.send_command(Question(person="customer-signer", text="Which annex?"))
        # Not to the very instant of a weekly look at the document, which the answer would take back as it falls due.
        await story.days_pass(18)
        view = await story.read_view()
        assert world.push.stages()[1:] == [("question-1", "legal-desk")]
        assert view.question is not None
        assert view.question.text == "Which annex?"
        second_question = Question(person="customer-signer", text="And when?")
        assert await read_refusal(story, second_question) == "a question is open already"
        await story.send_command(Answer(actor="legal-desk", text="Annex B"))
        await story.days_pass(0.01)
        assert world.push.stages()[2:] == [("answer-1", "customer-signer"), ("withdrawal-question-1", "legal-desk")]
        await story.days_pass(2.1)
        assert world.push.stages()[4:] == [("reminder-1", "customer-signer")]
        assert await read_refusal(story, Answer(actor="x", text="?")) == "no question is open"


async def test_every_planned_notice_ends_in_exactly_one_line() -> None:
    world = World()
    async with start_story(world) as story:
        await story.days_pass(4)
        world.signatures.sign("customer-signer")
        await story.callback("signer_signed")
        await story.days_pass(4)
        world.signatures.sign("chief-executive")
        world.signatures.status = Status.SIGNED
        await story.callback()
        await story.handle.result()
        view = await story.read_view()
    keys = [n.key for n in view.notifications]
    assert len(keys) == len(set(keys))
    stages = {"reminder-1", "reminder-2", "reminder-3", "warning-2d", "warning-1d"}
    for person in ("customer-signer", "chief-executive"):
        lines = {n.stage: (n.outcome, n.why) for n in view.notifications if n.person == person}
        assert stages <= set(lines)
        assert lines["reminder-1"][0] is NotificationOutcome.ACCEPTED
        assert {lines[stage] for stage in stages - {"reminder-1"}} == {(NotificationOutcome.SUPPRESSED, "signed")}
    alerts = [n for n in view.notifications if n.stage == "escalation"]
    assert [(n.outcome, n.why) for n in alerts] == [(NotificationOutcome.SUPPRESSED, "signed")] * 2


async def test_absent_at_sending_the_delegate_is_asked_from_the_start() -> None:
    world = World()
    world.signatures.substituted = {"customer-signer": "customer-deputy"}
    async with start_story(world, a_request()) as story:
        await story.days_pass(0.1)
        view = await story.read_view()
    assert world.push.stages() == [("ready", "customer-deputy")]
    assert [(e.from_, e.to, e.reason) for e in view.escalations] == [("customer-signer", "customer-deputy", "absence")]


async def test_a_cancellation_during_an_attempt_that_fails_is_heard_at_once() -> None:
    world = World()
    world.push.gate = asyncio.Event()
    world.push.failures = [refusal(Code.UNAUTHORISED) for _ in range(50)]
    async with start_story(world) as story:
        await world.push.delivering.wait()
        command = Cancellation(reason="mistake", actor="x")
        cancelling = asyncio.create_task(story.send_command(command))
        while not (await story.read_view()).timeline[-1].what.startswith("cancellation"):
            pass
        world.push.gate.set()
        assert (await cancelling).status is Status.CANCELLED
        await story.handle.result()


async def test_a_problem_that_news_interrupted_leaves_no_clock_standing() -> None:
    world = World()
    async with start_story(world) as story:
        await story.days_pass(1)
        sent = (await story.read_view()).waiting_for[0].since
        world.push.failures = [refusal(Code.UNAUTHORISED) for _ in range(8)]
        await story.days_pass(2.01)
        problem = (await story.read_view()).problem
        assert problem is not None
        snooze_until = sent + timedelta(days=5)
        await story.send_command(SnoozeCommand(person="customer-signer", until=snooze_until))
        world.push.failures = []
        await story.days_pass(8)
        view = await story.read_view()
        assert view.problem is None
        assert "reminders are paused" not in view.says
        assert ("snooze-1", "customer-signer") in world.push.stages()


async def test_a_turn_that_came_during_a_pause_is_not_moved_by_what_was_before_it() -> None:
    world = World()
    async with start_story(world) as story:
        await story.days_pass(1)
        await story.send_command(PauseCommand(actor="legal-desk"))
        await story.days_pass(9)
        world.signatures.sign("customer-signer")
        await story.callback("signer_signed")
        await story.days_pass(1)
        await story.send_command(Resumption(actor="legal-desk"))
        await story.days_pass(0.01)
        view = await story.read_view()
        resumed = next(entry.at for entry in view.timeline if entry.what == "resumed")
        assert view.next is not None
        assert view.next.at is not None
        assert abs(view.next.at - resumed - timedelta(days=3)) < timedelta(minutes=1)


async def test_a_question_of_somebody_who_has_signed_holds_nobody_up() -> None:
    world = World()
    async with start_story(world) as story:
        await story.days_pass(1)
        await story.send_command(Question(person="customer-signer", text="Which annex?"))
        # The time-skipping server hangs now and then when an activity is cancelled as it ends; the real one does not.
        await story.days_pass(0.01)
        world.signatures.sign("customer-signer")
        await story.callback("signer_signed")
        await story.days_pass(3.1)
        view = await story.read_view()
    assert view.question is None
    assert ("reminder-1", "chief-executive") in world.push.stages()


async def test_a_reminder_by_hand_leaves_out_the_planned_one_within_the_hour() -> None:
    world = World()
    async with start_story(world) as story:
        await story.days_pass(3 - 0.5 / 24)
        await story.send_command(ReminderCommand(actor="legal-desk"))
        await story.days_pass(1)
        view = await story.read_view()
    assert [stage for stage, _ in world.push.stages()] == ["ready", "reminder-manual-1"]
    [line] = [n for n in view.notifications if n.stage == "reminder-1"]
    assert (line.outcome, line.why) == (NotificationOutcome.SUPPRESSED, "too_soon")
    assert view.next is not None
    assert view.next.why == "planned as reminder-2"


@pytest.mark.long
async def test_months_of_refused_credentials_do_not_fill_the_history(monkeypatch: pytest.MonkeyPatch) -> None:
    """A day of them, in runs a thirtieth as long as they are."""
    monkeypatch.setattr(options, "RUN_AT_MOST", options.RUN_AT_MOST // 30)
    world = World()
    world.signatures.failures = [refusal(Code.UNAUTHORISED) for _ in range(1_000)]
    async with start_story(world) as story:
        await story.days_pass(1)
        description = await story.env.client.get_workflow_handle(story.handle.id).describe()
        assert description.history_length < 330
        assert description.run_id != story.handle.first_execution_run_id
        world.signatures.failures = []
        await story.days_pass(0.02)
        assert world.push.stages() == [("ready", "customer-signer")]


async def test_a_reminder_by_hand_comes_once_though_the_document_has_news() -> None:
    world = World()
    async with start_story(world, a_request(*PARALLEL)) as story:
        await story.days_pass(1)
        world.signatures.sign("customer-signer", SignerState.VIEWED)
        await story.send_command(ReminderCommand(actor="legal-desk"))
        await story.days_pass(0.01)
    assert world.push.stages()[2:] == [
        ("reminder-manual-1", "customer-signer"),
        ("reminder-manual-1", "chief-executive"),
    ]


async def test_a_reminder_by_hand_that_a_pause_interrupts_reaches_who_it_has_not_reached_yet() -> None:
    world = World()
    async with start_story(world, a_request(*PARALLEL)) as story:
        await story.days_pass(1)
        world.push.deaf_once = ["chief-executive"]
        reminded = await story.send_command(ReminderCommand(actor="legal-desk"))
        assert reminded.detail == "told customer-signer; not yet chief-executive"
        await story.send_command(PauseCommand(actor="legal-desk"))
        await story.days_pass(0.01)
        assert world.push.stages()[2:] == [("reminder-manual-1", "customer-signer")]
        await story.send_command(Resumption(actor="legal-desk"))
        await story.at_rest()
        view = await story.read_view()
    assert world.push.stages()[2:] == [
        ("reminder-manual-1", "customer-signer"),
        ("reminder-manual-1", "chief-executive"),
    ]
    assert {n.outcome for n in view.notifications} == {NotificationOutcome.ACCEPTED}


async def test_an_answer_is_of_no_use_to_somebody_who_has_signed() -> None:
    world = World()
    async with start_story(world) as story:
        await story.days_pass(1)
        await story.send_command(Question(person="customer-signer", text="Which annex?"))
        await story.days_pass(0.01)
        await story.send_command(PauseCommand(actor="legal-desk"))
        await story.send_command(Answer(actor="legal-desk", text="Annex B."))
        world.signatures.sign("customer-signer")
        await story.callback("signer_signed")
        await story.days_pass(0.01)
        await story.send_command(Resumption(actor="legal-desk"))
        await story.days_pass(0.01)
    stages = [stage for stage, _ in world.push.stages()]
    assert stages == ["ready", "question-1", "ready", "withdrawal", "withdrawal-question-1"]


@pytest.mark.parametrize(
    ("command", "message"),
    [
        (PauseCommand(actor="a", reason="x" * 1_001), "the reason is longer than 1000 characters"),
        (Cancellation(actor="a", reason="x" * 1_001), "the reason is longer than 1000 characters"),
        (ReminderCommand(actor="x" * 201), "the name of who wants it is longer than 200 characters"),
        (
            PauseCommand(actor="a", reason="a\x1b[31mred"),
            "the reason has the character U+001B, which people cannot see",
        ),
        (
            ReminderCommand(actor="x\u202ey"),
            "the name of who wants it has the character U+202E, which people cannot see",
        ),
        (Extension(actor="a", due=date(9999, 12, 31)), "9999-12-31 is more than two years away"),
    ],
)
async def test_what_is_too_much_to_remember_is_refused(command: AnyCommand, message: str) -> None:
    async with start_story(World()) as story:
        await story.days_pass(0.01)
        assert await read_refusal(story, command) == message


async def test_an_extension_of_a_document_that_is_still_converted_is_answered_at_once() -> None:
    world = World()
    world.signatures.status = Status.CONVERTING
    async with start_story(world) as story:
        await story.days_pass(0.01)
        due = await story.env.get_current_time() + timedelta(days=50)
        await story.send_command(Extension(due=due, actor="legal-desk"))
        assert (await story.read_view()).status is Status.CONVERTING
