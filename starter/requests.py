"""What the words of `countersign request …` do: typed, without argv and without a terminal."""

import asyncio
from datetime import UTC, datetime

from activities.files.reading import FileText
from activities.people import UnusablePeople
from activities.policies.catalogue import Catalogue
from activities.requests import start as start_path
from activities.requests.input import Prepared
from activities.store import Store
from starter import clients
from starter.context import Context
from starter.lookup import show
from starter.settings import Settings
from workflows.model.base import Model

__all__ = ["StartAnswer", "read", "show", "start"]


class StartAnswer(Model):
    """The answer of `request start`; `created` is False when the request was there before."""

    id: str
    workflow_id: str
    run_id: str
    created: bool
    url: str | None = None


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
