"""Rules of `COUNTERSIGN_ADOPT_RULES`: which documents sent by hand at Core Signature become requests of which kind."""

import asyncio
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Annotated, Final, Self

from pydantic import AfterValidator, Field, model_validator

from activities.files.fields import Id, KindId, Name, Url
from activities.files.reading import FileModel, FileText
from activities.files.yaml_lines import FieldPath
from activities.launch.intake import KnownPersons
from activities.people.directory import Directory, UnknownGroup
from activities.policies.catalogue import Catalogue, UnknownKind
from workflows.model.file_faults import FileFault
from workflows.model.messages import Message
from workflows.model.policy import Policy, Target

RULES_AT_MOST: Final = 200
LISTENERS_AT_MOST: Final = 20
"""People and groups of one rule who are told."""
STARS_AT_MOST: Final = 5
"""Of one pattern: each multiplies the time of a comparison."""
_BRACKET: Final = re.compile(r"\[!?\]?[^\]]*\]")


def _glob(pattern: str) -> str:
    if not pattern or "[" in _BRACKET.sub("", pattern) or pattern.count("*") > STARS_AT_MOST:
        raise FileFault.NO_PATTERN.error(most=STARS_AT_MOST, example="NDA*")
    return pattern


Glob = Annotated[Name, AfterValidator(_glob)]
"""`*`, `?` and `[abc]`, whatever the case."""


class ListenerEntry(FileModel):
    """A person or a group of the people file."""

    person: Id | None = None
    group: Id | None = None

    @model_validator(mode="after")
    def _one_way(self) -> Self:
        if (self.person is None) == (self.group is None):
            raise FileFault.EXACTLY_ONE.error(fields="person, group")
        return self


@dataclass(frozen=True)
class DocumentTraits:
    """What rules compare; `is_own` says that the directory, or our own settings, know the sender."""

    sender: str
    name: str
    template: str | None
    is_own: bool


class AdoptionRule(FileModel):
    """Each trait that is given must fit. `owner` asks for it where the directory does not know the sender; `tell` hear
    of the signature, beside the targets of the kind.
    """

    sender: Glob | None = None
    template: Url | None = None
    name: Glob | None = None
    kind: KindId
    owner: Id
    tell: tuple[ListenerEntry, ...] = Field(default=(), max_length=LISTENERS_AT_MOST)

    def fits(self, document: DocumentTraits) -> bool:
        """A rule without a sender is for documents of our own people only."""
        if self.sender is None and not document.is_own:
            return False
        if self.template is not None and self.template.rstrip("/") != (document.template or "").rstrip("/"):
            return False
        traits = ((self.sender, document.sender), (self.name, document.name))
        return all(pattern is None or fnmatchcase(text.casefold(), pattern.casefold()) for pattern, text in traits)

    def asked_by(self, sender: str) -> Self:
        """The rule with the sender, whom the directory knows, in place of the owner."""
        return self.model_copy(update={"owner": sender})

    def add_listeners(self, policy: Policy) -> Policy:
        """The policy with those who are told as further targets, each once."""
        told = {(target.person, target.group) for target in policy.handoff}
        names = {target.target for target in policy.handoff}
        listeners = [entry for entry in self.tell if (entry.person, entry.group) not in told]
        targets = [
            Target(target=f"adoption-{number}", person=entry.person, group=entry.group)
            for number, entry in enumerate(dict.fromkeys(listeners), start=1)
        ]
        return policy.replace(handoff=(*policy.handoff, *(target for target in targets if target.target not in names)))


class AdoptionRulesFile(FileModel):
    """The file `COUNTERSIGN_ADOPT_RULES`."""

    rules: tuple[AdoptionRule, ...] = Field(min_length=1, max_length=RULES_AT_MOST)


@dataclass(frozen=True)
class AdoptionConfig:
    """Documents are adopted by the first rule that fits: those of the file `rules`, then `otherwise`."""

    rules: Path | None = None
    otherwise: AdoptionRule | None = None

    async def load(self, catalogue: Catalogue, directory: Directory) -> tuple[AdoptionRule, ...]:
        """Raises `FileFaults` of the file, also for kinds, people and groups that do not exist; `DirectoryFailure`."""
        rules = await _load_rules(self.rules, catalogue, directory) if self.rules else ()
        return (*rules, self.otherwise) if self.otherwise else rules


def find_rule(rules: tuple[AdoptionRule, ...], document: DocumentTraits) -> AdoptionRule | None:
    """The first that fits."""
    return next((rule for rule in rules if rule.fits(document)), None)


async def _load_rules(path: Path, catalogue: Catalogue, directory: Directory) -> tuple[AdoptionRule, ...]:
    plain = await asyncio.to_thread(lambda: FileText.read(path).parse())
    rules = await asyncio.to_thread(lambda: plain.validate(AdoptionRulesFile).rules)
    ids = {id for rule in rules for id in (rule.owner, *(entry.person for entry in rule.tell)) if id}
    unknown_persons = (await KnownPersons.look_up(directory, frozenset(ids))).unknown
    unknown_groups = await _find_unknown_groups(rules, directory)
    faults = plain.faults(
        (("rules", number, *field_path), fault)
        for number, rule in enumerate(rules)
        for field_path, fault in _check(rule, catalogue, unknown_persons, unknown_groups)
    )
    if faults.faults:
        raise faults
    return rules


def _check(
    rule: AdoptionRule, catalogue: Catalogue, persons: Mapping[str, Message], groups: Mapping[str, Message]
) -> Iterator[tuple[FieldPath, Message]]:
    try:
        catalogue.require_kind(rule.kind, closes=True)
    except UnknownKind as unknown:
        yield ("kind",), unknown.message
    if rule.owner in persons:
        yield ("owner",), persons[rule.owner]
    for number, entry in enumerate(rule.tell):
        if entry.person and entry.person in persons:
            yield ("tell", number, "person"), persons[entry.person]
        if entry.group and entry.group in groups:
            yield ("tell", number, "group"), groups[entry.group]


async def _find_unknown_groups(rules: tuple[AdoptionRule, ...], directory: Directory) -> dict[str, Message]:
    unknown: dict[str, Message] = {}
    for group in sorted({entry.group for rule in rules for entry in rule.tell if entry.group}):
        try:
            await directory.group(group)
        except UnknownGroup as failure:
            unknown[group] = failure.message
    return unknown
