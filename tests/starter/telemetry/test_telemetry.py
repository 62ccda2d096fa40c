"""Telemetry is off unless `OTEL_*` asks for it, refuses what it cannot do, and writes down no query."""

import asyncio
import json
import socket
import subprocess
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import httpx
import pytest
from opentelemetry.instrumentation.httpx import HTTPXClientInstrumentor
from temporalio.contrib.opentelemetry import TracingInterceptor

from activities import metrics
from starter.telemetry.otel import TelemetryError
from starter.telemetry.spans import RequestTraces, SpansUnavailable
from starter.telemetry.telemetry import started
from tests.glances import glances
from tests.watch.collector import collector

ROOT = Path(__file__).parents[3]


@asynccontextmanager
async def answering_server() -> AsyncIterator[str]:
    """A server that answers 200 to everything; yields its address."""

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\nconnection: close\r\n\r\n")
        await writer.drain()
        writer.close()

    async with await asyncio.start_server(answer, "127.0.0.1", 0) as server:
        yield f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"


@pytest.mark.parametrize(
    "otel",
    [
        {},
        {"OTEL_SDK_DISABLED": "true", "OTEL_EXPORTER_OTLP_ENDPOINT": "http://127.0.0.1:1"},
        {"OTEL_TRACES_EXPORTER": "none", "OTEL_EXPORTER_OTLP_ENDPOINT": "http://127.0.0.1:1"},
        {"OTEL_SERVICE_NAME": "ours"},
    ],
)
def test_it_is_off_unless_asked_for(otel: dict[str, str]) -> None:
    with started(otel, service="test") as telemetry:
        assert telemetry.interceptors == ()
        assert not HTTPXClientInstrumentor().is_instrumented_by_opentelemetry


@pytest.mark.parametrize(
    "otel",
    [
        {"OTEL_EXPORTER_OTLP_ENDPOINT": "http://127.0.0.1:1"},
        {"OTEL_EXPORTER_OTLP_TRACES_ENDPOINT": "http://127.0.0.1:1/v1/traces"},
        {"OTEL_TRACES_EXPORTER": "console"},
    ],
)
def test_traces_are_on_when_asked_for_and_off_again_after(otel: dict[str, str]) -> None:
    with started(otel, service="test") as telemetry:
        assert [type(interceptor) for interceptor in telemetry.interceptors] == [RequestTraces, TracingInterceptor]
    assert not HTTPXClientInstrumentor().is_instrumented_by_opentelemetry


async def test_a_span_of_a_call_has_no_query(capsys: pytest.CaptureFixture[str]) -> None:
    async with answering_server() as address:
        with started({"OTEL_TRACES_EXPORTER": "console", "OTEL_SERVICE_NAME": "ours"}, service="test"):
            async with httpx.AsyncClient(trust_env=False) as client:
                await client.get(f"{address}/documents/?signature=canary#canary")
    output = capsys.readouterr()
    span = json.loads(output.err)
    assert span["attributes"]["http.url"] == address
    assert span["resource"]["attributes"]["service.name"] == "ours"
    assert "canary" not in output.err
    assert output.out == ""


def test_a_missing_extra_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    otel = {"OTEL_EXPORTER_OTLP_ENDPOINT": "http://127.0.0.1:1"}
    monkeypatch.setitem(sys.modules, "opentelemetry.instrumentation.httpx", None)
    with pytest.raises(SpansUnavailable, match=r"countersign\[otel\]"), started(otel, service="test"):
        pass
    monkeypatch.setitem(sys.modules, "opentelemetry.exporter.otlp.proto.http.trace_exporter", None)
    with pytest.raises(TelemetryError, match=r"countersign\[otel\]"), started(otel, service="test"):
        pass


@pytest.mark.parametrize(
    ("otel", "message"),
    [
        ({"OTEL_TRACES_EXPORTER": "zipkin"}, "OTEL_TRACES_EXPORTER: must be otlp, console or none, not 'zipkin'"),
        ({"OTEL_METRICS_EXPORTER": "statsd"}, "OTEL_METRICS_EXPORTER: must be otlp, prometheus or none, not 'statsd'"),
        (
            {"OTEL_EXPORTER_OTLP_ENDPOINT": "http://127.0.0.1:1", "OTEL_EXPORTER_OTLP_PROTOCOL": "grpc"},
            "OTEL_EXPORTER_OTLP_PROTOCOL: must be http/protobuf, not 'grpc'",
        ),
        (
            {"OTEL_METRICS_EXPORTER": "otlp", "OTEL_METRIC_EXPORT_INTERVAL": "1 min"},
            "OTEL_METRIC_EXPORT_INTERVAL: must be a number of milliseconds",
        ),
        (
            {"OTEL_METRICS_EXPORTER": "otlp", "OTEL_METRIC_EXPORT_INTERVAL": "9" * 24},
            "OTEL_METRIC_EXPORT_INTERVAL: must be a number of milliseconds, nine digits at most",
        ),
        (
            {"OTEL_METRICS_EXPORTER": "otlp", "OTEL_METRIC_EXPORT_INTERVAL": "000"},
            "OTEL_METRIC_EXPORT_INTERVAL: must be a number of milliseconds",
        ),
        (
            {"OTEL_METRICS_EXPORTER": "prometheus", "OTEL_EXPORTER_PROMETHEUS_PORT": "many"},
            "OTEL_METRICS_EXPORTER: metrics cannot be offered",
        ),
    ],
)
def test_what_it_cannot_do_is_refused_in_one_line(otel: dict[str, str], message: str) -> None:
    with pytest.raises(TelemetryError) as refused, started(otel, service="test", metrics=True):
        pass
    assert str(refused.value).startswith(message)
    assert "\n" not in str(refused.value)


async def test_metrics_are_offered_by_the_processes_that_stay() -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    otel = {"OTEL_METRICS_EXPORTER": "prometheus", "OTEL_EXPORTER_PROMETHEUS_PORT": str(port)}
    async with httpx.AsyncClient(trust_env=False) as client:
        with started(otel, service="test", metrics=False), pytest.raises(httpx.ConnectError):
            await client.get(f"http://127.0.0.1:{port}/metrics")
        with started(otel, service="test", metrics=True) as telemetry:
            telemetry.runtime.metric_meter.create_counter("countersign_signed").add(3)
            answer = await client.get(f"http://127.0.0.1:{port}/metrics")
    assert 'countersign_signed_total{service_name="test"} 3' in answer.text


async def test_a_collector_gets_the_names_without_what_its_own_exporter_adds() -> None:
    with collector() as received:
        otel = {
            "OTEL_EXPORTER_OTLP_METRICS_ENDPOINT": received.endpoint.replace("traces", "metrics"),
            "OTEL_METRIC_EXPORT_INTERVAL": "50",
        }
        with started(otel, service="test", metrics=True) as telemetry:
            metrics.begin(telemetry.runtime.metric_meter, metrics.ExportingProcess.WORKER)
            metrics.TIME_TO_SIGN.record(3, kind="nda", after="nothing")
            try:
                for pause in glances():
                    if metrics.TIME_TO_SIGN.name in received.metrics:
                        break
                    await asyncio.sleep(pause)
            finally:
                metrics.end()
    assert received.metrics["countersign_time_to_sign"] == "seconds"
    assert received.metrics["countersign_notifications"] == ""


LINES_OF_CORE = """
import logging, threading
from starter.telemetry import logs
from starter.boot.exits import run
from starter.telemetry.telemetry import started
heard = threading.Event()
class Hearing(logging.Handler):
    def emit(self, record): heard.set()
def main():
    logs.configure()
    logging.getLogger("temporalio.core").addHandler(Hearing())
    nowhere = {"OTEL_EXPORTER_OTLP_METRICS_ENDPOINT": "http://127.0.0.1:1/", "OTEL_METRIC_EXPORT_INTERVAL": "50"}
    with started(nowhere, service="test", metrics=True) as telemetry:
        telemetry.runtime.metric_meter.create_counter("x").add(1)
        print(heard.wait(20))
run(main)
"""


def test_lines_of_core_come_out_of_our_log_and_the_process_still_ends() -> None:
    """Core's own console writes to stdout, where a command's JSON goes; and while it logs, an interpreter that ends
    in the ordinary way hangs for ever (measured)."""
    process = subprocess.run(  # noqa: S603  our own interpreter
        [sys.executable, "-c", LINES_OF_CORE], cwd=ROOT, capture_output=True, text=True, check=False, timeout=60
    )
    assert (process.returncode, process.stdout) == (0, "True\n")
    lines = [json.loads(line) for line in process.stderr.splitlines()]
    assert {line["logger"] for line in lines} == {"temporalio.core"}
    assert "metric export failed" in lines[0]["event"]
