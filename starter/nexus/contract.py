"""The Nexus service `signatures`: a person's signature as one durable call. Copy this file beside your workflows.

It needs `temporalio` and nothing of ours. Instants are RFC 3339 texts in UTC; fields are only ever added.
"""

from dataclasses import dataclass, field
from typing import Any

import nexusrpc

RequestFields = dict[str, Any]
"""What is to be signed, with the keys of a request file: `id`, `kind`, `document`, `requester`, `signers`, `due`,
`message`, `policy`. People stand in it by their ids; `document` is `{template, name}`, or `{pdf, name}` with the bytes
in base64, at most 1 MB. Under one id there is one content: asked for again it is the same request."""


@dataclass
class Signer:
    """How one of those who were asked has left it: signed, approved, declined, …"""

    person: str
    state: str
    at: str | None = None


@dataclass
class SettlementFile:
    """A file that is kept of it, `bytes` long."""

    sha256: str
    bytes: int


@dataclass
class Settlement:
    """How a request ended. `outcome` is signed, declined, cancelled, expired or failed."""

    request: str
    kind: str
    outcome: str
    at: str
    external_id: str
    """Of the document at Core Signature."""
    document_sha256: str | None = None
    """None for a document that was made from a template."""
    signers: list[Signer] = field(default_factory=list)
    version: int = 1
    """Counts what a reader must know of."""
    late: bool = False
    """Somebody acted after the due date."""
    document: SettlementFile | None = None
    """The signed or declined document, None while it is not kept."""
    signing_log: SettlementFile | None = None
    signed_sha256: str | None = None
    """Of the signed document; `document_sha256` is that of the document as it was sent."""


@dataclass
class RequestStanding:
    """How a request stands: `next` is what is done next, `problem` a code while something needs a person."""

    id: str
    kind: str
    status: str
    waiting_for: list[str] = field(default_factory=list)
    next: str | None = None
    next_at: str | None = None
    due_at: str | None = None
    problem: str | None = None
    partial: bool = False
    """Nobody was there who knows more."""


@dataclass
class Cancel:
    """Which request is to be ended, and why."""

    id: str
    reason: str


@nexusrpc.service(name="signatures")
class Signatures:
    """`show` and `cancel` know only what was asked for through the same endpoint.

    Cancelling `request_signature` cancels the request; how it ended then is its answer like any other, since a
    signature may have been faster.
    """

    request_signature: nexusrpc.Operation[RequestFields, Settlement]
    show: nexusrpc.Operation[str, RequestStanding]
    cancel: nexusrpc.Operation[Cancel, RequestStanding]
