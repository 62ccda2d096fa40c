"""What people call each other: by the directory's name, else by id; looked up once for each page."""

from activities.people import DirectoryFailure, FileDirectory


class Names:
    """The names that one page needs; `request` is the one whose signers may stand in full in its file."""

    def __init__(self, directory: FileDirectory, request: str | None = None) -> None:
        self._directory = directory
        self._request = request
        self._known: dict[str, str] = {}

    async def of(self, id: str) -> str:
        """Somebody's name, or their id when the directory does not say it."""
        if id not in self._known:
            try:
                self._known[id] = (await self._directory.person(id, self._request)).name
            except DirectoryFailure:
                self._known[id] = id
        return self._known[id]
