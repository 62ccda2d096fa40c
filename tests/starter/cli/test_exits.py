"""Exit codes are true, and a person at the terminal reads one line: each case is a process of its own."""

import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import IO

import pytest

from starter.boot import processes as modules
from starter.errors import Exit

ROOT = Path(__file__).parents[3]
HEAD = """
import logging, os, signal, sys
from starter.boot.exits import leave, run
from starter.errors import Exit, Refusal
class Bad(Exception): pass
class Usage(Exception): pass
def main():
"""
TAIL = "\nrun(main, refusals=lambda: (Bad,), usage=(Usage,))"


def process(
    body: str, tail: str = TAIL, stdout: IO[str] | int = subprocess.PIPE, **environment: str
) -> "subprocess.CompletedProcess[str]":
    script = HEAD + "\n".join(f"    {line}" for line in body.splitlines()) + tail
    command = [sys.executable, "-c", script]
    return subprocess.run(  # noqa: S603  our own interpreter
        command,
        cwd=ROOT,
        env={**os.environ, **environment},
        stdout=stdout,
        stderr=subprocess.PIPE,
        encoding="utf-8",
        check=False,
        timeout=30,
    )


@pytest.mark.parametrize("locale", ["ascii", "iso-8859-1", "UTF-8"])
def test_what_is_printed_is_utf_8_whatever_the_locale(locale: str) -> None:
    result = process("print('Łódź ✓')", PYTHONIOENCODING=locale)
    assert (result.returncode, result.stderr, result.stdout) == (0, "", "Łódź ✓\n")


@pytest.mark.parametrize(
    ("body", "code", "message"),
    [
        ("pass", 0, ""),
        ("return 1", 1, ""),
        ("return 'a value'", 0, ""),
        ("raise Refusal('not while it runs')", 1, "not while it runs\n"),
        ("raise Bad('two\\nlines')", 1, "two\nlines\n"),
        ("raise ExceptionGroup('tasks', [ExceptionGroup('inner', [Bad('the one')])])", 1, "the one\n"),
        ("raise Usage('printed elsewhere')", 2, ""),
        ("raise SystemExit(3)", 3, ""),
        ("sys.exit('no')", 1, "no\n"),
        ("raise KeyboardInterrupt", 130, ""),
        ("os.kill(os.getpid(), signal.SIGTERM)\nsignal.pause()", 143, ""),
        (
            "raise ValueError('canary')",
            1,
            "internal error (ValueError); COUNTERSIGN_LOG_LEVEL=debug logs the whole of it\n",
        ),
    ],
)
def test_the_code_and_the_line_of_each_ending(body: str, code: int, message: str) -> None:
    result = process(body)
    assert (result.returncode, result.stderr, result.stdout) == (code, message, "")


@pytest.mark.parametrize(
    "interrupted", ["asyncio.get_running_loop().call_soon(signalled)", "aside = asyncio.create_task(working())"]
)
def test_a_signal_ends_an_event_loop_whatever_it_is_doing(interrupted: str) -> None:
    body = f"""
import asyncio
def signalled(): os.kill(os.getpid(), signal.SIGTERM)
async def working(): signalled()
async def story():
    try:
        {interrupted}
        await asyncio.sleep(20)
    finally:
        print('in order')
asyncio.run(story())"""
    result = process(body)
    assert (result.returncode, result.stdout, result.stderr) == (143, "in order\n", "")


def signalled(command: tuple[str, ...], number: int, imports: str, folder: Path) -> "subprocess.CompletedProcess[str]":
    """What becomes of a process that is signalled as the first module of a package is looked for."""
    looks = f"""
import os, signal, sys
# A shell has what it starts in the background ignore Ctrl-C, and so would this, below it.
signal.signal(signal.SIGINT, signal.default_int_handler)
class Impatient:
    @staticmethod
    def find_spec(name, path=None, target=None):
        if name == {imports!r}:
            os.kill(os.getpid(), {number})
sys.meta_path.insert(0, Impatient)"""
    (folder / "sitecustomize.py").write_text(looks, "utf-8")
    return subprocess.run(  # noqa: S603  our own interpreter
        command,
        env=modules.environment({**os.environ, "PYTHONPATH": str(folder)}),
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )


@pytest.mark.long
@pytest.mark.parametrize(("typed", "imports"), [("--version", "cyclopts"), ("worker", "temporalio")])
def test_ctrl_c_while_a_process_imports_is_no_traceback(typed: str, imports: str, tmp_path: Path) -> None:
    """Also in the one that it goes on as."""
    result = signalled(modules.command("starter", typed), signal.SIGINT, imports, tmp_path)
    assert (result.returncode, result.stdout, result.stderr) == (Exit.INTERRUPTED, "", "")


@pytest.mark.long
@pytest.mark.parametrize(
    ("command", "code"),
    [
        (("worker",), Exit.DONE),
        (("deploy.local",), Exit.DONE),
        (("starter", "worker"), Exit.DONE),
        (("starter", "webhook"), Exit.DONE),
        (("starter", "--dev", "elsewhere", "webhook"), Exit.DONE),
        (("starter", "dev"), Exit.DONE),
        (("starter", "request", "list"), Exit.TERMINATED),
    ],
)
def test_what_runs_until_it_is_stopped_ends_well_however_early_that_is(
    command: tuple[str, ...], code: Exit, tmp_path: Path
) -> None:
    result = signalled(modules.command(*command), signal.SIGTERM, "pydantic", tmp_path)
    assert (result.returncode, result.stdout, result.stderr) == (code, "", "")


def test_output_is_flushed_and_finally_blocks_run() -> None:
    result = process("try:\n    print('out')\n    os.kill(os.getpid(), signal.SIGTERM)\nfinally:\n    print('done')")
    assert (result.returncode, result.stdout) == (143, "out\ndone\n")


def test_a_thread_that_never_ends_does_not_hold_the_process() -> None:
    result = process("import threading\nthreading.Thread(target=threading.Event().wait).start()\nprint('done')")
    assert (result.returncode, result.stdout) == (0, "done\n")


def test_the_traceback_of_a_fault_is_in_the_log_at_debug() -> None:
    fault = "logging.basicConfig(level={level})\nraise ValueError('canary')"
    assert "canary" not in process(fault.format(level="'INFO'")).stderr
    assert "Traceback" in process(fault.format(level="'DEBUG'")).stderr
    assert "Traceback" in process(fault.format(level="'INFO'"), "\nrun(main, service=True)").stderr


def test_a_reader_who_went_away_is_no_traceback() -> None:
    reader, writer = os.pipe()
    os.close(reader)
    result = process("print('x' * 100_000)", stdout=writer)
    os.close(writer)
    assert (result.returncode, result.stderr) == (128 + signal.SIGPIPE, "")


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs /dev/full")
def test_output_that_cannot_be_written_is_a_failure() -> None:
    with Path("/dev/full").open("w") as full:
        result = process("print('x')", stdout=full)
    assert (result.returncode, result.stderr) == (1, "not all could be written: No space left on device\n")
