"""The reconciliation workflow: Core Signature's events against what callbacks delivered (docs/runbook.md)."""

from typing import Final

from temporalio import workflow
from temporalio.common import Priority

with workflow.unsafe.imports_passed_through():
    import workflows.follow_up.options as options
    from workflows.model.reconciliation import Reconciliation, ReconciliationOrder, ReconciliationResult
    from workflows.names import BULK, RECONCILIATION, SHOW
    from workflows.ports import EventReconciliation

_PRIORITY: Final = Priority(priority_key=BULK)
"""Behind anything a person waits for; it has its own queue."""


@workflow.defn(name=RECONCILIATION)
class ReconciliationWorkflow:
    """Reads Core Signature's events part by part, and signals requests what they missed.

    The position is in the store, so that a later run continues after a failure.
    """

    @workflow.init
    def __init__(self, request: Reconciliation) -> None:
        self._swept = ReconciliationResult()

    @workflow.run
    async def run(self, request: Reconciliation) -> ReconciliationResult:
        """Read until all events are read, at most so many parts; fails when Core Signature does not answer."""
        for number in range(1, request.parts + 1):
            part = await workflow.execute_activity_method(
                EventReconciliation.reconcile,
                ReconciliationOrder(now=workflow.now()),
                summary=f"events, part {number}",
                priority=_PRIORITY,
                **options.SWEEP,
            )
            self._swept = self._swept.followed_by(part)
            workflow.set_current_details(self._swept.details)
            if part.over:
                break
        return self._swept

    @workflow.query(name=SHOW, description="How far it has come, and what it has mended")
    def show(self) -> ReconciliationResult:
        return self._swept
