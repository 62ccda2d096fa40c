"""What is on a page: a screen in somebody's language, and its shape before it has one."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import date
from enum import StrEnum
from typing import Final

from activities.people.language import Language, phrase
from activities.people.reader import Deadline
from starter.web.actions import Action
from starter.web.status import Chip, Look


@dataclass(frozen=True)
class Asker:
    """What a page says of whoever asks, each part empty where it is not known; `message` is a stranger's text."""

    name: str = ""
    company: str = ""
    message: str = ""
    has_file: bool = False
    """Whether there is a document of ours to draw."""
    version: str = ""
    """Of the document, with the day from which on it is in force, and the name of whoever approved it."""
    effective: date | None = None
    approver: str = ""


NOBODY: Final = Asker()


class ScreenName(StrEnum):
    """Every screen behind a link; a page says which one it shows, whatever the language."""

    NOT_OURS = "not-ours"
    TOO_OFTEN = "too-often"
    FOREIGN_FORM = "foreign-form"
    NO_ANSWER = "no-answer"
    NOT_DONE = "not-done"
    UNCERTAIN = "uncertain"
    UNDER_WAY = "under-way"
    STRANGER = "stranger"
    UNKNOWN = "unknown"
    PREPARING = "preparing"
    EARLY = "early"
    SIGN = "sign"
    APPROVE = "approve"
    DO = "do"
    BY_MAIL = "by-mail"
    MAIL_SENT = "mail-sent"
    ACTED = "acted"
    HANDED_OVER = "handed-over"
    DECIDED = "decided"
    ENDED = "ended"
    STANDING = "standing"
    RENEWED = "renewed"
    LINK_SENT = "link-sent"
    PREVIEW_OVER = "preview-over"


_STATES: Final[Mapping[str, tuple[str, Look]]] = {
    ScreenName.PREPARING: (phrase("being prepared"), Look.CALM),
    ScreenName.EARLY: (phrase("not your turn yet"), Look.CALM),
    ScreenName.SIGN: (phrase("waits for you"), Look.OPEN),
    ScreenName.APPROVE: (phrase("waits for you"), Look.OPEN),
    ScreenName.DO: (phrase("waits for you"), Look.OPEN),
    ScreenName.BY_MAIL: (phrase("waits for you"), Look.OPEN),
    ScreenName.ACTED: (phrase("done"), Look.GOOD),
    ScreenName.HANDED_OVER: (phrase("handed over"), Look.CALM),
}
"""How far its reader is, of the screens that say it of a document or a task."""


class ScreenTone(StrEnum):
    """How a screen looks."""

    ASK = "ask"
    CALM = "calm"
    DONE = "done"
    TROUBLE = "trouble"


@dataclass(frozen=True)
class Entry:
    """One line to type into, by its name in the form; a `code` has digits only."""

    name: str
    label: str
    code: bool = False


@dataclass(frozen=True)
class MainButton:
    """The one button of a screen, with what it says below and what is typed in above it.

    `to` is the address that it asks, empty for its own; on a screen of the desk it is a path below the desk.
    """

    act: Action | None
    label: str
    hint: str = ""
    field: str | None = None
    """The label of a text to write; like what follows as a `PageOption` has it."""
    needed: bool = True
    lines: int = 1
    text: str = ""
    entry: Entry | None = None
    to: str = ""

    def told(self, language: Language) -> "MainButton":
        """The same in a language."""
        entry = replace(self.entry, label=language.say(self.entry.label)) if self.entry else None
        hint = language.say(self.hint) if self.hint else ""
        return replace(self, label=language.say(self.label), hint=hint, entry=entry)


@dataclass(frozen=True)
class OptionButton:
    """One of the buttons of an option: what it posts, and what stands on it, `detail` in a line of its own."""

    value: str
    label: str
    detail: str = ""


@dataclass(frozen=True)
class PageOption:
    """Something else that can be done, folded away below its title.

    `field` is the label of a text to write, which may be left empty unless it is `needed`; `text` is what was written
    into it before.
    """

    act: Action
    title: str
    hint: str
    choices: tuple[OptionButton, ...]
    field: str | None = None
    text: str = ""
    needed: bool = True
    unfolded: bool = False
    leads: bool = False
    """Whether it is what the page is for: its button is the loud one, unless the screen has one."""
    lines: int = 4
    """How high the field for the text is."""


@dataclass(frozen=True)
class Exchange:
    """A question, or what stands in the way, in somebody's own words, who said it, and the answer once there is one."""

    asker: str
    question: str
    answer: str


@dataclass(frozen=True)
class PersonRow:
    """Somebody who was asked or is told, how far they are, and since when."""

    name: str
    state: Chip | None = None
    at: str = ""


class Nearness(StrEnum):
    """How near the due date is, for its colour."""

    AHEAD = "ahead"
    TODAY = "today"
    PAST = "past"


@dataclass(frozen=True)
class Screen:
    """Everything that is on a page; `document`, `text` and the asker's message are strangers' texts.

    `retry_after` are the seconds to wait, `look_again` has the way back to the page stand below, `banner` says what was
    just done, `refusal` why it was not.
    """

    language: Language
    name: StrEnum
    status: int
    tone: ScreenTone
    heading: str
    sentences: tuple[str, ...] = ()
    quote: str = ""
    """Why somebody declined, or what they answered, in their own words."""
    comes: tuple[str, ...] = ()
    """Of a receipt: what comes after what was done; its sentences name the document already."""
    ticked: bool = False
    """Whether a tick says that the reader has done what they were asked for."""
    document: str | None = None
    state: Chip | None = None
    """How far it is, or its reader."""
    text: str = ""
    due: Deadline | None = None
    nearness: Nearness = Nearness.AHEAD
    asker: Asker = NOBODY
    edition: tuple[str, ...] = ()
    """Which version of the document it is, and since when in force."""
    picture: str | None = None
    """Where the first page of the document is shown."""
    progress: str | None = None
    banner: str | None = None
    refusal: str | None = None
    button: MainButton | None = None
    options: tuple[PageOption, ...] = ()
    exchanges: tuple[Exchange, ...] = ()
    signers: tuple[PersonRow, ...] = ()
    signers_are: str = ""
    retry_after: int | None = None
    look_again: bool = False
    back: str | None = None
    """The page of the onboarding that gave the link."""
    more: str | None = None
    """Where everything about it is and can be done, for whoever asked: its page at the desk."""
    home: bool = False
    """Whether a way to the first page of the desk stands below."""


@dataclass(frozen=True)
class ScreenDraft:
    """A screen on which nothing of a request stands, in English: `told` in the reader's language it is a screen."""

    name: StrEnum
    status: int
    tone: ScreenTone
    heading: str
    sentences: tuple[str, ...] = ()
    button: MainButton | None = None
    retry_after: int | None = None
    look_again: bool = False
    refusal: str | None = None
    home: bool = False

    def told(self, language: Language, **values: object) -> Screen:
        """The screen in a language, with `values` for the placeholders of its sentences."""
        return Screen(
            language,
            self.name,
            self.status,
            self.tone,
            language.say(self.heading),
            tuple(language.say(sentence, **values) for sentence in self.sentences),
            refusal=language.say(self.refusal, **values) if self.refusal else None,
            home=self.home,
            state=_state_of(self.name, language),
            button=self.button.told(language) if self.button else None,
            retry_after=self.retry_after,
            look_again=self.look_again,
        )


def _state_of(name: StrEnum, language: Language) -> Chip | None:
    if name not in _STATES:
        return None
    text, look = _STATES[name]
    return Chip(language.say(text), look)


NOT_OURS: Final = ScreenDraft(
    ScreenName.NOT_OURS,
    404,
    ScreenTone.TROUBLE,
    phrase("This link does not work"),
    (
        phrase("It may have been cut off when it was copied."),
        phrase("Please open it again from the notice on your phone."),
    ),
)
FOREIGN_FORM: Final = ScreenDraft(
    ScreenName.FOREIGN_FORM,
    403,
    ScreenTone.TROUBLE,
    phrase("Please open the link again"),
    (phrase("This form did not come from the page behind your link."),),
    look_again=True,
)
NO_ANSWER: Final = ScreenDraft(
    ScreenName.NO_ANSWER,
    503,
    ScreenTone.TROUBLE,
    phrase("Please try again in a minute"),
    (phrase("Core Signature does not answer at the moment. Nothing is lost, and your link still works."),),
    retry_after=30,
)
NOT_KNOWN_NOW: Final = ScreenDraft(
    ScreenName.NO_ANSWER,
    503,
    ScreenTone.TROUBLE,
    phrase("Please try again in a minute"),
    (phrase("This cannot be looked up at the moment. Nothing is lost, and your link still works."),),
    retry_after=30,
)
"""As `NO_ANSWER`, when it is our own side that does not know."""
TOO_OFTEN: Final = ScreenDraft(
    ScreenName.TOO_OFTEN,
    429,
    ScreenTone.TROUBLE,
    phrase("Please try again in a minute"),
    (phrase("Too many requests in a short time. Nothing is lost, and your link still works."),),
    retry_after=60,
)
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
