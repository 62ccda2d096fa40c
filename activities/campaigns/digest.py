"""What managers and the owner hear of a campaign: each day who of their people is missing, each week how far it is."""

from collections import Counter
from collections.abc import Iterable, Sequence
from datetime import date, datetime
from typing import Final, NamedTuple

from temporalio import activity
from temporalio.exceptions import ApplicationError

from activities.campaigns.standing import MemberOutcome
from activities.directory import Company
from workflows.follow_up.stages import NotificationType
from workflows.model.campaign import Campaign
from workflows.model.notices import Delivery, NoticeAction, NotificationOrder
from workflows.names import notice_key
from workflows.ports import PushService

DIGESTS_AT_ONCE: Final = 50
"""Managers that one delivery tells."""
TELLING_SECONDS: Final = 300.0
"""How long one look tells managers, at most: to go on behind them everybody is counted once more."""


class ManagerDigest(NamedTuple):
    """Somebody who hears of people of theirs who have not acknowledged, and how many of them are overdue."""

    manager: str
    people: int
    overdue: int


def missing_by_manager(lines: Iterable[MemberOutcome], today: date) -> list[ManagerDigest]:
    """Who hears of how many, in the order of their ids; whoever has no manager is the owner's to see."""
    missing = [line for line in lines if line.open and line.manager]
    people = Counter(line.manager for line in missing)
    overdue = Counter(line.manager for line in missing if line.due < today.isoformat())
    return [ManagerDigest(manager, people[manager], overdue[manager]) for manager in sorted(people)]


def digests(campaign: Campaign, managers: Sequence[ManagerDigest], day: int) -> tuple[NotificationOrder, ...]:
    """One notice for each of them, of this day."""
    return tuple(
        _notice(campaign, f"{NotificationType.DIGEST}-{day}", one.manager).replace(
            count=one.people, overdue=one.overdue
        )
        for one in managers
    )


def progress(campaign: Campaign, missing: int, of: int, day: int) -> NotificationOrder:
    """The owner's line of a week."""
    return _notice(campaign, f"{NotificationType.PROGRESS}-{day}", campaign.requester).replace(count=missing, of=of)


def _notice(campaign: Campaign, stage: str, person: str) -> NotificationOrder:
    return NotificationOrder(
        key=notice_key(campaign.id, stage, person), stage=stage, person=person, action=NoticeAction.OPEN
    )


async def told(push: PushService, campaign: Campaign, notices: tuple[NotificationOrder, ...], now: datetime) -> None:
    """Tell some people. What could not be done is not tried again: tomorrow there is another one.

    A push service that is away holds up no campaign, whose requests say what is wrong with it. Nobody is told any more
    once it is unwanted.
    """
    left = notices
    try:
        while left and not unwanted():
            report = await push.deliver(Delivery(subject=campaign.subject, notices=left, others_told=True, now=now))
            left = tuple(one for one in left if one.key in report.open_notices)
    except ApplicationError as failure:
        activity.logger.warning("people not told of a campaign", extra={"people": len(left), "why": failure.type})


def unwanted() -> bool:
    """Whether the attempt was cancelled: a delivery that ended in good order for that keeps it to itself."""
    return activity.in_activity() and activity.is_cancelled()


async def of_directory(directory: Company, managers: Sequence[ManagerDigest]) -> list[ManagerDigest]:
    """Those of them whom the directory has: an id of a table may be anything."""
    places = await directory.places([one.manager for one in managers])
    return [one for one in managers if one.manager in places]
