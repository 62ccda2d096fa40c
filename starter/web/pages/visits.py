"""Who stands before a page: whom their link names, or why they may not see anything."""

import asyncio
import math
from collections import OrderedDict
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import Final, Generic, TypeVar

import structlog
from starlette.requests import Request
from temporalio.client import Client
from temporalio.service import RPCError

from activities.documents.errors import StoreFailure
from activities.notifications.links import FIRST_SERIAL, BadLink, LinkContent, LinkUse, SigningLinks, Through
from activities.people.directory import Directory, DirectoryFailure
from activities.people.language import Language, phrase
from activities.people.person import Person
from activities.people.reader import Reader
from activities.records.cover_sheet import CoverSheet, TaskCover
from activities.records.store import Store
from starter.errors import Refusal
from starter.queries.lookup import look_at, recorded
from starter.queries.onboarding import composed
from starter.temporal.codec import CodecError
from starter.web.allowances import Allowances
from starter.web.screens import (
    NOT_KNOWN_NOW,
    NOT_OURS,
    TOO_OFTEN,
    FormAction,
    MainButton,
    Screen,
    ScreenDraft,
    ScreenName,
    ScreenTone,
)
from workflows.kinds import Kind, WorkflowName, referred
from workflows.model.views import Shown

RENEWED: Final = ScreenDraft(
    ScreenName.RENEWED,
    410,
    ScreenTone.CALM,
    phrase("This link is no longer valid"),
    (phrase("A newer one was made for you. Please open the page from the latest notice that you got."),),
    button=MainButton(
        FormAction.RESEND,
        phrase("Send me a new link"),
        phrase("It goes to your own devices or your own mailbox, at most once an hour, and is shown nowhere else."),
    ),
)
"""Behind a link of which another was made, and behind those that its page gave."""
DONE: Final = "done"
"""Where an address says which act has just led there."""
_LOGGER: Final = structlog.get_logger("countersign.pages")


@dataclass(frozen=True)
class PageVisit:
    """Somebody before a page: what their link says, who they are if the directory says so, and how they read."""

    ref: str
    claim: LinkContent
    person: Person | None
    reader: Reader
    done: str = ""
    """The act that has just led them here, as their address says."""
    words: str = ""
    """The name of a colleague for whom they look."""
    renewed: bool = False
    """Whether another link was made since, so that theirs opens nothing."""


class Visits:
    """Opens links, within what a link and an address may ask for; `clock` counts seconds."""

    def __init__(self, links: SigningLinks, directory: Directory, store: Store, clock: Callable[[], float]) -> None:
        self._links = links
        self._directory = directory
        self._store = store
        self._allowances = Allowances(clock)

    async def of(self, request: Request) -> PageVisit | Screen:
        """Who is here, or what they are told who may not be.

        While the directory does not know somebody, their browser says the language.
        """
        ref = request.path_params["ref"]
        stranger = Reader.unknown(Language.accepted(request.headers.get("accept-language", "")))
        if wait := self._allowances.address(request):
            return _too_often(wait, stranger)
        try:
            claim = self._links.open(ref)
        except BadLink:
            return NOT_OURS.told(stranger.language)
        try:
            person = await self._directory.person(claim.person, claim.workflow_id)
            visit = PageVisit(ref, claim, person, Reader.of(person), request.query_params.get(DONE, ""))
        except DirectoryFailure:
            visit = PageVisit(ref, claim, None, stranger)
        if wait := self._allowances.link(request, ref):
            return _too_often(wait, visit.reader)
        try:
            return replace(visit, renewed=await self._renewed(claim))
        except StoreFailure as failure:
            _LOGGER.warning("link not looked up", request=claim.request, why=str(failure))
            return NOT_KNOWN_NOW.told(visit.reader.language)

    def origin(self, claim: LinkContent) -> str:
        """The link to the page of the onboarding that gave a link; of any other link the page of what it is for."""
        of = claim.through or Through(claim.request, claim.person)
        return self._links.link(of.onboarding, of.person, LinkUse.VIEW, claim.serial)

    async def _renewed(self, claim: LinkContent) -> bool:
        if claim.serial_at is None:
            return False
        return claim.serial != (await self._store.serial(claim.serial_at) or FIRST_SERIAL)


def _too_often(wait: float, reader: Reader) -> Screen:
    return replace(TOO_OFTEN.told(reader.language), retry_after=math.ceil(wait))


Look = Callable[[str], Awaitable[Shown | None]]
"""What is known of a request or a task by our own side, None when nobody says; answers soon and never raises."""

Seen = TypeVar("Seen")

FRESH_SECONDS: Final = 5.0
RECENT_AT_MOST: Final = 500
"""Links whose last look is remembered; the oldest gives way, and its request is looked at again when it is opened."""


class RecentLooks(Generic[Seen]):
    """Looks for a link once in `fresh` seconds, unless told to forget what was seen; `clock` counts seconds."""

    def __init__(
        self,
        look: Callable[[str], Awaitable[Seen]],
        clock: Callable[[], float],
        at_most: int = RECENT_AT_MOST,
        *,
        fresh: float = FRESH_SECONDS,
    ) -> None:
        self._look = look
        self._clock = clock
        self._at_most = at_most
        self._fresh = fresh
        self._recent: OrderedDict[str, tuple[float, asyncio.Future[Seen]]] = OrderedDict()

    def __len__(self) -> int:
        return len(self._recent)

    async def __call__(self, link: str, request: str) -> Seen:
        """Where the request stands, as of some seconds ago."""
        now = self._clock()
        while self._recent and next(iter(self._recent.values()))[0] <= now - self._fresh:
            self._recent.popitem(last=False)
        if link not in self._recent:
            self._recent[link] = (now, asyncio.ensure_future(self._look(request)))
        _, seen = self._recent[link]
        if len(self._recent) > self._at_most:
            self._recent.popitem(last=False)
        # Shielded: whoever hangs up takes nothing from the others who wait for the same answer.
        return await asyncio.shield(seen)

    async def anew(self, link: str, request: str) -> Seen:
        """Where the request stands now, for whoever acts on it."""
        self.forget(link)
        return await self(link, request)

    def forget(self, link: str) -> None:
        """Look anew the next time: something was changed."""
        self._recent.pop(link, None)


_WORKER_ANSWERS_WITHIN: Final = timedelta(seconds=1.5)
_SECONDS: Final = 5.0
_NOT_SAID: Final = (
    *(Refusal, RPCError, RuntimeError, TimeoutError, StoreFailure),
    CodecError,
    # Of a newer worker, or a newer record: a word or a field that this process does not know.
    ValueError,
)


class QuickLook:
    """Asks the workflow, else the settled record, else the cover sheet; never fails for what they answer.

    `seconds` are the most for the workflow, and again for what the store has.
    """

    def __init__(self, client: Client, store: Store, *, seconds: float = _SECONDS) -> None:
        self._client = client
        self._store = store
        self._seconds = seconds

    async def __call__(self, reference: str) -> Shown | None:
        """Where a request or a task stands; None when nobody says it in time, and the store does not know of it."""
        what = referred(reference)
        try:
            if what.kind is Kind.ONBOARDING:
                async with asyncio.timeout(2 * self._seconds):  # Its parts are asked after it.
                    return await composed(self._client, self._store, what.id)
            async with asyncio.timeout(self._seconds):
                return await look_at(self._client, self._store, what, within=_WORKER_ANSWERS_WITHIN)
        except _NOT_SAID:
            return await self._kept(what)

    async def _kept(self, what: WorkflowName) -> Shown | None:
        try:
            async with asyncio.timeout(self._seconds):
                if settled := await recorded(self._store, what):
                    return settled
                if what.kind is Kind.TASK:
                    return await TaskCover.shown(self._store, what.id)
                if what.kind in (Kind.ONBOARDING, Kind.CAMPAIGN):
                    return None
                cover = await CoverSheet.read(self._store, what.id)
                return cover.shown(what.id) if cover else None
        except _NOT_SAID:
            return None
