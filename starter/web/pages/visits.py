"""The visitor of a link, why they may not enter, and the people around them."""

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Final

import structlog
from starlette.requests import Request

from activities.errors import StoreFailure
from activities.notifications.links import FIRST_SERIAL, BadLink, LinkContent, LinkUse, SigningLinks, Through
from activities.people.directory import COLLEAGUES_AT_MOST, Directory, DirectoryFailure, Office, UnknownGroup
from activities.people.language import Language, phrase
from activities.people.person import Person
from activities.people.reader import Reader
from activities.records.cover_sheet import CoverSheet
from activities.records.store import Store
from activities.records.texts import Reference
from starter.web.acting.actions import Action
from starter.web.acting.handing_over import TakenAddresses
from starter.web.http.allowances import Allowances
from starter.web.screens import screens
from starter.web.screens.status import line_of, named_people
from workflows.kinds import Kind
from workflows.model.subject import group_of
from workflows.model.views import RequestShow, Shown

RENEWED: Final = screens.ScreenDraft(
    screens.ScreenName.RENEWED,
    410,
    phrase("This link is no longer valid"),
    (phrase("Please open the page from the latest notice that you got."),),
    button=screens.MainButton(
        Action.RESEND,
        phrase("Send me a new link"),
        phrase("It goes to your own devices or your own mailbox, at most once an hour, and is shown nowhere else."),
    ),
    tone=screens.ScreenTone.CALM,
)
"""A newer link was made, or its notice is too old."""
USED_UP: Final = screens.ScreenDraft(
    screens.ScreenName.USED_UP,
    410,
    phrase("This link is no longer valid"),
    (
        phrase("It leads to the document once, within a day."),
        phrase("If you have not signed yet, ask whoever gave it to you for another."),
    ),
    tone=screens.ScreenTone.CALM,
)
"""A link that was handed over has been used, or has expired."""
DONE: Final = "done"
"""Query parameter: the action just done."""
_LOGGER: Final = structlog.get_logger("countersign.pages")


@dataclass(frozen=True)
class PageVisit:
    """A visitor: their link, person if known, and language."""

    ref: str
    claim: LinkContent
    person: Person | None
    reader: Reader
    confirmation: str = ""
    typed: str = ""
    """Name of the colleague to find."""
    cookies: Mapping[str, str] = field(default_factory=dict, repr=False)
    renewed: bool = False
    """Whether a newer link exists, or it has ended."""


class Visits:
    """Opens links within rate limits."""

    def __init__(self, links: SigningLinks, directory: Directory, store: Store, clock: Callable[[], datetime]) -> None:
        self._links = links
        self._directory = directory
        self._store = store
        self._clock = clock
        self._allowances = Allowances(store, clock)

    async def read(self, request: Request) -> PageVisit | screens.Screen:
        """The visitor, or the screen that refuses them. Without a person the browser gives the language."""
        ref = request.path_params["ref"]
        stranger = Reader.unknown(Language.accepted(request.headers.get("accept-language", "")))
        if wait := self._allowances.address(request):
            return _too_often(wait, stranger)
        try:
            claim = self._links.open(ref)
        except BadLink:
            return screens.NOT_OURS.in_language(stranger.language)
        try:
            person = await self._directory.person(claim.person, claim.workflow_id)
            visit = PageVisit(ref, claim, person, Reader.from_person(person), request.query_params.get(DONE, ""))
        except DirectoryFailure:
            visit = PageVisit(ref, claim, None, stranger)
        visit = replace(visit, cookies=request.cookies)
        if wait := await self._allowances.link(request, ref):
            return _too_often(wait, visit.reader)
        try:
            return replace(visit, renewed=await self._renewed(claim))
        except StoreFailure as failure:
            _LOGGER.warning("link not looked up", request=claim.request, why=str(failure))
            return screens.NOT_KNOWN_NOW.in_language(visit.reader.language)

    def origin(self, claim: LinkContent) -> str:
        """The link of the onboarding page that gave this link, else its own status page."""
        origin = claim.through or Through(claim.request, claim.person)
        return self._links.link(
            origin.onboarding, origin.person, LinkUse.VIEW, claim.serial, noticed_on=claim.noticed_on
        )

    async def _renewed(self, claim: LinkContent) -> bool:
        now = self._clock()
        if claim.is_over(now):
            return True
        if claim.use is LinkUse.HANDED:
            link = await self._store.handed_links.read(claim.serial)
            return link is None or link.is_over(now)
        if claim.serial_at is None:
            return False
        return claim.serial != (await self._store.one_use.serial(claim.serial_at) or FIRST_SERIAL)


@dataclass(frozen=True)
class StandIns:
    people: tuple[Person, ...] = ()
    find: bool = False
    """Whether there are more, found by name."""
    nobody: bool = False
    """Whether nobody was found."""


class PagePeople:
    """Looks up people for a page; failures are left out."""

    def __init__(self, directory: Office, store: Store, company: str = "", sender: str = "") -> None:
        self._taken_addresses = TakenAddresses(directory, sender)
        self._directory = directory
        self._store = store
        self._company = company

    async def __call__(self, request: str | None, requester: str) -> screens.Asker:
        """The requester, with details of a request."""
        cover = await self._cover(request) if request else None
        message = await self._message(request, cover) if request and cover else ""
        asker = screens.Asker(await self._name(requester), self._company, message, bool(cover and cover.sha256))
        if cover is None or not (cover.version or cover.effective):
            return asker
        approver = await self._name(cover.approver) if cover.approver else ""
        return replace(asker, version=cover.version, effective=cover.effective, approver=approver)

    async def as_asker(self, view: Shown, person: str) -> Shown:
        """As one of the group that asks sees it: as the requester; the same for others."""
        return view.replace(requester=person) if await self.asks_with(view, person) else view

    async def asks_with(self, view: Shown, person: str) -> bool:
        """Whether they are one of the group that asks."""
        group = group_of(view.requester)
        try:
            return group is not None and person in await self._directory.group(group)
        except DirectoryFailure:
            return False

    async def signs_for_group(self, view: RequestShow, person: str) -> bool | None:
        """Whether they are still of the group of their place, or were asked instead of one who is; None if unknown."""
        line = line_of(view, person)
        if line is None or not line.team or any(escalation.to == person for escalation in view.escalations):
            return True
        try:
            return person in await self._directory.group(line.team)
        except UnknownGroup:
            return False
        except DirectoryFailure:
            return None

    async def stand_ins(self, view: Shown, person: Person | None, typed: str = "", also: str = "") -> StandIns:
        """Possible new persons: those a task names, else the deputy, else colleagues; none whom Core Signature would
        refuse. Colleagues are found by the words of `typed`, or `also` by id.
        """
        possible = await self._possible(view, person, typed, also)
        return replace(possible, people=await self._taken_addresses.leave_out(possible.people, view))

    async def _possible(self, view: Shown, person: Person | None, typed: str = "", also: str = "") -> StandIns:
        delegate = person.delegate if person else None
        named = view.delegates
        workflow_id = view.type.workflow_id(view.id)
        if person and not named and not delegate and _may_hand_over(view, person.id):
            return await self._colleagues(person.id, typed, also)
        people = [await self._person(id, workflow_id) for id in named or filter(None, (delegate,))]
        return StandIns(tuple(person for person in people if person))

    async def successors(self, view: Shown, person: Person | None) -> tuple[Person, ...]:
        """Who took over, if the reader may know."""
        successor_ids = [escalation.to for escalation in view.escalations if person and escalation.from_ == person.id]
        people = (await self._possible(view, person)).people
        if not person or not successor_ids or any(person.id in successor_ids for person in people):
            return people
        return (await self._colleagues(person.id, "", successor_ids[-1])).people

    async def _colleagues(self, person: str, typed: str, also: str) -> StandIns:
        try:
            colleagues = await self._directory.colleagues(person, typed, also)
        except DirectoryFailure:
            return StandIns()
        looked = bool(typed.strip())
        return StandIns(
            colleagues.people, find=colleagues.total > COLLEAGUES_AT_MOST, nobody=looked and not colleagues.people
        )

    async def names_of(self, view: Shown) -> dict[str, str]:
        """Names of the people shown, by id."""
        workflow_id = view.type.workflow_id(view.id)
        ids = {
            *named_people(view),
            *view.asked_people,
            *(line.person for line in view.lines),
            *(question.person for question in view.questions),
        }
        ids |= {view.taken_by} if view.taken_by else set()
        ids |= {line.target for line in view.handoffs}
        name_by_id = {id: await self._name(id, workflow_id) for id in ids}
        return {id: name for id, name in name_by_id.items() if name}

    async def _name(self, person: str, workflow_id: str | None = None) -> str:
        colleague = await self._person(person, workflow_id)
        return colleague.name if colleague else ""

    async def _person(self, id: str, workflow_id: str | None) -> Person | None:
        try:
            return await self._directory.person(id, workflow_id)
        except DirectoryFailure:
            return None

    async def _message(self, request: str, cover: CoverSheet) -> str:
        """Empty after erasure."""
        reference = Reference.read(cover.message or "")
        if reference is None:
            return cover.message or ""
        try:
            return await self._store.texts.read(Kind.REQUEST.workflow_id(request), reference) or ""
        except StoreFailure:
            return ""

    async def _cover(self, request: str) -> CoverSheet | None:
        try:
            return await CoverSheet.read(self._store, request)
        except (StoreFailure, ValueError):
            return None


def edition_of(asker: screens.Asker, reader: Reader, now: datetime) -> tuple[str, ...]:
    """Version, first day in force and approver, as far as known."""
    say, effective, sentences = reader.language.say, asker.effective, []
    date_text = reader.date(effective) if effective else ""
    if effective and asker.version:
        in_force = effective <= reader.day(now)
        edition = {"version": asker.version, "date": date_text}
        sentences.append(
            say("You acknowledge version {version}, in force since {date}.", **edition)
            if in_force
            else say("You acknowledge version {version}, in force from {date} on.", **edition)
        )
    elif asker.version:
        sentences.append(say("You acknowledge version {version}.", version=asker.version))
    elif effective:
        sentences.append(say("In force from {date} on.", date=date_text))
    if asker.approver:
        sentences.append(say("Approved by {who}.", who=asker.approver))
    return tuple(sentences)


def _too_often(wait: float, reader: Reader) -> screens.Screen:
    return replace(screens.TOO_OFTEN.in_language(reader.language), retry_after=math.ceil(wait))


def _may_hand_over(view: Shown, person: str) -> bool:
    return any(choices.person == person and choices.hand_over for choices in view.choices)
