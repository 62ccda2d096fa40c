"""A kept file by the link of a hand-off target: whole or a range, for as long as the link opens anything."""

import asyncio
import gc
import hashlib
import tracemalloc
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path

import httpx
import pytest
import pytest_asyncio
from pydantic import SecretStr
from starlette.types import ASGIApp, Message

from activities.documents.files import SIGNED
from activities.errors import DocumentDamaged
from activities.hand_off.downloads import DownloadLinks
from activities.keys import KeyRing
from activities.records.downloads import LinkName, Way
from activities.records.evidence import KeptFileName, SignedDocument, SignedFile
from activities.records.store import Store
from starter.config.values import Bind
from starter.web.app import make_app
from starter.web.downloads import AT_ONCE, CALLS_OF_AN_ADDRESS, KeptFileAnswers, TargetDownloads
from starter.web.http.serving import listening
from tests.plain_http import plain_client
from tests.storage import count, take_table_away
from workflows.kinds import Kind

NOW = datetime(2027, 1, 4, 9, tzinfo=UTC)
MSA = Kind.REQUEST.workflow_id("msa-0042")
PDF = b"%PDF-1.7 " + bytes(range(256)) * 4_000
FINANCE = LinkName(MSA, "finance", KeptFileName.DOCUMENT)
BASE = "https://sign.example.com"


def links_of(store: Store, days: int = 7) -> DownloadLinks:
    return DownloadLinks(store, BASE, KeyRing([SecretStr("s" * 32)]), timedelta(days=days))


@dataclass
class Receiver:
    """A target that fetches files from our web process."""

    http: httpx.AsyncClient
    store: Store
    app: ASGIApp
    files: KeptFileAnswers
    now: list[datetime] = field(default_factory=lambda: [NOW])

    async def link(self, name: LinkName = FINANCE, days: int = 7) -> str:
        return (await links_of(self.store, days).link(name, self.now[0])).url.removeprefix(BASE)

    async def get(self, path: str, **headers: str) -> httpx.Response:
        return await self.http.get(path, headers=headers)


@pytest_asyncio.fixture
async def receiver(tmp_path: Path) -> AsyncIterator[Receiver]:
    store, now = Store(str(tmp_path)), [NOW]
    sha256 = await store.files.put(PDF, SIGNED)
    await store.evidence.keep_signed(MSA, SignedDocument(document=SignedFile(sha256, len(PDF))), NOW)
    files = KeptFileAnswers(store, lambda: now[0])
    app = make_app(TargetDownloads(links_of(store), files, lambda: now[0]).routes())
    async with plain_client(transport=httpx.ASGITransport(app), base_url=BASE) as http:
        yield Receiver(http, store, app, files, now)
    store.close()


async def test_the_file_comes_whole_under_a_name_and_is_noted_once(receiver: Receiver) -> None:
    answer = await receiver.get(await receiver.link())
    assert (answer.status_code, answer.content) == (200, PDF)
    assert answer.headers["content-disposition"] == 'attachment; filename="msa-0042-document.pdf"'
    assert answer.headers["content-type"] == "application/pdf"
    assert answer.headers["etag"] == f'"{hashlib.sha256(PDF).hexdigest()}"'
    assert answer.headers["cache-control"] == "no-store"
    [noted] = await receiver.store.downloads.list_downloads(MSA)
    assert (noted.who, noted.way, noted.at) == ("finance", Way.LINK, NOW)
    assert [link.downloads for link in await receiver.store.downloads.links(MSA)] == [1]


@pytest.mark.parametrize(
    ("requested_range", "start", "end"),
    [("bytes=0-0", 0, 1), ("bytes=100-199", 100, 200), ("bytes=1000000-", 1_000_000, None), ("bytes=-7", -7, None)],
)
async def test_a_range_is_answered_with_its_bytes(
    receiver: Receiver, requested_range: str, start: int, end: int | None
) -> None:
    answer = await receiver.get(await receiver.link(), range=requested_range)
    assert (answer.status_code, answer.content) == (206, PDF[start:end])
    first = start % len(PDF)
    assert answer.headers["content-range"] == f"bytes {first}-{first + len(answer.content) - 1}/{len(PDF)}"


@pytest.mark.parametrize(
    "requested_range", ["bytes=0-1,5-9", "bytes=9-1", "bytes=-", "lines=1-2", "bytes=१-", "bytes=0-" + "9" * 99]
)
async def test_what_is_no_range_gets_the_whole_file(receiver: Receiver, requested_range: str) -> None:
    answer = await receiver.http.get(await receiver.link(), headers=[(b"range", requested_range.encode())])
    assert (answer.status_code, answer.content) == (200, PDF)


async def test_a_range_of_another_file_than_the_caller_began_gets_the_whole_file(receiver: Receiver) -> None:
    link = await receiver.link()
    tag = (await receiver.get(link)).headers["etag"]
    assert (await receiver.http.get(link, headers={"range": "bytes=5-", "if-range": tag})).status_code == 206
    for validator in ('"another"', f"W/{tag}", "Wed, 21 Oct 2026 07:28:00 GMT"):
        answer = await receiver.http.get(link, headers={"range": "bytes=5-", "if-range": validator})
        assert (answer.status_code, answer.content) == (200, PDF)


@pytest.mark.parametrize("requested_range", [f"bytes={len(PDF)}-", "bytes=-0"])
async def test_a_range_outside_the_file_is_refused(receiver: Receiver, requested_range: str) -> None:
    answer = await receiver.get(await receiver.link(), range=requested_range)
    assert (answer.status_code, answer.headers["content-range"]) == (416, f"bytes */{len(PDF)}")


async def test_head_says_what_there_is_and_counts_as_no_download(receiver: Receiver) -> None:
    answer = await receiver.http.head(await receiver.link())
    assert (answer.status_code, answer.headers["content-length"]) == (200, str(len(PDF)))
    assert count(receiver.store, "downloads") == 0


async def test_a_link_is_byte_equal_until_it_has_expired(receiver: Receiver) -> None:
    link = await receiver.link()
    receiver.now[0] += timedelta(days=6)
    assert await receiver.link() == link
    receiver.now[0] += timedelta(days=1)
    assert (await receiver.get(link)).status_code == 404
    assert await receiver.link() != link


async def test_a_revoked_link_opens_nothing_and_the_next_is_another(receiver: Receiver) -> None:
    link = await receiver.link()
    await receiver.store.downloads.revoke(MSA, "claimed:legal", receiver.now[0])
    assert (await receiver.get(link)).status_code == 404
    new_link = await receiver.link()
    assert new_link != link
    assert (await receiver.get(new_link)).status_code == 200


async def test_each_target_and_file_has_a_link_of_its_own(receiver: Receiver) -> None:
    names = [FINANCE, FINANCE._replace(target="crm"), FINANCE._replace(file=KeptFileName.SIGNING_LOG)]
    assert len({await receiver.link(name) for name in names}) == 3


async def test_a_file_that_is_not_kept_or_erased_is_told_apart_from_a_link_that_opens_nothing(
    receiver: Receiver,
) -> None:
    log = await receiver.link(FINANCE._replace(file=KeptFileName.SIGNING_LOG))
    assert (await receiver.get(log)).status_code == 404
    link = await receiver.link()
    await receiver.store.files.remove(hashlib.sha256(PDF).hexdigest(), SIGNED)
    assert (await receiver.get(link)).status_code == 410


@pytest.mark.long
async def test_ten_thousand_tokens_that_are_tried_find_nothing_and_soon_are_told_to_wait(receiver: Receiver) -> None:
    answers = [(await receiver.get(f"/download/{number:043}")).status_code for number in range(10_000)]
    assert answers.count(404) == CALLS_OF_AN_ADDRESS.burst
    assert answers.count(429) == 10_000 - CALLS_OF_AN_ADDRESS.burst


@pytest.mark.long
@pytest.mark.parametrize("method", ["HEAD", "GET"])
async def test_a_link_that_is_asked_for_ten_thousand_times_answers_its_allowance_and_keeps_no_memory(
    receiver: Receiver, method: str
) -> None:
    """Also of a link that opens something; what is told of a file costs no place among the downloads."""
    link = await receiver.link()

    async def request_repeatedly(times: int) -> list[int]:
        return [(await receiver.http.request(method, link)).status_code for _ in range(times)]

    answers = await request_repeatedly(CALLS_OF_AN_ADDRESS.burst)
    gc.collect()
    tracemalloc.start()
    try:
        answers += await request_repeatedly(9_000)
        gc.collect()
        bytes_before, _ = tracemalloc.get_traced_memory()
        answers += await request_repeatedly(1_000 - CALLS_OF_AN_ADDRESS.burst)
        gc.collect()
        bytes_after, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert (answers.count(200), answers.count(429)) == (CALLS_OF_AN_ADDRESS.burst, 10_000 - CALLS_OF_AN_ADDRESS.burst)
    assert bytes_after - bytes_before < 100_000 and peak < 5_000_000
    assert count(receiver.store, "downloads") == (1 if method == "GET" else 0)
    assert len(receiver.files.places) == 0
    receiver.now[0] += timedelta(seconds=1)
    assert await request_repeatedly(1) == [200], "who comes later is answered"


@pytest.mark.parametrize("token", ["x", "%00" * 43, "é" * 43, "../etc", "A" * 4_000])
async def test_nonsense_is_not_found(receiver: Receiver, token: str) -> None:
    assert (await receiver.get(f"/download/{token}")).status_code == 404


async def test_while_the_database_is_away_they_are_asked_to_come_again(receiver: Receiver) -> None:
    link = await receiver.link()
    with take_table_away(receiver.store, "download_links"):
        assert (await receiver.get(link)).status_code == 503
    with take_table_away(receiver.store, "downloads"):
        assert (await receiver.get(link)).status_code == 503
    assert (await receiver.get(link)).content == PDF


@pytest.mark.real_server
async def test_a_file_that_is_erased_while_it_is_downloaded_breaks_off_and_never_ends_otherwise(tmp_path: Path) -> None:
    store, large = Store(str(tmp_path)), bytes(range(256)) * 4 * 32_768
    stored = SignedFile(await store.files.put(large, SIGNED), len(large))
    await store.evidence.keep_signed(MSA, SignedDocument(document=stored), NOW)
    link = await links_of(store).link(FINANCE, datetime.now(UTC))
    app, got = make_app(TargetDownloads(links_of(store), KeptFileAnswers(store)).routes()), b""
    async with listening(app, Bind("127.0.0.1", 0)) as url, plain_client(url) as http:
        with pytest.raises(httpx.RemoteProtocolError):
            async with http.stream("GET", link.url.removeprefix(BASE)) as answer:
                async for piece in answer.aiter_bytes():
                    await store.files.remove(stored.sha256, SIGNED)
                    got += piece
        assert (await http.get(link.url.removeprefix(BASE))).status_code == 410
    assert len(got) < len(large) and large.startswith(got)
    store.close()


async def test_downloads_at_the_same_time_are_bounded_and_one_address_has_half_of_them(receiver: Receiver) -> None:
    """Their requests end, and nothing is left of them."""
    link, read, stuck = await receiver.link(), asyncio.Event(), asyncio.Queue[None]()

    async def stalled(message: Message) -> None:
        if message["type"] == "http.response.start":
            statuses.append(message["status"])
        elif message["type"] == "http.response.body":
            stuck.put_nowait(None)
            await read.wait()

    async def silent() -> Message:
        await asyncio.Event().wait()
        raise AssertionError

    async def reader(address: str) -> asyncio.Task[None]:
        base_scope = {"type": "http", "method": "GET", "path": link, "query_string": b"", "headers": []}
        scope = {**base_scope, "client": (address, 1), "asgi": {"spec_version": "2.3"}}

        async def ask() -> None:
            await receiver.app(scope, silent, stalled)

        task = asyncio.create_task(ask())
        await stuck.get()
        return task

    statuses: list[int] = []
    half = AT_ONCE // 2
    readers = [await reader("192.0.2.1") for _ in range(half + 5)]
    readers += [await reader("192.0.2.2") for _ in range(half)]
    readers += [await reader("192.0.2.3") for _ in range(5)]
    assert statuses == [200] * half + [503] * 5 + [200] * half + [503] * 5
    read.set()
    await asyncio.gather(*readers)
    assert len(receiver.files.places) == 0


async def test_ranges_behind_the_first_byte_are_noted_once_as_well(receiver: Receiver) -> None:
    link = await receiver.link()
    for start in (1, 2, 3):
        assert (await receiver.get(link, range=f"bytes={start}-")).status_code == 206
    assert count(receiver.store, "downloads") == 1
    receiver.now[0] += timedelta(minutes=1)
    assert (await receiver.get(link, range="bytes=0-9")).status_code == 206
    assert count(receiver.store, "downloads") == 2


async def test_a_file_that_is_damaged_or_cut_off_in_the_store_never_comes_whole(receiver: Receiver) -> None:
    link = await receiver.link()
    [stored] = (Path(receiver.store.files.root) / SIGNED).iterdir()
    for wrong in (b"%PDF-1.4 another" + PDF[16:], PDF[:1000], b""):
        stored.write_bytes(wrong)
        with pytest.raises((DocumentDamaged, httpx.HTTPError)):
            await receiver.get(link)
    assert len(receiver.files.places) == 0


@pytest.mark.parametrize("requested_range", ["bytes=0-999999999999999", "bytes=-999999999999999", "bytes=0-"])
async def test_a_range_far_beyond_its_end_is_the_whole_file(receiver: Receiver, requested_range: str) -> None:
    answer = await receiver.get(await receiver.link(), range=requested_range)
    assert (answer.status_code, answer.content) == (200, PDF)
