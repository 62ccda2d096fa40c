"""The metrics of this application: each declared once, with all values of its labels (docs/metrics.md).

Exported by Temporal's Core, which adds `_total` to counters and the unit to histograms. Before `begin`, as in
commands, nothing is counted.
"""

import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from enum import StrEnum
from itertools import product
from typing import Any, Final

from temporalio.common import MetricMeter

from activities.alerts import OF_INCIDENTS
from workflows.model.hand_off import HandoffState
from workflows.model.notifications import Channel, NotificationOutcome
from workflows.model.subject import Code, Status
from workflows.model.views import AttentionCode
from workflows.names import LATENESS

OTHER: Final = "other"
"""The value of a label for whatever is beyond its bound."""
KINDS_AT_MOST: Final = 40
"""Kinds of the catalogue that are told apart."""
SERVICES_AT_MOST: Final = 10
"""Services that are told apart."""
WORDS_AT_MOST: Final = 24
"""Operations, or answers, that are told apart."""
SECONDS: Final = "seconds"
HOUR: Final = 3600
DAY: Final = 24 * HOUR
CODES: Final = (*(code for code in Code if not code.terminal), *AttentionCode)
_DAYS: Final = (HOUR, 4 * HOUR, 8 * HOUR, *(days * DAY for days in (1, 2, 3, 5, 7, 10, 14, 21, 30, 60, 90)))


class ExportingProcess(StrEnum):
    """Which process exports a metric."""

    WORKER = "worker"
    WEB = "web"
    BOTH = "both"


class Label:
    """A label that takes its known values, and further ones until there are `most`; then each is `OTHER`."""

    def __init__(self, name: str, known_values: Iterable[str] = (), limit: int = 0) -> None:
        self.name = name
        self._always = tuple(map(str, known_values))
        self._known_values = dict.fromkeys(self._always)
        self.limit = limit or len(self._known_values)

    @property
    def known_values(self) -> tuple[str, ...]:
        return tuple(self._known_values)

    def forget(self) -> None:
        """Know only what is always known."""
        self._known_values = dict.fromkeys(self._always)

    def value(self, text: str) -> str:
        text = str(text)
        if text not in self._known_values:
            if len(self._known_values) >= self.limit:
                return OTHER
            self._known_values[text] = None
        return text


@dataclass(eq=False)
class Metric:
    """A metric of this name in code; `exported` is its name at Prometheus."""

    name: str
    says: str
    labels: tuple[Label, ...] = ()
    process: ExportingProcess = ExportingProcess.WORKER
    unit: str | None = None
    first: tuple[tuple[str, ...], ...] = ()
    """The values with which it is exported at 0, where these are not all combinations."""
    bound: Any = field(default=None, repr=False)
    """The instrument, in a process that exports."""

    def __post_init__(self) -> None:
        _ALL[self.name] = self

    @property
    def exported(self) -> str:
        return "_".join(filter(None, (self.name, self.unit)))

    @property
    def series_at_most(self) -> int:
        """How many combinations of labels it may have."""
        combinations = 1
        for label in self.labels:
            combinations *= label.limit + 1
        return combinations

    def begin(self, meter: MetricMeter) -> None:
        """Take the instrument from the meter, and export what is known at 0."""
        raise NotImplementedError

    def values(self, label_values: Mapping[str, str]) -> dict[str, str]:
        return {label.name: label.value(label_values[label.name]) for label in self.labels}

    def list_series(self) -> Iterable[dict[str, str]]:
        names = [label.name for label in self.labels]
        series = self.first or product(*(label.known_values for label in self.labels))
        return (dict(zip(names, label_values, strict=True)) for label_values in series)


def declared() -> tuple[Metric, ...]:
    return tuple(_ALL.values())


_ALL: Final[dict[str, Metric]] = {}


class Counter(Metric):
    @property
    def exported(self) -> str:
        return f"{super().exported}_total"

    def begin(self, meter: MetricMeter) -> None:
        self.bound = meter.create_counter(self.name, self.says, self.unit)
        for values in self.list_series():
            self.bound.add(0, values)

    def add(self, count: int = 1, /, **labels: str) -> None:
        if self.bound is not None:
            self.bound.add(count, self.values(labels))


class Gauge(Metric):
    """What is so now. Whatever a later `set_all` does not have is 0."""

    def begin(self, meter: MetricMeter) -> None:
        self.bound = meter.create_gauge(self.name, self.says, self.unit)
        self.set_all({})

    def set_all(self, counts: Mapping[tuple[str, ...], int]) -> None:
        """Values by the values of the labels, in their order."""
        if self.bound is None:
            return
        sums: dict[tuple[str, ...], int] = {tuple(values.values()): 0 for values in self.list_series()}
        for label_values, count in counts.items():
            key = tuple(label.value(value) for label, value in zip(self.labels, label_values, strict=True))
            sums[key] = sums.get(key, 0) + count
        for key, count in sums.items():
            self.bound.set(count, dict(zip((label.name for label in self.labels), key, strict=True)))


@dataclass(eq=False)
class Histogram(Metric):
    """Of durations in seconds. It has no series before its first value: Core exports none of an empty one."""

    unit: str | None = SECONDS
    buckets: Sequence[float] = ()

    def begin(self, meter: MetricMeter) -> None:
        self.bound = meter.create_histogram_float(self.name, self.says, self.unit)

    def record(self, seconds: float, /, **labels: str) -> None:
        if self.bound is not None:
            self.bound.record(max(0.0, seconds), self.values(labels))

    @contextmanager
    def measured(self, **labels: str) -> Iterator[None]:
        """Record how long the block takes, however it ends."""
        began = time.monotonic()
        try:
            yield
        finally:
            self.record(time.monotonic() - began, **labels)


class Effect(StrEnum):
    """What a signer heard before signing, the most urgent of it."""

    NOTHING = "nothing"
    REMINDER = "reminder"
    WARNING = "warning"
    ESCALATION = "escalation"


class Holder(StrEnum):
    """Who has the ball: for whom it waits."""

    SIGNER = "signer"
    """Whoever is asked: of a task its assignees."""
    REVIEWER = "reviewer"
    REQUESTER = "requester"
    """A question waits for their answer, or somebody cannot go on."""
    US = "us"
    """It is paused, or something of ours is wrong."""
    PROVIDER = "provider"
    """Core Signature prepares the document, or does not answer."""


class Brought(StrEnum):
    """What came after an escalation."""

    ALTERNATE = "alternate"
    """Who was asked or alerted has acted."""
    SIGNER = "signer"
    """Whoever had been silent has acted after all."""
    NOBODY = "nobody"
    """It ended otherwise."""


class CallResult(StrEnum):
    """What became of a call to a service."""

    DONE = "done"
    NOT_FOUND = "not_found"
    REFUSED = "refused"
    UNAUTHORISED = "unauthorised"
    LIMITED = "limited"
    FAILED = "failed"
    NO_ANSWER = "no_answer"
    NOT_CALLED = "not_called"


class TargetKind(StrEnum):
    """How a target is notified."""

    HTTP = "http"
    WORKFLOW = "workflow"
    START = "start"
    NEXUS = "nexus"
    GROUP = "group"
    PERSON = "person"


KIND: Final = Label("kind", limit=KINDS_AT_MOST)
STARTED: Final = Counter("countersign_started", "Follow-ups that were started", (KIND,))
_ENDINGS: Final = Label("outcome", (status for status in Status if status.has_ended))
SETTLED: Final = Counter("countersign_settled", "Follow-ups that ended, by their outcome", (KIND, _ENDINGS))
_STATES: Final = Label("state", (status for status in Status if not status.has_ended))
OPEN: Final = Gauge("countersign_open", "Follow-ups that are open, by their status", (KIND, _STATES))
_AFTER: Final = Label("after", Effect)
SIGNED: Final = Counter(
    "countersign_signed", "Requests that were signed by all, by the strongest notice that came before", (KIND, _AFTER)
)
TIME_TO_SIGN: Final = Histogram(
    "countersign_time_to_sign",
    "From the start of a request until it was signed by all, by the strongest notice that came before",
    (KIND, _AFTER),
    buckets=_DAYS,
)
TIME_TO_END: Final = Histogram(
    "countersign_time_to_end",
    "From the start of a follow-up until the last of its people acted, else until it ended, by its outcome",
    (KIND, _ENDINGS),
    buckets=(4 * HOUR, *(days * DAY for days in (1, 3, 7, 30, 90))),
)
LATE_ENDINGS: Final = Counter(
    "countersign_settled_late", "Follow-ups that were signed or done after their due date", (KIND,)
)
WAITED: Final = Counter(
    "countersign_waited_seconds",  # Core adds no unit to the name of a counter
    "For whom follow-ups that have ended had waited how long, in seconds",
    (KIND, Label("holder", Holder)),
)
ESCALATIONS_BROUGHT: Final = Counter(
    "countersign_escalations_brought",
    "Follow-ups that were escalated and have ended, by who acted then: the alternate, the silent signer, or nobody",
    (KIND, Label("by", Brought)),
)
REMINDERS: Final = Counter("countersign_reminders", "Reminders that reached a person", (KIND,))
WARNINGS: Final = Counter("countersign_warnings", "Last warnings that reached a person", (KIND,))
ESCALATIONS: Final = Counter(
    "countersign_escalations",
    "Escalations: somebody else was alerted, or asked instead",
    (KIND, Label("action", ("notify", "reassign"))),
)
NOTIFICATIONS: Final = Counter(
    "countersign_notifications",
    "Notifications, by their outcome",
    (Label("channel", Channel), Label("outcome", NotificationOutcome)),
)
LATE: Final = Histogram(
    LATENESS,
    "From the planned instant of a notification until it was sent",
    buckets=(1, 5, 10, 30, 60, 120, 300, 900, HOUR, 6 * HOUR, DAY),
)
"""Recorded by the workflow, with its replay-safe meter."""
CALLBACKS: Final = Counter(
    "countersign_callbacks",
    "Callbacks of Core Signature, by our answer",
    (Label("answer", limit=WORDS_AT_MOST),),
    ExportingProcess.WEB,
)
HOOKS: Final = Counter(
    "countersign_hooks",
    "Calls that begin onboardings, by our answer",
    (Label("answer", limit=WORDS_AT_MOST),),
    ExportingProcess.WEB,
)
DEVICES: Final = Counter(
    "countersign_devices",
    "Calls that register phones or report events, by our answer",
    (Label("answer", limit=WORDS_AT_MOST),),
    ExportingProcess.WEB,
)
APP_EVENTS: Final = Counter(
    "countersign_app_events",
    "What the app reported of its notifications, by what became of it",
    (Label("outcome", ("noted", "repeated", "old", "unknown")),),
    ExportingProcess.WEB,
)
CODEC_CALLS: Final = Counter(
    "countersign_codec_calls",
    "Calls of the Web UI and the command line that have payloads decoded, by our answer",
    (Label("answer", limit=WORDS_AT_MOST),),
    process=ExportingProcess.WEB,
)
HAND_OFFS: Final = Gauge(
    "countersign_hand_offs",
    "Follow-ups that hand off, or wait for a retry; hand-offs that were given up in the last day",
    (Label("state", (HandoffState.PENDING, HandoffState.DEAD)),),
)
HAND_OFF_ATTEMPTS: Final = Counter(
    "countersign_hand_off_attempts",
    "Attempts to notify a target",
    (Label("way", TargetKind), Label("outcome", ("done", "failed", "gone", "held"))),
)
MENDS: Final = Counter(
    "countersign_reconciliation_mends", "Requests that reconciliation notified of an event whose callback was lost"
)
PROBLEMS: Final = Gauge(
    "countersign_problems", "Open follow-ups with a problem, or that need a person", (Label("code", CODES),)
)
INCIDENTS: Final = Gauge(
    "countersign_incidents",
    "Open incidents of which on-call was notified, by alert (docs/runbook.md)",
    (Label("alert", (alert.name for alert in OF_INCIDENTS)),),
)
COUNTED_AT: Final = Gauge("countersign_counted_timestamp_seconds", "When the gauges were counted, in Unix time")
"""Of a gauge Core exports no unit, so that its name has it."""
_SERVICE: Final = Label("service", limit=SERVICES_AT_MOST)
_OPERATION: Final = Label("operation", limit=WORDS_AT_MOST)
PROVIDER_CALLS: Final = Counter(
    "countersign_provider_calls",
    "Calls to Core Signature and to push services",
    (_SERVICE, _OPERATION, Label("outcome", CallResult)),
    ExportingProcess.BOTH,
    first=tuple(("Core Signature", "read_document", result) for result in CallResult),
)
PROVIDER_CALL: Final = Histogram(
    "countersign_provider_call_duration",
    "How long a call took",
    (_SERVICE, _OPERATION),
    ExportingProcess.BOTH,
    buckets=(0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 20, 40),
)
PROVIDER_WAIT: Final = Histogram(
    "countersign_provider_rate_wait",
    "How long a call waited for its turn",
    (_SERVICE,),
    ExportingProcess.BOTH,
    buckets=(0.01, 0.1, 0.5, 1, 2, 5, 10, 30, 60),
)
STATEMENTS: Final = Counter(
    "countersign_database_statements",
    "Statements to the database",
    (Label("outcome", ("done", "failed")),),
    ExportingProcess.BOTH,
)
STATEMENT: Final = Histogram(
    "countersign_database_statement_duration",
    "How long a statement to the database took",
    process=ExportingProcess.BOTH,
    buckets=(0.001, 0.005, 0.01, 0.05, 0.1, 0.5, 1, 2, 5),
)
DATABASE_AWAY: Final = Counter(
    "countersign_database_away", "Calls that failed because the database was away", process=ExportingProcess.BOTH
)


def begin(meter: MetricMeter, process: ExportingProcess, kinds: Iterable[str] = ()) -> None:
    """Export this process's metrics from now on, if the meter exports any; `kinds` are those of the catalogue."""
    if meter is MetricMeter.noop:
        return
    for kind in kinds:
        KIND.value(kind)
    for metric in declared():
        if metric.process in (process, ExportingProcess.BOTH):
            metric.begin(meter)


def exported_here() -> bool:
    """Whether this process exports metrics."""
    return any(metric.bound is not None for metric in declared())


def end() -> None:
    """Count nothing any more, and forget what labels have learnt."""
    for metric in declared():
        metric.bound = None
        for label in metric.labels:
            label.forget()


def buckets() -> dict[str, Sequence[float]]:
    """The upper bounds of each histogram, by its name in code."""
    return {metric.name: metric.buckets for metric in declared() if isinstance(metric, Histogram)}
