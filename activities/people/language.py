"""Translations: Babel catalogues in `locales/`, keyed by the English text, which is the fallback
(docs/translating.md).
"""

from collections.abc import Iterable
from dataclasses import dataclass
from functools import cache
from gettext import GNUTranslations, NullTranslations
from io import BytesIO
from pathlib import Path
from typing import Final, Self

from babel import Locale, UnknownLocaleError
from babel.lists import format_list
from babel.messages.mofile import write_mo
from babel.messages.pofile import read_po

from workflows.model.messages import phrase as phrase  # noqa: PLC0414  for whoever has texts here

ENGLISH: Final = "en"
DOMAIN: Final = "countersign"
LOCALES: Final = Path(__file__).with_name("locales")
LANGUAGES: Final = (ENGLISH, "nl", "de", "fr", "es")
# CLDR's `en` is American; without a region it is read in many countries, so the day precedes the month.
_ENGLISH_LOCALE: Final = Locale("en", "150")


@dataclass(frozen=True)
class Language:
    """A language by catalogue `code`, with the locale for dates and lists."""

    code: str
    locale: Locale

    @classmethod
    def from_tag(cls, tag: str) -> Self:
        """The language of a locale such as `de-AT`; English if unsupported or invalid."""
        try:
            locale = Locale.parse(tag, sep="-" if "-" in tag else "_")
        except (ValueError, UnknownLocaleError):
            return cls.english()
        spoken = locale.language in LANGUAGES and str(locale) != ENGLISH
        return cls(locale.language, locale) if spoken else cls.english()

    @classmethod
    def english(cls) -> Self:
        return cls(ENGLISH, _ENGLISH_LOCALE)

    @classmethod
    def accepted(cls, header: str) -> Self:
        """The best match for an `Accept-Language` header."""
        languages = (
            cls.from_tag(tag) for tag in _parse_accepted_tags(header) if tag.partition("-")[0].casefold() in LANGUAGES
        )
        return next(languages, cls.english())

    def say(self, text: str, /, **values: object) -> str:
        """`text` translated, with `values`; without any, placeholders stay."""
        translation = _catalogue(self.code).gettext(text)
        return translation.format(**values) if values else translation

    def say_count(self, singular: str, plural: str, /, count: int, **values: object) -> str:
        """By the language's plural rules, with `{count}`."""
        return _catalogue(self.code).ngettext(singular, plural, count).format(count=count, **values)

    def enumerate(self, items: Iterable[str]) -> str:
        """`a, b and c`."""
        return format_list(list(items), locale=self.locale)


def catalogue_path(code: str) -> Path:
    return LOCALES / code / "LC_MESSAGES" / f"{DOMAIN}.po"


@cache
def _catalogue(code: str) -> NullTranslations:
    if code == ENGLISH:
        return NullTranslations()
    with catalogue_path(code).open("rb") as file:
        catalogue = read_po(file, locale=code, domain=DOMAIN)
    compiled = BytesIO()
    write_mo(compiled, catalogue)
    compiled.seek(0)
    return GNUTranslations(compiled)


def _parse_accepted_tags(header: str) -> list[str]:
    """Tags of the header, best first, without weight 0 or invalid ones."""
    weighed = [
        (_weight(weight), tag.strip()) for tag, _, weight in (entry.partition(";") for entry in header.split(","))
    ]
    return [tag for weight, tag in sorted(weighed, key=lambda weighted_tag: -weighted_tag[0]) if weight > 0]


def _weight(parameter: str) -> float:
    name, _, value = parameter.strip().partition("=")
    if not name:
        return 1
    try:
        return float(value) if name == "q" else 0
    except ValueError:
        return 0
