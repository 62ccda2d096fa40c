"""What the desk calls things, in English until a reader's language says it."""

from collections.abc import Mapping
from typing import Final

from activities.campaigns.standing import Standing
from activities.language import Language, phrase
from workflows.kinds import Kind
from workflows.model.subject import Status

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


def status_of(status: str, language: Language, of: Kind | None = None) -> str:
    """A status in words; one that this code does not know stands as it is."""
    if of in (Kind.ONBOARDING, Kind.CAMPAIGN) and status == Status.OPEN:
        return language.say("under way")
    return language.say(STATUSES[status]) if status in STATUSES else status
