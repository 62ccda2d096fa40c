"""The reasons of a plan in the words of a reader, with names."""

from collections.abc import Callable, Iterable, Mapping
from typing import Final

from activities.people.language import Language, phrase
from activities.people.reader import Reader
from starter.web.acting.messages import message_text
from starter.web.desk.responses import PeopleNames
from workflows.model.messages import Message, parse_zoned
from workflows.model.rejections import Rejection

_SPANS: Final[Mapping[str, Callable[[Language, int], str]]] = {
    "m": lambda language, count: language.say_count("{count} minute", "{count} minutes", count),
    "h": lambda language, count: language.say_count("{count} hour", "{count} hours", count),
    "d": lambda language, count: language.say_count("{count} day", "{count} days", count),
    "w": lambda language, count: language.say_count("{count} week", "{count} weeks", count),
}
_NOT_THERE: Final = phrase("This person is not in the directory any more.")


async def reasons_text(
    reader: Reader, reasons: Iterable[Message], known_names: Mapping[str, str], names: PeopleNames
) -> str:
    """Why a notice is planned, moved or left out. `known_names` are names beside the directory."""
    texts = []
    for reason in reasons:
        texts_by_name = {
            name: await _value_text(reader, name, str(value), known_names, names)
            for name, value in reason.values.items()
        }
        texts.append(message_text(reader.language, reason.replace(values=texts_by_name)))
    return "; ".join(texts)


def fault_text(language: Language, fault: Message) -> str:
    """What is wrong with a field."""
    if fault.code == Rejection.NOT_IN_DIRECTORY:
        return language.say(_NOT_THERE)
    return message_text(language, fault)


def span_text(language: Language, span: str) -> str:
    """`3 days`, in a language."""
    return _SPANS[span[-1]](language, int(span[:-1]))


async def _value_text(reader: Reader, name: str, value: str, known_names: Mapping[str, str], names: PeopleNames) -> str:
    match name:
        case "span":
            return span_text(reader.language, value)
        case "when":
            instant, _ = parse_zoned(value)
            return reader.shortly(instant, instant)
        case "person" | "other" | "people":
            return ", ".join([known_names.get(id) or await names.name_of(id) for id in value.split(", ")])
        case _:
            return value
