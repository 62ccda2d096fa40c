"""OAuth2: one token for all callers, renewed at 80 % of its life, and once after a refusal. authlib makes the request;
its own renewal lacks the first token, refusals, and shares of the lifetime.
"""

import asyncio
import json
import math
import ssl
import time
import warnings
from collections.abc import AsyncGenerator, Callable, Iterable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from functools import partial
from typing import Any, Final

import authlib.deprecate  # type: ignore[import-untyped]
import httpx
from authlib.common.errors import AuthlibBaseError  # type: ignore[import-untyped]
from authlib.common.urls import url_decode  # type: ignore[import-untyped]
from pydantic import SecretStr

from activities.http.client import (
    DEADLINE,
    HEADERS,
    TIMEOUT,
    Cause,
    ServiceFailure,
    counted,
    failure_of_error,
    failure_of_response,
    no_answer_within,
)
from activities.http.error_bodies import explain
from activities.http.transport import capped_transport

with warnings.catch_warnings():
    # It prefers httpx's continuation; which of the two we use is decided in one place, not by a warning.
    warnings.simplefilter("ignore", authlib.deprecate.AuthlibDeprecationWarning)
    from authlib.integrations.httpx_client import AsyncOAuth2Client  # type: ignore[import-untyped]

SHARE_OF_LIFE: Final = 0.8
UNSTATED_LIFE: Final = 300.0
"""Seconds of a token's life if the answer does not say."""
_OF_OTHERS: Final = frozenset({"THIRD_PARTY_AUTH_ERROR"})
"""A 401 of FCM that is about another party's credentials, not our token."""


class TokenAuth(StrEnum):
    """Client authentication at the token endpoint (docs/core-signature.md, Tokens)."""

    BASIC = "basic"
    BODY = "body"
    JSON = "json"
    NONE = "none"
    """The client names itself, and has no secret."""


class Grant(StrEnum):
    """`password` also needs a user's name and password."""

    CLIENT_CREDENTIALS = "client_credentials"
    PASSWORD = "password"  # noqa: S105  the word of RFC 6749, no secret


@dataclass(frozen=True)
class Credentials:
    """The token request. `scope` and `subscription` are sent if set."""

    token_url: str
    client_id: str
    client_secret: SecretStr
    token_auth: TokenAuth = TokenAuth.BASIC
    grant: Grant = Grant.CLIENT_CREDENTIALS
    scope: str | None = None
    subscription: str | None = None
    username: str | None = None
    password: SecretStr | None = None

    @property
    def parameters(self) -> dict[str, str]:
        """Fields of the token request besides the client's own."""
        password = self.password.get_secret_value() if self.password else None
        user = {"username": self.username, "password": password} if self.grant is Grant.PASSWORD else {}
        return {name: value for name, value in {**user, "subscription": self.subscription}.items() if value}

    @property
    def secrets(self) -> tuple[str, ...]:
        """Values that must never be shown."""
        stored_secrets = (self.client_secret, self.password)
        return tuple(secret.get_secret_value() for secret in stored_secrets if secret)


@dataclass(frozen=True)
class Token:
    value: str
    renew_at: float


class Bearer(httpx.Auth):
    """Adds a valid bearer token; one is requested at a time for all callers. A 401 about the token renews it and
    repeats the request once.
    """

    def __init__(
        self,
        service: str,
        credentials: Credentials,
        *,
        trust: ssl.SSLContext | None = None,
        transport: httpx.AsyncBaseTransport | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._service = f"{service} token"
        self._credentials = credentials
        self._trust = trust
        self._transport = transport
        self._clock = clock
        self._token: Token | None = None
        self._asking = asyncio.Lock()

    async def async_auth_flow(self, request: httpx.Request) -> AsyncGenerator[httpx.Request, httpx.Response]:
        token = await self._living()
        request.headers["authorization"] = f"Bearer {token.value}"
        response = yield request
        if response.status_code == httpx.codes.UNAUTHORIZED and await _is_of_the_token(response):
            token = await self._renewed(token)
            request.headers["authorization"] = f"Bearer {token.value}"
            yield request

    async def check(self) -> None:
        """Request a token now, for `doctor`; raises `ServiceFailure`."""
        await self._renewed(self._token)

    async def _living(self) -> Token:
        token = self._token
        if token is None or token.renew_at <= self._clock():
            token = await self._renewed(token)
        return token

    async def _renewed(self, worn: Token | None) -> Token:
        async with self._asking:
            if self._token is None or self._token is worn:
                self._token = await self.ask()
            return self._token

    async def ask(self) -> Token:
        """Request a token; raises `ServiceFailure`. Subclasses with another grant override this."""
        asked_at = self._clock()
        with counted(self._service, "token"):
            return self.token_of(await self._fetched(), asked_at)

    async def _fetched(self) -> Mapping[str, Any]:
        return await request_token(
            self._service,
            self._credentials,
            trust=self._trust,
            transport=self._transport,
            grant_type=self._credentials.grant.value,
            **self._credentials.parameters,
        )

    def token_of(self, answer: Mapping[str, Any], asked_at: float) -> Token:
        return Token(answer["access_token"], asked_at + SHARE_OF_LIFE * lifetime(answer.get("expires_in")))


async def request_token(
    service: str,
    credentials: Credentials,
    *,
    private: Iterable[str] = (),
    trust: ssl.SSLContext | None = None,
    transport: httpx.AsyncBaseTransport | None = None,
    **parameters: str,
) -> Mapping[str, Any]:
    """The answer of the token endpoint, with an `access_token`. Raises `ServiceFailure`, without secrets and `private`
    values.
    """
    try:
        async with (
            asyncio.timeout(DEADLINE),
            open_oauth_client(service, credentials, private=private, trust=trust, transport=transport) as client,
        ):
            answer: Mapping[str, Any] = await client.fetch_token(credentials.token_url, **parameters)
    except TimeoutError:
        raise no_answer_within(DEADLINE, service) from None
    except httpx.HTTPError as error:
        raise failure_of_error(service, error) from None
    except (AuthlibBaseError, ValueError, TypeError, OverflowError):
        raise _no_token(service, httpx.codes.OK) from None
    return answer


def open_oauth_client(
    service: str,
    credentials: Credentials,
    *,
    private: Iterable[str] = (),
    trust: ssl.SSLContext | None = None,
    transport: httpx.AsyncBaseTransport | None = None,
) -> Any:
    """A client of authlib, to be closed by whoever has opened it."""
    client = AsyncOAuth2Client(
        client_id=credentials.client_id,
        client_secret=credentials.client_secret.get_secret_value(),
        token_endpoint_auth_method=_METHODS[credentials.token_auth],
        scope=credentials.scope,
        transport=capped_transport(trust=trust, transport=transport),
        timeout=TIMEOUT,
        headers=HEADERS,
        trust_env=False,
        follow_redirects=False,
        code_challenge_method="S256",
    )
    client.register_client_auth_method((_METHODS[TokenAuth.JSON], _as_json))
    client.register_compliance_hook(
        "access_token_response", partial(_require_token, service, (*credentials.secrets, *private))
    )
    return client


def lifetime(expires_in: object) -> float:
    """Seconds by `expires_in`; `UNSTATED_LIFE` unless it is a finite number."""
    try:
        stated = float(expires_in)  # type: ignore[arg-type]  # what is no number is caught
    except (TypeError, ValueError, OverflowError):
        return UNSTATED_LIFE
    return stated if math.isfinite(stated) else UNSTATED_LIFE


def _require_token(service: str, private: Iterable[str], response: httpx.Response) -> httpx.Response:
    """authlib accepts any JSON object; without an `access_token` it is a failure."""
    if not response.is_success:
        raise failure_of_response(service, response, private)
    try:
        token = response.json()
    except ValueError:
        token = None
    if not (isinstance(token, dict) and isinstance(token.get("access_token"), str) and token["access_token"]):
        raise _no_token(service, response.status_code)
    return response


def _no_token(service: str, status: int) -> ServiceFailure:
    return ServiceFailure(service, Cause.UNREADABLE, "expected a token, got something else", status=status)


async def _is_of_the_token(refusal: httpx.Response) -> bool:
    return explain(await refusal.aread()).error_code not in _OF_OTHERS


_METHODS: Final = {
    TokenAuth.BASIC: "client_secret_basic",
    TokenAuth.BODY: "client_secret_post",
    TokenAuth.JSON: "client_secret_json",
    TokenAuth.NONE: "none",
}


def _as_json(client: Any, _: str, url: str, headers: Any, body: bytes) -> tuple[str, Any, bytes]:
    fields = dict(url_decode(body.decode()))
    headers["Content-Type"] = "application/json"
    secret = {"client_id": client.client_id, "client_secret": client.client_secret}
    return url, headers, json.dumps({**fields, **secret}).encode()
