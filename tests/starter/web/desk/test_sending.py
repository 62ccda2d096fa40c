"""What is sent from the desk: once, whoever presses how often, and by the one start path."""

import asyncio
import re
from pathlib import Path

import httpx
import pytest
from temporalio.client import Client
from temporalio.contrib.pydantic import pydantic_data_converter

from activities.records.drafts import Draft
from activities.records.schema import DRAFTS
from starter.temporal.connection import Context
from tests.starter.web.desk.drafting import PDF, continue_draft, send_form
from tests.starter.web.desk.office import OWNER, REQUESTER, Browser, Office, office, text_of
from workflows import names
from workflows.kinds import Kind

pytestmark = pytest.mark.real_server

AN_OFFER = ("offer.pdf", PDF, "application/pdf")


async def open_plan(browser: Browser, name: str = "An offer") -> httpx.Response:
    """The last page of a request that is ready to be sent."""
    fields = {"kind": "sales-contract", "document.name": name}
    page = await continue_draft(browser, await browser.get("/desk/new/request"), "next", fields, AN_OFFER)
    page = await continue_draft(browser, await continue_draft(browser, page, "add:chair"))
    page = await continue_draft(browser, page)
    return await continue_draft(browser, page, fields={"message": "Before the kick-off, please."})


async def read_draft(desk: Office, context: Context, author: str = REQUESTER) -> Draft:
    [draft] = await context.store.drafts.list_drafts(author)
    return draft


async def test_two_presses_in_two_windows_send_one_request_and_both_see_it(tmp_path: Path, context: Context) -> None:
    async with office(tmp_path, context=context) as desk:
        ada = await desk.come_in(REQUESTER)
        page = await open_plan(ada)
        draft = await read_draft(desk, context)
        answers = await asyncio.gather(*(send_form(ada, page, "send") for _ in range(4)))
        request = f"sales-contract-{draft.id}"
        assert {answer.headers["location"] for answer in answers} == {f"/people/desk/requests/{request}?done=sent"}
        handle = context.client.get_workflow_handle(Kind.REQUEST.workflow_id(request))
        description = await handle.describe()
        assert description.run_id and await description.memo_value("document") == "An offer"
        assert await context.store.drafts.list_drafts(REQUESTER) == ()
        repeated_answer = await ada.get(page.url.path)
        assert repeated_answer.headers["location"] == f"/people/desk/requests/{request}?done=sent"


@pytest.mark.long
async def test_two_people_who_press_send_at_once_have_a_request_each(tmp_path: Path, context: Context) -> None:
    async with office(tmp_path, context=context) as desk:
        ada, bob = await desk.come_in(REQUESTER), await desk.come_in(OWNER)
        pages = [await open_plan(browser) for browser in (ada, bob)]
        answers = await asyncio.gather(send_form(ada, pages[0], "send"), send_form(bob, pages[1], "send"))
        matches = [re.search(r"requests/([a-z0-9-]+)\?done=sent", answer.headers["location"]) for answer in answers]
        ids = [match[1] for match in matches if match]
        assert len(set(ids)) == 2
        for id, person in zip(ids, (REQUESTER, OWNER), strict=True):
            handle = context.client.get_workflow_handle(Kind.REQUEST.workflow_id(id))
            assert (await handle.describe()).typed_search_attributes[names.REQUESTER] == person


@pytest.mark.long
async def test_what_died_between_start_and_mark_is_sent_again_as_the_same_request(
    tmp_path: Path, context: Context
) -> None:
    async with office(tmp_path, context=context) as desk:
        ada = await desk.come_in(REQUESTER)
        page = await open_plan(ada)
        draft_before = await context.store.drafts.read((await read_draft(desk, context)).id, REQUESTER)
        assert draft_before is not None
        first = await send_form(ada, page, "send")
        back = {"started": None, "content": dict(draft_before.content), "version": draft_before.version}
        await context.store.database.change(DRAFTS.update().where(DRAFTS.c.id == draft_before.id).values(**back))
        files = {"offer.pdf": await context.store.drafts.put(PDF)}
        await context.store.drafts.save(draft_before._replace(files=files), desk.now)
        second = await send_form(ada, await ada.get(page.url.path), "send")
        assert second.headers["location"] == first.headers["location"]


@pytest.mark.long
async def test_what_was_changed_in_another_window_is_looked_at_again_before_it_is_sent(
    tmp_path: Path, context: Context
) -> None:
    async with office(tmp_path, context=context) as desk:
        ada = await desk.come_in(REQUESTER)
        page = await open_plan(ada)
        time = await ada.get(page.url.path.replace("/plan", "/time"))
        await continue_draft(ada, time, fields={"message": "Never mind the kick-off."})
        page = await continue_draft(ada, page, "send")
        assert "It was changed in another window meanwhile" in text_of(page)
        assert (await send_form(ada, page, "send")).headers["location"].endswith("?done=sent")


async def test_while_temporal_is_away_nothing_is_lost(tmp_path: Path, context: Context) -> None:
    nowhere = await Client.connect("127.0.0.1:1", lazy=True, data_converter=pydantic_data_converter)
    async with office(tmp_path, context=Context(nowhere, context.store)) as desk:
        ada = await desk.come_in(REQUESTER)
        page = await open_plan(ada)
        answer = await send_form(ada, page, "send")
        assert answer.status_code == 503 and "Nothing is lost" in text_of(answer)
        assert (await read_draft(desk, context)).content["message"] == "Before the kick-off, please."


async def test_a_task_is_sent_to_a_group(tmp_path: Path, context: Context) -> None:
    async with office(tmp_path, context=context) as desk:
        owner = await desk.come_in(OWNER)
        page = await owner.get("/desk/new/task")
        page = await continue_draft(owner, page, fields={"kind": "team-task", "title": "Hand out the keys"})
        page = await continue_draft(owner, await continue_draft(owner, page, "group:all-staff"))
        answer = await send_form(owner, page, "send")
        match = re.search(r"tasks/(team-task-[0-9a-f]{12})\?done=sent", answer.headers["location"])
        assert match and await context.client.get_workflow_handle(Kind.TASK.workflow_id(match[1])).describe()


async def test_the_first_page_says_in_numbers_what_waits_and_offers_what_one_may_begin(
    tmp_path: Path, context: Context
) -> None:
    async with office(tmp_path, context=context) as desk:
        ada = await desk.come_in(REQUESTER)
        await send_form(ada, await ada.get("/desk/new/task"), "save", {"title": "Hand <b>out</b> the keys"})
        text = text_of(page := await ada.get("/desk"))
        for phrase in (
            "At a glance",
            "New request",
            "New task",
            "0 Waiting for you",
            "0 Waiting for others",
            "1 draft",
        ):
            assert phrase in text, phrase
        assert 'class="bar"' not in page.text and "Late" not in text
        assert "Hand &lt;b&gt;out&lt;/b&gt; the keys" in page.text
        stranger = await desk.come_in("chair")
        text = text_of(await stranger.get("/desk"))
        assert "At a glance" in text and "New request" not in text
        assert "At a glance" not in text_of(await ada.get("/desk/asked"))
