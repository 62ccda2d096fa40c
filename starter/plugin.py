"""What everybody who runs or replays our workflows must have alike, as one plugin of Temporal's.

`Client.connect(..., plugins=[CountersignPlugin(keys)])` is all that another application needs: workers made from that
client have the heartbeats and tell calls how urgent they are, and the one of our workflow queue has the workflows; a
`Replayer` takes it as well.
"""

from collections.abc import Sequence
from typing import Any

from temporalio.client import Interceptor as ClientInterceptor
from temporalio.plugin import SimplePlugin
from temporalio.worker import Interceptor as WorkerInterceptor
from temporalio.worker import ReplayerConfig, WorkerConfig

from activities.interceptors import HeartbeatInterceptor, PaceInterceptor
from starter.codec import data_converter
from starter.setting_values import PayloadKey
from workflows.names import WORKFLOW_QUEUE


def workflows() -> tuple[type[Any], ...]:
    """The workflows of Countersign; imported only here, for a command needs none of them."""
    from workflows.campaign.opening import CampaignOpeningWorkflow  # noqa: PLC0415
    from workflows.campaign.workflow import AcknowledgementCampaignWorkflow  # noqa: PLC0415
    from workflows.hand_off.workflow import HandOffWorkflow  # noqa: PLC0415
    from workflows.nexus_call import NexusCallWorkflow  # noqa: PLC0415
    from workflows.onboarding.workflow import CustomerOnboardingWorkflow  # noqa: PLC0415
    from workflows.reconciliation import ReconciliationWorkflow  # noqa: PLC0415
    from workflows.sign_in import SignInWorkflow  # noqa: PLC0415
    from workflows.signature.workflow import SignatureRequestWorkflow  # noqa: PLC0415
    from workflows.task.workflow import TaskWorkflow  # noqa: PLC0415

    return (
        SignatureRequestWorkflow,
        TaskWorkflow,
        CustomerOnboardingWorkflow,
        AcknowledgementCampaignWorkflow,
        CampaignOpeningWorkflow,
        SignInWorkflow,
        NexusCallWorkflow,
        ReconciliationWorkflow,
        HandOffWorkflow,
    )


class CountersignPlugin(SimplePlugin):
    """Our data converter under these keys, our interceptors and the given ones, our workflows on their queue."""

    def __init__(
        self, keys: Sequence[PayloadKey] = (), *, interceptors: Sequence[ClientInterceptor | WorkerInterceptor] = ()
    ) -> None:
        ours = (HeartbeatInterceptor(), PaceInterceptor())
        super().__init__("countersign", data_converter=data_converter(keys), interceptors=[*ours, *interceptors])

    def configure_worker(self, config: WorkerConfig) -> WorkerConfig:
        """See `SimplePlugin`; other queues have activities only."""
        configured = super().configure_worker(config)
        if configured.get("task_queue") == WORKFLOW_QUEUE:
            configured["workflows"] = [*configured.get("workflows", ()), *workflows()]
        return configured

    def configure_replayer(self, config: ReplayerConfig) -> ReplayerConfig:
        """See `SimplePlugin`."""
        configured = super().configure_replayer(config)
        configured["workflows"] = [*configured.get("workflows", ()), *workflows()]
        return configured
