"""Words of ours that histories keep as they are and people read in a language: in English here, in theirs on pages."""

from enum import StrEnum
from typing import Self


class InWords(StrEnum):
    """A word, and how it is said in English, which may name what is put into it: `NAME = "word", "said of {whom}"`."""

    english: str

    def __new__(cls, word: str, english: str = "") -> Self:
        """What it is called in histories and records, and for people where that is not the same."""
        one = str.__new__(cls, word)
        one._value_, one.english = word, english or word
        return one

    def says(self, **values: object) -> str:
        """It in English."""
        return self.english.format(**values)
