"""`countersign fast-forward`: the clock of one request on a dev server."""

from typing import Annotated

from cyclopts import Parameter
from rich.text import Text

from starter.commands.arguments import AsJson
from starter.commands.printing import answer
from starter.context import opened
from starter.fast_forward import Forwarded, forward, span
from starter.startup import ready
from workflows.signature.show import stamp


def _is_span(_: object, value: str) -> None:
    span(value)


async def fast_forward(
    id: str, duration: Annotated[str, Parameter(validator=_is_span)], /, *, json: AsJson = False
) -> None:
    """Move one request's clock, on a dev server only: a policy of weeks is rehearsed in seconds.

    Parameters
    ----------
    id
        The request's id, or its whole workflow id.
    duration
        How far, such as 4h, 3d or 2w.
    json
        Print `{id, now, reached}`.
    """
    async with opened(ready()) as context:
        forwarded = await forward(context.client, id, span(duration))
    answer(forwarded, _told(forwarded), as_json=json)


def _told(forwarded: Forwarded) -> Text:
    """Where the clock stands."""
    reached = "" if forwarded.reached else "; it ended on the way"
    return Text(f"{forwarded.id}: its clock is at {stamp(forwarded.now)}{reached}")
