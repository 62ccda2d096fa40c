"""The pure decision: given what was planned, what has happened and the time, what is to be done next."""

from dataclasses import dataclass
from datetime import datetime, timedelta

from workflows.model import Agenda, Moment, MomentKind, Outcome
from workflows.progress import Progress

_NUDGES = (MomentKind.REMIND, MomentKind.WARN)
_NUDGE_STAGES = ("reminder", "warning", "snooze")
_LAST_WORD = timedelta(hours=24)
"""A last warning that nobody's phone took holds the expiry for this long."""
APART = timedelta(hours=1)
"""Nobody is nudged twice within this time, neither by plan nor by hand."""


@dataclass(frozen=True)
class Nudge:
    """Tell the signers of `moments`.

    `caught_up` are older nudges of theirs that an outage made pointless, `too_soon` reminders that would follow another
    nudge within the hour.
    """

    moments: tuple[Moment, ...]
    caught_up: tuple[Moment, ...] = ()
    too_soon: tuple[Moment, ...] = ()


@dataclass(frozen=True)
class Escalate:
    """Tell the alternates of `moments` who has not acted."""

    moments: tuple[Moment, ...]


@dataclass(frozen=True)
class Expire:
    """End the request: its time is over."""

    moment: Moment


@dataclass(frozen=True)
class Wait:
    """Nothing is due before `moment`; None when nothing is planned at all."""

    moment: Moment | None


Step = Nudge | Escalate | Expire | Wait


def next_step(agenda: Agenda, progress: Progress, now: datetime) -> Step:
    """What to do at `now`. Total: every agenda and progress has an answer; nothing is done before its instant.

    Nudges come before escalation and escalation before expiry, so that nobody loses a request without the last word.
    """
    pending = frozenset(signer.person for signer in progress.signatures.pending)
    told = progress.told_stages
    escalated = frozenset(entry.from_ for entry in progress.escalations)
    ahead = [_held(moment, progress) for moment in agenda.moments if _is_open(moment, pending, told, escalated)]
    due = [moment for moment in ahead if moment.at <= now]
    if nudges := [moment for moment in due if moment.kind in _NUDGES]:
        return _nudge(nudges, progress, now)
    if escalations := tuple(moment for moment in due if moment.kind is MomentKind.ESCALATE):
        return Escalate(escalations)
    if expiry := next((moment for moment in due if moment.kind is MomentKind.EXPIRE), None):
        return Expire(expiry)
    return Wait(min(ahead, key=lambda moment: moment.at, default=None))


def _is_open(
    moment: Moment, pending: frozenset[str], told: frozenset[tuple[str, str]], escalated: frozenset[str]
) -> bool:
    match moment.kind:
        case MomentKind.EXPIRE:
            return True
        case MomentKind.ESCALATE:
            return moment.person in pending and moment.person not in escalated
        case _:
            return moment.person in pending and (moment.stage, moment.person) not in told


def _held(moment: Moment, progress: Progress) -> Moment:
    if moment.kind is not MomentKind.EXPIRE:
        return moment.having(at=max(moment.at, moment.held_until)) if moment.held_until else moment
    unheard = [
        line.at + _LAST_WORD
        for line in progress.notifications
        if line.stage.startswith("warning") and line.outcome is Outcome.FAILED
    ]
    return moment.having(at=max([moment.at, *unheard]))


def _nudge(due: list[Moment], progress: Progress, now: datetime) -> Nudge:
    latest = {moment.person: moment for moment in sorted(due, key=lambda moment: moment.at)}
    kept = tuple(latest.values())
    nudged = frozenset(
        line.person
        for line in progress.notifications
        if line.outcome is Outcome.ACCEPTED and line.stage.startswith(_NUDGE_STAGES) and now - line.at < APART
    )
    too_soon = tuple(moment for moment in kept if moment.kind is MomentKind.REMIND and moment.person in nudged)
    return Nudge(
        moments=tuple(moment for moment in kept if moment not in too_soon),
        caught_up=tuple(moment for moment in due if moment not in kept),
        too_soon=too_soon,
    )
