"""Tokens: the three ways to ask, what is refused, that they really expire, that each service has its own."""

from base64 import urlsafe_b64decode
from typing import Any

import pytest

from deploy.sandbox.server import running
from deploy.sandbox.state.settings import SandboxSettings
from tests.plain_http import plain_client
from tests.sandbox.clocks import HandClock
from tests.sandbox.conftest import Hands

TOKEN = "/tenants/acme/oauth2/token"
CLIENT = ("countersign", "sandbox-signature-secret")
GRANT = {"grant_type": "client_credentials"}
IN_BODY = {**GRANT, "client_id": CLIENT[0], "client_secret": CLIENT[1]}
WAYS: list[dict[str, Any]] = [{"data": GRANT, "auth": CLIENT}, {"data": IN_BODY}, {"json": IN_BODY}]


@pytest.mark.parametrize("way", WAYS, ids=["basic", "form", "json"])
async def test_each_way_gives_a_token_that_works(hands: Hands, way: dict[str, Any]) -> None:
    answer = await hands.http.post(TOKEN, **way)
    assert answer.status_code == 200
    assert answer.json()["expires_in"] == 900
    bearer = {"authorization": f"Bearer {answer.json()['access_token']}"}
    assert (await hands.http.get("/api/v1/documents/", headers=bearer)).status_code == 200


@pytest.mark.parametrize(
    ("way", "status", "error"),
    [
        ({"data": GRANT, "auth": ("countersign", "wrong")}, 401, "invalid_client"),
        ({"data": GRANT}, 401, "invalid_client"),
        ({"json": {**IN_BODY, "client_secret": "wrong"}}, 401, "invalid_client"),
        ({"data": {"grant_type": "password"}, "auth": CLIENT}, 400, "unsupported_grant_type"),
        ({"content": b"{", "headers": {"content-type": "application/json"}}, 400, "invalid_request"),
    ],
)
async def test_refusals_have_the_shape_of_rfc_6749(hands: Hands, way: dict[str, Any], status: int, error: str) -> None:
    answer = await hands.http.post(TOKEN, **way)
    assert (answer.status_code, answer.json()["error"]) == (status, error)
    assert answer.json()["error_description"]


async def test_an_unknown_tenant_is_refused_by_the_gateway(hands: Hands) -> None:
    answer = await hands.http.post("/tenants/other/oauth2/token", data=GRANT, auth=CLIENT)
    assert answer.status_code == 401
    assert answer.json()["fault"]["detail"]["errorcode"] == "oauth.v2.InvalidApiKey"


async def test_a_token_expires() -> None:
    clock = HandClock()
    async with running(SandboxSettings(token_lifetime=10, clock=clock)) as sandbox, plain_client() as http:
        bearer = {"authorization": f"Bearer {sandbox.core_signature.tokens.issue()}"}
        clock.now += 9.9
        assert (await http.get(f"{sandbox.url}/api/v1/events/", headers=bearer)).status_code == 200
        clock.now += 0.2
        answer = await http.get(f"{sandbox.url}/api/v1/events/", headers=bearer)
    assert answer.status_code == 401
    assert answer.json() == {"detail": "The token is invalid or has expired."}
    assert answer.headers["www-authenticate"].startswith("Bearer")


async def test_no_service_takes_the_other_ones_token(hands: Hands) -> None:
    push = {"authorization": f"Bearer {hands.sandbox.push.tokens.issue()}"}
    signature = {"authorization": f"Bearer {hands.sandbox.core_signature.tokens.issue()}"}
    assert (await hands.http.get("/api/v1/documents/", headers=push)).status_code == 401
    answer = await hands.http.post("/v1/projects/countersign/messages:send", json={}, headers=signature)
    assert (answer.status_code, answer.json()["error"]["status"]) == (401, "UNAUTHENTICATED")


@pytest.mark.parametrize("header", ["", "Basic x", "Bearer", "Bearer a.b.c", "Bearer ü.é"])
async def test_without_a_genuine_token_nothing_is_shown(hands: Hands, header: str) -> None:
    headers = {b"authorization": header.encode()}
    answer = await hands.http.get("/api/v1/documents/", headers=headers)
    assert answer.status_code == 401
    assert "detail" in answer.json()


async def test_a_token_cannot_be_altered(hands: Hands) -> None:
    token = hands.sandbox.core_signature.tokens.issue()
    head, claims, seal = token.split(".")
    assert b'"aud"' in urlsafe_b64decode(claims + "==")
    other_claims = hands.sandbox.core_signature.tokens.issue().split(".")[1]
    answer = await hands.http.get(
        "/api/v1/documents/", headers={"authorization": f"Bearer {head}.{other_claims}.{seal}"}
    )
    assert answer.status_code == 401


async def test_secrets_do_not_reach_the_ledger(hands: Hands) -> None:
    for way in WAYS:
        await hands.http.post(TOKEN, **way)
    text = str(await hands.ledger())
    assert text.count("'client_secret': '***'") == 2
    assert CLIENT[1] not in text
    assert len(await hands.ledger("token_issued")) == 3
