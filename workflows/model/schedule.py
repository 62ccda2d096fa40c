"""The schedule of planned actions, and the planner's input."""

from collections.abc import Mapping
from datetime import date, datetime
from enum import StrEnum
from typing import Annotated, Final, Self

from pydantic import AwareDatetime, Field

from workflows.model.base import InWords, Model, Packed
from workflows.model.policy import EscalationAction, Policy
from workflows.model.subject import Subject


class ActionType(StrEnum):
    """What a planned instant is for."""

    REMIND = "remind"
    WARN = "warn"
    OVERDUE = "overdue"
    """A reminder after the due date."""
    FALLBACK = "fallback"
    """Told by mail or SMS, because they did not open what their phone was sent."""
    ESCALATE = "escalate"
    ESCALATED = "escalated"
    QUESTION = "question"
    """Remind the person who is to answer an open question."""
    GO_ON = "go_on"
    """The clocks no longer stand for a question."""
    EXPIRE = "expire"

    @property
    def tells(self) -> bool:
        """Whether it is a notification, so that the log has a line of it."""
        return self not in (ActionType.GO_ON, ActionType.EXPIRE)


class Reason(InWords):
    """Why a notification was not sent, or did not arrive."""

    SIGNED = "signed", "they have signed"
    NOT_THEIR_TURN = "not_their_turn", "it was not their turn any more"
    QUIET_HOURS = "quiet_hours", "outside their hours"
    TOO_SOON = "too_soon", "they had heard of it shortly before"
    ABSENT = "absent", "they are away"
    PAUSED = "paused", "it is paused"
    SNOOZED = "snoozed", "they wished to be reminded later"
    SETTLED = "settled", "it had ended"
    ANSWERED = "answered", "the question was answered"
    NO_DEVICE = "no_device", "they have no device"
    SUPERSEDED = "superseded", "it was planned anew"
    CAUGHT_UP = "caught_up", "a later one said the same"
    UNKNOWN_PERSON = "unknown_person", "they are not in the directory"
    DIRECTORY = "directory", "the directory gave no answer"
    REFUSED = "refused", "the service refused it"
    UNREACHABLE = "unreachable", "the service did not answer"
    UNAUTHORISED = "unauthorised", "the service does not let us in"
    PUSH_MISMATCH = "push_mismatch", "the device belongs to another push service"
    """The device belongs to another push project than our credentials do."""
    OTHERS_ASLEEP = "others_asleep", "it would have woken others"
    """Core Signature's mail would have gone to other signers, too, in the night, and this one had heard something."""
    WITH_OTHERS = "with_others", "a mail for others reached them as well"
    """A mail that was meant for another signer went to this one as well."""
    QUIET = "quiet", "they have heard enough for now"
    """They have heard as much of all of it as they are to hear in that time."""
    JOINED = "joined", "another notice has said so"
    """A notice about something else, which they got later, has said how many things wait for them."""
    OPENED = "opened", "they had opened it"
    """They have opened it, so that they need no other way to be told."""
    NO_CHANNEL = "no_channel", "there is no other way to them"
    """Neither cloud messaging nor a mail of Core Signature reaches them."""
    UNDELIVERED = "undelivered", "it did not arrive"
    """Cloud messaging took it, and says that it did not arrive."""
    UNCONFIRMED = "unconfirmed", "nobody knows whether it arrived"
    """It was taken, and nobody says what became of it; or a mail or an SMS may have been sent, and no answer came."""


class EscalationReason(InWords):
    """Why somebody was asked instead of a signer, or alerted about them."""

    MANUAL = "manual", "by hand"
    ABSENCE = "absence", "they are away"
    ESCALATION = "escalation", "they are silent"


_REASONS: Final[Mapping[str, InWords]] = {one.value: one for one in (*Reason, *EscalationReason)}


def why_words(why: str) -> str:
    """A reason in English; an unknown one is returned unchanged."""
    return _REASONS[why].english if why in _REASONS else why


class ScheduledAction(Model):
    """One planned instant: `stage` names it in keys (`reminder-2`, `warning-1d`, `escalation`), `why` in words.

    `person` is the silent signer it is about; `to` the recipient (of an escalation somebody else).
    """

    at: AwareDatetime
    kind: ActionType
    stage: str
    person: str
    to: str
    why: str
    action: EscalationAction = EscalationAction.NOTIFY
    """Escalations: alert the alternate, or hand the signer's place over to them."""
    reason: EscalationReason = EscalationReason.ESCALATION
    """Escalations: `absence` when the signer is away."""
    suppressed: Reason | None = None
    """Why it will not be sent; only in `Schedule.dropped`."""
    held_until: AwareDatetime | None = None
    """Missed, and the recipient's hours are closed now: it may be made up for from this instant on, not before."""
    open_until: AwareDatetime | None = None
    """The recipient's hours close then and open again before the due date: what could not be sent is planned anew."""

    wakes_others: bool = False
    """It is a mail that other signers get as well, and goes out although it may be night for them."""

    @property
    def hands_over(self) -> bool:
        """Whether it is an escalation that reassigns the signer's slot."""
        return self.kind is ActionType.ESCALATE and self.action is EscalationAction.REASSIGN

    def dropped(self, reason: Reason, because: str) -> Self:
        """A copy that will not be sent, with the reason."""
        return self.replace(suppressed=reason, why=f"{self.why}; {because}")

    def moved(self, at: datetime, because: str) -> Self:
        """A copy at another instant, with the reason."""
        return self.replace(at=at, why=f"{self.why}, {because}")


class RemainingReminders(Model):
    """How many planned reminders of a person exceed the schedule."""

    person: str
    reminders: int


class LastReminder(Model):
    """The number of a person's last reminder in the log."""

    person: str
    number: int


class Schedule(Model):
    """The planned actions for the pending signers, earliest first, and the due date, all in UTC."""

    due_at: AwareDatetime
    """A signature from this instant on is late."""
    closes_at: AwareDatetime | None = None
    """When the request is over; None is when it is due."""
    closes: bool = True
    """Whether it closes at all: `closes_at` else only bounds what is planned."""
    moments: Packed[tuple[ScheduledAction, ...]] = ()
    dropped: Packed[tuple[ScheduledAction, ...]] = ()
    """Actions of the policy that the calendar forbids, each with its reason; they end in the notification log."""
    more: tuple[RemainingReminders, ...] = ()
    """Who gets more reminders than `moments` has: once somebody's are used up, it is planned anew."""
    doubt: str | None = None
    """What is wrong with the directory: the plan rests on its last good state, or leaves somebody out."""
    missing: tuple[str, ...] = ()
    """Signers who are not in the directory any more and have not acted."""

    @property
    def over_at(self) -> datetime:
        """When the request expires."""
        return self.closes_at or self.due_at


class Turn(Model):
    """A signer whose turn it is, and the instant from which their offsets count (pauses already added)."""

    person: str
    since: AwareDatetime
    came_at: AwareDatetime | None = None
    """When the turn really came, `since` without the pauses."""
    heard_at: AwareDatetime | None = None
    """When something last reached them."""


class Snooze(Model):
    """A signer's "not now": no reminder before `until`, and one then; `number` counts their snoozes from 1."""

    person: str
    until: AwareDatetime
    number: int


class OpenQuestion(Model):
    """A question without an answer, and whether it stops the clocks."""

    number: int
    person: str
    at: AwareDatetime
    stands: bool


class StandIn(Model):
    """A replacement to check; with `force` even if they are away at `at`."""

    person: str
    at: AwareDatetime
    force: bool = False
    beside: str | None = None
    """The workflow beside which they are kept if they stand in full in its file."""


class StandInReport(Model):
    """`refused` says in words why the replacement cannot be asked."""

    refused: str | None = None


class PlanningInput(Model):
    """Input of the planner; `now` comes from the workflow, never from a clock."""

    subject: Subject
    policy: Policy
    due: Annotated[AwareDatetime | date | None, Field(union_mode="left_to_right")]
    window_from: AwareDatetime
    turns: tuple[Turn, ...]
    now: AwareDatetime
    revision: int = 0
    """How often the due date was moved; the warnings of a later one are stages of their own."""
    snoozes: tuple[Snooze, ...] = ()
    acted: tuple[str, ...] = ()
    """Who has signed, declined or handed over: nobody of them is asked again."""
    reminded: tuple[LastReminder, ...] = ()
    """Of many reminders only the next are planned: those that come after these."""
    escalated: int = 0
    """How many steps up the chain have been taken already."""
    not_handed_over: tuple[str, ...] = ()
    """Signers whose place could not be handed over: an escalation alerts about them, whatever the policy wants."""
    question: OpenQuestion | None = None
    unheard: tuple[str, ...] = ()
    """The keys of alerts that reached nobody: somebody else is to hear of the same."""
