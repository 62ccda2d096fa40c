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

HeardFacts = TypeVar("HeardFacts", bound=Model)
_SPOKEN: Final = (AskedQuestion, TimelineEntry, SignerLine, GivenAnswer)
_Change: TypeAlias = Callable[[str, str], str]
"""From a text's name and value to its replacement."""


async def apart(store: Store, workflow_id: str, model: HeardFacts) -> HeardFacts:
    """Store the texts, and replace them by references; idempotent. Raises `StoreFailure`."""
    references = await store.texts.keep_many(workflow_id, _texts_of(model))
    return _changed(model, lambda name, text: str(references[name, text]))


async def together(store: Store, workflow_id: str, model: HeardFacts) -> HeardFacts:
    """Replace references by texts, as far as not erased; a task's own text was stored separately from the start. Raises
    `StoreFailure`.
    """
    alone = {name: value for name, value in vars(model).items() if isinstance(value, str)}
    texts = await words_of_all(store, workflow_id, [*alone.values(), *(text for _, text in _texts_of(model))])
    changed = _changed(model, lambda _, text: texts[text])
    return changed.replace(**{name: texts[value] for name, value in alone.items() if texts[value] != value})


async def words_of_all(store: Store, workflow_id: str, texts: Iterable[str]) -> Mapping[str, str]:
    """The texts of references; other words are returned unchanged, from records before texts were separated."""
    references = {text: Reference.read(text) for text in texts}
    stored_texts = await store.texts.read_many(
        workflow_id, [reference for reference in references.values() if reference]
    )
    return {text: _show_text(stored_texts, reference) if reference else text for text, reference in references.items()}


async def words_of(store: Store, workflow_id: str, text: str) -> str:
    """The text of one."""
    return (await words_of_all(store, workflow_id, [text]))[text]


async def keep_page(store: Store, workflow_id: str, page: LogPage | None) -> None:
    """Write a page before anything else is done; raises `StoreFailure`."""
    if page is None:
        return
    stored_page = await apart(store, workflow_id, page)
    await store.log_pages.write(workflow_id, page.name, stored_page.model_dump_json().encode())


async def pages_of(store: Store, workflow_id: str) -> list[LogPage]:
    """A workflow's pages in order; entries on two pages are equal."""
    pages = [LogPage.model_validate_json(content) for content in await store.log_pages.read(workflow_id)]
    return [await together(store, workflow_id, page) for page in pages]


async def amendments_of(store: Store, workflow_id: str) -> Amendment:
    """All of its record's in one."""
    amendment = Amendment(number=0)
    async for contents in store.records.amendments(workflow_id):
        amendment = joined([amendment, *map(Amendment.model_validate_json, contents)])
    return amendment


def _show_text(text_by_reference: Mapping[Reference, str | None], reference: Reference) -> str:
    text = text_by_reference.get(reference, DAMAGED)
    return ERASED if text is None else text


def _texts_of(model: Model) -> list[tuple[str, str]]:
    texts: list[tuple[str, str]] = []

    def note(name: str, text: str) -> str:
        texts.append((name, text))
        return text

    _changed(model, note)
    return texts


def _changed(model: HeardFacts, change: _Change) -> HeardFacts:
    fields = {name: getattr(model, name) for name in type(model).model_fields}
    return model.replace(**{name: _replace_texts(value, change) for name, value in fields.items() if _has_words(value)})


def _has_words(value: object) -> bool:
    return isinstance(value[0] if isinstance(value, tuple) and value else value, _SPOKEN)


def _replace_texts(value: Any, change: _Change) -> Any:
    if isinstance(value, tuple):
        return tuple(_replace_texts(element, change) for element in value)
    match value:
        case AskedQuestion():
            return _replace_question(value, change)
        case ReviewLine():
            name = f"review-{value.round}-{value.order}"
            return value.replace(reason=value.reason and change(name, value.reason))
        case SignerLine():
            return _declined(value, change)
        case GivenAnswer():
            return value.replace(text=value.text and change("answer-given", value.text))
        case _:
            return _happened(value, change)


def _replace_question(question: AskedQuestion, change: _Change) -> AskedQuestion:
    text = change(f"question-{question.number}", question.text)
    answer = question.answer
    return question.replace(text=text, answer=answer and change(f"answer-{question.number}", answer))


def _declined(line: SignerLine, change: _Change) -> SignerLine:
    return line.replace(reason=line.reason and change(f"reason-{line.order}", line.reason))


def _happened(entry: TimelineEntry, change: _Change) -> TimelineEntry:
    if not entry.said or entry.why is None:
        return entry
    digest = hashlib.sha256(f"{entry.what}/{entry.who}".encode()).hexdigest()[:8]
    return entry.replace(why=change(f"{entry.at.astimezone(UTC):%Y%m%dt%H%M%S%f}-{digest}", entry.why))
