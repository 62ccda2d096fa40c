"""Of three members of a group one signs: the first to press the button takes the place, and nobody else is asked."""

import asyncio
import json
from pathlib import Path
from typing import Any
from zipfile import ZipFile

import pytest

from deploy.demo.scene import Browser, HtmlPage
from tests.plain_http import plain_client
from tests.stack.laptop import Laptop
from tests.stack.test_stack import screen

pytestmark = [pytest.mark.real_server, pytest.mark.long]

MEMBERS, TAKER = ("chair", "chief-executive", "operating-officer"), "operating-officer"
ID = "for-the-directors"


def notices(laptop: Laptop, person: str) -> list[dict[str, Any]]:
    return [notice for notice in screen(laptop, person) if notice["data"]["request"] == ID]


async def press_button(laptop: Laptop, link: str) -> HtmlPage:
    browser = Browser()
    try:
        return await browser.press(await browser.open(link))
    finally:
        await browser.aclose()


async def test_of_three_members_one_signs_and_the_pack_says_who_and_for_whom(laptop: Laptop, tmp_path: Path) -> None:
    file = laptop.request(ID)
    before, _, after = file.read_text().partition("  - person: customer-signer\n  - person: chief-executive\n")
    after = after.replace("alternates: [operating-officer]", "alternates: [account-executive]")
    file.write_text(f"{before}  - group: directors\n{after}")
    await asyncio.to_thread(laptop.answer, "request", "start", str(file))
    await asyncio.to_thread(laptop.wait_for_view, ID, lambda view: len(view["notifications"]) >= len(MEMBERS))
    links = {person: notices(laptop, person)[0]["link"] for person in MEMBERS}

    pressed = await press_button(laptop, links[TAKER])
    assert f"/sign/{ID}" not in pressed.url, "Core Signature's page of another member"
    view = await asyncio.to_thread(
        laptop.wait_for_view, ID, lambda view: [waiting["person"] for waiting in view["waiting_for"]] == [TAKER]
    )
    assert {line["person"]: line["state"] for line in view["signers"]} == {
        person: "turn" if person == TAKER else "spared" for person in MEMBERS
    }
    async with plain_client(laptop.addresses["sandbox"]) as browser:
        [document] = (await browser.get("/_sandbox/documents", params={"external_id": ID})).json()
        [signer] = [signer for signer in document["signers"] if signer["turn"]]
        assert signer["email"] == "operating-officer@supplier.test"
        second = await press_button(laptop, links["chair"]) if notices(laptop, "chair") else None
        assert second is None or "Somebody else of your group signs it" in second.text
        (await browser.post(f"/_sandbox/signers/{signer['uuid']}/sign", json={})).raise_for_status()
    await asyncio.to_thread(laptop.wait_for_view, ID, lambda view: view["status"] == "signed" and view["handoffs"])
    stages = {entry["stage"] for person in MEMBERS if person != TAKER for entry in notices(laptop, person)}
    assert "ready" not in stages, "their notices are withdrawn"

    pack_path = tmp_path / "group.zip"
    await asyncio.to_thread(laptop.answer, "audit", "export", ID, "-o", str(pack_path))
    with ZipFile(pack_path) as pack:
        parts = {name: pack.read(name) for name in pack.namelist() if name.endswith((".json", ".jsonl"))}
    taken = [name for name, content in parts.items() if b"place_taken" in content and b'"directors"' in content]
    assert taken, sorted(parts)
    record = json.loads(next(content for name, content in parts.items() if "record" in name))
    assert TAKER in json.dumps(record)
