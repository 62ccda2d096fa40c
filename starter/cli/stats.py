"""`countersign stats`: figures of what has ended, and of what still waits."""

import asyncio
from collections.abc import Callable, Coroutine
from pathlib import Path
from typing import Any, TypeVar

from rich.console import Group
from rich.text import Text

from starter.boot.context import Context, opened
from starter.boot.startup import ready
from starter.cli import stats_pictures as drawing
from starter.cli.arguments import AsJson, Picture
from starter.cli.printing import note, print_answer, progress
from starter.errors import Refusal
from starter.queries import stats as push_stats
from starter.queries.stats import OnboardingStats, gather_onboarding_stats
from starter.queries.stats import stats as figures
from starter.terminal.terminal import Rows

Found = TypeVar("Found")


async def stats(
    *,
    onboarding: bool = False,
    push: bool = False,
    picture: Picture = None,
    json: AsJson = False,
) -> None:
    """Say how long things take, and where the time is lost, from the records of what has ended.

    Parameters
    ----------
    onboarding
        Of onboardings: the median time of each stage, and whom it waited for: the customer, our teams, us.
    push
        Of pushes, by kind: how many were opened, and the median time until then and until it was signed or done; also
        of what still waits.
    picture
        Draw it, too: an SVG file, light or dark as its reader likes it.
    json
        Print `{onboardings, stages[{name, onboardings, median_seconds, lost[{who, seconds, share}]}]}`, of pushes
        `{ended, waiting, kinds[{kind, pushed, opened, acted, other_way, to_open_seconds, opened_to_acted_seconds,
        to_acted_seconds}], more_kinds}`.
    """
    if push:
        pushed = await _read(lambda it, told: push_stats.gather_push_stats(it.client, it.store, told), json=json)
        print_answer(pushed, _pushes(pushed), as_json=json)
        await _draw(picture, lambda: _push_picture(pushed))
        return
    if onboarding:
        ended = await _read(lambda it, told: gather_onboarding_stats(it.client, it.store, told), json=json)
        found = figures(ended)
        print_answer(found, _table(found), as_json=json)
        await _draw(picture, lambda: drawing.stages_picture(found))


async def _read(gather: Callable[[Context, Callable[[int], None]], Coroutine[Any, Any, Found]], *, json: bool) -> Found:
    async with opened(ready()) as context:
        with progress("reading records", quiet=json) as bar:
            return await gather(context, lambda read: bar(advance=read))


async def _draw(picture: Path | None, draw: Callable[[], bytes]) -> None:
    if picture is None:
        return
    drawn = await asyncio.to_thread(draw)
    try:
        await asyncio.to_thread(picture.write_bytes, drawn)
    except OSError as error:
        raise Refusal(f"{picture} cannot be written: {error.strerror}") from error
    note(f"picture: {picture}")


def _push_picture(found: push_stats.PushStats) -> bytes:
    from starter.cli.stats_pictures import push_picture  # noqa: PLC0415  heavy: whoever draws nothing does not wait for it

    return push_picture(found)


def _pushes(found: push_stats.PushStats) -> Group:
    if not found.kinds:
        return Group(Text("No push was taken by a phone yet"))
    table = Rows("kind", "pushed", "opened", "signed or done", "by mail, too", "until opened", "until done", "in all")
    for one in found.kinds:
        counts = [f"{count:,}" for count in (one.pushed, one.opened, one.acted, one.other_way)]
        times = (one.to_open_seconds, one.opened_to_acted_seconds, one.to_acted_seconds)
        table.add(one.kind, *counts, *("" if time is None else drawing.long(time) for time in times))
    more = (Text(f"and {found.more_kinds:,} more kinds", "dim"),) if found.more_kinds else ()
    return Group(Text(f"{found.ended:,} ended, {found.waiting:,} waiting; times are medians", "bold"), table, *more)


def _table(found: OnboardingStats) -> Group:
    if not found.stages:
        return Group(Text("No onboarding has passed a stage yet"))
    table = Rows("stage", "onboardings", "median", "waited for")
    for one in found.stages:
        table.add(one.name, f"{one.onboardings:,}", drawing.long(one.median_seconds), drawing.lost_words(one))
    ended = "1 onboarding has" if found.onboardings == 1 else f"{found.onboardings:,} onboardings have"
    return Group(Text(f"{ended} ended", "bold"), table)
