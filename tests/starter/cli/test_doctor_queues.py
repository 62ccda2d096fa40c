"""What `doctor` says of the task queues: in which order they are worked on, and what somebody has set at them."""

import pytest
from temporalio.api.enums.v1 import TaskQueueType
from temporalio.api.taskqueue.v1 import TaskQueueStats
from temporalio.api.workflowservice.v1 import UpdateTaskQueueConfigRequest
from temporalio.client import Client

from activities.temporal.interceptors import fairness_key, priority
from starter.cli.doctor.health import PartHealth, SetUpPart
from starter.cli.doctor.temporal import in_one_line, overrides, urgency
from tests.faults.town import eventually
from tests.servers import own_namespace, real_server
from tests.starter.temporal.test_rate import set_queue_limit
from workflows.names import SIGNATURE_QUEUE, WORKFLOW_QUEUE


def make_stats(add: float, dispatch: float, waiting: int = 0) -> TaskQueueStats:
    return TaskQueueStats(tasks_add_rate=add, tasks_dispatch_rate=dispatch, approximate_backlog_count=waiting)


@pytest.mark.parametrize(
    ("of_urgent", "one_line"),
    [
        (make_stats(1, 0), True),
        (make_stats(1, 0.95), False),
        (make_stats(1, 0, 9), False),
        (make_stats(1, 1), False),
        (make_stats(0, 0), False),
    ],
    ids=["came and stays, uncounted", "on its way", "waits as urgent", "went", "none"],
)
def test_urgent_work_that_came_and_stays_must_be_counted_as_waiting(of_urgent: TaskQueueStats, one_line: bool) -> None:
    assert in_one_line({1: of_urgent, 3: make_stats(1, 0, 9)}) is one_line


def test_urgent_work_that_was_dropped_on_its_way_stands_in_no_line() -> None:
    assert not in_one_line({1: make_stats(1, 0), 3: make_stats(1, 1)})


@pytest.mark.long
@pytest.mark.real_server
@pytest.mark.parametrize(
    ("flag", "state", "message"),
    [("true", PartHealth.OK, "6 urgent, 3 ordinary, 0 bulk wait"), ("false", PartHealth.WARNING, "wait in one queue")],
)
async def test_a_server_that_lets_nobody_go_first_is_named(flag: str, state: PartHealth, message: str) -> None:
    async with real_server("--dynamic-config-value", f"matching.useNewMatcher={flag}") as env:
        for number in range(9):
            await env.client.start_workflow(
                "Any", id=f"any-{number}", task_queue=WORKFLOW_QUEUE, priority=priority("any", urgent=number % 3 > 0)
            )

        async def find_part() -> SetUpPart | None:
            part = await urgency(env.client)
            return part if message in part.says else None

        assert (await eventually(find_part)).state is state


@pytest.mark.real_server
async def test_what_is_set_at_a_queue_is_told_with_its_reason(dev_server: str) -> None:
    key = fairness_key("conduct-2026")
    client = await own_namespace(dev_server)
    assert (await overrides(client)).says == "no rate or weight is set at them"
    await set_fairness_weight(client, key, 2.5)
    await set_queue_limit(client, 2)
    part = await overrides(client)
    assert part.state is PartHealth.OK
    assert part.says.split("; ") == [
        "countersign (activity): 4 a second for each fairness key (until Monday)",
        f"countersign (activity): fairness key {key} weighs 2.5",
        "countersign-core-signature (activity): 2 a second",
    ]
    await set_queue_limit(client, 0)
    assert (await overrides(client)).state is PartHealth.WRONG
    assert SIGNATURE_QUEUE in part.says


async def set_fairness_weight(client: Client, key: str, weight: float) -> None:
    """What `temporal task-queue config set --fairness-key-weight … --fairness-key-rps-limit-default …` does."""
    request = UpdateTaskQueueConfigRequest(
        namespace=client.namespace, task_queue=WORKFLOW_QUEUE, task_queue_type=TaskQueueType.TASK_QUEUE_TYPE_ACTIVITY
    )
    request.set_fairness_weight_overrides[key] = weight
    request.update_fairness_key_rate_limit_default.rate_limit.requests_per_second = 4
    request.update_fairness_key_rate_limit_default.reason = "until Monday"
    await client.workflow_service.update_task_queue_config(request)
