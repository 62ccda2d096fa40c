"""How each member of a campaign stands: of one that runs, by their settled records and what is known of open requests;
of one that has ended, as its record says, which is known by its SHA-256.
"""

import hashlib
import json
import secrets
from collections import Counter
from collections.abc import AsyncIterator, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from enum import StrEnum
from functools import partial
from typing import Any, Final, NamedTuple, Self

from sqlalchemy import (
    Connection,
    Select,
    and_,
    case,
    exists,
    false,
    func,
    insert,
    literal,
    not_,
    null,
    or_,
    select,
    true,
)

from activities.errors import DocumentDamaged, DocumentMissing
from activities.records.audiences import due_by
from activities.records.database import Database, chunks, insert_new
from activities.records.schema import MEMBERS, OUTCOME_LINES, OUTCOME_LISTS, OUTCOMES
from workflows.kinds import Kind
from workflows.model.base import Model
from workflows.model.campaign import CampaignOrder, ChangeKind, Counts
from workflows.model.messages import Message
from workflows.model.subject import Code, Status
from workflows.model.timeline import EventType

LINES_AT_ONCE: Final = 2_000
"""Lines in memory."""
NAMED_AT_MOST: Final = 10_000
"""Requests that one statement leaves out."""
LAST_DAYS: Final = timedelta(days=7)
_REQUEST: Final = Kind.REQUEST.workflow_id("")
_OVER_AFTER: Final = timedelta(hours=36)
"""From its beginning in UTC until a day is over everywhere on earth."""
ANOTHERS: Final = "another request had its id already"
"""Why a person was not asked."""
TERMINATED: Final = "its workflow was terminated"
_CANCELLED: Final = "{}, and its document was cancelled"


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


OPEN: Final = (MemberStatus.NOT_TOLD, MemberStatus.TOLD, MemberStatus.OPENED)
"""They may still acknowledge."""
DONE: Final = (MemberStatus.ACKNOWLEDGED, MemberStatus.LATE)
"""They have acknowledged."""
NOT_WANTED: Final = (MemberStatus.EXEMPT, MemberStatus.DROPPED, MemberStatus.ERROR)
"""They are not to acknowledge."""
UNRECORDED: Final = (MemberStatus.NOT_TOLD, MemberStatus.TOLD)
"""Without a record: what is known of their request counts."""


class MemberOutcome(NamedTuple):
    """A member's line of the record; instants are ISO 8601 in UTC, or empty. `reason` is a stored text's reference, our
    text, or for a wrong row its message in JSON.
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
        return self.status in OPEN

    @property
    def fault(self) -> Message | None:
        """What is wrong with a wrong row."""
        return Message.model_validate_json(self.reason) if self.status == MemberStatus.ERROR else None

    @property
    def has_acknowledged(self) -> bool:
        """Whether they have acknowledged."""
        return self.status in DONE


class MemberState(NamedTuple):
    """What is known of a request without a record."""

    status: MemberStatus
    reason: str = ""


class OutcomeGroup(Model):
    """The members of one department or manager."""

    name: str
    counts: Counts

    @property
    def missing(self) -> int:
        """Members whose acknowledgement is due and missing."""
        return self.counts.required_count - self.counts.done_count


@dataclass(frozen=True)
class OutcomeTally:
    """How many members of a status, department and manager there are, and how many have acknowledged lately."""

    count_by_cell: Mapping[tuple[str, str, str], int] = field(default_factory=dict)
    lately: int = 0

    @property
    def counts(self) -> Counts:
        return _counts((cell[0], count) for cell, count in self.count_by_cell.items())

    @property
    def departments(self) -> tuple[OutcomeGroup, ...]:
        return self._group_by(1)

    @property
    def managers(self) -> tuple[OutcomeGroup, ...]:
        return self._group_by(2)

    def _group_by(self, cell_index: int) -> tuple[OutcomeGroup, ...]:
        """Ordered by name; empty if nobody has one."""
        groups: dict[str, list[tuple[str, int]]] = {}
        for cell, count in self.count_by_cell.items():
            groups.setdefault(cell[cell_index], []).append((cell[0], count))
        return (
            tuple(OutcomeGroup(name=name, counts=_counts(groups[name])) for name in sorted(groups))
            if any(groups)
            else ()
        )


def lately(opens_at: datetime, now: datetime) -> datetime:
    """From when on acknowledgements tell of the pace."""
    return max(opens_at, now - LAST_DAYS)


def worst_first(groups: Iterable[OutcomeGroup]) -> tuple[OutcomeGroup, ...]:
    """Most missing members first."""
    return tuple(sorted(groups, key=lambda group: -group.missing))


def _counts(status_counts: Iterable[tuple[str, int]]) -> Counts:
    counts = Counter[str]()
    for status, count in status_counts:
        counts[status] += count
    return Counts(**counts)


class MemberLines:
    """The lines of some members of a campaign, in audience order. `states` of requests without a record, by their ids,
    count for members that the database has as told or not told.
    """

    def __init__(
        self,
        database: Database,
        lines: Select[Any],
        states: Mapping[str, MemberState] | None = None,
        since_instant: datetime | None = None,
    ) -> None:
        self._database, self._select, self._since_instant = database, lines, since_instant
        self._lines = lines.subquery()
        self.states: Final = states or {}
        self._tally: OutcomeTally | None = None

    def knowing(self, states: Mapping[str, MemberState]) -> Self:
        """The same with other states."""
        return type(self)(self._database, self._select, states, self._since_instant)

    def at_places(self, places: Collection[int]) -> Self:
        """Only those at some places."""
        query = self._select.where(self._select.selected_columns.place.in_(places))
        return type(self)(self._database, query, self.states, self._since_instant)

    async def tally(self) -> OutcomeTally:
        """Counts by status, department and manager; read once."""
        if self._tally is None:
            line = self._lines.c
            self._tally = OutcomeTally(*await self._counted(line.department, line.manager))
        return self._tally

    async def missing(self) -> Mapping[tuple[str, str, date | None], int]:
        """How many have not acknowledged and still may, by status, manager and last day."""
        counts, _ = await self._counted(self._lines.c.manager, self._lines.c.due)
        return {cell: count for cell, count in counts.items() if cell[0] in OPEN}

    async def stated(self) -> dict[str, MemberState]:
        """The states that count."""
        return {id: self.states[id] async for (id,) in self._stated()}

    async def batches(self, *, only_open: bool = False) -> AsyncIterator[list[MemberOutcome]]:
        """All, some at a time."""
        line, last_place = self._lines.c, -1
        while True:
            statement = select(self._lines).where(line.place > last_place).order_by(line.place).limit(LINES_AT_ONCE)
            rows = await self._database.rows(statement.where(line.status.in_(OPEN)) if only_open else statement)
            if rows:
                yield [self._read(row) for row in rows]
                last_place = rows[-1].place
            if len(rows) < LINES_AT_ONCE:
                return

    async def read(self) -> list[MemberOutcome]:
        """All of them, for a few."""
        return [line async for batch in self.batches() for line in batch]

    async def of_person(self, person: str) -> list[MemberOutcome]:
        """More than one where they were listed twice."""
        line = self._lines.c
        return await self._select_lines(select(self._lines).where(line.person == person).order_by(line.place))

    async def done_among(self, people: Sequence[str]) -> set[str]:
        """Who of these has acknowledged."""
        line, done_people = self._lines.c, set[str]()
        for batch in chunks(people, LINES_AT_ONCE):
            query = select(line.person).where(line.person.in_(batch), line.status.in_(DONE))
            done_people |= {row.person for row in await self._database.rows(query)}
        return done_people

    async def still_open(self, first: int, limit: int) -> list[MemberOutcome]:
        """Some of those who still may acknowledge, earliest last day first."""
        line = self._lines.c
        ended_ids = [_REQUEST + id for id, state in self.states.items() if state.status not in OPEN][:NAMED_AT_MOST]
        statement = select(self._lines).where(line.status.in_(OPEN), line.workflow_id.not_in(ended_ids))
        return await self._select_lines(statement.order_by(line.due, line.row, line.place).offset(first).limit(limit))

    async def faulty(self, limit: int) -> list[MemberOutcome]:
        """Some of those who could not be asked."""
        line = self._lines.c
        statuses = (MemberStatus.FAILED, MemberStatus.ERROR)
        return await self._select_lines(
            select(self._lines).where(line.status.in_(statuses)).order_by(line.place).limit(limit)
        )

    async def never_acknowledged(self, first: int, limit: int) -> list[MemberOutcome]:
        """Some of those who were to acknowledge and did not, in the order of the audience."""
        line = self._lines.c
        statement = select(self._lines).where(line.status.not_in((*DONE, *NOT_WANTED)))
        return await self._select_lines(statement.order_by(line.row, line.place).offset(first).limit(limit))

    async def list_reports(self, manager: str, people: Collection[str], at_most: int) -> list[int]:
        """The places of some of those who have this manager, or are among these."""
        line, places = self._lines.c, set[int]()
        for condition in (
            line.manager == manager,
            *(line.person.in_(batch) for batch in chunks(sorted(people), LINES_AT_ONCE)),
        ):
            statement = select(line.place).where(condition).order_by(line.place).limit(at_most)
            places |= {row.place for row in await self._database.rows(statement)}
            if len(places) >= at_most:
                break
        return sorted(places)[:at_most]

    async def sample_acknowledgements(self, apart: int) -> list[tuple[int, datetime]]:
        """Of all acknowledgements by time each so-manieth: its number, and when; and the last one."""
        line = self._lines.c
        numbered = select(line.signed_at, func.row_number().over(order_by=line.signed_at).label("nth"))
        signed = numbered.where(line.status.in_(DONE), line.signed_at.is_not(None)).subquery()
        last = select(func.max(signed.c.nth)).scalar_subquery()
        statement = select(signed).where(or_(signed.c.nth % apart == 0, signed.c.nth == last)).order_by(signed.c.nth)
        return [(row.nth, row.signed_at) for row in await self._database.rows(statement)]

    async def _counted(self, *columns: Any) -> tuple[dict[Any, int], int]:
        line = self._lines.c
        cells = line.status, *columns
        late = line.signed_at > self._since_instant if self._since_instant else false()
        signed = func.sum(case((and_(line.status.in_(DONE), late), 1), else_=0))
        # The status last: SQLite sorts by the columns in turn, and most lines have the same status.
        grouped = select(*cells, func.count(), signed).group_by(*columns, line.status)
        counted = await self._database.rows(grouped)
        counts = {tuple(row[:-2]): row[-2] for row in counted}
        async for id, *former_cell in self._stated(*cells):
            new_cell = (str(self.states[id].status), *former_cell[1:])
            counts[tuple(former_cell)] -= 1
            counts[new_cell] = counts.get(new_cell, 0) + 1
        return {cell: count for cell, count in counts.items() if count}, sum(int(row[-1]) for row in counted)

    async def _stated(self, *columns: Any) -> AsyncIterator[tuple[Any, ...]]:
        """The requests whose state counts, with more of their line."""
        line = self._lines.c
        for batch in chunks(sorted(self.states), LINES_AT_ONCE):
            named = select(line.workflow_id, *columns).where(line.workflow_id.in_([_REQUEST + id for id in batch]))
            for row in await self._database.rows(named.where(line.status.in_(UNRECORDED))):
                yield row.workflow_id.removeprefix(_REQUEST), *row[1:]

    async def _select_lines(self, statement: Select[Any]) -> list[MemberOutcome]:
        return [self._read(row) for row in await self._database.rows(statement)]

    def _read(self, row: Any) -> MemberOutcome:
        # By position: by name it takes twice as long, a hundred thousand times.
        _, number, person, workflow_id, status, sent_at, signed_at, *details, due = row
        late, reminders, reason, department, manager = details
        line = MemberOutcome(
            *(
                number,
                person,
                workflow_id.removeprefix(_REQUEST),
                status,
                _format_instant(sent_at),
                _format_instant(signed_at),
            ),
            *(bool(late), reminders, reason, department, manager, due.isoformat() if due else ""),
        )
        state = self.states.get(line.request) if line.status in UNRECORDED else None
        return line._replace(status=state.status, reason=state.reason) if state else line


class OutcomeList(NamedTuple):
    """The record of a campaign that has ended. `head` is its first line as it was written."""

    lines: MemberLines
    population: dict[str, Any] | None
    changes: list[dict[str, Any]]
    head: bytes


class Outcomes:
    """Raises `DatabaseAway`."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def of_ended(self, workflow_ids: Sequence[str]) -> set[str]:
        """Which of these requests have ended; the caller bounds their number."""
        rows = await self._database.rows(select(OUTCOMES.c.workflow_id).where(OUTCOMES.c.workflow_id.in_(workflow_ids)))
        return {row.workflow_id for row in rows}

    def running(self, order: CampaignOrder) -> MemberLines:
        """The lines by records alone, of a campaign as the order knows it."""
        return MemberLines(self._database, _running(order), since_instant=lately(order.campaign.opens_at, order.now))

    async def write(self, campaign: str, head: Mapping[str, Any], lines: AsyncIterator[Sequence[MemberOutcome]]) -> str:
        """Store the record of a campaign; returns the SHA-256 of its lines: the head, then one a member."""
        id, content, position = secrets.token_hex(16), _json(head) + b"\n", 0
        digest = hashlib.sha256(content)
        lists = OUTCOME_LISTS.c
        unfinished = select(lists.id).where(lists.campaign == campaign, lists.sha256.is_(None))
        await self._database.change(OUTCOME_LINES.delete().where(OUTCOME_LINES.c.list.in_(unfinished)))
        await self._database.change(OUTCOME_LISTS.delete().where(lists.campaign == campaign, lists.sha256.is_(None)))
        await self._database.insert(OUTCOME_LISTS, id=id, campaign=campaign, head=content)
        async for batch in lines:
            digest.update(b"".join(map(line_of, batch)))
            rows = [_row(id, nth, line) for nth, line in enumerate(batch, start=position)]
            await self._database.write(partial(_add, rows=rows))
            position += len(batch)
        sha256 = digest.hexdigest()
        await self._database.write(lambda connection: _name(connection, id, sha256))
        return sha256

    async def record(self, sha256: str) -> OutcomeList:
        """The record of a campaign that has ended, not verified; raises `DocumentMissing`."""
        stored_list = await self._list(sha256)
        line = OUTCOME_LINES.c
        identity_columns = line.place, line.row, line.person, line.request.label("workflow_id"), line.status
        status_columns = line.sent_at, line.signed_at, line.late, line.reminders, line.reason
        query = select(*identity_columns, *status_columns, line.department, line.manager, line.due).where(
            line.list == stored_list.id
        )
        head = json.loads(stored_list.head)
        lines = MemberLines(self._database, query)
        return OutcomeList(lines, head["population"], head["changes"], stored_list.head)

    async def verify(self, sha256: str) -> None:
        """Raises `DocumentMissing`, and `DocumentDamaged` for a record that is not as it was written."""
        digest = hashlib.sha256((await self._list(sha256)).head)
        async for batch in (await self.record(sha256)).lines.batches():
            digest.update(b"".join(map(line_of, batch)))
        if digest.hexdigest() != sha256:
            raise DocumentDamaged(sha256)

    async def _list(self, sha256: str) -> Any:
        row = await self._database.first(select(OUTCOME_LISTS).where(OUTCOME_LISTS.c.sha256 == sha256))
        if row is None:
            raise DocumentMissing(sha256)
        return row


def line_of(outcome: MemberOutcome) -> bytes:
    """A member's line of the record: JSON without what is empty, 0 or false."""
    fields = {name: value for name, value in outcome._asdict().items() if value}
    return json.dumps(fields, ensure_ascii=False, separators=(",", ":"), sort_keys=True).encode() + b"\n"


def write_outcome(connection: Connection, workflow_id: str, record: Any) -> None:
    """Note what the settled record of a member's request says of them, in the record's transaction; nothing for a
    record of another shape.
    """
    show = (record.get("show") if isinstance(record, dict) else None) or {}
    if not show.get("signers"):
        return
    signer = next((line for line in show["signers"] if line.get("state") != "reassigned"), show["signers"][0])
    delivered = [
        notification for notification in show.get("notifications", ()) if notification["outcome"] == "accepted"
    ]
    status, reason = _ending(show, signer)
    is_done = status in DONE
    signed_at, settled_at = (
        _instant(signer.get("at") if is_done else None),
        _instant((record.get("settled") or {}).get("at")),
    )
    ended_at = signed_at or settled_at
    # Its due date was never planned.
    over_day = (ended_at - _OVER_AFTER).astimezone(UTC).date() if ended_at and is_done and _terminated(show) else None
    insert_new(
        connection,
        OUTCOMES,
        workflow_id=workflow_id,
        fingerprint=record.get("fingerprint", ""),
        status=status,
        sent_at=_instant(
            next((notification["at"] for notification in delivered if notification["stage"] == "ready"), None)
        ),
        signed_at=signed_at,
        late=is_done and bool(signer.get("late")),
        reminders=sum(
            notification["stage"].startswith(("reminder", "warning", "overdue")) for notification in delivered
        ),
        reason=reason,
        at=settled_at,
        over_day=over_day,
    )


def _add(connection: Connection, rows: list[dict[str, Any]]) -> None:
    connection.execute(insert(OUTCOME_LINES), rows)


def _name(connection: Connection, id: str, sha256: str) -> None:
    """Give a list its hash, or drop it where an equal one has it."""
    lists = OUTCOME_LISTS.c
    if connection.execute(select(lists.id).where(lists.sha256 == sha256)).first():
        connection.execute(OUTCOME_LINES.delete().where(OUTCOME_LINES.c.list == id))
        connection.execute(OUTCOME_LISTS.delete().where(lists.id == id))
    else:
        connection.execute(OUTCOME_LISTS.update().where(lists.id == id).values(sha256=sha256))


def _row(id: str, position: int, line: MemberOutcome) -> dict[str, Any]:
    instants = {name: _instant(getattr(line, name)) for name in ("sent_at", "signed_at")}
    due = date.fromisoformat(line.due) if line.due else None
    return {**line._asdict(), **instants, "due": due, "list": id, "place": position}


def _json(value: Any) -> bytes:
    return json.dumps(value, separators=(",", ":"), sort_keys=True).encode()


def _format_instant(instant: datetime | None) -> str:
    return instant.isoformat().replace("+00:00", "Z") if instant else ""


def _instant(text: str | None) -> datetime | None:
    return datetime.fromisoformat(text) if text else None


def _running(order: CampaignOrder) -> Select[Any]:
    """The line of each member by their record."""
    member, outcome = MEMBERS.c, OUTCOMES.c
    is_own = func.coalesce(outcome.fingerprint == member.fingerprint, false())
    is_done = and_(is_own, outcome.status.in_(DONE))
    wrong = and_(member.says != "", member.out.is_(None))
    # Extended after they had acknowledged, or could have: the day that they had then counts.
    due_then = due_by(instant=func.coalesce(outcome.signed_at, outcome.at))
    # Looked up apart, for few: without it an index has all that counts.
    member_alias = MEMBERS.alias("same")
    overdue = exists().where(
        member_alias.c.campaign == member.campaign,
        member_alias.c.place == member.place,
        due_by(instant=func.coalesce(outcome.signed_at, outcome.at), table=member_alias) <= outcome.over_day,
    )
    late = and_(is_done, outcome.over_day.is_not(None), overdue)
    is_out = and_(member.out.is_not(None), not_(is_done))
    missing = outcome.workflow_id.is_(None)
    seen_to = case((member.asked_by > 0, member.asked_by <= order.changes_asked), else_=member.place < order.asked)
    status = case(
        (wrong, MemberStatus.ERROR.value),
        (and_(is_out, member.out == ChangeKind.EXEMPT), MemberStatus.EXEMPT.value),
        (is_out, MemberStatus.DROPPED.value),
        (and_(missing, seen_to), MemberStatus.TOLD.value),
        (missing, MemberStatus.NOT_TOLD.value),
        (not_(is_own), MemberStatus.FAILED.value),
        (late, MemberStatus.LATE.value),
        else_=outcome.status,
    )
    reason = case(
        (wrong, member.says), (is_out, member.reason), (missing, ""), (not_(is_own), ANOTHERS), else_=outcome.reason
    )
    recorded = MEMBERS.outerjoin(OUTCOMES, and_(outcome.workflow_id == member.request, member.says == ""))
    return (
        select(
            member.place,
            member.row,
            member.person,
            case((wrong, ""), else_=member.request).label("workflow_id"),
            status.label("status"),
            case((is_own, outcome.sent_at), else_=null()).label("sent_at"),
            case((is_own, outcome.signed_at), else_=null()).label("signed_at"),
            case((late, true()), (is_own, outcome.late), else_=false()).label("late"),
            case((is_own, outcome.reminders), else_=literal(0)).label("reminders"),
            reason.label("reason"),
            member.department,
            member.manager,
            case((wrong, null()), (or_(is_out, missing), member.due), else_=due_then).label("due"),
        )
        .select_from(recorded)
        .where(member.campaign == order.workflow_id)
    )


_ENDINGS: Final = {
    Status.DECLINED: MemberStatus.DECLINED,
    Status.EXPIRED: MemberStatus.EXPIRED,
    Status.CANCELLED: MemberStatus.CANCELLED,
    Status.FAILED: MemberStatus.FAILED,
}


def _ending(show: Mapping[str, Any], signer: Mapping[str, Any]) -> tuple[MemberStatus, str]:
    """The status, and why."""
    if show["status"] == Status.SIGNED:
        if len(show["signers"]) > 1:
            return MemberStatus.FAILED, "somebody else has signed in their place"
        return (MemberStatus.LATE if signer.get("late") else MemberStatus.ACKNOWLEDGED), ""
    if failure := _creation_problem(show) or _broken_off(show):
        return MemberStatus.FAILED, failure
    problem = show.get("problem")
    reason = signer.get("reason") or (problem["says"] if problem else "")
    return _ENDINGS.get(show["status"], MemberStatus.FAILED), reason


def _creation_problem(show: Mapping[str, Any]) -> str:
    """Why Core Signature never accepted it, else empty."""
    reason_by_event = {(entry["happened"], entry["about"]): entry["why"] for entry in show.get("timeline", ())}
    return (
        "" if (EventType.SENT, "") in reason_by_event else reason_by_event.get((EventType.PROBLEM, Code.REFUSED)) or ""
    )


def _broken_off(show: Mapping[str, Any]) -> str:
    """Why it was cancelled after it broke off; empty if they declined, or it had continued."""
    if show["status"] != Status.CANCELLED or not (entry := _terminated(show)):
        return ""
    # A line that was lost or failed says so already.
    return _CANCELLED.format(entry["why"] or TERMINATED)


def _terminated(show: Mapping[str, Any]) -> Mapping[str, Any] | None:
    """The timeline entry of a restart only to end it."""
    return next((entry for entry in show.get("timeline", ()) if entry["happened"] == EventType.TERMINATED), None)
