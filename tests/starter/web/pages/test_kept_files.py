"""The signed document behind a link: for whom it is there, once it is kept and until it is erased."""

import hashlib
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from activities.documents.files import SIGNED
from activities.notifications.links import LinkUse
from activities.people.language import LANGUAGES
from activities.records.downloads import Way
from activities.records.evidence import SignedDocument, SignedFile
from starter.web.http.allowances import LOOKS_OF_A_LINK
from tests.starter.web.pages.test_pages import REQUESTER, make_view
from tests.starter.web.paging import CHAIR, DUTCH, FIRST, NOW, REQUEST, SECOND, Phone, phone, text_of
from tests.storage import count, take_table_away
from workflows.kinds import Kind
from workflows.model.evidence import KeptFile
from workflows.model.notifications import Notification
from workflows.model.signature import SignerState
from workflows.model.subject import Role, Status
from workflows.model.views import RequestShow, SignerLine

PDF, LOG = b"%PDF-1.7 signed " * 5_000, b"%PDF-1.7 log"
MSA = Kind.REQUEST.workflow_id(REQUEST)
FORMER = "customer-deputy"
TOLD = Notification(key="k", stage="settled", person=DUTCH, at=NOW)


@pytest.fixture
async def signer(tmp_path: Path) -> AsyncIterator[Phone]:
    async with phone(tmp_path) as opened_phone:
        await opened_phone.create()
        for content in (PDF, LOG):
            await opened_phone.store.files.put(content, SIGNED)
        await opened_phone.store.evidence.keep_signed(MSA, SignedDocument(_stored(PDF), _stored(LOG)), NOW)
        opened_phone.views[REQUEST] = make_ended_view()
        yield opened_phone


def _stored(content: bytes) -> SignedFile:
    return SignedFile(hashlib.sha256(content).hexdigest(), len(content))


def make_ended_view(status: Status = Status.SIGNED, **changes: Any) -> RequestShow:
    first, second = make_view(SignerState.SIGNED).signers
    former = SignerLine(person=FORMER, order=1, role=Role.SIGN, state=SignerState.REASSIGNED)
    last = SignerState.SIGNED if status is Status.SIGNED else SignerState.DECLINED
    view = make_view(
        status=status,
        requester=REQUESTER,
        due_at=None,
        signers=(former, first, second.replace(state=last)),
        notifications=(TOLD,),
        signed_document=KeptFile(**_stored(PDF)._asdict()),
        signing_log=KeptFile(**_stored(LOG)._asdict()),
    )
    return view.replace(**changes)


@pytest.mark.parametrize(
    ("person", "use"),
    [
        (FIRST, LinkUse.SIGN),
        (FIRST, LinkUse.VIEW),
        (SECOND, LinkUse.SIGN),
        (REQUESTER, LinkUse.VIEW),
        (DUTCH, LinkUse.VIEW),
    ],
)
async def test_whoever_it_concerns_downloads_both_files(signer: Phone, person: str, use: LinkUse) -> None:
    link = signer.link(person, use)
    page = (await signer.open(link)).text
    for name, content in (("document", PDF), ("signing-log", LOG)):
        assert f'href="{link.rpartition("/")[2]}/{name}"' in page
        answer = await signer.open(f"{link}/{name}")
        assert (answer.status_code, answer.content) == (200, content)
        assert answer.headers["content-disposition"] == f'attachment; filename="{REQUEST}-{name}.pdf"'
    noted = await signer.store.downloads.list_downloads(MSA)
    assert [(download.who, download.file, download.way) for download in noted] == [
        (person, "document", Way.PAGE),
        (person, "signing_log", Way.PAGE),
    ]


@pytest.mark.parametrize(
    ("person", "use"),
    [(FORMER, LinkUse.SIGN), (FORMER, LinkUse.VIEW), (CHAIR, LinkUse.VIEW), (FIRST, LinkUse.PREVIEW)],
)
async def test_who_handed_over_others_and_previews_find_no_file(signer: Phone, person: str, use: LinkUse) -> None:
    link = signer.link(person, use)
    assert "/document" not in (await signer.open(link)).text
    answer = await signer.open(f"{link}/document")
    assert (answer.status_code, "There is nothing to download here" in answer.text) == (404, True)
    assert count(signer.store, "downloads") == 0


async def test_an_operator_who_has_a_link_may_have_it_and_a_manager_of_a_signer_not(signer: Phone) -> None:
    people = signer.people.read_text()
    people = people.replace("Europe/Amsterdam}\n  - {id: legal", "Europe/Amsterdam, manager: chair}\n  - {id: legal")
    people += "  - {id: operator, name: Operator, email: ops@example.test, zone: UTC, groups: [operations]}\n"
    signer.people.write_text(people)
    assert (await signer.open(f"{signer.link('operator', LinkUse.VIEW)}/document")).content == PDF
    assert (await signer.open(f"{signer.link(CHAIR, LinkUse.VIEW)}/document")).status_code == 404


async def test_a_range_is_answered_as_for_targets(signer: Phone) -> None:
    answer = await signer.open(f"{signer.link()}/document", range="bytes=0-15")
    assert (answer.status_code, answer.content) == (206, PDF[:16])


async def test_a_declined_document_is_not_called_signed(signer: Phone) -> None:
    signer.views[REQUEST] = make_ended_view(Status.DECLINED)
    text = text_of((await signer.open(signer.link())).text)
    assert "Download the document" in text
    assert "signed document" not in text


async def test_before_it_is_kept_there_is_nothing_and_of_some_kinds_the_log_alone(signer: Phone) -> None:
    signer.views[REQUEST] = make_ended_view(signed_document=None, signing_log=None)
    assert "/document" not in (await signer.open(signer.link())).text
    assert (await signer.open(f"{signer.link()}/document")).status_code == 404
    signer.views[REQUEST] = make_ended_view(signed_document=None)
    page = (await signer.open(signer.link())).text
    assert ("/signing-log" in page, "/document" in page) == (True, False)


async def test_after_an_erasure_the_page_says_so_and_the_file_is_gone(signer: Phone) -> None:
    for content in (PDF, LOG):
        await signer.store.files.remove(_stored(content).sha256, SIGNED)
    page = await signer.open(signer.link())
    assert "What was kept of this document was erased here." in text_of(page.text)
    assert "/document" not in page.text
    answer = await signer.open(f"{signer.link()}/document")
    assert (answer.status_code, "It was erased" in answer.text) == (410, True)
    assert count(signer.store, "downloads") == 0


async def test_while_the_database_is_away_they_are_asked_to_come_again(signer: Phone) -> None:
    with take_table_away(signer.store, "downloads"):
        assert (await signer.open(f"{signer.link()}/document")).status_code == 503
    assert (await signer.open(f"{signer.link()}/document")).content == PDF


async def test_while_nobody_knows_where_it_stands_they_are_asked_to_come_again(signer: Phone) -> None:
    del signer.views[REQUEST]
    assert (await signer.open(f"{signer.link()}/document")).status_code == 503


async def test_downloads_count_as_looks_of_the_link(signer: Phone) -> None:
    answers = [await signer.browser.get(f"{signer.link()}/signing-log") for _ in range(LOOKS_OF_A_LINK.burst + 1)]
    assert [answer.status_code for answer in answers] == [200] * LOOKS_OF_A_LINK.burst + [429]


async def test_the_buttons_are_in_the_language_of_the_reader(signer: Phone) -> None:
    link, texts = signer.link(DUTCH, LinkUse.VIEW), set()
    people = signer.people.read_text()
    for language in LANGUAGES:
        signer.people.write_text(people.replace("locale: nl", f"locale: {language}"))
        texts.add(text_of((await signer.open(link)).text).partition("PDF")[0])
    assert len(texts) == len(LANGUAGES)
    assert "Ondertekend document downloaden" in " ".join(texts)
