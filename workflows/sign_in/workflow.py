"""The sign-in workflow: send one link and code for the desk, or withdraw it once used."""

from collections.abc import Awaitable, Callable
from typing import TypeAlias

from temporalio import workflow

with workflow.unsafe.imports_passed_through():
    from temporalio.exceptions import ActivityError, is_cancelled_exception

    import workflows.follow_up.options as options
    from workflows.follow_up.options import CLOCKS_APART
    from workflows.model.notifications import SignInOrder, SignInReport
    from workflows.names import SIGN_IN
    from workflows.ports import SignInService

_Method: TypeAlias = Callable[[SignInService, SignInOrder], Awaitable[SignInReport]]


@workflow.defn(name=SIGN_IN)
class SignInWorkflow:
    """Its id contains the attempt, so that a second start finds it."""

    @workflow.run
    async def run(self, order: SignInOrder) -> SignInReport:
        """Send once; a person who is not reached asks again. For a used one only withdraw."""
        if order.used:
            return await self._ask(SignInService.withdraw, order, f"the used way in of {order.person} is taken back")
        # Not `start_time`: that is when a worker first took it.
        apart = workflow.info().workflow_start_time - order.at
        if abs(apart) > CLOCKS_APART:
            workflow.logger.error("the clock of a receiver is off", extra={"seconds": -int(apart.total_seconds())})
        return await self._ask(SignInService.send, order, f"a way in for {order.person}")

    async def _ask(self, method: _Method, order: SignInOrder, summary: str) -> SignInReport:
        try:
            return await workflow.execute_activity_method(
                method,
                order,
                summary=summary,
                # Passed explicitly: the activity's queue inherits the priority, but its info does not show it.
                priority=workflow.info().priority,
                **options.SIGN_IN,
            )
        except ActivityError as error:
            if is_cancelled_exception(error):
                raise
            workflow.logger.warning("%s: not done, %s", summary, error.cause)
            return SignInReport()
