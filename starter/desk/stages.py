"""The stages of an onboarding at the desk: each part with whom it is, since and until when, and what may be done."""

from dataclasses import dataclass
from datetime import datetime
from typing import Final

from activities.due import Deadline
from activities.language import phrase
from activities.links import at_desk
from activities.reader import Reader
from starter.desk.acts import ActionForm
from starter.desk.rows import Name
from starter.page.chips import STAGES, Chip, status_of
from workflows.kinds import named
from workflows.model.lines import PartLine
from workflows.model.views import OnboardingShow, WaitingPart

PARTS_SHOWN_AT_MOST: Final = 100
"""Of one stage; the others are counted."""
_PARTS: Final = {**STAGES, "undecided": phrase("waits for a decision"), "waived": phrase("no longer needed")}


@dataclass(frozen=True)
class PartRow:
    """One part: with whom it is, since and until when, why it could not be started, and what may be decided.

    `path` is its page at the desk.
    """

    title: str
    state: Chip
    details: str
    due: Deadline | None
    path: str
    says: str
    choices: tuple[tuple[str, str], ...]


@dataclass(frozen=True)
class StageRows:
    """One stage; `more` counts the parts that are not shown."""

    name: str
    state: Chip
    since: str
    parts: tuple[PartRow, ...]
    more: str


async def stages_of(
    shown: OnboardingShow, reader: Reader, name: Name, now: datetime, *, everything: bool, steps: tuple[ActionForm, ...]
) -> tuple[StageRows, ...]:
    """All of them; why something went wrong only for those who may know `everything`."""
    told, rows = _Telling(shown, reader, name, now, everything, steps), []
    for stage in shown.stages:
        state = Chip.of(stage.state, reader.language.say(STAGES.get(stage.state, stage.state)))
        since = reader.shortly(stage.since, now) if stage.since and stage.state == "open" else ""
        parts = tuple([await told.row(part) for part in stage.parts[:PARTS_SHOWN_AT_MOST]])
        left = len(stage.parts) - len(parts)
        more = reader.language.say_count("and {count} more", "and {count} more", left) if left else ""
        rows.append(StageRows(stage.name, state, since, parts, more))
    return tuple(rows)


@dataclass(frozen=True)
class _Telling:
    shown: OnboardingShow
    reader: Reader
    name: Name
    now: datetime
    everything: bool
    steps: tuple[ActionForm, ...]

    async def row(self, part: PartLine) -> PartRow:
        what = named(part.workflow) if part.workflow else None
        choices = ((one.path, self.reader.language.say(one.asked.label)) for one in self.steps if one.part == part.id)
        return PartRow(
            part.title,
            Chip.of(part.state, self.reader.language.say(_PARTS.get(part.state, part.state))),
            await self._details(part),
            self._due(part),
            at_desk(what) if what else "",
            part.says if self.everything and part.since is None else "",
            tuple(choices),
        )

    async def _details(self, part: PartLine) -> str:
        if part.state == "done" and part.at:
            return self.reader.shortly(part.at, self.now)
        waiting = [one for one in self.shown.waiting_for if one.part == part.id]
        if part.state != "open" or not waiting:
            return self._ended(part) if part.state == "undecided" else ""
        return await self._with(waiting)

    def _due(self, part: PartLine) -> Deadline | None:
        awaited = part.state == "open" and any(one.part == part.id for one in self.shown.waiting_for)
        return Deadline.sentence(part.due_at, self.reader, self.now) if part.due_at and awaited else None

    def _ended(self, part: PartLine) -> str:
        language = self.reader.language
        if part.status:
            return status_of(part.status, language)
        return language.say("could not be started") if part.since is None else language.say("was broken off")

    async def _with(self, waiting: list[WaitingPart]) -> str:
        beside = [await self.name(one.person) for one in waiting]
        people = self.reader.language.enumerate(dict.fromkeys(beside))
        since = self.reader.shortly(min(one.since for one in waiting), self.now)
        return self.reader.language.say("with {people} since {since}", people=people, since=since)
