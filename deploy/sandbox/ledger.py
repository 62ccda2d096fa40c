"""The append-only record of everything that reached the sandbox and everything it did.

`GET /_sandbox/ledger?after=N` gives the entries with `n > N`, each `{n, at, type, …}`; `at` is RFC 3339 in UTC.

| type | further keys |
| --- | --- |
| `request` | `method, path, query, status (null: not answered), fault, headers (few), body (redacted)` |
| `token_issued` | `service (signature, push)` |
| `document_created` | `document, external_id, name` |
| `document_status` | `document, external_id, was, status` |
| `document_deleted` | `document, external_id` |
| `request_created` | `request, document, external_id, signers (e-mail addresses)` |
| `signer_viewed`, `signer_signed`, `signer_declined`, `signer_bounced` | `signer, email, document, external_id` |
| `signer_forwarded` | the same, and `to` |
| `event` | `event, event_type, document, external_id` |
| `callback` | `event, event_type, external_id, url, attempt, status, error, fault` |
| `mail` | `to, kind (sign, resend, signed, declined, cancelled, expired), subject, external_id` |
| `push` | `message_id, token, person, key, title, text, link, action, data, visible` |
| `push_refused` | `token, status, code` |
| `message` | `job, kind (sms, email), to, text, reference`: cloud messaging |
| `downstream` | `target, headers (webhook-…), body, raw`, and `forwarded (to, status, error)` of one that went on |
| `download` | `sha256` |
| `fault_armed` | the fault as it was asked for |
| `violation` | `what, path`: something a well-behaved client never does |

The `request` entry follows the entries of its effects: it is written when the answer is known, and its `at` is the
arrival. Requests to `/_sandbox/`
(but for its targets), to the inbox and to the index are not recorded, their effects are.
"""

import json
import sqlite3
from enum import StrEnum
from typing import Any

from deploy.sandbox.records import iso
from deploy.sandbox.settings import Clock

Entry = dict[str, Any]


class EntryType(StrEnum):
    REQUEST = "request"
    TOKEN_ISSUED = "token_issued"  # noqa: S105
    DOCUMENT_CREATED = "document_created"
    DOCUMENT_STATUS = "document_status"
    DOCUMENT_DELETED = "document_deleted"
    REQUEST_CREATED = "request_created"
    SIGNER_VIEWED = "signer_viewed"
    SIGNER_SIGNED = "signer_signed"
    SIGNER_DECLINED = "signer_declined"
    SIGNER_BOUNCED = "signer_bounced"
    SIGNER_FORWARDED = "signer_forwarded"
    EVENT = "event"
    CALLBACK = "callback"
    MAIL = "mail"
    PUSH = "push"
    PUSH_REFUSED = "push_refused"
    MESSAGE = "message"
    DOWNSTREAM = "downstream"
    DOWNLOAD = "download"
    FAULT_ARMED = "fault_armed"
    VIOLATION = "violation"


class SandboxLedger:
    """Entries are numbered from 1 without gaps and never change."""

    def __init__(self, database: sqlite3.Connection, clock: Clock) -> None:
        self._database = database
        self._clock = clock
        self._entries: list[Entry] = [
            json.loads(body, parse_constant=str) for (body,) in database.execute("SELECT body FROM ledger ORDER BY n")
        ]

    def write(self, entry_type: EntryType, **facts: Any) -> None:
        """As of now, unless the facts have an `at` (epoch seconds)."""
        n = len(self._entries) + 1
        at = iso(facts.pop("at", self._clock()))
        # Received values may contain NaN or half a surrogate pair, which must not break reading.
        told = json.dumps({"n": n, "at": at, "type": entry_type.value, **facts}, ensure_ascii=False)
        text = told.encode(errors="replace").decode()
        self._entries.append(json.loads(text, parse_constant=str))
        self._database.execute("INSERT INTO ledger VALUES (?, ?)", (n, text))

    def after(self, n: int) -> list[Entry]:
        return self._entries[max(n, 0) :]
