"""The devices of people, and one dialect to reach them: each by itself, dead ones never again."""

import asyncio
import logging
from collections.abc import Collection, Sequence
from typing import Final

from temporalio import activity

from activities.people import Device, Directory, DirectoryFailure, Person, device_hash
from activities.push.dialect import Fate, PushDialect, Sent, too_soon
from activities.push.limiter import DeviceLimiter
from activities.push.message import Message

AT_ONCE: Final = 20
"""Messages on their way at the same time, over all deliveries of this process: its client has so many connections."""
LINE: Final = 15.0
"""Seconds a message waits for its place among them; then it is left open, as by a service that is busy."""

Messages = tuple[tuple[str, Sent], ...]
"""The fate of one message per device, by its short hash."""


class Phones:
    """Sends through `dialect`; None means that push is off, so that nobody has a device."""

    def __init__(self, dialect: PushDialect | None, directory: Directory, limiter: DeviceLimiter) -> None:
        self._dialect = dialect
        self._directory = directory
        self._limiter = limiter
        self._places = asyncio.Semaphore(AT_ONCE)

    def has_one(self, person: Person) -> bool:
        """Whether somebody has a phone that a push may reach, without looking which of them are dead."""
        return self._dialect is not None and bool(person.devices)

    async def living(self, person: Person, only: Collection[str] | None = None) -> list[Device]:
        """The person's living devices, of the hashes `only` if given; raises `DirectoryFailure`."""
        if self._dialect is None:
            return []
        living = await self._directory.devices(person)
        return [device for device in living if only is None or device_hash(device.token) in only]

    async def send(self, devices: Sequence[Device], message: Message) -> Messages:
        """Send to all of `devices` at once."""
        if (dialect := self._dialect) is None:
            return ()
        return tuple(await asyncio.gather(*(self._send(dialect, device.token, message) for device in devices)))

    async def _send(self, dialect: PushDialect, token: str, message: Message) -> tuple[str, Sent]:
        device = device_hash(token)
        try:
            async with asyncio.timeout(LINE):
                await self._places.acquire()
        except TimeoutError:
            return device, too_soon(0)
        try:
            return device, await self._sent(dialect, device, token, message)
        finally:
            self._places.release()

    async def _sent(self, dialect: PushDialect, device: str, token: str, message: Message) -> Sent:
        if wait := self._limiter.seconds_to_wait(device):
            return too_soon(wait)
        sent = await dialect.send(token, message)
        if sent.failure:
            level = logging.ERROR if sent.fate is Fate.OTHER_SENDER else logging.WARNING
            activity.logger.log(level, "push to device %s: %s, %s", device, sent.fate, sent.failure)
        if sent.fate.dead:
            await self._bury(token)
        return sent

    async def _bury(self, token: str) -> None:
        try:
            await self._directory.mark_dead(token)
        except DirectoryFailure as failure:
            # The other devices have their message by now; this one will be found dead again next time.
            activity.logger.warning("device %s is dead but was not marked: %s", device_hash(token), failure)
