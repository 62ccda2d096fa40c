"""Requests that nobody goes on with are ended all the same: their documents would go on asking people to sign."""

from datetime import datetime
from typing import Final

from temporalio.client import Client
from temporalio.service import RPCError, RPCStatusCode

from activities import runs
from activities.starting import path
from activities.store.store import Store
from workflows import names
from workflows.follow_up import operations
from workflows.kinds import Kind, WorkflowName, named
from workflows.model.happened import EventType
from workflows.model.wishes import Cancellation
from workflows.signature.inputs import SignatureInput
from workflows.signature.progress import SignatureState

_FORGOTTEN: Final = "there was neither a workflow nor a record of it"


async def end_terminated(
    client: Client, store: Store, workflow_id: str, wanted: Cancellation, now: datetime, *, begun_by: str | None = None
) -> bool:
    """Have a request that was broken off end its document: begin it anew only to be cancelled; may be repeated.

    By what it was started with, for its file may not be right any more; what was signed meanwhile ends as that. False
    for what was not broken off, or was begun by another than `begun_by`; of a task nobody else knows.
    """
    what, found = named(workflow_id), await runs.found(client, workflow_id)
    if what is None or what.kind is not Kind.REQUEST or found is None:
        return False
    if not found.status.broken_off or (begun_by and found.known.get(names.PARENT) != begun_by):
        return False
    given = await runs.began_with(client, found, SignatureInput)
    why = None if found.status is runs.RunStatus.TERMINATED else f"it had {found.status}"
    await path.restart(client, store, what, _to_be_ended(given, wanted, now, why))
    return True


async def end_forgotten(
    client: Client, store: Store, given: SignatureInput, wanted: Cancellation, now: datetime, *, parent: str
) -> bool:
    """Have a request that Temporal has forgotten end like a terminated one; `given` is what it was started with.

    Core Signature is then asked by its id: what was signed ends as that, and what is open is cancelled there. May be
    repeated; one that has a workflow or a record by now stays as it is. False where the server takes no such start.
    """
    what = WorkflowName(Kind.REQUEST, given.brief.id)
    to_be_ended = _to_be_ended(given, wanted, now, _FORGOTTEN)
    try:
        await path.restart(client, store, what, to_be_ended, forgotten_of=parent)
    except RPCError as error:
        if error.status is not RPCStatusCode.INVALID_ARGUMENT:
            raise
        return False
    return True


def _to_be_ended(given: SignatureInput, wanted: Cancellation, now: datetime, why: str | None) -> SignatureInput:
    memory = SignatureState.begin(given.brief, now).note(now, EventType.TERMINATED, None, why)
    return given.replace(carried=operations.cancel(memory, wanted, now))
