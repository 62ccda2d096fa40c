"""What `campaign show` adds to what the campaign says: where it leads, and whose people have not acknowledged.

An ordinary campaign takes one screen, so of departments and managers there are the worst; programs read all of them.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from rich.console import Console, ConsoleOptions, RenderResult
from rich.table import Table

from activities.campaigns.standing import MemberOutcome, OutcomeGroup, by, worst_first
from starter.campaigns.curve import Curve, Forecast
from starter.rows import Rows
from workflows.campaign.show import bar
from workflows.follow_up.show import stamp
from workflows.model.views import CampaignShow

_WORST: Final = 3
"""Departments, and managers, that people are shown unless they want them all."""
_BESIDE: Final = 76
"""Columns of a terminal in which two tables stand side by side."""


class CampaignOverview(CampaignShow):
    """The answer of `campaign show`."""

    departments: tuple[OutcomeGroup, ...] = ()
    """Most open people first; none where nobody has one."""
    managers: tuple[OutcomeGroup, ...] = ()
    forecast: Forecast | None = None


def overview(shown: CampaignShow, lines: Sequence[MemberOutcome]) -> CampaignOverview:
    """What there is to see of a campaign with these lines."""
    return CampaignOverview(
        **dict(shown),
        departments=worst_first(by(lines, "department")),
        managers=worst_first(by(lines, "manager")),
        forecast=_forecast(shown, lines),
    )


def _forecast(shown: CampaignShow, lines: Sequence[MemberOutcome]) -> Forecast | None:
    if shown.status.ended or shown.closes_at is None or shown.counted_at is None:
        return None
    return Curve.of(lines, shown.opens_at, shown.closes_at).forecast(shown.counted_at)


def facts(shown: CampaignShow) -> Iterator[tuple[str, str]]:
    """What it is, its window, how far it has come, and where that leads; each with its name."""
    yield "campaign", f"{shown.id}  {shown.kind}"
    since = f"in force from {shown.effective}" if shown.effective else ""
    by_whom = f"approved by {shown.approver}" if shown.approver else ""
    yield "document", ", ".join(filter(None, (f"{shown.title} {shown.version}".strip(), since, by_whom)))
    late = f"late until {shown.last_day}" if shown.last_day > shown.due else ""
    said = (f"opens {stamp(shown.opens_at)}", f"last day {shown.due}", late)
    yield "window", ", ".join(filter(None, said))
    counts = shown.counts
    if counts.total:
        share = f"{100 * counts.done // counts.wanted} %, " if counts.wanted else ""
        yield "progress", f"{bar(counts)} {share}{counts.done:,} of {counts.wanted:,}"
        yield "stands", ", ".join(f"{count:,} {name.replace('_', ' ')}" for name, count in counts if count)
    if isinstance(shown, CampaignOverview) and shown.forecast:
        yield "forecast", _in_words(shown.forecast)


def _in_words(forecast: Forecast) -> str:
    if forecast.everybody_by:
        return f"at this pace everybody by {_day(forecast.everybody_by)}"
    return f"at this pace about {forecast.missing:,} will not have acknowledged at the close"


def _day(at: datetime) -> str:
    return f"{at:%a %d %b %Y}"


def groups(shown: CampaignShow, *, whole: bool) -> Iterator["Beside"]:
    """Whose people have not acknowledged, by department and by manager; nothing where nobody is."""
    if isinstance(shown, CampaignOverview):
        named = (("department", shown.departments), ("manager", shown.managers))
        if tables := [_table(what, found, whole=whole) for what, found in named if any(one.missing for one in found)]:
            yield Beside(tables)


def _table(what: str, found: Sequence[OutcomeGroup], *, whole: bool) -> Rows:
    table = Rows(what, "open", "of", clipped=what)
    missing = [group for group in found if group.missing]
    shown = missing if whole else missing[:_WORST]
    for group in shown:
        table.add(group.name or "–", f"{group.missing:,}", f"{group.counts.wanted:,}")
    if more := len(missing) - len(shown):
        table.add(f"and {more:,} more", "", "")
    return table


@dataclass(frozen=True)
class Beside:
    """Tables side by side, or one below the other where there is no room."""

    tables: Sequence[Rows]

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        if not console.is_terminal or options.max_width < _BESIDE:
            yield from self.tables
            return
        grid = Table.grid(padding=(0, 4))
        grid.add_row(*self.tables)
        yield grid
