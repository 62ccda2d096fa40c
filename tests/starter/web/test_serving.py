"""Who is really connected is known, whomever a proxy says that it calls for."""

import socket

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.routing import Route

from starter.boot.probes import bound_to
from starter.config.values import Bind
from starter.web.http.serving import listening, peer_of
from tests.plain_http import plain_client


async def test_a_proxy_is_believed_whom_it_calls_for_and_is_known_itself() -> None:
    async def answer_client(request: Request) -> JSONResponse:
        return JSONResponse([request.client.host if request.client else "", peer_of(request)])

    async with (
        listening(Starlette(routes=[Route("/", answer_client)]), Bind("127.0.0.1", 0), proxies=("127.0.0.1",)) as url,
        plain_client(url) as client,
    ):
        answer = await client.get("/", headers={"x-forwarded-for": "10.9.1.1"})
    assert answer.json() == ["10.9.1.1", "127.0.0.1"]


def test_the_end_of_an_answer_does_not_wait_for_the_other_side() -> None:
    with bound_to(Bind("127.0.0.1", 0)) as bound, socket.create_connection(bound.getsockname()):
        accepted, _ = bound.accept()
        with accepted:
            assert accepted.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY)
