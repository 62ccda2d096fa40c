"""The first page after signing in: what waits for somebody, what they wait for, what of it is late; in numbers and as a
picture. And what they may begin.
"""

import asyncio
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import timedelta
from typing import Final

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Route

from activities.people.language import Language, phrase
from activities.people.reader import Reader
from starter.queries import lists
from starter.queries.lists import LinesPage, RequestLine
from starter.web.desk.access import View
from starter.web.desk.drafts import DraftPages, DraftRow, NewButton
from starter.web.desk.fixed_screens import NOT_THERE
from starter.web.desk.lists import Filters, build_list_filter
from starter.web.desk.responses import RequestContext
from starter.web.desk.sessions import Visitor
from starter.web.rights import ReaderRole

_LEAVERS: Final = "leavers"
_SOON: Final = timedelta(days=7)
_LATE, _TODAY, _THIS_WEEK, _LATER = "late", "today", "soon", "later"
_WORDS: Final = {
    _LATE: phrase("{count} late"),
    _TODAY: phrase("{count} due today"),
    _THIS_WEEK: phrase("{count} due within a week"),
    _LATER: phrase("{count} later"),
}
WIDTH: Final = 100.0
"""Of the longest bar, in the picture's own measure."""


@dataclass(frozen=True)
class Part:
    """A part of a bar: where it begins, and how long it is."""

    look: str
    begin: float
    length: float
    says: str


@dataclass(frozen=True)
class Bar:
    """One side: `path` is its list, `late` how many of them are late; `more` if not all were counted."""

    label: str
    path: str
    count: int
    late: int
    has_further: bool
    parts: tuple[Part, ...]


@dataclass(frozen=True)
class OverviewRows:
    bars: tuple[Bar, ...]
    buttons: tuple[NewButton, ...]
    drafts: tuple[DraftRow, ...]
    held: int = 0
    """How many left the directory at once, for operators."""
    token: str = ""

    @property
    def late(self) -> int:
        return sum(bar.late for bar in self.bars)


class Overview:
    def __init__(self, shared: RequestContext, drafts: DraftPages) -> None:
        self._shared = shared
        self._drafts = drafts

    def routes(self) -> list[BaseRoute]:
        return [Route(f"/desk/{_LEAVERS}", self._shared.responses.acting(self.confirm), methods=["POST"])]

    async def confirm(self, _: Request, visitor: Visitor, __: dict[str, str]) -> Response:
        """That all those have left who left at once."""
        if not (await self._shared.roles.role_of(visitor.id)).operator:
            return await self._shared.responses.inside(NOT_THERE, visitor)
        await self._shared.context.store.directory.confirm_exodus()
        return self._shared.responses.renderer.to_desk()

    async def build(self, visitor: Visitor, role: ReaderRole) -> OverviewRows:
        now = self._shared.clock()
        waiting, requested = await asyncio.gather(
            *(self._open(view, visitor, role) for view in (View.WAITING, View.ASKED))
        )
        longest = max(waiting.total, requested.total, 1)
        say = visitor.reader.language.say
        bars = (
            self._bar(say("Waiting for you"), View.WAITING, waiting, longest, visitor),
            self._bar(say("Waiting for others"), View.ASKED, requested, longest, visitor),
        )
        held = (await self._shared.context.store.directory.exodus()).held if role.operator else 0
        token = self._shared.responses.guard.token(visitor.name) if held else ""
        buttons, drafts = await self._drafts.buttons(visitor), await self._drafts.rows(visitor, now)
        return OverviewRows(bars, buttons, drafts, held, token)

    async def _open(self, view: View, visitor: Visitor, role: ReaderRole) -> LinesPage:
        query = build_list_filter(view, visitor, role, Filters())
        return await lists.page(self._shared.context, query, size=lists.SORTED_AT_MOST, now=self._shared.clock())

    def _bar(self, label: str, view: View, page: LinesPage, longest: int, visitor: Visitor) -> Bar:
        counts = dict.fromkeys(_WORDS, 0)
        for look in self._looks(page.lines, visitor.reader):
            counts[look] += 1
        counts[_LATER] += page.total - len(page.lines)
        parts = tuple(_parts(counts, longest, visitor.reader.language))
        return Bar(label, view.value, page.total, counts[_LATE], page.more, parts)

    def _looks(self, lines: Iterable[RequestLine], reader: Reader) -> Iterator[str]:
        today = reader.day(self._shared.clock())
        for line in lines:
            due = line.last_day or (reader.day(line.due_at) if line.due_at else None)
            if line.overdue:
                yield _LATE
            elif due is None or due > today + _SOON:
                yield _LATER
            else:
                yield _TODAY if due <= today else _THIS_WEEK


def _parts(counts: dict[str, int], longest: int, language: Language) -> Iterator[Part]:
    begin = 0.0
    for look, count in counts.items():
        if count:
            length = WIDTH * count / longest
            yield Part(look, round(begin, 2), round(length, 2), language.say(_WORDS[look], count=count))
            begin += length
