"""Of many reminders an agenda has the next ones only: it is kept in a history, and made anew when they are used up."""

from collections.abc import Iterable
from typing import Final

from workflows.follow_up.stages import reminder_number
from workflows.model.planning import Agenda, Moment, More, Planning

REMINDERS_AT_ONCE: Final = 200
"""Reminders in one agenda, shared by everyone whose turn it is."""
AT_LEAST: Final = 2
"""Of each of them, however many they are."""


def nearest(agenda: Agenda, planning: Planning) -> Agenda:
    """The agenda without the reminders that come later than the next few of each person."""
    few = max(AT_LEAST, REMINDERS_AT_ONCE // max(1, len(planning.turns)))
    behind = {one.person: one.number for one in planning.reminded}
    later: list[Moment] = []
    more: list[More] = []
    for turn in planning.turns:
        reminders = _reminders_of(turn.person, agenda.moments)
        if len(reminders) > few:
            ahead = [one for one in reminders if _number(one) > behind.get(turn.person, 0)]
            later += [one for one in reminders if one not in ahead[:few]]
            more += [More(person=turn.person, reminders=len(ahead) - few)] if len(ahead) > few else []
        dropped = _reminders_of(turn.person, agenda.dropped)
        later += [one for one in dropped if _number(one) <= behind.get(turn.person, 0)][:-few]
        later += [one for one in dropped if _number(one) > behind.get(turn.person, 0)][few:]
    out = frozenset((one.stage, one.person) for one in later)
    return agenda.replace(
        moments=tuple(one for one in agenda.moments if (one.stage, one.person) not in out),
        dropped=tuple(one for one in agenda.dropped if (one.stage, one.person) not in out),
        more=tuple(more),
    )


def _reminders_of(person: str, moments: Iterable[Moment]) -> list[Moment]:
    return sorted((one for one in moments if one.person == person and reminder_number(one.stage)), key=_number)


def _number(reminder: Moment) -> int:
    return reminder_number(reminder.stage) or 0
