"""A process is waited for by its own readiness, ended in time, and never outlives whoever started it."""

import asyncio
import os
import signal
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from deploy.local import launcher
from deploy.local.processes import Probe, Program, RunningProgram, StackFailure, answers, written
from deploy.local.stack import make_current
from starter.boot import processes as modules
from tests.stack.laptop import eventually

LAUNCHER = Path(launcher.__file__)
STUBBORN = """
import os, pathlib, signal, sys, time
signal.signal(signal.SIGTERM, signal.SIG_IGN)
pathlib.Path(sys.argv[1]).write_text(str(os.getpid()))
time.sleep(60)
"""
STARTER = """
import os, subprocess, sys
way, *command = sys.argv[1:]
body = f"import sys; from deploy.local import launcher; sys.exit(launcher.{way})"
subprocess.run([sys.executable, "-c", body, str(os.getpid()), *command])
"""
WAYS = {"main": "main(sys.argv[1:])", "watch": "watch(int(sys.argv[1]), sys.argv[2:])"}


async def never() -> bool:
    return False


def program(body: str, *arguments: str, ready: Probe = never, grace: float = 5) -> Program:
    command = (sys.executable, "-c", body, *arguments)
    return Program("one", "One", command, dict(os.environ), ready, address="", grace=grace)


async def test_one_that_ends_before_it_is_ready_is_named_with_its_last_words(tmp_path: Path) -> None:
    running = await RunningProgram.start(program("import sys; sys.exit('out of paper')"), tmp_path)
    with pytest.raises(StackFailure, match=r"One ended by itself \(exit code 1\).*\n  out of paper"):
        await running.until_ready(10)


async def test_one_that_never_gets_ready_is_not_waited_for_for_ever(tmp_path: Path) -> None:
    running = await RunningProgram.start(program("import time; time.sleep(60)"), tmp_path)
    with pytest.raises(StackFailure, match=r"One was not ready within 0 s; see .*one\.log"):
        await running.until_ready(0.2)
    await running.stop()


async def test_what_is_asked_to_make_a_version_current_goes_when_nobody_waits_for_it_any_more(tmp_path: Path) -> None:
    binary, pid_file = tmp_path / "temporal", tmp_path / "up"
    binary.write_text(f"#!/bin/sh\necho $$ > {pid_file}.new && mv {pid_file}.new {pid_file}\nexec sleep 60\n")
    binary.chmod(0o700)
    asking = asyncio.create_task(make_current(str(binary), "", os.environ, {"TEMPORAL_WORKER_BUILD_ID": "2"}))
    assert await asyncio.to_thread(eventually, pid_file.is_file)
    asking.cancel()
    with pytest.raises(asyncio.CancelledError):
        await asking
    with pytest.raises(ProcessLookupError):
        os.kill(int(pid_file.read_text()), 0)


async def test_one_that_does_not_listen_is_killed_when_its_grace_is_over(tmp_path: Path) -> None:
    ready_file = tmp_path / "up"
    running = await RunningProgram.start(
        program(STUBBORN, str(ready_file), ready=written(ready_file), grace=0.2), tmp_path
    )
    await running.until_ready(10)
    await running.stop()
    assert "signal SIGKILL" in str(await running.ended())


async def test_a_ready_file_of_an_earlier_run_does_not_count(tmp_path: Path) -> None:
    ready_file = tmp_path / "ready"
    ready_file.touch()
    sleeping = replace(program("import time; time.sleep(60)", ready=written(ready_file)), ready_file=ready_file)
    running = await RunningProgram.start(sleeping, tmp_path)
    with pytest.raises(StackFailure, match="One was not ready"):
        await running.until_ready(0.2)
    await running.stop()


async def test_only_an_answer_of_200_is_ready() -> None:
    async def reply(status: str) -> bool:
        async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            await reader.readuntil(b"\r\n\r\n")
            writer.write(f"HTTP/1.1 {status}\r\ncontent-length: 0\r\nconnection: close\r\n\r\n".encode())
            writer.close()

        async with await asyncio.start_server(serve, "127.0.0.1", 0) as server:
            port = server.sockets[0].getsockname()[1]
            return await answers(f"http://127.0.0.1:{port}/readyz")()

    assert await reply("200 OK")
    assert not await reply("503 Service Unavailable")
    assert not await answers("http://127.0.0.1:1/readyz")()


@pytest.mark.parametrize("way", WAYS)
def test_a_command_dies_with_whoever_started_it(tmp_path: Path, way: str) -> None:
    pid_file = tmp_path / "up"
    command = [sys.executable, "-c", STARTER, WAYS[way], sys.executable, "-c", STUBBORN, str(pid_file)]
    with subprocess.Popen(command, env=modules.environment()) as starter:  # noqa: S603  our own interpreter
        pid = int(eventually(lambda: pid_file.exists() and pid_file.read_text()))
        starter.send_signal(signal.SIGKILL)
    assert eventually(lambda: not Path(f"/proc/{pid}").exists(), 5)


def test_a_command_whose_starter_is_already_gone_does_not_begin(tmp_path: Path) -> None:
    touched = tmp_path / "touched"
    arguments = [sys.executable, "-S", str(LAUNCHER), "1", sys.executable, "-c", f"open({str(touched)!r}, 'w')"]
    assert subprocess.run(arguments, check=False).returncode == 1  # noqa: S603  our own interpreter
    assert not touched.exists()
