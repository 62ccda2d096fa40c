"""Checks of Temporal: server, namespace, search attributes, workers, current version."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Final

from temporalio.api.deployment.v1 import WorkerDeploymentInfo
from temporalio.api.enums.v1 import TaskQueueType
from temporalio.api.taskqueue.v1 import TaskQueue, TaskQueueConfig, TaskQueueStats
from temporalio.api.workflowservice.v1 import (
    DescribeNamespaceRequest,
    DescribeTaskQueueRequest,
    DescribeTaskQueueResponse,
    DescribeWorkerDeploymentRequest,
)
from temporalio.client import Client, WorkflowQueryFailedError
from temporalio.service import RPCError, RPCStatusCode

from activities.errors import StoreFailure
from activities.http.rate_limit import Urgency
from activities.records.processes import ProcessRole
from activities.records.store import Store
from activities.temporal import executions
from starter.cli.doctor.health import SetUpPart, doubtful, fine, wrong
from starter.cli.doctor.own import TRIED_WITHIN, limit_time
from starter.nexus import endpoint
from starter.temporal import pollers, rates, reconciliation, schedules
from starter.temporal import retention as daily
from starter.temporal.pollers import Pool
from starter.temporal.search_attributes import STUCK, missing_search_attributes
from workflows import names
from workflows.model.subject import Status

_QUEUES: Final = (
    *((queue, TaskQueueType.TASK_QUEUE_TYPE_WORKFLOW) for queue in names.WORKFLOW_QUEUES),
    *((queue, TaskQueueType.TASK_QUEUE_TYPE_ACTIVITY) for queue in names.QUEUES),
)
_SHOWS: Final = 0.1
"""Tasks a second added but not taken, three in the server's half minute: fewer may be on their way."""
_SEE: Final = "see docs/deploying.md, Priorities"
_ANSWERS_WITHIN: Final = timedelta(seconds=12)
"""More than the ten seconds that the server waits for a dead worker before it asks another."""
_NO_ANSWER: Final = (
    RPCStatusCode.CANCELLED,
    RPCStatusCode.DEADLINE_EXCEEDED,
    RPCStatusCode.FAILED_PRECONDITION,  # nobody has asked for work for some seconds
)
_RUNNING: Final = f"WorkflowType = '{names.SIGNATURE_REQUEST}' AND ExecutionStatus = 'Running'"
_BEGUN: Final = f"{names.STATUS.name} != '{Status.CONVERTING}' AND {names.STATUS.name} != '{Status.REVIEW}'"
_BUSY_FROM: Final = timedelta(seconds=30)
"""Waiting time of the first task from which a queue is busy."""


async def urgency(client: Client) -> SetUpPart:
    """Whether urgent work goes first. Servers do not report the flag; without it all that waits counts as ordinary."""
    try:
        answers = [await _described(client, *queue) for queue in _QUEUES]
    except RPCError as error:
        return doubtful("priorities", f"not known: {error.message}")
    counts = [answer.stats_by_priority_key for answer in answers]
    if not all(counts):
        return doubtful("priorities", f"this server has no priorities: first come, first served; {_SEE}")
    if any(in_one_line(of_queue) for of_queue in counts):
        return doubtful("priorities", f"all calls wait in one queue, whatever their priority: {_SEE}")
    waits = {urgency: sum(_waiting(of_queue, urgency) for of_queue in counts) for urgency in Urgency}
    return fine("priorities", ", ".join(f"{count} {level.name.lower()}" for level, count in waits.items()) + " wait")


@dataclass(frozen=True)
class Backlog:
    """A queue's waiting tasks: how many, since when, and how many are done a second."""

    queue: str
    waiting: int
    age: timedelta
    done_per_second: float

    @property
    def in_words(self) -> str:
        minutes = f"{self.age.total_seconds() / 60:.1f} minutes"
        rate = f"{self.done_per_second:.0f} a second are done"
        return f"{self.waiting:,} tasks wait in {self.queue}, the first for {minutes}, {rate}"


async def backlog(client: Client, queue: str) -> Backlog | None:
    """A queue's waiting workflow tasks; None if there are none, or the server does not report them."""
    try:
        answer = await _described(client, queue, TaskQueueType.TASK_QUEUE_TYPE_WORKFLOW)
    except RPCError:
        return None
    stats = answer.stats
    age = stats.approximate_backlog_age.ToTimedelta()
    waiting = stats.approximate_backlog_count
    return Backlog(queue, waiting, age, stats.tasks_dispatch_rate) if waiting else None


async def overrides(client: Client) -> SetUpPart:
    """Rates and weights set by `temporal task-queue config`, which our settings do not show."""
    try:
        answers = [(*queue, await _described(client, *queue)) for queue in _QUEUES]
    except RPCError as error:
        return doubtful("queues", f"their settings are not known: {error.message}")
    lines = [
        f"{queue} ({_name_type(type_)}): {override}"
        for queue, type_, answer in answers
        for override in overridden(answer.config)
    ]
    if not lines:
        return fine("queues", "no rate or weight is set at them")
    stopped = any(rate == 0 for *_, answer in answers for rate in _rates(answer.config))
    return (wrong if stopped else fine)("queues", "; ".join(lines))


def in_one_line(stats: Mapping[int, TaskQueueStats]) -> bool:
    """Whether urgent tasks were added but not taken while all that waits counts as ordinary. Dropped tasks were not
    taken either, but then nothing waits.
    """
    if not _waiting(stats, Urgency.ORDINARY):
        return False
    return any(
        of_one.tasks_add_rate - of_one.tasks_dispatch_rate >= _SHOWS and not of_one.approximate_backlog_count
        for urgency, of_one in stats.items()
        if urgency != Urgency.ORDINARY
    )


def overridden(config: TaskQueueConfig) -> Iterator[str]:
    """A queue's overrides in words, with their reasons."""
    limits = {
        "{:g} a second": config.queue_rate_limit,
        "{:g} a second for each fairness key": config.fairness_keys_rate_limit_default,
    }
    for template, limit in limits.items():
        if limit.HasField("rate_limit"):
            reason = f" ({limit.metadata.reason})" if limit.metadata.reason else ""
            yield template.format(limit.rate_limit.requests_per_second) + reason
    for key, weight in sorted(config.fairness_weight_overrides.items()):
        yield f"fairness key {key} weighs {weight:g}"


async def namespace(client: Client) -> SetUpPart:
    try:
        answer = await client.workflow_service.describe_namespace(DescribeNamespaceRequest(namespace=client.namespace))
    except RPCError as error:
        if error.status is RPCStatusCode.NOT_FOUND:
            return wrong("namespace", f"{client.namespace} does not exist: make it, or set TEMPORAL_NAMESPACE")
        return wrong("namespace", f"{client.namespace}: {error.message}")
    days = answer.config.workflow_execution_retention_ttl.ToTimedelta().days
    period = "1 day" if days == 1 else f"{days} days"
    return fine("namespace", f"{client.namespace}, keeps closed workflows for {period}; their records stay")


async def search_attributes(client: Client) -> SetUpPart:
    try:
        missing = await missing_search_attributes(client)
    except RPCError as error:
        return wrong("search attributes", error.message)
    if missing:
        return wrong("search attributes", f"{', '.join(missing)} missing: run `countersign init`")
    return fine("search attributes", "all are there")


async def sweeps(client: Client, now: datetime | None = None) -> SetUpPart:
    """Whether reconciliation is scheduled, and ran lately."""
    missing = "nothing looks for events that callbacks missed"
    part, run = await _examine_schedule(client, names.RECONCILIATION_SCHEDULE, reconciliation.EVERY, missing, now)
    corrected = await reconciliation.read_corrected(client, run) if run else 0
    remark = f" and told {corrected:,} requests of what callbacks had missed" if corrected else ""
    return part.replace(says=part.says + remark)


async def retention(client: Client, now: datetime | None = None) -> SetUpPart:
    """Whether what is due is removed each day, and was lately."""
    missing = "nothing erases what is due, and signed files stay after their retention"
    part, _ = await _examine_schedule(client, names.RETENTION_SCHEDULE, daily.EVERY, missing, now)
    return part


async def yearly_campaigns(client: Client, store: Store, *, seconds: float = TRIED_WITHIN) -> SetUpPart | None:
    """Whether each series in the store is scheduled; None if there is none."""
    part = "yearly campaigns"
    try:
        async with limit_time(seconds):
            series = await store.audiences.series()
            unscheduled_ids = [id for id in series if not await _is_scheduled(client, id)]
    except TimeoutError:
        return doubtful(part, "the store, or the server, is too slow to say whether each has its schedule")
    except (StoreFailure, RPCError) as failure:
        return doubtful(part, f"not known whether each has its schedule: {failure}")
    if unscheduled_ids:
        return doubtful(
            part,
            f"no schedule at Temporal, so it opens no more: {', '.join(unscheduled_ids)}; "
            "`countersign campaign schedule FILE` makes it again, "
            "and if it was ended, delete people/campaign-opening/*/<id> in the store",
        )
    return fine(part, f"{len(series)} of which something was given, each with its schedule") if series else None


async def nexus(client: Client, name: str) -> SetUpPart:
    try:
        nexus_endpoint = await endpoint.find_endpoint(client, name)
    except RPCError as error:
        return doubtful("nexus", f"not known whether endpoint {name} exists: {error.message}")
    if nexus_endpoint is None:
        return doubtful(
            "nexus", f"no endpoint {name}: run `countersign init`, if other teams are to ask for signatures"
        )
    if not endpoint.leads_here(client, nexus_endpoint):
        return doubtful("nexus", f"endpoint {name} leads to {endpoint.leads_to(nexus_endpoint)}, not here")
    return fine("nexus", f"other teams ask for signatures through endpoint {name}")


async def worker(client: Client, now: datetime | None = None) -> SetUpPart:
    earliest = (now or datetime.now(UTC)) - pollers.FRESH
    try:
        at_work = {queue: await pollers.asking(client, queue, earliest) for queue in names.QUEUES}
    except RPCError as error:
        return wrong("worker", error.message)
    if idle := [queue for queue in names.QUEUES if not at_work[queue]]:
        return wrong(
            "worker", f"no worker polls {', '.join(idle)}: start `{_worker_on(idle)}`; until then requests wait"
        )
    count = f"{len(set.union(*at_work.values()))} at work"
    silent = [
        workflow_id
        for workflow_id in [await _unanswered(client, queue) for queue in names.WORKFLOW_QUEUES]
        if workflow_id
    ]
    if silent:
        return wrong(
            "worker",
            f"asks for work and does not do it: {silent[0]} got no answer within {_ANSWERS_WITHIN.seconds} s; look "
            "into the worker's log, and start it again if it hangs",
        )
    backlogs = [await backlog(client, queue) for queue in names.WORKFLOW_QUEUES]
    if busy := [
        queue_backlog.in_words for queue_backlog in backlogs if queue_backlog and queue_backlog.age >= _BUSY_FROM
    ]:
        return doubtful("worker", f"{count}, and busy: {'; '.join(busy)}; start another one if that lasts")
    return fine("worker", count)


async def rate(client: Client, configured: float, store: Store) -> SetUpPart:
    """The rate of calls to Core Signature, its source, and who shares it."""
    try:
        record = await rates.read(client, configured)
    except RPCError as error:
        return doubtful("rate", f"not known: {error.message}; workers keep the last rate they read")
    source = "set at the queue" if record.set_live else "COUNTERSIGN_SIGNATURE_MAX_RPS"
    try:
        counts = await store.processes.count()
        pools = f"{_say_share(counts[ProcessRole.POOL], 'worker on other queues', 'workers on other queues')} a tenth, "
        tenths = "eight" if counts[ProcessRole.POOL] else "nine"
        workers = f"{_say_share(counts[ProcessRole.WORKER], 'worker')} {tenths} tenths"
        web = f"{_say_share(counts[ProcessRole.WEB], 'web process', 'web processes')} the rest"
        shared = f"{workers}, {pools if counts[ProcessRole.POOL] else ''}{web}"
    except StoreFailure as failure:
        shared = f"not known who shares it: {failure}"
    text = f"{record.rate:g} calls a second to Core Signature ({source}): {shared}"
    return fine("rate", text) if record.rate else wrong("rate", f"{text}; nothing is called until it is raised")


async def progress(client: Client) -> SetUpPart:
    """Whether a request is stuck by an error of ours: the server reports repeatedly failing tasks."""
    try:
        stuck = (await client.count_workflows(STUCK)).count
    except RPCError as error:
        return doubtful("progress", f"not known whether requests are stuck: {error.message}")
    if not stuck:
        return fine("progress", "no request is stuck")
    return wrong(
        "progress",
        f"{stuck} stuck, the others go on: the worker's log says why; list them in the Web UI with the query {STUCK}",
    )


async def version(client: Client, deployment: str, build_id: str) -> SetUpPart:
    """With Worker Versioning nothing runs before the version is current."""
    try:
        answer = await client.workflow_service.describe_worker_deployment(
            DescribeWorkerDeploymentRequest(namespace=client.namespace, deployment_name=deployment)
        )
    except RPCError as error:
        return wrong("version", f"deployment {deployment}: {error.message}; start a worker of it first")
    current = _current(answer.worker_deployment_info)
    if current == build_id:
        return fine("version", f"{build_id} is the current version of {deployment}")
    return wrong(
        "version",
        f"current is {current or 'no version'}, so nothing runs on {build_id}: temporal worker deployment "
        f"set-current-version --deployment-name {deployment} --build-id {build_id}",
    )


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


def _name_type(type_: TaskQueueType.ValueType) -> str:
    return TaskQueueType.Name(type_).removeprefix("TASK_QUEUE_TYPE_").lower()


async def _examine_schedule(
    client: Client, id: str, interval: timedelta, missing: str, now: datetime | None
) -> tuple[SetUpPart, str | None]:
    """With the workflow id of its last run, which may go on."""
    try:
        status = await schedules.read_status(client, id)
    except RPCError as error:
        return wrong(id, error.message), None
    if status is None:
        return wrong(id, f"{missing}: run `countersign init`"), None
    if status.paused:
        return doubtful(id, f"paused: temporal schedule toggle --unpause --schedule-id {id}"), None
    if status.last_at is None:
        return fine(id, f"the first run begins within {_in_words(interval)}"), None
    ago = (now or datetime.now(UTC)) - status.last_at
    summary = f"the last began {_in_words(ago)} ago"
    if status.last_run and await _has_broken_off(client, status.last_run):
        return doubtful(id, f"{summary} and failed: the Web UI says why; the next run continues from there"), None
    return (fine if ago < 3 * interval else doubtful)(id, summary), status.last_run


def _in_words(duration: timedelta) -> str:
    minutes = duration.total_seconds() / 60
    return f"{minutes:.0f} minutes" if minutes < 120 else f"{minutes / 60:.0f} hours"


async def _has_broken_off(client: Client, run: str) -> bool:
    try:
        return (await executions.described(client, run)).status.broken_off
    except RPCError:
        return False


async def _is_scheduled(client: Client, id: str) -> bool:
    try:
        await client.get_schedule_handle(id).describe()
    except RPCError as error:
        if error.status is not RPCStatusCode.NOT_FOUND:
            raise
        return False
    return True


def _worker_on(idle: list[str]) -> str:
    pools = [pool.label for pool in Pool if set(idle) & set(pool.queues)]
    return "countersign worker" if len(pools) == len(Pool) else f"countersign worker --queues {','.join(pools)}"


async def _unanswered(client: Client, queue: str) -> str | None:
    """The newest begun open workflow, if no worker answers its query: a hanging worker may still poll. One that has not
    begun may just wait; a query overtakes all that waits.
    """
    begun_workflow = await executions.newest(client, f"{_RUNNING} AND {_BEGUN} AND TaskQueue = '{queue}'")
    newest = begun_workflow or await executions.newest(client, f"{_RUNNING} AND TaskQueue = '{queue}'")
    if newest is None:
        return None
    try:
        await client.get_workflow_handle(newest.id).query(names.SHOW, rpc_timeout=_ANSWERS_WITHIN)
    except WorkflowQueryFailedError:
        return None  # A rejection comes from a worker.
    except RPCError as error:
        if error.status not in _NO_ANSWER:
            return None
        waits = None if begun_workflow else await backlog(client, queue)
        return None if waits and waits.done_per_second else newest.id
    return None


def _say_share(count: int, singular: str, several: str = "") -> str:
    return (
        f"{count} {several or f'{singular}s'} share"
        if count > 1
        else f"one {singular} has"
        if count
        else f"no {singular} has"
    )


def _current(deployment: WorkerDeploymentInfo) -> str:
    return deployment.routing_config.current_deployment_version.build_id
