"""The state of the replay workflow: lines to replay, who asked for them, results. Pure."""

from datetime import datetime
from typing import Final, Self

from workflows.follow_up.command_log import CommandLog
from workflows.follow_up.outbox import Outbox
from workflows.follow_up.pause_clock import CallerState
from workflows.follow_up.record import close_replays, outbox_of, refuse_closed, remembered, replayed
from workflows.model.base import Model
from workflows.model.commands import Replay
from workflows.model.hand_off import HandoffReport
from workflows.model.messages import Message
from workflows.model.receipts import Operation, OperationState, digest_of
from workflows.model.records import HandoffBatch, HandOffOrder, RecordedHandOff, ReplayOrder
from workflows.model.rejections import Rejection
from workflows.model.subject import Status
from workflows.names import REPLAY

_NO_RECORD: Final = Rejection.NO_RECORD.to_message()


class RequestedReplay(Model):
    """A requested replay, by its update id."""

    id: str
    command: Replay


class ReplayState(CallerState):
    commands: CommandLog = CommandLog()
    outbox: Outbox = Outbox()
    order: HandOffOrder | None = None
    read: bool = False
    """Whether the record was read."""
    asked: tuple[RequestedReplay, ...] = ()
    over: bool = False

    def requested(self, id: str, command: Replay, now: datetime) -> Self:
        """Record a request; it is decided once the record was read."""
        operation = Operation(
            id=id,
            what=REPLAY,
            digest=digest_of(command),
            at=now,
            by=command.actor,
            says=f"hand off to {command.target} once more",
            about=command.target,
        )
        return self.replace(
            asked=(*self.asked, RequestedReplay(id=id, command=command)), commands=self.commands.record(operation)
        )

    def recalled(self, recorded: RecordedHandOff) -> Self:
        return self.replace(read=True, order=recorded.order, outbox=outbox_of(recorded))

    def decided(self, now: datetime) -> Self:
        """Decide each request: a new line in the outbox, or the reason why not."""
        operations, outbox = self.commands, self.outbox
        for replay_request in self.asked:
            operation = operations.find_operation(replay_request.id)
            if operation is None or operation.state is not OperationState.OPEN:
                continue  # An earlier request for the same was carried out meanwhile.
            refusal = refuse_closed(outbox, replay_request.command) if self.order else _NO_RECORD
            if refusal is None:
                outbox = replayed(outbox, replay_request.command, now)
            else:
                operations = operations.refuse(replay_request.id, refusal)
        return self.replace(asked=(), commands=operations, outbox=outbox)

    def record_report(self, batch: HandoffBatch, report: HandoffReport, now: datetime) -> Self:
        outbox = remembered(self.outbox.record(report.results, now), batch, report, now)
        return self.replace(outbox=outbox, commands=close_replays(self.commands, outbox, report.results))

    def given_up(self, refusal: Message) -> Self:
        operations = self.commands
        for operation in operations.open:
            operations = operations.refuse(operation.id, refusal)
        return self.replace(over=True, commands=operations)


class ReplayInput(Model):
    """What has ended, and the carried state."""

    ended: ReplayOrder
    status: Status
    carried: ReplayState | None = None
