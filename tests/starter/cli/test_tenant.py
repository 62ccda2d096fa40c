"""`countersign tenant try` as a person types it."""

import asyncio
import json
import signal
import subprocess
from pathlib import Path
from typing import Any

import pytest

from deploy.sandbox.server import RunningSandbox, running
from starter.boot import processes as modules
from starter.tenant.recording import ANSWERS, Recording
from tests.starter.tenant.stage import TO, environment, vendor
from tests.starter.terminal import type_


async def type_trial(sandbox: RunningSandbox, folder: Path, *arguments: str) -> "subprocess.CompletedProcess[str]":
    """The command beside its sandbox."""

    settings = environment(sandbox, folder)
    if "--person" not in arguments:  # Nothing of push has to be set in the first hour.
        settings = {name: text for name, text in settings.items() if "_PUSH_" not in name and "_MRA_" not in name}
    return await asyncio.to_thread(type_, "tenant", "try", "--to", TO, *arguments, **settings)


async def test_try_without_a_signer_prints_each_fact_and_what_is_left(tmp_path: Path) -> None:
    async with running(vendor(action_names="short")) as sandbox:
        process = await type_trial(sandbox, tmp_path, "--wait", "0s", "--yes", "--json", "-o", str(tmp_path / "trial"))
    answer: dict[str, Any] = json.loads(process.stdout)
    facts = {fact["id"]: fact for fact in answer["facts"]}
    assert (process.returncode, answer["ok"], answer["folder"]) == (1, False, str(tmp_path / "trial"))
    assert facts["A1"].keys() == {"id", "fact", "verdict", "says", "settings"}
    assert facts["A1"]["settings"] == ["COUNTERSIGN_SIGNATURE_CANCEL_PATHS"]
    assert (facts["T2"]["verdict"], facts["D8"]["verdict"]) == ("holds", "not seen")
    assert [line.rpartition(": ")[2] for line in answer["left"]] == ["cancelled", "deleted", "deleted"]
    assert Recording.read(tmp_path / "trial").exchanges


@pytest.mark.long
async def test_try_says_its_steps_while_it_runs_and_prints_a_table_at_the_end(tmp_path: Path) -> None:
    async with running(vendor()) as sandbox:
        process = await type_trial(
            sandbox, tmp_path, "--wait", "0s", "--yes", "--person", "grace", "-o", str(tmp_path / "trial")
        )
    assert process.returncode == 0, process.stderr
    assert "✓\tF1\tFCM takes a message\tholds" in process.stdout
    lines = process.stderr.splitlines()
    assert lines[0] == "a token is asked for"
    assert lines.index("its mail is sent again") < lines.index("it is cancelled")
    assert "Left behind: the document countersign-try-" in process.stderr
    assert [file.name for file in (tmp_path / "trial").iterdir()] == [ANSWERS]


@pytest.mark.long
@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ((), "nothing was sent: say y, or --yes"),
        (("--json",), "nothing was sent: say y, or --yes"),
        (("--yes", "--forward-to", TO.upper()), "--forward-to: must be another address than --to"),
        (("--yes", "--person", "nobody"), "nobody"),
        (("--yes", "-o", "/dev/null/x"), "name a new folder with --output"),
    ],
)
async def test_what_is_refused_sends_nothing(arguments: tuple[str, ...], message: str, tmp_path: Path) -> None:
    async with running(vendor()) as sandbox:
        process = await type_trial(sandbox, tmp_path, *arguments)
        assert (process.returncode, message in process.stderr) == (1, True), process.stderr
        assert list(sandbox.state.database.documents) == []


def _hears_ctrl_c() -> None:
    """Also where these tests run in the background of a shell, which has it ignored."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)


@pytest.mark.long
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
async def test_ended_by_a_signal_it_cancels_what_it_made_and_leaves_its_answers(number: int, tmp_path: Path) -> None:
    async with running(vendor()) as sandbox:
        arguments = ("tenant", "try", "--to", TO, "--wait", "40m", "--yes", "-o", str(tmp_path / "trial"))
        process = await asyncio.create_subprocess_exec(
            *modules.command("starter", *arguments),
            env={**modules.environment(), **environment(sandbox, tmp_path)},
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
            preexec_fn=_hears_ctrl_c,
        )
        assert process.stderr is not None
        async with asyncio.timeout(60):
            while not (await process.stderr.readline()).startswith(b"NOW YOU"):
                pass
            process.send_signal(number)
            _, stderr = await process.communicate()
        assert process.returncode != 0
        assert b"Left behind: the document countersign-try-" in stderr
        assert {document.status.value for document in sandbox.state.database.documents} == {"ca"}, stderr.decode()
    assert [file.name for file in (tmp_path / "trial").iterdir()] == [ANSWERS]


@pytest.mark.parametrize("arguments", [("--to", "nobody"), ("--to", TO, "--wait", "3d"), ("--to", TO, "--wait", "50m")])
def test_a_mistyped_word_is_a_matter_of_usage(arguments: tuple[str, ...]) -> None:
    assert type_("tenant", "try", *arguments).returncode == 2
