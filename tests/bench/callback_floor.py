"""The floor of the receiver: the smallest honest application that checks a callback's hash and signals its workflow,
and the smallest honest workflow that keeps the same promise: a target is called once the signed document is kept.

Four activities, one after the other: read the document (one call, 1 KB), download the signed document and its log and
keep both by their hashes (two calls; two files), write one row that says so, call one target (one call, 1 KB). On both
sides of the bench they answer at once: what is compared is what the workflow itself and Temporal take.

`python -m tests.bench.callback_floor ADDRESS SECRET` serves on any port and prints it. It has no bounds: of size,
depth, time, age or callers; it counts nothing, and a server that is away is an error like any other.
"""

import asyncio
import hashlib
import hmac
import sys
from datetime import timedelta
from typing import Final

from temporalio import activity, workflow

with workflow.unsafe.imports_passed_through():
    import uvicorn
    from starlette.applications import Starlette
    from starlette.requests import Request
    from starlette.responses import PlainTextResponse, Response
    from starlette.routing import Route
    from temporalio.client import Client

FLOOR: Final = "CallbackFloor"
SIGNAL: Final = "provider_event"
_SOON: Final = timedelta(seconds=30)


@workflow.defn(name=FLOOR)
class CallbackFloor:
    """Wait for the signal, read, keep, record, call."""

    def __init__(self) -> None:
        self._called = False

    @workflow.run
    async def run(self, request: str) -> None:
        """Straight down."""
        await workflow.wait_condition(lambda: self._called)
        status = await workflow.execute_activity(read_document, request, start_to_close_timeout=_SOON)
        hashes = await workflow.execute_activity(keep_files, request, start_to_close_timeout=_SOON)
        await workflow.execute_activity(write_row, args=[request, hashes], start_to_close_timeout=_SOON)
        await workflow.execute_activity(call_target, args=[request, status], start_to_close_timeout=_SOON)

    @workflow.signal(name=SIGNAL)
    def provider_event(self, event: object) -> None:
        """Remember it."""
        self._called = True


REACHED: Final[dict[str, asyncio.Event]] = {}
"""Set when the target of a request is called."""


@activity.defn
async def read_document(request: str) -> str:
    """Signed."""
    return "si"


@activity.defn
async def keep_files(request: str) -> list[str]:
    """The hashes of the signed document and its log."""
    return ["ab" * 32, "cd" * 32]


@activity.defn
async def write_row(request: str, hashes: list[str]) -> None:
    """It is written at once."""


@activity.defn
async def call_target(request: str, status: str) -> None:
    """It answers at once."""
    REACHED[request].set()


ACTIVITIES: Final = (read_document, keep_files, write_row, call_target)


async def serve(address: str, secret: str) -> None:
    """Until it is killed."""
    client = await Client.connect(address)

    async def receive(request: Request) -> Response:
        event = await request.json()
        signed = (event["event_time"] + event["event_type"]).encode()
        if not hmac.compare_digest(hmac.new(secret.encode(), signed, hashlib.sha256).hexdigest(), event["event_hash"]):
            return PlainTextResponse("Unauthorized", 401)
        handle = client.get_workflow_handle(f"signature-request:{event['document']['external_id']}")
        await handle.signal(SIGNAL, {"id": event["uuid"], "type": event["event_type"], "at": event["timestamp"]})
        return PlainTextResponse("OK")

    server = uvicorn.Server(
        uvicorn.Config(Starlette(routes=[Route("/", receive, methods=["POST"])]), port=0, log_level="error")
    )
    serving = asyncio.create_task(server.serve())
    while not server.started:  # noqa: ASYNC110  nothing else tells of it
        await asyncio.sleep(0.01)
    print(server.servers[0].sockets[0].getsockname()[1], flush=True)
    await serving


if __name__ == "__main__":
    asyncio.run(serve(*sys.argv[1:]))
