"""Devices that the company's app registered, why others are invalid, and whose each address is."""

import hashlib
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final, NamedTuple

from sqlalchemy import ColumnElement, Connection, and_, func, not_, or_, select

from activities.records.database import Database, insert_new, replace
from activities.records.schema import DEVICE_OWNERS, DEVICES

LISTED_AT_MOST: Final = 1_000_000
"""People with devices that are listed."""
FORGOTTEN_AT_MOST: Final = 100
"""Devices of a person that make room at once."""
READ_AT_MOST: Final = 1_000
"""Devices of one person: ten times those that are kept, for others that are just being removed."""
WITHDRAWN: Final = "withdrawn"
"""Why a device is invalid that its person, or their app, took away."""
_HASH_LENGTH: Final = 12
_ROW: Final = DEVICES.c
_OWNER: Final = DEVICE_OWNERS.c


def device_hash(address: str) -> str:
    """A device's short name in notification logs and reports: 12 hex digits of SHA-256."""
    return hash_address(address)[:_HASH_LENGTH]


def hash_address(address: str) -> str:
    """SHA-256 of a device's address, or of a subscription's endpoint."""
    return hashlib.sha256(address.encode()).hexdigest()


class WebSubscription(NamedTuple):
    """What a browser subscribed with: where its push service takes messages (a secret), its keys for their encryption,
    and our public key that it demands, all in base64url.
    """

    endpoint: str
    p256dh: str
    auth: str
    vapid_key: str


@dataclass(frozen=True)
class InvalidMark:
    """Why and when a device was marked invalid, and which registration; None for the one that it had."""

    reason: str
    at: datetime
    of: datetime | None = None

    def holds(self, registered: datetime | None) -> bool:
        """Whether it was not registered again since; a device without a date stays invalid."""
        return registered is None or registered <= (self.of or self.at)


@dataclass(frozen=True)
class StoredDevice:
    address: str
    kind: str
    platform: str
    registered_at: datetime | None = None
    seen_at: datetime | None = None
    subscription: WebSubscription | None = None
    """Of a browser; the address is its endpoint."""


@dataclass(frozen=True)
class RegistrationResult:
    device: str
    new: bool
    """False: it was known, and is confirmed."""
    has_moved: bool
    """It belonged to another person."""
    reason: str | None = None
    """Why nothing is sent: it was marked invalid after this registration."""


@dataclass(frozen=True)
class DevicesOfPerson:
    """Registered devices, the last seen first; of them and of others asked for, marks and owners by short name."""

    registered: tuple[StoredDevice, ...]
    marks: Mapping[str, InvalidMark]
    owners: Mapping[str, str]


class StoredDevices:
    """Raises `DatabaseAway`."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def people(self) -> frozenset[str]:
        """Everybody with a device."""
        query = select(_ROW.person).where(_ROW.address.is_not(None)).distinct().limit(LISTED_AT_MOST)
        return frozenset(row.person for row in await self._database.rows(query))

    async def living(self) -> tuple[frozenset[str], Mapping[str, Mapping[str, InvalidMark]]]:
        """Everybody with a registered device that is theirs and valid; the marks of other devices by short name, by
        person.
        """
        registered = _ROW.address.is_not(None)
        registered_again = _ROW.registered_at > func.coalesce(_ROW.gone_of, _ROW.gone_at)
        is_owner = and_(_OWNER.address_sha256 == _ROW.address_sha256, _OWNER.person == _ROW.person)
        theirs = (
            select(_ROW.person)
            .join(DEVICE_OWNERS, is_owner)
            .where(registered, or_(_ROW.gone.is_(None), registered_again))
        )
        marked = select(DEVICES).where(~registered, _ROW.gone.is_not(None)).limit(LISTED_AT_MOST)

        def ask(connection: Connection) -> tuple[frozenset[str], Mapping[str, Mapping[str, InvalidMark]]]:
            people = frozenset(connection.execute(theirs.distinct().limit(LISTED_AT_MOST)).scalars())
            marks: dict[str, dict[str, InvalidMark]] = {}
            for row in connection.execute(marked):
                if mark := _mark(row):
                    marks.setdefault(row.person, {})[row.address_sha256[:_HASH_LENGTH]] = mark
            return people, marks

        return await self._database.read(ask)

    async def list_marked(self) -> Mapping[str, datetime]:
        """When the last device of each person was marked invalid, who have any such."""
        last_at = func.max(_ROW.gone_at).label("last_at")
        query = select(_ROW.person, last_at).where(_ROW.gone.is_not(None)).group_by(_ROW.person).limit(LISTED_AT_MOST)
        return {row.person: row.last_at for row in await self._database.rows(query)}

    async def read_person(self, person: str, also: Sequence[str] = ()) -> DevicesOfPerson:
        """What is stored of a person's registered devices, and of these other addresses."""
        named = [hash_address(address) for address in also]

        def ask(connection: Connection) -> DevicesOfPerson:
            theirs = select(DEVICES).where(
                _ROW.person == person, or_(_ROW.address.is_not(None), _ROW.address_sha256.in_(named))
            )
            rows = connection.execute(theirs.order_by(_ROW.seen_at.desc()).limit(READ_AT_MOST)).all()
            hashes = {*named, *(row.address_sha256 for row in rows)}
            owners = connection.execute(select(DEVICE_OWNERS).where(_OWNER.address_sha256.in_(hashes)))
            return DevicesOfPerson(
                tuple(_device(row) for row in rows if row.address),
                {row.address_sha256[:_HASH_LENGTH]: mark for row in rows if (mark := _mark(row))},
                {row.address_sha256[:_HASH_LENGTH]: row.person for row in owners},
            )

        return await self._database.read(ask)

    async def register(self, person: str, device: StoredDevice, now: datetime) -> RegistrationResult:
        """Replaces the former fields, and the owner. Without a date it is registered now, unless it is known and
        valid.
        """

        def change(connection: Connection) -> RegistrationResult:
            sha256 = hash_address(device.address)
            row = connection.execute(_select_device(person, device.address)).first()
            mark, registered_row = _mark(row), row if row and row.address else None
            former_at = (
                registered_row.registered_at
                if registered_row and not (mark and mark.holds(registered_row.registered_at))
                else None
            )
            registered_at = min(device.registered_at or former_at or now, now)
            owner = connection.scalar(select(_OWNER.person).where(_OWNER.address_sha256 == sha256))
            _set_owner(connection, person, device.address)
            values = {"address": device.address, "kind": device.kind, "platform": device.platform}
            key = {_ROW.person: person, _ROW.address_sha256: sha256}
            keys = _keys_of(device.subscription)
            replace(connection, DEVICES, key, **values, **keys, registered_at=registered_at, seen_at=now)
            reason = mark.reason if mark and mark.holds(registered_at) else None
            return RegistrationResult(
                sha256[:_HASH_LENGTH], registered_row is None, owner not in (None, person), reason
            )

        return await self._database.write(change)

    async def mark(
        self, person: str, address: str, mark: InvalidMark, *, unknown: bool = False, becomes_owner: bool = False
    ) -> None:
        """Mark a device invalid; an `unknown` one as well. With `becomes_owner` it is theirs."""

        def change(connection: Connection) -> None:
            if becomes_owner:
                _set_owner(connection, person, address)
            if unknown:
                insert_new(connection, DEVICES, person=person, address_sha256=hash_address(address))
            row = connection.execute(_select_device(person, address)).first()
            former_mark = _mark(row)
            if row and not (former_mark and (former_mark.of or former_mark.at) > (mark.of or mark.at)):
                values = {"gone": mark.reason, "gone_at": mark.at, "gone_of": mark.of}
                connection.execute(DEVICES.update().where(_is(person, address)).values(**values))

        await self._database.write(change)

    async def find_browser_owner(self, endpoint: str) -> str | None:
        """The person whose device this browser is, unless they removed it."""
        sha256, is_same_person = hash_address(endpoint), _OWNER.person == _ROW.person
        query = select(_ROW.person).join(
            DEVICE_OWNERS, and_(_OWNER.address_sha256 == _ROW.address_sha256, is_same_person)
        )
        is_removed = and_(_ROW.gone.is_not(None), _ROW.gone == WITHDRAWN)
        rows = await self._database.rows(
            query.where(_ROW.address_sha256 == sha256, _ROW.p256dh.is_not(None), not_(is_removed))
        )
        return rows[0].person if rows else None

    async def list_older(self, person: str, kept_count: int, kind: str | None = None) -> tuple[StoredDevice, ...]:
        """Registered devices, of one kind if given, seen before the last `kept_count` ones."""
        of_kind = () if kind is None else (_ROW.kind == kind,)
        query = select(DEVICES).where(_ROW.person == person, _ROW.address.is_not(None), *of_kind)
        rows = await self._database.rows(
            query.order_by(_ROW.seen_at.desc()).offset(kept_count).limit(FORGOTTEN_AT_MOST)
        )
        return tuple(map(_device, rows))

    async def forget(self, person: str, devices: Sequence[StoredDevice], disowned: Collection[str]) -> None:
        """Remove those that were not seen since; the `disowned` addresses belong to nobody then."""

        def change(connection: Connection) -> None:
            for device in devices:
                not_seen = and_(_is(person, device.address), _ROW.seen_at == device.seen_at)
                removed_count = connection.execute(DEVICES.delete().where(not_seen)).rowcount
                if removed_count and device.address in disowned:
                    theirs = _OWNER.address_sha256 == hash_address(device.address), _OWNER.person == person
                    connection.execute(DEVICE_OWNERS.delete().where(*theirs))

        await self._database.write(change)


def _set_owner(connection: Connection, person: str, address: str) -> None:
    replace(connection, DEVICE_OWNERS, {_OWNER.address_sha256: hash_address(address)}, person=person)


def _is(person: str, address: str) -> ColumnElement[bool]:
    return and_(_ROW.person == person, _ROW.address_sha256 == hash_address(address))


def _select_device(person: str, address: str) -> Any:
    return select(DEVICES).where(_is(person, address))


def _device(row: Any) -> StoredDevice:
    subscription = WebSubscription(row.address, row.p256dh, row.auth, row.vapid_key) if row.p256dh else None
    return StoredDevice(row.address, row.kind, row.platform, row.registered_at, row.seen_at, subscription)


def _keys_of(subscription: WebSubscription | None) -> dict[str, str | None]:
    keys = subscription._asdict() if subscription else dict.fromkeys(WebSubscription._fields)
    return {name: key for name, key in keys.items() if name != "endpoint"}


def _mark(row: Any) -> InvalidMark | None:
    return InvalidMark(row.gone, row.gone_at, row.gone_of) if row and row.gone is not None else None
