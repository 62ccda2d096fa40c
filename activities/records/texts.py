"""What people wrote, apart from records and erasable: a record has a reference with a hash that cannot be guessed."""

import hashlib
import re
import secrets
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any, Final, NamedTuple

from sqlalchemy import Connection, select

from activities.errors import TextDamaged
from activities.records.database import Database, chunks, insert_new
from activities.records.schema import TEXTS

RANDOM_BYTES: Final = 16
READ_AT_ONCE: Final = 500
"""Texts of one statement."""
TEXTS_AT_MOST: Final = 20_000
"""Texts of one follow-up that are read: a signer asks and answers a few."""


@dataclass(frozen=True)
class Reference:
    """A text's reference in a record: its name beside the record, and the hash of its content."""

    name: str
    sha256: str

    @classmethod
    def read(cls, text: str) -> "Reference | None":
        """None for a word that is no reference."""
        match = re.fullmatch(r"([a-z0-9-]+)#([0-9a-f]{64})", text)
        return cls(match[1], match[2]) if match else None

    @classmethod
    def from_text(cls, name: str, random: bytes, text: str) -> "Reference":
        return cls(name, hashlib.sha256(random + text.encode()).hexdigest())

    def __str__(self) -> str:
        return f"{self.name}#{self.sha256}"


class StoredText(NamedTuple):
    name: str
    text: str
    random: bytes

    @property
    def sha256(self) -> str:
        return Reference.from_text(self.name, self.random, self.text).sha256


class Texts:
    """Texts of a follow-up, each under its own name. Raises `DatabaseAway`."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def keep(self, workflow_id: str, name: str, text: str) -> Reference:
        """Store a text; equal text under one name is stored once."""
        [reference] = (await self.keep_many(workflow_id, [(name, text)])).values()
        return reference

    async def keep_many(
        self, workflow_id: str, texts: Iterable[tuple[str, str]]
    ) -> Mapping[tuple[str, str], Reference]:
        """Store texts by name: all or none."""
        new = tuple(texts)
        return await self._database.write(partial(keep_texts, workflow_id, new)) if new else {}

    async def read(self, workflow_id: str, reference: Reference) -> str | None:
        """The text, None if erased; raises `TextDamaged`."""
        texts = await self.read_many(workflow_id, [reference])
        if reference not in texts:
            raise TextDamaged(reference.name)
        return texts[reference]

    async def read_many(self, workflow_id: str, references: Collection[Reference]) -> Mapping[Reference, str | None]:
        """The texts, None for erased ones; without damaged ones."""
        row_by_name: dict[str, Any] = {}
        for names in chunks([reference.name for reference in references], READ_AT_ONCE):
            row_by_name |= {row.name: row for row in await self._database.rows(_select_texts(workflow_id, *names))}
        rows = {reference: row_by_name.get(reference.name) for reference in references}
        return {
            reference: row and row.text
            for reference, row in rows.items()
            if row is None or Reference.from_text(reference.name, row.random, row.text) == reference
        }

    async def all(self, workflow_id: str) -> list[StoredText]:
        """All of a follow-up, by name."""
        text = TEXTS.c
        query = select(text.name, text.text, text.random).where(text.workflow_id == workflow_id)
        return [StoredText(*row) for row in await self._database.rows(query.order_by(text.name).limit(TEXTS_AT_MOST))]


def keep_texts(
    workflow_id: str, texts: Iterable[tuple[str, str]], connection: Connection
) -> Mapping[tuple[str, str], Reference]:
    return {named: _keep_text(connection, workflow_id, *named, secrets.token_bytes(RANDOM_BYTES)) for named in texts}


def _keep_text(connection: Connection, workflow_id: str, name: str, text: str, random: bytes) -> Reference:
    free, number = name, 1
    while not insert_new(connection, TEXTS, workflow_id=workflow_id, name=free, text=text, random=random):
        former_row = connection.execute(_select_texts(workflow_id, free)).one()
        if former_row.text == text:
            return Reference.from_text(free, former_row.random, text)
        number += 1
        free = f"{name}-{number}"
    return Reference.from_text(free, random, text)


def _select_texts(workflow_id: str, *names: str) -> Any:
    query = select(TEXTS.c.name, TEXTS.c.text, TEXTS.c.random)
    return query.where(TEXTS.c.workflow_id == workflow_id, TEXTS.c.name.in_(names))
