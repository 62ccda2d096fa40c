"""The catalogue of kinds; policies resolve default ← extended kinds ← kind ← request, and travel in the workflow's
input, so the catalogue may change meanwhile.
"""

import re
from collections.abc import Callable, Collection, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import timedelta
from functools import lru_cache
from itertools import islice
from pathlib import Path
from typing import Annotated, Any, Final, Self

from pydantic import BeforeValidator, Field, ValidationError, ValidationInfo, field_validator, model_validator

from activities.errors import did_you_mean
from activities.files.fields import Id, KindId, Name
from activities.files.reading import FileFaults, FileModel, FileText, PlainFile
from activities.people.language import ENGLISH, Language, phrase
from activities.policies.cascade import REQUEST, Layer, ResolvedPolicy, resolve, without_trigger
from activities.policies.onboarding_template import kick_off_file
from activities.policies.policy_file import PolicyFaults, PolicyLayer, find_senseless_settings
from workflows.model.file_faults import FileFault
from workflows.model.policy import Policy

_OURS: Final[Mapping[str, str]] = {
    "team-task": phrase("Task"),
    "customer-step": phrase("Step for the customer"),
    "onboarding-decision": phrase("Decision"),
    "customer-onboarding": phrase("Customer onboarding"),
}
"""Of the kinds that exist without a catalogue."""
_BETWEEN: Final = re.compile(r"[-_.]+")
_STARTERS_AT_MOST: Final = 100
GROUPS_AT_MOST: Final = 20
"""Groups that may look at one kind."""
_DEEPEST: Final = 20
_PARSED_AT_MOST: Final = 4
"""Cached parsed catalogues."""
_NAMED_AT_MOST: Final = 20
"""Kinds named in a refusal."""
Uncalled = Callable[[str], str | None]
"""Why a URL is never called, or None."""
_OPEN_END: Final = {"warnings": ["1d"], "expires": False}


class KindLabel(FileModel):
    """A label by language, with English, then the first, as fallback."""

    en: Name | None = None
    nl: Name | None = None
    de: Name | None = None
    fr: Name | None = None
    es: Name | None = None

    @model_validator(mode="after")
    def _in_some_language(self) -> Self:
        if not any(self._text_by_language.values()):
            raise FileFault.NO_LABEL.error(example="{en: Customer contract}")
        return self

    @property
    def _text_by_language(self) -> dict[str, str]:
        return {code: text for code, text in self if text}

    def say(self, language: Language) -> str:
        return (
            self._text_by_language.get(language.code)
            or self._text_by_language.get(ENGLISH)
            or next(iter(self._text_by_language.values()))
        )


def label_of(kind: str, written: KindLabel | None, language: Language) -> str:
    """A kind's label in a language; never the raw id."""
    if written:
        return written.say(language)
    if kind in _OURS:
        return language.say(_OURS[kind])
    label = _BETWEEN.sub(" ", kind).strip()
    return label[:1].upper() + label[1:]


class StarterEntry(FileModel):
    """Who may begin things of a kind: a person, those of a group, or with `everyone` whoever is in the directory."""

    person: Id | None = None
    group: Id | None = None
    everyone: bool = False

    @model_validator(mode="after")
    def _one_way(self) -> Self:
        if (self.person is not None) + (self.group is not None) + self.everyone != 1:
            raise FileFault.EXACTLY_ONE.error(fields="person, group")
        return self


class UnknownKind(LookupError):
    def __init__(self, kind: str, kinds: Collection[str], file: str = "the catalogue") -> None:
        helps = did_you_mean(kind, kinds) or f"; it has {', '.join(_list_kinds(kinds))}"
        self.message = FileFault.NO_KIND_OF_CATALOGUE.to_message(kind=kind, where=file, hint=helps)
        super().__init__(self.message.english)


@dataclass(frozen=True)
class WrittenKinds:
    written: Mapping[str, Any] = field(default_factory=dict)

    @classmethod
    def from_plain(cls, plain: Any) -> Self:
        kinds = plain.get("kinds") if isinstance(plain, dict) else None
        return cls(kinds if isinstance(kinds, dict) else {})

    def check(self, parent: str) -> str:
        """Refuse an extended kind that is unknown, leads back to itself, or is too far up."""
        if parent not in self.written:
            raise FileFault.NO_KIND_OF_FILE.error(kind=parent, hint=did_you_mean(parent, self.written))
        chain = self.lineage(parent)
        if (above := self._parent(chain[-1])) in chain:
            raise FileFault.IN_A_CIRCLE.error(circle=" → ".join([*chain, str(above)]))
        if len(chain) > _DEEPEST:
            raise FileFault.TOO_MANY_KINDS_ABOVE.error(most=_DEEPEST)
        return parent

    def lineage(self, kind: str) -> list[str]:
        """The kind and all it extends, upwards, up to a cycle or the limit."""
        chain, above = [kind], self._parent(kind)
        while isinstance(above, str) and above not in chain and len(chain) <= _DEEPEST:
            chain.append(above)
            above = self._parent(above)
        return chain

    def _parent(self, kind: str) -> object:
        written = self.written.get(kind)
        return written.get("extends") if isinstance(written, dict) else None


class GroupEntry(FileModel):
    """A group of the people file."""

    group: Id


def _starters(written: object) -> object:
    if isinstance(written, str):
        if written != "everyone":
            raise FileFault.NO_STARTERS.error(example="[{group: sales}, {person: legal-desk}]")
        return ({"everyone": True},)
    return written


class CatalogueKind(PolicyLayer):
    """A kind's own layer, above the kind that it extends."""

    extends: Annotated[KindId | None, Field(exclude=True)] = None
    label: Annotated[KindLabel | None, Field(exclude=True)] = None
    may_start: Annotated[
        Annotated[tuple[StarterEntry, ...], Field(max_length=_STARTERS_AT_MOST)] | None,
        BeforeValidator(_starters),
        Field(exclude=True),
    ] = None
    visible_to: Annotated[tuple[GroupEntry, ...] | None, Field(exclude=True, max_length=GROUPS_AT_MOST)] = None

    @field_validator("extends")
    @classmethod
    def _leads_to_a_kind(cls, parent: str | None, info: ValidationInfo) -> str | None:
        if parent is None or not isinstance(kinds_known := info.context, WrittenKinds):
            return parent
        return kinds_known.check(parent)


class CatalogueFile(FileModel):
    """The file `COUNTERSIGN_POLICIES`."""

    kinds: dict[KindId, CatalogueKind] = Field(min_length=1)

    @classmethod
    def right_kinds(cls, kinds_known: WrittenKinds) -> dict[str, CatalogueKind]:
        """Of a faulty file, the kinds without faults in themselves and what they extend."""
        right: dict[str, CatalogueKind] = {}
        for name, written in kinds_known.written.items():
            with suppress(ValidationError):
                right |= cls.model_validate({"kinds": {name: written}}, context=kinds_known).kinds
        return {name: kind for name, kind in right.items() if right.keys() >= {*kinds_known.lineage(name)}}


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
"""Kinds of onboarding parts without a kind; a catalogue may replace them."""


class Catalogue:
    def __init__(
        self,
        kinds: Mapping[str, CatalogueKind],
        file: str = "the catalogue",
        folder: Path | None = None,
        uncalled: Uncalled | None = None,
    ) -> None:
        self._uncalled = uncalled
        self._own_kinds = tuple(kinds)
        self._kinds = {**ALWAYS_THERE, **kinds}
        self._file = file
        self._folder = folder

    @classmethod
    def read(cls, path: Path | str, uncalled: Uncalled | None = None) -> Self:
        """Raises `FileFaults`. Targets refused by `uncalled` are faults of what is started, so that other kinds still
        work.
        """
        file = _parsed(FileText.read(path))
        kinds_known, all_faults = WrittenKinds.from_plain(file.plain), FileFaults(())
        try:
            catalogue = cls(file.validate(CatalogueFile, kinds_known).kinds, Path(path).name, file.folder, uncalled)
        except FileFaults as faults:
            catalogue, all_faults = cls(CatalogueFile.right_kinds(kinds_known), folder=file.folder), faults
        all_faults += file.faults(
            (("kinds", name, *field_path), fault)
            for name in catalogue.kinds
            for field_path, fault in catalogue.faults(name)
        )
        if all_faults.faults:
            raise all_faults
        return catalogue

    @property
    def kinds(self) -> tuple[str, ...]:
        return self._own_kinds

    def has_label(self, kind: str) -> bool:
        return self._kinds[kind].label is not None

    def label(self, kind: str, language: Language) -> str:
        catalogue_kind = self._kinds.get(kind)
        return label_of(kind, catalogue_kind.label if catalogue_kind else None, language)

    def visible_to(self, kind: str) -> frozenset[str]:
        """The groups that may look at all of this kind, of the nearest kind above it that says so."""
        layers = (self._kinds[name] for name in self._lineage(self.require_kind(kind)))
        entries = next((layer.visible_to for layer in layers if "visible_to" in layer.model_fields_set), None)
        return frozenset(entry.group for entry in entries or ())

    def require_kind(self, kind: str, *, closes: bool = False) -> str:
        """The kind's name, or `UnknownKind`, which suggests kinds that fit `closes`."""
        if kind not in self._kinds:
            fit = [name for name in self._own_kinds if not closes or self.closes(name)]
            raise UnknownKind(kind, fit or self._own_kinds, self._file)
        return kind

    def closes(self, kind: str) -> bool:
        """Whether it is of documents: a request closes some day; a task may stay open."""
        return kind not in ALWAYS_THERE and self.resolve(kind).policy.expires

    def starters(self, kind: str) -> tuple[StarterEntry, ...]:
        """Who may begin it without a command, as the nearest layer says; raises `UnknownKind`."""
        layers = (self._kinds[name] for name in self._lineage(self.require_kind(kind)))
        return next((layer.may_start or () for layer in layers if "may_start" in layer.model_fields_set), ())

    def faults(
        self, kind: str, override: PolicyLayer | None = None, time_left: timedelta | None = None
    ) -> PolicyFaults:
        """Why the resolved policy cannot work; `time_left` is the time until the request's own due date."""
        layers = list(self._written(kind, override))
        if without_trigger(layers):
            yield ("escalation",), FileFault.ESCALATION_WITHOUT_TRIGGER.to_message()
        else:
            yield from find_senseless_settings(resolved := resolve(layers), time_left)
            if override is not None and resolved.policy.identity.is_weaker_than(
                demanded := resolve(layers[:-1]).policy.identity
            ):
                yield ("identity",), FileFault.WEAKER_IDENTITY.to_message(identity=demanded, kind=kind)
            if resolved.layer("handoff") == layers[-1][0]:
                yield from self._not_to_be_started(resolved.policy)

    def resolve(self, kind: str, override: PolicyLayer | None = None) -> ResolvedPolicy:
        """A request's policy and its layers; raises `UnknownKind`."""
        return resolve(self._written(kind, override))

    def never_called(self, policy: Policy) -> PolicyFaults:
        """Targets that are never called, each with the reason."""
        for position, target in enumerate(policy.handoff):
            if self._uncalled and target.url and (refusal := self._uncalled(target.url)):
                yield ("handoff", position, "url"), FileFault.INVALID.to_message(says=refusal)

    def _not_to_be_started(self, policy: Policy) -> PolicyFaults:
        """Faults of onboarding files that targets start; each layer reports those it names."""
        for position, target in enumerate(policy.handoff):
            if self._folder and target.start and target.start.onboarding:
                try:
                    kick_off_file(self._folder, target.start.onboarding, [field.place for field in target.start.fields])
                except FileFaults as faults:
                    yield ("handoff", position, "start", "onboarding"), faults.first

    def _written(self, kind: str, override: PolicyLayer | None) -> Iterator[Layer]:
        for name in reversed(self._lineage(self.require_kind(kind))):
            yield name, _written(self._kinds[name])
        if override is not None:
            yield REQUEST, _written(override)

    def _lineage(self, kind: str) -> list[str]:
        chain = [kind]
        while (parent := self._kinds[chain[-1]].extends) is not None:
            chain.append(parent)
        return chain


def _list_kinds(kinds: Collection[str]) -> Iterator[str]:
    named = _NAMED_AT_MOST if len(kinds) > _NAMED_AT_MOST + 1 else len(kinds)
    yield from islice(kinds, named)
    if unnamed_count := len(kinds) - named:
        yield f"and {unnamed_count} more"


@lru_cache(maxsize=_PARSED_AT_MOST)
def _parsed(text: FileText) -> PlainFile:
    # Cached, since every start reads the catalogue, and parsing costs as much as the rest.
    return text.parse()


def _written(layer: PolicyLayer) -> dict[str, Any]:
    return layer.model_dump(exclude_unset=True, by_alias=True)
