"""What the words of `countersign request …`, and `start` of a task, do: typed, without argv and without a terminal."""

import asyncio
import json
from collections.abc import Awaitable, Callable, Mapping
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import TypeVar

from activities.directory import UnusablePeople
from activities.files.reading import FileText
from activities.onboarding import input as onboardings
from activities.onboarding.input import PreparedOnboarding
from activities.requests.documents import LocalDocuments
from activities.requests.input import PreparedRequest, prepare_request
from activities.starting import path
from activities.store.store import Store
from activities.tasks import input as tasks
from starter import clients
from starter.context import Context
from starter.lookup import show
from starter.settings import Settings
from workflows.model.base import Model

__all__ = ["StartAnswer", "checked", "read", "read_onboarding", "read_task", "show", "start"]

Checked = TypeVar("Checked")


class StartAnswer(Model):
    """The answer of `start`; `created` is False when it was there before."""

    id: str
    workflow_id: str
    run_id: str
    created: bool
    url: str | None = None


async def read(settings: Settings, file: str, *, now: datetime | None = None) -> PreparedRequest:
    """Check a request file in full (`-`: standard input) as of now, or of another instant; no server is needed.

    Raises `FileFaults` with everything that is wrong with the file, or with the catalogue, or with the people file.
    """
    return await _prepared(settings, await asyncio.to_thread(FileText.read, file), now)


async def read_task(settings: Settings, file: str) -> tasks.PreparedTask:
    """Check a task file in full as `read` does a request file."""
    return await _against_our_files(
        settings, partial(tasks.prepare_task, await asyncio.to_thread(FileText.read, file)), None
    )


async def read_onboarding(settings: Settings, file: str) -> PreparedOnboarding:
    """Check an onboarding file in full, with all its parts, as `read` does a request file."""
    written = await asyncio.to_thread(FileText.read, file)
    documents = LocalDocuments(settings.signature.max_upload_mb, below=Path.cwd())
    folder = settings.policies.parent
    return await _against_our_files(
        settings, partial(onboardings.prepare_onboarding, written, documents=documents, templates=folder), None
    )


async def checked(settings: Settings, content: Mapping[str, object], *, folder: Path) -> PreparedRequest:
    """Check a request that a program has made, with the keys of a request file; its document is looked for in `folder`.

    Raises `FileFaults` as `read` does; the request has no lines, so each fault has only its field.
    """
    return await _prepared(settings, FileText("request", folder, json.dumps(content, ensure_ascii=False)), None)


async def _prepared(settings: Settings, written: FileText, now: datetime | None) -> PreparedRequest:
    documents = LocalDocuments(settings.signature.max_upload_mb, below=Path.cwd())
    return await _against_our_files(settings, partial(prepare_request, written, documents=documents), now)


async def _against_our_files(
    settings: Settings, check: Callable[..., Awaitable[Checked]], now: datetime | None
) -> Checked:
    """Have `check` look at something with our catalogue and our people, as of now or of another instant.

    Raises `FileFaults` when the catalogue or the people file is faulty, and what `check` raises.
    """
    try:
        return await check(
            catalogue=await asyncio.to_thread(clients.catalogue, settings),
            directory=clients.directory(settings, Store(settings.store_url)),
            now=now or datetime.now(UTC),
        )
    except UnusablePeople as unusable:
        raise unusable.faults from None


async def start(context: Context, prepared: path.PreparedStart, *, again: bool = False) -> StartAnswer:
    """Start it, or recognise the one that the same content started before; `IdTaken` for another one's id.

    This is what the command does, for programs as well: `starter/examples/start_from_orders.py` is one. What it is
    given comes from `read` or `checked`, the context from `starter.context.opened`. May be repeated at any time, and
    side by side for different requests. Nobody is told anything yet when it returns: the worker goes on from there.

    `BrokenOff` for one whose workflow was broken off, unless it was terminated and is to be taken up `again`.
    """
    started = await path.start(context.client, context.store, prepared, again=again)
    return StartAnswer(
        id=started.id,
        workflow_id=started.workflow_id,
        run_id=started.run_id,
        created=started.created,
        url=context.url(started.workflow_id, started.run_id),
    )
