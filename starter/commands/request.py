"""`countersign request …`: start, show, list; `plan` is in plan.py, what changes a living request in operations.py."""

import sys
from functools import partial

from cyclopts import App
from rich.progress import Progress
from rich.text import Text

from starter import requests, tables
from starter.commands import operations, plan
from starter.commands.files import RequestFile
from starter.commands.operations import RequestId
from starter.commands.printing import AsJson, answer, note
from starter.context import Context, opened
from starter.doctor import temporal
from starter.doctor.health import Health, looked
from starter.needs import Need
from starter.startup import ready
from starter.terminal import Terminal
from workflows.names import request_workflow_id

app = App(name="request", help="One signature request: start it, look at it, change it, end it.")
operations.register(app)
plan.register(app)

_MANY = 200


@app.command
async def start(file: RequestFile, /, *, again: bool = False, json: AsJson = False) -> None:
    """Start the request of a file, or recognise the one the same file started before.

    Nothing is sent unless the whole file is right; all that is wrong is said at once, with line numbers.

    Parameters
    ----------
    file
        A request in YAML or JSON; `-` reads standard input. The document is looked for beside the file.
    again
        Take up a request whose workflow somebody terminated, with the document that it has at Core Signature.
    json
        Print `{id, workflow_id, run_id, created, url}`.
    """
    settings = ready(Need.PEOPLE)
    prepared = await requests.read(settings, file)
    async with opened(settings) as context:
        started = await requests.start(context, prepared, again=again)
    answer(started, tables.of_start(started), as_json=json, link=started.url)


@app.command
async def show(id: RequestId, /, *, all: bool = False, json: AsJson = False) -> None:
    """Say what a request waits for, until when, what happens next, and all that was done.

    Answers also when no worker runs (what is then known is marked `partial`) and when Temporal has forgotten the
    request (from its settled record).

    Parameters
    ----------
    id
        The request's id, or its whole workflow id.
    all
        Also the notices and events of long ago, which only the store has.
    json
        Print everything as JSON.
    """
    async with opened(ready()) as context:
        shown = await requests.show(context, id, whole=all)
        url = context.url(request_workflow_id(shown.id))
    answer(shown, tables.of_request(shown), as_json=json, link=url)


@app.command(name="list")
async def list_(*, attention: bool = False, json: AsJson = False) -> None:
    """List the requests that Temporal knows, newest first.

    Parameters
    ----------
    attention
        Only those that need a person: with a problem, with an open question or another thing that somebody must see
        to, stuck, or broken off by somebody who ended the workflow itself. Says so as well when no worker is at work.
    json
        Print `[{id, kind, status, problem, attention, due_at, trouble}]`.
    """
    async with opened(ready()) as context:
        lines = await _gathered(context, attention=attention, quiet=json)
        worker = await looked("worker", partial(temporal.worker, context.client)) if attention else None
    empty = "Nothing needs attention" if attention else "No requests"
    answer(lines, tables.of_list(lines) if lines else Text(empty), as_json=json)
    if worker and worker.state is Health.WRONG:
        note(f"worker: {worker.says}")


async def _gathered(context: Context, *, attention: bool, quiet: bool) -> list[requests.RequestLine]:
    with Progress(console=Terminal(file=sys.stderr), transient=True, disable=quiet or not sys.stderr.isatty()) as bar:
        total = await requests.count(context, attention=attention)
        task = bar.add_task("reading the list", total=total, visible=total > _MANY)
        lines = []
        async for line in requests.listed(context, attention=attention):
            lines.append(line)
            bar.advance(task)
    return lines
