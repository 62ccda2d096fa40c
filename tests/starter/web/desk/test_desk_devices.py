"""The page of a person's devices at the desk: a browser becomes one of them, and is removed from any other."""

import json
from collections.abc import AsyncIterator
from contextlib import closing
from pathlib import Path
from typing import Any

import httpx
import pytest_asyncio
from temporalio.client import Client
from temporalio.contrib.pydantic import pydantic_data_converter

from activities.people.devices import Devices
from activities.people.file_directory import FileDirectory
from activities.people.person import Platform, PushDevice
from activities.records.devices import device_hash
from activities.records.store import Store
from starter.temporal.connection import Context
from tests.starter.web.desk.office import ENGINEER, LEAD, NOW, Browser, Office, office, public, text_of
from tests.starter.web.pages.test_link_devices import ENDPOINT, FROM_PAGE, OURS, fields, offer_of
from tests.storage import take_table_away


@pytest_asyncio.fixture
async def desk(tmp_path: Path) -> AsyncIterator[Office]:
    nowhere = await Client.connect("127.0.0.1:1", lazy=True, data_converter=pydantic_data_converter)
    with closing(Store((tmp_path / "store").as_uri())) as store:
        await store.web_push_keys.add(OURS, NOW)
        async with office(tmp_path, context=Context(nowhere, store)) as opened_office:
            yield opened_office


async def call(browser: Browser, name: str, body: Any) -> httpx.Response:
    return await browser.http.post(public(f"/desk/device/{name}"), content=json.dumps(body), headers=FROM_PAGE)


async def subscribe(desk: Office, browser: Browser, endpoint: str = ENDPOINT) -> httpx.Response:
    desk.pass_(seconds=10)
    offer = offer_of((await browser.get("/desk/devices")).text)
    return await call(browser, "subscribe", fields(endpoint, token=offer["token"]))


async def endpoints(desk: Office, person: str) -> list[str]:
    devices = await Devices(desk.store).list_devices(await FileDirectory(desk.people, desk.store).person(person))
    return [known.device.value for known in devices if known.invalid_reason is None]


async def test_a_browser_becomes_a_device_of_who_is_signed_in_and_is_removed(desk: Office) -> None:
    engineer = await desk.come_in(ENGINEER)
    page = await engineer.get("/desk/devices")
    assert "None of your devices is notified yet." in text_of(page)
    assert offer_of(page.text)["address"] == "/people/desk/device"
    assert (await subscribe(desk, engineer)).status_code == 201
    assert await endpoints(desk, ENGINEER) == [ENDPOINT]
    app = PushDevice(token="engineer~1", platform=Platform.ANDROID)
    await Devices(desk.store).register(ENGINEER, app, desk.now)

    page = await engineer.get("/desk/devices")
    assert "Browser (Chrome) last seen Thu, 26 Nov 2026 Remove The app on Android last seen Thu, 26" in text_of(page)
    assert ENDPOINT not in page.text
    form = {"token": offer_of(page.text)["token"], "device": device_hash(ENDPOINT)}
    answer = await engineer.post("/desk/devices", form)
    assert "The device is removed." in text_of(await engineer.get(answer.headers["location"]))
    assert await endpoints(desk, ENGINEER) == ["engineer~1"]
    offer = offer_of(page.text)
    renewal = fields(f"{ENDPOINT}2", token=offer["token"], replaces=ENDPOINT)
    assert (await call(engineer, "renew", renewal)).json() == {"outcome": "gone"}, "no removed one comes back by itself"


async def test_only_who_is_signed_in_is_heard_and_only_about_their_own(desk: Office) -> None:
    engineer, lead = await desk.come_in(ENGINEER), await desk.come_in(LEAD)
    token = offer_of((await engineer.get("/desk/devices")).text)["token"]
    stranger = await call(desk.browser(), "subscribe", fields(token=token))
    assert (stranger.status_code, stranger.json()) == (401, {"outcome": "refused"})
    assert (await call(lead, "subscribe", fields(token=token))).status_code == 403, "another's form"
    await subscribe(desk, engineer)
    form = {"token": offer_of((await lead.get("/desk/devices")).text)["token"], "device": device_hash(ENDPOINT)}
    await lead.post("/desk/devices", form)
    assert await endpoints(desk, ENGINEER) == [ENDPOINT]
    own_token = form["token"]
    with take_table_away(desk.store, "devices"):
        assert (await call(lead, "subscribe", fields(token=own_token))).status_code == 503


async def test_a_renewed_browser_stays_its_person_s(desk: Office) -> None:
    engineer = await desk.come_in(ENGINEER)
    await subscribe(desk, engineer)
    token = offer_of((await engineer.get("/desk/devices")).text)["token"]
    renewal = fields(f"{ENDPOINT}2", token=token, replaces=ENDPOINT)
    assert (await call(engineer, "renew", renewal)).json() == {"outcome": "renewed"}
    assert await endpoints(desk, ENGINEER) == [f"{ENDPOINT}2"]
