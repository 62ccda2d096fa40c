"""The life of whatever ends some day: what may be wished of it, and that everyone concerned is told how it ended."""

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
    """Handlers record what is wished, the story carries it out; what became of it can be asked for."""

    @abstractmethod
    def receipt(self, operation: Operation) -> Receipt:
        """How an operation stands now."""

    @workflow.query(name=OPERATION, description="What became of an update, by its id; nothing when it is forgotten")
    def operation(self, id: str) -> Receipt | None:
        """The receipt of an operation as it is now."""
        found = self._progress.operations.of(id)
        return self.receipt(found) if found else None

    def allow(self, wish: AnyCommand, refusal: str | None) -> None:
        """Raise what stands in the way; repeating what was accepted is harmless, unless it is something else."""
        if (says := refused(self._progress.operations, update_id(), wish, refusal)) is not None:
            raise ApplicationError(says, type="refused")

    def accept_once(self, remember: Callable[[str, datetime], AcceptedState]) -> Receipt:
        """Record a wish, once for each update id: the server forgets the ids at continue-as-new, we do not."""
        id = update_id()
        if self._progress.operations.of(id) is None:
            self._progress = remember(id, workflow.now())
        accepted = self.operation(id)
        if accepted is None:
            raise RuntimeError("a ledger that forgets what it has just recorded")
        return accepted


Wish = TypeVar("Wish", bound=AnyCommand)


class LifecycleWorkflow(AcceptsCommands[State]):
    """Remembers, takes wishes, which it answers at once with a receipt, and tells everyone once it has ended."""

    def __init__(self, request: FollowUpInput, memory: State) -> None:
        super().__init__(memory)
        self._request = request

    @property
    @abstractmethod
    def subject(self) -> Subject:
        """What is followed up, with whoever is asked now."""

    @abstractmethod
    def show(self) -> Shown:
        """Everything there is to know of it: each kind answers the query in a shape of its own."""

    @abstractmethod
    def settled(self) -> AnyEnded:
        """The facts that are handed off."""

    @abstractmethod
    def shown(self, memory: State, now: datetime) -> Shown:
        """Everything there is to know of it, by this memory at that instant."""

    def receipt(self, operation: Operation) -> Receipt:
        """How an operation and the whole stand now."""
        return receipt(self._progress, self.show(), operation)

    @workflow.update(name=CANCEL, description="End it. What people have done by then stays done")
    def cancel(self, wish: Cancellation) -> Receipt:
        """End it. What people have done by then stays done."""
        return self._accept(commands.cancel, wish)

    @cancel.validator
    def _may_cancel(self, wish: Cancellation) -> None:
        self.allow(wish, commands.refuse_cancel(self._progress, wish))

    @workflow.update(name=SUBSCRIBE, description="Tell another workflow too how it ended")
    def subscribe(self, wish: Subscription) -> Receipt:
        """Tell another workflow too how it ended, at once if that has come."""
        return self._accept(notifications.subscribe, wish)

    @subscribe.validator
    def _may_subscribe(self, wish: Subscription) -> None:
        self.allow(wish, notifications.refuse_subscribe(self._request, self._progress, wish))

    @workflow.update(
        name=UNSUBSCRIBE,
        description="Do not tell a workflow how it ended after all, also one that the file names",
    )
    def unsubscribe(self, wish: Unsubscription) -> Receipt:
        """Do not tell a workflow how it ended after all."""
        return self._accept(partial(notifications.unsubscribe, self._request), wish)

    @unsubscribe.validator
    def _may_unsubscribe(self, wish: Unsubscription) -> None:
        self.allow(wish, notifications.refuse_unsubscribe(self._request, self._progress, wish))

    @workflow.update(
        name=REPLAY,
        description="Hand off to a target once more: one that is dead, or with `again` one that was told",
    )
    def replay(self, wish: Replay) -> Receipt:
        """Hand off to a target once more, at once."""
        return self._accept(record.ask, wish)

    @replay.validator
    def _may_replay(self, wish: Replay) -> None:
        self.allow(wish, record.refuse(self._progress, wish))

    @workflow.signal(name=HAND_OFF_NOW, description="Try targets at once that would be tried later")
    def hand_off_now(self, wanted: HandOffNow) -> None:
        """Have them due now."""
        ledger = self._progress.handoff.hurried(wanted.target, workflow.now())
        if ledger is not self._progress.handoff:
            self._progress = self._progress.replace(handoff=ledger)

    async def hand_off(self) -> None:
        """Tell every target until each is done or dead; retries are timers of ours, so the ledger knows every try.

        The first batch brings the settled record with it: nobody hears of an ending that is not on record. What the
        store did not take of a batch comes with the next one, or with a last one that tells nobody.
        """
        self._progress = open_hand_off(self._request, self._progress)
        await self._empty_the_memory()
        await self._keep_the_record()
        # Whoever subscribed meanwhile is told as well.
        self._progress = open_hand_off(self._request, self._progress)
        while (due_at := self._progress.handoff.open_at(workflow.now())) is not None:
            await self.until(due_at, "hand-off again", unless=self.due_sooner)
            now = workflow.now()
            batch = hand_off_batch(self.subject, self.settled(), self._progress, now)
            batch = batch.replace(record=self._record(), life=self.life)
            report = await self.call(Handoff.hand_off, batch, options.HAND_OFF, targets_in_words(batch))
            if report is not None:
                # The instant that the amendment of the record says as well.
                known = handed_off(self.subject, self._progress, report.results, now)
                handoff = remembered(known.handoff, batch, report, now)
                self._progress = known.replace(recorded=True, handoff=handoff).paged(batch.page)
        self.publish()

    def due_sooner(self) -> Condition:
        """Watch for a hand-off that is due sooner than any was before."""
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
        """Search attributes and the Web UI's details."""
        shown = self.shown(self._progress, workflow.now())
        publish(self._progress, shown, self.details(shown))
        self.published(shown)

    def published(self, shown: Shown) -> None:
        """Tell others what was published, where somebody waits for it; nobody does of most."""

    def details(self, shown: Shown) -> str:
        """The Web UI's live details in Markdown."""
        return details(shown)

    def failed(self, trouble: CallFailure) -> None:
        """End it: nobody can fix this."""
        self._progress = self._progress.fail(trouble.code, trouble.says, workflow.now())

    async def _empty_the_memory(self) -> None:
        """Of the largest requests: what the batch with the record could not take along as well."""
        while len(self._progress.ledger.leaving) > LINES_AT_MOST:
            batch = page_batch(self.subject, self.settled(), self._progress)
            if await self.call(Handoff.hand_off, batch, options.HAND_OFF, "keep the ledger") is not None:
                self._progress = self._progress.paged(batch.page)

    async def _keep_the_record(self) -> None:
        """Of what nobody is to hear of: no batch brings it to the store."""
        if not (self._progress.recorded or self._progress.handoff.opened):
            batch = page_batch(self.subject, self.settled(), self._progress).replace(record=self._record())
            if await self.call(Handoff.hand_off, batch, options.HAND_OFF, "keep the record") is not None:
                self._progress = self._progress.replace(recorded=True).paged(batch.page)

    def carried_over(self) -> FollowUpInput:
        """What it was started with, and all that is remembered."""
        known = self._progress.replace(handoff=self._progress.handoff.skipping())
        return self._request.replace(carried=known.carried_over())

    def _accept(self, carry_out: Callable[[State, Wish, datetime], State], wish: Wish) -> Receipt:
        """Record what a wish does to the memory."""
        return self.accept_once(lambda id, now: recorded(carry_out(self._progress, wish, now), id, wish, now))

    def cancelled(self, reason: str) -> None:
        """A cancellation of the run is a wish like the update's; nobody has looked at its words."""
        self._progress = commands.cancel(self._progress, Cancellation.read(reason), workflow.now())
