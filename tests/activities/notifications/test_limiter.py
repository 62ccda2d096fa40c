"""The limit per device: so many a minute, each device for itself, and nothing remembered for longer."""

import asyncio

import pytest

import activities.notifications.phones as push_limiter
from activities.http.client import Cause, ServiceFailure
from activities.http.rate_limit import CALLER, RateLimitCaller, Urgency
from activities.notifications.phones import (
    AT_ONCE,
    HELD_LINE,
    PAUSE_AT_MOST,
    QUOTA_PAUSE,
    DeviceLimiter,
    SendQuota,
    SendSlots,
)
from activities.notifications.push_services import MessageFate, MessageResult, too_soon
from tests.activities.http.test_pacing import lived


class Clock:
    """Seconds that pass when told."""

    now = 1_000.0

    def __call__(self) -> float:
        return self.now


def test_the_message_above_the_limit_waits_until_the_first_is_a_minute_old() -> None:
    clock = Clock()
    limiter = DeviceLimiter(2, clock)
    assert limiter.seconds_to_wait("a", "first") == 0
    clock.now += 10
    assert limiter.seconds_to_wait("a", "second") == 0
    assert limiter.seconds_to_wait("a", "third") == 50
    assert limiter.seconds_to_wait("b", "third") == 0
    clock.now += 20
    assert limiter.seconds_to_wait("a", "third") == 30
    clock.now += 30
    assert limiter.seconds_to_wait("a", "third") == 0
    assert limiter.seconds_to_wait("a", "fourth") == 10


@pytest.mark.long
def test_a_device_takes_240_a_minute_and_whatever_is_more_has_a_turn_of_its_own() -> None:
    """Told the same instant they would all come again in it, 240 of them pass, and the others fail once more."""
    clock = Clock()
    limiter = DeviceLimiter(clock=clock)
    waits = {f"message-{number}": limiter.seconds_to_wait("a", f"message-{number}") for number in range(3_000)}
    assert list(waits.values()) == [0] * 240 + [60 + number / 4 for number in range(2_760)]
    began, sent = clock.now, list[float]()
    for message, wait in waits.items():
        if wait:
            clock.now = began + wait + 3  # As late as a worker may begin it.
            assert limiter.seconds_to_wait("a", message) == 0
            sent.append(clock.now)
    assert max(sum(first <= later < first + 60 for later in sent) for first in sent[::100]) <= 240


def test_who_comes_while_others_wait_takes_nobodys_turn_and_who_does_not_come_loses_theirs() -> None:
    clock = Clock()
    limiter = DeviceLimiter(2, clock)
    waits = [limiter.seconds_to_wait("a", message) for message in ("first", "second", "third", "fourth")]
    assert waits == [0, 0, 60, 90]
    clock.now += 60
    assert limiter.seconds_to_wait("a", "latecomer") == 60
    assert limiter.seconds_to_wait("a", "third") == 0
    clock.now += 121
    assert limiter.seconds_to_wait("a", "newcomer") == 0


def test_no_more_turns_are_remembered_than_are_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(push_limiter, "WAITING_AT_MOST", limit := 100)
    limiter = DeviceLimiter(1, Clock())
    waits = [limiter.seconds_to_wait("a", f"message-{number}") for number in range(10 * limit)]
    assert max(waits) == 60 * (limit + 1)
    assert len(limiter._lines["a"].waiting) == limit


def test_old_devices_are_forgotten() -> None:
    clock = Clock()
    limiter = DeviceLimiter(2, clock)
    for number in range(1_000):
        limiter.seconds_to_wait(f"device-{number}", "message")
    clock.now += 61
    limiter.seconds_to_wait("another", "message")
    assert list(limiter._lines) == ["another"]


def over_quota(retry_after: float | None = None) -> MessageResult:
    return MessageResult(
        MessageFate.LATER, ServiceFailure("push service", Cause.STATUS, "no", status=429, retry_after=retry_after)
    )


class Service:
    """Takes what it is sent, after so many refusals."""

    def __init__(self, *refusals: MessageResult) -> None:
        self.refusals = list(refusals)
        self.sent: list[float] = []

    async def send(self) -> MessageResult:
        self.sent.append(asyncio.get_running_loop().time())
        return self.refusals.pop(0) if self.refusals else MessageResult(MessageFate.ACCEPTED)


@pytest.mark.parametrize(("asks", "pause"), [(30, 30), (None, QUOTA_PAUSE), (1e9, PAUSE_AT_MOST)])
def test_one_429_pauses_everybody_for_as_long_as_asked_and_nobody_waits_inside_for_it(
    asks: float | None, pause: float
) -> None:
    async def story() -> None:
        quota, service, loop = SendQuota(), Service(over_quota(asks)), asyncio.get_running_loop()
        await quota.send_in_turn(service.send)
        held_results = await asyncio.gather(*(quota.send_in_turn(service.send) for _ in range(1_000)))
        assert {result.fate for result in held_results} == {MessageFate.LATER}
        assert (service.sent, loop.time(), {result.wait for result in held_results}) == ([0.0], 0.0, {pause})
        await asyncio.sleep(pause)
        assert (await quota.send_in_turn(service.send)).fate is MessageFate.ACCEPTED

    lived(story())


def test_what_waits_for_the_end_of_a_pause_goes_by_its_urgency_and_no_longer_than_it_is_worth() -> None:
    async def story() -> list[int]:
        quota, service, sent_urgencies = SendQuota(), Service(over_quota(HELD_LINE - 1)), list[int]()

        async def send_once(urgency: int) -> None:
            CALLER.set(RateLimitCaller(urgency, 1e6))
            assert (await quota.send_in_turn(service.send)).fate is MessageFate.ACCEPTED
            sent_urgencies.append(urgency)

        await quota.send_in_turn(service.send)
        await asyncio.gather(*(send_once(urgency) for urgency in (Urgency.BULK, Urgency.ORDINARY, Urgency.URGENT)))
        assert min(service.sent[1:]) >= HELD_LINE - 1
        return sent_urgencies

    assert lived(story()) == [Urgency.URGENT, Urgency.ORDINARY, Urgency.BULK]


def test_who_gives_up_sooner_than_a_message_is_held_for_waits_no_longer_than_that() -> None:
    async def story() -> None:
        quota, service, loop = SendQuota(), Service(over_quota(HELD_LINE - 1)), asyncio.get_running_loop()
        await quota.send_in_turn(service.send)
        CALLER.set(RateLimitCaller(Urgency.URGENT, loop.time() + 1))
        held_result = await quota.send_in_turn(service.send)
        assert (held_result.fate, loop.time(), len(service.sent)) == (MessageFate.LATER, 0.0, 1)
        CALLER.set(RateLimitCaller(Urgency.URGENT, loop.time() + 1e6))
        assert (await quota.send_in_turn(service.send)).fate is MessageFate.ACCEPTED
        assert HELD_LINE - 1 <= loop.time() < HELD_LINE

    lived(story())


def test_of_ten_times_more_than_have_a_place_the_urgent_goes_first_and_who_leaves_the_line_costs_no_place() -> None:
    async def story() -> None:
        places, gate, sent_urgencies = SendSlots(), asyncio.Event(), list[int]()

        async def send_once(urgency: int) -> None:
            async def send() -> MessageResult:
                sent_urgencies.append(urgency)
                await gate.wait()
                return MessageResult(MessageFate.ACCEPTED)

            CALLER.set(RateLimitCaller(urgency))
            await places.send_in_slot(send)

        bulk = [asyncio.create_task(send_once(Urgency.BULK)) for _ in range(10 * AT_ONCE)]
        await asyncio.sleep(0)
        urgent = asyncio.create_task(send_once(Urgency.URGENT))
        await asyncio.sleep(0)
        for leaving in bulk[-AT_ONCE:]:
            leaving.cancel()
        gate.set()
        await asyncio.gather(urgent, *bulk, return_exceptions=True)
        assert sent_urgencies == [Urgency.BULK] * AT_ONCE + [Urgency.URGENT] + [Urgency.BULK] * (8 * AT_ONCE)
        all_at_once = [asyncio.create_task(send_once(Urgency.BULK)) for _ in range(AT_ONCE)]
        await asyncio.gather(*all_at_once)
        assert places._free == AT_ONCE

    lived(story())


def test_what_a_device_may_not_get_holds_up_nobody_else() -> None:
    async def story() -> None:
        quota, service = (
            SendQuota(),
            Service(
                too_soon(50), MessageResult(MessageFate.LATER, ServiceFailure("p", Cause.STATUS, "no", status=503))
            ),
        )
        fates = [(await quota.send_in_turn(service.send)).fate for _ in range(3)]
        assert (fates, len(service.sent)) == ([MessageFate.LATER, MessageFate.LATER, MessageFate.ACCEPTED], 3)

    lived(story())
