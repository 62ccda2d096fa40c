"""The status of every member, from settled records and open requests. Parses only the needed fields, since 10,000
members have 10,000 records.
"""

import asyncio
import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import TYPE_CHECKING, Any, Final, NamedTuple, Protocol, Self

from temporalio.client import Client

from activities.campaign.audience import Audience, Member
from activities.documents.files import AUDIENCES
from activities.records.store import Store
from activities.temporal import executions
from workflows import names
from workflows.campaign.state import last_instant
from workflows.kinds import Kind
from workflows.model.base import Model
from workflows.model.campaign import Campaign, CampaignOrder, Counts
from workflows.model.subject import Code, Status
from workflows.model.timeline import EventType

if TYPE_CHECKING:
    from activities.campaign.population import Population

_HOPEFUL: Final = " AND ".join(f"{names.PROBLEM.name} != '{code}'" for code in (Code.REFUSED, Code.DIRECTORY))
_NOT_REFUSED: Final = f"({names.PROBLEM.name} IS NULL OR ({_HOPEFUL}))"
"""A refused person, or one who left the people file, waits for an operator: others must not wait for them."""


@dataclass(frozen=True)
class OpenMembers:
    """Open or broken-off requests of a campaign, by id."""

    status: Mapping[str, str] = field(default_factory=dict)
    """`CsStatus` of open ones."""
    broken: Mapping[str, str] = field(default_factory=dict)
    """How the others were broken off."""
    refused: frozenset[str] = frozenset()
    """Those that Core Signature refuses to create; they retry by themselves."""


class MemberVisibility(Protocol):
    """Queries of a campaign's requests; may raise `RPCError`."""

    async def open_of(self, campaign: str) -> OpenMembers: ...

    async def waiting(self, campaign: str) -> int:
        """How many wait to be created at Core Signature, without a refusal."""
        ...


@dataclass(frozen=True)
class TemporalMemberVisibility:
    """By Temporal's visibility; ten pages for 10,000 open requests."""

    client: Client

    async def open_of(self, campaign: str) -> OpenMembers:
        return await self._found(campaign, executions.OPEN)

    async def other_than_told(self, campaign: str) -> OpenMembers:
        """Those not merely notified and silent, which are most: saves listing these."""
        words = ", ".join(f"'{status}'" for status in (Status.CONVERTING, Status.VIEWED))
        found = await self._found(campaign, f"({executions.OPEN} AND {names.STATUS.name} IN ({words}))")
        # A broken-off run may have a successor, which is among the open ones.
        return await self.open_of(campaign) if found.broken else found

    async def going_on(self, campaign: str) -> int:
        return (await self.client.count_workflows(f"{_requests_query(campaign)} AND {executions.OPEN}")).count

    async def _found(self, campaign: str, going_on: str) -> OpenMembers:
        query = (
            f"{_requests_query(campaign)} AND ({going_on} OR ExecutionStatus IN ('Terminated', 'Failed', 'TimedOut'))"
        )
        status: dict[str, str] = {}
        broken: dict[str, str] = {}
        refused: set[str] = set()
        async for run in executions.listed(self.client, query):
            id = run.id.partition(":")[2]
            if run.status.broken_off:
                broken[id] = str(run.status)
            else:
                status[id] = run.known.get(names.STATUS) or ""
                waits, why = status[id] == Status.CONVERTING, run.known.get(names.PROBLEM)
                refused |= {id} if waits and why == Code.REFUSED else set()
        return OpenMembers(status, {id: how for id, how in broken.items() if id not in status}, frozenset(refused))

    async def waiting(self, campaign: str) -> int:
        converting = f"{names.STATUS.name} = '{Status.CONVERTING}' AND {executions.OPEN} AND {_NOT_REFUSED}"
        query = f"{_requests_query(campaign)} AND {converting}"
        return (await self.client.count_workflows(query)).count


def _requests_query(campaign: str) -> str:
    return f"{names.PARENT.name} = '{Kind.CAMPAIGN.workflow_id(campaign)}'"


ANOTHERS: Final = "another request had its id already"
"""Why a person was not asked."""
_LOST: Final = "there is neither a workflow nor a record of it"
_BROKEN_OFF: Final = "its workflow was {}"
_TERMINATED: Final = _BROKEN_OFF.format(executions.RunStatus.TERMINATED)
_CANCELLED: Final = "{}, and its document was cancelled"
_BROKEN: Final = {_BROKEN_OFF.format(one) for one in executions.RunStatus if one.broken_off}
AT_ONCE: Final = 500
"""Records read concurrently."""
_ASKED_AT_ONCE: Final = 25
"""Workflows unknown to visibility that are described concurrently."""


class MemberStatus(StrEnum):
    """A member's status, as in the report; counts use its name."""

    NOT_TOLD = "not_told"
    TOLD = "told"
    OPENED = "opened"
    ACKNOWLEDGED = "acknowledged"
    LATE = "late"
    DECLINED = "declined"
    EXPIRED = "expired"
    CANCELLED = "cancelled"
    FAILED = "failed"
    EXEMPT = "exempt"
    DROPPED = "dropped"
    ERROR = "errors"
    NOT_STARTED = "not_started"


class MemberOutcome(NamedTuple):
    """A member's line of the record; instants are ISO 8601 in UTC, or empty. `reason` is a stored text's reference, or
    our text.
    """

    row: int
    person: str
    request: str
    status: str
    sent_at: str = ""
    signed_at: str = ""
    late: bool = False
    reminders: int = 0
    reason: str = ""
    department: str = ""
    manager: str = ""
    due: str = ""

    @property
    def open(self) -> bool:
        """Whether they may still acknowledge."""
        return self.status in (MemberStatus.NOT_TOLD, MemberStatus.TOLD, MemberStatus.OPENED)

    @property
    def done(self) -> bool:
        """Whether they have acknowledged."""
        return self.status in (MemberStatus.ACKNOWLEDGED, MemberStatus.LATE)

    @property
    def left(self) -> bool:
        """Whether their request broke off without an end: its document may be open."""
        return self.reason == _LOST or self.terminated

    @property
    def terminated(self) -> bool:
        """Whether it was terminated, and Temporal still has its input."""
        return self.reason == _TERMINATED

    @property
    def broken_off(self) -> bool:
        """Whether it broke off, and Temporal still has its input."""
        return self.reason in _BROKEN

    @property
    def lost(self) -> bool:
        """Whether Temporal has forgotten it without a record: only Core Signature knows the outcome."""
        return self.reason == _LOST


@dataclass(frozen=True)
class MemberStatuses:
    """Member status from records, visibility, and Temporal for members that both lack."""

    client: Client
    store: Store
    visibility: MemberVisibility

    async def look_up(
        self,
        order: CampaignOrder,
        audience: Audience,
        known: OpenMembers | None = None,
        lines: list[MemberOutcome] | None = None,
        *,
        unseen: bool = False,
    ) -> tuple[list[MemberOutcome], OpenMembers]:
        """The line of each member, and what visibility knows; Temporal is asked about members without either. `unseen`
        includes those not yet processed, since a batch may have failed before reporting its position.
        """
        known = known or await self.visibility.open_of(order.campaign.id)
        lines = lines or await self.recorded(order, audience, known)
        asked = (MemberStatus.TOLD, MemberStatus.NOT_TOLD) if unseen else (MemberStatus.TOLD,)
        unknown = (line.status in asked and line.request not in known.status for line in lines)
        lost = [place for place, one in enumerate(unknown) if one]
        for begin in range(0, len(lost), _ASKED_AT_ONCE):
            some = lost[begin : begin + _ASKED_AT_ONCE]
            found = await asyncio.gather(*(self._found(order, audience.members[one], lines[one]) for one in some))
            for place, line in zip(some, found, strict=True):
                lines[place] = line
        return lines, known

    async def recorded(
        self, order: CampaignOrder, audience: Audience, known: OpenMembers | None = None
    ) -> list[MemberOutcome]:
        """The line of each member by records and `known` alone."""
        return await lines_of(self.store, order, audience, known)

    async def _found(self, order: CampaignOrder, member: Member, line: MemberOutcome) -> MemberOutcome:
        # By the workflow itself, since visibility may lag; unchanged if that is open.
        found = await executions.found(self.client, Kind.REQUEST.workflow_id(line.request))
        if found is None:
            if line.status == MemberStatus.NOT_TOLD:
                return line._replace(status=MemberStatus.NOT_STARTED)
            return line._replace(status=MemberStatus.FAILED, reason=_LOST)
        if await found.memo(names.MEMO_FINGERPRINT) != member.fingerprint(order.fingerprint):
            return line._replace(status=MemberStatus.FAILED, reason=ANOTHERS)
        if found.status.broken_off:
            return line._replace(status=MemberStatus.FAILED, reason=_BROKEN_OFF.format(found.status))
        return line


async def lines_of(
    store: Store, order: CampaignOrder, audience: Audience, known: OpenMembers | None = None
) -> list[MemberOutcome]:
    """The line of each member in audience order; `known` serves those without a record."""
    campaign, known, lines = order.campaign, known or OpenMembers(), list[MemberOutcome]()
    for begin in range(0, len(audience.members), AT_ONCE):
        members = audience.members[begin : begin + AT_ONCE]
        records = await records_of(store, campaign, members)
        for place, member in enumerate(members, start=begin):
            seen_to = member.seen_to(place, order.asked, order.changes_asked)
            record = records.get(member.person)
            lines.append(_line(campaign, order.fingerprint, member, record, known, seen_to=seen_to))
    return lines


async def records_of(store: Store, campaign: Campaign, members: Sequence[Member]) -> Mapping[str, Mapping[str, Any]]:
    """The settled records, by person."""
    there = [member for member in members if not member.row.says]
    found = await store.records.read_many([Kind.REQUEST.workflow_id(member.request(campaign.id)) for member in there])
    return {member.person: json.loads(record) for member, record in zip(there, found, strict=True) if record}


def _line(
    campaign: Campaign,
    fingerprint: str,
    member: Member,
    record: Mapping[str, Any] | None,
    known: OpenMembers,
    *,
    seen_to: bool,
) -> MemberOutcome:
    row, request = member.row, member.request(campaign.id)
    line = MemberOutcome(row.number, row.person, request, "", department=row.department, manager=row.manager)
    if row.says and member.out is None:
        return line._replace(request="", status=MemberStatus.ERROR, reason=row.says)
    line = line._replace(due=member.due.isoformat())
    ended = _ended(line, record, member.fingerprint(fingerprint)) if record else None
    if record and ended and (ended.done or member.out is None):
        said = ended.signed_at or (record.get("settled") or {}).get("at")
        at = datetime.fromisoformat(said) if said else None
        # Extended after they had acknowledged, or could have: the day that they had then counts.
        due = member.due_at(at)
        if at and ended.done and at >= last_instant(due) and _was_terminated(record["show"]):
            ended = ended._replace(status=MemberStatus.LATE, late=True)  # Their due date was never planned.
        return ended._replace(due=due.isoformat())
    if member.out is not None:
        out = MemberStatus.EXEMPT if member.out.value == MemberStatus.EXEMPT else MemberStatus.DROPPED
        return (ended or line)._replace(status=out, reason=member.reason)
    return _unrecorded(line, known, seen_to=seen_to)


def _unrecorded(line: MemberOutcome, known: OpenMembers, *, seen_to: bool) -> MemberOutcome:
    if how := known.broken.get(line.request):
        return line._replace(status=MemberStatus.FAILED, reason=_BROKEN_OFF.format(how))
    if line.request in known.refused:
        return line._replace(status=MemberStatus.FAILED, reason="Core Signature refuses it: `request show` says why")
    status = known.status.get(line.request)
    if status == Status.VIEWED:
        return line._replace(status=MemberStatus.OPENED)
    waits = not seen_to if status is None else status == Status.CONVERTING
    return line._replace(status=MemberStatus.NOT_TOLD if waits else MemberStatus.TOLD)


_ENDINGS: Final = {
    Status.DECLINED: MemberStatus.DECLINED,
    Status.EXPIRED: MemberStatus.EXPIRED,
    Status.CANCELLED: MemberStatus.CANCELLED,
    Status.FAILED: MemberStatus.FAILED,
}


def _ended(line: MemberOutcome, record: Mapping[str, Any], fingerprint: str) -> MemberOutcome:
    if record["fingerprint"] != fingerprint:
        return line._replace(status=MemberStatus.FAILED, reason=ANOTHERS)
    show = record["show"]
    signer = next((one for one in show["signers"] if one["state"] != "reassigned"), show["signers"][0])
    told = [one for one in show["notifications"] if one["outcome"] == "accepted"]
    line = line._replace(
        sent_at=next((one["at"] for one in told if one["stage"] == "ready"), ""),
        reminders=sum(one["stage"].startswith(("reminder", "warning", "overdue")) for one in told),
    )
    if show["status"] == Status.SIGNED:
        if len(show["signers"]) > 1:
            return line._replace(status=MemberStatus.FAILED, reason="somebody else has signed in their place")
        late = bool(signer.get("late"))
        status = MemberStatus.LATE if late else MemberStatus.ACKNOWLEDGED
        return line._replace(status=status, signed_at=signer.get("at") or "", late=late)
    if why := _creation_problem(show) or _broken_off(show):
        return line._replace(status=MemberStatus.FAILED, reason=why)
    return line._replace(status=_ENDINGS[Status(show["status"])], reason=_reason(show, signer))


def _creation_problem(show: Mapping[str, Any]) -> str:
    """Why Core Signature never accepted it, else empty."""
    said = {(one["happened"], one["about"]): one["why"] for one in show["timeline"]}
    return "" if (EventType.SENT, "") in said else said.get((EventType.PROBLEM, Code.REFUSED)) or ""


def _broken_off(show: Mapping[str, Any]) -> str:
    """Why it was cancelled after it broke off; empty if they declined, or it had continued."""
    if show["status"] != Status.CANCELLED or not (found := _terminated(show)):
        return ""
    # A line that was lost or failed says so already.
    return _CANCELLED.format(found["why"] or _TERMINATED)


def _was_terminated(show: Mapping[str, Any]) -> bool:
    return _terminated(show) is not None


def _terminated(show: Mapping[str, Any]) -> Mapping[str, Any] | None:
    """The timeline entry of a restart only to end it."""
    return next((one for one in show["timeline"] if one["happened"] == EventType.TERMINATED), None)


def _reason(show: Mapping[str, Any], signer: Mapping[str, Any]) -> str:
    problem = show.get("problem")
    return signer.get("reason") or (problem["says"] if problem else "")


def counted(lines: Iterable[MemberOutcome]) -> Counts:
    found = dict.fromkeys(map(str, MemberStatus), 0)
    for line in lines:
        found[line.status] += 1
    return Counts(**found)


class OutcomeGroup(Model):
    """The lines of one department or manager."""

    name: str
    counts: Counts

    @property
    def missing(self) -> int:
        """Members whose acknowledgement is due and missing."""
        return self.counts.wanted - self.counts.done


def by(lines: Iterable[MemberOutcome], key: str) -> tuple[OutcomeGroup, ...]:
    """Groups by department or manager, ordered by name; empty if nobody has one."""
    groups: dict[str, list[MemberOutcome]] = {}
    for line in lines:
        groups.setdefault(getattr(line, key), []).append(line)
    return (
        tuple(OutcomeGroup(name=name, counts=counted(groups[name])) for name in sorted(groups)) if any(groups) else ()
    )


def worst_first(groups: Iterable[OutcomeGroup]) -> tuple[OutcomeGroup, ...]:
    """Most missing members first."""
    return tuple(sorted(groups, key=lambda group: -group.missing))


_FORM: Final = 1


async def written(
    store: Store,
    order: CampaignOrder,
    lines: Sequence[MemberOutcome],
    audience: Audience,
    population: "Population | None",
) -> str:
    """Store the outcomes; returns their SHA-256."""
    frozen = order.frozen
    content = {
        "version": _FORM,
        "campaign": order.campaign.id,
        "audience": frozen.sha256 if frozen else None,
        "population": population.plain(order.campaign, frozen.rows if frozen else 0, audience) if population else None,
        "changes": [amendment.change.model_dump(mode="json") for amendment in audience.amendments],
        "lines": [line._asdict() for line in lines],
    }
    return await store.files.put(json.dumps(content, separators=(",", ":"), sort_keys=True).encode(), AUDIENCES)


@dataclass(frozen=True)
class Outcomes:
    lines: tuple[MemberOutcome, ...]
    population: dict[str, Any] | None
    changes: tuple[dict[str, Any], ...]

    @classmethod
    async def read(cls, store: Store, sha256: str) -> Self:
        """The outcomes of an ended campaign; raises the document errors for missing or damaged content."""
        content = json.loads(await store.files.read(sha256, AUDIENCES))
        return cls(
            tuple(MemberOutcome(**line) for line in content["lines"]), content["population"], tuple(content["changes"])
        )
