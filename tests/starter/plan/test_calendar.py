"""The plan before anything is sent: all branches, in local time and UTC, with reasons and layers; and its options."""

import io
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from rich.console import Console

from activities.files.reading import FileFaults
from starter.cli.plan import of_plan
from starter.errors import Refusal
from starter.plan import calendar
from starter.plan.calendar import Branch, RequestPlan
from tests.activities.launch.papers import PEOPLE, Desk, in_full
from workflows.model.schedule import Reason
from workflows.model.subject import Status

SENT_AT = datetime(2026, 11, 2, 9, tzinfo=UTC)
IN_FULL = {"name": "Buyer", "email": "buyer@example.org", "zone": "Asia/Tokyo"}


async def plan(
    folder: Path, people: str = PEOPLE, *, signs: str = "", zone: str | None = None, **changes: Any
) -> RequestPlan:
    desk = Desk(folder, people)
    prepared = await desk.prepare(**changes)
    signing = calendar.signing([signs]) if signs else {}
    return await calendar.plan(prepared, desk.directory, SENT_AT, signing, calendar.zone_of(zone))


def stages(branch: Branch, *, sent: bool = True) -> list[str]:
    return [f"{line.stage} {line.to}" for line in branch.lines if (line.suppressed is None) is sent]


async def test_nobody_acts(tmp_path: Path) -> None:
    request_plan = await plan(tmp_path)
    assert (request_plan.id, request_plan.kind, request_plan.document) == (
        "msa-0042",
        "customer-contract",
        "Master services agreement",
    )
    assert (request_plan.at, request_plan.due_at) == (SENT_AT, datetime(2026, 12, 11, 23, tzinfo=UTC))
    (branch,) = request_plan.branches
    assert (branch.says, branch.outcome) == ("nobody acts", Status.EXPIRED)
    assert stages(branch) == [
        "ready customer-signer",
        "follow legal-desk",
        "reminder-1 customer-signer",
        "reminder-2 customer-signer",
        "reminder-3 customer-signer",
        "reminder-4 customer-signer",
        "escalation customer-director",
        "escalated customer-signer",
        "warning-2d customer-signer",
        "warning-1d customer-signer",
        "expiry legal-desk",
    ]
    assert [line.at for line in branch.lines] == sorted(line.at for line in branch.lines)


async def test_every_line_has_local_time_reason_and_layer(tmp_path: Path) -> None:
    overridden = {"reminders": {"every": "4d"}, "warnings": ["1d"]}
    lines = {line.stage: line for line in (await plan(tmp_path, policy=overridden)).branches[0].lines}
    first = lines["reminder-1"]
    assert first.zone == "America/New_York"
    assert datetime.fromisoformat(first.local) == first.at.replace(second=0)
    assert first.local.startswith("2026-11-05T09:")
    assert first.why.startswith("reminder 1 of 4, 3 days after the request arrived")
    assert {stage: lines[stage].layer for stage in ("ready", "reminder-1", "reminder-2", "warning-1d", "expiry")} == {
        "ready": None,
        "reminder-1": "default",
        "reminder-2": "request",
        "warning-1d": "request",
        "expiry": "request",
    }


async def test_one_zone_for_all(tmp_path: Path) -> None:
    request_plan = await plan(tmp_path, zone="Asia/Tokyo")
    assert {line.zone for line in request_plan.branches[0].lines} == {"Asia/Tokyo"}


async def test_the_policy_says_which_layer_each_value_comes_from(tmp_path: Path) -> None:
    request_plan = await plan(tmp_path, policy={"reminders": {"most": 2}})
    values = {value.field: (value.value, value.layer) for value in request_plan.policy}
    assert values["window"] == ("90d", "customer-contract")
    assert values["reminders.most"] == (2, "request")
    assert values["reminders.first"] == ("3d", "default")
    assert values["hours"] == ("working", "default")


async def test_who_signs_opens_a_branch_and_gives_the_turn_to_the_next(tmp_path: Path) -> None:
    request_plan = await plan(tmp_path, signs="customer-signer@+2d,chief-executive@+1d")
    assert [(branch.says, branch.outcome) for branch in request_plan.branches] == [
        ("nobody acts", Status.EXPIRED),
        ("customer-signer signs after 2 days, then nobody acts", Status.EXPIRED),
        ("customer-signer signs after 2 days, chief-executive signs after 1 day", Status.SIGNED),
    ]
    assert stages(request_plan.branches[1])[:5] == [
        "ready customer-signer",
        "follow legal-desk",
        "signed customer-signer",
        "ready chief-executive",
        "reminder-1 chief-executive",
    ]
    assert stages(request_plan.branches[2]) == [
        "ready customer-signer",
        "follow legal-desk",
        "signed customer-signer",
        "ready chief-executive",
        "signed chief-executive",
        "settled legal-desk",
    ]


async def test_a_signature_in_the_instant_of_a_reminder_is_no_reminder_and_one_a_minute_later_is_behind_it(
    tmp_path: Path,
) -> None:
    """As it is in a life: whoever has signed by then is not reminded."""
    policy = {"urgent": True, "reminders": {"first": "3h"}}
    silent = await plan(tmp_path, policy=policy)
    first = next(line.at for line in silent.branches[0].lines if line.stage == "reminder-1")
    assert first == SENT_AT + timedelta(hours=3)
    for later, reminded in ((0, []), (1, ["reminder-1 customer-signer"])):
        signed = (await plan(tmp_path, signs=f"customer-signer@+{180 + later}m", policy=policy)).branches[1]
        stages_before = stages(signed)[: stages(signed).index("signed customer-signer")]
        assert [stage for stage in stages_before if stage.startswith("reminder")] == reminded
        assert "reminder-1 customer-signer" not in stages(signed, sent=False)


async def test_what_would_be_left_out_in_the_instant_of_a_signature_is_not_shown_and_a_minute_later_it_is(
    tmp_path: Path,
) -> None:
    """Of two warnings that are nearer than an hour the first is left out."""
    changes: dict[str, Any] = {"due": (SENT_AT + timedelta(hours=6)).isoformat()}
    changes["policy"] = {"urgent": True, "reminders": None, "warnings": ["150m", "120m"]}
    for later, left_out in ((0, []), (1, ["warning-150m customer-signer"])):
        (_, signed) = (await plan(tmp_path, signs=f"customer-signer@+{210 + later}m", **changes)).branches
        suppressed_stages = stages(signed, sent=False)
        assert [stage for stage in suppressed_stages if stage.endswith(" customer-signer")] == left_out


async def test_a_signature_in_the_instant_of_the_due_date_is_not_late(tmp_path: Path) -> None:
    due = SENT_AT + timedelta(days=5)
    for minutes, late in ((0, False), (1, True)):
        changes: dict[str, Any] = {"due": due.isoformat(), "policy": {"grace": "5d"}}
        request_plan = await plan(tmp_path, signs=f"customer-signer@+{5 * 24 * 60 + minutes}m", **changes)
        [line] = [line for line in request_plan.branches[1].lines if line.stage == "signed"]
        assert (line.at, "late" in line.why) == (due + timedelta(minutes=minutes), late)


async def test_what_the_calendar_forbids_is_shown_with_its_reason(tmp_path: Path) -> None:
    (branch,) = (await plan(tmp_path, due="2026-11-07")).branches
    assert "reminder-3 customer-signer" in stages(branch, sent=False)
    assert {line.suppressed for line in branch.lines if line.stage == "reminder-3"} == {Reason.SUPERSEDED}


async def test_handing_over_goes_on_with_the_alternate(tmp_path: Path) -> None:
    policy = {"escalation": {"action": "reassign", "after": "5d"}}
    (branch,) = (await plan(tmp_path, policy=policy)).branches
    branch_stages = stages(branch)
    assert branch_stages[1:7] == [
        "follow legal-desk",
        "reminder-1 customer-signer",
        "escalation customer-director",
        "reassigned customer-signer",
        "ready customer-director",
        "reminder-1 customer-director",
    ]
    assert branch_stages[-1] == "expiry legal-desk"


@pytest.mark.parametrize(
    "absent",
    [
        "from: 2026-11-01, until: 2027-01-02",
        "from: 2026-11-01, until: 9999-12-31",
        "from: 0001-01-01, until: 9999-12-31",
    ],
)
async def test_who_is_absent_at_sending_is_not_asked(tmp_path: Path, absent: str) -> None:
    people_text = PEOPLE.replace("from: 2026-12-24, until: 2027-01-02", absent)
    signers = [{"person": "chief-executive"}]
    (branch,) = (await plan(tmp_path, people_text, requester="chair", signers=signers)).branches
    assert stages(branch)[:2] == ["reassigned chief-executive", "ready legal-desk"]


async def test_signers_in_full_are_planned_without_being_stored(tmp_path: Path) -> None:
    (branch,) = (await plan(tmp_path, signers=[IN_FULL])).branches
    buyer = in_full("buyer@example.org")
    assert (await plan(tmp_path, signers=[IN_FULL], signs="signer-1@+1d")).branches[1].outcome is Status.SIGNED
    assert stages(branch)[:3] == [f"ready {buyer}", "follow legal-desk", f"reminder-1 {buyer}"]
    assert not (tmp_path / "store").exists()


async def test_a_stranger_cannot_sign_and_what_is_over_cannot_be_planned(tmp_path: Path) -> None:
    with pytest.raises(Refusal, match="chair: not a signer of this request"):
        await plan(tmp_path, signs="chair@+2d")
    with pytest.raises(FileFaults, match="due: lies in the past"):
        await plan(tmp_path, due="2026-11-01")


@pytest.mark.parametrize(
    ("typed", "zone", "meant"),
    [
        ("2026-11-02T09:00:00Z", None, SENT_AT),
        ("2026-11-02T10:00+01:00", "Asia/Tokyo", SENT_AT),
        ("2026-11-02T10:00", "Europe/Amsterdam", SENT_AT),
        ("2026-11-02", None, SENT_AT),
        ("2026-11-02", "Europe/Amsterdam", datetime(2026, 11, 2, 8, tzinfo=UTC)),
        (None, None, datetime(2026, 1, 1, tzinfo=UTC)),
    ],
)
def test_when_it_would_be_sent(typed: str | None, zone: str | None, meant: datetime) -> None:
    time_zone = ZoneInfo(zone) if zone else None
    assert calendar.sending_time(typed, time_zone, datetime(2026, 1, 1, tzinfo=UTC)) == meant


@pytest.mark.parametrize("typed", ["tomorrow", "2026-13-01", "2026-11-02T25:00"])
def test_no_time_is_refused(typed: str) -> None:
    with pytest.raises(ValueError, match="is not a date, or an instant such as"):
        calendar.sending_time(typed, None, SENT_AT)


@pytest.mark.parametrize("typed", ["customer-signer", "customer-signer@2d", "@+2d", "a@+2y"])
def test_who_signs_when_is_person_and_duration(typed: str) -> None:
    with pytest.raises(ValueError, match=r"is not PERSON@\+DURATION"):
        calendar.signing([typed])


async def test_the_overdue_phase_is_planned_with_its_layers_and_what_is_signed_in_it_is_late(tmp_path: Path) -> None:
    policy = {"overdue": {"every": "2d"}, "grace": "7d", "warnings": ["0d"], "reminders": None, "escalation": None}
    request_plan = await plan(tmp_path, signs="customer-signer@+42d", policy=policy)
    assert request_plan.closes_at - request_plan.due_at == timedelta(days=7)
    nobody, late = request_plan.branches
    assert stages(nobody) == [
        "ready customer-signer",
        "follow legal-desk",
        "warning-0d customer-signer",
        "overdue-1 customer-signer",
        "overdue-2 customer-signer",
        "overdue-3 customer-signer",
        "expiry legal-desk",
    ]
    assert {line.stage: line.layer for line in nobody.lines[2:]} == dict.fromkeys(
        ["warning-0d", "overdue-1", "overdue-2", "overdue-3", "expiry"], "request"
    )
    assert nobody.lines[-1].why == "7 days after the due date"
    assert next(line.why for line in late.lines if line.stage == "signed") == "42 days after their turn came; late"
    printed = io.StringIO()
    Console(file=printed, width=120).print(of_plan(request_plan))
    assert (
        f"due {request_plan.due_at:%a %d %b %Y %H:%M} UTC, closing {request_plan.closes_at:%a %d %b %Y %H:%M} UTC"
        in printed.getvalue()
    )


async def test_a_review_comes_first_once_without_an_answer_and_once_approved(tmp_path: Path) -> None:
    request_plan = await plan(tmp_path, reviewers=[{"person": "chair"}], signs="customer-signer@+1d")
    assert [branch.says for branch in request_plan.branches] == [
        "nobody reviews it",
        "its reviewers approve it, and nobody else acts",
        "customer-signer signs after 1 day, then nobody acts",
    ]
    silent, approved, _ = request_plan.branches
    assert silent.outcome is Status.EXPIRED
    assert stages(silent)[:2] == ["ready chair", "reminder-1 chair"]
    assert {line.to for line in silent.lines} <= {"chair", "legal-desk", "chief-executive"}
    approved_stages = stages(approved)
    assert approved_stages.index("approved chair") < approved_stages.index("ready customer-signer")
    [approved_at] = [line.at for line in approved.lines if line.stage == "approved"]
    # A quarter of the time until the due date, at the end of that working day.
    assert approved_at == datetime(2026, 11, 12, 17, tzinfo=UTC)
    quick = await plan(tmp_path, reviewers=[{"person": "chair"}], signs="chair@+1d")
    assert quick.branches[-1].says.startswith("chair approves after 1 day")
