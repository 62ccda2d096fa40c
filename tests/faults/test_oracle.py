"""The oracle bites: a run in which all is well passes, and each single lie in it is found and named."""

from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from temporalio.client import WorkflowExecutionStatus

from activities.records.devices import device_hash
from tests.faults.evidence import Call, Evidence, Fired, Life
from tests.faults.oracle import Invariant, judge, repeated_sends
from tests.faults.vendor import Entry
from workflows.model.notifications import NoticeAction, NotificationOrder
from workflows.model.subject import Status

# The shapes that the show is made of move between rooms; it is read here as other programs read it.
from workflows.model.views import RequestShow
from workflows.names import webhook_id

ID = "msa-0042"
BEGAN = datetime(2026, 12, 1, 9, tzinfo=UTC)
TOKEN = "chief-executive~1"


def at(seconds: float) -> str:
    return (BEGAN + timedelta(seconds=seconds)).isoformat()


def push(stage: str, seconds: float, **changes: Any) -> Entry:
    sent: Entry = {
        "type": "push",
        "at": at(seconds),
        "token": TOKEN,
        "person": "chief-executive",
        "key": "one-key",
        "visible": True,
        "data": {"request": ID, "stage": stage},
    }
    return sent | changes


def about(entry_type: str, seconds: float, **facts: Any) -> Entry:
    return {"type": entry_type, "at": at(seconds), "external_id": ID, **facts}


def finance(**changes: Any) -> Entry:
    call: Entry = {
        "type": "downstream",
        "at": at(11),
        "target": "finance",
        "headers": {"webhook-id": webhook_id(f"{ID}/handoff/finance")},
        "body": {"data": {"request": ID}},
        "raw": "{}",
    }
    return call | changes


LEDGER = (
    about("document_created", 1),
    about("request_created", 2),
    push("ready", 3),
    about("document_status", 10, status="si"),
    about("callback", 10, event="e-1", status=200, event_type="signed"),
    finance(),
)
KEY = webhook_id(f"{ID}/handoff/finance")
FINANCE = {"target": "finance", "state": "done", "attempts": 1, "at": at(11), "key": KEY}
DUE = FINANCE | {"state": "pending", "due_at": at(300)}
SHOWN = {
    "id": ID,
    "kind": "customer-contract",
    "status": "signed",
    "signers": [{"person": "chief-executive", "order": 1, "role": "sign", "state": "signed", "at": at(10)}],
    "notifications": [
        {
            "key": f"{ID}/ready/chief-executive",
            "stage": "ready",
            "person": "chief-executive",
            "channel": "push",
            "outcome": "accepted",
            "at": at(3),
            "devices": [{"device": device_hash(TOKEN), "outcome": "accepted"}],
        }
    ],
    "handoffs": [FINANCE],
    "timeline": [{"at": at(0), "what": "started"}, {"at": at(10), "what": "signed"}],
}
READY = NotificationOrder(key="k", stage="ready", person="chief-executive", action=NoticeAction.SIGN)


def life(**changes: Any) -> Life:
    told = Call("deliver_notices", (READY,), BEGAN + timedelta(seconds=3), closed=True)
    whole = Life(ID, "run-1", WorkflowExecutionStatus.COMPLETED, RequestShow.model_validate(SHOWN), (told,))
    return replace(whole, **changes)


def evidence(*more: Entry, without: Callable[[Entry], bool] = lambda _: False, **changes: Any) -> Evidence:
    ledger = tuple(entry for entry in LEDGER if not without(entry)) + more
    return Evidence({ID: "run-1"}, {ID: life(**changes)}, ledger)


def shown(**changes: Any) -> RequestShow:
    return RequestShow.model_validate(SHOWN | changes)


def test_a_run_in_which_all_is_well_passes() -> None:
    assert judge(evidence()) == []
    assert repeated_sends(evidence()) == 0


WRONG = {
    "lost start": (Evidence({ID: "run-1"}, {}, LEDGER), Invariant.STARTS),
    "another run": (evidence(run_id="run-2"), Invariant.STARTS),
    "stray document": (evidence(about("document_created", 1, external_id="stray")), Invariant.STARTS),
    "other outcome": (evidence(shown=shown(status="expired")), Invariant.OUTCOMES),
    "false signature": (evidence(without=lambda entry: entry["type"] == "document_status"), Invariant.TRUTH),
    "two documents": (evidence(about("document_created", 5)), Invariant.ONCE),
    "two requests": (evidence(about("request_created", 5)), Invariant.ONCE),
    "two notices on a screen": (evidence(push("ready", 4, key="other-key")), Invariant.NOTICES),
    "sent twice in one attempt": (evidence(push("ready", 4)), Invariant.NOTICES),
    "said to be sent": (evidence(without=lambda entry: entry["type"] == "push"), Invariant.NOTICES),
    "never told": (evidence(shown=shown(status="viewed", notifications=[])), Invariant.NOTICES),
    "reminded after the end": (evidence(push("reminder-1", 20)), Invariant.SILENCE),
    "two identities": (evidence(finance(headers={"webhook-id": "other"})), Invariant.HAND_OFF),
    "two bodies": (evidence(finance(raw='{"other": 1}')), Invariant.HAND_OFF),
    "done without a call": (evidence(without=lambda entry: entry["type"] == "downstream"), Invariant.HAND_OFF),
    "nobody downstream": (evidence(shown=shown(handoffs=[])), Invariant.HAND_OFF),
    "another key in a replay": (
        evidence(shown=shown(handoffs=[FINANCE, FINANCE | {"replay": 1, "key": "other"}])),
        Invariant.KEYS,
    ),
    "called with another key": (evidence(finance(headers={"webhook-id": "other"})), Invariant.KEYS),
    "pending without a timer": (
        evidence(shown=shown(handoffs=[DUE]), status=WorkflowExecutionStatus.RUNNING),
        Invariant.TIMERS,
    ),
    "pending and never due": (
        evidence(shown=shown(handoffs=[DUE | {"due_at": None}]), status=WorkflowExecutionStatus.RUNNING, timers=1),
        Invariant.TIMERS,
    ),
    "over too early": (
        evidence(fired=(Fired(BEGAN + timedelta(seconds=9), BEGAN + timedelta(seconds=8)),)),
        Invariant.CLOCKS,
    ),
    "in a log": (
        replace(evidence(), places={"log": f"sent to {TOKEN}"}, canaries=frozenset({TOKEN})),
        Invariant.PRIVACY,
    ),
    "acknowledged and lost": (evidence(heard=frozenset()), Invariant.CALLBACKS),
    "acknowledged and lost before the creation's answer": (
        evidence(
            about("callback", 1.5, event="e-0", status=200, event_type="viewed"),
            heard=frozenset({"e-1"}),
            closed=BEGAN + timedelta(seconds=30),
        ),
        Invariant.CALLBACKS,
    ),
    "failing task": (evidence(failed_tasks=("NonDeterminismError",)), Invariant.HEALTH),
    "left pending": (evidence(busy=True), Invariant.HEALTH),
    "failed workflow": (evidence(status=WorkflowExecutionStatus.FAILED), Invariant.HEALTH),
    "timeline goes back": (evidence(shown=shown(timeline=SHOWN["timeline"][::-1])), Invariant.TRAIL),
    "ended twice": (
        evidence(shown=shown(timeline=[{"at": at(1), "what": Status.EXPIRED}, {"at": at(2), "what": Status.SIGNED}])),
        Invariant.TRAIL,
    ),
}


@pytest.mark.parametrize(("wrong", "invariant"), WRONG.values(), ids=WRONG)
def test_each_lie_is_found(wrong: Evidence, invariant: Invariant) -> None:
    assert invariant in {violation.invariant for violation in judge(wrong)}


def test_what_is_pending_with_its_timer_passes() -> None:
    assert judge(evidence(shown=shown(handoffs=[DUE]), status=WorkflowExecutionStatus.RUNNING, timers=1)) == []


def test_what_is_heard_late_or_after_the_end_and_a_log_of_ids_pass() -> None:
    over = Fired(BEGAN + timedelta(seconds=9), BEGAN + timedelta(seconds=9))
    late = about("callback", 40, event="e-9", status=200, event_type="viewed")
    downloaded = about("callback", 5, event="e-3", status=200, event_type="downloaded")
    run = evidence(
        late,
        downloaded,
        fired=(over,),
        heard=frozenset({"e-1"}),
        closed=BEGAN + timedelta(seconds=30),
    )
    assert judge(replace(run, places={"log": f"told {ID}"}, canaries=frozenset({TOKEN}))) == []


def test_a_second_attempt_may_send_once_more() -> None:
    told = Call("deliver_notices", (READY,), BEGAN + timedelta(seconds=3), attempts=2, closed=True)
    twice = evidence(push("ready", 30), calls=(told,))
    assert judge(twice) == []
    assert repeated_sends(twice) == 1
