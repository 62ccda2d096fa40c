"""Asking the world with patience: a failed call becomes the workflow's problem, probed until somebody has mended it."""

from abc import ABC, abstractmethod
from collections.abc import Awaitable, Callable
from datetime import datetime
from enum import Enum, auto
from itertools import count
from typing import Any, TypeVar

from temporalio import workflow
from temporalio.exceptions import FailureError, is_cancelled_exception

from workflows.options import ActivityOptions, probe_pause
from workflows.trouble import Trouble, trouble_of

Input = TypeVar("Input")
Result = TypeVar("Result")
Condition = Callable[[], bool]
Watch = Callable[[], Condition]
"""Begins to watch for something and gives the condition that tells whether it has happened since."""


class Wake(Enum):
    """Why a wait ended; the story decides from its state, this only says whether the deadline passed."""

    DEADLINE = auto()
    NEWS = auto()


def nothing() -> Condition:
    """For calls and waits that nothing interrupts."""
    return lambda: False


class PatientWorkflow(ABC):
    """A workflow that waits for people and services for weeks; its state tells what is wrong while it does."""

    @abstractmethod
    def state(self) -> object:
        """The workflow's one frozen value: handlers replace it, and that it was replaced is the news."""

    def news(self) -> Condition:
        """Watch for anything that a handler records."""
        before = self.state()
        return lambda: self.state() is not before

    @abstractmethod
    def publish(self) -> None:
        """Show the present state to people, before each wait."""

    @abstractmethod
    def troubled(self, trouble: Trouble, probe_at: datetime) -> None:
        """A call failed and will be repeated at `probe_at`."""

    @abstractmethod
    def mended(self) -> None:
        """A call was answered."""

    @abstractmethod
    def let_go(self) -> None:
        """A call was given up: its trouble goes with it, and whoever calls next finds out anew."""

    @abstractmethod
    def renew(self) -> None:
        """Continue as new if the server suggests it."""

    @abstractmethod
    def failed(self, trouble: Trouble) -> None:
        """A call failed and no repetition will help."""

    async def call(
        self,
        method: Callable[[Any, Input], Awaitable[Result]],
        input: Input,
        how: ActivityOptions,
        summary: str,
        unless: Watch = nothing,
    ) -> Result | None:
        """Ask until there is an answer; None when `unless` came true first, or when it `failed` for good.

        Probes follow at 30 s, doubling to 15 min, or when the service asked us to come back, whichever is later.
        """
        for probes in count():
            unwanted = unless()
            try:
                answer = await self._answer(method, input, how, summary, unwanted)
            except FailureError as failure:
                if is_cancelled_exception(failure) or unwanted():
                    self.let_go()
                    return None
                trouble = trouble_of(failure)
            else:
                self.mended()
                return answer
            if trouble.code.terminal:
                self.failed(trouble)
                return None
            probe_at = workflow.now() + max(probe_pause(probes), trouble.retry_after)
            self.troubled(trouble, probe_at)
            self.renew()
            if await self.until(probe_at, f"{trouble.code}: try again", unless) is Wake.NEWS:
                self.let_go()
                return None
        raise AssertionError("unreachable: the count never ends")

    async def until(self, deadline: datetime | None, summary: str, unless: Watch | None = None) -> Wake:
        """Wait for the deadline (None: for ever) or for `unless` (by default any news), whichever is first."""
        self.publish()
        timeout = deadline - workflow.now() if deadline else None
        if timeout is not None and timeout.total_seconds() <= 0:
            return Wake.DEADLINE
        try:
            await workflow.wait_condition((unless or self.news)(), timeout=timeout, timeout_summary=summary)
        except TimeoutError:
            return Wake.DEADLINE
        return Wake.NEWS

    async def _answer(
        self,
        method: Callable[[Any, Input], Awaitable[Result]],
        input: Input,
        how: ActivityOptions,
        summary: str,
        unless: Condition,
    ) -> Result:
        handle = workflow.start_activity_method(method, input, summary=summary, **how)
        await workflow.wait_condition(lambda: handle.done() or unless())
        if not handle.done():
            handle.cancel()
        return await handle
