"""Stages that an onboarding file takes from a template in the catalogue's folder, and overrides by name."""

import re
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from pydantic import ConfigDict

from activities.errors import did_you_mean
from activities.files.fields import filled, places
from activities.files.reading import FileModel, FileText, PlainFile
from activities.files.yaml_lines import FieldMark, FieldPath, Parsed
from workflows.model.file_faults import FileFault
from workflows.model.messages import Message

PARTS: Final = ("agreements", "tasks", "steps", "notices")
_SUFFIX: Final = ".yaml"
OF_THE_ENDED: Final = ("id", "kind", "title", "requester", "outcome")
"""Placeholders for what has ended."""
OF_A_PERSON: Final = ("name", "email", "zone", "locale", "phone")
_PERSON: Final = re.compile(rf"person-([1-9][0-9]{{0,2}})(?:\.({'|'.join(OF_A_PERSON)}))?")
_GIVEN: Final = frozenset(
    {"company", "name", "person", "email", "zone", "locale", "phone", "owner", "title", "text", "message", "due"}
)
_NEVER: Final = frozenset({"policy", "handoff"})


@dataclass(frozen=True)
class TemplatePosition:
    file: PlainFile
    path: FieldPath

    def at_step(self, *steps: str | int) -> "TemplatePosition":
        return TemplatePosition(self.file, (*self.path, *steps))

    def holding(self, content: Mapping[str, Any]) -> PlainFile:
        """A file with this content, whose fields keep their lines."""
        depth = len(self.path)
        marks = {path[depth:]: mark for path, mark in self.file.parsed.marks.items() if path[:depth] == self.path}
        marks.setdefault((), FieldMark(self.file.parsed.line(self.path), 0))
        return PlainFile(self.file.name, self.file.folder, Parsed(dict(content), marks, ()))


@dataclass(frozen=True)
class MergedTemplate:
    """A file merged with its template's stages, and the positions of each stage's lists."""

    file: PlainFile
    places: Mapping[tuple[int, str], TemplatePosition]


def read_template(file: PlainFile, folder: Path) -> PlainFile | None:
    """The file's template, or None; `FileFaults` if missing."""
    name = file.plain.get("template") if isinstance(file.plain, dict) else None
    if not isinstance(name, str):
        return None
    path_by_name = {path.stem: path for path in sorted(folder.glob(f"*{_SUFFIX}"))}
    if name not in path_by_name:
        unknown = FileFault.NO_TEMPLATE.to_message(
            file=f"{name}{_SUFFIX}", folder=folder, hint=did_you_mean(name, path_by_name)
        )
        raise file.faults([(("template",), unknown)])
    return FileText.read(path_by_name[name]).parse()


def merge_template(file: PlainFile, template: PlainFile | None) -> MergedTemplate:
    """Stages override the template's by name, others follow. Lists of a stage replace; null removes; an emptied stage
    is left out.
    """
    own_stages = [_Stage(stage, TemplatePosition(file, ("stages", index))) for index, stage in _stages(file)]
    if template is None or not isinstance(file.plain, dict):
        return MergedTemplate(
            file, {(number, key): stage.place_of(key) for number, stage in enumerate(own_stages) for key in PARTS}
        )
    of_template = [_Stage(stage, TemplatePosition(template, ("stages", index))) for index, stage in _stages(template)]
    by_name = {stage.name: stage for stage in own_stages if isinstance(stage.name, str)}
    overridden_stages = [stage.overridden(by_name.get(str(stage.name))) for stage in of_template]
    template_names = {stage.name for stage in of_template}
    stages = [stage for stage in overridden_stages if not stage.left_empty]
    stages += [stage for stage in own_stages if stage.name not in template_names]
    content = {**file.plain, "stages": [stage.content for stage in stages]}
    marks = {path: mark for path, mark in file.parsed.marks.items() if path[:1] != ("stages",) or len(path) == 1}
    for number, stage in enumerate(stages):
        marks |= stage.marks(file, number)
    places = {(number, key): stage.place_of(key) for number, stage in enumerate(stages) for key in PARTS}
    return MergedTemplate(PlainFile(file.name, file.folder, Parsed(content, marks, file.parsed.flaws)), places)


def may_be_given(path: FieldPath) -> bool:
    """Whether a field may be filled by a placeholder: texts, persons and dates may."""
    names = [step for step in path if isinstance(step, str)]
    if not names or _NEVER.intersection(names) or names == ["stages", "name"]:
        return False
    return names[-1] in _GIVEN or (names[0] == "teams" and len(path) == 2)


def kick_off_file(folder: Path, name: str, fields: Collection[str]) -> PlainFile:
    """The file that a target names; `FileFaults` if missing, or if placeholders and `fields` do not match."""
    file = FileText.read(folder / name).parse()
    file.validate(_AnyMap)
    if wrong := list(_wrong_places(file.plain, fields)):
        raise file.faults(wrong)
    return file


def person_of(placeholder: str) -> tuple[int, str | None] | None:
    """Which asked person a placeholder is for, from 1, and which attribute: None for the id."""
    match = _PERSON.fullmatch(placeholder)
    return (int(match[1]), match[2]) if match else None


def places_in(file: PlainFile) -> frozenset[str]:
    return frozenset(name for _, name in places(file.plain))


def kick_off(file: PlainFile, id: str, values: Mapping[str, str]) -> PlainFile:
    """The unvalidated onboarding file of that id, with values for its placeholders."""
    return TemplatePosition(file, ()).holding({"id": id, **(filled(file.plain, values) or {})})


@dataclass(frozen=True)
class _Stage:
    """A stage's content and positions; lists of an overridden one come from two files."""

    content: Any
    position: TemplatePosition
    override: "_Stage | None" = None

    @property
    def left_empty(self) -> bool:
        return self.override is not None and not any(self.content.get(key) for key in PARTS)

    @property
    def name(self) -> object:
        return self.content.get("name") if isinstance(self.content, dict) else None

    def overridden(self, override: "_Stage | None") -> "_Stage":
        if override is None or not isinstance(override.content, dict) or not isinstance(self.content, dict):
            return self
        content = {key: value for key, value in {**self.content, **override.content}.items() if value is not None}
        return _Stage(content, self.position, override)

    def place_of(self, key: str) -> TemplatePosition:
        override = self.override
        return (override.position if override and key in override.content else self.position).at_step(key)

    def marks(self, file: PlainFile, number: int) -> Iterator[tuple[FieldPath, FieldMark]]:
        """Lines of own content; of the template's content the line that names it."""
        position = (self.override or self).position
        if position.file is not file:
            yield ("stages", number), file.parsed.marks.get(("template",), FieldMark(1, 0))
            return
        depth = len(position.path)
        for path, mark in file.parsed.marks.items():
            if path[:depth] == position.path:
                yield ("stages", number, *path[depth:]), mark


def _stages(file: PlainFile) -> Iterator[tuple[int, Any]]:
    stages = file.plain.get("stages") if isinstance(file.plain, dict) else None
    yield from enumerate(stages) if isinstance(stages, list) else ()


class _AnyMap(FileModel):
    model_config = ConfigDict(extra="allow")


def _wrong_places(plain: Mapping[str, Any], fields: Collection[str]) -> Iterator[tuple[FieldPath, Message]]:
    if "id" in plain:
        yield ("id",), FileFault.ID_FROM_ENDED.to_message()
    placeholders = list(places(plain))
    for path, name in placeholders:
        if not may_be_given(path):
            yield path, FileFault.NO_PLACE_HERE.to_message(place="{place}")
        elif name not in fields and name not in OF_THE_ENDED and not person_of(name):
            known_placeholders = (
                *OF_THE_ENDED,
                "person-1",
                *(f"person-1.{attribute}" for attribute in OF_A_PERSON),
                *fields,
            )
            helps = did_you_mean(name, known_placeholders) or f"; there are {', '.join(known_placeholders)}"
            yield path, FileFault.NOBODY_FILLS.to_message(place=f"{{{name}}}", hint=helps)
    for name in set(fields).difference(name for _, name in placeholders):
        yield (), FileFault.LACKS_PLACE.to_message(place=f"{{{name}}}")
