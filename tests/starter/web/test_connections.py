"""Connections that say nothing take no place of those that do, and no more descriptors than the process has."""

import asyncio
import resource
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path

import httpx
import pytest
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route
from structlog.testing import capture_logs

from starter.config.values import Bind
from starter.web.app import make_app, receiver_routes
from starter.web.serving import (
    CONNECTIONS_AT_MOST,
    DESCRIPTORS_KEPT,
    LOGGED_EVERY,
    SHARES,
    Addresses,
    Capacity,
    Occupancy,
    capacity_within,
    listening,
)
from tests.plain_http import plain_client
from tests.starter.web.paging import phone
from tests.starter.web.receiving import JSON, PATH, RecordingSignals, encoded, receiver, said
from tests.starter.web.strangers import strangers
from tests.starter.web.test_webhook_process import started

ANYWHERE = Bind("127.0.0.1", 0)
OUR_PROXY = "10.1.0.1"
HALF_A_HEAD = "POST /callbacks HTTP/1.1\r\nhost: x\r\n"
HALF_A_BODY = f"POST {PATH} HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\ncontent-length: 9\r\n\r\n"
ROOM = Capacity(10, 3)


@dataclass(eq=False)
class Line:
    """A connection, and what became of it."""

    host: str
    gone: bool = False

    def let_go(self) -> None:
        """Hang up."""
        self.gone = True


@dataclass
class Exchange:
    """The connections of a process that has so much room."""

    room: Capacity = ROOM
    seconds: float = 0
    places: Occupancy = field(init=False)

    def __post_init__(self) -> None:
        self.places = Occupancy("connections", self.room, Addresses([OUR_PROXY]), clock=lambda: self.seconds)

    def call(self, host: str, times: int = 1) -> list[Line]:
        """Connect so many times from an address."""
        lines = [Line(host) for _ in range(times)]
        for line in lines:
            line.gone = not self.places.admit(line, host)
        return lines

    def call_and_ask(self, host: str, times: int = 1) -> list[Line]:
        """Connect, and say all of a request."""
        lines = self.call(host, times)
        for line in lines:
            self.places.answers(line)
        return lines


def test_of_one_address_those_that_wait_longest_make_room() -> None:
    exchange = Exchange()
    [answered] = exchange.call_and_ask("10.0.0.9")
    lines = exchange.call("10.0.0.9", 30)
    assert [line.gone for line in lines] == [True] * 28 + [False] * 2
    assert (answered.gone, len(exchange.places)) == (False, 3)


def test_an_address_whose_callers_are_all_answered_gets_no_more_places_and_others_do() -> None:
    exchange = Exchange()
    answered = exchange.call_and_ask("10.0.0.9", 3)
    assert [line.gone for line in exchange.call("10.0.0.9", 30)] == [True] * 30
    assert not any(line.gone for line in [*answered, *exchange.call("10.0.0.8")])


def test_where_all_places_are_taken_whoever_waits_longest_makes_room_and_nobody_who_is_answered() -> None:
    exchange = Exchange()
    answered = [line for host in range(4) for line in exchange.call_and_ask(f"10.0.0.{host}", 2)]
    silent = [line for host in range(100, 200) for line in exchange.call(f"10.0.1.{host}")]
    assert [line.gone for line in silent] == [True] * 98 + [False] * 2
    exchange.places.ended(silent[-1])
    exchange.places.answers(silent[-2])
    assert [line.gone for line in exchange.call("10.0.2.1") + exchange.call("10.0.2.2")] == [True, False]
    assert not any(line.gone for line in answered)


def test_who_is_waited_for_again_is_the_last_in_the_line() -> None:
    exchange = Exchange()
    first, second, third = exchange.call("10.0.0.9", 3)
    exchange.places.answers(first)
    exchange.places.awaits(first)
    exchange.call("10.0.0.9")
    assert (first.gone, second.gone, third.gone) == (False, True, False)


def test_a_proxy_of_ours_has_as_many_as_there_are_and_its_own_go_last() -> None:
    exchange = Exchange()
    lines = exchange.call(OUR_PROXY, 10)
    assert not any(line.gone for line in lines)
    [stranger], [another] = exchange.call("10.0.0.9"), exchange.call("10.0.0.8")
    assert ([line.gone for line in lines], stranger.gone, another.gone) == ([True] + [False] * 9, True, False)


def test_addresses_of_one_network_of_ipv6_are_one() -> None:
    exchange = Exchange()
    lines = [line for number in range(30) for line in exchange.call(f"2001:db8::{number:x}")]
    assert sum(not line.gone for line in lines) == 3


def test_nothing_is_kept_of_connections_that_have_ended() -> None:
    exchange = Exchange()
    for line in [line for number in range(100) for line in exchange.call(f"10.0.0.{number}", 5)]:
        exchange.places.ended(line)
    assert len(exchange.places) == 0
    assert not any(vars(exchange.places)[name] for name in ("_groups", "_by_group", "_awaited"))


def test_however_many_are_let_go_the_log_has_one_line_a_minute_and_no_address() -> None:
    exchange = Exchange()
    with capture_logs() as log:
        exchange.call("10.0.0.9", 103)
        exchange.seconds = LOGGED_EVERY
        exchange.call("10.0.0.9")
    assert [(line["let_go"], line["refused"], line["held"]) for line in log] == [(1, 0, 2), (100, 0, 2)]
    assert "10.0.0.9" not in str(log)


@pytest.mark.parametrize(
    ("descriptors", "altogether"),
    [(1024, 1024 - DESCRIPTORS_KEPT), (256, 128), (2, 1), (10**9, CONNECTIONS_AT_MOST)],
)
def test_there_is_room_below_the_descriptors_of_the_process(descriptors: int, altogether: int) -> None:
    assert capacity_within(descriptors) == Capacity(altogether, max(1, altogether // SHARES))


@asynccontextmanager
async def serving(room: Capacity) -> AsyncIterator[tuple[str, httpx.AsyncClient]]:
    """A receiver that would wait for a head or a body for longer than any test lasts."""
    signals = RecordingSignals()
    app = make_app(receiver_routes(receiver(signals, body_seconds=600), signals))
    async with listening(app, ANYWHERE, head_seconds=600, room=room) as url, plain_client(url) as client:
        yield url, client


async def callbacks(client: httpx.AsyncClient, count: int) -> list[int]:
    """What so many genuine callers, each with a connection of its own, are answered."""
    headers = JSON | {"connection": "close"}
    return [(await client.post(PATH, content=encoded(said()), headers=headers)).status_code for _ in range(count)]


@pytest.mark.parametrize("text", ["", HALF_A_HEAD, HALF_A_BODY])
async def test_genuine_callers_are_answered_while_strangers_hold_every_place(text: str) -> None:
    """Each genuine caller makes the stranger go who has waited longest, as each further stranger did."""
    async with serving(Capacity(30, 5)) as (url, client), strangers(url, 300, text) as they:
        assert await callbacks(client, 20) == [200] * 20
        assert 30 - 20 <= await they.connected() <= 30


async def test_who_does_not_read_an_answer_makes_room_as_well() -> None:
    """Each of them has asked for more than a connection holds."""

    async def large(_: Request) -> Response:
        return Response(bytes(32 * 1024 * 1024))

    async def small(_: Request) -> Response:
        return Response()

    async def answered(client: httpx.AsyncClient) -> bool:
        with suppress(httpx.TransportError):
            return (await client.get("/small")).status_code == 200
        return False

    app = Starlette(routes=[Route("/", large), Route("/small", small)])
    ask = "GET / HTTP/1.1\r\nhost: x\r\n\r\n"
    async with (
        listening(app, ANYWHERE, room=Capacity(3, 3)) as url,
        strangers(url, 3, ask),
        plain_client(url) as client,
        asyncio.timeout(60),
    ):
        while not await answered(client):
            pass


@pytest.mark.long
async def test_ten_thousand_silent_connections_are_held_and_genuine_callers_answered() -> None:
    """Of 249 addresses, with the descriptors that a process has by default after its start."""
    count = 10_000
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if hard < count + DESCRIPTORS_KEPT:
        pytest.skip(f"this machine gives a process {hard} descriptors")
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    try:
        async with serving(capacity_within(hard)) as (url, client), strangers(url, count) as they:
            assert await callbacks(client, 200) == [200] * 200
            assert await they.connected() == count
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


@pytest.mark.long
async def test_a_process_with_few_descriptors_answers_while_ten_times_as_many_connect(tmp_path: Path) -> None:
    """It has raised its own limit to the 1,024 that it may have; of all that were let go there is one line."""
    async with phone(tmp_path) as before:
        await before.create()
        few = ("sh", "-c", 'ulimit -Sn 256; ulimit -Hn 1024; exec "$@"', "sh")
        async with started(before, tmp_path, few) as process:
            await process.heard("listening")
            url = process.url or ""
            async with strangers(url, 10_000), httpx.AsyncClient(base_url=url, trust_env=False) as client:
                pages = [
                    (await client.get(before.link(), headers={"connection": "close"})).status_code for _ in range(20)
                ]
            assert await process.end() == 0
    assert pages == [200] * 20
    log = "".join(process.lines)
    assert (log.count("connections let go"), log.count("Traceback")) == (1, 0)
