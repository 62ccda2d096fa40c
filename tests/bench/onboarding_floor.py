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


class Joined(Model):
    """Input."""

    id: str
    stages: tuple[Stage, ...]
    targets: tuple[str, ...]


class Order(Model):
    """Start these, or tell these people this."""

    id: str
    what: str
    whom: tuple[str, ...]


@activity.defn
async def begin(order: Order) -> bool:
    """Start parts."""
    return bool(order.whom)


@activity.defn
async def say(order: Order) -> tuple[str, ...]:
    """Tell people."""
    return order.whom


PROMPT: Final = (begin, say)


@workflow.defn(name=FLOOR)
class OnboardingFloor:
    """Stage by stage: start, wait, tell."""

    def __init__(self) -> None:
        self._ended: set[str] = set()

    @workflow.run
    async def run(self, given: Joined) -> int:
        """The happy path, straight down."""
        for stage in given.stages:
            if stage.parts:
                order = Order(id=given.id, what="start", whom=stage.parts)
                await workflow.execute_activity(begin, order, summary="start", **options.HAND_OFF)
            await workflow.wait_condition(partial(self._over, stage))
            if stage.news:
                await self._tell(given, "news", stage.news)
        await self._tell(given, "the end", given.targets)
        return len(self._ended)

    def _over(self, stage: Stage) -> bool:
        return self._ended.issuperset(stage.parts)

    async def _tell(self, given: Joined, what: str, whom: tuple[str, ...]) -> None:
        order = Order(id=given.id, what=what, whom=whom)
        await workflow.execute_activity(say, order, summary="tell", **options.NOTIFY)

    @workflow.signal
    def ended(self, part: str) -> None:
        """A part has ended."""
        self._ended.add(part)
