"""What is kept of a trial, and what bounds it."""

import json

import httpx
import pytest

from starter.tenant.recording import ANSWER_AT_MOST, EXCHANGES_AT_MOST, HttpExchange, Recorder, RecordingTransport
from starter.tenant.scrubbing import ITEMS_AT_MOST, Scrubber


def record(recorder: Recorder, body: object, path: str = "/api/v1/documents/") -> HttpExchange:
    """The exchange as it is kept."""
    request = httpx.Request("GET", f"https://core.tenant.example{path}")
    recorder.record_call("core", request, httpx.Response(200, content=json.dumps(body).encode()))
    return recorder.exchanges[-1]


@pytest.mark.parametrize(
    ("key", "value"),
    [
        *(("full_name", "Grace Canary"), ("email", "grace@canary.example"), ("access_token", "eyJ.canary")),
        *(
            ("url", "https://core.tenant.example/dl/canary?sig=canary"),
            ("phone", "+31canary"),
            ("detail", "no grace@canary.example"),
        ),
        *(
            ("url", "/api/v1/teams/canary/"),
            ("note", "canary"),
            ("status", "see https://canary.example/x"),
            ("unknown", ["canary"]),
        ),
        *(
            ("unknown", {"canary@x.example": 1}),
            ("token", "canary"),
            ("event_hash", "canary"),
            ("otagAppKey", "canary"),
            ("error", "canary grace is unknown"),
            ("url", "https://core.tenant.example/api/v1/documents/canary/"),
            ("url", "https://canary.tenant.example/api/v1/documents/"),
            ("token", "ca" * 32),
        ),
    ],
)
def test_no_text_of_a_person_and_no_secret_is_kept_whatever_its_key(key: str, value: object) -> None:
    assert "canary" not in json.dumps(record(Recorder(), {key: value}).model_dump())


def test_what_a_fact_is_judged_by_is_kept() -> None:
    body = {
        "status": "si",
        "needs_to_sign": True,
        "order": 3,
        "signed_on": "2026-11-30T07:00:00.5Z",
        "security_hash": "ab" * 32,
        "next": None,
        "event_time": "1735725600",
    }
    assert record(Recorder(), body).body == body


def test_equal_texts_get_equal_placeholders_also_in_addresses() -> None:
    scrubber, uuid = Scrubber(), "7c3a1b9e-1111-4222-8333-944455566677"
    assert scrubber.scrub(["a@x.example", "A@x.example", uuid]) == ["text-1", "text-1", "text-2"]
    assert scrubber.scrub(f"https://x.example/api/v1/documents/{uuid}/").endswith("/api/v1/documents/text-2/")
    assert scrubber.scrub_path(f"/api/v1/signature-requests/{uuid}/cancel/").endswith("/text-2/cancel/")


@pytest.mark.long
def test_of_ten_times_the_calls_the_first_are_kept() -> None:
    recorder = Recorder()
    for _ in range(10 * EXCHANGES_AT_MOST):
        record(recorder, None)
    assert len(recorder.exchanges) == EXCHANGES_AT_MOST


def test_of_a_list_ten_times_too_long_its_begin_is_kept_and_of_a_huge_answer_its_size() -> None:
    recorder = Recorder()
    assert len(record(recorder, {"results": [{"uuid": "x"}] * 10 * ITEMS_AT_MOST}).results) == ITEMS_AT_MOST
    assert record(recorder, "x" * 10 * ANSWER_AT_MOST).body == f"{10 * ANSWER_AT_MOST + 2} bytes"


async def test_of_a_token_s_call_neither_path_nor_request_is_kept_wherever_its_endpoint_is() -> None:
    url = "https://login.canary.example/canary-tenant/grant"
    recorder = Recorder(frozenset((url,)))
    answering = httpx.MockTransport(lambda _: httpx.Response(200, json={"access_token": "canary", "expires_in": 900}))
    async with httpx.AsyncClient(transport=RecordingTransport(answering, recorder, "core")) as client:
        await client.post(url, json={"client_id": "canary", "client_secret": "canary"})
    [call] = recorder.exchanges
    assert (call.service, call.path, call.sent) == ("token", "/token", None)
    assert "canary" not in call.model_dump_json()
