"""The secret of the ids of people described in full: it never changes while there are such ids."""

from contextlib import closing

from activities.errors import DatabaseAway, StoreFailure
from activities.keys import id_of_secret
from activities.records.store import Store
from starter.boot import clients
from starter.config.settings import Settings
from starter.errors import Refusal
from starter.temporal.connection import patiently
from starter.temporal.search_attributes import SetUp, SetUpResult

_NAME = "ids of people described in full"


class OtherIds(Refusal):
    """Ids are derived from another secret now."""

    def __init__(self) -> None:
        super().__init__(
            "people described in full would get other ids, and erasure would miss them: set "
            "COUNTERSIGN_PERSON_ID_SECRET to the secret by which their ids were made, the first of "
            "COUNTERSIGN_LINK_SECRETS (or COUNTERSIGN_LINK_SECRET) until now"
        )


async def keep_secret_of_ids(settings: Settings, store: Store) -> SetUpResult:
    """Note in the database by which secret ids are made; raises `OtherIds`, `StoreFailure`."""
    if not settings.secret_of_ids:
        return SetUpResult.EXISTS
    key_id, noted_id = id_of_secret(settings.secret_of_ids).encode(), await store.notes.id_key()
    if noted_id == key_id:
        return SetUpResult.EXISTS
    if noted_id and await store.people.has_any_in_full():
        raise OtherIds
    await store.notes.note_id_key(key_id)
    return SetUpResult.MENDED if noted_id else SetUpResult.CREATED


async def wait_for_database(settings: Settings, store: Store) -> bool:
    """True once the database is reached, which is waited for and logged; raises `SchemaMismatch`, `OtherIds`."""

    async def check() -> None:
        await store.database.check()
        await keep_secret_of_ids(settings, store)

    await patiently("the database", check, DatabaseAway)
    return True


async def ensure_secret_of_ids(settings: Settings) -> SetUp:
    """The same, as a part of what is set up."""
    try:
        with closing(clients.store(settings)) as store:
            return SetUp(_NAME, await keep_secret_of_ids(settings, store))
    except (StoreFailure, OtherIds) as failure:
        return SetUp(_NAME, SetUpResult.FAILED, str(failure))
