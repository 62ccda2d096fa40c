"""`campaign report` and `campaign sample`, and how they are written."""

import asyncio
from collections.abc import Callable
from dataclasses import replace
from datetime import datetime
from json import dumps
from pathlib import Path
from typing import Annotated, Any, Final

from cyclopts import Parameter
from cyclopts.validators import Number
from rich.console import Group
from rich.text import Text

from activities.campaign.member_status import MemberOutcome
from activities.files.table import whole, write
from starter.boot import clients
from starter.boot.context import opened
from starter.boot.startup import ready
from starter.cli.arguments import AsJson, Id
from starter.cli.printing import note, patience, print_answer
from starter.errors import Refusal
from starter.queries import campaign_report as record
from starter.queries.campaign_report import CampaignReport, audit_sample
from starter.terminal.terminal import Instant, Rows


def write_table(path: Path, report: CampaignReport) -> None:
    """With a byte order mark for spreadsheets if needed."""
    rows = list(report.cells(report.lines))
    plain = all("".join(cells).isascii() for cells in rows)
    write(path, report.columns, rows, encoding="utf-8" if plain else "utf-8-sig")


def _write_json(path: Path, report: CampaignReport) -> None:
    with whole(path) as stream:
        # Encoded at once: the streaming encoder is four times slower.
        stream.write(dumps(report.plain, ensure_ascii=False) + "\n")


def _write_page(path: Path, report: CampaignReport) -> None:
    from starter.queries import campaign_page as page  # noqa: PLC0415  templates and a chart: tables do not wait for them

    with whole(path) as stream:
        stream.writelines(page.pieces(report))


FORMS: Final[dict[str, Callable[[Path, CampaignReport], None]]] = {
    ".csv": write_table,
    ".json": _write_json,
    ".html": _write_page,
}
"""Writers by file extension; each writes atomically, and raises `OSError`."""


def _ends_in(*ends: str) -> Callable[[Any, Path | None], None]:
    def check(_: object, file: Path | None) -> None:
        if file is not None and file.suffix.lower() not in ends:
            raise ValueError(f"{file} does not end in {' or '.join(ends)}: that says how it is written")

    return check


Output = Annotated[Path | None, Parameter(name=("--output", "-o"), validator=_ends_in(*FORMS))]
Table = Annotated[Path | None, Parameter(name=("--output", "-o"), validator=_ends_in(".csv"))]


Names = Annotated[bool, Parameter(negative="--no-names")]


async def report(id: Id, /, *, names: Names = True, output: Output = None, json: AsJson = False) -> None:
    """Print everybody of the campaign once, with how they stand, as CSV; of one that has ended the same for ever.

    Parameters
    ----------
    names
        Say who everybody is, by the columns `report_columns` of its file; what was erased says so.
    output
        Write it instead: FILE.csv, FILE.json, or FILE.html, one page with everything inside that prints on A4.
    json
        Print `{campaign{…}, counts{…}, population, changes[], lines[]}`; a line has the columns of the CSV and row,
        department, manager, due.
    """
    found = await _found(id, names=names, quiet=json)
    if output is not None:
        await _write(FORMS[output.suffix.lower()], output, found)
    if json:
        print_answer(found.plain, Text(), as_json=True)
    elif output is None:
        record.print_table(found)
    if not found.lines:
        note(f"nobody was asked yet: {found.shown.says}")


async def sample(
    id: Id,
    /,
    *,
    n: Annotated[int, Parameter(name=("--n", "-n"), validator=Number(gte=1))] = 25,
    seed: str = "",
    names: Names = True,
    output: Table = None,
    json: AsJson = False,
) -> None:
    """Draw some people of the campaign by chance; the same seed draws the same ones, wherever and whenever.

    They stand in the order of the SHA-256 of `<seed>/<row>/<person>`, of which the first are the sample.

    Parameters
    ----------
    n
        How many.
    seed
        Any word of whoever draws; default: the id of the campaign.
    names
        Say who they are, as in the report.
    output
        Write them as FILE.csv, with the columns of the report.
    json
        Print `{campaign{…}, seed, n, of, order, lines[]}`.
    """
    found = await _found(id, names=names, quiet=json)
    seed = seed or found.head.id
    chosen = audit_sample(found.lines, n, seed)
    if output is not None:
        await _write(write_table, output, replace(found, lines=chosen))
    told = {
        "campaign": found.head.model_dump(mode="json"),
        "seed": seed,
        "n": len(chosen),
        "of": len(found.lines),
        "order": "SHA-256 of <seed>/<row>/<person>",
        "lines": [found.plain_line(line) for line in chosen],
    }
    if output is None or json:
        print_answer(told, _of_sample(found, chosen, seed), as_json=json)


def _of_sample(found: record.CampaignReport, chosen: list[MemberOutcome], seed: str) -> Group:
    who = found.names.columns
    table = Rows("row", "person", *who, "status", "told", "acknowledged", "reason", whole=("person",))
    for line in chosen:
        told, acknowledged = (
            Instant(datetime.fromisoformat(at) if at else None) for at in (line.sent_at, line.signed_at)
        )
        table.add(
            str(line.row),
            line.person,
            *found.names.cells(line.person).values(),
            line.status,
            told,
            acknowledged,
            line.reason,
        )
    return Group(Text(f"{len(chosen):,} of {len(found.lines):,} people by the seed {seed}", "bold"), table)


async def _found(id: str, *, names: bool, quiet: bool) -> record.CampaignReport:
    settings = ready()
    async with opened(settings) as context, patience("reading everyone's status", quiet=quiet):
        directory = clients.directory(settings, context.store) if settings.people and names else None
        return await record.of(context, id, names=names, directory=directory)


async def _write(how: Callable[[Path, Any], None], path: Path, what: object) -> None:
    try:
        async with patience(f"writing {path}"):
            await asyncio.to_thread(how, path, what)
    except OSError as error:
        raise Refusal(f"{path} cannot be written: {error.strerror}") from error
    note(f"written: {path}")
