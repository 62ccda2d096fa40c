"""What people wrote, apart from records and erasable: a record has a reference with a hash that cannot be guessed."""

import hashlib
import re
import secrets
from dataclasses import dataclass
from typing import Any, Final

from sqlalchemy import Connection, select

from activities.errors import TextDamaged
from activities.records.database import Database, insert_new
from activities.records.schema import TEXTS

RANDOM_BYTES: Final = 16


@dataclass(frozen=True)
class Reference:
    """A text's reference in a record: its name beside the record, and the hash of its content."""

    name: str
    sha256: str

    @classmethod
    def read(cls, word: str) -> "Reference | None":
        """None for a word that is no reference."""
        found = re.fullmatch(r"([a-z0-9-]+)#([0-9a-f]{64})", word)
        return cls(found[1], found[2]) if found else None

    @classmethod
    def of(cls, name: str, random: bytes, text: str) -> "Reference":
        return cls(name, hashlib.sha256(random + text.encode()).hexdigest())

    def __str__(self) -> str:
        return f"{self.name}#{self.sha256}"


class Texts:
    """Texts of a follow-up, each under its own name. Raises `DatabaseAway`."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def keep(self, workflow_id: str, name: str, text: str) -> Reference:
        """Store a text; equal text under one name is stored once."""
        random = secrets.token_bytes(RANDOM_BYTES)

        def change(connection: Connection) -> Reference:
            free, number = name, 1
            while not insert_new(connection, TEXTS, workflow_id=workflow_id, name=free, text=text, random=random):
                before = connection.execute(_found(workflow_id, free)).one()
                if before.text == text:
                    return Reference.of(free, before.random, text)
                number += 1
                free = f"{name}-{number}"
            return Reference.of(free, random, text)

        return await self._database.write(change)

    async def read(self, workflow_id: str, reference: Reference) -> str | None:
        """The text, None if erased; raises `TextDamaged`."""
        found = await self._database.first(_found(workflow_id, reference.name))
        if found is None:
            return None
        if Reference.of(reference.name, found.random, found.text) != reference:
            raise TextDamaged(reference.name)
        return str(found.text)


def _found(workflow_id: str, name: str) -> Any:
    return select(TEXTS.c.text, TEXTS.c.random).where(TEXTS.c.workflow_id == workflow_id, TEXTS.c.name == name)
