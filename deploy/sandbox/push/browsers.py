"""The push service of browsers (RFC 8030): checks our signature (RFC 8292), decrypts (RFC 8291) and shows what came.

A browser is made by `POST /_sandbox/browsers {person, vapid_key}`, which answers with its subscription. Its `token`
names it in the ledger and for `POST /_sandbox/devices`, as `<person>~browser<n>`.
"""

import base64
import json
import re
import secrets
from typing import Any
from urllib.parse import urlsplit

import http_ece  # type: ignore[import-untyped]
from cryptography.hazmat.primitives.asymmetric.ec import SECP256R1, EllipticCurvePublicKey, generate_private_key
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
    load_pem_private_key,
)
from joserfc import jwt
from joserfc.errors import JoseError
from joserfc.jwk import ECKey
from pydantic import BaseModel
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from deploy.sandbox.http.errors import HttpRefusal, read_body
from deploy.sandbox.push.phones import DeviceState, PhoneNetwork
from deploy.sandbox.state.ledger import EntryType
from deploy.sandbox.state.records import Browser, Push, new_uuid
from deploy.sandbox.state.state import SandboxState

BODY_BYTES_AT_MOST = 4096
POINT_BYTES = 65
TOKEN_SECONDS_AT_MOST = 24 * 3600
AUTHORIZATION = re.compile(r"vapid t=(?P<token>[^,\s]+), ?k=(?P<key>[A-Za-z0-9_-]+)")
TOPIC = re.compile(r"[A-Za-z0-9_-]{1,32}")
URGENCIES = ("very-low", "low", "normal", "high")
Json = dict[str, Any]


class WebPushRefusal(Exception):
    def __init__(self, status: int, reason: str) -> None:
        super().__init__(reason)
        self.status = status


class NewBrowser(BaseModel):
    person: str
    vapid_key: str


class BrowserPushApi:
    def __init__(self, state: SandboxState, phones: PhoneNetwork) -> None:
        self._state = state
        self._phones = phones

    def routes(self) -> list[Route]:
        return [
            Route("/_sandbox/browsers", self.subscribe, methods=["POST"]),
            Route("/webpush/{uuid}", self.receive, methods=["POST"]),
        ]

    async def subscribe(self, request: Request) -> Response:
        """201 `{token, endpoint, p256dh, auth, vapid_key}`, as `PushManager.subscribe` gives them."""
        wish = await read_body(request, NewBrowser)
        if len(_decode(wish.vapid_key)) != POINT_BYTES:
            raise HttpRefusal.because(400, f"vapid_key has to be a key of {POINT_BYTES} bytes")
        key = generate_private_key(SECP256R1())
        browsers = self._state.database.browsers
        browser = Browser(
            token=f"{wish.person}~browser{len(browsers.where(wish.person)) + 1}",
            person=wish.person,
            vapid_key=wish.vapid_key,
            private_key=key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode(),
            auth=_encode(secrets.token_bytes(16)),
        )
        browsers.save(browser)
        return JSONResponse(
            {
                "token": browser.token,
                "endpoint": f"{_origin(request)}/webpush/{browser.uuid}",
                "p256dh": _encode(key.public_key().public_bytes(Encoding.X962, PublicFormat.UncompressedPoint)),
                "auth": browser.auth,
                "vapid_key": browser.vapid_key,
            },
            201,
        )

    async def receive(self, request: Request) -> Response:
        """201 once the browser has it."""
        browser = self._state.database.browsers.get(request.path_params["uuid"])
        try:
            if browser is None:
                raise WebPushRefusal(404, "no such subscription")
            self._check_state(browser)
            self._authorise(request, browser)
            self._phones.save(self._decrypted(request, browser, await request.body()))
        except WebPushRefusal as refusal:
            token = browser.token if browser else None
            self._state.ledger.write(EntryType.PUSH_REFUSED, token=token, status=refusal.status, code=str(refusal))
            return JSONResponse({"reason": str(refusal)}, refusal.status)
        return Response(status_code=201, headers={"location": f"{_origin(request)}/webpush/messages/{new_uuid()}"})

    def _check_state(self, browser: Browser) -> None:
        device = self._state.database.devices.get(browser.token)
        if device and device.state == DeviceState.UNREGISTERED:
            raise WebPushRefusal(410, "the subscription has ended")
        if device and device.state == DeviceState.OTHER_SENDER:
            raise WebPushRefusal(403, "the key is not the one of the subscription")

    def _authorise(self, request: Request, browser: Browser) -> None:
        match = AUTHORIZATION.fullmatch(request.headers.get("authorization", ""))
        if match is None:
            raise WebPushRefusal(401, "authorization: vapid t=…, k=… is needed")
        if match["key"] != browser.vapid_key:
            raise WebPushRefusal(403, "the key is not the one of the subscription")
        try:
            point = EllipticCurvePublicKey.from_encoded_point(SECP256R1(), _decode(match["key"]))
            claims = jwt.decode(match["token"], ECKey.import_key(point), algorithms=["ES256"]).claims
        except (JoseError, ValueError):
            raise WebPushRefusal(403, "the token was not signed with the key") from None
        remaining = claims.get("exp", 0) - self._state.clock()
        if claims.get("aud") != _origin(request) or not 0 < remaining <= TOKEN_SECONDS_AT_MOST:
            raise WebPushRefusal(403, "the token is for another push service, over, or for too long")
        if not str(claims.get("sub", "")).startswith(("mailto:", "https:")):
            raise WebPushRefusal(403, "the token does not say whom to ask")

    def _decrypted(self, request: Request, browser: Browser, body: bytes) -> Push:
        if len(body) > BODY_BYTES_AT_MOST:
            raise WebPushRefusal(413, "the message is too large")
        headers = {name: request.headers.get(name, "") for name in ("ttl", "urgency", "topic", "content-encoding")}
        is_known = headers["content-encoding"] == "aes128gcm" and headers["urgency"] in ("", *URGENCIES)
        if not headers["ttl"].isdecimal() or not is_known or not TOPIC.fullmatch(headers["topic"] or "x"):
            raise WebPushRefusal(400, "a header is malformed")
        key = load_pem_private_key(browser.private_key.encode(), None)
        try:
            payload = json.loads(http_ece.decrypt(body, private_key=key, auth_secret=_decode(browser.auth)))
        except (http_ece.ECEException, ValueError):
            raise WebPushRefusal(400, "the message cannot be decrypted") from None
        return Push(
            at=self._state.clock(),
            person=browser.person,
            token=browser.token,
            key=headers["topic"] or payload.get("tag"),
            title=payload.get("title"),
            text=payload.get("body"),
            link=payload.get("link"),
            action=payload.get("type"),
            data={**headers, "silent": json.dumps(payload.get("silent"))},
            message=payload,
        )


def _origin(request: Request) -> str:
    parts = urlsplit(str(request.url))
    return f"{parts.scheme}://{parts.netloc}"


def _encode(content: bytes) -> str:
    return base64.urlsafe_b64encode(content).decode().rstrip("=")


def _decode(text: str) -> bytes:
    try:
        return base64.b64decode(text + "=" * (-len(text) % 4), b"-_", validate=True)
    except ValueError:
        return b""
