"""Stories of one request on the time-skipping server: virtual weeks, exact instants, every ending."""

import asyncio
from datetime import timedelta

import pytest
from temporalio.client import WorkflowUpdateFailedError

from activities.temporal import executions as runs
from activities.temporal.executions import RunStatus
from tests.servers import time_skipping
from tests.workflows.fakes import ManyReminders, World, refusal
from tests.workflows.stage import PARALLEL, a_request, approver, begin, silent_for, start_story, workers
from workflows.follow_up import options
from workflows.model.commands import Cancellation, PauseCommand, Resumption
from workflows.model.hand_off import HandoffState
from workflows.model.notifications import NoticeAction, NotificationOutcome
from workflows.model.receipts import OperationState
from workflows.model.signature import ReportedSigner, SignerState
from workflows.model.subject import Code, Participant, Status
from workflows.model.views import AttentionCode


async def test_signed_in_order_and_everyone_is_told() -> None:
    world = World()
    async with start_story(world, record="signed-in-order") as story:
        await story.days_pass(0.1)
        assert world.push.stages() == [("ready", "customer-signer")]

        world.signatures.sign("customer-signer")
        await story.callback("signer_signed")
        await story.days_pass(0.1)
        assert world.push.stages()[1:] == [("ready", "chief-executive"), ("withdrawal", "customer-signer")]

        world.signatures.sign("chief-executive")
        world.signatures.status = Status.SIGNED
        await story.callback("signed")
        settled = await story.handle.result()

    assert settled.outcome is Status.SIGNED
    assert [(signer.person, signer.state) for signer in settled.signers] == [
        ("customer-signer", SignerState.SIGNED),
        ("chief-executive", SignerState.SIGNED),
    ]
    called_targets = {call.target.target for call in world.handoff.batches[0].calls}
    assert called_targets == {
        "hr",
        "finance",
        "operations",
        "customer-success",
        "notice:legal-desk",
        "notice:chief-executive",
    }
    assert len(world.handoff.batches) == 1


async def test_a_silent_signer_is_reminded_warned_escalated_and_finally_expires() -> None:
    world = World()
    async with start_story(world, record="expired") as story:
        settled = await story.handle.result()
        view = await story.read_view()

    assert settled.outcome is Status.EXPIRED
    sent = view.timeline[1].at
    days = [(n.stage, (n.at - sent) / timedelta(days=1)) for n in view.notifications if n.stage != "settled"]
    assert [(stage, round(day, 2)) for stage, day in days] == [
        ("ready", 0), ("reminder-1", 3), ("reminder-2", 6), ("reminder-3", 9),
        ("escalation", 12), ("escalated", 12), ("warning-2d", 28), ("warning-1d", 29),
    ]  # fmt: skip
    assert [(e.from_, e.to) for e in view.escalations] == [("customer-signer", "chair")]
    assert len(world.signatures.cancelled) == 1


async def test_parallel_signers_are_told_at_once_and_the_last_one_completes() -> None:
    world = World()
    request = a_request(Participant(person="a", order=1), approver("b", 1), Participant(person="c", order=2))
    async with start_story(world, request, record="signed-in-parallel") as story:
        await story.days_pass(1)
        assert world.push.stages() == [("ready", "a"), ("ready", "b")]
        assert [notice.action for notice in world.push.sent] == [NoticeAction.SIGN, NoticeAction.APPROVE]

        world.signatures.sign("b", SignerState.APPROVED)
        await story.callback("signer_signed")
        await story.days_pass(0.1)
        assert [waiting.person for waiting in (await story.read_view()).waiting_for] == ["a"]

        world.signatures.sign("a")
        await story.callback("signer_signed")
        await story.days_pass(0.1)
        assert [waiting.person for waiting in (await story.read_view()).waiting_for] == ["c"]

        world.signatures.sign("c")
        world.signatures.status = Status.SIGNED
        await story.callback()
        assert (await story.handle.result()).outcome is Status.SIGNED


async def test_declined_tells_the_requester_and_earlier_signers_with_the_reason_kept() -> None:
    world = World()
    async with start_story(world, record="declined") as story:
        await story.days_pass(0.1)
        world.signatures.sign("customer-signer")
        await story.callback("signer_signed")
        await story.days_pass(0.1)
        world.signatures.signers.append(
            ReportedSigner(person="chief-executive", state=SignerState.DECLINED, reason="Clause 7 is missing")
        )
        world.signatures.status = Status.DECLINED
        await story.callback("declined")
        settled = await story.handle.result()
        view = await story.read_view()

    assert settled.outcome is Status.DECLINED
    called = {call.target.target for batch in world.handoff.batches for call in batch.calls}
    assert called == {"notice:legal-desk", "notice:customer-signer", "notice:chief-executive"}
    assert ("declined", "chief-executive", "Clause 7 is missing") in [(e.what, e.who, e.why) for e in view.timeline]
    assert [line.reason for line in view.signers] == [None, "Clause 7 is missing"]


async def test_an_operator_cancels_with_an_update() -> None:
    world = World()
    async with start_story(world, record="cancelled-by-update") as story:
        await story.days_pass(1)
        command = Cancellation(reason="wrong version", actor="legal-desk", op="op-1")
        receipt = await story.send_command(command, op="op-1")
        assert (receipt.status, receipt.state) == (Status.CANCELLED, OperationState.DONE)
        assert (await story.handle.result()).outcome is Status.CANCELLED
        view = await story.read_view()
    assert len(world.signatures.cancelled) == 1
    assert ("cancellation asked for", "legal-desk", "wrong version") in [(e.what, e.who, e.why) for e in view.timeline]


async def test_cancelled_from_the_web_ui_is_treated_alike_and_closes_completed() -> None:
    world = World()
    async with start_story(world, record="cancelled-from-web-ui") as story:
        await story.days_pass(1)
        await story.handle.cancel(reason="asked by the customer")
        assert (await story.handle.result()).outcome is Status.CANCELLED
        described = await runs.described(story.env.client, story.handle.id)
        view = await story.read_view()
    assert described.status is RunStatus.COMPLETED
    assert ("cancellation asked for", "temporal", "asked by the customer") in [
        (e.what, e.who, e.why) for e in view.timeline
    ]


async def test_a_run_that_is_cancelled_because_nobody_answered_says_who_wanted_it_and_why() -> None:
    world = World()
    command = Cancellation(reason="They went\u202e elsewhere.", actor="legal-desk")
    async with start_story(world) as story:
        await story.days_pass(1)
        await story.handle.cancel(reason=command.of_the_run)
        assert (await story.handle.result()).outcome is Status.CANCELLED
        view = await story.read_view()
    assert ("cancellation asked for", "legal-desk", "They went elsewhere.") in [
        (e.what, e.who, e.why) for e in view.timeline
    ]


@pytest.mark.parametrize(
    "reason",
    [
        "{}",
        "[]",
        '{"actor": "legal-desk"}',
        '{"actor": "", "reason": "no"}',
        '{"actor": "a\\nb", "reason": "no"}',
        "no",
        "",
    ],
)
def test_what_else_a_run_is_cancelled_with_is_somebody_s_words_in_the_web_ui(reason: str) -> None:
    assert Cancellation.read(reason) == Cancellation(actor="temporal", reason=reason)


async def test_a_cancellation_that_comes_too_late_is_refused_in_words() -> None:
    world = World()
    world.handoff.down = {"finance"}
    async with start_story(world) as story:
        await story.days_pass(1)
        world.signatures.status = Status.SIGNED
        await story.callback()
        await story.days_pass(0.1)
        with pytest.raises(WorkflowUpdateFailedError) as refused:
            await story.send_command(Cancellation(reason="no", actor="x"))
        assert "too late: the request is signed" in str(refused.value.cause)


async def test_signed_and_cancelled_in_one_task_stays_signed() -> None:
    world = World()
    async with time_skipping() as env:
        async with workers(env.client, world, max_cached_workflows=0):
            story = await begin(env, world, a_request())
            await story.days_pass(0.1)
        world.signatures.status = Status.SIGNED
        await story.callback()
        await story.handle.cancel()
        async with workers(env.client, world, max_cached_workflows=0):
            assert (await story.handle.result()).outcome is Status.SIGNED
    assert {call.target.target for call in world.handoff.batches[0].calls} >= {"hr", "finance"}


async def test_repeated_and_late_events_change_nothing() -> None:
    world = World()
    async with start_story(world) as story:
        await story.days_pass(0.1)
        for _ in range(5):
            await story.callback("viewed", event="the-same")
        await story.days_pass(0.1)
        reads = len(world.signatures.observations)
        assert 1 <= reads <= 2
        await story.callback("viewed", event="the-same")
        await story.days_pass(0.1)
        assert len(world.signatures.observations) == reads

        world.signatures.status = Status.SIGNED
        await story.callback("signed")
        await story.handle.result()
        assert len(world.handoff.batches) == 1


async def test_a_forged_event_is_only_a_hint() -> None:
    world = World()
    async with start_story(world) as story:
        await story.days_pass(0.1)
        await story.callback("signed")
        await story.days_pass(0.1)
        view = await story.read_view()
    assert view.status is Status.SENT
    assert [waiting.person for waiting in view.waiting_for] == ["customer-signer"]


async def test_nobody_who_signed_is_nudged_when_the_callback_was_lost() -> None:
    world = World()
    async with start_story(world, record="lost-callback-open") as story:
        await story.days_pass(0.1)
        world.signatures.sign("customer-signer")
        await story.days_pass(3)
        assert ("reminder-1", "customer-signer") not in world.push.stages()
        assert ("ready", "chief-executive") in world.push.stages()
        view = await story.read_view()
    [line] = [n for n in view.notifications if n.stage == "reminder-1"]
    assert (line.outcome, line.why) == (NotificationOutcome.SUPPRESSED, "signed")


async def test_a_target_down_for_two_days_never_delays_signed() -> None:
    world = World()
    world.handoff.down = {"finance"}
    async with start_story(world, record="target-down") as story:
        await story.days_pass(0.1)
        world.signatures.status = Status.SIGNED
        await story.callback()
        await story.days_pass(0.01)
        view = await story.read_view()
        assert view.status is Status.SIGNED
        assert {h.target: h.state for h in view.handoffs}["hr"] is HandoffState.DONE
        await story.days_pass(2)
        [finance] = [h for h in (await story.read_view()).handoffs if h.target == "finance"]
        assert (finance.state, finance.attempts >= 7) == (HandoffState.PENDING, True)
        world.handoff.down = set()
        await story.handle.result()
        view = await story.read_view()
    assert {h.target: h.state for h in view.handoffs}["finance"] is HandoffState.DONE
    assert world.handoff.calls["hr"] == 1


@pytest.mark.long
async def test_a_missing_subscriber_is_a_dead_target_and_a_deaf_one_dies_after_its_attempts() -> None:
    world = World()
    world.handoff.closed_targets = {"customer-onboarding:acme"}
    world.handoff.down = {"finance"}
    async with start_story(world, a_request(subscribers=("customer-onboarding:acme",)), record="dead-targets") as story:
        await story.days_pass(0.1)
        world.signatures.status = Status.SIGNED
        await story.callback()
        assert (await story.handle.result()).outcome is Status.SIGNED
        handoffs = {h.target: (h.state, h.attempts, h.why) for h in (await story.read_view()).handoffs}
        view = await story.read_view()
    assert handoffs["customer-onboarding:acme"] == (HandoffState.DEAD, 1, "workflow_closed")
    assert handoffs["finance"] == (HandoffState.DEAD, 10, "no answer")
    assert [attention.code for attention in view.attention] == [AttentionCode.HANDOFF_DEAD]
    assert [notice.person for notice in world.handoff.notices if notice.stage == "undelivered"] == ["legal-desk"]


async def test_unauthorised_is_a_problem_that_is_probed_slowly_and_mends_itself() -> None:
    world = World()
    world.signatures.failures = [refusal(Code.UNAUTHORISED) for _ in range(4)]
    async with start_story(world, record="problem-unauthorised") as story:
        await story.days_pass(1 / 24 / 60 / 10)
        view = await story.read_view()
        assert view.problem is not None
        assert view.problem.code is Code.UNAUTHORISED
        await story.days_pass(1)
        assert len(world.signatures.created) == 5
        attempted_at = [order.now for order in world.signatures.created if order.now]
        assert len(set(attempted_at)) == 5, "who is absent is judged anew, for it may be days later"
        assert attempted_at == sorted(attempted_at)
        assert (await story.read_view()).problem is None
        assert world.push.stages() == [("ready", "customer-signer")]


@pytest.mark.long
async def test_the_clocks_stand_while_a_problem_of_ours_is_set() -> None:
    world = World()
    world.push.failures = []
    async with start_story(world, record="push-problem-open") as story:
        await story.days_pass(2.9)
        world.push.failures = [refusal(Code.UNAUTHORISED) for _ in range(100)]
        await story.days_pass(1)
        world.push.failures = []
        await story.days_pass(0.1)
        view = await story.read_view()
        assert view.problem is None
        reminded = [n.at for n in view.notifications if n.stage == "reminder-1"]
        assert len(reminded) == 1
        assert view.next is not None
        assert view.next.at is not None
        assert view.next.at - reminded[0] > timedelta(days=2.9)


async def test_used_id_ends_failed_without_a_single_notice_to_signers() -> None:
    world = World()
    world.signatures.failures = [refusal(Code.ID_USED_BEFORE)]
    async with start_story(world, record="failed-id-used") as story:
        settled = await story.handle.result()
        view = await story.read_view()
    assert settled.outcome is Status.FAILED
    assert view.problem is not None
    assert view.problem.code is Code.ID_USED_BEFORE
    assert world.push.sent == []
    assert world.signatures.observations == []
    assert world.handoff.batches[0].record is not None


async def test_a_conversion_error_is_an_ordinary_ending() -> None:
    world = World()
    world.signatures.status = Status.CONVERTING
    async with start_story(world, record="failed-conversion") as story:
        await story.days_pass(0.001)
        assert (await story.read_view()).says == "Core Signature is preparing the document"
        world.signatures.status, world.signatures.code = Status.FAILED, Code.CONVERT_ERROR
        await story.callback("convert_error")
        assert (await story.handle.result()).outcome is Status.FAILED
        view = await story.read_view()
    assert view.problem is not None
    assert view.problem.code is Code.CONVERT_ERROR


async def test_a_lost_callback_of_the_conversion_is_found_by_looking_now_and_then() -> None:
    world = World()
    world.signatures.status = Status.CONVERTING
    async with start_story(world) as story:
        await story.days_pass(0.03)
        looks = len(world.signatures.observations)
        assert looks < 8
        world.signatures.status = Status.SENT
        await story.days_pass(0.02)
        assert world.push.stages() == [("ready", "customer-signer")]


async def test_planning_that_fails_is_a_problem_and_is_retried_durably() -> None:
    world = World()
    world.planner.failures = [refusal(Code.DIRECTORY) for _ in range(3)]
    async with start_story(world, record="problem-directory-open") as story:
        await story.days_pass(0.0001)
        problem = (await story.read_view()).problem
        assert problem is not None
        assert problem.code is Code.DIRECTORY
        await story.days_pass(0.1)
        view = await story.read_view()
    assert view.problem is None
    assert view.next is not None
    assert view.next.what == "remind"


async def test_only_the_phones_left_open_are_tried_again() -> None:
    world = World()
    world.push.open_once = ["0123456789ab"]
    async with start_story(world, record="stragglers-open") as story:
        await story.days_pass(0.1)
    assert [delivery.devices for delivery in world.push.deliveries] == [None, ("0123456789ab",)]


async def test_a_command_to_cancel_is_heard_while_the_provider_does_not_answer() -> None:
    world = World()
    world.signatures.failures = [refusal(Code.UNREACHABLE) for _ in range(3)]
    world.signatures.never_had_it = True
    async with start_story(world, record="cancelled-before-creation") as story:
        await story.days_pass(0.0001)
        world.signatures.failures = []
        await story.send_command(Cancellation(reason="mistake", actor="x"))
        assert (await story.handle.result()).outcome is Status.CANCELLED
    assert [order.document for order in world.signatures.cancelled] == [None]


async def test_after_an_outage_one_catch_up_reminder_not_three() -> None:
    world = World()
    async with start_story(world, silent_for(a_request(), timedelta(days=10))) as story:
        await story.days_pass(0.1)
        view = await story.read_view()
    assert world.push.stages() == [("reminder-3", "customer-signer")]
    suppressed = [(n.stage, n.why) for n in view.notifications if n.outcome is NotificationOutcome.SUPPRESSED]
    assert suppressed == [("reminder-1", "caught_up"), ("reminder-2", "caught_up")]


async def test_after_an_outage_beyond_the_due_date_the_last_warning_comes_before_the_end() -> None:
    world = World()
    async with start_story(world, silent_for(a_request(), timedelta(days=40))) as story:
        assert (await story.handle.result()).outcome is Status.EXPIRED
    assert [stage for stage, _ in world.push.stages()] == ["warning-1d", "escalation", "escalated"]


@pytest.mark.long
async def test_a_long_life_continues_as_new_with_state_and_seen_events_carried(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Of runs a sixteenth as long as they may be; `tests/chaos/test_histories.py` has the longest."""
    monkeypatch.setattr(options, "RUN_AT_MOST", options.RUN_AT_MOST // 16)
    world = World()
    twice_a_day = tuple(timedelta(hours=12 * number) for number in range(1, 111))
    world.planner = ManyReminders(reminders=twice_a_day, window=timedelta(days=400))
    async with start_story(world) as story:
        await story.callback("viewed", event="early")
        await story.send_command(PauseCommand(actor="legal-desk"), op="op-1")
        await story.send_command(Resumption(actor="legal-desk"), op="op-2")
        for _ in range(2):
            await story.days_pass(30)
        reads = len(world.signatures.observations)
        await story.callback("viewed", event="early")
        await story.send_command(PauseCommand(actor="legal-desk"), op="op-1")
        await story.days_pass(0.01)
        view = await story.read_view()
        description = await story.env.client.get_workflow_handle(story.handle.id).describe()
        assert len(world.signatures.observations) == reads
        assert description.run_id != story.handle.first_execution_run_id
        assert description.history_length < 500
        world.signatures.status = Status.SIGNED
        await story.callback("signed")
        assert (await story.handle.result()).outcome is Status.SIGNED
    assert [stage for stage, _ in world.push.stages()].count("ready") == 1
    assert [notification.stage for notification in view.notifications].count("ready") == 1
    assert len([line for line in view.notifications if line.stage.startswith("reminder-")]) == 110
    assert [e.what for e in view.timeline].count("paused") == 1, (
        "an update that was repeated in a later run was made again"
    )
    [record] = [batch.record for batch in world.handoff.batches if batch.record]
    assert record.run_id == story.handle.first_execution_run_id


async def test_a_callback_that_comes_while_the_creation_runs_is_not_lost() -> None:
    world = World()
    world.signatures.create_gate = asyncio.Event()
    async with start_story(world) as story:
        await world.signatures.creating.wait()
        await story.callback("signed")
        assert world.signatures.observations == []
        world.signatures.create_gate.set()
        await world.signatures.observing.wait()
        assert (await story.read_view()).status is Status.SENT


@pytest.mark.long
async def test_a_faulty_people_file_is_a_problem_that_stops_no_clock_and_mends_itself() -> None:
    world = World()
    world.planner.doubt = "people.yaml:7: zone: unknown"
    world.planner.reminders = (timedelta(hours=12), timedelta(hours=24))
    async with start_story(world) as story:
        await story.days_pass(0.6)
        view = await story.read_view()
        assert view.problem is not None
        assert (view.problem.code, view.problem.says) == (Code.DIRECTORY, "people.yaml:7: zone: unknown")
        assert world.push.stages() == [("ready", "customer-signer"), ("reminder-1", "customer-signer")]
        world.planner.doubt = None
        await story.days_pass(0.02)
        view = await story.read_view()
    assert view.problem is None
    assert view.next is not None
    assert view.next.what == "remind"


async def test_a_lost_callback_is_noticed_within_a_week_when_nobody_is_to_be_nudged() -> None:
    world = World()
    world.planner.reminders, world.planner.escalate_after = (), None
    world.planner.window = timedelta(days=90)
    async with start_story(world, a_request(Participant(person="customer-signer", order=1))) as story:
        began = await story.env.get_current_time()
        await story.days_pass(40)
        world.signatures.sign("customer-signer")
        world.signatures.status = Status.SIGNED
        settled = await story.handle.result()
    assert settled.outcome is Status.SIGNED
    assert settled.at - began < timedelta(days=47)


async def test_an_alternate_is_alerted_once_though_the_document_has_news() -> None:
    world = World()
    async with start_story(world, a_request(*PARALLEL)) as story:
        await story.days_pass(11.5)
        world.signatures.sign("chief-executive", SignerState.VIEWED)
        await story.days_pass(1)
    escalated = [notification for notification in world.push.stages() if "escalat" in notification[0]]
    assert sorted(escalated) == [
        ("escalated", "chief-executive"), ("escalated", "customer-signer"),
        ("escalation", "chair"), ("escalation", "chair"),
    ]  # fmt: skip
