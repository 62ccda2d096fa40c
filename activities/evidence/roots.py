"""Daily roots: a Merkle root over all records written since the last one, chained to it, signed and stamped. A record
that is rebuilt later is not under the root of its day.
"""

import base64
import binascii
import hashlib
import json
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

from activities.evidence.erasure import erase_due, remove_due
from activities.evidence.merkle import RootBuilder, leaf_hash, root_of
from activities.evidence.pack import Stamper
from activities.evidence.signing import (
    EvidenceKey,
    NotSigned,
    PublicKeys,
    UnusableKey,
    canonical,
    opened,
    sha256_of,
    statement,
)
from activities.evidence.verification import PackFault, StampReader, VerifiedPack
from activities.people.directory import Directory, DirectoryFailure, UnknownPerson
from activities.records.roots import Root
from activities.records.store import Store
from workflows.model.daily_evidence import DailyEvidence, DailyEvidenceResult
from workflows.ports import DailyRoots

PREDICATE: Final = "urn:countersign:daily-root:1"
ROOT_BYTES_AT_MOST: Final = 128 << 20
"""Bytes of a line of the file of roots: 67 for each record of a day."""


def leaf_of(workflow_id: str, sha256: str) -> bytes:
    """The hash of a record's leaf."""
    return leaf_hash(canonical({"sha256": sha256, "workflow_id": workflow_id}))


def _name(number: int) -> str:
    return f"roots/{number:06d}.json"


class DailyRootsService(DailyRoots):
    """`key` reads our key anew each day; `stamp` is None without an authority. `directory` knows who has left;
    `forget_refused` removes what refused starts left.
    """

    def __init__(
        self,
        store: Store,
        key: Callable[[], EvidenceKey] | None,
        stamp: Stamper | None = None,
        directory: Directory | None = None,
        forget_refused: Callable[[datetime], Awaitable[object]] | None = None,
    ) -> None:
        self._store, self._key, self._stamp, self._directory = store, key, stamp, directory
        self._forget_refused = forget_refused

    async def run_day(self, day: DailyEvidence) -> DailyEvidenceResult:
        now = day.now or datetime.now(UTC)
        erased, removed = await erase_due(self._store, now), await remove_due(self._store, now)
        await self._store.drafts.drop(now, self._has_left)
        if self._forget_refused:
            await self._forget_refused(now)
        root = await self.make_root(now)
        return DailyEvidenceResult(
            number=root.number,
            records=root.size,
            root=root.root,
            signed=root.envelope is not None,
            stamped=root.time_stamp is not None,
            erased=erased,
            removed=removed,
        )

    async def _has_left(self, person: str) -> bool:
        try:
            await self._directory.person(person) if self._directory else None
        except UnknownPerson:
            return True
        except DirectoryFailure:
            return False  # Nobody knows: the next day asks again.
        return False

    async def make_root(self, now: datetime) -> Root:
        """The root of this instant; the last one if it is not older."""
        last = await self._store.roots.last()
        if last and last.until >= now:
            return last
        number = last.number + 1 if last else 1
        await self._store.roots.gather(number)
        tree = RootBuilder()
        async for some in self._store.roots.leaves(number):
            for leaf in some:
                tree.add_hash(leaf_of(*leaf))
        content = canonical(
            {
                "version": 1,
                "number": number,
                "until": now.astimezone(UTC).isoformat().replace("+00:00", "Z"),
                "size": tree.size,
                "root": tree.root.hex(),
                "before": last and last.sha256,
            }
        )
        made = Root(
            number, now, tree.size, tree.root.hex(), content, sha256_of(content), self._envelope(number, content)
        )
        return await self._store.roots.write(made._replace(time_stamp=self._stamp and await self._stamp(content)))

    def _envelope(self, number: int, content: bytes) -> bytes | None:
        """None without a key: a later root, which names this one by its hash, is signed for both."""
        try:
            key = self._key() if self._key else None
        except UnusableKey:
            key = None
        said = statement(PREDICATE, {_name(number): sha256_of(content)}, json.loads(content))
        return key.envelope(said) if key else None


async def written_roots(store: Store) -> AsyncIterator[bytes]:
    """The file of roots, a line a day: content, signature, time stamp, and the hash of each record's leaf."""
    async for root in store.roots.all():
        leaves = [leaf_of(*leaf).hex() async for some in store.roots.leaves(root.number) for leaf in some]
        line = {
            "content": root.content.decode(),
            "envelope": root.envelope and root.envelope.decode(),
            "time_stamp": root.time_stamp and base64.b64encode(root.time_stamp).decode(),
            "leaves": leaves,
        }
        yield canonical(line) + b"\n"


@dataclass
class RootsFile:
    """The roots of a file: by the hash of a leaf the number of its root, and until when they go."""

    days: dict[bytes, int] = field(default_factory=dict)
    until: datetime | None = None
    count: int = 0
    faults: list[PackFault] = field(default_factory=list)

    def check(self, pack: VerifiedPack) -> None:
        """Whether a pack's record is under the root of its day."""
        if not pack.record:
            return
        number = self.days.get(leaf_of(pack.workflow_id, pack.record))
        if number is not None:
            pack.notes.append(f"its record is under the daily root {number}")
        elif self.until and pack.settled_at and pack.settled_at > self.until:
            pack.notes.append(f"its record is younger than the last of the daily roots, of {self.until.isoformat()}")
        elif not self.count:
            pack.notes.append("there is no daily root yet: the first one will say whether its record was there")
        else:
            pack.fault("record.json", f"to be under one of {self.count:,} daily roots", "under none")


def read_roots(file: Path, keys: PublicKeys | None, read_stamp: StampReader | None = None) -> RootsFile:
    """Read and verify a file of roots: each over its leaves, chained to the one before, and signed, itself or by a
    later one. Raises `OSError`.
    """
    found, before, unsigned = RootsFile(), None, list[str]()
    with file.open("rb") as lines:
        while line := lines.readline(ROOT_BYTES_AT_MOST + 1):
            name = f"{file.name}, line {found.count + 1}"
            found.count += 1
            try:
                before = _read(line, before, found, keys, read_stamp)
                unsigned = [] if before.signed else [*unsigned, name]
            except NotSigned as fault:
                found.faults.append(PackFault(name, fault.expected, fault.found))
                break
    found.faults += [PackFault(name, "a signature", "none") for name in unsigned]
    return found


@dataclass(frozen=True)
class _RootLine:
    number: int
    sha256: str
    signed: bool


def _read(
    line: bytes, before: _RootLine | None, found: RootsFile, keys: PublicKeys | None, read_stamp: StampReader | None
) -> _RootLine:
    try:
        if len(line) > ROOT_BYTES_AT_MOST:
            raise NotSigned(f"at most {ROOT_BYTES_AT_MOST:,} bytes", "more")
        row = json.loads(line)
        content = str(row["content"]).encode()
        said: dict[str, Any] = json.loads(content)
        hashes = [bytes.fromhex(leaf) for leaf in row["leaves"]]
        number, until = int(said["number"]), datetime.fromisoformat(said["until"]).astimezone(UTC)
        version, root, size, prior = (said[name] for name in ("version", "root", "size", "before"))
        envelope = row["envelope"] and opened(str(row["envelope"]).encode(), PREDICATE, keys)
        token = row["time_stamp"] and base64.b64decode(row["time_stamp"], validate=True)
    except (ValueError, KeyError, TypeError, AttributeError, OverflowError, RecursionError, binascii.Error) as error:
        if isinstance(error, NotSigned):
            raise
        raise NotSigned("a daily root", "something else") from None
    if keys and envelope and not envelope.trusted:
        raise NotSigned("a signature by a key that is trusted", f"one by the key {envelope.key}")
    if version != 1 or (root_of(hashes).hex(), len(hashes)) != (root, size):
        raise NotSigned(f"{size} leaves under {root}", f"{len(hashes)} under {root_of(hashes).hex()}")
    if before and (number, prior) != (before.number + 1, before.sha256):
        raise NotSigned(f"number {before.number + 1} behind {before.sha256}", f"{number} behind {prior}")
    if not before and prior is not None:
        raise NotSigned("the first root", f"number {number}, behind {prior}")
    if envelope and envelope.digest(_name(number)) != sha256_of(content):
        raise NotSigned(f"SHA-256 {envelope.digest(_name(number))}", sha256_of(content))
    if token and read_stamp:
        read_stamp(token, content)
    found.days |= dict.fromkeys(hashes, number)
    found.until = until
    return _RootLine(number, hashlib.sha256(content).hexdigest(), bool(envelope))
