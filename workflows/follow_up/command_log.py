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

    def of(self, id: str) -> Operation | None:
        return next((one for one in self.entries if one.id == id), None)

    @property
    def open(self) -> tuple[Operation, ...]:
        return tuple(one for one in self.entries if one.state is OperationState.OPEN)

    def record(self, operation: Operation) -> Self:
        """Beyond the limit the oldest closed one is dropped, else the oldest."""
        entries = (*self.entries, operation.replace(says=clipped(operation.says, _SAYS_AT_MOST)))
        if len(entries) <= OPERATIONS_REMEMBERED:
            return self.replace(entries=entries)
        gone = next((one for one in self.entries if one.state is not OperationState.OPEN), entries[0])
        return self.replace(entries=tuple(one for one in entries if one is not gone))

    def done(self, what: str, says: str, about: str = "") -> Self:
        """Mark all of this word (and `about`) as done, with the result."""
        return self._close(what, about, partial(_finish, says=says))

    def refused(self, what: str, why: Message, about: str = "") -> Self:
        """Mark all of this word (and `about`) as refused, with the reason."""
        return self._close(what, about, partial(_refuse, why=why))

    def refuse(self, id: str, why: Message) -> Self:
        entries = (_refuse(one, why) if one.id == id else one for one in self.entries)
        return self.replace(entries=tuple(entries))

    def end(self, status: Status, subject: str) -> Self:
        """Close open operations as done or too late; replays stay open."""
        if not self.open:
            return self
        updated = self.done(_COMMAND_OF[status], str(status)) if status in _COMMAND_OF else self
        late = Rejection.TOO_LATE.to_message(subject=subject, status=status)
        entries = (one if one.what == REPLAY else _refuse(one, late) for one in updated.entries)
        return updated.replace(entries=tuple(entries))

    def _close(self, what: str, about: str, close: Callable[[Operation], Operation]) -> Self:
        if not any((one.what, one.about) == (what, about) for one in self.open):
            return self
        return self.replace(
            entries=tuple(close(one) if (one.what, one.about) == (what, about) else one for one in self.entries)
        )


def _finish(operation: Operation, says: str) -> Operation:
    if operation.state is not OperationState.OPEN:
        return operation
    return operation.replace(state=OperationState.DONE, says=clipped(says, _SAYS_AT_MOST))


def _shorten(why: Message) -> Message:
    values = {
        name: clipped(value, _VALUE_AT_MOST) if isinstance(value, str) else value for name, value in why.values.items()
    }
    return why.replace(values=values)


def _refuse(operation: Operation, why: Message) -> Operation:
    if operation.state is not OperationState.OPEN:
        return operation
    return operation.replace(state=OperationState.REFUSED, says="", refusal=_shorten(why))
