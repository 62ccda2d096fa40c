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
    Figures,
    FiguresLine,
    FiguresWanted,
    Measures,
    TypeFigures,
    gather_figures,
    spreadsheet,
)
from starter.web.acting.kinds import KIND_PAGES
from starter.web.desk.responses import RequestContext
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
class Beside:
    """A figure, and that of the period before; empty where there is none."""

    now: str
    before: str = ""


@dataclass(frozen=True)
class Share:
    """A bar: `share` from 0 to 1."""

    name: str
    share: float
    said: Beside


@dataclass(frozen=True)
class LineRow:
    """A kind, department or month."""

    name: str
    ended: Beside
    in_time: Beside
    otherwise: str
    half: Beside
    nine_of_ten: Beside


@dataclass(frozen=True)
class TypeSection:
    """All of a type: requests, tasks, …"""

    heading: str
    rows: tuple[LineRow, ...]
    more: int
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

    async def tabs(self, visitor: Visitor, here: str) -> tuple[Tab, ...]:
        """For managers, operators, and whoever asked for something that has ended."""
        role = await self._shared.roles.of(visitor.id)
        store = self._shared.context.store
        if not (role.operator or role.reports or await store.figures.has_asked(role.known_as)):
            return ()
        return (Tab(_PATH, visitor.reader.language.say(_LABEL), here == _PATH),)

    async def show(self, request: Request, visitor: Visitor) -> Response:
        language, refusal, found = visitor.reader.language, "", None
        wanted = FiguresWanted()
        try:
            wanted = wanted_of(request.query_params)
            found = await self._gathered(wanted, visitor)
        except Refusal:
            refusal = language.say("These days cannot be counted: look at the first and the last one.")
        kinds = await self._shared.kinds.labels(language)
        return self._responses.renderer.page(
            "figures.html",
            language,
            frame=await self._responses.frame(visitor, _PATH),
            status=400 if refusal else 200,
            refusal=refusal,
            found=found,
            period=_period(found, visitor) if found else "",
            wanted=wanted,
            given=request.query_params,
            query=request.url.query,
            ways=[(by.value, language.say(words)) for by, words in GROUPS.items()],
            kinds=kinds,
            fewest=FEWEST,
            chart_title=language.say(DURATIONS_TITLE),
            sections=[_Teller(language, dict(kinds), found).section(one) for one in found.types] if found else [],
            reach=_reach(found, language) if found else [],
            chart=durations_chart(found, _Teller(language, dict(kinds), found).named, language) if found else "",
        )

    async def csv(self, request: Request, visitor: Visitor) -> Response:
        try:
            found = await self._gathered(wanted_of(request.query_params), visitor)
        except Refusal:
            return self._responses.renderer.to_desk(f"{_PATH}?{request.url.query}")
        name = f"countersign-figures-{found.since}-{found.until}.csv"
        headers = {**self._responses.renderer.headers, "content-disposition": f'attachment; filename="{name}"'}
        return Response(_BYTE_ORDER_MARK + spreadsheet(found), media_type="text/csv; charset=utf-8", headers=headers)

    async def _gathered(self, wanted: FiguresWanted, visitor: Visitor) -> Figures:
        access = FiguresAccess.of(await self._shared.roles.of(visitor.id))
        store, directory = self._shared.context.store, self._shared.directory
        async with self._turn:
            return await gather_figures(
                store, directory, wanted, self._shared.clock(), scope=access.scope, reach_of=access.reach
            )


@dataclass(frozen=True)
class _Teller:
    """Tells figures in a language."""

    language: Language
    kinds: Mapping[str, str]
    found: Figures

    def section(self, one: TypeFigures) -> TypeSection:
        return TypeSection(
            heading=_heading(one.type, self.language),
            rows=tuple(self._row(one, line) for line in (one.total, *one.groups)),
            more=one.more_groups,
            lost=tuple(self._lost(one)),
            notices=tuple(self._notices(one)),
            escalations=self._escalations(one),
        )

    def named(self, one: TypeFigures, line: FiguresLine) -> str:
        say = self.language.say
        if line is one.total:
            return _heading(one.type, self.language)
        match self.found.by:
            case GroupBy.KIND:
                return self.kinds.get(line.group, line.group)
            case GroupBy.DEPARTMENT:
                return line.group or say("without a department")
        return line.group

    def _row(self, one: TypeFigures, line: FiguresLine) -> LineRow:
        now, before = line.now, line.before
        words = (
            f"{self.language.say(word)} {self._percent(now, getattr(now, name))}"
            for name, word in _ENDINGS
            if getattr(now, name)
        )
        return LineRow(
            name=self.language.say("All") if line is one.total else self.named(one, line),
            ended=Beside(f"{now.ended:,}", f"{before.ended:,}"),
            in_time=Beside(self._percent(now, now.in_time), self._percent(before, before.in_time)),
            otherwise=", ".join(words),
            half=Beside(self._time(now, now.median_seconds), self._time(before, before.median_seconds)),
            nine_of_ten=Beside(self._time(now, now.p90_seconds), self._time(before, before.p90_seconds)),
        )

    def _lost(self, one: TypeFigures) -> Iterator[Share]:
        before = {lost.holder: lost.share for lost in one.total.before.lost}
        for lost in one.total.now.lost:
            earlier = before.get(lost.holder)
            said = Beside(_percent(lost.share), "" if earlier is None else _percent(earlier))
            yield Share(self.language.say(HOLDERS[lost.holder]), lost.share, said)

    def _notices(self, one: TypeFigures) -> Iterator[Share]:
        whole = sum(line.now for line in one.notices)
        for line in one.notices:
            said = Beside(f"{line.now:,}", f"{line.before:,}")
            yield Share(_notice(line.notice, self.language), line.now / whole, said)

    def _escalations(self, one: TypeFigures) -> str:
        came, before = one.escalations, one.escalations_before
        if not came.escalated:
            return ""
        say, say_count = self.language.say, self.language.say_count
        count = say_count("{count} was escalated", "{count} were escalated", came.escalated)
        earlier = say("before: {figure}", figure=before.escalated)
        acted = say(
            "The alternate acted in {alternate}, the silent person after all in {signer}, nobody in {nobody}.",
            alternate=getattr(came, Brought.ALTERNATE),
            signer=getattr(came, Brought.SIGNER),
            nobody=getattr(came, Brought.NOBODY),
        )
        said = f"{count} ({earlier}). {acted}"
        if came.median_seconds is not None:
            said += " " + say("Half of them acted within {time}.", time=self.long(came.median_seconds))
        return said

    def _percent(self, of: Measures, count: int) -> str:
        share = of.share(count)
        return "" if share is None else _percent(share)

    def _time(self, of: Measures, seconds: float | None) -> str:
        if of.few:
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
    return language.say(KIND_PAGES[kind].many or kind)


def _notice(name: str, language: Language) -> str:
    if name == f"{NotificationType.REMINDER}-manual":
        return language.say("a reminder that somebody asked for")
    series, _, rest = name.partition("-")
    if series == NotificationType.REMINDER:
        return language.say("reminder {number}", number=numbered(name)[1])
    if series == NotificationType.WARNING:
        return language.say("the last warning, {ahead} before", ahead=rest)
    return language.say(NOTICES[NotificationType(name)]) if name in list(NotificationType) else name


def _period(found: Figures, visitor: Visitor) -> str:
    days = {
        "since": visitor.reader.date(found.since),
        "until": visitor.reader.date(found.until),
        "before_since": visitor.reader.date(found.before_since),
        "before_until": visitor.reader.date(found.before_until),
    }
    return visitor.reader.language.say(
        "What ended from {since} to {until}; before: from {before_since} to {before_until}.",
        **days,
    )


def _reach(found: Figures, language: Language) -> Sequence[Share]:
    return [
        Share(
            line.department or language.say("without a department"),
            line.living / line.people,
            Beside(language.say("{done} of {all}", done=line.living, all=line.people)),
        )
        for line in found.reach
    ]
