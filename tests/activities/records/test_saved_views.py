"""Views that somebody has saved are theirs alone, a limited number, each under one name."""

from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from activities.records.saved_views import VIEWS_AT_MOST, SavedView
from activities.records.store import Store


@pytest.fixture
def store(tmp_path: Path, database_url: str) -> Iterator[Store]:
    with closing(Store(str(tmp_path / "files"), database_url)) as store:
        yield store


async def test_a_name_has_one_view_and_beyond_the_bound_none_is_saved(store: Store) -> None:
    views = store.saved_views
    for number in range(VIEWS_AT_MOST):
        assert await views.save("ada", SavedView(f"{number:02}", "asked"))
    assert not await views.save("ada", SavedView("one more", "asked"))
    assert await views.save("ada", SavedView("00", "asked?status=any"))
    assert await views.save("bob", SavedView("one more", "waiting"))
    found = await views.of("ada")
    assert len(found) == VIEWS_AT_MOST
    assert found[0] == SavedView("00", "asked?status=any")
    await views.remove("ada", "00")
    assert len(await views.of("ada")) == VIEWS_AT_MOST - 1
    await views.erase("ada")
    assert await views.of("ada") == ()
    assert len(await views.of("bob")) == 1
