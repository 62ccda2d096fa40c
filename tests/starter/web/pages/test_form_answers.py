"""What a workflow has against a wish is said on pages in words of their own, in their reader's language."""

from datetime import UTC, datetime, timedelta
from string import Formatter

import pytest

from activities.people.language import LANGUAGES, Language
from starter.web.forms import REFUSALS, refusal_or_phrase, refusal_text
from tests.workflows.stage import a_request, silent_for
from workflows.follow_up import commands as operations
from workflows.follow_up import commands as questions
from workflows.follow_up.next_step import HORIZON
from workflows.model.commands import (
    INSIST,
    Answer,
    Block,
    Cancellation,
    Delegation,
    Done,
    Extension,
    NotNow,
    Question,
    ReminderNow,
    Resumption,
)
from workflows.model.policy import Policy
from workflows.model.rejections import TEXT_AT_MOST, Rejection
from workflows.model.signature import DocumentSeen
from workflows.model.subject import Participant, Status, Task, ToDecide
from workflows.signature.state import SignatureState
from workflows.task import state as tasks

NOW = datetime(2026, 11, 26, 14, 0, tzinfo=UTC)
SIGNER = "customer-signer"
SEEN = DocumentSeen(document="d", status=Status.SENT, raw="se")
SENT = SignatureState.begin(a_request().brief, NOW).observe(SEEN, NOW).within("plan", due_at=NOW + timedelta(days=30))
A_TASK = Task(id="keys", kind="task", title="Keys", requester="legal-desk", people=(Participant(person=SIGNER),))
TASK = tasks.TaskState.begin(A_TASK, NOW)
GERMAN = Language.of("de")


def test_each_objection_has_its_words() -> None:
    assert set(REFUSALS) == set(Rejection)


@pytest.mark.parametrize("one", Rejection)
def test_each_objection_is_known_by_its_sentence_whatever_was_put_into_it(one: Rejection) -> None:
    names = {name for _, name, _, _ in Formatter().parse(one.english) if name}
    for value in ("anna", "being cancelled", "a\nb", "is away", "2026-12-11"):
        said = one.says(**dict.fromkeys(names, value))
        for sentence in (said, f"{said}{INSIST}"):
            assert refusal_text(GERMAN, sentence) == GERMAN.say(REFUSALS[one], says=value)


def test_what_a_request_refuses_is_said_in_the_readers_language_without_ids_and_flags() -> None:
    asked = questions.ask(SENT, Question(person=SIGNER, text="Which annex?"), NOW)
    stuck = tasks.block(TASK, Block(person=SIGNER, because="no key"), NOW)
    deciding = A_TASK.replace(decides=ToDecide(onboarding="acme", part="msa"))
    ended = SENT.end(Status.SIGNED, NOW, "core-signature")
    told = silent_for(a_request(), timedelta(minutes=5)).carried
    assert isinstance(told, SignatureState)
    long, later = "x" * (TEXT_AT_MOST + 1), NOW + timedelta(days=31)
    said = (
        operations.refuse_snooze(SENT, Policy(snooze=0), NotNow(person=SIGNER, until=later), NOW),
        operations.refuse_snooze(SENT, Policy(snooze=2), NotNow(person=SIGNER, until=NOW), NOW),
        operations.refuse_snooze(SENT, Policy(snooze=2), NotNow(person=SIGNER, until=later), NOW),
        operations.refuse_snooze(SENT, Policy(snooze=2), NotNow(person=SIGNER, until=NOW + 9 * HORIZON), NOW),
        questions.refuse_ask(asked, Question(person=SIGNER, text="?")),
        questions.refuse_ask(SENT, Question(person=SIGNER, text=" ")),
        questions.refuse_ask(SENT, Question(person=SIGNER, text=long)),
        questions.refuse_answer(asked, Answer(actor="legal-desk", text="\n")),
        questions.refuse_answer(SENT, Answer(actor="legal-desk", text="A.")),
        operations.refuse_remind(told, ReminderNow(actor="legal-desk"), datetime.now(UTC)),
        operations.refuse_cancel(ended, Cancellation(actor="legal-desk", reason="because")),
        operations.refuse_cancel(SENT, Cancellation(actor="legal-desk", reason=" ")),
        operations.refuse_resume(SENT, Resumption(actor="legal-desk")),
        operations.refuse_extend(SENT, Extension(actor="legal-desk", due=NOW.date() - timedelta(days=9)), NOW),
        operations.refuse_extend(SENT, Extension(actor="legal-desk", due=NOW.date()), NOW),
        operations.refuse_delegate(SENT, Delegation(actor="legal-desk", signer="ghost", to="chair"), "legal-desk"),
        operations.refuse_delegate(SENT, Delegation(actor="legal-desk", signer=SIGNER, to="legal-desk"), "legal-desk"),
        operations.refuse_delegate(SENT, Delegation(actor="legal-desk", signer=SIGNER, to=SIGNER), "legal-desk"),
        tasks.refuse_block(stuck, Block(person=SIGNER, because="no key")),
        tasks.refuse_undecided(deciding, Done(actor=SIGNER)),
    )
    for one in said:
        assert one is not None
        for code in (code for code in LANGUAGES if code != "en"):
            words = refusal_or_phrase(Language.of(code), one)
            assert words and words != one, one
            for raw in (SIGNER, "ghost", "legal-desk", "countersign", "--", "acme"):
                assert raw not in words


def test_a_refusal_of_newer_code_and_one_of_a_page_are_said_as_they_are() -> None:
    assert refusal_text(GERMAN, "the moon is in the way") == ""
    assert refusal_or_phrase(GERMAN, "the moon is in the way") == "the moon is in the way"
    assert refusal_or_phrase(GERMAN, "a date such as 2026-12-11 is needed") == GERMAN.say(
        "a date such as 2026-12-11 is needed"
    )
