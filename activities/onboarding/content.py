"""What the parts of an onboarding are started from when their stage comes, as it lies in the store."""

import json
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, Final, Self

from pydantic import BaseModel, ConfigDict

from activities.documents.errors import StoreFailure
from activities.files.pdf import LocalDocuments
from activities.files.reading import PlainFile
from activities.files.yaml_lines import Parsed
from activities.onboarding.file import CUSTOMER, OWNER
from activities.records.rows import StoragePrefix
from activities.records.store import Store
from activities.records.texts import Reference
from workflows.model.notifications import BudgetExemption

_PIECE: Final = 1024 * 1024


class PartWords(BaseModel):
    """Whom the words `customer`, `owner` and those for teams mean where a part names somebody."""

    model_config = ConfigDict(frozen=True)

    customer: Mapping[str, Any]
    owner: str
    teams: Mapping[str, str] = {}

    def somebody(self, entry: Any) -> Any:
        """The entry of a person, with their id in the place of a word."""
        word = entry.get("person") if isinstance(entry, dict) else None
        if word == CUSTOMER:
            return {**self.customer, **{key: value for key, value in entry.items() if key != "person"}}
        if word == OWNER or word in self.teams:
            return {**entry, "person": self.owner if word == OWNER else self.teams[str(word)]}
        return entry

    def in_file(self, file: Mapping[str, Any]) -> dict[str, Any]:
        """The file of a part with its people in the place of the words for them."""
        named = dict(file)
        if isinstance(signers := file.get("signers"), list):
            named["signers"] = [self.somebody(one) for one in signers]
        if "who" in file:
            named["who"] = self.somebody(file["who"])
        return named


class PartContent(BaseModel):
    """The file that a part stands for, and the SHA-256 of each document that it names; both are in the store.

    By its `fingerprint` a part is recognised whose file is not right any more, empty for a task to decide. `words` are
    for another file that is to replace this one.
    """

    model_config = ConfigDict(frozen=True)

    file: Mapping[str, Any]
    documents: Mapping[str, str] = {}
    fingerprint: str = ""
    words: PartWords | None = None

    @property
    def tells_of_its_start(self) -> bool:
        """Whether the file itself, and not only its kind, wants its requester told that it has begun."""
        policy = self.file.get("policy") or {}
        return bool((policy.get("tell_requester") or {}).get("started"))

    def spared(self, contacts: Iterable[Mapping[str, Any]], ids: Iterable[str]) -> tuple[BudgetExemption, ...]:
        """Those of the customer's people whom it asks, or may ask, by its own `ids`, which are in its file's order."""
        numbers = {identity(one): number for number, one in enumerate(contacts, start=1)}
        return tuple(
            BudgetExemption(person=id, key=f"contact-{numbers[identity(one)]}")
            for one, id in zip(people_of(self.file), ids, strict=False)
            if identity(one) in numbers
        )

    def plain(self, id: str) -> PlainFile:
        """The file of the part under an id."""
        return PlainFile(id, Path(), Parsed({**self.file, "id": id}, {}, ()))

    async def read_documents(self, store: Store) -> LocalDocuments:
        """The documents that it names, from the store; `StoreFailure` when one is missing."""
        found = {}
        for name, sha256 in self.documents.items():
            document = await store.document(sha256)
            found[name] = b"".join([piece async for piece in document.pieces(_PIECE)])
        return KeptDocuments(found)


def people_of(file: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    """Whom a part asks, or may ask, in the order of its own ids."""
    return file.get("signers") or [*filter(None, [file.get("who")]), *file.get("colleagues", ())]


def identity(somebody: Mapping[str, Any]) -> str:
    """The same for one person wherever their entry stands."""
    return str(somebody.get("person") or somebody.get("email", "")).casefold()


class OnboardingContent(BaseModel):
    """All parts by their ids, who owns them, who hears of what the owner has to do, and the customer's people.

    `teams` are the ids of people and groups by the file's words for them.
    """

    model_config = ConfigDict(frozen=True)

    owner: str
    deputy: str
    contacts: tuple[Mapping[str, Any], ...] = ()
    teams: Mapping[str, str] = {}
    parts: Mapping[str, PartContent]

    @property
    def words(self) -> PartWords | None:
        """Whom the words of the file mean."""
        if not self.contacts:
            return None
        return PartWords(customer=self.contacts[0], owner=self.owner, teams=self.teams)

    async def keep(self, store: Store, home: StoragePrefix, fingerprint: str) -> str:
        """Keep it as a text of its own, which can be erased; the reference to it."""
        return str(await store.texts.keep(home, f"parts-{fingerprint[:16]}", self.model_dump_json()))

    @classmethod
    async def read(cls, store: Store, home: StoragePrefix, word: str) -> Self:
        """What a reference stands for; `StoreFailure` when it is not there any more."""
        return cls.model_validate_json(await _text(store, home, word))


async def keep_part(store: Store, home: StoragePrefix, name: str, content: PartContent) -> str:
    """Keep what a part is to be started from instead; the reference to it."""
    return str(await store.texts.keep(home, name, content.model_dump_json()))


async def read_part(store: Store, home: StoragePrefix, word: str) -> PartContent:
    """What a part is to be started from instead."""
    return PartContent.model_validate_json(await _text(store, home, word))


async def read_what(store: Store, home: StoragePrefix, word: str, part: str) -> PartContent:
    """What a part was started from, whether the reference is of its own or of what all parts are started from."""
    kept = json.loads(await _text(store, home, word))
    if "parts" not in kept:
        return PartContent.model_validate(kept)
    whole = OnboardingContent.model_validate(kept)
    return whole.parts[part].model_copy(update={"words": whole.words})


async def _text(store: Store, home: StoragePrefix, word: str) -> str:
    reference = Reference.read(word)
    text = await store.texts.read(home, reference) if reference else None
    if text is None:
        raise StoreFailure(f"what the parts of {home.id} are started from is not in the store")
    return text


class KeptDocuments(LocalDocuments):
    """Documents that were read already."""

    def __init__(self, found: Mapping[str, bytes]) -> None:
        super().__init__(max_megabytes=0)
        self._found = found

    def read(self, folder: Path, file: str) -> bytes:
        """See `LocalDocuments`."""
        if file not in self._found:
            raise ValueError("is not in the store any more")
        return self._found[file]
