"""Replay of a hand-off from the settled record after the run is closed (docs/hand-off.md); the Nexus call workflow."""

from typing import Final

from temporalio import workflow

with workflow.unsafe.imports_passed_through():
    from temporalio.workflow import NexusOperationCancellationType

    import workflows.follow_up.options as options
    from workflows.follow_up.calls import CallFailure, Calls, Condition, chain_run_id, despite_cancellation
    from workflows.follow_up.commands import update_id
    from workflows.follow_up.lifecycle import allow
    from workflows.follow_up.record import batch_again, targets_in_words
    from workflows.hand_off.state import ReplayInput, ReplayState
    from workflows.model.commands import Replay
    from workflows.model.hand_off import ImmediateHandOff, OperationOrder, ReplayedFacts
    from workflows.model.receipts import Operation, OperationState, Receipt
    from workflows.model.rejections import Rejection, name_fault
    from workflows.names import HAND_OFF, HAND_OFF_NOW, NEXUS_CALL, OPERATION, REPLAY, SHOW
    from workflows.ports import Handoff

REPLAYS_AT_MOST: Final = 50
"""Replays that are asked for before the record was read."""
_GIVEN_UP: Final = Rejection.GIVEN_UP.to_message()


@workflow.defn(name=HAND_OFF)
class HandOffWorkflow:
    """Reads the record, calls the requested targets, and runs until each is done or dead."""

    @workflow.init
    def __init__(self, request: ReplayInput) -> None:
        self.state = request.carried or ReplayState()
        self.calls = Calls(self)
        self._input = request

    @workflow.run
    @despite_cancellation
    async def run(self, request: ReplayInput) -> ReplayedFacts:
        """Call until nothing is due and the results are stored beside the record."""
        await self._recall()
        while not self.state.over:
            self.state = self.state.decided(workflow.now())
            due_at = self.state.outbox.open_at(workflow.now())
            if due_at is None:
                break
            await self.calls.wait_until(due_at, "hand-off again")
            await self._tell()
        await self._record_although_given_up()
        self.publish()
        return self.show()

    async def _recall(self) -> None:
        if self.state.read:
            return
        recorded = await self.calls.call(
            Handoff.read, self._input.ended, options.HAND_OFF, "read the record", self.given_up
        )
        if recorded is not None:
            self.state = self.state.recalled(recorded)

    async def _tell(self) -> None:
        state, now = self.state, workflow.now()
        due_at = state.outbox.open_at(now)
        if state.order is None or state.over or due_at is None or due_at > now:
            return
        batch = batch_again(state.order, state.outbox, now).replace(first_run_id=chain_run_id())
        report = await self.calls.call(
            Handoff.hand_off, batch, options.HAND_OFF, targets_in_words(batch), self.given_up
        )
        if report is not None:
            self.state = self.state.record_report(batch, report, now)

    async def _record_although_given_up(self) -> None:
        """One attempt: a cancelled run does not wait for the store."""
        state = self.state
        if state.order is not None and state.outbox.unrecorded is not None:
            batch = batch_again(state.order, state.outbox, workflow.now()).replace(calls=())
            await self.calls.attempt_once(Handoff.hand_off, batch, options.HAND_OFF, targets_in_words(batch))

    @workflow.update(name=REPLAY, description="Hand off to a target once more")
    def replay(self, command: Replay) -> Receipt:
        """Record the request; the record decides."""
        id = update_id()
        if self.state.commands.find_operation(id) is None:
            self.state = self.state.requested(id, command, workflow.now())
        accepted = self.operation(id)
        if accepted is None:
            raise RuntimeError("a command log that forgets what it has just recorded")
        return accepted

    @replay.validator
    def _(self, command: Replay) -> None:
        fault = name_fault(command.actor) or name_fault(command.target, "--target")
        too_many = Rejection.TOO_MANY_REPLAYS.to_message() if len(self.state.asked) >= REPLAYS_AT_MOST else None
        allow(
            self.state.commands,
            command,
            fault or (Rejection.HAND_OFF_ENDING.to_message() if self.state.over else too_many),
        )

    @workflow.signal(name=HAND_OFF_NOW, description="Try targets at once that would be tried later")
    def hand_off_now(self, hand_off_request: ImmediateHandOff) -> None:
        """Make the next attempts due now."""
        self.state = self.state.replace(outbox=self.state.outbox.hurried(hand_off_request.target, workflow.now()))

    @workflow.query(name=OPERATION, description="What became of an update, by its id; nothing when it is forgotten")
    def operation(self, id: str) -> Receipt | None:
        """The receipt of an operation now."""
        operation = self.state.commands.find_operation(id)
        return self._receipt(operation) if operation else None

    def _receipt(self, operation: Operation) -> Receipt:
        op = operation.id.removeprefix(f"{REPLAY}-")
        explanation = operation.says if operation.state is OperationState.OPEN else ""
        return Receipt(
            id=self._input.ended.id,
            status=self._input.status,
            op=op,
            says=explanation,
            state=operation.state,
            detail=operation.detail,
            refusal=operation.refusal,
            digest=operation.digest,
        )

    @workflow.query(name=SHOW, description="Who is told once more, and how that stands")
    def show(self) -> ReplayedFacts:
        """All lines of its hand-off."""
        state = self.state
        return ReplayedFacts(
            id=self._input.ended.id,
            status=self._input.status,
            handoffs=state.outbox.lines,
            problem=state.problems.current,
        )

    def publish(self) -> None:
        """Web UI details."""
        lines = [f"- {h.target} · {h.state} · {h.attempts} attempts" for h in self.state.outbox.lines]
        if problem := self.state.problems.current:
            lines = [f"**{problem.code}**: {problem.says}", "", *lines]
        workflow.set_current_details("\n".join(lines))

    def carried_over(self) -> ReplayInput:
        return self._input.replace(carried=self.state)

    def given_up(self) -> Condition:
        """The watch for a cancellation."""
        return lambda: self.state.over

    def failed(self, failure: CallFailure) -> None:
        """Unused: no call of it fails for good."""
        self.state = self.state.given_up(Rejection.NOT_RECALLED.to_message(says=failure.says))

    def cancelled(self, reason: str) -> None:
        """Give up."""
        self.state = self.state.given_up(_GIVEN_UP)


@workflow.defn(name=NEXUS_CALL)
class NexusCallWorkflow:
    """Starts a Nexus operation and ends when it has begun: its weeks of work belong to the other team."""

    @workflow.run
    async def run(self, order: OperationOrder) -> None:
        """Call; fails when the operation is refused or not started in time."""
        operation = order.operation
        service = workflow.create_nexus_client(service=operation.service, endpoint=operation.endpoint)
        await service.start_operation(
            operation.operation,
            order.told.model_dump(mode="json"),
            headers={"webhook-id": order.key},
            schedule_to_start_timeout=options.OPERATION_TAKEN_WITHIN,
            cancellation_type=NexusOperationCancellationType.ABANDON,
            summary=f"{operation.service}.{operation.operation}",
        )
