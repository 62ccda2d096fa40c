"""An onboarding of a hundred parts, and one that hears the same again and again; `make chaos` has four hundred."""

import json
from datetime import UTC, datetime
from pathlib import Path

import pytest

from activities.files.reading import FileFaults
from activities.launch.intake import PEOPLE_AT_MOST
from tests.faults.floods import CROWDED, MORE_THAN_A_RUN_TAKES
from tests.servers import real_server
from tests.workflows.onboarding.stage import (
    AGREEMENTS,
    CUSTOMER,
    OWNER,
    PEOPLE,
    SET_UP,
    ZONE,
    House,
    a_file,
    start_onboarding,
)
from workflows.model.commands import Cancellation
from workflows.model.hand_off import SettledRequest, SettledSigner, SettledTask
from workflows.model.notifications import NoticeAction
from workflows.model.rejections import NAME_AT_MOST
from workflows.model.signature import SignerState
from workflows.model.subject import Status
from workflows.model.timeline import EventType
from workflows.names import SIGNATURE_SETTLED, TASK_SETTLED

STAGES, EACH, OPEN = 6, 20, 30


@pytest.mark.long
async def test_a_hundred_parts_are_begun_in_batches_and_joined(tmp_path: Path) -> None:
    stages = [
        {"name": f"stage {number}", "notices": [{"to": "customer", "text": f"News {n}."} for n in range(EACH)]}
        for number in range(STAGES - 1)
    ]
    tasks = [{"title": f"Task {n}", "team": "operations"} for n in range(EACH + 5)]
    async with start_onboarding(tmp_path, a_file(*stages[:-1], {"name": "set-up", "tasks": tasks})) as onboarding:
        for number in range(1, EACH + 6):
            await onboarding.complete_task(f"task-{number}", "operations-desk")
        settlement = await onboarding.wait_for_end()
        described = await onboarding.handle.describe()
    assert settlement.outcome is Status.DONE
    assert len(onboarding.stages_sent_to(CUSTOMER)) == EACH * (STAGES - 2)
    assert described.history_length < 6 * (EACH * (STAGES - 2) + EACH + 5)


@pytest.mark.long
async def test_each_person_hears_once_that_an_onboarding_of_many_open_parts_was_cancelled(tmp_path: Path) -> None:
    """Each part has told its owner and its team of its own end: 344 notices within 85 s of one cancellation."""
    tasks = [{"id": f"task-{n}", "title": f"Task {n}", "team": "operations"} for n in range(OPEN)]
    steps = [{"id": f"step-{n}", "title": f"Step {n}"} for n in range(3)]
    agreement = {"name": "all", "agreements": AGREEMENTS["agreements"], "tasks": tasks, "steps": steps}
    async with start_onboarding(tmp_path, a_file(agreement)) as onboarding:
        await onboarding.wait_until(lambda view: all(part.state == "open" for part in view.stages[0].parts))
        await onboarding.at_rest()
        notice_count = len(onboarding.stages_sent_to(OWNER))
        await onboarding.send_command(Cancellation(actor=OWNER, reason="They went elsewhere."))
        assert (await onboarding.wait_for_end()).outcome is Status.CANCELLED
        for part in (await onboarding.read_view()).stages[0].parts:
            await onboarding.client.get_workflow_handle(part.workflow or "").result()
        notices = [notice for notice in onboarding.push.sent[:] if notice.person == OWNER][notice_count:]
        await onboarding.at_rest()
    assert [notice.stage for notice in notices if notice.action is not NoticeAction.WITHDRAW] == ["settled"]
    for person in ("operations-desk", CUSTOMER):
        ends = [notice for notice in onboarding.push.sent if notice.person == person and notice.stage == "settled"]
        assert [notice.action for notice in ends if notice.action is not NoticeAction.WITHDRAW] == [
            NoticeAction.OPEN
        ], person


@pytest.mark.long
@pytest.mark.real_server
async def test_however_often_it_hears_of_what_is_no_part_of_it_what_it_waits_for_is_heard(tmp_path: Path) -> None:
    """As many as a run takes signals do not wait for the daily look, which would be the next to begin a fresh run."""
    stranger = SettledTask(
        task="of-somebody-else", kind="task", outcome=Status.DONE, at=datetime.now(UTC), by="operations-desk"
    )
    async with start_onboarding(tmp_path, a_file(SET_UP), server=real_server(*CROWDED)) as onboarding:
        await onboarding.wait_for_part("account")
        first = (await onboarding.handle.describe()).run_id
        for _ in range(MORE_THAN_A_RUN_TAKES):
            await onboarding.handle.signal(TASK_SETTLED, stranger)
        await onboarding.complete_task("account", "operations-desk")
        assert (await onboarding.wait_for_end()).outcome is Status.DONE
        assert (await onboarding.handle.describe()).run_id != first


@pytest.mark.long
async def test_of_who_declined_no_more_is_kept_than_a_name_may_have(tmp_path: Path) -> None:
    """Whoever may signal a workflow may say so of anybody."""
    nobody = "n" * NAME_AT_MOST * 10
    async with start_onboarding(tmp_path, a_file(AGREEMENTS)) as onboarding:
        agreement = (await onboarding.wait_for_workflow("agreement-1")).partition(":")[2]
        settled = SettledRequest(
            request=agreement,
            external_id=agreement,
            kind="customer-contract",
            outcome=Status.DECLINED,
            at=datetime.now(UTC),
            signers=(SettledSigner(person=f"{nobody}\x1b[2J", state=SignerState.DECLINED),),
        )
        await onboarding.handle.signal(SIGNATURE_SETTLED, settled)
        await onboarding.at_rest()
        view = await onboarding.read_view()
    [declined] = [line for line in view.timeline if line.happened == EventType.PART_DECLINED]
    assert declined.by == "n" * NAME_AT_MOST


async def test_a_part_that_would_ask_hundreds_is_refused_by_its_field(tmp_path: Path) -> None:
    house, person_count = House(tmp_path), PEOPLE_AT_MOST * 10
    crowd: list[dict[str, object]] = [
        {"id": f"member-{n}", "name": "Mem Ber", "email": f"m{n}@us.example", "groups": ["crowd"], **ZONE}
        for n in range(person_count)
    ]
    _settle(tmp_path, crowd)
    with pytest.raises(FileFaults) as refused:
        await house.prepared(a_file(SET_UP, teams={"operations": "crowd"}))
    [fault] = refused.value.faults
    assert fault.path == "teams"
    assert fault.says == f"the group crowd has {person_count:,} people: at most {PEOPLE_AT_MOST} are allowed"


def _settle(folder: Path, people: list[dict[str, object]]) -> None:
    (folder / "people.yaml").write_text(json.dumps({"people": [*PEOPLE, *people]}))
