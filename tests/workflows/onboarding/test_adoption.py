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
from activities.launch.doors import Sources
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
from tests.workflows.campaign.test_real import deleted
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
    Journeys,
    a_file,
    an_agreement,
    onboarding,
    speaks,
)
from tests.workflows.onboarding.test_stories import ONE, decision, waits_for_a_decision
from tests.workflows.stage import is_at_work
from workflows.kinds import Kind
from workflows.model.commands import UPDATES, AnyCommand, Cancellation, Decision, Done, PartOutcome
from workflows.model.onboarding import PartKind, PartsSeen, PartsToEnd, PartsToStart, PartToStart
from workflows.model.receipts import Receipt
from workflows.model.subject import Code, Status
from workflows.model.views import RequestShow, TaskShow
from workflows.names import SHOW

LATER = (DETAILS, ONE, LIVE)
"""The agreement comes in the second stage, as `acme.2.1`."""
AGREEMENT = "signature-request:acme.2.1"
ASKED = "task:acme.1.1.decide"


async def alone(folder: Path, name: str = "Master services agreement") -> PreparedRequest:
    """A request of its own, as somebody else would start it."""
    house, file = House(folder), folder / "alone.json"
    written = {**an_agreement(name), "signers": [{"person": CUSTOMER}], "requester": OWNER, "id": "acme.2.1"}
    file.write_text(json.dumps(written))
    catalogue = Catalogue.read(folder / "catalogue.yaml")
    sources = Sources(catalogue, house.directory, datetime.now(UTC), of_parent=True)
    return await prepare_request(FileText.read(file), sources)


async def signed_alone(it: Journeys) -> None:
    """The request that was started alone, signed and over."""
    await _until(lambda: _only_waits(it))
    it.provider.statuses["acme.2.1"] = Status.SIGNED
    await it.callback(AGREEMENT)
    await _until(lambda: _is_completed(it))


async def _only_waits(it: Journeys, id: str = AGREEMENT) -> bool:
    """What begins while the clock moves has no first task for a moment, and so seems to be at rest before it is."""
    kind = TaskShow if id.startswith("task:") else RequestShow
    try:
        shown = await it.client.get_workflow_handle(id).query(SHOW, result_type=kind)
    except WorkflowQueryFailedError:
        return False
    told = [line.stage for line in shown.notifications]
    return "ready" in told and not await is_at_work(it.client, id)


async def _is_completed(it: Journeys) -> bool:
    return await status_of(it, AGREEMENT) is RunStatus.COMPLETED


async def status_of(it: Journeys, workflow_id: str) -> RunStatus:
    return (await runs.described(it.client, workflow_id)).status


async def _until(holds: Callable[[], Awaitable[bool]]) -> None:
    for pause in glances():
        if await holds():
            return
        await asyncio.sleep(pause)
    raise AssertionError("was not seen")


async def made(it: Journeys) -> list[str]:
    """The ids of all requests that the provider was asked to create."""
    return sorted(order.brief.id for order in it.provider.created)


async def test_a_part_that_was_started_alone_before_is_joined_and_its_end_heard(tmp_path: Path) -> None:
    async with onboarding(tmp_path, a_file(*LATER)) as it:
        await path.start(it.client, it.store, await alone(tmp_path))
        await it.done("billing", CUSTOMER)
        await it.signed("agreement-1")
        await it.until(lambda shown: shown.status is Status.DONE)
    assert await made(it) == ["acme.2.1"]


async def test_parts_that_were_there_and_do_not_answer_are_all_asked_at_once_and_hold_up_nothing(
    tmp_path: Path,
) -> None:
    async with onboarding(tmp_path, a_file(AGREEMENTS)) as it:
        begun = [await it.until_open(id) for id in ("agreement-1", "agreement-2")]
        house, client = House(tmp_path), unanswered(it.client, len(begun))
        order = PartsToStart(
            onboarding="acme",
            content=it.given.onboarding.content,
            parts=tuple(
                PartToStart(part=one.id, id=(one.workflow or "").partition(":")[2], what=PartKind.AGREEMENT)
                for one in begun
            ),
        )
        async with asyncio.timeout(20):
            seen = await OnboardingPartsService(
                client, house.store, house.directory, tmp_path / "catalogue.yaml", it.clock
            ).start(order)
    assert seen.parts == ()


def unanswered(client: Client, asked: int) -> Client:
    """The same client, to whose updates nobody answers, and none of which ends before so many were asked."""
    all_asked = asyncio.Barrier(asked)

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


@pytest.mark.parametrize("left", [(), (CUSTOMER,)], ids=["all are there", "its signer has left"])
async def test_a_part_that_was_signed_alone_long_before_is_joined_at_once(
    tmp_path: Path, left: tuple[str, ...]
) -> None:
    async with onboarding(tmp_path, a_file(*LATER)) as it:
        await path.start(it.client, it.store, await alone(tmp_path))
        await signed_alone(it)
        await it.open("billing")
        without(tmp_path, *left)
        await it.done("billing", CUSTOMER)
        ended = await it.ended()
    assert (ended.outcome, ended.parts[1].state) == (Status.DONE, "signed")
    assert await made(it) == ["acme.2.1"]


async def test_a_part_that_temporal_has_forgotten_is_joined_by_its_record(tmp_path: Path) -> None:
    async with onboarding(tmp_path, a_file(LIVE, id="other")) as before:
        await path.start(before.client, before.store, await alone(tmp_path))
        await signed_alone(before)
    async with onboarding(tmp_path, a_file(*LATER)) as it:  # on a server that knows nothing of it
        await it.done("billing", CUSTOMER)
        ended = await it.handle.result()
    assert (ended.outcome, ended.parts[1].state) == (Status.DONE, "signed")
    assert (await made(before), await made(it)) == (["acme.2.1"], [])


@pytest.mark.parametrize("closed", [False, True], ids=["running", "closed"])
async def test_an_id_with_other_content_is_a_decision_and_resent_under_an_id_of_its_own(
    tmp_path: Path, closed: bool
) -> None:
    async with onboarding(tmp_path, a_file(*LATER)) as it:
        await path.start(it.client, it.store, await alone(tmp_path, "Somebody else's"))
        if closed:
            await signed_alone(it)
        await it.done("billing", CUSTOMER)
        task = await waits_for_a_decision(it)
        line = await it.part("agreement-1")
        assert line.workflow is None, "it is somebody else's"
        assert "is the id of another request with other content" in line.says
        await it.wish(decision(PartOutcome.RESEND))
        await it.until(lambda shown: "acme.2.1.r2" in str(shown.stages[1].agreements[0].workflow))
        await it.signed("agreement-1")
        assert (await it.ended()).outcome is Status.DONE
        assert "could not be started: acme.2.1 is the id of another" in await it.text_of(task)
        assert await status_of(it, AGREEMENT) is (RunStatus.COMPLETED if closed else RunStatus.RUNNING)


async def test_a_decision_that_was_asked_for_in_other_words_before_is_asked_for_once(tmp_path: Path) -> None:
    """The owner reads another language since, or a new version has other words: it is the same question."""
    async with onboarding(tmp_path, a_file(ONE)) as it:
        await it.signed("agreement-1", Status.DECLINED)
        task = await waits_for_a_decision(it)
        speaks(tmp_path, OWNER, "de")
        assert (await it.parts.start(asking(it, task))).parts == ()
        await it.wish(decision(PartOutcome.WAIVE, reason="On paper."))
        assert (await it.ended()).outcome is Status.DONE


async def test_what_somebody_else_asks_under_the_id_of_a_decision_is_none(tmp_path: Path) -> None:
    async with onboarding(tmp_path, a_file(ONE)) as it:
        await it.until_open("agreement-1")
        await path.start(it.client, it.store, await asked_alone(tmp_path))
        await it.signed("agreement-1", Status.DECLINED)
        await it.until(lambda shown: "nobody could be asked: agreement-1" in [one.what for one in shown.timeline])
        await it.wish(decision(PartOutcome.WAIVE, reason="On paper."))
        assert (await it.ended()).outcome is Status.DONE
        assert await status_of(it, ASKED) is RunStatus.RUNNING


def asking(it: Journeys, task: str) -> PartsToStart:
    """The order to ask its owner what is to become of a declined agreement."""
    ask = PartToStart(
        part="agreement-1",
        id=task.partition(":")[2],
        what=PartKind.AGREEMENT,
        after="acme.1.1",
        status=Status.DECLINED,
    )
    return PartsToStart(onboarding="acme", content=it.given.onboarding.content, parts=(ask,))


async def asked_alone(folder: Path) -> PreparedTask:
    """A task of somebody's own that has the id of one to decide."""
    house, file = House(folder), folder / "alone.json"
    who = {"kind": "team-task", "title": "Mine", "who": {"person": "chair"}, "owner": OWNER}
    file.write_text(json.dumps({**who, "id": ASKED.partition(":")[2]}))
    catalogue = Catalogue.read(folder / "catalogue.yaml")
    sources = Sources(catalogue, house.directory, datetime.now(UTC), of_parent=True)
    return await prepare_task(FileText.read(file), sources)


async def test_the_clocks_of_all_parts_of_a_rehearsal_are_moved_at_once(tmp_path: Path) -> None:
    """Each move may take its time, and all of them have one attempt."""
    async with onboarding(tmp_path, a_file(DETAILS, AGREEMENTS), service=Moves) as it:
        content, ahead = it.given.onboarding.content, it.clock.at + timedelta(days=9)
        parts = tuple(PartToStart(part=f"agreement-{n}", id=f"acme.2.{n}", what=PartKind.AGREEMENT) for n in (1, 2))
        async with asyncio.timeout(20):
            seen = await it.parts.start(PartsToStart(onboarding="acme", content=content, parts=parts, now=ahead))
    assert seen.parts == ()


async def test_parts_begin_at_once_where_only_the_worker_s_clock_is_behind(tmp_path: Path) -> None:
    """Ten minutes: the server knows that nobody has moved the clock of the onboarding."""
    async with onboarding(tmp_path, a_file(DETAILS, AGREEMENTS)) as it:
        behind = replace(it.parts, now=lambda: it.clock.at - timedelta(minutes=10))
        parts = (PartToStart(part="agreement-1", id="acme.2.1", what=PartKind.AGREEMENT),)
        order = PartsToStart(onboarding="acme", content=it.given.onboarding.content, parts=parts, now=it.clock.at)
        await behind.start(order)
        part = it.client.get_workflow_handle(Kind.REQUEST.workflow_id("acme.2.1"))
        [started, *_] = (await part.fetch_history()).events
        attributes = started.workflow_execution_started_event_attributes
        assert attributes.first_workflow_task_backoff.ToTimedelta() == timedelta()


@dataclass
class Moves(OnboardingPartsService):
    """Moves the clock of no part before it was asked to move that of another one."""

    both: asyncio.Barrier = field(default_factory=lambda: asyncio.Barrier(2))

    async def _was_moved(self, workflow_id: str) -> bool:
        return True

    async def _begin(self, workflow_id: str, ahead: timedelta) -> None:
        await self.both.wait()


async def test_a_stop_leaves_alone_what_is_somebody_else_s(tmp_path: Path) -> None:
    async with onboarding(tmp_path, a_file(*LATER)) as it:
        await path.start(it.client, it.store, await alone(tmp_path, "Somebody else's"))
        await it.done("billing", CUSTOMER)
        task = await waits_for_a_decision(it)
        await it.wish(decision(PartOutcome.STOP, reason="They went elsewhere."))
        assert (await it.ended()).outcome is Status.CANCELLED
        await it.client.get_workflow_handle(task).result()
        assert await status_of(it, AGREEMENT) is RunStatus.RUNNING


async def test_a_part_that_is_cancelled_in_the_web_ui_becomes_a_decision(tmp_path: Path) -> None:
    async with onboarding(tmp_path, a_file(ONE)) as it:
        agreement = await it.open("agreement-1")
        await it.at_rest()
        await it.client.get_workflow_handle(agreement).cancel()
        task = await waits_for_a_decision(it)
        assert (await it.part("agreement-1")).status is Status.CANCELLED
        await it.wish(decision(PartOutcome.WAIVE, reason="On paper."))
        assert (await it.ended()).parts[0].state == "waived"
        await it.client.get_workflow_handle(task).result()
        assert "It was cancelled" in await it.text_of(task)


async def test_an_onboarding_that_is_cancelled_in_the_web_ui_ends_what_is_open(tmp_path: Path) -> None:
    async with onboarding(tmp_path, a_file({**SET_UP, "agreements": [an_agreement()]}, LIVE)) as it:
        parts = [await it.open("account"), await it.open("agreement-1")]
        await it.at_rest()
        await it.handle.cancel()
        ended = await it.ended()
        outcomes = [(await it.client.get_workflow_handle(part).result())["outcome"] for part in parts]
        assert await status_of(it, it.handle.id) is RunStatus.COMPLETED
    assert (ended.outcome, outcomes) == (Status.CANCELLED, ["cancelled"] * 2)
    assert ("notice-notice-1", CUSTOMER) not in it.notices_of(it.handle.id)


@pytest.mark.real_server
async def test_a_part_that_is_reset_goes_on_and_its_end_is_heard_once(tmp_path: Path, dev_server: str) -> None:
    async with onboarding(tmp_path, a_file(DETAILS, LIVE), server=own_part(dev_server)) as it:
        billing = await it.open("billing")
        await it.hears(billing, "ready", CUSTOMER)
        await it.client.workflow_service.reset_workflow_execution(
            ResetWorkflowExecutionRequest(
                namespace=it.client.namespace,
                workflow_execution=WorkflowExecution(workflow_id=billing),
                reason="by hand",
                workflow_task_finish_event_id=4,
                request_id="reset-1",
            )
        )
        await it.tell(billing, Done(actor=CUSTOMER))
        assert (await it.ended()).outcome is Status.DONE
        done = [entry for entry in (await it.shown()).timeline if entry.what == "done: billing"]
    assert len(done) == 1


@pytest.mark.real_server
@pytest.mark.parametrize("choice", [PartOutcome.WAIVE, PartOutcome.REPLACE, PartOutcome.STOP, None])
async def test_of_a_part_that_temporal_has_forgotten_no_document_is_left_to_be_signed(
    tmp_path: Path, dev_server: str, choice: PartOutcome | None
) -> None:
    """Waived, replaced, stopped with the whole, or cancelled before anybody has looked at it."""
    async with onboarding(tmp_path, a_file(ONE), server=own_part(dev_server)) as it:
        agreement = await it.open("agreement-1")
        await it.hears(agreement, "ready", CUSTOMER)
        await deleted(it.client, agreement)
        if choice is not None:
            await TimeSkipper(it.client).fast_forward(it.handle, timedelta(days=1, minutes=1))
            await it.until(lambda shown: any(one.who == "owner" for one in shown.waiting_for))
            content = await replacement(it) if choice is PartOutcome.REPLACE else None
            await wishes(it, decision(choice).replace(reason="On paper.", content=content))
        if choice is PartOutcome.REPLACE:
            await it.until_open("agreement-1")
        if choice in (None, PartOutcome.REPLACE):
            await wishes(it, Cancellation(actor=OWNER, reason="They went elsewhere."))
        await eventually(lambda: are_cancelled(it))
        await it.handle.result()
    again = ["acme.1.1.r2"] if choice is PartOutcome.REPLACE else []
    assert await made(it) == ["acme.1.1", *again], "nothing is made of what is only ended"


async def wishes(it: Journeys, wish: AnyCommand) -> None:
    """Have a wish taken at once: what Temporal has forgotten is never at rest."""
    await it.handle.execute_update(UPDATES[type(wish)], wish)


async def replacement(it: Journeys) -> str:
    """What the agreement is replaced by: the same."""
    home = it.handle.id
    content = await OnboardingContent.read(it.store, home, it.given.onboarding.content)
    return await keep_part(it.store, home, "replacement", content.parts["agreement-1"])


async def are_cancelled(it: Journeys) -> bool:
    """Whether nobody can sign anything any more."""
    return set(it.provider.statuses.values()) == {Status.CANCELLED}


async def test_a_terminated_onboarding_goes_on_with_its_parts_and_starts_none_twice(tmp_path: Path) -> None:
    both = {"name": "agreements", "agreements": [an_agreement(), an_agreement("Data processing agreement")]}
    async with onboarding(tmp_path, a_file(both, SET_UP)) as it:
        await it.signed("agreement-1")
        await it.until(lambda shown: shown.stages[0].agreements[0].state == "done")
        await it.at_rest()
        await it.handle.terminate("by hand")
        prepared = await House(tmp_path).prepared(a_file(both, SET_UP), datetime.now(UTC))
        with pytest.raises(path.BrokenOff, match="--again to go on with its parts"):
            await path.start(it.client, it.store, prepared)
        again = await path.start(it.client, it.store, prepared, again=True)
        assert again.created
        await it.until(lambda shown: shown.stages[0].agreements[0].state == "done")
        assert (await it.part("agreement-2")).state == "open"
        await it.signed("agreement-2")
        await it.done("account", "operations-desk")
        await _until(lambda: _is_over(it))
    assert await made(it) == ["acme.1.1", "acme.1.2"]


async def _is_over(it: Journeys) -> bool:
    return (await it.shown()).status is Status.DONE


def erase_parts(folder: Path, *, back: bool = False) -> None:
    """What the parts are started from is gone from the store, or back again."""
    now, before = ("parts-", "gone-") if back else ("gone-", "parts-")
    assert altered(Store(str(folder / "store")), "UPDATE texts SET name = replace(name, ?, ?)", before, now)


async def test_erased_content_is_a_problem_and_it_goes_on_when_it_is_back(tmp_path: Path) -> None:
    async with onboarding(tmp_path, a_file(*LATER)) as it:
        billing = await it.open("billing")
        erase_parts(tmp_path)
        await it.tell(billing, Done(actor=CUSTOMER))
        shown = await it.until(lambda shown: shown.problem)
        assert shown.problem is not None and shown.problem.code is Code.UNREACHABLE
        assert shown.problem.says.endswith("are started from is not in the store")
        erase_parts(tmp_path, back=True)
        await it.env.sleep(60)
        await it.signed("agreement-1")
        assert (await it.ended()).outcome is Status.DONE
    assert await made(it) == ["acme.2.1"]


async def test_an_onboarding_whose_content_is_gone_for_good_can_be_ended(tmp_path: Path) -> None:
    async with onboarding(tmp_path, a_file(*LATER)) as it:
        billing = await it.open("billing")
        erase_parts(tmp_path)
        await it.tell(billing, Done(actor=CUSTOMER))
        await it.until(lambda shown: shown.problem)
        await it.wish(Cancellation(actor=OWNER, reason="It was erased."))
        assert (await it.ended()).outcome is Status.CANCELLED


def other_document(folder: Path) -> dict[str, Any]:
    """An agreement about a document of its own."""
    House(folder)
    (folder / "other.pdf").write_bytes(b"%PDF-1.4\n%another\n1 0 obj\n<< >>\nendobj\n%%EOF\n")
    return an_agreement("Another", document={"file": "other.pdf", "name": "Another"})


def in_store(folder: Path) -> Path:
    """That document, in the store."""
    [found] = [one for one in (folder / "store").rglob("*") if one.is_file() and b"%another" in one.read_bytes()]
    return found


@dataclass
class Unheard(OnboardingPartsService):
    """What it has started side by side it does not say while it is `silent`."""

    silent: bool = True

    async def start(self, order: PartsToStart) -> PartsSeen:
        """See the port."""
        seen = await super().start(order)
        if self.silent and len(order.parts) > 1:
            raise refusal(Code.UNREACHABLE)
        return seen


async def test_what_was_being_started_when_it_was_ended_is_ended_as_well(tmp_path: Path) -> None:
    async with onboarding(tmp_path, a_file(DETAILS, AGREEMENTS), service=Unheard) as it:
        await it.done("billing", CUSTOMER)
        await it.until(lambda shown: shown.problem)
        await it.wish(Cancellation(actor=OWNER, reason="They went elsewhere."))
        assert (await it.ended()).outcome is Status.CANCELLED
        first = await it.client.get_workflow_handle(AGREEMENT).result()
    assert first["outcome"] == "cancelled"


async def test_a_part_that_was_started_before_its_file_became_wrong_is_known_again(tmp_path: Path) -> None:
    """Its signer leaves while nobody knows yet that it was started, and the start is repeated."""
    ours = an_agreement(signers=[{"person": "customer"}, {"person": "chief-executive"}])
    stage = {"name": "agreements", "agreements": [ours, an_agreement("Data processing agreement")]}
    async with onboarding(tmp_path, a_file(DETAILS, stage), service=Unheard) as it:
        parts = it.parts
        assert isinstance(parts, Unheard)
        await it.done("billing", CUSTOMER)
        await it.until(lambda shown: shown.problem)
        without(tmp_path, "chief-executive")
        parts.silent = False
        await it.env.sleep(60)
        await it.until_open("agreement-2")
        assert (await it.part("agreement-1")).state == "open"
        await it.wish(Cancellation(actor=OWNER, reason="They went elsewhere."))
        await it.ended()
        first = await it.client.get_workflow_handle(AGREEMENT).result()
    assert first["outcome"] == "cancelled"


@dataclass
class Unfinished(OnboardingPartsService):
    """Ends no task that was decided about: each is held up until it is of no use any more."""

    held: asyncio.Event = field(default_factory=asyncio.Event)
    gate: asyncio.Event = field(default_factory=asyncio.Event)
    ended: list[str] = field(default_factory=list)

    async def end(self, parts: PartsToEnd) -> None:
        """See the port."""
        if parts.done:
            self.held.set()
            await self.gate.wait()
            raise refusal(Code.UNREACHABLE)
        self.ended += parts.parts
        await super().end(parts)


async def test_a_task_that_was_decided_about_and_is_open_when_it_is_ended_is_ended_as_well(tmp_path: Path) -> None:
    async with onboarding(tmp_path, a_file(AGREEMENTS), service=Unfinished) as it:
        parts = it.parts
        assert isinstance(parts, Unfinished)
        await it.signed("agreement-1", Status.DECLINED)
        task = await waits_for_a_decision(it)
        await it.wish(decision(PartOutcome.WAIVE, reason="On paper."))
        await parts.held.wait()
        await it.handle.execute_update(UPDATES[Cancellation], Cancellation(actor=OWNER, reason="They went elsewhere."))
        parts.gate.set()
        assert (await it.ended()).outcome is Status.CANCELLED
        assert task in parts.ended
        assert (await it.client.get_workflow_handle(task).result())["outcome"] == "cancelled"


async def test_a_task_that_was_decided_about_and_does_not_end_holds_up_nothing(tmp_path: Path) -> None:
    async with onboarding(tmp_path, a_file(ONE, LIVE), service=Unfinished) as it:
        parts = it.parts
        assert isinstance(parts, Unfinished)
        parts.gate.set()
        await it.signed("agreement-1", Status.DECLINED)
        task = await waits_for_a_decision(it)
        await it.wish(decision(PartOutcome.RESEND))
        await it.signed("agreement-1")
        assert (await it.ended()).outcome is Status.DONE
        assert parts.held.is_set()
        assert (await it.client.get_workflow_handle(task).result())["outcome"] == "cancelled"


def damage(document: Path) -> None:
    """Other bytes, of the same length."""
    document.write_bytes(b"damaged".ljust(document.stat().st_size))


@pytest.mark.parametrize(
    ("spoil", "why"),
    [(Path.unlink, "the store has no document"), (damage, "the document")],
    ids=["lost", "damaged"],
)
async def test_an_agreement_whose_document_is_not_there_any_more_holds_up_nothing_else(
    tmp_path: Path, spoil: Callable[[Path], None], why: str
) -> None:
    stage = {"name": "agreements", "agreements": [other_document(tmp_path), an_agreement()]}
    async with onboarding(tmp_path, a_file(DETAILS, stage)) as it:
        billing = await it.open("billing")
        spoil(in_store(tmp_path))
        await it.tell(billing, Done(actor=CUSTOMER))
        await it.until(lambda shown: shown.attention)
        await it.signed("agreement-2")
        says = (await it.part("agreement-1")).says
        await it.wish(Decision(actor=OWNER, part="agreement-1", choice=PartOutcome.WAIVE, reason="It is lost."))
        assert (await it.ended()).outcome is Status.DONE
    assert says.startswith(why)


async def test_an_agreement_whose_document_cannot_be_read_now_is_tried_again_and_the_others_are_begun(
    tmp_path: Path,
) -> None:
    stage = {"name": "agreements", "agreements": [other_document(tmp_path), an_agreement()]}
    async with onboarding(tmp_path, a_file(DETAILS, stage)) as it:
        billing, document = await it.open("billing"), in_store(tmp_path)
        content = document.read_bytes()
        document.unlink()
        document.mkdir()  # what root cannot read either
        await it.tell(billing, Done(actor=CUSTOMER))
        await it.until_open("agreement-2")
        await it.days_pass(1 / 1440)  # its attempts
        shown = await it.until(lambda shown: shown.problem)
        assert shown.problem is not None and shown.problem.says.startswith("the store cannot be used")
        document.rmdir()
        document.write_bytes(content)
        await it.env.sleep(60)
        await it.until_open("agreement-1")


async def test_what_a_part_is_started_from_instead_is_gone_and_it_is_not_started(tmp_path: Path) -> None:
    async with onboarding(tmp_path, a_file(ONE)) as it:
        gone = PartToStart(part="agreement-1", id="acme.1.1.r2", what=PartKind.AGREEMENT, content=f"part-1#{'0' * 64}")
        order = PartsToStart(onboarding="acme", content=it.given.onboarding.content, parts=(gone,))
        [seen] = (await it.parts.start(order)).parts
    assert seen.says.endswith("is not in the store")


async def test_a_faulty_catalogue_is_a_problem_and_a_kind_that_it_lost_a_decision(tmp_path: Path) -> None:
    async with onboarding(tmp_path, a_file(*LATER)) as it:
        billing, catalogue = await it.open("billing"), tmp_path / "catalogue.yaml"
        catalogue.write_text("kinds: [")
        await it.tell(billing, Done(actor=CUSTOMER))
        await it.days_pass(1 / 1440)  # its attempts
        shown = await it.until(lambda shown: shown.problem)
        assert shown.problem is not None
        assert (shown.problem.code, shown.problem.says[:23]) == (Code.PLANNING, "the catalogue is faulty")
        catalogue.write_text(json.dumps({"kinds": {name: KINDS[name] for name in ("short",)}}))
        await it.env.sleep(60)
        task = await waits_for_a_decision(it)
        catalogue.write_text(json.dumps({"kinds": KINDS}))
        await it.wish(decision(PartOutcome.RESEND))
        await it.until(lambda shown: "acme.2.1.r2" in str(shown.stages[1].agreements[0].workflow))
        await it.signed("agreement-1")
        assert (await it.ended()).outcome is Status.DONE
        text = await it.text_of(task)
    assert "could not be started: " in text and "contract" in text


def without(folder: Path, *left: str) -> None:
    """These people are in the directory no more."""
    people = [one for one in PEOPLE if one["id"] not in left]
    (folder / "people.yaml").write_text(json.dumps({"people": people}))


async def test_somebody_who_left_before_their_stage_came_is_a_decision_in_words(tmp_path: Path) -> None:
    async with onboarding(tmp_path, a_file(DETAILS, SET_UP)) as it:
        billing = await it.open("billing")
        without(tmp_path, "operations-desk")
        await it.tell(billing, Done(actor=CUSTOMER))
        task = await waits_for_a_decision(it, "account")
        await it.wish(decision(PartOutcome.WAIVE, "account", reason="Nobody is left."))
        assert (await it.ended()).parts[1].state == "waived"
        assert "operations-desk" in await it.text_of(task)
    assert ("begun-account", CUSTOMER) not in it.notices_of(it.handle.id), "nothing was begun"


async def test_an_owner_who_left_is_asked_once_a_look_and_no_part_stands_still_for_that(tmp_path: Path) -> None:
    both = {"name": "both", "agreements": [an_agreement(), an_agreement("Data processing agreement")]}
    async with onboarding(tmp_path, a_file(both, LIVE)) as it:
        await it.until_open("agreement-2")
        await it.at_rest()
        without(tmp_path, OWNER)
        await it.signed("agreement-1", Status.DECLINED)
        await it.until(lambda shown: "nobody could be asked: agreement-1" in [one.what for one in shown.timeline])
        await it.signed("agreement-2")
        assert [one.what for one in (await it.shown()).timeline].count("nobody could be asked: agreement-1") == 1
        (tmp_path / "people.yaml").write_text(json.dumps({"people": PEOPLE}))
        await it.env.sleep(2 * 86_400)
        task = "task:acme.1.1.decide.r2"
        await it.until(lambda shown: shown.stages[0].agreements[0].decision == task)
        await _until(lambda: _only_waits(it, task))
        await it.wish(decision(PartOutcome.WAIVE, reason="On paper."))
        assert (await it.ended()).outcome is Status.DONE


async def test_what_was_broken_off_and_is_signed_after_all_needs_no_decision(tmp_path: Path) -> None:
    async with onboarding(tmp_path, a_file(DETAILS, ONE)) as it:
        started = await path.start(it.client, it.store, await alone(tmp_path))
        await it.done("billing", CUSTOMER)
        await it.until_open("agreement-1")
        await it.at_rest()
        await it.client.get_workflow_handle(started.workflow_id).terminate("by hand")
        await it.env.sleep(2 * 86_400)
        task = await waits_for_a_decision(it)
        await _until(lambda: _only_waits(it, task))
        again = await alone(tmp_path)
        joined = replace(again, request=again.request.replace(subscribers=(it.handle.id,)))
        await path.start(it.client, it.store, joined, again=True)
        await signed_alone(it)
        ended = await it.ended()
        assert (await it.client.get_workflow_handle(task).result())["outcome"] == "done"
    assert (ended.outcome, ended.parts[1].state) == (Status.DONE, "signed")


async def test_what_was_started_alone_and_terminated_before_its_stage_came_is_taken_up(tmp_path: Path) -> None:
    async with onboarding(tmp_path, a_file(DETAILS, ONE)) as it:
        started = await path.start(it.client, it.store, await alone(tmp_path))
        await _until(lambda: _only_waits(it))
        await it.client.get_workflow_handle(started.workflow_id).terminate("by hand")
        await it.done("billing", CUSTOMER)
        task = await waits_for_a_decision(it)
        catalogue = tmp_path / "catalogue.yaml"
        catalogue.write_text(json.dumps({"kinds": {"short": KINDS["short"]}}))
        await it.wish(decision(PartOutcome.RESEND))
        await it.until(lambda shown: shown.stages[1].agreements[0].decision == f"{task}.r2")
        await waits_for_a_decision(it)
        catalogue.write_text(json.dumps({"kinds": KINDS}))
        await it.wish(decision(PartOutcome.RESEND))
        await it.signed("agreement-1")
        assert (await it.ended()).outcome is Status.DONE
    assert {*await made(it)} == {"acme.2.1"}


async def test_of_two_owners_who_decide_at_once_one_wins_and_the_other_is_refused_in_words(tmp_path: Path) -> None:
    async with onboarding(tmp_path, a_file(ONE)) as it:
        await it.signed("agreement-1", Status.DECLINED)
        await waits_for_a_decision(it)
        wishes = [
            Decision(actor=OWNER, part="agreement-1", choice=PartOutcome.RESEND),
            Decision(actor="chair", part="agreement-1", choice=PartOutcome.WAIVE, reason="On paper."),
        ]
        answers = await asyncio.gather(
            *(it.handle.execute_update(UPDATES[Decision], wish, result_type=Receipt) for wish in wishes),
            return_exceptions=True,
        )
        [refused] = [one for one in answers if isinstance(one, BaseException)]
        assert isinstance(refused, WorkflowUpdateFailedError)
        stands, _, nothing = str(refused.cause).removeprefix("refused: agreement-1 is ").partition(": ")
        assert stands in ("to be started again by a decision that was made already", "waived")
        assert nothing == "there is nothing to decide about it"
        decided = [entry for entry in (await it.shown()).timeline if entry.what.startswith("decided: ")]
    assert len(decided) == 1


async def test_a_part_that_two_say_is_done_is_done_once(tmp_path: Path) -> None:
    async with onboarding(tmp_path, a_file(SET_UP, LIVE)) as it:
        account = await it.open("account")
        await it.at_rest()
        handle = it.client.get_workflow_handle(account)
        both = [Done(actor=actor) for actor in ("operations-desk", OWNER)]
        await asyncio.gather(*(handle.execute_update(UPDATES[Done], one) for one in both), return_exceptions=True)
        assert (await it.ended()).outcome is Status.DONE
        done = [entry for entry in (await it.shown()).timeline if entry.what == "done: account"]
    assert len(done) == 1
    assert it.notices_of(it.handle.id).count(("finished-account", CUSTOMER)) == 1
