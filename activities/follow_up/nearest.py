"""Of many reminders an agenda has the next ones only: it is kept in a history, and made anew when they are used up."""

from collections.abc import Callable, Iterable
from functools import partial
from typing import Final

from workflows.follow_up.stages import reminder_number
from workflows.model.planning import PlanningInput, RemainingReminders, Schedule, ScheduledAction

REMINDERS_AT_ONCE: Final = 200
"""Reminders in one agenda, shared by everyone whose turn it is."""
AT_LEAST: Final = 2
"""Of each of them, however many they are."""


def nearest(agenda: Schedule, planning: PlanningInput) -> Schedule:
    """The agenda without the reminders that come later than the next few of each person."""
    few = max(AT_LEAST, REMINDERS_AT_ONCE // max(1, len(planning.turns)))
    number = partial(_number, planning.revision)
    behind = {one.person: one.number for one in planning.reminded}
    more: list[RemainingReminders] = []
    later: set[tuple[str, str]] = set()
    for person, reminders in _by_person(agenda.moments, number).items():
        ahead = [one for one in reminders if number(one) > behind.get(person, 0)]
        if len(reminders) > few:
            kept = {one.stage for one in ahead[:few]}
            later |= {(one.stage, person) for one in reminders if one.stage not in kept}
        if len(reminders) > few and len(ahead) > few:
            more.append(RemainingReminders(person=person, reminders=len(ahead) - few))
    for person, forbidden in _by_person(agenda.dropped, number).items():
        past = [one for one in forbidden if number(one) <= behind.get(person, 0)]
        later |= {(one.stage, person) for one in (*past[:-few], *forbidden[len(past) :][few:])}
    return agenda.replace(
        moments=tuple(one for one in agenda.moments if (one.stage, one.person) not in later),
        dropped=tuple(one for one in agenda.dropped if (one.stage, one.person) not in later),
        more=tuple(more),
    )


def _by_person(
    moments: Iterable[ScheduledAction], number: Callable[[ScheduledAction], int]
) -> dict[str, list[ScheduledAction]]:
    """The reminders of each person in the order of their numbers."""
    found: dict[str, list[ScheduledAction]] = {}
    for one in moments:
        if number(one):
            found.setdefault(one.person, []).append(one)
    return {person: sorted(reminders, key=number) for person, reminders in found.items()}


def _number(revision: int, moment: ScheduledAction) -> int:
    return reminder_number(moment.stage, revision) or 0
