"""How somebody of an audience stands, in English until a reader's language says it."""

from collections.abc import Mapping
from typing import Final

from activities.campaigns.standing import Standing
from activities.language import phrase

STANDINGS: Final[Mapping[str, str]] = {
    Standing.NOT_TOLD: phrase("not asked yet"),
    Standing.TOLD: phrase("asked"),
    Standing.OPENED: phrase("has opened it"),
    Standing.ACKNOWLEDGED: phrase("has acknowledged"),
    Standing.LATE: phrase("has acknowledged late"),
    Standing.DECLINED: phrase("has declined"),
    Standing.EXPIRED: phrase("let the time pass"),
    Standing.CANCELLED: phrase("the request was cancelled"),
    Standing.FAILED: phrase("could not be asked"),
    Standing.EXEMPT: phrase("need not acknowledge"),
    Standing.DROPPED: phrase("has left"),
    Standing.ERROR: phrase("stands in a faulty row"),
    Standing.NOT_STARTED: phrase("is not asked any more"),
}
"""How somebody of an audience stands."""
