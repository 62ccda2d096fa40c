"""Writes the report of a campaign as CSV, JSON or HTML."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Final

from activities.files import table
from activities.files.table import whole
from starter.queries.campaign_report import CampaignReport


def write_table(path: Path, report: CampaignReport) -> None:
    """With a byte order mark for spreadsheets if needed."""
    rows = list(report.cells(report.lines))
    plain = all("".join(cells).isascii() for cells in rows)
    table.write(path, report.columns, rows, encoding="utf-8" if plain else "utf-8-sig")


def _write_json(path: Path, report: CampaignReport) -> None:
    with whole(path) as stream:
        # Encoded at once: the streaming encoder is four times slower.
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
"""Writers by file extension; each writes atomically, and raises `OSError`."""
