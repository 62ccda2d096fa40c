"""The devices of people in the store, in a layout that needs no lock: what happened last is seen in what is there.

`devices/<person>/<hash>.json` is what an app registered, `…<hash>.dead.json` why it was given up, and
`device-owners/<SHA-256>.json` whose it is: a token that moves to somebody else has its old owner's folder as it was.
"""

import hashlib
from collections.abc import Mapping, Sequence
from typing import Final

from activities.store.objects import Objects, listed_name

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
