"""Devices of the people file, and those registered by the company's app. A device is valid unless this registration or
a later one was marked invalid; it belongs to its last registration's person. Changes by other processes count within a
minute.
"""

import time
from collections import OrderedDict
from collections.abc import Awaitable, Callable, Iterable
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Final

from activities.people.ids import stands_in_full
from activities.people.person import AddressKind, Person, PushDevice, WebDevice
from activities.records.devices import (
    WITHDRAWN,
    DevicesOfPerson,
    InvalidMark,
    RegistrationResult,
    StoredDevice,
    device_hash,
)
from activities.records.store import Store

SENT_TO_AT_MOST: Final = 20
"""Devices of a person that are sent to, the last seen first."""
KEPT_AT_MOST: Final = 100
"""Stored devices of a person, also invalid ones; the one seen longest ago is dropped."""
BROWSERS_AT_MOST: Final = 20
"""Stored browsers of a person; the one seen longest ago is dropped."""
FRESH_SECONDS: Final = 60.0
REMEMBERED_AT_MOST: Final = 1_000
"""People whose devices are cached."""


@dataclass(frozen=True)
class KnownDevice:
    """Valid if `gone`, the reason, is None."""

    device: PushDevice
    invalid_reason: str | None = None
    gone_at: datetime | None = None


@dataclass(frozen=True)
class CachedDevices:
    """Cached devices of a person, valid for these devices of the people file."""

    of: tuple[PushDevice, ...]
    devices: tuple[KnownDevice, ...]
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
        self._recent: OrderedDict[str, CachedDevices] = OrderedDict()

    async def list_devices(self, person: Person) -> tuple[KnownDevice, ...]:
        """Those of the people file in its order, then registered ones, the last seen first."""
        recent = self._recent.get(person.id)
        if recent is None or recent.of != person.devices or recent.until <= self._clock():
            recent = CachedDevices(person.devices, await self._read(person), self._clock() + FRESH_SECONDS)
            self._remember(person.id, recent)
        return recent.devices

    async def register(self, person: str, device: PushDevice, now: datetime) -> RegistrationResult:
        """Replaces the former fields. An invalid device becomes valid, unless its date is no later than the mark."""
        subscription = device.subscription if isinstance(device, WebDevice) else None
        device_row = StoredDevice(
            device.value, device.kind, device.platform, device.registered, subscription=subscription
        )
        registered = await self._store.devices.register(person, device_row, now)
        if registered.new:
            await self._make_room(person, KEPT_AT_MOST)
            await self._make_room(person, BROWSERS_AT_MOST, AddressKind.WEB)
        self._recent.pop(person, None)
        return registered

    async def withdraw(self, person: Person, address: str, now: datetime, reason: str = WITHDRAWN) -> str:
        """Send no more to a known address until it is registered again; returns its short hash."""
        await self._mark(person, address, InvalidMark(reason, now))
        return device_hash(address)

    async def supersede(self, person: Person, address: str, now: datetime) -> None:
        """The person's phone has a new address: send no more to this one, whoever owned it."""
        await self._mark(person, address, InvalidMark("replaced", now), becomes_owner=True)

    async def mark_gone(self, person: Person, device: PushDevice, reason: str) -> None:
        await self._mark(person, device.value, InvalidMark(reason, datetime.now(UTC), device.registered))

    def forget_recent(self, person: str) -> None:
        """Read this person's devices anew at the next look-up."""
        self._recent.pop(person, None)

    async def _mark(self, person: Person, address: str, mark: InvalidMark, *, becomes_owner: bool = False) -> None:
        in_file = any(entry.value == address for entry in person.devices)
        await self._store.devices.mark(person.id, address, mark, unknown=in_file, becomes_owner=becomes_owner)
        self._recent.pop(person.id, None)

    async def _make_room(self, person: str, kept_count: int, kind: AddressKind | None = None) -> None:
        if surplus := await self._store.devices.list_older(person, kept_count, kind):
            # One in the people file would return to an earlier owner.
            disowned = [row.address for row in surplus if not await self._in_file(row.address)]
            await self._store.devices.forget(person, surplus, disowned)

    async def _read(self, person: Person) -> tuple[KnownDevice, ...]:
        stored = await self._store.devices.read_person(person.id, [entry.value for entry in person.devices])
        # People described in full share ids across files: nothing is registered for them.
        registered = () if stands_in_full(person.id) else stored.registered
        registered_by_address = {device.value: device for device in map(_device, registered)}
        written = [_later(entry, registered_by_address.pop(entry.value, None)) for entry in person.devices]
        in_file = len(written)
        judged = [
            _judged(candidate, stored, person.id, in_file=position < in_file)
            for position, candidate in enumerate((*written, *registered_by_address.values()))
        ]
        return tuple(_at_most(judged))

    def _remember(self, person: str, recent: CachedDevices) -> None:
        self._recent[person] = recent
        self._recent.move_to_end(person)
        if len(self._recent) > REMEMBERED_AT_MOST:
            self._recent.popitem(last=False)


def _judged(device: PushDevice, stored: DevicesOfPerson, person: str, *, in_file: bool) -> KnownDevice:
    name = device_hash(device.value)
    if (mark := stored.marks.get(name)) and mark.holds(device.registered):
        return KnownDevice(device, mark.reason, mark.at)
    owner = stored.owners.get(name, person if in_file else None)
    return KnownDevice(device, "moved to somebody else" if owner != person else None)


def _at_most(devices: Iterable[KnownDevice]) -> list[KnownDevice]:
    devices = list(devices)
    living = [entry for entry in devices if entry.invalid_reason is None]
    # Entries of the file are deliberate; of others the last seen is first.
    surplus = living[SENT_TO_AT_MOST:]
    return [
        replace(entry, invalid_reason="gave way to those seen later") if entry in surplus else entry
        for entry in devices
    ]


def _later(written: PushDevice, registered: PushDevice | None) -> PushDevice:
    if registered is None:
        return written
    later = written.registered and registered.registered and written.registered > registered.registered
    return registered.model_copy(update={"registered_at": written.registered_at}) if later else registered


def _device(stored: StoredDevice) -> PushDevice:
    if stored.subscription:
        plain: PushDevice = WebDevice(subscription=stored.subscription)
    else:
        plain = PushDevice.model_validate({stored.kind: stored.address, "platform": stored.platform})
    return plain.model_copy(update={"registered_at": stored.registered_at, "seen_at": stored.seen_at})
