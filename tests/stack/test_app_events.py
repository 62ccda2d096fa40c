"""What an app reports of a push stands in `request show`, at the device that reported it."""

from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from activities.records.devices import device_hash
from tests.plain_http import plain_client
from tests.stack.laptop import Laptop, running

pytestmark = [pytest.mark.real_server, pytest.mark.long]

KEY, ID = "a-key-of-the-app-backend", "reported"


def lines_with_devices(view: Any) -> list[dict[str, Any]]:
    return [line for line in view["notifications"] if line["devices"]]


async def report(laptop: Laptop, person: str) -> tuple[str, dict[str, Any]]:
    """As the app and its back end do with the push on a phone of the sandbox; its token, and the answer."""
    async with plain_client(laptop.addresses["sandbox"]) as phones:
        notices_by_token = (await phones.get(f"/_sandbox/phones/{person}")).json()
    token, data = next(
        (token, notice["data"])
        for token, notices in notices_by_token.items()
        for notice in notices
        if notice["data"]["request"] == ID
    )
    event = {"key": data["key"], "stage": data["stage"], "device": device_hash(token)}
    events = [{"type": type, "at": datetime.now(UTC).isoformat(), **event} for type in ("received", "tapped")]
    async with plain_client(laptop.addresses["receiver"]) as back_end:
        headers = {"authorization": f"Bearer {KEY}"}
        answer = await back_end.post(f"/devices/{person}/events", json={"events": events}, headers=headers)
    return token, answer.json()


async def test_what_an_app_reports_of_a_push_is_shown(tmp_path: Path) -> None:
    with running(tmp_path, COUNTERSIGN_DEVICES_KEYS=KEY) as laptop:
        laptop.answer("request", "start", str(laptop.request(ID)))
        line = lines_with_devices(laptop.wait_for_view(ID, lambda view: bool(lines_with_devices(view))))[0]
        token, answer = await report(laptop, line["person"])
        assert answer == {"outcome": "noted", "noted": 2, "repeated": 0, "old": 0, "unknown": 0}
        reported = {
            device["device"]: [event["type"] for event in device["events"]]
            for line in lines_with_devices(laptop.answer("request", "show", ID))
            for device in line["devices"]
            if device["events"]
        }
        assert reported == {device_hash(token): ["received", "tapped"]}
        assert "tapped" in laptop.type("request", "show", ID).stdout
