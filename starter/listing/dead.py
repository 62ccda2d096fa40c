"""Requests whose hand-offs died: the store's index names them, long after Temporal has forgotten them."""

import asyncio
from collections.abc import Iterable
from typing import Final

from temporalio.client import Client

from activities import runs
from activities.store import Home, Store
from starter.listing.rows import RequestLine, line_of_dead
from starter.listing.wanted import IN_TROUBLE, Wanted, among
from workflows.model.records import DeadHandOffs
from workflows.names import request_workflow_id

DEAD_AT_ONCE: Final = 20
"""Entries of the index that are read at the same time."""


async def dead_ids(store: Store, wanted: Wanted) -> list[str]:
    """The ids of the index, if they are wanted at all: in them nobody has to act, and who asked is not known."""
    if not wanted.attention or wanted.person or wanted.requester or wanted.people or wanted.overdue:
        return []
    return list(await store.dead_hand_offs(Home.of_request("").kind))


async def dead_lines(store: Store, wanted: Wanted, ids: list[str]) -> list[RequestLine]:
    """The lines of those that are wanted."""
    lines = []
    for chunk in _chunks(ids):
        for content in await asyncio.gather(*(store.read_dead(Home.of_request(id)) for id in chunk)):
            dead = DeadHandOffs.model_validate_json(content) if content is not None else None
            if dead and wanted.kind in (None, dead.kind) and (not wanted.statuses or dead.status in wanted.statuses):
                lines.append(line_of_dead(dead))
    return lines


async def still_open(client: Client, ids: list[str]) -> set[str]:
    """Those whose workflow tries other targets still, so that Temporal names them as well."""
    return {
        run.id.partition(":")[2]
        for chunk in _chunks(ids)
        async for run in runs.listed(client, among(IN_TROUBLE, tuple(map(request_workflow_id, chunk))))
    }


def _chunks(ids: list[str]) -> Iterable[list[str]]:
    return (ids[first : first + DEAD_AT_ONCE] for first in range(0, len(ids), DEAD_AT_ONCE))
