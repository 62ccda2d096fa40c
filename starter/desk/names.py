"""What people call each other: by the directory's name, else by id; looked up once for each page."""

from activities.people import DirectoryFailure, FileDirectory


class Names:
    """The names that one page needs; `beside` is the workflow beside which people are kept who stand in full."""

    def __init__(self, directory: FileDirectory, beside: str | None = None) -> None:
        self._directory = directory
        self._beside = beside
        self._known: dict[str, str] = {}

    async def of(self, id: str) -> str:
        """Somebody's name, or their id when the directory does not say it."""
        if id not in self._known:
            try:
                self._known[id] = (await self._directory.person(id, self._beside)).name
            except DirectoryFailure:
                self._known[id] = id
        return self._known[id]
