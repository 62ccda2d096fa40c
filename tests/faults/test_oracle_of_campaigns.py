"""The oracle of campaigns bites: one in which all is well passes, and each single lie in it is found and named."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from activities.records.outcomes import MemberOutcome
from tests.faults.evidence import Asked, Call, PartRun
from tests.faults.oracle import Invariant, judge_campaign, most_sends
from tests.faults.vendor import Entry
from tests.lines import counted
from workflows.model.views import CampaignShow

BEGAN = datetime(2026, 12, 1, 9, tzinfo=UTC)
ADA, BO, CAS = "conduct.ada", "conduct.bo", "conduct.cas"


def at(seconds: float) -> datetime:
    return BEGAN + timedelta(seconds=seconds)


def line(row: int, person: str, status: str, **more: Any) -> MemberOutcome:
    request = "" if status == "errors" else f"conduct.{person}"
    return MemberOutcome(row, person, request, status, **more)


LINES = (
    line(1, "ada", "acknowledged", signed_at=at(10).isoformat()),
    line(2, "bo", "declined"),
    line(3, "cas", "expired"),
    line(4, "dee", "errors", reason="is wrong"),
    line(5, "eve", "exempt"),
    line(6, "fay", "not_started"),
)


def about(entry_type: str, request: str, seconds: float, **facts: Any) -> Entry:
    return {"type": entry_type, "at": at(seconds).isoformat(), "external_id": request, **facts}


def push(request: str, stage: str, seconds: float, **changes: Any) -> Entry:
    person = request.partition(".")[2]
    sent: Entry = {
        "type": "push",
        "at": at(seconds).isoformat(),
        "token": f"{person}~1",
        "person": person,
        "key": request,
        "visible": True,
        "data": {"request": request, "stage": stage},
    }
    return sent | changes


LEDGER = (
    *(about("document_created", one, 1) for one in (ADA, BO, CAS)),
    *(push(one, "ready", 2) for one in (ADA, BO)),
    about("mail", CAS, 2, kind="sign"),
    about("document_status", ADA, 10, status="si"),
    about("document_status", BO, 11, status="de"),
    about("document_status", CAS, 12, status="ca"),
    push(ADA, "settled", 60),
)
RUNS = tuple(PartRun(f"signature-request:{one}", at(1)) for one in (ADA, BO, CAS))


def asked(*more: Entry, **changes: Any) -> Asked:
    lines = changes.get("lines", LINES)
    shown = {
        "id": "conduct",
        "kind": "policy-acknowledgement",
        "title": "Code of conduct",
        "requester": "compliance-desk",
        "status": "done_with_errors",
        "opens_at": at(0),
        "due": "2026-12-15",
        "frozen": {"sha256": "ab" * 32, "rows": 6, "errors": 1, "at": at(0)},
        "counts": counted(lines),
        "timeline": [{"at": at(0), "what": "started"}, {"at": at(50), "what": "done_with_errors"}],
        **changes.pop("shown", {}),
    }
    without = changes.pop("without", lambda entry: False)
    ledger = tuple(entry for entry in LEDGER if not without(entry)) + more
    whole = Asked(CampaignShow.model_validate(shown), lines, RUNS, calls=(Call("run_batch", (), at(0), closed=True),))
    return replace(whole, ledger=ledger, **changes)


def lines(place: int, **changes: Any) -> tuple[MemberOutcome, ...]:
    return (*LINES[:place], LINES[place]._replace(**changes), *LINES[place + 1 :])


def test_a_campaign_in_which_all_is_well_passes() -> None:
    assert judge_campaign(asked()) == []
    assert most_sends(asked()) == 1


WRONG = {
    "asked by two workflows": (asked(begun=(*RUNS, RUNS[0])), Invariant.AUDIENCE),
    "two documents": (asked(about("document_created", ADA, 3)), Invariant.AUDIENCE),
    "no workflow": (asked(begun=RUNS[1:]), Invariant.AUDIENCE),
    "no document": (asked(without=lambda one: one["type"] == "document_created"), Invariant.AUDIENCE),
    "never told": (asked(without=lambda one: one["type"] == "push"), Invariant.AUDIENCE),
    "a notice taken back at once": (
        asked(lines=LINES[:2], without=lambda one: one["type"] == "push"),
        Invariant.AUDIENCE,
    ),
    "a faulty row that was asked": (asked(lines=lines(2, status="not_started")), Invariant.AUDIENCE),
    "a stranger": (asked(begun=(*RUNS, PartRun("signature-request:conduct.zoe", at(2)))), Invariant.AUDIENCE),
    "a stranger's document": (asked(about("document_created", "conduct.zoe", 3)), Invariant.AUDIENCE),
    "a stranger who was told": (asked(push("conduct.zoe", "ready", 3)), Invariant.AUDIENCE),
    "told twice without a death": (asked(push(ADA, "ready", 3)), Invariant.NOTICES),
    "two notices on a screen": (asked(push(ADA, "reminder-1", 3, key="other")), Invariant.NOTICES),
    "reminded after the end": (asked(push(ADA, "reminder-1", 70)), Invariant.SILENCE),
    "counts that are not its lines'": (asked(shown={"counts": {"acknowledged": 6}}), Invariant.SUMS),
    "a row without a line": (asked(lines=LINES[:5]), Invariant.SUMS),
    "somebody twice": (asked(lines=(*LINES[:5], LINES[4])), Invariant.SUMS),
    "open at the end": (asked(lines=lines(2, status="told")), Invariant.SUMS),
    "acknowledged, says the record": (asked(lines=lines(1, status="acknowledged", signed_at="now")), Invariant.RECORD),
    "signed, and expired in the record": (asked(lines=lines(0, status="expired", signed_at="")), Invariant.RECORD),
    "signed, and exempt in the record": (asked(lines=lines(0, status="exempt", signed_at="")), Invariant.RECORD),
    "signed, and open in the record": (asked(lines=lines(0, status="opened", signed_at="")), Invariant.RECORD),
    "signed at no time": (asked(lines=lines(0, signed_at="")), Invariant.RECORD),
    "a failing task": (asked(failed_tasks=("NonDeterminismError",)), Invariant.HEALTH),
    "left pending": (asked(calls=(Call("run_batch", (), at(0)),)), Invariant.HEALTH),
    "a request that goes on": (asked(waiting=frozenset({ADA})), Invariant.HEALTH),
    "timeline goes back": (
        asked(shown={"timeline": [{"at": at(50), "what": "started"}, {"at": at(49), "what": "done_with_errors"}]}),
        Invariant.TRAIL,
    ),
}


@pytest.mark.parametrize(("wrong", "invariant"), WRONG.values(), ids=WRONG)
def test_each_lie_about_a_campaign_is_found(wrong: Asked, invariant: Invariant) -> None:
    assert invariant in {violation.invariant for violation in judge_campaign(wrong)}


def test_each_death_may_send_once_more_and_a_second_attempt_has_a_request_of_its_own() -> None:
    again = (*LINES[:2], LINES[2]._replace(request=f"{CAS}.r2"), *LINES[3:])
    more = [about("document_created", f"{CAS}.r2", 20), push(f"{CAS}.r2", "ready", 20)]
    more += [about("document_status", f"{CAS}.r2", 30, status="xp"), push(ADA, "ready", 3), push(ADA, "ready", 4)]
    runs = (*RUNS, PartRun(f"signature-request:{CAS}.r2", at(20)))
    assert judge_campaign(asked(*more, lines=again, begun=runs, kills=2)) == []
    assert most_sends(asked(*more)) == 3
