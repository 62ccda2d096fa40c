"""Notification types and stage names in keys, log and phone: a type, then what tells it apart: `reminder-2`,
`reminder-manual-1`, `warning-2d`, `overdue-1`; `warning-2d.3` or `overdue-1.3` belong to the third due date.
"""

from enum import StrEnum
from typing import Final

MAILED_ALONG: Final = "mail-along"
"""A mail of Core Signature meant for another signer."""
REMINDED_ALONG: Final = "reminder-along"
"""The same to a person without a phone: it counts as a reminder."""
_OVERDUE_FROM: Final = 1_000
"""Base of the numbers of overdue reminders, above those before the due date."""


class NotificationType(StrEnum):
    """The first word of every stage name, or all of it."""

    READY = "ready"
    FOLLOW = "follow"
    REMINDER = "reminder"
    SNOOZE = "snooze"
    FALLBACK = "fallback"
    WARNING = "warning"
    OVERDUE = "overdue"
    ESCALATION = "escalation"
    ESCALATED = "escalated"
    QUESTION = "question"
    BLOCKED = "blocked"
    UNANSWERED = "unanswered"
    ANSWER = "answer"
    BOUNCED = "bounced"
    MISSING = "missing"
    UNREACHED = "unreached"
    NOT_SENT = "unsent"
    REASSIGNED = "reassigned"
    WITHDRAWAL = "withdrawal"
    SETTLED = "settled"
    UNDELIVERED = "undelivered"
    MAIL = "mail"
    NOTICE = "notice"
    BEGUN = "begun"
    FINISHED = "finished"
    LINK = "link"
    DIGEST = "digest"
    PROGRESS = "progress"
    CONTENT = "content"
    UNOPENED = "unopened"
    UNCALLED = "uncalled"
    CALLED = "called"
    CLOCK_BEHIND = "clock.behind"
    HANDOFF_FAILING = "handoff.failing"
    HANDOFF_DEAD = "handoff.dead"
    HANDOFF_RECOVERED = "handoff.recovered"
    PUSH_REFUSED = "push.refused"
    PUSH_RECOVERED = "push.recovered"
    PROBLEM_LASTS = "problem.lasts"
    PROBLEM_OVER = "problem.over"
    NEWS = "news"


WITHDRAWAL_OF_BEFORE: Final = f"{NotificationType.WITHDRAWAL}-review"
"""Of a notice of the review, once it is over or in its next round."""


def reminder(number: int) -> str:
    return f"reminder-{number}"


def numbered(stage: str) -> tuple[str, int]:
    """Series and number of a stage: `reminder-2` is (`reminder`, 2), `warning-2d.3` (`warning-2d`, 3), `overdue-2.3`
    (`overdue.3`, 2).
    """
    name, dot, later = stage.partition(".")
    series, _, number = name.rpartition("-")
    if series and number.isdecimal():
        return f"{series}{dot}{later}", int(number)
    return (name, int(later)) if later.isdecimal() else (stage, 1)


def reminder_number(stage: str, revision: int) -> int | None:
    """The count of a policy reminder, with overdue ones of the present due date; None for others."""
    series, number = numbered(stage)
    if stage == overdue(number, revision):
        return _OVERDUE_FROM + number
    return number if series == NotificationType.REMINDER and stage != series else None


def reminder_by_hand(number: int) -> str:
    return f"{_BY_HAND}{number}"


def snooze(number: int) -> str:
    return f"snooze-{number}"


def warning(ahead: str, revision: int) -> str:
    """A last warning so long before the due date; `revision` counts moved due dates."""
    return f"warning-{ahead}{_of_due_date(revision)}"


def overdue(number: int, revision: int) -> str:
    """A reminder after the due date of this `revision`."""
    return f"overdue-{number}{_of_due_date(revision)}"


def question(number: int, *, blocks: bool = False) -> str:
    """A question or an obstacle, to the requester."""
    return f"blocked-{number}" if blocks else f"question-{number}"


def unanswered(number: int, *, to_alternate: bool = False) -> str:
    """A question is still open: to the requester, or `to_alternate`."""
    return f"unanswered-{number}.2" if to_alternate else f"unanswered-{number}"


def not_sent(number: int) -> str:
    return f"{NotificationType.NOT_SENT}-{number}"


def answer(number: int) -> str:
    return f"answer-{number}"


def of_question(number: int) -> tuple[str, ...]:
    """All types that say that a question is open."""
    return question(number), question(number, blocks=True), unanswered(number), unanswered(number, to_alternate=True)


def news(escalation: int) -> str:
    return f"news-{escalation}"


def taken_stage(times: int) -> str:
    """Withdraws the notification of what another of the group has taken on."""
    return f"withdrawal-taken-{times}"


def question_gone(number: int) -> str:
    """Withdraws the notification of a closed question."""
    return f"withdrawal-question-{number}"


def kind_of(stage: str) -> NotificationType | None:
    """The type of a stage; None for one of newer code."""
    return _BY_WORD.get(stage.partition("-")[0])


def stage_words(stage: str) -> str:
    """A stage in words; for news of a part without repeating the type."""
    return (
        stage.removeprefix(f"{NotificationType.NOTICE}-")
        if stage.startswith(f"{NotificationType.NOTICE}-{NotificationType.NOTICE}-")
        else stage
    )


def is_quiet(stage: str) -> bool:
    """Whether it is an offer: no sound, and no other channel."""
    return kind_of(stage) in (NotificationType.FOLLOW, NotificationType.BEGUN)


def is_for_on_call(stage: str) -> bool:
    """Whether it is an operations alert: callbacks, pushes or a hand-off target."""
    return kind_of(stage) in _FOR_ON_CALL


def is_by_day(stage: str) -> bool:
    """Whether the system chose its hour: it is silent outside of working time."""
    return kind_of(stage) in (NotificationType.DIGEST, NotificationType.PROGRESS)


def is_rationed(stage: str) -> bool:
    """Whether it counts against a notification budget: unrequested, and it asks for an action."""
    return kind_of(stage) in _RATIONED


def is_by_hand(stage: str) -> bool:
    return stage.startswith(_BY_HAND)


def is_handed_off(stage: str) -> bool:
    return kind_of(stage) in (NotificationType.SETTLED, NotificationType.NEWS)


def is_nudge(stage: str) -> bool:
    """Whether it repeats what the signer knows."""
    return kind_of(stage) in _NUDGES


def is_other_channel(stage: str) -> bool:
    """Whether it goes by mail or SMS in any case."""
    return kind_of(stage) is NotificationType.FALLBACK


def is_warning(stage: str) -> bool:
    return kind_of(stage) is NotificationType.WARNING


def is_last_word(stage: str) -> bool:
    """Whether it is the signer's last notification before expiry."""
    return kind_of(stage) in _LAST_WORDS


def of_one_due_date(warning: str, other_warning: str) -> bool:
    return warning.partition(".")[2] == other_warning.partition(".")[2]


_FOR_ON_CALL: Final = (
    NotificationType.UNCALLED,
    NotificationType.CALLED,
    NotificationType.CLOCK_BEHIND,
    NotificationType.HANDOFF_FAILING,
    NotificationType.HANDOFF_DEAD,
    NotificationType.HANDOFF_RECOVERED,
    NotificationType.PUSH_REFUSED,
    NotificationType.PUSH_RECOVERED,
    NotificationType.PROBLEM_LASTS,
    NotificationType.PROBLEM_OVER,
)
_BY_WORD: Final = {stage.value: stage for stage in NotificationType}
_NUDGES: Final = (
    NotificationType.REMINDER,
    NotificationType.SNOOZE,
    NotificationType.WARNING,
    NotificationType.OVERDUE,
    NotificationType.ESCALATED,
)
_RATIONED: Final = (
    NotificationType.READY,
    NotificationType.REMINDER,
    NotificationType.WARNING,
    NotificationType.OVERDUE,
    NotificationType.ESCALATION,
    NotificationType.ESCALATED,
)
"""Counted by budgets; answers and chosen times are not."""
_BY_HAND: Final = f"{NotificationType.REMINDER}-manual-"
_LAST_WORDS: Final = (NotificationType.WARNING, NotificationType.OVERDUE)


def _of_due_date(revision: int) -> str:
    return f".{revision + 1}" if revision else ""
