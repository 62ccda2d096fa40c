"""Serves an ASGI application on one port, and says who calls it. Connections are nginx's (docs/deploying.md, nginx)."""

import asyncio
import contextlib
import ipaddress
import socket
from collections.abc import AsyncIterator, Iterator, Sequence
from typing import Final

import uvicorn
from starlette.requests import Request
from starlette.types import ASGIApp, Receive, Scope, Send
from uvicorn.middleware.proxy_headers import ProxyHeadersMiddleware

from starter.boot.probes import address_of, bound_to
from starter.config.values import Bind

_LONGEST_NAME: Final = 64
_OF_ONE_HOLDER: Final = 64
"""Bits of an IPv6 address that its holder cannot choose."""
_GRACE_SECONDS: Final = 5
_PEER: Final = "countersign.peer"


def holder_of(host: str) -> str:
    """The network that counts as one holder: IPv6 by 64 bits."""
    try:
        address = ipaddress.ip_address(host)
    except ValueError:
        return host[:_LONGEST_NAME]
    if isinstance(address, ipaddress.IPv6Address):
        return str(ipaddress.ip_network((address, _OF_ONE_HOLDER), strict=False))
    return str(address)


@contextlib.asynccontextmanager
async def listening(app: ASGIApp, bind: Bind, *, proxies: Sequence[str] = ()) -> AsyncIterator[str]:
    """Serve `app` until left; yields its address. Raises `CannotListen`.

    `proxies`, addresses or networks, are trusted to name their callers.
    """
    with bound_to(bind) as bound:
        server = _Server(_config(app, proxies))
        serving = asyncio.create_task(server.serve(sockets=[bound]))
        started = asyncio.create_task(server.listening.wait())
        try:
            await asyncio.wait({serving, started}, return_when=asyncio.FIRST_COMPLETED)
            yield address_of(bound)
        finally:
            started.cancel()
            server.should_exit = True
            await serving


def peer_of(request: Request) -> str:
    """The connected address, before proxies are believed; empty without one."""
    peer = request.scope.get(_PEER)
    return peer[0] if peer else ""


def with_peer(app: ASGIApp) -> ASGIApp:
    """Keep the peer before a proxy is believed."""

    async def remembering(scope: Scope, receive: Receive, send: Send) -> None:
        await app({**scope, _PEER: scope.get("client")}, receive, send)

    return remembering


class _Server(uvicorn.Server):
    """Tells when it listens; ignores signals."""

    def __init__(self, config: uvicorn.Config) -> None:
        super().__init__(config)
        self.listening = asyncio.Event()

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        self.listening.set()

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield


def _config(app: ASGIApp, proxies: Sequence[str]) -> uvicorn.Config:
    return uvicorn.Config(
        with_peer(_believing(app, proxies)),
        http="h11",
        ws="none",
        lifespan="off",
        log_config=None,
        access_log=False,
        server_header=False,
        proxy_headers=False,
        timeout_graceful_shutdown=_GRACE_SECONDS,
    )


def _believing(app: ASGIApp, proxies: Sequence[str]) -> ASGIApp:
    if not proxies:
        return app
    return ProxyHeadersMiddleware(app, trusted_hosts=list(proxies))  # type: ignore[arg-type, return-value]
