"""Absences of people in the API: seen, entered, ended."""

import asyncio
from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Annotated, Any, Final, cast

from fastapi import FastAPI, Path, Query
from pydantic import BaseModel, ConfigDict, Field
from starlette.requests import Request

from activities.files.fields import Moment
from activities.people.absences import AbsenceRefused, WantedAbsence
from activities.people.company_directory import CompanyDirectory
from activities.people.directory import UnknownPerson
from starter.boot import clients
from starter.config.settings import Settings
from starter.queries.absences import KINDS_AT_MOST, Absences, AbsencesShow
from starter.temporal.connection import Context
from starter.web.api.callers import ApiCaller, refuse_unseen
from starter.web.api.problems import ApiProblem, ProblemType
from starter.web.rights import Right, rights_concerning

_ID: Final = "^[A-Za-z0-9._-]{1,100}$"
Person = Annotated[str, Path(pattern=_ID, description="An id of the directory")]
One = Annotated[str, Query(pattern="^[0-9a-f]{0,32}$", description="Only this absence, by its id")]
KindId = Annotated[str, Field(pattern=_ID)]


class AbsenceBody(BaseModel):
    """A date is the whole day in the person's zone."""

    model_config = ConfigDict(
        frozen=True,
        extra="forbid",
        json_schema_extra={"example": {"from": "2026-12-24", "until": "2027-01-02", "acts": "operating-officer"}},
    )

    from_: Moment = Field(alias="from")
    until: Moment
    acts: str | None = Field(default=None, pattern=_ID, description="Who acts instead; else their delegate of the file")
    kinds: tuple[KindId, ...] = Field(default=(), max_length=KINDS_AT_MOST, description="Of the catalogue; else all")

    @property
    def to_wanted_absence(self) -> WantedAbsence:
        return WantedAbsence(self.from_, self.until, self.acts, self.kinds)


class AbsenceRoutes:
    def __init__(
        self, settings: Settings, context: Context, directory: CompanyDirectory, clock: Callable[[], datetime]
    ) -> None:
        self._settings = settings
        self._absences = Absences(context, directory)
        self._clock = clock

    def add_to(self, app: FastAPI, problems: Callable[..., Mapping[int | str, dict[str, Any]]]) -> None:
        path, body = "/people/{id}/absence", (ProblemType.MALFORMED, ProblemType.TOO_LARGE, ProblemType.OTHER_MEDIA)
        ways = (
            ("GET", self.show, "absence_show", "When somebody is away, by the people file and as entered", ()),
            (
                "PUT",
                self.enter,
                "absence_enter",
                "Enter an absence, in place of one with the same days and kinds",
                body,
            ),
            ("DELETE", self.end, "absence_end", "End the absences that were entered", ()),
        )
        for method, handle, name, summary, reasons in ways:
            app.add_api_route(
                path,
                handle,
                methods=[method],
                tags=["people"],
                responses=dict(problems(ProblemType.NOT_FOUND, *reasons)),
                operation_id=name,
                summary=summary,
            )

    async def show(self, request: Request, id: Person) -> AbsencesShow:
        refuse_unseen(Right.PERSON in rights_concerning(_caller(request).role, id))
        try:
            return await self._absences.show(id, self._clock())
        except UnknownPerson:
            raise ApiProblem(ProblemType.NOT_FOUND) from None

    async def enter(self, request: Request, id: Person, body: AbsenceBody) -> AbsencesShow:
        actor = self._entering(request, id)
        kinds = (await asyncio.to_thread(clients.catalogue, self._settings)).kinds if body.kinds else None
        try:
            return await self._absences.enter(id, body.to_wanted_absence, actor, self._clock(), kinds=kinds)
        except UnknownPerson:
            raise ApiProblem(ProblemType.NOT_FOUND) from None
        except AbsenceRefused as refused:
            raise ApiProblem.of_field(refused.field, str(refused), refused.message) from None

    async def end(self, request: Request, id: Person, absence: One = "") -> AbsencesShow:
        actor = self._entering(request, id)
        try:
            return await self._absences.end(id, actor, self._clock(), absence)
        except UnknownPerson:
            raise ApiProblem(ProblemType.NOT_FOUND) from None

    def _entering(self, request: Request, id: str) -> str:
        caller = _caller(request)
        rights = rights_concerning(caller.role, id)
        if Right.AWAY not in rights:
            refuse_unseen(Right.PERSON in rights)
            raise ApiProblem(ProblemType.NOT_ALLOWED)
        return caller.actor


def _caller(request: Request) -> ApiCaller:
    return cast(ApiCaller, request.state.caller)
