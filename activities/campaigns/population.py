"""Who came into the population of a campaign since its opening and who left it, and what is done about them."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Any, NamedTuple, Self

from activities.campaigns import rows
from activities.campaigns.audience import Audience, Row
from activities.people import Company
from workflows.model.campaign import Campaign, ChangeKind, Joiners, Leavers, Look


@dataclass(frozen=True)
class Population:
    """The group, or the directory's part of a list, as it is now, beside the audience: who came, who left."""

    now: frozenset[str]
    came: tuple[str, ...]
    left: tuple[str, ...]

    @classmethod
    async def of(cls, campaign: Campaign, audience: Audience, directory: Company) -> Self | None:
        """By the directory as it is; None for an audience of which nobody is in it."""
        members = {member.person: member for member in audience.members if not member.row.says}
        if campaign.source.group is not None:
            there = tuple(await directory.group(campaign.source.group))
            came = tuple(id for id in there if id not in members or members[id].out is ChangeKind.LEFT)
        else:
            there, came = tuple(await directory.places(members)), ()
            if not there:
                return None
        now = frozenset(there)
        listed = (id for id, member in members.items() if member.out is None and not id.startswith("p-"))
        return cls(now, came, tuple(id for id in listed if id not in now))

    def plain(self, campaign: Campaign, audience: Audience) -> dict[str, Any]:
        """For the record: the sizes, and what was decided about whoever came or left."""
        joined = [member.person for member in audience.members if member.joined]
        dropped = [member.person for member in audience.members if member.out is ChangeKind.LEFT]
        decided = [(id, "added") for id in joined] + [(id, "ignored") for id in self.came if id not in joined]
        gone = [(id, "dropped") for id in dropped] + [(id, "kept") for id in self.left]
        return {
            "opening": sum(not member.joined for member in audience.members),
            "close": len(self.now) if campaign.source.group else None,
            "came": [{"person": id, "decided": what} for id, what in decided],
            "left": [{"person": id, "decided": what} for id, what in gone],
        }


class Move(NamedTuple):
    """People who joined or left, with their rows; `new` of them were never in the audience, `due` is their last day."""

    what: ChangeKind
    rows: tuple[Row, ...]
    new: int = 0
    due: date | None = None


async def moved(look: Look, audience: Audience, directory: Company) -> list[Move]:
    """Who has joined and left since, as far as the file wants them asked or dropped.

    Nobody by a people file that is faulty: its last good state would be taken for today's.
    """
    population = await Population.of(look.campaign, audience, directory)
    if population is None or directory.warning:
        return []
    moves: list[Move] = []
    if look.campaign.joiners is Joiners.ADD and population.came:
        moves += await _joined(look, audience, population.came, directory)
    if look.campaign.leavers is Leavers.DROP and population.left:
        moves.append(Move(ChangeKind.LEFT, tuple(Row(0, id) for id in population.left)))
    return moves


async def _joined(look: Look, audience: Audience, came: Sequence[str], directory: Company) -> list[Move]:
    """Those who can be asked, by their last day: counted from the day on which they joined, else were first seen."""
    gone = {member.person for member in audience.members if member.out is ChangeKind.LEFT}
    places, found = await directory.places(came), dict[date, list[Row]]()
    for row in await rows.placed([Row(0, id) for id in came], {}, directory):
        if not row.says:
            found.setdefault(_last_day(look, places[row.person].joined), []).append(row)
    return [
        Move(ChangeKind.JOINED, tuple(some), sum(row.person not in gone for row in some), due)
        for due, some in sorted(found.items())
    ]


def _last_day(look: Look, joined: date | None) -> date:
    today, within = look.now.date(), timedelta(days=look.campaign.within)
    since = joined if joined and look.campaign.opens_at.date() <= joined <= today else today
    # Heard of when their time is over already: it counts from now.
    return since + within if since + within > today else today + within
