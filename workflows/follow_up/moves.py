"""The one order of everything that can be next, for the workflow and whoever plays it out before. Pure, total."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime

from workflows.follow_up.agenda import AskAgain, Escalate, Expire, GoOn, Remind, Step, Wait, is_used_up, next_step
from workflows.follow_up.memory import FollowUpState
from workflows.follow_up.stragglers import PendingDevice
from workflows.follow_up.words import Precondition
from workflows.model.entries import Reassignment
from workflows.model.notices import NotificationOrder
from workflows.model.planning import ScheduledAction
from workflows.model.wishes import Stop, StopKind


@dataclass(frozen=True)
class ReassignSlot:
    """Give somebody's place to somebody else."""

    wanted: Reassignment


@dataclass(frozen=True)
class PlanSchedule:
    """Turn policy, people and now into instants."""


@dataclass(frozen=True)
class Paused:
    """Do nothing: somebody has paused it."""

    stop: Stop


@dataclass(frozen=True)
class Announce:
    """Tell people what has happened."""

    notices: tuple[NotificationOrder, ...]


@dataclass(frozen=True)
class RemindNow:
    """Send the reminder that somebody asked for."""


@dataclass(frozen=True)
class RetryDevices:
    """Try again phones that were left open."""

    stragglers: tuple[PendingDevice, ...]


Move = Precondition | ReassignSlot | PlanSchedule | Paused | Announce | RemindNow | RetryDevices | Step


def next_action(memory: FollowUpState, announcement: tuple[NotificationOrder, ...], now: datetime) -> Move:
    """What to do at `now`; total: there is always something, be it to wait."""
    return next(moves(memory, announcement, now))


def moves(memory: FollowUpState, announcement: tuple[NotificationOrder, ...], now: datetime) -> Iterator[Move]:
    """Everything that wants to be done at `now`, in the one order.

    First what is known already is acted on, then people are told what has happened, then the agenda is followed, as far
    as there is one; phones that were left open come last, for nothing waits for them. `announcement` is what has
    happened and whoever is concerned was not told yet.
    """
    yield from before_the_agenda(memory, tuple(one for one in announcement if not memory.is_held(one, now)))
    if memory.agenda is not None:
        step = next_step(memory.agenda, memory, now)
        if isinstance(step, Wait) and (stragglers := memory.again(now)):
            yield RetryDevices(stragglers)
        yield step


def before_the_agenda(memory: FollowUpState, announcement: tuple[NotificationOrder, ...] = ()) -> Iterator[Move]:
    """The moves that come before any step of the agenda: none of them waits for an instant of it."""
    yield from memory.firsts()
    yield from map(ReassignSlot, memory.reassigning)
    if memory.agenda is None or is_used_up(memory.agenda, memory):
        yield PlanSchedule()
    if stop := memory.stop(StopKind.PAUSE):
        yield Paused(stop)
    if announcement:
        yield Announce(announcement)
    if memory.reminder:
        yield RemindNow()


def next_moment(memory: FollowUpState, now: datetime) -> ScheduledAction | None:
    """The moment of the agenda that comes next for people; None when nothing more is planned."""
    if memory.agenda is None:
        return None
    match next_step(memory.agenda, memory, now):
        case Wait(moment) | Expire(moment) | GoOn(moment):
            return moment
        case Remind((), caught_up, too_soon):
            # Nobody is told anything by this step, so what comes after it is next.
            return next_moment(memory.left_out(caught_up, too_soon, now), now)
        case Remind(moments) | Escalate(moments) | AskAgain(moments):
            return min(moments, key=lambda moment: moment.at)
