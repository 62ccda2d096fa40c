"""What is kept of documents, requests and devices.

Documents are kept under their SHA-256 and verified on the way out. Records are written once: equal content is the same
record, other content an alarm; what must be erasable is never in one.
"""

import asyncio
import hashlib
import json
from collections.abc import AsyncIterator, Iterable, Mapping, Sequence
from datetime import date, datetime, timedelta
from pathlib import PurePosixPath
from typing import Final

from activities.documents.errors import DocumentDamaged, DocumentMissing, RecordConflict
from activities.documents.objects import Objects, StoredDocument, id_of, listed_name
from activities.records.rows import NumberedRow, StoragePrefix
from activities.records.texts import TextFolder
from workflows.names import OPENING_PREFIX

_DEAD_FOLDER: Final = "handoffs/dead"
_TARGETS: Final = "handoffs/targets"


class HandOffFolder:
    """What is kept of hand-offs beside the records; a repetition replaces its own entry."""

    def __init__(self, objects: Objects) -> None:
        self._objects = objects

    async def note_dead(self, home: StoragePrefix, content: bytes) -> None:
        """Put into the index that somebody will never hear how this ended; a repetition replaces its own entry."""
        await self._objects.replace(_dead(home), content)

    async def forget_dead(self, home: StoragePrefix) -> None:
        """Take an entry out of the index, where the store lets anything be removed."""
        await self._objects.remove(_dead(home))

    async def read_dead(self, home: StoragePrefix) -> bytes | None:
        """Its entry in the index of dead hand-offs, None when there is none."""
        return await self._objects.read(_dead(home))

    async def dead(self, kind: str) -> tuple[str, ...]:
        """The ids in the index of dead hand-offs, in their order."""
        return _ids(await self._objects.names(f"{_DEAD_FOLDER}/{kind}"))

    async def keep_target(self, name: str, content: bytes) -> None:
        """Keep how a target of the hand-off is, in place of how it was."""
        await self._objects.replace(_target(name), content)

    async def read_target(self, name: str) -> bytes | None:
        """The same, None of one that always worked."""
        return await self._objects.read(_target(name))

    async def targets(self) -> tuple[str, ...]:
        """The names of those that did not always work, in their order."""
        return _ids(await self._objects.names(_TARGETS))


def _dead(home: StoragePrefix) -> str:
    return f"{_DEAD_FOLDER}/{home.kind}/{listed_name(home.id)}.json"


def _target(name: str) -> str:
    return f"{_TARGETS}/{listed_name(name)}.json"


def _ids(names: Iterable[str]) -> tuple[str, ...]:
    return tuple(sorted(id_of(PurePosixPath(name).stem) for name in names))


_SHELF: Final = 2
"""Characters of a reference, of which each has a folder: of letters there are as many as of notices."""


class OutboundMailFolder:
    """What is known of letters, begun before they are sent."""

    def __init__(self, objects: Objects) -> None:
        self._objects = objects

    async def read(self, references: Sequence[str]) -> list[bytes | None]:
        """What is known of each of these, None of what nobody has begun."""
        return await self._objects.read_many([_name(one) for one in references])

    async def begin(self, reference: str, content: bytes) -> bool:
        """Keep that a letter is about to be sent; False when somebody else has begun it."""
        return await self._objects.create(_name(reference), content)

    async def note(self, reference: str, content: bytes) -> None:
        """Keep what is known by now of one that was begun."""
        await self._objects.replace(_name(reference), content)


def _name(reference: str) -> str:
    return f"letters/{reference[:_SHELF]}/{reference}.json"


_CLOCK: Final = "receiver/clock.json"
_WORKER_CLOCK: Final = "workers/clock.json"
_SWEEP: Final = "sweeps/core-signature.json"


class ProcessNotes:
    """The notes of the receiver, of sweeps and of pushes; None of what was never noted."""

    def __init__(self, objects: Objects) -> None:
        self._objects = objects

    async def clock(self) -> bytes | None:
        """By how much the receiver's clock is behind."""
        return await self._objects.read(_CLOCK)

    async def note_clock(self, content: bytes) -> None:
        """Note that it is."""
        await self._objects.replace(_CLOCK, content)

    async def worker_clock(self) -> bytes | None:
        """How far the clock of a worker is off."""
        return await self._objects.read(_WORKER_CLOCK)

    async def note_worker_clock(self, content: bytes) -> None:
        """Note that it is."""
        await self._objects.replace(_WORKER_CLOCK, content)

    async def sweep_mark(self) -> bytes | None:
        """How far Core Signature's events were looked at."""
        return await self._objects.read(_SWEEP)

    async def note_sweep_mark(self, content: bytes) -> None:
        """Note how far they were."""
        await self._objects.replace(_SWEEP, content)

    async def push_standing(self, credential: str) -> bytes | None:
        """Whether one of our credentials for pushes is refused, None of one that was always taken."""
        return await self._objects.read(_standing(credential))

    async def note_push_standing(self, credential: str, content: bytes) -> None:
        """Note that it is, or is not any more."""
        await self._objects.replace(_standing(credential), content)


def _standing(credential: str) -> str:
    return f"push/{credential}.json"


_HASH_LENGTH: Final = 12
_DEAD_DEVICES: Final = ".dead.json"
_ALIVE: Final = ".json"


def device_hash(address: str) -> str:
    """The short name of a device, by which ledgers and reports speak of it: 12 hex digits of SHA-256."""
    return hashlib.sha256(address.encode()).hexdigest()[:_HASH_LENGTH]


class DeviceFolder:
    """What is kept of the devices of one person, each by its short hash."""

    def __init__(self, objects: Objects, person: str) -> None:
        self._objects = objects
        self._folder: Final = f"devices/{listed_name(person)}"

    async def registered(self) -> frozenset[str]:
        """The devices that were registered, however long ago; one listing."""
        names = await self._objects.names(self._folder)
        return frozenset(
            name.removesuffix(_ALIVE) for name in names if name.endswith(_ALIVE) and not name.endswith(_DEAD_DEVICES)
        )

    async def read(self, devices: Sequence[str]) -> list[tuple[bytes | None, bytes | None]]:
        """What was registered of each of these, and why it was given up."""
        names = [f"{self._folder}/{device}{end}" for device in devices for end in (_ALIVE, _DEAD_DEVICES)]
        found = await self._objects.read_many(names)
        return list(zip(found[::2], found[1::2], strict=True))

    async def register(self, device: str, content: bytes) -> None:
        """Keep what an app registered, in place of what it registered before."""
        await self._objects.replace(f"{self._folder}/{device}{_ALIVE}", content)

    async def bury(self, device: str, content: bytes) -> None:
        """Keep why a device is given up; a later burial takes the place of an earlier one."""
        await self._objects.replace(f"{self._folder}/{device}{_DEAD_DEVICES}", content)

    async def forget(self, device: str) -> bool:
        """Remove a device; whether it is gone: a store may forbid it."""
        gone = await self._objects.remove(f"{self._folder}/{device}{_ALIVE}")
        return gone and await self._objects.remove(f"{self._folder}/{device}{_DEAD_DEVICES}")

    async def owners(self, addresses: Sequence[str]) -> Mapping[str, str]:
        """Whose these addresses are, of those that were ever registered."""
        found = await self._objects.read_many([_owner(address) for address in addresses])
        return {address: whose.decode() for address, whose in zip(addresses, found, strict=True) if whose is not None}

    async def own(self, address: str, person: str) -> None:
        """From now on an address is somebody's, and nobody else's."""
        await self._objects.replace(_owner(address), person.encode())

    async def disown(self, address: str) -> None:
        """From now on an address is nobody's, where the store lets anything be removed."""
        await self._objects.remove(_owner(address))


def _owner(address: str) -> str:
    return f"device-owners/{hashlib.sha256(address.encode()).hexdigest()}{_ALIVE}"


DOCUMENTS: Final = "documents"
"""The shelf of what is signed: erasable."""
AUDIENCES: Final = "audiences"
"""The shelf of what campaigns rest on, audiences and what came of them: for good."""
_ASKED: Final = "asked-"
_SIGNERS_OF: Final = "signers-"
_ASKED_NAME_LENGTH: Final = 16
_OF_A_START: Final = 16
"""Hex digits of the fingerprint of a start: of one request there are few."""
REMEMBERED_AT_MOST: Final = 100
"""Documents of which a process knows that the store has them whole: ten thousand starts have one between them."""
AMENDMENTS_AT_ONCE: Final = 100
"""Amendments of a record that are in memory: of what is replayed for years there are thousands."""
USED_KEPT: Final = timedelta(days=2)
"""What may be used once is valid for half a day at most."""
USED_DROPPED_AT_MOST: Final = 500
"""Of what was used up, by each sweep."""
_USED: Final = "desk/used"
_PIECE: Final = 1 << 18
"""Bytes of a document that are in memory while it is verified."""


class Store:
    """Everything that outlives a workflow, under one fsspec URL; every call may be repeated, and raises `StoreAway`
    when the storage fails.

    Raises `StoreFailure` when the URL is none, or needs a package that is not installed.
    """

    def __init__(self, url: str) -> None:
        self._objects = Objects(url)
        self._whole: dict[str, None] = {}
        self.hand_offs: Final = HandOffFolder(self._objects)
        """What is known of targets, and who will never hear how something ended."""
        self.letters: Final = OutboundMailFolder(self._objects)
        """What is known of mails and SMS, so that none is sent twice."""
        self.notes: Final = ProcessNotes(self._objects)
        """What processes note for one another."""
        self.texts: Final = TextFolder(self._objects)
        """What people wrote: the record has a reference in its place, so that it can be erased."""

    @property
    def address(self) -> str:
        """Where it is, without what the URL may have told of users and passwords."""
        return self._objects.address

    @property
    def local(self) -> bool:
        """Whether it is a folder of this machine."""
        return self._objects.local

    async def check(self) -> None:
        """Write, write once, read and list as requests will; leaves one small object behind. Raises `StoreFailure`."""
        await self._objects.check()

    async def put_document(self, content: bytes, shelf: str = DOCUMENTS) -> str:
        """Keep a document on a shelf; returns its SHA-256, under which it is found again. Mends one that was damaged.

        Written once per content and looked through once per process: what is there is only looked for after that.
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
        """A document to be read piece by piece, verified on the way; `DocumentMissing` when there is none."""
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
        """Write the settled record once; whether this call has. Other content than is there is a `RecordConflict`."""
        if await self._objects.create(home.file("records"), content):
            return True
        if await self.read_record(home) != content:
            raise RecordConflict(home.id)
        return False

    async def read_record(self, home: StoragePrefix) -> bytes | None:
        """The settled record, None when there is none."""
        return await self._objects.read(home.file("records"))

    async def write_amendment(self, home: StoragePrefix, number: int, content: bytes) -> None:
        """Write what came after settlement; a repeated batch replaces its own amendment and no other."""
        await self._objects.replace(f"{home.on('amendments')}/{number}.json", content)

    async def read_amendments(self, home: StoragePrefix) -> AsyncIterator[tuple[bytes, ...]]:
        """The amendments of a record in their order, so many at a time; none when nothing came after settlement."""
        folder = home.on("amendments")
        # One may be missing in between: a batch that was broken off has none.
        numbers = sorted(int(PurePosixPath(name).stem) for name in await self._objects.names(folder))
        for first in range(0, len(numbers), AMENDMENTS_AT_ONCE):
            some = numbers[first : first + AMENDMENTS_AT_ONCE]
            found = await self._objects.read_many([f"{folder}/{number}.json" for number in some])
            yield tuple(content for content in found if content is not None)

    async def read_records(self, homes: Sequence[StoragePrefix]) -> list[bytes | None]:
        """The settled records of many, None for those that have none; bounded by how many are asked for at once."""
        return await self._objects.read_many([home.file("records") for home in homes])

    async def write_page(self, home: StoragePrefix, name: str, content: bytes) -> None:
        """Write lines that a request has forgotten; of one name there is one content."""
        await self._objects.replace(f"{home.on('ledger')}/{name}.json", content)

    async def read_pages(self, home: StoragePrefix) -> tuple[bytes, ...]:
        """The pages of a request in their order, some of them perhaps twice; none of one that forgot nothing."""
        folder = home.on("ledger")
        names = sorted(await self._objects.names(folder), key=_numbers)
        found = [await self._objects.read(f"{folder}/{name}") for name in names]
        return tuple(content for content in found if content is not None)

    async def keep_signers(self, home: StoragePrefix, fingerprint: str, content: bytes) -> None:
        """Keep whoever stands in full in a file, for the start of this fingerprint."""
        await self._objects.create(_signers_of(home, fingerprint), content)

    async def choose_signers(self, home: StoragePrefix, fingerprint: str) -> None:
        """Have the people of this start be those of what lives by now, whoever was chosen for what lived before."""
        chosen = home.beside("signers.json")
        content = await self._objects.read(_signers_of(home, fingerprint))
        if content and not await self._objects.create(chosen, content) and await self._objects.read(chosen) != content:
            await self._objects.replace(chosen, content)

    async def read_signers(self, home: StoragePrefix) -> bytes | None:
        """Whoever stands in full in its file, None when nobody does.

        Before they were chosen, those of the only start; of several nobody knows which of them will be.
        """
        chosen = await self._objects.read(home.beside("signers.json"))
        if chosen is not None:
            return chosen
        folder = home.on("people")
        starts = [name for name in await self._objects.names(folder) if name.startswith(_SIGNERS_OF)]
        return await self._objects.read(f"{folder}/{starts[0]}") if len(starts) == 1 else None

    async def add_asked(self, home: StoragePrefix, content: bytes) -> None:
        """Remember beside them what is sent to the provider; the same content once, whatever was sent before."""
        name = hashlib.sha256(content).hexdigest()[:_ASKED_NAME_LENGTH]
        await self._objects.create(home.beside(f"{_ASKED}{name}.json"), content)

    async def read_asked(self, home: StoragePrefix) -> tuple[bytes, ...]:
        """All that was ever sent, in no order; none when nothing was."""
        folder = home.on("people")
        names = [name for name in sorted(await self._objects.names(folder)) if name.startswith(_ASKED)]
        found = await asyncio.gather(*(self._objects.read(f"{folder}/{name}") for name in names))
        return tuple(content for content in found if content is not None)

    async def keep_year(self, home: StoragePrefix, year: int, content: bytes) -> None:
        """Keep, where it can be erased, what a yearly campaign opens with in a year; the last that was given counts."""
        await self._objects.replace(home.beside(f"year-{year}.json"), content)

    async def read_year(self, home: StoragePrefix, year: int) -> bytes | None:
        """The same, None when it was not given yet."""
        return await self._objects.read(home.beside(f"year-{year}.json"))

    async def series(self) -> tuple[str, ...]:
        """The schedules of yearly campaigns of which something was ever given; one listing, and one a folder of it."""
        of_all = f"people/{OPENING_PREFIX}"
        folders = [f"{of_all}/{owner}" for owner in sorted(await self._objects.folders(of_all))]
        ids = [sorted(await self._objects.folders(folder)) for folder in folders]
        return tuple(f"{OPENING_PREFIX}:{id}" for some in ids for id in some)

    async def keep_cover(self, home: StoragePrefix, content: bytes) -> None:
        """Keep, beside who was asked, what a page says of a request while nobody else can be asked."""
        await self._objects.replace(home.beside("cover.json"), content)

    async def read_cover(self, home: StoragePrefix) -> bytes | None:
        """That cover sheet, None when nothing was created."""
        return await self._objects.read(home.beside("cover.json"))

    async def keep_first_page(self, home: StoragePrefix, content: bytes) -> None:
        """Keep, beside who was asked, what the document's first page looks like."""
        await self._objects.replace(home.beside("first-page.png"), content)

    async def read_first_page(self, home: StoragePrefix) -> bytes | None:
        """That picture, None when it was not drawn yet."""
        return await self._objects.read(home.beside("first-page.png"))

    async def mark_opened(self, home: StoragePrefix, person: str, content: bytes) -> None:
        """Keep that somebody has opened what they were asked, and when; the first time counts."""
        await self._objects.create(f"{home.on('opened')}/{person}.json", content)

    async def read_opened(self, home: StoragePrefix, people: Sequence[str]) -> list[bytes | None]:
        """The same of each of these, None for whoever has not."""
        return await self._objects.read_many([f"{home.on('opened')}/{person}.json" for person in people])

    async def claim(self, home: StoragePrefix, fingerprint: str = "") -> None:
        """Remember for ever that the provider had nothing under this id before we created something under it.

        That was of the content with this fingerprint; of whatever content where the id is that of a document.
        """
        await self._objects.create(home.file("claims"), json.dumps({"fingerprint": fingerprint}).encode())

    async def claimed_for(self, home: StoragePrefix) -> str | None:
        """The fingerprint under which an id was claimed; None when what the provider has under it is not ours."""
        claim = await self._objects.read(home.file("claims"))
        return None if claim is None else str(json.loads(claim).get("fingerprint", ""))

    async def keep_people(self, name: str, content: bytes) -> None:
        """Keep what a people file said, in place of what it said before: addresses that left it are not kept on."""
        await self._objects.replace("people.index", name.encode() + b"\n" + content)

    async def read_people(self, name: str) -> bytes | None:
        """What is kept of the people file of this name, None when there is nothing, or of another one."""
        found_name, _, content = (await self._objects.read("people.index") or b"").partition(b"\n")
        return content if found_name == name.encode() else None

    def devices(self, person: str) -> DeviceFolder:
        """What apps registered for somebody, and which of all their devices are given up."""
        return DeviceFolder(self._objects, person)

    async def people_with_devices(self) -> frozenset[str]:
        """Those of whom anything is kept there; one listing for all of them."""
        return frozenset(map(id_of, await self._objects.folders("devices")))

    async def use_once(self, day: date, name: str) -> bool:
        """Use up something that may be used once; whether nobody had. It is remembered until two days later."""
        return await self._objects.create(_used(day, name), b"{}")

    async def was_used(self, day: date, name: str) -> bool:
        """Whether `use_once` used it up."""
        return await self._objects.size(_used(day, name)) is not None

    async def drop_used(self, now: datetime) -> int:
        """Forget what was used up on days that are over; how much was there, of which others are dropped next time."""
        left, before = USED_DROPPED_AT_MOST, (now - USED_KEPT).date().isoformat()
        for day in sorted(await self._objects.folders(_USED)):
            if day >= before or left <= 0:
                break
            left -= await self._objects.clear(f"{_USED}/{day}", left)
        return USED_DROPPED_AT_MOST - left

    def quiet(self, of: str, key: str) -> NumberedRow:
        """What somebody was told by all parts of an onboarding."""
        return NumberedRow(self._objects, f"quiet/{of}/{key}")

    async def serial(self, of: str) -> str:
        """What somebody's sessions, or links, must have in them; empty until they were ended, or renewed, once."""
        return (await self._objects.read(of) or b"").decode()

    async def replace_serial(self, of: str, serial: str) -> None:
        """From now on none of them is good any more that has another one in it."""
        await self._objects.replace(of, serial.encode())


def _signers_of(home: StoragePrefix, fingerprint: str) -> str:
    return home.beside(f"{_SIGNERS_OF}{fingerprint[:_OF_A_START]}.json")


def _used(day: date, name: str) -> str:
    return f"{_USED}/{day.isoformat()}/{name}.json"


def _numbers(page: str) -> list[int]:
    return [int(number) for number in PurePosixPath(page).stem.split("-")]
