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
from workflows.model.signature import DocumentSeen, SignerSeen, SignerState
from workflows.model.subject import Status
from workflows.model.views import RequestShow
from workflows.signature.state import SignatureState, show

WORDS: Final = "Grandmother's maiden name"


def asked_and_paused() -> SignatureState:
    progress = questions.ask(SENT, Question(person=FIRST, text=f"{WORDS}?"), START)
    progress = questions.answer(progress, Answer(actor="legal-desk", text=f"{WORDS}!"), START)
    progress = operations.pause(progress, PauseCommand(actor="legal-desk", reason=f"{WORDS}, wait"), START)
    progress = operations.resume(progress, Resumption(actor="legal-desk"), START)
    return questions.ask(progress, Question(person=FIRST, text=f"Again: {WORDS}"), START)


def cancelled() -> SignatureState:
    wish = Cancellation(actor="legal-desk", reason=f"no longer: {WORDS}")
    return operations.cancel(asked_and_paused(), wish, START).end_unseen(START)


def declined() -> SignatureState:
    signer = SignerSeen(person=FIRST, state=SignerState.DECLINED, at=START, reason=f"because of {WORDS}")
    seen = DocumentSeen(document="d", status=Status.DECLINED, raw="de", signers=(signer,))
    return asked_and_paused().observe(seen, START)


def without_own_words(shown: RequestShow) -> RequestShow:
    questions = [one.replace(text="", answer=None) for one in shown.questions]
    return shown.replace(
        question=None,
        answered=tuple(questions),
        signers=tuple(line.replace(reason=None) for line in shown.signers),
        timeline=tuple(entry.replace(why=None) if entry.said else entry for entry in shown.timeline),
    )


@pytest.mark.parametrize("ended", [cancelled(), declined()], ids=["cancelled", "declined"])
def test_no_words_of_people_stand_anywhere_else_in_a_record(ended: SignatureState) -> None:
    request = a_request()
    record = settled_record(request, ended, "run-1", partial(show, request))
    assert record is not None
    shown = record.show
    assert isinstance(shown, RequestShow)
    assert shown.model_dump_json().count(WORDS) >= 4
    assert WORDS not in without_own_words(shown).model_dump_json()


def test_a_reason_of_ours_is_nobody_s_words() -> None:
    expired = asked_and_paused().end(Status.EXPIRED, START, by="countersign")
    said = [entry.what for entry in expired.timeline.entries if entry.said]
    assert said == ["paused"]
