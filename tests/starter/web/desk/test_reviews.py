"""A request in review at the desk: its versions with who approved which, and the new version that is given there."""

import re
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.starter.web.desk.office import (
    MANAGER,
    NOW,
    OPERATOR,
    REQUESTER,
    SIGNER,
    Office,
    form_of,
    office,
    public,
    text_of,
)
from tests.starter.web.desk.test_requests import ID, PAGE, make_request_view
from workflows.model.commands import Exemption, Revision
from workflows.model.signature import DocumentVersion, SignerState
from workflows.model.subject import Role, Status
from workflows.model.views import RequestShow, ReviewLine, WaitingFor

PDF = b"%PDF-1.7\n% the second version\n"


def line(person: str, state: SignerState, round: int = 1, role: Role = Role.REVIEW) -> ReviewLine:
    reason = "Clause 3 is wrong." if state is SignerState.CHANGES else None
    return ReviewLine(person=person, order=1, role=role, state=state, at=NOW, reason=reason, round=round)


def in_review(*reviews: ReviewLine) -> RequestShow:
    waiting = tuple(
        WaitingFor(person=review.person, since=NOW) for review in reviews if review.state is SignerState.TURN
    )
    version = DocumentVersion(number=1, sha256="ab" * 32, size=9, at=NOW, by=REQUESTER)
    return make_request_view(status=Status.REVIEW, versions=(version,), reviews=reviews, waiting_for=waiting)


@pytest.fixture
async def desk(tmp_path: Path) -> AsyncIterator[Office]:
    async with office(tmp_path) as opened_office:
        changes = line(SIGNER, SignerState.CHANGES)
        opened_office.views[ID] = in_review(changes, line(REQUESTER, SignerState.TURN, role=Role.REVISE))
        yield opened_office


async def test_who_asked_sees_each_version_and_what_is_to_be_changed(desk: Office) -> None:
    browser = await desk.come_in(REQUESTER)
    page = await browser.get(PAGE)
    text = text_of(page)
    for phrase in ("in review", "Version 1", "Clause 3 is wrong.", "asks for changes"):
        assert phrase in text
    assert re.search(r'<a class="again" href="[^"]*/revise">Give a new version</a>', page.text)
    assert page.text.count("Give a new version") == 1 and "Open the document" not in text
    assert "SHA-256" not in text
    assert "Signers" in text and "Chair" in text.partition("Signers")[2]
    sha256 = await desk.store.files.put(PDF)
    [version] = desk.views[ID].reviewed_versions
    desk.views[ID] = desk.views[ID].replace(versions=(version.replace(sha256=sha256),))
    assert (await browser.get(f"{PAGE}/version/1")).content == PDF
    assert (await browser.get(f"{PAGE}/version/2")).status_code == 404


async def test_a_new_version_is_given_by_its_form_and_a_wrong_one_is_refused(desk: Office) -> None:
    browser = await desk.come_in(REQUESTER)
    asking = await browser.get(f"{PAGE}/revise")
    assert 'enctype="multipart/form-data"' in asking.text
    form = form_of(asking.text)[1]
    for content, status in ((b"no PDF", 409), (PDF, 303)):
        answer = await browser.http.post(
            public(f"{PAGE}/revise"),
            data=form | {"text": "The term is two years now."},
            files={"version": ("msa-2.pdf", content, "application/pdf")},
            headers={"origin": "null", "sec-fetch-site": "same-origin"},
        )
        assert answer.status_code == status
    [(_, command, _)] = desk.commands
    assert isinstance(command, Revision)
    assert (command.actor, command.size, command.file_name) == (REQUESTER, len(PDF), "msa-2.pdf")
    assert command.changes == "The term is two years now."


async def test_a_version_shows_what_has_changed_in_it(desk: Office) -> None:
    revision = line(REQUESTER, SignerState.REVISED, role=Role.REVISE).replace(reason="The term is two years now.")
    view = in_review(line(SIGNER, SignerState.CHANGES), revision, line(SIGNER, SignerState.TURN, round=2))
    [first] = view.versions
    desk.views[ID] = view.replace(versions=(first, first.replace(number=2)))
    text = text_of(await (await desk.come_in(REQUESTER)).get(PAGE))
    assert "Version 2" in text.partition("What has changed The term is two years now.")[0]


async def test_a_reviewer_has_the_way_to_their_page_and_no_form_of_the_owner(desk: Office) -> None:
    desk.views[ID] = in_review(line(SIGNER, SignerState.TURN))
    page = await (await desk.come_in(SIGNER)).get(PAGE)
    assert "/people/open/" in page.text
    assert "Give a new version" not in page.text
    assert "Give a new version" not in text_of(await (await desk.come_in(OPERATOR)).get(PAGE))


async def test_an_operator_exempts_a_reviewer_and_says_why(desk: Office) -> None:
    desk.views[ID] = in_review(line(SIGNER, SignerState.TURN), line(MANAGER, SignerState.WAITING))
    operator = await desk.come_in(OPERATOR)
    assert "Exempt a reviewer" in text_of(await operator.get(PAGE))
    asking = await operator.get(f"{PAGE}/exempt")
    assert re.findall(r'<option value="([a-z-]+)"', asking.text) == [SIGNER, MANAGER]
    answer = await operator.press(asking, signer=MANAGER, text="On leave")
    assert "They need not review it any more." in text_of(await operator.http.get(answer.headers["location"]))
    [(_, command, _)] = desk.commands
    assert isinstance(command, Exemption)
    assert (command.actor, command.person, command.reason) == (OPERATOR, MANAGER, "On leave")


@pytest.mark.parametrize("requester", [REQUESTER, "group:all-staff"])
async def test_nobody_exempts_the_reviewers_of_what_they_or_their_group_asked_for(desk: Office, requester: str) -> None:
    reviews = (line(SIGNER, SignerState.TURN), line(MANAGER, SignerState.WAITING))
    desk.views[ID] = in_review(*reviews).replace(requester=requester)
    member = await desk.come_in(REQUESTER)
    page = await member.get(PAGE)
    assert "Remind now" in text_of(page) and "Exempt" not in text_of(page)
    assert (await member.get(f"{PAGE}/exempt")).headers["location"] == f"/people{PAGE}"
    _, form = form_of((await member.get(f"{PAGE}/remind")).text)
    refused = await member.post(f"/people{PAGE}/exempt", form | {"signer": SIGNER, "text": "We are in a hurry."})
    assert refused.status_code == 409
    assert "nobody exempts the reviewers of what they have asked for themselves" in text_of(refused)
    assert not desk.commands


async def test_the_last_one_who_would_approve_it_cannot_be_exempt(desk: Office) -> None:
    operator = await desk.come_in(OPERATOR)
    desk.views[ID] = in_review(line(SIGNER, SignerState.TURN))
    assert "Exempt" not in text_of(await operator.get(PAGE))
    desk.views[ID] = in_review(line(SIGNER, SignerState.TURN), line(MANAGER, SignerState.APPROVED))
    assert "Exempt a reviewer" in text_of(await operator.get(PAGE))


async def test_who_is_to_give_the_new_version_is_no_reviewer(desk: Office) -> None:
    page = await (await desk.come_in(SIGNER)).get(PAGE)
    people = page.text.partition("Reviewers</h2>")[2].partition("</ul>")[0]
    assert "Chair" in people and "Legal Desk" not in people
