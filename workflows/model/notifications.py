"""Notifications to people: orders, delivery results, lines of the notification log, budget; sign-in to the desk."""

from collections.abc import Mapping
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Annotated, Any, Final, Self

from pydantic import AwareDatetime, Field

from workflows.model.base import DerivableModel, Model
from workflows.model.policy import Duration
from workflows.model.schedule import Reason, is_joined
from workflows.model.signature import ReportedDocument
from workflows.model.subject import Status, Subject
from workflows.model.timeline import TimelineEntry

QUIET_AT_MOST: Final = 20
"""The largest budget that an onboarding gives its customer."""
MAILS_APART: Final = timedelta(minutes=10)
"""Between two mails of one document that are sent again: Core Signature drops the second one without a word."""
VALID_FOR: Final = timedelta(minutes=10)
ONE_MESSAGE_EVERY: Final = timedelta(minutes=1)
"""To one browser."""


class NotificationBudget(Model):
    """At most `most` notifications per `per` to each of these people, instead of the limit of the settings."""

    most: Annotated[int, Field(ge=1, le=QUIET_AT_MOST)] = 3
    per: Duration = "1d"
    people: tuple[str, ...] = ()


class NoticeAction(StrEnum):
    """What tapping a notification is for; `withdraw` removes the one with the same key from the screen."""

    SIGN = "sign"
    APPROVE = "approve"
    DO = "do"
    REVIEW = "review"
    REVISE = "revise"
    OPEN = "open"
    WITHDRAW = "withdraw"


class Channel(StrEnum):
    """How a notification travels: `mail` by Core Signature, or like `sms` by cloud messaging."""

    PUSH = "push"
    MAIL = "mail"
    SMS = "sms"


class NotificationOutcome(StrEnum):
    ACCEPTED = "accepted"
    SUPPRESSED = "suppressed"
    FAILED = "failed"
    WITHDRAWN = "withdrawn"


class KeyedNotification(DerivableModel):
    """A notification of `stage` to `person`, whose `key` names both (`notice_key`, `alert_key`)."""

    key: str
    stage: str
    person: str

    @classmethod
    def derive(cls, fields: Mapping[str, Any]) -> Mapping[str, Any]:
        """Stage and person as the key names them."""
        return dict(zip(("stage", "person"), str(fields.get("key", "")).split("/")[1:3], strict=False))


class NotificationOrder(KeyedNotification):
    """One notification to one person, identified by request, stage and person."""

    action: NoticeAction = NoticeAction.SIGN
    title: str | None = None
    """Its subject, if not the whole; with a `text`, what the text is about."""
    text: str | None = None
    """A person's free text, or its reference."""
    about: str | None = None
    """Escalations: the silent signer."""
    count: int | None = None
    """Number of people, if its text has it."""
    overdue: int = 0
    """How many of them are overdue."""
    total: int | None = None
    """Number of all people, of whom `count` are some."""
    movable: bool = False
    """Planned: if it cannot be delivered then, it is planned anew."""
    wakes_others: bool = False
    """As a mail it is sent although other recipients may be asleep."""
    reached: tuple[str, ...] = ()
    """Of a group: who has it already."""
    of_team: str = ""
    """The group, as `group:<name>`, as one of which they hear it."""

    def for_member(self, person: str) -> Self:
        """The same to one of the group that it is for."""
        key = self.key.replace(f"/{self.person}", f"/{person}", 1)
        return self.replace(key=key, person=person, reached=(), of_team=self.person)


class AppEventType(StrEnum):
    """What the app reports of a notification on its device."""

    RECEIVED = "received"
    TAPPED = "tapped"
    DISMISSED = "dismissed"


class AppEvent(Model):
    type: AppEventType
    at: AwareDatetime


class DeviceOutcome(Model):
    """Result for one device; `device` is a short hash, never the token."""

    device: str
    outcome: NotificationOutcome = NotificationOutcome.ACCEPTED
    events: tuple[AppEvent, ...] = ()
    """What the app reported, in views only."""


class DeliveryResult(KeyedNotification):
    channel: Channel = Channel.PUSH
    outcome: NotificationOutcome = NotificationOutcome.ACCEPTED
    why: str | None = None
    devices: tuple[DeviceOutcome, ...] = ()

    @property
    def app_event(self) -> AppEventType | None:
        """What the app reported last."""
        events = [event for device in self.devices for event in device.events]
        return max(events, key=lambda event: event.at).type if events else None

    @property
    def reached(self) -> bool:
        """Whether the person was informed, also by a notification that only counted open items."""
        return self.outcome is NotificationOutcome.ACCEPTED or is_joined(self.why)


class Notification(DeliveryResult):
    at: AwareDatetime


class HeldBack(Notification):
    """What a budget or a recent mail holds back, tried again at `until`; `says` is the bound in words."""

    until: AwareDatetime
    says: str

    @property
    def holds_all(self) -> bool:
        """Whether it holds back whatever else the person is to hear."""
        return self.why == Reason.MAILED_RECENTLY


class LogPage(Model):
    """Log lines to move to the store, in order. An unstored page comes again, perhaps with more lines."""

    number: int
    lines: tuple[Notification, ...] = ()
    timeline: tuple[TimelineEntry, ...] = ()

    @property
    def name(self) -> str:
        """Equal names have equal content on each attempt."""
        return f"{self.number}-{len(self.lines)}-{len(self.timeline)}"


class Delivery(Model):
    """One stage for all its recipients. With `document` it is read first, and people who acted hear nothing."""

    subject: Subject
    notices: tuple[NotificationOrder, ...]
    due_at: AwareDatetime | None = None
    document: str | None = None
    devices: tuple[str, ...] | None = None
    """Only these devices (short hashes), left open by an earlier call."""
    others_told: bool = False
    """Others of the stage were notified by an earlier call: a failing phone is reported, and stops no request."""
    outcome: Status | None = None
    acted: tuple[str, ...] = ()
    """With an outcome: who has signed, approved or declined."""
    replay: int = 0
    """Number of the replay: earlier recipients of mail get another."""
    first_run_id: str = ""
    """Of the sender, empty for its first run: mails are sent once per chain of runs."""
    now: AwareDatetime | None = None
    page: LogPage | None = None
    """To be stored before anybody is notified."""
    quiet: NotificationBudget | None = None
    mailed_at: AwareDatetime | None = None
    """When Core Signature was last asked to mail its document again."""


class PostponedNotification(KeyedNotification):
    """A planned notification whose recipient was unavailable, against the plan, and why."""

    why: str


class DeliveryReport(Model):
    """`open_devices` are worth another try after `waits` seconds each. `open_notices` are keys of those not begun in
    time, or failed for a reason of their own.
    """

    delivered: tuple[DeliveryResult, ...] = ()
    open_devices: tuple[str, ...] = ()
    open_notices: tuple[str, ...] = ()
    waits: tuple[float, ...] = ()
    retry_after: float = 0
    """The longest of them."""
    seen: ReportedDocument | None = None
    put_off: tuple[PostponedNotification, ...] = ()
    held: tuple[HeldBack, ...] = ()
    mailed: bool = False
    """Whether Core Signature was asked to mail the document again."""

    @property
    def final_lines(self) -> tuple[DeliveryResult, ...]:
        """Open notifications have no line yet."""
        return tuple(line for line in self.delivered if line.key not in self.open_notices)


class SignInOrder(Model):
    """Send `person` a link and a code; `ask` is a digest of the browser's secret, `at` the time of the request."""

    person: str
    ask: str
    at: AwareDatetime
    used: bool = False
    """Whether it was used: then its notice is withdrawn."""

    @property
    def expires_at(self) -> datetime:
        """When link and code expire."""
        return self.at + VALID_FOR


class SignInReport(Model):
    """Number of devices and addresses reached."""

    told: int = 0
