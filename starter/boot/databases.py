"""The database at the start of processes, and its upgrade."""

from contextlib import closing
from dataclasses import dataclass

from activities.errors import StoreFailure
from activities.records.schema import NEWEST
from starter.boot import clients
from starter.config.settings import Settings
from starter.temporal.search_attributes import SetUp, SetUpResult


@dataclass(frozen=True)
class SchemaUpgrade:
    """`before` is None for a database that had no schema."""

    database: str
    before: str | None
    now: str

    @property
    def sentence(self) -> str:
        if self.before == self.now:
            return f"{self.database} has schema {self.now} already"
        return f"{self.database} has schema {self.now} now" + (f", it had {self.before}" if self.before else "")


async def upgrade(settings: Settings) -> SchemaUpgrade:
    """Bring the database's schema up; raises `StoreFailure`."""
    with closing(clients.store(settings)) as store:
        previous_revision = await store.database.upgrade()
        return SchemaUpgrade(store.database.address, previous_revision, NEWEST)


async def ensure_schema(settings: Settings) -> SetUp:
    """The same, as a part of what is set up."""
    try:
        upgraded = await upgrade(settings)
    except StoreFailure as failure:
        return SetUp("database", SetUpResult.FAILED, str(failure))
    if upgraded.before is None:
        return SetUp("database", SetUpResult.CREATED)
    return SetUp("database", SetUpResult.EXISTS if upgraded.before == upgraded.now else SetUpResult.MENDED)
