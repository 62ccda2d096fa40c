"""Traces: spans of workflows and activities and of httpx calls, sent where `OTEL_*` says.

They come from `TracingInterceptor` (the newer plugin shows a workflow's spans only when it ends, weeks later here) and
from httpx.
"""

import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager

from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor, ConsoleSpanExporter, SpanExporter
from temporalio.client import Interceptor
from temporalio.contrib.opentelemetry import TracingInterceptor

from starter.http_spans import traced_http
from starter.otel import TelemetryError, endpoint_of, headers_of


@contextmanager
def exported(otel: Mapping[str, str], exporter: str, service: str) -> Iterator[Interceptor]:
    """What a client needs to write spans, until the block ends; then open ones are flushed."""
    spans = BatchSpanProcessor(_exporter(otel, exporter))
    provider = TracerProvider(resource=Resource.create({"service.name": service}), shutdown_on_exit=False)
    provider.add_span_processor(spans)
    try:
        with traced_http(provider):
            yield TracingInterceptor(provider.get_tracer("countersign"))
    finally:
        provider.shutdown()


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
