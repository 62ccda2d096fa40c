"""Core Signature over HTTP: typed methods without Temporal and without retries (docs/core-signature.md)."""

import base64
import json
import ssl
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable, Iterable, Mapping
from contextlib import aclosing
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Final, Generic, Protocol

import httpx

from activities.core_signature.wire import (
    AnyWire,
    WireDocument,
    WireEvent,
    WirePage,
    WireRequest,
    WireSubscription,
    parse,
    read,
)
from activities.http.client import DEADLINE, Cause, Query, Service, ServiceFailure, make_client
from activities.http.oauth import Bearer, Credentials
from activities.http.rate_limit import RateLimiter
from activities.temporal.leases import StillOurs, nobody_else
from workflows.names import adopted_document

PIECE: Final = 3 << 16
"""Bytes of a document in memory at a time; divisible by three, so that base64 pieces join without padding."""
_FIELD: Final = "file_from_content"
CALLBACKS: Final = "/callbacks/core-signature/"
"""Path of the callback endpoint; a document whose `events_callback_url` has it was made by a Countersign."""
NAME: Final = "Core Signature"
UPLOAD_DEADLINE: Final = 40.0
"""Seconds: a document may have 27 MB on the wire."""
_CONNECTIONS: Final = 60
"""More than concurrent calls of one process: waiting for a connection would count as waiting for the answer."""
MOST_PAGES: Final = 50
"""Of a list filtered by one id, which normally has one document; all are read within a few seconds."""
_NO_SUCH_PATH: Final = (404, 405)


class UploadContent(Protocol):
    """The bytes of a document, read while they are sent."""

    @property
    def size(self) -> int: ...

    def pieces(self, length: int, through: Callable[[bytes], bytes] = ...) -> AsyncGenerator[bytes, None]:
        """Pieces of at most `length` bytes, each passed through `through`."""


class Upload:
    """A request body, read anew for each attempt. `still_ours` is called before each piece; if it raises, nothing is
    created.
    """

    def __init__(
        self, fields: Mapping[str, object], content: UploadContent | None = None, still_ours: StillOurs = nobody_else
    ) -> None:
        head = json.dumps(fields).removesuffix("}")
        opened, closed = (f', "{_FIELD}": "', '"}') if content else ("", "}")
        self._head, self._tail = f"{head}{opened}".encode(), closed.encode()
        self._content = content
        self._still_ours = still_ours

    @property
    def headers(self) -> dict[str, str]:
        """Content-Length, since not every server accepts a body without it."""
        encoded = 4 * -(-self._content.size // 3) if self._content else 0
        length = len(self._head) + encoded + len(self._tail)
        return {"content-type": "application/json", "content-length": str(length)}

    async def __aiter__(self) -> AsyncIterator[bytes]:
        await self._still_ours()
        yield self._head
        if self._content:
            async with aclosing(self._content.pieces(PIECE, base64.b64encode)) as pieces:
                async for piece in pieces:
                    await self._still_ours()
                    yield piece
        await self._still_ours()
        yield self._tail


class Dialect(StrEnum):
    """Whose paths are called; SignRequest is the ancestor of Core Signature's API."""

    CORE = "core"
    SIGNREQUEST = "signrequest"

    @property
    def requests(self) -> str:
        return "/signature-requests/" if self is Dialect.CORE else "/signrequests/"


class NameStyle(StrEnum):
    FULL_NAME = "full_name"
    FIRST_LAST = "first_last"


@dataclass(frozen=True)
class CoreSignatureConfig:
    """`url` is the host; `callback_url` goes with each document, None with subscriptions; `list_lag` is how many
    seconds lists may lack a new document. The sender is the requester, else `from_email`, else the token's user.
    Without `status_mails` Core Signature mails no endings. `signed_page` is where it sends browsers that we led to it.
    """

    url: str
    credentials: Credentials
    callback_url: str | None = None
    dialect: Dialect = Dialect.CORE
    from_email: str | None = None
    from_requester: bool = False
    name_style: NameStyle = NameStyle.FULL_NAME
    list_lag: float = 10.0
    page_size: int = 100
    status_mails: bool = True
    signed_page: str = ""
    cancel_paths: tuple[str, ...] = ("cancel_signature_request", "cancel_signrequest")
    resend_paths: tuple[str, ...] = ("resend_signature_request_email", "resend_signrequest_email")
    forward_paths: tuple[str, ...] = ("forward_signer",)


class RequestAction(StrEnum):
    """Actions whose path differs between tenants (docs/core-signature.md, Actions)."""

    CANCEL = "cancel"
    RESEND = "resend"
    FORWARD = "forward"


@dataclass(frozen=True)
class ResultPage(Generic[AnyWire]):
    """One page of a list."""

    resources: list[AnyWire]
    has_more: bool


async def if_found(document: Awaitable[WireDocument]) -> WireDocument | None:
    """The document, or None on 404, which may also come from a gateway."""
    try:
        return await document
    except ServiceFailure as failure:
        if failure.status == 404:
            return None
        raise


class CoreSignatureClient:
    """One tenant's Core Signature. Every method raises `ServiceFailure` on failure. `pace` limits all calls except
    those for tokens.
    """

    def __init__(
        self,
        config: CoreSignatureConfig,
        *,
        pace: RateLimiter | None = None,
        trust: ssl.SSLContext | None = None,
        transport: httpx.AsyncBaseTransport | None = None,
    ) -> None:
        self.config = config
        self._bearer = Bearer(NAME, config.credentials, trust=trust, transport=transport)
        client = make_client(auth=self._bearer, max_connections=_CONNECTIONS, trust=trust, transport=transport)
        self._service = Service(NAME, config.url.rstrip("/") + "/api/v1", client, deadline=DEADLINE, pace=pace)
        self._requests = config.dialect.requests
        self._candidates = {
            RequestAction.CANCEL: config.cancel_paths,
            RequestAction.RESEND: config.resend_paths,
            RequestAction.FORWARD: config.forward_paths,
        }

    async def aclose(self) -> None:
        await self._service.aclose()

    async def check_token(self) -> None:
        """Request a token now."""
        await self._bearer.check()

    # --- documents

    def document_url(self, uuid: str) -> str:
        """The document's address at the provider, built from our configuration."""
        return f"{self.config.url.rstrip('/')}/api/v1/documents/{uuid}/"

    async def documents_of(self, request: str) -> list[WireDocument]:
        """All documents with this `external_id`, and others if the tenant ignores the filter. Adopted documents are
        read by uuid instead.
        """
        if uuid := adopted_document(request):
            document = await if_found(self.document(uuid))
            if document is None:
                await self._list_answers()
                document = await if_found(self.document(uuid))
            return [document] if document else []
        return [document async for document in self._all("/documents/", WireDocument, {"external_id": request})]

    async def _list_answers(self) -> None:
        """Raises if even the list of documents is a 404; then a 404 does not prove that a document is gone."""
        read(
            WirePage,
            await self._service.call("GET", "/documents/", query={"page": 1, "limit": 1}, operation="list_documents"),
        )

    async def document(self, uuid: str) -> WireDocument:
        """The document with its request; 404 if it was deleted."""
        return read(WireDocument, await self._service.call("GET", f"/documents/{uuid}/", operation="read_document"))

    async def create_document(
        self, body: Mapping[str, object], content: UploadContent | None = None, still_ours: StillOurs = nobody_else
    ) -> WireDocument:
        """Create a document, with `content` or from a template. Not idempotent. `still_ours` as in `Upload`."""
        upload = Upload(body, content, still_ours)
        return read(
            WireDocument,
            await self._service.call(
                "POST",
                "/documents/",
                content=upload,
                headers=upload.headers,
                deadline=UPLOAD_DEADLINE,
                operation="create_document",
            ),
        )

    async def delete_document(self, uuid: str) -> None:
        """Delete the document and its request."""
        (await self._service.call("DELETE", f"/documents/{uuid}/", operation="delete_document")).refuse_page()

    # --- requests

    async def request(self, uuid: str) -> WireRequest:
        return read(WireRequest, await self._service.call("GET", f"{self._requests}{uuid}/", operation="read_request"))

    async def create_request(
        self, body: Mapping[str, object], private: Iterable[str] = (), still_ours: StillOurs = nobody_else
    ) -> WireRequest:
        """Ask the signers of a document, like `create_document`; `private` values appear in no failure."""
        upload = Upload(body, still_ours=still_ours)
        return read(
            WireRequest,
            await self._service.call(
                "POST",
                self._requests,
                content=upload,
                headers=upload.headers,
                private=private,
                operation="create_request",
            ),
        )

    async def cancel(self, request: str) -> None:
        """Cancel; 400 or 409 if the document has ended."""
        await self._act(RequestAction.CANCEL, request)

    async def resend(self, request: str) -> None:
        """Send Core Signature's mail again to everyone whose turn it is."""
        await self._act(RequestAction.RESEND, request)

    async def forward(self, request: str, from_email: str, to_email: str, reason: str | None = None) -> None:
        """Replace a signer who has not acted; the link of the first one stops working."""
        body = {"signer_email_to_forward": from_email, "signer_email_to_forward_to": to_email}
        body |= {"forwarded_reason": reason} if reason else {}
        await self._act(RequestAction.FORWARD, request, body, private=(from_email, to_email))

    # --- events

    async def events(self, page: int = 1, **filters: str | int | bool) -> ResultPage[WireEvent]:
        """One page of events, newest first (filters: docs/core-signature.md, Events)."""
        return await self._page("/events/", WireEvent, page, filters)

    # --- subscriptions

    async def subscriptions(self) -> list[WireSubscription]:
        return [subscription async for subscription in self._all("/webhooks/", WireSubscription, {})]

    async def subscribe(self, event_type: str, address: str, name: str) -> None:
        """Send events of a type to an address, which contains a secret and is left out of failures."""
        body = {"event_type": event_type, "callback_url": address, "name": name}
        answer = await self._service.call("POST", "/webhooks/", json=body, private=(address,), operation="subscribe")
        answer.refuse_page()

    async def unsubscribe(self, uuid: str) -> None:
        """End a subscription; idempotent."""
        try:
            (await self._service.call("DELETE", f"/webhooks/{uuid}/", operation="unsubscribe")).refuse_page()
        except ServiceFailure as failure:
            if failure.status != 404:
                raise

    async def _all(self, path: str, kind: type[AnyWire], query: Query) -> AsyncIterator[AnyWire]:
        for number in range(1, MOST_PAGES + 1):
            listed = await self._page(path, kind, number, query)
            for resource in listed.resources:
                yield resource
            if not (listed.resources and listed.has_more):
                return
        # The document may be on a page that was not read: "not found" would create it a second time.
        raise ServiceFailure(NAME, Cause.ENDLESS, f"a list of more than {MOST_PAGES} pages")

    async def _page(self, path: str, kind: type[AnyWire], number: int, query: Query) -> ResultPage[AnyWire]:
        page_query = {**query, "page": number, "limit": self.config.page_size}
        answer = await self._service.call("GET", path, query=page_query, operation=f"list_{path.strip('/')}")
        page = read(WirePage, answer)
        return ResultPage([parse(kind, item, answer) for item in page.results], page.has_more)

    async def _act(
        self, action: RequestAction, request: str, body: Mapping[str, Any] | None = None, private: Iterable[str] = ()
    ) -> None:
        """Try the candidate paths; the one that worked is tried first from then on."""
        for path in self._candidates[action]:
            url = f"{self._requests}{request}/{path.strip('/').rpartition('/')[2]}/"
            try:
                answer = await self._service.call("POST", url, json=body, private=private, operation=action)
                answer.refuse_page()
            except ServiceFailure as failure:
                if failure.status not in _NO_SUCH_PATH:
                    raise
                await self.request(request)  # A 404 of the request itself is the answer: no further path is tried.
            else:
                other_paths = (candidate for candidate in self._candidates[action] if candidate != path)
                self._candidates[action] = (path, *other_paths)
                return
        raise ServiceFailure(NAME, Cause.STATUS, f"no path to {action} is known", status=405)
