"""Refused forms: the reason in the reader's words, with the entered text kept; form tokens. Pure."""

import base64
import hashlib
import hmac
import json
import secrets
from collections.abc import Awaitable, Mapping
from dataclasses import dataclass
from enum import Enum
from typing import Final, Protocol, TypeVar
from urllib.parse import urlsplit

import structlog
from pydantic import SecretStr
from starlette.requests import Request

from activities.people.language import Language, phrase
from starter.queries.commands import CommandRefused, NotAdmitted, NotConfirmed, NotRunning
from starter.temporal.connection import TemporalRefused
from starter.web.http.bodies import read_form
from workflows.model.commands import AnyCommand
from workflows.model.messages import Message
from workflows.model.receipts import Receipt
from workflows.model.rejections import Rejection


class FormFault(Enum):
    """Why a form is not read."""

    CUT_OFF = "cut off"
    FOREIGN = "foreign"


class Send(Protocol):
    """Sends a command to a follow-up, once for each `op`; raises as `carry_out` does."""

    def __call__(self, reference: str, command: AnyCommand, op: str, /, *, watched: bool = True) -> Awaitable[Receipt]:
        """The receipt; without `watched` as soon as it was taken."""
        ...


class FailureReason(Enum):
    REFUSED = "refused"
    UNSURE = "unsure"
    """Unknown whether it was done; sending it again is safe."""
    NOT_ADMITTED = "not admitted"
    ENDED = "ended"
    """The follow-up has ended."""


@dataclass(frozen=True)
class FormFailure:
    """A form that was not carried out; a refusal has its reason."""

    fault: FailureReason
    why: Message | None = None

    @property
    def status(self) -> int:
        """The HTTP status."""
        return 409 if self.fault is FailureReason.REFUSED else 503

    def says(self, language: Language) -> str:
        """The message on the form's page."""
        if self.fault is FailureReason.REFUSED:
            return language.say("This was not done: {why}.", why=refusal_text(language, self.why))
        return language.say(_UNSURE if self.fault is FailureReason.UNSURE else _NOT_ADMITTED)


_UNSURE: Final = phrase("We could not confirm this yet. Send it again: it is done only once.")
_NOT_ADMITTED: Final = phrase("This was not done: Temporal did not take it. Please try again in a minute.")
_LOGGER: Final = structlog.get_logger("countersign.pages")
Result = TypeVar("Result")


async def send_form(sending: Awaitable[Result], about: str) -> Result | FormFailure:
    """The result of sending a form about this follow-up."""
    try:
        return await sending
    except CommandRefused as refused:
        return FormFailure(FailureReason.REFUSED, refused.message)
    except NotConfirmed as unsure:
        _LOGGER.warning("form not confirmed", about=about, op=unsure.op)
        return FormFailure(FailureReason.UNSURE)
    except (NotAdmitted, TemporalRefused) as refused:
        _LOGGER.warning("form not carried out", about=about, why=str(refused))
        return FormFailure(FailureReason.NOT_ADMITTED)
    except NotRunning:
        return FormFailure(FailureReason.ENDED)


REFUSALS: Final[Mapping[str, str]] = {
    Rejection.TOO_LATE: phrase("it has ended already"),
    Rejection.HAS_ENDED: phrase("it has ended already"),
    Rejection.NO_REASON: phrase("a reason is needed"),
    Rejection.EMPTY: phrase("there is no text in it"),
    Rejection.ANSWER_NEEDED: phrase("an answer is needed"),
    Rejection.TOO_LONG: phrase("the text is longer than 1000 characters"),
    Rejection.UNSEEN: phrase("the text has something in it that people cannot see"),
    Rejection.OTHER_CONTENT: phrase("this page has sent something else already: open it again"),
    Rejection.NOT_DONE: phrase("it could not be done"),
    Rejection.NOBODYS_TURN: phrase("it is nobody's turn yet"),
    Rejection.NOT_THEIR_TURN: phrase("it is not your turn"),
    Rejection.JUST_TOLD: phrase("they were told less than an hour ago"),
    Rejection.PAUSED: phrase("it is paused: resume it first"),
    Rejection.PAUSED_ALREADY: phrase("it is paused already"),
    Rejection.NOT_PAUSED: phrase("it is not paused"),
    Rejection.TOO_FAR: phrase("that is more than two years away"),
    Rejection.PAST: phrase("that day has passed"),
    Rejection.NEARLY_OVER: phrase("that day is over, or nearly: choose a later one"),
    Rejection.NO_LATER_REMINDER: phrase("there is no later reminder left"),
    Rejection.TIME_PAST: phrase("that time has passed"),
    Rejection.AFTER_CLOSING: phrase("that is after it closes"),
    Rejection.AFTER_WARNING: phrase("that is after the last warning"),
    Rejection.QUESTION_OPEN: phrase("a question is open already"),
    Rejection.TOO_MANY_QUESTIONS: phrase("too many questions were asked already"),
    Rejection.NO_QUESTION: phrase("no question is open any more"),
    Rejection.BLOCKED: phrase("it is blocked already"),
    Rejection.NOT_BLOCKED: phrase("it is not blocked any more"),
    Rejection.NOT_ASKED: phrase("whoever is to be replaced was not asked"),
    Rejection.ONLY_COPIED: phrase("whoever is to be replaced only gets a copy"),
    Rejection.UNKNOWN_THERE: phrase("Core Signature does not ask whoever is to be replaced"),
    Rejection.HAS_ACTED: phrase("they have acted already"),
    Rejection.HAS_HANDED_OVER: phrase("whoever is to be replaced has handed over already"),
    Rejection.NOT_YET_THEIR_TURN: phrase("it is not yet the turn of whoever is to be replaced"),
    Rejection.ASKED_FOR_IT: phrase("the new person is the one who asked for it"),
    Rejection.ASKED_BEFORE: phrase("the new person was asked before"),
    Rejection.ASKED_ALREADY: phrase("the new person is asked already"),
    Rejection.NO_COLLEAGUE: phrase("the new person is none of those to whom it can be handed over"),
    Rejection.AWAY: phrase("the new person is away"),
    Rejection.DELEGATES_IN_A_CIRCLE: phrase("those who act for each other go round in a circle"),
    Rejection.ENDS_BEFORE: phrase("it ends before it begins"),
    Rejection.TOO_MANY_ABSENCES: phrase("too many absences were entered already"),
    Rejection.HANDED_OVER_TOO_OFTEN: phrase("it was handed over too often already"),
    Rejection.REFUSED_THERE: phrase("Core Signature refuses it: {says}"),
    Rejection.NO_GROUP: phrase("no group asked for it"),
    Rejection.ALL_HEAR: phrase("all of the group hear of it, whoever sees to it"),
    Rejection.TAKEN_TOO_OFTEN: phrase("it was taken on too often already"),
    Rejection.TAKEN_ALREADY: phrase("they see to it already"),
    Rejection.NOT_IN_AUDIENCE: phrase("they are not in the audience"),
    Rejection.OUT_ALREADY: phrase("they already need not acknowledge"),
    Rejection.NOT_OPEN: phrase("they are not asked any more"),
    Rejection.HAS_LATER: phrase("they have until a later day already"),
    Rejection.NOT_FAILED: phrase("they could be asked"),
    Rejection.NOBODY_FAILED: phrase("everybody could be asked"),
    Rejection.NOBODY_MENDED: phrase("what was wrong has not been corrected"),
    Rejection.NOT_IN_REVIEW: phrase("it is not in review any more"),
    Rejection.NO_REVIEWER: phrase("your review is not awaited any more"),
    Rejection.OWN_REVIEW: phrase("nobody reviews what they have asked for themselves"),
    Rejection.ONE_ANSWER: phrase("either approve it, or say what is to be changed"),
    Rejection.NO_CHANGES_ASKED: phrase("no changes are asked for any more"),
    Rejection.SAME_VERSION: phrase("the new version is identical to the old one"),
    Rejection.OLD_VERSION: phrase("there is a new version since then: read it first"),
    Rejection.EXEMPTS_OWN: phrase("nobody exempts the reviewers of what they have asked for themselves"),
    Rejection.LAST_REVIEWER: phrase("nobody would have approved it then"),
    Rejection.TO_DECIDE: phrase("it asks for a decision: decide on the page of the onboarding"),
    Rejection.NO_PART: phrase("the onboarding has no such part"),
    Rejection.NOTHING_TO_DECIDE: phrase("there is nothing to decide about it any more"),
    Rejection.NO_FILE: phrase("a replacement needs a file"),
    Rejection.STARTED_TOO_OFTEN: phrase("it was started too often already"),
    Rejection.OP_TOO_LONG: phrase("it could not be done"),
    Rejection.TOO_MANY_NAMES: phrase("it could not be done"),
    Rejection.IS_A_TARGET: phrase("it could not be done"),
    Rejection.TOO_MANY_SUBSCRIBERS: phrase("it could not be done"),
    Rejection.WAITS_FOR_PART: phrase("it could not be done"),
    Rejection.SUBSCRIBERS_HEAR: phrase("it has ended already"),
    Rejection.CANNOT_BE_TOLD: phrase("it could not be done"),
    Rejection.NEXT_TURN: phrase("it is the turn of others by now"),
    Rejection.AWAY_UNLESS_FORCED: phrase("the new person is away"),
    Rejection.NOT_IN_DIRECTORY: phrase("nobody in the directory has this name, id or address"),
    Rejection.TAKEN_MEANWHILE: phrase("another of you has just taken it on"),
    Rejection.NOT_IN_GROUP: phrase("you are not in the group that asks for it"),
    Rejection.NO_MEMBER_ID: phrase("they are not in the audience"),
    Rejection.CLOSING: phrase("it is being closed"),
    Rejection.NOT_OPENED: phrase("it has not opened yet"),
    Rejection.ENDS_WITH_A_DAY: phrase("a date such as 2026-12-11 is needed"),
    Rejection.ALL_HAVE_LATER: phrase("they have until a later day already"),
    Rejection.CHANGED_TOO_OFTEN: phrase("it was changed too often already"),
    Rejection.TOO_MANY_CHANGES: phrase("many changes are waiting: please try again in a few minutes"),
    Rejection.NOT_OF_CUSTOMER: phrase("it could not be done"),
    Rejection.NO_HAND_OFF_YET: phrase("it has not ended yet"),
    Rejection.NO_TARGET: phrase("this target is not told of it"),
    Rejection.NO_TARGETS: phrase("this target is not told of it"),
    Rejection.BEING_TOLD: phrase("this target is being told already"),
    Rejection.TOLD_ALREADY: phrase("this target was told already"),
    Rejection.NOT_TOLD: phrase("this target could not be told"),
    Rejection.NO_RECORD: phrase("it could not be done"),
    Rejection.NOT_RECALLED: phrase("it could not be done"),
    Rejection.GIVEN_UP: phrase("it could not be done"),
    Rejection.TOO_MANY_REPLAYS: phrase("it was asked for too often already"),
    Rejection.HAND_OFF_ENDING: phrase("the one before is just ending: please try again in a minute"),
    Rejection.NO_DATE: phrase("a date such as 2026-12-11 is needed"),
    Rejection.EARLIER_THAN_DUE: phrase("that day is earlier than when it is due"),
    Rejection.CANNOT_WAIT: phrase("it cannot be put off until then any more"),
    Rejection.NOBODY_OF_THAT_NAME: phrase("nobody in the directory has this name, id or address"),
    Rejection.SEVERAL_OF_THAT_NAME: phrase("several people have this name: choose one of them"),
    Rejection.CANNOT_TAKE: phrase("it cannot be handed over to this person any more"),
    Rejection.NO_VERSION: phrase(
        "it is no PDF that can be sent: empty, too large, of another kind, or with a password"
    ),
    Rejection.TOO_MANY_KINDS: phrase("too many kinds are chosen"),
    Rejection.NO_KIND: phrase("that kind is not in the catalogue"),
}
"""Rejections as pages say them, without subject and person, which the page shows."""


def refusal_text(language: Language, refusal: Message | None) -> str:
    """A rejection in words for its reader; empty without one, in English if it comes from newer code."""
    if refusal is None:
        return ""
    sentence = REFUSALS.get(refusal.code)
    return language.say(sentence, **refusal.values) if sentence else refusal.english


_CONTEXT: Final = b"countersign/form/v1\n"
_FROM_HERE: Final = ("same-origin", "none")
_HIDDEN: Final = "null"
"""`Origin` of a page whose referrer policy is `no-referrer`."""
_NONCE_BYTES: Final = 12
_OP_CHARACTERS: Final = 22


class FormGuard:
    """Tokens of forms behind a link; `base` is `LINK_BASE`."""

    def __init__(self, secret: SecretStr, base: str) -> None:
        self._key = hmac.digest(secret.get_secret_value().encode(), _CONTEXT, hashlib.sha256)
        self._origin = "://".join(urlsplit(base)[:2]).lower()

    def token(self, ref: str) -> str:
        """A new one each time."""
        nonce = secrets.token_urlsafe(_NONCE_BYTES)
        return f"{nonce}.{self._digest(ref, nonce)}"

    def accepts(self, ref: str, token: str, headers: Mapping[str, str]) -> bool:
        """Whether a form is ours (CSRF)."""
        nonce, _, digest = token.partition(".")
        if not hmac.compare_digest(self._digest(ref, nonce).encode(), digest.encode("utf-8", "replace")):
            return False
        if headers.get("sec-fetch-site", "none") not in _FROM_HERE:
            return False
        return headers.get("origin", _HIDDEN).lower() in (_HIDDEN, self._origin)

    async def posted(self, ref: str, request: Request) -> dict[str, str] | FormFault:
        """The form posted from the page of this link."""
        form = await read_form(request)
        if form is None:
            return FormFault.CUT_OFF
        return form if self.accepts(ref, form.get("token", ""), request.headers) else FormFault.FOREIGN

    def op(self, ref: str, form: Mapping[str, str]) -> str:
        """The command's `op`: equal for repeated posts, and not reversible."""
        return f"page-{self._digest(ref, json.dumps(form, sort_keys=True))[:_OP_CHARACTERS]}"

    def _digest(self, ref: str, text: str) -> str:
        digest = hmac.digest(self._key, f"{ref}\n{text}".encode("utf-8", "replace"), hashlib.sha256)
        return base64.urlsafe_b64encode(digest).decode().rstrip("=")
