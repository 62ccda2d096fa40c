"""Links to kept files are issued once and again only after their end; who downloaded is listed, a bounded number."""

import asyncio
from collections.abc import Iterator
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from activities.records.downloads import DAYS_KEPT, LISTED_AT_MOST, Download, IssuedLink, LinkName, Way
from activities.records.evidence import KeptFileName
from activities.records.starts import Start
from activities.records.store import Store
from workflows.kinds import Kind

NOW = datetime(2027, 1, 4, 9, tzinfo=UTC)
WEEK = timedelta(days=7)
MSA = Kind.REQUEST.workflow_id("msa-0042")
FINANCE = LinkName(MSA, "finance", KeptFileName.DOCUMENT)
FIRST = IssuedLink(1, "hash-1", NOW + WEEK)


@pytest.fixture
def store(tmp_path: Path, database_url: str) -> Iterator[Store]:
    with closing(Store(str(tmp_path / "files"), database_url)) as store:
        yield store


def hashes_of(number: int) -> list[str]:
    return [f"hash-{number}"]


async def test_a_link_is_the_same_until_it_expires_or_is_revoked(store: Store) -> None:
    links = store.downloads
    assert await links.issue(FINANCE, hashes_of, NOW, WEEK) == FIRST
    assert await links.issue(FINANCE, hashes_of, NOW + timedelta(days=6), WEEK) == FIRST
    assert await links.issue(FINANCE, hashes_of, NOW + WEEK, WEEK) == IssuedLink(2, "hash-2", NOW + 2 * WEEK)
    assert await links.find("hash-1") is None
    assert await links.revoke(MSA, "claimed:legal", NOW) == 1
    assert await links.revoke(MSA, "claimed:chief", NOW + WEEK) == 0
    assert await links.find("hash-2") is None
    assert await links.issue(FINANCE, hashes_of, NOW + WEEK, WEEK) == IssuedLink(3, "hash-3", NOW + 2 * WEEK)
    [link] = await links.links(MSA)
    assert (link.revoked_by, link.revoked_at) == ("claimed:legal", NOW)


async def test_workers_that_issue_it_at_once_issue_the_same(store: Store) -> None:
    issued = await asyncio.gather(*(store.downloads.issue(FINANCE, hashes_of, NOW, WEEK) for _ in range(10)))
    assert set(issued) == {FIRST}


async def test_each_download_is_noted_and_counted_for_its_link(store: Store) -> None:
    await store.downloads.issue(FINANCE, hashes_of, NOW, WEEK)
    by_link = Download(NOW, "finance", KeptFileName.DOCUMENT, Way.LINK)
    by_page = Download(NOW + timedelta(hours=1), "chair", KeptFileName.SIGNING_LOG, Way.PAGE)
    await store.downloads.note(MSA, by_link, "hash-1")
    await store.downloads.note(MSA, by_page)
    assert await store.downloads.list_downloads(MSA) == (by_link, by_page)
    [link] = await store.downloads.links(MSA)
    assert (link.target, link.downloads) == ("finance", 1)


async def test_of_ten_times_as_many_the_newest_are_listed_and_old_ones_are_dropped(store: Store) -> None:
    times = [NOW + timedelta(seconds=number) for number in range(3 * LISTED_AT_MOST)]
    for downloaded_at in times:
        await store.downloads.note(MSA, Download(downloaded_at, "chair", KeptFileName.DOCUMENT, Way.DESK))
    assert [download.at for download in await store.downloads.list_downloads(MSA)] == times[-LISTED_AT_MOST:]
    assert await store.downloads.drop(NOW + timedelta(days=DAYS_KEPT, seconds=10)) == 10


async def test_what_is_on_legal_hold_keeps_who_downloaded_it(store: Store) -> None:
    """Also what belongs to a campaign that is."""
    campaign, member = Kind.CAMPAIGN.workflow_id("conduct"), Kind.REQUEST.workflow_id("conduct.ada")
    other_id = Kind.REQUEST.workflow_id("other")
    await store.starts.begin(member, Start("k", "T", ("ada",), "desk", campaign, NOW))
    await store.starts.begin(other_id, Start("k", "T", ("ada",), "desk", None, NOW))
    for workflow_id in (MSA, member, other_id):
        await store.downloads.note(workflow_id, Download(NOW, "chair", KeptFileName.DOCUMENT, Way.DESK))
    for held_id in (MSA, campaign):
        await store.holds.place_hold(held_id, "matter 7", "legal", NOW)
    later = NOW + timedelta(days=DAYS_KEPT + 1)
    assert (await store.downloads.drop(later), await store.downloads.list_downloads(other_id)) == (1, ())
    for held_id in (MSA, campaign):
        await store.holds.release(held_id, "matter 7", "legal", later)
    assert await store.downloads.drop(later) == 2
