"""Many creations at once that lose their answers: half of them that of the document, half that of the request."""

import asyncio
from collections.abc import Sequence
from typing import NamedTuple

from tests.faults.population import colleague
from tests.faults.town import Town, eventually
from tests.faults.vendor import DOCUMENTS, REQUESTS


class Counted(NamedTuple):
    """What the vendor has of some requests, and how many answers were cut."""

    documents: int
    requests: int
    cut: int


async def cut_one_answer_each(town: Town, names: Sequence[str]) -> None:
    """Every creation takes effect, and one of its two answers is lost."""
    for number, name in enumerate(names):
        path = DOCUMENTS if number % 2 else REQUESTS
        await town.vendor.arm("cut", path, method="POST", contains=f'"{_title(name)}"')


async def start_all(town: Town, names: Sequence[str]) -> None:
    """Start requests of many people at once; all starts are acknowledged."""

    async def start(number: int, name: str) -> None:
        started = await town.ask(name, colleague(number), requester=colleague(number + 7), name=_title(name))
        assert started.created

    await asyncio.gather(*(start(number, name) for number, name in enumerate(names)))


async def until_sent(town: Town, names: Sequence[str], timeout_seconds: float) -> None:
    """Wait until each of the requests waits for its signer at the vendor's and in Temporal."""
    expected_ids = set(names)

    async def all_wait() -> bool:
        return {signer.request for signer in await town.vendor.waiting()} >= expected_ids

    await eventually(all_wait, timeout_seconds)
    await asyncio.gather(*(town.until_shown(name, lambda view: view.notifications, timeout_seconds) for name in names))


async def count_creations(town: Town, names: Sequence[str]) -> Counted:
    """Count at the vendor's."""
    request_ids = set(names)
    documents = [entry for entry in await town.vendor.ledger("document_created") if entry["external_id"] in request_ids]
    request_entries = [
        entry for entry in await town.vendor.ledger("request_created") if entry["external_id"] in request_ids
    ]
    titles = {_title(name) for name in names}
    cut = [
        call
        for call in await town.vendor.ledger("request", fault="cut", method="POST")
        if {call["body"].get("name"), call["body"].get("subject")} & titles
    ]
    return Counted(len(documents), len(request_entries), len(cut))


async def until_made(town: Town, names: Sequence[str]) -> None:
    """Wait until the vendor has a document of each, whatever it answered."""
    request_ids = set(names)

    async def all_made() -> bool:
        return {entry["external_id"] for entry in await town.vendor.ledger("document_created")} >= request_ids

    await eventually(all_made)


def _title(name: str) -> str:
    return f"Contract {name}"
