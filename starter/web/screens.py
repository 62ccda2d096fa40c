"""What is on a page: a screen in somebody's language, and its shape before it has one."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import date, datetime
from enum import StrEnum
from typing import Final

from activities.documents.errors import StoreFailure
from activities.people.directory import COLLEAGUES_AT_MOST, DirectoryFailure, Office
from activities.people.language import Language, phrase
from activities.people.person import Person
from activities.people.reader import Deadline, Reader
from activities.records.cover_sheet import CoverSheet
from activities.records.rows import StoragePrefix
from activities.records.store import Store
from activities.records.texts import Reference
from starter.web.status import Chip, Look, people_in
from workflows.model.views import Shown, TaskShow


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


@dataclass(frozen=True)
class StandIns:
    """To whom somebody might hand over."""

    people: tuple[Person, ...] = ()
    find: bool = False
    """Whether there are more, of whom one is looked for by name."""
    nobody: bool = False
    """Whether nobody has the name that was looked for."""


def _may_hand_over(shown: Shown, person: str) -> bool:
    return any(one.person == person and one.hand_over for one in shown.choices)


class WhoAsks:
    """Looks up, for the page of a request, the people beside its reader; what cannot be looked up is left out."""

    def __init__(self, directory: Office, store: Store, company: str = "") -> None:
        self._directory = directory
        self._store = store
        self._company = company

    async def __call__(self, request: str | None, requester: str) -> Asker:
        """Who asks, by the requester's id; what else there is to say of it stands beside a request alone."""
        cover = await self._cover(request) if request else None
        message = await self._message(request, cover) if request and cover else ""
        asker = Asker(await self._name(requester), self._company, message, bool(cover and cover.sha256))
        if cover is None or not (cover.version or cover.effective):
            return asker
        approver = await self._name(cover.approver) if cover.approver else ""
        return replace(asker, version=cover.version, effective=cover.effective, approver=approver)

    async def stand_ins(self, shown: Shown, person: Person | None, words: str = "", also: str = "") -> StandIns:
        """To whom somebody might hand over: the colleagues whom a task names, else whom the directory names for them.

        Where the directory names nobody it is one of those who work with them: of many one is looked for by `words` of
        the name, or `also` known by the id. Whom the directory does not know, or while it does not answer, is left out.
        """
        delegate = person.delegate if person else None
        named = shown.colleagues if isinstance(shown, TaskShow) else ()
        beside = shown.type.workflow_id(shown.id)
        if person and not named and not delegate and _may_hand_over(shown, person.id):
            return await self._colleagues(person.id, words, also)
        found = [await self._person(id, beside) for id in named or filter(None, (delegate,))]
        return StandIns(tuple(one for one in found if one))

    async def successors(self, shown: Shown, person: Person | None) -> tuple[Person, ...]:
        """Who has the place that somebody gave away, as far as they may know it: one to whom they might have."""
        given = [one.to for one in shown.escalations if person and one.from_ == person.id]
        known = (await self.stand_ins(shown, person)).people
        if not person or not given or any(one.id in given for one in known):
            return known
        return (await self._colleagues(person.id, "", given[-1])).people

    async def _colleagues(self, person: str, words: str, also: str) -> StandIns:
        try:
            found = await self._directory.colleagues(person, words, also)
        except DirectoryFailure:
            return StandIns()
        looked = bool(words.strip())
        return StandIns(found.people, find=found.total > COLLEAGUES_AT_MOST, nobody=looked and not found.people)

    async def names_of(self, shown: Shown) -> dict[str, str]:
        """What those who were asked are called, by their ids, as far as the directory says it."""
        beside = shown.type.workflow_id(shown.id)
        ids = {*people_in(shown), *(line.person for line in shown.lines), *(one.person for one in shown.questions)}
        ids |= {line.target for line in shown.handoffs}
        found = {id: await self._name(id, beside) for id in ids}
        return {id: name for id, name in found.items() if name}

    async def _name(self, person: str, beside: str | None = None) -> str:
        found = await self._person(person, beside)
        return found.name if found else ""

    async def _person(self, id: str, beside: str | None) -> Person | None:
        try:
            return await self._directory.person(id, beside)
        except DirectoryFailure:
            return None

    async def _message(self, request: str, cover: CoverSheet) -> str:
        """Nothing once it was erased."""
        reference = Reference.read(cover.message or "")
        if reference is None:
            return cover.message or ""
        try:
            return await self._store.texts.read(StoragePrefix.of_request(request), reference) or ""
        except StoreFailure:
            return ""

    async def _cover(self, request: str) -> CoverSheet | None:
        try:
            return await CoverSheet.read(self._store, request)
        except (StoreFailure, ValueError):
            return None


def edition_of(asker: Asker, reader: Reader, now: datetime) -> tuple[str, ...]:
    """Which version is acknowledged, from when on it is in force, and who approved it, as far as it is known."""
    say, effective, told = reader.language.say, asker.effective, []
    when = reader.date(effective) if effective else ""
    if effective and asker.version:
        in_force = effective <= reader.day(now)
        known = {"version": asker.version, "date": when}
        told.append(
            say("You acknowledge version {version}, in force since {date}.", **known)
            if in_force
            else say("You acknowledge version {version}, in force from {date} on.", **known)
        )
    elif asker.version:
        told.append(say("You acknowledge version {version}.", version=asker.version))
    elif effective:
        told.append(say("In force from {date} on.", date=when))
    if asker.approver:
        told.append(say("Approved by {who}.", who=asker.approver))
    return tuple(told)


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

    act: FormAction | None
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
