"""The floor of a task: the smallest honest workflow that asks the same of the world, in small words."""

from datetime import timedelta
from typing import Final

from temporalio import workflow

with workflow.unsafe.imports_passed_through():
    from tests.bench.floor import Ending, Telling, hand_off, plan, tell
    from workflows.follow_up import options

FLOOR: Final = "TaskFloor"
PEOPLE: Final = ("operations-desk", "deputy-desk")


@workflow.defn(name=FLOOR)
class TaskFloor:
    """Plan, ask, remind at each planned instant, wait until somebody says that it is done, tell everyone."""

    def __init__(self) -> None:
        self._doer: str | None = None

    @workflow.run
    async def run(self, id: str) -> str:
        """The happy path, straight down."""
        dates = await workflow.execute_local_activity(
            plan, workflow.now(), summary="plan the next steps", **options.PLAN_LOCALLY
        )
        for number, due_at in enumerate((workflow.now(), *dates.reminders)):
            if number:
                await workflow.sleep(max(due_at - workflow.now(), timedelta()), summary=f"reminder-{number}")
            telling = Telling(id=id, title="Create the account", stage=str(number), people=PEOPLE, due=dates.due)
            await workflow.execute_activity(tell, telling, summary="tell", **options.NOTIFY)
        timeout = dates.escalation - workflow.now()
        await workflow.wait_condition(lambda: self._doer is not None, timeout=timeout, timeout_summary="escalation")
        ending = Ending(
            id=id, title="Create the account", sha256="", at=workflow.now(), signed=(), record=(), targets=PEOPLE
        )
        await workflow.execute_activity(hand_off, ending, summary="tell everyone", **options.HAND_OFF)
        return self._doer or ""

    @workflow.update
    def done(self, doer: str) -> str:
        """Somebody has done it."""
        self._doer = doer
        return doer
