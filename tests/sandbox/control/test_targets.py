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
class OwnReceiver:
    """Somebody's receiver, which answers as it is told."""

    url: str = ""
    answer: Response = field(default_factory=lambda: Response(status_code=204))
    calls: list[tuple[dict[str, str], bytes]] = field(default_factory=list)

    async def take(self, request: Request) -> Response:
        """One call."""
        self.calls.append((dict(request.headers), await request.body()))
        return self.answer


@dataclass
class Town:
    """A sandbox whose clock the test moves, and the receiver."""

    sandbox: RunningSandbox
    http: httpx.AsyncClient
    receiver: OwnReceiver
    now: list[float]

    async def want(self, address: str) -> httpx.Response:
        """Have calls forwarded."""
        return await self.http.post("/_sandbox/forward", json={"to": address})

    async def call(self) -> httpx.Response:
        """A hand-off call."""
        return await self.http.post("/_sandbox/targets/erp", content=BODY, headers=HEADERS)

    def forwarded(self) -> list[object]:
        """What the ledger says became of each call."""
        entries = self.sandbox.state.ledger.list_entries_after(0)
        return [entry.get("forwarded") for entry in entries if entry["type"] == "downstream"]


@asynccontextmanager
async def town() -> AsyncIterator[Town]:
    clock, receiver = [1_000_000.0], OwnReceiver()
    async with (
        serving(Starlette(routes=[Route("/hooks", receiver.take, methods=["POST"])]), host="127.0.0.1", port=0) as url,
        running(SandboxSettings(clock=lambda: clock[0])) as sandbox,
        httpx.AsyncClient(base_url=sandbox.url, trust_env=False) as http,
    ):
        receiver.url = f"{url}/hooks"
        yield Town(sandbox, http, receiver, clock)


async def test_the_receiver_gets_the_very_bytes_and_its_answer_is_that_of_the_target() -> None:
    async with town() as forwarding_town:
        assert (await forwarding_town.call()).json() == {"received": True}
        assert (await forwarding_town.want(forwarding_town.receiver.url)).json() == {
            "after": len(forwarding_town.sandbox.state.ledger.list_entries_after(0))
        }
        assert (await forwarding_town.call()).status_code == 204
        [(headers, body)] = forwarding_town.receiver.calls
        forwarded_headers = {name: text for name, text in headers.items() if name.startswith(("webhook-", "x-"))}
        assert (forwarded_headers, body) == ({name: text for name, text in HEADERS.items() if name != "x-other"}, BODY)
        forwarding_town.receiver.answer = Response(
            status_code=410, headers={"webhook-delivery": "disable", "retry-after": "7", "x-a": "b"}
        )
        disabled = await forwarding_town.call()
        assert (disabled.status_code, disabled.headers["webhook-delivery"], disabled.headers["retry-after"]) == (
            410,
            "disable",
            "7",
        )
        assert "x-a" not in disabled.headers
        assert forwarding_town.forwarded() == [
            None,
            {"to": forwarding_town.receiver.url, "status": 204, "error": None},
            {"to": forwarding_town.receiver.url, "status": 410, "error": None},
        ]


async def test_it_is_forwarded_for_as_long_as_somebody_says_so() -> None:
    async with town() as forwarding_town:
        await forwarding_town.want(forwarding_town.receiver.url)
        forwarding_town.now[0] += LEASE - 1
        await forwarding_town.want(forwarding_town.receiver.url)
        forwarding_town.now[0] += LEASE - 1
        assert (await forwarding_town.call()).status_code == 204
        forwarding_town.now[0] += 1
        assert (await forwarding_town.call()).json() == {"received": True}, "who was killed says no more"
        await forwarding_town.want(forwarding_town.receiver.url)
        assert (await forwarding_town.http.delete("/_sandbox/forward")).status_code == 204
        assert (await forwarding_town.call()).json() == {"received": True}
        assert len(forwarding_town.receiver.calls) == 1


async def test_a_receiver_that_is_not_there_is_a_failed_call_and_an_odd_address_is_refused() -> None:
    async with town() as forwarding_town:
        for odd in ("hooks", "file:///etc/passwd", "", "http://"):
            assert (await forwarding_town.want(odd)).status_code == 400
        await forwarding_town.want("http://127.0.0.1:1/hooks")
        assert (await forwarding_town.call()).status_code == 502
        assert forwarding_town.forwarded() == [
            {"to": "http://127.0.0.1:1/hooks", "status": None, "error": "ConnectError"}
        ]
