"""A campaign's audience, frozen at the opening, and later changes, in the store. Rows have no names or addresses, so
they are never erased.
"""

import asyncio
import hashlib
import json
import re
from bisect import bisect_right
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime
from typing import Any, Final, NamedTuple, Self

from activities.documents.files import AUDIENCES
from activities.records.store import Store
from workflows.model.campaign import AudienceChange, Batch, BatchWork, Campaign, CampaignOrder, ChangeKind

AUDIENCE_AT_MOST: Final = 200_000
"""People of one campaign, joiners included."""
_FORM: Final = 1


class MemberRow(NamedTuple):
    """`number` is the line in the file, or the position; `person` a directory id, or `p-…` if described in full; `says`
    why they cannot be asked.
    """

    number: int
    person: str
    department: str = ""
    manager: str = ""
    says: str = ""


_ATTEMPT: Final = re.compile(r"\.r[0-9]+$")


class ExtendedMember(NamedTuple):
    """An extension at `at`: last days before `due` become `due`."""

    at: datetime
    due: date


@dataclass(frozen=True, slots=True)
class Member:
    """A current or former member. `given` is the last day on joining; `extended` lists the campaign's extensions, the
    first `before` of which came before they joined, and `own` those of this member alone; `out` is the change that
    removed them; `joined` if not in the frozen audience.
    """

    row: MemberRow
    given: date
    attempt: int = 1
    out: ChangeKind | None = None
    reason: str = ""
    joined: bool = False
    asked_by: int = 0
    """The last change that asks them; none if only the opening does."""
    extended: tuple[ExtendedMember, ...] = ()
    before: int = 0
    own: tuple[ExtendedMember, ...] = ()

    @property
    def due(self) -> date:
        return self.due_at(None)

    def due_at(self, instant: datetime | None) -> date:
        """Their last day as of an instant."""
        moved = bisect_right(self.extended, instant, key=lambda one: one.at) if instant else len(self.extended)
        everybodys = [self.extended[moved - 1].due] if moved > self.before else []
        own = (one.due for one in self.own if not instant or one.at <= instant)
        return max((self.given, *everybodys, *own))

    def seen_to(self, place: int, asked: int, changes_asked: int) -> bool:
        """Whether a batch at this place has passed a member who may be asked and has no request yet."""
        return self.asked_by <= changes_asked if self.asked_by else place < asked

    @property
    def person(self) -> str:
        return self.row.person

    @property
    def asked(self) -> bool:
        """Whether a request exists or is to be made."""
        return not self.row.says and self.out is None

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
    """A stored change with its rows. `taken_up` are asked again by their existing request. `before` is the SHA-256 of
    the previous change, so that the last one verifies all.
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
        found = json.loads(content)
        rows = tuple(MemberRow(*row) for row in found["rows"])
        return cls(AudienceChange.model_validate(found["change"]), rows, found["before"], tuple(found["taken_up"]))


def dumped(rows: Iterable[MemberRow]) -> bytes:
    """As canonical JSON."""
    return _json({"version": _FORM, "rows": list(rows)})


def loaded(content: bytes) -> tuple[MemberRow, ...]:
    return tuple(MemberRow(*row) for row in json.loads(content)["rows"])


def _json(value: Any) -> bytes:
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"), sort_keys=True).encode()


@dataclass(frozen=True)
class Audience:
    """All current and former members, in an order that only grows: frozen rows, then joiners."""

    members: tuple[Member, ...]
    amendments: tuple[AudienceAmendment, ...] = ()
    extended: tuple[ExtendedMember, ...] = ()

    @classmethod
    def of(cls, rows: Iterable[MemberRow], campaign: Campaign, amendments: Sequence[AudienceAmendment] = ()) -> Self:
        return cls(tuple(Member(row, campaign.due) for row in rows)).after(amendments)

    def after(self, amendments: Sequence[AudienceAmendment]) -> Self:
        members, extended = list(self.members), self.extended
        for amendment in amendments:
            extended = _extended(extended, amendment.change)
            _amend(members, amendment, len(extended))
        # Each extension is held once, for any number of people; members who have the list already are not touched.
        known = tuple(one if one.extended is extended else replace(one, extended=extended) for one in members)
        return replace(self, members=known, amendments=(*self.amendments, *amendments), extended=extended)

    def person(self, id: str) -> Member | None:
        """The member with this id; of a person listed twice, the one who is asked."""
        found = [member for member in self.members if member.person == id]
        return next((member for member in found if not member.row.says), found[0] if found else None)

    def begun(self, order: CampaignOrder) -> frozenset[str]:
        """Those who may have a request: a batch has reached them."""
        seen = (order.asked, order.changes_asked)
        return frozenset(one.person for place, one in enumerate(self.members) if one.seen_to(place, *seen))

    def about(self, change: int | None) -> tuple[Member, ...]:
        """The members that a change is about, in an order that only grows; all for None and everybody's extension."""
        if change is None:
            return self.members
        amendment = self.amendments[change - 1]
        if amendment.change.what is ChangeKind.EXTENDED and not amendment.change.person:
            # All members: a batch continues by position, and those to ask may differ by then.
            return self.members
        concerned = {row.person for row in amendment.rows}
        return tuple(member for member in self.members if member.person in concerned and not member.row.says)


def _extended(extended: tuple[ExtendedMember, ...], change: AudienceChange) -> tuple[ExtendedMember, ...]:
    """The list with one more; concurrent changes may arrive in any order, an earlier day changes nothing."""
    if change.what is not ChangeKind.EXTENDED or change.due is None or change.person:
        return extended
    if extended and change.due <= extended[-1].due:
        return extended
    return (*extended, ExtendedMember(change.at, change.due))


def _amend(members: list[Member], amendment: AudienceAmendment, before: int) -> None:
    change, rows = amendment.change, {row.person: row for row in amendment.rows}
    match change.what:
        case ChangeKind.LEFT:
            _each(members, rows, lambda one, _: replace(one, out=change.what) if one.asked else one)
        case ChangeKind.EXEMPT:
            _each(members, rows, lambda one, row: _exempt(one, row, change))
        case ChangeKind.AGAIN:
            _each(members, rows, lambda one, row: _again(one, row, amendment))
        case ChangeKind.EXTENDED if change.due and change.person:
            own = ExtendedMember(change.at, change.due)
            _each(members, rows, lambda one, _: replace(one, own=(*one.own, own)))
        case ChangeKind.JOINED if change.due:
            _join(members, rows, change.number, change.due, before)


def _each(members: list[Member], rows: Mapping[str, MemberRow], amended: Callable[[Member, MemberRow], Member]) -> None:
    for place, one in enumerate(members):
        if row := rows.get(one.person):
            members[place] = amended(one, row)


def _exempt(member: Member, row: MemberRow, change: AudienceChange) -> Member:
    """Also for people who could not be asked; only one row of a person listed twice."""
    if member.out is not None or member.row.number != row.number:
        return member
    return replace(member, out=change.what, reason=change.reason)


def _again(member: Member, row: MemberRow, amendment: AudienceAmendment) -> Member:
    if member.out is not None or member.row.number != row.number:
        return member
    another = member.person not in amendment.taken_up and not member.row.says
    return replace(member, row=row, attempt=member.attempt + another, asked_by=amendment.change.number)


def _join(members: list[Member], rows: dict[str, MemberRow], by: int, due: date, before: int) -> None:
    """A person who had left is asked in another attempt."""
    for place, one in enumerate(members):
        if one.out is ChangeKind.LEFT and one.person in rows:
            row = rows.pop(one.person)._replace(number=one.row.number)
            back = replace(one, row=row, given=due, before=before, own=(), out=None, joined=True, asked_by=by)
            members[place] = replace(back, attempt=one.attempt + 1)
    members += [Member(row, due, before=before, joined=True, asked_by=by) for row in rows.values()]


class Audiences:
    """Stored audiences; caches the last few."""

    _KEPT: Final = 2

    def __init__(self, store: Store) -> None:
        self._store = store
        self._read: dict[tuple[str, str, str | None], Audience] = {}

    async def freeze(self, rows: Iterable[MemberRow]) -> str:
        """Store rows; returns their SHA-256."""
        return await self._store.files.put(dumped(rows), AUDIENCES)

    async def rows(self, sha256: str) -> tuple[MemberRow, ...]:
        """The rows of a SHA-256; raises the document errors for missing or damaged content."""
        return loaded(await self._content(sha256))

    async def _content(self, sha256: str) -> bytes:
        return await self._store.files.read(sha256, AUDIENCES)

    async def of(self, order: CampaignOrder) -> Audience:
        """The audience of an order, after the changes that the order knows."""
        if order.frozen is None:
            raise ValueError("the audience is not frozen yet")
        return await self.read(order.campaign, order.frozen.sha256, order.changed)

    async def members_of(self, batch: Batch) -> tuple[Member, ...]:
        """A batch's members: those to ask as of now; those to end or extend as of the batch's change, since who has
        come back has another request.
        """
        audience = await self.of(batch.order)
        later = audience.amendments[batch.change :] if batch.change and batch.work is not BatchWork.START else ()
        if later and batch.order.frozen:
            audience = await self.read(batch.order.campaign, batch.order.frozen.sha256, later[0].before)
        return audience.about(batch.change)

    async def read(self, campaign: Campaign, sha256: str, changed: str | None) -> Audience:
        """Raises the document errors for missing or damaged content."""
        key = (campaign.id, sha256, changed)
        if key not in self._read:
            amendments: list[AudienceAmendment] = []
            while changed is not None and (campaign.id, sha256, changed) not in self._read:
                amendments.insert(0, AudienceAmendment.loaded(await self._content(changed)))
                changed = amendments[0].before
            before = self._read.get((campaign.id, sha256, changed)) if changed is not None else None
            if before is None:
                before = Audience.of(await self.rows(sha256), campaign)
            self._read[key] = await asyncio.to_thread(before.after, amendments)
            while len(self._read) > self._KEPT:
                del self._read[next(iter(self._read))]
        return self._read[key]

    async def write(self, amendment: AudienceAmendment) -> str:
        """Store a change; returns the SHA-256 that the next one names."""
        return await self._store.files.put(amendment.dumped(), AUDIENCES)


def repeated(rows: Iterable[MemberRow]) -> Iterator[MemberRow]:
    """The rows; a row that repeats a person cannot be asked."""
    seen: dict[str, int] = {}
    for row in rows:
        if not row.says and row.person in seen:
            yield row._replace(says=f"is in row {seen[row.person]} already")
        else:
            seen.setdefault(row.person, row.number)
            yield row
