"""`countersign request start`: one request, several, or one for each row of a table; `task start`: one task."""

import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, NamedTuple, Self

from cyclopts import Parameter
from rich.progress import Progress

from activities.files.table import Table
from activities.requests.input import Prepared
from activities.starting import path
from starter import many, requests, tables
from starter.commands.arguments import AsJson, RequestFile
from starter.commands.printing import answer, note
from starter.context import opened
from starter.exits import Exit
from starter.many import DryRun, Outcome
from starter.needs import Need
from starter.settings import Settings
from starter.startup import ready
from starter.terminal import Terminal

Again = Annotated[bool, Parameter(negative=())]


async def request(
    *files: RequestFile,
    template: Path | None = None,
    csv: Path | None = None,
    result: Path | None = None,
    dry_run: Annotated[bool, Parameter(negative=())] = False,
    again: Again = False,
    json: AsJson = False,
) -> Exit:
    """Start the requests of files, or recognise those that the same files started before.

    Nothing is sent unless everything is right: all that is wrong is said at once, with line numbers.

    Parameters
    ----------
    files
        Requests in YAML or JSON, several to a file divided by `---`; `-` reads standard input. A document is looked
        for beside its file, then below the working folder.
    template
        A request whose texts name columns of the table of `--csv`, such as `{email}`: each row starts one.
    csv
        The rows, as a spreadsheet exports them. A field that is one empty cell is left out.
    result
        Where the id, the link and the result of each row are written; default: beside the table, `.started.csv`.
    dry_run
        Check everything and say what would be started.
    again
        Take up requests whose workflow somebody terminated, with the document that they have at Core Signature.
    json
        Print `{id, workflow_id, run_id, created, url}`; of several a list, each with `says`.
    """
    settings = ready(Need.PEOPLE)
    rows = _Rows.read(csv, result) if csv else None
    read = many.read_table(settings, str(template), rows.table) if rows else many.read(settings, files)
    prepared = await read
    if dry_run:
        answer([DryRun.of(one) for one in prepared], tables.of_dry_run(prepared), as_json=json)
        return Exit.DONE
    if rows is None and len(prepared) == 1:
        return await _start_one(settings, prepared[0], again=again, json=json)
    return await _start_several(settings, prepared, rows, again=again, json=json)


async def task(file: RequestFile, /, *, again: Again = False, json: AsJson = False) -> Exit:
    """Start the task of a file, or recognise the one that the same file started before.

    Nobody is asked unless the whole file is right; all that is wrong is said at once, with line numbers.

    Parameters
    ----------
    file
        A task in YAML or JSON; `-` reads standard input.
    again
        Ask everybody anew if somebody terminated its workflow.
    json
        Print `{id, workflow_id, run_id, created, url}`.
    """
    settings = ready(Need.PEOPLE)
    return await _start_one(settings, await requests.read_task(settings, file), again=again, json=json)


class _Rows(NamedTuple):
    """A table, and where is written what became of each of its rows."""

    table: Table
    result: Path

    @classmethod
    def read(cls, csv: Path, result: Path | None) -> Self:
        return cls(Table.read(csv), result or csv.with_suffix(".started.csv"))

    def write(self, outcomes: Sequence[Outcome]) -> None:
        many.write_results(self.result, self.table, outcomes)
        note(f"each row, its id and its link: {self.result}")


async def _start_one(settings: Settings, prepared: path.Prepared, *, again: bool, json: bool) -> Exit:
    async with opened(settings) as context:
        started = await requests.start(context, prepared, again=again)
    answer(started, tables.of_start(started), as_json=json, link=started.url)
    return Exit.DONE


async def _start_several(
    settings: Settings, prepared: Sequence[Prepared], rows: _Rows | None, *, again: bool, json: bool
) -> Exit:
    outcomes = [Outcome(one) for one in prepared]
    try:
        await _start_all(settings, prepared, outcomes, again=again, quiet=json)
    finally:
        if rows is not None:
            rows.write(outcomes)
    answer([one.answer for one in outcomes], tables.of_many(outcomes), as_json=json)
    return Exit.DONE if all(one.started for one in outcomes) else Exit.REFUSED


async def _start_all(
    settings: Settings, prepared: Sequence[Prepared], outcomes: list[Outcome], *, again: bool, quiet: bool
) -> None:
    with Progress(console=Terminal(file=sys.stderr), transient=True, disable=quiet or not sys.stderr.isatty()) as bar:
        task = bar.add_task("starting", total=len(prepared))

        def done(number: int, outcome: Outcome) -> None:
            outcomes[number] = outcome
            bar.advance(task)

        async with opened(settings) as context:
            await many.start(context, prepared, again=again, done=done)
