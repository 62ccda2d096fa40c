"""How somebody of an audience stands, in English until a reader's language says it."""

from collections.abc import Mapping
from typing import Final

from activities.campaigns.standing import MemberStatus
from activities.language import phrase

STANDINGS: Final[Mapping[str, str]] = {
    MemberStatus.NOT_TOLD: phrase("not asked yet"),
    MemberStatus.TOLD: phrase("asked"),
    MemberStatus.OPENED: phrase("has opened it"),
    MemberStatus.ACKNOWLEDGED: phrase("has acknowledged"),
    MemberStatus.LATE: phrase("has acknowledged late"),
    MemberStatus.DECLINED: phrase("has declined"),
    MemberStatus.EXPIRED: phrase("let the time pass"),
    MemberStatus.CANCELLED: phrase("the request was cancelled"),
    MemberStatus.FAILED: phrase("could not be asked"),
    MemberStatus.EXEMPT: phrase("need not acknowledge"),
    MemberStatus.DROPPED: phrase("has left"),
    MemberStatus.ERROR: phrase("stands in a faulty row"),
    MemberStatus.NOT_STARTED: phrase("is not asked any more"),
}
"""How somebody of an audience stands."""
