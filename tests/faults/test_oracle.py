"""The oracle bites: a run in which all is well passes, and each single lie in it is found and named."""

from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from temporalio.client import WorkflowExecutionStatus

from activities.records.devices import device_hash
from tests.faults.evidence import Call, Evidence, Fired, RequestEvidence
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


def instant_after(seconds: float) -> str:
    return (BEGAN + timedelta(seconds=seconds)).isoformat()


def push(stage: str, seconds: float, **changes: Any) -> Entry:
    sent: Entry = {
        "type": "push",
        "at": instant_after(seconds),
        "token": TOKEN,
        "person": "chief-executive",
        "key": "one-key",
        "visible": True,
        "data": {"request": ID, "stage": stage},
    }
    return sent | changes


def entry_about(entry_type: str, seconds: float, **facts: Any) -> Entry:
    return {"type": entry_type, "at": instant_after(seconds), "external_id": ID, **facts}


def finance(**changes: Any) -> Entry:
    call: Entry = {
        "type": "downstream",
        "at": instant_after(11),
        "target": "finance",
        "headers": {"webhook-id": webhook_id(f"{ID}/handoff/finance")},
        "body": {"data": {"request": ID}},
        "raw": "{}",
    }
    return call | changes


LEDGER = (
    entry_about("document_created", 1),
    entry_about("request_created", 2),
    push("ready", 3),
    entry_about("document_status", 10, status="si"),
    entry_about("callback", 10, event="e-1", status=200, event_type="signed"),
    finance(),
)
KEY = webhook_id(f"{ID}/handoff/finance")
FINANCE = {"target": "finance", "state": "done", "attempts": 1, "at": instant_after(11), "key": KEY}
DUE = FINANCE | {"state": "pending", "due_at": instant_after(300)}
SHOWN = {
    "id": ID,
    "kind": "customer-contract",
    "status": "signed",
    "signers": [{"person": "chief-executive", "order": 1, "role": "sign", "state": "signed", "at": instant_after(10)}],
    "notifications": [
        {
            "key": f"{ID}/ready/chief-executive",
            "stage": "ready",
            "person": "chief-executive",
            "channel": "push",
            "outcome": "accepted",
            "at": instant_after(3),
            "devices": [{"device": device_hash(TOKEN), "outcome": "accepted"}],
        }
    ],
    "handoffs": [FINANCE],
    "timeline": [{"at": instant_after(0), "what": "started"}, {"at": instant_after(10), "what": "signed"}],
}
READY = NotificationOrder(key="k", stage="ready", person="chief-executive", action=NoticeAction.SIGN)


def life(**changes: Any) -> RequestEvidence:
    call = Call("deliver_notices", (READY,), BEGAN + timedelta(seconds=3), closed=True)
    default_life = RequestEvidence(
        ID, "run-1", WorkflowExecutionStatus.COMPLETED, RequestShow.model_validate(SHOWN), (call,)
    )
    return replace(default_life, **changes)


def evidence(
    *further_entries: Entry, is_excluded: Callable[[Entry], bool] = lambda _: False, **changes: Any
) -> Evidence:
    ledger = tuple(entry for entry in LEDGER if not is_excluded(entry)) + further_entries
    return Evidence({ID: "run-1"}, {ID: life(**changes)}, ledger)


def make_view(**changes: Any) -> RequestShow:
    return RequestShow.model_validate(SHOWN | changes)


def test_a_run_in_which_all_is_well_passes() -> None:
    assert judge(evidence()) == []
    assert repeated_sends(evidence()) == 0


WRONG = {
    "lost start": (Evidence({ID: "run-1"}, {}, LEDGER), Invariant.STARTS),
    "another run": (evidence(run_id="run-2"), Invariant.STARTS),
    "stray document": (evidence(entry_about("document_created", 1, external_id="stray")), Invariant.STARTS),
    "other outcome": (evidence(view=make_view(status="expired")), Invariant.OUTCOMES),
    "false signature": (evidence(is_excluded=lambda entry: entry["type"] == "document_status"), Invariant.TRUTH),
    "two documents": (evidence(entry_about("document_created", 5)), Invariant.ONCE),
    "two requests": (evidence(entry_about("request_created", 5)), Invariant.ONCE),
    "two notices on a screen": (evidence(push("ready", 4, key="other-key")), Invariant.NOTICES),
    "sent twice in one attempt": (evidence(push("ready", 4)), Invariant.NOTICES),
    "said to be sent": (evidence(is_excluded=lambda entry: entry["type"] == "push"), Invariant.NOTICES),
    "never told": (evidence(view=make_view(status="viewed", notifications=[])), Invariant.NOTICES),
    "reminded after the end": (evidence(push("reminder-1", 20)), Invariant.SILENCE),
    "two identities": (evidence(finance(headers={"webhook-id": "other"})), Invariant.HAND_OFF),
    "two bodies": (evidence(finance(raw='{"other": 1}')), Invariant.HAND_OFF),
    "done without a call": (evidence(is_excluded=lambda entry: entry["type"] == "downstream"), Invariant.HAND_OFF),
    "nobody downstream": (evidence(view=make_view(handoffs=[])), Invariant.HAND_OFF),
    "another key in a replay": (
        evidence(view=make_view(handoffs=[FINANCE, FINANCE | {"replay": 1, "key": "other"}])),
        Invariant.KEYS,
    ),
    "called with another key": (evidence(finance(headers={"webhook-id": "other"})), Invariant.KEYS),
    "pending without a timer": (
        evidence(view=make_view(handoffs=[DUE]), status=WorkflowExecutionStatus.RUNNING),
        Invariant.TIMERS,
    ),
    "pending and never due": (
        evidence(view=make_view(handoffs=[DUE | {"due_at": None}]), status=WorkflowExecutionStatus.RUNNING, timers=1),
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
            entry_about("callback", 1.5, event="e-0", status=200, event_type="viewed"),
            heard=frozenset({"e-1"}),
            closed=BEGAN + timedelta(seconds=30),
        ),
        Invariant.CALLBACKS,
    ),
    "failing task": (evidence(failed_tasks=("NonDeterminismError",)), Invariant.HEALTH),
    "left pending": (evidence(busy=True), Invariant.HEALTH),
    "failed workflow": (evidence(status=WorkflowExecutionStatus.FAILED), Invariant.HEALTH),
    "timeline goes back": (evidence(view=make_view(timeline=SHOWN["timeline"][::-1])), Invariant.TRAIL),
    "ended twice": (
        evidence(
            view=make_view(
                timeline=[
                    {"at": instant_after(1), "what": Status.EXPIRED},
                    {"at": instant_after(2), "what": Status.SIGNED},
                ]
            )
        ),
        Invariant.TRAIL,
    ),
}


@pytest.mark.parametrize(("wrong", "invariant"), WRONG.values(), ids=WRONG)
def test_each_lie_is_found(wrong: Evidence, invariant: Invariant) -> None:
    assert invariant in {violation.invariant for violation in judge(wrong)}


def test_what_is_pending_with_its_timer_passes() -> None:
    assert judge(evidence(view=make_view(handoffs=[DUE]), status=WorkflowExecutionStatus.RUNNING, timers=1)) == []


def test_what_is_heard_late_or_after_the_end_and_a_log_of_ids_pass() -> None:
    timer = Fired(BEGAN + timedelta(seconds=9), BEGAN + timedelta(seconds=9))
    late = entry_about("callback", 40, event="e-9", status=200, event_type="viewed")
    downloaded = entry_about("callback", 5, event="e-3", status=200, event_type="downloaded")
    run = evidence(
        late,
        downloaded,
        fired=(timer,),
        heard=frozenset({"e-1"}),
        closed=BEGAN + timedelta(seconds=30),
    )
    assert judge(replace(run, places={"log": f"told {ID}"}, canaries=frozenset({TOKEN}))) == []


def test_a_second_attempt_may_send_once_more() -> None:
    call = Call("deliver_notices", (READY,), BEGAN + timedelta(seconds=3), attempts=2, closed=True)
    twice = evidence(push("ready", 30), calls=(call,))
    assert judge(twice) == []
    assert repeated_sends(twice) == 1
