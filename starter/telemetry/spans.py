"""Traces of workflows, activities and httpx calls, as `OTEL_*` says. By `TracingInterceptor`: the newer plugin shows a
workflow's spans only when it ends.
"""

import hashlib
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any, Final
from urllib.parse import urlsplit

from opentelemetry import context
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor, ConsoleSpanExporter, SpanExporter
from opentelemetry.trace import NonRecordingSpan, Span, SpanContext, TraceFlags, set_span_in_context
from temporalio.client import (
    Interceptor,
    OutboundInterceptor,
    SignalWorkflowInput,
    StartWorkflowInput,
    StartWorkflowUpdateInput,
    WorkflowHandle,
    WorkflowUpdateHandle,
)
from temporalio.contrib.opentelemetry import TracingInterceptor

from activities.http.client import PATH_IN_TRACES
from starter.errors import Refusal
from starter.telemetry.otel import TelemetryError, endpoint_of, headers_of
from workflows.kinds import named

_ADDRESSES: Final = ("http.url", "url.full")


class SpansUnavailable(Refusal):
    """The instrumentation of httpx is not installed."""


class RequestTraces(Interceptor):
    """Client interceptor: a follow-up's start, signals and commands are one trace, whoever sends them from where. Its
    id is made of the workflow id, since a callback brings none.
    """

    def intercept_client(self, next: OutboundInterceptor) -> OutboundInterceptor:
        return _OutboundTraces(super().intercept_client(next))


def trace_id_of(workflow_id: str) -> int:
    """128 bits; the workflow id cannot be read from them."""
    return int.from_bytes(hashlib.sha256(workflow_id.encode()).digest()[:16])


@contextmanager
def traced_http(provider: TracerProvider) -> Iterator[None]:
    """httpx clients write spans to `provider` inside the block, whenever they were created."""
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


@contextmanager
def exported(otel: Mapping[str, str], exporter: str, service: str) -> Iterator[tuple[Interceptor, ...]]:
    """Interceptors that write spans; open ones are flushed at the end of the block."""
    spans = BatchSpanProcessor(_exporter(otel, exporter))
    provider = TracerProvider(resource=Resource.create({"service.name": service}), shutdown_on_exit=False)
    provider.add_span_processor(spans)
    try:
        with traced_http(provider):
            yield RequestTraces(), TracingInterceptor(provider.get_tracer("countersign"))
    finally:
        provider.shutdown()


class _OutboundTraces(OutboundInterceptor):
    async def start_workflow(self, input: StartWorkflowInput) -> WorkflowHandle[Any, Any]:
        with _trace_of(input.id):
            return await super().start_workflow(input)

    async def signal_workflow(self, input: SignalWorkflowInput) -> None:
        with _trace_of(input.id):
            await super().signal_workflow(input)

    async def start_workflow_update(self, input: StartWorkflowUpdateInput) -> WorkflowUpdateHandle[Any]:
        with _trace_of(input.id):
            return await super().start_workflow_update(input)


@contextmanager
def _trace_of(workflow_id: str) -> Iterator[None]:
    """Spans of the block are in the trace of this follow-up; of other workflows, in that of their caller."""
    if named(workflow_id) is None:
        yield
        return
    id = trace_id_of(workflow_id)
    root = SpanContext(id, id & (2**64 - 1), is_remote=True, trace_flags=TraceFlags(TraceFlags.SAMPLED))
    token = context.attach(set_span_in_context(NonRecordingSpan(root)))
    try:
        yield
    finally:
        context.detach(token)


def _hook(span: Span, request: object) -> None:
    if not isinstance(span, ReadableSpan) or not span.attributes:
        return
    shows_path = PATH_IN_TRACES in (getattr(request, "extensions", None) or {})
    for name in _ADDRESSES:
        address = span.attributes.get(name)
        if isinstance(address, str):
            span.set_attribute(name, _redact_address(address, path=shows_path))


def _redact_address(address: str, *, path: bool) -> str:
    parts = urlsplit(address)
    host = parts.netloc.rpartition("@")[2]
    return parts._replace(netloc=host, path=parts.path if path else "", query="", fragment="").geturl()


async def _async_hook(span: Span, request: object) -> None:
    _hook(span, request)


def _exporter(otel: Mapping[str, str], name: str) -> SpanExporter:
    match name:
        case "console":
            return ConsoleSpanExporter(out=sys.stderr)
        case "otlp":
            return _otlp(otel)
        case other:
            raise TelemetryError(f"OTEL_TRACES_EXPORTER: must be otlp, console or none, not {other!r}")


def _otlp(otel: Mapping[str, str]) -> SpanExporter:
    protocol = otel.get("OTEL_EXPORTER_OTLP_TRACES_PROTOCOL", otel.get("OTEL_EXPORTER_OTLP_PROTOCOL", "http/protobuf"))
    if protocol != "http/protobuf":
        raise TelemetryError(f"OTEL_EXPORTER_OTLP_PROTOCOL: must be http/protobuf, not {protocol!r}")
    try:
        from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter  # noqa: PLC0415  extra
    except ImportError:
        raise TelemetryError(
            "OTEL_* asks for traces; install the extra for it: pip install 'countersign[otel]'"
        ) from None
    return OTLPSpanExporter(endpoint=endpoint_of(otel, "TRACES"), headers=headers_of(otel, "TRACES"))
