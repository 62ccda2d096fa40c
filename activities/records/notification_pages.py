"""Pages of the notification log that a workflow has moved to the store, and amendments of its record."""

from activities.records.store import Store
from activities.records.user_texts import apart, together
from workflows.follow_up.record import joined
from workflows.model.notifications import LogPage
from workflows.model.records import Amendment


async def keep(store: Store, workflow_id: str, page: LogPage | None) -> None:
    """Write a page before anything else is done; raises `StoreFailure`."""
    if page is None:
        return
    kept = await apart(store, workflow_id, page)
    await store.log_pages.write(workflow_id, page.name, kept.model_dump_json().encode())


async def pages_of(store: Store, workflow_id: str) -> list[LogPage]:
    """A workflow's pages in order; entries on two pages are equal."""
    pages = [LogPage.model_validate_json(one) for one in await store.log_pages.read(workflow_id)]
    return [await together(store, workflow_id, page) for page in pages]


async def amendments_of(store: Store, workflow_id: str) -> Amendment:
    whole = Amendment(number=0)
    async for some in store.records.amendments(workflow_id):
        whole = joined([whole, *map(Amendment.model_validate_json, some)])
    return whole
