"""What a page answers to a form that was not carried out: why not, and what was written into it is not lost. Pure."""

import base64
import hashlib
import hmac
import json
import re
import secrets
from collections.abc import Mapping
from dataclasses import replace
from string import Formatter
from typing import Final
from urllib.parse import urlsplit

from pydantic import SecretStr

from activities.people.language import Language, phrase
from starter.web.actions import WRITING, writing
from starter.web.screens import FormAction, Screen, ScreenDraft, ScreenName, ScreenTone
from workflows.model.commands import INSIST
from workflows.model.rejections import Rejection, plain

NOT_WHOLE: Final = phrase("What you sent did not arrive whole. Nothing was changed.")
NOT_DONE: Final = ScreenDraft(
    ScreenName.NOT_DONE,
    503,
    ScreenTone.TROUBLE,
    phrase("Please try again in a minute"),
    (phrase("Your request was not carried out. Nothing is lost, and your link still works."),),
    retry_after=30,
)
CUT_OFF: Final = replace(NOT_DONE, status=400, sentences=(NOT_WHOLE,), retry_after=None, look_again=True)
"""The form came over a line too slow for it, or is larger than any of ours."""
UNCERTAIN: Final = ScreenDraft(
    ScreenName.UNCERTAIN,
    503,
    ScreenTone.TROUBLE,
    phrase("We could not confirm this yet"),
    (
        phrase("It may still go through."),
        phrase("Please open your link again in a minute to see the result."),
    ),
    retry_after=30,
)
UNDER_WAY: Final = ScreenDraft(
    ScreenName.UNDER_WAY,
    202,
    ScreenTone.CALM,
    phrase("It is under way"),
    (
        phrase("We have your request. It will be carried out as soon as possible."),
        phrase("Please open your link again in a minute to see the result."),
    ),
    look_again=True,
)
"""It was taken, and is not done while a page can wait."""
REFUSALS: Final[Mapping[Rejection, str]] = {
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
    Rejection.HANDED_OVER_TOO_OFTEN: phrase("it was handed over too often already"),
    Rejection.REFUSED_THERE: phrase("Core Signature refuses it"),
    Rejection.NOT_IN_AUDIENCE: phrase("they are not in the audience"),
    Rejection.OUT_ALREADY: phrase("they need not acknowledge already"),
    Rejection.NOBODY_FAILED: phrase("everybody could be asked"),
    Rejection.NOBODY_MENDED: phrase("what was wrong is wrong still"),
    Rejection.TO_DECIDE: phrase("it asks for a decision: decide on the page of the onboarding"),
    Rejection.NO_PART: phrase("the onboarding has no such part"),
    Rejection.NOTHING_TO_DECIDE: phrase("there is nothing to decide about it any more"),
    Rejection.NO_FILE: phrase("a replacement needs a file"),
    Rejection.STARTED_TOO_OFTEN: phrase("it was started too often already"),
}
"""What a workflow has against a wish, as pages say it: whom and what it is about stands on them already."""


def why_not(language: Language, refusal: str) -> str:
    """A refusal as a page says it, without what the command has to offer; one of a page's own is a phrase."""
    return objected(language, refusal) or language.say(refusal)


def objected(language: Language, refusal: str) -> str:
    """What a workflow has against something, in words for its reader; empty for what no objection is said like."""
    said = refusal.removesuffix(INSIST)
    found = next((one for one, pattern in _PATTERNS.items() if pattern.fullmatch(said)), None)
    return language.say(REFUSALS[found]) if found else ""


def _pattern(one: Rejection) -> re.Pattern[str]:
    """What an objection is like whatever was put into it: its sentence comes from a worker, maybe of older code."""
    return re.compile(
        "".join(re.escape(text) + (".+" if name else "") for text, name, *_ in Formatter().parse(one.english)),
        re.DOTALL,
    )


def _literal(one: Rejection) -> int:
    """How much of an objection's sentence is always the same."""
    return sum(len(text) for text, *_ in Formatter().parse(one.english))


_PATTERNS: Final = {one: _pattern(one) for one in sorted(Rejection, key=_literal, reverse=True)}
"""Whatever says most comes first: `that time has passed` is like `{day} has passed`."""


def refused(screen: Screen, why: str, form: Mapping[str, str]) -> Screen:
    """The screen on which somebody wished for something that was not done; `why` is the workflow's sentence."""
    say = screen.language.say
    return replace(
        kept(screen, form), status=409, refusal=say("This was not done: {why}.", why=why_not(screen.language, why))
    )


def kept(screen: Screen, form: Mapping[str, str]) -> Screen:
    """The screen with the option that a form came from unfolded, and in it what was written."""
    act = next((act for act in WRITING if act == form.get("act")), None)
    if act is None:
        options = (replace(one, unfolded=one.act == form.get("act")) for one in screen.options)
        return replace(screen, options=tuple(options))
    text = plain(form.get("text", ""))
    if act is FormAction.DONE and screen.button and screen.button.field:
        return replace(screen, button=replace(screen.button, text=text))
    written = replace(writing(act, form.get("value", ""), screen.language), text=text, unfolded=True)
    return replace(screen, options=(written, *(one for one in screen.options if one.act is not act)))


_CONTEXT: Final = b"countersign/form/v1\n"
_FROM_HERE: Final = ("same-origin", "none")
_HIDDEN: Final = "null"
"""What a browser calls the origin of a page whose referrer policy is `no-referrer`."""
_NONCE_BYTES: Final = 12
_OP_CHARACTERS: Final = 22


class FormGuard:
    """Makes and checks the hidden token of the forms behind one link; `base` is the public `LINK_BASE`."""

    def __init__(self, secret: SecretStr, base: str) -> None:
        self._key = hmac.digest(secret.get_secret_value().encode(), _CONTEXT, hashlib.sha256)
        self._origin = "://".join(urlsplit(base)[:2]).lower()

    def token(self, ref: str) -> str:
        """What the forms of this link carry: another one each time their page is shown."""
        nonce = secrets.token_urlsafe(_NONCE_BYTES)
        return f"{nonce}.{self._digest(ref, nonce)}"

    def accepts(self, ref: str, token: str, headers: Mapping[str, str]) -> bool:
        """Whether a posted form is our own."""
        nonce, _, digest = token.partition(".")
        if not hmac.compare_digest(self._digest(ref, nonce).encode(), digest.encode("utf-8", "replace")):
            return False
        if headers.get("sec-fetch-site", "none") not in _FROM_HERE:
            return False
        return headers.get("origin", _HIDDEN).lower() in (_HIDDEN, self._origin)

    def op(self, ref: str, form: Mapping[str, str]) -> str:
        """The name of this one change: the same however often a form is posted, and nothing can be read from it."""
        return f"page-{self._digest(ref, json.dumps(form, sort_keys=True))[:_OP_CHARACTERS]}"

    def _digest(self, ref: str, text: str) -> str:
        digest = hmac.digest(self._key, f"{ref}\n{text}".encode("utf-8", "replace"), hashlib.sha256)
        return base64.urlsafe_b64encode(digest).decode().rstrip("=")
