"""The words of `countersign onboard …`, typed at a terminal beside a living onboarding."""

import asyncio
import csv
import json
from pathlib import Path
from typing import Any

import pytest
from temporalio.client import Client

from starter.queries import lookup
from tests.servers import own_part
from tests.starter.terminal import make_complete_environment, type_
from tests.workflows.onboarding.stage import (
    CUSTOMER,
    DETAILS,
    LIVE,
    OWNER,
    OnboardingStory,
    a_file,
    an_agreement,
    start_onboarding,
)
from workflows.kinds import Kind, WorkflowName
from workflows.model.commands import Block, Cancellation, Question
from workflows.model.subject import Status

AGREEMENTS = {"name": "agreements", "agreements": [an_agreement(), an_agreement("Data processing agreement")]}
ACCOUNT = {
    "name": "account set-up",
    "tasks": [{"id": "account", "title": "Create the account", "team": "operations"}],
}


def write_settings(folder: Path) -> dict[str, str]:
    """The settings of somebody who onboards customers."""
    people = (folder / "people.yaml").read_text() if (folder / "people.yaml").exists() else ""
    environment = make_complete_environment(folder)
    if people:
        (folder / "people.yaml").write_text(people)
    return {
        **environment,
        "COUNTERSIGN_STORE": str(folder / "store"),
        "COUNTERSIGN_POLICIES": str(folder / "catalogue.yaml"),
        "COUNTERSIGN_ACTOR": OWNER,
    }


def address_variables(client: Client) -> dict[str, str]:
    """The settings of who works where this client does."""
    return {"TEMPORAL_ADDRESS": client.service_client.config.target_host, "TEMPORAL_NAMESPACE": client.namespace}


async def type_command(onboarding: OnboardingStory, folder: Path, *arguments: str, code: int = 0) -> Any:
    """The answer of `countersign onboard …` as JSON; what is refused as text."""
    environment = {**write_settings(folder), **address_variables(onboarding.client)}
    answered = await asyncio.to_thread(type_, "onboard", *arguments, "--json", **environment)
    assert answered.returncode == code, answered.stderr
    return json.loads(answered.stdout) if code == 0 else answered.stderr


async def list_onboardings(onboarding: OnboardingStory, folder: Path, *arguments: str) -> Any:
    """The one line of the list, as soon as Temporal's index has it."""
    async with asyncio.timeout(20):
        while not (lines := await type_command(onboarding, folder, "list", *arguments)):
            pass
    return lines[0]


@pytest.mark.long
@pytest.mark.real_server
async def test_an_owner_decides_with_another_signer_and_with_another_file(tmp_path: Path, dev_server: str) -> None:
    async with start_onboarding(tmp_path, a_file(AGREEMENTS, LIVE), server=own_part(dev_server)) as onboarding:
        await onboarding.end_agreement("agreement-1", Status.DECLINED, reason="I have left.")
        await onboarding.end_agreement("agreement-2", Status.DECLINED, reason="The price is wrong.")
        await onboarding.wait_until(
            lambda view: len([waiting for waiting in view.waiting_for if waiting.who == "owner"]) == 2
        )
        stalled = await list_onboardings(onboarding, tmp_path, "--attention")
        nobody = await type_command(
            onboarding, tmp_path, "decide", "acme", "--part", "agreement-1", "--resend", "--signer", "x=y", code=1
        )
        arguments = ("--resend", "--signer", f"{CUSTOMER}=customer-colleague", "--op", "op-1")
        receipts = [
            await type_command(onboarding, tmp_path, "decide", "acme", "--part", "agreement-1", *arguments)
            for _ in range(2)
        ]
        (tmp_path / "new.pdf").write_bytes((tmp_path / "msa.pdf").read_bytes() + b"\n%new")
        wrong = {"document": {"file": "new.pdf"}, "signers": [{"person": "nobody"}]}
        (tmp_path / "replacement.json").write_text(json.dumps(wrong))
        file = ("--replace", str(tmp_path / "replacement.json"))
        refused = await type_command(onboarding, tmp_path, "decide", "acme", "--part", "agreement-2", *file, code=1)
        signers = [{"person": "customer"}, {"person": "owner", "role": "approve"}, {"person": "operations"}]
        right = {"requester": "chair", "document": {"file": "new.pdf", "name": "New terms"}, "signers": signers}
        (tmp_path / "replacement.json").write_text(json.dumps(right))
        replaced = await type_command(onboarding, tmp_path, "decide", "acme", "--part", "agreement-2", *file)
        await onboarding.wait_until(lambda view: all(".r2" in str(part.workflow) for part in view.stages[0].agreements))
        view = await type_command(onboarding, tmp_path, "show", "acme")
        await onboarding.end_agreement("agreement-1")
        await onboarding.end_agreement("agreement-2")
        settlement = await onboarding.wait_for_end()
        orders = {order.brief.id: order.brief for order in onboarding.provider.created}
    assert stalled["attention"] == "decision" and stalled["waiting_for"][0] == OWNER
    assert nobody == f"agreement-1: x is no signer of it: {CUSTOMER}\n"
    assert [receipt["op"] for receipt in receipts] == ["op-1", "op-1"]
    assert refused.startswith(f'{tmp_path}/replacement.json:1: signers[0].person: "nobody" is not in people.yaml')
    assert replaced["state"] == "done"
    assert {part["status"] for part in view["stages"][0]["agreements"]} <= {"converting", "sent"}
    assert settlement.outcome is Status.DONE
    assert orders["acme.1.1.r2"].people[0].person == "customer-colleague"
    order_of_other_file = orders["acme.1.2.r2"]
    assert (order_of_other_file.title, order_of_other_file.requester) == ("New terms: Acme", "chair")
    assert [person.person for person in order_of_other_file.people] == [CUSTOMER, OWNER, "operations-desk"]


TABLE_OF_DEALS = """\
id: "{deal}"
customer: {company: "{company}", name: "{name}", email: "{email}", zone: Europe/Amsterdam}
owner: account-executive
teams: {operations: operations-desk}
template: standard
stages:
  - name: agreements
    agreements: [{kind: contract, document: {file: msa.pdf}, signers: [{person: customer}]}]
"""
STAGES = {"stages": [{"name": "agreements", "notices": [{"to": "customer", "text": "Hello."}]}, ACCOUNT, LIVE]}


def put_deals(folder: Path, *rows: str) -> tuple[str, ...]:
    """What is typed for a table as a spreadsheet writes it, and a template whose stages lie beside the catalogue."""
    (folder / "standard.yaml").write_text(json.dumps(STAGES))
    (folder / "deals.yaml").write_text(TABLE_OF_DEALS)
    (folder / "deals.csv").write_bytes("\n".join(("deal;company;name;email", *rows)).encode("utf-16"))
    return "--template", str(folder / "deals.yaml"), "--csv", str(folder / "deals.csv")


@pytest.mark.long
@pytest.mark.real_server
async def test_each_row_of_a_table_starts_one_onboarding_however_often(tmp_path: Path, dev_server: str) -> None:
    rows = [f"deal-{n};=Acme {n};Ada Ng;ada{n}@customer.example" for n in range(4)]
    async with start_onboarding(tmp_path, a_file(LIVE, id="other"), server=own_part(dev_server)) as onboarding:
        start = ("start", *put_deals(tmp_path, *rows))
        dry = await type_command(onboarding, tmp_path, *start, "--dry-run")
        first = await type_command(onboarding, tmp_path, *start)
        repeated = await type_command(onboarding, tmp_path, *start)
        view = await type_command(onboarding, tmp_path, "show", "deal-3")
        wrong = put_deals(tmp_path, *rows, "deal-1;Other;Bo Li;bo@customer.example", "deal.13;Dot;Bo Li;nobody")
        refused = await type_command(onboarding, tmp_path, "start", *wrong, code=1)
        with (tmp_path / "deals.started.csv").open(encoding="utf-8-sig", newline="") as stream:
            result = list(csv.DictReader(stream, delimiter=";"))
    assert dry[0] == {
        "id": "deal-0",
        "kind": "customer-onboarding",
        "customer": "=Acme 0",
        "owner": OWNER,
        "stages": ["agreements", "account set-up", "live"],
        "parts": 4,
    }
    assert [start["workflow_id"] for start in first] == [f"customer-onboarding:deal-{n}" for n in range(4)]
    assert [start["created"] for start in (*first, *repeated)] == [True] * 4 + [False] * 4
    assert [stage["name"] for stage in view["stages"]] == ["agreements", "account set-up", "live"]
    assert "deals.csv:6: id: deal-1 is the id of another onboarding of this start, too" in refused
    assert "deals.csv:7: id: " in refused and "is not an e-mail address" in refused
    assert (result[3]["onboarding"], result[3]["result"], result[3]["company"]) == (
        "deal-3",
        "was there before",
        "'=Acme 3",
    )


@pytest.mark.long
@pytest.mark.real_server
async def test_an_onboarding_from_standard_input_is_recognised(tmp_path: Path, dev_server: str) -> None:
    async with start_onboarding(tmp_path, a_file(LIVE, id="other"), server=own_part(dev_server)) as onboarding:
        environment = {**write_settings(tmp_path), **address_variables(onboarding.client)}
        file = json.dumps(a_file(DETAILS, LIVE))
        answers = [await asyncio.to_thread(type_, "onboard", "start", "-", stdin=file, **environment) for _ in range(2)]
        await asyncio.to_thread(type_, "onboard", "cancel", "acme", "--reason", "sold", **environment)
        repeated = await asyncio.to_thread(type_, "onboard", "start", "-", stdin=file, **environment)
    assert [answer.stdout.splitlines()[:2] for answer in answers] == [
        ["acme started", "countersign onboard show acme"],
        ["acme was there before: the same onboarding, not started again", "countersign onboard show acme"],
    ]
    assert repeated.stdout.splitlines()[1].startswith("Cancelled")


@pytest.mark.long
@pytest.mark.real_server
async def test_parts_are_done_and_answered_by_the_onboarding_and_their_own_names(
    tmp_path: Path, dev_server: str
) -> None:
    async with start_onboarding(tmp_path, a_file(ACCOUNT, DETAILS, LIVE), server=own_part(dev_server)) as onboarding:
        account = await onboarding.wait_for_workflow("account")
        await onboarding.send_command_to(account, Block(person="operations-desk", because="No order form."))
        line = await list_onboardings(onboarding, tmp_path, "--person", OWNER)
        blocked = await type_command(onboarding, tmp_path, "show", "acme")
        early = await type_command(onboarding, tmp_path, "done", "acme", "billing", code=1)
        unknown = await type_command(onboarding, tmp_path, "done", "acme", "acount", code=1)
        await type_command(onboarding, tmp_path, "answer", "acme", "account", "It is in the mail.")
        answer = await type_command(onboarding, tmp_path, "done", "acme", "account", "--as", "operations-desk")
        billing = await onboarding.wait_for_workflow("billing")
        await onboarding.send_command_to(billing, Question(person=CUSTOMER, text="By post as well?"))
        answered = await type_command(onboarding, tmp_path, "answer", "acme", "billing", "No, by mail.")
        cancelled = await type_command(onboarding, tmp_path, "cancel", "acme", "--reason", "They went elsewhere.")
        settlement = await onboarding.wait_for_end()
    assert (line["document"], line["stage"]) == ("Acme", "account set-up")
    keys = {"id", "status", "stage", "stages", "waiting_for", "next", "timeline"}
    assert keys <= blocked.keys()
    [waiting] = blocked["waiting_for"]
    assert (waiting["who"], waiting["person"], waiting["what"]) == ("owner", OWNER, "answer about Create the account")
    [task] = blocked["stages"][0]["tasks"]
    assert (task["id"], task["team"], task["state"]) == ("account", "operations", "open")
    assert task["since"] and task["due_at"]
    assert early == "billing is coming: nobody was asked for it yet\n"
    assert unknown == "acme has no part acount, did you mean account?\n"
    assert (answer["id"], answer["status"]) == ("acme.1.1", "done")
    assert (answered["id"], answered["status"]) == ("acme.2.1", "open")
    assert (cancelled["id"], settlement.outcome) == ("acme", Status.CANCELLED)


@pytest.mark.long
@pytest.mark.real_server
async def test_what_is_stalled_is_listed_first_and_a_task_is_replaced_then_waived(
    tmp_path: Path, dev_server: str
) -> None:
    async with start_onboarding(tmp_path, a_file(ACCOUNT, LIVE), server=own_part(dev_server)) as onboarding:
        (tmp_path / "calm.json").write_text(json.dumps(a_file(ACCOUNT, LIVE, id="calm")))
        account = await onboarding.wait_for_workflow("account")
        await type_command(onboarding, tmp_path, "start", str(tmp_path / "calm.json"))
        await onboarding.send_command_to(account, Cancellation(actor="operations-desk", reason="Not ours."))
        await onboarding.wait_until(lambda view: any(waiting.who == "owner" for waiting in view.waiting_for))
        (tmp_path / "task.json").write_text(json.dumps({"title": "Create two accounts"}))
        decide = ("decide", "acme", "--part", "account")
        lines: list[dict[str, Any]] = []
        async with asyncio.timeout(20):
            while sorted(str(line["attention"]) for line in lines) != ["None", "decision"]:
                lines = await type_command(onboarding, tmp_path, "list")
        no_signer = await type_command(onboarding, tmp_path, *decide, "--resend", "--signer", "a=b", code=1)
        await type_command(onboarding, tmp_path, *decide, "--replace", str(tmp_path / "task.json"))
        view = await onboarding.wait_until(lambda view: ".r2" in str(view.stages[0].tasks[0].workflow))
        task = await lookup.find_best_view(onboarding.client, onboarding.store, WorkflowName(Kind.TASK, "acme.1.1.r2"))
        await onboarding.send_command_to(
            view.stages[0].tasks[0].workflow or "", Cancellation(actor="operations-desk", reason="Not ours.")
        )
        await onboarding.wait_until(lambda view: any(waiting.who == "owner" for waiting in view.waiting_for))
        await type_command(onboarding, tmp_path, *decide, "--waive", "--reason", "They have one.")
        settlement = await onboarding.wait_for_end()
    assert [line["id"] for line in lines] == ["acme", "calm"]
    assert no_signer == "account: a is no signer of it: it has none\n"
    assert (task.title, task.requester, task.lines[0].person) == ("Create two accounts: Acme", OWNER, "operations-desk")
    assert [(part.id, part.state) for part in settlement.parts] == [("account", "waived")]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ((), "exactly one of --resend, --replace FILE, --waive and --stop"),
        (("--resend", "--stop"), "exactly one of --resend, --replace FILE, --waive and --stop"),
        (("--waive",), "--waive needs --reason"),
        (("--stop",), "--stop needs --reason"),
        (("--stop", "--reason", "r", "--signer", "a=b"), "--signer goes with --resend"),
        (("--resend", "--signer", "a"), "a is not OLD=NEW"),
        (("--replace", "--josn"), "there is no option --josn"),
    ],
)
def test_a_decision_that_is_none_is_wrong_usage(arguments: tuple[str, ...], message: str) -> None:
    answer = type_("onboard", "decide", "acme", "--part", "agreement-1", *arguments)
    assert (answer.returncode, answer.stdout) == (2, "")
    assert message in answer.stderr
