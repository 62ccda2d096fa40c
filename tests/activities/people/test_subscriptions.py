"""Browsers that subscribed: whose they are, what they may be, and how many."""

import asyncio
import json
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from activities.people.devices import BROWSERS_AT_MOST, Devices
from activities.people.person import Person, WebDevice
from activities.people.subscriptions import (
    ENDPOINT_AT_MOST,
    BadSubscription,
    SubscriptionScope,
    WebSubscriptions,
    make_web_push_key,
    parse_subscription,
    push_guard,
)
from activities.records.devices import WebSubscription
from activities.records.erasures import Erasure
from activities.records.store import Store
from activities.records.subscriptions import KEPT_AFTER_END, KEPT_UNSEEN, OF_A_LINK_AT_MOST
from tests.storage import count

NOW = datetime(2026, 12, 1, 8, tzinfo=UTC)
DAY = timedelta(days=1)
AUTH = "BTBZMqHH6r4Tts7J_aSIgg"
POINT = "BCVxsr7N_eNgVRqvHtD0zTZsEc6-VV-JvLexhqUzORcxaOzi6-AYWXvTBHm4bjyPjs7Vd8pZGH6SRpkNtoIAiw4"
OURS = make_web_push_key()
LINK = SubscriptionScope("p-0123456789ab", "signature-request:msa")
DESK = SubscriptionScope("ada")
GUARD = push_guard(("127.0.0.1:9", "push.example.test"))


@pytest.fixture
def store(tmp_path: Path, database_url: str) -> Iterator[Store]:
    store = Store(str(tmp_path / "files"), database_url)
    asyncio.run(store.web_push_keys.add(OURS, NOW))
    yield store
    store.close()


def browser(name: str) -> WebSubscription:
    return WebSubscription(f"https://fcm.googleapis.com/fcm/send/{name}", POINT, AUTH, OURS.public)


def person(id: str) -> Person:
    return Person(id=id, name="N", email=f"{id}@example.test", zone="UTC")


async def list_endpoints(store: Store, id: str) -> list[str]:
    """Of a person's living devices, read anew."""
    known_devices = await Devices(store).list_devices(person(id))
    return [known.device.value for known in known_devices if known.invalid_reason is None]


async def list_linked(store: Store, *workflow_ids: str) -> dict[str, list[str]]:
    """Endpoints behind links by person."""
    by_person = await WebSubscriptions(store).list_behind_links(workflow_ids)
    return {id: [device.value for device in devices] for id, devices in by_person.items()}


@pytest.mark.long
async def test_a_browser_of_the_desk_is_a_device_of_the_person(store: Store) -> None:
    await WebSubscriptions(store).subscribe(DESK, browser("a"), NOW)
    [known] = await Devices(store).list_devices(person("ada"))
    assert isinstance(known.device, WebDevice)
    assert (known.device.subscription, known.device.registered) == (browser("a"), NOW)
    assert "fcm.googleapis.com" not in repr(known.device)


async def test_whoever_signs_in_last_in_a_browser_has_it(store: Store) -> None:
    subscriptions = WebSubscriptions(store)
    await subscriptions.subscribe(DESK, browser("a"), NOW)
    await subscriptions.subscribe(SubscriptionScope("grace"), browser("a"), NOW + DAY)
    assert (await list_endpoints(store, "ada"), await list_endpoints(store, "grace")) == ([], [browser("a").endpoint])


async def test_a_browser_behind_a_link_is_nobodys_device(store: Store) -> None:
    subscriptions = WebSubscriptions(store)
    await subscriptions.subscribe(SubscriptionScope("ada", "signature-request:msa"), browser("a"), NOW)
    assert await list_endpoints(store, "ada") == []
    assert await store.devices.people() == frozenset()
    assert await list_linked(store, "signature-request:msa") == {"ada": [browser("a").endpoint]}
    assert await list_linked(store, "signature-request:other") == {}


async def test_a_link_takes_no_browser_from_a_person_and_removes_none(store: Store) -> None:
    subscriptions, behind = WebSubscriptions(store), SubscriptionScope("grace", "signature-request:msa")
    await subscriptions.subscribe(DESK, browser("a"), NOW)
    await subscriptions.subscribe(behind, browser("a"), NOW + DAY)
    await subscriptions.unsubscribe(behind, browser("a").endpoint)
    assert await list_endpoints(store, "ada") == [browser("a").endpoint]
    await subscriptions.unsubscribe(SubscriptionScope("grace"), browser("a").endpoint)
    assert await list_endpoints(store, "ada") == [browser("a").endpoint]
    await subscriptions.unsubscribe(DESK, browser("a").endpoint, NOW + DAY)
    assert await list_endpoints(store, "ada") == []


async def test_in_one_follow_up_a_browser_is_the_last_ones(store: Store) -> None:
    subscriptions = WebSubscriptions(store)
    for id in ("ada", "grace"):
        await subscriptions.subscribe(SubscriptionScope(id, "task:t"), browser("a"), NOW)
    assert await list_linked(store, "task:t") == {"grace": [browser("a").endpoint]}


async def test_an_onboarding_and_its_part_name_a_browser_once(store: Store) -> None:
    subscriptions = WebSubscriptions(store)
    scopes = [SubscriptionScope(LINK.person, id) for id in ("customer-onboarding:acme", "task:acme.1")]
    for scope in scopes:
        await subscriptions.subscribe(scope, browser("a"), NOW)
    both = await list_linked(store, "customer-onboarding:acme", "task:acme.1")
    assert both == {LINK.person: [browser("a").endpoint]}


@pytest.mark.long
@pytest.mark.parametrize(("scope", "limit"), [(DESK, BROWSERS_AT_MOST), (LINK, OF_A_LINK_AT_MOST)])
async def test_the_browser_seen_longest_ago_gives_way(store: Store, scope: SubscriptionScope, limit: int) -> None:
    subscriptions = WebSubscriptions(store)
    for number in range(10 * limit):
        await subscriptions.subscribe(scope, browser(str(number)), NOW + number * DAY)
        await subscriptions.subscribe(scope, browser("0"), NOW + number * DAY + DAY / 2)  # in use at each visit
    behind = await list_linked(store, scope.workflow_id or "")
    endpoints = behind.get(scope.person) or await list_endpoints(store, scope.person)
    expected_numbers = [0, *range(10 * limit - 1, 9 * limit, -1)]
    assert endpoints == [browser(str(number)).endpoint for number in expected_numbers]
    assert count(store, "link_subscriptions" if scope is LINK else "devices") == limit


async def test_what_a_push_service_knows_no_more_is_removed_from_every_link(store: Store) -> None:
    subscriptions = WebSubscriptions(store)
    for id in ("task:a", "task:b"):
        await subscriptions.subscribe(SubscriptionScope("ada", id), browser("a"), NOW)
    await subscriptions.forget_behind_links(browser("a").endpoint)
    assert await list_linked(store, "task:a", "task:b") == {}


async def test_an_erasure_takes_subscriptions_along(store: Store) -> None:
    subscriptions, other = WebSubscriptions(store), SubscriptionScope("grace", LINK.workflow_id)
    for number, scope in enumerate((DESK, LINK, SubscriptionScope("ada", "task:t"), other)):
        await subscriptions.subscribe(scope, browser(str(number)), NOW)
    assert await store.erasures.devices("ada") == 2
    await store.erasures.carry_out(Erasure(LINK.workflow_id or "", LINK.person, "op", "asked", NOW, NOW), ())
    assert (count(store, "devices"), count(store, "link_subscriptions")) == (0, 1)


async def test_they_go_a_day_after_the_end_of_their_follow_up(store: Store) -> None:
    await WebSubscriptions(store).subscribe(LINK, browser("a"), NOW)
    await WebSubscriptions(store).subscribe(SubscriptionScope("ada", "task:open"), browser("b"), NOW)
    show = {"kind": "nda", "document": "D", "requester": "hr", "status": "signed", "signers": []}
    content = json.dumps({"show": show, "settled": {"at": NOW.isoformat()}}).encode()
    await store.records.write(LINK.workflow_id or "", content)
    assert await store.link_subscriptions.drop(NOW + KEPT_AFTER_END) == 0
    assert await store.link_subscriptions.drop(NOW + KEPT_AFTER_END + timedelta(seconds=1)) == 1
    assert await list_linked(store, "task:open") == {"ada": [browser("b").endpoint]}


async def test_those_not_renewed_for_a_year_are_dropped(store: Store) -> None:
    await WebSubscriptions(store).subscribe(LINK, browser("a"), NOW)
    assert await store.link_subscriptions.drop(NOW + KEPT_UNSEEN) == 0
    assert await store.link_subscriptions.drop(NOW + KEPT_UNSEEN + DAY) == 1


async def test_the_newest_key_is_for_new_subscriptions_and_the_others_stay(store: Store) -> None:
    subscriptions, next_key = WebSubscriptions(store), make_web_push_key()
    assert await subscriptions.public_key() == OURS.public
    assert not await store.web_push_keys.add(next_key, NOW, unless_any=True)
    assert await store.web_push_keys.add(next_key, NOW + DAY)
    assert await subscriptions.public_key() == next_key.public
    assert await store.web_push_keys.read() == (next_key, OURS)


async def test_a_key_that_is_not_ours_is_refused(store: Store) -> None:
    with pytest.raises(BadSubscription, match=r"^vapid_key: "):
        await WebSubscriptions(store).subscribe(DESK, browser("a")._replace(vapid_key=make_web_push_key().public), NOW)


def plain(**fields: Any) -> dict[str, Any]:
    return {**browser("a")._asdict(), **fields}


def test_a_subscription_is_read_as_a_browser_says_it() -> None:
    keys = {"p256dh": POINT + "=", "auth": AUTH + "=="}
    as_json = {"endpoint": browser("a").endpoint, "expirationTime": None, "keys": keys, "vapid_key": OURS.public}
    assert parse_subscription(as_json, GUARD) == parse_subscription(plain(), GUARD) == browser("a")


@pytest.mark.parametrize(
    "endpoint",
    [
        "https://fcm.googleapis.com/fcm/send/x:y",
        "https://updates.push.services.mozilla.com/wpush/v2/gAAA",
        "https://wns2-par02p.notify.windows.com/w/?token=BQYA%3d",
        "https://web.push.apple.com/QGui",
        "https://api.push.apple.com/3/device/x",
        "https://push.example.test/x",
        "http://127.0.0.1:9/webpush/x",
    ],
)
def test_the_push_services_of_four_browsers_and_those_of_the_setting_are_called(endpoint: str) -> None:
    assert parse_subscription(plain(endpoint=endpoint), GUARD).endpoint == endpoint


WRONG_ENDPOINTS = [
    *(None, 7, "", "x", "https://fcm.googleapis.com/" + "x" * 10 * ENDPOINT_AT_MOST),
    *("http://fcm.googleapis.com/x", "http://push.example.test/x", "http://127.0.0.1:10/x"),
    *("https://evil.test/x", "https://fcm.googleapis.com.evil.test/x", "https://evilnotify.windows.com/x"),
    *("https://user@fcm.googleapis.com/x", "https://fcm.googleapis.com/x#y", "https://fcm.googleapis.com/x y"),
    *("https://fcm.googleapis.com/\n", "https://169.254.169.254/x", "https://[::1]/x"),
]
WRONG_POINTS = [None, 7, "", POINT[:-2], "B" + POINT[1:][::-1], POINT * 10, "ü" * 87]
WRONG_SECRETS = [None, 7, "", AUTH[:-2], AUTH + "AA", AUTH * 10, "!" * 22]
WRONG = {"endpoint": WRONG_ENDPOINTS, "p256dh": WRONG_POINTS, "vapid_key": WRONG_POINTS, "auth": WRONG_SECRETS}


@pytest.mark.parametrize(("field", "fault"), [(field, fault) for field, faults in WRONG.items() for fault in faults])
def test_nonsense_is_refused_with_the_name_of_its_field(field: str, fault: Any) -> None:
    with pytest.raises(BadSubscription, match=f"^{field}: ") as refusal:
        parse_subscription(plain(**{field: fault}), GUARD)
    assert refusal.value.field == field
    assert len(str(fault)) < 10 or str(fault) not in str(refusal.value)


@pytest.mark.parametrize(("body", "field"), [([], "body"), ("x", "body"), ({"keys": 7}, "keys")])
def test_what_is_no_subscription_at_all_is_refused(body: Any, field: str) -> None:
    with pytest.raises(BadSubscription, match=f"^{field}: "):
        parse_subscription(body, GUARD)
