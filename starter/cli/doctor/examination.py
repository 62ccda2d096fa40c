"""All checks, run in parallel: a failing one hides none of the others."""

import asyncio
from collections.abc import AsyncIterator, Iterable
from contextlib import AsyncExitStack, asynccontextmanager
from functools import partial
from typing import Final

from rich.text import Text
from temporalio.client import Client

from activities.core_signature.client import CoreSignatureClient
from activities.notifications.config import open_dialect, open_messaging
from activities.records.store import Store
from starter.boot import clients
from starter.boot.context import connected
from starter.cli.doctor import own, temporal
from starter.cli.doctor.health import Examination, PartHealth, SetUpPart, fine, looked, wrong
from starter.config.settings import OF_RECEIVER, OF_WORKER, Need, Settings, SettingsError
from starter.errors import Refusal
from starter.temporal.search_attributes import SetUp
from starter.terminal.terminal import Rows


async def examine(settings: Settings) -> Examination:
    """Run all checks, in seconds, without raising; changes nothing but the store's test object."""
    if nowhere := await _nowhere(settings):
        return Examination(ok=False, parts=(nowhere,))
    groups = await asyncio.gather(_temporal(settings), _signature(settings), _own(settings))
    parts = (_set(settings), *(part for group in groups for part in group))
    return Examination(ok=all(part.state is not PartHealth.WRONG for part in parts), parts=parts)


async def _nowhere(settings: Settings) -> SetUpPart | None:
    """The common cause of all failures: nothing is set and no stack runs here, or it is gone or not selected."""
    if settings.around.dev:
        temporal_side = (await _temporal(settings))[0]
        if temporal_side.state is PartHealth.WRONG:
            return wrong("stack", f"{temporal_side.says}: the stack of `countersign dev` is gone; start it again")
        return None
    if settings.signature.url or settings.push.url or settings.people or settings.link_base:
        return None
    if settings.around.passed_over:
        return wrong("stack", settings.around.passed_over)
    if settings.around.temporal:
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
    looks = [temporal.namespace, temporal.search_attributes, temporal.sweeps, temporal.worker, temporal.progress]
    parts = [await looked(look.__name__.replace("_", " "), partial(look, client)) for look in looks]
    parts.append(await temporal.nexus(client, settings.nexus_endpoint))
    parts.append(await temporal.rate(client, settings.signature.max_rps))
    if yearly := await temporal.yearly_campaigns(client, settings.store_url):
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


async def _own(settings: Settings) -> list[SetUpPart]:
    return [
        await looked("push", partial(_push, settings)),
        await looked("cloud messaging", partial(_messaging, settings)),
        await looked("receiver", partial(own.receiver, settings.webhook.url, settings.signature.url)),
        own.callbacks(settings),
        own.desk(settings),
        await looked("hand-off", partial(own.hand_off, settings)),
        await looked("store", partial(own.store, settings.store_url)),
        await looked("worker clock", partial(own.worker_clock, settings.store_url)),
        await looked("people", partial(_people, settings)),
        await looked("policies", partial(own.policies, settings.policies)),
        await looked("adoption", partial(own.adoption, settings)),
    ]


async def _people(settings: Settings) -> SetUpPart:
    return await own.people(settings.people, settings.oncall, store=Store(settings.store_url))


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


_MARKS: Final = {
    PartHealth.OK: ("✓", "green"),
    PartHealth.WARNING: ("!", "yellow"),
    PartHealth.WRONG: ("✗", "bold red"),
}


def of_set_up(results: Iterable[SetUp]) -> Rows:
    """A row for each thing that the namespace must have."""
    table = Rows("in the namespace", "", "")
    for result in results:
        table.add(result.name, Text(result.made, "" if result.made.usable else "red"), result.says)
    return table


def of_examination(examined: Examination, what: str = "part") -> Rows:
    """A row for each `what`."""
    table = Rows("", what, "")
    for part in examined.parts:
        table.add(Text(*_MARKS[part.state]), part.part, part.says)
    return table
