"""What people read on a terminal of 80 columns: one request for the person on call, or a list."""

from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING, Final

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from starter.terminal import Cell, Instant, Rows, ZoneLine
from workflows.model.entries import AskedQuestion, TimelineEntry
from workflows.model.notices import Notification
from workflows.model.settlement import HandoffLine
from workflows.model.views import RequestShow, SignerLine
from workflows.signature.show import deadlines, is_needless, outcome_words, stamp

if TYPE_CHECKING:  # Whoever shows one request does not wait for what starts and lists them.
    from starter.listing.rows import RequestLine
    from starter.requests import StartAnswer

_GOOD: Final = ("signed", "approved", "done", "accepted")
_BAD: Final = ("declined", "cancelled", "expired", "failed", "dead", "bounced")


def of_request(shown: RequestShow) -> Group:
    """Everything about one request, the answer first: one sentence, then who, until when, what next, then the rest."""
    return Group(*_request(shown))


def of_start(started: "StartAnswer") -> Group:
    """Whether it was started or found, and how to look at it."""
    what = "started" if started.created else "was there before: the same request, not started again"
    return Group(Text(f"{started.id} {what}", "bold"), Text(f"countersign request show {started.id}", "dim"))


def of_list(lines: "Iterable[RequestLine]") -> Group:
    """One line a request."""
    table = Rows(
        "request", "document", "kind", "status", "waiting for", "since", "due", "requester", "problem",
        whole=("request", "status"),
    )  # fmt: skip
    for line in lines:
        problem = Text(", ".join(dict.fromkeys(filter(None, (line.problem, line.attention, line.trouble)))), "red")
        due = Instant(line.due_at, "bold red" if line.overdue else "")
        since = Instant(line.since, ago=True)
        waiting, status = line.waiting_for, _state(line.status)
        table.add(line.id, line.document, line.kind, status, waiting, since, due, line.requester, problem)
    return Group(table, ZoneLine())


def _request(shown: RequestShow) -> Iterator[RenderableType]:
    yield Text(shown.says, "bold")
    yield _facts(shown)
    yield ZoneLine()
    yield from _section("Signers", ("person", "role", "state", "at"), map(_signer, shown.signers))
    yield from _notices(shown)
    yield from _section("Questions", ("asked", "person", "question", "answer"), map(_question, shown.questions))
    yield from _section("Told downstream", ("target", "state", "attempts", "at", "why"), map(_hand_off, shown.handoffs))
    yield from _section("What happened", ("at", "what", "who", "why"), map(_event, shown.timeline))


def _notices(shown: RequestShow) -> Iterator[RenderableType]:
    """The ledger; what was planned and lost its purpose is counted, so that the rest is not drowned."""
    told = [line for line in shown.notifications if not is_needless(line)]
    yield from _section("Notices", ("at", "stage", "person", "channel", "outcome"), map(_notice, told))
    if needless := len(shown.notifications) - len(told):
        yield Text(f"and {needless} planned ones that were not needed any more (--json has them)", "dim")
    if shown.earlier:
        yield Text(f"and {shown.earlier} earlier ones (--all has them)", "dim")


def _facts(shown: RequestShow) -> Table:
    facts = Table.grid(padding=(0, 2))
    facts.add_column(style="dim")
    facts.add_column(overflow="fold")
    facts.add_row("request", f"{shown.id}  {shown.kind}")
    if shown.document:
        facts.add_row("document", shown.document)
    for waiting in shown.waiting_for:
        facts.add_row("waiting for", f"{waiting.person}, since {stamp(waiting.since)}")
    if shown.next:
        facts.add_row("next", " ".join(filter(None, (shown.next.what, stamp(shown.next.at), f"({shown.next.why})"))))
    for what, at in deadlines(shown):
        facts.add_row(what, stamp(at))
    if shown.problem:
        facts.add_row("problem", Text(f"{shown.problem.code}: {shown.problem.says}", "red"))
    for one in shown.attention:
        facts.add_row("attention", Text(f"{one.code}, since {stamp(one.since)}: {one.says}", "yellow"))
    return facts


def _section(title: str, columns: tuple[str, ...], rows: Iterable[tuple[Cell, ...]]) -> Iterator[RenderableType]:
    table = Rows(*columns)
    for row in rows:
        table.add(*row)
    if table:
        yield Text(f"\n{title}", "bold")
        yield table


def _signer(line: SignerLine) -> tuple[Cell, ...]:
    return f"{line.order}. {line.person}", line.role, _state(line.state), Instant(line.at)


def _notice(line: Notification) -> tuple[Cell, ...]:
    return Instant(line.at), line.stage, line.person, line.channel, outcome_words(line)


def _question(question: AskedQuestion) -> tuple[Cell, ...]:
    return Instant(question.at), question.person, question.text, question.answer or Text("not answered yet", "yellow")


def _hand_off(line: HandoffLine) -> tuple[Cell, ...]:
    return line.target, _state(line.state), str(line.attempts), Instant(line.at), line.why or ""


def _event(entry: TimelineEntry) -> tuple[Cell, ...]:
    return Instant(entry.at), entry.what, entry.who or "", entry.why or ""


def _state(state: str) -> Text:
    if state in _GOOD:
        return Text(state, "green")
    return Text(state, "red" if state in _BAD else "")
