"""A browser behind a link subscribes to this follow-up alone; nonsense is refused by its field."""

import json
import re
from collections.abc import AsyncIterator
from datetime import timedelta
from html import unescape
from pathlib import Path
from typing import Any

import httpx
import pytest
import pytest_asyncio

from activities.notifications.links import LinkUse, serial_of
from activities.people.devices import Devices
from activities.people.file_directory import FileDirectory
from activities.people.subscriptions import ENDPOINT_AT_MOST, make_web_push_key
from activities.records.subscriptions import OF_A_LINK_AT_MOST
from starter.web.http.allowances import PRESSES_OF_A_LINK
from starter.web.receivers.subscriptions import CALLS_OF_AN_ADDRESS, SUBSCRIPTION_BYTES_AT_MOST
from starter.web.screens.web_app import KEY_SECONDS
from tests.starter.web.pages.test_journey_pages import ACME, link, make_onboarding_view, request, set_views
from tests.starter.web.paging import FIRST, NOW, Phone, phone
from tests.storage import take_table_away
from workflows.kinds import referred
from workflows.model.subject import Status

OURS = make_web_push_key()
KEYS = {
    "p256dh": "BCVxsr7N_eNgVRqvHtD0zTZsEc6-VV-JvLexhqUzORcxaOzi6-AYWXvTBHm4bjyPjs7Vd8pZGH6SRpkNtoIAiw4",
    "auth": "BTBZMqHH6r4Tts7J_aSIgg",
}
ENDPOINT = "https://fcm.googleapis.com/fcm/send/a"
ONBOARDING = referred(ACME).workflow_id
FROM_PAGE = {"origin": "null", "sec-fetch-site": "same-origin", "content-type": "application/json"}


@pytest_asyncio.fixture
async def customer(tmp_path: Path) -> AsyncIterator[Phone]:
    async with phone(tmp_path) as opened_phone:
        set_views(opened_phone, make_onboarding_view(), request(1, FIRST))
        await opened_phone.store.web_push_keys.add(OURS, NOW)
        yield opened_phone


def offer_of(page: str) -> dict[str, str]:
    """What a page offers to a browser that can be notified; nothing without the offer."""
    section = re.search(r"<aside class=\"device[^>]*>", page)
    return (
        {name: unescape(text) for name, text in re.findall(r'data-([a-z]+)="([^"]*)"', section[0])} if section else {}
    )


def fields(endpoint: str = ENDPOINT, **changes: Any) -> dict[str, Any]:
    return {"endpoint": endpoint, "expirationTime": None, "keys": KEYS, "vapid_key": OURS.public, **changes}


async def post(customer: Phone, call: str, body: Any, path: str | None = None, **headers: str) -> httpx.Response:
    """As the script of the page does; it may wait before."""
    customer.watch.now += 1 / PRESSES_OF_A_LINK.per_second
    content = body if isinstance(body, bytes) else json.dumps(body).encode()
    return await customer.browser.post(
        f"{path or link(customer)}/device/{call}", content=content, headers=FROM_PAGE | headers
    )


async def token(customer: Phone) -> str:
    return offer_of((await customer.open(link(customer))).text)["token"]


async def endpoints(customer: Phone, person: str = FIRST, workflow_id: str = ONBOARDING) -> list[str]:
    by_person = await customer.store.link_subscriptions.list_for([workflow_id])
    return [subscription.endpoint for subscription in by_person.get(person, ())]


async def test_it_subscribes_renews_and_unsubscribes(customer: Phone) -> None:
    page = await customer.open(link(customer))
    offer = offer_of(page.text)
    assert (offer["key"], offer["root"]) == (OURS.public, "..")
    answer = await post(customer, "subscribe", fields(token=offer["token"]))
    assert (answer.status_code, answer.json()) == (201, {"outcome": "subscribed"})
    assert await endpoints(customer) == [ENDPOINT]

    another = fields(f"{ENDPOINT}2", token=offer["token"], replaces=ENDPOINT)
    assert (await post(customer, "renew", another)).json() == {"outcome": "renewed"}
    assert await endpoints(customer) == [f"{ENDPOINT}2"]
    removal = {"endpoint": f"{ENDPOINT}2", "token": offer["token"]}
    assert (await post(customer, "unsubscribe", removal)).json() == {"outcome": "removed"}
    assert await endpoints(customer) == []
    assert (await post(customer, "renew", another)).json() == {"outcome": "gone"}, "removed, so not revived"
    assert await endpoints(customer) == []


async def test_the_service_worker_renews_it_in_every_follow_up(customer: Phone) -> None:
    offer = offer_of((await customer.open(link(customer))).text)
    await post(customer, "subscribe", fields(token=offer["token"]))
    renewal = json.dumps(fields(f"{ENDPOINT}2", replaces=ENDPOINT))
    answer = await customer.browser.post("/subscription", content=renewal, headers=FROM_PAGE)
    assert (answer.status_code, await endpoints(customer)) == (200, [f"{ENDPOINT}2"])
    again = await customer.browser.post("/subscription", content=renewal, headers=FROM_PAGE)
    assert again.status_code == 200, "it is known by its new endpoint"
    unknown = json.dumps(fields(f"{ENDPOINT}4", replaces=f"{ENDPOINT}3"))
    assert (await customer.browser.post("/subscription", content=unknown, headers=FROM_PAGE)).status_code == 404
    elsewhere = FROM_PAGE | {"sec-fetch-site": "cross-site"}
    assert (await customer.browser.post("/subscription", content=renewal, headers=elsewhere)).status_code == 403


async def test_a_browser_behind_a_link_is_no_device_of_its_person(customer: Phone) -> None:
    await post(customer, "subscribe", fields(token=await token(customer)))
    assert await customer.store.devices.people() == frozenset()
    directory = FileDirectory(customer.people, customer.store)
    assert await Devices(customer.store).list_devices(await directory.person(FIRST)) == (), "so no code comes here"


@pytest.mark.parametrize(
    ("changes", "status", "sentence"),
    [
        ({"endpoint": 7}, 400, "endpoint: "),
        ({"endpoint": ENDPOINT.replace("https", "http")}, 400, "endpoint: "),
        ({"endpoint": "https://push.evil.test/a"}, 400, "endpoint: "),
        ({"endpoint": "https://169.254.169.254/a"}, 400, "endpoint: "),
        ({"endpoint": f"{ENDPOINT}{'a' * ENDPOINT_AT_MOST}"}, 400, "endpoint: "),
        ({"keys": {"p256dh": KEYS["p256dh"]}}, 400, "auth: "),
        ({"keys": "none"}, 400, "keys: "),
        ({"keys": KEYS | {"p256dh": "A" * 87}}, 400, "p256dh: "),
        ({"vapid_key": None}, 400, "vapid_key: "),
        ({"more": "a" * 10 * SUBSCRIPTION_BYTES_AT_MOST}, 413, ""),
    ],
)
async def test_what_no_browser_sends_is_refused_by_its_field(
    customer: Phone, changes: dict[str, Any], status: int, sentence: str
) -> None:
    answer = await post(customer, "subscribe", fields(token=await token(customer), **changes))
    assert (answer.status_code, answer.json().get("says", "")[: len(sentence)]) == (status, sentence)
    assert await endpoints(customer) == []


@pytest.mark.parametrize("body", [b"", b"null", b"[]", b"{", b"\xff", b'{"a": NaN}', b"[" * 4_000, b'{"endpoint": {}}'])
async def test_nonsense_is_never_a_fault_of_ours(customer: Phone, body: bytes) -> None:
    for call in ("subscribe", "unsubscribe", "renew"):
        assert (await post(customer, call, body)).status_code in (400, 403)
    assert (await post(customer, "shout", body)).status_code == 404
    answer = await post(customer, "subscribe", body, **{"content-type": "text/plain"})
    assert (answer.status_code, answer.json()["outcome"]) == (415, "not_json")
    assert (await customer.browser.post("/subscription", content=body, headers=FROM_PAGE)).status_code == 400


async def test_only_the_page_itself_is_heard(customer: Phone) -> None:
    genuine = fields(token=await token(customer))
    for body, headers in (
        (fields(), {}),
        (fields(token="made-up"), {}),
        (genuine, {"sec-fetch-site": "cross-site"}),
        (genuine, {"origin": "https://evil.test"}),
    ):
        answer = await post(customer, "subscribe", body, **headers)
        assert (answer.status_code, answer.json()["outcome"]) == (403, "foreign")
    assert await endpoints(customer) == []


async def test_a_link_that_is_over_gets_nothing(customer: Phone) -> None:
    body = fields(token=await token(customer))
    assert (await post(customer, "subscribe", body, "/journey/made-up")).status_code == 404
    preview = link(customer, use=LinkUse.PREVIEW, expires_at=NOW + timedelta(hours=1))
    assert (await post(customer, "subscribe", body, preview)).status_code == 404
    assert offer_of((await customer.open(preview)).text) == {}
    set_views(customer, make_onboarding_view(status=Status.DONE))
    assert (await post(customer, "subscribe", body)).json()["outcome"] == "gone"
    assert offer_of((await customer.open(link(customer))).text) == {}
    set_views(customer, make_onboarding_view())
    await customer.store.one_use.replace_serial(serial_of(ONBOARDING, FIRST), "b7")
    assert (await post(customer, "subscribe", body)).status_code == 404
    assert await endpoints(customer) == []


async def test_while_the_database_is_away_it_is_asked_to_call_again_and_the_page_is_whole(customer: Phone) -> None:
    body = fields(token=await token(customer))
    with take_table_away(customer.store, "link_subscriptions"):
        answer = await post(customer, "subscribe", body)
        assert (answer.status_code, answer.json()) == (503, {"outcome": "not_kept"})
    customer.watch.now += KEY_SECONDS
    with take_table_away(customer.store, "web_push_keys"):
        assert offer_of((await customer.open(link(customer))).text)["key"] == OURS.public, "the one last known"


async def test_of_ten_times_the_browsers_of_a_link_the_last_ones_stay(customer: Phone) -> None:
    secret = await token(customer)
    for number in range(10 * OF_A_LINK_AT_MOST):
        assert (await post(customer, "subscribe", fields(f"{ENDPOINT}{number}", token=secret))).status_code == 201
    assert await endpoints(customer) == [f"{ENDPOINT}{number}" for number in range(49, 44, -1)]


@pytest.mark.long
async def test_of_one_address_so_many_calls_an_hour_are_heard(customer: Phone) -> None:
    renewal = json.dumps(fields(replaces=ENDPOINT))
    statuses = [
        (await customer.browser.post("/subscription", content=renewal, headers=FROM_PAGE)).status_code
        for _ in range(CALLS_OF_AN_ADDRESS.burst + 1)
    ]
    assert statuses == [404] * CALLS_OF_AN_ADDRESS.burst + [429]


async def test_the_worker_and_the_manifest_are_below_the_same_path_as_the_pages(customer: Phone) -> None:
    page = await customer.open(link(customer))
    policy = page.headers["content-security-policy"]
    for directive in ("manifest-src 'self'", "worker-src 'self'", "connect-src 'self'"):
        assert policy.count(directive) == 1
    assert "unsafe" not in policy
    worker = await customer.browser.get("/sw.js", headers={"accept-language": "nl"})
    assert worker.headers["content-type"].startswith("text/javascript")
    assert worker.headers["cache-control"] == "no-cache"
    assert f'const KEY = "{OURS.public}";' in worker.text
    assert 'href="../manifest.webmanifest"' in page.text
    manifest = (await customer.browser.get("/manifest.webmanifest")).json()
    assert (manifest["scope"], manifest["name"], "start_url" in manifest) == ("./", "Acme", False)
    for icon in manifest["icons"][:2]:
        assert (await customer.browser.get(f"/{icon['src']}")).content.startswith(b"\x89PNG")


async def test_without_a_key_the_pages_are_as_they_were(tmp_path: Path) -> None:
    async with phone(tmp_path) as customer:
        set_views(customer, make_onboarding_view(), request(1, FIRST))
        page = await customer.open(link(customer))
        assert offer_of(page.text) == {}
        assert "worker-src" not in page.headers["content-security-policy"]
        assert "const KEY = null;" in (await customer.browser.get("/sw.js")).text
