"""The planner: policy, people and calendars become the schedule: instants in UTC, each with its reasons.

Actions that the rules drop are in `Schedule.dropped` with the reason. Instants before `now` are kept, since only the
workflow knows which were missed.
"""

import asyncio
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from functools import partial
from operator import itemgetter
from typing import Final
from zoneinfo import ZoneInfo

from activities.calendar.calendar import add_duration, is_of_days, latest_end_of_day, share
from activities.people.directory import Directory, DirectoryFailure, UnknownPerson, askers
from activities.people.person import Person
from activities.schedule.escalation import escalation, told_of
from activities.schedule.open_hours import OpenHours
from activities.schedule.reminders import fallback, last_warnings, reminders
from activities.schedule.turn import NOBODY, CoSigners, SilentTurn, Span
from activities.temporal.failures import directory_failure, passing_failure
from workflows.follow_up import notification_types
from workflows.follow_up.next_step import HORIZON
from workflows.follow_up.notification_types import reminder_number
from workflows.model.messages import Message
from workflows.model.plan_reasons import PlanReason
from workflows.model.rejections import Rejection
from workflows.model.schedule import (
    ActionType,
    OpenQuestion,
    PlanningInput,
    Reason,
    RemainingReminders,
    Schedule,
    ScheduledAction,
    StandIn,
    StandInReport,
    Turn,
)
from workflows.model.subject import Code, Participant
from workflows.ports import Planner, StandInFinder

_DAY: Final = timedelta(days=1)
_NEVER: Final = datetime.max.replace(tzinfo=UTC)
REMINDERS_AT_ONCE: Final = 200
"""Reminders in one schedule, shared by everyone whose turn it is."""
AT_LEAST: Final = 2
"""Of each of them, however many they are."""
_EACH: Final = "1d"
"""From the question to its reminder, and from that to somebody else."""
_EACH_WHEN_URGENT: Final = "1h"
_AT_MOST: Final = "4w"
"""Who is to hear of it in no hours within this is not waited for."""
_ORDER: Final = list(ActionType)


def nearest(schedule: Schedule, planning: PlanningInput) -> Schedule:
    """The schedule without reminders beyond the next few of each person."""
    few = max(AT_LEAST, REMINDERS_AT_ONCE // max(1, len(planning.turns)))
    number = partial(_number, planning.revision)
    behind = {reminder.person: reminder.number for reminder in planning.reminded}
    remaining: list[RemainingReminders] = []
    later: set[tuple[str, str]] = set()
    for person, planned in _by_person(schedule.actions, number).items():
        ahead = [reminder for reminder in planned if number(reminder) > behind.get(person, 0)]
        if len(planned) > few:
            kept_stages = {reminder.stage for reminder in ahead[:few]}
            later |= {(reminder.stage, person) for reminder in planned if reminder.stage not in kept_stages}
        if len(planned) > few and len(ahead) > few:
            remaining.append(RemainingReminders(person=person, reminders=len(ahead) - few))
    for person, forbidden in _by_person(schedule.dropped, number).items():
        past_reminders = [reminder for reminder in forbidden if number(reminder) <= behind.get(person, 0)]
        later |= {
            (reminder.stage, person) for reminder in (*past_reminders[:-few], *forbidden[len(past_reminders) :][few:])
        }
    return schedule.replace(
        actions=tuple(action for action in schedule.actions if (action.stage, action.person) not in later),
        dropped=tuple(action for action in schedule.dropped if (action.stage, action.person) not in later),
        more=tuple(remaining),
    )


async def about_question(planning: PlanningInput, directory: Directory) -> list[ScheduledAction]:
    """The actions of the open question; one without open hours carries the reason."""
    if planning.question is None:
        return []
    question = await _OpenQuestion.from_planning(planning, planning.question, directory)
    reminder = question.reminder()
    return [
        reminder,
        await question.somebody_else(reminder),
        *([question.end()] if planning.question.stops_clocks else []),
    ]


class PolicyPlanner(Planner, StandInFinder):
    """Plans from policy and directory; reads no clock."""

    def __init__(self, directory: Directory) -> None:
        self._directory = directory

    async def plan(self, planning: PlanningInput) -> Schedule:
        """Fails with `directory` when people cannot be looked up, with `planning` otherwise."""
        return nearest(await self.calendar(planning), planning)

    async def check(self, stand_in: StandIn) -> StandInReport:
        """Fails with `directory` when nobody can be looked up."""
        try:
            person = (await self._directory.person(stand_in.person, stand_in.beside)).for_kind(stand_in.kind)
            is_asker = person.id in await askers(self._directory, stand_in.reviewed_for)
        except UnknownPerson as stranger:
            return StandInReport(refused=stranger.message)
        except DirectoryFailure as failure:
            raise directory_failure(failure) from failure
        if is_asker:
            return StandInReport(refused=Rejection.OWN_REVIEW.to_message(person=person.id))
        return StandInReport(refused=None if stand_in.force else person.absence_refusal(stand_in.at))

    async def calendar(self, planning: PlanningInput) -> Schedule:
        """The whole schedule, without a horizon; fails like `plan`."""
        try:
            return await self._plan(planning)
        except DirectoryFailure as failure:
            raise directory_failure(failure) from failure
        except (ArithmeticError, LookupError, ValueError) as fault:
            raise passing_failure(Code.PLANNING, f"the policy cannot be planned: {fault}") from fault

    async def _plan(self, planning: PlanningInput) -> Schedule:
        people = await self._signers(planning)
        missing = tuple(
            participant.person
            for participant in planning.subject.people
            if participant.person not in (*people, *planning.acted)
        )
        span = await self._span(planning, people)
        closing = [_expiry(planning, span)] if planning.policy.expires else []
        actions = [*closing, *await about_question(planning, self._directory)]
        spared = _not_escalated(planning, people)
        for turn in planning.turns:
            own_planning = _without_escalation(planning) if turn.person in spared else planning
            actions += await (
                self._about_missing(own_planning, turn, span)
                if turn.person in missing
                else self._plan_turn(own_planning, turn, span, people)
            )
            await asyncio.sleep(0)  # A crowd is planned one by one: whoever waits for the loop gets it in between.
        actions.sort(key=lambda action: (action.at, _ORDER.index(action.kind), action.person))
        return Schedule(
            due_at=span.due_at,
            closes_at=span.closes_at,
            closes=planning.policy.expires,
            actions=tuple(action for action in actions if action.suppressed is None),
            dropped=tuple(action for action in actions if action.suppressed is not None),
            doubt=self._directory.warning or _not_there(missing),
            missing=missing,
            proposed=await self._proposed(missing),
        )

    async def _proposed(self, missing: tuple[str, ...]) -> tuple[str, ...]:
        substitutes = [await self._directory.substitute_of(leaver) for leaver in missing]
        return tuple(dict.fromkeys(filter(None, substitutes)))

    async def _plan_turn(
        self, planning: PlanningInput, turn: Turn, span: Span, people: Mapping[str, Person]
    ) -> list[ScheduledAction]:
        person = people[turn.person]
        other_signers = [
            people[other_turn.person]
            for other_turn in planning.turns
            if other_turn is not turn and other_turn.person in people and not _is_beside(planning, other_turn.person)
        ]
        mailed_along = await self._mailed_along(planning, person, other_signers)
        silence = SilentTurn.for_turn(
            planning, self._directory, turn, span, calendar_owner=person, co_signers=mailed_along
        )
        warnings = last_warnings(silence)
        nudges, late, wait, alerts = await _follow_up(silence, warnings)
        switches = await self._other_channel(silence, person, [*warnings, *nudges])
        return [*warnings, *nudges, *switches, *late, *alerts, *told_of(alerts, (*warnings, *nudges, *late), wait)]

    async def _other_channel(
        self, silence: SilentTurn, person: Person, nudges: list[ScheduledAction]
    ) -> list[ScheduledAction]:
        """A person without a reliable phone gets mail at once."""
        switches = fallback(silence, nudges)
        if switches and await self._has_phone(person, silence.now):
            return switches
        return [switch.dropped(Reason.NO_DEVICE, PlanReason.NO_PHONE.to_message()) for switch in switches]

    async def _has_phone(self, person: Person, now: datetime) -> bool:
        return any(not device.unseen(now) for device in await self._directory.devices(person))

    async def _about_missing(self, planning: PlanningInput, turn: Turn, span: Span) -> list[ScheduledAction]:
        """A signer who left the directory gets no notices; their silence still counts, in the requester's hours."""
        requester = await self._directory.person(planning.subject.requester, planning.subject.workflow_id)
        calendar_owner = requester.model_copy(update={"absent": ()})
        silence = SilentTurn.for_turn(planning, self._directory, turn, span, calendar_owner=calendar_owner)
        return (await _alerts((silence, []), (silence.overdue, []), []))[1]

    async def _span(self, planning: PlanningInput, people: Mapping[str, Person]) -> Span:
        signers = list(people.values()) or [await self._directory.person(planning.subject.requester)]
        due_at = _due_at(planning, signers)
        if planning.within:
            return Span(_review_due(planning, due_at, signers), due_at)
        if not planning.policy.expires:
            return Span(due_at, due_at + HORIZON)
        return Span(due_at, add_duration(due_at, planning.policy.grace, signers[0].tz))

    async def _signers(self, planning: PlanningInput) -> dict[str, Person]:
        """The signers whom the directory knows; one who left does not stop the others."""
        person_by_id = {}
        for signer in planning.subject.people:
            with suppress(UnknownPerson):
                person = await self._directory.person(signer.person, planning.subject.workflow_id)
                person_by_id[signer.person] = person.for_kind(planning.subject.kind)
        return person_by_id

    async def _mailed_along(self, planning: PlanningInput, person: Person, other_signers: list[Person]) -> CoSigners:
        """The others whom each mail to this signer also reaches."""
        mailed = [signer for signer in other_signers if signer.email]
        grouped = _in_group(planning, person.id)
        if planning.policy.urgent or planning.within or grouped or not (person.email and mailed):
            return NOBODY
        return NOBODY if await self._has_phone(person, planning.now) else CoSigners.from_people(mailed, planning.policy)


def _not_escalated(planning: PlanningInput, people: Mapping[str, Person]) -> frozenset[str]:
    """Of each group that shares a place all but who is there longest: the silence is of the place, not of each."""
    turns = {turn.person for turn in planning.turns}
    members = [signer for signer in planning.subject.people if signer.shares_place and signer.person in turns]

    def present_until(member: Participant) -> datetime:
        if (person := people.get(member.person)) is None:
            return planning.now
        spans = (absence.span(person.tz) for absence in person.absent)
        return min((max(begin, planning.now) for begin, end in spans if end > planning.now), default=_NEVER)

    groups = [[member for member in members if member.team == team] for team in {member.team for member in members}]
    spokespeople = {max(group, key=present_until).person for group in groups}
    return frozenset(member.person for member in members) - spokespeople


def _without_escalation(planning: PlanningInput) -> PlanningInput:
    overdue = planning.policy.overdue
    policy = planning.policy.replace(escalation=None, overdue=overdue.replace(escalate=False) if overdue else None)
    return planning.replace(policy=policy)


def _in_group(planning: PlanningInput, person: str) -> bool:
    """Whether they share a place, so that we notify them and Core Signature does not."""
    return any(signer.shares_place for signer in planning.subject.people if signer.person == person)


def _is_beside(planning: PlanningInput, person: str) -> bool:
    return any(signer.beside for signer in planning.subject.people if signer.person == person)


def _by_person(
    actions: Iterable[ScheduledAction], number: Callable[[ScheduledAction], int]
) -> dict[str, list[ScheduledAction]]:
    actions_by_person: dict[str, list[ScheduledAction]] = {}
    for action in actions:
        if number(action):
            actions_by_person.setdefault(action.person, []).append(action)
    return {person: sorted(reminders, key=number) for person, reminders in actions_by_person.items()}


def _number(revision: int, action: ScheduledAction) -> int:
    return reminder_number(action.stage, revision) or 0


@dataclass(frozen=True)
class _OpenQuestion:
    planning: PlanningInput
    question: OpenQuestion
    directory: Directory
    requester: Person | None
    """None when they have left the directory; the days are then those of whoever asked."""
    zone: ZoneInfo

    @classmethod
    async def from_planning(
        cls, planning: PlanningInput, question: OpenQuestion, directory: Directory
    ) -> "_OpenQuestion":
        requester = await _find_person(directory, planning.subject.requester, planning.subject.kind)
        person = requester or await directory.person(question.person, planning.subject.workflow_id)
        return cls(planning, question, directory, requester, person.tz)

    def reminder(self) -> ScheduledAction:
        """To the requester; an absent one is not waited for."""
        question_reason = PlanReason.QUESTION.to_message(number=self.question.number, person=self.question.person)
        reasons = question_reason, PlanReason.NO_ANSWER.to_message(span=self._interval)
        stage = notification_types.unanswered(self.question.number)
        reminder = self._build_action(ActionType.QUESTION, self._later(self.question.at), stage, *reasons)
        if self.requester is None:
            return reminder.dropped(Reason.UNKNOWN_PERSON, PlanReason.NOT_IN_THE_DIRECTORY.to_message())
        if self.requester.absent_at(reminder.at):
            return reminder.dropped(Reason.ABSENT, PlanReason.ABSENT.to_message())
        return self._opened(reminder, self.requester)

    async def somebody_else(self, reminder: ScheduledAction) -> ScheduledAction:
        """To someone who can answer, else to the requester again."""
        action_at = reminder.at if reminder.suppressed else self._later(reminder.at)
        skipped = [_why_skipped(reminder.suppressed).to_message(person=reminder.to)] if reminder.suppressed else []
        recipient, role = self.requester, PlanReason.TO_REQUESTER_AGAIN
        for id, candidate_role in self._candidates():
            person = await _find_person(self.directory, id, self.planning.subject.kind)
            why_not = await self._unsuitable(person, action_at) if person else PlanReason.NOT_TO_STRANGER
            if why_not is None:
                recipient, role = person, candidate_role
                break
            skipped.append(why_not.to_message(person=id))
        still_open = PlanReason.QUESTION_STILL_OPEN.to_message(number=self.question.number)
        to_whom = role.to_message(
            person=recipient.id if recipient else reminder.to, other=self.planning.subject.requester
        )
        stage = notification_types.unanswered(self.question.number, to_alternate=True)
        action = self._build_action(ActionType.QUESTION, action_at, stage, still_open, to_whom, *skipped)
        if recipient is None:
            return action.dropped(Reason.UNKNOWN_PERSON, PlanReason.NOBODY_KNOWN.to_message())
        return self._opened(action.replace(to=recipient.id), recipient)

    def end(self) -> ScheduledAction:
        pause = self.planning.policy.question.pause
        reason = PlanReason.QUESTION_NOT_ANSWERED.to_message(number=self.question.number, span=pause)
        return self._build_action(ActionType.GO_ON, add_duration(self.question.at, pause, self.zone), "go-on", reason)

    @property
    def _interval(self) -> str:
        return _EACH_WHEN_URGENT if self.planning.policy.urgent else _EACH

    def _later(self, instant: datetime) -> datetime:
        return add_duration(instant, self._interval, self.zone)

    def _build_action(self, kind: ActionType, action_at: datetime, stage: str, *reasons: Message) -> ScheduledAction:
        requester = self.planning.subject.requester
        return ScheduledAction(
            at=action_at, kind=kind, stage=stage, person=self.question.person, to=requester, reasons=reasons
        )

    def _opened(self, action: ScheduledAction, person: Person) -> ScheduledAction:
        hours, now = OpenHours.for_person(person, self.planning.policy), self.planning.now
        latest_at = add_duration(max(action.at, now), _AT_MOST, person.tz)
        slot = hours.next_slot(action.at, latest_at)
        if slot is None:
            return hours.drop(action, action.at, latest_at)
        if action.at not in slot:
            action = action.move(slot.opens, PlanReason.INTO_HOURS_OF.to_message(person=person.id))
        return hours.keep(action, now, latest_at)

    def _candidates(self) -> Iterator[tuple[str, PlanReason]]:
        if self.requester and self.requester.manager:
            yield self.requester.manager, PlanReason.TO_MANAGER
        escalation = self.planning.policy.escalation
        if escalation and escalation.fallback:
            yield escalation.fallback, PlanReason.TO_FALLBACK

    async def _unsuitable(self, person: Person, instant: datetime) -> PlanReason | None:
        if person.id == self.question.person:
            return PlanReason.NOT_TO_ASKER
        if person.absent_at(instant):
            return PlanReason.NOT_TO_ABSENT
        return None if await self.directory.devices(person) else PlanReason.NOT_TO_PHONELESS


def _why_skipped(reason: Reason) -> PlanReason:
    return PlanReason.NOT_TO_STRANGER if reason is Reason.UNKNOWN_PERSON else PlanReason.NOT_TO_ABSENT


async def _find_person(directory: Directory, id: str, kind: str) -> Person | None:
    try:
        return (await directory.person(id)).for_kind(kind)
    except UnknownPerson:
        return None


async def _follow_up(
    silence: SilentTurn, warnings: list[ScheduledAction]
) -> tuple[list[ScheduledAction], list[ScheduledAction], SilentTurn, list[ScheduledAction]]:
    """Reminders in time and late, and the escalation with its wait; reminders give way to it."""
    overdue = silence.overdue
    nudges = reminders(silence, warnings)
    late = reminders(overdue, [*warnings, *nudges]) if overdue else []
    wait, alerts = await _alerts((silence, nudges), (overdue, late), warnings)
    alert = next((action.at for action in alerts if action.suppressed is None), None)
    if alert is not None and any(wait.is_for_the_alert(nudge.at, alert) for nudge in (*nudges, *late)):
        nudges = reminders(silence, warnings, alert)
        late = reminders(overdue, [*warnings, *nudges], alert) if overdue else []
    return nudges, late, wait, alerts


async def _alerts(
    in_time: tuple[SilentTurn, list[ScheduledAction]],
    too_late: tuple[SilentTurn | None, list[ScheduledAction]],
    warnings: list[ScheduledAction],
) -> tuple[SilentTurn, list[ScheduledAction]]:
    """The signer's escalation and its wait: one that cannot come in time may come after the due date."""
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
    window, zone = planning.policy.window, signers[0].tz
    ends_at = add_duration(planning.window_from, window, zone)
    last_day = ends_at.astimezone(zone).date()
    day, people = planning.due or last_day, signers
    if planning.due is None and not planning.policy.urgent and not planning.subject.type.spec.document:
        day, people = _first_working_day(last_day, signers)
    if planning.due is None and day == last_day and not is_of_days(window):
        return ends_at
    return latest_end_of_day(day, ((person.tz, person.working_hours[1]) for person in people))


def _first_working_day(day: date, people: Sequence[Person]) -> tuple[date, Sequence[Person]]:
    """The first day from `day` on that is no day off of all of them, and those who work on it."""
    days = (day + number * _DAY for number in range(HORIZON.days))
    working = ((day, [person for person in people if person.works_on(day)]) for day in days)
    return next(filter(itemgetter(1), working), (day, people))


def _review_due(planning: PlanningInput, due_at: datetime, reviewers: Sequence[Person]) -> datetime:
    """When those whose turn it is are to have reviewed it: at the end of a working day if there is a day or more."""
    starts_at = min((turn.since for turn in planning.turns), default=planning.window_from)
    review_time, zone = planning.within, reviewers[0].tz
    if review_time.endswith("%"):
        begins = min(planning.window_from, due_at)
        ends_at = starts_at + (share(begins, due_at, int(review_time.removesuffix("%"))) - begins)
    else:
        ends_at = add_duration(starts_at, review_time, zone)
    if ends_at - starts_at >= _DAY:
        day = ends_at.astimezone(zone).date()
        ends_at = latest_end_of_day(day, ((reviewer.tz, reviewer.working_hours[1]) for reviewer in reviewers))
    return min(ends_at, due_at).astimezone(UTC)


def _not_there(missing: tuple[str, ...]) -> str | None:
    return f"{', '.join(missing)}: not in the directory" if missing else None


def _expiry(planning: PlanningInput, span: Span) -> ScheduledAction:
    requester, grace = planning.subject.requester, planning.policy.grace
    late = span.closes_at > span.due_at
    graceful = late and not planning.within
    reason = PlanReason.AFTER_DUE.to_message(span=grace) if graceful else PlanReason.DUE_PASSED.to_message()
    return ScheduledAction(
        at=span.closes_at, kind=ActionType.EXPIRE, stage="expiry", person=requester, to=requester, reasons=(reason,)
    )
