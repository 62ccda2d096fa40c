"""A Temporal plugin with everything that clients, workers and replayers of our workflows share. Another application
needs only `Client.connect(..., plugins=[CountersignPlugin(keys)])`.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

from temporalio.client import Interceptor as ClientInterceptor
from temporalio.converter import StorageDriverStoreContext
from temporalio.plugin import SimplePlugin
from temporalio.worker import Interceptor as WorkerInterceptor
from temporalio.worker import (
    ReplayerConfig,
    WorkerConfig,
    WorkflowInstance,
    WorkflowInstanceDetails,
    WorkflowRunner,
)
from temporalio.worker.workflow_sandbox import SandboxedWorkflowRunner, SandboxRestrictions

from activities.temporal.interceptors import HeartbeatInterceptor, PaceInterceptor
from starter.config.values import PayloadKey
from starter.temporal.codec import data_converter
from workflows.names import WORKFLOW_QUEUES

FURTHER: Final[list[type[Any]]] = []
"""The workflows of further kinds, each added by its kind's own module."""
_OURS: Final = "workflows"
"""Its modules are not imported anew for each run, which took 4 ms; a test reads their source for what the sandbox would
refuse.
"""
_RESTRICTIONS: Final = SandboxRestrictions.default.with_passthrough_modules(_OURS)


def workflows() -> tuple[type[Any], ...]:
    """Imported here only, since commands need none of them."""
    from workflows.absence.workflow import AbsenceWorkflow  # noqa: PLC0415
    from workflows.bulk_notice.workflow import BulkNoticeWorkflow  # noqa: PLC0415
    from workflows.campaign.opening import CampaignOpeningWorkflow  # noqa: PLC0415
    from workflows.campaign.workflow import AcknowledgementCampaignWorkflow  # noqa: PLC0415
    from workflows.hand_off.workflow import HandOffWorkflow, NexusCallWorkflow  # noqa: PLC0415
    from workflows.onboarding.workflow import CustomerOnboardingWorkflow  # noqa: PLC0415
    from workflows.reconciliation.workflow import ReconciliationWorkflow  # noqa: PLC0415
    from workflows.retention.workflow import RetentionWorkflow  # noqa: PLC0415
    from workflows.sign_in.workflow import SignInWorkflow  # noqa: PLC0415
    from workflows.signature.workflow import SignatureRequestWorkflow  # noqa: PLC0415
    from workflows.task.workflow import TaskWorkflow  # noqa: PLC0415

    return (
        SignatureRequestWorkflow,
        TaskWorkflow,
        CustomerOnboardingWorkflow,
        AcknowledgementCampaignWorkflow,
        CampaignOpeningWorkflow,
        SignInWorkflow,
        BulkNoticeWorkflow,
        AbsenceWorkflow,
        NexusCallWorkflow,
        ReconciliationWorkflow,
        RetentionWorkflow,
        HandOffWorkflow,
        *FURTHER,
    )


@dataclass(frozen=True)
class TaskSandbox(SandboxedWorkflowRunner):
    """The SDK's sandbox, entered only for the tasks of a run: the SDK also enters it for each payload, which took a
    tenth of a worker's time.
    """

    restrictions: SandboxRestrictions = _RESTRICTIONS

    def create_instance(self, det: WorkflowInstanceDetails) -> WorkflowInstance:
        run, nobody = super().create_instance(det), StorageDriverStoreContext(target=None)
        run.get_serialization_context = lambda command_info: None  # type: ignore[method-assign]
        run.get_external_store_context = lambda command_info: nobody  # type: ignore[method-assign]
        return run


class CountersignPlugin(SimplePlugin):
    """Our data converter under these keys, our and the given interceptors, our workflows on their queues."""

    def __init__(
        self, keys: Sequence[PayloadKey] = (), *, interceptors: Sequence[ClientInterceptor | WorkerInterceptor] = ()
    ) -> None:
        standard = (HeartbeatInterceptor(), PaceInterceptor())
        super().__init__(
            "countersign",
            data_converter=data_converter(keys),
            interceptors=[*standard, *interceptors],
            workflow_runner=_for_tasks,
        )

    def configure_worker(self, config: WorkerConfig) -> WorkerConfig:
        """Queues other than ours for workflows have activities only."""
        configured = super().configure_worker(config)
        if configured.get("task_queue") in WORKFLOW_QUEUES:
            configured["workflows"] = [*configured.get("workflows", ()), *workflows()]
        return configured

    def configure_replayer(self, config: ReplayerConfig) -> ReplayerConfig:
        configured = super().configure_replayer(config)
        configured["workflows"] = [*configured.get("workflows", ()), *workflows()]
        return configured


def _for_tasks(runner: WorkflowRunner | None) -> WorkflowRunner:
    """Replaces the SDK's own sandbox, with its restrictions; other runners stay."""
    if runner is None:
        return TaskSandbox()
    if type(runner) is SandboxedWorkflowRunner:
        return TaskSandbox(runner.restrictions.with_passthrough_modules(_OURS))
    return runner
