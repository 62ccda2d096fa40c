"""The command log: which accepted commands are open, done or refused."""

from collections.abc import Callable
from functools import partial
from typing import Final, Self

from workflows.model.base import Model
from workflows.model.messages import Message
from workflows.model.receipts import Operation, OperationState
from workflows.model.rejections import Rejection, clipped
from workflows.model.subject import Status
from workflows.names import CANCEL, DONE, REPLAY, WAIVE

OPERATIONS_REMEMBERED: Final = 100
"""Enough to recognise a command repeated after a lost answer."""
_COMMAND_OF: Final = {Status.CANCELLED: CANCEL, Status.DONE: DONE, Status.WAIVED: WAIVE}
"""Endings by command."""
_SAYS_AT_MOST: Final = 160
_VALUE_AT_MOST: Final = 60
"""Bytes of a sentence, and of each value of a refusal."""


class CommandLog(Model):
    """The latest operations, oldest first; open ones are dropped last. It only reports: the state has what is to be
    done, even for a dropped operation.
    """

    entries: tuple[Operation, ...] = ()

    def find_operation(self, id: str) -> Operation | None:
        return next((operation for operation in self.entries if operation.id == id), None)

    @property
    def open(self) -> tuple[Operation, ...]:
        return tuple(operation for operation in self.entries if operation.state is OperationState.OPEN)

    def record(self, operation: Operation) -> Self:
        """Beyond the limit the oldest closed one is dropped, else the oldest."""
        entries = (*self.entries, operation.replace(says=clipped(operation.says, _SAYS_AT_MOST)))
        if len(entries) <= OPERATIONS_REMEMBERED:
            return self.replace(entries=entries)
        dropped = next(
            (operation for operation in self.entries if operation.state is not OperationState.OPEN), entries[0]
        )
        return self.replace(entries=tuple(operation for operation in entries if operation is not dropped))

    def mark_done(self, command_word: str, result: str, subject_id: str = "") -> Self:
        """Mark all of this command word (and `subject_id`) as done, with the result."""
        return self._close(command_word, subject_id, partial(_finish, result=result))

    def refused(self, command_word: str, refusal: Message, subject_id: str = "") -> Self:
        """Mark all of this command word (and `subject_id`) as refused, with the reason."""
        return self._close(command_word, subject_id, partial(_refuse, refusal=refusal))

    def refuse(self, id: str, refusal: Message) -> Self:
        entries = (_refuse(operation, refusal) if operation.id == id else operation for operation in self.entries)
        return self.replace(entries=tuple(entries))

    def end(self, status: Status, subject: str) -> Self:
        """Close open operations as done or too late; replays stay open."""
        if not self.open:
            return self
        updated = self.mark_done(_COMMAND_OF[status], str(status)) if status in _COMMAND_OF else self
        late = Rejection.TOO_LATE.to_message(subject=subject, status=status)
        entries = (operation if operation.what == REPLAY else _refuse(operation, late) for operation in updated.entries)
        return updated.replace(entries=tuple(entries))

    def _close(self, command_word: str, subject_id: str, close: Callable[[Operation], Operation]) -> Self:
        if not any((operation.what, operation.about) == (command_word, subject_id) for operation in self.open):
            return self
        return self.replace(
            entries=tuple(
                close(operation) if (operation.what, operation.about) == (command_word, subject_id) else operation
                for operation in self.entries
            )
        )


def _finish(operation: Operation, result: str) -> Operation:
    if operation.state is not OperationState.OPEN:
        return operation
    return operation.replace(state=OperationState.DONE, says=clipped(result, _SAYS_AT_MOST))


def _shorten(refusal: Message) -> Message:
    values = {
        name: clipped(value, _VALUE_AT_MOST) if isinstance(value, str) else value
        for name, value in refusal.values.items()
    }
    return refusal.replace(values=values)


def _refuse(operation: Operation, refusal: Message) -> Operation:
    if operation.state is not OperationState.OPEN:
        return operation
    return operation.replace(state=OperationState.REFUSED, says="", refusal=_shorten(refusal))
