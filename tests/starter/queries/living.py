"""Living requests on a real server, and the desk at which one asks about them."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from datetime import timedelta
from pathlib import Path
from typing import Final

from temporalio.common import SearchAttributePair, TypedSearchAttributes

from activities.records.store import Store
from starter.cli import start_files
from starter.temporal.connection import Context
from tests.servers import own_namespace, real_server
from tests.workflows.stage import TARGETS, a_request
from workflows import names
from workflows.kinds import Kind
from workflows.model.policy import Target
from workflows.model.subject import Status
from workflows.model.views import RequestShow
from workflows.signature.workflow import SignatureRequestWorkflow

SOON: Final = timedelta(seconds=10)
MSA: Final = "msa-0042"


@asynccontextmanager
async def desk_in(folder: Path, *server: str) -> AsyncIterator[Context]:
    """A desk before a server of its own, which was started with these arguments."""
    async with real_server(*server) as env:
        yield Context(env.client, Store(folder.as_uri()), "http://127.0.0.1:8233")


async def desk_at(address: str, folder: Path) -> Context:
    """A desk before a namespace of its own, on a server that others have desks at as well."""
    return Context(await own_namespace(address), Store(folder.as_uri()), "http://127.0.0.1:8233")


async def begin(
    context: Context, name: str = MSA, handoff: tuple[Target, ...] = TARGETS, requester: str | None = None
) -> None:
    """Start a request, as the start path would."""
    request = a_request(name=name, handoff=handoff)
    if requester:
        request = request.replace(brief=request.brief.replace(requester=requester))
    await context.client.start_workflow(
        SignatureRequestWorkflow.run,
        request,
        id=Kind.REQUEST.workflow_id(name),
        task_queue=names.WORKFLOW_QUEUE,
        static_summary=f"{request.brief.kind}: {request.brief.title}",
        search_attributes=TypedSearchAttributes(
            [SearchAttributePair(names.KIND, request.brief.kind), SearchAttributePair(names.STATUS, "converting")]
        ),
    )


async def wait_for_status(context: Context, status: Status) -> RequestShow:
    """What the request shows once it has this status."""
    return await wait_for_view(context, lambda view: view.status is status)


async def wait_until_signer_told(context: Context) -> RequestShow:
    """What the request shows once the first signer was told."""
    return await wait_for_view(context, lambda view: view.notifications)


async def wait_for_view(context: Context, condition: Callable[[RequestShow], object]) -> RequestShow:
    """What the request shows once the condition holds."""
    async with asyncio.timeout(SOON.total_seconds()):
        while True:
            view = await start_files.show(context, MSA)
            if condition(view):
                return view
            await asyncio.sleep(0.02)
