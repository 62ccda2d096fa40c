"""What of an address stands in a trace: the path of our own services, of anybody else's the host and no more."""

from collections.abc import AsyncIterator

import httpx
import pytest
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

from activities.hand_off.http_call import HttpTargets, HttpTargetsConfig
from activities.http.client import Service, make_client
from activities.http.transport import Guard
from starter.telemetry.spans import traced_http
from tests.starter.telemetry.test_telemetry import answering_server
from workflows.model.policy import Target


@pytest.fixture
async def spans() -> AsyncIterator[InMemorySpanExporter]:
    exporter, provider = InMemorySpanExporter(), TracerProvider()
    provider.add_span_processor(SimpleSpanProcessor(exporter))
    with traced_http(provider):
        yield exporter


def read_span(spans: InMemorySpanExporter) -> tuple[object, str]:
    """The address of the one span, and everything that it tells."""
    (span,) = spans.get_finished_spans()
    return (span.attributes or {})["http.url"], span.to_json()


async def test_the_path_of_a_hand_off_is_its_secret(spans: InMemorySpanExporter) -> None:
    async with answering_server() as address, make_client() as client:
        hosts = (address.removeprefix("http://"),)
        caller = HttpTargets(client, HttpTargetsConfig(), Guard(hosts))
        target = Target(target="chat", url=f"{address}/services/T0/B0/canary?x=canary#canary")
        assert (await caller.call(target, "r/handoff/chat", {})).ok
    url, span_json = read_span(spans)
    assert url == address
    assert "canary" not in span_json


async def test_the_path_of_a_service_of_ours_is_shown_and_its_query_is_not(spans: InMemorySpanExporter) -> None:
    async with answering_server() as address, make_client() as client:
        await Service("core-signature", address, client).call("GET", "/documents/", query={"signature": "canary"})
    url, span_json = read_span(spans)
    assert url == f"{address}/documents/"
    assert "canary" not in span_json


async def test_what_a_user_name_would_tell_is_left_out(spans: InMemorySpanExporter) -> None:
    async with answering_server() as address, httpx.AsyncClient(trust_env=False) as client:
        await client.get(address.replace("//", "//canary:canary@"))
    url, span_json = read_span(spans)
    assert url == address
    assert "canary" not in span_json
