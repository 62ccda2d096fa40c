"""Core Signature over HTTP: typed methods, nothing of Temporal, no retries (docs/core-signature.md)."""

import base64
import json
import ssl
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable, Iterable, Mapping
from contextlib import aclosing
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Final, Generic, Protocol, TypeVar

import httpx

from activities.core_signature.wire import (
    Wire,
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
"""Bytes of a document that are in memory at a time; of three bytes base64 makes four characters, without a rest."""
_FIELD: Final = "file_from_content"


class UploadContent(Protocol):
    """Bytes that are read when they are sent."""

    @property
    def size(self) -> int:
        """How many there are."""

    def pieces(self, length: int, through: Callable[[bytes], bytes] = ...) -> AsyncGenerator[bytes, None]:
        """All of them, so many at a time, each piece passed through something."""


class Upload:
    """The body of a request, with a document's content if there is any; read anew each time it is sent, as when a token
    was refused.

    Before each piece it is asked whether it is `still_ours` to send: what that raises breaks it off, and nothing that
    is broken off is made. So nothing is made on a word that is older than the wait for a turn or a token.
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
        """What says how long it is: not every server takes a body that does not."""
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


CALLBACKS: Final = "/callbacks/core-signature/"
"""Where a receiver of ours is called; a document whose events go to such an address was made by a Countersign."""


class Dialect(StrEnum):
    """Whose paths are called; SignRequest is the ancestor of Core Signature's interface."""

    CORE = "core"
    SIGNREQUEST = "signrequest"

    @property
    def requests(self) -> str:
        """The path of the signature requests."""
        return "/signature-requests/" if self is Dialect.CORE else "/signrequests/"


class NameStyle(StrEnum):
    """How a signer's name is sent."""

    FULL_NAME = "full_name"
    FIRST_LAST = "first_last"


@dataclass(frozen=True)
class CoreSignatureConfig:
    """Where Core Signature is and how this tenant wants to be spoken to.

    `url` is the host; `callback_url` the address each document's events go to, None when a subscription tells them;
    `list_lag` the seconds a new document may be missing from lists. Of an action path only the last part counts.
    Requests come from the requester's own address, else `from_email`, else whom the token says; under their name.
    Without `status_mails` it mails nobody of endings: we tell them.
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
    cancel_paths: tuple[str, ...] = ("cancel_signature_request", "cancel_signrequest")
    resend_paths: tuple[str, ...] = ("resend_signature_request_email", "resend_signrequest_email")
    forward_paths: tuple[str, ...] = ("forward_signer",)


NAME: Final = "Core Signature"
UPLOAD_DEADLINE: Final = 40.0
"""Seconds: a document may be some 27 MB on the wire."""
_CONNECTIONS: Final = 60
"""More than calls of one process at a time, or a call would wait for a connection in the time of its answer."""
MOST_PAGES: Final = 50
"""Of a list about one id: one document is what there should be, and all are read within a few seconds."""
_NO_SUCH_PATH: Final = (404, 405)

W = TypeVar("W", bound=Wire)


class RequestAction(StrEnum):
    """What can be done to a request whose path is not sure (docs/core-signature.md, Actions)."""

    CANCEL = "cancel"
    RESEND = "resend"
    FORWARD = "forward"


@dataclass(frozen=True)
class Listed(Generic[W]):
    """One page of a list: what stands on it, whether more follow, and how many all pages have, where that is said."""

    found: list[W]
    more: bool
    count: int | None = None


async def if_found(document: Awaitable[WireDocument]) -> WireDocument | None:
    """The document, None when the answer is a 404: perhaps of a gateway, not of the provider."""
    try:
        return await document
    except ServiceFailure as failure:
        if failure.status == 404:
            return None
        raise


class CoreSignatureClient:
    """One tenant's Core Signature. Every method raises `ServiceFailure` when the service does not do as asked.

    Its calls keep to `pace`; those for a token do not count, they go elsewhere.
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
        """Close the connections."""
        await self._service.aclose()

    async def check_token(self) -> None:
        """Ask for a token now."""
        await self._bearer.check()

    # --- documents

    def document_url(self, uuid: str) -> str:
        """The document's address at the provider, built from our configuration."""
        return f"{self.config.url.rstrip('/')}/api/v1/documents/{uuid}/"

    async def documents_of(self, request: str) -> list[WireDocument]:
        """Every document listed under the id of this request, its `external_id`; a tenant that ignores the filter may
        list others too. The one that was adopted under it has another or none, and is read by its uuid."""
        if uuid := adopted_document(request):
            found = await if_found(self.document(uuid))
            if found is None:
                await self._list_answers()
                found = await if_found(self.document(uuid))
            return [found] if found else []
        return [document async for document in self._all("/documents/", WireDocument, {"external_id": request})]

    async def _list_answers(self) -> None:
        """Raises while even the list of documents is a 404: then a document that is "not found" need not be gone."""
        read(WirePage, await self._service.call("GET", "/documents/", query={"page": 1, "limit": 1}))

    async def document(self, uuid: str) -> WireDocument:
        """The document as it is now, with its request; 404 when it was deleted."""
        return read(WireDocument, await self._service.call("GET", f"/documents/{uuid}/"))

    async def create_document(
        self, body: Mapping[str, object], content: UploadContent | None = None, still_ours: StillOurs = nobody_else
    ) -> WireDocument:
        """Make a document, of `content` if there is any; no second call makes the same one again.

        `still_ours` is asked while it is sent, and what it raises breaks it off.
        """
        upload = Upload(body, content, still_ours)
        return read(
            WireDocument,
            await self._service.call(
                "POST", "/documents/", content=upload, headers=upload.headers, deadline=UPLOAD_DEADLINE
            ),
        )

    async def delete_document(self, uuid: str) -> None:
        """Delete the document and its request."""
        (await self._service.call("DELETE", f"/documents/{uuid}/")).refuse_page()

    # --- requests

    async def request(self, uuid: str) -> WireRequest:
        """The request with its signers."""
        return read(WireRequest, await self._service.call("GET", f"{self._requests}{uuid}/"))

    async def create_request(
        self, body: Mapping[str, object], private: Iterable[str] = (), still_ours: StillOurs = nobody_else
    ) -> WireRequest:
        """Ask the signers of a document, like `create_document`; `private` (names, addresses) shows in no failure."""
        upload = Upload(body, still_ours=still_ours)
        return read(
            WireRequest,
            await self._service.call("POST", self._requests, content=upload, headers=upload.headers, private=private),
        )

    async def cancel(self, request: str) -> None:
        """Cancel; refused with 400 or 409 once the document has ended."""
        await self._act(RequestAction.CANCEL, request)

    async def resend(self, request: str) -> None:
        """Send Core Signature's mail again to everyone whose turn it is."""
        await self._act(RequestAction.RESEND, request)

    async def forward(self, request: str, from_email: str, to_email: str, reason: str | None = None) -> None:
        """Put another signer in the place of one who has not acted; the first one's link dies."""
        body = {"signer_email_to_forward": from_email, "signer_email_to_forward_to": to_email}
        body |= {"forwarded_reason": reason} if reason else {}
        await self._act(RequestAction.FORWARD, request, body, private=(from_email, to_email))

    # --- events

    async def events(self, page: int = 1, **filters: str | int | bool) -> Listed[WireEvent]:
        """One page of events, newest first (filters: docs/core-signature.md, Events)."""
        return await self._page("/events/", WireEvent, page, filters)

    # --- subscriptions

    async def subscriptions(self) -> list[WireSubscription]:
        """All subscriptions of the tenant."""
        return [one async for one in self._all("/webhooks/", WireSubscription, {})]

    async def subscribe(self, event_type: str, address: str, name: str) -> None:
        """Have all events of a type told to an address, which is blanked in a failure: it has a secret in it."""
        body = {"event_type": event_type, "callback_url": address, "name": name}
        (await self._service.call("POST", "/webhooks/", json=body, private=(address,))).refuse_page()

    async def unsubscribe(self, uuid: str) -> None:
        """End a subscription; one that is not there is ended."""
        try:
            (await self._service.call("DELETE", f"/webhooks/{uuid}/")).refuse_page()
        except ServiceFailure as failure:
            if failure.status != 404:
                raise

    async def _all(self, path: str, kind: type[W], query: Query) -> AsyncIterator[W]:
        for number in range(1, MOST_PAGES + 1):
            listed = await self._page(path, kind, number, query)
            for one in listed.found:
                yield one
            if not (listed.found and listed.more):
                return
        # What lies behind may be what is looked for: "not found" would make it a second time.
        raise ServiceFailure(NAME, Cause.ENDLESS, f"a list of more than {MOST_PAGES} pages")

    async def _page(self, path: str, kind: type[W], number: int, query: Query) -> Listed[W]:
        asked = {**query, "page": number, "limit": self.config.page_size}
        answer = await self._service.call("GET", path, query=asked)
        page = read(WirePage, answer)
        return Listed([parse(kind, item, answer) for item in page.results], page.more, page.count)

    async def _act(
        self, action: RequestAction, request: str, body: Mapping[str, Any] | None = None, private: Iterable[str] = ()
    ) -> None:
        """Try the candidate paths; the one that worked is tried first from then on."""
        for path in self._candidates[action]:
            asked = f"{self._requests}{request}/{path.strip('/').rpartition('/')[2]}/"
            try:
                (await self._service.call("POST", asked, json=body, private=private)).refuse_page()
            except ServiceFailure as failure:
                if failure.status not in _NO_SUCH_PATH:
                    raise
                await self.request(request)  # A 404 of the request itself is the answer, not a reason to go on.
            else:
                others = (other for other in self._candidates[action] if other != path)
                self._candidates[action] = (path, *others)
                return
        raise ServiceFailure(NAME, Cause.STATUS, f"no path to {action} is known", status=405)
