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
    Journeys,
    a_file,
    an_agreement,
    onboarding,
    speaks,
)
from workflows.kinds import Kind
from workflows.model.commands import (
    Block,
    Cancellation,
    Decision,
    Delegation,
    Done,
    PartOutcome,
    Question,
    ReviewAnswer,
    Revision,
    Subscription,
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


def decision(choice: PartOutcome, part: str = "agreement-1", **more: str) -> Decision:
    return Decision(actor=OWNER, part=part, choice=choice, **more)


async def waits_for_a_decision(it: Journeys, part: str = "agreement-1") -> str:
    """The task to decide, once its owner was asked."""
    await it.until(lambda shown: any(one.part == part and one.who == "owner" for one in shown.waiting_for))
    # It may have begun while the clock moved: then its first task comes with the next move.
    await it.days_pass(0.001)
    line = await it.part(part)
    assert line.decision is not None
    return line.decision


async def test_each_part_knows_how_many_onboardings_have_started_each_other(tmp_path: Path) -> None:
    async with onboarding(tmp_path, a_file({**SET_UP, **ONE}), depth=3) as it:
        await it.hears(await it.open("agreement-1"), "ready", CUSTOMER)
        await it.hears(await it.open("account"), "ready", "operations-desk")
        subjects = [delivery.subject for delivery in it.push.deliveries]
    assert {(one.type, one.depth) for one in subjects} == {
        (kind, 3) for kind in (Kind.REQUEST, Kind.TASK, Kind.ONBOARDING)
    }


async def test_a_customer_is_led_through_all_stages_and_everyone_hears_when_it_is_their_turn(tmp_path: Path) -> None:
    async with onboarding(tmp_path, a_file(*WHOLE), record="onboarding-happy") as it:
        await it.until_open("agreement-2")
        shown = await it.shown()
        assert [stage.state for stage in shown.stages] == ["open", "coming", "coming", "coming"]
        assert {one.what for one in shown.waiting_for} == {"Master services agreement", "Data processing agreement"}
        await it.signed("agreement-1")
        await it.signed("agreement-2")
        await it.done("account", "operations-desk")
        await it.done("billing", CUSTOMER)
        ended = await it.ended()
        shown = await it.shown()
    assert (ended.outcome, shown.status) == (Status.DONE, Status.DONE)
    assert {one.id: one.state for one in ended.parts} == {
        "agreement-1": "signed",
        "agreement-2": "signed",
        "account": "done",
        "billing": "done",
    }
    assert [stage.state for stage in shown.stages] == ["done"] * 4
    news = it.notices_of("customer-onboarding:acme")
    assert ("settled", "operations-desk") in it.notices_of("signature-request:acme.1.1")
    assert ("settled", "success-desk") in it.notices_of("signature-request:acme.1.2")
    assert news.count(("begun-account", CUSTOMER)) == news.count(("finished-account", CUSTOMER)) == 1
    assert ("notice-notice-1", CUSTOMER) in news
    assert ("settled", OWNER) in news


async def test_every_part_and_its_notices_name_the_customer(tmp_path: Path) -> None:
    news = [{"to": "operations", "text": "Please prepare."}, {"to": "customer", "text": "Welcome."}]
    stages = ({**ONE, "notices": news}, SET_UP, DETAILS)
    async with onboarding(tmp_path, a_file(*stages)) as it:
        await it.signed("agreement-1", Status.DECLINED)
        await it.hears(await waits_for_a_decision(it), "ready", OWNER)
        await it.wish(decision(PartOutcome.WAIVE, reason="On paper."))
        await it.hears(await it.open("account"), "ready", "operations-desk")
        await it.done("account", "operations-desk")
        await it.hears(billing := await it.open("billing"), "ready", CUSTOMER)
        memo = await (await it.client.get_workflow_handle(billing).describe()).memo()
        titles = {one.subject.title for one in it.push.deliveries if one.subject.type is not Kind.ONBOARDING}
        notices = [notice for one in it.push.deliveries for notice in one.notices]
        news_titles = {one.person: one.title for one in notices if one.stage.startswith("notice-")}
    assert titles == {
        "Master services agreement: Acme",
        "Decide: Master services agreement: Acme",
        "Create the account: Acme",
        "Where do the invoices go?: Acme",
    }
    assert "Where do the invoices go?: Acme" in memo.values(), "lists have the memo's title"
    assert news_titles == {"operations-desk": "Acme", CUSTOMER: None}


async def test_a_declined_agreement_is_replaced_and_the_others_go_on(tmp_path: Path) -> None:
    async with onboarding(tmp_path, a_file(AGREEMENTS, LIVE), record="onboarding-replaced") as it:
        speaks(tmp_path, OWNER, "de")
        await it.signed("agreement-1", Status.DECLINED, reason="The price is wrong.")
        task = await waits_for_a_decision(it)
        await it.hears(task, "ready", OWNER)
        shown = await it.shown()
        assert shown.attention[0].code is AttentionCode.DECISION
        await it.signed("agreement-2")

        home = it.handle.id
        content = await OnboardingContent.read(it.store, home, it.given.onboarding.content)
        other = content.parts["agreement-1"].model_copy(update={"file": {**content.parts["agreement-1"].file}})
        other = other.model_copy(update={"file": {**other.file, "document": {"file": "msa.pdf", "name": "New terms"}}})
        reference = await keep_part(it.store, home, "replacement", other)
        receipt = await it.wish(decision(PartOutcome.REPLACE, content=reference), op="op-1")
        assert receipt.state is OperationState.DONE
        assert (await it.wish(decision(PartOutcome.REPLACE, content=reference), op="op-1")).state is OperationState.DONE

        await it.until(lambda shown: "acme.1.1.r2" in str(shown.stages[0].agreements[0].workflow))
        await it.signed("agreement-1")
        ended = await it.ended()
        decided = await it.record_of(task)
        assert decided.status is Status.DONE
        text, history, shown = await it.text_of(task), await it.history(), await it.shown()
    assert ended.outcome is Status.DONE
    assert isinstance(decided, TaskShow)
    assert decided.title == "Entscheiden: Master services agreement: Acme", "in the language of the owner"
    assert text.startswith("Master services agreement: Die Unterschrift wurde abgelehnt. The price is wrong.\n\nBitte")
    assert "countersign onboard" not in text and "--part" not in text
    declined = [entry.by for entry in shown.timeline if entry.happened == EventType.PART_DECLINED]
    assert declined == [CUSTOMER]
    assert "The price" not in history
    assert sorted(order.brief.id for order in it.provider.created) == ["acme.1.1", "acme.1.1.r2", "acme.1.2"]


async def test_an_expired_agreement_is_waived(tmp_path: Path) -> None:
    stage = {"name": "agreements", "agreements": [an_agreement(kind="short")]}
    async with onboarding(tmp_path, a_file(stage, LIVE), record="onboarding-waived") as it:
        await it.until_open("agreement-1")
        await it.days_pass(6)
        await waits_for_a_decision(it)
        assert await it.refused(decision(PartOutcome.WAIVE)) == "the reason is empty"
        await it.wish(decision(PartOutcome.WAIVE, reason="They signed on paper."))
        ended = await it.ended()
    assert (ended.outcome, ended.parts[0].state) == (Status.DONE, "waived")


async def test_a_decision_that_waits_is_followed_up_and_asked_for_again_when_its_task_just_ends(tmp_path: Path) -> None:
    async with onboarding(tmp_path, a_file(ONE)) as it:
        await it.signed("agreement-1", Status.DECLINED)
        task = await waits_for_a_decision(it)
        await it.days_pass(5)
        stages = {stage for stage, person in it.notices_of(task) if person == OWNER}
        # The reminder of the first day would come together with the escalation and gives way to it.
        assert {"ready", "escalated", "overdue-1"} <= stages
        assert ("escalation", "chair") in it.notices_of(task), "the owner's manager"
        for wish in (Done(actor=OWNER), Waiver(actor=OWNER, reason="Never mind.")):
            with pytest.raises(WorkflowUpdateFailedError) as undecided:
                await it.tell(task, wish)
            assert str(undecided.value.cause) == (
                "refused: it asks for a decision, so decide: countersign onboard decide acme --part agreement-1, and "
                "one of --resend, --replace FILE, --waive --reason R, --stop --reason R"
            )
        await it.tell(task, Cancellation(actor="operations-desk", reason="By mistake."))
        await it.until(lambda shown: shown.stages[0].agreements[0].decision == f"{task}.r2")
        await it.wish(decision(PartOutcome.STOP, reason="They went elsewhere."))
        ended = await it.ended()
    assert (ended.outcome, ended.parts[0].state) == (Status.CANCELLED, "stopped")


async def test_a_question_of_the_customer_and_a_block_pause_only_their_own_part(tmp_path: Path) -> None:
    steps = {
        "name": "details",
        "steps": [{"id": "billing", "title": "Invoices"}, {"id": "dns", "title": "Your domain"}],
    }
    async with onboarding(tmp_path, a_file(steps)) as it:
        billing, dns = await it.open("billing"), await it.open("dns")
        await it.at_rest()
        await it.tell(billing, Block(person=CUSTOMER, because="Our bank is closed."))
        await it.tell(dns, Question(person=CUSTOMER, text="Which one?"))
        await it.hears(billing, "blocked-1", OWNER)
        await it.tell(billing, Unblock(actor=OWNER, text="Take your time."))
        await it.hears(billing, "answer-1", CUSTOMER)
        await it.done("billing", CUSTOMER)
        await it.done("dns", CUSTOMER)
        assert (await it.ended()).outcome is Status.DONE


async def test_a_late_team_is_escalated_to_its_manager_and_a_late_customer_to_the_owner(tmp_path: Path) -> None:
    both = {**SET_UP, "steps": DETAILS["steps"]}
    async with onboarding(tmp_path, a_file(both)) as it:
        account, billing = (
            await it.open("account"),
            await it.open("billing"),
        )
        await it.days_pass(12)
        assert ("escalation", "chair") in it.notices_of(account)
        assert {OWNER} <= {person for stage, person in it.notices_of(billing) if stage.startswith("escalation")}
        await it.done("account", "operations-desk")
        await it.done("billing", CUSTOMER)
        assert (await it.ended()).outcome is Status.DONE


async def test_a_step_is_handed_to_a_colleague_of_the_customer(tmp_path: Path) -> None:
    async with onboarding(tmp_path, a_file(DETAILS)) as it:
        billing = await it.open("billing")
        await it.at_rest()
        await it.tell(billing, Delegation(actor=OWNER, signer=CUSTOMER, to="customer-colleague"))
        await it.hears(billing, "ready", "customer-colleague")
        await it.done("billing", "customer-colleague")
        assert (await it.ended()).outcome is Status.DONE


async def test_a_stop_in_the_middle_ends_every_open_part_and_begins_nothing_more(tmp_path: Path) -> None:
    both = {
        "name": "first",
        **{key: value for one in (AGREEMENTS, SET_UP) for key, value in one.items() if key != "name"},
    }
    async with onboarding(tmp_path, a_file(both, LIVE), record="onboarding-stopped") as it:
        await it.signed("agreement-1")
        account = await it.open("account")
        await it.at_rest()
        await it.wish(Cancellation(actor=OWNER, reason="They went elsewhere. " * 47))
        ended = await it.ended()
        assert (await it.client.get_workflow_handle(account).result())["outcome"] == "cancelled"
        shown = await it.client.get_workflow_handle(account).query(SHOW, result_type=TaskShow)
        stages = (await it.handle.query(SHOW, result_type=OnboardingShow)).stages
    assert [stage.state for stage in stages] == ["stopped", "stopped"], "nothing of it comes any more"
    assert ended.outcome is Status.CANCELLED
    assert {line.target: line.state for line in shown.handoffs} == {it.handle.id: "done"}
    assert not [stage for stage, _ in it.notices_of(account) if stage.startswith("undelivered")]
    assert [one.state for one in ended.parts] == ["signed", "stopped", "stopped"]
    assert ("notice-notice-1", CUSTOMER) not in it.notices_of("customer-onboarding:acme")


async def test_a_task_that_somebody_waives_is_over_and_a_terminated_part_becomes_a_decision(tmp_path: Path) -> None:
    """Sent again it is taken up under its own id, however often: another one would have a second document to sign."""
    both = {**SET_UP, "agreements": [an_agreement()]}
    async with onboarding(tmp_path, a_file(both)) as it:
        account, agreement = (await it.until_open("account")), (await it.until_open("agreement-1"))
        await it.at_rest()
        await it.tell(account.workflow or "", Waiver(actor=OWNER, reason="They have one."))
        await it.client.get_workflow_handle(agreement.workflow or "").terminate("by hand")
        await it.days_pass(2)
        await waits_for_a_decision(it)
        assert (await it.part("agreement-1")).says == "its workflow was broken off"
        assert (await it.part("account")).state == "waived"
        await it.wish(decision(PartOutcome.RESEND))
        await it.until_open("agreement-1")
        await it.at_rest()
        await it.client.get_workflow_handle(agreement.workflow or "").terminate("once more")
        await it.days_pass(8)
        await waits_for_a_decision(it)
        await it.wish(decision(PartOutcome.RESEND))
        await it.signed("agreement-1")
        assert (await it.ended()).outcome is Status.DONE
    assert {order.brief.id for order in it.provider.created} == {"acme.1.1"}


async def test_of_what_somebody_terminated_no_document_is_left_to_be_signed(tmp_path: Path) -> None:
    """Neither beside another one that its owner has sent instead, nor once the onboarding is over."""
    async with onboarding(tmp_path, a_file(AGREEMENTS)) as it:
        parts = [await it.open(id) for id in ("agreement-1", "agreement-2")]
        await it.at_rest()
        for part in parts:
            await it.client.get_workflow_handle(part).terminate("by hand")
        await it.days_pass(2)
        await waits_for_a_decision(it)
        home = it.handle.id
        content = await OnboardingContent.read(it.store, home, it.given.onboarding.content)
        reference = await keep_part(it.store, home, "replacement", content.parts["agreement-2"])
        await it.wish(decision(PartOutcome.REPLACE, content=reference))
        await it.until(
            lambda shown: it.provider.cancelled and "acme.1.1.r2" in str(shown.stages[0].agreements[0].workflow)
        )
        assert [order.subject.id for order in it.provider.cancelled] == ["acme.1.1"]
        await it.wish(Cancellation(actor=OWNER, reason="They went elsewhere."))
        await it.ended()
        ended = [await it.client.get_workflow_handle(part).result() for part in parts]
    assert [one["outcome"] for one in ended] == ["cancelled", "cancelled"]
    assert {order.subject.id for order in it.provider.cancelled} == {"acme.1.1", "acme.1.1.r2", "acme.1.2"}
    assert len(it.provider.created) == 3, "nothing is made of what is only ended"


async def test_a_phone_that_takes_no_news_at_first_is_tried_again(tmp_path: Path) -> None:
    news = [{"to": "customer", "text": "Welcome."}, {"to": "owner", "text": "They are in."}]
    file = a_file({"name": "live", "notices": news})
    async with onboarding(tmp_path, file, deaf=(CUSTOMER,)) as it:
        assert (await it.ended()).outcome is Status.DONE
        outcomes = {line.stage: line.outcome for line in (await it.shown()).notifications}
    assert outcomes["notice-notice-1"] is outcomes["notice-notice-2"] is NotificationOutcome.ACCEPTED
    assert [one.devices for one in it.push.deliveries if one.document is None][:2] == [None, (CUSTOMER,)]


async def test_a_phone_that_is_throttled_holds_up_no_stage_and_gets_the_news_when_its_time_is_over(
    tmp_path: Path,
) -> None:
    news = [{"to": "customer", "text": "Welcome."}, {"to": "owner", "text": "They are in."}]
    file = a_file({"name": "welcome", "notices": news}, DETAILS)
    async with onboarding(tmp_path, file, deaf=(CUSTOMER,)) as it:
        it.push.asks_to_wait = 3_600
        began = await it.env.get_current_time()
        await it.until_open("billing")
        assert await it.env.get_current_time() - began < timedelta(minutes=1)
        await it.days_pass(0.05)
        again = [one for one in it.push.deliveries if one.devices is not None]
        await it.done("billing", CUSTOMER)
        assert (await it.ended()).outcome is Status.DONE
    assert [(one.devices, [notice.person for notice in one.notices]) for one in again] == [((CUSTOMER,), [CUSTOMER])]


async def test_who_subscribes_to_an_onboarding_is_told_of_its_end(tmp_path: Path) -> None:
    async with onboarding(tmp_path, a_file(DETAILS)) as it:
        await it.until_open("billing")
        await it.wish(Subscription(actor=OWNER, workflow="customer-onboarding:other"))
        await it.done("billing", CUSTOMER)
        await it.ended()
        lines = {line.target: line.state for line in (await it.shown()).handoffs}
    assert lines == {"customer-onboarding:other": "dead"}


async def test_a_customer_of_half_a_year_costs_a_look_a_week(tmp_path: Path) -> None:
    async with onboarding(tmp_path, a_file(DETAILS)) as it:
        await it.until_open("billing")
        await it.at_rest()
        begun = (await it.handle.describe()).history_length
        await it.env.sleep(182 * 86_400)
        looked = (await it.handle.describe()).history_length
        await it.done("billing", CUSTOMER)
        assert (await it.ended()).outcome is Status.DONE
    looks = 182 / 7 + 3
    assert looked - begun <= 11 * looks


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
    async with onboarding(tmp_path, a_file(*stages), server=early, record="onboarding-fresh") as it:
        for number in range(1, 7):
            await it.done(f"task-{number}", "operations-desk")
        ended = await it.ended()
        runs = await it.runs()
    assert ended.outcome is Status.DONE
    assert runs > 1
    news = [one for one in it.notices_of("customer-onboarding:acme") if one[1] == CUSTOMER]
    assert sorted(news) == sorted({*news})
    assert len(news) == 13


async def test_an_agreement_is_reviewed_first_and_its_customer_hears_nothing_of_that(tmp_path: Path) -> None:
    agreements = {"name": "agreements", "agreements": [an_agreement(reviewers=[{"person": "chair"}])]}
    async with onboarding(tmp_path, a_file(agreements, LIVE)) as it:
        agreement = await it.open("agreement-1")
        await it.hears(agreement, "ready", "chair")
        shown = await it.until(lambda shown: [one.person for one in shown.waiting_for] == ["chair"])
        assert it.told(CUSTOMER) == []
        await it.tell(agreement, ReviewAnswer(actor="chair", changes="Clause 3 is wrong."))
        await it.until(lambda shown: [one.person for one in shown.waiting_for] == [OWNER])
        second = await it.store.files.put(b"%PDF-1.7 second")
        await it.tell(agreement, Revision(actor=OWNER, sha256=second, size=15, file_name="second.pdf"))
        await it.tell(agreement, ReviewAnswer(actor="chair", approve=True))
        await it.hears(agreement, "ready", CUSTOMER)
        await it.signed("agreement-1")
        ended = await it.ended()
        record = await it.record_of(agreement)
    assert ended.outcome is Status.DONE
    assert [(one.round, one.person, one.state) for one in record.all_reviews] == [
        (1, "chair", SignerState.CHANGES),
        (1, OWNER, SignerState.REVISED),
        (2, "chair", SignerState.APPROVED),
    ]
    assert shown.attention == ()
