"""A workflow that somebody paused in Temporal itself: named as such everywhere, and in nobody else's way.

With temporalio 1.35 one of them fails `describe`, `query` and every page of a list that holds it.
"""

import asyncio
from collections.abc import AsyncIterator
from datetime import timedelta
from pathlib import Path

import pytest
from temporalio.api.workflowservice.v1 import PauseWorkflowExecutionRequest

from activities.people.language import Language
from activities.people.reader import Reader
from activities.records.ended import ListFilter
from deploy.rollout import rehearse
from starter.cli import start_files
from starter.errors import Refusal
from starter.plan.calendar import compare
from starter.queries import commands
from starter.queries import lists as pages
from starter.queries.fast_forward import forward
from starter.queries.lists import RequestLine
from starter.temporal.connection import Context
from starter.web.screens.status import status_sentences
from starter.web.screens.view_reader import ViewReader
from tests.activities.launch.papers import Desk
from tests.starter.queries.living import MSA, SOON, begin, desk_at, wait_for_view
from tests.workflows.fakes import World
from tests.workflows.stage import workers
from workflows.kinds import Kind
from workflows.model.commands import Cancellation
from workflows.model.subject import Status
from workflows.model.views import AttentionCode

pytestmark = pytest.mark.real_server


@pytest.fixture
async def context(dev_server: str, tmp_path: Path) -> AsyncIterator[Context]:
    """A desk before two requests that were told; the first one's workflow is paused."""
    desk_context = await desk_at(dev_server, tmp_path)
    async with workers(desk_context.client, World()):
        await begin(desk_context)
        await begin(desk_context, "goes-on")
        await wait_for_view(desk_context, lambda view: view.notifications)
        await desk_context.client.workflow_service.pause_workflow_execution(
            PauseWorkflowExecutionRequest(
                namespace=desk_context.client.namespace,
                workflow_id=Kind.REQUEST.workflow_id(MSA),
                identity="somebody",
                reason="a look at it",
                request_id="pause",
            )
        )
        yield desk_context


async def wait_for_lines(context: Context, *, attention: bool) -> dict[str, RequestLine]:
    """The list, once visibility has heard of the pause."""
    async with asyncio.timeout(SOON.total_seconds()):
        while True:
            lines = {line.id: line async for line in pages.everything(context, ListFilter(attention=attention))}
            if MSA in lines and lines[MSA].trouble:
                return lines
            await asyncio.sleep(0.05)


async def test_it_is_named_as_such_and_the_others_are_still_listed(context: Context) -> None:
    everything, attention = (
        await wait_for_lines(context, attention=False),
        await wait_for_lines(context, attention=True),
    )
    assert set(everything) == {MSA, "goes-on"}
    assert (everything[MSA].trouble, everything["goes-on"].trouble) == ("paused", None)
    assert list(attention) == [MSA]
    assert attention[MSA].attention == "paused"
    assert (await pages.page(context, ListFilter(attention=True), size=1)).total == 1


async def test_show_says_so_at_once_and_what_was_known_before(context: Context) -> None:
    async with asyncio.timeout(3):
        view = await start_files.show(context, MSA)
    assert (view.trouble, view.status, view.partial) == ("paused", Status.SENT, True)
    assert [attention.code for attention in view.attention] == [AttentionCode.PAUSED]
    assert view.says.startswith("The workflow is paused in Temporal since ")
    assert view.next is not None and "unpause" in view.next.why


async def test_the_page_says_that_it_stands_still(context: Context) -> None:
    view = await ViewReader(context.client, context.store)(MSA)
    assert view is not None
    stands_still = ("It stands still at the moment. Please ask whoever sent it to you.",)
    assert status_sentences(view, "an-onlooker", Reader.unknown(Language.accepted("en"))) == stands_still


@pytest.mark.long
async def test_its_clock_is_not_moved(context: Context) -> None:
    with pytest.raises(Refusal, match="msa-0042: the workflow is paused in Temporal"):
        await forward(context.client, MSA, timedelta(days=1))


async def test_a_command_is_refused_with_the_reason_and_nothing_is_said_to_be_open(context: Context) -> None:
    message = "msa-0042: nothing was changed: the workflow is paused in Temporal; unpause it there first"
    with pytest.raises(Refusal, match=f"^{message}$"):
        await commands.make(context, MSA, Cancellation(reason="not needed", actor="legal-desk"))


async def test_nothing_is_compared_with_it(context: Context, tmp_path: Path) -> None:
    desk = Desk(tmp_path)
    with pytest.raises(Refusal, match="msa-0042: the workflow is paused in Temporal"):
        await compare(context, await desk.prepare(), desk.directory, MSA)


@pytest.mark.long
async def test_a_rollout_is_rehearsed_with_it(context: Context) -> None:
    await wait_for_lines(context, attention=False)
    rehearsal = await rehearse(context.client)
    assert (rehearsal.open, rehearsal.replayed) == (2, 2)
