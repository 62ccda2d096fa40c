"""What the workflow of an onboarding is started with."""

from workflows.follow_up.inputs import FollowUpInput
from workflows.model.base import Packed
from workflows.model.onboarding import Onboarding, StagePlan
from workflows.model.subject import Subject
from workflows.onboarding.journey import Journey


class OnboardingInput(FollowUpInput):
    """Input of the workflow; `carried` is set by continue-as-new only."""

    onboarding: Onboarding
    stages: Packed[tuple[StagePlan, ...]]
    carried: Packed[Journey | None] = None

    @property
    def subject(self) -> Subject:
        """The onboarding, with the people of the customer."""
        return self.onboarding.subject
