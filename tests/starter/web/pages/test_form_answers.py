"""What a workflow has against a command is said on pages in words of their own, in their reader's language."""

from datetime import UTC, datetime, timedelta
from string import Formatter

import pytest

from activities.people.language import LANGUAGES, Language
from starter.web.acting.forms import refusal_text
from starter.web.acting.messages import message_text
from tests.test_docs_messages import FAMILIES
from tests.workflows.stage import a_request, silent_for
from workflows.follow_up import commands as operations
from workflows.follow_up import commands as questions
from workflows.follow_up.next_step import HORIZON
from workflows.model.commands import (
    Answer,
    Block,
    Cancellation,
    Delegation,
    Extension,
    Question,
    ReminderCommand,
    Resumption,
    SnoozeCommand,
    TaskCompletion,
)
from workflows.model.messages import DURATIONS, Message, MessageCode
from workflows.model.plan_reasons import PlanReason
from workflows.model.policy import Policy
from workflows.model.rejections import TEXT_AT_MOST
from workflows.model.signature import ReportedDocument
from workflows.model.subject import Participant, Status, Task, ToDecide
from workflows.signature.state import SignatureState
from workflows.task import state as tasks

NOW = datetime(2026, 11, 26, 14, 0, tzinfo=UTC)
SIGNER = "customer-signer"
SEEN = ReportedDocument(document="d", status=Status.SENT, raw="se")
SENT = (
    SignatureState.begin(a_request().brief, NOW).observe(SEEN, NOW).update_part("plan", due_at=NOW + timedelta(days=30))
)
A_TASK = Task(id="keys", kind="task", title="Keys", requester="legal-desk", people=(Participant(person=SIGNER),))
TASK = tasks.TaskState.begin(A_TASK, NOW)
GERMAN = Language.from_tag("de")


ALIKE = {PlanReason.DONE_LATER}
"""Said alike in English and in another language."""
CODES = [code for family in FAMILIES.values() for code in family]


@pytest.mark.parametrize("code", CODES)
def test_each_code_has_a_sentence_for_pages_in_each_language(code: MessageCode) -> None:
    fields = [(name, spec) for _, name, spec, _ in Formatter().parse(code.english) if name]
    examples = {**dict.fromkeys(DURATIONS, "3d"), "when": "2026-12-11T18:00+01:00[Europe/Amsterdam]"}
    values = {name: 1000 if spec == "," else examples.get(name, "anna") for name, spec in fields}
    message = code.to_message(**values)
    assert "{" not in message.english
    english = message_text(Language.english(), message)
    for language in (Language.from_tag(tag) for tag in LANGUAGES if tag != "en"):
        text = message_text(language, message)
        assert "{" not in text
        assert text != english or code in ALIKE


def test_what_a_request_refuses_is_said_in_the_readers_language_without_ids_and_flags() -> None:
    state_with_question = questions.ask(SENT, Question(person=SIGNER, text="Which annex?"), NOW)
    stuck = tasks.block(TASK, Block(person=SIGNER, because="no key"), NOW)
    deciding = A_TASK.replace(decides=ToDecide(onboarding="acme", part="msa"))
    ended_state = SENT.end(Status.SIGNED, NOW, "core-signature")
    told_state = silent_for(a_request(), timedelta(minutes=5)).carried
    assert isinstance(told_state, SignatureState)
    long, later = "x" * (TEXT_AT_MOST + 1), NOW + timedelta(days=31)
    rejections = (
        operations.refuse_snooze(SENT, Policy(snooze=0), SnoozeCommand(person=SIGNER, until=later), NOW),
        operations.refuse_snooze(SENT, Policy(snooze=2), SnoozeCommand(person=SIGNER, until=NOW), NOW),
        operations.refuse_snooze(SENT, Policy(snooze=2), SnoozeCommand(person=SIGNER, until=later), NOW),
        operations.refuse_snooze(SENT, Policy(snooze=2), SnoozeCommand(person=SIGNER, until=NOW + 9 * HORIZON), NOW),
        questions.refuse_ask(state_with_question, Question(person=SIGNER, text="?")),
        questions.refuse_ask(SENT, Question(person=SIGNER, text=" ")),
        questions.refuse_ask(SENT, Question(person=SIGNER, text=long)),
        questions.refuse_answer(state_with_question, Answer(actor="legal-desk", text="\n")),
        questions.refuse_answer(SENT, Answer(actor="legal-desk", text="A.")),
        operations.refuse_remind(told_state, ReminderCommand(actor="legal-desk"), datetime.now(UTC)),
        operations.refuse_cancel(ended_state, Cancellation(actor="legal-desk", reason="because")),
        operations.refuse_cancel(SENT, Cancellation(actor="legal-desk", reason=" ")),
        operations.refuse_resume(SENT, Resumption(actor="legal-desk")),
        operations.refuse_extend(SENT, Extension(actor="legal-desk", due=NOW.date() - timedelta(days=9)), NOW),
        operations.refuse_extend(SENT, Extension(actor="legal-desk", due=NOW.date()), NOW),
        operations.refuse_delegate(SENT, Delegation(actor="legal-desk", signer="ghost", to="chair"), "legal-desk"),
        operations.refuse_delegate(SENT, Delegation(actor="legal-desk", signer=SIGNER, to="legal-desk"), "legal-desk"),
        operations.refuse_delegate(SENT, Delegation(actor="legal-desk", signer=SIGNER, to=SIGNER), "legal-desk"),
        tasks.refuse_block(stuck, Block(person=SIGNER, because="no key")),
        tasks.refuse_undecided(deciding, TaskCompletion(actor=SIGNER)),
    )
    for rejection in rejections:
        assert rejection is not None
        for code in (code for code in LANGUAGES if code != "en"):
            text = refusal_text(Language.from_tag(code), rejection)
            assert text and text != rejection.english, rejection
            for raw in (SIGNER, "ghost", "legal-desk", "countersign", "--", "acme"):
                assert raw not in text


def test_a_rejection_of_newer_code_is_shown_by_its_code() -> None:
    assert refusal_text(GERMAN, Message(code="moon_in_the_way", values={"day": 3})) == "moon_in_the_way"
