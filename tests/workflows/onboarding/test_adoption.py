"""What was there before an onboarding came to it, what is done to it by hand, and what is gone when it is needed."""

import asyncio
import json
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from temporalio.api.common.v1 import WorkflowExecution
from temporalio.api.workflowservice.v1 import ResetWorkflowExecutionRequest
from temporalio.client import (
    Client,
    Interceptor,
    OutboundInterceptor,
    StartWorkflowUpdateInput,
    WorkflowQueryFailedError,
    WorkflowUpdateFailedError,
    WorkflowUpdateHandle,
    WorkflowUpdateRPCTimeoutOrCancelledError,
)
from temporalio.testing import TimeSkipper

from activities.files.reading import FileText
from activities.launch import launch as path
from activities.launch.doors import CheckContext
from activities.launch.request_file import PreparedRequest, prepare_request
from activities.launch.task_file import PreparedTask, prepare_task
from activities.onboarding.content import OnboardingContent, keep_part
from activities.onboarding.service import OnboardingPartsService
from activities.policies.catalogue import Catalogue
from activities.records.store import Store
from activities.temporal import executions as runs
from activities.temporal.executions import RunStatus
from tests.faults.town import eventually
from tests.glances import glances
from tests.servers import own_part
from tests.storage import altered
from tests.workflows.campaign.test_real import delete_workflow
from tests.workflows.fakes import refusal
from tests.workflows.onboarding.stage import (
    AGREEMENTS,
    CUSTOMER,
    DETAILS,
    KINDS,
    LIVE,
    OWNER,
    PEOPLE,
    SET_UP,
    House,
    OnboardingStory,
    a_file,
    an_agreement,
    set_locale,
    start_onboarding,
)
from tests.workflows.onboarding.test_stories import ONE, decision, wait_for_decision
from tests.workflows.stage import is_at_work
from workflows.kinds import Kind
from workflows.model.commands import UPDATES, AnyCommand, Cancellation, Decision, PartOutcome, TaskCompletion
from workflows.model.onboarding import PartKind, PartSnapshots, PartsToEnd, PartsToStart, PartToStart
from workflows.model.receipts import Receipt
from workflows.model.subject import Code, Status
from workflows.model.views import RequestShow, TaskShow
from workflows.names import SHOW

LATER = (DETAILS, ONE, LIVE)
"""The agreement comes in the second stage, as `acme.2.1`."""
AGREEMENT = "signature-request:acme.2.1"
ASKED = "task:acme.1.1.decide"


async def prepare_lone_request(folder: Path, name: str = "Master services agreement") -> PreparedRequest:
    """A request of its own, as somebody else would start it."""
    house, file = House(folder), folder / "alone.json"
    written = {**an_agreement(name), "signers": [{"person": CUSTOMER}], "requester": OWNER, "id": "acme.2.1"}
    file.write_text(json.dumps(written))
    catalogue = Catalogue.read(folder / "catalogue.yaml")
    sources = CheckContext(catalogue, house.directory, datetime.now(UTC), is_part_of_parent=True)
    return await prepare_request(FileText.read(file), sources)


async def sign_lone_request(onboarding: OnboardingStory) -> None:
    """The request that was started alone, signed and over."""
    await _wait_until(lambda: _is_waiting(onboarding))
    onboarding.provider.statuses["acme.2.1"] = Status.SIGNED
    await onboarding.callback(AGREEMENT)
    await _wait_until(lambda: _is_completed(onboarding))


async def _is_waiting(onboarding: OnboardingStory, id: str = AGREEMENT) -> bool:
    """What begins while the clock moves has no first task for a moment, and so seems to be at rest before it is."""
    kind = TaskShow if id.startswith("task:") else RequestShow
    try:
        view = await onboarding.client.get_workflow_handle(id).query(SHOW, result_type=kind)
    except WorkflowQueryFailedError:
        return False
    stages = [line.stage for line in view.notifications]
    return "ready" in stages and not await is_at_work(onboarding.client, id)


async def _is_completed(onboarding: OnboardingStory) -> bool:
    return await status_of(onboarding, AGREEMENT) is RunStatus.COMPLETED


async def status_of(onboarding: OnboardingStory, workflow_id: str) -> RunStatus:
    return (await runs.described(onboarding.client, workflow_id)).status


async def _wait_until(holds: Callable[[], Awaitable[bool]]) -> None:
    for pause in glances():
        if await holds():
            return
        await asyncio.sleep(pause)
    raise AssertionError("was not seen")


async def created_requests(onboarding: OnboardingStory) -> list[str]:
    """The ids of all requests that the provider was asked to create."""
    return sorted(order.brief.id for order in onboarding.provider.created)


@pytest.mark.long
async def test_a_part_that_was_started_alone_before_is_joined_and_its_end_heard(tmp_path: Path) -> None:
    async with start_onboarding(tmp_path, a_file(*LATER)) as onboarding:
        await path.start(onboarding.client, onboarding.store, await prepare_lone_request(tmp_path))
        await onboarding.complete_task("billing", CUSTOMER)
        await onboarding.end_agreement("agreement-1")
        await onboarding.wait_until(lambda view: view.status is Status.DONE)
    assert await created_requests(onboarding) == ["acme.2.1"]


@pytest.mark.long
async def test_parts_that_were_there_and_do_not_answer_are_all_asked_at_once_and_hold_up_nothing(
    tmp_path: Path,
) -> None:
    async with start_onboarding(tmp_path, a_file(AGREEMENTS)) as onboarding:
        open_parts = [await onboarding.wait_for_part(id) for id in ("agreement-1", "agreement-2")]
        house, client = House(tmp_path), make_silent_client(onboarding.client, len(open_parts))
        order = PartsToStart(
            onboarding="acme",
            content=onboarding.workflow_input.onboarding.content,
            parts=tuple(
                PartToStart(part=part.id, id=(part.workflow or "").partition(":")[2], what=PartKind.AGREEMENT)
                for part in open_parts
            ),
        )
        async with asyncio.timeout(20):
            started = await OnboardingPartsService(
                client, house.store, house.directory, tmp_path / "catalogue.yaml", onboarding.clock
            ).start(order)
    assert started.parts == ()


def make_silent_client(client: Client, call_count: int) -> Client:
    """The same client, to whose updates nobody answers, and none of which ends before so many were asked."""
    all_asked = asyncio.Barrier(call_count)

    class Silence(OutboundInterceptor):
        async def start_workflow_update(self, input: StartWorkflowUpdateInput) -> WorkflowUpdateHandle[Any]:
            await all_asked.wait()
            raise WorkflowUpdateRPCTimeoutOrCancelledError

    class Silences(Interceptor):
        def intercept_client(self, next: OutboundInterceptor) -> OutboundInterceptor:
            return Silence(next)

    config = client.config()
    config["interceptors"] = [Silences()]
    return Client(**config)


@pytest.mark.long
@pytest.mark.parametrize("leavers", [(), (CUSTOMER,)], ids=["all are there", "its signer has left"])
async def test_a_part_that_was_signed_alone_long_before_is_joined_at_once(
    tmp_path: Path, leavers: tuple[str, ...]
) -> None:
    async with start_onboarding(tmp_path, a_file(*LATER)) as onboarding:
        await path.start(onboarding.client, onboarding.store, await prepare_lone_request(tmp_path))
        await sign_lone_request(onboarding)
        await onboarding.wait_for_workflow("billing")
        remove_people(tmp_path, *leavers)
        await onboarding.complete_task("billing", CUSTOMER)
        settlement = await onboarding.wait_for_end()
    assert (settlement.outcome, settlement.parts[1].state) == (Status.DONE, "signed")
    assert await created_requests(onboarding) == ["acme.2.1"]


@pytest.mark.long
async def test_a_part_that_temporal_has_forgotten_is_joined_by_its_record(tmp_path: Path) -> None:
    async with start_onboarding(tmp_path, a_file(LIVE, id="other")) as earlier_onboarding:
        await path.start(earlier_onboarding.client, earlier_onboarding.store, await prepare_lone_request(tmp_path))
        await sign_lone_request(earlier_onboarding)
    async with start_onboarding(tmp_path, a_file(*LATER)) as onboarding:  # on a server that knows nothing of it
        await onboarding.complete_task("billing", CUSTOMER)
        settlement = await onboarding.handle.result()
    assert (settlement.outcome, settlement.parts[1].state) == (Status.DONE, "signed")
    assert (await created_requests(earlier_onboarding), await created_requests(onboarding)) == (["acme.2.1"], [])


@pytest.mark.long
@pytest.mark.parametrize("closed", [False, True], ids=["running", "closed"])
async def test_an_id_with_other_content_is_a_decision_and_resent_under_an_id_of_its_own(
    tmp_path: Path, closed: bool
) -> None:
    async with start_onboarding(tmp_path, a_file(*LATER)) as onboarding:
        await path.start(onboarding.client, onboarding.store, await prepare_lone_request(tmp_path, "Somebody else's"))
        if closed:
            await sign_lone_request(onboarding)
        await onboarding.complete_task("billing", CUSTOMER)
        task = await wait_for_decision(onboarding)
        line = await onboarding.part("agreement-1")
        assert line.workflow is None, "it is somebody else's"
        assert "is the id of another request with other content" in line.says
        await onboarding.send_command(decision(PartOutcome.RESEND))
        await onboarding.wait_until(lambda view: "acme.2.1.r2" in str(view.stages[1].agreements[0].workflow))
        await onboarding.end_agreement("agreement-1")
        assert (await onboarding.wait_for_end()).outcome is Status.DONE
        assert "could not be started: acme.2.1 is the id of another" in await onboarding.text_of(task)
        assert await status_of(onboarding, AGREEMENT) is (RunStatus.COMPLETED if closed else RunStatus.RUNNING)


@pytest.mark.long
async def test_a_decision_that_was_asked_for_in_other_words_before_is_asked_for_once(tmp_path: Path) -> None:
    """The owner reads another language since, or a new version has other words: it is the same question."""
    async with start_onboarding(tmp_path, a_file(ONE)) as onboarding:
        await onboarding.end_agreement("agreement-1", Status.DECLINED)
        task = await wait_for_decision(onboarding)
        set_locale(tmp_path, OWNER, "de")
        assert (await onboarding.parts.start(make_decision_order(onboarding, task))).parts == ()
        await onboarding.send_command(decision(PartOutcome.WAIVE, reason="On paper."))
        assert (await onboarding.wait_for_end()).outcome is Status.DONE


@pytest.mark.long
async def test_what_somebody_else_asks_under_the_id_of_a_decision_is_none(tmp_path: Path) -> None:
    async with start_onboarding(tmp_path, a_file(ONE)) as onboarding:
        await onboarding.wait_for_part("agreement-1")
        await path.start(onboarding.client, onboarding.store, await prepare_lone_task(tmp_path))
        await onboarding.end_agreement("agreement-1", Status.DECLINED)
        await onboarding.wait_until(
            lambda view: "nobody could be asked: agreement-1" in [entry.what for entry in view.timeline]
        )
        await onboarding.send_command(decision(PartOutcome.WAIVE, reason="On paper."))
        assert (await onboarding.wait_for_end()).outcome is Status.DONE
        assert await status_of(onboarding, ASKED) is RunStatus.RUNNING


def make_decision_order(onboarding: OnboardingStory, task: str) -> PartsToStart:
    """The order to ask its owner what is to become of a declined agreement."""
    ask = PartToStart(
        part="agreement-1",
        id=task.partition(":")[2],
        what=PartKind.AGREEMENT,
        after="acme.1.1",
        status=Status.DECLINED,
    )
    return PartsToStart(onboarding="acme", content=onboarding.workflow_input.onboarding.content, parts=(ask,))


async def prepare_lone_task(folder: Path) -> PreparedTask:
    """A task of somebody's own that has the id of one to decide."""
    house, file = House(folder), folder / "alone.json"
    task_fields = {"kind": "team-task", "title": "Mine", "who": {"person": "chair"}, "owner": OWNER}
    file.write_text(json.dumps({**task_fields, "id": ASKED.partition(":")[2]}))
    catalogue = Catalogue.read(folder / "catalogue.yaml")
    sources = CheckContext(catalogue, house.directory, datetime.now(UTC), is_part_of_parent=True)
    return await prepare_task(FileText.read(file), sources)


async def test_the_clocks_of_all_parts_of_a_rehearsal_are_moved_at_once(tmp_path: Path) -> None:
    """Each move may take its time, and all of them have one attempt."""
    async with start_onboarding(tmp_path, a_file(DETAILS, AGREEMENTS), service=Moves) as onboarding:
        content, ahead = onboarding.workflow_input.onboarding.content, onboarding.clock.at + timedelta(days=9)
        parts = tuple(PartToStart(part=f"agreement-{n}", id=f"acme.2.{n}", what=PartKind.AGREEMENT) for n in (1, 2))
        async with asyncio.timeout(20):
            started = await onboarding.parts.start(
                PartsToStart(onboarding="acme", content=content, parts=parts, now=ahead)
            )
    assert started.parts == ()


async def test_parts_begin_at_once_where_only_the_worker_s_clock_is_behind(tmp_path: Path) -> None:
    """Ten minutes: the server knows that nobody has moved the clock of the onboarding."""
    async with start_onboarding(tmp_path, a_file(DETAILS, AGREEMENTS)) as onboarding:
        behind = replace(onboarding.parts, now=lambda: onboarding.clock.at - timedelta(minutes=10))
        parts = (PartToStart(part="agreement-1", id="acme.2.1", what=PartKind.AGREEMENT),)
        order = PartsToStart(
            onboarding="acme",
            content=onboarding.workflow_input.onboarding.content,
            parts=parts,
            now=onboarding.clock.at,
        )
        await behind.start(order)
        part = onboarding.client.get_workflow_handle(Kind.REQUEST.workflow_id("acme.2.1"))
        [started, *_] = (await part.fetch_history()).events
        attributes = started.workflow_execution_started_event_attributes
        assert attributes.first_workflow_task_backoff.ToTimedelta() == timedelta()


@dataclass
class Moves(OnboardingPartsService):
    """Moves the clock of no part before it was asked to move that of another one."""

    barrier: asyncio.Barrier = field(default_factory=lambda: asyncio.Barrier(2))

    async def _was_moved(self, workflow_id: str) -> bool:
        return True

    async def _begin(self, workflow_id: str, ahead: timedelta) -> None:
        await self.barrier.wait()


@pytest.mark.long
async def test_a_stop_leaves_alone_what_is_somebody_else_s(tmp_path: Path) -> None:
    async with start_onboarding(tmp_path, a_file(*LATER)) as onboarding:
        await path.start(onboarding.client, onboarding.store, await prepare_lone_request(tmp_path, "Somebody else's"))
        await onboarding.complete_task("billing", CUSTOMER)
        task = await wait_for_decision(onboarding)
        await onboarding.send_command(decision(PartOutcome.STOP, reason="They went elsewhere."))
        assert (await onboarding.wait_for_end()).outcome is Status.CANCELLED
        await onboarding.client.get_workflow_handle(task).result()
        assert await status_of(onboarding, AGREEMENT) is RunStatus.RUNNING


@pytest.mark.long
async def test_a_part_that_is_cancelled_in_the_web_ui_becomes_a_decision(tmp_path: Path) -> None:
    async with start_onboarding(tmp_path, a_file(ONE)) as onboarding:
        agreement = await onboarding.wait_for_workflow("agreement-1")
        await onboarding.at_rest()
        await onboarding.client.get_workflow_handle(agreement).cancel()
        task = await wait_for_decision(onboarding)
        assert (await onboarding.part("agreement-1")).status is Status.CANCELLED
        await onboarding.send_command(decision(PartOutcome.WAIVE, reason="On paper."))
        assert (await onboarding.wait_for_end()).parts[0].state == "waived"
        await onboarding.client.get_workflow_handle(task).result()
        assert "It was cancelled" in await onboarding.text_of(task)


@pytest.mark.long
async def test_an_onboarding_that_is_cancelled_in_the_web_ui_ends_what_is_open(tmp_path: Path) -> None:
    async with start_onboarding(tmp_path, a_file({**SET_UP, "agreements": [an_agreement()]}, LIVE)) as onboarding:
        parts = [await onboarding.wait_for_workflow("account"), await onboarding.wait_for_workflow("agreement-1")]
        await onboarding.at_rest()
        await onboarding.handle.cancel()
        settlement = await onboarding.wait_for_end()
        outcomes = [(await onboarding.client.get_workflow_handle(part).result())["outcome"] for part in parts]
        assert await status_of(onboarding, onboarding.handle.id) is RunStatus.COMPLETED
    assert (settlement.outcome, outcomes) == (Status.CANCELLED, ["cancelled"] * 2)
    assert ("notice-notice-1", CUSTOMER) not in onboarding.notices_of(onboarding.handle.id)


@pytest.mark.long
@pytest.mark.real_server
async def test_a_part_that_is_reset_goes_on_and_its_end_is_heard_once(tmp_path: Path, dev_server: str) -> None:
    async with start_onboarding(tmp_path, a_file(DETAILS, LIVE), server=own_part(dev_server)) as onboarding:
        billing = await onboarding.wait_for_workflow("billing")
        await onboarding.wait_until_notified(billing, "ready", CUSTOMER)
        await onboarding.client.workflow_service.reset_workflow_execution(
            ResetWorkflowExecutionRequest(
                namespace=onboarding.client.namespace,
                workflow_execution=WorkflowExecution(workflow_id=billing),
                reason="by hand",
                workflow_task_finish_event_id=4,
                request_id="reset-1",
            )
        )
        await onboarding.send_command_to(billing, TaskCompletion(actor=CUSTOMER))
        assert (await onboarding.wait_for_end()).outcome is Status.DONE
        done_entries = [entry for entry in (await onboarding.read_view()).timeline if entry.what == "done: billing"]
    assert len(done_entries) == 1


@pytest.mark.long
@pytest.mark.real_server
@pytest.mark.parametrize("choice", [PartOutcome.WAIVE, PartOutcome.REPLACE, PartOutcome.STOP, None])
async def test_of_a_part_that_temporal_has_forgotten_no_document_is_left_to_be_signed(
    tmp_path: Path, dev_server: str, choice: PartOutcome | None
) -> None:
    """Waived, replaced, stopped with the whole, or cancelled before anybody has looked at it."""
    async with start_onboarding(tmp_path, a_file(ONE), server=own_part(dev_server)) as onboarding:
        agreement = await onboarding.wait_for_workflow("agreement-1")
        await onboarding.wait_until_notified(agreement, "ready", CUSTOMER)
        await delete_workflow(onboarding.client, agreement)
        if choice is not None:
            await TimeSkipper(onboarding.client).fast_forward(onboarding.handle, timedelta(days=1, minutes=1))
            await onboarding.wait_until(lambda view: any(waiting.who == "owner" for waiting in view.waiting_for))
            content = await replacement(onboarding) if choice is PartOutcome.REPLACE else None
            await send_without_waiting(onboarding, decision(choice).replace(reason="On paper.", content=content))
        if choice is PartOutcome.REPLACE:
            await onboarding.wait_for_part("agreement-1")
        if choice in (None, PartOutcome.REPLACE):
            await send_without_waiting(onboarding, Cancellation(actor=OWNER, reason="They went elsewhere."))
        await eventually(lambda: are_cancelled(onboarding))
        await onboarding.handle.result()
    resent_requests = ["acme.1.1.r2"] if choice is PartOutcome.REPLACE else []
    assert await created_requests(onboarding) == ["acme.1.1", *resent_requests], "nothing is made of what is only ended"


async def send_without_waiting(onboarding: OnboardingStory, command: AnyCommand) -> None:
    """Have a command taken at once: what Temporal has forgotten is never at rest."""
    await onboarding.handle.execute_update(UPDATES[type(command)], command)


async def replacement(onboarding: OnboardingStory) -> str:
    """What the agreement is replaced by: the same."""
    home = onboarding.handle.id
    content = await OnboardingContent.read(onboarding.store, home, onboarding.workflow_input.onboarding.content)
    return await keep_part(onboarding.store, home, "replacement", content.parts["agreement-1"])


async def are_cancelled(onboarding: OnboardingStory) -> bool:
    """Whether nobody can sign anything any more."""
    return set(onboarding.provider.statuses.values()) == {Status.CANCELLED}


@pytest.mark.long
async def test_a_terminated_onboarding_goes_on_with_its_parts_and_starts_none_twice(tmp_path: Path) -> None:
    stage_of_two = {"name": "agreements", "agreements": [an_agreement(), an_agreement("Data processing agreement")]}
    async with start_onboarding(tmp_path, a_file(stage_of_two, SET_UP)) as onboarding:
        await onboarding.end_agreement("agreement-1")
        await onboarding.wait_until(lambda view: view.stages[0].agreements[0].state == "done")
        await onboarding.at_rest()
        await onboarding.handle.terminate("by hand")
        prepared = await House(tmp_path).prepared(a_file(stage_of_two, SET_UP), datetime.now(UTC))
        with pytest.raises(path.BrokenOff, match="--again to go on with its parts"):
            await path.start(onboarding.client, onboarding.store, prepared)
        restart = await path.start(onboarding.client, onboarding.store, prepared, is_restart=True)
        assert restart.created
        await onboarding.wait_until(lambda view: view.stages[0].agreements[0].state == "done")
        assert (await onboarding.part("agreement-2")).state == "open"
        await onboarding.end_agreement("agreement-2")
        await onboarding.complete_task("account", "operations-desk")
        await _wait_until(lambda: _is_over(onboarding))
    assert await created_requests(onboarding) == ["acme.1.1", "acme.1.2"]


async def _is_over(onboarding: OnboardingStory) -> bool:
    return (await onboarding.read_view()).status is Status.DONE


def erase_parts(folder: Path, *, back: bool = False) -> None:
    """What the parts are started from is gone from the store, or back again."""
    now, old_prefix = ("parts-", "gone-") if back else ("gone-", "parts-")
    assert altered(Store(str(folder / "store")), "UPDATE texts SET name = replace(name, ?, ?)", old_prefix, now)


@pytest.mark.long
async def test_erased_content_is_a_problem_and_it_goes_on_when_it_is_back(tmp_path: Path) -> None:
    async with start_onboarding(tmp_path, a_file(*LATER)) as onboarding:
        billing = await onboarding.wait_for_workflow("billing")
        erase_parts(tmp_path)
        await onboarding.send_command_to(billing, TaskCompletion(actor=CUSTOMER))
        view = await onboarding.wait_until(lambda view: view.problem)
        assert view.problem is not None and view.problem.code is Code.UNREACHABLE
        assert view.problem.says.endswith("are started from is not in the store")
        erase_parts(tmp_path, back=True)
        await onboarding.env.sleep(60)
        await onboarding.end_agreement("agreement-1")
        assert (await onboarding.wait_for_end()).outcome is Status.DONE
    assert await created_requests(onboarding) == ["acme.2.1"]


@pytest.mark.long
async def test_an_onboarding_whose_content_is_gone_for_good_can_be_ended(tmp_path: Path) -> None:
    async with start_onboarding(tmp_path, a_file(*LATER)) as onboarding:
        billing = await onboarding.wait_for_workflow("billing")
        erase_parts(tmp_path)
        await onboarding.send_command_to(billing, TaskCompletion(actor=CUSTOMER))
        await onboarding.wait_until(lambda view: view.problem)
        await onboarding.send_command(Cancellation(actor=OWNER, reason="It was erased."))
        assert (await onboarding.wait_for_end()).outcome is Status.CANCELLED


def other_document(folder: Path) -> dict[str, Any]:
    """An agreement about a document of its own."""
    House(folder)
    (folder / "other.pdf").write_bytes(b"%PDF-1.4\n%another\n1 0 obj\n<< >>\nendobj\n%%EOF\n")
    return an_agreement("Another", document={"file": "other.pdf", "name": "Another"})


def in_store(folder: Path) -> Path:
    """That document, in the store."""
    [content_file] = [
        path for path in (folder / "store").rglob("*") if path.is_file() and b"%another" in path.read_bytes()
    ]
    return content_file


@dataclass
class Unheard(OnboardingPartsService):
    """What it has started side by side it does not say while it is `silent`."""

    silent: bool = True

    async def start(self, order: PartsToStart) -> PartSnapshots:
        """See the port."""
        started = await super().start(order)
        if self.silent and len(order.parts) > 1:
            raise refusal(Code.UNREACHABLE)
        return started


@pytest.mark.long
async def test_what_was_being_started_when_it_was_ended_is_ended_as_well(tmp_path: Path) -> None:
    async with start_onboarding(tmp_path, a_file(DETAILS, AGREEMENTS), service=Unheard) as onboarding:
        await onboarding.complete_task("billing", CUSTOMER)
        await onboarding.wait_until(lambda view: view.problem)
        await onboarding.send_command(Cancellation(actor=OWNER, reason="They went elsewhere."))
        assert (await onboarding.wait_for_end()).outcome is Status.CANCELLED
        first = await onboarding.client.get_workflow_handle(AGREEMENT).result()
    assert first["outcome"] == "cancelled"


@pytest.mark.long
async def test_a_part_that_was_started_before_its_file_became_wrong_is_known_again(tmp_path: Path) -> None:
    """Its signer leaves while nobody knows yet that it was started, and the start is repeated."""
    signed_here = an_agreement(signers=[{"person": "customer"}, {"person": "chief-executive"}])
    stage = {"name": "agreements", "agreements": [signed_here, an_agreement("Data processing agreement")]}
    async with start_onboarding(tmp_path, a_file(DETAILS, stage), service=Unheard) as onboarding:
        parts = onboarding.parts
        assert isinstance(parts, Unheard)
        await onboarding.complete_task("billing", CUSTOMER)
        await onboarding.wait_until(lambda view: view.problem)
        remove_people(tmp_path, "chief-executive")
        parts.silent = False
        await onboarding.env.sleep(60)
        await onboarding.wait_for_part("agreement-2")
        assert (await onboarding.part("agreement-1")).state == "open"
        await onboarding.send_command(Cancellation(actor=OWNER, reason="They went elsewhere."))
        await onboarding.wait_for_end()
        first = await onboarding.client.get_workflow_handle(AGREEMENT).result()
    assert first["outcome"] == "cancelled"


@dataclass
class Unfinished(OnboardingPartsService):
    """Ends no task that was decided about: each is held up until it is of no use any more."""

    is_holding: asyncio.Event = field(default_factory=asyncio.Event)
    gate: asyncio.Event = field(default_factory=asyncio.Event)
    ended_parts: list[str] = field(default_factory=list)

    async def end(self, parts: PartsToEnd) -> None:
        """See the port."""
        if parts.done:
            self.is_holding.set()
            await self.gate.wait()
            raise refusal(Code.UNREACHABLE)
        self.ended_parts += parts.parts
        await super().end(parts)


@pytest.mark.long
async def test_a_task_that_was_decided_about_and_is_open_when_it_is_ended_is_ended_as_well(tmp_path: Path) -> None:
    async with start_onboarding(tmp_path, a_file(AGREEMENTS), service=Unfinished) as onboarding:
        parts = onboarding.parts
        assert isinstance(parts, Unfinished)
        await onboarding.end_agreement("agreement-1", Status.DECLINED)
        task = await wait_for_decision(onboarding)
        await onboarding.send_command(decision(PartOutcome.WAIVE, reason="On paper."))
        await parts.is_holding.wait()
        await onboarding.handle.execute_update(
            UPDATES[Cancellation], Cancellation(actor=OWNER, reason="They went elsewhere.")
        )
        parts.gate.set()
        assert (await onboarding.wait_for_end()).outcome is Status.CANCELLED
        assert task in parts.ended_parts
        assert (await onboarding.client.get_workflow_handle(task).result())["outcome"] == "cancelled"


@pytest.mark.long
async def test_a_task_that_was_decided_about_and_does_not_end_holds_up_nothing(tmp_path: Path) -> None:
    async with start_onboarding(tmp_path, a_file(ONE, LIVE), service=Unfinished) as onboarding:
        parts = onboarding.parts
        assert isinstance(parts, Unfinished)
        parts.gate.set()
        await onboarding.end_agreement("agreement-1", Status.DECLINED)
        task = await wait_for_decision(onboarding)
        await onboarding.send_command(decision(PartOutcome.RESEND))
        await onboarding.end_agreement("agreement-1")
        assert (await onboarding.wait_for_end()).outcome is Status.DONE
        assert parts.is_holding.is_set()
        assert (await onboarding.client.get_workflow_handle(task).result())["outcome"] == "cancelled"


def damage(document: Path) -> None:
    """Other bytes, of the same length."""
    document.write_bytes(b"damaged".ljust(document.stat().st_size))


@pytest.mark.long
@pytest.mark.parametrize(
    ("spoil", "reason"),
    [(Path.unlink, "the store has no document"), (damage, "the document")],
    ids=["lost", "damaged"],
)
async def test_an_agreement_whose_document_is_not_there_any_more_holds_up_nothing_else(
    tmp_path: Path, spoil: Callable[[Path], None], reason: str
) -> None:
    stage = {"name": "agreements", "agreements": [other_document(tmp_path), an_agreement()]}
    async with start_onboarding(tmp_path, a_file(DETAILS, stage)) as onboarding:
        billing = await onboarding.wait_for_workflow("billing")
        spoil(in_store(tmp_path))
        await onboarding.send_command_to(billing, TaskCompletion(actor=CUSTOMER))
        await onboarding.wait_until(lambda view: view.attention)
        await onboarding.end_agreement("agreement-2")
        message = (await onboarding.part("agreement-1")).says
        await onboarding.send_command(
            Decision(actor=OWNER, part="agreement-1", choice=PartOutcome.WAIVE, reason="It is lost.")
        )
        assert (await onboarding.wait_for_end()).outcome is Status.DONE
    assert message.startswith(reason)


@pytest.mark.long
async def test_an_agreement_whose_document_cannot_be_read_now_is_tried_again_and_the_others_are_begun(
    tmp_path: Path,
) -> None:
    stage = {"name": "agreements", "agreements": [other_document(tmp_path), an_agreement()]}
    async with start_onboarding(tmp_path, a_file(DETAILS, stage)) as onboarding:
        billing, document = await onboarding.wait_for_workflow("billing"), in_store(tmp_path)
        content = document.read_bytes()
        document.unlink()
        document.mkdir()  # what root cannot read either
        await onboarding.send_command_to(billing, TaskCompletion(actor=CUSTOMER))
        await onboarding.wait_for_part("agreement-2")
        await onboarding.days_pass(1 / 1440)  # its attempts
        view = await onboarding.wait_until(lambda view: view.problem)
        assert view.problem is not None and view.problem.says.startswith("the store cannot be used")
        document.rmdir()
        document.write_bytes(content)
        await onboarding.env.sleep(60)
        await onboarding.wait_for_part("agreement-1")


async def test_what_a_part_is_started_from_instead_is_gone_and_it_is_not_started(tmp_path: Path) -> None:
    async with start_onboarding(tmp_path, a_file(ONE)) as onboarding:
        missing_part = PartToStart(
            part="agreement-1", id="acme.1.1.r2", what=PartKind.AGREEMENT, content=f"part-1#{'0' * 64}"
        )
        order = PartsToStart(
            onboarding="acme", content=onboarding.workflow_input.onboarding.content, parts=(missing_part,)
        )
        [answer] = (await onboarding.parts.start(order)).parts
    assert answer.says.endswith("is not in the store")


@pytest.mark.long
async def test_a_faulty_catalogue_is_a_problem_and_a_kind_that_it_lost_a_decision(tmp_path: Path) -> None:
    async with start_onboarding(tmp_path, a_file(*LATER)) as onboarding:
        billing, catalogue = await onboarding.wait_for_workflow("billing"), tmp_path / "catalogue.yaml"
        catalogue.write_text("kinds: [")
        await onboarding.send_command_to(billing, TaskCompletion(actor=CUSTOMER))
        await onboarding.days_pass(1 / 1440)  # its attempts
        lost_kind_view = await onboarding.wait_until(lambda lost_kind_view: lost_kind_view.problem)
        assert lost_kind_view.problem is not None
        assert (lost_kind_view.problem.code, lost_kind_view.problem.says[:23]) == (
            Code.PLANNING,
            "the catalogue is faulty",
        )
        catalogue.write_text(json.dumps({"kinds": {name: KINDS[name] for name in ("short",)}}))
        await onboarding.env.sleep(60)
        task = await wait_for_decision(onboarding)
        catalogue.write_text(json.dumps({"kinds": KINDS}))
        await onboarding.send_command(decision(PartOutcome.RESEND))
        await onboarding.wait_until(lambda view: "acme.2.1.r2" in str(view.stages[1].agreements[0].workflow))
        await onboarding.end_agreement("agreement-1")
        assert (await onboarding.wait_for_end()).outcome is Status.DONE
        text = await onboarding.text_of(task)
    assert "could not be started: " in text and "contract" in text


def remove_people(folder: Path, *leavers: str) -> None:
    """These people are in the directory no more."""
    people = [person for person in PEOPLE if person["id"] not in leavers]
    (folder / "people.yaml").write_text(json.dumps({"people": people}))


@pytest.mark.long
async def test_somebody_who_left_before_their_stage_came_is_a_decision_in_words(tmp_path: Path) -> None:
    async with start_onboarding(tmp_path, a_file(DETAILS, SET_UP)) as onboarding:
        billing = await onboarding.wait_for_workflow("billing")
        remove_people(tmp_path, "operations-desk")
        await onboarding.send_command_to(billing, TaskCompletion(actor=CUSTOMER))
        task = await wait_for_decision(onboarding, "account")
        await onboarding.send_command(decision(PartOutcome.WAIVE, "account", reason="Nobody is left."))
        assert (await onboarding.wait_for_end()).parts[1].state == "waived"
        assert "operations-desk" in await onboarding.text_of(task)
    assert ("begun-account", CUSTOMER) not in onboarding.notices_of(onboarding.handle.id), "nothing was begun"


@pytest.mark.long
async def test_an_owner_who_left_is_asked_once_a_look_and_no_part_stands_still_for_that(tmp_path: Path) -> None:
    stage_of_two = {"name": "both", "agreements": [an_agreement(), an_agreement("Data processing agreement")]}
    async with start_onboarding(tmp_path, a_file(stage_of_two, LIVE)) as onboarding:
        await onboarding.wait_for_part("agreement-2")
        await onboarding.at_rest()
        remove_people(tmp_path, OWNER)
        await onboarding.end_agreement("agreement-1", Status.DECLINED)
        await onboarding.wait_until(
            lambda view: "nobody could be asked: agreement-1" in [entry.what for entry in view.timeline]
        )
        await onboarding.end_agreement("agreement-2")
        assert [entry.what for entry in (await onboarding.read_view()).timeline].count(
            "nobody could be asked: agreement-1"
        ) == 1
        (tmp_path / "people.yaml").write_text(json.dumps({"people": PEOPLE}))
        await onboarding.env.sleep(2 * 86_400)
        task = "task:acme.1.1.decide.r2"
        await onboarding.wait_until(lambda view: view.stages[0].agreements[0].decision == task)
        await _wait_until(lambda: _is_waiting(onboarding, task))
        await onboarding.send_command(decision(PartOutcome.WAIVE, reason="On paper."))
        assert (await onboarding.wait_for_end()).outcome is Status.DONE


@pytest.mark.long
async def test_what_was_broken_off_and_is_signed_after_all_needs_no_decision(tmp_path: Path) -> None:
    async with start_onboarding(tmp_path, a_file(DETAILS, ONE)) as onboarding:
        started = await path.start(onboarding.client, onboarding.store, await prepare_lone_request(tmp_path))
        await onboarding.complete_task("billing", CUSTOMER)
        await onboarding.wait_for_part("agreement-1")
        await onboarding.at_rest()
        await onboarding.client.get_workflow_handle(started.workflow_id).terminate("by hand")
        await onboarding.env.sleep(2 * 86_400)
        task = await wait_for_decision(onboarding)
        await _wait_until(lambda: _is_waiting(onboarding, task))
        resumed = await prepare_lone_request(tmp_path)
        joined = replace(resumed, request=resumed.request.replace(subscribers=(onboarding.handle.id,)))
        await path.start(onboarding.client, onboarding.store, joined, is_restart=True)
        await sign_lone_request(onboarding)
        settlement = await onboarding.wait_for_end()
        assert (await onboarding.client.get_workflow_handle(task).result())["outcome"] == "done"
    assert (settlement.outcome, settlement.parts[1].state) == (Status.DONE, "signed")


@pytest.mark.long
async def test_what_was_started_alone_and_terminated_before_its_stage_came_is_taken_up(tmp_path: Path) -> None:
    async with start_onboarding(tmp_path, a_file(DETAILS, ONE)) as onboarding:
        started = await path.start(onboarding.client, onboarding.store, await prepare_lone_request(tmp_path))
        await _wait_until(lambda: _is_waiting(onboarding))
        await onboarding.client.get_workflow_handle(started.workflow_id).terminate("by hand")
        await onboarding.complete_task("billing", CUSTOMER)
        task = await wait_for_decision(onboarding)
        catalogue = tmp_path / "catalogue.yaml"
        catalogue.write_text(json.dumps({"kinds": {"short": KINDS["short"]}}))
        await onboarding.send_command(decision(PartOutcome.RESEND))
        await onboarding.wait_until(lambda view: view.stages[1].agreements[0].decision == f"{task}.r2")
        await wait_for_decision(onboarding)
        catalogue.write_text(json.dumps({"kinds": KINDS}))
        await onboarding.send_command(decision(PartOutcome.RESEND))
        await onboarding.end_agreement("agreement-1")
        assert (await onboarding.wait_for_end()).outcome is Status.DONE
    assert {*await created_requests(onboarding)} == {"acme.2.1"}


@pytest.mark.long
async def test_of_two_owners_who_decide_at_once_one_wins_and_the_other_is_refused_in_words(tmp_path: Path) -> None:
    async with start_onboarding(tmp_path, a_file(ONE)) as onboarding:
        await onboarding.end_agreement("agreement-1", Status.DECLINED)
        await wait_for_decision(onboarding)
        commands = [
            Decision(actor=OWNER, part="agreement-1", choice=PartOutcome.RESEND),
            Decision(actor="chair", part="agreement-1", choice=PartOutcome.WAIVE, reason="On paper."),
        ]
        answers = await asyncio.gather(
            *(
                onboarding.handle.execute_update(UPDATES[Decision], command, result_type=Receipt)
                for command in commands
            ),
            return_exceptions=True,
        )
        [refused] = [answer for answer in answers if isinstance(answer, BaseException)]
        assert isinstance(refused, WorkflowUpdateFailedError)
        state, _, nothing = str(refused.cause).removeprefix("refused: agreement-1 is ").partition(": ")
        assert state in ("to be started again by a decision that was made already", "waived")
        assert nothing == "there is nothing to decide about it"
        decided = [entry for entry in (await onboarding.read_view()).timeline if entry.what.startswith("decided: ")]
    assert len(decided) == 1


@pytest.mark.long
async def test_a_part_that_two_say_is_done_is_done_once(tmp_path: Path) -> None:
    async with start_onboarding(tmp_path, a_file(SET_UP, LIVE)) as onboarding:
        account = await onboarding.wait_for_workflow("account")
        await onboarding.at_rest()
        handle = onboarding.client.get_workflow_handle(account)
        commands = [TaskCompletion(actor=actor) for actor in ("operations-desk", OWNER)]
        await asyncio.gather(
            *(handle.execute_update(UPDATES[TaskCompletion], command) for command in commands), return_exceptions=True
        )
        assert (await onboarding.wait_for_end()).outcome is Status.DONE
        done_entries = [entry for entry in (await onboarding.read_view()).timeline if entry.what == "done: account"]
    assert len(done_entries) == 1
    assert onboarding.notices_of(onboarding.handle.id).count(("finished-account", CUSTOMER)) == 1
