"""The refusals that pages translate are sentences of the request, word for word."""

from datetime import UTC, datetime, timedelta

from starter.page.form_answers import REFUSALS
from tests.workflows.stage import a_request, silent_for
from workflows.follow_up import operations
from workflows.model.policy import Policy
from workflows.model.provider import DocumentSeen
from workflows.model.subject import Participant, Status
from workflows.model.task import Task
from workflows.model.texts import TEXT_AT_MOST
from workflows.model.wishes import INSIST, Answer, Block, Done, NotNow, Question, ReminderNow
from workflows.signature.progress import Progress
from workflows.task import progress as tasks

NOW = datetime(2026, 11, 26, 14, 0, tzinfo=UTC)
SIGNER = "customer-signer"
SEEN = DocumentSeen(document="d", status=Status.SENT, raw="se")
SENT = Progress.begin(a_request().brief, NOW).observe(SEEN, NOW).replace(due_at=NOW + timedelta(days=30))

TASK = tasks.TaskProgress.begin(
    Task(id="keys", kind="task", title="Keys", requester="legal-desk", people=(Participant(person=SIGNER),)), NOW
)


def not_now(until: datetime, snooze: int = 2) -> str | None:
    return operations.refuse_snooze(SENT, Policy(snooze=snooze), NotNow(person=SIGNER, until=until), NOW)


def test_what_is_translated_is_what_the_request_says() -> None:
    question = Question(person=SIGNER, text="Which annex?")
    asked = operations.ask(SENT, question, NOW)
    said: tuple[str | None, ...] = (
        not_now(NOW + timedelta(days=1), snooze=0),
        not_now(NOW),
        not_now(NOW + timedelta(days=31)),
        operations.refuse_ask(asked, question),
        operations.refuse_ask(SENT, Question(person=SIGNER, text=" ")),
        operations.refuse_answer(asked, Answer(actor="legal-desk", text="\n")),
    )
    stuck = tasks.block(TASK, Block(person=SIGNER, because="no key"), NOW)
    said += (
        tasks.refuse_block(stuck, Block(person=SIGNER, because="no key")),
        tasks.refuse_block(TASK, Block(person=SIGNER, because=" ")),
    )
    long = "x" * (TEXT_AT_MOST + 1)
    said += (
        operations.refuse_ask(SENT, Question(person=SIGNER, text=long)),
        operations.refuse_answer(asked, Answer(actor="legal-desk", text=long)),
        tasks.refuse_block(TASK, Block(person=SIGNER, because=long)),
        tasks.refuse_done(TASK, Done(actor=SIGNER, note=long)),
    )
    told = silent_for(a_request(), timedelta(minutes=5)).carried
    assert isinstance(told, Progress)
    said += (operations.refuse_remind(told, ReminderNow(actor="legal-desk"), datetime.now(UTC)),)
    assert tuple(one and one.removesuffix(INSIST) for one in said) == REFUSALS
    assert said[-1] != REFUSALS[-1], "the command says what it has for it"
