"""The catalogue of document kinds; a policy is resolved from default ← extended kinds ← kind ← request.

The result travels in the workflow's input, so that a catalogue may change while requests live.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from typing import Annotated, Any, Self

from pydantic import Field, ValidationInfo, field_validator

from activities.files.fields import KindId
from activities.files.reading import FileModel, FileText
from activities.policies.cascade import REQUEST, Layer, Resolved, resolve, without_trigger
from activities.policies.file import PolicyLayer
from activities.policies.sense import Senseless, senseless
from activities.spelling import did_you_mean


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
        faults = {("kinds", name, *field): why for name in catalogue.kinds for field, why in catalogue.faults(name)}
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

    def faults(self, kind: str, override: PolicyLayer | None = None, within: timedelta | None = None) -> Senseless:
        """What cannot work in the resolved policy; `within` is the time that a request's own due date leaves."""
        layers = list(self._written(kind, override))
        if without_trigger(layers):
            yield ("escalation",), "needs after or or; `escalation: null` switches it off"
        else:
            yield from senseless(resolve(layers), within)

    def resolve(self, kind: str, override: PolicyLayer | None = None) -> Resolved:
        """The policy of a request of this kind, and where it comes from; `UnknownKind` for one that is not here."""
        return resolve(self._written(kind, override))

    def _written(self, kind: str, override: PolicyLayer | None) -> Iterator[Layer]:
        for name in self._lineage(self.known(kind)):
            yield name, _written(self._kinds[name])
        if override is not None:
            yield REQUEST, _written(override)

    def _lineage(self, kind: str) -> Iterator[str]:
        """The kind and all it extends, the lowest first."""
        if (parent := self._kinds[kind].extends) is not None:
            yield from self._lineage(parent)
        yield kind


def _written(layer: PolicyLayer) -> dict[str, Any]:
    """What a layer says itself, as it is written in files."""
    return layer.model_dump(exclude_unset=True, by_alias=True)
