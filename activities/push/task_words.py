"""What notices say of tasks."""

from typing import Final

from activities.language import phrase
from activities.push.vocabulary import (
    CANCELLED,
    NEWS,
    REASSIGNED,
    UNDELIVERED,
    ByAction,
    KindTexts,
    NotificationText,
    alike,
)
from workflows.follow_up.stages import NotificationType
from workflows.model.notices import NoticeAction
from workflows.model.subject import Status

_DO: Final = phrase("To do: {document}")


def _to_do(title: str, body: str = "") -> ByAction:
    """Of what is to be done; whoever has nothing to do with it reads the same."""
    return alike(NotificationText(title, _DO, body))


TASKS: Final = KindTexts(
    first=_to_do(phrase("A task for you")),
    stages={
        NotificationType.FOLLOW: alike(
            NotificationText(
                phrase("A task is under way"),
                phrase("Under way: {document}"),
                phrase("You can follow it at the desk."),
                closing=True,
            )
        ),
        NotificationType.REMINDER: _to_do(phrase("Reminder: a task for you"), phrase("It still waits for you.")),
        NotificationType.FALLBACK: _to_do(phrase("Reminder: a task for you"), phrase("It still waits for you.")),
        NotificationType.WARNING: _to_do(phrase("Due soon: a task for you"), phrase("Little time is left.")),
        NotificationType.OVERDUE: _to_do(phrase("Overdue: a task for you"), phrase("It still waits for you.")),
        NotificationType.SNOOZE: _to_do(
            phrase("As you asked: a task for you"), phrase("You asked to be reminded now.")
        ),
        NotificationType.ANSWER: _to_do(
            phrase("There is an answer for you"), phrase("Whoever asked for it has answered you.")
        ),
        NotificationType.QUESTION: alike(
            NotificationText(
                phrase("Somebody has a question about a task"),
                phrase("Question: {document}"),
                phrase("Somebody would like to know something first. Please answer."),
            )
        ),
        NotificationType.BLOCKED: alike(
            NotificationText(
                phrase("Somebody cannot go on with a task"),
                phrase("Stuck: {document}"),
                phrase("Somebody cannot go on with it. Please clear the way."),
            )
        ),
        NotificationType.MISSING: alike(
            NotificationText(
                phrase("Somebody who was asked cannot be reached"),
                phrase("Out of reach: {document}"),
                phrase("It waits for somebody who is no longer in the directory. Please decide who is to do it."),
            )
        ),
        NotificationType.UNREACHED: alike(
            NotificationText(
                phrase("Somebody who was asked cannot be reached"),
                phrase("Out of reach: {document}"),
                phrase(
                    "They have not opened it on their phone, and we cannot tell whether an email or text arrived. "
                    "Please see to it."
                ),
            )
        ),
        NotificationType.ESCALATION: {
            NoticeAction.DO: NotificationText(
                phrase("A task for you instead"),
                _DO,
                phrase("You are asked in place of somebody who has not acted."),
            ),
            NoticeAction.OPEN: NotificationText(
                phrase("A task is still not done"),
                phrase("Not done yet: {document}"),
                phrase("It is still not done, and you can act. Please see to it."),
            ),
        },
        NotificationType.ESCALATED: _to_do(
            phrase("Escalated: a task still waits for you"),
            phrase("Somebody who can act was told. You can still act yourself."),
        ),
        NotificationType.REASSIGNED: REASSIGNED,
        NotificationType.UNDELIVERED: UNDELIVERED,
        NotificationType.NEWS: NEWS,
    },
    nobody_left=NotificationText(
        phrase("Nobody else can be asked"),
        phrase("Nobody left to ask: {document}"),
        phrase("It is still not done, and nobody is left who could do it instead. Please decide what to do."),
    ),
    unanswered=NotificationText(
        phrase("Somebody still waits for you"),
        phrase("Waiting for you: {document}"),
        phrase("Somebody cannot go on before you have answered. Please answer."),
    ),
    unanswered_by_others=NotificationText(
        phrase("Somebody waits for an answer"),
        phrase("Unanswered: {document}"),
        phrase("Somebody cannot go on, and nobody has answered. Please see to it."),
    ),
    endings={
        Status.DONE: NotificationText(
            phrase("Done"), phrase("Done: {document}"), phrase("It has been done."), closing=True
        ),
        Status.WAIVED: NotificationText(
            phrase("No longer needed"),
            phrase("No longer needed: {document}"),
            phrase("Nobody needs to do it any more."),
            closing=True,
        ),
        Status.EXPIRED: NotificationText(
            phrase("Expired"), phrase("Expired: {document}"), phrase("It was not done in time."), closing=True
        ),
        Status.CANCELLED: CANCELLED,
    },
)
