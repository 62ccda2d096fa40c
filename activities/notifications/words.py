"""English texts of notices by kind, stage, required action and outcome, without names of people; translated by
`NotificationText.told`.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Final

import regex  # type: ignore[import-untyped]

from activities.people.language import Language, phrase
from workflows.follow_up.notification_types import NotificationType, kind_of
from workflows.kinds import Kind
from workflows.model.notifications import NoticeAction, NotificationOrder
from workflows.model.subject import Status


@dataclass(frozen=True)
class NotificationText:
    """`title` names no document, `named` does by `{document}`; `body` is one sentence or empty. `closing` texts ask for
    nothing: no due date, never urgent. `counts` is the title with a number of people.
    """

    title: str
    named: str
    body: str = ""
    closing: bool = False
    counts: Callable[[Language, NotificationOrder], str] | None = None

    def told(self, language: Language, notice: NotificationOrder | None = None) -> "NotificationText":
        """Translated, with the numbers of `notice`."""
        title, named = language.say(self.title), language.say(self.named)
        if self.counts and notice and notice.count is not None:
            title = self.counts(language, notice)
            named = language.say("{what}: {document}", what=title, document="{document}")
        return replace(self, title=title, named=named, body=language.say(self.body) if self.body else "")


ByAction = Mapping[NoticeAction, NotificationText]


@dataclass(frozen=True)
class KindTexts:
    """The texts of one kind; `first` also serves unknown stages."""

    first: ByAction
    stages: Mapping[NotificationType, ByAction]
    nobody_left: NotificationText
    unanswered: NotificationText
    unanswered_by_others: NotificationText
    endings: Mapping[Status, NotificationText]

    def words(self, stage: str, action: NoticeAction, *, to_requester: bool, overdue: bool) -> NotificationText:
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
    """The same text for each action."""
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


_DO: Final = phrase("To do: {document}")


def _to_do(title: str, body: str = "") -> ByAction:
    """The same text for each action on a task."""
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


_ONBOARDING_NEWS: Final = NotificationText(
    phrase("An update on your onboarding"), phrase("News: {document}"), "", closing=True
)
_SAID: Final = NotificationText(phrase("An update on your onboarding"), "{document}", "", closing=True)
"""The first line of a person's free text is the title."""
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


_SIGN: Final = phrase("Sign: {document}")
_APPROVE: Final = phrase("Approve: {document}")
_READ: Final = phrase("Read: {document}")
_ASKED_FIRST: Final = phrase("Question: {document}")
_MISSES_ONE: Final = phrase("Signature missing: {document}")
_STILL_WAITS: Final = phrase("It still waits for you.")
_SOON: Final = phrase("Little time is left.")
_AS_ASKED: Final = phrase("You asked to be reminded now.")
_ANSWERED: Final = phrase("Your question has been answered.")
_INSTEAD: Final = phrase("You are asked in place of somebody who has not acted.")
_TOLD_AS_WELL: Final = phrase("Somebody who can act was told. You can still act yourself.")


def _by_action(sign: str, approve: str, read: str, body: str = "") -> ByAction:
    """Titles for signing, approving and reading, with one sentence for all."""
    return {
        NoticeAction.SIGN: NotificationText(sign, _SIGN, body),
        NoticeAction.APPROVE: NotificationText(approve, _APPROVE, body),
        NoticeAction.OPEN: NotificationText(read, _READ, body),
    }


_FIRST: Final = _by_action(
    phrase("Your signature is needed"), phrase("Your approval is needed"), phrase("A document for you")
)
_AGAIN: Final = _by_action(
    phrase("Reminder: your signature is needed"),
    phrase("Reminder: your approval is needed"),
    phrase("Reminder: a document for you"),
    _STILL_WAITS,
)
_LAST: Final = _by_action(
    phrase("Due soon: your signature is needed"),
    phrase("Due soon: your approval is needed"),
    phrase("Due soon: a document for you"),
    _SOON,
)
_OVERDUE: Final = _by_action(
    phrase("Overdue: your signature is needed"),
    phrase("Overdue: your approval is needed"),
    phrase("Overdue: a document for you"),
    _STILL_WAITS,
)
_SNOOZED: Final = _by_action(
    phrase("As you asked: your signature is needed"),
    phrase("As you asked: your approval is needed"),
    phrase("As you asked: a document for you"),
    _AS_ASKED,
)
_QUESTION: Final = alike(
    NotificationText(
        phrase("A signer has a question"),
        _ASKED_FIRST,
        phrase("A signer would like to know something first. Please answer."),
    )
)
_UNANSWERED: Final = NotificationText(
    phrase("A question still waits for your answer"),
    _ASKED_FIRST,
    phrase("A signer still waits for your answer."),
)
_UNANSWERED_BY_OTHERS: Final = NotificationText(
    phrase("A signer's question waits for an answer"),
    _ASKED_FIRST,
    phrase("Nobody has answered a signer's question. Please see to it."),
)
_BOUNCED: Final = alike(
    NotificationText(
        phrase("An email to a signer came back"),
        phrase("Email came back: {document}"),
        phrase("The email to a signer could not be delivered. Please check the address."),
    )
)
_MISSING: Final = alike(
    NotificationText(
        phrase("A signer cannot be reached"),
        phrase("Signer out of reach: {document}"),
        phrase("It waits for somebody who is no longer in the directory. Please decide who is to sign."),
    )
)
_NOT_SENT: Final = alike(
    NotificationText(
        phrase("A document could not be sent yet"),
        phrase("Not sent yet: {document}"),
        phrase(
            "Core Signature is still preparing it, so nobody has been asked. Please see to it, or cancel it and start "
            "it again."
        ),
    )
)
_UNREACHED: Final = alike(
    NotificationText(
        phrase("A signer cannot be reached"),
        phrase("Signer out of reach: {document}"),
        phrase(
            "They have not opened it on their phone, and we cannot tell whether an email or text arrived. "
            "Please see to it."
        ),
    )
)


def _sent_together(language: Language, notice: NotificationOrder) -> str:
    return language.say_count("{count} request sent", "{count} requests sent", notice.count or 0)


_FOLLOW: Final = alike(
    NotificationText(
        phrase("Sent for signature"),
        phrase("Sent: {document}"),
        phrase("You can follow it at the desk."),
        closing=True,
        counts=_sent_together,
    )
)
_ANSWER: Final = _by_action(
    phrase("Your question was answered"),
    phrase("Your question was answered"),
    phrase("Your question was answered"),
    _ANSWERED,
)
_ESCALATION: Final[ByAction] = {
    NoticeAction.SIGN: NotificationText(phrase("Your signature is needed instead"), _SIGN, _INSTEAD),
    NoticeAction.APPROVE: NotificationText(phrase("Your approval is needed instead"), _APPROVE, _INSTEAD),
    NoticeAction.OPEN: NotificationText(
        phrase("A signature is still missing"),
        _MISSES_ONE,
        phrase("It still waits for a signer, and you can act. Please see to it."),
    ),
}
_ESCALATED: Final = _by_action(
    phrase("Escalated: your signature is still missing"),
    phrase("Escalated: your approval is still missing"),
    phrase("Escalated: a document still waits for you"),
    _TOLD_AS_WELL,
)
_NOBODY_LEFT: Final = NotificationText(
    phrase("Nobody else can be asked"),
    phrase("Nobody left to ask: {document}"),
    phrase("It still waits for a signer, and nobody is left who could act instead. Please decide what to do."),
)
_UNCALLED: Final = alike(
    NotificationText(
        phrase("Callbacks do not arrive"),
        phrase("No callbacks: {document}"),
        phrase("Requests hear of signatures some minutes late. Please see to the receiver."),
    )
)
_CALLED: Final = alike(
    NotificationText(
        phrase("Callbacks arrive again"),
        phrase("Callbacks again: {document}"),
        phrase("Nothing is left to do."),
        closing=True,
    )
)
_CLOCK_BEHIND: Final = alike(
    NotificationText(
        phrase("The receiver's clock is behind"),
        phrase("Receiver's clock behind: {document}"),
        phrase("It takes no callback before its own clock has come to it. Please set that clock."),
    )
)
_HANDOFF_FAILING: Final = alike(
    NotificationText(
        phrase("A system takes no hand-offs"),
        phrase("No hand-offs: {document}"),
        phrase("It has not answered for half an hour. What it is to hear is tried again by itself."),
    )
)
_HANDOFF_DEAD: Final = alike(
    NotificationText(
        phrase("A system is not told any more"),
        phrase("Not told any more: {document}"),
        phrase("It has refused, or has not answered for three days. Please see to it."),
    )
)
_HANDOFF_RECOVERED: Final = alike(
    NotificationText(
        phrase("A system takes hand-offs again"),
        phrase("Hand-offs again: {document}"),
        phrase("It answers again. What never reached it may be handed off once more."),
        closing=True,
    )
)
_PUSH_REFUSED: Final = alike(
    NotificationText(
        phrase("Credentials for pushes are refused"),
        phrase("Refused: {document}"),
        phrase(
            "Phones that need them are told nothing. "
            "Please see to the credentials: what waits is told once they are good."
        ),
    )
)
_PUSH_RECOVERED: Final = alike(
    NotificationText(
        phrase("Credentials for pushes are taken again"),
        phrase("Let in again: {document}"),
        phrase("What waited is told by itself."),
        closing=True,
    )
)
_ENDED: Final = {
    Status.SIGNED: NotificationText(
        phrase("Signed"), phrase("Signed: {document}"), phrase("It has been signed by everyone."), closing=True
    ),
    Status.DECLINED: NotificationText(
        phrase("Declined"), phrase("Declined: {document}"), phrase("It was declined by a signer."), closing=True
    ),
    Status.EXPIRED: NotificationText(
        phrase("Expired"), phrase("Expired: {document}"), phrase("It was not signed in time."), closing=True
    ),
    Status.CANCELLED: CANCELLED,
    Status.FAILED: NotificationText(
        phrase("Could not be sent"),
        phrase("Could not be sent: {document}"),
        phrase("It could not be sent for signature."),
        closing=True,
    ),
}
OWN_REFUSAL: Final = NotificationText(
    phrase("You declined"), phrase("You declined: {document}"), phrase("Nothing is left for you to do."), closing=True
)
"""To the one who declined."""
SIGNED_ALONE: Final = replace(_ENDED[Status.SIGNED], body=phrase("It has been signed."))
"""For an only signer."""
_STAGES: Final = {
    NotificationType.FOLLOW: _FOLLOW,
    NotificationType.REMINDER: _AGAIN,
    NotificationType.WARNING: _LAST,
    NotificationType.OVERDUE: _OVERDUE,
    NotificationType.SNOOZE: _SNOOZED,
    NotificationType.FALLBACK: _AGAIN,
    NotificationType.QUESTION: _QUESTION,
    NotificationType.ANSWER: _ANSWER,
    NotificationType.BOUNCED: _BOUNCED,
    NotificationType.MISSING: _MISSING,
    NotificationType.UNREACHED: _UNREACHED,
    NotificationType.NOT_SENT: _NOT_SENT,
    NotificationType.ESCALATION: _ESCALATION,
    NotificationType.ESCALATED: _ESCALATED,
    NotificationType.REASSIGNED: REASSIGNED,
    NotificationType.UNDELIVERED: UNDELIVERED,
    NotificationType.UNCALLED: _UNCALLED,
    NotificationType.CALLED: _CALLED,
    NotificationType.CLOCK_BEHIND: _CLOCK_BEHIND,
    NotificationType.HANDOFF_FAILING: _HANDOFF_FAILING,
    NotificationType.HANDOFF_DEAD: _HANDOFF_DEAD,
    NotificationType.HANDOFF_RECOVERED: _HANDOFF_RECOVERED,
    NotificationType.PUSH_REFUSED: _PUSH_REFUSED,
    NotificationType.PUSH_RECOVERED: _PUSH_RECOVERED,
    NotificationType.NEWS: NEWS,
}
TEXTS: Final[dict[Kind, KindTexts]] = {
    Kind.REQUEST: KindTexts(_FIRST, _STAGES, _NOBODY_LEFT, _UNANSWERED, _UNANSWERED_BY_OTHERS, _ENDED),
    Kind.TASK: TASKS,
    Kind.ONBOARDING: ONBOARDINGS,
    Kind.CAMPAIGN: CAMPAIGNS,
}
"""What each kind says; a further kind adds its own."""

_ISOLATE, _END_OF_ISOLATE = "\u2068", "\u2069"
_TURNING: Final = dict.fromkeys(map(ord, "\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069"))
_RIGHT_TO_LEFT: Final = regex.compile(r"[\p{Bidi_Class=R}\p{Bidi_Class=AL}\p{Bidi_Class=AN}]")


def words_for(
    stage: str,
    action: NoticeAction,
    outcome: Status | None,
    *,
    of: Kind = Kind.REQUEST,
    to_requester: bool = False,
    overdue: bool = False,
) -> NotificationText:
    """One notice's text; with an `outcome` that of the ending. A stage may carry numbers (`reminder-2`,
    `warning-2d.2`); unknown stages use the first notice's text. An escalation that returns to the requester says that
    nobody is left. `overdue` texts do not say that something is due soon.
    """
    known = TEXTS[of]
    if outcome and (ending := known.endings.get(outcome)):
        return ending
    return known.words(stage, action, to_requester=to_requester, overdue=overdue)


def unturned(name: str) -> str:
    """A document's name without invisible characters that change the text direction."""
    return name.translate(_TURNING)


def isolated(name: str) -> str:
    """The name in directional isolates, so that a right-to-left name does not reorder the sentence."""
    return f"{_ISOLATE}{name}{_END_OF_ISOLATE}" if _RIGHT_TO_LEFT.search(name) else name
