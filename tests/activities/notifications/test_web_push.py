"""The web dialect: the RFCs' own examples, what browsers get of a message, and each answer of a push service."""

import asyncio
import base64
import json
from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import timedelta
from typing import Any

import httpx
import pytest
from cryptography.hazmat.primitives.asymmetric.ec import SECP256R1, EllipticCurvePublicKey, derive_private_key
from joserfc import jwt
from joserfc.jwk import ECKey

from activities.http.client import ServiceFailure
from activities.notifications.config import WebPushConfig, open_web_push
from activities.notifications.message import LIFETIME, NotificationMessage
from activities.notifications.push_services import MessageFate
from activities.notifications.web_push import (
    PAYLOAD_AT_MOST,
    TOKEN_REUSED_FOR,
    TOKENS_AT_MOST,
    SigningKeys,
    VapidTokens,
    WebPush,
    build_headers,
    build_payload,
    encrypt,
    origin_of,
)
from activities.people.subscriptions import make_web_push_key
from activities.records.devices import WebSubscription
from activities.records.subscriptions import WebPushKey
from deploy.sandbox.push.phones import DeviceState
from deploy.sandbox.server import RunningSandbox
from tests.activities.notifications.stage import arm, entries, mark
from workflows.model.notifications import NoticeAction

OURS = make_web_push_key()
CONTACT = "mailto:legal@example.test"
MESSAGE = NotificationMessage(
    heading="Sign: {document}",
    body="Until Friday",
    document="Master services agreement",
    request="msa-0042",
    stage="ready",
    key="k" * 22,
    link="https://sign.example/open/x",
    action=NoticeAction.SIGN,
)
RFC_8291_SUBSCRIPTION = WebSubscription(
    "https://push.example.net/push/JzLQ3raZJfFBR0aqvOMsLrt54w4rJUsV",
    "BCVxsr7N_eNgVRqvHtD0zTZsEc6-VV-JvLexhqUzORcxaOzi6-AYWXvTBHm4bjyPjs7Vd8pZGH6SRpkNtoIAiw4",
    "BTBZMqHH6r4Tts7J_aSIgg",
    OURS.public,
)
RFC_8291_BODY = (
    "DGv6ra1nlYgDCS1FRnbzlwAAEABBBP4z9KsN6nGRTbVYI_c7VJSPQTBtkgcy27mlmlMoZIIgDll6e3vCYLocInmYWAmS6TlzAC8wEqKK6PBru3jl7A_"
    "yl95bQpu6cVPTpK4Mqgkf1CXztLVBSt2Ks3oZwbuwXPXLWyouBWLVWGNWQexSgSxsj_Qulcy4a-fN"
)
RFC_8292_TOKEN = (
    "eyJ0eXAiOiJKV1QiLCJhbGciOiJFUzI1NiJ9.eyJhdWQiOiJodHRwczovL3B1c2guZXhhbXBsZS5uZXQiLCJleHAiOjE0NTM1MjM3NjgsInN1YiI6Im1"
    "haWx0bzpwdXNoQGV4YW1wbGUuY29tIn0.i3CYb7t4xfxCDquptFOepC9GAu_HLGkMlMuCGSK2rpiUfnK9ojFwDXb1JrErtmysazNjjvW2L9OkSSHzvoD1"
    "oA"
)
RFC_8292_KEY = "BA1Hxzyi1RUM1b5wjxsn7nGxAszw2u61m164i3MrAIxHF6YK5h4SDYic-dRuU_RCPCfA5aq9ojSwk5Y2EmClBPs"


class Clock:
    now = 1_800_000_000.0

    def __call__(self) -> float:
        return self.now


def decode(text: str) -> bytes:
    return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))


def verified(token: str, public: str) -> dict[str, Any]:
    """The claims of a token that this key signed."""
    key = ECKey.import_key(EllipticCurvePublicKey.from_encoded_point(SECP256R1(), decode(public)))
    return dict(jwt.decode(token, key, algorithms=["ES256"]).claims)


async def read_ours() -> tuple[WebPushKey, ...]:
    return (OURS,)


@pytest.fixture
async def web(sandbox: RunningSandbox) -> AsyncIterator[WebPush]:
    host = sandbox.url.removeprefix("http://")
    web_push = open_web_push(WebPushConfig((host,), CONTACT), read_ours)
    yield web_push
    await web_push.aclose()


async def subscribe(sandbox: RunningSandbox, person: str = "ada", public: str = OURS.public) -> WebSubscription:
    async with httpx.AsyncClient(base_url=sandbox.url) as client:
        answer = (await client.post("/_sandbox/browsers", json={"person": person, "vapid_key": public})).json()
    return WebSubscription(*(answer[name] for name in WebSubscription._fields))


def test_the_example_of_rfc_8291_byte_for_byte() -> None:
    private_key = derive_private_key(int.from_bytes(decode("yfWPiYE-n46HLnH0KqZOF1fJJU3MYrct3AELtAQ-oRw")), SECP256R1())
    body = encrypt(
        b"When I grow up, I want to be a watermelon",
        RFC_8291_SUBSCRIPTION,
        private_key=private_key,
        salt=decode("DGv6ra1nlYgDCS1FRnbzlw"),
    )
    assert body == decode(RFC_8291_BODY)


def test_every_message_has_a_key_and_a_salt_of_its_own() -> None:
    bodies = {encrypt(b"x", RFC_8291_SUBSCRIPTION) for _ in range(10)}
    assert len({body[:16] for body in bodies}) == len({body[21:86] for body in bodies}) == 10


def test_our_token_is_like_the_example_of_rfc_8292() -> None:
    assert verified(RFC_8292_TOKEN, RFC_8292_KEY) == {
        "aud": "https://push.example.net",
        "exp": 1453523768,
        "sub": "mailto:push@example.com",
    }
    clock = Clock()
    header = VapidTokens(CONTACT, clock).authorise(
        "https://push.example.net", OURS.public, ECKey.import_key(OURS.private)
    )
    scheme, token, key = header.replace(", k=", " t=").split(" t=")
    assert (scheme, key) == ("vapid", OURS.public)
    assert json.loads(decode(token.partition(".")[0])) == {"typ": "JWT", "alg": "ES256"}
    claims = verified(token, OURS.public)
    assert (claims["aud"], claims["sub"]) == ("https://push.example.net", CONTACT)
    assert TOKEN_REUSED_FOR.total_seconds() < claims["exp"] - clock.now < 24 * 3600


def test_the_token_of_a_host_is_reused_for_twelve_hours() -> None:
    clock, key = Clock(), ECKey.import_key(OURS.private)
    tokens = VapidTokens(CONTACT, clock)
    first = tokens.authorise("https://a.test", OURS.public, key)
    clock.now += TOKEN_REUSED_FOR.total_seconds() - 1
    assert tokens.authorise("https://a.test", OURS.public, key) == first
    assert tokens.authorise("https://b.test", OURS.public, key) != first
    clock.now += 1
    assert tokens.authorise("https://a.test", OURS.public, key) != first


def test_tokens_of_ten_times_as_many_hosts_are_bounded() -> None:
    tokens, key = VapidTokens("", Clock()), ECKey.import_key(OURS.private)
    for number in range(TOKENS_AT_MOST + 10):
        tokens.authorise(f"https://{number}.test", OURS.public, key)
    assert len(tokens._tokens) == TOKENS_AT_MOST


def test_what_a_browser_reads_of_a_notice() -> None:
    assert json.loads(build_payload(MESSAGE)) == {
        "title": "Sign: Master services agreement",
        "body": "Until Friday",
        "link": "https://sign.example/open/x",
        "tag": "k" * 22,
        "silent": False,
        "type": "ready",
    }


def test_a_withdrawal_is_a_silent_replacement() -> None:
    withdrawal = replace(MESSAGE, heading="Signed", body="Nothing is left for you to do.", action=NoticeAction.WITHDRAW)
    payload = json.loads(build_payload(withdrawal))
    assert (payload["tag"], payload["silent"], payload["type"]) == (MESSAGE.key, True, "withdrawal")
    assert (payload["title"], payload["body"]) == ("Signed", "Nothing is left for you to do.")


@pytest.mark.parametrize(
    "document", ["D" * 100_000, "文" * 100_000, "\U0001f469\u200d\U0001f680" * 10_000, '"\\' * 50_000]
)
def test_the_longest_title_fits(document: str) -> None:
    longest = replace(MESSAGE, document=document, body="ü" * 600, link="https://sign.example/open/" + "x" * 800)
    payload = build_payload(longest)
    assert len(payload) <= PAYLOAD_AT_MOST
    assert len(encrypt(payload, RFC_8291_SUBSCRIPTION)) <= 4096
    assert json.loads(payload)["title"].endswith("…")


@pytest.mark.parametrize(
    ("fields", "urgency"),
    [
        ({}, "high"),
        ({"stage": "warning-2d"}, "high"),
        ({"stage": "reminder-1"}, "normal"),
        ({"stage": "reminder-1", "lifetime": timedelta(hours=20)}, "high"),
        ({"stage": "sign-in", "lifetime": timedelta(minutes=10), "action": NoticeAction.OPEN}, "high"),
        ({"stage": "digest"}, "normal"),
        ({"at_rest": True}, "very-low"),
        ({"action": NoticeAction.WITHDRAW, "stage": "withdrawal"}, "normal"),
    ],
)
def test_the_urgency_is_by_type_and_due_date(fields: dict[str, Any], urgency: str) -> None:
    message = replace(MESSAGE, **fields)
    headers = build_headers(message)
    assert (headers["urgency"], headers["topic"]) == (urgency, MESSAGE.key)
    assert headers["ttl"] == str(int(message.lifetime.total_seconds()))
    assert int(headers["ttl"]) <= LIFETIME.total_seconds()


async def test_the_push_service_decrypts_what_we_sent(web: WebPush, sandbox: RunningSandbox) -> None:
    result = await web.send(await subscribe(sandbox), MESSAGE)
    assert result.fate is MessageFate.ACCEPTED
    [push] = entries(sandbox, "push")
    assert (push["token"], push["title"], push["text"]) == ("ada~browser1", MESSAGE.title, MESSAGE.body)
    assert (push["key"], push["link"], push["data"]["urgency"]) == (MESSAGE.key, MESSAGE.link, "high")


@pytest.mark.parametrize(
    ("fault", "fate"),
    [
        ({"fault": "404"}, MessageFate.UNREGISTERED),
        ({"fault": "410"}, MessageFate.UNREGISTERED),
        ({"fault": "413"}, MessageFate.REFUSED),
        ({"fault": "400"}, MessageFate.REFUSED),
        ({"fault": "401"}, MessageFate.OTHER_SENDER),
        ({"fault": "403"}, MessageFate.OTHER_SENDER),
        ({"fault": "429", "retry_after": 7}, MessageFate.LATER),
        ({"fault": "503"}, MessageFate.LATER),
        ({"fault": "cut"}, MessageFate.LATER),
        ({"fault": "html"}, MessageFate.LATER),
        ({"fault": "302"}, MessageFate.UNAUTHORISED),
    ],
)
async def test_each_answer_has_its_fate(
    web: WebPush, sandbox: RunningSandbox, fault: dict[str, Any], fate: MessageFate
) -> None:
    subscription = await subscribe(sandbox)
    arm(sandbox, **{"path": "/webpush/*", **fault})
    result = await web.send(subscription, MESSAGE)
    assert result.fate is fate
    assert isinstance(result.failure, ServiceFailure)
    assert subscription.endpoint.rpartition("/")[2] not in str(result.failure)
    assert result.wait == fault.get("retry_after", 0)


async def test_a_subscription_that_has_ended_is_dead(web: WebPush, sandbox: RunningSandbox) -> None:
    subscription = await subscribe(sandbox)
    mark(sandbox, "ada~browser1", DeviceState.UNREGISTERED)
    assert (await web.send(subscription, MESSAGE)).fate is MessageFate.UNREGISTERED


async def test_a_slow_push_service_is_given_up(sandbox: RunningSandbox, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("activities.notifications.config.DEADLINE", 0.05)
    web = open_web_push(WebPushConfig((sandbox.url.removeprefix("http://"),), CONTACT), read_ours)
    subscription = await subscribe(sandbox)
    arm(sandbox, path="/webpush/*", fault="slow", delay=1)
    assert (await web.send(subscription, MESSAGE)).fate is MessageFate.LATER
    await web.aclose()


@pytest.mark.parametrize(
    "endpoint", ["https://evil.test/x", "http://127.0.0.1:1/x", "https://10.0.0.1/x", "nonsense", ""]
)
async def test_no_other_host_is_called_even_if_it_is_stored(web: WebPush, endpoint: str) -> None:
    result = await web.send(RFC_8291_SUBSCRIPTION._replace(endpoint=endpoint), MESSAGE)
    assert result.fate is MessageFate.REFUSED


async def test_each_subscription_is_sent_to_with_the_key_that_it_was_made_with(sandbox: RunningSandbox) -> None:
    """A rotation keeps the old ones until each has subscribed again."""
    next_key, keys = make_web_push_key(), [OURS]

    async def read() -> tuple[WebPushKey, ...]:
        return tuple(keys)

    clock = Clock()
    service = open_web_push(WebPushConfig((sandbox.url.removeprefix("http://"),), CONTACT), read)
    web = WebPush(service._service, service._guard, SigningKeys(read, clock), service._tokens)
    old = await subscribe(sandbox)
    assert (await web.send(old, MESSAGE)).fate is MessageFate.ACCEPTED
    keys.insert(0, next_key)
    new = await subscribe(sandbox, public=next_key.public)
    assert (await web.send(new, MESSAGE)).fate is MessageFate.OTHER_SENDER, "it is looked up once a minute"
    clock.now += 60
    fates = await asyncio.gather(web.send(old, MESSAGE), web.send(new, MESSAGE))
    assert [result.fate for result in fates] == [MessageFate.ACCEPTED] * 2
    await web.aclose()


def test_the_origin_of_an_endpoint_has_its_port() -> None:
    assert origin_of("https://a.test:444/x?y#z") == "https://a.test:444"
