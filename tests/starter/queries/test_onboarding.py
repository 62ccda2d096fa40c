"""The picture of an onboarding: it and its parts say the same, and who is waited for stands in it by name."""

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from activities.temporal.executions import listed
from starter.queries.lookup import find_best_view
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


async def picture(journey: OnboardingStory) -> OnboardingShow:
    """What anybody sees of it."""
    return await composed(journey.client, journey.store, "acme")


async def read_part_view(journey: OnboardingStory, part: PartLine) -> Shown:
    """What the part itself says."""
    workflow_name = named(part.workflow or "")
    assert workflow_name is not None
    return await find_best_view(journey.client, journey.store, workflow_name)


@pytest.mark.long
async def test_the_onboarding_and_its_agreements_say_the_same_open_and_signed(tmp_path: Path) -> None:
    async with start_onboarding(tmp_path, a_file(*WHOLE)) as journey:
        await journey.wait_for_part("agreement-2")
        await journey.at_rest()
        await journey.end_agreement("agreement-1")
        await journey.wait_until(lambda view: view.stages[0].agreements[0].state == "done")
        await journey.at_rest()
        view = await picture(journey)
        signed, sent = view.stages[0].agreements
        for part in (signed, sent):
            part_view = await read_part_view(journey, part)
            assert part.status is part_view.status
        part_view = await read_part_view(journey, sent)
    assert (signed.status, sent.status) == (Status.SIGNED, Status.SENT)
    assert sent.due_at == part_view.due_at is not None
    assert [(awaited.person, awaited.since) for awaited in view.waiting_for] == [
        (w.person, w.since) for w in part_view.waiting_for
    ]
    assert [(awaited.person, awaited.who, awaited.what, awaited.part) for awaited in view.waiting_for] == [
        (CUSTOMER, "customer", "Data processing agreement", "agreement-2")
    ]
    assert view.next is not None and part_view.next is not None
    assert (view.next.what, view.next.at) == (NextStep.REMIND, part_view.next.at)
    assert view.next.why.startswith("agreement-2: ")


async def test_it_is_the_second_signer_who_is_waited_for_once_the_first_has_signed(tmp_path: Path) -> None:
    agreement = an_agreement(signers=[{"person": "customer"}, {"person": "chief-executive"}])
    async with start_onboarding(tmp_path, a_file({"name": "agreements", "agreements": [agreement]}, LIVE)) as journey:
        workflow_id = await journey.wait_for_workflow("agreement-1")
        await journey.at_rest()
        journey.provider.acted["acme.1.1"] = [journey.provider_saw(CUSTOMER, SignerState.SIGNED)]
        await journey.callback(workflow_id)
        await journey.wait_until_notified(workflow_id, "ready", "chief-executive")
        view = await picture(journey)
    assert [awaited.person for awaited in view.waiting_for] == ["chief-executive"]


@pytest.mark.long
async def test_without_a_worker_its_stages_are_told_from_its_input_its_parts_records_and_visibility(
    tmp_path: Path, dev_server: str
) -> None:
    first = {"name": "set-up", "tasks": [{"id": "room", "title": "Prepare it", "team": "operations"}]}
    async with start_onboarding(tmp_path, a_file(first, *WHOLE), server=own_part(dev_server)) as journey:
        await journey.complete_task("room", "operations-desk")
        await journey.wait_for_part("agreement-2")
        await journey.at_rest()
        await journey.end_agreement("agreement-1")
        await journey.wait_until(lambda view: view.stages[1].agreements[0].state == "done")
        await journey.at_rest()
        view_with_worker = await picture(journey)

        async def is_one_open() -> bool:
            query = "CsParent = 'customer-onboarding:acme' AND CloseTime IS NULL"
            return [run.id async for run in listed(journey.client, query)] == ["signature-request:acme.2.2"]

        assert await eventually(is_one_open)
    view_without_worker = await picture(journey)
    assert view_without_worker.partial and not view_with_worker.partial
    for facts in ("id", "kind", "status", "title", "customer", "stage", "due_at"):
        assert getattr(view_without_worker, facts) == getattr(view_with_worker, facts), facts
    shape = [
        [(part.id, part.state, part.status, part.workflow, part.due_at) for part in s.parts]
        for s in view_with_worker.stages
    ]
    assert [
        [(part.id, part.state, part.status, part.workflow, part.due_at) for part in s.parts]
        for s in view_without_worker.stages
    ] == shape
    assert [(stage.name, stage.state) for stage in view_without_worker.stages] == [
        (stage.name, stage.state) for stage in view_with_worker.stages
    ]
    assert [(awaited.person, awaited.who, awaited.part) for awaited in view_without_worker.waiting_for] == [
        (CUSTOMER, "customer", "agreement-2")
    ]
    assert [notice.state for stage in view_without_worker.stages for notice in stage.notices] == [
        notice.state for stage in view_with_worker.stages for notice in stage.notices
    ]


async def test_a_question_of_the_customer_waits_for_the_owner(tmp_path: Path) -> None:
    async with start_onboarding(tmp_path, a_file(DETAILS, LIVE)) as journey:
        workflow_id = await journey.wait_for_workflow("billing")
        await journey.send_command_to(workflow_id, Question(person=CUSTOMER, text="By post as well?"))
        view = await picture(journey)
    assert [(awaited.person, awaited.who) for awaited in view.waiting_for] == [(OWNER, "owner")]
    assert [attention.code for attention in view.attention] == [AttentionCode.QUESTION_OPEN]
    assert view.attention[0].says.startswith("billing: ")


@pytest.mark.long
async def test_of_more_parts_than_are_asked_visibility_knows_the_others(
    tmp_path: Path, dev_server: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    tasks = [{"id": f"task-{n}", "title": f"Task {n}", "team": "operations"} for n in range(8)]
    monkeypatch.setattr("starter.queries.onboarding.PARTS_ASKED_AT_MOST", 4)
    async with start_onboarding(
        tmp_path, a_file({"name": "work", "tasks": tasks}, LIVE), server=own_part(dev_server)
    ) as journey:
        await journey.wait_until(lambda view: all(task.state == "open" for task in view.stages[0].tasks))
        await journey.at_rest()
        view = await picture(journey)
    assert [task.due_at is not None for task in view.stages[0].tasks] == [True] * len(tasks)
    assert {(awaited.person, awaited.who) for awaited in view.waiting_for} == {("operations-desk", "operations")}
    assert len(view.waiting_for) == len(tasks)


def test_what_nobody_answers_for_stays_as_the_onboarding_has_it() -> None:
    open_since = datetime(2026, 11, 2, tzinfo=UTC) + timedelta(days=1)
    line = {"id": "account", "title": "Create the account", "state": "open", "since": open_since}
    waiting = {
        "person": "fay",
        "who": "operations",
        "what": "Create the account",
        "part": "account",
        "since": open_since,
    }
    view = OnboardingShow.model_validate(
        {
            "id": "acme",
            "kind": "customer-onboarding",
            "status": "open",
            "title": "Acme",
            "stages": [{"name": "set-up", "state": "open", "tasks": [line]}],
            "waiting_for": [waiting],
        }
    )
    assert joined(view, {}) == view
