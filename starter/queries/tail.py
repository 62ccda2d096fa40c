"""What happens to those of a list, as it happens: a view is read again when its line of the list changes, when
something was downloaded, and when its next step was due.
"""

import asyncio
from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from typing import Final

from pydantic import AwareDatetime
from temporalio.service import RPCError

from activities.errors import StoreFailure
from activities.records.database import chunks
from activities.records.ended import ListFilter
from starter.queries import lists, lookup
from starter.queries.lists import SORTED_AT_MOST, RequestLine
from starter.temporal.connection import Context
from workflows.kinds import WorkflowName, named
from workflows.model.base import Model
from workflows.model.timeline import TimelineEntry
from workflows.model.views import Shown

FOLLOWED_AT_MOST: Final = SORTED_AT_MOST
"""Lines of the list that are compared."""
LOOKS_AT_MOST: Final = 100
"""Views read in one round; the others wait for the next."""
_AT_ONCE: Final = 10
_ANSWERS_WITHIN: Final = timedelta(seconds=2)
_LATER: Final = timedelta(seconds=3)
"""After a step was due, until it can be seen."""


class TailLine(Model):
    """One line of `countersign tail`: an entry of a timeline, and of what it is."""

    at: AwareDatetime
    type: str
    id: str
    kind: str
    status: str
    happened: str
    what: str
    about: str = ""
    who: str | None = None
    why: str | None = None
    actor: str | None = None

    @classmethod
    def from_entry(cls, entry: TimelineEntry, view: Shown) -> "TailLine":
        return cls(
            at=entry.at,
            type=str(view.type),
            id=view.id,
            kind=view.kind,
            status=str(view.status),
            happened=str(entry.happened),
            what=entry.what,
            about=entry.about,
            who=entry.who,
            why=entry.because or None,
            actor=entry.actor,
        )


class Tail:
    """`news` has what came since the news before; the first have nothing."""

    def __init__(self, context: Context, list_filter: ListFilter) -> None:
        self._context = context
        self._list_filter = list_filter
        self._started_at = self._downloads_until = datetime.now(UTC)
        self._lines: dict[str, RequestLine] = {}
        """By workflow id, as they were when their view was read last."""
        self._due: dict[str, datetime] = {}
        """When the next step of one is due."""
        self._entries_told: dict[str, frozenset[TimelineEntry]] = {}
        self._began = False

    async def news(self) -> list[TailLine]:
        """What has happened, the oldest first. Raises `RPCError`, `StoreFailure`."""
        page = await lists.page(self._context, self._list_filter, size=FOLLOWED_AT_MOST)
        lines = {line.workflow_id: line for line in page.lines}
        if not self._began:
            self._began = True
            # What has ended by now is over; what runs is read once, to know when its next step is due.
            self._lines = {id: line for id, line in lines.items() if not line.open}
        self._forget(lines)
        happened: list[TailLine] = []
        for workflow_ids in chunks(await self._worth_a_look(lines), _AT_ONCE):
            views = await asyncio.gather(*map(self._view, workflow_ids))
            for id, view in zip(workflow_ids, views, strict=True):
                if view is not None:
                    self._lines[id] = lines[id]
                    happened += self._new_of(id, view)
        return sorted(happened, key=lambda happening: happening.at)

    def _forget(self, lines: Iterable[str]) -> None:
        for memory in (self._lines, self._due, self._entries_told):
            for id in memory.keys() - set(lines):
                del memory[id]

    async def _worth_a_look(self, lines: dict[str, RequestLine]) -> list[str]:
        now = datetime.now(UTC)
        changed = [id for id, line in lines.items() if self._lines.get(id) != line]
        due = [id for id, due_at in self._due.items() if due_at <= now]
        loaded = await self._context.store.downloads.list_since(self._downloads_until)
        self._downloads_until = max((download.at for _, download in loaded), default=self._downloads_until)
        ids = dict.fromkeys([*(id for id, _ in loaded if id in lines), *due, *changed])
        return list(ids)[:LOOKS_AT_MOST]

    async def _view(self, workflow_id: str) -> Shown | None:
        """None while it does not answer, and for what is unknown by now."""
        workflow = named(workflow_id)
        if workflow is None:
            return None
        try:
            return await self._read(workflow)
        except (lookup.UnknownFollowUp, RPCError, StoreFailure):
            return None

    async def _read(self, workflow: WorkflowName) -> Shown:
        context = self._context
        return await lookup.find_best_view(context.client, context.store, workflow, time_limit=_ANSWERS_WITHIN)

    def _new_of(self, id: str, view: Shown) -> list[TailLine]:
        """What its timeline has that was not told yet; of one that is new here, what came since the beginning."""
        former_entries, timeline = self._entries_told.get(id), frozenset(view.timeline)
        self._entries_told[id] = timeline
        next_at = view.next.at if view.next else None
        if next_at is None:
            self._due.pop(id, None)
        else:
            self._due[id] = max(next_at, datetime.now(UTC)) + _LATER
        new = (
            entry for entry in lookup.told_once(view.timeline) if former_entries is None or entry not in former_entries
        )
        return [
            TailLine.from_entry(entry, view)
            for entry in new
            if former_entries is not None or entry.at >= self._started_at
        ]
