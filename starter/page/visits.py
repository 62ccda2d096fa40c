"""Who stands before a page: whom their link names, or why they may not see anything."""

import math
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Final

import structlog
from starlette.requests import Request

from activities.directory import Directory, DirectoryFailure
from activities.language import Language, phrase
from activities.links import FIRST_SERIAL, BadLink, LinkContent, LinkUse, SigningLinks, Through
from activities.person import Person
from activities.reader import Reader
from activities.store.failures import StoreFailure
from activities.store.store import Store
from starter.page.allowances import Allowances
from starter.page.screens import FormAction, MainButton, Screen, ScreenDraft, ScreenName, ScreenTone
from starter.page.turned_away import NOT_KNOWN_NOW, NOT_OURS, TOO_OFTEN

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
