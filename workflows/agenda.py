"""The pure decision: given what was planned, what has happened and the time, what is to be done next."""

from dataclasses import dataclass
from datetime import datetime, timedelta

from workflows.ledger import Notification
from workflows.model import Agenda, Moment, MomentKind, Outcome
from workflows.progress import Progress

_NUDGES = (MomentKind.REMIND, MomentKind.WARN)
_NUDGE_STAGES = ("reminder", "warning", "snooze")
_LAST_WORD = timedelta(hours=24)
"""A last warning that nobody's phone took holds the expiry for this long."""
HORIZON = timedelta(days=2 * 365)
"""Nothing is planned further ahead than two years."""
APART = timedelta(hours=1)
"""Nobody is nudged twice within this time, neither by plan nor by hand."""


@dataclass(frozen=True)
class Nudge:
    """Tell the signers of `moments`, be it of their own turn or of an escalation.

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

    Nudges come before escalation and escalation before expiry, so that nobody loses a request without the last word
    and the time to heed it.
    """
    pending = frozenset(signer.person for signer in progress.signatures.pending)
    told = progress.told_stages
    escalated = frozenset(entry.from_ for entry in progress.escalations)
    ahead = [
        _waiting_for_the_last_word(moment, agenda, progress) if moment.kind is MomentKind.EXPIRE else _held(moment)
        for moment in agenda.moments
        if _is_open(moment, pending, told, escalated)
    ]
    due = [moment for moment in ahead if moment.at <= now]
    if nudges := [moment for moment in due if moment.kind in _NUDGES]:
        return _nudge(nudges, progress, now)
    if heard := tuple(moment for moment in due if moment.kind is MomentKind.ESCALATED):
        return Nudge(heard)
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
        case MomentKind.ESCALATED if moment.person not in escalated:
            return False
        case _:
            return moment.person in pending and (moment.stage, moment.person) not in told


def _held(moment: Moment) -> Moment:
    return moment.having(at=max(moment.at, moment.held_until)) if moment.held_until else moment


def _waiting_for_the_last_word(expiry: Moment, agenda: Agenda, progress: Progress) -> Moment:
    planned = {(moment.stage, moment.to): moment.at for moment in agenda.moments if moment.kind is MomentKind.WARN}
    heeded = [
        line.at + _time_to_heed(line, planned.get((line.stage, line.person)), expiry.at)
        for line in progress.notifications
        if line.stage.startswith("warning")
    ]
    return expiry.having(at=max([expiry.at, *heeded]))


def _time_to_heed(warning: Notification, planned_at: datetime | None, due_at: datetime) -> timedelta:
    """How long nothing expires after this warning: a late one leaves as much time as was planned, at most a day."""
    if warning.outcome is Outcome.FAILED:
        return _LAST_WORD
    late = warning.outcome is Outcome.ACCEPTED and planned_at is not None and warning.at - planned_at > APART
    return min(due_at - planned_at, _LAST_WORD) if late and planned_at is not None else timedelta()


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
