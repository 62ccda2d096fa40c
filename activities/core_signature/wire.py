"""Answers of Core Signature: unknown fields are ignored, invalid optional values become None. An answer without a
required field is retried (tests/faults/catalogue.toml, B14).
"""

import re
from datetime import UTC, datetime
from typing import Annotated, Any, Final, TypeVar

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, ValidationError, model_validator

from activities.http.client import Cause, HttpAnswer, ServiceFailure
from workflows.names import adopted_document, adopted_id

_UUID: Final = re.compile(r"[0-9A-Za-z-]{1,64}")
_REQUEST_NAMES: Final = ("signrequest", "signature_request")
Flag = Annotated[bool, BeforeValidator(lambda value: value is True)]
Uuid = Annotated[str, Field(pattern=rf"^{_UUID.pattern}$")]


def _text(value: object) -> str | None:
    return value if isinstance(value, str) else None


Text = Annotated[str | None, BeforeValidator(_text)]


def _instant(value: object) -> datetime | None:
    """In UTC; without an offset it is taken as UTC."""
    if not isinstance(value, str):
        return None
    try:
        instant = datetime.fromisoformat(value)
        return instant.astimezone(UTC) if instant.tzinfo else instant.replace(tzinfo=UTC)
    except (ValueError, OverflowError):
        return None


Instant = Annotated[datetime | None, BeforeValidator(_instant)]


class Wire(BaseModel):
    model_config = ConfigDict(frozen=True, extra="ignore", defer_build=True)


def _flag(value: object) -> bool | None:
    return value if isinstance(value, bool) else None


class WireInput(Wire):
    """What a signer put into a tag of the document: a text, a day, or a box."""

    type: Text = None
    external_id: Text = None
    text: Text = None
    date_value: Text = None
    checkbox_value: Annotated[bool | None, BeforeValidator(_flag)] = None

    @property
    def value(self) -> str | bool | None:
        """None for a signature or initials, and for an empty tag."""
        match self.type:
            case "t":
                return self.text
            case "d":
                return self.date_value or self.text
            case "c":
                return self.checkbox_value
        return None


def _number(value: object) -> int:
    return value if isinstance(value, int) else 0


def _objects(value: object) -> list[Any]:
    return [item for item in value if isinstance(item, dict)] if isinstance(value, list) else []


class WireSigner(Wire):
    """`message` is the reason for declining; `embed_url` the signing page if one was requested."""

    uuid: Text = None
    email: Annotated[str, BeforeValidator(lambda value: value or "")]
    order: Annotated[int, BeforeValidator(_number)] = 0
    needs_to_sign: Annotated[bool, BeforeValidator(lambda value: value is not False)] = True
    approve_only: Flag = False
    emailed: Flag = False
    viewed: Flag = False
    signed: Flag = False
    signed_on: Instant = None
    declined: Flag = False
    declined_on: Instant = None
    message: Text = None
    forwarded: Flag = False
    forwarded_on: Instant = None
    forwarded_to_email: Text = None
    embed_url: Text = None
    embed_url_user_id: Text = None
    full_name: Text = None
    language: Text = None
    inputs: Annotated[tuple[WireInput, ...], BeforeValidator(_objects)] = Field((), repr=False)

    @property
    def open(self) -> bool:
        """Whether they still have to act."""
        return self.needs_to_sign and not (self.signed or self.declined or self.forwarded)


class WireRequest(Wire):
    """A signature request; the sender may be the first of its signers."""

    uuid: Uuid
    from_email: Text = None
    signers: Annotated[tuple[WireSigner, ...], BeforeValidator(_objects)] = ()
    disable_emails: Annotated[bool | None, BeforeValidator(_flag)] = None


def _sha256(value: object) -> str | None:
    digest = value.strip().lower() if isinstance(value, str) else ""
    return digest if re.fullmatch(r"[0-9a-f]{64}", digest) else None


class WireFile(Wire):
    """A file of an ended document: its temporary link, which is a secret, and its SHA-256."""

    pdf: Text = Field(None, repr=False)
    security_hash: Annotated[str | None, BeforeValidator(_sha256)] = None


class WireDocument(WireFile):
    """A document with its request embedded; its own file is the signed document."""

    uuid: Uuid
    status: str
    name: Text = None
    external_id: Text = None
    template: Text = None
    """URL of the template that it was made from."""
    events_callback_url: Text = Field(None, repr=False)
    request: WireRequest | None = None
    signing_log: Annotated[
        WireFile | None, BeforeValidator(lambda value: value if isinstance(value, dict) else None)
    ] = None
    processing: Flag = False
    """Its files may still change."""

    def is_of(self, request: str) -> bool:
        """Whether it is the document of this request of ours, sent under its id or adopted."""
        return adopted_id(self.uuid) == request or (self.external_id == request and not adopted_document(request))

    @model_validator(mode="before")
    @classmethod
    def _either_name(cls, value: Any) -> Any:
        """The embedded request has an old or a new name."""
        if not isinstance(value, dict):
            return value
        requests = [value[name] for name in _REQUEST_NAMES if isinstance(value.get(name), dict)]
        return {**value, "request": requests[0] if requests else None}


class WireEvent(Wire):
    """One event of `/events/`, with its document and whether its callback was delivered."""

    uuid: Annotated[str, BeforeValidator(str)]
    event_type: Annotated[str, BeforeValidator(str)] = ""
    timestamp: Instant = None
    delivered: Flag = False
    document: Text = None
    external_id: Text = None
    unsaid: bool = False
    """Whether it lacks our id of the document and has only its URL."""
    signer: Text = None
    """E-mail address of the signer."""

    @model_validator(mode="before")
    @classmethod
    def _flat(cls, value: Any) -> Any:
        """Document and signer are objects or URLs."""
        if not isinstance(value, dict):
            return value
        document, signer = value.get("document"), value.get("signer")
        document_fields = document if isinstance(document, dict) else {"url": document}
        return {
            **value,
            "document": document_fields.get("uuid") or uuid_in(document_fields.get("url")),
            "external_id": document_fields.get("external_id"),
            "unsaid": "external_id" not in document_fields,
            "signer": signer.get("email") if isinstance(signer, dict) else signer,
        }


class WireSubscription(Wire):
    uuid: Uuid
    event_type: Annotated[str, BeforeValidator(str)] = ""
    callback_url: Annotated[str, BeforeValidator(str), Field(repr=False)] = ""
    name: Text = None


AnyWire = TypeVar("AnyWire", bound=Wire)


class WirePage(Wire):
    """One page of a list; `more` if another follows."""

    results: list[Any]
    has_more: bool = Field(validation_alias="next")

    @model_validator(mode="before")
    @classmethod
    def _next_or_none(cls, value: Any) -> Any:
        """The URL of the next page is never followed; it only shows that there is one."""
        return {**value, "next": bool(value.get("next"))} if isinstance(value, dict) else value


def uuid_in(address: object) -> str | None:
    """The uuid in a resource's absolute or relative URL: its last non-empty part."""
    last = address.rstrip("/").rpartition("/")[2] if isinstance(address, str) else ""
    return last if _UUID.fullmatch(last) else None


def read(kind: type[AnyWire], answer: HttpAnswer) -> AnyWire:
    """The answer as `kind`; `ServiceFailure` (retryable) if a required field is missing."""
    return parse(kind, answer.json(), answer)


def parse(kind: type[AnyWire], value: object, answer: HttpAnswer) -> AnyWire:
    """Part of an answer as `kind`; errors like `read`."""
    try:
        return kind.model_validate(value)
    except ValidationError as error:
        fields = ", ".join(".".join(map(str, fault["loc"])) or "all of it" for fault in error.errors())
        explanation = f"not readable as {kind.__name__}: {fields}"
        raise ServiceFailure(answer.service, Cause.UNREADABLE, explanation[:500], status=answer.status) from None
