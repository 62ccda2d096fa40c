"""The notices that a plan or a person asks for, and what became of them in words; of what else happened, each kind."""

from datetime import datetime
from typing import Final

import workflows.follow_up.notification_types as notification_types
from workflows.follow_up.input import FollowUpInput
from workflows.follow_up.notification_log import key_of
from workflows.follow_up.notification_types import NotificationType
from workflows.follow_up.outbox import subscriber
from workflows.follow_up.slots import Slot
from workflows.follow_up.state import FollowUpState, State
from workflows.follow_up.turn_signal import onboarding_of
from workflows.model.commands import Subscription, Unsubscription
from workflows.model.notifications import Delivered, NoticeAction, Notification, NotificationOrder, NotificationOutcome
from workflows.model.policy import ESCALATED, Target
from workflows.model.rejections import name_fault
from workflows.model.schedule import ActionType, EscalationReason, ScheduledAction
from workflows.model.subject import Subject
from workflows.model.timeline import EventType
from workflows.names import alert_key, notice_key


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
    stage, why = notification_types.reminder_by_hand(asked.number), f"asked for by {asked.who}"
    return tuple(
        ScheduledAction(at=now, kind=ActionType.REMIND, stage=stage, person=signer.person, to=signer.person, why=why)
        for signer in memory.awaited.pending
        if (stage, signer.person) not in memory.told_stages
    )


def reminded_words(memory: FollowUpState) -> str:
    """Whom the reminder that somebody asked for has reached, and whom it has not."""
    stage = notification_types.reminder_by_hand(memory.reminders_asked)
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


SUBSCRIBERS_AT_MOST: Final = 50
"""Beside those that its file names, which are as many."""


def announcement(request: FollowUpInput, subject: Subject, memory: FollowUpState) -> tuple[NotificationOrder, ...]:
    """Notices of everything that has happened, to those concerned who have no line of it in the ledger yet.

    `subject` has the people of `memory`.
    """
    wanted = [
        *_ready(subject, memory),
        *_taken_away(subject, memory),
        *_questions(subject, memory),
        *_questions_gone(subject, memory),
        *_reports(request, subject, memory),
        *_offered(request, subject, memory),
    ]
    known = memory.ledger.known
    return tuple(notice for notice in wanted if notice.key not in known)


def open_hand_off(request: FollowUpInput, memory: State) -> State:
    """The memory with its fan-out ledger open: the policy's targets, the subscribers, everyone who must know."""
    targets = [target for target in request.policy.handoff if target.hears_of(request.subject.type, memory.status)]
    named = (one for one in request.subscribers if one not in memory.unsubscribed)
    targets += map(subscriber, dict.fromkeys((*named, *memory.subscribers)))
    concerned = _concerned(request, memory)
    people = [Target(target=f"notice:{person}", person=person) for person in concerned]
    quiet = frozenset(person for person in concerned if _is_no_news(request, memory, person))
    return memory.hand_off(tuple(targets), tuple(people), quiet, request.subject.reference)


def open_escalations(request: FollowUpInput, memory: State, now: datetime) -> State:
    """The memory with lines for the targets that hear of escalations, once for each; unchanged when none is new.

    What somebody has handed over by hand is none.
    """
    targets = tuple(target for target in request.policy.handoff if ESCALATED in target.on)
    handoff = memory.handoff
    if not targets or handoff.escalations == len(memory.escalations):
        return memory
    for entry in memory.escalations[handoff.escalations :]:
        told = () if entry.reason is EscalationReason.MANUAL else targets
        before, handoff = handoff, handoff.escalated(told, now, request.subject.reference)
        if handoff is before:
            break
    return memory if handoff is memory.handoff else memory.replace(handoff=handoff)


def refuse_subscribe(request: FollowUpInput, memory: FollowUpState, wish: Subscription) -> str | None:
    """Why this workflow cannot be told of the ending as well."""
    if why := name_fault(wish.actor) or name_fault(wish.workflow, "the workflow's id"):
        return why
    if any(target.target == wish.workflow for target in request.policy.handoff):
        return f"{wish.workflow} is the name of a target of the hand-off"
    known = wish.workflow in memory.subscribers
    return None if known or len(memory.subscribers) < SUBSCRIBERS_AT_MOST else "too many have subscribed already"


def subscribe(memory: State, wish: Subscription, now: datetime) -> State:
    """Tell it of the ending, or at once where that has come; who is told already is not told twice."""
    told = (entry.target.target for entry in memory.handoff.entries)
    if wish.workflow in memory.subscribers or wish.workflow in told:
        return memory
    known = memory.replace(
        subscribers=(*memory.subscribers, wish.workflow), unsubscribed=_without(memory.unsubscribed, wish.workflow)
    )
    if known.handoff.opened:
        known = known.replace(handoff=known.handoff.joined_by(subscriber(wish.workflow), now))
    return known.note(now, EventType.SUBSCRIBED, wish.workflow, None)


def refuse_unsubscribe(request: FollowUpInput, memory: FollowUpState, wish: Unsubscription) -> str | None:
    """Why nothing can be taken back, or not any more; an onboarding waits for its own parts, and would for ever."""
    if why := name_fault(wish.actor) or name_fault(wish.workflow, "the workflow's id"):
        return why
    if wish.workflow in request.subscribers and wish.workflow == onboarding_of(request, memory):
        return f"{wish.workflow} waits for this part of it: end the part, or the onboarding"
    ended = memory.status.ended
    return f"too late: the {memory.words.subject} is {memory.status}, and whoever subscribed is told" if ended else None


def unsubscribe(request: FollowUpInput, memory: State, wish: Unsubscription, now: datetime) -> State:
    """Do not tell it of the ending; whoever was not to be told is not told anyway."""
    known = memory.replace(subscribers=_without(memory.subscribers, wish.workflow))
    if wish.workflow in request.subscribers and wish.workflow not in memory.unsubscribed:
        known = known.replace(unsubscribed=(*memory.unsubscribed, wish.workflow))
    return memory if known == memory else known.note(now, EventType.UNSUBSCRIBED, wish.workflow, None, by=wish.actor)


def _without(workflows: tuple[str, ...], one: str) -> tuple[str, ...]:
    return tuple(other for other in workflows if other != one)


def _ready(subject: Subject, memory: FollowUpState) -> list[NotificationOrder]:
    return [
        notice_to(subject, NotificationType.READY, one.person, memory.action_of(one.person))
        for one in memory.awaited.pending
    ]


def _taken_away(subject: Subject, memory: FollowUpState) -> list[NotificationOrder]:
    """Who has acted gets their notice withdrawn; who was replaced is told so, which replaces it as well."""
    told = memory.told_stages
    acted = [one for one in memory.awaited.everyone if one.acted and (NotificationType.READY, one.person) in told]
    return [
        notice_to(subject, NotificationType.REASSIGNED, one.person, NoticeAction.OPEN)
        if one.replaced
        else notice_to(subject, NotificationType.WITHDRAWAL, one.person, NoticeAction.WITHDRAW)
        for one in acted
    ]


def _questions(subject: Subject, memory: FollowUpState) -> list[NotificationOrder]:
    """A question goes to the requester, an answer to who waits for it, as long as they have not acted.

    An asker whose place was handed over meanwhile hears the answer as well: they were promised it.
    """
    pending = frozenset(place.person for place in memory.awaited.pending)
    notices = []
    for one in memory.questions:
        if one.holder not in pending:
            continue
        if one.answer is None:
            stage = notification_types.question(one.number, blocks=one.blocks)
            notices.append(notice_to(subject, stage, subject.requester, NoticeAction.OPEN))
            continue
        stage = notification_types.answer(one.number)
        notices.append(notice_to(subject, stage, one.holder, memory.action_of(one.holder)))
        if one.to:
            notices.append(notice_to(subject, stage, one.person, NoticeAction.OPEN))
    return notices


def _questions_gone(subject: Subject, memory: FollowUpState) -> list[NotificationOrder]:
    """A question that needs no answer any more leaves the phones on which it is what they show of this."""
    pending = frozenset(place.person for place in memory.awaited.pending)
    return [
        notice_to(subject, notification_types.question_gone(question.number), line.person, NoticeAction.WITHDRAW)
        for question in memory.questions
        if question.answer is not None or question.holder not in pending
        for line in _shown(memory)
        if line.stage in notification_types.of_question(question.number)
    ]


def _reports(request: FollowUpInput, subject: Subject, memory: FollowUpState) -> list[NotificationOrder]:
    """The requester hears of somebody, once: it takes a decision of theirs."""
    if request.told_together:
        return []
    notices = []
    for stage, person in memory.to_report():
        notice = notice_to(subject, stage, subject.requester, NoticeAction.OPEN)
        key = alert_key(subject.id, stage, subject.requester, person)
        notices.append(notice.replace(key=key, about=person or None))
    return notices


def _offered(request: FollowUpInput, subject: Subject, memory: FollowUpState) -> list[NotificationOrder]:
    """With the first notice of all the requester is told where it can be followed, unless they are asked themselves."""
    first = bool(memory.awaited.pending) and not memory.notifications
    told = request.policy.tell_requester.started and not request.told_together
    if not (first and told) or memory.awaited.of(subject.requester):
        return []
    return [notice_to(subject, NotificationType.FOLLOW, subject.requester, NoticeAction.OPEN)]


def _still_shown(place: Slot, memory: FollowUpState) -> bool:
    told = memory.told_stages
    gone = any((stage, place.person) in told for stage in (NotificationType.WITHDRAWAL, NotificationType.REASSIGNED))
    return place.acted and (NotificationType.READY, place.person) in told and not gone


def _is_no_news(request: FollowUpInput, memory: FollowUpState, person: str) -> bool:
    """Whether it is enough that somebody's phone loses what it shows, as after a success."""
    if person == request.subject.requester and request.told_together:
        return True
    if (ending := memory.ending) and ending.outcome is memory.status and person in ending.told:
        return True
    if not memory.status.fulfilled:
        return False
    if person == request.subject.requester:
        return not request.policy.tell_requester.signed
    return not memory.tells_of_success and memory.awaited.of(person) is not None


def _concerned(request: FollowUpInput, memory: FollowUpState) -> tuple[str, ...]:
    """Who hears of the ending: the requester, and of the others those who were ever asked or alerted.

    So does whoever's phone still says that a question is unanswered; a requester to whom it is no news only if their
    phone shows anything.
    """
    requester, shown = request.subject.requester, _shown(memory)
    concerned = _still_shown if memory.status.fulfilled and not memory.tells_of_success else _asked
    told = [place.person for place in memory.awaited.everyone if concerned(place, memory)]
    # Whom a place was handed over to is one of them like any other: perhaps it never was their turn.
    alerted = [entry.to for entry in memory.escalations if memory.awaited.of(entry.to) is None]
    unanswered = [
        line.person for line in shown if notification_types.kind_of(line.stage) is NotificationType.UNANSWERED
    ]
    if _is_no_news(request, memory, requester):
        told = [*told, *(line.person for line in shown if line.person == requester)]
    else:
        told = [requester, *told]
    return tuple(dict.fromkeys([*told, *alerted, *unanswered]))


def _asked(place: Slot, memory: FollowUpState) -> bool:
    """Whether it was their turn at some time; who was told that somebody else was asked instead is done with it."""
    told = memory.told_stages
    was_asked = memory.was_asked(place) or (NotificationType.READY, place.person) in told
    return was_asked and (NotificationType.REASSIGNED, place.person) not in told


def _shown(memory: FollowUpState) -> list[Notification]:
    """What phones show of it: the last notice that each person's took, unless it was withdrawn."""
    done = (NotificationOutcome.ACCEPTED, NotificationOutcome.WITHDRAWN)
    last = {line.person: line for line in memory.notifications if line.outcome in done}
    return [line for line in last.values() if line.outcome is NotificationOutcome.ACCEPTED]
