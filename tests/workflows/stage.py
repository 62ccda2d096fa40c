"""The stage of the stories: a time-skipping server, one worker per queue, and a request living on it."""

import asyncio
import uuid
from collections.abc import AsyncIterator, Iterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, Final

from temporalio.api.enums.v1 import EventType, PendingActivityState
from temporalio.api.history.v1 import HistoryEvent
from temporalio.api.workflow.v1 import PendingActivityInfo
from temporalio.client import Client, WorkflowHandle
from temporalio.service import RPCError, RPCStatusCode
from temporalio.testing import WorkflowEnvironment
from temporalio.worker import UnsandboxedWorkflowRunner, Worker, WorkflowInstance, WorkflowInstanceDetails

from activities.temporal import executions as runs
from starter.temporal.plugin import TaskSandbox
from tests.servers import time_skipping
from tests.workflows import corpus
from tests.workflows.fakes import DOCUMENT, World
from tests.workflows.remembering import RememberingWorkflow
from workflows.hand_off.workflow import HandOffWorkflow
from workflows.kinds import Kind
from workflows.model.commands import UPDATES, AnyCommand
from workflows.model.hand_off import SettledRequest
from workflows.model.notifications import Channel, DeliveryResult, NotificationOutcome
from workflows.model.policy import Policy, Target, TellRequester
from workflows.model.receipts import OperationState, Receipt
from workflows.model.signature import Document, ProviderEvent, ReportedDocument, SignatureBrief
from workflows.model.subject import Participant, Role, Status
from workflows.model.views import RequestShow
from workflows.names import EVIDENCE_QUEUE, PROVIDER_EVENT, SHOW, SIGNATURE_QUEUE, WORKFLOW_QUEUE, notice_key
from workflows.signature.state import SignatureInput, SignatureState
from workflows.signature.workflow import SignatureRequestWorkflow
from workflows.task.workflow import TaskWorkflow

_TASK_UNDER_WAY: Final = (
    EventType.EVENT_TYPE_WORKFLOW_TASK_SCHEDULED,
    EventType.EVENT_TYPE_WORKFLOW_TASK_STARTED,
)
_ACTIVITY_ENDED: Final = (
    EventType.EVENT_TYPE_ACTIVITY_TASK_COMPLETED,
    EventType.EVENT_TYPE_ACTIVITY_TASK_FAILED,
    EventType.EVENT_TYPE_ACTIVITY_TASK_TIMED_OUT,
    EventType.EVENT_TYPE_ACTIVITY_TASK_CANCELED,
)
_GLANCES, _GLANCE = 60, 0.005
_TRIED: Final[set[type]] = set()
_SANDBOXED: Final[set[type]] = set()

TARGETS = (
    Target(target="hr", person="hr-desk"),
    Target(target="finance", url="https://erp.example/hooks/signed"),
    Target(target="operations", person="operations-desk"),
    Target(target="customer-success", person="success-desk"),
)

NO_OFFER = TellRequester(started=False)
"""What the requester is offered at the start is the matter of stories of its own (test_offers.py)."""


def a_request(
    *signers: Participant,
    subscribers: tuple[str, ...] = (),
    handoff: tuple[Target, ...] = TARGETS,
    name: str = "msa-0042",
) -> SignatureInput:
    """A customer contract for the customer, then the chief executive, unless other signers are given."""
    people = signers or (Participant(person="customer-signer", order=1), Participant(person="chief-executive", order=2))
    return SignatureInput(
        brief=SignatureBrief(
            id=name,
            kind="customer-contract",
            title="Master services agreement",
            document=Document(sha256="ab" * 32, size=1_000),
            requester="legal-desk",
            people=people,
        ),
        policy=Policy(handoff=handoff, tell_requester=NO_OFFER),
        fingerprint="f" * 64,
        subscribers=subscribers,
    )


PARALLEL = (Participant(person="customer-signer", order=1), Participant(person="chief-executive", order=1))
"""Two who are asked at once."""


def approver(person: str, order: int) -> Participant:
    """Somebody who approves instead of signing."""
    return Participant(person=person, order=order, role=Role.APPROVE)


def silent_for(request: SignatureInput, silence: timedelta) -> SignatureInput:
    """A request whose first signer was told `silence` ago, as a continue-as-new would carry it."""
    told_at = datetime.now(UTC) - silence
    first = request.brief.people[0].person
    ready = DeliveryResult(
        key=notice_key(request.brief.id, "ready", first),
        stage="ready",
        person=first,
        channel=Channel.PUSH,
        outcome=NotificationOutcome.ACCEPTED,
    )
    sent = ReportedDocument(document=DOCUMENT, status=Status.SENT, raw="se")
    return request.replace(
        carried=SignatureState.begin(request.brief, told_at).observe(sent, told_at).record_results((ready,), told_at)
    )


class TriesOnce(TaskSandbox):
    """The sandbox for the first run of each workflow class in a test process; the others run without it.

    The sandbox costs a third of the time of these tests, and one run of a class shows whether it works in it. Tests of
    whole worker processes always have it.
    """

    def create_instance(self, det: WorkflowInstanceDetails) -> WorkflowInstance:
        """See `WorkflowRunner`."""
        if det.defn.cls in _SANDBOXED:
            return UnsandboxedWorkflowRunner().create_instance(det)
        _SANDBOXED.add(det.defn.cls)
        return super().create_instance(det)

    def prepare_workflow(self, defn: Any) -> None:
        """See `WorkflowRunner`."""
        if defn.cls not in _TRIED:
            super().prepare_workflow(defn)
            _TRIED.add(defn.cls)


@asynccontextmanager
async def workers(client: Client, world: World, **options: object) -> AsyncIterator[None]:
    """A worker per queue, as `worker.py` runs them."""
    async with AsyncExitStack() as stack:
        await stack.enter_async_context(
            Worker(
                client,
                task_queue=WORKFLOW_QUEUE,
                workflows=[RememberingWorkflow, TaskWorkflow, HandOffWorkflow],
                activities=[*world.planner.activities(), *world.push.activities(), *world.handoff.activities()],
                workflow_runner=TriesOnce(),
                **options,  # type: ignore[arg-type]
            )
        )
        await stack.enter_async_context(
            Worker(
                client,
                task_queue=SIGNATURE_QUEUE,
                activities=[*world.signatures.activities(), *world.push.activities()],
            )
        )
        await stack.enter_async_context(
            Worker(client, task_queue=EVIDENCE_QUEUE, activities=world.evidence.activities())
        )
        yield


async def is_at_work(client: Client, id: str) -> bool:
    """Whether a task or an activity of a workflow is under way.

    Of tasks the time-skipping server describes nothing, but they stand last in the history. Of activities only the
    description tells which wait for another attempt; what has ended between the two has brought a task.
    """
    events = (await client.get_workflow_handle(id).fetch_history()).events
    if events[-1].event_type in _TASK_UNDER_WAY:
        return True
    open_activities = {event.event_id for event in events if event.HasField("activity_task_scheduled_event_attributes")}
    if not (open_activities := open_activities - {ended_id for event in events for ended_id in _ended_by(event)}):
        return False
    described = await runs.described(client, id)
    pending = described.raw.pending_activities
    return described.status.open and (len(pending) < len(open_activities) or any(map(_is_on_its_way, pending)))


def _ended_by(event: HistoryEvent) -> Iterator[int]:
    if event.event_type in _ACTIVITY_ENDED:
        yield getattr(event, event.WhichOneof("attributes") or "").scheduled_event_id


def _is_on_its_way(pending: PendingActivityInfo) -> bool:
    """Begun, or about to be: not waiting for another attempt, which the time-skipping server calls begun as well."""
    is_started = pending.state == PendingActivityState.PENDING_ACTIVITY_STATE_STARTED
    is_over = pending.last_attempt_complete_time.ToNanoseconds() >= pending.last_started_time.ToNanoseconds()
    return pending.attempt <= 1 or (is_started and not is_over)


_UNANSWERED_AT_MOST: Final = 2
_QUERY_TIMEOUT: Final = timedelta(seconds=10)


@dataclass
class Story:
    """One request on the stage."""

    env: WorkflowEnvironment
    world: World
    handle: WorkflowHandle[SignatureRequestWorkflow, SettledRequest]
    glances: int = _GLANCES

    async def read_view(self) -> RequestShow:
        """What `request show` would say now.

        The test server may give a query to a worker that is just ending, which never answers: it is asked again.
        """
        for _ in range(_UNANSWERED_AT_MOST):
            try:
                return await self.handle.query(SignatureRequestWorkflow.show, rpc_timeout=_QUERY_TIMEOUT)
            except RPCError as error:
                if error.status not in (RPCStatusCode.CANCELLED, RPCStatusCode.DEADLINE_EXCEEDED):
                    raise
        return await self.handle.query(SignatureRequestWorkflow.show)

    async def has_a_problem(self) -> bool:
        """Whether something is wrong."""
        view: dict[str, object] = await self.handle.query(SHOW)
        return view["problem"] is not None

    async def send_command(self, command: AnyCommand, op: str | None = None) -> Receipt:
        """Have a command taken at a moment of rest, and see it carried out or refused; time does not move meanwhile."""
        await self.at_rest()
        id = op or uuid.uuid4().hex
        receipt: Receipt = await self.handle.execute_update(UPDATES[type(command)], command, id=id, result_type=Receipt)
        while receipt.state is OperationState.OPEN:
            operation = await self.handle.query(SignatureRequestWorkflow.operation, id)
            assert operation is not None
            receipt = operation
        return receipt

    async def callback(
        self, kind: str = "signed", event: str | None = None, happened_at: datetime | None = None
    ) -> None:
        """What the receiver would signal; `happened_at` is when that was."""
        event_id, happened_at = event or uuid.uuid4().hex, happened_at or await self.env.get_current_time()
        await self.handle.signal(PROVIDER_EVENT, ProviderEvent(id=event_id, type=kind, at=happened_at))

    async def days_pass(self, days: float) -> None:
        """Move the server's clock."""
        await self._move(timedelta(days=days))

    async def move_clock_to(self, instant: datetime) -> None:
        """Move the server's clock to an instant."""
        await self._move(instant - await self.env.get_current_time())

    async def _move(self, duration: timedelta) -> None:
        """Between moments of rest: the server strands a run for good whose task cancels what has just ended."""
        await self.at_rest()
        await self.env.sleep(duration)
        await self.at_rest()

    async def at_rest(self) -> None:
        """Until no task and no activity of the request is at work; not for long, for a gate may hold one up."""
        for _ in range(self.glances):
            if not await is_at_work(self.env.client, self.handle.id):
                return
            await asyncio.sleep(_GLANCE)

    @asynccontextmanager
    async def nobody_works(self, days: float, callback: str | None = None) -> AsyncIterator[None]:
        """Days without a worker, in which the block happens, and perhaps a callback that waits for its return.

        The server's clock stands while a task waits for a worker. So the request itself is away for that time, and goes
        on with the memory it had, agenda and all, as after a continue-as-new.
        """
        await self.callback("viewed")
        await self.days_pass(0.001)
        last: SignatureInput = await self.handle.query("memory", result_type=SignatureInput)
        await self.handle.terminate()
        yield
        await self.days_pass(days)
        event = ProviderEvent(id=uuid.uuid4().hex, type=callback, at=datetime.now(UTC)) if callback else None
        self.handle = await _start(self.env, last, event)


@asynccontextmanager
async def start_story(
    world: World, request: SignatureInput | None = None, record: str = "", begins: datetime | None = None
) -> AsyncIterator[Story]:
    """A request that has just been started on a fresh clock, which is moved to when it `begins`.

    `record` names its history in the replay corpus.
    """
    async with time_skipping() as env, workers(env.client, world):
        if begins is not None:
            await env.sleep(begins - await env.get_current_time())
        story = await begin(env, world, request or a_request())
        await story.at_rest()
        yield story
        await corpus.record(record, story.handle)


async def begin(env: WorkflowEnvironment, world: World, request: SignatureInput) -> Story:
    """Start a request on a stage that stands."""
    return Story(env, world, await _start(env, request))


async def _start(
    env: WorkflowEnvironment, request: SignatureInput, event: ProviderEvent | None = None
) -> WorkflowHandle[SignatureRequestWorkflow, SettledRequest]:
    return await env.client.start_workflow(
        SignatureRequestWorkflow.run,
        request,
        id=Kind.REQUEST.workflow_id(request.brief.id),
        task_queue=WORKFLOW_QUEUE,
        start_signal=PROVIDER_EVENT if event else None,
        start_signal_args=[event] if event else [],
    )
