"""What a page says: one screen for each thing a signer or an onlooker may find behind their link. Pure.

Titles, endings and due dates are the notices' own words, the sentence about a request is `request show`'s.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from enum import StrEnum
from typing import Final
from zoneinfo import ZoneInfo

from activities.core_signature.signing_page import SigningPage, SigningState
from activities.push.words import due_sentence, words_for
from workflows.glance import RequestShow
from workflows.model import NoticeAction, SignerState, Status


class Tone(StrEnum):
    """How a screen looks."""

    ASK = "ask"
    CALM = "calm"
    DONE = "done"
    TROUBLE = "trouble"


class Act(StrEnum):
    """What the button of a form does."""

    SIGN = "sign"
    RESEND = "resend"


@dataclass(frozen=True)
class Button:
    """The one button of a screen, and what it says below."""

    act: Act
    label: str
    hint: str


@dataclass(frozen=True)
class SignerRow:
    """A signer as an onlooker sees them: by id, in words."""

    person: str
    state: str
    good: bool


@dataclass(frozen=True)
class Screen:
    """Everything that is on a page; `document` is a stranger's text, `retry_after` the seconds to wait."""

    status: int
    tone: Tone
    heading: str
    sentences: tuple[str, ...] = ()
    document: str | None = None
    due: str | None = None
    button: Button | None = None
    signers: tuple[SignerRow, ...] = ()
    retry_after: int | None = None


@dataclass(frozen=True)
class Reader:
    """Who looks: their id and the zone in which they read a clock."""

    person: str
    zone: ZoneInfo


NOT_OURS: Final = Screen(
    404,
    Tone.TROUBLE,
    "This link does not work",
    ("It may have been cut off when it was copied.", "Please open it again from the notice on your phone."),
)
FOREIGN_FORM: Final = Screen(
    403, Tone.TROUBLE, "Please open the link again", ("This form did not come from the page behind your link.",)
)
NO_ANSWER: Final = Screen(
    503,
    Tone.TROUBLE,
    "Please try again in a minute",
    ("Core Signature does not answer at the moment. Nothing is lost, and your link stays good.",),
    retry_after=30,
)
_STRANGER: Final = Screen(
    404,
    Tone.TROUBLE,
    "You are not among the signers",
    ("Core Signature does not ask you to sign this. Please ask whoever sent you the link.",),
)
_UNKNOWN: Final = Screen(
    404,
    Tone.TROUBLE,
    "There is nothing to sign here",
    (
        "If it was sent just now, try again in a minute.",
        "If it stays like this, please ask whoever sent it to you.",
    ),
    retry_after=30,
)
_PREPARING: Final = Screen(
    503,
    Tone.CALM,
    "It is being prepared",
    ("Core Signature is preparing the document. Please try again in a minute.",),
    retry_after=30,
)
_EARLY: Final = Screen(
    200,
    Tone.CALM,
    "It is not your turn yet",
    ("Somebody else signs first. You will be told when it is your turn.",),
)
_ACTED: Final = Screen(200, Tone.DONE, "Your part is done", ("Thank you. Nothing is left for you to do here.",))
_HANDED_OVER: Final = Screen(
    200,
    Tone.CALM,
    "It was handed over",
    ("Somebody else is asked instead of you. Nothing is left for you to do here.",),
)
_BY_MAIL: Final = Screen(
    200,
    Tone.ASK,
    "Your link is in your mail",
    (
        "Core Signature has sent you a mail about this document, with a link of your own in it.",
        "Please sign from that mail.",
    ),
    button=Button(Act.RESEND, "Send the mail again", "Everybody whose turn it is gets theirs again."),
)
MAIL_SENT: Final = Screen(
    200,
    Tone.DONE,
    "The mail is on its way",
    ("It comes from Core Signature and may take some minutes. Please look into your junk folder, too.",),
)
_PLAIN: Final = {
    SigningState.PREPARING: _PREPARING,
    SigningState.EARLY: _EARLY,
    SigningState.BY_MAIL: _BY_MAIL,
    SigningState.ACTED: _ACTED,
    SigningState.HANDED_OVER: _HANDED_OVER,
    SigningState.STRANGER: _STRANGER,
    SigningState.UNKNOWN: _UNKNOWN,
}
_SIGN_HINT: Final = "You go on to Core Signature, read the document there and then decide."
_SIGN_BUTTON: Final = Button(Act.SIGN, "Read and sign", _SIGN_HINT)
_APPROVE_BUTTON: Final = Button(Act.SIGN, "Read and approve", _SIGN_HINT)
_WITH_DUE_DATE: Final = (SigningState.OPEN, SigningState.EARLY, SigningState.BY_MAIL)

_STATE_WORDS: Final[Mapping[SignerState, str]] = {
    SignerState.WAITING: "not asked yet",
    SignerState.TURN: "asked",
    SignerState.VIEWED: "has opened it",
    SignerState.REASSIGNED: "handed over",
    SignerState.BOUNCED: "mail came back",
    SignerState.COPIED: "has a copy",
}
_GOOD: Final = (SignerState.SIGNED, SignerState.APPROVED, SignerState.COPIED)


def signing_screen(page: SigningPage, due_at: datetime | None, reader: Reader) -> Screen:
    """What a signer finds; the due date is on their own clock, and left out where it does not concern them."""
    if page.state is SigningState.ENDED:
        return ended_screen(page.outcome)
    screen = _asking(page) if page.state is SigningState.OPEN else _PLAIN[page.state]
    due = due_sentence(due_at, reader.zone) if due_at and page.state in _WITH_DUE_DATE else None
    return replace(screen, document=page.document, due=due)


def ended_screen(outcome: Status | None) -> Screen:
    """What is behind a link that died with its request: how it ended, and not even the document's name."""
    return Screen(410, Tone.CALM, "This request has ended", (*_ending(outcome), "Nothing is left for you to do."))


def status_screen(shown: RequestShow, reader: Reader) -> Screen:
    """What an onlooker finds: the sentence of `request show`, and who has signed.

    A signer gets only the ending: whom of ours we tell of it is not their business.
    """
    signs = reader.person in {line.person for line in shown.signers}
    told = _ending(shown.status, shown.document) if signs and shown.status.ended else (shown.says,)
    return Screen(
        200,
        _tone(shown),
        _status_heading(shown.status),
        told,
        document=shown.document or None,
        due=due_sentence(shown.due_at, reader.zone) if shown.due_at and not shown.status.ended else None,
        signers=tuple(
            SignerRow(line.person, _STATE_WORDS.get(line.state, str(line.state)), line.state in _GOOD)
            for line in shown.signers
        ),
    )


def _asking(page: SigningPage) -> Screen:
    action = NoticeAction.APPROVE if page.approves else NoticeAction.SIGN
    title = words_for("ready", action, None).title
    return Screen(200, Tone.ASK, title, button=_APPROVE_BUTTON if page.approves else _SIGN_BUTTON)


def _ending(outcome: Status | None, document: str | None = None) -> tuple[str, ...]:
    if outcome is None or not outcome.ended:
        return ()
    return (words_for("settled", NoticeAction.OPEN, outcome).body.format(document=document or "It"),)


def _status_heading(status: Status) -> str:
    if status.ended:
        return words_for("settled", NoticeAction.OPEN, status).title
    return "Being prepared" if status is Status.CONVERTING else "Waiting for signatures"


def _tone(shown: RequestShow) -> Tone:
    if shown.status is Status.SIGNED:
        return Tone.DONE
    return Tone.TROUBLE if shown.problem or shown.status is Status.FAILED else Tone.CALM
