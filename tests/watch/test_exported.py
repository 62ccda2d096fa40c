"""Real processes export every metric that a dashboard or a rule names, and no label has an id, a name or an address."""

import re
from collections.abc import Iterator
from typing import Final

import pytest

from activities import metrics
from deploy.grafana.dashboards import DASHBOARDS
from starter.telemetry.spans import trace_id_of
from tests.stack.laptop import Laptop, eventually, running
from tests.stack.test_stack import signs
from tests.watch.collector import Collector, Span, collector
from tests.watch.promql import metrics_in
from tests.watch.scraping import WANTED, Sample, names_in, scrape_stack
from tests.watch.test_alerts import RULES
from workflows.kinds import Kind

RARE: Final = {
    "ALERTS": "Prometheus itself, https://prometheus.io/docs/prometheus/latest/configuration/alerting_rules/",
    "temporal_request_failure_total": "sdk-core, crates/sdk-core/src/telemetry/metrics.rs: only after a failure",
    "temporal_workflow_task_execution_failed_total": "the same: only after a workflow task that failed",
    "temporal_activity_execution_failed_total": "the same: only after an activity that failed",
    "poll_timeouts": "temporal, common/metrics/metric_defs.go: only after a minute without a task",
    **{
        f"{name}_total": "temporal, common/metrics/opentelemetry_provider.go: unless configured `withoutCounterSuffix`"
        for name in ("poll_success", "poll_success_sync", "poll_timeouts")
    },
}
"""What these processes export only after something has happened, and where that is written."""
_NAMED: Final = {
    **{
        f"{board.uid}: {panel.title}": " + ".join(panel.queries.values())
        for board in DASHBOARDS
        for panel in board.panels
    },
    **{f"rule {name}": rule["expr"] for name, rule in RULES.items()},
}


@pytest.fixture(scope="module")
def spans() -> Iterator[Collector]:
    with collector() as running_one:
        yield running_one


@pytest.fixture(scope="module")
def traced(spans: Collector) -> dict[str, str]:
    """The environment of a process that sends its spans there, soon."""
    return {"OTEL_EXPORTER_OTLP_TRACES_ENDPOINT": spans.endpoint, "OTEL_BSP_SCHEDULE_DELAY": "200"}


@pytest.fixture(scope="module")
def stack(tmp_path_factory: pytest.TempPathFactory, traced: dict[str, str]) -> Iterator[Laptop]:
    with running(tmp_path_factory.mktemp("watched") / "data", **WANTED, **traced) as laptop:
        yield laptop


@pytest.mark.long
@pytest.mark.real_server
async def test_whatever_a_dashboard_or_a_rule_names_is_exported(stack: Laptop) -> None:
    from_the_start = names_in(scrape_stack(stack))
    missing = {metric.exported for metric in metrics.declared() if not isinstance(metric, metrics.Histogram)}
    assert missing - from_the_start == set()

    stack.answer("request", "start", str(stack.request("reminded")))
    stack.wait_for_view("reminded", lambda view: view["notifications"])
    stack.answer("fast-forward", "reminded", "--to-next")
    for person in ("customer-signer", "chief-executive"):
        await signs(stack, "reminded", person)
    stack.wait_for_view(
        "reminded", lambda view: view["handoffs"] and all(hand_off["state"] == "done" for hand_off in view["handoffs"])
    )
    stack.answer("reconcile")
    assert eventually(lambda: _value(scrape_stack(stack), "countersign_counted_timestamp_seconds"), 40)

    samples = scrape_stack(stack)
    names = names_in(samples)
    lacking = {source: sorted(metrics_in(query) - names - set(RARE)) for source, query in _NAMED.items()}
    assert {source: lacking_names for source, lacking_names in lacking.items() if lacking_names} == {}
    assert {metric.exported for metric in metrics.declared()} - names == set()
    assert not [name for name in RARE if name.startswith("countersign_")]
    _signed_after_a_reminder(samples)
    _labels_are_words(samples)


def _value(samples: list[Sample], name: str, **labels: str) -> float:
    """The sum of these samples."""
    return sum(sample.value for sample in samples if sample.name == name and labels.items() <= sample.labels.items())


def _signed_after_a_reminder(samples: list[Sample]) -> None:
    kind = {"kind": "customer-contract"}
    # The other story of this stack may have ended a request before.
    assert _value(samples, "countersign_settled_total", outcome="signed", **kind) >= 1
    assert _value(samples, "countersign_signed_total", after="reminder", **kind) == 1
    assert _value(samples, "countersign_time_to_sign_seconds_count", after="reminder", **kind) == 1
    assert _value(samples, "countersign_reminders_total", **kind) >= 1
    assert _value(samples, "countersign_callbacks_total", answer="signalled") >= 1
    assert _value(samples, "countersign_hand_off_attempts_total", outcome="done") >= 4
    assert _value(samples, "countersign_notification_lateness_seconds_bucket", le="60") >= 1
    assert _value(samples, "countersign_provider_calls_total", operation="create_document", outcome="done") >= 1


def _labels_are_words(samples: list[Sample]) -> None:
    """Of our metrics; Core's have names of queues, workflow types and activities."""
    our_samples = [sample for sample in samples if sample.name.startswith("countersign_")]
    values = {
        value for sample in our_samples for name, value in sample.labels.items() if name not in ("le", "service_name")
    }
    assert not [value for value in values if re.search(r"@|reminded|customer-signer|chief-executive|\d{3}", value)]
    for metric in metrics.declared():
        series = [sample for sample in our_samples if sample.name == metric.exported and sample.process == "worker"]
        assert len(series) <= metric.series_at_most


PARTS: Final = {
    ("countersign", "StartWorkflow:SignatureRequest"),
    ("countersign-worker", "RunWorkflow:SignatureRequest"),
    ("countersign-worker", "RunActivity:create_signature_request"),
    ("countersign-worker", "POST"),
    ("countersign-webhook", "SignalWorkflow:provider_event"),
    ("countersign-worker", "HandleSignal:provider_event"),
    ("countersign", "StartWorkflowUpdate:extend"),
    ("countersign-worker", "HandleUpdate:extend"),
    ("countersign-worker", "RunActivity:hand_off"),
}
"""Command, workflow, activity, call of Core Signature, its callback, a command's update, the hand-off."""


@pytest.mark.long
@pytest.mark.real_server
async def test_a_request_is_one_trace_from_the_command_to_the_callback_and_the_hand_off(
    stack: Laptop, spans: Collector, traced: dict[str, str]
) -> None:
    stack.answer("request", "start", str(stack.request("traced")), **traced)
    stack.wait_for_view("traced", lambda view: view["notifications"])
    stack.answer("request", "extend", "traced", "--due", "2027-12-01", **traced)
    for person in ("customer-signer", "chief-executive"):
        await signs(stack, "traced", person)
    stack.wait_for_view(
        "traced", lambda view: view["handoffs"] and all(hand_off["state"] == "done" for hand_off in view["handoffs"])
    )
    trace = trace_id_of(Kind.REQUEST.workflow_id("traced"))

    def of_it() -> list[Span]:
        return [span for span in spans.spans if span.trace == trace]

    eventually(lambda: {(span.service, span.name) for span in of_it()} >= PARTS)
    assert PARTS - {(span.service, span.name) for span in of_it()} == set()
    called = {span.attributes.get("http.url", "") for span in of_it() if span.name == "POST"}
    assert any(address.endswith("/api/v1/documents/") for address in called), called
    texts = {text for span in of_it() for text in (span.name, *span.attributes.values())}
    assert not [text for text in texts if "@" in text or "customer-signer" in text]


def test_each_rare_metric_is_named_somewhere() -> None:
    """Else its line in the list is of no use."""
    named = {name for query in _NAMED.values() for name in metrics_in(query)}
    assert set(RARE) <= named


def test_no_query_names_nothing() -> None:
    assert [source for source, query in _NAMED.items() if not metrics_in(query)] == []
