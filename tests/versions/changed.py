"""Other code under the same name: what a careless or a careful deploy would bring."""

from datetime import datetime
from typing import Any

from temporalio import workflow

with workflow.unsafe.imports_passed_through():
    from workflows.follow_up import options
    from workflows.follow_up.calls import Calls, Condition, Wake, Watch
    from workflows.follow_up.next_step import Step, Wait
    from workflows.follow_up.workflow import Steps
    from workflows.model.hand_off import SettledRequest
    from workflows.model.policy import Reminders
    from workflows.model.schedule import PlanningInput
    from workflows.model.signature import Observation
    from workflows.names import PLANNING, SIGNATURE_REQUEST
    from workflows.ports import SignatureService
    from workflows.signature.state import SignatureInput, SignatureState
    from workflows.signature.workflow import SignatureRequestWorkflow

ASK_TWICE = "ask-twice-before-the-end"


@workflow.defn(name=SIGNATURE_REQUEST)
class Unchanged(SignatureRequestWorkflow):
    """The control: a subclass alone breaks nothing."""

    @workflow.init
    def __init__(self, request: SignatureInput) -> None:
        super().__init__(request)

    @workflow.run
    async def run(self, request: SignatureInput) -> SettledRequest:
        return await super().run(request)


class RequestWithMore(SignatureInput):
    """A request as no history has it: what is newly required is missing in all of them."""

    more: str


@workflow.defn(name=SIGNATURE_REQUEST)
class ThatNeedsMore(Unchanged):
    """Reads nothing that was begun before it."""

    @workflow.init
    def __init__(self, request: RequestWithMore) -> None:
        super().__init__(request)

    @workflow.run
    async def run(self, request: RequestWithMore) -> SettledRequest:  # type: ignore[override]
        return await super().run(request)


@workflow.defn(name=SIGNATURE_REQUEST)
class WithOneMoreActivity(Unchanged):
    """Reads the document once more after it was sent."""

    @workflow.init
    def __init__(self, request: SignatureInput) -> None:
        super().__init__(request)

    @workflow.run
    async def run(self, request: SignatureInput) -> SettledRequest:
        return await super().run(request)

    async def follow_up(self, over: Condition = lambda: False) -> None:
        await self._look_again()
        await super().follow_up(over)

    async def _look_again(self) -> None:
        observation = Observation(roster=self.document.brief.roster, document=self.state.document.id or "")
        await self.calls.call(SignatureService.observe, observation, options.OBSERVE, "one call more")


@workflow.defn(name=SIGNATURE_REQUEST)
class WithOneMoreActivityBehindAPatch(WithOneMoreActivity):
    """The same, as it should be done."""

    @workflow.init
    def __init__(self, request: SignatureInput) -> None:
        super().__init__(request)

    @workflow.run
    async def run(self, request: SignatureInput) -> SettledRequest:
        return await super().run(request)

    async def _look_again(self) -> None:
        if workflow.patched(ASK_TWICE):
            await super()._look_again()


class _StepsWithoutATimer(Steps[SignatureState]):
    async def take(self, step: Step) -> None:
        await super().take(Wait(None) if isinstance(step, Wait) else step)


@workflow.defn(name=SIGNATURE_REQUEST)
class WithoutATimer(Unchanged):
    """Waits for news alone: nobody is reminded."""

    @workflow.init
    def __init__(self, request: SignatureInput) -> None:
        super().__init__(request)
        self.steps = _StepsWithoutATimer(self)

    @workflow.run
    async def run(self, request: SignatureInput) -> SettledRequest:
        return await super().run(request)


class _CallsOfHalfTheWait(Calls[SignatureState]):
    async def wait_until(
        self, deadline: datetime | None, summary: str, unless: Watch | None = None, *, midway: bool = False
    ) -> Wake:
        now = workflow.now()
        return await super().wait_until(deadline and now + (deadline - now) / 2, summary, unless, midway=midway)


@workflow.defn(name=SIGNATURE_REQUEST)
class WithHalfTheWait(Unchanged):
    """The same timers, of half their length."""

    @workflow.init
    def __init__(self, request: SignatureInput) -> None:
        super().__init__(request)
        self.calls = _CallsOfHalfTheWait(self)

    @workflow.run
    async def run(self, request: SignatureInput) -> SettledRequest:
        return await super().run(request)


@workflow.defn(name=SIGNATURE_REQUEST)
class WithHasteInItsInput(Unchanged):
    """The same calls, one with another input: reminders after 3 hours instead of 3 days."""

    @workflow.init
    def __init__(self, request: SignatureInput) -> None:
        super().__init__(request)

    @workflow.run
    async def run(self, request: SignatureInput) -> SettledRequest:
        return await super().run(request)

    @workflow.query(name=PLANNING)
    def planning(self) -> PlanningInput:
        planning = super().planning()
        return planning.replace(policy=planning.policy.replace(reminders=Reminders(first="3h", every="3h")))


class PlanningWithMore(PlanningInput):
    """What a planner is asked, with a field that no older worker knows."""

    more: str = "what is new"


@workflow.defn(name=SIGNATURE_REQUEST)
class WithMoreInItsQuestions(Unchanged):
    """The same calls, one with a field more: a change that needs no patch."""

    @workflow.init
    def __init__(self, request: SignatureInput) -> None:
        super().__init__(request)

    @workflow.run
    async def run(self, request: SignatureInput) -> SettledRequest:
        return await super().run(request)

    @workflow.query(name=PLANNING)
    def planning(self) -> PlanningInput:
        return PlanningWithMore(**dict(super().planning()))


@workflow.defn(name=SIGNATURE_REQUEST)
class WithAFaultAfterSending(Unchanged):
    """Fails each task once the document is made: an error of ours, not of the history."""

    @workflow.init
    def __init__(self, request: SignatureInput) -> None:
        super().__init__(request)

    @workflow.run
    async def run(self, request: SignatureInput) -> SettledRequest:
        return await super().run(request)

    async def follow_up(self, over: Condition = lambda: False) -> None:
        raise OverflowError("date value out of range")


WorkflowCode = type[Any]
