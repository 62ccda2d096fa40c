"""The file of an onboarding that is started when something has ended: it lies beside the catalogue, and has `{places}`.

What a place may be is known when the catalogue is read, and what goes into it when the onboarding is started.
"""

import re
from collections.abc import Collection, Iterator, Mapping
from pathlib import Path
from typing import Any, Final

from pydantic import ConfigDict

from activities.files.placeholders import filled, places
from activities.files.reading import FileModel, FileText, PlainFile
from activities.files.yaml_lines import FieldPath
from activities.onboarding.template import TemplatePosition
from activities.spelling import did_you_mean

OF_THE_ENDED: Final = ("id", "kind", "title", "requester", "outcome")
"""Places for what has ended itself."""
OF_A_PERSON: Final = ("name", "email", "zone", "locale", "phone")
_PERSON: Final = re.compile(rf"person-([1-9][0-9]{{0,2}})(?:\.({'|'.join(OF_A_PERSON)}))?")
_GIVEN: Final = frozenset(
    {"company", "name", "person", "email", "zone", "locale", "phone", "owner", "title", "text", "message", "due"}
)
_NEVER: Final = frozenset({"policy", "handoff"})


class _AnyMap(FileModel):
    model_config = ConfigDict(extra="allow")


def may_be_given(path: FieldPath) -> bool:
    """Whether a field of an onboarding file may be a value from elsewhere: texts, persons and dates may."""
    names = [step for step in path if isinstance(step, str)]
    if not names or _NEVER.intersection(names) or names == ["stages", "name"]:
        return False
    return names[-1] in _GIVEN or (names[0] == "teams" and len(path) == 2)


def kick_off_file(folder: Path, name: str, fields: Collection[str]) -> PlainFile:
    """The file that a target names; `FileFaults` unless it is there, with a place for each of `fields`, and without one
    that nobody fills."""
    file = FileText.read(folder / name).parse()
    file.validate(_AnyMap)
    if wrong := list(_wrong_places(file.plain, fields)):
        raise file.faults(wrong)
    return file


def person_of(place: str) -> tuple[int, str | None] | None:
    """Which of those who were asked a place is for, from 1, and what of them: None for their id."""
    found = _PERSON.fullmatch(place)
    return (int(found[1]), found[2]) if found else None


def places_in(file: PlainFile) -> frozenset[str]:
    """The names of its places."""
    return frozenset(name for _, name in places(file.plain))


def kick_off(file: PlainFile, id: str, values: Mapping[str, str]) -> PlainFile:
    """The onboarding file of that id, with the values in their places; it was not checked as one."""
    return TemplatePosition(file, ()).holding({"id": id, **(filled(file.plain, values) or {})})


def _wrong_places(plain: Mapping[str, Any], fields: Collection[str]) -> Iterator[tuple[FieldPath, str]]:
    if "id" in plain:
        yield ("id",), "is made of what has ended: leave it out"
    found = list(places(plain))
    for path, name in found:
        if not may_be_given(path):
            yield path, "can have no {place}, which are for texts, persons and dates: write it out"
        elif name not in fields and name not in OF_THE_ENDED and not person_of(name):
            known = (*OF_THE_ENDED, "person-1", *(f"person-1.{of}" for of in OF_A_PERSON), *fields)
            helps = did_you_mean(name, known) or f"; there are {', '.join(known)}"
            yield path, f"nobody fills {{{name}}}{helps}"
    for name in set(fields).difference(name for _, name in found):
        yield (), f"has no place {{{name}}} for the target's field of that name"
