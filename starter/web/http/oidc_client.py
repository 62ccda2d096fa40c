"""We as a client of the OpenID issuer: the authorization code grant with PKCE, and what signs people out there."""

import secrets
from typing import Final, NamedTuple
from urllib.parse import urlencode

from activities.http.client import ServiceFailure
from activities.http.oauth import Credentials, TokenAuth, open_oauth_client, request_token
from starter.config.settings import OidcSettings
from starter.web.http.oidc import IdToken, Issuer, IssuerUnavailable, RefusedToken

SERVICE: Final = "OpenID issuer"
SCOPE: Final = "openid profile email"
HINT_AT_MOST: Final = 4_096
"""Characters of a token in the address of a sign-out; a longer one is left out."""
_STATE_BYTES: Final = 16
_VERIFIER_BYTES: Final = 32
_SERVER_ERRORS: Final = 500


class AuthorizationRequest(NamedTuple):
    """What the browser keeps of a sign-in that it has begun."""

    state: str
    nonce: str
    verifier: str

    @classmethod
    def new(cls) -> "AuthorizationRequest":
        return cls(
            secrets.token_urlsafe(_STATE_BYTES),
            secrets.token_urlsafe(_STATE_BYTES),
            secrets.token_urlsafe(_VERIFIER_BYTES),
        )


class OidcClient:
    """`return_url` is where browsers come back to from a sign-in, `signed_out_url` from a sign-out."""

    def __init__(self, settings: OidcSettings, issuer: Issuer, return_url: str, signed_out_url: str) -> None:
        self.issuer: Final = issuer
        self._settings = settings
        self._return_url = return_url
        self._signed_out_url = signed_out_url

    async def authorization_url(self, request: AuthorizationRequest) -> str:
        """Where somebody signs in. Raises `IssuerUnavailable`."""
        end_point = (await self.issuer.provider()).authorization
        if not end_point:
            raise IssuerUnavailable
        async with open_oauth_client(SERVICE, credentials_of(self._settings)) as client:
            url, _ = client.create_authorization_url(
                end_point,
                state=request.state,
                code_verifier=request.verifier,
                nonce=request.nonce,
                redirect_uri=self._return_url,
            )
        return str(url)

    async def redeem(self, code: str, request: AuthorizationRequest, iss: str | None) -> IdToken:
        """Who has signed in; `iss` is the issuer that the answer names (RFC 9207). Raises `RefusedToken`,
        `IssuerUnavailable`.
        """
        if iss is not None and iss.rstrip("/") != self._settings.issuer:
            raise RefusedToken("the answer is of another issuer")
        end_point = (await self.issuer.provider()).token
        if not end_point:
            raise IssuerUnavailable
        try:
            answer = await request_token(
                SERVICE,
                credentials_of(self._settings, end_point),
                private=(code, request.verifier),
                grant_type="authorization_code",
                code=code,
                redirect_uri=self._return_url,
                code_verifier=request.verifier,
            )
        except ServiceFailure as failure:
            raise refusal_of(failure) from None
        return await self.issuer.read_id_token(str(answer.get("id_token", "")), nonce=request.nonce)

    async def sign_out_url(self, id_token: str | None) -> str:
        """Where a browser is signed out of the issuer; empty if that has no such page. Raises `IssuerUnavailable`."""
        end_point = (await self.issuer.provider()).end_session
        query = {"client_id": self._settings.client_id, "post_logout_redirect_uri": self._signed_out_url}
        if id_token and len(id_token) <= HINT_AT_MOST:
            query["id_token_hint"] = id_token
        return f"{end_point}{'&' if '?' in end_point else '?'}{urlencode(query)}" if end_point else ""


def credentials_of(settings: OidcSettings, token_url: str = "") -> Credentials:
    """As whom we call the token end point of the issuer."""
    auth = TokenAuth.BASIC if settings.client_secret.get_secret_value() else TokenAuth.NONE
    return Credentials(token_url, settings.client_id, settings.client_secret, token_auth=auth, scope=SCOPE)


def refusal_of(failure: ServiceFailure) -> RefusedToken | IssuerUnavailable:
    """Whether the issuer has refused, or cannot say now."""
    if failure.status is None or failure.status >= _SERVER_ERRORS:
        return IssuerUnavailable(str(failure))
    return RefusedToken(f"the issuer refuses: {failure.error_code or failure.status}")
