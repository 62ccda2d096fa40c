"""`countersign request …`: start and show; the other words are in listing.py, plan.py and operations.py."""

from cyclopts import App

from starter import requests, tables
from starter.commands import listing, operations, plan
from starter.commands.files import RequestFile
from starter.commands.operations import RequestId
from starter.commands.printing import AsJson, answer
from starter.context import opened
from starter.needs import Need
from starter.startup import ready
from workflows.names import request_workflow_id

app = App(name="request", help="One signature request: start it, look at it, change it, end it.")
listing.register(app)
operations.register(app)
plan.register(app)


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
