"""The sandbox's stored state."""

import sqlite3
from collections import defaultdict
from collections.abc import Iterator
from hashlib import sha256
from pathlib import Path
from typing import Generic, TypeVar

from deploy.sandbox.state import records
from deploy.sandbox.state.ledger import SandboxLedger
from deploy.sandbox.state.settings import Clock

SCHEMA = """
CREATE TABLE IF NOT EXISTS records (kind TEXT, uuid TEXT, body TEXT NOT NULL, PRIMARY KEY (kind, uuid));
CREATE TABLE IF NOT EXISTS contents (sha256 TEXT PRIMARY KEY, content BLOB NOT NULL);
CREATE TABLE IF NOT EXISTS ledger (n INTEGER PRIMARY KEY, body TEXT NOT NULL);
"""

R = TypeVar("R", bound=records.SandboxRecord)


def open_database(folder: Path | None) -> sqlite3.Connection:
    """None keeps it in memory."""
    if folder is not None:
        folder.mkdir(parents=True, exist_ok=True)
    database = sqlite3.connect(folder / "sandbox.sqlite3" if folder else ":memory:", isolation_level=None)
    # WAL without a sync per commit survives the death of the process, which suffices here.
    database.execute("PRAGMA journal_mode=WAL")
    database.execute("PRAGMA synchronous=NORMAL")
    database.executescript(SCHEMA)
    return database


class RecordTable(Generic[R]):
    """In insertion order, by uuid or one indexed attribute."""

    def __init__(self, database: sqlite3.Connection, model: type[R], index: str = "uuid") -> None:
        self._database = database
        self._kind = model.__name__
        self._index = index
        self._records: dict[str, R] = {}
        self._groups: dict[object, dict[str, R]] = defaultdict(dict)
        rows = database.execute("SELECT body FROM records WHERE kind = ? ORDER BY rowid", (self._kind,))
        for (body,) in rows:
            self._insert(model.model_validate_json(body))

    def __iter__(self) -> Iterator[R]:
        return iter(list(self._records.values()))

    def __len__(self) -> int:
        return len(self._records)

    def get(self, uuid: str) -> R | None:
        return self._records.get(uuid)

    def where(self, value: object) -> list[R]:
        """Oldest first."""
        return list(self._groups.get(value, {}).values())

    def values(self) -> list[object]:
        return [value for value, group in self._groups.items() if group]

    def save(self, record: R) -> R:
        self._insert(record)
        self._database.execute(
            "INSERT INTO records VALUES (?, ?, ?) ON CONFLICT (kind, uuid) DO UPDATE SET body = excluded.body",
            (self._kind, record.uuid, record.model_dump_json()),
        )
        return record

    def drop(self, record: R) -> None:
        self._records.pop(record.uuid, None)
        self._groups[getattr(record, self._index)].pop(record.uuid, None)
        self._database.execute("DELETE FROM records WHERE kind = ? AND uuid = ?", (self._kind, record.uuid))

    def _insert(self, record: R) -> None:
        self._records[record.uuid] = record
        self._groups[getattr(record, self._index)][record.uuid] = record


class StoredFiles:
    """Files by SHA-256."""

    def __init__(self, database: sqlite3.Connection) -> None:
        self._database = database

    def save(self, content: bytes) -> str:
        """Returns the SHA-256 in hex."""
        name = sha256(content).hexdigest()
        self._database.execute("INSERT OR IGNORE INTO contents VALUES (?, ?)", (name, content))
        return name

    def read(self, name: str) -> bytes | None:
        row = self._database.execute("SELECT content FROM contents WHERE sha256 = ?", (name,)).fetchone()
        return None if row is None else bytes(row[0])


class Database:
    """Tables of records, files and ledger, continued from `folder`."""

    def __init__(self, folder: Path | None, clock: Clock) -> None:
        self._database = open_database(folder)
        self.files = StoredFiles(self._database)
        self.documents = RecordTable(self._database, records.CoreDocument, index="external_id")
        self.requests = RecordTable(self._database, records.CoreRequest)
        self.events = RecordTable(self._database, records.CoreEvent, index="document")
        self.webhooks = RecordTable(self._database, records.Webhook, index="event_type")
        self.mails = RecordTable(self._database, records.SandboxMail, index="person")
        self.devices = RecordTable(self._database, records.SandboxDevice)
        self.browsers = RecordTable(self._database, records.Browser, index="person")
        self.pushes = RecordTable(self._database, records.Push, index="person")
        self.ledger = SandboxLedger(self._database, clock)
        self._owners = {signer.uuid: request.uuid for request in self.requests for signer in request.signers}

    def save_request(self, request: records.CoreRequest) -> None:
        """With its signers."""
        self._owners.update(dict.fromkeys((signer.uuid for signer in request.signers), request.uuid))
        self.requests.save(request)

    def request_of(self, document: records.CoreDocument) -> records.CoreRequest | None:
        return self.requests.get(document.request) if document.request else None

    def signer(self, uuid: str) -> records.SigningCase | None:
        """None if unknown or deleted."""
        request = self.requests.get(self._owners.get(uuid, ""))
        document = self.documents.get(request.document) if request else None
        signer = request.signer(uuid) if request else None
        return (signer, request, document) if request and document and signer else None

    def close(self) -> None:
        self._database.close()
