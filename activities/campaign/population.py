"""Where members come from: tables, groups, the directory; who joined or left since the opening."""

import asyncio
import hashlib
import re
from collections.abc import AsyncIterator, Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any, Final, NamedTuple, Self

from pydantic import BaseModel, SecretStr, ValidationError

from activities.errors import ID_PATTERN, nearest
from activities.files.fields import Id, Name
from activities.files.reading import Fault, FileFaults, bytes_of, messages_of, written_path
from activities.files.table import TABLE_BYTES_AT_MOST, Table
from activities.people.directory import (
    Company,
    CompanyPosition,
    Directory,
    DirectoryFailure,
    UnknownGroup,
    UnusablePeople,
)
from activities.people.ids import id_of_address, stands_in_full
from activities.people.mailbox import MailboxSubstitutes
from activities.people.person import Reachable, SignersFile
from activities.records.audiences import AUDIENCE_AT_MOST, Member, MemberRow, repeated
from activities.records.outcomes import MemberLines
from workflows.model.campaign import AudienceSource, Campaign, ChangeKind, DailyCheck, Joiners, Leavers
from workflows.model.file_faults import FileFault
from workflows.model.messages import Message

COLUMNS: Final = ("person", "name", "email", "zone", "locale", "phone", "manager", "department")
IN_FULL: Final = ("name", "email", "zone", "locale", "phone")
_NEEDED: Final = ("name", "email", "zone")
_PHONE_ALONE: Final = ("name", "phone", "zone")
"""What is needed of somebody without a mailbox."""
_SPELLINGS: Final = {
    "person": "id personid",
    "name": "fullname naam nom nombre",
    "email": "mail emailaddress emailadresse emailadres courriel correo correoelectrónico",
    "zone": "timezone zeitzone tijdzone fuseauhoraire zonahoraria",
    "locale": "language sprache taal langue idioma",
    "phone": "telephone mobile telefon telefoon téléphone teléfono",
    "department": "abteilung afdeling département departamento",
}
"""What else a column is called, in small letters without spaces and hyphens."""
_COLUMN_BY_HEAD: Final = {head: column for column, heads in _SPELLINGS.items() for head in heads.split()}
PERSON_AT_MOST: Final = 47
"""Characters of an id: with the campaign's it is the id of a request."""
TABLE_REMEMBERED_SECONDS: Final = 600
"""How long the table that was read last is remembered after its last use."""
LEAVE_AT_ONCE_AT_MOST: Final = 20
LEAVE_AT_ONCE_SHARE: Final = 4
"""One in so many of those asked: if more would leave at once, the people file is suspect and nobody is dropped."""


class AudienceFile(NamedTuple):
    """A file's rows, and its people described in full by their `p-…` ids."""

    rows: tuple[MemberRow, ...]
    people: Mapping[str, Reachable]
    digest: str = ""
    """SHA-256 of the table's bytes."""

    @property
    def signers_json(self) -> bytes | None:
        """The people described in full as stored, None if none."""
        return (
            SignersFile(signers=self.people).model_dump_json(by_alias=True, exclude_defaults=True).encode()
            if self.people
            else None
        )


NOBODY: Final = AudienceFile((), {})


class PersonEntry(BaseModel):
    """A row with a directory id."""

    department: Name = ""


class FullPersonEntry(Reachable):
    """A row with a person described in full."""

    manager: Id | None = None
    department: Name | None = None


def of_people(ids: Iterable[str]) -> AudienceFile:
    return AudienceFile(tuple(repeated(MemberRow(number, id) for number, id in enumerate(ids, start=1))), {})


def read(path: Path, *, secret: SecretStr | None, content: bytes | None = None) -> AudienceFile:
    """The rows of a table, of `content` if given; `secret` derives ids of people described in full. `FileFaults` if it
    is no table, or lacks id columns.
    """
    content = bytes_of(path, at_most=TABLE_BYTES_AT_MOST) if content is None else content
    table = Table.from_bytes(str(path), content, rows_at_most=AUDIENCE_AT_MOST, lenient=True)
    columns = _columns(table)
    people: dict[str, Reachable] = {}
    rows = [MemberRow(fault.line or 0, "", says=_stored(fault.message, fault.path)) for fault in table.faults]
    for row in table.rows:
        cells = {columns[head]: cell for head, cell in row.cells.items() if cell and columns[head] in COLUMNS}
        rows.append(_row(row.line, cells, people, secret))
    return AudienceFile(tuple(repeated(sorted(rows))), people, hashlib.sha256(content).hexdigest())


class AudienceTables:
    """Reads tables aside. The last one is remembered for a while: a draft and its plan are checked again at each step,
    and 100,000 people in full take four seconds of a core and 200 MB. One is read at a time.
    """

    def __init__(self) -> None:
        self._one_at_a_time = asyncio.Lock()
        self._last: AudienceFile | None = None
        self._forgets: asyncio.TimerHandle | None = None

    async def read(self, path: Path, *, secret: SecretStr | None, content: bytes) -> AudienceFile:
        """As `read`; `secret` is the same at each call."""
        async with self._one_at_a_time:
            audience_file = self._last
            if audience_file is None or audience_file.digest != hashlib.sha256(content).hexdigest():
                self._last = None
                audience_file = await asyncio.to_thread(read, path, secret=secret, content=content)
            self._last = audience_file
            if self._forgets:
                self._forgets.cancel()
            self._forgets = asyncio.get_running_loop().call_later(TABLE_REMEMBERED_SECONDS, self._forget)
            return audience_file

    def _forget(self) -> None:
        self._last = None


def count(path: Path) -> int:
    """The number of rows, valid or not; raises as `read`."""
    content = bytes_of(path, at_most=TABLE_BYTES_AT_MOST)
    table = Table.from_bytes(str(path), content, rows_at_most=AUDIENCE_AT_MOST, lenient=True)
    return len(table.rows) + len(table.faults)


async def audience(source: AudienceSource, audience_file: AudienceFile, directory: Company) -> list[MemberRow]:
    """The rows to freeze now: the group's current members, else those given."""
    if source.group is not None:
        audience_file = of_people(await directory.group(source.group))
    return await add_positions(audience_file.rows, audience_file.people, directory)


async def add_positions(
    rows: Iterable[MemberRow], people: Mapping[str, Reachable], directory: Company
) -> list[MemberRow]:
    """The rows with department and manager, or with why they cannot be asked."""
    member_rows = list(rows)
    places = await directory.places({row.person for row in member_rows if not row.says})
    placed_rows = [row if row.person in people else _with_position(row, places.get(row.person)) for row in member_rows]
    phones = {id: place.phone_alone for id, place in places.items()}
    phones |= {id: person.phone or "" for id, person in people.items() if not person.email}
    return [_unless_unreachable(row, phones.get(row.person, ""), directory.substitutes) for row in placed_rows]


@dataclass(frozen=True)
class Population:
    """Today's group, or the directory's part of a list, compared with the audience."""

    now: int
    newcomers: tuple[str, ...]
    leavers: tuple[str, ...]
    joined: tuple[str, ...]
    """Who came and was added."""
    dropped: tuple[str, ...]
    asked_count: int
    """Members who are to acknowledge."""

    @classmethod
    async def compare(
        cls, campaign: Campaign, members: AsyncIterator[Sequence[Member]], directory: Company
    ) -> Self | None:
        """None if no member is in the directory, or the group no longer exists."""
        await caught_up(directory)
        group_members = await _group(campaign, directory)
        if group_members is None:
            return None
        now, listed, asked_count = set(group_members), set[str](), 0
        leavers, joined, dropped = list[str](), list[str](), list[str]()
        async for batch in members:
            directory_members = [member for member in batch if member.person and not stands_in_full(member.person)]
            listed |= {member.person for member in directory_members}
            if campaign.source.group is None:
                now |= set(await directory.places(member.person for member in directory_members))
            leavers += [member.person for member in directory_members if member.is_asked and member.person not in now]
            joined += [member.person for member in batch if member.joined_by]
            dropped += [member.person for member in batch if member.removal is ChangeKind.LEFT]
            asked_count += sum(member.is_asked for member in batch)
        if campaign.source.group is None and not listed:
            return None
        listed -= set(dropped)
        newcomers = tuple(id for id in group_members if id not in listed)
        return cls(len(now), newcomers, tuple(leavers), tuple(joined), tuple(dropped), asked_count)

    def plain(self, campaign: Campaign, opening: int) -> dict[str, Any]:
        """For the record: sizes, and decisions about joiners and leavers."""
        added = dict.fromkeys(self.joined, "added")
        decided = [*added.items(), *((id, "ignored") for id in self.newcomers if id not in added)]
        leaver_decision = "left too late" if campaign.leavers is Leavers.DROP else "kept"
        leaver_decisions = [(id, "dropped") for id in self.dropped] + [(id, leaver_decision) for id in self.leavers]
        return {
            "opening": opening,
            "close": self.now if campaign.source.group else None,
            "came": [{"person": id, "decided": decision} for id, decision in decided],
            "left": [{"person": id, "decided": decision} for id, decision in leaver_decisions],
        }


async def owners_day(owner_id: str, now: datetime, directory: Directory) -> date:
    """The date in the zone of the owner, whose days the window counts; in UTC for an unknown owner."""
    try:
        owner = await directory.person(owner_id)
    except DirectoryFailure:
        return now.astimezone(UTC).date()
    return now.astimezone(owner.tz).date()


async def caught_up(directory: Company) -> None:
    """Wait until a changed people file is read; a faulty one keeps its last good state."""
    with suppress(UnusablePeople):
        await directory.up_to_date()


class PopulationChange(NamedTuple):
    """People who joined or left, with their rows; `new` were never in the audience, `due` is their last day."""

    what: ChangeKind
    rows: tuple[MemberRow, ...]
    new: int = 0
    due: date | None = None


async def find_changes(
    look: DailyCheck, members: AsyncIterator[Sequence[Member]], lines: MemberLines, directory: Company
) -> list[PopulationChange]:
    """Who joined and left since, as far as the campaign file wants it, without those who have acknowledged. Nobody
    while the people file is faulty; no leavers if a large part would leave at once.
    """
    campaign = look.order.campaign
    population = await Population.compare(campaign, members, directory)
    if population is None or directory.warning:
        return []
    moves: list[PopulationChange] = []
    today = await owners_day(campaign.requester, look.order.now, directory)
    done_ids = await lines.done_among((*population.newcomers, *population.leavers))
    newcomers = [id for id in population.newcomers if id not in done_ids][
        : AUDIENCE_AT_MOST - (await lines.tally()).counts.total
    ]
    if campaign.joiners is Joiners.ADD and newcomers and today <= look.due:
        moves += await _list_joined_changes(look, population, newcomers, today, directory)
    leavers = [id for id in population.leavers if id not in done_ids]
    leave_at_most = max(LEAVE_AT_ONCE_AT_MOST, population.asked_count // LEAVE_AT_ONCE_SHARE)
    if campaign.leavers is Leavers.DROP and leavers and len(leavers) <= leave_at_most:
        moves.append(PopulationChange(ChangeKind.LEFT, tuple(MemberRow(0, id) for id in leavers)))
    return moves


def _columns(table: Table) -> dict[str, str]:
    """The column that each head of the table means, in whatever case and usual spelling; a stranger is itself."""
    plain = {head: re.sub(r"[\s_-]+", "", head).casefold() for head in table.columns}
    columns = {
        head: _COLUMN_BY_HEAD.get(spelling, spelling if spelling in COLUMNS else head)
        for head, spelling in plain.items()
    }
    names = list(columns.values())
    strangers = [name for name in names if name not in COLUMNS]
    faults = [
        FileFault.NEARLY_A_COLUMN.to_message(name=name, column=close[0])
        for name in strangers
        if (close := nearest(name, COLUMNS, limit=1))
    ]
    faults += [FileFault.COLUMN_TWICE.to_message(column=name) for name in COLUMNS if names.count(name) > 1]
    if not faults and not any(set(needed) <= set(names) for needed in (("person",), _NEEDED, _PHONE_ALONE)):
        faults = [FileFault.NO_PERSON_COLUMN.to_message(columns=", ".join(_NEEDED))]
    if faults:
        raise FileFaults(Fault(table.name, 1, "", message) for message in faults)
    return columns


def _row(line: int, cells: dict[str, str], people: dict[str, Reachable], secret: SecretStr | None) -> MemberRow:
    if no_id := next((name for name in ("person", "manager") if name in cells and not _is_id(cells[name])), None):
        return MemberRow(line, "", says=_stored(FileFault.CELL_NO_ID.to_message(column=no_id)))
    person, in_full = cells.get("person"), [name for name in IN_FULL if name in cells]
    if person and in_full:
        conflict = FileFault.PERSON_AND_FULL.to_message(field="person", other=in_full[0], fields="person")
        return MemberRow(line, "", says=_stored(conflict))
    if person:
        return _by_id(line, person, cells)
    needed = _NEEDED if "email" in cells or "phone" not in cells else _PHONE_ALONE
    if missing := [name for name in needed if name not in cells]:
        lacks = FileFault.ROW_LACKS.to_message(fields=", ".join(_NEEDED), missing=", ".join(missing))
        return MemberRow(line, "", says=_stored(lacks))
    try:
        entry = FullPersonEntry.model_validate(cells)
    except ValidationError as error:
        return MemberRow(line, "", says=_first_fault(error, FullPersonEntry))
    if secret is None:
        raise FileFaults([Fault("", line, "", FileFault.NO_LINK_SECRET.to_message())])
    id = id_of_address(entry.address, secret)
    people.setdefault(id, Reachable(**entry.set_fields))
    return MemberRow(line, id, entry.department or "", entry.manager or "")


def _by_id(line: int, person: str, cells: Mapping[str, str]) -> MemberRow:
    try:
        entry = PersonEntry.model_validate(cells)
    except ValidationError as error:
        return MemberRow(line, person, says=_first_fault(error, PersonEntry))
    return MemberRow(line, person, entry.department, cells.get("manager", ""))


def _first_fault(error: ValidationError, entry: type[BaseModel]) -> str:
    path, message = next(iter(messages_of(error, entry).items()))
    return _stored(message, written_path(path))


def _is_id(text: str) -> bool:
    """Other content may be a name or address, and is not repeated in messages."""
    return re.fullmatch(ID_PATTERN, text) is not None


def _stored(message: Message, column: str = "") -> str:
    """The message as it is stored with the row."""
    return message.of_column(column).model_dump_json()


def _with_position(row: MemberRow, position: CompanyPosition | None) -> MemberRow:
    if row.says:
        return row
    if position is None:
        return row._replace(says=_stored(FileFault.ROW_NOT_IN_DIRECTORY.to_message(person=row.person)))
    if len(row.person) > PERSON_AT_MOST:
        return row._replace(says=_stored(FileFault.LONG_ID.to_message(most=PERSON_AT_MOST)))
    return row._replace(department=row.department or position.department, manager=row.manager or position.manager)


def _unless_unreachable(row: MemberRow, phone_alone: str, substitutes: MailboxSubstitutes) -> MemberRow:
    refusal = None if row.says else substitutes.refusal(None, phone_alone, signs=True)
    return row._replace(says=_stored(refusal, "phone")) if refusal else row


async def _group(campaign: Campaign, directory: Company) -> dict[str, None] | None:
    """The members of the group, each once; nobody for a list."""
    if campaign.source.group is None:
        return {}
    try:
        return dict.fromkeys(await directory.group(campaign.source.group))
    except UnknownGroup:
        # A group exists while it has members: an empty one cannot be told apart from a renamed one.
        return None


async def _list_joined_changes(
    look: DailyCheck, population: Population, newcomers: Sequence[str], today: date, directory: Company
) -> list[PopulationChange]:
    """Those who can be asked, by last day: counted from when they joined, else were first seen."""
    dropped_ids, campaign = frozenset(population.dropped), look.order.campaign
    opened = await owners_day(campaign.requester, campaign.opens_at, directory)
    places, rows_by_due = await directory.places(newcomers), dict[date, list[MemberRow]]()
    for row in await add_positions([MemberRow(0, id) for id in newcomers], {}, directory):
        if not row.says:
            rows_by_due.setdefault(_last_day(campaign, places[row.person].joined, opened, today), []).append(row)
    return [
        PopulationChange(
            ChangeKind.JOINED, tuple(due_rows), sum(row.person not in dropped_ids for row in due_rows), due
        )
        for due, due_rows in sorted(rows_by_due.items())
    ]


def _last_day(campaign: Campaign, joined: date | None, opened: date, today: date) -> date:
    window = timedelta(days=campaign.within)
    start = joined if joined and opened <= joined <= today else today
    # First seen after their time was over: it counts from now.
    return start + window if start + window > today else today + window
