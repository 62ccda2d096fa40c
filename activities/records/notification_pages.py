"""Pages of the notification log that a workflow has moved to the store, and amendments of its record."""

from collections.abc import Sequence
from datetime import datetime

from pydantic import AwareDatetime, BaseModel, ValidationError

from activities.records.rows import StoragePrefix
from activities.records.store import Store
from activities.records.user_texts import apart, together
from workflows.follow_up.record import joined
from workflows.model.notifications import LogPage
from workflows.model.records import Amendment


async def keep(store: Store, workflow_id: str, page: LogPage | None) -> None:
    """Write a page before anything else is done; raises `StoreFailure`."""
    if page is None:
        return
    home = StoragePrefix.of(workflow_id)
    kept = await apart(store, home, page)
    await store.write_page(home, page.name, kept.model_dump_json().encode())


async def pages_of(store: Store, workflow_id: str) -> list[LogPage]:
    """A workflow's pages in order; entries on two pages are equal."""
    home = StoragePrefix.of(workflow_id)
    pages = [LogPage.model_validate_json(one) for one in await store.read_pages(home)]
    return [await together(store, home, page) for page in pages]


async def amendments_of(store: Store, home: StoragePrefix) -> Amendment:
    whole = Amendment(number=0)
    async for some in store.read_amendments(home):
        whole = joined([whole, *map(Amendment.model_validate_json, some)])
    return whole


class OpenedMarks(BaseModel):
    """When it was first opened."""

    at: AwareDatetime


async def mark(store: Store, workflow_id: str, person: str, at: datetime) -> None:
    """Record the first opening; raises `StoreFailure`."""
    await store.mark_opened(StoragePrefix.of(workflow_id), person, OpenedMarks(at=at).model_dump_json().encode())


async def opened_at(store: Store, workflow_id: str, people: Sequence[str]) -> dict[str, datetime]:
    """When each person opened it; raises `StoreFailure`."""
    found = await store.read_opened(StoragePrefix.of(workflow_id), people)
    return {person: at for person, content in zip(people, found, strict=True) if (at := _at(content))}


def _at(content: bytes | None) -> datetime | None:
    try:
        return OpenedMarks.model_validate_json(content).at if content else None
    except ValidationError:
        return None
