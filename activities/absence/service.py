"""Tells open follow-ups that somebody is away, or back, or has left: those that wait for them, and those whose
question they are to answer.
"""

import asyncio
import time
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from typing import Final

from temporalio import activity
from temporalio.client import Client
from temporalio.common import WorkflowIDConflictPolicy, WorkflowIDReusePolicy
from temporalio.service import RPCError

from activities.records.absences import AbsenceRow
from activities.records.directory import Exodus
from activities.records.store import Store
from activities.temporal import executions
from activities.temporal.executions import about_the_workflow, about_this_one_alone
from activities.temporal.failures import failing_as_application_errors
from workflows import names
from workflows.kinds import kinds
from workflows.model.absence import SEEN_WITHIN, AbsenceNews, AbsenceOrder, AbsenceReport
from workflows.model.commands import KnownBy
from workflows.model.views import AttentionCode
from workflows.ports import AbsenceNewsService

AT_ONCE: Final = 25
"""Follow-ups that are told together."""
PAGE: Final = 500
"""Follow-ups of one page, after which the count is noted."""
OVERDUE_AFTER: Final = timedelta(minutes=1)
"""A change that is still untold then had nobody to tell it: Temporal was away."""
BEGINS_WITHIN: Final = timedelta(seconds=5)
ANNOUNCED_FOR_SECONDS: Final = 10.0
"""How long one sweep announces people who left."""
DIRECTORY: Final = "directory"
"""Who says that somebody has left."""
_MORE: Final = "+more"
_UNANSWERED: Final = (AttentionCode.QUESTION_OPEN, AttentionCode.BLOCKED)


class AbsenceNewsTeller(AbsenceNewsService):
    def __init__(self, client: Client, store: Store) -> None:
        self._client = client
        self._store = store

    async def tell(self, order: AbsenceOrder) -> AbsenceReport:
        with failing_as_application_errors():
            row = await self._store.absences.read(order.id)
            if row is None or (row.ended_at is not None) is not order.back:
                return AbsenceReport()  # Erased, or ended meanwhile, of which another workflow tells.
            told_count = 0
            async for page_count, is_last in _tell_pages(self._client, _news_of(row)):
                told_count += page_count
                await self._store.absences.note_told(row, told_count, datetime.now(UTC) if is_last else None)
            return AbsenceReport(told=told_count)


async def begin(client: Client, row: AbsenceRow) -> None:
    """Begin to tell of the last change of an absence, once at a time; raises `RPCError`."""
    order = AbsenceOrder(id=row.id, back=row.ended_at is not None)
    await client.start_workflow(
        names.ABSENCE_TOLD,
        order,
        id=names.absence_workflow_id(row.id, back=order.back),
        task_queue=names.WORKFLOW_QUEUE,
        id_reuse_policy=WorkflowIDReusePolicy.ALLOW_DUPLICATE,
        id_conflict_policy=WorkflowIDConflictPolicy.USE_EXISTING,
        static_summary="somebody is back" if order.back else "somebody is away",
        rpc_timeout=BEGINS_WITHIN,
    )


async def begin_overdue(client: Client, store: Store, now: datetime) -> int:
    """Begin to tell of changes that nobody was told of; how many."""
    untold = await store.absences.untold(now - OVERDUE_AFTER)
    for row in untold:
        await begin(client, row)
    return len(untold)


async def announce_leavers(
    client: Client, store: Store, now: datetime, seconds: float = ANNOUNCED_FOR_SECONDS
) -> Exodus:
    """Have open follow-ups plan anew for people who left the directory or came back, unless so many left at once that
    it is held; what is held. After `seconds` the next call goes on. A call that breaks off is repeated by the next.
    """
    exodus = await store.directory.hold_exodus(now)
    ends_at, last_id = time.monotonic() + seconds, ""
    while time.monotonic() < ends_at and (leavers := await store.directory.begin_announcements(last_id)):
        # Only then each process knows of it.
        await asyncio.sleep(SEEN_WITHIN.total_seconds())
        for leaver in leavers:
            news = AbsenceNews(person=leaver.id, by=DIRECTORY, back=leaver.back, left=True)
            async for _ in _tell_pages(client, news):
                pass
            await store.directory.note_announced(leaver)
        last_id = leavers[-1].id
    return exodus


def _news_of(row: AbsenceRow) -> AbsenceNews:
    actor = (row.ended_by if row.ended_at else row.entered_by) or ""
    return AbsenceNews(
        person=row.person, by=KnownBy.name_in(actor), actor=actor, kinds=row.kinds, back=row.ended_at is not None
    )


async def _tell_pages(client: Client, news: AbsenceNews) -> AsyncIterator[tuple[int, bool]]:
    """Tell whom it concerns, page by page: how many of the page were told, and whether it is the last."""
    semaphore, token = asyncio.Semaphore(AT_ONCE), b""

    async def tell_workflow(workflow_id: str) -> bool:
        async with semaphore:
            return await _signal(client, workflow_id, news)

    while True:
        runs, token = await executions.page_of(client, _concerned(news.person), size=PAGE, token=token)
        yield sum(await asyncio.gather(*(tell_workflow(run.id) for run in runs))), not token
        if not token:
            return
        activity.heartbeat()


async def _signal(client: Client, workflow_id: str, news: AbsenceNews) -> bool:
    try:
        await client.get_workflow_handle(workflow_id).signal(names.ABSENCE, news)
    except RPCError as error:
        if about_the_workflow(error) or about_this_one_alone(error):
            return False  # It has ended meanwhile, or takes no signals any more.
        raise
    return True


def _concerned(person: str) -> str:
    """Of those that wait for more people than are named each decides for itself."""
    types = ", ".join(f"'{kind.spec.workflow}'" for kind in kinds() if not kind.spec.has_parts)
    waits = f"{names.WAITING_FOR.name} IN ('{person}', '{_MORE}')"
    codes = ", ".join(f"'{code}'" for code in _UNANSWERED)
    asks = f"({names.REQUESTER.name} = '{person}' AND {names.PROBLEM.name} IN ({codes}))"
    return f"{executions.OPEN} AND WorkflowType IN ({types}) AND ({waits} OR {asks})"
