"""The floor of an onboarding: the least hand-written join of the same parts, in small words.

It starts each stage's parts, waits for their signals, tells the customer the news, and everyone of the end. It cannot
say what it waits for, decides nothing about a part that ends otherwise, looks at nothing that keeps silent, and knows
no problem, no cancellation and no continue-as-new.
"""

from functools import partial
from typing import Final

from temporalio import activity, workflow

with workflow.unsafe.imports_passed_through():
    from workflows.follow_up import options
    from workflows.model.base import Model

FLOOR: Final = "OnboardingFloor"


class Stage(Model):
    """The parts of a stage that run, and who gets the news."""

    parts: tuple[str, ...] = ()
    news: tuple[str, ...] = ()


class OnboardingFloorInput(Model):
    """Input."""

    id: str
    stages: tuple[Stage, ...]
    targets: tuple[str, ...]


class Order(Model):
    """Start these, or tell these people this."""

    id: str
    what: str
    people: tuple[str, ...]


@activity.defn
async def begin(order: Order) -> bool:
    """Start parts."""
    return bool(order.people)


@activity.defn
async def say(order: Order) -> tuple[str, ...]:
    """Tell people."""
    return order.people


PROMPT: Final = (begin, say)


@workflow.defn(name=FLOOR)
class OnboardingFloor:
    """Stage by stage: start, wait, tell."""

    def __init__(self) -> None:
        self._ended_parts: set[str] = set()

    @workflow.run
    async def run(self, onboarding_input: OnboardingFloorInput) -> int:
        """The happy path, straight down."""
        for stage in onboarding_input.stages:
            if stage.parts:
                order = Order(id=onboarding_input.id, what="start", people=stage.parts)
                await workflow.execute_activity(begin, order, summary="start", **options.HAND_OFF)
            await workflow.wait_condition(partial(self._is_over, stage))
            if stage.news:
                await self._tell(onboarding_input, "news", stage.news)
        await self._tell(onboarding_input, "the end", onboarding_input.targets)
        return len(self._ended_parts)

    def _is_over(self, stage: Stage) -> bool:
        return self._ended_parts.issuperset(stage.parts)

    async def _tell(self, onboarding_input: OnboardingFloorInput, phase: str, people: tuple[str, ...]) -> None:
        order = Order(id=onboarding_input.id, what=phase, people=people)
        await workflow.execute_activity(say, order, summary="tell", **options.NOTIFY)

    @workflow.signal
    def ended(self, part: str) -> None:
        """A part has ended."""
        self._ended_parts.add(part)
