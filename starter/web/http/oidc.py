"""Bearer tokens of the company's OpenID issuer: who somebody is that calls us from another page or program.

A token counts that the issuer has signed for our audience and that is not over. Its keys are asked for at the first
token, again after an hour, and for a key that is not known; while the issuer is away the last ones count for a day.
"""

import asyncio
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final
from urllib.parse import urlsplit

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
_ASKED_WITHIN: Final = 5.0
_DISCOVERY: Final = "/.well-known/openid-configuration"
_PUBLIC: Final = ("RSA", "EC")
_LOGGER: Final = structlog.get_logger("countersign.oidc")


class RefusedToken(Exception):
    """The token says nothing that counts; the text is for the log and has nothing of it."""


class IssuerUnavailable(Exception):
    """Nobody can be believed now: the keys have never been read, or for too long."""


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
        self._claim = settings.claim
        self._clock = clock
        self._seconds = seconds
        self._keys: _Keys | None = None
        self._asked_at = float("-inf")
        self._asking = asyncio.Lock()

    async def identify(self, token: str) -> str:
        """What the claim of a genuine token says, such as an e-mail address. Raises `RefusedToken`, `IssuerAway`."""
        if len(token) > TOKEN_AT_MOST or token.count(".") != 2:
            raise RefusedToken("not a signed token")
        claims = self._valid(await self._signed(token))
        identity = claims.get(self._claim)
        if not isinstance(identity, str) or not identity.strip():
            raise RefusedToken(f"no claim {self._claim}")
        # Some issuers write it as a text.
        if self._claim == "email" and str(claims.get("email_verified", True)).lower() != "true":
            raise RefusedToken("the address is not verified")
        return identity.strip()

    async def _signed(self, token: str) -> dict[str, Any]:
        try:
            return _opened(token, await self._current())
        except _UnknownKey:
            # The issuer may have changed its keys since.
            return _opened(token, await self._current(anew=True))

    def _valid(self, claims: dict[str, Any]) -> Mapping[str, Any]:
        rules = jwt.JWTClaimsRegistry(
            now=lambda: int(self._clock()),
            leeway=CLOCKS_APART,
            iss={"essential": True, "values": [self._issuer, f"{self._issuer}/"]},
            aud={"essential": True, "value": self._audience},
            exp={"essential": True},
        )
        try:
            rules.validate(claims)
        except (JoseError, ValueError, TypeError, OverflowError) as error:
            raise RefusedToken(f"its claims do not count: {type(error).__name__}") from None
        return claims

    async def _current(self, *, anew: bool = False) -> KeySet:
        if self._keys is None or anew or self._seconds() - self._keys.read_at >= KEYS_FOR:
            # Whoever has keys that still count waits for nobody who asks.
            if self._counts and not anew and self._asking.locked():
                return self._counts
            async with self._asking:
                await self._ask()
        if keys := self._counts:
            return keys
        raise IssuerUnavailable

    @property
    def _counts(self) -> KeySet | None:
        """The keys, if they are not too old."""
        keys = self._keys
        return keys.key_set if keys and self._seconds() - keys.read_at < KEYS_WITHOUT_ISSUER_FOR else None

    async def _ask(self) -> None:
        """Once in `ASKED_EVERY`."""
        if self._seconds() - self._asked_at < ASKED_EVERY:
            return
        self._asked_at = self._seconds()
        try:
            async with asyncio.timeout(_ASKED_WITHIN):
                self._keys = _Keys(await keys_of(self._issuer), self._seconds())
        except (ServiceFailure, TimeoutError, IssuerUnusable) as failure:
            _LOGGER.warning("the issuer's keys cannot be read", why=str(failure) or "no answer in time")


class IssuerUnusable(Refusal):
    """What the issuer says of itself cannot be used."""


async def keys_of(issuer: str) -> KeySet:
    """Its public keys for signatures, as they are now. Raises `ServiceFailure`, `IssuerUnusable`."""
    configuration = await _fetch_json(issuer, _DISCOVERY)
    keys_url = configuration.get("jwks_uri")
    if configuration.get("issuer") not in (issuer, f"{issuer}/") or not isinstance(keys_url, str):
        raise IssuerUnusable(f"{_DISCOVERY} is not of this issuer, or names no keys")
    try:
        parts = urlsplit(keys_url)
    except ValueError:
        raise IssuerUnusable("its keys are at no address") from None
    if parts.scheme != "https" and not is_loopback(parts.hostname or ""):
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
class _Keys:
    key_set: KeySet
    read_at: float


class _UnknownKey(RefusedToken):
    """It is signed with a key that is not known here."""


def _opened(token: str, keys: KeySet) -> dict[str, Any]:
    """The claims of a token that one of these keys has signed."""
    try:
        return jwt.decode(token, keys, algorithms=ALGORITHMS).claims
    except (JoseError, ValueError, TypeError, RecursionError) as error:
        # Unknown and forged look alike where a token names no key.
        raise _UnknownKey(f"its signature does not count: {type(error).__name__}") from None


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
