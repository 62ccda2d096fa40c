"""Bearer tokens that expire, and the endpoints that issue them."""

import hmac
import json
import secrets
from base64 import b64decode, urlsafe_b64decode, urlsafe_b64encode
from binascii import Error as Base64Error
from collections.abc import Mapping
from typing import Any
from urllib.parse import unquote

from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from deploy.sandbox.state.ledger import EntryType
from deploy.sandbox.state.state import SandboxState

INVALID_CLIENT = ("invalid_client", "Client authentication failed.")
MALFORMED = ("invalid_request", "The request is malformed.")
UNSUPPORTED = ("unsupported_grant_type", "Only client_credentials is offered.")


class Tokens:
    """Signed tokens of one service; nothing is stored."""

    def __init__(self, service: str, client_id: str, client_secret: str, state: SandboxState) -> None:
        self._service = service
        self._client = (client_id, client_secret)
        self._state = state

    async def answer(self, request: Request) -> Response:
        """`POST …/oauth2/token` with HTTP Basic, a form or JSON: a token, or an error as in RFC 6749."""
        parameters = await _parameters(request)
        if parameters is None:
            return _oauth_error(400, *MALFORMED)
        if not self._is_client(*client_of(request, parameters)):
            return _oauth_error(401, *INVALID_CLIENT)
        if parameters.get("grant_type") != "client_credentials":
            return _oauth_error(400, *UNSUPPORTED)
        self._state.ledger.write(EntryType.TOKEN_ISSUED, service=self._service)
        token = {"access_token": self.issue(), "token_type": "Bearer", "scope": self._service}
        lifetime = int(self._state.settings.token_lifetime)
        return JSONResponse({**token, "expires_in": lifetime}, headers={"cache-control": "no-store"})

    def issue(self) -> str:
        now = self._state.clock()
        expires = now + self._state.settings.token_lifetime
        claims = {"aud": [self._service], "iat": now, "exp": expires, "jti": secrets.token_hex(8)}
        body = f"{_encoded({'alg': 'HS256', 'typ': 'JWT'})}.{_encoded(claims)}"
        return f"{body}.{self._seal(body)}"

    def accepts(self, token: str) -> bool:
        body, _, seal = token.rpartition(".")
        if not hmac.compare_digest(seal.encode(), self._seal(body).encode()):
            return False
        claims = json.loads(urlsafe_b64decode(body.partition(".")[2] + "=="))
        return bool(claims["exp"] > self._state.clock() and claims["aud"] == [self._service])

    def _is_client(self, client_id: str, client_secret: str) -> bool:
        sent = f"{client_id}\n{client_secret}".encode()
        return hmac.compare_digest(sent, "\n".join(self._client).encode())

    def _seal(self, body: str) -> str:
        seal = hmac.digest(f"{self._service} {self._client[1]}".encode(), body.encode(), "sha256")
        return urlsafe_b64encode(seal).decode().rstrip("=")


def client_of(request: Request, parameters: Mapping[str, Any]) -> tuple[str, str]:
    """Id and secret of the client that calls a token end point."""
    return _basic(request.headers.get("authorization", "")) or (
        str(parameters.get("client_id", "")),
        str(parameters.get("client_secret", "")),
    )


def bearer(request: Request) -> str | None:
    scheme, _, token = request.headers.get("authorization", "").partition(" ")
    return token.strip() if scheme.lower() == "bearer" else None


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
