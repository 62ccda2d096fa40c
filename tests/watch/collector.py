"""An OTLP receiver: keeps the spans that processes send it, and the metrics."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import NamedTuple

from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import ExportMetricsServiceRequest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest


class Span(NamedTuple):
    trace: int
    service: str
    name: str
    attributes: dict[str, str]


@dataclass
class Collector:
    endpoint: str = ""
    spans: list[Span] = field(default_factory=list)

    metrics: dict[str, str] = field(default_factory=dict)
    """Units by names."""

    def take_metrics(self, body: bytes) -> None:
        for resource in ExportMetricsServiceRequest.FromString(body).resource_metrics:
            self.metrics |= {metric.name: metric.unit for scope in resource.scope_metrics for metric in scope.metrics}

    def take(self, body: bytes) -> None:
        for resource in ExportTraceServiceRequest.FromString(body).resource_spans:
            service = next(
                attribute.value.string_value
                for attribute in resource.resource.attributes
                if attribute.key == "service.name"
            )
            for span in (span for scope in resource.scope_spans for span in scope.spans):
                attributes = {attribute.key: attribute.value.string_value for attribute in span.attributes}
                self.spans.append(Span(int.from_bytes(span.trace_id), service, span.name, attributes))


@contextmanager
def collector() -> Iterator[Collector]:
    """On a free port, while the block runs."""
    received = Collector()

    class Receiver(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["content-length"]))
            (received.take_metrics if self.path.endswith("/metrics") else received.take)(body)
            self.send_response(200)
            self.end_headers()

        def log_message(self, format: str, *_: object) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Receiver) as server:
        received.endpoint = f"http://127.0.0.1:{server.server_port}/v1/traces"
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield received
        server.shutdown()
