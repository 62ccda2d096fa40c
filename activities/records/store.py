"""The store of documents, records, people and devices. Documents are named by SHA-256, and verified when read. Records
are written once, without erasable data.
"""

import asyncio
import hashlib
import json
import re
import secrets
from collections.abc import AsyncIterator, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from pathlib import PurePosixPath
from typing import Final

from activities.documents.objects import Objects, StoredDocument, id_of, listed_name
from activities.errors import DocumentDamaged, DocumentMissing, RecordConflict, TextDamaged
from activities.records.rows import NumberedRow, StoragePrefix
from workflows.names import OPENING_PREFIX

RANDOM_BYTES: Final = 16


@dataclass(frozen=True)
class Reference:
    """A text's reference in a record: its object's name, and the hash of its content."""

    name: str
    sha256: str

    @classmethod
    def read(cls, word: str) -> "Reference | None":
        """None for a word that is no reference."""
        found = re.fullmatch(r"([a-z0-9-]+)#([0-9a-f]{64})", word)
        return cls(found[1], found[2]) if found else None

    def __str__(self) -> str:
        return f"{self.name}#{self.sha256}"


@dataclass(frozen=True)
class KeptText:
    """A text and its random bytes."""

    text: str
    random: bytes

    @classmethod
    def of(cls, text: str) -> "KeptText":
        """With new random bytes."""
        return cls(text, secrets.token_bytes(RANDOM_BYTES))

    @classmethod
    def read(cls, content: bytes) -> "KeptText | None":
        """From an object; None if damaged."""
        try:
            told = json.loads(content)
            return cls(str(told["text"]), bytes.fromhex(told["random"]))
        except (KeyError, TypeError, ValueError):
            return None

    @property
    def content(self) -> bytes:
        return json.dumps({"random": self.random.hex(), "text": self.text}, ensure_ascii=False).encode()

    def reference(self, name: str) -> Reference:
        return Reference(name, hashlib.sha256(self.random + self.text.encode()).hexdigest())


class TextFolder:
    """Texts beside their owner, each under its own name."""

    def __init__(self, objects: Objects) -> None:
        self._objects = objects

    async def keep(self, home: StoragePrefix, name: str, text: str) -> Reference:
        """Store a text; equal text under one name is one object."""
        kept, object, number = KeptText.of(text), name, 1
        while not await self._objects.create(_place(home, object), kept.content):
            before = await self._known(home, object)
            if before is not None and before.text == text:
                return before.reference(object)
            number += 1
            object = f"{name}-{number}"
        return kept.reference(object)

    async def read(self, home: StoragePrefix, reference: Reference) -> str | None:
        """The text, None if erased; raises `TextDamaged`."""
        content = await self._objects.read(_place(home, reference.name))
        if content is None:
            return None
        kept = KeptText.read(content)
        if kept is None or kept.reference(reference.name) != reference:
            raise TextDamaged(reference.name)
        return kept.text

    async def _known(self, home: StoragePrefix, name: str) -> KeptText | None:
        content = await self._objects.read(_place(home, name))
        return KeptText.read(content) if content is not None else None


def _place(home: StoragePrefix, name: str) -> str:
    return f"{home.on('texts')}/{name}.json"


_DEAD_FOLDER: Final = "handoffs/dead"
_TARGETS: Final = "handoffs/targets"


class HandOffFolder:
    """Data of hand-offs beside the records; a repeated write replaces its entry."""

    def __init__(self, objects: Objects) -> None:
        self._objects = objects

    async def note_dead(self, home: StoragePrefix, content: bytes) -> None:
        await self._objects.replace(_dead(home), content)

    async def forget_dead(self, home: StoragePrefix) -> None:
        """Remove from the index, if the store allows it."""
        await self._objects.remove(_dead(home))

    async def read_dead(self, home: StoragePrefix) -> bytes | None:
        """An entry of the index, or None."""
        return await self._objects.read(_dead(home))

    async def dead(self, kind: str) -> tuple[str, ...]:
        """Sorted ids in the index."""
        return _ids(await self._objects.names(f"{_DEAD_FOLDER}/{kind}"))

    async def keep_target(self, name: str, content: bytes) -> None:
        await self._objects.replace(_target(name), content)

    async def read_target(self, name: str) -> bytes | None:
        """A target's health, None if it always worked."""
        return await self._objects.read(_target(name))

    async def targets(self) -> tuple[str, ...]:
        """Sorted names of targets that have not always worked."""
        return _ids(await self._objects.names(_TARGETS))


def _dead(home: StoragePrefix) -> str:
    return f"{_DEAD_FOLDER}/{home.kind}/{listed_name(home.id)}.json"


def _target(name: str) -> str:
    return f"{_TARGETS}/{listed_name(name)}.json"


def _ids(names: Iterable[str]) -> tuple[str, ...]:
    return tuple(sorted(id_of(PurePosixPath(name).stem) for name in names))


_SHELF: Final = 2
"""Leading characters of a reference that make a folder, since there are as many letters as notices."""


class OutboundMailFolder:
    """State of emails and SMS, written before they are sent."""

    def __init__(self, objects: Objects) -> None:
        self._objects = objects

    async def read(self, references: Sequence[str]) -> list[bytes | None]:
        """None for those not begun."""
        return await self._objects.read_many([_name(one) for one in references])

    async def begin(self, reference: str, content: bytes) -> bool:
        """False if another worker has begun it."""
        return await self._objects.create(_name(reference), content)

    async def note(self, reference: str, content: bytes) -> None:
        await self._objects.replace(_name(reference), content)


def _name(reference: str) -> str:
    return f"letters/{reference[:_SHELF]}/{reference}.json"


_CLOCK: Final = "receiver/clock.json"
_WORKER_CLOCK: Final = "workers/clock.json"
_SWEEP: Final = "sweeps/core-signature.json"


class ProcessNotes:
    """Notes of web process, reconciliation and push; None if never written."""

    def __init__(self, objects: Objects) -> None:
        self._objects = objects

    async def clock(self) -> bytes | None:
        """By how much the web process's clock is behind."""
        return await self._objects.read(_CLOCK)

    async def note_clock(self, content: bytes) -> None:
        await self._objects.replace(_CLOCK, content)

    async def worker_clock(self) -> bytes | None:
        return await self._objects.read(_WORKER_CLOCK)

    async def note_worker_clock(self, content: bytes) -> None:
        await self._objects.replace(_WORKER_CLOCK, content)

    async def sweep_mark(self) -> bytes | None:
        return await self._objects.read(_SWEEP)

    async def note_sweep_mark(self, content: bytes) -> None:
        await self._objects.replace(_SWEEP, content)

    async def push_standing(self, credential: str) -> bytes | None:
        """Whether a push credential is refused; None if never."""
        return await self._objects.read(_standing(credential))

    async def note_push_standing(self, credential: str, content: bytes) -> None:
        await self._objects.replace(_standing(credential), content)


def _standing(credential: str) -> str:
    return f"push/{credential}.json"


_HASH_LENGTH: Final = 12
_DEAD_DEVICES: Final = ".dead.json"
_ALIVE: Final = ".json"


def device_hash(address: str) -> str:
    """A device's short name in notification logs and reports: 12 hex digits of SHA-256."""
    return hashlib.sha256(address.encode()).hexdigest()[:_HASH_LENGTH]


class DeviceFolder:
    def __init__(self, objects: Objects, person: str) -> None:
        self._objects = objects
        self._folder: Final = f"devices/{listed_name(person)}"

    async def registered(self) -> frozenset[str]:
        names = await self._objects.names(self._folder)
        return frozenset(
            name.removesuffix(_ALIVE) for name in names if name.endswith(_ALIVE) and not name.endswith(_DEAD_DEVICES)
        )

    async def read(self, devices: Sequence[str]) -> list[tuple[bytes | None, bytes | None]]:
        names = [f"{self._folder}/{device}{end}" for device in devices for end in (_ALIVE, _DEAD_DEVICES)]
        found = await self._objects.read_many(names)
        return list(zip(found[::2], found[1::2], strict=True))

    async def register(self, device: str, content: bytes) -> None:
        await self._objects.replace(f"{self._folder}/{device}{_ALIVE}", content)

    async def mark_gone(self, device: str, content: bytes) -> None:
        await self._objects.replace(f"{self._folder}/{device}{_DEAD_DEVICES}", content)

    async def forget(self, device: str) -> bool:
        """Remove a device; False if the store forbids it."""
        gone = await self._objects.remove(f"{self._folder}/{device}{_ALIVE}")
        return gone and await self._objects.remove(f"{self._folder}/{device}{_DEAD_DEVICES}")

    async def owners(self, addresses: Sequence[str]) -> Mapping[str, str]:
        found = await self._objects.read_many([_owner(address) for address in addresses])
        return {address: whose.decode() for address, whose in zip(addresses, found, strict=True) if whose is not None}

    async def own(self, address: str, person: str) -> None:
        """Make the person the only owner of an address."""
        await self._objects.replace(_owner(address), person.encode())

    async def disown(self, address: str) -> None:
        """Remove an address's owner, if the store allows it."""
        await self._objects.remove(_owner(address))


def _owner(address: str) -> str:
    return f"device-owners/{hashlib.sha256(address.encode()).hexdigest()}{_ALIVE}"


DOCUMENTS: Final = "documents"
"""Shelf of documents to sign: erasable."""
AUDIENCES: Final = "audiences"
"""Shelf of campaign audiences and outcomes: permanent."""
_ASKED: Final = "asked-"
_SIGNERS_OF: Final = "signers-"
_ASKED_NAME_LENGTH: Final = 16
_OF_A_START: Final = 16
"""Hex digits of a start's fingerprint: a request has few."""
REMEMBERED_AT_MOST: Final = 100
"""Documents cached as complete: ten thousand starts may share one."""
AMENDMENTS_AT_ONCE: Final = 100
"""Amendments in memory: years of replays make thousands."""
USED_KEPT: Final = timedelta(days=2)
"""One-time entries are valid for half a day at most."""
USED_DROPPED_AT_MOST: Final = 500
"""One-time entries dropped by each reconciliation."""
_USED: Final = "desk/used"
_PIECE: Final = 1 << 18
"""Bytes of a document in memory while it is verified."""


class Store:
    """Everything that outlives a workflow, under one fsspec URL. Calls are idempotent and raise `StoreAway`; the
    constructor raises `StoreFailure`.
    """

    def __init__(self, url: str) -> None:
        self._objects = Objects(url)
        self._whole: dict[str, None] = {}
        self.hand_offs: Final = HandOffFolder(self._objects)
        """Health of targets, and dead hand-offs."""
        self.letters: Final = OutboundMailFolder(self._objects)
        """State of emails and SMS, so that none is sent twice."""
        self.notes: Final = ProcessNotes(self._objects)
        """Notes between processes."""
        self.texts: Final = TextFolder(self._objects)
        """Free texts of people, which records reference, so that they can be erased."""

    @property
    def address(self) -> str:
        """The URL without user and password."""
        return self._objects.address

    @property
    def local(self) -> bool:
        return self._objects.local

    async def check(self) -> None:
        """Write, write once, read and list, as requests will; leaves one small object. Raises `StoreFailure`."""
        await self._objects.check()

    async def put_document(self, content: bytes, shelf: str = DOCUMENTS) -> str:
        """Store a document; returns its SHA-256. Repairs a damaged one. Verified once per process, afterwards only its
        existence is checked.
        """
        sha256 = (await asyncio.to_thread(hashlib.sha256, content)).hexdigest()
        name = f"{shelf}/{sha256}"
        there = await self._objects.size(name) == len(content)
        if not there or name not in self._whole:
            await self._put(name, content, there=there)
            self._remember_whole(name)
        return sha256

    async def _put(self, name: str, content: bytes, *, there: bool) -> None:
        if there:
            await self._objects.settle(name)
        elif await self._objects.create(name, content):
            return
        if not await self._is_whole(name):
            await self._objects.replace(name, content)

    def _remember_whole(self, name: str) -> None:
        self._whole[name] = None
        if len(self._whole) > REMEMBERED_AT_MOST:
            del self._whole[next(iter(self._whole))]

    async def document(self, sha256: str, shelf: str = DOCUMENTS) -> StoredDocument:
        """A document to read in pieces, verified meanwhile; raises `DocumentMissing`."""
        size = await self._objects.size(f"{shelf}/{sha256}")
        if size is None:
            raise DocumentMissing(sha256)
        return StoredDocument(self._objects, f"{shelf}/{sha256}", sha256, size)

    async def _is_whole(self, name: str) -> bool:
        shelf, _, sha256 = name.partition("/")
        try:
            async for _piece in (await self.document(sha256, shelf)).pieces(_PIECE):
                pass
        except (DocumentDamaged, DocumentMissing):
            return False
        return True

    async def write_record(self, home: StoragePrefix, content: bytes) -> bool:
        """Write the settled record once; whether this call wrote it. `RecordConflict` for other content."""
        if await self._objects.create(home.file("records"), content):
            return True
        if await self.read_record(home) != content:
            raise RecordConflict(home.id)
        return False

    async def read_record(self, home: StoragePrefix) -> bytes | None:
        return await self._objects.read(home.file("records"))

    async def write_amendment(self, home: StoragePrefix, number: int, content: bytes) -> None:
        """Write an amendment; a repeated batch replaces only its own."""
        await self._objects.replace(f"{home.on('amendments')}/{number}.json", content)

    async def read_amendments(self, home: StoragePrefix) -> AsyncIterator[tuple[bytes, ...]]:
        """A record's amendments in order, in chunks."""
        folder = home.on("amendments")
        # Numbers may be missing: an interrupted batch wrote none.
        numbers = sorted(int(PurePosixPath(name).stem) for name in await self._objects.names(folder))
        for first in range(0, len(numbers), AMENDMENTS_AT_ONCE):
            some = numbers[first : first + AMENDMENTS_AT_ONCE]
            found = await self._objects.read_many([f"{folder}/{number}.json" for number in some])
            yield tuple(content for content in found if content is not None)

    async def read_records(self, homes: Sequence[StoragePrefix]) -> list[bytes | None]:
        """In order, None for missing ones; the caller bounds their number."""
        return await self._objects.read_many([home.file("records") for home in homes])

    async def write_page(self, home: StoragePrefix, name: str, content: bytes) -> None:
        await self._objects.replace(f"{home.on('ledger')}/{name}.json", content)

    async def read_pages(self, home: StoragePrefix) -> tuple[bytes, ...]:
        """A request's notification log pages in order, perhaps with duplicates."""
        folder = home.on("ledger")
        names = sorted(await self._objects.names(folder), key=_numbers)
        found = [await self._objects.read(f"{folder}/{name}") for name in names]
        return tuple(content for content in found if content is not None)

    async def keep_signers(self, home: StoragePrefix, fingerprint: str, content: bytes) -> None:
        """Store people described in full, for the start of this fingerprint."""
        await self._objects.create(_signers_of(home, fingerprint), content)

    async def choose_signers(self, home: StoragePrefix, fingerprint: str) -> None:
        chosen = home.beside("signers.json")
        content = await self._objects.read(_signers_of(home, fingerprint))
        if content and not await self._objects.create(chosen, content) and await self._objects.read(chosen) != content:
            await self._objects.replace(chosen, content)

    async def read_signers(self, home: StoragePrefix) -> bytes | None:
        """People described in full, None if none. Before the choice those of an only start."""
        chosen = await self._objects.read(home.beside("signers.json"))
        if chosen is not None:
            return chosen
        folder = home.on("people")
        starts = [name for name in await self._objects.names(folder) if name.startswith(_SIGNERS_OF)]
        return await self._objects.read(f"{folder}/{starts[0]}") if len(starts) == 1 else None

    async def add_asked(self, home: StoragePrefix, content: bytes) -> None:
        """Append what is sent to the provider; equal content once."""
        name = hashlib.sha256(content).hexdigest()[:_ASKED_NAME_LENGTH]
        await self._objects.create(home.beside(f"{_ASKED}{name}.json"), content)

    async def read_asked(self, home: StoragePrefix) -> tuple[bytes, ...]:
        """All ever sent, unordered."""
        folder = home.on("people")
        names = [name for name in sorted(await self._objects.names(folder)) if name.startswith(_ASKED)]
        found = await asyncio.gather(*(self._objects.read(f"{folder}/{name}") for name in names))
        return tuple(content for content in found if content is not None)

    async def keep_year(self, home: StoragePrefix, year: int, content: bytes) -> None:
        """Store, erasable, what a yearly campaign opens with; the last write counts."""
        await self._objects.replace(home.beside(f"year-{year}.json"), content)

    async def read_year(self, home: StoragePrefix, year: int) -> bytes | None:
        """None if not given yet."""
        return await self._objects.read(home.beside(f"year-{year}.json"))

    async def series(self) -> tuple[str, ...]:
        """Ids of yearly campaigns with content; one listing, and one per folder."""
        of_all = f"people/{OPENING_PREFIX}"
        folders = [f"{of_all}/{owner}" for owner in sorted(await self._objects.folders(of_all))]
        ids = [sorted(await self._objects.folders(folder)) for folder in folders]
        return tuple(f"{OPENING_PREFIX}:{id}" for some in ids for id in some)

    async def keep_cover(self, home: StoragePrefix, content: bytes) -> None:
        await self._objects.replace(home.beside("cover.json"), content)

    async def read_cover(self, home: StoragePrefix) -> bytes | None:
        """None if nothing was created."""
        return await self._objects.read(home.beside("cover.json"))

    async def keep_first_page(self, home: StoragePrefix, content: bytes) -> None:
        """Store the picture of the document's first page, beside who was asked."""
        await self._objects.replace(home.beside("first-page.png"), content)

    async def read_first_page(self, home: StoragePrefix) -> bytes | None:
        """None if not drawn yet."""
        return await self._objects.read(home.beside("first-page.png"))

    async def mark_opened(self, home: StoragePrefix, person: str, content: bytes) -> None:
        """Record that a person opened it; the first time counts."""
        await self._objects.create(f"{home.on('opened')}/{person}.json", content)

    async def read_opened(self, home: StoragePrefix, people: Sequence[str]) -> list[bytes | None]:
        """In order, None for those who have not."""
        return await self._objects.read_many([f"{home.on('opened')}/{person}.json" for person in people])

    async def claim(self, home: StoragePrefix, fingerprint: str = "") -> None:
        """Record permanently that the provider had nothing under this id before we created it with this fingerprint;
        empty for adopted documents.
        """
        await self._objects.create(home.file("claims"), json.dumps({"fingerprint": fingerprint}).encode())

    async def claimed_for(self, home: StoragePrefix) -> str | None:
        """The fingerprint of the claim; None if what the provider has is not ours."""
        claim = await self._objects.read(home.file("claims"))
        return None if claim is None else str(json.loads(claim).get("fingerprint", ""))

    async def keep_people(self, name: str, content: bytes) -> None:
        """Replace the index of a people file, without former addresses."""
        await self._objects.replace("people.index", name.encode() + b"\n" + content)

    async def read_people(self, name: str) -> bytes | None:
        """The index of this name, or None."""
        found_name, _, content = (await self._objects.read("people.index") or b"").partition(b"\n")
        return content if found_name == name.encode() else None

    def devices(self, person: str) -> DeviceFolder:
        return DeviceFolder(self._objects, person)

    async def people_with_devices(self) -> frozenset[str]:
        """One listing."""
        return frozenset(map(id_of, await self._objects.folders("devices")))

    async def use_once(self, day: date, name: str) -> bool:
        """Use up a one-time entry, stored for two days; False if used before."""
        return await self._objects.create(_used(day, name), b"{}")

    async def was_used(self, day: date, name: str) -> bool:
        return await self._objects.size(_used(day, name)) is not None

    async def drop_used(self, now: datetime) -> int:
        """Remove entries of past days, a limited number; how many were there."""
        left, before = USED_DROPPED_AT_MOST, (now - USED_KEPT).date().isoformat()
        for day in sorted(await self._objects.folders(_USED)):
            if day >= before or left <= 0:
                break
            left -= await self._objects.clear(f"{_USED}/{day}", left)
        return USED_DROPPED_AT_MOST - left

    def quiet(self, of: str, key: str) -> NumberedRow:
        """The row of a person's notices from all parts of an onboarding."""
        return NumberedRow(self._objects, f"quiet/{of}/{key}")

    async def serial(self, of: str) -> str:
        """The serial that a person's sessions or links must have; empty until first renewed."""
        return (await self._objects.read(of) or b"").decode()

    async def replace_serial(self, of: str, serial: str) -> None:
        await self._objects.replace(of, serial.encode())


def _signers_of(home: StoragePrefix, fingerprint: str) -> str:
    return home.beside(f"{_SIGNERS_OF}{fingerprint[:_OF_A_START]}.json")


def _used(day: date, name: str) -> str:
    return f"{_USED}/{day.isoformat()}/{name}.json"


def _numbers(page: str) -> list[int]:
    return [int(number) for number in PurePosixPath(page).stem.split("-")]
