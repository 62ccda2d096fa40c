"""Composition root: settings → clients → activities → workers. Drains on SIGTERM; no logic of its own."""

from starter.boot import processes

if __name__ == "__main__":
    processes.begin_imports()  # `exits.run` takes signals that come during the imports.

import argparse
import asyncio
import signal
from collections.abc import AsyncIterator, Coroutine, Mapping, Sequence
from contextlib import AbstractAsyncContextManager, AsyncExitStack, asynccontextmanager
from datetime import timedelta
from functools import partial
from pathlib import Path
from typing import Any, Final, TypeVar

import structlog
from temporalio.client import Client
from temporalio.worker import Worker

from activities import metrics
from activities.absence.service import AbsenceNewsTeller
from activities.campaign.service import CampaignPeopleService
from activities.campaign.yearly import CampaignYearsService
from activities.core_signature.service import CoreSignatureService
from activities.core_signature.signers import SignerSnapshots
from activities.errors import StoreFailure
from activities.evidence.service import EvidenceKeeper
from activities.files.reading import FileFaults
from activities.hand_off.service import HandOffService
from activities.launch.launch import forget_refused
from activities.metrics import ExportingProcess
from activities.notifications.alerts import OnCallAlerts
from activities.notifications.budget import NotificationBudgets
from activities.notifications.phones import DeviceLimiter
from activities.notifications.service import NotificationService
from activities.notifications.sign_in import SignInMessages
from activities.notifications.signer_mail import SignerMail
from activities.onboarding.service import OnboardingPartsService
from activities.policies.catalogue import Catalogue
from activities.reconciliation import figures
from activities.reconciliation.adoption import Adoption
from activities.reconciliation.adoption_rules import AdoptionConfig
from activities.reconciliation.callback_health import CallbackAlarm
from activities.reconciliation.figures import FigureCounter
from activities.reconciliation.service import ReconciliationService
from activities.records.processes import ProcessRole
from activities.retention.service import DailyRetention
from activities.schedule.planner import PolicyPlanner
from activities.temporal.clock import ClockSkewInterceptor, make_moved_clock_check
from activities.temporal.interceptors import PacedSlots
from starter.boot import clients, exits, processes
from starter.boot.clients import Clients
from starter.boot.person_ids import wait_for_database
from starter.boot.probes import ProbeResult, ProcessHealth, answer_probes, watch
from starter.boot.startup import load_service_settings
from starter.config import settings as needs
from starter.config.settings import Settings
from starter.errors import Refusal
from starter.nexus.service import SignaturesHandler
from starter.telemetry import telemetry
from starter.temporal import pollers
from starter.temporal import rates as pace
from starter.temporal.connection import connect_patiently, refusing
from starter.temporal.pollers import Pool
from starter.temporal.search_attributes import missing_search_attributes
from starter.temporal.workers import GRACE, checking_open_workflows, find_stopped, make_slots, make_workers, polling
from workflows.names import BATCH_QUEUE, CAMPAIGN_QUEUE, EVIDENCE_QUEUE, SIGNATURE_QUEUE, SWEEP_QUEUE, WORKFLOW_QUEUE

R = TypeVar("R")
NEEDED_SETTINGS: Final = needs.OF_WORKER
_LOGGER: Final = structlog.get_logger("countersign.worker")


class NotSetUp(Refusal):
    """The namespace lacks what every workflow task needs."""


def compose_activities(settings: Settings, open_clients: Clients, client: Client) -> dict[str, list[Any]]:
    """The activities of each task queue, by the settings."""
    return make_activities(
        open_clients,
        client,
        settings.policies,
        oncall=settings.oncall,
        company=settings.company,
        notices=(settings.notices.most, settings.notices.per),
        silent_after=settings.webhook.silent_after if settings.webhook.url else None,
        adopts=clients.adoption_config(settings),
    )


def make_activities(
    open_clients: Clients,
    client: Client,
    policies: Path,
    *,
    oncall: str = "",
    company: str = "",
    notices: tuple[int, str] = (0, "1h"),
    adopts: AdoptionConfig | None = None,
    silent_after: timedelta | None = None,
) -> dict[str, list[Any]]:
    """The activities of each task queue (workflows/follow_up/options.py). `adopts` are the rules for documents
    sent by hand, `notices` the budget of each person; `silent_after` the silence of callbacks that alerts on-call.
    """
    signature = CoreSignatureService(
        open_clients.signature, open_clients.directory, open_clients.store, open_clients.passwords
    )
    limiter = DeviceLimiter()
    budgets = NotificationBudgets(open_clients.store, *notices)
    push = _make_notifications(open_clients, signature, limiter, budgets, company=company, oncall=oncall)
    sign_in = _make_sign_in_messages(open_clients, limiter)
    planner = PolicyPlanner(open_clients.directory)
    parts = OnboardingPartsService(client, open_clients.store, open_clients.directory, policies)
    people = CampaignPeopleService(client, open_clients.store, open_clients.directory, push)
    years = CampaignYearsService(client, open_clients.store, open_clients.directory, policies)
    follow_up = (planner, push, _make_hand_off(open_clients, client, push, policies, oncall))
    store, directory = open_clients.store, open_clients.directory
    evidence = EvidenceKeeper(signature.reader, open_clients.downloads, store, directory, client)
    sweep = ReconciliationService(
        open_clients.signature,
        client,
        open_clients.store,
        adoption=_make_adoption(open_clients, client, policies, adopts) if adopts else None,
        alarm=CallbackAlarm(OnCallAlerts(push, oncall) if oncall else None, silent_after) if silent_after else None,
        figures=FigureCounter(
            client, open_clients.store, partial(_read_kinds, policies), OnCallAlerts(push, oncall) if oncall else None
        ),
    )
    retention = DailyRetention(store, directory, partial(forget_refused, client, store))
    absences = AbsenceNewsTeller(client, open_clients.store)
    return {
        WORKFLOW_QUEUE: [
            activity for port in (*follow_up, sign_in, parts, retention, absences) for activity in port.activities()
        ],
        CAMPAIGN_QUEUE: [activity for port in follow_up for activity in port.activities()],
        BATCH_QUEUE: [*people.activities(), *years.activities()],
        SIGNATURE_QUEUE: [*signature.activities(), *push.activities()],
        SWEEP_QUEUE: sweep.activities(),
        EVIDENCE_QUEUE: evidence.activities(),
    }


async def run(settings: Settings, ready_file: Path | None, pools: Sequence[Pool]) -> None:
    """Work until SIGTERM or Ctrl-C; waits for the server."""
    stop = asyncio.Event()
    for signal_number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(signal_number, stop.set)
    health = ProcessHealth()
    async with (
        answer_probes(settings.health_bind, health) as probes,
        run_workers(settings, stop, pools, health) as ready,
    ):
        if ready:
            _LOGGER.info("ready", queues=pollers.queues_of(pools), build_id=settings.build_id, probes=probes or None)
            if ready_file:
                await asyncio.to_thread(ready_file.write_text, "ready\n")
            await stop.wait()
            health.drain()
            _LOGGER.info("draining", grace_seconds=GRACE.total_seconds())


@asynccontextmanager
async def run_workers(
    settings: Settings, stop: asyncio.Event, pools: Sequence[Pool] = tuple(Pool), health: ProcessHealth | None = None
) -> AsyncIterator[bool]:
    """The workers of these pools running, and looked at for `health`; False if `stop` was set before."""
    role = ProcessRole.WORKER if Pool.CORE_SIGNATURE in pools else ProcessRole.POOL
    async with AsyncExitStack() as stack:
        process_telemetry = stack.enter_context(
            telemetry.started(settings.surroundings.otel, service="countersign-worker", metrics=True)
        )
        metrics.begin(process_telemetry.runtime.metric_meter, ExportingProcess.WORKER, _read_kinds(settings.policies))
        client = await _run_unless_stopped(
            stop, connect_patiently(settings, identity=pace.new_identity(role), telemetry=process_telemetry)
        )
        if client is None:
            yield False
            return
        with refusing(client.namespace):
            missing = await missing_search_attributes(client)
        if missing:
            raise NotSetUp(f"search attributes are missing: {', '.join(missing)}; make them with `countersign init`")
        open_clients = await stack.enter_async_context(clients.opened(settings))
        if not await _run_unless_stopped(stop, wait_for_database(settings, open_clients.store)):
            yield False
            return
        await stack.enter_async_context(figures.exported(open_clients.store))
        await stack.enter_async_context(_keep_rate_share(client, open_clients, settings, role))
        activities = compose_activities(settings, open_clients, client)
        catalogue = partial(clients.catalogue, settings)
        signatures = SignaturesHandler(client, open_clients.store, open_clients.directory, catalogue)
        clock = ClockSkewInterceptor(client.identity, open_clients.store, make_moved_clock_check(client))
        slots = make_slots(open_clients.pace)
        temporal_workers = make_workers(
            client, activities, slots, settings, [signatures], pools=pools, interceptors=[clock]
        )
        await stack.enter_async_context(polling(temporal_workers))
        stack.enter_context(checking_open_workflows(client, pools))
        if settings.build_id is None:  # A version is listed once it is current, which only a ready worker's is.
            await pollers.until_listed(client, client.identity, pools)
        if health and settings.health_bind:
            check = partial(_check_workers, temporal_workers, slots, pollers.LastPolls(client))
            await stack.enter_async_context(watch(health, check))
        yield True


def main() -> None:
    """`python worker.py`, the same as `countersign worker`."""
    parser = argparse.ArgumentParser(description="Works on signature requests until it is told to stop.")
    parser.add_argument("--ready-file", type=Path, help="written once the worker polls for tasks")
    parser.add_argument("--json", action="store_true", help="log in JSON on a terminal, too")
    parser.add_argument("--queues", type=_parse_pools, default=tuple(Pool), help="those it works on; default: all")
    options = parser.parse_args()
    processes.load_kinds()
    processes.end_imports()
    asyncio.run(run(load_service_settings(*NEEDED_SETTINGS, json=options.json), options.ready_file, options.queues))


def _read_kinds(policies: Path) -> tuple[str, ...]:
    """Those of the catalogue; none while it is faulty."""
    try:
        return Catalogue.read(policies).kinds
    except FileFaults:
        return ()


def _make_sign_in_messages(open_clients: Clients, limiter: DeviceLimiter) -> SignInMessages:
    return SignInMessages(
        dialect=open_clients.push,
        web=open_clients.web_push,
        directory=open_clients.directory,
        sign_in_links=open_clients.sign_in_links,
        store=open_clients.store,
        messaging=open_clients.messaging,
        limiter=limiter,
    )


def _make_hand_off(
    open_clients: Clients, client: Client, push: NotificationService, policies: Path, oncall: str
) -> HandOffService:
    return HandOffService(
        push=push,
        downstream=open_clients.downstream,
        directory=open_clients.directory,
        temporal=client,
        store=open_clients.store,
        document_url=open_clients.signature.document_url,
        policies=policies,
        links=open_clients.download_links,
        archives=open_clients.archives,
        oncall=oncall,
    )


def _make_adoption(open_clients: Clients, client: Client, policies: Path, config: AdoptionConfig) -> Adoption:
    return Adoption(
        signature=open_clients.signature,
        temporal=client,
        store=open_clients.store,
        directory=open_clients.directory,
        policies=policies,
        config=config,
    )


def _make_notifications(
    open_clients: Clients,
    signature: CoreSignatureService,
    limiter: DeviceLimiter,
    budgets: NotificationBudgets,
    *,
    company: str,
    oncall: str,
) -> NotificationService:
    return NotificationService(
        dialect=open_clients.push,
        web=open_clients.web_push,
        directory=open_clients.directory,
        links=open_clients.links,
        read=signature.read,
        mail=SignerMail(open_clients.signature, open_clients.directory, SignerSnapshots(open_clients.store)),
        store=open_clients.store,
        messaging=open_clients.messaging,
        company=company,
        oncall=oncall,
        limiter=limiter,
        budgets=budgets,
    )


def _keep_rate_share(
    client: Client, open_clients: Clients, settings: Settings, role: ProcessRole
) -> AbstractAsyncContextManager[None]:
    me = partial(clients.running, settings, role, client.identity)
    return pace.keep_share(client, open_clients.store.processes, open_clients.pace, settings.signature.max_rps, me)


async def _check_workers(
    temporal_workers: Sequence[Worker], slots: Mapping[str, PacedSlots], sightings: pollers.LastPolls
) -> ProbeResult:
    return ProbeResult(stopped=await find_stopped(temporal_workers, slots, sightings))


async def _run_unless_stopped(stop: asyncio.Event, connecting: Coroutine[Any, Any, R]) -> R | None:
    connected, stopped = asyncio.ensure_future(connecting), asyncio.ensure_future(stop.wait())
    await asyncio.wait({connected, stopped}, return_when=asyncio.FIRST_COMPLETED)
    stopped.cancel()
    if connected.done():
        return connected.result()
    connected.cancel()
    return None


def _parse_pools(names: str) -> tuple[Pool, ...]:
    try:
        return pollers.pools_of(names)
    except ValueError as fault:
        raise argparse.ArgumentTypeError(str(fault)) from fault


if __name__ == "__main__":
    exits.run(main, refusals=lambda: (StoreFailure,), service=True)
