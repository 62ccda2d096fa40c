"""Onboardings that are about to be started: how their files are checked, and what is told of them before."""

from collections.abc import Sequence
from functools import partial

from rich.console import Group
from rich.text import Text

from activities.onboarding.input import PreparedOnboarding, prepare_onboarding
from starter.many import Prepare
from starter.rows import Rows
from starter.settings import Settings
from workflows.model.base import Model


class OnboardingDryRun(Model):
    """The answer of `onboard start --dry-run` for one onboarding."""

    id: str
    kind: str
    customer: str
    owner: str
    stages: tuple[str, ...]
    parts: int

    @classmethod
    def of(cls, prepared: PreparedOnboarding) -> "OnboardingDryRun":
        """What is known of it before it is started."""
        given, onboarding = prepared.given, prepared.given.onboarding
        return cls(
            id=onboarding.id,
            kind=onboarding.kind,
            customer=onboarding.title,
            owner=onboarding.requester,
            stages=tuple(stage.name for stage in given.stages),
            parts=sum(len(stage.parts) for stage in given.stages),
        )


def preparing_onboarding(settings: Settings) -> Prepare[PreparedOnboarding]:
    """What checks an onboarding file; the templates that it may name lie beside the catalogue."""
    return partial(prepare_onboarding, templates=settings.policies.parent)


def onboarding_dry_run(prepared: Sequence[PreparedOnboarding]) -> Group:
    """What would be started."""
    table = Rows("onboarding", "customer", "owner", "stages", "parts", whole=("onboarding", "owner"))
    for one in map(OnboardingDryRun.of, prepared):
        table.add(one.id, one.customer, one.owner, ", ".join(one.stages), f"{one.parts}")
    onboardings = "1 onboarding" if len(prepared) == 1 else f"{len(prepared):,} onboardings"
    return Group(Text(f"All correct: {onboardings} would be started; nothing was started", "bold"), table)
