"""A person as the company's directory pushes them (SCIM), with what the imported people file adds: what is pushed
counts, the file fills what it lacks.
"""

import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Final

from pydantic import ValidationError

from activities.people.directory import foldable
from activities.people.ids import stands_in_full
from activities.people.person import Person, by_group
from activities.records.directory import DerivedColumns, ImportedPeople, Plain

ENTERPRISE: Final = "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User"
_ID: Final = re.compile(r"(?!\.+$)[A-Za-z0-9._-]{1,100}")
_NEEDED: Final = ("id", "name", "email", "zone")
_NO_NAME: Final = re.compile(r"[^a-z0-9._]+")
_NAME_LENGTH: Final = 100
_NOT_IMPORTED: Final = {"id", "groups", "devices"}
_USUAL_ZONE: Final = "UTC"
_NO_DIGITS: Final = re.compile(r"[^0-9+]")


def unfit_fields(resource: Plain) -> tuple[str, ...]:
    """What a pushed user lacks, or has in a form that nobody can be reached by: of `name` and `email`."""
    try:
        Person.model_validate({**person_fields(resource), "id": "new", "zone": _USUAL_ZONE})
    except ValidationError as error:
        faults = {str(fault["loc"][0]) for fault in error.errors(include_input=False)}
        return tuple(sorted(faults.intersection(_NEEDED)))
    return ()


def person_of(id: str, resource: Plain | None, imported: Plain | None, groups: Iterable[str] = ()) -> Person:
    """Raises `ValueError`, without personal data, for one who lacks name or address."""
    entry = merge_entry(id, resource, imported) | ({"groups": tuple(groups)} if groups else {})
    for _ in range(2):
        try:
            return Person.model_validate(entry)
        except ValidationError as error:
            # What the other directory has in a form of its own, such as a telephone extension, is left out.
            faults = {str(fault["loc"][0]) for fault in error.errors(include_input=False)}
        if faults.intersection(("id", "name", "email")):
            break
        entry = {name: content for name, content in entry.items() if name not in faults} | {
            "zone": entry["zone"] if "zone" not in faults else _USUAL_ZONE
        }
    raise ValueError("somebody of the directory has no name or address that can be used")


def derive(id: str, resource: Plain | None, imported: Plain | None) -> DerivedColumns:
    """What they are found by."""
    entry = merge_entry(id, resource, imported)
    address = str(entry.get("email") or "").casefold()
    folded = foldable(f"{entry.get('name') or ''} {id} {address}")
    return DerivedColumns(address, folded, entry.get("manager"), entry.get("department"))


def address_of(resource: Plain) -> str:
    """In lower case; empty without one."""
    return str(person_fields(resource).get("email") or "").casefold()


def wanted_id(external_id: str | None) -> str | None:
    """The id of somebody new: what the company calls them, if it is an id."""
    is_id = external_id is not None and _ID.fullmatch(external_id) and not stands_in_full(external_id)
    return external_id if is_id else None


def merge_entry(id: str, resource: Plain | None, imported: Plain | None) -> dict[str, Any]:
    """As in a people file; without a usable zone in UTC."""
    return {"zone": _USUAL_ZONE, **(imported or {}), **(person_fields(resource) if resource else {}), "id": id}


def imported_people(people: Sequence[Person], directory_ids: Mapping[str, str]) -> ImportedPeople:
    """What the database keeps of a people file: all but devices, which your app registers. `directory_ids` are by
    address: whoever is pushed under another id keeps that one.
    """
    id_by_file_id = {person.id: directory_ids.get(person.email.casefold(), person.id) for person in people}
    entries = {}
    for person in people:
        entry = person.model_dump(
            mode="json", by_alias=True, exclude_defaults=True, exclude={"id", "groups", "devices"}
        )
        named = {name: id_by_file_id[entry[name]] for name in ("manager", "delegate") if entry.get(name)}
        entries[id_by_file_id[person.id]] = {**entry, **named}
    groups = {name: tuple(id_by_file_id[id] for id in members) for name, members in by_group(people).items()}
    return ImportedPeople(entries, groups)


def group_name(display_name: str) -> str:
    """The name of a pushed group in files and in the catalogue: what it is called, if that is an id, else in small
    letters without signs; empty if nothing remains.
    """
    if _ID.fullmatch(display_name):
        return display_name
    return _NO_NAME.sub("-", foldable(display_name)).strip("-.")[:_NAME_LENGTH]


def person_fields(resource: Plain) -> dict[str, Any]:
    """Fields of a person, of those that the user has."""
    name, enterprise = resource.get("name") or {}, resource.get(ENTERPRISE) or {}
    full_name = " ".join(part for part in (name.get("givenName"), name.get("familyName")) if part)
    user_name, manager = resource.get("userName"), (enterprise.get("manager") or {}).get("value")
    fields = {
        "name": resource.get("displayName") or name.get("formatted") or full_name or user_name,
        "email": _preferred(resource.get("emails"), "work") or user_name,
        "phone": _phone(_preferred(resource.get("phoneNumbers"), "mobile")),
        "zone": resource.get("timezone"),
        "locale": _locale(resource.get("preferredLanguage") or resource.get("locale")),
        "department": enterprise.get("department"),
        "manager": manager if manager and _ID.fullmatch(manager) else None,
    }
    return {field: text for field, text in fields.items() if text}


def _preferred(contacts: Sequence[Mapping[str, Any]] | None, type: str) -> str | None:
    """Of addresses or numbers: the one of this type, else the primary one, else the first."""
    usable = [contact for contact in contacts or () if contact.get("value")]
    for is_preferred in (
        lambda contact: str(contact.get("type")).casefold() == type,
        lambda contact: contact.get("primary"),
        lambda _: True,
    ):
        for contact in filter(is_preferred, usable):
            return str(contact["value"])
    return None


def _phone(written: str | None) -> str | None:
    """In the international form; None for a number without its country."""
    digits = _NO_DIGITS.sub("", (written or "").replace("(0)", ""))
    return digits if re.fullmatch(r"\+[0-9]{6,15}", digits) else None


def _locale(tag: str | None) -> str | None:
    """Of a list of languages by preference the first."""
    return tag.partition(",")[0].partition(";")[0].strip().replace("_", "-") if tag else None
