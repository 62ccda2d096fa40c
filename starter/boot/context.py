"""What the commands about requests work with: a connected client, the store, and where the Web UI is."""

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
    """`web_ui` is the base address for links, None when it is not known."""

    client: Client
    store: Store
    web_ui: str | None = None

    def url(self, workflow_id: str, run_id: str | None = None) -> str | None:
        """Where the Web UI shows a workflow."""
        if self.web_ui is None:
            return None
        return temporal.web_ui_link(self.web_ui, self.client.namespace, workflow_id, run_id)


@asynccontextmanager
async def opened(settings: Settings) -> AsyncIterator[Context]:
    """A desk for one command; raises `StoreFailure`, and what `connected` does."""
    store = Store(settings.store_url)
    async with connected(settings) as client:
        yield Context(client, store, temporal.web_ui(settings))


@asynccontextmanager
async def connected(settings: Settings) -> AsyncIterator[Client]:
    """A client for one command; raises `TemporalUnreachable`, and `TemporalRefused` for what nobody expects of it."""
    with telemetry.started(settings.around.otel, service="countersign") as told:
        client = await temporal.connect(settings, identity=settings.acting, telemetry=told)
        with refusing(client.namespace):
            yield client
