"""What the company's app back end says of devices: kept, refused in words, never a 5xx for nonsense."""

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import httpx
import pytest
from structlog.testing import capture_logs

from activities.people.devices import Devices
from activities.people.file_directory import FileDirectory
from activities.people.person import Platform, PushDevice
from activities.records.app_pushes import AppPush
from activities.records.devices import device_hash
from activities.records.store import Store
from starter.config.settings import SettingsError, load
from starter.config.values import Bind
from starter.web.app import make_app
from starter.web.http.serving import listening
from starter.web.receivers import devices as receiver
from starter.web.receivers.devices import BYTES_AT_MOST, EVENTS_AT_MOST, EVENTS_PATH, PATH, DeviceReceiver
from tests.plain_http import plain_client
from tests.starter.terminal import type_
from tests.starter.web.test_callback_fuzz import ODD
from tests.starter.web.test_webhook import exchange_bytes
from tests.storage import take_table_away

KEY, OLDER, WITHDRAWN = "a-key-of-the-app-backend", "the-key-before-it-was", "a-key-that-was-withdrawn"
BEARER = {"authorization": f"Bearer {KEY}"}
PHONE = {"kind": "token", "value": "ada~1", "platform": "ios"}
PEOPLE = """
people:
  - {id: ada, name: Ada, email: ada@example.com, zone: UTC}
  - {id: bob, name: Bob, email: bob@example.com, zone: UTC}
"""


@dataclass
class DeviceApp:
    """The back end, before a receiver."""

    http: httpx.AsyncClient
    store: Store
    directory: FileDirectory

    async def call(
        self, body: Any, person: str = "ada", method: str = "PUT", headers: dict[str, str] = BEARER
    ) -> tuple[int, dict[str, Any]]:
        content = body if isinstance(body, bytes) else json.dumps(body).encode()
        answer = await self.http.request(method, f"/devices/{person}", content=content, headers=headers)
        return answer.status_code, answer.json()

    async def read_devices(self, person: str = "ada") -> dict[str, str | None]:
        fresh = Devices(self.store)
        return {
            device.device.value: device.invalid_reason
            for device in await fresh.list_devices(await self.directory.person(person))
        }


@asynccontextmanager
async def opened_app(folder: Path, keys: str = f"{KEY},{OLDER}") -> AsyncIterator[DeviceApp]:
    (folder / "people.yaml").write_text(PEOPLE)
    store = Store(str(folder / "store"))
    directory = FileDirectory(folder / "people.yaml", store)
    settings = load(environment={"COUNTERSIGN_DEVICES_KEYS": keys})
    desk = DeviceReceiver(settings.devices_keys, Devices(store), directory, store.app_pushes, body_seconds=1)
    async with listening(make_app(desk.routes()), Bind("127.0.0.1", 0)) as url, plain_client(url, timeout=30) as http:
        yield DeviceApp(http, store, directory)


@pytest.fixture
async def app(tmp_path: Path) -> AsyncIterator[DeviceApp]:
    async with opened_app(tmp_path) as running:
        yield running


async def test_a_phone_is_registered_seen_and_withdrawn(app: DeviceApp) -> None:
    name = device_hash("ada~1")
    assert await app.call(PHONE) == (201, {"outcome": "registered", "device": name})
    assert await app.call(PHONE) == (200, {"outcome": "seen", "device": name})
    assert await app.read_devices() == {"ada~1": None}
    for body in (PHONE, {"value": "ada~1"}, {"value": "ada~1"}):
        assert await app.call(body, method="DELETE") == (200, {"outcome": "withdrawn", "device": name})
    assert await app.read_devices() == {"ada~1": "withdrawn"}


async def test_a_token_becomes_an_installation_id_in_its_place(app: DeviceApp) -> None:
    await app.call(PHONE)
    status, _ = await app.call({"kind": "fid", "value": "ada~fid1", "platform": "ios", "replaces": "ada~1"})
    assert (status, await app.read_devices()) == (201, {"ada~fid1": None, "ada~1": "replaced"})


async def test_who_signs_in_again_with_the_date_of_an_older_registration_is_told_that_nothing_comes(
    app: DeviceApp,
) -> None:
    dated = {**PHONE, "registered_at": "2026-11-01T08:00:00Z"}
    await app.call(dated)
    await app.call(PHONE, method="DELETE")
    status, answer = await app.call(dated)
    assert (status, answer["outcome"]) == (200, "gone")
    assert answer["says"] == "nothing is sent there: withdrawn since; without registered_at it is registered anew"
    assert (await app.call(PHONE))[1]["outcome"] == "seen"
    assert await app.read_devices() == {"ada~1": None}


async def test_another_s_token_is_theirs_no_more_and_nobody_is_named(app: DeviceApp) -> None:
    await app.call(PHONE)
    assert await app.call(PHONE, "bob") == (
        201,
        {"outcome": "registered", "device": device_hash("ada~1"), "moved": True},
    )
    assert (await app.read_devices(), await app.read_devices("bob")) == (
        {"ada~1": "moved to somebody else"},
        {"ada~1": None},
    )
    # The phone's old user signs out late: whose it is now loses nothing.
    await app.call({"value": "ada~1"}, method="DELETE")
    assert await app.read_devices("bob") == {"ada~1": None}


@pytest.mark.parametrize("method", ["PUT", "DELETE"])
@pytest.mark.parametrize(
    "headers",
    [{}, {"authorization": f"Bearer {WITHDRAWN}"}, {"authorization": f"Basic {KEY}"}, {"authorization": "Bearer"}],
)
async def test_a_key_that_was_withdrawn_and_every_other_stranger_are_unauthorised(
    app: DeviceApp, method: str, headers: dict[str, str]
) -> None:
    assert await app.call(PHONE, method=method, headers=headers) == (401, {"outcome": "forged"})
    assert await app.read_devices() == {}


async def test_keys_rotate(app: DeviceApp) -> None:
    assert (await app.call(PHONE, headers={"authorization": f"bearer {OLDER}"}))[0] == 201
    with pytest.raises(SettingsError, match="COUNTERSIGN_DEVICES_KEYS: must be keys of at least 16 characters"):
        load(environment={"COUNTERSIGN_DEVICES_KEYS": f"{KEY},short"})


async def test_without_keys_there_is_no_such_address(tmp_path: Path) -> None:
    async with opened_app(tmp_path, "") as app:
        assert await app.call(PHONE) == (404, {"outcome": "off"})


async def test_who_is_not_in_the_people_file_yet_is_told_so(app: DeviceApp) -> None:
    for method in ("PUT", "DELETE"):
        status, answer = await app.call(PHONE, "zoe", method)
        assert (status, answer["outcome"]) == (404, "unknown_person")
        assert answer["says"] == "nobody of the people file has this id: call again once one has"


@pytest.mark.parametrize(
    ("body", "message"),
    [
        (b"{", "the body is not JSON: an object of one device is wanted"),
        ([PHONE] * 10_000, None),
        ([PHONE], "the body is not an object: an object of one device is wanted"),
        ({"value": "t"}, "platform: is missing"),
        ({**PHONE, "value": "a b"}, "value: must be 1-4096 printable characters, no blanks"),
        ({**PHONE, "kind": "imei"}, "kind: must be 'token' or 'fid'"),
        ({**PHONE, "platform": "pager"}, "platform: must be 'android', 'ios' or 'web'"),
        ({**PHONE, "token": "secret"}, "token: is not known"),
        ({**PHONE, "registered_at": "yesterday"}, None),
        ({**PHONE, "registered_at": "2026-11-20T08:00:00"}, None),
        ({**PHONE, "value": "x" * 4097}, "value: must be 1-4096 printable characters, no blanks"),
    ],
)
async def test_nonsense_is_told_by_its_field_and_without_its_value(
    app: DeviceApp, body: Any, message: str | None
) -> None:
    status, answer = await app.call(body)
    assert status == (413 if isinstance(body, list) and len(body) > 1 else 400)
    assert message is None or answer["says"] == message
    assert "secret" not in str(answer)
    assert await app.read_devices() == {}


@pytest.mark.parametrize("odd", ODD, ids=lambda odd: str(odd)[:20])
async def test_whatever_stands_in_a_place_is_no_fault_of_ours(app: DeviceApp, odd: Any) -> None:
    for body in (odd, {**PHONE, "value": odd}, {**PHONE, "registered_at": odd}, {**PHONE, "replaces": odd}):
        for method in ("PUT", "DELETE"):
            assert (await app.call(body, method=method))[0] < 500


async def test_a_body_that_is_too_large_stalls_or_is_no_json_is_refused(app: DeviceApp) -> None:
    assert (await app.call(b"x" * (BYTES_AT_MOST + 1)))[0] == 413
    status, answer = await app.call(PHONE, headers={**BEARER, "content-type": "text/plain"})
    assert (status, answer["says"]) == (415, "the body must be application/json")

    head = f"PUT /devices/ada HTTP/1.1\r\nhost: x\r\nauthorization: Bearer {KEY}\r\ncontent-length: 9\r\n\r\n"
    stalled = await exchange_bytes(app.http, head.encode())
    assert (stalled[9:12], b"connection: close" in stalled) == (b"400", True)


async def test_beyond_what_is_read_at_the_same_time_the_caller_is_asked_to_come_again(
    app: DeviceApp, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(receiver, "CALLS_AT_ONCE", 0)
    assert await app.call(PHONE) == (503, {"outcome": "busy"})


async def test_while_the_store_is_away_the_caller_is_asked_to_come_again_and_no_address_is_logged(
    app: DeviceApp,
) -> None:
    with take_table_away(app.store, "devices"), capture_logs() as logs:
        assert await app.call(PHONE) == (503, {"outcome": "not_kept"})
    assert "ada~1" not in str(logs)


def test_the_path_is_the_contract_s() -> None:
    assert (PATH, EVENTS_PATH) == ("/devices/{person}", "/devices/{person}/events")


def make_event(type: str = "received", **fields: Any) -> dict[str, Any]:
    now = datetime.now(UTC).isoformat()
    return {"type": type, "key": "k" * 22, "stage": "ready", "device": device_hash("ada~1"), "at": now} | fields


async def report(app: DeviceApp, *events: Any, person: str = "ada", **options: Any) -> tuple[int, dict[str, Any]]:
    return await app.call({"events": list(events)}, f"{person}/events", "POST", **options)


async def push(app: DeviceApp, person: str = "ada") -> None:
    pushed = AppPush(person, "k" * 22, "ready", "signature-request:r", "")
    await app.store.app_pushes.note(pushed, [device_hash(f"{person}~1")], datetime.now(UTC))


async def test_what_the_app_reports_is_noted_once_and_counted(app: DeviceApp) -> None:
    await push(app)
    events = (
        make_event(),
        make_event("tapped"),
        make_event("dismissed", at="2026-01-01T00:00:00Z"),
        make_event(key="x" * 22),
    )
    counts = {"outcome": "noted", "noted": 2, "repeated": 0, "old": 1, "unknown": 1}
    assert await report(app, *events) == (200, counts)
    assert await report(app, *events) == (200, counts | {"noted": 0, "repeated": 2})
    assert await report(app) == (200, dict.fromkeys(counts, 0) | {"outcome": "noted"})


async def test_nobody_reports_for_another(app: DeviceApp) -> None:
    await push(app)
    assert (await report(app, make_event(), person="bob"))[1]["unknown"] == 1
    assert await report(app, make_event(), person="zoe") == (
        404,
        {"outcome": "unknown_person", "says": "nobody of the people file has this id: call again once one has"},
    )
    for headers in ({}, {"authorization": f"Bearer {WITHDRAWN}"}, {"authorization": f"Basic {KEY}"}):
        assert await report(app, make_event(), headers=headers) == (401, {"outcome": "forged"})


async def test_ten_thousand_events_in_one_call_are_refused_and_five_hundred_noted(app: DeviceApp) -> None:
    await push(app)
    event = make_event()
    assert (await report(app, *[event] * 20 * EVENTS_AT_MOST))[0] == 413
    status, answer = await app.call({"events": [0] * 20 * EVENTS_AT_MOST}, "ada/events", "POST")
    assert (status, answer["outcome"]) == (400, "malformed") and answer["says"].startswith("events")
    many = [event, *(make_event(stage=f"reminder-{number}") for number in range(1, EVENTS_AT_MOST))]
    assert await report(app, *many) == (
        200,
        {"outcome": "noted", "noted": 1, "repeated": 0, "old": 0, "unknown": EVENTS_AT_MOST - 1},
    )


@pytest.mark.parametrize(
    ("fields", "named"),
    [
        ({"type": "seen"}, "events.1.type"),
        ({"key": "short"}, "events.1.key"),
        ({"key": "k" * 22 + "\n"}, "events.1.key"),
        ({"stage": "a\x00b"}, "events.1.stage"),
        ({"stage": "s" * 201}, "events.1.stage"),
        ({"device": "ada~1"}, "events.1.device"),
        ({"at": "2026-12-02T09:00:00"}, "events.1.at"),
        ({"at": 10**30}, "events.1.at"),
        ({"more": 1}, "events.1.more"),
    ],
)
async def test_a_wrong_event_is_told_by_its_field_and_nothing_is_noted(
    app: DeviceApp, fields: dict[str, Any], named: str
) -> None:
    await push(app)
    status, answer = await report(app, make_event(), make_event(**fields))
    assert (status, answer["outcome"]) == (400, "malformed")
    assert answer["says"].startswith(f"{named}: ") and "ada~1" not in answer["says"]
    assert await app.store.app_pushes.list_events("signature-request:r") == {}


async def test_whatever_stands_in_an_event_is_no_fault_of_ours(app: DeviceApp) -> None:
    await push(app)
    for odd in ODD:
        assert (await report(app, odd))[0] == 400
        for field in make_event():
            assert (await report(app, make_event(**{field: odd})))[0] in (200, 400)


async def test_while_the_store_is_away_events_are_asked_for_again(app: DeviceApp) -> None:
    with take_table_away(app.store, "app_pushes"):
        assert await report(app, make_event()) == (503, {"outcome": "not_kept"})


@pytest.mark.long
def test_the_command_lists_devices_by_their_short_names(tmp_path: Path) -> None:
    (tmp_path / "people.yaml").write_text(PEOPLE)
    environment = {"COUNTERSIGN_PEOPLE": str(tmp_path / "people.yaml"), "COUNTERSIGN_DATA_DIR": str(tmp_path)}
    store = Store(str(tmp_path / "store"))
    devices, ada = Devices(store), asyncio.run(FileDirectory(tmp_path / "people.yaml", store).person("ada"))
    asyncio.run(devices.register("ada", PushDevice(fid="ada~fid1", platform=Platform.IOS), datetime.now(UTC)))
    asyncio.run(devices.withdraw(ada, "ada~fid1", datetime.now(UTC)))
    listing = json.loads(type_("people", "devices", "ada", "--json", **environment).stdout)
    [device] = listing["devices"]
    assert (device["device"], device["kind"], device["reachable"], device["gone"]) == (
        device_hash("ada~fid1"), "fid", False, "withdrawn",
    )  # fmt: skip
    table = type_("people", "devices", "ada", **environment).stdout
    assert "given up: withdrawn" in table and "ada~fid1" not in table + str(listing)
    assert type_("people", "devices", "bob", **environment).stdout.startswith("bob has no device")
    assert type_("people", "devices", "zoe", **environment).returncode == 1
