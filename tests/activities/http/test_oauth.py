"""Tokens: asked for in each of the tenant's ways, renewed in time, and never by a crowd."""

import asyncio
import json
from base64 import b64decode
from contextlib import aclosing
from dataclasses import dataclass, field, replace
from urllib.parse import parse_qs

import httpx
import pytest
from pydantic import SecretStr

from activities.http.client import Cause, Service, ServiceFailure, make_client
from activities.http.oauth import UNSTATED_LIFE, Bearer, Credentials, Grant, TokenAuth, lifetime
from deploy.sandbox.server import RunningSandbox, running
from deploy.sandbox.state.settings import SandboxSettings
from tests.activities.fault_table import DONE, FAULTS, LATE, OF_A_TOKEN_END_POINT, SHORT, arm_always, ending

CREDENTIALS = Credentials("https://login.test/tenants/acme/oauth2/token", "the-id", SecretStr("the&secret"))
EVENTS = "/api/v1/events/"


@dataclass
class Provider:
    """A token endpoint and an API that accepts only the newest token; it remembers what reached it."""

    life: object = 900
    refuse_all: bool = False
    tokens: list[httpx.Request] = field(default_factory=list)
    calls: list[str] = field(default_factory=list)
    now: float = 0

    async def answer(self, request: httpx.Request) -> httpx.Response:
        """The answer, after a turn of the loop."""
        await asyncio.sleep(0)
        if request.url.path.endswith("/token"):
            self.tokens.append(request)
            return httpx.Response(
                200, json={"access_token": f"token-{len(self.tokens)}", "token_type": "bearer", "expires_in": self.life}
            )
        self.calls.append(request.headers["authorization"])
        accepted = not self.refuse_all and self.calls[-1] == f"Bearer token-{len(self.tokens)}"
        return httpx.Response(200 if accepted else 401, json={})

    def service(self, credentials: Credentials = CREDENTIALS) -> Service:
        """A client of the API."""
        transport = httpx.MockTransport(self.answer)
        bearer = Bearer("the service", credentials, transport=transport, clock=lambda: self.now)
        return Service("the service", "https://api.test", make_client(auth=bearer, transport=transport))

    @property
    def form(self) -> dict[str, str]:
        """The last token request's fields."""
        return {name: values[0] for name, values in parse_qs(self.tokens[-1].content.decode()).items()}


async def test_the_client_shows_who_it_is_by_basic() -> None:
    provider = Provider()
    await provider.service(replace(CREDENTIALS, scope="sign", subscription="gold")).call("GET", "/")
    scheme, _, encoded = provider.tokens[0].headers["authorization"].partition(" ")
    assert (scheme, b64decode(encoded)) == ("Basic", b"the-id:the&secret")
    assert provider.form == {"grant_type": "client_credentials", "scope": "sign", "subscription": "gold"}


async def test_or_in_the_body() -> None:
    provider = Provider()
    await provider.service(replace(CREDENTIALS, token_auth=TokenAuth.BODY)).call("GET", "/")
    assert "authorization" not in provider.tokens[0].headers
    assert provider.form == {
        "grant_type": "client_credentials",
        "client_id": "the-id",
        "client_secret": "the&secret",
    }


async def test_or_as_json() -> None:
    provider = Provider()
    await provider.service(replace(CREDENTIALS, token_auth=TokenAuth.JSON, scope="sign")).call("GET", "/")
    [request] = provider.tokens
    assert request.headers["content-type"] == "application/json"
    assert json.loads(request.content) == {
        "grant_type": "client_credentials",
        "scope": "sign",
        "client_id": "the-id",
        "client_secret": "the&secret",
    }


async def test_a_user_s_password_is_sent_when_the_grant_says_so() -> None:
    provider = Provider()
    credentials = replace(
        CREDENTIALS, token_auth=TokenAuth.BODY, grant=Grant.PASSWORD, username="robot", password=SecretStr("pass word")
    )
    await provider.service(credentials).call("GET", "/")
    assert provider.form == {
        "grant_type": "password",
        "username": "robot",
        "password": "pass word",
        "client_id": "the-id",
        "client_secret": "the&secret",
    }


@pytest.mark.parametrize(("life", "renewed_after"), [(900, 720), (2, 1.6), ("900", 720), (None, 240)])
async def test_a_token_is_renewed_at_four_fifths_of_its_life(life: object, renewed_after: float) -> None:
    provider = Provider(life=life)
    service = provider.service()
    await service.call("GET", "/")
    provider.now = renewed_after - 0.01
    await service.call("GET", "/")
    assert len(provider.tokens) == 1
    provider.now = renewed_after
    await service.call("GET", "/")
    assert provider.calls == ["Bearer token-1", "Bearer token-1", "Bearer token-2"]


async def test_fifty_calls_at_expiry_ask_for_one_token() -> None:
    provider = Provider()
    service = provider.service()
    await asyncio.gather(*(service.call("GET", "/") for _ in range(50)))
    assert len(provider.tokens) == 1
    provider.now = 800
    await asyncio.gather(*(service.call("GET", "/") for _ in range(50)))
    assert len(provider.tokens) == 2
    assert set(provider.calls[50:]) == {"Bearer token-2"}


async def test_a_refused_token_is_renewed_once_and_then_believed_refused() -> None:
    provider = Provider(refuse_all=True)
    with pytest.raises(ServiceFailure) as caught:
        await provider.service().call("GET", "/")
    assert caught.value.status == 401
    assert provider.calls == ["Bearer token-1", "Bearer token-2"]


async def test_a_body_is_sent_again_with_the_fresh_token() -> None:
    bodies: list[bytes] = []

    def answer(request: httpx.Request) -> httpx.Response:
        if request.url.path.endswith("/token"):
            return httpx.Response(200, json={"access_token": "t"})
        bodies.append(request.content)
        return httpx.Response(401 if len(bodies) == 1 else 201, json={})

    transport = httpx.MockTransport(answer)
    client = make_client(auth=Bearer("x", CREDENTIALS, transport=transport), transport=transport)
    assert (await Service("x", "https://api.test", client).call("POST", "/", json={"a": 1})).status == 201
    assert bodies == [b'{"a":1}', b'{"a":1}']


@pytest.mark.parametrize(
    ("answer", "cause", "message", "code"),
    [
        (
            httpx.Response(401, json={"error": "invalid_client", "error_description": "Bad secret the&secret"}),
            Cause.STATUS,
            "invalid_client: Bad secret [redacted]",
            "invalid_client",
        ),
        (
            httpx.Response(
                401,
                json={"fault": {"faultstring": "Invalid ApiKey", "detail": {"errorcode": "oauth.v2.InvalidApiKey"}}},
            ),
            Cause.STATUS,
            "Invalid ApiKey",
            "oauth.v2.InvalidApiKey",
        ),
        (httpx.Response(200, text="<html>"), Cause.UNREADABLE, "expected a token, got something else", None),
        (httpx.Response(200, json=["token"]), Cause.UNREADABLE, "expected a token, got something else", None),
        (httpx.Response(200, json={"token": "t"}), Cause.UNREADABLE, "expected a token, got something else", None),
        (
            httpx.Response(200, json={"access_token": "t", "expires_in": "soon"}),
            Cause.UNREADABLE,
            "expected a token, got something else",
            None,
        ),
        (
            httpx.Response(200, text='{"access_token": "t", "expires_in": Infinity}'),
            Cause.UNREADABLE,
            "expected a token, got something else",
            None,
        ),
        (
            httpx.Response(200, json={"access_token": "t", "error": "odd"}),
            Cause.UNREADABLE,
            "expected a token, got something else",
            None,
        ),
        (httpx.Response(302, headers={"location": "https://evil.test"}), Cause.STATUS, "an empty body", None),
    ],
)
async def test_no_token_is_a_failure_of_the_token_end_point(
    answer: httpx.Response, cause: Cause, message: str, code: str | None
) -> None:
    transport = httpx.MockTransport(lambda _: answer)
    bearer = Bearer("the service", CREDENTIALS, transport=transport)
    with pytest.raises(ServiceFailure) as caught:
        await bearer.check()
    failure = caught.value
    assert (failure.service, failure.cause, failure.explanation) == ("the service token", cause, message)
    assert failure.error_code == code


async def test_nobody_at_the_token_end_point_is_no_answer() -> None:
    def answer(_: httpx.Request) -> httpx.Response:
        raise httpx.ConnectError("refused")

    bearer = Bearer("the service", CREDENTIALS, transport=httpx.MockTransport(answer))
    with pytest.raises(ServiceFailure) as caught:
        await bearer.check()
    assert caught.value.cause is Cause.NO_ANSWER


@pytest.mark.parametrize("fault", FAULTS)
async def test_each_fault_of_the_token_end_point_ends_the_call_that_needs_a_token(fault: str) -> None:
    end = OF_A_TOKEN_END_POINT[fault]
    async with running(SandboxSettings()) as sandbox, aclosing(service_of(sandbox)) as called:
        arm_always(sandbox, fault, "*/oauth2/token")
        assert await ending(called.call("GET", EVENTS, deadline=SHORT if fault in LATE else None)) == end
        paths = requests(sandbox)
        assert paths.count(EVENTS) == (1 if end == DONE else 0), "called without a token"
        assert len(paths) - paths.count(EVENTS) <= 1, "asked for a token again and again"
        sandbox.state.faults.clear()
        assert await ending(called.call("GET", EVENTS)) == DONE, "it does not mend by itself"


def service_of(sandbox: RunningSandbox) -> Service:
    """A client of the sandbox's Core Signature."""
    settings = sandbox.state.settings
    token_url = f"{sandbox.url}/tenants/{settings.tenant}/oauth2/token"
    bearer = Bearer("x", Credentials(token_url, settings.client_id, SecretStr(settings.client_secret)))
    return Service("x", sandbox.url, make_client(auth=bearer))


def requests(sandbox: RunningSandbox) -> list[str]:
    """The paths that were asked for."""
    return [entry["path"] for entry in sandbox.state.ledger.list_entries_after(0) if entry["type"] == "request"]


def test_secrets_are_not_shown() -> None:
    assert "the&secret" not in repr(CREDENTIALS)


@pytest.mark.parametrize("stated", ["nan", "inf", float("nan"), float("-inf"), 10**400, None, "soon", []])
def test_a_token_whose_life_is_no_finite_number_is_renewed_all_the_same(stated: object) -> None:
    assert lifetime(stated) == UNSTATED_LIFE


async def test_a_401_that_is_not_about_our_token_is_the_answer() -> None:
    """FCM says so of the key that it has of us for Apple."""
    details = [{"@type": "type.googleapis.com/google.firebase.fcm.v1.FcmError", "errorCode": "THIRD_PARTY_AUTH_ERROR"}]
    paths: list[str] = []

    def answer(request: httpx.Request) -> httpx.Response:
        paths.append(request.url.path)
        if request.url.path.endswith("/token"):
            return httpx.Response(200, json={"access_token": "t"})
        return httpx.Response(401, json={"error": {"code": 401, "status": "UNAUTHENTICATED", "details": details}})

    transport = httpx.MockTransport(answer)
    client = make_client(auth=Bearer("x", CREDENTIALS, transport=transport), transport=transport)
    for _ in range(3):
        with pytest.raises(ServiceFailure) as caught:
            await Service("x", "https://api.test", client).call("POST", "/send", json={})
        assert (caught.value.status, caught.value.error_code) == (401, "THIRD_PARTY_AUTH_ERROR")
    assert paths == ["/tenants/acme/oauth2/token", "/send", "/send", "/send"]
