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
    away: bool = False
    asked: int = 0
    says: dict[str, Any] = field(default_factory=dict)

    async def discovery(self, _: Request) -> Response:
        """The first page that is read."""
        self.asked += 1
        if self.away:
            return Response(status_code=503)
        return JSONResponse({"issuer": self.url, "jwks_uri": f"{self.url}/keys", **self.says})

    async def listed(self, _: Request) -> Response:
        """Its public keys, and one that it should not list."""
        public = [key.as_dict(private=False) for key in self.keys]
        return JSONResponse({"keys": [*public, SHARED.as_dict(), {"kty": "unheard-of"}, "no key"]})

    def token(self, key: Any = FIRST, alg: str = "RS256", **claims: Any) -> str:
        """One for the audience, of now, with these claims; None leaves one out."""
        now = int(time.time())
        all_of_them = {"iss": self.url, "aud": AUDIENCE, "iat": now, "exp": now + 300, **claims}
        told = {name: value for name, value in all_of_them.items() if value is not None}
        return jwt.encode({"alg": alg, "kid": key.kid}, told, key, algorithms=[alg])


@asynccontextmanager
async def open_issuer() -> AsyncIterator[OpenIssuer]:
    it = OpenIssuer()
    routes = [Route("/.well-known/openid-configuration", it.discovery), Route("/keys", it.listed)]
    async with listening(Starlette(routes=routes), Bind("127.0.0.1", 0)) as it.url:
        yield it
