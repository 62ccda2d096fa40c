"""What a campaign has come to, written down once: the line of each person, and the population then and now.

It is found by its SHA-256, which is in the settled record: a report of it is the same whatever was deleted since.
"""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final, Self

from activities.campaigns.audience import Audience
from activities.campaigns.standing import Line
from activities.people import Company
from activities.store import Store
from workflows.model.campaign import Campaign, ChangeKind, Settle

_FORM: Final = 1


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


async def written(
    store: Store, order: Settle, lines: Sequence[Line], audience: Audience, population: Population | None
) -> str:
    """Write the outcomes down; the SHA-256 under which they are found again."""
    frozen = order.frozen
    content = {
        "version": _FORM,
        "campaign": order.campaign.id,
        "audience": frozen.sha256 if frozen else None,
        "population": population.plain(order.campaign, audience) if population else None,
        "changes": [amendment.change.model_dump(mode="json") for amendment in audience.amendments],
        "lines": [line._asdict() for line in lines],
    }
    return await store.put_document(json.dumps(content, separators=(",", ":"), sort_keys=True).encode())


@dataclass(frozen=True)
class Outcomes:
    """What was written down."""

    lines: tuple[Line, ...]
    population: dict[str, Any] | None
    changes: tuple[dict[str, Any], ...]

    @classmethod
    async def read(cls, store: Store, sha256: str) -> Self:
        """The outcomes of a campaign that has ended; raises what a document does that is missing or damaged."""
        content = json.loads(b"".join([piece async for piece in (await store.document(sha256)).pieces(1 << 18)]))
        return cls(tuple(Line(**line) for line in content["lines"]), content["population"], tuple(content["changes"]))
