"""Core Signature's API."""

import re
from base64 import b64decode
from binascii import Error as Base64Error
from collections.abc import Callable, Mapping, Sequence
from typing import Any, TypeVar
from urllib.parse import urlencode, urlsplit

from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import HTMLResponse, JSONResponse, Response
from starlette.routing import BaseRoute, Mount, Route, Router
from starlette.types import ASGIApp, Receive, Scope, Send

from deploy.sandbox.core_signature.pdf import is_pdf
from deploy.sandbox.core_signature.service import CoreSignature, NewDocument
from deploy.sandbox.core_signature.views import Views
from deploy.sandbox.http.errors import HttpRefusal, apigee_error
from deploy.sandbox.http.oauth import Tokens, bearer
from deploy.sandbox.state.database import Database
from deploy.sandbox.state.ledger import EntryType
from deploy.sandbox.state.records import (
    UNFINISHED,
    CoreDocument,
    CoreEvent,
    CoreRequest,
    CoreSigner,
    Webhook,
)
from deploy.sandbox.state.settings import SandboxSettings

EMAIL = re.compile(r"[^@\s<>()\[\],;:\"]+@[^@\s<>()\[\],;:\"]+\.[^@\s<>()\[\],;:\".]+")
UNSTORABLE = re.compile("[\x00\ud800-\udfff]")
LONGEST_TEXT = 255
REQUIRED = "This field is required."
SOURCES = ("file_from_content", "file_from_url", "template")
DOCUMENT_PATH = re.compile(r"/api/v1/documents/([0-9a-f-]{36})/")
NO_LINK = "Invalid hyperlink - Object does not exist."
LONGEST_MESSAGE = 10_000
FARTHEST_ORDER = 1_000
DEFAULT_LIMIT = 10
MOST = 100
LONGEST_NUMBER = 9
T = TypeVar("T")
FILTERS = {
    "document__uuid": "document",
    "document__external_id": "external_id",
    "event_type": "event_type",
    "status": "status",
}
ACTIONS = {"short": ("cancel", "resend", "forward")}
"""Names of cancel, resend and forward that are not made of the resource's."""
EVENT_TYPES = frozenset(
    {
        "convert_error",
        "converted",
        "sending_error",
        "sent",
        "declined",
        "cancelled",
        "expired",
        "signed",
        "viewed",
        "downloaded",
        "signer_signed",
        "signer_email_bounced",
        "signer_viewed_email",
        "signer_viewed",
        "signer_forwarded",
        "signer_downloaded",
        "signrequest_received",
    }
)
DOCS = """<!doctype html><html lang="en"><meta charset="utf-8"><title>Core Signature stand-in: API</title>
<h1>Core Signature stand-in</h1><p>Documents, signature-requests, events and webhooks live under <code>/api/v1/</code>
and want a bearer token of <code>/tenants/{tenant}/oauth2/token</code>.</p></html>"""


class Fields:
    """Each reader returns a usable value, or records an error and returns a neutral one."""

    def __init__(self, body: Any) -> None:
        self.errors: dict[str, Any] = {}
        if not isinstance(body, dict):
            kind = type(body).__name__
            raise HttpRefusal(400, {"non_field_errors": [f"Invalid data. Expected a dictionary, but got {kind}."]})
        self._body: dict[str, Any] = body

    def has(self, name: str) -> bool:
        """Whether the field is there and not null."""
        return self._body.get(name) is not None

    def raw(self, name: str) -> Any:
        return self._body.get(name)

    def fail(self, name: str, message: str) -> None:
        self.errors.setdefault(name, []).append(message)

    def check(self) -> None:
        """Raise `HttpRefusal` with all errors."""
        if self.errors:
            raise HttpRefusal(400, self.errors)

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
    """`HttpRefusal` for another media type or other JSON."""
    kind = request.headers.get("content-type", "").partition(";")[0].strip()
    if kind != "application/json":
        raise HttpRefusal.because(415, f'Unsupported media type "{kind}" in request.')
    try:
        body: Any = await request.json()
    except (ValueError, RecursionError):
        raise HttpRefusal.because(400, "JSON parse error - the body is not valid JSON.") from None
    return Fields(body)


def read_document(fields: Fields, max_upload_mb: int) -> NewDocument:
    """Usable only without recorded errors (`fields.check()`)."""
    content, file_name = _source(fields, max_upload_mb)
    return NewDocument(
        content=content,
        file_name=file_name,
        name=(fields.text("name") or "").strip() or file_name,
        external_id=fields.text("external_id"),
        template=fields.url("template"),
        events_callback_url=fields.url("events_callback_url"),
        auto_expire_days=fields.integer("auto_expire_days", least=1),
        auto_delete_days=fields.integer("auto_delete_days", least=1),
        link_expire_days=fields.integer("link_expire_days", least=1),
        prefilled=_prefilled(fields),
    )


def read_request(fields: Fields, settings: SandboxSettings, document: str) -> CoreRequest:
    """The sender comes first; raises `HttpRefusal`."""
    signing_party = fields.choice("who", ("m", "mo", "o"), "o")
    sender = CoreSigner(
        email=fields.email("from_email") or settings.sender_email, needs_to_sign=signing_party != "o", is_sender=True
    )
    request = CoreRequest(
        document=document,
        who=signing_party,
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
        signers=[sender, *_signers(fields, settings.signer_names)],
    )
    if not fields.errors and not any(signer.needs_to_sign for signer in request.signers):
        fields.fail("signers", "At least one signer has to sign.")
    fields.check()
    return request


def find_document(fields: Fields, database: Database) -> CoreDocument:
    """By absolute or relative address; it must be free and unfinished."""
    reference = fields.text("document", required=True, longest=2100)
    fields.check()
    match = DOCUMENT_PATH.fullmatch(urlsplit(reference or "").path)
    document = database.documents.get(match[1]) if match else None
    if document is None:
        raise HttpRefusal(400, {"document": [NO_LINK]})
    if document.request is not None:
        raise HttpRefusal(400, {"document": ["A signature request already exists for this document."]})
    if document.status not in UNFINISHED:
        raise HttpRefusal(400, {"document": [f"The document cannot be sent (status {document.status.value})."]})
    return document


def filters(request: Request, settings: SandboxSettings) -> Mapping[str, str]:
    """Empty if the sandbox ignores filters."""
    return {} if settings.ignores_filters else request.query_params


def page(request: Request, views: Views, records: Sequence[T], show: Callable[[T], dict[str, Any]]) -> dict[str, Any]:
    """`page` from 1, `limit` up to 100; 404 beyond the last one."""
    limit = min(_number(request, "limit", DEFAULT_LIMIT), MOST)
    number = _number(request, "page", 1)
    last = max(1, -(-len(records) // limit))
    if number > last:
        raise HttpRefusal.because(404, "Invalid page.")

    def link(target: int) -> str | None:
        query = urlencode([*((k, v) for k, v in request.query_params.multi_items() if k != "page"), ("page", target)])
        return views.url(f"{request.url.path}?{query}") if 1 <= target <= last else None

    return {
        "count": len(records),
        "next": link(number + 1),
        "previous": link(number - 1),
        "results": [show(item) for item in records[(number - 1) * limit : number * limit]],
    }


class DocumentsApi:
    def __init__(self, core: CoreSignature) -> None:
        self._core = core
        self._state = core.state

    def routes(self) -> list[Route]:
        return [
            Route("/documents/", self.collection, methods=["GET", "POST"]),
            Route("/documents/{uuid}/", self.item, methods=["GET", "DELETE"]),
        ]

    async def collection(self, request: Request) -> Response:
        """POST, or GET newest first, filtered by `external_id` and `status`."""
        if request.method == "POST":
            return await self._create(request)
        return JSONResponse(page(request, self._core.views, self._found(request), self._core.views.document))

    async def item(self, request: Request) -> Response:
        document = self._state.database.documents.get(request.path_params["uuid"])
        if document is None:
            raise HttpRefusal.missing()
        if request.method == "DELETE":
            self._core.delete(document)
            return Response(status_code=204)
        return JSONResponse(self._core.views.document(document))

    async def _create(self, request: Request) -> Response:
        fields = await read_fields(request)
        new = read_document(fields, self._state.settings.max_upload_mb)
        fields.check()
        return JSONResponse(self._core.views.document(self._core.create_document(new)), 201)

    def _found(self, request: Request) -> list[CoreDocument]:
        query = filters(request, self._state.settings)
        external_id, status = query.get("external_id"), query.get("status")
        documents = self._state.database.documents
        listed_until = self._state.clock() - self._state.settings.list_lag
        matching_documents = documents.where(external_id) if external_id else list(documents)
        return [
            d
            for d in reversed(matching_documents)
            if d.created <= listed_until and status in {None, "", d.status.value}
        ]


class Downloads:
    """By temporary links; a bearer is refused."""

    def __init__(self, core: CoreSignature) -> None:
        self._core = core
        self._state = core.state

    def routes(self) -> list[Route]:
        return [Route("/dl/{token}/{file_name}", self.item)]

    async def item(self, request: Request) -> Response:
        """403 if the link is not genuine or has expired."""
        if "authorization" in request.headers:
            violation = "a bearer was sent to a pre-signed address"
            self._state.ledger.write(EntryType.VIOLATION, what=violation, path="/dl/")
            return JSONResponse({"detail": "Only one way to authenticate is allowed."}, 400)
        sha256 = self._core.links.content(request.path_params["token"])
        content = self._state.database.files.read(sha256) if sha256 else None
        if content is None:
            return JSONResponse({"detail": "The link has expired."}, 403)
        self._state.ledger.write(EntryType.DOWNLOAD, sha256=sha256)
        kind = "application/pdf" if is_pdf(content) else "application/octet-stream"
        return Response(content, media_type=kind, headers={"cache-control": "private, no-store"})


class EventsApi:
    def __init__(self, core: CoreSignature) -> None:
        self._core = core
        self._state = core.state

    def routes(self) -> list[Route]:
        return [Route("/events/", self.collection), Route("/events/{uuid}/", self.item)]

    async def collection(self, request: Request) -> Response:
        """Newest first, by `FILTERS` and `delivered`; new ones after the list lag, none of deleted documents."""
        return JSONResponse(page(request, self._core.views, self._found(request), self._core.views.event))

    async def item(self, request: Request) -> Response:
        event = self._state.database.events.get(request.path_params["uuid"])
        if event is None:
            raise HttpRefusal.missing()
        return JSONResponse(self._core.views.event(event))

    def _found(self, request: Request) -> list[CoreEvent]:
        query = filters(request, self._state.settings)
        values = {field: query[name] for name, field in FILTERS.items() if query.get(name)}
        if query.get("delivered"):
            values["delivered"] = query["delivered"].lower()
        events, deleted_documents = self._state.database.events, self._core.deleted
        pool = events.where(values["document"]) if "document" in values else list(events)
        listed_until = self._state.clock() - self._state.settings.list_lag
        listed = [
            event
            for event in reversed(pool)
            if event.timestamp <= listed_until and event.document not in deleted_documents
        ]
        return [event for event in listed if all(_text(event, name) == values[name] for name in values)]


class RequestsApi:
    def __init__(self, core: CoreSignature) -> None:
        self._core = core
        self._state = core.state

    def routes(self) -> list[Route]:
        """Relative to `/api/v1`; action names follow the settings."""
        name = self._state.settings.action_names
        cancel, resend, forward = ACTIONS.get(name, (f"cancel_{name}", f"resend_{name}_email", "forward_signer"))
        item = "/signature-requests/{uuid}"
        return [
            Route("/signature-requests/", self.collection, methods=["GET", "POST"]),
            Route("/signature-request-quick-create/", self.quick_create, methods=["POST"]),
            Route(f"{item}/", self.item, methods=["GET"]),
            Route(f"{item}/{cancel}/", self.cancel, methods=["POST"]),
            Route(f"{item}/{resend}/", self.resend, methods=["POST"]),
            Route(f"{item}/{forward}/", self.forward, methods=["POST"]),
        ]

    async def collection(self, request: Request) -> Response:
        """POST for an existing document, or GET newest first, filtered by `who` and `from_email`."""
        if request.method == "POST":
            return await self._create(request)
        query = filters(request, self._state.settings)
        matching_requests = [
            request_record
            for request_record in reversed(list(self._state.database.requests))
            if query.get("who") in {None, request_record.who}
            and query.get("from_email") in {None, request_record.from_email}
        ]
        return JSONResponse(page(request, self._core.views, matching_requests, self._core.views.request))

    async def quick_create(self, request: Request) -> Response:
        """POST document and request in one, atomically."""
        fields = await read_fields(request)
        new = read_document(fields, self._state.settings.max_upload_mb)
        new_request = read_request(fields, self._state.settings, document="")
        document = self._core.create_document(new)
        new_request.document = document.uuid
        self._core.create_request(new_request, document)
        view = self._core.views.request(new_request)
        return JSONResponse({**view, "name": document.name, "external_id": document.external_id}, 201)

    async def item(self, request: Request) -> Response:
        return JSONResponse(self._core.views.request(self._find(request)))

    async def cancel(self, request: Request) -> Response:
        """409 if the document has ended."""
        self._core.cancel(self._find(request))
        return JSONResponse({"detail": "OK", "cancelled": True}, 201)

    async def resend(self, request: Request) -> Response:
        """Mail those whose turn it is again."""
        self._core.resend(self._find(request))
        return JSONResponse({"detail": "OK"}, 201)

    async def forward(self, request: Request) -> Response:
        """POST `{signer_email_to_forward, signer_email_to_forward_to, forwarded_reason?}`."""
        core_request = self._find(request)
        fields = await read_fields(request)
        old_email = fields.email("signer_email_to_forward", required=True)
        new_email = fields.email("signer_email_to_forward_to", required=True)
        reason = fields.text("forwarded_reason") or ""
        fields.check()
        self._core.forward(core_request, old_email, new_email, reason)
        return JSONResponse({"detail": "OK"}, 201)

    async def _create(self, request: Request) -> Response:
        fields = await read_fields(request)
        document = find_document(fields, self._state.database)
        new_request = read_request(fields, self._state.settings, document.uuid)
        self._core.create_request(new_request, document)
        return JSONResponse(self._core.views.request(new_request), 201)

    def _find(self, request: Request) -> CoreRequest:
        core_request = self._state.database.requests.get(request.path_params["uuid"])
        if core_request is None:
            raise HttpRefusal.missing()
        return core_request


class WebhooksApi:
    def __init__(self, core: CoreSignature) -> None:
        self._core = core
        self._state = core.state

    def routes(self) -> list[Route]:
        return [
            Route("/webhooks/", self.collection, methods=["GET", "POST"]),
            Route("/webhooks/{uuid}/", self.item, methods=["GET", "PUT", "PATCH", "DELETE"]),
        ]

    async def collection(self, request: Request) -> Response:
        hooks = self._state.database.webhooks
        if request.method == "GET":
            newest_hooks = list(reversed(list(hooks)))
            return JSONResponse(page(request, self._core.views, newest_hooks, self._core.views.webhook))
        read = _read(await read_fields(request), None)
        hook = Webhook(created=self._state.settings.clock(), **read)
        return JSONResponse(self._core.views.webhook(hooks.save(hook)), 201)

    async def item(self, request: Request) -> Response:
        hooks = self._state.database.webhooks
        hook = hooks.get(request.path_params["uuid"])
        if hook is None:
            raise HttpRefusal.missing()
        if request.method in {"PUT", "PATCH"}:
            read = _read(await read_fields(request), hook if request.method == "PATCH" else None)
            hooks.drop(hook)
            hook = hooks.save(hook.model_copy(update=read))
        if request.method == "DELETE":
            hooks.drop(hook)
            return Response(status_code=204)
        return JSONResponse(self._core.views.webhook(hook))


class BearerGuard:
    """Requires a valid token of the signature service."""

    def __init__(self, app: ASGIApp, tokens: Tokens) -> None:
        self._app = app
        self._tokens = tokens

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        token = bearer(Request(scope))
        if token is not None and self._tokens.accepts(token):
            await self._app(scope, receive, send)
            return
        missing = "Authentication credentials were not provided."
        detail = missing if token is None else "The token is invalid or has expired."
        refusal = JSONResponse({"detail": detail}, 401, {"www-authenticate": 'Bearer realm="api"'})
        await refusal(scope, receive, send)


def core_routes(core: CoreSignature) -> list[BaseRoute]:
    async def token(request: Request) -> Response:
        if request.path_params["tenant"] != core.state.settings.tenant:
            return JSONResponse(apigee_error("oauth.v2.InvalidApiKey", "Invalid ApiKey"), 401)
        return await core.tokens.answer(request)

    async def docs(_: Request) -> Response:
        return HTMLResponse(DOCS)

    api = [api for part in (DocumentsApi, RequestsApi, EventsApi, WebhooksApi) for api in part(core).routes()]
    return [
        Route("/tenants/{tenant}/oauth2/token", token, methods=["POST"]),
        Route("/otdstenant/{tenant}/oauth2/token", token, methods=["POST"]),
        Route("/api/v1/docs/", docs),
        # Django answers a missing slash with an error, without a redirect.
        Mount("/api/v1", Router(api, redirect_slashes=False), middleware=[Middleware(BearerGuard, tokens=core.tokens)]),
        *Downloads(core).routes(),
    ]


def _prefilled(fields: Fields) -> list[dict[str, Any]]:
    """Values of tags by their ids."""
    raw = fields.raw("prefill_tags")
    if raw is None:
        return []
    if not isinstance(raw, list):
        fields.fail("prefill_tags", "Expected a list of items.")
        return []
    tags = [Fields(item if isinstance(item, dict) else {}) for item in raw]
    read = [
        {
            "external_id": tag.text("external_id", required=True),
            "text": tag.text("text", longest=LONGEST_MESSAGE),
            "checkbox_value": tag.flag("checkbox_value") if tag.has("checkbox_value") else None,
            "date_value": tag.text("date_value", longest=10),
        }
        for tag in tags
    ]
    if any(tag.errors for tag in tags):
        fields.errors["prefill_tags"] = [tag.errors for tag in tags]
    return read


def _source(fields: Fields, max_upload_mb: int) -> tuple[bytes, str]:
    named_sources = [name for name in SOURCES if fields.has(name)]
    if len(named_sources) != 1:
        fields.fail("non_field_errors", f"Exactly one of {', '.join(SOURCES)} is required.")
        return b"", ""
    if named_sources == ["file_from_content"]:
        return _uploaded(fields, max_upload_mb)
    address = fields.url(named_sources[0]) or ""
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


def _signers(fields: Fields, names: str) -> list[CoreSigner]:
    raw = fields.raw("signers")
    if not isinstance(raw, list):
        fields.fail("signers", REQUIRED if raw is None else "Expected a list of items.")
        return []
    read = [_signer(item, names) for item in raw]
    if any(errors for _, errors in read):
        fields.errors["signers"] = [errors for _, errors in read]
    signers = [signer for signer, _ in read]
    emails = [signer.email.lower() for signer in signers]
    if len(set(emails)) < len(emails) and "signers" not in fields.errors:
        fields.fail("signers", "Each signer needs an e-mail address of their own.")
    return signers


def _signer(item: Any, names: str) -> tuple[CoreSigner, dict[str, Any]]:
    if not isinstance(item, dict):
        return CoreSigner(email=""), {"non_field_errors": ["Invalid data. Expected a dictionary."]}
    fields = Fields(item)
    order = fields.integer("order") or 0
    if order > FARTHEST_ORDER:
        fields.fail("order", f"Ensure this value is less than or equal to {FARTHEST_ORDER}.")
    full, parts = fields.text("full_name"), (fields.text("first_name"), fields.text("last_name"))
    joined = " ".join(part for part in parts if part)
    signer = CoreSigner(
        email=fields.email("email", required=True),
        full_name=joined if names == "first_last" else full or joined,
        order=order,
        needs_to_sign=fields.flag("needs_to_sign", default=True),
        approve_only=fields.flag("approve_only"),
        notify_only=fields.flag("notify_only"),
        in_person=fields.flag("in_person"),
        language=fields.text("language"),
        embed_url_user_id=fields.text("embed_url_user_id"),
        verify_phone_number=_phone_number(fields),
        password=fields.text("password"),
        redirect_url=fields.url("redirect_url"),
        redirect_url_declined=fields.url("redirect_url_declined"),
    )
    return signer, fields.errors


def _phone_number(fields: Fields) -> str | None:
    number = fields.text("verify_phone_number")
    if number is not None and not re.fullmatch(r"\+[1-9][0-9]{6,14}", number):
        fields.fail("verify_phone_number", "The phone number entered is not valid.")
    return number


def _number(request: Request, name: str, default: int) -> int:
    text = request.query_params.get(name)
    if not text:
        return default
    if not text.isdecimal() or len(text) > LONGEST_NUMBER or int(text) < 1:
        raise HttpRefusal.because(404, "Invalid page.")
    return int(text)


def _text(event: CoreEvent, field: str) -> str:
    value = getattr(event, field)
    return str(value).lower() if isinstance(value, bool) else str(value)


def _read(fields: Fields, webhook: Webhook | None) -> dict[str, str]:
    event_type = fields.text("event_type", required=webhook is None)
    if event_type is not None and event_type not in EVENT_TYPES:
        fields.fail("event_type", f'"{event_type}" is not a valid choice.')
    callback_url = fields.url("callback_url", required=webhook is None)
    name = fields.text("name")
    fields.check()
    read = {"event_type": event_type, "callback_url": callback_url, "name": name}
    return {key: value for key, value in read.items() if value is not None}
