"""What a page costs: nobody's look at it calls the provider, and who asks too often waits."""

import asyncio
from collections.abc import AsyncIterator, Iterator
from contextlib import ExitStack, contextmanager
from datetime import timedelta
from pathlib import Path

import pytest
from temporalio.client import Client
from temporalio.contrib.pydantic import pydantic_data_converter

from activities.notifications.links import LINK_DAYS_AT_MOST, LinkUse
from activities.records.cover_sheet import CoverSheet
from activities.records.store import Store
from starter.web.http.allowances import LOOKS_OF_A_LINK, PRESSES_OF_A_LINK, PRESSES_OF_AN_ADDRESS
from starter.web.screens.view_reader import FRESH_SECONDS, ViewReader
from tests.starter.web.paging import CHAIR, DOCUMENT, DUTCH, FIRST, REQUEST, SECOND, Phone, form_of, phone, text_of
from tests.storage import take_table_away
from workflows.model.signature import Document, SignatureBrief, SignerState
from workflows.model.subject import Participant, Role, Status
from workflows.model.views import RequestShow, SignerLine


@pytest.fixture
async def signer(tmp_path: Path) -> AsyncIterator[Phone]:
    async with phone(tmp_path) as opened_phone:
        await opened_phone.create()
        first = SignerLine(person=FIRST, order=1, role=Role.SIGN, state=SignerState.TURN)
        opened_phone.views[REQUEST] = RequestShow(
            id=REQUEST, kind="nda", document=DOCUMENT, status=Status.SENT, signers=(first,)
        )
        yield opened_phone


def provider_calls(signer: Phone) -> int:
    return len([entry for entry in signer.entries("request") if "/oauth2/" not in entry["path"]])


@pytest.mark.long
async def test_100_looks_are_a_handful_of_queries_and_no_call_of_the_provider(signer: Phone) -> None:
    calls_before = provider_calls(signer)
    answers = []
    for _ in range(10):
        answers += await asyncio.gather(*(signer.browser.get(signer.link()) for _ in range(10)))
        signer.watch.now += LOOKS_OF_A_LINK.full_after
    assert [answer.status_code for answer in answers] == [200] * 100
    assert all(DOCUMENT.split(" <")[0] in answer.text and form_of(answer.text) for answer in answers)
    assert (provider_calls(signer), len(signer.looks)) == (calls_before, 10)


async def test_while_temporal_is_down_there_are_document_and_button(tmp_path: Path) -> None:
    store = Store((tmp_path / "store").as_uri())
    signers = tuple(Participant(person=person, order=order) for order, person in enumerate((FIRST, SECOND), start=1))
    await CoverSheet.keep(
        store,
        SignatureBrief(id=REQUEST, kind="nda", title=DOCUMENT, document=Document(), requester=CHAIR, people=signers),
    )
    nobody = await Client.connect("127.0.0.1:1", lazy=True, data_converter=pydantic_data_converter)
    async with phone(tmp_path, asking=ViewReader(nobody, store)) as signer:
        await signer.create()
        page = await signer.open(signer.link())
        assert (page.status_code, "Read and sign" in text_of(page.text)) == (200, True)
        assert DOCUMENT in text_of(page.text)
        pressed = await signer.press(signer.link())
        assert pressed.headers["location"].startswith(f"{signer.sandbox.url}/sign/")
        text = text_of((await signer.open(signer.link(CHAIR, LinkUse.VIEW))).text)
        assert DOCUMENT in text and "Where it stands is not known" in text and "not asked yet" not in text


async def test_a_page_is_as_old_as_five_seconds_and_no_older(signer: Phone) -> None:
    await signer.open(signer.link())
    signer.views[REQUEST] = signer.views[REQUEST].replace(status=Status.SIGNED)
    signer.watch.now += FRESH_SECONDS - 0.1
    assert (await signer.browser.get(signer.link())).status_code == 200
    signer.watch.now += 0.1
    assert (await signer.browser.get(signer.link())).status_code == 410


async def test_whoever_has_pressed_their_button_sees_what_that_did_at_once(signer: Phone) -> None:
    await signer.press(signer.link())
    signer.views[REQUEST] = signer.views[REQUEST].replace(status=Status.SIGNED)
    assert (await signer.browser.get(signer.link())).status_code == 410


async def test_what_they_pressed_at_one_web_process_is_seen_at_the_other(signer: Phone, tmp_path: Path) -> None:
    async with phone(tmp_path, asking=signer.look) as other_site:
        assert (await other_site.browser.get(signer.link())).status_code == 200
        assert (await other_site.browser.get(signer.link())).status_code == 200
        assert len(signer.looks) == 1
        await signer.press(signer.link())
        signer.views[REQUEST] = signer.views[REQUEST].replace(status=Status.SIGNED)
        assert (await other_site.browser.get(signer.link())).status_code == 410
        with take_table_away(other_site.store, "opened"):
            assert (await other_site.browser.get(signer.link())).status_code == 410


async def test_while_temporal_and_the_database_are_away_the_button_opens_the_signing_page(tmp_path: Path) -> None:
    nobody = await Client.connect("127.0.0.1:1", lazy=True, data_converter=pydantic_data_converter)
    reader = ViewReader(nobody, Store((tmp_path / "store").as_uri()))
    async with phone(tmp_path, asking=reader) as signer:
        await signer.create(("customer@acme.test", 1), ("ceo@example.test", 1))
        fields = form_of((await signer.open(signer.link())).text)
        with without_tables(signer.store):
            assert (await signer.post(signer.link(), fields)).headers["location"] == await find_signing_page(signer, 0)
            answer = await signer.press(signer.link(SECOND))
            assert answer.headers["location"] == await find_signing_page(signer, 1)
            unknown = await signer.press(signer.link(CHAIR, order=1))
            assert (unknown.status_code, "Please try again in a minute" in text_of(unknown.text)) == (503, True)


async def test_without_the_database_a_signer_whose_address_has_changed_is_known_by_their_place(signer: Phone) -> None:
    assert signer.views.pop(REQUEST)
    with without_tables(signer.store):
        answer = await signer.press(signer.link(CHAIR, order=1))
        assert answer.headers["location"] == await find_signing_page(signer, 0)


async def test_without_temporal_and_the_database_a_link_ends_with_its_request(signer: Phone) -> None:
    assert signer.views.pop(REQUEST)
    fields = form_of((await signer.open(signer.link())).text)
    await signer.cancel()
    with without_tables(signer.store):
        answer = await signer.post(signer.link(), fields)
        assert (answer.status_code, "location" in answer.headers) == (410, False)


async def test_a_link_ends_ninety_days_after_its_notice(signer: Phone) -> None:
    signer.watch.now += timedelta(days=LINK_DAYS_AT_MOST).total_seconds()
    fields = form_of((await signer.open(signer.link())).text)
    assert (await signer.post(signer.link(), fields)).status_code == 303
    signer.watch.now += timedelta(days=1).total_seconds()
    for answer in (await signer.open(signer.link()), await signer.post(signer.link(), fields)):
        assert (answer.status_code, form_of(answer.text)) == (410, {})
        assert "Please open the page from the latest notice that you got." in text_of(answer.text)


@contextmanager
def without_tables(store: Store) -> Iterator[None]:
    """Without the tables that a page may read."""
    tables = ("allowances", "opened", "people_asked", "follow_ups", "records", "one_use", "serials")
    with ExitStack() as stack:
        for table in tables:
            stack.enter_context(take_table_away(store, table))
        yield


async def find_signing_page(signer: Phone, position: int) -> str:
    """The signing page at Core Signature."""
    return f"{signer.sandbox.url}/sign/{(await signer.signers())[position]['uuid']}"


async def test_who_opens_a_link_without_end_waits_and_nobody_else_does(signer: Phone) -> None:
    answers = [await signer.browser.get(signer.link()) for _ in range(LOOKS_OF_A_LINK.burst + 10)]
    assert [answer.status_code for answer in answers] == [200] * LOOKS_OF_A_LINK.burst + [429] * 10
    assert "Too many requests in a short time." in text_of(answers[-1].text)
    assert answers[-1].headers["retry-after"] == "2"
    assert (await signer.browser.get(signer.link(SECOND))).status_code != 429
    signer.watch.now += 2
    assert (await signer.browser.get(signer.link())).status_code == 200


@pytest.mark.long
async def test_the_button_of_one_link_cannot_use_up_the_tenant_s_rate(signer: Phone) -> None:
    fields = form_of((await signer.open(signer.link())).text)
    calls_before = provider_calls(signer)
    answers = await asyncio.gather(*(signer.post(signer.link(), fields) for _ in range(10 * PRESSES_OF_A_LINK.burst)))
    assert sorted({answer.status_code for answer in answers}) == [303, 429]
    assert provider_calls(signer) - calls_before == PRESSES_OF_A_LINK.burst
    signer.watch.now += 60
    await asyncio.gather(*(signer.post(signer.link(), fields) for _ in range(10 * PRESSES_OF_A_LINK.burst)))
    assert provider_calls(signer) - calls_before == 2 * PRESSES_OF_A_LINK.burst


async def test_one_address_waits_whatever_it_opens_in_the_reader_s_language(signer: Phone) -> None:
    for number in range(PRESSES_OF_AN_ADDRESS.burst):
        assert (await signer.browser.post(f"/open/{number}")).status_code == 404
    answer = await signer.browser.post(signer.link(), headers={"accept-language": "nl"})
    assert (answer.status_code, answer.headers["retry-after"]) == (429, "1")
    assert "Te veel verzoeken in korte tijd." in text_of(answer.text)


async def test_a_link_that_is_used_too_often_says_so_in_the_language_of_its_person(signer: Phone) -> None:
    for _ in range(LOOKS_OF_A_LINK.burst):
        await signer.browser.get(signer.link(DUTCH))
    assert "Te veel verzoeken in korte tijd." in text_of((await signer.browser.get(signer.link(DUTCH))).text)


async def test_whom_a_proxy_calls_for_is_believed_of_listed_ones_alone(tmp_path: Path) -> None:
    for proxies, answer in ((("127.0.0.0/8",), 404), ((), 429)):
        async with phone(tmp_path, proxies) as signer:
            for number in range(PRESSES_OF_AN_ADDRESS.burst + 1):
                caller = {"x-forwarded-for": f"203.0.113.{number % 2}"}
                last = await signer.browser.post("/open/x", headers=caller)
            assert last.status_code == answer
