"""What whoever has followed a link finds there: the screen of each use of a link, by what our own side knows."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Final

from activities.core_signature.signing_page import SigningPage, SigningState
from activities.links import LinkUse
from starter.page import offers, options, receipts
from starter.page.offers import to_decide
from starter.page.recent_looks import RecentLooks
from starter.page.screens import Screen, ScreenName
from starter.page.standing import UNNAMED, page_as_known, unfollowed
from starter.page.turned_away import NOT_KNOWN_NOW
from starter.page.visits import PageVisit
from starter.page.who_asks import NOBODY, WhoAsks, edition_of
from starter.page.words import WAITING, how_many_have_signed, signing_screen, status_screen, task_screen
from workflows.kinds import Kind
from workflows.model.views import RequestShow, Shown, TaskShow

PICTURE: Final = "first-page"
"""The last word of a picture's address."""
_OVER: Final = (SigningState.ACTED, SigningState.ENDED)
_CAN_SIGN: Final = (SigningState.OPEN, SigningState.BY_MAIL)


@dataclass(frozen=True)
class Screens:
    """Makes them; with `pictures` a signer sees the first page of the document."""

    look: RecentLooks[Shown | None]
    who: WhoAsks
    clock: Callable[[], datetime]
    pictures: bool

    async def of(self, visit: PageVisit) -> Screen:
        """What the link is for."""
        match visit.claim.use:
            case LinkUse.VIEW:
                return await self._status(visit)
            case LinkUse.DO:
                return await self._doing(visit)
        return await self.signing(visit)

    async def signing(self, visit: PageVisit, found: SigningPage | None = None) -> Screen:
        """The signer's screen: by what Core Signature has just said, if it was asked, else as we know it."""
        seen = await (self.look.anew if found else self.look)(visit.ref, visit.claim.request)
        shown = seen if isinstance(seen, RequestShow) else None
        known = page_as_known(shown, visit.claim.person)
        if known.state is SigningState.ENDED or found is None:
            page = known
        else:
            # What we are waiting for at Core Signature is only not listed yet.
            page = (
                replace(found, state=SigningState.PREPARING) if shown and found.state is SigningState.UNKNOWN else found
            )
        screen = signing_screen(page, shown.due_at if shown else None, visit.reader, self.clock())
        screen = replace(screen, sentences=(*await self._unfollowed(visit, shown), *screen.sentences))
        if page.state in _OVER:
            return await self._receipt(screen, page, visit, shown)
        return await self._with_more(screen, page.state, visit, shown) if shown else screen

    async def _unfollowed(self, visit: PageVisit, shown: RequestShow | None) -> tuple[str, ...]:
        """That nobody follows it up, although it can still be signed at Core Signature."""
        if shown is None or not shown.trouble:
            return ()
        return unfollowed(shown, visit.reader.language, await self.who.names_of(shown))

    async def _receipt(self, screen: Screen, page: SigningPage, visit: PageVisit, shown: RequestShow | None) -> Screen:
        """The screen of somebody for whom nothing is left to do; of who has acted, their receipt."""
        called = await self.who.names_of(shown) if shown else UNNAMED
        asker = await self.who(shown.id, shown.requester) if shown else NOBODY
        acknowledges = bool(asker.version or asker.effective)
        return receipts.Over(page, shown, visit.claim.person, visit.reader, called, acknowledges).screen(screen)

    async def _doing(self, visit: PageVisit) -> Screen:
        """The screen of somebody who is asked to do a task, of which nobody knows more than we."""
        shown = await self.look(visit.ref, visit.claim.request)
        if not isinstance(shown, TaskShow):
            return NOT_KNOWN_NOW.told(visit.reader.language)
        called = await self.who.names_of(shown)
        screen = task_screen(shown, visit.claim.person, visit.reader, self.clock(), called)
        if screen.name is ScreenName.HANDED_OVER:
            return await self._handed_over(screen, visit, shown)
        return await self._with_offers(screen, visit, shown) if screen.name is ScreenName.DO else screen

    async def _handed_over(self, screen: Screen, visit: PageVisit, shown: Shown) -> Screen:
        """The screen of somebody whose place was given away: who has it, and what became of what they asked."""
        stand_ins = await self.who.successors(shown, visit.person)
        named = options.with_successor(screen, shown, visit.claim.person, stand_ins)
        return options.with_own_questions(named, shown, visit.claim.person)

    async def _with_more(self, screen: Screen, state: SigningState, visit: PageVisit, shown: RequestShow) -> Screen:
        """A signer's screen with who asks them, what they wished so far, and what else they may."""
        if state is SigningState.HANDED_OVER:
            return await self._handed_over(screen, visit, shown)
        if state not in WAITING:
            return screen
        screen = replace(screen, progress=how_many_have_signed(shown, visit.reader.language))
        if shown.partial or state not in _CAN_SIGN:
            return await self._with_asker(screen, visit, shown)
        return await self._with_offers(screen, visit, shown)

    async def _with_offers(self, screen: Screen, visit: PageVisit, shown: Shown) -> Screen:
        """The screen of somebody whose turn it is with who asks them, what they wished so far, and what they may."""
        screen = await self._with_asker(screen, visit, shown)
        told = options.with_banner(screen, visit.done, shown, visit.claim.person, visit.reader)
        called = await self.who.names_of(shown) if shown.questions else {}
        wished = options.with_wishes_of(told, shown, visit.claim.person, visit.reader, called)
        return options.with_offers(wished, await self.offers_to(visit, shown), visit.reader)

    async def _with_asker(self, screen: Screen, visit: PageVisit, shown: Shown) -> Screen:
        asker = await self.who(shown.id if shown.type is Kind.REQUEST else None, shown.requester)
        screen = replace(screen, edition=edition_of(asker, visit.reader, self.clock()))
        if visit.claim.person == shown.requester or to_decide(shown):
            return screen
        signing = visit.claim.use is LinkUse.SIGN and self.pictures and asker.has_file
        return replace(screen, asker=asker, picture=f"{visit.ref}/{PICTURE}" if signing else None)

    async def _status(self, visit: PageVisit) -> Screen:
        shown = await self.look(visit.ref, visit.claim.request)
        if shown is None:
            return NOT_KNOWN_NOW.told(visit.reader.language)
        called = await self.who.names_of(shown)
        screen = status_screen(shown, visit.claim.person, visit.reader, self.clock(), called)
        if isinstance(shown, RequestShow) and visit.claim.person != shown.requester:
            known = page_as_known(shown, visit.claim.person)
            read = await self._receipt(screen, known, visit, shown)
            screen = replace(read, signers=screen.signers, signers_are=screen.signers_are)
        if not screen.comes:
            screen = await self._with_asker(screen, visit, shown)
        asked = options.with_questions(screen, shown, visit.claim.person, called)
        asked = options.with_banner(asked, visit.done, shown, visit.claim.person, visit.reader)
        return options.with_offers(asked, await self.offers_to(visit, shown), visit.reader)

    async def offers_to(self, visit: PageVisit, shown: Shown, taker: str = "") -> offers.Offers:
        """What they may do there beside what the link is for; `taker` is whom they have chosen to hand over to."""
        if visit.claim.use is LinkUse.VIEW:
            return offers.to_onlooker(shown, visit.claim.person)
        stand_ins = await self.who.stand_ins(shown, visit.person, visit.words, taker)
        return offers.to_awaited(shown, visit.claim.person, stand_ins, visit.reader, self.clock())
