"""`campaign show`, `campaign report` and `campaign sample`, typed at a terminal beside a living campaign."""

import asyncio
import csv
import io
import json
import subprocess
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from activities.launch import launch
from starter.errors import Exit
from tests.servers import own_namespace, own_part
from tests.starter.terminal import type_
from tests.workflows.campaign.stage import OWNER, CampaignStory, Company, a_file, staff, start_campaign
from tests.workflows.onboarding.test_words import address_variables, write_settings
from workflows.model.commands import Cancellation
from workflows.model.subject import Status

pytestmark = [pytest.mark.long, pytest.mark.real_server]

PEOPLE = ("ada", "bo", "cas", "nobody")


@asynccontextmanager
async def living_campaign(folder: Path, address: str) -> AsyncIterator[CampaignStory]:
    """One that goes on: ada has acknowledged, bo has declined, cas is asked, and nobody is in no people file."""
    file = a_file(audience={"people": list(PEOPLE)})
    async with start_campaign(folder, file, staff("ada", "bo", "cas"), server=own_part(address)) as running_campaign:
        await running_campaign.wait_until_opened()
        await running_campaign.end_request("ada")
        await running_campaign.end_request("bo", Status.DECLINED)
        yield running_campaign


async def run_campaign_command(
    running_campaign: CampaignStory, folder: Path, *arguments: str
) -> "subprocess.CompletedProcess[str]":
    """What came of `countersign campaign …`."""
    environment = {**write_settings(folder), **address_variables(running_campaign.client)}
    return await asyncio.to_thread(type_, "campaign", *arguments, **environment)


async def run_campaign_command_as_json(running_campaign: CampaignStory, folder: Path, *arguments: str) -> Any:
    """The same as JSON."""
    answered = await run_campaign_command(running_campaign, folder, *arguments, "--json")
    assert answered.returncode == Exit.DONE, answered.stderr
    return json.loads(answered.stdout)


def standings(table: str) -> dict[str, str]:
    return {row["person"]: row["status"] for row in csv.DictReader(io.StringIO(table))}


@pytest.mark.long
async def test_everybody_stands_once_on_standard_output_and_in_each_file(tmp_path: Path, dev_server: str) -> None:
    async with living_campaign(tmp_path, dev_server) as running_campaign:
        printed = await run_campaign_command(running_campaign, tmp_path, "report", "conduct")
        as_json = await run_campaign_command_as_json(
            running_campaign, tmp_path, "report", "acknowledgement-campaign:conduct"
        )
        files = {end: tmp_path / f"report.{end}" for end in ("csv", "json", "html")}
        answers = [
            await run_campaign_command(running_campaign, tmp_path, "report", "conduct", "-o", str(file))
            for file in files.values()
        ]
        view = await run_campaign_command_as_json(running_campaign, tmp_path, "show", "conduct")
    expected = {"ada": "acknowledged", "bo": "declined", "cas": "told", "nobody": "errors"}
    assert standings(printed.stdout) == standings(files["csv"].read_text()) == expected
    assert {line["person"]: line["status"] for line in as_json["lines"]} == expected
    assert [(process.returncode, process.stdout) for process in answers] == [(Exit.DONE, "")] * 3
    assert [process.stderr for process in answers] == [f"written: {file}\n" for file in files.values()]
    assert json.loads(files["json"].read_text())["lines"] == as_json["lines"]
    assert as_json["campaign"]["as_of"] is not None
    assert "no record yet" in files["html"].read_text()
    assert {"id", "status", "counts", "opens_at", "closes_at", "errors"} <= set(view)
    assert (view["id"], view["status"], view["errors"]) == ("conduct", "open", 1)
    assert {name: count for name, count in view["counts"].items() if count} == {
        "told": 1,
        "acknowledged": 1,
        "declined": 1,
        "errors": 1,
    }
    assert [(manager["name"], manager["counts"]["told"]) for manager in view["managers"]] == [("chair", 1), ("", 0)]


async def test_a_sample_is_the_same_while_the_campaign_goes_on_and_when_it_has_ended(
    tmp_path: Path, dev_server: str
) -> None:
    async with living_campaign(tmp_path, dev_server) as running_campaign:
        draw = ("sample", "conduct", "--n", "2", "--seed", "auditor")
        sample_before = await run_campaign_command_as_json(running_campaign, tmp_path, *draw)
        await running_campaign.send_command(Cancellation(actor=OWNER, reason="another document"))
        await running_campaign.handle.result()
        sample_after = await run_campaign_command_as_json(running_campaign, tmp_path, *draw)
        table = await run_campaign_command(running_campaign, tmp_path, *draw, "-o", str(tmp_path / "some.csv"))
        whole_sample = await run_campaign_command(running_campaign, tmp_path, "sample", "conduct")
    people = [line["person"] for line in sample_after["lines"]]
    assert [line["person"] for line in sample_before["lines"]] == people
    assert (sample_after["n"], sample_after["of"], sample_after["seed"]) == (2, 4, "auditor")
    assert len(sample_after["campaign"]["outcomes_sha256"]) == 64
    assert table.stdout == ""
    assert list(standings((tmp_path / "some.csv").read_text())) == people
    assert whole_sample.stdout.startswith("4 of 4 people by the seed conduct\n")


async def test_what_cannot_be_written_is_refused_in_one_line_and_leaves_nothing(
    tmp_path: Path, dev_server: str
) -> None:
    async with living_campaign(tmp_path, dev_server) as running_campaign:
        unknown = await run_campaign_command(running_campaign, tmp_path, "report", "conduct-2")
        nowhere = await run_campaign_command(
            running_campaign, tmp_path, "report", "conduct", "-o", str(tmp_path / "no" / "folder.csv")
        )
        unknown_format = await run_campaign_command(
            running_campaign, tmp_path, "report", "conduct", "-o", "report.xlsx"
        )
        empty_sample = await run_campaign_command(running_campaign, tmp_path, "sample", "conduct", "--n", "0")
    assert unknown.returncode == Exit.REFUSED and "conduct" in unknown.stderr
    assert nowhere.returncode == Exit.REFUSED
    assert nowhere.stderr == f"{tmp_path}/no/folder.csv cannot be written: No such file or directory\n"
    assert unknown_format.returncode == Exit.USAGE
    assert "report.xlsx does not end in .csv or .json or .html: that says how it is written" in " ".join(
        unknown_format.stderr.replace("│", "").split()
    )
    assert empty_sample.returncode == Exit.USAGE


async def test_without_a_worker_there_is_no_list_that_lacks_somebody(tmp_path: Path, dev_server: str) -> None:
    company = Company(tmp_path, staff("ada"))
    client = await own_namespace(dev_server)
    await launch.start(client, company.store, await company.prepared(a_file()))
    environment = {**write_settings(tmp_path), **address_variables(client)}
    answered = await asyncio.to_thread(type_, "campaign", "report", "conduct", **environment)
    assert (answered.returncode, answered.stdout) == (Exit.REFUSED, "")
    assert answered.stderr == "conduct: no worker answers that knows its audience: start `countersign worker`\n"
