"""Languages: which one a person reads, and what is said when a text has no translation."""

import pytest
from babel.localedata import locale_identifiers

from activities.people.language import LANGUAGES, Language
from tests.activities.people.test_due import DUE
from tests.activities.reading import reading


@pytest.mark.parametrize(
    ("tag", "code", "locale"),
    [
        ("en", "en", "en_150"),
        ("en-US", "en", "en_US"),
        ("nl", "nl", "nl"),
        ("nl-BE", "nl", "nl_BE"),
        ("de_AT", "de", "de_AT"),
        ("fr-CA", "fr", "fr_CA"),
        ("es-MX", "es", "es_MX"),
        ("pt-BR", "en", "en_150"),
        ("zh-Hant", "en", "en_150"),
        ("", "en", "en_150"),
        ("not a locale", "en", "en_150"),
    ],
)
def test_words_and_dates_are_always_of_the_same_language(tag: str, code: str, locale: str) -> None:
    language = Language.from_tag(tag)
    assert (language.code, str(language.locale)) == (code, locale)


@pytest.mark.parametrize(
    ("header", "code"),
    [
        ("nl,en;q=0.8", "nl"),
        ("pt-BR, fr-CH;q=0.9, de;q=0.95", "de"),
        ("EN-us, de", "en"),
        ("de;q=0, es;q=0.1", "es"),
        ("de;q=much, es", "es"),
        ("*", "en"),
        ("ja", "en"),
        ("", "en"),
        (";;,,q=", "en"),
        ("de" * 5_000, "en"),
    ],
)
def test_a_browser_is_answered_in_the_best_language_it_accepts(header: str, code: str) -> None:
    assert Language.accepted(header).code == code


@pytest.mark.parametrize("code", LANGUAGES)
def test_a_text_without_translation_is_said_in_english(code: str) -> None:
    language = Language.from_tag(code)
    assert language.say("Nobody has translated {this}.", this="that") == "Nobody has translated that."
    assert language.say_count("{count} new thing", "{count} new things", 1) == "1 new thing"
    assert language.say_count("{count} new thing", "{count} new things", 2) == "2 new things"


def test_plural_forms_are_those_of_the_language() -> None:
    singular, plural = "Due in {count} working day: {when}.", "Due in {count} working days: {when}."
    texts = {code: Language.from_tag(code).say_count(singular, plural, 0, when="…") for code in ("de", "fr")}
    assert texts == {"de": "Frist in 0 Arbeitstagen: ….", "fr": "Échéance dans 0 jour ouvré\u00a0: …."}


def test_lists_are_of_the_language() -> None:
    assert Language.from_tag("en").enumerate(["a", "b", "c"]) == "a, b and c"
    assert Language.from_tag("de").enumerate(["a", "b"]) == "a und b"
    assert Language.from_tag("es").enumerate(["a"]) == "a"


@pytest.mark.parametrize("code", LANGUAGES)
def test_every_regional_locale_of_our_languages_writes_an_instant(code: str) -> None:
    for identifier in locale_identifiers():
        if identifier.partition("_")[0] == code:
            written = reading(identifier).instant(DUE)
            assert "(" in written, identifier
            assert Language.from_tag(identifier).code == code
