"""The task queues: whether the server lets urgent work overtake what waits, and what somebody has set at them."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import Final

from temporalio.api.enums.v1 import TaskQueueType
from temporalio.api.taskqueue.v1 import TaskQueue, TaskQueueConfig, TaskQueueStats
from temporalio.api.workflowservice.v1 import DescribeTaskQueueRequest, DescribeTaskQueueResponse
from temporalio.client import Client
from temporalio.service import RPCError

from activities.http.pacing import Urgency
from starter.doctor.health import SetUpPart, doubtful, fine, wrong
from workflows.names import QUEUES, WORKFLOW_QUEUES

_QUEUES: Final = (
    *((queue, TaskQueueType.TASK_QUEUE_TYPE_WORKFLOW) for queue in WORKFLOW_QUEUES),
    *((queue, TaskQueueType.TASK_QUEUE_TYPE_ACTIVITY) for queue in QUEUES),
)
_SHOWS: Final = 0.1
"""Tasks a second that came and did not go, three in the server's half minute: fewer may be on their way."""
_SEE: Final = "see docs/deploying.md, Who comes first"


async def urgency(client: Client) -> SetUpPart:
    """Whether urgent work goes first. No server tells its flags; one without them counts all that waits as ordinary."""
    try:
        answers = [await _described(client, *queue) for queue in _QUEUES]
    except RPCError as error:
        return doubtful("urgency", f"the server does not say it: {error.message}")
    counts = [answer.stats_by_priority_key for answer in answers]
    if not all(counts):
        return doubtful("urgency", f"this server knows no urgency: what came first goes first; {_SEE}")
    if any(in_one_line(of_queue) for of_queue in counts):
        return doubtful("urgency", f"what waits stands in one line, whatever its urgency: {_SEE}")
    waits = {urgency: sum(_waiting(of_queue, urgency) for of_queue in counts) for urgency in Urgency}
    return fine("urgency", ", ".join(f"{count} {one.name.lower()}" for one, count in waits.items()) + " wait")


@dataclass(frozen=True)
class Backlog:
    """What waits in a queue for a worker: how much, since when the first of it, and how much is done a second."""

    queue: str
    waiting: int
    age: timedelta
    done: float

    @property
    def in_words(self) -> str:
        """The same as a sentence."""
        minutes = f"{self.age.total_seconds() / 60:.1f} minutes"
        return (
            f"{self.waiting:,} tasks wait in {self.queue}, the first for {minutes}, {self.done:.0f} a second are done"
        )


async def backlog(client: Client, queue: str) -> Backlog | None:
    """The workflow tasks that wait in a queue, None when none does, or the server does not say."""
    try:
        answer = await _described(client, queue, TaskQueueType.TASK_QUEUE_TYPE_WORKFLOW)
    except RPCError:
        return None
    stats = answer.stats
    age = stats.approximate_backlog_age.ToTimedelta()
    waiting = stats.approximate_backlog_count
    return Backlog(queue, waiting, age, stats.tasks_dispatch_rate) if waiting else None


async def overrides(client: Client) -> SetUpPart:
    """Rates and weights set by `temporal task-queue config`: nobody who looks into our settings would find them."""
    try:
        answers = [(*queue, await _described(client, *queue)) for queue in _QUEUES]
    except RPCError as error:
        return doubtful("queues", f"the server does not say what is set at them: {error.message}")
    found = [
        f"{queue} ({_word(type_)}): {one}" for queue, type_, answer in answers for one in overridden(answer.config)
    ]
    if not found:
        return fine("queues", "nothing is set at them")
    stopped = any(rate == 0 for *_, answer in answers for rate in _rates(answer.config))
    return (wrong if stopped else fine)("queues", "; ".join(found))


def in_one_line(stats: Mapping[int, TaskQueueStats]) -> bool:
    """Whether tasks of another urgency than the usual came and did not go, and what waits is all counted as the usual.

    Tasks that were dropped on their way (their workflow ended meanwhile) did not go either: then nothing waits.
    """
    if not _waiting(stats, Urgency.ORDINARY):
        return False
    return any(
        of_one.tasks_add_rate - of_one.tasks_dispatch_rate >= _SHOWS and not of_one.approximate_backlog_count
        for urgency, of_one in stats.items()
        if urgency != Urgency.ORDINARY
    )


def overridden(config: TaskQueueConfig) -> Iterator[str]:
    """What is set at a queue, each in words, with the reason that was given."""
    limits = {
        "{:g} a second": config.queue_rate_limit,
        "{:g} a second for each fairness key": config.fairness_keys_rate_limit_default,
    }
    for words, limit in limits.items():
        if limit.HasField("rate_limit"):
            reason = f" ({limit.metadata.reason})" if limit.metadata.reason else ""
            yield words.format(limit.rate_limit.requests_per_second) + reason
    for key, weight in sorted(config.fairness_weight_overrides.items()):
        yield f"fairness key {key} weighs {weight:g}"


async def _described(client: Client, queue: str, type_: TaskQueueType.ValueType) -> DescribeTaskQueueResponse:
    return await client.workflow_service.describe_task_queue(
        DescribeTaskQueueRequest(
            namespace=client.namespace,
            task_queue=TaskQueue(name=queue),
            task_queue_type=type_,
            report_stats=True,
            report_config=True,
        )
    )


def _waiting(stats: Mapping[int, TaskQueueStats], urgency: Urgency) -> int:
    return stats[urgency].approximate_backlog_count if urgency in stats else 0


def _rates(config: TaskQueueConfig) -> Iterator[float]:
    for limit in (config.queue_rate_limit, config.fairness_keys_rate_limit_default):
        if limit.HasField("rate_limit"):
            yield limit.rate_limit.requests_per_second


def _word(type_: TaskQueueType.ValueType) -> str:
    return TaskQueueType.Name(type_).removeprefix("TASK_QUEUE_TYPE_").lower()
