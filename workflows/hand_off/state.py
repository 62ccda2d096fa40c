"""What is remembered while something that has ended is handed off once more. Pure."""

from datetime import datetime
from typing import Final, Self

from workflows.follow_up.command_log import CommandState
from workflows.follow_up.outbox import Outbox
from workflows.follow_up.record import ledger_of, over, refuse_closed, remembered, replayed
from workflows.model.base import Model
from workflows.model.commands import Replay
from workflows.model.hand_off import HandoffReport
from workflows.model.receipts import Operation, OperationState, digest_of
from workflows.model.records import HandoffBatch, HandOffOrder, RecordedHandOff, ReplayOrder
from workflows.model.subject import Status
from workflows.names import REPLAY

_NO_RECORD: Final = "its record does not say whom it was handed off to"


class RequestedReplay(Model):
    """A replay that somebody asked for, by the id of its update."""

    id: str
    wish: Replay


class ReplayState(CommandState):
    """What is remembered: whom to tell of what, who asked for it, and what became of it."""

    order: HandOffOrder | None = None
    read: bool = False
    """Whether the record was looked at."""
    asked: tuple[RequestedReplay, ...] = ()
    handoff: Outbox = Outbox()
    over: bool = False

    def wished(self, id: str, command: Replay, now: datetime) -> Self:
        """Take a wish down; it is decided about once the record was read."""
        one = Operation(
            id=id,
            what=REPLAY,
            digest=digest_of(command),
            at=now,
            by=command.actor,
            says=f"hand off to {command.target} once more",
            about=command.target,
        )
        return self.replace(
            asked=(*self.asked, RequestedReplay(id=id, wish=command)), operations=self.operations.record(one)
        )

    def recalled(self, found: RecordedHandOff) -> Self:
        """Go on from what the record says."""
        return self.replace(read=True, order=found.order, handoff=ledger_of(found))

    def decided(self, now: datetime) -> Self:
        """Decide about each wish: a line of its own in the ledger, or the reason why not."""
        operations, ledger = self.operations, self.handoff
        for one in self.asked:
            known = operations.of(one.id)
            if known is None or known.state is not OperationState.OPEN:
                continue  # Who asked for the same before had it done meanwhile.
            why = refuse_closed(ledger, one.wish) if self.order else _NO_RECORD
            if why is None:
                ledger = replayed(ledger, one.wish, now)
            else:
                operations = operations.refuse(one.id, why)
        return self.replace(asked=(), operations=operations, handoff=ledger)

    def told(self, batch: HandoffBatch, report: HandoffReport, now: datetime) -> Self:
        """Write down what became of targets."""
        ledger = remembered(self.handoff.record(report.results, now), batch, report, now)
        return self.replace(handoff=ledger, operations=over(self.operations, ledger, report.results))

    def given_up(self, why: str) -> Self:
        """Stop; what has not been told by now stays untold."""
        operations = self.operations
        for one in operations.open:
            operations = operations.refuse(one.id, why)
        return self.replace(over=True, operations=operations)


class ReplayInput(Model):
    """What has ended and how, and the memory that is carried over."""

    ended: ReplayOrder
    status: Status
    carried: ReplayState | None = None
