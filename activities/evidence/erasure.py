"""Erasing a person: names, addresses, devices, texts, payloads, cached pages. Ids and hashes stay, so that packs that
are exported afterwards verify.
"""

import json
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from activities.documents.files import PICTURES
from activities.records.database import chunks
from activities.records.erasures import Erasure
from activities.records.settled import NAMES
from activities.records.store import Store

PICTURES_AT_ONCE: Final = 500
_REFERENCE: Final = re.compile(r"([a-z0-9-]+)#[0-9a-f]{64}")
STAYS: Final = {
    "ids": "ids of the directory stay by design: records and packs name people by them",
    "signed documents": "the signed files stay: they are contracts; no retention time is set here",
    "the provider": "Core Signature keeps its documents and signers: erase them there",
    "Temporal": "histories have names only where a file described somebody in full; they go with the retention",
    "hand-offs": "what was handed off, and files that were downloaded, are at others",
    "packs": "packs that were exported before are whole; those made from now on lack what was erased",
    "the people file": "it is yours: take the person out of it",
    "yearly campaigns": "what a year opens with is yours: give it again without the person",
}
"""What cannot be erased here, and why."""


@dataclass(frozen=True)
class ErasureResult:
    """Workflow ids, by id: what was erased now, or would be, and what waits for its end."""

    person: str
    erased: tuple[str, ...]
    waiting: tuple[str, ...]
    devices: int
    dry_run: bool


async def erase(
    store: Store, person: str, by: str, reason: str, at: datetime, *, dry_run: bool = False
) -> ErasureResult:
    """Erase all that is known of a person; idempotent. What still runs is noted, and erased once it has ended."""
    ended, waiting, devices = dict[str, None](), list[str](), 0
    async for some in store.erasures.ended(person):
        new = [one for one in some if one not in ended]
        ended |= dict.fromkeys(new)
        if not dry_run:
            await _carry_out_all(store, [Erasure(one, person, by, reason, at, at) for one in new])
    async for some in store.erasures.running(person):
        waiting += some
        if not dry_run:
            for workflow_id in some:
                await store.erasures.wait(Erasure(workflow_id, person, by, reason, at))
    if not dry_run:
        devices = await store.erasures.devices(person)
        await store.absences.erase(person)
    return ErasureResult(person, tuple(sorted(ended)), tuple(waiting), devices, dry_run)


async def _carry_out_all(store: Store, erasures: Sequence[Erasure]) -> None:
    for erasure in erasures:
        await carry_out(store, erasure)
    for some in chunks([one.workflow_id for one in erasures], PICTURES_AT_ONCE):
        for sha256 in await store.erasures.pictures(some):
            await store.files.remove(sha256, PICTURES)


async def erase_due(store: Store, now: datetime) -> int:
    """Erase what has waited for an end that has come; how many."""
    done, after = 0, ("", "")
    while some := await store.erasures.due(after):
        await _carry_out_all(store, [one._replace(done_at=now) for one in some])
        done, after = done + len(some), (some[-1].workflow_id, some[-1].person)
    return done


async def carry_out(store: Store, erasure: Erasure) -> None:
    """Erase what there is by now of a person in what has ended; idempotent."""
    contents = [await store.records.read(erasure.workflow_id), *await store.log_pages.read(erasure.workflow_id)]
    said = [json.loads(content) for content in contents if content]
    texts = {name for one in said for name in _texts_of(one, erasure.person)}
    await store.erasures.carry_out(erasure, texts)


def _texts_of(value: Any, person: str, *, theirs: bool = False) -> Iterator[str]:
    """Names of the texts in objects that name a person."""
    match value:
        case dict():
            own = theirs or any(value.get(name) == person for name in NAMES)
            for one in value.values():
                yield from _texts_of(one, person, theirs=own and not isinstance(one, dict | list))
        case list():
            for one in value:
                yield from _texts_of(one, person)
        case str() if theirs and (found := _REFERENCE.fullmatch(value)):
            yield found[1]
