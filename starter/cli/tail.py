"""`countersign tail` and `countersign open`, for engineers beside it."""

import asyncio
import os
import sys
import webbrowser
from datetime import UTC, datetime

from rich.text import Text

from starter.boot import clients
from starter.boot.startup import ready
from starter.cli.arguments import AsJson, Id
from starter.cli.listing import EVERYTHING, ListFilters
from starter.cli.printing import note, print_answer
from starter.cli.terminal import PrintedInstant, Terminal, plain
from starter.cli.watching import AWAY, print_line, rounds
from starter.config.settings import Need
from starter.errors import Refusal
from starter.queries import lookup
from starter.queries.tail import Tail, TailLine
from starter.temporal.connection import opened
from workflows.model.base import Model


async def tail(
    *,
    filters: ListFilters = EVERYTHING,
    json: AsJson = False,
) -> None:
    """Print what happens to requests, tasks, onboardings and campaigns, as it happens, until Ctrl-C.

    The filters choose what is followed: at most 1,000 that run, the most urgent ones.

    Parameters
    ----------
    json
        Print `{at, type, id, kind, status, happened, what, about, who, why, actor}`, one line each.
    """
    async with opened(ready()) as context:
        following, console = Tail(context, filters.to_filter()), Terminal(highlight=False, markup=False, emoji=False)
        is_following = False
        async for _ in rounds():
            try:
                happened = await following.news()
            except AWAY as failure:
                if not is_following:
                    raise
                note(f"not to be read at {datetime.now(UTC):%H:%M:%S} UTC, trying again: {type(failure).__name__}")
                continue
            if not is_following:
                note("following what happens; Ctrl-C ends it")
            is_following = True
            for event in happened:
                print_line(event) if json else _tell(console, event)
            sys.stdout.flush()


class OpenedPage(Model):
    """The answer of `open`; `opened` is false where there is no browser."""

    id: str
    url: str
    opened: bool


async def open_page(id: Id, /, *, web_ui: bool = False, json: AsJson = False) -> None:
    """Open the desk's page of a request, task, onboarding or campaign in the browser; the address is printed as well.

    Parameters
    ----------
    web_ui
        Its workflow in Temporal's Web UI instead.
    json
        Print `{id, url, opened}`.
    """
    settings = ready(Need.LINKS)
    async with opened(settings) as context:
        name = await lookup.find_workflow_of_any_kind(context, id)
        page = await lookup.web_ui_page(context, name) if web_ui else clients.links(settings).desk(name.reference)
    if page is None:
        raise Refusal(f"{name.id}: the address of the Web UI is not known, or Temporal has forgotten its workflow")
    answer = OpenedPage(id=name.id, url=page, opened=await asyncio.to_thread(_in_browser, page))
    print_answer(answer, Text("opened in the browser" if answer.opened else "no browser here"), as_json=json, link=page)


def _tell(console: Terminal, event: TailLine) -> None:
    sentence = " ".join(
        filter(None, (event.what, event.who, event.why and f"({event.why})", event.actor and f"by {event.actor}"))
    )
    local_time = console.local(event.at) if console.is_terminal else plain(PrintedInstant(event.at))
    console.print(Text(f"{local_time}  {event.type} {event.id}  {sentence}"), soft_wrap=True)


def _in_browser(page: str) -> bool:
    """Whether there is one with a screen: a browser of the terminal would take it over."""
    screen = sys.platform in ("darwin", "win32") or any(map(os.environ.get, ("DISPLAY", "WAYLAND_DISPLAY", "BROWSER")))
    return screen and webbrowser.open(page)
