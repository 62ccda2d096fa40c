"""The facts of what has ended, from which figures are made: a row for each, written with its record, without people."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import pairwise
from typing import Any, Final, TypeAlias

from sqlalchemy import Connection

from activities.metrics import Brought, Holder
from activities.records.database import insert_new
from activities.records.schema import FACTS
from workflows.follow_up.notification_types import NotificationType, kind_of
from workflows.model.schedule import EscalationReason
from workflows.model.signature import SignerState
from workflows.model.subject import Code, Role, Status
from workflows.model.timeline import EventType, TimelineEntry
from workflows.model.views import AssigneeLine, Shown, SignerLine

Line: TypeAlias = SignerLine | AssigneeLine
_ACTED: Final = (SignerState.SIGNED, SignerState.APPROVED, SignerState.DECLINED, "done")
_TO_ACT: Final = (
    NotificationType.READY,
    NotificationType.REMINDER,
    NotificationType.SNOOZE,
    NotificationType.FALLBACK,
    NotificationType.WARNING,
    NotificationType.OVERDUE,
    NotificationType.ESCALATED,
    NotificationType.ANSWER,
    NotificationType.MAIL,
    NotificationType.LINK,
)
_NUMBERED: Final = (NotificationType.REMINDER, NotificationType.WARNING)
"""Which of them it was is of interest."""
_OF_PROVIDER: Final = (Code.UNREACHABLE, Code.REFUSED, Code.PROVIDER_UNSURE)
_STOPS_NOTHING: Final = (Code.DIRECTORY,)
"""An outdated people file is noted, and people are asked all the same."""
_ASKS: Final = (EventType.QUESTION_ASKED, EventType.BLOCKED)
_ANSWERS: Final = (EventType.QUESTION_ANSWERED, EventType.UNBLOCKED, EventType.WENT_ON)
_RELEASED: Final = (SignerState.REASSIGNED, SignerState.SPARED)
_ACTS: Final = (EventType.SIGNED, EventType.APPROVED, EventType.DECLINED, EventType.DONE, EventType.HANDED_OVER)


@dataclass(frozen=True)
class OutcomeFacts:
    """Of one that has ended. Times are seconds.

    `seconds` are from its start to the last act, else to its end; `turn_seconds` from the turn of whoever it ended
    with. `notice` is what they heard last before they acted; `brought_seconds` are from the first escalation. `waited`
    is empty for what works by its parts.
    """

    type: str
    kind: str
    status: Status
    ended_at: datetime
    late: bool
    seconds: float
    department: str = ""
    """Of whoever it ended with, as of then."""
    turn_seconds: float | None = None
    notice: str | None = None
    brought: Brought | None = None
    brought_seconds: float | None = None
    waited: Mapping[Holder, float] | None = None

    @classmethod
    def from_view(cls, view: Shown, settled_at: datetime, department: str = "") -> "OutcomeFacts":
        """From its view at the settlement, with all its lines."""
        began = min((entry.at for entry in view.timeline), default=settled_at)
        last = last_to_act(view)
        ended_at = max(began, last.at if last and last.at else settled_at)
        escalated = [escalation for escalation in view.escalations if escalation.reason is EscalationReason.ESCALATION]
        brought = _brought(view, {escalation.to for escalation in escalated}) if escalated else None
        helped = brought in (Brought.ALTERNATE, Brought.SIGNER)
        return cls(
            type=view.type.spec.prefix,
            kind=view.kind,
            status=view.status,
            ended_at=settled_at,
            late=view.late,
            seconds=_seconds(began, ended_at),
            department=department,
            turn_seconds=_seconds(_turn(view, last, began, ended_at), ended_at) if last else None,
            notice=_notice(view, last.person, ended_at) if last and view.status.fulfilled else None,
            brought=brought,
            brought_seconds=_seconds(min(escalation.at for escalation in escalated), ended_at) if helped else None,
            waited=None if view.type.spec.has_parts else _waited(view, began, ended_at),
        )

    @property
    def row(self) -> dict[str, Any]:
        """The columns of the table but its key."""
        plain = ("type", "kind", "department", "status", "ended_at", "late", "seconds", "turn_seconds")
        waited = {
            f"{holder}_seconds": self.waited.get(holder, 0.0) if self.waited is not None else None for holder in Holder
        }
        return {
            **{name: getattr(self, name) for name in (*plain, "notice", "brought", "brought_seconds")},
            **waited,
            "month": f"{self.ended_at.astimezone(UTC):%Y-%m}",
            "fulfilled": self.status.fulfilled,
        }


def write_facts(connection: Connection, workflow_id: str, facts: OutcomeFacts) -> None:
    """The first one counts, as of the record."""
    insert_new(connection, FACTS, workflow_id=workflow_id, **facts.row)


def last_to_act(view: Shown) -> Line | None:
    """With whom it ended: who acted last, else the first who still had to; nobody before it was sent to anybody."""
    if view.unapproved:
        return None
    acted = [line for line in view.lines if line.state in _ACTED and line.at]
    if view.status.fulfilled or view.status is Status.DECLINED:
        return max(acted, key=_acted_at, default=None)
    still = (
        line for line in view.lines if line not in acted and line.role is not Role.COPY and line.state not in _RELEASED
    )
    # Without the instant at which its slot was closed: nobody acted then.
    line = min(still, key=lambda line: line.order, default=None)
    return line.replace(at=None) if line else None


def _acted_at(line: Line) -> datetime:
    return line.at or datetime.min.replace(tzinfo=UTC)


def _seconds(starts_at: datetime, ends_at: datetime) -> float:
    """Never negative: clocks differ."""
    return max(0.0, (ends_at - starts_at).total_seconds())


def _turn(view: Shown, last: Line, began: datetime, ended_at: datetime) -> datetime:
    """When it became their turn: it was sent, those before them had acted, it was handed over to them."""
    entries = view.timeline
    sent = [entry.at for entry in entries if entry.happened == EventType.SENT][:1]
    handed_over = [
        entry.at for entry in entries if entry.happened == EventType.HANDED_OVER and entry.about == last.person
    ]
    acted_before = [line.at for line in view.lines if line.order < last.order and line.state in _ACTED and line.at]
    return max(instant for instant in (began, *sent, *handed_over, *acted_before) if instant <= ended_at)


def _notice(view: Shown, person: str, ended_at: datetime) -> str | None:
    heard = [
        line
        for line in view.notifications
        if line.person == person and line.reached and line.at <= ended_at and kind_of(line.stage) in _TO_ACT
    ]
    return _name_of(max(heard, key=lambda line: line.at).stage) if heard else None


def _name_of(stage: str) -> str:
    """`reminder-2`, `reminder-manual`, `warning-2d`; of others the type alone."""
    name = stage.partition(".")[0]
    type_, by_hand = kind_of(stage), f"{NotificationType.REMINDER}-manual"
    if name.startswith(by_hand):
        return by_hand
    return name if type_ in _NUMBERED else str(type_)


def _brought(view: Shown, alternates: set[str]) -> Brought:
    if not view.status.fulfilled:
        return Brought.NOBODY
    acted = {line.person for line in view.lines if line.state in _ACTED}
    return Brought.SIGNER if acted.isdisjoint(alternates) else Brought.ALTERNATE


def _waited(view: Shown, began: datetime, ended_at: datetime) -> dict[Holder, float]:
    """For whom it waited how long, together the whole time."""
    waited = dict.fromkeys(Holder, 0.0)
    for (begins_at, holder), (ends_at, _) in pairwise([*_turns(view, began), (ended_at, Holder.US)]):
        waited[holder] += _seconds(begins_at, min(ends_at, ended_at))
    return waited


@dataclass
class _Ball:
    """What stands in the way, as the timeline tells it."""

    preparing: bool
    reviewing: bool
    revising: bool = False
    problem: str = ""
    paused: bool = False
    asker: str | None = None

    @property
    def holder(self) -> Holder:
        if self.problem:
            return Holder.PROVIDER if self.problem in _OF_PROVIDER else Holder.US
        if self.paused:
            return Holder.US
        if self.revising or self.asker is not None:
            return Holder.REQUESTER
        if self.reviewing:
            return Holder.REVIEWER
        return Holder.PROVIDER if self.preparing else Holder.SIGNER

    def hear(self, entry: TimelineEntry) -> None:
        match entry.happened:
            case EventType.SENT:
                self.preparing = False
            case EventType.REVIEWED:
                self.reviewing = False
            case EventType.CHANGES_ASKED | EventType.REVISED as event_type:
                self.revising = event_type == EventType.CHANGES_ASKED
            case EventType.PROBLEM if entry.about not in _STOPS_NOTHING:
                self.problem = entry.about
            case EventType.MENDED:
                self.problem = ""
            case EventType.PAUSED | EventType.RESUMED as event_type:
                self.paused = event_type == EventType.PAUSED
            case event_type if event_type in _ASKS:
                self.asker = entry.who or ""
            case event_type if event_type in _ANSWERS or (event_type in _ACTS and entry.who == self.asker):
                self.asker = None


def _turns(view: Shown, began: datetime) -> Iterator[tuple[datetime, Holder]]:
    """From when on who has the ball."""
    reviewed = view.unapproved or any(entry.happened == EventType.REVIEWED for entry in view.timeline)
    ball = _Ball(preparing=view.type.spec.document, reviewing=reviewed)
    yield began, ball.holder
    for entry in sorted(view.timeline, key=lambda entry: entry.at):
        ball.hear(entry)
        yield entry.at, ball.holder
