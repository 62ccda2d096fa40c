"""What people call each other: by the directory's name, else by id; looked up once for each page."""

from activities.campaigns import rows
from activities.directory import DirectoryFailure
from activities.people import FileDirectory
from activities.person import id_in_full, stands_in_full
from workflows.kinds import Kind


class PeopleNames:
    """The names that one page needs; `beside` is the workflow beside which people are kept who stand in full."""

    def __init__(self, directory: FileDirectory, beside: str | None = None) -> None:
        self._directory = directory
        self._beside = beside
        self._known: dict[tuple[str, str | None], str] = {}

    async def in_full(self, id: str, request: str) -> str:
        """The same of somebody of an audience; whoever stands in full in its table is known to their request."""
        if not rows.stands_in_full(id):
            return await self.of(id)
        name = await self.of(id_in_full(1), Kind.REQUEST.workflow_id(request))
        return id if name == id_in_full(1) else name

    async def of(self, id: str, beside: str | None = None) -> str:
        """Somebody's name, or their id when neither the directory says it nor what is `beside` another workflow."""
        key = id, (beside or self._beside) if stands_in_full(id) else None
        if key not in self._known:
            try:
                self._known[key] = (await self._directory.person(*key)).name
            except DirectoryFailure:
                self._known[key] = id
        return self._known[key]
