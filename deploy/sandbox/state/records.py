"""The sandbox's stored records. Instants are epoch seconds; every record has a `uuid`."""

import hmac
from datetime import UTC, datetime
from enum import StrEnum
from typing import Any
from uuid import uuid4

from pydantic import BaseModel, Field


def new_uuid() -> str:
    return str(uuid4())


def iso(instant: float | None) -> str | None:
    """RFC 3339 in UTC with microseconds, as the vendors write instants; None stays None."""
    if instant is None:
        return None
    return datetime.fromtimestamp(instant, UTC).isoformat(timespec="microseconds").replace("+00:00", "Z")


class CoreStatus(StrEnum):
    """Core Signature's document status codes."""

    CONVERTING = "co"
    NEW = "ne"
    SENT = "se"
    VIEWED = "vi"
    SIGNED = "si"
    DECLINED = "de"
    CANCELLED = "ca"
    EXPIRED = "xp"
    CONVERT_ERROR = "ec"
    SENDING_ERROR = "es"

    @property
    def word(self) -> str:
        """As its event has it."""
        return self.name.lower()


WAITING_FOR_SIGNERS = frozenset({CoreStatus.SENT, CoreStatus.VIEWED})
UNFINISHED = WAITING_FOR_SIGNERS | {CoreStatus.CONVERTING, CoreStatus.NEW}


class SandboxRecord(BaseModel):
    """Changed in place, then saved in its table."""

    uuid: str = Field(default_factory=new_uuid)


class CoreSigner(SandboxRecord):
    """A forwarded signer stays in the list with an invalid link."""

    email: str
    full_name: str = ""
    order: int = 0
    needs_to_sign: bool = True
    approve_only: bool = False
    notify_only: bool = False
    in_person: bool = False
    language: str | None = None
    embed_url_user_id: str | None = None
    verify_phone_number: str | None = None
    password: str | None = None
    verified: bool = False
    redirect_url: str | None = None
    redirect_url_declined: str | None = None
    is_sender: bool = False
    emailed: bool = False
    email_viewed: bool = False
    bounced: bool = False
    viewed: bool = False
    signed_on: float | None = None
    declined_on: float | None = None
    message: str | None = None
    forwarded_on: float | None = None
    forwarded_to_email: str | None = None
    forwarded_reason: str | None = None
    inputs: list[dict[str, Any]] = []

    @property
    def is_to_be_verified(self) -> bool:
        return not self.verified and (self.verify_phone_number or self.password) is not None

    @property
    def verification_word(self) -> str:
        """Their password, else the code that was sent to their number."""
        return self.password or f"{int(self.uuid.replace('-', ''), 16) % 1_000_000:06}"

    def is_verified_by(self, word: str) -> bool:
        return hmac.compare_digest(word.strip().encode(), self.verification_word.encode())

    @property
    def open(self) -> bool:
        return self.needs_to_sign and self.signed_on is None and self.declined_on is None and self.forwarded_on is None


class CoreDocument(SandboxRecord):
    """`source`, `final` and `log` are SHA-256 names of stored files."""

    name: str
    file_name: str
    external_id: str | None = None
    template: str | None = None
    status: CoreStatus = CoreStatus.CONVERTING
    created: float
    modified: float
    source: str
    convertible: bool = True
    final: str | None = None
    log: str | None = None
    events_callback_url: str | None = None
    auto_expire_days: int | None = None
    auto_delete_days: int | None = None
    link_expire_days: int | None = None
    prefilled: list[dict[str, Any]] = []
    converts_at: float
    expires_at: float | None = None
    request: str | None = None


class CoreRequest(SandboxRecord):
    document: str
    who: str = "o"
    subject: str = ""
    message: str = ""
    from_email: str
    from_email_name: str = ""
    send_reminders: bool = False
    disable_emails: bool = False
    is_being_prepared: bool = False
    redirect_url: str | None = None
    redirect_url_declined: str | None = None
    created: float
    signers: list[CoreSigner]

    def signer(self, uuid: str) -> CoreSigner | None:
        return next((signer for signer in self.signers if signer.uuid == uuid), None)

    def is_turn(self, signer: CoreSigner) -> bool:
        orders = [signer.order for signer in self.signers if signer.open]
        return signer.open and signer.order <= min(orders, default=signer.order)


SigningCase = tuple[CoreSigner, CoreRequest, CoreDocument]


class EventDelivery(BaseModel):
    """`due` is None when no attempt is left."""

    url: str
    attempts: int = 0
    due: float | None


class CoreEvent(SandboxRecord):
    event_type: str
    status: str = "ok"
    timestamp: float
    document: str
    external_id: str | None = None
    signer: str | None = None
    delivered: bool = False
    delivered_on: float | None = None
    callback_status_code: int | None = None
    deliveries: list[EventDelivery] = []


class Webhook(SandboxRecord):
    event_type: str
    callback_url: str
    name: str = ""
    created: float


class SandboxMail(SandboxRecord):
    """`path` is the page it links to."""

    at: float
    to: str
    person: str
    kind: str
    subject: str
    text: str
    path: str | None = None
    external_id: str | None = None


class SandboxDevice(SandboxRecord):
    """Only states other than valid."""

    state: str


class Browser(SandboxRecord):
    """A subscription; its uuid is the last part of the endpoint."""

    token: str
    person: str
    vapid_key: str
    private_key: str
    auth: str


class Push(SandboxRecord):
    at: float
    person: str
    token: str | None
    key: str | None
    title: str | None
    text: str | None
    link: str | None
    action: str | None
    data: dict[str, str] = {}
    message: dict[str, Any] = {}
