"""What a campaign has come to, written down once: the line of each person, and the population then and now.

It is found by its SHA-256, which is in the settled record: a report of it is the same whatever was deleted since.
"""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, Self

from activities.campaigns.audience import Audience
from activities.campaigns.standing import MemberOutcome
from activities.store.store import AUDIENCES, Store
from workflows.model.campaign import CampaignOrder

if TYPE_CHECKING:
    from activities.campaigns.population import Population  # whoever only reads outcomes needs no directory

_FORM: Final = 1


async def written(
    store: Store,
    order: CampaignOrder,
    lines: Sequence[MemberOutcome],
    audience: Audience,
    population: "Population | None",
) -> str:
    """Write the outcomes down; the SHA-256 under which they are found again."""
    frozen = order.frozen
    content = {
        "version": _FORM,
        "campaign": order.campaign.id,
        "audience": frozen.sha256 if frozen else None,
        "population": population.plain(order.campaign, frozen.rows if frozen else 0, audience) if population else None,
        "changes": [amendment.change.model_dump(mode="json") for amendment in audience.amendments],
        "lines": [line._asdict() for line in lines],
    }
    return await store.put_document(json.dumps(content, separators=(",", ":"), sort_keys=True).encode(), AUDIENCES)


@dataclass(frozen=True)
class Outcomes:
    """What was written down."""

    lines: tuple[MemberOutcome, ...]
    population: dict[str, Any] | None
    changes: tuple[dict[str, Any], ...]

    @classmethod
    async def read(cls, store: Store, sha256: str) -> Self:
        """The outcomes of a campaign that has ended; raises what a document does that is missing or damaged."""
        stored = await store.document(sha256, AUDIENCES)
        content = json.loads(b"".join([piece async for piece in stored.pieces(1 << 18)]))
        return cls(
            tuple(MemberOutcome(**line) for line in content["lines"]), content["population"], tuple(content["changes"])
        )
