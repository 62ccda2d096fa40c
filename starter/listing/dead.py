"""What ended and whose hand-offs died: the store's index names them, long after Temporal has forgotten them."""

import asyncio
from collections.abc import Iterable
from typing import Final

from temporalio.client import Client

from activities import runs
from activities.store.home import StoragePrefix
from activities.store.store import Store
from starter.listing.query import IN_TROUBLE, Wanted, among
from starter.listing.rows import RequestLine, line_of_dead
from workflows.follow_up.handoff_lines import dead_of
from workflows.kinds import Kind, WorkflowName
from workflows.model.records import DeadHandOffs, SettledRecord

DEAD_AT_ONCE: Final = 20
"""Entries of the index that are read at the same time."""


async def dead_ids(store: Store, wanted: Wanted) -> list[WorkflowName]:
    """What the index names, if it is wanted at all: in them nobody has to act, and who asked is not known."""
    if not wanted.attention or wanted.person or wanted.requester or wanted.people or wanted.overdue:
        return []
    kinds = [kind for kind in Kind if kind.names.workflow in wanted.types]
    return [WorkflowName(kind, id) for kind in kinds for id in await store.hand_offs.dead(kind.names.prefix)]


async def dead_lines(store: Store, wanted: Wanted, ids: list[WorkflowName]) -> list[RequestLine]:
    """The lines of those that are wanted."""
    lines = []
    for chunk in _chunks(ids):
        contents = await asyncio.gather(
            *(store.hand_offs.read_dead(StoragePrefix.of(one.workflow_id)) for one in chunk)
        )
        records = await store.read_records([StoragePrefix.of(one.workflow_id) for one in chunk])
        for one, content, record in zip(chunk, contents, records, strict=True):
            dead = DeadHandOffs.model_validate_json(content) if content is not None else None
            if dead and dead_of(dead.handoffs) and _is_wanted(dead, wanted):
                lines.append(
                    line_of_dead(dead, one, SettledRecord.model_validate_json(record).show if record else None)
                )
    return lines


def _is_wanted(dead: DeadHandOffs, wanted: Wanted) -> bool:
    return wanted.kind in (None, dead.kind) and (not wanted.statuses or dead.status in wanted.statuses)


async def still_open(client: Client, ids: list[WorkflowName]) -> set[str]:
    """The workflow ids of those that try other targets still, so that Temporal names them as well."""
    return {
        run.id
        for chunk in _chunks(ids)
        async for run in runs.listed(client, among(IN_TROUBLE, tuple(one.workflow_id for one in chunk)))
    }


def _chunks(ids: list[WorkflowName]) -> Iterable[list[WorkflowName]]:
    return (ids[first : first + DEAD_AT_ONCE] for first in range(0, len(ids), DEAD_AT_ONCE))
