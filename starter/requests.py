"""What the words of `countersign request …` do: typed, without argv and without a terminal."""

import asyncio
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from typing import Final

from pydantic import AwareDatetime
from temporalio.client import Client
from temporalio.service import RPCError, RPCStatusCode

from activities import runs
from activities.files.reading import FileText
from activities.people import UnusablePeople
from activities.policies.catalogue import Catalogue
from activities.requests import start as start_path
from activities.requests.input import Prepared
from activities.runs import Run, RunStatus
from activities.store import Home, Store
from starter import clients, lookup
from starter.context import Context
from starter.request_ids import request_id
from starter.search_attributes import REPORTED, STUCK
from starter.settings import Settings
from workflows import names
from workflows.model.attention import AttentionCode
from workflows.model.base import Model
from workflows.model.records import DeadHandOffs
from workflows.model.request import Status
from workflows.model.views import RequestShow

_OURS: Final = f"WorkflowType = '{names.SIGNATURE_REQUEST}' AND ExecutionStatus != 'ContinuedAsNew'"
"""A long life is several runs: the last one speaks for the request."""
_BROKEN_OFF: Final = "ExecutionStatus IN ('Terminated', 'Failed', 'TimedOut')"
_IN_TROUBLE: Final = f"({runs.OPEN} AND {names.PROBLEM.name} IS NOT NULL)"
_NEWER_WORDS: Final = (STUCK, "ExecutionStatus = 'Paused'")
"""What an older server does not know: it refuses the whole query."""


DEAD_AT_ONCE: Final = 20
"""Entries of the index of dead hand-offs that are read at the same time."""


class StartAnswer(Model):
    """The answer of `request start`; `created` is False when the request was there before."""

    id: str
    workflow_id: str
    run_id: str
    created: bool
    url: str | None = None


class RequestLine(Model):
    """One line of `request list`, as the search attributes tell it.

    `status` is where the request stood last, as `request show` has it. `trouble` is what the workflow cannot say of
    itself: `terminated`, `failed` or `timed out` when it was broken off, `paused` when somebody has it stand still in
    Temporal, `stuck` when its tasks fail time after time.
    """

    id: str
    kind: str
    status: str
    problem: str | None = None
    attention: str | None = None
    """What most needs somebody where nothing is broken: an `AttentionCode`."""
    due_at: AwareDatetime | None = None
    trouble: str | None = None


async def read(settings: Settings, file: str, *, now: datetime | None = None) -> Prepared:
    """Check a request file in full (`-`: standard input) as of now, or of another instant; no server is needed.

    Raises `FileFaults` with everything that is wrong with the file, or with the catalogue, or with the people file.
    """
    written = await asyncio.to_thread(FileText.read, file)
    try:
        return await start_path.prepare(
            written,
            catalogue=await asyncio.to_thread(Catalogue.read, settings.policies),
            directory=clients.directory(settings, Store(settings.store_url)),
            now=now or datetime.now(UTC),
            max_upload_megabytes=settings.signature.max_upload_mb,
        )
    except UnusablePeople as unusable:
        raise unusable.faults from None


async def start(context: Context, prepared: Prepared, *, again: bool = False) -> StartAnswer:
    """Start the request, or recognise the one that the same file started before; `IdTaken` for another file's id.

    `BrokenOff` for one whose workflow was broken off, unless it was terminated and is to be taken up `again`.
    """
    started = await start_path.start(context.client, context.store, prepared, again=again)
    return StartAnswer(
        id=started.id,
        workflow_id=started.workflow_id,
        run_id=started.run_id,
        created=started.created,
        url=context.url(started.workflow_id, started.run_id),
    )


async def show(context: Context, id: str, *, whole: bool = False) -> RequestShow:
    """Everything known of a request; `partial` when no worker answers. `Refusal` for an unknown id."""
    shown = await lookup.look(context.client, context.store, request_id(id))
    return await lookup.complete(context.store, shown) if whole else shown


async def count(context: Context, *, attention: bool) -> int:
    """About how many lines `listed` has."""
    return (await context.client.count_workflows(await _query(context.client, attention=attention))).count


async def listed(context: Context, *, attention: bool) -> AsyncIterator[RequestLine]:
    """All requests that Temporal still knows, newest first; with `attention` those that wait for a person of ours.

    Those whose hand-offs died are among them long after Temporal has forgotten them, by their ids after all others.
    """
    seen: set[str] = set()
    async for run in runs.listed(context.client, await _query(context.client, attention=attention)):
        if not run.status.broken_off or await _is_last_run(context.client, run):
            line = _line(run)
            seen.add(line.id)
            yield line
    if attention:
        async for line in _with_dead_hand_offs(context.store, seen):
            yield line


async def _with_dead_hand_offs(store: Store, but: set[str]) -> AsyncIterator[RequestLine]:
    homes = [Home.of_request(id) for id in await store.dead_hand_offs(Home.of_request("").kind) if id not in but]
    for first in range(0, len(homes), DEAD_AT_ONCE):
        for content in await asyncio.gather(*map(store.read_dead, homes[first : first + DEAD_AT_ONCE])):
            if content is not None:
                dead = DeadHandOffs.model_validate_json(content)
                code = AttentionCode.HANDOFF_DEAD
                yield RequestLine(id=dead.id, kind=dead.kind, status=dead.status, attention=code)


async def _query(client: Client, *, attention: bool) -> str:
    if not attention:
        return _OURS
    newer = "".join([f" OR ({word})" for word in _NEWER_WORDS if await _understands(client, word)])
    return f"{_OURS} AND ({_IN_TROUBLE} OR {_BROKEN_OFF}{newer})"


async def _understands(client: Client, query: str) -> bool:
    try:
        await client.count_workflows(query)
    except RPCError as error:
        if error.status is RPCStatusCode.INVALID_ARGUMENT:
            return False
        raise
    return True


async def _is_last_run(client: Client, run: Run) -> bool:
    """Whether nothing followed: a reset terminates the run that it takes the place of."""
    try:
        return (await runs.described(client, run.id)).run_id == run.run_id
    except RPCError as error:
        if error.status is RPCStatusCode.NOT_FOUND:
            return True  # Its retention is over; the list hears of that later.
        raise


def _line(run: Run) -> RequestLine:
    known, paused = run.known, run.status is RunStatus.PAUSED
    code = known.get(names.PROBLEM)
    attention = AttentionCode.PAUSED if paused else code if lookup.needs_attention(code) else None
    return RequestLine(
        id=run.id.removeprefix(names.request_workflow_id("")),
        kind=known.get(names.KIND) or "",
        status=known.get(names.STATUS) or Status.CONVERTING,
        problem=None if lookup.needs_attention(code) else code,
        attention=attention,
        due_at=known.get(names.DUE_AT),
        trouble=_trouble(run),
    )


def _trouble(run: Run) -> str | None:
    if run.status.broken_off or run.status is RunStatus.PAUSED:
        return run.status
    reported = any(pair.key.name == REPORTED.name for pair in run.known)
    return "stuck" if run.status is RunStatus.RUNNING and reported else None
