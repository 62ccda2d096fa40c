"""Campaigns that are about to be started: how their files are checked, and what is told of them before."""

from collections.abc import Sequence
from datetime import date
from functools import partial

from pydantic import AwareDatetime
from rich.console import Group
from rich.text import Text

from activities.campaigns.input import PreparedCampaign, prepare_campaign
from starter.many import Prepare
from starter.rows import Rows
from starter.settings import Settings
from starter.terminal import Instant
from workflows.model.base import Model


class CampaignDryRun(Model):
    """The answer of `campaign start --dry-run`; `rows` are those of a table or a list, `errors` of them are wrong."""

    id: str
    kind: str
    document: str
    owner: str
    audience: str
    rows: int
    errors: int
    opens_at: AwareDatetime
    due: date

    @classmethod
    def of(cls, prepared: PreparedCampaign) -> "CampaignDryRun":
        """What is known of it before it is started."""
        campaign, rows = prepared.given.campaign, prepared.rows.rows
        return cls(
            id=campaign.id,
            kind=campaign.kind,
            document=campaign.title,
            owner=campaign.requester,
            audience=campaign.source.group or f"{len(rows):,} rows",
            rows=len(rows),
            errors=sum(bool(row.says) for row in rows),
            opens_at=campaign.opens_at,
            due=campaign.due,
        )


def preparing_campaign(settings: Settings) -> Prepare[PreparedCampaign]:
    """What checks a campaign file; whoever stands in full in its table gets an id from the link secret."""
    return partial(prepare_campaign, secret=settings.link_secret)


def campaign_dry_run(prepared: Sequence[PreparedCampaign]) -> Group:
    """What would be started."""
    table = Rows("campaign", "document", "owner", "audience", "wrong rows", "opens", "due", whole=("campaign", "owner"))
    for one in map(CampaignDryRun.of, prepared):
        opens, errors = Instant(one.opens_at), f"{one.errors:,}" if one.errors else ""
        table.add(one.id, one.document, one.owner, one.audience, errors, opens, f"{one.due}")
    campaigns = "1 campaign" if len(prepared) == 1 else f"{len(prepared):,} campaigns"
    return Group(Text(f"All correct: {campaigns} would be started; nothing was started", "bold"), table)
