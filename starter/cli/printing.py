"""The two ways a command answers: JSON for programs, tables for people. Both go to standard output.

What whoever waits sees meanwhile goes to standard error.
"""

import asyncio
import json
import sys
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager
from functools import partial
from typing import Final

from pydantic_core import to_jsonable_python
from rich.console import RenderableType
from rich.text import Text

from starter.terminal.terminal import Terminal

_PATIENCE: Final = 1.0
"""Seconds after which somebody at a terminal sees that something is still going on."""


@asynccontextmanager
async def patience(says: str, *, quiet: bool = False) -> AsyncIterator[None]:
    """Something that moves when the block takes longer than a second, for whoever waits at a terminal."""
    console = Terminal(stderr=True)
    if quiet or not console.is_terminal:
        yield
        return
    status = console.status(says)
    starting = asyncio.get_running_loop().call_later(_PATIENCE, status.start)
    try:
        yield
    finally:
        starting.cancel()
        status.stop()


@contextmanager
def progress(doing: str, *, quiet: bool, total: int | None = None) -> Iterator[Callable[..., None]]:
    """A bar for whoever waits at a terminal; it is moved by what rich's `Progress.update` takes."""
    from rich.progress import Progress  # noqa: PLC0415  hardly any word counts

    shown = not quiet and sys.stderr.isatty()
    with Progress(console=Terminal(file=sys.stderr), transient=True, disable=not shown) as bar:
        yield partial(bar.update, bar.add_task(doing, total=total))


def note(says: str) -> None:
    """Tell whoever is at the terminal something beside the answer, which programs read; it goes to standard error."""
    Terminal(file=sys.stderr, highlight=False, markup=False, emoji=False).print(Text(says), soft_wrap=True)


def print_answer(value: object, view: RenderableType, *, as_json: bool, link: str | None = None) -> None:
    """Print the answer (models or dataclasses, or a list of them) as it was asked for; instants are RFC 3339 in UTC.

    `link` follows on a line of its own, whole however narrow the terminal is, so that it can be clicked and copied.
    """
    if as_json:
        sys.stdout.write(json.dumps(to_jsonable_python(value, by_alias=True), ensure_ascii=False) + "\n")
        return
    # Reasons and questions are other people's words: a bracket in them is a bracket, a colon a colon.
    console = Terminal(highlight=False, markup=False, emoji=False)
    console.show(view)
    if link:
        console.print(Text(link), soft_wrap=True)
