"""Handing over a link of a signer at the desk: who may, what is shown, and how many there are."""

import re
from collections.abc import AsyncIterator
from datetime import timedelta
from pathlib import Path

import httpx
import pytest
import segno
from sqlalchemy import func, select

from activities.keys import KeyRing
from activities.notifications.links import LinkUse, SigningLinks
from activities.records.handed_links import OF_A_SIGNER_AT_MOST, VALID_FOR
from activities.records.schema import HANDED_LINKS
from starter.queries.commands import CommandRefused, NotConfirmed, NotRunning
from tests.starter.web.desk.office import (
    MANAGER,
    NOW,
    OPERATOR,
    PUBLIC,
    REQUESTER,
    SECRET,
    SIGNER,
    Browser,
    Office,
    office,
    text_of,
)
from tests.starter.web.desk.test_requests import ID, PAGE, make_request_view
from tests.storage import take_table_away
from workflows.model.commands import LinkHandover
from workflows.model.rejections import Rejection
from workflows.model.signature import SignerState
from workflows.model.subject import Role, Status
from workflows.model.views import SignerLine


@pytest.fixture
async def desk(tmp_path: Path) -> AsyncIterator[Office]:
    async with office(tmp_path) as opened_office:
        opened_office.views[ID] = make_request_view()
        yield opened_office


async def hand_over(browser: Browser) -> httpx.Response:
    return await browser.press(await browser.get(f"{PAGE}/link"), signer=SIGNER)


async def count_links(desk: Office) -> int:
    row = await desk.store.database.first(select(func.count()).select_from(HANDED_LINKS))
    return row[0] if row else 0


def line(person: str) -> SignerLine:
    """A member of a group of which anyone signs."""
    return SignerLine(person=person, order=1, role=Role.SIGN, state=SignerState.TURN, team="legal")


def link_of(page: httpx.Response) -> str:
    link = re.search(r'<a id="link" href="([^"]+)"', page.text)
    assert link, text_of(page)
    return link[1]


@pytest.mark.parametrize("person", [REQUESTER, OPERATOR])
async def test_it_is_shown_as_address_and_code_and_is_the_same_for_a_form_sent_twice(desk: Office, person: str) -> None:
    browser = await desk.come_in(person)
    assert "Hand over a link" in (await browser.get(PAGE)).text
    form_page = await browser.get(f"{PAGE}/link")
    assert re.findall(r'<option value="([^"]+)"', form_page.text) == [SIGNER], "the other's turn comes later"
    page = await browser.press(form_page, signer=SIGNER)
    assert (page.status_code, page.headers["cache-control"]) == (200, "no-store")
    link = link_of(page)
    claim = SigningLinks(PUBLIC, KeyRing([SECRET])).open(link.rpartition("/")[2])
    assert (claim.use, claim.request, claim.person) == (LinkUse.HANDED, ID, SIGNER)
    assert segno.make_qr(link).svg_inline(scale=4, light="white") in page.text
    assert link.startswith(f"{PUBLIC}/open/")
    again = await browser.press(form_page, signer=SIGNER)
    assert link_of(again) == link
    assert desk.commands[0] == desk.commands[1], "which the request hears as the same"
    [(reference, command, op), _] = desk.commands
    assert (reference, command) == (ID, LinkHandover(actor=person, signer=SIGNER, op=op))
    assert link_of(await hand_over(browser)) != link
    kept = await desk.store.handed_links.read(claim.serial)
    assert kept and (kept.person, kept.expires_at, kept.used_at) == (SIGNER, NOW + VALID_FOR, None)


async def test_a_link_outlives_its_form_sent_again_while_temporal_does_not_confirm(desk: Office) -> None:
    browser = await desk.come_in(REQUESTER)
    form_page = await browser.get(f"{PAGE}/link")
    link = link_of(await browser.press(form_page, signer=SIGNER))
    answer, desk.answer = desk.answer, NotConfirmed("page-x")
    assert "/open/" not in (await browser.press(form_page, signer=SIGNER)).text
    assert await count_links(desk) == 1
    desk.answer = answer
    assert link_of(await browser.press(form_page, signer=SIGNER)) == link


async def test_of_a_group_only_who_has_taken_its_place_is_handed_one(desk: Office) -> None:
    lines = [line(SIGNER), line("customer")]
    desk.views[ID] = make_request_view(signers=tuple(lines))
    browser = await desk.come_in(REQUESTER)
    assert "Hand over a link" not in (await browser.get(PAGE)).text
    taker = lines[1].replace(taken_at=NOW)
    desk.views[ID] = make_request_view(signers=(lines[0].replace(state=SignerState.SPARED), taker))
    form_page = await browser.get(f"{PAGE}/link")
    assert re.findall(r'<option value="([^"]+)"', form_page.text) == ["customer"]
    desk.answer = CommandRefused(Rejection.PLACE_OPEN.to_message(person="customer", group="legal"))
    refused = await browser.press(form_page, signer="customer")
    assert (refused.status_code, "anyone of their group may still sign" in text_of(refused)) == (409, True)


async def test_a_signer_a_stranger_and_who_may_not_download_it_cannot(desk: Office) -> None:
    for person in (SIGNER, "owner", MANAGER):
        browser = await desk.come_in(person)
        assert "Hand over a link" not in (await browser.get(PAGE)).text
        assert (await browser.get(f"{PAGE}/link")).status_code == 404
        form = {"signer": SIGNER, "token": "x"}
        assert (await browser.post(f"{PAGE}/link", form)).status_code in (403, 404)
    assert desk.commands == []


async def test_what_the_request_refuses_makes_no_link(desk: Office) -> None:
    browser = await desk.come_in(REQUESTER)
    desk.answer = CommandRefused(Rejection.NOT_TO_SIGN_NOW.to_message(person=SIGNER))
    refused = await hand_over(browser)
    assert (refused.status_code, "they are not asked to sign now" in text_of(refused)) == (409, True)
    desk.answer = NotRunning(ID)
    assert (await hand_over(browser)).status_code == 303
    assert await count_links(desk) == 0
    desk.views[ID] = make_request_view(status=Status.REVIEW)
    assert "Hand over a link" not in (await browser.get(PAGE)).text


@pytest.mark.long
async def test_ten_times_the_bound_within_a_day_are_so_many_links(desk: Office) -> None:
    browser = await desk.come_in(REQUESTER)
    answers = []
    for _ in range(10 * OF_A_SIGNER_AT_MOST):
        desk.pass_(minutes=2)
        answers.append((await hand_over(browser)).status_code)
    assert answers == [200] * OF_A_SIGNER_AT_MOST + [409] * (9 * OF_A_SIGNER_AT_MOST)
    assert len(desk.commands) == OF_A_SIGNER_AT_MOST
    other = make_request_view(signers=(make_request_view().signers[0].replace(person="owner"),))
    desk.views[ID] = other
    page = await browser.press(await browser.get(f"{PAGE}/link"), signer="owner")
    assert page.status_code == 200, "another signer has their own"


async def test_a_used_or_old_one_is_not_shown_again(desk: Office) -> None:
    browser = await desk.come_in(REQUESTER)
    form_page = await browser.get(f"{PAGE}/link")
    page = await browser.press(form_page, signer=SIGNER)
    serial = SigningLinks(PUBLIC, KeyRing([SECRET])).open(link_of(page).rpartition("/")[2]).serial
    assert await desk.store.handed_links.use(serial, NOW)
    assert not await desk.store.handed_links.use(serial, NOW)
    again = await browser.press(form_page, signer=SIGNER)
    assert (again.status_code, "has been used, or is a day old" in text_of(again)) == (409, True)
    assert not await desk.store.handed_links.use("00" * 16, NOW + timedelta(days=2))


async def test_without_the_database_nothing_is_asked_of_the_request(desk: Office) -> None:
    browser = await desk.come_in(REQUESTER)
    form_page = await browser.get(f"{PAGE}/link")
    with take_table_away(desk.store, "handed_links"):
        answer = await browser.press(form_page, signer=SIGNER)
    assert (answer.status_code, desk.commands) == (503, [])
    assert "<h1" in answer.text
    assert (await browser.press(form_page, signer=SIGNER)).status_code == 200
