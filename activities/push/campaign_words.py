"""What notices say of campaigns: to managers about their people, and to whoever owns one."""

from typing import Final

from activities.language import phrase
from activities.push.vocabulary import CANCELLED, UNDELIVERED, Vocabulary, Words, alike
from workflows.follow_up.stages import Stage
from workflows.model.subject import Status

_NEWS: Final = Words(phrase("News of a campaign"), phrase("News: {document}"), "", closing=True)
_OVER: Final = phrase("Everybody of its audience stands in the record.")

CAMPAIGNS: Final = Vocabulary(
    first=alike(_NEWS),
    stages={
        Stage.DIGEST: alike(
            Words(
                phrase("Some of your people are missing"),
                phrase("Missing: {document}"),
                phrase("You see at the desk who it is, and can remind them."),
                closing=True,
            )
        ),
        Stage.PROGRESS: alike(
            Words(
                phrase("How far your campaign has come"),
                phrase("Still missing: {document}"),
                phrase("You see at the desk how it goes."),
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
            phrase("Some people could not be asked. The report says why."),
            closing=True,
        ),
        Status.CANCELLED: CANCELLED,
    },
)
