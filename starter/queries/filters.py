"""Filters of lists, and their visibility queries."""

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import Enum
from typing import Final

from temporalio.client import Client
from temporalio.service import RPCError, RPCStatusCode

from activities.errors import ID_PATTERN, nearest
from activities.records.ended import EndedFilter
from activities.temporal import executions
from starter.errors import Refusal
from starter.temporal.search_attributes import STUCK
from workflows import names
from workflows.kinds import Kind, WorkflowName, kinds, named
from workflows.model.subject import Status, group_of


def is_request_id(text: str) -> bool:
    """Whether it is a possible request id; others could be paths in the store."""
    return re.fullmatch(ID_PATTERN, text) is not None


def request_id(typed: str) -> str:
    return id_of(Kind.REQUEST, typed)


def id_of(kind: Kind, typed: str) -> str:
    """The id of one of this kind; `Refusal` for workflow ids of other kinds, and impossible ids."""
    prefix = kind.workflow_id("")
    id = typed.removeprefix(prefix)
    if not is_request_id(id):
        raise Refusal(
            f'"{typed}" is no {kind}: expected an id of 1-100 characters of A-Z a-z 0-9 . _ -, or {prefix}<id>'
        )
    return id


def followed_up(typed: str) -> WorkflowName:
    """The workflow of this workflow id or request id; `Refusal` otherwise."""
    known = named(typed)
    if known is None and ":" in typed:
        whole = ", ".join(kind.workflow_id("ID") for kind in kinds())
        raise Refusal(f'"{typed}" is no workflow id: expected the id of a request, or one of {whole}')
    kind = known.kind if known else Kind.REQUEST
    return WorkflowName(kind, id_of(kind, typed))


_BROKEN_OFF: Final = "ExecutionStatus IN ('Terminated', 'Failed', 'TimedOut')"
_LIVING: Final = f"({executions.OPEN} OR {_BROKEN_OFF})"
"""What has no record: it runs, or it was broken off."""
_IN_TROUBLE: Final = f"({executions.OPEN} AND {names.PROBLEM.name} IS NOT NULL)"
_NEWER_WORDS: Final = (STUCK, "ExecutionStatus = 'Paused'")
"""Unknown to older servers, which refuse the whole query."""
_NOT_OF_A_CAMPAIGN: Final = (
    f"({names.PARENT.name} IS NULL OR {names.PARENT.name} NOT STARTS_WITH '{Kind.CAMPAIGN.workflow_id('')}')"
)
LIVING: Final = tuple(status for status in Status if not status.ended)
SETTLED: Final = "settled"
"""The stage in which nobody has to act any more."""


class Lateness(Enum):
    """Which part of a set; two queries, because visibility does not sort."""

    ANY = "any"
    OVERDUE = "overdue"
    IN_TIME = "in time"


@dataclass(frozen=True)
class Wanted:
    """Filters, each of which narrows. `person` has to act, or was asked if it has ended; `requester` asked; one of
    `people` either, or one of `teams`, if any, may look at it; `attention` needs an operator. Without `of_campaigns`
    their requests are left out, unless one of `people` has to act: there may be 10,000.
    """

    attention: bool = False
    statuses: tuple[Status, ...] = ()
    kind: str | None = None
    kinds: tuple[str, ...] = ()
    """Any of these."""
    person: str | None = None
    requester: str | None = None
    overdue: bool = False
    people: tuple[str, ...] = ()
    teams: tuple[str, ...] = ()
    types: tuple[str, ...] = (names.SIGNATURE_REQUEST,)
    of_campaigns: bool = True
    asked: bool = False
    """Also what runs and waits for others, if `person` was asked from its start on."""
    unnamed: tuple[str, ...] = ()
    """Those of `people` whose turn says nothing of a title, unless its kind is of `named_kinds`."""
    named_kinds: tuple[str, ...] = ()
    by_person: bool = False
    """Whether to group by which of `people` is waited for, as far as the set is sorted."""
    search: str = ""
    """Words; those whose id, title or people have words that begin with each of them."""
    ids: tuple[str, ...] | None = None
    """Workflow ids: what a search has found."""

    def __post_init__(self) -> None:
        named = (("kind", self.kind), ("person", self.person), ("requester", self.requester))
        for option, id in (*named, *(("people", one) for one in (*self.people, *self.teams))):
            if id is not None and not is_request_id(group_of(id) or id):
                raise Refusal(f"{option}: {id!r} cannot be an id, which has 1-100 characters of A-Z a-z 0-9 . _ -")

    @property
    def narrowed(self) -> bool:
        """Whether there is any filter but attention."""
        return self != Wanted(attention=self.attention, types=self.types, of_campaigns=self.of_campaigns)

    async def query(self, client: Client, at: datetime, late: Lateness = Lateness.ANY) -> str:
        """The visibility query of what runs or was broken off, for this server, as of an instant."""
        late = Lateness.OVERDUE if self.overdue else late
        words = [*self._narrowing(), *_lateness(late, at)]
        if self.attention:
            newer = "".join([f" OR ({word})" for word in _NEWER_WORDS if await _understands(client, word)])
            words.append(f"({_IN_TROUBLE} OR {_BROKEN_OFF}{newer})")
        else:
            words.append(_LIVING)
        return " AND ".join(words)

    @property
    def ended(self) -> EndedFilter | None:
        """The records of the same set, with `attention` those to be looked at; None if it has none."""
        statuses = tuple(status for status in self.statuses if status.ended)
        if self.overdue or (self.statuses and not statuses):
            return None
        return EndedFilter(
            types=self.prefixes,
            statuses=statuses,
            kind=self.kind,
            kinds=self.kinds,
            person=self.person,
            requester=self.requester,
            people=self.people,
            teams=self.teams,
            unnamed=self.unnamed if self.search else (),
            named_kinds=self.named_kinds,
            of_campaigns=self.of_campaigns,
            ids=self.ids,
            attention=self.attention,
        )

    @property
    def prefixes(self) -> tuple[str, ...]:
        """What stands before the colon of the workflow ids."""
        return tuple(kind.spec.prefix for kind in kinds() if kind.spec.workflow in self.types)

    def names_title(self, kind: str, requester: str, waiting: Iterable[str], teams: Iterable[str]) -> bool:
        """Whether the title of one in this list may be shown, searched and sorted by."""
        people = set(self.people)
        return (
            not self.unnamed
            or kind in self.named_kinds
            or requester in people
            or not (people - set(self.unnamed)).isdisjoint(waiting)
            or not set(self.teams).isdisjoint(teams)
        )

    def _narrowing(self) -> Iterator[str]:
        yield (
            f"WorkflowType IN ({_quoted(*self.types)})" if len(self.types) > 1 else f"WorkflowType = '{self.types[0]}'"
        )
        if self.statuses:
            yield f"{names.STATUS.name} IN ({_quoted(*self.statuses)})"
        for key, id in ((names.KIND, self.kind), (names.WAITING_FOR, self.person), (names.REQUESTER, self.requester)):
            if id is not None:
                yield f"{key.name} = '{id}'"
        if self.kinds:
            yield f"{names.KIND.name} IN ({_quoted(*self.kinds)})"
        alone = "" if self.of_campaigns else _NOT_OF_A_CAMPAIGN
        if self.people:
            who = _quoted(*self.people)
            asked = " AND ".join(filter(None, (f"{names.REQUESTER.name} IN ({who})", alone)))
            of_teams = f" OR {names.TEAMS.name} IN ({_quoted(*self.teams)})" if self.teams else ""
            yield f"({self._turns(who)}({asked}){of_teams})"
        elif alone:
            yield alone

    def _turns(self, who: str) -> str:
        """Turns of `who`, with OR behind them; for a search those alone whose titles may be known."""
        waiting = names.WAITING_FOR.name
        if not (self.search and self.unnamed):
            return f"{waiting} IN ({who}) OR "
        named = [person for person in self.people if person not in self.unnamed]
        of_named = f"{waiting} IN ({_quoted(*named)}) OR " if named else ""
        kinds = _quoted(*self.named_kinds)
        return of_named + (f"({waiting} IN ({who}) AND {names.KIND.name} IN ({kinds})) OR " if kinds else "")


def among(query: str, ids: tuple[str, ...]) -> str:
    """The query restricted to these workflow ids."""
    return f"({query}) AND WorkflowId IN ({_quoted(*ids)})"


def _lateness(late: Lateness, at: datetime) -> Iterator[str]:
    due, stage, now = names.DUE_AT.name, names.STAGE.name, f"'{at.astimezone(UTC).isoformat()}'"
    if late is Lateness.OVERDUE:
        yield f"{executions.OPEN} AND {stage} != '{SETTLED}' AND {due} < {now}"
    if late is Lateness.IN_TIME:
        unset = f"{stage} IS NULL OR {due} IS NULL"
        yield f"(CloseTime IS NOT NULL OR {stage} = '{SETTLED}' OR {due} >= {now} OR {unset})"


def _quoted(*words: str) -> str:
    return ", ".join(f"'{word}'" for word in words)


async def _understands(client: Client, query: str) -> bool:
    try:
        await client.count_workflows(query)
    except RPCError as error:
        if error.status is RPCStatusCode.INVALID_ARGUMENT:
            return False
        raise
    return True


_LOOKED_AT: Final = 1_000
"""The newest ones among which a similar id is searched."""
_NAMED: Final = 3


async def hint(client: Client, what: WorkflowName) -> str:
    """`, did you mean msa-0042?`, or empty."""
    found, _ = await executions.page_of(client, f"WorkflowType = '{what.kind.spec.workflow}'", size=_LOOKED_AT)
    near = nearest(what.id, (run.id.partition(":")[2] for run in found), most=_NAMED)
    return f", did you mean {' or '.join(near)}?" if near else ""
