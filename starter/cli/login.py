"""`countersign login`: proves at a terminal who somebody is, by the device authorization grant of the OpenID issuer
(RFC 8628). The token is kept for this user alone, and refreshed when it is over.
"""

import asyncio
import fcntl
import os
import stat
import time
from collections.abc import Awaitable, Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final
from urllib.parse import urlencode, urlsplit

from pydantic import ValidationError
from rich.text import Text

from activities.http.client import Service, ServiceFailure, make_client
from activities.http.oauth import request_token
from starter.boot import clients
from starter.boot.startup import ready
from starter.cli.arguments import AsJson
from starter.cli.printing import note, print_answer
from starter.config.settings import Need, Settings
from starter.errors import Refusal
from starter.web.http.oidc import IdToken, Issuer, IssuerUnavailable, RefusedToken
from starter.web.http.oidc_client import SCOPE, SERVICE, credentials_of
from workflows.model.base import Model

LOGIN_WITHIN_AT_MOST: Final = 1_800
"""Seconds for which somebody is waited for."""
INTERVAL_AT_MOST: Final = 60
"""Seconds between two questions whether they have signed in."""
TOKEN_FILE_AT_MOST: Final = 64 * 1024
_INTERVAL: Final = 5
_SLOWER_BY: Final = 5
_FRESH_FOR: Final = 30
"""Seconds that a token must last, not to be refreshed before its use."""
_DEVICE_GRANT: Final = "urn:ietf:params:oauth:grant-type:device_code"
_PENDING: Final = ("authorization_pending", "slow_down")
_LOG_IN: Final = "`countersign login` proves who you are"


class LoggedIn(Model):
    """The answer of `login`."""

    identity: str
    issuer: str


class StoredToken(Model):
    """The file of a login."""

    issuer: str
    client_id: str
    id_token: str
    refresh_token: str | None = None


async def login(*, out: bool = False, json: AsJson = False) -> None:
    """Prove who you are with the company's account: commands that change something are then recorded as yours.

    Parameters
    ----------
    out
        Delete the token of this user.
    json
        Print `{identity, issuer}`; with --out `{logged_out}`.
    """
    settings = ready()
    if out:
        removed = forget_token()
        print_answer({"logged_out": removed}, Text("Logged out." if removed else "Nobody was logged in."), as_json=json)
        return
    if not settings.oidc.signs_in:
        raise Refusal("COUNTERSIGN_OIDC_ISSUER and COUNTERSIGN_OIDC_CLIENT_ID: are needed to log in")
    token = await _believing(log_in(settings))
    answer = LoggedIn(identity=token.identity, issuer=settings.oidc.issuer)
    print_answer(answer, Text(f"Logged in as {answer.identity}, by {answer.issuer}."), as_json=json)


async def log_in(settings: Settings, sleep: Callable[[float], Awaitable[None]] = asyncio.sleep) -> IdToken:
    """Have somebody sign in with a browser, and keep their token. Raises `Refusal`, `ServiceFailure`, `RefusedToken`,
    `IssuerUnavailable`.
    """
    issuer = Issuer(settings.oidc)
    provider = await issuer.provider()
    if not provider.device_authorization or not provider.token:
        raise Refusal(f"{settings.oidc.issuer} offers no sign-in of devices")
    authorization = await _begin(settings, provider.device_authorization)
    uri, code = str(authorization.get("verification_uri", "")), str(authorization.get("user_code", ""))
    if (
        urlsplit(uri).scheme not in ("https", "http")
        or not code
        or not isinstance(authorization.get("device_code"), str)
    ):
        raise Refusal(f"{settings.oidc.issuer} answers a login with something else")
    note(f"Open {authorization.get('verification_uri_complete') or uri} in a browser, and confirm the code {code}")
    answer = await _wait_for_token(settings, provider.token, authorization, sleep)
    token = await issuer.read_id_token(str(answer.get("id_token", "")))
    _keep(settings, answer)
    return token


async def find_person_logged_in(settings: Settings) -> str:
    """The id of the person whose token is kept, which is refreshed if it is over. Raises `Refusal`, `ServiceFailure`,
    `DirectoryFailure`, `StoreFailure`.
    """
    token = await _believing(_find_token(settings))
    settings.require(Need.PEOPLE)
    person = await clients.directory(settings, clients.store(settings)).named(token.identity)
    if person is None:
        raise Refusal(f"{token.identity} is nobody of the directory, or several people")
    return person.id


def token_path() -> Path:
    return Path.home() / ".config" / "countersign" / "token.json"


def forget_token() -> bool:
    """Whether there was one."""
    try:
        token_path().unlink()
    except FileNotFoundError:
        return False
    return True


async def _believing(asking: Awaitable[IdToken]) -> IdToken:
    try:
        return await asking
    except RefusedToken as refusal:
        raise Refusal(f"the token does not count ({refusal}): {_LOG_IN}") from None
    except IssuerUnavailable:
        raise Refusal("the OpenID issuer does not answer now: nobody can be believed") from None


async def _find_token(settings: Settings) -> IdToken:
    issuer = Issuer(settings.oidc)
    with _locked():
        stored = _read_file(settings)
        try:
            token = await issuer.read_id_token(stored.id_token)
        except RefusedToken:
            token = None
        if token and token.expires_at - time.time() > _FRESH_FOR:
            return token
        if not stored.refresh_token:
            raise RefusedToken("it is over")
        answer = await _refresh(settings, (await issuer.provider()).token, stored.refresh_token)
        token = await issuer.read_id_token(str(answer.get("id_token", "")))
        _keep(settings, {"refresh_token": stored.refresh_token, **answer})
    return token


async def _begin(settings: Settings, end_point: str) -> Mapping[str, Any]:
    secret = settings.oidc.client_secret.get_secret_value()
    form = {"client_id": settings.oidc.client_id, "scope": f"{SCOPE} offline_access"}
    content = urlencode({**form, "client_secret": secret} if secret else form).encode()
    headers = {"content-type": "application/x-www-form-urlencoded"}
    async with make_client() as client:
        answer = await Service(SERVICE, "", client).call(
            "POST", end_point, content=content, headers=headers, private=(secret,)
        )
    authorization = answer.json()
    return authorization if isinstance(authorization, dict) else {}


async def _wait_for_token(
    settings: Settings, end_point: str, authorization: Mapping[str, Any], sleep: Callable[[float], Awaitable[None]]
) -> Mapping[str, Any]:
    interval = _seconds(authorization.get("interval"), _INTERVAL, INTERVAL_AT_MOST)
    remaining, device_code = (
        _seconds(authorization.get("expires_in"), 300, LOGIN_WITHIN_AT_MOST),
        str(authorization["device_code"]),
    )
    while remaining > 0:
        await sleep(interval)
        remaining -= interval
        try:
            return await request_token(
                SERVICE,
                credentials_of(settings.oidc, end_point),
                private=(device_code,),
                grant_type=_DEVICE_GRANT,
                device_code=device_code,
            )
        except ServiceFailure as failure:
            if failure.error_code not in _PENDING:
                raise Refusal(f"you are not logged in: {failure}") from None
            slower = _SLOWER_BY if failure.error_code == "slow_down" else 0
            interval = min(interval + slower, INTERVAL_AT_MOST)
    raise Refusal("you are not logged in: nobody has signed in within the time for it")


async def _refresh(settings: Settings, end_point: str, refresh_token: str) -> Mapping[str, Any]:
    try:
        return await request_token(
            SERVICE,
            credentials_of(settings.oidc, end_point),
            private=(refresh_token,),
            grant_type="refresh_token",
            refresh_token=refresh_token,
        )
    except ServiceFailure as failure:
        if failure.did_nothing and failure.status:
            raise RefusedToken("it cannot be refreshed") from None
        raise


def _read_file(settings: Settings) -> StoredToken:
    """Raises `Refusal` for none, and for one that others could read."""
    path = token_path()
    try:
        with path.open("rb") as file:
            mode, content = os.fstat(file.fileno()).st_mode, file.read(TOKEN_FILE_AT_MOST + 1)
    except OSError:
        raise Refusal(f"you are not logged in: {_LOG_IN}") from None
    if stat.S_IMODE(mode) & 0o077:
        raise Refusal(f"{path}: may be read by others: delete it, and log in again")
    try:
        stored = StoredToken.model_validate_json(content)
    except ValidationError:
        raise Refusal(f"{path}: is damaged: {_LOG_IN}") from None
    if (stored.issuer, stored.client_id) != (settings.oidc.issuer, settings.oidc.client_id):
        raise Refusal(f"you are logged in by another issuer: {_LOG_IN}")
    return stored


def _keep(settings: Settings, answer: Mapping[str, Any]) -> None:
    refresh_token = answer.get("refresh_token")
    stored = StoredToken(
        issuer=settings.oidc.issuer,
        client_id=settings.oidc.client_id,
        id_token=str(answer["id_token"]),
        refresh_token=refresh_token if isinstance(refresh_token, str) else None,
    )
    path = token_path()
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    # Renamed into place, so that no command reads half of it; nobody else may ever read it.
    half = path.with_name(f"{path.name}.{os.getpid()}")
    half.unlink(missing_ok=True)
    with os.fdopen(os.open(half, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
        file.write(stored.model_dump_json())
    half.replace(path)


@contextmanager
def _locked() -> Iterator[None]:
    """One command at a time refreshes: an issuer may take a refresh token that comes twice for a stolen one."""
    path = token_path().with_name("token.lock")
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    with path.open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


def _seconds(stated: object, default: int, at_most: int) -> int:
    return max(1, min(int(stated), at_most)) if isinstance(stated, int | float) else default
