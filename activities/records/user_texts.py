"""Free texts of people, apart and erasable while a record stays: questions, answers, reasons. Records, their amendments
and the pages of the notification log that a workflow has moved here have references.
"""

import hashlib
from collections.abc import Callable, Iterable, Mapping
from datetime import UTC
from typing import Any, Final, TypeAlias, TypeVar

from activities.records.store import Store
from activities.records.texts import Reference
from workflows.follow_up.record import joined
from workflows.model.base import Model
from workflows.model.notifications import LogPage
from workflows.model.records import Amendment
from workflows.model.timeline import AskedQuestion, TimelineEntry
from workflows.model.views import GivenAnswer, ReviewLine, SignerLine

ERASED: Final = "(erased)"
DAMAGED: Final = "(damaged)"
"""Shown instead of a damaged text."""

Told = TypeVar("Told", bound=Model)
_SPOKEN: Final = (AskedQuestion, TimelineEntry, SignerLine, GivenAnswer)
_Change: TypeAlias = Callable[[str, str], str]
"""From a text's name and value to its replacement."""


async def apart(store: Store, workflow_id: str, told: Told) -> Told:
    """Store the texts, and replace them by references; idempotent. Raises `StoreFailure`."""
    kept = await store.texts.keep_many(workflow_id, _texts_of(told))
    return _changed(told, lambda name, text: str(kept[name, text]))


async def together(store: Store, workflow_id: str, told: Told) -> Told:
    """Replace references by texts, as far as not erased; a task's own text was stored separately from the start. Raises
    `StoreFailure`.
    """
    alone = {name: value for name, value in vars(told).items() if isinstance(value, str)}
    words = await words_of_all(store, workflow_id, [*alone.values(), *(word for _, word in _texts_of(told))])
    changed = _changed(told, lambda _, word: words[word])
    return changed.replace(**{name: words[value] for name, value in alone.items() if words[value] != value})


async def words_of_all(store: Store, workflow_id: str, words: Iterable[str]) -> Mapping[str, str]:
    """The texts of references; other words are returned unchanged, from records before texts were separated."""
    references = {word: Reference.read(word) for word in words}
    found = await store.texts.read_many(workflow_id, [one for one in references.values() if one])
    return {word: _shown(found, one) if one else word for word, one in references.items()}


async def words_of(store: Store, workflow_id: str, word: str) -> str:
    """The text of one."""
    return (await words_of_all(store, workflow_id, [word]))[word]


async def keep_page(store: Store, workflow_id: str, page: LogPage | None) -> None:
    """Write a page before anything else is done; raises `StoreFailure`."""
    if page is None:
        return
    kept = await apart(store, workflow_id, page)
    await store.log_pages.write(workflow_id, page.name, kept.model_dump_json().encode())


async def pages_of(store: Store, workflow_id: str) -> list[LogPage]:
    """A workflow's pages in order; entries on two pages are equal."""
    pages = [LogPage.model_validate_json(one) for one in await store.log_pages.read(workflow_id)]
    return [await together(store, workflow_id, page) for page in pages]


async def amendments_of(store: Store, workflow_id: str) -> Amendment:
    """All of its record's in one."""
    whole = Amendment(number=0)
    async for some in store.records.amendments(workflow_id):
        whole = joined([whole, *map(Amendment.model_validate_json, some)])
    return whole


def _shown(found: Mapping[Reference, str | None], reference: Reference) -> str:
    text = found.get(reference, DAMAGED)
    return ERASED if text is None else text


def _texts_of(told: Model) -> list[tuple[str, str]]:
    texts: list[tuple[str, str]] = []

    def note(name: str, text: str) -> str:
        texts.append((name, text))
        return text

    _changed(told, note)
    return texts


def _changed(told: Told, change: _Change) -> Told:
    fields = {name: getattr(told, name) for name in type(told).model_fields}
    return told.replace(**{name: _within(value, change) for name, value in fields.items() if _has_words(value)})


def _has_words(value: object) -> bool:
    return isinstance(value[0] if isinstance(value, tuple) and value else value, _SPOKEN)


def _within(value: Any, change: _Change) -> Any:
    if isinstance(value, tuple):
        return tuple(_within(one, change) for one in value)
    match value:
        case AskedQuestion():
            return _asked(value, change)
        case ReviewLine():
            name = f"review-{value.round}-{value.order}"
            return value.replace(reason=value.reason and change(name, value.reason))
        case SignerLine():
            return _declined(value, change)
        case GivenAnswer():
            return value.replace(text=value.text and change("answer-given", value.text))
        case _:
            return _happened(value, change)


def _asked(question: AskedQuestion, change: _Change) -> AskedQuestion:
    text = change(f"question-{question.number}", question.text)
    answer = question.answer
    return question.replace(text=text, answer=answer and change(f"answer-{question.number}", answer))


def _declined(line: SignerLine, change: _Change) -> SignerLine:
    return line.replace(reason=line.reason and change(f"reason-{line.order}", line.reason))


def _happened(entry: TimelineEntry, change: _Change) -> TimelineEntry:
    if not entry.said or entry.why is None:
        return entry
    what = hashlib.sha256(f"{entry.what}/{entry.who}".encode()).hexdigest()[:8]
    return entry.replace(why=change(f"{entry.at.astimezone(UTC):%Y%m%dt%H%M%S%f}-{what}", entry.why))
