"""Every fault of the sandbox against every call of the client."""

import asyncio
import time
from collections import Counter
from collections.abc import Mapping
from contextlib import aclosing
from typing import Final

import pytest

from activities.core_signature import client as client_module
from activities.core_signature.client import CoreSignatureClient
from activities.http import oauth
from activities.http.client import Cause, Service, ServiceFailure, make_client
from activities.http.oauth import Bearer
from activities.temporal.failures import to_application_error
from deploy.sandbox.server import RunningSandbox, running
from deploy.sandbox.state.settings import SandboxSettings
from tests.activities.core_signature.calls import ACTIONS, CALLS, TOKEN_CALLS, make_call_target
from tests.activities.core_signature.conftest import arm, calls, config_for, entries
from tests.activities.fault_table import (
    DONE,
    FAULTS,
    LATE,
    OF_A_SERVICE,
    OF_A_TOKEN_END_POINT,
    SHORT,
    Ending,
    arm_always,
    calls_of,
    endings,
)

API: Final = "/api/v1/*"
HARMLESS: Final[Mapping[tuple[str, str], str]] = {
    ("delete_document", "truncate"): "the answer is a 204: it has no body of which half could be missing",
    ("delete_document", "drip"): "the answer is a 204: it has no byte that could be late",
    ("unsubscribe", "404"): "what is not there is ended",
}
"""The faults that do no harm to a call, and why."""


def ending_of(call: str, fault: str) -> Ending:
    """How a call to the API has to end."""
    return DONE if (call, fault) in HARMLESS else OF_A_SERVICE[fault]


async def failure_of_list(client: CoreSignatureClient) -> ServiceFailure:
    """The failure with which the list of documents must end."""
    with pytest.raises(ServiceFailure) as caught:
        await client.documents_of("msa-0042")
    return caught.value


def hurry(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let the calls of every client that is made from now on be given up soon."""
    for name in ("DEADLINE", "UPLOAD_DEADLINE"):
        monkeypatch.setattr(client_module, name, SHORT)


def test_every_call_of_the_client_is_in_the_table() -> None:
    assert CALLS.keys() | TOKEN_CALLS.keys() == calls_of(CoreSignatureClient)
    assert [(call, fault) for call, fault in HARMLESS if call not in CALLS or fault not in FAULTS] == []


@pytest.mark.parametrize("fault", FAULTS)
async def test_each_fault_of_each_call_has_its_meaning(
    sandbox: RunningSandbox, client: CoreSignatureClient, monkeypatch: pytest.MonkeyPatch, fault: str
) -> None:
    targets = {name: await make_call_target(client) for name in CALLS}
    if fault in LATE:
        hurry(monkeypatch)
    async with aclosing(CoreSignatureClient(config_for(sandbox))) as hit:
        await hit.check_token()
        call_count_before = len(calls(sandbox, "/api/v1/"))
        arm_always(sandbox, fault, API)
        # A call that meets no harm is in no hurry: it has to arrive on a slow machine too.
        callers = {name: client if (name, fault) in HARMLESS else hit for name in CALLS}
        results = await endings({name: call(callers[name], targets[name]) for name, call in CALLS.items()})
    assert results == {name: ending_of(name, fault) for name in CALLS}
    request_counts = Counter((call["method"], call["path"]) for call in calls(sandbox, "/api/v1/")[call_count_before:])
    # 401: once more with a fresh token; 404 of an action: the request itself is asked for.
    assert set(request_counts.values()) == {2 if fault.startswith("401") else 1}
    assert len(request_counts) == len(CALLS) + (len(ACTIONS) if fault == "404" else 0) or fault in LATE
    assert entries(sandbox, "downstream") == [], "a redirect was followed"


@pytest.mark.parametrize("fault", FAULTS)
async def test_each_fault_of_the_token_end_point_is_told_to_who_checks_it(
    sandbox: RunningSandbox, client: CoreSignatureClient, monkeypatch: pytest.MonkeyPatch, fault: str
) -> None:
    target = await make_call_target(client)
    if fault in LATE:
        monkeypatch.setattr(oauth, "DEADLINE", SHORT)
    call_count_before = len(calls(sandbox, "/oauth2/token"))
    arm_always(sandbox, fault, "*/oauth2/token")
    results = await endings({name: call(client, target) for name, call in TOKEN_CALLS.items()})
    assert results == dict.fromkeys(TOKEN_CALLS, OF_A_TOKEN_END_POINT[fault])
    assert len(calls(sandbox, "/oauth2/token")) - call_count_before <= len(TOKEN_CALLS)
    assert await client.documents_of("other") == [], "the token that was there before is as good as ever"


async def test_a_dripping_answer_ends_at_the_deadline(sandbox: RunningSandbox) -> None:
    config = config_for(sandbox)
    arm(sandbox, path=API, fault="drip", times=None)
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
    arm(sandbox, path=API, fault="429", retry_after=retry_after, delay=7)
    meaning = to_application_error(await failure_of_list(client))
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
    arm(sandbox, path=API, fault="401", times=4)
    for probe in (1, 2):
        failure = await failure_of_list(client)
        assert failure.status == 401
        assert len(calls(sandbox, "/api/v1/")) == 2 * probe
    assert await client.documents_of("msa-0042") == []
