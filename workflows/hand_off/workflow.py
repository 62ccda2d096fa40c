"""Handing off once more what has ended: from its settled record, once its own run is closed (docs/hand-off.md)."""

from typing import Final

from temporalio import workflow
from temporalio.exceptions import ApplicationError

with workflow.unsafe.imports_passed_through():
    import workflows.follow_up.options as options
    from workflows.follow_up.batches import batch_again, targets_in_words
    from workflows.follow_up.patience import Condition, PatientWorkflow, despite_cancellation
    from workflows.follow_up.receipts import refused, update_id
    from workflows.follow_up.trouble import Trouble
    from workflows.hand_off.memory import HandOffInput, HandOffMemory
    from workflows.model.operations import OperationState, Receipt
    from workflows.model.settlement import HandOffNow, ToldAgain
    from workflows.model.texts import name_fault
    from workflows.model.wishes import Replay
    from workflows.names import HAND_OFF, HAND_OFF_NOW, OPERATION, REPLAY, SHOW
    from workflows.ports import Handoff

WISHES_AT_MOST: Final = 50
"""Replays that are asked for before the record was read."""
_GIVEN_UP: Final = "given up: the workflow was cancelled in Temporal"


@workflow.defn(name=HAND_OFF)
class HandOffWorkflow(PatientWorkflow[HandOffMemory]):
    """Reads the record, tells whoever is to be told once more, and lives until each is done or dead."""

    @workflow.init
    def __init__(self, given: HandOffInput) -> None:
        super().__init__(given.carried or HandOffMemory())
        self._given = given

    @workflow.run
    @despite_cancellation
    async def run(self, given: HandOffInput) -> ToldAgain:
        """Tell until there is nobody left to tell and what became of it stands beside the record."""
        await self._recall()
        while not self._progress.over:
            self._progress = self._progress.decided(workflow.now())
            due_at = self._progress.handoff.open_at(workflow.now())
            if due_at is None:
                break
            await self.until(due_at, "hand-off again")
            await self._tell()
            self.continue_as_new_if_suggested()
        await self._record_although_given_up()
        self.publish()
        return self.show()

    async def _recall(self) -> None:
        if self._progress.read:
            return
        found = await self.call(Handoff.recall, self._given.ended, options.HAND_OFF, "read the record", self.given_up)
        if found is not None:
            self._progress = self._progress.recalled(found)

    async def _tell(self) -> None:
        known, now = self._progress, workflow.now()
        due_at = known.handoff.open_at(now)
        if known.order is None or known.over or due_at is None or due_at > now:
            return
        batch = batch_again(known.order, known.handoff, now)
        report = await self.call(Handoff.hand_off, batch, options.HAND_OFF, targets_in_words(batch), self.given_up)
        if report is not None:
            self._progress = self._progress.told(batch, report, now)

    async def _record_although_given_up(self) -> None:
        """Once: whoever gave it up need not wait for a store."""
        known = self._progress
        if known.order is not None and known.handoff.unrecorded is not None:
            batch = batch_again(known.order, known.handoff, workflow.now()).replace(calls=())
            await self.once(Handoff.hand_off, batch, options.HAND_OFF, targets_in_words(batch))

    @workflow.update(name=REPLAY, description="Hand off to a target once more")
    def replay(self, wish: Replay) -> Receipt:
        """Take it down; whether it may be is decided by the record."""
        id = update_id()
        if self._progress.operations.of(id) is None:
            self._progress = self._progress.wished(id, wish, workflow.now())
        taken = self.operation(id)
        if taken is None:
            raise RuntimeError("a ledger that forgets what it has just recorded")
        return taken

    @replay.validator
    def _may_replay(self, wish: Replay) -> None:
        why = name_fault(wish.actor) or name_fault(wish.target, "--target")
        if self._progress.over or len(self._progress.asked) >= WISHES_AT_MOST:
            why = why or "too many replays of it are asked for already"
        if (says := refused(self._progress.operations, update_id(), wish, why)) is not None:
            raise ApplicationError(says, type="refused")

    @workflow.signal(name=HAND_OFF_NOW, description="Try targets at once that would be tried later")
    def hand_off_now(self, wanted: HandOffNow) -> None:
        """Have them due now."""
        self._progress = self._progress.replace(handoff=self._progress.handoff.hurried(wanted.target, workflow.now()))

    @workflow.query(name=OPERATION, description="What became of an update, by its id; nothing when it is forgotten")
    def operation(self, id: str) -> Receipt | None:
        """The receipt of a replay as it is now."""
        found = self._progress.operations.of(id)
        if found is None:
            return None
        op = found.id.removeprefix(f"{REPLAY}-")
        says = found.says if found.state is OperationState.OPEN else ""
        return Receipt(
            id=self._given.ended.id,
            status=self._given.status,
            op=op,
            says=says,
            state=found.state,
            detail=found.says,
            digest=found.digest,
        )

    @workflow.query(name=SHOW, description="Who is told once more, and how that stands")
    def show(self) -> ToldAgain:
        """Every line of its hand-off."""
        known = self._progress
        return ToldAgain(
            id=self._given.ended.id, status=self._given.status, handoffs=known.handoff.lines, problem=known.problem
        )

    def publish(self) -> None:
        """The Web UI's details."""
        words = [f"- {h.target} · {h.state} · {h.attempts} attempts" for h in self._progress.handoff.lines]
        if problem := self._progress.problem:
            words = [f"**{problem.code}**: {problem.says}", "", *words]
        workflow.set_current_details("\n".join(words))

    def carried_over(self) -> HandOffInput:
        """What it was started with, and all that is remembered."""
        return self._given.replace(carried=self._progress)

    def given_up(self) -> Condition:
        """Watch for the end that somebody wants although nobody was told."""
        return lambda: self._progress.over

    def failed(self, trouble: Trouble) -> None:
        """Nothing that it calls fails for good."""
        self._progress = self._progress.given_up(trouble.says)

    def cancelled(self, reason: str) -> None:
        """Give up."""
        self._progress = self._progress.given_up(_GIVEN_UP)
