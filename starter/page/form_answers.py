"""What a page answers to a form that was not carried out: why not, and what was written into it is not lost. Pure."""

import re
from collections.abc import Mapping
from dataclasses import replace
from string import Formatter
from typing import Final

from activities.language import Language, phrase
from starter.page.options import WRITING, writing
from starter.page.screens import Act, Draft, Screen, ScreenName, Tone
from workflows.model.objections import Objection
from workflows.model.texts import plain
from workflows.model.wishes import INSIST

NOT_WHOLE: Final = phrase("What you sent did not arrive whole. Nothing was changed.")
NOT_DONE: Final = Draft(
    ScreenName.NOT_DONE,
    503,
    Tone.TROUBLE,
    phrase("Please try again in a minute"),
    (phrase("Your request was not carried out. Nothing is lost, and your link still works."),),
    retry_after=30,
)
CUT_OFF: Final = replace(NOT_DONE, status=400, sentences=(NOT_WHOLE,), retry_after=None, look_again=True)
"""The form came over a line too slow for it, or is larger than any of ours."""
UNCERTAIN: Final = Draft(
    ScreenName.UNCERTAIN,
    503,
    Tone.TROUBLE,
    phrase("We could not confirm this yet"),
    (
        phrase("It may still go through."),
        phrase("Please open your link again in a minute to see the result."),
    ),
    retry_after=30,
)
UNDER_WAY: Final = Draft(
    ScreenName.UNDER_WAY,
    202,
    Tone.CALM,
    phrase("It is under way"),
    (
        phrase("We have your request. It will be carried out as soon as possible."),
        phrase("Please open your link again in a minute to see the result."),
    ),
    look_again=True,
)
"""It was taken, and is not done while a page can wait."""
REFUSALS: Final[Mapping[Objection, str]] = {
    Objection.TOO_LATE: phrase("it has ended already"),
    Objection.HAS_ENDED: phrase("it has ended already"),
    Objection.NO_REASON: phrase("a reason is needed"),
    Objection.EMPTY: phrase("there is no text in it"),
    Objection.ANSWER_NEEDED: phrase("an answer is needed"),
    Objection.TOO_LONG: phrase("the text is longer than 1000 characters"),
    Objection.UNSEEN: phrase("the text has something in it that people cannot see"),
    Objection.OTHER_CONTENT: phrase("this page has sent something else already: open it again"),
    Objection.NOT_DONE: phrase("it could not be done"),
    Objection.NOBODYS_TURN: phrase("it is nobody's turn yet"),
    Objection.NOT_THEIR_TURN: phrase("it is not your turn"),
    Objection.JUST_TOLD: phrase("they were told less than an hour ago"),
    Objection.PAUSED: phrase("it is paused: resume it first"),
    Objection.PAUSED_ALREADY: phrase("it is paused already"),
    Objection.NOT_PAUSED: phrase("it is not paused"),
    Objection.TOO_FAR: phrase("that is more than two years away"),
    Objection.PAST: phrase("that day has passed"),
    Objection.NEARLY_OVER: phrase("that day is over, or nearly: choose a later one"),
    Objection.NO_LATER_REMINDER: phrase("there is no later reminder left"),
    Objection.TIME_PAST: phrase("that time has passed"),
    Objection.AFTER_CLOSING: phrase("that is after it closes"),
    Objection.AFTER_WARNING: phrase("that is after the last warning"),
    Objection.QUESTION_OPEN: phrase("a question is open already"),
    Objection.TOO_MANY_QUESTIONS: phrase("too many questions were asked already"),
    Objection.NO_QUESTION: phrase("no question is open any more"),
    Objection.BLOCKED: phrase("it is blocked already"),
    Objection.NOT_BLOCKED: phrase("it is not blocked any more"),
    Objection.NOT_ASKED: phrase("whoever is to be replaced was not asked"),
    Objection.ONLY_COPIED: phrase("whoever is to be replaced only gets a copy"),
    Objection.UNKNOWN_THERE: phrase("Core Signature does not ask whoever is to be replaced"),
    Objection.HAS_ACTED: phrase("they have acted already"),
    Objection.HAS_HANDED_OVER: phrase("whoever is to be replaced has handed over already"),
    Objection.NOT_YET_THEIR_TURN: phrase("it is not yet the turn of whoever is to be replaced"),
    Objection.ASKED_FOR_IT: phrase("the new person is the one who asked for it"),
    Objection.ASKED_BEFORE: phrase("the new person was asked before"),
    Objection.ASKED_ALREADY: phrase("the new person is asked already"),
    Objection.NO_COLLEAGUE: phrase("the new person is none of those to whom it can be handed over"),
    Objection.AWAY: phrase("the new person is away"),
    Objection.HANDED_OVER_TOO_OFTEN: phrase("it was handed over too often already"),
    Objection.REFUSED_THERE: phrase("Core Signature refuses it"),
    Objection.NOT_IN_AUDIENCE: phrase("they are not in the audience"),
    Objection.OUT_ALREADY: phrase("they need not acknowledge already"),
    Objection.NOBODY_FAILED: phrase("everybody could be asked"),
    Objection.NOBODY_MENDED: phrase("what was wrong is wrong still"),
    Objection.TO_DECIDE: phrase("it asks for a decision: decide on the page of the onboarding"),
    Objection.NO_PART: phrase("the onboarding has no such part"),
    Objection.NOTHING_TO_DECIDE: phrase("there is nothing to decide about it any more"),
    Objection.NO_FILE: phrase("a replacement needs a file"),
    Objection.STARTED_TOO_OFTEN: phrase("it was started too often already"),
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


def _pattern(one: Objection) -> re.Pattern[str]:
    """What an objection is like whatever was put into it: its sentence comes from a worker, maybe of older code."""
    return re.compile(
        "".join(re.escape(text) + (".+" if name else "") for text, name, *_ in Formatter().parse(one.english)),
        re.DOTALL,
    )


def _literal(one: Objection) -> int:
    """How much of an objection's sentence is always the same."""
    return sum(len(text) for text, *_ in Formatter().parse(one.english))


_PATTERNS: Final = {one: _pattern(one) for one in sorted(Objection, key=_literal, reverse=True)}
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
    if act is Act.DONE and screen.button and screen.button.field:
        return replace(screen, button=replace(screen.button, text=text))
    written = replace(writing(act, form.get("value", ""), screen.language), text=text, unfolded=True)
    return replace(screen, options=(written, *(one for one in screen.options if one.act is not act)))
