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
from starter.cli.terminal import Cell, Facts, Instant, Rows, Sentence, ZoneLine
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


def of_shown(shown: Shown, *, whole: bool = True, names: Names = MappingProxyType({})) -> Group:
    """A summary, then everything; without `whole` only the newest entries. `names` are of people whose ids say
    nothing.
    """
    return Group(*_shown(shown, whole, names))


def state_of(state: str, words: str = "") -> Text:
    """A state in its colour."""
    return Text(words or state, "green" if state in _GOOD else "red" if state in _BAD else "")


def _shown(shown: Shown, whole: bool, names: Names) -> Iterator[RenderableType]:
    yield Sentence(_in_names(shown.says, names), "bold")
    yield ZoneLine()
    yield _facts(shown, names)
    yield from TABLES[shown.type].people(shown, whole, names)
    yield from _section(("asked", "person", "question", "answer"), map(_question, shown.questions))
    yield from _section(("target", "state", "attempts", "at", "why"), map(_hand_off, _untold(shown)))
    happened = list(_happened(shown))
    newest = happened if whole else happened[-TABLES[shown.type].newest :]
    yield from _section(("at", "what", "who", "why"), newest)
    yield from _left_out(shown, len(happened) - len(newest))


def _signers(shown: RequestShow, whole: bool, names: Names) -> Iterator[RenderableType]:
    """Its reviewers by version, then its signers."""
    versions = {one.number: one for one in shown.versions}
    rows = (_review(one, versions[one.round], names) for one in shown.reviews if one.round in versions)
    yield from _section(("version", "reviewer", "state", "at", "says"), rows)
    signers = shown.signers if whole else _pressing(shown.signers)
    yield from _section(("signer", "role", "state", "at"), (_signer(one, names) for one in signers))
    yield from _beyond(len(shown.signers) - len(signers), "signers")


def assignees(shown: FollowUpShow, whole: bool, names: Names) -> Iterator[RenderableType]:
    """Who was asked, and how each has answered; without `whole` of many those who have not acted yet."""
    people = shown.lines if whole else _pressing(shown.lines)
    yield from _section(("asked", "state", "at"), (_assignee(one, names) for one in people))
    yield from _beyond(len(shown.lines) - len(people), "people")


def _stages(shown: OnboardingShow, whole: bool, names: Names) -> Iterator[RenderableType]:
    yield from _section(("stage", "part", "state", "with", "since", "until"), _parts(shown))


def _groups(shown: CampaignShow, whole: bool, names: Names) -> Iterator[RenderableType]:
    """People missing by department and by manager; nothing if nobody is."""
    if isinstance(shown, CampaignOverview):
        named = (("department", shown.departments), ("manager", shown.managers))
        if tables := [_missing(what, found, whole) for what, found in named if any(one.missing for one in found)]:
            yield from (Text(""), Beside(tables))


def _missing(what: str, found: Sequence[OutcomeGroup], whole: bool) -> Rows:
    table = Rows(what, "open", "of")
    missing = [group for group in found if group.missing]
    shown = missing if whole else missing[:_WORST]
    for group in shown:
        table.add(group.name or "–", f"{group.missing:,}", f"{group.counts.wanted:,}")
    if more := len(missing) - len(shown):
        table.add(f"and {more:,} more", "", "")
    return table


@dataclass(frozen=True)
class Beside:
    """Tables side by side, or below each other on a narrow terminal."""

    tables: Sequence[Rows]

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        if console.is_terminal:
            yield Columns(self.tables, padding=(0, 4))
        else:
            yield from self.tables


def _beyond(left: int, who: str) -> Iterator[RenderableType]:
    if left:
        yield Text(f"and {left} more {who} (--all has them)", "dim")


def _facts(shown: Shown, names: Names) -> Facts:
    facts = Facts()
    for what, says in TABLES[shown.type].about(shown):
        if says:
            facts.add(what, says)
    for waiting in shown.waiting_for[:_WAITING]:
        facts.add("waiting for", f"{_named(_who(waiting), names)}, since {stamp(waiting.since)}")
    if (more := len(shown.waiting_for) - _WAITING) > 0:
        facts.add("waiting for", f"{more} more (--json has them)")
    if shown.next:
        facts.add("next", " ".join(filter(None, (shown.next.what, stamp(shown.next.at), f"({shown.next.why})"))))
    if TABLES[shown.type].deadlines:
        for what, at in deadlines(shown):
            facts.add(what, stamp(at))
    if shown.problem:
        facts.add("problem", f"{shown.problem.code}: {shown.problem.says}", "red")
    for one in shown.attention:
        facts.add("attention", f"{one.code}, since {stamp(one.since)}: {one.says}", "yellow")
    return facts


def _parts(shown: OnboardingShow) -> Iterator[tuple[Cell, ...]]:
    """A tree: each stage with its parts, and who has to act."""
    waiting = {one.part: one for one in reversed(shown.waiting_for)}
    for stage in shown.stages:
        ended = stage.state == "done"
        yield stage.name, "", state_of(stage.state), "", Instant(stage.since), Instant(stage.at if ended else None)
        for part in stage.parts:
            turn = waiting.get(part.id)
            with_whom, since = (_who(turn, of_part=True), turn.since) if turn else (part.team or "", part.since)
            until = Instant(part.at or part.due_at)
            yield "", f"{part.id}: {part.title}", state_of(_state(part)), with_whom, Instant(since), until
        for news in stage.notices:
            yield "", f"{news.id}: {news.title}", state_of(news.state), news.to, Instant(news.at), ""


def _who(waiting: WaitingFor, *, of_part: bool = False) -> str:
    if not isinstance(waiting, WaitingPart):
        return waiting.person
    who = waiting.person if waiting.who == waiting.person else f"{waiting.person} ({waiting.who})"
    return who if of_part else f"{who}: {waiting.what}"


def _in_names(sentence: str, names: Names) -> str:
    for id, name in names.items():
        sentence = sentence.replace(id, name)
    return sentence


def _named(id: str, names: Names) -> str:
    return f"{id} ({names[id]})" if id in names else id


def _state(part: PartLine) -> str:
    return str(part.status or part.state)


def _pressing(signers: tuple[Line, ...]) -> tuple[Line, ...]:
    """In a crowd those who have not acted come first."""
    if len(signers) <= _SIGNERS:
        return signers
    return tuple(sorted(signers, key=lambda line: line.state in _GOOD)[:_SIGNERS])


def _happened(shown: FollowUpShow) -> Iterator[tuple[Cell, ...]]:
    """Timeline and notices as one list, oldest first; both of one notice are joined."""
    notices = [line for line in shown.notifications if not is_needless(line)]
    told = [line for line in shown.handoffs if line.state is HandoffState.DONE]
    said = {*map(told_entry, notices), *map(handed_off_entry, told)}
    entries: list[tuple[datetime, tuple[Cell, ...]]] = [
        *((entry.at, _event(entry)) for entry in told_once(shown.timeline) if entry not in said),
        *((line.at, _notice(line)) for line in notices),
        *((line.at, (Instant(line.at), "told downstream", _target(line), line.key)) for line in told),
    ]
    return (row for _, row in sorted(entries, key=lambda entry: entry[0]))


def _untold(shown: FollowUpShow) -> Iterator[HandoffLine]:
    return (line for line in shown.handoffs if line.state is not HandoffState.DONE)


def _left_out(shown: FollowUpShow, older: int) -> Iterator[RenderableType]:
    if older + shown.earlier > 0:
        yield Text(f"and {older + shown.earlier} earlier (--all has them)", "dim")
    if needless := sum(map(is_needless, shown.notifications)):
        yield Text(f"and {needless} planned ones that were not needed any more (--json has them)", "dim")


def _section(columns: tuple[str, ...], rows: Iterable[tuple[Cell, ...]]) -> Iterator[RenderableType]:
    table = Rows(*columns, whole=_IDS)
    for row in rows:
        table.add(*row)
    if table:
        yield Text("")
        yield table


def _signer(line: SignerLine, names: Names) -> tuple[Cell, ...]:
    return (
        f"{line.order}. {_named(line.person, names)}",
        line.role,
        state_of(line.state, line.state.english),
        Instant(line.at),
    )


def _review(line: ReviewLine, version: DocumentVersion, names: Names) -> tuple[Cell, ...]:
    team = f" ({line.team})" if line.team else ""
    words = "is to give a new version" if line.role is Role.REVISE and line.at is None else line.state.english
    says = line.reason or ""
    return (
        f"{version.number} · {(version.sha256 or '')[:12]}",
        f"{_named(line.person, names)}{team}",
        state_of(line.state, words),
        Instant(line.at),
        says,
    )


def _assignee(line: SignerLine | AssigneeLine, names: Names) -> tuple[Cell, ...]:
    return _named(line.person, names), state_of(line.state), Instant(line.at)


def _notice(line: Notification) -> tuple[Cell, ...]:
    return Instant(line.at), stage_words(line.stage), line.person, f"{line.channel}: {outcome_words(line)}"


def _question(question: AskedQuestion) -> tuple[Cell, ...]:
    return Instant(question.at), question.person, question.text, question.answer or Text("not answered yet", "yellow")


def _hand_off(line: HandoffLine) -> tuple[Cell, ...]:
    again = f"again {stamp(line.due_at)}" if line.due_at and line.attempts else ""
    says = ", ".join(filter(None, (line.why, again, line.key)))
    return _target(line), state_of(line.state), str(line.attempts), Instant(line.at), says


def _target(line: HandoffLine) -> str:
    return f"{line.target} (replay {line.replay})" if line.replay else line.target


def _event(entry: TimelineEntry) -> tuple[Cell, ...]:
    what = "signed by everybody" if entry.happened == EventType.SIGNED and is_outcome(entry) else entry.what
    return Instant(entry.at), what, entry.who or "", entry.because


_NAMED_AT_MOST: Final = 100
"""Starts listed with links; of more only those that were not started."""

_PEOPLE_AT_MOST: Final = 20
"""People listed in a dry run's count of notices."""


def of_start(started: "StartAnswer", ended: str | None = None) -> Group:
    """Whether it was started or found, how that one `ended`, and how to see it."""
    kind = known.kind if (known := named(started.workflow_id)) else Kind.REQUEST
    what = "started" if started.created else f"was there before: the same {kind}, not started again"
    return Group(
        Text(f"{started.id} {what}", "bold"),
        *([Sentence(ended, "yellow")] if ended else []),
        Text(f"countersign {kind.spec.command} show {started.id}", "dim"),
    )


def of_dry_run(prepared: "Sequence[PreparedRequest]") -> Group:
    """What would be started, and the notices of each person."""
    from starter.cli.bulk_notice import notices  # noqa: PLC0415  whoever lists requests does not wait for what starts them

    table = Rows("request", "document", "kind", "requester", "signers", "due", whole=("request", "kind", "requester"))
    for one in prepared:
        brief, due = one.request.brief, one.request.due
        signers = tuple(one.person for one in brief.people)
        until = Instant(due) if isinstance(due, datetime) else str(due or "")
        table.add(brief.id, brief.title, brief.kind, brief.requester, signers, until)
    requests = "1 request" if len(prepared) == 1 else f"{len(prepared):,} requests"
    head = Text(f"All correct: {requests} would be started; nothing was started", "bold")
    return Group(head, table, Text("Notices, without reminders:", "bold"), _of_notices(notices(prepared)))


def _of_notices(each: "Sequence[NoticesOf]") -> Group:
    """Notices by person, most first; the rest of many in one row."""
    table = Rows("person", "at once", "later", whole=("person",))
    for one in each[:_PEOPLE_AT_MOST]:
        table.add(one.person, f"{one.at_once:,}", f"{one.later:,}")
    rest = each[_PEOPLE_AT_MOST:]
    most = max((one.at_once + one.later for one in rest), default=0)
    more = [Text(f"and {len(rest):,} more people, {most:,} at most each", "dim")] if rest else []
    return Group(table, *more)


def of_many(outcomes: "Sequence[StartOutcome]", *, each: bool) -> Group:
    """Of more than a hundred only those that were not started."""
    started = sum(one.started is not None and one.started.created for one in outcomes)
    before = sum(one.started is not None and not one.started.created for one in outcomes)
    failed = [one for one in outcomes if one.started is None]
    counts = [f"{started:,} started"]
    counts += [f"{before:,} were there before"] if before else []
    counts += [f"{len(failed):,} not started"] if failed else []
    named = outcomes if each and len(outcomes) <= _NAMED_AT_MOST else failed
    kind = next((str(one.kind) for one in named), "")
    table = Rows(kind, "result", "link", whole=(kind,))
    for one in named[:_NAMED_AT_MOST]:
        link = one.started.url if one.started else None
        table.add(one.id, Text(one.words, "" if one.started else "red"), link or "")
    return Group(Text(", ".join(counts), "bold"), *([table] if named else []))


def of_list(lines: "Iterable[RequestLine]", kind: Kind = Kind.REQUEST) -> Group:
    return Group(TABLES[kind].rows(lines), ZoneLine())


def _rows(kind: Kind, title: str, asking: str, lines: "Iterable[RequestLine]") -> Rows:
    # Each with who has to act, since when and until when; the columns of what it is about and who asked are named.
    table = Rows(
        kind, title, "kind", "status", "waiting for", "since", "due", asking, "problem",
        whole=(kind, "kind", "status", asking), spare=("kind", asking),
    )  # fmt: skip
    for line in lines:
        problem = _problem(line)
        how = "bold red" if line.overdue else ""
        due = Text(f"{line.last_day}", how) if line.last_day else Instant(line.due_at, how)
        since = Instant(line.since, ago=True)
        waiting, status = line.waiting_for, state_of(line.status)
        table.add(line.id, line.document, line.kind, status, waiting, since, due, line.requester, problem)
    return table


def _of_onboardings(lines: "Iterable[RequestLine]") -> Rows:
    # With stage, who is waited for, and since when.
    table = Rows(
        "onboarding", "customer", "stage", "with", "since", "status", "problem", whole=("onboarding", "status")
    )
    for line in lines:
        with_whom, since = tuple(dict.fromkeys(line.waiting_for)), Instant(line.since, ago=True)
        table.add(line.id, line.document, line.stage, with_whom, since, state_of(line.status), _problem(line))
    return table


def _problem(line: "RequestLine") -> Text:
    return Text(", ".join(dict.fromkeys(filter(None, (line.problem, line.attention, line.trouble)))), "red")


@dataclass(frozen=True, kw_only=True)
class KindTables(Generic[AnyShow]):
    """What the command prints of a kind: `about` its first lines, `people` its tables with or without all rows, `rows`
    the list.
    """

    about: Callable[[AnyShow], Iterable[tuple[str, str]]]
    people: Callable[[AnyShow, bool, Names], Iterator[RenderableType]]
    rows: Callable[["Iterable[RequestLine]"], Rows]
    newest: int = _NEWEST
    """Lines of what happened, unless all are asked for."""
    deadlines: bool = True
    """Whether its due date and its close are said, which `about` may have said already."""


def rows_of(kind: Kind, title: str, asking: str) -> Callable[["Iterable[RequestLine]"], Rows]:
    """The usual list of a kind; `title` is the head of the column of what it is about, `asking` of who asked for it."""
    return partial(_rows, kind, title, asking)


def _head(shown: FollowUpShow) -> tuple[str, str]:
    return shown.type, f"{shown.id}  {shown.kind}"


def _of_campaign(shown: CampaignShow) -> Iterator[tuple[str, str]]:
    """Its title, window, progress and forecast, with their labels."""
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
        yield "people", ", ".join(f"{count:,} {label}" for label, count in counts.in_words)
    if isinstance(shown, CampaignOverview) and shown.forecast:
        yield "forecast", _in_words(shown.forecast)


def _in_words(forecast: Forecast) -> str:
    if forecast.everybody_by:
        return f"at this pace everybody by {_day(forecast.everybody_by)}"
    return f"at this pace about {forecast.missing:,} will not have acknowledged at the close"


def _kept(file: KeptFile | None) -> str:
    return f"{file.bytes:,} bytes, SHA-256 {file.sha256}" if file else ""


def _day(at: datetime) -> str:
    return f"{at:%a %d %b %Y}"


TABLES: Final[dict[Kind, KindTables[Any]]] = {
    Kind.REQUEST: KindTables[RequestShow](
        about=lambda shown: (
            _head(shown),
            ("document", shown.document),
            ("signed document", _kept(shown.signed_document)),
            ("signing log", _kept(shown.signing_log)),
        ),
        people=_signers,
        rows=rows_of(Kind.REQUEST, "document", "requester"),
    ),
    Kind.TASK: KindTables[TaskShow](
        about=lambda shown: (_head(shown), ("title", shown.title), ("text", shown.text)),
        people=assignees,
        rows=rows_of(Kind.TASK, "title", "owner"),
    ),
    Kind.ONBOARDING: KindTables[OnboardingShow](
        about=lambda shown: (_head(shown), ("customer", shown.title)), people=_stages, rows=_of_onboardings
    ),
    Kind.CAMPAIGN: KindTables[CampaignShow](
        about=_of_campaign,
        people=_groups,
        rows=rows_of(Kind.CAMPAIGN, "document", "owner"),
        newest=2,
        deadlines=False,
    ),
}
"""What the command prints of each kind; a further kind adds its own."""
