"""The life of one task from its file to its end, in the words of `countersign task`."""

import asyncio
import json
from pathlib import Path
from typing import Any, Final

import pytest
from temporalio.worker import Worker

from activities.launch.launch import IdTaken
from activities.records.cover_sheet import TaskCover
from activities.records.ended import ListFilter
from activities.records.user_texts import ERASED
from starter.cli import start_files
from starter.errors import Refusal
from starter.queries import commands, lookup
from starter.queries import lists as pages
from starter.queries.commands import NotRunning
from starter.queries.lists import RequestLine
from starter.temporal.connection import Context
from tests.activities.launch.papers import Desk
from tests.activities.launch.test_task_start import TASK, prepared
from tests.starter.queries.living import SOON, desk_at
from tests.starter.terminal import type_
from tests.storage import altered
from tests.workflows.fakes import World
from workflows import names
from workflows.kinds import Kind
from workflows.model.commands import AnyCommand, Block, PauseCommand, TaskCompletion, Unblock
from workflows.model.subject import Status
from workflows.model.views import TaskShow
from workflows.task.workflow import TaskWorkflow

pytestmark = [pytest.mark.long, pytest.mark.real_server]

ID: Final = "acme.account"
CHIEF: Final = "chief-executive"


async def show_task(context: Context) -> TaskShow:
    view = await lookup.show_of(Kind.TASK, context, f"task:{ID}")
    assert isinstance(view, TaskShow)
    return view


async def make(context: Context, command: AnyCommand, op: str | None = None) -> Status:
    """Where the task stands after the command."""
    return (await commands.make(context, ID, command, op=op, kind=Kind.TASK)).status


async def wait_for_line(context: Context, person: str | None = None) -> RequestLine:
    """The one line of the list, as soon as Temporal's index has it."""
    list_filter = ListFilter(person=person, types=(Kind.TASK.spec.prefix,))
    async with asyncio.timeout(SOON.total_seconds()):
        while True:
            for line in (await pages.page(context, list_filter)).lines:
                return line
            await asyncio.sleep(0.02)


async def run_task_command(context: Context, folder: Path, *arguments: str) -> Any:
    """The answer of `countersign task …` as JSON."""
    address = context.client.service_client.config.target_host
    environment = {"TEMPORAL_ADDRESS": address, "TEMPORAL_NAMESPACE": context.client.namespace}
    environment |= {
        "COUNTERSIGN_DATA_DIR": str(folder),
        "COUNTERSIGN_STORE": folder.as_uri(),
        "COUNTERSIGN_DATABASE": f"sqlite:///{folder}/countersign.sqlite3",
        "COUNTERSIGN_PEOPLE": str(folder / "people.yaml"),
    }
    answered = await asyncio.to_thread(type_, "task", *arguments, "--json", **environment)
    assert answered.returncode == 0, answered.stderr
    return json.loads(answered.stdout)


async def test_a_task_from_its_file_to_its_end(dev_server: str, tmp_path: Path) -> None:
    desk, world = Desk(tmp_path), World()
    task, other_task = await prepared(desk), await prepared(desk, title="Create another")
    await prepared(desk)
    activities = [*world.planner.activities(), *world.push.activities(), *world.handoff.activities()]
    context = await desk_at(dev_server, tmp_path)
    queue, client = names.WORKFLOW_QUEUE, context.client
    started = await run_task_command(context, tmp_path, "start", str(tmp_path / "task.yaml"))
    second_start = await start_files.start(context, task)
    with pytest.raises(IdTaken):
        await start_files.start(context, other_task)
    cover = await TaskCover.read_show(context.store, ID)
    unworked = await wait_for_line(context)
    async with Worker(client, task_queue=queue, workflows=[TaskWorkflow], activities=activities):
        assert (await show_task(context)).waiting_for[0].person == CHIEF
        assert await make(context, Block(person=CHIEF, because="No order form.")) is Status.OPEN
        blocked = await show_task(context)
        assert await make(context, Unblock(actor="legal-desk", text="It is in the mail.")) is Status.OPEN
        await wait_for_line(context, CHIEF)
        [line] = await run_task_command(context, tmp_path, "list", "--person", CHIEF)
        done_answer = await run_task_command(
            context, tmp_path, "done", ID, "--note", "Made.", "--as", CHIEF, "--op", "op-1"
        )
        async with asyncio.timeout(SOON.total_seconds()):
            await client.get_workflow_handle(f"task:{ID}").result()
        repeated = await make(context, TaskCompletion(actor=CHIEF, note="Made."), op="op-1")
        with pytest.raises(NotRunning, match=r"acme.account: too late, the task is done"):
            await make(context, TaskCompletion(actor="legal-desk"))
        with pytest.raises(NotRunning, match="too late, the task is done"):
            await make(context, PauseCommand(actor="legal-desk"))
        with pytest.raises(Refusal, match='"signature-request:msa" is no task'):
            await commands.make(context, "signature-request:msa", PauseCommand(actor="legal-desk"), kind=Kind.TASK)
        view_after = await show_task(context)
        history = await client.get_workflow_handle(f"task:{ID}").fetch_history()
        altered(context.store, "DELETE FROM texts WHERE workflow_id = ?", f"task:{ID}")
        erased = await show_task(context)
    assert (started["created"], started["workflow_id"]) == (True, f"task:{ID}")
    assert cover and (cover.title, cover.partial) == ("Create the account", True)
    assert (second_start.created, second_start.run_id) == (False, started["run_id"])
    assert (unworked.id, unworked.status, unworked.document) == (ID, "open", "Create the account")
    assert blocked.question is not None
    assert blocked.question.blocks
    assert (line["id"], line["waiting_for"], line["requester"]) == (ID, [CHIEF], "legal-desk")
    assert (done_answer["status"], done_answer["op"], repeated) == ("done", "op-1", Status.DONE)
    assert (view_after.status, view_after.done_by) == (Status.DONE, CHIEF)
    # What is to be done is told by whoever looks; the history and what is written once have its reference alone.
    assert blocked.text == view_after.text == TASK["text"]
    assert TASK["text"] not in history.to_json()
    assert erased.text == ERASED
