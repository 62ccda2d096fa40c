"""A download is a stream: what is in memory does not grow with the file."""

import hashlib
import tracemalloc
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import httpx
import pytest

from activities.core_signature.downloads import MEGABYTE, DocumentDownloads, FileRefused
from activities.core_signature.wire import WireFile
from activities.documents.files import SIGNED, UNFINISHED, Files
from activities.errors import StoreAway
from activities.http.client import make_client
from activities.http.transport import Guard

PIECE, PIECES = b"%PDF" + b"x" * 65_532, 320
LINK = "http://127.0.0.1:9/dl/secret/document.pdf"
SHA256 = hashlib.sha256(PIECE * PIECES).hexdigest()


async def body() -> AsyncIterator[bytes]:
    for _ in range(PIECES):
        yield PIECE


@asynccontextmanager
async def open_downloads(folder: Path, limit_megabytes: int = 40) -> AsyncIterator[DocumentDownloads]:
    """Of a host that gives 20 MB."""
    transport = httpx.MockTransport(lambda _: httpx.Response(200, content=body()))
    async with make_client(limit_bytes=(limit_megabytes + 1) * MEGABYTE, transport=transport) as client:
        yield DocumentDownloads(client, Guard(("127.0.0.1:9",)), Files(str(folder)), limit_megabytes * MEGABYTE)


async def test_20_mb_pass_through_less_than_2_mb_of_memory(tmp_path: Path) -> None:
    async with open_downloads(tmp_path) as document_downloads:
        tracemalloc.start()
        try:
            kept_file = await document_downloads.fetch(WireFile(pdf=LINK, security_hash=SHA256), 60)
            _, peak = tracemalloc.get_traced_memory()
        finally:
            tracemalloc.stop()
    assert (kept_file.sha256, kept_file.bytes) == (SHA256, len(PIECE) * PIECES)
    assert peak < 2 * MEGABYTE
    assert (tmp_path / SIGNED / SHA256).stat().st_size == kept_file.bytes


@pytest.mark.parametrize(
    ("file", "message"),
    [
        (WireFile(pdf=LINK), "is not ready"),
        (WireFile(security_hash=SHA256), "is not ready"),
        (WireFile(pdf=LINK, security_hash="nonsense"), "is not ready"),
        (WireFile(pdf="https://evil.example/x", security_hash=SHA256), "must not be called"),
        (WireFile(pdf="file:///etc/passwd", security_hash=SHA256), "must not be called"),
        (WireFile(pdf="http://127.0.0.1:99/x", security_hash=SHA256), "must not be called"),
        (WireFile(pdf=LINK, security_hash="0" * 64), "not the SHA-256"),
    ],
)
async def test_what_cannot_be_kept_is_refused_without_its_link(file: WireFile, message: str, tmp_path: Path) -> None:
    async with open_downloads(tmp_path) as document_downloads:
        with pytest.raises(FileRefused, match=message) as refused:
            await document_downloads.fetch(file, 60)
    assert "secret" not in str(refused.value) and "evil" not in str(refused.value)
    assert not (tmp_path / SIGNED).exists()


async def test_ten_times_the_bound_is_refused_at_the_bound(tmp_path: Path) -> None:
    async with open_downloads(tmp_path, limit_megabytes=2) as document_downloads:
        with pytest.raises(FileRefused, match="more than 2 MB"):
            await document_downloads.fetch(WireFile(pdf=LINK, security_hash=SHA256), 60)
    assert list((tmp_path / UNFINISHED).iterdir()) == []


async def test_a_store_that_takes_nothing_is_away_and_not_the_provider_s_fault(tmp_path: Path) -> None:
    (tmp_path / UNFINISHED).write_text("no folder")
    async with open_downloads(tmp_path) as document_downloads:
        with pytest.raises(StoreAway):
            await document_downloads.fetch(WireFile(pdf=LINK, security_hash=SHA256), 60)
