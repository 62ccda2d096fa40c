"""Every fault does what its name says, on a real connection, and the ledger tells whether the call took effect."""

import asyncio
import time
from email.utils import parsedate_to_datetime
from typing import Any

import httpx
import pytest

from tests.sandbox.conftest import Hands

TOKEN_PATH = "/tenants/acme/oauth2/token"
FCM_PATH = "/v1/projects/countersign/messages:send"
APPWORKS_PATH = "/deployments/notifications/countersign/fcm-push"


async def created(hands: Hands) -> int:
    """How many documents there really are."""
    return len(await hands.ledger("document_created"))


@pytest.mark.parametrize(("fault", "effects"), [("refuse", 0), ("cut", 1)])
async def test_a_torn_connection_with_and_without_effect(hands: Hands, fault: str, effects: int) -> None:
    await hands.arm(method="POST", path="/api/v1/documents/", fault=fault)
    with pytest.raises((httpx.ReadError, httpx.RemoteProtocolError)):
        await hands.document()
    assert await created(hands) == effects
    [entry] = await hands.ledger("request")
    assert (entry["status"], entry["fault"], entry["body"]["external_id"]) == (None, fault, "case-1")
    await hands.document()
    assert await created(hands) == effects + 1


async def test_a_cut_connection_is_reset_before_any_byte_of_an_answer(hands: Hands) -> None:
    await hands.arm(fault="cut")
    reader, writer = await asyncio.open_connection("127.0.0.1", int(hands.sandbox.url.rsplit(":", 1)[1]))
    writer.write(b"GET /healthz HTTP/1.1\r\nhost: x\r\n\r\n")
    with pytest.raises(ConnectionResetError):
        await reader.read()
    writer.close()


async def test_slow_takes_effect_and_answers_late(hands: Hands) -> None:
    await hands.arm(path="/api/v1/documents/", fault="slow", delay=0.2)
    with pytest.raises(httpx.ReadTimeout):
        await hands.api("GET", "/documents/", timeout=0.05)
    await hands.arm(path="/api/v1/documents/", fault="slow", delay=0.1)
    started_at = time.monotonic()
    await hands.document()
    assert time.monotonic() - started_at >= 0.1
    assert await created(hands) == 1


async def test_drip_comes_byte_by_byte(hands: Hands) -> None:
    await hands.arm(path="/healthz", fault="drip", delay=0.02)
    started_at = time.monotonic()
    assert (await hands.http.get("/healthz")).text == "ok"
    assert time.monotonic() - started_at >= 0.02


async def test_a_client_that_gives_up_a_drip_leaves_nothing_running(hands: Hands) -> None:
    await hands.arm(path="/api/v1/events/", fault="drip")
    with pytest.raises(httpx.ReadTimeout):
        await hands.api("GET", "/events/", timeout=0.1)


async def test_truncate_stops_in_the_middle_of_the_body(hands: Hands) -> None:
    await hands.arm(path="/api/v1/events/", fault="truncate")
    with pytest.raises(httpx.RemoteProtocolError, match="without sending complete"):
        await hands.api("GET", "/events/")


@pytest.mark.parametrize("fault", ["400", "401", "403", "404", "409", "410", "413", "429", "500", "503"])
async def test_an_error_comes_instead_of_any_effect(hands: Hands, fault: str) -> None:
    await hands.arm(method="POST", path="/api/v1/documents/", fault=fault)
    answer = await hands.api("POST", "/documents/", json={"name": "x"})
    assert answer.status_code == int(fault)
    assert answer.json().keys() <= {"detail", "non_field_errors"}
    assert await created(hands) == 0


async def test_an_error_after_the_effect_can_be_asked_for(hands: Hands) -> None:
    await hands.arm(method="POST", path="/api/v1/documents/", fault="500", commit=True)
    with pytest.raises(AssertionError):
        await hands.document()
    assert await created(hands) == 1


@pytest.mark.parametrize(
    ("path", "fault", "shape"),
    [
        (FCM_PATH, "429", {"error": {"status": "RESOURCE_EXHAUSTED", "code": 429}}),
        (FCM_PATH, "503", {"error": {"status": "UNAVAILABLE", "code": 503}}),
        (TOKEN_PATH, "401", {"error": "invalid_client"}),
        (TOKEN_PATH, "503", {"error": "temporarily_unavailable"}),
        (APPWORKS_PATH, "500", {"status": 500, "entity": None}),
    ],
)
async def test_each_service_words_its_own_errors(hands: Hands, path: str, fault: str, shape: dict[str, Any]) -> None:
    await hands.arm(path=path, fault=fault)
    answer = await hands.http.post(path)
    assert answer.status_code == int(fault)
    for name, value in shape.items():
        error_field = answer.json()[name]
        assert value.items() <= error_field.items() if isinstance(value, dict) else error_field == value


async def test_codes_and_shapes_can_be_chosen(hands: Hands) -> None:
    await hands.arm(fault="401", path=FCM_PATH, error_code="THIRD_PARTY_AUTH_ERROR")
    details = (await hands.http.post(FCM_PATH)).json()["error"]["details"]
    assert [detail["errorCode"] for detail in details] == ["THIRD_PARTY_AUTH_ERROR"]
    await hands.arm(fault="503", shape="apigee")
    assert "faultstring" in (await hands.api("GET", "/events/")).json()["fault"]
    await hands.arm(fault="503", shape="html")
    assert (await hands.api("GET", "/events/")).text.startswith("<!doctype html>")


async def test_retry_after_in_seconds_and_as_a_date(hands: Hands) -> None:
    await hands.arm(fault="429", retry_after=7)
    answer = await hands.api("GET", "/events/")
    assert (answer.headers["retry-after"], "7 seconds" in answer.json()["detail"]) == ("7", True)
    await hands.arm(fault="429", retry_after="date", delay=30)
    answer = await hands.api("GET", "/events/")
    ahead = parsedate_to_datetime(answer.headers["retry-after"]) - parsedate_to_datetime(answer.headers["date"])
    assert 29 <= ahead.total_seconds() <= 31


@pytest.mark.parametrize(("fault", "status"), [("html", 200), ("502", 502)])
async def test_html_where_json_is_due(hands: Hands, fault: str, status: int) -> None:
    await hands.arm(path="/api/*", fault=fault)
    answer = await hands.api("GET", "/events/")
    assert (answer.status_code, answer.headers["content-type"]) == (status, "text/html; charset=utf-8")


async def test_huge_is_over_ten_megabytes(hands: Hands) -> None:
    await hands.arm(path="/api/*", fault="huge")
    answer = await hands.api("GET", "/events/")
    assert len(answer.content) > 10_000_000
    assert answer.json()["results"] == []


async def test_a_redirect_leads_where_its_following_would_be_seen(hands: Hands) -> None:
    await hands.arm(path="/api/*", fault="302")
    answer = await hands.api("POST", "/documents/", json={})
    assert (answer.status_code, answer.headers["location"]) == (302, "/_sandbox/targets/redirected")
    await hands.http.post(answer.headers["location"])
    assert [entry["target"] for entry in await hands.ledger("downstream")] == ["redirected"]


async def test_after_and_times_and_contains_choose_the_requests(hands: Hands) -> None:
    await hands.arm(method="GET", path="/api/v1/ev*", fault="503", after=1, times=2)
    statuses = [(await hands.api("GET", "/events/")).status_code for _ in range(5)]
    assert statuses == [200, 503, 503, 200, 200]
    await hands.arm(path="*", fault="500", times=None, contains="case-7")
    assert (await hands.api("POST", "/documents/", json={"external_id": "case-7"})).status_code == 500
    await hands.document()
    [first, second] = (await hands.http.get("/_sandbox/faults")).json()
    assert (first["hits"], first["seen"], second["hits"]) == (2, 3, 1)


async def test_a_fault_may_hit_a_share_of_the_calls_at_random(hands: Hands) -> None:
    await hands.arm(path="/api/v1/events/", fault="503", times=None, share=0.5)
    statuses = [(await hands.api("GET", "/events/")).status_code for _ in range(40)]
    assert set(statuses) == {200, 503}
    await hands.arm(path="/api/v1/events/", fault="500", times=None)
    assert {(await hands.api("GET", "/events/")).status_code for _ in range(40)} == {500, 503}


async def test_faults_can_be_cleared_and_never_hit_the_controls(hands: Hands) -> None:
    await hands.arm(fault="500", times=None)
    assert (await hands.http.get("/healthz")).status_code == 500
    assert (await hands.http.get("/_sandbox/faults")).status_code == 200
    assert (await hands.http.delete("/_sandbox/faults")).status_code == 204
    assert (await hands.http.get("/healthz")).status_code == 200


async def test_targets_record_what_they_get_and_can_fail(hands: Hands) -> None:
    await hands.arm(path="/_sandbox/targets/finance", fault="503")
    headers = {"webhook-id": "m1", "webhook-timestamp": "1", "webhook-signature": "v1,x", "authorization": "Bearer s"}
    for _ in range(2):
        await hands.http.post("/_sandbox/targets/finance", json={"type": "signature.settled"}, headers=headers)
    [entry] = await hands.ledger("downstream")
    assert (entry["target"], entry["body"]) == ("finance", {"type": "signature.settled"})
    assert entry["headers"] == {name: value for name, value in headers.items() if name.startswith("webhook")}
    requests = await hands.ledger("request")
    assert [(r["status"], r["headers"]["webhook-id"]) for r in requests] == [(503, "m1"), (200, "m1")]
    assert "Bearer" not in str(await hands.ledger())


@pytest.mark.parametrize(
    "fault",
    [
        {"method": "GET", "fault": "drop"},
        {"method": "CALLBACK", "path": "signed", "fault": "500"},
        {"method": "callback", "fault": "slow"},
    ],
)
async def test_a_fault_that_could_never_strike_is_refused_in_words(hands: Hands, fault: dict[str, Any]) -> None:
    answer = await hands.http.post("/_sandbox/faults", json=fault)
    assert (answer.status_code, (await hands.http.get("/_sandbox/faults")).json()) == (400, [])
    assert f"{fault['fault']} is " in answer.json()["detail"]


async def test_a_status_may_be_written_as_a_number(hands: Hands) -> None:
    await hands.arm(path="/api/v1/events/", fault=500)
    assert (await hands.api("GET", "/events/")).status_code == 500
    assert (await hands.http.get("/_sandbox/faults")).json()[0]["fault"] == "500"


@pytest.mark.parametrize(
    "fault",
    [
        {},
        {"fault": "gremlins"},
        {"fault": 499},
        {"fault": True},
        {"fault": "500", "tmies": 2},
        {"fault": "500", "times": 0},
    ],
)
async def test_a_fault_that_is_none_is_refused(hands: Hands, fault: dict[str, Any]) -> None:
    answer = await hands.http.post("/_sandbox/faults", json=fault)
    assert answer.status_code == 400
    assert answer.json()["detail"]


@pytest.mark.parametrize("body", [b'{"a": NaN, "b": "\\ud800"}', b"[" * 5_000, b"\xff\xfe", b""])
async def test_hostile_bodies_are_refused_and_do_not_spoil_the_ledger(hands: Hands, body: bytes) -> None:
    assert (await hands.api("POST", "/documents/", content=body)).status_code == 400
    assert (await hands.http.post("/_sandbox/targets/x", content=body)).status_code == 200
    assert len(await hands.ledger("request")) == 2


async def test_numbers_out_of_this_world_are_refused(hands: Hands) -> None:
    assert (await hands.api("GET", f"/documents/?limit={'9' * 5_000}")).status_code == 404
    assert (await hands.http.get(f"/_sandbox/ledger?after={'9' * 5_000}")).status_code == 400
