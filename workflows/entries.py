"""The small facts a request remembers: what happened, who was asked instead of whom, what was asked for."""

from pydantic import AwareDatetime, Field

from workflows.model import Model


class EscalationEntry(Model):
    """Who was asked to act instead of whom, or alerted about them; `from_` is the signer."""

    from_: str = Field(alias="from")
    to: str
    reason: str
    at: AwareDatetime


class TimelineEntry(Model):
    """Something that happened: what, to or by whom, and why."""

    at: AwareDatetime
    what: str
    who: str | None = None
    why: str | None = None


class Reassignment(Model):
    """A signer's place that is to be handed over; `reason` is manual, absence or escalation."""

    from_: str
    to: str
    reason: str
    who: str


class AskedQuestion(Model):
    """What a signer wanted to know, and the answer once there is one."""

    number: int
    person: str
    text: str
    at: AwareDatetime
    answer: str | None = None


class AskedReminder(Model):
    """A reminder that somebody asked for and that was not sent yet."""

    number: int
    who: str
