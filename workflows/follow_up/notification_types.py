"""The stages of notices, by which keys, the reminder ledger and the phone call them.

A name is a kind, then what tells it from others of its kind: `reminder-2`, `reminder-manual-1`, `warning-2d`,
`overdue-1`, and `warning-2d.3` or `overdue-1.3` for the third due date.
"""

from enum import StrEnum
from typing import Final


class NotificationType(StrEnum):
    """The first word of every stage, and the whole of those of which there is one only."""

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
    NEWS = "news"


_FOR_ON_CALL: Final = (
    NotificationType.UNCALLED,
    NotificationType.CALLED,
    NotificationType.CLOCK_BEHIND,
    NotificationType.HANDOFF_FAILING,
    NotificationType.HANDOFF_DEAD,
    NotificationType.HANDOFF_RECOVERED,
    NotificationType.PUSH_REFUSED,
    NotificationType.PUSH_RECOVERED,
)

MAILED_ALONG: Final = "mail-along"
"""Core Signature's mail that was meant for another signer."""
REMINDED_ALONG: Final = "reminder-along"
"""The same to somebody without a phone: it counts as a reminder, so none of their own follows within the hour."""

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
"""Answers and times that somebody chose themselves are not among them."""
_BY_HAND: Final = f"{NotificationType.REMINDER}-manual-"
_LAST_WORDS: Final = (NotificationType.WARNING, NotificationType.OVERDUE)
_OVERDUE_FROM: Final = 1_000
"""Overdue reminders are numbered from here on among all of somebody: the policy has fewer before the due date."""


def reminder(number: int) -> str:
    """A reminder of the policy."""
    return f"reminder-{number}"


def numbered(stage: str) -> tuple[str, int]:
    """What a stage is one of, and which.

    `reminder-2` is the second of `reminder`, `warning-2d.3` the third of `warning-2d`, `overdue-2.3` the second of
    `overdue.3`.
    """
    name, dot, later = stage.partition(".")
    series, _, number = name.rpartition("-")
    if series and number.isdecimal():
        return f"{series}{dot}{later}", int(number)
    return (name, int(later)) if later.isdecimal() else (stage, 1)


def reminder_number(stage: str, revision: int) -> int | None:
    """Which of somebody's reminders it is, those of the policy first, then those after the present due date.

    None for anything else, also for an overdue reminder of a due date that was moved since.
    """
    series, number = numbered(stage)
    if stage == overdue(number, revision):
        return _OVERDUE_FROM + number
    return number if series == NotificationType.REMINDER and stage != series else None


def reminder_by_hand(number: int) -> str:
    """A reminder that somebody asked for."""
    return f"{_BY_HAND}{number}"


def snooze(number: int) -> str:
    """A reminder at a time of the signer's own."""
    return f"snooze-{number}"


def warning(ahead: str, revision: int) -> str:
    """A last warning that long before the due date; a due date that was moved `revision` times has its own."""
    return f"warning-{ahead}{_of_due_date(revision)}"


def overdue(number: int, revision: int) -> str:
    """A reminder after the due date; like a last warning it is one of this due date."""
    return f"overdue-{number}{_of_due_date(revision)}"


def question(number: int, *, blocks: bool = False) -> str:
    """A question to whoever asked for it all, or why somebody cannot go on."""
    return f"blocked-{number}" if blocks else f"question-{number}"


def unanswered(number: int, *, again: bool = False) -> str:
    """A question is still open: to the requester, and `again` to somebody who can see to its answer."""
    return f"unanswered-{number}.2" if again else f"unanswered-{number}"


def not_sent(number: int) -> str:
    """What people are to be asked about is still not there."""
    return f"{NotificationType.NOT_SENT}-{number}"


def answer(number: int) -> str:
    """The requester's answer."""
    return f"answer-{number}"


def of_question(number: int) -> tuple[str, ...]:
    """All that says that a question is open."""
    return question(number), question(number, blocks=True), unanswered(number), unanswered(number, again=True)


def news(escalation: int) -> str:
    """What people who are targets of the hand-off hear of an escalation."""
    return f"news-{escalation}"


def question_gone(number: int) -> str:
    """A question needs no answer any more: its notice leaves the phone."""
    return f"withdrawal-question-{number}"


def kind_of(stage: str) -> NotificationType | None:
    """What a stage is; None for one of newer code."""
    return _BY_WORD.get(stage.partition("-")[0])


def stage_words(stage: str) -> str:
    """A stage as people read it: the news of a part that is called `notice-1` is not a notice twice over."""
    return (
        stage.removeprefix(f"{NotificationType.NOTICE}-")
        if stage.startswith(f"{NotificationType.NOTICE}-{NotificationType.NOTICE}-")
        else stage
    )


def is_quiet(stage: str) -> bool:
    """Whether it only offers something: it makes no sound, and whom no phone takes it to is told by no other way."""
    return kind_of(stage) in (NotificationType.FOLLOW, NotificationType.BEGUN)


def is_for_on_call(stage: str) -> bool:
    """Whether it is about callbacks, pushes or a target of the hand-off, and about nothing that somebody asked for."""
    return kind_of(stage) in _FOR_ON_CALL


def is_by_day(stage: str) -> bool:
    """Whether it comes at an hour that its reader did not choose: outside of their working time it makes no sound."""
    return kind_of(stage) in (NotificationType.DIGEST, NotificationType.PROGRESS)


def is_rationed(stage: str) -> bool:
    """Whether it asks somebody, unbidden, to act: of such there are only so many where a budget spares them."""
    return kind_of(stage) in _RATIONED


def is_by_hand(stage: str) -> bool:
    """Whether it is a reminder that somebody asked for."""
    return stage.startswith(_BY_HAND)


def is_handed_off(stage: str) -> bool:
    """Whether it is what people hear who are targets of the hand-off."""
    return kind_of(stage) in (NotificationType.SETTLED, NotificationType.NEWS)


def is_nudge(stage: str) -> bool:
    """Whether a signer is told again of what they know."""
    return kind_of(stage) in _NUDGES


def is_other_channel(stage: str) -> bool:
    """Whether it is told by mail or SMS, whatever phones there are."""
    return kind_of(stage) is NotificationType.FALLBACK


def is_warning(stage: str) -> bool:
    """Whether it is a last warning."""
    return kind_of(stage) is NotificationType.WARNING


def is_last_word(stage: str) -> bool:
    """Whether it is what a signer hears last before the request is over."""
    return kind_of(stage) in _LAST_WORDS


def of_one_due_date(warning: str, other: str) -> bool:
    """Whether two last warnings warn of the same due date."""
    return warning.partition(".")[2] == other.partition(".")[2]


def _of_due_date(revision: int) -> str:
    return f".{revision + 1}" if revision else ""
