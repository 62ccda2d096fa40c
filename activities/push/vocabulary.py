"""What notices can say of one kind of follow-up: the words of each stage, by what is asked, and of each ending."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Final

from activities.language import Language, phrase
from workflows.follow_up.stages import NotificationType, kind_of
from workflows.model.notices import NoticeAction, NotificationOrder
from workflows.model.subject import Status


@dataclass(frozen=True)
class NotificationText:
    """What a notice says: `title` names no document and `named` does, by `{document}`; `body` is one sentence.

    Where the title and the due date say it all there is no sentence. `closing` ones ask for nothing more, so they name
    no due date and are never urgent. `counts` says the title of a notice that has a number of people.
    """

    title: str
    named: str
    body: str = ""
    closing: bool = False
    counts: Callable[[Language, NotificationOrder], str] | None = None

    def told(self, language: Language, notice: NotificationOrder | None = None) -> "NotificationText":
        """The same in a language; with the numbers of a notice, if it has any."""
        title, named = language.say(self.title), language.say(self.named)
        if self.counts and notice and notice.count is not None:
            title = self.counts(language, notice)
            named = language.say("{what}: {document}", what=title, document="{document}")
        return replace(self, title=title, named=named, body=language.say(self.body) if self.body else "")


ByAction = Mapping[NoticeAction, NotificationText]


@dataclass(frozen=True)
class KindTexts:
    """The words of one kind; `first` is also said of a stage that is not known here."""

    first: ByAction
    stages: Mapping[NotificationType, ByAction]
    nobody_left: NotificationText
    unanswered: NotificationText
    unanswered_by_others: NotificationText
    endings: Mapping[Status, NotificationText]

    def words(self, stage: str, action: NoticeAction, *, to_requester: bool, overdue: bool) -> NotificationText:
        """The words of a notice before there is an ending."""
        kind = kind_of(stage)
        if kind is NotificationType.WARNING and overdue:
            kind = NotificationType.OVERDUE
        if kind is NotificationType.ESCALATION and to_requester:
            return self.nobody_left
        if kind is NotificationType.UNANSWERED:
            return self.unanswered if to_requester else self.unanswered_by_others
        known = self.stages.get(kind, self.first) if kind else self.first
        return known[action]


def alike(words: NotificationText) -> ByAction:
    """The same words whatever is asked."""
    return dict.fromkeys(NoticeAction, words)


REASSIGNED: Final = alike(
    NotificationText(
        phrase("Somebody else was asked instead"),
        phrase("Passed on: {document}"),
        phrase("Somebody else is asked now. Nothing is left for you to do."),
        closing=True,
    )
)
UNDELIVERED: Final = alike(
    NotificationText(
        phrase("Not everyone could be told"),
        phrase("Not everyone was told: {document}"),
        phrase("It has ended, but a system or team will not hear of it. Please see to it."),
    )
)
NEWS: Final = alike(
    NotificationText(
        phrase("Escalated"),
        phrase("Escalated: {document}"),
        phrase("Somebody who was asked has not acted, and somebody else was told."),
        closing=True,
    )
)
CANCELLED: Final = NotificationText(
    phrase("Cancelled"),
    phrase("Cancelled: {document}"),
    phrase("It was cancelled; nothing is left to do."),
    closing=True,
)
