"""Which requests are wanted, and the words in which Temporal's visibility is asked for them."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import Enum
from typing import Final

from temporalio.client import Client
from temporalio.service import RPCError, RPCStatusCode

from activities import runs
from starter.error_types import Refusal
from starter.request_ids import is_request_id
from starter.search_attributes import STUCK
from workflows import names
from workflows.kinds import Kind
from workflows.model.subject import Status

_LAST_RUNS: Final = "ExecutionStatus != 'ContinuedAsNew'"
"""A long life is several runs: the last one speaks for it."""
_BROKEN_OFF: Final = "ExecutionStatus IN ('Terminated', 'Failed', 'TimedOut')"
IN_TROUBLE: Final = f"({runs.OPEN} AND {names.PROBLEM.name} IS NOT NULL)"
_NEWER_WORDS: Final = (STUCK, "ExecutionStatus = 'Paused'")
"""What an older server does not know: it refuses the whole query."""
_NOT_OF_A_CAMPAIGN: Final = (
    f"({names.PARENT.name} IS NULL OR {names.PARENT.name} NOT STARTS_WITH '{Kind.CAMPAIGN.workflow_id('')}')"
)
SETTLED: Final = "settled"
"""The stage in which nobody has to do anything any more."""


class Lateness(Enum):
    """Which part of a set: it is asked for in two, because visibility sorts nothing."""

    ANY = "any"
    OVERDUE = "overdue"
    IN_TIME = "in time"


@dataclass(frozen=True)
class Wanted:
    """Which requests; each field narrows, what is not given does not.

    `person` is somebody who has to act now, `requester` who asked; `people` those of whom one has to act, or asked;
    `attention` those that need somebody of ours.
    `types` are the names of the workflows that are listed. Without `of_campaigns` the requests of campaigns are left
    out, unless one of `people` has to act: there may be 10,000 of them, which the campaign speaks for.
    """

    attention: bool = False
    statuses: tuple[Status, ...] = ()
    kind: str | None = None
    person: str | None = None
    requester: str | None = None
    overdue: bool = False
    people: tuple[str, ...] = ()
    types: tuple[str, ...] = (names.SIGNATURE_REQUEST,)
    of_campaigns: bool = True
    by_person: bool = False
    """Whether what waits for one of `people` stands together, as far as the set is sorted."""

    def __post_init__(self) -> None:
        named = (("kind", self.kind), ("person", self.person), ("requester", self.requester))
        for option, id in (*named, *(("people", one) for one in self.people)):
            if id is not None and not is_request_id(id):
                raise Refusal(f"{option}: {id!r} cannot be an id, which has 1-100 characters of A-Z a-z 0-9 . _ -")

    @property
    def narrowed(self) -> bool:
        """Whether anything but attention is asked for."""
        return self != Wanted(attention=self.attention, types=self.types, of_campaigns=self.of_campaigns)

    async def query(self, client: Client, at: datetime, late: Lateness = Lateness.ANY) -> str:
        """The words for this server, as of an instant."""
        late = Lateness.OVERDUE if self.overdue else late
        words = [*self._narrowing(), *_lateness(late, at)]
        if self.attention:
            newer = "".join([f" OR ({word})" for word in _NEWER_WORDS if await _understands(client, word)])
            words.append(f"({IN_TROUBLE} OR {_BROKEN_OFF}{newer})")
        return " AND ".join(words)

    def _narrowing(self) -> Iterator[str]:
        yield (
            f"WorkflowType IN ({_quoted(*self.types)})" if len(self.types) > 1 else f"WorkflowType = '{self.types[0]}'"
        )
        yield _LAST_RUNS
        if self.statuses:
            yield f"{names.STATUS.name} IN ({_quoted(*self.statuses)})"
        for key, id in ((names.KIND, self.kind), (names.WAITING_FOR, self.person), (names.REQUESTER, self.requester)):
            if id is not None:
                yield f"{key.name} = '{id}'"
        alone = "" if self.of_campaigns else _NOT_OF_A_CAMPAIGN
        if self.people:
            who = _quoted(*self.people)
            asked = " AND ".join(filter(None, (f"{names.REQUESTER.name} IN ({who})", alone)))
            yield f"({names.WAITING_FOR.name} IN ({who}) OR ({asked}))"
        elif alone:
            yield alone


def among(query: str, ids: tuple[str, ...]) -> str:
    """The query for those of its workflows that have one of these workflow ids."""
    return f"{query} AND WorkflowId IN ({_quoted(*ids)})"


def _lateness(late: Lateness, at: datetime) -> Iterator[str]:
    due, stage, now = names.DUE_AT.name, names.STAGE.name, f"'{at.astimezone(UTC).isoformat()}'"
    if late is Lateness.OVERDUE:
        yield f"{runs.OPEN} AND {stage} != '{SETTLED}' AND {due} < {now}"
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
