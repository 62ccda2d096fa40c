"""What `countersign task start` does: typed, without argv and without a terminal."""

import asyncio
from functools import partial

from activities.files.reading import FileText
from activities.tasks.input import PreparedTask, prepare
from starter.requests import against_our_files
from starter.settings import Settings


async def read(settings: Settings, file: str) -> PreparedTask:
    """Check a task file in full (`-`: standard input) as of now; no server is needed.

    Raises `FileFaults` with everything that is wrong with the file, or with the catalogue, or with the people file.
    """
    written = await asyncio.to_thread(FileText.read, file)
    return await against_our_files(settings, partial(prepare, written), None)
