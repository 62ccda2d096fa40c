"""Views of all kinds: who is waited for, since and until when, what is next and why; Web UI details, search attributes.
All readers share `facts`.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Final

from temporalio import workflow
from temporalio.common import SearchAttributeKey, SearchAttributeUpdate

from workflows.follow_up.commands import latest_snoozes, reminded_at, snoozes_left
from workflows.follow_up.next_step import Pause, before_the_agenda, find_next_noticed_action
from workflows.follow_up.notification_types import stage_words
from workflows.follow_up.outbox import dead_lines, dead_of
from workflows.follow_up.state import FollowUpState, LifecycleState, Precondition
from workflows.model.commands import Stop, StopKind
from workflows.model.hand_off import HandoffLine, HandoffState
from workflows.model.notifications import DeliveryResult, HeldBack, Notification, NotificationOutcome
from workflows.model.policy import Policy
from workflows.model.schedule import ActionType, EscalationReason, Reason, why_words
from workflows.model.subject import Status, Subject, group_word
from workflows.model.timeline import EventType, TimelineEntry
from workflows.model.views import Attention, AttentionCode, Choices, FollowUpShow, NextAction, NextStep, WaitingFor
from workflows.names import DUE_AT, EXTEND, HANDOFF, PROBLEM, STAGE, STATUS, TURN_AT, WAITING_FOR

PEOPLE_AT_MOST: Final = 20
"""Directory ids in `CsWaitingFor`."""
PEOPLE_BYTES_AT_MOST: Final = 1_500
"""Its bytes as JSON: with more than 2,048 the server fails the start or the workflow task (measured)."""
_MORE: Final = "+more"
_BECAME = {
    NotificationOutcome.ACCEPTED: EventType.TOLD,
    NotificationOutcome.SUPPRESSED: EventType.SUPPRESSED,
    NotificationOutcome.FAILED: EventType.NOT_TOLD,
    NotificationOutcome.WITHDRAWN: EventType.TAKEN_OFF,
}
_NEXT_STEPS = {
    ActionType.REMIND: NextStep.REMIND,
    ActionType.WARN: NextStep.WARN,
    ActionType.OVERDUE: NextStep.REMIND,
    ActionType.ESCALATE: NextStep.ESCALATE,
    ActionType.FALLBACK: NextStep.REMIND,
    # To the signer it is one more nudge; `why` says who was alerted.
    ActionType.ESCALATED: NextStep.REMIND,
    ActionType.QUESTION: NextStep.QUESTION,
    ActionType.GO_ON: NextStep.WAIT,
    ActionType.EXPIRE: NextStep.EXPIRE,
}
_NEXT_WORDS = {
    NextStep.REMIND: "a reminder follows",
    NextStep.WARN: "a last warning follows",
    NextStep.ESCALATE: "it is escalated",
    NextStep.QUESTION: "who is to answer is told again",
    NextStep.EXPIRE: "it expires",
}
_NO_OTHER_INSTANT: Final = timedelta(minutes=1)


def listed_people(people: Iterable[str]) -> list[str]:
    """Distinct directory ids for `CsWaitingFor` or `CsTeams`, within its bounds, with `+more` for the rest."""
    listed: list[str] = []
    for person in dict.fromkeys(people):
        if len(listed) == PEOPLE_AT_MOST or _as_json((*listed, person, _MORE)) > PEOPLE_BYTES_AT_MOST:
            return [*listed, _MORE]
        listed.append(person)
    return listed


def attention_of(state: LifecycleState) -> tuple[Attention, ...]:
    """One reason per code at most, most pressing first."""
    if state.status.has_ended:
        return dead_hand_offs(dead_of(state.outbox.lines))
    urgency = list(AttentionCode)
    reasons = (*state.attention(), *dead_hand_offs(dead_lines(state.outbox.lines)))
    return tuple(sorted(reasons, key=lambda attention: urgency.index(attention.code)))


def dead_hand_offs(dead: Sequence[HandoffLine]) -> tuple[Attention, ...]:
    if not dead:
        return ()
    sentence = f"could not tell {', '.join(line.target for line in dead)}"
    return (Attention(code=AttentionCode.HANDOFF_DEAD, since=min(line.at for line in dead), says=sentence),)


def facts(subject: Subject, state: LifecycleState, now: datetime) -> FollowUpShow:
    """The view's common fields at `now`."""
    problem = None if state.status.has_ended else _of_problem(state)
    following = _next_handoff(state) if state.status.has_ended else problem.next if problem else None
    return FollowUpShow(
        id=subject.id,
        kind=subject.kind,
        requester=subject.requester,
        notify_all=subject.notify_all,
        taken_by=state.lifecycle.taken_by,
        status=state.current_status,
        problem=state.problems.current or state.problems.broken_off,
        attention=attention_of(state),
        next=following,
        due_at=state.due_at,
        closes_at=state.closes_at,
        late=state.is_overdue(now),
        notifications=state.notifications.leaving + state.notifications.lines + state.notifications.held,
        earlier=state.notifications.paged,
        escalations=state.escalated,
        handoffs=state.outbox.lines,
        timeline=_timeline(state),
        says=_ended_sentence(state, following) if state.status.has_ended else problem.says if problem else "",
    )


def follow_up_facts(subject: Subject, policy: Policy, state: FollowUpState, now: datetime) -> FollowUpShow:
    view = facts(subject, state, now)
    view = view.replace(
        late=view.late or any(map(state.acted_late, state.slots.everyone)),
        timeline=_with_escalations(view.timeline, state),
        question=state.questions.open(state.slots),
        answered=tuple(question for question in state.questions.entries if question.answer is not None),
    )
    if state.status.has_ended:
        return view
    standstill = _standstill(state)
    following = _next(state, standstill, now)
    return view.replace(
        waiting_for=_waiting_for(state),
        next=following,
        choices=_choices(policy, state, now),
        says=_sentence(state, standstill, following, now),
    )


def details(view: FollowUpShow) -> str:
    lines = [f"### {view.says}", ""]
    lines += [f"- waiting for **{w.person}** since {stamp(w.since)}" for w in view.waiting_for]
    lines += [f"- {label} {stamp(instant)}" for label, instant in deadlines(view)]
    if view.next:
        lines.append(f"- next: **{view.next.what}** {stamp(view.next.at)} – {view.next.why}")
    if view.notifications:
        # No tables: the Web UI lets their cells touch.
        lines += ["", "**Told**", ""]
        lines += [
            f"- {n.at:%d %b %H:%M} · {stage_words(n.stage)} · **{n.person}** · {n.channel} · {outcome_words(n)}"
            for n in [line for line in view.notifications if not is_needless(line)][-20:]
        ]
    if view.handoffs:
        lines += ["", "**Handed off**", ""]
        lines += [f"- {h.target} · {h.state} · {h.attempts} attempts" for h in view.handoffs]
    return "\n".join(lines)


def deadlines(view: FollowUpShow) -> Iterator[tuple[str, datetime]]:
    """Due date, and closing where it differs, in words."""
    if view.due_at:
        yield "overdue since" if view.overdue else "due", view.due_at
    if view.closes_at and view.closes_at != view.due_at:
        yield "closes", view.closes_at


def stamp(instant: datetime | None) -> str:
    """An instant for operators: UTC, to the minute."""
    return instant.strftime("%a %d %b %Y %H:%M UTC") if instant else ""


def outcome_words(line: DeliveryResult) -> str:
    """A notification's outcome, with the reason when it was not simply accepted, and what the app reported last."""
    devices = f" on {len(line.devices)} device{'s' if len(line.devices) > 1 else ''}" if line.devices else ""
    reason = f" ({why_words(line.why)})" if line.why else ""
    return f"{line.outcome}{devices}{reason}" + (f", {line.app_event}" if line.app_event else "")


def is_needless(line: DeliveryResult) -> bool:
    """Whether a planned notification was left out because its purpose was reached; views omit it."""
    return line.outcome is NotificationOutcome.SUPPRESSED and line.why in (
        Reason.SIGNED,
        Reason.REVIEWED,
        Reason.PLACE_TAKEN,
        Reason.SETTLED,
        Reason.SUPERSEDED,
    )


def told_entry(line: Notification) -> TimelineEntry:
    happened = _BECAME[line.outcome]
    return TimelineEntry(at=line.at, happened=happened, about=line.stage, who=line.person, why=line.why)


def handed_off_entry(line: HandoffLine) -> TimelineEntry:
    happened = EventType(f"replay_{line.state}" if line.replay else f"hand_off_{line.state}")
    replay_number = str(line.replay) if line.replay else ""
    return TimelineEntry(
        at=line.at, happened=happened, about=replay_number, who=line.target, why=line.why, actor=line.by
    )


def with_dead_targets(ending: str, lines: Iterable[HandoffLine]) -> str:
    """The sentence about an ending, with its dead targets."""
    dead = [line.target for line in dead_of(lines)]
    return f"{ending}; could not tell {', '.join(dead)}" if dead else ending


def stage_of(state: LifecycleState) -> str:
    """`CsStage`: `escalated` after an escalation, `settled`, else the kind's phase."""
    if state.status.has_ended:
        return "settled"
    if any(entry.reason is EscalationReason.ESCALATION for entry in state.present_escalations):
        return "escalated"
    return state.phase


def trouble_code(view: FollowUpShow) -> str | None:
    """`CsProblem`: the problem, else the most pressing attention."""
    if view.problem:
        return view.problem.code
    return view.attention[0].code if view.attention else None


def unfinished_hand_off(view: FollowUpShow) -> HandoffState | None:
    """Before the end: whether a target of an escalation is dead or waits for a retry."""
    if view.status.has_ended:
        return None
    if dead_lines(view.handoffs):
        return HandoffState.DEAD
    waits = any(line.state is HandoffState.PENDING and line.why for line in view.handoffs)
    return HandoffState.PENDING if waits else None


def publish(state: LifecycleState, view: FollowUpShow, details: str) -> None:
    """Update details and search attributes, only on changes, since an upsert is an event and an action."""
    workflow.set_current_details(details)
    updates = [
        *_keyword(STATUS, state.current_status),
        *_keyword(STAGE, stage_of(state)),
        *_keyword(PROBLEM, trouble_code(view)),
        *_keyword(HANDOFF, unfinished_hand_off(view)),
        *_due(state.due_at),
        *_turn(view),
    ]
    if updates:
        workflow.upsert_search_attributes(updates)


def _as_json(ids: Iterable[str]) -> int:
    """Bytes of a JSON list of these ids, in which nothing needs to be escaped."""
    return sum(len(f'"{id}", ') for id in ids)


def _waiting_for(state: FollowUpState) -> tuple[WaitingFor, ...]:
    return tuple(WaitingFor(person=slot.person, since=slot.turn_at) for slot in state.slots.pending if slot.turn_at)


def _people(state: FollowUpState) -> str:
    return ", ".join(waiting.person for waiting in _waiting_for(state)) or "nobody of the directory"


@dataclass(frozen=True)
class _Standstill:
    """Why no scheduled action is next, as sentence and as `Next`."""

    says: str
    why: str
    at: datetime | None = None
    for_a_question: bool = False
    """The schedule says what happens then."""
    what: NextStep = NextStep.WAIT

    @property
    def next(self) -> NextAction:
        return NextAction(what=self.what, at=self.at, why=self.why)


def _next(state: FollowUpState, standstill: _Standstill | None, now: datetime) -> NextAction | None:
    if standstill and not standstill.for_a_question:
        return standstill.next
    if state.plan.schedule is None:
        return NextAction(what=NextStep.WAIT, at=None, why="the next steps are being planned")
    action = find_next_noticed_action(state, now)
    if (notice := _find_held_notice(state, now)) and (action is None or notice.until <= action.at):
        reason = f"{notice.stage} for {notice.person} is held: {notice.says}"
        return NextAction(what=NextStep.HELD, at=notice.until, why=reason, to=notice.person)
    if action is None:
        return NextAction(what=NextStep.WAIT, at=None, why="nothing more is planned")
    recipient = action.to if action.kind is ActionType.QUESTION else None
    return NextAction(what=_NEXT_STEPS[action.kind], at=action.at, why=action.reason_text, to=recipient)


def _find_held_notice(state: FollowUpState, now: datetime) -> HeldBack | None:
    held_notices = (notice for notice in state.notifications.held if now < notice.until)
    return min(held_notices, key=lambda notice: notice.until, default=None)


def _of_problem(state: LifecycleState) -> _Standstill | None:
    problem = state.problems.current if state.clock.stop(StopKind.PROBLEM) else state.problems.broken_off
    if problem is None:
        return None
    sentence = f"Problem {problem.code} since {stamp(problem.since)}: {problem.says}"
    return _Standstill(sentence, f"trying again: {problem.says}", state.problems.probe_at)


def _standstill(state: FollowUpState) -> _Standstill | None:
    """The first move that takes longer than a moment, if it is not a wait for the schedule."""
    if problem := _of_problem(state):
        return problem
    for move in before_the_agenda(state):
        match move:
            case Precondition.CLOSE if state.lifecycle.ending:
                sentence = f"Being {state.lifecycle.ending.outcome}{state.vocabulary.closing}"
                return _Standstill(sentence, sentence, what=NextStep.END)
            case Precondition.PREPARE:
                return _Standstill(state.vocabulary.preparing, state.vocabulary.preparing, state.problems.probe_at)
            case Pause(stop):
                return _stopped(state, stop)
    question = state.clock.stop(StopKind.QUESTION)
    return _stopped(state, question) if question else None


def _stopped(state: FollowUpState, stop: Stop) -> _Standstill:
    question = state.questions.open(state.slots) if stop.kind is StopKind.QUESTION else None
    reason = question.description if question and question.blocks else stop.description
    waiting = f"Waiting for {_people(state)}; reminders are paused{_until_clause(state, stop)}"
    sentence = f"{'Nobody is asked yet' if state.preparing else waiting}: {reason}"
    return _Standstill(sentence, reason, for_a_question=stop.kind is StopKind.QUESTION)


def _until_clause(state: FollowUpState, stop: Stop) -> str:
    moments = state.plan.actions if stop.kind is StopKind.QUESTION else ()
    return next((f" until {stamp(action.at)}" for action in moments if action.kind is ActionType.GO_ON), "")


def _choices(policy: Policy, state: FollowUpState, now: datetime) -> tuple[Choices, ...]:
    if state.status.has_ended or state.lifecycle.ending:
        return ()
    latest = latest_snoozes(state, now)
    return tuple(
        Choices(
            person=signer.person,
            snoozes_left=snoozes_left(state, policy, signer.person),
            snooze_until=latest[signer.person],
            hand_over=policy.self_delegate and not signer.is_verified,
            ask=state.questions.open(state.slots) is None,
            reminded_at=reminded_at(state, signer.person, now),
        )
        for signer in state.slots.pending
    )


def _next_handoff(state: LifecycleState) -> NextAction | None:
    next_at = state.outbox.next_at
    if next_at is None:
        return None
    open_targets = [e.target.person if e.notice else e.target.target for e in state.outbox.entries if e.due_at]
    return NextAction(what=NextStep.HAND_OFF, at=next_at, why=f"telling {', '.join(filter(None, open_targets))}")


def _timeline(state: LifecycleState) -> tuple[TimelineEntry, ...]:
    lines = state.notifications.leaving + state.notifications.lines
    notification_entries = [told_entry(line) for line in lines if not is_needless(line)]
    handed = [handed_off_entry(line) for line in state.outbox.lines if line.attempts]
    return _in_order(*state.timeline.leaving, *state.timeline.entries, *notification_entries, *handed)


def _with_escalations(timeline: tuple[TimelineEntry, ...], state: FollowUpState) -> tuple[TimelineEntry, ...]:
    handed_over = {slot.person for slot in state.slots.everyone if slot.replaced}
    handed_over |= {entry.who for entry in timeline if entry.happened is EventType.HANDED_OVER and entry.who}
    escalated = [
        TimelineEntry(at=entry.at, happened=EventType.ESCALATED, about=entry.to, who=entry.from_, why=entry.reason)
        for entry in state.escalated
        if entry.from_ not in handed_over
    ]
    return _in_order(*timeline, *escalated)


def _in_order(*entries: TimelineEntry) -> tuple[TimelineEntry, ...]:
    return tuple(sorted(entries, key=lambda entry: entry.at))


def _sentence(state: FollowUpState, standstill: _Standstill | None, following: NextAction | None, now: datetime) -> str:
    if standstill:
        return standstill.says
    next_clause = ""
    if following and following.at and following.what in _NEXT_WORDS:
        next_clause = f"; {_NEXT_WORDS[following.what]} {stamp(following.at)}"
    elif following and (notice := _find_held_notice(state, now)) and notice.until == following.at:
        next_clause = f"; {notice.stage} for {notice.person} is held until {stamp(notice.until)}: {notice.says}"
    if state.preparing:
        return f"{state.vocabulary.preparing}, nobody is asked yet{next_clause}"
    return f"Waiting for {_people(state)}{_until_due(state, now)}{next_clause}"


def _until_due(state: FollowUpState, now: datetime) -> str:
    if state.plan.due is not None and any(operation.what == EXTEND for operation in state.commands.open):
        # The due date was moved: the old plan is void.
        due = state.plan.due
        return f" until {stamp(due.astimezone(UTC)) if isinstance(due, datetime) else f'{due:%a %d %b %Y}'}"
    if state.is_overdue(now):
        return f", overdue since {stamp(state.due_at)}"
    return f" until {stamp(state.due_at)}" if state.due_at else ""


def _ended_sentence(state: LifecycleState, following: NextAction | None) -> str:
    ending = f"{state.status.capitalize()} {stamp(state.lifecycle.settled_at)}"
    if state.status is Status.FAILED and state.problems.current:
        ending += f": {state.vocabulary.failures.get(state.problems.current.code, state.problems.current.says)}"
    if following:
        return f"{ending}; {following.why}"
    return with_dead_targets(ending, state.outbox.lines)


def _keyword(key: SearchAttributeKey[str], value: str | None) -> list[SearchAttributeUpdate]:  # type: ignore[type-arg]
    if workflow.info().typed_search_attributes.get(key) == value:
        return []
    return [key.value_set(value) if value is not None else key.value_unset()]


def _due(value: datetime | None) -> list[SearchAttributeUpdate]:  # type: ignore[type-arg]
    published_due = workflow.info().typed_search_attributes.get(DUE_AT)
    return [] if value is None or published_due == value else [DUE_AT.value_set(value)]


def _turn(view: FollowUpShow) -> list[SearchAttributeUpdate]:  # type: ignore[type-arg]
    """Pending people and since when, in one upsert a turn: first who is to answer a question, then the asked group."""
    question = view.question
    answers = (WaitingFor(person=view.answers, since=question.at),) if question and view.waiting_for else ()
    waiting = (*answers, *view.waiting_for)
    group = [group_word(view.asked_group)] if view.asked_group and view.waiting_for else []
    people = listed_people((*(line.person for line in answers), *group, *(line.person for line in view.waiting_for)))
    attributes = workflow.info().typed_search_attributes
    published_people, waiting_since = (
        list(attributes.get(WAITING_FOR) or ()),
        min((line.since for line in waiting), default=None),
    )
    if people == published_people and _is_about(attributes.get(TURN_AT), waiting_since):
        return []
    if waiting_since is None:
        return [WAITING_FOR.value_unset(), TURN_AT.value_unset()]
    return [WAITING_FOR.value_set(people), TURN_AT.value_set(waiting_since)]


def _is_about(published_at: datetime | None, waiting_since: datetime | None) -> bool:
    """Whether the stored instant is close enough; the seconds of a start are not worth an upsert."""
    if published_at is None or waiting_since is None:
        return published_at is waiting_since
    return abs(published_at - waiting_since) < _NO_OTHER_INSTANT
