"""The append-only record of what reached the sandbox and what it did.

`GET /_sandbox/ledger?after=N` gives the entries with `n > N`: `{n, at, type, …}` with `at` in RFC 3339 in UTC, and the
keys of the type. A `request` entry follows its effects; its `at` is the arrival. Requests to `/_sandbox/` (except
targets), inbox and index are not recorded, only their effects.
"""

import json
import sqlite3
from enum import StrEnum
from typing import Any

from deploy.sandbox.state.records import iso
from deploy.sandbox.state.settings import Clock

Entry = dict[str, Any]


class EntryType(StrEnum):
    REQUEST = "request"
    """method, path, query, status (null: not answered), fault, headers (few), body (redacted)"""
    TOKEN_ISSUED = "token_issued"  # noqa: S105
    """service (signature, push)"""
    DOCUMENT_CREATED = "document_created"
    """document, external_id, name"""
    DOCUMENT_STATUS = "document_status"
    """document, external_id, was, status"""
    DOCUMENT_DELETED = "document_deleted"
    """document, external_id"""
    REQUEST_CREATED = "request_created"
    """request, document, external_id, signers (e-mail addresses)"""
    SIGNER_VIEWED = "signer_viewed"
    """signer, email, document, external_id; like the next four"""
    SIGNER_SIGNED = "signer_signed"
    SIGNER_DECLINED = "signer_declined"
    SIGNER_BOUNCED = "signer_bounced"
    SIGNER_FORWARDED = "signer_forwarded"
    """also `to`"""
    EVENT = "event"
    """event, event_type, document, external_id"""
    CALLBACK = "callback"
    """event, event_type, external_id, url, attempt, status, error, fault"""
    MAIL = "mail"
    """to, kind (sign, resend, signed, declined, cancelled, expired), subject, external_id"""
    PUSH = "push"
    """message_id, token, person, key, title, text, link, action, data, visible"""
    PUSH_REFUSED = "push_refused"
    """token, status, code"""
    MESSAGE = "message"
    """job, kind (sms, email), to, text, reference; by cloud messaging"""
    DOWNSTREAM = "downstream"
    """target, headers (webhook-…), body, raw, and forwarded (to, status, error) if it was"""
    DOWNLOAD = "download"
    """sha256"""
    FAULT_ARMED = "fault_armed"
    """the fault as requested"""
    VIOLATION = "violation"
    """what, path; something a well-behaved client never does"""


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
        written_at = iso(facts.pop("at", self._clock()))
        # Received values may contain NaN or half a surrogate pair, which must not break reading.
        line = json.dumps({"n": n, "at": written_at, "type": entry_type.value, **facts}, ensure_ascii=False)
        text = line.encode(errors="replace").decode()
        self._entries.append(json.loads(text, parse_constant=str))
        self._database.execute("INSERT INTO ledger VALUES (?, ?)", (n, text))

    def list_entries_after(self, n: int) -> list[Entry]:
        return self._entries[max(n, 0) :]
