"""The calendar of an onboarding before it is started: what is assumed, and what everybody would hear until then."""

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from starter.plan.onboarding import Assumptions, OnboardingPlan, plan
from tests.activities.launch.papers import in_full
from tests.starter.terminal import type_
from tests.workflows.onboarding.stage import CUSTOMER, LIVE, OWNER, WHOLE, House, a_file, an_agreement
from tests.workflows.onboarding.test_words import write_settings
from workflows.model.subject import Status

MONDAY = datetime(2026, 11, 2, 8, tzinfo=UTC)


async def make_plan(folder: Path, file: dict[str, Any], signed: str = "2d", done_after: str = "2d") -> OnboardingPlan:
    house = House(folder)
    prepared = await house.prepared(file, MONDAY)
    return await plan(prepared, house.directory, MONDAY, Assumptions(signed_after=signed, done_after=done_after), None)


async def test_each_stage_begins_when_the_one_before_is_done_by_what_is_assumed(tmp_path: Path) -> None:
    onboarding_plan = await make_plan(tmp_path, a_file(*WHOLE), signed="2d", done_after="1d")
    days = [
        (stage.name, (stage.begins_at - MONDAY).days, (stage.ends_at - MONDAY).days) for stage in onboarding_plan.stages
    ]
    assert days == [("agreements", 0, 2), ("account set-up", 2, 3), ("your details", 3, 4), ("live", 4, 4)]
    assert onboarding_plan.ends_at == MONDAY + timedelta(days=4)
    agreement = onboarding_plan.stages[0].parts[0]
    assert (agreement.outcome, agreement.due_at is not None) == (Status.SIGNED, True)
    assert [(line.stage, line.to) for line in agreement.lines] == [
        ("ready", CUSTOMER),
        ("follow", OWNER),
        ("signed", CUSTOMER),
        ("settled", OWNER),
    ]
    task = onboarding_plan.stages[1].parts[0]
    assert [(line.stage, line.to) for line in task.lines] == [("ready", "operations-desk"), ("done", OWNER)]
    assert onboarding_plan.stages[3].parts[0].lines[0].to == CUSTOMER


async def test_who_is_slow_is_reminded_and_what_expires_says_so(tmp_path: Path) -> None:
    slow = await make_plan(tmp_path, a_file({"name": "a", "agreements": [an_agreement()]}, LIVE), signed="7d")
    heard = [line.stage for line in slow.stages[0].parts[0].lines if line.to == CUSTOMER]
    assert heard == ["ready", "reminder-1", "reminder-2", "signed"]
    short = await make_plan(tmp_path, a_file({"name": "a", "agreements": [an_agreement(kind="short")]}), signed="7d")
    assert short.stages[0].parts[0].outcome is Status.EXPIRED


async def test_a_customer_who_stands_in_full_is_planned_on_their_own_clock(tmp_path: Path) -> None:
    customer = {"name": "Ada Ng", "email": "ng@customer.example", "zone": "Asia/Tokyo"}
    onboarding_plan = await make_plan(
        tmp_path, a_file(*WHOLE, customer=customer | {"colleagues": [{"person": CUSTOMER}]})
    )
    step = onboarding_plan.stages[2].parts[0]
    assert {line.zone for line in step.lines if line.to == in_full("ng@customer.example")} == {"Asia/Tokyo"}
    assert onboarding_plan.stages[3].parts[0].lines[0].zone == "Asia/Tokyo"


def test_it_needs_no_server_and_is_a_table_or_json(tmp_path: Path) -> None:
    house = House(tmp_path)
    (house.folder / "acme.json").write_text(json.dumps(a_file(*WHOLE)))
    typed = ("onboard", "plan", str(tmp_path / "acme.json"), "--at", "2026-11-02")
    environment = {**write_settings(tmp_path), "TEMPORAL_ADDRESS": "127.0.0.1:1"}
    table = type_(*typed, **environment)
    plan_json = json.loads(type_(*typed, "--json", "--signed-after", "1w", **environment).stdout)
    assert (table.returncode, table.stderr) == (0, "")
    assert "everybody signs after 2 days and does their part after 2 days" in " ".join(table.stdout.split())
    assert [name for name in ("agreements", "account set-up", "your details", "live") if name not in table.stdout] == []
    assert plan_json["assumed"] == {"signed_after": "1w", "done_after": "2d"}
    assert [stage["name"] for stage in plan_json["stages"]][-1] == "live"


@pytest.mark.parametrize("typed", [("--signed-after", "soon"), ("--done-after", "2 days")])
def test_what_is_no_duration_is_wrong_usage(typed: tuple[str, ...]) -> None:
    process = type_("onboard", "plan", "acme.yaml", *typed)
    assert (process.returncode, process.stdout) == (2, "")
    assert "is not a duration such as" in process.stderr
