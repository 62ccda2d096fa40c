"""Every fault of the sandbox against every call of the client (faults.md B)."""

import asyncio
import time
from collections.abc import Awaitable, Callable
from typing import Any

import pytest

from activities.core_signature import orders
from activities.core_signature.client import CoreSignatureClient
from activities.failures import to_application_error
from activities.http.calling import Cause, Service, ServiceFailure, make_client
from activities.http.oauth import Bearer
from deploy.sandbox.server import RunningSandbox, running
from deploy.sandbox.settings import SandboxSettings
from tests.activities.core_signature.conftest import arm, calls, config_for, entries
from tests.activities.core_signature.requests import PDF, brief
from workflows.model import Code

Call = Callable[[CoreSignatureClient], Awaitable[Any]]

CALLS: dict[str, Call] = {
    "list": lambda client: client.documents_of("msa-0042"),
    "read": lambda client: client.document("d1"),
    "create": lambda client: client.create_document(orders.document_body(brief(), PDF, client.config)),
    "delete": lambda client: client.delete_document("d1"),
    "ask": lambda client: client.create_request({"document": "/api/v1/documents/d1/", "signers": []}),
    "request": lambda client: client.request("r1"),
    "cancel": lambda client: client.cancel("r1"),
    "resend": lambda client: client.resend("r1"),
    "forward": lambda client: client.forward("r1", "a@x.test", "b@x.test"),
    "events": lambda client: client.events(),
    "webhooks": lambda client: client.webhooks(),
    "subscribe": lambda client: client.create_webhook("signed", "https://app.example/", "us"),
    "unsubscribe": lambda client: client.delete_webhook("w1"),
}

FAULTS: dict[str, tuple[Code, bool]] = {
    "refuse": (Code.UNREACHABLE, True),
    "cut": (Code.UNREACHABLE, True),
    "429": (Code.UNREACHABLE, True),
    "500": (Code.UNREACHABLE, True),
    "502": (Code.UNREACHABLE, True),
    "503": (Code.UNREACHABLE, True),
    "409": (Code.UNREACHABLE, True),
    "302": (Code.UNREACHABLE, False),
    "400": (Code.REFUSED, False),
    "401": (Code.UNAUTHORISED, False),
    "403": (Code.UNAUTHORISED, False),
    "404": (Code.REFUSED, False),
}
UNREADABLE = ("truncate", "html", "huge")


async def failure_of(client: CoreSignatureClient, call: Call) -> ServiceFailure:
    """The failure a call must end with."""
    with pytest.raises(ServiceFailure) as caught:
        await call(client)
    return caught.value


@pytest.mark.parametrize("fault", FAULTS)
async def test_each_fault_of_each_call_has_its_meaning(
    sandbox: RunningSandbox, client: CoreSignatureClient, fault: str
) -> None:
    code, passes = FAULTS[fault]
    arm(sandbox, path="/api/v1/*", fault=fault, times=None)
    for name, call in CALLS.items():
        before = len(calls(sandbox, "/api/v1/"))
        meaning = to_application_error(await failure_of(client, call))
        assert (name, meaning.type, meaning.non_retryable) == (name, code, not passes)
        # 401: once more with a fresh token; 404 of an action: the request itself is asked for.
        action_not_found = fault == "404" and name in {"cancel", "resend", "forward"}
        assert len(calls(sandbox, "/api/v1/")) - before == (2 if fault == "401" or action_not_found else 1)
    assert entries(sandbox, "downstream") == [], "a redirect was followed"


@pytest.mark.parametrize("fault", UNREADABLE)
async def test_an_answer_that_cannot_be_read_is_tried_again(
    sandbox: RunningSandbox, client: CoreSignatureClient, fault: str
) -> None:
    document = await client.create_document(orders.document_body(brief(), PDF, client.config))
    arm(sandbox, path="/api/v1/*", fault=fault, times=None)
    for name in ("list", "events", "webhooks"):
        meaning = to_application_error(await failure_of(client, CALLS[name]))
        assert (name, meaning.type, meaning.non_retryable) == (name, Code.UNREACHABLE, False)
    failure = await failure_of(client, lambda client: client.document(document.uuid))
    assert failure.cause in (Cause.UNREADABLE, Cause.NO_ANSWER)


async def test_a_dripping_answer_ends_at_the_deadline(sandbox: RunningSandbox) -> None:
    config = config_for(sandbox)
    arm(sandbox, path="/api/v1/*", fault="drip", times=None)
    http = make_client(auth=Bearer("Core Signature", config.credentials))
    service = Service("Core Signature", sandbox.url, http, deadline=0.3)
    began = time.monotonic()
    with pytest.raises(ServiceFailure) as caught:
        await service.call("GET", "/api/v1/documents/")
    assert time.monotonic() - began < 1.3
    assert caught.value.cause is Cause.NO_ANSWER
    await service.aclose()


@pytest.mark.parametrize("retry_after", [7, "date"])
async def test_a_throttled_call_says_when_to_come_back(
    sandbox: RunningSandbox, client: CoreSignatureClient, retry_after: int | str
) -> None:
    arm(sandbox, path="/api/v1/*", fault="429", retry_after=retry_after, delay=7)
    meaning = to_application_error(await failure_of(client, CALLS["list"]))
    assert meaning.next_retry_delay is not None
    assert 6 <= meaning.details[0] <= 8
    assert meaning.details[0] <= meaning.next_retry_delay.total_seconds() <= meaning.details[0] + 5


async def test_fifty_calls_with_an_expired_token_ask_for_one() -> None:
    now = 1_800_000_000.0
    async with running(SandboxSettings(token_lifetime=900, clock=lambda: now)) as sandbox:
        client = CoreSignatureClient(config_for(sandbox))
        await client.documents_of("x")
        now += 901
        await asyncio.gather(*(client.documents_of("x") for _ in range(50)))
        await client.aclose()
        assert len(calls(sandbox, "/oauth2/token")) == 2


async def test_refused_for_ever_is_two_calls_a_probe_and_mends_by_itself(
    sandbox: RunningSandbox, client: CoreSignatureClient
) -> None:
    arm(sandbox, path="/api/v1/*", fault="401", times=4)
    for probe in (1, 2):
        failure = await failure_of(client, CALLS["list"])
        assert failure.status == 401
        assert len(calls(sandbox, "/api/v1/")) == 2 * probe
    assert await client.documents_of("msa-0042") == []


@pytest.mark.parametrize(
    ("fault", "shape", "code", "passes"),
    [
        ("401", None, Code.UNAUTHORISED, False),
        ("401", "apigee", Code.UNAUTHORISED, False),
        ("403", None, Code.UNAUTHORISED, False),
        ("429", None, Code.UNREACHABLE, True),
        ("500", None, Code.UNREACHABLE, True),
        ("502", None, Code.UNREACHABLE, True),
        ("html", None, Code.UNREACHABLE, True),
        ("302", None, Code.UNREACHABLE, False),
        ("refuse", None, Code.UNREACHABLE, True),
        ("truncate", None, Code.UNREACHABLE, True),
        ("huge", None, Code.UNREACHABLE, True),
    ],
)
async def test_a_faulty_token_end_point(
    sandbox: RunningSandbox, client: CoreSignatureClient, fault: str, shape: str | None, code: Code, passes: bool
) -> None:
    arm(sandbox, path="*/oauth2/token", fault=fault, shape=shape)
    meaning = to_application_error(await failure_of(client, CALLS["list"]))
    assert (meaning.type, meaning.non_retryable) == (code, not passes)
    assert calls(sandbox, "/api/v1/") == []
    assert len(calls(sandbox, "/oauth2/token")) == 1
    assert await client.documents_of("msa-0042") == []


async def test_a_truncated_list_is_told_from_an_empty_one(sandbox: RunningSandbox, client: CoreSignatureClient) -> None:
    arm(sandbox, path="/api/v1/documents/", fault="truncate")
    failure = await failure_of(client, CALLS["list"])
    assert failure.cause in (Cause.UNREADABLE, Cause.NO_ANSWER)
