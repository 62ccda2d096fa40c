"""Connecting to services, so that a hanging name look-up delays nothing else."""

import asyncio
import ssl
from asyncio.staggered import staggered_race
from collections.abc import Iterable, Sequence
from functools import partial
from typing import Any, Final
from weakref import WeakKeyDictionary

import httpcore
import httpx

from activities.http.addresses import SystemResolver, is_address

# Below the 5 s after which common servers drop an idle connection, which would look like a lost answer.
_KEEP_ALIVE: Final = 3.0
_NEXT_ADDRESS_AFTER: Final = 0.25
"""Seconds before a host's next address is tried in parallel (RFC 8305)."""
_RESOLVERS: Final = WeakKeyDictionary[asyncio.AbstractEventLoop, SystemResolver]()
"""One per event loop, shared by its clients."""


class Network(httpx.AsyncHTTPTransport):
    """httpx's transport with our name resolution, for which it has no argument."""

    def __init__(self, trust: ssl.SSLContext, max_connections: int) -> None:
        super().__init__(verify=trust, trust_env=False)
        self._pool = httpcore.AsyncConnectionPool(
            ssl_context=trust,
            max_connections=max_connections,
            keepalive_expiry=_KEEP_ALIVE,
            network_backend=_Connections(),
        )


class _Connections(httpcore.AsyncNetworkBackend):
    """Connects to a name's first address that answers. asyncio resolves names in its default thread pool, which also
    reads files: hanging look-ups would block the store.
    """

    def __init__(self) -> None:
        self._network = httpcore.AnyIOBackend()

    async def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,  # noqa: ASYNC109  httpcore's
        local_address: str | None = None,
        socket_options: Iterable[Any] | None = None,
    ) -> httpcore.AsyncNetworkStream:
        opened: list[httpcore.AsyncNetworkStream] = []
        wanted: httpcore.AsyncNetworkStream | None = None

        async def connect(address: str) -> httpcore.AsyncNetworkStream:
            stream = await self._network.connect_tcp(
                address, port, local_address=local_address, socket_options=socket_options
            )
            opened.append(stream)
            return stream

        try:
            async with asyncio.timeout(timeout):
                addresses = await _addresses(host, port)
                first, _, failures = await staggered_race(
                    [partial(connect, address) for address in addresses], _NEXT_ADDRESS_AFTER
                )
            wanted = first
        except TimeoutError as late:
            raise httpcore.ConnectTimeout from late
        except (OSError, UnicodeError) as unknown:
            raise httpcore.ConnectError(str(unknown)) from unknown
        finally:
            # Connected when another one was already, or the caller had given up.
            for stream in opened:
                if stream is not wanted:
                    await stream.aclose()
        if wanted is not None:
            return wanted
        raise next(filter(None, failures), httpcore.ConnectError("the name has no address"))


async def _addresses(host: str, port: int) -> Sequence[str]:
    if is_address(host):
        return (host,)
    return await _RESOLVERS.setdefault(asyncio.get_running_loop(), SystemResolver())(host, port)
