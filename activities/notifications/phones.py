"""Push to people's devices: rate limits per device and service, concurrency, dead devices."""

import asyncio
import heapq
import logging
import math
import time
from collections import OrderedDict, deque
from collections.abc import Awaitable, Callable, Collection, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from itertools import count
from typing import Final, cast

from temporalio import activity

from activities.http.rate_limit import CALLER, RateLimitCaller, RateLimiter, TurnTooLate
from activities.notifications.alerts import Credential
from activities.notifications.message import NotificationMessage
from activities.notifications.push_services import MessageFate, MessageResult, PushDialect, no_place, too_soon
from activities.notifications.results import Messages
from activities.notifications.web_push import WebPush, origin_of
from activities.people.directory import Directory, DirectoryFailure
from activities.people.person import AddressKind, Person, Platform, PushDevice, WebDevice
from activities.people.subscriptions import LinkDevice
from activities.records.devices import device_hash

AT_ONCE: Final = 20
"""Concurrent messages of this process: its client has as many connections."""
LINE: Final = 15.0
"""Seconds a message waits for a slot; then it stays open, as for a busy service."""
PER_SECOND: Final = 1_000.0
"""Messages of this process: FCM takes 600,000 a minute of a project (docs/core-signature.md, FCM)."""
HELD_LINE: Final = 4.0
"""Seconds a message waits for the quota; longer waits are the workflow's, visible and without a slot."""
QUOTA_PAUSE: Final = 60.0
"""Seconds without sending after a 429 that does not say how long."""
PAUSE_AT_MOST: Final = 3600.0
PER_MINUTE: Final = 240
"""FCM's limit for one Android device (docs/core-signature.md, FCM)."""
PUSH_SERVICES_AT_MOST: Final = 1_000
"""Push services of browsers whose quota is remembered: Microsoft has some hosts, the others have one each."""
WAITING_AT_MOST: Final = 10_000
"""Remembered turns of messages to one device; further ones get a turn when they are retried."""
_MINUTE: Final = 60.0
_TOO_MANY: Final = 429
MANY: Final = 3
"""Devices of another project in a row, from which on our credentials are at fault."""
_OF_PLATFORM: Final = {Platform.IOS: Credential.APPLE, Platform.WEB: Credential.WEB}


# Workers do not share a 429. Each gets its own with its next message, at no cost of quota (docs/core-signature.md,
# FCM); a shared mark would be one more store call per message, by clocks that differ, to save one refusal a worker.
# A task queue's rate does not fit: notices share their queue.
class SendQuota:
    """The service's quota for this process: after a 429 nothing is sent for its time, then urgent messages first."""

    def __init__(self, per_second: float = PER_SECOND) -> None:
        self._pacer = RateLimiter(per_second, burst=per_second)

    async def send_in_turn(self, send: Callable[[], Awaitable[MessageResult]]) -> MessageResult:
        """Send in turn, or give up if its turn comes too late."""
        caller = CALLER.get() or RateLimitCaller()
        deadline = asyncio.get_running_loop().time() + HELD_LINE
        token = CALLER.set(replace(caller, gives_up_at=min(deadline, caller.gives_up_at or deadline)))
        try:
            await self._pacer.turn()
        except TurnTooLate as later:
            return too_soon(later.seconds, "the service has had enough messages for now")
        finally:
            CALLER.reset(token)
        sent = await send()
        if sent.failure is not None and sent.failure.status == _TOO_MANY:
            asks = sent.failure.retry_after
            self._pacer.hold(min(PAUSE_AT_MOST, QUOTA_PAUSE if asks is None else asks))
        return sent


class SendSlots:
    """Concurrent sends to one service: a message waits at most `LINE` for a slot, urgent ones first."""

    def __init__(self) -> None:
        self._free = AT_ONCE
        self._line: list[tuple[int, int, asyncio.Future[None]]] = []
        self._numbers = count()

    async def send_in_slot(self, send: Callable[[], Awaitable[MessageResult]]) -> MessageResult:
        """Send once there is a slot, or give up."""
        try:
            async with asyncio.timeout(LINE):
                await self._take()
        except TimeoutError:
            return no_place()
        try:
            return await send()
        finally:
            self._give_back()

    async def _take(self) -> None:
        if self._free:
            self._free -= 1
            return
        slot: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        urgency = (CALLER.get() or RateLimitCaller()).urgency
        heapq.heappush(self._line, (urgency, next(self._numbers), slot))
        try:
            await slot
        except asyncio.CancelledError:
            if not slot.cancelled():
                self._give_back()
            raise

    def _give_back(self) -> None:
        while self._line:
            *_, first = heapq.heappop(self._line)
            if not first.done():
                first.set_result(None)
                return
        self._free += 1


@dataclass
class _Line:
    """Messages to one device: send times in the last minute, and turns of those that wait."""

    sent: deque[float] = field(default_factory=deque)
    waiting: dict[str, float] = field(default_factory=dict)

    def drop_expired(self, now: float) -> None:
        """Drop expired entries; a message more than a minute late loses its turn."""
        while self.sent and self.sent[0] <= now - _MINUTE:
            self.sent.popleft()
        late = [message for message, turn in self.waiting.items() if turn <= now - _MINUTE]
        for message in late:
            del self.waiting[message]

    @property
    def last(self) -> float:
        return max((*self.waiting.values(), *self.sent), default=-math.inf)


class DeviceLimiter:
    """Limits sends per device and minute in this process; `clock` is monotonic. A message over the limit gets a turn
    behind all that wait. `project` limits all devices together.
    """

    def __init__(self, per_minute: int = PER_MINUTE, clock: Callable[[], float] = time.monotonic) -> None:
        self._per_minute = per_minute
        self._clock = clock
        self.project: Final = SendQuota()
        self._push_services: OrderedDict[str, SendQuota] = OrderedDict()
        self._lines: OrderedDict[str, _Line] = OrderedDict()

    def seconds_to_wait(self, device: str, message: str) -> float:
        """0 if `message` may be sent to `device` now, which then counts as sent; else the seconds until its turn."""
        now = self._clock()
        self._forget(now - _MINUTE)
        line = self._lines.setdefault(device, _Line())
        self._lines.move_to_end(device)
        line.drop_expired(now)
        turn = line.waiting.get(message)
        if turn is not None and turn > now:
            return turn - now
        if len(line.sent) < self._per_minute and (turn is not None or not line.waiting):
            line.waiting.pop(message, None)
            line.sent.append(now)
            return 0
        return self._turn(line, message, now) - now

    def quota_of(self, push_device: PushDevice) -> SendQuota:
        """That of our project; of a browser, that of its push service."""
        if not isinstance(push_device, WebDevice):
            return self.project
        origin = origin_of(push_device.value)
        quota = self._push_services.setdefault(origin, SendQuota())
        self._push_services.move_to_end(origin)
        if len(self._push_services) > PUSH_SERVICES_AT_MOST:
            self._push_services.popitem(last=False)
        return quota

    def _turn(self, line: _Line, message: str, now: float) -> float:
        behind = max(line.waiting.values(), default=now) + _MINUTE / self._per_minute
        frees = line.sent[0] + _MINUTE if len(line.sent) >= self._per_minute else now
        turn = frees if message in line.waiting or not line.waiting else max(frees, behind)
        if message in line.waiting or len(line.waiting) < WAITING_AT_MOST:
            line.waiting[message] = turn
        return turn

    def _forget(self, cutoff: float) -> None:
        """Drop devices last sent to before this time; the order is by last send."""
        while self._lines and next(iter(self._lines.values())).last <= cutoff:
            self._lines.popitem(last=False)


class DeviceSender:
    """Sends to apps through `dialect`, to browsers by `web`; None means that there are no such devices."""

    def __init__(
        self, dialect: PushDialect | None, directory: Directory, limiter: DeviceLimiter, web: WebPush | None = None
    ) -> None:
        self._dialect = dialect
        self._web = web
        self._directory = directory
        self._limiter = limiter
        self._foreign: dict[AddressKind, set[str]] = {}
        self._places = SendSlots()
        self._accepted: dict[Credential, bool] = {}

    def credentials_accepted(self) -> Mapping[Credential, bool]:
        """Whether each credential was accepted, by the responses since the last call."""
        learnt, self._accepted = self._accepted, {}
        return learnt

    async def had_one(self, person: Person) -> bool:
        """Whether the person ever had a device; by the people file alone while the store is unavailable."""
        known_devices = person.devices
        with suppress(DirectoryFailure):
            known_devices = tuple(known.device for known in await self._directory.known_devices(person))
        return any(map(self._is_served, known_devices))

    async def living(self, person: Person, only: Collection[str] | None = None) -> list[PushDevice]:
        """The person's valid devices, of the hashes `only` if given; raises `DirectoryFailure`."""
        if self._dialect is None and self._web is None:
            return []
        living = [device for device in await self._directory.devices(person) if self._is_served(device)]
        return [device for device in living if only is None or device_hash(device.value) in only]

    @property
    def reaches_browsers(self) -> bool:
        return self._web is not None

    async def send(self, person: Person, devices: Sequence[PushDevice], message: NotificationMessage) -> Messages:
        """Send to `devices` concurrently."""
        served = [device for device in devices if self._is_served(device)]
        return tuple(await asyncio.gather(*(self._send(person, device, message) for device in served)))

    def _is_served(self, push_device: PushDevice) -> bool:
        return (self._web if isinstance(push_device, WebDevice) else self._dialect) is not None

    async def _send(
        self, person: Person, push_device: PushDevice, message: NotificationMessage
    ) -> tuple[str, MessageResult]:
        sent = await self._limiter.quota_of(push_device).send_in_turn(
            lambda: self._places.send_in_slot(lambda: self._send_to_device(person, push_device, message))
        )
        return device_hash(push_device.value), sent

    async def _send_to_device(
        self, person: Person, push_device: PushDevice, message: NotificationMessage
    ) -> MessageResult:
        device = device_hash(push_device.value)
        if wait := self._limiter.seconds_to_wait(device, message.key):
            return too_soon(wait)
        sent = await self._call(push_device, message)
        if isinstance(push_device, LinkDevice):
            # Anybody with the link may have made it: nothing is concluded from it, whoever sends forgets it.
            return sent
        sent = self._check_project(push_device.kind, device, sent)
        self._learn(push_device, sent.fate)
        if sent.failure:
            level = logging.ERROR if sent.fate in (MessageFate.OTHER_SENDER, MessageFate.MISMATCH) else logging.WARNING
            activity.logger.log(level, "push to device %s: %s, %s", device, sent.fate, sent.failure)
        if sent.fate.dead:
            await self._mark_invalid(person, push_device, sent)
        return sent

    async def _call(self, push_device: PushDevice, message: NotificationMessage) -> MessageResult:
        if isinstance(push_device, WebDevice):
            return await cast(WebPush, self._web).send(push_device.subscription, message)
        return await cast(PushDialect, self._dialect).send(push_device.value, message, push_device.kind)

    def _check_project(self, kind: AddressKind, device: str, sent: MessageResult) -> MessageResult:
        """One device of another project is a bad device; many in a row are a wrong deployment."""
        foreign = self._foreign.setdefault(kind, set())
        if sent.fate is MessageFate.ACCEPTED:
            foreign.clear()
        if sent.fate is not MessageFate.OTHER_SENDER:
            return sent
        if len(foreign) < MANY:
            foreign.add(device)
        return replace(sent, fate=MessageFate.MISMATCH) if len(foreign) >= MANY else sent

    def _learn(self, push_device: PushDevice, fate: MessageFate) -> None:
        """A refusal by Apple implies that the push service accepted us; browsers' push services know no credential."""
        if isinstance(push_device, WebDevice) or fate not in (
            MessageFate.ACCEPTED,
            MessageFate.PLATFORM,
            MessageFate.UNAUTHORISED,
        ):
            return
        self._accepted[Credential.OURS] = fate is not MessageFate.UNAUTHORISED
        theirs = _OF_PLATFORM.get(push_device.platform)
        if theirs and fate is not MessageFate.UNAUTHORISED:
            self._accepted[theirs] = fate is MessageFate.ACCEPTED

    async def _mark_invalid(self, person: Person, device: PushDevice, sent: MessageResult) -> None:
        reason = (sent.failure and sent.failure.error_code) or sent.fate.value
        try:
            await self._directory.mark_gone(person, device, reason)
        except DirectoryFailure as failure:
            # The other devices have the message; this one will be found dead again next time.
            activity.logger.warning("device %s is dead but was not marked: %s", device_hash(device.value), failure)
