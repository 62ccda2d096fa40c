"""Coming in to the desk: what opens it, once, for whom, and that nobody learns who exists."""

from collections.abc import AsyncIterator
from datetime import timedelta
from pathlib import Path

import pytest
from temporalio.client import Client
from temporalio.contrib.pydantic import pydantic_data_converter
from temporalio.service import RPCError, RPCStatusCode

from activities.errors import DatabaseAway
from activities.keys import KeyRing
from activities.notifications.links import LinkUse, SigningLinks
from activities.notifications.sign_in import SignInLink, ask_of
from activities.records.sessions import LONGEST_SESSION, SESSIONS_AT_MOST
from activities.records.store import Store
from starter.temporal.connection import Context, TemporalRefusal
from starter.web.desk.sessions import (
    MESSAGES_FROM_AN_ADDRESS,
    MESSAGES_OF_A_DAY_AT_MOST,
    MESSAGES_TO_A_PERSON,
    TRIES_AT_MOST,
    AllowedMessages,
    SignInSource,
    WrongCode,
    reachability_check,
    sign_in_sender,
    sign_out_everywhere,
)
from starter.web.http.bodies import LONGEST
from tests.starter.web.desk.office import (
    DUTCH,
    PUBLIC,
    REQUESTER,
    SECRET,
    SIGNER,
    Office,
    form_of,
    inside,
    office,
    text_of,
)
from tests.storage import count, take_table_away
from workflows.model.notifications import VALID_FOR, SignInOrder
from workflows.model.subject import Identity

COOKIE = "countersign-desk"


@pytest.fixture
async def desk(tmp_path: Path) -> AsyncIterator[Office]:
    async with office(tmp_path) as opened_office:
        yield opened_office


async def test_the_link_opens_the_desk_where_it_is_tapped_once(desk: Office) -> None:
    laptop, phone, another = desk.browser(), desk.browser(), desk.browser()
    assert "Look at your phone" in text_of(await desk.ask(laptop, REQUESTER))
    button = await phone.get(desk.link())
    assert "You sign in as Legal Desk" in text_of(button)
    assert "You are in" not in text_of(await phone.get())
    assert inside(await phone.press(button)) == "/people/desk"
    assert "Legal Desk" in text_of(await phone.get())
    late = await another.press(button)
    assert (late.status_code, "does not work any more" in text_of(late)) == (410, True)
    assert "Sign in" in text_of(await another.get())


async def test_the_number_opens_the_desk_in_the_browser_that_asked_and_in_no_other(desk: Office) -> None:
    laptop, thief = desk.browser(), desk.browser()
    code_page = await desk.ask(laptop, " legal@EXAMPLE.test ")
    theirs = await desk.ask(thief, SIGNER)
    code = desk.sign_in_links.code
    number = code(_way(desk, 0))
    assert (await thief.press(theirs, code=number)).status_code == 403
    assert inside(await laptop.press(code_page, code=f"{number[:3]} {number[3:]}")) == "/people/desk"
    assert "Legal Desk" in text_of(await laptop.get())
    assert [order.person for order in desk.orders] == [REQUESTER, SIGNER]


async def test_a_link_that_asks_for_a_sign_in_is_confirmed_for_its_person_alone(desk: Office) -> None:
    links, phone, laptop = SigningLinks(PUBLIC, KeyRing([SECRET])), desk.browser(), desk.browser()
    ref = links.link("msa-0042", REQUESTER, LinkUse.SIGN, identity=Identity.SIGN_IN).rpartition("/")[2]
    asked = await phone.get(f"/people/desk/confirm/{ref}")
    assert "Sign in" in text_of(asked) and f"to=confirm/{ref}" in asked.text
    code_page = await phone.press(asked, who=REQUESTER)
    assert COOKIE not in str(code_page.headers)
    visitor, somebody = await desk.come_in(REQUESTER), await desk.come_in(SIGNER)
    confirmed = await visitor.get(f"/people/desk/confirm/{ref}")
    assert confirmed.headers["location"].endswith(f"/open/{ref}")
    assert confirmed.headers["set-cookie"].startswith("countersign-proof=")
    other = await somebody.get(f"/people/desk/confirm/{ref}")
    assert (other.status_code, "set-cookie" in other.headers) == (403, False)
    assert (await visitor.get("/people/desk/confirm/" + "x" * 60)).status_code == 404
    for elsewhere in (
        f"/people/desk/confirm/{ref}/..",
        "/people/desk/confirm//evil.example",
        "/people/desk/confirm/" + "x" * 400,
    ):
        page = await laptop.get(elsewhere)
        assert "to=" not in page.text


async def test_a_message_lets_in_once_whether_by_its_number_or_by_its_link(desk: Office) -> None:
    laptop, phone = desk.browser(), desk.browser()
    code_page = await desk.ask(laptop, REQUESTER)
    button = await phone.get(desk.link())
    assert inside(await laptop.press(code_page, code=desk.code())) == "/people/desk"
    late = await phone.press(button)
    assert (late.status_code, COOKIE in phone.http.cookies) == (410, False)
    desk.pass_(minutes=1)
    code_page = await desk.ask(other_laptop := desk.browser(), REQUESTER)
    assert inside(await phone.press(await phone.get(desk.link()))) == "/people/desk"
    assert (await other_laptop.press(code_page, code=desk.code())).status_code == 403
    assert COOKIE not in other_laptop.http.cookies


async def test_the_notice_of_a_used_message_is_taken_off_the_screens(desk: Office) -> None:
    laptop, phone = desk.browser(), desk.browser()
    code_page = await desk.ask(laptop, REQUESTER)
    wrong = f"{(int(desk.code()) + 1) % 10**6:06}"
    code_page = await laptop.press(code_page, code=wrong)
    assert desk.withdrawn == []
    await laptop.press(code_page, code=desk.code())
    assert desk.withdrawn == [desk.orders[0].replace(used=True)]
    desk.pass_(minutes=1)
    await desk.ask(laptop, REQUESTER)
    await phone.press(await phone.get(desk.link()))
    assert desk.withdrawn == [order.replace(used=True) for order in desk.orders]


async def test_a_notice_that_cannot_be_taken_back_keeps_nobody_out(desk: Office) -> None:
    laptop = desk.browser()
    code_page = await desk.ask(laptop, REQUESTER)
    code, desk.failure = desk.code(), RPCError("connection refused", RPCStatusCode.UNAVAILABLE, b"")
    assert inside(await laptop.press(code_page, code=code)) == "/people/desk"


async def test_a_number_opens_the_desk_once(desk: Office) -> None:
    laptop = desk.browser()
    page = await desk.ask(laptop, REQUESTER)
    cookies = dict(laptop.http.cookies)
    assert inside(await laptop.press(page, code=desk.code())) == "/people/desk"
    other_browser = desk.browser()
    other_browser.http.cookies.update({name: text for name, text in cookies.items() if name != COOKIE})
    assert (await other_browser.press(page, code=desk.code())).status_code == 403
    assert COOKIE not in other_browser.http.cookies


async def test_a_number_may_be_tried_five_times(desk: Office) -> None:
    laptop = desk.browser()
    page = await desk.ask(laptop, REQUESTER)
    wrong = f"{(int(desk.code()) + 1) % 10**6:06}"
    for tries_left in reversed(range(1, TRIES_AT_MOST)):
        page = await laptop.press(page, code=wrong)
        assert (page.status_code, f"Tries left: {tries_left}" in text_of(page)) == (403, True)
    last = await laptop.press(page, code=wrong)
    assert "ask for a message first" in text_of(last)
    assert (await laptop.press(page, code=desk.code())).status_code == 403
    assert COOKIE not in laptop.http.cookies


async def test_however_many_browsers_ask_a_number_is_not_to_be_guessed(desk: Office) -> None:
    """Of a browser whose ask sent no message no number is right; and of a day's messages few numbers are tried."""
    asks = [await desk.sign_in.ask(REQUESTER, None, asking=SignInSource(f"10.0.0.{number}")) for number in range(30)]
    sent = [ask for ask in asks if ask.person]
    assert len(sent) == len(desk.orders) == MESSAGES_TO_A_PERSON.burst
    unsent = asks[-1]
    way = SignInLink(REQUESTER, ask_of(unsent.nonce), unsent.at + VALID_FOR)
    assert isinstance(await desk.sign_in.by_code(unsent, desk.sign_in_links.code(way)), WrongCode)
    for ask in sent:
        guesses = [await desk.sign_in.by_code(ask, "no code") for _ in range(2 * TRIES_AT_MOST)]
        assert guesses == [WrongCode(tries_left) for tries_left in (4, 3, 2, 1, *[0] * 6)]


async def test_a_stranger_who_always_asks_first_keeps_no_number_from_working(desk: Office) -> None:
    """Nor does one who tries numbers: a message is for the browser that asked for it."""
    for _ in range(5):
        stranger, victim = desk.browser("10.6.6.6"), desk.browser()
        theirs = await desk.ask(stranger, SIGNER)
        for _ in range(TRIES_AT_MOST):
            await stranger.press(theirs, code="000000")
        code_page = await desk.ask(victim, SIGNER)
        assert inside(await victim.press(code_page, code=desk.code())) == "/people/desk"
        desk.pass_(minutes=2)
    assert len(desk.orders) == 10


@pytest.mark.long
async def test_of_those_who_ask_for_somebody_from_one_address_few_send_anything(desk: Office) -> None:
    for _ in range(24 * 12):
        await desk.sign_in.ask(SIGNER, None, asking=SignInSource("10.6.6.6"))
        desk.pass_(minutes=5)
    assert MESSAGES_FROM_AN_ADDRESS.burst <= len(desk.orders) <= MESSAGES_FROM_AN_ADDRESS.burst + 24


@pytest.mark.long
async def test_however_many_strangers_ask_a_person_gets_so_many_messages_a_day_and_comes_in_all_the_same(
    desk: Office, tmp_path: Path
) -> None:
    """In a browser in which they came in before; and what receivers have sent is known to all of them."""
    victim = await desk.come_in(SIGNER)
    await victim.press(await victim.get())
    for number in range(10 * MESSAGES_OF_A_DAY_AT_MOST):
        desk.pass_(minutes=1)
        await desk.sign_in.ask(SIGNER, None, asking=SignInSource(f"10.6.{number // 250}.{number % 250}"))
    assert len(desk.orders) == MESSAGES_OF_A_DAY_AT_MOST
    other_receiver = AllowedMessages(Store(str(tmp_path / "store")))
    assert not await other_receiver.take(SIGNER, SignInSource(), desk.now)
    assert await other_receiver.take(SIGNER, SignInSource(), desk.now + timedelta(days=1))
    code_page = await desk.ask(victim, SIGNER)
    assert inside(await victim.press(code_page, code=desk.code())) == "/people/desk"
    stranger = await desk.come_in(REQUESTER)
    await stranger.press(await stranger.get())
    await desk.ask(stranger, SIGNER)
    assert len(desk.orders) == MESSAGES_OF_A_DAY_AT_MOST + 2, "who came in as somebody else is a stranger"


@pytest.mark.long
async def test_what_a_stranger_leaves_is_gone_within_the_hour(desk: Office) -> None:
    """However many they name who do not exist, and however many numbers they try."""
    genuine_ask = await desk.sign_in.ask(SIGNER, None)
    used = count(desk.store, "one_use")
    for number in range(100):
        ask = await desk.sign_in.ask(f"nobody-{number}", None)
        for tried_ask in (ask, genuine_ask):
            await desk.sign_in.by_code(tried_ask, "000000")
    desk.pass_(minutes=60)
    assert await desk.store.allowances.drop_full(desk.now) > 100
    assert (count(desk.store, "one_use"), count(desk.store, "allowances")) == (used, 2), "of a day, and of an address"


async def test_of_a_number_all_processes_together_take_five_tries_and_of_a_person_three_asks(
    desk: Office, tmp_path: Path
) -> None:
    async with office(tmp_path) as other_office:
        sign_ins = (desk.sign_in, other_office.sign_in)
        asks = [
            await sign_ins[number % 2].ask(SIGNER, None, asking=SignInSource(f"10.0.0.{number}")) for number in range(8)
        ]
        sent = next(ask for ask in asks if ask.person)
        assert len(desk.orders) + len(other_office.orders) == MESSAGES_TO_A_PERSON.burst
        guesses = [await sign_ins[number % 2].by_code(sent, "no code") for number in range(8)]
        assert guesses == [WrongCode(tries_left) for tries_left in (4, 3, 2, 1, 0, 0, 0, 0)]
        right = desk.sign_in_links.code(SignInLink(SIGNER, ask_of(sent.nonce), sent.at + VALID_FOR))
        assert await other_office.sign_in.by_code(sent, right) == WrongCode(0)


async def test_without_the_database_nobody_guesses_and_nobody_asks(desk: Office) -> None:
    """Nobody could come in either."""
    ask = await desk.sign_in.ask(SIGNER, None)
    with take_table_away(desk.store, "allowances"):
        for asking in (desk.sign_in.by_code(ask, desk.code()), desk.sign_in.ask(SIGNER, None)):
            with pytest.raises(DatabaseAway):
                await asking


async def test_somebody_who_does_not_exist_gets_the_same_answers(desk: Office) -> None:
    known_browser, strange_browser = desk.browser(), desk.browser()
    known_page, strangers = (
        await desk.ask(known_browser, REQUESTER),
        await desk.ask(strange_browser, "nobody@example.test"),
    )
    assert (known_page.status_code, text_of(known_page)) == (strangers.status_code, text_of(strangers))
    cookies = [len(browser.http.cookies["countersign-ask"]) for browser in (known_browser, strange_browser)]
    assert cookies[0] == cookies[1]
    wrong = f"{(int(desk.code()) + 1) % 10**6:06}"
    answers = [
        await browser.press(page, code=wrong)
        for browser, page in ((known_browser, known_page), (strange_browser, strangers))
    ]
    assert text_of(answers[0]) == text_of(answers[1])
    assert len(desk.orders) == 1


async def test_while_temporal_is_away_everybody_is_told_so(desk: Office) -> None:
    desk.failure = RPCError("connection refused", RPCStatusCode.UNAVAILABLE, b"")
    for person in (REQUESTER, "nobody@example.test"):
        browser = desk.browser()
        answer = await browser.press(await browser.get(), who=person)
        assert (answer.status_code, answer.headers["retry-after"]) == (503, "30")
        assert "Temporal" in text_of(answer)
    desk.failure = None
    assert "Look at your phone" in text_of(await desk.ask(desk.browser(), REQUESTER))
    assert len(desk.orders) == 1


async def test_a_server_that_is_nowhere_is_a_page_that_says_so(tmp_path: Path) -> None:
    nowhere = await Client.connect("127.0.0.1:1", lazy=True, data_converter=pydantic_data_converter)
    async with office(tmp_path, context=Context(nowhere, Store(tmp_path.as_uri()))) as desk:
        browser = await desk.come_in(REQUESTER)
        for path in ("/desk", "/desk/asked", "/desk/asked/csv"):
            answer = await browser.get(path)
            assert (answer.status_code, "Temporal" in text_of(answer)) == (503, True)
        order = SignInOrder(person=REQUESTER, ask="x", at=desk.now)
        with pytest.raises((TemporalRefusal, RuntimeError)):
            await sign_in_sender(nowhere)(order)
        with pytest.raises((TemporalRefusal, RuntimeError)):
            await reachability_check(nowhere)()


@pytest.mark.long
async def test_a_thousand_asks_a_minute_are_few_messages(desk: Office) -> None:
    sign_in = desk.sign_in
    for number in range(1_000):
        await sign_in.ask(REQUESTER, None, asking=SignInSource(f"10.0.{number // 250}.{number % 250}"))
    assert len(desk.orders) == MESSAGES_TO_A_PERSON.burst
    desk.pass_(minutes=1)
    await sign_in.ask(REQUESTER, None)
    assert len(desk.orders) == MESSAGES_TO_A_PERSON.burst + 1


async def test_who_asks_again_within_the_minute_can_use_the_message_that_came(desk: Office) -> None:
    laptop = desk.browser()
    await desk.ask(laptop, REQUESTER)
    number = desk.code()
    second_page = await desk.ask(laptop, REQUESTER)
    assert len(desk.orders) == 1
    assert (await laptop.press(second_page, code=number)).status_code == 303


async def test_after_ten_minutes_neither_link_nor_number_opens_anything(desk: Office) -> None:
    laptop = desk.browser()
    page = await desk.ask(laptop, REQUESTER)
    desk.pass_(minutes=10)
    assert (await laptop.get(desk.link())).status_code == 410
    assert (await laptop.press(page, code=desk.code())).status_code == 403


@pytest.mark.parametrize("index", [0, 30, -1])
async def test_an_altered_link_or_cookie_opens_nothing(desk: Office, index: int) -> None:
    browser = await desk.come_in(REQUESTER)
    link = desk.link()
    head, ref = link.rsplit("/", 1)
    assert (await desk.browser().get(f"{head}/{_altered(ref, index)}")).status_code == 410
    cookie = _altered(browser.http.cookies[COOKIE], index)
    stolen = desk.browser()
    stolen.http.cookies.set(COOKIE, cookie, domain="sign.example", path="/people/desk")
    assert "Sign in" in text_of(await stolen.get())


async def test_a_link_of_somebody_who_left_opens_nothing_and_their_session_is_over(desk: Office) -> None:
    browser = await desk.come_in(SIGNER)
    assert "Chair" in text_of(await browser.get())
    text = desk.people.read_text()
    desk.people.write_text("\n".join(line for line in text.splitlines() if "id: chair" not in line))
    assert "Sign in" in text_of(await browser.get())
    assert (await desk.browser().get(desk.link())).status_code == 410


async def test_signing_out_ends_this_browser_and_people_sign_out_all_of_them(desk: Office) -> None:
    first_browser = await desk.come_in(REQUESTER)
    desk.pass_(minutes=1)
    second_browser = await desk.come_in(REQUESTER)
    await first_browser.press(await first_browser.get())
    assert "Sign in" in text_of(await first_browser.get())
    assert "Legal Desk" in text_of(await second_browser.get())
    await sign_out_everywhere(desk.store, REQUESTER)
    assert "Sign in" in text_of(await second_browser.get())
    desk.pass_(minutes=1)
    assert "Legal Desk" in text_of(await (await desk.come_in(REQUESTER)).get())


async def test_a_copied_cookie_opens_nothing_once_its_browser_was_signed_out(desk: Office) -> None:
    browser, thief = await desk.come_in(REQUESTER), desk.browser()
    thief.http.cookies.set(COOKIE, browser.http.cookies[COOKIE], domain="sign.example", path="/people/desk")
    assert "Legal Desk" in text_of(await thief.get())
    desk.pass_(hours=11)
    await browser.press(await browser.get())
    assert "Sign in" in text_of(await thief.get())


async def test_a_session_lasts_a_working_day(desk: Office) -> None:
    browser = await desk.come_in(REQUESTER)
    desk.now += LONGEST_SESSION
    assert "Sign in" in text_of(await browser.get())


async def test_the_cookie_is_for_the_desk_alone_and_no_script_reads_it(desk: Office) -> None:
    browser = desk.browser()
    await desk.ask(browser, REQUESTER)
    answer = await browser.press(await browser.get(desk.link()))
    [cookie] = [header for header in answer.headers.get_list("set-cookie") if header.startswith(COOKIE)]
    assert {"HttpOnly", "Secure", "SameSite=lax", "Path=/people/desk"} <= set(cookie.split("; "))


async def test_a_form_from_elsewhere_changes_nothing(desk: Office) -> None:
    browser = desk.browser()
    action, form = form_of((await browser.get()).text)
    foreign = await browser.http.post(
        action, data=form | {"who": REQUESTER}, headers={"origin": "https://evil.example"}
    )
    made_up = await browser.post(action, {"token": "x.y", "who": REQUESTER})
    assert (foreign.status_code, made_up.status_code, desk.orders) == (403, 403, [])


async def test_a_form_that_does_not_arrive_whole_is_said_to(desk: Office) -> None:
    browser = desk.browser()
    action, form = form_of((await browser.get()).text)
    answer = await browser.post(action, form | {"who": "x" * 2 * LONGEST})
    assert (answer.status_code, desk.orders) == (400, [])
    assert "What you sent did not arrive whole. Nothing was changed." in text_of(answer)


async def test_the_pages_speak_the_language_of_whoever_reads_them(desk: Office) -> None:
    browser = await desk.come_in(DUTCH)
    assert 'lang="nl"' in (await browser.get()).text
    assert 'lang="fr"' in (await desk.browser().get(**{"accept-language": "fr"})).text


def _way(desk: Office, number: int) -> SignInLink:
    return SignInLink.from_order(desk.orders[number])


def _altered(text: str, index: int) -> str:
    changed = "A" if text[index] != "A" else "B"
    return text[:index] + changed + (text[index + 1 :] if index != -1 else "")


async def test_of_ten_times_as_many_sessions_of_one_person_the_newest_last(desk: Office) -> None:
    person = await desk.sign_in._directory.present(REQUESTER)
    sessions = []
    for _ in range(10 * SESSIONS_AT_MOST):
        desk.pass_(seconds=1)
        sessions.append(await desk.sign_in.admit(person))
    assert await desk.store.desk_sessions.count(REQUESTER) == SESSIONS_AT_MOST
    assert await desk.sign_in.person_of(sessions[-SESSIONS_AT_MOST - 1]) is None
    assert (await desk.sign_in.person_of(sessions[-SESSIONS_AT_MOST])).id == REQUESTER
    assert await desk.store.desk_sessions.drop(desk.now + LONGEST_SESSION) == SESSIONS_AT_MOST
