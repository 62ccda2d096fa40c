"""Policy × people × the calendars of their places → the agenda: every instant in UTC, with its reason in words.

The rules are in `follow_up/`. What they leave out stands in `Schedule.dropped` with its reason, so that nothing planned
disappears; instants before `now` are kept, because only the workflow knows what was missed.
"""

import asyncio
from collections.abc import Mapping, Sequence
from contextlib import suppress
from datetime import UTC, date, datetime
from typing import Final

from activities.calendars.wall_clock import after, in_words, latest_end_of_day
from activities.directory import Directory, DirectoryFailure, UnknownPerson
from activities.failures import directory_failure, passing_failure
from activities.follow_up.escalation import escalation
from activities.follow_up.fallback import fallback
from activities.follow_up.last_warnings import last_warnings
from activities.follow_up.nearest import nearest
from activities.follow_up.others import NOBODY, Others
from activities.follow_up.questions import about_question
from activities.follow_up.reminders import reminders
from activities.follow_up.silence import SilentTurn, Span
from activities.follow_up.told_signers import told_of
from activities.person import Person
from workflows.follow_up.agenda import HORIZON
from workflows.model.planning import (
    ActionType,
    PlanningInput,
    Reason,
    Schedule,
    ScheduledAction,
    StandIn,
    StandInReport,
    Turn,
)
from workflows.model.subject import Code
from workflows.ports import Planner, StandInFinder

_ORDER: Final = list(ActionType)


class PolicyPlanner(Planner, StandInFinder):
    """Plans from the policy and the directory; reads no clock."""

    def __init__(self, directory: Directory) -> None:
        self._directory = directory

    async def plan(self, planning: PlanningInput) -> Schedule:
        """See `Planner`; fails with `directory` when people cannot be looked up, with `planning` otherwise."""
        return nearest(await self.calendar(planning), planning)

    async def look_at(self, stand_in: StandIn) -> StandInReport:
        """See `StandInFinder`; fails with `directory` when nobody can be looked up."""
        try:
            person = await self._directory.person(stand_in.person, stand_in.beside)
        except UnknownPerson as stranger:
            return StandInReport(refused=str(stranger))
        except DirectoryFailure as failure:
            raise directory_failure(failure) from failure
        return StandInReport(refused=None if stand_in.force else person.absence_refusal(stand_in.at))

    async def calendar(self, planning: PlanningInput) -> Schedule:
        """The whole agenda, however far ahead; fails like `plan`."""
        try:
            return await self._plan(planning)
        except DirectoryFailure as failure:
            raise directory_failure(failure) from failure
        except (ArithmeticError, LookupError, ValueError) as fault:
            raise passing_failure(Code.PLANNING, f"the policy cannot be planned: {fault}") from fault

    async def _plan(self, planning: PlanningInput) -> Schedule:
        people = await self._signers(planning)
        missing = tuple(one.person for one in planning.subject.people if one.person not in (*people, *planning.acted))
        span = await self._span(planning, people)
        closing = [_expiry(planning, span)] if planning.policy.expires else []
        moments = [*closing, *await about_question(planning, self._directory)]
        for turn in planning.turns:
            moments += await (
                self._about_missing(planning, turn, span)
                if turn.person in missing
                else self._about(planning, turn, span, people)
            )
            await asyncio.sleep(0)  # A crowd is planned one by one: whoever waits for the loop gets it in between.
        moments.sort(key=lambda moment: (moment.at, _ORDER.index(moment.kind), moment.person))
        return Schedule(
            due_at=span.due_at,
            closes_at=span.closes_at,
            closes=planning.policy.expires,
            moments=tuple(moment for moment in moments if moment.suppressed is None),
            dropped=tuple(moment for moment in moments if moment.suppressed is not None),
            doubt=self._directory.warning or _not_there(missing),
            missing=missing,
        )

    async def _about(
        self, planning: PlanningInput, turn: Turn, span: Span, people: Mapping[str, Person]
    ) -> list[ScheduledAction]:
        person = people[turn.person]
        others = [people[other.person] for other in planning.turns if other is not turn and other.person in people]
        mailed_along = await self._mailed_along(planning, person, others)
        silence = SilentTurn.of(planning, self._directory, turn, span, there=person, others=mailed_along)
        warnings = last_warnings(silence)
        nudges, late, wait, alerts = await _follow_up(silence, warnings)
        other = await self._other_channel(silence, person, [*warnings, *nudges])
        return [*warnings, *nudges, *other, *late, *alerts, *told_of(alerts, (*warnings, *nudges, *late), wait)]

    async def _other_channel(
        self, silence: SilentTurn, person: Person, nudges: list[ScheduledAction]
    ) -> list[ScheduledAction]:
        """Whoever has no phone that can be relied on is written to at once."""
        found = fallback(silence, nudges)
        if found and await self._has_phone(person, silence.now):
            return found
        return [one.dropped(Reason.NO_DEVICE, "they have no phone, and were written to at once") for one in found]

    async def _has_phone(self, person: Person, now: datetime) -> bool:
        return any(not device.unseen(now) for device in await self._directory.devices(person))

    async def _about_missing(self, planning: PlanningInput, turn: Turn, span: Span) -> list[ScheduledAction]:
        """Nobody can be nudged who has left the directory; their silence still counts, on the requester's clock."""
        requester = await self._directory.person(planning.subject.requester, planning.subject.workflow_id)
        there = requester.model_copy(update={"absent": ()})
        silence = SilentTurn.of(planning, self._directory, turn, span, there=there)
        return (await _alerts((silence, []), (silence.overdue, []), []))[1]

    async def _span(self, planning: PlanningInput, people: Mapping[str, Person]) -> Span:
        """When the request is due, and when it is over."""
        signers = list(people.values()) or [await self._directory.person(planning.subject.requester)]
        due_at = _due_at(planning, signers)
        if not planning.policy.expires:
            return Span(due_at, due_at + HORIZON)
        return Span(due_at, after(due_at, planning.policy.grace, signers[0].tz))

    async def _signers(self, planning: PlanningInput) -> dict[str, Person]:
        """The signers whom the directory knows; whoever has left it does not stop the others."""
        known = {}
        for signer in planning.subject.people:
            with suppress(UnknownPerson):
                known[signer.person] = await self._directory.person(signer.person, planning.subject.workflow_id)
        return known

    async def _mailed_along(self, planning: PlanningInput, person: Person, others: list[Person]) -> Others:
        """Whom every nudge of this signer reaches as well, because no phone takes it."""
        if planning.policy.urgent or not others or await self._has_phone(person, planning.now):
            return NOBODY
        return Others.of(others, planning.policy)


async def _follow_up(
    silence: SilentTurn, warnings: list[ScheduledAction]
) -> tuple[list[ScheduledAction], list[ScheduledAction], SilentTurn, list[ScheduledAction]]:
    """The reminders in time and late, and the alerts with the wait they come in; reminders give way to an alert."""
    overdue = silence.overdue
    nudges = reminders(silence, warnings)
    late = reminders(overdue, [*warnings, *nudges]) if overdue else []
    wait, alerts = await _alerts((silence, nudges), (overdue, late), warnings)
    alert = next((one.at for one in alerts if one.suppressed is None), None)
    if alert is not None and any(wait.is_for_the_alert(one.at, alert) for one in (*nudges, *late)):
        nudges = reminders(silence, warnings, alert)
        late = reminders(overdue, [*warnings, *nudges], alert) if overdue else []
    return nudges, late, wait, alerts


async def _alerts(
    in_time: tuple[SilentTurn, list[ScheduledAction]],
    too_late: tuple[SilentTurn | None, list[ScheduledAction]],
    warnings: list[ScheduledAction],
) -> tuple[SilentTurn, list[ScheduledAction]]:
    """The escalation of a signer and the wait it comes in: what cannot come in time may come after the due date."""
    (silence, nudges), (overdue, late) = in_time, too_late
    heard = [*warnings, *nudges]
    begins_late = overdue is not None and silence.since >= silence.due
    alerts = [] if begins_late else await escalation(silence, nudges, heard)
    if overdue is None or any(alert.suppressed is None for alert in alerts):
        return silence, alerts
    return overdue, await escalation(overdue, late, [*heard, *late], next(iter(alerts), None)) or alerts


def _due_at(planning: PlanningInput, signers: Sequence[Person]) -> datetime:
    if isinstance(planning.due, datetime):
        return planning.due.astimezone(UTC)
    if isinstance(planning.due, date):
        return latest_end_of_day(planning.due, ((signer.tz, signer.working_hours[1]) for signer in signers))
    return after(planning.window_from, planning.policy.window, signers[0].tz)


def _not_there(missing: tuple[str, ...]) -> str | None:
    return f"{', '.join(missing)}: not in the directory" if missing else None


def _expiry(planning: PlanningInput, span: Span) -> ScheduledAction:
    requester, grace = planning.subject.requester, planning.policy.grace
    late = span.closes_at > span.due_at
    why = f"{in_words(grace)} after the due date" if late else "the due date has passed"
    return ScheduledAction(
        at=span.closes_at, kind=ActionType.EXPIRE, stage="expiry", person=requester, to=requester, why=why
    )
