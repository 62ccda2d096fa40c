"""The oracle of onboardings bites: one in which all is well passes, and each single lie in it is found and named."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from tests.faults.evidence import Call, OnboardingEvidence, PartRun
from tests.faults.oracle import Invariant, judge_onboarding, most_sends
from tests.faults.vendor import Entry
from workflows.model.notifications import NoticeAction, NotificationOrder
from workflows.model.views import OnboardingShow

BEGAN = datetime(2026, 12, 1, 9, tzinfo=UTC)
FIRST, SECOND = "signature-request:acme.1.1", "task:acme.2.1"
NEWS = NotificationOrder(key="k", stage="notice-hello", person="customer-signer", action=NoticeAction.OPEN)


def instant_after(seconds: float) -> datetime:
    return BEGAN + timedelta(seconds=seconds)


def part(id: str, workflow: str, ended_seconds: float) -> dict[str, Any]:
    return {
        "id": id,
        "title": id,
        "state": "done",
        "workflow": workflow,
        "since": instant_after(1),
        "at": instant_after(ended_seconds),
    }


SHOWN = {
    "id": "acme",
    "kind": "customer-onboarding",
    "title": "Acme",
    "requester": "account-executive",
    "customer": "customer-signer",
    "status": "done",
    "stages": [
        {"name": "agreements", "state": "done", "agreements": [part("terms", FIRST, 10)]},
        {"name": "set-up", "state": "done", "tasks": [part("account", SECOND, 20)]},
    ],
    "timeline": [{"at": instant_after(0), "what": "started"}, {"at": instant_after(21), "what": "done"}],
}


def push(request: str, stage: str, seconds: float, **changes: Any) -> Entry:
    sent: Entry = {
        "type": "push",
        "at": instant_after(seconds).isoformat(),
        "token": "customer-signer~1",
        "person": "customer-signer",
        "key": request,
        "visible": True,
        "data": {"request": request, "stage": stage},
    }
    return sent | changes


OWN = "customer-onboarding:acme"
LEDGER = (
    push(OWN, "notice-hello", 2),
    push("acme.1.1", "ready", 3),
    push("acme.1.1", "settled", 22),
    push(OWN, "settled", 22, person="account-executive", token="account-executive~1"),
    push("somebody-else", "ready", 30),
)
CALLS = (
    Call("deliver_notices", (NEWS,), instant_after(1), closed=True),
    Call("hand_off", (NEWS.replace(stage="settled", person="account-executive"),), instant_after(21), closed=True),
)
RUNS = (PartRun(FIRST, instant_after(1)), PartRun(SECOND, instant_after(11)))


def make_evidence(*further_entries: Entry, **changes: Any) -> OnboardingEvidence:
    view = OnboardingShow.model_validate(SHOWN | changes.pop("shown", {}))
    return replace(OnboardingEvidence(view, RUNS, CALLS, instant_after(21), LEDGER + further_entries), **changes)


def test_an_onboarding_in_which_all_is_well_passes() -> None:
    assert judge_onboarding(make_evidence()) == []
    assert most_sends(make_evidence()) == 1


BEGUN_TWICE = [
    *SHOWN["timeline"],
    {"at": instant_after(22), "what": "begun: terms"},
    {"at": instant_after(23), "what": "begun: terms"},
]
WRONG = {
    "a part begun twice": (make_evidence(parts=(*RUNS, PartRun(FIRST, instant_after(5)))), Invariant.PARTS),
    "a part that was lost": (make_evidence(parts=RUNS[:1]), Invariant.PARTS),
    "a stage before the one before": (
        make_evidence(parts=(RUNS[0], PartRun(SECOND, instant_after(9)))),
        Invariant.STAGES,
    ),
    "news twice in one attempt": (make_evidence(push(OWN, "notice-hello", 4)), Invariant.NOTICES),
    "news that nobody decided on": (make_evidence(push(OWN, "finished-account", 20)), Invariant.NOTICES),
    "two notices on a screen": (make_evidence(push(OWN, "notice-hello", 4, key="other")), Invariant.NOTICES),
    "a customer asked after the end": (make_evidence(push("acme.1.1", "reminder-1", 40)), Invariant.SILENCE),
    "a customer told after the end": (make_evidence(push(OWN, "begun-account", 40)), Invariant.SILENCE),
    "left pending": (make_evidence(calls=(replace(CALLS[0], closed=False), CALLS[1])), Invariant.HEALTH),
    "timeline goes back": (make_evidence(shown={"timeline": SHOWN["timeline"][::-1]}), Invariant.TRAIL),
    "two lines of one thing": (make_evidence(shown={"timeline": BEGUN_TWICE}), Invariant.TRAIL),
}


@pytest.mark.parametrize(("wrong", "invariant"), WRONG.values(), ids=WRONG)
def test_each_lie_about_an_onboarding_is_found(wrong: OnboardingEvidence, invariant: Invariant) -> None:
    assert invariant in {violation.invariant for violation in judge_onboarding(wrong)}


def test_news_may_be_sent_once_more_by_a_second_attempt_and_are_taken_back_after_the_end() -> None:
    repeated_calls = (replace(CALLS[0], attempts=2), CALLS[1])
    taken_back = push("acme.1.1", "ready", 40, visible=False)
    assert judge_onboarding(make_evidence(push(OWN, "notice-hello", 5), taken_back, calls=repeated_calls)) == []
    assert most_sends(make_evidence(push(OWN, "notice-hello", 5))) == 2
