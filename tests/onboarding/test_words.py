"""The words of `countersign onboard …`, typed at a terminal beside a living onboarding."""

import asyncio
import json
from pathlib import Path
from typing import Any

import pytest

from tests.onboarding.stage import CUSTOMER, DETAILS, LIVE, OWNER, Journeys, a_file, an_agreement, onboarding
from tests.servers import real_server
from tests.starter.terminal import complete, type_
from workflows.model.subject import Status
from workflows.model.wishes import Block, Question

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


async def typed(it: Journeys, folder: Path, *words: str, code: int = 0) -> Any:
    """The answer of `countersign onboard …` as JSON; what is refused as text."""
    there = {**given(folder), "TEMPORAL_ADDRESS": it.client.service_client.config.target_host}
    answered = await asyncio.to_thread(type_, "onboard", *words, "--json", **there)
    assert answered.returncode == code, answered.stderr
    return json.loads(answered.stdout) if code == 0 else answered.stderr


async def listed(it: Journeys, folder: Path, *words: str) -> Any:
    """The one line of the list, as soon as Temporal's index has it."""
    async with asyncio.timeout(20):
        while not (lines := await typed(it, folder, "list", *words)):
            pass
    return lines[0]


@pytest.mark.real_server
async def test_an_owner_decides_with_another_signer_and_with_another_file(tmp_path: Path) -> None:
    async with onboarding(tmp_path, a_file(AGREEMENTS, LIVE), server=real_server()) as it:
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
        right = {"document": {"file": "new.pdf", "name": "New terms"}, "signers": [{"person": CUSTOMER}]}
        (tmp_path / "replacement.json").write_text(json.dumps(right))
        replaced = await typed(it, tmp_path, "decide", "acme", "--part", "agreement-2", *file)
        await it.until(lambda shown: all(".r2" in str(one.workflow) for one in shown.stages[0].agreements))
        shown = await typed(it, tmp_path, "show", "acme")
        await it.signed("agreement-1")
        await it.signed("agreement-2")
        ended = await it.handle.result()
        orders = {order.brief.id: order.brief for order in it.provider.created}
    assert stalled["attention"] == "decision" and stalled["waiting_for"][0] == OWNER
    assert nobody == f"agreement-1: x is no signer of it: {CUSTOMER}\n"
    assert [one["op"] for one in receipts] == ["op-1", "op-1"]
    assert refused.startswith(f'{tmp_path}/replacement.json:1: signers[0].person: "nobody" is not in people.yaml')
    assert replaced["state"] == "done"
    assert {one["status"] for one in shown["stages"][0]["agreements"]} <= {"converting", "sent"}
    assert ended.outcome is Status.DONE
    assert orders["acme.1.1.r2"].people[0].person == "customer-colleague"
    assert (orders["acme.1.2.r2"].title, orders["acme.1.2.r2"].requester) == ("New terms", OWNER)


@pytest.mark.real_server
async def test_parts_are_done_and_answered_by_the_onboarding_and_their_own_names(tmp_path: Path) -> None:
    async with onboarding(tmp_path, a_file(ACCOUNT, DETAILS, LIVE), server=real_server()) as it:
        account = await it.open("account")
        await it.tell(account, Block(person="operations-desk", because="No order form."))
        line = await listed(it, tmp_path, "--person", "operations-desk")
        blocked = await typed(it, tmp_path, "show", "acme")
        early = await typed(it, tmp_path, "done", "acme", "billing", code=1)
        unknown = await typed(it, tmp_path, "done", "acme", "acount", code=1)
        await typed(it, tmp_path, "answer", "acme", "account", "It is in the mail.")
        done = await typed(it, tmp_path, "done", "acme", "account", "--as", "operations-desk")
        billing = await it.open("billing")
        await it.tell(billing, Question(person=CUSTOMER, text="By post as well?"))
        answered = await typed(it, tmp_path, "answer", "acme", "billing", "No, by mail.")
        cancelled = await typed(it, tmp_path, "cancel", "acme", "--reason", "They went elsewhere.")
        ended = await it.handle.result()
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
