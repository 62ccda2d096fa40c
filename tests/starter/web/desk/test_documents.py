"""My documents: all that somebody signed, acknowledged or did, open and past, searchable, with its files."""

import json
import re
from collections.abc import AsyncIterator
from datetime import timedelta
from pathlib import Path
from typing import Any, Final

import pytest
import pytest_asyncio

from activities.documents.files import SIGNED
from activities.records.cover_sheet import CoverSheet
from activities.records.ended import ListFilter
from activities.records.evidence import SignedDocument, SignedFile
from activities.records.starts import Start
from starter.queries import lists as pages
from starter.temporal.connection import Context
from tests.faults.town import eventually
from tests.starter.queries.living import desk_at
from tests.starter.queries.test_listing import open_request
from tests.starter.web.desk.office import ENGINEER, NOW, OWNER, REQUESTER, SIGNER, Office, office, text_of
from tests.starter.web.desk.test_requests import make_request_view
from workflows.kinds import Kind
from workflows.model.evidence import KeptFile
from workflows.model.signature import DocumentVersion, SignerState
from workflows.model.subject import Participant, Role, Status
from workflows.model.views import RequestShow, ReviewLine, SignerLine

pytestmark = [pytest.mark.real_server, pytest.mark.asyncio(loop_scope="module")]

PDF: Final = b"%PDF-1.7 the code of conduct"
CONDUCT: Final = "conduct.chair"
OPEN: Final[dict[str, dict[str, Any]]] = {
    "waits": {"person": (SIGNER,), "requester": REQUESTER, "due": NOW + timedelta(days=3)},
    "with-others": {"person": ("customer",), "requester": REQUESTER, "due": NOW + timedelta(days=5)},
    "of-others": {"person": ("customer",), "requester": REQUESTER},
    "telling": {"requester": REQUESTER, "status": Status.SIGNED, "stage": "settled"},
}


def name(id: str) -> str:
    return Kind.REQUEST.workflow_id(id)


async def record_start(context: Context, id: str, title: str, *people: str) -> None:
    parent = "acknowledgement-campaign:conduct" if id == CONDUCT else None
    await context.store.starts.begin(name(id), Start("nda", title, people, REQUESTER, parent, NOW))


async def record_ended_request(context: Context, id: str, title: str, days: int, person: str = SIGNER) -> None:
    await record_start(context, id, title, person)
    signers = [{"person": person, "state": "signed"}]
    show = {"kind": "nda", "document": title, "requester": REQUESTER, "status": "signed", "signers": signers}
    ended_at = (NOW - timedelta(days=days)).isoformat()
    await context.store.records.write(name(id), json.dumps({"show": show, "settled": {"at": ended_at}}).encode())


@pytest_asyncio.fixture(loop_scope="module", scope="module")
async def context(dev_server: str, tmp_path_factory: pytest.TempPathFactory) -> Context:
    desk_context = await desk_at(dev_server, tmp_path_factory.mktemp("documents"))
    await record_start(desk_context, "with-others", "Lease of the annex", SIGNER, "customer")
    await record_start(desk_context, "of-others", "Lease of the hall", "chair-woman", "customer")
    for id, attributes in OPEN.items():
        await open_request(desk_context, id, **attributes)
    for id, title, days in (("telling", "Lease of the tower", 1), ("old", "Lease of the barn", 9)):
        await record_ended_request(desk_context, id, title, days)
    await record_ended_request(desk_context, CONDUCT, "Code of conduct", 2)
    await record_ended_request(desk_context, "not-mine", "Lease of the mill", 3, OWNER)

    async def are_all_visible() -> bool:
        return (await pages.page(desk_context, ListFilter(), now=NOW, size=1)).total == 7

    assert await eventually(are_all_visible)
    return desk_context


@pytest_asyncio.fixture(loop_scope="module")
async def desk(tmp_path: Path, context: Context) -> AsyncIterator[Office]:
    async with office(tmp_path, context=context) as opened_office:
        yield opened_office


def titles(page: str) -> list[str]:
    return re.findall(r'<div class="what">\s*<a [^>]*><bdi>([^<]+)', page)


def make_acknowledged_view(**overrides: Any) -> RequestShow:
    signers = (SignerLine(person=SIGNER, order=1, role=Role.SIGN, state=SignerState.SIGNED, at=NOW),)
    return make_request_view(id=CONDUCT, status=Status.SIGNED, signers=signers, waiting_for=(), next=None, **overrides)


async def test_it_has_what_waits_what_waits_for_others_and_what_is_past(desk: Office) -> None:
    chair = await desk.come_in(SIGNER)
    page = await chair.get("/desk/mine")
    telling_title, *past_titles = ["Lease of the tower", "Code of conduct", "Lease of the barn"]
    assert titles(page.text) == ["The document of waits", "The document of with-others", telling_title, *past_titles]
    assert "5 entries" in text_of(page)
    assert titles((await chair.get("/desk/mine?search=lease")).text) == [
        "The document of with-others",
        telling_title,
        "Lease of the barn",
    ]
    assert titles((await chair.get("/desk/mine?status=signed")).text) == [telling_title, *past_titles]
    assert "nobody else to look for" in text_of(await chair.get("/desk/mine?person=owner"))


async def test_one_cursor_goes_through_all_of_it(context: Context, desk: Office) -> None:
    list_filter, cursor, ids = ListFilter(person=SIGNER, includes_asked=True), None, list[str]()
    for _ in range(5):
        page = await pages.page(context, list_filter, size=1, cursor=cursor, now=NOW)
        ids += [line.id for line in page.lines]
        cursor = page.cursor
    assert ids == ["waits", "with-others", "telling", CONDUCT, "old"]


async def test_whoever_has_nothing_sees_that(desk: Office) -> None:
    engineer = await desk.come_in(ENGINEER)
    assert "There is nothing to show." in text_of(await engineer.get("/desk/mine"))


async def test_a_row_says_what_they_did_and_has_the_signed_document(desk: Office) -> None:
    stored = SignedFile(await desk.store.files.put(PDF, SIGNED), len(PDF))
    await desk.store.evidence.keep_signed(name(CONDUCT), SignedDocument(document=stored), NOW)
    desk.views[name(CONDUCT)] = make_acknowledged_view(signed_document=KeptFile(sha256=stored.sha256, bytes=len(PDF)))
    chair = await desk.come_in(SIGNER)
    page = await chair.get("/desk/mine")
    assert "Your part signed Thu, 26 Nov, 23:00" in text_of(page)
    assert f'href="/people/desk/requests/{CONDUCT}/document"' in page.text


async def test_an_employee_has_the_document_that_they_acknowledged_where_no_signed_one_is_kept(
    desk: Office, context: Context
) -> None:
    sha256 = await desk.store.files.put(PDF)
    signers = (Participant(person=SIGNER, order=1),)
    cover = CoverSheet(kind="nda", document="Code of conduct", requester=REQUESTER, signers=signers, sha256=sha256)
    await context.store.starts.keep_cover(name(CONDUCT), cover.model_dump_json(by_alias=True).encode())
    desk.views[name(CONDUCT)] = make_acknowledged_view()
    chair = await desk.come_in(SIGNER)
    path = f"/desk/mine/{CONDUCT}/sent"
    assert f'href="/people{path}"' in (await chair.get("/desk/mine")).text
    sent = await chair.get(path)
    assert (sent.status_code, sent.content) == (200, PDF)
    for person in (OWNER, REQUESTER):
        assert (await (await desk.come_in(person)).get(path)).status_code == 404
    desk.views[name(CONDUCT)] = make_acknowledged_view().replace(
        signers=(SignerLine(person=SIGNER, order=1, role=Role.SIGN, state=SignerState.TURN),)
    )
    assert (await chair.get(path)).status_code == 404, "who has not signed has nothing of it yet"


async def test_what_somebody_reviewed_is_theirs_too_and_nothing_of_it_was_sent_to_them(
    desk: Office, context: Context
) -> None:
    """The cover sheet, from the start on, has the first version, whatever they have approved since."""
    sha256 = await desk.store.files.put(PDF)
    cover = CoverSheet(kind="nda", document="Lease", requester=REQUESTER, signers=(), sha256=sha256)
    await context.store.starts.keep_cover(name("old"), cover.model_dump_json(by_alias=True).encode())
    reviews = (
        ReviewLine(person=SIGNER, order=1, role=Role.REVIEW, state=SignerState.CHANGES, round=1),
        ReviewLine(person=SIGNER, order=1, role=Role.REVIEW, state=SignerState.APPROVED, at=NOW, round=2),
    )
    versions = tuple(DocumentVersion(sha256="ab" * 32, number=number, at=NOW, by=REQUESTER) for number in (1, 2))
    other_signers = (SignerLine(person="customer", order=1, role=Role.SIGN, state=SignerState.SIGNED),)
    desk.views[name("old")] = make_request_view(
        id="old", signers=other_signers, reviews=reviews, versions=versions, status=Status.SIGNED
    )
    chair = await desk.come_in(SIGNER)
    assert "Your part approved Thu, 26 Nov, 23:00" in text_of(await chair.get("/desk/mine"))
    for status in (Status.REVIEW, Status.SIGNED):
        desk.views[name("old")] = desk.views[name("old")].replace(status=status)
        assert (await chair.get("/desk/mine/old/sent")).status_code == 404


async def test_who_comes_from_a_phone_signs_in_and_lands_there(desk: Office) -> None:
    browser = desk.browser()
    sign_in_page = await browser.get("/desk/mine")
    assert "sign-in?to=mine" in sign_in_page.text
    await browser.press(sign_in_page, who=SIGNER)
    answer = await browser.press(await browser.get(desk.link()))
    assert answer.headers["location"] == "/people/desk/mine"
