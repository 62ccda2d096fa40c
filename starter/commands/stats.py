"""`countersign stats`: figures of what has ended."""

import asyncio
import sys
from typing import Annotated

from cyclopts import Parameter
from rich.console import Group
from rich.progress import Progress
from rich.text import Text

from starter.commands.arguments import AsJson, Picture
from starter.commands.printing import answer, note
from starter.context import opened
from starter.exits import Refusal
from starter.onboarding import picture as drawing
from starter.onboarding.stats import OnboardingStats, gathered
from starter.onboarding.stats import stats as figures
from starter.startup import ready
from starter.terminal import Rows, Terminal


async def stats(
    *,
    onboarding: Annotated[bool, Parameter(negative=())] = False,
    picture: Picture = None,
    json: AsJson = False,
) -> None:
    """Say how long things take, and where the time is lost, from the records of what has ended.

    Parameters
    ----------
    onboarding
        Of onboardings: the median time of each stage, and whom it waited for: the customer, our teams, us.
    picture
        Draw it, too: an SVG file, light or dark as its reader likes it.
    json
        Print `{onboardings, stages[{name, onboardings, median_seconds, lost[{who, seconds, share}]}]}`.
    """
    quiet = json or not sys.stderr.isatty()
    async with opened(ready()) as context:
        with Progress(console=Terminal(file=sys.stderr), transient=True, disable=quiet) as bar:
            task = bar.add_task("reading records", total=None)
            ended = await gathered(context.client, context.store, lambda read: bar.advance(task, read))
    found = figures(ended)
    answer(found, _table(found), as_json=json)
    if picture is not None:
        try:
            await asyncio.to_thread(picture.write_bytes, drawing.picture_of(found))
        except OSError as error:
            raise Refusal(f"{picture} cannot be written: {error.strerror}") from error
        note(f"picture: {picture}")


def _table(found: OnboardingStats) -> Group:
    if not found.stages:
        return Group(Text("No onboarding has passed a stage yet"))
    table = Rows("stage", "onboardings", "median", "waited for")
    for one in found.stages:
        table.add(one.name, f"{one.onboardings:,}", drawing.long(one.median_seconds), drawing.lost_words(one))
    ended = "1 onboarding has" if found.onboardings == 1 else f"{found.onboardings:,} onboardings have"
    return Group(Text(f"{ended} ended", "bold"), table)
