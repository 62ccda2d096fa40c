"""`countersign request …`: start, show, list, cancel."""

import sys
from typing import Annotated

from cyclopts import App, Parameter
from rich.console import Console
from rich.progress import Progress

from starter import requests, tables
from starter.commands.printing import AsJson, answer
from starter.commands.session import ready
from starter.desk import Desk, opened
from starter.needs import Need
from workflows.names import request_workflow_id

app = App(name="request", help="One signature request: start it, look at it, end it.")

RequestId = Annotated[str, Parameter(help="The request's id, or its whole workflow id.")]
_MANY = 200


def _known_option(_: object, value: str) -> None:
    if value.startswith("-") and value != "-":
        raise ValueError(f"there is no option {value}")


RequestFile = Annotated[str, Parameter(allow_leading_hyphen=True, validator=_known_option)]


@app.command
async def start(file: RequestFile, /, *, json: AsJson = False) -> None:
    """Start the request of a file, or recognise the one the same file started before.

    Nothing is sent unless the whole file is right; all that is wrong is said at once, with line numbers.

    Parameters
    ----------
    file
        A request in YAML or JSON; `-` reads standard input. The document is looked for beside the file.
    json
        Print `{id, workflow_id, run_id, created, url}`.
    """
    settings = ready(Need.PEOPLE)
    prepared = await requests.read(settings, file)
    async with opened(settings) as desk:
        started = await requests.start(desk, prepared)
    answer(started, tables.of_start(started), as_json=json, link=started.url)


@app.command
async def show(id: RequestId, /, *, json: AsJson = False) -> None:
    """Say what a request waits for, until when, what happens next, and all that was done.

    Answers also when no worker runs (what is then known is marked `partial`) and when Temporal has forgotten the
    request (from its settled record).

    Parameters
    ----------
    id
        The request's id, or its whole workflow id.
    json
        Print everything as JSON.
    """
    async with opened(ready()) as desk:
        shown = await requests.show(desk, id)
        url = desk.url(request_workflow_id(shown.id))
    answer(shown, tables.of_request(shown), as_json=json, link=url)


@app.command(name="list")
async def list_(*, attention: bool = False, json: AsJson = False) -> None:
    """List the requests that Temporal knows, newest first.

    Parameters
    ----------
    attention
        Only those with a problem that needs a person.
    json
        Print `[{id, kind, status, problem, due_at}]`.
    """
    async with opened(ready()) as desk:
        lines = await _gathered(desk, attention=attention, quiet=json)
    answer(lines, tables.of_list(lines), as_json=json)


@app.command
async def cancel(
    id: RequestId,
    /,
    *,
    reason: str,
    as_: Annotated[str | None, Parameter(name="--as")] = None,
    op: str | None = None,
    json: AsJson = False,
) -> None:
    """End a request: it is cancelled at Core Signature and everyone concerned is told. What is signed stays signed.

    Parameters
    ----------
    id
        The request's id, or its whole workflow id.
    reason
        Why; it stands in the timeline and in the notices.
    as_
        The person of the directory who wants it; default: COUNTERSIGN_ACTOR, else user@host.
    op
        Names this one change: repeated with the same name it is made once.
    json
        Print `{id, status, op, says}`.
    """
    settings = ready()
    async with opened(settings) as desk:
        cancelled = await requests.cancel(desk, id, reason=reason, actor=as_ or settings.acting, op=op)
    answer(cancelled, cancelled.says, as_json=json)


async def _gathered(desk: Desk, *, attention: bool, quiet: bool) -> list[requests.RequestLine]:
    with Progress(console=Console(file=sys.stderr), transient=True, disable=quiet or not sys.stderr.isatty()) as bar:
        total = await requests.count(desk, attention=attention)
        task = bar.add_task("reading the list", total=total, visible=total > _MANY)
        lines = []
        async for line in requests.listed(desk, attention=attention):
            lines.append(line)
            bar.advance(task)
    return lines
