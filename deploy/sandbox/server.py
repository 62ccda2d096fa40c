"""The sandbox on a real port of the running loop, with connections that it can reset."""

import asyncio
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass

import uvicorn
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse, Response
from starlette.routing import Route
from uvicorn.protocols.http.h11_impl import H11Protocol
from uvicorn.server import ServerState

from deploy.sandbox.control.api import ControlApi
from deploy.sandbox.control.pages import page_routes
from deploy.sandbox.control.targets import HandOffTargets
from deploy.sandbox.core_signature.api import core_routes
from deploy.sandbox.core_signature.service import CoreSignature
from deploy.sandbox.http.errors import HttpRefusal
from deploy.sandbox.http.front import Front
from deploy.sandbox.oidc.provider import OidcProvider
from deploy.sandbox.push.api import PushServices
from deploy.sandbox.state.settings import SandboxSettings
from deploy.sandbox.state.state import SandboxState

DETAILS = {404: "Not found.", 405: 'Method "{}" not allowed.'}
# Longer than the clients' keep-alive, so that a pooled connection is not closed under a request.
KEEP_ALIVE = 75
BACKLOG = 2048
GRACE = 1.0


@dataclass(frozen=True)
class RunningSandbox:
    """Tests may inspect its parts, but not act through them."""

    url: str
    app: Starlette
    state: SandboxState
    core_signature: CoreSignature
    push: PushServices
    targets: HandOffTargets
    oidc: OidcProvider


@asynccontextmanager
async def running(
    settings: SandboxSettings | None = None, *, host: str = "127.0.0.1", port: int = 0
) -> AsyncIterator[RunningSandbox]:
    """Port 0 takes a free one."""
    state = SandboxState(settings or SandboxSettings())
    core, push, targets = CoreSignature(state), PushServices(state), HandOffTargets(state)
    oidc = OidcProvider(state)
    app = Starlette(
        routes=[
            *core_routes(core),
            *push.routes(),
            *oidc.routes(),
            *ControlApi(core, push.phones).routes(),
            *targets.routes(),
            Route("/healthz", _healthz),
            *page_routes(core, push.phones),
        ],
        middleware=[Middleware(Front, state=state)],
        exception_handlers={HttpRefusal: _refuse, HTTPException: _http_error},
    )
    app.router.redirect_slashes = False
    async with _working(core), serving(app, host=host, port=port) as url:
        core.views.base_url = oidc.base_url = url
        yield RunningSandbox(url, app, state, core, push, targets, oidc)


class ResettableProtocol(H11Protocol):
    """Gives the application the transport (`scope["state"]["transport"]`), which it may reset."""

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        self.app_state = {**self.app_state, "transport": transport}


@asynccontextmanager
async def serving(app: Starlette, *, host: str, port: int) -> AsyncIterator[str]:
    """Yields the URL; open connections are reset at the end."""
    state = ServerState()
    config = uvicorn.Config(
        app, lifespan="off", ws="none", log_config=None, access_log=False, timeout_keep_alive=KEEP_ALIVE
    )
    config.load()
    server = await asyncio.get_running_loop().create_server(
        lambda: ResettableProtocol(config, state, {}), host, port, backlog=BACKLOG
    )
    try:
        yield f"http://{f'[{host}]' if ':' in host else host}:{_port(server)}"
    finally:
        server.close()
        await _end(state)
        await server.wait_closed()


@asynccontextmanager
async def _working(core: CoreSignature) -> AsyncIterator[None]:
    core.resume()
    jobs = asyncio.create_task(core.state.jobs.run())
    try:
        yield
    finally:
        jobs.cancel()
        with suppress(asyncio.CancelledError):
            await jobs
        await core.callbacks.close()
        core.state.database.close()


async def _healthz(_: Request) -> Response:
    return PlainTextResponse("ok")


async def _refuse(_: Request, refusal: Exception) -> Response:
    if not isinstance(refusal, HttpRefusal):
        raise refusal
    return JSONResponse(refusal.body, refusal.status)


async def _http_error(request: Request, error: Exception) -> Response:
    if not isinstance(error, HTTPException):
        raise error
    detail = DETAILS.get(error.status_code, error.detail).format(request.method)
    return JSONResponse({"detail": detail}, error.status_code, error.headers)


def _port(server: asyncio.Server) -> int:
    bound: socket.socket = server.sockets[0]
    return int(bound.getsockname()[1])


async def _end(state: ServerState) -> None:
    for connection in list(state.connections):
        connection.transport.abort()
    # An answer that is slow on purpose ends by itself when its client is gone.
    if tasks := list(state.tasks):
        _, stuck = await asyncio.wait(tasks, timeout=GRACE)
        for task in stuck:
            task.cancel()
    while state.connections:  # noqa: ASYNC110  the server has no event for this, and it takes one turn of the loop
        await asyncio.sleep(0)
