"""After an acknowledgement, reminds the person of their next open one, by push only, at most once an hour, only for
campaigns. Sent by that request's own workflow, which may reject it.
"""

import hashlib
from typing import Final

from temporalio import activity
from temporalio.client import Client
from temporalio.exceptions import ApplicationError
from temporalio.service import RPCError

from activities.people.ids import stands_in_full
from activities.records.settled import owner_in
from activities.temporal import executions as runs
from activities.temporal.commands import send_command
from activities.temporal.executions import Run
from workflows import names
from workflows.kinds import Kind
from workflows.model.commands import ReminderCommand
from workflows.model.subject import Subject

LOOKED_AT_MOST: Final = 20
"""Open acknowledgements of a person, of which the most urgent is next."""
_CAMPAIGNS: Final = Kind.CAMPAIGN.workflow_id("")


async def remind_of_next(client: Client, signed: Subject) -> None:
    """Have the most urgent other campaign remind the person. Idempotent; failures are only logged."""
    person = signed.people[0].person if signed.people else ""
    if owner_in(signed.id) is None or stands_in_full(person):
        return
    try:
        run = await runs.described(client, signed.workflow_id)
        if not (run.search_attributes.get(names.PARENT) or "").startswith(_CAMPAIGNS):
            return
        if (following := await _next(client, signed.workflow_id, person)) is not None:
            await send_command(client, following.id, ReminderCommand(actor="countersign"), op_of(signed.id))
    except (RPCError, ApplicationError) as failure:
        activity.logger.warning("nobody was reminded of what is next", extra={"says": type(failure).__name__})


def op_of(signed: str) -> str:
    """A short operation id derived from the acknowledgement."""
    return f"next-{hashlib.sha256(signed.encode()).hexdigest()[:16]}"


async def _next(client: Client, signed: str, person: str) -> Run | None:
    waits = f"{names.WAITING_FOR.name} = '{person}' AND {names.PARENT.name} STARTS_WITH '{_CAMPAIGNS}'"
    waiting_runs, _ = await runs.page_of(client, f"{waits} AND {runs.OPEN}", size=LOOKED_AT_MOST)
    other_runs = [
        run for run in waiting_runs if run.id != signed and run.search_attributes.get(names.DUE_AT) is not None
    ]
    return min(other_runs, key=lambda run: str(run.search_attributes.get(names.DUE_AT)), default=None)
