"""What notices say of tasks: nobody is asked to sign anything, and the link leads to the page of the task."""

from datetime import UTC, datetime

import pytest
from pydantic import SecretStr

from activities.keys import KeyRing
from activities.notifications.links import LinkUse, SigningLinks
from activities.notifications.message import NotificationMessage, compose, screen_key
from activities.people.language import LANGUAGES
from tests.activities.reading import reading
from workflows.follow_up import notification_types as stages
from workflows.model.notifications import Delivery, NoticeAction, NotificationOrder
from workflows.model.subject import Participant, Role, Status, Task
from workflows.names import notice_key

DO, OPEN = NoticeAction.DO, NoticeAction.OPEN
LINKS = SigningLinks("https://sign.example", KeyRing([SecretStr("s" * 32)]))
DUE = datetime(2026, 12, 11, 17, 0, tzinfo=UTC)
ENDINGS = (Status.DONE, Status.WAIVED, Status.EXPIRED, Status.CANCELLED)
TASK = Task(
    id="keys",
    kind="task",
    title="Hand out the keys",
    requester="office",
    people=(Participant(person="porter", role=Role.DO),),
)
ASKED = ("ready", "reminder-2", "warning-1d", "overdue-1", "snooze-1", "answer-1", "escalation", "escalated")
OWNER = ("question-1", "blocked-1", "unanswered-1", "missing", "escalation", "undelivered", "something-new")
EVERY = [*((stage, DO) for stage in ASKED), *((stage, OPEN) for stage in (*OWNER, "reassigned"))]


def composed(
    stage: str, action: NoticeAction, person: str = "porter", outcome: Status | None = None, locale: str = "en"
) -> NotificationMessage:
    notice = NotificationOrder(key=notice_key(TASK.id, stage, person), stage=stage, person=person, action=action)
    delivery = Delivery(subject=TASK.subject, notices=(notice,), outcome=outcome, due_at=DUE)
    return compose(delivery, notice, reading(locale), LINKS)


@pytest.mark.parametrize(
    ("stage", "action", "person", "title", "body"),
    [
        ("ready", DO, "porter", "To do", ""),
        ("reminder-1", DO, "porter", "Reminder", "It still waits for you."),
        ("warning-2d", DO, "porter", "Due soon", "Little time is left."),
        ("overdue-1", DO, "porter", "Overdue", "It still waits for you."),
        ("snooze-1", DO, "porter", "As you asked", "You asked to be reminded now."),
        ("answer-1", DO, "porter", "Answered", "Whoever asked for it has answered you."),
        ("escalation", DO, "deputy", "Asked instead", "You are asked in place of somebody who has not acted."),
        ("blocked-1", OPEN, "office", "Stuck", "Somebody cannot go on with it. Please clear the way."),
        (
            "unanswered-1",
            OPEN,
            "office",
            "Waiting for you",
            "Somebody cannot go on before you have answered. Please answer.",
        ),
        (
            "unanswered-1.2",
            OPEN,
            "head",
            "Unanswered",
            "Somebody cannot go on, and nobody has answered. Please see to it.",
        ),
        (
            "escalation",
            OPEN,
            "head",
            "Not done yet",
            "It is still not done, and you can act. Please see to it.",
        ),
        (
            "escalation",
            OPEN,
            "office",
            "Nobody left to ask",
            "It is still not done, and nobody is left who could do it instead. Please decide what to do.",
        ),
    ],
)
def test_a_notice_says_what_is_to_be_done_about_which_task(
    stage: str, action: NoticeAction, person: str, title: str, body: str
) -> None:
    message = composed(stage, action, person)
    assert message.title == f"{title}: Hand out the keys"
    assert message.body == f"{body} Due Fri, 11 Dec 2026, 18:00.".lstrip()


@pytest.mark.parametrize(
    ("outcome", "title", "body"),
    [
        (Status.DONE, "Done", "It has been done."),
        (Status.WAIVED, "Not required", "Nobody needs to do it any more."),
        (Status.EXPIRED, "Expired", "It was not done in time."),
        (Status.CANCELLED, "Cancelled", "It was cancelled; nothing is left to do."),
    ],
)
def test_an_ending_says_how_it_ended_and_asks_for_nothing(outcome: Status, title: str, body: str) -> None:
    message = composed("settled", OPEN, "office", outcome)
    assert (message.title, message.body) == (f"{title}: Hand out the keys", body)


@pytest.mark.parametrize("locale", LANGUAGES)
def test_a_task_is_never_signed_by_a_signer(locale: str) -> None:
    messages = [composed(stage, action, locale=locale) for stage, action in EVERY]
    messages += [composed("settled", OPEN, outcome=outcome, locale=locale) for outcome in ENDINGS]
    all_texts = " ".join(f"{message.title} {message.body}" for message in messages).lower()
    assert not any(
        forbidden_word in all_texts for forbidden_word in ("sign", "firm", "unterschr", "ondertek", "handteken")
    )


@pytest.mark.parametrize("locale", [code for code in LANGUAGES if code != "en"])
def test_a_notice_of_a_task_speaks_its_readers_language(locale: str) -> None:
    for stage, action in EVERY:
        english, translated = composed(stage, action), composed(stage, action, locale=locale)
        assert english.title != translated.title
        assert english.body != translated.body


def test_whoever_is_asked_gets_to_a_page_on_which_it_is_done_and_others_to_where_it_stands() -> None:
    assignee_message, owner = composed("ready", DO), composed(stages.question(1, blocks=True), OPEN, "office")
    asked_for, owned = (LINKS.open(message.link.rpartition("/")[2]) for message in (assignee_message, owner))
    assert (asked_for.request, asked_for.person, asked_for.use) == ("task:keys", "porter", LinkUse.DO)
    assert (owned.request, owned.person, owned.use) == ("task:keys", "office", LinkUse.VIEW)
    assert assignee_message.data["action"] == "do"


def test_a_task_replaces_no_notice_of_a_request_of_the_same_id() -> None:
    assert composed("ready", DO).key == screen_key("task:keys", "porter") != screen_key("keys", "porter")
