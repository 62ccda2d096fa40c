"""Choosing people on a form of the desk: by words over the directory, as a group, or described in full."""

from collections.abc import Mapping
from typing import Any, Final

from babel import Locale
from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from activities.files.fields import zones
from activities.launch.intake import PEOPLE_AT_MOST
from activities.people.company_directory import CompanyDirectory
from activities.people.directory import DirectoryFailure, foldable
from activities.people.language import LANGUAGES
from starter.web.desk.responses import PeopleNames
from starter.web.desk.sessions import Visitor

FOUND_AT_MOST: Final = 8
"""People, and as many groups, that are shown of those whom words find."""
WORDS_AT_MOST: Final = 200
IN_FULL: Final = ("name", "email", "zone", "locale", "phone")


class PeopleFields:
    def __init__(self, directory: CompanyDirectory) -> None:
        self._directory = directory

    @property
    def names(self) -> PeopleNames:
        return PeopleNames(self._directory)

    async def is_known(self, id: str) -> bool:
        try:
            return (await self._directory.named(id)) is not None
        except DirectoryFailure:
            return False

    async def asking_groups(self, id: str) -> list[str]:
        """The groups of a person that are small enough to ask for something."""
        sizes = await self._directory.groups()
        return [group for group in sorted(await self._directory.groups_of(id)) if sizes.get(group, 0) <= PEOPLE_AT_MOST]

    async def find(self, typed: str, *, groups: bool = False, people: bool = True) -> dict[str, Any]:
        """People whom the words find, and groups; `only` is the press for the one that is named, or fits alone."""
        typed = typed.strip()[:WORDS_AT_MOST]
        exactly = await self._directory.named(typed) if people else None
        persons = (exactly,) if exactly else await self._directory.search(typed, FOUND_AT_MOST + 1) if people else ()
        teams = await self._groups(typed) if groups else []
        presses = [*(f"add:{match.id}" for match in persons), *(f"group:{match['id']}" for match in teams)]
        exact = f"add:{exactly.id}" if exactly else f"group:{typed}"
        return {
            "words": typed,
            "people": [{"id": person.id, "name": person.name, "about": person.department or ""} for person in persons][
                :FOUND_AT_MOST
            ],
            "groups": teams,
            "more": len(persons) > FOUND_AT_MOST,
            "only": exact if exact in presses else presses[0] if len(presses) == 1 else "",
        }

    async def describe(self, id: str) -> dict[str, str]:
        """Whom an id of a person or group means, with the group's size; empty for another text."""
        if await self.is_known(id):
            return {"name": await self.names.name_of(id), "count": ""}
        size = (await self._directory.groups()).get(id)
        return {"name": id, "count": str(size)} if size else {}

    async def _groups(self, typed: str) -> list[dict[str, Any]]:
        typed_parts, sizes = foldable(typed).split(), await self._directory.groups()
        matches = [name for name in sorted(sizes) if all(part in foldable(name) for part in typed_parts)]
        return [{"id": name, "count": sizes[name]} for name in matches[:FOUND_AT_MOST]]

    async def answer(self, request: Request, visitor: Visitor) -> Response:
        """What is shown while somebody types, as JSON."""
        typed, groups = request.query_params.get("words", ""), request.query_params.get("groups")
        matches = await self.find(typed, groups=bool(groups)) if typed.strip() else {"people": [], "groups": []}
        for group in matches["groups"]:
            group["about"] = visitor.reader.language.say_count("{count} person", "{count} people", group["count"])
        return JSONResponse({"people": [] if groups == "only" else matches["people"], "groups": matches["groups"]})

    async def row(self, entry: Mapping[str, Any], visitor: Visitor, *, signs: bool = True) -> dict[str, Any]:
        """Somebody on a form: of the directory with their name, a group, else in full with zones to choose from, and
        whether they need no e-mail address.
        """
        id, group = entry.get("person"), entry.get("group")
        if group is not None:
            return {"person": "", "group": group, "name": group, "rule": entry.get("rule", "")}
        if id is None:
            choices = {"zones": sorted(zones()), "number_is_enough": self._directory.substitutes.reach_by_number(signs)}
            return {"person": "", "group": "", **dict.fromkeys(IN_FULL, ""), **entry, **choices}
        return {"person": id, "group": "", "name": await self.names.name_of(id), "role": entry.get("role", "")}


def languages() -> list[tuple[str, str]]:
    """Those in which somebody can be written to, each by its own name."""
    return [(code, (Locale(code).get_display_name(code) or code).capitalize()) for code in LANGUAGES]


def person_in_full(visitor: Visitor) -> dict[str, Any]:
    """Somebody whose fields are still to be filled in; zone and language are those of whoever writes."""
    return {"name": "", "zone": visitor.person.zone, "locale": visitor.reader.language.code, "role": "sign"}
