"""Output of commands: JSON for programs, tables for people, on standard output; progress on standard error."""

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

from starter.cli.terminal import Terminal

_PATIENCE: Final = 1.0
"""Seconds before progress is shown."""


@asynccontextmanager
async def patience(message: str, *, quiet: bool = False) -> AsyncIterator[None]:
    """A spinner on a terminal when the block takes longer than a second."""
    console = Terminal(stderr=True)
    if quiet or not console.is_terminal:
        yield
        return
    status = console.status(message)
    starting = asyncio.get_running_loop().call_later(_PATIENCE, status.start)
    try:
        yield
    finally:
        starting.cancel()
        status.stop()


@contextmanager
def progress(doing: str, *, quiet: bool, total: int | None = None) -> Iterator[Callable[..., None]]:
    """A progress bar on a terminal; yields rich's `Progress.update`."""
    from rich.progress import Progress  # noqa: PLC0415  hardly any word counts

    is_shown = not quiet and sys.stderr.isatty()
    with Progress(console=Terminal(file=sys.stderr), transient=True, disable=not is_shown) as bar:
        yield partial(bar.update, bar.add_task(doing, total=total))


def note(message: str) -> None:
    """A remark beside the answer, on standard error."""
    Terminal(file=sys.stderr, highlight=False, markup=False, emoji=False).print(Text(message), soft_wrap=True)


def print_answer(value: object, view: RenderableType, *, as_json: bool, link: str | None = None) -> None:
    """Print models, dataclasses or a list of them; instants are RFC 3339 in UTC. `link` follows on an unbroken line of
    its own, to be clicked and copied.
    """
    if as_json:
        sys.stdout.write(json.dumps(to_jsonable_python(value, by_alias=True), ensure_ascii=False) + "\n")
        return
    # Texts of other people are not markup.
    console = Terminal(highlight=False, markup=False, emoji=False)
    console.show(view)
    if link:
        console.print(Text(link), soft_wrap=True)
