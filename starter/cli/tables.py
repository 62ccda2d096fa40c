"""Terminal views of a status, lists, starts and set-up."""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Final, Generic, TypeAlias, TypeVar

from rich.columns import Columns
from rich.console import Console, ConsoleOptions, Group, RenderableType, RenderResult
from rich.text import Text

from activities.records.outcomes import OutcomeGroup
from starter.cli.terminal import Cell, FactTable, PrintedInstant, Rows, Sentence, ZoneLine
from starter.queries.campaign import CampaignOverview, Forecast
from starter.queries.lookup import is_outcome, told_once
from workflows.campaign.view import bar
from workflows.follow_up.notification_types import stage_words
from workflows.follow_up.view import deadlines, handed_off_entry, is_needless, outcome_words, stamp, told_entry
from workflows.kinds import Kind, named
from workflows.model.evidence import KeptFile
from workflows.model.hand_off import HandoffLine, HandoffState
from workflows.model.notifications import Notification
from workflows.model.signature import DocumentVersion
from workflows.model.subject import Role
from workflows.model.timeline import AskedQuestion, EventType, TimelineEntry
from workflows.model.views import (
    AnyShow,
    AssigneeLine,
    CampaignShow,
    FollowUpShow,
    OnboardingShow,
    PartLine,
    RequestShow,
    ReviewLine,
    Shown,
    SignerLine,
    TaskShow,
    WaitingFor,
    WaitingPart,
)

if TYPE_CHECKING:
    from activities.launch.request_file import PreparedRequest
    from starter.cli.bulk_notice import NoticesOf
    from starter.cli.start_files import StartAnswer, StartOutcome
    from starter.queries.lists import RequestLine

SCREEN: Final = 25
"""Lines of an ordinary request."""
_NEWEST: Final = 8
"""Timeline entries shown by default."""
_SIGNERS: Final = 6
_WAITING: Final = 20
_WORST: Final = 3
"""Departments and managers shown by default."""
_IDS: Final = ("signer", "reviewer", "asked", "person", "target", "who")
"""Columns with ids."""
_GOOD: Final = ("signed", "approved", "done", "accepted")
_BAD: Final = ("declined", "changes", "cancelled", "expired", "failed", "dead", "bounced")
Line = TypeVar("Line", bound=SignerLine | AssigneeLine)
Names: TypeAlias = Mapping[str, str]
"""Names of people by id."""
_NAMED_AT_MOST: Final = 100
"""Starts listed with links; of more only those that were not started."""
_PEOPLE_AT_MOST: Final = 20
"""People listed in a dry run's count of notices."""


def of_shown(view: Shown, *, in_full: bool = True, names: Names = MappingProxyType({})) -> Group:
    """A summary, then everything; without `in_full` only the newest entries. `names` are of people whose ids say
    nothing.
    """
    return Group(*_view_parts(view, in_full, names))


def color_state(state: str, label: str = "") -> Text:
    """A state in its colour."""
    return Text(label or state, "green" if state in _GOOD else "red" if state in _BAD else "")


def assignees(view: FollowUpShow, in_full: bool, names: Names) -> Iterator[RenderableType]:
    """Who was asked, and how each has answered; without `in_full` of many those who have not acted yet."""
    people = view.lines if in_full else _shorten_people(view.lines)
    yield from _section(("asked", "state", "at"), (_assignee(person, names) for person in people))
    yield from _further_line(len(view.lines) - len(people), "people")


@dataclass(frozen=True)
class SideBySideTables:
    """Tables side by side, or below each other on a narrow terminal."""

    tables: Sequence[Rows]

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        if console.is_terminal:
            yield Columns(self.tables, padding=(0, 4))
        else:
            yield from self.tables


def of_start(started: "StartAnswer", ending: str | None = None) -> Group:
    """Whether it was started or found, the `ending` of that one, and how to see it."""
    kind = name.kind if (name := named(started.workflow_id)) else Kind.REQUEST
    outcome = "started" if started.created else f"was there before: the same {kind}, not started again"
    return Group(
        Text(f"{started.id} {outcome}", "bold"),
        *([Sentence(ending, "yellow")] if ending else []),
        Text(f"countersign {kind.spec.command} show {started.id}", "dim"),
    )


def of_dry_run(prepared: "Sequence[PreparedRequest]") -> Group:
    """What would be started, and the notices of each person."""
    from starter.cli.bulk_notice import notices  # noqa: PLC0415  whoever lists requests does not wait for what starts them

    table = Rows(
        "request", "document", "kind", "requester", "signers", "due", whole_columns=("request", "kind", "requester")
    )
    for start in prepared:
        brief, due = start.request.brief, start.request.due
        signers = tuple(_with_team(signer.person, signer.team) for signer in brief.people)
        due_cell = PrintedInstant(due) if isinstance(due, datetime) else str(due or "")
        table.add(brief.id, brief.title, brief.kind, brief.requester, signers, due_cell)
    requests = "1 request" if len(prepared) == 1 else f"{len(prepared):,} requests"
    head = Text(f"All correct: {requests} would be started; nothing was started", "bold")
    return Group(head, table, Text("Notices, without reminders:", "bold"), _of_notices(notices(prepared)))


def of_many(outcomes: "Sequence[StartOutcome]", *, list_all: bool) -> Group:
    """Of more than a hundred only those that were not started."""
    started = sum(outcome.started is not None and outcome.started.created for outcome in outcomes)
    existing = sum(outcome.started is not None and not outcome.started.created for outcome in outcomes)
    failed = [outcome for outcome in outcomes if outcome.started is None]
    counts = [f"{started:,} started"]
    counts += [f"{existing:,} were there before"] if existing else []
    counts += [f"{len(failed):,} not started"] if failed else []
    listed = outcomes if list_all and len(outcomes) <= _NAMED_AT_MOST else failed
    kind = next((str(outcome.kind) for outcome in listed), "")
    table = Rows(kind, "result", "link", whole_columns=(kind,))
    for outcome in listed[:_NAMED_AT_MOST]:
        link = outcome.started.url if outcome.started else None
        table.add(outcome.id, Text(outcome.sentence, "" if outcome.started else "red"), link or "")
    return Group(Text(", ".join(counts), "bold"), *([table] if listed else []))


def of_list(lines: "Iterable[RequestLine]", kind: Kind = Kind.REQUEST) -> Group:
    return Group(TABLES[kind].rows(lines), ZoneLine())


@dataclass(frozen=True, kw_only=True)
class KindTables(Generic[AnyShow]):
    """What the command prints of a kind: `about` its first lines, `people` its tables with or without all rows, `rows`
    the list.
    """

    facts: Callable[[AnyShow], Iterable[tuple[str, str]]]
    tables: Callable[[AnyShow, bool, Names], Iterator[RenderableType]]
    rows: Callable[["Iterable[RequestLine]"], Rows]
    newest: int = _NEWEST
    """Lines of what happened, unless all are asked for."""
    shows_deadlines: bool = True
    """Whether its due date and its close are said, which `about` may have said already."""


def make_rows_builder(
    kind: Kind, subject_heading: str, asker_heading: str
) -> Callable[["Iterable[RequestLine]"], Rows]:
    """The usual list of a kind; with the heads of the columns of what it is about and of who asked for it."""
    return partial(_rows, kind, subject_heading, asker_heading)


def _show_reviewers_and_signers(view: RequestShow, in_full: bool, names: Names) -> Iterator[RenderableType]:
    """Its reviewers by version, then its signers."""
    versions = {version.number: version for version in view.versions}
    rows = (_review(review, versions[review.round], names) for review in view.reviews if review.round in versions)
    yield from _section(("version", "reviewer", "state", "at", "says"), rows)
    signers = view.signers if in_full else _shorten_people(view.signers)
    yield from _section(("signer", "role", "state", "at"), (_signer(signer, names) for signer in signers))
    yield from _further_line(len(view.signers) - len(signers), "signers")


def _stages(view: OnboardingShow, in_full: bool, names: Names) -> Iterator[RenderableType]:
    yield from _section(("stage", "part", "state", "with", "since", "until"), _parts(view))


def _groups(view: CampaignShow, in_full: bool, names: Names) -> Iterator[RenderableType]:
    """People missing by department and by manager; nothing if nobody is."""
    if isinstance(view, CampaignOverview):
        groups_by_heading = (("department", view.departments), ("manager", view.managers))
        if tables := [
            _missing(heading, groups, in_full)
            for heading, groups in groups_by_heading
            if any(group.missing for group in groups)
        ]:
            yield from (Text(""), SideBySideTables(tables))


def _missing(heading: str, groups: Sequence[OutcomeGroup], in_full: bool) -> Rows:
    table = Rows(heading, "open", "of")
    missing = [group for group in groups if group.missing]
    listed = missing if in_full else missing[:_WORST]
    for group in listed:
        table.add(group.name or "–", f"{group.missing:,}", f"{group.counts.required_count:,}")
    if further := len(missing) - len(listed):
        table.add(f"and {further:,} more", "", "")
    return table


def _further_line(count: int, noun: str) -> Iterator[RenderableType]:
    if count:
        yield Text(f"and {count} more {noun} (--all has them)", "dim")


def _parts(view: OnboardingShow) -> Iterator[tuple[Cell, ...]]:
    """A tree: each stage with its parts, and who has to act."""
    waiting = {turn.part: turn for turn in reversed(view.waiting_for)}
    for stage in view.stages:
        is_done = stage.state == "done"
        yield (
            stage.name,
            "",
            color_state(stage.state),
            "",
            PrintedInstant(stage.since),
            PrintedInstant(stage.at if is_done else None),
        )
        for part in stage.parts:
            turn = waiting.get(part.id)
            with_whom, waiting_since = (
                (_name_waiting(turn, of_part=True), turn.since) if turn else (part.team or "", part.since)
            )
            part_end = PrintedInstant(part.at or part.due_at)
            yield (
                "",
                f"{part.id}: {part.title}",
                color_state(_state(part)),
                with_whom,
                PrintedInstant(waiting_since),
                part_end,
            )
        for news in stage.notices:
            yield "", f"{news.id}: {news.title}", color_state(news.state), news.to, PrintedInstant(news.at), ""


def _name_waiting(waiting: WaitingFor, *, of_part: bool = False) -> str:
    if not isinstance(waiting, WaitingPart):
        return waiting.person
    name = waiting.person if waiting.who == waiting.person else f"{waiting.person} ({waiting.who})"
    return name if of_part else f"{name}: {waiting.what}"


def _named(id: str, names: Names) -> str:
    return f"{id} ({names[id]})" if id in names else id


def _state(part: PartLine) -> str:
    return str(part.status or part.state)


def _shorten_people(signers: tuple[Line, ...]) -> tuple[Line, ...]:
    """In a crowd those who have not acted come first."""
    if len(signers) <= _SIGNERS:
        return signers
    return tuple(sorted(signers, key=lambda line: line.state in _GOOD)[:_SIGNERS])


def _section(columns: tuple[str, ...], rows: Iterable[tuple[Cell, ...]]) -> Iterator[RenderableType]:
    table = Rows(*columns, whole_columns=_IDS)
    for row in rows:
        table.add(*row)
    if table:
        yield Text("")
        yield table


def _signer(line: SignerLine, names: Names) -> tuple[Cell, ...]:
    return (
        f"{line.order}. {_named_for_team(line, names)}",
        line.role,
        color_state(line.state, line.state.english),
        PrintedInstant(line.at),
    )


def _named_for_team(line: SignerLine, names: Names) -> str:
    return _with_team(_named(line.person, names), line.team)


def _with_team(name: str, team: str) -> str:
    return f"{name} ({team})" if team else name


def _review(line: ReviewLine, version: DocumentVersion, names: Names) -> tuple[Cell, ...]:
    label = "is to give a new version" if line.role is Role.REVISE and line.at is None else line.state.english
    reason = line.reason or ""
    return (
        f"{version.number} · {(version.sha256 or '')[:12]}",
        _named_for_team(line, names),
        color_state(line.state, label),
        PrintedInstant(line.at),
        reason,
    )


def _assignee(line: SignerLine | AssigneeLine, names: Names) -> tuple[Cell, ...]:
    return _named(line.person, names), color_state(line.state), PrintedInstant(line.at)


def _rows(kind: Kind, subject_heading: str, asker_heading: str, lines: "Iterable[RequestLine]") -> Rows:
    # Each with who has to act, since when and until when; the columns of what it is about and who asked are named.
    table = Rows(
        kind, subject_heading, "kind", "status", "waiting for", "since", "due", asker_heading, "problem",
        whole_columns=(kind, "kind", "status", asker_heading), spare=("kind", asker_heading),
    )  # fmt: skip
    for line in lines:
        problem = _problem(line)
        style = "bold red" if line.overdue else ""
        due = Text(f"{line.last_day}", style) if line.last_day else PrintedInstant(line.due_at, style)
        waiting_since = PrintedInstant(line.since, ago=True)
        waiting, status = line.waiting_for, color_state(line.status)
        table.add(line.id, line.document, line.kind, status, waiting, waiting_since, due, line.requester, problem)
    return table


def _of_onboardings(lines: "Iterable[RequestLine]") -> Rows:
    # With stage, who is waited for, and since when.
    table = Rows(
        "onboarding", "customer", "stage", "with", "since", "status", "problem", whole_columns=("onboarding", "status")
    )
    for line in lines:
        with_whom, waiting_since = tuple(dict.fromkeys(line.waiting_for)), PrintedInstant(line.since, ago=True)
        table.add(
            line.id, line.document, line.stage, with_whom, waiting_since, color_state(line.status), _problem(line)
        )
    return table


def _problem(line: "RequestLine") -> Text:
    return Text(", ".join(dict.fromkeys(filter(None, (line.problem, line.attention, line.trouble)))), "red")


def _build_identity_fact(view: FollowUpShow) -> tuple[str, str]:
    return view.type, f"{view.id}  {view.kind}"


def _list_campaign_facts(view: CampaignShow) -> Iterator[tuple[str, str]]:
    """Its title, window, progress and forecast, with their labels."""
    yield "campaign", f"{view.id}  {view.kind}"
    in_force = f"in force from {view.effective}" if view.effective else ""
    by_whom = f"approved by {view.approver}" if view.approver else ""
    yield "document", ", ".join(filter(None, (f"{view.title} {view.version}".strip(), in_force, by_whom)))
    late = f"late until {view.last_day}" if view.last_day > view.due else ""
    window_parts = (f"opens {stamp(view.opens_at)}", f"last day {view.due}", late)
    yield "window", ", ".join(filter(None, window_parts))
    counts = view.counts
    if counts.total:
        share = f"{100 * counts.done_count // counts.required_count} %, " if counts.required_count else ""
        yield "progress", f"{bar(counts)} {share}{counts.done_count:,} of {counts.required_count:,}"
        yield "people", ", ".join(f"{count:,} {label}" for label, count in counts.in_words)
    if isinstance(view, CampaignOverview) and view.forecast:
        yield "forecast", _in_words(view.forecast)


def _in_words(forecast: Forecast) -> str:
    if forecast.everybody_by:
        return f"at this pace everybody by {_day(forecast.everybody_by)}"
    return f"at this pace about {forecast.missing:,} will not have acknowledged at the close"


def _describe_file(file: KeptFile | None) -> str:
    return f"{file.bytes:,} bytes, SHA-256 {file.sha256}" if file else ""


def _day(instant: datetime) -> str:
    return f"{instant:%a %d %b %Y}"


TABLES: Final[dict[Kind, KindTables[Any]]] = {
    Kind.REQUEST: KindTables[RequestShow](
        facts=lambda view: (
            _build_identity_fact(view),
            ("document", view.document),
            ("signed document", _describe_file(view.signed_document)),
            ("signing log", _describe_file(view.signing_log)),
        ),
        tables=_show_reviewers_and_signers,
        rows=make_rows_builder(Kind.REQUEST, "document", "requester"),
    ),
    Kind.TASK: KindTables[TaskShow](
        facts=lambda view: (_build_identity_fact(view), ("title", view.title), ("text", view.text)),
        tables=assignees,
        rows=make_rows_builder(Kind.TASK, "title", "owner"),
    ),
    Kind.ONBOARDING: KindTables[OnboardingShow](
        facts=lambda view: (_build_identity_fact(view), ("customer", view.title)), tables=_stages, rows=_of_onboardings
    ),
    Kind.CAMPAIGN: KindTables[CampaignShow](
        facts=_list_campaign_facts,
        tables=_groups,
        rows=make_rows_builder(Kind.CAMPAIGN, "document", "owner"),
        newest=2,
        shows_deadlines=False,
    ),
}
"""What the command prints of each kind; a further kind adds its own."""


def _view_parts(view: Shown, in_full: bool, names: Names) -> Iterator[RenderableType]:
    yield Sentence(_replace_ids(view.says, names), "bold")
    yield ZoneLine()
    yield _facts(view, names)
    yield from TABLES[view.type].tables(view, in_full, names)
    yield from _section(("asked", "person", "question", "answer"), map(_question, view.questions))
    yield from _section(("target", "state", "attempts", "at", "why"), map(_hand_off, _list_open_handoffs(view)))
    happened = list(_happened(view))
    newest = happened if in_full else happened[-TABLES[view.type].newest :]
    yield from _section(("at", "what", "who", "why"), newest)
    yield from _left_out(view, len(happened) - len(newest))


def _facts(view: Shown, names: Names) -> FactTable:
    facts = FactTable()
    for label, text in TABLES[view.type].facts(view):
        if text:
            facts.add(label, text)
    for waiting in view.waiting_for[:_WAITING]:
        facts.add("waiting for", f"{_named(_name_waiting(waiting), names)}, since {stamp(waiting.since)}")
    if (further := len(view.waiting_for) - _WAITING) > 0:
        facts.add("waiting for", f"{further} more (--json has them)")
    if view.next:
        facts.add("next", " ".join(filter(None, (view.next.what, stamp(view.next.at), f"({view.next.why})"))))
    if TABLES[view.type].shows_deadlines:
        for label, instant in deadlines(view):
            facts.add(label, stamp(instant))
    if view.problem:
        facts.add("problem", f"{view.problem.code}: {view.problem.says}", "red")
    for remark in view.attention:
        facts.add("attention", f"{remark.code}, since {stamp(remark.since)}: {remark.says}", "yellow")
    return facts


def _replace_ids(sentence: str, names: Names) -> str:
    for id, name in names.items():
        sentence = sentence.replace(id, name)
    return sentence


def _happened(view: FollowUpShow) -> Iterator[tuple[Cell, ...]]:
    """Timeline and notices as one list, oldest first; both of one notice are joined."""
    notices = [line for line in view.notifications if not is_needless(line)]
    handed_off = [line for line in view.handoffs if line.state is HandoffState.DONE]
    reported = {*map(told_entry, notices), *map(handed_off_entry, handed_off)}
    entries: list[tuple[datetime, tuple[Cell, ...]]] = [
        *((entry.at, _event(entry)) for entry in told_once(view.timeline) if entry not in reported),
        *((line.at, _notice(line)) for line in notices),
        *((line.at, (PrintedInstant(line.at), "told downstream", _target(line), line.key)) for line in handed_off),
    ]
    return (row for _, row in sorted(entries, key=lambda entry: entry[0]))


def _list_open_handoffs(view: FollowUpShow) -> Iterator[HandoffLine]:
    return (line for line in view.handoffs if line.state is not HandoffState.DONE)


def _left_out(view: FollowUpShow, older: int) -> Iterator[RenderableType]:
    if older + view.earlier > 0:
        yield Text(f"and {older + view.earlier} earlier (--all has them)", "dim")
    if needless := sum(map(is_needless, view.notifications)):
        yield Text(f"and {needless} planned ones that were not needed any more (--json has them)", "dim")


def _notice(line: Notification) -> tuple[Cell, ...]:
    return PrintedInstant(line.at), stage_words(line.stage), line.person, f"{line.channel}: {outcome_words(line)}"


def _question(question: AskedQuestion) -> tuple[Cell, ...]:
    return (
        PrintedInstant(question.at),
        question.person,
        question.text,
        question.answer or Text("not answered yet", "yellow"),
    )


def _hand_off(line: HandoffLine) -> tuple[Cell, ...]:
    next_attempt = f"again {stamp(line.due_at)}" if line.due_at and line.attempts else ""
    reason = ", ".join(filter(None, (line.why, next_attempt, line.key)))
    return _target(line), color_state(line.state), str(line.attempts), PrintedInstant(line.at), reason


def _target(line: HandoffLine) -> str:
    return f"{line.target} (replay {line.replay})" if line.replay else line.target


def _event(entry: TimelineEntry) -> tuple[Cell, ...]:
    event = "signed by everybody" if entry.happened == EventType.SIGNED and is_outcome(entry) else entry.what
    return PrintedInstant(entry.at), event, entry.who or "", entry.because


def _of_notices(recipients: "Sequence[NoticesOf]") -> Group:
    """Notices by person, most first; the rest of many in one row."""
    table = Rows("person", "at once", "later", whole_columns=("person",))
    for recipient in recipients[:_PEOPLE_AT_MOST]:
        table.add(recipient.person, f"{recipient.at_once:,}", f"{recipient.later:,}")
    remaining = recipients[_PEOPLE_AT_MOST:]
    max_notices = max((recipient.at_once + recipient.later for recipient in remaining), default=0)
    remark = [Text(f"and {len(remaining):,} more people, {max_notices:,} at most each", "dim")] if remaining else []
    return Group(table, *remark)
