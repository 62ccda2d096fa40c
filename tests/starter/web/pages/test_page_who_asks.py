"""What a page says of whoever asks, how far the others are, how near the date is, and what was just done there."""

from collections.abc import AsyncIterator
from datetime import date, timedelta
from pathlib import Path

import pytest

from activities.notifications.links import LinkUse
from activities.records.cover_sheet import CoverSheet
from starter.web.acting.actions import Action
from tests.starter.web.pages.test_page_commands import DEPUTY, REQUESTER, choices, make_view, question
from tests.starter.web.paging import CHAIR, DUTCH, FIRST, NOW, REQUEST, SECOND, Phone, phone, text_of
from workflows.kinds import Kind
from workflows.model.schedule import EscalationReason
from workflows.model.signature import Document, SignatureBrief, SignerState
from workflows.model.subject import Participant, Role, Status
from workflows.model.timeline import EscalationEntry
from workflows.model.views import SignerLine

MESSAGE = "Please sign before the <b>kick-off</b>."


@pytest.fixture
async def signer(tmp_path: Path) -> AsyncIterator[Phone]:
    async with phone(tmp_path) as opened_phone:
        await opened_phone.create()
        opened_phone.views[REQUEST] = make_view(choices())
        await CoverSheet.keep(
            opened_phone.store,
            SignatureBrief(
                id=REQUEST,
                kind="nda",
                title="NDA",
                document=Document(),
                requester=REQUESTER,
                people=(Participant(person=FIRST),),
                message=str(await opened_phone.store.texts.keep(Kind.REQUEST.workflow_id(REQUEST), "message", MESSAGE)),
            ),
        )
        yield opened_phone


@pytest.fixture
async def drawn(tmp_path: Path) -> AsyncIterator[Phone]:
    """Pages with `PREVIEW=on`, and a document of ours in the store."""
    async with phone(tmp_path, drawing=True) as opened_phone:
        await opened_phone.create()
        opened_phone.views[REQUEST] = make_view(choices(), document="MSA")
        pdf = (Path(__file__).parents[4] / "deploy" / "examples" / "msa.pdf").read_bytes()
        document = Document(sha256=await opened_phone.store.files.put(pdf))
        await CoverSheet.keep(
            opened_phone.store,
            SignatureBrief(id=REQUEST, kind="nda", title="MSA", document=document, requester=REQUESTER, people=()),
        )
        yield opened_phone


async def test_the_first_page_is_a_picture_for_the_signer_alone_and_until_the_end(drawn: Phone) -> None:
    path = drawn.link()
    assert f'src="{path.rpartition("/")[2]}/first-page"' in (await drawn.open(path)).text
    picture = await drawn.open(f"{path}/first-page")
    assert (picture.status_code, picture.content[:4]) == (200, b"\x89PNG")
    assert (await drawn.open(f"{drawn.link(CHAIR, LinkUse.VIEW)}/first-page")).status_code == 404
    drawn.views[REQUEST] = make_view(status=Status.SIGNED)
    assert (await drawn.open(f"{path}/first-page")).status_code == 404


async def test_without_the_setting_there_is_no_picture(signer: Phone) -> None:
    assert "first-page" not in (await signer.open(signer.link())).text.partition("</style>")[2]
    assert (await signer.open(f"{signer.link()}/first-page")).status_code == 404


@pytest.mark.parametrize(
    ("effective", "person", "sentence"),
    [
        (date(2026, 11, 2), FIRST, "You acknowledge version 2026.1, in force since Mon, 2 Nov 2026."),
        (date(2027, 1, 1), FIRST, "You acknowledge version 2026.1, in force from Fri, 1 Jan 2027 on."),
        (None, FIRST, "You acknowledge version 2026.1."),
        (date(2026, 11, 2), DUTCH, "U bevestigt versie 2026.1, van kracht sinds ma 2 nov 2026."),
        (date(2026, 11, 2), REQUESTER, "You acknowledge version 2026.1, in force since Mon, 2 Nov 2026."),
    ],
)
async def test_of_an_edition_the_page_says_which_version_is_acknowledged_and_since_when_it_is_in_force(
    tmp_path: Path, effective: date | None, person: str, sentence: str
) -> None:
    async with phone(tmp_path) as opened_phone:
        line = SignerLine(person=person, order=1, role=Role.SIGN, state=SignerState.TURN)
        opened_phone.views[REQUEST] = make_view(choices().replace(person=person), signers=(line,), document="Conduct")
        document = Document(version="2026.1", effective=effective, approver=CHAIR)
        await CoverSheet.keep(
            opened_phone.store,
            SignatureBrief(id=REQUEST, kind="nda", title="C", document=document, requester=REQUESTER, people=()),
        )
        text = text_of((await opened_phone.open(opened_phone.link(person))).text)
        assert sentence in text
        assert ("Goedgekeurd door Chair." if person == DUTCH else "Approved by Chair.") in text


async def test_a_document_without_an_edition_says_nothing_of_one(signer: Phone) -> None:
    text = text_of((await signer.open(signer.link())).text)
    assert "acknowledge" not in text
    assert "Approved" not in text


def make_two_signers(first: SignerState, second: SignerState = SignerState.TURN) -> tuple[SignerLine, ...]:
    states = ((FIRST, first), (SECOND, second))
    return tuple(
        SignerLine(person=person, order=n, role=Role.SIGN, state=state) for n, (person, state) in enumerate(states)
    )


async def test_a_signer_reads_who_asks_and_what_they_say(signer: Phone) -> None:
    text = text_of((await signer.open(signer.link())).text)
    assert "Asked by Legal desk , Acme" in text
    assert MESSAGE in text


@pytest.mark.parametrize("ending", ["terminated", "failed", "timed out"])
@pytest.mark.parametrize(("requester", "contact"), [(REQUESTER, "Legal desk"), ("nobody", "whoever sent it to you")])
async def test_of_what_nobody_follows_up_the_page_says_so_and_whom_to_ask(
    signer: Phone, ending: str, requester: str, contact: str
) -> None:
    signer.views[REQUEST] = make_view(trouble=ending, requester=requester, signers=(), partial=True)
    sentence = f"Nobody follows this up any more. Please ask {contact} before you do anything."
    text = text_of((await signer.open(signer.link())).text)
    assert sentence in text.replace("\u2068", "").replace("\u2069", "")
    onlooker = text_of((await signer.open(signer.link(CHAIR, LinkUse.VIEW))).text)
    assert sentence in onlooker.replace("\u2068", "").replace("\u2069", "")


async def test_the_requester_is_not_told_that_they_ask(signer: Phone) -> None:
    assert "Asked by" not in (await signer.open(signer.link(REQUESTER, LinkUse.VIEW))).text
    assert "Asked by" in (await signer.open(signer.link(CHAIR, LinkUse.VIEW))).text


async def test_a_requester_whom_the_directory_does_not_know_leaves_the_company(signer: Phone) -> None:
    signer.views[REQUEST] = make_view(choices(), requester="gone")
    assert "Asked by Acme" in text_of((await signer.open(signer.link())).text)


async def test_a_signer_reads_how_many_have_signed_and_not_who(signer: Phone) -> None:
    signer.views[REQUEST] = make_view(choices(SECOND), signers=make_two_signers(SignerState.SIGNED))
    text = text_of((await signer.open(signer.link(SECOND))).text)
    assert "1 of 2 has signed." in text
    assert FIRST not in text
    signer.views[REQUEST] = make_view(choices(), signers=make_two_signers(SignerState.TURN))
    assert "has signed" not in text_of((await signer.open(signer.link())).text)


@pytest.mark.parametrize(
    ("ahead", "look"),
    [(timedelta(days=3), "due ahead"), (timedelta(hours=2), "due today"), (-timedelta(hours=2), "due past")],
)
async def test_what_is_due_today_has_a_colour_of_its_own(signer: Phone, ahead: timedelta, look: str) -> None:
    signer.views[REQUEST] = make_view(choices(), due_at=NOW + ahead)
    assert f'class="when {look}"' in (await signer.open(signer.link())).text


async def test_after_not_now_the_page_says_until_when(signer: Phone) -> None:
    answer = await signer.post_option(signer.link(), Action.LATER)
    signer.views[REQUEST] = make_view(choices(reminded_at=NOW + timedelta(hours=9)))
    page = text_of((await signer.open(f"/open/{answer.headers['location']}")).text)
    assert "Put off. You will be reminded on Thu, 26 Nov 2026, 18:00 (New York)." in page


async def test_after_a_question_the_page_says_that_it_was_sent(signer: Phone) -> None:
    answer = await signer.post_option(signer.link(), Action.ASK, text="Which annex?")
    signer.views[REQUEST] = make_view(choices(ask=False), question=question())
    page = text_of((await signer.open(f"/open/{answer.headers['location']}")).text)
    assert "Your question was sent. We will tell you when it is answered." in page


async def test_after_an_answer_the_page_says_that_it_was_sent(signer: Phone) -> None:
    signer.views[REQUEST] = make_view(choices(), question=question())
    answer = await signer.post_option(signer.link(REQUESTER, LinkUse.VIEW), Action.ANSWER, text="Annex B")
    signer.views[REQUEST] = make_view(choices(), answered=(question(answer="Annex B"),))
    page = text_of((await signer.open(f"/open/{answer.headers['location']}")).text)
    assert "Your answer was sent." in page


@pytest.mark.parametrize("action", ["later", "ask", "answer", "delegate", "<b>"])
async def test_an_address_that_says_so_is_no_proof_that_something_was_done(signer: Phone, action: str) -> None:
    assert 'class="banner"' not in (await signer.open(f"{signer.link()}?done={action}")).text


async def test_who_handed_over_reads_to_whom_and_who_was_replaced_does_not(signer: Phone) -> None:
    for recipient, named in ((DEPUTY, True), (CHAIR, False)):
        entry = EscalationEntry(**{"from": FIRST}, to=recipient, reason=EscalationReason.MANUAL, at=NOW)
        signer.views[REQUEST] = make_view(signers=make_two_signers(SignerState.REASSIGNED), escalations=(entry,))
        text = text_of((await signer.open(signer.link())).text)
        assert ("Customer Deputy is asked instead of you." in text) is named
        assert ("Somebody else is asked instead of you." in text) is not named
        assert "Chair" not in text


async def test_it_is_all_said_in_the_readers_language(signer: Phone) -> None:
    signer.views[REQUEST] = make_view(choices(DUTCH, reminded_at=NOW + timedelta(days=1)))
    text = text_of((await signer.open(f"{signer.link(DUTCH)}?done=later")).text)
    assert "Gevraagd door Legal desk , Acme" in text
    assert "Uitgesteld. U wordt herinnerd op" in text
