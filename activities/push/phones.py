"""The devices of people, and one dialect to reach them: each by itself, dead ones never again."""

import asyncio
import logging
from collections.abc import Collection, Mapping, Sequence
from contextlib import suppress
from dataclasses import replace
from typing import Final

from temporalio import activity

from activities.device import Platform, PushDevice
from activities.directory import Directory, DirectoryFailure
from activities.person import Person
from activities.push.credentials import Credential
from activities.push.dialect import MessageFate, MessageResult, PushDialect, too_soon
from activities.push.limiter import DeviceLimiter, SendSlots
from activities.push.message import Message
from activities.store.devices import device_hash

MANY: Final = 3
"""Devices of another project, with none of ours in between, from which on our credentials are the ones at fault."""
_OF_PLATFORM: Final = {Platform.IOS: Credential.APPLE, Platform.WEB: Credential.WEB}

Messages = tuple[tuple[str, MessageResult], ...]
"""The fate of one message per device, by its short hash."""


class DeviceSender:
    """Sends through `dialect`; None means that push is off, so that nobody has a device."""

    def __init__(self, dialect: PushDialect | None, directory: Directory, limiter: DeviceLimiter) -> None:
        self._dialect = dialect
        self._directory = directory
        self._limiter = limiter
        self._foreign: set[str] = set()
        self._places = SendSlots()
        self._accepted: dict[Credential, bool] = {}

    def credentials_accepted(self) -> Mapping[Credential, bool]:
        """Which of our credentials are taken by the last answers since this was asked; those that any spoke of."""
        learnt, self._accepted = self._accepted, {}
        return learnt

    async def had_one(self, person: Person) -> bool:
        """Whether somebody ever had a phone for pushes; by the people file alone while the store is away."""
        if self._dialect is None:
            return False
        with suppress(DirectoryFailure):
            return bool(await self._directory.known_devices(person))
        return bool(person.devices)

    async def living(self, person: Person, only: Collection[str] | None = None) -> list[PushDevice]:
        """The person's living devices, of the hashes `only` if given; raises `DirectoryFailure`."""
        if self._dialect is None:
            return []
        living = await self._directory.devices(person)
        return [device for device in living if only is None or device_hash(device.value) in only]

    async def send(self, person: Person, devices: Sequence[PushDevice], message: Message) -> Messages:
        """Send to all of these `devices` of a person at once."""
        if (dialect := self._dialect) is None:
            return ()
        return tuple(await asyncio.gather(*(self._send(dialect, person, device, message) for device in devices)))

    async def _send(
        self, dialect: PushDialect, person: Person, to: PushDevice, message: Message
    ) -> tuple[str, MessageResult]:
        sent = await self._limiter.project.one(
            lambda: self._places.one(lambda: self._sent(dialect, person, to, message))
        )
        return device_hash(to.value), sent

    async def _sent(self, dialect: PushDialect, person: Person, to: PushDevice, message: Message) -> MessageResult:
        device = device_hash(to.value)
        if wait := self._limiter.seconds_to_wait(device, message.key):
            return too_soon(wait)
        sent = self._judged(device, await dialect.send(to.value, message, to.kind))
        self._learn(to.platform, sent.fate)
        if sent.failure:
            level = logging.ERROR if sent.fate in (MessageFate.OTHER_SENDER, MessageFate.MISMATCH) else logging.WARNING
            activity.logger.log(level, "push to device %s: %s, %s", device, sent.fate, sent.failure)
        if sent.fate.dead:
            await self._bury(person, to, sent)
        return sent

    def _judged(self, device: str, sent: MessageResult) -> MessageResult:
        """A device of another project is one; many of them, and none of ours since, are a deploy gone wrong."""
        if sent.fate is MessageFate.ACCEPTED:
            self._foreign.clear()
        if sent.fate is not MessageFate.OTHER_SENDER:
            return sent
        if len(self._foreign) < MANY:
            self._foreign.add(device)
        return replace(sent, fate=MessageFate.MISMATCH) if len(self._foreign) >= MANY else sent

    def _learn(self, platform: Platform, fate: MessageFate) -> None:
        """What an answer says of credentials; whoever is not let in at Apple was let in at the push service."""
        if fate not in (MessageFate.ACCEPTED, MessageFate.PLATFORM, MessageFate.UNAUTHORISED):
            return
        self._accepted[Credential.OURS] = fate is not MessageFate.UNAUTHORISED
        theirs = _OF_PLATFORM.get(platform)
        if theirs and fate is not MessageFate.UNAUTHORISED:
            self._accepted[theirs] = fate is MessageFate.ACCEPTED

    async def _bury(self, person: Person, device: PushDevice, sent: MessageResult) -> None:
        reason = (sent.failure and sent.failure.error_code) or sent.fate.value
        try:
            await self._directory.bury(person, device, reason)
        except DirectoryFailure as failure:
            # The other devices have their message by now; this one will be found dead again next time.
            activity.logger.warning("device %s is dead but was not marked: %s", device_hash(device.value), failure)
