"""The small facts a request remembers: what happened, who was asked instead of whom, what was asked for."""

from typing import Annotated, Any, Final

from pydantic import AwareDatetime, Field, computed_field, model_validator

from workflows.model.base import Model
from workflows.model.happened import EventType
from workflows.model.planning import EscalationReason, why_words

_KNOWN: Final = frozenset(EventType)


class EscalationEntry(Model):
    """Who was asked to act instead of whom, or alerted about them; `from_` is the signer."""

    from_: str = Field(alias="from")
    to: str
    reason: EscalationReason
    at: AwareDatetime


class TimelineEntry(Model):
    """Something that happened: what, to or by whom, and why."""

    at: AwareDatetime
    happened: Annotated[EventType | str, Field(union_mode="left_to_right")]
    """What newer code has noted, and this does not know, is in the words that it came with."""
    about: str = ""
    who: str | None = None
    why: str | None = None
    said: bool = False
    """`why` are somebody's own words: what is written once has a reference in their place."""
    by: str | None = None
    """Who wanted it, where `who` is whom or what it is about."""

    @computed_field  # type: ignore[prop-decorator]
    @property
    def what(self) -> str:
        """What happened, in English."""
        return self.happened.says(about=self.about) if isinstance(self.happened, EventType) else self.happened

    @property
    def because(self) -> str:
        """Why and by whom, in English."""
        why = self.why or ""
        words = why if self.said else why_words(why)
        return ", ".join(filter(None, (words, self.by and f"by {self.by}")))

    @model_validator(mode="before")
    @classmethod
    def _in_words_at_least(cls, told: Any) -> Any:
        if isinstance(told, dict) and "what" in told and told.get("happened") not in _KNOWN:
            return told | {"happened": told["what"]}
        return told


class Reassignment(Model):
    """A signer's place that is to be handed over, and who wants it."""

    from_: str
    to: str
    reason: EscalationReason
    who: str
    force: bool = False
    """Whether they are to be asked although they are away."""

    @property
    def about(self) -> str:
        """Whose place goes to whom, as the ledger of operations tells hand-overs apart."""
        return handing_over(self.from_, self.to)

    @property
    def by_hand(self) -> bool:
        """Whether a person wants it, not the policy."""
        return self.reason is EscalationReason.MANUAL


def handing_over(signer: str, to: str) -> str:
    """Whose place goes to whom, in words."""
    return f"{signer} to {to}"


class AskedQuestion(Model):
    """What a signer wanted to know, and the answer once there is one.

    `to` is who has the place of `person` now: a question that is open when a place is handed over goes with it.
    """

    number: int
    person: str
    to: str | None = None
    text: str
    at: AwareDatetime
    answer: str | None = None
    blocks: bool = False
    """It is no question but why they cannot go on; the answer is what they were told when it was cleared."""

    @property
    def holder(self) -> str:
        """Who waits for the answer: the one who asked, or who has their place now."""
        return self.to or self.person


class HeldNotification(Model):
    """Somebody who could not be told something, and until when nobody tries again."""

    person: str
    until: AwareDatetime


class AskedReminder(Model):
    """A reminder that somebody asked for and that was not sent yet."""

    number: int
    who: str
