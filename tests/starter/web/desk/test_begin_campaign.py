"""A campaign begun at the desk: its audience from a group or a table, and nothing starts while a row is wrong."""

from collections.abc import AsyncIterator
from pathlib import Path

import httpx
import pytest

from tests.starter.web.desk.drafting import PDF, File, continue_draft, read_draft_form, send_form
from tests.starter.web.desk.office import REQUESTER, Browser, Office, office, text_of

NEW = "/desk/new/campaign"
CONDUCT: File = ("conduct.pdf", PDF, "application/pdf")
EDITION = {
    "kind": "sales-contract",
    "document.name": "Code of conduct",
    "document.version": "2027.1",
    "document.effective": "2027-01-01",
}
HEAD = "person,department\r\n"


@pytest.fixture
async def desk(tmp_path: Path) -> AsyncIterator[Office]:
    async with office(tmp_path) as opened_office:
        yield opened_office


def table(*people: str) -> File:
    return ("staff.csv", (HEAD + "".join(f"{person},it\r\n" for person in people)).encode(), "text/csv")


async def audience_page(browser: Browser) -> httpx.Response:
    return await continue_draft(browser, await browser.get(NEW), fields=EDITION, pdf=CONDUCT)


async def test_a_campaign_of_a_group_shows_who_is_asked_when(desk: Office) -> None:
    legal = await desk.come_in(REQUESTER)
    page = await audience_page(legal)
    page = await send_form(legal, page)
    assert page.status_code == 422
    assert 'id="f-audience-file-e"' in page.text
    page = await continue_draft(legal, page, "group:operations")
    page = await continue_draft(legal, page, fields={"joiners": "1"})
    page = await continue_draft(
        legal, page, fields={"opens": "2026-12-01", "window": "14", "message": "Please read it."}
    )
    text = text_of(page)
    for phrase in (
        "Will be asked 1",
        "of them by email 1",
        "who never acknowledges",
        "everybody",
        "Asked each of them",
        "Due",
    ):
        assert phrase in text, phrase
    [draft] = await desk.store.drafts.list_drafts(REQUESTER)
    assert draft.content["audience"] == {"group": "operations"}
    assert draft.content["joiners"] == {"rule": "add"}
    assert draft.content["window"] == "14d"


async def test_wrong_rows_are_named_by_their_lines_and_hold_the_start_until_they_are_ticked(desk: Office) -> None:
    legal = await desk.come_in(REQUESTER)
    page = await continue_draft(
        legal, await audience_page(legal), table=table("chair", "nobody-here", "engineer", "=1+1")
    )
    page = await continue_draft(legal, page, fields={"window": "14"})
    text = text_of(page)
    assert "Will be asked 2" in text
    assert "line 3 · nobody-here" in text and "line 5" in text
    assert "Start without the 2 wrong rows" in text
    for fields in ({}, {"without": "1"}, {"without": "many"}):
        answer = await send_form(legal, page, "send", fields)
        assert answer.status_code == 422
        assert "Some rows are wrong" in text_of(answer)
    [draft] = await desk.store.drafts.list_drafts(REQUESTER)
    assert draft.started is None
    assert read_draft_form(page).buttons.count("send") == 1


async def test_a_table_has_heads_in_any_case_and_faults_in_plain_words(desk: Office) -> None:
    legal = await desk.come_in(REQUESTER)
    audience = await audience_page(legal)
    assert 'download="people.csv"' in audience.text
    heads, ada = "Full name;E-Mail;Time Zone;PERSON;manager\r\n", "Ada;ada@example.com"
    by_id = ";;;engineer;\r\n;;;chair;No One\r\n;;;nobody-here;\r\n"
    rows = f"{ada};Amsterdam;;\r\n{ada};Zone;;\r\n{by_id}{ada};UTC;chair;\r\n"
    page = await continue_draft(legal, audience, table=("staff.csv", (heads + rows).encode(), "text/csv"))
    text = text_of(await continue_draft(legal, page, fields={"window": "14"}))
    for phrase in (
        "Will be asked 1",
        "zone: A time zone such as Europe/Amsterdam is needed.",
        "This is no id of the directory.",
        "Nobody in the directory has this id.",
        "Either an id, or a name with an address: not both.",
    ):
        assert phrase in text, text


async def test_a_plan_says_what_happens_to_each_group_of_people_also_to_those_not_shown(desk: Office) -> None:
    legal = await desk.come_in(REQUESTER)
    page = await continue_draft(
        legal, await audience_page(legal), table=table("chair", "engineer", "lead", "nobody-here")
    )
    text = text_of(await continue_draft(legal, page, fields={"window": "14"}))
    for phrase in (
        "Will be asked 3",
        "of them by email 3 An email from Core Signature, and again with each reminder.",
        "of them with other working days than shown 1 The same on their own working days",
        "Managers of those who are asked 1",
        "Wrong rows 1 Nobody is asked",
    ):
        assert phrase in text, text


async def test_a_table_that_cannot_be_read_is_refused_at_its_field(desk: Office) -> None:
    legal = await desk.come_in(REQUESTER)
    for content in (b"name\r\nChair\r\n", b"\xff\xfe\x00", b""):
        page = await send_form(legal, await audience_page(legal), table=("staff.csv", content, "text/csv"))
        assert page.status_code == 422, text_of(page)
