"""Targets that hear of escalations: told beside the story, which waits for none of them, by the same ledger."""

import asyncio
from datetime import timedelta

from temporalio import workflow
from temporalio.exceptions import ActivityError, is_cancelled_exception

with workflow.unsafe.imports_passed_through():
    import workflows.follow_up.options as options
    from workflows.follow_up.batches import hand_off_batch, handed_off, remembered, targets_in_words, unreached
    from workflows.follow_up.inputs import FollowUpInput
    from workflows.follow_up.living import LifecycleWorkflow
    from workflows.follow_up.memory import State
    from workflows.follow_up.recipients import open_escalations
    from workflows.follow_up.trouble import call_failure_of
    from workflows.model.records import HandoffBatch
    from workflows.model.settlement import HandoffReport
    from workflows.ports import Handoff

ASIDE = "aside"
"""The task that tells targets of escalations."""


class BackgroundNotifier(LifecycleWorkflow[State]):
    """Has a task of its own for targets of escalations, of which there is one at most."""

    def __init__(self, request: FollowUpInput, memory: State) -> None:
        """`at_rest` is whether the story waits for whatever comes: only then what targets have heard is news to it."""
        super().__init__(request, memory)
        self.at_rest = False

    def tell_aside(self, aside: asyncio.Task[None] | None) -> asyncio.Task[None] | None:
        """Have targets told of escalations beside the story, which waits for none of them."""
        self._progress = open_escalations(self._request, self._progress, workflow.now())
        if aside is not None and aside.done():
            aside.result()
            aside = None
        if aside is None and self._progress.handoff.next_at is not None:
            return asyncio.create_task(self._tell_of_escalations(), name=ASIDE)
        return aside

    def break_off(self, aside: asyncio.Task[None] | None) -> None:
        """It has ended: whoever has not heard of an escalation yet hears of it with the ending."""
        if aside is not None:
            aside.cancel()
            self._progress = self._progress.replace(handoff=self._progress.handoff.skipping())

    async def _tell_of_escalations(self) -> None:
        """Until each target is done or dead. A fresh history, or the ending, goes on where this is broken off."""
        while (due_at := self._progress.handoff.next_at) is not None:
            if (pause := due_at - workflow.now()) > timedelta():
                await self._sooner(pause)
                continue
            now = workflow.now()
            batch = hand_off_batch(self.subject, None, self._progress, now).replace(page=None, life=self.life)
            try:
                report = await self._handed_off_aside(batch)
            except ActivityError as failure:
                if is_cancelled_exception(failure):
                    return
                report = unreached(batch, call_failure_of(failure).says)
            # While the story calls somebody, or pauses before it calls again, this would be news that breaks that off.
            await workflow.wait_condition(lambda: self.at_rest)
            known = handed_off(self.subject, self._progress, report.results, now)
            self._progress = known.replace(handoff=remembered(known.handoff, batch, report, now))

    async def _sooner(self, pause: timedelta) -> None:
        """Wait so long, or until something is due sooner."""
        try:
            summary = "tell of an escalation again"
            await workflow.wait_condition(self.due_sooner(), timeout=pause, timeout_summary=summary)
        except TimeoutError:
            pass

    async def _handed_off_aside(self, batch: HandoffBatch) -> HandoffReport:
        return await workflow.start_activity_method(
            Handoff.hand_off,
            batch,
            summary=targets_in_words(batch),
            priority=workflow.info().priority,
            **options.HAND_OFF_ASIDE,
        )
