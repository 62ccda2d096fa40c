"""What `countersign task start` does: typed, without argv and without a terminal."""

import asyncio
from datetime import UTC, datetime

from activities.files.reading import FileText
from activities.people import UnusablePeople
from activities.policies.catalogue import Catalogue
from activities.store import Store
from activities.tasks.input import PreparedTask, prepare
from starter import clients
from starter.settings import Settings


async def read(settings: Settings, file: str) -> PreparedTask:
    """Check a task file in full (`-`: standard input) as of now; no server is needed.

    Raises `FileFaults` with everything that is wrong with the file, or with the catalogue, or with the people file.
    """
    written = await asyncio.to_thread(FileText.read, file)
    try:
        return await prepare(
            written,
            catalogue=await asyncio.to_thread(Catalogue.read, settings.policies),
            directory=clients.directory(settings, Store(settings.store_url)),
            now=datetime.now(UTC),
        )
    except UnusablePeople as unusable:
        raise unusable.faults from None
