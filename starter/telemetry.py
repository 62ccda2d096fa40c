"""Traces and metrics, off unless `OTEL_*` says so, and Core's own log lines sent through ours.

Names as OpenTelemetry defines them. Spans come from `TracingInterceptor` (the newer plugin shows a workflow's spans
only when it ends, weeks later here) and from httpx; metrics are exported by Temporal's Core itself.
"""

import logging
import re
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta
from typing import Final
from urllib.parse import unquote

from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor, ConsoleSpanExporter, SpanExporter
from temporalio.client import Interceptor
from temporalio.contrib.opentelemetry import TracingInterceptor
from temporalio.runtime import (
    LogForwardingConfig,
    LoggingConfig,
    OpenTelemetryConfig,
    PrometheusConfig,
    Runtime,
    TelemetryConfig,
    TelemetryFilter,
)

from starter.exits import Refusal
from starter.http_spans import traced_http

_ENDPOINT: Final = "OTEL_EXPORTER_OTLP_ENDPOINT"


class TelemetryError(Refusal):
    """`OTEL_*` asks for something that is not there."""


@dataclass(frozen=True)
class Telemetry:
    """What a Temporal client needs of it; make one per process."""

    runtime: Runtime
    interceptors: tuple[Interceptor, ...] = ()


@contextmanager
def started(otel: Mapping[str, str], *, service: str, metrics: bool = False) -> Iterator[Telemetry]:
    """Telemetry of this process until the block ends; then open spans are flushed.

    `otel` are the `OTEL_*` variables; `metrics` is for the processes that stay (a command would fight for the port).
    Raises `TelemetryError` in one line.
    """
    otel = {} if otel.get("OTEL_SDK_DISABLED", "").lower() == "true" else otel
    service = otel.get("OTEL_SERVICE_NAME", service)
    runtime = _runtime(otel, service, metrics=metrics)
    exporter = _span_exporter(otel)
    if exporter is None:
        yield Telemetry(runtime)
        return
    provider = TracerProvider(resource=Resource.create({"service.name": service}), shutdown_on_exit=False)
    provider.add_span_processor(BatchSpanProcessor(exporter))
    try:
        with traced_http(provider):
            yield Telemetry(runtime, (TracingInterceptor(provider.get_tracer("countersign")),))
    finally:
        provider.shutdown()


def _wanted(otel: Mapping[str, str], signal: str) -> str:
    """The exporter that `OTEL_<signal>_EXPORTER` names; an endpoint alone means `otlp`."""
    endpoints = (_ENDPOINT, f"OTEL_EXPORTER_OTLP_{signal}_ENDPOINT")
    return otel.get(f"OTEL_{signal}_EXPORTER", "otlp" if any(name in otel for name in endpoints) else "none")


def _span_exporter(otel: Mapping[str, str]) -> SpanExporter | None:
    match _wanted(otel, "TRACES"):
        case "none":
            return None
        case "console":
            return ConsoleSpanExporter(out=sys.stderr)
        case "otlp":
            return _otlp_exporter(otel)
        case other:
            raise TelemetryError(f"OTEL_TRACES_EXPORTER: must be otlp, console or none, not {other!r}")


def _otlp_exporter(otel: Mapping[str, str]) -> SpanExporter:
    protocol = otel.get("OTEL_EXPORTER_OTLP_TRACES_PROTOCOL", otel.get("OTEL_EXPORTER_OTLP_PROTOCOL", "http/protobuf"))
    if protocol != "http/protobuf":
        raise TelemetryError(f"OTEL_EXPORTER_OTLP_PROTOCOL: must be http/protobuf, not {protocol!r}")
    try:
        from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter  # noqa: PLC0415  extra
    except ImportError:
        raise TelemetryError(
            "OTEL_* asks for traces; install the extra for it: pip install 'countersign[otel]'"
        ) from None
    return OTLPSpanExporter(endpoint=_signal_endpoint(otel, "TRACES"), headers=_headers(otel, "TRACES"))


def _signal_endpoint(otel: Mapping[str, str], signal: str) -> str:
    base = otel.get(_ENDPOINT, "http://localhost:4318").rstrip("/")
    return otel.get(f"OTEL_EXPORTER_OTLP_{signal}_ENDPOINT", f"{base}/v1/{signal.lower()}")


def _headers(otel: Mapping[str, str], signal: str) -> dict[str, str]:
    text = otel.get(f"OTEL_EXPORTER_OTLP_{signal}_HEADERS", otel.get("OTEL_EXPORTER_OTLP_HEADERS", ""))
    pairs = (part.partition("=") for part in text.split(",") if "=" in part)
    return {name.strip().lower(): unquote(value.strip()) for name, _, value in pairs}


def _runtime(otel: Mapping[str, str], service: str, *, metrics: bool) -> Runtime:
    telemetry = TelemetryConfig(
        logging=LoggingConfig(
            filter=TelemetryFilter(core_level="WARN", other_level="ERROR"),
            forwarding=LogForwardingConfig(logger=logging.getLogger("temporalio.core"), append_target_to_name=False),
        ),
        metrics=_metrics(otel) if metrics else None,
        global_tags={"service_name": service},
        attach_service_name=False,
    )
    try:
        return Runtime(telemetry=telemetry)
    except (RuntimeError, ValueError) as error:
        raise TelemetryError(f"OTEL_METRICS_EXPORTER: metrics cannot be offered: {error}") from error


def _metrics(otel: Mapping[str, str]) -> OpenTelemetryConfig | PrometheusConfig | None:
    match _wanted(otel, "METRICS"):
        case "none":
            return None
        case "prometheus":
            host = otel.get("OTEL_EXPORTER_PROMETHEUS_HOST", "127.0.0.1")
            return PrometheusConfig(bind_address=f"{host}:{otel.get('OTEL_EXPORTER_PROMETHEUS_PORT', '9464')}")
        case "otlp":
            return OpenTelemetryConfig(
                url=_signal_endpoint(otel, "METRICS"),
                headers=_headers(otel, "METRICS"),
                http=True,
                metric_periodicity=_interval(otel),
            )
        case other:
            raise TelemetryError(f"OTEL_METRICS_EXPORTER: must be otlp, prometheus or none, not {other!r}")


def _interval(otel: Mapping[str, str]) -> timedelta:
    text = otel.get("OTEL_METRIC_EXPORT_INTERVAL", "60000")
    if not re.fullmatch("0*[1-9][0-9]{0,8}", text):
        raise TelemetryError("OTEL_METRIC_EXPORT_INTERVAL: must be a number of milliseconds, nine digits at most")
    return timedelta(milliseconds=int(text))
