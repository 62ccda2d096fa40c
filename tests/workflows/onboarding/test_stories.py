"""The life of an onboarding: stage after stage, and what happens when a part does not end as it should."""

from datetime import timedelta
from pathlib import Path

import pytest
from temporalio.client import WorkflowUpdateFailedError

from activities.onboarding.content import OnboardingContent, keep_part
from tests.servers import real_server
from tests.workflows.onboarding.stage import (
    AGREEMENTS,
    CUSTOMER,
    DETAILS,
    LIVE,
    OWNER,
    SET_UP,
    WHOLE,
    OnboardingStory,
    a_file,
    an_agreement,
    set_locale,
    start_onboarding,
)
from workflows.kinds import Kind
from workflows.model.commands import (
    Block,
    Cancellation,
    Decision,
    Delegation,
    PartOutcome,
    Question,
    ReviewAnswer,
    Revision,
    Subscription,
    TaskCompletion,
    Unblock,
    Waiver,
)
from workflows.model.notifications import NotificationOutcome
from workflows.model.receipts import OperationState
from workflows.model.signature import SignerState
from workflows.model.subject import Status
from workflows.model.timeline import EventType
from workflows.model.views import AttentionCode, OnboardingShow, TaskShow
from workflows.names import SHOW

ONE = {"name": "agreements", "agreements": [an_agreement()]}


def decision(choice: PartOutcome, part: str = "agreement-1", **fields: str) -> Decision:
    return Decision(actor=OWNER, part=part, choice=choice, **fields)


async def wait_for_decision(onboarding: OnboardingStory, part: str = "agreement-1") -> str:
    """The task to decide, once its owner was asked."""
    await onboarding.wait_until(
        lambda view: any(waiting.part == part and waiting.who == "owner" for waiting in view.waiting_for)
    )
    # It may have begun while the clock moved: then its first task comes with the next move.
    await onboarding.days_pass(0.001)
    line = await onboarding.part(part)
    assert line.decision is not None
    return line.decision


async def test_each_part_knows_how_many_onboardings_have_started_each_other(tmp_path: Path) -> None:
    async with start_onboarding(tmp_path, a_file({**SET_UP, **ONE}), depth=3) as onboarding:
        await onboarding.wait_until_notified(await onboarding.wait_for_workflow("agreement-1"), "ready", CUSTOMER)
        await onboarding.wait_until_notified(await onboarding.wait_for_workflow("account"), "ready", "operations-desk")
        subjects = [delivery.subject for delivery in onboarding.push.deliveries]
    assert {(subject.type, subject.depth) for subject in subjects} == {
        (kind, 3) for kind in (Kind.REQUEST, Kind.TASK, Kind.ONBOARDING)
    }


@pytest.mark.long
async def test_a_customer_is_led_through_all_stages_and_everyone_hears_when_it_is_their_turn(tmp_path: Path) -> None:
    async with start_onboarding(tmp_path, a_file(*WHOLE), record="onboarding-happy") as onboarding:
        await onboarding.wait_for_part("agreement-2")
        view = await onboarding.read_view()
        assert [stage.state for stage in view.stages] == ["open", "coming", "coming", "coming"]
        assert {waiting.what for waiting in view.waiting_for} == {
            "Master services agreement",
            "Data processing agreement",
        }
        await onboarding.end_agreement("agreement-1")
        await onboarding.end_agreement("agreement-2")
        await onboarding.complete_task("account", "operations-desk")
        await onboarding.complete_task("billing", CUSTOMER)
        settlement = await onboarding.wait_for_end()
        view = await onboarding.read_view()
    assert (settlement.outcome, view.status) == (Status.DONE, Status.DONE)
    assert {part.id: part.state for part in settlement.parts} == {
        "agreement-1": "signed",
        "agreement-2": "signed",
        "account": "done",
        "billing": "done",
    }
    assert [stage.state for stage in view.stages] == ["done"] * 4
    news = onboarding.notices_of("customer-onboarding:acme")
    assert ("settled", "operations-desk") in onboarding.notices_of("signature-request:acme.1.1")
    assert ("settled", "success-desk") in onboarding.notices_of("signature-request:acme.1.2")
    assert news.count(("begun-account", CUSTOMER)) == news.count(("finished-account", CUSTOMER)) == 1
    assert ("notice-notice-1", CUSTOMER) in news
    assert ("settled", OWNER) in news


@pytest.mark.long
async def test_every_part_and_its_notices_name_the_customer(tmp_path: Path) -> None:
    news = [{"to": "operations", "text": "Please prepare."}, {"to": "customer", "text": "Welcome."}]
    stages = ({**ONE, "notices": news}, SET_UP, DETAILS)
    async with start_onboarding(tmp_path, a_file(*stages)) as onboarding:
        await onboarding.end_agreement("agreement-1", Status.DECLINED)
        await onboarding.wait_until_notified(await wait_for_decision(onboarding), "ready", OWNER)
        await onboarding.send_command(decision(PartOutcome.WAIVE, reason="On paper."))
        await onboarding.wait_until_notified(await onboarding.wait_for_workflow("account"), "ready", "operations-desk")
        await onboarding.complete_task("account", "operations-desk")
        await onboarding.wait_until_notified(
            billing := await onboarding.wait_for_workflow("billing"), "ready", CUSTOMER
        )
        memo = await (await onboarding.client.get_workflow_handle(billing).describe()).memo()
        titles = {
            delivery.subject.title
            for delivery in onboarding.push.deliveries
            if delivery.subject.type is not Kind.ONBOARDING
        }
        notices = [notice for delivery in onboarding.push.deliveries for notice in delivery.notices]
        news_titles = {notice.person: notice.title for notice in notices if notice.stage.startswith("notice-")}
    assert titles == {
        "Master services agreement: Acme",
        "Decide: Master services agreement: Acme",
        "Create the account: Acme",
        "Where do the invoices go?: Acme",
    }
    assert "Where do the invoices go?: Acme" in memo.values(), "lists have the memo's title"
    assert news_titles == {"operations-desk": "Acme", CUSTOMER: None}


@pytest.mark.long
async def test_a_declined_agreement_is_replaced_and_the_others_go_on(tmp_path: Path) -> None:
    async with start_onboarding(tmp_path, a_file(AGREEMENTS, LIVE), record="onboarding-replaced") as onboarding:
        set_locale(tmp_path, OWNER, "de")
        await onboarding.end_agreement("agreement-1", Status.DECLINED, reason="The price is wrong.")
        task = await wait_for_decision(onboarding)
        await onboarding.wait_until_notified(task, "ready", OWNER)
        view = await onboarding.read_view()
        assert view.attention[0].code is AttentionCode.DECISION
        await onboarding.end_agreement("agreement-2")

        home = onboarding.handle.id
        content = await OnboardingContent.read(onboarding.store, home, onboarding.workflow_input.onboarding.content)
        replaced_part = content.parts["agreement-1"].model_copy(update={"file": {**content.parts["agreement-1"].file}})
        replaced_part = replaced_part.model_copy(
            update={"file": {**replaced_part.file, "document": {"file": "msa.pdf", "name": "New terms"}}}
        )
        reference = await keep_part(onboarding.store, home, "replacement", replaced_part)
        receipt = await onboarding.send_command(decision(PartOutcome.REPLACE, content=reference), op="op-1")
        assert receipt.state is OperationState.DONE
        assert (
            await onboarding.send_command(decision(PartOutcome.REPLACE, content=reference), op="op-1")
        ).state is OperationState.DONE

        await onboarding.wait_until(lambda view: "acme.1.1.r2" in str(view.stages[0].agreements[0].workflow))
        await onboarding.end_agreement("agreement-1")
        settlement = await onboarding.wait_for_end()
        decided = await onboarding.record_of(task)
        assert decided.status is Status.DONE
        text, history, view = await onboarding.text_of(task), await onboarding.history(), await onboarding.read_view()
    assert settlement.outcome is Status.DONE
    assert isinstance(decided, TaskShow)
    assert decided.title == "Entscheiden: Master services agreement: Acme", "in the language of the owner"
    assert text.startswith("Master services agreement: Die Unterschrift wurde abgelehnt. The price is wrong.\n\nBitte")
    assert "countersign onboard" not in text and "--part" not in text
    declined = [entry.by for entry in view.timeline if entry.happened == EventType.PART_DECLINED]
    assert declined == [CUSTOMER]
    assert "The price" not in history
    assert sorted(order.brief.id for order in onboarding.provider.created) == ["acme.1.1", "acme.1.1.r2", "acme.1.2"]


@pytest.mark.long
async def test_an_expired_agreement_is_waived(tmp_path: Path) -> None:
    stage = {"name": "agreements", "agreements": [an_agreement(kind="short")]}
    async with start_onboarding(tmp_path, a_file(stage, LIVE), record="onboarding-waived") as onboarding:
        await onboarding.wait_for_part("agreement-1")
        await onboarding.days_pass(6)
        await wait_for_decision(onboarding)
        assert await onboarding.read_refusal(decision(PartOutcome.WAIVE)) == "the reason is empty"
        await onboarding.send_command(decision(PartOutcome.WAIVE, reason="They signed on paper."))
        settlement = await onboarding.wait_for_end()
    assert (settlement.outcome, settlement.parts[0].state) == (Status.DONE, "waived")


@pytest.mark.long
async def test_a_decision_that_waits_is_followed_up_and_asked_for_again_when_its_task_just_ends(tmp_path: Path) -> None:
    async with start_onboarding(tmp_path, a_file(ONE)) as onboarding:
        await onboarding.end_agreement("agreement-1", Status.DECLINED)
        task = await wait_for_decision(onboarding)
        await onboarding.days_pass(5)
        stages = {stage for stage, person in onboarding.notices_of(task) if person == OWNER}
        # The reminder of the first day would come together with the escalation and gives way to it.
        assert {"ready", "escalated", "overdue-1"} <= stages
        assert ("escalation", "chair") in onboarding.notices_of(task), "the owner's manager"
        for command in (TaskCompletion(actor=OWNER), Waiver(actor=OWNER, reason="Never mind.")):
            with pytest.raises(WorkflowUpdateFailedError) as undecided:
                await onboarding.send_command_to(task, command)
            assert str(undecided.value.cause) == (
                "refused: it asks for a decision, so decide: countersign onboard decide acme --part agreement-1, and "
                "one of --resend, --replace FILE, --waive --reason R, --stop --reason R"
            )
        await onboarding.send_command_to(task, Cancellation(actor="operations-desk", reason="By mistake."))
        await onboarding.wait_until(lambda view: view.stages[0].agreements[0].decision == f"{task}.r2")
        await onboarding.send_command(decision(PartOutcome.STOP, reason="They went elsewhere."))
        settlement = await onboarding.wait_for_end()
    assert (settlement.outcome, settlement.parts[0].state) == (Status.CANCELLED, "stopped")


@pytest.mark.long
async def test_a_question_of_the_customer_and_a_block_pause_only_their_own_part(tmp_path: Path) -> None:
    steps = {
        "name": "details",
        "steps": [{"id": "billing", "title": "Invoices"}, {"id": "dns", "title": "Your domain"}],
    }
    async with start_onboarding(tmp_path, a_file(steps)) as onboarding:
        billing, dns = await onboarding.wait_for_workflow("billing"), await onboarding.wait_for_workflow("dns")
        await onboarding.at_rest()
        await onboarding.send_command_to(billing, Block(person=CUSTOMER, because="Our bank is closed."))
        await onboarding.send_command_to(dns, Question(person=CUSTOMER, text="Which one?"))
        await onboarding.wait_until_notified(billing, "blocked-1", OWNER)
        await onboarding.send_command_to(billing, Unblock(actor=OWNER, text="Take your time."))
        await onboarding.wait_until_notified(billing, "answer-1", CUSTOMER)
        await onboarding.complete_task("billing", CUSTOMER)
        await onboarding.complete_task("dns", CUSTOMER)
        assert (await onboarding.wait_for_end()).outcome is Status.DONE


@pytest.mark.long
async def test_a_late_team_is_escalated_to_its_manager_and_a_late_customer_to_the_owner(tmp_path: Path) -> None:
    stage_of_two = {**SET_UP, "steps": DETAILS["steps"]}
    async with start_onboarding(tmp_path, a_file(stage_of_two)) as onboarding:
        account, billing = (
            await onboarding.wait_for_workflow("account"),
            await onboarding.wait_for_workflow("billing"),
        )
        await onboarding.days_pass(12)
        assert ("escalation", "chair") in onboarding.notices_of(account)
        assert {OWNER} <= {person for stage, person in onboarding.notices_of(billing) if stage.startswith("escalation")}
        await onboarding.complete_task("account", "operations-desk")
        await onboarding.complete_task("billing", CUSTOMER)
        assert (await onboarding.wait_for_end()).outcome is Status.DONE


async def test_a_step_is_handed_to_a_colleague_of_the_customer(tmp_path: Path) -> None:
    async with start_onboarding(tmp_path, a_file(DETAILS)) as onboarding:
        billing = await onboarding.wait_for_workflow("billing")
        await onboarding.at_rest()
        await onboarding.send_command_to(billing, Delegation(actor=OWNER, signer=CUSTOMER, to="customer-colleague"))
        await onboarding.wait_until_notified(billing, "ready", "customer-colleague")
        await onboarding.complete_task("billing", "customer-colleague")
        assert (await onboarding.wait_for_end()).outcome is Status.DONE


@pytest.mark.long
async def test_a_stop_in_the_middle_ends_every_open_part_and_begins_nothing_more(tmp_path: Path) -> None:
    stage_of_two = {
        "name": "first",
        **{key: value for stage in (AGREEMENTS, SET_UP) for key, value in stage.items() if key != "name"},
    }
    async with start_onboarding(tmp_path, a_file(stage_of_two, LIVE), record="onboarding-stopped") as onboarding:
        await onboarding.end_agreement("agreement-1")
        account = await onboarding.wait_for_workflow("account")
        await onboarding.at_rest()
        await onboarding.send_command(Cancellation(actor=OWNER, reason="They went elsewhere. " * 47))
        settlement = await onboarding.wait_for_end()
        assert (await onboarding.client.get_workflow_handle(account).result())["outcome"] == "cancelled"
        view = await onboarding.client.get_workflow_handle(account).query(SHOW, result_type=TaskShow)
        stages = (await onboarding.handle.query(SHOW, result_type=OnboardingShow)).stages
    assert [stage.state for stage in stages] == ["stopped", "stopped"], "nothing of it comes any more"
    assert settlement.outcome is Status.CANCELLED
    assert {line.target: line.state for line in view.handoffs} == {onboarding.handle.id: "done"}
    assert not [stage for stage, _ in onboarding.notices_of(account) if stage.startswith("undelivered")]
    assert [part.state for part in settlement.parts] == ["signed", "stopped", "stopped"]
    assert ("notice-notice-1", CUSTOMER) not in onboarding.notices_of("customer-onboarding:acme")


@pytest.mark.long
async def test_a_task_that_somebody_waives_is_over_and_a_terminated_part_becomes_a_decision(tmp_path: Path) -> None:
    """Sent again it is taken up under its own id, however often: another one would have a second document to sign."""
    stage_of_two = {**SET_UP, "agreements": [an_agreement()]}
    async with start_onboarding(tmp_path, a_file(stage_of_two)) as onboarding:
        account, agreement = (
            (await onboarding.wait_for_part("account")),
            (await onboarding.wait_for_part("agreement-1")),
        )
        await onboarding.at_rest()
        await onboarding.send_command_to(account.workflow or "", Waiver(actor=OWNER, reason="They have one."))
        await onboarding.client.get_workflow_handle(agreement.workflow or "").terminate("by hand")
        await onboarding.days_pass(2)
        await wait_for_decision(onboarding)
        assert (await onboarding.part("agreement-1")).says == "its workflow was broken off"
        assert (await onboarding.part("account")).state == "waived"
        await onboarding.send_command(decision(PartOutcome.RESEND))
        await onboarding.wait_for_part("agreement-1")
        await onboarding.at_rest()
        await onboarding.client.get_workflow_handle(agreement.workflow or "").terminate("once more")
        await onboarding.days_pass(8)
        await wait_for_decision(onboarding)
        await onboarding.send_command(decision(PartOutcome.RESEND))
        await onboarding.end_agreement("agreement-1")
        assert (await onboarding.wait_for_end()).outcome is Status.DONE
    assert {order.brief.id for order in onboarding.provider.created} == {"acme.1.1"}


@pytest.mark.long
async def test_of_what_somebody_terminated_no_document_is_left_to_be_signed(tmp_path: Path) -> None:
    """Neither beside another one that its owner has sent instead, nor once the onboarding is over."""
    async with start_onboarding(tmp_path, a_file(AGREEMENTS)) as onboarding:
        parts = [await onboarding.wait_for_workflow(id) for id in ("agreement-1", "agreement-2")]
        await onboarding.at_rest()
        for part in parts:
            await onboarding.client.get_workflow_handle(part).terminate("by hand")
        await onboarding.days_pass(2)
        await wait_for_decision(onboarding)
        home = onboarding.handle.id
        content = await OnboardingContent.read(onboarding.store, home, onboarding.workflow_input.onboarding.content)
        reference = await keep_part(onboarding.store, home, "replacement", content.parts["agreement-2"])
        await onboarding.send_command(decision(PartOutcome.REPLACE, content=reference))
        await onboarding.wait_until(
            lambda view: onboarding.provider.cancelled and "acme.1.1.r2" in str(view.stages[0].agreements[0].workflow)
        )
        assert [order.subject.id for order in onboarding.provider.cancelled] == ["acme.1.1"]
        await onboarding.send_command(Cancellation(actor=OWNER, reason="They went elsewhere."))
        await onboarding.wait_for_end()
        settlement = [await onboarding.client.get_workflow_handle(part).result() for part in parts]
    assert [settlement["outcome"] for settlement in settlement] == ["cancelled", "cancelled"]
    assert {order.subject.id for order in onboarding.provider.cancelled} == {"acme.1.1", "acme.1.1.r2", "acme.1.2"}
    assert len(onboarding.provider.created) == 3, "nothing is made of what is only ended"


async def test_a_phone_that_takes_no_news_at_first_is_tried_again(tmp_path: Path) -> None:
    news = [{"to": "customer", "text": "Welcome."}, {"to": "owner", "text": "They are in."}]
    file = a_file({"name": "live", "notices": news})
    async with start_onboarding(tmp_path, file, deaf=(CUSTOMER,)) as onboarding:
        assert (await onboarding.wait_for_end()).outcome is Status.DONE
        outcomes = {line.stage: line.outcome for line in (await onboarding.read_view()).notifications}
    assert outcomes["notice-notice-1"] is outcomes["notice-notice-2"] is NotificationOutcome.ACCEPTED
    assert [delivery.devices for delivery in onboarding.push.deliveries if delivery.document is None][:2] == [
        None,
        (CUSTOMER,),
    ]


async def test_a_phone_that_is_throttled_holds_up_no_stage_and_gets_the_news_when_its_time_is_over(
    tmp_path: Path,
) -> None:
    news = [{"to": "customer", "text": "Welcome."}, {"to": "owner", "text": "They are in."}]
    file = a_file({"name": "welcome", "notices": news}, DETAILS)
    async with start_onboarding(tmp_path, file, deaf=(CUSTOMER,)) as onboarding:
        onboarding.push.asks_to_wait = 3_600
        began = await onboarding.env.get_current_time()
        await onboarding.wait_for_part("billing")
        assert await onboarding.env.get_current_time() - began < timedelta(minutes=1)
        await onboarding.days_pass(0.05)
        deliveries = [delivery for delivery in onboarding.push.deliveries if delivery.devices is not None]
        await onboarding.complete_task("billing", CUSTOMER)
        assert (await onboarding.wait_for_end()).outcome is Status.DONE
    assert [(delivery.devices, [notice.person for notice in delivery.notices]) for delivery in deliveries] == [
        ((CUSTOMER,), [CUSTOMER])
    ]


async def test_who_subscribes_to_an_onboarding_is_told_of_its_end(tmp_path: Path) -> None:
    async with start_onboarding(tmp_path, a_file(DETAILS)) as onboarding:
        await onboarding.wait_for_part("billing")
        await onboarding.send_command(Subscription(actor=OWNER, workflow="customer-onboarding:other"))
        await onboarding.complete_task("billing", CUSTOMER)
        await onboarding.wait_for_end()
        lines = {line.target: line.state for line in (await onboarding.read_view()).handoffs}
    assert lines == {"customer-onboarding:other": "dead"}


@pytest.mark.long
async def test_a_customer_of_half_a_year_costs_a_look_a_week(tmp_path: Path) -> None:
    async with start_onboarding(tmp_path, a_file(DETAILS)) as onboarding:
        await onboarding.wait_for_part("billing")
        await onboarding.at_rest()
        length_before = (await onboarding.handle.describe()).history_length
        await onboarding.env.sleep(182 * 86_400)
        looked = (await onboarding.handle.describe()).history_length
        await onboarding.complete_task("billing", CUSTOMER)
        assert (await onboarding.wait_for_end()).outcome is Status.DONE
    looks = 182 / 7 + 3
    assert looked - length_before <= 11 * looks


@pytest.mark.long
@pytest.mark.real_server
async def test_it_goes_on_in_fresh_runs_with_parts_open_and_nobody_is_told_twice(tmp_path: Path) -> None:
    early = real_server("--dynamic-config-value", "limit.historyCount.suggestContinueAsNew=30")
    stages = (
        {
            "name": "set-up",
            "tasks": [{"title": f"Task {n}", "team": "operations", "tell_customer": True} for n in range(6)],
        },
        LIVE,
    )
    async with start_onboarding(tmp_path, a_file(*stages), server=early, record="onboarding-fresh") as onboarding:
        for number in range(1, 7):
            await onboarding.complete_task(f"task-{number}", "operations-desk")
        settlement = await onboarding.wait_for_end()
        runs = await onboarding.runs()
    assert settlement.outcome is Status.DONE
    assert runs > 1
    news = [notice for notice in onboarding.notices_of("customer-onboarding:acme") if notice[1] == CUSTOMER]
    assert sorted(news) == sorted({*news})
    assert len(news) == 13


@pytest.mark.long
async def test_an_agreement_is_reviewed_first_and_its_customer_hears_nothing_of_that(tmp_path: Path) -> None:
    agreements = {"name": "agreements", "agreements": [an_agreement(reviewers=[{"person": "chair"}])]}
    async with start_onboarding(tmp_path, a_file(agreements, LIVE)) as onboarding:
        agreement = await onboarding.wait_for_workflow("agreement-1")
        await onboarding.wait_until_notified(agreement, "ready", "chair")
        reviewed_view = await onboarding.wait_until(
            lambda reviewed_view: [waiting.person for waiting in reviewed_view.waiting_for] == ["chair"]
        )
        assert onboarding.stages_sent_to(CUSTOMER) == []
        await onboarding.send_command_to(agreement, ReviewAnswer(actor="chair", changes="Clause 3 is wrong."))
        await onboarding.wait_until(lambda view: [waiting.person for waiting in view.waiting_for] == [OWNER])
        second = await onboarding.store.files.put(b"%PDF-1.7 second")
        await onboarding.send_command_to(
            agreement, Revision(actor=OWNER, sha256=second, size=15, file_name="second.pdf")
        )
        await onboarding.send_command_to(agreement, ReviewAnswer(actor="chair", approve=True))
        await onboarding.wait_until_notified(agreement, "ready", CUSTOMER)
        await onboarding.end_agreement("agreement-1")
        settlement = await onboarding.wait_for_end()
        record = await onboarding.record_of(agreement)
    assert settlement.outcome is Status.DONE
    assert [(line.round, line.person, line.state) for line in record.all_reviews] == [
        (1, "chair", SignerState.CHANGES),
        (1, OWNER, SignerState.REVISED),
        (2, "chair", SignerState.APPROVED),
    ]
    assert reviewed_view.attention == ()
