"""Whether somebody whom a command names is in the people file, before anything is sent."""

import re

from activities.people.directory import DirectoryFailure, UnknownPerson
from activities.people.person import IN_FULL_IN_TABLE, stands_in_full
from activities.records.store import Store
from starter.boot import clients
from starter.config.settings import Settings
from starter.errors import Refusal


async def refuse_stranger(settings: Settings, store: Store, id: str) -> None:
    """Refuse somebody who is to be asked and is not there: a name in a timeline stays in it for ever.

    Where the people file is not at hand, or cannot be read, the worker finds that out.
    """
    if settings.people is None or stands_in_full(id) or re.fullmatch(IN_FULL_IN_TABLE, id):
        return
    try:
        await clients.directory(settings, store).person(id)
    except UnknownPerson as unknown:
        raise Refusal(f"nothing was changed: {unknown}") from None
    except DirectoryFailure:
        return
