"""Results of checks, and failures as sentences."""

from collections.abc import Awaitable, Callable
from enum import StrEnum
from typing import Final

from starter.boot.refusals import REFUSALS
from starter.errors import Refusal
from workflows.model.base import Model

_EXPECTED: Final = (Refusal, *REFUSALS, OSError)


class PartHealth(StrEnum):
    """A warning lets the rest work."""

    OK = "ok"
    WARNING = "warning"
    WRONG = "wrong"


class SetUpPart(Model):
    """One part; `says` is what was found, or what to do."""

    part: str
    state: PartHealth
    says: str


class Examination(Model):
    """The answer of `doctor`; `ok` unless something is wrong."""

    ok: bool
    parts: tuple[SetUpPart, ...]


Look = Callable[[], Awaitable[SetUpPart]]


def fine(part: str, explanation: str) -> SetUpPart:
    return SetUpPart(part=part, state=PartHealth.OK, says=explanation)


def doubtful(part: str, explanation: str) -> SetUpPart:
    """A warning: the rest works."""
    return SetUpPart(part=part, state=PartHealth.WARNING, says=explanation)


def wrong(part: str, explanation: str) -> SetUpPart:
    """It does not work until somebody acts."""
    return SetUpPart(part=part, state=PartHealth.WRONG, says=explanation)


async def looked(part: str, look: Look) -> SetUpPart:
    """The result of a check; a failure is a part that is wrong, with the failure's text."""
    try:
        return await look()
    except _EXPECTED as failure:
        return wrong(part, str(failure))
