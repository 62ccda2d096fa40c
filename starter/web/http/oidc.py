"""Tokens of the company's OpenID issuer: who somebody is that signs in, or calls us from another page or program.

A token counts that the issuer has signed for our audience and that is not over. What the issuer says of itself, with
its keys, is asked for at the first token, again after an hour, and for a key that is not known; while it is away its
last answer counts for a day.
"""

import asyncio
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final
from urllib.parse import SplitResult, urlsplit

import structlog
from joserfc import jwt
from joserfc.errors import JoseError
from joserfc.jwk import JWKRegistry, Key, KeySet

from activities.http.client import Service, ServiceFailure, make_client
from starter.config.settings import OidcSettings
from starter.config.values import is_loopback
from starter.errors import Refusal

ALGORITHMS: Final = ("RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "ES512")
"""Signatures by a pair of keys: with a shared one, whoever knows the public keys could sign."""
CLOCKS_APART: Final = 60
"""Seconds by which the issuer's clock may differ from ours."""
TOKEN_AT_MOST: Final = 16 * 1024
KEYS_AT_MOST: Final = 50
KEYS_FOR: Final = 3600.0
"""Seconds until the keys are asked for again."""
KEYS_WITHOUT_ISSUER_FOR: Final = 86_400.0
ASKED_EVERY: Final = 60.0
"""Seconds between two questions, however many unknown keys are named and however long it is away."""
ISSUED_WITHIN: Final = 120
"""Seconds since a token was issued that somebody signs in with just now, beside `CLOCKS_APART`."""
GROUPS_AT_MOST: Final = 200
"""Of a token's groups, those that are read."""
_GROUP_LENGTH: Final = 200
_CLAIM_LENGTH: Final = 500
_LOGOUT_EVENT: Final = "http://schemas.openid.net/event/backchannel-logout"
_ASKED_WITHIN: Final = 5.0
_DISCOVERY: Final = "/.well-known/openid-configuration"
_PUBLIC: Final = ("RSA", "EC")
_LOGGER: Final = structlog.get_logger("countersign.oidc")


class RefusedToken(Exception):
    """The token says nothing that counts; the text is for the log and has nothing of it."""


class IssuerUnavailable(Exception):
    """Nobody can be believed now: the keys have never been read, or for too long."""


@dataclass(frozen=True)
class Provider:
    """What an issuer says of itself: its public keys for signatures, and its end points, empty for those that it does
    not have.
    """

    keys: KeySet
    authorization: str = ""
    token: str = ""
    end_session: str = ""
    device_authorization: str = ""


@dataclass(frozen=True)
class IdToken:
    """`identity` is what the claim `OIDC_CLAIM` says, `text` the token itself."""

    identity: str
    subject: str
    sid: str | None
    groups: tuple[str, ...]
    expires_at: float
    text: str


@dataclass(frozen=True)
class LogoutToken:
    """The issuer has signed out one of its sessions, or all of a subject; `id` is the token's own."""

    id: str
    sid: str | None
    subject: str | None


class Issuer:
    """`clock` is the time of tokens, `seconds` that of our waiting."""

    def __init__(
        self,
        settings: OidcSettings,
        *,
        clock: Callable[[], float] = time.time,
        seconds: Callable[[], float] = time.monotonic,
    ) -> None:
        self._issuer = settings.issuer
        self._audience = settings.audience
        self._client_id = settings.client_id
        self._claim = settings.claim
        self._clock = clock
        self._seconds = seconds
        self._last_answer: _ProviderAnswer | None = None
        self._asked_at = float("-inf")
        self._asking = asyncio.Lock()

    async def identify(self, token: str) -> str:
        """What the claim of a genuine bearer token says, such as an e-mail address. Raises `RefusedToken`,
        `IssuerUnavailable`.
        """
        return self._identity_of(await self._claims(token, self._audience))

    async def read_id_token(self, token: str, *, nonce: str | None = None) -> IdToken:
        """Of a sign-in that has begun with this `nonce` just now; without one, of an earlier sign-in. Raises as
        `identify`.
        """
        rules = {"iat": {"essential": True}, **({"nonce": {"essential": True, "value": nonce}} if nonce else {})}
        claims = await self._claims(token, self._client_id, rules)
        if claims.get("azp", self._client_id) != self._client_id:
            raise RefusedToken("it was made for another client")
        if nonce and self._clock() - claims["iat"] > ISSUED_WITHIN + CLOCKS_APART:
            raise RefusedToken("it was made too long ago")
        subject, groups = _text_of(claims, "sub"), claims.get("groups")
        if subject is None:
            raise RefusedToken("no claim sub")
        listed = groups[:GROUPS_AT_MOST] if isinstance(groups, list) else []
        names = tuple(name for name in listed if isinstance(name, str) and 0 < len(name) <= _GROUP_LENGTH)
        return IdToken(self._identity_of(claims), subject, _text_of(claims, "sid"), names, float(claims["exp"]), token)

    async def read_logout_token(self, token: str) -> LogoutToken:
        """By OpenID Connect Back-Channel Logout 1.0. Raises as `identify`."""
        rules = {"iat": {"essential": True}, "jti": {"essential": True}, "events": {"essential": True}}
        claims = await self._claims(token, self._client_id, rules)
        sid, subject, events = _text_of(claims, "sid"), _text_of(claims, "sub"), claims["events"]
        if not isinstance(events, dict) or _LOGOUT_EVENT not in events or "nonce" in claims:
            raise RefusedToken("not a logout token")
        if not sid and not subject:
            raise RefusedToken("it names no session and nobody")
        return LogoutToken(_text_of(claims, "jti") or "", sid, subject)

    async def provider(self) -> Provider:
        """What the issuer says of itself. Raises `IssuerUnavailable`."""
        return await self._current()

    def _identity_of(self, claims: Mapping[str, Any]) -> str:
        identity = claims.get(self._claim)
        if not isinstance(identity, str) or not identity.strip():
            raise RefusedToken(f"no claim {self._claim}")
        # Some issuers write it as a text.
        if self._claim == "email" and str(claims.get("email_verified", True)).lower() != "true":
            raise RefusedToken("the address is not verified")
        return identity.strip()

    async def _claims(self, token: str, audience: str, rules: Mapping[str, Any] | None = None) -> Mapping[str, Any]:
        """Those of a genuine token for this audience."""
        if len(token) > TOKEN_AT_MOST or token.count(".") != 2:
            raise RefusedToken("not a signed token")
        return self._valid(await self._signed(token), audience, rules or {})

    async def _signed(self, token: str) -> dict[str, Any]:
        try:
            return _opened(token, (await self._current()).keys)
        except _UnknownKey:
            # The issuer may have changed its keys since.
            return _opened(token, (await self._current(anew=True)).keys)

    def _valid(self, claims: dict[str, Any], audience: str, further: Mapping[str, Any]) -> Mapping[str, Any]:
        rules = jwt.JWTClaimsRegistry(
            now=lambda: int(self._clock()),
            leeway=CLOCKS_APART,
            iss={"essential": True, "values": [self._issuer, f"{self._issuer}/"]},
            aud={"essential": True, "value": audience},
            exp={"essential": True},
            **further,
        )
        try:
            rules.validate(claims)
        except (JoseError, ValueError, TypeError, OverflowError) as error:
            raise RefusedToken(f"its claims do not count: {type(error).__name__}") from None
        return claims

    async def _current(self, *, anew: bool = False) -> Provider:
        if self._last_answer is None or anew or self._seconds() - self._last_answer.at >= KEYS_FOR:
            # Whoever has an answer that still counts waits for nobody who asks.
            if self._counts and not anew and self._asking.locked():
                return self._counts
            async with self._asking:
                await self._ask()
        if provider := self._counts:
            return provider
        raise IssuerUnavailable

    @property
    def _counts(self) -> Provider | None:
        """What it said last, if that is not too old."""
        answer = self._last_answer
        return answer.provider if answer and self._seconds() - answer.at < KEYS_WITHOUT_ISSUER_FOR else None

    async def _ask(self) -> None:
        """Once in `ASKED_EVERY`."""
        if self._seconds() - self._asked_at < ASKED_EVERY:
            return
        self._asked_at = self._seconds()
        try:
            async with asyncio.timeout(_ASKED_WITHIN):
                self._last_answer = _ProviderAnswer(await discover(self._issuer), self._seconds())
        except (ServiceFailure, TimeoutError, IssuerUnusable) as failure:
            _LOGGER.warning("the issuer's keys cannot be read", why=str(failure) or "no answer in time")


class IssuerUnusable(Refusal):
    """What the issuer says of itself cannot be used."""


async def discover(issuer: str) -> Provider:
    """What it says of itself now. Raises `ServiceFailure`, `IssuerUnusable`."""
    configuration = await _fetch_json(issuer, _DISCOVERY)
    if configuration.get("issuer") not in (issuer, f"{issuer}/") or not isinstance(configuration.get("jwks_uri"), str):
        raise IssuerUnusable(f"{_DISCOVERY} is not of this issuer, or names no keys")
    return Provider(
        await _read_keys(configuration["jwks_uri"]),
        _end_point(configuration, "authorization_endpoint"),
        _end_point(configuration, "token_endpoint"),
        _end_point(configuration, "end_session_endpoint"),
        _end_point(configuration, "device_authorization_endpoint"),
    )


async def _read_keys(keys_url: str) -> KeySet:
    parts = _split_safely(keys_url)
    if parts is None:
        raise IssuerUnusable("its keys are not at https")
    path = keys_url[len(f"{parts.scheme}://{parts.netloc}") :]
    listed = (await _fetch_json(f"{parts.scheme}://{parts.netloc}", path)).get("keys")
    if not isinstance(listed, list):
        raise IssuerUnusable("it lists no keys")
    keys = [key for key_entry in listed[:KEYS_AT_MOST] if (key := _key_of(key_entry))]
    if not keys:
        raise IssuerUnusable("it lists no key of a kind that is known")
    return KeySet(keys)


@dataclass(frozen=True)
class _ProviderAnswer:
    provider: Provider
    at: float


class _UnknownKey(RefusedToken):
    """It is signed with a key that is not known here."""


def _opened(token: str, keys: KeySet) -> dict[str, Any]:
    """The claims of a token that one of these keys has signed."""
    try:
        return jwt.decode(token, keys, algorithms=ALGORITHMS).claims
    except (JoseError, ValueError, TypeError, RecursionError) as error:
        # Unknown and forged look alike where a token names no key.
        raise _UnknownKey(f"its signature does not count: {type(error).__name__}") from None


def _end_point(configuration: Mapping[str, Any], name: str) -> str:
    """Empty for none, and for one that nobody may be sent to."""
    address = configuration.get(name)
    return address if isinstance(address, str) and _split_safely(address) else ""


def _split_safely(address: str) -> SplitResult | None:
    """None unless the address is at https, or on this machine."""
    try:
        parts = urlsplit(address)
        host = parts.hostname or ""
    except ValueError:
        return None
    is_safe = (parts.scheme == "https" and host) or (parts.scheme == "http" and is_loopback(host))
    return parts if is_safe and address.isascii() and address.isprintable() else None


def _text_of(claims: Mapping[str, Any], name: str) -> str | None:
    """None without this claim, or with one that is no short text."""
    text = claims.get(name)
    return text if isinstance(text, str) and 0 < len(text) <= _CLAIM_LENGTH else None


async def _fetch_json(url: str, path: str) -> Mapping[str, Any]:
    async with make_client() as client:
        answer = (await Service("OpenID issuer", url, client).call("GET", path)).json()
    if not isinstance(answer, dict):
        raise IssuerUnusable("it answers something else")
    return answer


def _key_of(listed: object) -> Key | None:
    """A public key for signatures; None for others, which an issuer may list as well."""
    if not isinstance(listed, dict) or listed.get("kty") not in _PUBLIC or listed.get("use", "sig") != "sig":
        return None
    try:
        return JWKRegistry.import_key(listed)
    except (JoseError, ValueError, TypeError, KeyError):
        return None
