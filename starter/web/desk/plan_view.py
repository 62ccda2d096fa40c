"""A plan as a calendar of weeks, with a list of its notices beside it: who hears when, and why. On the reader's clock;
another clock of whoever is told stands behind it.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime, timedelta
from typing import Any, Final
from zoneinfo import ZoneInfo

from babel.dates import format_skeleton, get_day_names

from activities.people.language import phrase
from activities.people.person import SignersFile
from activities.people.reader import Reader
from starter.plan.calendar import PlanLine, RequestPlan
from starter.plan.campaign import DUE, EVERYBODY, MANAGERS, CampaignPlan
from starter.plan.rehearsal import APPROVED, SIGNED
from starter.plan.task import TaskPlan
from starter.plan.weeks import mondays_of, sort_of
from starter.web.desk.follow_up_text import REASON_TEXTS
from starter.web.desk.plan_words import reasons_text, span_text
from starter.web.desk.responses import PeopleNames
from starter.web.desk.sessions import Visitor
from workflows.follow_up.notification_types import NotificationType
from workflows.model.messages import Message
from workflows.model.notifications import Channel

WEEKS_AT_MOST: Final = 30
"""Weeks in which something happens; what comes later is counted."""
SHOWN_AT_MOST: Final = 150
"""Notices of one calendar."""
UNFOLDED: Final = 5
"""Rows of a list that are seen at once; the others are folded."""
_SERIES_FROM: Final = 3
"""So many equal notices are one row."""
_DUE: Final = "due"
_CLOSES: Final = "closes"
_EXPIRY: Final = "expiry"
"""The stage of the planner in which it closes."""
_SORTS: Final = {
    "ready": phrase("Asked"),
    "reminder": phrase("Reminder"),
    "last warning": phrase("Last warning"),
    "overdue": phrase("Overdue"),
    "escalation": phrase("Escalation"),
    SIGNED: phrase("Signs"),
    APPROVED: phrase("Approves"),
    "told": phrase("Information"),
    _DUE: phrase("Due"),
    _CLOSES: phrase("Closes"),
}
"""The words for a sort of notice (`sort_of`); the due date is one more."""
_LOOKS: Final = {"last warning": "warning", APPROVED: SIGNED}


_CHANNELS: Final = {
    Channel.MAIL: phrase("by e-mail"),
    Channel.SMS: phrase("by text message"),
}


@dataclass(frozen=True)
class Notice:
    """`number` is unique on the page, `elsewhere` the clock of whoever is told; `suppressed` is why it is not sent."""

    number: int
    at: datetime
    day: date
    clock: str
    sort: str
    says: str
    to: str
    why: str
    elsewhere: str = ""
    suppressed: str = ""
    series: str = ""
    """Of several equal ones: how often, until when."""

    @property
    def look(self) -> str:
        return _LOOKS.get(self.sort, self.sort)


@dataclass(frozen=True)
class CalendarDay:
    day: date
    says: str
    """Its number; with the month where that is not plain."""
    works: bool
    notices: tuple[Notice, ...]


@dataclass(frozen=True)
class Week:
    """Seven days; `quiet` weeks before it have nothing new in them."""

    days: tuple[CalendarDay, ...]
    quiet: int = 0


@dataclass(frozen=True)
class PlanCalendar:
    """`heading` says what is assumed, `hidden_count` counts notices that are left out."""

    heading: str
    weeks: tuple[Week, ...]
    days: tuple[tuple[str, tuple[Notice, ...]], ...]
    """The days of the first notices, for reading one after the other."""
    folded: tuple[tuple[str, tuple[Notice, ...]], ...]
    """Those of the others."""
    folded_count: int
    hidden_count: int


class PlanView:
    def __init__(self, visitor: Visitor, names: PeopleNames) -> None:
        self._reader = visitor.reader
        self._names = names
        self._number = 0

    async def of_request(self, plan: RequestPlan, in_full: bytes | None, *, reviewed: bool) -> dict[str, Any]:
        """`in_full` are people described in full, as they are stored; `reviewed` is whether it has reviewers."""
        say, names = self._reader.language.say, _people(in_full)
        first, *branches = plan.branches
        # As long as nobody reviews it there is no day by which it is to be signed.
        due_at = None if reviewed else plan.due_at
        heading = say("If nobody reviews it") if reviewed else say("If nobody acts")
        calendars = [await self._calendar(heading, first.lines, due_at, names)]
        named = [
            (say("If the others sign two days after they are asked"), branch) for branch in branches[reviewed:][-1:]
        ]
        if reviewed:
            named.insert(0, (say("If it is approved when its review is due, and nobody signs"), branches[0]))
        calendars += [await self._calendar(heading, branch.lines, plan.due_at, names) for heading, branch in named]
        say_channel = {person: say(_CHANNELS[channel]) for person, channel in plan.channels.items()}
        channels = [(names.get(id) or await self._names.name_of(id), by) for id, by in say_channel.items()]
        return {"calendars": calendars, **self._common(plan.due_at), "channels": channels}

    async def of_task(self, plan: TaskPlan, in_full: bytes | None) -> dict[str, Any]:
        heading = self._reader.language.say("If nobody acts")
        calendar = await self._calendar(heading, plan.lines, plan.due_at, _people(in_full))
        return {"calendars": [calendar], **self._common(plan.due_at)}

    async def of_campaign(self, plan: CampaignPlan) -> dict[str, Any]:
        """Who hears when, as most of its people do."""
        say_count = self._reader.language.say_count
        heading = say_count(
            "What {count} person hears who never acknowledges, and what is told of the campaign",
            "What each of {count} people hears who never acknowledges, and what is told of the campaign",
            plan.alike,
        )
        say = self._reader.language.say
        most_people = next((line.to for line in plan.lines if line.stage == NotificationType.READY), EVERYBODY)
        names = {most_people: say("each of them"), EVERYBODY: say("everybody"), MANAGERS: say("managers")}
        lines = [line for line in plan.lines if line.stage != DUE]
        calendar = await self._calendar(heading, lines, plan.due_at, names)
        return {"calendars": [calendar], **self._common(plan.due_at)}

    def _common(self, due_at: datetime) -> dict[str, Any]:
        language = self._reader.language
        names = get_day_names("abbreviated", locale=language.locale)
        sorts = [(_LOOKS.get(sort, sort), language.say(label)) for sort, label in _SORTS.items()]
        return {
            "channels": (),
            "weekdays": [names[number] for number in range(7)],
            "sorts": sorts,
            "city": self._reader.zone_name(due_at),
        }

    async def _calendar(
        self, heading: str, lines: Sequence[PlanLine], due_at: datetime | None, known_names: dict[str, str]
    ) -> PlanCalendar:
        notices = [(line, await self._notice(line, known_names)) for line in lines[:SHOWN_AT_MOST]]
        rows = [*self._in_series(notices), *([self._due(due_at)] if due_at else ())]
        rows.sort(key=lambda row: (row.at, row.sort != _DUE))
        return PlanCalendar(
            heading,
            tuple(_weeks(_by_day(rows), self._reader)),
            self._days(rows[:UNFOLDED]),
            self._days(rows[UNFOLDED:]),
            len(rows[UNFOLDED:]),
            max(0, len(lines) - SHOWN_AT_MOST),
        )

    def _days(self, rows: Sequence[Notice]) -> tuple[tuple[str, tuple[Notice, ...]], ...]:
        return tuple((self._reader.date(day), tuple(notices)) for day, notices in _by_day(rows).items())

    def _in_series(self, notices: Sequence[tuple[PlanLine, Notice]]) -> Iterator[Notice]:
        """Equal notices of what is overdue, and of how it goes, as one with its last day."""
        series: dict[tuple[str, ...], list[tuple[PlanLine, Notice]]] = {}
        for line, notice in notices:
            together = notice.sort in ("overdue", "told") and not notice.suppressed
            key = (notice.sort, line.to, str(line.reasons[0])) if together else (str(notice.number),)
            series.setdefault(key, []).append((line, notice))
        for dates in series.values():
            if len(dates) < _SERIES_FROM:
                yield from (notice for _, notice in dates)
            else:
                first, last = dates[0][1], dates[-1][1]
                unmoved = min(dates, key=lambda pair: len(pair[0].reasons))
                sentence = self._series(unmoved[0].reasons[0], len(dates), last.day)
                yield replace(first, why=unmoved[1].why, series=sentence)

    def _series(self, reason: Message, count: int, last: date) -> str:
        language, day = self._reader.language, self._reader.date(last)
        if interval := reason.values.get("span"):
            return language.say("every {span} until {day}", span=span_text(language, str(interval)), day=day)
        return language.say_count("{count} time until {day}", "{count} times until {day}", count, day=day)

    async def _notice(self, line: PlanLine, known_names: dict[str, str]) -> Notice:
        reader, language = self._reader, self._reader.language
        sort = _CLOSES if line.stage == _EXPIRY else APPROVED if line.stage == APPROVED else sort_of(line.stage)
        suppressed = REASON_TEXTS.get(line.suppressed) if line.suppressed else None
        self._number += 1
        return Notice(
            self._number,
            line.at,
            reader.day(line.at),
            reader.clock(line.at),
            sort,
            language.say(_SORTS[sort]),
            known_names.get(line.to) or await self._names.name_of(line.to),
            await reasons_text(reader, line.reasons, known_names, self._names),
            _elsewhere(line, reader),
            language.say(suppressed) if suppressed else "",
        )

    def _due(self, instant: datetime) -> Notice:
        self._number += 1
        label = self._reader.language.say(_SORTS[_DUE])
        return Notice(
            self._number, instant, self._reader.day(instant), self._reader.clock(instant), _DUE, label, "", ""
        )


def _by_day(notices: Iterable[Notice]) -> dict[date, list[Notice]]:
    days: dict[date, list[Notice]] = {}
    for notice in notices:
        days.setdefault(notice.day, []).append(notice)
    return days


def _people(in_full: bytes | None) -> dict[str, str]:
    """Names of people described in full by their ids, which no directory has yet."""
    signers = SignersFile.model_validate_json(in_full).signers if in_full else {}
    return {id: person.name for id, person in signers.items()}


def _elsewhere(line: PlanLine, reader: Reader) -> str:
    theirs = ZoneInfo(line.zone)
    if line.at.astimezone(theirs).utcoffset() == line.at.astimezone(reader.zone).utcoffset():
        return ""
    their_reader = Reader(reader.language, theirs, reader.works)
    clock = (
        their_reader.shortly(line.at, line.at)
        if their_reader.day(line.at) != reader.day(line.at)
        else their_reader.clock(line.at)
    )
    return f"{clock} ({their_reader.zone_name(line.at)})"


def _weeks(by_day: dict[date, list[Notice]], reader: Reader) -> Iterator[Week]:
    previous: date | None = None
    for monday in mondays_of(by_day)[:WEEKS_AT_MOST]:
        days = [monday + timedelta(days=number) for number in range(7)]
        quiet = (monday - previous).days // 7 - 1 if previous else 0
        calendar_days = tuple(
            _day(day, by_day.get(day, ()), reader, previous is None and day == monday) for day in days
        )
        yield Week(calendar_days, quiet)
        previous = monday


def _day(day: date, notices: Iterable[Notice], reader: Reader, first: bool) -> CalendarDay:
    monthly = first or day.day == 1
    label = format_skeleton("MMMd", day, locale=reader.language.locale) if monthly else str(day.day)
    return CalendarDay(day, label, reader.works(day), tuple(notices))
