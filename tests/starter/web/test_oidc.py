"""Tokens of the company's issuer: what counts, whatever is wrong with one, and an issuer that is away."""

import asyncio
import time
from collections.abc import AsyncIterator
from typing import Any

import pytest
from structlog.testing import capture_logs

from starter.config.settings import OidcSettings
from starter.web.http.oidc import (
    ASKED_EVERY,
    CLOCKS_APART,
    KEYS_AT_MOST,
    KEYS_FOR,
    KEYS_WITHOUT_ISSUER_FOR,
    TOKEN_AT_MOST,
    Issuer,
    IssuerUnavailable,
    RefusedToken,
)
from tests.starter.web.issuing import AUDIENCE, FIRST, MISUSED, SECOND, SHARED, OpenIssuer, open_issuer

WHO = "ops@supplier.test"


class Watch:
    """Seconds that pass when told."""

    seconds = 1_000.0

    def __call__(self) -> float:
        return self.seconds


@pytest.fixture
async def issuer() -> AsyncIterator[OpenIssuer]:
    async with open_issuer() as running_issuer:
        yield running_issuer


def make_verifier(issuer: OpenIssuer, waiting: Watch | None = None, **settings: str) -> Issuer:
    return Issuer(OidcSettings(issuer=issuer.url, audience=AUDIENCE, **settings), seconds=waiting or Watch())


async def test_a_genuine_token_says_who_it_is_and_the_keys_are_asked_for_once(issuer: OpenIssuer) -> None:
    verifier = make_verifier(issuer)
    for _ in range(3):
        assert await verifier.identify(issuer.token(email=WHO)) == WHO
    assert await verifier.identify(issuer.token(email=WHO, aud=["others", AUDIENCE], iss=f"{issuer.url}/")) == WHO
    assert issuer.request_count == 1


async def test_many_callers_at_once_ask_the_issuer_once(issuer: OpenIssuer) -> None:
    waiting = Watch()
    verifier, token = make_verifier(issuer, waiting), issuer.token(email=WHO)
    for request_count in (1, 2):
        assert await asyncio.gather(*(verifier.identify(token) for _ in range(50))) == [WHO] * 50
        assert issuer.request_count == request_count
        waiting.seconds += KEYS_FOR


@pytest.mark.parametrize("verified", [True, "true"])
async def test_a_verified_address_counts(issuer: OpenIssuer, verified: object) -> None:
    assert await make_verifier(issuer).identify(issuer.token(email=WHO, email_verified=verified)) == WHO


async def test_another_claim_may_say_it(issuer: OpenIssuer) -> None:
    assert await make_verifier(issuer, claim="sub").identify(issuer.token(sub="operator")) == "operator"


def make_claims_from_now(claims: dict[str, Any]) -> dict[str, Any]:
    """Seconds of a claim counted from now."""
    return {
        name: int(time.time()) + value if isinstance(value, int) and name in TIMES else value
        for name, value in claims.items()
    }


TIMES = ("exp", "nbf", "iat")


@pytest.mark.parametrize(
    "claims",
    [
        {"iss": "https://other.test"},
        {"iss": None},
        {"aud": "others"},
        {"aud": []},
        {"aud": None},
        {"exp": None},
        {"exp": "soon"},
        {"exp": -CLOCKS_APART - 5},
        {"nbf": CLOCKS_APART + 30},
        {"iat": CLOCKS_APART + 30},
        {"email": None},
        {"email": " "},
        {"email": [WHO]},
        {"email_verified": False},
        {"email_verified": "false"},
    ],
)
async def test_a_token_that_does_not_say_it_does_not_count(issuer: OpenIssuer, claims: dict[str, Any]) -> None:
    with pytest.raises(RefusedToken) as refused:
        await make_verifier(issuer).identify(issuer.token(**{"email": WHO, **make_claims_from_now(claims)}))
    assert WHO not in str(refused.value)


@pytest.mark.parametrize("claims", [{"exp": -CLOCKS_APART + 20}, {"nbf": CLOCKS_APART - 20}])
async def test_clocks_may_differ_by_a_minute(issuer: OpenIssuer, claims: dict[str, Any]) -> None:
    assert await make_verifier(issuer).identify(issuer.token(email=WHO, **make_claims_from_now(claims))) == WHO


async def test_what_the_issuer_has_not_signed_does_not_count(issuer: OpenIssuer) -> None:
    verifier, genuine = make_verifier(issuer), issuer.token(email=WHO)
    head, body, signature = genuine.split(".")
    forged = [
        *("", "x", "a.b.c", "..", f"{head}.{body}.", f"{head}.{body}", f"{genuine}.x", "é.é.é"),
        f"{head}.{body}.{signature[::-1]}",
        f"{head}.{issuer.token(email='boss@supplier.test').split('.')[1]}.{signature}",
        f"eyJhbGciOiJub25lIn0.{body}.",
        issuer.token(SECOND, "ES256", email=WHO),
        issuer.token(MISUSED, email=WHO),
        issuer.token(SHARED, "HS256", email=WHO),
        "x" * 10 * TOKEN_AT_MOST,
    ]
    for token in forged:
        with pytest.raises(RefusedToken):
            await verifier.identify(token)
    assert await verifier.identify(genuine) == WHO
    assert issuer.request_count == 1, "however many unknown keys are named"


async def test_a_new_key_is_asked_for_and_an_old_one_ends(issuer: OpenIssuer) -> None:
    waiting = Watch()
    verifier = make_verifier(issuer, waiting)
    assert await verifier.identify(issuer.token(email=WHO)) == WHO
    issuer.keys = [SECOND]
    assert await verifier.identify(issuer.token(email=WHO)) == WHO, "for as long as it is not asked again"
    waiting.seconds += ASKED_EVERY
    assert await verifier.identify(issuer.token(SECOND, "ES256", email=WHO)) == WHO
    with pytest.raises(RefusedToken):
        await verifier.identify(issuer.token(FIRST, email=WHO))
    waiting.seconds += KEYS_FOR
    assert await verifier.identify(issuer.token(SECOND, "ES256", email=WHO)) == WHO
    assert issuer.request_count == 3


async def test_while_the_issuer_is_away_its_last_keys_count_for_a_day(issuer: OpenIssuer) -> None:
    waiting = Watch()
    verifier = make_verifier(issuer, waiting)
    issuer.is_away = True
    with capture_logs() as logs, pytest.raises(IssuerUnavailable):
        await verifier.identify(issuer.token(email=WHO))
    assert logs[0]["event"] == "the issuer's keys cannot be read"
    issuer.is_away = False
    with pytest.raises(IssuerUnavailable):
        await verifier.identify(issuer.token(email=WHO))
    waiting.seconds += ASKED_EVERY
    assert await verifier.identify(issuer.token(email=WHO)) == WHO
    issuer.is_away = True
    waiting.seconds += KEYS_WITHOUT_ISSUER_FOR - 1
    assert await verifier.identify(issuer.token(email=WHO)) == WHO
    waiting.seconds += ASKED_EVERY
    with pytest.raises(IssuerUnavailable):
        await verifier.identify(issuer.token(email=WHO))


@pytest.mark.parametrize(
    "overrides",
    [
        {"issuer": "https://other.test"},
        {"jwks_uri": None},
        {"jwks_uri": "http://keys.example/keys"},
        {"jwks_uri": "file:///etc/passwd"},
        {"jwks_uri": "http://[::1"},
        {"jwks_uri": "http://127.0.0.1:1/keys"},
    ],
)
async def test_an_issuer_that_says_nonsense_of_itself_is_away(issuer: OpenIssuer, overrides: dict[str, Any]) -> None:
    issuer.overrides = overrides
    with pytest.raises(IssuerUnavailable):
        await make_verifier(issuer).identify(issuer.token(email=WHO))


async def test_of_ten_times_as_many_keys_as_are_kept_the_first_count(issuer: OpenIssuer) -> None:
    issuer.keys = [FIRST] * KEYS_AT_MOST + [SECOND] * 9 * KEYS_AT_MOST
    verifier = make_verifier(issuer)
    assert await verifier.identify(issuer.token(email=WHO)) == WHO
    with pytest.raises(RefusedToken):
        await verifier.identify(issuer.token(SECOND, "ES256", email=WHO))
