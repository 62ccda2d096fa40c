"""The catalogue of document kinds; a policy is resolved from default ← extended kinds ← kind ← request.

The result travels in the workflow's input, so that a catalogue may change while requests live.
"""

from collections.abc import Callable, Collection, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import timedelta
from functools import lru_cache
from itertools import islice
from pathlib import Path
from typing import Annotated, Any, Final, Self

from pydantic import Field, ValidationError, ValidationInfo, field_validator

from activities.errors import did_you_mean
from activities.files.fields import KindId
from activities.files.reading import FileFaults, FileModel, FileText, PlainFile
from activities.people.language import Language
from activities.policies.cascade import REQUEST, Layer, Resolved, resolve, without_trigger
from activities.policies.labels import KindLabel, label_of
from activities.policies.onboarding_template import kick_off_file
from activities.policies.policy_file import PolicyLayer, Senseless, senseless
from workflows.model.policy import Policy

_DEEPEST: Final = 20
_PARSED_AT_MOST: Final = 4
"""Catalogues that are remembered as they were parsed."""
_NAMED_AT_MOST: Final = 20
"""Kinds that are named to somebody who knows none."""
Uncalled = Callable[[str], str | None]
"""Why a URL would never be called, None if it may be."""


class UnknownKind(LookupError):
    """No kind of this name in the catalogue."""

    def __init__(self, kind: str, known: Collection[str], file: str = "the catalogue") -> None:
        helps = did_you_mean(kind, known) or f"; it has {', '.join(_some(known))}"
        super().__init__(f'"{kind}" is not a kind of {file}{helps}')


def _some(known: Collection[str]) -> Iterator[str]:
    named = _NAMED_AT_MOST if len(known) > _NAMED_AT_MOST + 1 else len(known)
    yield from islice(known, named)
    if more := len(known) - named:
        yield f"and {more} more"


@dataclass(frozen=True)
class KindsKnown:
    """The kinds of a file as they are written, before anything was validated."""

    written: Mapping[str, Any] = field(default_factory=dict)

    @classmethod
    def of(cls, plain: Any) -> Self:
        """Gather the kinds from the plain value of a catalogue file."""
        kinds = plain.get("kinds") if isinstance(plain, dict) else None
        return cls(kinds if isinstance(kinds, dict) else {})

    def check(self, parent: str) -> str:
        """The kind that is extended, if it exists, does not lead back to itself and is not too far up."""
        if parent not in self.written:
            raise ValueError(f"{parent} is not a kind of this file{did_you_mean(parent, self.written)}")
        chain = self.lineage(parent)
        if (above := self._parent(chain[-1])) in chain:
            raise ValueError(f"goes round in a circle: {' → '.join([*chain, str(above)])}")
        if len(chain) > _DEEPEST:
            raise ValueError(f"has more than {_DEEPEST} kinds above it, each extending the next")
        return parent

    def lineage(self, kind: str) -> list[str]:
        """The kind and all it extends, upwards; it ends where a circle would close, or too far up."""
        chain, above = [kind], self._parent(kind)
        while isinstance(above, str) and above not in chain and len(chain) <= _DEEPEST:
            chain.append(above)
            above = self._parent(above)
        return chain

    def _parent(self, kind: str) -> object:
        written = self.written.get(kind)
        return written.get("extends") if isinstance(written, dict) else None


class CatalogueKind(PolicyLayer):
    """A kind of document: its own layer, on top of the kind it extends."""

    extends: Annotated[KindId | None, Field(exclude=True)] = None
    label: Annotated[KindLabel | None, Field(exclude=True)] = None

    @field_validator("extends")
    @classmethod
    def _leads_to_a_kind(cls, parent: str | None, info: ValidationInfo) -> str | None:
        if parent is None or not isinstance(known := info.context, KindsKnown):
            return parent
        return known.check(parent)


class CatalogueFile(FileModel):
    """The file `COUNTERSIGN_POLICIES`."""

    kinds: dict[KindId, CatalogueKind] = Field(min_length=1)

    @classmethod
    def right_kinds(cls, known: KindsKnown) -> dict[str, CatalogueKind]:
        """Of a file with faults, the kinds that have none, neither themselves nor in what they extend."""
        right: dict[str, CatalogueKind] = {}
        for name, written in known.written.items():
            with suppress(ValidationError):
                right |= cls.model_validate({"kinds": {name: written}}, context=known).kinds
        return {name: kind for name, kind in right.items() if right.keys() >= {*known.lineage(name)}}


_OPEN_END: Final = {"warnings": ["1d"], "expires": False}
ALWAYS_THERE: Final[Mapping[str, CatalogueKind]] = {
    name: CatalogueKind.model_validate(written)
    for name, written in {
        "team-task": {
            **_OPEN_END,
            "window": "5d",
            "reminders": {"first": "1d", "every": "2d", "most": 2},
            "overdue": {"every": "2d"},
        },
        "customer-step": {
            **_OPEN_END,
            "window": "7d",
            "reminders": {"first": "2d", "every": "2d", "most": 3},
            "overdue": {"every": "3d"},
        },
        "onboarding-decision": {
            "expires": False,
            "warnings": [],
            "window": "2d",
            "reminders": {"first": "1d", "every": "1d", "most": 1},
            "overdue": {"every": "1d"},
            "escalation": {"depth": 1},
        },
        "customer-onboarding": {},
    }.items()
}
"""What onboardings are made of when their files name no kinds; a catalogue that has one of these has its own."""


class Catalogue:
    """The kinds of documents that may be sent, and what happens to each."""

    def __init__(
        self,
        kinds: Mapping[str, CatalogueKind],
        file: str = "the catalogue",
        folder: Path | None = None,
        uncalled: Uncalled | None = None,
    ) -> None:
        self._uncalled = uncalled
        self._own = tuple(kinds)
        self._kinds = {**ALWAYS_THERE, **kinds}
        self._file = file
        self._folder = folder

    @classmethod
    def read(cls, path: Path | str, uncalled: Uncalled | None = None) -> Self:
        """Read a catalogue file; `FileFaults` with all that is wrong with it.

        With `uncalled` it knows which targets would never be called: a fault of what is started, not of the file, whose
        other kinds are not held up by it.
        """
        file = _parsed(FileText.read(path))
        known, found = KindsKnown.of(file.plain), FileFaults(())
        try:
            catalogue = cls(file.validate(CatalogueFile, known).kinds, Path(path).name, file.folder, uncalled)
        except FileFaults as faults:
            catalogue, found = cls(CatalogueFile.right_kinds(known), folder=file.folder), faults
        found += file.faults(
            (("kinds", name, *at), why) for name in catalogue.kinds for at, why in catalogue.faults(name)
        )
        if found.faults:
            raise found
        return catalogue

    @property
    def kinds(self) -> tuple[str, ...]:
        """The names of the kinds of its file."""
        return self._own

    def label(self, kind: str, language: Language) -> str:
        """What people read instead of the kind's id, also of a kind that is not here any more."""
        found = self._kinds.get(kind)
        return label_of(kind, found.label if found else None, language)

    def known(self, kind: str, *, closes: bool = False) -> str:
        """The kind's name, or `UnknownKind`, which offers those that fit what `closes` some day."""
        if kind not in self._kinds:
            fit = [name for name in self._own if not closes or self._closes(name)]
            raise UnknownKind(kind, fit or self._own, self._file)
        return kind

    def _closes(self, kind: str) -> bool:
        return kind not in ALWAYS_THERE and self.resolve(kind).policy.expires

    def faults(self, kind: str, override: PolicyLayer | None = None, within: timedelta | None = None) -> Senseless:
        """What cannot work in the resolved policy; `within` is the time that a request's own due date leaves."""
        layers = list(self._written(kind, override))
        if without_trigger(layers):
            yield ("escalation",), "needs after or or; `escalation: null` switches it off"
        else:
            yield from senseless(resolved := resolve(layers), within)
            if resolved.layer("handoff") == layers[-1][0]:
                yield from self._not_to_be_started(resolved.policy)

    def resolve(self, kind: str, override: PolicyLayer | None = None) -> Resolved:
        """The policy of a request of this kind, and where it comes from; `UnknownKind` for one that is not here."""
        return resolve(self._written(kind, override))

    def never_called(self, policy: Policy) -> Senseless:
        """The targets of a policy that would never be called, each with the reason."""
        for position, target in enumerate(policy.handoff):
            if self._uncalled and target.url and (why := self._uncalled(target.url)):
                yield ("handoff", position, "url"), why

    def _not_to_be_started(self, policy: Policy) -> Senseless:
        """What is wrong with the files of onboardings that targets start; a layer answers for those it names itself."""
        for position, target in enumerate(policy.handoff):
            if self._folder and target.start and target.start.onboarding:
                try:
                    kick_off_file(self._folder, target.start.onboarding, [one.place for one in target.start.fields])
                except FileFaults as faults:
                    yield ("handoff", position, "start", "onboarding"), faults.in_short

    def _written(self, kind: str, override: PolicyLayer | None) -> Iterator[Layer]:
        for name in reversed(self._lineage(self.known(kind))):
            yield name, _written(self._kinds[name])
        if override is not None:
            yield REQUEST, _written(override)

    def _lineage(self, kind: str) -> list[str]:
        """The kind and all it extends, upwards."""
        chain = [kind]
        while (parent := self._kinds[chain[-1]].extends) is not None:
            chain.append(parent)
        return chain


@lru_cache(maxsize=_PARSED_AT_MOST)
def _parsed(text: FileText) -> PlainFile:
    """Every start reads the catalogue, which has hardly ever changed; to parse it costs as much as all the rest."""
    return text.parse()


def _written(layer: PolicyLayer) -> dict[str, Any]:
    """What a layer says itself, as it is written in files."""
    return layer.model_dump(exclude_unset=True, by_alias=True)
