"""`countersign request show`: all that is known of one request."""

import sys

from starter import lookup, showing
from starter.commands.arguments import AsJson, RequestId
from starter.commands.printing import answer, patience
from starter.context import opened
from starter.startup import ready
from workflows.names import request_workflow_id


async def show(id: RequestId, /, *, all: bool = False, json: AsJson = False) -> None:
    """Say what a request waits for, until when, what happens next, and all that was done.

    Answers also when no worker runs (what is then known is marked `partial`) and when Temporal has forgotten the
    request (from its settled record).

    Parameters
    ----------
    id
        The request's id, or its whole workflow id.
    all
        Everything that happened, also what is older than the screen is high, and what only the store has.
    json
        Print everything as JSON.
    """
    async with opened(ready()) as context:
        async with patience("asking the request", quiet=json):
            shown = await lookup.show(context, id, whole=all)
        url = context.url(request_workflow_id(shown.id))
    answer(shown, showing.of_request(shown, whole=all or not sys.stdout.isatty()), as_json=json, link=url)
