"""The directory in the database: people and groups as the company's directory pushes them (SCIM), with what an imported
people file adds, and who has left.
"""

import secrets
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import StrEnum
from functools import partial
from typing import Any, Final, NamedTuple

from sqlalchemy import ColumnElement, Connection, Select, and_, func, or_, select

from activities.records.database import Database, chunks, insert_into
from activities.records.schema import DIRECTORY_GROUPS, DIRECTORY_MEMBERS, DIRECTORY_PEOPLE

_IDS_A_STATEMENT: Final = 500
"""Named in one statement."""
MEMBERS_AT_MOST: Final = 100_000
"""Of one group."""
REPORTS_AT_MOST: Final = 20_000
"""Direct and indirect reports of one manager that are read, nearest first."""
GROUPS_AT_MOST: Final = 10_000
LEAVERS_A_PAGE: Final = 500
"""People whose leaving is announced in one round."""
MANY_LEAVE: Final = 20
"""People who leave within `MANY_LEAVE_WITHIN`: from so many on, and if they are more than a tenth, they are held."""
MANY_LEAVE_SHARE: Final = 10
MANY_LEAVE_WITHIN: Final = timedelta(hours=1)
_ID_BYTES: Final = 8
_FILE: Final = "file."
"""Before the name, in the id of a group of the imported file."""
_P: Final = DIRECTORY_PEOPLE.c
_G: Final = DIRECTORY_GROUPS.c
_M: Final = DIRECTORY_MEMBERS.c
_PUSHED: Final = _P.user_name.is_not(None)
"""Neither of the imported file alone, nor deleted by the company's directory."""
Plain = Mapping[str, Any]


class ExodusHold(StrEnum):
    """Of people who left, many at once."""

    HELD = "held"
    CONFIRMED = "confirmed"


class Announcement(StrEnum):
    """How far open follow-ups know that somebody has left."""

    NONE = "none"
    BEGUN = "begun"
    DONE = "done"


_COUNTS: Final = or_(_P.active, _P.announcement == Announcement.NONE)
"""Who is there for what is open: also whoever left, until that is announced."""


class UserNameTaken(Exception):
    """Somebody else has this user name."""


class GroupNameTaken(Exception):
    """Another group has this name."""


class VersionConflict(Exception):
    """It was changed meanwhile."""


class NotPushed(Exception):
    """There is none with this id that the company's directory pushed."""


class UnknownMembers(Exception):
    """A group is to have members that are not in the directory."""


class DerivedColumns(NamedTuple):
    """What a person is found by, derived from the pushed resource and the imported entry."""

    address: str
    folded: str
    manager: str | None
    department: str | None


Derive = Callable[[str, Plain | None, Plain | None], DerivedColumns]
"""From id, pushed resource and imported entry."""


@dataclass(frozen=True)
class PushedPerson:
    """A user as pushed: the resource without `id` and `meta`."""

    resource: Plain
    user_name: str
    external_id: str | None
    active: bool
    wanted_id: str | None = None
    """The id of somebody new, if it is free."""


@dataclass(frozen=True)
class DirectoryPersonRow:
    id: str
    resource: Plain | None
    imported: Plain | None
    active: bool
    announcement: Announcement
    version: int
    made_at: datetime
    changed_at: datetime

    @property
    def counts(self) -> bool:
        """Whether they are there for what is open."""
        return self.active or self.announcement is Announcement.NONE


@dataclass(frozen=True)
class PersonWithGroups:
    person: DirectoryPersonRow
    groups: tuple[str, ...] = ()


@dataclass(frozen=True)
class GroupRow:
    id: str
    name: str
    display_name: str
    external_id: str | None
    version: int
    made_at: datetime
    changed_at: datetime
    members: tuple[str, ...] = ()


@dataclass(frozen=True)
class MemberChange:
    """Of one group: what is added and removed; with `replaces` all others go."""

    added: frozenset[str] = frozenset()
    removed: frozenset[str] = frozenset()
    replaces: bool = False


@dataclass(frozen=True)
class GroupChange:
    """None leaves as it is."""

    name: str | None = None
    display_name: str | None = None
    external_id: str | None = None
    members: Sequence[MemberChange] = ()


class Page(NamedTuple):
    """`first` counts from 0."""

    first: int
    limit: int


class Leaver(NamedTuple):
    """Somebody who left, or came back."""

    id: str
    back: bool


class Exodus(NamedTuple):
    """How many are held, and since when the first of them has left."""

    held: int = 0
    since: datetime | None = None


@dataclass(frozen=True)
class ImportReport:
    people: int = 0
    left: int = 0
    kept_out: int = 0
    """Who left by the company's directory stays out, whatever the file has."""


@dataclass(frozen=True)
class ImportedPeople:
    """Entries of a people file by id, and its groups."""

    entries: Mapping[str, Plain]
    groups: Mapping[str, tuple[str, ...]] = field(default_factory=dict)


class StoredDirectory:
    """Raises `DatabaseAway`."""

    def __init__(self, database: Database) -> None:
        self._database = database

    # People, as they are looked up.

    async def person_with_groups(self, id: str) -> PersonWithGroups | None:
        """Also somebody who has left: `active` and `counts` tell."""
        return await self._database.read(partial(_with_groups, id))

    def look_up(self, id: str) -> PersonWithGroups | None:
        """The same for whoever is in a thread already, which it blocks."""
        return self._database.read_blocking(partial(_with_groups, id))

    async def people(self, ids: Collection[str]) -> dict[str, DirectoryPersonRow]:
        """Those of these who are there for what is open."""

        def ask(connection: Connection) -> dict[str, DirectoryPersonRow]:
            return {
                row.id: _person(row)
                for part in chunks(sorted(ids), _IDS_A_STATEMENT)
                for row in connection.execute(select(DIRECTORY_PEOPLE).where(_P.id.in_(part), _COUNTS))
            }

        return await self._database.read(ask)

    async def size(self) -> int:
        """How many people are there, without those who left."""
        row = await self._database.first(select(func.count()).select_from(DIRECTORY_PEOPLE).where(_P.active))
        return row[0] if row else 0

    async def first_ids(self, limit: int, after: str = "") -> list[str]:
        query = select(_P.id).where(_COUNTS, _P.id > after).order_by(_P.id).limit(limit)
        return [row.id for row in await self._database.rows(query)]

    async def departments(self, limit: int, after: str = "") -> list[tuple[str, str]]:
        """Ids with departments, a page by id."""
        query = select(_P.id, _P.department).where(_COUNTS, _P.id > after).order_by(_P.id).limit(limit)
        return [(row.id, row.department or "") for row in await self._database.rows(query)]

    async def named(self, query: str) -> str | None:
        """The id of the one active person with this id or address; None for none or several."""
        by_id = select(_P.id).where(_P.active, _P.id == query).limit(1)
        by_address = select(_P.id).where(_P.active, _P.address == query.casefold()).limit(2)

        def ask(connection: Connection) -> str | None:
            if row := connection.execute(by_id).first():
                return str(row.id)
            rows = connection.execute(by_address).all()
            return str(rows[0].id) if len(rows) == 1 else None

        return await self._database.read(ask)

    async def search(self, words: Sequence[str], limit: int) -> list[str]:
        query = select(_P.id).where(_COUNTS, *map(_contains, words)).order_by(_P.id).limit(limit)
        return [row.id for row in await self._database.rows(query)]

    async def colleagues(self, id: str, words: Sequence[str], also: str, limit: int) -> tuple[list[str], int]:
        """Ids of colleagues with these words, or of the one named `also`, and how many there are in all."""

        def ask(connection: Connection) -> tuple[list[str], int]:
            person = connection.execute(select(_P.manager, _P.department).where(_P.id == id)).first()
            if person is None:
                return [], 0
            close = _close(id, person.manager, person.department)
            in_groups = select(_M.person).where(
                _M.group_id.in_(select(_M.group_id).where(_M.person == id).scalar_subquery())
            )
            colleague = and_(_COUNTS, _P.id != id, or_(close, _P.id.in_(in_groups)))
            total = connection.scalar(select(func.count()).select_from(DIRECTORY_PEOPLE).where(colleague)) or 0
            query = select(_P.id).where(colleague).order_by(close.desc(), _P.id).limit(limit)
            if also and (row := connection.execute(query.where(_P.id == also)).first()):
                return [row.id], total
            if not words and total > limit:
                return [], total
            return [row.id for row in connection.execute(query.where(*map(_contains, words)))], total

        return await self._database.read(ask)

    async def reports(self, manager: str) -> tuple[str, ...]:
        """Ids of direct and indirect reports, nearest first; circles are no matter."""

        def ask(connection: Connection) -> tuple[str, ...]:
            reports, level = dict.fromkeys((manager,)), [manager]
            while level and len(reports) <= REPORTS_AT_MOST:
                query = select(_P.id).where(_COUNTS).order_by(_P.id)
                below = [
                    row.id
                    for part in chunks(level, _IDS_A_STATEMENT)
                    for row in connection.execute(query.where(_P.manager.in_(part)).limit(REPORTS_AT_MOST))
                ]
                level = [id for id in dict.fromkeys(below) if id not in reports]
                reports |= dict.fromkeys(level)
            return tuple(reports)[1 : REPORTS_AT_MOST + 1]

        return await self._database.read(ask)

    # Groups, as they are looked up.

    async def group(self, name: str) -> tuple[str, ...]:
        """Whatever capitals its name is written with: beyond A to Z not each database knows them."""
        query = (
            _members(or_(_G.name == name, func.lower(_G.name) == name.lower())).where(_COUNTS).limit(MEMBERS_AT_MOST)
        )
        return tuple(row.person for row in await self._database.rows(query))

    async def groups_of(self, person: str) -> frozenset[str]:
        query = select(_G.name).join(DIRECTORY_MEMBERS, _M.group_id == _G.id).where(_M.person == person)
        return frozenset(row.name for row in await self._database.rows(query.limit(GROUPS_AT_MOST)))

    async def groups(self) -> dict[str, int]:
        """How many people each has."""
        query = (
            select(_G.name, func.count(_M.person.distinct()).label("size"))
            .join(DIRECTORY_MEMBERS, _M.group_id == _G.id)
            .join(DIRECTORY_PEOPLE, _P.id == _M.person)
            .where(_COUNTS)
            .group_by(_G.name)
        )
        return {row.name: row.size for row in await self._database.rows(query.limit(GROUPS_AT_MOST))}

    # Users, as they are pushed.

    async def user(self, id: str) -> DirectoryPersonRow | None:
        row = await self._database.first(select(DIRECTORY_PEOPLE).where(_P.id == id, _PUSHED))
        return _person(row) if row else None

    async def users(self, equal: Mapping[str, str], page: Page) -> tuple[list[DirectoryPersonRow], int]:
        """A page of users with these columns, and how many there are."""
        rows, total = await self._page(
            DIRECTORY_PEOPLE, [_PUSHED, *(_P[name] == text for name, text in equal.items())], page
        )
        return [_person(row) for row in rows], total

    async def add_user(self, user: PushedPerson, derive: Derive, address: str, now: datetime) -> DirectoryPersonRow:
        """Somebody new, or whom the imported file or an earlier push has by the same external id or address. Raises
        `UserNameTaken`.
        """

        def change(connection: Connection) -> DirectoryPersonRow:
            _refuse_taken(connection, user.user_name)
            row = _unpushed(connection, user, address)
            id = row.id if row else _free_id(connection, user.wanted_id)
            values = _user_values(row, id, user, derive, now) | {"is_pushed": True}
            if row:
                return _update_person(connection, row, values)
            new_values = {**values, "id": id, "version": 1, "made_at": now, "announcement": Announcement.NONE}
            return _person(connection.execute(DIRECTORY_PEOPLE.insert().returning(*_P), new_values).one())

        return await self._database.write(change)

    async def replace_user(
        self, id: str, user: PushedPerson, derive: Derive, now: datetime, version: int | None = None
    ) -> DirectoryPersonRow:
        """Raises `NotPushed`, `UserNameTaken`, and `VersionConflict` if it no longer has this version."""

        def change(connection: Connection) -> DirectoryPersonRow:
            row = _require_version(
                connection.execute(select(DIRECTORY_PEOPLE).where(_P.id == id, _PUSHED)).first(), version
            )
            _refuse_taken(connection, user.user_name, id)
            return _update_person(connection, row, _user_values(row, id, user, derive, now))

        return await self._database.write(change)

    async def remove_user(self, id: str, now: datetime, version: int | None = None) -> None:
        """They have left; who they are is kept while open follow-ups do not know it. Raises as `replace_user`."""

        def change(connection: Connection) -> None:
            row = _require_version(
                connection.execute(select(DIRECTORY_PEOPLE).where(_P.id == id, _PUSHED)).first(), version
            )
            values = {**_leaving(row, False, now), "user_name": None, "version": row.version + 1, "changed_at": now}
            connection.execute(DIRECTORY_PEOPLE.update().where(_P.id == id), values)
            connection.execute(DIRECTORY_MEMBERS.delete().where(_M.person == id))

        await self._database.write(change)

    # Groups, as they are pushed.

    async def pushed_group(self, id: str, *, with_members: bool = True) -> GroupRow | None:
        query = select(DIRECTORY_GROUPS).where(_G.id == id, _G.is_pushed)

        def ask(connection: Connection) -> GroupRow | None:
            row = connection.execute(query).first()
            return _group(row, _member_ids(connection, id) if with_members else ()) if row else None

        return await self._database.read(ask)

    async def pushed_groups(
        self, equal: Mapping[str, str], page: Page, *, member: str = "", with_members: bool = False
    ) -> tuple[list[GroupRow], int]:
        """A page of groups with these columns, and this member; and how many there are."""
        conditions = [_G.is_pushed, *(_G[name] == text for name, text in equal.items())]
        if member:
            conditions.append(_G.id.in_(select(_M.group_id).where(_M.person == member).scalar_subquery()))
        rows, total = await self._page(DIRECTORY_GROUPS, conditions, page)
        if not with_members:
            return [_group(row) for row in rows], total
        groups = [await self.pushed_group(row.id) for row in rows]
        return [group for group in groups if group], total

    async def add_group(
        self, name: str, display_name: str, external_id: str | None, members: Collection[str], now: datetime
    ) -> GroupRow:
        """Raises `GroupNameTaken`, `UnknownMembers`."""
        id = f"g-{secrets.token_hex(_ID_BYTES)}"

        def change(connection: Connection) -> GroupRow:
            _refuse_group_name(connection, name)
            values = {"name": name, "display_name": display_name, "external_id": external_id, "is_pushed": True}
            new_values = {**values, "id": id, "version": 1, "made_at": now, "changed_at": now}
            row = connection.execute(DIRECTORY_GROUPS.insert().returning(*_G), new_values).one()
            _change_members(connection, id, MemberChange(frozenset(members)))
            return _group(row, tuple(sorted(members)))

        return await self._database.write(change)

    async def change_group(
        self, id: str, group: GroupChange, now: datetime, version: int | None = None, *, with_members: bool = True
    ) -> GroupRow:
        """Raises `NotPushed`, `GroupNameTaken`, `UnknownMembers`, `VersionConflict`."""
        named = {"name": group.name, "display_name": group.display_name, "external_id": group.external_id}
        values = {name: text for name, text in named.items() if text is not None}

        def change(connection: Connection) -> GroupRow:
            row = _require_version(
                connection.execute(select(DIRECTORY_GROUPS).where(_G.id == id, _G.is_pushed)).first(), version
            )
            if group.name is not None:
                _refuse_group_name(connection, group.name, id)
            for members in group.members:
                _change_members(connection, id, members)
            changed_columns = {**values, "version": row.version + 1, "changed_at": now}
            update = DIRECTORY_GROUPS.update().where(_G.id == id).returning(*_G)
            changed_row = connection.execute(update, changed_columns).one()
            return _group(changed_row, _member_ids(connection, id) if with_members else ())

        return await self._database.write(change)

    async def remove_group(self, id: str, version: int | None = None) -> None:
        """Raises `NotPushed`, `VersionConflict`."""

        def change(connection: Connection) -> None:
            _require_version(
                connection.execute(select(DIRECTORY_GROUPS).where(_G.id == id, _G.is_pushed)).first(), version
            )
            connection.execute(DIRECTORY_MEMBERS.delete().where(_M.group_id == id))
            connection.execute(DIRECTORY_GROUPS.delete().where(_G.id == id))

        await self._database.write(change)

    # The imported people file.

    async def ids_by_address(self, addresses: Collection[str]) -> dict[str, str]:
        """Ids of pushed people with these addresses."""

        def ask(connection: Connection) -> dict[str, str]:
            query = select(_P.address, _P.id).where(_PUSHED)
            return {
                row.address: row.id
                for part in chunks(sorted(addresses), _IDS_A_STATEMENT)
                for row in connection.execute(query.where(_P.address.in_(part)))
            }

        return await self._database.read(ask)

    async def keep_imported(self, people: ImportedPeople, derive: Derive, now: datetime) -> ImportReport:
        """What the file has, in place of what it had before: whom only the former file had has left."""
        kept_out = 0
        for part in chunks(sorted(people.entries), _IDS_A_STATEMENT):
            kept_out += await self._database.write(partial(_keep_entries, part, people.entries, derive, now))
        left_count, after = 0, ""
        while True:
            query = select(_P.id).where(_P.imported.is_not(None), _P.id > after).order_by(_P.id).limit(_IDS_A_STATEMENT)
            ids = [row.id for row in await self._database.rows(query)]
            if not ids:
                break
            after, missing_ids = ids[-1], [id for id in ids if id not in people.entries]
            left_count += await self._database.write(partial(_drop_entries, missing_ids, derive, now))
        await self._database.write(partial(_keep_groups, people.groups, now))
        return ImportReport(len(people.entries), left_count, kept_out)

    # Who has left.

    async def hold_exodus(self, now: datetime) -> Exodus:
        """Hold what follows for open follow-ups where many have left within an hour; what is held by now."""
        recent = _P.active.is_(False), _P.left_at > now - MANY_LEAVE_WITHIN
        unconfirmed = func.coalesce(_P.hold, "") != ExodusHold.CONFIRMED
        unannounced = _P.active.is_(False), _P.announcement == Announcement.NONE, _P.hold.is_(None)
        count = select(func.count()).select_from(DIRECTORY_PEOPLE)

        def change(connection: Connection) -> Exodus:
            leaving = connection.scalar(count.where(*recent, unconfirmed)) or 0
            staying = connection.scalar(count.where(_P.active)) or 0
            if leaving >= MANY_LEAVE and leaving * MANY_LEAVE_SHARE > leaving + staying:
                connection.execute(DIRECTORY_PEOPLE.update().where(*unannounced).values(hold=ExodusHold.HELD))
            return _exodus(connection)

        return await self._database.write(change)

    async def exodus(self) -> Exodus:
        return await self._database.read(_exodus)

    async def confirm_exodus(self) -> int:
        """Open follow-ups are to hear of all who are held; how many."""
        held = DIRECTORY_PEOPLE.update().where(_P.hold == ExodusHold.HELD)
        return await self._database.change(held.values(hold=ExodusHold.CONFIRMED))

    async def begin_announcements(self, after: str = "") -> list[Leaver]:
        """Who left or came back without open follow-ups knowing it, a page by id; without those who are held. From now
        on whoever left no longer counts.
        """
        query = select(_P.id, _P.active).where(
            or_(
                and_(_P.active, _P.announcement != Announcement.NONE),
                and_(_P.active.is_(False), _P.announcement != Announcement.DONE),
            ),
            func.coalesce(_P.hold, "") != ExodusHold.HELD,
            _P.id > after,
        )

        def change(connection: Connection) -> list[Leaver]:
            rows = connection.execute(query.order_by(_P.id).limit(LEAVERS_A_PAGE)).all()
            leaver_ids = [row.id for row in rows if not row.active]
            beginning = DIRECTORY_PEOPLE.update().where(_P.id.in_(leaver_ids)).values(announcement=Announcement.BEGUN)
            connection.execute(beginning)
            return [Leaver(row.id, row.active) for row in rows]

        return await self._database.write(change)

    async def note_announced(self, leaver: Leaver) -> None:
        """Who was deleted and is no longer needed keeps only their id, and the ids of who could act instead."""
        unchanged = _P.id == leaver.id, _P.active.is_(leaver.back)
        announcement = Announcement.NONE if leaver.back else Announcement.DONE
        announced = DIRECTORY_PEOPLE.update().where(*unchanged).values(announcement=announcement)
        emptied = {"resource": None, "address": None, "folded": "", "department": None}

        def change(connection: Connection) -> None:
            connection.execute(announced)
            deleted = *unchanged, _P.user_name.is_(None), _P.active.is_(False)
            row = connection.execute(select(_P.imported).where(*deleted)).first()
            if row:
                delegate = (row.imported or {}).get("delegate")
                remainder = {"imported": {"delegate": delegate} if delegate else None}
                connection.execute(DIRECTORY_PEOPLE.update().where(*deleted).values(emptied | remainder))

        await self._database.write(change)

    async def substitutes_of(self, leaver: str) -> tuple[str, ...]:
        """Delegate and manager of somebody whose leaving is announced; nobody of whom is there."""
        departed = _P.id == leaver, _P.active.is_(False), _P.announcement != Announcement.NONE
        row = await self._database.first(select(_P.manager, _P.imported).where(*departed))
        if row is None:
            return ()
        return tuple(id for id in ((row.imported or {}).get("delegate"), row.manager) if id)

    async def _page(self, table: Any, conditions: Sequence[Any], page: Page) -> tuple[Sequence[Any], int]:
        query = select(table).where(*conditions).order_by(table.c.id).offset(page.first).limit(page.limit)
        count = select(func.count()).select_from(table).where(*conditions)

        def ask(connection: Connection) -> tuple[Sequence[Any], int]:
            rows = connection.execute(query).all() if page.limit else ()
            is_whole_list = page.first == 0 and len(rows) < page.limit
            return rows, len(rows) if is_whole_list else connection.scalar(count) or 0

        return await self._database.read(ask)


def _person(row: Any) -> DirectoryPersonRow:
    return DirectoryPersonRow(
        row.id,
        row.resource,
        row.imported,
        row.active,
        Announcement(row.announcement),
        row.version,
        row.made_at,
        row.changed_at,
    )


def _update_person(connection: Connection, row: Any, values: Plain) -> DirectoryPersonRow:
    update = DIRECTORY_PEOPLE.update().where(_P.id == row.id).returning(*_P)
    return _person(connection.execute(update, {**values, "version": row.version + 1}).one())


def _with_groups(id: str, connection: Connection) -> PersonWithGroups | None:
    row = connection.execute(select(DIRECTORY_PEOPLE).where(_P.id == id)).first()
    groups = select(_G.name).distinct().join(DIRECTORY_MEMBERS, _M.group_id == _G.id).where(_M.person == id)
    names = connection.execute(groups.order_by(_G.name).limit(GROUPS_AT_MOST)) if row else ()
    return PersonWithGroups(_person(row), tuple(group.name for group in names)) if row else None


def _group(row: Any, members: tuple[str, ...] = ()) -> GroupRow:
    return GroupRow(
        row.id, row.name, row.display_name, row.external_id, row.version, row.made_at, row.changed_at, members
    )


def _exodus(connection: Connection) -> Exodus:
    held = connection.execute(select(func.count(), func.min(_P.left_at)).where(_P.hold == ExodusHold.HELD)).one()
    return Exodus(held[0], held[1])


def _contains(word: str) -> ColumnElement[bool]:
    return _P.folded.contains(word, autoescape=True)


def _close(id: str, manager: str | None, department: str | None) -> ColumnElement[bool]:
    """The same manager, or department; those whom they report to, and who report to them."""
    close = [_P.manager == id]
    if manager:
        close += [_P.manager == manager, _P.id == manager]
    if department:
        close.append(_P.department == department)
    return or_(*close)


def _members(group: ColumnElement[bool]) -> Select[Any]:
    """Ids of the members of groups, each once."""
    return (
        select(_M.person)
        .distinct()
        .join(DIRECTORY_GROUPS, _G.id == _M.group_id)
        .join(DIRECTORY_PEOPLE, _P.id == _M.person)
        .where(group)
        .order_by(_M.person)
    )


def _member_ids(connection: Connection, group: str) -> tuple[str, ...]:
    query = select(_M.person).where(_M.group_id == group).order_by(_M.person).limit(MEMBERS_AT_MOST)
    return tuple(row.person for row in connection.execute(query))


def _require_version(row: Any, version: int | None) -> Any:
    """The row, if it is there and has this version."""
    if row is None:
        raise NotPushed
    if version is not None and row.version != version:
        raise VersionConflict
    return row


def _refuse_taken(connection: Connection, user_name: str, id: str = "") -> None:
    if connection.execute(select(_P.id).where(_P.user_name == user_name, _P.id != id)).first():
        raise UserNameTaken


def _refuse_group_name(connection: Connection, name: str, id: str = "") -> None:
    if connection.execute(select(_G.id).where(_G.name == name, _G.is_pushed, _G.id != id)).first():
        raise GroupNameTaken


def _unpushed(connection: Connection, user: PushedPerson, address: str) -> Any:
    """The row that the imported file, or an earlier push, left of somebody who is pushed now."""
    query = select(DIRECTORY_PEOPLE).where(_P.user_name.is_(None)).order_by(_P.id).limit(1)
    row = None
    if user.external_id:
        row = connection.execute(
            query.where(or_(_P.external_id == user.external_id, _P.id == user.external_id))
        ).first()
    return row or connection.execute(query.where(_P.address == address)).first()


def _free_id(connection: Connection, wanted_id: str | None) -> str:
    if wanted_id and not connection.execute(select(_P.id).where(_P.id == wanted_id)).first():
        return wanted_id
    return f"u-{secrets.token_hex(_ID_BYTES)}"


def _user_values(row: Any, id: str, user: PushedPerson, derive: Derive, now: datetime) -> dict[str, Any]:
    imported = row.imported if row else None
    return {
        **_leaving(row, user.active, now),
        **derive(id, user.resource, imported)._asdict(),
        "user_name": user.user_name,
        "external_id": user.external_id,
        "resource": user.resource,
        "imported": imported,
        "changed_at": now,
    }


def _leaving(row: Any, active: bool, now: datetime) -> dict[str, Any]:
    """Columns that say whether somebody is there; of somebody new who is not there nobody needs to hear."""
    if active:
        return {"active": True, "left_at": None, "hold": None}
    if row is not None and not row.active:
        return {"active": False, "left_at": row.left_at, "hold": row.hold}
    return {"active": False, "left_at": now, "hold": None}


def _change_members(connection: Connection, group: str, change: MemberChange) -> None:
    added = sorted(change.added)
    if change.replaces:
        present = set(_member_ids(connection, group))
        gone, added = sorted(present - change.added), sorted(change.added - present)
    else:
        gone = sorted(change.removed)
    for part in chunks(gone, _IDS_A_STATEMENT):
        connection.execute(DIRECTORY_MEMBERS.delete().where(_M.group_id == group, _M.person.in_(part)))
    for part in chunks(added, _IDS_A_STATEMENT):
        known = connection.scalar(select(func.count()).select_from(DIRECTORY_PEOPLE).where(_P.id.in_(part), _PUSHED))
        if known != len(part):
            raise UnknownMembers
        rows = [{"group_id": group, "person": person} for person in part]
        connection.execute(insert_into(connection, DIRECTORY_MEMBERS).on_conflict_do_nothing(), rows)


def _keep_entries(
    ids: Sequence[str], entries: Mapping[str, Plain], derive: Derive, now: datetime, connection: Connection
) -> int:
    """How many are kept out."""
    rows = {row.id: row for row in connection.execute(select(DIRECTORY_PEOPLE).where(_P.id.in_(ids)))}
    kept_out = 0
    for id in ids:
        row, entry = rows.get(id), entries[id]
        if row is None:
            columns = {**derive(id, None, entry)._asdict(), **_leaving(None, True, now)}
            times = {"version": 1, "made_at": now, "changed_at": now}
            connection.execute(
                DIRECTORY_PEOPLE.insert(),
                {
                    "id": id,
                    "imported": entry,
                    "is_pushed": False,
                    "announcement": Announcement.NONE,
                    **columns,
                    **times,
                },
            )
        elif row.is_pushed and row.user_name is None:
            kept_out += 1
        else:
            columns = {**derive(id, row.resource, entry)._asdict(), "imported": entry}
            if not row.is_pushed:
                columns |= _leaving(row, True, now)
            connection.execute(DIRECTORY_PEOPLE.update().where(_P.id == id), columns)
    return kept_out


def _drop_entries(ids: Sequence[str], derive: Derive, now: datetime, connection: Connection) -> int:
    """How many have left, since only the file had them."""
    left = 0
    for row in connection.execute(select(DIRECTORY_PEOPLE).where(_P.id.in_(ids))).all():
        if row.is_pushed:
            columns = {**derive(row.id, row.resource, None)._asdict(), "imported": None}
        elif row.active:
            columns, left = _leaving(row, False, now), left + 1
        else:
            continue
        connection.execute(DIRECTORY_PEOPLE.update().where(_P.id == row.id), columns)
    return left


def _keep_groups(groups: Mapping[str, tuple[str, ...]], now: datetime, connection: Connection) -> None:
    former = select(_G.id).where(_G.is_pushed.is_(False))
    connection.execute(DIRECTORY_MEMBERS.delete().where(_M.group_id.in_(former.scalar_subquery())))
    connection.execute(DIRECTORY_GROUPS.delete().where(_G.is_pushed.is_(False)))
    for name, members in groups.items():
        id = f"{_FILE}{name}"
        times = {"version": 1, "made_at": now, "changed_at": now}
        connection.execute(
            DIRECTORY_GROUPS.insert(), {"id": id, "name": name, "display_name": name, "is_pushed": False, **times}
        )
        rows = [{"group_id": id, "person": member} for member in dict.fromkeys(members)]
        for part in chunks(rows, _IDS_A_STATEMENT):
            connection.execute(DIRECTORY_MEMBERS.insert(), list(part))
