"""How a service is connected to: one name that is looked up for ever holds up nothing else."""

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

# Below the 5 s after which common servers drop an idle connection: a dropped one would look like a lost answer.
_KEEP_ALIVE: Final = 3.0
_NEXT_ADDRESS_AFTER: Final = 0.25
"""Seconds after which another address of a host is tried as well (RFC 8305)."""
_RESOLVERS: Final = WeakKeyDictionary[asyncio.AbstractEventLoop, SystemResolver]()
"""One for all clients of a loop: a client is made for each token, and a name is looked up once at a time."""


class Network(httpx.AsyncHTTPTransport):
    """The network as httpx has it, but for how names are looked up, for which it has no argument."""

    def __init__(self, trust: ssl.SSLContext, max_connections: int) -> None:
        super().__init__(verify=trust, trust_env=False)
        self._pool = httpcore.AsyncConnectionPool(
            ssl_context=trust,
            max_connections=max_connections,
            keepalive_expiry=_KEEP_ALIVE,
            network_backend=_Connections(),
        )


class _Connections(httpcore.AsyncNetworkBackend):
    """Connects to the first address of a name that answers.

    asyncio looks names up in the threads in which it reads files: a few that hang would hold the store up.
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
            # Connected in the instant in which another one was, or its caller gave up: nobody else knows of it.
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
