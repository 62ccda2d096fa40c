"""New versions of a document in review, as pages post them: read within bounds, checked as at the start, kept."""

import asyncio
from pathlib import PurePosixPath
from typing import Final

from starlette.requests import Request

from activities.files.pdf import MEGABYTE, check_pdf
from activities.records.store import Store
from starter.queries.commands import CommandRefused
from starter.web.http.bodies import BodyFault, IncomingBodies, PostedDocuments, read_documents
from workflows.model.commands import Revision
from workflows.model.rejections import NAME_AT_MOST, Rejection, in_one_line

FIELD: Final = "version"
"""The name of the file's field."""
VERSION: Final = "version"
"""The last part of the address of a document that is reviewed; at the desk its number follows."""
AT_ONCE: Final = 3
"""Whole uploads that are read at the same time; of more the oldest makes room."""
UPLOAD_SECONDS: Final = 60.0
_FIELDS: Final = 64 * 1024
"""Bytes beside the file."""
_UNNAMED: Final = "document.pdf"


class Versions:
    def __init__(self, store: Store, max_megabytes: int) -> None:
        self._store = store
        self._max_megabytes = max_megabytes
        self._limit = max_megabytes * MEGABYTE + _FIELDS
        self._incoming = IncomingBodies(AT_ONCE * self._limit)

    async def read(self, request: Request) -> PostedDocuments | BodyFault:
        """The form with its file."""
        return await read_documents(request, self._incoming, limit=self._limit, seconds=UPLOAD_SECONDS)

    async def keep(self, posted: PostedDocuments | None) -> Revision:
        """The command, without its actor; raises `CommandRefused` for what cannot be sent, `StoreFailure`. None is
        one that is too large.
        """
        file = posted.files.get(FIELD) if posted else None
        try:
            await asyncio.to_thread(check_pdf, file.content if file else b"", self._max_megabytes)
        except ValueError:
            raise CommandRefused(Rejection.NO_VERSION.to_message()) from None
        content, name = (file.content, file.name) if file else (b"", "")
        sha256 = await self._store.files.put(content)
        return Revision(actor="", sha256=sha256, size=len(content), file_name=file_name(name))


def file_name(uploaded_name: str) -> str:
    """The name of an uploaded file, as it is kept."""
    return in_one_line(PurePosixPath(uploaded_name.replace("\\", "/")).name)[:NAME_AT_MOST] or _UNNAMED


def is_multipart(request: Request) -> bool:
    return request.headers.get("content-type", "").startswith("multipart/form-data")
