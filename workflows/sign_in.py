"""One way in to the desk for one person. While it runs nobody can have another one sent to them."""

from collections.abc import Awaitable, Callable
from datetime import timedelta
from typing import TypeAlias

from temporalio import workflow

with workflow.unsafe.imports_passed_through():
    from temporalio.exceptions import ActivityError, is_cancelled_exception

    import workflows.follow_up.options as options
    from workflows.model.sign_in import ONE_MESSAGE_EVERY, SignInOrder, SignInReport
    from workflows.names import SIGN_IN
    from workflows.ports import SignInService

_Method: TypeAlias = Callable[[SignInService, SignInOrder], Awaitable[SignInReport]]


@workflow.defn(name=SIGN_IN)
class SignInWorkflow:
    """Sends it, and runs until the next one may be sent: its id has the person, so a second start finds this one."""

    @workflow.run
    async def run(self, order: SignInOrder) -> SignInReport:
        """Send once; somebody who cannot be reached asks again. Of a used one only the notice is taken back."""
        if order.used:
            return await self._ask(SignInService.withdraw, order, f"the used way in of {order.person} is taken back")
        report = await self._ask(SignInService.send, order, f"a way in for {order.person}")
        await self._rest(order.at + ONE_MESSAGE_EVERY - workflow.now())
        return report

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

    async def _rest(self, span: timedelta) -> None:
        if span <= timedelta():
            return
        try:
            await workflow.wait_condition(lambda: False, timeout=span, timeout_summary="until the next may be sent")
        except TimeoutError:
            return
