"""What a kind of follow-up is called, and what only it knows to come first."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import Enum, auto

from workflows.model.subject import Code


@dataclass(frozen=True)
class FollowUpWords:
    """What people call a kind of follow-up: it, whoever is awaited and for what, and more."""

    subject: str
    awaited: str
    wanted: str
    not_the_owner: str
    """What whoever asked for it has asked for, and cannot do."""
    cancelling: str
    """What is still to be done once somebody wants it cancelled."""
    closing: str = ""
    """Where it is ended, if not by the memory itself."""
    preparing: str = ""
    """What is waited for before people can be asked."""
    decides: str = "countersign"
    """Who says how it ended, where nobody meant it to."""
    failures: Mapping[Code, str] = field(default_factory=dict)
    """Why it failed, in words."""


class Precondition(Enum):
    """What comes before anybody is told anything; only the kind of follow-up knows how."""

    LOOK = auto()
    """Read how things stand, from whoever knows better."""
    CLOSE = auto()
    """End it as it is meant to end."""
    PREPARE = auto()
    """Wait until people can be asked."""
