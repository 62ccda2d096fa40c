"""The pages of a ledger: what a request has forgotten, in the store; and what came after its settled record."""

from activities.own_words import apart, together
from activities.store.home import StoragePrefix
from activities.store.store import Store
from workflows.follow_up.record import joined
from workflows.model.notices import LogPage
from workflows.model.records import Amendment


async def keep(store: Store, workflow_id: str, page: LogPage | None) -> None:
    """Write a page before anything else is done; raises `StoreFailure`."""
    if page is None:
        return
    home = StoragePrefix.of(workflow_id)
    kept = await apart(store, home, page)
    await store.write_page(home, page.name, kept.model_dump_json().encode())


async def pages_of(store: Store, workflow_id: str) -> list[LogPage]:
    """All pages of a workflow in their order; what is in two of them is the same in both."""
    home = StoragePrefix.of(workflow_id)
    pages = [LogPage.model_validate_json(one) for one in await store.read_pages(home)]
    return [await together(store, home, page) for page in pages]


async def amendments_of(store: Store, home: StoragePrefix) -> Amendment:
    """All that came after the settled record, as one amendment, however many there are."""
    whole = Amendment(number=0)
    async for some in store.read_amendments(home):
        whole = joined([whole, *map(Amendment.model_validate_json, some)])
    return whole
