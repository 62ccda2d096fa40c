"""What people read of everything but one request (showing.py): lists, starts, what is set up."""

from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import TYPE_CHECKING, Final

from rich.console import Group
from rich.text import Text

from starter.rows import Rows
from starter.showing import state_of
from starter.terminal import Instant, Sentence, ZoneLine
from workflows.kinds import Kind, named

if TYPE_CHECKING:  # Whoever lists requests does not wait for what starts them.
    from activities.requests.input import PreparedRequest
    from starter.listing.rows import RequestLine
    from starter.many import StartOutcome
    from starter.requests import StartAnswer
    from starter.together import NoticesOf

_HEADS: Final = {
    Kind.REQUEST: ("document", "requester"),
    Kind.TASK: ("title", "owner"),
    Kind.ONBOARDING: ("customer", "owner"),
    Kind.CAMPAIGN: ("document", "owner"),
}
"""What a list calls what each is about, and who asked for it."""
_NAMED_AT_MOST: Final = 100
"""As many of one start are named with their links; of more those alone that were not started, as many."""

_PEOPLE_AT_MOST: Final = 20
"""Whose notices a dry run counts one by one."""


def of_start(started: "StartAnswer", ended: str | None = None) -> Group:
    """Whether it was started or found, how that one has `ended`, and how to look at it."""
    kind = known.kind if (known := named(started.workflow_id)) else Kind.REQUEST
    what = "started" if started.created else f"was there before: the same {kind}, not started again"
    return Group(
        Text(f"{started.id} {what}", "bold"),
        *([Sentence(ended, "yellow")] if ended else []),
        Text(f"countersign {kind.names.command} show {started.id}", "dim"),
    )


def of_dry_run(prepared: "Sequence[PreparedRequest]") -> Group:
    """What would be started, and how many notices each person gets of it."""
    from starter.together import notices  # noqa: PLC0415  whoever lists requests does not wait for what starts them

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
    """How many notices each person gets, most first; of many the others together."""
    table = Rows("person", "at once", "later", whole=("person",))
    for one in each[:_PEOPLE_AT_MOST]:
        table.add(one.person, f"{one.at_once:,}", f"{one.later:,}")
    rest = each[_PEOPLE_AT_MOST:]
    most = max((one.at_once + one.later for one in rest), default=0)
    more = [Text(f"and {len(rest):,} more people, {most:,} at most each", "dim")] if rest else []
    return Group(table, *more)


def of_many(outcomes: "Sequence[StartOutcome]", *, each: bool) -> Group:
    """How many were started, with `each` and its link; of more than a hundred only those that were not."""
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
    """One line each of those of a kind."""
    if kind is Kind.ONBOARDING:
        return Group(_of_onboardings(lines), ZoneLine())
    title, asking = _HEADS[kind]
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
    return Group(table, ZoneLine())


def _of_onboardings(lines: "Iterable[RequestLine]") -> Rows:
    """Each with its stage, with whom it is and since when."""
    table = Rows(
        "onboarding", "customer", "stage", "with", "since", "status", "problem", whole=("onboarding", "status")
    )
    for line in lines:
        with_whom, since = tuple(dict.fromkeys(line.waiting_for)), Instant(line.since, ago=True)
        table.add(line.id, line.document, line.stage, with_whom, since, state_of(line.status), _problem(line))
    return table


def _problem(line: "RequestLine") -> Text:
    return Text(", ".join(dict.fromkeys(filter(None, (line.problem, line.attention, line.trouble)))), "red")
