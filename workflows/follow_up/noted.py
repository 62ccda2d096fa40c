"""What was planned and what was told: the part of a request's memory from which nobody is told twice."""

from collections.abc import Callable
from datetime import datetime
from typing import Final, Self

import workflows.follow_up.stages as stages
from workflows.follow_up.ledger import LINES_AT_MOST, NotificationLog, key_of, suppressed
from workflows.follow_up.operation_ledger import CommandState
from workflows.follow_up.stages import NotificationType
from workflows.follow_up.stragglers import PendingDevice, PendingDevices
from workflows.model.happened import EventType
from workflows.model.notices import Delivered, HeldBack, LogPage, Notification, NotificationOrder, NotificationOutcome
from workflows.model.planning import ActionType, Reason, Schedule, ScheduledAction
from workflows.model.wishes import StopKind

_PAGE_AT_MOST: Final = LINES_AT_MOST
"""Lines of one page: it travels with a delivery."""
_PLANNED_ONCE_AT_MOST: Final = 700
"""As many as a plan has moments at most."""
_OF_QUESTIONS: Final = (NotificationType.QUESTION, NotificationType.BLOCKED, NotificationType.UNANSWERED)


class NotificationState(CommandState):
    """The memory of notices: planned, told, and left to the store."""

    request: str
    planned_once: tuple[ScheduledAction, ...] = ()
    """What plans before the present one said of notices that had no line in the ledger then."""
    ledger: NotificationLog = NotificationLog()
    stragglers: PendingDevices = PendingDevices()
    pages: int = 0
    """How many pages of lines that were forgotten are in the store."""

    @property
    def notifications(self) -> tuple[Notification, ...]:
        """Every line of the ledger that a decision may rest on."""
        return self.ledger.remembered

    @property
    def page(self) -> LogPage | None:
        """What leaves the memory next, for the store; None when nothing does."""
        lines, timeline = self.ledger.leaving[:_PAGE_AT_MOST], self.past[:_PAGE_AT_MOST]
        return LogPage(number=self.pages + 1, lines=lines, timeline=timeline) if lines or timeline else None

    def paged(self, page: LogPage | None) -> Self:
        """Forget what is in the store now."""
        if page is None:
            return self
        known = self.replace(pages=page.number, past=self.past[len(page.timeline) :])
        return known.replace(ledger=self.ledger.paged_out(len(page.lines)))

    @property
    def told_stages(self) -> frozenset[tuple[str, str]]:
        """The stages and persons the ledger has a line for, whatever became of it."""
        return frozenset((line.stage, line.person) for line in self.notifications)

    @property
    def unsent(self) -> tuple[ScheduledAction, ...]:
        """The latest that any plan said of each notice that the ledger has no line for; a notice outlives its plan."""
        present = (*self.agenda.moments, *self.agenda.dropped) if self.agenda else ()
        latest = {(moment.stage, moment.person): moment for moment in (*self.planned_once, *present)}
        planned = (moment for moment in latest.values() if moment.kind.tells)
        known = self.ledger.known
        return tuple(moment for moment in planned if key_of(self.request, moment) not in known)

    def told(self, lines: tuple[Delivered, ...], now: datetime) -> Self:
        """Write what became of notices into the ledger."""
        return self.replace(ledger=self.ledger.with_lines(lines, now))

    def held_back(self, notices: tuple[HeldBack, ...], now: datetime) -> Self:
        """Remember who has heard enough for now; of one notice the timeline says so once."""
        before = {one.key for one in self.ledger.held}
        known = self.replace(ledger=self.ledger.with_held(notices))
        for one in notices:
            if one.key not in before:
                known = known.note(now, EventType.HELD_BACK, one.person, one.says, about=one.stage)
        return known

    def is_held(self, notice: NotificationOrder, now: datetime) -> bool:
        """Whether a notice waits for its recipient's budget."""
        until = self.ledger.held_until(notice.person, notice.stage)
        return until is not None and now < until

    def held_until(self, now: datetime) -> datetime | None:
        """When the next of those who have heard enough may hear more."""
        return min((one.until for one in self.ledger.held if now < one.until), default=None)

    def untold(self, keys: frozenset[str]) -> Self:
        """Try these notices no more; those that have reached nobody have no line, so that they are planned anew."""
        known = self.without_stragglers(lambda one: one.key in keys)
        return known.replace(ledger=self.ledger.without(keys))

    def again(self, now: datetime) -> tuple[PendingDevice, ...]:
        """What is tried again at phones that were left open; while a question waits nobody is nudged by that either."""
        due = self.stragglers
        if self.stop(StopKind.QUESTION):
            due = due.without(lambda one: one.moment is not None and one.moment.kind is not ActionType.QUESTION)
        return due.due(now)

    @property
    def unheard(self) -> tuple[str, ...]:
        """The keys of alerts that have reached nobody, and that no phone may take any more."""
        lost = [
            line.key
            for line in self.notifications
            if stages.kind_of(line.stage) is NotificationType.ESCALATION
            and (line.outcome is NotificationOutcome.FAILED or line.why == Reason.NO_DEVICE)
        ]
        return tuple(key for key in lost if not self.stragglers.has(key))

    def tried(
        self, tried: tuple[PendingDevice, ...], lines: tuple[Delivered, ...], left: tuple[PendingDevice, ...]
    ) -> Self:
        """Remember the phones that are `left` open; an alert that is lost by now is planned anew, for somebody else."""
        known = self.replace(stragglers=self.stragglers.tried(tried, lines, left))
        alerts = any(one.moment and one.moment.kind is ActionType.ESCALATE for one in tried)
        return known.replan() if alerts and known.unheard else known

    def without_stragglers(self, over: Callable[[PendingDevice], bool]) -> Self:
        """Try no more what is over."""
        return self.replace(stragglers=self.stragglers.without(over))

    def go_on(self, kind: StopKind, now: datetime) -> Self:
        """See `Clocked`; nobody hears any more of a question that is in nobody's way."""
        known = super().go_on(kind, now)
        if kind is not StopKind.QUESTION:
            return known
        return known.without_stragglers(lambda one: stages.kind_of(one.notice.stage) in _OF_QUESTIONS)

    def suppress(self, moments: tuple[ScheduledAction, ...], why: Reason, now: datetime) -> Self:
        """Write planned notices into the ledger that will not be sent."""
        return self.told(suppressed(self.request, moments, why), now)

    def left_out(
        self, missed: tuple[ScheduledAction, ...], too_soon: tuple[ScheduledAction, ...], now: datetime
    ) -> Self:
        """Write nudges into the ledger that are not sent: `missed` in a pause or an outage, or following too soon."""
        paused = tuple(moment for moment in missed if self.was_paused(moment.at))
        rest = tuple(moment for moment in missed if moment not in paused)
        known = self.suppress(paused, Reason.PAUSED, now).suppress(rest, Reason.CAUGHT_UP, now)
        return known.suppress(too_soon, Reason.TOO_SOON, now)

    def replan(self) -> Self:
        """Have everything planned anew; what the present plan says of notices that have no line yet is kept."""
        return self.replace(agenda=None, planned_once=self.unsent[-_PLANNED_ONCE_AT_MOST:])

    def no_longer_planned(self, agenda: Schedule) -> tuple[ScheduledAction, ...]:
        """What had been planned, has no line, and is not in this agenda."""
        present = {(moment.stage, moment.person) for moment in (*agenda.moments, *agenda.dropped)}
        return tuple(moment for moment in self.unsent if (moment.stage, moment.person) not in present)
