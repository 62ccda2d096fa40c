"""Checks the targets of the catalogue: systems by a signed ping, others by a look-up. Of a URL, which may be a secret,
only the host is shown.
"""

import asyncio
import uuid
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial
from typing import Final
from urllib.parse import urlsplit

from temporalio.api.enums.v1 import TaskQueueType
from temporalio.api.taskqueue.v1 import TaskQueue
from temporalio.api.workflowservice.v1 import DescribeTaskQueueRequest
from temporalio.client import Client
from temporalio.service import RPCError

from activities.files.reading import FileFaults
from activities.hand_off.http_call import HttpTargets, ping
from activities.hand_off.people import too_many
from activities.http.client import make_client
from activities.people.directory import Directory, DirectoryFailure
from activities.policies.catalogue import Catalogue
from activities.records.store import Store
from activities.temporal import executions as runs
from starter.boot import clients
from starter.boot.context import connected
from starter.cli.doctor.health import Examination, PartHealth, SetUpPart, doubtful, fine, looked, wrong
from starter.cli.doctor.own import COUNTED_WITHIN, within
from starter.config.settings import Settings
from starter.errors import Refusal
from starter.nexus import endpoint
from workflows.model.policy import StartTarget, Target
from workflows.names import webhook_id

TRIED_AT_ONCE: Final = 10
"""A hanging one takes ten seconds."""


async def try_targets(settings: Settings) -> Examination:
    """One part for each target, in the order of the catalogue; starts nothing, and tells nobody of an ending."""
    try:
        catalogue = await asyncio.to_thread(Catalogue.read, settings.policies)
    except FileFaults as faults:
        return Examination(ok=False, parts=(wrong("policies", str(faults)),))
    parts = await _tried(settings, targets_of(catalogue))
    if not parts:
        parts = [doubtful("hand-off", f"no kind of {settings.policies} has a hand-off target")]
    return Examination(ok=all(part.state is not PartHealth.WRONG for part in parts), parts=tuple(parts))


def targets_of(catalogue: Catalogue) -> list[Target]:
    """All targets, each once."""
    resolved = (catalogue.resolve(kind).policy for kind in catalogue.kinds)
    return list({_way(target): target for policy in resolved for target in policy.handoff}.values())


def _way(target: Target) -> str:
    return target.model_dump_json(exclude={"on", "personal"})


async def _tried(settings: Settings, targets: list[Target]) -> list[SetUpPart]:
    async with make_client() as calls, _temporal(settings, targets) as temporal:
        directory = clients.directory(settings, Store(settings.store_url))
        signed = frozenset(settings.handoff.secrets)
        trial = Trial(clients.downstream(settings, calls), signed, directory, temporal)
        room = asyncio.Semaphore(TRIED_AT_ONCE)

        async def tried(target: Target) -> SetUpPart:
            async with room:
                return await looked(target.target, partial(trial.of, target))

        return list(await asyncio.gather(*map(tried, targets)))


@asynccontextmanager
async def _temporal(settings: Settings, targets: list[Target]) -> AsyncIterator[Client | str]:
    if not any(one.workflow or one.nexus or (one.start and one.start.workflow) for one in targets):
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


@dataclass(frozen=True)
class Trial:
    """What targets are checked with; a text as `temporal` is why it is unavailable."""

    downstream: HttpTargets
    signed: frozenset[str]
    directory: Directory
    temporal: Client | str
    seconds: float = COUNTED_WITHIN

    async def of(self, target: Target) -> SetUpPart:
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
        host, id = urlsplit(url).hostname or "", webhook_id(f"ping/{uuid.uuid4().hex}/{target.target}")
        result = await self.downstream.call(target, id, ping(target, id, datetime.now(UTC)))
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
            found = await runs.found(self.temporal, workflow)
        except RPCError as error:
            return wrong(name, f"Temporal: {error.status.name}")
        if found is None:
            return doubtful(name, f"{workflow} does not run: until it does, every hand-off to it is dead")
        if found.status.open:
            return fine(name, f"{workflow} runs")
        return doubtful(name, f"{workflow} has ended: every hand-off to it is dead")

    async def _to_start(self, name: str, start: StartTarget) -> SetUpPart:
        if start.onboarding:
            return fine(name, f"{start.onboarding} is there, and all its placeholders are filled")
        if isinstance(self.temporal, str):
            return wrong(name, self.temporal)
        queue = TaskQueue(name=start.queue or "")
        asked = DescribeTaskQueueRequest(
            namespace=self.temporal.namespace,
            task_queue=queue,
            task_queue_type=TaskQueueType.TASK_QUEUE_TYPE_WORKFLOW,
        )
        try:
            answer = await self.temporal.workflow_service.describe_task_queue(asked)
        except RPCError as error:
            return wrong(name, f"Temporal: {error.status.name}")
        if answer.pollers:
            return fine(name, f"a worker polls {start.queue}")
        return doubtful(name, f"no worker polls {start.queue}: what is started there waits")

    async def _offered(self, name: str, wanted: str) -> SetUpPart:
        if isinstance(self.temporal, str):
            return wrong(name, self.temporal)
        try:
            there = await endpoint.found(self.temporal, wanted)
        except RPCError as error:
            return doubtful(name, f"not known whether endpoint {wanted} exists: {error.status.name}")
        if there is None:
            return wrong(name, f"there is no Nexus endpoint {wanted}")
        return fine(name, f"endpoint {wanted} is there; whether its team is at work shows when it is called")

    async def _reached(self, target: Target) -> SetUpPart:
        whom = target.group or target.person or ""
        try:
            async with within(self.seconds):
                ids = await self.directory.group(target.group) if target.group else (whom,)
                if crowd := too_many(len(ids)):
                    return wrong(target.target, f"{whom}: {crowd}")
                people = [await self.directory.person(id) for id in ids]
                devices = await asyncio.gather(*map(self.directory.devices, people))
        except DirectoryFailure as failure:
            return wrong(target.target, str(failure))
        except TimeoutError:
            return doubtful(target.target, f"{whom}: the store is too slow to say who has a device")
        if not people:
            return wrong(target.target, f"the group {whom} has nobody in it")
        if target.group:
            whom = f"{len(people)} people of {whom}"
        if without := devices.count(()):
            lacking = f"{without} without a device" if target.group else "without a device"
            return doubtful(target.target, f"{whom}: {lacking}")
        return fine(target.target, f"{whom}, with a device each")
