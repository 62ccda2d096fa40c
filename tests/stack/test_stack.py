"""Countersign on a laptop, end to end: commands in a second terminal, a browser, and rude endings."""

import json
import os
import re
import signal
import stat
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any
from urllib.request import urlopen

import pytest

from activities.records.store import Store
from deploy.demo.scene import Browser
from deploy.local.folder import Ports
from deploy.local.stack import temporal_binary
from tests.stack.laptop import BUILD, ENDS_WITHIN, Laptop, clean, countersign, eventually, running
from workflows.kinds import Kind

pytestmark = pytest.mark.real_server

API_PAGE = Path(__file__).parents[2] / "docs" / "api.md"


async def test_a_contract_is_started_signed_by_both_and_everyone_is_told(laptop: Laptop) -> None:
    file = str(laptop.request("signed"))
    started = laptop.answer("request", "start", file)
    repeated = laptop.answer("request", "start", file)
    assert set(started) == {"id", "workflow_id", "run_id", "created", "url"}
    assert (started["id"], started["workflow_id"], started["created"]) == ("signed", "signature-request:signed", True)
    assert started["url"].startswith(laptop.addresses["web_ui"]) and started["run_id"] in started["url"]
    assert repeated == {**started, "created": False}

    for person in ("customer-signer", "chief-executive"):
        await signs(laptop, "signed", person)
    view = laptop.wait_for_view(
        "signed",
        lambda view_so_far: (
            all(hand_off["state"] == "done" for hand_off in view_so_far["handoffs"]) and view_so_far["handoffs"]
        ),
    )
    assert view["status"] == "signed"
    assert [signer["state"] for signer in view["signers"]] == ["signed", "signed"]
    assert {hand_off["target"] for hand_off in view["handoffs"]} == {"hr", "finance", "operations", "customer-success"}
    store = Store((laptop.folder / "store").as_uri())
    assert await store.records.read(Kind.REQUEST.workflow_id("signed"))


async def signs(laptop: Laptop, request: str, person: str) -> None:
    """Tap the notice on the phone, press our button, press Core Signature's."""
    browser = Browser()
    try:
        notice = eventually(lambda: next((n for n in screen(laptop, person) if n["data"]["request"] == request), None))
        assert notice, laptop.answer("request", "show", request)
        page = await browser.open(notice["link"])
        await browser.press(await browser.press(page))
    finally:
        await browser.aclose()


def screen(laptop: Laptop, person: str) -> list[dict[str, Any]]:
    with urlopen(f"{laptop.addresses['sandbox']}/_sandbox/phones/{person}") as answer:  # noqa: S310  our own sandbox
        return [notice for notices in json.load(answer).values() for notice in notices]


def test_what_people_and_programs_are_shown_is_the_same(laptop: Laptop) -> None:
    laptop.answer("request", "start", str(laptop.request("looked-at")))
    view = laptop.wait_for_view("looked-at", lambda view_so_far: view_so_far["notifications"])
    typed = laptop.type("request", "show", "looked-at")
    assert typed.returncode == 0
    assert " ".join(typed.stdout.split()).startswith(view["says"])
    assert view["waiting_for"][0]["person"] == "customer-signer"
    listed = eventually(lambda: [row for row in laptop.answer("request", "list") if row["id"] == "looked-at"])
    assert {"id", "kind", "status", "problem", "due_at", "trouble", "attention", "waiting_for"} <= set(listed[0])
    assert "looked-at" not in [row["id"] for row in laptop.answer("request", "list", "--attention")]


def test_the_call_that_the_page_of_the_api_shows_starts_a_task_beside_a_running_stack(laptop: Laptop) -> None:
    [command] = re.findall(r"```sh\n(AT=.*?)```", API_PAGE.read_text(), re.DOTALL)
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    pasted = subprocess.run(  # noqa: S603  what a reader pastes
        ["bash", "-c", command.replace(".countersign", str(laptop.folder))],  # noqa: S607
        env={**clean(), "PATH": path, "COUNTERSIGN_DATA_DIR": str(laptop.folder), "NO_PROXY": "*"},
        capture_output=True,
        text=True,
        check=True,
    )
    started = json.loads(pasted.stdout)
    assert started["created"], pasted
    assert laptop.answer("task", "show", started["id"])["requester"] == "account-executive"


def test_days_pass_on_demand_and_a_cancelled_request_is_over(laptop: Laptop) -> None:
    laptop.answer("request", "start", str(laptop.request("cancelled")))
    laptop.wait_for_view("cancelled", lambda view_so_far: view_so_far["notifications"])
    assert laptop.answer("fast-forward", "cancelled", "1w")["reached"] is True
    view = laptop.answer("request", "show", "signature-request:cancelled")
    # In working hours the first reminder comes after three days, or when the weekend after them is over.
    assert [notification["stage"] for notification in view["notifications"]][:3] == ["ready", "follow", "reminder-1"]

    arguments = ("request", "cancel", "cancelled", "--reason", "not needed", "--as", "legal-desk", "--op", "op-1")
    assert laptop.answer(*arguments)["status"] == "cancelled"
    assert laptop.answer(*arguments)["op"] == "op-1"
    # The answer comes before the workflow is over: it takes back the notices and writes its record first.
    late = eventually(lambda: refused(laptop.type("fast-forward", "cancelled", "3d")))
    assert (late.returncode, late.stderr) == (1, "cancelled: no such request is open, so there is no clock to move\n")


def refused(typed: subprocess.CompletedProcess[str]) -> subprocess.CompletedProcess[str] | None:
    return typed if typed.returncode else None


def test_an_unknown_request_is_one_line_and_exit_code_1(laptop: Laptop) -> None:
    typed = laptop.type("request", "show", "nowhere")
    assert (typed.returncode, typed.stdout) == (1, "")
    assert typed.stderr == "no request nowhere: neither Temporal nor the records know it\n"


def test_a_faulty_file_starts_nothing_and_says_all_that_is_wrong(laptop: Laptop) -> None:
    file = laptop.folder / "example" / "faulty.yaml"
    file.write_text(laptop.example.read_text().replace("kind: customer-contract", "kind: contract\nsinger: []"))
    typed = laptop.type("request", "start", str(file))
    assert typed.returncode == 1
    assert f"{file}:4: kind" in typed.stderr and f"{file}:5: singer" in typed.stderr


def test_init_and_doctor_find_everything_set_up(laptop: Laptop) -> None:
    assert {entry["made"] for entry in laptop.answer("init")} == {"exists"}
    examined = laptop.answer("doctor", TEMPORAL_WORKER_BUILD_ID=BUILD)
    assert examined["ok"] is True
    # Ids of the examples are roles, as their names are; other stories of this stack add people without a device.
    assert [part for part in examined["parts"] if part["state"] != "ok" and part["part"] not in ("ids", "people")] == []
    assert {part["state"] for part in examined["parts"] if part["part"] == "people"} <= {"ok", "warning"}
    parts = {part["part"] for part in examined["parts"]}
    assert {"temporal", "search attributes", "reconciliation", "worker", "version", "token", "clock"} <= parts
    assert {"push", "cloud messaging", "receiver", "store", "people"} <= parts


def test_doctor_says_what_to_do_when_another_version_is_current(laptop: Laptop) -> None:
    typed = laptop.type("doctor", "--json", TEMPORAL_WORKER_BUILD_ID="build-2")
    version = next(part for part in json.loads(typed.stdout)["parts"] if part["part"] == "version")
    assert (typed.returncode, version["state"]) == (1, "wrong")
    assert "set-current-version --deployment-name countersign --build-id build-2" in version["says"]


def test_what_the_stack_writes_is_for_its_owner_only(laptop: Laptop) -> None:
    for name in ("dev.json", "kept.json"):
        assert stat.S_IMODE((laptop.folder / name).stat().st_mode) == 0o600
    written = [file for file in laptop.folder.rglob("*") if file.is_file() and file.suffix != ".yaml"]
    assert {"temporal.db", "worker.log", "msa.pdf"} <= {file.name for file in written}
    assert [file for file in written if stat.S_IMODE(file.stat().st_mode) & 0o077] == []


def test_a_second_stack_on_the_same_folder_is_refused(laptop: Laptop) -> None:
    typed = countersign("dev", "--data", str(laptop.folder))
    assert typed.returncode == 1
    assert f"a stack already runs on {laptop.folder}" in typed.stderr


@pytest.mark.long
def test_a_killed_supervisor_leaves_no_orphan_and_the_next_start_goes_on_until_its_server_dies(folder: Path) -> None:
    with running(folder, OTEL_METRICS_EXPORTER="prometheus") as first:
        receiver_and_worker_offer_their_metrics(first)
        first.answer("request", "start", str(first.example))
        addresses, children = first.addresses, first.children()
        first.end(signal.SIGKILL)
        assert len(children) == 4
        assert eventually(lambda: not [pid for pid in children if Path(f"/proc/{pid}").exists()], 5)
    with running(folder) as second:
        assert second.addresses == addresses
        # A server that has just come knows no worker until that has asked it for work, on each of its queues.
        assert eventually(lambda: not second.type("request", "list", "--json").stderr)
        # Not `show`: the killed worker's queue is waited for some seconds before another one is asked.
        assert [row["id"] for row in second.answer("request", "list")] == ["msa-0042"]
        server_dies(second)


@pytest.mark.long
def test_search_attributes_that_came_after_the_data_folder_are_made_before_the_worker_needs_them(folder: Path) -> None:
    folder.mkdir()
    with a_server_that_knows_none_of_ours(folder / "temporal.db"):
        pass
    with running(folder) as upgraded:
        assert {entry["made"] for entry in upgraded.answer("init")} == {"exists"}
        upgraded.answer("request", "start", str(upgraded.example))
        upgraded.wait_for_view("msa-0042", lambda view_so_far: view_so_far["notifications"])
        assert eventually(lambda: [row["id"] for row in upgraded.answer("request", "list")] == ["msa-0042"])


@contextmanager
def a_server_that_knows_none_of_ours(database: Path) -> Iterator[None]:
    """One whose namespace is made and kept, as an older version would have left it."""
    port, http = (Ports.free("127.0.0.1", {}).temporal for _ in range(2))
    flags = {
        "--ip": "127.0.0.1",
        "--port": port,
        "--http-port": http,
        "--db-filename": database,
        "--log-level": "error",
    }
    flag_arguments = (str(part_of_flag) for flag in flags.items() for part_of_flag in flag)
    with subprocess.Popen((temporal_binary(), "server", "start-dev", "--headless", *flag_arguments)) as server:  # noqa: S603  ours
        try:
            assert eventually(lambda: kept_namespaces(http))
            yield
        finally:
            server.terminate()


def kept_namespaces(http: int) -> bool:
    with suppress(OSError), urlopen(f"http://127.0.0.1:{http}/api/v1/namespaces/default") as answer:
        return bool(answer.status == 200)
    return False


def server_dies(stack: Laptop) -> None:
    """Its end is that of the stack, and it is named."""
    [server] = [pid for pid in stack.children() if "start-dev" in Path(f"/proc/{pid}/cmdline").read_text()]
    os.kill(server, signal.SIGKILL)
    assert stack.process.wait(ENDS_WITHIN) == 1
    error_output = stack.process.stderr.read() if stack.process.stderr else ""
    assert error_output.startswith("countersign dev: Temporal server ended by itself (signal SIGKILL)")
    assert str(stack.folder / "logs" / "temporal.log") in error_output


def receiver_and_worker_offer_their_metrics(stack: Laptop) -> None:
    ports = json.loads((stack.folder / "kept.json").read_text())["ports"]
    for process in ("receiver", "worker"):
        with urlopen(f"http://127.0.0.1:{ports[f'{process}_metrics']}/metrics") as answer:
            assert answer.status == 200


@pytest.mark.parametrize("name_in_the_way", ["example", "kept.json", "logs"])
def test_what_stands_in_the_way_is_named_in_one_line(folder: Path, name_in_the_way: str) -> None:
    folder.mkdir()
    if name_in_the_way == "kept.json":
        (folder / name_in_the_way).mkdir()
    else:
        (folder / name_in_the_way).write_text("")
    typed = countersign("dev", COUNTERSIGN_DATA_DIR=str(folder))
    assert (typed.returncode, typed.stderr.count("\n")) == (1, 1), typed.stderr
    assert typed.stderr.startswith(f"countersign dev: {folder / name_in_the_way} cannot be used: ")


@pytest.mark.long
def test_a_misspelt_setting_of_the_shell_starts_no_stack(folder: Path) -> None:
    typed = countersign("dev", "--data", str(folder), COUNTERSIGN_POLICY="mine.yaml")
    assert (typed.returncode, typed.stdout) == (1, "")
    assert typed.stderr == "COUNTERSIGN_POLICY: no such setting; did you mean COUNTERSIGN_POLICIES?\n"
    assert not folder.exists()


@pytest.mark.long
def test_nothing_but_loopback_is_listened_on(folder: Path) -> None:
    typed = countersign("dev", "--data", str(folder), "--host", "0.0.0.0")
    assert typed.returncode == 1
    assert typed.stderr.startswith("countersign dev: 0.0.0.0 is not a loopback address")
    assert not folder.exists()
