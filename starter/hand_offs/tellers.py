"""The runs that tell targets something, or have something to tell them again, and what they say of it.

What has ended tells of its ending, for which its stage is enough. What is open tells of escalations: it is asked only
where lists say that somebody was tried in vain.
"""

import asyncio
from collections.abc import AsyncIterator
from contextlib import suppress
from datetime import timedelta
from typing import Final

from temporalio.client import Client, WorkflowQueryFailedError
from temporalio.service import RPCError

from activities import runs
from starter.listing.query import SETTLED
from workflows import names
from workflows.follow_up.handoff_lines import dead_lines
from workflows.kinds import Kind
from workflows.model.base import Model
from workflows.model.settlement import HandoffLine, HandoffState
from workflows.model.subject import Status

QUERIES_AT_ONCE: Final = 20
"""Runs that are asked, or told to try, at the same time."""
_ANSWERS_WITHIN: Final = timedelta(seconds=5)
_OF_KINDS: Final = f"WorkflowType IN ({', '.join(repr(kind.names.workflow) for kind in Kind)})"
TELLS: Final = (
    f"{runs.OPEN} AND (WorkflowType = '{names.HAND_OFF}' OR "
    f"({_OF_KINDS} AND ({names.STAGE.name} = '{SETTLED}' OR {names.HANDOFF.name} IS NOT NULL)))"
)
"""The query for them."""
DEAD_WHILE_OPEN: Final = f"{runs.OPEN} AND {names.HANDOFF.name} = '{HandoffState.DEAD}'"
"""The query for those of which a target never heard of an escalation, although they go on: no index has these yet."""


class TellingRun(Model):
    """What one run says of its hand-off."""

    status: Status
    handoffs: tuple[HandoffLine, ...] = ()

    @property
    def pending(self) -> tuple[HandoffLine, ...]:
        """What it will try again by itself."""
        return tuple(line for line in self.handoffs if line.state is HandoffState.PENDING)

    @property
    def dead_while_open(self) -> tuple[HandoffLine, ...]:
        """The escalations that targets never heard of; none once it has ended, when they are in the index."""
        if self.status.ended:
            return ()
        asked = {line.target for line in self.pending}
        return tuple(line for line in dead_lines(self.handoffs) if line.target not in asked)


async def chunks(client: Client, query: str = TELLS) -> AsyncIterator[list[str]]:
    """The workflow ids of such runs, as many at a time as are asked at once."""
    chunk: list[str] = []
    async for run in runs.listed(client, query):
        chunk.append(run.id)
        if len(chunk) == QUERIES_AT_ONCE:
            yield chunk
            chunk = []
    if chunk:
        yield chunk


async def asked(client: Client, workflow_id: str) -> TellingRun | None:
    """What one run says; None where no worker answers for it."""
    with suppress(RPCError, WorkflowQueryFailedError, ValueError):
        handle = client.get_workflow_handle(workflow_id)
        shown: TellingRun = await handle.query(names.SHOW, result_type=TellingRun, rpc_timeout=_ANSWERS_WITHIN)
        return shown
    return None


async def asked_each(client: Client, chunk: list[str]) -> list[TellingRun | None]:
    """The same of a chunk."""
    return list(await asyncio.gather(*(asked(client, one) for one in chunk)))
