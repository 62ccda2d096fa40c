"""What commands work with: a connected client, the store, links to the Web UI."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass

from temporalio.client import Client

from activities.records.store import Store
from starter.config.settings import Settings
from starter.telemetry import telemetry
from starter.temporal import connection as temporal
from starter.temporal.connection import refusing


@dataclass(frozen=True)
class Context:
    """`web_ui` is the base URL of links, None if unknown."""

    client: Client
    store: Store
    web_ui: str | None = None

    def url(self, workflow_id: str, run_id: str | None = None) -> str | None:
        """The workflow's page in the Web UI."""
        if self.web_ui is None:
            return None
        return temporal.web_ui_link(self.web_ui, self.client.namespace, workflow_id, run_id)


@asynccontextmanager
async def opened(settings: Settings) -> AsyncIterator[Context]:
    """The context of one command; raises `StoreFailure`, and as `connected`."""
    store = Store(settings.store_url)
    async with connected(settings) as client:
        yield Context(client, store, temporal.web_ui(settings))


@asynccontextmanager
async def connected(settings: Settings) -> AsyncIterator[Client]:
    """The client of one command; raises `TemporalUnreachable`, and `TemporalRefused` for unexpected errors."""
    with telemetry.started(settings.around.otel, service="countersign") as told:
        client = await temporal.connect(settings, identity=settings.acting, telemetry=told)
        with refusing(client.namespace):
            yield client
