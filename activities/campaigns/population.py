"""Who came into the population of a campaign since its opening and who left it, and what is done about them."""

from collections.abc import Collection, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Any, Final, NamedTuple, Self

from activities.campaigns.audience import AUDIENCE_AT_MOST, Audience, MemberRow
from activities.campaigns.rows import placed, stands_in_full
from activities.directory import Company, UnknownGroup, UnusablePeople
from workflows.model.campaign import Campaign, ChangeKind, DailyCheck, Joiners, Leavers

LEAVE_AT_ONCE_AT_MOST: Final = 20
LEAVE_AT_ONCE_SHARE: Final = 4
"""A quarter of those who are asked: more than either is a people file that was cut short, and drops nobody."""


@dataclass(frozen=True)
class Population:
    """The group, or the directory's part of a list, as it is now, beside the audience: who came, who left."""

    now: frozenset[str]
    came: tuple[str, ...]
    left: tuple[str, ...]

    @classmethod
    async def of(cls, campaign: Campaign, audience: Audience, directory: Company) -> Self | None:
        """By the directory as it is now; None for an audience of which nobody is in it, or whose group is no more.

        A people file that has changed is read first; of one that is faulty it is the last good state.
        """
        await caught_up(directory)
        members = {one.person: one for one in audience.members if not one.row.says}
        listed = {one.person for one in audience.members if one.person and not stands_in_full(one.person)}
        there = await _there(campaign, listed, directory)
        if there is None:
            return None
        gone = {id for id, one in members.items() if one.out is ChangeKind.LEFT}
        came = tuple(id for id in there if id not in listed or id in gone) if campaign.source.group else ()
        left = tuple(id for id, one in members.items() if id in listed and one.out is None and id not in there)
        return cls(frozenset(there), came, left)

    def plain(self, campaign: Campaign, opening: int, audience: Audience) -> dict[str, Any]:
        """For the record: the sizes, and what was decided about whoever came or left."""
        joined = [member.person for member in audience.members if member.joined]
        dropped = [member.person for member in audience.members if member.out is ChangeKind.LEFT]
        decided = [(id, "added") for id in joined] + [(id, "ignored") for id in self.came if id not in joined]
        kept = "left too late" if campaign.leavers is Leavers.DROP else "kept"
        gone = [(id, "dropped") for id in dropped] + [(id, kept) for id in self.left]
        return {
            "opening": opening,
            "close": len(self.now) if campaign.source.group else None,
            "came": [{"person": id, "decided": what} for id, what in decided],
            "left": [{"person": id, "decided": what} for id, what in gone],
        }


async def caught_up(directory: Company) -> None:
    """Wait until a people file that has changed is read; of a faulty one the last good state is told after it."""
    with suppress(UnusablePeople):
        await directory.up_to_date()


async def _there(campaign: Campaign, listed: Collection[str], directory: Company) -> dict[str, None] | None:
    """Who of the group, or of those who are listed, the directory has, each once."""
    if campaign.source.group is None:
        return dict.fromkeys(await directory.places(listed)) if listed else None
    try:
        return dict.fromkeys(await directory.group(campaign.source.group))
    except UnknownGroup:
        # A group is there as long as somebody is in it: nobody is told apart from a group that has another name now.
        return None


class PopulationChange(NamedTuple):
    """People who joined or left, with their rows; `new` of them were never in the audience, `due` is their last day."""

    what: ChangeKind
    rows: tuple[MemberRow, ...]
    new: int = 0
    due: date | None = None


async def moved(
    look: DailyCheck, audience: Audience, done: Collection[str], directory: Company
) -> list[PopulationChange]:
    """Who has joined and left since, as far as the file wants them asked or dropped; those who are `done` stay so.

    Nobody by a people file that is faulty: its last good state would be taken for today's. Nobody leaves when a large
    part would at once, for then it is the file that has changed, not the company.
    """
    campaign = look.order.campaign
    population = await Population.of(campaign, audience, directory)
    if population is None or directory.warning:
        return []
    moves: list[PopulationChange] = []
    came = [id for id in population.came if id not in done][: AUDIENCE_AT_MOST - len(audience.members)]
    if campaign.joiners is Joiners.ADD and came and look.order.now.date() <= look.due:
        moves += await _joined(look, audience, came, directory)
    left = [id for id in population.left if id not in done]
    if campaign.leavers is Leavers.DROP and left and len(left) <= _leave_at_most(audience):
        moves.append(PopulationChange(ChangeKind.LEFT, tuple(MemberRow(0, id) for id in left)))
    return moves


def _leave_at_most(audience: Audience) -> int:
    """How many may leave from one day to the next."""
    asked = sum(member.asked for member in audience.members)
    return max(LEAVE_AT_ONCE_AT_MOST, asked // LEAVE_AT_ONCE_SHARE)


async def _joined(
    look: DailyCheck, audience: Audience, came: Sequence[str], directory: Company
) -> list[PopulationChange]:
    """Those who can be asked, by their last day: counted from the day on which they joined, else were first seen."""
    gone = {member.person for member in audience.members if member.out is ChangeKind.LEFT}
    places, found = await directory.places(came), dict[date, list[MemberRow]]()
    for row in await placed([MemberRow(0, id) for id in came], {}, directory):
        if not row.says:
            found.setdefault(_last_day(look, places[row.person].joined), []).append(row)
    return [
        PopulationChange(ChangeKind.JOINED, tuple(some), sum(row.person not in gone for row in some), due)
        for due, some in sorted(found.items())
    ]


def _last_day(look: DailyCheck, joined: date | None) -> date:
    campaign, today = look.order.campaign, look.order.now.date()
    within = timedelta(days=campaign.within)
    since = joined if joined and campaign.opens_at.date() <= joined <= today else today
    # Heard of when their time is over already: it counts from now.
    return since + within if since + within > today else today + within
