"""Retention: each day the workflow removes what is due (docs/evidence.md)."""

from typing import Final

from temporalio import workflow
from temporalio.common import Priority

with workflow.unsafe.imports_passed_through():
    import workflows.follow_up.options as options
    from workflows.model.retention import RetentionOrder, RetentionResult
    from workflows.names import BULK, RETENTION
    from workflows.ports import RetentionService

_PRIORITY: Final = Priority(priority_key=BULK)


@workflow.defn(name=RETENTION)
class RetentionWorkflow:
    """One activity; the database knows what is due."""

    @workflow.run
    async def run(self, order: RetentionOrder) -> RetentionResult:
        """Fails if the database does not answer for 20 hours; the next day removes what was left."""
        result = await workflow.execute_activity_method(
            RetentionService.apply,
            order.replace(now=workflow.now()),
            summary="remove what is due",
            priority=_PRIORITY,
            **options.DAY,
        )
        workflow.set_current_details(result.details)
        return result
