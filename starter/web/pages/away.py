"""The page "I am away" behind a link, for people of the directory."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Final

import structlog
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Route

from activities.errors import StoreFailure
from activities.notifications.links import LinkContent, SigningLinks
from activities.people.directory import DirectoryFailure
from activities.people.ids import stands_in_full
from starter.web.absences import AWAY, ENDED, ENTERED, AwayForms, AwayVisit
from starter.web.acting.forms import FormFault, FormGuard
from starter.web.pages.visits import RENEWED, PageVisit, Visits
from starter.web.screens.rendering import OURS, Brand, Renderer
from starter.web.screens.screens import CUT_OFF, FOREIGN_FORM, NOT_KNOWN_NOW, NOT_OURS, Screen, ScreenDraft
from workflows.kinds import referred
from workflows.model.commands import KnownBy

_LOGGER: Final = structlog.get_logger("countersign.pages")


def may_be_away(claim: LinkContent) -> bool:
    """Whether whoever holds the link is of the directory."""
    return claim.is_own and not stands_in_full(claim.person)


class AwayPages:
    def __init__(self, links: SigningLinks, forms: AwayForms, guard: FormGuard, brand: Brand = OURS) -> None:
        self._visits = Visits(links, forms.directory, forms.context.store, forms.clock)
        self._forms = forms
        self._guard = guard
        self._renderer = Renderer(brand)

    def routes(self) -> list[BaseRoute]:
        path = f"/{AWAY}/{{ref}}"
        return [Route(path, self.answer, methods=["GET"]), Route(path, self.answer, methods=["POST"])]

    async def answer(self, request: Request) -> Response:
        visit = await self._visits.read(request)
        if isinstance(visit, Screen):
            return self._renderer.screen(visit)
        if visit.renewed or not may_be_away(visit.claim):
            return self._card(RENEWED if visit.renewed else NOT_OURS, visit)
        try:
            return await (self._act(request, visit) if request.method == "POST" else self._page(visit))
        except (StoreFailure, DirectoryFailure) as failure:
            _LOGGER.warning("an absence is neither shown nor entered", why=str(failure))
            return self._card(NOT_KNOWN_NOW, visit)

    async def _act(self, request: Request, visit: PageVisit) -> Response:
        form = await self._guard.posted(visit.ref, request)
        if isinstance(form, FormFault):
            return self._card(CUT_OFF if form is FormFault.CUT_OFF else FOREIGN_FORM, visit)
        entering = self._entering(visit, form)
        if entering is None:
            return self._card(NOT_KNOWN_NOW, visit)
        if form.get("act") == "end":
            await self._forms.end(entering)
            return self._renderer.onward(f"{visit.ref}?done={ENDED}")
        if refusal := await self._forms.enter(entering):
            return await self._page(visit, form, refusal)
        return self._renderer.onward(f"{visit.ref}?done={ENTERED}")

    async def _page(self, visit: PageVisit, form: Mapping[str, str] | None = None, refusal: str = "") -> Response:
        entering = self._entering(visit, form or {})
        if entering is None:
            return self._card(NOT_KNOWN_NOW, visit)
        values = await self._forms.values(replace(entering, refusal=refusal))
        status = 409 if refusal else 200
        return self._renderer.page("away.html", visit.reader.language, status=status, people=[], **values)

    def _entering(self, visit: PageVisit, form: Mapping[str, str]) -> AwayVisit | None:
        """None while the directory does not say who it is."""
        if visit.person is None:
            return None
        back = f"../{referred(visit.claim.request).kind.spec.page}/{visit.ref}"
        token = self._guard.token(visit.ref)
        return AwayVisit(
            visit.person,
            visit.reader,
            visit.claim.person,
            KnownBy.LINK,
            visit.ref,
            token,
            back,
            form,
            visit.confirmation,
        )

    def _card(self, draft: ScreenDraft, visit: PageVisit) -> Response:
        return self._renderer.screen(draft.in_language(visit.reader.language))
