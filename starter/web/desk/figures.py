"""How it runs: the page of figures, and the same as a file, for owners, managers and operators."""

import asyncio
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from babel.numbers import format_decimal
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Route

from activities.metrics import Brought, Holder
from activities.people.language import Language, phrase
from activities.records.figures import GroupBy
from starter.errors import Refusal
from starter.queries.charts import DURATIONS_TITLE, durations_chart
from starter.queries.figures import (
    FEWEST,
    FigureQuery,
    Figures,
    FiguresLine,
    Measures,
    TypeFigures,
    gather_figures,
    spreadsheet,
)
from starter.web.acting.kinds import KIND_PAGES
from starter.web.desk.responses import PeopleNames, RequestContext
from starter.web.desk.sessions import Visitor
from starter.web.figures import FiguresAccess, wanted_of
from starter.web.screens.rendering import Tab
from workflows.follow_up.notification_types import NotificationType, numbered
from workflows.kinds import Kind

GATHERED_AT_ONCE: Final = 2
"""Pages whose figures are counted at a time; others wait for their turn."""
_PATH: Final = "figures"
_LABEL: Final = phrase("How it runs")
_BYTE_ORDER_MARK: Final = "\N{ZERO WIDTH NO-BREAK SPACE}"
_MINUTE, _HOUR, _DAY = 60, 3_600, 86_400
GROUPS: Final[Mapping[GroupBy, str]] = {
    GroupBy.KIND: phrase("Kind"),
    GroupBy.DEPARTMENT: phrase("Department"),
    GroupBy.MONTH: phrase("Month"),
}
HOLDERS: Final[Mapping[Holder, str]] = {
    Holder.SIGNER: phrase("whoever is asked"),
    Holder.REVIEWER: phrase("reviewers"),
    Holder.REQUESTER: phrase("the requester's answer"),
    Holder.US: phrase("us: paused, or something of ours was wrong"),
    Holder.PROVIDER: phrase("Core Signature: it prepared the document, or did not answer"),
}
NOTICES: Final[Mapping[NotificationType, str]] = {
    NotificationType.READY: phrase("the first notice"),
    NotificationType.SNOOZE: phrase("a reminder at the time they wished"),
    NotificationType.FALLBACK: phrase("an email or SMS, because the push was not opened"),
    NotificationType.OVERDUE: phrase("a reminder after the due date"),
    NotificationType.ESCALATED: phrase("the notice that somebody else was asked to see to it"),
    NotificationType.ANSWER: phrase("the answer to their question"),
    NotificationType.MAIL: phrase("an email from Core Signature"),
    NotificationType.LINK: phrase("their link once more"),
}
_ENDINGS: Final = (
    ("late", phrase("late")),
    ("declined", phrase("declined")),
    ("expired", phrase("expired")),
    ("waived", phrase("waived")),
    ("cancelled", phrase("cancelled")),
    ("failed", phrase("failed")),
)


@dataclass(frozen=True)
class ComparedFigure:
    """A figure, and that of the period before; empty where there is none."""

    now: str
    before: str = ""


@dataclass(frozen=True)
class Share:
    """A bar: `share` from 0 to 1."""

    name: str
    share: float
    figures: ComparedFigure


@dataclass(frozen=True)
class LineRow:
    """A kind, department or month."""

    name: str
    ended_figures: ComparedFigure
    in_time: ComparedFigure
    otherwise: str
    half: ComparedFigure
    nine_of_ten: ComparedFigure


@dataclass(frozen=True)
class TypeSection:
    """All of a type: requests, tasks, …"""

    heading: str
    rows: tuple[LineRow, ...]
    more_groups: int
    lost: tuple[Share, ...]
    notices: tuple[Share, ...]
    escalations: str


class FiguresPages:
    def __init__(self, shared: RequestContext) -> None:
        self._shared = shared
        self._responses = shared.responses
        self._turn = asyncio.Semaphore(GATHERED_AT_ONCE)

    def routes(self) -> list[BaseRoute]:
        visitors = self._responses.visitors
        return [
            Route(f"/desk/{_PATH}", visitors(self.show), methods=["GET"]),
            Route(f"/desk/{_PATH}/csv", visitors(self.csv), methods=["GET"]),
        ]

    async def tabs(self, visitor: Visitor, current_page: str) -> tuple[Tab, ...]:
        """For managers, operators, and whoever asked for something that has ended."""
        role = await self._shared.roles.role_of(visitor.id)
        store = self._shared.context.store
        if not (role.operator or role.reports or await store.figures.has_asked(role.known_as)):
            return ()
        return (Tab(_PATH, visitor.reader.language.say(_LABEL), current_page == _PATH),)

    async def show(self, request: Request, visitor: Visitor) -> Response:
        language, refusal, counted = visitor.reader.language, "", None
        query = FigureQuery()
        try:
            query = wanted_of(request.query_params)
            counted = await self._gathered(query, visitor)
        except Refusal:
            refusal = language.say("These days cannot be counted: look at the first and the last one.")
        kinds = await self._shared.kinds.labels(language)
        return self._responses.renderer.page(
            "figures.html",
            language,
            frame=await self._responses.frame(visitor, _PATH),
            status=400 if refusal else 200,
            refusal=refusal,
            found=counted,
            period=_period(counted, visitor) if counted else "",
            wanted=query,
            given=request.query_params,
            query=request.url.query,
            ways=[(group_by.value, language.say(label)) for group_by, label in GROUPS.items()],
            kinds=kinds,
            fewest=FEWEST,
            chart_title=language.say(DURATIONS_TITLE),
            sections=[_Teller(language, dict(kinds), counted).section(type_figures) for type_figures in counted.types]
            if counted
            else [],
            reach=_reach(counted, language) if counted else [],
            weeks=_weeks(counted, visitor) if counted else [],
            unreached=await self._list_unreached(counted, visitor) if counted else [],
            chart=durations_chart(counted, _Teller(language, dict(kinds), counted).named, language) if counted else "",
        )

    async def csv(self, request: Request, visitor: Visitor) -> Response:
        try:
            counted = await self._gathered(wanted_of(request.query_params), visitor)
        except Refusal:
            return self._responses.renderer.to_desk(f"{_PATH}?{request.url.query}")
        name = f"countersign-figures-{counted.since}-{counted.until}.csv"
        headers = {**self._responses.renderer.headers, "content-disposition": f'attachment; filename="{name}"'}
        return Response(_BYTE_ORDER_MARK + spreadsheet(counted), media_type="text/csv; charset=utf-8", headers=headers)

    async def _list_unreached(self, counted: Figures, visitor: Visitor) -> list[tuple[str, str]]:
        """Names, and what of their devices."""
        names, reader = PeopleNames(self._shared.directory), visitor.reader
        return [
            (
                await names.name_of(person.person),
                reader.language.say(
                    "the last device is invalid since {date}", date=reader.date(person.invalid_since.date())
                )
                if person.invalid_since
                else reader.language.say("no device yet"),
            )
            for person in counted.unreached
        ]

    async def _gathered(self, query: FigureQuery, visitor: Visitor) -> Figures:
        access = FiguresAccess.of_role(await self._shared.roles.role_of(visitor.id))
        store, directory = self._shared.context.store, self._shared.directory
        async with self._turn:
            return await gather_figures(
                store, directory, query, self._shared.clock(), scope=access.scope, reach_of=access.reach
            )


@dataclass(frozen=True)
class _Teller:
    """Tells figures in a language."""

    language: Language
    kinds: Mapping[str, str]
    figures: Figures

    def section(self, type_figures: TypeFigures) -> TypeSection:
        return TypeSection(
            heading=_heading(type_figures.type, self.language),
            rows=tuple(self._row(type_figures, line) for line in (type_figures.total, *type_figures.groups)),
            more_groups=type_figures.more_groups,
            lost=tuple(self._lost(type_figures)),
            notices=tuple(self._notices(type_figures)),
            escalations=self._escalations(type_figures),
        )

    def named(self, type_figures: TypeFigures, line: FiguresLine) -> str:
        say = self.language.say
        if line is type_figures.total:
            return _heading(type_figures.type, self.language)
        match self.figures.by:
            case GroupBy.KIND:
                return self.kinds.get(line.group, line.group)
            case GroupBy.DEPARTMENT:
                return line.group or say("without a department")
        return line.group

    def _row(self, type_figures: TypeFigures, line: FiguresLine) -> LineRow:
        now, previous = line.now, line.before
        shares = (
            f"{self.language.say(label)} {self._percent(now, getattr(now, name))}"
            for name, label in _ENDINGS
            if getattr(now, name)
        )
        return LineRow(
            name=self.language.say("All") if line is type_figures.total else self.named(type_figures, line),
            ended_figures=ComparedFigure(f"{now.ended:,}", f"{previous.ended:,}"),
            in_time=ComparedFigure(self._percent(now, now.in_time), self._percent(previous, previous.in_time)),
            otherwise=", ".join(shares),
            half=ComparedFigure(self._time(now, now.median_seconds), self._time(previous, previous.median_seconds)),
            nine_of_ten=ComparedFigure(self._time(now, now.p90_seconds), self._time(previous, previous.p90_seconds)),
        )

    def _lost(self, type_figures: TypeFigures) -> Iterator[Share]:
        previous_shares = {lost.holder: lost.share for lost in type_figures.total.before.lost}
        for lost in type_figures.total.now.lost:
            earlier = previous_shares.get(lost.holder)
            figures = ComparedFigure(_percent(lost.share), "" if earlier is None else _percent(earlier))
            yield Share(self.language.say(HOLDERS[lost.holder]), lost.share, figures)

    def _notices(self, type_figures: TypeFigures) -> Iterator[Share]:
        total = sum(line.now for line in type_figures.notices)
        for line in type_figures.notices:
            figures = ComparedFigure(f"{line.now:,}", f"{line.before:,}")
            yield Share(_notice(line.notice, self.language), line.now / total, figures)

    def _escalations(self, type_figures: TypeFigures) -> str:
        escalations, previous = type_figures.escalations, type_figures.escalations_before
        if not escalations.escalated:
            return ""
        say, say_count = self.language.say, self.language.say_count
        count = say_count("{count} was escalated", "{count} were escalated", escalations.escalated)
        earlier = say("before: {figure}", figure=previous.escalated)
        acted = say(
            "The alternate acted in {alternate}, the silent person after all in {signer}, nobody in {nobody}.",
            alternate=getattr(escalations, Brought.ALTERNATE),
            signer=getattr(escalations, Brought.SIGNER),
            nobody=getattr(escalations, Brought.NOBODY),
        )
        sentence = f"{count} ({earlier}). {acted}"
        if escalations.median_seconds is not None:
            sentence += " " + say("Half of them acted within {time}.", time=self.long(escalations.median_seconds))
        return sentence

    def _percent(self, measures: Measures, count: int) -> str:
        share = measures.share(count)
        return "" if share is None else _percent(share)

    def _time(self, measures: Measures, seconds: float | None) -> str:
        if measures.few:
            return self.language.say("fewer than {count}", count=FEWEST)
        return "" if seconds is None else self.long(seconds)

    def long(self, seconds: float) -> str:
        """`2.1 days`, `5 hours`, `12 minutes`."""
        say_count = self.language.say_count
        if seconds >= 2 * _DAY:
            days = format_decimal(round(seconds / _DAY, 1), locale=self.language.locale)
            return self.language.say("{days} days", days=days)
        if seconds >= 2 * _HOUR:
            return say_count("{count} hour", "{count} hours", round(seconds / _HOUR))
        return self.language.say("{minutes} min", minutes=round(seconds / _MINUTE))


def _percent(share: float) -> str:
    return f"{share:.0%}".replace("%", " %")


def _heading(kind: Kind, language: Language) -> str:
    return language.say(KIND_PAGES[kind].many_phrase or kind)


def _notice(name: str, language: Language) -> str:
    if name == f"{NotificationType.REMINDER}-manual":
        return language.say("a reminder that somebody asked for")
    series, _, ahead = name.partition("-")
    if series == NotificationType.REMINDER:
        return language.say("reminder {number}", number=numbered(name)[1])
    if series == NotificationType.WARNING:
        return language.say("the last warning, {ahead} before", ahead=ahead)
    return language.say(NOTICES[NotificationType(name)]) if name in list(NotificationType) else name


def _period(counted: Figures, visitor: Visitor) -> str:
    days = {
        "since": visitor.reader.date(counted.since),
        "until": visitor.reader.date(counted.until),
        "before_since": visitor.reader.date(counted.before_since),
        "before_until": visitor.reader.date(counted.before_until),
    }
    return visitor.reader.language.say(
        "What ended from {since} to {until}; before: from {before_since} to {before_until}.",
        **days,
    )


def _reach(counted: Figures, language: Language) -> Sequence[Share]:
    return [
        Share(
            line.department or language.say("without a department"),
            line.living / line.people,
            ComparedFigure(language.say("{done} of {all}", done=line.living, all=line.people)),
        )
        for line in counted.reach
    ]


def _weeks(counted: Figures, visitor: Visitor) -> Sequence[Share]:
    say = visitor.reader.language.say
    return [
        Share(
            " · ".join(filter(None, (visitor.reader.date(line.week), line.department))),
            line.reached / line.accepted,
            ComparedFigure(say("{done} of {all}", done=line.reached, all=line.accepted)),
        )
        for line in counted.list_weeks()
    ]
