"""What is on a page: a screen in somebody's language, and its shape before it has one."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Final

from activities.due import Deadline
from activities.language import Language, phrase
from starter.page.chips import Chip, Look
from starter.page.who_asks import NOBODY, Asker


class ScreenName(StrEnum):
    """Every screen there is; a page says which one it shows, whatever the language."""

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


_STATES: Final[Mapping[ScreenName, tuple[str, Look]]] = {
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


class FormAction(StrEnum):
    """What the button of a form does."""

    SIGN = "sign"
    RESEND = "resend"
    LATER = "later"
    HAND_OVER = "hand-over"
    FIND = "find"
    ASK = "ask"
    ANSWER = "answer"
    DONE = "done"
    BLOCK = "block"
    UNBLOCK = "unblock"
    AGAIN = "again"
    GO_ON = "go-on"
    STOP = "stop"


@dataclass(frozen=True)
class MainButton:
    """The one button of a screen, and what it says below."""

    act: FormAction
    label: str
    hint: str
    field: str | None = None
    """The label of a text to write above it; like what follows as an `PageOption` has it."""
    needed: bool = True
    lines: int = 1
    text: str = ""

    def told(self, language: Language) -> "MainButton":
        """The same in a language."""
        return replace(self, label=language.say(self.label), hint=language.say(self.hint))


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

    act: FormAction
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
class SignerRow:
    """Somebody who was asked, as an onlooker sees them: by name, and how far they are."""

    person: str
    state: Chip


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
    name: ScreenName
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
    button_at: str | None = None
    """The page of ours that the button asks, if it is not its own."""
    options: tuple[PageOption, ...] = ()
    exchanges: tuple[Exchange, ...] = ()
    signers: tuple[SignerRow, ...] = ()
    signers_are: str = ""
    retry_after: int | None = None
    look_again: bool = False
    back: str | None = None
    """The page of the onboarding that gave the link."""
    more: str | None = None
    """Where everything about it is and can be done, for whoever asked: its page at the desk."""


@dataclass(frozen=True)
class ScreenDraft:
    """A screen on which nothing of a request stands, in English: `told` in the reader's language it is a screen."""

    name: ScreenName
    status: int
    tone: ScreenTone
    heading: str
    sentences: tuple[str, ...] = ()
    button: MainButton | None = None
    retry_after: int | None = None
    look_again: bool = False

    def told(self, language: Language) -> Screen:
        """The screen in a language."""
        return Screen(
            language,
            self.name,
            self.status,
            self.tone,
            language.say(self.heading),
            tuple(language.say(sentence) for sentence in self.sentences),
            state=_state_of(self.name, language),
            button=self.button.told(language) if self.button else None,
            retry_after=self.retry_after,
            look_again=self.look_again,
        )


def _state_of(name: ScreenName, language: Language) -> Chip | None:
    if name not in _STATES:
        return None
    text, look = _STATES[name]
    return Chip(language.say(text), look)
