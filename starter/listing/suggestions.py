"""Which one was meant by an id that nobody knows."""

from datetime import UTC, datetime
from typing import Final

from temporalio.client import Client

from activities import runs
from activities.spelling import nearest
from starter.listing.query import Wanted
from workflows.kinds import WorkflowName

_LOOKED_AT: Final = 1_000
"""The newest of its kind, among which the one that was meant is looked for."""
_NAMED: Final = 3


async def hint(client: Client, what: WorkflowName) -> str:
    """`, did you mean msa-0042?`, or nothing when none is near."""
    found, _ = await runs.page_of(
        client, await Wanted(types=(what.kind.names.workflow,)).query(client, datetime.now(UTC)), size=_LOOKED_AT
    )
    near = nearest(what.id, (run.id.partition(":")[2] for run in found), most=_NAMED)
    return f", did you mean {' or '.join(near)}?" if near else ""
