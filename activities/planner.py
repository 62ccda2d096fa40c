"""Policy × people × the calendars of their places → the agenda: every instant in UTC, with its reason in words.

The rules are in `follow_up/`. What they leave out stands in `Agenda.dropped` with its reason, so that nothing planned
disappears; instants before `now` are kept, because only the workflow knows what was missed.
"""

import asyncio
from collections.abc import Mapping
from contextlib import suppress
from datetime import UTC, date, datetime
from typing import Final

from activities.calendars.wall_clock import after, latest_end_of_day
from activities.failures import passing_failure
from activities.follow_up.escalation import escalation
from activities.follow_up.last_warnings import last_warnings
from activities.follow_up.nearest import nearest
from activities.follow_up.open_hours import OpenHours
from activities.follow_up.others import NOBODY, Others
from activities.follow_up.questions import about_question
from activities.follow_up.reminders import reminders
from activities.follow_up.told_signers import told_of
from activities.follow_up.waiting import Waiting, jitter
from activities.people import Directory, DirectoryFailure, UnknownPerson
from activities.person import Person
from workflows.model.planning import Agenda, Moment, MomentKind, Planning, Turn
from workflows.model.request import Code
from workflows.ports import Planner

_ORDER: Final = list(MomentKind)


class PolicyPlanner(Planner):
    """Plans from the policy and the directory; reads no clock."""

    def __init__(self, directory: Directory) -> None:
        self._directory = directory

    async def plan(self, planning: Planning) -> Agenda:
        """See `Planner`; fails with `directory` when people cannot be looked up, with `planning` otherwise."""
        return nearest(await self.calendar(planning), planning)

    async def calendar(self, planning: Planning) -> Agenda:
        """The whole agenda, however far ahead; fails like `plan`."""
        try:
            return await self._plan(planning)
        except DirectoryFailure as failure:
            raise passing_failure(Code.DIRECTORY, str(failure)) from failure
        except (ArithmeticError, LookupError, ValueError) as fault:
            raise passing_failure(Code.PLANNING, f"the policy cannot be planned: {fault}") from fault

    async def _plan(self, planning: Planning) -> Agenda:
        people = await self._signers(planning)
        missing = tuple(one.person for one in planning.brief.signers if one.person not in (*people, *planning.acted))
        due_at = await self._due_at(planning, people)
        moments = [_expiry(planning.brief.requester, due_at), *await about_question(planning, self._directory)]
        for turn in planning.turns:
            moments += await (
                self._about_missing(planning, turn, due_at)
                if turn.person in missing
                else self._about(planning, turn, due_at, people)
            )
            await asyncio.sleep(0)  # A crowd is planned one by one: whoever waits for the loop gets it in between.
        moments.sort(key=lambda moment: (moment.at, _ORDER.index(moment.kind), moment.person))
        return Agenda(
            due_at=due_at,
            moments=tuple(moment for moment in moments if moment.suppressed is None),
            dropped=tuple(moment for moment in moments if moment.suppressed is not None),
            doubt=self._directory.warning or _not_there(missing),
            missing=missing,
        )

    async def _about(
        self, planning: Planning, turn: Turn, due_at: datetime, people: Mapping[str, Person]
    ) -> list[Moment]:
        person = people[turn.person]
        others = [people[other.person] for other in planning.turns if other is not turn and other.person in people]
        waiting = _waiting(planning, turn, due_at, person, await self._mailed_along(planning, person, others))
        warnings = last_warnings(waiting)
        nudges = reminders(waiting, warnings)
        escalations = await escalation(planning, waiting, nudges, self._directory)
        return [*warnings, *nudges, *escalations, *told_of(escalations, (*warnings, *nudges), waiting)]

    async def _about_missing(self, planning: Planning, turn: Turn, due_at: datetime) -> list[Moment]:
        """Nobody can be nudged who has left the directory; their silence still counts, on the requester's clock."""
        requester = await self._directory.person(planning.brief.requester, planning.brief.id)
        waiting = _waiting(planning, turn, due_at, requester.model_copy(update={"absent": ()}), NOBODY)
        return await escalation(planning, waiting, [], self._directory)

    async def _due_at(self, planning: Planning, people: Mapping[str, Person]) -> datetime:
        """The instant after which the request expires."""
        if isinstance(planning.due, datetime):
            return planning.due.astimezone(UTC)
        signers = list(people.values()) or [await self._directory.person(planning.brief.requester)]
        if isinstance(planning.due, date):
            return latest_end_of_day(planning.due, ((signer.tz, signer.working_hours[1]) for signer in signers))
        return after(planning.window_from, planning.policy.window, signers[0].tz)

    async def _signers(self, planning: Planning) -> dict[str, Person]:
        """The signers whom the directory knows; whoever has left it does not stop the others."""
        known = {}
        for signer in planning.brief.signers:
            with suppress(UnknownPerson):
                known[signer.person] = await self._directory.person(signer.person, planning.brief.id)
        return known

    async def _mailed_along(self, planning: Planning, person: Person, others: list[Person]) -> Others:
        """Whom every nudge of this signer reaches as well, because no phone takes it."""
        if planning.policy.urgent or not others or await self._directory.devices(person):
            return NOBODY
        return Others.of(others, planning.policy)


def _waiting(planning: Planning, turn: Turn, due_at: datetime, person: Person, others: Others) -> Waiting:
    return Waiting(
        person=turn.person,
        since=turn.since,
        came_at=turn.came_at or turn.since,
        due=due_at,
        now=planning.now,
        policy=planning.policy,
        hours=OpenHours.of(person, planning.policy),
        jitter=jitter(planning.brief.id, turn.person),
        snoozes=tuple(snooze for snooze in planning.snoozes if snooze.person == turn.person),
        revision=planning.revision,
        others=others,
        heard_at=turn.heard_at,
    )


def _not_there(missing: tuple[str, ...]) -> str | None:
    return f"{', '.join(missing)}: not in the directory" if missing else None


def _expiry(requester: str, due_at: datetime) -> Moment:
    return Moment(
        at=due_at, kind=MomentKind.EXPIRE, stage="expiry", person=requester, to=requester, why="the due date has passed"
    )
