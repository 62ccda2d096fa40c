"""An OpenID provider below `/oidc`: authorization code with PKCE, refresh tokens, the device grant, sign-out. It signs
with a key of its own. Whoever signs in says who they are: there are no passwords.

`POST /_sandbox/oidc {misbehaviour}` has it misbehave until another one is told; an empty one ends it.
"""

import html
import json
import secrets
from base64 import urlsafe_b64encode
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from hashlib import sha256
from typing import Any
from urllib.parse import urlencode

from joserfc import jwt
from joserfc.jwk import ECKey
from pydantic import BaseModel, ConfigDict
from starlette.requests import Request
from starlette.responses import HTMLResponse, JSONResponse, RedirectResponse, Response
from starlette.routing import Route

from deploy.sandbox.http.errors import HttpRefusal, read_body
from deploy.sandbox.http.oauth import client_of
from deploy.sandbox.state.state import SandboxState

ROOT = "/oidc"
LIFETIME = 300
REFRESH_BYTES = 24
CLOCK_OFF = 300
INTERVAL = 1
DEVICE_GRANT = "urn:ietf:params:oauth:grant-type:device_code"
LOGOUT_EVENT = "http://schemas.openid.net/event/backchannel-logout"
HEADERS = {"cache-control": "no-store"}
PAGE = (
    "<!doctype html><html lang=en><head><title>{title}</title></head>"
    "<body><main><h1>{title}</h1>{body}</main></body></html>"
)


class Misbehaviour(StrEnum):
    NONE = ""
    AUDIENCE = "audience"
    PARTY = "party"
    """The token is for us among others, and was made for one of those."""
    ISSUER = "issuer"
    ALGORITHM = "algorithm"
    """The token is not signed: `alg` is `none`."""
    FOREIGN_KEY = "foreign-key"
    NONCE = "nonce"
    REPLAY = "replay"
    """Each browser comes back with a code that was used before."""
    STATE = "state"
    """Each browser comes back with the state of another."""
    EXPIRED = "expired"
    AHEAD = "ahead"
    BEHIND = "behind"
    """Its clock is five minutes off."""
    NO_TOKEN = "no-token"  # noqa: S105  no secret
    DECLINED = "declined"


class MisbehaviourOrder(BaseModel):
    model_config = ConfigDict(extra="forbid")

    misbehaviour: Misbehaviour


@dataclass
class Grant:
    """Who has signed in, and for what."""

    email: str
    groups: tuple[str, ...]
    nonce: str | None = None
    challenge: str | None = None
    redirect_uri: str | None = None
    sid: str = field(default_factory=lambda: secrets.token_hex(8))


@dataclass
class Device:
    user_code: str
    grant: Grant | None = None


class OidcProvider:
    """`base_url` is the sandbox's own, known once it listens."""

    def __init__(self, state: SandboxState) -> None:
        self._state = state
        self.base_url = ""
        self.misbehaviour = Misbehaviour.NONE
        self.device_lifetime, self.device_interval = LIFETIME, INTERVAL
        self.key = ECKey.generate_key("P-256", {"kid": secrets.token_hex(4), "use": "sig"}, private=True)
        self._codes: dict[str, Grant] = {}
        self._used: list[str] = []
        self._refresh: dict[str, Grant] = {}
        self._devices: dict[str, Device] = {}

    def routes(self) -> list[Route]:
        return [
            Route(f"{ROOT}/.well-known/openid-configuration", self.discover, methods=["GET"]),
            Route(f"{ROOT}/keys", self.keys, methods=["GET"]),
            Route(f"{ROOT}/authorize", self.authorize, methods=["GET", "POST"]),
            Route(f"{ROOT}/token", self.token, methods=["POST"]),
            Route(f"{ROOT}/device_authorization", self.begin_device, methods=["POST"]),
            Route(f"{ROOT}/device", self.device, methods=["GET", "POST"]),
            Route(f"{ROOT}/end_session", self.end_session, methods=["GET"]),
            Route("/_sandbox/oidc", self.misbehave, methods=["POST"]),
        ]

    @property
    def issuer(self) -> str:
        return f"{self.base_url}{ROOT}"

    async def discover(self, _: Request) -> Response:
        return JSONResponse(
            {
                "issuer": self.issuer,
                "jwks_uri": f"{self.issuer}/keys",
                "authorization_endpoint": f"{self.issuer}/authorize",
                "token_endpoint": f"{self.issuer}/token",
                "device_authorization_endpoint": f"{self.issuer}/device_authorization",
                "end_session_endpoint": f"{self.issuer}/end_session",
                "backchannel_logout_supported": True,
            }
        )

    async def keys(self, _: Request) -> Response:
        return JSONResponse({"keys": [self.key.as_dict(private=False)]})

    async def misbehave(self, request: Request) -> Response:
        self.misbehaviour = (await read_body(request, MisbehaviourOrder)).misbehaviour
        return JSONResponse({"misbehaviour": self.misbehaviour}, 201)

    async def authorize(self, request: Request) -> Response:
        """GET asks who it is; POST leads back by a page: our policy lets no form lead to another site."""
        query = request.query_params
        if not query.get("redirect_uri", "").startswith(("http://", "https://")) or not self._is_known(query):
            raise HttpRefusal.because(400, "The client or its redirect_uri is unknown.")
        if request.method == "GET":
            fields = _entry("email", "Email address") + _entry("groups", "Groups", is_required=False)
            return _page("Sign in at the company", f"<form method=post>{fields}<button>Sign in</button></form>")
        grant = await _grant_of(request)
        grant.nonce, grant.challenge = query.get("nonce"), query.get("code_challenge")
        grant.redirect_uri = query["redirect_uri"]
        answer = {"state": query.get("state", ""), "iss": self.issuer, **self._code(grant)}
        if self.misbehaviour is Misbehaviour.STATE:
            answer["state"] = secrets.token_urlsafe(16)
        target = html.escape(f"{query['redirect_uri']}?{urlencode(answer)}")
        page = _page("Signed in", f'<a href="{target}">Go on</a>')
        page.headers["refresh"] = f"0;url={html.unescape(target)}"
        return page

    async def token(self, request: Request) -> Response:
        form = {name: str(text) for name, text in (await request.form()).items()}
        if not self._is_client(request, form):
            return _error("invalid_client", 401)
        grant, error = self._granted(form)
        if grant is None:
            return _error(error)
        refresh_token = secrets.token_urlsafe(REFRESH_BYTES)
        self._refresh[refresh_token] = grant
        answer = {
            "access_token": secrets.token_urlsafe(REFRESH_BYTES),
            "token_type": "Bearer",
            "expires_in": LIFETIME,
            "refresh_token": refresh_token,
            "id_token": self.id_token(grant),
        }
        if self.misbehaviour is Misbehaviour.NO_TOKEN:
            del answer["id_token"]
        return JSONResponse(answer, headers=HEADERS)

    async def begin_device(self, request: Request) -> Response:
        form = {name: str(text) for name, text in (await request.form()).items()}
        if form.get("client_id") != self._state.settings.oidc_client_id:
            return _error("invalid_client", 401)
        device_code, user_code = secrets.token_urlsafe(REFRESH_BYTES), secrets.token_hex(4).upper()
        self._devices[device_code] = Device(user_code)
        return JSONResponse(
            {
                "device_code": device_code,
                "user_code": user_code,
                "verification_uri": f"{self.issuer}/device",
                "verification_uri_complete": f"{self.issuer}/device?user_code={user_code}",
                "expires_in": self.device_lifetime,
                "interval": self.device_interval,
            }
        )

    async def device(self, request: Request) -> Response:
        """GET asks who it is, POST lets them in on the device that shows the code."""
        if request.method == "GET":
            code = html.escape(request.query_params.get("user_code", ""))
            fields = _entry("user_code", "Code", code) + _entry("email", "Email address")
            return _page("Sign in on a device", f"<form method=post>{fields}<button>Sign in</button></form>")
        typed = str((await request.form()).get("user_code", "")).upper()
        device = next((device for device in self._devices.values() if device.user_code == typed), None)
        if device is None:
            raise HttpRefusal.because(400, "There is no such code.")
        device.grant = await _grant_of(request)
        return _page("Signed in", "<p>You can close this page.</p>")

    async def end_session(self, request: Request) -> Response:
        target = request.query_params.get("post_logout_redirect_uri", "")
        if not target.startswith(("http://", "https://")):
            return _page("Signed out", "<p>You can close this page.</p>")
        return RedirectResponse(target, 303)

    def id_token(self, grant: Grant) -> str:
        """As the misbehaviour has it."""
        now = int(self._state.clock())
        now += {Misbehaviour.AHEAD: CLOCK_OFF, Misbehaviour.BEHIND: -CLOCK_OFF}.get(self.misbehaviour, 0)
        claims: dict[str, Any] = {
            "iss": self.issuer,
            "aud": self._state.settings.oidc_client_id,
            "sub": f"sub-{sha256(grant.email.encode()).hexdigest()[:12]}",
            "email": grant.email,
            "groups": list(grant.groups),
            "sid": grant.sid,
            "nonce": grant.nonce,
            "iat": now,
            "exp": now + LIFETIME,
        }
        match self.misbehaviour:
            case Misbehaviour.AUDIENCE:
                claims["aud"] = "another-client"
            case Misbehaviour.PARTY:
                claims |= {"aud": [claims["aud"], "another-client"], "azp": "another-client"}
            case Misbehaviour.ISSUER:
                claims["iss"] = "https://another.example"
            case Misbehaviour.NONCE:
                claims["nonce"] = secrets.token_urlsafe(16)
            case Misbehaviour.EXPIRED:
                claims |= {"iat": now - 2 * LIFETIME, "exp": now - LIFETIME}
        return self._signed({name: claim for name, claim in claims.items() if claim is not None})

    def logout_token(self, sid: str | None, **overrides: object) -> str:
        """By which the provider signs out a session of ours (Back-Channel Logout 1.0)."""
        now = int(self._state.clock())
        claims = {
            "iss": self.issuer,
            "aud": self._state.settings.oidc_client_id,
            "iat": now,
            "exp": now + LIFETIME,
            "jti": secrets.token_hex(8),
            "events": {LOGOUT_EVENT: {}},
            "sid": sid,
            **overrides,
        }
        return self._signed({name: claim for name, claim in claims.items() if claim is not None})

    def _signed(self, claims: dict[str, Any]) -> str:
        if self.misbehaviour is Misbehaviour.ALGORITHM:
            return f"{_encoded({'alg': 'none', 'kid': self.key.kid})}.{_encoded(claims)}."
        key = self.key
        if self.misbehaviour is Misbehaviour.FOREIGN_KEY:
            key = ECKey.generate_key("P-256", {"kid": self.key.kid or ""}, private=True)
        return jwt.encode({"alg": "ES256", "kid": key.kid}, claims, key, algorithms=["ES256"])

    def _code(self, grant: Grant) -> dict[str, str]:
        if self.misbehaviour is Misbehaviour.DECLINED:
            return {"error": "access_denied"}
        if self.misbehaviour is Misbehaviour.REPLAY and self._used:
            return {"code": self._used[-1]}
        code = secrets.token_urlsafe(REFRESH_BYTES)
        self._codes[code] = grant
        return {"code": code}

    def _granted(self, form: Mapping[str, str]) -> tuple[Grant | None, str]:
        match form.get("grant_type"):
            case "authorization_code":
                return self._redeemed(form)
            case "refresh_token":
                return self._refresh.pop(form.get("refresh_token", ""), None), "invalid_grant"
            case kind if kind == DEVICE_GRANT:
                device = self._devices.get(form.get("device_code", ""))
                if device and device.grant is None:
                    return None, "authorization_pending"
                self._devices.pop(form.get("device_code", ""), None)
                return device.grant if device else None, "expired_token"
        return None, "unsupported_grant_type"

    def _redeemed(self, form: Mapping[str, str]) -> tuple[Grant | None, str]:
        grant = self._codes.pop(form.get("code", ""), None)
        self._used.append(form.get("code", ""))
        if grant is None or grant.redirect_uri != form.get("redirect_uri"):
            return None, "invalid_grant"
        challenge = urlsafe_b64encode(sha256(form.get("code_verifier", "").encode()).digest()).decode().rstrip("=")
        return (grant, "") if challenge == grant.challenge else (None, "invalid_grant")

    def _is_known(self, query: Mapping[str, str]) -> bool:
        is_code = query.get("response_type") == "code" and query.get("code_challenge_method") == "S256"
        return is_code and query.get("client_id") == self._state.settings.oidc_client_id

    def _is_client(self, request: Request, form: Mapping[str, str]) -> bool:
        """By its secret, or without one: then the code's challenge, or the device code, is what counts."""
        settings = self._state.settings
        client_id, secret = client_of(request, form)
        return client_id == settings.oidc_client_id and secret in ("", settings.oidc_client_secret)


async def _grant_of(request: Request) -> Grant:
    form = await request.form()
    groups = tuple(filter(None, (name.strip() for name in str(form.get("groups", "")).split(","))))
    return Grant(str(form.get("email", "")).strip(), groups)


def _entry(name: str, label: str, text: str = "", *, is_required: bool = True) -> str:
    required = " required" if is_required else ""
    return f'<p><label>{label} <input name="{name}" value="{text}"{required}></label></p>'


def _page(title: str, body: str) -> Response:
    return HTMLResponse(PAGE.format(title=title, body=body), headers=HEADERS)


def _error(error: str, status: int = 400) -> Response:
    return JSONResponse({"error": error}, status, HEADERS)


def _encoded(part: dict[str, Any]) -> str:
    return urlsafe_b64encode(json.dumps(part).encode()).decode().rstrip("=")
