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
from tests.starter.terminal import complete, type_
from tests.workflows.onboarding.stage import CUSTOMER, DETAILS, LIVE, OWNER, Journeys, a_file, an_agreement, onboarding
from workflows.kinds import Kind, WorkflowName
from workflows.model.commands import Block, Cancellation, Question
from workflows.model.subject import Status

AGREEMENTS = {"name": "agreements", "agreements": [an_agreement(), an_agreement("Data processing agreement")]}
ACCOUNT = {
    "name": "account set-up",
    "tasks": [{"id": "account", "title": "Create the account", "team": "operations"}],
}


def given(folder: Path) -> dict[str, str]:
    """The settings of somebody who onboards customers."""
    people = (folder / "people.yaml").read_text() if (folder / "people.yaml").exists() else ""
    there = complete(folder)
    if people:
        (folder / "people.yaml").write_text(people)
    return {
        **there,
        "COUNTERSIGN_STORE": str(folder / "store"),
        "COUNTERSIGN_POLICIES": str(folder / "catalogue.yaml"),
        "COUNTERSIGN_ACTOR": OWNER,
    }


def address_of(client: Client) -> dict[str, str]:
    """The settings of who works where this client does."""
    return {"TEMPORAL_ADDRESS": client.service_client.config.target_host, "TEMPORAL_NAMESPACE": client.namespace}


async def typed(it: Journeys, folder: Path, *words: str, code: int = 0) -> Any:
    """The answer of `countersign onboard …` as JSON; what is refused as text."""
    there = {**given(folder), **address_of(it.client)}
    answered = await asyncio.to_thread(type_, "onboard", *words, "--json", **there)
    assert answered.returncode == code, answered.stderr
    return json.loads(answered.stdout) if code == 0 else answered.stderr


async def listed(it: Journeys, folder: Path, *words: str) -> Any:
    """The one line of the list, as soon as Temporal's index has it."""
    async with asyncio.timeout(20):
        while not (lines := await typed(it, folder, "list", *words)):
            pass
    return lines[0]


@pytest.mark.long
@pytest.mark.real_server
async def test_an_owner_decides_with_another_signer_and_with_another_file(tmp_path: Path, dev_server: str) -> None:
    async with onboarding(tmp_path, a_file(AGREEMENTS, LIVE), server=own_part(dev_server)) as it:
        await it.signed("agreement-1", Status.DECLINED, reason="I have left.")
        await it.signed("agreement-2", Status.DECLINED, reason="The price is wrong.")
        await it.until(lambda shown: len([one for one in shown.waiting_for if one.who == "owner"]) == 2)
        stalled = await listed(it, tmp_path, "--attention")
        nobody = await typed(
            it, tmp_path, "decide", "acme", "--part", "agreement-1", "--resend", "--signer", "x=y", code=1
        )
        other = ("--resend", "--signer", f"{CUSTOMER}=customer-colleague", "--op", "op-1")
        receipts = [await typed(it, tmp_path, "decide", "acme", "--part", "agreement-1", *other) for _ in range(2)]
        (tmp_path / "new.pdf").write_bytes((tmp_path / "msa.pdf").read_bytes() + b"\n%new")
        wrong = {"document": {"file": "new.pdf"}, "signers": [{"person": "nobody"}]}
        (tmp_path / "replacement.json").write_text(json.dumps(wrong))
        file = ("--replace", str(tmp_path / "replacement.json"))
        refused = await typed(it, tmp_path, "decide", "acme", "--part", "agreement-2", *file, code=1)
        signers = [{"person": "customer"}, {"person": "owner", "role": "approve"}, {"person": "operations"}]
        right = {"requester": "chair", "document": {"file": "new.pdf", "name": "New terms"}, "signers": signers}
        (tmp_path / "replacement.json").write_text(json.dumps(right))
        replaced = await typed(it, tmp_path, "decide", "acme", "--part", "agreement-2", *file)
        await it.until(lambda shown: all(".r2" in str(one.workflow) for one in shown.stages[0].agreements))
        shown = await typed(it, tmp_path, "show", "acme")
        await it.signed("agreement-1")
        await it.signed("agreement-2")
        ended = await it.ended()
        orders = {order.brief.id: order.brief for order in it.provider.created}
    assert stalled["attention"] == "decision" and stalled["waiting_for"][0] == OWNER
    assert nobody == f"agreement-1: x is no signer of it: {CUSTOMER}\n"
    assert [one["op"] for one in receipts] == ["op-1", "op-1"]
    assert refused.startswith(f'{tmp_path}/replacement.json:1: signers[0].person: "nobody" is not in people.yaml')
    assert replaced["state"] == "done"
    assert {one["status"] for one in shown["stages"][0]["agreements"]} <= {"converting", "sent"}
    assert ended.outcome is Status.DONE
    assert orders["acme.1.1.r2"].people[0].person == "customer-colleague"
    again = orders["acme.1.2.r2"]
    assert (again.title, again.requester) == ("New terms: Acme", "chair")
    assert [one.person for one in again.people] == [CUSTOMER, OWNER, "operations-desk"]


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


@pytest.mark.real_server
async def test_each_row_of_a_table_starts_one_onboarding_however_often(tmp_path: Path, dev_server: str) -> None:
    rows = [f"deal-{n};=Acme {n};Ada Ng;ada{n}@customer.example" for n in range(4)]
    async with onboarding(tmp_path, a_file(LIVE, id="other"), server=own_part(dev_server)) as it:
        start = ("start", *put_deals(tmp_path, *rows))
        dry = await typed(it, tmp_path, *start, "--dry-run")
        first = await typed(it, tmp_path, *start)
        again = await typed(it, tmp_path, *start)
        shown = await typed(it, tmp_path, "show", "deal-3")
        wrong = put_deals(tmp_path, *rows, "deal-1;Other;Bo Li;bo@customer.example", "deal.13;Dot;Bo Li;nobody")
        refused = await typed(it, tmp_path, "start", *wrong, code=1)
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
    assert [one["workflow_id"] for one in first] == [f"customer-onboarding:deal-{n}" for n in range(4)]
    assert [one["created"] for one in (*first, *again)] == [True] * 4 + [False] * 4
    assert [stage["name"] for stage in shown["stages"]] == ["agreements", "account set-up", "live"]
    assert "deals.csv:6: id: deal-1 is the id of another onboarding of this start, too" in refused
    assert "deals.csv:7: id: " in refused and "is not an e-mail address" in refused
    assert (result[3]["onboarding"], result[3]["result"], result[3]["company"]) == (
        "deal-3",
        "was there before",
        "'=Acme 3",
    )


@pytest.mark.real_server
async def test_an_onboarding_from_standard_input_is_recognised(tmp_path: Path, dev_server: str) -> None:
    async with onboarding(tmp_path, a_file(LIVE, id="other"), server=own_part(dev_server)) as it:
        there = {**given(tmp_path), **address_of(it.client)}
        file = json.dumps(a_file(DETAILS, LIVE))
        told = [await asyncio.to_thread(type_, "onboard", "start", "-", stdin=file, **there) for _ in range(2)]
        await asyncio.to_thread(type_, "onboard", "cancel", "acme", "--reason", "sold", **there)
        again = await asyncio.to_thread(type_, "onboard", "start", "-", stdin=file, **there)
    assert [one.stdout.splitlines()[:2] for one in told] == [
        ["acme started", "countersign onboard show acme"],
        ["acme was there before: the same onboarding, not started again", "countersign onboard show acme"],
    ]
    assert again.stdout.splitlines()[1].startswith("Cancelled")


@pytest.mark.real_server
async def test_parts_are_done_and_answered_by_the_onboarding_and_their_own_names(
    tmp_path: Path, dev_server: str
) -> None:
    async with onboarding(tmp_path, a_file(ACCOUNT, DETAILS, LIVE), server=own_part(dev_server)) as it:
        account = await it.open("account")
        await it.tell(account, Block(person="operations-desk", because="No order form."))
        line = await listed(it, tmp_path, "--person", OWNER)
        blocked = await typed(it, tmp_path, "show", "acme")
        early = await typed(it, tmp_path, "done", "acme", "billing", code=1)
        unknown = await typed(it, tmp_path, "done", "acme", "acount", code=1)
        await typed(it, tmp_path, "answer", "acme", "account", "It is in the mail.")
        done = await typed(it, tmp_path, "done", "acme", "account", "--as", "operations-desk")
        billing = await it.open("billing")
        await it.tell(billing, Question(person=CUSTOMER, text="By post as well?"))
        answered = await typed(it, tmp_path, "answer", "acme", "billing", "No, by mail.")
        cancelled = await typed(it, tmp_path, "cancel", "acme", "--reason", "They went elsewhere.")
        ended = await it.ended()
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
    assert (done["id"], done["status"]) == ("acme.1.1", "done")
    assert (answered["id"], answered["status"]) == ("acme.2.1", "open")
    assert (cancelled["id"], ended.outcome) == ("acme", Status.CANCELLED)


@pytest.mark.real_server
async def test_what_is_stalled_is_listed_first_and_a_task_is_replaced_then_waived(
    tmp_path: Path, dev_server: str
) -> None:
    async with onboarding(tmp_path, a_file(ACCOUNT, LIVE), server=own_part(dev_server)) as it:
        (tmp_path / "calm.json").write_text(json.dumps(a_file(ACCOUNT, LIVE, id="calm")))
        account = await it.open("account")
        await typed(it, tmp_path, "start", str(tmp_path / "calm.json"))
        await it.tell(account, Cancellation(actor="operations-desk", reason="Not ours."))
        await it.until(lambda shown: any(one.who == "owner" for one in shown.waiting_for))
        (tmp_path / "task.json").write_text(json.dumps({"title": "Create two accounts"}))
        decide = ("decide", "acme", "--part", "account")
        lines: list[dict[str, Any]] = []
        async with asyncio.timeout(20):
            while sorted(str(one["attention"]) for one in lines) != ["None", "decision"]:
                lines = await typed(it, tmp_path, "list")
        no_signer = await typed(it, tmp_path, *decide, "--resend", "--signer", "a=b", code=1)
        await typed(it, tmp_path, *decide, "--replace", str(tmp_path / "task.json"))
        again = await it.until(lambda shown: ".r2" in str(shown.stages[0].tasks[0].workflow))
        task = await lookup.look_at(it.client, it.store, WorkflowName(Kind.TASK, "acme.1.1.r2"))
        await it.tell(
            again.stages[0].tasks[0].workflow or "", Cancellation(actor="operations-desk", reason="Not ours.")
        )
        await it.until(lambda shown: any(one.who == "owner" for one in shown.waiting_for))
        await typed(it, tmp_path, *decide, "--waive", "--reason", "They have one.")
        ended = await it.ended()
    assert [line["id"] for line in lines] == ["acme", "calm"]
    assert no_signer == "account: a is no signer of it: it has none\n"
    assert (task.title, task.requester, task.lines[0].person) == ("Create two accounts: Acme", OWNER, "operations-desk")
    assert [(one.id, one.state) for one in ended.parts] == [("account", "waived")]


@pytest.mark.parametrize(
    ("words", "says"),
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
def test_a_decision_that_is_none_is_wrong_usage(words: tuple[str, ...], says: str) -> None:
    ended = type_("onboard", "decide", "acme", "--part", "agreement-1", *words)
    assert (ended.returncode, ended.stdout) == (2, "")
    assert says in ended.stderr
