"""What people read of a plan on a terminal of 80 columns: the calendar of each branch, the policy with its layers."""

from collections.abc import Iterator, Sequence
from datetime import datetime, tzinfo
from typing import Any, Final

from rich.console import Group, RenderableType
from rich.text import Text

from starter.plan.calendar import Branch, RequestPlan
from starter.plan.campaign import CampaignPlan, NotedRow
from starter.plan.comparison import ChangeKindOfAction, Difference, ScheduleChange
from starter.plan.onboarding import OnboardingPlan
from starter.plan.weeks import WeekPicture
from starter.rows import Rows
from starter.terminal import Cell, Instant, Sentence, ZoneLine
from workflows.follow_up.stages import stage_words
from workflows.model.campaign import last_day_before
from workflows.model.planning import why_words

ROWS_SHOWN_AT_MOST: Final = 20
"""Of each list of a campaign's people; `--json` has them all."""
_MARKS: Final = {
    ChangeKindOfAction.ADDED: ("+", "green"),
    ChangeKindOfAction.REMOVED: ("-", "red"),
    ChangeKindOfAction.MOVED: ("~", "yellow"),
}


def of_plan(plan: RequestPlan, zone: tzinfo | None = None) -> Group:
    """Every branch with its picture, then the policy; all on one clock, by default that of whoever reads."""
    return Group(*_plan(plan, zone))


def of_onboarding(plan: OnboardingPlan, zone: tzinfo | None = None) -> Group:
    """Stage after stage, with everything that would happen in it in the order of time."""
    return Group(*_onboarding(plan, zone))


def of_campaign(plan: CampaignPlan, zone: tzinfo | None = None) -> Group:
    """Who is asked and who is not, the calendar of most of them, and what it takes at Core Signature."""
    return Group(*_campaign(plan, zone))


def of_difference(found: Difference) -> Group:
    """What would change, or that nothing would."""
    return Group(*_difference(found))


def _plan(plan: RequestPlan, zone: tzinfo | None) -> Iterator[RenderableType]:
    yield Text(f"{plan.id}: {plan.document} ({plan.kind})", "bold")
    closes = f", closing {_utc(plan.closes_at)}" if plan.closes_at != plan.due_at else ""
    yield Sentence(f"if it were sent {_utc(plan.at)}, due {_utc(plan.due_at)}{closes}", zone=zone)
    yield ZoneLine(zone)
    for branch in plan.branches:
        yield Text(f"\nIf {branch.says}: {branch.outcome}", "bold")
        yield _calendar(branch, zone)
        yield WeekPicture(branch, zone)
    yield Text("\nPolicy", "bold")
    policy = Rows("value", "is", "from")
    for one in plan.policy:
        policy.add(one.field, _value(one.value), one.layer)
    yield policy


def _onboarding(plan: OnboardingPlan, zone: tzinfo | None) -> Iterator[RenderableType]:
    yield Text(f"{plan.id}: {plan.customer} ({plan.kind})", "bold")
    yield Sentence(f"if it were started {_utc(plan.at)} and {plan.assumed.words}: done {_utc(plan.ends_at)}", zone=zone)
    yield ZoneLine(zone)
    for stage in plan.stages:
        yield Text(f"\n{stage.name}", "bold")
        yield Sentence(f"from {_utc(stage.begins_at)} to {_utc(stage.ends_at)}", "dim", zone=zone)
        table = Rows("when", "part", "what", "to", "why", whole=("part", "to"))
        lines = [(line, part) for part in stage.parts for line in part.lines if not line.suppressed]
        for line, part in sorted(lines, key=lambda one: one[0].at):
            when = Instant(line.at, weekday=True, zone=zone)
            table.add(when, part.id, stage_words(line.stage), line.to, Text(line.why, "dim"))
        yield table
        due = Rows("part", "title", "due", "ends", "outcome", whole=("part", "due"))
        for part in stage.parts:
            ends = Instant(part.ends_at, weekday=True, zone=zone)
            due.add(part.id, part.title, Instant(part.due_at, weekday=True, zone=zone), ends, part.outcome)
        yield due


def _campaign(plan: CampaignPlan, zone: tzinfo | None) -> Iterator[RenderableType]:
    who = plan.who
    yield Text(f"{plan.id}: {plan.document} ({plan.kind}), owned by {plan.owner}", "bold")
    last_day = last_day_before(plan.closes_at)
    late = f"late until {last_day}" if last_day > plan.due else ""
    yield Sentence(", ".join(filter(None, (f"opens {_utc(plan.opens_at)}", f"last day {plan.due}", late))), zone=zone)
    hear = "manager hears" if who.managers == 1 else "managers hear"
    yield Text(
        f"{who.asked:,} of {who.rows:,} would be asked: {who.by_phone:,} by push, {who.by_mail:,} have no living "
        f"device and get Core Signature's mail; {who.managers:,} {hear} who has not acknowledged"
    )
    yield from _said("would not be asked", who.errors)
    yield from _said("would not be reached in time", who.not_reached)
    if plan.like:
        alike = f", one of {plan.alike:,} who have the same days" if plan.alike > 1 else ""
        yield Text(f"\nWhat somebody who never acts would hear: {plan.like}{alike}", "bold")
        yield ZoneLine(zone)
    table = Rows("when", "what", "to", "why", whole=("what", "to"))
    for line in plan.lines:
        style = "dim strike" if line.suppressed else ""
        why = f"not sent: {why_words(line.suppressed)}; {line.why}" if line.suppressed else line.why
        table.add(Instant(line.at, style, weekday=True, zone=zone), Text(line.stage, style), line.to, Text(why, "dim"))
    yield table
    yield Text(f"\nCore Signature, at {plan.calls_a_second:g} calls a second", "bold")
    calls = Rows("document", "calls to open", "hours", "calls if nobody acts", "hours", "MB sent", whole=("document",))
    for one in plan.calls:
        opening, whole = f"{one.opening:,}", f"{one.if_nobody_acts:,}"
        hours, all_hours = (f"{hours:g}" if hours else "<0.01" for hours in (one.opening_hours, one.hours))
        calls.add(one.document, opening, hours, whole, all_hours, f"{one.megabytes:,.1f}")
    yield calls


def _said(what: str, people: Sequence[NotedRow]) -> Iterator[RenderableType]:
    """The first of those about whom there is something to say."""
    if not people:
        return
    yield Text(f"\n{len(people):,} {what}", "bold red")
    table = Rows("row", "person", "why", whole=("row", "person"))
    for one in people[:ROWS_SHOWN_AT_MOST]:
        table.add(f"{one.row}", one.person, one.says)
    yield table
    if (rest := len(people) - ROWS_SHOWN_AT_MOST) > 0:
        yield Text(f"and {rest:,} more: --json has them all", "dim")


def _calendar(branch: Branch, zone: tzinfo | None) -> Rows:
    """A line a step."""
    table = Rows("when", "what", "to", "why", whole=("what", "to"))
    for line in branch.lines:
        style = "dim strike" if line.suppressed else ""
        why = f"not sent: {why_words(line.suppressed)}; {line.why}" if line.suppressed else line.why
        about = f", about {line.person}" if line.person != line.to else ""
        layer = f" [{line.layer}]" if line.layer else ""
        when = Instant(line.at, style, weekday=True, zone=zone)
        table.add(when, Text(line.stage, style), line.to, Text(f"{why}{about}{layer}", "dim"))
    return table


def _difference(found: Difference) -> Iterator[RenderableType]:
    yield Text(f"{found.id}: what the file would change", "bold")
    if found.due_before != found.due_after:
        yield Text(f"due {_utc(found.due_before)} → {_utc(found.due_after)}")
    for one in found.policy:
        yield Text(f"policy {one.field}: {_value(one.before)} → {_value(one.after)}")
    if not found.changes:
        yield Text("every notice that is planned stays as it is")
        return
    table = Rows("", "notice", "before", "after", "why")
    for change in found.changes:
        table.add(*_changed(change))
    yield table
    yield ZoneLine()


def _changed(change: ScheduleChange) -> tuple[Cell, ...]:
    mark, colour = _MARKS[change.what]
    notice = f"{change.stage} to {change.to}"
    return Text(mark, colour), Text(notice, colour), Instant(change.before), Instant(change.after), change.why


def _utc(instant: datetime) -> str:
    return f"{instant:%a %d %b %Y %H:%M} UTC"


def _value(value: Any) -> str:
    if value is None:
        return "off"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, list | tuple):
        return ", ".join(str(one.get("target", one)) if isinstance(one, dict) else str(one) for one in value) or "none"
    return str(value)
