"""The parts of one sandbox."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress

from deploy.sandbox.callbacks import Callbacks
from deploy.sandbox.faults import FaultBook
from deploy.sandbox.forwarding import Forwarding
from deploy.sandbox.lifecycle import Lifecycle
from deploy.sandbox.mailroom import Mailroom
from deploy.sandbox.memory import Memory
from deploy.sandbox.schedule import JobQueue
from deploy.sandbox.settings import SandboxSettings
from deploy.sandbox.signing import Signing
from deploy.sandbox.tokens import DownloadLinks, Tokens
from deploy.sandbox.views import Views


class World:
    """Runs only inside `alive()`."""

    def __init__(self, settings: SandboxSettings) -> None:
        self.settings = settings
        self.memory = Memory(settings.data, settings.clock)
        self.ledger = self.memory.ledger
        self.faults = FaultBook()
        self.forwarding = Forwarding(settings.clock)
        self.schedule = JobQueue(settings.clock)
        self.links = DownloadLinks(settings.client_secret, settings.link_lifetime, settings.clock)
        self.signature_tokens = Tokens("signature", settings.client_id, settings.client_secret, settings)
        self.push_tokens = Tokens("push", settings.push_client_id, settings.push_client_secret, settings)
        self.views = Views(settings, self.memory, self.links)
        self.message_state = "Sent"
        """What cloud messaging says of every job: `Sent`, `Error`, or `Pending` for one that never ends."""
        self.mailroom = Mailroom(self.memory, settings.clock)
        self.callbacks = Callbacks(settings, self.memory, self.views, self.schedule, self.faults)
        self.signing = Signing(settings, self.memory, self.callbacks, self.mailroom)
        self.lifecycle = Lifecycle(
            settings, self.memory, self.callbacks, self.mailroom, self.schedule, when_converted=self.signing.send
        )
        self.signing.lifecycle = self.lifecycle

    @asynccontextmanager
    async def alive(self) -> AsyncIterator[None]:
        self.lifecycle.resume()
        self.callbacks.resume()
        ticking = asyncio.create_task(self.schedule.run())
        try:
            yield
        finally:
            ticking.cancel()
            with suppress(asyncio.CancelledError):
                await ticking
            await self.callbacks.close()
            self.memory.close()
