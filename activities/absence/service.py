"""Tells open follow-ups that somebody is away, or back: those that wait for them, and those whose question they are to
answer.
"""

import asyncio
from datetime import UTC, datetime, timedelta
from typing import Final

from temporalio import activity
from temporalio.client import Client
from temporalio.common import WorkflowIDConflictPolicy, WorkflowIDReusePolicy
from temporalio.service import RPCError

from activities.records.absences import AbsenceRow
from activities.records.store import Store
from activities.temporal import executions
from activities.temporal.executions import about_the_workflow, about_this_one_alone
from activities.temporal.failures import failing_as_application_errors
from workflows import names
from workflows.kinds import kinds
from workflows.model.absence import AbsenceNews, AbsenceOrder, AbsenceReport
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
            told_count, token = 0, b""
            while True:
                runs, token = await executions.page_of(self._client, _concerned(row.person), size=PAGE, token=token)
                told_count += await self._tell_all([run.id for run in runs], row)
                await self._store.absences.note_told(row, told_count, None if token else datetime.now(UTC))
                if not token:
                    return AbsenceReport(told=told_count)
                activity.heartbeat()

    async def _tell_all(self, workflow_ids: list[str], row: AbsenceRow) -> int:
        actor = (row.ended_by if row.ended_at else row.entered_by) or ""
        news = AbsenceNews(
            person=row.person,
            by=KnownBy.name_in(actor),
            actor=actor,
            kinds=row.kinds,
            back=row.ended_at is not None,
        )
        semaphore = asyncio.Semaphore(AT_ONCE)

        async def tell_workflow(workflow_id: str) -> bool:
            async with semaphore:
                return await self._signal(workflow_id, news)

        return sum(await asyncio.gather(*map(tell_workflow, workflow_ids)))

    async def _signal(self, workflow_id: str, news: AbsenceNews) -> bool:
        try:
            await self._client.get_workflow_handle(workflow_id).signal(names.ABSENCE, news)
        except RPCError as error:
            if about_the_workflow(error) or about_this_one_alone(error):
                return False  # It has ended meanwhile, or takes no signals any more.
            raise
        return True


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


def _concerned(person: str) -> str:
    """Of those that wait for more people than are named each decides for itself."""
    types = ", ".join(f"'{kind.spec.workflow}'" for kind in kinds() if not kind.spec.has_parts)
    waits = f"{names.WAITING_FOR.name} IN ('{person}', '{_MORE}')"
    codes = ", ".join(f"'{code}'" for code in _UNANSWERED)
    asks = f"({names.REQUESTER.name} = '{person}' AND {names.PROBLEM.name} IN ({codes}))"
    return f"{executions.OPEN} AND WorkflowType IN ({types}) AND ({waits} OR {asks})"
