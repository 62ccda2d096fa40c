"""Devices of the people file, and those registered by the company's app. A device is valid unless this registration or
a later one was marked invalid, so no lock is needed; it belongs to its last registration's person. Changes by other
processes count within a minute.
"""

import time
from collections import OrderedDict
from collections.abc import Awaitable, Callable, Iterable
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Final

import structlog
from pydantic import AwareDatetime, BaseModel, ValidationError

from activities.people.ids import stands_in_full
from activities.people.person import Person, PushDevice
from activities.records.devices import DevicesOfPerson, device_hash
from activities.records.store import Store

SENT_TO_AT_MOST: Final = 20
"""Devices of a person that are sent to, the last seen first."""
KEPT_AT_MOST: Final = 100
"""Stored devices of a person, also invalid ones; the one seen longest ago is dropped."""
FRESH_SECONDS: Final = 60.0
REMEMBERED_AT_MOST: Final = 1_000
"""People whose devices are cached."""
_log = structlog.get_logger(__name__)


class InvalidMark(BaseModel):
    """Why and when a device was marked invalid, and which registration."""

    at: AwareDatetime
    reason: str
    of: AwareDatetime | None = None

    def holds(self, device: PushDevice) -> bool:
        """Whether it was not registered again since; a device without a date stays invalid."""
        return device.registered is None or device.registered <= (self.of or self.at)


@dataclass(frozen=True)
class KnownDevice:
    """Valid if `gone`, the reason, is None."""

    device: PushDevice
    gone: str | None = None
    gone_at: datetime | None = None


@dataclass(frozen=True)
class Registered:
    device: str
    new: bool
    """False: it was known, and is confirmed."""
    moved: bool
    """It belonged to another person."""
    gone: str | None = None
    """Why nothing is sent: it was marked invalid after this registration."""


@dataclass(frozen=True)
class _Recent:
    """Cached devices of a person, valid for these devices of the people file."""

    of: tuple[PushDevice, ...]
    known: tuple[KnownDevice, ...]
    until: float


async def _of_nobody(address: str) -> bool:
    return False


class Devices:
    """Raises `StoreFailure`. `in_file` tells whether the people file has an address."""

    def __init__(
        self,
        store: Store,
        clock: Callable[[], float] = time.monotonic,
        in_file: Callable[[str], Awaitable[bool]] = _of_nobody,
    ) -> None:
        self._store = store
        self._clock = clock
        self._in_file = in_file
        self._recent: OrderedDict[str, _Recent] = OrderedDict()

    async def known(self, person: Person) -> tuple[KnownDevice, ...]:
        """Those of the people file in its order, then registered ones, the last seen first."""
        recent = self._recent.get(person.id)
        if recent is None or recent.of != person.devices or recent.until <= self._clock():
            recent = _Recent(person.devices, await self._read(person), self._clock() + FRESH_SECONDS)
            self._remember(person.id, recent)
        return recent.known

    async def register(self, person: str, device: PushDevice, now: datetime) -> Registered:
        """Replaces the former fields. An invalid device becomes valid, unless its date is no later than the mark."""
        folder, name = self._store.devices.of(person), device_hash(device.value)
        [(before, dead)] = await folder.read([name])
        known = _device(before)
        if known is None:
            await self._make_room(folder, person)
        since = device.registered or (known.registered if known and not _burial(dead, known) else None) or now
        owner = (await folder.owners([device.value])).get(device.value)
        kept = device.model_copy(update={"registered_at": min(since, now), "seen_at": now})
        if owner != person:
            await folder.own(device.value, person)
        await folder.register(name, kept.model_dump_json(exclude_none=True).encode())
        self._recent.pop(person, None)
        burial = _burial(dead, kept)
        gone = burial.reason if burial else None
        return Registered(name, new=known is None, moved=owner not in (None, person), gone=gone)

    async def withdraw(self, person: Person, address: str, now: datetime, reason: str = "withdrawn") -> str:
        """Send no more to a known address until it is registered again; returns its short hash."""
        name = device_hash(address)
        [(before, _)] = await self._store.devices.of(person.id).read([name])
        if before or any(one.value == address for one in person.devices):
            await self._bury(person.id, address, InvalidMark(at=now, reason=reason))
        return name

    async def supersede(self, person: Person, address: str, now: datetime) -> None:
        """The person's phone has a new address: send no more to this one, whoever owned it."""
        folder = self._store.devices.of(person.id)
        if (await folder.owners([address])).get(address) != person.id:
            await folder.own(address, person.id)
        await self.withdraw(person, address, now, "replaced")

    async def mark_gone(self, person: str, device: PushDevice, reason: str) -> None:
        await self._bury(person, device.value, InvalidMark(at=datetime.now(UTC), reason=reason, of=device.registered))

    async def _bury(self, person: str, address: str, burial: InvalidMark) -> None:
        content = burial.model_dump_json().encode()
        await self._store.devices.of(person).mark_gone(device_hash(address), content)
        self._recent.pop(person, None)

    async def _make_room(self, folder: DevicesOfPerson, person: str) -> None:
        names = sorted(await folder.registered())
        if len(names) < KEPT_AT_MOST:
            return
        found = zip(names, await folder.read(names), strict=True)
        by_age = sorted(found, key=lambda one: _seen(_device(one[1][0])))
        for name, (content, _) in by_age[: len(names) - KEPT_AT_MOST + 1]:
            await folder.forget(name)
            gone = _device(content)
            if gone is None or (await folder.owners([gone.value])).get(gone.value) != person:
                continue
            if not await self._in_file(gone.value):  # Else it would return to an earlier owner.
                await folder.disown(gone.value)

    async def _read(self, person: Person) -> tuple[KnownDevice, ...]:
        folder, written = self._store.devices.of(person.id), {device_hash(one.value): one for one in person.devices}
        # People described in full share ids across files: nothing is registered for them.
        kept = frozenset[str]() if stands_in_full(person.id) else await folder.registered()
        names = [*written, *sorted(kept - written.keys())]
        if not names:
            return ()
        found = dict(zip(names, await folder.read(names), strict=True))
        devices = {name: _later(written.get(name), _device(before)) for name, (before, _) in found.items()}
        owners = await folder.owners([one.value for one in devices.values() if one])
        judged = [
            _judged(one, found[name][1], owners.get(one.value, person.id if name in written else None), person.id)
            for name, one in devices.items()
            if one
        ]
        listed = judged[: len(written)]
        return tuple(_at_most(listed + sorted(judged[len(written) :], key=lambda one: _seen(one.device), reverse=True)))

    def _remember(self, person: str, recent: _Recent) -> None:
        self._recent[person] = recent
        self._recent.move_to_end(person)
        if len(self._recent) > REMEMBERED_AT_MOST:
            self._recent.popitem(last=False)


def _judged(device: PushDevice, dead: bytes | None, owner: str | None, person: str) -> KnownDevice:
    if burial := _burial(dead, device):
        return KnownDevice(device, burial.reason, burial.at)
    return KnownDevice(device, "moved to somebody else" if owner != person else None)


def _at_most(known: Iterable[KnownDevice]) -> list[KnownDevice]:
    known = list(known)
    living = [one for one in known if one.gone is None]
    # Entries of the file are deliberate; of others the last seen is first.
    beyond = living[SENT_TO_AT_MOST:]
    return [replace(one, gone="gave way to those seen later") if one in beyond else one for one in known]


def _later(written: PushDevice | None, registered: PushDevice | None) -> PushDevice | None:
    if written is None or registered is None:
        return registered or written
    later = written.registered and registered.registered and written.registered > registered.registered
    return registered.model_copy(update={"registered_at": written.registered_at}) if later else registered


def _seen(device: PushDevice | None) -> datetime:
    return (device and (device.seen or device.registered)) or datetime.min.replace(tzinfo=UTC)


def _device(content: bytes | None) -> PushDevice | None:
    try:
        return PushDevice.model_validate_json(content) if content else None
    except ValidationError:
        # Its text would repeat the address.
        _log.warning("a device kept in the store cannot be read")
        return None


def _burial(content: bytes | None, device: PushDevice) -> InvalidMark | None:
    # Why it is invalid; None if valid or unreadable, since the next push finds it again.
    try:
        burial = InvalidMark.model_validate_json(content) if content else None
    except ValidationError:
        _log.warning("why a device was given up cannot be read")
        return None
    return burial if burial and burial.holds(device) else None
