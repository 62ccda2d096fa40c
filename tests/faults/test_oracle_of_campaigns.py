"""The oracle of campaigns bites: one in which all is well passes, and each single lie in it is found and named."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from activities.records.outcomes import MemberOutcome
from tests.faults.evidence import Call, CampaignEvidence, PartRun
from tests.faults.oracle import Invariant, judge_campaign, most_sends
from tests.faults.vendor import Entry
from tests.lines import counted
from workflows.model.views import CampaignShow

BEGAN = datetime(2026, 12, 1, 9, tzinfo=UTC)
ADA, BO, CAS = "conduct.ada", "conduct.bo", "conduct.cas"


def instant_after(seconds: float) -> datetime:
    return BEGAN + timedelta(seconds=seconds)


def line(row: int, person: str, status: str, **fields: Any) -> MemberOutcome:
    request = "" if status == "errors" else f"conduct.{person}"
    return MemberOutcome(row, person, request, status, **fields)


LINES = (
    line(1, "ada", "acknowledged", signed_at=instant_after(10).isoformat()),
    line(2, "bo", "declined"),
    line(3, "cas", "expired"),
    line(4, "dee", "errors", reason="is wrong"),
    line(5, "eve", "exempt"),
    line(6, "fay", "not_started"),
)


def entry_about(entry_type: str, request: str, seconds: float, **facts: Any) -> Entry:
    return {"type": entry_type, "at": instant_after(seconds).isoformat(), "external_id": request, **facts}


def push(request: str, stage: str, seconds: float, **changes: Any) -> Entry:
    person = request.partition(".")[2]
    sent: Entry = {
        "type": "push",
        "at": instant_after(seconds).isoformat(),
        "token": f"{person}~1",
        "person": person,
        "key": request,
        "visible": True,
        "data": {"request": request, "stage": stage},
    }
    return sent | changes


LEDGER = (
    *(entry_about("document_created", person, 1) for person in (ADA, BO, CAS)),
    *(push(person, "ready", 2) for person in (ADA, BO)),
    entry_about("mail", CAS, 2, kind="sign"),
    entry_about("document_status", ADA, 10, status="si"),
    entry_about("document_status", BO, 11, status="de"),
    entry_about("document_status", CAS, 12, status="ca"),
    push(ADA, "settled", 60),
)
RUNS = tuple(PartRun(f"signature-request:{person}", instant_after(1)) for person in (ADA, BO, CAS))


def make_evidence(*further_entries: Entry, **changes: Any) -> CampaignEvidence:
    lines = changes.get("lines", LINES)
    view_fields = {
        "id": "conduct",
        "kind": "policy-acknowledgement",
        "title": "Code of conduct",
        "requester": "compliance-desk",
        "status": "done_with_errors",
        "opens_at": instant_after(0),
        "due": "2026-12-15",
        "frozen": {"sha256": "ab" * 32, "rows": 6, "errors": 1, "at": instant_after(0)},
        "counts": counted(lines),
        "timeline": [
            {"at": instant_after(0), "what": "started"},
            {"at": instant_after(50), "what": "done_with_errors"},
        ],
        **changes.pop("shown", {}),
    }
    is_excluded = changes.pop("without", lambda entry: False)
    ledger = tuple(entry for entry in LEDGER if not is_excluded(entry)) + further_entries
    default_evidence = CampaignEvidence(
        CampaignShow.model_validate(view_fields),
        lines,
        RUNS,
        calls=(Call("run_batch", (), instant_after(0), closed=True),),
    )
    return replace(default_evidence, ledger=ledger, **changes)


def lines(index: int, **changes: Any) -> tuple[MemberOutcome, ...]:
    return (*LINES[:index], LINES[index]._replace(**changes), *LINES[index + 1 :])


def test_a_campaign_in_which_all_is_well_passes() -> None:
    assert judge_campaign(make_evidence()) == []
    assert most_sends(make_evidence()) == 1


WRONG = {
    "asked by two workflows": (make_evidence(runs=(*RUNS, RUNS[0])), Invariant.AUDIENCE),
    "two documents": (make_evidence(entry_about("document_created", ADA, 3)), Invariant.AUDIENCE),
    "no workflow": (make_evidence(runs=RUNS[1:]), Invariant.AUDIENCE),
    "no document": (make_evidence(without=lambda entry: entry["type"] == "document_created"), Invariant.AUDIENCE),
    "never told": (make_evidence(without=lambda entry: entry["type"] == "push"), Invariant.AUDIENCE),
    "a notice taken back at once": (
        make_evidence(lines=LINES[:2], without=lambda entry: entry["type"] == "push"),
        Invariant.AUDIENCE,
    ),
    "a faulty row that was asked": (make_evidence(lines=lines(2, status="not_started")), Invariant.AUDIENCE),
    "a stranger": (
        make_evidence(runs=(*RUNS, PartRun("signature-request:conduct.zoe", instant_after(2)))),
        Invariant.AUDIENCE,
    ),
    "a stranger's document": (make_evidence(entry_about("document_created", "conduct.zoe", 3)), Invariant.AUDIENCE),
    "a stranger who was told": (make_evidence(push("conduct.zoe", "ready", 3)), Invariant.AUDIENCE),
    "told twice without a death": (make_evidence(push(ADA, "ready", 3)), Invariant.NOTICES),
    "two notices on a screen": (make_evidence(push(ADA, "reminder-1", 3, key="other")), Invariant.NOTICES),
    "reminded after the end": (make_evidence(push(ADA, "reminder-1", 70)), Invariant.SILENCE),
    "counts that are not its lines'": (make_evidence(shown={"counts": {"acknowledged": 6}}), Invariant.SUMS),
    "a row without a line": (make_evidence(lines=LINES[:5]), Invariant.SUMS),
    "somebody twice": (make_evidence(lines=(*LINES[:5], LINES[4])), Invariant.SUMS),
    "open at the end": (make_evidence(lines=lines(2, status="told")), Invariant.SUMS),
    "acknowledged, says the record": (
        make_evidence(lines=lines(1, status="acknowledged", signed_at="now")),
        Invariant.RECORD,
    ),
    "signed, and expired in the record": (
        make_evidence(lines=lines(0, status="expired", signed_at="")),
        Invariant.RECORD,
    ),
    "signed, and exempt in the record": (
        make_evidence(lines=lines(0, status="exempt", signed_at="")),
        Invariant.RECORD,
    ),
    "signed, and open in the record": (make_evidence(lines=lines(0, status="opened", signed_at="")), Invariant.RECORD),
    "signed at no time": (make_evidence(lines=lines(0, signed_at="")), Invariant.RECORD),
    "a failing task": (make_evidence(failed_tasks=("NonDeterminismError",)), Invariant.HEALTH),
    "left pending": (make_evidence(calls=(Call("run_batch", (), instant_after(0)),)), Invariant.HEALTH),
    "a request that goes on": (make_evidence(waiting=frozenset({ADA})), Invariant.HEALTH),
    "timeline goes back": (
        make_evidence(
            shown={
                "timeline": [
                    {"at": instant_after(50), "what": "started"},
                    {"at": instant_after(49), "what": "done_with_errors"},
                ]
            }
        ),
        Invariant.TRAIL,
    ),
}


@pytest.mark.parametrize(("wrong", "invariant"), WRONG.values(), ids=WRONG)
def test_each_lie_about_a_campaign_is_found(wrong: CampaignEvidence, invariant: Invariant) -> None:
    assert invariant in {violation.invariant for violation in judge_campaign(wrong)}


def test_each_death_may_send_once_more_and_a_second_attempt_has_a_request_of_its_own() -> None:
    changed_lines = (*LINES[:2], LINES[2]._replace(request=f"{CAS}.r2"), *LINES[3:])
    further_entries = [entry_about("document_created", f"{CAS}.r2", 20), push(f"{CAS}.r2", "ready", 20)]
    further_entries += [
        entry_about("document_status", f"{CAS}.r2", 30, status="xp"),
        push(ADA, "ready", 3),
        push(ADA, "ready", 4),
    ]
    runs = (*RUNS, PartRun(f"signature-request:{CAS}.r2", instant_after(20)))
    assert judge_campaign(make_evidence(*further_entries, lines=changed_lines, runs=runs, kills=2)) == []
    assert most_sends(make_evidence(*further_entries)) == 3
