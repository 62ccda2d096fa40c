"""The audience of a campaign: frozen once at the opening, and what was changed about it since, each change on record.

The store has both. What is frozen has ids, departments and managers, but no name and no address: it is never erased.
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

from activities.records.store import AUDIENCES, Store
from workflows.model.campaign import AudienceChange, Batch, BatchWork, Campaign, CampaignOrder, ChangeKind

AUDIENCE_AT_MOST: Final = 200_000
"""People of one campaign, joiners included."""
_FORM: Final = 1


class MemberRow(NamedTuple):
    """Somebody of an audience; `number` is their line in the file, else their place. `says` is why nobody can ask them.

    `person` is an id of the directory, or `p-…` of somebody who stands in full in the file.
    """

    number: int
    person: str
    department: str = ""
    manager: str = ""
    says: str = ""


_ATTEMPT: Final = re.compile(r"\.r[0-9]+$")


class ExtendedMember(NamedTuple):
    """Since when everybody whose last day was before this one has until then."""

    at: datetime
    due: date


@dataclass(frozen=True, slots=True)
class Member:
    """Somebody who is, or was, to acknowledge: until when, in which attempt, and why not any more.

    `given` is their last day as they came into the audience; `extended` is how it was moved, one list for everybody,
    whose first `before` do not count for them: they came after these. `out` is the change that took them out. `joined`
    when they were not there at the opening.
    """

    row: MemberRow
    given: date
    attempt: int = 1
    out: ChangeKind | None = None
    reason: str = ""
    joined: bool = False
    asked_by: int = 0
    """The last change that asks them; none when only the opening does."""
    extended: tuple[ExtendedMember, ...] = ()
    before: int = 0

    @property
    def due(self) -> date:
        """Their last day."""
        return self.due_at(None)

    def due_at(self, instant: datetime | None) -> date:
        """Their last day as it was then."""
        moved = bisect_right(self.extended, instant, key=lambda one: one.at) if instant else len(self.extended)
        return max(self.given, self.extended[moved - 1].due) if moved > self.before else self.given

    def seen_to(self, place: int, asked: int, changes_asked: int) -> bool:
        """Whether a walk has come to them, when they are at this place: they may be asked, and have no request yet."""
        return self.asked_by <= changes_asked if self.asked_by else place < asked

    @property
    def person(self) -> str:
        """Their id."""
        return self.row.person

    @property
    def asked(self) -> bool:
        """Whether there is, or is to be, a request for them."""
        return not self.row.says and self.out is None

    def request(self, campaign: str) -> str:
        """The id of their request, of each attempt another; somebody's own id may end as that of an attempt does."""
        is_plain = self.attempt == 1 and _ATTEMPT.search(self.person) is None
        return f"{campaign}.{self.person}" if is_plain else f"{campaign}.{self.person}.r{self.attempt}"

    def fingerprint(self, campaign: str) -> str:
        """By what their request is recognised: the campaign's own and the person, not until when they have."""
        content = {"campaign": campaign, "person": self.person, "attempt": self.attempt}
        return hashlib.sha256(_json(content)).hexdigest()


@dataclass(frozen=True)
class AudienceAmendment:
    """A change as the store has it, with the rows it is about: whoever joined, left, is exempt, or is asked again.

    `taken_up` are those who are asked again by the request that they had: nobody has ended it, its document may live.
    `before` is the SHA-256 of the change before it, so that the last one vouches for all of them.
    """

    change: AudienceChange
    rows: tuple[MemberRow, ...] = ()
    before: str | None = None
    taken_up: tuple[str, ...] = ()

    def dumped(self) -> bytes:
        """As JSON, byte-equal for the same."""
        change = self.change.model_dump(mode="json")
        content = {"before": self.before, "change": change, "rows": self.rows, "taken_up": self.taken_up}
        return _json({"version": _FORM, **content})

    @classmethod
    def loaded(cls, content: bytes) -> Self:
        """What was dumped."""
        found = json.loads(content)
        rows = tuple(MemberRow(*row) for row in found["rows"])
        return cls(AudienceChange.model_validate(found["change"]), rows, found["before"], tuple(found["taken_up"]))


def dumped(rows: Iterable[MemberRow]) -> bytes:
    """Rows as JSON, byte-equal for the same."""
    return _json({"version": _FORM, "rows": list(rows)})


def loaded(content: bytes) -> tuple[MemberRow, ...]:
    """The rows that were dumped."""
    return tuple(MemberRow(*row) for row in json.loads(content)["rows"])


def _json(value: Any) -> bytes:
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"), sort_keys=True).encode()


@dataclass(frozen=True)
class Audience:
    """Everybody who was ever in the audience, in an order that only grows: the frozen rows, then whoever joined."""

    members: tuple[Member, ...]
    amendments: tuple[AudienceAmendment, ...] = ()
    extended: tuple[ExtendedMember, ...] = ()

    @classmethod
    def of(cls, rows: Iterable[MemberRow], campaign: Campaign, amendments: Sequence[AudienceAmendment] = ()) -> Self:
        """The audience after all its amendments."""
        return cls(tuple(Member(row, campaign.due) for row in rows)).after(amendments)

    def after(self, amendments: Sequence[AudienceAmendment]) -> Self:
        """The audience after these changes too."""
        members, extended = list(self.members), self.extended
        for amendment in amendments:
            extended = _extended(extended, amendment.change)
            _amend(members, amendment, len(extended))
        # Each extension is held once, however many people it is for, and whoever has the list already is not touched.
        known = tuple(one if one.extended is extended else replace(one, extended=extended) for one in members)
        return replace(self, members=known, amendments=(*self.amendments, *amendments), extended=extended)

    def person(self, id: str) -> Member | None:
        """The member with this id; of a person who is there twice, the one who is asked."""
        found = [member for member in self.members if member.person == id]
        return next((member for member in found if not member.row.says), found[0] if found else None)

    def begun(self, order: CampaignOrder) -> frozenset[str]:
        """Those who may have a request: a walk has come to them."""
        seen = (order.asked, order.changes_asked)
        return frozenset(one.person for place, one in enumerate(self.members) if one.seen_to(place, *seen))

    def about(self, change: int | None) -> tuple[Member, ...]:
        """Those whom a change is about, everybody for none and for an extension; in an order that only grows."""
        if change is None:
            return self.members
        amendment = self.amendments[change - 1]
        if amendment.change.what is ChangeKind.EXTENDED:
            # All of them: a walk goes on by its place, and who is asked may be others by then.
            return self.members
        concerned = {row.person for row in amendment.rows}
        return tuple(member for member in self.members if member.person in concerned and not member.row.says)


def _extended(extended: tuple[ExtendedMember, ...], change: AudienceChange) -> tuple[ExtendedMember, ...]:
    """The list with one more; of two that were wished at once the later day may come first: the other moves nobody."""
    if change.what is not ChangeKind.EXTENDED or change.due is None or (extended and change.due <= extended[-1].due):
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
        case ChangeKind.JOINED if change.due:
            _join(members, rows, change.number, change.due, before)


def _each(members: list[Member], rows: Mapping[str, MemberRow], amended: Callable[[Member, MemberRow], Member]) -> None:
    """Amend those whom the rows are about; the others, who are many, are not touched."""
    for place, one in enumerate(members):
        if row := rows.get(one.person):
            members[place] = amended(one, row)


def _exempt(member: Member, row: MemberRow, change: AudienceChange) -> Member:
    """Also somebody who could not be asked; of a person who stands there twice the one row."""
    if member.out is not None or member.row.number != row.number:
        return member
    return replace(member, out=change.what, reason=change.reason)


def _again(member: Member, row: MemberRow, amendment: AudienceAmendment) -> Member:
    """Asked once more: a row that was wrong is right now, a request that has ended gets another one."""
    if member.out is not None or member.row.number != row.number:
        return member
    another = member.person not in amendment.taken_up and not member.row.says
    return replace(member, row=row, attempt=member.attempt + another, asked_by=amendment.change.number)


def _join(members: list[Member], rows: dict[str, MemberRow], by: int, due: date, before: int) -> None:
    """Whoever was there before and had left is asked in another attempt."""
    for place, one in enumerate(members):
        if one.out is ChangeKind.LEFT and one.person in rows:
            row = rows.pop(one.person)._replace(number=one.row.number)
            back = replace(one, row=row, given=due, before=before, out=None, joined=True, asked_by=by)
            members[place] = replace(back, attempt=one.attempt + 1)
    members += [Member(row, due, before=before, joined=True, asked_by=by) for row in rows.values()]


class Audiences:
    """The audiences of living campaigns as the store has them, the last few kept as they were read."""

    _KEPT: Final = 2

    def __init__(self, store: Store) -> None:
        self._store = store
        self._read: dict[tuple[str, str, str | None], Audience] = {}

    async def freeze(self, rows: Iterable[MemberRow]) -> str:
        """Keep rows under the SHA-256 that is returned."""
        return await self._store.put_document(dumped(rows), AUDIENCES)

    async def rows(self, sha256: str) -> tuple[MemberRow, ...]:
        """The rows kept under a SHA-256; raises what a document does that is missing or damaged."""
        return loaded(await self._content(sha256))

    async def _content(self, sha256: str) -> bytes:
        return b"".join([piece async for piece in (await self._store.document(sha256, AUDIENCES)).pieces(1 << 18)])

    async def of(self, order: CampaignOrder) -> Audience:
        """The audience that an order is about, after the changes that it knows of."""
        if order.frozen is None:
            raise ValueError("the audience is not frozen yet")
        return await self.read(order.campaign, order.frozen.sha256, order.changed)

    async def walked(self, walk: Batch) -> tuple[Member, ...]:
        """Those whom a walk is about: who is asked as all stand by now, who is ended or extended as of its own change.

        Somebody who has come back since has another request, which the walk of that change asks them with.
        """
        audience = await self.of(walk.order)
        later = audience.amendments[walk.change :] if walk.change and walk.work is not BatchWork.START else ()
        if later and walk.order.frozen:
            audience = await self.read(walk.order.campaign, walk.order.frozen.sha256, later[0].before)
        return audience.about(walk.change)

    async def read(self, campaign: Campaign, sha256: str, changed: str | None) -> Audience:
        """The same by its parts; raises what a document does that is missing or damaged."""
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
        """Write a change; the SHA-256 that the next one names."""
        return await self._store.put_document(amendment.dumped(), AUDIENCES)


def repeated(rows: Iterable[MemberRow]) -> Iterator[MemberRow]:
    """The rows, of which one that names a person again cannot be asked."""
    seen: dict[str, int] = {}
    for row in rows:
        if not row.says and row.person in seen:
            yield row._replace(says=f"is in row {seen[row.person]} already")
        else:
            seen.setdefault(row.person, row.number)
            yield row
