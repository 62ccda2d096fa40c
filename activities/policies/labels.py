"""Labels of kinds: from the catalogue, else ours, else the words of the id."""

import re
from collections.abc import Mapping
from typing import Final, Self

from pydantic import model_validator

from activities.files.fields import Name
from activities.files.reading import FileModel
from activities.people.language import ENGLISH, Language, phrase

_OURS: Final[Mapping[str, str]] = {
    "team-task": phrase("Task"),
    "customer-step": phrase("Step for the customer"),
    "onboarding-decision": phrase("Decision"),
    "customer-onboarding": phrase("Customer onboarding"),
}
"""Of the kinds that exist without a catalogue."""
_BETWEEN: Final = re.compile(r"[-_.]+")


class KindLabel(FileModel):
    """A label by language, with English, then the first, as fallback."""

    en: Name | None = None
    nl: Name | None = None
    de: Name | None = None
    fr: Name | None = None
    es: Name | None = None

    @model_validator(mode="after")
    def _in_some_language(self) -> Self:
        if not any(self._said.values()):
            raise ValueError("needs the label in one language at least, such as {en: Customer contract}")
        return self

    @property
    def _said(self) -> dict[str, str]:
        return {code: text for code, text in self if text}

    def say(self, language: Language) -> str:
        return self._said.get(language.code) or self._said.get(ENGLISH) or next(iter(self._said.values()))


def label_of(kind: str, written: KindLabel | None, language: Language) -> str:
    """A kind's label in a language; never the raw id."""
    if written:
        return written.say(language)
    if kind in _OURS:
        return language.say(_OURS[kind])
    words = _BETWEEN.sub(" ", kind).strip()
    return words[:1].upper() + words[1:]
