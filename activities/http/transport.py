"""The transport of every HTTP client: guarded addresses (SSRF), quick name look-ups, capped answers."""

import asyncio
import ipaddress
import socket
import ssl
import threading
from asyncio.staggered import staggered_race
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from functools import cache, partial
from typing import Any, Final, NoReturn
from weakref import WeakKeyDictionary

import httpcore
import httpx

from activities.errors import did_you_mean

MOST_BYTES: Final = 10_000_000
MOST_ERROR_BYTES: Final = 65_536
IpAddress = ipaddress.IPv4Address | ipaddress.IPv6Address
IpNetwork = ipaddress.IPv4Network | ipaddress.IPv6Network
Resolve = Callable[[str, int], Awaitable[Sequence[str]]]
"""Host and port to IP addresses; raises `OSError` if there are none."""
LOOKUPS_AT_ONCE: Final = 20
"""Concurrent look-ups, each in a thread; others wait within their call's deadline."""
_SHOWN: Final = 5
"""Allowed hosts named in a refusal."""
_UNICAST: Final = (ipaddress.ip_network("0.0.0.0/0"), ipaddress.ip_network("2000::/3"))
"""Global unicast: of IPv6 one eighth, of IPv4 all that is not listed below."""
_SPECIAL: Final = tuple(
    ipaddress.ip_network(network)
    for network in (
        *("0.0.0.0/8", "10.0.0.0/8", "100.64.0.0/10", "127.0.0.0/8", "169.254.0.0/16", "172.16.0.0/12"),
        *("192.0.0.0/24", "192.0.2.0/24", "192.31.196.0/24", "192.52.193.0/24", "192.88.99.0/24", "192.168.0.0/16"),
        *("192.175.48.0/24", "198.18.0.0/15", "198.51.100.0/24", "203.0.113.0/24", "224.0.0.0/4", "240.0.0.0/4"),
        *("2001::/23", "2001:db8::/32", "2002::/16", "2620:4f:8000::/48", "3ffe::/16", "3fff::/20"),
        "168.63.129.16/32",
    )
)
"""IANA's special-purpose registries with multicast (RFC 6890, 9637), since Python's `is_global` differs between
versions; 6bone's old range; and the public metadata address of a cloud.
"""
# Below the 5 s after which common servers drop an idle connection, which would look like a lost answer.
_KEEP_ALIVE: Final = 3.0
_NEXT_ADDRESS_AFTER: Final = 0.25
"""Seconds before a host's next address is tried in parallel (RFC 8305)."""


def capped_transport(
    *,
    max_connections: int = 20,
    limit_bytes: int = MOST_BYTES,
    trust: ssl.SSLContext | None = None,
    transport: httpx.AsyncBaseTransport | None = None,
) -> httpx.AsyncBaseTransport:
    """Answers are limited to `limit_bytes`, error bodies to `MOST_ERROR_BYTES`."""
    return _CappedTransport(transport or Network(trust or _public_authorities(), max_connections), limit_bytes)


class RefusedAddress(Exception):
    """This URL must not be called; the text has the rule, without path or query."""


@dataclass(frozen=True)
class Destination:
    """A checked address: `url` has the IP address, `host` the name."""

    url: httpx.URL
    host: str
    host_header: str


class SystemResolver:
    """Look-ups cannot be cancelled and may hang, so they run in threads of their own, shared by equal ones."""

    def __init__(self) -> None:
        self._places = asyncio.Semaphore(LOOKUPS_AT_ONCE)
        self._lookups: dict[str, asyncio.Task[Sequence[str]]] = {}

    async def __call__(self, host: str, port: int) -> Sequence[str]:
        if host not in self._lookups:
            self._lookups[host] = asyncio.create_task(self._ask(host, port))
            self._lookups[host].add_done_callback(partial(self._answered, host))
        return await asyncio.shield(self._lookups[host])

    async def _ask(self, host: str, port: int) -> Sequence[str]:
        async with self._places:
            answer: asyncio.Future[Sequence[str]] = asyncio.get_running_loop().create_future()
            threading.Thread(target=_look_up, args=(host, port, answer), name="name-lookup", daemon=True).start()
            return await answer

    def _answered(self, host: str, lookup: asyncio.Task[Sequence[str]]) -> None:
        del self._lookups[host]
        if not lookup.cancelled():
            lookup.exception()  # perhaps nobody waits for it any more


class Guard:
    """`allowed` has `host`, `host:port` or `*.domain` entries; empty allows any public address. Private addresses must
    be listed. `setting` names the list in refusals.
    """

    def __init__(
        self, allowed: Sequence[str], resolve: Resolve | None = None, setting: str = "COUNTERSIGN_HANDOFF_HOSTS"
    ) -> None:
        self._setting = setting
        self._allowed = frozenset(entry.strip().lower().rstrip(".") for entry in allowed)
        self._domains = tuple(entry[1:] for entry in self._allowed if entry.startswith("*."))
        self._resolve = resolve or SystemResolver()

    def refusal(self, address: str) -> str | None:
        """Why this URL is never called, as far as known without DNS, or None."""
        host = ""
        try:
            url = _parsed(address)
            host, port = _split_host(url)
            listed = self._lists(host, port)
            if self._allowed and not listed:
                allowed_hosts = ", ".join(sorted(self._allowed)[:_SHOWN])
                meant = did_you_mean(host, self._allowed) or f", which has {allowed_hosts}"
                return f"{host} is not listed in {self._setting}{meant}"
            if is_address(host):
                self._check_addresses([ipaddress.ip_address(host)], listed=listed, encrypted=url.scheme == "https")
        except RefusedAddress as refused:
            return f"{host}: {refused}" if host else str(refused)
        return None

    async def check(self, address: str) -> Destination:
        """The address to connect to; raises `RefusedAddress`, or `OSError` without an address."""
        url = _parsed(address)
        host, port = _split_host(url)
        listed = self._lists(host, port)
        if self._allowed and not listed:
            _refuse(f"the host is not listed in {self._setting}")
        addresses = [ipaddress.ip_address(text.partition("%")[0]) for text in await self._addresses(host, port)]
        self._check_addresses(addresses, listed=listed, encrypted=url.scheme == "https")
        return Destination(url.copy_with(host=str(addresses[0])), host, url.netloc.decode("ascii"))

    def _check_addresses(self, addresses: Sequence[IpAddress], *, listed: bool, encrypted: bool) -> None:
        if not addresses:
            raise OSError("the name has no address")
        if not encrypted and not (listed and all(address.is_loopback for address in addresses)):
            _refuse("plain http goes to a listed loopback address only")
        if not listed and not all(is_public(address) for address in addresses):
            _refuse(f"a private address must be listed in {self._setting}")

    def _lists(self, host: str, port: int) -> bool:
        return not self._allowed.isdisjoint(_spellings(host, port)) or host.lower().endswith(self._domains)

    async def _addresses(self, host: str, port: int) -> Sequence[str]:
        try:
            return await self._resolve(host, port)
        except UnicodeError:  # an empty label, or one too long, is not even looked up
            _refuse("there is no such host name")


def is_address(host: str) -> bool:
    try:
        ipaddress.ip_address(host)
    except ValueError:
        return False
    return True


def is_public(address: IpAddress) -> bool:
    """Whether it is a public address; an embedded IPv4 address counts."""
    if isinstance(address, ipaddress.IPv6Address) and address.ipv4_mapped:
        return is_public(address.ipv4_mapped)
    return _is_in(address, _UNICAST) and not _is_in(address, _SPECIAL)


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


@cache
def _public_authorities() -> ssl.SSLContext:
    # Read once: a hundred certificates take longer than many a call, and each token has its own client.
    return httpx.create_ssl_context(trust_env=False)


class _CappedTransport(httpx.AsyncBaseTransport):
    def __init__(self, network: httpx.AsyncBaseTransport, limit_bytes: int) -> None:
        self._network = network
        self._limit_bytes = limit_bytes

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        response = await self._network.handle_async_request(request)
        if not isinstance(response.stream, httpx.AsyncByteStream):
            raise TypeError("an asynchronous transport is expected")
        limit_bytes = self._limit_bytes if response.is_success else MOST_ERROR_BYTES
        response.stream = _CappedStream(response.stream, limit_bytes, truncate=not response.is_success)
        if response.headers.get("content-encoding", "identity") != "identity":
            await response.aclose()
            raise httpx.DecodingError("a compressed answer, which nobody asked for")
        return response

    async def aclose(self) -> None:
        await self._network.aclose()


class _CappedStream(httpx.AsyncByteStream):
    """A body cut at its cap: error bodies are truncated, others are refused."""

    def __init__(self, stream: httpx.AsyncByteStream, limit_bytes: int, *, truncate: bool) -> None:
        self._stream = stream
        self._limit_bytes = limit_bytes
        self._truncate = truncate

    async def __aiter__(self) -> AsyncIterator[bytes]:
        remaining = self._limit_bytes
        async for chunk in self._stream:
            yield chunk[:remaining]
            remaining -= len(chunk)
            if remaining < 0 and self._truncate:
                return
            if remaining < 0:
                raise httpx.DecodingError(f"an answer of more than {self._limit_bytes // 1_000_000} MB")

    async def aclose(self) -> None:
        await self._stream.aclose()


def _look_up(host: str, port: int, answer: asyncio.Future[Sequence[str]]) -> None:
    try:
        addresses = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
        settle = partial(_settle, answer, answer.set_result, [str(address[0]) for *_, address in addresses])
    except Exception as failure:  # any exception reaches the caller: a look-up slot must not be lost
        settle = partial(_settle, answer, answer.set_exception, failure)
    with suppress(RuntimeError):  # the loop has ended meanwhile
        answer.get_loop().call_soon_threadsafe(settle)


def _settle(answer: asyncio.Future[Sequence[str]], settle: Callable[[Any], None], outcome: object) -> None:
    if not answer.done():
        settle(outcome)


def _parsed(address: str) -> httpx.URL:
    try:
        url = httpx.URL(address)
    except httpx.InvalidURL:
        _refuse("it is not a URL")
    if url.scheme not in ("https", "http") or not url.raw_host:
        _refuse("only https is called")
    if url.port is not None and not 0 < url.port < 65_536:
        _refuse("there is no such port")
    if url.userinfo:
        _refuse("it carries a user name")
    return url


def _split_host(url: httpx.URL) -> tuple[str, int]:
    return url.raw_host.decode("ascii").rstrip("."), url.port or (443 if url.scheme == "https" else 80)


def _spellings(host: str, port: int) -> set[str]:
    bare = host.lower()
    bracketed = f"[{bare}]" if ":" in bare else bare
    return {bare, bracketed, f"{bracketed}:{port}"}


def _is_in(address: IpAddress, networks: Iterable[IpNetwork]) -> bool:
    return any(address in network for network in networks)


def _refuse(rule: str) -> NoReturn:
    raise RefusedAddress(rule)


_RESOLVERS: Final = WeakKeyDictionary[asyncio.AbstractEventLoop, SystemResolver]()
"""One per event loop, shared by its clients."""


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
        winner: httpcore.AsyncNetworkStream | None = None

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
            winner = first
        except TimeoutError as late:
            raise httpcore.ConnectTimeout from late
        except (OSError, UnicodeError) as unknown:
            raise httpcore.ConnectError(str(unknown)) from unknown
        finally:
            # Connected when another one was already, or the caller had given up.
            for stream in opened:
                if stream is not winner:
                    await stream.aclose()
        if winner is not None:
            return winner
        raise next(filter(None, failures), httpcore.ConnectError("the name has no address"))


async def _addresses(host: str, port: int) -> Sequence[str]:
    if is_address(host):
        return (host,)
    return await _RESOLVERS.setdefault(asyncio.get_running_loop(), SystemResolver())(host, port)
