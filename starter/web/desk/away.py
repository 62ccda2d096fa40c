"""The desk page "I am away", also for a manager's people."""

from collections.abc import Mapping
from dataclasses import replace

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Route

from activities.people.directory import UnknownPerson
from starter.web.absences import AWAY, ENDED, ENTERED, AwayForms, AwayVisit
from starter.web.desk.access import PEOPLE_AT_MOST
from starter.web.desk.fixed_screens import NOT_THERE
from starter.web.desk.responses import PeopleNames, RequestContext
from starter.web.desk.sessions import Visitor
from starter.web.rights import Right, rights_concerning
from workflows.model.commands import KnownBy


class AbsencePages:
    def __init__(self, shared: RequestContext) -> None:
        self._shared = shared
        self._responses = shared.responses
        self._forms = AwayForms(shared.context, shared.directory, shared.kinds, shared.clock)

    def routes(self) -> list[BaseRoute]:
        paths = (f"/desk/{AWAY}", f"/desk/{AWAY}/{{person}}")
        visitors, acting = self._responses.visitors, self._responses.acting
        return [
            *(Route(path, visitors(self.show), methods=["GET"]) for path in paths),
            *(Route(path, acting(self.act), methods=["POST"]) for path in paths),
        ]

    async def show(self, request: Request, visitor: Visitor) -> Response:
        visit = await self._visit(request, visitor, {})
        if visit is None:
            return await self._responses.inside(NOT_THERE, visitor)
        return await self._page(replace(visit, confirmation=request.query_params.get("done", "")), visitor)

    async def act(self, request: Request, visitor: Visitor, form: dict[str, str]) -> Response:
        visit = await self._visit(request, visitor, form)
        if visit is None:
            return await self._responses.inside(NOT_THERE, visitor)
        if form.get("act") == "end":
            await self._forms.end(visit)
            return self._onward(visit, ENDED)
        if refusal := await self._forms.enter(visit):
            return await self._page(replace(visit, refusal=refusal), visitor)
        return self._onward(visit, ENTERED)

    def _onward(self, visit: AwayVisit, confirmation: str) -> Response:
        return self._responses.renderer.onward(f"{visit.address}?done={confirmation}")

    async def _visit(self, request: Request, visitor: Visitor, form: Mapping[str, str]) -> AwayVisit | None:
        """None for somebody who is none of the visitor's people."""
        id, renderer = request.path_params.get("person", visitor.id), self._responses.renderer
        try:
            person = await self._shared.directory.person(id)
        except UnknownPerson:
            return None
        if Right.AWAY not in rights_concerning(await self._shared.roles.role_of(visitor.id), id):
            return None
        address = renderer.at_desk(AWAY if id == visitor.id else f"{AWAY}/{id}")
        back = "" if id == visitor.id else renderer.at_desk(AWAY)
        token = self._responses.guard.token(visitor.name)
        return AwayVisit(person, visitor.reader, visitor.id, KnownBy.SIGN_IN, address, token, back, form)

    async def _page(self, visit: AwayVisit, visitor: Visitor) -> Response:
        return self._responses.renderer.page(
            "away.html",
            visitor.reader.language,
            status=409 if visit.refusal else 200,
            frame=await self._responses.frame(visitor, AWAY),
            people=await self._people(visitor) if visit.is_own else [],
            **await self._forms.values(visit),
        )

    async def _people(self, visitor: Visitor) -> list[tuple[str, str]]:
        """The visitor's nearest people: the page of each, and the name."""
        role, names = await self._shared.roles.role_of(visitor.id), PeopleNames(self._shared.directory)
        at_desk = self._responses.renderer.at_desk
        people = [(at_desk(f"{AWAY}/{id}"), await names.name_of(id)) for id in role.reports[:PEOPLE_AT_MOST]]
        return sorted(people, key=lambda pair: pair[1].casefold())
