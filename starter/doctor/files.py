"""The files people write, the directory and the catalogue; and the store of what we write."""

import asyncio
from pathlib import Path

from activities.person import PeopleFile
from activities.policies.catalogue import Catalogue
from activities.store import Store
from starter.doctor.health import Part, doubtful, fine, wrong


async def people(path: Path | None, oncall: str = "") -> Part:
    """Whether the people file can be used, has the person on call, and whether all in it can be reached by push."""
    if path is None:
        return wrong("people", "set COUNTERSIGN_PEOPLE to the people file")
    file = await asyncio.to_thread(PeopleFile.read, path)
    if oncall and oncall not in {person.id for person in file.people}:
        return wrong("people", f"{path} has no {oncall}, who is to be told of trouble (COUNTERSIGN_ONCALL)")
    without = sum(1 for person in file.people if not person.devices)
    says = f"{path}: {len(file.people)} people"
    return (
        doubtful("people", f"{says}, {without} without a device (they get mail only)")
        if without
        else fine("people", says)
    )


async def store(url: str) -> Part:
    """Whether documents and records can be kept, and who can see them."""
    kept = Store(url)
    await kept.check()
    shared = "; processes on other machines need a shared one" if kept.local else ""
    return fine("store", f"{kept.address} is written, read and listed{shared}")


async def policies(path: Path) -> Part:
    """Whether the catalogue can be used."""
    catalogue = await asyncio.to_thread(Catalogue.read, path)
    return fine("policies", f"{path}: {len(catalogue.kinds)} kinds")
