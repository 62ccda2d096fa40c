"""What a page answers to a form that was not carried out: why not, and what was written into it is not lost. Pure."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Final

from activities.language import Language, phrase
from starter.page.options import WRITING, writing
from starter.page.screens import Draft, Screen, ScreenName, Tone
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
REFUSALS: Final = (
    phrase("there is no later reminder left"),
    phrase("that time has passed"),
    phrase("that is after the last warning"),
    phrase("a question is open already"),
    phrase("the question is empty"),
    phrase("the answer is empty"),
    phrase("it is blocked already"),
    phrase("the reason is empty"),
    phrase("the question is longer than 1000 characters"),
    phrase("the answer is longer than 1000 characters"),
    phrase("the reason is longer than 1000 characters"),
    phrase("the note is longer than 1000 characters"),
    phrase("they were told less than an hour ago"),
)
"""What a request has against a wish, as far as it is said in the reader's language; the rest stays English."""


def why_not(language: Language, refusal: str) -> str:
    """A refusal of the workflow as a page says it, without what the command has to offer."""
    return language.say(refusal.removesuffix(INSIST))


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
    written = replace(writing(act, form.get("value", ""), screen.language), text=text, unfolded=True)
    return replace(screen, options=(written, *(one for one in screen.options if one.act is not act)))
