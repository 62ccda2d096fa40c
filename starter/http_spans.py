"""Spans of httpx calls, without the queries of their addresses: a query may carry what opens a document."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final
from urllib.parse import urlsplit

from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.trace import Span

from starter.exits import Refusal

_ADDRESSES: Final = ("http.url", "url.full")


class SpansUnavailable(Refusal):
    """The instrumentation of httpx is not installed."""


@contextmanager
def traced_http(provider: TracerProvider) -> Iterator[None]:
    """Every httpx client made inside the block, and before it, writes spans to `provider`."""
    try:
        from opentelemetry.instrumentation.httpx import HTTPXClientInstrumentor  # noqa: PLC0415  an extra
    except ImportError:
        raise SpansUnavailable("OTEL_* asks for traces; install their extra: pip install 'countersign[otel]'") from None
    instrumentor = HTTPXClientInstrumentor()
    instrumentor.instrument(tracer_provider=provider, request_hook=_hook, async_request_hook=_async_hook)
    try:
        yield
    finally:
        instrumentor.uninstrument()


def _hook(span: Span, request: object) -> None:
    if not isinstance(span, ReadableSpan) or not span.attributes:
        return
    for name in _ADDRESSES:
        address = span.attributes.get(name)
        if isinstance(address, str):
            span.set_attribute(name, urlsplit(address)._replace(query="", fragment="").geturl())


async def _async_hook(span: Span, request: object) -> None:
    _hook(span, request)
