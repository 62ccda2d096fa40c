"""The report as one page: head, counts, the line over time, groups, changes, and everybody; it needs nothing beside it.

It may run one script, which sorts its tables, and reads well without; printed, it is A4.
"""

import base64
import hashlib
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup

from activities.campaigns.standing import by
from starter.campaigns import chart
from starter.campaigns.report import CampaignReport

_TEMPLATES: Final = Path(__file__).with_name("templates")
_PIECES: Final = 1_000
"""Pieces of the template that are put together before they are written."""


def pieces(report: CampaignReport) -> Iterator[str]:
    """The page, piece by piece, so that of many people it is never whole in memory."""
    style, script = ((_TEMPLATES / name).read_text() for name in ("report.css", "report.js"))
    environment = Environment(
        loader=FileSystemLoader(_TEMPLATES),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters |= {"minute": _minute, "words": _words}
    stream = environment.get_template("report.html").stream(
        report=report,
        head=report.head,
        standings=[name for name, count in report.counts if count],
        groups=[(what, groups) for what in ("department", "manager") if (groups := by(report.lines, what))],
        policy=f"default-src 'none'; style-src '{_digest(style)}'; script-src '{_digest(script)}'",
        # Ours as they are, and drawn by Vega of numbers and of words that are ours: they must not be escaped.
        chart=Markup(chart.campaign_chart(report.shown, report.lines, now=report.head.as_of)),  # noqa: S704
        style=Markup(style),  # noqa: S704
        script=Markup(script),  # noqa: S704
    )
    stream.enable_buffering(_PIECES)
    return iter(stream)


def _minute(instant: str) -> str:
    """An instant of the record, in UTC, as far as people read it."""
    return instant[:16].replace("T", " ")


def _words(name: str) -> str:
    return name.replace("_", " ")


def _digest(content: str) -> str:
    return f"sha256-{base64.b64encode(hashlib.sha256(content.encode()).digest()).decode()}"
