"""An onboarding begun at the desk from a template: its customer, the teams and documents it names, its calendar."""

import re
import shutil
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

import starter
from tests.starter.web.desk.drafting import PDF, continue_draft, send_form
from tests.starter.web.desk.office import CATALOGUE, OPERATOR, REQUESTER, Office, office, text_of

NEW = "/desk/new/onboarding"
TEMPLATE = """
stages:
  - name: agreements
    agreements:
      - {kind: customer-contract, document: {file: msa.pdf, name: Master agreement}, signers: [{person: customer}]}
  - name: set-up
    tasks: [{id: account, title: Create the account, team: operations, within: 5d}]
    notices: [{to: customer, text: We begin.}]
"""
ACME = {
    "template": "standard",
    "customer.company": "Acme",
    "customer.name": "Zoë",
    "customer.email": "zoe@acme.test",
    "customer.zone": "Asia/Tokyo",
}


@pytest.fixture
async def desk(tmp_path: Path) -> AsyncIterator[Office]:
    catalogue = tmp_path / "catalogue" / "policies.yaml"
    catalogue.parent.mkdir()
    shutil.copy(CATALOGUE, catalogue)
    (catalogue.parent / "standard.yaml").write_text(TEMPLATE)
    (catalogue.parent / "broken.yaml").write_text("stages: [")
    async with office(tmp_path, catalogue=catalogue) as opened_office:
        yield opened_office


async def test_an_onboarding_asks_for_what_its_template_names_and_shows_its_calendar(desk: Office) -> None:
    legal = await desk.come_in(REQUESTER)
    page = await send_form(legal, await legal.get(NEW), fields={"template": "standard"})
    assert page.status_code == 422
    page = await continue_draft(legal, page, fields=ACME)
    text = text_of(page)
    assert "New onboarding: Acme" in text and "Operations" in text and "Master agreement" in text
    page = await send_form(legal, page, fields={"teams.operations": "nobody-here"})
    assert page.status_code == 422
    page = await continue_draft(
        legal, page, fields={"teams.operations": "operations"}, first=("any.pdf", PDF, "application/pdf")
    )
    text = text_of(page)
    for phrase in ("agreements", "Master agreement", "set-up", "Create the account", "it is done on"):
        assert phrase in text, phrase
    [draft] = await desk.store.drafts.list_drafts(REQUESTER)
    assert draft.content["teams"] == {"operations": "operations"}
    stored_draft = await desk.store.drafts.read(draft.id, REQUESTER)
    assert stored_draft is not None
    assert list(stored_draft.files) == ["msa.pdf"]


async def test_the_template_that_is_shipped_is_begun_as_it_is(desk: Office, tmp_path: Path) -> None:
    shutil.copy(Path(starter.__file__).with_name("onboarding-standard.yaml"), tmp_path / "catalogue")
    legal = await desk.come_in(REQUESTER)
    page = await continue_draft(legal, await legal.get(NEW), fields={**ACME, "template": "onboarding-standard"})
    teams = {"teams.operations": "operations", "teams.customer-success": "operations"}
    page = await continue_draft(legal, page, fields=teams, first=("any.pdf", PDF, "application/pdf"))
    text = text_of(page)
    for phrase in (
        "Services agreement",
        "Create the account",
        "Tell us where the invoices go",
        "Notice to customer success",
    ):
        assert phrase in text, phrase


async def test_the_people_of_a_team_are_found_by_their_names_as_in_a_new_request(desk: Office, tmp_path: Path) -> None:
    legal = await desk.come_in(REQUESTER)
    shutil.copy(Path(starter.__file__).with_name("onboarding-standard.yaml"), tmp_path / "catalogue")
    page = await continue_draft(legal, await legal.get(NEW), fields={**ACME, "template": "onboarding-standard"})
    assert "Customer success" in text_of(page) and "customer-success" not in text_of(page)
    assert page.text.count("data-find=") == 2
    page = await send_form(legal, page, fields={"teams.operations": "desk", "teams.customer-success": "nobody"})
    assert page.status_code == 422
    assert "Several fit: please choose." in text_of(page) and "Nobody is found." in text_of(page)
    page = await continue_draft(legal, page, "add:finance-desk:0", fields={"teams.customer-success": "head of leg"})
    assert "Finance Desk" in text_of(page) and "Head of Legal" in text_of(page)
    page = await continue_draft(legal, page, "remove:1")
    page = await continue_draft(legal, page, "find:1", fields={"teams.customer-success": "ratio"})
    assert "operations 1 person" in text_of(page), "the only group that fits is taken"
    [draft] = await desk.store.drafts.list_drafts(REQUESTER)
    assert draft.content["teams"] == {"operations": "finance-desk", "customer-success": "operations"}


async def test_the_plan_of_an_onboarding_has_days_and_no_minutes(desk: Office) -> None:
    legal = await desk.come_in(REQUESTER)
    page = await continue_draft(legal, await legal.get(NEW), fields=ACME)
    pdf = ("any.pdf", PDF, "application/pdf")
    page = await continue_draft(legal, page, fields={"teams.operations": "operations"}, first=pdf)
    assert "it is done on" in text_of(page)
    assert re.search(r"\d:\d\d", text_of(page)) is None


async def test_what_is_no_pdf_is_refused_at_its_field(desk: Office) -> None:
    legal = await desk.come_in(REQUESTER)
    page = await continue_draft(legal, await legal.get(NEW), fields=ACME)
    page = await send_form(legal, page, first=("msa.pdf", b"text", "application/pdf"))
    assert page.status_code == 422
    assert 'id="f-documents-0-e"' in page.text


async def test_without_a_template_or_the_right_nobody_begins_one(desk: Office, tmp_path: Path) -> None:
    assert (await (await desk.come_in(OPERATOR)).get(NEW)).status_code == 404
    (tmp_path / "catalogue" / "standard.yaml").unlink()
    assert (await (await desk.come_in(REQUESTER)).get(NEW)).status_code == 404
