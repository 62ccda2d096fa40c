"""The content of a page: a screen in a language, and its untranslated draft; who asks."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import date
from enum import StrEnum
from typing import Final

from activities.people.language import Language, phrase
from activities.people.reader import Deadline
from starter.web.acting.actions import Action
from starter.web.screens.status import Chip, Look

ERASED_HERE: Final = phrase("What was kept of this document was erased here.")
NOT_WHOLE: Final = phrase("What you sent did not arrive whole. Nothing was changed.")


@dataclass(frozen=True)
class Asker:
    """The requester for a page, empty where unknown; `message` is untrusted."""

    name: str = ""
    company: str = ""
    message: str = ""
    has_file: bool = False
    """Whether there is a document to draw."""
    version: str = ""
    """Of the document, with effective date and approver."""
    effective: date | None = None
    approver: str = ""


NOBODY: Final = Asker()
_SOON_SECONDS: Final = 120


class ScreenName(StrEnum):
    """Identifies a screen in any language."""

    NOT_OURS = "not-ours"
    TOO_OFTEN = "too-often"
    FOREIGN_FORM = "foreign-form"
    NO_ANSWER = "no-answer"
    NOT_DONE = "not-done"
    UNCERTAIN = "uncertain"
    RECEIVED = "received"
    STRANGER = "stranger"
    UNKNOWN = "unknown"
    PREPARING = "preparing"
    EARLY = "early"
    SIGN = "sign"
    APPROVE = "approve"
    REVIEW = "review"
    REVISE = "revise"
    DO = "do"
    CODE = "code"
    BY_MAIL = "by-mail"
    MAIL_SENT = "mail-sent"
    ACTED = "acted"
    HANDED_OVER = "handed-over"
    DECIDED = "decided"
    ENDED = "ended"
    NO_FILE = "no-file"
    ERASED = "erased"
    STANDING = "standing"
    RENEWED = "renewed"
    LINK_SENT = "link-sent"
    PREVIEW_OVER = "preview-over"
    USED_UP = "used-up"
    SIGNED = "signed"


class ScreenTone(StrEnum):
    ASK = "ask"
    CALM = "calm"
    DONE = "done"
    TROUBLE = "trouble"


@dataclass(frozen=True)
class Entry:
    """A one-line input; a `code` has digits only."""

    name: str
    label: str
    code: bool = False


@dataclass(frozen=True)
class MainButton:
    """The screen's main button, with hint and inputs. `to` is its URL, by default the page's own; on a desk screen a
    path below the desk.
    """

    act: Action | None
    label: str
    hint: str = ""
    field: str | None = None
    """A text's label; further fields as in `PageOption`."""
    is_needed: bool = True
    lines: int = 1
    text: str = ""
    entry: Entry | None = None
    upload: str = ""
    """The label of a PDF that goes with it."""
    quiet: bool = False
    """Whether something else on the screen leads."""
    to: str = ""

    def in_language(self, language: Language) -> "MainButton":
        """Translated."""
        entry = replace(self.entry, label=language.say(self.entry.label)) if self.entry else None
        hint = language.say(self.hint) if self.hint else ""
        field = language.say(self.field) if self.field else self.field
        upload = language.say(self.upload) if self.upload else ""
        return replace(self, label=language.say(self.label), hint=hint, field=field, entry=entry, upload=upload)


@dataclass(frozen=True)
class OptionButton:
    """A button's value and label, with `detail` on its own line."""

    value: str
    label: str
    detail: str = ""


@dataclass(frozen=True)
class PageOption:
    """A further action, folded. `field` is the label of a text, optional unless `is_needed`; `text` is its former
    content.
    """

    act: Action
    title: str
    hint: str
    choices: tuple[OptionButton, ...]
    field: str | None = None
    text: str = ""
    is_needed: bool = True
    unfolded: bool = False
    leads: bool = False
    """Whether its button is the primary one, if the screen has none."""
    lines: int = 4
    """Height of the text's field."""


@dataclass(frozen=True)
class AnsweredQuestion:
    """A question or obstacle, who raised it, and its answer."""

    asker: str
    question: str
    answer: str


@dataclass(frozen=True)
class PersonRow:
    """A person, their status, and since when."""

    name: str
    state: Chip | None = None
    at: str = ""


@dataclass(frozen=True)
class FileLink:
    """`path` is relative to the page, or below the desk."""

    path: str
    label: str


@dataclass(frozen=True)
class OfferedFiles:
    """The kept files that somebody may download; `erased` says so of those that are gone."""

    links: tuple[FileLink, ...] = ()
    erased: str = ""


NO_FILES: Final = OfferedFiles()


class OfferShows(StrEnum):
    """When the offer is to be seen: from the second visit on, and then only until it is taken, or always."""

    AGAIN = "again"
    UNTIL_ON = "until-on"
    ALWAYS = "always"


@dataclass(frozen=True)
class DeviceOffer:
    """That this browser may be notified: `address` takes its subscription with the public `key` and the `token`. The
    browser remembers in `slot` as whose device, `holder`, it is notified; neither names anybody.
    """

    address: str
    token: str
    key: str
    slot: str
    holder: str
    shows: OfferShows = OfferShows.AGAIN


class Nearness(StrEnum):
    """Of the due date, for its colour."""

    AHEAD = "ahead"
    TODAY = "today"
    PAST = "past"


@dataclass(frozen=True)
class Screen:
    """All content of a page; `document`, `text` and the requester's message are untrusted. `retry_after` is in seconds,
    `look_again` adds a link back to the page, `banner` says what was just done, `refusal` why it was not.
    """

    language: Language
    name: StrEnum
    status: int
    tone: ScreenTone
    heading: str
    sentences: tuple[str, ...] = ()
    quote: str = ""
    """Why somebody declined, or their answer, in their own words."""
    remarks: tuple[tuple[str, str], ...] = ()
    """What people wrote, each behind a sentence of ours."""
    comes: tuple[str, ...] = ()
    """Of a receipt: what happens next; it names the document already."""
    ticked: bool = False
    """Whether a tick shows that the reader is done."""
    document: str | None = None
    state: Chip | None = None
    """Status of it or of its reader."""
    text: str = ""
    due: Deadline | None = None
    nearness: Nearness = Nearness.AHEAD
    asker: Asker = NOBODY
    edition: tuple[str, ...] = ()
    """The document's version and effective date."""
    picture: str | None = None
    """URL of the document's first page."""
    reads: FileLink | None = None
    """The document that is to be reviewed."""
    version: str = ""
    """The number of its version, which goes with each form: nobody approves another than the page has shown."""
    progress: str | None = None
    banner: str | None = None
    refusal: str | None = None
    leading: FileLink | None = None
    """The first way to go on, above the button."""
    button: MainButton | None = None
    options: tuple[PageOption, ...] = ()
    exchanges: tuple[AnsweredQuestion, ...] = ()
    signers: tuple[PersonRow, ...] = ()
    signers_are: str = ""
    later_signers: tuple[PersonRow, ...] = ()
    """While others review it."""
    retry_after: int | None = None
    look_again: bool = False
    files: OfferedFiles = NO_FILES
    back: str | None = None
    """The onboarding's page that issued the link."""
    more_link: str | None = None
    """The requester's desk page."""
    away_link: str | None = None
    """The reader's page "I am away"."""
    own_link: str | None = None
    """The list of their documents at the desk, which asks them to sign in."""
    home: bool = False
    """Whether there is a link to the desk."""

    @property
    def may_retry_soon(self) -> bool:
        """Whether it is worth waiting before the page."""
        return self.retry_after is not None and self.retry_after <= _SOON_SECONDS


@dataclass(frozen=True)
class ScreenDraft:
    """An English screen without request data, to be translated by `told`."""

    name: StrEnum
    status: int
    heading: str
    sentences: tuple[str, ...] = ()
    leading: FileLink | None = None
    button: MainButton | None = None
    retry_after: int | None = None
    look_again: bool = False
    refusal: str | None = None
    home: bool = False
    tone: ScreenTone | None = None
    """Unless given by the status."""

    def in_language(self, language: Language, **values: object) -> Screen:
        """Translated, with `values` for placeholders."""
        return Screen(
            language,
            self.name,
            self.status,
            self.tone or (ScreenTone.TROUBLE if self.status >= 400 else ScreenTone.ASK),
            language.say(self.heading),
            tuple(language.say(sentence, **values) for sentence in self.sentences),
            refusal=language.say(self.refusal, **values) if self.refusal else None,
            home=self.home,
            state=_state_of(self.name, language),
            leading=replace(self.leading, label=language.say(self.leading.label)) if self.leading else None,
            button=self.button.in_language(language) if self.button else None,
            retry_after=self.retry_after,
            look_again=self.look_again,
        )


_STATES: Final[Mapping[str, tuple[str, Look]]] = {
    ScreenName.PREPARING: (phrase("being prepared"), Look.CALM),
    ScreenName.EARLY: (phrase("not your turn yet"), Look.CALM),
    ScreenName.SIGN: (phrase("waits for you"), Look.OPEN),
    ScreenName.APPROVE: (phrase("waits for you"), Look.OPEN),
    ScreenName.REVIEW: (phrase("waits for you"), Look.OPEN),
    ScreenName.REVISE: (phrase("waits for you"), Look.OPEN),
    ScreenName.DO: (phrase("waits for you"), Look.OPEN),
    ScreenName.BY_MAIL: (phrase("waits for you"), Look.OPEN),
    ScreenName.ACTED: (phrase("done"), Look.GOOD),
    ScreenName.HANDED_OVER: (phrase("handed over"), Look.CALM),
}
"""The reader's status by screen."""


def _state_of(name: StrEnum, language: Language) -> Chip | None:
    if name not in _STATES:
        return None
    text, look = _STATES[name]
    return Chip(language.say(text), look)


NOT_OURS: Final = ScreenDraft(
    ScreenName.NOT_OURS,
    404,
    phrase("This link does not work"),
    (
        phrase("It may have been cut off when it was copied."),
        phrase("Please open it again from the notice on your phone."),
    ),
)
FOREIGN_FORM: Final = ScreenDraft(
    ScreenName.FOREIGN_FORM,
    403,
    phrase("Please open the link again"),
    (phrase("This form did not come from the page behind your link."),),
    look_again=True,
)
NO_ANSWER: Final = ScreenDraft(
    ScreenName.NO_ANSWER,
    503,
    phrase("Please try again in a minute"),
    (phrase("Core Signature does not answer at the moment. Nothing is lost, and your link still works."),),
    retry_after=30,
)
NOT_KNOWN_NOW: Final = ScreenDraft(
    ScreenName.NO_ANSWER,
    503,
    phrase("Please try again in a minute"),
    (phrase("This cannot be looked up at the moment. Nothing is lost, and your link still works."),),
    retry_after=30,
)
"""Like `NO_ANSWER`, for our own side."""
TOO_OFTEN: Final = ScreenDraft(
    ScreenName.TOO_OFTEN,
    429,
    phrase("Please try again in a minute"),
    (phrase("Too many requests in a short time. Nothing is lost, and your link still works."),),
    retry_after=60,
)
ERASED: Final = ScreenDraft(ScreenName.ERASED, 410, phrase("It was erased"), (ERASED_HERE,), tone=ScreenTone.CALM)
NO_FILE: Final = ScreenDraft(
    ScreenName.NO_FILE,
    404,
    phrase("There is nothing to download here"),
    (
        phrase("If it has ended just now, try again in a minute."),
        phrase("If it stays like this, please ask whoever sent it to you."),
    ),
)
NOT_DONE: Final = ScreenDraft(
    ScreenName.NOT_DONE,
    503,
    phrase("Please try again in a minute"),
    (phrase("Your request was not carried out. Nothing is lost, and your link still works."),),
    retry_after=30,
)
CUT_OFF: Final = replace(NOT_DONE, status=400, sentences=(NOT_WHOLE,), retry_after=None, look_again=True)
"""The form came too slowly, or is too large."""
UNCERTAIN: Final = ScreenDraft(
    ScreenName.UNCERTAIN,
    503,
    phrase("We could not confirm this yet"),
    (phrase("It may still go through."), phrase("Please open your link again in a minute to see the result.")),
    retry_after=30,
)
RECEIVED: Final = ScreenDraft(
    ScreenName.RECEIVED,
    202,
    phrase("Received"),
    (
        phrase("We have your request. It will be carried out as soon as possible."),
        phrase("Please open your link again in a minute to see the result."),
    ),
    look_again=True,
    tone=ScreenTone.CALM,
)
"""The command is recorded; its result is not known yet."""
