"""One way in to the desk for one person. While it runs nobody can have another one sent to them."""

from datetime import timedelta

from temporalio import workflow

with workflow.unsafe.imports_passed_through():
    from temporalio.exceptions import ActivityError, is_cancelled_exception

    import workflows.follow_up.options as options
    from workflows.model.sign_in import ONE_MESSAGE_EVERY, SignInOrder, SignInReport
    from workflows.names import SIGN_IN
    from workflows.ports import SignInService


@workflow.defn(name=SIGN_IN)
class SignInWorkflow:
    """Sends it, and runs until the next one may be sent: its id has the person, so a second start finds this one."""

    @workflow.run
    async def run(self, order: SignInOrder) -> SignInReport:
        """Send once; somebody who cannot be reached asks again."""
        report = await self._send(order)
        await self._rest(order.at + ONE_MESSAGE_EVERY - workflow.now())
        return report

    async def _send(self, order: SignInOrder) -> SignInReport:
        try:
            return await workflow.execute_activity_method(
                SignInService.send,
                order,
                summary=f"a way in for {order.person}",
                # Passed on explicitly: an activity inherits it in the server's queue, but is not told of it.
                priority=workflow.info().priority,
                **options.SIGN_IN,
            )
        except ActivityError as error:
            if is_cancelled_exception(error):
                raise
            workflow.logger.warning("nobody could be told how to sign in: %s", error.cause)
            return SignInReport()

    async def _rest(self, span: timedelta) -> None:
        if span <= timedelta():
            return
        try:
            await workflow.wait_condition(lambda: False, timeout=span, timeout_summary="until the next may be sent")
        except TimeoutError:
            return
