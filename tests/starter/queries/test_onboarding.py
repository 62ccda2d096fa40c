"""The picture of an onboarding: it and its parts say the same, and who is waited for stands in it by name."""

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from activities.temporal.executions import listed
from starter.queries.lookup import look_at
from starter.queries.onboarding import composed, joined
from tests.faults.town import eventually
from tests.servers import own_part
from tests.workflows.onboarding.stage import (
    CUSTOMER,
    DETAILS,
    LIVE,
    OWNER,
    WHOLE,
    OnboardingStory,
    a_file,
    an_agreement,
    start_onboarding,
)
from workflows.kinds import named
from workflows.model.commands import Question
from workflows.model.signature import SignerState
from workflows.model.subject import Status
from workflows.model.views import AttentionCode, NextStep, OnboardingShow, PartLine, Shown


async def picture(it: OnboardingStory) -> OnboardingShow:
    """What anybody sees of it."""
    return await composed(it.client, it.store, "acme")


async def said_by(it: OnboardingStory, part: PartLine) -> Shown:
    """What the part itself says."""
    what = named(part.workflow or "")
    assert what is not None
    return await look_at(it.client, it.store, what)


async def test_the_onboarding_and_its_agreements_say_the_same_open_and_signed(tmp_path: Path) -> None:
    async with start_onboarding(tmp_path, a_file(*WHOLE)) as it:
        await it.wait_for_part("agreement-2")
        await it.at_rest()
        await it.end_agreement("agreement-1")
        await it.wait_until(lambda shown: shown.stages[0].agreements[0].state == "done")
        await it.at_rest()
        shown = await picture(it)
        signed, sent = shown.stages[0].agreements
        for part in (signed, sent):
            own = await said_by(it, part)
            assert part.status is own.status
        own = await said_by(it, sent)
    assert (signed.status, sent.status) == (Status.SIGNED, Status.SENT)
    assert sent.due_at == own.due_at is not None
    assert [(one.person, one.since) for one in shown.waiting_for] == [(w.person, w.since) for w in own.waiting_for]
    assert [(one.person, one.who, one.what, one.part) for one in shown.waiting_for] == [
        (CUSTOMER, "customer", "Data processing agreement", "agreement-2")
    ]
    assert shown.next is not None and own.next is not None
    assert (shown.next.what, shown.next.at) == (NextStep.REMIND, own.next.at)
    assert shown.next.why.startswith("agreement-2: ")


async def test_it_is_the_second_signer_who_is_waited_for_once_the_first_has_signed(tmp_path: Path) -> None:
    both = an_agreement(signers=[{"person": "customer"}, {"person": "chief-executive"}])
    async with start_onboarding(tmp_path, a_file({"name": "agreements", "agreements": [both]}, LIVE)) as it:
        workflow_id = await it.wait_for_workflow("agreement-1")
        await it.at_rest()
        it.provider.acted["acme.1.1"] = [it.provider_saw(CUSTOMER, SignerState.SIGNED)]
        await it.callback(workflow_id)
        await it.wait_until_notified(workflow_id, "ready", "chief-executive")
        shown = await picture(it)
    assert [one.person for one in shown.waiting_for] == ["chief-executive"]


async def test_without_a_worker_its_stages_are_told_from_its_input_its_parts_records_and_visibility(
    tmp_path: Path, dev_server: str
) -> None:
    first = {"name": "set-up", "tasks": [{"id": "room", "title": "Prepare it", "team": "operations"}]}
    async with start_onboarding(tmp_path, a_file(first, *WHOLE), server=own_part(dev_server)) as it:
        await it.complete_task("room", "operations-desk")
        await it.wait_for_part("agreement-2")
        await it.at_rest()
        await it.end_agreement("agreement-1")
        await it.wait_until(lambda shown: shown.stages[1].agreements[0].state == "done")
        await it.at_rest()
        asked = await picture(it)

        async def seen() -> bool:
            query = "CsParent = 'customer-onboarding:acme' AND CloseTime IS NULL"
            return [run.id async for run in listed(it.client, query)] == ["signature-request:acme.2.2"]

        assert await eventually(seen)
    told = await picture(it)
    assert told.partial and not asked.partial
    for facts in ("id", "kind", "status", "title", "customer", "stage", "due_at"):
        assert getattr(told, facts) == getattr(asked, facts), facts
    shape = [[(part.id, part.state, part.status, part.workflow, part.due_at) for part in s.parts] for s in asked.stages]
    assert [
        [(part.id, part.state, part.status, part.workflow, part.due_at) for part in s.parts] for s in told.stages
    ] == shape
    assert [(stage.name, stage.state) for stage in told.stages] == [(one.name, one.state) for one in asked.stages]
    assert [(one.person, one.who, one.part) for one in told.waiting_for] == [(CUSTOMER, "customer", "agreement-2")]
    assert [notice.state for stage in told.stages for notice in stage.notices] == [
        notice.state for stage in asked.stages for notice in stage.notices
    ]


async def test_a_question_of_the_customer_waits_for_the_owner(tmp_path: Path) -> None:
    async with start_onboarding(tmp_path, a_file(DETAILS, LIVE)) as it:
        workflow_id = await it.wait_for_workflow("billing")
        await it.send_command_to(workflow_id, Question(person=CUSTOMER, text="By post as well?"))
        shown = await picture(it)
    assert [(one.person, one.who) for one in shown.waiting_for] == [(OWNER, "owner")]
    assert [one.code for one in shown.attention] == [AttentionCode.QUESTION_OPEN]
    assert shown.attention[0].says.startswith("billing: ")


async def test_of_more_parts_than_are_asked_visibility_knows_the_others(
    tmp_path: Path, dev_server: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    tasks = [{"id": f"task-{n}", "title": f"Task {n}", "team": "operations"} for n in range(8)]
    monkeypatch.setattr("starter.queries.onboarding.PARTS_ASKED_AT_MOST", 4)
    async with start_onboarding(
        tmp_path, a_file({"name": "work", "tasks": tasks}, LIVE), server=own_part(dev_server)
    ) as it:
        await it.wait_until(lambda shown: all(task.state == "open" for task in shown.stages[0].tasks))
        await it.at_rest()
        shown = await picture(it)
    assert [task.due_at is not None for task in shown.stages[0].tasks] == [True] * len(tasks)
    assert {(one.person, one.who) for one in shown.waiting_for} == {("operations-desk", "operations")}
    assert len(shown.waiting_for) == len(tasks)


def test_what_nobody_answers_for_stays_as_the_onboarding_has_it() -> None:
    since = datetime(2026, 11, 2, tzinfo=UTC) + timedelta(days=1)
    line = {"id": "account", "title": "Create the account", "state": "open", "since": since}
    waiting = {"person": "fay", "who": "operations", "what": "Create the account", "part": "account", "since": since}
    shown = OnboardingShow.model_validate(
        {
            "id": "acme",
            "kind": "customer-onboarding",
            "status": "open",
            "title": "Acme",
            "stages": [{"name": "set-up", "state": "open", "tasks": [line]}],
            "waiting_for": [waiting],
        }
    )
    assert joined(shown, {}) == shown
