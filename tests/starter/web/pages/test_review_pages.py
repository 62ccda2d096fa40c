"""The page of a reviewer, who approves or asks for changes, and of the requester, who gives a new version."""

import re
from collections.abc import AsyncIterator, Iterator
from datetime import timedelta
from html import unescape
from pathlib import Path
from typing import Any

import httpx
import pytest

from activities.documents.files import DOCUMENTS
from activities.notifications.links import LinkUse
from activities.records.cover_sheet import CoverSheet
from starter.web.acting.actions import Action
from tests.starter.web.paging import CHAIR, DOCUMENT, FIRST, NOW, REQUEST, SECOND, Phone, option_of, phone, text_of
from workflows.model.commands import Question, ReviewAnswer, Revision, Take
from workflows.model.signature import Document, DocumentVersion, SignatureBrief, SignerState
from workflows.model.subject import Role, Status
from workflows.model.views import Choices, RequestShow, ReviewLine, SignerLine, WaitingFor

REQUESTER = "legal-desk"
PDF = b"%PDF-1.7\n% the second version\n"
OF_PAGE = {"origin": "null", "sec-fetch-site": "same-origin"}


@pytest.fixture
async def reviewer(tmp_path: Path) -> AsyncIterator[Phone]:
    async with phone(tmp_path) as opened_phone:
        yield opened_phone


def line(
    person: str, state: SignerState, round: int = 1, reason: str | None = None, role: Role = Role.REVIEW
) -> ReviewLine:
    return ReviewLine(person=person, order=1, role=role, state=state, at=NOW, reason=reason, round=round)


def in_review(*reviews: ReviewLine, sha256: str = "ab" * 32, **changes: Any) -> RequestShow:
    rounds = max(review.round for review in reviews)
    waiting = [review.person for review in reviews if review.state is SignerState.TURN]
    view = RequestShow(
        id=REQUEST,
        kind="customer-contract",
        document=DOCUMENT,
        requester=REQUESTER,
        status=Status.REVIEW,
        due_at=NOW + timedelta(days=2),
        says="Waiting for it",
        signers=(SignerLine(person=FIRST, order=1, role=Role.SIGN, state=SignerState.WAITING),),
        versions=tuple(
            DocumentVersion(number=number, sha256=sha256, size=9, at=NOW, by=REQUESTER)
            for number in range(1, rounds + 1)
        ),
        reviews=reviews,
        waiting_for=tuple(WaitingFor(person=person, since=NOW) for person in waiting),
        choices=tuple(
            Choices(person=person, snoozes_left=0, snooze_until=None, hand_over=False, ask=True) for person in waiting
        ),
    )
    return view.replace(**changes)


async def test_a_reviewer_reads_the_document_and_approves_it(reviewer: Phone) -> None:
    sha256 = await reviewer.store.files.put(PDF, DOCUMENTS)
    reviewer.views[REQUEST] = in_review(line(CHAIR, SignerState.TURN), sha256=sha256)
    link = reviewer.link(CHAIR, LinkUse.REVIEW)
    page = await reviewer.open(link)
    text = text_of(page.text)
    assert "A document is ready to review" in text
    assert DOCUMENT in text and "Read the document" in text and "Ask for changes" in text and "Ask a question" in text
    read = await reviewer.open(f"{link}/version")
    assert (read.content, read.headers["content-type"]) == (PDF, "application/pdf")
    assert "sandbox" in read.headers["content-security-policy"]
    assert read.headers["content-disposition"] == f'attachment; filename="{REQUEST}-version-1.pdf"'
    answer = await reviewer.post(link, option_of(page.text, Action.APPROVE))
    assert answer.status_code == 303
    [(command, _)] = reviewer.recorder.commands
    assert command == ReviewAnswer(actor=CHAIR, approve=True, version=1)


async def test_changes_need_words_and_a_question_goes_as_ever(reviewer: Phone) -> None:
    reviewer.views[REQUEST] = in_review(line(CHAIR, SignerState.TURN))
    link = reviewer.link(CHAIR, LinkUse.REVIEW)
    await reviewer.post_option(link, Action.CHANGES, text="Clause 3 is wrong.")
    await reviewer.post_option(link, Action.ASK, text="Which law?")
    assert [command for command, _ in reviewer.recorder.commands] == [
        ReviewAnswer(actor=CHAIR, changes="Clause 3 is wrong.", version=1),
        Question(person=CHAIR, text="Which law?"),
    ]


async def test_in_the_next_round_they_see_what_was_to_be_changed(reviewer: Phone) -> None:
    reviews = (line(CHAIR, SignerState.CHANGES, reason="Clause 3"), line(CHAIR, SignerState.TURN, round=2))
    reviewer.views[REQUEST] = in_review(*reviews)
    text = text_of((await reviewer.open(reviewer.link(CHAIR, LinkUse.REVIEW))).text)
    assert "Read the document, version 2" in text
    assert "A new version is ready to review" in text
    assert "This was to be changed in the version before: Clause 3" in text


async def test_a_new_version_shows_its_reviewer_what_has_changed(reviewer: Phone) -> None:
    revision = line(REQUESTER, SignerState.REVISED, reason="The term is two years now.", role=Role.REVISE)
    reviews = (line(CHAIR, SignerState.CHANGES, reason="Clause 3"), revision, line(CHAIR, SignerState.TURN, round=2))
    reviewer.views[REQUEST] = in_review(*reviews)
    text = text_of((await reviewer.open(reviewer.link(CHAIR, LinkUse.REVIEW))).text)
    assert "in the words of whoever asked for it: The term is two years now." in text


async def test_reading_is_louder_than_approving_and_giving_a_version_than_reading(reviewer: Phone) -> None:
    reviewer.views[REQUEST] = in_review(line(CHAIR, SignerState.TURN))
    page = (await reviewer.open(reviewer.link(CHAIR, LinkUse.REVIEW))).text
    assert re.search(r'<a class="again" href="[^"]*/version">', page)
    assert '<button class="quiet" name="act" value="approve"' in page
    changes = line(CHAIR, SignerState.CHANGES, reason="Clause 3")
    reviewer.views[REQUEST] = in_review(changes, line(REQUESTER, SignerState.TURN, role=Role.REVISE))
    page = (await reviewer.open(reviewer.link(REQUESTER, LinkUse.REVIEW))).text
    assert re.search(r'<a class="again calm" href="[^"]*/version">', page)
    assert '<button name="act" value="revise"' in page


async def test_the_requester_sees_the_signers_while_it_is_in_review(reviewer: Phone) -> None:
    reviewer.views[REQUEST] = in_review(line(CHAIR, SignerState.TURN))
    for person, sees_signers in ((REQUESTER, True), (SECOND, False)):
        text = text_of((await reviewer.open(reviewer.link(person, LinkUse.VIEW))).text)
        assert ("Signers Customer" in text) is sees_signers


async def test_a_reviewer_sees_the_first_page_of_the_version_to_review(tmp_path: Path) -> None:
    pdf = (Path(__file__).parents[4] / "deploy" / "examples" / "msa.pdf").read_bytes()
    async with phone(tmp_path, drawing=True) as opened_phone:
        sha256 = await opened_phone.store.files.put(pdf)
        document = Document(sha256="cd" * 32)
        brief = SignatureBrief(id=REQUEST, kind="nda", title="MSA", document=document, requester="desk", people=())
        await CoverSheet.keep(opened_phone.store, brief)
        opened_phone.views[REQUEST] = in_review(line(CHAIR, SignerState.TURN), sha256=sha256)
        link = opened_phone.link(CHAIR, LinkUse.REVIEW)
        assert 'class="first-page"' in (await opened_phone.open(link)).text
        assert (await opened_phone.open(f"{link}/first-page")).content.startswith(b"\x89PNG")


@pytest.mark.parametrize(
    ("reviews", "status", "sentence"),
    [
        ((line(CHAIR, SignerState.APPROVED),), Status.REVIEW, "It is sent once its reviewers have approved it."),
        ((line(CHAIR, SignerState.APPROVED),), Status.SENT, "It was approved for sending."),
        ((line(CHAIR, SignerState.CHANGES, reason="No."),), Status.REVIEW, "You have asked for changes"),
        ((line(CHAIR, SignerState.SPARED),), Status.REVIEW, "You need not review this any more"),
        ((line(CHAIR, SignerState.EXEMPT),), Status.REVIEW, "You need not review this any more"),
        ((line(CHAIR, SignerState.REVISED, role=Role.REVISE),), Status.REVIEW, "You have given a new version"),
        ((line(CHAIR, SignerState.WAITING),), Status.REVIEW, "Somebody else reviews it first."),
        ((line(CHAIR, SignerState.REASSIGNED),), Status.REVIEW, "It was handed over"),
        ((line(SECOND, SignerState.TURN),), Status.REVIEW, "You are not among the reviewers"),
        (
            (line(CHAIR, SignerState.CHANGES, reason="No."),),
            Status.DECLINED,
            "reviewers have asked for changes too often",
        ),
        ((line(CHAIR, SignerState.TURN),), Status.EXPIRED, "It was not approved in time."),
    ],
)
async def test_whoever_has_nothing_to_do_is_told_why(
    reviewer: Phone, reviews: tuple[ReviewLine, ...], status: Status, sentence: str
) -> None:
    reviewer.views[REQUEST] = in_review(*reviews, status=status, waiting_for=(), choices=())
    page = await reviewer.open(reviewer.link(CHAIR, LinkUse.REVIEW))
    assert sentence in text_of(page.text)
    assert not option_of(page.text, Action.APPROVE)


async def test_only_reviewers_and_the_requester_read_a_version(reviewer: Phone) -> None:
    sha256 = await reviewer.store.files.put(PDF, DOCUMENTS)
    reviewer.views[REQUEST] = in_review(line(CHAIR, SignerState.TURN), sha256=sha256)
    for person, use, status in (
        (REQUESTER, LinkUse.VIEW, 200),
        (FIRST, LinkUse.SIGN, 404),
        (CHAIR, LinkUse.PREVIEW, 404),
    ):
        assert (await reviewer.open(f"{reviewer.link(person, use)}/version")).status_code == status, person


def _revising() -> RequestShow:
    changes = line(CHAIR, SignerState.CHANGES, reason="Clause 3 is wrong.")
    return in_review(changes, line(REQUESTER, SignerState.TURN, role=Role.REVISE))


async def send(reviewer: Phone, link: str, content: bytes, name: str = "msa 2.pdf", **headers: str) -> httpx.Response:
    page = await reviewer.open(link)
    token = unescape(re.findall(r'name="token" value="([^"]*)"', page.text)[0])
    files = {"version": (name, content, "application/pdf")}
    return await reviewer.browser.post(link, data={"token": token}, files=files, headers=OF_PAGE | headers)


async def test_the_requester_gives_a_new_version_once_however_often_it_is_sent(reviewer: Phone) -> None:
    reviewer.views[REQUEST] = _revising()
    link = reviewer.link(REQUESTER, LinkUse.REVIEW)
    page = await reviewer.open(link)
    assert "Clause 3 is wrong." in text_of(page.text)
    assert 'type="file"' in page.text and 'enctype="multipart/form-data"' in page.text
    assert (await send(reviewer, link, PDF)).status_code == 303
    [(command, op)] = reviewer.recorder.commands
    assert isinstance(command, Revision)
    assert (command.actor, command.size, command.file_name) == (REQUESTER, len(PDF), "msa 2.pdf")
    assert await reviewer.store.files.read(command.sha256) == PDF
    assert op


async def test_anybody_of_a_group_that_asks_gives_the_new_version(reviewer: Phone) -> None:
    text = reviewer.people.read_text()
    reviewer.people.write_text(text.replace("id: legal-desk,", "id: legal-desk, groups: [sales],"))
    changes = line(CHAIR, SignerState.CHANGES, reason="Clause 3 is wrong.")
    view = in_review(changes, line("group:sales", SignerState.TURN, role=Role.REVISE))
    reviewer.views[REQUEST] = view.replace(requester="group:sales")
    assert (await send(reviewer, reviewer.link(REQUESTER, LinkUse.REVIEW), PDF)).status_code == 303
    [(command, _)] = reviewer.recorder.commands
    assert command.sender == REQUESTER
    await reviewer.post_option(reviewer.link(REQUESTER, LinkUse.REVIEW), Action.TAKE)
    assert reviewer.recorder.commands[1][0] == Take(actor=REQUESTER, person=REQUESTER)
    assert 'type="file"' not in (await reviewer.open(reviewer.link(FIRST, LinkUse.REVIEW))).text


@pytest.mark.parametrize(
    "content", [b"", b"no PDF", b"%PDF-1.7\ntrailer << /Encrypt 5 0 R >>", b"%PDF-" + bytes(1024 * 1024)]
)
async def test_a_version_that_cannot_be_sent_is_refused_in_words(reviewer: Phone, content: bytes) -> None:
    reviewer.views[REQUEST] = _revising()
    answer = await send(reviewer, reviewer.link(REQUESTER, LinkUse.REVIEW), content)
    assert answer.status_code == 409
    assert "it is no PDF that can be sent" in text_of(answer.text)
    assert not reviewer.recorder.commands


async def test_a_version_of_a_stranger_or_too_large_a_body_changes_nothing(reviewer: Phone) -> None:
    reviewer.views[REQUEST] = _revising()
    link = reviewer.link(REQUESTER, LinkUse.REVIEW)
    assert (await send(reviewer, link, PDF, origin="https://elsewhere.example")).status_code == 403
    assert (await send(reviewer, link, b"%PDF-" + bytes(2 * 1024 * 1024))).status_code == 400
    own_link = reviewer.link(CHAIR, LinkUse.REVIEW)
    reviewer.views[REQUEST] = in_review(line(CHAIR, SignerState.APPROVED), line(SECOND, SignerState.TURN))
    page = (await reviewer.open(link)).text
    assert 'type="file"' not in page
    token = next(_tokens((await reviewer.open(own_link)).text), "")
    files = {"version": ("a.pdf", PDF, "application/pdf")}
    answer = await reviewer.browser.post(own_link, data={"token": token}, files=files, headers=OF_PAGE)
    assert answer.status_code in (403, 409)
    assert not reviewer.recorder.commands


def _tokens(page: str) -> Iterator[str]:
    return map(unescape, re.findall(r'name="token" value="([^"]*)"', page))
