from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest

from activities.records.store import Store
from tests.starter.web.scim.directory import PushingDirectory, pushing


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    store = Store(str(tmp_path))
    yield store
    store.close()


@pytest.fixture
async def directory(store: Store) -> AsyncIterator[PushingDirectory]:
    async with pushing(store) as pushing_directory:
        yield pushing_directory
