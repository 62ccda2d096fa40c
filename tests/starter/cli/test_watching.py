"""`--watch`, `countersign tail` and `countersign open`: what stays beside the work."""

import asyncio
import json
import signal
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import aclosing, asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from rich.text import Text

from activities.errors import StoreAway
from starter.boot import processes as modules
from starter.cli import watching
from starter.errors import Refusal
from starter.queries import lookup
from starter.temporal.connection import Context
from tests.starter.cli.test_operator_words import run_request_command_as_json
from tests.starter.queries.living import MSA, begin, wait_until_signer_told
from tests.starter.terminal import make_complete_environment, type_
from tests.workflows.fakes import World
from tests.workflows.stage import workers
from workflows.kinds import Kind, WorkflowName


async def watch_readings(*readings: object, as_json: bool = True) -> None:
    """Watch what is read as these, one after the other; an exception is raised instead."""
    remaining_readings = list(readings)

    async def read() -> Any:
        reading = remaining_readings.pop(0)
        if isinstance(reading, Exception):
            raise reading
        return reading

    await watching.watch(
        read, lambda reading: Text(f"seen {reading}"), as_json=as_json, is_over=lambda _: not remaining_readings
    )


@pytest.fixture
def at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(watching, "EVERY_AT_LEAST", 0.0)


@pytest.mark.usefixtures("at_once")
async def test_programs_get_a_line_whenever_it_has_changed_until_it_is_over(capsys: pytest.CaptureFixture[str]) -> None:
    await watch_readings({"n": 1}, {"n": 1}, {"n": 2}, {"n": 2}, {"n": 1})
    assert [json.loads(line) for line in capsys.readouterr().out.splitlines()] == [{"n": 1}, {"n": 2}, {"n": 1}]
    await watch_readings(1, 1, 2, as_json=False)
    assert capsys.readouterr().out.splitlines() == ["seen 1", "seen 2"]


@pytest.mark.usefixtures("at_once")
async def test_what_cannot_be_read_for_once_is_read_again_and_the_first_time_refused(
    capsys: pytest.CaptureFixture[str],
) -> None:
    await watch_readings(1, StoreAway("away"), TimeoutError(), 2)
    output = capsys.readouterr()
    assert (output.out.splitlines(), output.err.count("trying again")) == (["1", "2"], 2)
    with pytest.raises(StoreAway):
        await watch_readings(StoreAway("away"), 1)
    with pytest.raises(Refusal):
        await watch_readings(1, Refusal("unknown by now"), 2)


def test_a_long_read_is_followed_by_a_longer_pause() -> None:
    assert [watching.pause_after(seconds) for seconds in (0, 0.1, 2, 300)] == [2, 2, 8, 30]


@pytest.mark.long
@pytest.mark.real_server
async def test_a_request_is_watched_until_it_has_ended(context: Context, tmp_path: Path) -> None:
    async with workers(context.client, World()):
        await begin(context)
        await wait_until_signer_told(context)
        async with following_command(context, tmp_path, "request", "show", MSA, "--watch", "--json") as lines:
            first = json.loads(await anext(lines))
            await run_request_command_as_json(
                context, tmp_path, "cancel", MSA, "--reason", "Filled", "--as", "legal-desk", "--json"
            )
            views = [first, *[json.loads(line) async for line in lines]]
    assert (views[0]["status"], views[-1]["status"]) == ("sent", "cancelled")
    assert len({json.dumps(view) for view in views}) == len(views)


@pytest.mark.long
@pytest.mark.real_server
async def test_what_happens_is_told_as_it_happens(context: Context, tmp_path: Path) -> None:
    async with workers(context.client, World()), following_command(context, tmp_path, "tail", "--json") as lines:
        await begin(context)
        events = [json.loads(await anext(lines))]
        while events[-1]["happened"] != "told":
            events.append(json.loads(await anext(lines)))
        await run_request_command_as_json(context, tmp_path, "pause", MSA, "--as", "legal-desk", "--json")
        while events[-1]["happened"] != "paused":
            events.append(json.loads(await anext(lines)))
    assert {event["id"] for event in events} == {MSA}
    assert events[0]["happened"] == "started"
    assert events[-1]["actor"].startswith("claimed:legal-desk (")
    keys = [(event["at"], event["happened"], event["about"], event["who"]) for event in events]
    assert len(keys) == len(set(keys)), "each once"


@pytest.mark.long
@pytest.mark.real_server
async def test_the_page_of_whatever_has_the_id_is_opened(context: Context, tmp_path: Path) -> None:
    await begin(context)
    assert await lookup.find_workflow_of_any_kind(context, MSA) == WorkflowName(Kind.REQUEST, MSA)
    assert await lookup.find_workflow_of_any_kind(context, f"task:{MSA}") == WorkflowName(Kind.TASK, MSA)
    with pytest.raises(Refusal, match="neither Temporal nor the records know it"):
        await lookup.find_workflow_of_any_kind(context, "unheard-of")
    browser = tmp_path / "browser"
    browser.write_text(f'#!/bin/sh\necho "$1" > {tmp_path / "opened"}\n')
    browser.chmod(0o755)
    client = context.client
    environment = {
        **make_complete_environment(tmp_path),
        "TEMPORAL_ADDRESS": client.service_client.config.target_host,
        "TEMPORAL_NAMESPACE": client.namespace,
    }
    page = f"https://sign.example/desk/requests/{MSA}"
    for with_browser, message in (({"BROWSER": f"{browser} %s"}, "opened in the browser"), ({}, "no browser here")):
        opened = await asyncio.to_thread(
            type_, "open", MSA, **environment, **{"DISPLAY": "", "WAYLAND_DISPLAY": "", "BROWSER": "", **with_browser}
        )
        assert (opened.returncode, opened.stdout.splitlines()) == (0, [message, page])
    assert (tmp_path / "opened").read_text().strip() == page


@asynccontextmanager
async def following_command(context: Context, folder: Path, *arguments: str) -> AsyncIterator[AsyncGenerator[str]]:
    """The lines of a command that stays; it ends with 0, by itself or by Ctrl-C."""
    client = context.client
    environment = {
        "TEMPORAL_ADDRESS": client.service_client.config.target_host,
        "TEMPORAL_NAMESPACE": client.namespace,
        "COUNTERSIGN_DATA_DIR": str(folder),
    }
    process = await asyncio.create_subprocess_exec(
        *modules.command("starter", *arguments),
        env=modules.environment(environment),
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    if arguments[0] == "tail":
        assert process.stderr is not None
        assert await process.stderr.readline() == b"following what happens; Ctrl-C ends it\n"

    async def lines() -> AsyncGenerator[str]:
        assert process.stdout is not None
        async for line in process.stdout:
            yield line.decode()

    try:
        async with aclosing(lines()) as output_lines, asyncio.timeout(60):
            yield output_lines
        if arguments[0] == "tail":
            process.send_signal(signal.SIGINT)
        assert await process.wait() == 0
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()
