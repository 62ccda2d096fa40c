"""What needs somebody although nothing is broken: said by the memory alone, most pressing first."""

from datetime import UTC, datetime

from tests.workflows.follow_up.test_schedule import FIRST, SENT, START
from tests.workflows.stage import a_request
from workflows.follow_up import commands as operations
from workflows.follow_up import commands as questions
from workflows.follow_up.notifications import open_hand_off
from workflows.follow_up.view import attention_of, trouble_code
from workflows.model.absence import AbsenceNews
from workflows.model.commands import Answer, PauseCommand, Question
from workflows.model.hand_off import HandoffResult
from workflows.model.schedule import Schedule
from workflows.model.signature import ReportedDocument, ReportedSigner, SignerState
from workflows.model.subject import Code, Status
from workflows.model.views import AttentionCode
from workflows.signature.state import SignatureState, show

REQUEST = a_request()
ASKED = questions.ask(SENT, Question(person=FIRST, text="Which annex?"), START)


def codes(progress: SignatureState) -> list[AttentionCode]:
    return [attention.code for attention in attention_of(progress)]


def bounce_mail(progress: SignatureState) -> SignatureState:
    document = ReportedDocument(
        document="d",
        status=Status.SENT,
        raw="se",
        signers=(ReportedSigner(person=FIRST, state=SignerState.BOUNCED, at=START),),
    )
    return progress.observe(document, START)


def make_signed_state() -> SignatureState:
    document = ReportedDocument(document="d", status=Status.SIGNED, raw="si")
    return open_hand_off(REQUEST, ASKED.observe(document, START))


def test_a_request_on_its_way_needs_nobody() -> None:
    assert attention_of(SENT) == ()


def test_an_open_question_needs_somebody_until_it_is_answered() -> None:
    [attention] = attention_of(ASKED)
    assert (attention.code, attention.since) == (AttentionCode.QUESTION_OPEN, START)
    assert FIRST in attention.says and "annex" not in attention.says
    answered = questions.answer(ASKED, Answer(actor="legal-desk", text="The first"), START)
    assert attention_of(answered) == ()


def test_a_mail_that_came_back_is_more_pressing_than_a_question_and_a_pause() -> None:
    paused = operations.pause(bounce_mail(ASKED), PauseCommand(actor="legal-desk"), START)
    assert codes(paused) == [AttentionCode.MAIL_BOUNCED, AttentionCode.QUESTION_OPEN, AttentionCode.PAUSED]


def test_a_signer_who_left_needs_somebody_until_their_place_is_handed_over() -> None:
    schedule = Schedule(due_at=START, missing=(FIRST, "replaced"), proposed=(FIRST, "zoe"))
    [attention] = attention_of(SENT.planned(schedule, START))
    assert (attention.code, attention.proposed) == (AttentionCode.SIGNER_LEFT, ("zoe",))
    assert attention.says == f"{FIRST} left the directory; could act instead: zoe"
    assert attention_of(SENT.planned(schedule.replace(missing=()), START)) == ()


def test_who_left_the_company_is_planned_anew_without_a_line_of_its_own() -> None:
    planned = SENT.planned(Schedule(due_at=START), START)
    news = AbsenceNews(person=FIRST, by="directory", left=True)
    updated = planned.heard_of(news, "legal-desk", START)
    assert updated == planned.replan() != planned
    assert planned.heard_of(news.replace(person="stranger"), "legal-desk", START) == planned


def test_of_what_has_ended_only_dead_hand_offs_need_somebody() -> None:
    signed_state = make_signed_state()
    assert attention_of(signed_state) == ()
    dead = signed_state.handed_off((HandoffResult(target="finance", ok=False, gone=True, why="HTTP 410"),), START)
    [attention] = attention_of(dead)
    assert (attention.code, attention.says) == (AttentionCode.HANDOFF_DEAD, "could not tell finance")


def test_people_who_cannot_be_told_of_the_ending_are_no_dead_hand_off() -> None:
    """A signer without a phone is told by Core Signature's own mail."""
    target = f"notice:{REQUEST.brief.requester}"
    assert codes(make_signed_state().handed_off((HandoffResult(target=target, ok=False, gone=True),), START)) == []


def test_lists_have_one_word_and_a_problem_comes_first() -> None:
    now = datetime(2026, 11, 26, tzinfo=UTC)
    assert trouble_code(show(REQUEST, SENT, now)) is None
    assert trouble_code(show(REQUEST, ASKED, now)) == "question_open"
    troubled = ASKED.report_problem(Code.UNAUTHORISED, "401", START, START)
    assert trouble_code(show(REQUEST, troubled, now)) == "unauthorised"
