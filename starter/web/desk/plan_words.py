"""The reasons of a plan, which the planner gives in English with ids, in the words of a reader, with names."""

import re
from collections.abc import Callable, Iterator, Mapping
from string import Formatter
from typing import Final

from activities.people.language import Language, phrase
from starter.web.desk.responses import PeopleNames

_REASONS: Final[Mapping[str, str]] = {
    "reminder {number} of {most}, {span} after the request arrived": phrase(
        "reminder {number} of {most}, {span} after they were asked"
    ),
    "reminder {number} of {most}, every {span}": phrase("reminder {number} of {most} ({span} apart)"),
    "overdue since {when}, every {span}": phrase("overdue since {when} ({span} apart)"),
    "{span} before the due date": phrase("{span} before the due date"),
    "{span} after the due date": phrase("{span} after the due date"),
    "{span} without an answer": phrase("{span} without an answer"),
    "{percent} % of the time until the due date has passed": phrase(
        "{percent} % of the time until the due date has passed"
    ),
    "all {count} reminders are used up": phrase("all {count} reminders are used up"),
    "all {count} overdue reminders are used up": phrase("all {count} reminders are used up"),
    "no reminder could be sent": phrase("no reminder could be sent"),
    "not opened {span} after they were asked": phrase("not opened {span} after they were asked"),
    "it is their turn": phrase("it is their turn"),
    "it is theirs to review": phrase("it is their turn"),
    "when its review is due": phrase("when its review is due"),
    "it is theirs": phrase("it is their turn"),
    "they can follow it at the desk": phrase("they can follow it at the desk"),
    "everybody has signed": phrase("everybody has signed"),
    "the due date has passed": phrase("the due date has passed"),
    "on the day of the due date": phrase("on the day of the due date"),
    "the list of people is final, and everybody is asked": phrase(
        "the list of people is final, and everybody is asked"
    ),
    "how many have not acknowledged yet, once a week": phrase("how many have not acknowledged yet, once a week"),
    "who of their people has not acknowledged yet": phrase("who of their people has not acknowledged yet"),
    "the record is made": phrase("the record is made"),
    "{span} after their turn came": phrase("{span} after they were asked"),
    "{person} was alerted": phrase("{name} was told"),
    "to {person}, the manager of {other}": phrase("to {name}, the manager of {other}"),
    "to {person}, the delegate of {other}, who is absent": phrase("to {name}, the delegate of {other}, who is away"),
    "to {person}, {role}": phrase("to {name}, who is named for it"),
    "nobody is left to act, so the requester is told": phrase("nobody else is left, so whoever asked is told"),
    "{person} is absent, so the delegate is asked from the start": phrase(
        "{name} is away, so the delegate is asked from the start"
    ),
    "moved earlier, so that a working day is left to act": phrase("earlier, so that a working day is left to act"),
    "not before they have had {span} since their last notice": phrase(
        "not before they have had {span} since their last notice"
    ),
    "moved from {when}: {because}": phrase("moved from {when}: {because}"),
    "put off from {when}: {because}": phrase("moved from {when}: {because}"),
    "moved earlier from {when}: {because}": phrase("moved from {when}: {because}"),
    "outside {hours}": phrase("outside {hours}"),
    "not a working day": phrase("not a working day"),
    "a public holiday ({holiday})": phrase("a public holiday ({holiday})"),
    "they are absent": phrase("they are away"),
    "no open hours before {end}": phrase("there are no more hours of theirs before that"),
    "after the due date": phrase("after the due date"),
    "a last warning comes within the hour": phrase("a last warning comes within the hour"),
    "the warning nearer to the due date comes by then or within the hour": phrase("a later warning says the same"),
    "they had a notice less than {span} before": phrase("they had a notice less than {span} before"),
}
"""By the planner's sentence, with what varies in braces; a longer sentence stands before one that matches it too."""
_SPANS: Final[Mapping[str, Callable[[Language, int], str]]] = {
    "minute": lambda it, n: it.say_count("{count} minute", "{count} minutes", n),
    "hour": lambda it, n: it.say_count("{count} hour", "{count} hours", n),
    "day": lambda it, n: it.say_count("{count} day", "{count} days", n),
    "week": lambda it, n: it.say_count("{count} week", "{count} weeks", n),
}
_FORMS: Final = {
    "span": r"[0-9]+ (?:minute|hour|day|week)s?",
    "person": r"[A-Za-z0-9._:-]+",
    "other": r"[A-Za-z0-9._-]+",
}
REASONS: Final = re.compile(r"; |: (?=to |nobody is left)|, (?=moved |put off |not before )")
"""Where the planner has put two reasons together."""


def _pattern(sentence: str) -> re.Pattern[str]:
    parts = Formatter().parse(sentence)
    return re.compile("".join(re.escape(text) + (_group(name) if name else "") for text, name, *_ in parts))


def _group(name: str) -> str:
    return f"(?P<{name}>{_FORMS.get(name, '.+')})"


_PATTERNS: Final = tuple((_pattern(sentence), words) for sentence, words in _REASONS.items())


async def reason_in(language: Language, why: str, known: Mapping[str, str], names: PeopleNames) -> str:
    """A reason of a planned notice; what is not known of it stays as it is. `known` are names beside the directory."""
    texts = [await _part(language, part, known, names) for part in REASONS.split(why)]
    return "; ".join(texts)


async def _part(language: Language, part: str, known: Mapping[str, str], names: PeopleNames) -> str:
    found = next(((match, words) for pattern, words in _PATTERNS if (match := pattern.fullmatch(part))), None)
    if found is None:
        return part
    match, words = found
    values = dict(_values(language, match.groupdict()))
    if because := values.get("because"):
        values["because"] = await _part(language, because, known, names)
    for field, name in (("person", "name"), ("other", "other")):
        if id := match.groupdict().get(field):
            values[name] = known.get(id) or await names.of(id)
    return language.say(words, **values)


def _values(language: Language, found: Mapping[str, str]) -> Iterator[tuple[str, str]]:
    for name, text in found.items():
        yield name, span_in(language, text) if name == "span" else text


def span_in(language: Language, span: str) -> str:
    """`3 days`, in a language."""
    count, _, unit = span.partition(" ")
    return _SPANS[unit.removesuffix("s")](language, int(count))
