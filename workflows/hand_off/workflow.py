"""Replay of a hand-off from the settled record after the run is closed (docs/hand-off.md); the Nexus call workflow."""

from typing import Final

from temporalio import workflow

with workflow.unsafe.imports_passed_through():
    from temporalio.workflow import NexusOperationCancellationType

    import workflows.follow_up.options as options
    from workflows.follow_up.calls import CallFailure, Condition, despite_cancellation
    from workflows.follow_up.lifecycle import AcceptsCommands
    from workflows.follow_up.record import batch_again, targets_in_words
    from workflows.hand_off.state import ReplayInput, ReplayState
    from workflows.model.commands import Replay
    from workflows.model.hand_off import HandOffNow, OperationOrder, ReplayedFacts
    from workflows.model.receipts import Operation, OperationState, Receipt
    from workflows.model.rejections import name_fault
    from workflows.names import HAND_OFF, HAND_OFF_NOW, NEXUS_CALL, REPLAY, SHOW
    from workflows.ports import Handoff

WISHES_AT_MOST: Final = 50
"""Replays that are asked for before the record was read."""
_TOO_MANY: Final = "too many replays of it are asked for already"
_ENDING: Final = "the one before was cancelled in Temporal and is just ending: ask again in a minute"
_GIVEN_UP: Final = "given up: the workflow was cancelled in Temporal"


@workflow.defn(name=HAND_OFF)
class HandOffWorkflow(AcceptsCommands[ReplayState]):
    """Reads the record, calls the requested targets, and runs until each is done or dead."""

    @workflow.init
    def __init__(self, given: ReplayInput) -> None:
        super().__init__(given.carried or ReplayState())
        self._given = given

    @workflow.run
    @despite_cancellation
    async def run(self, given: ReplayInput) -> ReplayedFacts:
        """Call until nothing is due and the results are stored beside the record."""
        await self._recall()
        while not self._progress.over:
            self._progress = self._progress.decided(workflow.now())
            due_at = self._progress.handoff.open_at(workflow.now())
            if due_at is None:
                break
            await self.until(due_at, "hand-off again")
            await self._tell()
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
        batch = batch_again(known.order, known.handoff, now).replace(life=self.life)
        report = await self.call(Handoff.hand_off, batch, options.HAND_OFF, targets_in_words(batch), self.given_up)
        if report is not None:
            self._progress = self._progress.told(batch, report, now)

    async def _record_although_given_up(self) -> None:
        """One attempt: a cancelled run does not wait for the store."""
        known = self._progress
        if known.order is not None and known.handoff.unrecorded is not None:
            batch = batch_again(known.order, known.handoff, workflow.now()).replace(calls=())
            await self.once(Handoff.hand_off, batch, options.HAND_OFF, targets_in_words(batch))

    @workflow.update(name=REPLAY, description="Hand off to a target once more")
    def replay(self, command: Replay) -> Receipt:
        """Record the request; the record decides."""
        return self.accept_once(lambda id, now: self._progress.wished(id, command, now))

    @replay.validator
    def _may_replay(self, command: Replay) -> None:
        why = name_fault(command.actor) or name_fault(command.target, "--target")
        too_many = _TOO_MANY if len(self._progress.asked) >= WISHES_AT_MOST else None
        self.allow(command, why or (_ENDING if self._progress.over else too_many))

    @workflow.signal(name=HAND_OFF_NOW, description="Try targets at once that would be tried later")
    def hand_off_now(self, wanted: HandOffNow) -> None:
        """Make the next attempts due now."""
        self._progress = self._progress.replace(handoff=self._progress.handoff.hurried(wanted.target, workflow.now()))

    def receipt(self, operation: Operation) -> Receipt:
        op = operation.id.removeprefix(f"{REPLAY}-")
        says = operation.says if operation.state is OperationState.OPEN else ""
        return Receipt(
            id=self._given.ended.id,
            status=self._given.status,
            op=op,
            says=says,
            state=operation.state,
            detail=operation.says,
            digest=operation.digest,
        )

    @workflow.query(name=SHOW, description="Who is told once more, and how that stands")
    def show(self) -> ReplayedFacts:
        """All lines of its hand-off."""
        known = self._progress
        return ReplayedFacts(
            id=self._given.ended.id, status=self._given.status, handoffs=known.handoff.lines, problem=known.problem
        )

    def publish(self) -> None:
        """Web UI details."""
        words = [f"- {h.target} · {h.state} · {h.attempts} attempts" for h in self._progress.handoff.lines]
        if problem := self._progress.problem:
            words = [f"**{problem.code}**: {problem.says}", "", *words]
        workflow.set_current_details("\n".join(words))

    def carried_over(self) -> ReplayInput:
        return self._given.replace(carried=self._progress)

    def given_up(self) -> Condition:
        """The watch for a cancellation."""
        return lambda: self._progress.over

    def failed(self, trouble: CallFailure) -> None:
        """Unused: no call of it fails for good."""
        self._progress = self._progress.given_up(trouble.says)

    def cancelled(self, reason: str) -> None:
        """Give up."""
        self._progress = self._progress.given_up(_GIVEN_UP)


@workflow.defn(name=NEXUS_CALL)
class NexusCallWorkflow:
    """Starts a Nexus operation and ends when it has begun: its weeks of work belong to the other team."""

    @workflow.run
    async def run(self, order: OperationOrder) -> None:
        """Call; fails when the operation is refused or not started in time."""
        wanted = order.operation
        service = workflow.create_nexus_client(service=wanted.service, endpoint=wanted.endpoint)
        await service.start_operation(
            wanted.operation,
            order.told.model_dump(mode="json"),
            headers={"webhook-id": order.key},
            schedule_to_start_timeout=options.OPERATION_TAKEN_WITHIN,
            cancellation_type=NexusOperationCancellationType.ABANDON,
            summary=f"{wanted.service}.{wanted.operation}",
        )
