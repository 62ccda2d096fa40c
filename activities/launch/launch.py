"""Start a workflow or recognise the started one: the one start path of all kinds. Personal data goes to the store
first, never into a history.
"""

import asyncio
import hashlib
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any, Final, Protocol

import rfc8785
from pydantic import BaseModel
from temporalio.client import Client
from temporalio.common import (
    SearchAttributePair,
    TypedSearchAttributes,
    WorkflowIDConflictPolicy,
    WorkflowIDReusePolicy,
)
from temporalio.exceptions import WorkflowAlreadyStartedError
from temporalio.service import RPCError, RPCStatusCode

from activities.records.settled import owner_in
from activities.records.starts import Start
from activities.records.store import Store
from activities.temporal import executions
from activities.temporal.executions import RunStatus
from activities.temporal.interceptors import priority, queue_of
from workflows import names
from workflows.follow_up import commands
from workflows.follow_up.input import FollowUpInput
from workflows.follow_up.view import listed_people
from workflows.kinds import Kind, WorkflowName, named
from workflows.model.commands import Cancellation
from workflows.model.timeline import EventType
from workflows.signature.state import SignatureInput, SignatureState

if TYPE_CHECKING:
    from activities.files.reading import FileFaults
    from activities.launch.intake import AskingFile

REFUSED_KEPT: Final = timedelta(days=1)
"""How long a start may take before what it stored is taken for a leftover."""
_SUMMARY_BYTES: Final = 160
"""The server keeps 400 bytes of a summary, after the codec has encrypted it."""
_FORGOTTEN: Final = "there was neither a workflow nor a record of it"


class PreparedStart(Protocol):
    """A fully checked file; nothing is stored or started yet."""

    @property
    def workflow_input(self) -> FollowUpInput:
        """The workflow's input."""
        ...

    @property
    def overdue(self) -> "FileFaults | None":
        """Why it can be recognised but no longer started."""
        ...

    async def store_input(self, store: Store) -> FollowUpInput:
        """Store personal data, and return the input without it. Idempotent."""
        ...

    async def store_for_pages(self, store: Store, workflow_input: FollowUpInput) -> None:
        """Store what pages show while Temporal and Core Signature are away; `workflow_input` is from `store_input`.
        Idempotent.
        """
        ...


class IdTaken(Exception):
    """The id belongs to other content."""

    def __init__(self, name: WorkflowName) -> None:
        super().__init__(
            f"{name.id} is the id of another {name.kind} with other content; leave the id out of the file or choose a "
            f"new one (countersign {name.kind.spec.command} show {name.id} tells about the one that has it)"
        )
        self.id = name.id


class ForeignPartId(Exception):
    """A part's id does not begin with the id of its onboarding or campaign."""

    def __init__(self, id: str, parent: str) -> None:
        super().__init__(
            f"{id} cannot belong to {parent}: its id must begin with the parent's, which has no dot, and a dot"
        )


class BrokenOff(Exception):
    """Its workflow failed or was terminated; `is_restartable` if it can be started again."""

    def __init__(self, name: WorkflowName, status: RunStatus) -> None:
        helps = f"countersign {name.kind.spec.command} show {name.id} tells how far it came"
        self.is_restartable = status is RunStatus.TERMINATED
        if self.is_restartable:
            helps = f"start it with --again to {name.kind.spec.again_label}"
        super().__init__(f"{name.id}: its workflow was {status} and nobody goes on with it; {helps}")
        self.id = name.id


class SentAfterReview(BrokenOff):
    """Begun anew, its reviewers would be asked about what is at Core Signature already."""

    def __init__(self, name: WorkflowName) -> None:
        super().__init__(name, RunStatus.TERMINATED)
        self.is_restartable = False
        command_word = name.kind.spec.command
        self.args = (
            f"{name.id}: it was sent after its review, which cannot be begun once more; end it "
            f"(countersign {command_word} cancel {name.id}), and start it under another id",
        )


@dataclass(frozen=True)
class Starter:
    """A plain client, or a Nexus operation whose caller gets the result. `joins` if the caller also waits for a running
    one; `origin` names the entry point.
    """

    start_workflow: Callable[..., Awaitable[Any]]
    joins: bool = False
    origin: str | None = None


@dataclass(frozen=True)
class StartResult:
    """The workflow, open or closed, under the id; `created` if this call started it."""

    id: str
    workflow_id: str
    run_id: str
    created: bool


def fingerprint(content: Mapping[str, Any]) -> str:
    """SHA-256 of a file's content as canonical JSON."""
    return hashlib.sha256(rfc8785.dumps(content)).hexdigest()


def own_id(file: "AskingFile", digest: str) -> str:
    """The id in the file, else one derived from the content."""
    return file.id or f"{file.kind}-{digest[:12]}"


async def start(
    client: Client,
    store: Store,
    prepared: PreparedStart,
    *,
    actor: str | None = None,
    parent: str | None = None,
    is_restart: bool = False,
    delay: timedelta = timedelta(),
    starter: Starter | None = None,
) -> StartResult:
    """Start it, or recognise the one started from the same content; idempotent, even after it closed or Temporal forgot
    it.

    `actor` is who called, and how that is known (`KnownBy`), `parent` the workflow id of an onboarding or campaign,
    `delay` the time until the workflow begins, `starter` replaces the client. Raises `IdTaken` for other content,
    `ForeignPartId` for an id outside its parent's, `BrokenOff` for a broken-off workflow; with `is_restart` a
    terminated one is started anew.
    """
    workflow_name, digest = _name_of(prepared), prepared.workflow_input.fingerprint
    if parent is not None and owner_in(workflow_name.id) != parent.partition(":")[2]:
        raise ForeignPartId(workflow_name.id, parent)
    if record := await _recorded(store, workflow_name):
        return _recognise(workflow_name, digest, record)
    chosen_starter = starter or Starter(client.start_workflow)
    earlier = await _in_temporal(client, workflow_name) if is_restart or chosen_starter.joins else None
    if earlier is not None and not (is_restart and earlier.can_be_taken_up_by(prepared)):
        result = _recognise(workflow_name, digest, earlier)
        if not (chosen_starter.joins and earlier.status.open):
            return result
    elif prepared.overdue is not None:
        return _recognise(workflow_name, digest, earlier or await _in_temporal(client, workflow_name), prepared.overdue)
    if earlier is not None and await _was_sent_after_review(store, prepared.workflow_input):
        raise SentAfterReview(workflow_name)
    if earlier is None:
        await _refuse_other_content(client, store, workflow_name, digest)
    workflow_input = await prepared.store_input(store)
    handle = await _start_workflow(
        chosen_starter, workflow_name, workflow_input, parent, earlier if is_restart else None, delay=delay
    )
    if handle is None or chosen_starter.joins:
        # Of two concurrent joins with different content, one is refused now.
        try:
            result = _recognise(
                workflow_name,
                digest,
                await _in_temporal(client, workflow_name) or await _recorded(store, workflow_name),
            )
        except IdTaken:
            await store.forget_input(workflow_name.workflow_id, digest)
            raise
    else:
        result = StartResult(workflow_name.id, handle.id, handle.result_run_id or "", created=True)
    recording = store.starts.begin(
        workflow_name.workflow_id, start_of(workflow_input, parent, datetime.now(UTC), actor)
    )
    choosing = store.people.choose(workflow_name.workflow_id, digest)
    await asyncio.gather(recording, choosing, prepared.store_for_pages(store, workflow_input))
    return result


async def recognise(
    client: Client, store: Store, workflow_name: WorkflowName, fingerprint: str, unknown: Exception
) -> StartResult:
    """The workflow started from this content, though the file is no longer valid. Raises `unknown` if there is none,
    else as `start`.
    """
    earlier = await _recorded(store, workflow_name) or await _in_temporal(client, workflow_name)
    return _recognise(workflow_name, fingerprint, earlier, unknown)


async def forget_refused(client: Client, store: Store, now: datetime) -> int:
    """Remove what starts stored that never ran, because a process ended in between; how many. Idempotent."""
    forgotten, cursor = 0, ("", "")
    while starts := await store.people.unchosen(now - REFUSED_KEPT, cursor):
        for workflow_id, start in starts:
            workflow_name = named(workflow_id)
            run = workflow_name and (await _recorded(store, workflow_name) or await _in_temporal(client, workflow_name))
            if run and run.fingerprint.startswith(start):
                await store.people.choose(workflow_id, start)
            else:
                await store.forget_input(workflow_id, start)
                forgotten += 1
        cursor = starts[-1]
    return forgotten


async def restart(
    client: Client,
    store: Store,
    workflow_name: WorkflowName,
    workflow_input: FollowUpInput,
    *,
    forgotten_of: str | None = None,
) -> None:
    """Start a broken-off workflow anew; others are left alone. One that Temporal does not know is started only as a
    part of `forgotten_of`.
    """
    earlier = await _in_temporal(client, workflow_name)
    nobodys = earlier.status.broken_off if earlier else forgotten_of is not None
    if nobodys and not await _recorded(store, workflow_name):
        parent = None if earlier else forgotten_of
        await _start_workflow(
            Starter(client.start_workflow), workflow_name, workflow_input, parent, earlier, delay=timedelta()
        )


def start_of(workflow_input: FollowUpInput, parent: str | None, now: datetime, actor: str | None = None) -> Start:
    subject = workflow_input.subject
    document = workflow_input.brief.document.sha256 if isinstance(workflow_input, SignatureInput) else None
    return Start(subject.kind, subject.title, workflow_input.people, subject.requester, parent, now, actor, document)


def search_attributes(workflow_input: FollowUpInput, parent: str | None, begins: datetime) -> TypedSearchAttributes:
    subject = workflow_input.subject
    pairs: list[SearchAttributePair[Any]] = [
        SearchAttributePair(names.STATUS, workflow_input.first_status),
        SearchAttributePair(names.KIND, subject.kind),
        SearchAttributePair(names.STAGE, workflow_input.first_stage),
        SearchAttributePair(names.REQUESTER, subject.requester),
    ]
    if parent is not None:
        pairs.append(SearchAttributePair(names.PARENT, parent))
    if first_asked := listed_people(workflow_input.first_asked):
        pairs += [SearchAttributePair(names.WAITING_FOR, first_asked), SearchAttributePair(names.TURN_AT, begins)]
    if workflow_input.teams:
        pairs.append(SearchAttributePair(names.TEAMS, listed_people(workflow_input.teams)))
    return TypedSearchAttributes(pairs)


def summary(kind: str, title: str) -> str:
    """`customer-contract: Master services agreement`; no names of people."""
    return f"{kind}: {title}".encode()[:_SUMMARY_BYTES].decode(errors="ignore")


async def end_terminated(
    client: Client,
    store: Store,
    workflow_id: str,
    cancellation: Cancellation,
    now: datetime,
    *,
    begun_by: str | None = None,
) -> bool:
    """Cancel a terminated request's document by a new run that only cancels, from the stored input; idempotent. A
    document signed meanwhile ends as signed. False if not broken off, started by another than `begun_by`, or a task.
    """
    workflow_name, run = named(workflow_id), await executions.find_run(client, workflow_id)
    if workflow_name is None or not workflow_name.kind.spec.document or run is None:
        return False
    if not run.status.broken_off or (begun_by and run.search_attributes.get(names.PARENT) != begun_by):
        return False
    request_input = await executions.began_with(client, run, SignatureInput)
    explanation = None if run.status is executions.RunStatus.TERMINATED else f"it had {run.status}"
    await restart(client, store, workflow_name, _to_be_ended(request_input, cancellation, now, explanation))
    return True


async def end_forgotten(
    client: Client,
    store: Store,
    request_input: SignatureInput,
    cancellation: Cancellation,
    now: datetime,
    *,
    parent: str,
) -> bool:
    """End a request that Temporal has forgotten, like a terminated one, by its input. Idempotent. False if the server
    refuses such a start.
    """
    workflow_name = WorkflowName(Kind.REQUEST, request_input.brief.id)
    to_be_ended = _to_be_ended(request_input, cancellation, now, _FORGOTTEN)
    try:
        await restart(client, store, workflow_name, to_be_ended, forgotten_of=parent)
    except RPCError as error:
        if error.status is not RPCStatusCode.INVALID_ARGUMENT:
            raise
        return False
    return True


async def _refuse_other_content(client: Client, store: Store, workflow_name: WorkflowName, fingerprint: str) -> None:
    """Raise `IdTaken` before anything is stored; of two starts at the same time one is refused afterwards."""
    if await store.starts.find_known([workflow_name.workflow_id]):
        run = await _in_temporal(client, workflow_name)
        if run is not None and run.fingerprint != fingerprint:
            raise IdTaken(workflow_name)


async def _was_sent_after_review(store: Store, workflow_input: FollowUpInput) -> bool:
    if not isinstance(workflow_input, SignatureInput) or not workflow_input.brief.reviewers:
        return False
    return await store.starts.claimed_for(workflow_input.subject.workflow_id) is not None


def _name_of(prepared: PreparedStart) -> WorkflowName:
    subject = prepared.workflow_input.subject
    return WorkflowName(subject.type, subject.id)


class _EarlierStart(BaseModel):
    """An earlier start, by its settled record or by Temporal."""

    fingerprint: str
    run_id: str
    status: RunStatus = RunStatus.COMPLETED
    parent: str | None = None
    origin: str | None = None

    def can_be_taken_up_by(self, prepared: PreparedStart) -> bool:
        return self.status is RunStatus.TERMINATED and self.fingerprint == prepared.workflow_input.fingerprint


async def _recorded(store: Store, workflow_name: WorkflowName) -> _EarlierStart | None:
    record = await store.records.read(workflow_name.workflow_id)
    return _EarlierStart.model_validate_json(record) if record is not None else None


async def _in_temporal(client: Client, workflow_name: WorkflowName) -> _EarlierStart | None:
    run = await executions.find_run(client, workflow_name.workflow_id)
    if run is None:
        return None
    return _EarlierStart(
        fingerprint=await run.memo(names.MEMO_FINGERPRINT),
        run_id=run.run_id,
        status=run.status,
        parent=run.search_attributes.get(names.PARENT),
        origin=await run.memo(names.MEMO_ORIGIN) or None,
    )


def _recognise(
    workflow_name: WorkflowName, fingerprint: str, earlier: _EarlierStart | None, unknown: Exception | None = None
) -> StartResult:
    if earlier is None and unknown is not None:
        raise unknown
    if earlier is None or earlier.fingerprint != fingerprint:
        raise IdTaken(workflow_name)
    if earlier.status.broken_off:
        raise BrokenOff(workflow_name, earlier.status)
    return StartResult(workflow_name.id, workflow_name.workflow_id, earlier.run_id, created=False)


async def _start_workflow(
    starter: Starter,
    workflow_name: WorkflowName,
    workflow_input: FollowUpInput,
    parent: str | None,
    earlier: _EarlierStart | None,
    *,
    delay: timedelta,
) -> Any | None:
    """The starter's handle, None if another start was first."""
    subject, parent = workflow_input.subject, parent or (earlier.parent if earlier else None)
    # A restart keeps the origin, so that its entry point can still show and end it.
    origin = starter.origin or (earlier.origin if earlier else None)
    memo = {names.MEMO_FINGERPRINT: workflow_input.fingerprint, names.MEMO_DOCUMENT: subject.title}
    # FAIL, not USE_EXISTING: running and closed workflows are then recognised by the same comparison, and only the
    # start that made the workflow reports `created` (the SDK does not tell whether an existing one was used).
    conflict = WorkflowIDConflictPolicy.USE_EXISTING if starter.joins else WorkflowIDConflictPolicy.FAIL
    reuse = WorkflowIDReusePolicy.ALLOW_DUPLICATE_FAILED_ONLY if earlier else WorkflowIDReusePolicy.REJECT_DUPLICATE
    try:
        return await starter.start_workflow(
            workflow_name.kind.spec.workflow,
            workflow_input,
            id=workflow_name.workflow_id,
            task_queue=queue_of(workflow_name.kind, parent),
            id_reuse_policy=reuse,
            id_conflict_policy=conflict,
            memo=memo | ({names.MEMO_ORIGIN: origin} if origin else {}),
            search_attributes=search_attributes(workflow_input, parent, datetime.now(UTC) + delay),
            static_summary=summary(subject.kind, subject.title),
            priority=priority(subject.kind, urgent=subject.urgent, parent=parent),
            start_delay=delay or None,
        )
    except WorkflowAlreadyStartedError:
        return None


def _to_be_ended(
    request_input: SignatureInput, cancellation: Cancellation, now: datetime, reason: str | None
) -> SignatureInput:
    memory = SignatureState.begin(request_input.brief.replace(reviewers=()), now).note(
        now, EventType.TERMINATED, None, reason
    )
    ending = commands.attributed(commands.cancel(memory, cancellation, now), memory, cancellation)
    return request_input.replace(carried=ending)
