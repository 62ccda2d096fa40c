"""nginx before the web process: it holds slow callers, bounds each address, and has Core Signature repeat its calls."""

import asyncio
import json
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path

import httpx
import pytest
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse, Response
from starlette.routing import Route
from starlette.types import ASGIApp, Receive, Scope, Send

from starter.config.values import Bind
from starter.web.app import make_app, receiver_routes
from starter.web.http.bodies import MOST_BYTES
from starter.web.http.serving import listening
from tests.deploy.strangers import strangers
from tests.nginx import Nginx, nginx_before
from tests.plain_http import plain_client
from tests.servers import free_ports
from tests.starter.web.paging import phone
from tests.starter.web.receiving import JSON, PATH, SEGMENT, RecordingSignals, encode_body, make_callback, receiver

ANYWHERE = Bind("127.0.0.1", 0)
SLOW_BODY = "POST {} HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\ncontent-length: 9\r\n\r\n1"
PATIENT = {
    "client_header_timeout 10s": "client_header_timeout 600s",
    "client_body_timeout 10s": "client_body_timeout 600s",
}
"""So that strangers stay for as long as the test takes."""


@asynccontextmanager
async def behind_nginx(
    app: ASGIApp, folder: Path, changes: Mapping[str, str] | None = None
) -> AsyncIterator[tuple[Nginx, httpx.AsyncClient]]:
    """A web process that believes nginx, and a client that calls nginx."""
    async with (
        listening(app, ANYWHERE, proxies=("127.0.0.1",)) as web,
        nginx_before(web, folder, changes) as nginx,
        plain_client(nginx.url) as client,
    ):
        yield nginx, client


def client_at(address: str, url: str) -> httpx.AsyncClient:
    return httpx.AsyncClient(base_url=url, transport=httpx.AsyncHTTPTransport(local_address=address), trust_env=False)


async def callbacks(client: httpx.AsyncClient, count: int) -> list[int]:
    """The answers to so many genuine callbacks, each on a connection of its own."""
    headers = JSON | {"connection": "close"}
    return [
        (await client.post(PATH, content=encode_body(make_callback()), headers=headers)).status_code
        for _ in range(count)
    ]


def answering(respond: Response) -> Starlette:
    async def answer(_: Request) -> Response:
        return respond

    return Starlette(routes=[Route("/{path:path}", answer, methods=["GET", "POST"])])


@pytest.mark.long
async def test_genuine_callers_are_answered_beside_2000_silent_connections_and_500_slow_bodies(tmp_path: Path) -> None:
    """Of 249 addresses. No slow body reaches the web process, and nothing that is logged opens a page."""
    paths: list[str] = []
    async with phone(tmp_path) as signer:
        await signer.create()
        signals = RecordingSignals()
        app = make_app([*receiver_routes(receiver(signals), signals), *signer.pages.routes()])

        async def counted(scope: Scope, receive: Receive, send: Send) -> None:
            paths.append(scope["path"])
            await app(scope, receive, send)

        async with (
            behind_nginx(counted, tmp_path, PATIENT) as (nginx, client),
            strangers(nginx.url, 2_000) as silent,
            strangers(nginx.url, 500, SLOW_BODY.format(PATH)) as slow,
        ):
            assert await callbacks(client, 200) == [200] * 200
            pages = [(await client.get(signer.link(), headers={"connection": "close"})).status_code for _ in range(20)]
            assert pages == [200] * 20
            assert (await silent.connected(), await slow.connected()) == (2_000, 500)
        log = nginx.log.read_text()
    assert (len(paths), len(signals.delivered)) == (220, 200)
    assert log.count('"status":200') == 220
    assert SEGMENT not in log
    assert signer.link().rpartition("/")[2] not in log


async def test_silent_connections_half_heads_and_slow_bodies_are_closed_in_time(tmp_path: Path) -> None:
    quick = {
        "client_header_timeout 10s": "client_header_timeout 1s",
        "client_body_timeout 10s": "client_body_timeout 1s",
    }
    async with behind_nginx(answering(Response()), tmp_path, quick) as (nginx, _):
        for text in ("", "GET / HTTP/1.1\r\nhost:", SLOW_BODY.format("/")):
            url = httpx.URL(nginx.url)
            reader, writer = await asyncio.open_connection(url.host, url.port)
            writer.write(text.encode())
            try:
                async with asyncio.timeout(20):
                    assert b"200" not in await reader.read()
            except ConnectionResetError:
                pass
            writer.close()


async def test_one_address_has_so_many_calls_at_once_and_others_are_answered(tmp_path: Path) -> None:
    async with (
        behind_nginx(answering(Response()), tmp_path, PATIENT) as (nginx, client),
        strangers(nginx.url, 100, SLOW_BODY.format("/"), addresses=1),
        client_at("127.0.0.2", nginx.url) as neighbour,
    ):
        assert (await neighbour.get("/open/x")).status_code == 429
        assert (await client.get("/open/x")).status_code == 200


async def test_callers_of_one_ipv6_network_count_as_one(tmp_path: Path) -> None:
    entered, gate = asyncio.Event(), asyncio.Event()

    async def answer(request: Request) -> Response:
        entered.set()
        await gate.wait()
        return Response()

    changes = {"set_real_ip_from fc00::/7": "set_real_ip_from 127.0.0.1", "callers 100": "callers 1"}
    app = Starlette(routes=[Route("/", answer)])
    async with behind_nginx(app, tmp_path, changes) as (_, client):
        first = asyncio.create_task(client.get("/", headers={"x-forwarded-for": "2001:db8::1"}))
        await entered.wait()
        assert (await client.get("/", headers={"x-forwarded-for": "2001:db8::2"})).status_code == 429
        gate.set()
        assert (await client.get("/", headers={"x-forwarded-for": "2001:db8:0:1::1"})).status_code == 200
        assert (await first).status_code == 200


async def test_core_signature_is_asked_to_repeat_while_the_web_process_is_stopped(tmp_path: Path) -> None:
    [port] = free_ports(1)
    async with nginx_before(f"http://127.0.0.1:{port}", tmp_path) as nginx, plain_client(nginx.url) as client:
        assert await callbacks(client, 3) == [500] * 3
        assert (await client.get("/open/a-secret-link")).status_code == 502
        assert (await client.post("/hooks/crm", content=b"{}")).status_code == 502
    log = nginx.log.read_text()
    assert "a-secret-link" not in log and SEGMENT not in log
    lines = [json.loads(line) for line in log.splitlines() if '"web_status":"502"' in line]
    # Its workers write side by side, in no order.
    assert sorted((line["area"], line["status"]) for line in lines) == [
        *[("callbacks", 500)] * 3,
        ("hooks", 502),
        ("pages", 502),
    ]


async def test_core_signature_is_asked_to_repeat_when_the_web_process_does_not_answer(tmp_path: Path) -> None:
    async def hang(_: Request) -> Response:
        await asyncio.Event().wait()
        raise AssertionError

    app = Starlette(routes=[Route("/{path:path}", hang, methods=["GET", "POST"])])
    changes = {"proxy_read_timeout 10s": "proxy_read_timeout 1s", "proxy_read_timeout 60s": "proxy_read_timeout 1s"}
    async with behind_nginx(app, tmp_path, changes) as (_, client):
        assert await callbacks(client, 1) == [500]
        assert (await client.get("/open/x")).status_code == 504


async def test_core_signature_is_asked_to_repeat_beyond_the_calls_of_an_address(tmp_path: Path) -> None:
    async with (
        behind_nginx(answering(Response()), tmp_path, PATIENT | {"callers 1000": "callers 10"}) as (nginx, _),
        strangers(nginx.url, 10, SLOW_BODY.format(PATH), addresses=1),
        client_at("127.0.0.2", nginx.url) as neighbour,
    ):
        assert await callbacks(neighbour, 1) == [500]


@pytest.mark.parametrize(
    ("status", "callback"),
    [(429, 500), (502, 500), (503, 500), (504, 500), (200, 200), (400, 400), (401, 401), (413, 413), (500, 500)],
)
async def test_of_answers_that_core_signature_takes_as_final_none_means_later(
    status: int, callback: int, tmp_path: Path
) -> None:
    async with behind_nginx(answering(PlainTextResponse("as it was", status)), tmp_path) as (_, client):
        assert await callbacks(client, 1) == [callback]
        assert (await client.get("/open/x")).text == "as it was"


async def test_the_web_process_learns_the_address_of_the_connection_whatever_a_caller_says(tmp_path: Path) -> None:
    async def show(request: Request) -> Response:
        names = ("x-forwarded-for", "x-forwarded-proto", "forwarded", "upgrade")
        return JSONResponse([request.client and request.client.host, *(request.headers.get(name) for name in names)])

    upgrade = {"connection": "upgrade", "upgrade": "websocket"}
    lies = {**upgrade, "x-forwarded-for": "10.9.9.9", "x-forwarded-proto": "gopher", "forwarded": "for=10.9.9.9"}
    app = Starlette(routes=[Route("/", show)])
    async with behind_nginx(app, tmp_path) as (nginx, _), client_at("127.0.0.9", nginx.url) as caller:
        assert (await caller.get("/", headers=lies)).json() == ["127.0.0.9", "127.0.0.9", None, None, None]


async def test_heads_and_bodies_that_are_too_large_reach_no_web_process(tmp_path: Path) -> None:
    async with behind_nginx(answering(Response()), tmp_path) as (_, client):
        assert (await client.post(PATH, content=bytes(MOST_BYTES))).status_code == 200
        assert (await client.post(PATH, content=bytes(MOST_BYTES + 1))).status_code == 413
        assert (await client.post("/hooks/crm", content=bytes(MOST_BYTES + 1))).status_code == 413
        assert (await client.post("/open/x", content=bytes(32 * MOST_BYTES + 1))).status_code == 413
        assert (await client.get("/", headers={"x": "y" * 9_000})).status_code == 400
        assert (await client.get("/" + "y" * 9_000)).status_code == 414


async def test_an_answer_given_before_the_body_was_read_reaches_the_caller(tmp_path: Path) -> None:
    async with behind_nginx(answering(Response(status_code=401)), tmp_path) as (_, client):
        answers = [(await client.post("/api/v1/uploads", content=bytes(20 * MOST_BYTES))).status_code for _ in range(5)]
    assert answers == [401] * 5


async def test_probes_are_not_answered_to_strangers(tmp_path: Path) -> None:
    async with behind_nginx(answering(Response()), tmp_path) as (_, client):
        assert [(await client.get(path)).status_code for path in ("/healthz", "/readyz")] == [404, 404]
