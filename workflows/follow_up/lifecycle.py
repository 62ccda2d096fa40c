"""Lifecycle base classes of all kinds: accept commands as updates with receipts, end, hand off, write the record."""

from abc import abstractmethod
from collections.abc import Callable
from datetime import datetime
from functools import partial
from typing import TypeVar

from temporalio import workflow
from temporalio.exceptions import ApplicationError

with workflow.unsafe.imports_passed_through():
    import workflows.follow_up.commands as commands
    import workflows.follow_up.notifications as notifications
    import workflows.follow_up.options as options
    import workflows.follow_up.record as record
    from workflows.follow_up.calls import CallFailure, Condition, RetryingWorkflow
    from workflows.follow_up.command_log import CommandState
    from workflows.follow_up.commands import receipt, recorded, refused, update_id
    from workflows.follow_up.input import FollowUpInput
    from workflows.follow_up.notification_log import LINES_AT_MOST
    from workflows.follow_up.notifications import open_hand_off
    from workflows.follow_up.record import (
        hand_off_batch,
        handed_off,
        page_batch,
        remembered,
        settled_record,
        targets_in_words,
    )
    from workflows.follow_up.state import State
    from workflows.follow_up.view import details, publish
    from workflows.model.commands import AnyCommand, Cancellation, Replay, Subscription, Unsubscription
    from workflows.model.hand_off import AnyEnded, HandOffNow
    from workflows.model.policy import ESCALATED
    from workflows.model.receipts import Operation, Receipt
    from workflows.model.records import HandOffOrder, SettledRecord
    from workflows.model.subject import Subject
    from workflows.model.views import Shown
    from workflows.names import CANCEL, HAND_OFF_NOW, MEMO_ORIGIN, OPERATION, REPLAY, SUBSCRIBE, UNSUBSCRIBE
    from workflows.ports import Handoff

AcceptedState = TypeVar("AcceptedState", bound=CommandState)


class AcceptsCommands(RetryingWorkflow[AcceptedState]):
    """Update handlers record commands, the main coroutine carries them out, a query returns their receipts."""

    @abstractmethod
    def receipt(self, operation: Operation) -> Receipt:
        """The receipt of an operation now."""

    @workflow.query(name=OPERATION, description="What became of an update, by its id; nothing when it is forgotten")
    def operation(self, id: str) -> Receipt | None:
        """The receipt of an operation now."""
        found = self._progress.operations.of(id)
        return self.receipt(found) if found else None

    def allow(self, command: AnyCommand, refusal: str | None) -> None:
        """Raise if refused; a repetition of an accepted command passes, unless its content differs."""
        if (says := refused(self._progress.operations, update_id(), command, refusal)) is not None:
            raise ApplicationError(says, type="refused")

    def accept_once(self, remember: Callable[[str, datetime], AcceptedState]) -> Receipt:
        """Record a command once per update id: the server forgets the ids at continue-as-new."""
        id = update_id()
        if self._progress.operations.of(id) is None:
            self._progress = remember(id, workflow.now())
        accepted = self.operation(id)
        if accepted is None:
            raise RuntimeError("a ledger that forgets what it has just recorded")
        return accepted


Wish = TypeVar("Wish", bound=AnyCommand)


class LifecycleWorkflow(AcceptsCommands[State]):
    """Base of all kinds: state, commands with receipts, end and hand-off."""

    def __init__(self, request: FollowUpInput, state: State) -> None:
        super().__init__(state)
        self._request = request

    @property
    @abstractmethod
    def subject(self) -> Subject:
        """The subject with its present participants."""

    @abstractmethod
    def show(self) -> Shown:
        """The view, as the query `show` answers it."""

    @abstractmethod
    def settled(self) -> AnyEnded:
        """The facts to hand off."""

    @abstractmethod
    def shown(self, state: State, now: datetime) -> Shown:
        """The view of this state at an instant."""

    def receipt(self, operation: Operation) -> Receipt:
        return receipt(self._progress, self.show(), operation)

    @workflow.update(name=CANCEL, description="End it. What people have done by then stays done")
    def cancel(self, command: Cancellation) -> Receipt:
        """End it. What people have done by then stays done."""
        return self._accept(commands.cancel, command)

    @cancel.validator
    def _may_cancel(self, command: Cancellation) -> None:
        self.allow(command, commands.refuse_cancel(self._progress, command))

    @workflow.update(name=SUBSCRIBE, description="Tell another workflow too how it ended")
    def subscribe(self, command: Subscription) -> Receipt:
        """Signal another workflow at the end, or at once after it."""
        return self._accept(notifications.subscribe, command)

    @subscribe.validator
    def _may_subscribe(self, command: Subscription) -> None:
        self.allow(command, notifications.refuse_subscribe(self._request, self._progress, command))

    @workflow.update(
        name=UNSUBSCRIBE,
        description="Do not tell a workflow how it ended after all, also one that the file names",
    )
    def unsubscribe(self, command: Unsubscription) -> Receipt:
        return self._accept(partial(notifications.unsubscribe, self._request), command)

    @unsubscribe.validator
    def _may_unsubscribe(self, command: Unsubscription) -> None:
        self.allow(command, notifications.refuse_unsubscribe(self._request, self._progress, command))

    @workflow.update(
        name=REPLAY,
        description="Hand off to a target once more: one that is dead, or with `again` one that was told",
    )
    def replay(self, command: Replay) -> Receipt:
        """Hand off to a target once more, at once."""
        return self._accept(record.ask, command)

    @replay.validator
    def _may_replay(self, command: Replay) -> None:
        self.allow(command, record.refuse(self._progress, command))

    @workflow.signal(name=HAND_OFF_NOW, description="Try targets at once that would be tried later")
    def hand_off_now(self, wanted: HandOffNow) -> None:
        """Make the next attempts due now."""
        ledger = self._progress.handoff.hurried(wanted.target, workflow.now())
        if ledger is not self._progress.handoff:
            self._progress = self._progress.replace(handoff=ledger)

    async def hand_off(self) -> None:
        """Call every target until each is done or dead; the timers are the workflow's own, so the outbox knows every
        attempt.

        The first batch stores the settled record before any target is called. What the store did not take of a batch
        comes with the next, or with a last one that calls nobody.
        """
        self._progress = open_hand_off(self._request, self._progress)
        await self._empty_the_memory()
        await self._keep_the_record()
        # Includes workflows that subscribed meanwhile.
        self._progress = open_hand_off(self._request, self._progress)
        while (due_at := self._progress.handoff.open_at(workflow.now())) is not None:
            await self.until(due_at, "hand-off again", unless=self.due_sooner)
            now = workflow.now()
            batch = hand_off_batch(self.subject, self.settled(), self._progress, now)
            batch = batch.replace(record=self._record(), life=self.life)
            report = await self.call(Handoff.hand_off, batch, options.HAND_OFF, targets_in_words(batch))
            if report is not None:
                # The amendment has the same instant.
                updated = handed_off(self.subject, self._progress, report.results, now)
                handoff = remembered(updated.handoff, batch, report, now)
                self._progress = updated.replace(recorded=True, handoff=handoff).paged(batch.page)
        self.publish()

    def due_sooner(self) -> Condition:
        """A condition: a hand-off is due sooner than before."""
        before = self._progress.handoff.next_at
        return lambda: self._progress.handoff.next_at != before

    def _record(self) -> SettledRecord | None:
        record = settled_record(self._request, self._progress, workflow.info().first_execution_run_id, self.shown)
        origin = workflow.memo_value(MEMO_ORIGIN, None, type_hint=str)
        if record is None:
            return None
        settled, known = self.settled(), self._progress
        order = HandOffOrder(
            subject=self.subject,
            settled=settled,
            document=known.document,
            targets=known.handoff.targets,
            escalated=tuple(target for target in self._request.policy.handoff if ESCALATED in target.on),
        )
        return record.replace(settled=settled, origin=origin, hand_off=order)

    def publish(self) -> None:
        shown = self.shown(self._progress, workflow.now())
        publish(self._progress, shown, self.details(shown))
        self.published(shown)

    def published(self, shown: Shown) -> None:
        """Hook after publishing, for kinds that notify others."""

    def details(self, shown: Shown) -> str:
        """The Web UI's details in Markdown."""
        return details(shown)

    def failed(self, trouble: CallFailure) -> None:
        """End it: the failure cannot be fixed."""
        self._progress = self._progress.fail(trouble.code, trouble.says, workflow.now())

    async def _empty_the_memory(self) -> None:
        """Store the pages that did not fit into the batch with the record."""
        while len(self._progress.ledger.leaving) > LINES_AT_MOST:
            batch = page_batch(self.subject, self.settled(), self._progress)
            if await self.call(Handoff.hand_off, batch, options.HAND_OFF, "keep the ledger") is not None:
                self._progress = self._progress.paged(batch.page)

    async def _keep_the_record(self) -> None:
        """Store the record when no target is called."""
        if not (self._progress.recorded or self._progress.handoff.opened):
            batch = page_batch(self.subject, self.settled(), self._progress).replace(record=self._record())
            if await self.call(Handoff.hand_off, batch, options.HAND_OFF, "keep the record") is not None:
                self._progress = self._progress.replace(recorded=True).paged(batch.page)

    def carried_over(self) -> FollowUpInput:
        updated = self._progress.replace(handoff=self._progress.handoff.skipping())
        return self._request.replace(carried=updated.carried_over())

    def _accept(self, carry_out: Callable[[State, Wish, datetime], State], command: Wish) -> Receipt:
        """Record the command's effect on the state."""
        return self.accept_once(lambda id, now: recorded(carry_out(self._progress, command, now), id, command, now))

    def cancelled(self, reason: str) -> None:
        """A cancellation of the run is handled like the update; its text was not checked."""
        self._progress = commands.cancel(self._progress, Cancellation.read(reason), workflow.now())
