"""What becomes of a call from outside, whoever calls: the answer's status, and the reason it is counted under."""

from enum import Enum

from temporalio.common import MetricMeter


class CallOutcome(Enum):
    """Each kind of call has its own; a reason stands in metrics, so it says nothing of the call."""

    def __init__(self, status: int, reason: str) -> None:
        self.status = status
        self.reason = reason

    @property
    def accepted(self) -> bool:
        """Whether the caller is told that all is well."""
        return self.status < 300


class CallCounter:
    """Counts calls by what they came to; labels are the reasons and nothing else. `of` is `webhook` for callbacks."""

    def __init__(self, meter: MetricMeter, of: str = "webhook") -> None:
        self._accepted = meter.create_counter(f"countersign_{of}_accepted_total", "Calls answered 2xx, by reason")
        self._rejected = meter.create_counter(f"countersign_{of}_rejected_total", "Calls refused, by reason")

    def count(self, outcome: CallOutcome) -> None:
        """One more of these."""
        counter = self._accepted if outcome.accepted else self._rejected
        counter.add(1, {"reason": outcome.reason})
