"""Who has opened what they were asked, and when: marked by the button of our page, which no scanner presses."""

from collections.abc import Sequence
from datetime import datetime

from pydantic import AwareDatetime, BaseModel, ValidationError

from activities.store.home import StoragePrefix
from activities.store.store import Store


class OpenedMarks(BaseModel):
    """The first time."""

    at: AwareDatetime


async def mark(store: Store, workflow_id: str, person: str, at: datetime) -> None:
    """Keep that somebody opened it; a later time changes nothing. Raises `StoreFailure`."""
    await store.mark_opened(StoragePrefix.of(workflow_id), person, OpenedMarks(at=at).model_dump_json().encode())


async def opened_at(store: Store, workflow_id: str, people: Sequence[str]) -> dict[str, datetime]:
    """When each of these opened it, of those who did. Raises `StoreFailure`."""
    found = await store.read_opened(StoragePrefix.of(workflow_id), people)
    return {person: at for person, content in zip(people, found, strict=True) if (at := _at(content))}


def _at(content: bytes | None) -> datetime | None:
    try:
        return OpenedMarks.model_validate_json(content).at if content else None
    except ValidationError:
        return None
