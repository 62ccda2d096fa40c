"""Audiences of campaigns: the rows as frozen, a file by its hash; later changes, each naming the hash of the one
before; and from both the members, one row each. Rows have no names or addresses, so they are never erased. And with
what, erasable, a yearly campaign opens.
"""

import hashlib
import json
import re
from collections.abc import AsyncIterator, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import date
from functools import partial
from typing import Any, Final, NamedTuple, Self

from sqlalchemy import Connection, FromClause, bindparam, case, func, insert, or_, select

from activities.documents.files import AUDIENCES as SHELF
from activities.documents.files import Files, StoredFile
from activities.errors import DatabaseAway, DocumentDamaged, DocumentMissing
from activities.records.database import Database, chunks
from activities.records.database import replace as replace_row
from activities.records.schema import AUDIENCE_CHANGES, AUDIENCES, CHANGED_MEMBERS, MEMBERS, YEARS
from workflows.kinds import Kind
from workflows.model.campaign import AudienceChange, Batch, BatchWork, CampaignOrder, ChangeKind, FrozenAudience
from workflows.model.file_faults import FileFault
from workflows.model.messages import Message

AUDIENCE_AT_MOST: Final = 200_000
"""People of one campaign, joiners included."""
SERIES_AT_MOST: Final = 10_000
"""Yearly campaigns that are listed."""
MEMBERS_AT_ONCE: Final = 2_000
"""Members of one statement."""
_FORM: Final = 1
_ATTEMPT: Final = re.compile(r"\.r[0-9]+$")


class MemberRow(NamedTuple):
    """`number` is the line in the file, or the position; `person` a directory id, or `p-…` if described in full; `says`
    why they cannot be asked, as a message in JSON.
    """

    number: int
    person: str
    department: str = ""
    manager: str = ""
    says: str = ""

    @property
    def fault(self) -> Message | None:
        """Why they cannot be asked."""
        return Message.model_validate_json(self.says) if self.says else None


@dataclass(frozen=True, slots=True)
class Member:
    """A current or former member. `given` is the last day on joining, if it was moved to `due` since; `out` is the
    change that removed them, `joined_by` the one that added them, `asked_by` the last one that asks them, 0 for the
    opening.
    """

    row: MemberRow
    due: date
    due_on_joining: date | None = None
    attempt: int = 1
    removal: ChangeKind | None = None
    reason: str = ""
    joined_by: int = 0
    asked_by: int = 0
    position: int = 0

    @property
    def person(self) -> str:
        return self.row.person

    @property
    def is_asked(self) -> bool:
        """Whether a request exists or is to be made."""
        return not self.row.says and self.removal is None

    def seen_to(self, order: CampaignOrder) -> bool:
        """Whether a batch has passed a member who may be asked and has no request yet."""
        return self.asked_by <= order.changes_asked if self.asked_by else self.position < order.asked

    def request(self, campaign: str) -> str:
        """The id of their request, distinct for each attempt, whatever their own id ends in."""
        is_plain = self.attempt == 1 and _ATTEMPT.search(self.person) is None
        return f"{campaign}.{self.person}" if is_plain else f"{campaign}.{self.person}.r{self.attempt}"

    def fingerprint(self, campaign: str) -> str:
        """Of the campaign's fingerprint and the person, without the last day."""
        content = {"campaign": campaign, "person": self.person, "attempt": self.attempt}
        return hashlib.sha256(_json(content)).hexdigest()


@dataclass(frozen=True)
class AudienceAmendment:
    """A change with its rows. `taken_up` are asked again by their existing request. `before` is the SHA-256 of the
    previous change, so that the last one verifies all.
    """

    change: AudienceChange
    rows: tuple[MemberRow, ...] = ()
    before: str | None = None
    taken_up: tuple[str, ...] = ()

    def dumped(self) -> bytes:
        """As canonical JSON."""
        change = self.change.model_dump(mode="json")
        content = {"before": self.before, "change": change, "rows": self.rows, "taken_up": self.taken_up}
        return _json({"version": _FORM, **content})

    @classmethod
    def loaded(cls, content: bytes) -> Self:
        document = json.loads(content)
        rows = tuple(MemberRow(*row) for row in document["rows"])
        return cls(
            AudienceChange.model_validate(document["change"]), rows, document["before"], tuple(document["taken_up"])
        )

    @property
    def about_everybody(self) -> bool:
        return self.change.what is ChangeKind.EXTENDED and not self.change.person

    def changed(self, member: Member, row: MemberRow) -> Member:
        """A member whom the change names, after it."""
        change = self.change
        match change.what:
            case ChangeKind.LEFT if member.is_asked:
                return replace(member, removal=change.what)
            # Also for people who could not be asked; only one row of a person listed twice.
            case ChangeKind.EXEMPT if member.removal is None and member.row.number == row.number:
                return replace(member, removal=change.what, reason=change.reason)
            case ChangeKind.AGAIN if member.removal is None and member.row.number == row.number:
                another = member.person not in self.taken_up and not member.row.says
                return replace(member, row=row, attempt=member.attempt + another, asked_by=change.number)
            case ChangeKind.EXTENDED if change.due and change.due > member.due:
                return replace(member, due_on_joining=member.due_on_joining or member.due, due=change.due)
            case ChangeKind.JOINED if change.due and member.removal is ChangeKind.LEFT:
                # A person who had left is asked in another attempt.
                new_attempt = replace(self.joined(row, member.position), attempt=member.attempt + 1)
                return replace(new_attempt, row=row._replace(number=member.row.number))
        return member

    def joined(self, row: MemberRow, position: int) -> Member:
        """A new member."""
        number, due = self.change.number, self.change.due
        if due is None:
            raise ValueError("whoever joins has a last day")
        return Member(row, due, joined_by=number, asked_by=number, position=position)


def dumped(rows: Iterable[MemberRow]) -> bytes:
    """As canonical JSON."""
    return _json({"version": _FORM, "rows": list(rows)})


def repeated(rows: Iterable[MemberRow]) -> Iterator[MemberRow]:
    """The rows; a row that repeats a person cannot be asked."""
    number_by_person: dict[str, int] = {}
    for row in rows:
        if not row.says and row.person in number_by_person:
            repeated_row = FileFault.ROW_TWICE.to_message(row=number_by_person[row.person])
            yield row._replace(says=repeated_row.model_dump_json())
        else:
            number_by_person.setdefault(row.person, row.number)
            yield row


def due_by(instant: Any = None, number: Any = None, table: FromClause = MEMBERS) -> Any:
    """The last day of a member as of an instant, or after a change."""
    change, member = AUDIENCE_CHANGES.c, table.c
    latest_extension = select(func.max(change.due)).where(
        change.campaign == member.campaign,
        change.what == ChangeKind.EXTENDED,
        change.number > member.joined_by,
        or_(change.person.is_(None), change.person == member.person),
        change.at <= instant if number is None else change.number <= number,
    )
    first, last = (
        func.coalesce(member.given, member.due),
        latest_extension.correlate_except(AUDIENCE_CHANGES).scalar_subquery(),
    )
    return case((member.given.is_(None), member.due), (last > first, last), else_=first)


def _json(value: Any) -> bytes:
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"), sort_keys=True).encode()


class Audiences:
    """Raises `DatabaseAway`, and the document errors for missing or damaged content."""

    def __init__(self, database: Database, files: Files) -> None:
        self._database, self._files = database, files

    async def freeze(self, rows: Iterable[MemberRow]) -> str:
        """Store rows; returns their SHA-256."""
        return await self._files.put(dumped(rows), SHELF)

    async def rows(self, sha256: str) -> tuple[MemberRow, ...]:
        return tuple(MemberRow(*row) for row in json.loads(await self._files.read(sha256, SHELF))["rows"])

    async def changes(self, order: CampaignOrder) -> list[AudienceAmendment]:
        """The changes that the order knows, verified."""
        change, last = AUDIENCE_CHANGES.c, None
        query = select(change.content).where(change.campaign == order.workflow_id, change.number <= order.changes)
        contents = [row.content for row in await self._database.rows(query.order_by(change.number))]
        changes = [AudienceAmendment.loaded(content) for content in contents]
        for content, amendment in zip(contents, changes, strict=True):
            if amendment.before != last:
                raise DocumentDamaged(last or "")
            last = hashlib.sha256(content).hexdigest()
        if last != order.changed:
            raise DocumentMissing(order.changed or "") if len(contents) < order.changes else DocumentDamaged(last or "")
        return changes

    async def written_changes(self, campaign: str, last: int) -> list[bytes]:
        """The changes up to a number, as written."""
        change = AUDIENCE_CHANGES.c
        query = select(change.content).where(change.campaign == campaign, change.number <= last)
        return [row.content for row in await self._database.rows(query.order_by(change.number).limit(last))]

    async def frozen(self, sha256: str) -> StoredFile:
        """The frozen rows as written, to read in pieces."""
        return await self._files.open(sha256, SHELF)

    async def verify(self, order: CampaignOrder) -> None:
        """Read all that the members are made of."""
        await self.rows(_frozen(order).sha256)
        await self.changes(order)

    async def head(self, campaign: str) -> tuple[str, int]:
        """Which audience the members are, by its last SHA-256, and how many they are; empty without one."""
        row = await self._database.first(select(AUDIENCES).where(AUDIENCES.c.campaign == campaign))
        if row is not None and row.head is None:
            raise DatabaseAway("the members of the campaign are being written, try again")
        return (row.head, row.members) if row else ("", 0)

    async def up_to_date(self, order: CampaignOrder) -> int:
        """See that the members are those that the order knows; returns how many."""
        row = await self._database.first(select(AUDIENCES).where(AUDIENCES.c.campaign == order.workflow_id))
        if row and row.head == _head(order):
            return int(row.members)
        return await self.write_members(order)

    async def write_members(self, order: CampaignOrder) -> int:
        """Write the members from the frozen rows and the changes, verified, in place of those that are there; returns
        how many.
        """
        campaign, rows = order.workflow_id, await self.rows(_frozen(order).sha256)
        changes = await self.changes(order)
        await self._database.write(lambda connection: _begin(connection, campaign))
        place_column = MEMBERS.c.place
        for first in range(0, AUDIENCE_AT_MOST, MEMBERS_AT_ONCE):
            in_batch = MEMBERS.c.campaign == campaign, place_column >= first, place_column < first + MEMBERS_AT_ONCE
            if not await self._database.change(MEMBERS.delete().where(*in_batch)):
                break
        for first in range(0, len(rows), MEMBERS_AT_ONCE):
            batch = rows[first : first + MEMBERS_AT_ONCE]
            members = [
                Member(row, order.campaign.due, position=position) for position, row in enumerate(batch, start=first)
            ]
            await self._database.write(partial(_add, order=order, members=members))
        for amendment in changes:
            await self._database.write(partial(_apply, order=order, amendment=amendment))
        return await self._database.write(lambda connection: _finish(connection, campaign, _head(order)))

    async def write(self, order: CampaignOrder, amendment: AudienceAmendment) -> str:
        """Store a change behind those that the order knows, once, and apply it; returns its SHA-256."""
        campaign, change = order.workflow_id, AUDIENCE_CHANGES.c

        def write(connection: Connection) -> str:
            number, final_amendment = amendment.change.number, amendment
            query = select(change.content).where(change.campaign == campaign, change.number == number)
            content = connection.execute(query).scalar()
            if content and (earlier := AudienceAmendment.loaded(content)).before == final_amendment.before:
                # By an earlier attempt, which may have read another people file.
                final_amendment = earlier if earlier.change == final_amendment.change else final_amendment
            content = final_amendment.dumped()
            sha256 = hashlib.sha256(content).hexdigest()
            # What a run before a reset has changed is not known any more.
            connection.execute(AUDIENCE_CHANGES.delete().where(change.campaign == campaign, change.number >= number))
            values = final_amendment.change.model_dump(include={"number", "what", "person", "at", "due"})
            row = {"campaign": campaign, **values, "content": content, "sha256": sha256}
            connection.execute(insert(AUDIENCE_CHANGES), row)
            head_update = AUDIENCES.update().where(AUDIENCES.c.campaign == campaign, AUDIENCES.c.head == _head(order))
            if connection.execute(head_update.values(head=sha256)).rowcount:
                _apply(connection, order, final_amendment)
            return sha256

        return await self._database.write(write)

    async def members(self, campaign: str) -> AsyncIterator[list[Member]]:
        """All, in order, some at a time."""
        last_place = -1
        while members := await self._select_members(campaign, MEMBERS.c.place > last_place, limit=MEMBERS_AT_ONCE):
            yield members
            last_place = members[-1].position

    async def of_person(self, campaign: str, person: str) -> Member | None:
        """The member with this id; of a person listed twice, the one who is asked."""
        members = await self._select_members(campaign, MEMBERS.c.person == person)
        return next((member for member in members if not member.row.says), members[0] if members else None)

    async def of_requests(self, campaign: str, requests: Sequence[str]) -> dict[str, Member]:
        """By the id of their request; the caller bounds their number."""
        members: list[Member] = []
        for workflow_ids in chunks([Kind.REQUEST.workflow_id(request) for request in requests], MEMBERS_AT_ONCE):
            members += await self._select_members(campaign, MEMBERS.c.request.in_(workflow_ids), MEMBERS.c.says == "")
        id = campaign.partition(":")[2]
        return {member.request(id): member for member in members}

    async def members_of(self, batch: Batch, limit: int) -> tuple[list[Member], int]:
        """A batch's next members, and how many there are in all. Those to end or extend have the request and the day
        of the batch's change, since who has come back has another request.
        """
        members, campaign = await self.up_to_date(batch.order), batch.order.workflow_id
        asks, number = batch.work is BatchWork.START, batch.change
        columns = _columns(MEMBERS.c.due if asks or not number else due_by(number=number))
        change = AUDIENCE_CHANGES.c
        change_query = select(change.what, change.person).where(
            change.campaign == campaign, change.number == (number or 0)
        )
        named = await self._database.first(change_query) if number else None
        if named is None or (named.what == ChangeKind.EXTENDED and named.person is None):
            # All members: a batch continues by position, and those to ask may differ by then.
            statement = select(*columns).where(MEMBERS.c.campaign == campaign, MEMBERS.c.place >= batch.after)
            return _read(await self._database.rows(statement.order_by(MEMBERS.c.place).limit(limit))), members
        changed_member = CHANGED_MEMBERS.c
        in_change = changed_member.campaign == campaign, changed_member.number == number
        joined = CHANGED_MEMBERS.join(
            MEMBERS, (MEMBERS.c.campaign == changed_member.campaign) & (MEMBERS.c.place == changed_member.place)
        )
        attempt = MEMBERS.c.attempt if asks else changed_member.attempt
        statement = select(*columns, attempt.label("attempt_then")).select_from(joined).where(*in_change)
        rows = await self._database.rows(
            statement.where(changed_member.nth >= batch.after).order_by(changed_member.nth).limit(limit)
        )
        count = await self._database.first(select(func.count()).select_from(CHANGED_MEMBERS).where(*in_change))
        members_then = [
            replace(member, attempt=row.attempt_then) for member, row in zip(_read(rows), rows, strict=True)
        ]
        return members_then, int(count[0]) if count else 0

    async def keep_year(self, workflow_id: str, year: int, content: bytes) -> None:
        """Store what a yearly campaign opens with; the last write counts."""
        key = {YEARS.c.workflow_id: workflow_id, YEARS.c.year: year}
        await self._database.replace(YEARS, key, content=content)

    async def year(self, workflow_id: str, year: int) -> bytes | None:
        """None if not given yet."""
        query = select(YEARS.c.content).where(YEARS.c.workflow_id == workflow_id, YEARS.c.year == year)
        row = await self._database.first(query)
        return row.content if row else None

    async def series(self) -> tuple[str, ...]:
        """Sorted ids of yearly campaigns with content."""
        query = select(YEARS.c.workflow_id).distinct().order_by(YEARS.c.workflow_id).limit(SERIES_AT_MOST)
        return tuple(row.workflow_id for row in await self._database.rows(query))

    async def _select_members(self, campaign: str, *conditions: Any, limit: int | None = None) -> list[Member]:
        statement = select(*_columns(MEMBERS.c.due)).where(MEMBERS.c.campaign == campaign, *conditions)
        return _read(await self._database.rows(statement.order_by(MEMBERS.c.place).limit(limit)))


def _frozen(order: CampaignOrder) -> FrozenAudience:
    if order.frozen is None:
        raise ValueError("the audience is not frozen yet")
    return order.frozen


def _head(order: CampaignOrder) -> str:
    return order.changed or _frozen(order).sha256


def _columns(due: Any) -> list[Any]:
    column = MEMBERS.c
    row = column.row, column.person, column.department, column.manager, column.says
    return [
        *row,
        due.label("due"),
        column.given,
        column.attempt,
        column.out,
        column.reason,
        column.joined_by,
        column.asked_by,
        column.place,
    ]


def _read(rows: Iterable[Any]) -> list[Member]:
    return [
        Member(
            MemberRow(row.row, row.person, row.department, row.manager, row.says),
            *(row.due, row.given, row.attempt, ChangeKind(row.out) if row.out else None),
            *(row.reason, row.joined_by, row.asked_by, row.place),
        )
        for row in rows
    ]


def _values(order: CampaignOrder, member: Member) -> dict[str, Any]:
    row, request = member.row, member.request(order.campaign.id)
    return {
        "campaign": order.workflow_id,
        "place": member.position,
        "row": row.number,
        "person": row.person,
        "department": row.department,
        "manager": row.manager,
        "says": row.says,
        "given": member.due_on_joining,
        "due": member.due,
        "attempt": member.attempt,
        "out": member.removal,
        "reason": member.reason,
        "joined_by": member.joined_by,
        "asked_by": member.asked_by,
        "request": Kind.REQUEST.workflow_id(request),
        "fingerprint": member.fingerprint(order.fingerprint),
    }


def _begin(connection: Connection, campaign: str) -> None:
    connection.execute(CHANGED_MEMBERS.delete().where(CHANGED_MEMBERS.c.campaign == campaign))
    replace_row(connection, AUDIENCES, {AUDIENCES.c.campaign: campaign}, head=None, members=0)


def _finish(connection: Connection, campaign: str, head: str) -> int:
    in_campaign = AUDIENCES.c.campaign == campaign
    connection.execute(AUDIENCES.update().where(in_campaign).values(head=head))
    return int(connection.execute(select(AUDIENCES.c.members).where(in_campaign)).scalar_one())


def _add(connection: Connection, order: CampaignOrder, members: Sequence[Member]) -> None:
    """Write new members behind those that are there; raises `DatabaseAway` if another process does as well."""
    audience = AUDIENCES.c
    unchanged = audience.campaign == order.workflow_id, audience.members == members[0].position
    if not connection.execute(
        AUDIENCES.update().where(*unchanged).values(members=audience.members + len(members))
    ).rowcount:
        raise DatabaseAway("another process writes the members of the campaign")
    connection.execute(insert(MEMBERS), [_values(order, member) for member in members])


def _apply(connection: Connection, order: CampaignOrder, amendment: AudienceAmendment) -> None:
    change, campaign, member = amendment.change, order.workflow_id, MEMBERS.c
    if amendment.about_everybody:
        earlier = MEMBERS.update().where(member.campaign == campaign, member.due < change.due)
        connection.execute(earlier.values(given=func.coalesce(member.given, member.due), due=change.due))
        return
    rows = {row.person: row for row in amendment.rows}
    named_members: list[Member] = []
    for people in chunks(sorted(rows), MEMBERS_AT_ONCE):
        named = select(*_columns(member.due)).where(member.campaign == campaign, member.person.in_(people))
        named_members += _read(connection.execute(named))
    changed = [
        (found_member, amendment.changed(found_member, rows[found_member.person]))
        for found_member in sorted(named_members, key=lambda found_member: found_member.position)
    ]
    if news := [_values(order, current) for former, current in changed if current != former]:
        key = member.campaign == bindparam("in_campaign"), member.place == bindparam("at_place")
        keys = [{"in_campaign": row.pop("campaign"), "at_place": row.pop("place")} for row in news]
        settable: dict[str, Any] = {name: bindparam(f"to_{name}") for name in news[0]}
        changing = [
            {**key_values, **{f"to_{name}": row[name] for name in row}}
            for key_values, row in zip(keys, news, strict=True)
        ]
        connection.execute(MEMBERS.update().where(*key).values(settable), changing)
    changed_members = [current for _, current in changed if not current.row.says]
    if change.what is ChangeKind.JOINED:
        back = {current.person for former, current in changed if current != former}
        count_query = select(AUDIENCES.c.members).where(AUDIENCES.c.campaign == campaign)
        first = int(connection.execute(count_query).scalar_one())
        new = [row for row in rows.values() if row.person not in back]
        joined = [amendment.joined(row, position) for position, row in enumerate(new, start=first)]
        if joined:
            _add(connection, order, joined)
        changed_members += joined
    if changed_members:
        numbers = {"campaign": campaign, "number": change.number}
        noted = [
            {**numbers, "nth": nth, "place": changed_member.position, "attempt": changed_member.attempt}
            for nth, changed_member in enumerate(changed_members)
        ]
        connection.execute(insert(CHANGED_MEMBERS), noted)
