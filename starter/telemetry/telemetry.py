"""Traces and metrics, off unless `OTEL_*` says so, and log lines of Temporal's Core, which also exports the metrics."""

import logging
import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta
from typing import Final

from temporalio.client import Interceptor
from temporalio.runtime import (
    LogForwardingConfig,
    LoggingConfig,
    OpenTelemetryConfig,
    PrometheusConfig,
    Runtime,
    TelemetryConfig,
    TelemetryFilter,
)

from activities.metrics import buckets
from starter.telemetry.otel import TelemetryError, endpoint_of, headers_of, read_exporter_name

_BUCKETS: Final = {
    **buckets(),
    # Core's own end at ten seconds; what waits for the rate waits longer.
    "temporal_activity_schedule_to_start_latency": (0.01, 0.05, 0.1, 0.2, 0.5, 1, 5, 10, 30, 60, 300, 900, 3600),
    "temporal_workflow_task_schedule_to_start_latency": (0.005, 0.01, 0.025, 0.05, 0.1, 0.2, 0.3, 0.5, 1, 5, 10, 60),
}


@dataclass(frozen=True)
class Telemetry:
    """Arguments of a Temporal client; one per process."""

    runtime: Runtime
    interceptors: tuple[Interceptor, ...] = ()


@contextmanager
def started(otel: Mapping[str, str], *, service: str, metrics: bool = False) -> Iterator[Telemetry]:
    """Telemetry until the block ends, with a flush. `otel` are the `OTEL_*` variables; `metrics` only for long-running
    processes, since commands would compete for the port. Raises `TelemetryError`.
    """
    otel = {} if otel.get("OTEL_SDK_DISABLED", "").lower() == "true" else otel
    service = otel.get("OTEL_SERVICE_NAME", service)
    runtime, traces = _runtime(otel, service, metrics=metrics), read_exporter_name(otel, "TRACES")
    if traces == "none":
        yield Telemetry(runtime)
        return
    from starter.telemetry.spans import exported  # noqa: PLC0415  OpenTelemetry, for which nobody waits who did not ask for it

    with exported(otel, traces, service) as interceptors:
        yield Telemetry(runtime, interceptors)


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
    match read_exporter_name(otel, "METRICS"):
        case "none":
            return None
        case "prometheus":
            host = otel.get("OTEL_EXPORTER_PROMETHEUS_HOST", "127.0.0.1")
            return PrometheusConfig(
                bind_address=f"{host}:{otel.get('OTEL_EXPORTER_PROMETHEUS_PORT', '9464')}",
                counters_total_suffix=True,
                unit_suffix=True,
                durations_as_seconds=True,
                histogram_bucket_overrides=_BUCKETS,
            )
        case "otlp":
            return OpenTelemetryConfig(
                url=endpoint_of(otel, "METRICS"),
                headers=headers_of(otel, "METRICS"),
                http=True,
                metric_periodicity=_interval(otel),
                durations_as_seconds=True,
                histogram_bucket_overrides=_BUCKETS,
            )
        case other:
            raise TelemetryError(f"OTEL_METRICS_EXPORTER: must be otlp, prometheus or none, not {other!r}")


def _interval(otel: Mapping[str, str]) -> timedelta:
    text = otel.get("OTEL_METRIC_EXPORT_INTERVAL", "60000")
    if not re.fullmatch("0*[1-9][0-9]{0,8}", text):
        raise TelemetryError("OTEL_METRIC_EXPORT_INTERVAL: must be a number of milliseconds, nine digits at most")
    return timedelta(milliseconds=int(text))
