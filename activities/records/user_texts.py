"""Free texts of people as separate objects, erasable while a record stays: questions, answers, reasons; in
`texts/<kind>/<owner>/<id>`. Records and pages have references.
"""

import asyncio
import hashlib
from collections.abc import Awaitable, Callable
from datetime import UTC
from typing import Any, Final, TypeAlias, TypeVar

from activities.errors import TextDamaged
from activities.records.store import Store
from activities.records.texts import Reference
from workflows.model.base import Model
from workflows.model.timeline import AskedQuestion, TimelineEntry
from workflows.model.views import GivenAnswer, SignerLine

ERASED: Final = "(erased)"
DAMAGED: Final = "(damaged)"
"""Shown instead of a damaged text."""

Told = TypeVar("Told", bound=Model)
_SPOKEN: Final = (AskedQuestion, TimelineEntry, SignerLine, GivenAnswer)
_Change: TypeAlias = Callable[[str, str], Awaitable[str]]
"""From a text's name and value to its replacement."""


async def apart(store: Store, workflow_id: str, told: Told) -> Told:
    """Store the texts, and replace them by references; idempotent. Raises `StoreFailure`."""

    async def kept(name: str, text: str) -> str:
        return str(await store.texts.keep(workflow_id, name, text))

    return await _changed(told, kept)


async def together(store: Store, workflow_id: str, told: Told) -> Told:
    """Replace references by texts, as far as not erased; a task's own text was stored separately from the start. Raises
    `StoreFailure`.
    """

    async def found(_: str, word: str) -> str:
        return await words_of(store, workflow_id, word)

    changed = await _changed(told, found)
    alone = {name: value for name, value in vars(changed).items() if isinstance(value, str) and Reference.read(value)}
    return changed.replace(**{name: await words_of(store, workflow_id, value) for name, value in alone.items()})


async def words_of(store: Store, workflow_id: str, word: str) -> str:
    """The text of a reference; other words are returned unchanged, from records before texts were separated."""
    reference = Reference.read(word)
    if reference is None:
        return word
    try:
        text = await store.texts.read(workflow_id, reference)
    except TextDamaged:
        return DAMAGED
    return ERASED if text is None else text


async def _changed(told: Told, change: _Change) -> Told:
    fields = {name: getattr(told, name) for name in type(told).model_fields}
    changed = {name: await _within(value, change) for name, value in fields.items() if _has_words(value)}
    return told.replace(**changed)


def _has_words(value: object) -> bool:
    return isinstance(value[0] if isinstance(value, tuple) and value else value, _SPOKEN)


async def _within(value: Any, change: _Change) -> Any:
    if isinstance(value, tuple):
        return tuple(await asyncio.gather(*(_within(one, change) for one in value)))
    match value:
        case AskedQuestion():
            return await _asked(value, change)
        case SignerLine():
            return await _declined(value, change)
        case GivenAnswer():
            return value.replace(text=value.text and await change("answer-given", value.text))
        case _:
            return await _happened(value, change)


async def _asked(question: AskedQuestion, change: _Change) -> AskedQuestion:
    text = await change(f"question-{question.number}", question.text)
    answer = question.answer
    return question.replace(text=text, answer=answer and await change(f"answer-{question.number}", answer))


async def _declined(line: SignerLine, change: _Change) -> SignerLine:
    return line.replace(reason=line.reason and await change(f"reason-{line.order}", line.reason))


async def _happened(entry: TimelineEntry, change: _Change) -> TimelineEntry:
    if not entry.said or entry.why is None:
        return entry
    what = hashlib.sha256(f"{entry.what}/{entry.who}".encode()).hexdigest()[:8]
    return entry.replace(why=await change(f"{entry.at.astimezone(UTC):%Y%m%dt%H%M%S%f}-{what}", entry.why))
