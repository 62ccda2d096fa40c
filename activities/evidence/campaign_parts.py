"""The parts of a campaign's pack: its frozen audience, the changes as a chain of hashes, one outcome a member, and the
Merkle roots by which one member's outcome is proved without the others.
"""

import hashlib
import hmac
import json
from collections.abc import AsyncIterator, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any, Final, Self

from activities.evidence.archive import PackPart
from activities.evidence.merkle import RootBuilder, leaf_hash
from activities.evidence.signing import canonical
from activities.records.outcomes import OutcomeList, line_of
from activities.records.store import Store

AUDIENCE: Final = "audience.json"
OUTCOMES: Final = "outcomes.jsonl"
POPULATION: Final = "population.json"
MERKLE: Final = "merkle.json"
CHANGES: Final = "audience/"
LEAF_SALT_BYTES: Final = 16
LINE_BYTES_AT_MOST: Final = 16_384
"""Bytes of one member's line; a person's id has 100 characters at most, a reason is short."""


def leaf_salt(salt: bytes, index: int) -> bytes:
    """What stands before a leaf, so that its hash tells nobody what it is of."""
    return hmac.digest(salt, index.to_bytes(8, "big"), "sha256")[:LEAF_SALT_BYTES]


def salted(salt: bytes, leaves: Iterable[bytes], first: int = 0) -> Iterator[bytes]:
    """The hashes of leaves from a place on."""
    return (leaf_hash(leaf_salt(salt, index) + leaf) for index, leaf in enumerate(leaves, start=first))


def tree_of(salt: bytes, leaves: Iterable[bytes]) -> RootBuilder:
    tree = RootBuilder()
    for hashed in salted(salt, leaves):
        tree.add_hash(hashed)
    return tree


def audience_leaves(audience: bytes) -> list[bytes]:
    """Each frozen row, as in the file."""
    rows = json.loads(audience)["rows"]
    return [json.dumps(row, ensure_ascii=False, separators=(",", ":")).encode() for row in rows]


@dataclass
class _Lines:
    """The outcomes as they are written to a file."""

    file: IO[bytes]
    salt: bytes
    tree: RootBuilder
    size: int = 0

    def __post_init__(self) -> None:
        self.sha256 = hashlib.sha256()

    def add(self, lines: Sequence[bytes]) -> None:
        content = b"".join(lines)
        self.file.write(content)
        self.sha256.update(content)
        for hashed in salted(self.salt, (line[:-1] for line in lines), self.tree.size):
            self.tree.add_hash(hashed)
        self.size += len(content)


@dataclass(frozen=True)
class CampaignRecord:
    """What a campaign's record names, in the store."""

    workflow_id: str
    frozen: str
    changes: int
    outcomes: OutcomeList | None

    @classmethod
    async def of(cls, store: Store, workflow_id: str, show: Mapping[str, Any]) -> Self | None:
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
            yield PackPart.of(f"{CHANGES}{number:06d}.json", content)
        if self.outcomes is None:
            return
        yield PackPart.of(POPULATION, self.outcomes.head)
        file, salt = work / OUTCOMES, self.outcomes.salt
        with file.open("wb") as opened:
            lines = _Lines(opened, salt, RootBuilder())
            async for some in self.outcomes.lines.batches():
                lines.add([line_of(one) for one in some])
        yield PackPart(OUTCOMES, "application/jsonl", lines.size, lines.sha256.hexdigest(), file)
        audience = b"".join([piece async for piece in frozen.pieces(1 << 18)])
        yield PackPart.of(MERKLE, merkle_of(salt, tree_of(salt, audience_leaves(audience)), lines.tree))


def merkle_of(salt: bytes, audience: RootBuilder, outcomes: RootBuilder) -> bytes:
    trees = {
        name: {"root": tree.root.hex(), "size": tree.size}
        for name, tree in (("audience", audience), ("outcomes", outcomes))
    }
    return canonical({"salt": salt.hex(), **trees})
