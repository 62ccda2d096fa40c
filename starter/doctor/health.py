"""What an examination says of one part, and how a failing look becomes a sentence."""

from collections.abc import Awaitable, Callable
from enum import StrEnum
from typing import Final

from starter.exits import Refusal
from starter.refusals import REFUSALS
from workflows.model.base import Model

_EXPECTED: Final = (Refusal, *REFUSALS, OSError)


class Health(StrEnum):
    """How a part is; a warning lets the rest work."""

    OK = "ok"
    WARNING = "warning"
    WRONG = "wrong"


class Part(Model):
    """One part of the set-up; `says` is what was found, or what to do."""

    part: str
    state: Health
    says: str


class Examination(Model):
    """The answer of `doctor`; `ok` unless something is wrong."""

    ok: bool
    parts: tuple[Part, ...]


Look = Callable[[], Awaitable[Part]]


def fine(part: str, says: str) -> Part:
    """Nothing to do."""
    return Part(part=part, state=Health.OK, says=says)


def doubtful(part: str, says: str) -> Part:
    """The rest works, but somebody should know."""
    return Part(part=part, state=Health.WARNING, says=says)


def wrong(part: str, says: str) -> Part:
    """It does not work before somebody has done something."""
    return Part(part=part, state=Health.WRONG, says=says)


async def looked(part: str, look: Look) -> Part:
    """What the look found; a failure is a part that is wrong, in the words of the failure."""
    try:
        return await look()
    except _EXPECTED as failure:
        return wrong(part, str(failure))
