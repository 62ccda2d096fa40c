"""The two contenders of the bench, and the life of one measured request on a real server."""

import asyncio
import uuid
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from enum import StrEnum
from time import perf_counter
from typing import Any, Final

from temporalio.client import Client, WorkflowHandle
from temporalio.common import SearchAttributePair, TypedSearchAttributes
from temporalio.worker import PollerBehaviorAutoscaling, Worker

from starter.temporal.codec import data_converter
from tests.bench import clock
from tests.bench.floor import CALLING, FLOOR, KEEPING, PROMPT, FloorInput, FloorWorkflow
from tests.bench.stakeholders import PromptHandoff, PromptPlanner, PromptPushService, PromptSignatureService
from tests.servers import real_server
from tests.workflows.fakes import FakeEvidence
from workflows import names
from workflows.kinds import Kind
from workflows.model.policy import EvidenceLevel, Policy, Target
from workflows.model.signature import Document, ProviderEvent, SignatureBrief
from workflows.model.subject import Participant, Status
from workflows.signature.state import SignatureInput
from workflows.signature.workflow import SignatureRequestWorkflow

QUIET: Final = ("--output", "none", "--log-level", "never")
"""For a server that says nothing."""
IDENTITY: Final = "bench@machine"
"""Of client and workers: by default it has the number of the process, and histories differ in bytes."""
_HANDOFF: Final = (
    Target(target="hr", person="hr-desk"),
    Target(target="finance", url="https://erp.example/hooks/signed"),
    Target(target="operations", person="operations-desk"),
    Target(target="customer-success", person="success-desk"),
)


class Contender(StrEnum):
    """Who is measured; the value is the workflow's type."""

    OURS = names.SIGNATURE_REQUEST
    FLOOR = FLOOR


@asynccontextmanager
async def course() -> AsyncIterator[Client]:
    """A fresh in-memory server and its workers, stopped at the end."""
    async with (
        real_server(*QUIET, converter=data_converter(()), identity=IDENTITY) as env,
        workers_on(env.client),
    ):
        yield env.client


@asynccontextmanager
async def workers_on(client: Client) -> AsyncIterator[None]:
    """The workers of both contenders on a server that stands, one per queue as `worker.py` runs them.

    Unlike there, a workflow with a fault fails instead of waiting for its repair: nobody waits for it here.
    """
    push = PromptPushService()
    prompt: list[Callable[..., Any]] = [
        *PromptPlanner().activities(),
        *push.activities(),
        *PromptHandoff().activities(),
        *PROMPT,
    ]
    calling: list[Callable[..., Any]] = [*PromptSignatureService().activities(), *push.activities(), *CALLING]
    keeping: list[Callable[..., Any]] = [*FakeEvidence().activities(), *KEEPING]
    workflows = [SignatureRequestWorkflow, FloorWorkflow]
    pollers = PollerBehaviorAutoscaling()
    async with (
        Worker(
            client,
            task_queue=names.WORKFLOW_QUEUE,
            workflows=workflows,
            activities=prompt,
            workflow_failure_exception_types=[Exception],
            workflow_task_poller_behavior=pollers,
            activity_task_poller_behavior=pollers,
        ),
        Worker(client, task_queue=names.SIGNATURE_QUEUE, activities=calling, activity_task_poller_behavior=pollers),
        Worker(client, task_queue=names.EVIDENCE_QUEUE, activities=keeping, activity_task_poller_behavior=pollers),
    ):
        yield


async def start(
    client: Client, contender: Contender, name: str, evidence: EvidenceLevel = EvidenceLevel.FULL
) -> WorkflowHandle[Any, Any]:
    """Start one request as the command does: with memo, summary and search attributes."""
    request = a_request(name, evidence)
    return await client.start_workflow(
        contender.value,
        request if contender is Contender.OURS else _in_small_words(request),
        id=Kind.REQUEST.workflow_id(name),
        task_queue=names.WORKFLOW_QUEUE,
        memo={names.MEMO_FINGERPRINT: request.fingerprint},
        search_attributes=TypedSearchAttributes(
            [
                SearchAttributePair(names.STATUS, Status.CONVERTING.value),
                SearchAttributePair(names.KIND, request.brief.kind),
                SearchAttributePair(names.STAGE, "sending"),
            ]
        ),
        static_summary=f"{request.brief.kind}: {request.brief.title}",
    )


async def park(
    client: Client, contender: Contender, size: int, evidence: EvidenceLevel = EvidenceLevel.FULL
) -> list[WorkflowHandle[Any, Any]]:
    """`size` requests that have had their reminders and wait for a signature with their escalation armed."""
    hurried = clock.hurried(client)
    request_ids = [f"customer-contract-{uuid.uuid4().hex[:12]}" for _ in range(size)]
    handles = [await start(hurried, contender, name, evidence) for name in request_ids]
    await asyncio.gather(*(clock.wait_for_reminders(client, handle) for handle in handles))
    return handles


async def sign(handle: WorkflowHandle[Any, Any]) -> None:
    """Deliver the provider's `signed`, as the receiver of callbacks does."""
    event = ProviderEvent(id=uuid.uuid5(uuid.NAMESPACE_URL, handle.id).hex, type="signed", at=datetime.now(UTC))
    await handle.signal(names.PROVIDER_EVENT, event)


async def settling_ms(handle: WorkflowHandle[Any, Any]) -> float:
    """Sign; the milliseconds from the signal's acknowledgement to the end of the request, everybody told."""
    settled = asyncio.create_task(handle.result())
    await asyncio.sleep(0)
    await sign(handle)
    acknowledged = perf_counter()
    await settled
    return (perf_counter() - acknowledged) * 1_000


def _in_small_words(request: SignatureInput) -> FloorInput:
    brief = request.brief
    return FloorInput(
        id=brief.id,
        title=brief.title,
        sha256=brief.document.sha256 or "",
        requester=brief.requester,
        signers=tuple(signer.person for signer in brief.people),
        targets=tuple(target.url or target.person or "" for target in request.policy.handoff),
    )


def a_request(name: str, evidence: EvidenceLevel = EvidenceLevel.FULL) -> SignatureInput:
    """A customer contract for two signers at once, with four stakeholders to be told of its end."""
    return SignatureInput(
        brief=SignatureBrief(
            id=name,
            kind="customer-contract",
            title="Master services agreement",
            document=Document(sha256="ab" * 32, size=48_211, file_name="msa.pdf"),
            requester="legal-desk",
            people=(Participant(person="customer-signer", order=1), Participant(person="chief-executive", order=1)),
        ),
        policy=Policy(handoff=_HANDOFF, evidence=evidence),
        fingerprint="5c" * 32,
    )
