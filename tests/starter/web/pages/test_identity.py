"""Signers of kinds with `identity: code` or `sign-in`: what the button asks of them, and what nobody gets past."""

import asyncio
import re
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from starlette.responses import Response

from activities.keys import KeyRing
from activities.people.file_directory import FileDirectory
from activities.people.language import Language
from activities.people.reader import Reader
from activities.records.cover_sheet import CoverSheet
from activities.records.store import Store
from activities.records.user_texts import pages_of
from starter.web.pages.identity import CODES, IdentityGate
from starter.web.pages.visits import PageVisit
from starter.web.proofs import REMEMBERED_FOR, SIGNED_IN_FOR, CodeRequest, IdentityCookies, Proof
from tests.starter.web.paging import FIRST, LINK_SECRET, NOW, PEOPLE, PUBLIC, REQUEST, Phone, phone, text_of
from tests.storage import take_table_away
from workflows.kinds import Kind
from workflows.model.notifications import Channel
from workflows.model.signature import Document, SignatureBrief
from workflows.model.subject import Identity, Participant

NUMBER = "customer@acme.test, phone: '+31 20 555 0100'"
WORKFLOW_ID = Kind.REQUEST.workflow_id(REQUEST)


@pytest.fixture
async def signer(tmp_path: Path) -> AsyncIterator[Phone]:
    async with phone(tmp_path) as opened:
        opened.people.write_text(PEOPLE.replace("customer@acme.test", NUMBER))
        await opened.create()
        yield opened


class Browser:
    """A browser with its cookies, whose pages are of another host than the test's."""

    def __init__(self, phone: Phone, link: str) -> None:
        self.phone = phone
        self.link = link
        self.cookies: dict[str, str] = {}

    async def press(self, **fields: Any) -> httpx.Response:
        self.phone.watch.now += 60  # No limit of the link's own.
        cookie = "; ".join(f"{name}={value}" for name, value in self.cookies.items())
        answer = await self.phone.press(self.link, act="sign", headers={"cookie": cookie}, **fields)
        for kept in answer.headers.get_list("set-cookie"):
            name, value = re.match(r"([^=]+)=([^;]*)", kept).groups()  # type: ignore[union-attr]
            self.cookies[name] = value
            assert {"HttpOnly", "Secure", "Path=/open", "SameSite=lax"} <= set(kept.split("; "))
        return answer


def proof_in(response: Response) -> str:
    """Of the latest proof among its cookies."""
    kept = [cookie for cookie in response.headers.getlist("set-cookie") if cookie.startswith("countersign-proof=")]
    return kept[-1].partition("=")[2].split(";")[0]


def code_link(phone: Phone) -> str:
    return phone.link(identity=Identity.CODE)


def codes(phone: Phone) -> list[str]:
    """The codes that were sent, by SMS to this number."""
    messages = phone.entries("message")
    assert {(message["kind"], message["to"]) for message in messages} <= {("sms", "0031205550100")}
    return [re.findall(r"\d{6}", message["text"])[0] for message in messages]


def wrong(code: str) -> str:
    return f"{(int(code) + 1) % 1_000_000:06}"


async def events(phone: Phone) -> list[tuple[str, str]]:
    pages = await pages_of(phone.store, WORKFLOW_ID)
    return [(str(entry.happened), entry.about) for page in pages for entry in page.timeline if entry.who == FIRST]


async def test_the_right_code_leads_on_is_remembered_for_half_a_day_and_is_recorded(signer: Phone) -> None:
    browser = Browser(signer, code_link(signer))
    asked = await browser.press()
    assert (asked.status_code, "to your phone by SMS" in text_of(asked.text)) == (200, True)
    [code] = codes(signer)
    assert code not in asked.text and code not in str(asked.headers)
    led_on = await browser.press(code=f"{code[:3]} {code[3:]}")
    assert (led_on.status_code, "/sign/" in led_on.headers["location"]) == (303, True)
    assert await events(signer) == [("code_sent", "sms"), ("identified", "sms")]
    again = await browser.press()
    assert (again.status_code, len(codes(signer)), len(await events(signer))) == (303, 1, 2)
    signer.watch.now += REMEMBERED_FOR.total_seconds()
    assert (await browser.press()).status_code == 200
    assert code not in str([page.model_dump() for page in await pages_of(signer.store, WORKFLOW_ID)])


async def test_five_wrong_codes_lock_for_an_hour_from_whatever_link_browser_and_process(
    signer: Phone, tmp_path: Path
) -> None:
    browsers = [Browser(signer, code_link(signer)) for _ in range(2)]
    for browser in browsers:
        await browser.press()
    first, second = codes(signer)
    answers = [await browsers[0].press(code=wrong(first)) for _ in range(3)]
    answers += [await browsers[1].press(code=wrong(second)) for _ in range(2)]
    assert [answer.status_code for answer in answers] == [403] * 4 + [429]
    assert "Tries left: 4" in text_of(answers[0].text) and "can be entered in an hour" in text_of(answers[4].text)
    right = await browsers[0].press(code=first)
    assert (right.status_code, "Too many wrong codes" in text_of(right.text)) == (429, True)
    assert right.headers["retry-after"] and "Try again" not in right.text, "in an hour"
    assert (await Browser(signer, code_link(signer)).press()).status_code == 429
    assert len(codes(signer)) == 2, "a code that could not be entered is not sent"
    assert ("codes_wrong", "sms") in await events(signer)
    signer.watch.now += 3600
    browser = Browser(signer, code_link(signer))
    await browser.press()
    assert (await browser.press(code=codes(signer)[-1])).status_code == 303


@pytest.mark.long
async def test_at_most_so_many_codes_go_to_a_person_however_often_they_are_asked_for(signer: Phone) -> None:
    answers = []
    for _ in range(20 * CODES.burst):
        signer.watch.now -= 59
        answers.append(await Browser(signer, code_link(signer)).press())
    assert len(codes(signer)) <= CODES.burst + 1
    assert answers[-1].status_code == 429


async def test_a_code_is_of_the_browser_that_asked_for_ten_minutes_and_once(signer: Phone) -> None:
    browser, other = Browser(signer, code_link(signer)), Browser(signer, code_link(signer))
    await browser.press()
    await other.press()
    first, second = codes(signer)
    if first != second:
        assert (await other.press(code=first)).status_code == 403
    request = dict(browser.cookies)
    assert (await browser.press(code=first)).status_code == 303
    thief = Browser(signer, code_link(signer))
    thief.cookies = request
    replayed = await thief.press(code=first)
    assert (replayed.status_code, "not valid any more" in text_of(replayed.text)) == (200, True)
    late = Browser(signer, code_link(signer))
    await late.press()
    signer.watch.now += 600
    assert (await late.press(code=codes(signer)[-1])).status_code == 200


async def test_a_proof_is_of_one_request_and_person(signer: Phone) -> None:
    cookies, browser = IdentityCookies(KeyRing([LINK_SECRET]), PUBLIC), Browser(signer, code_link(signer))
    response = Response()
    for request, person in (("other-0001", FIRST), (REQUEST, "chief-executive"), ("", "")):
        cookies.keep_proof(response, Proof(request, person, "sms", NOW))
        browser.cookies = {"countersign-proof": proof_in(response)}
        assert (await browser.press()).status_code == 200
    browser.cookies = {"countersign-proof": "x" * 200, "countersign-code": "x" * 200}
    assert (await browser.press(code="000000")).status_code in (200, 429)


async def test_without_a_second_channel_or_the_database_nobody_gets_on(signer: Phone) -> None:
    signer.people.write_text(PEOPLE)
    signer.watch.now += 60
    refused = await Browser(signer, code_link(signer)).press()
    assert (refused.status_code, signer.entries("message")) == (403, [])
    assert "We cannot send you a code" in text_of(refused.text)
    signer.people.write_text(PEOPLE.replace("customer@acme.test", NUMBER))
    signer.watch.now += 60
    with take_table_away(signer.store, "allowances"):
        unknown = await Browser(signer, code_link(signer)).press()
        plain = await Browser(signer, signer.link()).press()
    assert (unknown.status_code, plain.status_code) == (503, 303)


async def test_a_link_that_does_not_say_what_is_asked_asks_as_the_request_was_sent(signer: Phone) -> None:
    unsaid = Browser(signer, signer.link(identity=None))
    assert (await unsaid.press()).status_code == 303
    people = (Participant(person=FIRST),)
    brief = SignatureBrief(
        id=REQUEST, kind="nda", title="NDA", document=Document(), requester="x", people=people, identity=Identity.CODE
    )
    await CoverSheet.keep(signer.store, brief)
    assert (await unsaid.press()).status_code == 200


async def test_core_signatures_mail_leads_nobody_past_it(signer: Phone) -> None:
    [request] = signer.sandbox.state.database.requests
    for entry in request.signers:
        entry.embed_url_user_id = None
    signer.sandbox.state.database.save_request(request)
    answer = await Browser(signer, code_link(signer)).press()
    assert (answer.status_code, "This cannot be signed here" in text_of(answer.text)) == (403, True)
    resent = await signer.press(code_link(signer), act="resend")
    assert resent.status_code == 403
    assert not [mail for mail in signer.entries("mail") if mail["kind"] == "resend"]


async def test_a_sign_in_is_asked_at_the_desk_and_holds_for_minutes(signer: Phone) -> None:
    link = signer.link(identity=Identity.SIGN_IN)
    browser = Browser(signer, link)
    asked = await browser.press()
    assert (asked.status_code, asked.headers["location"]) == (303, f"../desk/confirm/{link.rpartition('/')[2]}")
    response = Response()
    at = signer.watch.clock()
    IdentityCookies(KeyRing([LINK_SECRET]), PUBLIC).keep_proof(response, Proof(REQUEST, FIRST, "sign-in", at))
    browser.cookies = {"countersign-proof": proof_in(response)}
    led_on = await browser.press()
    assert (led_on.status_code, "/sign/" in led_on.headers["location"]) == (303, True)
    assert await events(signer) == [("identified", "sign-in")]
    signer.watch.now += SIGNED_IN_FOR.total_seconds()
    assert "/desk/" in (await browser.press()).headers["location"]


async def test_two_processes_count_wrong_codes_together(signer: Phone, tmp_path: Path) -> None:
    cookies, response, at = IdentityCookies(KeyRing([LINK_SECRET]), PUBLIC), Response(), signer.watch.clock()
    request = CodeRequest(REQUEST, FIRST, "ab" * 16, Channel.SMS, at)
    cookies.keep_request(response, request)
    sealed = response.headers["set-cookie"].partition("=")[2].split(";")[0]
    ref = code_link(signer).rpartition("/")[2]
    reader = Reader.unknown(Language.accepted("en"))
    visit = PageVisit(ref, signer.links.open(ref), None, reader, cookies={"countersign-code": sealed})
    stores = [Store((tmp_path / "store").as_uri()) for _ in range(2)]
    directory = FileDirectory(signer.people, stores[0])
    gates = [IdentityGate(store, directory, cookies, None, signer.watch.clock) for store in stores]
    tries = [gate.check(visit, {"code": wrong(cookies.code(request))}) for _ in range(10) for gate in gates]
    answers = await asyncio.gather(*tries)
    statuses = [answer.screen.status for answer in answers if answer.screen]
    assert (len(statuses), statuses.count(403), statuses.count(429)) == (20, 4, 16)
    assert not any(answer.proof for answer in answers)
