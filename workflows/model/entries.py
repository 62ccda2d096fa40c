"""The small facts a request remembers: what happened, who was asked instead of whom, what was asked for."""

from pydantic import AwareDatetime, Field

from workflows.model.base import Model
from workflows.model.planning import EscalationReason


class EscalationEntry(Model):
    """Who was asked to act instead of whom, or alerted about them; `from_` is the signer."""

    from_: str = Field(alias="from")
    to: str
    reason: EscalationReason
    at: AwareDatetime


class TimelineEntry(Model):
    """Something that happened: what, to or by whom, and why."""

    at: AwareDatetime
    what: str
    who: str | None = None
    why: str | None = None


class Reassignment(Model):
    """A signer's place that is to be handed over, and who wants it."""

    from_: str
    to: str
    reason: EscalationReason
    who: str

    @property
    def by_hand(self) -> bool:
        """Whether a person wants it, not the policy."""
        return self.reason is EscalationReason.MANUAL


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
