"""What a replay does not tell by itself: that the code failed in the last task, which nobody has completed yet.

The Replayer compares with what is recorded. Of a task that never got done there is nothing to compare with, so its
failure ends as if all was well; on the server the same task would be repeated for ever.
"""

from dataclasses import dataclass, field
from typing import Any

from temporalio.bridge.proto.workflow_activation import WorkflowActivation
from temporalio.bridge.proto.workflow_completion import WorkflowActivationCompletion
from temporalio.worker import WorkflowInstance, WorkflowInstanceDetails
from temporalio.worker.workflow_sandbox import SandboxedWorkflowRunner
from temporalio.workflow import Info


class TaskFailed(Exception):
    """The code failed a workflow task; type and message of what it raised."""


@dataclass(frozen=True)
class NotingRunner(SandboxedWorkflowRunner):
    """Runs workflows as a worker does, and notes by run id which one failed a task."""

    failed: dict[str, TaskFailed] = field(default_factory=dict)

    def create_instance(self, det: WorkflowInstanceDetails) -> WorkflowInstance:
        """The sandboxed instance, watched."""
        return _Watched(super().create_instance(det), self.failed)


class _Watched(WorkflowInstance):
    def __init__(self, inner: WorkflowInstance, failed: dict[str, TaskFailed]) -> None:
        self._inner = inner
        self._failed = failed

    def activate(self, act: WorkflowActivation) -> WorkflowActivationCompletion:
        completion = self._inner.activate(act)
        if completion.HasField("failed"):
            failure = completion.failed.failure
            self._failed[act.run_id] = TaskFailed(f"{failure.application_failure_info.type}: {failure.message}")
        return completion

    def get_serialization_context(self, command_info: Any) -> Any:
        return self._inner.get_serialization_context(command_info)

    def get_external_store_context(self, command_info: Any) -> Any:
        return self._inner.get_external_store_context(command_info)

    def get_info(self) -> Info:
        return self._inner.get_info()

    def get_thread_id(self) -> int | None:
        return self._inner.get_thread_id()
