"""When a push was due, and which lateness a fault explains."""

from datetime import UTC, datetime, timedelta
from typing import Any

from tests.faults.vendor import Entry
from tests.soak.lateness import (
    FaultWindow,
    Lateness,
    TimedPush,
    measure_lateness,
    percentile,
    select_quiet,
    time_pushes,
)

BEGAN = datetime(2026, 12, 1, 9, tzinfo=UTC)
SIGNERS = {"soak-1": ("colleague-01", "colleague-02")}


def at(seconds: float) -> datetime:
    return BEGAN + timedelta(seconds=seconds)


def make_entry(entry_type: str, seconds: float, **facts: Any) -> Entry:
    return {"type": entry_type, "at": at(seconds).isoformat(), "external_id": "soak-1", **facts}


def make_push(stage: str, person: str, seconds: float, device: int = 1, request: str = "soak-1") -> Entry:
    data = {"request": request, "stage": stage}
    token = f"{person}~{device}"
    return {
        "type": "push",
        "at": at(seconds).isoformat(),
        "person": person,
        "token": token,
        "visible": True,
        "data": data,
    }


def make_timed(due_after: float, sent_after: float) -> TimedPush:
    return TimedPush("soak-1", "colleague-01", "ready", at(due_after), at(sent_after))


def test_each_stage_is_due_when_its_cause_happens() -> None:
    entries = [
        make_entry("request_created", 1),
        make_push("ready", "colleague-01", 2),
        make_push("ready", "colleague-01", 3, device=2),
        make_push("reminder-1", "colleague-01", 60.5),
        make_entry("signer_signed", 70),
        make_push("ready", "colleague-02", 74),
        make_entry("signer_signed", 100),
        make_entry("document_status", 100, status="si"),
        make_push("settled", "colleague-03", 101.5),
    ]
    timers = {"soak-1": [at(60), at(90)]}
    late = [(push.stage, push.seconds_late) for push in time_pushes(entries, SIGNERS, timers)]
    assert late == [("ready", 1), ("ready", 2), ("reminder-1", 0.5), ("ready", 4), ("settled", 1.5)]


def test_a_repeated_send_counts_once_and_a_push_of_unknown_cause_is_left_out() -> None:
    entries = [
        make_push("ready", "colleague-01", 0, request="other"),
        make_push("reminder-1", "colleague-01", 1),
        make_entry("request_created", 1),
        make_push("ready", "colleague-01", 2),
        make_push("ready", "colleague-01", 9),
        make_push("ready", "stranger", 9),
    ]
    assert time_pushes(entries, SIGNERS, {}) == [make_timed(1, 2)]


def test_what_waited_in_a_fault_or_fell_due_in_the_minute_after_it_is_not_quiet() -> None:
    window = FaultWindow("worker-1", at(100), at(110))
    before, waited = make_timed(90, 99), make_timed(90, 101)
    settling, after = make_timed(169, 170), make_timed(171, 180)
    assert select_quiet([before, waited, settling, after], [window]) == [before, after]


def test_lateness_has_median_ninety_ninth_percentile_and_maximum() -> None:
    pushes = [make_timed(0, seconds) for seconds in range(1, 101)]
    assert measure_lateness(pushes) == Lateness(100, 50, 99, 100)
    assert measure_lateness([]) is None
    assert percentile([7], 0.99) == 7
