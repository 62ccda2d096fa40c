"""What notices say of campaigns: to managers about their people, and to whoever owns one."""

from typing import Final

from activities.language import Language, phrase
from activities.push.vocabulary import CANCELLED, UNDELIVERED, Vocabulary, Words, alike
from workflows.follow_up.stages import Stage
from workflows.model.notices import Notice
from workflows.model.subject import Status


def _of_a_manager(language: Language, notice: Notice) -> str:
    """`4 of your people have not acknowledged yet, 1 overdue`."""
    still_open, late, say_count = notice.count or 0, notice.overdue, language.say_count
    people = say_count(
        "{count} of your people has not acknowledged yet",
        "{count} of your people have not acknowledged yet",
        still_open,
    )
    return ", ".join((people, say_count("{count} overdue", "{count} overdue", late))) if late else people


def _of_an_owner(language: Language, notice: Notice) -> str:
    return language.say_count(
        "{count} of {all} has not acknowledged yet",
        "{count} of {all} have not acknowledged yet",
        notice.count or 0,
        all=notice.of,
    )


_NEWS: Final = Words(phrase("An update on a campaign"), phrase("News: {document}"), "", closing=True)
_OVER: Final = phrase("Everybody of its audience stands in the record.")

CAMPAIGNS: Final = Vocabulary(
    first=alike(_NEWS),
    stages={
        Stage.DIGEST: alike(
            Words(
                phrase("Some of your people have not acknowledged yet"),
                phrase("Not acknowledged yet: {document}"),
                phrase("You see at the desk who it is, and can remind them."),
                closing=True,
                counts=_of_a_manager,
            )
        ),
        Stage.PROGRESS: alike(
            Words(
                phrase("How far your campaign has come"),
                phrase("Not acknowledged yet: {document}"),
                phrase("You see at the desk how it goes."),
                closing=True,
                counts=_of_an_owner,
            )
        ),
        Stage.CONTENT: alike(
            Words(
                phrase("A campaign has nothing to open with yet"),
                phrase("Not ready to open: {document}"),
                phrase("Its document for this year is missing or cannot be used. Until then nobody is asked."),
            )
        ),
        Stage.UNOPENED: alike(
            Words(
                phrase("A campaign was not opened"),
                phrase("Not opened: {document}"),
                phrase("Nothing was given in time for it to open with. Nobody was asked this year."),
                closing=True,
            )
        ),
        Stage.UNDELIVERED: UNDELIVERED,
    },
    nobody_left=_NEWS,
    unanswered=_NEWS,
    unanswered_by_others=_NEWS,
    endings={
        Status.DONE: Words(phrase("Campaign completed"), phrase("Campaign completed: {document}"), _OVER, closing=True),
        Status.DONE_WITH_ERRORS: Words(
            phrase("Campaign completed, with errors"),
            phrase("Campaign completed, with errors: {document}"),
            phrase("Not everybody has acknowledged it. The report says who, and why."),
            closing=True,
        ),
        Status.CANCELLED: CANCELLED,
    },
)
