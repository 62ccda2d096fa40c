"""`countersign fast-forward`: moves workflow clocks on a dev server."""

from typing import Annotated

from cyclopts import Parameter

from starter.boot.startup import ready
from starter.cli.arguments import AsJson
from starter.cli.printing import patience, print_answer
from starter.queries.fast_forward import Forwarded, forward, forward_to_next, span
from starter.temporal.connection import opened
from starter.terminal.terminal import Sentence
from workflows.follow_up.view import stamp


def _is_span(_: object, value: str | None) -> None:
    if value is not None:
        span(value)


async def fast_forward(
    id: str,
    duration: Annotated[str | None, Parameter(validator=_is_span)] = None,
    /,
    *,
    to_next: bool = False,
    json: AsJson = False,
) -> None:
    """Move the clock of a request, a task, or an onboarding with its parts: weeks are rehearsed in seconds.

    On a dev server only, such as that of `countersign dev`.

    Parameters
    ----------
    id
        A request's id, or a whole workflow id, such as task:ID or customer-onboarding:ID.
    duration
        How far, such as 4h, 3d or 2w.
    to_next
        Instead of a duration: to the next reminder, or whatever else happens next.
    json
        Print `{id, now, reached}`.
    """
    async with opened(ready()) as context, patience("moving the clock", quiet=json):
        move = forward_to_next(context.client, id) if to_next else forward(context.client, id, span(duration or ""))
        forwarded = await move
    print_answer(forwarded, _view(forwarded), as_json=json)


def _view(forwarded: Forwarded) -> Sentence:
    reached = "" if forwarded.reached else "; it ended on the way"
    return Sentence(f"{forwarded.id}: its clock is at {stamp(forwarded.now)}{reached}")
