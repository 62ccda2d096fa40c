"""Every word that changes a request, typed into a second terminal, against a living one."""

import asyncio
import getpass
import io
import json
import socket
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path
from subprocess import CompletedProcess
from typing import Any

import pytest
import segno

from deploy.sandbox.server import running
from starter.cli.login import log_in
from starter.config.settings import load
from starter.queries import commands
from starter.temporal.connection import Context
from tests.starter.cli.test_login import confirm_device
from tests.starter.queries.living import MSA, begin, wait_until_signer_told
from tests.starter.terminal import type_
from tests.workflows.fakes import World, refusal
from tests.workflows.stage import workers
from workflows.follow_up.commands import day_words
from workflows.model.commands import KnownBy, Question
from workflows.model.rejections import Rejection
from workflows.model.subject import Code

pytestmark = [pytest.mark.long, pytest.mark.real_server]

LINKS = {"COUNTERSIGN_LINK_BASE": "https://sign.example", "COUNTERSIGN_LINK_SECRET": "s" * 32}
LEGAL = ("--as", "legal-desk", "--json")
DUE = datetime.now(UTC).replace(microsecond=0) + timedelta(days=60)


async def run_request_command(
    context: Context, folder: Path, *arguments: str, **overrides: str
) -> "CompletedProcess[str]":
    """What came of `countersign request …`."""
    client = context.client
    environment = {
        "TEMPORAL_ADDRESS": client.service_client.config.target_host,
        "TEMPORAL_NAMESPACE": client.namespace,
    } | overrides
    return await asyncio.to_thread(type_, "request", *arguments, **environment, COUNTERSIGN_DATA_DIR=str(folder))


async def run_request_command_as_json(context: Context, folder: Path, *arguments: str) -> Any:
    """The answer as JSON."""
    answered = await run_request_command(context, folder, *arguments)
    assert (answered.returncode, answered.stderr) == (0, "")
    return json.loads(answered.stdout)


async def test_where_claimed_actors_do_not_count_nothing_is_changed_by_hand(context: Context, tmp_path: Path) -> None:
    await begin(context)
    refused = await run_request_command(context, tmp_path, "pause", MSA, *LEGAL, COUNTERSIGN_ACTORS="verified")
    assert (refused.returncode, "cannot prove who acts" in refused.stderr) == (1, True)
    show_process = await run_request_command(context, tmp_path, "show", MSA, "--json", COUNTERSIGN_ACTORS="verified")
    assert show_process.returncode == 0


async def test_a_command_of_somebody_who_has_logged_in_is_proved(
    context: Context, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    people = tmp_path / "people.yaml"
    people.write_text("people: [{id: legal-desk, name: Legal Desk, email: legal@example.test, zone: UTC}]\n")
    async with running() as sandbox:
        environment = {
            "COUNTERSIGN_OIDC_ISSUER": sandbox.oidc.issuer,
            "COUNTERSIGN_OIDC_CLIENT_ID": "countersign",
            "COUNTERSIGN_PEOPLE": str(people),
        }
        await begin(context)
        refused = await run_request_command(context, tmp_path, "pause", MSA, **environment)
        assert (refused.returncode, "`countersign login` proves who you are" in refused.stderr) == (1, True)
        await log_in(load(environment=environment), partial(confirm_device, sandbox, "legal@example.test"))
        async with workers(context.client, World()):
            pausing = await run_request_command(context, tmp_path, "pause", MSA, "--reason", "prices", **environment)
            shown = await run_request_command(context, tmp_path, "show", MSA, "--json", **environment)
        assert (pausing.returncode, pausing.stderr) == (0, "")
        other = await run_request_command(context, tmp_path, "resume", MSA, "--as", "boss", **environment)
        assert (other.returncode, "you are logged in as legal-desk" in other.stderr) == (1, True)
    actors = {entry["actor"] for entry in json.loads(shown.stdout)["timeline"] if entry.get("actor")}
    assert "oidc:legal-desk" in actors


async def test_without_the_database_no_link_is_handed_over_and_a_sentence_says_so(
    context: Context, tmp_path: Path
) -> None:
    await begin(context)
    hand_over = ("link", MSA, "--signer", "customer-signer", *LEGAL[:2])
    away = {"COUNTERSIGN_DATABASE": "postgresql://nobody@127.0.0.1:1/none", **LINKS}
    answer = await run_request_command(context, tmp_path, *hand_over, **away)
    assert answer.returncode and "the database" in answer.stderr and "Traceback" not in answer.stderr
    assert not answer.stdout


async def test_the_words_do_what_they_say(context: Context, tmp_path: Path) -> None:
    async with workers(context.client, World()):
        await begin(context)
        await wait_until_signer_told(context)
        paused = await run_request_command_as_json(
            context, tmp_path, "pause", MSA, "--reason", "prices", "--op", "op-1", *LEGAL
        )
        await run_request_command_as_json(context, tmp_path, "resume", MSA, *LEGAL)
        await run_request_command_as_json(context, tmp_path, "remind", MSA, "--force", *LEGAL)
        await run_request_command_as_json(
            context, tmp_path, "extend", MSA, "--due", DUE.isoformat(), "--reason", "the board meets", *LEGAL
        )
        shortened = await run_request_command(context, tmp_path, "extend", MSA, "--due", "+1w", *LEGAL)
        await commands.send(context.client, MSA, Question(person="customer-signer", text="Which annex?"), "page-1")
        await run_request_command_as_json(context, tmp_path, "answer", MSA, "--text", "Annex B.", *LEGAL)
        await run_request_command_as_json(
            context, tmp_path, "delegate", MSA, "--signer", "customer-signer", "--to", "customer-deputy", *LEGAL
        )
        hand_over = ("link", MSA, "--signer", "signer-2", "--op", "link-1", *LEGAL[:2])
        refused = await run_request_command(context, tmp_path, *hand_over, **LINKS)
        of_new = ("link", MSA, "--signer", "customer-deputy", "--op", "link-2", *LEGAL[:2])
        answers = [await run_request_command(context, tmp_path, *of_new, "--qr", **LINKS) for _ in range(2)]
        as_json = await run_request_command(context, tmp_path, *of_new, "--json", **LINKS)
        view = await run_request_command_as_json(context, tmp_path, "show", MSA, "--json")
        cancelled = await run_request_command_as_json(
            context, tmp_path, "cancel", MSA, "--reason", "not needed", *LEGAL
        )
    actor = KnownBy.CLAIMED.actor("legal-desk", f"{getpass.getuser()}@{socket.gethostname()}")
    by_hand = {
        entry["happened"]: entry["actor"] for entry in view["timeline"] if "legal-desk" in (entry["who"], entry["by"])
    }
    assert (refused.returncode, "chief-executive is not asked to sign now" in refused.stderr) == (1, True)
    page = json.loads(as_json.stdout)
    code = io.StringIO()
    segno.make_qr(page["link"]).terminal(code, compact=True)
    assert {answer.stdout for answer in answers} == {answers[0].stdout}
    assert page["link"] in answers[0].stdout and code.getvalue() in answers[0].stdout
    assert (page["id"], page["person"], page["link"].startswith("https://sign.example/open/")) == (
        MSA,
        "customer-deputy",
        True,
    )
    handed = [entry for entry in view["timeline"] if entry["happened"] == "link_handed"]
    assert [(entry["who"], entry["by"], entry["actor"]) for entry in handed] == [
        ("customer-deputy", "legal-desk", actor)
    ]
    event_types = ("paused", "resumed", "reminder_asked", "due_moved", "question_answered", "hand_over_asked")
    assert [by_hand[event_type] for event_type in event_types] == [actor] * len(event_types)
    assert {key: paused[key] for key in ("id", "status", "op", "state", "detail", "outstanding")} == {
        "id": MSA, "status": "sent", "op": "op-1", "state": "done", "detail": "paused", "outstanding": [],
    }  # fmt: skip
    assert paused["says"].endswith("reminders are paused: paused by legal-desk: prices")
    assert datetime.fromisoformat(view["due_at"]) == DUE
    assert "the board meets" in [entry["why"] for entry in view["timeline"]]
    assert (shortened.returncode, shortened.stdout) == (1, "")
    message, sentence = shortened.stderr.split("\n", 1)
    assert json.loads(message)["code"] == "earlier_than_due"
    assert sentence.startswith(f"{MSA}: +1w from now is ")
    assert sentence.endswith(f"earlier than it is due: {day_words(DUE)}; give the date itself to shorten it\n")
    assert [waiting["person"] for waiting in view["waiting_for"]] == ["customer-deputy"]
    assert [(question["text"], question["answer"]) for question in view["answered"]] == [("Which annex?", "Annex B.")]
    assert "reminder-manual-1" in [line["stage"] for line in view["notifications"]]
    assert cancelled["status"] == "cancelled"


async def test_somebody_mistyped_is_refused_before_anything_is_sent(context: Context, tmp_path: Path) -> None:
    people = [{"id": id, "name": "A", "email": f"{id}@x.example", "zone": "UTC"} for id in ("customer-deputy", "chair")]
    (tmp_path / "people.yaml").write_text(json.dumps({"people": people}))
    hand_over = ("delegate", MSA, "--signer", "customer-signer", "--to")
    async with workers(context.client, World()):
        await begin(context)
        await wait_until_signer_told(context)
        environment = {"COUNTERSIGN_PEOPLE": str(tmp_path / "people.yaml")}
        refused = await run_request_command(context, tmp_path, *hand_over, "customer-depty", **environment)
        accepted = await run_request_command(context, tmp_path, *hand_over, "customer-deputy", **environment)
        view = await run_request_command_as_json(context, tmp_path, "show", MSA, "--json")
    assert (refused.returncode, refused.stdout) == (1, "")
    message = 'nothing was changed: "customer-depty" is not in people.yaml, did you mean customer-deputy?\n'
    assert (refused.stderr, accepted.returncode) == (message, 0)
    assert "customer-depty" not in json.dumps(view)


async def test_only_a_member_is_named_to_take_on_what_a_group_asks_for(context: Context, tmp_path: Path) -> None:
    people: list[dict[str, object]] = [
        {"id": id, "name": "A", "email": f"{id}@x.example", "zone": "UTC"} for id in ("chair", "seller")
    ]
    people[1]["groups"] = ["sales"]
    (tmp_path / "people.yaml").write_text(json.dumps({"people": people}))
    async with workers(context.client, World()):
        await begin(context, requester="group:sales")
        await wait_until_signer_told(context)
        environment = {"COUNTERSIGN_PEOPLE": str(tmp_path / "people.yaml")}
        refused = await run_request_command(context, tmp_path, "take", MSA, "--person", "chair", *LEGAL, **environment)
        unread = await run_request_command(context, tmp_path, "take", MSA, "--person", "seller", *LEGAL)
        accepted = await run_request_command(
            context, tmp_path, "take", MSA, "--person", "seller", *LEGAL, **environment
        )
    message, sentence = refused.stderr.split("\n", 1)
    assert json.loads(message) == {"code": "not_in_group", "values": {"person": "chair", "group": "sales"}}
    assert (refused.returncode, sentence) == (1, "chair is not a member of the group sales, which asks for it\n")
    assert (unread.returncode, accepted.returncode) == (1, 0), unread.stderr


async def test_a_word_says_what_is_still_to_be_done_what_was_done_and_what_was_refused(
    context: Context, tmp_path: Path
) -> None:
    hand_over = ("delegate", MSA, "--signer", "customer-signer", "--to", "customer-deputy", "--as", "legal-desk")
    world = World()
    async with workers(context.client, world):
        await begin(context)
        await wait_until_signer_told(context)
        world.signatures.forward_refusals = [Rejection.AWAY_UNLESS_FORCED.to_message(person="customer-deputy")]
        refused = await run_request_command(context, tmp_path, *hand_over)
        world.signatures.failures = [refusal(Code.UNAUTHORISED) for _ in range(100)]
        open_ = await run_request_command(context, tmp_path, *hand_over, "--force", "--op", "op-2", "--wait", "0s")
        paused = await run_request_command(context, tmp_path, "pause", MSA, "--reason", "[prices]")
    assert (refused.returncode, refused.stdout) == (1, "")
    assert refused.stderr == f"{MSA}: customer-deputy is away: insist with --force\n"
    assert (open_.returncode, open_.stderr) == (0, "")
    assert open_.stdout == "asked for, still to be done: hand over from customer-signer to customer-deputy\n"
    assert (paused.returncode, paused.stderr) == (0, "")
    assert paused.stdout.startswith("✓ paused\n")
