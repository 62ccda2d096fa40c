"""A link that was handed over: it leads to Core Signature once, within a day, and leaves nothing on the device."""

import asyncio
import re
from collections.abc import AsyncIterator
from datetime import timedelta
from pathlib import Path

import pytest
from starlette.responses import Response

from activities.keys import KeyRing
from activities.notifications.links import LinkUse
from activities.records.cover_sheet import CoverSheet
from activities.records.erasures import Erasure
from activities.records.handed_links import VALID_FOR, HandedLink
from starter.web.acting.actions import Action
from starter.web.proofs import IdentityCookies, Proof
from tests.starter.web.pages.test_identity import NUMBER, Browser, codes, proof_in
from tests.starter.web.pages.test_link_devices import OURS, offer_of
from tests.starter.web.pages.test_offers import make_view
from tests.starter.web.paging import FIRST, LINK_SECRET, NOW, PEOPLE, PUBLIC, REQUEST, Phone, form_of, phone, text_of
from tests.storage import take_table_away
from workflows.kinds import Kind
from workflows.model.signature import Document, SignatureBrief, SignerState
from workflows.model.subject import Identity, Participant, Role
from workflows.model.views import SignerLine

WORKFLOW_ID = Kind.REQUEST.workflow_id(REQUEST)
SERIAL = "ab" * 16


@pytest.fixture
async def device(tmp_path: Path) -> AsyncIterator[Phone]:
    async with phone(tmp_path) as opened:
        await opened.create()
        yield opened


async def hand_over(device: Phone, serial: str = SERIAL) -> str:
    """The path of a link that the first signer is handed now."""
    expires_at = device.watch.clock() + VALID_FOR
    await device.store.handed_links.reserve(HandedLink(serial, WORKFLOW_ID, FIRST, expires_at), NOW)
    return device.links.handed_link(REQUEST, FIRST, serial, NOW.date()).removeprefix(PUBLIC)


async def ask_for(device: Phone, identity: Identity) -> None:
    """The request is of a kind that asks signers who they are."""
    brief = SignatureBrief(
        id=REQUEST,
        kind="nda",
        title="NDA",
        document=Document(),
        requester="x",
        people=(Participant(person=FIRST),),
        identity=identity,
    )
    await CoverSheet.keep(device.store, brief)


def acts_of(page: str) -> set[str]:
    return set(re.findall(r'name="act" value="([^"]*)"', page))


async def test_it_is_used_up_by_its_button_and_never_by_looks(device: Phone) -> None:
    path = await hand_over(device)
    for _ in range(20):
        page = await device.open(path)
        assert (page.status_code, page.headers["cache-control"]) == (200, "no-store")
        await device.browser.head(path)
    led_on = await device.press(path)
    assert (led_on.status_code, "/sign/" in led_on.headers["location"]) == (303, True)
    for answer in (await device.open(path), await device.press(path), await device.press(path, act="resend")):
        assert (answer.status_code, "This link is no longer valid" in text_of(answer.text)) == (410, True)
        assert "<form" not in answer.text


async def test_of_two_presses_at_once_one_is_led_on(device: Phone) -> None:
    path = await hand_over(device)
    fields = form_of((await device.open(path)).text)
    answers = await asyncio.gather(*(device.post(path, fields) for _ in range(4)))
    assert sorted(answer.status_code for answer in answers) == [303, 410, 410, 410]


async def test_an_old_one_an_unknown_one_and_one_whose_request_was_cancelled_lead_nowhere(device: Phone) -> None:
    path = await hand_over(device)
    unknown = device.links.handed_link(REQUEST, FIRST, "ef" * 16, NOW.date()).removeprefix(PUBLIC)
    assert (await device.open(unknown)).status_code == 410
    device.watch.now += VALID_FOR.total_seconds()
    assert (await device.open(path)).status_code == 410
    fresh = await hand_over(device, "01" * 16)
    fields = form_of((await device.open(fresh)).text)
    await device.cancel()
    answer = await device.post(fresh, fields)
    assert (answer.status_code, "cancelled" in text_of(answer.text)) == (410, True)
    link = await device.store.handed_links.read("01" * 16)
    assert link and link.used_at is None


async def test_it_is_for_signing_alone(device: Phone) -> None:
    path = await hand_over(device)
    line = SignerLine(person=FIRST, order=1, role=Role.SIGN, state=SignerState.TURN)
    device.views[REQUEST] = make_view().replace(id=REQUEST, requester="legal-desk", signers=(line,))
    await device.store.web_push_keys.add(OURS, NOW)
    page = (await device.open(path)).text
    own = (await device.open(device.link())).text
    assert ("away/" in own, bool(offer_of(own)), Action.ASK in acts_of(own)) == (True, True, True)
    assert ("away/" in page, bool(offer_of(page)), acts_of(page)) == (False, False, {Action.SIGN})
    ref = path.rpartition("/")[2]
    assert (await device.browser.get(f"{path}/document")).status_code == 404
    assert (await device.browser.get(f"{path}/first-page")).status_code == 404
    subscribed = await device.browser.post(f"{path}/device/subscribe", json={})
    assert (subscribed.status_code, subscribed.json()["outcome"]) == (404, "gone")
    declined = await device.press(path, act=Action.ASK, text="Why?")
    assert (declined.status_code, device.recorder.commands) == (303, [])
    assert device.links.open(ref).use is LinkUse.HANDED


async def test_a_kind_that_asks_for_a_code_asks_here_too_and_the_device_keeps_no_proof(device: Phone) -> None:
    device.people.write_text(PEOPLE.replace("customer@acme.test", NUMBER))
    await ask_for(device, Identity.CODE)
    path = await hand_over(device)
    browser = Browser(device, path)
    asked = await browser.press()
    assert (asked.status_code, "to your phone by SMS" in text_of(asked.text)) == (200, True)
    assert (await browser.press(code="000000")).status_code == 403 or codes(device) == ["000000"]
    led_on = await browser.press(code=codes(device)[-1])
    assert (led_on.status_code, "/sign/" in led_on.headers["location"]) == (303, True)
    kept = led_on.headers.get_list("set-cookie")
    assert kept and all("Max-Age=0" in cookie for cookie in kept)
    assert (await device.open(path)).status_code == 410


async def test_who_signs_in_for_it_is_signed_out_of_the_device_once_they_are_led_on(device: Phone) -> None:
    await ask_for(device, Identity.SIGN_IN)
    path = await hand_over(device)
    asked, response = await device.press(path), Response()
    assert asked.headers["location"] == f"../desk/confirm/{path.rpartition('/')[2]}"
    proof = Proof(REQUEST, FIRST, Identity.SIGN_IN, device.watch.clock())
    IdentityCookies(KeyRing([LINK_SECRET]), PUBLIC).keep_proof(response, proof)
    fields = form_of((await device.open(path)).text)
    led_on = await device.browser.post(path, data=fields, headers={"cookie": f"countersign-proof={proof_in(response)}"})
    assert (led_on.status_code, "/sign/" in led_on.headers["location"]) == (303, True)
    dropped = {cookie.split("=")[0] for cookie in led_on.headers.get_list("set-cookie") if "Max-Age=0" in cookie}
    desk = {"countersign-desk", "countersign-ask", "countersign-known"}
    assert dropped == {"countersign-proof", "countersign-code", *desk}


async def test_whose_place_another_has_at_core_signature_is_not_led_on_and_the_link_stays(device: Phone) -> None:
    path = await hand_over(device)
    fields = form_of((await device.open(path)).text)
    await device.forward("customer@acme.test", "finance@example.test")
    answer = await device.post(path, fields)
    assert "/sign/" not in answer.text + str(answer.headers)
    link = await device.store.handed_links.read(SERIAL)
    assert link and link.used_at is None


async def test_without_the_database_it_leads_nowhere_and_says_so(device: Phone) -> None:
    path = await hand_over(device)
    fields = form_of((await device.open(path)).text)
    with take_table_away(device.store, "handed_links"):
        looked, pressed = await device.open(path), await device.post(path, fields)
        plain = await device.press(device.link())
    assert (looked.status_code, pressed.status_code, plain.status_code) == (503, 503, 303)
    assert "<h1" in pressed.text
    assert (await device.press(path)).status_code == 303


async def test_whoever_comes_from_core_signature_sees_thanks_and_nothing_of_the_document(device: Phone) -> None:
    page = await device.browser.get("/open/signed", headers={"accept-language": "nl"})
    assert (page.status_code, page.headers["clear-site-data"]) == (200, '"cache"')
    assert page.headers["cache-control"] == "no-store" and "set-cookie" not in page.headers
    assert "msa" not in page.text.casefold() and "<form" not in page.text
    assert 'lang="nl"' in page.text


async def test_erasure_takes_them_along(device: Phone) -> None:
    await hand_over(device)
    await device.store.handed_links.reserve(HandedLink("cd" * 16, WORKFLOW_ID, "chair", NOW + VALID_FOR), NOW)
    await device.store.erasures.carry_out(Erasure(WORKFLOW_ID, FIRST, "op", "asked", NOW, NOW), ())
    assert await device.store.handed_links.read(SERIAL) is None
    assert await device.store.handed_links.read("cd" * 16) is not None


async def test_old_ones_are_removed(device: Phone) -> None:
    links, now = device.store.handed_links, device.watch.clock()
    await hand_over(device)
    await links.reserve(HandedLink("cd" * 16, WORKFLOW_ID, "chair", now + VALID_FOR), now)
    assert await links.drop(now + timedelta(days=31)) == 0
    assert await links.drop(now + timedelta(days=32)) == 2
