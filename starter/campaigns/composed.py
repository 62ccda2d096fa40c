"""The whole picture of a campaign: what it knows itself, and how everybody stands at this moment.

Of one that goes on they stand as its own daily look has them; of one that has ended as its outcomes say, whatever else
was deleted since.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from temporalio.client import Client

from activities.campaigns.audience import Audience, Audiences
from activities.campaigns.outcomes import Outcomes
from activities.campaigns.standing import MemberOutcome, MemberStatus, MemberStatuses, counted
from activities.campaigns.visibility import TemporalMemberVisibility
from activities.store.store import Store
from starter.campaigns.overview import CampaignOverview, overview
from starter.context import Context
from starter.lookup import complete, look_at, suggesting
from starter.request_ids import id_of
from workflows.campaign.show import recounted
from workflows.kinds import Kind, WorkflowName
from workflows.model.campaign import CampaignOrder
from workflows.model.views import CampaignShow


@dataclass(frozen=True)
class CampaignPicture:
    """A campaign and the line of each of its people; none before its audience is frozen."""

    shown: CampaignShow
    lines: Sequence[MemberOutcome] = field(default=(), repr=False)
    population: dict[str, Any] | None = field(default=None, repr=False)
    changes: Sequence[dict[str, Any]] = field(default=(), repr=False)


async def picture(client: Client, store: Store, id: str) -> CampaignPicture:
    """Everything known of a campaign; `Unknown` when neither Temporal nor the records know it.

    Raises what a document does that is missing or damaged: a record that is not whole is not shown as one.
    """
    shown = await look_at(client, store, WorkflowName(Kind.CAMPAIGN, id))
    if not isinstance(shown, CampaignShow):
        raise TypeError(f"{type(shown).__name__} where a campaign was asked for")
    return await pictured(client, store, shown)


async def pictured(client: Client, store: Store, shown: CampaignShow) -> CampaignPicture:
    """The same of a campaign that has said already what it knows itself."""
    if shown.outcomes is not None:
        outcomes = await Outcomes.read(store, shown.outcomes)
        return CampaignPicture(shown, outcomes.lines, outcomes.population, outcomes.changes)
    if shown.frozen is None or shown.campaign is None:
        return CampaignPicture(shown)
    audience = await Audiences(store).read(shown.campaign, shown.frozen.sha256, shown.changed)
    now = datetime.now(UTC)
    order = CampaignOrder(campaign=shown.campaign, fingerprint=shown.fingerprint, now=now)
    if shown.status.ended:
        order = order.replace(asked=shown.frozen.rows, changes_asked=shown.changes)
    else:
        order = order.replace(asked=shown.asked, changes_asked=shown.changes_asked)
    lines = await _lines(client, store, order, audience)
    changes = [one.change.model_dump(mode="json") for one in audience.amendments]
    return CampaignPicture(recounted(shown, counted(lines), now), lines, None, changes)


async def _lines(client: Client, store: Store, order: CampaignOrder, audience: Audience) -> list[MemberOutcome]:
    """As the daily look has them; where as many go on as should, visibility is asked of few."""
    visibility = TemporalMemberVisibility(client)
    standings = MemberStatuses(client, store, visibility)
    known = await visibility.other_than_told(order.campaign.id)
    lines = await standings.recorded(order, audience, known)
    told = sum(line.status == MemberStatus.TOLD and line.request not in known.status for line in lines)
    if await visibility.going_on(order.campaign.id) == told + len(known.status):
        return lines
    return (await standings.of(order, audience, lines=lines))[0]


async def of(context: Context, typed: str) -> CampaignPicture:
    """The same by an id as people type it, with the ids that are near to one that nobody knows."""
    async with suggesting(context.client):
        return await picture(context.client, context.store, id_of(Kind.CAMPAIGN, typed))


async def show(context: Context, typed: str, *, whole: bool = False) -> CampaignOverview:
    """What `campaign show` says."""
    found = await of(context, typed)
    shown = await complete(context.store, found.shown) if whole else found.shown
    return overview(shown, found.lines)
