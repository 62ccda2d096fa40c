"""Who stands before a page: whom their link names, or why they may not see anything."""

import math
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Final

from starlette.requests import Request

from activities.language import Language
from activities.links import BadLink, LinkClaim, Links
from activities.people import Directory, DirectoryFailure, Person
from activities.reader import Reader
from starter.page.allowances import Allowances
from starter.page.screens import Screen
from starter.page.words import NOT_OURS, TOO_OFTEN

DONE: Final = "done"
"""Where an address says which act has just led there."""


@dataclass(frozen=True)
class Visit:
    """Somebody before a page: what their link says, who they are if the directory says so, and how they read."""

    ref: str
    claim: LinkClaim
    person: Person | None
    reader: Reader
    done: str = ""
    """The act that has just led them here, as their address says."""


class Visits:
    """Opens links, within what a link and an address may ask for; `clock` counts seconds."""

    def __init__(self, links: Links, directory: Directory, clock: Callable[[], float]) -> None:
        self._links = links
        self._directory = directory
        self._allowances = Allowances(clock)

    async def of(self, request: Request) -> Visit | Screen:
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
            visit = Visit(ref, claim, person, Reader.of(person), request.query_params.get(DONE, ""))
        except DirectoryFailure:
            visit = Visit(ref, claim, None, stranger)
        wait = self._allowances.link(request, ref)
        return _too_often(wait, visit.reader) if wait else visit


def _too_often(wait: float, reader: Reader) -> Screen:
    return replace(TOO_OFTEN.told(reader.language), retry_after=math.ceil(wait))
