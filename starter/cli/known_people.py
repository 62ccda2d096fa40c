"""Whom a command names: whether they are in the people file, and who stands at a position, before anything is sent."""

from activities.people.directory import DirectoryFailure, UnknownPerson
from activities.people.ids import position_of, stands_in_full
from activities.records.store import Store
from starter.boot import clients
from starter.boot.context import Context
from starter.config.settings import Settings
from starter.errors import Refusal
from starter.queries.lookup import look_at
from workflows.kinds import WorkflowName


async def refuse_stranger(settings: Settings, store: Store, id: str) -> None:
    """Refuse somebody who is to be asked and is not there: a name in a timeline stays in it for ever.

    Where the people file is not at hand, or cannot be read, the worker finds that out.
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
    """The id of whoever stands at the position of a file that `signer-2` names; any other word as it is."""
    position = position_of(word)
    if position is None:
        return word
    shown = await look_at(context.client, context.store, what)
    ids = shown.people_in_file
    return ids[position - 1] if 0 < position <= len(ids) else word
