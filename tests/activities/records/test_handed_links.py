"""A link that is handed over is used up once, while it is valid: on every database, whoever is first."""

import asyncio
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from activities.records.handed_links import OF_A_SIGNER_AT_MOST, VALID_FOR, HandedLink
from activities.records.store import Store

NOW = datetime(2026, 12, 2, 9, tzinfo=UTC)
SERIAL = "ab" * 16
LINK = HandedLink(SERIAL, "signature-request:r", "ada", NOW + VALID_FOR)


@pytest.fixture
def store(tmp_path: Path, database_url: str) -> Iterator[Store]:
    opened = Store(str(tmp_path), database_url)
    yield opened
    opened.close()


async def test_of_ten_who_press_at_once_one_uses_it(store: Store) -> None:
    await store.handed_links.reserve(LINK, NOW)
    uses = await asyncio.gather(*(store.handed_links.use(SERIAL, NOW) for _ in range(10)))
    assert sorted(uses) == [False] * 9 + [True]
    assert await store.handed_links.use(SERIAL, NOW) is False


async def test_an_expired_one_and_an_unknown_one_are_not_used(store: Store) -> None:
    await store.handed_links.reserve(LINK, NOW)
    assert await store.handed_links.use(SERIAL, LINK.expires_at) is False
    assert await store.handed_links.use("cd" * 16, NOW) is False
    assert await store.handed_links.use(SERIAL, LINK.expires_at - timedelta(seconds=1)) is True


async def test_of_ten_times_the_bound_at_once_so_many_are_kept(store: Store) -> None:
    links = [LINK._replace(serial=f"{number:032x}") for number in range(10 * OF_A_SIGNER_AT_MOST)]
    kept = await asyncio.gather(*(store.handed_links.reserve(link, NOW) for link in links))
    assert sum(link is not None for link in kept) == OF_A_SIGNER_AT_MOST
    last = next(link for link in kept if link)
    assert await store.handed_links.reserve(last, NOW) == last, "the same once more"
    await store.handed_links.withdraw(last.serial)
    assert await store.handed_links.reserve(last, NOW) == last
    others = [LINK._replace(serial="cd" * 16, person="ben"), LINK._replace(serial="ef" * 16)]
    assert await store.handed_links.reserve(others[0], NOW) is not None, "another signer has their own"
    assert await store.handed_links.reserve(others[1], LINK.expires_at) is not None, "a day later"
