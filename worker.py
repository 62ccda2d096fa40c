"""Composition root: settings → clients → activities → workers. Drains on SIGTERM; no logic of its own."""

import argparse
import asyncio
import signal
from collections.abc import AsyncIterator, Sequence
from contextlib import AbstractAsyncContextManager, AsyncExitStack, asynccontextmanager
from datetime import timedelta
from pathlib import Path
from typing import Any, Final

import structlog
from pydantic import SecretStr
from temporalio.client import Client
from temporalio.common import VersioningBehavior, WorkerDeploymentVersion
from temporalio.worker import (
    FixedSizeSlotSupplier,
    PollerBehaviorAutoscaling,
    Worker,
    WorkerDeploymentConfig,
    WorkerTuner,
)

from activities.campaigns.service import People
from activities.campaigns.yearly import Years
from activities.core_signature.asked import Asked
from activities.core_signature.service import CoreSignatureService
from activities.handoff import Fanout
from activities.http.pacing import Pacer
from activities.on_call import OnCall
from activities.onboarding.service import Parts
from activities.pace import PacedSlots
from activities.planner import PolicyPlanner
from activities.push.limiter import DeviceLimiter
from activities.push.mail import SignerMail
from activities.push.service import Notices
from activities.reconciliation.adoption import Adoption
from activities.reconciliation.service import Sweep
from activities.reconciliation.silence import Alarm
from activities.sign_in.service import SignInMessages
from activities.store import StoreFailure
from starter import clients, exits, needs, pace, telemetry
from starter.clients import Clients
from starter.exits import Refusal
from starter.nexus.service import SignaturesHandler
from starter.search_attributes import missing_search_attributes
from starter.settings import Settings
from starter.startup import on_duty
from starter.temporal import connect_patiently
from starter.temporal_refusals import refusing
from workflows.names import (
    CAMPAIGN_QUEUE,
    QUEUES,
    SIGNATURE_QUEUE,
    SWEEP_QUEUE,
    URGENT_SIGNATURE_QUEUE,
    WORKFLOW_QUEUE,
)

NEEDS: Final = needs.OF_WORKER
GRACE: Final = timedelta(seconds=30)
"""How long running activities may take to finish after SIGTERM; cut short, the next worker would repeat them."""
MOST_AT_ONCE: Final = 100
"""Activities of ours that run at the same time: plans, notices, hand-offs."""
TASKS_AT_ONCE: Final = 20
"""Workflow tasks: a process computes them one after the other, and each has ten seconds from when it was taken. With
more in hand than that allows, all of them time out and are done again, and nothing ever gets done."""
WALKS_AT_ONCE: Final = 4
"""Walks over audiences: each keeps some dozens of starts in flight."""
SWEEPS_AT_ONCE: Final = 1
"""Parts of sweeps: one has a call waiting at most, and another would look at the same events."""
OPERATIONS_AT_ONCE: Final = 20
"""Nexus operations that are being started, looked at or cancelled; waiting for a signature takes no place."""
WALK_HEARD_EVERY: Final = timedelta(seconds=2)
"""So soon a walk hears that its campaign is to end."""

_LOGGER: Final = structlog.get_logger("countersign.worker")


class NotSetUp(Refusal):
    """The namespace lacks what every workflow task needs."""


def activities_of(
    open_clients: Clients,
    client: Client,
    policies: Path,
    *,
    oncall: str = "",
    company: str = "",
    secret: SecretStr | None = None,
    adopts: tuple[str, str] | None = None,
    silent_after: timedelta | None = None,
) -> dict[str, list[Any]]:
    """The activities of each task queue; notices may be asked for on both (workflows/follow_up/options.py).

    Documents that were sent by hand are followed up if `adopts` says as which kind, and who their requester is. Whoever
    is on call hears that callbacks stay away `silent_after` so long, if they are to come at all.
    """
    signature = CoreSignatureService(open_clients.signature, open_clients.directory, open_clients.store)
    limiter = DeviceLimiter()
    push = _notices(open_clients, signature, limiter, company)
    sign_in = SignInMessages(
        dialect=open_clients.push,
        directory=open_clients.directory,
        ways_in=open_clients.ways_in,
        messaging=open_clients.messaging,
        limiter=limiter,
    )
    planner = PolicyPlanner(open_clients.directory)
    parts = Parts(client, open_clients.store, open_clients.directory, policies)
    people = People(client, open_clients.store, open_clients.directory, push)
    years = Years(client, open_clients.store, open_clients.directory, policies, secret)
    ours = (planner, push, _hand_off(open_clients, client, push, policies, oncall), sign_in, parts)
    sweep = Sweep(
        open_clients.signature,
        client,
        open_clients.store,
        adoption=_adoption(open_clients, client, policies, *adopts) if adopts else None,
        alarm=Alarm(OnCall(push, oncall), silent_after) if oncall and silent_after else None,
    )
    return {
        WORKFLOW_QUEUE: [one for port in ours for one in port.activities()],
        CAMPAIGN_QUEUE: [*people.activities(), *years.activities()],
        SIGNATURE_QUEUE: [*signature.activities(), *push.activities()],
        SWEEP_QUEUE: sweep.activities(),
    }


def _hand_off(open_clients: Clients, client: Client, push: Notices, policies: Path, oncall: str) -> Fanout:
    return Fanout(
        push=push,
        downstream=open_clients.downstream,
        directory=open_clients.directory,
        temporal=client,
        store=open_clients.store,
        document_url=open_clients.signature.document_url,
        policies=policies,
        oncall=oncall,
    )


def _adoption(open_clients: Clients, client: Client, policies: Path, kind: str, requester: str) -> Adoption:
    return Adoption(
        signature=open_clients.signature,
        temporal=client,
        store=open_clients.store,
        directory=open_clients.directory,
        policies=policies,
        kind=kind,
        requester=requester,
    )


def _notices(open_clients: Clients, signature: CoreSignatureService, limiter: DeviceLimiter, company: str) -> Notices:
    return Notices(
        dialect=open_clients.push,
        directory=open_clients.directory,
        links=open_clients.links,
        read=signature.read,
        mail=SignerMail(open_clients.signature, open_clients.directory, Asked(open_clients.store)),
        store=open_clients.store,
        messaging=open_clients.messaging,
        company=company,
        limiter=limiter,
    )


def workers(
    client: Client, activities: dict[str, list[Any]], calls: Pacer, chosen: Settings, services: Sequence[Any] = ()
) -> tuple[Worker, ...]:
    """One for workflows, Nexus services and what is ours, one for walks over audiences; three that take no more than
    calls get turns, one of them what is urgent, another one sweep at a time."""
    common: dict[str, Any] = {
        "graceful_shutdown_timeout": GRACE,
        "activity_task_poller_behavior": PollerBehaviorAutoscaling(),
        **_versioning(chosen),
    }
    ours = Worker(
        client,
        task_queue=WORKFLOW_QUEUE,
        activities=activities[WORKFLOW_QUEUE],
        workflow_task_poller_behavior=PollerBehaviorAutoscaling(),
        max_concurrent_workflow_tasks=TASKS_AT_ONCE,
        max_concurrent_activities=MOST_AT_ONCE,
        nexus_service_handlers=services,
        max_concurrent_nexus_tasks=OPERATIONS_AT_ONCE,
        **common,
    )
    walks = Worker(
        client,
        task_queue=CAMPAIGN_QUEUE,
        activities=activities[CAMPAIGN_QUEUE],
        max_concurrent_activities=WALKS_AT_ONCE,
        max_heartbeat_throttle_interval=WALK_HEARD_EVERY,
        **common,
    )
    first = PacedSlots(calls)
    paced = {
        URGENT_SIGNATURE_QUEUE: (first, activities[SIGNATURE_QUEUE]),
        SIGNATURE_QUEUE: (PacedSlots(calls, first), activities[SIGNATURE_QUEUE]),
        SWEEP_QUEUE: (PacedSlots(calls, places=SWEEPS_AT_ONCE), activities[SWEEP_QUEUE]),
    }
    calling = [
        Worker(client, task_queue=queue, activities=asked, tuner=_taking(slots), **common)
        for queue, (slots, asked) in paced.items()
    ]
    return ours, walks, *calling


def _taking(activities: PacedSlots) -> WorkerTuner:
    unused = FixedSizeSlotSupplier(1)
    return WorkerTuner.create_composite(
        workflow_supplier=unused,
        activity_supplier=activities,
        local_activity_supplier=unused,
        nexus_supplier=unused,
    )


def _versioning(chosen: Settings) -> dict[str, Any]:
    if chosen.build_id is None:
        return {}
    return {
        "deployment_config": WorkerDeploymentConfig(
            version=WorkerDeploymentVersion(chosen.deployment_name, chosen.build_id),
            use_worker_versioning=True,
            default_versioning_behavior=VersioningBehavior.AUTO_UPGRADE,
        )
    }


async def run(chosen: Settings, ready_file: Path | None) -> None:
    """Work until SIGTERM or Ctrl-C; a server that is not there yet is waited for."""
    stop = asyncio.Event()
    for one in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(one, stop.set)
    async with _working(chosen, stop) as working:
        if working:
            _LOGGER.info("ready", queues=list(QUEUES), build_id=chosen.build_id)
            if ready_file:
                await asyncio.to_thread(ready_file.write_text, "ready\n")
            await stop.wait()
            _LOGGER.info("draining", grace_seconds=GRACE.total_seconds())


@asynccontextmanager
async def _working(chosen: Settings, stop: asyncio.Event) -> AsyncIterator[bool]:
    """All workers running; False when `stop` was set before a server was there."""
    async with AsyncExitStack() as open_things:
        told = open_things.enter_context(
            telemetry.started(chosen.around.otel, service="countersign-worker", metrics=True)
        )
        client = await _unless(stop, connect_patiently(chosen, identity=pace.identity_of_worker(), telemetry=told))
        if client is None:
            yield False
            return
        with refusing(client.namespace):
            missing = await missing_search_attributes(client)
        if missing:
            raise NotSetUp(f"search attributes are missing: {', '.join(missing)}; make them with `countersign init`")
        open_clients = await open_things.enter_async_context(clients.opened(chosen))
        await open_things.enter_async_context(_paced(client, open_clients.pace, chosen))
        asked = activities_of(
            open_clients,
            client,
            chosen.policies,
            oncall=chosen.oncall,
            company=chosen.company,
            secret=chosen.link_secret,
            silent_after=chosen.webhook.silent_after if chosen.webhook.url else None,
            adopts=(chosen.adopt_kind, chosen.adopt_requester) if chosen.adopt == "on" else None,
        )
        signatures = SignaturesHandler(client, open_clients.store, open_clients.directory, chosen.policies)
        all_of_them = workers(client, asked, open_clients.pace, chosen, [signatures])
        await open_things.enter_async_context(at_work(all_of_them))
        yield True


def _paced(client: Client, calls: Pacer, chosen: Settings) -> AbstractAsyncContextManager[None]:
    return pace.kept(client, calls, chosen.signature.max_rps, lambda record: record.of_worker(client.identity))


@asynccontextmanager
async def at_work(them: Sequence[Worker]) -> AsyncIterator[None]:
    """All of these polling; at the end they drain together, within one grace."""
    async with AsyncExitStack() as polling:
        for worker in them:
            await polling.enter_async_context(worker)
        # Left one after the other, the first would take new work while the last drains, and each its own grace.
        polling.push_async_callback(_shut_down, them)
        yield


async def _shut_down(them: Sequence[Worker]) -> None:
    await asyncio.gather(*(worker.shutdown() for worker in them))


async def _unless(stop: asyncio.Event, connecting: Any) -> Client | None:
    connected, stopped = asyncio.ensure_future(connecting), asyncio.ensure_future(stop.wait())
    await asyncio.wait({connected, stopped}, return_when=asyncio.FIRST_COMPLETED)
    stopped.cancel()
    if connected.done():
        return connected.result()  # type: ignore[no-any-return]
    connected.cancel()
    return None


def main() -> None:
    """`python worker.py`, the same as `countersign worker`."""
    words = argparse.ArgumentParser(description="Works on signature requests until it is told to stop.")
    words.add_argument("--ready-file", type=Path, help="written once the worker polls for tasks")
    words.add_argument("--json", action="store_true", help="log in JSON on a terminal, too")
    given = words.parse_args()
    asyncio.run(run(on_duty(*NEEDS, json=given.json), given.ready_file))


if __name__ == "__main__":
    exits.run(main, refusals=lambda: (StoreFailure,), service=True)
