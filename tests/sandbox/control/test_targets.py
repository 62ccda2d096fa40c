"""Hand-off calls that go on to somebody's own receiver: its answer is the answer, for as long as it is wanted."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

import httpx
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from deploy.sandbox.control.targets import LEASE
from deploy.sandbox.server import RunningSandbox, running, serving
from deploy.sandbox.state.settings import SandboxSettings

HEADERS = {"webhook-id": "msg_1", "webhook-timestamp": "1796376600", "webhook-signature": "v1,abc", "x-other": "no"}
BODY = b'{"type": "ping",  "data": {}}'


@dataclass
class Own:
    """Somebody's receiver, which answers as it is told."""

    url: str = ""
    answer: Response = field(default_factory=lambda: Response(status_code=204))
    taken: list[tuple[dict[str, str], bytes]] = field(default_factory=list)

    async def take(self, request: Request) -> Response:
        """One call."""
        self.taken.append((dict(request.headers), await request.body()))
        return self.answer


@dataclass
class Town:
    """A sandbox whose clock the test moves, and the receiver."""

    sandbox: RunningSandbox
    http: httpx.AsyncClient
    own: Own
    now: list[float]

    async def want(self, to: str) -> httpx.Response:
        """Have calls forwarded."""
        return await self.http.post("/_sandbox/forward", json={"to": to})

    async def call(self) -> httpx.Response:
        """A hand-off call."""
        return await self.http.post("/_sandbox/targets/erp", content=BODY, headers=HEADERS)

    def forwarded(self) -> list[object]:
        """What the ledger says became of each call."""
        entries = self.sandbox.state.ledger.after(0)
        return [entry.get("forwarded") for entry in entries if entry["type"] == "downstream"]


@asynccontextmanager
async def town() -> AsyncIterator[Town]:
    now, own = [1_000_000.0], Own()
    async with (
        serving(Starlette(routes=[Route("/hooks", own.take, methods=["POST"])]), host="127.0.0.1", port=0) as url,
        running(SandboxSettings(clock=lambda: now[0])) as sandbox,
        httpx.AsyncClient(base_url=sandbox.url, trust_env=False) as http,
    ):
        own.url = f"{url}/hooks"
        yield Town(sandbox, http, own, now)


async def test_the_receiver_gets_the_very_bytes_and_its_answer_is_that_of_the_target() -> None:
    async with town() as it:
        assert (await it.call()).json() == {"received": True}
        assert (await it.want(it.own.url)).json() == {"after": len(it.sandbox.state.ledger.after(0))}
        assert (await it.call()).status_code == 204
        [(headers, body)] = it.own.taken
        told = {name: text for name, text in headers.items() if name.startswith(("webhook-", "x-"))}
        assert (told, body) == ({name: text for name, text in HEADERS.items() if name != "x-other"}, BODY)
        it.own.answer = Response(
            status_code=410, headers={"webhook-delivery": "disable", "retry-after": "7", "x-a": "b"}
        )
        gone = await it.call()
        assert (gone.status_code, gone.headers["webhook-delivery"], gone.headers["retry-after"]) == (
            410,
            "disable",
            "7",
        )
        assert "x-a" not in gone.headers
        assert it.forwarded() == [
            None,
            {"to": it.own.url, "status": 204, "error": None},
            {"to": it.own.url, "status": 410, "error": None},
        ]


async def test_it_is_forwarded_for_as_long_as_somebody_says_so() -> None:
    async with town() as it:
        await it.want(it.own.url)
        it.now[0] += LEASE - 1
        await it.want(it.own.url)
        it.now[0] += LEASE - 1
        assert (await it.call()).status_code == 204
        it.now[0] += 1
        assert (await it.call()).json() == {"received": True}, "who was killed says no more"
        await it.want(it.own.url)
        assert (await it.http.delete("/_sandbox/forward")).status_code == 204
        assert (await it.call()).json() == {"received": True}
        assert len(it.own.taken) == 1


async def test_a_receiver_that_is_not_there_is_a_failed_call_and_an_odd_address_is_refused() -> None:
    async with town() as it:
        for odd in ("hooks", "file:///etc/passwd", "", "http://"):
            assert (await it.want(odd)).status_code == 400
        await it.want("http://127.0.0.1:1/hooks")
        assert (await it.call()).status_code == 502
        assert it.forwarded() == [{"to": "http://127.0.0.1:1/hooks", "status": None, "error": "ConnectError"}]
