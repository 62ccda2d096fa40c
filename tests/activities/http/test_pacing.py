"""The line of waiting calls, on a clock that jumps: how many go in half a minute, who goes first, who is sent away."""

import asyncio
from collections import Counter
from collections.abc import Coroutine
from typing import Any

import httpx
import pytest

from activities.http.client import Cause, Service, ServiceFailure, make_client
from activities.http.rate_limit import CALLER, RateLimitCaller, RateLimiter, TurnTooLate, Urgency
from activities.temporal.failures import to_application_error
from tests.workflows.lives.virtual_time import VirtualTime


def lived(story: Coroutine[Any, Any, Any]) -> Any:
    """What comes of a story whose waiting takes no time."""
    loop = VirtualTime()
    try:
        return loop.run_until_complete(story)
    finally:
        loop.close()


def now() -> float:
    return asyncio.get_running_loop().time()


async def call(
    pace: RateLimiter, called_at: list[float], urgency: int = Urgency.ORDINARY, patience_seconds: float = 1e6
) -> None:
    """One call that can wait, noting when it went."""
    CALLER.set(RateLimitCaller(urgency, now() + patience_seconds))
    await pace.turn()
    called_at.append(now())


async def call_together(pace: RateLimiter, times: int) -> list[float]:
    """When so many calls went that came at once."""
    called_at: list[float] = []
    await asyncio.gather(*(call(pace, called_at) for _ in range(times)))
    return called_at


def test_after_a_rest_five_calls_go_at_once_and_not_six() -> None:
    async def story() -> None:
        pace = RateLimiter(2)
        assert await call_together(pace, 6) == [0.0] * 5 + [0.5]
        await asyncio.sleep(1000)
        assert await call_together(pace, 6) == [1000.5] * 5 + [1001.0]

    lived(story())


def test_the_urgent_go_first_and_campaigns_last() -> None:
    async def story() -> list[int]:
        pace, order = RateLimiter(1, burst=1), list[int]()

        async def call_once(urgency: int) -> None:
            await call(pace, [], urgency)
            order.append(urgency)

        await asyncio.gather(*(call_once(urgency) for urgency in (5, 3, 5, 3, 1, 1)))
        return order

    assert lived(story()) == [5, 1, 1, 3, 3, 5]


def test_of_ten_turns_one_goes_to_whoever_has_waited_longest_so_that_no_sweep_waits_for_ever() -> None:
    """Fifteen ordinary callers that never rest, which is what a full queue is, and one call of a sweep."""

    async def story() -> tuple[float, Counter[int]]:
        pace, counts_by_urgency = RateLimiter(1, burst=1), Counter[int]()

        async def never_rests(urgency: int) -> None:
            while True:
                await call(pace, [], urgency)
                counts_by_urgency[urgency] += 1

        crowd = [asyncio.ensure_future(never_rests(Urgency.ORDINARY)) for _ in range(15)]
        await asyncio.sleep(100)
        started_at = now()
        await call(pace, [], Urgency.BULK)
        waited = now() - started_at
        crowd += [asyncio.ensure_future(never_rests(urgency)) for urgency in (Urgency.URGENT, Urgency.BULK)]
        counts_by_urgency.clear()
        await asyncio.sleep(1000)
        for task in crowd:
            task.cancel()
        return waited, counts_by_urgency

    waited, counts_by_urgency = lived(story())
    assert waited <= 30
    assert counts_by_urgency[Urgency.URGENT] >= 890
    assert counts_by_urgency[Urgency.BULK] >= 5


def test_a_crowd_beyond_what_can_be_served_in_time_is_sent_away_at_once_and_leaves_no_line() -> None:
    """Ten times as many as have a turn before they give up: the line is no longer than patience times rate."""

    async def story() -> tuple[Counter[str], float]:
        pace, counts_by_outcome = RateLimiter(1), Counter[str]()

        async def call_once() -> None:
            CALLER.set(RateLimitCaller(gives_up_at=8.5))
            try:
                await pace.turn()
                counts_by_outcome["went"] += 1
            except TurnTooLate:
                counts_by_outcome[f"away at {now():g}"] += 1

        await asyncio.gather(*(call_once() for _ in range(130)))
        return counts_by_outcome, await _alone(pace)

    counts_by_outcome, alone = lived(story())
    assert counts_by_outcome == {"went": 13, "away at 0": 117}
    assert alone <= 1


async def _alone(pace: RateLimiter) -> float:
    started_at = now()
    await pace.turn()
    return now() - started_at


def test_who_gives_up_now_takes_a_turn_that_is_free_and_waits_for_none() -> None:
    async def story() -> None:
        pace, called_at = RateLimiter(1, burst=1), list[float]()
        await call(pace, called_at, patience_seconds=0)
        with pytest.raises(TurnTooLate):
            await call(pace, called_at, patience_seconds=0)
        assert called_at == [0.0]

    lived(story())


def test_who_is_overtaken_for_too_long_is_told_to_come_later() -> None:
    async def story() -> float:
        pace = RateLimiter(1, burst=1)
        await pace.turn()
        overtaken = asyncio.ensure_future(call(pace, [], patience_seconds=5.5))
        await asyncio.sleep(0)
        urgent = [asyncio.ensure_future(call(pace, [], Urgency.URGENT)) for _ in range(10)]
        with pytest.raises(TurnTooLate):
            await overtaken
        given_up = now()
        await asyncio.gather(*urgent)
        return given_up

    assert lived(story()) == 5.5


def test_a_new_rate_is_felt_by_those_who_wait_and_none_at_all_lets_nobody_through() -> None:
    async def story() -> list[float]:
        pace = RateLimiter(0.001, burst=1)
        waiting = asyncio.ensure_future(call_together(pace, 3))
        await asyncio.sleep(1)
        pace.change(0)
        await asyncio.sleep(10)
        pace.change(2)
        return [round(called_at, 2) for called_at in await waiting]

    assert lived(story()) == [0.0, 11.5, 12.0]


def test_of_a_tenant_that_has_had_enough_one_answer_is_heard_and_all_calls_wait_as_long_as_it_says() -> None:
    """Before, each activity found out for itself: as many refusals as activities."""

    async def story() -> tuple[list[float], list[str], float]:
        asked_at: list[float] = []

        def tenant(_: httpx.Request) -> httpx.Response:
            asked_at.append(now())
            return httpx.Response(200) if now() >= 100 else httpx.Response(429, headers={"retry-after": "100"})

        client = make_client(transport=httpx.MockTransport(tenant))
        pace = RateLimiter(5)
        service = Service("Core Signature", "https://sign.test", client, pace=pace)
        causes: list[str] = []

        async def call_once() -> None:
            try:
                await service.call("GET", "/")
            except ServiceFailure as failure:
                causes.append(failure.cause)
                assert to_application_error(failure).details == (pytest.approx(100, abs=30),)

        await call_once()
        await asyncio.gather(*(call_once() for _ in range(50)))
        is_held, alone = pace.is_held, now()
        await asyncio.sleep(100)
        await asyncio.gather(*(call_once() for _ in range(4)))
        await service.aclose()
        assert is_held
        return asked_at, causes, alone

    asked_at, causes, paused_at = lived(story())
    assert paused_at == 0
    assert causes == [Cause.STATUS, *[Cause.LATER] * 50]
    assert asked_at == pytest.approx([0.0, 100.2, 100.4, 100.6, 100.8]), "no burst after a refusal"


def test_a_call_that_comes_later_is_no_trouble_of_the_provider() -> None:
    failure = ServiceFailure("Core Signature", Cause.LATER, "its turn would come in 40 s", retry_after=12)
    error = to_application_error(failure)
    assert str(failure) == "Core Signature was not called: its turn would come in 40 s"
    assert not error.non_retryable
    assert error.next_retry_delay is not None
    assert error.next_retry_delay.total_seconds() >= 12


def test_a_cancelled_call_gives_its_place_away() -> None:
    async def story() -> list[float]:
        pace = RateLimiter(1, burst=1)
        await pace.turn()
        cancelled_calls = [asyncio.ensure_future(call(pace, [])) for _ in range(50)]
        await asyncio.sleep(0)
        for cancelled_call in cancelled_calls:
            cancelled_call.cancel()
        return await call_together(pace, 2)

    assert lived(story()) == [1.0, 2.0]
