"""A stack is brought up in order, found while it works, and torn down the other way round; here of small programs."""

import asyncio
import os
import sys
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from itertools import count
from pathlib import Path
from time import monotonic

import pytest

import deploy.local.stack as stack_module
from deploy.local.folder import DataFolder
from deploy.local.processes import Program, StackFailure, written
from deploy.local.stack import REVIVED_AT_MOST, RunningStack, Stack, in_one_line
from starter.errors import Refusal

DILIGENT = """
import pathlib, signal, sys
name, up, diary = sys.argv[1], *map(pathlib.Path, sys.argv[2:])

def end(*_):
    with diary.open("a") as book:
        book.write(f"{name} ")
    sys.exit()

signal.signal(signal.SIGTERM, end)
up.touch()
while True:
    signal.pause()
"""


@pytest.fixture
def diary(tmp_path: Path) -> Path:
    return tmp_path / "diary"


def program(name: str, diary: Path, body: str = DILIGENT) -> Program:
    ready_file = diary.with_name(f"{name}.up")
    command = (sys.executable, "-c", body, name, str(ready_file), str(diary))
    return Program(name, name.title(), command, dict(os.environ), written(ready_file), address="", grace=5)


def stack(diary: Path, folder: Path, worker: str = DILIGENT) -> RunningStack:
    first = (program("server", diary), program("receiver", diary))
    return RunningStack(
        Stack(DataFolder(folder), first, program("worker", diary, worker), addresses={"web_ui": "here"})
    )


def endings(diary: Path) -> list[str]:
    """Who was told to end, in that order."""
    return diary.read_text().split()


async def test_it_is_found_while_it_works_and_ends_with_the_server_last(diary: Path, folder: Path) -> None:
    running = stack(diary, folder)
    lines: list[str] = []
    async with running.start(lines.append):
        assert (folder / "dev.json").exists()
        assert running.failures == ()
    assert not (folder / "dev.json").exists()
    await running.tear_down()
    assert sorted(line.split()[0] for line in lines) == ["Receiver", "Server", "Worker"]
    assert lines[-1].startswith("Worker")
    assert endings(diary) == ["worker", "receiver", "server"]


async def test_one_that_does_not_start_is_named_alone_and_the_others_end(diary: Path, folder: Path) -> None:
    running = stack(diary, folder, worker="raise SystemExit('out of paper')")
    with pytest.raises(StackFailure, match=r"Worker ended by itself \(exit code 1\).*\n  out of paper"):
        async with running.start(lambda _: None):
            raise AssertionError("it is not up")
    await running.tear_down()
    assert endings(diary) == ["receiver", "server"]


async def test_one_that_ends_while_all_work_is_named(diary: Path, folder: Path) -> None:
    running = stack(diary, folder, worker="import pathlib, sys; pathlib.Path(sys.argv[2]).touch(); input()")
    async with running.start(lambda _: None):
        failure = await running.until_one_ends()
        assert str(failure).startswith("Worker ended by itself (exit code 1)")
        assert [str(failure_of_stack) for failure_of_stack in running.failures] == [str(failure)]
    await running.tear_down()


DYING = """
import os, pathlib, signal, sys
pathlib.Path(sys.argv[2]).touch()
pathlib.Path(sys.argv[3]).open("a").write("born ")
os.kill(os.getpid(), signal.SIGKILL)
"""


def reviving(diary: Path, folder: Path, body: str, clock: Callable[[], float] = monotonic) -> RunningStack:
    first = (program("server", diary),)
    worker = replace(program("worker", diary, body), revived=True, ready_file=diary.with_name("worker.up"))
    return RunningStack(Stack(DataFolder(folder), first, worker, addresses={"web_ui": "here"}), clock)


async def test_a_worker_that_is_killed_is_started_again_with_a_line(diary: Path, folder: Path) -> None:
    running = reviving(diary, folder, DILIGENT)
    lines: asyncio.Queue[str] = asyncio.Queue()
    async with running.start(lambda _: None):
        watching = asyncio.create_task(running.until_one_ends(lines.put_nowait))
        running.kill("worker")
        assert await lines.get() == "Worker ended by itself (signal SIGKILL): it is started again"
        assert (await lines.get()).startswith("Worker           ready after")
        watching.cancel()
    await running.tear_down()


async def test_a_worker_that_dies_time_after_time_stays_down_and_the_others_go_on(diary: Path, folder: Path) -> None:
    running = reviving(diary, folder, DYING)
    lines_said: asyncio.Queue[str] = asyncio.Queue()
    async with running.start(lambda _: None):
        watching = asyncio.create_task(running.until_one_ends(lines_said.put_nowait))
        lines = [await lines_said.get()]
        while "stays down" not in lines[-1]:
            lines.append(await lines_said.get())
        assert lines[-1].startswith("Worker ended by itself (signal SIGKILL)")
        assert len([line for line in lines if "started again" in line]) == REVIVED_AT_MOST
        assert endings(diary) == ["born"] * (1 + REVIVED_AT_MOST)
        assert (running.failures, watching.done()) == ((), False)
        running.kill("server")
        assert str(await watching).startswith("Server ended by itself")
    await running.tear_down()


async def test_a_worker_that_gets_ready_late_is_waited_for(
    diary: Path, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(stack_module, "SLOW_AFTER", 0.0)
    running = stack(diary, folder, worker="import time; time.sleep(0.3)\n" + DILIGENT)
    lines: list[str] = []
    async with running.start(lines.append):
        assert [line.split()[0] for line in lines if "waited for as long as it runs" in line][-1] == "Worker"
        assert lines[-1].startswith("Worker           ready after")
    await running.tear_down()


async def test_a_server_that_ends_while_the_worker_gets_ready_ends_the_start(
    diary: Path, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    running = stack(diary, folder, worker="import time; time.sleep(60)")

    def kill_server(line: str) -> None:
        if line.startswith("Worker"):
            running.kill("server")

    monkeypatch.setattr(stack_module, "SLOW_AFTER", 0.0)
    with pytest.raises(StackFailure, match=r"Server ended by itself \(signal SIGKILL\)"):
        async with running.start(kill_server):
            raise AssertionError("it is not up")
    await running.tear_down()


class Enough(Exception):
    """It was started again more often than in one minute."""


@pytest.mark.long
async def test_a_worker_that_dies_now_and_then_is_started_again_each_time(diary: Path, folder: Path) -> None:
    half_a_minute_later = partial(next, count(0.0, 30.0))
    running = reviving(diary, folder, DYING, half_a_minute_later)
    lines: list[str] = []

    def say(line: str) -> None:
        lines.append(line)
        if sum(said_line.endswith("it is started again") for said_line in lines) > 2 * REVIVED_AT_MOST:
            raise Enough

    async with running.start(lambda _: None):
        with pytest.raises(Enough):
            await running.until_one_ends(say)
    await running.tear_down()


async def test_the_server_is_not_started_again_behind_everybodys_back(diary: Path, folder: Path) -> None:
    running = reviving(diary, folder, DILIGENT)
    async with running.start(lambda _: None):
        running.kill("server")
        assert str(await running.until_one_ends(lambda _: None)).startswith("Server ended by itself")
    await running.tear_down()


def test_what_keeps_a_stack_from_running_is_one_line_with_the_command() -> None:
    with pytest.raises(Refusal, match=r"^countersign demo: no free port$"), in_one_line("countersign demo"):
        raise StackFailure("no free port")
    with pytest.raises(Refusal, match=r"^countersign demo: /x cannot be used: Is a"), in_one_line("countersign demo"):
        raise IsADirectoryError(21, "Is a directory", "/x")
