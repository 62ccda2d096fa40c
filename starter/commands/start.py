"""`countersign request start`: the request of a file, sent once."""

from starter import requests, tables
from starter.commands.arguments import AsJson, RequestFile
from starter.commands.printing import answer
from starter.context import opened
from starter.needs import Need
from starter.startup import ready


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
