"""A request that has ended at a sandbox, the keeper of its evidence, and a workflow that asks for it."""

import asyncio
import multiprocessing
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any, Final

from temporalio import workflow
from temporalio.api.common.v1 import WorkflowExecution
from temporalio.api.workflowservice.v1 import DeleteWorkflowExecutionRequest
from temporalio.client import Client, WorkflowExecutionStatus, WorkflowHandle
from temporalio.common import RetryPolicy
from temporalio.contrib.pydantic import pydantic_data_converter
from temporalio.service import RPCError
from temporalio.worker import Worker

from activities.core_signature.client import CoreSignatureClient
from activities.core_signature.downloads import MEGABYTE, DocumentDownloads
from activities.core_signature.service import CoreSignatureService
from activities.core_signature.wire import WireDocument
from activities.evidence.content import EvidenceContent
from activities.evidence.service import EvidenceKeeper
from activities.http.client import make_client
from activities.http.transport import Guard
from activities.people.file_directory import FileDirectory
from activities.records.store import Store
from activities.temporal.executions import about_the_workflow
from deploy.sandbox.server import RunningSandbox, running
from deploy.sandbox.state.settings import SandboxSettings
from tests.activities.core_signature.conftest import PEOPLE, config_at
from tests.activities.core_signature.requests import PDF, act_as_signer, brief
from tests.faults.town import eventually
from workflows.follow_up import options
from workflows.kinds import Kind
from workflows.model.evidence import EvidenceOrder, KeptFiles
from workflows.model.policy import Policy
from workflows.model.signature import CreateOrder, SignatureBrief
from workflows.names import EVIDENCE_QUEUE, SIGNATURE_REQUEST
from workflows.ports import EvidenceService
from workflows.signature.state import SignatureInput

MSA = "msa-0042"
WORKFLOW = Kind.REQUEST.workflow_id(MSA)
MEGABYTES = 1
_ORDERS: dict[str, EvidenceOrder] = {}
"""What each asks for; not its input, which is kept."""
ATTEMPT: Final = timedelta(seconds=4)
"""Of a keeper that is killed; the next one has some more."""


@workflow.defn(name=SIGNATURE_REQUEST, sandboxed=False)
class KeepEvidenceWorkflow:
    """Asks for what is to be kept, and answers with it; a first run may continue as new, and the second wait."""

    def __init__(self) -> None:
        self._waits = True

    @workflow.signal
    def go_on(self) -> None:
        """What the second run may wait for has happened."""
        self._waits = False

    @workflow.run
    async def run(self, signature_input: SignatureInput) -> KeptFiles:
        """Once, as the hand-off waits for it."""
        order = _ORDERS[signature_input.brief.id]
        if order.people and not workflow.info().continued_run_id:
            workflow.continue_as_new(signature_input)
        await workflow.wait_condition(lambda: not self._waits or order.people != ("forgotten",))
        activity_options = options.limit_time(
            timedelta(seconds=30 if order.people == ("killed",) else 10), options.EVIDENCE
        )
        activity_options["start_to_close_timeout"] = ATTEMPT if order.people == ("killed",) else timedelta(seconds=60)
        activity_options["retry_policy"] = RetryPolicy(initial_interval=timedelta(milliseconds=100))
        return await workflow.execute_activity_method(
            EvidenceService.keep, order.replace(people=()), **activity_options
        )


@dataclass
class Ending:
    """A request, signed or declined."""

    sandbox: RunningSandbox
    client: CoreSignatureClient
    store: Store
    keeper: EvidenceKeeper
    temporal: Client
    service: CoreSignatureService
    folder: Path
    document: str = ""
    signature_input: SignatureInput = field(default_factory=lambda: SignatureInput(brief=brief(), policy=Policy()))

    async def another(
        self, request: SignatureBrief, action: str = "sign", inputs: Sequence[dict[str, object]] = ()
    ) -> "Ending":
        """One more request, made and ended."""
        document_state = await self.service.create(CreateOrder(brief=request, fingerprint="f" * 64))
        if action == "sign":
            await act_as_signer(self.sandbox, "customer@acme.test", "sign", request.id, inputs=list(inputs))
            await act_as_signer(self.sandbox, "ceo@example.test", "sign", request.id)
        else:
            await act_as_signer(self.sandbox, "customer@acme.test", action, request.id, reason="no")
        signature_input = SignatureInput(brief=request, policy=Policy(), fingerprint="f" * 64)
        return replace(self, document=document_state.document, signature_input=signature_input)

    async def read(self) -> WireDocument:
        """The document as Core Signature has it now."""
        return await self.client.document(self.document)

    async def keep_evidence(
        self,
        *,
        log_only: bool = False,
        document: str | None = "",
        repeated: bool = False,
        forgotten: bool = False,
        kept_until: datetime | None = None,
    ) -> KeptFiles:
        """Have it kept by a workflow of the request, to its end: by its second run, before which Temporal may have
        forgotten the first.
        """
        document_id = self.document if document == "" else document
        runs = ("forgotten",) if forgotten else ("again",) if repeated else ()
        _ORDERS[self.signature_input.brief.id] = EvidenceOrder(
            document=document_id, log_only=log_only, people=runs, until=kept_until
        )
        queue, id = self.temporal.namespace, self.signature_input.brief.workflow_id
        async with self.at_work():
            handle = await self.temporal.start_workflow(
                KeepEvidenceWorkflow.run, self.signature_input, id=id, task_queue=queue
            )
            if forgotten:
                await self._forget(handle)
                handle = self.temporal.get_workflow_handle_for(KeepEvidenceWorkflow.run, id)
                await handle.signal(KeepEvidenceWorkflow.go_on)
            return await handle.result()

    async def _forget(self, handle: WorkflowHandle[KeepEvidenceWorkflow, KeptFiles]) -> None:
        """Delete its first run, once that has continued as new."""
        first = self.temporal.get_workflow_handle(handle.id, run_id=handle.first_execution_run_id)
        await eventually(lambda: _has_continued(first))
        execution = WorkflowExecution(workflow_id=first.id, run_id=first.run_id or "")
        deletion_request = DeleteWorkflowExecutionRequest(
            namespace=self.temporal.namespace, workflow_execution=execution
        )
        await self.temporal.workflow_service.delete_workflow_execution(deletion_request)
        await eventually(lambda: _is_gone(first), timeout_seconds=60)

    @asynccontextmanager
    async def killed(self) -> AsyncIterator[WorkflowHandle[KeepEvidenceWorkflow, KeptFiles]]:
        """A request whose evidence is kept by a process that is killed at the end of the block."""
        _ORDERS[MSA] = EvidenceOrder(document=self.document, people=("killed",))
        queue, nursery = self.temporal.namespace, multiprocessing.get_context("spawn")
        process_arguments = (self.temporal.service_client.config.target_host, queue, self.sandbox.url, str(self.folder))
        process = nursery.Process(target=keep_elsewhere, args=process_arguments)
        async with Worker(self.temporal, task_queue=queue, workflows=[KeepEvidenceWorkflow]):
            handle = await self.temporal.start_workflow(
                KeepEvidenceWorkflow.run, self.signature_input, id=WORKFLOW, task_queue=queue
            )
            process.start()
            try:
                yield handle
            finally:
                process.kill()
                process.join()

    @asynccontextmanager
    async def at_work(self) -> AsyncIterator[None]:
        """Both workers."""
        async with (
            Worker(self.temporal, task_queue=self.temporal.namespace, workflows=[KeepEvidenceWorkflow]),
            Worker(self.temporal, task_queue=EVIDENCE_QUEUE, activities=self.keeper.activities()),
        ):
            yield

    async def content(self) -> EvidenceContent:
        """What was kept of ours."""
        return EvidenceContent.model_validate_json(await self.store.evidence.read(WORKFLOW) or b"")

    async def lines(self, part: str) -> list[bytes]:
        """The lines of a part."""
        return (await self.store.evidence.part(WORKFLOW, part) or b"").splitlines()


async def _has_continued(run: WorkflowHandle[Any, Any]) -> bool:
    return (await run.describe()).status is WorkflowExecutionStatus.CONTINUED_AS_NEW


async def _is_gone(run: WorkflowHandle[Any, Any]) -> bool:
    try:
        await run.describe()
    except RPCError as error:
        return about_the_workflow(error)
    return False


@asynccontextmanager
async def stage_ended_request(
    folder: Path, temporal: Client, action: str = "sign", pdf: bytes = PDF, filled: Sequence[dict[str, object]] = ()
) -> AsyncIterator[Ending]:
    """Both signers have signed, the first with these `inputs`, or the first has declined."""
    (folder / "people.yaml").write_text(PEOPLE)
    async with (
        running(SandboxSettings(conversion_delay=0)) as sandbox,
        _keeping(folder, sandbox.url, temporal) as (client, service, store, keeper),
    ):
        stage = Ending(sandbox, client, store, keeper, temporal, service, folder)
        yield await stage.another(brief(await store.files.put(pdf)), action, filled)


@asynccontextmanager
async def _keeping(
    folder: Path, url: str, temporal: Client
) -> AsyncIterator[tuple[CoreSignatureClient, CoreSignatureService, Store, EvidenceKeeper]]:
    """Whoever keeps evidence in this folder, of what has ended at the sandbox of this address."""
    store = Store((folder / "store").as_uri())
    directory = FileDirectory(folder / "people.yaml", store)
    client = CoreSignatureClient(config_at(url, SandboxSettings()))
    service = CoreSignatureService(client, directory, store)
    async with make_client(limit_bytes=(MEGABYTES + 1) * MEGABYTE) as calls:
        guard = Guard((url.removeprefix("http://"),), setting="COUNTERSIGN_SIGNATURE_DOWNLOAD_HOSTS")
        downloads = DocumentDownloads(calls, guard, store.files, MEGABYTES * MEGABYTE)
        yield client, service, store, EvidenceKeeper(service.reader, downloads, store, directory, temporal)
    await client.aclose()


def keep_elsewhere(address: str, namespace: str, url: str, folder: str) -> None:
    """A process that keeps evidence until it is killed."""

    async def work() -> None:
        temporal = await Client.connect(address, namespace=namespace, data_converter=pydantic_data_converter)
        async with (
            _keeping(Path(folder), url, temporal) as (_, _, _, keeper),
            Worker(temporal, task_queue=EVIDENCE_QUEUE, activities=keeper.activities()),
        ):
            await asyncio.Event().wait()

    asyncio.run(work())
