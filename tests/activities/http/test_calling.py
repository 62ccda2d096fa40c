"""The HTTP foundation: what is trusted, how much is read, how long is waited."""

import asyncio
import gzip
import ssl
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx
import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from activities.http.client import (
    Cause,
    Service,
    ServiceFailure,
    make_client,
    seconds_to_wait,
)
from activities.http.transport import MOST_BYTES, MOST_ERROR_BYTES
from workflows.follow_up.options import LONGEST_WAIT

NOW = datetime(2026, 11, 25, 12, 0, tzinfo=UTC)


def service(answer: Callable[[httpx.Request], httpx.Response]) -> Service:
    """A service that answers as told."""
    return Service("the service", "https://service.test/base/", make_client(transport=httpx.MockTransport(answer)))


async def failure_of(called: Service, **options: Any) -> ServiceFailure:
    """The failure a call must end with."""
    with pytest.raises(ServiceFailure) as caught:
        await called.call("GET", "/things/", **options)
    return caught.value


@asynccontextmanager
async def listening(
    answer: Callable[[asyncio.StreamReader, asyncio.StreamWriter], Any], tls: ssl.SSLContext | None = None
) -> AsyncIterator[int]:
    """A rude server on a free port of this machine."""

    async def answer_and_close(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            await answer(reader, writer)
        finally:
            writer.close()

    server = await asyncio.start_server(answer_and_close, "127.0.0.1", 0, ssl=tls)
    async with server:
        yield server.sockets[0].getsockname()[1]


async def test_urls_are_built_from_the_base_and_say_who_we_are() -> None:
    requests: list[httpx.Request] = []

    def answer(request: httpx.Request) -> httpx.Response:
        requests.append(request)
        return httpx.Response(200, json={"ok": True})

    got = await service(answer).call("GET", "/things/", query={"page": 2})
    assert got.json() == {"ok": True}
    assert str(requests[0].url) == "https://service.test/base/things/?page=2"
    assert requests[0].headers["user-agent"] == "countersign"
    assert requests[0].headers["accept-encoding"] == "identity"


async def test_a_redirect_is_not_followed() -> None:
    hosts: list[str] = []

    def answer(request: httpx.Request) -> httpx.Response:
        hosts.append(request.url.host)
        return httpx.Response(302, headers={"location": "http://169.254.169.254/secret"})

    failure = await failure_of(service(answer))
    assert (failure.status, hosts) == (302, ["service.test"])
    assert "169.254" not in str(failure)


async def test_the_environment_s_proxies_are_not_asked(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY"):
        monkeypatch.setenv(name, "http://127.0.0.1:9")

    async def answer(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"HTTP/1.1 204 No Content\r\n\r\n")

    async with listening(answer) as port, make_client() as client:
        assert (await Service("x", f"http://127.0.0.1:{port}", client).call("GET", "/")).status == 204


class Flow:
    """A body that goes on until nobody takes any more, or until `most` bytes; `given` is what was taken."""

    def __init__(self, limit_bytes: float = float("inf")) -> None:
        self._limit_bytes = limit_bytes
        self.sent_bytes = 0

    async def __aiter__(self) -> AsyncIterator[bytes]:
        while self.sent_bytes < self._limit_bytes:
            self.sent_bytes += 50_000
            yield b"y" * 50_000


async def test_an_endless_answer_is_refused_at_the_limit() -> None:
    flow = Flow()
    failure = await failure_of(service(lambda _: httpx.Response(200, content=flow)))
    assert (failure.cause, failure.explanation) == (Cause.UNREADABLE, "an answer of more than 10 MB")
    assert flow.sent_bytes <= MOST_BYTES + 50_000


async def test_of_an_endless_error_the_beginning_is_read() -> None:
    flow = Flow()
    failure = await failure_of(service(lambda _: httpx.Response(500, content=flow)))
    assert failure.status == 500
    assert flow.sent_bytes <= MOST_ERROR_BYTES + 50_000


async def test_an_answer_of_just_the_limit_is_read() -> None:
    got = await service(lambda _: httpx.Response(200, content=Flow(MOST_BYTES))).call("GET", "/")
    assert len(got.content) == MOST_BYTES


async def test_a_compressed_answer_cannot_unfold() -> None:
    bomb = gzip.compress(b"0" * MOST_BYTES * 2)
    headers = {"content-encoding": "gzip"}
    failure = await failure_of(service(lambda _: httpx.Response(200, content=bomb, headers=headers)))
    assert failure.cause is Cause.UNREADABLE


async def test_nobody_there_is_no_answer_and_names_no_address() -> None:
    async def nobody(_: asyncio.StreamReader, __: asyncio.StreamWriter) -> None: ...

    async with listening(nobody) as port:
        pass
    async with make_client() as client:
        failure = await failure_of(Service("the service", f"http://127.0.0.1:{port}", client))
    assert (failure.cause, failure.status, failure.did_nothing) == (Cause.NO_ANSWER, None, True)
    assert "127.0.0.1" not in str(failure)
    assert failure.__cause__ is None


async def test_an_unknown_certificate_gets_not_one_byte(tmp_path: Path) -> None:
    received = bytearray()

    async def answer(reader: asyncio.StreamReader, _: asyncio.StreamWriter) -> None:
        received.extend(await reader.read())

    async with listening(answer, self_signed(tmp_path)) as port, make_client() as client:
        failure = await failure_of(Service("the service", f"https://localhost:{port}", client))
    assert (failure.cause, failure.did_nothing) == (Cause.UNTRUSTED, True)
    assert received == b""


async def test_an_authority_of_our_own_can_be_trusted_but_not_for_another_name(tmp_path: Path) -> None:
    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.1 204 No Content\r\n\r\n")
        await writer.drain()

    tls = self_signed(tmp_path)
    trust = ssl.create_default_context(cafile=str(tmp_path / "certificate.pem"))
    async with listening(answer, tls) as port, make_client(trust=trust) as client:
        assert (await Service("x", f"https://localhost:{port}", client).call("GET", "/")).status == 204
        failure = await failure_of(Service("x", f"https://127.0.0.1:{port}", client))
        assert failure.cause is Cause.UNTRUSTED


async def test_silence_ends_at_the_deadline() -> None:
    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"HTTP/1.1 200 OK\r\ncontent-length: 100\r\n\r\n{")
        await writer.drain()
        await reader.read()

    async with listening(answer) as port, make_client() as client:
        failure = await failure_of(Service("x", f"http://127.0.0.1:{port}", client), deadline=0.1)
    assert (failure.cause, failure.explanation) == (Cause.NO_ANSWER, "no complete answer within 0.1 s")
    assert not failure.did_nothing


async def test_a_cut_answer_is_no_answer() -> None:
    async def answer(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"HTTP/1.1 200 OK\r\ncontent-length: 100\r\n\r\n{")
        await writer.drain()

    async with listening(answer) as port, make_client() as client:
        failure = await failure_of(Service("x", f"http://127.0.0.1:{port}", client))
    assert (failure.cause, failure.did_nothing) == (Cause.NO_ANSWER, False)


@pytest.mark.parametrize("status", [302, 400, 401, 403, 404, 409, 425, 429, 503])
async def test_a_refusal_has_done_nothing(status: int) -> None:
    assert (await failure_of(service(lambda _: httpx.Response(status)))).did_nothing


@pytest.mark.parametrize("status", [408, 500, 502, 504])
async def test_an_error_of_its_own_leaves_open_what_it_has_done(status: int) -> None:
    failure = await failure_of(service(lambda _: httpx.Response(status, headers={"retry-after": "90"})))
    assert failure.may_have_acted and not failure.did_nothing
    assert [failure.not_before(seconds).retry_after for seconds in (60, 120)] == [90, 120]
    assert failure.not_before(60).status == status


async def test_what_a_failure_says_keeps_no_one_s_name() -> None:
    def answer(_: httpx.Request) -> httpx.Response:
        return httpx.Response(400, json={"signers": [{"full_name": ["'Ada Example' is no name of ada@x.test"]}]})

    failure = await failure_of(service(answer), private=("Ada Example",))
    assert failure.explanation == "signers[0].full_name: '[redacted]' is no name of [redacted]"


async def test_something_else_than_json_is_unreadable() -> None:
    got = await service(lambda _: httpx.Response(200, text="<html>")).call("GET", "/")
    with pytest.raises(ServiceFailure) as caught:
        got.json()
    assert caught.value.cause is Cause.UNREADABLE


@pytest.mark.parametrize("body", ["", "OK", '{"detail":"OK"}', '{"html":"<p>"}'])
async def test_whatever_a_service_says_may_be_an_acknowledgement(body: str) -> None:
    (await service(lambda _: httpx.Response(200, text=body)).call("POST", "/")).refuse_page()


@pytest.mark.parametrize("body", ["<!doctype html>", "\r\n  <html>", "\ufeff<?xml version='1.0'?>"])
async def test_a_page_of_html_is_no_acknowledgement(body: str) -> None:
    got = await service(lambda _: httpx.Response(200, text=body)).call("POST", "/")
    with pytest.raises(ServiceFailure) as caught:
        got.refuse_page()
    assert (caught.value.cause, caught.value.did_nothing) == (Cause.UNREADABLE, True)


@pytest.mark.parametrize(
    ("header", "seconds"),
    [
        (None, None),
        ("", None),
        ("soon", None),
        ("-5", None),
        ("0", 0),
        ("120", 120),
        ("Wed, 25 Nov 2026 12:01:30 GMT", 90),
        ("Wed, 25 Nov 2026 11:00:00 GMT", 0),
        ("Wed, 25 Nov 2026 13:00:00 -0000", 3600),
        ("Wed, 99 Nov 2026 13:00:00 GMT", None),
        ("Wed, 25 Nov 2026 13:00:00 +99999999999999999999", None),
        ("3601", LONGEST_WAIT),
        ("999999999999", LONGEST_WAIT),
        ("9" * 400, LONGEST_WAIT),
        ("Fri, 31 Dec 9999 23:59:59 GMT", LONGEST_WAIT),
    ],
)
def test_retry_after_is_read_in_both_forms(header: str | None, seconds: float | None) -> None:
    assert seconds_to_wait(header, NOW) == seconds


@pytest.mark.parametrize(
    ("header", "date"),
    [
        ("Wed, 25 Nov 2026 12:00:00 GMT", NOW),
        ("Wed, 25 Nov 2026 12:00:00 -0000", NOW),
        ("Wed, 25 Nov 2026 12:00:00 CET", NOW),
        ("Wed, 25 Nov 2026 12:00:00 +99999999999999", None),
        ("soon", None),
    ],
)
async def test_a_service_s_clock_is_an_instant_or_nothing(header: str, date: datetime | None) -> None:
    got = await service(lambda _: httpx.Response(204, headers={"date": header})).call("GET", "/")
    assert got.date == date


def self_signed(folder: Path) -> ssl.SSLContext:
    """A server's TLS with a certificate for localhost that no authority vouches for."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "localhost")])
    now = datetime.now(UTC)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName("localhost")]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    private = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    (folder / "certificate.pem").write_bytes(certificate.public_bytes(serialization.Encoding.PEM))
    (folder / "key.pem").write_bytes(private)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(folder / "certificate.pem", folder / "key.pem")
    return context
