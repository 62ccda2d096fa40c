"""Absences that people enter: shown with those of the people file, entered, ended. Open follow-ups hear of a change by
a workflow; while Temporal is away, the sweep begins it later.
"""

import asyncio
from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime
from typing import Final

import structlog
from pydantic import AwareDatetime
from temporalio.service import RPCError

from activities.absence.service import begin
from activities.errors import did_you_mean
from activities.people.absences import AbsenceRefused, SubstituteCheck, WantedAbsence, refuse_unfit
from activities.people.company_directory import CompanyDirectory
from activities.records.absences import AbsenceRow
from starter.temporal.connection import Context
from workflows.follow_up.view import stamp
from workflows.model.base import Model
from workflows.model.rejections import Rejection

KINDS_AT_MOST: Final = 50
"""Of one absence."""
_LOGGER: Final = structlog.get_logger("countersign.absences")


class AbsenceLine(Model):
    """From `begins` until before `ends`; `id` and who entered it are None for one of the people file. Without `acts` it
    is the delegate of the file; `kinds` empty for all. `told` open follow-ups have heard of it, all by `told_at`.
    """

    begins: AwareDatetime
    ends: AwareDatetime
    id: str | None = None
    acts: str | None = None
    kinds: tuple[str, ...] = ()
    entered_by: str | None = None
    entered_at: AwareDatetime | None = None
    told: int = 0
    told_at: AwareDatetime | None = None

    @property
    def describe(self) -> str:
        acts = f", {self.acts} acts" if self.acts else ""
        kinds = f", for {', '.join(self.kinds)}" if self.kinds else ""
        return f"{stamp(self.begins)} to {stamp(self.ends)}{acts}{kinds}"


class AbsencesShow(Model):
    """Present and coming absences of a person, by their begin; whether they are away now."""

    person: str
    away: bool
    absences: tuple[AbsenceLine, ...]


@dataclass(frozen=True)
class Absences:
    """Raises `DirectoryFailure`, `StoreFailure`."""

    context: Context
    directory: CompanyDirectory

    async def show(self, id: str, now: datetime) -> AbsencesShow:
        person = await self.directory.person(id)
        spans = [absence.span(person.tz) for absence in person.absent if not absence.was_entered]
        lines = [AbsenceLine(begins=begins, ends=ends) for begins, ends in spans if ends > now]
        lines += map(_line, await self.context.store.absences.for_person(id, now))
        is_away = any(line.begins <= now < line.ends for line in lines)
        return AbsencesShow(
            person=id, away=is_away, absences=tuple(sorted(lines, key=lambda line: (line.begins, line.ends)))
        )

    async def enter(
        self, id: str, absence: WantedAbsence, actor: str, now: datetime, *, kinds: Collection[str] | None = None
    ) -> AbsencesShow:
        """Enter an absence for kinds among these of the catalogue. Raises `AbsenceRefused`."""
        person = await self.directory.person(id)
        _refuse_unknown_kinds(absence.kinds, kinds)
        row, people_file = absence.row(person, actor, now), await self.directory.file()
        await asyncio.to_thread(refuse_unfit, row, people_file)
        entered = await self.context.store.absences.enter(row, SubstituteCheck(row, people_file))
        if entered.refused is not None:
            raise AbsenceRefused(entered.refused, "acts" if row.acts else "until")
        self.directory.absences.mark_stale()
        if entered.row.told_at is None:
            await self._tell([entered.row])
        return await self.show(id, now)

    async def end(self, id: str, actor: str, now: datetime, absence: str = "") -> AbsencesShow:
        """End all absences that were entered for a person, or one."""
        await self.directory.person(id)
        ended_rows = await self.context.store.absences.end(id, actor, now, absence)
        self.directory.absences.mark_stale()
        await self._tell(ended_rows)
        return await self.show(id, now)

    async def _tell(self, rows: list[AbsenceRow]) -> None:
        for row in rows:
            try:
                await begin(self.context.client, row)
            # A lazy client that finds no server raises the second.
            except (RPCError, RuntimeError) as failure:
                _LOGGER.warning("an absence takes effect with the next sweep", why=type(failure).__name__)
                return


def _refuse_unknown_kinds(entered_kinds: Collection[str], known_kinds: Collection[str] | None) -> None:
    if len(entered_kinds) > KINDS_AT_MOST:
        raise AbsenceRefused(Rejection.TOO_MANY_KINDS.to_message(most=KINDS_AT_MOST), "kinds")
    for kind in entered_kinds:
        if known_kinds is not None and kind not in known_kinds:
            raise AbsenceRefused(Rejection.NO_KIND.to_message(kind=kind, hint=did_you_mean(kind, known_kinds)), "kinds")


def _line(row: AbsenceRow) -> AbsenceLine:
    return AbsenceLine(
        begins=row.begins_at,
        ends=row.ends_at,
        id=row.id,
        acts=row.acts,
        kinds=row.kinds,
        entered_by=row.entered_by,
        entered_at=row.entered_at,
        told=row.told,
        told_at=row.told_at,
    )
