"""Errors of the store with texts that say what would help; spelling of ids, and suggestions for unknown words."""

import re
from collections.abc import Iterable
from difflib import get_close_matches
from functools import lru_cache
from itertools import islice
from typing import ClassVar, Final

ID_PATTERN: Final = r"(?!\.+$)[A-Za-z0-9._-]{1,100}"
_COMPARED_AT_MOST: Final = 2_000
"""Words compared in full, about 10 ms; of more only those with a similar beginning and length."""
HIDDEN: Final = "…"
_WORD: Final = re.compile(r"(?=.*[A-Za-z])[A-Za-z0-9._/+-]{1,39}|[0-9]{1,3}")
_QUOTED: Final = re.compile(r"'(?!<[a-z ]+>'|[^A-Za-z0-9']{1,2}'|\\[a-z]')[^']*'|('[^']*')")


def did_you_mean(text: str, known_words: Iterable[str]) -> str:
    """`, did you mean order?`, or empty."""
    close = nearest(text, known_words, limit=1)
    return f", did you mean {close[0]}?" if close else ""


def nearest(text: str, known_words: Iterable[str], *, limit: int) -> list[str]:
    """The similar known words, best first."""
    candidates = list(known_words)
    if len(candidates) > _COMPARED_AT_MOST:
        alike = (
            candidate for candidate in candidates if candidate[:1] == text[:1] and abs(len(candidate) - len(text)) <= 2
        )
        candidates = list(islice(alike, _COMPARED_AT_MOST))
    return _close_matches(text, tuple(candidates), limit)


def quotable(text: str) -> bool:
    """Whether it is one short word or number: no full name, address, telephone number or token."""
    return _WORD.fullmatch(text) is not None


def quote(text: str) -> str:
    """The text if `quotable`, else an ellipsis."""
    return text if quotable(text) else HIDDEN


def without_quotes(sentence: str) -> str:
    """A message of the YAML reader without quoted content; its own names (`<block end>`) and signs stay."""
    return _QUOTED.sub(lambda match: match[1] or HIDDEN, sentence)


class StoreFailure(Exception):
    """The store failed; the text says what would help."""


class StoreAway(StoreFailure):
    """The storage is unavailable; temporary, and nothing is known to be lost."""

    what: ClassVar = "store"

    def __init__(self, reason: str) -> None:
        super().__init__(f"the {self.what} cannot be used: {reason}")


class DatabaseAway(StoreAway):
    what: ClassVar = "database"


class SchemaMismatch(StoreFailure):
    """The database has the schema of another version."""

    def __init__(self, version: str | None, required_version: str) -> None:
        older = version is None or version < required_version
        helps = "`countersign database upgrade` brings it up" if older else "start the version that upgraded it"
        super().__init__(
            f"the database has {f'schema {version}' if version else 'no schema'}, "
            f"this needs {required_version}: {helps}"
        )


class DocumentMissing(StoreFailure):
    def __init__(self, sha256: str) -> None:
        super().__init__(
            f"the store has no document {sha256[:12]}…: processes on different machines need one shared "
            "COUNTERSIGN_STORE (an fsspec URL such as s3://bucket/countersign)"
        )


class DocumentDamaged(StoreFailure):
    def __init__(self, sha256: str) -> None:
        super().__init__(
            f"the document {sha256[:12]}… in the store does not match its hash: restore it from its source"
        )


class RecordDamaged(StoreFailure):
    """A settled record does not match its hash."""

    def __init__(self, id: str) -> None:
        super().__init__(f"the record of {id} in the database does not match its hash: restore it from a backup")


class TextDamaged(StoreFailure):
    """A stored text does not match its hash."""

    def __init__(self, name: str) -> None:
        super().__init__(f"the text {name} in the store does not match its hash")


class RecordConflict(StoreFailure):
    def __init__(self, id: str) -> None:
        super().__init__(f"the store already has another record {id}: records are written once and never changed")


@lru_cache(maxsize=256)
def _close_matches(text: str, candidates: tuple[str, ...], limit: int) -> list[str]:
    # A file of thousands often has one mistake thousands of times.
    return get_close_matches(text, candidates, n=limit, cutoff=0.6)
