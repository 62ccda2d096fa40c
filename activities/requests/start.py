"""The one start path of a signature request: check the file, keep the document, start the workflow or recognise it.

An ordinary function, so that commands and activities start by the same way; a request is never a child workflow.
"""

import asyncio
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Final

from pydantic import BaseModel
from temporalio.client import Client, WorkflowHandle
from temporalio.common import (
    SearchAttributePair,
    TypedSearchAttributes,
    WorkflowIDConflictPolicy,
    WorkflowIDReusePolicy,
)
from temporalio.exceptions import WorkflowAlreadyStartedError
from temporalio.service import RPCError

from activities import runs
from activities.files.reading import FileFaults, FileText, PlainFile
from activities.pace import priority
from activities.people import Directory
from activities.policies.catalogue import Catalogue
from activities.requests.checks import Found, RequestChecks, closing_times, persons_named
from activities.requests.documents import Documents
from activities.requests.file import RequestFile
from activities.requests.input import Prepared, prepared
from activities.requests.policy import RequestPolicy
from activities.rpc_errors import about_the_workflow
from activities.runs import RunStatus
from activities.store import Home, Store, owner_in
from workflows import names
from workflows.model.request import Brief
from workflows.model.subject import Status

MAX_UPLOAD_MEGABYTES: Final = 20
_SUMMARY_BYTES: Final = 160
"""The server keeps 400 bytes of a summary, after the codec has encrypted it."""
_FIRST_STAGE: Final = "sending"


class IdTaken(Exception):
    """Another request has this id already."""

    def __init__(self, id: str) -> None:
        super().__init__(
            f"{id} is the id of another request with other content; leave the id out of the file or choose a new one "
            f"(countersign request show {id} tells about the one that has it)"
        )
        self.id = id


class NotItsOwn(Exception):
    """A request that is to belong to an onboarding or a campaign, and is not named after it."""

    def __init__(self, id: str, parent: str) -> None:
        super().__init__(
            f"{id} cannot belong to {parent}: its id must begin with the parent's, which has no dot, and a dot"
        )


class BrokenOff(Exception):
    """The request's workflow was broken off, and nobody goes on with it."""

    def __init__(self, id: str, how: RunStatus) -> None:
        words = {RunStatus.TERMINATED: "start it with --again to take its living document up again"}
        what_helps = words.get(how, f"countersign request show {id} tells how far it came")
        super().__init__(f"{id}: its workflow was {how} and nobody goes on with it; {what_helps}")
        self.id = id


@dataclass(frozen=True)
class Started:
    """The request that lives, or once lived, under the id; `created` when it was this start that made it."""

    id: str
    workflow_id: str
    run_id: str
    created: bool


async def prepare(
    written: FileText | PlainFile,
    *,
    catalogue: Catalogue,
    directory: Directory,
    now: datetime,
    documents: Documents | None = None,
) -> Prepared:
    """Check a request file in full, without starting anything; `documents` are read once for many files.

    Raises `FileFaults` with all that is wrong, and `DirectoryFailure` when nobody can be looked up. A due date that is
    over stands in `overdue` when nothing else is wrong: the request may have been started in time.
    """
    plain = written if isinstance(written, PlainFile) else await asyncio.to_thread(written.parse)
    found = await Found.look_up(directory, persons_named(plain.plain))
    checks = RequestChecks(
        folder=plain.folder,
        documents=documents or Documents(MAX_UPLOAD_MEGABYTES),
        catalogue=catalogue,
        found=found,
        closing=closing_times(plain.plain, found),
        now=now,
    )
    file, faults = await asyncio.to_thread(_validated, plain, checks)
    overdue = plain.faults([(("due",), "lies in the past")] if checks.overdue else ())
    if (policy := RequestPolicy.of(checks)) is not None:
        faults += plain.faults(await policy.faults(directory))
    if file is None or policy is None or faults.faults:
        raise faults + overdue
    return prepared(file, policy.resolved, checks.pdf, overdue if overdue.faults else None)


async def start(
    client: Client, store: Store, prepared: Prepared, *, parent: str | None = None, again: bool = False
) -> Started:
    """Start the request, or recognise the one that was started from the same content; `IdTaken` for other content.

    `parent` is the workflow id of an onboarding or campaign; `NotItsOwn` when the id does not begin with its. May be
    repeated at any time: it also recognises a request that closed long ago, and one that Temporal has forgotten. One
    whose workflow was broken off is `BrokenOff`; with `again` a terminated one is started anew, and takes over the
    document that it has at Core Signature.
    """
    if parent is not None and owner_in(prepared.id) != parent.partition(":")[2]:
        raise NotItsOwn(prepared.id, parent)
    if record := await _recorded(store, prepared.id):
        return _recognise(prepared, record)
    before = await _in_temporal(client, prepared.id) if again else None
    if before is not None and not before.can_be_taken_up_by(prepared):
        return _recognise(prepared, before)
    if prepared.overdue is not None:
        return _recognise(prepared, await _in_temporal(client, prepared.id), prepared.overdue)
    if prepared.document is not None:
        await store.put_document(prepared.document)
    prepared = await _kept_beside(store, prepared)
    try:
        handle = await _start_workflow(client, prepared, parent, before)
    except WorkflowAlreadyStartedError:
        return _recognise(prepared, await _in_temporal(client, prepared.id) or await _recorded(store, prepared.id))
    return Started(prepared.id, handle.id, handle.result_run_id or "", created=True)


def _validated(plain: PlainFile, checks: RequestChecks) -> tuple[RequestFile | None, FileFaults]:
    try:
        return plain.validate(RequestFile, checks), FileFaults(())
    except FileFaults as faults:
        return None, faults


async def _kept_beside(store: Store, prepared: Prepared) -> Prepared:
    """What no history is to hold is in the store, under the fingerprint: of starts of one id at most one will live."""
    home, request = Home.of_request(prepared.id), prepared.request
    if prepared.signers is not None:
        await store.keep_signers(home, request.fingerprint, prepared.signers)
    if request.brief.message is None:
        return prepared
    message = await store.keep_text(home, f"message-{request.fingerprint[:16]}", request.brief.message)
    return replace(prepared, request=request.replace(brief=request.brief.replace(message=str(message))))


class _Known(BaseModel):
    """What is known of an earlier start, by its settled record or by Temporal."""

    fingerprint: str
    run_id: str
    status: RunStatus = RunStatus.COMPLETED
    parent: str | None = None

    def can_be_taken_up_by(self, prepared: Prepared) -> bool:
        return self.status is RunStatus.TERMINATED and self.fingerprint == prepared.request.fingerprint


async def _recorded(store: Store, id: str) -> _Known | None:
    record = await store.read_record(Home.of_request(id))
    return _Known.model_validate_json(record) if record is not None else None


async def _in_temporal(client: Client, id: str) -> _Known | None:
    try:
        found = await runs.described(client, names.request_workflow_id(id))
    except RPCError as error:
        if about_the_workflow(error):
            return None
        raise
    return _Known(
        fingerprint=await found.memo(names.MEMO_FINGERPRINT),
        run_id=found.run_id,
        status=found.status,
        parent=found.known.get(names.PARENT),
    )


def _recognise(prepared: Prepared, known: _Known | None, unknown: Exception | None = None) -> Started:
    if known is None and unknown is not None:
        raise unknown
    if known is None or known.fingerprint != prepared.request.fingerprint:
        raise IdTaken(prepared.id)
    if known.status.broken_off:
        raise BrokenOff(prepared.id, known.status)
    return Started(prepared.id, names.request_workflow_id(prepared.id), known.run_id, created=False)


async def _start_workflow(
    client: Client, prepared: Prepared, parent: str | None, before: _Known | None
) -> WorkflowHandle[object, object]:
    brief, parent = prepared.request.brief, parent or (before.parent if before else None)
    # FAIL, not USE_EXISTING: a running and a closed one are then recognised by the same comparison, and only the one
    # start that made the workflow can say `created` (the SDK does not tell whether an existing one was used).
    return await client.start_workflow(
        names.SIGNATURE_REQUEST,
        prepared.request,
        id=names.request_workflow_id(prepared.id),
        task_queue=names.WORKFLOW_QUEUE,
        id_reuse_policy=WorkflowIDReusePolicy.ALLOW_DUPLICATE_FAILED_ONLY
        if before
        else WorkflowIDReusePolicy.REJECT_DUPLICATE,
        id_conflict_policy=WorkflowIDConflictPolicy.FAIL,
        memo={
            names.MEMO_FINGERPRINT: prepared.request.fingerprint,
            names.MEMO_DOCUMENT: brief.title,
        },
        search_attributes=_search_attributes(brief, parent),
        static_summary=_summary(brief),
        priority=priority(brief.kind, urgent=brief.urgent, parent=parent),
    )


def _search_attributes(brief: Brief, parent: str | None) -> TypedSearchAttributes:
    pairs = [
        SearchAttributePair(names.STATUS, Status.CONVERTING.value),
        SearchAttributePair(names.KIND, brief.kind),
        SearchAttributePair(names.STAGE, _FIRST_STAGE),
        SearchAttributePair(names.REQUESTER, brief.requester),
    ]
    if parent is not None:
        pairs.append(SearchAttributePair(names.PARENT, parent))
    return TypedSearchAttributes(pairs)


def _summary(brief: Brief) -> str:
    """`customer-contract: Master services agreement`; a document's name, but nobody's."""
    return f"{brief.kind}: {brief.title}".encode()[:_SUMMARY_BYTES].decode(errors="ignore")
