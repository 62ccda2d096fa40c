"""The parts of a campaign's pack: its frozen audience, the changes as a chain of hashes, and one outcome a member."""

import hashlib
from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any, Final, Self

from activities.evidence.archive import PackPart
from activities.records.outcomes import OutcomeList, line_of
from activities.records.store import Store

AUDIENCE: Final = "audience.json"
OUTCOMES: Final = "outcomes.jsonl"
POPULATION: Final = "population.json"
CHANGES: Final = "audience/"
LINE_BYTES_AT_MOST: Final = 16_384
"""Bytes of one member's line; a person's id has 100 characters at most, a reason is short."""


@dataclass(frozen=True)
class CampaignRecord:
    """What a campaign's record names, in the store."""

    workflow_id: str
    frozen: str
    changes: int
    outcomes: OutcomeList | None

    @classmethod
    async def from_show(cls, store: Store, workflow_id: str, show: Mapping[str, Any]) -> Self | None:
        """None if its audience was never frozen, or it is no campaign."""
        if not (frozen := show.get("frozen")):
            return None
        sha256 = show.get("outcomes")
        record = await store.outcomes.record(sha256) if sha256 else None
        return cls(workflow_id, frozen["sha256"], show.get("changes", 0), record)

    async def parts(self, store: Store, work: Path) -> AsyncIterator[PackPart]:
        """Outcomes are written into the folder `work` and read from there."""
        frozen = await store.audiences.frozen(self.frozen)
        yield PackPart.stored(AUDIENCE, frozen, "application/json")
        for number, content in enumerate(await store.audiences.written_changes(self.workflow_id, self.changes), 1):
            yield PackPart.from_content(f"{CHANGES}{number:06d}.json", content)
        if self.outcomes is None:
            return
        yield PackPart.from_content(POPULATION, self.outcomes.head)
        file = work / OUTCOMES
        with file.open("wb") as opened:
            lines = _OutcomeLines(opened)
            async for batch in self.outcomes.lines.batches():
                lines.add([line_of(outcome) for outcome in batch])
        yield PackPart(OUTCOMES, "application/jsonl", lines.size, lines.sha256.hexdigest(), file)


@dataclass
class _OutcomeLines:
    """The outcomes as they are written to a file."""

    file: IO[bytes]
    size: int = 0

    def __post_init__(self) -> None:
        self.sha256 = hashlib.sha256()

    def add(self, lines: Sequence[bytes]) -> None:
        content = b"".join(lines)
        self.file.write(content)
        self.sha256.update(content)
        self.size += len(content)
