"""A link that is handed over is used up once, while it is valid: on every database, whoever is first."""

import asyncio
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from activities.records.handed_links import VALID_FOR, HandedLink
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
    await store.handed_links.keep(LINK)
    uses = await asyncio.gather(*(store.handed_links.use(SERIAL, NOW) for _ in range(10)))
    assert sorted(uses) == [False] * 9 + [True]
    assert await store.handed_links.use(SERIAL, NOW) is False


async def test_an_expired_one_and_an_unknown_one_are_not_used(store: Store) -> None:
    await store.handed_links.keep(LINK)
    assert await store.handed_links.use(SERIAL, LINK.expires_at) is False
    assert await store.handed_links.use("cd" * 16, NOW) is False
    assert await store.handed_links.use(SERIAL, LINK.expires_at - timedelta(seconds=1)) is True
