"""A bearer token for FCM from a Google service account: an assertion signed with its key (RFC 7523)."""

import time
from collections.abc import Callable
from functools import lru_cache
from pathlib import Path
from typing import Annotated, Final, Self
from urllib.parse import urlencode

import httpx
from authlib.oauth2.rfc7523.assertion import sign_jwt_bearer_assertion  # type: ignore[import-untyped]
from joserfc.errors import JoseError
from joserfc.jwk import RSAKey
from pydantic import AfterValidator, BaseModel, ConfigDict, Field, SecretStr, ValidationError

from activities.http.calling import Cause, Service, ServiceFailure, make_client
from activities.http.oauth import Bearer, Credentials, Token

SCOPE: Final = "https://www.googleapis.com/auth/firebase.messaging"
GRANT: Final = "urn:ietf:params:oauth:grant-type:jwt-bearer"


class BadServiceAccount(ValueError):
    """The credentials file cannot be used; the text says why without its content."""


@lru_cache(maxsize=1)
def _key(pem: SecretStr) -> RSAKey:
    # To check a key takes longer than to sign with it, and whoever reads an account signs with it next.
    return RSAKey.import_key(pem.get_secret_value())


def _usable(pem: SecretStr) -> SecretStr:
    try:
        _key(pem)
    except (ValueError, JoseError):
        raise ValueError("not an RSA key in PEM form") from None
    return pem


class ServiceAccount(BaseModel):
    """What is needed of a Google service account key file."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    client_email: str = Field(min_length=3)
    private_key: Annotated[SecretStr, AfterValidator(_usable)]
    private_key_id: str = ""
    token_uri: Annotated[str, Field(pattern=r"^https://")] = "https://oauth2.googleapis.com/token"  # noqa: S105  an address, no secret

    @classmethod
    def read(cls, file: Path) -> Self:
        """The account in `file`, as downloaded from Google; raises `BadServiceAccount`."""
        try:
            return cls.model_validate_json(file.read_bytes())
        except OSError as error:
            raise BadServiceAccount(f"{file}: {error.strerror}") from None
        except ValidationError as error:
            fields = ", ".join(".".join(map(str, fault["loc"])) or "JSON" for fault in error.errors())
            raise BadServiceAccount(f"{file}: not a service account key: {fields}") from None


class ServiceAccountBearer(Bearer):
    """The bearer token of a service account for FCM."""

    def __init__(
        self,
        service: str,
        account: ServiceAccount,
        *,
        transport: httpx.AsyncBaseTransport | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        super().__init__(
            service,
            Credentials(account.token_uri, account.client_email, account.private_key),
            transport=transport,
            clock=clock,
        )
        self._account = account
        self._key = _key(account.private_key)
        self._name = f"{service} token"
        self._network = transport
        self._now = clock

    async def ask(self) -> Token:
        """Exchange an assertion signed with the account's key for a token."""
        asked_at = self._now()
        form = urlencode({"grant_type": GRANT, "assertion": self._assertion()}).encode()
        headers = {"content-type": "application/x-www-form-urlencoded"}
        async with make_client(transport=self._network) as client:
            service = Service(self._name, self._account.token_uri, client)
            answer = await service.call("POST", "", content=form, headers=headers)
        token = answer.json()
        if not (isinstance(token, dict) and isinstance(token.get("access_token"), str)):
            raise ServiceFailure(
                answer.service, Cause.UNREADABLE, "expected a token, got something else", status=answer.status
            )
        return self.token_of(token, asked_at)

    def _assertion(self) -> str:
        account = self._account
        assertion: str = sign_jwt_bearer_assertion(
            key=self._key,
            issuer=account.client_email,
            audience=account.token_uri,
            claims={"scope": SCOPE},
            header={"alg": "RS256", "kid": account.private_key_id},
        )
        return assertion
