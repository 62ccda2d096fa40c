"""The dialect `fcm_v1`: the bodies it sends, and what it makes of the answers."""

from datetime import UTC, datetime

import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import SecretStr

from activities.http.client import Service, make_client
from activities.keys import KeyRing
from activities.notifications.links import SigningLinks
from activities.notifications.message import NotificationMessage, compose, wire_size
from activities.notifications.push_services import LIMIT, FcmPush, MessageFate, MessageResult, PushDialect, fcm_body
from activities.people.person import AddressKind
from deploy.sandbox.push.api import parse_request, payload_bytes, validate
from deploy.sandbox.server import RunningSandbox
from tests.activities.notifications.stage import arm, brief, delivery, mark, notice, pushes
from tests.activities.reading import reading
from workflows.model.notifications import NoticeAction

TOKEN = "chief-executive~1"


def message(
    action: NoticeAction = NoticeAction.SIGN, *, base: str = "https://sign.example", name: str = "Agreement"
) -> NotificationMessage:
    order = notice("chief-executive", action=action)
    signing_delivery = delivery(
        order, subject=brief().replace(title=name), due_at=datetime(2026, 12, 11, 17, tzinfo=UTC)
    )
    return compose(signing_delivery, order, reading(), SigningLinks(base, KeyRing([SecretStr("s" * 32)])))


async def send_with_answer(status: int, body: object = None, headers: dict[str, str] | None = None) -> MessageResult:
    """The fate of a message that the service answers in this way."""
    transport = httpx.MockTransport(lambda _: httpx.Response(status, json=body, headers=headers))
    async with make_client(transport=transport) as client:
        return await FcmPush(Service("push service", "https://push.example", client), "p").send(TOKEN, message())


def refusal(
    status: int, canonical: str, error_code: str | None = None, field: str | None = None, explanation: str = "no"
) -> object:
    details: list[object] = []
    if error_code:
        details.append({"@type": "type.googleapis.com/google.firebase.fcm.v1.FcmError", "errorCode": error_code})
    if field:
        details.append({"fieldViolations": [{"field": field, "description": "malformed"}]})
    return {"error": {"code": status, "message": explanation, "status": canonical, "details": details}}


def test_the_body_of_a_notice_is_the_contracts() -> None:
    push_message = message()
    assert fcm_body(TOKEN, push_message) == {
        "validate_only": False,
        "message": {
            "token": TOKEN,
            "data": {
                "request": "msa-0042",
                "stage": "ready",
                "key": push_message.key,
                "link": push_message.link,
                "action": "sign",
            },
            "notification": {
                "title": "Sign: Agreement",
                "body": "Due Fri, 11 Dec 2026, 18:00.",
            },
            "android": {"priority": "HIGH", "ttl": "2419200s", "notification": {"tag": push_message.key}},
            "apns": {
                "headers": {"apns-priority": "10", "apns-collapse-id": push_message.key},
                "payload": {"aps": {"sound": "default"}},
            },
            "webpush": {
                "headers": {"TTL": "2419200", "Urgency": "high", "Topic": push_message.key},
                "fcm_options": {"link": push_message.link},
            },
        },
    }


def test_a_link_that_is_not_https_is_in_the_data_alone() -> None:
    body = fcm_body(TOKEN, message(base="http://127.0.0.1:8080"))
    assert "fcm_options" not in body["message"]["webpush"]
    assert body["message"]["data"]["link"].startswith("http://127.0.0.1:8080/open/")


def test_a_withdrawal_is_data_alone_at_apples_low_priority() -> None:
    body = fcm_body(TOKEN, message(NoticeAction.WITHDRAW))["message"]
    assert "notification" not in body
    assert "notification" not in body["android"]
    assert body["apns"]["headers"]["apns-priority"] == "5"
    assert body["data"]["action"] == "withdraw"


@pytest.mark.long
@given(name=st.text(min_size=1, max_size=4_000) | st.text("👨‍👩‍👧‍👦é\u0301اa", min_size=800, max_size=2_000))
def test_no_document_name_makes_a_message_too_big(name: str) -> None:
    body = fcm_body(TOKEN, message(name=name))
    assert wire_size(body["message"]) <= LIMIT
    assert payload_bytes(body["message"]) <= LIMIT
    validate(parse_request(body)["message"])


@pytest.mark.parametrize(
    "action", sorted({*NoticeAction} - {NoticeAction.DO, NoticeAction.REVIEW, NoticeAction.REVISE})
)
async def test_a_message_arrives(sandbox: RunningSandbox, fcm: PushDialect, action: NoticeAction) -> None:
    assert await fcm.send(TOKEN, message(action)) == MessageResult(MessageFate.ACCEPTED)
    (arrived,) = pushes(sandbox)
    assert (arrived["token"], arrived["data"]["action"]) == (TOKEN, action)
    assert arrived["visible"] == (action is not NoticeAction.WITHDRAW)


async def test_an_installation_is_named_by_its_id(sandbox: RunningSandbox, fcm: PushDialect) -> None:
    assert (await fcm.send("chief-executive~fid1", message(), AddressKind.FID)).fate is MessageFate.ACCEPTED
    assert [push["token"] for push in pushes(sandbox)] == ["chief-executive~fid1"]
    assert fcm_body("f", message(), AddressKind.FID)["message"]["fid"] == "f"
    assert (await fcm.send("chief-executive~fid1", message())).fate is MessageFate.UNREGISTERED


@pytest.mark.parametrize("field", ["message.token", "message.fid"])
@pytest.mark.parametrize(
    ("error_code", "status", "fate"),
    [
        ("UNREGISTERED", 404, MessageFate.UNREGISTERED),
        ("INVALID_ARGUMENT", 400, MessageFate.REFUSED),
        (None, 404, MessageFate.UNAUTHORISED),
    ],
)
async def test_what_became_of_an_address_is_told_by_the_error_code_and_by_no_word_of_the_message(
    field: str, error_code: str | None, status: int, fate: MessageFate
) -> None:
    canonical = "NOT_FOUND" if status == 404 else "INVALID_ARGUMENT"
    explanation = f"The registration {field} is not a valid FCM registration token: UNREGISTERED"
    assert (await send_with_answer(status, refusal(status, canonical, error_code, field, explanation))).fate is fate


async def test_dead_devices_are_told_apart(sandbox: RunningSandbox, fcm: PushDialect) -> None:
    mark(sandbox, "chief-executive~1", "unregistered")
    mark(sandbox, "chief-executive~2", "other_sender")
    fates = [(await fcm.send(f"chief-executive~{n}", message())).fate for n in (1, 2, 3)]
    assert fates == [MessageFate.UNREGISTERED, MessageFate.OTHER_SENDER, MessageFate.ACCEPTED]


async def test_a_token_that_is_refused_once_is_renewed(sandbox: RunningSandbox, fcm: PushDialect) -> None:
    arm(sandbox, fault="401", times=1)
    assert (await fcm.send(TOKEN, message())).fate is MessageFate.ACCEPTED


@pytest.mark.parametrize(
    ("status", "body", "fate"),
    [
        (404, refusal(404, "NOT_FOUND", "UNREGISTERED"), MessageFate.UNREGISTERED),
        (410, None, MessageFate.REFUSED),
        (404, refusal(404, "NOT_FOUND"), MessageFate.UNAUTHORISED),
        (404, "nothing here", MessageFate.UNAUTHORISED),
        (403, refusal(403, "PERMISSION_DENIED", "SENDER_ID_MISMATCH"), MessageFate.OTHER_SENDER),
        (403, refusal(403, "PERMISSION_DENIED"), MessageFate.UNAUTHORISED),
        (401, refusal(401, "UNAUTHENTICATED", "THIRD_PARTY_AUTH_ERROR"), MessageFate.PLATFORM),
        (400, refusal(400, "INVALID_ARGUMENT", "INVALID_ARGUMENT", "message.token"), MessageFate.REFUSED),
        (400, refusal(400, "INVALID_ARGUMENT", "INVALID_ARGUMENT", "message.data"), MessageFate.REFUSED),
        (400, refusal(400, "INVALID_ARGUMENT"), MessageFate.REFUSED),
        (500, refusal(500, "INTERNAL", "INTERNAL"), MessageFate.LATER),
    ],
)
async def test_the_error_code_decides_before_the_status(status: int, body: object, fate: MessageFate) -> None:
    assert (await send_with_answer(status, body)).fate is fate


async def test_a_bad_gateway_in_html_is_later_and_buries_nothing() -> None:
    page = '<html><title>502 Bad Gateway</title><p>UNREGISTERED "errorCode": "UNREGISTERED"</p></html>'
    transport = httpx.MockTransport(lambda _: httpx.Response(502, html=page))
    async with make_client(transport=transport) as client:
        sent = await FcmPush(Service("push service", "https://push.example", client), "p").send(TOKEN, message())
    assert (sent.fate, sent.fate.dead, sent.failure and sent.failure.error_code) == (MessageFate.LATER, False, None)


async def test_a_wait_that_was_asked_for_is_kept_and_a_quota_waits_a_minute() -> None:
    quota = refusal(429, "RESOURCE_EXHAUSTED", "QUOTA_EXCEEDED")
    assert (await send_with_answer(429, quota, {"retry-after": "90"})).wait == 90
    assert (await send_with_answer(429, quota)).wait == 60
    assert (await send_with_answer(503, refusal(503, "UNAVAILABLE", "UNAVAILABLE"), {"retry-after": "7"})).wait == 7
    assert MessageResult(MessageFate.ACCEPTED).wait == 0


async def test_a_failure_never_quotes_the_token() -> None:
    sent = await send_with_answer(400, {"error": {"message": f"bad {TOKEN}", "status": "INVALID_ARGUMENT"}})
    assert sent.failure is not None
    assert TOKEN not in str(sent.failure)


async def test_the_doctor_learns_whether_the_service_knows_us(sandbox: RunningSandbox, fcm: PushDialect) -> None:
    await fcm.check()
    assert not pushes(sandbox)
    arm(sandbox, fault="403")
    with pytest.raises(Exception, match="answered 403"):
        await fcm.check()
