"""Requests page by page, overdue ones first. Visibility does not sort: sets of up to `SORTED_AT_MOST` are sorted here;
larger ones keep the server's order (newest first, open before closed), in two queries.
"""

import asyncio
import base64
from collections import defaultdict
from collections.abc import AsyncIterator, Iterable
from datetime import UTC, date, datetime
from enum import StrEnum
from typing import Final

from pydantic import AwareDatetime, Field, ValidationError
from temporalio.client import Client
from temporalio.service import RPCError, RPCStatusCode

from activities.records.store import Store
from activities.temporal import executions
from activities.temporal.executions import Run, RunStatus
from starter.errors import Refusal
from starter.queries import lookup
from starter.queries.filters import IN_TROUBLE, SETTLED, Lateness, Wanted, among
from starter.temporal.codec import CodecError
from starter.temporal.connection import Context
from starter.temporal.search_attributes import REPORTED
from workflows import names
from workflows.kinds import Kind, WorkflowName, kinds, named
from workflows.model.base import Model
from workflows.model.campaign import last_day_before
from workflows.model.records import SettledRecord
from workflows.model.views import AttentionCode, Shown


class RequestLine(Model):
    """A line of `request list` or `task list`; `status` as in `show`. `trouble` is what the workflow cannot report:
    `terminated`, `failed`, `timed out`, `paused`, or `stuck` if its tasks fail.
    """

    id: str
    kind: str
    status: str
    problem: str | None = None
    attention: str | None = None
    """The most urgent `AttentionCode`, if nothing is broken."""
    due_at: AwareDatetime | None = None
    trouble: str | None = None
    document: str = ""
    """Of a task its title; empty if encrypted with a key that is not set here."""
    requester: str = ""
    stage: str = ""
    """Of an onboarding, the name of its stage."""
    waiting_for: tuple[str, ...] = ()
    """Directory ids of those whose turn it is; at most 20, then `+more`."""
    since: AwareDatetime | None = None
    """Since when it is the first one's turn."""
    overdue: bool = False
    """Someone still has to act, after the due date."""
    open: bool = True
    started_at: AwareDatetime | None = None
    """None if Temporal has forgotten it."""
    workflow_id: str = ""

    @property
    def last_day(self) -> date | None:
        """The day that ends at `due_at` everywhere on earth, of a kind that is due by day."""
        what = named(self.workflow_id)
        if self.due_at is None or what is None or not what.kind.spec.due_everywhere:
            return None
        return last_day_before(self.due_at)


async def line_of(run: Run, now: datetime) -> RequestLine:
    known, paused = run.known, run.status is RunStatus.PAUSED
    code, due = known.get(names.PROBLEM), known.get(names.DUE_AT)
    what = named(run.id)
    attention = AttentionCode.PAUSED if paused else code if lookup.needs_attention(code) else None
    return RequestLine(
        id=run.id.partition(":")[2] or run.id,
        kind=known.get(names.KIND) or "",
        status=known.get(names.STATUS) or (what.kind if what else Kind.REQUEST).spec.begins,
        problem=None if lookup.needs_attention(code) else code,
        attention=attention,
        due_at=due,
        trouble=_trouble(run),
        document=await _document(run),
        requester=known.get(names.REQUESTER) or "",
        stage=known.get(names.STAGE) or "",
        waiting_for=tuple(known.get(names.WAITING_FOR) or ()),
        since=known.get(names.TURN_AT),
        overdue=is_overdue(run, now),
        open=run.status.open,
        started_at=run.started_at,
        workflow_id=run.id,
    )


def line_of_dead(what: WorkflowName, shown: Shown) -> RequestLine:
    """The line of an ended one with dead hand-offs, from its record."""
    return RequestLine(
        id=what.id,
        kind=shown.kind,
        status=shown.status,
        attention=AttentionCode.HANDOFF_DEAD,
        due_at=shown.due_at,
        document=shown.title,
        requester=shown.requester,
        open=False,
        workflow_id=what.workflow_id,
    )


def is_overdue(run: Run, now: datetime) -> bool:
    due, stage = run.known.get(names.DUE_AT), run.known.get(names.STAGE)
    return run.status.open and due is not None and due < now and stage not in (None, SETTLED)


def by_urgency(runs: Iterable[Run], now: datetime) -> list[Run]:
    """Overdue, the longest first; open, by due date; ended, as given. Open ones without due date are onboardings:
    problems first, then the longest waiting.
    """
    never = datetime.max.replace(tzinfo=UTC)

    def place(run: Run) -> tuple[bool, bool, datetime, bool, datetime]:
        due, since = (run.known.get(names.DUE_AT), run.known.get(names.TURN_AT)) if run.status.open else (None, None)
        calm = run.known.get(names.PROBLEM) is None or not run.status.open
        return not is_overdue(run, now), not run.status.open, due or never, calm, since or never

    return sorted(runs, key=place)


def by_person(runs: Iterable[Run], people: Iterable[str]) -> list[Run]:
    """Grouped by the person waited for, most urgent first; those that wait for none come last."""
    known, groups = frozenset(people), defaultdict[str, list[Run]](list)
    for run in runs:
        groups[waits_for(run.known.get(names.WAITING_FOR) or (), known)].append(run)
    nobody = groups.pop("", [])
    return [*(run for group in groups.values() for run in group), *nobody]


def waits_for(waiting: Iterable[str], people: frozenset[str]) -> str:
    """The first of these people for whom it waits, or empty."""
    return next((person for person in waiting if person in people), "")


async def _document(run: Run) -> str:
    try:
        return await run.memo(names.MEMO_DOCUMENT)
    except CodecError:
        return ""


def _trouble(run: Run) -> str | None:
    if run.status.broken_off or run.status is RunStatus.PAUSED:
        return run.status
    reported = any(pair.key.name == REPORTED.name for pair in run.known)
    return "stuck" if run.status is RunStatus.RUNNING and reported else None


DEAD_AT_ONCE: Final = 20
"""Records read concurrently."""


async def dead_ids(store: Store, wanted: Wanted) -> list[WorkflowName]:
    """Ended ones with dead hand-offs; none if filtered by people or lateness."""
    if not wanted.attention or wanted.person or wanted.requester or wanted.people or wanted.overdue:
        return []
    prefixes = [kind.spec.prefix for kind in kinds() if kind.spec.workflow in wanted.types]
    ids = await store.hand_offs.untold(prefixes, wanted.kind, wanted.statuses)
    return [what for id in ids if (what := named(id))]


async def dead_lines(store: Store, ids: list[WorkflowName]) -> list[RequestLine]:
    """Their lines, from their records."""
    lines = []
    for chunk in _chunks(ids):
        records = await store.records.read_many([one.workflow_id for one in chunk])
        shown = (SettledRecord.model_validate_json(record).show if record else None for record in records)
        lines += [line_of_dead(one, view) for one, view in zip(chunk, shown, strict=True) if view]
    return lines


async def still_open(client: Client, ids: list[WorkflowName]) -> set[str]:
    """Workflow ids of those still trying other targets, which Temporal lists as well."""
    return {
        run.id
        for chunk in _chunks(ids)
        async for run in executions.listed(client, among(IN_TROUBLE, tuple(one.workflow_id for one in chunk)))
    }


def _chunks(ids: list[WorkflowName]) -> Iterable[list[WorkflowName]]:
    return (ids[first : first + DEAD_AT_ONCE] for first in range(0, len(ids), DEAD_AT_ONCE))


SORTED_AT_MOST: Final = 1_000
"""Largest sorted set, the server's limit of a page."""
_CURSOR_AT_MOST: Final = 4_096
_TOKEN_UNREAD: Final = (RPCStatusCode.INVALID_ARGUMENT, RPCStatusCode.UNKNOWN)
_NO_CURSOR: Final = "this is not where a page of the list ended: begin at its first page"


class LinesPage(Model):
    """Lines, and the next cursor, None after the last. `total` is approximate. `in_order` if the whole set is
    sorted.
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
    """Where a page ended, as of which instant, so that all parts use one time."""

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
"""Lines, the next cursor, and the total."""


async def page(
    context: Context, wanted: Wanted, *, size: int = 50, cursor: str | None = None, now: datetime | None = None
) -> LinesPage:
    """Up to `size` lines from the cursor; fewer may come before the last page, too. `Refusal` for an invalid cursor."""
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
    found, _ = await executions.page_of(context.client, await wanted.query(context.client, at.at), size=SORTED_AT_MOST)
    living = by_urgency(await _last_runs(context.client, found), at.at)
    living = by_person(living, wanted.people) if wanted.by_person else living
    named = {run.id for run in living}
    dead = [one for one in await dead_ids(context.store, wanted) if one.workflow_id not in named]
    end = at.offset + size
    lines = [await line_of(run, at.at) for run in living[at.offset : end]]
    lines += await dead_lines(context.store, dead[max(0, at.offset - len(living)) : max(0, end - len(living))])
    total = len(living) + len(dead)
    return lines, at.replace(offset=end) if end < total else None, total


async def _of_the_server(context: Context, wanted: Wanted, at: _Cursor, size: int) -> _Read:
    """A page of one part; the next part begins on its own page."""
    query = await wanted.query(context.client, at.at, Lateness(at.part))
    found, token = await executions.page_of(context.client, query, size=size, token=base64.b64decode(at.token))
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
    lines = await dead_lines(context.store, [one for one in here if one.workflow_id not in named])
    return lines, at.replace(offset=end) if end < len(ids) else None, at.total


_READ: Final = {
    _Part.SORTED: _sorted,
    _Part.OVERDUE: _of_the_server,
    _Part.IN_TIME: _of_the_server,
    _Part.DEAD: _dead,
}


async def _last_runs(client: Client, found: list[Run]) -> list[Run]:
    """Without runs that a reset terminated."""
    broken = [run for run in found if run.status.broken_off]
    last: set[str] = set()
    for first in range(0, len(broken), DEAD_AT_ONCE):
        chunk = broken[first : first + DEAD_AT_ONCE]
        answers = await asyncio.gather(*(_is_last_run(client, run) for run in chunk))
        last |= {run.run_id for run, is_last in zip(chunk, answers, strict=True) if is_last}
    return [run for run in found if not run.status.broken_off or run.run_id in last]


async def _is_last_run(client: Client, run: Run) -> bool:
    try:
        return (await executions.described(client, run.id)).run_id == run.run_id
    except RPCError as error:
        if error.status is RPCStatusCode.NOT_FOUND:
            return True  # Its retention is over; the list lags behind.
        raise
