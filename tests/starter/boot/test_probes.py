"""Probes of worker and web process: a loop that hangs, a worker that polls no more, a server that is away."""

import asyncio
import socket
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from urllib.error import HTTPError
from urllib.parse import urlsplit
from urllib.request import urlopen

import pytest
from temporalio.service import RPCError, RPCStatusCode

import worker
from starter.boot import probes
from starter.boot.probes import (
    CONNECTIONS_AT_MOST,
    HANGS_AFTER,
    HEAD_BYTES_AT_MOST,
    CannotListen,
    ProbeResult,
    ProcessHealth,
    answer_probes,
    bound_to,
    watch,
)
from starter.config.settings import load
from starter.config.values import Bind
from starter.temporal.pollers import Pool
from tests.faults.town import eventually
from tests.servers import own_namespace
from tests.starter.terminal import make_complete_environment

ANYWHERE = Bind("127.0.0.1", 0)
FINE = (200, "ok\n")
AWAY = (503, "temporal is not reachable\n")


@dataclass
class Clock:
    """Seconds that pass when told."""

    seconds: float = 0

    def __call__(self) -> float:
        return self.seconds


@dataclass
class ProbedProcess:
    """A process of which somebody asks how it is."""

    clock: Clock = field(default_factory=Clock)
    health: ProcessHealth = field(init=False)

    def __post_init__(self) -> None:
        self.health = ProcessHealth(self.clock)


def probe(url: str) -> tuple[int, str]:
    """What a probe is answered; the loop of this process does not turn meanwhile."""
    try:
        with urlopen(url, timeout=20) as answer:  # noqa: S310  our own
            return answer.status, answer.read().decode()
    except HTTPError as error:
        return error.code, error.read().decode()


async def probe_both(url: str) -> tuple[tuple[int, str], tuple[int, str]]:
    return await asyncio.to_thread(probe, f"{url}/healthz"), await asyncio.to_thread(probe, f"{url}/readyz")


async def test_a_loop_that_does_not_turn_is_told_by_a_thread_that_does() -> None:
    probed = ProbedProcess()
    probed.health.record(ProbeResult())
    async with answer_probes(ANYWHERE, probed.health) as url:
        assert probe(f"{url}/healthz") == FINE
        probed.clock.seconds += HANGS_AFTER
        assert probe(f"{url}/healthz") == FINE
        probed.clock.seconds += 1
        hangs = (503, "the event loop has not turned for 61 s\n")
        assert (probe(f"{url}/healthz"), probe(f"{url}/readyz")) == (hangs, hangs)
        await eventually(lambda: _is(url, FINE))


async def _is(url: str, answer: tuple[int, str]) -> bool:
    return (await probe_both(url))[0] == answer


@dataclass
class Server:
    """What a look finds; it answers, or does not."""

    failure: Callable[[], Exception] | None = None
    stopped: str = ""

    async def look(self) -> ProbeResult:
        if self.failure:
            raise self.failure()
        return ProbeResult(stopped=self.stopped)


@pytest.mark.parametrize("make_failure", [TimeoutError, lambda: RPCError("no", RPCStatusCode.UNAVAILABLE, b"")])
async def test_a_server_that_is_away_for_two_minutes_is_no_reason_to_begin_anew(
    make_failure: Callable[[], Exception], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(probes, "LOOKS_EVERY", 0.01)
    probed, server = ProbedProcess(), Server()
    async with answer_probes(ANYWHERE, probed.health) as url:
        assert await probe_both(url) == (FINE, (503, "it has not begun yet\n"))
        async with watch(probed.health, server.look):
            assert await probe_both(url) == (FINE, FINE)
            server.failure = make_failure
            await eventually(lambda: _are(url, (FINE, AWAY)))
            for _ in range(4):
                probed.clock.seconds += 30
                probed.health.loop_turned()
                assert await probe_both(url) == (FINE, AWAY)
            server.failure = None
            await eventually(lambda: _are(url, (FINE, FINE)))


async def test_a_worker_that_polls_no_more_is_begun_anew_unless_it_drains(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(probes, "LOOKS_EVERY", 0.01)
    probed, server = ProbedProcess(), Server()
    async with answer_probes(ANYWHERE, probed.health) as url, watch(probed.health, server.look):
        server.stopped = "countersign is polled no more"
        stopped_answer = (503, "countersign is polled no more\n")
        await eventually(lambda: _are(url, (stopped_answer, stopped_answer)))
        probed.health.drain()
        assert await probe_both(url) == (FINE, (503, "it drains\n"))


async def _are(url: str, answers: tuple[tuple[int, str], tuple[int, str]]) -> bool:
    return await probe_both(url) == answers


@pytest.mark.parametrize(
    ("sent_bytes", "answer"),
    [
        (b"GET /metrics HTTP/1.1\r\n\r\n", b"HTTP/1.1 404 "),
        (b"POST /healthz HTTP/1.1\r\n\r\n", b"HTTP/1.1 400 "),
        (b"\x16\x03\x01\r\n\r\n", b"HTTP/1.1 400 "),
        (b"GET /healthz HTTP/1.0\r\n\r\n", b"HTTP/1.1 200 "),
        (b"x" * 10 * HEAD_BYTES_AT_MOST, b""),
        (b"GET /healthz HTTP/1.1\r\n" + b"a: b\r\n" * 10 * HEAD_BYTES_AT_MOST, b""),
        (b"GET /heal", b""),
    ],
)
async def test_nonsense_is_refused_or_hung_up_on(
    sent_bytes: bytes, answer: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(probes, "ANSWERED_WITHIN", 0.2)
    async with answer_probes(ANYWHERE, ProcessHealth()) as url:
        assert (await exchange_bytes(url, sent_bytes))[: len(answer) or None] == answer


async def exchange_bytes(url: str, sent_bytes: bytes) -> bytes:
    """What comes until the end of a connection; empty if it was cut."""
    parts = urlsplit(url)
    reader, writer = await asyncio.open_connection(parts.hostname, parts.port)
    try:
        writer.write(sent_bytes)
        return await reader.read()
    except ConnectionError:
        return b""
    finally:
        writer.close()


@pytest.mark.long
async def test_of_ten_times_as_many_silent_connections_none_is_held_for_long(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(probes, "ANSWERED_WITHIN", 0.5)

    async def is_answered() -> bool:
        with suppress(OSError):  # While all places are taken, it is hung up on.
            return await asyncio.to_thread(probe, f"{url}/healthz") == FINE
        return False

    async with answer_probes(ANYWHERE, ProcessHealth()) as url:
        address = (urlsplit(url).hostname, urlsplit(url).port)
        silent = [socket.create_connection(address) for _ in range(10 * CONNECTIONS_AT_MOST)]
        try:
            await eventually(is_answered)
        finally:
            for connection in silent:
                connection.close()


async def test_an_address_that_is_taken_is_named() -> None:
    with bound_to(ANYWHERE) as bound, pytest.raises(CannotListen, match="cannot listen on"):
        async with answer_probes(Bind(*bound.getsockname()), ProcessHealth()):
            pass


async def test_without_an_address_nothing_is_answered() -> None:
    async with answer_probes(load(environment={}).health_bind, ProcessHealth()) as url:
        assert url == ""


@pytest.mark.real_server
async def test_a_whole_worker_of_one_pool_is_ready_once_it_polls(dev_server: str, tmp_path: Path) -> None:
    client = await own_namespace(dev_server)
    environment = {
        "TEMPORAL_ADDRESS": dev_server,
        "TEMPORAL_NAMESPACE": client.namespace,
        "COUNTERSIGN_HEALTH_BIND": "127.0.0.1:0",
    }
    settings, health = load(environment={**make_complete_environment(tmp_path), **environment}), ProcessHealth()
    async with answer_probes(settings.health_bind, health) as url:
        assert (await probe_both(url))[1] == (503, "it has not begun yet\n")
        async with worker.run_workers(settings, asyncio.Event(), (Pool.CAMPAIGNS,), health) as ready:
            assert ready
            assert await probe_both(url) == (FINE, FINE)
