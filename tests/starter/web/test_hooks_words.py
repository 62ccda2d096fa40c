"""`onboard map` and the example that starts an export: what a person sees before anything is started, and after."""

import json
from pathlib import Path
from subprocess import CompletedProcess
from typing import Any

import pytest
from ruamel.yaml import YAML
from temporalio.testing import WorkflowEnvironment

from starter.boot import processes as modules
from tests import prompt
from tests.servers import real_server
from tests.starter.terminal import type_
from tests.starter.web.hooking import DEAL, EXAMPLES, contact, deal, office

SAMPLE = str(EXAMPLES / "crm_deal.json")


def map_body(folder: Path, body: Any, *arguments: str) -> "CompletedProcess[str]":
    """What `onboard map` says of this JSON, which comes from standard input."""
    text = body if isinstance(body, str) else json.dumps(body)
    return type_("onboard", "map", "--source", "crm", "-", *arguments, stdin=text, **office(folder))


def test_the_file_that_a_deal_would_become_is_printed(tmp_path: Path) -> None:
    environment = office(tmp_path)
    process = type_("onboard", "map", "--source", "crm", SAMPLE, **environment)
    assert (process.returncode, process.stderr) == (0, "right: it would be started as crm-4711\n")
    assert process.stdout.endswith("text: Acme is live.\n")
    file = YAML(typ="safe").load(process.stdout)
    assert (file["id"], file["customer"]["name"], file["teams"]["sales"]) == ("crm-4711", "Zoë Ek", "success-desk")
    assert list(file) == ["id", "customer", "owner", "teams", "stages"]
    answer = json.loads(type_("onboard", "map", "--source", "crm", SAMPLE, "--json", **environment).stdout)
    assert answer == {"id": "crm-4711", "file": file, "faults": []}


def test_what_is_wrong_is_told_by_field_and_line_beside_the_file(tmp_path: Path) -> None:
    process = map_body(tmp_path, contact(email="zoe at acme"))
    assert process.returncode == 1
    assert "email: zoe at acme" in process.stdout
    assert process.stderr == f"{tmp_path}/mappings/crm.yaml:15: customer.email: is not an e-mail address\n"
    answer = json.loads(map_body(tmp_path, deal(owner="nobody"), "--json").stdout)
    assert [fault.partition(": ")[2].partition(":")[0] for fault in answer["faults"]] == ["teams"]


@pytest.mark.parametrize(
    ("body", "code", "message"),
    [
        ({**DEAL, "event": "deal.lost"}, 0, "no onboarding: the mapping's when lets this event pass by"),
        (deal(id=None), 1, "-: deal.id is missing: it is the id of the deal"),
        ("{", 1, "-: not JSON"),
    ],
)
def test_what_is_no_onboarding_is_said(tmp_path: Path, body: Any, code: int, message: str) -> None:
    process = map_body(tmp_path, body)
    assert (process.returncode, f"{process.stdout}{process.stderr}".strip()) == (code, message)


def test_a_source_without_a_mapping_is_named(tmp_path: Path) -> None:
    environment = office(tmp_path)
    unknown = type_("onboard", "map", "--source", "erp", SAMPLE, **environment)
    assert (unknown.returncode, unknown.stderr.startswith(f"{tmp_path}/mappings/erp.yaml: cannot be read")) == (1, True)
    nowhere = type_("onboard", "map", "--source", "crm", SAMPLE, **{**environment, "COUNTERSIGN_HOOK_MAPPINGS": ""})
    assert (nowhere.returncode, nowhere.stderr) == (1, "COUNTERSIGN_HOOK_MAPPINGS: is missing\n")
    outside = type_("onboard", "map", "--source", "../people", SAMPLE, **environment)
    assert (outside.returncode, outside.stderr) == (1, "--source: a source has at most 20 of a-z, 0-9 and '_'\n")


@pytest.mark.long
@pytest.mark.real_server
async def test_an_export_is_started_as_the_calls_would_be(tmp_path: Path) -> None:
    environment = office(tmp_path)
    lost = {**DEAL, "event": "deal.lost"}
    (tmp_path / "deals.json").write_text(json.dumps([DEAL, lost, deal(id="4712")]))
    (tmp_path / "wrong.json").write_text(json.dumps([deal(id="4713"), contact(email="zoe")]))
    async with real_server() as env:
        processes = [
            run_example(env, environment, tmp_path, file) for file in ("deals.json", "deals.json", "wrong.json")
        ]
        count = (await env.client.count_workflows("WorkflowId STARTS_WITH 'customer-onboarding:'")).count
    assert [process.stdout for process in processes] == [
        "crm-4711 started\ncrm-4712 started\n",
        "crm-4711 was there before\ncrm-4712 was there before\n",
        "",
    ]
    assert (processes[2].returncode, "customer.email: is not an e-mail address" in processes[2].stderr) == (1, True)
    assert count == 2


def run_example(
    env: WorkflowEnvironment, variables: dict[str, str], folder: Path, file: str
) -> "CompletedProcess[str]":
    """What came of the example."""
    address = {"TEMPORAL_ADDRESS": env.client.service_client.config.target_host}
    files = (str(folder / "mappings" / "crm.yaml"), str(folder / file))
    environment = {**modules.environment(), **variables, **address}
    return prompt.run("starter.examples.onboard_from_crm", *files, environment=environment)
