"""Notifications of a follow-up: reminders, alerts, announcements; opening the outbox; subscriptions."""

from datetime import datetime
from typing import Final

import workflows.follow_up.notification_types as notification_types
from workflows.follow_up.input import FollowUpInput
from workflows.follow_up.notification_log import key_of
from workflows.follow_up.notification_types import NotificationType
from workflows.follow_up.outbox import subscriber
from workflows.follow_up.state import Following, FollowUpState, LifecycleState, State
from workflows.follow_up.turn_signal import onboarding_of
from workflows.model.commands import Subscription, Unsubscription
from workflows.model.messages import Message
from workflows.model.notifications import NoticeAction, NotificationOrder, NotificationOutcome
from workflows.model.policy import ESCALATED, Target
from workflows.model.rejections import Rejection, name_fault
from workflows.model.schedule import EscalationReason, ScheduledAction
from workflows.model.subject import Subject, group_of
from workflows.model.timeline import EventType
from workflows.names import alert_key, notice_key

SUBSCRIBERS_AT_MOST: Final = 50
"""Besides as many named by the file."""


def nudges(state: FollowUpState, moments: tuple[ScheduledAction, ...]) -> tuple[NotificationOrder, ...]:
    """Notifications to signers about their own turn: reminders, warnings, escalated; each with its own stage."""
    return tuple(_planned(state, action, state.action_of(action.person)) for action in moments)


def by_hand(state: FollowUpState, moments: tuple[ScheduledAction, ...]) -> tuple[NotificationOrder, ...]:
    """A requested reminder: sent now or not at all."""
    return tuple(notice.replace(movable=False) for notice in nudges(state, moments))


def alerts(state: FollowUpState, moments: tuple[ScheduledAction, ...]) -> tuple[NotificationOrder, ...]:
    """Escalations: one notification per silent signer to the alternate."""
    return tuple(_planned(state, action, NoticeAction.OPEN).replace(about=action.person) for action in moments)


def asked_again(state: FollowUpState, moments: tuple[ScheduledAction, ...]) -> tuple[NotificationOrder, ...]:
    """Reminders of an open question to the person who is to answer; none for a signer who has acted."""
    return alerts(state, moments)


def reminded_words(state: FollowUpState) -> str:
    stage = notification_types.reminder_by_hand(state.plan.reminders_asked)
    lines = [line for line in state.notifications.remembered if line.stage == stage]
    reached = [line.person for line in lines if line.outcome is NotificationOutcome.ACCEPTED]
    open_ = [line.person for line in lines if line.person not in reached and state.notifications.devices.has(line.key)]
    missed = [f"{line.person} ({line.why or line.outcome})" for line in lines if line.person not in (*reached, *open_)]
    summary = f"told {', '.join(reached) or 'nobody'}"
    summary += f"; not yet {', '.join(open_)}" if open_ else ""
    return f"{summary}; not {', '.join(missed)}" if missed else summary


def notice_to(subject: Subject, stage: str, person: str, action: NoticeAction) -> NotificationOrder:
    key = notice_key(subject.notice_id, stage, person)
    return NotificationOrder(key=key, stage=stage, person=person, action=action)


def announcement(request: FollowUpInput, subject: Subject, state: FollowUpState) -> tuple[NotificationOrder, ...]:
    """Notifications of all events, without those already logged. `subject` has the participants of `state`."""
    notices = [
        *_ready(subject, state),
        *_taken_away(subject, state),
        *_of_before(subject, state),
        *_questions(subject, state),
        *_questions_gone(subject, state),
        *_taken_on(subject, state),
        *_reports(request, subject, state),
        *_offered(request, subject, state),
    ]
    logged_keys = state.notifications.logged_keys
    return tuple(notice for notice in notices if notice.key not in logged_keys)


def open_hand_off(request: FollowUpInput, state: State) -> State:
    """With an open outbox: the policy's targets, subscribers, and people to notify of the ending."""
    targets = [target for target in request.policy.handoff if target.hears_of(request.subject.type, state.status)]
    named = (workflow_id for workflow_id in request.subscribers if workflow_id not in state.outbox.unsubscribed)
    targets += map(subscriber, dict.fromkeys((*named, *state.outbox.subscribers)))
    concerned = _concerned(request, state)
    people = [Target(target=f"notice:{person}", person=person) for person in concerned]
    quiet = frozenset(person for person in concerned if _is_no_news(request, state, person))
    return state.open_outbox(tuple(targets), tuple(people), quiet, request.subject.reference)


def open_escalations(request: FollowUpInput, state: Following, now: datetime) -> Following:
    """With outbox lines for targets of escalations, once each. Reassignments by hand are no escalations."""
    targets = tuple(target for target in request.policy.handoff if ESCALATED in target.on)
    handoff = state.outbox
    if not targets or handoff.escalations == len(state.escalated):
        return state
    for entry in state.escalated[handoff.escalations :]:
        notified_targets = () if entry.reason is EscalationReason.MANUAL else targets
        former_outbox, handoff = handoff, handoff.escalated(notified_targets, now, request.subject.reference)
        if handoff is former_outbox:
            break
    return state if handoff is state.outbox else state.replace(outbox=handoff)


def refuse_subscribe(request: FollowUpInput, state: LifecycleState, command: Subscription) -> Message | None:
    if fault := name_fault(command.actor) or name_fault(command.workflow, "the workflow's id"):
        return fault
    if any(target.target == command.workflow for target in request.policy.handoff):
        return Rejection.IS_A_TARGET.to_message(workflow=command.workflow)
    is_subscribed = command.workflow in state.outbox.subscribers
    full = not is_subscribed and len(state.outbox.subscribers) >= SUBSCRIBERS_AT_MOST
    return Rejection.TOO_MANY_SUBSCRIBERS.to_message() if full else None


def subscribe(state: State, command: Subscription, now: datetime) -> State:
    """Subscribe it, or hand off at once after the end; an existing subscriber gets no second line."""
    notified_targets = (entry.target.target for entry in state.outbox.entries)
    if command.workflow in state.outbox.subscribers or command.workflow in notified_targets:
        return state
    updated = state.update_part(
        "outbox",
        subscribers=(*state.outbox.subscribers, command.workflow),
        unsubscribed=_remove_workflow(state.outbox.unsubscribed, command.workflow),
    )
    if updated.outbox.opened:
        updated = updated.replace(outbox=updated.outbox.joined_by(subscriber(command.workflow), now))
    return updated.note(now, EventType.SUBSCRIBED, command.workflow, None)


def refuse_unsubscribe(request: FollowUpInput, state: LifecycleState, command: Unsubscription) -> Message | None:
    """Why it cannot be unsubscribed; an onboarding must hear of its own parts."""
    if fault := name_fault(command.actor) or name_fault(command.workflow, "the workflow's id"):
        return fault
    if command.workflow in request.subscribers and command.workflow == onboarding_of(request, state):
        return Rejection.WAITS_FOR_PART.to_message(workflow=command.workflow)
    if not state.status.has_ended:
        return None
    return Rejection.SUBSCRIBERS_HEAR.to_message(subject=state.vocabulary.subject, status=state.status)


def unsubscribe(request: FollowUpInput, state: State, command: Unsubscription, now: datetime) -> State:
    """Harmless if not subscribed."""
    updated = state.update_part("outbox", subscribers=_remove_workflow(state.outbox.subscribers, command.workflow))
    if command.workflow in request.subscribers and command.workflow not in state.outbox.unsubscribed:
        updated = updated.update_part("outbox", unsubscribed=(*state.outbox.unsubscribed, command.workflow))
    return (
        state
        if updated == state
        else updated.note(now, EventType.UNSUBSCRIBED, command.workflow, None, sender=command.actor)
    )


def _planned(state: FollowUpState, action_planned: ScheduledAction, action: NoticeAction) -> NotificationOrder:
    return NotificationOrder(
        key=key_of(state.notice_id, action_planned),
        stage=action_planned.stage,
        person=action_planned.to,
        action=action,
        movable=True,
        wakes_others=action_planned.wakes_others,
    )


def _remove_workflow(workflows: tuple[str, ...], workflow_id: str) -> tuple[str, ...]:
    return tuple(other_workflow_id for other_workflow_id in workflows if other_workflow_id != workflow_id)


def _ready(subject: Subject, state: FollowUpState) -> list[NotificationOrder]:
    notices = []
    for slot in state.slots.pending:
        notice = notice_to(subject, NotificationType.READY, slot.person, state.action_of(slot.person))
        text = state.text_for(slot.person)
        # Its first line is the title.
        notices.append(notice.replace(text=f"{subject.title}\n{text}") if text else notice)
    return notices


def _taken_away(subject: Subject, state: FollowUpState) -> list[NotificationOrder]:
    """Withdrawals for people who acted; a replaced person is notified instead, which replaces the notification."""
    notified_stages = state.notifications.stages
    acted = [
        slot for slot in state.slots.everyone if slot.acted and (NotificationType.READY, slot.person) in notified_stages
    ]
    return [
        notice_to(subject, NotificationType.REASSIGNED, slot.person, NoticeAction.OPEN)
        if slot.replaced
        else notice_to(subject, NotificationType.WITHDRAWAL, slot.person, NoticeAction.WITHDRAW)
        for slot in acted
    ]


def _of_before(subject: Subject, state: FollowUpState) -> list[NotificationOrder]:
    """Withdrawals of notices about slots of before."""
    stage = notification_types.WITHDRAWAL_OF_BEFORE
    return [notice_to(subject, stage, person, NoticeAction.WITHDRAW) for person in state.to_withdraw]


def _questions(subject: Subject, state: FollowUpState) -> list[NotificationOrder]:
    """Questions to the requester, answers to the asker who has not acted.

    An asker whose slot was reassigned meanwhile hears the answer as well.
    """
    pending = frozenset(slot.person for slot in state.slots.pending)
    notices = []
    for question in state.questions.present:
        if question.holder not in pending:
            continue
        if question.answer is None:
            stage = notification_types.question(question.number, blocks=question.blocks)
            notices.append(notice_to(subject, stage, subject.requester, NoticeAction.OPEN))
            continue
        stage = notification_types.answer(question.number)
        notices.append(notice_to(subject, stage, question.holder, state.action_of(question.holder)))
        if question.to:
            notices.append(notice_to(subject, stage, question.person, NoticeAction.OPEN))
    return notices


def _questions_gone(subject: Subject, state: FollowUpState) -> list[NotificationOrder]:
    """Withdrawals of closed questions from phones that still show them."""
    pending = frozenset(slot.person for slot in state.slots.pending)
    return [
        notice_to(subject, notification_types.question_gone(question.number), line.person, NoticeAction.WITHDRAW)
        for question in state.questions.present
        if question.answer is not None or question.holder not in pending
        for line in state.notifications.last_shown
        if line.stage in notification_types.of_question(question.number) and group_of(line.person) is None
    ]


def _taken_on(subject: Subject, state: FollowUpState) -> list[NotificationOrder]:
    """Withdrawals from the phones of the others, once one of the group that asks has taken it on."""
    if not state.lifecycle.times_taken:
        return []
    to_team = {line.stage for line in state.notifications.remembered if group_of(line.person)}
    return [
        notice_to(
            subject, notification_types.taken_stage(state.lifecycle.times_taken), line.person, NoticeAction.WITHDRAW
        )
        for line in state.notifications.last_shown
        if line.stage in to_team and group_of(line.person) is None and line.person != state.lifecycle.taken_by
    ]


def _reports(request: FollowUpInput, subject: Subject, state: FollowUpState) -> list[NotificationOrder]:
    """Events that need the requester's decision, once each."""
    if request.told_together:
        return []
    notices = []
    for stage, person in state.to_report():
        notice = notice_to(subject, stage, subject.requester, NoticeAction.OPEN)
        key = alert_key(subject.notice_id, stage, subject.requester, person)
        notices.append(notice.replace(key=key, about=person or None))
    return notices


def _offered(request: FollowUpInput, subject: Subject, state: FollowUpState) -> list[NotificationOrder]:
    """At the start: tells the requester where to follow it, unless they are asked themselves."""
    first = bool(state.slots.pending) and not state.notifications.remembered
    is_wanted = request.policy.tell_requester.started and not request.told_together
    if not (first and is_wanted) or subject.round or state.slots.find(subject.requester):
        return []
    return [notice_to(subject, NotificationType.FOLLOW, subject.requester, NoticeAction.OPEN)]


def _is_no_news(request: FollowUpInput, state: LifecycleState, person: str) -> bool:
    """Whether withdrawing what the phone shows is enough, as after a success."""
    if person == request.subject.requester and request.told_together:
        return True
    if (ending := state.lifecycle.ending) and ending.outcome is state.status and person in ending.told:
        return True
    if not state.status.fulfilled:
        return False
    if person == request.subject.requester:
        return not request.policy.tell_requester.signed
    return not state.hears_of_success(person)


def _concerned(request: FollowUpInput, state: LifecycleState) -> tuple[str, ...]:
    """Who hears of the ending. A requester to whom it is no news only if their phone shows anything."""
    requester = request.subject.requester
    shows = any(line.person == requester for line in state.notifications.last_shown)
    first = (requester,) if shows or not _is_no_news(request, state, requester) else ()
    return tuple(dict.fromkeys((*first, *state.concerned())))
