"""What is kept of a trial, and what bounds it."""

import json

import httpx
import pytest

from starter.tenant.recording import (
    ANSWER_AT_MOST,
    EXCHANGES_AT_MOST,
    HOST,
    ITEMS_AT_MOST,
    Exchange,
    Recorder,
    RecordingTransport,
    Scrubber,
)


def noted(recorder: Recorder, body: object, path: str = "/api/v1/documents/", status: int = 200) -> Exchange:
    """The exchange as it is kept."""
    request = httpx.Request("GET", f"https://core.tenant.example{path}")
    recorder.note("core", request, httpx.Response(status, content=json.dumps(body).encode()), 0.1)
    return recorder.exchanges[-1]


def recorder() -> Recorder:
    return Recorder(Scrubber("core.tenant.example"))


@pytest.mark.parametrize(
    ("key", "told"),
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
        ),
    ],
)
def test_no_text_of_a_person_and_no_secret_is_kept_whatever_its_key(key: str, told: object) -> None:
    assert "canary" not in json.dumps(noted(recorder(), {key: told}).model_dump())


def test_what_a_fact_is_judged_by_is_kept() -> None:
    told = {
        "status": "si",
        "needs_to_sign": True,
        "order": 3,
        "signed_on": "2026-11-30T07:00:00.5Z",
        "security_hash": "ab" * 32,
        "next": None,
        "event_time": "1735725600",
    }
    assert noted(recorder(), told).body == told


def test_the_same_stands_for_the_same_and_a_host_is_known_as_own_or_another() -> None:
    scrubber = Scrubber("core.tenant.example")
    assert scrubber.value(["a@x.example", "A@x.example", "b@x.example"]) == [
        *2 * ["person-1@example.test"],
        "person-2@example.test",
    ]
    assert scrubber.host_of("https://core.tenant.example/x") == HOST
    assert scrubber.host_of("https://files.core.tenant.example/x").endswith(f".{HOST}")
    assert not scrubber.host_of("https://elsewhere.example/x").endswith(HOST)


def test_of_ten_times_the_calls_the_first_are_kept() -> None:
    kept = recorder()
    for _ in range(10 * EXCHANGES_AT_MOST):
        noted(kept, None)
    assert len(kept.exchanges) == EXCHANGES_AT_MOST


def test_of_a_list_ten_times_too_long_its_begin_is_kept_and_of_a_huge_answer_its_size() -> None:
    kept = recorder()
    assert len(noted(kept, {"results": [{"uuid": "x"}] * 10 * ITEMS_AT_MOST}).results) == ITEMS_AT_MOST
    assert noted(kept, "x" * 10 * ANSWER_AT_MOST).body == f"{10 * ANSWER_AT_MOST + 2} bytes"


async def test_of_a_token_s_call_neither_path_nor_body_is_kept_wherever_its_endpoint_is() -> None:
    kept, url = recorder(), "https://login.canary.example/canary-tenant/grant"
    kept.tokens.add(url)
    answering = httpx.MockTransport(lambda _: httpx.Response(200, json={"access_token": "canary", "expires_in": 900}))
    async with httpx.AsyncClient(transport=RecordingTransport(answering, kept, "core")) as client:
        await client.post(url, json={"client_id": "canary", "client_secret": "canary"})
    [one] = kept.exchanges
    assert (one.service, one.path, one.sent) == ("token", "/token", None)
    assert "canary" not in one.model_dump_json()
