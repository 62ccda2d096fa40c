"""Filters of lists, and their visibility queries."""

import re
from collections.abc import Iterator
from datetime import UTC, datetime
from enum import Enum
from typing import Final

from temporalio.client import Client
from temporalio.service import RPCError, RPCStatusCode

from activities.errors import ID_PATTERN, nearest
from activities.records.ended import ListFilter
from activities.temporal import executions
from starter.errors import Refusal
from starter.temporal.search_attributes import STUCK
from workflows import names
from workflows.kinds import Kind, WorkflowName, kinds, named
from workflows.model.subject import Status, group_of

_BROKEN_OFF: Final = "ExecutionStatus IN ('Terminated', 'Failed', 'TimedOut')"
_LIVING: Final = f"({executions.OPEN} OR {_BROKEN_OFF})"
"""What has no record: it runs, or it was broken off."""
_IN_TROUBLE: Final = f"({executions.OPEN} AND {names.PROBLEM.name} IS NOT NULL)"
_NEWER_WORDS: Final = (STUCK, "ExecutionStatus = 'Paused'")
"""Unknown to older servers, which refuse the whole query."""
_NOT_OF_A_CAMPAIGN: Final = (
    f"({names.PARENT.name} IS NULL OR {names.PARENT.name} NOT STARTS_WITH '{Kind.CAMPAIGN.workflow_id('')}')"
)
LIVING: Final = tuple(status for status in Status if not status.has_ended)
SETTLED: Final = "settled"
"""The stage in which nobody has to act any more."""
_LOOKED_AT: Final = 1_000
"""The newest ones among which a similar id is searched."""
_NAMED: Final = 3


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
    workflow = named(typed)
    if workflow is None and ":" in typed:
        id_forms = ", ".join(kind.workflow_id("ID") for kind in kinds())
        raise Refusal(f'"{typed}" is no workflow id: expected the id of a request, or one of {id_forms}')
    kind = workflow.kind if workflow else Kind.REQUEST
    return WorkflowName(kind, id_of(kind, typed))


class Lateness(Enum):
    """Which part of a set; two queries, because visibility does not sort."""

    ANY = "any"
    OVERDUE = "overdue"
    IN_TIME = "in time"


async def visibility_query(
    client: Client, list_filter: ListFilter, instant: datetime, late: Lateness = Lateness.ANY
) -> str:
    """The query of what runs or was broken off, for this server, as of an instant; `Refusal` for an impossible id."""
    refuse_impossible_ids(list_filter)
    conditions = [*_narrowing(list_filter), *_lateness(Lateness.OVERDUE if list_filter.overdue else late, instant)]
    if list_filter.attention:
        newer = "".join([f" OR ({condition})" for condition in _NEWER_WORDS if await _understands(client, condition)])
        conditions.append(f"({_IN_TROUBLE} OR {_BROKEN_OFF}{newer})")
    else:
        conditions.append(_LIVING)
    return " AND ".join(conditions)


def refuse_impossible_ids(list_filter: ListFilter) -> None:
    """`Refusal` for an id that nobody can have, and that could be more than a word of a query."""
    named = (("kind", list_filter.kind), ("person", list_filter.person), ("requester", list_filter.requester))
    for option, id in (*named, *(("people", person) for person in (*list_filter.people, *list_filter.teams))):
        if id is not None and not is_request_id(group_of(id) or id):
            raise Refusal(f"{option}: {id!r} cannot be an id, which has 1-100 characters of A-Z a-z 0-9 . _ -")


def among(query: str, ids: tuple[str, ...]) -> str:
    """The query restricted to these workflow ids."""
    return f"({query}) AND WorkflowId IN ({_quoted(*ids)})"


async def hint(client: Client, workflow: WorkflowName) -> str:
    """`, did you mean msa-0042?`, or empty."""
    newest_runs, _ = await executions.page_of(
        client, f"WorkflowType = '{workflow.kind.spec.workflow}'", size=_LOOKED_AT
    )
    similar_ids = nearest(workflow.id, (run.id.partition(":")[2] for run in newest_runs), limit=_NAMED)
    return f", did you mean {' or '.join(similar_ids)}?" if similar_ids else ""


def _narrowing(list_filter: ListFilter) -> Iterator[str]:
    types = [kind.spec.workflow for kind in kinds() if kind.spec.prefix in list_filter.types]
    yield f"WorkflowType IN ({_quoted(*types)})" if len(types) > 1 else f"WorkflowType = '{types[0]}'"
    if list_filter.statuses:
        yield f"{names.STATUS.name} IN ({_quoted(*list_filter.statuses)})"
    attributes = (
        (names.KIND, list_filter.kind),
        (names.WAITING_FOR, list_filter.person),
        (names.REQUESTER, list_filter.requester),
    )
    for attribute, id in attributes:
        if id is not None:
            yield f"{attribute.name} = '{id}'"
    if list_filter.kinds:
        yield f"{names.KIND.name} IN ({_quoted(*list_filter.kinds)})"
    alone = "" if list_filter.of_campaigns else _NOT_OF_A_CAMPAIGN
    if list_filter.people:
        people = _quoted(*list_filter.people)
        requested = " AND ".join(filter(None, (f"{names.REQUESTER.name} IN ({people})", alone)))
        of_teams = f" OR {names.TEAMS.name} IN ({_quoted(*list_filter.teams)})" if list_filter.teams else ""
        yield f"({_turns(list_filter, people)}({requested}){of_teams})"
    elif alone:
        yield alone


def _turns(list_filter: ListFilter, people: str) -> str:
    """Turns of `people`, with OR behind them; for a search those alone whose titles may be known."""
    waiting = names.WAITING_FOR.name
    if not (list_filter.search and list_filter.unnamed):
        return f"{waiting} IN ({people}) OR "
    named = [person for person in list_filter.people if person not in list_filter.unnamed]
    of_named = f"{waiting} IN ({_quoted(*named)}) OR " if named else ""
    kinds = _quoted(*list_filter.named_kinds)
    return of_named + (f"({waiting} IN ({people}) AND {names.KIND.name} IN ({kinds})) OR " if kinds else "")


def _lateness(late: Lateness, instant: datetime) -> Iterator[str]:
    due, stage, now = names.DUE_AT.name, names.STAGE.name, f"'{instant.astimezone(UTC).isoformat()}'"
    if late is Lateness.OVERDUE:
        yield f"{executions.OPEN} AND {stage} != '{SETTLED}' AND {due} < {now}"
    if late is Lateness.IN_TIME:
        unset = f"{stage} IS NULL OR {due} IS NULL"
        yield f"(CloseTime IS NOT NULL OR {stage} = '{SETTLED}' OR {due} >= {now} OR {unset})"


def _quoted(*literals: str) -> str:
    return ", ".join(f"'{literal}'" for literal in literals)


async def _understands(client: Client, query: str) -> bool:
    try:
        await client.count_workflows(query)
    except RPCError as error:
        if error.status is RPCStatusCode.INVALID_ARGUMENT:
            return False
        raise
    return True
