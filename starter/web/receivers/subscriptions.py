"""Receives what browsers subscribe with to our notices: behind a link, at the desk, and from their service worker
(docs/devices.md).

Answers contain no address. Only 503 asks to be called again.
"""

from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from typing import Any, Final

import structlog
from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from activities.errors import StoreFailure
from activities.http.transport import Guard
from activities.people.subscriptions import (
    ENDPOINT_AT_MOST,
    BadSubscription,
    SubscriptionScope,
    WebSubscriptions,
    parse_subscription,
)
from activities.records.allowances import Rate
from activities.records.store import Store
from starter.web.http import bodies
from starter.web.http.allowances import SharedBuckets
from starter.web.http.serving import holder_of

SUBSCRIPTION_BYTES_AT_MOST: Final = 4 * 1024
"""Of a call; browsers send about 500."""
CALLS_OF_AN_ADDRESS: Final = Rate(burst=300, per_second=300 / 3600)
"""A whole company may share one, and each browser calls once a day."""
_CALLS: Final = ("subscribe", "unsubscribe", "renew")
_LOGGER: Final = structlog.get_logger("countersign.devices")
AcceptToken = Callable[[str], bool]
"""Whether the token of a call is of the page that it says it comes from, and the call from a page of ours."""


class SubscriptionOutcome(bodies.CallOutcome):
    """The answer's status and its word."""

    SUBSCRIBED = (201, "subscribed")
    RENEWED = (200, "renewed")
    REMOVED = (200, "removed")
    MALFORMED = (400, "malformed")
    STALLED = (400, "stalled")
    FOREIGN = (403, "foreign")
    GONE = (404, "gone")
    TOO_LARGE = (413, "too_large")
    NOT_JSON = (415, "not_json")
    TOO_OFTEN = (429, "too_often")
    NOT_KEPT = (503, "not_kept")
    BUSY = (503, "busy")

    def to_response(self, explanation: str = "", wait: float = 0) -> Response:
        headers = bodies.HEADERS | ({"connection": "close"} if self.hangs_up else {})
        headers |= {"retry-after": str(int(wait) + 1)} if wait else {}
        says = {"says": explanation} if explanation else {}
        return JSONResponse({"outcome": self.reason, **says}, self.status, headers)


class SubscriptionReceiver:
    def __init__(
        self,
        subscriptions: WebSubscriptions,
        push_guard: Guard,
        store: Store,
        *,
        clock: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        self._subscriptions = subscriptions
        self._push_guard = push_guard
        self._calls = SharedBuckets(store, "subscribe", CALLS_OF_AN_ADDRESS, clock)
        self._clock = clock

    async def answer(self, request: Request, scope: SubscriptionScope | None, accepts: AcceptToken) -> Response:
        """Carry out the `call` of the path; the service worker's has none and no scope: it renews them all."""
        call = request.path_params.get("call", "renew")
        if refusal := await self._refuse_unread(request, call):
            return refusal
        body = await bodies.read_body(request.receive, limit=SUBSCRIPTION_BYTES_AT_MOST)
        if isinstance(body, bodies.BodyFault):
            return SubscriptionOutcome.of_fault(body).to_response()
        try:
            fields = bodies.parse_object(body)
            if not accepts(str(fields.get("token", ""))):
                return SubscriptionOutcome.FOREIGN.to_response("token: is not of this page")
            outcome = await self._carry_out(call, scope, fields)
        except (bodies.NotReadable, BadSubscription) as fault:
            return SubscriptionOutcome.MALFORMED.to_response(str(fault))
        except StoreFailure as failure:
            _LOGGER.warning("subscription not kept", why=str(failure))
            return SubscriptionOutcome.NOT_KEPT.to_response()
        return outcome.to_response()

    async def _refuse_unread(self, request: Request, call: str) -> Response | None:
        if call not in _CALLS:
            return SubscriptionOutcome.GONE.to_response()
        if wait := await self._calls.wait(holder_of(request.client.host) if request.client else ""):
            return SubscriptionOutcome.TOO_OFTEN.to_response(wait=wait)
        if not bodies.is_json(request.headers.get("content-type", "")):
            return SubscriptionOutcome.NOT_JSON.to_response("the body must be application/json")
        return None

    async def _carry_out(
        self, call: str, scope: SubscriptionScope | None, fields: Mapping[str, Any]
    ) -> SubscriptionOutcome:
        if call == "unsubscribe" and scope:
            await self._subscriptions.unsubscribe(scope, _address(fields, "endpoint"), self._clock())
            return SubscriptionOutcome.REMOVED
        subscription = parse_subscription(fields, self._push_guard)
        if call == "subscribe" and scope:
            await self._subscriptions.subscribe(scope, subscription, self._clock())
            return SubscriptionOutcome.SUBSCRIBED
        # Nobody knows the former endpoint but the browser, its push service and we.
        former = _address(fields, "replaces")
        is_subscribed = await self._subscriptions.renew(former, subscription, self._clock(), scope)
        return SubscriptionOutcome.RENEWED if is_subscribed else SubscriptionOutcome.GONE


def _address(fields: Mapping[str, Any], field: str) -> str:
    address = fields.get(field)
    if not isinstance(address, str) or not 0 < len(address) <= ENDPOINT_AT_MOST:
        raise BadSubscription(field, f"must be an address of at most {ENDPOINT_AT_MOST} characters")
    return address
