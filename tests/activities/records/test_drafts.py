"""A draft is its author's alone, for 30 days; its files go with it, unless another draft has the same."""

from collections.abc import Iterator
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from activities.errors import DocumentMissing
from activities.records import drafts as records
from activities.records.drafts import DRAFTS_AT_MOST, Draft, TooManyDrafts
from activities.records.store import Store

NOW = datetime(2027, 1, 4, 9, tzinfo=UTC)
LATER = NOW + timedelta(days=1)
CONTENT = {"kind": "nda", "document": {"file": "nda.pdf"}, "signers": [{"person": "bob", "order": 1}]}


@pytest.fixture
def store(tmp_path: Path, database_url: str) -> Iterator[Store]:
    with closing(Store(str(tmp_path / "files"), database_url)) as store:
        yield store


def a_draft(id: str = "a" * 12, author: str = "ada") -> Draft:
    return Draft(id, author, "request", {}, 0, NOW)


async def begin_with_file(store: Store, draft: Draft) -> Draft:
    """Kept, with a file."""
    await store.drafts.begin(draft)
    filled = draft._replace(content=CONTENT, files={"nda.pdf": await store.drafts.put(b"%PDF-1.7")})
    assert await store.drafts.save(filled, NOW)
    stored_draft = await store.drafts.read(draft.id, draft.author)
    assert stored_draft is not None
    return stored_draft


async def nobody_has_left(_: str) -> bool:
    return False


async def test_a_draft_is_read_by_its_author_alone(store: Store) -> None:
    draft = await begin_with_file(store, a_draft())
    assert (draft.content, draft.version, draft.changed_at, draft.started) == (CONTENT, 1, NOW, None)
    assert await store.drafts.content(draft.files["nda.pdf"]) == b"%PDF-1.7"
    assert await store.drafts.read(draft.id, "bob") is None
    assert [listed_draft.id for listed_draft in await store.drafts.list_drafts("ada")] == [draft.id]
    assert await store.drafts.list_drafts("bob") == ()


async def test_of_two_windows_the_second_does_not_overwrite_what_the_first_has_changed(store: Store) -> None:
    draft = await begin_with_file(store, a_draft())
    assert await store.drafts.save(draft._replace(content={"kind": "offer"}), LATER)
    assert not await store.drafts.save(draft, LATER)
    assert not await store.drafts.save(draft._replace(author="bob", version=2), LATER)
    stored_draft = await store.drafts.read(draft.id, "ada")
    assert stored_draft is not None and (stored_draft.content, stored_draft.version) == ({"kind": "offer"}, 2)


async def test_what_was_sent_is_empty_and_says_what_came_of_it(store: Store) -> None:
    draft = await begin_with_file(store, a_draft())
    await store.drafts.sent(draft, "signature-request:nda-1", LATER)
    stored_draft = await store.drafts.read(draft.id, "ada")
    assert stored_draft is not None and (stored_draft.content, stored_draft.files, stored_draft.started) == (
        {},
        {},
        "signature-request:nda-1",
    )
    assert await store.drafts.list_drafts("ada") == ()
    assert not await store.drafts.save(stored_draft, LATER)
    with pytest.raises(DocumentMissing):
        await store.drafts.content(draft.files["nda.pdf"])


async def test_a_file_stays_for_as_long_as_a_draft_names_it(store: Store) -> None:
    first, second = await begin_with_file(store, a_draft()), await begin_with_file(store, a_draft("b" * 12, "bob"))
    await store.drafts.discard(first.id, "bob")
    assert await store.drafts.read(first.id, "ada") is not None
    await store.drafts.discard(first.id, "ada")
    assert await store.drafts.content(second.files["nda.pdf"]) == b"%PDF-1.7"
    await store.drafts.save(second._replace(files={}), LATER)
    with pytest.raises(DocumentMissing):
        await store.drafts.content(second.files["nda.pdf"])


async def test_after_thirty_days_and_of_somebody_who_left_it_goes(store: Store) -> None:
    async def bob_has_left(author: str) -> bool:
        return author == "bob"

    for number, author in enumerate(("ada", "bob", "zoe")):
        await begin_with_file(store, a_draft(f"{number:012d}", author))
    assert await store.drafts.drop(NOW + timedelta(days=30), bob_has_left) == 1
    assert await store.drafts.read("1".rjust(12, "0"), "bob") is None
    assert await store.drafts.drop(NOW + timedelta(days=30, seconds=1), nobody_has_left) == 2
    assert await store.drafts.list_drafts("ada") == await store.drafts.list_drafts("zoe") == ()


async def test_beyond_the_bound_nobody_begins_another_one(store: Store) -> None:
    for number in range(DRAFTS_AT_MOST):
        await store.drafts.begin(a_draft(f"{number:012x}"))
    for number in range(DRAFTS_AT_MOST, 10 * DRAFTS_AT_MOST):
        with pytest.raises(TooManyDrafts):
            await store.drafts.begin(a_draft(f"{number:012x}"))
    await store.drafts.begin(a_draft("f" * 12, "bob"))


async def test_all_authors_are_asked_for_and_a_sweep_ends(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    async def has_left(_: str) -> bool:
        return True

    monkeypatch.setattr(records, "DROPPED_AT_MOST", 2)
    for number in range(20):
        await store.drafts.begin(a_draft(f"{number:012x}", f"author-{number:02}"))
    assert await store.drafts.drop(NOW, has_left) == 20
    assert await store.drafts.drop(NOW + timedelta(days=60), nobody_has_left) == 0
