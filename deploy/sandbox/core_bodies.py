"""Reads request bodies field by field, with errors as Django REST Framework words them."""

import re
from base64 import b64decode
from binascii import Error as Base64Error
from typing import Any
from urllib.parse import urlsplit

from starlette.requests import Request

from deploy.sandbox.lifecycle import NewDocument
from deploy.sandbox.memory import Memory
from deploy.sandbox.records import UNFINISHED, CoreDocument, CoreRefusal, CoreRequest, CoreSigner
from deploy.sandbox.settings import SandboxSettings

EMAIL = re.compile(r"[^@\s<>()\[\],;:\"]+@[^@\s<>()\[\],;:\"]+\.[^@\s<>()\[\],;:\".]+")
UNSTORABLE = re.compile("[\x00\ud800-\udfff]")
LONGEST_TEXT = 255
REQUIRED = "This field is required."


class Fields:
    """Each reader returns a usable value, or records an error and returns a neutral one."""

    def __init__(self, body: Any) -> None:
        self.errors: dict[str, Any] = {}
        if not isinstance(body, dict):
            kind = type(body).__name__
            raise CoreRefusal(400, {"non_field_errors": [f"Invalid data. Expected a dictionary, but got {kind}."]})
        self._body: dict[str, Any] = body

    def given(self, name: str) -> bool:
        """Whether the field is there and not null."""
        return self._body.get(name) is not None

    def raw(self, name: str) -> Any:
        return self._body.get(name)

    def fail(self, name: str, message: str) -> None:
        self.errors.setdefault(name, []).append(message)

    def check(self) -> None:
        """Raise `CoreRefusal` with all errors."""
        if self.errors:
            raise CoreRefusal(400, self.errors)

    def text(self, name: str, *, required: bool = False, longest: int = LONGEST_TEXT) -> str | None:
        value = self._body.get(name)
        if value is None:
            if required:
                self.fail(name, REQUIRED)
            return None
        if not isinstance(value, str):
            self.fail(name, "Not a valid string.")
        elif UNSTORABLE.search(value):
            self.fail(name, "Null characters and halves of surrogate pairs are not allowed.")
        elif len(value) > longest:
            self.fail(name, f"Ensure this field has no more than {longest} characters.")
        elif required and not value:
            self.fail(name, "This field may not be blank.")
        else:
            return value
        return None

    def integer(self, name: str, *, least: int = 0) -> int | None:
        value = self._body.get(name)
        if value is None:
            return None
        if isinstance(value, bool) or not isinstance(value, int):
            self.fail(name, "A valid integer is required.")
            return None
        if value < least:
            self.fail(name, f"Ensure this value is greater than or equal to {least}.")
        return value

    def flag(self, name: str, *, default: bool = False) -> bool:
        value = self._body.get(name)
        if value is None:
            return default
        if not isinstance(value, bool):
            self.fail(name, "Must be a valid boolean.")
            return default
        return value

    def choice(self, name: str, choices: tuple[str, ...], default: str) -> str:
        value = self._body.get(name)
        if value is None:
            return default
        if value not in choices:
            self.fail(name, f'"{value}" is not a valid choice.')
            return default
        return str(value)

    def url(self, name: str, *, required: bool = False) -> str | None:
        """An absolute http or https URL."""
        value = self.text(name, required=required, longest=2100)
        if value is not None and not is_url(value):
            self.fail(name, "Enter a valid URL.")
            return None
        return value

    def email(self, name: str, *, required: bool = False) -> str:
        """Empty if missing."""
        value = self.text(name, required=required)
        if value is not None and not EMAIL.fullmatch(value):
            self.fail(name, "Enter a valid email address.")
        return value or ""


def is_url(text: str) -> bool:
    """Whether it is an absolute http or https URL."""
    try:
        parts = urlsplit(text)
    except ValueError:
        return False
    return parts.scheme in {"http", "https"} and bool(parts.hostname) and not re.search(r"\s", text)


async def read_fields(request: Request) -> Fields:
    """`CoreRefusal` for another media type or other JSON."""
    kind = request.headers.get("content-type", "").partition(";")[0].strip()
    if kind != "application/json":
        raise CoreRefusal.because(415, f'Unsupported media type "{kind}" in request.')
    try:
        body: Any = await request.json()
    except (ValueError, RecursionError):
        raise CoreRefusal.because(400, "JSON parse error - the body is not valid JSON.") from None
    return Fields(body)


SOURCES = ("file_from_content", "file_from_url", "template")
DOCUMENT_PATH = re.compile(r"/api/v1/documents/([0-9a-f-]{36})/")
NO_LINK = "Invalid hyperlink - Object does not exist."
LONGEST_MESSAGE = 10_000
FARTHEST_ORDER = 1_000


def read_document(fields: Fields, max_upload_mb: int) -> NewDocument:
    """Usable only without recorded errors (`fields.check()`)."""
    content, file_name = _source(fields, max_upload_mb)
    return NewDocument(
        content=content,
        file_name=file_name,
        name=(fields.text("name") or "").strip() or file_name,
        external_id=fields.text("external_id"),
        events_callback_url=fields.url("events_callback_url"),
        auto_expire_days=fields.integer("auto_expire_days", least=1),
        auto_delete_days=fields.integer("auto_delete_days", least=1),
        link_expire_days=fields.integer("link_expire_days", least=1),
    )


def read_request(fields: Fields, settings: SandboxSettings, document: str) -> CoreRequest:
    """The sender comes first; raises `CoreRefusal`."""
    who = fields.choice("who", ("m", "mo", "o"), "o")
    sender = CoreSigner(
        email=fields.email("from_email") or settings.sender_email, needs_to_sign=who != "o", is_sender=True
    )
    request = CoreRequest(
        document=document,
        who=who,
        subject=fields.text("subject") or "",
        message=fields.text("message", longest=LONGEST_MESSAGE) or "",
        from_email=sender.email,
        from_email_name=fields.text("from_email_name") or "",
        send_reminders=fields.flag("send_reminders"),
        disable_emails=fields.flag("disable_emails"),
        is_being_prepared=fields.flag("is_being_prepared"),
        redirect_url=fields.url("redirect_url"),
        redirect_url_declined=fields.url("redirect_url_declined"),
        created=settings.clock(),
        signers=[sender, *_signers(fields)],
    )
    if not fields.errors and not any(signer.needs_to_sign for signer in request.signers):
        fields.fail("signers", "At least one signer has to sign.")
    fields.check()
    return request


def find_document(fields: Fields, memory: Memory) -> CoreDocument:
    """By absolute or relative address; it must be free and unfinished."""
    reference = fields.text("document", required=True, longest=2100)
    fields.check()
    match = DOCUMENT_PATH.fullmatch(urlsplit(reference or "").path)
    document = memory.documents.get(match[1]) if match else None
    if document is None:
        raise CoreRefusal(400, {"document": [NO_LINK]})
    if document.request is not None:
        raise CoreRefusal(400, {"document": ["A signature request already exists for this document."]})
    if document.status not in UNFINISHED:
        raise CoreRefusal(400, {"document": [f"The document cannot be sent (status {document.status.value})."]})
    return document


def _source(fields: Fields, max_upload_mb: int) -> tuple[bytes, str]:
    given = [name for name in SOURCES if fields.given(name)]
    if len(given) != 1:
        fields.fail("non_field_errors", f"Exactly one of {', '.join(SOURCES)} is required.")
        return b"", ""
    if given == ["file_from_content"]:
        return _uploaded(fields, max_upload_mb)
    address = fields.url(given[0]) or ""
    # Nothing is fetched: the sandbox calls only callback addresses.
    return f"Document made from {address}".encode(), (fields.text("name") or "template") + ".txt"


def _uploaded(fields: Fields, max_upload_mb: int) -> tuple[bytes, str]:
    name = fields.text("file_from_content_name", required=True) or ""
    if name and "." not in name:
        fields.fail("file_from_content_name", "The file name needs an extension.")
    try:
        content = b64decode(fields.raw("file_from_content"), validate=True)
    except (Base64Error, TypeError, ValueError):
        fields.fail("file_from_content", "Invalid base64 content.")
        return b"", name
    if not content:
        fields.fail("file_from_content", "The submitted file is empty.")
    if len(content) > max_upload_mb * 1_000_000:
        fields.fail("file_from_content", f"The file is larger than {max_upload_mb} MB.")
    return content, name


def _signers(fields: Fields) -> list[CoreSigner]:
    raw = fields.raw("signers")
    if not isinstance(raw, list):
        fields.fail("signers", REQUIRED if raw is None else "Expected a list of items.")
        return []
    read = [_signer(item) for item in raw]
    if any(errors for _, errors in read):
        fields.errors["signers"] = [errors for _, errors in read]
    signers = [signer for signer, _ in read]
    emails = [signer.email.lower() for signer in signers]
    if len(set(emails)) < len(emails) and "signers" not in fields.errors:
        fields.fail("signers", "Each signer needs an e-mail address of their own.")
    return signers


def _signer(item: Any) -> tuple[CoreSigner, dict[str, Any]]:
    if not isinstance(item, dict):
        return CoreSigner(email=""), {"non_field_errors": ["Invalid data. Expected a dictionary."]}
    fields = Fields(item)
    order = fields.integer("order") or 0
    if order > FARTHEST_ORDER:
        fields.fail("order", f"Ensure this value is less than or equal to {FARTHEST_ORDER}.")
    name = fields.text("full_name")
    parts = (fields.text("first_name"), fields.text("last_name"))
    signer = CoreSigner(
        email=fields.email("email", required=True),
        full_name=name or " ".join(part for part in parts if part),
        order=order,
        needs_to_sign=fields.flag("needs_to_sign", default=True),
        approve_only=fields.flag("approve_only"),
        notify_only=fields.flag("notify_only"),
        in_person=fields.flag("in_person"),
        language=fields.text("language"),
        embed_url_user_id=fields.text("embed_url_user_id"),
        redirect_url=fields.url("redirect_url"),
        redirect_url_declined=fields.url("redirect_url_declined"),
    )
    return signer, fields.errors
