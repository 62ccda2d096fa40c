"""All checks, run in parallel: a failing one hides none of the others. Targets of the catalogue are checked apart:
systems by a signed ping, others by a look-up. Of a URL, which may be a secret, only the host is shown.
"""

import asyncio
from collections.abc import AsyncIterator, Iterable
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from functools import partial
from typing import Final
from urllib.parse import urlsplit

from rich.text import Text
from temporalio.api.enums.v1 import TaskQueueType
from temporalio.api.taskqueue.v1 import TaskQueue
from temporalio.api.workflowservice.v1 import DescribeTaskQueueRequest
from temporalio.client import Client
from temporalio.service import RPCError

from activities.core_signature.client import CoreSignatureClient
from activities.errors import StoreFailure
from activities.files.reading import FileFaults
from activities.hand_off.http_call import HttpTargets, send_ping
from activities.hand_off.people import too_many
from activities.http.client import make_client
from activities.notifications.config import open_dialect, open_messaging
from activities.people.directory import Directory, DirectoryFailure
from activities.policies.catalogue import Catalogue
from activities.temporal import executions as runs
from starter.boot import clients
from starter.cli.doctor import own, temporal
from starter.cli.doctor.health import Examination, PartHealth, SetUpPart, doubtful, fine, looked, wrong
from starter.cli.doctor.own import COUNTED_WITHIN, limit_time
from starter.cli.terminal import Rows
from starter.config.settings import OF_RECEIVER, OF_WORKER, Need, Settings, SettingsError
from starter.errors import Refusal
from starter.nexus import endpoint
from starter.queries.targets import targets_of
from starter.temporal.connection import connected
from starter.temporal.search_attributes import SetUp
from workflows.model.policy import StartTarget, Target

_MARKS: Final = {
    PartHealth.OK: ("✓", "green"),
    PartHealth.WARNING: ("!", "yellow"),
    PartHealth.WRONG: ("✗", "bold red"),
}
TRIED_AT_ONCE: Final = 10
"""A hanging one takes ten seconds."""


async def examine(settings: Settings) -> Examination:
    """Run all checks, in seconds, without raising; changes nothing but the store's test object."""
    if nowhere := await _nowhere(settings):
        return Examination(ok=False, parts=(nowhere,))
    groups = await asyncio.gather(_temporal(settings), _signature(settings), _check_own_parts(settings))
    parts = (_set(settings), *(part for group in groups for part in group))
    return Examination(ok=all(part.state is not PartHealth.WRONG for part in parts), parts=parts)


def of_set_up(results: Iterable[SetUp]) -> Rows:
    """A row for each thing that the namespace must have."""
    table = Rows("in the namespace", "", "")
    for result in results:
        table.add(result.name, Text(result.made, "" if result.made.usable else "red"), result.says)
    return table


def of_examination(examined: Examination, heading: str = "part") -> Rows:
    """A row for each `what`."""
    table = Rows("", heading, "")
    for part in examined.parts:
        table.add(Text(*_MARKS[part.state]), part.part, part.says)
    return table


async def try_targets(settings: Settings) -> Examination:
    """One part for each target, in the order of the catalogue; starts nothing, and tells nobody of an ending."""
    try:
        catalogue = await asyncio.to_thread(Catalogue.read, settings.policies)
    except FileFaults as faults:
        return Examination(ok=False, parts=(wrong("policies", str(faults)),))
    parts = await _check_targets(settings, targets_of(catalogue))
    if not parts:
        parts = [doubtful("hand-off", f"no kind of {settings.policies} has a hand-off target")]
    return Examination(ok=all(part.state is not PartHealth.WRONG for part in parts), parts=tuple(parts))


@dataclass(frozen=True)
class TargetCheckContext:
    """What targets are checked with; a text as `temporal` is why it is unavailable."""

    downstream: HttpTargets
    signed: frozenset[str]
    directory: Directory
    temporal: Client | str
    seconds: float = COUNTED_WITHIN

    async def check_target(self, target: Target) -> SetUpPart:
        if target.url:
            return await self._called(target, target.url)
        if target.workflow:
            return await self._running(target.target, target.workflow)
        if target.start:
            return await self._to_start(target.target, target.start)
        if target.nexus:
            return await self._offered(target.target, target.nexus.endpoint)
        return await self._reached(target)

    async def _called(self, target: Target, url: str) -> SetUpPart:
        host, result = urlsplit(url).hostname or "", await send_ping(self.downstream, target)
        if not result.ok or result.disabled:
            return wrong(target.target, f"{host}: {result.why}")
        if target.name in self.signed:
            return fine(target.target, f"{host} took a signed ping")
        return doubtful(
            target.target, f"{host} took a ping, unsigned: COUNTERSIGN_HANDOFF_SECRETS has no secret for {target.name}"
        )

    async def _running(self, name: str, workflow: str) -> SetUpPart:
        if isinstance(self.temporal, str):
            return wrong(name, self.temporal)
        try:
            run = await runs.find_run(self.temporal, workflow)
        except RPCError as error:
            return wrong(name, f"Temporal: {error.status.name}")
        if run is None:
            return doubtful(name, f"{workflow} does not run: until it does, every hand-off to it is dead")
        if run.status.open:
            return fine(name, f"{workflow} runs")
        return doubtful(name, f"{workflow} has ended: every hand-off to it is dead")

    async def _to_start(self, name: str, start: StartTarget) -> SetUpPart:
        if start.onboarding:
            return fine(name, f"{start.onboarding} is there, and all its placeholders are filled")
        if isinstance(self.temporal, str):
            return wrong(name, self.temporal)
        queue = TaskQueue(name=start.queue or "")
        request = DescribeTaskQueueRequest(
            namespace=self.temporal.namespace,
            task_queue=queue,
            task_queue_type=TaskQueueType.TASK_QUEUE_TYPE_WORKFLOW,
        )
        try:
            answer = await self.temporal.workflow_service.describe_task_queue(request)
        except RPCError as error:
            return wrong(name, f"Temporal: {error.status.name}")
        if answer.pollers:
            return fine(name, f"a worker polls {start.queue}")
        return doubtful(name, f"no worker polls {start.queue}: what is started there waits")

    async def _offered(self, name: str, endpoint_name: str) -> SetUpPart:
        if isinstance(self.temporal, str):
            return wrong(name, self.temporal)
        try:
            nexus_endpoint = await endpoint.find_endpoint(self.temporal, endpoint_name)
        except RPCError as error:
            return doubtful(name, f"not known whether endpoint {endpoint_name} exists: {error.status.name}")
        if nexus_endpoint is None:
            return wrong(name, f"there is no Nexus endpoint {endpoint_name}")
        return fine(name, f"endpoint {endpoint_name} is there; whether its team is at work shows when it is called")

    async def _reached(self, target: Target) -> SetUpPart:
        recipient = target.group or target.person or ""
        try:
            async with limit_time(self.seconds):
                ids = await self.directory.group(target.group) if target.group else (recipient,)
                if crowd := too_many(len(ids)):
                    return wrong(target.target, f"{recipient}: {crowd}")
                people = [await self.directory.person(id) for id in ids]
                devices = await asyncio.gather(*map(self.directory.devices, people))
        except DirectoryFailure as failure:
            return wrong(target.target, str(failure))
        except TimeoutError:
            return doubtful(target.target, f"{recipient}: the store is too slow to say who has a device")
        if not people:
            return wrong(target.target, f"the group {recipient} has nobody in it")
        if target.group:
            recipient = f"{len(people)} people of {recipient}"
        if deviceless_count := devices.count(()):
            lacking = f"{deviceless_count} without a device" if target.group else "without a device"
            return doubtful(target.target, f"{recipient}: {lacking}")
        return fine(target.target, f"{recipient}, with a device each")


async def _nowhere(settings: Settings) -> SetUpPart | None:
    """The common cause of all failures: nothing is set and no stack runs here, or it is gone or not selected."""
    if settings.surroundings.dev:
        temporal_side = (await _temporal(settings))[0]
        if temporal_side.state is PartHealth.WRONG:
            return wrong("stack", f"{temporal_side.says}: the stack of `countersign dev` is gone; start it again")
        return None
    if settings.signature.url or settings.push.url or settings.people or settings.link_base:
        return None
    if settings.surroundings.passed_over:
        return wrong("stack", settings.surroundings.passed_over)
    if settings.surroundings.temporal:
        return None
    return wrong(
        "stack",
        "nothing is set, and no `countersign dev` runs in this folder or above it: start it, name its folder with "
        "`countersign --dev DIR doctor`, or set what the settings table lists (docs/settings.md)",
    )


def _set(settings: Settings) -> SetUpPart:
    # Whether both processes would start: they require more settings than the other checks.
    if missing := _missing(settings, *OF_WORKER, *OF_RECEIVER):
        return wrong("settings", missing)
    return fine("settings", "everything that worker and receiver need is set")


async def _temporal(settings: Settings) -> list[SetUpPart]:
    try:
        async with connected(settings) as client:
            return [fine("temporal", _address(client)), *await _of_namespace(client, settings)]
    except Refusal as refusal:
        return [wrong("temporal", str(refusal))]


async def _of_namespace(client: Client, settings: Settings) -> list[SetUpPart]:
    looks = [
        temporal.namespace,
        temporal.search_attributes,
        temporal.sweeps,
        temporal.retention,
        temporal.worker,
        temporal.progress,
    ]
    parts = [await looked(look.__name__.replace("_", " "), partial(look, client)) for look in looks]
    store = clients.store(settings)
    parts.append(await temporal.nexus(client, settings.nexus_endpoint))
    parts.append(await temporal.rate(client, settings.signature.max_rps, store))
    if yearly := await temporal.yearly_campaigns(client, store):
        parts.append(yearly)
    parts += [await temporal.urgency(client), await temporal.overrides(client)]
    if settings.build_id:
        parts.append(await temporal.version(client, settings.deployment_name, settings.build_id))
    return parts


async def _signature(settings: Settings) -> list[SetUpPart]:
    if missing := _missing(settings, Need.SIGNATURE):
        return [wrong("signature service", missing)]
    async with _closing(CoreSignatureClient(clients.signature_config(settings))) as client:
        parts = [
            await looked("token", partial(own.token, client)),
            await looked("signature service", partial(own.signature_service, client)),
            await looked("clock", partial(own.clock, settings.signature.url)),
        ]
        if settings.signature.callback_style == "subscription":
            parts.append(await looked("subscriptions", partial(own.subscriptions, client, settings)))
        return parts


async def _check_own_parts(settings: Settings) -> list[SetUpPart]:
    return [
        await looked("push", partial(_push, settings)),
        await looked("cloud messaging", partial(_messaging, settings)),
        await looked("receiver", partial(own.receiver, settings.webhook.url, settings.signature.url)),
        own.callbacks(settings),
        await looked("encryption", partial(own.encryption, settings)),
        await looked("codec", partial(own.codec, settings)),
        await looked("sign-in", partial(own.sign_in, settings)),
        own.actors(settings),
        await looked("hand-off", partial(own.hand_off, settings)),
        await asyncio.to_thread(own.evidence_key, settings),
        *await _stored(settings),
        await looked("people", partial(_people, settings)),
        await looked("ids", partial(own.ids, settings.people_file)),
        await looked("policies", partial(own.policies, settings.policies, settings.people_file)),
        await looked("adoption", partial(_adoption, settings)),
    ]


async def _stored(settings: Settings) -> list[SetUpPart]:
    try:
        store = clients.store(settings)
    except StoreFailure as failure:
        return [wrong("store", str(failure))]
    return [
        await looked("store", partial(own.files, store)),
        await looked("database", partial(own.database, store)),
        await looked("keys", partial(own.keys, settings, store)),
        await looked("web push", partial(own.web_push, store, clients.web_push_config(settings).contact)),
        await looked("worker clock", partial(own.worker_clock, store)),
        await looked("machines", partial(own.machines, store)),
    ]


async def _people(settings: Settings) -> SetUpPart:
    store = clients.store(settings)
    if settings.people_in_database:
        return await own.pushed_people(clients.directory(settings, store), settings.oncall, store=store)
    return await own.people(settings.people, settings.oncall, store=store)


async def _adoption(settings: Settings) -> SetUpPart:
    return await own.adoption(settings, clients.store(settings))


async def _push(settings: Settings) -> SetUpPart:
    if missing := _missing(settings, Need.PUSH):
        return wrong("push", missing)
    dialect = open_dialect(clients.push_config(settings.push))
    async with AsyncExitStack() as closing:
        if dialect is not None:
            closing.push_async_callback(dialect.aclose)
        return await own.push(dialect)


async def _messaging(settings: Settings) -> SetUpPart:
    if missing := _missing(settings, Need.MESSAGING):
        return wrong("cloud messaging", missing)
    channel = open_messaging(clients.messaging_config(settings))
    async with AsyncExitStack() as closing:
        if channel is not None:
            closing.push_async_callback(channel.aclose)
        return await own.messaging(channel, status_mails=settings.signature.status_mails == "on")


@asynccontextmanager
async def _closing(client: CoreSignatureClient) -> AsyncIterator[CoreSignatureClient]:
    try:
        yield client
    finally:
        await client.aclose()


def _missing(settings: Settings, *needs: Need) -> str:
    try:
        settings.require(*needs)
    except SettingsError as error:
        return "; ".join(error.faults)
    return ""


def _address(client: Client) -> str:
    return f"{client.service_client.config.target_host}, as {client.identity}"


async def _check_targets(settings: Settings, targets: list[Target]) -> list[SetUpPart]:
    async with make_client() as calls, _client_if_needed(settings, targets) as temporal:
        directory = clients.directory(settings, clients.store(settings))
        signed = frozenset(settings.handoff.secrets)
        trial = TargetCheckContext(clients.downstream(settings, calls), signed, directory, temporal)
        room = asyncio.Semaphore(TRIED_AT_ONCE)

        async def tried(target: Target) -> SetUpPart:
            async with room:
                return await looked(target.target, partial(trial.check_target, target))

        return list(await asyncio.gather(*map(tried, targets)))


@asynccontextmanager
async def _client_if_needed(settings: Settings, targets: list[Target]) -> AsyncIterator[Client | str]:
    if not any(target.workflow or target.nexus or (target.start and target.start.workflow) for target in targets):
        yield "no target needs it"
        return
    connecting = connected(settings)
    try:
        client = await connecting.__aenter__()
    except Refusal as refusal:
        yield str(refusal)
        return
    try:
        yield client
    finally:
        await connecting.__aexit__(None, None, None)
