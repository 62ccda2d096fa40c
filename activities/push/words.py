"""The words of notices, by stage and required action: what, until when, one action, and nobody's name.

They stand here in English; `Words.told` says them in the reader's language.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Final

import regex  # type: ignore[import-untyped]

from activities.language import Language, phrase
from workflows.follow_up.stages import Stage, kind_of
from workflows.model.notices import NoticeAction
from workflows.model.request import Status


@dataclass(frozen=True)
class Words:
    """A title, and a body in which `{document}` stands for the document's name.

    `closing` ones ask for nothing more, so they name no due date and are never urgent.
    """

    title: str
    body: str
    closing: bool = False

    def told(self, language: Language) -> "Words":
        """The same in a language."""
        return replace(self, title=language.say(self.title), body=language.say(self.body))


_ByAction = Mapping[NoticeAction, Words]


def _alike(words: Words) -> _ByAction:
    return dict.fromkeys(NoticeAction, words)


_FIRST: Final[_ByAction] = {
    NoticeAction.SIGN: Words(phrase("Your signature is needed"), phrase("Please sign {document}.")),
    NoticeAction.APPROVE: Words(phrase("Your approval is needed"), phrase("Please approve {document}.")),
    NoticeAction.OPEN: Words(phrase("A document for you"), phrase("Please read {document}.")),
}
_AGAIN: Final[_ByAction] = {
    NoticeAction.SIGN: Words(
        phrase("Reminder: your signature is needed"), phrase("Please sign {document}; it still waits for you.")
    ),
    NoticeAction.APPROVE: Words(
        phrase("Reminder: your approval is needed"), phrase("Please approve {document}; it still waits for you.")
    ),
    NoticeAction.OPEN: Words(phrase("Reminder: a document for you"), phrase("Please read {document}.")),
}
_LAST: Final[_ByAction] = {
    NoticeAction.SIGN: Words(
        phrase("Due soon: your signature is needed"), phrase("Please sign {document} before it expires.")
    ),
    NoticeAction.APPROVE: Words(
        phrase("Due soon: your approval is needed"), phrase("Please approve {document} before it expires.")
    ),
    NoticeAction.OPEN: Words(phrase("Due soon: a document for you"), phrase("Please read {document}.")),
}
_OVERDUE: Final[_ByAction] = {
    NoticeAction.SIGN: Words(
        phrase("Overdue: your signature is needed"), phrase("Please sign {document}; it still waits for you.")
    ),
    NoticeAction.APPROVE: Words(
        phrase("Overdue: your approval is needed"), phrase("Please approve {document}; it still waits for you.")
    ),
    NoticeAction.OPEN: Words(phrase("Overdue: a document for you"), phrase("Please read {document}.")),
}
_SNOOZED: Final[_ByAction] = {
    NoticeAction.SIGN: Words(
        phrase("As you asked: your signature is needed"),
        phrase("You asked to be reminded of {document} now. Please sign it."),
    ),
    NoticeAction.APPROVE: Words(
        phrase("As you asked: your approval is needed"),
        phrase("You asked to be reminded of {document} now. Please approve it."),
    ),
    NoticeAction.OPEN: Words(
        phrase("As you asked: a document for you"),
        phrase("You asked to be reminded of {document} now. Please read it."),
    ),
}
_QUESTION: Final = _alike(
    Words(
        phrase("A signer has a question"),
        phrase("Before signing {document}, a signer would like to know something. Please answer."),
    )
)
_UNANSWERED: Final = Words(
    phrase("A question still waits for your answer"),
    phrase("Before signing {document}, a signer would like to know something. Please answer."),
)
_UNANSWERED_BY_OTHERS: Final = Words(
    phrase("A signer's question waits for an answer"),
    phrase("A signer of {document} has asked something that nobody has answered. Please see to it."),
)
_BOUNCED: Final = _alike(
    Words(
        phrase("A mail to a signer came back"),
        phrase("The mail that asks for a signature on {document} could not be delivered. Please see to the address."),
    )
)
_MISSING: Final = _alike(
    Words(
        phrase("A signer cannot be reached"),
        phrase("{document} waits for somebody who is no longer in the directory. Please decide who is to sign."),
    )
)
_ANSWER: Final[_ByAction] = {
    NoticeAction.SIGN: Words(
        phrase("Your question was answered"), phrase("Please read the answer, then sign {document}.")
    ),
    NoticeAction.APPROVE: Words(
        phrase("Your question was answered"), phrase("Please read the answer, then approve {document}.")
    ),
    NoticeAction.OPEN: Words(phrase("Your question was answered"), phrase("Please read the answer about {document}.")),
}
_ESCALATION: Final[_ByAction] = {
    NoticeAction.SIGN: Words(
        phrase("Your signature is needed instead"), phrase("Please sign {document} in place of somebody who has not.")
    ),
    NoticeAction.APPROVE: Words(
        phrase("Your approval is needed instead"), phrase("Please approve {document} in place of somebody who has not.")
    ),
    NoticeAction.OPEN: Words(
        phrase("A signature is still missing"),
        phrase("{document} still waits for a signer, and you can act. Please see to it."),
    ),
}
_ESCALATED: Final[_ByAction] = {
    NoticeAction.SIGN: Words(
        phrase("Escalated: your signature is still missing"),
        phrase("Somebody who can act was told that {document} still waits. You can still sign it."),
    ),
    NoticeAction.APPROVE: Words(
        phrase("Escalated: your approval is still missing"),
        phrase("Somebody who can act was told that {document} still waits. You can still approve it."),
    ),
    NoticeAction.OPEN: Words(
        phrase("Escalated: a document still waits for you"),
        phrase("Somebody who can act was told that {document} still waits. Please read it."),
    ),
}
_REASSIGNED: Final = _alike(
    Words(
        phrase("Somebody else was asked instead"),
        phrase("{document} was passed on to somebody else. Nothing is left for you to do."),
        closing=True,
    )
)
_UNDELIVERED: Final = _alike(
    Words(
        phrase("Not everyone could be told"),
        phrase("{document} has ended, but a system or team will not hear of it. Please see to it."),
    )
)
_NOBODY_LEFT: Final = Words(
    phrase("Nobody else can be asked"),
    phrase("{document} still waits for a signer, and nobody is left who could act instead. Please decide what to do."),
)
_ENDED: Final = {
    Status.SIGNED: Words(phrase("Signed"), phrase("{document} has been signed by everyone."), closing=True),
    Status.DECLINED: Words(phrase("Declined"), phrase("{document} was declined by a signer."), closing=True),
    Status.EXPIRED: Words(phrase("Expired"), phrase("{document} was not signed in time."), closing=True),
    Status.CANCELLED: Words(
        phrase("Cancelled"), phrase("{document} was cancelled; nothing is left to do."), closing=True
    ),
    Status.FAILED: Words(
        phrase("Could not be sent"), phrase("{document} could not be sent for signature."), closing=True
    ),
}
_STAGES: Final = {
    Stage.REMINDER: _AGAIN,
    Stage.WARNING: _LAST,
    Stage.OVERDUE: _OVERDUE,
    Stage.SNOOZE: _SNOOZED,
    Stage.QUESTION: _QUESTION,
    Stage.ANSWER: _ANSWER,
    Stage.BOUNCED: _BOUNCED,
    Stage.MISSING: _MISSING,
    Stage.ESCALATION: _ESCALATION,
    Stage.ESCALATED: _ESCALATED,
    Stage.REASSIGNED: _REASSIGNED,
    Stage.UNDELIVERED: _UNDELIVERED,
}

_ISOLATE, _END_OF_ISOLATE = "\u2068", "\u2069"
_TURNING: Final = dict.fromkeys(map(ord, "\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069"))
_RIGHT_TO_LEFT: Final = regex.compile(r"[\p{Bidi_Class=R}\p{Bidi_Class=AL}\p{Bidi_Class=AN}]")


def words_for(
    stage: str, action: NoticeAction, outcome: Status | None, *, to_requester: bool = False, overdue: bool = False
) -> Words:
    """The words of one notice; an outcome speaks of the ending, whatever the stage is called.

    A stage may carry a number or more (`reminder-2`, `warning-2d.2`); one that is not known speaks as the first notice.
    An escalation that comes back to the requester says that nobody is left. Once it is `overdue` nothing is due soon.
    """
    if outcome in _ENDED:
        return _ENDED[outcome]
    kind = kind_of(stage)
    if kind is Stage.WARNING and overdue:
        kind = Stage.OVERDUE
    if kind is Stage.ESCALATION and to_requester:
        return _NOBODY_LEFT
    if kind is Stage.UNANSWERED:
        return _UNANSWERED if to_requester else _UNANSWERED_BY_OTHERS
    return _FIRST[action] if kind not in _STAGES else _STAGES[kind][action]


def unturned(name: str) -> str:
    """A document's name without the invisible characters that turn the direction of whatever follows."""
    return name.translate(_TURNING)


def isolated(name: str) -> str:
    """A name in a right-to-left script must not turn the order of the sentence around it."""
    return f"{_ISOLATE}{name}{_END_OF_ISOLATE}" if _RIGHT_TO_LEFT.search(name) else name
