"""The transport of every HTTP client: caps the size of answers."""

import ssl
from collections.abc import AsyncIterator
from functools import cache
from typing import Final

import httpx

MOST_BYTES: Final = 10_000_000
MOST_ERROR_BYTES: Final = 65_536


def capped_transport(
    *,
    max_connections: int = 20,
    trust: ssl.SSLContext | None = None,
    transport: httpx.AsyncBaseTransport | None = None,
) -> httpx.AsyncBaseTransport:
    """Answers are limited to `MOST_BYTES`, error bodies to `MOST_ERROR_BYTES`."""
    return _CappedTransport(transport or _network(trust or _public_authorities(), max_connections))


def _network(trust: ssl.SSLContext, max_connections: int) -> httpx.AsyncBaseTransport:
    # Imported by callers only: many commands call nobody.
    from activities.http.network import Network  # noqa: PLC0415

    return Network(trust, max_connections)


@cache
def _public_authorities() -> ssl.SSLContext:
    # Read once: a hundred certificates take longer than many a call, and each token has its own client.
    return httpx.create_ssl_context(trust_env=False)


class _CappedTransport(httpx.AsyncBaseTransport):
    def __init__(self, network: httpx.AsyncBaseTransport) -> None:
        self._network = network

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        response = await self._network.handle_async_request(request)
        if not isinstance(response.stream, httpx.AsyncByteStream):
            raise TypeError("an asynchronous transport is expected")
        response.stream = _CappedStream(response.stream, truncate=not response.is_success)
        if response.headers.get("content-encoding", "identity") != "identity":
            await response.aclose()
            raise httpx.DecodingError("a compressed answer, which nobody asked for")
        return response

    async def aclose(self) -> None:
        await self._network.aclose()


class _CappedStream(httpx.AsyncByteStream):
    """A body cut at its cap: error bodies are truncated, others are refused."""

    def __init__(self, stream: httpx.AsyncByteStream, *, truncate: bool) -> None:
        self._stream = stream
        self._truncate = truncate

    async def __aiter__(self) -> AsyncIterator[bytes]:
        left = MOST_ERROR_BYTES if self._truncate else MOST_BYTES
        async for chunk in self._stream:
            yield chunk[:left]
            left -= len(chunk)
            if left < 0 and self._truncate:
                return
            if left < 0:
                raise httpx.DecodingError(f"an answer of more than {MOST_BYTES // 1_000_000} MB")

    async def aclose(self) -> None:
        await self._stream.aclose()
