"""Devices that the company's app registered, and whose each address is."""

import hashlib
from collections.abc import Mapping, Sequence
from typing import Final

from sqlalchemy import select

from activities.records.database import Database, Key
from activities.records.schema import DEVICE_OWNERS, DEVICES

LISTED_AT_MOST: Final = 1_000_000
"""People with devices that are listed."""
_HASH_LENGTH: Final = 12
_OWNER: Final = DEVICE_OWNERS.c


def device_hash(address: str) -> str:
    """A device's short name in notification logs and reports: 12 hex digits of SHA-256."""
    return hashlib.sha256(address.encode()).hexdigest()[:_HASH_LENGTH]


class StoredDevices:
    """Raises `DatabaseAway`."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def of(self, person: str) -> "DevicesOfPerson":
        return DevicesOfPerson(self._database, person)

    async def people(self) -> frozenset[str]:
        """Everybody with a device."""
        asked = select(DEVICES.c.person).where(DEVICES.c.content.is_not(None)).distinct().limit(LISTED_AT_MOST)
        return frozenset(row.person for row in await self._database.rows(asked))


class DevicesOfPerson:
    """By short name; a row without content is a device of the people file that was marked invalid."""

    def __init__(self, database: Database, person: str) -> None:
        self._database = database
        self._person = person
        self._own: Final = DEVICES.c.person == person

    async def registered(self) -> frozenset[str]:
        asked = select(DEVICES.c.device).where(self._own, DEVICES.c.content.is_not(None))
        return frozenset(row.device for row in await self._database.rows(asked))

    async def read(self, devices: Sequence[str]) -> list[tuple[bytes | None, bytes | None]]:
        """Content, and why it is invalid, in order."""
        asked = select(DEVICES.c.device, DEVICES.c.content, DEVICES.c.gone).where(
            self._own, DEVICES.c.device.in_(devices)
        )
        found = {row.device: (row.content, row.gone) for row in await self._database.rows(asked)}
        return [found.get(device, (None, None)) for device in devices]

    async def register(self, device: str, content: bytes) -> None:
        await self._database.replace(DEVICES, self._key(device), content=content)

    async def mark_gone(self, device: str, content: bytes) -> None:
        await self._database.replace(DEVICES, self._key(device), gone=content)

    async def forget(self, device: str) -> None:
        await self._database.change(DEVICES.delete().where(self._own, DEVICES.c.device == device))

    async def owners(self, addresses: Sequence[str]) -> Mapping[str, str]:
        hashes = {_sha256(address): address for address in addresses}
        asked = select(_OWNER.address_sha256, _OWNER.person).where(_OWNER.address_sha256.in_(list(hashes)))
        return {hashes[row.address_sha256]: row.person for row in await self._database.rows(asked)}

    async def own(self, address: str, person: str) -> None:
        """Make the person the only owner of an address."""
        await self._database.replace(DEVICE_OWNERS, {_OWNER.address_sha256: _sha256(address)}, person=person)

    async def disown(self, address: str) -> None:
        """Remove an address's owner."""
        await self._database.change(DEVICE_OWNERS.delete().where(_OWNER.address_sha256 == _sha256(address)))

    def _key(self, device: str) -> Key:
        return {DEVICES.c.person: self._person, DEVICES.c.device: device}


def _sha256(address: str) -> str:
    return hashlib.sha256(address.encode()).hexdigest()
