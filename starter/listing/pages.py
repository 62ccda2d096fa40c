"""Requests page by page: what is overdue stands first, and a cursor leads on from where a page ended.

Visibility sorts nothing, so a set of up to `SORTED_AT_MOST` is read whole and sorted here; a larger one comes in the
server's order (newest first, what is open before what has closed), asked for in two parts.
"""

import asyncio
import base64
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from enum import StrEnum
from typing import Final

from pydantic import AwareDatetime, Field, ValidationError
from temporalio.client import Client
from temporalio.service import RPCError, RPCStatusCode

from activities import runs
from activities.runs import Run
from starter.context import Context
from starter.error_types import Refusal
from starter.listing.dead import DEAD_AT_ONCE, dead_ids, dead_lines, still_open
from starter.listing.query import Lateness, Wanted
from starter.listing.rows import RequestLine, by_person, by_urgency, line_of
from workflows.model.base import Model

SORTED_AT_MOST: Final = 1_000
"""Requests of a set that is sorted; the most runs that a server gives in one page."""
_CURSOR_AT_MOST: Final = 4_096
_TOKEN_UNREAD: Final = (RPCStatusCode.INVALID_ARGUMENT, RPCStatusCode.UNKNOWN)
_NO_CURSOR: Final = "this is not where a page of the list ended: begin at its first page"


class LinesPage(Model):
    """Some lines, and the cursor of those that follow, None after the last.

    `total` is how many there are in all, about: what was reset or died is only known when it is read. `in_order` says
    whether the whole set is sorted by urgency, not only what is overdue before the rest.
    """

    lines: tuple[RequestLine, ...]
    cursor: str | None
    total: int
    in_order: bool


class _Part(StrEnum):
    SORTED = "sorted"
    OVERDUE = "overdue"
    IN_TIME = "in time"
    DEAD = "dead"


class _Cursor(Model):
    """Where a page ended, as of which instant, so that nothing moves between the parts meanwhile."""

    at: AwareDatetime
    part: _Part
    token: str = ""
    """The server's, in base64."""
    offset: int = Field(default=0, ge=0)
    total: int = 0

    def written(self) -> str:
        return base64.urlsafe_b64encode(self.model_dump_json(exclude_defaults=True).encode()).decode()

    @classmethod
    def read(cls, written: str) -> "_Cursor":
        try:
            return cls.model_validate_json(base64.urlsafe_b64decode(written[:_CURSOR_AT_MOST]))
        except (ValidationError, ValueError):
            raise Refusal(_NO_CURSOR) from None


_Read = tuple[list[RequestLine], _Cursor | None, int]
"""Lines, where those stand that follow, and how many there are in all."""


async def page(
    context: Context, wanted: Wanted, *, size: int = 50, cursor: str | None = None, now: datetime | None = None
) -> LinesPage:
    """Up to `size` lines from the start, or from where a page ended; a page may have fewer, also before the last.

    `Refusal` for a cursor that no page gave.
    """
    at = _Cursor.read(cursor) if cursor else await _start(context, wanted, now or datetime.now(UTC))
    try:
        lines, following, total = await _READ[at.part](context, wanted, at, min(size, SORTED_AT_MOST))
        while not lines and following is not None:
            lines, following, total = await _READ[following.part](context, wanted, following, min(size, SORTED_AT_MOST))
    except (RPCError, ValueError, OverflowError) as error:
        if cursor and (not isinstance(error, RPCError) or error.status in _TOKEN_UNREAD):
            raise Refusal(_NO_CURSOR) from error
        raise
    written = following.written() if following else None
    return LinesPage(lines=tuple(lines), cursor=written, total=total, in_order=at.part is _Part.SORTED)


async def everything(context: Context, wanted: Wanted, *, now: datetime | None = None) -> AsyncIterator[RequestLine]:
    """All lines, read page by page."""
    cursor = None
    while True:
        found = await page(context, wanted, size=SORTED_AT_MOST, cursor=cursor, now=now)
        for line in found.lines:
            yield line
        if (cursor := found.cursor) is None:
            return


async def _start(context: Context, wanted: Wanted, now: datetime) -> _Cursor:
    known = (await context.client.count_workflows(await wanted.query(context.client, now))).count
    total = known + len(await dead_ids(context.store, wanted))
    return _Cursor(at=now, part=_Part.SORTED if known <= SORTED_AT_MOST else _Part.OVERDUE, total=total)


async def _sorted(context: Context, wanted: Wanted, at: _Cursor, size: int) -> _Read:
    found, _ = await runs.page_of(context.client, await wanted.query(context.client, at.at), size=SORTED_AT_MOST)
    living = by_urgency(await _last_runs(context.client, found), at.at)
    living = by_person(living, wanted.people) if wanted.by_person else living
    named = {run.id for run in living}
    dead = [one for one in await dead_ids(context.store, wanted) if one.workflow_id not in named]
    end = at.offset + size
    lines = [await line_of(run, at.at) for run in living[at.offset : end]]
    lines += await dead_lines(context.store, wanted, dead[max(0, at.offset - len(living)) : max(0, end - len(living))])
    total = len(living) + len(dead)
    return lines, at.replace(offset=end) if end < total else None, total


async def _of_the_server(context: Context, wanted: Wanted, at: _Cursor, size: int) -> _Read:
    """A page of one part; what follows it begins on a page of its own."""
    query = await wanted.query(context.client, at.at, Lateness(at.part))
    found, token = await runs.page_of(context.client, query, size=size, token=base64.b64decode(at.token))
    lines = [await line_of(run, at.at) for run in await _last_runs(context.client, found)]
    if token:
        return lines, at.replace(token=base64.b64encode(token).decode()), at.total
    following = at.replace(part=_following(at.part, wanted), token="")
    return lines, following if following.part is not _Part.DEAD or wanted.attention else None, at.total


def _following(part: _Part, wanted: Wanted) -> _Part:
    return _Part.IN_TIME if part is _Part.OVERDUE and not wanted.overdue else _Part.DEAD


async def _dead(context: Context, wanted: Wanted, at: _Cursor, size: int) -> _Read:
    ids, end = await dead_ids(context.store, wanted), at.offset + size
    here = ids[at.offset : end]
    named = await still_open(context.client, here)
    lines = await dead_lines(context.store, wanted, [one for one in here if one.workflow_id not in named])
    return lines, at.replace(offset=end) if end < len(ids) else None, at.total


_READ: Final = {
    _Part.SORTED: _sorted,
    _Part.OVERDUE: _of_the_server,
    _Part.IN_TIME: _of_the_server,
    _Part.DEAD: _dead,
}


async def _last_runs(client: Client, found: list[Run]) -> list[Run]:
    """Without those that a reset ended: it terminates the run that it takes the place of."""
    broken = [run for run in found if run.status.broken_off]
    last: set[str] = set()
    for first in range(0, len(broken), DEAD_AT_ONCE):
        chunk = broken[first : first + DEAD_AT_ONCE]
        answers = await asyncio.gather(*(_is_last_run(client, run) for run in chunk))
        last |= {run.run_id for run, is_last in zip(chunk, answers, strict=True) if is_last}
    return [run for run in found if not run.status.broken_off or run.run_id in last]


async def _is_last_run(client: Client, run: Run) -> bool:
    try:
        return (await runs.described(client, run.id)).run_id == run.run_id
    except RPCError as error:
        if error.status is RPCStatusCode.NOT_FOUND:
            return True  # Its retention is over; the list hears of that later.
        raise
