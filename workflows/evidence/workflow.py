"""The day of evidence: what is due to be erased or removed, then a root over all records written since the last one
(docs/evidence.md).
"""

from typing import Final

from temporalio import workflow
from temporalio.common import Priority

with workflow.unsafe.imports_passed_through():
    import workflows.follow_up.options as options
    from workflows.model.daily_evidence import DailyEvidence, DailyEvidenceResult
    from workflows.names import BULK, DAILY_EVIDENCE
    from workflows.ports import DailyRoots

_PRIORITY: Final = Priority(priority_key=BULK)


@workflow.defn(name=DAILY_EVIDENCE)
class DailyEvidenceWorkflow:
    """One activity; the database knows what was done."""

    @workflow.run
    async def run(self, asked: DailyEvidence) -> DailyEvidenceResult:
        """Fails when the database is away for so long; nothing is lost by that."""
        result = await workflow.execute_activity_method(
            DailyRoots.run_day,
            asked.replace(now=workflow.now()),
            summary="erase what is due, and make the root of the day",
            priority=_PRIORITY,
            **options.DAY,
        )
        workflow.set_current_details(result.details)
        return result
