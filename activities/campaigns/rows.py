"""Who an audience is, as people write it: a group, a list of ids, a table (docs/campaigns.md, The audience).

Of a table a row that is wrong holds up no other: it stands in the audience with its line and the reason.
"""

import hashlib
import hmac
import re
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Final, NamedTuple

from pydantic import BaseModel, SecretStr, ValidationError

from activities.campaigns.audience import AUDIENCE_AT_MOST, MemberRow, repeated
from activities.directory import Company
from activities.files.fields import Id, Name
from activities.files.reading import Fault, FileFaults, bytes_of
from activities.files.table import TABLE_BYTES_AT_MOST, Table
from activities.files.words import in_words, written_path
from activities.people_index import CompanyPosition
from activities.person import IN_FULL_IN_TABLE, Reachable, SignersFile
from activities.spelling import ID_PATTERN, did_you_mean
from workflows.model.campaign import AudienceSource

COLUMNS: Final = ("person", "name", "email", "zone", "locale", "phone", "manager", "department")
IN_FULL: Final = ("name", "email", "zone", "locale", "phone")
_NEEDED: Final = ("name", "email", "zone")
PERSON_AT_MOST: Final = 47
"""Characters of an id: with those of the campaign it is the id of a request."""
_OF_AN_ADDRESS: Final = 12
"""Hex digits."""
_SAYS_AT_MOST: Final = 300


class AudienceFile(NamedTuple):
    """The rows of a file, and those people of them who stand there in full, by their `p-…` ids."""

    rows: tuple[MemberRow, ...]
    people: Mapping[str, Reachable]
    digest: str = ""
    """SHA-256 of the table's bytes."""

    @property
    def kept(self) -> bytes | None:
        """What the store keeps of the people in full, None when there are none."""
        return SignersFile(signers=self.people).model_dump_json(by_alias=True).encode() if self.people else None


NOBODY: Final = AudienceFile((), {})


class PersonEntry(BaseModel):
    """Somebody of a table by their id."""

    department: Name = ""


class FullEntry(Reachable):
    """Somebody of a table in full."""

    manager: Id | None = None
    department: Name | None = None


def of_people(ids: Iterable[str]) -> AudienceFile:
    """The rows of a list of ids, or of a group."""
    return AudienceFile(tuple(repeated(MemberRow(number, id) for number, id in enumerate(ids, start=1))), {})


def read(path: Path, *, secret: SecretStr | None, content: bytes | None = None) -> AudienceFile:
    """The rows of a table, of its `content` if that was read; `secret` makes the ids of those who stand in full.

    `FileFaults` when it is no table, or has no columns that say who somebody is.
    """
    content = bytes_of(path, at_most=TABLE_BYTES_AT_MOST) if content is None else content
    table = Table.of(str(path), content, rows_at_most=AUDIENCE_AT_MOST, lenient=True)
    _check_columns(table)
    people: dict[str, Reachable] = {}
    rows = [MemberRow(fault.line or 0, "", says=_said(fault)) for fault in table.faults]
    for row in table.rows:
        cells = {name: cell for name, cell in row.cells.items() if cell and name in COLUMNS}
        rows.append(_row(row.line, cells, people, secret))
    return AudienceFile(tuple(repeated(sorted(rows))), people, hashlib.sha256(content).hexdigest())


def count(path: Path) -> int:
    """How many rows a table has, whatever stands in them; raises as `read` does."""
    content = bytes_of(path, at_most=TABLE_BYTES_AT_MOST)
    table = Table.of(str(path), content, rows_at_most=AUDIENCE_AT_MOST, lenient=True)
    return len(table.rows) + len(table.faults)


def _check_columns(table: Table) -> None:
    strangers = [name for name in table.columns if name not in COLUMNS]
    misspelt = [f"has a column {name}{hint}" for name in strangers if (hint := did_you_mean(name, COLUMNS))]
    if not misspelt and "person" not in table.columns and not set(_NEEDED) <= set(table.columns):
        misspelt = [f"needs a column person, or the columns {', '.join(_NEEDED)}"]
    if misspelt:
        raise FileFaults(Fault(table.name, 1, "", says) for says in misspelt)


def _row(line: int, cells: dict[str, str], people: dict[str, Reachable], secret: SecretStr | None) -> MemberRow:
    if no_id := next((name for name in ("person", "manager") if name in cells and not _is_id(cells[name])), None):
        return MemberRow(line, "", says=f"{no_id} is no id")
    person, in_full = cells.get("person"), [name for name in IN_FULL if name in cells]
    if person and in_full:
        return MemberRow(line, "", says=f"has person and {in_full[0]}: either person, or somebody in full")
    if person:
        return _by_id(line, person, cells)
    if missing := [name for name in _NEEDED if name not in cells]:
        return MemberRow(line, "", says=f"needs person, or somebody in full ({', '.join(missing)} missing)")
    try:
        entry = FullEntry.model_validate(cells)
    except ValidationError as error:
        return MemberRow(line, "", says=_first(error, FullEntry))
    if secret is None:
        raise FileFaults([Fault("", line, "", "has somebody in full, which needs COUNTERSIGN_LINK_SECRET")])
    id = id_of(entry.email, secret)
    people.setdefault(id, Reachable(**{name: getattr(entry, name) for name in Reachable.model_fields}))
    return MemberRow(line, id, entry.department or "", entry.manager or "")


def _by_id(line: int, person: str, cells: Mapping[str, str]) -> MemberRow:
    try:
        entry = PersonEntry.model_validate(cells)
    except ValidationError as error:
        return MemberRow(line, person, says=_first(error, PersonEntry))
    return MemberRow(line, person, entry.department, cells.get("manager", ""))


def _first(error: ValidationError, entry: type[BaseModel]) -> str:
    path, says = next(iter(in_words(error, entry).items()))
    return f"{written_path(path)}: {says}"[:_SAYS_AT_MOST]


def id_of(email: str, secret: SecretStr) -> str:
    """The id of somebody who is in no directory: the same for the same address, and nothing of it can be read back."""
    told = hmac.new(secret.get_secret_value().encode(), email.casefold().encode(), hashlib.sha256)
    return f"p-{told.hexdigest()[:_OF_AN_ADDRESS]}"


def stands_in_full(person: str) -> bool:
    """Whether an id of an audience is that of somebody who stands in full in its table."""
    return re.fullmatch(IN_FULL_IN_TABLE, person) is not None


def _is_id(text: str) -> bool:
    """Whether a cell is an id: what is none may be a name or an address, and is not repeated."""
    return re.fullmatch(ID_PATTERN, text) is not None


def _said(fault: Fault) -> str:
    return f"{fault.path}: {fault.says}" if fault.path else fault.says


async def audience(source: AudienceSource, given: AudienceFile, directory: Company) -> list[MemberRow]:
    """The rows as they would be frozen now: the members of the group by then, else what was given."""
    if source.group is not None:
        given = of_people(await directory.group(source.group))
    return await placed(given.rows, given.people, directory)


async def placed(rows: Iterable[MemberRow], people: Mapping[str, Reachable], directory: Company) -> list[MemberRow]:
    """The rows as they are frozen: with department and manager, or why nobody can ask them."""
    given = list(rows)
    places = await directory.places({row.person for row in given if not row.says})
    return [row if row.person in people else _placed(row, places.get(row.person)) for row in given]


def _placed(row: MemberRow, place: CompanyPosition | None) -> MemberRow:
    if row.says:
        return row
    if place is None:
        return row._replace(says=f'"{row.person}" is not in the directory')
    if len(row.person) > PERSON_AT_MOST:
        return row._replace(says=f"has an id of more than {PERSON_AT_MOST} characters")
    return row._replace(department=row.department or place.department, manager=row.manager or place.manager)
