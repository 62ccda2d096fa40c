"""Spans of httpx calls. Their addresses have no query: it may carry what opens a document.

Of the addresses that other people chose only the host stays: in many a webhook the path is the whole secret.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final
from urllib.parse import urlsplit

from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.trace import Span

from activities.http.calling import PATH_IN_TRACES
from starter.error_types import Refusal

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
    ours = PATH_IN_TRACES in (getattr(request, "extensions", None) or {})
    for name in _ADDRESSES:
        address = span.attributes.get(name)
        if isinstance(address, str):
            span.set_attribute(name, _shown(address, path=ours))


def _shown(address: str, *, path: bool) -> str:
    whole = urlsplit(address)
    host = whole.netloc.rpartition("@")[2]
    return whole._replace(netloc=host, path=whole.path if path else "", query="", fragment="").geturl()


async def _async_hook(span: Span, request: object) -> None:
    _hook(span, request)
