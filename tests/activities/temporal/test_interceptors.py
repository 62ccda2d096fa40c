"""Heartbeats of an activity that forgets them."""

import asyncio
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from temporalio.testing import ActivityEnvironment
from temporalio.worker import ActivityInboundInterceptor, ActivityOutboundInterceptor, ExecuteActivityInput

from activities.temporal.interceptors import HeartbeatInterceptor


class Working(ActivityInboundInterceptor):
    """An activity that works until three heartbeats went out, or that fails."""

    def __init__(self, beats: asyncio.Queue[tuple[Any, ...]], *, fail: bool = False) -> None:
        self._beats = beats
        self._fail = fail
        self.outbound: ActivityOutboundInterceptor | None = None

    def init(self, outbound: ActivityOutboundInterceptor) -> None:
        """What the SDK's own heartbeat goes through."""
        self.outbound = outbound

    async def execute_activity(self, input: ExecuteActivityInput) -> Any:
        """Work."""
        if self._fail:
            raise ValueError("broken")
        for _ in range(3):
            await self._beats.get()
        return "done"


INPUT = ExecuteActivityInput(fn=lambda: None, args=[], executor=None, headers={})


def beating(timeout: timedelta | None) -> tuple[ActivityEnvironment, asyncio.Queue[tuple[Any, ...]]]:
    """An activity's surroundings, and the heartbeats that leave it."""
    beats: asyncio.Queue[tuple[Any, ...]] = asyncio.Queue()
    environment = ActivityEnvironment()
    environment.info = replace(environment.info, heartbeat_timeout=timeout)
    environment.on_heartbeat = lambda *details: beats.put_nowait(details)
    return environment, beats


async def test_a_working_activity_beats_by_itself() -> None:
    environment, beats = beating(timedelta(seconds=0.03))
    wrapped = HeartbeatInterceptor().intercept_activity(Working(beats))
    assert await environment.run(wrapped.execute_activity, INPUT) == "done"


class SentHeartbeats(ActivityOutboundInterceptor):
    """Where heartbeats go."""

    def __init__(self) -> None:
        """Nothing is behind it."""

    def heartbeat(self, *details: Any) -> None:
        """Gone."""


async def test_what_an_activity_told_of_its_place_is_told_with_each_beat() -> None:
    environment, beats = beating(timedelta(seconds=0.03))
    working = Working(beats)
    wrapped = HeartbeatInterceptor().intercept_activity(working)
    wrapped.init(SentHeartbeats())
    assert working.outbound is not None
    working.outbound.heartbeat(7, "place")
    heard: list[tuple[Any, ...]] = []

    def hears(*details: Any) -> None:
        heard.append(details)
        beats.put_nowait(details)

    environment.on_heartbeat = hears
    assert await environment.run(wrapped.execute_activity, INPUT) == "done"
    assert heard[:3] == [(7, "place")] * 3


@pytest.mark.parametrize("fail", [False, True])
async def test_beats_end_with_the_activity(fail: bool) -> None:
    environment, beats = beating(timedelta(seconds=0.003))
    wrapped = HeartbeatInterceptor().intercept_activity(Working(beats, fail=fail))
    tasks_before = asyncio.all_tasks()
    if fail:
        with pytest.raises(ValueError, match="broken"):
            await environment.run(wrapped.execute_activity, INPUT)
    else:
        await environment.run(wrapped.execute_activity, INPUT)
    remaining_tasks = asyncio.all_tasks() - tasks_before
    await asyncio.gather(*remaining_tasks, return_exceptions=True)
    assert all(task.cancelled() for task in remaining_tasks)


async def test_without_a_timeout_nothing_beats() -> None:
    environment, beats = beating(None)
    wrapped = HeartbeatInterceptor().intercept_activity(Working(beats, fail=True))
    with pytest.raises(ValueError, match="broken"):
        await environment.run(wrapped.execute_activity, INPUT)
    assert beats.empty()
