"""Checks the people that a command names before anything is sent."""

from activities.people.directory import DirectoryFailure, UnknownPerson, askers
from activities.people.ids import stands_in_full
from activities.records.store import Store
from starter.boot import clients
from starter.config.settings import Settings
from starter.errors import Refusal
from starter.queries import commands


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


async def refuse_outsider(settings: Settings, store: Store, id: str, asker: str) -> None:
    """Refuse somebody who is not of the group that asks; everybody without a readable people file."""
    try:
        members = await askers(clients.directory(settings, store), asker)
    except DirectoryFailure as failure:
        raise Refusal(f"nothing was changed: {failure}") from None
    commands.refuse_outsider(id, asker, members)


async def refuse_own(settings: Settings, store: Store, actor: str, asker: str) -> None:
    """Refuse an exemption by one of those who ask; nobody without a people file."""
    if settings.people is not None:
        commands.refuse_own(actor, await askers(clients.directory(settings, store), asker))
