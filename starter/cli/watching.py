"""`--watch`: read again and again at a bounded rate, until Ctrl-C."""

import asyncio
import json
import signal
import sys
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from typing import Any, Final, TypeVar

from pydantic_core import to_jsonable_python
from rich.console import Group, RenderableType
from rich.live import Live
from rich.text import Text
from temporalio.service import RPCError

from activities.errors import StoreFailure
from starter.cli.printing import note
from starter.cli.terminal import Terminal

EVERY_AT_LEAST: Final = 2.0
"""Seconds between two reads."""
EVERY_AT_MOST: Final = 30.0
_SHARE: Final = 4
"""The pause is as many times longer than the read before it, so that watching takes little of the server."""
AWAY: Final = (RPCError, StoreFailure, TimeoutError)
"""What passes: the next read may succeed."""
Seen = TypeVar("Seen")
_View = Callable[[Any], RenderableType]


async def rounds() -> AsyncIterator[None]:
    """When to read, until Ctrl-C or SIGTERM."""
    loop, stop = asyncio.get_running_loop(), asyncio.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, stop.set)
    while not stop.is_set():
        read_began = loop.time()
        yield
        with suppress(TimeoutError):
            async with asyncio.timeout(pause_after(loop.time() - read_began)):
                await stop.wait()


def pause_after(seconds: float) -> float:
    """How long to wait after a read that took so long."""
    return min(max(EVERY_AT_LEAST, _SHARE * seconds), EVERY_AT_MOST)


async def watch(
    read: Callable[[], Awaitable[Seen]],
    view: Callable[[Seen], RenderableType],
    *,
    as_json: bool,
    is_over: Callable[[Seen], bool] = lambda _: False,
) -> None:
    """Read and redraw until `is_over`. Programs get a line of JSON, or what people would read, whenever it differs
    from the line before. What fails but once is tried again; the first read raises.
    """
    last: Seen | None = None
    with _screen(as_json=as_json) as show:
        async for _ in rounds():
            try:
                reading = await read()
            except AWAY as failure:
                if last is None:
                    raise
                note(f"not to be read at {datetime.now(UTC):%H:%M:%S} UTC, trying again: {type(failure).__name__}")
                continue
            show(reading, view, reading != last)
            if is_over(reading):
                return
            last = reading


def print_line(value: object) -> None:
    """A model as one line of JSON."""
    sys.stdout.write(json.dumps(to_jsonable_python(value, by_alias=True), ensure_ascii=False) + "\n")


@contextmanager
def _screen(*, as_json: bool) -> Iterator[Callable[[Any, _View, bool], None]]:
    """Shows what was read, by its view; and whether it has changed."""
    console = Terminal(highlight=False, markup=False, emoji=False)
    if as_json or not console.is_terminal:

        def tell(reading: Any, view: _View, changed: bool) -> None:
            if changed:
                print_line(reading) if as_json else console.show(view(reading))
                sys.stdout.flush()

        yield tell
        return
    with Live(console=console, auto_refresh=False, vertical_overflow="ellipsis") as live:

        def redraw(reading: Any, view: _View, _: bool) -> None:
            console.now = datetime.now(UTC)
            read_at = f"read at {console.now.astimezone():%H:%M:%S}, again in some seconds; Ctrl-C ends it"
            live.update(Group(view(reading), Text(""), Text(read_at, "dim")), refresh=True)

        yield redraw
