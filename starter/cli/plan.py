"""`plan`: the calendar before a start, or changes to an open request."""

from collections.abc import Callable, Iterator, Sequence
from datetime import UTC, datetime, tzinfo
from typing import Annotated, Any, Final, TypeVar

from cyclopts import Parameter, Token
from rich.console import Group, RenderableType
from rich.text import Text

from activities.launch import launch
from starter.boot import clients
from starter.boot.startup import ready
from starter.cli import start_files
from starter.cli.arguments import AsJson, RequestFile
from starter.cli.printing import print_answer
from starter.cli.terminal import Cell, PrintedInstant, Rows, Sentence, ZoneLine
from starter.config.settings import Need, Settings
from starter.errors import Refusal
from starter.plan import calendar
from starter.plan import calendar as comparison
from starter.plan import campaign as audiences
from starter.plan import onboarding as journey
from starter.plan.calendar import Branch, ChangeKindOfAction, Difference, RequestPlan, ScheduleChange
from starter.plan.campaign import CampaignPlan, NotedRow
from starter.plan.onboarding import OnboardingPlan
from starter.plan.weeks import WeekCalendar
from starter.queries.fast_forward import span
from starter.temporal.connection import opened
from workflows.follow_up.notification_types import stage_words
from workflows.kinds import Kind
from workflows.model.campaign import last_day_before
from workflows.model.schedule import why_words

ROWS_SHOWN_AT_MOST: Final = 20
"""Of each list of people; `--json` has all."""
_MARKS: Final = {
    ChangeKindOfAction.ADDED: ("+", "green"),
    ChangeKindOfAction.REMOVED: ("-", "red"),
    ChangeKindOfAction.MOVED: ("~", "yellow"),
}
Prepared = TypeVar("Prepared", bound=launch.PreparedStart)


def of_plan(plan: RequestPlan, zone: tzinfo | None = None) -> Group:
    """Every branch with its weeks, then the policy; on one clock, by default the reader's."""
    return Group(*_plan(plan, zone))


def of_onboarding(plan: OnboardingPlan, zone: tzinfo | None = None) -> Group:
    """By stage, in the order of time."""
    return Group(*_onboarding(plan, zone))


def of_campaign(plan: CampaignPlan, zone: tzinfo | None = None) -> Group:
    """Who is asked and who is not, the typical calendar, and the calls to Core Signature."""
    return Group(*_campaign(plan, zone))


def of_difference(difference: Difference) -> Group:
    return Group(*_difference(difference))


def _as_typed(parse: Callable[[str], object]) -> Callable[[Any, Any], None]:
    def check(_: object, typed: str | None) -> None:
        if typed is not None:
            parse(typed)

    return check


def _instant(text: str) -> datetime:
    return calendar.sending_time(text, None, datetime.now(UTC))


At = Annotated[str | None, Parameter(validator=_as_typed(_instant))]
Zone = Annotated[str | None, Parameter(validator=_as_typed(calendar.zone_of))]


def _signing(_: object, tokens: Sequence[Token]) -> tuple[str, ...]:
    # A converter, since a validator would show the arguments as a Python tuple.
    typed = tuple(token.value for token in tokens)
    calendar.signing(typed)
    return typed


Signs = Annotated[tuple[str, ...], Parameter(converter=_signing)]


async def plan(
    file: RequestFile,
    /,
    *,
    at: At = None,
    zone: Zone = None,
    signs: Signs = (),
    against: str | None = None,
    json: AsJson = False,
) -> None:
    """Show what would happen, when and why, before anything is sent. Needs no server.

    Parameters
    ----------
    file
        A request in YAML or JSON; `-` reads standard input.
    at
        When it would be sent: `2026-11-02`, or `2026-11-02T09:00` on the clock of the zone; default: now.
    zone
        The zone in which times are shown; default: that of this machine (with --json, of whoever is told).
    signs
        Who signs how long after their turn came, such as `customer-signer@+2d`; may be repeated.
    against
        The id of a running request: show only what the due date and the policy of the file would change in it.
    json
        Print the whole plan as JSON.
    """
    settings = ready(Need.PEOPLE)
    if against is not None:
        await _compare(settings, file, against, as_json=json)
        return
    shown_zone = calendar.zone_of(zone)
    sent_at = calendar.sending_time(at, shown_zone, datetime.now(UTC))
    prepared = await start_files.read(settings, file, now=sent_at)
    directory = clients.directory(settings, clients.store(settings))
    request_plan = await calendar.plan(prepared, directory, sent_at, calendar.signing(signs), shown_zone)
    print_answer(request_plan, of_plan(request_plan, shown_zone), as_json=json)


Long = Annotated[str, Parameter(validator=_as_typed(span))]


async def onboarding(
    file: RequestFile,
    /,
    *,
    at: At = None,
    zone: Zone = None,
    signed_after: Long = "2d",
    done_after: Long = "2d",
    json: AsJson = False,
) -> None:
    """Show the calendar of an onboarding, stage by stage, before it is started. Needs no server.

    Parameters
    ----------
    file
        An onboarding in YAML or JSON; `-` reads standard input.
    at
        When it would be started: `2026-11-02`, or `2026-11-02T09:00` on the clock of the zone; default: now.
    zone
        The zone in which times are shown; default: that of this machine (with --json, of whoever is told).
    signed_after
        How long after their turn came everybody is assumed to sign, such as 4h, 2d or 1w.
    done_after
        How long after they were asked people are assumed to have done a task or a step.
    json
        Print the whole plan as JSON.
    """
    settings = ready(Need.PEOPLE)
    shown_zone = calendar.zone_of(zone)
    begins = calendar.sending_time(at, shown_zone, datetime.now(UTC))
    directory = clients.directory(settings, clients.store(settings))
    read = start_files.read_rows_files(settings, Kind.ONBOARDING, [file], now=begins, directory=directory)
    prepared = _only(await read, file)
    assumed = journey.Assumptions(signed_after=signed_after, done_after=done_after)
    onboarding_plan = await journey.plan(prepared, directory, begins, assumed, shown_zone)
    print_answer(onboarding_plan, of_onboarding(onboarding_plan, shown_zone), as_json=json)


async def campaign(file: RequestFile, /, *, at: At = None, zone: Zone = None, json: AsJson = False) -> None:
    """Show who would be asked and who not, who would be notified when, and how long it takes. Needs no server.

    Parameters
    ----------
    file
        A campaign in YAML or JSON; `-` reads standard input.
    at
        When it would be started: `2026-11-02`, or `2026-11-02T09:00` on the clock of the zone; default: now.
    zone
        The zone in which times are shown; default: that of this machine (with --json, of whoever is told).
    json
        Print the whole plan as JSON, with every row that cannot be asked.
    """
    settings = ready(Need.PEOPLE)
    shown_zone = calendar.zone_of(zone)
    begins = calendar.sending_time(at, shown_zone, datetime.now(UTC))
    directory = clients.directory(settings, clients.store(settings))
    read = start_files.read_rows_files(settings, Kind.CAMPAIGN, [file], now=begins, directory=directory)
    prepared = _only(await read, file)
    campaign_plan = await audiences.plan(prepared, directory, begins, settings.signature.max_rps, shown_zone)
    print_answer(campaign_plan, of_campaign(campaign_plan, shown_zone), as_json=json)


def _plan(plan: RequestPlan, zone: tzinfo | None) -> Iterator[RenderableType]:
    yield Text(f"{plan.id}: {plan.document} ({plan.kind})", "bold")
    closes = f", closing {_utc(plan.closes_at)}" if plan.closes_at != plan.due_at else ""
    yield Sentence(f"if it were sent {_utc(plan.at)}, due {_utc(plan.due_at)}{closes}", zone=zone)
    yield Sentence(
        "whom no push reaches is notified by: " + ", ".join(f"{person} {by}" for person, by in plan.channels.items())
    )
    yield ZoneLine(zone)
    for branch in plan.branches:
        yield Text(f"\nIf {branch.says}: {branch.outcome}", "bold")
        yield _calendar(branch, zone)
        yield WeekCalendar(branch, zone)
    yield Text("\nPolicy", "bold")
    policy = Rows("value", "is", "from")
    for field in plan.policy:
        policy.add(field.field, _value(field.value), field.layer)
    yield policy


def _onboarding(plan: OnboardingPlan, zone: tzinfo | None) -> Iterator[RenderableType]:
    yield Text(f"{plan.id}: {plan.customer} ({plan.kind})", "bold")
    yield Sentence(
        f"if it were started {_utc(plan.at)} and {plan.assumed.describe}: done {_utc(plan.ends_at)}", zone=zone
    )
    yield ZoneLine(zone)
    for stage in plan.stages:
        yield Text(f"\n{stage.name}", "bold")
        yield Sentence(f"from {_utc(stage.begins_at)} to {_utc(stage.ends_at)}", "dim", zone=zone)
        table = Rows("when", "part", "what", "to", "why", whole_columns=("part", "to"))
        lines = [(line, part) for part in stage.parts for line in part.lines if not line.suppressed]
        for line, part in sorted(lines, key=lambda pair: pair[0].at):
            instant = PrintedInstant(line.at, weekday=True, zone=zone)
            table.add(instant, part.id, stage_words(line.stage), line.to, Text(line.why, "dim"))
        yield table
        due = Rows("part", "title", "due", "ends", "outcome", whole_columns=("part", "due"))
        for part in stage.parts:
            ends = PrintedInstant(part.ends_at, weekday=True, zone=zone)
            due.add(part.id, part.title, PrintedInstant(part.due_at, weekday=True, zone=zone), ends, part.outcome)
        yield due


def _campaign(plan: CampaignPlan, zone: tzinfo | None) -> Iterator[RenderableType]:
    audience = plan.who
    yield Text(f"{plan.id}: {plan.document} ({plan.kind}), owned by {plan.owner}", "bold")
    last_day = last_day_before(plan.closes_at)
    late = f"late until {last_day}" if last_day > plan.due else ""
    yield Sentence(", ".join(filter(None, (f"opens {_utc(plan.opens_at)}", f"last day {plan.due}", late))), zone=zone)
    by_sms = f"{audience.by_sms:,} have no e-mail address either and get an SMS; " if audience.by_sms else ""
    hear = "manager hears" if audience.managers == 1 else "managers hear"
    yield Text(
        f"{audience.asked:,} of {audience.rows:,} would be asked: {audience.by_phone:,} by push, "
        f"{audience.by_mail:,} have no living device and get Core Signature's mail; {by_sms}"
        f"{audience.managers:,} {hear} who has not acknowledged"
    )
    yield from _noted_rows("would not be asked", audience.errors)
    yield from _noted_rows("would not be reached in time", audience.not_reached)
    if plan.like:
        alike = f", one of {plan.alike:,} who have the same days" if plan.alike > 1 else ""
        yield Text(f"\nWhat somebody who never acts would hear: {plan.like}{alike}", "bold")
        yield ZoneLine(zone)
    table = Rows("when", "what", "to", "why", whole_columns=("what", "to"))
    for line in plan.lines:
        style = "dim strike" if line.suppressed else ""
        reason = f"not sent: {why_words(line.suppressed)}; {line.why}" if line.suppressed else line.why
        table.add(
            PrintedInstant(line.at, style, weekday=True, zone=zone),
            Text(line.stage, style),
            line.to,
            Text(reason, "dim"),
        )
    yield table
    yield Text(f"\nCore Signature, at {plan.calls_a_second:g} calls a second", "bold")
    calls = Rows(
        "document", "calls to open", "hours", "calls if nobody acts", "hours", "MB sent", whole_columns=("document",)
    )
    for estimate in plan.calls:
        opening, all_calls = f"{estimate.opening:,}", f"{estimate.if_nobody_acts:,}"
        hours, all_hours = (f"{hours:g}" if hours else "<0.01" for hours in (estimate.opening_hours, estimate.hours))
        calls.add(estimate.document, opening, hours, all_calls, all_hours, f"{estimate.megabytes:,.1f}")
    yield calls


def _noted_rows(heading: str, people: Sequence[NotedRow]) -> Iterator[RenderableType]:
    if not people:
        return
    yield Text(f"\n{len(people):,} {heading}", "bold red")
    table = Rows("row", "person", "why", whole_columns=("row", "person"))
    for row in people[:ROWS_SHOWN_AT_MOST]:
        table.add(f"{row.row}", row.person, row.says)
    yield table
    if (remaining := len(people) - ROWS_SHOWN_AT_MOST) > 0:
        yield Text(f"and {remaining:,} more: --json has them all", "dim")


def _calendar(branch: Branch, zone: tzinfo | None) -> Rows:
    table = Rows("when", "what", "to", "why", whole_columns=("what", "to"))
    for line in branch.lines:
        style = "dim strike" if line.suppressed else ""
        reason = f"not sent: {why_words(line.suppressed)}; {line.why}" if line.suppressed else line.why
        subject = f", about {line.person}" if line.person != line.to else ""
        layer = f" [{line.layer}]" if line.layer else ""
        instant = PrintedInstant(line.at, style, weekday=True, zone=zone)
        table.add(instant, Text(line.stage, style), line.to, Text(f"{reason}{subject}{layer}", "dim"))
    return table


def _difference(difference: Difference) -> Iterator[RenderableType]:
    yield Text(f"{difference.id}: what the file would change", "bold")
    if difference.due_before != difference.due_after:
        yield Text(f"due {_utc(difference.due_before)} → {_utc(difference.due_after)}")
    for field in difference.policy:
        yield Text(f"policy {field.field}: {_value(field.before)} → {_value(field.after)}")
    if not difference.changes:
        yield Text("every notice that is planned stays as it is")
        return
    table = Rows("", "notice", "before", "after", "why")
    for change in difference.changes:
        table.add(*_changed(change))
    yield table
    yield ZoneLine()


def _changed(change: ScheduleChange) -> tuple[Cell, ...]:
    mark, colour = _MARKS[change.what]
    notice = f"{change.stage} to {change.to}"
    return (
        Text(mark, colour),
        Text(notice, colour),
        PrintedInstant(change.before),
        PrintedInstant(change.after),
        change.why,
    )


def _utc(instant: datetime) -> str:
    return f"{instant:%a %d %b %Y %H:%M} UTC"


def _value(value: Any) -> str:
    if value is None:
        return "off"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, list | tuple):
        return (
            ", ".join(str(entry.get("target", entry)) if isinstance(entry, dict) else str(entry) for entry in value)
            or "none"
        )
    return str(value)


def _only(prepared: Sequence[Any], file: str) -> Any:
    first, *further = prepared
    if further:
        kind = first.workflow_input.subject.type
        raise Refusal(f"{file} has {len(further) + 1} {kind}s: one plan is of one")
    return first


async def _compare(settings: Settings, file: str, against: str, *, as_json: bool) -> None:
    prepared = await start_files.read(settings, file)
    async with opened(settings) as context:
        directory = clients.directory(settings, context.store)
        difference = await comparison.compare(context, prepared, directory, against)
    print_answer(difference, of_difference(difference), as_json=as_json)
