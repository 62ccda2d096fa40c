"""What a test's own process counts, by the real instruments."""

from collections import Counter
from collections.abc import Iterable, Iterator
from contextlib import contextmanager

from temporalio.runtime import MetricBuffer, Runtime, TelemetryConfig

from activities import metrics
from activities.metrics import ExportingProcess

Series = tuple[str, ...]
"""The name of a metric in code, then the values of its labels in their order."""


class Metered:
    """The sums of what was recorded; those of gauges are their last values."""

    def __init__(self, buffer: MetricBuffer) -> None:
        self._buffer = buffer
        self._sums: Counter[Series] = Counter()
        self._gauges: dict[Series, float] = {}
        self.seen: set[Series] = set()

    def counts(self, *, calls: bool = False) -> dict[Series, float]:
        """All that is not 0; calls of services and of the database only if asked for."""
        order = {metric.name: [label.name for label in metric.labels] for metric in metrics.declared()}
        for update in self._buffer.retrieve_updates():
            if update.metric.name not in order:
                continue
            labels = (str(update.attributes[name]) for name in order[update.metric.name])
            series = (update.metric.name, *labels)
            self.seen.add(series)
            if update.metric.kind == 1:
                self._gauges[series] = float(update.value)
            else:
                self._sums[series] += update.value  # type: ignore[assignment]
        left_out = {
            metric.name for metric in metrics.declared() if metric.process is ExportingProcess.BOTH and not calls
        }
        all_values = {**self._sums, **self._gauges}
        return {series: value for series, value in all_values.items() if value and series[0] not in left_out}


@contextmanager
def metered(process: ExportingProcess = ExportingProcess.WORKER, kinds: Iterable[str] = ()) -> Iterator[Metered]:
    """This process counts as that one does inside the block."""
    buffer = MetricBuffer(100_000)
    metrics.begin(Runtime(telemetry=TelemetryConfig(metrics=buffer)).metric_meter, process, kinds)
    try:
        yield Metered(buffer)
    finally:
        metrics.end()
