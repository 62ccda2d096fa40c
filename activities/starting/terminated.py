"""What somebody has terminated in Temporal is ended all the same: its document would go on asking people to sign."""

from datetime import datetime

from temporalio.client import Client

from activities import runs
from activities.starting import path
from activities.store import Store
from workflows import names
from workflows.follow_up import operations
from workflows.kinds import Kind, named
from workflows.model.happened import Happened
from workflows.model.wishes import Cancellation
from workflows.signature.inputs import SignatureRequest
from workflows.signature.progress import Progress


async def end_terminated(
    client: Client, store: Store, workflow_id: str, wanted: Cancellation, now: datetime, *, begun_by: str | None = None
) -> bool:
    """Have a request that nobody goes on with end its document: begin it anew only to be cancelled; may be repeated.

    By what it was started with, for its file may not be right any more; what was signed meanwhile ends as that. False
    for what was not terminated, or was begun by another than `begun_by`; of a task nobody else knows.
    """
    what, found = named(workflow_id), await runs.found(client, workflow_id)
    if what is None or what.kind is not Kind.REQUEST or found is None:
        return False
    if found.status is not runs.RunStatus.TERMINATED or (begun_by and found.known.get(names.PARENT) != begun_by):
        return False
    given = await runs.began_with(client, found, SignatureRequest)
    memory = Progress.begin(given.brief, now).note(now, Happened.TERMINATED, None, None)
    await path.restart(client, store, what, given.replace(carried=operations.cancel(memory, wanted, now)))
    return True
