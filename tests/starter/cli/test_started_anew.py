"""A task whose workflow somebody terminated is started anew, and the Web UI's page about it is that of the new run."""

from pathlib import Path

import pytest

from activities.launch.launch import BrokenOff
from starter.cli import start_files
from starter.queries import lookup
from tests.activities.launch.papers import Desk
from tests.activities.launch.test_task_start import prepared
from tests.starter.queries.living import desk_at
from workflows.kinds import Kind, WorkflowName


@pytest.mark.real_server
async def test_a_terminated_task_asks_everybody_anew_and_is_shown_where_the_answer_is(
    dev_server: str, tmp_path: Path
) -> None:
    context, task = await desk_at(dev_server, tmp_path), await prepared(Desk(tmp_path))
    first = await start_files.start(context, task)
    await context.client.get_workflow_handle(first.workflow_id).terminate()
    with pytest.raises(BrokenOff, match="start it with --again to ask everybody anew"):
        await start_files.start(context, task)
    second = await start_files.start(context, task, restart=True)
    assert (second.created, second.run_id != first.run_id) == (True, True)
    page = await lookup.web_ui_page(context, WorkflowName(Kind.TASK, second.id))
    assert page == second.url and page is not None and page.endswith(f"/{second.run_id}/user-metadata")
    assert await lookup.web_ui_page(context, WorkflowName(Kind.TASK, "nobody.knows")) is None
