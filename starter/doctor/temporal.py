"""The Temporal side: server, namespace, search attributes, somebody to do the work, and the version that is current."""

from datetime import UTC, datetime, timedelta
from typing import Final

from temporalio.api.deployment.v1 import WorkerDeploymentInfo
from temporalio.api.workflowservice.v1 import (
    DescribeNamespaceRequest,
    DescribeWorkerDeploymentRequest,
)
from temporalio.client import Client, WorkflowQueryFailedError
from temporalio.service import RPCError, RPCStatusCode

from activities import runs
from activities.store.failures import StoreFailure
from activities.store.store import Store
from starter import pace, pollers, reconciling
from starter.doctor import queues
from starter.doctor.health import SetUpPart, doubtful, fine, wrong
from starter.doctor.own import TRIED_WITHIN, within
from starter.nexus import endpoint
from starter.search_attributes import STUCK, missing_search_attributes
from workflows.model.subject import Status
from workflows.names import RECONCILIATION_SCHEDULE, SHOW, SIGNATURE_REQUEST, STATUS, WORKFLOW_QUEUES

_ANSWERS_WITHIN: Final = timedelta(seconds=12)
"""Longer than the ten seconds for which the server keeps a question for a dead worker; then another one gets it."""
_NO_ANSWER: Final = (
    RPCStatusCode.CANCELLED,
    RPCStatusCode.DEADLINE_EXCEEDED,
    RPCStatusCode.FAILED_PRECONDITION,  # nobody has asked for work for some seconds
)
_RUNNING: Final = f"WorkflowType = '{SIGNATURE_REQUEST}' AND ExecutionStatus = 'Running'"
_BEGUN: Final = f"{STATUS.name} != '{Status.CONVERTING}'"
_BUSY_FROM: Final = timedelta(seconds=30)
"""So long the first of what waits has waited."""


async def namespace(client: Client) -> SetUpPart:
    """Whether the namespace is there, and how long it remembers closed requests."""
    try:
        answer = await client.workflow_service.describe_namespace(DescribeNamespaceRequest(namespace=client.namespace))
    except RPCError as error:
        if error.status is RPCStatusCode.NOT_FOUND:
            return wrong("namespace", f"{client.namespace} does not exist: make it, or set TEMPORAL_NAMESPACE")
        return wrong("namespace", f"{client.namespace}: {error.message}")
    days = answer.config.workflow_execution_retention_ttl.ToTimedelta().days
    kept = "1 day" if days == 1 else f"{days} days"
    return fine("namespace", f"{client.namespace}, remembers closed requests for {kept}; their records stay")


async def search_attributes(client: Client) -> SetUpPart:
    """Whether every search attribute is there."""
    try:
        missing = await missing_search_attributes(client)
    except RPCError as error:
        return wrong("search attributes", error.message)
    if missing:
        return wrong("search attributes", f"{', '.join(missing)} missing: run `countersign init`")
    return fine("search attributes", "all there")


async def sweeps(client: Client, now: datetime | None = None) -> SetUpPart:
    """Whether what callbacks have missed is looked for, and was lately."""
    try:
        found = await reconciling.standing(client)
    except RPCError as error:
        return wrong("sweeps", error.message)
    if found is None:
        return wrong("sweeps", "nobody looks for events that callbacks have missed: run `countersign init`")
    if found.paused:
        return doubtful("sweeps", f"paused: temporal schedule toggle --unpause --schedule-id {RECONCILIATION_SCHEDULE}")
    if found.last is None:
        return fine("sweeps", f"the first begins within {reconciling.EVERY.seconds // 60} minutes")
    ago = (now or datetime.now(UTC)) - found.last
    minutes = f"the last began {ago.total_seconds() / 60:.0f} minutes ago"
    if found.failed:
        return doubtful("sweeps", f"{minutes} and was given up: the Web UI says why; the next one goes on from there")
    if found.told:
        minutes += f" and told {found.told:,} requests of what callbacks had missed"
    return fine("sweeps", minutes) if ago < 3 * reconciling.EVERY else doubtful("sweeps", minutes)


async def yearly_campaigns(client: Client, store_url: str, *, seconds: float = TRIED_WITHIN) -> SetUpPart | None:
    """Whether each series of which the store has something opens again; None where there is none."""
    part = "yearly campaigns"
    try:
        async with within(seconds):
            series = await Store(store_url).series()
            gone = [id for id in series if not await _is_scheduled(client, id)]
    except TimeoutError:
        return doubtful(part, "the store, or the server, is too slow to say whether each has its schedule")
    except (StoreFailure, RPCError) as failure:
        return doubtful(part, f"nobody knows whether each has its schedule: {failure}")
    if gone:
        return doubtful(
            part,
            f"no schedule at Temporal, so it opens no more: {', '.join(gone)}; `countersign campaign schedule FILE` "
            "makes it again, and if it was ended, delete people/campaign-opening/*/<id> in the store",
        )
    return fine(part, f"{len(series)} of which something was given, each with its schedule") if series else None


async def _is_scheduled(client: Client, id: str) -> bool:
    try:
        await client.get_schedule_handle(id).describe()
    except RPCError as error:
        if error.status is not RPCStatusCode.NOT_FOUND:
            raise
        return False
    return True


async def nexus(client: Client, name: str) -> SetUpPart:
    """Whether workflows of other teams can ask for signatures; nobody else needs it."""
    try:
        there = await endpoint.found(client, name)
    except RPCError as error:
        return doubtful("nexus", f"the server does not say whether there is an endpoint {name}: {error.message}")
    if there is None:
        return doubtful(
            "nexus", f"no endpoint {name}: run `countersign init`, if other teams are to ask for signatures"
        )
    if not endpoint.leads_here(client, there):
        return doubtful("nexus", f"endpoint {name} leads to {endpoint.leads_to(there)}, not here")
    return fine("nexus", f"other teams ask for signatures through endpoint {name}")


async def worker(client: Client, now: datetime | None = None) -> SetUpPart:
    """Whether anybody works on each queue: until then what is in it waits, nothing is lost."""
    since = (now or datetime.now(UTC)) - pollers.FRESH
    try:
        at_work = [await pollers.asking(client, queue, type_, since) for queue, type_ in pollers.OF_A_WORKER]
    except RPCError as error:
        return wrong("worker", error.message)
    if not all(at_work):
        idle = ", ".join(queue for (queue, _), workers in zip(pollers.OF_A_WORKER, at_work, strict=True) if not workers)
        return wrong("worker", f"nobody works on {idle}: start `countersign worker`; until then requests wait")
    count = f"{len(set.union(*at_work))} at work"
    silent = [one for one in [await _unanswered(client, queue) for queue in WORKFLOW_QUEUES] if one]
    if silent:
        return wrong(
            "worker",
            f"asks for work and does not do it: {silent[0]} got no answer within {_ANSWERS_WITHIN.seconds} s; look "
            "into the worker's log, and start it again if it hangs",
        )
    backlogs = [await queues.backlog(client, queue) for queue in WORKFLOW_QUEUES]
    if busy := [one.in_words for one in backlogs if one and one.age >= _BUSY_FROM]:
        return doubtful("worker", f"{count}, and busy: {'; '.join(busy)}; start another one if that lasts")
    return fine("worker", count)


async def _unanswered(client: Client, queue: str) -> str | None:
    """The newest open workflow that was begun when nobody answers for it: a worker that hangs may still ask for tasks.

    What was not begun yet may just wait for its turn; a question overtakes all that waits, of whatever has begun.
    """
    begun = await runs.newest(client, f"{_RUNNING} AND {_BEGUN} AND TaskQueue = '{queue}'")
    newest = begun or await runs.newest(client, f"{_RUNNING} AND TaskQueue = '{queue}'")
    if newest is None:
        return None
    try:
        await client.get_workflow_handle(newest.id).query(SHOW, rpc_timeout=_ANSWERS_WITHIN)
    except WorkflowQueryFailedError:
        return None  # Whoever says no is there.
    except RPCError as error:
        if error.status not in _NO_ANSWER:
            return None
        waits = None if begun else await queues.backlog(client, queue)
        return None if waits and waits.done else newest.id
    return None


async def rate(client: Client, configured: float) -> SetUpPart:
    """How many calls Core Signature gets in a second: who says so, and who shares them."""
    try:
        record = await pace.read(client, configured)
    except RPCError as error:
        return doubtful("pace", f"the server does not say it: {error.message}; workers go on at what they last knew")
    says = "set at the queue" if record.set_live else "COUNTERSIGN_SIGNATURE_MAX_RPS"
    shared = f"{len(record.workers)} workers share" if len(record.workers) > 1 else "one worker has"
    text = f"{record.rate:g} calls a second to Core Signature ({says}): {shared} nine tenths, the receiver the rest"
    return fine("pace", text) if record.rate else wrong("pace", f"{text}; nothing is called before it is raised")


async def progress(client: Client) -> SetUpPart:
    """Whether any request is stuck on a fault of ours: the server notes tasks that fail time after time."""
    try:
        stuck = (await client.count_workflows(STUCK)).count
    except RPCError as error:
        return doubtful("progress", f"this server does not say whether requests are stuck: {error.message}")
    if not stuck:
        return fine("progress", "no request is stuck")
    return wrong(
        "progress",
        f"{stuck} stuck, the others go on: the worker's log says why; list them in the Web UI with the query {STUCK}",
    )


async def version(client: Client, deployment: str, build_id: str) -> SetUpPart:
    """With Worker Versioning nothing runs before the version has been made current."""
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


def _current(deployment: WorkerDeploymentInfo) -> str:
    return deployment.routing_config.current_deployment_version.build_id
