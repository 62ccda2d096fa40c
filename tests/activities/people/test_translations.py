"""The catalogues: every text of ours in every language, and nothing else in them.

Red here after a new or changed text? docs/translating.md says what to do; until then it is said in English.
"""

import ast
import re
import string
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest
from babel.messages.catalog import Catalog, Message
from babel.messages.extract import DEFAULT_KEYWORDS, extract_from_dir
from babel.messages.frontend import parse_keywords, parse_mapping_cfg
from babel.messages.pofile import read_po

from activities.notifications.words import TEXTS
from activities.people.language import DOMAIN, ENGLISH, LANGUAGES, LOCALES, catalogue_path
from workflows.follow_up.notification_types import NotificationType
from workflows.model.subject import Status

ROOT = Path(__file__).parents[3]
KEYWORDS = ("phrase", "say", "say_count:1,2")
TRANSLATED = [code for code in LANGUAGES if code != ENGLISH]


@cache
def texts() -> frozenset[str | tuple[str, ...]]:
    """What stands in our code and templates, as `pybabel extract` finds it; plurals as pairs."""
    with (LOCALES / "babel.cfg").open() as file:
        methods, options = parse_mapping_cfg(file)  # type: ignore[no-untyped-call]
    keywords = DEFAULT_KEYWORDS | parse_keywords(KEYWORDS)
    extracted = extract_from_dir(ROOT, methods, options, keywords, directory_filter=_may_have_texts)
    return frozenset(_key(message) for _, _, message, _, _ in extracted)


def catalogue(code: str) -> Catalog:
    with catalogue_path(code).open("rb") as file:
        return read_po(file, locale=code, domain=DOMAIN, abort_invalid=True)


def entries(code: str) -> Iterator[Message]:
    return (entry for entry in catalogue(code) if entry.id)


@pytest.mark.parametrize("code", TRANSLATED)
def test_nothing_is_missing(code: str) -> None:
    translated = {_key(entry.id) for entry in entries(code) if all(_strings(entry.string)) and not entry.fuzzy}
    assert sorted(map(str, texts() - translated)) == []


@pytest.mark.long
def test_no_text_stands_inside_an_f_string() -> None:
    """`pybabel extract` does not look there, so nobody would miss its translation."""
    hidden = [
        f"{path.relative_to(ROOT)}:{call.lineno}"
        for folder in ("activities", "starter", "workflows")
        for path in (ROOT / folder).rglob("*.py")
        for outer in ast.walk(ast.parse(path.read_text()))
        if isinstance(outer, ast.JoinedStr)
        for call in ast.walk(outer)
        if isinstance(call, ast.Call) and call.args and isinstance(call.args[0], ast.Constant)
        if ast.unparse(call.func).rpartition(".")[2] in ("phrase", "say", "say_count")
    ]
    assert hidden == []


@pytest.mark.parametrize("code", TRANSLATED)
def test_nothing_is_left_over(code: str) -> None:
    translations = catalogue(code)
    assert sorted(str(entry.id) for entry in entries(code) if _key(entry.id) not in texts()) == []
    assert not translations.obsolete


@pytest.mark.parametrize("code", TRANSLATED)
def test_placeholders_are_those_of_the_english_text(code: str) -> None:
    """A placeholder too many would keep a notice from being sent at all."""
    for entry in entries(code):
        for translation in _strings(entry.string):
            assert _placeholders(translation) == _placeholders(_strings(entry.id)[-1]), translation


@pytest.mark.parametrize("code", TRANSLATED)
def test_every_plural_form_is_there(code: str) -> None:
    translations = catalogue(code)
    assert all(len(_strings(entry.string)) == translations.num_plurals for entry in entries(code) if entry.pluralizable)


@pytest.mark.parametrize("code", TRANSLATED)
def test_a_translation_is_none_of_the_english_text(code: str) -> None:
    """A single word may well be the same in both."""
    untranslated = [str(entry.id) for entry in entries(code) if entry.string == entry.id]
    assert [text for text in untranslated if len(re.findall(r"\w+", re.sub(r"\{\w+\}", "", text))) > 1] == []


def test_a_text_of_a_notice_stands_under_a_stage_or_an_outcome_that_there_is() -> None:
    extra_keys = {"first", "nobody_left", "unanswered_by_others"}
    for notice_texts in TEXTS.values():
        assert set(notice_texts.stages) - extra_keys <= set(NotificationType)
        assert set(notice_texts.endings) <= set(Status)


def test_the_extraction_sees_tables_calls_plurals_and_templates() -> None:
    extracted = texts()
    assert {"Your signature is needed", "Urgent · {title}", "Signers"} <= extracted
    assert ("Due in {count} working day: {when}.", "Due in {count} working days: {when}.") in extracted


def _may_have_texts(folder: str | Path) -> bool:
    """The folders in which texts are; walking through a virtual environment would take long."""
    parts = Path(folder).relative_to(ROOT).parts
    return not parts or parts[0] in ("activities", "starter", "workflows")


def _key(id: str | tuple[str, ...] | list[str]) -> str | tuple[str, ...]:
    return id if isinstance(id, str) else tuple(id)


def _strings(text: str | tuple[str, ...] | list[str] | None) -> tuple[str, ...]:
    return (text,) if isinstance(text, str) else tuple(text or ("",))


def _placeholders(text: str) -> set[str]:
    return {name for _, name, _, _ in string.Formatter().parse(text) if name is not None}
