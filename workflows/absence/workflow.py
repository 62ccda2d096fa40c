"""The absence workflow: open follow-ups hear that somebody is away, or back, and plan anew."""

from temporalio import workflow

with workflow.unsafe.imports_passed_through():
    import workflows.follow_up.options as options
    from workflows.model.absence import SEEN_WITHIN, AbsenceOrder, AbsenceReport
    from workflows.names import ABSENCE_TOLD
    from workflows.ports import AbsenceNewsService


@workflow.defn(name=ABSENCE_TOLD)
class AbsenceWorkflow:
    """Its id contains the change, so that a second start finds it."""

    @workflow.run
    async def run(self, order: AbsenceOrder) -> AbsenceReport:
        """Wait until each process knows of the change, then tell; after a day the sweep begins it once more."""
        await workflow.sleep(SEEN_WITHIN, summary="until every process knows of it")
        return await workflow.execute_activity_method(
            AbsenceNewsService.tell, order, summary="tell open follow-ups", **options.ABSENCE
        )
