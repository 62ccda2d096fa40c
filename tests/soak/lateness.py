"""How late notifications are pushed: the ledger's instant of each push compared with that at which it was due. Pure."""

import math
from bisect import bisect_right
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from tests.faults.vendor import Entry, instant

SETTLING: Final = timedelta(seconds=60)
"""After a fault, in which lateness is its consequence."""
_ENDINGS: Final = ("si", "de")


@dataclass(frozen=True)
class TimedPush:
    """The first push of a notification about a request to one device of a person."""

    request: str
    person: str
    stage: str
    due_at: datetime
    sent_at: datetime

    @property
    def seconds_late(self) -> float:
        return (self.sent_at - self.due_at).total_seconds()


@dataclass(frozen=True)
class FaultWindow:
    """From the death of a part until it did its work again."""

    part: str
    began_at: datetime
    ended_at: datetime

    def touches(self, push: TimedPush) -> bool:
        """Whether a push waited, or became due, during the fault or while its consequences settled."""
        return push.sent_at >= self.began_at and push.due_at <= self.ended_at + SETTLING


@dataclass(frozen=True)
class Lateness:
    """Of `count` pushes, in seconds."""

    count: int
    median: float
    p99: float
    most: float


def time_pushes(
    entries: Iterable[Entry],
    signers_by_request: Mapping[str, Sequence[str]],
    timers_by_request: Mapping[str, Sequence[datetime]],
) -> list[TimedPush]:
    """The pushes of requests with signers in order, of whose stages it is known when they were due.

    `ready` is due when the signer's turn begins at the provider, a reminder when its timer was set to end
    (`timers_by_request`: of each request when its ended timers were due, sorted), the news of the end when the document
    was signed or declined at the provider.
    """
    turns: defaultdict[str, list[datetime]] = defaultdict(list)
    ends: dict[str, datetime] = {}
    pushes: dict[tuple[str, str, str], Entry] = {}
    for entry in entries:
        match entry["type"]:
            case "request_created" | "signer_signed":
                turns[entry["external_id"]].append(instant(entry))
            case "document_status" if entry["status"] in _ENDINGS:
                ends[entry["external_id"]] = instant(entry)
            case "push" if entry["visible"]:
                pushes.setdefault((entry["data"].get("request", ""), entry["data"]["stage"], entry["token"]), entry)
    timed_pushes = []
    for (request, stage, _), push in pushes.items():
        sent_at, due_at = instant(push), None
        signers = signers_by_request.get(request, ())
        if stage == "ready" and push["person"] in signers:
            due_at = dict(zip(signers, turns[request], strict=False)).get(push["person"])
        elif stage.startswith("reminder"):
            timers = timers_by_request.get(request, ())
            number = bisect_right(timers, sent_at)
            due_at = timers[number - 1] if number else None
        elif request in ends and ends[request] <= sent_at:
            due_at = ends[request]
        if due_at is not None:
            timed_pushes.append(TimedPush(request, push["person"], stage, due_at, sent_at))
    return timed_pushes


def select_quiet(pushes: Iterable[TimedPush], windows: Sequence[FaultWindow]) -> list[TimedPush]:
    """Those that no fault has touched."""
    return [push for push in pushes if not any(window.touches(push) for window in windows)]


def measure_lateness(pushes: Iterable[TimedPush]) -> Lateness | None:
    """None without a push."""
    seconds = sorted(push.seconds_late for push in pushes)
    if not seconds:
        return None
    return Lateness(len(seconds), percentile(seconds, 0.5), percentile(seconds, 0.99), seconds[-1])


def percentile(sorted_numbers: Sequence[float], share: float) -> float:
    """The smallest number that this share of them does not exceed."""
    return sorted_numbers[max(0, math.ceil(share * len(sorted_numbers)) - 1)]
