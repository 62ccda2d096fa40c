"""Every fault of the sandbox against every call of the push dialects and their tokens."""

import asyncio
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import aclosing, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import pytest
from pydantic import SecretStr
from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.routing import Route

from activities.http.client import Cause
from activities.notifications import config
from activities.notifications.config import AppWorksConfig, FcmConfig, PushConfig, open_dialect
from activities.notifications.push_services import (
    GRANT,
    AppWorksPush,
    FcmPush,
    MessageFate,
    PushDialect,
    ServiceAccount,
)
from deploy.sandbox.server import RunningSandbox
from tests.activities.fault_table import (
    ASKED_TO_WAIT,
    DONE,
    FAULTS,
    LATE,
    LATER_AS_ASKED,
    OF_A_SERVICE,
    OF_A_TOKEN_END_POINT,
    SHORT,
    Ending,
    arm_always,
    calls_of,
    ending,
)
from tests.activities.notifications.conftest import fcm_config
from tests.activities.notifications.stage import entries, pushes
from tests.activities.notifications.test_fcm import TOKEN, message
from tests.activities.notifications.test_google import account_file
from workflows.model.subject import Code

FATES: Final[Mapping[str, MessageFate]] = {
    "refuse": MessageFate.LATER,
    "cut": MessageFate.LATER,
    "slow-in-time": MessageFate.ACCEPTED,
    "slow": MessageFate.LATER,
    "drip": MessageFate.LATER,
    "truncate": MessageFate.LATER,
    "html": MessageFate.LATER,
    "huge": MessageFate.LATER,
    "302": MessageFate.UNAUTHORISED,
    "400": MessageFate.REFUSED,
    "401": MessageFate.UNAUTHORISED,
    "401-of-a-gateway": MessageFate.UNAUTHORISED,
    "403": MessageFate.UNAUTHORISED,
    "404": MessageFate.UNAUTHORISED,
    "409": MessageFate.LATER,
    "410": MessageFate.REFUSED,
    "413": MessageFate.REFUSED,
    "429": MessageFate.LATER,
    "429-for-seconds": MessageFate.LATER,
    "429-until-a-date": MessageFate.LATER,
    "500": MessageFate.LATER,
    "502": MessageFate.LATER,
    "503": MessageFate.LATER,
    "503-as-a-page": MessageFate.LATER,
}
"""What becomes of a message: no device is buried for what is wrong with the service or with us."""


@dataclass(frozen=True)
class Spoken:
    """A dialect over the sandbox: its configuration and path there, what its messages and its check come to."""

    kind: type[PushDialect]
    config: Callable[[RunningSandbox], PushConfig]
    path: str
    fates: Mapping[str, MessageFate]
    checks: Mapping[str, Ending]
    bearer: bool


def appworks_config(sandbox: RunningSandbox) -> AppWorksConfig:
    """How the gateway's stand-in is reached."""
    return AppWorksConfig(sandbox.url, sandbox.state.settings.push_app, SecretStr(sandbox.state.settings.push_app_key))


FCM: Final = Spoken(
    FcmPush,
    fcm_config,
    "*/messages:send",
    # FCM speaks of the device with these two, by a code of its own in the body.
    {**FATES, "403": MessageFate.OTHER_SENDER, "404": MessageFate.UNREGISTERED},
    {
        **OF_A_SERVICE,
        # A refusal of the message for nobody, or of its token, is what the check hopes for: the service knows us.
        **dict.fromkeys(("400", "404"), DONE),
        # It is the token's sender that is refused, not we.
        "403": Ending(Cause.STATUS, Code.PUSH_MISMATCH),
        # A quota names no time, and is left alone for a minute.
        "429": LATER_AS_ASKED,
    },
    bearer=True,
)
APPWORKS: Final = Spoken(
    AppWorksPush,
    appworks_config,
    "/deployments/*",
    FATES,
    # The refusal of an empty message is what the check hopes for: the gateway knows us.
    {**OF_A_SERVICE, "400": DONE},
    bearer=False,
)
DIALECTS: Final = pytest.mark.parametrize("spoken", [FCM, APPWORKS], ids=["fcm", "appworks"])


@asynccontextmanager
async def opened(push: PushConfig, monkeypatch: pytest.MonkeyPatch, fault: str) -> AsyncIterator[PushDialect]:
    """The dialect, whose calls are soon given up when the fault is one that has to be waited for."""
    if fault in LATE:
        monkeypatch.setattr(config, "DEADLINE", SHORT)
    dialect = open_dialect(push)
    assert dialect is not None
    async with aclosing(dialect):
        yield dialect


def count_requests(sandbox: RunningSandbox) -> int:
    """How many requests reached the push service, those for a token aside."""
    return sum(not entry["path"].endswith("/oauth2/token") for entry in entries(sandbox, "request"))


@DIALECTS
def test_every_call_and_every_fault_is_in_the_tables(spoken: Spoken) -> None:
    assert calls_of(spoken.kind) == calls_of(PushDialect) == {"send", "check"}
    assert spoken.fates.keys() == spoken.checks.keys() == FAULTS.keys()


@DIALECTS
@pytest.mark.parametrize("fault", FAULTS)
async def test_each_fault_of_a_message_has_its_fate(
    sandbox: RunningSandbox, monkeypatch: pytest.MonkeyPatch, spoken: Spoken, fault: str
) -> None:
    async with opened(spoken.config(sandbox), monkeypatch, fault) as dialect:
        arm_always(sandbox, fault, spoken.path)
        sent = await dialect.send(TOKEN, message())
    assert sent.fate is spoken.fates[fault]
    assert fault not in ASKED_TO_WAIT or sent.wait >= 6
    # 401: once more with a fresh token, where there is one.
    once_more = spoken.bearer and fault.startswith("401")
    assert count_requests(sandbox) == (2 if once_more else 1) or fault in LATE
    assert entries(sandbox, "downstream") == [], "a redirect was followed"


@DIALECTS
@pytest.mark.parametrize("fault", FAULTS)
async def test_each_fault_of_the_doctor_s_check_has_its_meaning(
    sandbox: RunningSandbox, monkeypatch: pytest.MonkeyPatch, spoken: Spoken, fault: str
) -> None:
    async with opened(spoken.config(sandbox), monkeypatch, fault) as dialect:
        arm_always(sandbox, fault, spoken.path)
        assert await ending(dialect.check()) == spoken.checks[fault]
    assert not pushes(sandbox), "a check sends nothing"


def google_config(sandbox: RunningSandbox, tmp_path: Path) -> FcmConfig:
    """FCM with a service account, whose token endpoint stands behind the sandbox's faults too."""

    async def token(request: Request) -> JSONResponse:
        is_assertion_grant = (await request.form())["grant_type"] == GRANT
        issued = {"access_token": sandbox.push.tokens.issue(), "expires_in": 3600}
        return JSONResponse(
            issued if is_assertion_grant else {"error": "unsupported_grant_type"}, 200 if is_assertion_grant else 400
        )

    sandbox.app.router.routes.insert(0, Route("/google/oauth2/token", token, methods=["POST"]))
    # A real account's address is https; there is no certificate for a sandbox in a test.
    sandbox_token_uri = {"token_uri": f"{sandbox.url}/google/oauth2/token"}
    account = ServiceAccount.read(account_file(tmp_path)).model_copy(update=sandbox_token_uri)
    return FcmConfig(sandbox.url, sandbox.state.settings.push_project, account)


def fate_after(end: Ending) -> MessageFate:
    """What becomes of a message whose token was asked for in vain."""
    if end == DONE:
        return MessageFate.ACCEPTED
    return MessageFate.LATER if end.passes else MessageFate.UNAUTHORISED


@pytest.mark.parametrize("account", ["client", "google"])
@pytest.mark.parametrize("fault", FAULTS)
async def test_each_fault_of_a_token_end_point_costs_no_device(
    sandbox: RunningSandbox, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, account: str, fault: str
) -> None:
    end = OF_A_TOKEN_END_POINT[fault]
    push = fcm_config(sandbox) if account == "client" else google_config(sandbox, tmp_path)
    async with opened(push, monkeypatch, fault) as dialect:
        arm_always(sandbox, fault, "*/oauth2/token")
        sent, checked = await asyncio.gather(dialect.send(TOKEN, message()), ending(dialect.check()))
    assert (sent.fate, checked) == (fate_after(end), end)
    assert count_requests(sandbox) == (2 if end == DONE else 0), "called without a token"
    assert len(pushes(sandbox)) == (1 if end == DONE else 0)
