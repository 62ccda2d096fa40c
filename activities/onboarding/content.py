"""Stored content from which the parts of an onboarding are started."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final, Self

from pydantic import BaseModel, ConfigDict

from activities.errors import StoreFailure
from activities.files.pdf import LocalDocuments
from activities.files.reading import PlainFile
from activities.files.yaml_lines import Parsed
from activities.launch.intake import asked_of
from activities.onboarding.file import CUSTOMER, OWNER
from activities.people.ids import contact_address
from activities.records.store import Store
from activities.records.texts import Reference

PEOPLE_OF_PARTS: Final = ("signers", "reviewers", "colleagues")
"""Lists in a part's file in which the words stand for people."""


class PartAliases(BaseModel):
    """The people behind the words `customer`, `owner` and team names."""

    model_config = ConfigDict(frozen=True)

    customer: Mapping[str, Any]
    owner: str
    teams: Mapping[str, str] = {}

    def resolve_person(self, entry: Any) -> Any:
        """A person's entry with the id in place of a word."""
        person = entry.get("person") if isinstance(entry, dict) else None
        if not isinstance(person, str):
            return entry
        if person == CUSTOMER:
            return {**self.customer, **{key: value for key, value in entry.items() if key != "person"}}
        if person == OWNER:
            return {**{key: value for key, value in entry.items() if key != "person"}, **asked_of(self.owner)}
        return {**entry, "person": self.teams[person]} if person in self.teams else entry

    def in_file(self, file: Mapping[str, Any]) -> dict[str, Any]:
        """A part's file with ids in place of words."""
        named = dict(file)
        for key in PEOPLE_OF_PARTS:
            if isinstance(people := file.get(key), list):
                named[key] = [self.resolve_person(entry) for entry in people]
        if "who" in file:
            named["who"] = self.resolve_person(file["who"])
        return named


class PartContent(BaseModel):
    """A part's file and its documents' SHA-256, both stored. `fingerprint` recognises a started part whose file is no
    longer valid. `words` apply to a replacement file.
    """

    model_config = ConfigDict(frozen=True)

    file: Mapping[str, Any]
    documents: Mapping[str, str] = {}
    fingerprint: str = ""
    part_words: PartAliases | None = None

    @property
    def tells_of_its_start(self) -> bool:
        """Whether the file itself, not only its kind, wants the requester notified of the start."""
        policy = self.file.get("policy") or {}
        return bool((policy.get("tell_requester") or {}).get("started"))

    def plain(self, id: str) -> PlainFile:
        return PlainFile(id, Path(), Parsed({**self.file, "id": id}, {}, ()))

    async def read_documents(self, store: Store) -> LocalDocuments:
        """Its documents from the store; `StoreFailure` if one is missing."""
        return InMemoryDocuments({name: await store.files.read(sha256) for name, sha256 in self.documents.items()})


def people_of(file: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    """Whom a part may ask, in the order of its own ids."""
    return file.get("signers") or [*filter(None, [file.get("who")]), *file.get("colleagues", ())]


def identity(entry: Mapping[str, Any]) -> str:
    """Equal for equal persons, wherever their entry is."""
    return str(entry.get("person") or address_in(entry)).casefold()


def address_in(entry: Mapping[str, Any]) -> str:
    """The address of a person described in full, of an unvalidated entry."""
    return contact_address(str(entry.get("email") or ""), str(entry.get("phone") or ""))


class OnboardingContent(BaseModel):
    """Parts by id, owner, deputy, and the customer's people. `teams` maps words to ids of people and groups. `customer`
    is what the customer is called in titles, never a person's name.
    """

    model_config = ConfigDict(frozen=True)

    owner: str
    deputy: str
    customer: str = ""
    contacts: tuple[Mapping[str, Any], ...] = ()
    teams: Mapping[str, str] = {}
    parts: Mapping[str, PartContent]

    @property
    def part_words(self) -> PartAliases | None:
        if not self.contacts:
            return None
        return PartAliases(customer=self.contacts[0], owner=self.owner, teams=self.teams)

    def add_customer(self, title: str) -> str:
        """A part's title with the name of the customer, within the limit of titles."""
        return f"{title}: {self.customer}"[:200] if self.customer else title

    @classmethod
    async def read(cls, store: Store, workflow_id: str, reference: str) -> Self:
        """Raises `StoreFailure` if it is gone."""
        return cls.model_validate_json(await _text(store, workflow_id, reference))


async def keep_part(store: Store, workflow_id: str, name: str, content: PartContent) -> str:
    """Store a part's replacement content; returns the reference."""
    return str(await store.texts.keep(workflow_id, name, content.model_dump_json()))


async def read_part(store: Store, workflow_id: str, reference: str) -> PartContent:
    """A part's replacement content."""
    return PartContent.model_validate_json(await _text(store, workflow_id, reference))


async def read_part_content(store: Store, workflow_id: str, reference: str, part: str) -> PartContent:
    """A part's content by a reference to its own replacement or to the onboarding's content."""
    stored = json.loads(await _text(store, workflow_id, reference))
    if "parts" not in stored:
        return PartContent.model_validate(stored)
    content = OnboardingContent.model_validate(stored)
    return content.parts[part].model_copy(update={"part_words": content.part_words})


class InMemoryDocuments(LocalDocuments):
    """Documents already in memory."""

    def __init__(self, content_by_name: Mapping[str, bytes]) -> None:
        super().__init__(max_megabytes=0)
        self._content_by_name = content_by_name

    def read(self, folder: Path, file: str) -> bytes:
        if file not in self._content_by_name:
            raise ValueError("is not in the store any more")
        return self._content_by_name[file]


async def _text(store: Store, workflow_id: str, reference_text: str) -> str:
    reference = Reference.read(reference_text)
    text = await store.texts.read(workflow_id, reference) if reference else None
    if text is None:
        raise StoreFailure(f"what the parts of {workflow_id.partition(':')[2]} are started from is not in the store")
    return text
