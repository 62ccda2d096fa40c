"""States in words, and as coloured chips with an icon. Pure."""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from activities.campaign.member_status import MemberStatus
from activities.people.language import Language, phrase
from workflows.kinds import Kind
from workflows.model.signature import SignerState
from workflows.model.subject import Status
from workflows.task.state import AssigneeState

STATUSES: Final[Mapping[str, str]] = {
    Status.OPEN: phrase("to be done"),
    Status.CONVERTING: phrase("being prepared"),
    Status.SENT: phrase("sent"),
    Status.VIEWED: phrase("opened"),
    Status.SIGNED: phrase("signed"),
    Status.DONE: phrase("done"),
    Status.DONE_WITH_ERRORS: phrase("done, with errors"),
    Status.WAIVED: phrase("no longer needed"),
    Status.DECLINED: phrase("declined"),
    Status.CANCELLED: phrase("cancelled"),
    Status.EXPIRED: phrase("expired"),
    Status.FAILED: phrase("failed"),
}

STAGES: Final[Mapping[str, str]] = {
    "coming": phrase("comes later"),
    "open": phrase("under way"),
    "done": phrase("done"),
    "stopped": phrase("stopped"),
}
"""How far a stage of an onboarding is."""


class Look(StrEnum):
    """The colour and the icon of a chip; the words say the same, for whoever sees neither."""

    OPEN = "open"
    SEEN = "seen"
    GOOD = "good"
    NEAR = "near"
    BAD = "bad"
    CALM = "calm"


LOOKS: Final[Mapping[str, Look]] = {
    Status.OPEN: Look.OPEN,
    Status.CONVERTING: Look.CALM,
    Status.SENT: Look.OPEN,
    Status.VIEWED: Look.SEEN,
    Status.SIGNED: Look.GOOD,
    Status.DONE: Look.GOOD,
    Status.DONE_WITH_ERRORS: Look.NEAR,
    Status.WAIVED: Look.CALM,
    Status.DECLINED: Look.BAD,
    Status.CANCELLED: Look.CALM,
    Status.EXPIRED: Look.BAD,
    Status.FAILED: Look.BAD,
    SignerState.WAITING: Look.CALM,
    SignerState.TURN: Look.OPEN,
    SignerState.APPROVED: Look.GOOD,
    SignerState.REASSIGNED: Look.CALM,
    SignerState.BOUNCED: Look.BAD,
    SignerState.COPIED: Look.GOOD,
    AssigneeState.ASKED: Look.OPEN,
    AssigneeState.SPARED: Look.CALM,
    MemberStatus.NOT_TOLD: Look.CALM,
    MemberStatus.TOLD: Look.OPEN,
    MemberStatus.OPENED: Look.SEEN,
    MemberStatus.LATE: Look.NEAR,
    "coming": Look.CALM,
    "undecided": Look.NEAR,
    "stopped": Look.BAD,
}
"""By status, by the state of who was asked or is in an audience, and by that of a stage or a part of an onboarding."""


@dataclass(frozen=True)
class Chip:
    """What it says, in the reader's language, and how it looks."""

    text: str
    look: Look

    @classmethod
    def of(cls, state: str, text: str) -> "Chip":
        """The chip of a state; one that this code does not know is calm."""
        return cls(text, LOOKS.get(state, Look.CALM))


def status_of(status: str, language: Language, of: Kind | None = None) -> str:
    """A status in words; one that this code does not know stands as it is."""
    if of in (Kind.ONBOARDING, Kind.CAMPAIGN) and status == Status.OPEN:
        return language.say("under way")
    return language.say(STATUSES[status]) if status in STATUSES else status


def status_chip(status: str, language: Language, of: Kind | None = None) -> Chip:
    """The chip of a status."""
    return Chip.of(status, status_of(status, language, of))
