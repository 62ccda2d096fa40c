"""A token is known by its hash alone, until it is revoked; its name is nobody else's."""

from collections.abc import Iterator
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path

import pytest

from activities.records import tokens as records
from activities.records.schema import TOKENS
from activities.records.store import Store
from activities.records.tokens import PREFIX, NameTaken, TokenRow, TooManyTokens

NOW = datetime(2027, 1, 4, 9, tzinfo=UTC)
LATER = datetime(2027, 1, 5, 9, tzinfo=UTC)
MAY = ("start:offer-letter", "read")


@pytest.fixture
def store(tmp_path: Path, database_url: str) -> Iterator[Store]:
    with closing(Store(str(tmp_path / "files"), database_url)) as store:
        yield store


async def test_a_token_is_found_until_it_is_revoked(store: Store) -> None:
    token = await store.tokens.make("crm", MAY, "ada@host", NOW)
    assert token.startswith(PREFIX)
    assert await store.tokens.find(token) == TokenRow("crm", MAY, NOW, "ada@host", None, None)
    assert await store.tokens.find(token + "x") is None
    await store.tokens.used("crm", LATER)
    assert await store.tokens.revoke("crm", LATER)
    assert not await store.tokens.revoke("crm", LATER)
    assert await store.tokens.find(token) is None
    assert await store.tokens.all() == (TokenRow("crm", MAY, NOW, "ada@host", LATER, LATER),)


async def test_nothing_of_a_token_is_stored_but_its_hash(store: Store) -> None:
    token = await store.tokens.make("crm", MAY, "ada@host", NOW)
    [row] = await store.database.rows(TOKENS.select())
    assert token.removeprefix(PREFIX) not in str(row)


async def test_a_name_is_given_anew_once_it_was_revoked(store: Store) -> None:
    first = await store.tokens.make("crm", MAY, "ada@host", NOW)
    with pytest.raises(NameTaken, match="revoke it first"):
        await store.tokens.make("crm", MAY, "ada@host", NOW)
    await store.tokens.revoke("crm", NOW)
    second = await store.tokens.make("crm", ("read",), "bob@host", LATER)
    assert await store.tokens.find(first) is None
    assert await store.tokens.find(second) == TokenRow("crm", ("read",), LATER, "bob@host", None, None)


async def test_beyond_the_bound_no_token_is_made(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(records, "TOKENS_AT_MOST", 2)
    for number in range(2):
        await store.tokens.make(f"crm-{number}", MAY, "ada@host", NOW)
    for number in range(2, 20):
        with pytest.raises(TooManyTokens):
            await store.tokens.make(f"crm-{number}", MAY, "ada@host", NOW)
    await store.tokens.revoke("crm-0", NOW)
    await store.tokens.make("crm-0", MAY, "ada@host", NOW)
    assert len(await store.tokens.all()) == 2
