"""One call of a Nexus operation: only a workflow can make one, and the hand-off is told how it went."""

from temporalio import workflow

with workflow.unsafe.imports_passed_through():
    from temporalio.workflow import NexusOperationCancellationType

    import workflows.follow_up.options as options
    from workflows.model.nexus import OperationOrder
    from workflows.names import NEXUS_CALL


@workflow.defn(name=NEXUS_CALL)
class NexusCallWorkflow:
    """Runs until the operation has begun, as a call over HTTP is over with its answer: weeks of it are its team's."""

    @workflow.run
    async def run(self, order: OperationOrder) -> None:
        """Call; what is refused, or taken by nobody in time, fails the run."""
        wanted = order.operation
        service = workflow.create_nexus_client(service=wanted.service, endpoint=wanted.endpoint)
        await service.start_operation(
            wanted.operation,
            order.told.model_dump(mode="json"),
            headers={"webhook-id": order.key},
            schedule_to_start_timeout=options.OPERATION_TAKEN_WITHIN,
            cancellation_type=NexusOperationCancellationType.ABANDON,
            summary=f"{wanted.service}.{wanted.operation}",
        )
