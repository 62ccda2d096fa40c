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
from starter.tenant.recording import ANSWERS, REPORT, Recording
from tests.starter.tenant.stage import TO, environment, vendor
from tests.starter.terminal import type_


async def typed(sandbox: RunningSandbox, folder: Path, *words: str) -> "subprocess.CompletedProcess[str]":
    """The command beside its sandbox."""

    known = environment(sandbox, folder)
    if "--person" not in words:  # Nothing of push has to be set in the first hour.
        known = {name: text for name, text in known.items() if "_PUSH_" not in name and "_MRA_" not in name}
    return await asyncio.to_thread(type_, "tenant", "try", "--to", TO, *words, **known)


async def test_it_tries_all_without_a_signer_and_says_what_it_leaves(tmp_path: Path) -> None:
    async with running(vendor(action_names="short")) as sandbox:
        came = await typed(sandbox, tmp_path, "--wait", "0s", "--yes", "--json", "-o", str(tmp_path / "trial"))
    told: dict[str, Any] = json.loads(came.stdout)
    facts = {one["id"]: one for one in told["facts"]}
    assert (came.returncode, told["ok"], told["folder"]) == (1, False, str(tmp_path / "trial"))
    assert facts["A1"]["settings"] == ["COUNTERSIGN_SIGNATURE_CANCEL_PATHS"]
    assert (facts["T1"]["verdict"], facts["D8"]["verdict"]) == ("holds", "not seen")
    assert [line.rpartition(": ")[2] for line in told["left"][:2]] == ["cancelled", "deleted"]
    assert Recording.read(tmp_path / "trial").exchanges
    report = (tmp_path / "trial" / REPORT).read_text()
    assert "| A1 | " in report and "`COUNTERSIGN_SIGNATURE_CANCEL_PATHS`" in report


async def test_on_a_terminal_each_fact_is_told_while_it_runs(tmp_path: Path) -> None:
    async with running(vendor()) as sandbox:
        came = await typed(
            sandbox, tmp_path, "--wait", "0s", "--yes", "--person", "grace", "-o", str(tmp_path / "trial")
        )
    assert came.returncode == 0, came.stderr
    lines = came.stdout.splitlines()
    assert lines[0] == "a token is asked for"
    assert any(line.startswith("  ✓ F1 holds: a message is sent by POST") for line in lines)
    assert lines.index("its mail is sent again") < next(n for n, line in enumerate(lines) if " A2 holds" in line)
    assert "Left behind: the document countersign-try-" in came.stderr
    assert sorted(one.name for one in (tmp_path / "trial").iterdir()) == [ANSWERS, REPORT]


@pytest.mark.parametrize(
    ("words", "says"),
    [
        ((), "nothing was sent: say y, or --yes"),
        (("--json",), "nothing was sent: say y, or --yes"),
        (("--yes", "--forward-to", TO.upper()), "--forward-to: must be another address than --to"),
        (("--yes", "--person", "nobody"), "nobody"),
        (("--yes", "-o", "/dev/null/x"), "name a new folder with --output"),
    ],
)
async def test_what_is_refused_sends_nothing(words: tuple[str, ...], says: str, tmp_path: Path) -> None:
    async with running(vendor()) as sandbox:
        came = await typed(sandbox, tmp_path, *words)
        assert (came.returncode, says in came.stderr) == (1, True), came.stderr
        assert list(sandbox.state.database.documents) == []


def _hears_ctrl_c() -> None:
    """Also where these tests run in the background of a shell, which has it ignored."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)


@pytest.mark.long
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
async def test_ended_by_a_signal_it_cancels_what_it_made_and_leaves_a_report(number: int, tmp_path: Path) -> None:
    async with running(vendor()) as sandbox:
        words = ("tenant", "try", "--to", TO, "--wait", "40m", "--yes", "-o", str(tmp_path / "trial"))
        process = await asyncio.create_subprocess_exec(
            *modules.command("starter", *words),
            env={**modules.environment(), **environment(sandbox, tmp_path)},
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
            preexec_fn=_hears_ctrl_c,
        )
        assert process.stdout is not None
        async with asyncio.timeout(60):
            while not (await process.stdout.readline()).startswith(b"NOW YOU"):
                pass
            process.send_signal(number)
            _, said = await process.communicate()
        assert process.returncode != 0
        assert b"broken off; left behind: the document countersign-try-" in said
        assert {one.status.value for one in sandbox.state.database.documents} == {"ca"}, said.decode()
    assert sorted(one.name for one in (tmp_path / "trial").iterdir()) == [ANSWERS, REPORT]


@pytest.mark.parametrize("words", [("--to", "nobody"), ("--to", TO, "--wait", "3d"), ("--to", TO, "--wait", "50m")])
def test_a_mistyped_word_is_a_matter_of_usage(words: tuple[str, ...]) -> None:
    assert type_("tenant", "try", *words).returncode == 2
