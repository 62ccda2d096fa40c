"""Documents that callers of the API name by their hash: those that they uploaded, or may download."""

from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime

from activities.errors import DocumentMissing
from starter.queries import lookup
from starter.temporal.connection import Context
from starter.web.api.callers import ApiCaller
from starter.web.rights import Right, rights_of
from workflows.kinds import WorkflowName, named
from workflows.model.file_faults import FileFault
from workflows.model.messages import Message


@dataclass(frozen=True)
class NamedDocuments:
    """The documents that `caller` may name."""

    context: Context
    caller: ApiCaller
    now: datetime

    async def read(self, sha256: object) -> bytes | Message:
        """The document, or why there is none: the same for an unknown one and for one that they may not name. Raises
        `StoreFailure`.
        """
        if not isinstance(sha256, str) or len(sha256) != 64 or not set(sha256) <= set("0123456789abcdef"):
            return FileFault.NO_SHA256.to_message()
        with suppress(DocumentMissing):
            if await self._is_theirs(sha256):
                return await self.context.store.files.read(sha256)
        return FileFault.NOT_UPLOADED.to_message()

    async def _is_theirs(self, sha256: str) -> bool:
        store = self.context.store
        if await store.uploads.has(self.caller.actor, sha256, self.now):
            return True
        for workflow_id in await store.starts.with_document(sha256):
            if (workflow_name := named(workflow_id)) and await self._may_download(workflow_name):
                return True
        return False

    async def _may_download(self, name: WorkflowName) -> bool:
        with suppress(lookup.UnknownFollowUp):
            view = await lookup.find_best_view(self.context.client, self.context.store, name)
            return Right.DOWNLOAD in rights_of(
                self.caller.role, await lookup.load_earlier_entries(self.context.store, view)
            )
        return False
