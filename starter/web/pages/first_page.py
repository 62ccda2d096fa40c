"""Picture of a document's first page, drawn once in a process and stored with the request."""

import asyncio
from importlib.util import find_spec
from typing import Final

import structlog

from activities.documents.files import PICTURES
from activities.errors import StoreFailure
from activities.records.cover_sheet import CoverSheet
from activities.records.store import Store
from starter.boot import processes as modules
from starter.errors import Refusal
from workflows.kinds import Kind

DRAWN_AT_ONCE: Final = 1
"""Others see the page without a picture."""
DRAWING_SECONDS_AT_MOST: Final = 15.0
PICTURE_AT_MOST: Final = 4 * 1024 * 1024
_NO_PICTURE: Final = b""
"""Stored when drawing failed, so that it is not repeated."""
_LOGGER: Final = structlog.get_logger("countersign.pages")


class NoDrawing(Refusal):
    """Pictures are asked for, and nothing here can draw them."""


class FirstPages:
    """Raises `NoDrawing` without the library."""

    def __init__(self, store: Store) -> None:
        if find_spec("pypdfium2") is None:
            raise NoDrawing("COUNTERSIGN_PREVIEW=on needs the extra `preview`: pip install countersign[preview]")
        self._store = store
        self._drawing = asyncio.Semaphore(DRAWN_AT_ONCE)

    async def read(self, request: str, version: str | None = None) -> bytes | None:
        """The PNG of the version with this SHA-256, else of the document as it is sent; None when there is none now."""
        workflow_id = Kind.REQUEST.workflow_id(request)
        try:
            sha256 = version or await self._document(request)
            if sha256 is None:
                return None
            stored_page = await self._store.starts.first_page(workflow_id, sha256)
            if stored_page is not None:
                return await self._store.files.read(stored_page, PICTURES) if stored_page else None
            if self._drawing.locked():
                return None
            async with self._drawing:
                drawn = await self._drawn(sha256)
            picture = await self._store.files.put(drawn, PICTURES) if drawn else ""
            former = await self._store.erasures.pictures([workflow_id])
            await self._store.starts.keep_first_page(workflow_id, picture, sha256)
            for former_picture in {*former} - {picture}:
                await self._store.files.remove(former_picture, PICTURES)
        except (StoreFailure, ValueError) as failure:
            _LOGGER.warning("first page not drawn", request=request, why=str(failure))
            return None
        return drawn or None

    async def _document(self, request: str) -> str | None:
        cover = await CoverSheet.read(self._store, request)
        return cover.sha256 if cover else None

    async def _drawn(self, sha256: str) -> bytes:
        pdf = await self._store.files.read(sha256)
        process = await asyncio.create_subprocess_exec(
            *modules.command("starter.web.pages.drawing"),
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.DEVNULL,
            env=modules.environment({}),
        )
        try:
            async with asyncio.timeout(DRAWING_SECONDS_AT_MOST):
                picture, _ = await process.communicate(pdf)
        except TimeoutError:
            picture = _NO_PICTURE
        finally:
            if process.returncode is None:
                process.kill()
                await process.wait()
        return picture if process.returncode == 0 and len(picture) <= PICTURE_AT_MOST else _NO_PICTURE
