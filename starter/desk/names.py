"""What people call each other: by the directory's name, else by id; looked up once for each page."""

from activities.campaigns.rows import stands_in_full
from activities.directory import DirectoryFailure
from activities.people import FileDirectory
from activities.person import id_in_full
from workflows.kinds import Kind


class Names:
    """The names that one page needs; `beside` is the workflow beside which people are kept who stand in full."""

    def __init__(self, directory: FileDirectory, beside: str | None = None) -> None:
        self._directory = directory
        self._beside = beside
        self._known: dict[str, str] = {}

    async def in_full(self, id: str, request: str) -> str:
        """The same of somebody of an audience; whoever stands in full in its table is known to their request."""
        if not stands_in_full(id):
            return await self.of(id)
        name = await Names(self._directory, Kind.REQUEST.workflow_id(request)).of(id_in_full(1))
        return id if name == id_in_full(1) else name

    async def of(self, id: str) -> str:
        """Somebody's name, or their id when the directory does not say it."""
        if id not in self._known:
            try:
                self._known[id] = (await self._directory.person(id, self._beside)).name
            except DirectoryFailure:
                self._known[id] = id
        return self._known[id]
