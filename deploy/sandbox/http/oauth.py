"""Bearer tokens that expire, and the endpoints that issue them."""

import hmac
import json
import secrets
from base64 import b64decode, urlsafe_b64decode, urlsafe_b64encode
from binascii import Error as Base64Error
from typing import Any
from urllib.parse import quote, unquote

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.types import ASGIApp, Receive, Scope, Send

from deploy.sandbox.state.ledger import EntryType, SandboxLedger
from deploy.sandbox.state.settings import Clock, SandboxSettings

INVALID_CLIENT = ("invalid_client", "Client authentication failed.")
MALFORMED = ("invalid_request", "The request is malformed.")
UNSUPPORTED = ("unsupported_grant_type", "Only client_credentials is offered.")


class Tokens:
    """Signed tokens of one service; nothing is stored."""

    def __init__(self, service: str, client_id: str, client_secret: str, settings: SandboxSettings) -> None:
        self.service = service
        self._client = (client_id, client_secret)
        self._lifetime = settings.token_lifetime
        self._clock = settings.clock

    def issue(self) -> str:
        now = self._clock()
        claims = {"aud": [self.service], "iat": now, "exp": now + self._lifetime, "jti": secrets.token_hex(8)}
        body = f"{_encoded({'alg': 'HS256', 'typ': 'JWT'})}.{_encoded(claims)}"
        return f"{body}.{self._seal(body)}"

    def accepts(self, token: str) -> bool:
        body, _, seal = token.rpartition(".")
        if not hmac.compare_digest(seal.encode(), self._seal(body).encode()):
            return False
        claims = json.loads(urlsafe_b64decode(body.partition(".")[2] + "=="))
        return bool(claims["exp"] > self._clock() and claims["aud"] == [self.service])

    def knows(self, client_id: str, client_secret: str) -> bool:
        given = f"{client_id}\n{client_secret}".encode()
        return hmac.compare_digest(given, "\n".join(self._client).encode())

    def _seal(self, body: str) -> str:
        seal = hmac.digest(f"{self.service} {self._client[1]}".encode(), body.encode(), "sha256")
        return urlsafe_b64encode(seal).decode().rstrip("=")


class TokenEndpoint:
    """`POST …/oauth2/token` with HTTP Basic, a form body or a JSON body."""

    def __init__(self, tokens: Tokens, ledger: SandboxLedger, lifetime: float) -> None:
        self._tokens = tokens
        self._ledger = ledger
        self._lifetime = lifetime

    async def answer(self, request: Request) -> Response:
        """A token, or an error as in RFC 6749."""
        parameters = await _parameters(request)
        if parameters is None:
            return _oauth_error(400, *MALFORMED)
        client = _basic(request.headers.get("authorization", "")) or (
            str(parameters.get("client_id", "")),
            str(parameters.get("client_secret", "")),
        )
        if not self._tokens.knows(*client):
            return _oauth_error(401, *INVALID_CLIENT)
        if parameters.get("grant_type") != "client_credentials":
            return _oauth_error(400, *UNSUPPORTED)
        self._ledger.write(EntryType.TOKEN_ISSUED, service=self._tokens.service)
        return JSONResponse(
            {
                "access_token": self._tokens.issue(),
                "token_type": "Bearer",
                "expires_in": int(self._lifetime),
                "scope": self._tokens.service,
            },
            headers={"cache-control": "no-store"},
        )


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


def bearer(request: Request) -> str | None:
    scheme, _, token = request.headers.get("authorization", "").partition(" ")
    return token.strip() if scheme.lower() == "bearer" else None


def unknown_tenant() -> Response:
    """The gateway's own refusal (Apigee's shape)."""
    fault = {"faultstring": "Invalid ApiKey", "detail": {"errorcode": "oauth.v2.InvalidApiKey"}}
    return JSONResponse({"fault": fault}, 401)


def _encoded(value: dict[str, Any]) -> str:
    return urlsafe_b64encode(json.dumps(value).encode()).decode().rstrip("=")


def _oauth_error(status: int, error: str, description: str) -> Response:
    return JSONResponse({"error": error, "error_description": description}, status, {"cache-control": "no-store"})


async def _parameters(request: Request) -> dict[str, Any] | None:
    if request.headers.get("content-type", "").startswith("application/json"):
        try:
            body = await request.json()
        except ValueError:
            return None
        return body if isinstance(body, dict) else None
    return dict(await request.form())


def _basic(header: str) -> tuple[str, str] | None:
    scheme, _, encoded = header.partition(" ")
    if scheme.lower() != "basic":
        return None
    try:
        name, _, secret = b64decode(encoded, validate=True).decode().partition(":")
    except (Base64Error, UnicodeDecodeError):
        return ("", "")
    # RFC 6749 2.3.1: both parts are form-encoded before they are joined.
    return unquote(name), unquote(secret)


class DownloadLinks:
    """Temporary `/dl/…` paths, which work without a bearer."""

    def __init__(self, secret: str, lifetime: float, clock: Clock) -> None:
        self._secret = secret.encode()
        self._lifetime = lifetime
        self._clock = clock

    def issue(self, content: str, file_name: str) -> str:
        # Microseconds, since whole seconds would shorten a link's life, and a nonce, since each read renews it.
        claim = f"{content}.{int((self._clock() + self._lifetime) * 1_000_000)}.{secrets.token_hex(4)}"
        return f"/dl/{claim}.{self._seal(claim)}/{quote(file_name, safe='')}"

    def content(self, token: str) -> str | None:
        """The SHA-256 behind a genuine, unexpired token, else None."""
        claim, _, seal = token.rpartition(".")
        if not hmac.compare_digest(seal.encode(), self._seal(claim).encode()):
            return None
        content, deadline, _ = claim.split(".")
        return content if int(deadline) > self._clock() * 1_000_000 else None

    def _seal(self, claim: str) -> str:
        return urlsafe_b64encode(hmac.digest(self._secret, b"link " + claim.encode(), "sha256")).decode().rstrip("=")
