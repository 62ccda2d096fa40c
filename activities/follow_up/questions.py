"""An open question: the requester is reminded, then somebody who can see to it, and the clocks go on.

Days are those of the requester's calendar, for it is they who let them pass. Everybody hears of it in their own hours.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Final
from zoneinfo import ZoneInfo

from activities.calendars.wall_clock import after, in_words
from activities.directory import Directory, UnknownPerson
from activities.follow_up.open_hours import OpenHours
from activities.person import Person
from workflows.follow_up import stages
from workflows.model.planning import ActionType, OpenQuestion, PlanningInput, Reason, ScheduledAction

_EACH: Final = "1d"
"""From the question to its reminder, and from that to somebody else."""
_EACH_WHEN_URGENT: Final = "1h"
_AT_MOST: Final = "4w"
"""Who is to hear of it in no hours within this is not waited for."""


async def about_question(planning: PlanningInput, directory: Directory) -> list[ScheduledAction]:
    """The moments of the question that is open; one that comes into nobody's hours carries the reason."""
    if planning.question is None:
        return []
    asked = await _OpenQuestion.of(planning, planning.question, directory)
    reminder = asked.reminder()
    return [reminder, await asked.somebody_else(reminder), *([asked.end()] if planning.question.stands else [])]


@dataclass(frozen=True)
class _OpenQuestion:
    planning: PlanningInput
    question: OpenQuestion
    directory: Directory
    requester: Person | None
    """None when they have left the directory; the days are then those of whoever asked."""
    there: ZoneInfo

    @classmethod
    async def of(cls, planning: PlanningInput, question: OpenQuestion, directory: Directory) -> "_OpenQuestion":
        requester = await _known(directory, planning.subject.requester)
        somebody = requester or await directory.person(question.person, planning.subject.workflow_id)
        return cls(planning, question, directory, requester, somebody.tz)

    def reminder(self) -> ScheduledAction:
        """To the requester; nobody waits for one who is away."""
        why = f"question {self.question.number} of {self.question.person}, {in_words(self._each)} without an answer"
        stage = stages.unanswered(self.question.number)
        reminder = self._moment(ActionType.QUESTION, self._later(self.question.at), stage, why)
        if self.requester is None:
            return reminder.dropped(Reason.UNKNOWN_PERSON, "they are not in the directory")
        if self.requester.absent_at(reminder.at):
            return reminder.dropped(Reason.ABSENT, "they are absent")
        return self._opened(reminder, self.requester)

    async def somebody_else(self, reminder: ScheduledAction) -> ScheduledAction:
        """To whoever can see to the answer, else to the requester again."""
        at = reminder.at if reminder.suppressed else self._later(reminder.at)
        skipped = [f"{reminder.to} is {reminder.suppressed}"] if reminder.suppressed else []
        found, as_ = self.requester, "nobody else can see to it"
        for id, role in self._candidates():
            person = await _known(self.directory, id)
            if person is not None and (why_not := await self._unsuitable(person, at)) is None:
                found, as_ = person, role
                break
            skipped.append(f"not to {id}, {why_not if person else 'who is not in the directory'}")
        to = found.id if found else reminder.to
        why = "; ".join([f"question {self.question.number} is still open: to {to}, {as_}", *skipped])
        stage = stages.unanswered(self.question.number, again=True)
        moment = self._moment(ActionType.QUESTION, at, stage, why).replace(to=to)
        return self._opened(moment, found) if found else moment.dropped(Reason.UNKNOWN_PERSON, "nobody is known")

    def end(self) -> ScheduledAction:
        """Of the time for which the clocks stand."""
        pause = self.planning.policy.question.pause
        why = f"question {self.question.number} was not answered within {in_words(pause)}"
        return self._moment(ActionType.GO_ON, after(self.question.at, pause, self.there), "go-on", why)

    @property
    def _each(self) -> str:
        return _EACH_WHEN_URGENT if self.planning.policy.urgent else _EACH

    def _later(self, at: datetime) -> datetime:
        return after(at, self._each, self.there)

    def _moment(self, kind: ActionType, at: datetime, stage: str, why: str) -> ScheduledAction:
        requester = self.planning.subject.requester
        return ScheduledAction(at=at, kind=kind, stage=stage, person=self.question.person, to=requester, why=why)

    def _opened(self, moment: ScheduledAction, person: Person) -> ScheduledAction:
        hours, now = OpenHours.of(person, self.planning.policy), self.planning.now
        before = after(max(moment.at, now), _AT_MOST, person.tz)
        slot = hours.next_slot(moment.at, before)
        if slot is None:
            return hours.drop(moment, moment.at, before)
        if moment.at not in slot:
            moment = moment.moved(slot.opens, f"moved into the hours of {person.id}")
        return hours.keep(moment, now, before)

    def _candidates(self) -> Iterator[tuple[str, str]]:
        """Whom it may concern beside the requester, and as what."""
        if self.requester and self.requester.manager:
            yield self.requester.manager, f"the manager of {self.requester.id}"
        escalation = self.planning.policy.escalation
        if escalation and escalation.fallback:
            yield escalation.fallback, "the fallback of this kind"

    async def _unsuitable(self, person: Person, at: datetime) -> str | None:
        if person.id == self.question.person:
            return "who has asked it"
        if person.absent_at(at):
            return "who is absent"
        return None if await self.directory.devices(person) else "who has no phone"


async def _known(directory: Directory, id: str) -> Person | None:
    try:
        return await directory.person(id)
    except UnknownPerson:
        return None
