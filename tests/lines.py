"""Lines of members as values: what the database counts of them, and reports of them."""

from collections import Counter
from collections.abc import AsyncIterator, Iterable, Sequence
from datetime import datetime
from typing import Any

from activities.people.language import Language
from activities.records.outcomes import DONE, MemberLines, MemberOutcome, OutcomeTally, lately
from activities.records.store import Store
from starter.queries import campaign_report as report
from starter.queries.campaign import Curve, Point
from starter.queries.campaign_report import CampaignReport
from starter.queries.charts import campaign_chart
from workflows.model.campaign import Counts
from workflows.model.views import CampaignShow


def tally(lines: Iterable[MemberOutcome]) -> OutcomeTally:
    return OutcomeTally(Counter((line.status, line.department, line.manager) for line in lines))


def counted(lines: Iterable[MemberOutcome]) -> Counts:
    return tally(lines).counts


def curve(lines: Sequence[MemberOutcome], opens_at: datetime, closes_at: datetime, now: datetime | None) -> Curve:
    """With a step for each."""
    signed = sorted(datetime.fromisoformat(line.signed_at) for line in lines if line.status in DONE and line.signed_at)
    recent = sum(signed_at > lately(opens_at, now) for signed_at in signed) if now else 0
    steps = [Point(signed_at, nth) for nth, signed_at in enumerate(signed, start=1)]
    return Curve(len(signed), recent, counted(lines).open, opens_at, closes_at, now, steps)


def chart(
    view: CampaignShow,
    lines: Sequence[MemberOutcome],
    *,
    now: datetime | None = None,
    language: Language | None = None,
) -> str:
    assert view.closes_at is not None
    drawn = curve(lines, view.opens_at, view.closes_at, now)
    return campaign_chart(view, drawn, counted(lines), language=language)


async def some_at_a_time(lines: Sequence[MemberOutcome]) -> AsyncIterator[Sequence[MemberOutcome]]:
    for begin in range(0, len(lines), 500):
        yield lines[begin : begin + 500]


def make_report(
    view: CampaignShow,
    lines: Sequence[MemberOutcome],
    population: dict[str, Any] | None = None,
    changes: Sequence[dict[str, Any]] = (),
) -> CampaignReport:
    """A report of these."""
    head = report.head_of(view)
    drawn = curve(lines, view.opens_at, view.closes_at, head.as_of) if view.closes_at else None
    return CampaignReport(view, head, tally(lines), drawn, population, changes, lambda: some_at_a_time(lines))


async def recorded(store: Store, lines: Sequence[MemberOutcome]) -> MemberLines:
    """These as the record of a campaign that has ended."""
    head: dict[str, Any] = {"population": None, "changes": []}
    sha256 = await store.outcomes.write("acknowledgement-campaign:some", head, some_at_a_time(lines))
    return (await store.outcomes.record(sha256)).lines
