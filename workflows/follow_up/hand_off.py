"""Calls the targets of a hand-off: of escalations in the background, of the ending until each is done or dead."""

import asyncio
from datetime import timedelta
from typing import Final, Generic

from temporalio import workflow
from temporalio.exceptions import ActivityError, is_cancelled_exception

with workflow.unsafe.imports_passed_through():
    import workflows.follow_up.options as options
    from workflows.follow_up.calls import Condition, call_failure_of, chain_run_id, first_run_id
    from workflows.follow_up.lifecycle import LifecycleWorkflow
    from workflows.follow_up.notification_log import LINES_AT_MOST
    from workflows.follow_up.notifications import open_escalations, open_hand_off
    from workflows.follow_up.record import (
        hand_off_batch,
        handed_off,
        page_batch,
        remembered,
        settled_record,
        targets_in_words,
        unreached,
        with_record,
    )
    from workflows.follow_up.state import Following, State
    from workflows.model.hand_off import HandoffReport
    from workflows.model.policy import ESCALATED
    from workflows.model.records import HandoffBatch
    from workflows.names import MEMO_ORIGIN
    from workflows.ports import Handoff


BACKGROUND: Final = "background"
"""The task that hands escalations off."""


async def hand_off(owner: LifecycleWorkflow[State], is_over: Condition = lambda: True) -> None:
    """Call every target until each is done or dead; the timers are the workflow's own, so the outbox knows every
    attempt. Replays are taken until `is_over` as well.

    The first batch stores the settled record before any target is called. What the store did not take of a batch comes
    with the next, or with a last one that calls nobody.
    """
    owner.state = open_hand_off(owner.request, owner.state)
    await _store_pages(owner)
    await _store_record(owner)
    # Includes workflows that subscribed meanwhile.
    owner.state = open_hand_off(owner.request, owner.state)
    while (due_at := owner.state.outbox.open_at(workflow.now())) is not None or not is_over():
        await owner.calls.wait_until(
            due_at, "hand-off again", unless=lambda: _join_conditions(due_sooner(owner), is_over)
        )
        now = workflow.now()
        if not owner.state.outbox.is_due(now):
            continue
        batch = hand_off_batch(owner.subject, owner.settled(), owner.state, now)
        batch = _with_record(owner, batch).replace(first_run_id=chain_run_id())
        report = await owner.calls.call(Handoff.hand_off, batch, options.HAND_OFF, targets_in_words(batch))
        if report is not None:
            # The amendment has the same instant.
            updated = handed_off(owner.subject, owner.state, report.results, now)
            outbox = remembered(updated.outbox, batch, report, now)
            owner.state = updated.update_part("lifecycle", recorded=True).replace(outbox=outbox).paged(batch.page)
    owner.publish()


def due_sooner(owner: LifecycleWorkflow[State]) -> Condition:
    """A condition: a hand-off is due sooner than before."""
    former_instant = owner.state.outbox.next_at
    return lambda: owner.state.outbox.next_at != former_instant


class BackgroundHandOff(Generic[Following]):
    """Hands escalations off to their targets in one background task.

    `at_rest` is set while the main loop waits for any news: only then are results of targets news to it.
    """

    def __init__(self, owner: LifecycleWorkflow[Following]) -> None:
        self._owner = owner
        self._task: asyncio.Task[None] | None = None
        self.at_rest = False

    def start(self) -> None:
        """Start the task for due targets, unless it runs."""
        owner = self._owner
        owner.state = open_escalations(owner.request, owner.state, workflow.now())
        if self._task is not None and self._task.done():
            self._task.result()
            self._task = None
        if self._task is None and owner.state.outbox.next_at is not None:
            self._task = asyncio.create_task(self._run(), name=BACKGROUND)

    def stop(self) -> None:
        """Stop it at the end: open targets of escalations are called with the ending."""
        if self._task is not None:
            self._task.cancel()
            self._owner.state = self._owner.state.replace(outbox=self._owner.state.outbox.skipping())

    async def _run(self) -> None:
        """Until each target is done or dead. The next history, or the ending, continues an interrupted one."""
        owner = self._owner
        while (due_at := owner.state.outbox.next_at) is not None:
            if (pause := due_at - workflow.now()) > timedelta():
                await self._sooner(pause)
                continue
            now = workflow.now()
            batch = hand_off_batch(owner.subject, None, owner.state, now).replace(
                page=None, first_run_id=chain_run_id()
            )
            try:
                report = await _call(batch)
            except ActivityError as failure:
                if is_cancelled_exception(failure):
                    return
                report = unreached(batch, call_failure_of(failure).says)
            # During a call of the main loop, or its pause, this would be news that interrupts it.
            await workflow.wait_condition(lambda: self.at_rest)
            updated = handed_off(owner.subject, owner.state, report.results, now)
            owner.state = updated.replace(outbox=remembered(updated.outbox, batch, report, now))

    async def _sooner(self, pause: timedelta) -> None:
        """Wait so long, or until something is due sooner."""
        try:
            summary = "tell of an escalation again"
            await workflow.wait_condition(due_sooner(self._owner), timeout=pause, timeout_summary=summary)
        except TimeoutError:
            pass


def _join_conditions(condition: Condition, change: Condition) -> Condition:
    """One is true, or the other has become so."""
    former_value = change()
    return lambda: condition() or change() != former_value


async def _store_pages(owner: LifecycleWorkflow[State]) -> None:
    """Store the pages that do not fit into the batch with the record."""
    while len(owner.state.notifications.leaving) > LINES_AT_MOST:
        batch = page_batch(owner.subject, owner.settled(), owner.state)
        if await owner.calls.call(Handoff.hand_off, batch, options.HAND_OFF, "store the notification log") is not None:
            owner.state = owner.state.paged(batch.page)


async def _store_record(owner: LifecycleWorkflow[State]) -> None:
    if not (owner.state.lifecycle.recorded or owner.state.outbox.opened):
        batch = _with_record(owner, page_batch(owner.subject, owner.settled(), owner.state))
        if await owner.calls.call(Handoff.hand_off, batch, options.HAND_OFF, "keep the record") is not None:
            owner.state = owner.state.update_part("lifecycle", recorded=True).paged(batch.page)


def _with_record(owner: LifecycleWorkflow[State], batch: HandoffBatch) -> HandoffBatch:
    """The batch with the settled record, unless that is stored already."""
    record = settled_record(owner.request, owner.state, first_run_id(), owner.build_view)
    if record is None:
        return batch
    record = record.replace(origin=workflow.memo_value(MEMO_ORIGIN, None, type_hint=str))
    escalated = tuple(target for target in owner.request.policy.handoff if ESCALATED in target.on)
    return with_record(batch.replace(document=owner.state.document_id), record, owner.state.outbox, escalated)


async def _call(batch: HandoffBatch) -> HandoffReport:
    return await workflow.start_activity_method(
        Handoff.hand_off,
        batch,
        summary=targets_in_words(batch),
        priority=workflow.info().priority,
        **options.HAND_OFF_ASIDE,
    )
