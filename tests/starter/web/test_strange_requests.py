"""Receiver and pages behind nginx before strangers who send anything: no answer of 5xx, no error in the log."""

import asyncio
import logging
from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Final

import httpx
import pytest

from starter.config.values import Bind
from starter.web.app import make_app, receiver_routes
from starter.web.http.serving import listening
from tests.nginx import nginx_before
from tests.starter.web.paging import phone
from tests.starter.web.receiving import PATH, RecordingSignals, encode_body, make_callback, receiver

GENUINE: Final = encode_body(make_callback())
METHODS: Final = ("GET", "HEAD", "POST", "PUT", "DELETE", "OPTIONS", "TRACE", "CONNECT", "QUERY", "get")
NOWHERE: Final = (
    *("", "*", "/", "//", "/%", "/%zz", "/%00", "/%FF%FE", "/open", "/open/", "/open/%00", "/open/..%2F..", "/.env"),
    *(
        "/open/" + "A" * 60,
        "/open/" + "A" * 5000,
        "/task/%00",
        "/open/%F0%9F%98%80",
        "//healthz",
        "/healthz/",
        "/readyz",
    ),
    *(
        f"{PATH}/",
        f"/{PATH}",
        f"{PATH}%2F",
        f"{PATH}%00",
        PATH.replace("/core", "//core"),
        f"http://else.example{PATH}",
    ),
)
LINK: Final = "/open/{ref}"
WHERE: Final = (PATH, f"{PATH}?a=%FF", LINK, f"{LINK}/", f"{LINK}%2F", f"{LINK}?mail=%FF&mail=sent", f"/{LINK}")
HEADERS: Final = (
    *(b"content-length: -1", b"content-length: 1e3", b"content-length: " + b"9" * 40),
    *(b"content-length: 5\r\ncontent-length: 6", b"transfer-encoding: chunked, chunked", b"transfer-encoding: x"),
    *(b"transfer-encoding: chunked", b"expect: 200-ok", b"content-type: \xff", b"content-encoding: \xe9", b"no header"),
    *(
        b"cookie: \x80",
        b"origin: \xff\r\nsec-fetch-site: \xff",
        b"host: a\r\nhost: b",
        b"range: bytes=1-0",
        b"a\x00b: c",
    ),
    *(
        b"accept-language: \xff;q=nan,de;q=1e999,*;q=",
        b"accept-language: " + b"de-DE;q=0.1," * 2000,
        b"x: " + b"y" * 70000,
    ),
)
CHUNKS: Final = (
    b"zz\r\n",
    b"-1\r\nx",
    b"f" * 21 + b"\r\nx",
    b"5\r\nabcdefgh\r\n",
    b'1;a="\r\n{\r\n0\r\n\r\n',
    b"0\r\n\r\n",
)


@asynccontextmanager
async def whole_process(folder: Path) -> AsyncIterator[tuple[httpx.URL, str]]:
    """The address of nginx before the whole process, and the path of a genuine link."""
    async with phone(folder) as site:
        await site.create()
        signals = RecordingSignals()
        app = make_app([*receiver_routes(receiver(signals, body_seconds=0.2), signals), *site.pages.routes()])
        quick = {"client_body_timeout 10s": "client_body_timeout 1s"}
        async with listening(app, Bind("127.0.0.1", 0)) as web, nginx_before(web, folder, quick) as nginx:
            yield httpx.URL(nginx.url), site.link()


async def send_requests(url: httpx.URL, *requests: bytes) -> list[int]:
    """The status of each answer, every request on a connection of its own; 0 if it is hung up on."""
    return [await _send_request(url, request) for request in requests]


async def _send_request(url: httpx.URL, request: bytes) -> int:
    reader, writer = await asyncio.open_connection(url.host, url.port)
    writer.write(request)
    try:
        line = await reader.readline()
    except ConnectionResetError:
        return 0
    finally:
        writer.close()
    return int(line.split(b" ")[1]) if line else 0


def request(method: str, path: str, *lines: bytes, body: bytes = b"") -> bytes:
    head = [f"{method} {path} HTTP/1.1".encode(), b"host: x", b"content-type: application/json", *lines]
    return b"\r\n".join([*head, b"", body])


def make_length_header(body: bytes) -> bytes:
    return b"content-length: %d" % len(body)


def list_errors(caplog: pytest.LogCaptureFixture) -> Iterable[str]:
    return [line.getMessage() for line in caplog.records if line.levelno >= logging.ERROR or line.exc_info]


@pytest.mark.parametrize("method", METHODS)
async def test_no_method_at_any_address_is_answered_with_5xx(
    method: str, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    async with whole_process(tmp_path) as (url, link):
        paths = [*NOWHERE, *(path.replace(LINK, link) for path in WHERE)]
        bare = await send_requests(url, *(request(method, path) for path in paths))
        loaded = await send_requests(
            url, *(request(method, path, make_length_header(GENUINE), body=GENUINE) for path in paths)
        )
    assert {status for status in (*bare, *loaded) if status >= 500} == set()
    assert list_errors(caplog) == []


@pytest.mark.parametrize("path", [PATH, LINK, "/healthz", "/nowhere"])
async def test_no_header_and_no_chunk_is_answered_with_5xx(
    path: str, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    async with whole_process(tmp_path) as (url, link):
        request_path = path.replace(LINK, link)
        statuses = await send_requests(url, *(request("GET", request_path, line) for line in HEADERS))
        chunked = b"transfer-encoding: chunked"
        statuses += await send_requests(url, *(request("POST", request_path, chunked, body=chunk) for chunk in CHUNKS))
    # nginx answers an unknown transfer encoding with 501, as RFC 9112 says.
    assert {status for status in statuses if status >= 500} <= {501}
    assert list_errors(caplog) == []
