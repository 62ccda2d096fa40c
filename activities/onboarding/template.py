"""Stages that a file takes from a template in the catalogue's folder, and overrides by name."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from activities.files.reading import FileText, PlainFile
from activities.files.yaml_lines import FieldMark, FieldPath, Parsed
from activities.spelling import did_you_mean

PARTS: Final = ("agreements", "tasks", "steps", "notices")
_SUFFIX: Final = ".yaml"


@dataclass(frozen=True)
class TemplatePosition:
    """Where in which file something stands."""

    file: PlainFile
    path: FieldPath

    def within(self, *steps: str | int) -> "TemplatePosition":
        """The place of something inside."""
        return TemplatePosition(self.file, (*self.path, *steps))

    def holding(self, content: Mapping[str, Any]) -> PlainFile:
        """A file of its own with this content, whose fields have the lines that they have here."""
        depth = len(self.path)
        marks = {at[depth:]: mark for at, mark in self.file.parsed.marks.items() if at[:depth] == self.path}
        marks.setdefault((), FieldMark(self.file.parsed.line(self.path), 0))
        return PlainFile(self.file.name, self.file.folder, Parsed(dict(content), marks, ()))


@dataclass(frozen=True)
class MergedTemplate:
    """A file with the stages of its template, and where the lists of each stage stand."""

    file: PlainFile
    places: Mapping[tuple[int, str], TemplatePosition]


def read_template(file: PlainFile, folder: Path) -> PlainFile | None:
    """The template that a file names, None when it names none; `FileFaults` when it is not there."""
    name = file.plain.get("template") if isinstance(file.plain, dict) else None
    if not isinstance(name, str):
        return None
    there = {one.stem: one for one in sorted(folder.glob(f"*{_SUFFIX}"))}
    if name not in there:
        raise file.faults([(("template",), f"there is no {name}{_SUFFIX} in {folder}{did_you_mean(name, there)}")])
    return FileText.read(there[name]).parse()


def merged(file: PlainFile, template: PlainFile | None) -> MergedTemplate:
    """The file with the template's stages: those of the file override them by name, and others follow.

    Of a stage lists replace; null removes, and a stage of the template that is left empty is left out.
    """
    own = [_Stage(stage, TemplatePosition(file, ("stages", at))) for at, stage in _stages(file)]
    if template is None or not isinstance(file.plain, dict):
        return MergedTemplate(
            file, {(number, key): stage.place_of(key) for number, stage in enumerate(own) for key in PARTS}
        )
    of_template = [_Stage(stage, TemplatePosition(template, ("stages", at))) for at, stage in _stages(template)]
    by_name = {stage.name: stage for stage in own if isinstance(stage.name, str)}
    taken = [stage.overridden(by_name.get(str(stage.name))) for stage in of_template]
    known = {stage.name for stage in of_template}
    stages = [stage for stage in taken if not stage.left_empty]
    stages += [stage for stage in own if stage.name not in known]
    content = {**file.plain, "stages": [stage.content for stage in stages]}
    marks = {at: mark for at, mark in file.parsed.marks.items() if at[:1] != ("stages",) or len(at) == 1}
    for number, stage in enumerate(stages):
        marks |= stage.marks(file, number)
    places = {(number, key): stage.place_of(key) for number, stage in enumerate(stages) for key in PARTS}
    return MergedTemplate(PlainFile(file.name, file.folder, Parsed(content, marks, file.parsed.flaws)), places)


@dataclass(frozen=True)
class _Stage:
    """What a stage says, and where: of an overridden one each list may stand elsewhere."""

    content: Any
    place: TemplatePosition
    over: "_Stage | None" = None

    @property
    def left_empty(self) -> bool:
        """Whether the file takes everything out of a stage of the template."""
        return self.over is not None and not any(self.content.get(key) for key in PARTS)

    @property
    def name(self) -> object:
        return self.content.get("name") if isinstance(self.content, dict) else None

    def overridden(self, by: "_Stage | None") -> "_Stage":
        if by is None or not isinstance(by.content, dict) or not isinstance(self.content, dict):
            return self
        content = {key: value for key, value in {**self.content, **by.content}.items() if value is not None}
        return _Stage(content, self.place, by)

    def place_of(self, key: str) -> TemplatePosition:
        over = self.over
        return (over.place if over and key in over.content else self.place).within(key)

    def marks(self, file: PlainFile, number: int) -> Iterator[tuple[FieldPath, FieldMark]]:
        """The lines of what stands in `file` itself; of what is taken from a template the line that names it."""
        place = (self.over or self).place
        if place.file is not file:
            yield ("stages", number), file.parsed.marks.get(("template",), FieldMark(1, 0))
            return
        depth = len(place.path)
        for at, mark in file.parsed.marks.items():
            if at[:depth] == place.path:
                yield ("stages", number, *at[depth:]), mark


def _stages(file: PlainFile) -> Iterator[tuple[int, Any]]:
    stages = file.plain.get("stages") if isinstance(file.plain, dict) else None
    yield from enumerate(stages) if isinstance(stages, list) else ()
