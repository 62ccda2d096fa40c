"""Policy × people × the calendars of their places → the agenda: every instant in UTC, with its reason in words.

The rules are in `follow_up/`. What they leave out stands in `Agenda.dropped` with its reason, so that nothing planned
disappears; instants before `now` are kept, because only the workflow knows what was missed.
"""

from datetime import UTC, date, datetime
from typing import Final

from activities.calendars.wall_clock import after, latest_end_of_day
from activities.failures import passing_failure
from activities.follow_up.escalation import escalation
from activities.follow_up.last_warnings import last_warnings
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
        try:
            return await self._plan(planning)
        except DirectoryFailure as failure:
            raise passing_failure(Code.DIRECTORY, str(failure)) from failure
        except (ArithmeticError, LookupError, ValueError) as fault:
            raise passing_failure(Code.PLANNING, f"the policy cannot be planned: {fault}") from fault

    async def _plan(self, planning: Planning) -> Agenda:
        due_at = await self._due_at(planning)
        moments = [_expiry(planning.brief.requester, due_at), *await about_question(planning, self._directory)]
        people = [await self._directory.person(turn.person, planning.brief.id) for turn in planning.turns]
        for turn, person in zip(planning.turns, people, strict=True):
            others = await self._mailed_along(planning, person, people)
            waiting = _waiting(planning, turn, due_at, person, others)
            warnings = last_warnings(waiting)
            nudges = reminders(waiting, warnings)
            escalations = await escalation(planning, waiting, nudges, self._directory)
            moments += [*warnings, *nudges, *escalations, *told_of(escalations, (*warnings, *nudges), waiting)]
        moments.sort(key=lambda moment: (moment.at, _ORDER.index(moment.kind), moment.person))
        return Agenda(
            due_at=due_at,
            moments=tuple(moment for moment in moments if moment.suppressed is None),
            dropped=tuple(moment for moment in moments if moment.suppressed is not None),
            doubt=self._directory.warning,
        )

    async def _due_at(self, planning: Planning) -> datetime:
        """The instant after which the request expires."""
        if isinstance(planning.due, datetime):
            return planning.due.astimezone(UTC)
        signers = await self._known_signers(planning)
        if isinstance(planning.due, date):
            return latest_end_of_day(planning.due, ((signer.tz, signer.working_hours[1]) for signer in signers))
        return after(planning.window_from, planning.policy.window, signers[0].tz)

    async def _known_signers(self, planning: Planning) -> list[Person]:
        """The signers; who has acted and has left the directory since does not stop the others."""
        known = []
        for signer in planning.brief.signers:
            try:
                known.append(await self._directory.person(signer.person, planning.brief.id))
            except UnknownPerson:
                if signer.person not in planning.acted:
                    raise
        return known or [await self._directory.person(planning.brief.requester)]

    async def _mailed_along(self, planning: Planning, person: Person, people: list[Person]) -> Others:
        """Whom every nudge of this signer reaches as well, because no phone takes it."""
        others = [other for other in people if other is not person]
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


def _expiry(requester: str, due_at: datetime) -> Moment:
    return Moment(
        at=due_at, kind=MomentKind.EXPIRE, stage="expiry", person=requester, to=requester, why="the due date has passed"
    )
