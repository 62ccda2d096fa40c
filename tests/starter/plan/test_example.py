"""The plan of the example contract, sent a month before Christmas: what everybody hears around the holidays."""

import json
from pathlib import Path

from deploy.local import environment as example
from tests.starter.terminal import type_


def test_the_example_sent_on_29_november_is_followed_up_to_the_day_it_is_due(tmp_path: Path) -> None:
    """28 December is a holiday where the operating officer works, the 26th and 27th are a weekend."""
    example.lay_out(tmp_path, "https://sandbox.example")
    file = tmp_path / example.REQUEST
    typed = type_(
        *("request", "plan", str(file), "--at", "2026-11-29T20:29", "--zone", "Europe/Amsterdam", "--json"),
        COUNTERSIGN_PEOPLE=str(file.with_name("people.yaml")),
        COUNTERSIGN_DATA_DIR=str(tmp_path / "data"),
        COUNTERSIGN_HANDOFF_HOSTS="sandbox.example",
    )
    assert (typed.returncode, typed.stderr) == (0, "")
    plan = json.loads(typed.stdout)
    assert plan["due_at"] == "2026-12-29T17:00:00Z"
    [branch] = plan["branches"]
    lines = [f"{line['local'][:16]} {line['stage']} {line['to']}" for line in branch["lines"] if not line["suppressed"]]
    assert lines[lines.index("2026-12-14T10:09 ready operating-officer") :] == [
        "2026-12-14T10:09 ready operating-officer",
        "2026-12-17T10:22 reminder-1 operating-officer",
        "2026-12-21T10:12 reminder-2 operating-officer",
        "2026-12-24T10:12 reminder-3 operating-officer",
        "2026-12-28T09:12 escalation legal-desk",
        "2026-12-29T10:12 warning-1d operating-officer",
        "2026-12-29T11:12 escalated operating-officer",
        "2026-12-29T19:00 expiry legal-desk",
    ]
    reason_by_stage = {line["stage"]: line["why"] for line in branch["lines"]}
    assert reason_by_stage["warning-1d"] == (
        "1 day before the due date; moved from Mon 28 Dec 18:00 (London); a public holiday (Boxing Day (observed))"
    )
