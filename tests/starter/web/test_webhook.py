"""The receiver on a real port: its address, its limits, and what it tells those who ask whether it is well."""

import asyncio
import tracemalloc
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from pathlib import Path

import httpx
import pytest
from starlette.requests import Request

from starter.config.values import Bind
from starter.errors import Refusal
from starter.web.app import make_app, receiver_routes
from starter.web.http import bodies as incoming_bodies
from starter.web.http.bodies import HELD_AT_MOST, MOST_BYTES, SMALL
from starter.web.http.serving import listening
from starter.web.receivers import callbacks as callback_receiver
from tests.plain_http import plain_client
from tests.starter.web.paging import REQUEST, phone
from tests.starter.web.receiving import (
    JSON,
    PATH,
    SEGMENT,
    RecordingSignals,
    StallingRequests,
    encode_body,
    make_callback,
    receiver,
)

ANYWHERE = Bind("127.0.0.1", 0)


@asynccontextmanager
async def running_receiver(signals: RecordingSignals, *, body_seconds: float = 5.0) -> AsyncIterator[httpx.AsyncClient]:
    app = make_app(receiver_routes(receiver(signals, body_seconds=body_seconds), signals))
    async with listening(app, ANYWHERE) as url, plain_client(url) as client:
        yield client


async def exchange_bytes(client: httpx.AsyncClient, *parts: bytes) -> bytes:
    """What comes back for these bytes until the other side hangs up."""
    reader, writer = await asyncio.open_connection(client.base_url.host, client.base_url.port)
    for part in parts:
        writer.write(part)
        await writer.drain()
    answer = await reader.read()
    writer.close()
    return answer


def head(path: str = PATH, *lines: str) -> bytes:
    return "\r\n".join([f"POST {path} HTTP/1.1", "host: x", "content-type: application/json", *lines, "", ""]).encode()


async def chunks(size: int) -> AsyncIterator[bytes]:
    for _ in range(0, size, 65_536):
        yield b" " * 65_536


async def test_a_genuine_callback_is_taken_and_the_connection_kept() -> None:
    signals = RecordingSignals()
    async with running_receiver(signals) as client:
        answers = [await client.post(PATH, content=encode_body(make_callback()), headers=JSON) for _ in range(2)]
    assert [(answer.status_code, answer.text) for answer in answers] == [(200, "OK")] * 2
    assert [request for request, _ in signals.delivered] == ["msa-0042"] * 2
    assert "server" not in answers[0].headers
    assert "connection" not in answers[0].headers


@pytest.mark.parametrize("segment", ["x", "s" * 31, "s" * 33, "S" * 32, "%C3%A9", "%FF", "s" * 2000])
async def test_another_segment_is_unauthorised(segment: str) -> None:
    signals = RecordingSignals()
    async with running_receiver(signals) as client:
        answer = await client.post(
            f"/callbacks/core-signature/{segment}", content=encode_body(make_callback()), headers=JSON
        )
    assert (answer.status_code, answer.text, signals.delivered) == (401, "Unauthorized", [])


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("GET", PATH, 405),
        ("PUT", PATH, 405),
        ("DELETE", PATH, 405),
        ("POST", f"{PATH}/", 404),
        ("POST", f"{PATH}/more", 404),
        ("POST", "/callbacks/core-signature/", 404),
        ("POST", "/callbacks/core-signature", 404),
        ("GET", "/", 404),
        ("GET", "/docs", 404),
        ("GET", "/metrics", 404),
        ("POST", "/healthz", 405),
    ],
)
async def test_there_is_nothing_else(method: str, path: str, status: int) -> None:
    async with running_receiver(RecordingSignals()) as client:
        answer = await client.request(method, path, content=encode_body(make_callback()), headers=JSON)
    assert answer.status_code == status


@pytest.mark.parametrize("size", [MOST_BYTES + 1, 30_000_000])
async def test_a_body_that_is_too_large_is_refused(size: int) -> None:
    signals = RecordingSignals()
    async with running_receiver(signals) as client:
        declared = await client.post(PATH, content=b" " * size, headers=JSON)
        streamed = await client.post(PATH, content=chunks(size), headers=JSON)
    assert [declared.status_code, streamed.status_code, signals.delivered] == [413, 413, []]


async def test_the_largest_body_is_read() -> None:
    signals = RecordingSignals()
    async with running_receiver(signals) as client:
        answer = await client.post(PATH, content=encode_body(make_callback()).ljust(MOST_BYTES), headers=JSON)
    assert (answer.status_code, len(signals.delivered)) == (200, 1)


@pytest.mark.parametrize("lines", [("content-length: 500",), ("transfer-encoding: chunked",)])
async def test_a_body_that_stalls_is_a_bad_request_and_hung_up_on(lines: tuple[str, ...]) -> None:
    async with running_receiver(RecordingSignals(), body_seconds=0.05) as client:
        answer = await exchange_bytes(client, head(PATH, *lines), b"")
    assert answer.startswith(b"HTTP/1.1 400 ")
    assert b"connection: close" in answer


async def test_a_huge_body_that_stalls_is_too_large() -> None:
    async with running_receiver(RecordingSignals(), body_seconds=0.5) as client:
        answer = await exchange_bytes(client, head(PATH, "content-length: 9000000"), b" " * (MOST_BYTES + 1))
    assert answer.startswith(b"HTTP/1.1 413 ")


@pytest.mark.long
async def test_stalled_bodies_do_not_hold_up_good_callbacks() -> None:
    async with running_receiver(RecordingSignals(), body_seconds=6) as client:
        stalled = [asyncio.create_task(exchange_bytes(client, head(PATH, "content-length: 9"))) for _ in range(200)]
        await asyncio.sleep(0)
        answers = [await client.post(PATH, content=encode_body(make_callback()), headers=JSON) for _ in range(20)]
        assert not any(call.done() for call in stalled)
        outcomes = await asyncio.gather(*stalled)
    assert {answer.status_code for answer in answers} == {200}
    assert {outcome[:13] for outcome in outcomes} == {b"HTTP/1.1 400 "}


@pytest.mark.long
async def test_beyond_what_is_signalled_at_the_same_time_the_provider_is_asked_to_call_again(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(callback_receiver, "MOST_AT_ONCE", 20)
    signals = RecordingSignals(gate=(gate := asyncio.Event()))
    async with running_receiver(signals) as client:
        calls = {
            asyncio.create_task(client.post(PATH, content=encode_body(make_callback()), headers=JSON))
            for _ in range(200)
        }
        turned_away = set[asyncio.Task[httpx.Response]]()
        while len(turned_away) < 180:
            turned_away, _ = await asyncio.wait(calls, return_when=asyncio.FIRST_COMPLETED)
        gate.set()
        answers = [(await call).status_code for call in calls]
        assert (await client.post(PATH, content=encode_body(make_callback()), headers=JSON)).status_code == 200
    assert (answers.count(200), answers.count(500)) == (20, 180)


async def test_bodies_that_stall_take_no_place_of_genuine_callbacks(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(callback_receiver, "MOST_AT_ONCE", 20)
    callbacks, stalling = receiver(RecordingSignals(), body_seconds=60), StallingRequests({"segment": SEGMENT})
    stalled = [asyncio.create_task(callbacks.answer(stalling.make_stalling_request(b""))) for _ in range(200)]
    await stalling.wait_until_stalled(200)
    answers = await asyncio.gather(
        *(callbacks.answer(stalling.make_whole_request(encode_body(make_callback()))) for _ in range(20))
    )
    assert {answer.status_code for answer in answers} == {200}
    assert not any(call.done() for call in stalled)
    stalling.gate.set()
    assert {answer.status_code for answer in await asyncio.gather(*stalled)} == {400}


async def test_large_bodies_share_a_bound_and_small_ones_have_room_beside_them() -> None:
    """Ten times as much as is held stalls."""
    padded_body, stalling = encode_body(make_callback()).ljust(MOST_BYTES), StallingRequests({"segment": SEGMENT})
    callbacks, crowd = receiver(RecordingSignals(), body_seconds=60), 10 * HELD_AT_MOST // MOST_BYTES
    tracemalloc.start()
    try:
        calls = [
            asyncio.create_task(callbacks.answer(stalling.make_stalling_request(b" " * (MOST_BYTES - 1))))
            for _ in range(crowd)
        ]
        await stalling.wait_until_stalled(crowd)
        held_count = HELD_AT_MOST // (MOST_BYTES - 1 - SMALL)
        assert tracemalloc.get_traced_memory()[0] < 2 * HELD_AT_MOST
        assert (await callbacks.answer(stalling.make_whole_request(padded_body))).status_code == 500
        assert (await callbacks.answer(stalling.make_whole_request(encode_body(make_callback())))).status_code == 200
    finally:
        tracemalloc.stop()
        stalling.gate.set()
    answers = [answer.status_code for answer in await asyncio.gather(*calls)]
    assert (answers.count(400), answers.count(500)) == (held_count, crowd - held_count)
    assert (await callbacks.answer(stalling.make_whole_request(padded_body))).status_code == 200


@pytest.mark.long
async def test_nobody_holds_a_body_while_temporal_is_asked() -> None:
    """Ten times as much as is held has come, all of it genuine, and every signal waits."""
    gate, body = asyncio.Event(), encode_body(make_callback())
    signals = RecordingSignals(gate=gate)
    callbacks = receiver(signals, signal_seconds=60)

    async def receive() -> dict[str, object]:
        return {"type": "http.request", "body": body.ljust(MOST_BYTES)}

    headers = [(name.encode(), value.encode()) for name, value in JSON.items()]
    scope = {"type": "http", "method": "POST", "headers": headers, "path_params": {"segment": SEGMENT}}
    crowd = 10 * HELD_AT_MOST // MOST_BYTES
    tracemalloc.start()
    try:
        calls = [asyncio.create_task(callbacks.answer(Request(dict(scope), receive))) for _ in range(crowd)]
        while signals.waiting < crowd:
            signals.progress.clear()
            await signals.progress.wait()
        assert tracemalloc.get_traced_memory()[0] < MOST_BYTES
    finally:
        tracemalloc.stop()
        gate.set()
    assert {answer.status_code for answer in await asyncio.gather(*calls)} == {200}


async def test_small_bodies_that_stall_share_a_bound_as_well(monkeypatch: pytest.MonkeyPatch) -> None:
    """Ten times as much as is held, each of 16 KiB and then silent; then all of it is free again."""
    held_count, crowd, stalling = 20, 200, StallingRequests({"segment": SEGMENT})
    monkeypatch.setattr(incoming_bodies, "ALTOGETHER_AT_MOST", held_count * SMALL)
    callbacks = receiver(RecordingSignals(), body_seconds=60)
    tracemalloc.start()
    try:
        calls = [
            asyncio.create_task(callbacks.answer(stalling.make_stalling_request(b" " * SMALL))) for _ in range(crowd)
        ]
        await stalling.wait_until_stalled(crowd)
        assert tracemalloc.get_traced_memory()[0] < crowd * SMALL / 2
        assert (await callbacks.answer(stalling.make_whole_request(encode_body(make_callback())))).status_code == 500
    finally:
        tracemalloc.stop()
        stalling.gate.set()
    answers = [answer.status_code for answer in await asyncio.gather(*calls)]
    assert (answers.count(400), answers.count(500)) == (held_count, crowd - held_count)
    assert (await callbacks.answer(stalling.make_whole_request(encode_body(make_callback())))).status_code == 200


async def test_what_is_no_http_is_a_bad_request() -> None:
    async with running_receiver(RecordingSignals()) as client:
        assert (await exchange_bytes(client, b"\x16\x03\x01\x02\x00\x01\x00\r\n\r\n")).startswith(b"HTTP/1.1 400 ")


@pytest.mark.parametrize(("is_reachable", "status"), [(True, 200), (False, 503)])
async def test_health_is_of_the_process_and_readiness_of_temporal(is_reachable: bool, status: int) -> None:
    async with running_receiver(RecordingSignals(is_reachable=is_reachable)) as client:
        assert (await client.get("/healthz")).status_code == 200
        assert (await client.get("/readyz")).status_code == status


async def test_an_address_that_is_taken_is_refused_in_one_line() -> None:
    app = make_app([])
    async with listening(app, ANYWHERE) as url:
        taken_address = Bind("127.0.0.1", httpx.URL(url).port or 0)
        with pytest.raises(Refusal, match=r"^cannot listen on 127\.0\.0\.1:\d+: Address already in use$"):
            async with listening(app, taken_address):
                pass


async def test_what_the_sandbox_calls_back_is_understood(tmp_path: Path) -> None:
    signals = RecordingSignals()
    app = make_app(receiver_routes(receiver(signals, clock=lambda: datetime.now(UTC)), signals))
    async with listening(app, ANYWHERE) as url, phone(tmp_path) as provider:
        await provider.create(callback_url=f"{url}{PATH}")
        async with asyncio.timeout(10):
            assert await signals.wait_for_event("sent") == {REQUEST}
        await provider.act("customer@acme.test", "sign")
        async with asyncio.timeout(10):
            assert await signals.wait_for_event("signer_signed") == {REQUEST}
