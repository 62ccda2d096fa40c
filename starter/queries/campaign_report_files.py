"""The report of a campaign as a file: CSV, JSON or one page of HTML."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Final

from activities.files import table
from activities.files.table import whole
from starter.queries.campaign_report import CampaignReport


def write_table(path: Path, report: CampaignReport) -> None:
    """The table as a file; by its mark a spreadsheet knows UTF-8, and without need of it there is none for programs."""
    rows = list(report.cells(report.lines))
    plain = all("".join(cells).isascii() for cells in rows)
    table.write(path, report.columns, rows, encoding="utf-8" if plain else "utf-8-sig")


def _write_json(path: Path, report: CampaignReport) -> None:
    with whole(path) as stream:
        # Whole at once: what writes to a stream does not know the fast way, and takes four times as long.
        stream.write(json.dumps(report.plain, ensure_ascii=False) + "\n")


def _write_page(path: Path, report: CampaignReport) -> None:
    from starter.queries import campaign_page as page  # noqa: PLC0415  templates and a chart: tables do not wait for them

    with whole(path) as stream:
        stream.writelines(page.pieces(report))


FORMS: Final[dict[str, Callable[[Path, CampaignReport], None]]] = {
    ".csv": write_table,
    ".json": _write_json,
    ".html": _write_page,
}
"""How a report is written, by the end of the file's name; each file is there whole, or not. They raise `OSError`."""
