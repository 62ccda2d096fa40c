"""Push: what FCM takes and refuses, the token table, AppWorks, and what is left on a phone's screen."""

from typing import Any

import pytest

from deploy.sandbox.push.api import payload_bytes
from tests.sandbox.conftest import Hands, Json

NOTICE = {"title": "Signature needed", "body": "MSA awaits you"}
FULL: Json = {
    "token": "ada~1",
    "notification": NOTICE,
    "data": {"request": "case-1", "key": "k1", "link": "https://app.test/open/x", "action": "sign"},
    "android": {"priority": "HIGH", "ttl": "3600s", "notification": {"tag": "k1"}},
    "apns": {
        "headers": {"apns-priority": "10", "apns-collapse-id": "k1"},
        "payload": {"aps": {"sound": "default"}},
    },
    "webpush": {
        "headers": {"TTL": "3600", "Urgency": "high", "Topic": "k1"},
        "fcm_options": {"link": "https://app.test/open/x"},
    },
}


async def screen(hands: Hands, device: str = "ada~1") -> list[Json]:
    """What stands on a device."""
    screens = (await hands.http.get(f"/_sandbox/phones/{device.partition('~')[0]}")).json()
    return list(screens.get(device, []))


def reason(answer: Any) -> str | None:
    """FCM's own code in an error body."""
    details = answer.json()["error"].get("details", [])
    return next((detail["errorCode"] for detail in details if "errorCode" in detail), None)


async def test_a_full_message_is_accepted_recorded_and_shown(hands: Hands) -> None:
    answer = await hands.push(FULL)
    assert answer.status_code == 200
    [entry] = await hands.ledger("push")
    assert answer.json() == {"name": f"projects/countersign/messages/{entry['message_id']}"}
    assert (entry["token"], entry["person"], entry["key"], entry["visible"]) == ("ada~1", "ada", "k1", True)
    assert entry["data"] == FULL["data"]
    [notice] = await screen(hands)
    assert (notice["title"], notice["link"]) == ("Signature needed", "https://app.test/open/x")


async def test_camel_case_is_taken_too(hands: Hands) -> None:
    webpush = {"fcmOptions": {"link": "https://app.test/"}}
    answer = await hands.push(
        {"token": "ada~1", "android": {"collapseKey": "x"}, "webpush": webpush, "data": {"a": "b"}}
    )
    assert answer.status_code == 200


async def test_validate_only_delivers_nothing(hands: Hands) -> None:
    answer = await hands.push(FULL, validate_only=True)
    assert answer.json()["name"].endswith("/fake_message_id")
    assert await hands.ledger("push") == []


REFUSED_BY_THE_PARSER: list[Json] = [
    {"token": "ada~1", "priority": "high"},
    {"token": "ada~1", "notification": {"title": "x", "tag": "k"}},
    {"token": "ada~1", "data": {"n": 1}},
    {"token": "ada~1", "data": {"n": {"a": "b"}}},
    {"token": "ada~1", "android": {"ttl": 3600}},
    {"token": "ada~1", "android": {"notification": {"sticky": "yes"}}},
    {"token": 7},
    {"token": "ada~1", "notification": "hello"},
]


@pytest.mark.parametrize("message", REFUSED_BY_THE_PARSER)
async def test_unknown_fields_and_wrong_types_are_refused_without_an_fcm_code(hands: Hands, message: Json) -> None:
    answer = await hands.push(message)
    assert (answer.status_code, answer.json()["error"]["status"]) == (400, "INVALID_ARGUMENT")
    assert reason(answer) is None
    assert answer.json()["error"]["details"][0]["fieldViolations"]


REFUSED_BY_THE_RULES: list[tuple[Json, str]] = [
    ({"notification": NOTICE}, "message"),
    ({"token": "ada~1", "topic": "x"}, "message"),
    ({"token": ""}, "message.token"),
    ({"topic": "/topics/x"}, "message.topic"),
    ({"token": "ada~1", "data": {"from": "x"}}, "message.data"),
    ({"token": "ada~1", "data": {"message_type": "x"}}, "message.data"),
    ({"token": "ada~1", "data": {"google.x": "x"}}, "message.data"),
    ({"token": "ada~1", "data": {"gcm_x": "x"}}, "message.data"),
    ({"token": "ada~1", "android": {"priority": "urgent"}}, "message.android.priority"),
    ({"token": "ada~1", "android": {"ttl": "1h"}}, "message.android.ttl"),
    ({"token": "ada~1", "android": {"ttl": "2419201s"}}, "message.android.ttl"),
    ({"token": "ada~1", "data": {"a": "b"}, "apns": {"headers": {"apns-priority": "10"}}}, "message.apns.headers"),
    ({"token": "ada~1", "data": {"a": "b"}, "apns": {}}, "message.apns.headers"),
    (
        {"token": "ada~1", "notification": NOTICE, "apns": {"headers": {"apns-collapse-id": "x" * 65}}},
        "message.apns.headers",
    ),
    ({"token": "ada~1", "webpush": {"fcm_options": {"link": "http://app.test"}}}, "message.webpush.fcm_options.link"),
    ({"token": "ada~1", "webpush": {"headers": {"Topic": "x" * 33}}}, "message.webpush.headers"),
    ({"token": "ada~1", "webpush": {"headers": {"Urgency": "now"}}}, "message.webpush.headers"),
    ({"token": "ada~1", "webpush": {"headers": {"TTL": "1h"}}}, "message.webpush.headers"),
]


@pytest.mark.parametrize(("message", "field"), REFUSED_BY_THE_RULES)
async def test_what_breaks_a_rule_is_refused_by_field(hands: Hands, message: Json, field: str) -> None:
    answer = await hands.push(message)
    assert (answer.status_code, reason(answer)) == (400, "INVALID_ARGUMENT")
    violations = [d for d in answer.json()["error"]["details"] if "fieldViolations" in d]
    assert violations[0]["fieldViolations"][0]["field"] == field
    assert (await hands.ledger("push_refused"))[0]["code"] == "INVALID_ARGUMENT"


@pytest.mark.parametrize(("target", "limit_bytes"), [({"token": "ada~1"}, 4096), ({"topic": "all"}, 2048)])
async def test_the_last_byte_that_fits(hands: Hands, target: Json, limit_bytes: int) -> None:
    message: Json = {**target, "notification": {"title": "é", "body": ""}, "data": {"k": "v"}}
    message["notification"]["body"] = "x" * (limit_bytes - payload_bytes(message))
    assert payload_bytes(message) == limit_bytes
    assert (await hands.push(message)).status_code == 200
    message["notification"]["body"] += "x"
    answer = await hands.push(message)
    assert (answer.status_code, reason(answer), "details" in answer.json()["error"]) == (400, None, False)


@pytest.mark.parametrize(
    ("token", "state", "status", "code"),
    [
        ("ada~1", "valid", 200, None),
        ("ada~1", "unregistered", 404, "UNREGISTERED"),
        ("ada~1", "other_sender", 403, "SENDER_ID_MISMATCH"),
        ("no-number", None, 404, "UNREGISTERED"),
    ],
)
async def test_the_token_table(hands: Hands, token: str, state: str | None, status: int, code: str | None) -> None:
    if state:
        marked = await hands.http.post("/_sandbox/devices", json={"token": token, "state": state})
        assert marked.status_code == 201
    answer = await hands.push({"token": token, "notification": NOTICE})
    assert answer.status_code == status
    assert code is None or reason(answer) == code


async def test_another_project_and_nonsense_are_refused(hands: Hands) -> None:
    bearer = {"authorization": f"Bearer {hands.sandbox.push.tokens.issue()}"}
    answer_of_other_project = await hands.http.post(
        "/v1/projects/other/messages:send", json={"message": FULL}, headers=bearer
    )
    assert (answer_of_other_project.status_code, answer_of_other_project.json()["error"]["status"]) == (
        403,
        "PERMISSION_DENIED",
    )
    for content in (b"{", b"[]", b'{"message": {"token": "\\ud800"}}'):
        path = "/v1/projects/countersign/messages:send"
        assert (await hands.http.post(path, content=content, headers=bearer)).status_code == 400


async def test_a_newer_notice_replaces_the_older_of_its_key(hands: Hands) -> None:
    await hands.push(FULL)
    await hands.push({"token": "ada~1", "notification": {"title": "Other"}})
    await hands.push({**FULL, "notification": {"title": "Reminder"}})
    assert [notice["title"] for notice in await screen(hands)] == ["Reminder", "Other"]
    assert len(await hands.ledger("push")) == 3


@pytest.mark.parametrize("key_of", ["android", "apns", "webpush"])
async def test_a_withdrawal_takes_the_notice_away_on_each_platform(hands: Hands, key_of: str) -> None:
    other_notice = {"android": {"notification": {"tag": "k2"}}}
    await hands.push({"token": "ada~1", "notification": NOTICE, key_of: FULL[key_of]})
    await hands.push({"token": "ada~1", "notification": {"title": "Other"}, **other_notice})
    await hands.push({"token": "ada~1", "data": {"action": "withdraw", "key": "k1"}})
    assert [notice["title"] for notice in await screen(hands)] == ["Other"]
    assert (await hands.ledger("push"))[-1]["visible"] is False


async def test_data_alone_shows_nothing_and_devices_are_apart(hands: Hands) -> None:
    await hands.push({"token": "ada~1", "data": {"action": "sign"}})
    await hands.push({**FULL, "token": "ada~2"})
    assert await screen(hands) == []
    assert len(await screen(hands, "ada~2")) == 1


async def test_keys_that_differ_between_platforms_are_noted(hands: Hands) -> None:
    await hands.push({**FULL, "android": {"notification": {"tag": "k9"}}})
    assert [entry["path"] for entry in await hands.ledger("violation")] == ["push"]


APPWORKS = "/deployments/notifications/countersign/fcm-push"
KEY = {"otagAppKey": "sandbox-app-key"}


async def test_appworks_reaches_every_user(hands: Hands) -> None:
    body = {
        "users": ["ada", "bob"],
        "title": "Signature needed",
        "summary": "MSA",
        "data": {"target": "countersign", "countersign": {"link": "https://app.test/x", "action": "sign"}},
        "collapseKey": "k1",
    }
    for _ in range(2):
        assert (await hands.http.post(APPWORKS, json=body, headers=KEY)).json() == {"success": True}
    screens = (await hands.http.get("/_sandbox/phones/bob")).json()
    assert [(n["title"], n["link"]) for n in screens["app"]] == [("Signature needed", "https://app.test/x")]
    assert len(await hands.ledger("push")) == 4


@pytest.mark.parametrize(
    ("path", "headers", "body", "status"),
    [
        (APPWORKS, {}, {"title": "x", "users": ["ada"]}, 401),
        ("/deployments/notifications/other/fcm-push", KEY, {"title": "x", "users": ["ada"]}, 404),
        (APPWORKS, KEY, {"users": ["ada"]}, 400),
        (APPWORKS, KEY, {"title": "x", "users": []}, 400),
        (APPWORKS, KEY, [], 400),
        (APPWORKS, KEY, {"title": 7, "users": ["ada"]}, 400),
        (APPWORKS, KEY, {"title": "x", "users": [7]}, 400),
    ],
)
async def test_appworks_refuses_in_its_own_shape(
    hands: Hands, path: str, headers: dict[str, str], body: Any, status: int
) -> None:
    answer = await hands.http.post(path, json=body, headers=headers)
    assert answer.status_code == status
    assert set(answer.json()) == {"key", "errorMessage", "entity", "status"}
