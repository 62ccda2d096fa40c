"""Value types of people's files (docs/files.md, Values). Faults say what is valid and never repeat a name, address or
token.
"""

import re
import unicodedata
from collections.abc import Iterator, Mapping
from datetime import UTC, date, datetime, timedelta
from functools import cache
from typing import Annotated, Any, Final, TypeAlias
from urllib.parse import urlsplit
from zoneinfo import ZoneInfo, available_timezones

from babel import Locale, UnknownLocaleError
from pydantic import AfterValidator, BeforeValidator, Field

from activities.calendar.calendar import known_calendar, longer_than_days, start_of_day
from activities.errors import ID_PATTERN, did_you_mean, quotable
from activities.files.yaml_lines import FieldPath
from workflows.follow_up.next_step import HORIZON
from workflows.model.file_faults import FileFault

_LOOPBACK: Final = frozenset({"localhost", "127.0.0.1", "::1"})
_LABELS: Final = re.compile(r"[^.]{1,63}(\.[^.]{1,63})*\.?")
"""Labels of a host name (RFC 1035)."""
_NO_PLACES: Final = frozenset({"Factory", "localtime", "posixrules"})
"""Names in some machines' zone folders that are no zones, or differ from machine to machine."""
_UNSEEN: Final = frozenset({"Cf", "Mn", "Zs"})
_BLANK_LETTERS: Final = frozenset("\u115f\u1160\u2800\u3164\uffa0")
_CENTURY: Final = {"d": 36_500, "m": 1_200, "y": 100}
Message: TypeAlias = Annotated[str, Field(max_length=4000)]
_AGES_AGO: Final = date(1900, 1, 1)
_FOR_GOOD: Final = date(9000, 1, 1)
"""People write 9999-12-31 for "never"; the calendar's last days do not exist in every zone."""
UTC_ZONE: Final = ZoneInfo("UTC")
_PLACE: Final = re.compile(r"\{\{|\}\}|\{([^{}]*)\}")
_BRACES: Final = {"{{": "{", "}}": "}"}
_LEFT_OUT: Final = object()


def known_zone(name: str) -> str:
    """The zone's name; `ValueError` suggests valid ones."""
    if name not in zones():
        # Only a near miss of a zone is repeated: other text may be a misplaced name or address.
        meant = did_you_mean(name, zones()) if quotable(name) else ""
        raise FileFault.NEARLY_A_ZONE.error(zone=name, hint=meant) if meant else FileFault.NO_ZONE.error()
    return name


@cache
def zones() -> frozenset[str]:
    """All IANA time zones, except those that differ from machine to machine."""
    return frozenset(available_timezones()) - _NO_PLACES


def web_url(url: str) -> str:
    """A URL that may be called: https, or http on loopback; without user name, password or fragment."""
    try:
        parts = urlsplit(url)
        host, _ = parts.hostname, parts.port
    except ValueError:
        raise FileFault.NO_URL.error() from None
    if not host or any(character.isspace() for character in url):
        raise FileFault.NO_URL.error()
    if not _LABELS.fullmatch(host):
        raise FileFault.NO_HOST.error()
    if parts.scheme != "https" and not (parts.scheme == "http" and host in _LOOPBACK):
        raise FileFault.NO_HTTPS.error()
    if parts.username or parts.password or parts.fragment:
        raise FileFault.URL_WITH_MORE.error()
    return url


def _matching(pattern: str, fault: FileFault) -> AfterValidator:
    compiled = re.compile(pattern)

    def check(text: str) -> str:
        if not compiled.fullmatch(text):
            raise fault.error()
        return text

    return AfterValidator(check)


Id: TypeAlias = Annotated[str, _matching(ID_PATTERN, FileFault.NO_ID)]
KindId: TypeAlias = Annotated[str, _matching(r"(?!\.+$)[A-Za-z0-9._-]{1,87}", FileFault.NO_KIND_ID)]
"""Short enough that `<kind>-<12 hex>` is an id."""
WorkflowId: TypeAlias = Annotated[str, _matching(r"[!-~]{1,255}", FileFault.NO_WORKFLOW_ID)]


def _one_line(text: str) -> str:
    stripped = text.strip()
    if "\n" in stripped or "\t" in stripped:
        raise FileFault.SEVERAL_LINES.error()
    if not stripped:
        raise FileFault.BLANK.error()
    if all(unicodedata.category(character) in _UNSEEN or character in _BLANK_LETTERS for character in stripped):
        raise FileFault.INVISIBLE.error()
    return stripped


Name: TypeAlias = Annotated[str, Field(max_length=200), AfterValidator(_one_line)]
FileName: TypeAlias = Annotated[str, Field(max_length=1000), AfterValidator(_one_line)]
Email: TypeAlias = Annotated[
    str,
    Field(max_length=254),
    _matching(r"[^\s@<>\"',;][^\s@<>\",;]*@[^\s@<>\"',;]+\.[^\s@<>\"',;]+", FileFault.NO_EMAIL),
]
"""Apostrophes are allowed inside, as in o'brien@…, not at the beginning."""
Phone: TypeAlias = Annotated[str, _matching(r"\+[0-9][0-9 ]{5,19}", FileFault.NO_PHONE_NUMBER)]
DeviceToken: TypeAlias = Annotated[str, _matching(r"[!-~]{1,4096}", FileFault.NO_DEVICE_TOKEN)]
Zone: TypeAlias = Annotated[str, AfterValidator(known_zone)]


def _locale(tag: str) -> str:
    try:
        Locale.parse(tag, sep="-" if "-" in tag else "_")
    except (ValueError, UnknownLocaleError):
        raise FileFault.NO_LOCALE.error() from None
    return tag


LocaleTag: TypeAlias = Annotated[str, AfterValidator(_locale)]
CalendarCode: TypeAlias = Annotated[
    str,
    _matching(r"[A-Z]{2}(-[A-Z0-9]{1,3})?", FileFault.NO_CALENDAR),
    AfterValidator(known_calendar),
]


def _duration(text: str) -> str:
    if longer_than_days(text, HORIZON.days):
        raise FileFault.LONG_DURATION.error()
    return text


Span: TypeAlias = Annotated[str, _matching(r"[1-9][0-9]{0,3}[mhdw]", FileFault.NO_DURATION), AfterValidator(_duration)]
"""A duration of at most two years."""
SpanOrNone: TypeAlias = Annotated[
    str, _matching(r"0d|[1-9][0-9]{0,3}[mhdw]", FileFault.NO_DURATION_OR_NONE), AfterValidator(_duration)
]
"""A duration or `0d`."""


def _retention(text: str) -> str:
    if not re.fullmatch(r"[1-9][0-9]{0,4}[dmy]", text) or int(text[:-1]) > _CENTURY[text[-1]]:
        raise FileFault.NO_RETENTION.error()
    return text


Retention: TypeAlias = Annotated[str, AfterValidator(_retention)]
"""Days, months (`m`) or years."""
Url: TypeAlias = Annotated[str, Field(max_length=2000), AfterValidator(web_url)]


def _day_or_instant(written: object) -> object:
    if not isinstance(written, str):
        raise FileFault.NO_DAY.error()
    try:
        return date.fromisoformat(written) if re.fullmatch(r"\d{4}-\d\d-\d\d", written) else _instant(written)
    except (ValueError, OverflowError):
        raise FileFault.NO_DAY.error() from None


def _instant(written: str) -> datetime:
    instant = datetime.fromisoformat(written.upper())
    if instant.tzinfo is None or not re.match(r"\d{4}-\d\d-\d\d[Tt ]\d\d:", written):
        raise ValueError
    return instant.astimezone(UTC)


DayOrInstant: TypeAlias = Annotated[datetime | date, BeforeValidator(_day_or_instant)]
"""A bare date stays a date, since its meaning depends on the field; instants are in UTC."""


def _within_calendar(day_or_instant: date | datetime) -> date | datetime:
    day = day_or_instant.date() if isinstance(day_or_instant, datetime) else day_or_instant
    return day_or_instant if _AGES_AGO <= day <= _FOR_GOOD else min(max(day, _AGES_AGO), _FOR_GOOD)


Moment: TypeAlias = Annotated[DayOrInstant, AfterValidator(_within_calendar)]


def begin(day_or_instant: date | datetime, zone: ZoneInfo) -> datetime:
    """The first instant of a day in the zone, or the instant."""
    return day_or_instant if isinstance(day_or_instant, datetime) else start_of_day(day_or_instant, zone)


def end(day_or_instant: date | datetime, zone: ZoneInfo) -> datetime:
    """The first instant after a day in the zone, or the instant."""
    return (
        day_or_instant
        if isinstance(day_or_instant, datetime)
        else start_of_day(day_or_instant + timedelta(days=1), zone)
    )


def filled(content: Any, values: Mapping[str, str]) -> Any:
    """The content with placeholders replaced; a field that is one placeholder with an empty value is left out."""
    new = _fill(content, values)
    return None if new is _LEFT_OUT else new


def places(content: Any) -> Iterator[tuple[FieldPath, str]]:
    """The fields with placeholders, one pair for each name."""
    return ((path, name) for path, text in _texts(content) for name in _PLACE.findall(text) if name)


def gaps(content: Any, values: Mapping[str, str]) -> Iterator[tuple[FieldPath, str]]:
    """The fields with placeholders that have no value, each with the name."""
    texts = ((path, text) for path, text in _texts(content) if not _PLACE.fullmatch(text))
    return ((path, name) for path, text in texts for name in _PLACE.findall(text) if name and not values[name])


def _texts(content: Any, path: FieldPath = ()) -> Iterator[tuple[FieldPath, str]]:
    if isinstance(content, dict):
        for key, item in content.items():
            yield from _texts(item, (*path, key))
    elif isinstance(content, list):
        for position, item in enumerate(content):
            yield from _texts(item, (*path, position))
    elif isinstance(content, str):
        yield path, content


def _fill(value: Any, values: Mapping[str, str]) -> Any:
    if isinstance(value, dict):
        fields = {key: new for key, item in value.items() if (new := _fill(item, values)) is not _LEFT_OUT}
        return fields if fields or not value else _LEFT_OUT
    if isinstance(value, list):
        return [new for item in value if (new := _fill(item, values)) is not _LEFT_OUT]
    if not isinstance(value, str):
        return value
    whole_place = _PLACE.fullmatch(value)
    if whole_place and whole_place[1] and not values[whole_place[1]]:
        return _LEFT_OUT
    return _PLACE.sub(lambda match: values[match[1]] if match[1] else _BRACES.get(match[0], match[0]), value)
