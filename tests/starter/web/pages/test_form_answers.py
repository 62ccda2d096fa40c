"""What a workflow has against a wish is said on pages in words of their own, in their reader's language."""

from datetime import UTC, datetime, timedelta
from string import Formatter

import pytest

from activities.people.language import LANGUAGES, Language
from starter.web.acting.forms import REFUSALS, refusal_text
from tests.workflows.stage import a_request, silent_for
from workflows.follow_up import commands as operations
from workflows.follow_up import commands as questions
from workflows.follow_up.next_step import HORIZON
from workflows.model.commands import (
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
from workflows.model.messages import Message
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


@pytest.mark.parametrize("rejection", Rejection)
def test_each_rejection_has_a_sentence_for_pages_in_each_language(rejection: Rejection) -> None:
    fields = [(name, spec) for _, name, spec, _ in Formatter().parse(rejection.english) if name]
    values = {name: 1000 if spec == "," else "anna" for name, spec in fields}
    message = rejection.to_message(**values)
    assert message.english == rejection.english.format(**values)
    for code in (code for code in LANGUAGES if code != "en"):
        language = Language.of(code)
        words = refusal_text(language, message)
        assert words == language.say(REFUSALS[rejection], **message.values)
        assert language.say(REFUSALS[rejection]) != REFUSALS[rejection]


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
            words = refusal_text(Language.of(code), one)
            assert words and words != one.english, one
            for raw in (SIGNER, "ghost", "legal-desk", "countersign", "--", "acme"):
                assert raw not in words


def test_a_rejection_of_newer_code_is_shown_by_its_code() -> None:
    assert refusal_text(GERMAN, Message(code="moon_in_the_way", values={"day": 3})) == "moon_in_the_way"
