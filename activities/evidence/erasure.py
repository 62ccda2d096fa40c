"""What is removed: of a person names, addresses, devices, texts, payloads and cached pages; signed files, once the time
is over for which their kind keeps them. Ids and hashes stay, so that packs that are exported afterwards verify. Nothing
is removed of what a legal hold keeps.
"""

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from activities.documents.files import PICTURES, SIGNED
from activities.records.database import chunks
from activities.records.erasures import Erasure
from activities.records.settled import NAMES
from activities.records.store import Store

PICTURES_AT_ONCE: Final = 500
_REFERENCE: Final = re.compile(r"([a-z0-9-]+)#[0-9a-f]{64}")
STAYS: Final = {
    "ids": "ids of the directory stay by design: records and packs name people by them",
    "signed documents": "the signed files stay: they are contracts; they go once the time of their kind (keep) is over",
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
    """Workflow ids, by id: what was erased now, or would be, what waits for its end, and what waits for the release of
    a hold, with its reason.
    """

    person: str
    erased: tuple[str, ...]
    waiting: tuple[str, ...]
    held: Mapping[str, str]
    devices: int
    dry_run: bool


async def erase(
    store: Store, person: str, actor: str, reason: str, erased_at: datetime, *, dry_run: bool = False
) -> ErasureResult:
    """Erase all that is known of a person; idempotent. What still runs, or is held, is noted, and erased by the day
    after its end or release.
    """
    ended_ids, waiting, reason_by_id, devices = dict[str, None](), dict[str, None](), dict[str, str](), 0
    async for batch in store.erasures.list_ended(person):
        new = [workflow_id for workflow_id in batch if workflow_id not in ended_ids]
        ended_ids |= dict.fromkeys(new)
        reason_by_id |= await store.holds.find_held(new)
        if not dry_run:
            await _carry_out_all(
                store, [Erasure(workflow_id, person, actor, reason, erased_at, erased_at) for workflow_id in new]
            )
    async for batch in store.erasures.running(person):
        waiting |= dict.fromkeys(batch)
        if not dry_run:
            for workflow_id in batch:
                await store.erasures.wait(Erasure(workflow_id, person, actor, reason, erased_at))
    if not dry_run:
        devices = await store.erasures.devices(person)
        await store.absences.erase(person)
        await store.drafts.erase(person)
        await store.database.empty_log()
    erased = tuple(sorted(ended_ids.keys() - reason_by_id.keys()))
    return ErasureResult(person, erased, tuple(waiting), reason_by_id, devices, dry_run)


async def erase_due(store: Store, now: datetime) -> int:
    """Erase what has waited for an end or a release that has come; how many."""
    done_count, position = 0, ("", "")
    while batch := await store.erasures.due(position):
        done_count += await _carry_out_all(store, [erasure._replace(done_at=now) for erasure in batch])
        position = batch[-1].workflow_id, batch[-1].person
    if done_count:
        await store.database.empty_log()
    return done_count


async def remove_due(store: Store, now: datetime) -> int:
    """Remove signed files whose retention is over, unless a legal hold keeps them; of how many requests. Whoever is
    killed in between is followed by the next day.
    """
    done_count = 0
    position: tuple[datetime, str] | None = None
    while batch := await store.evidence.due(now, position):
        free = await store.evidence.give_up([due_files.workflow_id for due_files in batch], now)
        files = {sha256 for due_files in batch if due_files.workflow_id in free for sha256 in due_files.files}
        for sha256 in await store.evidence.nobodys(files):
            await store.files.remove(sha256, SIGNED)
        await store.evidence.are_removed(free)
        done_count, position = done_count + len(free), (batch[-1].keep_until, batch[-1].workflow_id)
    if done_count:
        await store.database.empty_log()
    return done_count


async def carry_out(store: Store, erasure: Erasure) -> bool:
    """Erase what there is by now of a person in what has ended, unless a legal hold keeps it, and what refused starts
    left; idempotent.
    """
    for start in await store.people.refused(erasure.workflow_id):
        await store.forget_input(erasure.workflow_id, start)
    contents = [await store.records.read(erasure.workflow_id), *await store.log_pages.read(erasure.workflow_id)]
    documents = [json.loads(content) for content in contents if content]
    texts = {name for document in documents for name in _texts_of(document, erasure.person)}
    return await store.erasures.carry_out(erasure, texts)


async def _carry_out_all(store: Store, erasures: Sequence[Erasure]) -> int:
    """How many were carried out."""
    done_count = 0
    for batch in chunks(erasures, PICTURES_AT_ONCE):
        ids = [erasure.workflow_id for erasure in batch]
        held_ids = await store.holds.find_held(ids)
        # Pictures first: whoever is killed in between finds them again with what is still to be erased.
        for sha256 in await store.erasures.pictures(
            [workflow_id for workflow_id in ids if workflow_id not in held_ids]
        ):
            await store.files.remove(sha256, PICTURES)
        for erasure in batch:
            done_count += await carry_out(store, erasure)
    return done_count


def _texts_of(value: Any, person: str, *, theirs: bool = False) -> Iterator[str]:
    """Names of the texts in objects that name a person."""
    match value:
        case dict():
            is_theirs = theirs or any(value.get(name) == person for name in NAMES)
            for child in value.values():
                yield from _texts_of(child, person, theirs=is_theirs and not isinstance(child, dict | list))
        case list():
            for child in value:
                yield from _texts_of(child, person)
        case str() if theirs and (reference := _REFERENCE.fullmatch(value)):
            yield reference[1]
