"""What the workflow of an onboarding is started with."""

from workflows.follow_up.inputs import FollowUpInput
from workflows.model.base import Packed
from workflows.model.onboarding import Onboarding, PartKind, StagePlan
from workflows.model.subject import Subject
from workflows.onboarding.journey import OnboardingState


class OnboardingInput(FollowUpInput):
    """Input of the workflow; `carried` is set by continue-as-new only."""

    onboarding: Onboarding
    stages: Packed[tuple[StagePlan, ...]]
    carried: Packed[OnboardingState | None] = None

    @property
    def subject(self) -> Subject:
        """The onboarding, with the people of the customer."""
        return self.onboarding.subject

    @property
    def first_stage(self) -> str:
        """The first stage, which is begun at once."""
        return self.stages[0].name

    @property
    def first_asked(self) -> tuple[str, ...]:
        """Those who are asked in the first stage."""
        asked = (part.asked for part in self.stages[0].parts if part.what is not PartKind.NOTICE)
        return tuple(dict.fromkeys(person for people in asked for person in people))
