"""The plan of a campaign before it is started: who is asked and who not, the calendar of most, what it takes."""

import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from activities.files.reading import FileFaults
from activities.people.mailbox import NO_SUBSTITUTES, MailboxSubstitutes
from starter.cli.start_files import CampaignDryRun
from starter.plan import campaign
from starter.plan.campaign import CLOSES, DUE, OPENS, CampaignPlan
from tests.starter.terminal import make_complete_environment, type_
from tests.workflows.campaign.stage import Company, a_file, staff

FRIDAY = datetime(2026, 11, 27, 8, tzinfo=UTC)
PHONE = {"devices": [{"token": "ada~1", "platform": "android"}]}


async def make_plan(
    company: Company, file: dict[str, Any], planned_at: datetime = FRIDAY, rate: float = 5
) -> CampaignPlan:
    prepared = await company.prepared(file, planned_at)
    return await campaign.plan(prepared, company.directory, planned_at, rate, None)


def list_days(plan: CampaignPlan, stage: str) -> list[str]:
    """On which days something is planned, on the clock that is shown."""
    return [line.local[:10] for line in plan.lines if line.stage.partition("-")[0] == stage]


async def test_everybody_is_counted_and_whoever_cannot_be_asked_is_named_by_row(tmp_path: Path) -> None:
    company = Company(tmp_path, [*staff("ada", **PHONE), *staff("bo", "cas")[2:]])
    listed = a_file(audience={"people": ["ada", "bo", "nobody", "cas", "ada"]})
    plan = await make_plan(company, listed)
    assert (plan.who.rows, plan.who.asked, plan.who.by_phone, plan.who.by_mail, plan.who.managers) == (5, 3, 1, 2, 1)
    assert [(error.row, error.person, error.says) for error in plan.who.errors] == [
        (3, "nobody", '"nobody" is not in the directory'),
        (5, "ada", "is in row 1 already"),
    ]
    assert plan.who.not_reached == ()


async def test_whoever_has_a_number_alone_is_counted_by_it_and_costs_no_mail(tmp_path: Path) -> None:
    people = [*staff("ada", **PHONE), *staff("bo", phone="+31 20 5550100")[2:]]
    del people[-1]["email"]
    company = Company(tmp_path, people)
    company.directory.substitutes = MailboxSubstitutes(has_messaging=True, relay="*@relay.example")
    plan = await make_plan(company, a_file(audience={"people": ["ada", "bo"]}))
    assert (plan.who.asked, plan.who.by_phone, plan.who.by_mail, plan.who.by_sms) == (2, 1, 0, 1)
    company.directory.substitutes = NO_SUBSTITUTES
    refused_plan = await make_plan(company, a_file(audience={"people": ["ada", "bo"]}))
    assert (refused_plan.who.asked, refused_plan.who.by_sms, len(refused_plan.who.errors)) == (1, 0, 1)


async def test_a_dead_phone_is_none_and_who_is_away_the_whole_time_is_not_reached(tmp_path: Path) -> None:
    absence = {"absent": [{"from": "2026-11-01", "until": "2027-02-01"}]}
    company = Company(tmp_path, [*staff("ada", **PHONE), *staff("bo", **absence)[2:], *staff("cas")[2:]])
    ada = await company.directory.person("ada")
    await company.directory.mark_gone(ada, ada.devices[0], "UNREGISTERED")
    plan = await make_plan(company, a_file())
    assert (plan.who.by_phone, plan.who.by_mail, plan.like) == (0, 3, "ada")
    assert [(member.person, member.says) for member in plan.who.not_reached] == [
        ("bo", "is away until 2027-02-02, when it has closed: nobody reminds them")
    ]


async def test_who_is_away_at_the_opening_is_asked_all_the_same_and_no_delegate_of_theirs(tmp_path: Path) -> None:
    absence = {"absent": [{"from": "2026-11-20", "until": "2026-12-03"}], "delegate": "ada"}
    listed = a_file(audience={"people": ["bo"]})
    plan = await make_plan(Company(tmp_path, [*staff("ada"), *staff("bo", **absence)[2:]]), listed)
    assert (plan.who.asked, plan.who.not_reached, plan.like) == (1, (), "bo")
    assert {line.to for line in plan.lines if line.stage.startswith(("ready", "reminder", "warning"))} == {"bo"}


async def test_the_calendar_has_every_step_of_somebody_who_never_acts(tmp_path: Path) -> None:
    plan = await make_plan(Company(tmp_path, staff("ada", "bo")), a_file(opens="2026-12-01"))
    assert (plan.like, plan.alike, plan.due.isoformat()) == ("ada", 2, "2026-12-15")
    assert list_days(plan, OPENS) == list_days(plan, "ready") == ["2026-12-01"]
    assert list_days(plan, "reminder") == ["2026-12-04", "2026-12-07", "2026-12-10"]
    assert list_days(plan, "warning") == ["2026-12-13", "2026-12-14", "2026-12-15"]
    assert list_days(plan, DUE) == ["2026-12-15"]
    assert list_days(plan, "overdue") == ["2026-12-19", "2026-12-22"]
    assert list_days(plan, "digest")[0] == "2026-12-13"
    assert list_days(plan, "progress") == ["2026-12-08", "2026-12-15", "2026-12-22"]
    assert list_days(plan, CLOSES) == [plan.closes_at.date().isoformat()] == ["2026-12-23"]
    assert [line.at for line in plan.lines] == sorted(line.at for line in plan.lines)


async def test_the_calendar_is_that_of_most_of_them(tmp_path: Path) -> None:
    people = [*staff("ada"), *staff("bo", "cas", zone="Asia/Tokyo")[2:]]
    plan = await make_plan(Company(tmp_path, people), a_file())
    assert (plan.like, plan.alike) == ("bo", 2)
    assert {line.zone for line in plan.lines} == {"Asia/Tokyo"}


async def test_whoever_stands_in_full_is_planned_as_well(tmp_path: Path) -> None:
    company = Company(tmp_path, staff())
    (tmp_path / "staff.csv").write_text("name,email,zone\nAda,ada@us.example,Asia/Tokyo\nBo,bo@us.example,\n")
    plan = await make_plan(company, a_file(audience={"file": "staff.csv"}))
    assert [(error.row, error.says) for error in plan.who.errors] == [
        (3, "needs person, or name, email, zone (zone missing)")
    ]
    assert plan.like is not None
    assert {line.person for line in plan.lines if line.stage == "ready"} == {plan.like}
    assert plan.like.startswith("p-")


async def test_nobody_to_ask_is_a_plan_too(tmp_path: Path) -> None:
    plan = await make_plan(Company(tmp_path, staff()), a_file(audience={"people": ["nobody"]}))
    assert (plan.who.asked, plan.like, list_days(plan, "ready")) == (0, None, [])
    assert [call.opening for call in plan.calls] == [0, 0]
    assert (plan.who.managers, list_days(plan, "digest")) == (0, [])


async def test_hours_follow_from_the_calls_and_the_rate(tmp_path: Path) -> None:
    company = Company(tmp_path, [*staff("ada", **PHONE), *staff("bo")[2:]])
    plan = await make_plan(company, a_file(), rate=0.01)
    file, template = plan.calls
    assert (file.document, file.opening, template.document, template.opening) == ("file", 6, "template", 6)
    assert file.opening_hours == pytest.approx(6 / (0.009 * 3600), abs=0.01)
    assert (file.megabytes > 0 or len((tmp_path / "conduct.pdf").read_bytes()) < 40_000, template.megabytes) == (
        True,
        0,
    )
    nudges = len([line for line in plan.lines if line.stage.startswith(("reminder", "warning", "overdue"))])
    assert file.if_nobody_acts == 6 + nudges * (1 + 4)


async def test_it_agrees_with_a_dry_run_of_the_start(tmp_path: Path) -> None:
    company = Company(tmp_path, staff("ada"))
    prepared = await company.prepared(a_file(opens="2026-12-01", audience={"people": ["ada", "ada"]}), FRIDAY)
    dry, plan = (
        CampaignDryRun.from_prepared(prepared),
        await campaign.plan(prepared, company.directory, FRIDAY, 5, None),
    )
    plan_fields = plan.model_dump()
    shared = ("id", "kind", "document", "owner", "opens_at", "due")
    assert {name: plan_fields[name] for name in shared} == dry.model_dump(include=set(shared))
    assert (dry.rows, dry.errors) == (plan.who.rows, len(plan.who.errors))


async def test_one_that_is_over_is_not_planned(tmp_path: Path) -> None:
    with pytest.raises(FileFaults, match="its window lies in the past"):
        await make_plan(Company(tmp_path, staff("ada")), a_file(opens="2025-12-01"))


def make_environment(folder: Path) -> dict[str, str]:
    """The settings of somebody who runs campaigns, and no server."""
    people = (folder / "people.yaml").read_text()
    environment = make_complete_environment(folder)
    (folder / "people.yaml").write_text(people)
    return {**environment, "COUNTERSIGN_POLICIES": str(folder / "catalogue.yaml"), "TEMPORAL_ADDRESS": "127.0.0.1:1"}


@pytest.mark.long
def test_it_needs_no_server_and_is_a_table_or_json(tmp_path: Path) -> None:
    company = Company(tmp_path, staff("ada", "bo"))
    people = ["ada", "bo", *(f"nobody-{number}" for number in range(30))]
    (company.folder / "conduct.json").write_text(json.dumps(a_file(audience={"people": people})))
    typed = ("campaign", "plan", str(tmp_path / "conduct.json"), "--at", "2026-11-27")
    table = type_(*typed, **make_environment(tmp_path))
    json_run = type_(*typed, "--json", **make_environment(tmp_path))
    assert (table.returncode, table.stderr, json_run.returncode) == (0, "", 0)
    assert "2 of 32 would be asked" in table.stdout
    assert "30 would not be asked" in table.stdout
    assert "and 10 more: --json has them all" in table.stdout
    plan_json = json.loads(json_run.stdout)
    assert len(plan_json["who"]["errors"]) == 30


def test_two_campaigns_are_not_one_plan(tmp_path: Path) -> None:
    company = Company(tmp_path, staff("ada"))
    two = "\n---\n".join(json.dumps(a_file(id=id)) for id in ("one", "two"))
    (company.folder / "two.yaml").write_text(two)
    typed = type_("campaign", "plan", str(tmp_path / "two.yaml"), **make_environment(tmp_path))
    assert (typed.returncode, typed.stderr) == (1, f"{tmp_path}/two.yaml has 2 campaigns: one plan is of one\n")
