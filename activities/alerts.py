"""All alerts of operation: what on-call hears by push, what the rules of Prometheus fire, and what the runbook explains
are this list, in these words (deploy/prometheus/rules.yaml, docs/runbook.md).
"""

from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from workflows.follow_up.notification_types import NotificationType


class Severity(StrEnum):
    """`page`: people are affected now; `ticket`: look in working hours."""

    PAGE = "page"
    TICKET = "ticket"


@dataclass(frozen=True)
class Alert:
    """`name` at Prometheus and as an anchor of the runbook, `says` everywhere. Without a `push` only Prometheus tells:
    the process that would have to is the one that is unwell, or sees a part of it.
    """

    name: str
    says: str
    severity: Severity = Severity.PAGE
    push: NotificationType | None = None


CALLBACKS_MISSING: Final = Alert("CallbacksMissing", "Callbacks do not arrive", push=NotificationType.UNCALLED)
CLOCK_BEHIND: Final = Alert(
    "ReceiverClockBehind", "The receiver's clock is behind", Severity.TICKET, NotificationType.CLOCK_BEHIND
)
TARGET_FAILING: Final = Alert(
    "TargetFailing", "A system takes no hand-offs", Severity.TICKET, NotificationType.HANDOFF_FAILING
)
TARGET_DEAD: Final = Alert("TargetDead", "A system is not told any more", push=NotificationType.HANDOFF_DEAD)
PUSH_REFUSED: Final = Alert(
    "PushCredentialsRefused", "Credentials for pushes are refused", push=NotificationType.PUSH_REFUSED
)
NOT_SENT: Final = Alert(
    "DocumentNotSent", "A document could not be sent yet", Severity.TICKET, NotificationType.NOT_SENT
)
HAND_OFF_DEAD: Final = Alert("HandOffDead", "Not everyone could be told", Severity.TICKET, NotificationType.UNDELIVERED)
PROBLEM_LASTS: Final = Alert(
    "ProblemLasts", "Requests have had a problem for an hour", push=NotificationType.PROBLEM_LASTS
)
MENDS_RISE: Final = Alert("MendsRise", "Reconciliation replaces many callbacks", Severity.TICKET)
NOTIFICATIONS_LATE: Final = Alert("NotificationsLate", "Notifications are sent more than a minute late")
DATABASE_AWAY: Final = Alert("DatabaseAway", "The database is away")
NOT_COUNTED: Final = Alert("ReconciliationMissing", "Reconciliation has not run for half an hour")
NO_WORKER: Final = Alert("NoWorker", "No worker is at work")
TASKS_WAIT: Final = Alert("WorkflowTasksWait", "Workflow tasks wait longer than 200 ms", Severity.TICKET)
SYNC_MATCH_LOW: Final = Alert("SyncMatchLow", "Tasks wait in the queue instead of at a worker", Severity.TICKET)
POLL_SUCCESS_LOW: Final = Alert("PollSuccessLow", "Workers poll more than there is to do", Severity.TICKET)
NO_SLOTS: Final = Alert("NoSlots", "A worker has no free slot", Severity.TICKET)

ALERTS: Final = (
    *(CALLBACKS_MISSING, CLOCK_BEHIND, TARGET_FAILING, TARGET_DEAD, PUSH_REFUSED, NOT_SENT, HAND_OFF_DEAD),
    *(PROBLEM_LASTS, MENDS_RISE, NOTIFICATIONS_LATE, DATABASE_AWAY, NOT_COUNTED, NO_WORKER),
    *(TASKS_WAIT, SYNC_MATCH_LOW, POLL_SUCCESS_LOW, NO_SLOTS),
)
OF_INCIDENTS: Final = (CALLBACKS_MISSING, CLOCK_BEHIND, TARGET_FAILING, TARGET_DEAD, PUSH_REFUSED)
"""Those that the metric `countersign_incidents` has by name."""
