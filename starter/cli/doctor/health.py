"""What an examination says of one part, and how a failing look becomes a sentence."""

from collections.abc import Awaitable, Callable
from enum import StrEnum
from typing import Final

from starter.boot.refusals import REFUSALS
from starter.errors import Refusal
from workflows.model.base import Model

_EXPECTED: Final = (Refusal, *REFUSALS, OSError)


class PartHealth(StrEnum):
    """How a part is; a warning lets the rest work."""

    OK = "ok"
    WARNING = "warning"
    WRONG = "wrong"


class SetUpPart(Model):
    """One part of the set-up; `says` is what was found, or what to do."""

    part: str
    state: PartHealth
    says: str


class Examination(Model):
    """The answer of `doctor`; `ok` unless something is wrong."""

    ok: bool
    parts: tuple[SetUpPart, ...]


Look = Callable[[], Awaitable[SetUpPart]]


def fine(part: str, says: str) -> SetUpPart:
    """Nothing to do."""
    return SetUpPart(part=part, state=PartHealth.OK, says=says)


def doubtful(part: str, says: str) -> SetUpPart:
    """The rest works, but somebody should know."""
    return SetUpPart(part=part, state=PartHealth.WARNING, says=says)


def wrong(part: str, says: str) -> SetUpPart:
    """It does not work before somebody has done something."""
    return SetUpPart(part=part, state=PartHealth.WRONG, says=says)


async def looked(part: str, look: Look) -> SetUpPart:
    """What the look found; a failure is a part that is wrong, in the words of the failure."""
    try:
        return await look()
    except _EXPECTED as failure:
        return wrong(part, str(failure))
