"""What the workflow of a campaign is started with."""

from workflows.campaign.course import CampaignState
from workflows.follow_up.inputs import FollowUpInput
from workflows.model.base import Packed
from workflows.model.campaign import Campaign
from workflows.model.subject import Subject


class CampaignInput(FollowUpInput):
    """Input of the workflow; `carried` is set by continue-as-new only."""

    campaign: Campaign
    carried: Packed[CampaignState | None] = None

    @property
    def subject(self) -> Subject:
        """The campaign, which asks nobody itself."""
        return self.campaign.subject
