"""What notices say of campaigns: to managers about their people, and to whoever owns one."""

from typing import Final

from activities.language import Language, phrase
from activities.push.vocabulary import CANCELLED, UNDELIVERED, KindTexts, NotificationText, alike
from workflows.follow_up.stages import NotificationType
from workflows.model.notices import NotificationOrder
from workflows.model.subject import Status


def _of_a_manager(language: Language, notice: NotificationOrder) -> str:
    """`4 of your people have not acknowledged yet, 1 overdue`."""
    still_open, late, say_count = notice.count or 0, notice.overdue, language.say_count
    people = say_count(
        "{count} of your people has not acknowledged yet",
        "{count} of your people have not acknowledged yet",
        still_open,
    )
    return ", ".join((people, say_count("{count} overdue", "{count} overdue", late))) if late else people


def _of_an_owner(language: Language, notice: NotificationOrder) -> str:
    return language.say_count(
        "{count} of {all} has not acknowledged yet",
        "{count} of {all} have not acknowledged yet",
        notice.count or 0,
        all=notice.of,
    )


_CAMPAIGN_NEWS: Final = NotificationText(
    phrase("An update on a campaign"), phrase("News: {document}"), "", closing=True
)
_OVER: Final = phrase("Everybody of its audience stands in the record.")

CAMPAIGNS: Final = KindTexts(
    first=alike(_CAMPAIGN_NEWS),
    stages={
        NotificationType.DIGEST: alike(
            NotificationText(
                phrase("Some of your people have not acknowledged yet"),
                phrase("Not acknowledged yet: {document}"),
                phrase("You see at the desk who it is, and can remind them."),
                closing=True,
                counts=_of_a_manager,
            )
        ),
        NotificationType.PROGRESS: alike(
            NotificationText(
                phrase("How far your campaign has come"),
                phrase("Not acknowledged yet: {document}"),
                phrase("You see at the desk how it goes."),
                closing=True,
                counts=_of_an_owner,
            )
        ),
        NotificationType.CONTENT: alike(
            NotificationText(
                phrase("A campaign has nothing to open with yet"),
                phrase("Not ready to open: {document}"),
                phrase("Its document for this year is missing or cannot be used. Until then nobody is asked."),
            )
        ),
        NotificationType.UNOPENED: alike(
            NotificationText(
                phrase("A campaign was not opened"),
                phrase("Not opened: {document}"),
                phrase("Nothing was given in time for it to open with. Nobody was asked this year."),
                closing=True,
            )
        ),
        NotificationType.UNDELIVERED: UNDELIVERED,
    },
    nobody_left=_CAMPAIGN_NEWS,
    unanswered=_CAMPAIGN_NEWS,
    unanswered_by_others=_CAMPAIGN_NEWS,
    endings={
        Status.DONE: NotificationText(
            phrase("Campaign completed"), phrase("Campaign completed: {document}"), _OVER, closing=True
        ),
        Status.DONE_WITH_ERRORS: NotificationText(
            phrase("Campaign completed, with errors"),
            phrase("Campaign completed, with errors: {document}"),
            phrase("Not everybody has acknowledged it. The report says who, and why."),
            closing=True,
        ),
        Status.CANCELLED: CANCELLED,
    },
)
