"""Checks the people that a command names before anything is sent."""

from activities.people.directory import DirectoryFailure, UnknownPerson
from activities.people.ids import position_of, stands_in_full
from activities.records.store import Store
from starter.boot import clients
from starter.config.settings import Settings
from starter.errors import Refusal
from starter.queries.lookup import look_at
from starter.temporal.connection import Context
from workflows.kinds import WorkflowName


async def refuse_stranger(settings: Settings, store: Store, id: str) -> None:
    """Refuse an unknown person, whose name would stay in a timeline. Without a readable people file the worker finds
    out.
    """
    if settings.people is None or stands_in_full(id):
        return
    try:
        await clients.directory(settings, store).person(id)
    except UnknownPerson as unknown:
        raise Refusal(f"nothing was changed: {unknown}") from None
    except DirectoryFailure:
        return


async def at_position(context: Context, what: WorkflowName, word: str) -> str:
    """The id at the position of `signer-2`; other words unchanged."""
    position = position_of(word)
    if position is None:
        return word
    shown = await look_at(context.client, context.store, what)
    ids = shown.people_in_file
    return ids[position - 1] if 0 < position <= len(ids) else word
