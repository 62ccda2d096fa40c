"""What the words of `countersign request …` do: typed, without argv and without a terminal."""

import asyncio
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from typing import Final

from pydantic import AwareDatetime
from temporalio.client import WorkflowExecution

from activities.files.reading import FileText
from activities.policies.catalogue import Catalogue
from activities.requests import start as start_path
from activities.requests.input import Prepared
from activities.store import Store
from starter import clients, looking
from starter.desk import Desk
from starter.request_ids import request_id
from starter.settings import Settings
from workflows import names
from workflows.model import Model
from workflows.shown import RequestShow

_OURS: Final = f"WorkflowType = '{names.SIGNATURE_REQUEST}' AND ExecutionStatus != 'ContinuedAsNew'"
"""A long life is several runs: the last one speaks for the request."""
_NEEDS_A_PERSON: Final = f"ExecutionStatus = 'Running' AND {names.PROBLEM.name} IS NOT NULL"


class StartAnswer(Model):
    """The answer of `request start`; `created` is False when the request was there before."""

    id: str
    workflow_id: str
    run_id: str
    created: bool
    url: str | None = None


class RequestLine(Model):
    """One line of `request list`, as the search attributes tell it."""

    id: str
    kind: str
    status: str
    problem: str | None = None
    due_at: AwareDatetime | None = None


async def read(settings: Settings, file: str, *, now: datetime | None = None) -> Prepared:
    """Check a request file in full (`-`: standard input) as of now, or of another instant; no server is needed.

    Raises `FileFaults` with everything that is wrong with the file, or with the catalogue.
    """
    written = await asyncio.to_thread(FileText.read, file)
    return await start_path.prepare(
        written,
        catalogue=await asyncio.to_thread(Catalogue.read, settings.policies),
        directory=clients.directory(settings, Store(settings.store_url)),
        now=now or datetime.now(UTC),
        max_upload_megabytes=settings.signature.max_upload_mb,
    )


async def start(desk: Desk, prepared: Prepared) -> StartAnswer:
    """Start the request, or recognise the one that the same file started before; `IdTaken` for another file's id."""
    started = await start_path.start(desk.client, desk.store, prepared)
    return StartAnswer(
        id=started.id,
        workflow_id=started.workflow_id,
        run_id=started.run_id,
        created=started.created,
        url=desk.url(started.workflow_id, started.run_id),
    )


async def show(desk: Desk, id: str) -> RequestShow:
    """Everything known of a request; `partial` when no worker answers. `Refusal` for an unknown id."""
    return await looking.look(desk.client, desk.store, request_id(id))


async def count(desk: Desk, *, attention: bool) -> int:
    """About how many lines `listed` has."""
    return (await desk.client.count_workflows(_query(attention=attention))).count


async def listed(desk: Desk, *, attention: bool) -> AsyncIterator[RequestLine]:
    """All requests that Temporal still knows, newest first; with `attention` those that wait for a person of ours."""
    async for execution in desk.client.list_workflows(_query(attention=attention)):
        yield _line(execution)


def _query(*, attention: bool) -> str:
    return f"{_OURS} AND {_NEEDS_A_PERSON}" if attention else _OURS


def _line(execution: WorkflowExecution) -> RequestLine:
    known = execution.typed_search_attributes
    return RequestLine(
        id=request_id(execution.id),
        kind=known.get(names.KIND) or "",
        status=known.get(names.STATUS) or "",
        problem=known.get(names.PROBLEM),
        due_at=known.get(names.DUE_AT),
    )
