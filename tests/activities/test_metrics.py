"""Metrics: one rule for their names, at 0 from the start, and never more series than declared."""

import re
from datetime import UTC, datetime

import pytest

from activities import metrics
from activities.http.client import Cause, ServiceFailure, counted
from activities.metrics import OTHER, Counter, ExportingProcess, Gauge, Histogram
from tests.metering import metered

_UNITS = ("seconds", "bytes", "total", "ms", "count")


@pytest.mark.parametrize("metric", metrics.declared(), ids=lambda metric: metric.name)
def test_names_follow_the_one_rule(metric: metrics.Metric) -> None:
    """docs/metrics.md: what Core adds is not in the name in code, so that it is added once.

    To the name of a counter it adds `_total` alone, so that a counter's unit stands in its name.
    """
    assert re.fullmatch(r"countersign(_[a-z]+)+", metric.name)
    added = () if isinstance(metric, Gauge) else ("total",) if isinstance(metric, Counter) else _UNITS
    assert metric.name.rpartition("_")[2] not in added
    assert metric.says[0].isupper()
    assert not metric.says.endswith(".")
    if isinstance(metric, Histogram):
        assert metric.exported.endswith("_seconds")
        assert list(metric.buckets) == sorted(metric.buckets)
    assert metric.exported.endswith("_total") == isinstance(metric, Counter)


def test_all_but_durations_are_exported_at_0_from_the_start() -> None:
    with metered(kinds=("nda", "offer-letter")) as counted_here:
        assert counted_here.counts() == {}
        named = {series[0] for series in counted_here.seen}
        worker_metrics = [metric for metric in metrics.declared() if metric.process is not ExportingProcess.WEB]
        assert {metric.name for metric in worker_metrics if not isinstance(metric, Histogram)} == named
        assert ("countersign_settled", "offer-letter", "signed") in counted_here.seen


def test_of_ten_times_as_many_kinds_as_are_told_apart_the_rest_are_one() -> None:
    with metered() as counted_here:
        for number in range(10 * metrics.KINDS_AT_MOST):
            metrics.STARTED.add(kind=f"kind-{number}")
        counts = counted_here.counts()
    assert len(counts) == metrics.KINDS_AT_MOST + 1
    assert counts["countersign_started", OTHER] == 9 * metrics.KINDS_AT_MOST


def test_a_word_that_is_not_declared_makes_no_series() -> None:
    with metered() as counted_here:
        metrics.NOTIFICATIONS.add(channel="pigeon", outcome="accepted")
        metrics.HAND_OFFS.set_all({("dead",): 2, ("lost",): 3, ("gone",): 4})
        assert counted_here.counts() == {
            ("countersign_notifications", OTHER, "accepted"): 1,
            ("countersign_hand_offs", "dead"): 2,
            ("countersign_hand_offs", OTHER): 7,
        }
        metrics.HAND_OFFS.set_all({})
        assert ("countersign_hand_offs", "dead") not in counted_here.counts()


def test_no_metric_has_more_series_than_a_prometheus_takes_lightly() -> None:
    """With its buckets, in one process."""
    series_by_metric = {
        metric.name: metric.series_at_most * (len(metric.buckets) + 3 if isinstance(metric, Histogram) else 1)
        for metric in metrics.declared()
    }
    assert max(series_by_metric.values()) < 5_000
    assert sum(series_by_metric.values()) < 15_000
    labels = {label.name for metric in metrics.declared() for label in metric.labels}
    assert labels == {
        *("kind", "state", "outcome", "after", "action", "channel", "answer", "way", "code"),
        *("alert", "service", "operation", "holder", "by"),
    }


def test_without_an_exporter_nothing_is_counted() -> None:
    metrics.STARTED.add(kind="nda")
    metrics.TIME_TO_SIGN.record(3, kind="nda", after="nothing")
    metrics.OPEN.set_all({("nda", "sent"): 1})
    assert metrics.KIND.known_values == ()


@pytest.mark.parametrize(
    ("failure", "outcome"),
    [
        (None, "done"),
        ({"cause": Cause.LATER}, "not_called"),
        ({"cause": Cause.NO_ANSWER}, "no_answer"),
        ({"cause": Cause.UNREADABLE, "status": 200}, "no_answer"),
        ({"cause": Cause.STATUS, "status": 401}, "unauthorised"),
        ({"cause": Cause.STATUS, "status": 404}, "not_found"),
        ({"cause": Cause.STATUS, "status": 429}, "limited"),
        ({"cause": Cause.STATUS, "status": 400}, "refused"),
        ({"cause": Cause.STATUS, "status": 503}, "failed"),
    ],
)
def test_a_call_is_counted_by_what_became_of_it(failure: dict[str, object] | None, outcome: str) -> None:
    with metered() as counted_here:
        try:
            with counted("Core Signature", "read_document"):
                if failure is not None:
                    raise ServiceFailure("Core Signature", explanation="canary", **failure)  # type: ignore[arg-type]
        except ServiceFailure:
            pass
        assert counted_here.counts(calls=True) == {
            ("countersign_provider_calls", "Core Signature", "read_document", outcome): 1
        }


def test_gauges_say_when_they_were_counted() -> None:
    assert isinstance(metrics.COUNTED_AT, Gauge)
    with metered() as counted_here:
        metrics.COUNTED_AT.set_all({(): int(datetime(2026, 11, 30, tzinfo=UTC).timestamp())})
        assert counted_here.counts() == {("countersign_counted_timestamp_seconds",): 1_795_996_800}
