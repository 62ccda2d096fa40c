"""Messages: what travels is a code with values; words are made where somebody reads them.

`MESSAGES` is the catalogue: each code with its English sentence. Values are ids, numbers, days, words of the contract
and field paths; never names, addresses or secrets. `span`, `window` and `grace` are durations such as `3d`, `when` an
instant in a zone. `in_table` and `in_column` are where a fault is in a file that another one names, `others` counts
further faults there.
"""

from collections.abc import Callable, Iterable, Mapping
from datetime import datetime, tzinfo
from typing import Final, Self

from pydantic import Field

from workflows.model.base import InWords, Model

MESSAGES: Final[dict[str, str]] = {}
"""The English sentence of each code, with its placeholders."""
_UNITS: Final = {"m": "minute", "h": "hour", "d": "day", "w": "week"}
DURATIONS: Final = ("span", "window", "grace")
"""Values that are durations."""


def phrase(text: str) -> str:
    """Marks a text in a table for `pybabel extract`."""
    return text


def duration_words(duration: str) -> str:
    """`3 days`, `1 hour`."""
    count, unit = int(duration[:-1]), _UNITS[duration[-1]]
    return f"{count} {unit}{'' if count == 1 else 's'}"


def zoned(instant: datetime, zone: tzinfo) -> str:
    """The instant as a value: `2026-12-11T18:00+01:00[Europe/Amsterdam]` (RFC 9557)."""
    return f"{instant.astimezone(zone).isoformat(timespec='minutes')}[{zone}]"


def parse_zoned(value: str) -> tuple[datetime, str]:
    """The instant, and its zone."""
    instant, _, zone = value.removesuffix("]").partition("[")
    return datetime.fromisoformat(instant), zone


class Message(Model):
    """A message to a person: `code` of the catalogue, and the values of its placeholders."""

    code: str
    values: dict[str, str | int] = Field(default_factory=dict)

    def __hash__(self) -> int:
        """A map of values has none of its own."""
        return hash(self.code)

    def __str__(self) -> str:
        """In English, so that no sentence at a terminal has the model in it."""
        return self.english

    @property
    def english(self) -> str:
        """The English sentence; the code alone if it comes from newer code."""
        text_by_name = {name: _IN_ENGLISH[name](str(self.values[name])) for name in _IN_ENGLISH if name in self.values}
        sentence = MESSAGES[self.code].format(**{**self.values, **text_by_name}) if self.code in MESSAGES else self.code
        places = [str(self.values[name]) for name in ("in_table", "in_column") if name in self.values]
        others_text = f" (and {self.values['others']} more)" if "others" in self.values else ""
        return ": ".join([*places, sentence]) + others_text

    def of_column(self, column: str) -> Self:
        """About this column of a table."""
        return self._add_values(in_column=column)

    def of_table(self, location: str, other_count: int) -> Self:
        """About this place in a file that another one names, and how many other faults it has."""
        return self._add_values(in_table=location, others=other_count)

    def _add_values(self, **values: str | int) -> Self:
        return self.replace(values={**self.values, **{name: value for name, value in values.items() if value}})


def join_english(messages: Iterable[Message]) -> str:
    """Several messages about the same, in one line."""
    return "; ".join(map(str, messages))


def _instant_words(value: str) -> str:
    instant, zone = parse_zoned(value)
    return f"{instant:%a %d %b %H:%M} ({zone.rpartition('/')[2].replace('_', ' ')})"


_IN_ENGLISH: Final[Mapping[str, Callable[[str], str]]] = {
    **dict.fromkeys(DURATIONS, duration_words),
    "when": _instant_words,
}


class MessageCode(InWords):
    """Codes with their English sentences; each is entered in `MESSAGES`."""

    def __init__(self, code: str, english: str = "") -> None:
        # The workflow sandbox imports a kind's module again: the same code with the same sentence is no second message.
        if MESSAGES.setdefault(code, english or code) != (english or code):
            raise TypeError(f"two messages have the code {code}")

    def to_message(self, **values: object) -> Message:
        """The message with these values, numbers as such and all else as text."""
        return Message(
            code=self.value,
            values={name: value if isinstance(value, int) else str(value) for name, value in values.items()},
        )
