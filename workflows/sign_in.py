"""One way in to the desk for one person: sent, or taken off their screens once it is used."""

from collections.abc import Awaitable, Callable
from typing import TypeAlias

from temporalio import workflow

with workflow.unsafe.imports_passed_through():
    from temporalio.exceptions import ActivityError, is_cancelled_exception

    import workflows.follow_up.options as options
    from workflows.model.sign_in import SignInOrder, SignInReport
    from workflows.names import SIGN_IN
    from workflows.ports import SignInService

_Method: TypeAlias = Callable[[SignInService, SignInOrder], Awaitable[SignInReport]]


@workflow.defn(name=SIGN_IN)
class SignInWorkflow:
    """Sends it once: its id has the ask, so a second start finds this one."""

    @workflow.run
    async def run(self, order: SignInOrder) -> SignInReport:
        """Send once; somebody who cannot be reached asks again. Of a used one only the notice is taken back."""
        if order.used:
            return await self._ask(SignInService.withdraw, order, f"the used way in of {order.person} is taken back")
        return await self._ask(SignInService.send, order, f"a way in for {order.person}")

    async def _ask(self, method: _Method, order: SignInOrder, summary: str) -> SignInReport:
        try:
            return await workflow.execute_activity_method(
                method,
                order,
                summary=summary,
                # Passed on explicitly: an activity inherits it in the server's queue, but is not told of it.
                priority=workflow.info().priority,
                **options.SIGN_IN,
            )
        except ActivityError as error:
            if is_cancelled_exception(error):
                raise
            workflow.logger.warning("%s: not done, %s", summary, error.cause)
            return SignInReport()
