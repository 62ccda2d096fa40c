"""An OpenID issuer on loopback, whose keys come and go."""

import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

from joserfc import jwt
from joserfc.jwk import ECKey, OctKey, RSAKey
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from starter.config.values import Bind
from starter.web.http.serving import listening

AUDIENCE = "countersign"
FIRST = RSAKey.generate_key(2048, {"kid": "first", "use": "sig"}, private=True)
SECOND = ECKey.generate_key("P-256", {"kid": "second"}, private=True)
NO_SIGNATURES = RSAKey.generate_key(2048, {"kid": "sealing", "use": "enc"}, private=True)
MISUSED = RSAKey.import_key({name: text for name, text in NO_SIGNATURES.as_dict(private=True).items() if name != "use"})
SHARED = OctKey.generate_key(256, {"kid": "shared"}, private=True)


@dataclass
class OpenIssuer:
    """What it says of itself, how often it was asked, and the tokens that it makes."""

    url: str = ""
    keys: list[Any] = field(default_factory=lambda: [FIRST, NO_SIGNATURES])
    is_away: bool = False
    request_count: int = 0
    overrides: dict[str, Any] = field(default_factory=dict)

    async def discovery(self, _: Request) -> Response:
        """The first page that is read."""
        self.request_count += 1
        if self.is_away:
            return Response(status_code=503)
        return JSONResponse({"issuer": self.url, "jwks_uri": f"{self.url}/keys", **self.overrides})

    async def listed(self, _: Request) -> Response:
        """Its public keys, and one that it should not list."""
        public = [key.as_dict(private=False) for key in self.keys]
        return JSONResponse({"keys": [*public, SHARED.as_dict(), {"kty": "unheard-of"}, "no key"]})

    def token(self, key: Any = FIRST, alg: str = "RS256", **claims: Any) -> str:
        """One for the audience, of now, with these claims; None leaves one out."""
        now = int(time.time())
        all_claims = {"iss": self.url, "aud": AUDIENCE, "iat": now, "exp": now + 300, **claims}
        signed_claims = {name: value for name, value in all_claims.items() if value is not None}
        return jwt.encode({"alg": alg, "kid": key.kid}, signed_claims, key, algorithms=[alg])


@asynccontextmanager
async def open_issuer() -> AsyncIterator[OpenIssuer]:
    issuer = OpenIssuer()
    routes = [Route("/.well-known/openid-configuration", issuer.discovery), Route("/keys", issuer.listed)]
    async with listening(Starlette(routes=routes), Bind("127.0.0.1", 0)) as issuer.url:
        yield issuer
