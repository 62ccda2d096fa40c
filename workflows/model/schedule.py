"""The schedule of planned actions, and the planner's input."""

from collections.abc import Mapping
from datetime import date, datetime
from enum import StrEnum
from typing import Annotated, Any, Final, Self

from pydantic import AwareDatetime, Field

from workflows.model.base import DerivableModel, InWords, Model
from workflows.model.messages import Message, join_english
from workflows.model.policy import EscalationAction, Policy
from workflows.model.subject import Subject


class ActionType(StrEnum):
    REMIND = "remind"
    WARN = "warn"
    OVERDUE = "overdue"
    """A reminder after the due date."""
    FALLBACK = "fallback"
    """Mail or SMS, because a push was not opened."""
    ESCALATE = "escalate"
    ESCALATED = "escalated"
    QUESTION = "question"
    """Reminds who is to answer an open question."""
    GO_ON = "go_on"
    """Ends the pause of a question."""
    EXPIRE = "expire"

    @property
    def tells(self) -> bool:
        """Whether it is a notification, and so logged."""
        return self not in (ActionType.GO_ON, ActionType.EXPIRE)


class Reason(InWords):
    """Why a notification was not sent, or did not arrive."""

    SIGNED = "signed", "they have signed"
    REVIEWED = "reviewed", "they have reviewed it"
    PLACE_TAKEN = "place_taken", "somebody else of their group signs it"
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
    """The device belongs to another push project."""
    OTHERS_ASLEEP = "others_asleep", "it would have woken others"
    """The mail would have reached sleeping signers as well."""
    WITH_OTHERS = "with_others", "a mail for others reached them as well"
    """A mail meant for another signer reached this one too."""
    QUIET = "quiet", "they have heard enough for now"
    """The budget is used up."""
    JOINED = "joined", "another notice has said so"
    """Another notification spoke for this one; the log says which: `joined into KEY`."""
    OPENED = "opened", "they had opened it"
    """Opened, so no other channel is needed."""
    NO_CHANNEL = "no_channel", "there is no other way to them"
    """No channel reaches them."""
    UNDELIVERED = "undelivered", "it did not arrive"
    """Accepted by cloud messaging, but not delivered."""
    MAILED_RECENTLY = "mailed_recently", "its document was mailed shortly before"
    """Core Signature would drop the mail without a word."""
    UNCONFIRMED = "unconfirmed", "nobody knows whether it arrived"
    """Accepted or perhaps sent, without a confirmation."""


class EscalationReason(InWords):
    """Why somebody was asked instead of a signer, or alerted about them."""

    MANUAL = "manual", "by hand"
    ABSENCE = "absence", "they are away"
    ESCALATION = "escalation", "they are silent"


def joined_into(key: str) -> str:
    """The reason of a notification that the one of this key spoke for."""
    return f"{_JOINED_INTO}{key}"


def is_joined(reason: str | None) -> bool:
    return reason is not None and reason.startswith(_JOINED_INTO)


def why_words(reason: str) -> str:
    """A reason in English; an unknown one is returned unchanged."""
    return _REASONS[reason].english if reason in _REASONS else reason


class ScheduledAction(DerivableModel):
    """`stage` names it in keys (`reminder-2`, `warning-1d`, `escalation`). `person` is the silent signer, `to` the
    recipient.
    """

    at: AwareDatetime
    kind: ActionType
    stage: str
    person: str
    to: str
    reasons: tuple[Message, ...] = ()
    """Why it is planned; then why it was moved, or is not sent."""
    action: EscalationAction = EscalationAction.NOTIFY
    """Escalations: alert the alternate, or reassign the slot."""
    reason: EscalationReason = EscalationReason.ESCALATION
    """Escalations: `absence` if the signer is away."""
    suppressed: Reason | None = None
    """Why it is not sent; only in `Schedule.dropped`."""
    held_until: AwareDatetime | None = None
    """Missed while the recipient's hours are closed: made up for from then on."""
    open_until: AwareDatetime | None = None
    """End of the recipient's hours, which open again before the due date: unsent actions are planned anew."""

    wakes_others: bool = False
    """A mail that other signers get too, perhaps at night."""

    @classmethod
    def derive(cls, fields: Mapping[str, Any]) -> Mapping[str, Any]:
        """The recipient is mostly the signer."""
        return {"to": fields["person"]} if "person" in fields else {}

    @property
    def reason_text(self) -> str:
        """The reasons in English."""
        return join_english(self.reasons)

    @property
    def hands_over(self) -> bool:
        """Whether it is an escalation that reassigns the slot."""
        return self.kind is ActionType.ESCALATE and self.action is EscalationAction.REASSIGN

    def dropped(self, reason: Reason, because: Message) -> Self:
        """A copy that will not be sent."""
        return self.replace(suppressed=reason, reasons=(*self.reasons, because))

    def move(self, instant: datetime, *because: Message) -> Self:
        """A copy at another instant."""
        return self.replace(at=instant, reasons=(*self.reasons, *because))


class RemainingReminders(Model):
    """How many reminders of a person exceed the schedule."""

    person: str
    reminders: int


class LastReminder(Model):
    """A person's last reminder in the log."""

    person: str
    number: int


class Schedule(Model):
    """The planned actions, earliest first, and the due date, in UTC."""

    due_at: AwareDatetime
    """A signature after this instant is late."""
    closes_at: AwareDatetime | None = None
    """When it is over; by default when due."""
    closes: bool = True
    """Whether it closes; else `closes_at` only bounds the plan."""
    actions: tuple[ScheduledAction, ...] = ()
    dropped: tuple[ScheduledAction, ...] = ()
    """Actions that the calendar forbids, with reasons; they are logged."""
    more: tuple[RemainingReminders, ...] = ()
    """People with more reminders than `actions` has: planned anew once used up."""
    doubt: str | None = None
    """What is wrong with the directory: an older state was used, or a person left out."""
    missing: tuple[str, ...] = ()
    """Pending signers who left the directory."""
    proposed: tuple[str, ...] = ()
    """Who could act for them: delegates, or managers."""

    @property
    def over_at(self) -> datetime:
        return self.closes_at or self.due_at


class Turn(Model):
    """A pending signer, and from when their offsets count, with pauses added."""

    person: str
    since: AwareDatetime
    came_at: AwareDatetime | None = None
    """When the turn began, without pauses."""
    heard_at: AwareDatetime | None = None
    """The last notification that reached them."""


class Snooze(Model):
    """No reminder before `until`, and one then; `number` counts their snoozes from 1."""

    person: str
    until: AwareDatetime
    number: int


class OpenQuestion(Model):
    """A question without an answer."""

    number: int
    person: str
    at: AwareDatetime
    stops_clocks: bool


class StandIn(Model):
    """A replacement to check; with `force` even if away at `at`."""

    person: str
    at: AwareDatetime
    force: bool = False
    beside: str | None = None
    """The workflow whose file describes them, if not of the directory."""
    kind: str = ""
    """Of the catalogue: they may be away for others only."""
    reviewed_for: str = ""
    """Who asks for what they would review; empty if they would not."""


class StandInReport(Model):
    """`refused` says why the replacement cannot be asked."""

    refused: Message | None = None


class PlanningInput(Model):
    """`now` comes from the workflow, never from a clock."""

    subject: Subject
    policy: Policy
    due: Annotated[AwareDatetime | date | None, Field(union_mode="left_to_right")]
    window_from: AwareDatetime
    turns: tuple[Turn, ...]
    now: AwareDatetime
    revision: int = 0
    """How often the due date was moved, part of the names of warnings."""
    snoozes: tuple[Snooze, ...] = ()
    acted: tuple[str, ...] = ()
    """People who have acted or handed over: never asked again."""
    reminded: tuple[LastReminder, ...] = ()
    """Last reminders: only the next ones are planned."""
    escalated: int = 0
    """Steps taken up the chain."""
    not_handed_over: tuple[str, ...] = ()
    """Signers whose slot could not be reassigned: escalations alert instead."""
    question: OpenQuestion | None = None
    unheard: tuple[str, ...] = ()
    """Keys of failed alerts: another person is alerted."""
    within: str = ""
    """Of a review: a duration, or a share of the time until the request is due, in which those whose turn it is are to
    act. The request is open until it is due.
    """


_JOINED_INTO: Final = f"{Reason.JOINED} into "
_REASONS: Final[Mapping[str, InWords]] = {one.value: one for one in (*Reason, *EscalationReason)}
