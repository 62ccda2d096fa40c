"""The catalogue of document kinds and the cascade that makes one policy: defaults ← extended kinds ← kind ← request.

Maps merge, lists replace, `null` removes. The result travels in the workflow's input, so that a catalogue may change
while requests live.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Any, Self

from pydantic import Field, ValidationInfo, field_validator

from activities.fields import KindId
from activities.file_words import did_you_mean
from activities.files import FileModel, FileText
from activities.policy_file import PolicyLayer
from activities.yaml_lines import FieldPath
from workflows.model import Policy


class UnknownKind(LookupError):
    """No kind of this name in the catalogue."""

    def __init__(self, kind: str, known: Mapping[str, object]) -> None:
        super().__init__(f"{kind} is not a kind of the catalogue{did_you_mean(kind, known)}")


@dataclass(frozen=True)
class KindsKnown:
    """What every kind of a file extends, before anything was validated."""

    parents: Mapping[str, str | None] = field(default_factory=dict)

    @classmethod
    def of(cls, plain: Any) -> Self:
        """Gather the kinds from the plain value of a catalogue file."""
        kinds = plain.get("kinds") if isinstance(plain, dict) else None
        entries = kinds.items() if isinstance(kinds, dict) else ()
        return cls({name: kind.get("extends") if isinstance(kind, dict) else None for name, kind in entries})

    def check(self, parent: str) -> str:
        """The kind that is extended, if it exists and does not lead back to itself."""
        if parent not in self.parents:
            raise ValueError(f"{parent} is not a kind of this file{did_you_mean(parent, self.parents)}")
        chain, above = [parent], self.parents[parent]
        while isinstance(above, str) and above not in chain:
            chain.append(above)
            above = self.parents.get(above)
        if above is not None:
            raise ValueError(f"goes round in a circle: {' → '.join([*chain, above])}")
        return parent


class Kind(PolicyLayer):
    """A kind of document: its own layer, on top of the kind it extends."""

    extends: Annotated[KindId | None, Field(exclude=True)] = None

    @field_validator("extends")
    @classmethod
    def _leads_to_a_kind(cls, parent: str | None, info: ValidationInfo) -> str | None:
        if parent is None or not isinstance(known := info.context, KindsKnown):
            return parent
        return known.check(parent)


class CatalogueFile(FileModel):
    """The file `COUNTERSIGN_POLICIES`."""

    kinds: dict[KindId, Kind] = Field(min_length=1)


class Catalogue:
    """The kinds of documents that may be sent, and what happens to each."""

    def __init__(self, kinds: Mapping[str, Kind]) -> None:
        self._kinds = dict(kinds)

    @classmethod
    def read(cls, path: Path | str) -> Self:
        """Read a catalogue file; `FileFaults` with all that is wrong with it."""
        file = FileText.read(path).parse()
        catalogue = cls(file.validate(CatalogueFile, KindsKnown.of(file.plain)).kinds)
        faults: dict[FieldPath, str] = {
            ("kinds", name): why for name in catalogue.kinds if (why := catalogue.contradiction(name))
        }
        if faults:
            raise file.faults(faults)
        return catalogue

    @property
    def kinds(self) -> tuple[str, ...]:
        """The names of all kinds."""
        return tuple(self._kinds)

    def known(self, kind: str) -> str:
        """The kind's name, or `UnknownKind`."""
        if kind not in self._kinds:
            raise UnknownKind(kind, self._kinds)
        return kind

    def contradiction(self, kind: str, override: PolicyLayer | None = None) -> str | None:
        """What makes the resolved policy impossible, None when nothing does."""
        escalation = self._merged(kind, override).get("escalation")
        if escalation is not None and escalation.get("after", ...) is None and escalation.get("or", ...) is None:
            return "an escalation needs after or or; `escalation: null` switches it off"
        return None

    def resolve(self, kind: str, override: PolicyLayer | None = None) -> Policy:
        """The policy of a request of this kind; `UnknownKind` when the catalogue has no such kind."""
        merged = self._merged(kind, override)
        for replaced in ("warnings", "handoff"):
            if merged.get(replaced, ...) is None:
                merged[replaced] = ()
        escalation = merged.get("escalation")
        if escalation is not None and escalation.get("after", ...) is None:
            merged["escalation"] = {**escalation, "after": escalation.get("or", "60%"), "or": None}
        return Policy.model_validate(merged)

    def _merged(self, kind: str, override: PolicyLayer | None) -> dict[str, Any]:
        merged: dict[str, Any] = {}
        for layer in self._layers(self.known(kind)):
            merged = _merge(merged, _written(layer))
        return _merge(merged, _written(override)) if override is not None else merged

    def _layers(self, kind: str) -> Iterator[Kind]:
        """The kind's layers, the lowest first."""
        layer = self._kinds[kind]
        if layer.extends is not None:
            yield from self._layers(layer.extends)
        yield layer


def _written(layer: PolicyLayer) -> dict[str, Any]:
    """What a layer says itself, as it is written in files."""
    return layer.model_dump(exclude_unset=True, by_alias=True)


def _merge(below: dict[str, Any], above: Mapping[str, Any]) -> dict[str, Any]:
    merged = dict(below)
    for key, value in above.items():
        lower = merged.get(key)
        merged[key] = _merge(lower, value) if isinstance(lower, dict) and isinstance(value, Mapping) else value
    return merged
