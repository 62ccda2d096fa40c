"""A receiver of callbacks on a free port that answers as it is told."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from deploy.sandbox.server import serving
from tests.sandbox.conftest import Json


@dataclass
class Receiver:
    """Keeps the bodies it got; answers with the next status of `answers`, then with 200, once its gate is open."""

    url: str = ""
    gate: asyncio.Event | None = None
    answers: list[int] = field(default_factory=list)
    bodies: list[Json] = field(default_factory=list)

    def kinds(self) -> list[str]:
        """The types of the events it was told, in the order of arrival."""
        return [body["event_type"] for body in self.bodies]

    async def take(self, request: Request) -> Response:
        """One callback."""
        self.bodies.append(await request.json())
        status = self.answers.pop(0) if self.answers else 200
        if self.gate is not None:
            await self.gate.wait()
        return Response(status_code=status)


@asynccontextmanager
async def receiving(*answers: int) -> AsyncIterator[Receiver]:
    """A receiver that answers with these statuses first."""
    receiver = Receiver(answers=list(answers))
    app = Starlette(routes=[Route("/cb", receiver.take, methods=["POST"])])
    async with serving(app, host="127.0.0.1", port=0) as url:
        receiver.url = f"{url}/cb"
        yield receiver
