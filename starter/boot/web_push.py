"""The key that web pushes are signed with."""

from contextlib import closing
from datetime import UTC, datetime

from activities.errors import StoreFailure
from activities.people.subscriptions import make_web_push_key
from starter.boot import clients
from starter.config.settings import Settings
from starter.temporal.search_attributes import SetUp, SetUpResult

_NAME = "key of web push"


async def ensure_web_push_key(settings: Settings, *, is_rotated: bool = False) -> SetUp:
    """Make the key in the database unless there is one, or the next one."""
    try:
        with closing(clients.store(settings)) as store:
            made = await store.web_push_keys.add(make_web_push_key(), datetime.now(UTC), unless_any=not is_rotated)
    except StoreFailure as failure:
        return SetUp(_NAME, SetUpResult.FAILED, str(failure))
    return SetUp(_NAME, SetUpResult.CREATED if made else SetUpResult.EXISTS)
