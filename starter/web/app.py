"""The web process: callbacks, and pages behind links, on one port. It can start before Temporal, and is then alive but
not ready.
"""

import asyncio
import json
import signal
from collections.abc import Callable
from contextlib import aclosing, nullcontext
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path
from typing import Final

import structlog
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import BaseRoute, Route
from temporalio.client import Client

from activities import metrics
from activities.core_signature.client import CALLBACKS, CoreSignatureClient
from activities.core_signature.signers import SignerSnapshots
from activities.http.rate_limit import RateLimiter
from activities.launch.doors import wall_clock
from activities.metrics import ExportingProcess
from activities.notifications.cloud_messaging import CloudMessaging
from activities.notifications.config import open_messaging
from activities.people.devices import Devices
from activities.people.subscriptions import WebSubscriptions, push_guard
from activities.reconciliation.callback_health import CallbackClockSkew
from activities.records.processes import ProcessRole
from activities.records.store import Store
from starter.boot import clients
from starter.boot.person_ids import wait_for_database
from starter.boot.probes import ProbeResult, ProcessHealth, answer_probes, watch
from starter.config import settings as needs
from starter.config.settings import Settings
from starter.queries import commands
from starter.telemetry import telemetry
from starter.temporal import connection as temporal
from starter.temporal import rates as pace
from starter.temporal.connection import Context
from starter.web.absences import AwayForms
from starter.web.acting.forms import FormGuard
from starter.web.acting.versions import Versions
from starter.web.api.api import Api
from starter.web.api.starting import StartIntake
from starter.web.desk.desk import make_desk
from starter.web.downloads import KeptFileAnswers, PersonalFiles, TargetDownloads
from starter.web.http.bodies import HEADERS
from starter.web.http.oidc import Issuer
from starter.web.http.serving import listening
from starter.web.intake.catalogue import KindCatalogue
from starter.web.intake.hooks import Hooks, HookSource, OnboardingStarter
from starter.web.pages.away import AwayPages
from starter.web.pages.devices import LinkDevices
from starter.web.pages.first_page import FirstPages
from starter.web.pages.identity import IdentityGate
from starter.web.pages.journey import Journeys
from starter.web.pages.pages import Pages
from starter.web.pages.visits import PagePeople, Visits
from starter.web.proofs import IdentityCookies
from starter.web.receivers import callbacks
from starter.web.receivers.codec import CodecServer
from starter.web.receivers.devices import DeviceReceiver
from starter.web.receivers.subscriptions import SubscriptionReceiver
from starter.web.rights import ReaderRoles
from starter.web.scim.endpoint import ScimEndpoint
from starter.web.screens.rendering import Brand
from starter.web.screens.view_reader import ViewReader
from starter.web.screens.web_app import WebApp
from workflows.kinds import referred
from workflows.model.commands import AnyCommand, KnownBy
from workflows.model.receipts import Receipt

NEEDS: Final = needs.OF_RECEIVER
PATH: Final = f"{CALLBACKS}{{segment}}"
_COMMAND_WITHIN: Final = timedelta(seconds=12)
"""A little longer than the SDK retries what Temporal does not admit."""
_HANDED_OVER_WITHIN: Final = timedelta(seconds=6)
"""The page waits; a reassignment takes several calls of Core Signature."""
_IDENTITY: Final = "countersign-webhook"
_LOGGER: Final = structlog.get_logger("countersign.webhook")


async def serve(settings: Settings, *, ready_file: Path | None = None) -> None:
    """Serve until SIGTERM or Ctrl-C; `settings` are complete for `NEEDS`. Once listening, `ready_file` has `{"url":
    …}`. Raises `Refusal`.
    """
    stop, health = _stop_signal(), ProcessHealth()
    async with answer_probes(settings.health_bind, health) as probes:
        if probes:
            _LOGGER.info("probed", address=probes)
        await _serve(settings, stop, health, ready_file)


def routes_of(
    settings: Settings,
    client: Client,
    store: Store,
    signatures: CoreSignatureClient,
    *,
    messaging: CloudMessaging | None = None,
    usable: Callable[[], bool] = lambda: True,
) -> list[BaseRoute]:
    """`messaging` sends codes to signers, `usable` says whether the database has been reached."""
    signals = callbacks.TemporalSignals(client)
    guard = FormGuard(clients.key_ring(settings), settings.link_base)
    people = clients.directory(settings, store)

    context, kinds = Context(client, store), KindCatalogue(settings.policies)
    send, look, snapshots = partial(carry_out, context, KnownBy.LINK), ViewReader(client, store), SignerSnapshots(store)
    at_desk = partial(carry_out, context, KnownBy.SIGN_IN)
    page_people = PagePeople(people, store, settings.company, settings.signature.from_email)
    brand = Brand.from_settings(settings.company, settings.company_logo, settings.contact)
    issuer_groups = store.desk_sessions if settings.oidc.signs_in else None
    roles = ReaderRoles(people, settings.operators, KindCatalogue(settings.policies), issuer_groups)
    links, answers = clients.links(settings), KeptFileAnswers(store)
    files = PersonalFiles(store, roles, answers)
    versions = Versions(store, settings.signature.max_upload_mb)
    subscriptions = WebSubscriptions(store)
    web_app = WebApp(brand, subscriptions)
    receiver_of_browsers = SubscriptionReceiver(subscriptions, push_guard(settings.push.web_hosts), store)
    visits = Visits(links, people, store, lambda: datetime.now(UTC))
    link_devices = LinkDevices(visits, guard, receiver_of_browsers, web_app, look)
    proofs = IdentityCookies(clients.key_ring(settings), settings.link_base)
    pages = Pages(
        links,
        people,
        store,
        signatures,
        guard,
        snapshots=snapshots,
        look=look,
        send=send,
        people=page_people,
        files=files,
        versions=versions,
        identity=IdentityGate(store, people, proofs, messaging, wall_clock),
        brand=brand,
        devices=link_devices,
        first_pages=FirstPages(store) if settings.preview == "on" else None,
    )
    away_pages = AwayPages(links, AwayForms(context, people, kinds), guard, brand)
    journeys = Journeys(links, people, store, guard, look=look, send=send, devices=link_devices, brand=brand)
    behind = callbacks.ClockBehind(partial(note_clock, store))
    receiver = callbacks.CallbackReceiver(rules_of(settings), settings.webhook.segment, signals, behind=behind)
    starts = StartIntake(settings, store, people)
    issuer = Issuer(settings.oidc) if settings.oidc.issuer else None
    desk = make_desk(
        settings,
        context,
        people,
        guard,
        at_desk,
        roles=roles,
        files=files,
        starts=starts,
        receiver=receiver_of_browsers,
        web_app=web_app,
        brand=brand,
        issuer=issuer,
    )
    hooks = Hooks(HookSource.all_of(settings), OnboardingStarter(settings, client, store, people))
    devices = DeviceReceiver(settings.devices_keys, Devices(store, in_file=people.has_device), people, store.app_pushes)
    codec = CodecServer(settings, people, issuer)
    downloads = TargetDownloads(clients.download_links(settings, store), answers)
    api = Api(settings, context, people, issuer, answers)
    parts = (
        api,
        pages,
        away_pages,
        journeys,
        link_devices,
        brand,
        web_app,
        desk,
        hooks,
        devices,
        codec,
        downloads,
    )
    pushed_people = ScimEndpoint(store, settings.webhook.url).routes() if settings.people_in_database else []
    routes = [route for part in parts for route in part.routes()]
    return [*receiver_routes(receiver, signals, usable), *pushed_people, *routes]


def rules_of(settings: Settings) -> callbacks.CallbackRules:
    """Which callbacks are accepted by these settings."""
    config = settings.webhook
    return callbacks.CallbackRules(
        config.secrets, config.max_age, unsigned=config.mode == "none", adopted=settings.adopt == "on"
    )


async def carry_out(
    context: Context, known_by: KnownBy, reference: str, command: AnyCommand, op: str, *, watched: bool = True
) -> Receipt:
    """The outcome of a page's command, in the time that people wait; the same for 30 days, as by the command."""
    kind, id = referred(reference)
    command = command.replace(known_by=known_by)
    wait = _HANDED_OVER_WITHIN if watched else timedelta()
    return await commands.make(context, id, command, op=op, kind=kind, time_limit=_COMMAND_WITHIN, wait=wait)


async def note_clock(store: Store, behind: timedelta, noticed_at: datetime) -> None:
    """Has the next reconciliation alert on-call."""
    sighting = CallbackClockSkew(behind=int(behind.total_seconds()), at=noticed_at)
    await store.notes.note_clock(sighting.model_dump_json().encode())


def receiver_routes(
    receiver: callbacks.CallbackReceiver, signals: callbacks.SignalPort, usable: Callable[[], bool] = lambda: True
) -> list[BaseRoute]:
    """The callback route, and probes: alive, and ready for callbacks; for this the database must have been reached once
    since the start.
    """

    async def ready(_: Request) -> Response:
        reason = (await _look(signals, usable)).unready
        return PlainTextResponse(reason or "ready", 503 if reason else 200, HEADERS)

    return [
        Route(PATH, receiver.answer, methods=["POST"]),
        Route("/healthz", _healthy),
        Route("/readyz", ready),
    ]


def make_app(routes: list[BaseRoute]) -> Starlette:
    """A trailing slash makes another path."""
    app = Starlette(routes=routes)
    app.router.redirect_slashes = False
    return app


async def _serve(settings: Settings, stop: asyncio.Event, health: ProcessHealth, ready_file: Path | None) -> None:
    with telemetry.started(settings.surroundings.otel, service=_IDENTITY, metrics=True) as process_telemetry:
        metrics.begin(process_telemetry.runtime.metric_meter, ExportingProcess.WEB)
        client = await temporal.connect(settings, identity=_IDENTITY, telemetry=process_telemetry, lazy=True)
        calls = RateLimiter(settings.signature.max_rps)
        signatures = CoreSignatureClient(clients.signature_config(settings), pace=calls)
        store, messaging = clients.store(settings), open_messaging(clients.messaging_config(settings))
        me = partial(clients.running, settings, ProcessRole.WEB, pace.new_identity(ProcessRole.WEB))
        keeping = pace.keep_share(client, store.processes, calls, settings.signature.max_rps, me)
        async with aclosing(signatures), aclosing(messaging) if messaging else nullcontext(), keeping:
            database = asyncio.create_task(wait_for_database(settings, store))
            routes = routes_of(settings, client, store, signatures, messaging=messaging, usable=database.done)
            look = partial(_look, callbacks.TemporalSignals(client), database.done)
            async with (
                listening(make_app(routes), settings.webhook.bind, proxies=settings.webhook.proxies) as url,
                watch(health, look) if settings.health_bind else nullcontext(),
            ):
                _announce(url, ready_file)
                await _wait_until(stop, database)
                health.drain()
                _LOGGER.info("closing")


async def _wait_until(stop: asyncio.Event, database: asyncio.Task[bool]) -> None:
    """Until told to stop; raises `SchemaMismatch` or `OtherIds` as soon as that is known."""
    stopped = asyncio.create_task(stop.wait())
    await asyncio.wait({stopped, database}, return_when=asyncio.FIRST_COMPLETED)
    if database.done():
        database.result()
    await stopped
    database.cancel()


async def _look(signals: callbacks.SignalPort, usable: Callable[[], bool]) -> ProbeResult:
    if not usable():
        return ProbeResult(unready="the database has not been reached yet")
    return ProbeResult(unready="" if await signals.reachable() else "temporal is not reachable")


async def _healthy(_: Request) -> Response:
    return PlainTextResponse("ok", headers=HEADERS)


def _stop_signal() -> asyncio.Event:
    stop = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    return stop


def _announce(url: str, ready_file: Path | None) -> None:
    if ready_file:
        # Renamed into place, so that whoever waits for the file never reads half of it.
        half = ready_file.with_name(f"{ready_file.name}.half")
        half.write_text(json.dumps({"url": url}))
        half.replace(ready_file)
    _LOGGER.info("listening", address=url)
