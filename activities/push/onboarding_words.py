"""What notices say of onboardings: to the customer, to teams, and to whoever owns one."""

from typing import Final

from activities.language import phrase
from activities.push.vocabulary import CANCELLED, UNDELIVERED, KindTexts, NotificationText, alike
from workflows.follow_up.stages import NotificationType
from workflows.model.subject import Status

_ONBOARDING_NEWS: Final = NotificationText(
    phrase("An update on your onboarding"), phrase("News: {document}"), "", closing=True
)
_SAID: Final = NotificationText(phrase("An update on your onboarding"), "{document}", "", closing=True)
"""Of what somebody has written its first line is the title."""
_WAITS: Final = NotificationText(
    phrase("An onboarding waits for you"), phrase("It waits for you: {document}"), phrase("Please see to it.")
)

ONBOARDINGS: Final = KindTexts(
    first=alike(_ONBOARDING_NEWS),
    stages={
        NotificationType.NOTICE: alike(_SAID),
        NotificationType.BEGUN: alike(
            NotificationText(
                phrase("We have begun something for you"),
                phrase("Begun for you: {document}"),
                phrase("We are at work on it."),
                closing=True,
            )
        ),
        NotificationType.FINISHED: alike(
            NotificationText(
                phrase("We have done something for you"),
                phrase("Done for you: {document}"),
                phrase("It is ready."),
                closing=True,
            )
        ),
        NotificationType.LINK: alike(
            NotificationText(
                phrase("Your onboarding page"),
                phrase("Your page: {document}"),
                phrase("It shows what is done, what is yours to do now and what comes next."),
                closing=True,
            )
        ),
        NotificationType.UNDELIVERED: UNDELIVERED,
    },
    nobody_left=_WAITS,
    unanswered=_WAITS,
    unanswered_by_others=_WAITS,
    endings={
        Status.DONE: NotificationText(
            phrase("Onboarding completed"),
            phrase("Onboarding completed: {document}"),
            phrase("Every part of it is done."),
            closing=True,
        ),
        Status.CANCELLED: CANCELLED,
    },
)
