"""The resolved policy of one request: reminders, escalation, pauses, hand-off targets (docs/files.md)."""

from calendar import monthrange
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from typing import Annotated, Final, Literal, Self

from pydantic import BeforeValidator, Field

from workflows.kinds import Kind
from workflows.model.base import Model
from workflows.model.subject import Identity, LockScreen, Status

Duration = Annotated[str, Field(pattern=r"^[1-9][0-9]{0,3}[mhdw]$")]
"""`90m`, `4h`, `3d`, `2w`; days and weeks are calendar days in the recipient's zone (docs/files.md, Values)."""
Ahead = Annotated[str, Field(pattern=r"^(0d|[1-9][0-9]{0,3}[mhdw])$")]
"""Time before the due date; `0d` is on its day."""
Grace = Annotated[str, Field(pattern=r"^(0d|[1-9][0-9]{0,3}[mhdw])$")]
"""Time after the due date; `0d` is at once."""
Retention = Annotated[str, Field(pattern=r"^[1-9][0-9]{0,4}[dmy]$")]
"""`90d`, `18m`, `7y`: calendar months and years in UTC, at most 100 years."""
WHEN_DUE: Final = "0d"
"""No grace."""
OVERDUE_AT_MOST: Final = 100
"""Overdue reminders of a signer for one due date."""
ROUNDS_AT_MOST: Final = 20
"""Of a review."""
ESCALATED: Final = "escalated"
"""The event that targets may hear before the end: an escalation."""


class Reminders(Model):
    """First reminder after `first`, then `every` after the previous one as placed, at most `most` per signer."""

    first: Duration = "3d"
    every: Duration = "3d"
    most: int = 4


class Overdue(Model):
    """`every` so often after the due date until the closing, at most `most` per signer. With `escalate`, an earlier
    silence is escalated then.
    """

    every: Duration = "3d"
    most: int | None = None
    escalate: bool = True


class EscalationAction(StrEnum):
    """`notify` alerts the alternate; `reassign` forwards the request to them."""

    NOTIFY = "notify"
    REASSIGN = "reassign"


class Escalation(Model):
    """When a silent signer is escalated: a duration, a share (`60%`) or `used-up`."""

    after: str = "used-up"
    or_: str | None = Field(default="60%", alias="or")
    action: EscalationAction = EscalationAction.NOTIFY
    to: tuple[str, ...] = ("alternates", "delegate", "manager")
    alternates: tuple[str, ...] = ()
    depth: int = 3
    fallback: str | None = None


class QuestionPause(Model):
    """How long an unanswered question stops the clocks, in the calendar of who is to answer."""

    pause: Duration = "3d"


class Reviews(Model):
    """Rounds of review before a request ends `declined`. Each is due `within` a duration, or a share of the time from
    the start to the due date (`25%`).
    """

    most: int = 5
    within: str = "25%"


class Format(StrEnum):
    """Body of a call: Standard Webhooks, or a CloudEvent 1.0 as structured JSON."""

    STANDARD = "standard"
    CLOUDEVENTS = "cloudevents"


class PlaceholderValue(Model):
    """A placeholder's value."""

    place: str
    text: str


def _as_written(fields: object) -> object:
    """Accept a mapping, as in a file, for the pairs."""
    return (
        [{"place": placeholder, "text": text} for placeholder, text in fields.items()]
        if isinstance(fields, dict)
        else fields
    )


class StartTarget(Model):
    """An onboarding from a file beside the catalogue, or another team's workflow."""

    onboarding: str | None = None
    fields: Annotated[tuple[PlaceholderValue, ...], BeforeValidator(_as_written)] = ()
    """Placeholder values."""
    workflow: str | None = None
    """Its type; it gets the hand-off's facts."""
    queue: str | None = None


class NexusOperation(Model):
    """A Nexus operation that receives the hand-off."""

    endpoint: str
    service: str
    operation: str


class ArchiveTarget(Model):
    """Where the signed document is written: `path` below `url`, with `{kind}`, `{id}`, `{outcome}`, `{year}`,
    `{month}`, `{day}` filled in.
    """

    url: str
    path: str


class Target(Model):
    """Exactly one of `person` to `archive` says how it is called. In the outbox a target of an escalation has its
    number behind its name.
    """

    target: str
    person: str | None = None
    group: str | None = None
    url: str | None = None
    workflow: str | None = None
    start: StartTarget | None = None
    nexus: NexusOperation | None = None
    archive: ArchiveTarget | None = None
    on: tuple[Status | Literal["escalated"], ...] = ()
    """Events it is told of; empty is the kind's default (`hears_of`)."""
    personal: bool = False
    format: Format = Format.STANDARD
    attach: bool = False
    """Whether the call has the signed document with it."""

    def hears_of(self, kind: Kind, status: Status) -> bool:
        """Whether it is called for this ending: by default for signed and done, unless the kind tells every ending."""
        default = (
            [status for status in Status if status.has_ended]
            if kind.spec.every_ending
            else [Status.SIGNED, Status.DONE]
        )
        return status in (self.on or default)

    @property
    def name(self) -> str:
        return self.target.partition("/")[0]

    def of_escalation(self, number: int) -> Self:
        """Under a name for this escalation; ids have no slash, so names do not collide."""
        return self.replace(target=f"{self.name}/{ESCALATED}-{number}")


class EvidenceLevel(StrEnum):
    """What is kept of a request at its end, beside its record: signed document and log, the log alone, or nothing."""

    FULL = "full"
    LOG = "log"
    NONE = "none"


class TellRequester(Model):
    """The requester always hears of endings that need somebody."""

    started: bool = True
    """That people were asked, silently, with a link to follow it."""
    signed: bool = True


class Policy(Model):
    """Part of the workflow's input, so the catalogue may change later."""

    window: Duration = "30d"
    reminders: Reminders | None = Reminders()
    warnings: tuple[Ahead, ...] = ("2d", "1d")
    overdue: Overdue | None = None
    grace: Grace = WHEN_DUE
    """How long it stays open after the due date; signatures are then late."""
    expires: bool = True
    """Whether it closes; else it stays open and overdue."""
    hours: str = "any"
    urgent: bool = False
    lock_screen: LockScreen = LockScreen.FULL
    """Whether notices name the document."""
    identity: Identity = Identity.LINK
    """Of requests: what the page asks of signers beside their link."""
    snooze: int = 2
    """How often a signer may say "not now"."""
    self_delegate: bool = False
    """Whether a signer may hand over to their delegate."""
    question: QuestionPause = QuestionPause()
    review: Reviews = Reviews()
    """Of requests with reviewers."""
    escalation: Escalation | None = Escalation()
    handoff: tuple[Target, ...] = ()
    tell_requester: TellRequester = TellRequester()
    fallback_after: Duration | None = None
    """Unopened for so long, a mail or SMS is sent as well."""
    evidence: EvidenceLevel | None = None
    """None is `full`, and `log` for the requests of a campaign."""
    keep: Retention | None = None
    """How long after the end the signed files are kept; None is for good."""


def end_of_retention(ended_at: datetime, keep: str) -> datetime:
    """When a retention time is over; a month without the day ends with its last."""
    count, unit = int(keep[:-1]), keep[-1]
    if unit == "d":
        return ended_at + timedelta(days=count)
    utc_instant = ended_at.astimezone(UTC)
    years, month = divmod(utc_instant.month - 1 + count * (12 if unit == "y" else 1), 12)
    day = min(utc_instant.day, monthrange(utc_instant.year + years, month + 1)[1])
    return utc_instant.replace(year=utc_instant.year + years, month=month + 1, day=day)
