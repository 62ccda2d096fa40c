"""The sandbox on a real port of the running loop, on connections it can tear."""

import asyncio
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass

import uvicorn
from starlette.applications import Starlette
from uvicorn.protocols.http.h11_impl import H11Protocol
from uvicorn.server import ServerState

from deploy.sandbox.app import create_app
from deploy.sandbox.settings import SandboxSettings
from deploy.sandbox.world import World

# Longer than the clients keep theirs, so that a pooled connection is not closed under a request.
KEEP_ALIVE = 75
BACKLOG = 2048
GRACE = 1.0


class TearableProtocol(H11Protocol):
    """Hands the transport to the application (`scope["state"]["transport"]`), which may reset it."""

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Start with a connection."""
        super().connection_made(transport)
        self.app_state = {**self.app_state, "transport": transport}


@dataclass(frozen=True)
class RunningSandbox:
    """A sandbox that answers at `url`; its `world` is for looking into, not for reaching around HTTP."""

    url: str
    app: Starlette
    world: World


@asynccontextmanager
async def running(
    settings: SandboxSettings | None = None, *, host: str = "127.0.0.1", port: int = 0
) -> AsyncIterator[RunningSandbox]:
    """A sandbox that serves until left; port 0 takes a free one."""
    app = create_app(settings or SandboxSettings())
    world: World = app.state.world
    async with app.router.lifespan_context(app), serving(app, host=host, port=port) as url:
        world.views.base_url = url
        yield RunningSandbox(url, app, world)


@asynccontextmanager
async def serving(app: Starlette, *, host: str, port: int) -> AsyncIterator[str]:
    """Serve the application and give its address; open connections are torn at the end, nothing is left behind."""
    state = ServerState()
    config = uvicorn.Config(
        app, lifespan="off", ws="none", log_config=None, access_log=False, timeout_keep_alive=KEEP_ALIVE
    )
    config.load()
    server = await asyncio.get_running_loop().create_server(
        lambda: TearableProtocol(config, state, {}), host, port, backlog=BACKLOG
    )
    try:
        yield f"http://{f'[{host}]' if ':' in host else host}:{_port(server)}"
    finally:
        server.close()
        await _end(state)
        await server.wait_closed()


def _port(server: asyncio.Server) -> int:
    bound: socket.socket = server.sockets[0]
    return int(bound.getsockname()[1])


async def _end(state: ServerState) -> None:
    for connection in list(state.connections):
        connection.transport.abort()
    # An answer that is being drawn out on purpose ends by itself when its client is gone.
    if tasks := list(state.tasks):
        _, stuck = await asyncio.wait(tasks, timeout=GRACE)
        for task in stuck:
            task.cancel()
    while state.connections:  # noqa: ASYNC110  the server has no event for this, and it takes one turn of the loop
        await asyncio.sleep(0)
