"""The notices that a plan or a person asks for, and what became of them in words; of what else happened, each kind."""

from datetime import datetime

import workflows.follow_up.stages as stages
from workflows.follow_up.ledger import key_of
from workflows.follow_up.memory import FollowUpState
from workflows.model.notices import Delivered, NoticeAction, NotificationOrder, NotificationOutcome
from workflows.model.planning import ActionType, ScheduledAction
from workflows.model.subject import Subject
from workflows.names import notice_key


def nudges(memory: FollowUpState, moments: tuple[ScheduledAction, ...]) -> tuple[NotificationOrder, ...]:
    """What people hear of their own turn: reminders, warnings, that it was escalated, each with its own stage."""
    return tuple(_planned(memory, moment, memory.action_of(moment.person)) for moment in moments)


def by_hand(memory: FollowUpState, moments: tuple[ScheduledAction, ...]) -> tuple[NotificationOrder, ...]:
    """A reminder that somebody asked for now: it is sent now or not at all."""
    return tuple(notice.replace(movable=False) for notice in nudges(memory, moments))


def alerts(memory: FollowUpState, moments: tuple[ScheduledAction, ...]) -> tuple[NotificationOrder, ...]:
    """Escalations: one notice per silent signer to whoever is to act; the signer hears of it in hours of their own."""
    return tuple(_planned(memory, moment, NoticeAction.OPEN).replace(about=moment.person) for moment in moments)


def asked_again(memory: FollowUpState, moments: tuple[ScheduledAction, ...]) -> tuple[NotificationOrder, ...]:
    """Reminders of an open question, to whoever is to answer; nobody needs one about a signer who has acted."""
    return alerts(memory, moments)


def alerted(memory: FollowUpState, moments: tuple[ScheduledAction, ...]) -> tuple[ScheduledAction, ...]:
    """Of these moments the escalations of which somebody knows by now, each once."""
    told = {line.key for line in memory.notifications if line.reached}
    before = {entry.from_ for entry in memory.escalations}
    return tuple(
        moment
        for moment in moments
        if moment.kind is ActionType.ESCALATE and moment.person not in before and key_of(memory.request, moment) in told
    )


def asked_for(memory: FollowUpState, now: datetime) -> tuple[ScheduledAction, ...]:
    """The reminder that somebody asked for, as moments of now."""
    asked = memory.reminder
    if asked is None:
        return ()
    stage, why = stages.reminder_by_hand(asked.number), f"asked for by {asked.who}"
    return tuple(
        ScheduledAction(at=now, kind=ActionType.REMIND, stage=stage, person=signer.person, to=signer.person, why=why)
        for signer in memory.awaited.pending
        if (stage, signer.person) not in memory.told_stages
    )


def reminded_words(memory: FollowUpState) -> str:
    """Whom the reminder that somebody asked for has reached, and whom it has not."""
    stage = stages.reminder_by_hand(memory.reminders_asked)
    lines = [line for line in memory.notifications if line.stage == stage]
    reached = [line.person for line in lines if line.outcome is NotificationOutcome.ACCEPTED]
    open_ = [line.person for line in lines if line.person not in reached and memory.stragglers.has(line.key)]
    missed = [f"{line.person} ({line.why or line.outcome})" for line in lines if line.person not in (*reached, *open_)]
    told = f"told {', '.join(reached) or 'nobody'}"
    told += f"; not yet {', '.join(open_)}" if open_ else ""
    return f"{told}; not {', '.join(missed)}" if missed else told


def explained(lines: tuple[Delivered, ...], moments: tuple[ScheduledAction, ...]) -> tuple[Delivered, ...]:
    """The ledger lines with the plan's reason where the delivery gave none of its own."""
    return tuple(line.replace(why=line.why or _planned_because(line, moments)) for line in lines)


def _planned_because(line: Delivered, moments: tuple[ScheduledAction, ...]) -> str | None:
    request = line.key.partition("/")[0]
    return next((moment.why for moment in moments if key_of(request, moment) == line.key), None)


def _planned(memory: FollowUpState, moment: ScheduledAction, action: NoticeAction) -> NotificationOrder:
    return NotificationOrder(
        key=key_of(memory.request, moment),
        stage=moment.stage,
        person=moment.to,
        action=action,
        movable=True,
        wakes_others=moment.wakes_others,
    )


def notice_to(subject: Subject, stage: str, person: str, action: NoticeAction) -> NotificationOrder:
    """A notice to one person that no plan asks for."""
    return NotificationOrder(key=notice_key(subject.id, stage, person), stage=stage, person=person, action=action)
