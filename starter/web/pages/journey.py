"""The page of an onboarding for the customer and their colleagues: `/journey/{ref}`.

Other people are shown by role only; parts that the customer is not told of are counted. A script reloads the page while
it is looked at. A GET changes nothing; the one form sends a new link to its owner.
"""

import asyncio
import hashlib
import time
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import StrEnum
from typing import Final

import structlog
from markupsafe import Markup
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Route

from activities.notifications.links import LinkContent, LinkUse, SigningLinks, Through, build_relative_link, use_of
from activities.notifications.words import isolated, words_for
from activities.people.directory import Directory, DirectoryFailure
from activities.people.language import Language, phrase
from activities.people.reader import Deadline, Reader
from activities.records.store import Store
from starter.queries.lookup import of_type
from starter.queries.onboarding import FRESH_SECONDS
from starter.web.acting.actions import Action
from starter.web.acting.forms import FailureReason, FormFailure, FormFault, FormGuard, Send, send_form
from starter.web.http.allowances import MailPause
from starter.web.pages.devices import LinkDevices
from starter.web.pages.link_screens import ended_screen, nearness_of
from starter.web.pages.visits import RENEWED, PageVisit, Visits
from starter.web.screens.rendering import OURS, TEMPLATES, Brand, Renderer
from starter.web.screens.screens import (
    CUT_OFF,
    FOREIGN_FORM,
    NOT_KNOWN_NOW,
    NOT_OURS,
    DeviceOffer,
    Nearness,
    Screen,
    ScreenDraft,
    ScreenName,
    ScreenTone,
)
from starter.web.screens.status import Chip, StateOwner, chip_of, ending_sentences, stage_sentences, status_chip
from starter.web.screens.view_reader import ReadView, ViewCache
from starter.web.screens.web_app import DEVICE_SCRIPT
from workflows.follow_up.notification_types import NotificationType
from workflows.kinds import Kind, named, referred
from workflows.model.commands import NewLink
from workflows.model.notifications import NoticeAction
from workflows.model.subject import Status
from workflows.model.views import OnboardingShow, PartLine

PEOPLE_LOOKED_UP_AT_MOST: Final = 60
"""The rest are taken for our own people."""
PARTS_SHOWN_AT_MOST: Final = 20
"""In a section; the rest are counted."""
_CUSTOMER: Final = "customer"
_LONG_AGO: Final = datetime.min.replace(tzinfo=UTC)
_STANDS_STILL: Final = phrase("It stands still at the moment. Please ask whoever sent it to you.")
_IN_THE_WAY: Final = phrase("Since {since} something is in the way. Nothing is lost.")
_LABELS: Final = {LinkUse.SIGN: phrase("Read and sign"), LinkUse.DO: phrase("Open this step")}
_LINK_SENT: Final = ScreenDraft(
    ScreenName.LINK_SENT,
    200,
    phrase("The link is on its way"),
    (phrase("It comes to your phone, or by email. Please check your junk folder as well."),),
    tone=ScreenTone.DONE,
)
_PREVIEW_OVER: Final = ScreenDraft(
    ScreenName.PREVIEW_OVER,
    410,
    phrase("This preview is over"),
    (phrase("Please ask for another one where you got it."),),
    tone=ScreenTone.CALM,
)
_SENT: Final = "sent"
_VERSION: Final = 16
_PAGE: Final = Kind.ONBOARDING.spec.page
_LOGGER: Final = structlog.get_logger("countersign.pages")


@dataclass(frozen=True)
class AskedPerson:
    """`id` is the part's name for them, `who` is the same everywhere."""

    id: str
    who: str
    since: datetime


@dataclass(frozen=True)
class JourneyView:
    """An onboarding and the people its parts wait for, by part.

    `customers` maps the ids of the customer and their colleagues to who they are.
    """

    view: OnboardingShow
    customers: Mapping[str, str]
    asked_by_part: Mapping[str, tuple[AskedPerson, ...]]


class JourneyReader:
    """Reads an onboarding for all its pages; never raises."""

    def __init__(self, look: ReadView, directory: Directory) -> None:
        self._look = look
        self._directory = directory

    async def __call__(self, reference: str) -> JourneyView | None:
        view = await self._look(reference)
        if view is None or (view.partial and not view.status.has_ended):
            return None
        view = of_type(OnboardingShow, view)
        ids = (view.customer, *view.colleagues)
        whos = await asyncio.gather(*(self._identify(id, referred(reference).workflow_id) for id in ids))
        return JourneyView(view, dict(zip(ids, whos, strict=True)), await self._asked_by_part(view))

    async def _asked_by_part(self, view: OnboardingShow) -> dict[str, tuple[AskedPerson, ...]]:
        theirs = {part.id: part for stage in view.stages for part in stage.parts if _may_be_theirs(part)}
        waiting = [turn for turn in view.waiting_for if turn.part in theirs][:PEOPLE_LOOKED_UP_AT_MOST]
        whos = await asyncio.gather(
            *(self._identify(turn.person, theirs[turn.part].workflow or "") for turn in waiting)
        )
        people_by_part: dict[str, tuple[AskedPerson, ...]] = defaultdict(tuple)
        for turn, identity in zip(waiting, whos, strict=True):
            people_by_part[turn.part] += (AskedPerson(turn.person, identity, turn.since),)
        return people_by_part

    async def _identify(self, id: str, workflow_id: str) -> str:
        """Identifies a person across files by e-mail address or number."""
        try:
            return (await self._directory.person(id, workflow_id)).address.casefold()
        except DirectoryFailure:
            return f"{workflow_id}/{id}"


def kind_of(part: PartLine) -> Kind | None:
    """The kind of a part; None before its start."""
    name = named(part.workflow) if part.workflow else None
    return name.kind if name else None


class JourneyPlace(StrEnum):
    """Sections in their order."""

    YOURS = "yours"
    COLLEAGUE = "colleague"
    OURS = "ours"
    NEXT = "next"
    DONE = "done"


@dataclass(frozen=True)
class JourneyRow:
    """`title` is untrusted text, `href` the reader's own page."""

    title: str
    says: tuple[str, ...] = ()
    due: Deadline | None = None
    nearness: Nearness = Nearness.AHEAD
    href: str | None = None
    label: str = ""


@dataclass(frozen=True)
class JourneySection:
    """`more` counts hidden rows."""

    name: JourneyPlace
    heading: str
    rows: tuple[JourneyRow, ...]
    more_text: str = ""


@dataclass(frozen=True)
class JourneyStep:
    """A stage; `here` marks the current one."""

    name: str
    state: Chip
    is_current: bool


@dataclass(frozen=True)
class JourneyScreen:
    """The whole page; it is `live` until the end.

    `steps` are all stages, `steps_are` the current one in words.
    """

    language: Language
    tone: ScreenTone
    heading: str
    title: str
    state: Chip
    steps: tuple[JourneyStep, ...]
    steps_are: str
    sentences: tuple[str, ...]
    due: Deadline | None
    sections: tuple[JourneySection, ...]
    live: bool
    banner: str | None = None


@dataclass(frozen=True)
class JourneyVisitor:
    """The reader and their link."""

    claim: LinkContent
    reader: Reader
    links: SigningLinks

    @property
    def id(self) -> str:
        return self.claim.person

    @property
    def acts(self) -> bool:
        return self.claim.use is LinkUse.VIEW


def journey_screen(journey: JourneyView, visitor: JourneyVisitor, now: datetime) -> JourneyScreen:
    view, language = journey.view, visitor.reader.language
    stands_still = bool(view.trouble) and not view.status.has_ended
    sorter = _JourneySorter(journey, visitor, now)
    sections = tuple(_sections(sorter, stands_still=stands_still))
    yours = 0 if stands_still else len(sorter.rows_of(JourneyPlace.YOURS)[0])
    return JourneyScreen(
        language,
        _tone(view, yours),
        _heading(view, yours, language),
        view.title,
        status_chip(view.status, language, Kind.ONBOARDING),
        tuple(_steps(view, language)),
        " ".join(stage_sentences(view, language)) or language.say("Stages"),
        tuple(_sentences(view, visitor.reader)),
        Deadline.sentence(view.due_at, visitor.reader, now) if view.due_at and not view.status.has_ended else None,
        sections,
        live=not view.status.has_ended,
        banner=None
        if visitor.acts
        else language.say("A preview of what the customer sees. Nothing can be done from here, and it closes soon."),
    )


class Journeys:
    def __init__(
        self,
        links: SigningLinks,
        directory: Directory,
        store: Store,
        guard: FormGuard,
        *,
        look: ReadView,
        send: Send,
        devices: LinkDevices,
        brand: Brand = OURS,
        clock: Callable[[], datetime] = lambda: datetime.now(UTC),
        seconds: Callable[[], float] = time.monotonic,
    ) -> None:
        self._links = links
        self._visits = Visits(links, directory, store, clock)
        self._guard = guard
        self._look = ViewCache(JourneyReader(look, directory), seconds, fresh=FRESH_SECONDS)
        self._send = send
        self._clock = clock
        self._mail_pause = MailPause(store, clock)
        self._cards = Renderer(brand)
        self._devices = devices
        script = (TEMPLATES / "journey.js").read_text()
        self._renderer = Renderer(brand, script=script)
        self._installable = Renderer(brand, script=script + DEVICE_SCRIPT, installable=True)

    def routes(self) -> list[BaseRoute]:
        path = f"/{_PAGE}/{{ref}}"
        return [Route(path, self.open, methods=["GET"]), Route(path, self.act, methods=["POST"])]

    async def open(self, request: Request) -> Response:
        visit = await self._visit(request)
        if isinstance(visit, Response):
            return visit
        journey = await self._look(visit.claim.request, visit.claim.request)
        if journey is None:
            return self._card(NOT_KNOWN_NOW, visit)
        if visit.claim.person not in journey.customers:
            return self._card(NOT_OURS, visit)
        visitor = JourneyVisitor(visit.claim, visit.reader, self._links)
        screen = journey_screen(journey, visitor, self._clock())
        return self._page(screen, await self._devices.offer(visit, journey.view), request.query_params.get("since", ""))

    def _page(self, screen: JourneyScreen, device: DeviceOffer | None, seen_version: str) -> Response:
        """The page, or 204 when `seen_version` is its version."""
        renderer = self._installable if device else self._renderer
        main = renderer.rendered("journey_main.html", screen.language, screen=screen)
        version = hashlib.sha256(main.encode()).hexdigest()[:_VERSION]
        if version == seen_version:
            return Response(status_code=204, headers=dict(renderer.headers))
        live = f' data-version="{version}"' if screen.live else ""
        # It was rendered, so it must not be escaped.
        markup = Markup(f"<main{live}>\n{main}</main>")  # noqa: S704
        return renderer.page("journey.html", screen.language, screen=screen, main=markup, device=device)

    async def act(self, request: Request) -> Response:
        """Send a new link, or show the page."""
        visit = await self._visits.read(request)
        if isinstance(visit, Screen):
            return self._cards.screen(visit)
        form = await self._guard.posted(visit.ref, request)
        if isinstance(form, FormFault):
            return self._card(CUT_OFF if form is FormFault.CUT_OFF else FOREIGN_FORM, visit)
        if self._dead(visit) is not RENEWED or form.get("act") != Action.RESEND:
            return self._cards.onward(visit.ref)
        sent = await send_form(self._send_anew(visit, form), visit.claim.request)
        if isinstance(sent, FormFailure) and sent.fault is FailureReason.ENDED:
            return self._cards.screen(ended_screen(None, visit.reader.language, Kind.ONBOARDING))
        return self._card(NOT_KNOWN_NOW, visit) if sent else self._cards.onward(f"{visit.ref}?link={_SENT}")

    async def _send_anew(self, visit: PageVisit, form: dict[str, str]) -> None:
        claim = visit.claim
        async with self._mail_pause.asking(f"{claim.request}/{claim.person}") as may_be:
            if may_be:
                await self._send(claim.request, NewLink(actor=claim.person), self._guard.op(visit.ref, form))

    async def _visit(self, request: Request) -> PageVisit | Response:
        visit = await self._visits.read(request)
        if isinstance(visit, Screen):
            return self._cards.screen(visit)
        dead = self._dead(visit)
        if dead is RENEWED and request.query_params.get("link") == _SENT:
            dead = _LINK_SENT
        return self._card(dead, visit) if dead else visit

    def _dead(self, visit: PageVisit) -> ScreenDraft | None:
        """Why a genuine link opens nothing."""
        claim = visit.claim
        if referred(claim.request).kind.spec.page != _PAGE or claim.use not in (LinkUse.VIEW, LinkUse.PREVIEW):
            return NOT_OURS
        if claim.until and claim.until <= self._clock():
            return _PREVIEW_OVER
        if claim.use is LinkUse.PREVIEW:
            return None if claim.until else NOT_OURS
        return RENEWED if visit.renewed else None

    def _card(self, draft: ScreenDraft, visit: PageVisit) -> Response:
        screen = draft.in_language(visit.reader.language)
        return self._cards.screen(screen, self._guard.token(visit.ref) if screen.button else "")


def _may_be_theirs(part: PartLine) -> bool:
    """Whether it may ask one of the customer's people."""
    kind = kind_of(part)
    return part.status not in (None, Status.REVIEW, Status.CONVERTING) and (
        part.told or (kind is not None and kind.spec.document)
    )


_HEADINGS: Final = {
    JourneyPlace.YOURS: phrase("Your turn"),
    JourneyPlace.COLLEAGUE: phrase("With your colleagues"),
    JourneyPlace.OURS: phrase("With us"),
    JourneyPlace.NEXT: phrase("What comes next"),
    JourneyPlace.DONE: phrase("Done"),
}
_SINCE: Final = {
    JourneyPlace.YOURS: phrase("Waiting for you since {since}."),
    JourneyPlace.COLLEAGUE: phrase("With a colleague of yours since {since}."),
    JourneyPlace.OURS: phrase("With our team since {since}."),
}


def _tone(view: OnboardingShow, yours: int) -> ScreenTone:
    if view.status.has_ended:
        return ScreenTone.DONE if view.status.fulfilled else ScreenTone.CALM
    return ScreenTone.TROUBLE if view.trouble else ScreenTone.ASK if yours else ScreenTone.CALM


def _heading(view: OnboardingShow, yours: int, language: Language) -> str:
    if view.status.has_ended:
        return (
            words_for(NotificationType.SETTLED, NoticeAction.OPEN, view.status, subject_kind=Kind.ONBOARDING)
            .translate(language)
            .title
        )
    if yours:
        return language.say_count("{count} thing waits for you", "{count} things wait for you", yours)
    return language.say("Nothing for you to do now")


def _sentences(view: OnboardingShow, reader: Reader) -> Iterator[str]:
    say = reader.language.say
    if view.status.has_ended:
        yield from ending_sentences(view.status, reader.language, Kind.ONBOARDING)
        return
    if view.trouble:
        yield say(_STANDS_STILL)
    elif view.problem:
        yield say(_IN_THE_WAY, since=reader.instant(view.problem.since))


def _steps(view: OnboardingShow, language: Language) -> Iterator[JourneyStep]:
    for stage in view.stages:
        state = chip_of(StateOwner.STAGE, stage.state, language)
        yield JourneyStep(stage.name, state, is_current=stage.name == view.stage and not view.status.has_ended)


def _sections(sorter: "_JourneySorter", *, stands_still: bool) -> Iterator[JourneySection]:
    for section in JourneyPlace:
        if stands_still and section is not JourneyPlace.DONE:
            continue
        rows, hidden = sorter.rows_of(section)
        if not rows and not hidden:
            continue
        say, visible = sorter.say, rows[:PARTS_SHOWN_AT_MOST]
        hidden_count = hidden + len(rows) - len(visible)
        remark = say.say_count("and {count} more", "and {count} more", hidden_count) if hidden_count and visible else ""
        if not visible:
            remark = say.say("We are at work on it.")
        yield JourneySection(section, say.say(_HEADINGS[section]), visible, remark)


class _JourneySorter:
    """Sorts parts into sections."""

    def __init__(self, journey: JourneyView, visitor: JourneyVisitor, now: datetime) -> None:
        self.say = visitor.reader.language
        self._journey = journey
        self._visitor = visitor
        self._now = now
        self._me = journey.customers.get(visitor.id)
        self._rows: dict[JourneyPlace, list[JourneyRow]] = {section: [] for section in JourneyPlace}
        self._done_rows: list[tuple[datetime, JourneyRow]] = []
        self._hidden = 0
        self._sort()

    def rows_of(self, section: JourneyPlace) -> tuple[tuple[JourneyRow, ...], int]:
        """Rows of a section and the number of hidden ones; newest first when done."""
        if section is JourneyPlace.DONE:
            return tuple(row for _, row in sorted(self._done_rows, key=lambda dated_row: dated_row[0], reverse=True)), 0
        return tuple(self._rows[section]), self._hidden if section is JourneyPlace.OURS else 0

    def _sort(self) -> None:
        for stage in self._journey.view.stages:
            if stage.state == "coming" and not stage.parts:
                # Where nobody has anything to do it says where all of it leads.
                if stage is self._journey.view.stages[-1]:
                    self._rows[JourneyPlace.NEXT].append(
                        JourneyRow(stage.name, (self.say.say("Then everything is done."),))
                    )
                continue
            if stage.state == "coming":
                titles = self.say.enumerate(isolated(part.title) for part in _named(stage.parts))
                self._rows[JourneyPlace.NEXT].append(JourneyRow(stage.name, (titles,) if titles else ()))
                continue
            for part in stage.parts:
                self._sort_in(part)

    def _sort_in(self, part: PartLine) -> None:
        people = self._journey.asked_by_part.get(part.id, ())
        own_turn = next((person for person in people if person.who == self._me), None)
        if part.state in ("open", "undecided"):
            if own_turn:
                self._rows[JourneyPlace.YOURS].append(self._row(part, JourneyPlace.YOURS, own_turn.since, own_turn.id))
            elif part.told or self._of_customer(people):
                section = self._section_of(part, people)
                since_at = part.at if part.state == "undecided" else people[0].since if people else part.since
                self._rows[section].append(self._row(part, section, since_at))
            else:
                self._hidden += 1
        elif part.told and part.state == "done":
            self._is_done(part.title, part.at, self._describe_instant(part.at))
        elif part.told and part.state == "waived":
            self._is_done(part.title, part.at, (self.say.say("not required"),))

    def _is_done(self, title: str, ended_at: datetime | None, sentences: tuple[str, ...]) -> None:
        self._done_rows.append((ended_at or _LONG_AGO, JourneyRow(title, sentences)))

    def _of_customer(self, people: tuple[AskedPerson, ...]) -> bool:
        return any(person.who in self._journey.customers.values() for person in people)

    def _section_of(self, part: PartLine, people: tuple[AskedPerson, ...]) -> JourneyPlace:
        """The section of a part that is not the reader's; before it answers, by the file's team."""
        if part.state == "undecided" or part.team != _CUSTOMER or part.status is not None:
            return JourneyPlace.COLLEAGUE if part.state == "open" and self._of_customer(people) else JourneyPlace.OURS
        return JourneyPlace.YOURS if self._visitor.id == self._journey.view.customer else JourneyPlace.COLLEAGUE

    def _row(
        self, part: PartLine, section: JourneyPlace, since_at: datetime | None, me: str | None = None
    ) -> JourneyRow:
        reader, due_at, kind = self._visitor.reader, part.due_at, kind_of(part)
        return JourneyRow(
            part.title,
            (self.say.say(_SINCE[section], since=reader.shortly(since_at, self._now)),) if since_at else (),
            Deadline.sentence(due_at, reader, self._now) if due_at else None,
            nearness_of(due_at, reader, self._now) if due_at else Nearness.AHEAD,
            self._own_page(part, kind, me) if me and kind and self._visitor.acts else None,
            self.say.say(_LABELS[use_of(kind)]) if kind else "",
        )

    def _own_page(self, part: PartLine, kind: Kind, me: str) -> str | None:
        """Valid as long as this page's link."""
        name, claim = named(part.workflow or ""), self._visitor.claim
        if name is None:
            return None
        through, day = Through(claim.request, claim.person), claim.noticed_on
        link = self._visitor.links.link(name.reference, me, use_of(kind), claim.serial, noticed_on=day, through=through)
        return build_relative_link(link)

    def _describe_instant(self, instant: datetime | None) -> tuple[str, ...]:
        return (self._visitor.reader.shortly(instant, self._now),) if instant else ()


def _named(parts: Iterable[PartLine]) -> list[PartLine]:
    return [part for part in parts if part.told][:PARTS_SHOWN_AT_MOST]
