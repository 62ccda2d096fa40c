"""Races that are decided while nobody works: the worker is down, several things happen, and then it comes back."""

import asyncio
import random
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager, suppress
from datetime import datetime, timedelta

from temporalio.api.enums.v1 import EventType
from temporalio.testing import TimeSkipper

from starter.errors import Refusal
from tests.faults.population import PATIENT, colleague
from tests.faults.town import WORKER, Town, eventually, ids
from workflows.model.views import RequestShow
from workflows.names import PROVIDER_EVENT

_POLICY = {
    **PATIENT,
    "reminders": None,
    "warnings": [],
    "escalation": {"after": "2d", "or": None, "action": "notify", "to": ["manager"]},
}
_FIRED = EventType.EVENT_TYPE_TIMER_FIRED
RequestAction = Callable[[Town, str], Awaitable[None]]


async def waiting(town: Town, prefix: str, count: int) -> list[str]:
    """Requests whose signer has been told, and of which nothing but an escalation is planned."""
    names = list(ids(prefix, count))

    async def begin(number: int, name: str) -> None:
        await town.ask(name, colleague(number + 20), requester=colleague(number + 40), policy=_POLICY)
        await town.until_shown(name, lambda view: view.notifications, timeout_seconds=40)
        await town.until_idle(name, timeout_seconds=40)

    await asyncio.gather(*(begin(number, name) for number, name in enumerate(names)))
    return names


async def waits(town: Town, name: str, signer: str) -> None:
    """A request of the usual policy whose signer has been told."""
    await town.ask(name, signer)
    await town.until_shown(name, lambda view: view.notifications)
    await town.until_idle(name)


@asynccontextmanager
async def nobody_works(town: Town) -> AsyncIterator[None]:
    """The worker is away while the block runs."""
    await town.end(WORKER)
    try:
        yield
    finally:
        await town.start(WORKER)


async def in_order(town: Town, names: Sequence[str], *actions: RequestAction) -> None:
    """Do the actions one after the other to each request."""

    async def do_in_order(name: str) -> None:
        for action in actions:
            await action(town, name)

    await asyncio.gather(*map(do_in_order, names))


async def nearly_due(town: Town, names: Sequence[str], time_left: timedelta = timedelta(seconds=5)) -> None:
    """Move the clocks to shortly before the escalation."""

    async def move_clock(name: str) -> None:
        await town.forward(name, await _time_left(town, name) - time_left)

    await asyncio.gather(*map(move_clock, names))


async def falls_due(town: Town, name: str) -> None:
    """Wait until the escalation's timer has fired."""
    await eventually(lambda: has_fired(town, name), timeout_seconds=120)


async def has_fired(town: Town, name: str) -> bool:
    """Whether the timer of the escalation has fired."""
    return any([event.event_type == _FIRED async for event in town.handle(name).fetch_history_events()])


async def signer_signs(town: Town, name: str) -> None:
    """The signer signs; the callback's signal is in the history."""
    count_before = await _count(town, name, PROVIDER_EVENT)
    await town.sign(name)
    # Two events tell of it, that the signer has signed and that the document is signed, and may share a hint.
    await eventually(lambda: _at_least(town, name, count_before + 1), timeout_seconds=40)


async def is_cancelled(town: Town, name: str) -> None:
    """Somebody cancels the workflow from the Web UI."""
    await town.handle(name).cancel()


async def cancelled_during_escalation(town: Town, name: str, dice: random.Random) -> None:
    """The clock is moved to the escalation, and the request cancelled a random instant after it may have begun."""
    moving = asyncio.create_task(town.forward(name, await _time_left(town, name) + timedelta(minutes=1)))
    await falls_due(town, name)
    await asyncio.sleep(dice.uniform(0, 0.3))  # the random offset
    await town.handle(name).cancel()
    with suppress(Refusal):  # the request may end while its clock is being moved
        await moving


async def wait_for_ends(town: Town, names: Sequence[str]) -> list[RequestShow]:
    """What is shown of the requests once their workflows are closed."""

    async def wait_for_end(name: str) -> RequestShow:
        await asyncio.wait_for(town.handle(name).result(), 60)
        return await town.read_view(name)

    return list(await asyncio.gather(*map(wait_for_end, names)))


async def _time_left(town: Town, name: str) -> timedelta:
    """From the request's now to the next planned step."""
    following = (await town.until_shown(name, lambda view: view.next and view.next.at)).next
    now: datetime = await TimeSkipper(town.context.client).get_current_time(town.handle(name))
    assert following and following.at
    return following.at - now


async def _at_least(town: Town, name: str, count: int) -> bool:
    return await _count(town, name, PROVIDER_EVENT) >= count


async def _count(town: Town, name: str, signal: str) -> int:
    events = [event async for event in town.handle(name).fetch_history_events()]
    return sum(event.workflow_execution_signaled_event_attributes.signal_name == signal for event in events)
