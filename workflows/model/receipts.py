"""Receipts: the answer of each update, and the log line of each accepted command."""

from enum import StrEnum
from hashlib import sha256
from typing import Final

from pydantic import AwareDatetime

from workflows.model.base import Model
from workflows.model.messages import Message
from workflows.model.rejections import Rejection
from workflows.model.subject import Status
from workflows.model.views import NextAction

ID_AT_MOST: Final = 64
"""Bytes of an operation's id, with its word."""
RECEIPT_BYTES_AT_MOST: Final = 1_024
"""Bytes of a receipt in a history."""
OTHER_CONTENT: Final = Rejection.OTHER_CONTENT.to_message()
_WHO: Final = {"actor": True, "by": True, "known_by": True, "ran_as": True, "op": True}
"""Fields with the sender, and `op`."""


class OperationState(StrEnum):
    OPEN = "open"
    DONE = "done"
    REFUSED = "refused"


class Operation(Model):
    """One accepted command per `id`; `says` is what is to do or was done, `refusal` why not. `about` tells apart those
    of one word.
    """

    id: str
    what: str
    digest: str
    at: AwareDatetime
    by: str
    state: OperationState = OperationState.OPEN
    says: str = ""
    refusal: Message | None = None
    about: str = ""

    @property
    def detail(self) -> str:
        """In English what is to do, was done, or why not."""
        return self.refusal.english if self.refusal else self.says


class OutstandingCommand(Model):
    """An accepted command not carried out yet, and since when."""

    what: str
    since: AwareDatetime


class Receipt(Model):
    """The answer of every update, at most `RECEIPT_BYTES_AT_MOST`. `status`, `says` and `next` are the request's;
    `state`, `detail` and `refusal` the operation's. `outstanding` are the oldest open ones, `further` counts others.
    """

    id: str
    status: Status
    op: str
    says: str
    state: OperationState
    detail: str = ""
    refusal: Message | None = None
    digest: str = ""
    next: NextAction | None = None
    outstanding: tuple[OutstandingCommand, ...] = ()
    further: int = 0


def digest_of(command: Model) -> str:
    """Without sender, id and default fields, so that old and new code agree."""
    content = command.model_dump_json(exclude=_WHO, exclude_defaults=True)
    return sha256(f"{type(command).__name__} {content}".encode()).hexdigest()[:16]
