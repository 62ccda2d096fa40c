"""What of a settled record are people's own words: nothing but what is told apart as such."""

from functools import partial
from typing import Final

import pytest

from tests.workflows.follow_up.test_schedule import FIRST, SENT, START
from tests.workflows.stage import a_request
from workflows.follow_up import commands as operations
from workflows.follow_up import commands as questions
from workflows.follow_up.record import settled_record
from workflows.model.commands import Answer, Cancellation, PauseCommand, Question, Resumption
from workflows.model.signature import ReportedDocument, ReportedSigner, SignerState
from workflows.model.subject import Status
from workflows.model.views import RequestShow
from workflows.signature.state import SignatureState, show

WORDS: Final = "Grandmother's maiden name"


def ask_and_pause() -> SignatureState:
    progress = questions.ask(SENT, Question(person=FIRST, text=f"{WORDS}?"), START)
    progress = questions.answer(progress, Answer(actor="legal-desk", text=f"{WORDS}!"), START)
    progress = operations.pause(progress, PauseCommand(actor="legal-desk", reason=f"{WORDS}, wait"), START)
    progress = operations.resume(progress, Resumption(actor="legal-desk"), START)
    return questions.ask(progress, Question(person=FIRST, text=f"Again: {WORDS}"), START)


def make_cancelled() -> SignatureState:
    command = Cancellation(actor="legal-desk", reason=f"no longer: {WORDS}")
    return operations.cancel(ask_and_pause(), command, START).end_unseen(START)


def make_declined() -> SignatureState:
    signer = ReportedSigner(person=FIRST, state=SignerState.DECLINED, at=START, reason=f"because of {WORDS}")
    document = ReportedDocument(document="d", status=Status.DECLINED, raw="de", signers=(signer,))
    return ask_and_pause().observe(document, START)


def without_own_words(view: RequestShow) -> RequestShow:
    questions = [question.replace(text="", answer=None) for question in view.questions]
    return view.replace(
        question=None,
        answered=tuple(questions),
        signers=tuple(line.replace(reason=None) for line in view.signers),
        timeline=tuple(entry.replace(why=None) if entry.said else entry for entry in view.timeline),
    )


@pytest.mark.parametrize("ended_state", [make_cancelled(), make_declined()], ids=["cancelled", "declined"])
def test_no_words_of_people_stand_anywhere_else_in_a_record(ended_state: SignatureState) -> None:
    request = a_request()
    record = settled_record(request, ended_state, "run-1", partial(show, request))
    assert record is not None
    view = record.show
    assert isinstance(view, RequestShow)
    assert view.model_dump_json().count(WORDS) >= 4
    assert WORDS not in without_own_words(view).model_dump_json()


def test_a_reason_of_ours_is_nobody_s_words() -> None:
    expired = ask_and_pause().end(Status.EXPIRED, START, decided_by="countersign")
    said_events = [entry.what for entry in expired.timeline.entries if entry.said]
    assert said_events == ["paused"]
